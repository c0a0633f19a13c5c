/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The settings of a medium: an archive with /etc/gild. Its form is cpio's "newc" (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#include "base/file.h"
#include "base/text.h"
#include "hwprofiles/profile_table.h"
#include "hwprofiles/profile_xml.h"
#include "image/pack_private.h"

#define ETC "etc/gild/"
#define IMAGES ETC "images/"
#define MAX_CA ((size_t)1 << 20)
#define MAX_WIFI ((size_t)1 << 20)
#define MAX_SETTINGS ((size_t)128 << 20)
#define HEADER 110 /* bytes of an entry's header: magic and 13 numbers of 8 digits */
#define HEADER_MAGIC "070701"
#define FIELD_SIZE 6
#define FIELD_NAME_SIZE 11
#define MAX_PATH_LEN 4096
#define TRAILER "TRAILER!!!"

/* ---- making ---- */

static int compile_profiles(const struct pack_options *o, struct pack_result *result,
			    struct buffer *ret, struct error *err)
{
	struct profile_library library;
	int done = 0;

	profile_library_init(&library);
	vec_foreach (name, o->profiles)
		if (done == 0 && !profile_find(&library, *name, err))
			done = -1;
	if (!o->profiles->len)
		done = profile_read_all(&library, err);
	if (done == 0) {
		result->profiles = library.profiles.len;
		profile_table_write(&library.profiles, ret);
	}
	profile_library_free(&library);
	return done;
}

static int check_init_word(const char *word, struct error *err)
{
	const char *equals = strchr(word, '=');

	if (equals && equals != word && !strpbrk(word, " \t\n#"))
		return 0;
	error_set(err, ERROR_USAGE, word, "is no KEY=VALUE without blanks");
	return error_remedy(err, "give words of docs/hypervisor.md, as in "
				 "shutdown_seconds=60");
}

static int add_init(const struct pack_options *o, struct media_files *files,
		    struct error *err)
{
	bool state = o->kind == PACK_DISK && o->state_size;
	const char *persist = o->persist ? o->persist : state ? "on" : "off";
	struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "persist=%s\n", persist);
	if (o->start)
		buffer_printf(&b, "image=%s\n", o->start);
	vec_foreach (word, o->init) {
		if (check_init_word(*word, err) < 0) {
			buffer_free(&b);
			return -1;
		}
		buffer_printf(&b, "%s\n", *word);
	}
	media_files_add(files, ETC "init.conf", &b);
	return 0;
}

/* Where init finds the image. */
static char *place_of(const struct pack_options *o, const struct golden *golden)
{
	struct guid guid = seal_guid(&golden->seal);
	char guid_text[GUID_TEXT_SIZE];

	if (golden->url)
		return xasprintf("url:%s", golden->url);
	if (o->kind == PACK_DISK) {
		media_guid_text(&guid, guid_text);
		return xasprintf("partition:%s", guid_text);
	}
	if (o->url)
		return xasprintf("url:%s%s" LAYOUT_FOLDER "/images/%s.img", o->url,
				 text_ends_with(o->url, "/") ? "" : "/", golden->name);
	return xasprintf("file:" LAYOUT_FOLDER "/images/%s.img", golden->name);
}

static void add_images(const struct pack_options *o, const struct goldens *goldens,
		       struct media_files *files)
{
	vec_foreach (golden, goldens) {
		_cleanup_free_ char *place = place_of(o, golden), *text = NULL,
				    *path = NULL;

		text = golden_settings(golden, place);
		path = xasprintf(IMAGES "%s.conf", golden->name);
		media_files_add_text(files, path, text);
	}
}

static bool has_path(const struct media_files *files, const char *path)
{
	vec_foreach (file, files)
		if (strcmp(file->path, path) == 0)
			return true;
	return false;
}

/* What an update does not say anew stays as it was. */
static void keep(const struct pack_options *o, const struct media_files *kept,
		 struct media_files *files)
{
	vec_foreach (file, kept) {
		struct buffer copy = BUFFER_INIT;

		if (has_path(files, file->path))
			continue;
		if (strcmp(file->path, ETC "init.conf") == 0 &&
		    (o->init->len || o->persist || o->start))
			continue;
		buffer_append(&copy, file->data.data, file->data.len);
		media_files_add(files, file->path, &copy);
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct media_file *)a)->path,
		      ((const struct media_file *)b)->path);
}

static int archive(struct media_files *files, struct buffer *ret, struct error *err)
{
	struct vec_of(struct config_file) list = VEC_INIT;
	int result;

	qsort(files->items, files->len, sizeof(*files->items), by_path);
	vec_foreach (file, files)
		vec_push(&list, (struct config_file){
					.path = file->path,
					.data = buffer_view(&file->data),
					.secret = strcmp(file->path, ETC
							 "wpa_supplicant.conf") == 0});
	result = config_archive(list.items, list.len, ret, err);
	vec_free(&list);
	return result;
}

