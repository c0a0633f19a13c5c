/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * boot.ini, the menu of NTLDR (Windows NT 4 to Server 2003): read, and entries added.
 * Every byte that is not changed stays as it is: the file is in the OEM code page of its
 * Windows, and people write comments into it.
 *
 *	[boot loader]
 *	timeout=30
 *	default=multi(0)disk(0)rdisk(0)partition(1)\WINDOWS
 *	[operating systems]
 *	multi(0)disk(0)rdisk(0)partition(1)\WINDOWS="Windows XP" /fastdetect
 */
#ifndef WINDOWS_BOOT_INI_H
#define WINDOWS_BOOT_INI_H

#include "base/buffer.h"
#include "base/error.h"

/* A real one has a few hundred bytes; NTLDR itself reads no more than a page or two. */
#define BOOT_INI_LIMIT ((size_t)64 << 10)
/* NTLDR's menu shows no more. */
#define BOOT_INI_ENTRIES 10u

/* Texts are bytes in an unknown code page, of which only ASCII is looked at. */
struct boot_entry {
	char *path;	/* "multi(0)disk(0)rdisk(0)partition(1)\WINDOWS" */
	char *title;	/* without quotes */
	char *options;	/* what follows, without outer blanks: "/fastdetect" */
	size_t line;	/* index into boot_ini.lines */
};
DEFINE_VEC(boot_entries, struct boot_entry);

struct boot_ini {
	struct strings lines;	/* with their line ends */
	struct boot_entries entries;
	char *default_path;	/* NULL if the file names none */
	bool has_timeout;
	long timeout;		/* seconds; -1: for ever */
	size_t timeout_line;
	bool modified;
};

/* ERROR_STATE if it is no boot.ini: no [operating systems], NUL bytes, too many lines. */
int boot_ini_parse(struct bytes data, struct boot_ini *ret, struct error *err);
void boot_ini_free(struct boot_ini *ini);
#define _cleanup_boot_ini_ _cleanup_(boot_ini_free)
void boot_ini_write(const struct boot_ini *ini, struct buffer *ret);

/*
 * The entry that starts the Windows in `folder` ("Windows") of MBR partition `partition`
 * (0: not known): the default one if it fits, else the first that does. NULL if none.
 */
const struct boot_entry *boot_ini_windows(const struct boot_ini *ini, const char *folder,
					  unsigned partition);
/* The value of an option of an entry, "/hal=X" -> "X", "" for one without; or NULL. */
char *boot_entry_option(const struct boot_entry *entry, const char *name);
/* An entry of the same path that starts this pair, whatever else it says; or NULL. */
const struct boot_entry *boot_ini_find_pair(const struct boot_ini *ini, const char *path,
					    const char *kernel, const char *hal);
/*
 * Adds an entry behind the last one: like `model`, with `note` in its title and this
 * pair in place of its /kernel= and /hal=. False if the menu is full. Entries move: `model`
 * is not valid any more.
 */
bool boot_ini_add_pair(struct boot_ini *ini, const struct boot_entry *model,
		       const char *note, const char *kernel, const char *hal);
/* With timeout=0 NTLDR shows no menu; 1 if it was raised to `seconds`. */
bool boot_ini_raise_timeout(struct boot_ini *ini, long seconds);

#endif
