/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/golden.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/url.h"
#include "block/create.h"
#include "image/media.h"
#include "image/published.h"
#include "windows/installation.h"

#define MAX_NAME 40
#define CHUNK ((size_t)1 << 20)

void golden_release(struct golden *g)
{
	free(g->name);
	free(g->source);
	free(g->url);
	free(g->title);
	strings_free(&g->words);
	strings_free(&g->notes);
	verify_report_free(&g->verified);
	*g = (struct golden){0};
}

void goldens_free(struct goldens *goldens)
{
	vec_foreach (golden, goldens)
		golden_release(golden);
	vec_free(goldens);
}

/* ---- words ---- */

const char *golden_word(const struct golden *g, const char *key)
{
	size_t len = strlen(key);
	const char *value = NULL;

	vec_foreach (word, &g->words)
		if (strncmp(*word, key, len) == 0 && (*word)[len] == '=')
			value = *word + len + 1;
	return value;
}

static void put_word(struct golden *g, const char *key, const char *value)
{
	size_t len = strlen(key);
	char *word = xasprintf("%s=%s", key, value);

	vec_foreach (old, &g->words) {
		if (strncmp(*old, key, len) != 0 || (*old)[len] != '=')
			continue;
		free(*old);
		*old = word;
		return;
	}
	vec_push(&g->words, word);
}

/* The file's name without its ending, of characters that need no quoting anywhere. */
static char *name_of(const char *path)
{
	const char *base = path_base(path), *dot = strrchr(base, '.');
	size_t len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	char *name = xstrndup(base, len < MAX_NAME ? len : MAX_NAME);

	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			*p = '_';
	if (*name == '.' || *name == '-')
		*name = '_';
	return name;
}

/* What the copy decides cannot be said otherwise. */
static int check_word(const char *key, const char *value, struct error *err)
{
	if (strcmp(key, "image") == 0 || strcmp(key, "seal") == 0) {
		error_set(err, ERROR_USAGE, key, "is set by gild pack");
		return error_remedy(err, "leave it out");
	}
	if (strcmp(key, "format") != 0 || strcmp(value, "raw") == 0 ||
	    strcmp(value, "qcow2") == 0)
		return 0;
	error_set(err, ERROR_USAGE, key, "\"%s\" is no format of packed images", value);
	return error_remedy(err, "use raw or qcow2");
}

/* KEY=VALUE for all, or NAME:KEY=VALUE for one. */
static int apply_words(struct golden *g, const struct strings *words, struct error *err)
{
	vec_foreach (item, words) {
		const char *word = *item, *equals = strchr(word, '='),
			   *colon = strchr(word, ':');
		_cleanup_free_ char *key = NULL;

		if (equals && colon && colon < equals) {
			if ((size_t)(colon - word) != strlen(g->name) ||
			    strncmp(word, g->name, strlen(g->name)) != 0)
				continue;
			word = colon + 1;
		}
		if (!equals || equals == word || !equals[1] || strpbrk(word, " \t\n#")) {
			error_set(err, ERROR_USAGE, *item,
				  "is no [NAME:]KEY=VALUE without blanks");
			return error_remedy(err, "give words of docs/hypervisor.md, as "
						 "in storage=virtio-blk");
		}
		key = xstrndup(word, (size_t)(equals - word));
		if (check_word(key, equals + 1, err) < 0)
			return -1;
		put_word(g, key, equals + 1);
	}
	return 0;
}

/* ---- what it is ---- */

static bool claims(const struct strings *ids, const char *device, const char *modern)
{
	vec_foreach (id, ids)
		if (text_starts_with(*id, device) || text_starts_with(*id, modern))
			return true;
	return false;
}

/* Virtio's PCI devices, transitional and modern. */
static void find_storage(struct golden *g, const struct installation *in)
{
	const char *storage = NULL;

	vec_foreach (service, &in->boot_storage) {
		if (service->start != 0 || service->overridden || !service->file_present)
			continue;
		if (claims(&service->ids, "PCI\\VEN_1AF4&DEV_1001",
			   "PCI\\VEN_1AF4&DEV_1042"))
			storage = "virtio-blk";
		else if (!storage && claims(&service->ids, "PCI\\VEN_1AF4&DEV_1004",
					    "PCI\\VEN_1AF4&DEV_1048"))
			storage = "virtio-scsi";
	}
	if (storage)
		put_word(g, "storage", storage);
	else
		strings_push(&g->notes, "it has no virtio driver that starts at boot: "
					"its disk is an emulated AHCI or IDE one, which "
					"is slower");
}

static void find_network(struct golden *g, const struct installation *in)
{
	vec_foreach (driver, &in->drivers)
		if (strings_contain(&driver->services, "netkvm")) {
			put_word(g, "network", "virtio-net");
			return;
		}
}

