/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing resources. The contents of many files are cut into chunks and compressed in
 * batches that span files, so that small files keep all processors busy too. The bytes
 * written depend on the content alone.
 */
#include <pthread.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "tree/wim.h"

#define MAX_THREADS 8
/* Uncompressed bytes of a batch, and what all compressors may use together. */
#define BATCH_SIZE (4u * 1024 * 1024)
#define COMPRESSOR_MEMORY (96u * 1024 * 1024)
#define COPY_SIZE (256 * 1024)

/* ---- sources
 * ---------------------------------------------------------------------------- */

struct reader {
	const struct wim_source *source;
	struct overlay_reader overlay;
	uint64_t at;
};

static int reader_open(struct reader *r, const struct wim_source *source,
		       struct error *err)
{
	*r = (struct reader){.source = source, .overlay.fd = -1};
	return source->node ? overlay_open(source->node, &r->overlay, err) : 0;
}

static void reader_close(struct reader *r)
{
	if (r->source && r->source->node)
		overlay_close(&r->overlay);
	r->source = NULL;
}

static ssize_t reader_read(struct reader *r, uint8_t *to, size_t len, struct error *err)
{
	uint64_t left = r->source->size - r->at;

	if (r->source->node)
		return overlay_read(&r->overlay, to, len, err);
	if (len > left)
		len = (size_t)left;
	memcpy(to, r->source->bytes.data + r->at, len);
	r->at += len;
	return (ssize_t)len;
}

int wim_source_hash(const struct wim_source *source, uint8_t hash[WIM_HASH_SIZE],
		    struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(COPY_SIZE);
	struct hash_stream *stream;
	struct reader r;
	ssize_t n;

	if (reader_open(&r, source, err) < 0)
		return -1;
	stream = hash_sha1_begin();
	while ((n = reader_read(&r, chunk, COPY_SIZE, err)) > 0)
		hash_stream_add(stream, chunk, (size_t)n);
	hash_sha1_end(stream, hash);
	reader_close(&r);
	return n < 0 ? -1 : 0;
}

/* ---- compressors
 * ------------------------------------------------------------------------ */

/* One chunk of a batch. */
struct slot {
	size_t item;
	uint64_t chunk;
	uint8_t *in, *out;
	size_t len, packed; /* packed 0: store as it is */
};

struct packer {
	int fd;
	const char *path;
	uint64_t *at;
	struct wim_packing *items;
	size_t count;
	int type;
	uint32_t chunk_size;
	struct slot *slots;
	size_t slot_count, used;
	struct wimlib_compressor *compressors[MAX_THREADS];
	size_t threads;
	/* Reading: the item and its chunk that come next. */
	size_t item;
	uint64_t chunk;
	struct reader reader;
	/* Writing: the current item's start and table. */
	uint64_t start;
	uint8_t *table;
	uint64_t total, done;
};

struct worker {
	struct packer *packer;
	size_t number;
	pthread_t thread;
};

/* Takes every n-th chunk of the batch. */
static void *compress_slots(void *arg)
{
	const struct worker *w = arg;
	struct packer *p = w->packer;

	for (size_t i = w->number; i < p->used; i += p->threads) {
		struct slot *s = &p->slots[i];

		/* Only what is smaller is kept: a chunk of full size means "stored". */
		s->packed = wimlib_compress(s->in, s->len, s->out, s->len - 1,
					    p->compressors[w->number]);
	}
	return NULL;
}

