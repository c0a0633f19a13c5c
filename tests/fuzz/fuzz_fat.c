/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A FAT volume: all of it is listed and read, and then changed in memory. The input is a
 * list of pieces, u32 offset, u16 length and the bytes, of a volume of 64 MiB that is
 * zeros otherwise, so that small inputs are whole volumes. Everything must end.
 */
#include <stdio.h>

#include "../memory_disk.h"
#include "block/fat.h"

#define SIZE ((uint64_t)64 << 20)
#define MAX_FOLDERS 200
#define MAX_CONTENT ((uint64_t)4 << 20)
#define HEADER 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(void *arg, struct bytes data, struct error *err)
{
	uint64_t *sum = arg;

	*sum += data.len;
	return *sum > MAX_CONTENT ? error_set(err, ERROR_FAILED, NULL, "enough") : 0;
}

/* Of a volume that contains itself there is no end: only so many folders. */
static void walk(struct fat *fat, const char *path, unsigned *folders)
{
	_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;

	if (++*folders > MAX_FOLDERS || fat_list(fat, path, &entries, NULL) != 1)
		return;
	vec_foreach (entry, &entries) {
		_cleanup_free_ char *below =
			xasprintf("%s%s%s", path, *path ? "/" : "", entry->name);
		uint64_t sum = 0;

		if (strchr(entry->name, '/')) {
			fprintf(stderr, "fuzz_fat: a name with a separator\n");
			abort();
		}
		if (entry->attributes & FAT_ATTR_DIRECTORY)
			walk(fat, below, folders);
		else if (fat_read(fat, entry, count, &sum, NULL) == 0 &&
			 sum != entry->size) {
			fprintf(stderr, "fuzz_fat: another size than said\n");
			abort();
		}
	}
}

static int read_nothing(void *arg _unused_, void *to, size_t len,
			struct error *err _unused_)
{
	memset(to, 0, len);
	return 0;
}

static void edit(struct fat *fat)
{
	struct fat_source source = {5000, read_nothing, NULL};
	struct fat_detached held;

	if (fat_begin(fat, NULL) < 0)
		return;
	(void)fat_put(fat, "EFI/Microsoft/Boot/BCD", &source, 0, NULL);
	(void)fat_put(fat, "A new long name", &source, 0, NULL);
	(void)fat_mkdir(fat, "New", 500, 0, NULL);
	if (fat_detach(fat, "EFI", &held, NULL) == 0)
		(void)fat_attach(fat, "New/EFI", &held, NULL);
	(void)fat_remove(fat, "New", NULL);
	(void)fat_flush(fat, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory *volume = memory_new("volume", SIZE, 512);
	struct bytes input = {data, size};
	unsigned folders = 0;
	struct fat *fat;

	for (size_t at = 0; bytes_has(input, at, HEADER);) {
		uint32_t to = get_le32(data + at);
		struct bytes piece =
			bytes_at(input, at + HEADER, get_le16(data + at + 4));

		if (!piece.data || to > SIZE - piece.len)
			break;
		memcpy(volume->data + to, piece.data, piece.len);
		at += HEADER + piece.len;
	}
	fat = fat_open(&volume->block, NULL);
	if (fat) {
		walk(fat, "", &folders);
		edit(fat);
	}
	fat_close(fat);
	block_close(&volume->block);
	return 0;
}
