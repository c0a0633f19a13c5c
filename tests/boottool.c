/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the scripts on starting need of the builder's parts, each for itself:
 *
 *   boottool bcd OPTION... OUT          a new store
 *   boottool generalize FOLDER PATH     a store in a folder, and what was changed
 *   boottool devices STORE              device elements: object, element, what they name,
 *                                       and "same" or "other" for the bytes written again
 *   boottool files OPTION... TREE OUT   the files of the system volume into a new folder
 *   boottool mbr DISK                   boot code into a disk
 *   boottool ntfs DISK OFFSET           boot code into the NTFS volume at a byte
 *
 * Options: --bios, --target=10.0.19041/amd64/client, --template=FILE, --locale=LOCALE,
 * --folder=\Windows, --form=partition|locate|boot, --system=V, --windows=V, --recovery=V
 * (V is DISK-GUID/PARTITION-GUID, or SIGNATURE/OFFSET), --recovery-store, --ca=2011|2023,
 * --store=FILE. The exit code is gild's for the error.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "builder/boot_code.h"
#include "builder/bootfiles.h"
#include "windows/bcd_store.h"

#define FILE_MAX ((size_t)1 << 30)

struct options {
	struct bcd_options bcd;
	struct boot_files_options files;
	struct target target;
	struct buffer template, store;
	struct bcd_volume recovery;
	bool recovery_store;
	const char *args[3];
	size_t count;
};

_Noreturn static void usage(const char *what)
{
	fprintf(stderr, "boottool: %s\n", what);
	exit(ERROR_USAGE);
}

static struct bcd_volume volume(const char *text)
{
	struct bcd_volume v = {0};
	const char *slash = strchr(text, '/');
	_cleanup_free_ char *disk = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;

	if (!slash)
		usage("a volume is DISK/PARTITION");
	v.gpt = guid_parse(disk, &v.disk) && guid_parse(slash + 1, &v.partition);
	if (!v.gpt) {
		v.signature = (uint32_t)strtoul(disk, NULL, 0);
		v.offset = strtoull(slash + 1, NULL, 0);
	}
	return v;
}

static bool value_of(const char *arg, const char *name, const char **ret)
{
	size_t len = strlen(name);

	if (strncmp(arg, name, len) != 0)
		return false;
	*ret = arg + len;
	return true;
}

static enum bcd_form form(const char *v)
{
	if (strcmp(v, "locate") == 0)
		return BCD_FORM_LOCATE;
	return strcmp(v, "boot") == 0 ? BCD_FORM_BOOT : BCD_FORM_PARTITION;
}

static int option(struct options *o, const char *arg, struct error *err)
{
	const char *v;

	if (strcmp(arg, "--bios") == 0)
		o->bcd.uefi = false;
	else if (strcmp(arg, "--recovery-store") == 0)
		o->recovery_store = true;
	else if (value_of(arg, "--target=", &v))
		return target_parse(v, &o->target, err);
	else if (value_of(arg, "--template=", &v))
		return file_read(v, FILE_MAX, &o->template, err);
	else if (value_of(arg, "--store=", &v))
		return file_read(v, FILE_MAX, &o->store, err);
	else if (value_of(arg, "--locale=", &v))
		o->bcd.locale = v;
	else if (value_of(arg, "--folder=", &v))
		o->bcd.folder = v;
	else if (value_of(arg, "--form=", &v))
		o->bcd.form = form(v);
	else if (value_of(arg, "--system=", &v))
		o->bcd.system = volume(v);
	else if (value_of(arg, "--windows=", &v))
		o->bcd.windows = volume(v);
	else if (value_of(arg, "--recovery=", &v))
		o->recovery = volume(v), o->bcd.recovery = &o->recovery;
	else if (value_of(arg, "--ca=", &v))
		o->files.ca = strcmp(v, "2023") == 0 ? BOOT_CA_2023 : BOOT_CA_2011;
	else if (arg[0] == '-' || o->count == ARRAY_SIZE(o->args))
		usage(arg);
	else
		o->args[o->count++] = arg;
	return 0;
}

static int build_store(struct options *o, struct error *err)
{
	_cleanup_bcd_store_ struct bcd_store store = {0};
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;
	int ret;

	o->bcd.template = buffer_view(&o->template);
	o->bcd.seed = (struct bytes){(const uint8_t *)"test", 4};
	ret = o->recovery_store ? bcd_build_recovery(&o->bcd, &store, err)
				: bcd_build(&o->bcd, &store, err);
	if (ret < 0 || bcd_store_write(&store, &out, err) < 0)
		return -1;
	return file_replace(o->args[0], buffer_view(&out), err);
}

static int generalize(struct options *o, struct error *err)
{
	struct image_options options = {.write = true};
	struct image *image = image_open(o->args[0], &options, err);
	struct tree *tree = image ? image_tree(image, 0, err) : NULL;
	struct strings changed = VEC_INIT;
	int ret = tree ? bcd_generalize(tree, o->args[1], false, &changed, err) : -1;

	if (ret > 0 && image_commit(image, NULL, NULL, err) < 0)
		ret = -1;
	vec_foreach (line, &changed)
		puts(*line);
	strings_free(&changed);
	image_close(image);
	return ret < 0 ? -1 : 0;
}

