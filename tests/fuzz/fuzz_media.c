/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The package reader: the bytes as an archive, unpacked in this process under low limits.
 * Beyond crashes and leaks it checks that nothing appears outside of the destination and
 * that no more than the budget is written.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "media/find.h"
#include "media/unpack.h"

#define MAX_BYTES ((uint64_t)64 << 10)
#define MAX_ENTRIES 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *scratch;
static uint64_t total;

static void die(const char *why)
{
	fprintf(stderr, "fuzz_media: %s\n", why);
	abort();
}

static int count(const char *path _unused_, const struct stat *st, int type,
		 struct FTW *ftw _unused_)
{
	if (type != FTW_F && type != FTW_D)
		die("something that is neither file nor folder was unpacked");
	if (type == FTW_F)
		total += (uint64_t)st->st_size;
	return 0;
}

/* Only "in" and "dest" lie in the scratch folder. */
static void check_outside(void)
{
	DIR *dir = opendir(scratch);
	struct dirent *e;
	unsigned n = 0;

	while (dir && (e = readdir(dir)))
		n++;
	if (!dir || n != 4) /* with . and .. */
		die("something was written outside of the destination");
	closedir(dir);
}

static void unpack_as(const char *path, const char *dest, enum media_kind kind,
		      bool selective)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_unpack_ struct unpack u = {
		.path = path,
		.label = "in",
		.dest = dest,
		.kind = kind,
		.packed_name = "x.inf",
		.selective = selective,
		.limits = {.bytes = MAX_BYTES, .entries = MAX_ENTRIES}};
	_cleanup_free_ char *found = NULL;

	if (mkdir(dest, 0700) < 0)
		die("no destination");
	if (unpack_here(&u, &err) < 0 && (!err.reason || err.code == ERROR_NONE))
		die("an error without a reason");
	total = 0;
	if (nftw(dest, count, 16, FTW_PHYS) < 0 || total > MAX_BYTES)
		die("more than the budget was written");
	check_outside();
	found = media_find_plain(dest, "A\\..\\a.INF", NULL);
	if (remove_tree(dest, NULL) < 0)
		die("the destination cannot be removed");
}

static void write_input(const char *path, struct bytes data)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || file_write_all(fd, data, path, NULL) < 0)
		die("cannot write the input");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *path = NULL, *dest = NULL;
	enum media_kind kind;

	if (!scratch)
		scratch = temp_folder_make(NULL, NULL);
	if (!scratch)
		die("no scratch folder");
	path = xasprintf("%s/in", scratch);
	dest = xasprintf("%s/dest", scratch);
	write_input(path, (struct bytes){data, size});
	if (media_sniff(path, &kind, NULL) < 0)
		die("cannot read the input");
	if (kind == MEDIA_OTHER)
		kind = MEDIA_TAR; /* as its name would tell */
	if (media_is_archive(kind) || kind == MEDIA_EXE || kind == MEDIA_PACKED)
		unpack_as(path, dest, kind, size & 1);
	return 0;
}
