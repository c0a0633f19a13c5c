/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the first stage reads: seals, superblocks, partition tables, news of devices;
 * images by name, the state's superblock, slots. sgdisk judges tables where it is
 * installed. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "block/crc.h"
#include "fake_sysfs.h"
#include "init/dm.h"
#include "init/gpt.h"
#include "init/grubenv.h"
#include "init/images.h"
#include "init/medium.h"
#include "init/root_move.h"
#include "init/slot.h"
#include "init/state.h"
#include "init/uevent.h"
#include "layout.h"
#include "seal.h"

#define HASH "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"
#define UNIQUE "00112233-4455-6677-8899-aabbccddeeff"

/* ---- seals ---- */

static void refuse_seal(const char *text)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct seal seal;

	assert_int_equal(seal_parse(text, "gild.root", &seal, &err), -1);
	assert_string_equal(err.subject, "gild.root");
	assert_non_null(err.remedy);
}

static void test_seal(void **state _unused_)
{
	char text[GUID_TEXT_SIZE], again[SEAL_TEXT_SIZE];
	_cleanup_free_ char *name = NULL;
	struct seal seal;
	struct guid guid;

	assert_int_equal(seal_parse(HASH ":129", "x", &seal, NULL), 0);
	assert_string_equal(seal.hash, HASH);
	assert_true(seal_data_size(&seal) == 129 * 4096);
	/* Superblock, two blocks of hashes, and one above them. */
	assert_true(seal_whole_size(&seal) == (129 + 1 + 2 + 1) * 4096);
	seal.blocks = 1;
	assert_true(seal_whole_size(&seal) == (1 + 1) * 4096); /* no tree at all */
	seal_format(&seal, again);
	assert_string_equal(again, HASH ":1");
	name = seal_root_name(&seal);
	assert_string_equal(name, "root-0011223344556677.img");
	guid = seal_guid(&seal);
	guid_format(&guid, text);
	assert_string_equal(text, "{" UNIQUE "}");
	refuse_seal("");
	refuse_seal(HASH);
	refuse_seal(HASH ":");
	refuse_seal(HASH ":0");
	refuse_seal(HASH ":-1");
	refuse_seal(HASH ":12x");
	refuse_seal(HASH ":99999999999999999999999");
	refuse_seal("A" HASH ":1");
	refuse_seal(HASH "0:1");
}

/* As veritysetup writes it. */
static void make_super(uint8_t s[VERITY_SUPER_SIZE], uint64_t blocks, size_t salt)
{
	memset(s, 0, VERITY_SUPER_SIZE);
	memcpy(s, "verity", 6);
	put_le32(s + 8, 1);
	put_le32(s + 12, 1);
	memcpy(s + 32, "sha256", 6);
	put_le32(s + 64, 4096);
	put_le32(s + 68, 4096);
	put_le64(s + 72, blocks);
	put_le16(s + 80, (uint16_t)salt);
	memset(s + 88, 0xab, salt < VERITY_MAX_SALT ? salt : VERITY_MAX_SALT);
}

static void refuse_super(const uint8_t s[VERITY_SUPER_SIZE], size_t len, const char *why)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct verity_super super;
	struct seal seal;

	assert_int_equal(seal_parse(HASH ":16", "x", &seal, NULL), 0);
	assert_int_equal(
		verity_super_read((struct bytes){s, len}, "sda1", &seal, &super, &err),
		-1);
	assert_int_equal(err.code, ERROR_STATE);
	if (!strstr(err.reason, why))
		fail_msg("\"%s\" does not speak of %s", err.reason, why);
}

