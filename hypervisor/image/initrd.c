/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/initrd.h"

#include "image/files.h"
#include "image/modules_index.h"
#include "image/programs.h"

int initrd_fill(struct image_files *files, const struct boot_options *options,
		const struct modules *modules, struct error *err)
{
	static const char *const folders[] = {"/dev", "/proc", "/run", "/sys",
					      "/sysroot"};
	static const char *const merged[][2] = {{"/bin", "usr/bin"},
						{"/lib", "usr/lib"},
						{"/lib64", "usr/lib64"},
						{"/sbin", "usr/sbin"}};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		image_files_folder(files, folders[i], 0755);
	image_files_folder(files, "/tmp", 01777);
	image_files_folder(files, "/usr/bin", 0755);
	image_files_folder(files, "/usr/sbin", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++)
		image_files_link(files, merged[i][0], merged[i][1]);
	if (programs_add_own(files, "gild-init", options->init, "/init", err) < 0 ||
	    programs_add_libraries(files, options->sysroot ? options->sysroot : "", err) <
		    0)
		return -1;
	return modules_add(files, modules, true, err);
}

int config_archive(const struct config_file list[], size_t count, struct buffer *ret,
		   struct error *err)
{
	struct image_files files = {0};
	int result;

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *path =
			xasprintf("%s%s", *list[i].path == '/' ? "" : "/", list[i].path);

		image_files_bytes(&files, path, list[i].data,
				  list[i].secret ? 0600 : 0644, NULL);
	}
	result = image_files_cpio_buffer(&files, ret, err);
	image_files_free(&files);
	return result;
}

int root_archive(const struct boot_set *set, struct buffer *ret, struct error *err)
{
	_cleanup_free_ char *source = xasprintf("/proc/self/fd/%d", set->root);
	struct image_files files = {0};
	int result;

	image_files_source(&files, LAYOUT_ROOT_INITRAMFS, source, 0644, NULL);
	result = image_files_cpio_buffer(&files, ret, err);
	image_files_free(&files);
	return result;
}
