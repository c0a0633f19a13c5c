/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first half of the check at open: the base block, and the chain of bins and cells
 * that must fill the hive without a gap. hive_check_tree.c does what hangs on the root.
 */
#include <stdarg.h>
#include <stdio.h>

#include "registry/hive_private.h"

int hive_damaged(const struct hive *h, uint32_t offset, struct error *err,
		 const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	error_set(err, ERROR_STATE, h->name, "damaged hive: %s (offset 0x%x in the file)",
		  what, HIVE_BASE_SIZE + offset);
	return error_remedy(err,
			    "restore the hive from a backup or from Windows/System32/"
			    "config/RegBack, or let Windows repair it");
}

/* XOR of the 127 words before the field; 0 and all ones are not used as results. */
uint32_t hive_checksum(const uint8_t *base)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < BASE_CHECKSUM; i += 4)
		sum ^= get_le32(base + i);
	return sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
}

static int base_refuse(const struct hive *h, struct error *err, const char *what)
{
	return error_set(err, ERROR_STATE, h->name,
			 "not a registry hive that can be edited: %s", what);
}

int hive_check_base(const struct hive *h, struct bytes file, struct error *err)
{
	const uint8_t *base = file.data;
	uint32_t minor, bins;

	if (file.len < HIVE_BASE_SIZE || memcmp(base, "regf", 4) != 0)
		return base_refuse(h, err, "no regf base block at offset 0");
	minor = get_le32(base + BASE_MINOR);
	if (get_le32(base + BASE_MAJOR) != 1 || minor < 2 || minor > 5)
		return error_set(err, ERROR_STATE, h->name,
				 "hive format %u.%u is not supported (1.2 to 1.5 are)",
				 get_le32(base + BASE_MAJOR), minor);
	if (get_le32(base + BASE_TYPE) != 0)
		return base_refuse(h, err, "it is a transaction log (file type at 0x1c)");
	if (get_le32(base + BASE_FORMAT) != 1)
		return base_refuse(h, err, "unknown file format at offset 0x20");
	bins = get_le32(base + BASE_BINS);
	if (bins == 0 || bins % HIVE_PAGE || bins > HIVE_SIZE_MAX)
		return error_set(
			err, ERROR_STATE, h->name,
			"damaged hive: size of bins 0x%x (offset 0x28 in the file)",
			bins);
	if (bins > file.len - HIVE_BASE_SIZE)
		return error_set(
			err, ERROR_STATE, h->name,
			"truncated hive: %u bytes of bins are missing at its end",
			(unsigned)(bins - (file.len - HIVE_BASE_SIZE)));
	return 0;
}

static int check_cells(const struct hive *h, uint32_t bin, uint32_t size,
		       struct error *err)
{
	const uint8_t *bins = hive_bins(h);

	for (uint32_t cell = bin + HIVE_BIN_HEADER; cell < bin + size;) {
		int32_t raw = (int32_t)get_le32(bins + cell);
		/* INT32_MIN stays itself and is refused as too large. */
		uint32_t len = raw < 0 ? 0u - (uint32_t)raw : (uint32_t)raw;

		if (len < 8 || len % 8 || len > bin + size - cell)
			return hive_damaged(h, cell, err, "cell of %d bytes", raw);
		cell += len;
	}
	return 0;
}

int hive_check_bins(struct hive *h, struct error *err)
{
	const uint8_t *bins = hive_bins(h);

	for (uint32_t bin = 0; bin < h->size;) {
		uint32_t size = get_le32(bins + bin + BIN_SIZE);

		if (memcmp(bins + bin, "hbin", 4) != 0)
			return hive_damaged(h, bin, err, "no bin header");
		if (get_le32(bins + bin + BIN_OFFSET) != bin)
			return hive_damaged(h, bin + BIN_OFFSET, err,
					    "bin says that it lies at 0x%x",
					    get_le32(bins + bin + BIN_OFFSET));
		if (size == 0 || size % HIVE_PAGE || size > h->size - bin)
			return hive_damaged(h, bin + BIN_SIZE, err, "bin of 0x%x bytes",
					    size);
		if (check_cells(h, bin, size, err) < 0)
			return -1;
		bin += size;
	}
	return 0;
}
