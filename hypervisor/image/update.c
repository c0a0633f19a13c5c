/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new version for a stick that is in use: root file system, then its entry in the
 * partition table, then its folder on the EFI system partition, the boot loader
 * (renew.c), each synced, and last the environment block of GRUB, one sector's write,
 * which makes it the next one. Stopped anywhere before that, the stick starts what it
 * started before.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/progress.h"
#include "block/fat.h"
#include "block/partition_write.h"
#include "image/grub.h"
#include "image/pack_private.h"

#define CHUNK ((size_t)1 << 20)
#define BOOT_FILE "EFI/BOOT/BOOTX64.EFI"
#define PREVIOUS_FILE "EFI/BOOT/PREVIOUS.EFI"
#define GRUB_FILE "EFI/BOOT/grubx64.efi"

struct stick {
	struct block *disk, *esp;
	struct partition_table table;
	struct partition *roots[2];   /* a and b, in the table */
	const struct partition *bios; /* or NULL */
	struct grub_environment environment;
	char used; /* the slot that must stay */
};

static void stick_close(struct stick *stick)
{
	block_close(stick->esp);
	block_close(stick->disk);
	partition_table_free(&stick->table);
}

static int no_stick(const char *path, const char *what, struct error *err)
{
	error_set(err, ERROR_FAILED, path, "was not made by gild pack: %s", what);
	return error_remedy(err, "make a new one: gild pack IMAGE --output=STICK.img");
}

/* ---- reading ---- */

static int append(void *arg, struct bytes data, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

static int read_file(struct block *esp, const char *path, size_t limit,
		     struct buffer *ret, struct error *err)
{
	_cleanup_fat_ struct fat *fat = fat_open(esp, err);
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	int found = fat ? fat_find(fat, path, &entry, NULL, err) : -1;

	if (found < 0)
		return -1;
	if (!found)
		return no_stick(esp->name, path, err);
	if (entry.size > limit)
		return error_set(err, ERROR_FAILED, path, "is too large");
	return fat_read(fat, &entry, append, ret, err);
}

static int find_partitions(struct stick *stick, const char *path, struct error *err)
{
	const struct partition *esp = NULL;
	struct guid root, bios;
	size_t roots = 0;

	(void)guid_parse(LAYOUT_TYPE_ROOT, &root);
	(void)guid_parse(MEDIA_TYPE_BIOS, &bios);
	if (partition_table_read(stick->disk, &stick->table, err) < 0)
		return -1;
	vec_foreach (p, &stick->table.partitions) {
		if (!esp && partition_is_esp(p))
			esp = p;
		if (!stick->bios && guid_equal(&p->type, &bios))
			stick->bios = p;
		if (guid_equal(&p->type, &root) && roots < 2)
			stick->roots[roots++] = p;
	}
	if (stick->table.scheme != PARTITION_GPT || !esp || roots != 2)
		return no_stick(path, "it has no two slots", err);
	if (stick->table.problems.len) {
		error_set(err, ERROR_STATE, path, "%s", stick->table.problems.items[0]);
		return error_remedy(err, "repair its partition table first (sgdisk -e)");
	}
	stick->esp =
		block_window_open(stick->disk, esp->offset, esp->size,
				  xasprintf("%s, partition %u", path, esp->number), err);
	return stick->esp ? 0 : -1;
}

/* A slot that was written but has not started a guest yet is the one to replace. */
static char used_slot(const struct grub_environment *environment)
{
	return environment->good ? environment->good : environment->slot;
}

static char other_slot(char slot)
{
	return slot == 'a' ? 'b' : 'a';
}

static int stick_open(const char *path, bool write, struct stick *stick,
		      struct error *err)
{
	_cleanup_buffer_ struct buffer block = BUFFER_INIT;

	*stick = (struct stick){.disk = block_file_open(path, write, 0, err)};
	if (!stick->disk || block_file_lock(stick->disk, err) < 0 ||
	    find_partitions(stick, path, err) < 0 ||
	    read_file(stick->esp, LAYOUT_GRUBENV, GRUB_ENVIRONMENT_SIZE, &block, err) < 0)
		return -1;
	grub_environment_read(buffer_view(&block), &stick->environment);
	stick->used = used_slot(&stick->environment);
	return 0;
}

/* A signed kernel is replaced by a signed kernel only: nothing else covers it all. */
static int check_loader(struct block *esp, bool signs, const char *path,
			struct error *err)
{
	_cleanup_fat_ struct fat *fat = fat_open(esp, err);
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	int grub = fat ? fat_find(fat, GRUB_FILE, &entry, NULL, err) : -1;

	if (grub < 0)
		return -1;
	if (grub && signs) {
		error_set(err, ERROR_USAGE, path,
			  "starts by GRUB, not by a signed kernel");
		return error_remedy(err, "leave out --sign-key, or make a new stick");
	}
	if (!grub && !signs) {
		error_set(err, ERROR_USAGE, path, "starts by a signed kernel");
		return error_remedy(err, "give --sign-key and --sign-cert");
	}
	return 0;
}

int update_open(const struct pack_options *o, struct media_files *settings, char *slot,
		struct error *err)
{
	_cleanup_(stick_close) struct stick stick = {0};
	_cleanup_buffer_ struct buffer config = BUFFER_INIT;
	_cleanup_free_ char *file = NULL;

	if (stick_open(o->update, false, &stick, err) < 0 ||
	    check_loader(stick.esp, o->sign_key != NULL, o->update, err) < 0)
		return -1;
	*slot = other_slot(stick.used);
	file = xasprintf(LAYOUT_FOLDER "/%c/config", stick.used);
	if (read_file(stick.esp, file, MEDIA_MAX_FILE, &config, err) < 0)
		return -1;
	return settings_read(buffer_view(&config), file, settings, err);
}

/* ---- writing ---- */

static int write_root(struct stick *stick, const struct partition *root,
		      const struct boot_set *set, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);

	for (uint64_t at = 0; at < set->root_size;) {
		size_t len = set->root_size - at < CHUNK ? (size_t)(set->root_size - at)
							 : CHUNK;
		ssize_t n = pread(set->root, chunk, len, (off_t)at);

		if (interrupted())
			return error_interrupted(err);
		if (n != (ssize_t)len)
			return error_errno(err, "root file system", "cannot be read");
		progress_report("writing", at, set->root_size);
		if (block_pwrite(stick->disk, chunk, len, root->offset + at, err) < 0)
			return -1;
		at += len;
	}
	return block_flush(stick->disk, err);
}

