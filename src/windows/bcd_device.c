/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Device elements of a BCD store: a GUID of options, then a descriptor whose size counts
 * from its type field. A descriptor may hold another one (the volume on which a file
 * lies).
 */
#include "base/text.h"
#include "windows/bcd_store.h"

#define OPTIONS_SIZE 16u
#define HEADER_SIZE 16u	     /* type, flags, size, 0 */
#define PARTITION_SIZE 0x48u /* of boot and partition descriptors */
#define LOCATE_HEADER 28u    /* header, then whence, element, offset of the parent */
#define LOCAL_UNION 20u	     /* what a local device has behind its kind */
#define FILE_HEADER 12u	     /* version, size, 5: a path on a device */

enum { DEVICE_LOCAL = 0, DEVICE_BOOT = 5, DEVICE_PARTITION = 6, DEVICE_LOCATE = 8 };
enum { LOCAL_RAMDISK = 3, LOCAL_FILE = 5, LOCAL_VHD = 6 };
enum { SCHEME_GPT = 0, SCHEME_MBR = 1 };
enum { LOCATE_BY_ELEMENT = 0, LOCATE_BY_PATH = 1 };
enum { FILE_VERSION = 1, FILE_PATH = 5 };

void bcd_device_free(struct bcd_device *device)
{
	if (device->parent)
		bcd_device_free(device->parent);
	free(device->parent);
	free(device->path);
	*device = (struct bcd_device){0};
}

/* ---- parsing ---- */

static bool parse_descriptor(struct bytes b, struct bcd_device *ret, unsigned depth);

/* The descriptor at an offset, cut to its size. */
static struct bytes descriptor_at(struct bytes b, uint64_t offset)
{
	uint32_t size;

	if (!bytes_le32(b, offset + 8, &size) || size < HEADER_SIZE)
		return (struct bytes){0};
	return bytes_at(b, offset, size);
}

static bool parse_parent(struct bytes b, uint64_t offset, struct bcd_device *ret,
			 unsigned depth)
{
	struct bytes parent = descriptor_at(b, offset);

	if (!parent.data || depth >= BCD_DEVICE_DEPTH)
		return false;
	ret->parent = xcalloc(1, sizeof(*ret->parent));
	return parse_descriptor(parent, ret->parent, depth + 1);
}

/* A path of 16-bit units up to its end or the terminator. */
static char *parse_path(struct bytes b)
{
	return utf16_to_utf8(b.data, b.len);
}

/* Fixed fields; b has PARTITION_SIZE bytes at least. */
static void parse_partition(const uint8_t *p, struct bcd_device *ret)
{
	uint32_t scheme = get_le32(p + 0x24);

	if (get_le32(p + 0x20) != 0)
		return; /* not on a hard disk */
	if (scheme == SCHEME_GPT) {
		ret->kind = BCD_DEVICE_GPT;
		memcpy(ret->partition.bytes, p + 0x10, 16);
		memcpy(ret->disk.bytes, p + 0x28, 16);
	} else if (scheme == SCHEME_MBR) {
		ret->kind = BCD_DEVICE_MBR;
		ret->offset = get_le64(p + 0x10);
		ret->signature = get_le32(p + 0x28);
	}
}

static bool parse_locate(struct bytes b, struct bcd_device *ret, unsigned depth)
{
	uint32_t whence, element, parent;
	struct bytes path;

	if (!bytes_le32(b, HEADER_SIZE, &whence) ||
	    !bytes_le32(b, HEADER_SIZE + 4, &element) ||
	    !bytes_le32(b, HEADER_SIZE + 8, &parent) || whence > LOCATE_BY_PATH)
		return false;
	if (parent && (parent < LOCATE_HEADER || parent > b.len))
		return false;
	if (whence == LOCATE_BY_ELEMENT && !element)
		return true; /* says nothing */
	path = bytes_at(b, LOCATE_HEADER, (parent ? parent : b.len) - LOCATE_HEADER);
	ret->kind = BCD_DEVICE_LOCATE;
	ret->element = whence == LOCATE_BY_ELEMENT ? element : 0;
	if (whence == LOCATE_BY_PATH)
		ret->path = parse_path(path);
	return !parent || parse_parent(b, parent, ret, depth);
}

