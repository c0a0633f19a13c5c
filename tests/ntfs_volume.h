/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume for the NTFS tests: made once, opened through a block that counts what it is
 * asked and can refuse to write.
 */
#ifndef TESTS_NTFS_VOLUME_H
#define TESTS_NTFS_VOLUME_H

#include "ntfs_sample.h"

#include "tree/ntfs_private.h"

#define VOLUME_SIZE (32u << 20)
/* In the folder "Many". */
#define VOLUME_FILES 1500

extern char *scratch;  /* a folder */
extern char *pristine; /* the volume; NULL: no mkntfs, the tests are skipped */
int volumes_setup(void **state);
int volumes_teardown(void **state);

struct counting {
	struct block block;
	int fd;
	unsigned reads, writes;
	bool refuse_writes;
};
struct volume {
	struct counting block;
	char *path;
	struct ntfs *ntfs;
	struct tree *tree;
};
/* Without `write` every write fails, and is counted. */
void volume_open(struct volume *v, const char *path, bool write);
void volume_close(struct volume *v);
/* A copy of the pristine one below `scratch`; the caller's. */
char *volume_copy(const char *name);
/* Writes bytes into the file. */
void volume_patch(const char *path, uint64_t offset, const void *data, size_t len);
/* Where a byte of the data of an MFT record lies. */
uint64_t volume_locate(const char *path, uint64_t record, uint64_t at);

#endif
