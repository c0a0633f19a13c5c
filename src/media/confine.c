/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Landlock through its system calls (linux/landlock.h, ABI 1): glibc has no wrappers.
 * Files already open, the result pipe among them, stay usable.
 */
#include "media/confine.h"

#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_ACCESS                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define OTHER_ACCESS                                                    \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |   \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |  \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

static void allow(int ruleset, const char *path, uint64_t access)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.allowed_access = access,
						  .parent_fd = fd};

	if (fd >= 0)
		(void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
			      &rule, 0);
}

void confine_to(const char *archive, const char *dest)
{
	struct landlock_ruleset_attr all = {
		.handled_access_fs = READ_ACCESS | WRITE_ACCESS | OTHER_ACCESS};
	_cleanup_free_ char *copy = xstrdup(archive);
	_cleanup_close_ int ruleset = -1;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (ruleset < 0)
		return;
	/* The archive's folder: its other parts; /usr and /etc: conversion tables. */
	allow(ruleset, dirname(copy), READ_ACCESS);
	allow(ruleset, dest, READ_ACCESS | WRITE_ACCESS);
	allow(ruleset, "/usr", READ_ACCESS);
	allow(ruleset, "/etc", READ_ACCESS);
	(void)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
