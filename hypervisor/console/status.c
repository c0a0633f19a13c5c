/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/status.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"

#define MAX_VERDICT ((size_t)1 << 20)
#define MAX_DEPTH 16
#define MAX_WARNINGS 6
#define LOG_TAIL 8192
#define MAX_TEXT 1024
#define MAX_ADDRESSES 4
#define MAX_STATES 4096

static _printf_(3, 4) void add(struct panel_lines *ret, enum panel_tone tone,
			       const char *fmt, ...)
{
	char text[MAX_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	panel_add(ret, tone, text);
}

/* ---- verdict ---- */

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value = json_object_object_get(o, key);

	return value && json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : NULL;
}

static void add_reasons(struct panel_lines *ret, struct json_object *reasons)
{
	size_t shown = 0, count = 0;

	if (reasons && json_object_is_type(reasons, json_type_array))
		count = json_object_array_length(reasons);
	for (size_t i = 0; i < count && shown < MAX_WARNINGS; i++) {
		struct json_object *reason = json_object_array_get_idx(reasons, i);
		const char *severity = text_of(reason, "severity");
		const char *message = text_of(reason, "message");
		const char *remedy = text_of(reason, "remedy");

		if (!severity || !message || strcmp(severity, "note") == 0)
			continue;
		shown++;
		add(ret, PANEL_WARNING, "! %s%s%s", message, remedy ? "; " : "",
		    remedy ? remedy : "");
	}
}

static void add_verdict(struct panel_lines *ret, const char *run)
{
	_cleanup_free_ char *path = xasprintf("%s/verdict.json", run);
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	struct json_object *o = NULL;
	const char *pc, *profile, *mode;

	if (tokener && file_read(path, MAX_VERDICT, &file, NULL) == 0)
		o = json_tokener_parse_ex(tokener, (const char *)file.data,
					  (int)file.len);
	mode = text_of(o, "mode");
	pc = text_of(json_object_object_get(o, "pc"), "name");
	profile = text_of(json_object_object_get(o, "profile"), "id");
	if (mode)
		add(ret, PANEL_TEXT, "Mode      %s", mode);
	if (pc)
		add(ret, PANEL_TEXT, "PC        %s%s%s%s", pc,
		    profile ? " (profile " : "", profile ? profile : "",
		    profile ? ")" : "");
	add_reasons(ret, json_object_object_get(o, "reasons"));
	json_object_put(o);
	if (tokener)
		json_tokener_free(tokener);
}

/* ---- guests ---- */

void status_guests(const char *run, struct strings *ret)
{
	_cleanup_free_ char *path = xasprintf("%s/states", run), *text = NULL;
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;

	if (file_read(path, MAX_STATES, &file, NULL) < 0)
		return;
	text = buffer_steal_string(&file);
	for (char *at = text, *next; *at && ret->len < STATUS_MAX_GUESTS; at = next) {
		next = strchrnul(at, '\n');
		if (*next)
			*next++ = 0;
		strings_push(ret, at);
	}
}

bool status_guest_is_over(const char *guest)
{
	const char *state = strchr(guest, ' ');

	return state && (strcmp(state, " off") == 0 || strcmp(state, " failed") == 0);
}

static void add_guests(struct panel_lines *ret, const struct status_question *q)
{
	_cleanup_(strings_free) struct strings guests = VEC_INIT;

	if (q->shown < 0)
		return;
	status_guests(q->run, &guests);
	for (size_t i = 0; i < guests.len; i++) {
		const char *line = guests.items[i];
		int name = (int)strcspn(line, " ");

		add(ret, PANEL_TEXT, "Guest %zu   %.*s:%s%s", i + 1, name, line,
		    line + name, (size_t)q->shown == i ? ", shown" : "");
	}
}

/* ---- memory ---- */

/* In MiB; 0 if the line is not there. */
static unsigned long long mebibytes(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	unsigned long long kib = 0;

	if (at)
		(void)sscanf(at + strlen(key), "%19llu", &kib);
	return kib / 1024;
}

static void add_memory(struct panel_lines *ret, const char *root)
{
	_cleanup_free_ char *path = xasprintf("%s/proc/meminfo", root);
	_cleanup_free_ char *text = NULL;
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || file_read_all(fd, path, 65536, &file, NULL) < 0)
		return;
	text = buffer_steal_string(&file);
	add(ret, PANEL_TEXT, "Memory    %llu MiB, %llu MiB of it free",
	    mebibytes(text, "MemTotal:"), mebibytes(text, "MemAvailable:"));
}

