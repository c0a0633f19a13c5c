/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/images.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/plan.h"

#define KEY_VARIABLE "GILD_KEY"
#define MAX_KEY_FILE ((size_t)64 << 10)

/* ---- options ------------------------------------------------------------------------
 */

static struct {
	struct strings keys, allow_backing;
	const char *journal;
	bool standalone;
} given;
static struct strings keys_read;

#define READING_OPTIONS                                                                \
	{"key", "KEY|@FILE", CLI_STRINGS, &given.keys,                                 \
	 "passphrase or recovery password of a BitLocker volume; from a file with @"}, \
		{"allow-backing", "DIR", CLI_STRINGS, &given.allow_backing,            \
		 "the image may refer to files in this folder, too"},                  \
	{                                                                              \
		"journal", "FILE", CLI_STRING, &given.journal,                         \
			"where changes of a disk are kept until they are complete"     \
	}

const struct cli_option images_reading[] = {READING_OPTIONS, CLI_END};
const struct cli_option images_writing[] = {
	READING_OPTIONS,
	{"standalone", NULL, CLI_FLAG, &given.standalone,
	 "a qcow2 --output holds all and needs no backing file"},
	CLI_END,
};

/* A key a line; empty lines do not count. */
static void split_keys(struct bytes text)
{
	size_t start = 0;

	for (size_t i = 0; i <= text.len; i++) {
		_cleanup_free_ char *key = NULL;
		size_t end = i;

		if (i < text.len && text.data[i] != '\n')
			continue;
		while (end > start && text.data[end - 1] == '\r')
			end--;
		key = xstrndup((const char *)text.data + start, end - start);
		if (*key)
			strings_push(&keys_read, key);
		start = i + 1;
	}
}

/* "@FILE" has keys, "@-" is standard input; a pipe will do as well as a file. */
static int read_key(const char *key, struct error *err)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;
	_cleanup_close_ int fd = -1;
	size_t before = keys_read.len;
	int result;

	if (*key != '@') {
		strings_push(&keys_read, key);
		return 0;
	}
	key++;
	fd = strcmp(key, "-") == 0 ? dup(STDIN_FILENO) : open(key, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, key, "cannot read keys");
	result = file_read_all(fd, key, MAX_KEY_FILE, &text, err);
	if (result < 0)
		return -1;
	split_keys(buffer_view(&text));
	if (keys_read.len > before)
		return 0;
	error_set(err, ERROR_USAGE, key, "holds no key");
	return error_remedy(err, "write one passphrase or recovery password a line");
}

int images_options(struct image_options *ret, struct error *err)
{
	const char *variable = getenv(KEY_VARIABLE);

	strings_free(&keys_read);
	vec_foreach (key, &given.keys)
		if (read_key(*key, err) < 0)
			return -1;
	if (variable && *variable && read_key(variable, err) < 0)
		return -1;
	ret->via = cli_via;
	ret->keys = &keys_read;
	ret->allow_backing = &given.allow_backing;
	ret->journal = given.journal;
	return 0;
}

bool images_standalone(void)
{
	return given.standalone;
}

/* ---- editing ------------------------------------------------------------------------
 */

static int run_one(struct image *image, size_t position, struct images_job *job,
		   struct plan_output *plan, struct error *err)
{
	struct tree *tree = image_tree(image, position, err);
	_cleanup_registry_ struct registry *registry = NULL;

	if (!tree)
		return -1;
	registry = registry_open(tree, job->accept_dirty);
	if (interrupted())
		return error_interrupted(err);
	if (job->work(tree, registry, job->arg, err) < 0)
		return -1;
	if (!job->dry_run)
		return registry_stage(registry, err);
	plan_tree(tree, registry, plan);
	return 0;
}

static int run_all(struct image *image, const struct image_positions *positions,
		   struct images_job *job, struct error *err)
{
	struct image_commit_options options = {.output = job->output,
					       .standalone = given.standalone};
	struct plan_output plan = {0};

	if (job->dry_run)
		plan_begin(&plan);
	vec_foreach (position, positions) {
		if (run_one(image, *position, job, &plan, err) < 0) {
			plan_drop(&plan);
			return -1;
		}
	}
	plan_end(&plan);
	if (job->dry_run)
		return 0;
	return image_commit(image, &options, &job->bytes_written, err);
}

int images_run(const char *path, struct images_job *job)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct image_options options = {.write = !job->dry_run && !job->output};
	_cleanup_image_ struct image *image = NULL;
	struct image_positions positions = VEC_INIT;
	int result = -1;

	if (images_options(&options, &err) == 0)
		image = image_open(path, &options, &err);
	if (image && image_select(image, job->index, &positions, &err) == 0)
		result = run_all(image, &positions, job, &err);
	vec_free(&positions);
	return result < 0 ? cli_fail(&err) : 0;
}
