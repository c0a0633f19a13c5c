/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Contents of a new volume. Each is read once, in the order that the source likes best,
 * and written for every stream that has it, since NTFS shares none. Small contents are
 * held whole, so that copies of one lie in a row.
 */
#include "tree/ntfs_build.h"

#include "base/progress.h"

/* A piece of a content; holes are looked for in units of it. */
#define PIECE (1024u * 1024)
#define HOLE_UNIT (64u * 1024)

/* A stream that has the content. */
struct use {
	uint32_t blob, stream;
};

struct writing {
	struct ntfs_build *b;
	struct use *uses; /* ordered by the blobs' place */
	size_t use_count;
	/* The blob that is being read. */
	const struct use *first, *end;
	uint64_t size, at; /* what of it was written */
	uint8_t *piece;
	size_t len;
	bool compact; /* some uses want it compressed */
	bool again;   /* second round: what did not get smaller */
	struct ntfs_packer *packer;
	struct vec_of(uint32_t) deferred; /* blobs for the second round */
	uint64_t done, total;
};

static uint64_t place_of(const struct writing *w, uint32_t blob)
{
	return w->b->files->blobs.items[blob].place;
}

static int compare_uses(const void *a, const void *b, void *arg)
{
	const struct use *x = a, *y = b;
	uint64_t p = place_of(arg, x->blob), q = place_of(arg, y->blob);

	if (p != q)
		return p < q ? -1 : 1;
	if (x->blob != y->blob)
		return x->blob < y->blob ? -1 : 1;
	return (x->stream > y->stream) - (x->stream < y->stream);
}

/* The uses of a blob; they follow each other. */
static void find_uses(struct writing *w, uint32_t blob)
{
	struct use key = {.blob = blob};
	size_t low = 0, high = w->use_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_uses(&w->uses[middle], &key, w) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	w->first = w->end = w->uses + low;
	while (w->end < w->uses + w->use_count && w->end->blob == blob)
		w->end++;
}

static struct ntfs_stream *stream_of(const struct writing *w, const struct use *use)
{
	return &w->b->streams[use->stream];
}

/* ---- writing pieces
 * --------------------------------------------------------------------- */

static int put_plain(struct writing *w, struct ntfs_stream *s, uint64_t at,
		     struct bytes data, struct error *err)
{
	static const uint8_t zeros[NTFS_CLUSTER];
	size_t rest = data.len % NTFS_CLUSTER;

	if (at == 0 && ntfs_allocate(w->b, ntfs_clusters_of(s->size), &s->lcn, err) < 0)
		return -1;
	at += s->lcn * NTFS_CLUSTER;
	if (ntfs_output_write(&w->b->out, at, data, err) < 0)
		return -1;
	/* The rest of the cluster too, so that the next one follows in the output. */
	if (!rest)
		return 0;
	return ntfs_output_write(&w->b->out, at + data.len,
				 (struct bytes){zeros, NTFS_CLUSTER - rest}, err);
}

static bool is_zero(struct bytes data)
{
	return data.data[0] == 0 && memcmp(data.data, data.data + 1, data.len - 1) == 0;
}

static void add_run(struct ntfs_stream *s, uint64_t lcn, uint64_t count)
{
	struct ntfs_run *last = s->run_count ? &s->runs[s->run_count - 1] : NULL;

	if (last && (lcn == NTFS_HOLE ? last->lcn == NTFS_HOLE
				      : last->lcn != NTFS_HOLE &&
						last->lcn + last->count == lcn)) {
		last->count += count;
		return;
	}
	if (!(s->run_count & (s->run_count - 1)))
		s->runs = xreallocarray(s->runs, s->run_count ? s->run_count * 2u : 1,
					sizeof(*s->runs));
	s->runs[s->run_count++] = (struct ntfs_run){lcn, count};
}

static int put_sparse(struct writing *w, struct ntfs_stream *s, struct bytes data,
		      struct error *err)
{
	while (data.len) {
		struct bytes unit = {data.data,
				     data.len < HOLE_UNIT ? data.len : HOLE_UNIT};
		uint64_t count = ntfs_clusters_of(unit.len), lcn;

		data.data += unit.len;
		data.len -= unit.len;
		if (is_zero(unit)) {
			add_run(s, NTFS_HOLE, count);
			continue;
		}
		if (ntfs_allocate(w->b, count, &lcn, err) < 0 ||
		    ntfs_output_write(&w->b->out, lcn * NTFS_CLUSTER, unit, err) < 0)
			return -1;
		add_run(s, lcn, count);
	}
	return 0;
}

