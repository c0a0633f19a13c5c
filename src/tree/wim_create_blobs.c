/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Contents become resources of a new WIM in one pass: they are read once, hashed, cut
 * into chunks, compressed on all processors and written in their order.
 *
 * Chunks wait in a ring. Those of a small content are let go only when its hash is known
 * and new; a large one goes through as it comes, and if it proves to be a copy of another
 * at its end, the file is taken back to where it began. Content that does not get smaller
 * is stored as it is, as the format wants it. The bytes written depend on the contents
 * and their order alone.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/number_map.h"
#include "tree/wim_create.h"

#define WIM_CHUNK 32768u
#define PLAIN_CHUNK (256u * 1024)
#define MAX_THREADS FILES_MAX_THREADS
/* Bytes of the ring for each processor, and what a content may take of it at once. */
#define RING_PER_THREAD (4u * 1024 * 1024)
#define MAX_RING (32u * 1024 * 1024)
#define SMALL (1024u * 1024)

/* A content on its way. */
struct item {
	uint32_t number;
	uint64_t size;
	uint8_t flags;
	bool small, copy;
	uint64_t start; /* large ones: where it begins, and its table */
	uint8_t *table;
};

struct slot {
	struct item *item;
	uint64_t chunk; /* of the item */
	uint8_t *in, *out;
	size_t len, packed; /* packed 0: stored as it is */
	bool done;
};

struct wim_writer {
	int fd;
	const char *path;
	uint64_t at;
	enum wimlib_compression_type type;
	uint32_t chunk_size;
	struct wimlib_decompressor *decompressor;
	/* The ring: [tail, taken) is with the threads or done, [taken, ready) waits for
	 * them, [ready, head) is held back. Counted, not wrapped. */
	struct slot *slots;
	uint64_t size, tail, taken, ready, head;
	pthread_mutex_t lock;
	pthread_cond_t work, progress;
	bool stop;
	struct wimlib_compressor *compressors[MAX_THREADS];
	pthread_t threads[MAX_THREADS];
	size_t compressor_count, thread_count;
	/* The content that comes in. */
	struct item *item;
	uint64_t received;
	struct hash_stream *hash;
	/* What is known. */
	struct wim_stored_list stored;
	struct number_map by_hash;
	uint8_t *assembly; /* a whole small resource */
};

static struct slot *slot_at(const struct wim_writer *w, uint64_t i)
{
	return &w->slots[i % w->size];
}

/* ---- the threads
 * ------------------------------------------------------------------------------- */

struct thread_argument {
	struct wim_writer *writer;
	struct wimlib_compressor *compressor;
};

static void *compress_chunks(void *argument)
{
	struct thread_argument a = *(struct thread_argument *)argument;
	struct wim_writer *w = a.writer;

	free(argument);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct slot *s;

		while (!w->stop && w->taken == w->ready)
			pthread_cond_wait(&w->work, &w->lock);
		if (w->stop)
			break;
		s = slot_at(w, w->taken++);
		pthread_mutex_unlock(&w->lock);
		/* Only what is smaller is kept: a chunk of full size means "stored". */
		s->packed =
			wimlib_compress(s->in, s->len, s->out, s->len - 1, a.compressor);
		pthread_mutex_lock(&w->lock);
		s->done = true;
		pthread_cond_signal(&w->progress);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int start_threads(struct wim_writer *w, unsigned level, struct error *err)
{
	size_t count = files_threads();

	for (; w->compressor_count < count; w->compressor_count++) {
		int code = wimlib_create_compressor(w->type, w->chunk_size, level,
						    &w->compressors[w->compressor_count]);

		if (code)
			return error_set(
				err, ERROR_FAILED, w->path, "cannot be compressed: %s",
				wimlib_get_error_string((enum wimlib_error_code)code));
	}
	if (wimlib_create_decompressor(w->type, w->chunk_size, &w->decompressor) != 0)
		return error_set(err, ERROR_FAILED, w->path,
				 "wimlib has no decompressor for it");
	for (; w->thread_count < count; w->thread_count++) {
		struct thread_argument *a = xmalloc(sizeof(*a));

		*a = (struct thread_argument){w, w->compressors[w->thread_count]};
		errno = pthread_create(&w->threads[w->thread_count], NULL,
				       compress_chunks, a);
		if (errno == 0)
			continue;
		free(a);
		if (!w->thread_count)
			return error_errno(err, w->path, "cannot start a thread");
		break;
	}
	return 0;
}

struct wim_writer *wim_writer_new(int fd, const char *path, uint64_t at, int type,
				  unsigned level, struct error *err)
{
	struct wim_writer *w = xcalloc(1, sizeof(*w));
	bool plain = type == WIMLIB_COMPRESSION_TYPE_NONE;

	w->fd = fd;
	w->path = path;
	w->at = at;
	w->type = (enum wimlib_compression_type)type;
	w->chunk_size = plain ? PLAIN_CHUNK : WIM_CHUNK;
	w->size = RING_PER_THREAD / w->chunk_size * files_threads();
	if (w->size > MAX_RING / w->chunk_size)
		w->size = MAX_RING / w->chunk_size;
	w->slots = xcalloc(w->size, sizeof(*w->slots));
	w->assembly = xmalloc(SMALL + SMALL / w->chunk_size * 4);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->progress, NULL);
	if (!plain && start_threads(w, level, err) < 0) {
		wim_writer_free(w);
		return NULL;
	}
	return w;
}

