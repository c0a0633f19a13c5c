/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "builder/capture.h"

#include <unistd.h>

#include "base/draft.h"
#include "base/text.h"
#include "builder/exclusion.h"
#include "builder/windows_info.h"

static void warn(struct capture_result *result, const char *code, char *message,
		 const char *remedy)
{
	vec_push(&result->warnings,
		 (struct capture_warning){code, message, xstrdup(remedy)});
}

void capture_result_free(struct capture_result *result)
{
	free(result->name);
	free(result->state);
	strings_free(&result->excluded);
	vec_foreach (warning, &result->warnings) {
		free(warning->message);
		free(warning->remedy);
	}
	vec_free(&result->warnings);
}

/* ---- the state of volume and Windows
 * ------------------------------------------------------------ */

/* Only a check that is due may be ignored: the other states mean that data is missing. */
static int check_volume(struct image *image, size_t i,
			const struct capture_options *options,
			struct capture_result *result, struct error *err)
{
	vec_foreach (problem, image_problems(image, i)) {
		if (!options->accept_dirty && strcmp(problem->code, "dirty") != 0) {
			error_set(err, ERROR_STATE, image_path(image), "%s",
				  problem->message);
			return error_remedy(err,
					    "%s; or capture it as it is with "
					    "--accept-dirty",
					    problem->remedy);
		}
		warn(result, problem->code, xstrdup(problem->message), problem->remedy);
	}
	return 0;
}

static bool is_general(const char *state)
{
	return text_starts_with(state, "generalized") || strcmp(state, "winpe") == 0;
}

/* The Windows as far as it can be read; NULL is no failure. */
static struct installation *look_at_windows(struct tree *tree, struct registry *registry,
					    struct capture_result *result)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct installation *in = installation_identify(tree, registry, &err);

	if (!in) {
		_cleanup_free_ char *why = error_message(&err);

		warn(result, "no_windows",
		     xasprintf("the WIM does not say which Windows it holds: %s", why),
		     "see gild inspect");
		return NULL;
	}
	result->state = in->state ? xstrdup(in->state) : NULL;
	if (in->state && !is_general(in->state))
		warn(result, "not_generalized",
		     xasprintf("the Windows is not generalised (state: %s): PCs made of "
			       "it share their machine SID, which Windows refuses "
			       "since August 2025",
			       in->state),
		     "run in it before the capture: sysprep /generalize /oobe /shutdown");
	return in;
}

/* ---- the capture
 * --------------------------------------------------------------------------------- */

static void count(const struct files *files, struct capture_result *result)
{
	for (size_t i = 1; i < files->entries.len; i++) {
		uint32_t attributes =
			files->inodes.items[files->entries.items[i].inode].attributes;

		if (attributes & FILES_ATTR_DIRECTORY)
			result->folders++;
		else
			result->files++;
	}
	vec_foreach (inode, &files->inodes)
		for (uint32_t s = 0; inode->links && s < inode->stream_count; s++)
			if (inode->streams[s].blob != FILES_NONE)
				result->bytes +=
					files->blobs.items[inode->streams[s].blob].size;
}

static int write_wim(struct files *files, const struct capture_options *options,
		     const struct wim_windows *windows, struct capture_result *result,
		     struct error *err)
{
	bool esd = !options->compression && text_ends_with(options->output, ".esd");
	const char *compression = esd ? "solid" : options->compression;
	const struct wim_create_options wim = {
		.compression = compression,
		.level = options->level,
		.image_name = result->name,
		.description = result->name,
		.flags = windows ? windows->edition : NULL,
		.windows = windows,
		.near = options->output,
	};
	struct draft draft;
	int done = draft_open(&draft, options->output, false, err);

	if (done == 0)
		done = wim_create(draft.path, files, &wim, &result->bytes_written, err);
	if (done < 0 && err)
		draft_name(&draft, &err->subject);
	if (done == 0)
		done = draft_publish(&draft, err);
	draft_close(&draft);
	return done;
}

static char *image_name(const struct capture_options *options,
			const struct installation *in, const struct files *files)
{
	if (options->name)
		return xstrdup(options->name);
	if (in && in->product)
		return xstrdup(in->product);
	return xstrdup(files->label ? files->label : path_base(files->name));
}

int capture(struct image *image, size_t i, const struct capture_options *options,
	    struct capture_result *ret, struct error *err)
{
	_cleanup_files_ struct files *files = NULL;
	_cleanup_installation_ struct installation *in = NULL;
	_cleanup_registry_ struct registry *registry = NULL;
	struct windows_info info = {0};
	struct tree *tree;
	int result;

	if (access(options->output, F_OK) == 0) {
		error_set(err, ERROR_FAILED, options->output, "exists already");
		return error_remedy(err, "remove it or give another name");
	}
	if (check_volume(image, i, options, ret, err) < 0)
		return -1;
	tree = image_tree(image, i, err);
	if (!tree)
		return -1;
	files = files_of_disk(image, i, err);
	if (!files)
		return -1;
	registry = registry_open(tree, true);
	in = look_at_windows(tree, registry, ret);
	if (in)
		windows_info_read(in, registry, &info);
	exclusion_apply(files, !options->no_default_exclusions, options->exclude,
			&ret->excluded);
	ret->name = image_name(options, in, files);
	count(files, ret);
	result = write_wim(files, options, in ? &info.wim : NULL, ret, err);
	windows_info_free(&info);
	return result;
}