/* True if the stream gets its content as it is, in this round. */
static bool is_plain_use(const struct writing *w, const struct ntfs_stream *s)
{
	return s->kind != NTFS_STREAM_WOF && s->compact == w->again;
}

/* True if the stream is still to get its content compressed. */
static bool is_packed_use(const struct ntfs_stream *s)
{
	return s->compact && s->kind != NTFS_STREAM_WOF;
}

static int put_piece(struct writing *w, struct error *err)
{
	struct bytes data = {w->piece, w->len};

	for (const struct use *use = w->first; use < w->end; use++) {
		struct ntfs_stream *s = stream_of(w, use);
		int result = 0;

		if (!is_plain_use(w, s))
			continue;
		if (s->kind == NTFS_STREAM_RESIDENT)
			s->value = ntfs_keep(w->b, data);
		else if (s->kind == NTFS_STREAM_SPARSE)
			result = put_sparse(w, s, data, err);
		else
			result = put_plain(w, s, w->at, data, err);
		if (result < 0)
			return -1;
	}
	w->at += w->len;
	w->len = 0;
	return 0;
}

/* ---- compressed contents
 * ------------------------------------------------------------- */

/* The stream becomes WOF, if that saves a cluster. */
static int put_packed(struct writing *w, struct ntfs_stream *s, struct bytes packed,
		      struct error *err)
{
	struct ntfs_stream plain = *s;

	s->packed = packed.len;
	plain.size = packed.len;
	if (put_plain(w, &plain, 0, packed, err) < 0)
		return -1;
	s->lcn = plain.lcn;
	s->kind = NTFS_STREAM_WOF;
	w->b->inodes[s->inode].wof = true;
	w->b->result->compacted++;
	return 0;
}

/* From the packer, blob by blob in the order of the list. */
static int take_packed(void *arg, uint32_t blob, struct bytes packed, struct error *err)
{
	struct writing *w = arg;
	const struct use *first = w->first, *end = w->end;
	uint64_t size = w->b->files->blobs.items[blob].size;
	int result = 0;

	if (ntfs_clusters_of(packed.len) >= ntfs_clusters_of(size)) {
		vec_push(&w->deferred, blob);
		return 0;
	}
	find_uses(w, blob);
	for (const struct use *use = w->first; use < w->end && result == 0; use++)
		if (is_packed_use(stream_of(w, use)))
			result = put_packed(w, stream_of(w, use), packed, err);
	w->first = first;
	w->end = end;
	return result;
}

/* ---- reading
 * --------------------------------------------------------------------------- */

static int begin(void *arg, uint32_t blob, struct error *err)
{
	struct writing *w = arg;
	bool compact = false;

	find_uses(w, blob);
	for (const struct use *use = w->first; use < w->end; use++)
		compact |= is_packed_use(stream_of(w, use));
	w->size = w->b->files->blobs.items[blob].size;
	w->at = w->len = 0;
	w->compact = compact && !w->again;
	if (!w->compact || w->packer)
		return 0;
	w->packer = ntfs_packer_new(err);
	return w->packer ? 0 : -1;
}

static int data(void *arg, struct bytes data, struct error *err)
{
	struct writing *w = arg;

	if (w->compact && ntfs_packer_add(w->packer, w->first->blob, w->size, data,
					  take_packed, w, err) < 0)
		return -1;
	if (data.len > w->size - w->at - w->len)
		return error_set(err, ERROR_FAILED, w->b->files->name,
				 "a content is longer than it was said to be");
	while (data.len) {
		size_t n = PIECE - w->len;

		if (n > data.len)
			n = data.len;
		memcpy(w->piece + w->len, data.data, n);
		w->len += n;
		data.data += n;
		data.len -= n;
		if (w->len == PIECE && put_piece(w, err) < 0)
			return -1;
	}
	return 0;
}

