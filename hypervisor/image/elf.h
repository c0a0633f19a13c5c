/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Programs and the shared libraries that they load, read from the ELF files themselves: no
 * program is run, so they may be another system's, below a root folder.
 */
#ifndef IMAGE_ELF_H
#define IMAGE_ELF_H

#include "base/buffer.h"
#include "base/error.h"

#define ELF_MAX_SIZE ((size_t)256 << 20)	/* of a file */
#define ELF_MAX_NEEDED 1024	/* libraries that one names */
#define ELF_MAX_FILES 4096	/* of a closure */

struct elf {
	uint16_t machine;	/* 62: x86-64 */
	char *interpreter;	/* or NULL */
	struct strings needed;	/* DT_NEEDED */
	struct strings folders;	/* DT_RUNPATH, else DT_RPATH; with $ORIGIN in it */
};
/* Any bytes; ERROR_FAILED if they are no 64-bit little-endian program or library. */
int elf_parse(struct bytes data, const char *path, struct elf *ret, struct error *err);
void elf_free(struct elf *elf);
/*
 * Cuts off what no loader reads: section headers, and all that lies behind the last segment
 * (debugging information, symbols).
 */
int elf_strip(struct buffer *data, const char *path, struct error *err);

/* What is packed: as it is called in the image, and the file that it is. */
struct elf_file {
	char *path;	/* "/usr/lib/x86_64-linux-gnu/libz.so.1" */
	char *source;
};
struct elf_closure {
	const char *sysroot;	/* "/" for this system */
	struct strings folders;	/* that libraries are looked for in */
	struct vec_of(struct elf_file) files; /* in the order in which they were found */
};
/* Reads the sysroot's /etc/ld.so.conf.d, too. `sysroot` must outlive the closure. */
void elf_closure_init(struct elf_closure *closure, const char *sysroot);
/*
 * Adds what the file `source`, which is `path` in the image, loads: its interpreter and, all
 * the way down, its libraries; not the file itself. A library that is not there is an
 * error that names who asked for it.
 */
int elf_closure_add(struct elf_closure *closure, const char *path, const char *source,
		    struct error *err);
/* The same for one that is not a file. */
int elf_closure_add_parsed(struct elf_closure *closure, const char *path,
			   const struct elf *elf, struct error *err);
void elf_closure_free(struct elf_closure *closure);

/*
 * The file that `path` leads to below the sysroot, links followed inside of it; NULL if it
 * is not there or no regular file. Caller's.
 */
char *sysroot_file(const char *sysroot, const char *path);
/*
 * An absolute path without "." and "..", on a system whose /bin, /lib, /lib64 and /sbin are
 * those below /usr. Caller's.
 */
char *usr_path(const char *path);

#endif
