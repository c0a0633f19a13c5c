/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>

void hash_sha1(struct bytes data, uint8_t digest[20])
{
	if (!EVP_Digest(data.data ? data.data : (const uint8_t *)"", data.len, digest,
			NULL, EVP_sha1(), NULL))
		abort(); /* only when OpenSSL has no SHA-1: no input reaches this */
}

static struct hash_stream *begin(const EVP_MD *kind)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || !EVP_DigestInit_ex(context, kind, NULL))
		abort();
	return (struct hash_stream *)context;
}

static void end(struct hash_stream *stream, uint8_t *digest)
{
	if (!EVP_DigestFinal_ex((EVP_MD_CTX *)stream, digest, NULL))
		abort();
	EVP_MD_CTX_free((EVP_MD_CTX *)stream);
}

struct hash_stream *hash_sha1_begin(void)
{
	return begin(EVP_sha1());
}

void hash_stream_add(struct hash_stream *stream, const void *data, size_t len)
{
	if (len && !EVP_DigestUpdate((EVP_MD_CTX *)stream, data, len))
		abort();
}

void hash_sha1_end(struct hash_stream *stream, uint8_t digest[20])
{
	end(stream, digest);
}

struct hash_stream *hash_sha256_begin(void)
{
	return begin(EVP_sha256());
}

void hash_sha256_end(struct hash_stream *stream, uint8_t digest[32])
{
	end(stream, digest);
}

void hash_sha256(struct bytes data, uint8_t digest[32])
{
	if (!EVP_Digest(data.data ? data.data : (const uint8_t *)"", data.len, digest,
			NULL, EVP_sha256(), NULL))
		abort();
}

void hash_hex(const uint8_t *digest, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
