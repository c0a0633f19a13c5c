/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Signatures for tests: certificates, catalogs, signed PE files and time stamps, written
 * byte by byte from the formats' descriptions and independent of src/sign. The keys come
 * from the names, so that every run gives the same bytes: they are no secret.
 */
#ifndef SAMPLES_SIGN_H
#define SAMPLES_SIGN_H

#include <openssl/x509.h>

#include "base/buffer.h"

/* A key with a certificate. */
struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

struct identity_options {
	const char *name;
	const struct identity *issuer; /* NULL: signs itself */
	bool authority;		       /* may issue certificates */
	const char *purposes;	       /* extended key usages, as OpenSSL's configuration */
	int64_t from, to;	       /* seconds since 1970 */
	bool elliptic;		       /* P-256; its signatures differ in every run */
};
struct identity identity_make(const struct identity_options *options);
void identity_free(struct identity *identity);

enum stamp {
	STAMP_NONE,
	STAMP_COUNTERSIGNATURE, /* PKCS #9 */
	STAMP_BARE,		/* the same with a digest that names no algorithm */
	STAMP_RFC3161,
};

#define SIGN_CERTIFICATES 6
struct sign_options {
	const struct identity *signer;
	const X509 *certificates[SIGN_CERTIFICATES]; /* beside the signer's own */
	bool without_certificate;		     /* not even the signer's */
	bool without_attributes;
	const EVP_MD *digest; /* NULL: SHA-256 */
	enum stamp stamp;
	const struct identity *stamper;
	int64_t stamped;
	struct bytes nested; /* a further signature, DER */
};

/* PKCS #7 signed data over a structure (`content` is its DER). */
void sign_make(const char *content_type, struct bytes content,
	       const struct sign_options *options, struct buffer *out);

struct catalog_member {
	const char *name;
	struct bytes file;
};
struct catalog_options {
	const struct catalog_member *members;
	size_t count;
	const char *windows; /* OSAttr: "2:10.0" */
	bool sha1;	     /* version 1: SHA-1, tags in hexadecimal; else version 2 */
	bool sha1_tags;	     /* version 2 with a SHA-1 tag beside each member */
	const struct sign_options *sign; /* NULL: nobody signs it */
};
void catalog_make(const struct catalog_options *options, struct buffer *out);

/* The list alone, for signing it in other ways. */
void catalog_list_make(const struct catalog_options *options, struct buffer *out);
#define CATALOG_TYPE "1.3.6.1.4.1.311.10.1"

/* The digest that Authenticode takes of a PE file without a signature. */
void pe_digest(struct bytes pe, const EVP_MD *md, uint8_t *digest);
/* The signature of a PE file alone, to be nested in another one. */
void pe_signature_make(struct bytes pe, const struct sign_options *options,
		       struct buffer *out);
/* Adds a certificate table with the signature, and the checksum. */
void pe_sign(struct buffer *pe, const struct sign_options *options);

/*
 * What the sample's packages are signed by: a test certificate of a root of its own, as
 * a driver developer makes them.
 */
const struct sign_options *sample_signer(void);
void sample_signer_free(void);

#endif
