/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Security catalogs: PKCS #7 signed data over a certificate trust list (as in Microsoft's
 * [MS-CAESO] and wintrust's mscat.h) whose "trusted subjects" are files:
 *
 *	CTL ::= SEQUENCE {
 *		usage SEQUENCE OF OBJECT IDENTIFIER,	-- 1.3.6.1.4.1.311.12.1.1
 *		identifier OCTET STRING OPTIONAL,
 *		sequenceNumber INTEGER OPTIONAL,
 *		thisUpdate Time, nextUpdate Time OPTIONAL,
 *		algorithm AlgorithmIdentifier,		-- 12.1.2, 12.1.3: version 1, 2
 *		subjects SEQUENCE OF SEQUENCE {
 *			identifier OCTET STRING,
 *			attributes SET OF Attribute OPTIONAL } OPTIONAL,
 *		extensions [0] EXPLICIT Extensions OPTIONAL }
 *
 * A member's digest stands in its attribute SpcIndirectDataContent. In version 2 (Windows
 * 8) the identifier is the digest as well, and members that only older Windows looks for
 * have no more than that; in version 1 it is the digest in hexadecimal, as UTF-16.
 */
#include <openssl/asn1t.h>
#include <openssl/err.h>

#include "base/text.h"
#include "sign/sign_private.h"

#define SHA1_SIZE 20
#define SHA256_SIZE 32

struct member {
	uint8_t digest[SHA256_SIZE];
	uint8_t len;
};

struct catalog {
	struct signed_data data;
	struct signature signature;
	struct vec_of(struct member) members; /* sorted */
	unsigned algorithms;
	struct strings windows;
};

typedef struct {
	ASN1_OCTET_STRING *identifier;
	STACK_OF(X509_ATTRIBUTE) * attributes;
} CTL_SUBJECT;

ASN1_SEQUENCE(CTL_SUBJECT) =
	{
		ASN1_SIMPLE(CTL_SUBJECT, identifier, ASN1_OCTET_STRING),
		ASN1_SET_OF_OPT(CTL_SUBJECT, attributes, X509_ATTRIBUTE),
} static_ASN1_SEQUENCE_END(CTL_SUBJECT) DEFINE_STACK_OF(CTL_SUBJECT)

		typedef struct {
	STACK_OF(ASN1_OBJECT) * usage;
	ASN1_OCTET_STRING *identifier;
	ASN1_INTEGER *number;
	ASN1_TIME *from, *to;
	X509_ALGOR *algorithm;
	STACK_OF(CTL_SUBJECT) * subjects;
	ASN1_TYPE *extensions;
} CTL;

ASN1_SEQUENCE(CTL) =
	{
		ASN1_SEQUENCE_OF(CTL, usage, ASN1_OBJECT),
		ASN1_OPT(CTL, identifier, ASN1_OCTET_STRING),
		ASN1_OPT(CTL, number, ASN1_INTEGER),
		ASN1_SIMPLE(CTL, from, ASN1_TIME),
		ASN1_OPT(CTL, to, ASN1_TIME),
		ASN1_SIMPLE(CTL, algorithm, X509_ALGOR),
		ASN1_SEQUENCE_OF_OPT(CTL, subjects, CTL_SUBJECT),
		ASN1_EXP_OPT(CTL, extensions, ASN1_ANY, 0),
} static_ASN1_SEQUENCE_END(CTL)

	/* CatalogNameValue: a name, flags, a text as UTF-16LE. */
	typedef struct {
	ASN1_BMPSTRING *name;
	ASN1_INTEGER *flags;
	ASN1_OCTET_STRING *value;
} CTL_NAME_VALUE;

