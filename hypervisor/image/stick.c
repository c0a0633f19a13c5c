/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stick or disk that starts by UEFI and BIOS: GPT with GRUB's BIOS image, an EFI system
 * partition, two root partitions (slots), the golden images, and last the state, which
 * init lets grow to the disk's end.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/draft.h"
#include "base/file.h"
#include "base/process.h"
#include "block/block.h"
#include "block/partition_write.h"
#include "image/grub.h"
#include "image/pack_private.h"

#define BIOS_SIZE MEDIA_MIB
#define ESP_LEAST (256 * MEDIA_MIB)
#define SETTINGS_ROOM (16 * MEDIA_MIB)
#define ALIGNMENT MEDIA_MIB
#define ESP_NUMBER 2
#define ROOT_A_NUMBER 3
#define SECTOR 512
#define EXT4_BLOCK 4096

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* ---- layout ---- */

struct layout {
	struct partition_table table;
	struct pack_parts *parts;
	uint64_t end;
};

static void add_part(struct layout *layout, const char *role, const char *name,
		     const char *type, uint64_t size)
{
	struct partition p = {.number = (unsigned)layout->table.partitions.len + 1,
			      .offset = layout->end,
			      .size = round_up(size, ALIGNMENT),
			      .name = xstrdup(name)};

	(void)guid_parse(type, &p.type);
	vec_push(&layout->table.partitions, p);
	vec_push(layout->parts,
		 (struct pack_part){.role = role, p.number, p.offset, p.size});
	layout->end += p.size;
}

/*
 * Two slots of kernel, initramfs and settings, and the boot loader. The settings have the
 * seals of what is yet to be written, and have to do with the room that is kept for them.
 */
static uint64_t esp_size(const struct pack_options *o, const struct media *media)
{
	uint64_t slot = media->kernel.len + media->initrd.len + SETTINGS_ROOM;
	uint64_t need = (o->sign_key ? 8 : 4) * slot + 32 * MEDIA_MIB;

	return need > ESP_LEAST ? need : ESP_LEAST;
}

/* What comes before the images, whose sizes are known when they are written. */
static void begin_layout(const struct pack_options *o, const struct media *media,
			 struct layout *layout)
{
	layout->table =
		(struct partition_table){.scheme = PARTITION_GPT, .sector_size = SECTOR};
	layout->end = ALIGNMENT;
	add_part(layout, "bios", "BIOS boot", MEDIA_TYPE_BIOS, BIOS_SIZE);
	add_part(layout, "esp", "EFI system partition", MEDIA_TYPE_ESP,
		 esp_size(o, media));
	add_part(layout, "root-a", "gild root a", LAYOUT_TYPE_ROOT, o->slot_size);
	add_part(layout, "root-b", "gild root b", LAYOUT_TYPE_ROOT, o->slot_size);
}

/* Images have theirs already. */
static void name_parts(const struct media *media, struct layout *layout)
{
	layout->table.disk_guid = media_guid(media, "disk");
	vec_foreach (part, layout->parts) {
		_cleanup_free_ char *name = xasprintf("%s-partition", part->role);

		if (strcmp(part->role, "root-a") == 0)
			part->guid = seal_guid(&media->set->seal);
		else if (strcmp(part->role, "image") != 0)
			part->guid = media_guid(media, name);
		layout->table.partitions.items[part->number - 1].guid = part->guid;
	}
}

static int check_slot(const struct pack_options *o, const struct media *media,
		      struct error *err)
{
	if (o->slot_size >= media->set->root_size)
		return 0;
	error_set(err, ERROR_USAGE, o->output,
		  "the root file system has %ju bytes, more than a slot of %ju",
		  (uintmax_t)media->set->root_size, (uintmax_t)o->slot_size);
	return error_remedy(err, "give a larger --slot-size");
}

/* ---- contents ---- */

static int write_at(int fd, struct bytes data, uint64_t offset, const char *path,
		    struct error *err)
{
	if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
		return error_errno(err, path, "cannot write");
	return file_write_all(fd, data, path, err);
}

static int esp_files(const struct media *media, size_t images, struct media_files *ret,
		     struct error *err)
{
	struct grub_environment environment = {'a', 3, 0};
	_cleanup_free_ char *settings = grub_settings_slots(images);
	struct buffer block = BUFFER_INIT;

	if (media_loader(media, GRUB_STICK_FILE, ret, err) < 0 ||
	    media_slot(media, "a", ret, err) < 0)
		return -1;
	grub_environment_write(&environment, &block);
	media_files_add(ret, LAYOUT_GRUBENV, &block);
	media_files_add_text(ret, GRUB_SETTINGS, settings);
	return 0;
}

static int write_tables(const struct draft *draft, const struct media *media,
			const struct layout *layout, struct error *err)
{
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;
	const struct partition *esp = &layout->table.partitions.items[ESP_NUMBER - 1];
	_cleanup_block_ struct block *disk = block_file_open(draft->path, true, 0, err),
				     *window = NULL;

	if (!disk || esp_files(media, media->goldens->len, &files, err) < 0)
		return -1;
	window = block_window_open(
		disk, esp->offset, esp->size,
		xasprintf("%s, partition %u", draft->output, ESP_NUMBER), err);
	if (!window || media_fill_fat(window, media, esp->offset, &files, err) < 0)
		return -1;
	return partition_write_gpt(disk, &layout->table, err);
}

