/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FAT volumes in memory: made, filled, read, changed at random, and damaged. */
#include "test.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "block/fat_private.h"
#include "memory_disk.h"

#define MIB ((uint64_t)1 << 20)
#define NOVEMBER 1700000000 /* 2023-11-14 22:13:20 */

/* ---- volumes ---- */

/* Full of what was there before. */
static struct block *new_volume(uint64_t size, uint32_t sector)
{
	struct memory *m = memory_new("volume", size, sector);

	memset(m->data, 0xa5, size);
	return &m->block;
}

static uint8_t *data_of(struct block *block)
{
	return ((struct memory *)block)->data;
}

static struct block *new_fat32(uint64_t size, uint32_t sector)
{
	struct fat_format_options options = {
		.hidden = MIB, .label = "Esp", .seed = {(const uint8_t *)"s", 1}};
	struct block *volume = new_volume(size, sector);
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(fat_format(volume, &options, &err), 0);
	return volume;
}

/* FAT12 as on a floppy disk, or FAT16; what mkfs.fat would make, in short. */
static struct block *new_old_fat(bool fat12)
{
	uint64_t size = fat12 ? (uint64_t)2880 * 512 : 16 * MIB;
	uint16_t per_table = fat12 ? 9 : 64;
	struct block *volume = new_volume(size, 512);
	uint8_t *s = data_of(volume);

	memset(s, 0, (1 + 2 * (size_t)per_table) * 512 + 7168);
	s[0] = 0xeb;
	put_le16(s + 11, 512);
	s[13] = fat12 ? 1 : 2;
	put_le16(s + 14, 1);
	s[16] = 2;
	put_le16(s + 17, 224);
	if (fat12)
		put_le16(s + 19, 2880);
	else
		put_le32(s + 32, (uint32_t)(size / 512));
	s[21] = 0xf0;
	put_le16(s + 22, per_table);
	put_le16(s + 510, 0xaa55);
	for (unsigned i = 0; i < 2; i++)
		put_le32(s + 512 + (size_t)i * per_table * 512,
			 fat12 ? 0xfffff0 : 0xfffffff0);
	return volume;
}

static int collect(void *arg, struct bytes data, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

static void assert_content(struct block *volume, const char *path, struct bytes want)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_fat_ struct fat *fat = fat_open(volume, &err);
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	_cleanup_buffer_ struct buffer got = BUFFER_INIT;

	assert_non_null(fat);
	assert_int_equal(fat_find(fat, path, &entry, NULL, &err), 1);
	assert_int_equal(fat_read(fat, &entry, collect, &got, &err), 0);
	assert_int_equal(got.len, want.len);
	assert_true(bytes_equal(buffer_view(&got), want));
}

/* ---- consistency, as fsck sees it ---- */

static void count_chain(struct fat *fat, uint32_t first, uint64_t size, uint8_t *used)
{
	uint64_t len = 0;

	for (uint32_t c = first; c && c != FAT_END; len++) {
		assert_true(fat_is_cluster(fat, c));
		assert_int_equal(used[c]++, 0);
		assert_int_equal(fat_get(fat, c, &c, NULL), 0);
	}
	assert_true(size == UINT64_MAX ||
		    len == (size + fat->cluster - 1) / fat->cluster);
}

static void count_folder(struct fat *fat, uint32_t cluster, uint8_t *used)
{
	_cleanup_fat_folder_ struct fat_folder folder = {0};
	_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;

	if (cluster)
		count_chain(fat, cluster, UINT64_MAX, used);
	assert_int_equal(fat_folder_load(fat, cluster, &folder, NULL), 0);
	fat_parse_folder(buffer_view(&folder.raw), &entries);
	vec_foreach (entry, &entries) {
		if (entry->attributes & FAT_ATTR_DIRECTORY)
			count_folder(fat, entry->cluster, used);
		else
			count_chain(fat, entry->cluster, entry->size, used);
		vec_foreach (other, &entries)
			assert_true(other == entry ||
				    (!text_equal(other->name, entry->name) &&
				     !text_equal(other->short_name, entry->short_name)));
	}
}

