/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/rootfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "image/cache.h"
#include "image/files.h"
#include "image/firmware.h"
#include "image/initrd.h"
#include "image/modules_index.h"
#include "image/programs.h"

/* ---- the kernel ---- */

/* Kernels for guests of clouds have no drivers for PCs. */
static bool for_pcs(const char *version)
{
	return !strstr(version, "-cloud-");
}

static char *modules_folder(const char *sysroot, const char *version)
{
	static const char *const places[] = {"lib/modules", "usr/lib/modules"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *folder =
			xasprintf("%s/%s/%s", sysroot, places[i], version);
		_cleanup_free_ char *kernel = xasprintf("%s/kernel", folder);

		if (access(kernel, F_OK) == 0)
			return steal_ptr(folder);
	}
	return NULL;
}

/* The newest version in /boot that has its modules; NULL: none. */
static char *newest(const char *sysroot)
{
	_cleanup_free_ char *boot = xasprintf("%s/boot", sysroot), *best = NULL;
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(boot, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *folder = NULL;
		const char *version;

		if (strncmp(*name, "vmlinuz-", strlen("vmlinuz-")) != 0)
			continue;
		version = *name + strlen("vmlinuz-");
		if (!for_pcs(version))
			continue;
		folder = modules_folder(sysroot, version);
		if (!folder || (best && strverscmp(version, best) < 0))
			continue;
		free(best);
		best = xstrdup(version);
	}
	return steal_ptr(best);
}

static int find_kernel(const struct boot_options *options, const char *sysroot,
		       struct boot_set *ret, char **folder, struct error *err)
{
	_cleanup_free_ char *boot = xasprintf("%s/boot", sysroot);
	struct stat st;

	ret->kernel_version =
		options->kernel ? xstrdup(options->kernel) : newest(sysroot);
	if (!ret->kernel_version) {
		error_set(err, ERROR_FAILED, boot,
			  "has no Linux kernel for PCs whose "
			  "modules are there, too");
		return error_remedy(err, "apt-get install linux-image-amd64");
	}
	if (strchr(ret->kernel_version, '/'))
		return error_set(err, ERROR_USAGE, ret->kernel_version,
				 "is no version of a kernel");
	ret->kernel_path = xasprintf("%s/vmlinuz-%s", boot, ret->kernel_version);
	*folder = modules_folder(sysroot, ret->kernel_version);
	if (*folder && access(ret->kernel_path, R_OK) == 0) {
		/* Or the same input would be another image, and compressed anew, each
		 * time. */
		if (stat(ret->kernel_path, &st) == 0 && st.st_mtime > 0)
			clock_begin(st.st_mtime);
		return 0;
	}
	if (access(ret->kernel_path, R_OK) < 0)
		error_errno(err, ret->kernel_path, "cannot be read");
	else
		error_set(err, ERROR_FAILED, ret->kernel_version,
			  "has no modules in "
			  "/lib/modules");
	return error_remedy(err, "apt-get install linux-image-%s", ret->kernel_version);
}

/* ---- the root file system ---- */

static void add_text(struct image_files *files, const char *path, const char *text)
{
	image_files_bytes(files, path,
			  (struct bytes){(const uint8_t *)text, strlen(text)}, 0644,
			  NULL);
}

/*
 * Empty folders are mount points, or places for what programs keep while they run; user
 * 990 is QEMU's (init/session_run.c).
 */
