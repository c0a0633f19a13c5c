/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What makes a disk start: boot files and boot configuration on the system volume, as
 * bcdboot puts them there, and for BIOS the boot code.
 */
#include "block/fat.h"
#include "builder/boot_code.h"
#include "builder/build_private.h"
#include "windows/bcd_store.h"

#define MAX_TEMPLATE ((size_t)8 << 20)
#define MAX_LANGUAGE 32
#define ESP_LABEL "SYSTEM"
#define SECTOR 512 /* of disks that a BIOS starts */

/* The language of the boot manager: the first of the image's own. The caller's. */
static char *image_locale(struct registry *registry)
{
	_cleanup_free_ char *set = registry_current_control_set(registry, NULL);
	_cleanup_free_ char *path = NULL;
	struct hive *hive = registry_hive(registry, REGISTRY_SYSTEM, NULL);
	hkey key = 0;

	if (set && hive) {
		path = xasprintf("%s\\Control\\MUI\\UILanguages", set);
		key = hive_find(hive, hive_root(hive), path);
	}
	for (uint32_t i = 0; key && i < hive_child_count(hive, key); i++) {
		_cleanup_free_ char *name = hive_key_name(hive, hive_child(hive, key, i));

		if (name && strchr(name, '-') && strlen(name) < MAX_LANGUAGE)
			return steal_ptr(name);
	}
	return xstrdup("en-US");
}

struct boot {
	const struct build_options *options;
	const struct build_source *source;
	const struct partition_table *table;
	struct build_result *ret;
	struct tree *tree; /* of the new Windows volume */
	struct bytes seed;
	struct boot_files files;
};

static struct bcd_volume bcd_volume_of(const struct boot *b, const char *role)
{
	const struct build_part *part = build_part_of(b->ret, role);

	return (struct bcd_volume){.gpt = b->table->scheme == PARTITION_GPT,
				   .partition = part->guid,
				   .disk = b->table->disk_guid,
				   .offset = part->offset,
				   .signature = b->table->disk_signature};
}

static int write_store(const struct bcd_options *options, bool recovery,
		       struct buffer *ret, struct error *err)
{
	_cleanup_bcd_store_ struct bcd_store store = {0};
	int result = recovery ? bcd_build_recovery(options, &store, err)
			      : bcd_build(options, &store, err);

	return result < 0 ? -1 : bcd_store_write(&store, ret, err);
}

static int read_template(struct tree *tree, struct buffer *ret, struct error *err)
{
	struct tree_stat st;
	int found = tree_stat(tree, BCD_TEMPLATE, &st, err);

	if (found <= 0)
		return found;
	return tree_read(tree, BCD_TEMPLATE, MAX_TEMPLATE, ret, err);
}

/* Lists the files of the system volume, the stores among them. */
static int plan(struct boot *b, struct error *err)
{
	_cleanup_buffer_ struct buffer template = BUFFER_INIT, store = BUFFER_INIT,
				       recovery = BUFFER_INIT;
	_cleanup_registry_ struct registry *registry = registry_open(b->tree, true);
	_cleanup_free_ char *locale = image_locale(registry);
	bool uefi = b->options->firmware == BUILD_UEFI;
	struct bcd_options bcd = {.uefi = uefi,
				  .target = &b->source->target,
				  .product = b->ret->product,
				  .locale = locale,
				  .folder = "\\Windows",
				  .form = b->options->locate ? BCD_FORM_LOCATE
							     : BCD_FORM_PARTITION,
				  .system = bcd_volume_of(b, uefi ? "esp" : "windows"),
				  .windows = bcd_volume_of(b, "windows"),
				  .seed = b->seed};
	struct boot_files_options options = {
		.uefi = uefi, .ca = b->options->boot_ca, .target = &b->source->target};
	enum boot_ca ca = BOOT_CA_AUTO;

	if (read_template(b->tree, &template, err) < 0)
		return -1;
	bcd.template = buffer_view(&template);
	if (write_store(&bcd, false, &store, err) < 0 ||
	    (uefi && write_store(&bcd, true, &recovery, err) < 0))
		return -1;
	options.store = buffer_view(&store);
	options.recovery_store = buffer_view(&recovery);
	if (boot_files_plan(b->tree, &options, &b->files, &ca, err) < 0)
		return -1;
	if (uefi)
		b->ret->boot_ca = ca == BOOT_CA_2023 ? "2023" : "2011";
	vec_foreach (file, &b->files)
		if (!file->folder)
			strings_push(&b->ret->boot_files, file->target);
	return 0;
}