static void print_device(const struct bcd_object *object,
			 const struct bcd_element *element)
{
	_cleanup_bcd_device_ struct bcd_device device = {0};
	_cleanup_buffer_ struct buffer again = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;
	char guid[GUID_TEXT_SIZE];
	const char *same = "-";

	guid_format(&object->guid, guid);
	if (bcd_device_parse(buffer_view(&element->data), &device)) {
		text = bcd_device_text(&device);
		if (device.kind != BCD_DEVICE_UNKNOWN) {
			bcd_device_format(&device, &again);
			same = bytes_equal(buffer_view(&again),
					   buffer_view(&element->data))
				       ? "same"
				       : "other";
		}
	}
	printf("%s %08x %s %s\n", guid, element->type, same, text ? text : "damaged");
}

static int devices(struct options *o, struct error *err)
{
	_cleanup_bcd_store_ struct bcd_store store = {0};
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;

	if (file_read(o->args[0], FILE_MAX, &file, err) < 0 ||
	    bcd_store_parse(buffer_view(&file), o->args[0], &store, err) < 0)
		return -1;
	vec_foreach (object, &store.objects)
		vec_foreach (element, &object->elements)
			if (bcd_element_format(element->type) == BCD_FORMAT_DEVICE)
				print_device(object, element);
	return 0;
}

static int write_file(struct tree *tree, const struct boot_file *file, const char *folder,
		      struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, file->target);

	for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		(void)mkdir(path, 0777);
		*p = '/';
	}
	printf("%02x %s\n", file->attributes, file->target);
	if (file->folder)
		return mkdir(path, 0777) < 0 ? error_errno(err, path, "mkdir") : 0;
	if (file->source)
		return tree_extract(tree, file->source, path, err);
	return file_replace(path, buffer_view(&file->data), err);
}

static int files(struct options *o, struct error *err)
{
	struct image_options options = {0};
	struct image *image = image_open(o->args[0], &options, err);
	struct tree *tree = image ? image_tree(image, 0, err) : NULL;
	_cleanup_boot_files_ struct boot_files list = VEC_INIT;
	enum boot_ca ca;
	int ret = -1;

	o->files.uefi = o->bcd.uefi;
	o->files.store = buffer_view(&o->store);
	if (o->recovery_store)
		o->files.recovery_store = buffer_view(&o->store);
	if (tree)
		ret = boot_files_plan(tree, &o->files, &list, &ca, err);
	if (ret == 0)
		printf("ca %s\n", ca == BOOT_CA_2023 ? "2023" : "2011");
	vec_foreach (file, &list)
		if (ret == 0)
			ret = write_file(tree, file, o->args[1], err);
	image_close(image);
	return ret;
}

/* ---- boot code ---- */

static int install_mbr(struct options *o, struct error *err)
{
	_cleanup_block_ struct block *disk = block_file_open(o->args[0], true, 0, err);

	return disk && boot_code_install_mbr(disk, err) == 0 ? block_flush(disk, err)
							     : -1;
}

static int install_ntfs(struct options *o, struct error *err)
{
	_cleanup_block_ struct block *disk = block_file_open(o->args[0], true, 0, err);
	uint64_t offset = strtoull(o->args[1], NULL, 0);
	struct block *volume = disk ? block_window_open(disk, offset, disk->size - offset,
							xstrdup("volume"), err)
				    : NULL;
	int ret = volume ? boot_code_install(volume, offset / 512, disk->size, err) : -1;

	block_close(volume);
	return ret < 0 ? -1 : block_flush(disk, err);
}

static const struct {
	const char *name;
	size_t args;
	int (*run)(struct options *o, struct error *err);
} commands[] = {
	{"bcd", 1, build_store}, {"generalize", 2, generalize}, {"devices", 1, devices},
	{"files", 2, files},	 {"mbr", 1, install_mbr},	{"ntfs", 2, install_ntfs},
};

int main(int argc, char **argv)
{
	struct options o = {.bcd = {.uefi = true,
				    .locale = "en-US",
				    .folder = "\\Windows",
				    .recovery_folder = "\\Recovery\\WindowsRE"}};
	struct error err = ERROR_INIT;
	int code;

	o.bcd.target = o.files.target = &o.target;
	(void)target_parse("10.0.19041/amd64/client", &o.target, NULL);
	for (int i = 2; i < argc && !err.code; i++)
		(void)option(&o, argv[i], &err);
	for (size_t i = 0; i < ARRAY_SIZE(commands) && argc > 1 && !err.code; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (o.count != commands[i].args)
			usage("wrong number of arguments");
		(void)commands[i].run(&o, &err);
		goto done;
	}
	if (!err.code)
		usage("unknown command");
done:
	code = (int)err.code;
	if (code) {
		_cleanup_free_ char *message = error_message(&err);

		fprintf(stderr, "boottool: %s\n", message);
	}
	error_clear(&err);
	buffer_free(&o.template);
	buffer_free(&o.store);
	return code;
}
