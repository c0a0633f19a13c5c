/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The block layer below NBD: windows, files, checksums, volumes, tables, headers. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "block/container_private.h"
#include "block/crc.h"
#include "block/partition.h"
#include "memory_disk.h"

#define DISK_SIZE ((uint64_t)1 << 20)

static struct memory *disk_new(void)
{
	return memory_new("disk", DISK_SIZE, 512);
}

/* ---- blocks ---- */

static void test_bounds(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct memory *m = disk_new();
	_cleanup_block_ struct block *disk = &m->block;
	_cleanup_block_ struct block *window = NULL;
	uint8_t buf[16] = "0123456789abcdef";

	assert_null(block_window_open(disk, DISK_SIZE - 5, 6, xstrdup("w"), &err));
	assert_int_equal(err.code, ERROR_FAILED);
	assert_non_null(err.remedy);
	assert_null(block_window_open(disk, UINT64_MAX, 2, xstrdup("w"), NULL));
	window = block_window_open(disk, 1000, 20, xstrdup("w"), &err);
	assert_non_null(window);
	assert_int_equal(block_pwrite(window, buf, 16, 4, &err), 0);
	assert_memory_equal(m->data + 1004, "0123456789abcdef", 16);
	assert_int_equal(block_pwrite(window, buf, 16, 5, &err), -1);
	assert_int_equal(block_pread(window, buf, 2, UINT64_MAX, &err), -1);
	assert_int_equal(block_pread(window, buf, 0, 20, &err), 0);
	window->writable = false;
	assert_int_equal(block_pwrite(window, buf, 1, 0, &err), -1);
	assert_int_equal(block_flush(window, &err), 0);
}

static char *scratch_file(const void *data, size_t len)
{
	char *folder = temp_folder_make(NULL, NULL), *path;
	int fd;

	assert_non_null(folder);
	path = xasprintf("%s/disk.img", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, (struct bytes){data, len}, path, NULL), 0);
	close(fd);
	free(folder); /* removed at exit */
	return path;
}

static void test_file(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *path = scratch_file("hello, disk", 11);
	_cleanup_block_ struct block *reader = NULL, *writer = NULL, *other = NULL;
	char buf[11];

	assert_null(block_file_open(path, false, 12, &err));
	assert_int_equal(err.code, ERROR_FAILED);
	reader = block_file_open(path, false, 0, &err);
	assert_non_null(reader);
	assert_int_equal(reader->size, 11);
	assert_int_equal(block_file_lock(reader, &err), 0);
	/* Readers get along with each other; a writer with nobody. */
	other = block_file_open(path, false, 5, &err);
	assert_int_equal(other->size, 5);
	assert_int_equal(block_file_lock(other, &err), 0);
	writer = block_file_open(path, true, 0, &err);
	assert_int_equal(block_file_lock(writer, &err), -1);
	assert_int_equal(err.code, ERROR_STATE);
	block_close(steal_ptr(writer));
	block_close(steal_ptr(reader));
	block_close(steal_ptr(other));
	writer = block_file_open(path, true, 0, &err);
	assert_int_equal(block_file_lock(writer, &err), 0);
	assert_int_equal(block_pwrite(writer, "H", 1, 0, &err), 0);
	assert_int_equal(block_flush(writer, &err), 0);
	reader = block_file_open(path, false, 0, &err);
	assert_int_equal(block_file_lock(reader, &err), -1);
	assert_int_equal(err.code, ERROR_STATE);
	assert_int_equal(block_pread(reader, buf, 11, 0, &err), 0);
	assert_memory_equal(buf, "Hello, disk", 11);
	/* Cut while it is open. */
	assert_int_equal(truncate(path, 4), 0);
	assert_int_equal(block_pread(reader, buf, 11, 0, &err), -1);
	assert_null(block_file_open("/dev/null", false, 0, &err));
	assert_int_equal(err.code, ERROR_USAGE);
}

static void test_crc(void **state _unused_)
{
	/* The check values of both in every catalogue of CRCs. */
	const struct bytes digits = {(const uint8_t *)"123456789", 9};

	assert_int_equal(crc32_of(CRC32_GPT, digits), 0xcbf43926);
	assert_int_equal(crc32_of(CRC32_VHDX, digits), 0xe3069283);
}

/* ---- volumes ---- */

static struct volume_info recognise(struct memory *m, const struct partition *partition)
{
	struct volume_info info;

	assert_int_equal(volume_recognise(&m->block, partition, &info, NULL), 0);
	return info;
}

static void make_ntfs(uint8_t *s, uint16_t sector, uint8_t per_cluster)
{
	memset(s, 0, 512);
	memcpy(s, "\xeb\x52\x90NTFS    ", 11);
	put_le16(s + 11, sector);
	s[13] = per_cluster;
	put_le64(s + 72, 0x1234567890abcdef);
}