/* ---- network ---- */

/* The port that is in the guest's bridge: the host itself has no address there. */
static bool add_bridge(struct panel_lines *ret, const char *root)
{
	_cleanup_(strings_free) struct strings ports = VEC_INIT;
	bool found = false;

	sysfs_list(root, "class/net/gild0/brif", &ports);
	vec_foreach (port, &ports) {
		_cleanup_free_ char *device = xasprintf("class/net/%s/device", *port);
		_cleanup_free_ char *path = xasprintf("class/net/%s/carrier", *port);
		_cleanup_free_ char *carrier = sysfs_text(root, path);

		/* The other one is QEMU's. */
		if (!sysfs_exists(root, device))
			continue;
		found = true;
		add(ret, PANEL_TEXT, "Network   the guest is on %s%s", *port,
		    carrier && strcmp(carrier, "1") == 0 ? "" : ", no cable");
	}
	return found;
}

static void add_network(struct panel_lines *ret, const char *root)
{
	struct ifaddrs *all = NULL;
	unsigned shown = add_bridge(ret, root);

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i && shown < MAX_ADDRESSES; i = i->ifa_next) {
		const struct sockaddr_in *address = (const void *)i->ifa_addr;
		char text[INET_ADDRSTRLEN];

		if (!address || address->sin_family != AF_INET ||
		    i->ifa_flags & IFF_LOOPBACK ||
		    !inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text)))
			continue;
		shown++;
		add(ret, PANEL_TEXT, "Network   %s %s%s", i->ifa_name, text,
		    i->ifa_flags & IFF_RUNNING ? "" : ", no carrier");
	}
	freeifaddrs(all);
	if (!shown)
		add(ret, PANEL_TEXT, "Network   none has an address");
}

/* ---- power ---- */

/* Batteries of the PC, not those of mice. */
static void add_power(struct panel_lines *ret, const char *root)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	sysfs_list(root, "class/power_supply", &names);
	vec_foreach (name, &names) {
		static const char *const keys[] = {"type", "capacity", "status", "scope"};
		char *values[ARRAY_SIZE(keys)] = {NULL};

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			_cleanup_free_ char *path =
				xasprintf("class/power_supply/%s/%s", *name, keys[i]);

			values[i] = sysfs_text(root, path);
		}
		if (values[0] && strcmp(values[0], "Battery") == 0 && values[1] &&
		    (!values[3] || strcmp(values[3], "Device") != 0))
			add(ret, PANEL_TEXT, "Battery   %s %%%s%s", values[1],
			    values[2] ? ", " : "", values[2] ? values[2] : "");
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			free(values[i]);
	}
}

/* ---- log ---- */

static void add_log(struct panel_lines *ret, const char *run, unsigned lines)
{
	_cleanup_free_ char *path = xasprintf("%s/log", run);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[LOG_TAIL + 1], *at, *end;
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t n;

	if (size <= 0)
		return;
	n = pread(fd, text, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
	if (n <= 0)
		return;
	end = text + n;
	while (end > text && end[-1] == '\n')
		end--;
	*end = 0;
	at = end;
	while (at > text && (at[-1] != '\n' || --lines > 0))
		at--;
	for (char *next; *at; at = next) {
		next = strchrnul(at, '\n');
		if (*next)
			*next++ = 0;
		panel_add(ret, PANEL_QUIET, at);
	}
}

void status_read(const struct status_question *q, struct panel_lines *ret)
{
	panel_free(ret);
	panel_add(ret, PANEL_TITLE, "gild " PACKAGE_VERSION);
	if (q->headline)
		panel_add(ret, PANEL_WARNING, q->headline);
	add_verdict(ret, q->run);
	add_guests(ret, q);
	add_memory(ret, q->root);
	add_network(ret, q->root);
	add_power(ret, q->root);
	if (q->screen)
		add(ret, PANEL_TEXT, "Screen    %s", q->screen);
	panel_add(ret, PANEL_TEXT, "");
	/* Before the log, so that no screen is too small for it. */
	if (q->keys) {
		panel_add(ret, PANEL_TITLE, q->keys);
		panel_add(ret, PANEL_TEXT, "");
	}
	if (q->log_lines)
		add_log(ret, q->run, q->log_lines);
}
