/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/images.h"

#include "base/file.h"
#include "base/text.h"
#include "base/url.h"
#include "init/vm.h"

#define SUFFIX ".conf"
#define PARTITION "partition:"
#define ON_DISK "file:"
#define ON_SERVER "url:"

const char *const images_keys[] = {
	"windows", "arch", "firmware", "storage", "network",	      "title", "image",
	"format",  "seal", "verify",   "persist", "shutdown_seconds", NULL};

/* Letters, digits, '-', '.', '_': it becomes part of paths. */
static bool name_good(const char *name, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	return len > 0 && len <= IMAGES_MAX_NAME && *name != '.' &&
	       strspn(name, allowed) >= len;
}

void images_list(const char *folder, struct strings *ret)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(folder, &names);
	vec_foreach (name, &names) {
		size_t len = strlen(*name);

		if (ret->len < IMAGES_MAX && len > strlen(SUFFIX) &&
		    strcmp(*name + len - strlen(SUFFIX), SUFFIX) == 0 &&
		    name_good(*name, len - strlen(SUFFIX)))
			vec_push(ret, xstrndup(*name, len - strlen(SUFFIX)));
	}
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), text_compare_p);
}

bool images_is_place(const char *value)
{
	return strpbrk(value, "/:") != NULL;
}

static int unknown(const char *name, const struct strings *all, struct error *err)
{
	_cleanup_buffer_ struct buffer list = BUFFER_INIT;

	vec_foreach (each, all)
		buffer_printf(&list, "%s%s", list.len ? ", " : "", *each);
	buffer_append(&list, "", 1);
	error_set(err, ERROR_FAILED, "image", "no image here is called \"%s\"", name);
	return error_remedy(err, "there are: %s", (const char *)list.data);
}

int images_choose(const char *folder, const char *wish, struct strings *ret, bool *asked,
		  struct error *err)
{
	_cleanup_(strings_free) struct strings all = VEC_INIT;

	images_list(folder, &all);
	*asked = all.len && wish && !images_is_place(wish);
	if (!all.len)
		return 0;
	if (!*asked) {
		strings_push(ret, all.items[0]);
		return 0;
	}
	while (*wish) {
		size_t len = strcspn(wish, ",");
		_cleanup_free_ char *name = xstrndup(wish, len);

		if (len && !strings_contain(&all, name))
			return unknown(name, &all, err);
		if (len && !strings_contain(ret, name))
			strings_push(ret, name);
		wish += len + (wish[len] == ',');
	}
	if (!ret->len)
		return unknown("", &all, err);
	return 0;
}

int images_read(const char *folder, const char *name, struct options *ret,
		struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s" SUFFIX, folder, name);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_options_ struct options own = OPTIONS_INIT;
	_cleanup_free_ char *text = NULL;
	const char *known[64];
	size_t n = 0;

	if (file_read(path, OPTIONS_MAX_TEXT, &data, err) < 0)
		return -1;
	text = buffer_steal_string(&data);
	for (size_t i = 0; images_keys[i]; i++)
		known[n++] = images_keys[i];
	for (size_t i = 0; vm_option_keys[i] && n + 1 < ARRAY_SIZE(known); i++)
		known[n++] = vm_option_keys[i];
	known[n] = NULL;
	if (options_add(&own, text, path, err) < 0 || options_check(&own, known, err) < 0)
		return -1;
	return options_add(ret, text, path, err);
}

/* Below the file system's top, and nowhere else. */
static bool path_good(const char *path)
{
	size_t len;

	for (const char *at = path; *at; at += len + (at[len] == '/')) {
		len = strcspn(at, "/");
		if (!len || (len == 1 && *at == '.') ||
		    (len == 2 && !memcmp(at, "..", 2)))
			return false;
	}
	return *path && path[strlen(path) - 1] != '/';
}

int image_place_parse(const char *value, struct image_place *ret, struct error *err)
{
	*ret = (struct image_place){.where = IMAGE_PATH, .path = value};
	if (strncmp(value, PARTITION, strlen(PARTITION)) == 0) {
		ret->where = IMAGE_PARTITION;
		if (guid_parse(value + strlen(PARTITION), &ret->guid))
			return 0;
		error_set(err, ERROR_FAILED, "image", "\"%s\" has no GUID", value);
		return error_remedy(err, "give image=partition:GUID");
	}
	if (strncmp(value, ON_DISK, strlen(ON_DISK)) == 0) {
		ret->where = IMAGE_FILE;
		ret->path = value + strlen(ON_DISK);
		if (path_good(ret->path))
			return 0;
		error_set(err, ERROR_FAILED, "image", "\"%s\" is no path", value);
		return error_remedy(err, "give image=file:FOLDER/NAME, without \"..\"");
	}
	if (strncmp(value, ON_SERVER, strlen(ON_SERVER)) == 0) {
		ret->where = IMAGE_URL;
		ret->path = value + strlen(ON_SERVER);
		return url_check(ret->path, "image", err);
	}
	if (*value == '/')
		return 0;
	error_set(err, ERROR_FAILED, "image", "\"%s\" is neither a name nor a place",
		  value);
	return error_remedy(err, "docs/hypervisor.md has the forms");
}
