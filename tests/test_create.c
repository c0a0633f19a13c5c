/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New containers against a disk in memory; new partition tables against their reader. */
#include "folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/container_private.h"
#include "block/create.h"
#include "block/partition_write.h"
#include "block/vhd.h"
#include "block/vhdx.h"

#define MIB ((uint64_t)1 << 20)
#define SIZE (64 * MIB)
#define WRITES 300
#define LONGEST 200000

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static struct block *make(const char *path, enum container_format format,
			  uint32_t sector_size)
{
	struct container_create options = {.format = format,
					   .virtual_size = SIZE,
					   .sector_size = sector_size,
					   .seed = {(const uint8_t *)"a", 1}};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct block *disk = container_create(path, &options, &err);

	assert_non_null(disk);
	assert_int_equal(disk->size, SIZE);
	assert_int_equal(disk->sector_size, sector_size);
	return disk;
}

static void assert_reads(struct block *disk, const uint8_t *model, size_t len,
			 uint64_t at)
{
	_cleanup_free_ uint8_t *got = xmalloc(len);

	assert_int_equal(block_pread(disk, got, len, at, NULL), 0);
	assert_memory_equal(got, model + at, len);
}

/* The same writes to both, with reads between them; then the disk as a whole. */
static void write_some(struct block *disk, uint8_t *model, uint32_t seed)
{
	_cleanup_free_ uint8_t *data = xmalloc(LONGEST);

	for (unsigned i = 0; i < WRITES; i++) {
		size_t len = next(&seed) % LONGEST + 1;
		uint64_t at = next(&seed) % (SIZE - len);
		unsigned kind = next(&seed) % 4;

		/* Zeros, a piece of something in zeros, something. */
		memset(data, 0, len);
		for (size_t k = 0; kind && k < (kind == 1 ? len / 8 : len); k++)
			data[kind == 1 ? k + len / 2 : k] = (uint8_t)next(&seed);
		assert_int_equal(block_pwrite(disk, data, len, at, NULL), 0);
		memcpy(model + at, data, len);
		at = next(&seed) % (SIZE - len);
		assert_reads(disk, model, len, at);
	}
	assert_reads(disk, model, SIZE, 0);
}

static void test_random(void **state _unused_)
{
	static const struct {
		enum container_format format;
		uint32_t sector_size;
	} cases[] = {{CONTAINER_RAW, 512},   {CONTAINER_RAW, 4096},
		     {CONTAINER_VHD, 512},   {CONTAINER_VHDX, 512},
		     {CONTAINER_VHDX, 4096}, {CONTAINER_QCOW2, 512}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ uint8_t *model = xcalloc(1, SIZE);
		_cleanup_free_ char *path = path_of("random");
		_cleanup_block_ struct block *disk =
			make(path, cases[i].format, cases[i].sector_size);
		_cleanup_container_ struct container c = {0};
		_cleanup_error_ struct error err = ERROR_INIT;

		write_some(disk, model, (uint32_t)i + 1);
		assert_int_equal(block_flush(disk, &err), 0);
		assert_int_equal(container_finish(disk, &err), 0);
		assert_reads(disk, model, SIZE, 0);
		assert_int_equal(block_pwrite(disk, model, 512, 0, &err), -1);
		if (cases[i].format != CONTAINER_RAW) {
			assert_int_equal(container_probe(path, NULL, &c, &err), 0);
			assert_int_equal(c.format, cases[i].format);
			assert_int_equal(c.virtual_size, SIZE);
			assert_int_equal(c.sector_size, cases[i].sector_size);
			assert_false(c.log_pending);
			/* QEMU writes no other VHDX. */
			assert_int_equal(c.editable, cases[i].sector_size == 512);
		}
		unlink(path);
	}
}

/* What is not written, or is zeros, takes no space; blocks lie as they were written. */
static void test_packed(void **state _unused_)
{
	static const enum container_format formats[] = {CONTAINER_RAW, CONTAINER_VHD,
							CONTAINER_VHDX, CONTAINER_QCOW2};
	static const uint64_t lengths[] = {SIZE, SIZE + 512, 4 * MIB + 3 * MIB,
					   9 * ((uint64_t)64 << 10)};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		_cleanup_free_ char *path = path_of("packed");
		_cleanup_block_ struct block *disk = make(path, formats[i], 512);
		_cleanup_free_ uint8_t *zeros = xcalloc(1, 8 * MIB);
		struct stat st;

		assert_int_equal(block_pwrite(disk, zeros, 8 * MIB, MIB / 2, NULL), 0);
		for (uint64_t at = 60 * MIB; at >= 20 * MIB; at -= 20 * MIB)
			assert_int_equal(block_pwrite(disk, &at, sizeof(at), at, NULL),
					 0);
		assert_int_equal(container_finish(disk, NULL), 0);
		assert_int_equal(stat(path, &st), 0);
		/* qcow2: header, 3 clusters, a table of each of the four kinds; 64 MiB
		 * have one L2 table. */
		assert_int_equal(st.st_size, formats[i] == CONTAINER_QCOW2
						     ? 8 * ((off_t)64 << 10)
						     : (off_t)lengths[i]);
		assert_true((uint64_t)st.st_blocks * 512 < 2 * MIB);
		unlink(path);
	}
}

