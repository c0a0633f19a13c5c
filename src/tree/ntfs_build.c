/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A new NTFS volume with all of its files: see tree/ntfs_build.h. */
#include "tree/ntfs_build.h"

#include "base/clock.h"
#include "base/guid.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/text.h"

#define MAX_LABEL 32u
#define MAX_CLUSTERS UINT32_MAX /* Windows' limit */
#define MIN_VOLUME (4u * 1024 * 1024)
#define MIB (UINT64_C(1) << 20)

static int too_small(const struct ntfs_build *b, uint64_t clusters, struct error *err)
{
	error_set(err, ERROR_FAILED, b->volume->name,
		  "is too small: it has %ju bytes, the files need %ju",
		  (uintmax_t)b->volume->size, (uintmax_t)clusters * NTFS_CLUSTER);
	return error_remedy(err, "make it larger");
}

int ntfs_allocate(struct ntfs_build *b, uint64_t count, uint64_t *lcn, struct error *err)
{
	if (count > b->clusters - b->next)
		return too_small(b, b->next + count, err);
	*lcn = b->next;
	b->next += count;
	return 0;
}

/* ---- the boot sector
 * ----------------------------------------------------------------- */

/* The volume's serial number follows from what is on it. */
static uint64_t serial_number(const struct ntfs_build *b)
{
	struct hash_stream *stream = hash_sha256_begin();
	const struct files *files = b->files;
	uint8_t digest[32], size[8];

	put_le64(size, b->clusters);
	hash_stream_add(stream, size, sizeof(size));
	vec_foreach (entry, &files->entries)
		hash_stream_add(stream, entry->name, strlen(entry->name) + 1);
	vec_foreach (blob, &files->blobs) {
		put_le64(size, blob->size);
		hash_stream_add(stream, size, sizeof(size));
		hash_stream_add(stream, blob->sha1, sizeof(blob->sha1));
	}
	hash_sha256_end(stream, digest);
	return get_le64(guid_from((struct bytes){digest, sizeof(digest)}).bytes);
}

/* Heads of the geometry, as BIOS and boot code count them for disks of this size. */
static unsigned heads_of(uint64_t size)
{
	if (size < UINT64_C(2114445312))
		return 0x40;
	return size < UINT64_C(4228374780) ? 0x80 : 0xff;
}

/* Sizes of records and blocks: clusters, or the negative power of two of bytes. */
static uint8_t size_code(uint32_t bytes)
{
	uint8_t power = 0;

	if (bytes >= NTFS_CLUSTER)
		return (uint8_t)(bytes / NTFS_CLUSTER);
	while (1u << power < bytes)
		power++;
	return (uint8_t)-power;
}

void ntfs_boot_sector(const struct ntfs_build *b, uint8_t raw[512])
{
	uint32_t sector = b->volume->sector_size;

	memset(raw, 0, 512);
	memcpy(raw, "\xeb\x52\x90NTFS    ", 11);
	put_le16(raw + 0x0b, (uint16_t)sector);
	raw[0x0d] = (uint8_t)(NTFS_CLUSTER / sector);
	raw[0x15] = 0xf8; /* fixed disk */
	put_le16(raw + 0x18, 63);
	put_le16(raw + 0x1a, (uint16_t)heads_of(b->volume->size));
	put_le32(raw + 0x1c, (uint32_t)b->options->hidden_sectors);
	put_le32(raw + 0x24, 0x00800080);
	/* The last sector is the copy of this one and does not count. */
	put_le64(raw + 0x28, b->volume->size / sector - 1);
	put_le64(raw + 0x30, b->mft.items[0].lcn);
	put_le64(raw + 0x38, b->mirror);
	raw[0x40] = size_code(b->record_size);
	raw[0x44] = size_code(NTFS_INDEX_BLOCK);
	put_le64(raw + 0x48, serial_number(b));
	put_le16(raw + 0x1fe, 0xaa55);
}

static int write_boot_sectors(struct ntfs_build *b, struct error *err)
{
	uint32_t sector = b->volume->sector_size;
	_cleanup_free_ uint8_t *raw = xcalloc(1, sector);

	ntfs_boot_sector(b, raw);
	if (block_pwrite(b->volume, raw, sector, (b->volume->size / sector - 1) * sector,
			 err) < 0)
		return -1;
	return block_pwrite(b->volume, raw, sector, 0, err);
}

/* ---- the whole
 * ----------------------------------------------------------------------- */

static void build_init(struct ntfs_build *b, uint32_t sector_size)
{
	b->record_size = sector_size > 1024 ? sector_size : 1024;
	b->now = clock_filetime();
}

