/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NTFS writer's output: see tree/ntfs_build.h. */
#include "tree/ntfs_build.h"

#define OUTPUT_SIZE (1024u * 1024)
/* So many zeros in a row are left out; fewer would cost more than they save. */
#define ZEROS (16u * 1024)

static bool is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Writes [from, to) without the long rows of zeros in it. */
static int write_some(struct ntfs_output *out, uint64_t at, const uint8_t *data,
		      size_t len, struct error *err)
{
	size_t from = 0, to = 0;

	while (to < len) {
		size_t n = len - to < ZEROS ? len - to : ZEROS;

		if (!is_zero(data + to, n)) {
			to += n;
			continue;
		}
		if (to > from &&
		    block_pwrite(out->volume, data + from, to - from, at + from, err) < 0)
			return -1;
		from = to += n;
	}
	if (to == from)
		return 0;
	return block_pwrite(out->volume, data + from, to - from, at + from, err);
}

int ntfs_output_flush(struct ntfs_output *out, struct error *err)
{
	size_t len = out->len;

	out->len = 0;
	if (interrupted())
		return error_interrupted(err);
	return write_some(out, out->at, out->data, len, err);
}

int ntfs_output_write(struct ntfs_output *out, uint64_t at, struct bytes data,
		      struct error *err)
{
	if (!out->data)
		out->data = xmalloc(OUTPUT_SIZE);
	if (out->len && at != out->at + out->len && ntfs_output_flush(out, err) < 0)
		return -1;
	while (data.len) {
		size_t n = OUTPUT_SIZE - out->len;

		if (!out->len)
			out->at = at;
		if (n > data.len)
			n = data.len;
		memcpy(out->data + out->len, data.data, n);
		out->len += n;
		at += n;
		data.data += n;
		data.len -= n;
		if (out->len == OUTPUT_SIZE && ntfs_output_flush(out, err) < 0)
			return -1;
	}
	return 0;
}

void ntfs_output_free(struct ntfs_output *out)
{
	free(out->data);
}