static void test_ntfs_clusters(void **state _unused_)
{
	static const struct {
		uint16_t sector;
		uint8_t per_cluster;
		uint32_t cluster; /* 0: no NTFS */
	} cases[] = {
		{512, 1, 512},	      {512, 8, 4096},	   {512, 128, 65536},
		{512, 0xf4, 2 << 20}, {512, 0xf8, 131072}, {4096, 1, 4096},
		{512, 0, 0},	      {512, 3, 0},	   {512, 200, 0},
		{500, 8, 0},	      {512, 0xe1, 0},	   {4096, 0xf0, 0},
	};
	struct memory *m = disk_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct volume_info info;

		make_ntfs(m->data, cases[i].sector, cases[i].per_cluster);
		info = recognise(m, NULL);
		assert_int_equal(info.kind == VOLUME_NTFS, cases[i].cluster != 0);
		assert_int_equal(info.cluster_size, cases[i].cluster);
		if (cases[i].cluster)
			assert_int_equal(info.serial, 0x1234567890abcdef);
	}
	block_close(&m->block);
}

/* A FAT of `clusters` clusters of one sector. */
static void make_fat(uint8_t *s, uint32_t clusters, bool large)
{
	memset(s, 0, 512);
	memcpy(s, "\xeb\x3c\x90MSDOS5.0", 11);
	put_le16(s + 11, 512);
	s[13] = 1;
	put_le16(s + 14, 1);
	s[16] = 1;
	s[21] = 0xf8;
	put_le16(s + 22, large ? 0 : 1);
	put_le32(s + 36, large ? 1 : 0);
	put_le32(s + 32, clusters + 2);
	put_le32(s + (large ? 67 : 39), 0xcafe0001);
	s[510] = 0x55;
	s[511] = 0xaa;
}

static void test_fat(void **state _unused_)
{
	struct memory *m = disk_new();
	struct volume_info info;

	make_fat(m->data, 1000, false);
	info = recognise(m, NULL);
	assert_int_equal(info.kind, VOLUME_FAT);
	assert_string_equal(info.name, "FAT12");
	assert_int_equal(info.serial, 0xcafe0001);
	m->block.size = (uint64_t)8 << 20; /* only the size is looked at */
	make_fat(m->data, 5000, false);
	assert_string_equal(recognise(m, NULL).name, "FAT16");
	make_fat(m->data, 8000, true);
	info = recognise(m, NULL);
	assert_string_equal(info.name, "FAT32");
	assert_int_equal(info.serial, 0xcafe0001);
	m->block.size = DISK_SIZE;
	/* More sectors than there are: no FAT, and nothing else. */
	assert_int_equal(recognise(m, NULL).kind, VOLUME_UNKNOWN);
	block_close(&m->block);
}

static void put_guid(void *to, const char *text)
{
	struct guid guid;

	assert_true(guid_parse(text, &guid));
	memcpy(to, guid.bytes, 16);
}

