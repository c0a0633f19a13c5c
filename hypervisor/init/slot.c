/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "init/medium.h"
#include "layout.h"

static const char signature[] = "# GRUB Environment Block\n";

/* The variables' text, up to the '#' that fill the rest. */
static char *lines_of(const struct buffer *env)
{
	size_t start = strlen(signature), end = env->len;

	while (end > start && env->data[end - 1] == '#')
		end--;
	return xstrndup((const char *)env->data + start, end - start);
}

/* Names and values are plain here: nothing is to be escaped. */
static bool is_plain(const char *text)
{
	return *text && !text[strcspn(text, "\\\n#=")];
}

bool slot_env_set(struct buffer *env, const char *key, const char *value)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	_cleanup_free_ char *lines = NULL;
	size_t key_len = strlen(key);
	bool found = false;

	if (env->len != SLOT_ENV_SIZE || !is_plain(key) || !is_plain(value) ||
	    memcmp(env->data, signature, strlen(signature)) != 0)
		return false;
	lines = lines_of(env);
	buffer_append_string(&b, signature);
	for (char *at = lines, *next; *at; at = next) {
		size_t len = strcspn(at, "\n");

		/* A backslash takes the line's end into the value. */
		while (at[len] && len && at[len - 1] == '\\')
			len += 1 + strcspn(at + len + 1, "\n");
		next = at + len + (at[len] == '\n');
		if (strncmp(at, key, key_len) != 0 || at[key_len] != '=') {
			buffer_append(&b, at, len);
			buffer_append_string(&b, "\n");
		} else if (!found) {
			buffer_printf(&b, "%s=%s\n", key, value);
			found = true;
		}
	}
	if (!found)
		buffer_printf(&b, "%s=%s\n", key, value);
	if (b.len > SLOT_ENV_SIZE)
		return false;
	while (b.len < SLOT_ENV_SIZE)
		buffer_append(&b, "#", 1);
	memcpy(env->data, b.data, SLOT_ENV_SIZE);
	return true;
}

static int bad_block(const char *path, struct error *err)
{
	error_set(err, ERROR_FAILED, path, "is no environment block of GRUB");
	return error_remedy(err, "write the boot medium anew");
}

int slot_env_write(const char *path, const struct slot_variable *variables, size_t count,
		   struct error *err)
{
	_cleanup_buffer_ struct buffer env = BUFFER_INIT;
	uint8_t before[SLOT_ENV_SIZE];
	_cleanup_close_ int fd = -1;

	if (file_read(path, SLOT_ENV_SIZE, &env, err) < 0)
		return -1;
	if (env.len != SLOT_ENV_SIZE)
		return bad_block(path, err);
	memcpy(before, env.data, sizeof(before));
	for (size_t i = 0; i < count; i++)
		if (!slot_env_set(&env, variables[i].key, variables[i].value))
			return bad_block(path, err);
	if (memcmp(before, env.data, sizeof(before)) == 0)
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || pwrite(fd, env.data, SLOT_ENV_SIZE, 0) != (ssize_t)SLOT_ENV_SIZE ||
	    fsync(fd) < 0)
		return error_errno(err, path, "cannot be written");
	return 1;
}

int slot_mark_good(const char *path, const char *slot, struct error *err)
{
	_cleanup_free_ char *tries = xasprintf("%d", SLOT_TRIES);
	const struct slot_variable variables[] = {{"tries", tries}, {"good", slot}};

	return slot_env_write(path, variables, ARRAY_SIZE(variables), err);
}

int slot_came_up(const char *disk, const char *slot, const char *target,
		 struct error *err)
{
	struct medium_search search = {
		.root = "", .target = target, .file = LAYOUT_GRUBENV, .disk = disk};
	struct medium m = {0};
	int result = 0;

	if (medium_next(&search, &m) == 1) {
		if (mount(NULL, target, NULL,
			  MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
			result = error_errno(err, m.label, "cannot be written");
		else
			result = slot_mark_good(m.source, slot, err);
		medium_release(&search, &m);
	}
	medium_search_free(&search);
	return result;
}
