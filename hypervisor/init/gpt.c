/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/gpt.h"

#include <unistd.h>

#include "base/file.h"
#include "block/crc.h"

#define MAX_SECTOR 4096
#define HEADER_SIZE 92 /* of revision 1.0 */
#define ENTRY_SIZE 128 /* the least */
#define MIB ((uint64_t)1 << 20)

/* Offsets: tables 5-5 (header) and 5-6 (entry) of the specification. */
enum {
	H_SIZE = 12,
	H_CRC = 16,
	H_SELF = 24,
	H_OTHER = 32,
	H_FIRST = 40,
	H_LAST = 48,
	H_ENTRIES = 72,
	H_COUNT = 80,
	H_ENTRY_SIZE = 84,
	H_ENTRIES_CRC = 88,
};
enum {
	E_GUID = 16,
	E_FIRST = 32,
	E_LAST = 40,
};

void gpt_free(struct gpt *gpt)
{
	buffer_free(&gpt->header);
	buffer_free(&gpt->entries);
	vec_free(&gpt->partitions);
	*gpt = (struct gpt)GPT_INIT;
}

/* ---- reading ---- */

static bool read_at(int fd, uint64_t at, size_t len, struct buffer *ret)
{
	buffer_free(ret);
	if (file_read_at(fd, buffer_reserve(ret, len), len, at, "", NULL) < 0)
		return false;
	ret->len = len;
	return true;
}

static uint32_t header_crc(const struct buffer *header)
{
	uint8_t copy[MAX_SECTOR];
	uint32_t len = get_le32(header->data + H_SIZE);

	memcpy(copy, header->data, len);
	put_le32(copy + H_CRC, 0);
	return crc32_of(CRC32_GPT, (struct bytes){copy, len});
}

static bool header_good(const struct buffer *header, uint64_t at, uint64_t sectors)
{
	const uint8_t *h = header->data;
	uint32_t len, entry, count;

	if (memcmp(h, "EFI PART", 8) != 0)
		return false;
	len = get_le32(h + H_SIZE);
	if (len < HEADER_SIZE || len > header->len ||
	    header_crc(header) != get_le32(h + H_CRC))
		return false;
	entry = get_le32(h + H_ENTRY_SIZE);
	count = get_le32(h + H_COUNT);
	return get_le64(h + H_SELF) == at && get_le64(h + H_ENTRIES) >= 2 &&
	       get_le64(h + H_ENTRIES) < sectors && entry >= ENTRY_SIZE &&
	       entry <= GPT_MAX_ENTRY_SIZE && !(entry & (entry - 1)) && count &&
	       count <= GPT_MAX_ENTRIES;
}

static bool read_copy(int fd, uint64_t at, uint64_t sectors, struct gpt *g)
{
	const uint8_t *h;

	if (at >= sectors || !read_at(fd, at * g->sector, g->sector, &g->header) ||
	    !header_good(&g->header, at, sectors))
		return false;
	h = g->header.data;
	g->at = at;
	return read_at(fd, get_le64(h + H_ENTRIES) * g->sector,
		       (size_t)get_le32(h + H_COUNT) * get_le32(h + H_ENTRY_SIZE),
		       &g->entries) &&
	       crc32_of(CRC32_GPT, buffer_view(&g->entries)) ==
		       get_le32(h + H_ENTRIES_CRC);
}

/* Entries without a possible place are nobody's. */
static void take_entry(struct gpt *g, const uint8_t *e, unsigned number, uint64_t sectors)
{
	static const struct guid unused;
	uint64_t first = get_le64(e + E_FIRST), last = get_le64(e + E_LAST);
	struct gpt_partition p = {.number = number};

	memcpy(p.type.bytes, e, sizeof(p.type.bytes));
	memcpy(p.guid.bytes, e + E_GUID, sizeof(p.guid.bytes));
	if (guid_equal(&p.type, &unused) || first < 2 || last < first || last >= sectors)
		return;
	p.offset = first * g->sector;
	p.size = (last - first + 1) * g->sector;
	vec_push(&g->partitions, p);
}

static uint32_t entry_size(const struct gpt *g)
{
	return get_le32(g->header.data + H_ENTRY_SIZE);
}

static void take_entries(struct gpt *g, uint64_t sectors)
{
	for (size_t i = 0; i < g->entries.len / entry_size(g); i++)
		take_entry(g, g->entries.data + i * entry_size(g), (unsigned)i + 1,
			   sectors);
}