static void test_other_volumes(void **state _unused_)
{
	struct memory *m = disk_new();
	struct partition partition = {.mbr_type = 0x42};

	assert_int_equal(recognise(m, NULL).kind, VOLUME_EMPTY);
	m->data[100] = 1;
	assert_int_equal(recognise(m, NULL).kind, VOLUME_UNKNOWN);
	memcpy(m->data + 3, "-FVE-FS-", 8);
	assert_int_equal(recognise(m, NULL).kind, VOLUME_BITLOCKER);
	memcpy(m->data + 3, "MSWIN4.1", 8);
	put_guid(m->data + 424, "4967d63b-2e29-4ad8-8399-f6a339e3d001");
	assert_int_equal(recognise(m, NULL).kind, VOLUME_BITLOCKER);
	memcpy(m->data + 3, "ReFS\0\0\0\0", 8);
	assert_int_equal(recognise(m, NULL).kind, VOLUME_REFS);
	memcpy(m->data + 3, "EXFAT   ", 8);
	assert_int_equal(recognise(m, NULL).kind, VOLUME_EXFAT);
	memset(m->data, 0, 512);
	memcpy(m->data + 0x10040, "_BHRfS_M", 8);
	assert_int_equal(recognise(m, NULL).kind, VOLUME_BTRFS);
	/* The type decides where the content is not one volume's. */
	assert_int_equal(recognise(m, &partition).kind, VOLUME_LDM);
	partition.mbr_type = 0;
	put_guid(&partition.type, "af9b60a0-1431-4f62-bc68-3311714a69ad");
	assert_int_equal(recognise(m, &partition).kind, VOLUME_LDM);
	put_guid(&partition.type, "e75caf8f-f680-4cee-afa3-b001e56efc2d");
	assert_int_equal(recognise(m, &partition).kind, VOLUME_STORAGE_SPACES);
	assert_false(partition_is_esp(&partition));
	put_guid(&partition.type, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
	assert_true(partition_is_esp(&partition));
	block_close(&m->block);
}

/* ---- tables ---- */

static void put_entry(struct memory *m, uint64_t sector, unsigned slot, uint8_t status,
		      uint8_t type, uint32_t first, uint32_t count)
{
	uint8_t *e = m->data + sector * 512 + 446 + slot * 16;

	e[0] = status;
	e[4] = type;
	put_le32(e + 8, first);
	put_le32(e + 12, count);
	put_le16(m->data + sector * 512 + 510, 0xaa55);
}

static void test_mbr(void **state _unused_)
{
	_cleanup_partition_table_ struct partition_table table = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct memory *m = disk_new();

	assert_int_equal(partition_table_read(&m->block, &table, &err), -1);
	put_entry(m, 0, 0, 0x80, 7, 10, 100);
	put_entry(m, 0, 2, 0, 0x0f, 200, 1000);
	put_entry(m, 0, 3, 0, 7, 2000, 100); /* beyond the end */
	put_entry(m, 200, 0, 0, 7, 5, 50);
	put_entry(m, 200, 1, 0, 5, 300, 100);
	put_entry(m, 500, 0, 0, 0xef, 5, 50);
	assert_int_equal(partition_table_read(&m->block, &table, &err), 0);
	assert_int_equal(table.scheme, PARTITION_MBR);
	assert_int_equal(table.sector_size, 512);
	assert_int_equal(table.partitions.len, 3);
	assert_true(table.partitions.items[0].active);
	assert_int_equal(table.partitions.items[1].number, 5);
	assert_int_equal(table.partitions.items[1].offset, 205 * 512);
	assert_int_equal(table.partitions.items[2].number, 6);
	assert_int_equal(table.partitions.items[2].offset, 505 * 512);
	assert_true(partition_is_esp(&table.partitions.items[2]));
	assert_int_equal(table.problems.len, 1);
	partition_table_free(&table);
	/* A chain that never ends. */
	put_entry(m, 500, 1, 0, 5, 300, 100);
	assert_int_equal(partition_table_read(&m->block, &table, &err), 0);
	assert_int_equal(table.partitions.len, 3);
	assert_int_equal(table.problems.len, 2);
	partition_table_free(&table);
	/* Code where the table would be: a volume's boot sector is none. */
	make_ntfs(m->data, 512, 8);
	put_entry(m, 0, 0, 0x80, 7, 10, 100);
	assert_int_equal(partition_table_read(&m->block, &table, &err), 0);
	assert_int_equal(table.scheme, PARTITION_BARE);
	assert_int_equal(table.partitions.items[0].number, 0);
	assert_int_equal(table.partitions.items[0].size, DISK_SIZE);
	block_close(&m->block);
}

static void put_gpt(struct memory *m, uint64_t lba, uint64_t other, uint64_t entries)
{
	uint8_t *h = m->data + lba * 512, *e = m->data + entries * 512;

	memcpy(h, "EFI PART\0\0\1\0", 12);
	put_le32(h + 12, 92);
	put_le64(h + 24, lba);
	put_le64(h + 32, other);
	put_le64(h + 40, 34);
	put_le64(h + 48, 2000);
	put_le64(h + 72, entries);
	put_le32(h + 80, 4);
	put_le32(h + 84, 128);
	put_guid(e, "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
	put_le64(e + 32, 40);
	put_le64(e + 40, 139);
	memcpy(e + 56, "W\0i\0n\0", 6);
	put_guid(e + 256, "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
	put_le64(e + 256 + 32, 200);
	put_le64(e + 256 + 40, 100000);
	put_le32(h + 88, crc32_of(CRC32_GPT, (struct bytes){e, 512}));
	put_le32(h + 16, 0);
	put_le32(h + 16, crc32_of(CRC32_GPT, (struct bytes){h, 92}));
}

static void test_gpt(void **state _unused_)
{
	_cleanup_partition_table_ struct partition_table table = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct memory *m = disk_new();

	put_entry(m, 0, 0, 0, 0xee, 1, UINT32_MAX);
	put_gpt(m, 1, 2047, 2);
	put_gpt(m, 2047, 1, 2040);
	for (int damage = 0; damage < 3; damage++) {
		if (damage == 1)
			m->data[512 + 45] ^= 1; /* the first header */
		if (damage == 2)
			m->data[0x1be + 4] = 0; /* the protective MBR */
		assert_int_equal(partition_table_read(&m->block, &table, &err), 0);
		assert_int_equal(table.scheme, PARTITION_GPT);
		/* One of the two is longer than the disk: left out, and said so. */
		assert_int_equal(table.partitions.len, 1);
		assert_int_equal(table.partitions.items[0].size, 100 * 512);
		assert_string_equal(table.partitions.items[0].name, "Win");
		assert_int_equal(table.problems.len, 1 + damage);
		partition_table_free(&table);
	}
	m->data[2040 * 512 + 50] ^= 1; /* the backup's entries */
	assert_int_equal(partition_table_read(&m->block, &table, &err), -1);
	/* What was GPT once is not while an MBR says otherwise. */
	m->data[2040 * 512 + 50] ^= 1;
	put_entry(m, 0, 0, 0, 7, 10, 100);
	assert_int_equal(partition_table_read(&m->block, &table, &err), 0);
	assert_int_equal(table.scheme, PARTITION_MBR);
	block_close(&m->block);
}

/* ---- VHD: whose size counts ---- */

static void put_be32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - i * 8));
}

