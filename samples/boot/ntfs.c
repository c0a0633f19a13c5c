/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small reader of NTFS: no attribute lists, no compression; names are ASCII. */
#include "ntfs.h"

#include "store.h"

#define RECORD_MAX 4096u
#define BLOCK_MAX 65536u
#define ROOT 5u
#define ATTR_DATA 0x80u
#define ATTR_INDEX_ROOT 0x90u
#define ATTR_INDEX_ALLOCATION 0xa0u

static uint32_t volume, cluster, record_size; /* first sector, sectors, bytes */
static uint8_t mft[RECORD_MAX], record[RECORD_MAX], block[BLOCK_MAX];

static int fix(uint8_t *p, uint32_t size)
{
	uint32_t at = le16(p + 4), count = le16(p + 6);

	if (count != size / 512 + 1 || at + 2 * count > 512)
		return 0;
	for (uint32_t i = 1; i < count; i++) {
		if (!same_bytes(p + i * 512 - 2, p + at, 2))
			return 0;
		memcpy(p + i * 512 - 2, p + at + 2 * i, 2);
	}
	return 1;
}

static const uint8_t *attribute(const uint8_t *p, uint32_t type)
{
	uint32_t at = le16(p + 20);

	while (at + 24 <= record_size && le32(p + at) != 0xffffffffu) {
		if (le32(p + at) == type && (type != ATTR_DATA || p[at + 9] == 0))
			return p + at;
		if (le32(p + at + 4) < 16)
			return NULL;
		at += le32(p + at + 4);
	}
	return NULL;
}

static int64_t number(const uint8_t *p, uint32_t len)
{
	int64_t v = len && (p[len - 1] & 0x80) ? -1 : 0;

	while (len)
		v = (int64_t)((uint64_t)v << 8 | p[--len]);
	return v;
}

/* `count` sectors of a non-resident attribute from its sector `from` on. */
static int read_runs(const uint8_t *a, uint64_t from, uint32_t count, uint8_t *data)
{
	const uint8_t *p = a + le16(a + 32), *end = a + le32(a + 4);
	int64_t lcn = 0;

	while (count && p < end && *p) {
		uint32_t len_size = *p & 15, lcn_size = *p >> 4;
		uint64_t len = (uint64_t)number(p + 1, len_size) * cluster;

		if (!lcn_size)
			return 0;
		lcn += number(p + 1 + len_size, lcn_size);
		p += 1 + len_size + lcn_size;
		if (from < len) {
			uint32_t n = len - from < count ? (uint32_t)(len - from) : count;

			if (!disk_read(volume + (uint64_t)lcn * cluster + from, n, data))
				return 0;
			data += (size_t)n * 512;
			count -= n;
			from = 0;
		} else {
			from -= len;
		}
	}
	return count == 0;
}

static int read_record(uint64_t n)
{
	const uint8_t *runs = attribute(mft, ATTR_DATA);
	uint32_t sectors = record_size / 512;

	return runs && runs[8] && read_runs(runs, n * sectors, sectors, record) &&
	       same_bytes(record, "FILE", 4) && fix(record, record_size) &&
	       (record[22] & 1);
}

static const char *open_volume(uint32_t start)
{
	static uint8_t boot[512];
	int8_t size;

	volume = start;
	if (!disk_read(start, 1, boot) || !same_bytes(boot + 3, "NTFS", 4))
		return ": the partition is no NTFS volume";
	cluster = boot[13] > 0x80 ? 1u << ((256 - boot[13]) & 31) : boot[13];
	size = (int8_t)boot[64];
	record_size = size < 0 ? 1u << (-size & 31) : (uint32_t)size * cluster * 512;
	if (record_size < 512 || record_size > RECORD_MAX ||
	    !disk_read(start + le64(boot + 48) * cluster, record_size / 512, mft) ||
	    !same_bytes(mft, "FILE", 4) || !fix(mft, record_size))
		return ": the volume's $MFT is damaged";
	return NULL;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* The entries of one node; the file's number if the name is there, else 0. */
static uint64_t in_node(const uint8_t *p, const uint8_t *end, const char *name,
			size_t len)
{
	while (p + 82 <= end && !(p[12] & 2)) {
		size_t i = 0;

		while (p[80] == len && i < len &&
		       upper((char)p[82 + 2 * i]) == upper(name[i]) && !p[83 + 2 * i])
			i++;
		if (i == len && p[80] == len)
			return le64(p) & 0xffffffffffffu;
		if (le16(p + 8) < 16)
			return 0;
		p += le16(p + 8);
	}
	return 0;
}

/* The file's number in the folder whose record was read, or 0. */
static uint64_t find(const char *name, size_t len)
{
	const uint8_t *root = attribute(record, ATTR_INDEX_ROOT), *value,
		      *more = attribute(record, ATTR_INDEX_ALLOCATION);
	uint32_t size;
	uint64_t found;

	if (!root)
		return 0;
	value = root + le16(root + 20);
	size = le32(value + 8);
	found = in_node(value + 16 + le32(value + 16), value + 16 + le32(value + 20),
			name, len);
	if (!more || size < 512 || size > BLOCK_MAX)
		return found;
	for (uint64_t at = 0; !found && at + size <= le64(more + 48); at += size) {
		const uint8_t *header = block + 24;

		if (!read_runs(more, at / 512, size / 512, block) ||
		    !same_bytes(block, "INDX", 4) || !fix(block, size) ||
		    24 + le32(header + 4) > size)
			continue;
		found = in_node(header + le32(header), header + le32(header + 4), name,
				len);
	}
	return found;
}

const char *ntfs_read_file(uint32_t start, const char *path, uint8_t *data, uint32_t max,
			   uint32_t *size)
{
	const char *wrong = open_volume(start);
	const uint8_t *a;
	uint64_t number = ROOT;

	while (!wrong && *path == '\\') {
		size_t len = 0;

		while (path[1 + len] && path[1 + len] != '\\')
			len++;
		number = read_record(number) ? find(path + 1, len) : 0;
		if (!number)
			return " is missing";
		path += 1 + len;
	}
	if (wrong || !read_record(number))
		return wrong ? wrong : ": its file record is damaged";
	a = attribute(record, ATTR_DATA);
	if (!a || le16(a + 12))
		return " is compressed or spread over several records";
	if (!a[8]) {
		*size = le32(a + 16);
		memcpy(data, a + le16(a + 20), *size);
		return NULL;
	}
	if (le64(a + 48) > max)
		return " is too large";
	*size = (uint32_t)le64(a + 48);
	return read_runs(a, 0, (*size + 511) / 512, data) ? NULL : " cannot be read";
}
