/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Compact OS: a reparse point and a compressed stream. The input is the 16 bytes of
 * reparse data, 8 bytes of the size that the unnamed stream claims, then the stream.
 * Whatever it holds, no more than that size may come out, and all of it if there was no
 * error.
 */
#include <stdio.h>

#include "base/buffer.h"
#include "tree/ntfs_wof.h"

#define REPARSE 16
#define HEADER (REPARSE + 8)
#define MAX_OUTPUT ((uint64_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct output {
	uint64_t len;
};

static int sink(struct bytes data, void *arg, struct error *err)
{
	struct output *output = arg;

	output->len += data.len;
	/* A few bytes may say that they are gigabytes of zeros. */
	if (output->len > MAX_OUTPUT)
		return error_set(err, ERROR_FAILED, NULL, "enough");
	return 0;
}

static int read_stream(void *arg, void *buf, size_t len, uint64_t offset,
		       struct error *err _unused_)
{
	struct bytes part = bytes_at(*(struct bytes *)arg, offset, len);

	if (!part.data) {
		fprintf(stderr, "fuzz_wof: read outside of the stream\n");
		abort();
	}
	memcpy(buf, part.data, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes stream = {data + HEADER, size - HEADER};
	struct wof_source source = {.read = read_stream, .arg = &stream, .path = "f"};
	struct output output = {0};

	if (size < HEADER ||
	    wof_parse((struct bytes){data, REPARSE}, &source.algorithm, "f", NULL) < 0)
		return 0;
	source.packed = stream.len;
	source.size = get_le64(data + REPARSE);
	if (wof_decompress(&source, sink, &output, NULL) == 0 &&
	    output.len != source.size) {
		fprintf(stderr, "fuzz_wof: another size than said\n");
		abort();
	}
	if (output.len > source.size) {
		fprintf(stderr, "fuzz_wof: more than there is\n");
		abort();
	}
	return 0;
}