/* GRUB's BIOS image in its partition, and the boot code that loads it, in the MBR. */
static int write_bios(const struct draft *draft, const struct media *media,
		      const struct layout *layout, struct error *err)
{
	_cleanup_buffer_ struct buffer core = BUFFER_INIT, code = BUFFER_INIT;
	const struct partition *bios = &layout->table.partitions.items[0];

	if (grub_core(false, GRUB_STICK_PREFIX, media->work, &core, err) < 0 ||
	    grub_install(&core, bios->offset, &code, err) < 0)
		return -1;
	if (core.len > bios->size)
		return error_set(err, ERROR_FAILED, draft->output,
				 "GRUB's BIOS image of %zu bytes is too large for its "
				 "partition",
				 core.len);
	if (write_at(draft->fd, buffer_view(&core), bios->offset, draft->output, err) < 0)
		return -1;
	return write_at(draft->fd, buffer_view(&code), 0, draft->output, err);
}

/*
 * mke2fs takes the place within the file, and its time and identifiers from us. What is
 * not written reads as zeros, so nothing has to be cleared.
 */
static int write_state(const struct draft *draft, const struct media *media,
		       const struct layout *layout, struct error *err)
{
	const struct partition *state =
		&layout->table.partitions.items[layout->table.partitions.len - 1];
	struct guid id = media_guid(media, "state");
	char uuid[GUID_TEXT_SIZE];
	_cleanup_free_ char *options = NULL, *time = NULL, *size = NULL, *path = NULL,
			    *search = NULL;

	media_guid_text(&id, uuid);
	time = xasprintf("E2FSPROGS_FAKE_TIME=%jd", (intmax_t)clock_now());
	search = xasprintf("PATH=%s:/usr/sbin:/sbin",
			   getenv("PATH") ? getenv("PATH") : "");
	options =
		xasprintf("offset=%ju,hash_seed=%s,nodiscard,assume_storage_prezeroed=1,"
			  "root_owner=0:0",
			  (uintmax_t)state->offset, uuid);
	size = xasprintf("%ju", (uintmax_t)(state->size / EXT4_BLOCK));
	path = draft->folder ? xstrdup(draft->path)
			     : xasprintf("/proc/%d/fd/%d", (int)getpid(), draft->fd);

	char *argv[] = {(char *)"env", time,
			search,	       (char *)"mke2fs",
			(char *)"-q",  (char *)"-F",
			(char *)"-t",  (char *)"ext4",
			(char *)"-b",  (char *)"4096",
			(char *)"-U",  uuid,
			(char *)"-L",  (char *)"gild-state",
			(char *)"-E",  options,
			path,	       size,
			NULL};

	if (process_run(argv, err) == 0)
		return 0;
	return error_wrap(err, draft->output, "cannot make the state's file system");
}

static int write_images(const struct pack_options *o, const struct draft *draft,
			const struct media *media, struct layout *layout,
			struct error *err)
{
	vec_foreach (golden, media->goldens) {
		if (golden->url)
			continue;
		if (golden_write(golden, &o->golden, draft->fd, layout->end,
				 draft->output, err) < 0)
			return -1;
		add_part(layout, "image", "gild image", LAYOUT_TYPE_IMAGE,
			 golden->sealed_size);
		layout->parts->items[layout->parts->len - 1].guid =
			seal_guid(&golden->seal);
	}
	if (o->state_size)
		add_part(layout, "state", "gild state", LAYOUT_TYPE_STATE, o->state_size);
	return 0;
}

static int write_root(const struct draft *draft, const struct media *media,
		      const struct layout *layout, struct error *err)
{
	return media_copy(media->set->root, 0, media->set->root_size, draft->fd,
			  layout->table.partitions.items[ROOT_A_NUMBER - 1].offset,
			  draft->output, err);
}

static int write_all(const struct pack_options *o, const struct draft *draft,
		     struct media *media, struct pack_result *ret, struct layout *layout,
		     struct error *err)
{
	if (write_images(o, draft, media, layout, err) < 0 ||
	    media_settle(o, media, ret, err) < 0)
		return -1;
	name_parts(media, layout);
	if (ftruncate(draft->fd, (off_t)(layout->end + ALIGNMENT)) < 0)
		return error_errno(err, o->output, "cannot make");
	if (write_root(draft, media, layout, err) < 0 ||
	    write_tables(draft, media, layout, err) < 0 ||
	    write_bios(draft, media, layout, err) < 0)
		return -1;
	return o->state_size ? write_state(draft, media, layout, err) : 0;
}

int stick_write(const struct pack_options *o, struct media *media,
		struct pack_result *ret, struct error *err)
{
	struct layout layout = {.parts = &ret->partitions};
	struct draft draft = {.fd = -1};
	struct stat st;
	int result = check_slot(o, media, err);

	if (result < 0)
		return -1;
	begin_layout(o, media, &layout);
	result = draft_open(&draft, o->output, false, err);
	if (result == 0)
		result = write_all(o, &draft, media, ret, &layout, err);
	if (result < 0 && err)
		draft_name(&draft, &err->subject);
	if (result == 0 && interrupted())
		result = error_interrupted(err);
	if (result == 0)
		result = draft_publish(&draft, err);
	if (result == 0 && fstat(draft.fd, &st) == 0) {
		ret->size = (uint64_t)st.st_size;
		ret->allocated = (uint64_t)st.st_blocks * 512;
	}
	draft_close(&draft);
	partition_table_free(&layout.table);
	return result;
}
