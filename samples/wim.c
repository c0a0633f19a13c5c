/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trees into a WIM, reproducible to the byte: its GUID and times are fixed too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/guid.h"
#include "samples/sample.h"

static void check(int code, const char *what, const char *path)
{
	if (code)
		die("%s: %s: %s", path, what,
		    wimlib_get_error_string((enum wimlib_error_code)code));
}

static enum wimlib_compression_type compression_type(const char *name)
{
	if (strcmp(name, "none") == 0)
		return WIMLIB_COMPRESSION_TYPE_NONE;
	if (strcmp(name, "XPRESS") == 0)
		return WIMLIB_COMPRESSION_TYPE_XPRESS;
	if (strcmp(name, "LZX") == 0)
		return WIMLIB_COMPRESSION_TYPE_LZX;
	if (strcmp(name, "LZMS") == 0)
		return WIMLIB_COMPRESSION_TYPE_LZMS;
	die("--compress is one of none, XPRESS, LZX, LZMS");
}

/* What is captured: the tree itself, or an NTFS volume made of it. */
static void add_tree(WIMStruct *wim, int index, const struct wim_image *image)
{
	struct error err = ERROR_INIT;
	char *temp, *volume;

	if (!image->descriptors) {
		check(wimlib_add_tree(wim, index, image->dir, "/",
				      WIMLIB_ADD_FLAG_NORPFIX),
		      "capture", image->dir);
		return;
	}
	temp = temp_folder_make(NULL, &err);
	die_on(&err);
	volume = xasprintf("%s/volume", temp);
	volume_make(volume, image->dir, NULL);
	check(wimlib_add_tree(wim, index, volume, "/",
			      WIMLIB_ADD_FLAG_NTFS | WIMLIB_ADD_FLAG_NORPFIX),
	      "capture", volume);
	/* wimlib reads the volume when it writes: it must live until then. */
	free(volume);
	free(temp);
}

/* XML and header would hold the time of day and a random GUID. */
static void fix_metadata(WIMStruct *wim, int index, const char *name)
{
	static const char *const times[] = {"CREATIONTIME", "LASTMODIFICATIONTIME"};
	char high[16], low[16];

	snprintf(high, sizeof(high), "0x%08X", (unsigned)(sample_filetime >> 32));
	snprintf(low, sizeof(low), "0x%08X", (unsigned)sample_filetime);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		_cleanup_free_ char *h = xasprintf("%s/HIGHPART", times[i]);
		_cleanup_free_ char *l = xasprintf("%s/LOWPART", times[i]);

		check(wimlib_set_image_property(wim, index, h, high), "time", name);
		check(wimlib_set_image_property(wim, index, l, low), "time", name);
	}
	check(wimlib_set_image_property(wim, index, "DISPLAYNAME", name), "name", name);
	check(wimlib_set_image_property(wim, index, "DISPLAYDESCRIPTION", name), "name",
	      name);
	check(wimlib_set_image_descripton(wim, index, name), "description", name);
}

/*
 * wimlib gives every image it writes the time of day. The XML is plain UTF-16LE and the
 * numbers have one length: they are put right in the file.
 */
static void fix_times(const char *path)
{
	static const char *const parts[] = {"HIGHPART", "LOWPART"};
	_cleanup_buffer_ struct buffer xml = BUFFER_INIT, tag = BUFFER_INIT;
	uint8_t header[0x60];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t size, offset;

	/* The XML resource: its size (56 bits) and place stand at +0x48. */
	if (fd < 0 || pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header))
		die("%s: %s", path, strerror(errno));
	size = get_le64(header + 0x48) & 0xffffffffffffff;
	offset = get_le64(header + 0x50);
	if (size > 1 << 24 || pread(fd, buffer_reserve(&xml, (size_t)size), (size_t)size,
				    (off_t)offset) != (ssize_t)size)
		die("%s: cannot read its XML", path);
	xml.len = (size_t)size;
	utf16_append(&tag, "<LASTMODIFICATIONTIME>");
	for (uint8_t *p = xml.data;
	     (p = memmem(p, xml.len - (size_t)(p - xml.data), tag.data, tag.len));) {
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			_cleanup_free_ char *text = xasprintf(
				"<%s>0x%08X", parts[i],
				(unsigned)(sample_filetime >> (i == 0 ? 32 : 0)));
			_cleanup_buffer_ struct buffer want = BUFFER_INIT;
			size_t key = 2 * (strlen(parts[i]) + 2);

			utf16_append(&want, text);
			p = memmem(p, xml.len - (size_t)(p - xml.data), want.data, key);
			if (!p || p + want.len > xml.data + xml.len)
				die("%s: no time in its XML", path);
			memcpy(p, want.data, want.len);
		}
	}
	if (pwrite(fd, xml.data, xml.len, (off_t)offset) != (ssize_t)xml.len ||
	    close(fd) < 0)
		die("%s: %s", path, strerror(errno));
}

void wim_write(const char *path, const struct wim_image *images, size_t count,
	       const char *compression, unsigned boot_index)
{
	struct guid guid = guid_from((struct bytes){(const uint8_t *)"sample WIM", 10});
	struct wimlib_wim_info info = {.boot_index = boot_index};
	bool solid = strcmp(compression, "LZMS") == 0;
	WIMStruct *wim;

	check(wimlib_global_init(WIMLIB_INIT_FLAG_DEFAULT_CASE_INSENSITIVE), "start",
	      path);
	check(wimlib_create_new_wim(compression_type(compression), &wim), "create", path);
	for (size_t i = 0; i < count; i++) {
		int index = (int)i + 1;

		check(wimlib_add_empty_image(wim, images[i].name, NULL), "add an image",
		      path);
		add_tree(wim, index, &images[i]);
		if (images[i].padding)
			check(wimlib_add_tree(wim, index, images[i].padding, "/", 0),
			      "capture", images[i].padding);
		fix_metadata(wim, index, images[i].name);
	}
	memcpy(info.guid, guid.bytes, sizeof(info.guid));
	check(wimlib_set_wim_info(wim, &info,
				  WIMLIB_CHANGE_GUID | WIMLIB_CHANGE_BOOT_INDEX),
	      "header", path);
	(void)unlink(path);
	check(wimlib_write(wim, path, WIMLIB_ALL_IMAGES,
			   WIMLIB_WRITE_FLAG_RETAIN_GUID |
				   (solid ? WIMLIB_WRITE_FLAG_SOLID : 0),
			   0),
	      "write", path);
	wimlib_free(wim);
	fix_times(path);
	wimlib_global_cleanup();
}
