/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * imagetool: the contents of the bootable image without a medium, for the tests.
 *	imagetool make FOLDER [KEY=VALUE]...	writes initrd, root.img, config and net;
 *		kernel= sysroot= firmware= module= init= console= reader= no-cache=1
 *	imagetool seal FILE			seals it; prints its seal
 *	imagetool check FILE SEAL [FIRST COUNT]
 *	imagetool closure SYSROOT PATH...	libraries of programs
 *	imagetool modules FOLDER		class, early, file, of the chosen modules
 *	imagetool losses FOLDER INVENTORY...	what PCs lose by the choice
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "hwprofiles/inventory.h"
#include "image/elf.h"
#include "image/modules.h"
#include "image/rootfs.h"

static int complain(const struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	fprintf(stderr, "%s\n", text);
	return err->code ? (int)err->code : 1;
}

/* ---- make ---- */

static int set_option(struct boot_options *o, const char *word, struct error *err)
{
	const char *value = strchr(word, '=');
	const struct {
		const char *key;
		const char **target;
	} keys[] = {{"kernel=", &o->kernel},	     {"sysroot=", &o->sysroot},
		    {"firmware=", &o->firmware_dir}, {"init=", &o->init},
		    {"console=", &o->console},	     {"reader=", &o->reader}};

	if (!value)
		return error_set(err, ERROR_USAGE, word, "is no KEY=VALUE");
	if (strncmp(word, "module=", 7) == 0) {
		strings_push(&o->modules, value + 1);
		return 0;
	}
	if (strncmp(word, "no-cache=", 9) == 0) {
		o->no_cache = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strncmp(word, keys[i].key, strlen(keys[i].key)) != 0)
			continue;
		*keys[i].target = value + 1;
		return 0;
	}
	return error_set(err, ERROR_USAGE, word, "is not known");
}

static int write_out(const char *folder, const char *name, int fd, uint64_t size,
		     struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	_cleanup_free_ uint8_t *data = xmalloc(size);
	_cleanup_close_ int out =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (out < 0)
		return error_errno(err, path, "cannot create");
	if (file_read_at(fd, data, size, 0, name, err) < 0)
		return -1;
	return file_write_all(out, (struct bytes){data, size}, path, err);
}

static int write_archives(const char *folder, const struct boot_set *set,
			  struct error *err)
{
	static const struct config_file files[] = {
		{"etc/gild/init.conf", {(const uint8_t *)"windows=10.0\n", 13}, false},
		{"etc/gild/wpa.conf", {(const uint8_t *)"network={}\n", 11}, true},
		{"etc/gild/images/a.conf", {(const uint8_t *)"image=x\n", 8}, false},
	};
	_cleanup_free_ char *config = xasprintf("%s/config", folder);
	_cleanup_free_ char *net = xasprintf("%s/net", folder);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT, root = BUFFER_INIT;

	if (config_archive(files, ARRAY_SIZE(files), &data, err) < 0 ||
	    file_replace(config, buffer_view(&data), err) < 0 ||
	    root_archive(set, &root, err) < 0)
		return -1;
	return file_replace(net, buffer_view(&root), err);
}

static void print_set(const struct boot_set *set)
{
	char seal[SEAL_TEXT_SIZE];

	seal_format(&set->seal, seal);
	printf("kernel\t%s\t%s\n", set->kernel_version, set->kernel_path);
	printf("seal\t%s\n", seal);
	printf("root\t%" PRIu64 "\ninitrd\t%" PRIu64 "\n", set->root_size,
	       set->initrd_size);
	printf("cached\t%d\n", set->cached);
	vec_foreach (part, &set->parts)
		printf("part\t%s\t%" PRIu64 "\t%" PRIu64 "\n", part->name, part->files,
		       part->bytes);
	vec_foreach (class, &set->classes)
		printf("class\t%s\t%zu\t%" PRIu64 "\n", class->name, class->modules.len,
		       class->bytes);
	printf("early\t%zu\n", set->early.len);
	vec_foreach (text, &set->left_out)
		printf("left-out\t%s\n", *text);
	vec_foreach (text, &set->missing_firmware)
		printf("missing\t%s\n", *text);
}