static void free_item(struct item *item)
{
	if (item)
		free(item->table);
	free(item);
}

void wim_writer_free(struct wim_writer *w)
{
	uint8_t unused[WIM_HASH_SIZE];

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < w->thread_count; i++)
		pthread_join(w->threads[i], NULL);
	for (size_t i = 0; i < w->compressor_count; i++)
		wimlib_free_compressor(w->compressors[i]);
	wimlib_free_decompressor(w->decompressor);
	/* An item goes with its last slot; the one that comes in has none yet, or some.
	 */
	for (uint64_t i = w->tail; i < w->head; i++) {
		struct item *item = slot_at(w, i)->item;

		if (item != w->item &&
		    (i + 1 == w->head || slot_at(w, i + 1)->item != item))
			free_item(item);
	}
	free_item(w->item);
	if (w->hash)
		hash_sha1_end(w->hash, unused);
	for (uint64_t i = 0; i < w->size; i++) {
		free(w->slots[i].in);
		free(w->slots[i].out);
	}
	free(w->slots);
	free(w->assembly);
	vec_free(&w->stored);
	number_map_free(&w->by_hash);
	pthread_cond_destroy(&w->progress);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void wim_writer_freep(struct wim_writer **writer)
{
	wim_writer_free(*writer);
	*writer = NULL;
}

/* ---- writing
 * ----------------------------------------------------------------------------------- */

static uint64_t chunks_of(const struct wim_writer *w, const struct item *item)
{
	return item->size / w->chunk_size + (item->size % w->chunk_size != 0);
}

static unsigned entry_size(const struct item *item)
{
	return item->size > UINT32_MAX ? 8 : 4;
}

/* Of where the chunks begin, but for the first. Nothing compressed: no table. */
static uint64_t table_size(const struct wim_writer *w, const struct item *item)
{
	return w->thread_count ? (chunks_of(w, item) - 1) * entry_size(item) : 0;
}

static struct bytes slot_bytes(const struct slot *s)
{
	return (struct bytes){s->packed ? s->out : s->in, s->packed ? s->packed : s->len};
}

static int put(struct wim_writer *w, struct bytes data, struct error *err)
{
	if (file_write_at(w->fd, data.data, data.len, w->at, w->path, err) < 0)
		return -1;
	w->at += data.len;
	return 0;
}

/* A small content whose chunks are all done: table and chunks, or as it was. */
static int write_small(struct wim_writer *w, const struct item *item, struct error *err)
{
	uint64_t chunks = chunks_of(w, item), table = table_size(w, item), len = table;
	struct wim_resource *r = &w->stored.items[item->number].resource;
	bool plain;

	for (uint64_t i = 0; i < chunks; i++)
		len += slot_bytes(slot_at(w, w->tail + i)).len;
	plain = len >= item->size;
	len = plain ? 0 : table;
	for (uint64_t i = 0; i < chunks; i++) {
		const struct slot *s = slot_at(w, w->tail + i);
		struct bytes data = plain ? (struct bytes){s->in, s->len} : slot_bytes(s);

		if (!plain && i)
			put_le32(w->assembly + (i - 1) * 4, (uint32_t)(len - table));
		memcpy(w->assembly + len, data.data, data.len);
		len += data.len;
	}
	*r = (struct wim_resource){
		.offset = w->at,
		.size = len,
		.full_size = item->size,
		.flags = (uint8_t)(item->flags | (plain ? 0 : WIM_RESOURCE_COMPRESSED))};
	return put(w, (struct bytes){w->assembly, (size_t)len}, err);
}

