/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A bootable disk: partition table, Windows volume, system volume and changes are written
 * in this order into a new container that has no name yet.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "block/create.h"
#include "block/partition_write.h"
#include "builder/boot_code.h"
#include "builder/build_private.h"

#define MIB ((uint64_t)1 << 20)

static enum container_format container_of(enum build_format format)
{
	switch (format) {
	case BUILD_VHD:
		return CONTAINER_VHD;
	case BUILD_VHDX:
		return CONTAINER_VHDX;
	case BUILD_QCOW2:
		return CONTAINER_QCOW2;
	default:
		return CONTAINER_RAW;
	}
}

/*
 * What the GUIDs of the disk follow from: the source, and most of what was asked for. The
 * container is not in it: all formats of one disk are the same disk.
 */
static void make_seed(const struct build_options *o, const struct build_source *source,
		      uint64_t size, uint8_t seed[32])
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	_cleanup_free_ char *text =
		xasprintf("%u %ju %u %u %u %u %u %u", o->firmware, (uintmax_t)size,
			  o->sector_size, o->compact, o->locate, o->inject.any_controller,
			  o->depersonalize, o->boot_ca);
	uint8_t digest[32];

	build_source_digest(source->files, digest);
	buffer_append(&b, digest, sizeof(digest));
	buffer_append_string(&b, text);
	for (size_t i = 0; o->inject.drivers && i < o->inject.drivers->len; i++)
		buffer_append_string(&b, path_base(o->inject.drivers->items[i]));
	hash_sha256(buffer_view(&b), seed);
}

static int choose_size(const struct build_options *options,
		       const struct build_source *source, uint64_t *ret,
		       struct error *err)
{
	struct ntfs_build_options build = {.compact = options->compact};
	uint64_t volume = ntfs_build_size(source->files, options->sector_size, &build);
	uint64_t least = build_layout_overhead(options) + volume;

	*ret = build_layout_size(options, volume);
	if (*ret >= least)
		return 0;
	error_set(err, ERROR_USAGE, options->output,
		  "a disk of %ju MiB is too small: the files need %ju MiB",
		  (uintmax_t)(*ret / MIB), (uintmax_t)((least + MIB - 1) / MIB));
	return error_remedy(err, "give a larger --size, or leave it out");
}

/* What the contents take for certain, before anything is written. */
static int check_host(const struct build_options *options,
		      const struct build_source *source, struct error *err)
{
	const struct files *files = source->files;
	uint64_t need = 0;

	if (options->compact)
		return 0;
	vec_foreach (inode, &files->inodes) {
		if (!inode->links || inode->attributes & FILES_ATTR_SPARSE)
			continue;
		for (uint32_t i = 0; i < inode->stream_count; i++)
			if (inode->streams[i].blob != FILES_NONE)
				need += files->blobs.items[inode->streams[i].blob].size;
	}
	return file_check_space(options->output, need, err);
}

static int write_table(struct block *disk, const struct partition_table *table,
		       struct error *err)
{
	if (table->scheme == PARTITION_GPT)
		return partition_write_gpt(disk, table, err);
	return partition_write_mbr(disk, table, boot_code_mbr(), err);
}

static int write_windows(const struct build_options *options,
			 const struct build_source *source, struct block *disk,
			 struct build_result *ret, struct error *err)
{
	const struct build_part *part = build_part_of(ret, "windows");
	_cleanup_block_ struct block *window = block_window_open(
		disk, part->offset, part->size,
		xasprintf("%s, partition %u", disk->name, part->number), err);
	struct ntfs_build_options build = {.hidden_sectors =
						   part->offset / options->sector_size,
					   .label = "Windows",
					   .compact = options->compact};
	struct ntfs_build_result result = {0};

	if (!window || ntfs_build(window, source->files, &build, &result, err) < 0)
		return -1;
	ret->content = result.content;
	ret->compacted = result.compacted;
	return 0;
}

static int change(const struct build_options *options, const struct build_source *source,
		  struct block *disk, struct build_result *ret, struct error *err)
{
	_cleanup_image_ struct image *image =
		image_open_block(disk, build_format_name(options->format), err);

	if (!image)
		return -1;
	if (build_stage(options, source, image, 0, NULL, ret, err) == 0)
		return 0;
	/* The volume is ours to make larger. */
	if (err && err->remedy &&
	    strncmp(err->remedy, TREE_FULL_REMEDY, strlen(TREE_FULL_REMEDY)) == 0)
		return error_remedy(err, "give a larger --size, or fewer drivers");
	return -1;
}

static int fill(const struct build_options *options, const struct build_source *source,
		struct bytes seed, struct block *disk, struct build_result *ret,
		struct error *err)
{
	_cleanup_partition_table_ struct partition_table table = {0};

	build_layout(options, disk->size, seed, &table, ret);
	if (write_table(disk, &table, err) < 0 ||
	    write_windows(options, source, disk, ret, err) < 0 ||
	    build_boot(options, source, &table, seed, disk, ret, err) < 0 ||
	    change(options, source, disk, ret, err) < 0)
		return -1;
	return container_finish(disk, err);
}

static int publish(const struct draft *draft, struct build_result *ret, struct error *err)
{
	struct stat st;

	if (interrupted())
		return error_interrupted(err);
	if (draft_publish(draft, err) < 0)
		return -1;
	if (fstat(draft->fd, &st) == 0) {
		ret->file_size = (uint64_t)st.st_size;
		ret->allocated = (uint64_t)st.st_blocks * 512;
	}
	return 0;
}

int build_disk(const struct build_options *options, struct build_source *source,
	       struct build_result *ret, struct error *err)
{
	struct container_create create = {.format = container_of(options->format),
					  .sector_size = options->sector_size};
	uint8_t seed[32];
	struct block *disk;
	struct draft draft;
	int result = -1;

	if (build_source_files(source, err) < 0 ||
	    choose_size(options, source, &create.virtual_size, err) < 0)
		return -1;
	make_seed(options, source, create.virtual_size, seed);
	create.seed = (struct bytes){seed, sizeof(seed)};
	ret->virtual_size = create.virtual_size;
	if (draft_open(&draft, options->output, false, err) < 0)
		return -1;
	disk = check_host(options, source, err) < 0
		       ? NULL
		       : container_create_draft(&draft, &create, err);
	if (disk && fill(options, source, create.seed, disk, ret, err) == 0)
		result = publish(&draft, ret, err);
	block_close(disk);
	draft_close(&draft);
	return result;
}
