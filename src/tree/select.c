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
	}
	return buffer_steal_string(&out);
}

static int refuse(const struct image *image, const char *index, struct error *err)
{
	_cleanup_free_ char *list = list_images(image);

	if (index)
		error_set(err, ERROR_USAGE, image_path(image),
			  "has no image %s: it holds %s", index, list);
	else
		error_set(err, ERROR_USAGE, image_path(image), "holds %zu images: %s",
			  image_count(image), list);
	return error_remedy(err, "give --index=N or --index=all");
}

int image_select(const struct image *image, const char *index,
		 struct image_positions *ret, struct error *err)
{
	size_t count = image_count(image);
	unsigned long n;
	char *end;

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
