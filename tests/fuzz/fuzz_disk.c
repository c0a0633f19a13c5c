/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is read of a disk image before QEMU sees it: container headers, partition tables,
 * volumes, differencing disks. The input is a sparse file: its size (4 bytes,
 * little-endian, modulo 8 MiB), then pieces of offset (4 bytes), length (2 bytes) and
 * content. Checksums are made right, so that what lies behind them is reached; bit 31 of
 * the size leaves them.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block/container_private.h"
#include "block/crc.h"
#include "block/differencing.h"
#include "block/partition.h"
#include "memory.h"

#define MAX_SIZE ((uint32_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *why)
{
	fprintf(stderr, "fuzz_disk: %s\n", why);
	abort();
}

/* ---- checksums ---- */

static void vhd_sum(uint8_t *at, size_t len, size_t field)
{
	uint32_t sum = 0;

	memset(at + field, 0, 4);
	for (size_t i = 0; i < len; i++)
		sum += at[i];
	for (size_t i = 0; i < 4; i++)
		at[field + i] = (uint8_t)(~sum >> (24 - i * 8));
}

static void crc_sum(uint8_t *at, size_t len, size_t field, uint32_t polynomial)
{
	put_le32(at + field, 0);
	put_le32(at + field, crc32_of(polynomial, (struct bytes){at, len}));
}

static void fix_gpt(struct memory *m, uint64_t header, uint32_t sector)
{
	uint8_t *h = m->data + header;
	uint64_t entries, len;

	if (header + 512 > m->block.size || memcmp(h, "EFI PART", 8) != 0)
		return;
	entries = get_le64(h + 72) * sector;
	len = (uint64_t)get_le32(h + 80) * get_le32(h + 84);
	if (entries <= m->block.size && len <= m->block.size - entries)
		put_le32(h + 88, crc32_of(CRC32_GPT, (struct bytes){m->data + entries,
								    (size_t)len}));
	if (get_le32(h + 12) <= 512)
		crc_sum(h, get_le32(h + 12), 16, CRC32_GPT);
}

static void fix(struct memory *m)
{
	static const uint32_t vhdx[] = {64 << 10, 128 << 10, 192 << 10, 256 << 10};
	uint64_t end = m->block.size;
	uint8_t *d = m->data;

	if (end >= 2048 && memcmp(d + end - 512, "conectix", 8) == 0) {
		vhd_sum(d + end - 512, 512, 64);
		if (memcmp(d + 512, "cxsparse", 8) == 0)
			vhd_sum(d + 512, 1024, 36);
	}
	for (size_t i = 0; i < ARRAY_SIZE(vhdx); i++) {
		size_t len = i < 2 ? 4096 : 64 << 10;

		if (vhdx[i] + len <= end && memcmp(d, "vhdxfile", 8) == 0)
			crc_sum(d + vhdx[i], len, 4, CRC32_VHDX);
	}
	for (uint32_t sector = 512; sector <= 4096; sector *= 8) {
		fix_gpt(m, sector, sector);
		if (end > sector)
			fix_gpt(m, (end / sector - 1) * sector, sector);
	}
}

/* ---- what is tried ---- */

static void try_table(struct block *disk)
{
	_cleanup_partition_table_ struct partition_table table = {0};
	_cleanup_error_ struct error err = ERROR_INIT;

	if (partition_table_read(disk, &table, &err) < 0) {
		if (!err.reason)
			die("an error without a reason");
		return;
	}
	vec_foreach (p, &table.partitions) {
		struct volume_info info;
		_cleanup_block_ struct block *window = NULL;

		if (p->offset > disk->size || p->size > disk->size - p->offset ||
		    !p->size)
			die("a partition lies outside of its disk");
		window = block_window_open(disk, p->offset, p->size, xstrdup("volume"),
					   NULL);
		if (!window || volume_recognise(window, p, &info, NULL) < 0 || !info.name)
			die("a volume inside of its disk cannot be looked at");
	}
}

/* A differencing disk is opened by its name: that of a file in memory. */
static void try_differencing(const struct memory *m, const struct container_header *h)
{
	struct container_layer layer = {.format = h->format,
					.virtual_size = h->virtual_size};
	struct container c = {.format = h->format,
			      .virtual_size = h->virtual_size,
			      .sector_size = h->sector_size};
	static const uint64_t places[] = {0, 511, 4097, 1 << 20, 5 << 20};
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct block *block;

	if (fd < 0 || write(fd, m->data, m->block.size) != (ssize_t)m->block.size)
		die("no file in memory");
	c.path = layer.path = xasprintf("/proc/self/fd/%d", fd);
	c.layers.items = &layer;
	c.layers.len = 1;
	block = differencing_open(&c, NULL);
	for (size_t i = 0; block && i < ARRAY_SIZE(places); i++) {
		uint8_t buf[6000];

		if (places[i] + sizeof(buf) <= block->size)
			(void)block_pread(block, buf, sizeof(buf), places[i], NULL);
	}
	block_close(block);
	free(layer.path);
	close(fd);
}

static void try_container(struct memory *m)
{
	_cleanup_container_header_ struct container_header h = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	enum container_format format;

	if (container_sniff(&m->block, &format, &err) < 0 ||
	    container_header_read(&m->block, format, &h, &err) < 0) {
		if (!err.reason)
			die("an error without a reason");
		return;
	}
	if (h.format == CONTAINER_NONE)
		return;
	if (!h.virtual_size || (h.sector_size != 512 && h.sector_size != 4096))
		die("a disk without a size");
	if (!h.fixed && (format == CONTAINER_VHD || format == CONTAINER_VHDX))
		try_differencing(m, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.block = {.ops = &memory_ops,
				     .name = (char *)"disk",
				     .sector_size = 512}};

	if (size < 4)
		return 0;
	m.block.size = (get_le32(data) & INT32_MAX) % MAX_SIZE;
	m.data = xcalloc(1, m.block.size + 1);
	unpack(&m, data, size);
	if (!(data[3] & 0x80))
		fix(&m);
	try_container(&m);
	try_table(&m.block);
	free(m.data);
	return 0;
}