/* Every cluster is used once or free, and counted; both tables are the same. */
static void assert_sound(struct block *volume)
{
	_cleanup_fat_ struct fat *fat = fat_open(volume, NULL);
	_cleanup_free_ uint8_t *used = NULL;
	uint32_t value, free_clusters = 0;
	bool dirty = true;

	assert_non_null(fat);
	assert_int_equal(fat_is_dirty(fat, &dirty, NULL), 0);
	assert_false(dirty);
	used = xcalloc(fat->clusters + FAT_FIRST, 1);
	count_folder(fat, fat_root(fat), used);
	for (uint32_t c = FAT_FIRST; c < fat->clusters + FAT_FIRST; c++) {
		assert_int_equal(fat_get(fat, c, &value, NULL), 0);
		assert_int_equal(value != 0, used[c]);
		free_clusters += !value;
	}
	assert_memory_equal(data_of(volume) + fat->table_at,
			    data_of(volume) + fat->table_at + fat->table_size,
			    fat->table_size);
	if (fat->info_at)
		assert_int_equal(get_le32(data_of(volume) + fat->info_at + FAT_INFO_FREE),
				 free_clusters);
}

/* ---- tests ---- */

static void test_format(void **state _unused_)
{
	static const struct {
		uint64_t size;
		uint32_t sector, cluster;
	} cases[] = {
		{260, 512, 4096}, {260, 4096, 4096}, {100, 512, 1024}, {34, 512, 512}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_block_ struct block *volume =
			new_fat32(cases[i].size * MIB, cases[i].sector);
		_cleanup_fat_ struct fat *fat = fat_open(volume, NULL);
		const uint8_t *s = data_of(volume);

		assert_non_null(fat);
		assert_int_equal(fat_bits(fat), 32);
		assert_int_equal(fat_cluster_size(fat), cases[i].cluster);
		assert_int_equal(fat->data_at % fat->cluster, 0);
		assert_true(fat->clusters >= 65525);
		assert_int_equal(get_le32(s + 28), MIB / cases[i].sector);
		assert_memory_equal(s, s + (size_t)6 * cases[i].sector,
				    (size_t)3 * cases[i].sector);
		assert_memory_equal(s + 71, "ESP        FAT32   ", 19);
		assert_memory_equal(s + fat->data_at, "ESP        \x08", 12);
		assert_sound(volume);
	}
}

static void assert_unformattable(uint64_t size, uint32_t sector, const char *label,
				 const char *remedy)
{
	_cleanup_block_ struct block *volume = new_volume(size, sector);
	struct fat_format_options options = {.label = label};
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(fat_format(volume, &options, &err), -1);
	assert_non_null(strstr(err.remedy, remedy));
}

static void test_format_refused(void **state _unused_)
{
	assert_unformattable(32 * MIB, 512, NULL, "33 MiB");
	assert_unformattable(255 * MIB, 4096, NULL, "260 MiB");
	assert_unformattable(4096, 512, NULL, "33 MiB");
	assert_unformattable(40 * MIB, 512, "twelve chars", "11");
	assert_unformattable(40 * MIB, 512, "a/b", "11");
	assert_unformattable(40 * MIB, 512, "", "11");
}

static const struct fat_item items[] = {
	{"EFI/Boot/bootx64.efi", FAT_ATTR_ARCHIVE, 0, {(const uint8_t *)"one", 3}},
	{"EFI/Microsoft/Boot/BCD",
	 FAT_ATTR_ARCHIVE | FAT_ATTR_SYSTEM | FAT_ATTR_HIDDEN,
	 0,
	 {(const uint8_t *)"two", 3}},
	{"EFI/Microsoft/Boot/wgl4_boot.ttf", FAT_ATTR_READONLY, 0, {NULL, 0}},
	{"EFI/Microsoft/Boot/bootmgfw.efi.mui",
	 FAT_ATTR_ARCHIVE,
	 0,
	 {(const uint8_t *)"3", 1}},
	{"EFI/Größenänderung.txt", FAT_ATTR_ARCHIVE, 0, {(const uint8_t *)"4", 1}},
	{"EFI/lower.TXT", FAT_ATTR_ARCHIVE, 0, {(const uint8_t *)"5", 1}},
	{"Empty folder", FAT_ATTR_DIRECTORY | FAT_ATTR_HIDDEN, 0, {NULL, 0}},
};

