/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What `gild verify` reads of a disk itself: both copies of the GPT, the MBR, boot
 * sectors of NTFS and FAT and what they point to. The input is that of fuzz_disk: the
 * disk's size (4 bytes), then pieces of offset (4 bytes), length (2 bytes) and content.
 * Checksums of the GPT are not made right: a wrong one must not hide what else is looked
 * at.
 */
#include <stdio.h>

#include "builder/verify_private.h"
#include "memory.h"

#define MAX_SIZE ((uint32_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_volumes(struct verify *v)
{
	vec_foreach (partition, &v->table.partitions) {
		_cleanup_block_ struct block *window =
			block_window_open(v->disk, partition->offset, partition->size,
					  xstrdup("volume"), NULL);

		if (!window || window->size < 512)
			continue;
		if (verify_ntfs(v, partition, window, NULL) < 0)
			abort(); /* the disk is all there: nothing can fail */
		/* It may well reach outside, which is an error of the block. */
		(void)verify_fat(v, partition, window, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.block = {.ops = &memory_ops,
				     .name = (char *)"disk",
				     .sector_size = 512}};
	const struct verify_options options = {0};
	_cleanup_verify_report_ struct verify_report report = {0};
	struct verify v = {
		.options = &options, .path = "disk", .report = &report, .disk = &m.block};

	if (size < 4)
		return 0;
	m.block.size = (get_le32(data) & INT32_MAX) % MAX_SIZE;
	m.data = xcalloc(1, m.block.size + 1);
	unpack(&m, data, size);
	if (verify_table(&v, NULL) == 0 && v.has_table)
		try_volumes(&v);
	vec_foreach (finding, &report.findings)
		if (!finding->remedy || !*finding->remedy || !*finding->message)
			abort();
	partition_table_free(&v.table);
	free(m.data);
	return 0;
}
