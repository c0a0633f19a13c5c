/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A folder for network boot: kernel, an initramfs that holds the root file system,
 * settings, and how GRUB (after shim, by TFTP), iPXE and, where they are signed together,
 * firmware itself (by TFTP or HTTP) start them. The golden image lies beside them with
 * its settings, as it is published; init reads it from there if the folder's address is
 * known, else from the PC's disks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "image/grub.h"
#include "image/pack_private.h"

static int make_file(const char *folder, const char *name, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		(void)error_errno(err, path, "cannot make");
	return fd;
}

static int put(const char *folder, const char *name, struct bytes data, struct error *err)
{
	_cleanup_close_ int fd = make_file(folder, name, err);

	if (fd < 0 || file_write_all(fd, data, name, err) < 0)
		return -1;
	return fsync(fd) < 0 ? error_errno(err, name, "cannot sync") : 0;
}

static int put_text(const char *folder, const char *name, const char *text,
		    struct error *err)
{
	return put(folder, name, (struct bytes){(const uint8_t *)text, strlen(text)},
		   err);
}

static int make_folder(const char *folder, const char *name, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	return mkdir(path, 0755) < 0 ? error_errno(err, path, "cannot make") : 0;
}

static int put_grub_settings(const char *folder, const struct media *media,
			     struct error *err)
{
	_cleanup_free_ char *settings =
		grub_settings_network(media->cmdline, media->goldens, media->start, err);

	if (!settings || make_folder(folder, "grub", err) < 0)
		return -1;
	return put_text(folder, "grub/grub.cfg", settings, err);
}

/* Shim and Debian's GRUB, which loads by TFTP, or the signed kernel. */
static int put_loader(const char *folder, const struct media *media, struct error *err)
{
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;

	if (!media->uki.len && put_grub_settings(folder, media, err) < 0)
		return -1;
	if (media_loader(media, "grubnetx64.efi.signed", &files, err) < 0)
		return -1;
	vec_foreach (file, &files) {
		const char *name = strrchr(file->path, '/') + 1;

		if (put(folder, strcmp(name, "BOOTX64.EFI") == 0 ? "bootx64.efi" : name,
			buffer_view(&file->data), err) < 0)
			return -1;
	}
	return 0;
}

static int put_ipxe(const char *folder, const struct media *media, struct error *err)
{
	struct buffer b = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	buffer_append_string(&b, "#!ipxe\n# Made by gild pack.\n");
	buffer_printf(&b, "kernel vmlinuz initrd=initrd initrd=config %s",
		      media->cmdline);
	if (media->goldens->len > 1)
		buffer_printf(&b, " gild.image=%s",
			      media->start ? media->start
					   : media->goldens->items[0].name);
	buffer_append_string(&b, "\ninitrd initrd\ninitrd config\nboot\n");
	text = buffer_steal_string(&b);
	return put_text(folder, "boot.ipxe", text, err);
}

static bool has_files(const struct media *media)
{
	vec_foreach (golden, media->goldens)
		if (!golden->url)
			return true;
	return false;
}

static int put_images(const char *folder, const struct pack_options *o,
		      const struct media *media, struct error *err)
{
	if (has_files(media) && (make_folder(folder, LAYOUT_FOLDER, err) < 0 ||
				 make_folder(folder, LAYOUT_FOLDER "/images", err) < 0))
		return -1;
	vec_foreach (golden, media->goldens) {
		_cleanup_free_ char *name =
			xasprintf(LAYOUT_FOLDER "/images/%s.img", golden->name);
		_cleanup_free_ char *conf =
			xasprintf(LAYOUT_FOLDER "/images/%s.conf", golden->name);
		_cleanup_free_ char *text = NULL;
		_cleanup_close_ int fd = -1;

		if (golden->url)
			continue;
		fd = make_file(folder, name, err);
		if (fd < 0 || golden_write(golden, &o->golden, fd, 0, name, err) < 0)
			return -1;
		if (fsync(fd) < 0)
			return error_errno(err, name, "cannot sync");
		text = golden_settings(golden, NULL);
		if (put_text(folder, conf, text, err) < 0)
			return -1;
	}
	return 0;
}

static int put_rest(const char *folder, const struct media *media, struct error *err)
{
	_cleanup_free_ char *cmdline = xasprintf("%s\n", media->cmdline);

	if (put(folder, "vmlinuz", buffer_view(&media->kernel), err) < 0 ||
	    put(folder, "initrd", buffer_view(&media->initrd), err) < 0 ||
	    put(folder, "config", buffer_view(&media->config), err) < 0 ||
	    put_text(folder, "cmdline", cmdline, err) < 0 ||
	    put_loader(folder, media, err) < 0)
		return -1;
	return put_ipxe(folder, media, err);
}

/* The folder gets its name when all is in it. */
static int name_folder(const char *folder, const char *output, struct error *err)
{
	if (chmod(folder, 0755) < 0)
		return error_errno(err, folder, "cannot open to others");
	if (rename(folder, output) < 0)
		return error_errno(err, output, "cannot name the new folder");
	return file_sync_folder(output, err);
}

int network_write(const struct pack_options *o, struct media *media,
		  struct pack_result *ret, struct error *err)
{
	_cleanup_free_ char *output = xstrdup(o->output);
	_cleanup_(temp_folder_removep) char *folder = NULL;

	for (size_t len = strlen(output); len > 1 && output[len - 1] == '/'; len--)
		output[len - 1] = '\0';
	folder = temp_folder_make(output, err);
	if (!folder || put_images(folder, o, media, err) < 0 ||
	    media_settle(o, media, ret, err) < 0 || put_rest(folder, media, err) < 0)
		return -1;
	if (interrupted())
		return error_interrupted(err);
	if (has_files(media) && !o->url)
		strings_push(&ret->warnings,
			     "golden images are looked for on the PC's disks: put "
			     "" LAYOUT_FOLDER "/images on one, or say with --url where "
			     "this folder will be on an HTTP server");
	ret->size = media->kernel.len + media->initrd.len + media->config.len;
	vec_foreach (golden, media->goldens)
		ret->size += golden->url ? 0 : golden->sealed_size;
	ret->allocated = ret->size;
	return name_folder(folder, output, err);
}