static uint64_t table_entry(const struct item *item, uint64_t chunk)
{
	const uint8_t *entry = item->table + (chunk - 1) * entry_size(item);

	return entry_size(item) == 8 ? get_le64(entry) : get_le32(entry);
}

static int read_back(const struct wim_writer *w, uint64_t at, uint8_t *to, size_t len,
		     struct error *err)
{
	if (file_read_at(w->fd, to, len, at, w->path, NULL) < 0)
		return error_errno(err, w->path, "cannot read what was written");
	return 0;
}

/*
 * A large content that did not get smaller: its chunks, nearly all of which are stored as
 * they were, move to the front over the table. What was saved before a chunk is less than
 * the table, so none is written over before it is read.
 */
static int unpack_in_place(struct wim_writer *w, const struct item *item,
			   struct error *err)
{
	_cleanup_free_ uint8_t *packed = xmalloc(w->chunk_size);
	_cleanup_free_ uint8_t *content = xmalloc(w->chunk_size);
	uint64_t from = item->start + table_size(w, item), end = w->at, to = item->start;
	uint64_t chunks = chunks_of(w, item);

	for (uint64_t i = 0; i < chunks; i++) {
		uint64_t begin = from + (i ? table_entry(item, i) : 0);
		uint64_t next = i + 1 < chunks ? from + table_entry(item, i + 1) : end;
		uint64_t left = item->size - i * w->chunk_size;
		size_t len = (size_t)(next - begin);
		size_t want = left < w->chunk_size ? (size_t)left : w->chunk_size;

		if (read_back(w, begin, packed, len, err) < 0)
			return -1;
		if (len < want &&
		    wimlib_decompress(packed, len, content, want, w->decompressor) != 0)
			return error_set(err, ERROR_FAILED, w->path,
					 "cannot read what was written");
		if (file_write_at(w->fd, len < want ? content : packed, want, to, w->path,
				  err) < 0)
			return -1;
		to += want;
	}
	w->at = to;
	return 0;
}

static int finish_large(struct wim_writer *w, const struct item *item, struct error *err)
{
	struct wim_resource r = {
		.offset = item->start, .full_size = item->size, .flags = item->flags};
	uint64_t table = table_size(w, item);

	if (item->copy) {
		w->at = item->start;
		return 0;
	}
	if (table && w->at - item->start >= item->size) {
		if (unpack_in_place(w, item, err) < 0)
			return -1;
	} else if (table) {
		if (file_write_at(w->fd, item->table, (size_t)table, item->start, w->path,
				  err) < 0)
			return -1;
		r.flags |= WIM_RESOURCE_COMPRESSED;
	}
	r.size = w->at - item->start;
	w->stored.items[item->number].resource = r;
	return 0;
}

/* The next chunk of a large content. */
static int write_large(struct wim_writer *w, const struct slot *s, struct error *err)
{
	struct item *item = s->item;
	uint64_t table = table_size(w, item), offset;

	if (s->chunk == 0) {
		item->start = w->at;
		item->table = xmalloc((size_t)table + 1);
		w->at += table;
	} else if (table) {
		uint8_t *entry = item->table + (s->chunk - 1) * entry_size(item);

		offset = w->at - item->start - table;
		if (entry_size(item) == 8)
			put_le64(entry, offset);
		else
			put_le32(entry, (uint32_t)offset);
	}
	if (put(w, slot_bytes(s), err) < 0)
		return -1;
	return s->chunk + 1 == chunks_of(w, item) ? finish_large(w, item, err) : 0;
}

