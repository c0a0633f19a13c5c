/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tree/ntfs_wof.h"

#include <wimlib.h>

/* The reparse data: WOF_EXTERNAL_INFO, then FILE_PROVIDER_EXTERNAL_INFO_V1. */
#define INFO_VERSION 0
#define INFO_PROVIDER 4
#define INFO_FILE_VERSION 8
#define INFO_ALGORITHM 12
#define PROVIDER_WIM 1
#define PROVIDER_FILE 2

/* Compressed bytes are read so many at a time, whatever the chunks' size. */
#define WINDOW (256u * 1024)
#define TABLE_ENTRIES 8192u
#define MAX_CHUNK (32u * 1024)

int wof_parse(struct bytes reparse, enum wof_algorithm *ret, const char *path,
	      struct error *err)
{
	uint32_t version, provider, file_version, algorithm;

	if (!bytes_le32(reparse, INFO_VERSION, &version) ||
	    !bytes_le32(reparse, INFO_PROVIDER, &provider))
		return error_set(err, ERROR_FAILED, path,
				 "its reparse point (Compact OS) is cut short");
	if (version == 1 && provider == PROVIDER_WIM) {
		error_set(err, ERROR_FAILED, path,
			  "its content lies in a WIM elsewhere (WIMBoot)");
		return error_remedy(err, "run in Windows, on the file's folder: compact "
					 "/u /s /exe");
	}
	if (version != 1 || provider != PROVIDER_FILE)
		return error_set(err, ERROR_FAILED, path,
				 "is kept by an unknown provider (%u, version %u) of the "
				 "Windows Overlay Filter",
				 provider, version);
	if (!bytes_le32(reparse, INFO_FILE_VERSION, &file_version) ||
	    !bytes_le32(reparse, INFO_ALGORITHM, &algorithm))
		return error_set(err, ERROR_FAILED, path,
				 "its reparse point (Compact OS) is cut short");
	if (file_version != 1 || algorithm > WOF_XPRESS16K)
		return error_set(
			err, ERROR_FAILED, path,
			"is compressed (Compact OS) by an unknown algorithm (%u, "
			"version %u)",
			algorithm, file_version);
	*ret = (enum wof_algorithm)algorithm;
	return 0;
}

uint32_t wof_chunk_size(enum wof_algorithm algorithm)
{
	static const uint32_t sizes[] = {
		[WOF_XPRESS4K] = 4096,
		[WOF_LZX] = 32768,
		[WOF_XPRESS8K] = 8192,
		[WOF_XPRESS16K] = 16384,
	};

	return sizes[algorithm];
}

/* ---- reading compressed bytes -------------------------------------------------------
 */

struct unpacking {
	const struct wof_source *source;
	uint32_t chunk_size;
	unsigned entry_size; /* of the table */
	uint64_t chunks, table_size;
	uint8_t table[TABLE_ENTRIES * 8]; /* entries from `table_first` on */
	uint64_t table_first, table_count;
	uint8_t *window; /* [window_at, window_at + window_len) of the stream */
	uint64_t window_at;
	size_t window_len;
	struct wimlib_decompressor *decompressor;
	uint8_t content[MAX_CHUNK];
};

static int damaged(const struct unpacking *u, struct error *err, const char *what,
		   uint64_t chunk)
{
	return error_set(err, ERROR_FAILED, u->source->path,
			 "its compressed content (Compact OS) is damaged: %s %ju of %ju",
			 what, (uintmax_t)chunk + 1, (uintmax_t)u->chunks);
}

/* Where chunk `i` begins, counted from the table's end: entry i - 1. */
static int chunk_begin(struct unpacking *u, uint64_t i, uint64_t *ret, struct error *err)
{
	const uint8_t *entry;

	if (i == 0 || i == u->chunks) {
		*ret = i ? u->source->packed - u->table_size : 0;
		return 0;
	}
	i--;
	if (i < u->table_first || i >= u->table_first + u->table_count) {
		uint64_t left = u->chunks - 1 - i;

		u->table_first = i;
		u->table_count = left < TABLE_ENTRIES ? left : TABLE_ENTRIES;
		if (u->source->read(u->source->arg, u->table,
				    (size_t)u->table_count * u->entry_size,
				    i * u->entry_size, err) < 0)
			return -1;
	}
	entry = u->table + (i - u->table_first) * u->entry_size;
	*ret = u->entry_size == 8 ? get_le64(entry) : get_le32(entry);
	return 0;
}

