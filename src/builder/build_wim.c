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

static bool is_wim(const struct image *image)
{
	return strcmp(image_provider(image), "wim") == 0;
}

static int from_wim(const struct build_options *options, struct build_source *source,
		    struct build_result *ret, struct error *err)
{
	struct image_commit_options commit = {
		.output = options->output,
		.esd = text_ends_with(options->output, ".esd"),
		.only = (unsigned)source->position + 1};
	struct build_stage stage = {0};
	int result = build_stage(options, source, source->image, source->position, &stage,
				 ret, err);

	if (result == 0)
		result = image_commit(source->image, &commit, NULL, err);
	build_stage_end(&stage);
	return result;
}

static int change(const struct build_options *options, const struct build_source *source,
		  const char *path, struct build_result *ret, struct error *err)
{
	const struct image_options editing = {.write = true, .allow_esd = true};
	_cleanup_image_ struct image *image = image_open(path, &editing, err);
	struct build_stage stage = {0};
	int result = -1;

	if (image)
		result = build_stage(options, source, image, 0, &stage, ret, err);
	if (result == 0)
		result = image_commit(image, NULL, NULL, err);
	build_stage_end(&stage);
	return result;
}

static int from_files(const struct build_options *options, struct build_source *source,
		      struct build_result *ret, struct error *err)
{
	struct wim_create_options create = {.image_name = ret->product};
	struct draft draft;
	int result = -1;

	if (build_source_files(source, err) < 0 ||
	    draft_open(&draft, options->output, false, err) < 0)
		return -1;
	if (wim_create(draft.path, source->files, &create, NULL, err) == 0)
		result = change(options, source, draft.path, ret, err);
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