static void test_super(void **state _unused_)
{
	static const size_t fields[] = {8, 12, 32, 38, 64, 68};
	uint8_t s[VERITY_SUPER_SIZE];
	_cleanup_free_ char *table = NULL, *bare = NULL;
	struct verity_super super;
	struct seal seal;

	assert_int_equal(seal_parse(HASH ":16", "x", &seal, NULL), 0);
	make_super(s, 16, 2);
	assert_int_equal(verity_super_read((struct bytes){s, sizeof(s)}, "sda1", &seal,
					   &super, NULL),
			 0);
	table = dm_verity_table("/dev/sda1", &seal, &super);
	assert_string_equal(table, "1 /dev/sda1 /dev/sda1 4096 4096 16 17 sha256 " HASH
				   " abab 1 ignore_zero_blocks");
	super.salt_len = 0;
	bare = dm_verity_table("7:0", &seal, &super);
	assert_non_null(strstr(bare, HASH " - 1 "));
	refuse_super(s, VERITY_SUPER_SIZE - 1, "no dm-verity superblock");
	refuse_super(s, 0, "no dm-verity superblock");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		make_super(s, 16, 2);
		s[fields[i]]++;
		refuse_super(s, sizeof(s), "another kind");
	}
	make_super(s, 16, VERITY_MAX_SALT + 1);
	refuse_super(s, sizeof(s), "another kind");
	make_super(s, 17, 0);
	refuse_super(s, sizeof(s), "its seal says 16");
	make_super(s, 16, 0);
	s[0] = 'V';
	refuse_super(s, sizeof(s), "no dm-verity superblock");
}

/* ---- partition tables ---- */

static char *disk_folder, *disk_path;

static int setup_disk(void **state _unused_)
{
	disk_folder = temp_folder_make(NULL, NULL);
	disk_path = xasprintf("%s/disk", disk_folder);
	return 0;
}

static int teardown_disk(void **state _unused_)
{
	free(disk_path);
	temp_folder_remove(disk_folder);
	return 0;
}

