/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The start of a disk as init reads it: its partition table, at both sector sizes, and
 * the growth of its last partition. Checksums are set right, since chance would not.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "block/crc.h"
#include "init/gpt.h"

#define DISK ((uint64_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first header's, where it says how long it and its entries are. */
static void set_checksums(uint8_t *disk, size_t size, size_t sector)
{
	uint8_t *h = disk + sector;
	uint64_t at, len;

	if (size < sector + 512)
		return;
	len = (uint64_t)get_le32(h + 80) * get_le32(h + 84);
	if (!mul_overflow(get_le64(h + 72), (uint64_t)sector, &at) && at < size &&
	    len <= size - at)
		put_le32(h + 88, crc32_of(CRC32_GPT, (struct bytes){disk + at, len}));
	put_le32(h + 16, 0);
	if (get_le32(h + 12) <= 512)
		put_le32(h + 16,
			 crc32_of(CRC32_GPT, (struct bytes){h, get_le32(h + 12)}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) uint8_t *copy = xmemdup(data, size);
	_cleanup_error_ struct error err = ERROR_INIT;
	struct gpt gpt = GPT_INIT;
	int fd = memfd_create("gpt", MFD_CLOEXEC);
	uint64_t grown;

	set_checksums(copy, size, 512);
	if (fd < 0 || size > DISK || pwrite(fd, copy, size, 0) != (ssize_t)size ||
	    ftruncate(fd, DISK) < 0)
		goto out;
	if (!gpt_load(fd, DISK, &gpt))
		goto out;
	vec_foreach (p, &gpt.partitions)
		if (p->offset >= DISK || p->size > DISK - p->offset)
			abort();
	if (gpt.partitions.len &&
	    gpt_grow(fd, "fuzz", DISK, &gpt,
		     gpt.partitions.items[gpt.partitions.len - 1].number, &grown,
		     &err) == 1) {
		gpt_free(&gpt);
		if (!gpt_load(fd, DISK, &gpt) || gpt.from_backup)
			abort();
	}
out:
	gpt_free(&gpt);
	if (fd >= 0)
		close(fd);
	return 0;
}
