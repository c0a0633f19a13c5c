/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/media.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "block/fat.h"
#include "image/grub.h"

#define CHUNK ((size_t)1 << 20)
#define SHIM "/usr/lib/shim/shimx64.efi.signed"
#define MOK_MANAGER "/usr/lib/shim/mmx64.efi.signed"
#define SIGNED_GRUB "/usr/lib/grub/x86_64-efi-signed"

/* ---- files ---- */

void media_files_free(struct media_files *files)
{
	vec_foreach (file, files) {
		free(file->path);
		buffer_free(&file->data);
	}
	vec_free(files);
}

void media_files_add(struct media_files *files, const char *path, struct buffer *data)
{
	vec_push(files, (struct media_file){xstrdup(path), *data});
	*data = (struct buffer)BUFFER_INIT;
}

void media_files_add_text(struct media_files *files, const char *path, const char *text)
{
	struct buffer data = BUFFER_INIT;

	buffer_append_string(&data, text);
	media_files_add(files, path, &data);
}

int media_read(const char *path, const char *package, struct buffer *ret,
	       struct error *err)
{
	if (access(path, R_OK) < 0) {
		error_errno(err, path, "cannot be read");
		return error_remedy(err, "install the Debian package %s", package);
	}
	return file_read(path, MEDIA_MAX_FILE, ret, err);
}

/* ---- identifiers ---- */

struct guid media_guid(const struct media *media, const char *name)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	buffer_append(&b, media->seed.bytes, sizeof(media->seed.bytes));
	buffer_append_string(&b, name);
	return guid_from(buffer_view(&b));
}

void media_guid_text(const struct guid *guid, char text[GUID_TEXT_SIZE])
{
	guid_format(guid, text);
	memmove(text, text + 1, GUID_TEXT_SIZE - 1);
	text[36] = '\0';
}

/* ---- copying ---- */

/* The next byte that is data; `end` if there is none. */
static uint64_t next_data(int fd, uint64_t at, uint64_t end)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : at;
	return (uint64_t)data < end ? (uint64_t)data : end;
}

int media_copy(int from, uint64_t from_offset, uint64_t size, int to, uint64_t to_offset,
	       const char *path, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);
	uint64_t end = from_offset + size, at = from_offset;

	for (;;) {
		size_t len;

		at = next_data(from, at, end);
		if (at >= end)
			return 0;
		if (interrupted())
			return error_interrupted(err);
		progress_report("writing", at - from_offset, size);
		len = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		if (file_read_at(from, chunk, len, at, path, err) < 0 ||
		    file_write_sparse(to, chunk, len, to_offset + (at - from_offset),
				      path, err) < 0)
			return -1;
		at += len;
	}
}

/* ---- what all media have ---- */

char *media_folder(const char *slot)
{
	return slot ? xasprintf("%s/%s", LAYOUT_FOLDER, slot) : xstrdup(LAYOUT_FOLDER);
}

static void add_copy(struct media_files *files, const char *folder, const char *name,
		     const struct buffer *data)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	struct buffer copy = BUFFER_INIT;

	buffer_append(&copy, data->data, data->len);
	media_files_add(files, path, &copy);
}

int media_slot(const struct media *media, const char *slot, struct media_files *ret,
	       struct error *err)
{
	_cleanup_free_ char *folder = media_folder(slot);
	_cleanup_free_ char *cmdline = xasprintf("%s\n", media->cmdline);
	_cleanup_free_ char *cmdline_path = xasprintf("%s/cmdline", folder);
	_cleanup_free_ char *menu_path = xasprintf("%s/menu.cfg", folder);
	_cleanup_free_ char *menu =
		grub_menu(folder, media->cmdline, media->goldens, media->start, err);

	if (!menu)
		return -1;
	add_copy(ret, folder, "vmlinuz", &media->kernel);
	add_copy(ret, folder, "initrd", &media->initrd);
	add_copy(ret, folder, "config", &media->config);
	media_files_add_text(ret, cmdline_path, cmdline);
	media_files_add_text(ret, menu_path, menu);
	return 0;
}

int media_loader(const struct media *media, const char *grub, struct media_files *ret,
		 struct error *err)
{
	_cleanup_free_ char *grub_path = xasprintf("%s/%s", SIGNED_GRUB, grub);
	struct buffer data = BUFFER_INIT;

	if (media->uki.len) {
		add_copy(ret, "EFI/BOOT", "BOOTX64.EFI", &media->uki);
		return 0;
	}
	if (media_read(SHIM, "shim-signed", &data, err) < 0)
		return -1;
	media_files_add(ret, "EFI/BOOT/BOOTX64.EFI", &data);
	if (media_read(MOK_MANAGER, "shim-signed", &data, err) < 0)
		return -1;
	media_files_add(ret, "EFI/BOOT/mmx64.efi", &data);
	if (media_read(grub_path, "grub-efi-amd64-signed", &data, err) < 0)
		return -1;
	media_files_add(ret, "EFI/BOOT/grubx64.efi", &data);
	return 0;
}

int media_add_to_fat(struct block *volume, const struct media_files *files,
		     struct error *err)
{
	struct vec_of(struct fat_item) items = VEC_INIT;
	int result;

	vec_foreach (file, files)
		vec_push(&items, (struct fat_item){.path = file->path,
						   .attributes = FAT_ATTR_ARCHIVE,
						   .data = buffer_view(&file->data)});
	result = fat_fill(volume, items.items, items.len, err);
	vec_free(&items);
	return result;
}

int media_fill_fat(struct block *volume, const struct media *media, uint64_t hidden,
		   const struct media_files *files, struct error *err)
{
	struct guid id = media_guid(media, "esp");
	struct fat_format_options format = {.hidden = hidden,
					    .label = "GILD",
					    .small = true,
					    .seed = {id.bytes, sizeof(id.bytes)}};

	return fat_format(volume, &format, err) < 0
		       ? -1
		       : media_add_to_fat(volume, files, err);
}