static void wait_until_done(struct wim_writer *w, uint64_t slot)
{
	if (!w->thread_count)
		return;
	pthread_mutex_lock(&w->lock);
	while (!slot_at(w, slot)->done)
		pthread_cond_wait(&w->progress, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

/* Writes what is at the tail of the ring: all of a small content, or a chunk. */
static int retire(struct wim_writer *w, struct error *err)
{
	struct item *item = slot_at(w, w->tail)->item;
	uint64_t count = item->small ? chunks_of(w, item) : 1;
	bool last = item->small || slot_at(w, w->tail)->chunk + 1 == chunks_of(w, item);
	int result;

	for (uint64_t i = 0; i < count; i++)
		wait_until_done(w, w->tail + i);
	result = item->small ? write_small(w, item, err)
			     : write_large(w, slot_at(w, w->tail), err);
	if (result < 0)
		return -1;
	w->tail += count;
	if (last)
		free_item(item);
	return 0;
}

/* ---- contents come in
 * -------------------------------------------------------------------------- */

static void let_go(struct wim_writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (!w->thread_count)
		w->taken = w->head;
	w->ready = w->head;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
}

static struct slot *new_slot(struct wim_writer *w, struct error *err)
{
	struct slot *s;

	while (w->head - w->tail == w->size)
		if (retire(w, err) < 0)
			return NULL;
	s = slot_at(w, w->head);
	if (!s->in) {
		s->in = xmalloc(w->chunk_size);
		s->out = w->thread_count ? xmalloc(w->chunk_size) : NULL;
	}
	s->item = w->item;
	s->chunk = w->received / w->chunk_size;
	s->len = s->packed = 0;
	s->done = false;
	w->head++;
	return s;
}

int wim_writer_begin(struct wim_writer *w, uint64_t size, uint8_t flags,
		     struct error *err _unused_)
{
	w->item = xcalloc(1, sizeof(*w->item));
	w->item->size = size;
	w->item->flags = flags;
	w->item->small = size <= SMALL;
	w->received = 0;
	w->hash = hash_sha1_begin();
	return 0;
}

int wim_writer_data(struct wim_writer *w, struct bytes data, struct error *err)
{
	if (data.len > w->item->size - w->received)
		return error_set(err, ERROR_FAILED, w->path,
				 "a content is longer than its %ju bytes",
				 (uintmax_t)w->item->size);
	hash_stream_add(w->hash, data.data, data.len);
	while (data.len) {
		size_t in_chunk = (size_t)(w->received % w->chunk_size), n;
		struct slot *s = in_chunk ? slot_at(w, w->head - 1) : new_slot(w, err);

		if (!s)
			return -1;
		n = w->chunk_size - in_chunk;
		if (n > data.len)
			n = data.len;
		memcpy(s->in + in_chunk, data.data, n);
		s->len += n;
		data.data += n;
		data.len -= n;
		w->received += n;
		if (!w->item->small &&
		    (s->len == w->chunk_size || w->received == w->item->size))
			let_go(w);
	}
	return 0;
}

/* The number of a content with this hash, or FILES_NONE and where to add it. */
static uint32_t find_stored(const struct wim_writer *w, const uint8_t *hash,
			    uint64_t *key)
{
	uint32_t *known;

	for (*key = get_le64(hash); (known = number_map_find(&w->by_hash, *key)); ++*key)
		if (memcmp(w->stored.items[*known].hash, hash, WIM_HASH_SIZE) == 0)
			return *known;
	return FILES_NONE;
}

int wim_writer_end(struct wim_writer *w, uint32_t *ret, struct error *err)
{
	struct item *item = w->item;
	struct wim_stored stored = {0};
	uint64_t key = 0;

	hash_sha1_end(w->hash, stored.hash);
	w->hash = NULL;
	if (w->received != item->size)
		return error_set(err, ERROR_FAILED, w->path,
				 "a content has %ju bytes, and %ju were expected",
				 (uintmax_t)w->received, (uintmax_t)item->size);
	w->item = NULL;
	*ret = item->flags & WIM_RESOURCE_METADATA ? FILES_NONE
						   : find_stored(w, stored.hash, &key);
	if (!item->size) {
		free_item(item);
		return 0;
	}
	item->copy = *ret != FILES_NONE;
	if (item->copy && item->small) {
		w->head -= chunks_of(w, item);
		free_item(item);
		return 0;
	}
	if (!item->copy) {
		*ret = item->number = (uint32_t)w->stored.len;
		vec_push(&w->stored, stored);
		if (!(item->flags & WIM_RESOURCE_METADATA))
			number_map_add(&w->by_hash, key, item->number);
	}
	if (item->small)
		let_go(w);
	return 0;
}

int wim_writer_finish(struct wim_writer *w, uint64_t *end, struct error *err)
{
	while (w->tail != w->head)
		if (retire(w, err) < 0)
			return -1;
	*end = w->at;
	return 0;
}

struct wim_stored_list *wim_writer_stored(struct wim_writer *w)
{
	return &w->stored;
}

uint32_t wim_writer_chunk_size(const struct wim_writer *w)
{
	return w->thread_count ? w->chunk_size : 0;
}
