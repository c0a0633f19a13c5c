/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Journal files of disk edits: the bytes as they are, or as the table of a journal whose
 * header, record and hashes are right, so that what lies behind them is reached.
 *
 * Beyond crashes and leaks: a journal that is refused has changed nothing; one that is
 * carried out or dropped is gone; and what was carried out follows from the journal
 * alone.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "block/journal_private.h"

#define DISK_SIZE ((size_t)128 * 1024 + 512)
#define MAX_SIZE ((size_t)1 << 18)
/* The fields of journal_format.c that are corrected here. */
#define DIGEST_AT (JOURNAL_SECTOR - 32)
#define HEADER_HEAD 48
#define COMPLETE_TABLE 16
#define COMPLETE_DIGEST 40
#define REGION_HASHES 56
#define DATA_BLOCKS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *folder, *path;

static struct memory {
	struct block block;
	uint8_t content[DISK_SIZE];
	unsigned writes;
} disk;

static void die(const char *why)
{
	fprintf(stderr, "fuzz_journal: %s\n", why);
	abort();
}

static int memory_pread(struct block *block _unused_, void *buf, size_t len,
			uint64_t offset, struct error *err _unused_)
{
	memcpy(buf, disk.content + offset, len);
	return 0;
}

static int memory_pwrite(struct block *block _unused_, const void *buf, size_t len,
			 uint64_t offset, struct error *err _unused_)
{
	memcpy(disk.content + offset, buf, len);
	disk.writes++;
	return 0;
}

static int memory_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static const struct block_ops memory_ops = {
	.pread = memory_pread,
	.pwrite = memory_pwrite,
	.flush = memory_flush,
};

static void reset_disk(void)
{
	static char name[] = "disk";

	disk.block = (struct block){&memory_ops, name, DISK_SIZE, 512, true};
	for (size_t i = 0; i < DISK_SIZE; i++)
		disk.content[i] = (uint8_t)(i >> 9);
	disk.writes = 0;
}

static void seal(uint8_t *record)
{
	hash_sha256((struct bytes){record, DIGEST_AT}, record + DIGEST_AT);
}

/* Regions of the table get the hashes of their content, and of the disk's. */
static void correct_regions(struct buffer *file, size_t table, uint32_t regions)
{
	size_t at = table;

	for (uint32_t i = 0; i < regions && at + REGION_HASHES <= file->len; i++) {
		uint8_t *r = file->data + at;
		uint64_t offset = get_le64(r), from = get_le64(r + 8);
		uint32_t len = get_le32(r + 16), sectors = journal_sectors(len);

		if (len > DISK_SIZE || !bytes_has(buffer_view(file), from, len) ||
		    !bytes_has(buffer_view(file), at + REGION_HASHES, 8ull * sectors))
			return;
		hash_sha256((struct bytes){file->data + from, len}, r + 24);
		for (uint32_t s = 0; s < sectors; s++) {
			uint64_t sector = offset + 512ull * s;
			size_t n = len - 512 * s < 512 ? len - 512 * s : 512;

			if (sector < DISK_SIZE && n <= DISK_SIZE - sector)
				put_le64(r + REGION_HASHES + 8ull * s,
					 journal_sector_hash(disk.content + sector, n));
		}
		at += REGION_HASHES + 8ull * sectors;
	}
}

/* A complete journal around a table: counts of regions and marks come first. */
static void make_journal(const uint8_t *data, size_t size, struct buffer *file)
{
	struct journal_log log = {.fd = -1};
	struct journal_identity identity = {DISK_SIZE, "raw"};
	uint32_t regions = data[0] % 8, marks = data[1] % 4;
	size_t table = JOURNAL_DATA + DATA_BLOCKS * JOURNAL_BLOCK;
	uint8_t *record;
	struct hash_stream *hash;

	log.path = path;
	log.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log.fd < 0 || journal_header_write(&log, &disk.block, &identity, NULL) < 0)
		die("no header");
	close(log.fd);
	if (file_read(path, MAX_SIZE, file, NULL) < 0)
		die("no header to read");
	for (size_t i = file->len; i < table; i++)
		buffer_append(file, &(uint8_t){(uint8_t)(i * 7)}, 1);
	buffer_append(file, data + 2, size - 2);
	correct_regions(file, table, regions);
	record = file->data + JOURNAL_RECORD;
	memcpy(record, "gild complete\r\n", 16);
	put_le64(record + COMPLETE_TABLE, table);
	put_le64(record + COMPLETE_TABLE + 8, file->len - table);
	put_le32(record + COMPLETE_TABLE + 16, regions);
	put_le32(record + COMPLETE_TABLE + 20, marks);
	hash = hash_sha256_begin();
	hash_stream_add(hash, file->data, JOURNAL_SECTOR);
	hash_stream_add(hash, file->data + table, file->len - table);
	hash_sha256_end(hash, record + COMPLETE_DIGEST);
	seal(record);
}

static void put_file(struct bytes content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || file_write_all(fd, content, path, NULL) < 0)
		die("no place to write");
	close(fd);
}

/* Recovers; the same journal on the same disk gives the same, also a second time. */
static void recover(struct bytes content)
{
	struct journal_identity identity = {DISK_SIZE, "raw"};
	_cleanup_free_ uint8_t *before = NULL, *after = NULL;
	enum journal_state state = JOURNAL_NONE;
	bool finished = false;
	int result;

	put_file(content);
	if (journal_look(path, &state, NULL) == 0 && state == JOURNAL_NONE)
		die("a file was not seen");
	before = xmemdup(disk.content, DISK_SIZE);
	result = journal_recover(&disk.block, path, &identity, &finished, NULL);
	if (result < 0 && (disk.writes || memcmp(before, disk.content, DISK_SIZE) != 0))
		die("a refused journal was carried out");
	if (result == 0 && access(path, F_OK) == 0)
		die("a journal was not removed");
	if (result < 0 || !finished)
		return;
	after = xmemdup(disk.content, DISK_SIZE);
	put_file(content);
	if (journal_recover(&disk.block, path, &identity, &finished, NULL) == 0 &&
	    memcmp(after, disk.content, DISK_SIZE) != 0)
		die("a second recovery gives another disk");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;

	if (size < 2 || size > MAX_SIZE / 2)
		return 0;
	if (!folder) {
		folder = temp_folder_make(NULL, NULL);
		path = folder ? xasprintf("%s/journal", folder) : NULL;
	}
	if (!path)
		die("no temporary folder");
	reset_disk();
	if (size >= 16 && memcmp(data, "gild journal\r\n\x1a", 16) == 0) {
		buffer_append(&file, data, size);
		if (size >= JOURNAL_SECTOR) {
			(void)journal_head_hash(&disk.block, file.data + HEADER_HEAD,
						NULL);
			seal(file.data);
		}
		if (size >= JOURNAL_RECORD + JOURNAL_SECTOR &&
		    memcmp(data + JOURNAL_RECORD, "gild complete", 13) == 0)
			seal(file.data + JOURNAL_RECORD);
	} else {
		make_journal(data, size, &file);
	}
	recover(buffer_view(&file));
	(void)unlink(path);
	return 0;
}
