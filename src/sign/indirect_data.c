/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SpcIndirectDataContent ("Windows Authenticode Portable Executable Signature Format"):
 *
 *	SEQUENCE {
 *		data SEQUENCE { type OBJECT IDENTIFIER, value ANY OPTIONAL },
 *		messageDigest SEQUENCE { AlgorithmIdentifier, digest OCTET STRING } }
 *
 * `data` says what kind of thing was digested and is not needed to compare.
 */
#include <limits.h>
#include <openssl/asn1t.h>
#include <openssl/err.h>

#include "sign/sign_private.h"

typedef struct {
	ASN1_OBJECT *type;
	ASN1_TYPE *value;
} SPC_TYPE_VALUE;

ASN1_SEQUENCE(SPC_TYPE_VALUE) =
	{
		ASN1_SIMPLE(SPC_TYPE_VALUE, type, ASN1_OBJECT),
		ASN1_OPT(SPC_TYPE_VALUE, value, ASN1_ANY),
} static_ASN1_SEQUENCE_END(SPC_TYPE_VALUE)

		typedef struct {
	SPC_TYPE_VALUE *data;
	X509_SIG *digest; /* has the layout of DigestInfo */
} SPC_INDIRECT_DATA;

ASN1_SEQUENCE(SPC_INDIRECT_DATA) =
	{
		ASN1_SIMPLE(SPC_INDIRECT_DATA, data, SPC_TYPE_VALUE),
		ASN1_SIMPLE(SPC_INDIRECT_DATA, digest, X509_SIG),
} static_ASN1_SEQUENCE_END(SPC_INDIRECT_DATA)

		bool indirect_data_parse(struct bytes der, struct indirect_data *ret)
{
	const unsigned char *p = der.data;
	const ASN1_OBJECT *algorithm;
	const ASN1_OCTET_STRING *digest;
	SPC_INDIRECT_DATA *data = NULL;
	const X509_ALGOR *id;
	bool fits;

	if (der.len && der.len <= LONG_MAX)
		data = (SPC_INDIRECT_DATA *)ASN1_item_d2i(
			NULL, &p, (long)der.len, ASN1_ITEM_rptr(SPC_INDIRECT_DATA));
	ERR_clear_error();
	if (!data)
		return false;
	X509_SIG_get0(data->digest, &id, &digest);
	X509_ALGOR_get0(&algorithm, NULL, NULL, id);
	ret->algorithm = OBJ_obj2nid(algorithm);
	ret->len = (size_t)ASN1_STRING_length(digest);
	fits = ret->len > 0 && ret->len <= sizeof(ret->digest);
	if (fits)
		memcpy(ret->digest, ASN1_STRING_get0_data(digest), ret->len);
	ASN1_item_free((ASN1_VALUE *)data, ASN1_ITEM_rptr(SPC_INDIRECT_DATA));
	return fits;
}