static void test_fill(void **state _unused_)
{
	_cleanup_block_ struct block *volume = new_fat32(34 * MIB, 512),
				     *again = new_fat32(34 * MIB, 512);
	_cleanup_fat_ struct fat *fat = NULL;
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;
	_cleanup_free_ char *stored = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(fat_fill(volume, items, ARRAY_SIZE(items), &err), 0);
	assert_int_equal(fat_fill(again, items, ARRAY_SIZE(items), &err), 0);
	assert_memory_equal(data_of(volume), data_of(again), 34 * MIB);
	assert_sound(volume);
	for (size_t i = 0; i + 1 < ARRAY_SIZE(items); i++)
		assert_content(volume, items[i].path, items[i].data);
	fat = fat_open(volume, NULL);
	assert_int_equal(fat_find(fat, "efi/MICROS~1/boot/bcd", &entry, &stored, NULL),
			 1);
	assert_string_equal(stored, "EFI/Microsoft/Boot/BCD");
	assert_int_equal(entry.attributes, 0x26);
	assert_int_equal(entry.size, 3);
	assert_int_equal(entry.modified, filetime_from_unix(NOVEMBER));
	fat_entry_free(&entry);
	assert_int_equal(fat_find(fat, "EFI/Microsoft/nothing", &entry, NULL, NULL), 0);
	assert_int_equal(fat_find(fat, "EFI/lower.txt/x", &entry, NULL, NULL), 0);
	assert_int_equal(fat_list(fat, "efi", &entries, NULL), 1);
	assert_int_equal(entries.len, 4);
	assert_string_equal(entries.items[2].name, "Größenänderung.txt");
	assert_string_equal(entries.items[2].short_name, "GR__EN~1.TXT");
	assert_string_equal(entries.items[3].name, "lower.TXT");
	assert_int_equal(entries.items[3].slots, 1); /* by NT's flags */
	assert_int_equal(fat_list(fat, "EFI/lower.TXT", &entries, NULL), 0);
	assert_int_equal(fat_list(fat, "Empty Folder", &entries, NULL), 1);
}

