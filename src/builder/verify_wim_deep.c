/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every content of a WIM, decoded and hashed on all processors. Each thread has the WIM
 * open for itself, and takes the next content, or the next solid resource with all that
 * is in it, which is decoded in order.
 */
#include <pthread.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/progress.h"
#include "builder/verify_private.h"
#include "tree/wim.h"

#define MAX_THREADS 32
#define MAX_DAMAGED 100 /* so many are named */

struct damaged {
	uint8_t hash[WIM_HASH_SIZE];
	char *reason;
};

struct deep {
	pthread_mutex_t mutex;	       /* of all below */
	size_t next;		       /* of .units */
	struct vec_of(uint32_t) units; /* blobs that begin a piece of work */
	uint64_t done, total;
	size_t count; /* damaged ones */
	struct vec_of(struct damaged) damaged;
};

struct worker {
	struct deep *deep;
	struct image *image;
	pthread_t thread;
};

static bool has_content(const struct wim *wim, const struct wim_blob *blob)
{
	return !(blob->resource.flags & WIM_RESOURCE_METADATA) &&
	       !wim_blob_is_run_resource(blob) && !wim_hash_is_zero(blob->hash) &&
	       blob->part == wim->parts.items[blob->file].header.part;
}

static void collect(struct deep *deep, const struct wim *wim)
{
	for (uint32_t i = 0; i < wim->blobs.len; i++) {
		const struct wim_blob *blob = &wim->blobs.items[i];

		if (blob->run == UINT32_MAX || blob->run == i)
			vec_push(&deep->units, i);
		if (has_content(wim, blob))
			deep->total += wim_blob_size(blob);
	}
}

static int drop(struct bytes data _unused_, void *arg _unused_,
		struct error *err _unused_)
{
	return interrupted() ? -1 : 0;
}

static void read_blob(struct deep *deep, struct wim *wim, const struct wim_blob *blob)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	int result = wim_blob_stream(wim, blob, drop, NULL, "a content", &why);

	pthread_mutex_lock(&deep->mutex);
	deep->done += wim_blob_size(blob);
	progress_report("reading all contents", deep->done, deep->total);
	if (result < 0 && !interrupted() && deep->count++ < MAX_DAMAGED) {
		struct damaged damaged;

		damaged.reason = steal_ptr(why.reason);
		memcpy(damaged.hash, blob->hash, WIM_HASH_SIZE);
		vec_push(&deep->damaged, damaged);
	}
	pthread_mutex_unlock(&deep->mutex);
}

static bool next_unit(struct deep *deep, uint32_t *ret)
{
	bool more;

	pthread_mutex_lock(&deep->mutex);
	more = deep->next < deep->units.len && !interrupted();
	if (more)
		*ret = deep->units.items[deep->next++];
	pthread_mutex_unlock(&deep->mutex);
	return more;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct wim *wim = (struct wim *)worker->image;
	uint32_t unit;

	while (next_unit(worker->deep, &unit)) {
		uint32_t run = wim->blobs.items[unit].run;

		for (uint32_t i = unit; i < wim->blobs.len && !interrupted(); i++) {
			const struct wim_blob *blob = &wim->blobs.items[i];

			if (i > unit && (run == UINT32_MAX || blob->run != run))
				break;
			if (has_content(wim, blob))
				read_blob(worker->deep, wim, blob);
		}
	}
	return NULL;
}

/* ---- which file it is
 * ------------------------------------------------------------------ */

struct search {
	const uint8_t *hash;
	bool found;
};

static void compare_hash(const uint8_t *hash, void *arg)
{
	struct search *search = arg;

	search->found |= memcmp(hash, search->hash, WIM_HASH_SIZE) == 0;
}

static char *find_path(struct wim_node *root, struct search *search)
{
	struct vec_of(struct wim_node *) left = VEC_INIT;
	char *path = NULL;

	vec_push(&left, root);
	while (left.len && !path) {
		struct wim_node *node = left.items[--left.len];

		wim_node_hashes(node, compare_hash, search);
		if (search->found)
			path = wim_node_path(node);
		for (uint32_t i = node->child_count; i-- > 0;)
			vec_push(&left, node->children[i]);
	}
	vec_free(&left);
	return path;
}

static void report(struct verify *v, struct image *image, const struct damaged *damaged)
{
	char *path = NULL;
	char hex[2 * WIM_HASH_SIZE + 1];

	hash_hex(damaged->hash, WIM_HASH_SIZE, hex);
	v->index = 0;
	for (size_t i = 0; i < image_count(image) && !path; i++) {
		struct tree *tree = image_tree(image, i, NULL);
		struct wim_metadata *metadata =
			tree ? wim_tree_metadata((struct wim_tree *)tree, NULL) : NULL;
		struct search search = {.hash = damaged->hash};

		if (metadata)
			path = find_path(metadata->root, &search);
		if (path)
			v->index = (unsigned)i + 1;
	}
	verify_add(v, "content_damaged", VERIFY_ERROR, path ? path : hex,
		   VERIFY_COPY_AGAIN, "%s",
		   damaged->reason ? damaged->reason : "cannot be read");
	v->index = 0;
	free(path);
}

/* ---- all
 * ------------------------------------------------------------------------------- */

static unsigned thread_count(const struct deep *deep)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = processors > 0 ? (size_t)processors : 1;

	if (count > deep->units.len)
		count = deep->units.len ? deep->units.len : 1;
	return count > MAX_THREADS ? MAX_THREADS : (unsigned)count;
}

static int run(struct deep *deep, struct image *image, struct error *err)
{
	const struct image_options options = {0};
	struct worker workers[MAX_THREADS] = {0};
	unsigned want = thread_count(deep), started = 0;
	int result = 0;

	for (unsigned i = 0; i < want && result == 0; i++) {
		workers[i].deep = deep;
		workers[i].image =
			i ? image_open(image_path(image), &options, err) : image;
		result = workers[i].image ? 0 : -1;
	}
	while (result == 0 && started < want &&
	       pthread_create(&workers[started].thread, NULL, work, &workers[started]) ==
		       0)
		started++;
	/* Without threads the work is done here. */
	if (result == 0 && !started)
		(void)work(&workers[0]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 1; i < want; i++)
		image_close(workers[i].image);
	return result;
}

int verify_wim_deep(struct verify *v, struct image *image, struct error *err)
{
	struct deep deep = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	int result;

	collect(&deep, (struct wim *)image);
	result = run(&deep, image, err);
	if (result == 0 && interrupted())
		result = error_interrupted(err);
	vec_foreach (damaged, &deep.damaged) {
		if (result == 0)
			report(v, image, damaged);
		free(damaged->reason);
	}
	if (deep.count > deep.damaged.len)
		verify_add(v, "content_damaged", VERIFY_ERROR, image_path(image),
			   VERIFY_COPY_AGAIN, "%zu more contents are damaged",
			   deep.count - deep.damaged.len);
	v->report->deep_bytes += deep.total;
	verify_checked(v, "hashes of all contents");
	vec_free(&deep.damaged);
	vec_free(&deep.units);
	return result;
}
