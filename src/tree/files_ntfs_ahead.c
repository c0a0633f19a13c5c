/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files of Compact OS are decompressed ahead on the other processors. The caller's thread
 * alone reads the volume: it fetches the compressed bytes of the next files of the list,
 * threads decompress them in any order, and the caller takes them in the list's.
 */
#include "tree/files_ntfs_ahead.h"

#include <pthread.h>

/* Larger files are decompressed as they are handed over. */
#define MAX_CONTENT (8u * 1024 * 1024)
/* Files in hand, how far ahead in the list, and bytes of all of them. */
#define MAX_JOBS 64
#define MAX_DISTANCE 512
#define MAX_MEMORY (48u * 1024 * 1024)

enum state { QUEUED, RUNNING, DONE };

struct job {
	size_t position; /* in the list */
	struct wof_source source;
	uint8_t *packed;
	struct buffer content;
	char *path;
	enum state state;
	int result;
	struct error err;
};

struct files_ntfs_ahead {
	struct files_ntfs *f;
	const uint32_t *blobs;
	size_t count, next; /* the next blob of the list to look at */
	struct job jobs[MAX_JOBS];
	size_t head, tail, claimed; /* counted, not wrapped */
	size_t memory;
	pthread_mutex_t lock;
	pthread_cond_t ready, done;
	bool stop;
	pthread_t threads[FILES_MAX_THREADS];
	unsigned thread_count;
};

static struct job *job_at(struct files_ntfs_ahead *a, size_t i)
{
	return &a->jobs[i % MAX_JOBS];
}

/* ---- the threads
 * ------------------------------------------------------------------------------ */

static int from_memory(void *arg, void *to, size_t len, uint64_t offset,
		       struct error *err _unused_)
{
	memcpy(to, ((const struct job *)arg)->packed + offset, len);
	return 0;
}

static int to_content(struct bytes data, void *arg, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

static void decompress(struct job *job)
{
	(void)buffer_reserve(&job->content, (size_t)job->source.size);
	job->result = wof_decompress(&job->source, to_content, &job->content, &job->err);
}

/* The next job that nobody has, decompressed without the lock; false if there is none. */
static bool run_one(struct files_ntfs_ahead *a)
{
	struct job *job;

	if (a->claimed == a->tail)
		return false;
	job = job_at(a, a->claimed++);
	job->state = RUNNING;
	pthread_mutex_unlock(&a->lock);
	decompress(job);
	pthread_mutex_lock(&a->lock);
	job->state = DONE;
	pthread_cond_signal(&a->done);
	return true;
}

static void *work(void *arg)
{
	struct files_ntfs_ahead *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stop)
		if (!run_one(a))
			pthread_cond_wait(&a->ready, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* One fewer than there are processors: the caller helps. */
static void start_threads(struct files_ntfs_ahead *a)
{
	unsigned want = files_threads() - 1;

	while (a->thread_count < want &&
	       pthread_create(&a->threads[a->thread_count], NULL, work, a) == 0)
		a->thread_count++;
}

/* ---- the list
 * --------------------------------------------------------------------------------- */

struct files_ntfs_ahead *files_ntfs_ahead_new(struct files_ntfs *f, const uint32_t *blobs,
					      size_t count)
{
	struct files_ntfs_ahead *a = xcalloc(1, sizeof(*a));

	a->f = f;
	a->blobs = blobs;
	a->count = count;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->ready, NULL);
	pthread_cond_init(&a->done, NULL);
	return a;
}

static size_t memory_of(const struct job *job)
{
	return (size_t)(job->source.packed + job->source.size);
}

static void drop(struct files_ntfs_ahead *a, struct job *job)
{
	a->memory -= memory_of(job);
	free(job->packed);
	free(job->path);
	buffer_free(&job->content);
	error_clear(&job->err);
}

void files_ntfs_ahead_free(struct files_ntfs_ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->ready);
	pthread_mutex_unlock(&a->lock);
	for (unsigned i = 0; i < a->thread_count; i++)
		pthread_join(a->threads[i], NULL);
	for (; a->head < a->tail; a->head++)
		drop(a, job_at(a, a->head));
	pthread_cond_destroy(&a->done);
	pthread_cond_destroy(&a->ready);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

void files_ntfs_ahead_freep(struct files_ntfs_ahead **ahead)
{
	files_ntfs_ahead_free(*ahead);
	*ahead = NULL;
}

static bool is_for_threads(const struct files_ntfs_ahead *a, uint32_t blob)
{
	const struct files_blob *b = &a->f->files.blobs.items[blob];
	const struct files_ntfs_content *c = &a->f->contents.items[b->private];

	return c->wof && !c->refused && b->size <= MAX_CONTENT &&
	       c->stored <= MAX_CONTENT;
}

static int add_job(struct files_ntfs_ahead *a, uint32_t blob, struct error *err)
{
	const struct files_blob *b = &a->f->files.blobs.items[blob];
	const struct files_ntfs_content *c = &a->f->contents.items[b->private];
	struct job *job = job_at(a, a->tail);

	*job = (struct job){.position = a->next,
			    .packed = xmalloc((size_t)c->stored + 1),
			    .path = files_ntfs_path(a->f, c->inode)};
	job->source = (struct wof_source){.read = from_memory,
					  .arg = job,
					  .packed = c->stored,
					  .size = b->size,
					  .algorithm = c->algorithm,
					  .path = job->path};
	a->memory += memory_of(job);
	if (files_ntfs_read_stored(a->f, blob, job->packed, err) < 0) {
		drop(a, job);
		return -1;
	}
	pthread_mutex_lock(&a->lock);
	a->tail++;
	pthread_cond_signal(&a->ready);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

int files_ntfs_ahead_fill(struct files_ntfs_ahead *a, size_t position, struct error *err)
{
	if (a->next < position)
		a->next = position;
	for (; a->next < a->count && a->next - position < MAX_DISTANCE; a->next++) {
		if (!is_for_threads(a, a->blobs[a->next]))
			continue;
		if (a->tail - a->head == MAX_JOBS || a->memory > MAX_MEMORY)
			break;
		if (!a->thread_count)
			start_threads(a);
		if (add_job(a, a->blobs[a->next], err) < 0)
			return -1;
	}
	return 0;
}

int files_ntfs_ahead_take(struct files_ntfs_ahead *a, size_t position,
			  const struct files_sink *sink, struct error *err)
{
	struct job *job = job_at(a, a->head);
	struct bytes content;
	int result;

	if (a->head == a->tail || job->position != position)
		return 0;
	pthread_mutex_lock(&a->lock);
	/* Rather than wait: what comes next is this one, or one that follows. */
	while (job->state != DONE)
		if (!run_one(a))
			pthread_cond_wait(&a->done, &a->lock);
	pthread_mutex_unlock(&a->lock);
	content = buffer_view(&job->content);
	if (job->result < 0)
		result = error_move(err, &job->err);
	else
		result = content.len ? sink->data(sink->arg, content, err) : 0;
	drop(a, job);
	a->head++;
	return result < 0 ? -1 : 1;
}