static void add_frame(struct image_files *files)
{
	static const char *const folders[] = {
		"/dev",	  "/etc/gild", "/media", "/proc",    "/run",
		"/state", "/sys",      "/tmp",	 "/usr/bin", "/usr/sbin",
	};
	static const char *const links[][2] = {
		{"/bin", "usr/bin"},	       {"/lib", "usr/lib"},
		{"/lib64", "usr/lib64"},       {"/sbin", "usr/sbin"},
		{"/var/run", "/run"},	       {"/var/lib", "/run/lib"},
		{"/var/tmp", "/tmp"},	       {"/etc/resolv.conf", "/run/resolv.conf"},
		{"/etc/mtab", "/proc/mounts"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		image_files_folder(files, folders[i], 0755);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		image_files_link(files, links[i][0], links[i][1]);
	add_text(files, "/etc/passwd",
		 "root:x:0:0:root:/:/usr/sbin/nologin\n"
		 "dhcpcd:x:989:989:dhcpcd:/run/dhcpcd:/usr/sbin/nologin\n"
		 "wifi:x:991:991:wpa_supplicant:/run/gild:/usr/sbin/nologin\n"
		 "gild:x:990:990:guest:/run/gild/guests:/usr/sbin/nologin\n"
		 "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
	add_text(
		files, "/etc/group",
		"root:x:0:\ndhcpcd:x:989:\ngild:x:990:\nwifi:x:991:\nnogroup:x:65534:\n");
	add_text(files, "/etc/nsswitch.conf",
		 "passwd: files\ngroup: files\nhosts: files dns\n");
	add_text(files, "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
}

static int fill(struct image_files *files, const struct boot_options *options,
		const char *sysroot, const struct modules *modules, struct boot_set *set,
		struct error *err)
{
	add_frame(files);
	if (programs_add_own(files, "gild-init", options->init, "/init", err) < 0 ||
	    programs_add_own(files, "gild-console", options->console,
			     "/usr/bin/gild-console", err) < 0 ||
	    programs_add_own(files, "gild-reader", options->reader,
			     "/usr/bin/gild-reader", err) < 0 ||
	    programs_add(files, sysroot, &set->left_out, err) < 0 ||
	    programs_add_libraries(files, sysroot, err) < 0 ||
	    firmware_add(files, modules, options->firmware_dir, &set->missing_firmware,
			 err) < 0 ||
	    modules_add(files, modules, false, err) < 0)
		return -1;
	return image_files_finish(files, err);
}

/* Compressed and sealed. */
static int make_root(struct image_files *files, struct boot_set *set, struct error *err)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, err);
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (!folder)
		return -1;
	path = xasprintf("%s/root.img", folder);
	if (image_files_squashfs(files, path, err) < 0)
		return -1;
	set->root = open(path, O_RDWR | O_CLOEXEC);
	if (set->root < 0 || fstat(set->root, &st) < 0)
		return error_errno(err, path, "cannot open");
	if (seal_make(set->root, 0, (uint64_t)st.st_size, "root file system", &set->seal,
		      err) < 0)
		return -1;
	set->root_size = seal_size((uint64_t)st.st_size);
	return 0;
}

static int write_root(struct image_files *files, bool no_cache, struct boot_set *set,
		      struct error *err)
{
	char key[CACHE_KEY], note[CACHE_NOTE];

	if (no_cache)
		return make_root(files, set, err);
	if (cache_key(files, "root", key, err) < 0)
		return -1;
	set->root = cache_get(key, &set->root_size, note);
	if (set->root >= 0 && seal_parse(note, key, &set->seal, NULL) == 0) {
		set->cached = true;
		return 0;
	}
	closep(&set->root);
	if (make_root(files, set, err) < 0)
		return -1;
	seal_format(&set->seal, note);
	cache_put(key, set->root, set->root_size, note);
	return 0;
}

static int make_initrd(struct image_files *files, struct boot_set *set, struct error *err)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, err);
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (!folder)
		return -1;
	path = xasprintf("%s/initrd", folder);
	set->initrd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (set->initrd < 0)
		return error_errno(err, path, "cannot create");
	if (image_files_cpio(files, set->initrd, "initrd", err) < 0)
		return -1;
	if (fstat(set->initrd, &st) < 0)
		return error_errno(err, path, "cannot read");
	set->initrd_size = (uint64_t)st.st_size;
	return 0;
}

static int write_initrd(struct image_files *files, bool no_cache, struct boot_set *set,
			struct error *err)
{
	char key[CACHE_KEY], note[CACHE_NOTE];