int settings_make(const struct pack_options *o, struct pack_result *result,
		  const struct media_files *kept, struct buffer *ret, struct error *err)
{
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;
	struct buffer profiles = BUFFER_INIT, wifi = BUFFER_INIT, ca = BUFFER_INIT;

	if (compile_profiles(o, result, &profiles, err) < 0)
		return -1;
	media_files_add(&files, ETC "profiles", &profiles);
	if (o->wifi) {
		if (file_read(o->wifi, MAX_WIFI, &wifi, err) < 0)
			return -1;
		media_files_add(&files, ETC "wpa_supplicant.conf", &wifi);
	}
	if (o->golden.ca) {
		if (file_read(o->golden.ca, MAX_CA, &ca, err) < 0)
			return -1;
		media_files_add(&files, ETC "ca.pem", &ca);
	}
	add_images(o, &result->images, &files);
	if (kept)
		keep(o, kept, &files);
	if (!has_path(&files, ETC "init.conf") && add_init(o, &files, err) < 0)
		return -1;
	return archive(&files, ret, err);
}

/* ---- reading ---- */

static bool number(struct bytes header, unsigned field, uint32_t *ret)
{
	char text[9] = {0};
	char *end;

	memcpy(text, header.data + strlen(HEADER_MAGIC) + field * 8, 8);
	*ret = (uint32_t)strtoul(text, &end, 16);
	return end == text + 8 && *text != ' ' && *text != '-' && *text != '+';
}

/* 1: an entry, and where the next one is; 0: the trailer; -1: makes no sense. */
static int next_entry(struct bytes all, uint64_t *at, struct bytes *name,
		      struct bytes *data)
{
	struct bytes header = bytes_at(all, *at, HEADER);
	uint32_t size, name_size;
	uint64_t data_at;

	if (!header.data ||
	    memcmp(header.data, HEADER_MAGIC, strlen(HEADER_MAGIC)) != 0 ||
	    !number(header, FIELD_SIZE, &size) ||
	    !number(header, FIELD_NAME_SIZE, &name_size))
		return -1;
	if (name_size < 2 || name_size > MAX_PATH_LEN || size > MAX_SETTINGS ||
	    !bytes_has(all, *at + HEADER, name_size))
		return -1;
	*name = bytes_at(all, *at + HEADER, name_size);
	if (name->data[name_size - 1] != 0)
		return -1;
	data_at = (*at + HEADER + name_size + 3) / 4 * 4;
	if (!bytes_has(all, data_at, size))
		return -1;
	*data = (struct bytes){all.data + data_at, size};
	*at = (data_at + size + 3) / 4 * 4;
	return strcmp((const char *)name->data, TRAILER) != 0;
}

int settings_read(struct bytes archive, const char *name, struct media_files *ret,
		  struct error *err)
{
	uint64_t at = 0;
	struct bytes path, data;
	int more;

	while ((more = next_entry(archive, &at, &path, &data)) > 0) {
		struct buffer copy = BUFFER_INIT;

		if (!data.len || !text_starts_with((const char *)path.data, ETC))
			continue;
		buffer_append(&copy, data.data, data.len);
		media_files_add(ret, (const char *)path.data, &copy);
	}
	if (more == 0)
		return 0;
	error_set(err, ERROR_FAILED, name, "is no archive of settings, or damaged");
	return error_remedy(err, "pack the medium anew");
}

/* The value of KEY in lines or words KEY=VALUE. */
static char *word_in(const struct buffer *text, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i + len < text->len; i++) {
		const char *p = (const char *)text->data + i;
		size_t end = i + len + 1;

		if ((i && !strchr(" \n\t", text->data[i - 1])) ||
		    memcmp(p, key, len) != 0 || p[len] != '=')
			continue;
		while (end < text->len && !strchr(" \n\t", text->data[end]))
			end++;
		return xstrndup(p + len + 1, end - i - len - 1);
	}
	return NULL;
}

char *settings_start(const struct media_files *settings)
{
	vec_foreach (file, settings)
		if (strcmp(file->path, ETC "init.conf") == 0)
			return word_in(&file->data, "image");
	return NULL;
}

void settings_images(const struct media_files *settings, struct goldens *ret)
{
	vec_foreach (file, settings) {
		struct golden g = {0};
		const char *base = file->path + strlen(IMAGES);

		if (!text_starts_with(file->path, IMAGES) ||
		    !text_ends_with(file->path, ".conf"))
			continue;
		g.name = xstrndup(base, strlen(base) - strlen(".conf"));
		g.title = word_in(&file->data, "title");
		if (!g.title)
			g.title = xstrdup(g.name);
		for (char *p = g.title; *p; p++)
			if (*p == '_')
				*p = ' ';
		vec_push(ret, g);
	}
}
