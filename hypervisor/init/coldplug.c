/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/coldplug.h"

#include <dirent.h>
#include <errno.h>
#include <libkmod.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/name_set.h"
#include "base/sysfs.h"
#include "base/text.h"

#define MAX_THREADS 16

void coldplug_free(struct coldplug *c)
{
	strings_free(&c->seen);
	strings_free(&c->loaded);
	strings_free(&c->failed);
}

/* ---- aliases ---- */

struct walk {
	struct coldplug *coldplug;
	struct name_set known;
	size_t first_new; /* of coldplug->seen */
};

static void take_alias(struct walk *w, const char *folder)
{
	_cleanup_free_ char *path = xasprintf("%s/modalias", folder);
	_cleanup_free_ char *alias = sysfs_text(w->coldplug->root, path);

	if (!alias || !*alias || w->coldplug->seen.len >= COLDPLUG_MAX_ALIASES ||
	    name_set_has(&w->known, alias))
		return;
	strings_push(&w->coldplug->seen, alias);
	(void)name_set_add(&w->known, w->coldplug->seen.items[w->coldplug->seen.len - 1]);
}

static bool is_folder(const struct walk *w, const char *folder, const char *name)
{
	_cleanup_free_ char *path =
		xasprintf("%s/sys/%s/%s", w->coldplug->root, folder, name);
	struct stat st;

	/* Links lead to where the walk comes by itself. */
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void walk(struct walk *w, const char *folder, unsigned depth)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	sysfs_list(w->coldplug->root, folder, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path = NULL;

		if (strcmp(*name, "modalias") == 0)
			take_alias(w, folder);
		if (depth == COLDPLUG_MAX_DEPTH || !is_folder(w, folder, *name) ||
		    (w->coldplug->spared && strings_contain(w->coldplug->spared, *name)))
			continue;
		path = xasprintf("%s/%s", folder, *name);
		walk(w, path, depth + 1);
	}
}

/* ---- loading ---- */

struct work {
	struct coldplug *coldplug;
	const char *const *names; /* aliases or modules */
	size_t count, next;
	bool no_index;
	pthread_mutex_t lock;
};

/* Under the lock. */
static void note(struct strings *list, const char *text)
{
	if (!strings_contain(list, text))
		strings_push(list, text);
}

static void load_module(struct work *work, struct kmod_module *module)
{
	struct coldplug *c = work->coldplug;
	const char *name = kmod_module_get_name(module);
	bool known;
	int result;

	(void)pthread_mutex_lock(&work->lock);
	known = strings_contain(&c->loaded, name);
	if (!known)
		strings_push(&c->loaded, name);
	(void)pthread_mutex_unlock(&work->lock);
	if (known)
		return;
	result = c->load ? c->load(name, c->load_arg)
			 : kmod_module_probe_insert_module(
				   module, KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY, NULL,
				   NULL, NULL, NULL);
	if (result < 0) {
		_cleanup_free_ char *text = xasprintf("%s: %s", name, strerror(-result));

		(void)pthread_mutex_lock(&work->lock);
		note(&c->failed, text);
		(void)pthread_mutex_unlock(&work->lock);
	}
}

/* An alias that no module has is the common case: built in, or of no use. */
static void look_up(struct work *work, struct kmod_ctx *context, const char *name)
{
	struct kmod_list *list = NULL, *item;

	if (kmod_module_new_from_lookup(context, name, &list) < 0)
		return;
	if (!list && !strchr(name, ':')) {
		_cleanup_free_ char *text =
			xasprintf("%s: there is no such module", name);

		(void)pthread_mutex_lock(&work->lock);
		note(&work->coldplug->failed, text);
		(void)pthread_mutex_unlock(&work->lock);
	}
	kmod_list_foreach(item, list)
	{
		struct kmod_module *module = kmod_module_get_module(item);

		load_module(work, module);
		(void)kmod_module_unref(module);
	}
	(void)kmod_module_unref_list(list);
}

/* libkmod's contexts are not for several threads: each has its own. */
static void *work_through(void *arg)
{
	struct work *work = arg;
	const char *no_config = NULL;
	struct kmod_ctx *context = kmod_new(work->coldplug->modules, &no_config);

	if (!context || kmod_load_resources(context) < 0) {
		(void)pthread_mutex_lock(&work->lock);
		work->no_index = true;
		(void)pthread_mutex_unlock(&work->lock);
		(void)kmod_unref(context);
		return NULL;
	}
	for (;;) {
		const char *name = NULL;

		(void)pthread_mutex_lock(&work->lock);
		if (work->next < work->count)
			name = work->names[work->next++];
		(void)pthread_mutex_unlock(&work->lock);
		if (!name)
			break;
		look_up(work, context, name);
	}
	(void)kmod_unref(context);
	return NULL;
}

static int run_threads(struct coldplug *c, const char *const *names, size_t count,
		       struct error *err)
{
	struct work work = {.coldplug = c,
			    .names = names,
			    .count = count,
			    .lock = PTHREAD_MUTEX_INITIALIZER};
	unsigned wanted = c->threads > MAX_THREADS ? MAX_THREADS : c->threads,
		 started = 0;
	pthread_t threads[MAX_THREADS];

	/* This thread works, too. */
	while (started + 1 < wanted && started + 1 < count &&
	       pthread_create(&threads[started], NULL, work_through, &work) == 0)
		started++;
	(void)work_through(&work);
	while (started > 0)
		(void)pthread_join(threads[--started], NULL);
	if (c->loaded.len)
		qsort(c->loaded.items, c->loaded.len, sizeof(*c->loaded.items),
		      text_compare_p);
	if (!work.no_index)
		return 0;
	error_set(err, ERROR_FAILED, c->modules ? c->modules : "/lib/modules",
		  "has no index of this kernel's modules");
	return error_remedy(err, "the image was packed with another kernel's modules");
}

int coldplug_load(struct coldplug *c, const char *const names[], size_t count,
		  struct error *err)
{
	return run_threads(c, names, count, err);
}

int coldplug_sweep(struct coldplug *c, struct error *err)
{
	struct walk w = {.coldplug = c, .first_new = c->seen.len};
	size_t count;

	vec_foreach (alias, &c->seen)
		(void)name_set_add(&w.known, *alias);
	walk(&w, "devices", 0);
	name_set_free(&w.known);
	count = c->seen.len - w.first_new;
	if (count && run_threads(c, (const char *const *)c->seen.items + w.first_new,
				 count, err) < 0)
		return -1;
	return (int)count;
}
