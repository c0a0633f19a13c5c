/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Microcode. Intel's format: Software Developer's Manual, volume 3, "Microcode Update
 * Facilities"; AMD's as the kernel's arch/x86/kernel/cpu/microcode/amd.c reads it.
 */
#include "image/microcode.h"

#include <fnmatch.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "image/firmware.h"

#define MAX_FILES 1024u
#define MAX_FILE ((size_t)16 << 20)
#define MAX_VENDOR ((size_t)64 << 20)

/* ---- Intel ---- */

#define INTEL_HEADER 48u
#define INTEL_VERSION 1u
#define INTEL_UNIT 1024u
#define INTEL_DATA 2000u /* what 0 means, of data and of all */
#define INTEL_TOTAL 2048u
#define INTEL_TABLE 20u /* extended signatures: count, checksum, nothing */
#define INTEL_SIGNATURE 12u

static uint32_t sum_of(struct bytes data)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 4 <= data.len; i += 4)
		sum += get_le32(data.data + i);
	return sum;
}

/* The processors that have the same update, behind its data. */
static const char *check_table(struct bytes table)
{
	uint32_t count;

	if (!table.len)
		return NULL;
	if (!bytes_le32(table, 0, &count) ||
	    table.len != (uint64_t)count * INTEL_SIGNATURE + INTEL_TABLE)
		return "its table of signatures is of another size than it says";
	return sum_of(table) ? "the checksum of its table of signatures is wrong" : NULL;
}

static const char *intel_update(struct bytes file, uint64_t at, uint32_t *total)
{
	uint32_t version, loader, size, all;

	if (!bytes_has(file, at, INTEL_HEADER) || !bytes_le32(file, at, &version) ||
	    !bytes_le32(file, at + 20, &loader) || !bytes_le32(file, at + 28, &size) ||
	    !bytes_le32(file, at + 32, &all))
		return "an update's header is cut short";
	if (version != INTEL_VERSION || loader != INTEL_VERSION)
		return "an update's header is of another version than 1";
	if (!size) {
		size = INTEL_DATA;
		all = INTEL_TOTAL;
	}
	if (size % 4 || all % INTEL_UNIT || (uint64_t)size + INTEL_HEADER > all ||
	    !bytes_has(file, at, all))
		return "an update is of a size that cannot be";
	if (sum_of(bytes_at(file, at, (uint64_t)size + INTEL_HEADER)))
		return "an update's checksum is wrong";
	*total = all;
	return check_table(
		bytes_at(file, at + INTEL_HEADER + size, all - INTEL_HEADER - size));
}

static const char *check_intel(struct bytes file, size_t *updates)
{
	uint32_t total = 0;

	for (uint64_t at = 0; at < file.len; at += total) {
		const char *wrong = intel_update(file, at, &total);

		if (wrong)
			return wrong;
		++*updates;
	}
	return NULL;
}

/* ---- AMD ---- */

#define AMD_MAGIC 0x00414d44u
#define AMD_TABLE 0u /* types of sections */
#define AMD_PATCH 1u
#define AMD_PROCESSOR 16u /* bytes of the table for each */
#define AMD_PATCH_LEAST 64u
#define AMD_PATCH_MOST ((uint32_t)64 << 10)

/* The head of a container: which processors there are. */
static const char *amd_table(struct bytes file, uint64_t *at)
{
	uint32_t type, size;

	if (!bytes_le32(file, *at + 4, &type) || !bytes_le32(file, *at + 8, &size))
		return "a container's header is cut short";
	if (type != AMD_TABLE || !size || size % AMD_PROCESSOR ||
	    !bytes_has(file, *at + 12, size))
		return "a container does not begin with a table of processors";
	*at += 12 + (uint64_t)size;
	return NULL;
}

static const char *amd_patch(struct bytes file, uint64_t *at)
{
	uint32_t type, size;

	if (!bytes_le32(file, *at, &type) || !bytes_le32(file, *at + 4, &size))
		return "a patch's header is cut short";
	if (type != AMD_PATCH)
		return "it has a section that is no patch";
	if (size < AMD_PATCH_LEAST || size > AMD_PATCH_MOST ||
	    !bytes_has(file, *at + 8, size))
		return "a patch is of a size that cannot be";
	*at += 8 + (uint64_t)size;
	return NULL;
}

/* Containers, one behind the other. */
static const char *check_amd(struct bytes file, size_t *updates)
{
	bool inside = false;

	for (uint64_t at = 0; at < file.len;) {
		const char *wrong;
		uint32_t magic;

		if (bytes_le32(file, at, &magic) && magic == AMD_MAGIC) {
			wrong = amd_table(file, &at);
			inside = true;
		} else {
			wrong = inside ? amd_patch(file, &at) : "it is no container";
			++*updates;
		}
		if (wrong)
			return wrong;
	}
	return NULL;
}

const char *microcode_check(enum microcode_vendor vendor, struct bytes file,
			    size_t *updates)
{
	*updates = 0;
	if (!file.len)
		return "it is empty";
	return vendor == MICROCODE_INTEL ? check_intel(file, updates)
					 : check_amd(file, updates);
}

/* ---- files ---- */

static const struct {
	const char *name, *package, *folder, *pattern, *target;
} vendors[MICROCODE_VENDORS] = {
	{"Intel", "intel-microcode", "intel-ucode",
	 "[0-9a-f][0-9a-f]-[0-9a-f][0-9a-f]-[0-9a-f][0-9a-f]",
	 "kernel/x86/microcode/GenuineIntel.bin"},
	{"AMD", "amd64-microcode", "amd-ucode", "microcode_amd*.bin",
	 "kernel/x86/microcode/AuthenticAMD.bin"},
};

