/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check/kernel.h"

#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/guid.h"
#include "base/text.h"
#include "check/kernel_private.h"

static const char *const verdict_names[] = {"driven", "firmware", "undriven", "unknown"};

/*
 * Drivers that ask for firmware but run without it on nearly all devices they claim: by
 * their source, the request's failure is not that of the probe.
 */
static const char *const firmware_optional[] = {"i915", "r8169", "e100",
						"tg3",	"isci",	 "ast"};

const char *kernel_verdict_name(enum kernel_verdict verdict)
{
	return verdict_names[verdict];
}

const char *kernel_release(const struct kernel *kernel)
{
	return kernel->release;
}

size_t kernel_modules(const struct kernel *kernel)
{
	return kernel->modules.len;
}

const char *kernel_folder(const struct kernel *kernel)
{
	return kernel->folder;
}

void kernel_module_get(const struct kernel *kernel, size_t number,
		       struct kernel_module_view *ret)
{
	const struct kernel_module *module = &kernel->modules.items[number];

	*ret = (struct kernel_module_view){module->name, module->file, &module->depends,
					   &module->softdeps, &module->firmware};
}

const struct strings *kernel_firmware_folders(const struct kernel *kernel)
{
	return &kernel->firmware;
}

/* ---- opening ------------------------------------------------------------------------
 */

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_modules(const char *folder)
{
	_cleanup_free_ char *modules = xasprintf("%s/kernel", folder);
	_cleanup_free_ char *list = xasprintf("%s/modules.order", folder);
	struct stat st;

	return is_folder(modules) || stat(list, &st) == 0;
}

/* The only version below `root`; the number of versions. */
static size_t versions_below(const char *root, char **ret, struct buffer *names)
{
	static const char *const places[] = {"lib/modules", "usr/lib/modules"};
	size_t found = 0;

	for (size_t i = 0; !found && i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *folder = xasprintf("%s/%s", root, places[i]);
		_cleanup_(strings_free) struct strings versions = VEC_INIT;

		(void)folder_list(folder, &versions);
		vec_foreach (version, &versions) {
			_cleanup_free_ char *path = xasprintf("%s/%s", folder, *version);

			if (**version == '.' || !has_modules(path))
				continue;
			buffer_printf(names, "%s%s", found++ ? ", " : "", *version);
			free(*ret);
			*ret = steal_ptr(path);
		}
	}
	return found;
}

/* Sets folder and, where it follows, the root that its firmware lies in. */
static int find_folder(struct kernel *kernel, const char *where, char **root,
		       struct error *err)
{
	_cleanup_buffer_ struct buffer names = BUFFER_INIT;
	size_t versions;

	if (!strchr(where, '/') && !is_folder(where)) {
		kernel->folder = xasprintf("/lib/modules/%s", where);
		*root = xstrdup("");
		if (has_modules(kernel->folder))
			return 0;
		error_set(err, ERROR_FAILED, where, "has no modules in %s",
			  kernel->folder);
		return error_remedy(err, "give a version that is installed, or a folder");
	}
	if (has_modules(where)) {
		kernel->folder = xstrdup(where);
		*root = xasprintf("%s/../../..", where);
		return 0;
	}
	versions = versions_below(where, &kernel->folder, &names);
	if (versions == 1) {
		*root = xstrdup(where);
		return 0;
	}
	buffer_append(&names, "", 1);
	if (!versions) {
		error_set(err, ERROR_FAILED, where,
			  "holds no kernel modules: neither "
			  "kernel/ nor lib/modules/VERSION");
		return error_remedy(err, "give the folder of an unpacked kernel package");
	}
	error_set(err, ERROR_USAGE, where, "holds the modules of %zu kernels: %s",
		  versions, (const char *)names.data);
	return error_remedy(err, "give the folder of one: %s/lib/modules/VERSION", where);
}

static void find_firmware(struct kernel *kernel, const struct strings *given,
			  const char *root)
{
	static const char *const places[] = {"lib/firmware", "usr/lib/firmware"};

	vec_foreach (folder, given)
		strings_push(&kernel->firmware, *folder);
	for (size_t i = 0; !given->len && i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *folder = xasprintf("%s/%s", root, places[i]);

		if (is_folder(folder))
			strings_push(&kernel->firmware, folder);
	}
}

