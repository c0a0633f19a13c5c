/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A WIM with one image. From a WIM its resources are copied as they are and the changes
 * appended; from anything else it is captured, and then changed.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/text.h"
#include "builder/build_private.h"
#include "builder/windows_info.h"

static bool is_wim(const struct image *image)
{
	return strcmp(image_provider(image), "wim") == 0;
}

/* .esd is a solid WIM, wherever it comes from. */
static bool wants_esd(const struct build_options *options)
{
	return text_ends_with(options->output, ".esd");
}

static int from_wim(const struct build_options *options, struct build_source *source,
		    struct build_result *ret, struct error *err)
{
	const struct image_commit_options commit = {.output = options->output,
						    .esd = wants_esd(options),
						    .only = (unsigned)source->position +
							    1};

	return build_stage(options, source, source->image, source->position, &commit, ret,
			   err);
}

static int change(const struct build_options *options, const struct build_source *source,
		  const char *path, struct build_result *ret, struct error *err)
{
	const struct image_options editing = {.write = true, .allow_esd = true};
	_cleanup_image_ struct image *image = image_open(path, &editing, err);

	return image ? build_stage(options, source, image, 0, NULL, ret, err) : -1;
}

/* A WIM of all files, which says of itself which Windows it holds. */
static int capture_files(const struct build_options *options, struct build_source *source,
			 const char *path, struct build_result *ret, struct error *err)
{
	struct tree *tree = image_tree(source->image, source->position, err);
	_cleanup_registry_ struct registry *registry = NULL;
	_cleanup_installation_ struct installation *in = NULL;
	struct windows_info info = {0};
	int result;

	if (!tree)
		return -1;
	registry = registry_open(tree, options->inject.accept_dirty);
	in = installation_identify(tree, registry, err);
	if (!in)
		return -1;
	windows_info_read(in, registry, &info);
	result = wim_create(path, source->files,
			    &(struct wim_create_options){
				    .compression = wants_esd(options) ? "solid" : NULL,
				    .image_name = ret->product,
				    .description = ret->product,
				    .flags = info.wim.edition,
				    .windows = &info.wim,
				    .near = options->output},
			    NULL, err);
	windows_info_free(&info);
	return result;
}

static int from_files(const struct build_options *options, struct build_source *source,
		      struct build_result *ret, struct error *err)
{
	struct draft draft;
	int result = -1;

	if (build_source_files(source, err) < 0 ||
	    draft_open(&draft, options->output, false, err) < 0)
		return -1;
	if (capture_files(options, source, draft.path, ret, err) == 0)
		result = change(options, source, draft.path, ret, err);
	vec_foreach (tree, &ret->inject.trees)
		draft_name(&draft, &tree->path);
	if (result < 0 && err)
		draft_name(&draft, &err->subject);
	if (result == 0)
		result = draft_publish(&draft, err);
	draft_close(&draft);
	return result;
}

int build_wim(const struct build_options *options, struct build_source *source,
	      struct build_result *ret, struct error *err)
{
	struct stat st;
	int result = is_wim(source->image) ? from_wim(options, source, ret, err)
					   : from_files(options, source, ret, err);

	if (result == 0 && stat(options->output, &st) == 0) {
		ret->file_size = (uint64_t)st.st_size;
		ret->allocated = (uint64_t)st.st_blocks * 512;
	}
	return result;
}
