/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/vhd.h"

#include "base/text.h"
#include "block/big_endian.h"
#include "block/partition.h"

#define HEADER_SIZE 1024
#define LOCATORS 8
#define LOCATORS_OFFSET 576
#define MAX_LOCATOR 4096
/* Cylinders x heads x sectors cannot say more. */
#define MAX_CHS ((uint64_t)65535 * 16 * 255)

void vhd_free(struct vhd *vhd)
{
	strings_free(&vhd->parents);
}

static int damaged(const struct block *file, struct error *err, const char *what)
{
	error_set(err, ERROR_FAILED, file->name, "is a damaged VHD: %s", what);
	return error_remedy(err, "get the image again, or let Hyper-V repair it");
}

uint32_t vhd_checksum(const uint8_t *data, size_t len, size_t field)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < field || i >= field + 4)
			sum += data[i];
	return ~sum;
}

static bool checksum_right(const uint8_t *data, size_t len, size_t field)
{
	return vhd_checksum(data, len, field) == get_be32(data + field);
}

static bool footer_right(const uint8_t *footer)
{
	return memcmp(footer, "conectix", 8) == 0 &&
	       checksum_right(footer, VHD_FOOTER_SIZE, VHD_CHECKSUM);
}

/*
 * The footer at the end; if it is not there, its copy at the start (an image whose last
 * write was cut). A footer in 511 bytes is older than the specification and refused.
 */
static int read_footer(struct block *file, uint8_t footer[VHD_FOOTER_SIZE],
		       struct error *err)
{
	if (file->size < VHD_FOOTER_SIZE)
		return damaged(file, err, "it is shorter than its footer");
	if (block_pread(file, footer, VHD_FOOTER_SIZE, file->size - VHD_FOOTER_SIZE,
			err) < 0)
		return -1;
	if (footer_right(footer))
		return 0;
	if (block_pread(file, footer, VHD_FOOTER_SIZE, 0, err) < 0)
		return -1;
	if (footer_right(footer) && get_be32(footer + 60) != VHD_FIXED)
		return 0;
	return damaged(file, err, "the checksum of its footer is wrong");
}

/*
 * Two sizes are on record: "current size" (48) and the geometry (56). Windows uses the
 * first, Virtual PC and old QEMU the second. QEMU goes by the program that made it (28).
 */
static void sizes(const uint8_t *footer, struct vhd *ret)
{
	static const char *const by_size[] = {"win ", "qem2", "d2v ",
					      "tap",  "CTXS", "wa\0"};
	uint64_t current = get_be64(footer + 48);
	uint64_t chs = (uint64_t)(footer[56] << 8 | footer[57]) * footer[58] * footer[59];
	bool known = chs == MAX_CHS;

	for (size_t i = 0; i < ARRAY_SIZE(by_size); i++)
		known |= memcmp(footer + 28, by_size[i], 4) == 0;
	ret->qemu_size = known ? current : chs * 512;
	ret->size = current;
	if (!known && chs &&
	    (memcmp(footer + 28, "vpc ", 4) == 0 ||
	     memcmp(footer + 28, "qemu", 4) == 0)) {
		ret->size = chs * 512;
		ret->by_geometry = true;
	}
}

/* The name of the parent as one locator has it: "W2ru" relative, "W2ku" absolute. */
static int read_locator(struct block *file, const uint8_t *entry, struct vhd *ret,
			const char *wanted, struct error *err)
{
	uint32_t len = get_be32(entry + 8);
	uint8_t name[MAX_LOCATOR];

	if (memcmp(entry, wanted, 4) != 0)
		return 0;
	if (!len || len > sizeof(name))
		return damaged(file, err, "a name of its parent has no possible length");
	if (block_pread(file, name, len, get_be64(entry + 16), err) < 0)
		return -1;
	vec_push(&ret->parents, utf16_to_utf8(name, len));
	return 0;
}

static int read_parents(struct block *file, uint8_t *header, struct vhd *ret,
			struct error *err)
{
	static const char *const order[] = {"W2ru", "W2ku"};
	uint8_t *name = header + 64;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		for (unsigned slot = 0; slot < LOCATORS; slot++)
			if (read_locator(file, header + LOCATORS_OFFSET + slot * 24, ret,
					 order[i], err) < 0)
				return -1;
	/* The header's own copy of the name is big-endian as the rest. */
	for (unsigned i = 0; i < 512; i += 2) {
		uint8_t high = name[i];

		name[i] = name[i + 1];
		name[i + 1] = high;
	}
	vec_push(&ret->parents, utf16_to_utf8(name, 512));
	memcpy(ret->parent_id.bytes, header + 40, 16);
	return 0;
}

