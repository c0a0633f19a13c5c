/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a host file is, told by its first bytes (the name decides only where these cannot). */
#ifndef MEDIA_SNIFF_H
#define MEDIA_SNIFF_H

#include "base/error.h"

enum media_kind {
	MEDIA_OTHER,	/* nothing that holds drivers */
	MEDIA_EMPTY,
	MEDIA_INF,
	MEDIA_CAB,
	MEDIA_ZIP,
	MEDIA_7Z,
	MEDIA_RAR,
	MEDIA_ISO,	/* UDF too */
	MEDIA_TAR,	/* compressed ones too */
	MEDIA_EXE,	/* perhaps self-extracting */
	MEDIA_PACKED,	/* SZDD or KWAJ: one file */
	/* Known, and refused by name: */
	MEDIA_MSI,
	MEDIA_WIM,
};

/* -1 if the file cannot be read; never follows a link. */
int media_sniff(const char *path, enum media_kind *ret, struct error *err);
bool media_is_archive(enum media_kind kind); /* one that is unpacked, MEDIA_EXE not counted */
/* True if the name is one that makes an archive worth unpacking: an INF or an archive. */
bool media_is_interesting(const char *name);
bool media_is_inf_name(const char *name);	 /* "x.inf" */
bool media_is_packed_inf_name(const char *name); /* "x.in_" */
/* Fills the error for a file that holds no archive, with the remedy for its kind. */
int media_refuse(const char *path, const char *label, enum media_kind kind,
		 struct error *err);

#endif