static int new_disk(uint64_t size)
{
	int fd = open(disk_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void write_bytes(int fd, const void *data, size_t len, uint64_t at)
{
	assert_true(pwrite(fd, data, len, (off_t)at) == (ssize_t)len);
}

struct place {
	const char *type, *guid;
	uint64_t first, last;
};

/* Both copies, with the backup in the last sector of `sectors`. */
static void write_table(int fd, uint32_t sector, uint64_t sectors,
			const struct place *places, size_t count)
{
	uint8_t entries[128 * 128] = {0}, header[4096] = {0}, mbr[4096] = {0};
	uint64_t table = sizeof(entries) / sector;

	for (size_t i = 0; i < count; i++) {
		uint8_t *e = entries + i * 128;
		struct guid guid;

		assert_true(guid_parse(places[i].type, &guid));
		memcpy(e, guid.bytes, 16);
		assert_true(guid_parse(places[i].guid, &guid));
		memcpy(e + 16, guid.bytes, 16);
		put_le64(e + 32, places[i].first);
		put_le64(e + 40, places[i].last);
	}
	mbr[450] = 0xee;
	mbr[454] = 1;
	put_le32(mbr + 458, (uint32_t)sectors - 1);
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	write_bytes(fd, mbr, sector, 0);
	for (unsigned copy = 0; copy < 2; copy++) {
		uint64_t self = copy ? sectors - 1 : 1;
		uint64_t at = copy ? sectors - 1 - table : 2;

		memcpy(header, "EFI PART\0\0\1", 12);
		put_le32(header + 12, 92);
		put_le32(header + 16, 0);
		put_le64(header + 24, self);
		put_le64(header + 32, copy ? 1 : sectors - 1);
		put_le64(header + 40, 2 + table);
		put_le64(header + 48, sectors - 2 - table);
		put_le64(header + 72, at);
		put_le32(header + 80, 128);
		put_le32(header + 84, 128);
		put_le32(header + 88,
			 crc32_of(CRC32_GPT, (struct bytes){entries, sizeof(entries)}));
		put_le32(header + 16, crc32_of(CRC32_GPT, (struct bytes){header, 92}));
		write_bytes(fd, entries, sizeof(entries), at * sector);
		write_bytes(fd, header, sector, self * sector);
	}
}

static const struct place two[] = {
	{LAYOUT_TYPE_ROOT, UNIQUE, 2048, 4095},
	{LAYOUT_TYPE_STATE, "10112233-4455-6677-8899-aabbccddeeff", 4096, 6143},
};
#define MIB ((uint64_t)1 << 20)

/* True if sgdisk has nothing to complain about, or is not there. */
static bool sgdisk_likes(void)
{
	_cleanup_free_ char *command =
		xasprintf("command -v sgdisk >/dev/null || exit 0; "
			  "sgdisk -v '%s' | grep -q 'No problems found'",
			  disk_path);
	char *argv[] = {(char *)"sh", (char *)"-c", command, NULL};

	return process_run(argv, NULL) == 0;
}

static void test_gpt(void **state _unused_)
{
	static const uint32_t sectors[] = {512, 4096};

	for (size_t i = 0; i < ARRAY_SIZE(sectors); i++) {
		_cleanup_gpt_ struct gpt gpt = GPT_INIT;
		uint64_t size = 8192ull * sectors[i];
		_cleanup_close_ int fd = new_disk(size);
		const struct gpt_partition *p;
		struct guid type, guid;

		assert_false(gpt_load(fd, size, &gpt));
		write_table(fd, sectors[i], 8192, two, 2);
		assert_true(gpt_load(fd, size, &gpt));
		assert_false(gpt.from_backup);
		assert_int_equal(gpt.partitions.len, 2);
		(void)guid_parse(LAYOUT_TYPE_ROOT, &type);
		(void)guid_parse(UNIQUE, &guid);
		p = gpt_find(&gpt, &type, &guid);
		assert_non_null(p);
		assert_int_equal(p->number, 1);
		assert_true(p->offset == 2048ull * sectors[i]);
		assert_true(p->size == 2048ull * sectors[i]);
		(void)guid_parse(LAYOUT_TYPE_STATE, &type);
		assert_null(gpt_find(&gpt, &type, &guid));
		assert_non_null(gpt_find(&gpt, &type, NULL));
		/* One bit of the first header, then of both. */
		gpt_free(&gpt);
		write_bytes(fd, "X", 1, sectors[i] + 41);
		assert_true(gpt_load(fd, size, &gpt));
		assert_true(gpt.from_backup);
		assert_int_equal(gpt.partitions.len, 2);
		gpt_free(&gpt);
		write_bytes(fd, "X", 1, 8191ull * sectors[i] + 41);
		assert_false(gpt_load(fd, size, &gpt));
	}
}

/* Places that cannot be are nobody's, wherever they are claimed to be. */
static void test_gpt_impossible(void **state _unused_)
{
	static const struct place bad[] = {
		{LAYOUT_TYPE_ROOT, UNIQUE, 4095, 2048},
		{LAYOUT_TYPE_ROOT, UNIQUE, 0, 100},
		{LAYOUT_TYPE_ROOT, UNIQUE, 2048, UINT64_MAX},
		{LAYOUT_TYPE_ROOT, UNIQUE, 8000, 8192},
	};
	_cleanup_gpt_ struct gpt gpt = GPT_INIT;
	_cleanup_close_ int fd = new_disk(4 * MIB);

	write_table(fd, 512, 8192, bad, ARRAY_SIZE(bad));
	assert_true(gpt_load(fd, 4 * MIB, &gpt));
	assert_int_equal(gpt.partitions.len, 0);
}

static int grow(int fd, uint64_t size, unsigned number, uint64_t *ret)
{
	_cleanup_gpt_ struct gpt gpt = GPT_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	int result;

	assert_true(gpt_load(fd, size, &gpt));
	result = gpt_grow(fd, disk_path, size, &gpt, number, ret, &err);
	if (result < 0)
		fail_msg("%s", err.reason);
	return result;
}

static void test_growth(void **state _unused_)
{
	_cleanup_gpt_ struct gpt gpt = GPT_INIT;
	_cleanup_close_ int fd = new_disk(4 * MIB);
	uint64_t size = 0;

	write_table(fd, 512, 8192, two, 2);
	assert_true(sgdisk_likes());
	/* To the last whole MiB before the backup. */
	assert_int_equal(grow(fd, 4 * MIB, 2, &size), 0);
	assert_int_equal(ftruncate(fd, 64 * MIB), 0);
	assert_int_equal(grow(fd, 64 * MIB, 1, &size), 0);
	assert_int_equal(grow(fd, 64 * MIB, 3, &size), 0);
	assert_int_equal(grow(fd, 64 * MIB, 2, &size), 1);
	assert_true(size == 61 * MIB);
	assert_true(sgdisk_likes());
	assert_true(gpt_load(fd, 64 * MIB, &gpt));
	assert_false(gpt.from_backup);
	assert_true(gpt.partitions.items[1].size == 61 * MIB);
	assert_true(gpt.partitions.items[0].size == MIB);
	assert_int_equal(grow(fd, 64 * MIB, 2, &size), 0);
}

/* Power that fails after the backup was written: the next start completes it. */
static void test_growth_cut_off(void **state _unused_)
{
	_cleanup_close_ int fd = new_disk(4 * MIB);
	uint8_t first[512 * 34];
	uint64_t size;

	write_table(fd, 512, 8192, two, 2);
	assert_true(pread(fd, first, sizeof(first), 0) == (ssize_t)sizeof(first));
	assert_int_equal(ftruncate(fd, 64 * MIB), 0);
	assert_int_equal(grow(fd, 64 * MIB, 2, &size), 1);
	/* Nothing of the first copy was written yet. */
	write_bytes(fd, first, sizeof(first), 0);
	assert_int_equal(grow(fd, 64 * MIB, 2, &size), 1);
	assert_true(sgdisk_likes());
	/* Its entries were, its header was not. */
	write_bytes(fd, first + 512, 512, 512);
	assert_int_equal(grow(fd, 64 * MIB, 2, &size), 1);
	assert_true(size == 61 * MIB);
	assert_true(sgdisk_likes());
}

/* ---- disks ---- */

static void test_search(void **state _unused_)
{
	char *root = fake_root();
	_cleanup_free_ char *device = xasprintf("%s/dev/sda", root);
	_cleanup_buffer_ struct buffer disk = BUFFER_INIT;
	_cleanup_close_ int fd = new_disk(4 * MIB);
	struct medium_search search = {.root = root};
	struct medium m = {0};
	struct guid type, guid;

	(void)guid_parse(LAYOUT_TYPE_ROOT, &type);
	(void)guid_parse(UNIQUE, &guid);
	search.type = &type;
	search.guid = &guid;
	write_table(fd, 512, 8192, two, 2);
	assert_int_equal(file_read(disk_path, 4 * MIB, &disk, NULL), 0);
	fake_bytes(root, "dev/sda", buffer_view(&disk));
	fake_bytes(root, "dev/loop0", buffer_view(&disk));
	fake_file(root, "sys/class/block/loop0/size", "8192\n");
	fake_file(root, "sys/class/block/sr0/size", "0\n");
	assert_int_equal(medium_next(&search, &m), 0);
	fake_file(root, "sys/class/block/sda/size", "8192\n");
	fake_file(root, "sys/class/block/sda/device/model", "SanDisk Ultra   \n");
	assert_int_equal(medium_next(&search, &m), 1);
	assert_string_equal(m.disk, "sda");
	assert_string_equal(m.source, device);
	/* The kernel has not seen the partition: a part of the disk then. */
	assert_false(m.is_device);
	assert_true(m.offset == MIB && m.size == MIB);
	assert_non_null(strstr(m.label, "SanDisk Ultra"));
	medium_release(&search, &m);
	/* It does not come again by itself. */
	assert_int_equal(medium_next(&search, &m), 0);
	medium_forget(&search, "sd");
	assert_int_equal(medium_next(&search, &m), 0);
	medium_forget(&search, "sda");
	fake_file(root, "sys/class/block/sda/sda1/partition", "1\n");
	fake_file(root, "sys/class/block/sda/sda1/start", "2048\n");
	fake_file(root, "sys/class/block/sda/sda1/size", "2048\n");
	fake_link(root, "sys/class/block/sda1", "sda/sda1");
	assert_int_equal(medium_next(&search, &m), 1);
	assert_true(m.is_device);
	assert_true(m.number == 1 && m.offset == 0);
	assert_string_equal(strrchr(m.source, '/'), "/sda1");
	medium_release(&search, &m);
	medium_forget(&search, "sda");
	search.disk = "sdb";
	assert_int_equal(medium_next(&search, &m), 0);
	assert_int_equal(search.disks.len, 1);
	medium_search_free(&search);
	assert_true(medium_there(root, "sda"));
	assert_false(medium_there(root, "sdb"));
	temp_folder_remove(root);
}

static void test_uevent(void **state _unused_)
{
	static const char add[] = "add@/devices/pci/block/sda/sda1\0ACTION=add\0"
				  "DEVPATH=/devices/pci/block/sda/sda1\0SUBSYSTEM=block";
	static const char device[] = "add@/devices/virtio0\0ACTION=add\0"
				     "DEVPATH=/devices/virtio0\0SUBSYSTEM=virtio\0"
				     "MODALIAS=virtio:d00000002v00001AF4";
	struct uevent e;

	assert_true(uevent_parse((struct bytes){(const uint8_t *)add, sizeof(add)}, &e));
	assert_string_equal(e.action, "add");
	assert_string_equal(e.subsystem, "block");
	assert_string_equal(e.name, "sda1");
	assert_string_equal(e.path, "/devices/pci/block/sda/sda1");
	assert_string_equal(e.modalias, "");
	assert_true(uevent_parse((struct bytes){(const uint8_t *)device, sizeof(device)},
				 &e));
	assert_string_equal(e.modalias, "virtio:d00000002v00001AF4");
	/* Cut off; udev's own; nothing. */
	assert_false(
		uevent_parse((struct bytes){(const uint8_t *)add, sizeof(add) - 1}, &e));
	assert_false(uevent_parse((struct bytes){(const uint8_t *)"libudev", 8}, &e));
	assert_false(uevent_parse((struct bytes){NULL, 0}, &e));
}

static void note_percent(void *arg, unsigned percent)
{
	buffer_printf(arg, "%u ", percent);
}

static void test_reading(void **state _unused_)
{
	_cleanup_free_ char *copy = xasprintf("%s/copy", disk_folder);
	_cleanup_buffer_ struct buffer said = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct stat st;

	close(new_disk(20 * MIB));
	assert_int_equal(device_read_all(disk_path, "image", note_percent, &said, NULL),
			 0);
	buffer_append(&said, "", 1);
	/* Each ten per cent once. */
	assert_non_null(strstr((char *)said.data, "50 "));
	assert_true(said.len < 40);
	assert_int_equal(medium_copy(disk_path, MIB + 5, copy, NULL), 0);
	assert_int_equal(stat(copy, &st), 0);
	assert_true(st.st_size == (off_t)MIB + 5);
	/* A medium that is too short leaves no half copy. */
	assert_int_equal(medium_copy(disk_path, 21 * MIB, copy, &err), -1);
	assert_non_null(strstr(err.reason, "too short"));
	assert_int_equal(stat(copy, &st), -1);
}

/* ---- images ---- */

static void refuse_place(const char *value)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct image_place place;

	assert_int_equal(image_place_parse(value, &place, &err), -1);
	assert_non_null(err.remedy);
}

static void test_place(void **state _unused_)
{
	struct image_place place;
	struct guid guid;

	assert_int_equal(image_place_parse("partition:" UNIQUE, &place, NULL), 0);
	assert_int_equal(place.where, IMAGE_PARTITION);
	assert_true(guid_parse(UNIQUE, &guid) && guid_equal(&guid, &place.guid));
	assert_int_equal(image_place_parse("file:gild/images/a.img", &place, NULL), 0);
	assert_int_equal(place.where, IMAGE_FILE);
	assert_string_equal(place.path, "gild/images/a.img");
	assert_int_equal(image_place_parse("/dev/sda", &place, NULL), 0);
	assert_int_equal(place.where, IMAGE_PATH);
	assert_int_equal(image_place_parse("url:http://server/a.img", &place, NULL), 0);
	assert_int_equal(place.where, IMAGE_URL);
	assert_string_equal(place.path, "http://server/a.img");
	refuse_place("url:");
	refuse_place("url:/a.img");
	refuse_place("url:http://me:x@server/a.img");
	refuse_place("partition:12");
	refuse_place("file:");
	refuse_place("file:/etc/shadow");
	refuse_place("file:gild/../../etc/shadow");
	refuse_place("file:gild/");
	refuse_place("file:./a");
	refuse_place("name");
}

static void test_images(void **state _unused_)
{
	char *root = fake_root();
	_cleanup_free_ char *folder = xasprintf("%s/images", root);
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	_cleanup_options_ struct options o = OPTIONS_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	bool asked;

	assert_int_equal(images_choose(folder, "win7", &names, &asked, &err), 0);
	assert_true(!asked && !names.len);
	fake_file(root, "images/win7.conf",
		  "windows=6.1.7601 image=file:a title=Seven\n");
	fake_file(root, "images/win10.conf", "windows=10.0 image=partition:" UNIQUE);
	fake_file(root, "images/README", "");
	fake_file(root, "images/.conf", "");
	fake_file(root, "images/a b.conf", "");
	assert_int_equal(images_choose(folder, NULL, &names, &asked, &err), 0);
	assert_false(asked);
	assert_int_equal(names.len, 1);
	assert_string_equal(names.items[0], "win10");
	strings_free(&names);
	assert_int_equal(images_choose(folder, "win7,win10,win7", &names, &asked, &err),
			 0);
	assert_true(asked);
	assert_int_equal(names.len, 2);
	assert_string_equal(names.items[0], "win7");
	assert_int_equal(images_choose(folder, "win8", &names, &asked, &err), -1);
	assert_string_equal(err.remedy, "there are: win10, win7");
	assert_int_equal(images_read(folder, "win7", &o, NULL), 0);
	assert_string_equal(options_get(&o, "title"), "Seven");
	fake_file(root, "images/win7.conf", "windows=6.1 state=/dev/sda\n");
	assert_int_equal(images_read(folder, "win7", &o, &err), -1);
	assert_string_equal(err.subject, "state=/dev/sda");
	temp_folder_remove(root);
}

/* ---- state and slots ---- */

static void test_state_size(void **state _unused_)
{
	uint8_t s[STATE_SUPER_SIZE] = {0};
	struct bytes view = {s, sizeof(s)};
	uint32_t block;
	uint64_t size;

	assert_false(state_file_system_size(view, &block, &size));
	put_le16(s + 0x38, 0xef53);
	put_le32(s + 4, 16384);
	put_le32(s + 0x150, 1);
	assert_true(state_file_system_size(view, &block, &size));
	assert_true(block == 1024 && size == 16 * MIB);
	put_le32(s + 0x60, 0x80);
	put_le32(s + 0x18, 2);
	assert_true(state_file_system_size(view, &block, &size));
	assert_true(block == 4096 && size == ((1ull << 32) + 16384) * 4096);
	assert_false(state_file_system_size((struct bytes){s, 1023}, &block, &size));
	put_le32(s + 0x18, 7);
	assert_false(state_file_system_size(view, &block, &size));
	put_le32(s + 0x18, 6);
	put_le32(s + 0x150, UINT32_MAX);
	assert_false(state_file_system_size(view, &block, &size));
}

static void write_env(const char *lines)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "# GRUB Environment Block\n%s", lines);
	while (b.len < GRUBENV_SIZE)
		buffer_append(&b, "#", 1);
	assert_int_equal(file_replace(disk_path, buffer_view(&b), NULL), 0);
}