/* Reads what comes from the Windows volume. */
static int load(struct boot *b, struct error *err)
{
	struct strings paths = VEC_INIT;
	int result;

	vec_foreach (file, &b->files)
		if (file->source)
			strings_push(&paths, file->source);
	result = tree_prefetch(b->tree, &paths, err);
	strings_free(&paths);
	vec_foreach (file, &b->files)
		if (result == 0 && file->source)
			result = tree_read(b->tree, file->source, BOOT_FILE_SIZE_MAX,
					   &file->data, err);
	return result;
}

static int fill_esp(struct boot *b, struct block *disk, struct error *err)
{
	const struct build_part *part = build_part_of(b->ret, "esp");
	_cleanup_block_ struct block *window =
		block_window_open(disk, part->offset, part->size,
				  xasprintf("%s, the ESP", disk->name), err);
	struct fat_format_options format = {
		.hidden = part->offset, .label = ESP_LABEL, .seed = b->seed};
	_cleanup_free_ struct fat_item *items = xcalloc(b->files.len + 1, sizeof(*items));

	for (size_t i = 0; i < b->files.len; i++) {
		const struct boot_file *file = &b->files.items[i];

		items[i] = (struct fat_item){
			.path = file->target,
			.attributes = (uint8_t)(file->attributes |
						(file->folder ? FAT_ATTR_DIRECTORY : 0)),
			.data = buffer_view(&file->data)};
	}
	if (!window || fat_format(window, &format, err) < 0)
		return -1;
	return fat_fill(window, items, b->files.len, err);
}

/* BIOS: the Windows volume is the system volume, too. */
static int stage_files(struct boot *b, struct error *err)
{
	vec_foreach (file, &b->files) {
		int result = file->folder ? tree_mkdir(b->tree, file->target, err)
					  : tree_write(b->tree, file->target,
						       buffer_view(&file->data), 0, err);

		if (result < 0 ||
		    (file->attributes && tree_set_attributes(b->tree, file->target,
							     file->attributes, err) < 0))
			return -1;
	}
	return 0;
}

static int install_boot_code(const struct boot *b, struct block *disk, struct error *err)
{
	const struct build_part *part = build_part_of(b->ret, "windows");
	_cleanup_block_ struct block *window =
		block_window_open(disk, part->offset, part->size,
				  xasprintf("%s, partition 1", disk->name), err);

	return window ? boot_code_install(window, part->offset / SECTOR, disk->size, err)
		      : -1;
}

int build_boot(const struct build_options *options, const struct build_source *source,
	       const struct partition_table *table, struct bytes seed, struct block *disk,
	       struct build_result *ret, struct error *err)
{
	_cleanup_image_ struct image *image =
		image_open_block(disk, build_format_name(options->format), err);
	struct boot b = {.options = options,
			 .source = source,
			 .table = table,
			 .ret = ret,
			 .seed = seed};
	int result = -1;

	b.tree = image ? image_tree(image, 0, err) : NULL;
	if (b.tree && plan(&b, err) == 0)
		result = load(&b, err);
	if (result == 0 && options->firmware == BUILD_UEFI)
		result = fill_esp(&b, disk, err);
	else if (result == 0 && stage_files(&b, err) < 0)
		result = -1;
	else if (result == 0)
		result = image_commit(image, NULL, NULL, err);
	if (result == 0 && options->firmware == BUILD_BIOS)
		result = install_boot_code(&b, disk, err);
	boot_files_free(&b.files);
	return result;
}
