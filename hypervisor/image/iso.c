/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An ISO that starts from CD, USB, by BIOS and UEFI: files on ISO 9660 (level 3, so that
 * they may have more than 4 GiB), GRUB's El Torito image for BIOS, and an EFI system
 * partition behind it that El Torito and GPT both name. xorriso puts it together.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/draft.h"
#include "base/file.h"
#include "base/process.h"
#include "base/progress.h"
#include "block/block.h"
#include "image/grub.h"
#include "image/pack_private.h"

#define CORE "boot/grub/core.img"
#define ESP_SLACK (512 << 10)

static int make_folders(const char *tree, const char *path, struct error *err)
{
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		_cleanup_free_ char *folder =
			xasprintf("%s/%.*s", tree, (int)(p - path), path);

		if (access(folder, F_OK) < 0 && mkdir(folder, 0755) < 0)
			return error_errno(err, folder, "cannot make");
	}
	return 0;
}

static int make_file(const char *tree, const char *path, struct error *err)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", tree, path);
	int fd;

	if (make_folders(tree, path, err) < 0)
		return -1;
	fd = open(full, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		(void)error_errno(err, full, "cannot make");
	return fd;
}

static int put(const char *tree, const char *path, struct bytes data, struct error *err)
{
	_cleanup_close_ int fd = make_file(tree, path, err);

	return fd < 0 ? -1 : file_write_all(fd, data, path, err);
}

static int put_copy(const char *tree, const char *path, int from, uint64_t size,
		    struct error *err)
{
	_cleanup_close_ int fd = make_file(tree, path, err);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, path, "cannot make");
	return media_copy(from, 0, size, fd, 0, path, err);
}

/* What GRUB needs to find the ISO: it has its own settings there. */
static int make_esp(const char *path, const struct media *media, const char *root_name,
		    struct error *err)
{
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;
	_cleanup_free_ char *settings = grub_settings_find(root_name);
	_cleanup_block_ struct block *block = NULL;
	_cleanup_close_ int fd = -1;
	uint64_t size = ESP_SLACK;

	if (media_loader(media, "gcdx64.efi.signed", &files, err) < 0)
		return -1;
	media_files_add_text(&files, "boot/grub/grub.cfg", settings);
	vec_foreach (file, &files)
		size += file->data.len;
	size = (size + size / 32 + MEDIA_MIB) / MEDIA_MIB * MEDIA_MIB;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, path, "cannot make");
	block = block_file_open(path, true, 0, err);
	return block ? media_fill_fat(block, media, 0, &files, err) : -1;
}

static int put_images(const char *tree, const struct pack_options *o,
		      const struct media *media, struct error *err)
{
	vec_foreach (golden, media->goldens) {
		_cleanup_free_ char *path =
			xasprintf(LAYOUT_FOLDER "/images/%s.img", golden->name);
		_cleanup_close_ int fd = -1;

		if (golden->url)
			continue;
		fd = make_file(tree, path, err);
		if (fd < 0 || golden_write(golden, &o->golden, fd, 0, path, err) < 0)
			return -1;
	}
	return 0;
}

static int make_tree(const char *tree, const struct media *media, const char *root_name,
		     struct error *err)
{
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;
	_cleanup_free_ char *settings = grub_settings_single(media->goldens->len);
	_cleanup_free_ char *root = xasprintf(LAYOUT_FOLDER "/%s", root_name);
	_cleanup_buffer_ struct buffer core = BUFFER_INIT;

	if (media_slot(media, NULL, &files, err) < 0)
		return -1;
	media_files_add_text(&files, "boot/grub/grub.cfg", settings);
	vec_foreach (file, &files)
		if (put(tree, file->path, buffer_view(&file->data), err) < 0)
			return -1;
	if (grub_core(true, "/boot/grub", media->work, &core, err) < 0 ||
	    put(tree, CORE, buffer_view(&core), err) < 0)
		return -1;
	return put_copy(tree, root, media->set->root, media->set->root_size, err);
}