static void test_same_bytes(void **state _unused_)
{
	static const enum container_format formats[] = {CONTAINER_RAW, CONTAINER_VHD,
							CONTAINER_VHDX, CONTAINER_QCOW2};

	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct buffer files[2] = {BUFFER_INIT, BUFFER_INIT};

		for (unsigned k = 0; k < 2; k++) {
			_cleanup_free_ uint8_t *model = xcalloc(1, SIZE);
			_cleanup_free_ char *path = path_of("same");
			_cleanup_block_ struct block *disk = make(path, formats[i], 512);

			write_some(disk, model, 77);
			assert_int_equal(container_finish(disk, NULL), 0);
			assert_int_equal(file_read(path, 2 * SIZE, &files[k], NULL), 0);
			unlink(path);
		}
		assert_true(bytes_equal(buffer_view(&files[0]), buffer_view(&files[1])));
		buffer_free(&files[0]);
		buffer_free(&files[1]);
	}
}

/* The same bytes from somewhere in a file on, and what lies before stays. */
static void test_in_a_file(void **state _unused_)
{
	static const enum container_format formats[] = {CONTAINER_VHDX, CONTAINER_QCOW2};
	enum { OFFSET = 3 << 20 };

	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct container_create options = {.format = formats[i],
						   .virtual_size = SIZE,
						   .sector_size = 512,
						   .seed = {(const uint8_t *)"a", 1}};
		_cleanup_free_ uint8_t *model = xcalloc(1, SIZE);
		_cleanup_free_ char *alone = path_of("alone"), *path = path_of("file");
		_cleanup_block_ struct block *disk = make(alone, formats[i], 512),
					     *part = NULL;
		_cleanup_buffer_ struct buffer want = BUFFER_INIT, got = BUFFER_INIT;
		_cleanup_close_ int fd =
			open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		assert_int_equal(pwrite(fd, "before", 6, OFFSET - 6), 6);
		part = container_create_at(fd, OFFSET, path, &options, NULL);
		assert_non_null(part);
		write_some(disk, model, 78);
		memset(model, 0, SIZE);
		write_some(part, model, 78);
		assert_reads(part, model, SIZE, 0);
		assert_int_equal(container_finish(disk, NULL), 0);
		assert_int_equal(container_finish(part, NULL), 0);
		assert_int_equal(file_read(alone, 2 * SIZE, &want, NULL), 0);
		assert_int_equal(file_read(path, 2 * SIZE, &got, NULL), 0);
		assert_int_equal(got.len, OFFSET + want.len);
		assert_memory_equal(got.data + OFFSET - 6, "before", 6);
		assert_memory_equal(got.data + OFFSET, want.data, want.len);
		unlink(alone);
		unlink(path);
	}
}

static void assert_refused(enum container_format format, uint64_t size, uint32_t sector,
			   const char *remedy)
{
	struct container_create options = {
		.format = format, .virtual_size = size, .sector_size = sector};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *path = path_of("refused");

	assert_null(container_create(path, &options, &err));
	assert_int_equal(err.code, ERROR_USAGE);
	assert_non_null(strstr(err.remedy, remedy));
	assert_int_equal(access(path, F_OK), -1);
}

static void test_refused(void **state _unused_)
{
	_cleanup_free_ char *path = path_of("there");
	_cleanup_error_ struct error err = ERROR_INIT;
	struct container_create options = {
		.format = CONTAINER_RAW, .virtual_size = SIZE, .sector_size = 512};

	assert_refused(CONTAINER_VMDK, SIZE, 512, "vhdx");
	assert_refused(CONTAINER_RAW, 0, 512, "MiB");
	assert_refused(CONTAINER_RAW, SIZE + 512, 512, "MiB");
	assert_refused(CONTAINER_QCOW2, (uint64_t)65 << 40, 512, "64 TiB");
	assert_refused(CONTAINER_VHD, 19 * MIB, 512, "larger");
	assert_refused(CONTAINER_VHD, (uint64_t)2041 << 30, 512, "smaller");
	assert_refused(CONTAINER_VHD, SIZE, 4096, "512");
	assert_refused(CONTAINER_QCOW2, SIZE, 4096, "vhdx");
	assert_refused(CONTAINER_RAW, SIZE, 1024, "512");
	assert_int_equal(
		file_replace(path, (struct bytes){(const uint8_t *)"x", 1}, &err), 0);
	assert_null(container_create(path, &options, &err));
	assert_int_equal(err.code, ERROR_FAILED);
}