static int end(void *arg, struct error *err)
{
	struct writing *w = arg;

	if (w->len && put_piece(w, err) < 0)
		return -1;
	if (w->at != w->size)
		return error_set(err, ERROR_FAILED, w->b->files->name,
				 "a content is shorter than it was said to be");
	w->done += w->size;
	progress_report("writing files", w->done, w->total);
	return 0;
}

/* ---- the whole
 * ------------------------------------------------------------------------- */

static void list_uses(struct writing *w)
{
	const struct files *files = w->b->files;

	w->uses = xcalloc(w->b->stream_count + 1, sizeof(*w->uses));
	for (uint32_t i = 0; i < files->inodes.len; i++) {
		const struct files_inode *inode = &files->inodes.items[i];

		for (uint32_t k = 0; k < inode->stream_count; k++) {
			uint32_t stream = w->b->inodes[i].first_stream + k;

			if (!w->b->streams[stream].size)
				continue;
			w->uses[w->use_count++] =
				(struct use){inode->streams[k].blob, stream};
			w->b->result->content += w->b->streams[stream].size;
		}
	}
	if (w->use_count)
		qsort_r(w->uses, w->use_count, sizeof(*w->uses), compare_uses, w);
}

/* What the source has in the form of WOF is copied. *left: some streams stay plain. */
static int copy_raw_blob(struct writing *w, uint32_t blob, struct buffer *raw, bool *left,
			 struct error *err)
{
	uint64_t clusters = ntfs_clusters_of(w->b->files->blobs.items[blob].size);
	bool compact = false;
	int got;

	*left = true;
	find_uses(w, blob);
	for (const struct use *use = w->first; use < w->end; use++)
		compact |= stream_of(w, use)->compact;
	if (!compact)
		return 0;
	got = files_raw(w->b->files, blob, raw, err);
	if (got <= 0)
		return got;
	*left = false;
	for (const struct use *use = w->first; use < w->end; use++) {
		struct ntfs_stream *s = stream_of(w, use);

		if (s->compact && ntfs_clusters_of(raw->len) >= clusters)
			s->compact = false;
		if (!s->compact)
			*left = true;
		else if (put_packed(w, s, buffer_view(raw), err) < 0)
			return -1;
	}
	return 0;
}

/* *count becomes what is left to be read. */
static int copy_raw(struct writing *w, uint32_t *blobs, size_t *count, struct error *err)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	size_t n = 0;
	bool left;

	for (size_t i = 0; i < *count; i++) {
		if (interrupted())
			return error_interrupted(err);
		if (copy_raw_blob(w, blobs[i], &raw, &left, err) < 0)
			return -1;
		if (left)
			blobs[n++] = blobs[i];
		else
			w->done += w->b->files->blobs.items[blobs[i]].size;
	}
	*count = n;
	return 0;
}

static int write_blobs(struct writing *w, uint32_t *blobs, size_t count,
		       struct error *err)
{
	struct files_sink sink = {begin, data, end, w};

	if (w->b->options->compact && copy_raw(w, blobs, &count, err) < 0)
		return -1;
	if (files_read(w->b->files, blobs, count, &sink, err) < 0)
		return -1;
	if (w->packer && ntfs_packer_flush(w->packer, take_packed, w, err) < 0)
		return -1;
	if (!w->deferred.len)
		return 0;
	w->again = true;
	return files_read(w->b->files, w->deferred.items, w->deferred.len, &sink, err);
}

int ntfs_write_contents(struct ntfs_build *b, struct error *err)
{
	struct writing w = {.b = b, .piece = xmalloc(PIECE)};
	_cleanup_free_ uint32_t *blobs = NULL;
	size_t count = 0;
	int result;

	list_uses(&w);
	blobs = xcalloc(w.use_count + 1, sizeof(*blobs));
	for (size_t i = 0; i < w.use_count; i++) {
		if (i && w.uses[i].blob == w.uses[i - 1].blob)
			continue;
		blobs[count++] = w.uses[i].blob;
		w.total += b->files->blobs.items[w.uses[i].blob].size;
	}
	result = write_blobs(&w, blobs, count, err);
	ntfs_packer_free(w.packer);
	vec_free(&w.deferred);
	free(w.uses);
	free(w.piece);
	return result;
}