/* Version, size, kind of name, then the volume and the path on it. */
static bool parse_file(struct bytes b, struct bcd_device *ret, unsigned depth)
{
	uint32_t size, kind, volume;
	uint64_t path_at;

	if (!bytes_le32(b, 4, &size) || !bytes_le32(b, 8, &kind) || kind != FILE_PATH ||
	    size > b.len || !bytes_le32(b, FILE_HEADER + 8, &volume))
		return false;
	path_at = (uint64_t)FILE_HEADER + volume;
	if (path_at > size || !parse_parent(b, FILE_HEADER, ret, depth))
		return false;
	ret->path = parse_path(bytes_at(b, path_at, size - path_at));
	return true;
}

static bool parse_local(struct bytes b, struct bcd_device *ret, unsigned depth)
{
	struct bytes rest;
	uint32_t kind;

	if (!bytes_le32(b, HEADER_SIZE, &kind))
		return false;
	switch (kind) {
	case LOCAL_FILE:
		ret->kind = BCD_DEVICE_FILE;
		rest = bytes_at(b, HEADER_SIZE + 4, b.len - HEADER_SIZE - 4);
		return parse_file(rest, ret, depth);
	case LOCAL_RAMDISK:
		if (b.len < HEADER_SIZE + 4 + LOCAL_UNION)
			return false;
		ret->kind = BCD_DEVICE_RAMDISK;
		rest = bytes_at(b, HEADER_SIZE + 4 + LOCAL_UNION,
				b.len - HEADER_SIZE - 4 - LOCAL_UNION);
		return parse_file(rest, ret, depth);
	case LOCAL_VHD:
		ret->kind = BCD_DEVICE_VHD;
		return parse_parent(b, HEADER_SIZE + 4 + LOCAL_UNION, ret, depth);
	default:
		return true;
	}
}

static bool parse_descriptor(struct bytes b, struct bcd_device *ret, unsigned depth)
{
	uint32_t type;

	if (!bytes_le32(b, 0, &type))
		return false;
	switch (type) {
	case DEVICE_BOOT:
		ret->kind = BCD_DEVICE_BOOT;
		return true;
	case DEVICE_PARTITION:
		if (b.len < PARTITION_SIZE)
			return false;
		parse_partition(b.data, ret);
		return true;
	case DEVICE_LOCATE:
		return parse_locate(b, ret, depth);
	case DEVICE_LOCAL:
		return parse_local(b, ret, depth);
	default:
		return true;
	}
}

bool bcd_device_parse(struct bytes data, struct bcd_device *ret)
{
	struct bytes b;

	*ret = (struct bcd_device){0};
	if (data.len < OPTIONS_SIZE)
		return false;
	memcpy(ret->options.bytes, data.data, OPTIONS_SIZE);
	b = descriptor_at(data, OPTIONS_SIZE);
	if (b.data && parse_descriptor(b, ret, 0))
		return true;
	bcd_device_free(ret);
	return false;
}

/* ---- formatting ---- */

static void zeros(struct buffer *b, size_t len)
{
	memset(buffer_reserve(b, len), 0, len);
	b->len += len;
}

static size_t begin(struct buffer *b, uint32_t type, uint32_t flags)
{
	size_t start = b->len;

	buffer_append_le32(b, type);
	buffer_append_le32(b, flags);
	buffer_append_le64(b, 0);
	return start;
}

static void end(struct buffer *b, size_t start)
{
	put_le32(b->data + start + 8, (uint32_t)(b->len - start));
}

static void format_partition(const struct bcd_device *device, struct buffer *b)
{
	if (device->kind == BCD_DEVICE_GPT) {
		buffer_append(b, device->partition.bytes, 16);
		buffer_append_le32(b, 0);
		buffer_append_le32(b, SCHEME_GPT);
		buffer_append(b, device->disk.bytes, 16);
	} else {
		buffer_append_le64(b, device->offset);
		buffer_append_le64(b, 0);
		buffer_append_le32(b, 0);
		buffer_append_le32(b, SCHEME_MBR);
		buffer_append_le32(b, device->signature);
		zeros(b, 12);
	}
	zeros(b, 16);
}

