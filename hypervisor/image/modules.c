/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/modules.h"

#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/text.h"

#define TREE "kernel/" /* what the distribution's own modules lie in */

static const char *const class_names[] = {
	"storage",	  "net",	  "display", "input",	 "USB",	  "sound",
	"virtualisation", "file systems", "crypto",  "platform", "extra",
};

const char *module_class_name(enum module_class class)
{
	return class_names[class];
}

/* ---- names ---- */

/* Case counts in names of modules (xt_mark, xt_MARK). */
struct name {
	const char *name;
	size_t number;
};
struct choice {
	struct kernel *kernel;
	struct vec_of(struct name) names;
	struct vec_of(size_t) queue; /* chosen, what they need not yet looked at */
	enum module_class *classes;  /* by number */
	bool *early;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

static bool find(const struct choice *c, const char *name, size_t *ret)
{
	struct name wanted = {name, 0};
	const struct name *found =
		bsearch(&wanted, c->names.items, c->names.len, sizeof(wanted), by_name);

	if (found)
		*ret = found->number;
	return found != NULL;
}

/* ---- rules ---- */

/* "kernel/drivers/ata/ahci.ko.xz": "drivers/ata/ahci"; NULL: not of the kernel's own. */
static char *rule_name(const char *file)
{
	const char *base = path_base(file);

	if (strncmp(file, TREE, strlen(TREE)) != 0)
		return NULL;
	file += strlen(TREE);
	return xasprintf("%.*s%.*s", (int)(base - file), file, (int)strcspn(base, "."),
			 base);
}

static enum module_class class_of(const char *name)
{
	const struct module_rule *rule = module_rules;

	while (rule->pattern && fnmatch(rule->pattern, name, 0) != 0)
		rule++;
	return rule->class;
}

static bool is_early(const char *name)
{
	for (const char *const *pattern = module_early; *pattern; pattern++)
		if (fnmatch(*pattern, name, 0) == 0)
			return true;
	return false;
}

/* ---- choosing ---- */

static void choose(struct choice *c, size_t number, enum module_class class, bool early)
{
	if (c->classes[number] != MODULE_LEFT_OUT && c->early[number] >= early)
		return;
	if (c->classes[number] == MODULE_LEFT_OUT)
		c->classes[number] = class;
	c->early[number] |= early;
	vec_push(&c->queue, number);
}

static void choose_by_rules(struct choice *c)
{
	for (size_t i = 0; i < kernel_modules(c->kernel); i++) {
		struct kernel_module_view m;
		_cleanup_free_ char *name = NULL;
		enum module_class class;

		kernel_module_get(c->kernel, i, &m);
		name = m.file ? rule_name(m.file) : NULL;
		class = name ? class_of(name) : MODULE_LEFT_OUT;
		if (class != MODULE_LEFT_OUT)
			choose(c, i, class, is_early(name));
	}
}

static int choose_extra(struct choice *c, const struct strings *extra, struct error *err)
{
	vec_foreach (item, extra) {
		_cleanup_free_ char *name = xstrdup(*item);
		size_t number;

		for (char *at = name; *at; at++)
			if (*at == '-')
				*at = '_';
		if (!find(c, name, &number)) {
			error_set(err, ERROR_USAGE, *item, "is no module of kernel %s",
				  kernel_release(c->kernel));
			return error_remedy(err,
					    "give the name that modinfo knows it by");
		}
		choose(c, number, MODULE_EXTRA, false);
	}
	return 0;
}

static void choose_needs(struct choice *c)
{
	while (c->queue.len) {
		size_t number = c->queue.items[--c->queue.len], other;
		struct kernel_module_view m;

		kernel_module_get(c->kernel, number, &m);
		vec_foreach (name, m.depends)
			if (find(c, *name, &other))
				choose(c, other, c->classes[number], c->early[number]);
		vec_foreach (name, m.softdeps)
			if (find(c, *name, &other))
				choose(c, other, c->classes[number], c->early[number]);
	}
}

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct module *)a)->file, ((const struct module *)b)->file);
}

static void list_chosen(const struct choice *c, struct modules *ret)
{
	for (size_t i = 0; i < kernel_modules(c->kernel); i++) {
		struct kernel_module_view m;
		_cleanup_free_ char *path = NULL;
		struct module module;
		struct stat st;

		kernel_module_get(c->kernel, i, &m);
		ret->chosen[i] = !m.file || c->classes[i] != MODULE_LEFT_OUT;
		if (!m.file || !ret->chosen[i])
			continue;
		module = (struct module){.name = m.name,
					 .file = m.file,
					 .firmware = m.firmware,
					 .number = i,
					 .class = c->classes[i],
					 .early = c->early[i]};
		path = xasprintf("%s/%s", kernel_folder(c->kernel), m.file);
		if (stat(path, &st) == 0)
			module.size = (uint64_t)st.st_size;
		vec_push(&ret->list, module);
	}
	if (ret->list.len)
		qsort(ret->list.items, ret->list.len, sizeof(*ret->list.items), by_file);
}

int modules_choose(const char *where, const struct strings *extra, struct modules *ret,
		   struct error *err)
{
	const struct strings no_firmware = VEC_INIT;
	struct choice c = {.kernel = kernel_open(where, &no_firmware, err)};
	size_t count;
	int result;

	*ret = (struct modules){.kernel = c.kernel};
	if (!c.kernel)
		return -1;
	count = kernel_modules(c.kernel);
	c.classes = xcalloc(count, sizeof(*c.classes));
	c.early = xcalloc(count, sizeof(*c.early));
	ret->chosen = xcalloc(count, sizeof(*ret->chosen));
	for (size_t i = 0; i < count; i++) {
		struct kernel_module_view m;

		kernel_module_get(c.kernel, i, &m);
		c.classes[i] = MODULE_LEFT_OUT;
		vec_push(&c.names, (struct name){m.name, i});
	}
	qsort(c.names.items, c.names.len, sizeof(*c.names.items), by_name);
	choose_by_rules(&c);
	result = choose_extra(&c, extra, err);
	if (result == 0) {
		choose_needs(&c);
		list_chosen(&c, ret);
	} else {
		modules_free(ret);
	}
	vec_free(&c.names);
	vec_free(&c.queue);
	free(c.classes);
	free(c.early);
	return result;
}

void modules_free(struct modules *modules)
{
	vec_free(&modules->list);
	free(modules->chosen);
	kernel_close(modules->kernel);
	*modules = (struct modules){0};
}