struct kernel *kernel_open(const char *where, const struct strings *firmware,
			   struct error *err)
{
	struct kernel *kernel = xcalloc(1, sizeof(*kernel));
	_cleanup_free_ char *root = NULL;
	int result = find_folder(kernel, where, &root, err);
	size_t len;

	vec_foreach (folder, firmware) {
		if (result == 0 && !is_folder(*folder))
			result = error_set(err, ERROR_FAILED, *folder,
					   "is no folder with firmware");
	}
	if (result == 0) {
		len = strlen(kernel->folder);
		while (len > 1 && kernel->folder[len - 1] == '/')
			kernel->folder[--len] = 0;
		kernel->release = xstrdup(path_base(kernel->folder));
		find_firmware(kernel, firmware, root);
		result = kernel_index(kernel, err);
	}
	if (result == 0)
		return kernel;
	kernel_close(kernel);
	return NULL;
}

void kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	vec_foreach (module, &kernel->modules) {
		free(module->name);
		free(module->file);
		strings_free(&module->depends);
		strings_free(&module->softdeps);
		strings_free(&module->firmware);
		strings_free(&module->missing);
	}
	vec_free(&kernel->modules);
	vec_foreach (alias, &kernel->aliases)
		free(alias->pattern);
	vec_free(&kernel->aliases);
	for (size_t i = 0; i < kernel->memo.size; i++) {
		struct kernel_memo *memo = kernel->memo.slots[i];

		if (!memo)
			continue;
		free(memo->key);
		strings_free(&memo->modules);
		free(memo);
	}
	free(kernel->memo.slots);
	strings_free(&kernel->firmware);
	free(kernel->release);
	free(kernel->folder);
	free(kernel);
}

/* ---- what the kernel calls a device ---------------------------------------------------
 */

/* The hexadecimal digits after "KEY_", 0 if it is not there. */
static unsigned long field(const char *id, const char *key, size_t from, size_t digits)
{
	const char *at = strstr(id, key);
	char text[9] = "";

	if (!at || strlen(at) < strlen(key) + from + digits)
		return 0;
	memcpy(text, at + strlen(key) + from, digits);
	return strtoul(text, NULL, 16);
}

static char *pci_alias(const char *id)
{
	unsigned long class_code = field(id, "&CC_", 0, 6);

	return xasprintf("pci:v%08lXd%08lXsv%08lXsd%08lXbc%02lXsc%02lXi%02lX",
			 field(id, "VEN_", 0, 4), field(id, "&DEV_", 0, 4),
			 field(id, "&SUBSYS_", 4, 4), field(id, "&SUBSYS_", 0, 4),
			 class_code >> 16, class_code >> 8 & 0xFF, class_code & 0xFF);
}

/* The interface is in the compatible IDs: USB\Class_03&SubClass_01&Prot_01. */
static char *usb_alias(const struct pc_device *device)
{
	_cleanup_free_ char *id = text_upper(device->id);
	_cleanup_free_ char *class_id =
		device->compatible_ids.len ? text_upper(device->compatible_ids.items[0])
					   : xstrdup("");

	return xasprintf("usb:v%04lXp%04lXd%04lXdc00dsc00dp00ic%02lXisc%02lXip%02lXin00",
			 field(id, "VID_", 0, 4), field(id, "&PID_", 0, 4),
			 field(id, "&REV_", 0, 4), field(class_id, "\\CLASS_", 0, 2),
			 field(class_id, "&SUBCLASS_", 0, 2),
			 field(class_id, "&PROT_", 0, 2));
}

static char *acpi_alias(const struct pc_device *device)
{
	struct buffer b = BUFFER_INIT;
	const char *own = strchr(device->id, '\\');

	own = own ? own + 1 : device->id + (*device->id == '*');
	if (text_starts_with(own, "VEN_"))
		own += 4;
	buffer_printf(&b, "acpi:%.*s:", (int)strcspn(own, "&\\"), own);
	vec_foreach (id, &device->compatible_ids)
		if (text_starts_with(*id, "ACPI\\"))
			buffer_printf(&b, "%s:", *id + 5);
	return buffer_steal_string(&b);
}

/* VMBUS\{GUID}: its bytes as they lie in memory. */
static char *vmbus_alias(const char *id)
{
	struct buffer b = BUFFER_INIT;
	struct guid guid;

	if (!guid_parse(id + 6, &guid))
		return xstrdup("");
	buffer_append_string(&b, "vmbus:");
	for (size_t i = 0; i < sizeof(guid.bytes); i++)
		buffer_printf(&b, "%02x", guid.bytes[i]);
	return buffer_steal_string(&b);
}