static void format_descriptor(const struct bcd_device *device, struct buffer *b);

static void format_file(const struct bcd_device *device, struct buffer *b)
{
	size_t start = b->len;

	buffer_append_le32(b, FILE_VERSION);
	buffer_append_le32(b, 0);
	buffer_append_le32(b, FILE_PATH);
	format_descriptor(device->parent, b);
	utf16_append_z(b, device->path);
	put_le32(b->data + start + 4, (uint32_t)(b->len - start));
}

static void format_locate(const struct bcd_device *device, size_t start, struct buffer *b)
{
	size_t parent_at = b->len + 8;

	buffer_append_le32(b, device->element ? LOCATE_BY_ELEMENT : LOCATE_BY_PATH);
	buffer_append_le32(b, device->element);
	buffer_append_le32(b, 0);
	utf16_append_z(b, device->element ? "" : device->path);
	if (!device->parent)
		return;
	put_le32(b->data + parent_at, (uint32_t)(b->len - start));
	format_descriptor(device->parent, b);
}

static void format_local(const struct bcd_device *device, struct buffer *b)
{
	if (device->kind == BCD_DEVICE_FILE) {
		buffer_append_le32(b, LOCAL_FILE);
		format_file(device, b);
		return;
	}
	buffer_append_le32(b, device->kind == BCD_DEVICE_VHD ? LOCAL_VHD : LOCAL_RAMDISK);
	zeros(b, LOCAL_UNION);
	if (device->kind == BCD_DEVICE_VHD)
		format_descriptor(device->parent, b);
	else
		format_file(device, b);
}

static void format_descriptor(const struct bcd_device *device, struct buffer *b)
{
	size_t start;

	switch (device->kind) {
	case BCD_DEVICE_GPT:
	case BCD_DEVICE_MBR:
		start = begin(b, DEVICE_PARTITION, 0);
		format_partition(device, b);
		break;
	case BCD_DEVICE_LOCATE:
		start = begin(b, DEVICE_LOCATE, 0);
		format_locate(device, start, b);
		break;
	case BCD_DEVICE_FILE:
	case BCD_DEVICE_VHD:
	case BCD_DEVICE_RAMDISK:
		/* Flag 1 is set where further options are named. */
		start = begin(b, DEVICE_LOCAL, device->kind == BCD_DEVICE_RAMDISK);
		format_local(device, b);
		break;
	default:
		start = begin(b, DEVICE_BOOT, 0);
		zeros(b, PARTITION_SIZE - HEADER_SIZE);
		break;
	}
	end(b, start);
}

void bcd_device_format(const struct bcd_device *device, struct buffer *ret)
{
	buffer_append(ret, device->options.bytes, OPTIONS_SIZE);
	format_descriptor(device, ret);
}

/* ---- for messages ---- */

static char *on(const char *what, const struct bcd_device *device)
{
	_cleanup_free_ char *parent =
		device->parent ? bcd_device_text(device->parent) : NULL;

	if (!parent)
		return xasprintf("%s=%s", what, device->path ? device->path : "");
	return xasprintf("%s=%s on %s", what, device->path ? device->path : "", parent);
}

char *bcd_device_text(const struct bcd_device *device)
{
	char partition[GUID_TEXT_SIZE], disk[GUID_TEXT_SIZE];

	switch (device->kind) {
	case BCD_DEVICE_BOOT:
		return xstrdup("boot");
	case BCD_DEVICE_GPT:
		guid_format(&device->partition, partition);
		guid_format(&device->disk, disk);
		return xasprintf("partition %s of disk %s", partition, disk);
	case BCD_DEVICE_MBR:
		return xasprintf("partition at byte %llu of disk 0x%08x",
				 (unsigned long long)device->offset, device->signature);
	case BCD_DEVICE_LOCATE:
		return device->element ? xasprintf("locate=custom:%08x", device->element)
				       : on("locate", device);
	case BCD_DEVICE_FILE:
		return on("file", device);
	case BCD_DEVICE_VHD:
		return on("vhd", device);
	case BCD_DEVICE_RAMDISK:
		return on("ramdisk", device);
	default:
		return xstrdup("unknown device");
	}
}
