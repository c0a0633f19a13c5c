/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Message digests (OpenSSL). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/buffer.h"

void hash_sha1(struct bytes data, uint8_t digest[20]);
/* SHA-1 of data that comes in pieces; hash_sha1_end() releases the state. */
struct hash_stream *hash_sha1_begin(void);
void hash_stream_add(struct hash_stream *stream, const void *data, size_t len);
void hash_sha1_end(struct hash_stream *stream, uint8_t digest[20]);
void hash_sha256(struct bytes data, uint8_t digest[32]);
struct hash_stream *hash_sha256_begin(void); /* as hash_sha1_begin() */
void hash_sha256_end(struct hash_stream *stream, uint8_t digest[32]);
/* Lower-case hex of `len` bytes; `text` holds 2 * len + 1. */
void hash_hex(const uint8_t *digest, size_t len, char *text);

#endif
