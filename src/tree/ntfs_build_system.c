/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The system's own files of a new volume, as Windows 10 makes them: records 0 to 11,
 * 12 to 15 in reserve, and $Extend's $Quota, $ObjId and $Reparse.
 */
#include "tree/ntfs_build.h"

#include "base/text.h"

#define SYSTEM_ATTRIBUTES 6u /* hidden, system */
#define SECURITY_READ 0x100u
#define SECURITY_WRITE 0x101u
#define UPCASE_UNITS 0x10000u
#define BOOT_SIZE 8192u
#define ATTR_DEF_SIZE 2560u
#define MAX_LOG_FILE (64u * 1024 * 1024)
#define MIN_LOG_FILE (2u * 1024 * 1024)
#define TINY_VOLUME (64u * 1024 * 1024)
#define TINY_LOG_FILE (256u * 1024)
#define SYSTEM_FILES 27
/* The MFT grows by so many records. */
#define MFT_STEP 64u

/* What of a file is known when it is written, for its record. */
struct ntfs_system_file {
	struct ntfs_run run;
	uint64_t size;
	struct ntfs_index index[2];
};

static const struct {
	uint8_t record;
	const char *name;
} root_names[] = {
	{NTFS_ATTR_DEF, "$AttrDef"}, {NTFS_BAD_CLUSTERS, "$BadClus"},
	{NTFS_BITMAP, "$Bitmap"},    {NTFS_BOOT, "$Boot"},
	{NTFS_EXTEND, "$Extend"},    {NTFS_LOG_FILE, "$LogFile"},
	{NTFS_MFT, "$MFT"},	     {NTFS_MFT_MIRROR, "$MFTMirr"},
	{NTFS_SECURE, "$Secure"},    {NTFS_UPCASE, "$UpCase"},
	{NTFS_VOLUME, "$Volume"},    {NTFS_ROOT, "."},
};
/* Of $Extend, in order. */
static const struct {
	uint8_t record;
	const char *name;
} extend_names[] = {
	{NTFS_OBJECT_IDS, "$ObjId"}, {NTFS_QUOTA, "$Quota"}, {NTFS_REPARSE, "$Reparse"}};

/* ---- contents
 * --------------------------------------------------------------------------- */

static uint64_t log_file_size(uint64_t clusters)
{
	uint64_t size = clusters * NTFS_CLUSTER / 200;

	if (clusters * NTFS_CLUSTER < TINY_VOLUME)
		return TINY_LOG_FILE;
	if (size > MAX_LOG_FILE)
		return MAX_LOG_FILE;
	return size < MIN_LOG_FILE ? MIN_LOG_FILE : size / NTFS_CLUSTER * NTFS_CLUSTER;
}

static uint64_t mirror_size(uint32_t record_size)
{
	return record_size * UINT64_C(4);
}

static uint64_t bitmap_size(uint64_t clusters)
{
	return (clusters + 63) / 64 * 8;
}

uint64_t ntfs_fixed_clusters(uint64_t clusters, uint32_t record_size)
{
	return ntfs_clusters_of(BOOT_SIZE) + ntfs_clusters_of(mirror_size(record_size)) +
	       ntfs_clusters_of(UPCASE_UNITS * 2) + ntfs_clusters_of(ATTR_DEF_SIZE) +
	       ntfs_clusters_of(log_file_size(clusters)) +
	       ntfs_clusters_of(bitmap_size(clusters));
}

static int place(struct ntfs_build *b, unsigned number, uint64_t size, struct error *err)
{
	struct ntfs_system_file *f = &b->system[number];

	f->size = size;
	f->run.count = ntfs_clusters_of(size);
	return ntfs_allocate(b, f->run.count, &f->run.lcn, err);
}

static int put(struct ntfs_build *b, unsigned number, uint64_t at, struct bytes data,
	       struct error *err)
{
	return ntfs_output_write(&b->out, b->system[number].run.lcn * NTFS_CLUSTER + at,
				 data, err);
}