static void compress_batch(struct packer *p)
{
	struct worker workers[MAX_THREADS] = {0};
	size_t started = 1;

	for (size_t i = 0; i < p->threads; i++)
		workers[i] = (struct worker){.packer = p, .number = i};
	while (started < p->threads && started < p->used &&
	       pthread_create(&workers[started].thread, NULL, compress_slots,
			      &workers[started]) == 0)
		started++;
	compress_slots(&workers[0]);
	for (size_t i = 1; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	for (size_t i = started; i < p->threads; i++)
		compress_slots(&workers[i]);
}

static int packer_init(struct packer *p, struct error *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t memory = wimlib_get_compressor_needed_memory(
		(enum wimlib_compression_type)p->type, p->chunk_size, 0);

	p->threads = processors < 1 ? 1 : (size_t)processors;
	if (p->threads > MAX_THREADS)
		p->threads = MAX_THREADS;
	while (p->threads > 1 && p->threads * memory > COMPRESSOR_MEMORY)
		p->threads--;
	p->slot_count = BATCH_SIZE / p->chunk_size;
	if (p->slot_count < p->threads)
		p->slot_count = p->threads;
	p->slots = xcalloc(p->slot_count, sizeof(*p->slots));
	for (size_t i = 0; i < p->threads; i++) {
		int code = wimlib_create_compressor((enum wimlib_compression_type)p->type,
						    p->chunk_size, 0, &p->compressors[i]);

		if (code == 0)
			continue;
		p->compressors[i] = NULL;
		error_set(err, ERROR_FAILED, p->path, "cannot be compressed: %s",
			  wimlib_get_error_string((enum wimlib_error_code)code));
		return error_remedy(err, "write a new WIM with wimlib-imagex export "
					 "--compress=LZX first");
	}
	return 0;
}

static void packer_free(struct packer *p)
{
	reader_close(&p->reader);
	for (size_t i = 0; i < p->threads; i++)
		wimlib_free_compressor(p->compressors[i]);
	for (size_t i = 0; p->slots && i < p->slot_count; i++) {
		free(p->slots[i].in);
		free(p->slots[i].out);
	}
	free(p->slots);
	free(p->table);
}

/* ---- a batch
 * ---------------------------------------------------------------------------- */

static uint64_t chunks_of(const struct packer *p, const struct wim_source *source)
{
	return source->size / p->chunk_size + (source->size % p->chunk_size != 0);
}

static unsigned entry_size(const struct wim_source *source)
{
	return source->size > UINT32_MAX ? 8 : 4;
}

static uint64_t table_size(const struct packer *p, const struct wim_source *source)
{
	return (chunks_of(p, source) - 1) * entry_size(source);
}

/* Fills the batch with the next chunks of the sources. */
static int fill_batch(struct packer *p, struct error *err)
{
	p->used = 0;
	while (p->used < p->slot_count && p->item < p->count) {
		const struct wim_source *source = &p->items[p->item].source;
		struct slot *s = &p->slots[p->used];
		ssize_t n;

		if (p->chunk == 0 && reader_open(&p->reader, source, err) < 0)
			return -1;
		if (!s->in) {
			s->in = xmalloc(p->chunk_size);
			s->out = xmalloc(p->chunk_size);
		}
		n = reader_read(&p->reader, s->in, p->chunk_size, err);
		if (n < 0)
			return -1;
		s->len = (size_t)n;
		s->item = p->item;
		s->chunk = p->chunk;
		p->used++;
		if (++p->chunk == chunks_of(p, source)) {
			reader_close(&p->reader);
			p->chunk = 0;
			p->item++;
		}
	}
	return 0;
}

/* Content that does not get smaller is stored as it is, from the item's start on. */
static int store_plain(struct packer *p, struct wim_packing *item, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(COPY_SIZE);
	uint64_t at = *p->at;
	struct reader r;
	ssize_t n;

	if (reader_open(&r, &item->source, err) < 0)
		return -1;
	while ((n = reader_read(&r, chunk, COPY_SIZE, err)) > 0) {
		if (interrupted()) {
			n = error_interrupted(err);
			break;
		}
		if (file_write_at(p->fd, chunk, (size_t)n, at, p->path, err) < 0) {
			n = -1;
			break;
		}
		at += (uint64_t)n;
	}
	reader_close(&r);
	if (n < 0)
		return -1;
	item->resource = (struct wim_resource){.offset = *p->at,
					       .size = item->source.size,
					       .full_size = item->source.size,
					       .flags = item->flags};
	*p->at = at;
	return 0;
}

static int finish_item(struct packer *p, struct wim_packing *item, struct error *err)
{
	uint64_t table = table_size(p, &item->source);

	if (*p->at - p->start >= item->source.size) {
		*p->at = p->start;
		return store_plain(p, item, err);
	}
	if (file_write_at(p->fd, p->table, (size_t)table, p->start, p->path, err) < 0)
		return -1;
	item->resource = (struct wim_resource){
		.offset = p->start,
		.size = *p->at - p->start,
		.full_size = item->source.size,
		.flags = (uint8_t)(item->flags | WIM_RESOURCE_COMPRESSED)};
	return 0;
}

static int write_slot(struct packer *p, const struct slot *s, struct error *err)
{
	struct wim_packing *item = &p->items[s->item];
	uint64_t table = table_size(p, &item->source), offset;
	struct bytes data = {s->packed ? s->out : s->in, s->packed ? s->packed : s->len};

	if (s->chunk == 0) {
		p->start = *p->at;
		free(p->table);
		p->table = xmalloc((size_t)table + 1);
		*p->at += table;
	} else {
		offset = *p->at - p->start - table;
		if (entry_size(&item->source) == 8)
			put_le64(p->table + (s->chunk - 1) * 8, offset);
		else
			put_le32(p->table + (s->chunk - 1) * 4, (uint32_t)offset);
	}
	if (file_write_at(p->fd, data.data, data.len, *p->at, p->path, err) < 0)
		return -1;
	*p->at += data.len;
	p->done += s->len;
	if (s->chunk + 1 < chunks_of(p, &item->source))
		return 0;
	return finish_item(p, item, err);
}

static int pack_compressed(struct packer *p, struct error *err)
{
	if (packer_init(p, err) < 0)
		return -1;
	do {
		if (interrupted())
			return error_interrupted(err);
		if (fill_batch(p, err) < 0)
			return -1;
		compress_batch(p);
		for (size_t i = 0; i < p->used; i++)
			if (write_slot(p, &p->slots[i], err) < 0)
				return -1;
		progress_report("writing the WIM", p->done, p->total);
	} while (p->item < p->count);
	return 0;
}

int wim_pack(int fd, const char *path, const struct wim_header *header, uint64_t *at,
	     struct wim_packing *items, size_t count, struct error *err)
{
	struct packer p = {.fd = fd,
			   .path = path,
			   .at = at,
			   .items = items,
			   .count = count,
			   .type = wim_compression(header),
			   .chunk_size = header->chunk_size};
	int result = 0;

	for (size_t i = 0; i < count; i++)
		p.total += items[i].source.size;
	if (p.type == WIMLIB_COMPRESSION_TYPE_NONE) {
		for (size_t i = 0; i < count && result == 0; i++)
			result = store_plain(&p, &items[i], err);
	} else if (count) {
		result = pack_compressed(&p, err);
	}
	packer_free(&p);
	return result;
}
