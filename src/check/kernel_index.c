/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A kernel's modules, read with libkmod: what each says it drives (alias), asks for
 * (firmware) and needs (depends). What is part of the kernel is in modules.builtin and
 * modules.builtin.modinfo; kernels before 6.14 record no device aliases there, so those
 * of the usual built-in drivers are known here (their MODULE_DEVICE_TABLE in the kernel's
 * source).
 */
#include <fnmatch.h>
#include <libkmod.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "check/kernel_private.h"

#define MAX_MODULES 65536u
#define MAX_ALIASES 2000000u
#define MAX_DEPTH 16
#define MAX_ALIAS 1024
#define MAX_TABLE ((size_t)64 << 20)

static const struct {
	const char *module, *alias;
} builtin_aliases[] = {
	{"i8042", "acpi*:PNP03*:*"},
	{"i8042", "acpi*:PNP0F*:*"},
	{"ahci", "pci:v*d*sv*sd*bc01sc06i01*"},
	{"nvme", "pci:v*d*sv*sd*bc01sc08i02*"},
	{"ata_generic", "pci:v*d*sv*sd*bc01sc01i*"},
	{"xhci_pci", "pci:v*d*sv*sd*bc0Csc03i30*"},
	{"ehci_pci", "pci:v*d*sv*sd*bc0Csc03i20*"},
	{"ohci_pci", "pci:v*d*sv*sd*bc0Csc03i10*"},
	{"uhci_hcd", "pci:v*d*sv*sd*bc0Csc03i00*"},
	{"usbhid", "usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*"},
	{"usb_storage", "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*"},
	{"virtio_pci", "pci:v00001AF4d*sv*sd*bc*sc*i*"},
	{"i2c_hid_acpi", "acpi*:PNP0C50:*"},
};

/* ---- collecting ---------------------------------------------------------------------
 */

static char *module_name(const char *file)
{
	char *name = xstrndup(file, strcspn(file, "."));

	for (char *at = name; *at; at++)
		if (*at == '-')
			*at = '_';
	return name;
}

static void add_alias(struct kernel *kernel, const char *pattern, size_t module)
{
	if (strlen(pattern) < MAX_ALIAS && kernel->aliases.len < MAX_ALIASES)
		vec_push(&kernel->aliases,
			 (struct kernel_alias){xstrdup(pattern), (uint32_t)module});
}

static void add_depends(struct kernel_module *module, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ",");
		_cleanup_free_ char *one = xstrndup(list, len);

		if (len)
			vec_push(&module->depends, module_name(one));
		list += len + (list[len] == ',');
	}
}

/* "pre: NAME... post: NAME..." */
static void add_softdeps(struct kernel_module *module, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, " ,");
		_cleanup_free_ char *one = xstrndup(list, len);

		if (len && one[len - 1] != ':')
			vec_push(&module->softdeps, module_name(one));
		list += len + (list[len] != 0);
	}
}

static void add_fact(struct kernel *kernel, size_t module, const char *key,
		     const char *value)
{
	struct kernel_module *m = &kernel->modules.items[module];

	if (strcmp(key, "alias") == 0)
		add_alias(kernel, value, module);
	else if (strcmp(key, "firmware") == 0 && m->firmware.len < 4096)
		strings_push(&m->firmware, value);
	else if (strcmp(key, "depends") == 0)
		add_depends(m, value);
	else if (strcmp(key, "softdep") == 0)
		add_softdeps(m, value);
}

static void silent(void *data _unused_, int priority _unused_, const char *file _unused_,
		   int line _unused_, const char *fn _unused_,
		   const char *format _unused_, va_list args _unused_)
{
}

/* A file that libkmod cannot read is no module, and drives nothing. */
static void read_module(struct kernel *kernel, struct kmod_ctx *ctx, const char *path)
{
	struct kmod_module *module = NULL;
	struct kmod_list *info = NULL, *item;
	size_t number = kernel->modules.len;

	if (kmod_module_new_from_path(ctx, path, &module) < 0)
		return;
	if (kmod_module_get_info(module, &info) >= 0) {
		vec_push(&kernel->modules,
			 (struct kernel_module){
				 .name = module_name(path_base(path)),
				 .file = xstrdup(path + strlen(kernel->folder) + 1)});
		for (item = info; item; item = kmod_list_next(info, item))
			add_fact(kernel, number, kmod_module_info_get_key(item),
				 kmod_module_info_get_value(item));
		kmod_module_info_free_list(info);
	}
	kmod_module_unref(module);
}

static bool is_module(const char *name)
{
	return text_ends_with(name, ".ko") || text_ends_with(name, ".ko.xz") ||
	       text_ends_with(name, ".ko.gz") || text_ends_with(name, ".ko.zst");
}

static int walk(struct kernel *kernel, struct kmod_ctx *ctx, const char *folder,
		unsigned depth, struct error *err)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	int result = 0;

	if (folder_list(folder, &names) < 0)
		return error_errno(err, folder, "cannot read the folder");
	for (size_t i = 0; result == 0 && i < names.len; i++) {
		const char *name = names.items[i];
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
		struct stat st;

		if (*name == '.' || lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH)
			result = walk(kernel, ctx, path, depth + 1, err);
		else if (S_ISREG(st.st_mode) && is_module(name))
			read_module(kernel, ctx, path);
		if (kernel->modules.len > MAX_MODULES)
			result = error_set(err, ERROR_FAILED, folder,
					   "more than %u modules", MAX_MODULES);
	}
	return result;
}

/* ---- what is part of the kernel -------------------------------------------------------
 */

