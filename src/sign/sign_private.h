/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of src/sign share. */
#ifndef SIGN_SIGN_PRIVATE_H
#define SIGN_SIGN_PRIVATE_H

#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "sign/signature.h"

/* Of any one list in a signature more are not looked at: nobody signs like that. */
#define MAX_SIGNERS 8
#define MAX_CERTIFICATES 64

/* Object identifiers, as OBJ_obj2txt() writes them. */
#define OID_CTL "1.3.6.1.4.1.311.10.1"
#define OID_INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"
#define OID_NESTED_SIGNATURE "1.3.6.1.4.1.311.2.4.1"
#define OID_RFC3161_STAMP "1.3.6.1.4.1.311.3.3.1"
#define OID_NAME_VALUE "1.3.6.1.4.1.311.12.2.1"
#define OID_TST_INFO "1.2.840.113549.1.9.16.1.4"

bool oid_is(const ASN1_OBJECT *object, const char *oid);

/* ---- indirect_data.c ----------------------------------------------------------------- */

/* SpcIndirectDataContent: the digest of what is signed, and by which algorithm. */
struct indirect_data {
	int algorithm; /* NID */
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t len;
};
bool indirect_data_parse(struct bytes der, struct indirect_data *ret);

/* ---- roots.c ------------------------------------------------------------------------- */

struct root {
	const char *name;
	bool cross; /* the kernel's root for cross-signed makers' certificates */
};
/* True if one of Microsoft's roots issued the certificate: its key verifies it. */
bool root_find(X509 *certificate, struct root *ret);

/* ---- chain.c ------------------------------------------------------------------------- */

/* The better one is the greater. */
enum chain_end {
	CHAIN_INCOMPLETE, /* the next issuer is not in the file */
	CHAIN_SELF_SIGNED,
	CHAIN_KNOWN_ROOT,
};
#define CHAIN_MAX 8
struct chain {
	X509 *certificates[CHAIN_MAX]; /* leaf first; borrowed */
	size_t len;
	enum chain_end end;
	struct root root;	       /* if the end is a known root */
};
/*
 * The best chain from the leaf that the certificates in the pool make, each one's
 * signature verified with the next one's key.
 */
void chain_build(X509 *leaf, const STACK_OF(X509) * pool, struct chain *ret);
/* The name of what the chain ends in: the last certificate's issuer. Caller's. */
char *chain_root_name(const struct chain *chain);
/* The first certificate that is not valid then, or NULL. */
X509 *chain_invalid_at(const struct chain *chain, int64_t time);

/* Common name, or the last organizational unit: what people call it. Caller's, or NULL. */
char *name_common(const X509_NAME *name);

/* Extended key usages of a leaf. Without the extension everything is allowed. */
struct purposes {
	bool limited; /* it has the extension */
	bool code_signing, time_stamping, whql, attested, windows;
};
struct purposes certificate_purposes(X509 *certificate);
bool time_of(const ASN1_TIME *time, int64_t *ret);

/* ---- signed_data.c ------------------------------------------------------------------- */

/* PKCS #7 signed data, and the octets that its signers digested. */
struct signed_data {
	PKCS7 *pkcs7;
	struct bytes content;	/* points into it */
	struct bytes structure; /* the content with its tag and length */
};
bool signed_data_parse(struct bytes der, struct signed_data *ret);
void signed_data_free(struct signed_data *data);
bool signed_data_is(const struct signed_data *data, const char *content_oid);
STACK_OF(X509) * signed_data_certificates(const struct signed_data *data);
PKCS7_SIGNER_INFO *signed_data_signer(const struct signed_data *data, int i);

/*
 * Verifies the signature of one signer over the content. `type`: what the signed
 * attributes must name as the content's type, NULL for counter-signatures, which name
 * none. NULL if it is sound, else what is wrong.
 */
const char *signer_verify(PKCS7_SIGNER_INFO *signer, X509 *certificate,
			  struct bytes content, const ASN1_OBJECT *type);
/* The signer's certificate among these, or NULL. */
X509 *signer_certificate(const PKCS7_SIGNER_INFO *signer, STACK_OF(X509) * pool);
int signer_algorithm(const PKCS7_SIGNER_INFO *signer); /* NID of its digest */
/* Value `i` of the attribute, or NULL. */
const ASN1_TYPE *attribute_value(const STACK_OF(X509_ATTRIBUTE) * attributes,
				 const char *oid, int i);

/* ---- stamp.c ------------------------------------------------------------------------- */

/*
 * When the signer signed, by a sound counter-signature (PKCS #9) or time stamp (RFC 3161)
 * among its unsigned attributes. False if there is none.
 */
bool signer_stamped(const PKCS7_SIGNER_INFO *signer, STACK_OF(X509) * pool,
		    int64_t *ret);

/* ---- judge.c ------------------------------------------------------------------------- */

/*
 * The verdict on signed data with all its signers and nested signatures. `content_fits`
 * tells for the data itself and for each nested one whether the content is what it should
 * be (the digest of the file, the same list); NULL if it is, else what is wrong.
 */
typedef const char *content_check(const struct signed_data *data, void *arg);
void signed_data_judge(const struct signed_data *data, const char *name,
		       content_check *content_fits, void *arg, struct signature *ret);

#endif