static void build_free(struct ntfs_build *b)
{
	ntfs_plan_free(b);
	ntfs_system_free(b);
	ntfs_output_free(&b->out);
	ntfs_output_free(&b->records);
	vec_free(&b->mft);
	vec_foreach (extension, &b->extensions)
		free(*extension);
	vec_free(&b->extensions);
}

static int check_volume(const struct ntfs_build *b, struct error *err)
{
	const struct block *volume = b->volume;
	const char *label = b->options->label ? b->options->label : b->files->label;

	if (volume->sector_size != 512 && volume->sector_size != 4096)
		return error_set(err, ERROR_FAILED, volume->name,
				 "has sectors of %u bytes, which NTFS does not know",
				 volume->sector_size);
	if (volume->size < MIN_VOLUME || b->clusters > MAX_CLUSTERS) {
		error_set(err, ERROR_FAILED, volume->name,
			  "is of %ju bytes, which is no size for NTFS",
			  (uintmax_t)volume->size);
		return error_remedy(err, "choose one between 4 MiB and 16 TiB");
	}
	if (b->options->hidden_sectors > UINT32_MAX)
		return error_set(err, ERROR_FAILED, volume->name,
				 "begins too far behind on its disk");
	if (label && utf16_units(label) > MAX_LABEL) {
		error_set(err, ERROR_USAGE, label, "is too long for a label");
		return error_remedy(err, "use at most 32 characters");
	}
	return 0;
}

/* Compressed contents take nobody knows how little: they do not count. */
static uint64_t needed_clusters(const struct ntfs_build *b)
{
	uint64_t need =
		ntfs_fixed_clusters(b->clusters, b->record_size) + ntfs_plan_clusters(b);

	for (size_t i = 0; i < b->stream_count; i++)
		if (b->streams[i].compact)
			need -= ntfs_clusters_of(b->streams[i].size);
	return need;
}

static int write_all(struct ntfs_build *b, struct error *err)
{
	if (ntfs_write_fixed(b, err) < 0 || ntfs_write_contents(b, err) < 0 ||
	    ntfs_write_views(b, err) < 0 || ntfs_mft_begin(b, err) < 0 ||
	    ntfs_write_files(b, err) < 0 || ntfs_write_system(b, err) < 0 ||
	    ntfs_output_flush(&b->out, err) < 0 ||
	    ntfs_output_flush(&b->records, err) < 0)
		return -1;
	return write_boot_sectors(b, err);
}

static int build(struct ntfs_build *b, struct error *err)
{
	uint64_t need;

	if (check_volume(b, err) < 0 || ntfs_plan(b, err) < 0)
		return -1;
	need = needed_clusters(b);
	if (need > b->clusters)
		return too_small(b, need, err);
	if (b->bad_descriptors)
		notice("%s: %zu files had no valid security descriptor; they get what "
		       "their folders give",
		       b->files->name, b->bad_descriptors);
	if (write_all(b, err) < 0)
		return -1;
	b->result->allocated = b->next * NTFS_CLUSTER;
	return 0;
}

int ntfs_build(struct block *volume, struct files *files,
	       const struct ntfs_build_options *options, struct ntfs_build_result *ret,
	       struct error *err)
{
	struct ntfs_build_result none = {0};
	struct ntfs_build b = {.volume = volume,
			       .files = files,
			       .options = options,
			       .result = ret ? ret : &none,
			       .out.volume = volume,
			       .records.volume = volume};
	int result;

	if (ret)
		*ret = none;
	build_init(&b, volume->sector_size);
	b.clusters = (volume->size - volume->sector_size) / NTFS_CLUSTER;
	result = build(&b, err);
	build_free(&b);
	return result;
}

uint64_t ntfs_build_size(const struct files *files, uint32_t sector_size,
			 const struct ntfs_build_options *options)
{
	struct ntfs_build_options plain = *options;
	struct ntfs_build b = {.files = (struct files *)files, .options = &plain};
	uint64_t need = 0, clusters = 0;

	plain.compact = false;
	build_init(&b, sector_size);
	/* What cannot be planned is refused with its reason by ntfs_build(). */
	if (ntfs_plan(&b, NULL) == 0)
		need = ntfs_plan_clusters(&b);
	do
		clusters = need + ntfs_fixed_clusters(clusters, b.record_size);
	while (clusters < need + ntfs_fixed_clusters(clusters, b.record_size));
	build_free(&b);
	clusters = clusters * NTFS_CLUSTER + sector_size;
	clusters = (clusters + MIB - 1) / MIB * MIB;
	return clusters < MIN_VOLUME ? MIN_VOLUME : clusters;
}
