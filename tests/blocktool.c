/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The block layer from a shell: recognises a disk image, opens it, carries out the
 * commands in order and ends. Used by tests/e2e/containers*.sh.
 *
 *   blocktool [--write] [--allow=DIR]... IMAGE COMMAND [ARGUMENT...] [: COMMAND ...]...
 *
 *   probe                what the image is, one property a line
 *   table                scheme, partitions and what each holds
 *   read OFFSET LENGTH   to standard output
 *   dump                 all of the virtual disk to standard output
 *   data                 the same, but holes are not read: sparse if it is a file
 *   write OFFSET HOST    the content of a file
 *   fill OFFSET LENGTH BYTE
 *   trim OFFSET LENGTH | flush
 *   reopen read|write
 *   either OLD NEW       every sector of the disk is as in one of these raw files
 *   replay               before anything that needs the disk
 *   overlay FILE [relative]
 *   convert FILE FORMAT [SUBTYPE]
 *   extents              of an overlay
 *   sleep                until standard input ends
 *
 * Errors go to stderr, and the exit code is the error's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "block/container.h"
#include "block/partition.h"

#define CHUNK ((size_t)1 << 20)

struct tool {
	struct container container;
	struct block *block; /* opened when first needed */
	bool write;
};

static struct block *disk(struct tool *t, struct error *err)
{
	if (!t->block)
		t->block = container_open(&t->container, t->write, err);
	return t->block;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static int do_probe(struct tool *t, char **argv _unused_, struct error *err _unused_)
{
	const struct container *c = &t->container;

	printf("format %s\n", container_format_name(c->format));
	if (!c->format)
		return 0;
	printf("subtype %s\nsize %" PRIu64 "\nsector %u\n", c->subtype ? c->subtype : "-",
	       c->virtual_size, c->sector_size);
	printf("direct %d\ndifferencing %d\nlog_pending %d\neditable %d\n", c->direct,
	       c->differencing, c->log_pending, c->editable);
	if (c->why_not)
		printf("why_not %s\n", c->why_not);
	for (size_t i = 0; i < c->files.len; i++)
		printf("file %s\n", c->files.items[i]);
	for (size_t i = 0; i < c->layers.len; i++)
		printf("layer %s %s\n", container_format_name(c->layers.items[i].format),
		       c->layers.items[i].path);
	return 0;
}

static int do_table(struct tool *t, char **argv _unused_, struct error *err)
{
	static const char *const schemes[] = {"bare", "mbr", "gpt"};
	_cleanup_partition_table_ struct partition_table table = {0};
	char text[GUID_TEXT_SIZE];

	if (!disk(t, err) || partition_table_read(t->block, &table, err) < 0)
		return -1;
	guid_format(&table.disk_guid, text);
	printf("scheme %s sector %u id %s %08x\n", schemes[table.scheme],
	       table.sector_size, text, table.disk_signature);
	vec_foreach (p, &table.partitions) {
		_cleanup_block_ struct block *window = block_window_open(
			t->block, p->offset, p->size, xstrdup("partition"), err);
		struct volume_info info;

		if (!window || volume_recognise(window, p, &info, err) < 0)
			return -1;
		guid_format(&p->type, text);
		printf("partition %u offset %" PRIu64 " size %" PRIu64
		       " type %s mbr %02x "
		       "active %d esp %d name %s\n",
		       p->number, p->offset, p->size, text, p->mbr_type, p->active,
		       partition_is_esp(p), p->name && *p->name ? p->name : "-");
		printf("volume %u %s cluster %u serial %016" PRIx64 "\n", p->number,
		       info.name, info.cluster_size, info.serial);
	}
	for (size_t i = 0; i < table.problems.len; i++)
		printf("problem %s\n", table.problems.items[i]);
	return 0;
}

static int copy_out(struct tool *t, uint64_t offset, uint64_t len, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);

	while (len) {
		size_t n = len < CHUNK ? (size_t)len : CHUNK;

		if (block_pread(t->block, chunk, n, offset, err) < 0)
			return -1;
		if (fwrite(chunk, 1, n, stdout) != n)
			return error_errno(err, "standard output", "cannot write");
		offset += n;
		len -= n;
	}
	return 0;
}

static int do_read(struct tool *t, char **argv, struct error *err)
{
	return disk(t, err) ? copy_out(t, number(argv[0]), number(argv[1]), err) : -1;
}

/* As dump, but holes are not read. */
static int do_data(struct tool *t, char **argv _unused_, struct error *err)
{
	uint64_t start, end = 0, read = 0;

	if (!disk(t, err))
		return -1;
	while (end < t->block->size) {
		if (block_data(t->block, end, &start, &end, err) < 0 ||
		    fseeko(stdout, (off_t)start, SEEK_SET) < 0 ||
		    copy_out(t, start, end - start, err) < 0)
			return -1;
		read += end - start;
	}
	fprintf(stderr, "%" PRIu64 " bytes are data\n", read);
	return 0;
}

static int do_dump(struct tool *t, char **argv _unused_, struct error *err)
{
	return disk(t, err) ? copy_out(t, 0, t->block->size, err) : -1;
}

static int do_write(struct tool *t, char **argv, struct error *err)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	if (!disk(t, err) || file_read(argv[1], (size_t)1 << 30, &b, err) < 0)
		return -1;
	return block_pwrite(t->block, b.data, b.len, number(argv[0]), err);
}

static int do_fill(struct tool *t, char **argv, struct error *err)
{
	size_t len = number(argv[1]);
	_cleanup_free_ uint8_t *data = xmalloc(len);

	memset(data, (int)number(argv[2]), len);
	return disk(t, err) ? block_pwrite(t->block, data, len, number(argv[0]), err)
			    : -1;
}