ASN1_SEQUENCE(CTL_NAME_VALUE) =
	{
		ASN1_SIMPLE(CTL_NAME_VALUE, name, ASN1_BMPSTRING),
		ASN1_SIMPLE(CTL_NAME_VALUE, flags, ASN1_INTEGER),
		ASN1_SIMPLE(CTL_NAME_VALUE, value, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(CTL_NAME_VALUE)

		static struct bytes string_bytes(const ASN1_STRING *string)
{
	return (struct bytes){ASN1_STRING_get0_data(string),
			      (size_t)ASN1_STRING_length(string)};
}

/* ---- members ------------------------------------------------------------------------
 */

static void add_member(struct catalog *catalog, struct bytes digest)
{
	struct member member = {.len = (uint8_t)digest.len};

	if (digest.len != SHA1_SIZE && digest.len != SHA256_SIZE)
		return;
	memcpy(member.digest, digest.data, digest.len);
	vec_push(&catalog->members, member);
	catalog->algorithms |= digest.len == SHA1_SIZE ? DIGEST_SHA1 : DIGEST_SHA256;
}

/* "2:5.1,2:6.0": the digit before the colon is the platform, 2 for Windows NT. */
static void add_windows(struct catalog *catalog, struct bytes utf16)
{
	_cleanup_free_ char *list = utf16_to_utf8(utf16.data, utf16.len);
	char *rest = list, *item;

	while ((item = strsep(&rest, ",")))
		if (strncmp(item, "2:", 2) == 0 && item[2] &&
		    strspn(item + 2, "0123456789.") == strlen(item + 2) &&
		    strlen(item) < 32 && catalog->windows.len < 32 &&
		    !strings_contain(&catalog->windows, item + 2))
			strings_push(&catalog->windows, item + 2);
}

static void read_name_value(struct catalog *catalog, struct bytes der)
{
	/* BMPString is UTF-16BE. */
	static const uint8_t wanted[] = {0, 'O', 0, 'S', 0, 'A', 0, 't', 0, 't', 0, 'r'};
	const unsigned char *p = der.data;
	CTL_NAME_VALUE *pair = (CTL_NAME_VALUE *)ASN1_item_d2i(
		NULL, &p, (long)der.len, ASN1_ITEM_rptr(CTL_NAME_VALUE));

	if (pair &&
	    bytes_equal(string_bytes(pair->name), (struct bytes){wanted, sizeof(wanted)}))
		add_windows(catalog, string_bytes(pair->value));
	ASN1_item_free((ASN1_VALUE *)pair, ASN1_ITEM_rptr(CTL_NAME_VALUE));
	ERR_clear_error();
}

static void read_subject(struct catalog *catalog, const CTL_SUBJECT *subject)
{
	bool digested = false;

	for (int i = 0; i < sk_X509_ATTRIBUTE_num(subject->attributes); i++) {
		X509_ATTRIBUTE *attribute =
			sk_X509_ATTRIBUTE_value(subject->attributes, i);
		const ASN1_OBJECT *type = X509_ATTRIBUTE_get0_object(attribute);
		const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, 0);
		struct indirect_data data;
		struct bytes der;

		if (!value || value->type != V_ASN1_SEQUENCE)
			continue;
		der = string_bytes(value->value.sequence);
		if (oid_is(type, OID_NAME_VALUE))
			read_name_value(catalog, der);
		if (!oid_is(type, OID_INDIRECT_DATA) || !indirect_data_parse(der, &data))
			continue;
		digested = true;
		if (data.algorithm == NID_sha1 || data.algorithm == NID_sha256)
			add_member(catalog, (struct bytes){data.digest, data.len});
	}
	if (!digested)
		add_member(catalog, string_bytes(subject->identifier));
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->digest, y->digest, x->len);
}

static bool read_list(struct catalog *catalog)
{
	const unsigned char *p = catalog->data.structure.data;
	CTL *ctl = (CTL *)ASN1_item_d2i(NULL, &p, (long)catalog->data.structure.len,
					ASN1_ITEM_rptr(CTL));

	ERR_clear_error();
	if (!ctl)
		return false;
	for (int i = 0; i < sk_CTL_SUBJECT_num(ctl->subjects); i++)
		read_subject(catalog, sk_CTL_SUBJECT_value(ctl->subjects, i));
	ASN1_item_free((ASN1_VALUE *)ctl, ASN1_ITEM_rptr(CTL));
	if (catalog->members.len)
		qsort(catalog->members.items, catalog->members.len,
		      sizeof(*catalog->members.items), compare_members);
	return true;
}

/* ---- the catalog --------------------------------------------------------------------
 */

/* A nested signature must be over the same list. */
static const char *same_list(const struct signed_data *data, void *arg)
{
	const struct catalog *catalog = arg;

	return bytes_equal(data->content, catalog->data.content)
		       ? NULL
		       : "a nested signature is over another list";
}

struct catalog *catalog_open(struct bytes der, const char *name, struct error *err)
{
	_cleanup_catalog_ struct catalog *catalog = xcalloc(1, sizeof(*catalog));

	if (der.len > CATALOG_SIZE_MAX) {
		error_set(err, ERROR_FAILED, name, "is too large for a catalog");
		return NULL;
	}
	if (!signed_data_parse(der, &catalog->data) ||
	    !signed_data_is(&catalog->data, OID_CTL) || !read_list(catalog)) {
		error_set(err, ERROR_FAILED, name, "is no catalog");
		return NULL;
	}
	signed_data_judge(&catalog->data, name, same_list, catalog, &catalog->signature);
	/* A run may keep thousands of catalogs: what is left of each is the list. */
	signed_data_free(&catalog->data);
	return steal_ptr(catalog);
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	signed_data_free(&catalog->data);
	signature_free(&catalog->signature);
	vec_free(&catalog->members);
	strings_free(&catalog->windows);
	free(catalog);
}

void catalog_closep(struct catalog **catalog)
{
	catalog_close(*catalog);
	*catalog = NULL;
}

const struct signature *catalog_signature(const struct catalog *catalog)
{
	return &catalog->signature;
}

unsigned catalog_algorithms(const struct catalog *catalog)
{
	return catalog->algorithms;
}

size_t catalog_members(const struct catalog *catalog)
{
	return catalog->members.len;
}

const struct strings *catalog_windows(const struct catalog *catalog)
{
	return &catalog->windows;
}

static bool has_member(const struct catalog *catalog, const uint8_t *digest, uint8_t len)
{
	struct member key = {.len = len};

	memcpy(key.digest, digest, len);
	return catalog->members.len &&
	       bsearch(&key, catalog->members.items, catalog->members.len, sizeof(key),
		       compare_members);
}

bool catalog_covers(const struct catalog *catalog, const struct file_digests *digests)
{
	return (digests->present & DIGEST_SHA256 &&
		has_member(catalog, digests->sha256, SHA256_SIZE)) ||
	       (digests->present & DIGEST_SHA1 &&
		has_member(catalog, digests->sha1, SHA1_SIZE));
}