static void make_upcase(struct buffer *to)
{
	for (uint32_t i = 0; i < UPCASE_UNITS; i++)
		buffer_append_le16(to, upcase_unit((uint16_t)i));
}

/* The checksum in $UpCase:$Info: a CRC of 64 bits, as found on volumes of Windows 10. */
static uint64_t upcase_checksum(struct bytes table)
{
	uint64_t crc = UINT64_MAX;

	for (size_t i = 0; i < table.len; i++) {
		crc ^= table.data[i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ UINT64_C(0x9a6c9329ac4bc9b5)
				      : crc >> 1;
	}
	return ~crc;
}

static void make_attr_def(struct buffer *to)
{
	static const struct {
		const char *name;
		uint32_t type, flags;
		uint64_t min, max;
	} types[] = {
		{"$STANDARD_INFORMATION", 0x10, 0x40, 0x30, 0x48},
		{"$ATTRIBUTE_LIST", 0x20, 0x80, 0, UINT64_MAX},
		{"$FILE_NAME", 0x30, 0x42, 0x44, 0x242},
		{"$OBJECT_ID", 0x40, 0x40, 0, 0x100},
		{"$SECURITY_DESCRIPTOR", 0x50, 0x80, 0, UINT64_MAX},
		{"$VOLUME_NAME", 0x60, 0x40, 2, 0x100},
		{"$VOLUME_INFORMATION", 0x70, 0x40, 12, 12},
		{"$DATA", 0x80, 0, 0, UINT64_MAX},
		{"$INDEX_ROOT", 0x90, 0x40, 0, UINT64_MAX},
		{"$INDEX_ALLOCATION", 0xa0, 0x80, 0, UINT64_MAX},
		{"$BITMAP", 0xb0, 0x80, 0, UINT64_MAX},
		{"$REPARSE_POINT", 0xc0, 0x80, 0, 0x4000},
		{"$EA_INFORMATION", 0xd0, 0x40, 8, 8},
		{"$EA", 0xe0, 0, 0, 0x10000},
		{"$LOGGED_UTILITY_STREAM", 0x100, 0x80, 0, 0x10000},
	};
	enum { ENTRY = 160, NAME = 128 };
	uint8_t *p = buffer_reserve(to, ATTR_DEF_SIZE);

	memset(p, 0, ATTR_DEF_SIZE);
	to->len = ATTR_DEF_SIZE;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++, p += ENTRY) {
		for (size_t k = 0; types[i].name[k]; k++)
			put_le16(p + 2 * k, (uint8_t)types[i].name[k]);
		put_le32(p + NAME, types[i].type);
		put_le32(p + NAME + 12, types[i].flags);
		put_le64(p + NAME + 16, types[i].min);
		put_le64(p + NAME + 24, types[i].max);
	}
}