static int make(const char *folder, char **words, struct error *err)
{
	struct boot_options options = {0};
	struct boot_set set;
	int result = 0;

	for (; *words && result == 0; words++)
		result = set_option(&options, *words, err);
	if (result == 0)
		result = boot_set_make(&options, &set, err);
	strings_free(&options.modules);
	if (result < 0)
		return -1;
	print_set(&set);
	result = write_out(folder, "initrd", set.initrd, set.initrd_size, err);
	if (result == 0)
		result = write_out(folder, "root.img", set.root, set.root_size, err);
	if (result == 0)
		result = write_archives(folder, &set, err);
	boot_set_free(&set);
	return result;
}

/* ---- seals ---- */

static int seal(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	char text[SEAL_TEXT_SIZE];
	struct stat st;
	struct seal s;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, path, "cannot open");
	if (seal_make(fd, 0, (uint64_t)st.st_size, path, &s, err) < 0)
		return -1;
	seal_format(&s, text);
	printf("%s\n", text);
	return 0;
}

static int check(const char *path, char **words, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct seal s;

	if (fd < 0)
		return error_errno(err, path, "cannot open");
	if (!*words || seal_parse(*words, "seal", &s, NULL) < 0)
		return error_set(err, ERROR_USAGE, *words, "is no seal");
	return seal_check(fd, 0, &s, words[1] ? strtoull(words[1], NULL, 10) : 0,
			  words[1] && words[2] ? strtoull(words[2], NULL, 10) : s.blocks,
			  path, err);
}

/* ---- programs and modules ---- */

static int closure(const char *sysroot, char **paths, struct error *err)
{
	struct elf_closure c;
	int result = 0;

	elf_closure_init(&c, sysroot);
	for (; *paths && result == 0; paths++) {
		_cleanup_free_ char *source = sysroot_file(sysroot, *paths);

		result = source ? elf_closure_add(&c, *paths, source, err)
				: error_set(err, ERROR_FAILED, *paths, "is not there");
	}
	vec_foreach (file, &c.files)
		if (result == 0)
			printf("%s\t%s\n", file->path, file->source);
	elf_closure_free(&c);
	return result;
}

static int list_modules(const char *where, struct error *err)
{
	const struct strings none = VEC_INIT;
	struct modules modules;

	if (modules_choose(where, &none, &modules, err) < 0)
		return -1;
	vec_foreach (m, &modules.list)
		printf("%s\t%s\t%s\n", module_class_name(m->class),
		       m->early ? "early" : "-", m->file);
	modules_free(&modules);
	return 0;
}

struct losing {
	struct module_losses losses;
	struct modules modules;
};

static int add_pc(struct pc *pc, void *arg, struct error *err _unused_)
{
	struct losing *l = arg;

	(void)module_losses_add(&l->losses, &l->modules, pc);
	return 0;
}

static int list_losses(const char *where, char **inventories, struct error *err)
{
	const struct strings none = VEC_INIT;
	struct losing l = {0};
	int result = modules_choose(where, &none, &l.modules, err);

	if (result < 0)
		return -1;
	for (; *inventories && result == 0; inventories++)
		result = inventory_read(*inventories, add_pc, &l, err);
	module_losses_sort(&l.losses);
	if (result == 0)
		printf("%zu PCs, %zu lose something\n", l.losses.pcs, l.losses.losing);
	vec_foreach (loss, &l.losses.list)
		if (result == 0)
			printf("%zu\t%s\t%s\t%s\t%s\n", loss->pcs,
			       pc_role_name(loss->role), loss->device, loss->modules,
			       loss->name ? loss->name : "-");
	module_losses_free(&l.losses);
	modules_free(&l.modules);
	return result;
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	const char *what = argc > 2 ? argv[1] : "";
	int result;

	if (strcmp(what, "make") == 0)
		result = make(argv[2], argv + 3, &err);
	else if (strcmp(what, "seal") == 0)
		result = seal(argv[2], &err);
	else if (strcmp(what, "check") == 0)
		result = check(argv[2], argv + 3, &err);
	else if (strcmp(what, "closure") == 0)
		result = closure(argv[2], argv + 3, &err);
	else if (strcmp(what, "modules") == 0)
		result = list_modules(argv[2], &err);
	else if (strcmp(what, "losses") == 0)
		result = list_losses(argv[2], argv + 3, &err);
	else
		result = error_set(&err, ERROR_USAGE, what, "is not known");
	return result < 0 ? complain(&err) : 0;
}
