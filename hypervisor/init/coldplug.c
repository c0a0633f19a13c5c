/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/coldplug.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/name_set.h"
#include "base/text.h"

#define MAX_THREADS 16
#define MAX_ALIAS 4096 /* bytes: a page, as of all that sysfs says */

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
};

/* What each device has, and no device is in. */
static bool is_empty(const char *name)
{
	static const char *const names[] = {"power",  "msi_irqs", "statistics",
					    "queues", "mq",	  "integrity"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void take_alias(struct walk *w, int folder)
{
	_cleanup_close_ int fd = openat(folder, "modalias", O_RDONLY | O_CLOEXEC);
	char alias[MAX_ALIAS];
	ssize_t len = fd < 0 ? -1 : read(fd, alias, sizeof(alias) - 1);

	if (len <= 0)
		return;
	alias[len] = 0;
	alias[strcspn(alias, "\n")] = 0;
	if (!*alias || w->coldplug->seen.len >= COLDPLUG_MAX_ALIASES ||
	    name_set_has(&w->known, alias))
		return;
	strings_push(&w->coldplug->seen, alias);
	(void)name_set_add(&w->known, w->coldplug->seen.items[w->coldplug->seen.len - 1]);
}

/* Links lead to where the walk comes by itself. */
static bool is_folder(int folder, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/*
 * By nothing but what the folders list: to look at each of the thousands of files in them
 * takes the kernel ten times as long, and memory for each that it keeps.
 */
static void walk(struct walk *w, int above, const char *name, unsigned depth)
{
	int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		closep(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *child = entry->d_name;

		if (strcmp(child, "modalias") == 0)
			take_alias(w, fd);
		else if (*child != '.' && is_folder(fd, entry) && !is_empty(child) &&
			 depth < COLDPLUG_MAX_DEPTH &&
			 !(w->coldplug->spared &&
			   strings_contain(w->coldplug->spared, child)))
			walk(w, fd, child, depth + 1);
	}
	closedir(dir);
}

size_t coldplug_look(struct coldplug *c)
{
	struct walk w = {.coldplug = c};
	_cleanup_free_ char *devices = xasprintf("%s/sys/devices", c->root);
	size_t first_new = c->seen.len;

	vec_foreach (alias, &c->seen)
		(void)name_set_add(&w.known, *alias);
	walk(&w, AT_FDCWD, devices, 0);
	name_set_free(&w.known);
	return first_new;
}

bool coldplug_note(struct coldplug *c, const char *alias)
{
	if (!*alias || c->seen.len >= COLDPLUG_MAX_ALIASES ||
	    strings_contain(&c->seen, alias))
		return false;
	strings_push(&c->seen, alias);
	return true;
}

/* "pci:v...d...sv...sd...bcBBscSSiII": class and subclass; false if it has none. */
static bool pci_class(const char *alias, unsigned *class)
{
	const char *at = strstr(alias, "bc");
	unsigned base, sub;

	if (strncmp(alias, "pci:", 4) != 0 || !at ||
	    sscanf(at, "bc%2xsc%2x", &base, &sub) != 2)
		return false;
	*class = base << 8 | sub;
	return true;
}

static enum coldplug_rank pci_rank(unsigned class)
{
	switch (class >> 8) {
	case 0x01: /* storage */
	case 0x02: /* network */
	case 0x04: /* sound */
	case 0x0D: /* wireless */
		return COLDPLUG_FIRST;
	case 0x03:
		return COLDPLUG_SCREEN;
	case 0x08: /* of the system's own, the reader of SD cards */
		return class == 0x0805 ? COLDPLUG_FIRST : COLDPLUG_LATE;
	case 0x0C: /* serial buses: USB, but not the sensors' */
		return class == 0x0C05 ? COLDPLUG_LATE : COLDPLUG_FIRST;
	default:
		return COLDPLUG_LATE;
	}
}

enum coldplug_rank coldplug_rank(const char *alias)
{
	static const char *const late[] = {
		"cpu:", "dmi:", "i2c:", "input:", "serio:", "wmi:"};
	unsigned class;

	for (size_t i = 0; i < ARRAY_SIZE(late); i++)
		if (strncmp(alias, late[i], strlen(late[i])) == 0)
			return COLDPLUG_LATE;
	return pci_class(alias, &class) ? pci_rank(class) : COLDPLUG_FIRST;
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
		       unsigned limit, struct error *err)
{
	struct work work = {.coldplug = c,
			    .names = names,
			    .count = count,
			    .lock = PTHREAD_MUTEX_INITIALIZER};
	unsigned wanted = limit > MAX_THREADS ? MAX_THREADS : limit, started = 0;
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
	return run_threads(c, names, count, 1, err);
}

int coldplug_load_some(struct coldplug *c, size_t first, enum coldplug_rank rank,
		       struct error *err)
{
	_cleanup_free_ const char **names =
		xcalloc(c->seen.len - first + 1, sizeof(*names));
	size_t count = 0;

	for (size_t i = first; i < c->seen.len; i++)
		if (coldplug_rank(c->seen.items[i]) == rank)
			names[count++] = c->seen.items[i];
	return count ? run_threads(c, names, count, c->threads, err) : 0;
}

int coldplug_sweep(struct coldplug *c, struct error *err)
{
	size_t first, count;

	if (c->process)
		return 0;
	first = coldplug_look(c);
	count = c->seen.len - first;
	if (count && run_threads(c, (const char *const *)c->seen.items + first, count,
				 c->threads, err) < 0)
		return -1;
	return (int)count;
}