/* Every block that is there lies inside of the file, with the bitmap before it. */
static int check_blocks(struct block *file, const struct vhd *v, struct error *err)
{
	uint64_t bitmap = (v->block_size / 512 / 8 + 511) / 512 * 512;
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;

	/* 4 bytes for each block of at least 4 KiB: bounded by VHD_MAX_SIZE and the file.
	 */
	buffer_reserve(&table, (size_t)v->entries * 4);
	if (v->entries &&
	    block_pread(file, table.data, (size_t)v->entries * 4, v->table, err) < 0)
		return -1;
	for (uint32_t i = 0; i < v->entries; i++) {
		uint32_t sector = get_be32(table.data + (size_t)i * 4);

		if (sector != UINT32_MAX &&
		    (uint64_t)sector * 512 + bitmap + v->block_size > file->size)
			return damaged(file, err,
				       "it is cut short: a block lies behind its end");
	}
	return 0;
}

static int read_header(struct block *file, uint64_t offset, struct vhd *ret,
		       struct error *err)
{
	uint8_t header[HEADER_SIZE];

	if (offset > file->size || file->size - offset < HEADER_SIZE)
		return damaged(file, err, "its header lies outside of the file");
	if (block_pread(file, header, sizeof(header), offset, err) < 0)
		return -1;
	if (memcmp(header, "cxsparse", 8) != 0)
		return damaged(file, err, "its header is missing");
	if (!checksum_right(header, sizeof(header), 36))
		return damaged(file, err, "the checksum of its header is wrong");
	ret->table = get_be64(header + 16);
	ret->entries = get_be32(header + 28);
	ret->block_size = get_be32(header + 32);
	if (ret->block_size < 4096 || ret->block_size > (uint32_t)256 << 20 ||
	    (ret->block_size & (ret->block_size - 1)))
		return damaged(file, err, "its block size is impossible");
	if ((uint64_t)ret->entries * ret->block_size < ret->size)
		return damaged(file, err, "its block table is too small for its size");
	if (ret->table > file->size ||
	    file->size - ret->table < (uint64_t)ret->entries * 4)
		return damaged(file, err, "its block table lies outside of the file");
	if (check_blocks(file, ret, err) < 0)
		return -1;
	return ret->type == VHD_DIFFERENCING ? read_parents(file, header, ret, err) : 0;
}

/*
 * A volume cut out of a fixed VHD keeps the disk's footer, if all from the volume's first
 * sector on was copied: what lies before the footer is then the volume.
 */
static bool is_volume(struct block *file, struct vhd *ret)
{
	struct volume_info info;

	if (volume_recognise(file, NULL, &info, NULL) < 0 || info.kind != VOLUME_NTFS)
		return false;
	ret->size = ret->qemu_size = (file->size - VHD_FOOTER_SIZE) & ~(uint64_t)511;
	return ret->size > 0;
}

int vhd_read(struct block *file, struct vhd *ret, struct error *err)
{
	uint8_t footer[VHD_FOOTER_SIZE];
	uint32_t type;

	*ret = (struct vhd){0};
	if (read_footer(file, footer, err) < 0)
		return -1;
	type = get_be32(footer + 60);
	if (get_be32(footer + 12) >> 16 != 1 || type < VHD_FIXED ||
	    type > VHD_DIFFERENCING) {
		error_set(err, ERROR_FAILED, file->name,
			  "is a VHD of an unknown version or type (%u)", type);
		return error_remedy(err, "convert it with the program that made it");
	}
	ret->type = (enum vhd_type)type;
	memcpy(ret->id.bytes, footer + 68, 16);
	sizes(footer, ret);
	if (!ret->size || ret->size % 512 || ret->size > VHD_MAX_SIZE)
		return damaged(file, err, "its size is impossible");
	if (ret->type != VHD_FIXED)
		return read_header(file, get_be64(footer + 16), ret, err);
	if (ret->size > file->size - VHD_FOOTER_SIZE && !is_volume(file, ret))
		return damaged(file, err,
			       "it is cut short: it has less bytes than its "
			       "footer says");
	return 0;
}

int vhd_header_read(struct block *file, struct container_header *ret, struct error *err)
{
	static const char *const names[] = {[VHD_FIXED] = "fixed",
					    [VHD_DYNAMIC] = "dynamic",
					    [VHD_DIFFERENCING] = "differencing"};
	_cleanup_vhd_ struct vhd vhd = {0};

	if (vhd_read(file, &vhd, err) < 0)
		return -1;
	ret->subtype = xstrdup(names[vhd.type]);
	ret->virtual_size = vhd.size;
	ret->qemu_size = vhd.qemu_size;
	ret->by_geometry = vhd.by_geometry;
	ret->sector_size = 512;
	ret->fixed = vhd.type == VHD_FIXED;
	ret->id = vhd.id;
	if (vhd.type == VHD_DIFFERENCING) {
		ret->differencing = true;
		ret->parent_id = vhd.parent_id;
		ret->parents = vhd.parents;
		vhd.parents = (struct strings){0};
	}
	return 0;
}
