/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Contents of a WIM, decoded on all processors. The list of blobs is cut into tasks: some
 * small blobs, a piece of a large one, or one chunk of a solid resource with all blobs in
 * it. Tasks lie in a ring; threads decode them in any order, the caller hands them over
 * in theirs, and decodes one itself while the next is not ready.
 */
#include "tree/files_wim.h"

#include <pthread.h>
#include <wimlib.h>

#include "base/hash.h"

/* Content bytes of a task, unless a chunk is larger. */
#define TASK_SIZE (1024u * 1024)
#define TASK_PIECES 128 /* but for solid chunks, which must not be decoded twice */
/* All tasks of the ring. Solid chunks are up to 64 MiB each: see ring_length(). */
#define RING_BYTES (40u * 1024 * 1024)
#define RING_MAX 32
/* WIM resources larger than this are not handed over raw. */
#define MAX_RAW (64u * 1024 * 1024)
/* What cannot be compressed more by any method of a WIM. */
#define MAX_RATIO 2048

/* A part of a blob: [skip, skip + len) of the task's data. */
struct piece {
	uint32_t blob;
	size_t skip, len;
	bool first, last;
	uint8_t sha1[20]; /* of a piece that is a whole blob */
};

enum task_state { TASK_FREE, TASK_READY, TASK_RUNNING, TASK_DONE };

struct task {
	enum task_state state;
	struct vec_of(struct piece) pieces;
	/* Pieces that are no solid ones: offset in their blob of the first piece. */
	uint64_t offset;
	bool solid;
	uint64_t chunk, chunk_base; /* solid: its number, and the resource's table */
	uint8_t *data;
	size_t len, room;
	int result;
	struct error err;
};

struct reading {
	struct files_wim *source;
	const uint32_t *blobs;
	size_t count;
	size_t next;	      /* of `blobs`: what the next task begins with */
	uint64_t next_offset; /* in it */
	struct task ring[RING_MAX];
	size_t ring_len, head, tail; /* tasks [head, tail), modulo ring_len */
	size_t claim;		     /* the first task that may still be unclaimed */
	pthread_mutex_t lock;
	pthread_cond_t ready, done;
	bool stop;
	pthread_t threads[FILES_MAX_THREADS];
	unsigned thread_count;
	/* For making tasks: the solid resource that was looked at last. */
	struct wim_chunks *chunks;
	struct hash_stream *hash; /* of the blob that is handed over in pieces */
};

/* What each thread has. */
struct decoder {
	struct wim_chunks chunks;
	struct wim_decompressor decompressor;
	uint8_t *packed;
	size_t packed_room;
};

static const struct wim_blob *blob_at(const struct reading *r, uint32_t blob)
{
	return &r->source->wim->blobs.items[r->source->files.blobs.items[blob].private];
}

static const struct wim_part *part_of(const struct reading *r,
				      const struct wim_blob *blob)
{
	return &r->source->wim->parts.items[blob->file];
}

static int damaged(const struct wim_part *part, const char *why, struct error *err)
{
	error_set(err, ERROR_FAILED, part->path, "a content is damaged: %s", why);
	return error_remedy(err, "copy the WIM again from where it came from");
}

/* The path of a file with this content, or NULL. The caller's. */
static char *path_of(const struct files *files, uint32_t blob)
{
	for (size_t e = 0; e < files->entries.len; e++) {
		const struct files_inode *inode =
			&files->inodes.items[files->entries.items[e].inode];

		for (uint32_t s = 0; s < inode->stream_count; s++)
			if (inode->streams[s].blob == blob)
				return files_path(files, e);
	}
	return NULL;
}

/* Says in the error which file has the content that is damaged. Returns -1. */
static int in_file(const struct reading *r, uint32_t blob, struct error *err)
{
	_cleanup_free_ char *path = path_of(&r->source->files, blob);

	if (!path || !err || !err->code)
		return -1;
	free(err->subject);
	err->subject = NULL;
	return error_wrap(err, part_of(r, blob_at(r, blob))->path, "%s", path);
}

/* ---- decoding
 * ----------------------------------------------------------------------- */

static void task_room(struct task *t, size_t len)
{
	if (len <= t->room)
		return;
	free(t->data);
	t->data = xmalloc(len);
	t->room = len;
}

static uint8_t *packed_room(struct decoder *d, size_t len)
{
	if (len > d->packed_room) {
		free(d->packed);
		d->packed = xmalloc(len);
		d->packed_room = len;
	}
	return d->packed;
}

/* A chunk size that lies must not cost more memory than what the file could hold. */
static int check_sizes(const struct wim_chunks *c, struct error *err)
{
	if (wim_chunk_full_size(c, 0) / MAX_RATIO > c->data_size)
		return damaged(c->part, "its sizes do not fit together", err);
	return 0;
}