static void test_slot(void **state _unused_)
{
	_cleanup_buffer_ struct buffer after = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct stat before, later;
	char *tries, *good, *slot;

	write_env("slot=b\ntries=1\n");
	assert_int_equal(stat(disk_path, &before), 0);
	assert_int_equal(slot_mark_good(disk_path, "b", &err), 1);
	assert_int_equal(file_read(disk_path, 4096, &after, NULL), 0);
	assert_int_equal(after.len, GRUBENV_SIZE);
	tries = grubenv_get((const char *)after.data, "tries");
	good = grubenv_get((const char *)after.data, "good");
	slot = grubenv_get((const char *)after.data, "slot");
	assert_string_equal(tries, "3");
	assert_string_equal(good, "b");
	assert_string_equal(slot, "b");
	free(tries);
	free(good);
	free(slot);
	/* The same file: GRUB knows it by its blocks. Nothing is written for nothing. */
	assert_int_equal(stat(disk_path, &later), 0);
	assert_true(before.st_ino == later.st_ino);
	assert_int_equal(slot_mark_good(disk_path, "b", &err), 0);
	assert_int_equal(slot_mark_good(disk_path, "a", &err), 1);
	assert_int_equal(
		file_replace(disk_path, (struct bytes){(const uint8_t *)"x", 1}, NULL),
		0);
	assert_int_equal(slot_mark_good(disk_path, "a", &err), -1);
	assert_non_null(err.remedy);
}