const char *microcode_vendor_name(enum microcode_vendor vendor)
{
	return vendors[vendor].name;
}

const char *microcode_package(enum microcode_vendor vendor)
{
	return vendors[vendor].package;
}

static int damaged(const char *path, const char *what, struct error *err)
{
	error_set(err, ERROR_FAILED, path, "is no sound microcode: %s", what);
	return error_remedy(err, "install its package anew, or take it out");
}

/* One file. It is read whole and checked before anything is taken over. */
static int add_file(enum microcode_vendor vendor, const char *folder, const char *name,
		    struct buffer *ret, struct microcode *found, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	size_t updates;
	const char *wrong;
	int is_there = firmware_read(folder, name, MAX_FILE, &data, err);

	if (is_there <= 0)
		return is_there;
	wrong = microcode_check(vendor, buffer_view(&data), &updates);
	if (!wrong && data.len > MAX_VENDOR - ret->len)
		wrong = "with the others there is more than any kernel takes";
	if (wrong)
		return damaged(path, wrong, err);
	buffer_append(ret, data.data, data.len);
	found->updates += updates;
	found->bytes += data.len;
	return 0;
}

/* Names without what says that they are compressed; each once, in their order. */
static int list(const char *folder, const char *pattern, struct strings *ret,
		struct error *err)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(folder, &names);
	vec_foreach (file, &names) {
		char *name = *file;

		if (text_ends_with(name, ".zst"))
			name[strlen(name) - 4] = '\0';
		else if (text_ends_with(name, ".xz"))
			name[strlen(name) - 3] = '\0';
		if (fnmatch(pattern, name, 0) == 0 &&
		    (!ret->len || strcmp(ret->items[ret->len - 1], name) != 0))
			strings_push(ret, name);
	}
	if (ret->len <= MAX_FILES)
		return 0;
	return error_set(err, ERROR_FAILED, folder, "has more than %u files", MAX_FILES);
}

static int add_folder(enum microcode_vendor vendor, const char *firmware,
		      struct buffer *ret, struct microcode *found, struct error *err)
{
	_cleanup_free_ char *folder =
		xasprintf("%s/%s", firmware, vendors[vendor].folder);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	if (list(folder, vendors[vendor].pattern, &names, err) < 0)
		return -1;
	vec_foreach (name, &names)
		if (add_file(vendor, folder, *name, ret, found, err) < 0)
			return -1;
	return 0;
}

/* ---- the archive ---- */

/* Of cpio's "newc" (Documentation/driver-api/early-userspace/buffer-format.rst). */
#define ENTRY_HEADER 110u
#define ENTRY_ALIGNMENT 4u
#define FOLDER_MODE 0040755u
#define FILE_MODE 0100644u
/*
 * Intel wants an update at a multiple of 16 bytes. A name may have zeros behind it: up to
 * 17 of them the kernel's find_cpio_data() takes without a word.
 */
#define DATA_ALIGNMENT 16u
#define ARCHIVE_ALIGNMENT 4096u

static void pad(struct buffer *b, size_t start, unsigned alignment)
{
	size_t more = (alignment - (b->len - start) % alignment) % alignment;

	memset(buffer_reserve(b, more), 0, more);
	b->len += more;
}

static void add_entry(struct buffer *b, size_t start, unsigned number, const char *name,
		      unsigned mode, const struct buffer *data)
{
	size_t name_size = strlen(name) + 1, len = data ? data->len : 0;

	while (data && (b->len - start + ENTRY_HEADER + name_size) % DATA_ALIGNMENT)
		name_size++;
	buffer_printf(b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		      number, mode, 0, 0, mode == FOLDER_MODE ? 2 : 1,
		      mode ? (unsigned)clock_now() : 0, (unsigned)len, 0, 0, 0, 0,
		      (unsigned)name_size, 0);
	memset(buffer_reserve(b, name_size), 0, name_size);
	memcpy(b->data + b->len, name, strlen(name));
	b->len += name_size;
	pad(b, start, ENTRY_ALIGNMENT);
	if (data)
		buffer_append(b, data->data, data->len);
	pad(b, start, ENTRY_ALIGNMENT);
}

static void write_archive(const struct buffer data[MICROCODE_VENDORS], struct buffer *ret)
{
	size_t start = ret->len;
	unsigned number = 0;

	add_entry(ret, start, ++number, "kernel", FOLDER_MODE, NULL);
	add_entry(ret, start, ++number, "kernel/x86", FOLDER_MODE, NULL);
	add_entry(ret, start, ++number, "kernel/x86/microcode", FOLDER_MODE, NULL);
	for (int i = 0; i < MICROCODE_VENDORS; i++)
		if (data[i].len)
			add_entry(ret, start, ++number, vendors[i].target, FILE_MODE,
				  &data[i]);
	add_entry(ret, start, 0, "TRAILER!!!", 0, NULL);
	pad(ret, start, ARCHIVE_ALIGNMENT);
}

int microcode_archive(const char *const folders[], size_t count, struct buffer *ret,
		      struct microcode found[MICROCODE_VENDORS], struct error *err)
{
	struct buffer data[MICROCODE_VENDORS] = {BUFFER_INIT, BUFFER_INIT};
	int result = 0;

	for (int i = 0; i < MICROCODE_VENDORS; i++) {
		found[i] = (struct microcode){0};
		for (size_t n = 0; result == 0 && !data[i].len && n < count; n++)
			if (folders[n])
				result = add_folder(i, folders[n], &data[i], &found[i],
						    err);
	}
	if (result == 0 && (data[0].len || data[1].len))
		write_archive(data, ret);
	for (int i = 0; i < MICROCODE_VENDORS; i++)
		buffer_free(&data[i]);
	return result;
}