/* Whole chunks from offset `at` of the resource on, `len` bytes of content. */
static int decode_chunks(struct decoder *d, uint64_t at, uint8_t *to, size_t len,
			 struct error *err)
{
	struct wim_chunks *c = &d->chunks;
	uint8_t *packed = packed_room(d, wim_chunk_full_size(c, 0));

	for (uint64_t i = at / c->chunk_size; len; i++) {
		size_t n = wim_chunk_full_size(c, i);

		if (n > len)
			return damaged(c->part, "its sizes do not fit together", err);
		if (wim_chunk_read(c, &d->decompressor, i, to, packed, "a content", err) <
		    0)
			return -1;
		to += n;
		len -= n;
	}
	return 0;
}

static int decode_piece(struct reading *r, struct decoder *d, struct task *t,
			const struct piece *p, uint64_t offset, struct error *err)
{
	const struct wim_blob *blob = blob_at(r, p->blob);
	const struct wim_part *part = part_of(r, blob);

	if (!p->len)
		return 0;
	if (!(blob->resource.flags & WIM_RESOURCE_COMPRESSED))
		return wim_pread(part, blob->resource.offset + offset, t->data + p->skip,
				 p->len, err);
	if (wim_chunks_init(&d->chunks, part, &blob->resource, "a content", err) < 0 ||
	    check_sizes(&d->chunks, err) < 0)
		return -1;
	return decode_chunks(d, offset, t->data + p->skip, p->len, err);
}

static int decode_solid(struct reading *r, struct decoder *d, struct task *t,
			struct error *err)
{
	const struct wim_blob *blob = blob_at(r, t->pieces.items[0].blob);
	uint64_t at = blob->resource.offset;
	struct wim_chunks *c = &d->chunks;

	if (wim_chunks_init_solid(c, r->source->wim, blob, &at, err) < 0 ||
	    check_sizes(c, err) < 0)
		return -1;
	t->len = wim_chunk_full_size(c, t->chunk);
	task_room(t, t->len);
	return decode_chunks(d, t->chunk * c->chunk_size, t->data, t->len, err);
}

static int decode(struct reading *r, struct decoder *d, struct task *t, struct error *err)
{
	if (t->solid) {
		if (decode_solid(r, d, t, err) < 0)
			return in_file(r, t->pieces.items[0].blob, err);
	} else {
		for (size_t i = 0; i < t->pieces.len; i++) {
			const struct wim_blob *blob = blob_at(r, t->pieces.items[i].blob);

			if (t->pieces.items[i].len / MAX_RATIO > blob->resource.size)
				return damaged(part_of(r, blob),
					       "its sizes do not fit together", err);
		}
		task_room(t, t->len);
		for (size_t i = 0; i < t->pieces.len; i++)
			if (decode_piece(r, d, t, &t->pieces.items[i], i ? 0 : t->offset,
					 err) < 0)
				return in_file(r, t->pieces.items[i].blob, err);
	}
	for (size_t i = 0; i < t->pieces.len; i++) {
		struct piece *p = &t->pieces.items[i];

		if (p->skip > t->len || p->len > t->len - p->skip)
			return damaged(part_of(r, blob_at(r, p->blob)),
				       "its sizes do not fit together", err);
		if (p->first && p->last)
			hash_sha1((struct bytes){t->data + p->skip, p->len}, p->sha1);
	}
	return 0;
}

static void decoder_free(struct decoder *d)
{
	wim_decompressor_free(&d->decompressor);
	free(d->packed);
	free(d);
}

/* The next task that nobody decodes, or NULL. The lock is held. */
static struct task *claim(struct reading *r)
{
	for (; r->claim < r->tail; r->claim++) {
		struct task *t = &r->ring[r->claim % r->ring_len];

		if (t->state != TASK_READY)
			continue;
		t->state = TASK_RUNNING;
		r->claim++;
		return t;
	}
	return NULL;
}

/* Decodes without the lock, which is held before and after. */
static void run(struct reading *r, struct decoder *d, struct task *t)
{
	pthread_mutex_unlock(&r->lock);
	t->result = decode(r, d, t, &t->err);
	pthread_mutex_lock(&r->lock);
	t->state = TASK_DONE;
	pthread_cond_signal(&r->done);
}

