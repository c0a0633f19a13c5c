/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild edit`: merge .reg files and copy files into an image, in one atomic commit. */
#include "cli/cli.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/images.h"
#include "cli/plan.h"
#include "registry/regfile.h"

#define MAX_REG_FILE ((size_t)64 << 20)
#define MAX_DEPTH 64

struct edit {
	struct strings reg_files, copies;
	struct vec_of(struct buffer) texts; /* of reg_files, read once */
	size_t registry_changes, files;
};

static int copy_path(struct edit *edit, struct tree *tree, const char *from,
		     const char *to, unsigned depth, struct error *err);

static int copy_folder(struct edit *edit, struct tree *tree, const char *from,
		       const char *to, unsigned depth, struct error *err)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	if (folder_list(from, &names) < 0)
		return error_errno(err, from, "cannot list");
	if (depth > MAX_DEPTH)
		return error_set(err, ERROR_FAILED, from,
				 "folders are nested too deeply");
	if (*to && tree_mkdir(tree, to, err) < 0)
		return -1;
	vec_foreach (name, &names) {
		_cleanup_free_ char *source = xasprintf("%s/%s", from, *name);
		_cleanup_free_ char *target =
			xasprintf("%s%s%s", to, *to ? "/" : "", *name);

		if (copy_path(edit, tree, source, target, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_path(struct edit *edit, struct tree *tree, const char *from,
		     const char *to, unsigned depth, struct error *err)
{
	struct stat st;

	/* The user's own path may be a link; what lies below a folder is taken as it is.
	 */
	if ((depth ? lstat : stat)(from, &st) < 0)
		return error_errno(err, from, "cannot read");
	if (S_ISDIR(st.st_mode))
		return copy_folder(edit, tree, from, to, depth, err);
	if (!S_ISREG(st.st_mode)) {
		error_set(err, ERROR_FAILED, from, "is neither a file nor a folder");
		return error_remedy(err,
				    "leave it out: links and devices are not copied");
	}
	edit->files++;
	return tree_write_host(tree, to, from, 0, err);
}

/* Normalises what users type for a place in Windows: \, a leading / or C:\. */
static char *image_path_of(const char *text)
{
	char *path;

	if (((text[0] | 32) >= 'a' && (text[0] | 32) <= 'z') && text[1] == ':')
		text += 2;
	while (*text == '/' || *text == '\\')
		text++;
	path = xstrdup(text);
	for (char *p = path; *p; p++)
		if (*p == '\\')
			*p = '/';
	for (size_t n = strlen(path); n && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	return path;
}

static int apply_copy(struct edit *edit, struct tree *tree, const char *copy,
		      struct error *err)
{
	const char *colon = strchr(copy, ':');
	_cleanup_free_ char *from = NULL, *to = NULL;
	struct tree_stat target;
	struct stat st;
	bool into;

	from = xstrndup(copy, (size_t)(colon - copy));
	to = image_path_of(colon + 1);
	into = colon[strlen(colon) - 1] == '/' || colon[strlen(colon) - 1] == '\\';
	/* A file copied to an existing folder, or to "X/", keeps its name there. */
	if (stat(from, &st) == 0 && !S_ISDIR(st.st_mode)) {
		int found = *to ? tree_stat(tree, to, &target, err) : 1;

		if (found < 0)
			return -1;
		if (into || !*to || (found && target.type == TREE_FOLDER)) {
			char *whole =
				xasprintf("%s%s%s", to, *to ? "/" : "", path_base(from));

			free(to);
			to = whole;
		}
	}
	return copy_path(edit, tree, from, to, 0, err);
}

static int edit_tree(struct tree *tree, struct registry *registry, void *arg,
		     struct error *err)
{
	struct edit *edit = arg;

	vec_foreach (copy, &edit->copies)
		if (apply_copy(edit, tree, *copy, err) < 0)
			return -1;
	for (size_t i = 0; i < edit->reg_files.len; i++) {
		size_t changes;

		if (regfile_merge(registry, edit->reg_files.items[i],
				  buffer_view(&edit->texts.items[i]), &changes, err) < 0)
			return -1;
		edit->registry_changes += changes;
	}
	return 0;
}

static int read_inputs(const struct cli_command *command, struct edit *edit)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	vec_foreach (copy, &edit->copies) {
		const char *colon = strchr(*copy, ':');

		if (!colon || colon == *copy || !colon[1])
			return cli_usage(command, "--copy=%s: expected SRC:DST", *copy);
	}
	vec_foreach (file, &edit->reg_files) {
		struct buffer text = BUFFER_INIT;

		if (file_read(*file, MAX_REG_FILE, &text, &err) < 0)
			return cli_fail(&err);
		vec_push(&edit->texts, text);
	}
	return -1;
}

static void report(const struct edit *edit, const struct images_job *job)
{
	if (cli_json) {
		struct json_object *object = cli_object("gild.edit/1");

		cli_add_int(object, "files", (int64_t)edit->files);
		cli_add_int(object, "registry_changes", (int64_t)edit->registry_changes);
		cli_add_int(object, "bytes_written", (int64_t)job->bytes_written);
		cli_print_json(object);
	} else if (!cli_quiet) {
		printf("%zu files copied, %zu registry changes, %ju bytes written\n",
		       edit->files, edit->registry_changes,
		       (uintmax_t)job->bytes_written);
	}
}

int cmd_edit(const struct cli_command *command, int argc, char **argv)
{
	struct edit edit = {0};
	struct images_job job = {.work = edit_tree, .arg = &edit};
	struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"reg", "FILE", CLI_STRINGS, &edit.reg_files, "merge a .reg file"},
		{"copy", "SRC:DST", CLI_STRINGS, &edit.copies,
		 "copy a file or folder to a path in the image"},
		{"index", "N|all", CLI_STRING, &job.index, "which image or Windows"},
		{"output", "OUT", CLI_STRING, &job.output, "write a new image"},
		{"dry-run", NULL, CLI_FLAG, &job.dry_run,
		 "print the plan, write nothing"},
		{"accept-dirty", NULL, CLI_FLAG, &job.accept_dirty,
		 "go on with a dirty hive whose logs are missing"},
		IMAGE_EDIT_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0 && operands.len != 1)
		code = cli_usage(command, "expected one IMAGE");
	if (code < 0 && !edit.reg_files.len && !edit.copies.len)
		code = cli_usage(command, "nothing to do: give --reg or --copy");
	if (code < 0)
		code = read_inputs(command, &edit);
	if (code < 0) {
		code = images_run(operands.items[0], &job);
		if (code == 0 && !job.dry_run)
			report(&edit, &job);
	}
	vec_foreach (text, &edit.texts)
		buffer_free(text);
	vec_free(&edit.texts);
	strings_free(&edit.reg_files);
	strings_free(&edit.copies);
	strings_free(&operands);
	return code;
}
