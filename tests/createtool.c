/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New disk images from a shell. Used by tests/e2e/create.sh.
 *
 *   createtool FILE .FORMAT MIB SECTOR COMMAND...
 *
 *   copy=RAW      the content of a file from byte 0 on, in its order
 *   random=SEED   some hundred writes of any place, length and content, zeros too
 *   gpt | mbr     a table with an ESP of 260 MiB (or 33, on smaller disks) and a
 * partition of the rest leave         no container_finish(): what is closed only
 *
 * Errors go to stderr, and the exit code is the error's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "block/create.h"
#include "block/fat.h"
#include "block/partition_write.h"

#define MIB ((uint64_t)1 << 20)
#define CHUNK ((size_t)1 << 20)
#define WRITES 400
#define LONGEST 100000

static int copy(struct block *disk, const char *path, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t at = 0;
	ssize_t n;

	if (fd < 0)
		return error_errno(err, path, "cannot open");
	while ((n = read(fd, chunk, CHUNK)) > 0) {
		if (block_pwrite(disk, chunk, (size_t)n, at, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return n < 0 ? error_errno(err, path, "cannot read") : 0;
}

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static int scatter(struct block *disk, uint32_t seed, struct error *err)
{
	_cleanup_free_ uint8_t *data = xmalloc(LONGEST);

	for (unsigned i = 0; i < WRITES; i++) {
		size_t len = next(&seed) % LONGEST + 1;
		uint64_t at =
			((uint64_t)next(&seed) << 20 | next(&seed)) % (disk->size - len);
		bool zeros = next(&seed) % 4 == 0;

		for (size_t k = 0; k < len; k++)
			data[k] = zeros ? 0 : (uint8_t)next(&seed);
		if (block_pwrite(disk, data, len, at, err) < 0)
			return -1;
	}
	return 0;
}

static int make_table(struct block *disk, bool gpt, struct error *err)
{
	struct partition items[2] = {{.number = 1, .mbr_type = 0xef},
				     {.number = 2, .mbr_type = 7, .active = true}};
	struct partition_table table = {.disk_signature = 0x646c6967};

	table.partitions.items = items;
	table.partitions.len = 2;
	items[0].offset = MIB;
	items[0].size = (disk->size > 300 * MIB ? 260 : 33) * MIB;
	items[1].offset = items[0].offset + items[0].size;
	items[1].size = disk->size - MIB - items[1].offset;
	items[0].name = (char *)"EFI system partition";
	items[1].name = (char *)"Basic data partition";
	items[1].attributes = (uint64_t)1 << 63;
	if (!guid_parse("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", &items[0].type) ||
	    !guid_parse("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", &items[1].type))
		return -1;
	for (unsigned i = 0; i < 2; i++)
		items[i].guid = guid_from((struct bytes){&items[i].mbr_type, 1});
	table.disk_guid = guid_from((struct bytes){(const uint8_t *)"disk", 4});
	return gpt ? partition_write_gpt(disk, &table, err)
		   : partition_write_mbr(disk, &table, (struct bytes){NULL, 0}, err);
}

static struct block *open_volume(struct block *disk, uint64_t *offset, struct error *err)
{
	_cleanup_partition_table_ struct partition_table table = {0};

	*offset = 0;
	if (partition_table_read(disk, &table, NULL) < 0 ||
	    table.scheme == PARTITION_BARE)
		return block_window_open(disk, 0, disk->size, xstrdup("volume"), err);
	*offset = table.partitions.items[0].offset;
	return block_window_open(disk, *offset, table.partitions.items[0].size,
				 xstrdup("volume"), err);
}

static int format(struct block *disk, const char *label, struct error *err)
{
	struct fat_format_options options = {.label = label,
					     .seed = {(const uint8_t *)"fat", 3}};
	_cleanup_block_ struct block *volume = open_volume(disk, &options.hidden, err);

	return volume ? fat_format(volume, &options, err) : -1;
}

DEFINE_VEC(items, struct fat_item);

static int add_item(struct items *items, char *line, struct error *err)
{
	struct buffer data = BUFFER_INIT;
	struct fat_item item = {.path = line, .attributes = FAT_ATTR_ARCHIVE};
	char *tab = strchr(line, '\t');

	if (tab) {
		*tab = '\0';
		if (file_read(tab + 1, (size_t)1 << 30, &data, err) < 0)
			return -1;
		item.data = buffer_view(&data);
	} else {
		item.attributes = FAT_ATTR_DIRECTORY;
	}
	vec_push(items, item);
	return 0;
}

static int fill(struct block *disk, const char *list, struct error *err)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;
	uint64_t offset;
	_cleanup_block_ struct block *volume = open_volume(disk, &offset, err);
	struct items items = VEC_INIT;
	_cleanup_free_ char *lines = NULL;
	int result = volume ? file_read(list, (size_t)1 << 24, &text, err) : -1;

	lines = buffer_steal_string(&text);
	for (char *line = strtok(lines, "\n"); line && result == 0;
	     line = strtok(NULL, "\n"))
		result = add_item(&items, line, err);
	if (result == 0)
		result = fat_fill(volume, items.items, items.len, err);
	vec_foreach (item, &items)
		free((void *)item->data.data);
	vec_free(&items);
	return result;
}

static int run(struct block *disk, const char *command, struct error *err)
{
	if (strncmp(command, "copy=", 5) == 0)
		return copy(disk, command + 5, err);
	if (strncmp(command, "random=", 7) == 0)
		return scatter(disk, (uint32_t)strtoul(command + 7, NULL, 10), err);
	if (strcmp(command, "gpt") == 0 || strcmp(command, "mbr") == 0)
		return make_table(disk, command[0] == 'g', err);
	if (strncmp(command, "fat=", 4) == 0)
		return format(disk, command + 4, err);
	if (strncmp(command, "fill=", 5) == 0)
		return fill(disk, command + 5, err);
	return error_set(err, ERROR_USAGE, command, "is no command");
}

static int work(char **argv, struct error *err)
{
	struct container_create options = {
		.format = container_format_of_name(argv[2]),
		.virtual_size = strtoull(argv[3], NULL, 10) * MIB,
		.sector_size = (uint32_t)strtoul(argv[4], NULL, 10),
		.seed = {(const uint8_t *)"seed", 4},
	};
	_cleanup_block_ struct block *disk = container_create(argv[1], &options, err);

	if (!disk)
		return -1;
	for (char **command = argv + 5; *command; command++) {
		if (strcmp(*command, "leave") == 0)
			return 0;
		if (run(disk, *command, err) < 0)
			return -1;
	}
	return container_finish(disk, err);
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *message = NULL;

	if (argc < 5) {
		fprintf(stderr, "usage: createtool FILE .FORMAT MIB SECTOR COMMAND...\n");
		return ERROR_USAGE;
	}
	if (work(argv, &err) == 0)
		return 0;
	message = error_message(&err);
	fprintf(stderr, "createtool: %s\n", message);
	return (int)err.code;
}