static void describe(struct golden *g, const struct installation *in,
		     const struct image *image)
{
	const struct target *t = &in->target;
	_cleanup_free_ char *version =
		xasprintf("%u.%u.%u", t->major, t->minor, t->build);
	bool gpt = strcmp(image_disk(image)->table, "gpt") == 0;

	g->windows = true;
	put_word(g, "windows", version);
	put_word(g, "arch", arch_name(t->arch));
	put_word(g, "firmware", gpt ? "uefi" : "bios");
	find_storage(g, in);
	find_network(g, in);
	free(g->title);
	g->title = xasprintf("%s (%s)", in->product ? in->product : "Windows", g->name);
}

static int too_many(const struct image *image, struct error *err)
{
	error_set(err, ERROR_USAGE, image_path(image), "holds more than one Windows");
	return error_remedy(err, "give --index=N for the one that is started");
}

/* 1: a Windows, 0: none, -1. */
static int examine(struct golden *g, const struct golden_options *o, struct error *err)
{
	_cleanup_image_ struct image *image = image_open(g->source, o->image, err);
	_cleanup_registry_ struct registry *registry = NULL;
	_cleanup_installation_ struct installation *in = NULL;
	struct image_positions chosen = VEC_INIT;
	struct tree *tree;
	size_t position, count;

	if (!image)
		return -1;
	if (!image_is_disk(image)) {
		error_set(err, ERROR_USAGE, g->source, "is no disk image");
		return error_remedy(err, "make one of it: gild build");
	}
	if (!image_count(image))
		return 0;
	if (image_select(image, o->index, &chosen, err) < 0)
		return -1;
	position = chosen.len ? chosen.items[0] : 0;
	count = chosen.len;
	vec_free(&chosen);
	if (count != 1)
		return too_many(image, err);
	tree = image_tree(image, position, err);
	registry = tree ? registry_open(tree, true) : NULL;
	in = registry ? installation_open(tree, registry, err) : NULL;
	if (!in)
		return -1;
	describe(g, in, image);
	return 1;
}

static int verify(struct golden *g, const struct golden_options *o, struct error *err)
{
	struct verify_options options = {.index = o->index};

	if (verify_image(g->source, o->image, &options, &g->verified, err) < 0)
		return -1;
	if (!g->verified.errors || o->force)
		return 0;
	vec_foreach (finding, &g->verified.findings) {
		if (finding->severity != VERIFY_ERROR)
			continue;
		error_set(err, ERROR_ANSWER_NO, g->source, "would not start: %s%s%s",
			  finding->subject ? finding->subject : "",
			  finding->subject ? ": " : "", finding->message);
		return error_remedy(err,
				    "%s, or pack it all the same with --force; gild "
				    "verify lists all that is wrong",
				    finding->remedy);
	}
	return 0;
}

/* Titles are one word of the settings, which may have been said. */
static void put_title(struct golden *g)
{
	const char *said = golden_word(g, "title");
	_cleanup_free_ char *title = xstrdup(said ? said : g->title);

	for (char *p = title; *p; p++)
		if (isspace((unsigned char)*p) || *p == '#' || *p == '=')
			*p = '_';
	put_word(g, "title", title);
	if (!said)
		return;
	free(g->title);
	g->title = steal_ptr(title);
	for (char *p = g->title; *p; p++)
		if (*p == '_')
			*p = ' ';
}

/* A disk without a Windows cannot be verified; a Windows that gild cannot read is one. */
static int is_disk(struct golden *g, const struct golden_options *o, struct error *err)
{
	struct container container = {0};
	int result = container_probe(g->source, o->image->allow_backing, &container, err);

	if (result == 0 && container.format == CONTAINER_NONE) {
		error_set(err, ERROR_USAGE, g->source, "is no disk image");
		result = error_remedy(err, "make one of it: gild build");
	}
	g->virtual_size = container.virtual_size;
	container_free(&container);
	return result;
}

/* What was packed for it once is known. */
static int open_published(struct golden *g, const struct golden_options *o,
			  struct error *err)
{
	if (url_check_image(g->source, g->source, err) < 0)
		return -1;
	free(g->name);
	free(g->title);
	g->name = url_image_name(g->source);
	g->title = xstrdup(g->name);
	if (published_open(g->source, o->ca, g, err) < 0 ||
	    apply_words(g, o->words, err) < 0)
		return -1;
	put_title(g);
	return 0;
}