/* ---- from root to root ---- */

static void test_trees(void **state _unused_)
{
	char *root = fake_root(), *text;
	_cleanup_free_ char *from = xasprintf("%s/from", root);
	_cleanup_free_ char *to = xasprintf("%s/to", root);
	_cleanup_free_ char *secret = xasprintf("%s/from/images/a.conf", root);
	_cleanup_free_ char *copy = xasprintf("%s/to/images/a.conf", root);
	struct stat st;

	fake_file(root, "from/init.conf", "windows=10.0\n");
	fake_file(root, "from/images/a.conf", "x=y");
	fake_link(root, "from/link", "/etc/passwd");
	assert_int_equal(mkdir(to, 0755), 0);
	assert_int_equal(chmod(secret, 0600), 0);
	assert_int_equal(root_copy_tree(from, to, 0, NULL), 0);
	text = fake_text(root, "to/images/a.conf");
	assert_string_equal(text, "x=y");
	free(text);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(fake_text(root, "to/link"));
	root_empty_folder(open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	assert_int_equal(rmdir(from), 0);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(root_copy_tree(from, to, 0, NULL), -1);
	temp_folder_remove(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal),	cmocka_unit_test(test_super),
		cmocka_unit_test(test_gpt),	cmocka_unit_test(test_gpt_impossible),
		cmocka_unit_test(test_growth),	cmocka_unit_test(test_growth_cut_off),
		cmocka_unit_test(test_search),	cmocka_unit_test(test_uevent),
		cmocka_unit_test(test_reading), cmocka_unit_test(test_place),
		cmocka_unit_test(test_images),	cmocka_unit_test(test_state_size),
		cmocka_unit_test(test_slot),	cmocka_unit_test(test_trees),
	};

	return cmocka_run_group_tests(tests, setup_disk, teardown_disk);
}