static int do_trim(struct tool *t, char **argv, struct error *err)
{
	return disk(t, err) ? block_trim(t->block, number(argv[0]), number(argv[1]), err)
			    : -1;
}

static int do_flush(struct tool *t, char **argv _unused_, struct error *err)
{
	return disk(t, err) ? block_flush(t->block, err) : -1;
}

static int do_either(struct tool *t, char **argv, struct error *err)
{
	_cleanup_block_ struct block *old = block_file_open(argv[0], false, 0, err);
	_cleanup_block_ struct block *new = block_file_open(argv[1], false, 0, err);
	uint8_t is[4096], was[4096], will[4096];

	if (!old || !new || !disk(t, err))
		return -1;
	for (uint64_t at = 0; at < t->block->size; at += sizeof(is)) {
		if (block_pread(t->block, is, sizeof(is), at, err) < 0 ||
		    block_pread(old, was, sizeof(was), at, err) < 0 ||
		    block_pread(new, will, sizeof(will), at, err) < 0)
			return -1;
		for (size_t i = 0; i < sizeof(is); i += 512)
			if (memcmp(is + i, was + i, 512) != 0 &&
			    memcmp(is + i, will + i, 512) != 0)
				return error_set(err, ERROR_FAILED, argv[0],
						 "sector at %" PRIu64
						 " is neither old nor new",
						 at + i);
	}
	return 0;
}

static int do_reopen(struct tool *t, char **argv, struct error *err)
{
	return disk(t, err)
		       ? container_reopen(t->block, strcmp(argv[0], "write") == 0, err)
		       : -1;
}

static int do_replay(struct tool *t, char **argv _unused_, struct error *err)
{
	return container_replay(&t->container, err);
}

static int do_overlay(struct tool *t, char **argv, struct error *err)
{
	return container_make_overlay(&t->container, argv[0],
				      argv[1] && strcmp(argv[1], "relative") == 0, err);
}

static int do_convert(struct tool *t, char **argv, struct error *err)
{
	_cleanup_free_ char *name = xasprintf(".%s", argv[1]);
	struct container_output output = {container_format_of_name(name), argv[2]};

	return container_convert(&t->container, argv[0], &output, err);
}

static int do_extents(struct tool *t, char **argv _unused_, struct error *err)
{
	struct block_extents extents = VEC_INIT;
	int result = container_overlay_extents(&t->container, &extents, err);

	vec_foreach (e, &extents)
		printf("%" PRIu64 " %" PRIu64 "\n", e->offset, e->size);
	vec_free(&extents);
	return result;
}

static int do_sleep(struct tool *t, char **argv _unused_, struct error *err)
{
	char c;

	if (!disk(t, err))
		return -1;
	puts("open");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

static const struct command {
	const char *name;
	int least, most; /* arguments */
	int (*run)(struct tool *t, char **argv, struct error *err);
} commands[] = {
	{"probe", 0, 0, do_probe},     {"table", 0, 0, do_table},
	{"read", 2, 2, do_read},       {"dump", 0, 0, do_dump},
	{"write", 2, 2, do_write},     {"fill", 3, 3, do_fill},
	{"trim", 2, 2, do_trim},       {"flush", 0, 0, do_flush},
	{"reopen", 1, 1, do_reopen},   {"replay", 0, 0, do_replay},
	{"overlay", 1, 2, do_overlay}, {"convert", 2, 3, do_convert},
	{"either", 2, 2, do_either},   {"extents", 0, 0, do_extents},
	{"sleep", 0, 0, do_sleep},     {"data", 0, 0, do_data},
};

/* `argv` up to a ":" or the end; gives how many it took, or -1. */
static int run(struct tool *t, char **argv, struct error *err)
{
	char *arguments[4] = {NULL};
	int n = 0;

	while (argv[1 + n] && strcmp(argv[1 + n], ":") != 0 && n < 3) {
		arguments[n] = argv[1 + n];
		n++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, argv[0]) == 0 && n >= commands[i].least &&
		    n <= commands[i].most)
			return commands[i].run(t, arguments, err) < 0 ? -1 : 1 + n;
	return error_set(err, ERROR_USAGE, argv[0], "no such command");
}

static int run_all(struct tool *t, char **argv, struct error *err)
{
	while (*argv) {
		int n = run(t, argv, err);

		if (n < 0)
			return -1;
		argv += n;
		if (*argv)
			argv++;
	}
	return 0;
}

static void show_progress(const char *step, uint64_t done, uint64_t total,
			  void *arg _unused_)
{
	if (getenv("BLOCKTOOL_PROGRESS"))
		fprintf(stderr, "%s %" PRIu64 "/%" PRIu64 "\n", step, done, total);
}

int main(int argc _unused_, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct strings allow = VEC_INIT;
	struct tool t = {0};
	int result;

	progress_set(show_progress, NULL);
	for (argv++; *argv && strncmp(*argv, "--", 2) == 0; argv++) {
		if (strcmp(*argv, "--write") == 0)
			t.write = true;
		else if (strncmp(*argv, "--allow=", 8) == 0)
			strings_push(&allow, *argv + 8);
	}
	if (!argv[0] || !argv[1]) {
		fputs("usage: blocktool [--write] IMAGE COMMAND...\n", stderr);
		return 2;
	}
	result = container_probe(argv[0], &allow, &t.container, &err);
	if (result == 0)
		result = run_all(&t, argv + 1, &err);
	block_close(t.block);
	container_free(&t.container);
	strings_free(&allow);
	if (result == 0)
		return 0;
	_cleanup_free_ char *message = error_message(&err);

	fprintf(stderr, "blocktool: %s\n", message);
	return (int)err.code;
}