static int fill(struct stick *stick, const struct media_files *files, struct error *err)
{
	if (media_add_to_fat(stick->esp, files, err) < 0)
		return -1;
	return block_flush(stick->disk, err);
}

/* The signed kernel that was is kept under another name, for the firmware's menu. */
static int write_signed(struct stick *stick, const struct media *media, struct error *err)
{
	_cleanup_(media_files_free) struct media_files before = VEC_INIT,
						       files = VEC_INIT;
	struct buffer old = BUFFER_INIT;

	if (read_file(stick->esp, BOOT_FILE, MEDIA_MAX_FILE, &old, err) < 0)
		return -1;
	media_files_add(&before, PREVIOUS_FILE, &old);
	if (fill(stick, &before, err) < 0 || media_loader(media, "", &files, err) < 0)
		return -1;
	return fill(stick, &files, err);
}

static int write_folder(struct stick *stick, const struct media *media, char slot,
			struct error *err)
{
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;
	const char name[2] = {slot, 0};

	if (media_slot(media, name, &files, err) < 0 || fill(stick, &files, err) < 0)
		return -1;
	return media->uki.len ? write_signed(stick, media, err) : 0;
}

/* In place, as GRUB does it: one sector differs. */
static int write_environment(struct stick *stick, char slot, struct error *err)
{
	struct grub_environment environment = {slot, 3, stick->used};
	_cleanup_buffer_ struct buffer block = BUFFER_INIT;
	_cleanup_fat_ struct fat *fat = fat_open(stick->esp, err);

	grub_environment_write(&environment, &block);
	if (!fat || fat_rewrite(fat, LAYOUT_GRUBENV, buffer_view(&block), err) < 0)
		return -1;
	return block_flush(stick->disk, err);
}

/* What is about to be overwritten is no version to fall back to. */
static int forget_slot(struct stick *stick, char slot, struct error *err)
{
	_cleanup_free_ char *folder = xasprintf(LAYOUT_FOLDER "/%c", slot);
	_cleanup_fat_ struct fat *fat = NULL;

	if (write_environment(stick, stick->used, err) < 0)
		return -1;
	fat = fat_open(stick->esp, err);
	if (!fat || fat_begin(fat, err) < 0 || fat_remove(fat, folder, err) < 0 ||
	    fat_flush(fat, err) < 0)
		return -1;
	return block_flush(stick->disk, err);
}

static void report(const struct stick *stick, struct pack_result *ret)
{
	static const char *const roles[] = {"root-a", "root-b"};

	for (size_t i = 0; i < 2; i++) {
		const struct partition *p = stick->roots[i];

		vec_push(&ret->partitions,
			 (struct pack_part){roles[i], p->number, p->offset, p->size,
					    p->guid});
	}
	ret->size = stick->disk->size;
}

int update_write(const struct pack_options *o, const struct media *media,
		 struct pack_result *ret, struct error *err)
{
	_cleanup_(stick_close) struct stick stick = {0};
	struct partition *root;
	char slot = ret->slot;

	if (stick_open(o->update, true, &stick, err) < 0)
		return -1;
	if (slot != other_slot(stick.used)) {
		error_set(err, ERROR_STATE, o->update, "was used in the meantime");
		return error_remedy(err, "update it again");
	}
	root = stick.roots[slot - 'a'];
	if (root->size < media->set->root_size) {
		error_set(err, ERROR_FAILED, o->update,
			  "its slots have %ju bytes, and the root file system %ju",
			  (uintmax_t)root->size, (uintmax_t)media->set->root_size);
		return error_remedy(err, "make a new stick with larger slots "
					 "(--slot-size)");
	}
	if (forget_slot(&stick, slot, err) < 0 ||
	    write_root(&stick, root, media->set, err) < 0)
		return -1;
	root->guid = seal_guid(&media->set->seal);
	if (partition_change_gpt(stick.disk, &stick.table, err) < 0 ||
	    write_folder(&stick, media, slot, err) < 0 ||
	    renew_loader(stick.disk, stick.esp, stick.bios, media, ret, err) < 0 ||
	    write_environment(&stick, slot, err) < 0)
		return -1;
	report(&stick, ret);
	return 0;
}
