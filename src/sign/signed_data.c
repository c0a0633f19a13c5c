/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PKCS #7 signed data (RFC 2315) as Microsoft's tools make it: the content is no octet
 * string but a structure, and what the signers digested is that structure's content
 * without its tag and length. OpenSSL's CMS does not read such files and PKCS7_verify()
 * does not take that digest, so that the signers are verified one by one here.
 */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "sign/sign_private.h"

bool signed_data_parse(struct bytes der, struct signed_data *ret)
{
	const unsigned char *p = der.data, *in;
	const ASN1_TYPE *other;
	const ASN1_STRING *string;
	int tag, class, kind;
	long len;

	*ret = (struct signed_data){0};
	if (!der.len || der.len > LONG_MAX)
		return false;
	ret->pkcs7 = d2i_PKCS7(NULL, &p, (long)der.len);
	ERR_clear_error();
	if (!ret->pkcs7 || !PKCS7_type_is_signed(ret->pkcs7) ||
	    !ret->pkcs7->d.sign->contents ||
	    !PKCS7_type_is_other(ret->pkcs7->d.sign->contents))
		goto refused;
	other = ret->pkcs7->d.sign->contents->d.other;
	if (!other ||
	    (other->type != V_ASN1_SEQUENCE && other->type != V_ASN1_OCTET_STRING))
		goto refused;
	string = other->value.asn1_string;
	ret->content = (struct bytes){ASN1_STRING_get0_data(string),
				      (size_t)ASN1_STRING_length(string)};
	ret->structure = ret->content;
	if (other->type == V_ASN1_OCTET_STRING)
		return true;
	in = ret->content.data;
	kind = ASN1_get_object(&in, &len, &tag, &class, (long)ret->content.len);
	/* 0x80: broken; 1: without a length, which DER does not have. */
	if ((kind & 0x81) || len < 0)
		goto refused;
	ret->content =
		bytes_at(ret->content, (uint64_t)(in - ret->content.data), (uint64_t)len);
	return true;
refused:
	ERR_clear_error();
	signed_data_free(ret);
	return false;
}

void signed_data_free(struct signed_data *data)
{
	PKCS7_free(data->pkcs7);
	*data = (struct signed_data){0};
}

bool signed_data_is(const struct signed_data *data, const char *content_oid)
{
	return oid_is(data->pkcs7->d.sign->contents->type, content_oid);
}

STACK_OF(X509) * signed_data_certificates(const struct signed_data *data)
{
	return data->pkcs7->d.sign->cert;
}

PKCS7_SIGNER_INFO *signed_data_signer(const struct signed_data *data, int i)
{
	STACK_OF(PKCS7_SIGNER_INFO) *signers = data->pkcs7->d.sign->signer_info;

	return i < MAX_SIGNERS && i < sk_PKCS7_SIGNER_INFO_num(signers)
		       ? sk_PKCS7_SIGNER_INFO_value(signers, i)
		       : NULL;
}

X509 *signer_certificate(const PKCS7_SIGNER_INFO *signer, STACK_OF(X509) * pool)
{
	return X509_find_by_issuer_and_serial(pool, signer->issuer_and_serial->issuer,
					      signer->issuer_and_serial->serial);
}

int signer_algorithm(const PKCS7_SIGNER_INFO *signer)
{
	const ASN1_OBJECT *algorithm;

	X509_ALGOR_get0(&algorithm, NULL, NULL, signer->digest_alg);
	return OBJ_obj2nid(algorithm);
}

