/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where an archive's entries go: a folder that no entry name leaves, with the names matched
 * as Windows does, and a budget of bytes and entries. Used by the readers of archives, in
 * the child process.
 */
#ifndef MEDIA_SINK_H
#define MEDIA_SINK_H

#include "base/error.h"

/* An entry's name is at most this long (in UTF-8) and this deep. */
#define SINK_MAX_NAME 2048
#define SINK_MAX_DEPTH 32
/* So many lines of what is wrong with an archive are kept; the rest is counted. */
#define SINK_MAX_PROBLEMS 50

struct sink_limits {
	uint64_t bytes, entries;
	bool by_disk;	/* `bytes` is what the disk has free, not a rule */
};

struct sink_name;
struct sink {
	int root;		/* the folder */
	const char *label;	/* of the archive, for messages */
	struct sink_limits limits;
	uint64_t bytes, entries;	/* used so far */
	uint64_t damaged;	/* entries that could not be unpacked */
	uint64_t written;	/* files that are complete */
	struct strings problems;
	uint64_t more_problems;
	struct sink_name *names;	/* open-addressing table of what exists */
	size_t names_len, names_size;
};

/* One file being written. */
struct sink_file {
	int fd;
	char *path;	/* below the root */
	uint64_t end;	/* the largest offset written */
};

int sink_open(struct sink *sink, const char *folder, const char *label,
	      const struct sink_limits *limits, struct error *err);
void sink_close(struct sink *sink);
#define _cleanup_sink_ _cleanup_(sink_close)

/*
 * Entry names are bytes of unknown origin: valid UTF-8 is taken as it is, anything else as
 * the code page that the format's tools use.
 */
enum sink_charset {
	SINK_CP437,	/* ZIP (APPNOTE appendix D) and what else comes from DOS */
	SINK_CP1252,	/* CAB */
};
char *sink_decode(const char *name, enum sink_charset charset);

/* These return 1 if done, 0 if the entry is dropped (a problem says why), -1 on error. */
int sink_add_folder(struct sink *sink, const char *name, struct error *err);
int sink_add_file(struct sink *sink, const char *name, struct sink_file *ret,
		  struct error *err);
/* Writes at `offset`; refuses what is over the budget. */
int sink_write(struct sink *sink, struct sink_file *file, const void *data, size_t len,
	       uint64_t offset, struct error *err);
/* Makes `name` a copy of the entry `from`, unpacked before (a hard link). */
int sink_copy_file(struct sink *sink, const char *from, const char *name,
		   struct error *err);
/* Ends the file: kept if `why` is NULL, else removed and noted as a problem. */
void sink_end_file(struct sink *sink, struct sink_file *file, const char *why);
/* Notes an entry that is not unpacked. */
void sink_problem(struct sink *sink, const char *name, const char *fmt, ...)
	_printf_(3, 4);
/* Counts one more entry, unpacked or not. */
int sink_count(struct sink *sink, struct error *err);

#endif