static bool find_builtin(const struct kernel *kernel, const char *name, size_t *ret)
{
	for (*ret = kernel->modules.len; (*ret)-- > 0;)
		if (strcmp(kernel->modules.items[*ret].name, name) == 0)
			return kernel->modules.items[*ret].builtin;
	return false;
}

void kernel_add_builtin(struct kernel *kernel, char *text)
{
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		size_t number = kernel->modules.len;
		struct kernel_module module = {.name = module_name(path_base(line)),
					       .builtin = true};

		vec_push(&kernel->modules, module);
		for (size_t i = 0; i < ARRAY_SIZE(builtin_aliases); i++)
			if (strcmp(builtin_aliases[i].module, module.name) == 0)
				add_alias(kernel, builtin_aliases[i].alias, number);
		if (kernel->modules.len > MAX_MODULES)
			return;
	}
}

/* "name.key=value\0..." */
void kernel_add_modinfo(struct kernel *kernel, const char *at, size_t len)
{
	for (const char *end = at + len; at < end; at += strlen(at) + 1) {
		const char *dot = strchr(at, '.'), *equals = strchr(at, '=');
		_cleanup_free_ char *name = NULL, *key = NULL;
		size_t module;

		if (!dot || !equals || equals < dot)
			continue;
		name = module_name(at);
		key = xstrndup(dot + 1, (size_t)(equals - dot) - 1);
		if ((strcmp(key, "alias") == 0 || strcmp(key, "firmware") == 0) &&
		    find_builtin(kernel, name, &module))
			add_fact(kernel, module, key, equals + 1);
	}
}

static int read_builtin(struct kernel *kernel, struct error *err)
{
	static const char *const names[] = {"modules.builtin", "modules.builtin.modinfo"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", kernel->folder, names[i]);
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;
		struct stat st;

		if (stat(path, &st) < 0)
			continue;
		if (file_read(path, MAX_TABLE, &data, err) < 0)
			return -1;
		buffer_append(&data, "", 1);
		if (i == 0)
			kernel_add_builtin(kernel, (char *)data.data);
		else
			kernel_add_modinfo(kernel, (const char *)data.data, data.len - 1);
	}
	return 0;
}

/* ---- the index ------------------------------------------------------------------------
 */

static int by_pattern(const void *a, const void *b)
{
	return strcmp(((const struct kernel_alias *)a)->pattern,
		      ((const struct kernel_alias *)b)->pattern);
}

static void check_depends(struct kernel *kernel)
{
	_cleanup_name_set_ struct name_set names = {0};

	vec_foreach (module, &kernel->modules)
		(void)name_set_add(&names, module->name);
	vec_foreach (module, &kernel->modules) {
		module->complete = true;
		vec_foreach (name, &module->depends)
			if (!name_set_has(&names, *name))
				module->complete = false;
	}
}

void kernel_finish(struct kernel *kernel)
{
	check_depends(kernel);
	if (kernel->aliases.len)
		qsort(kernel->aliases.items, kernel->aliases.len,
		      sizeof(*kernel->aliases.items), by_pattern);
}

int kernel_index(struct kernel *kernel, struct error *err)
{
	const char *no_config = NULL;
	struct kmod_ctx *ctx = kmod_new(kernel->folder, &no_config);
	int result;

	if (!ctx)
		return error_set(err, ERROR_FAILED, kernel->folder,
				 "libkmod cannot be set up");
	kmod_set_log_fn(ctx, silent, NULL);
	result = walk(kernel, ctx, kernel->folder, 0, err);
	kmod_unref(ctx);
	if (result == 0)
		result = read_builtin(kernel, err);
	if (result == 0 && !kernel->modules.len) {
		error_set(err, ERROR_FAILED, kernel->folder, "holds no kernel modules");
		result = error_remedy(err, "give a version below /lib/modules, or the "
					   "folder of an unpacked kernel package");
	}
	if (result < 0)
		return -1;
	kernel_finish(kernel);
	return 0;
}

/* Only patterns that begin with these can fit. */
static void prefixes_of(const char *modalias, struct strings *ret)
{
	size_t bus = strcspn(modalias, ":");

	if (strncmp(modalias, "pci:v", 5) == 0 && strlen(modalias) > 22) {
		vec_push(ret, xasprintf("%.22s", modalias));
		vec_push(ret, xasprintf("%.14s*", modalias));
		strings_push(ret, "pci:v*");
	} else if (strncmp(modalias, "usb:v", 5) == 0 && strlen(modalias) > 14) {
		vec_push(ret, xasprintf("%.14s", modalias));
		vec_push(ret, xasprintf("%.10s*", modalias));
		strings_push(ret, "usb:v*");
	} else {
		vec_push(ret, xasprintf("%.*s", (int)bus, modalias));
	}
}

void kernel_lookup(const struct kernel *kernel, const char *modalias,
		   void (*fn)(struct kernel_module *module, void *arg), void *arg)
{
	struct strings prefixes = VEC_INIT;

	prefixes_of(modalias, &prefixes);
	vec_foreach (prefix, &prefixes) {
		size_t low = 0, high = kernel->aliases.len, len = strlen(*prefix);

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (strcmp(kernel->aliases.items[middle].pattern, *prefix) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < kernel->aliases.len; low++) {
			const struct kernel_alias *alias = &kernel->aliases.items[low];

			if (strncmp(alias->pattern, *prefix, len) != 0)
				break;
			if (fnmatch(alias->pattern, modalias, 0) == 0)
				fn(&kernel->modules.items[alias->module], arg);
		}
	}
	strings_free(&prefixes);
}