/* What Windows takes; MD5 and older are not worth a signature. */
static const EVP_MD *digest_of(int nid)
{
	switch (nid) {
	case NID_sha1:
		return EVP_sha1();
	case NID_sha256:
		return EVP_sha256();
	case NID_sha384:
		return EVP_sha384();
	case NID_sha512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

const ASN1_TYPE *attribute_value(const STACK_OF(X509_ATTRIBUTE) * attributes,
				 const char *oid, int i)
{
	for (int k = 0; k < sk_X509_ATTRIBUTE_num(attributes); k++) {
		X509_ATTRIBUTE *attribute = sk_X509_ATTRIBUTE_value(attributes, k);

		if (oid_is(X509_ATTRIBUTE_get0_object(attribute), oid))
			return X509_ATTRIBUTE_get0_type(attribute, i);
	}
	return NULL;
}

/* The signed attributes must name the content by its digest, and its type. */
static const char *attributes_fit(const STACK_OF(X509_ATTRIBUTE) * attributes,
				  const uint8_t *digest, unsigned len,
				  const ASN1_OBJECT *type)
{
	const ASN1_TYPE *value = attribute_value(attributes, "1.2.840.113549.1.9.4", 0);

	if (!value || value->type != V_ASN1_OCTET_STRING)
		return "its signed attributes name no digest";
	if (ASN1_STRING_length(value->value.octet_string) != (int)len ||
	    memcmp(ASN1_STRING_get0_data(value->value.octet_string), digest, len) != 0)
		return "the signed content was changed";
	value = attribute_value(attributes, "1.2.840.113549.1.9.3", 0);
	if (type && (!value || value->type != V_ASN1_OBJECT ||
		     OBJ_cmp(value->value.object, type) != 0))
		return "its signed attributes name another type of content";
	return NULL;
}

/*
 * The older time stamping services put the bare digest into the RSA signature, without
 * the DigestInfo that names its algorithm, and Windows accepts that.
 */
static bool verify_bare(EVP_PKEY *key, struct bytes signature, struct bytes signed_octets,
			const EVP_MD *md)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;
	bool sound = false;

	if (context && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	    EVP_Digest(signed_octets.data, signed_octets.len, digest, &len, md, NULL) &&
	    EVP_PKEY_verify_init(context) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1)
		sound = EVP_PKEY_verify(context, signature.data, signature.len, digest,
					len) == 1;
	EVP_PKEY_CTX_free(context);
	return sound;
}

/* The signature is over the attributes as a SET, not with the tag they are stored by. */
static bool verify_attributes(const PKCS7_SIGNER_INFO *signer, EVP_PKEY *key,
			      const EVP_MD *md, bool bare)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	int len = ASN1_item_i2d((ASN1_VALUE *)signer->auth_attr, &der,
				ASN1_ITEM_rptr(PKCS7_ATTR_VERIFY));
	struct bytes signature = {
		ASN1_STRING_get0_data(signer->enc_digest),
		(size_t)ASN1_STRING_length(signer->enc_digest),
	};
	bool sound = false;

	if (context && len > 0) {
		struct bytes octets = {der, (size_t)len};

		sound = EVP_DigestVerifyInit(context, NULL, md, NULL, key) == 1 &&
			EVP_DigestVerify(context, signature.data, signature.len,
					 octets.data, octets.len) == 1;
		if (!sound && bare)
			sound = verify_bare(key, signature, octets, md);
	}
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return sound;
}

const char *signer_verify(PKCS7_SIGNER_INFO *signer, X509 *certificate,
			  struct bytes content, const ASN1_OBJECT *type)
{
	const EVP_MD *md = digest_of(signer_algorithm(signer));
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	uint8_t digest[EVP_MAX_MD_SIZE];
	const char *why;
	unsigned len;

	if (!md)
		return "its digest algorithm is none that Windows takes";
	if (!key || (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA &&
		     EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)) {
		ERR_clear_error();
		return "its key is none that Windows takes";
	}
	/*
	 * Authenticode always signs attributes; without, the octets of attributes could
	 * be passed off as content.
	 */
	if (sk_X509_ATTRIBUTE_num(signer->auth_attr) <= 0)
		return "it has no signed attributes";
	if (!EVP_Digest(content.data, content.len, digest, &len, md, NULL))
		return "its content cannot be digested";
	why = attributes_fit(signer->auth_attr, digest, len, type);
	if (!why && !verify_attributes(signer, key, md, type == NULL))
		why = "its signature does not verify";
	return why;
}