char *kernel_modalias(const struct pc_device *device)
{
	if (device->bus == PC_PCI)
		return pci_alias(device->id);
	if (device->bus == PC_USB && text_starts_with(device->id, "USB\\VID_"))
		return usb_alias(device);
	if (device->bus == PC_ACPI)
		return acpi_alias(device);
	if (text_starts_with(device->id, "VMBUS\\{"))
		return vmbus_alias(device->id);
	return xstrdup("");
}

/* ---- firmware -------------------------------------------------------------------------
 */

static bool exists(const char *folder, const char *name, const char *suffix)
{
	_cleanup_free_ char *path = xasprintf("%s/%s%s", folder, name, suffix);
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The name may have '*' in its last part; "../" leads nowhere. */
static bool matches_one(const char *folder, const char *name)
{
	const char *base = path_base(name);
	_cleanup_free_ char *path =
		xasprintf("%s/%.*s", folder, (int)(base - name), name);
	_cleanup_free_ char *pattern = xasprintf("%s*", base);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(path, &names);
	vec_foreach (one, &names)
		if (fnmatch(pattern, *one, FNM_PERIOD) == 0)
			return true;
	return false;
}

static bool firmware_there(const struct kernel *kernel, const char *name)
{
	if (strstr(name, "..") || *name == '/')
		return false;
	vec_foreach (folder, &kernel->firmware) {
		if (exists(*folder, name, "") || exists(*folder, name, ".xz") ||
		    exists(*folder, name, ".zst") ||
		    (strpbrk(name, "*?[") && matches_one(*folder, name)))
			return true;
	}
	return false;
}

/* ---- one device -----------------------------------------------------------------------
 */

struct lookup {
	const struct kernel *kernel;
	struct kernel_memo *memo;
	bool driven; /* by a module that has what it needs */
};

static bool optional(const char *module)
{
	for (size_t i = 0; i < ARRAY_SIZE(firmware_optional); i++)
		if (strcmp(firmware_optional[i], module) == 0)
			return true;
	return false;
}

static void look_for_firmware(const struct kernel *kernel, struct kernel_module *module)
{
	if (module->looked_for)
		return;
	module->looked_for = true;
	vec_foreach (name, &module->firmware)
		if (!firmware_there(kernel, *name))
			strings_push(&module->missing, *name);
}

static void add_module(struct kernel_module *module, void *arg)
{
	struct lookup *x = arg;

	if (!module->complete || strings_contain(&x->memo->modules, module->name))
		return;
	strings_push(&x->memo->modules, module->name);
	x->memo->builtin |= module->builtin;
	look_for_firmware(x->kernel, module);
	if (module->missing.len && !x->memo->missing)
		x->memo->missing = &module->missing;
	/* A module names the firmware of all devices it knows: one of them may do. */
	if (!module->missing.len || module->missing.len < module->firmware.len ||
	    optional(module->name))
		x->driven = true;
}

static struct kernel_memo **memo_slot(struct kernel *kernel, const char *key)
{
	size_t mask = kernel->memo.size - 1, at = text_hash(key) & mask;

	while (kernel->memo.slots[at] && strcmp(kernel->memo.slots[at]->key, key) != 0)
		at = (at + 1) & mask;
	return &kernel->memo.slots[at];
}

static void memo_grow(struct kernel *kernel)
{
	struct kernel_memo **old = kernel->memo.slots;
	size_t size = kernel->memo.size;

	if ((kernel->memo.used + 1) * 2 <= size)
		return;
	kernel->memo.size = size ? size * 2 : 1024;
	kernel->memo.slots = xcalloc(kernel->memo.size, sizeof(*kernel->memo.slots));
	for (size_t i = 0; i < size; i++)
		if (old[i])
			*memo_slot(kernel, old[i]->key) = old[i];
	free(old);
}

/*
 * A virtio function needs virtio_pci and the driver of what it carries: 1000 to 103F are
 * numbered by a table of the specification, later ones are 1040 and the type's number.
 */
static char *virtio_child(const char *modalias)
{
	static const unsigned char types[] = {1, 2, 5, 3, 8, 4, 0, 0, 0, 9};
	unsigned device;

	if (sscanf(modalias, "pci:v00001AF4d%8X", &device) != 1 || device < 0x1000 ||
	    device >= 0x1080)
		return NULL;
	if (device < 0x1000 + ARRAY_SIZE(types))
		device = types[device - 0x1000];
	else
		device = device >= 0x1040 ? device - 0x1040 : 0;
	return device ? xasprintf("virtio:d%08Xv00001AF4", device) : NULL;
}

static bool find_drivers(struct lookup *x, const char *modalias)
{
	_cleanup_free_ char *child = virtio_child(modalias);
	size_t transport;

	kernel_lookup(x->kernel, modalias, add_module, x);
	transport = x->memo->modules.len;
	if (transport && child)
		kernel_lookup(x->kernel, child, add_module, x);
	return transport && (!child || x->memo->modules.len > transport);
}

static const struct kernel_memo *judge(struct kernel *kernel, const char *modalias)
{
	struct kernel_memo **slot, *memo;
	struct lookup x = {.kernel = kernel};

	memo_grow(kernel);
	slot = memo_slot(kernel, modalias);
	memo = *slot;
	if (memo)
		return memo;
	memo = *slot = xcalloc(1, sizeof(*memo));
	memo->key = xstrdup(modalias);
	kernel->memo.used++;
	x.memo = memo;
	if (!*modalias) {
		memo->verdict = KERNEL_UNKNOWN;
		return memo;
	}
	memo->verdict = !find_drivers(&x, modalias) ? KERNEL_UNDRIVEN
			: x.driven		    ? KERNEL_DRIVEN
						    : KERNEL_FIRMWARE;
	return memo;
}

/* ---- one PC ---------------------------------------------------------------------------
 */

bool kernel_role_counts(enum pc_role role)
{
	return role == PC_BOOT_STORAGE || role == PC_NETWORK || role == PC_WIRELESS ||
	       role == PC_DISPLAY || role == PC_INPUT || role == PC_USB_CONTROLLER;
}

void kernel_result_free(struct kernel_result *result)
{
	vec_free(&result->devices);
	strings_free(&result->unknown);
}

/*
 * The second function of a graphics controller (class 0380) repeats the first one, and
 * nothing drives it; what is driven beside it is the same vendor's.
 */
static void forgive_second_heads(struct kernel_result *result)
{
	vec_foreach (d, &result->devices) {
		if (d->verdict != KERNEL_UNDRIVEN || !strstr(d->device->id, "&CC_0380"))
			continue;
		vec_foreach (other, &result->devices)
			if (other->device->role == PC_DISPLAY &&
			    other->verdict != KERNEL_UNDRIVEN &&
			    strncmp(other->device->id, d->device->id, 12) == 0)
				d->verdict = other->verdict;
	}
}

/* What the inventory has no device of, and no list that would have it. */
static void set_unknown(const struct pc *pc, const bool seen[PC_ROLES],
			struct kernel_result *ret)
{
	static const enum pc_role roles[] = {PC_BOOT_STORAGE, PC_NETWORK, PC_DISPLAY,
					     PC_INPUT};

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		bool listed = roles[i] == PC_INPUT
				      ? pc->listed[PC_ACPI] && pc->listed[PC_USB]
				      : pc->listed[PC_PCI];

		if (!seen[roles[i]] && !listed)
			strings_push(&ret->unknown, pc_role_name(roles[i]));
	}
	if (!seen[PC_BOOT_STORAGE] || !seen[PC_DISPLAY])
		ret->verdict =
			ret->verdict == KERNEL_DRIVEN ? KERNEL_UNKNOWN : ret->verdict;
}

void kernel_check_pc(struct kernel *kernel, const struct pc *pc,
		     struct kernel_result *ret)
{
	bool seen[PC_ROLES] = {false};

	*ret = (struct kernel_result){.verdict = KERNEL_DRIVEN};
	vec_foreach (device, &pc->devices) {
		_cleanup_free_ char *modalias = NULL;
		const struct kernel_memo *memo;

		if (!kernel_role_counts(device->role))
			continue;
		modalias = kernel_modalias(device);
		memo = judge(kernel, modalias);
		seen[device->role] = true;
		vec_push(&ret->devices, (struct kernel_device){.device = device,
							       .verdict = memo->verdict,
							       .modules = &memo->modules,
							       .missing = memo->missing,
							       .builtin = memo->builtin});
	}
	forgive_second_heads(ret);
	vec_foreach (d, &ret->devices)
		if (d->verdict != KERNEL_UNKNOWN && d->verdict > ret->verdict)
			ret->verdict = d->verdict;
	set_unknown(pc, seen, ret);
}
