/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Optical discs as driver media: UDF, Joliet, Rock Ridge and ISO 9660 through block/iso.
 */
#include "block/iso.h"
#include "base/progress.h"
#include "media/unpack.h"

#define READ_SIZE ((size_t)256 << 10)

struct disc {
	struct iso *iso;
	struct sink *sink;
	uint64_t entries; /* looked at for the question whether anything is of interest */
	uint8_t *chunk;
};

/* 1 if something below the folder makes the disc worth unpacking. */
static int has_interesting(struct disc *d, const struct iso_node *folder, unsigned depth,
			   struct error *err)
{
	_cleanup_iso_entries_ struct iso_entries entries = VEC_INIT;

	if (depth > SINK_MAX_DEPTH)
		return 0;
	if (iso_list(d->iso, folder, &entries, err) < 0)
		return -1;
	vec_foreach (e, &entries) {
		int found;

		/* What the sink would refuse need not be read to its end here. */
		if (++d->entries > d->sink->limits.entries ||
		    (!e->node.folder && media_is_interesting(e->name)))
			return 1;
		if (!e->node.folder || e->problem)
			continue;
		found = has_interesting(d, &e->node, depth + 1, err);
		if (found)
			return found;
	}
	return 0;
}

static int unpack_file(struct disc *d, const struct iso_node *node, const char *name,
		       struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	struct sink_file file;
	int status = sink_add_file(d->sink, name, &file, err);

	for (uint64_t at = 0; status > 0 && at < node->size;) {
		size_t n = node->size - at < READ_SIZE ? (size_t)(node->size - at)
						       : READ_SIZE;

		if (interrupted()) {
			sink_end_file(d->sink, &file, "interrupted");
			return error_interrupted(err);
		}
		if (iso_read(d->iso, node, d->chunk, n, at, &mine) < 0) {
			sink_end_file(d->sink, &file, mine.reason);
			return 0;
		}
		if (sink_write(d->sink, &file, d->chunk, n, at, err) < 0) {
			sink_end_file(d->sink, &file, "it is over the limits");
			return -1;
		}
		at += n;
	}
	if (status > 0)
		sink_end_file(d->sink, &file, NULL);
	return status < 0 ? -1 : 0;
}

static int unpack_folder(struct disc *d, const struct iso_node *folder, const char *path,
			 unsigned depth, struct error *err)
{
	_cleanup_iso_entries_ struct iso_entries entries = VEC_INIT;
	_cleanup_error_ struct error mine = ERROR_INIT;

	if (iso_list(d->iso, folder, &entries, &mine) < 0) {
		if (!*path || mine.code == ERROR_INTERRUPTED)
			return error_move(err, &mine);
		sink_problem(d->sink, path, "not unpacked: %s", mine.reason);
		return 0;
	}
	vec_foreach (e, &entries) {
		_cleanup_free_ char *name =
			xasprintf("%s%s%s", path, *path ? "/" : "", e->name);
		int status = 0;

		if (sink_count(d->sink, err) < 0)
			return -1;
		if (e->problem && iso_is_cut(d->iso)) {
			error_set(err, ERROR_FAILED, d->sink->label, "%s: %s", name,
				  e->problem);
			return error_remedy(err, "get the image again");
		}
		if (e->problem)
			sink_problem(d->sink, name, "not unpacked: %s", e->problem);
		else if (!e->node.folder)
			status = unpack_file(d, &e->node, name, err);
		else if (depth >= SINK_MAX_DEPTH)
			sink_problem(d->sink, name, "not unpacked: it lies too deep");
		else if ((status = sink_add_folder(d->sink, name, err)) > 0)
			status = unpack_folder(d, &e->node, name, depth + 1, err);
		if (status < 0)
			return -1;
	}
	return 0;
}

int iso_unpack(struct sink *sink, const struct unpack *u, bool *ignored,
	       struct error *err)
{
	_cleanup_iso_ struct iso *iso = iso_open(u->path, err);
	_cleanup_free_ uint8_t *chunk = xmalloc(READ_SIZE);
	struct disc d = {.iso = iso, .sink = sink, .chunk = chunk};
	int found = 1;

	*ignored = false;
	if (!iso) {
		if (err && err->code == ERROR_FAILED) {
			free(err->subject);
			err->subject = xstrdup(u->label);
		}
		return -1;
	}
	if (u->selective)
		found = has_interesting(&d, iso_root(iso), 0, err);
	if (found < 0)
		return -1;
	*ignored = !found;
	if (found && unpack_folder(&d, iso_root(iso), "", 0, err) < 0)
		return -1;
	return 1;
}