static int explain(const char *output, struct error *err)
{
	const char *why = err && err->reason ? err->reason : "";
	bool missing = strstr(why, "No such file");

	/* xorriso's own words for it, from its check before the first byte. */
	if (strstr(why, "exceeds free space")) {
		error_set(err, ERROR_FAILED, output,
			  "no space is left for the ISO beside the files that it is "
			  "made of");
		return error_remedy(err,
				    "free some space there (twice the size of the ISO is "
				    "needed) and run the command again");
	}
	error_wrap(err, output, "cannot be put together");
	if (missing)
		error_remedy(err, "install the Debian packages xorriso and grub-pc-bin");
	return -1;
}

/* The time is all that xorriso makes identifiers of. */
static int run_xorriso(const char *tree, const char *esp, const char *output,
		       struct error *err)
{
	_cleanup_free_ char *epoch =
		xasprintf("SOURCE_DATE_EPOCH=%jd", (intmax_t)clock_now());
	char *argv[] = {(char *)"env",
			epoch,
			(char *)"xorriso",
			(char *)"-as",
			(char *)"mkisofs",
			(char *)"-quiet",
			(char *)"-o",
			(char *)output,
			(char *)"-V",
			(char *)"GILD",
			(char *)"-r",
			(char *)"-iso-level",
			(char *)"3",
			(char *)"--set_all_file_dates",
			epoch + strlen("SOURCE_DATE_EPOCH"),
			(char *)"--grub2-mbr",
			(char *)GRUB_HYBRID,
			(char *)"-partition_offset",
			(char *)"16",
			(char *)"-append_partition",
			(char *)"2",
			(char *)MEDIA_TYPE_ESP,
			(char *)esp,
			(char *)"-appended_part_as_gpt",
			(char *)"-c",
			(char *)"boot/boot.cat",
			(char *)"-b",
			(char *)CORE,
			(char *)"-no-emul-boot",
			(char *)"-boot-load-size",
			(char *)"4",
			(char *)"-boot-info-table",
			(char *)"--grub2-boot-info",
			(char *)"-eltorito-alt-boot",
			(char *)"-e",
			(char *)"--interval:appended_partition_2:all::",
			(char *)"-no-emul-boot",
			(char *)tree,
			NULL};

	return process_run(argv, err) == 0 ? 0 : explain(output, err);
}

static int write_iso(const struct pack_options *o, const struct draft *draft,
		     struct media *media, struct pack_result *ret, struct error *err)
{
	_cleanup_free_ char *tree = xasprintf("%s/tree", media->work);
	_cleanup_free_ char *esp = xasprintf("%s/esp.img", media->work);
	_cleanup_free_ char *root_name = seal_root_name(&media->set->seal);

	if (mkdir(tree, 0755) < 0)
		return error_errno(err, tree, "cannot make");
	if (put_images(tree, o, media, err) < 0 || media_settle(o, media, ret, err) < 0 ||
	    make_tree(tree, media, root_name, err) < 0 ||
	    make_esp(esp, media, root_name, err) < 0)
		return -1;
	progress_report("writing the ISO", 0, 0);
	return run_xorriso(tree, esp, draft->path, err);
}

int iso_write(const struct pack_options *o, struct media *media, struct pack_result *ret,
	      struct error *err)
{
	struct draft draft = {.fd = -1};
	struct stat st;
	int result = draft_open(&draft, o->output, true, err);

	if (result == 0)
		result = write_iso(o, &draft, media, ret, err);
	if (result < 0 && err)
		draft_name(&draft, &err->subject);
	if (result == 0 && interrupted())
		result = error_interrupted(err);
	if (result == 0)
		result = draft_publish(&draft, err);
	if (result == 0 && stat(o->output, &st) == 0) {
		ret->size = (uint64_t)st.st_size;
		ret->allocated = (uint64_t)st.st_blocks * 512;
	}
	draft_close(&draft);
	return result;
}
