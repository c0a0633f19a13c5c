/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/qmp.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/socket.h"

/* ---- messages ---- */

/* The start of a string member; anything else is "". */
static void copy_text(struct json_object *o, const char *key, char ret[QMP_TEXT])
{
	struct json_object *value = json_object_object_get(o, key);

	*ret = 0;
	if (value && json_object_is_type(value, json_type_string))
		(void)snprintf(ret, QMP_TEXT, "%s", json_object_get_string(value));
}

static void read_event(struct json_object *o, struct qmp_message *ret)
{
	struct json_object *data = json_object_object_get(o, "data");
	char action[QMP_TEXT];

	ret->kind = QMP_EVENT;
	copy_text(o, "event", ret->name);
	copy_text(data, "reason", ret->reason);
	copy_text(data, "action", action);
	ret->stopped = strcmp(action, "stop") == 0;
	ret->no_space = json_object_get_boolean(json_object_object_get(data, "nospace"));
}

static bool read_message(struct json_object *o, struct qmp_message *ret)
{
	struct json_object *value;

	*ret = (struct qmp_message){.kind = QMP_GREETING};
	copy_text(o, "id", ret->id);
	if (json_object_object_get(o, "QMP"))
		return true;
	if (json_object_object_get(o, "event")) {
		read_event(o, ret);
		return *ret->name != 0;
	}
	value = json_object_object_get(o, "error");
	if (value) {
		ret->kind = QMP_ERROR;
		copy_text(value, "desc", ret->reason);
		return true;
	}
	ret->kind = QMP_RETURN;
	value = json_object_object_get(o, "return");
	copy_text(value, "status", ret->name);
	ret->enabled = json_object_get_boolean(json_object_object_get(value, "enabled"));
	return value != NULL;
}

bool qmp_parse(const char *line, size_t len, struct qmp_message *ret)
{
	struct json_tokener *tokener;
	struct json_object *o;
	bool good = false;

	if (len > QMP_MAX_LINE)
		return false;
	tokener = json_tokener_new_ex(QMP_MAX_DEPTH);
	if (!tokener)
		return false;
	o = json_tokener_parse_ex(tokener, line, (int)len);
	if (o && json_tokener_get_error(tokener) == json_tokener_success)
		good = read_message(o, ret);
	json_object_put(o);
	json_tokener_free(tokener);
	return good;
}

/* ---- the connection ---- */

void qmp_close(struct qmp *qmp)
{
	if (qmp->fd >= 0)
		close(qmp->fd);
	qmp->fd = -1;
	buffer_free(&qmp->in);
}

int qmp_connect(struct qmp *qmp, const char *path, struct error *err)
{
	int fd, result = socket_connect(path, &fd, err);

	if (result > 0) {
		qmp_close(qmp);
		qmp->fd = fd;
	}
	return result;
}

int qmp_send(struct qmp *qmp, const char *command, const char *arguments, const char *id,
	     struct error *err)
{
	_cleanup_free_ char *line =
		xasprintf("{\"execute\":\"%s\",\"arguments\":%s,\"id\":\"%s\"}\n",
			  command, arguments, id);
	ssize_t n = qmp->fd < 0 ? -1 : send(qmp->fd, line, strlen(line), MSG_NOSIGNAL);

	/* A command is far smaller than the socket's buffer. */
	if (n == (ssize_t)strlen(line))
		return 0;
	return error_set(err, ERROR_FAILED, command, "QEMU does not take the command");
}

int qmp_command(struct qmp *qmp, const char *command, const char *id, struct error *err)
{
	return qmp_send(qmp, command, "{}", id, err);
}

/* Takes the first line out of what was read. */
static int take_line(struct qmp *qmp, struct qmp_message *ret, struct error *err)
{
	const char *start = (const char *)qmp->in.data;
	const char *end = qmp->in.len ? memchr(start, '\n', qmp->in.len) : NULL;
	size_t len = end ? (size_t)(end - start) : 0;
	bool good;

	if (!end && qmp->in.len > QMP_MAX_LINE)
		return error_set(err, ERROR_FAILED, "QMP", "a line has no end");
	if (!end)
		return 0;
	good = qmp_parse(start, len, ret);
	memmove(qmp->in.data, end + 1, qmp->in.len - len - 1);
	qmp->in.len -= len + 1;
	return good ? 1 : error_set(err, ERROR_FAILED, "QMP", "this is no QMP message");
}

int qmp_read(struct qmp *qmp, struct qmp_message *ret, struct error *err)
{
	for (;;) {
		int result = take_line(qmp, ret, err);
		ssize_t n;

		if (result != 0)
			return result;
		n = read(qmp->fd, buffer_reserve(&qmp->in, 4096), 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return error_set(err, ERROR_FAILED, "QMP", "QEMU closed it");
		qmp->in.len += (size_t)n;
	}
}
