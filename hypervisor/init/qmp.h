/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QMP, QEMU's control protocol: JSON objects, one a line, over a UNIX socket. The guest has
 * a say in what QEMU sends, so nothing of it is trusted.
 */
#ifndef INIT_QMP_H
#define INIT_QMP_H

#include "base/buffer.h"
#include "base/error.h"

#define QMP_MAX_LINE ((size_t)1 << 20)
#define QMP_MAX_DEPTH 16
#define QMP_TEXT 64

enum qmp_kind {
	QMP_GREETING,
	QMP_RETURN,
	QMP_ERROR,
	QMP_EVENT,
};
struct qmp_message {
	enum qmp_kind kind;
	char id[QMP_TEXT];	/* of the command that is answered, or "" */
	char name[QMP_TEXT];	/* event: its name; return: .status, if it has one */
	char reason[QMP_TEXT];	/* event: .data.reason; error: what QEMU says */
	bool enabled;		/* return: .enabled, as query-kvm has it */
	bool no_space, stopped;	/* BLOCK_IO_ERROR: .nospace; .action is "stop" */
};
/* One line without its end. False if it is no QMP message. */
bool qmp_parse(const char *line, size_t len, struct qmp_message *ret);

struct qmp {
	int fd;			/* -1: not connected */
	struct buffer in;
};
#define QMP_INIT                                                                          \
	{                                                                                 \
		.fd = -1                                                                  \
	}
/* 1: connected; 0: QEMU does not listen yet; -1. Neither this nor what follows blocks. */
int qmp_connect(struct qmp *qmp, const char *path, struct error *err);
/* Sends a command without arguments, to be answered with the id. */
int qmp_command(struct qmp *qmp, const char *command, const char *id, struct error *err);
/* The same with arguments, a JSON object as text. */
int qmp_send(struct qmp *qmp, const char *command, const char *arguments, const char *id,
	     struct error *err);
/* 1: a message; 0: none is complete; -1: QEMU closed, or sends what is no QMP. */
int qmp_read(struct qmp *qmp, struct qmp_message *ret, struct error *err);
void qmp_close(struct qmp *qmp);

#endif
