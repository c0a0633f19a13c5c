/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which images of a file a command works on: --index=N or --index=all. */
#include <errno.h>

#include "tree/tree.h"

/* "1 (Windows 10 Pro), 2 (Windows 10 Home)" */
static char *list_images(const struct image *image)
{
	struct buffer out = BUFFER_INIT;

	for (size_t i = 0; i < image_count(image); i++) {
		const struct image_info *info = image_info(image, i);

		buffer_printf(&out, "%s%u", i ? ", " : "", info->index);
		if (info->name && *info->name)
			buffer_printf(&out, " (%s)", info->name);
		else if (info->partition)
			buffer_printf(&out, " (partition %u)", info->partition);
	}
	return buffer_steal_string(&out);
}

/* A disk without Windows: what it holds instead, and what of it gild cannot look into. */
static int refuse_all(const struct image *image, struct error *err)
{
	_cleanup_buffer_ struct buffer list = BUFFER_INIT;
	const struct image_disk *disk = image_disk(image);
	const struct strings *problems = NULL;

	if (disk)
		vec_foreach (part, &disk->partitions) {
			const char *what =
				part->file_system ? part->file_system : part->type;

			buffer_append_string(&list, list.len ? ", " : "");
			if (part->number)
				buffer_printf(&list, "partition %u: ", part->number);
			buffer_append_string(&list, what);
		}
	if (list.len) {
		buffer_append_string(&list, ")");
		problems = &disk->problems;
	}
	for (size_t i = 0; problems && i < problems->len; i++)
		buffer_printf(&list, "%s%s", i ? "; " : ": ", problems->items[i]);
	error_set(err, ERROR_FAILED, image_path(image), "holds no Windows%s%.*s",
		  list.len ? " (" : "", (int)list.len, (const char *)list.data);
	if (problems && problems->len)
		return error_remedy(err,
				    "get the image again, it is damaged or cut short");
	return error_remedy(err, "give an image that Windows is installed on");
}

static int refuse(const struct image *image, const char *index, struct error *err)
{
	_cleanup_free_ char *list = list_images(image);
	const char *what = image_is_disk(image) ? "installation" : "image";

	if (!image_count(image))
		return refuse_all(image, err);
	if (index)
		error_set(err, ERROR_USAGE, image_path(image),
			  "has no %s %s: it holds %s", what, index, list);
	else
		error_set(err, ERROR_USAGE, image_path(image), "holds %zu %ss: %s",
			  image_count(image), what, list);
	return error_remedy(err, "give --index=N or --index=all");
}

int image_select(const struct image *image, const char *index,
		 struct image_positions *ret, struct error *err)
{
	size_t count = image_count(image);
	unsigned long n;
	char *end;

	if (!count)
		return refuse(image, index, err);
	if ((!index && count == 1) || (index && strcmp(index, "all") == 0)) {
		for (size_t i = 0; i < count; i++)
			vec_push(ret, i);
		return 0;
	}
	if (!index || *index < '0' || *index > '9')
		return refuse(image, index, err);
	errno = 0;
	n = strtoul(index, &end, 10);
	for (size_t i = 0; !errno && !*end && i < count; i++) {
		if (image_info(image, i)->index != n)
			continue;
		vec_push(ret, i);
		return 0;
	}
	return refuse(image, index, err);
}