static void put_footer(struct memory *m, const char *creator)
{
	uint8_t *f = m->data + DISK_SIZE - 512;
	uint32_t sum = 0;

	memset(f, 0, 512);
	memcpy(f, "conectix", 8);
	put_be32(f + 12, 0x10000);
	memcpy(f + 28, creator, 4);
	put_be32(f + 52, 500 * 512); /* current size; the geometry says 4 x 10 x 10 */
	f[57] = 4;
	f[58] = f[59] = 10;
	put_be32(f + 60, 2);
	for (size_t i = 0; i < 512; i++)
		sum += f[i];
	put_be32(f + 64, ~sum);
}

static void test_vhd_sizes(void **state _unused_)
{
	static const struct {
		const char *creator;
		unsigned sectors, qemu_sectors;
	} cases[] = {
		{"win ", 500, 500}, {"qem2", 500, 500}, {"vbox", 500, 400},
		{"vpc ", 400, 400}, {"qemu", 400, 400}, {"d2v ", 500, 500},
	};
	struct memory *m = disk_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_container_header_ struct container_header h = {0};
		enum container_format format;

		put_footer(m, cases[i].creator);
		assert_int_equal(container_sniff(&m->block, &format, NULL), 0);
		assert_int_equal(format, CONTAINER_VHD);
		assert_int_equal(container_header_read(&m->block, format, &h, NULL), 0);
		assert_int_equal(h.virtual_size, cases[i].sectors * 512);
		assert_int_equal(h.qemu_size, cases[i].qemu_sectors * 512);
		assert_true(h.fixed);
		assert_string_equal(h.subtype, "fixed");
	}
	block_close(&m->block);
}

/* ---- names and paths ---- */

static void test_names(void **state _unused_)
{
	assert_int_equal(container_format_of_name("a/B.VHDX"), CONTAINER_VHDX);
	assert_int_equal(container_format_of_name("b.vhd"), CONTAINER_VHD);
	assert_int_equal(container_format_of_name("c.img"), CONTAINER_RAW);
	assert_int_equal(container_format_of_name("d.vmdk"), CONTAINER_VMDK);
	assert_int_equal(container_format_of_name("e.wim"), CONTAINER_NONE);
	assert_string_equal(container_format_name(CONTAINER_QCOW2), "qcow2");
}

static void test_references(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *scratch = scratch_file("x", 1), *path = NULL, *folder = NULL;
	_cleanup_free_ char *image = realpath(scratch, NULL), *other = NULL;
	struct strings names = VEC_INIT;

	path = reference_resolve(image, "disk.img", "backing file", NULL, &err);
	assert_string_equal(path, image);
	assert_null(reference_resolve(image, "nbd:x", "backing file", NULL, &err));
	assert_null(reference_resolve(image, "/etc/passwd", "backing file", NULL, &err));
	assert_non_null(strstr(err.remedy, "--allow-backing"));
	assert_null(reference_resolve(image, ".", "backing file", NULL, &err));
	assert_null(reference_resolve(image, "none", "backing file", NULL, &err));
	folder = reference_folder(image);
	/* A folder whose name begins like the image's is another one. */
	other = xasprintf("%s-other", folder);
	assert_int_equal(mkdir(other, 0700), 0);
	free(path);
	path = xasprintf("%s/x", other);
	assert_int_equal(file_copy(image, path, NULL), 0);
	assert_null(reference_resolve(image, path, "backing file", NULL, &err));
	remove_tree(other, NULL);
	free(path);
	strings_push(&names, "..\\elsewhere\\disk.img");
	path = reference_resolve_windows(image, &names, NULL, &err);
	assert_string_equal(path, image);
	strings_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),	   cmocka_unit_test(test_file),
		cmocka_unit_test(test_crc),	   cmocka_unit_test(test_ntfs_clusters),
		cmocka_unit_test(test_fat),	   cmocka_unit_test(test_other_volumes),
		cmocka_unit_test(test_mbr),	   cmocka_unit_test(test_gpt),
		cmocka_unit_test(test_vhd_sizes),  cmocka_unit_test(test_names),
		cmocka_unit_test(test_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