int golden_open(const char *path, const struct golden_options *options,
		struct golden *ret, struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	int found;

	*ret = (struct golden){
		.name = name_of(path), .source = xstrdup(path), .format = "qcow2"};
	ret->title = xstrdup(ret->name);
	if (url_is(path))
		return open_published(ret, options, err);
	if (is_disk(ret, options, err) < 0)
		return -1;
	found = examine(ret, options, &why);
	if (found > 0 && verify(ret, options, err) < 0)
		return -1;
	if (apply_words(ret, options->words, err) < 0)
		return -1;
	if (found <= 0 && !golden_word(ret, "windows")) {
		if (why.code == ERROR_STATE || why.code == ERROR_USAGE)
			return error_move(err, &why);
		error_set(err, ERROR_USAGE, path, "holds no Windows that is known: %s",
			  why.reason ? why.reason : "none was found");
		return error_remedy(err, "if it is another system, say as what it is to "
					 "be started: --image-option=windows=10.0.19045 "
					 "--image-option=firmware=bios");
	}
	if (found <= 0)
		strings_push(&ret->notes,
			     "it is no Windows that is known, and is started "
			     "as it was said");
	put_title(ret);
	return 0;
}

char *golden_settings(const struct golden *g, const char *place)
{
	struct buffer b = BUFFER_INIT;
	char seal[SEAL_TEXT_SIZE];

	vec_foreach (word, &g->words)
		if (strncmp(*word, "format=", 7) != 0)
			buffer_printf(&b, "%s\n", *word);
	seal_format(&g->seal, seal);
	if (place)
		buffer_printf(&b, "image=%s\n", place);
	buffer_printf(&b, "format=%s\nseal=%s\n", g->format, seal);
	return buffer_steal_string(&b);
}

/* ---- the copy ---- */

static int copy_disk(struct block *from, struct block *to, const char *path,
		     struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);

	for (uint64_t at = 0, start, end = 0; at < from->size;) {
		size_t len;

		if (interrupted())
			return error_interrupted(err);
		progress_report("packing the image", at, from->size);
		if (at >= end) {
			if (block_data(from, at, &start, &end, err) < 0)
				return error_wrap(err, path, "cannot be packed");
			at = start;
			continue;
		}
		len = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		if (block_pread(from, chunk, len, at, err) < 0 ||
		    block_pwrite(to, chunk, len, at, err) < 0)
			return error_wrap(err, path, "cannot be packed");
		at += len;
	}
	return 0;
}

/* Packed anew: what is zeros takes no space. How large it is comes out at its end. */
static int pack_qcow2(struct golden *g, struct block *from, int fd, uint64_t offset,
		      const char *path, struct error *err)
{
	struct container_create create = {
		.format = CONTAINER_QCOW2,
		.virtual_size = from->size,
		.sector_size = 512,
		.seed = {(const uint8_t *)g->name, strlen(g->name)}};
	_cleanup_block_ struct block *to =
		container_create_at(fd, offset, path, &create, err);
	struct stat st;

	if (!to || copy_disk(from, to, g->source, err) < 0 ||
	    container_finish(to, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return error_errno(err, path, "cannot examine");
	g->size = (uint64_t)st.st_size - offset;
	return seal_make(fd, offset, g->size, g->source, &g->seal, err);
}

static int copy(struct golden *g, struct block *from, int fd, uint64_t offset,
		const char *path, struct error *err)
{
	g->size = from->size;
	if (ftruncate(fd, (off_t)(offset + seal_size(g->size))) < 0)
		return error_errno(err, path, "cannot make");
	return seal_copy(from, fd, offset, g->source, &g->seal, err);
}

/* A qcow2 that needs no other file stays as it is. */
static bool is_packed(const struct container *container)
{
	return container->format == CONTAINER_QCOW2 && container->layers.len == 1 &&
	       !container->layers.items[0].data_file;
}

static int write_as(struct golden *g, const struct container *container, int fd,
		    uint64_t offset, const char *path, struct error *err)
{
	const char *wanted = golden_word(g, "format");
	bool raw = wanted && strcmp(wanted, "raw") == 0;
	bool packed = !raw && is_packed(container);
	_cleanup_block_ struct block *from =
		packed ? block_file_open(container->path, false, 0, err)
		       : container_open(container, false, err);

	if (!from)
		return -1;
	if (packed)
		return copy(g, from, fd, offset, path, err);
	/* The writer of qcow2 counts in MiB. */
	if (!raw && from->size % MEDIA_MIB == 0)
		return pack_qcow2(g, from, fd, offset, path, err);
	g->format = "raw";
	return copy(g, from, fd, offset, path, err);
}

int golden_write(struct golden *g, const struct golden_options *options, int fd,
		 uint64_t offset, const char *path, struct error *err)
{
	struct container container = {0};
	int result = container_probe(g->source, options->image->allow_backing, &container,
				     err);

	if (result == 0)
		result = write_as(g, &container, fd, offset, path, err);
	container_free(&container);
	g->sealed_size = seal_size(g->size);
	return result;
}