/* The largest disks have tables of a size that is bounded, and open. */
static void test_large(void **state _unused_)
{
	_cleanup_free_ char *path = path_of("large");
	struct container_create options = {.format = CONTAINER_VHDX,
					   .virtual_size = (uint64_t)64 << 40,
					   .sector_size = 512};
	_cleanup_block_ struct block *disk = container_create(path, &options, NULL);
	_cleanup_block_ struct block *file = NULL;
	_cleanup_vhdx_ struct vhdx v = {0};
	uint64_t last = options.virtual_size - 1;

	assert_non_null(disk);
	assert_int_equal(block_pwrite(disk, "!", 1, last, NULL), 0);
	assert_int_equal(container_finish(disk, NULL), 0);
	file = block_file_open(path, false, 0, NULL);
	assert_int_equal(vhdx_read(file, &v, NULL), 0);
	assert_int_equal(v.size, options.virtual_size);
	assert_int_equal(v.block_size, 32 * MIB);
	assert_int_equal(file->size, 3 * MIB + 17 * MIB + 32 * MIB);
	unlink(path);
}

/* The footer by its offsets; the geometry is what the specification's appendix gives. */
static void test_footer(void **state _unused_)
{
	static const uint8_t geometry[] = {0x03, 0xc3, 8, 17}; /* 64 MiB: 963/8/17 */
	_cleanup_free_ char *path = path_of("footer");
	_cleanup_block_ struct block *disk = make(path, CONTAINER_VHD, 512), *file = NULL;
	_cleanup_vhd_ struct vhd vhd = {0};
	uint8_t footer[512];

	assert_int_equal(container_finish(disk, NULL), 0);
	file = block_file_open(path, false, 0, NULL);
	assert_int_equal(vhd_read(file, &vhd, NULL), 0);
	assert_int_equal(vhd.type, VHD_FIXED);
	assert_int_equal(vhd.size, SIZE);
	assert_int_equal(vhd.qemu_size, SIZE);
	assert_int_equal(block_pread(file, footer, sizeof(footer), SIZE, NULL), 0);
	assert_memory_equal(footer + 28, "win ", 4);
	assert_memory_equal(footer + 56, geometry, sizeof(geometry));
}

/* ---- partition tables ---- */

static void set_partitions(struct partition_table *table, const struct partition *p,
			   size_t count)
{
	*table = (struct partition_table){.disk_signature = 0x12345678};
	table->disk_guid = guid_from((struct bytes){(const uint8_t *)"d", 1});
	for (size_t i = 0; i < count; i++) {
		vec_push(&table->partitions, p[i]);
		table->partitions.items[i].name = xstrdup("Größe");
		table->partitions.items[i].type =
			guid_from((struct bytes){(const uint8_t *)"t", 1});
		table->partitions.items[i].guid =
			guid_from((struct bytes){(const uint8_t *)&i, sizeof(i)});
	}
}

static void test_gpt(void **state _unused_)
{
	static const struct partition wanted[] = {
		{.number = 3, .offset = 40 * MIB, .size = MIB, .attributes = 5},
		{.number = 1, .offset = MIB, .size = 39 * MIB},
	};

	for (uint32_t sector = 512; sector <= 4096; sector *= 8) {
		_cleanup_free_ char *path = path_of("gpt");
		_cleanup_block_ struct block *disk = make(path, CONTAINER_RAW, sector);
		_cleanup_partition_table_ struct partition_table table, got = {0};
		uint8_t broken = 0;

		set_partitions(&table, wanted, 2);
		assert_int_equal(partition_write_gpt(disk, &table, NULL), 0);
		for (unsigned pass = 0; pass < 2; pass++) {
			partition_table_free(&got);
			assert_int_equal(partition_table_read(disk, &got, NULL), 0);
			assert_int_equal(got.scheme, PARTITION_GPT);
			assert_int_equal(got.sector_size, sector);
			assert_true(guid_equal(&got.disk_guid, &table.disk_guid));
			assert_int_equal(got.partitions.len, 2);
			assert_int_equal(got.partitions.items[0].offset, MIB);
			assert_int_equal(got.partitions.items[1].number, 3);
			assert_int_equal(got.partitions.items[1].size, MIB);
			assert_int_equal(got.partitions.items[1].attributes, 5);
			assert_string_equal(got.partitions.items[1].name, "Größe");
			assert_true(guid_equal(&got.partitions.items[1].guid,
					       &table.partitions.items[0].guid));
			assert_int_equal(got.problems.len, pass);
			/* The backup alone serves as well. */
			assert_int_equal(block_pwrite(disk, &broken, 1, sector, NULL), 0);
		}
		unlink(path);
	}
}