static void *decode_thread(void *arg)
{
	struct reading *r = arg;
	struct decoder *d = xcalloc(1, sizeof(*d));

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		struct task *t = claim(r);

		if (t)
			run(r, d, t);
		else
			pthread_cond_wait(&r->ready, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	decoder_free(d);
	return NULL;
}

/* ---- cutting into tasks
 * ------------------------------------------------------------- */

static bool is_solid(const struct reading *r, size_t i)
{
	return blob_at(r, r->blobs[i])->run != UINT32_MAX;
}

/* The rest of a blob as far as it fits into a task: whole chunks, unless it is the end.
 */
static size_t piece_len(const struct reading *r, size_t used)
{
	const struct wim_blob *blob = blob_at(r, r->blobs[r->next]);
	uint64_t left = wim_blob_size(blob) - r->next_offset;
	uint32_t chunk = part_of(r, blob)->header.chunk_size;
	size_t most = TASK_SIZE;

	if (used)
		return left <= TASK_SIZE - used ? (size_t)left : 0;
	if (blob->resource.flags & WIM_RESOURCE_COMPRESSED && chunk > most)
		most = chunk;
	return left < most ? (size_t)left : most;
}

static struct piece *add_piece(struct reading *r, struct task *t, size_t skip, size_t len)
{
	uint64_t size = wim_blob_size(blob_at(r, r->blobs[r->next]));
	struct piece *p;

	vec_push(&t->pieces, (struct piece){.blob = r->blobs[r->next],
					    .skip = skip,
					    .len = len,
					    .first = r->next_offset == 0,
					    .last = r->next_offset + len == size});
	p = &t->pieces.items[t->pieces.len - 1];
	r->next_offset += len;
	if (p->last) {
		r->next++;
		r->next_offset = 0;
	}
	return p;
}

static void cut_plain(struct reading *r, struct task *t)
{
	t->offset = r->next_offset;
	while (r->next < r->count && t->pieces.len < TASK_PIECES &&
	       !is_solid(r, r->next)) {
		size_t len = piece_len(r, t->len);

		if (t->pieces.len && (!len || !t->pieces.items[t->pieces.len - 1].last))
			break;
		add_piece(r, t, t->len, len);
		t->len += len;
	}
}

/* One chunk, and what the next blobs of the list have in it. */
static int cut_solid(struct reading *r, struct task *t, struct error *err)
{
	struct wim_chunks *c = r->chunks;

	t->solid = true;
	while (r->next < r->count && is_solid(r, r->next)) {
		const struct wim_blob *blob = blob_at(r, r->blobs[r->next]);
		uint64_t at = blob->resource.offset, left, chunk;
		size_t skip, len;

		if (wim_chunks_init_solid(c, r->source->wim, blob, &at, err) < 0)
			return -1;
		at += r->next_offset;
		chunk = at / c->chunk_size;
		if (t->pieces.len && (chunk != t->chunk || c->table != t->chunk_base))
			break;
		t->chunk = chunk;
		t->chunk_base = c->table;
		skip = (size_t)(at % c->chunk_size);
		left = wim_blob_size(blob) - r->next_offset;
		len = wim_chunk_full_size(c, chunk) - skip;
		if (len > left)
			len = (size_t)left;
		if (!add_piece(r, t, skip, len)->last)
			break;
	}
	return 0;
}

/* Fills the ring. The lock is held. */
static int cut_tasks(struct reading *r, struct error *err)
{
	while (r->tail - r->head < r->ring_len && r->next < r->count) {
		struct task *t = &r->ring[r->tail % r->ring_len];

		t->pieces.len = t->len = 0;
		t->solid = false;
		t->result = 0;
		if (!is_solid(r, r->next))
			cut_plain(r, t);
		else if (cut_solid(r, t, err) < 0)
			return -1;
		t->state = TASK_READY;
		r->tail++;
		pthread_cond_signal(&r->ready);
	}
	return 0;
}

/* ---- handing over
 * ------------------------------------------------------------------- */

static int check_hash(struct reading *r, const struct piece *p, struct error *err)
{
	const struct files_blob *blob = &r->source->files.blobs.items[p->blob];
	uint8_t digest[20];

	memcpy(digest, p->sha1, sizeof(digest));
	if (r->hash)
		hash_sha1_end(steal_ptr(r->hash), digest);
	if (memcmp(digest, blob->sha1, sizeof(digest)) == 0)
		return 0;
	damaged(part_of(r, blob_at(r, p->blob)), "its SHA-1 does not match", err);
	return in_file(r, p->blob, err);
}

static int hand_over(struct reading *r, const struct task *t, const struct piece *p,
		     const struct files_sink *sink, struct error *err)
{
	struct bytes data = {t->data + p->skip, p->len};

	if (p->first && sink->begin && sink->begin(sink->arg, p->blob, err) < 0)
		return -1;
	if (p->first && !p->last)
		r->hash = hash_sha1_begin();
	if (r->hash)
		hash_stream_add(r->hash, data.data, data.len);
	if (data.len && sink->data(sink->arg, data, err) < 0)
		return -1;
	if (!p->last)
		return 0;
	if (check_hash(r, p, err) < 0)
		return -1;
	return sink->end ? sink->end(sink->arg, err) : 0;
}

static int hand_over_task(struct reading *r, struct task *t,
			  const struct files_sink *sink, struct error *err)
{
	if (interrupted())
		return error_interrupted(err);
	if (t->result < 0)
		return error_move(err, &t->err);
	for (size_t i = 0; i < t->pieces.len; i++)
		if (hand_over(r, t, &t->pieces.items[i], sink, err) < 0)
			return -1;
	return 0;
}

/* The lock is held, but while a task is decoded or handed over. */
static int read_all(struct reading *r, struct decoder *d, const struct files_sink *sink,
		    struct error *err)
{
	for (;;) {
		struct task *t = &r->ring[r->head % r->ring_len], *other;
		int result;

		if (cut_tasks(r, err) < 0)
			return -1;
		if (r->head == r->tail)
			return 0;
		if (t->state != TASK_DONE) {
			other = claim(r);
			if (other)
				run(r, d, other);
			else
				pthread_cond_wait(&r->done, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		result = hand_over_task(r, t, sink, err);
		pthread_mutex_lock(&r->lock);
		if (result < 0)
			return -1;
		t->state = TASK_FREE;
		r->head++;
	}
}

/* As many tasks as fit, at least one for each thread and one that is handed over. */
static size_t ring_length(const struct reading *r, unsigned threads)
{
	size_t most = RING_BYTES / TASK_SIZE, need = threads + 1u;

	for (size_t i = 0; i < r->count; i++)
		if (is_solid(r, i))
			return threads > 2 ? 3 : need;
	if (most > RING_MAX)
		most = RING_MAX;
	return most < need ? need : most;
}

static void reading_free(struct reading *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->ready);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->thread_count; i++)
		pthread_join(r->threads[i], NULL);
	for (size_t i = 0; i < RING_MAX; i++) {
		free(r->ring[i].data);
		vec_free(&r->ring[i].pieces);
		error_clear(&r->ring[i].err);
	}
	if (r->hash) {
		uint8_t digest[20];

		hash_sha1_end(r->hash, digest);
	}
	free(r->chunks);
	pthread_cond_destroy(&r->ready);
	pthread_cond_destroy(&r->done);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int files_wim_read(struct files *files, const uint32_t *blobs, size_t count,
		   const struct files_sink *sink, struct error *err)
{
	struct reading *r = xcalloc(1, sizeof(*r));
	struct decoder *d = xcalloc(1, sizeof(*d));
	unsigned threads = files_threads();
	int result;

	r->source = (struct files_wim *)files;
	r->blobs = blobs;
	r->count = count;
	r->chunks = xmalloc(sizeof(*r->chunks));
	r->ring_len = ring_length(r, threads);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->ready, NULL);
	pthread_cond_init(&r->done, NULL);
	while (r->thread_count + 1 < threads && r->thread_count + 1 < count) {
		if (pthread_create(&r->threads[r->thread_count], NULL, decode_thread,
				   r) != 0)
			break;
		r->thread_count++;
	}
	pthread_mutex_lock(&r->lock);
	result = read_all(r, d, sink, err);
	pthread_mutex_unlock(&r->lock);
	reading_free(r);
	decoder_free(d);
	return result;
}

/* ---- raw
 * ------------------------------------------------------------------------------ */

/* Each chunk has its place behind the one before, and no more bytes than its content. */
static int check_table(struct wim_chunks *c, struct error *err)
{
	uint64_t at = 0, offset, size;

	for (uint64_t i = 0; i < c->count; i++) {
		if (wim_chunk_place(c, i, &offset, &size, err) < 0)
			return -1;
		if (offset != at || !size || size > wim_chunk_full_size(c, i) ||
		    size > c->data_size - at)
			return damaged(c->part, "its chunk table is invalid", err);
		at += size;
	}
	return 0;
}

int files_wim_raw(struct files *files, uint32_t blob, struct buffer *ret,
		  struct error *err)
{
	const struct wim *wim = ((struct files_wim *)files)->wim;
	const struct wim_blob *b = &wim->blobs.items[files->blobs.items[blob].private];
	const struct wim_part *part = &wim->parts.items[b->file];
	_cleanup_free_ struct wim_chunks *c = NULL;

	if (b->run != UINT32_MAX || !(b->resource.flags & WIM_RESOURCE_COMPRESSED) ||
	    wim_compression(&part->header) != WIMLIB_COMPRESSION_TYPE_LZX ||
	    part->header.chunk_size != 32768 || b->resource.size > MAX_RAW)
		return 0;
	c = xmalloc(sizeof(*c));
	if (wim_chunks_init(c, part, &b->resource, "a content", err) < 0 ||
	    check_table(c, err) < 0)
		return -1;
	ret->len = 0;
	if (wim_pread(part, b->resource.offset,
		      buffer_reserve(ret, (size_t)b->resource.size),
		      (size_t)b->resource.size, err) < 0)
		return -1;
	ret->len = (size_t)b->resource.size;
	return 1;
}
