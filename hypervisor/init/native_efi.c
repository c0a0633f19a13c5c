/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/native_efi.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"

#define GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c" /* EFI_GLOBAL_VARIABLE */
#define KEPT 7 /* non-volatile, boot service and run-time access */
#define ATTRIBUTES 4
#define DESCRIPTION "Windows (gild)"
#define REMEDY "choose Windows in the firmware's boot menu"

/* ---- variables ---- */

static char *path_of(const char *folder, const char *variable)
{
	return xasprintf("%s/%s-" GLOBAL, folder, variable);
}

/* The kernel guards variables that it does not know by this flag of their files. */
static void unlock(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int flags = 0;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ||
	    !(flags & FS_IMMUTABLE_FL))
		return;
	flags &= ~FS_IMMUTABLE_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static bool has_content(const char *path, struct bytes content)
{
	_cleanup_buffer_ struct buffer now = BUFFER_INIT;

	return file_read(path, LOAD_OPTION_MAX, &now, NULL) == 0 &&
	       bytes_equal(buffer_view(&now), content);
}

/* There is firmware that takes a value and forgets it: it is read again. */
static int write_variable(const char *folder, const char *variable, struct bytes value,
			  struct error *err)
{
	_cleanup_free_ char *path = path_of(folder, variable);
	_cleanup_buffer_ struct buffer content = BUFFER_INIT;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	buffer_append_le32(&content, KEPT);
	buffer_append(&content, value.data, value.len);
	if (has_content(path, buffer_view(&content)))
		return 0;
	unlock(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	n = fd < 0 ? -1 : write(fd, content.data, content.len);
	if (n < 0) {
		error_errno(err, variable, "cannot be set in the firmware");
		return error_remedy(err, REMEDY);
	}
	if (has_content(path, buffer_view(&content)))
		return 0;
	error_set(err, ERROR_FAILED, variable, "was set, and the firmware has lost it");
	return error_remedy(err, REMEDY);
}

/* ---- options ---- */

/* "Boot0001-8be4df61-..." */
static bool parse_name(const char *name, uint16_t *ret)
{
	unsigned number = 0;

	if (strncmp(name, "Boot", 4) != 0 || strcmp(name + 8, "-" GLOBAL) != 0)
		return false;
	for (unsigned i = 4; i < 8; i++) {
		if (!isxdigit((unsigned char)name[i]))
			return false;
		number = number * 16 + (unsigned)(isdigit((unsigned char)name[i])
							  ? name[i] - '0'
							  : (name[i] & ~32) - 'A' + 10);
	}
	*ret = (uint16_t)number;
	return true;
}

static bool starts(const char *path, const struct guid *partition, const char *file)
{
	_cleanup_buffer_ struct buffer content = BUFFER_INIT;
	_cleanup_load_option_ struct load_option option = {0};
	struct bytes value;

	if (file_read(path, LOAD_OPTION_MAX, &content, NULL) < 0)
		return false;
	value = bytes_at(buffer_view(&content), ATTRIBUTES, content.len - ATTRIBUTES);
	return value.data && load_option_read(value, path, &option, NULL) == 0 &&
	       load_option_starts(&option, partition, file);
}

DEFINE_VEC(numbers, uint16_t);

/* All numbers in use; true if an option starts the file: the lowest one in `ret`. */
static bool find_option(const char *folder, const struct guid *partition,
			const char *file, struct numbers *used, uint16_t *ret)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	bool found = false;
	uint16_t number;

	(void)folder_list(folder, &names);
	for (size_t i = 0; i < names.len && used->len < NATIVE_EFI_MAX_OPTIONS; i++) {
		const char *name = names.items[i];
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

		if (strlen(name) < 8 || !parse_name(name, &number))
			continue;
		vec_push(used, number);
		if ((found && number > *ret) || !starts(path, partition, file))
			continue;
		*ret = number;
		found = true;
	}
	return found;
}

static uint16_t lowest_free(const struct numbers *used)
{
	uint16_t number = 0;
	bool taken = true;

	while (taken) {
		taken = false;
		vec_foreach (u, used)
			taken |= *u == number;
		number = (uint16_t)(number + taken);
	}
	return number;
}

static int make_option(const char *folder, uint16_t number,
		       const struct load_option_partition *partition, const char *file,
		       struct error *err)
{
	_cleanup_buffer_ struct buffer option = BUFFER_INIT;
	char variable[16];

	(void)snprintf(variable, sizeof(variable), "Boot%04X", number);
	load_option_write(DESCRIPTION, partition, file, &option);
	return write_variable(folder, variable, buffer_view(&option), err);
}

int native_efi_next(const char *folder, const struct load_option_partition *partition,
		    const char *file, struct native_efi_choice *ret, struct error *err)
{
	struct numbers used = VEC_INIT;
	uint8_t next[2];
	int result = 0;

	*ret = (struct native_efi_choice){0};
	if (!find_option(folder, &partition->guid, file, &used, &ret->number)) {
		ret->number = lowest_free(&used);
		ret->made = true;
		result = make_option(folder, ret->number, partition, file, err);
	}
	vec_free(&used);
	put_le16(next, ret->number);
	return result < 0 ? -1
			  : write_variable(folder, "BootNext",
					   (struct bytes){next, sizeof(next)}, err);
}
