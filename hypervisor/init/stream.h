/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A published image as a block device: a process of its own (the keeper) starts the reader
 * (hypervisor/reader), gives its socket to the kernel, starts it again when it ends, and
 * tells on the screen when the server is away and back. Both end with init.
 */
#ifndef INIT_STREAM_H
#define INIT_STREAM_H

#include <sys/types.h>

#include "base/error.h"

#define STREAM_READER "/usr/bin/gild-reader"
#define STREAM_ID 987	/* the reader's user and group in the image: nobody else's */

struct stream_config {
	const char *program;	/* STREAM_READER */
	const char *url, *seal;	/* their texts */
	const char *label;	/* of the image, for messages */
	const char *ca;		/* certificates that prove the server; NULL: the system's */
	uint64_t size;		/* of the device, bytes */
	int cache;		/* a file that is kept, or -1; the caller's */
	uint64_t reserve;	/* bytes that stay free on its file system */
	uid_t uid;		/* user and group of the reader; 0: as init itself */
	void (*say)(const char *line);
};
struct stream_shared;
struct stream {
	pid_t keeper;		/* 0: there is none */
	struct stream_shared *shared;
};
int stream_start(struct stream *stream, const struct stream_config *config,
		 struct error *err);
/* The device, caller's; NULL: it is not there yet. */
char *stream_device(const struct stream *stream);
/* The server answers. */
bool stream_is_up(const struct stream *stream);
/* What the server has is not what was sealed. */
bool stream_is_wrong(const struct stream *stream);
void stream_stop(struct stream *stream);

/* ---- for tests ---- */

enum stream_news {
	STREAM_READY,	/* "ready": the file is there */
	STREAM_AWAY,	/* "away WHY" */
	STREAM_BACK,	/* "back" */
	STREAM_WRONG,	/* "wrong WHAT" */
	STREAM_OTHER,	/* what else a program says when it ends */
};
/* A line of the reader's; `*text` is what is to be said of it, in the line. */
enum stream_news stream_read(const char *line, const char **text);

#endif