/* Bytes of the stream; at most MAX_CHUNK and known to lie inside. */
static const uint8_t *packed_bytes(struct unpacking *u, uint64_t offset, size_t len,
				   struct error *err)
{
	uint64_t left = u->source->packed - offset;

	if (offset >= u->window_at && offset - u->window_at <= u->window_len &&
	    len <= u->window_len - (size_t)(offset - u->window_at))
		return u->window + (offset - u->window_at);
	u->window_at = offset;
	u->window_len = left < WINDOW ? (size_t)left : WINDOW;
	if (u->source->read(u->source->arg, u->window, u->window_len, offset, err) == 0)
		return u->window;
	u->window_len = 0;
	return NULL;
}

static int unpack_chunk(struct unpacking *u, uint64_t i, uint64_t begin, uint64_t end,
			struct bytes *ret, struct error *err)
{
	uint64_t left = u->source->size - i * u->chunk_size;
	size_t want = left < u->chunk_size ? (size_t)left : u->chunk_size;
	const uint8_t *packed;

	if (end <= begin || end > u->source->packed - u->table_size || end - begin > want)
		return damaged(u, err, "the place of chunk", i);
	packed = packed_bytes(u, u->table_size + begin, (size_t)(end - begin), err);
	if (!packed)
		return -1;
	if (end - begin == want) {
		*ret = (struct bytes){packed, want};
		return 0;
	}
	if (wimlib_decompress(packed, (size_t)(end - begin), u->content, want,
			      u->decompressor) != 0)
		return damaged(u, err, "chunk", i);
	*ret = (struct bytes){u->content, want};
	return 0;
}

static int unpack_all(struct unpacking *u,
		      int (*sink)(struct bytes data, void *arg, struct error *err),
		      void *arg, struct error *err)
{
	uint64_t begin = 0, end;

	for (uint64_t i = 0; i < u->chunks; i++, begin = end) {
		struct bytes data;

		if (interrupted())
			return error_interrupted(err);
		if (chunk_begin(u, i + 1, &end, err) < 0 ||
		    unpack_chunk(u, i, begin, end, &data, err) < 0 ||
		    sink(data, arg, err) < 0)
			return -1;
	}
	return 0;
}

/* Layout of the stream from its sizes alone. */
static int plan(struct unpacking *u, struct error *err)
{
	const struct wof_source *s = u->source;

	u->chunk_size = wof_chunk_size(s->algorithm);
	u->chunks = s->size / u->chunk_size + (s->size % u->chunk_size != 0);
	u->entry_size = s->size > UINT32_MAX ? 8 : 4;
	/* Each chunk has at least one byte. */
	if (u->chunks > s->packed)
		return error_set(err, ERROR_FAILED, s->path,
				 "its compressed content (Compact OS) is cut short");
	u->table_size = u->chunks ? (u->chunks - 1) * u->entry_size : 0;
	if (u->table_size > s->packed)
		return error_set(err, ERROR_FAILED, s->path,
				 "its compressed content (Compact OS) is cut short");
	return 0;
}

int wof_decompress(const struct wof_source *source,
		   int (*sink)(struct bytes data, void *arg, struct error *err),
		   void *arg, struct error *err)
{
	struct unpacking *u = xcalloc(1, sizeof(*u));
	enum wimlib_compression_type type = source->algorithm == WOF_LZX
						    ? WIMLIB_COMPRESSION_TYPE_LZX
						    : WIMLIB_COMPRESSION_TYPE_XPRESS;
	int result;

	u->source = source;
	result = plan(u, err);
	if (result == 0 && u->chunks) {
		u->window = xmalloc(WINDOW);
		if (wimlib_create_decompressor(type, u->chunk_size, &u->decompressor) !=
		    0)
			result = error_set(err, ERROR_FAILED, source->path,
					   "wimlib has no decompressor for it");
	}
	if (result == 0)
		result = unpack_all(u, sink, arg, err);
	wimlib_free_decompressor(u->decompressor);
	free(u->window);
	free(u);
	return result;
}