static void test_times(void **state _unused_)
{
	static const struct {
		int64_t unix_time;
		uint16_t date, time;
	} cases[] = {
		{NOVEMBER, 0x576e, 0xb1aa}, {0, 0x0021, 0}, {5000000000, 0xff9f, 0xbf7d}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(fat_time_make(filetime_from_unix(cases[i].unix_time)),
				 (uint32_t)cases[i].date << 16 | cases[i].time);
	assert_int_equal(fat_time_read(0x576e, 0xb1aa), filetime_from_unix(NOVEMBER));
	assert_int_equal(fat_time_read(0, 0), 0);
}

/* Other drivers' long names: in the wrong order, of another file, impossible ones. */
static void test_foreign_names(void **state _unused_)
{
	struct fat_entries none = VEC_INIT;
	uint8_t raw[FAT_SLOT] = {0};
	static const char *const names[] = {"a long name.text", "x y", "A.b c",
					    "..profile"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_buffer_ struct buffer slots = BUFFER_INIT;
		_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT,
							 broken = VEC_INIT;

		assert_true(fat_name_slots(names[i], &none, raw, &slots));
		fat_parse_folder(buffer_view(&slots), &entries);
		assert_int_equal(entries.len, 1);
		assert_string_equal(entries.items[0].name, names[i]);
		slots.data[13] ^= 1;
		fat_parse_folder(buffer_view(&slots), &broken);
		assert_int_equal(broken.len, 1);
		assert_string_equal(broken.items[0].name, entries.items[0].short_name);
		assert_int_equal(broken.items[0].slots, 1);
	}
	memcpy(raw, "\x05\x84~1    TXT\x20", 12);
	{
		_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;

		fat_parse_folder((struct bytes){raw, sizeof(raw)}, &entries);
		assert_string_equal(entries.items[0].name, "σä~1.TXT");
	}
}

/* ---- random changes against a model ---- */

#define FILES 48
#define CHANGES 600

struct model {
	char path[FILES][64]; /* "": not there */
	uint8_t seed[FILES], attributes[FILES];
	size_t size[FILES];
};

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

struct stream {
	uint8_t seed;
	size_t at;
};

static int stream_read(void *arg, void *to, size_t len, struct error *err _unused_)
{
	struct stream *s = arg;

	for (size_t i = 0; i < len; i++, s->at++)
		((uint8_t *)to)[i] = (uint8_t)(s->seed + s->at * 7 + s->at / 256);
	return 0;
}

static const char *const folders[] = {"", "SUB/", "Sub/Deeper folder/", "other one/"};

static void new_path(struct model *m, unsigned i, uint32_t *seed)
{
	static const char *const starts[] = {"file", "A long file name ", "F", "Mixed"};
	static const char *const ends[] = {".txt", ".text", "", ".Dat"};
	unsigned form = next(seed) % 4;

	snprintf(m->path[i], sizeof(m->path[i]), "%s%s%u%s", folders[next(seed) % 4],
		 starts[form], i, ends[form]);
}

static void change(struct fat *fat, struct model *m, uint32_t *seed)
{
	unsigned i = next(seed) % FILES, kind = next(seed) % 8;
	struct fat_detached held;
	struct stream stream;
	struct fat_source source = {0, stream_read, &stream};

	if (!m->path[i][0] || kind < 3) {
		if (!m->path[i][0]) {
			new_path(m, i, seed);
			m->attributes[i] = 0;
		}
		m->seed[i] = (uint8_t)next(seed);
		m->size[i] = next(seed) % 4 ? next(seed) % 9000 : 0;
		m->attributes[i] |= FAT_ATTR_ARCHIVE;
		stream = (struct stream){m->seed[i], 0};
		source.size = m->size[i];
		assert_int_equal(fat_put(fat, m->path[i], &source, 0, NULL), 0);
	} else if (kind < 5) {
		assert_int_equal(fat_remove(fat, m->path[i], NULL), 0);
		m->path[i][0] = '\0';
	} else if (kind < 7) {
		assert_int_equal(fat_detach(fat, m->path[i], &held, NULL), 0);
		new_path(m, i, seed);
		assert_int_equal(fat_attach(fat, m->path[i], &held, NULL), 0);
	} else {
		m->attributes[i] = next(seed) % 8;
		assert_int_equal(
			fat_set_attributes(fat, m->path[i], m->attributes[i], NULL), 0);
	}
}

static void assert_model(struct block *volume, const struct model *m)
{
	_cleanup_fat_ struct fat *fat = fat_open(volume, NULL);
	size_t count = 0, found = 0;

	for (unsigned i = 0; i < FILES; i++) {
		_cleanup_fat_entry_ struct fat_entry entry = {0};
		_cleanup_buffer_ struct buffer want = BUFFER_INIT;
		struct stream stream = {m->seed[i], 0};

		if (!m->path[i][0])
			continue;
		count++;
		(void)stream_read(&stream, buffer_reserve(&want, m->size[i] + 1),
				  m->size[i], NULL);
		want.len = m->size[i];
		assert_content(volume, m->path[i], buffer_view(&want));
		assert_int_equal(fat_find(fat, m->path[i], &entry, NULL, NULL), 1);
		assert_int_equal(entry.attributes, m->attributes[i]);
		assert_string_equal(entry.name, path_base(m->path[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;
		_cleanup_free_ char *path = xstrdup(folders[i]);

		path[strlen(path) ? strlen(path) - 1 : 0] = '\0';
		assert_int_equal(fat_list(fat, path, &entries, NULL), 1);
		vec_foreach (entry, &entries)
			found += !(entry->attributes & FAT_ATTR_DIRECTORY);
	}
	assert_int_equal(found, count);
}

static void change_volume(struct block *volume, uint32_t seed)
{
	struct model m = {0};

	for (unsigned round = 0; round < 4; round++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_fat_ struct fat *fat = fat_open(volume, &err);

		assert_non_null(fat);
		assert_int_equal(fat_begin(fat, &err), 0);
		if (!round) {
			assert_int_equal(fat_mkdir(fat, "Sub", 0, 0, &err), 0);
			assert_int_equal(fat_mkdir(fat, "sub/Deeper folder", 0, 0, &err),
					 0);
			assert_int_equal(fat_mkdir(fat, "other one", 40, 0, &err), 0);
			assert_int_equal(fat_mkdir(fat, "SUB", 0, 0, &err), 0);
		}
		for (unsigned i = 0; i < CHANGES / 4; i++)
			change(fat, &m, &seed);
		assert_int_equal(fat_flush(fat, &err), 0);
		assert_sound(volume);
		assert_model(volume, &m);
	}
}

static void test_changes(void **state _unused_)
{
	_cleanup_block_ struct block *fat32 = new_fat32(34 * MIB, 512),
				     *fat16 = new_old_fat(false),
				     *fat12 = new_old_fat(true);

	change_volume(fat32, 1);
	change_volume(fat16, 2);
	change_volume(fat12, 3);
}

/* What the journal puts there during an edit. */
static void test_dirty(void **state _unused_)
{
	_cleanup_block_ struct block *fat32 = new_fat32(34 * MIB, 512),
				     *fat16 = new_old_fat(false),
				     *fat12 = new_old_fat(true);
	struct block *const volumes[] = {fat32, fat16, fat12};

	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++) {
		_cleanup_fat_ struct fat *fat = fat_open(volumes[i], NULL);
		_cleanup_buffer_ struct buffer mark = BUFFER_INIT;
		bool dirty = false;
		uint64_t at;

		assert_int_equal(fat_dirty_mark(fat, 0, &at, &mark, NULL), i < 2);
		assert_int_equal(fat_dirty_mark(fat, 2, &at, &mark, NULL), 0);
		if (i == 2)
			break;
		assert_sound(volumes[i]);
		assert_int_equal(block_pwrite(volumes[i], mark.data, mark.len, at, NULL),
				 0);
		assert_int_equal(fat_is_dirty(fat, &dirty, NULL), 0);
		assert_true(dirty);
	}
}

/* A folder that moves names its new parent; a folder goes with all in it. */
static void test_folders(void **state _unused_)
{
	_cleanup_block_ struct block *volume = new_fat32(34 * MIB, 512);
	_cleanup_fat_ struct fat *fat = NULL;
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	_cleanup_fat_folder_ struct fat_folder folder = {0};
	struct fat_detached held;
	uint32_t empty;

	assert_int_equal(fat_fill(volume, items, ARRAY_SIZE(items), NULL), 0);
	fat = fat_open(volume, NULL);
	assert_int_equal(fat_begin(fat, NULL), 0);
	empty = fat->free;
	assert_int_equal(fat_detach(fat, "EFI/Microsoft", &held, NULL), 0);
	assert_int_equal(fat_attach(fat, "Microsoft", &held, NULL), 0);
	assert_int_equal(fat_find(fat, "Microsoft", &entry, NULL, NULL), 1);
	assert_int_equal(fat_folder_load(fat, entry.cluster, &folder, NULL), 0);
	assert_int_equal(get_le16(folder.raw.data + FAT_SLOT + SLOT_CLUSTER_LOW), 0);
	assert_int_equal(fat_remove(fat, "Microsoft", NULL), 0);
	/* Two folders of one cluster each, and of three files one is empty. */
	assert_int_equal(fat->free, empty + 4);
	assert_int_equal(fat_remove(fat, "nothing there", NULL), 0);
	assert_int_equal(fat_detach(fat, "nothing there", &held, NULL), -1);
	assert_int_equal(fat_flush(fat, NULL), 0);
	assert_sound(volume);
}

static void test_full(void **state _unused_)
{
	_cleanup_block_ struct block *volume = new_old_fat(true);
	_cleanup_fat_ struct fat *fat = fat_open(volume, NULL);
	_cleanup_error_ struct error err = ERROR_INIT;
	struct stream stream = {0, 0};
	struct fat_source source = {2000000, stream_read, &stream};

	assert_int_equal(fat_begin(fat, NULL), 0);
	assert_int_equal(fat_put(fat, "large", &source, 0, &err), -1);
	assert_non_null(strstr(err.reason, "is full"));
	source.size = (uint64_t)1 << 32;
	assert_int_equal(fat_put(fat, "larger", &source, 0, &err), -1);
	assert_non_null(strstr(err.reason, "4 GiB"));
	/* The fixed root has 224 slots. */
	source.size = 0;
	for (unsigned i = 0; i < 224; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(fat_put(fat, name, &source, 0, &err), 0);
	}
	assert_int_equal(fat_put(fat, "last", &source, 0, &err), -1);
	assert_non_null(strstr(err.reason, "folder that is full"));
}

/* ---- damage ---- */

/* The volume of test_fill() with one entry of the table changed. */
static struct fat *damage(struct block *volume, const char *path, uint32_t value)
{
	struct fat *fat = fat_open(volume, NULL);
	_cleanup_fat_entry_ struct fat_entry entry = {0};

	assert_int_equal(fat_find(fat, path, &entry, NULL, NULL), 1);
	assert_int_equal(fat_set(fat, entry.cluster, value ? value : entry.cluster, NULL),
			 0);
	return fat;
}

static void test_damage(void **state _unused_)
{
	_cleanup_block_ struct block *volume = new_fat32(34 * MIB, 512);
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	_cleanup_buffer_ struct buffer content = BUFFER_INIT;
	uint8_t large[1000] = {0};
	const struct fat_item two = {"two", FAT_ATTR_ARCHIVE, 0, {large, sizeof(large)}};

	assert_int_equal(fat_fill(volume, items, ARRAY_SIZE(items), NULL), 0);
	assert_int_equal(fat_fill(volume, &two, 1, NULL), 0);
	{
		_cleanup_fat_ struct fat *fat = damage(volume, "EFI", 0);

		assert_int_equal(fat_list(fat, "EFI", &entries, &err), -1);
		assert_non_null(strstr(err.reason, "no end"));
	}
	{
		_cleanup_fat_ struct fat *fat = damage(volume, "EFI", 0x0ffffff7);

		assert_int_equal(fat_list(fat, "EFI", &entries, &err), -1);
		assert_non_null(strstr(err.reason, "breaks off"));
	}
	{
		_cleanup_fat_ struct fat *fat = damage(volume, "two", FAT_END);

		assert_int_equal(fat_find(fat, "two", &entry, NULL, NULL), 1);
		assert_int_equal(fat_read(fat, &entry, collect, &content, &err), -1);
		assert_non_null(strstr(err.reason, "shorter"));
	}
	/* EFI/Boot is EFI. */
	{
		_cleanup_fat_ struct fat *fat = fat_open(volume, NULL);
		_cleanup_fat_entry_ struct fat_entry efi = {0};
		uint8_t *slot;

		assert_int_equal(fat_find(fat, "EFI", &efi, NULL, NULL), 1);
		slot = data_of(volume) + fat_cluster_at(fat, efi.cluster) +
		       (size_t)2 * FAT_SLOT;
		put_le16(slot + FAT_SLOT + SLOT_CLUSTER_LOW, (uint16_t)efi.cluster);
		fat_entry_free(&entry);
		assert_int_equal(fat_find(fat, "EFI/Boot/Boot", &entry, NULL, &err), -1);
		assert_non_null(strstr(err.reason, "contains itself"));
	}
}

/* FAT16 where it is too small for FAT32, with fewer clusters than that has. */
static void small_volumes_are_fat16(void **state _unused_)
{
	static const uint64_t sizes[] = {3 * MIB, 8 * MIB, 31 * MIB, 40 * MIB};
	struct fat_format_options options = {
		.label = "small", .seed = {(const uint8_t *)"s", 1}, .small = true};
	static const uint8_t content[5000] = {1, 2, 3};
	const struct fat_item item = {.path = "EFI/BOOT/a long name.efi",
				      .attributes = FAT_ATTR_ARCHIVE,
				      .data = {content, sizeof(content)}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_block_ struct block *volume = new_volume(sizes[i], 512);
		_cleanup_fat_ struct fat *fat = NULL;

		assert_int_equal(fat_format(volume, &options, NULL), 0);
		assert_int_equal(fat_fill(volume, &item, 1, NULL), 0);
		assert_content(volume, item.path, item.data);
		fat = fat_open(volume, NULL);
		assert_int_equal(fat_bits(fat), sizes[i] < 33 * MIB ? 16 : 32);
	}
}

static void a_file_is_rewritten_in_place(void **state _unused_)
{
	/* Clusters of 2 KiB, as on an EFI system partition. */
	enum { SIZE = 140 << 20 };
	_cleanup_block_ struct block *volume = new_fat32(SIZE, 512);
	uint8_t old[1024], new[1024], *before = xmalloc(SIZE);
	const struct fat_item item = {.path = "gild/grubenv", .data = {old, sizeof(old)}};
	_cleanup_fat_ struct fat *fat = NULL;
	size_t changed = 0, first = 0;

	memset(old, '#', sizeof(old));
	memcpy(new, old, sizeof(new));
	new[3] = new[500] = 'x';
	assert_int_equal(fat_fill(volume, &item, 1, NULL), 0);
	memcpy(before, data_of(volume), SIZE);
	fat = fat_open(volume, NULL);
	assert_int_equal(
		fat_rewrite(fat, item.path, (struct bytes){new, sizeof(new)}, NULL), 0);
	for (size_t i = 0; i < SIZE; i++) {
		if (before[i] == data_of(volume)[i])
			continue;
		first = changed++ ? first : i;
		assert_int_equal(i / 512, first / 512);
	}
	assert_int_equal(changed, 2);
	free(before);
	assert_content(volume, item.path, (struct bytes){new, sizeof(new)});
	/* Of another size, missing, or a folder. */
	assert_int_equal(fat_rewrite(fat, item.path, (struct bytes){new, 100}, NULL), -1);
	assert_int_equal(fat_rewrite(fat, "gild/x", (struct bytes){new, 1024}, NULL), -1);
	assert_int_equal(fat_rewrite(fat, "gild", (struct bytes){new, 1024}, NULL), -1);
}

/* One of both, whole; and the other file as it was. */
static void assert_either(struct block *volume, struct bytes old, struct bytes new)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_fat_ struct fat *fat = fat_open(volume, &err);
	_cleanup_fat_entry_ struct fat_entry entry = {0};

	assert_int_equal(fat_find(fat, "efi/boot.efi", &entry, NULL, &err), 1);
	assert_content(volume, "efi/boot.efi", entry.size == old.len ? old : new);
	assert_content(volume, "efi/other", old);
}

/* After `writes` of them the power fails: all of them are there, or of those that were
 * not synced the last one alone. False: there were not so many. */
static bool replace_until(struct block *volume, size_t writes, struct bytes old,
			  struct bytes new)
{
	struct memory *m = (struct memory *)volume;
	_cleanup_fat_ struct fat *fat = fat_open(volume, NULL);
	int result;

	m->synced = xmemdup(m->data, volume->size);
	m->left = writes;
	assert_int_equal(fat_begin(fat, NULL), 0);
	result = fat_replace(fat, "efi/boot.efi", new, NULL);
	assert_either(volume, old, new);
	memcpy(m->synced + m->last, m->data + m->last, m->last_len);
	memcpy(m->data, m->synced, volume->size);
	assert_either(volume, old, new);
	free(m->synced);
	m->synced = NULL;
	return result < 0;
}

static void a_replaced_file_is_whole_at_any_time(void **state _unused_)
{
	enum { OLD = 70000, NEW = 1500000 };
	_cleanup_block_ struct block *volume = new_old_fat(false);
	_cleanup_free_ uint8_t *content = xmalloc(NEW), *before = xmalloc(volume->size);
	struct bytes old = {content + 1, OLD}, new = {content, NEW};
	const struct fat_item files[] = {{.path = "efi/boot.efi", .data = old},
					 {.path = "efi/other", .data = old}};
	size_t writes = 0;

	for (size_t i = 0; i < NEW; i++)
		content[i] = (uint8_t)(i * 7 + i / 512);
	assert_int_equal(fat_fill(volume, files, 2, NULL), 0);
	memcpy(before, data_of(volume), volume->size);
	while (replace_until(volume, writes, old, new)) {
		memcpy(data_of(volume), before, volume->size);
		writes++;
	}
	assert_true(writes > 6);
	assert_content(volume, "efi/boot.efi", new);
	assert_sound(volume);
}

static void a_replaced_file_may_be_new(void **state _unused_)
{
	_cleanup_block_ struct block *volume = new_old_fat(false);
	_cleanup_fat_ struct fat *fat = fat_open(volume, NULL);
	struct bytes data = {(const uint8_t *)"x", 1};

	assert_int_equal(fat_begin(fat, NULL), 0);
	assert_int_equal(fat_mkdir(fat, "efi", 0, 0, NULL), 0);
	assert_int_equal(fat_replace(fat, "efi/mmx64.efi", data, NULL), 0);
	assert_int_equal(fat_replace(fat, "efi", data, NULL), -1);
	assert_int_equal(fat_replace(fat, "none/x", data, NULL), -1);
	assert_content(volume, "efi/mmx64.efi", data);
	assert_sound(volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_volumes_are_fat16),
		cmocka_unit_test(a_file_is_rewritten_in_place),
		cmocka_unit_test(a_replaced_file_is_whole_at_any_time),
		cmocka_unit_test(a_replaced_file_may_be_new),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_refused),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_foreign_names),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_dirty),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_damage),
	};

	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