/* All ones: Windows takes it as a log without anything to do. */
static int put_log_file(struct ntfs_build *b, struct error *err)
{
	_cleanup_free_ uint8_t *ones = xmalloc(64 * 1024);
	uint64_t size = b->system[NTFS_LOG_FILE].size;

	memset(ones, 0xff, 64 * 1024);
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < 64 * 1024 ? (size_t)(size - at) : 64 * 1024;

		if (put(b, NTFS_LOG_FILE, at, (struct bytes){ones, n}, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

int ntfs_write_fixed(struct ntfs_build *b, struct error *err)
{
	_cleanup_buffer_ struct buffer upcase = BUFFER_INIT, types = BUFFER_INIT;

	b->system = xcalloc(SYSTEM_FILES, sizeof(*b->system));
	make_upcase(&upcase);
	make_attr_def(&types);
	if (place(b, NTFS_BOOT, BOOT_SIZE, err) < 0 ||
	    place(b, NTFS_MFT_MIRROR, mirror_size(b->record_size), err) < 0 ||
	    place(b, NTFS_UPCASE, upcase.len, err) < 0 ||
	    place(b, NTFS_ATTR_DEF, types.len, err) < 0 ||
	    place(b, NTFS_LOG_FILE, log_file_size(b->clusters), err) < 0)
		return -1;
	b->mirror = b->system[NTFS_MFT_MIRROR].run.lcn;
	if (put(b, NTFS_UPCASE, 0, buffer_view(&upcase), err) < 0 ||
	    put(b, NTFS_ATTR_DEF, 0, buffer_view(&types), err) < 0)
		return -1;
	return put_log_file(b, err);
}

/* Clusters in use: all up to b->next, and what is behind the end. */
static int put_bitmap(struct ntfs_build *b, struct error *err)
{
	uint64_t size = b->system[NTFS_BITMAP].size, used = b->next, at = 0;
	uint8_t piece[4096];

	while (at < size) {
		size_t n =
			size - at < sizeof(piece) ? (size_t)(size - at) : sizeof(piece);

		for (size_t i = 0; i < n; i++) {
			uint64_t bit = (at + i) * 8;

			piece[i] = bit + 8 <= used ? 0xff
				   : bit < used	   ? (uint8_t)((1 << (used - bit)) - 1)
						   : 0;
			for (unsigned k = 0; k < 8 && bit + 8 > b->clusters; k++)
				if (bit + k >= b->clusters)
					piece[i] |= (uint8_t)(1 << k);
		}
		if (put(b, NTFS_BITMAP, at, (struct bytes){piece, n}, err) < 0)
			return -1;
		at += n;
		/* Between the last used one and the end all is zero. */
		if (at * 8 > used && at < size && size - at > sizeof(piece))
			at = (size - 1) / sizeof(piece) * sizeof(piece);
	}
	return 0;
}

/* ---- views
 * ------------------------------------------------------------------------------ */

struct keyed {
	uint8_t key[16];
	uint32_t inode;
};

static int compare_ulongs(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	for (size_t i = 0; i < 16; i += 4) {
		uint32_t m = get_le32(x->key + i), n = get_le32(y->key + i);

		if (m != n)
			return m < n ? -1 : 1;
	}
	return (x->inode > y->inode) - (x->inode < y->inode);
}

static void fill_reparse(struct ntfs_build *b, struct ntfs_index *index)
{
	const struct files *files = b->files;
	_cleanup_free_ struct keyed *keys = xcalloc(files->inodes.len + 1, sizeof(*keys));
	size_t n = 0;

	for (uint32_t i = 0; i < files->inodes.len; i++) {
		const struct files_inode *inode = &files->inodes.items[i];

		if (!b->inodes[i].wof && !(inode->attributes & FILES_ATTR_REPARSE))
			continue;
		put_le32(keys[n].key,
			 b->inodes[i].wof ? NTFS_WOF_TAG : inode->reparse_tag);
		put_le64(keys[n].key + 4, ntfs_reference(b->inodes[i].record));
		keys[n++].inode = i;
	}
	qsort(keys, n, sizeof(*keys), compare_ulongs);
	for (size_t i = 0; i < n; i++)
		ntfs_index_add_view(index, (struct bytes){keys[i].key, 12},
				    (struct bytes){0}, 0);
}

/* An object ID leads to one file only: the first that has it. */
static void fill_object_ids(struct ntfs_build *b, struct ntfs_index *index)
{
	static const uint8_t none[16];
	const struct files *files = b->files;
	_cleanup_free_ struct keyed *keys = xcalloc(files->inodes.len + 1, sizeof(*keys));
	size_t n = 0;

	for (uint32_t i = 0; i < files->inodes.len; i++) {
		const struct files_object_id *id = files->inodes.items[i].object_id;

		if (!id || memcmp(id->id, none, sizeof(none)) == 0)
			continue;
		memcpy(keys[n].key, id->id, sizeof(id->id));
		keys[n++].inode = i;
	}
	qsort(keys, n, sizeof(*keys), compare_ulongs);
	for (size_t i = 0; i < n; i++) {
		const struct files_object_id *id =
			files->inodes.items[keys[i].inode].object_id;
		uint8_t data[56];

		if (i && memcmp(keys[i].key, keys[i - 1].key, 16) == 0)
			continue;
		b->inodes[keys[i].inode].object_id = true;
		put_le64(data, ntfs_reference(b->inodes[keys[i].inode].record));
		memcpy(data + 8, id->birth_volume, 16);
		memcpy(data + 24, id->birth_object, 16);
		memcpy(data + 40, id->domain, 16);
		ntfs_index_add_view(index, (struct bytes){keys[i].key, 16},
				    (struct bytes){data, sizeof(data)}, 0);
	}
}

/* Quotas are off; Windows has the defaults and an entry for Administrators. */
static void fill_quota(struct ntfs_build *b, struct ntfs_index *owners,
		       struct ntfs_index *quotas)
{
	static const uint8_t administrators[16] = {1, 2,  0, 0, 0, 0,  0,
						   5, 32, 0, 0, 0, 32, 2};
	uint8_t data[64] = {0}, key[4];

	put_le32(key, 0x100);
	ntfs_index_add_view(owners, (struct bytes){administrators, 16},
			    (struct bytes){key, 4}, 0);
	put_le32(data, 2);     /* version */
	put_le32(data + 4, 1); /* the default limits apply */
	put_le64(data + 16, b->now);
	put_le64(data + 24, UINT64_MAX);
	put_le64(data + 32, UINT64_MAX);
	put_le32(key, 1);
	ntfs_index_add_view(quotas, (struct bytes){key, 4}, (struct bytes){data, 48}, 0);
	memcpy(data + 48, administrators, 16);
	put_le32(key, 0x100);
	ntfs_index_add_view(quotas, (struct bytes){key, 4}, (struct bytes){data, 64}, 0);
}

int ntfs_write_views(struct ntfs_build *b, struct error *err)
{
	struct ntfs_system_file *secure = &b->system[NTFS_SECURE];
	struct ntfs_index *hash = &secure->index[0], *number = &secure->index[1];
	struct ntfs_index *object_ids = &b->system[NTFS_OBJECT_IDS].index[0];
	struct ntfs_index *reparse = &b->system[NTFS_REPARSE].index[0];
	struct ntfs_index *quota = b->system[NTFS_QUOTA].index;
	enum { ROOM = 200 };

	*hash = (struct ntfs_index){.name = "$SDH",
				    .collation = NTFS_COLLATION_SECURITY_HASH};
	*number = (struct ntfs_index){.name = "$SII", .collation = NTFS_COLLATION_ULONG};
	*object_ids =
		(struct ntfs_index){.name = "$O", .collation = NTFS_COLLATION_ULONGS};
	*reparse = (struct ntfs_index){.name = "$R", .collation = NTFS_COLLATION_ULONGS};
	quota[0] = (struct ntfs_index){.name = "$O", .collation = NTFS_COLLATION_SID};
	quota[1] = (struct ntfs_index){.name = "$Q", .collation = NTFS_COLLATION_ULONG};
	fill_object_ids(b, object_ids);
	fill_reparse(b, reparse);
	fill_quota(b, &quota[0], &quota[1]);
	if (ntfs_write_descriptors(b, &secure->run, &secure->size, hash, number, err) < 0)
		return -1;
	if (ntfs_index_build(b, hash, ROOM, err) < 0 ||
	    ntfs_index_build(b, number, ROOM, err) < 0 ||
	    ntfs_index_build(b, object_ids, 2 * ROOM, err) < 0 ||
	    ntfs_index_build(b, reparse, 2 * ROOM, err) < 0 ||
	    ntfs_index_build(b, &quota[0], ROOM, err) < 0)
		return -1;
	return ntfs_index_build(b, &quota[1], 2 * ROOM, err);
}

void ntfs_system_free(struct ntfs_build *b)
{
	for (size_t i = 0; b->system && i < SYSTEM_FILES; i++)
		for (size_t k = 0; k < 2; k++)
			ntfs_index_free(&b->system[i].index[k]);
	free(b->system);
}

/* ---- names
 * ------------------------------------------------------------------------------ */

static bool is_folder(unsigned number)
{
	return number == NTFS_ROOT || number == NTFS_EXTEND;
}

static bool is_view(unsigned number)
{
	return number == NTFS_SECURE || number >= NTFS_QUOTA;
}

/* The value of a system file's name. */
static size_t name_value(const struct ntfs_build *b, unsigned number, const char *text,
			 uint32_t parent, uint8_t value[NTFS_FILE_NAME_MAX])
{
	const struct ntfs_system_file *f = &b->system[number];
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	struct ntfs_file_name name = {.parent = parent,
				      .attributes = SYSTEM_ATTRIBUTES,
				      .created = b->now,
				      .modified = b->now,
				      .changed = b->now,
				      .accessed = b->now,
				      .space = parent == NTFS_ROOT ? NTFS_WIN32_DOS
								   : NTFS_POSIX};

	if (!is_view(number) && !is_folder(number)) {
		name.size = f->size;
		name.allocated = ntfs_clusters_of(f->size) * NTFS_CLUSTER;
	}
	name.attributes |= is_folder(number) ? NTFS_ATTR_FOLDER : 0;
	name.attributes |= is_view(number) ? NTFS_ATTR_VIEW : 0;
	utf16_append(&units, text);
	name.units = buffer_view(&units);
	return ntfs_file_name_value(&name, value);
}

static int compare_entries(const void *a, const void *b, void *arg)
{
	const struct ntfs_index *index = arg;
	const uint8_t *x = index->bytes.data + *(const uint32_t *)a + 16;
	const uint8_t *y = index->bytes.data + *(const uint32_t *)b + 16;

	return ntfs_order_names((struct bytes){x + 66, 2u * x[64]},
				(struct bytes){y + 66, 2u * y[64]}, true);
}

void ntfs_system_names(struct ntfs_build *b, struct ntfs_index *index)
{
	uint8_t value[NTFS_FILE_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(root_names); i++) {
		unsigned record = root_names[i].record;
		size_t len = name_value(b, record, root_names[i].name, NTFS_ROOT, value);

		ntfs_index_add_file(index, ntfs_reference(record),
				    (struct bytes){value, len});
	}
	qsort_r(index->offsets.items, index->offsets.len, sizeof(*index->offsets.items),
		compare_entries, index);
}

/* ---- records
 * ---------------------------------------------------------------------------- */

struct system_record {
	struct ntfs_record record;
	uint8_t standard[72];
	uint8_t name[NTFS_FILE_NAME_MAX];
};

static struct ntfs_attr *add(struct system_record *s, uint32_t type, const char *name,
			     struct bytes value)
{
	vec_push(&s->record.attrs,
		 (struct ntfs_attr){.type = type, .name = name, .value = value});
	return &s->record.attrs.items[s->record.attrs.len - 1];
}

static void add_runs(struct system_record *s, uint32_t type, const char *name,
		     const struct ntfs_run *runs, size_t count, uint64_t size)
{
	struct ntfs_attr *a = add(s, type, name, (struct bytes){0});

	a->non_resident = true;
	a->runs = runs;
	a->run_count = count;
	a->size = a->initialized = size;
}

static void begin(const struct ntfs_build *b, struct system_record *s, unsigned number,
		  const char *text, uint32_t parent)
{
	struct ntfs_standard standard = {
		.attributes = SYSTEM_ATTRIBUTES | (is_view(number) ? NTFS_ATTR_VIEW : 0),
		.security = SECURITY_READ,
		.created = b->now,
		.modified = b->now,
		.changed = b->now,
		.accessed = b->now};

	*s = (struct system_record){0};
	s->record.number = number;
	s->record.sequence = (uint16_t)(ntfs_reference(number) >> 48);
	s->record.flags = NTFS_RECORD_IN_USE;
	s->record.flags |= is_folder(number) ? NTFS_RECORD_FOLDER : 0;
	s->record.flags |= is_view(number) ? NTFS_RECORD_VIEW : 0;
	s->record.flags |= number >= NTFS_QUOTA ? NTFS_RECORD_EXTEND : 0;
	if (number == NTFS_VOLUME || number == NTFS_SECURE || number >= NTFS_EXTEND)
		standard.security = SECURITY_WRITE;
	ntfs_standard_value(&standard, s->standard);
	add(s, NTFS_AT_STANDARD, NULL, (struct bytes){s->standard, 72});
	if (!text)
		return;
	s->record.links = 1;
	add(s, NTFS_AT_FILE_NAME, NULL,
	    (struct bytes){s->name, name_value(b, number, text, parent, s->name)})
		->indexed = true;
}

static int finish(struct ntfs_build *b, struct system_record *s, struct error *err)
{
	int result = ntfs_record_write(b, &s->record, err);

	vec_free(&s->record.attrs);
	return result;
}

static int add_index(struct ntfs_build *b, struct system_record *s,
		     struct ntfs_index *index, struct ntfs_run *bitmap, struct error *err)
{
	add(s, NTFS_AT_INDEX_ROOT, index->name, buffer_view(&index->root));
	if (!index->run.count)
		return 0;
	add_runs(s, NTFS_AT_INDEX_ALLOCATION, index->name, &index->run, 1,
		 index->run.count * NTFS_CLUSTER);
	if (index->bitmap.len <= 64) {
		add(s, NTFS_AT_BITMAP, index->name, buffer_view(&index->bitmap));
		return 0;
	}
	bitmap->count = ntfs_clusters_of(index->bitmap.len);
	if (ntfs_allocate(b, bitmap->count, &bitmap->lcn, err) < 0)
		return -1;
	add_runs(s, NTFS_AT_BITMAP, index->name, bitmap, 1, index->bitmap.len);
	return ntfs_output_write(&b->out, bitmap->lcn * NTFS_CLUSTER,
				 buffer_view(&index->bitmap), err);
}

/* A file with indexes of its own. */
static int write_view(struct ntfs_build *b, unsigned number, const char *text,
		      uint32_t parent, struct error *err)
{
	struct ntfs_system_file *f = &b->system[number];
	struct ntfs_run bitmaps[2] = {0};
	struct system_record s;
	int result = 0;

	begin(b, &s, number, text, parent);
	if (number == NTFS_SECURE)
		add_runs(&s, NTFS_AT_DATA, "$SDS", &f->run, 1, f->size);
	for (size_t i = 0; i < 2 && f->index[i].name && result == 0; i++)
		result = add_index(b, &s, &f->index[i], &bitmaps[i], err);
	if (result == 0)
		return finish(b, &s, err);
	vec_free(&s.record.attrs);
	return -1;
}

static int write_extend(struct ntfs_build *b, struct error *err)
{
	struct ntfs_index index = {.name = "$I30",
				   .type = NTFS_AT_FILE_NAME,
				   .collation = NTFS_COLLATION_FILE_NAME};
	uint8_t value[NTFS_FILE_NAME_MAX];
	struct system_record s;
	int result;

	for (size_t i = 0; i < ARRAY_SIZE(extend_names); i++) {
		unsigned record = extend_names[i].record;
		size_t len =
			name_value(b, record, extend_names[i].name, NTFS_EXTEND, value);

		ntfs_index_add_file(&index, ntfs_reference(record),
				    (struct bytes){value, len});
	}
	begin(b, &s, NTFS_EXTEND, "$Extend", NTFS_ROOT);
	result = ntfs_index_build(b, &index, 500, err);
	if (result == 0)
		result = add_index(b, &s, &index, NULL, err);
	if (result == 0)
		result = finish(b, &s, err);
	else
		vec_free(&s.record.attrs);
	ntfs_index_free(&index);
	return result;
}

static int write_volume(struct ntfs_build *b, struct error *err)
{
	static const uint8_t information[12] = {0, 0, 0, 0, 0, 0, 0, 0, 3, 1};
	const char *label = b->options->label ? b->options->label : b->files->label;
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	struct system_record s;

	begin(b, &s, NTFS_VOLUME, "$Volume", NTFS_ROOT);
	utf16_append(&units, label ? label : "");
	if (units.len)
		add(&s, NTFS_AT_VOLUME_NAME, NULL, buffer_view(&units));
	add(&s, NTFS_AT_VOLUME_INFORMATION, NULL, (struct bytes){information, 12});
	add(&s, NTFS_AT_DATA, NULL, (struct bytes){0});
	return finish(b, &s, err);
}

static int write_bad_clusters(struct ntfs_build *b, struct error *err)
{
	struct ntfs_run all = {NTFS_HOLE, b->clusters};
	struct system_record s;

	begin(b, &s, NTFS_BAD_CLUSTERS, "$BadClus", NTFS_ROOT);
	add(&s, NTFS_AT_DATA, NULL, (struct bytes){0});
	add_runs(&s, NTFS_AT_DATA, "$Bad", &all, 1, b->clusters * NTFS_CLUSTER);
	s.record.attrs.items[s.record.attrs.len - 1].initialized = 0;
	return finish(b, &s, err);
}

static int write_upcase(struct ntfs_build *b, struct error *err)
{
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;
	uint8_t info[32] = {sizeof(info)};
	struct system_record s;

	make_upcase(&table);
	put_le64(info + 8, upcase_checksum(buffer_view(&table)));
	put_le32(info + 16, 10); /* the version of Windows whose table it is */
	begin(b, &s, NTFS_UPCASE, "$UpCase", NTFS_ROOT);
	add_runs(&s, NTFS_AT_DATA, NULL, &b->system[NTFS_UPCASE].run, 1,
		 b->system[NTFS_UPCASE].size);
	add(&s, NTFS_AT_DATA, "$Info", (struct bytes){info, sizeof(info)});
	return finish(b, &s, err);
}

/* A file that is one run. */
static int write_plain(struct ntfs_build *b, unsigned number, const char *text,
		       struct error *err)
{
	struct system_record s;

	begin(b, &s, number, text, NTFS_ROOT);
	add_runs(&s, NTFS_AT_DATA, NULL, &b->system[number].run, 1,
		 b->system[number].size);
	return finish(b, &s, err);
}

/* ---- the MFT
 * ----------------------------------------------------------------------------- */

static int write_free_record(struct ntfs_build *b, uint32_t number, struct error *err)
{
	unsigned header =
		(unsigned)ntfs_align8(0x30 + 2 * (b->record_size / NTFS_SECTOR + 1));
	uint8_t raw[NTFS_MAX_RECORD] = "FILE";

	put_le16(raw + 16, (uint16_t)(ntfs_reference(number) >> 48));
	put_le16(raw + 20, (uint16_t)header);
	put_le32(raw + 24, header + 8);
	put_le32(raw + 28, b->record_size);
	put_le32(raw + 44, number);
	put_le32(raw + header, UINT32_MAX);
	ntfs_protect(raw, b->record_size, 0x30);
	return ntfs_mft_write(b, number, raw, err);
}

static bool record_is_used(uint32_t number, uint32_t files)
{
	if (number >= NTFS_FIRST_FILE)
		return number < files;
	return number < 16 || (number >= NTFS_QUOTA && number <= NTFS_REPARSE);
}

/* Extension records, the free ones, and $Bitmap of the MFT. `count`: records in all. */
static int write_rest(struct ntfs_build *b, uint32_t count, struct error *err)
{
	uint32_t files = b->base_records + (uint32_t)b->extensions.len;
	_cleanup_free_ uint8_t *bits = NULL;

	for (size_t i = 0; i < b->extensions.len; i++)
		if (ntfs_mft_write(b, b->base_records + (uint32_t)i,
				   b->extensions.items[i], err) < 0)
			return -1;
	for (uint32_t i = files; i < count; i++)
		if (write_free_record(b, i, err) < 0)
			return -1;
	if (place(b, NTFS_MFT, (count + 63) / 64 * UINT64_C(8), err) < 0)
		return -1;
	bits = xcalloc((size_t)b->system[NTFS_MFT].size, 1);
	for (uint32_t i = 0; i < count; i++)
		if (record_is_used(i, files))
			bits[i / 8] |= (uint8_t)(1 << i % 8);
	return put(b, NTFS_MFT, 0, (struct bytes){bits, (size_t)b->system[NTFS_MFT].size},
		   err);
}

static int write_mft(struct ntfs_build *b, uint32_t count, struct error *err)
{
	struct ntfs_run bits = b->system[NTFS_MFT].run;
	uint64_t bits_size = b->system[NTFS_MFT].size;
	struct system_record s;

	b->system[NTFS_MFT].size = count * (uint64_t)b->record_size;
	begin(b, &s, NTFS_MFT, "$MFT", NTFS_ROOT);
	add_runs(&s, NTFS_AT_DATA, NULL, b->mft.items, b->mft.len,
		 count * (uint64_t)b->record_size);
	add_runs(&s, NTFS_AT_BITMAP, NULL, &bits, 1, bits_size);
	return finish(b, &s, err);
}

static int write_reserved(struct ntfs_build *b, struct error *err)
{
	for (unsigned i = NTFS_RESERVED; i < NTFS_FIRST_FILE; i++) {
		struct system_record s;
		int result;

		if (i >= NTFS_QUOTA && i <= NTFS_REPARSE)
			continue;
		if (i < 16) {
			begin(b, &s, i, NULL, 0);
			s.record.flags = NTFS_RECORD_IN_USE;
			add(&s, NTFS_AT_DATA, NULL, (struct bytes){0});
			result = finish(b, &s, err);
		} else {
			result = write_free_record(b, i, err);
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

int ntfs_write_system(struct ntfs_build *b, struct error *err)
{
	uint32_t count = b->base_records + (uint32_t)b->extensions.len;

	b->system[NTFS_MFT].size = count * (uint64_t)b->record_size;
	/* All that takes space first: the root's index has their sizes. */
	if (place(b, NTFS_BITMAP, bitmap_size(b->clusters), err) < 0 ||
	    write_view(b, NTFS_SECURE, "$Secure", NTFS_ROOT, err) < 0 ||
	    write_view(b, NTFS_QUOTA, "$Quota", NTFS_EXTEND, err) < 0 ||
	    write_view(b, NTFS_OBJECT_IDS, "$ObjId", NTFS_EXTEND, err) < 0 ||
	    write_view(b, NTFS_REPARSE, "$Reparse", NTFS_EXTEND, err) < 0 ||
	    write_extend(b, err) < 0 || ntfs_write_root(b, err) < 0)
		return -1;
	count = b->base_records + (uint32_t)b->extensions.len;
	count = (count + MFT_STEP - 1) / MFT_STEP * MFT_STEP;
	if (write_rest(b, count, err) < 0 || write_mft(b, count, err) < 0 ||
	    write_plain(b, NTFS_MFT_MIRROR, "$MFTMirr", err) < 0 ||
	    write_plain(b, NTFS_LOG_FILE, "$LogFile", err) < 0 ||
	    write_volume(b, err) < 0 ||
	    write_plain(b, NTFS_ATTR_DEF, "$AttrDef", err) < 0 ||
	    write_plain(b, NTFS_BITMAP, "$Bitmap", err) < 0 ||
	    write_plain(b, NTFS_BOOT, "$Boot", err) < 0 ||
	    write_bad_clusters(b, err) < 0 || write_upcase(b, err) < 0 ||
	    write_reserved(b, err) < 0)
		return -1;
	return put_bitmap(b, err);
}