bool gpt_load(int fd, uint64_t size, struct gpt *ret)
{
	static const uint32_t sizes[] = {512, 4096};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct gpt g = {.sector = sizes[i]};
		uint64_t sectors = size / sizes[i];

		g.from_backup = !read_copy(fd, 1, sectors, &g);
		if (!g.from_backup ||
		    (sectors && read_copy(fd, sectors - 1, sectors, &g))) {
			take_entries(&g, sectors);
			*ret = g;
			return true;
		}
		gpt_free(&g);
	}
	return false;
}

const struct gpt_partition *gpt_find(const struct gpt *gpt, const struct guid *type,
				     const struct guid *guid)
{
	vec_foreach (p, &gpt->partitions)
		if ((!type || guid_equal(&p->type, type)) &&
		    (!guid || guid_equal(&p->guid, guid)))
			return p;
	return NULL;
}

/* ---- growing ---- */

static int write_at(int fd, const char *name, uint64_t at, const struct buffer *data,
		    struct error *err)
{
	if (file_write_at(fd, data->data, data->len, at, name, NULL) < 0 ||
	    fdatasync(fd) < 0)
		return error_errno(err, name, "cannot write the partition table");
	return 0;
}

static void sign(struct gpt *g)
{
	put_le32(g->header.data + H_ENTRIES_CRC,
		 crc32_of(CRC32_GPT, buffer_view(&g->entries)));
	put_le32(g->header.data + H_CRC, header_crc(&g->header));
}

/* Entries first: a header that names them is only written when they are there. */
static int write_copy(int fd, const char *name, struct gpt *g, uint64_t self,
		      uint64_t other, uint64_t entries, struct error *err)
{
	put_le64(g->header.data + H_SELF, self);
	put_le64(g->header.data + H_OTHER, other);
	put_le64(g->header.data + H_ENTRIES, entries);
	sign(g);
	if (write_at(fd, name, entries * g->sector, &g->entries, err) < 0)
		return -1;
	return write_at(fd, name, self * g->sector, &g->header, err);
}

static bool followed(const struct gpt *g, const struct gpt_partition *p)
{
	vec_foreach (other, &g->partitions)
		if (other->offset > p->offset)
			return true;
	return false;
}

/* The end of the protective MBR's only entry: firmware that is strict compares it. */
static int write_protective(int fd, const char *name, const struct gpt *g,
			    uint64_t sectors, struct error *err)
{
	_cleanup_buffer_ struct buffer mbr = BUFFER_INIT;
	uint8_t *entry;

	if (!read_at(fd, 0, g->sector, &mbr))
		return error_errno(err, name, "cannot read");
	entry = mbr.data + 446;
	if (entry[4] != 0xee || get_le32(entry + 8) != 1)
		return 0;
	put_le32(entry + 12,
		 sectors - 1 > UINT32_MAX ? UINT32_MAX : (uint32_t)(sectors - 1));
	return write_at(fd, name, 0, &mbr, err);
}

int gpt_grow(int fd, const char *name, uint64_t size, struct gpt *g, unsigned number,
	     uint64_t *ret, struct error *err)
{
	uint64_t sectors = size / g->sector, step = MIB / g->sector;
	uint64_t table = (g->entries.len + g->sector - 1) / g->sector, first, last;
	struct gpt_partition *p = NULL;
	uint8_t *entry;
	bool gain;

	vec_foreach (each, &g->partitions)
		if (each->number == number)
			p = each;
	if (!p || followed(g, p) || sectors < 2 * table + 4)
		return 0;
	first = p->offset / g->sector;
	/* The last whole MiB before the backup, as partitioning programs have it. */
	last = (sectors - 1 - table) / step * step - 1;
	gain = last >= first && (last - first + 1) * g->sector >= p->size + MIB;
	/* A first header that is damaged was cut off here, an earlier time. */
	if (!gain && !g->from_backup)
		return 0;
	if (!gain)
		last = (p->offset + p->size) / g->sector - 1;
	entry = g->entries.data + (size_t)(number - 1) * entry_size(g);
	put_le64(entry + E_LAST, last);
	put_le64(g->header.data + H_LAST, sectors - table - 2);
	first = g->from_backup ? 2 : get_le64(g->header.data + H_ENTRIES);
	if (first + table > get_le64(g->header.data + H_FIRST))
		return 0;
	if (write_copy(fd, name, g, sectors - 1, 1, sectors - 1 - table, err) < 0 ||
	    write_protective(fd, name, g, sectors, err) < 0 ||
	    write_copy(fd, name, g, 1, sectors - 1, first, err) < 0)
		return -1;
	p->size = *ret = (last + 1) * g->sector - p->offset;
	return 1;
}