static void test_mbr(void **state _unused_)
{
	static const struct partition wanted[] = {
		{.number = 1,
		 .offset = MIB,
		 .size = 9 * MIB,
		 .mbr_type = 7,
		 .active = true},
		{.number = 4, .offset = 10 * MIB, .size = 54 * MIB, .mbr_type = 0x27},
	};
	/* 0/32/33 to 1/70/5: 2048 and 20479. */
	static const uint8_t first[] = {0x80, 32, 33, 0, 7, 70, 5, 1,
					0,    8,  0,  0, 0, 72, 0, 0};
	_cleanup_free_ char *path = path_of("mbr");
	_cleanup_block_ struct block *disk = make(path, CONTAINER_RAW, 512);
	_cleanup_partition_table_ struct partition_table table, got = {0};
	uint8_t code[440], sector[512];

	memset(code, 0xc3, sizeof(code));
	set_partitions(&table, wanted, 2);
	assert_int_equal(partition_write_mbr(disk, &table,
					     (struct bytes){code, sizeof(code)}, NULL),
			 0);
	assert_int_equal(block_pread(disk, sector, 512, 0, NULL), 0);
	assert_memory_equal(sector, code, sizeof(code));
	assert_memory_equal(sector + 446, first, sizeof(first));
	assert_int_equal(get_le32(sector + 440), 0x12345678);
	assert_int_equal(partition_table_read(disk, &got, NULL), 0);
	assert_int_equal(got.scheme, PARTITION_MBR);
	assert_int_equal(got.disk_signature, 0x12345678);
	assert_int_equal(got.partitions.len, 2);
	assert_true(got.partitions.items[0].active);
	assert_false(got.partitions.items[1].active);
	assert_int_equal(got.partitions.items[1].number, 4);
	assert_int_equal(got.partitions.items[1].mbr_type, 0x27);
	assert_int_equal(got.partitions.items[1].size, 54 * MIB);
	assert_int_equal(
		partition_write_mbr(disk, &table, (struct bytes){sector, 441}, NULL), -1);
	unlink(path);
}

static void test_bad_tables(void **state _unused_)
{
	static const struct partition bad[][2] = {
		{{.number = 1, .offset = MIB, .size = 2 * MIB},
		 {.number = 2, .offset = 2 * MIB, .size = MIB}},
		{{.number = 1, .offset = MIB, .size = MIB},
		 {.number = 1, .offset = 2 * MIB, .size = MIB}},
		{{.number = 1, .offset = MIB, .size = MIB},
		 {.number = 129, .offset = 2 * MIB, .size = MIB}},
		{{.number = 1, .offset = MIB, .size = MIB},
		 {.number = 2, .offset = 3 * MIB}},
		{{.number = 1, .offset = MIB, .size = MIB},
		 {.number = 2, .offset = 3 * MIB, .size = SIZE}},
		{{.number = 1, .offset = MIB, .size = MIB + 1},
		 {.number = 2, .offset = 3 * MIB, .size = MIB}},
		{{.number = 1, .offset = 0, .size = MIB},
		 {.number = 2, .offset = 3 * MIB, .size = MIB}},
	};
	_cleanup_free_ char *path = path_of("bad");
	_cleanup_block_ struct block *disk = make(path, CONTAINER_RAW, 512);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_partition_table_ struct partition_table table;
		_cleanup_error_ struct error err = ERROR_INIT;

		set_partitions(&table, bad[i], 2);
		assert_int_equal(partition_write_gpt(disk, &table, &err), -1);
		assert_int_equal(
			partition_write_mbr(disk, &table, (struct bytes){0}, &err), -1);
		assert_int_equal(err.code, ERROR_FAILED);
		assert_non_null(err.remedy);
	}
	assert_int_equal(partition_gpt_start(512), 34 * 512);
	assert_int_equal(partition_gpt_end(4096), 5 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	   cmocka_unit_test(test_packed),
		cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_in_a_file),
		cmocka_unit_test(test_refused),	   cmocka_unit_test(test_large),
		cmocka_unit_test(test_footer),	   cmocka_unit_test(test_gpt),
		cmocka_unit_test(test_mbr),	   cmocka_unit_test(test_bad_tables),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
