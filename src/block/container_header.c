/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which format a file has, by its content alone. */
#include "base/text.h"
#include "block/container_private.h"
#include "block/partition.h"

void container_header_free(struct container_header *header)
{
	free(header->subtype);
	free(header->backing);
	free(header->backing_format);
	free(header->data_file);
	strings_free(&header->extents);
	strings_free(&header->parents);
	*header = (struct container_header){0};
}

/* Formats of other programs that a user may well try. */
static const struct other {
	size_t offset;
	const char *magic;
	size_t len;
	const char *name;
	const char *qemu; /* what qemu-img calls it; NULL: it cannot read it */
} others[] = {
	{0x40, "\x7f\x10\xda\xbe", 4, "a VirtualBox disk image (VDI)", "vdi"},
	{0, "QED", 4, "a QED image", "qed"},
	{0, "QFI\xfb\0\0\0\1", 8, "a qcow image of version 1", "qcow"},
	{0, "COWD", 4, "an extent of an old VMware disk (COWD)", "vmdk"},
	{0, "WithoutFreeSpace", 16, "a Parallels disk image", "parallels"},
	{0, "WithouFreSpacExt", 16, "a Parallels disk image", "parallels"},
	{0, "Bochs Virtual HD Image", 22, "a Bochs disk image", "bochs"},
	{0, "EVF\x09\x0d\x0a\xff", 8, "an EnCase evidence file", NULL},
	{0, "LUKS\xba\xbe", 6, "encrypted with LUKS", NULL},
};

static int refuse_other(const struct block *file, const struct other *o,
			struct error *err)
{
	error_set(err, ERROR_FAILED, file->name, "is %s, which gild does not open",
		  o->name);
	if (o->qemu)
		return error_remedy(err, "convert it: qemu-img convert -f %s -O qcow2",
				    o->qemu);
	return error_remedy(err, "give the disk inside of it");
}

static bool is_descriptor(const char *text)
{
	/* Comments and blank lines may precede, as QEMU's and VMware's readers allow. */
	while (*text == '#' || *text == '\n' || *text == '\r' || *text == ' ') {
		if (text_starts_with(text, "# Disk DescriptorFile"))
			return true;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return false;
}

int container_sniff(struct block *file, enum container_format *ret, struct error *err)
{
	uint8_t start[513] = {0}, end[512] = {0};
	size_t len = file->size < 512 ? (size_t)file->size : 512;

	*ret = CONTAINER_RAW;
	if (block_pread(file, start, len, 0, err) < 0 ||
	    (file->size >= 512 && block_pread(file, end, 512, file->size - 512, err) < 0))
		return -1;
	if (memcmp(start, "vhdxfile", 8) == 0)
		*ret = CONTAINER_VHDX;
	else if (memcmp(start, "QFI\xfb", 4) == 0 &&
		 memcmp(start + 4, "\0\0\0\1", 4) != 0)
		*ret = CONTAINER_QCOW2;
	else if (memcmp(start, "KDMV", 4) == 0 || is_descriptor((const char *)start))
		*ret = CONTAINER_VMDK;
	else if (memcmp(end, "conectix", 8) == 0 || memcmp(start, "conectix", 8) == 0)
		*ret = CONTAINER_VHD;
	for (size_t i = 0; *ret == CONTAINER_RAW && i < ARRAY_SIZE(others); i++)
		if (memcmp(start + others[i].offset, others[i].magic, others[i].len) == 0)
			return refuse_other(file, &others[i], err);
	return 0;
}

/* A raw disk is what a partition table or a volume makes of it. */
static int raw_header_read(struct block *file, struct container_header *ret)
{
	_cleanup_partition_table_ struct partition_table table = {0};
	uint8_t magic[5];

	if (partition_table_read(file, &table, NULL) < 0) {
		ret->format = CONTAINER_NONE;
		return 0;
	}
	/* Images of optical disks have a partition table only to boot from USB sticks. */
	if (table.scheme != PARTITION_GPT && file->size > 0x8001 + sizeof(magic) &&
	    block_pread(file, magic, sizeof(magic), 0x8001, NULL) == 0 &&
	    (memcmp(magic, "CD001", 5) == 0 || memcmp(magic, "BEA01", 5) == 0)) {
		ret->format = CONTAINER_NONE;
		return 0;
	}
	ret->virtual_size = ret->qemu_size = file->size;
	ret->sector_size =
		table.scheme == PARTITION_BARE ? file->sector_size : table.sector_size;
	return 0;
}

int container_header_read(struct block *file, enum container_format format,
			  struct container_header *ret, struct error *err)
{
	ret->format = format;
	switch (format) {
	case CONTAINER_VHD:
		return vhd_header_read(file, ret, err);
	case CONTAINER_VHDX:
		return vhdx_header_read(file, ret, err);
	case CONTAINER_QCOW2:
		return qcow2_header_read(file, ret, err);
	case CONTAINER_VMDK:
		return vmdk_header_read(file, ret, err);
	default:
		return raw_header_read(file, ret);
	}
}