	if (no_cache)
		return make_initrd(files, set, err);
	if (cache_key(files, "initrd", key, err) < 0)
		return -1;
	set->initrd = cache_get(key, &set->initrd_size, note);
	if (set->initrd >= 0)
		return 0;
	if (make_initrd(files, set, err) < 0)
		return -1;
	cache_put(key, set->initrd, set->initrd_size, "initrd");
	return 0;
}

/* ---- the account ---- */

static int by_bytes(const void *a, const void *b)
{
	const struct boot_part *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void account_parts(const struct image_files *files, struct boot_set *set)
{
	vec_foreach (file, &files->list) {
		struct boot_part *row = NULL;

		if (!file->part)
			continue;
		vec_foreach (part, &set->parts)
			if (strcmp(part->name, file->part) == 0)
				row = part;
		if (!row) {
			vec_push(&set->parts,
				 (struct boot_part){xstrdup(file->part), 0, 0});
			row = &set->parts.items[set->parts.len - 1];
		}
		row->files++;
		row->bytes += file->size;
	}
	if (set->parts.len)
		qsort(set->parts.items, set->parts.len, sizeof(*set->parts.items),
		      by_bytes);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void account_modules(const struct modules *modules, struct boot_set *set)
{
	for (int i = 0; i < MODULE_CLASSES; i++) {
		struct boot_class class = {xstrdup(module_class_name(i)), VEC_INIT, 0};

		vec_foreach (module, &modules->list) {
			if ((int)module->class != i)
				continue;
			strings_push(&class.modules, module->name);
			class.bytes += module->size;
		}
		if (class.modules.len)
			qsort(class.modules.items, class.modules.len, sizeof(char *),
			      by_text);
		vec_push(&set->classes, class);
	}
	vec_foreach (module, &modules->list)
		if (module->early)
			strings_push(&set->early, module->name);
	if (set->early.len)
		qsort(set->early.items, set->early.len, sizeof(char *), by_text);
}

/* ---- all of it ---- */

static int make(const struct boot_options *options, const char *sysroot,
		const struct modules *modules, struct boot_set *ret, struct error *err)
{
	struct image_files root = {0}, initrd = {0};
	int result = fill(&root, options, sysroot, modules, ret, err);

	if (result == 0)
		result = initrd_fill(&initrd, options, modules, err);
	if (result == 0)
		result = write_root(&root, options->no_cache, ret, err);
	if (result == 0)
		result = write_initrd(&initrd, options->no_cache, ret, err);
	if (result == 0) {
		account_parts(&root, ret);
		account_modules(modules, ret);
	}
	image_files_free(&root);
	image_files_free(&initrd);
	return result;
}

int boot_set_make(const struct boot_options *options, struct boot_set *ret,
		  struct error *err)
{
	const char *sysroot = options->sysroot ? options->sysroot : "";
	_cleanup_free_ char *folder = NULL;
	struct modules modules = {0};
	int result;

	*ret = (struct boot_set){.initrd = -1, .root = -1};
	if (strspn(sysroot, "/") == strlen(sysroot))
		sysroot = "";
	result = find_kernel(options, sysroot, ret, &folder, err);
	if (result == 0)
		result = modules_choose(folder, &options->modules, &modules, err);
	if (result == 0) {
		result = make(options, sysroot, &modules, ret, err);
		modules_free(&modules);
	}
	if (result < 0)
		boot_set_free(ret);
	return result;
}

void boot_set_free(struct boot_set *set)
{
	free(set->kernel_path);
	free(set->kernel_version);
	closep(&set->initrd);
	closep(&set->root);
	vec_foreach (part, &set->parts)
		free(part->name);
	vec_free(&set->parts);
	vec_foreach (class, &set->classes) {
		free(class->name);
		strings_free(&class->modules);
	}
	vec_free(&set->classes);
	strings_free(&set->early);
	strings_free(&set->missing_firmware);
	strings_free(&set->left_out);
	*set = (struct boot_set){.initrd = -1, .root = -1};
}
