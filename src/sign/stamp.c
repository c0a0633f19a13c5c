/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Time stamps: a third party's word for when the signature was there, so that it outlives
 * the signer's certificate. Both forms sign the signature value itself: the older one is
 * a counter-signature (PKCS #9), the newer one a token of its own (RFC 3161).
 *
 * The authority's signature and purpose are verified; which authority it is, is left
 * open: the public ones' roots are not known here, and a stamp extends nothing but the
 * life of a certificate that is judged by itself.
 */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ts.h>

#include "sign/sign_private.h"

#define OID_COUNTERSIGNATURE "1.2.840.113549.1.9.6"
#define OID_SIGNING_TIME "1.2.840.113549.1.9.5"

static struct bytes string_bytes(const ASN1_STRING *string)
{
	return (struct bytes){ASN1_STRING_get0_data(string),
			      (size_t)ASN1_STRING_length(string)};
}

/* The authority's certificate was for stamps, and valid then. */
static bool authority_fits(X509 *certificate, const STACK_OF(X509) * pool, int64_t time)
{
	struct chain chain;

	chain_build(certificate, pool, &chain);
	/* A stamp that everybody can make for himself proves nothing. */
	if (chain.len == 1 && chain.end == CHAIN_SELF_SIGNED)
		return false;
	return certificate_purposes(certificate).time_stamping &&
	       !chain_invalid_at(&chain, time);
}

static bool counter_signature(const ASN1_TYPE *value, struct bytes signature,
			      STACK_OF(X509) * pool, int64_t *ret)
{
	const ASN1_STRING *der = value->value.sequence;
	const unsigned char *p = ASN1_STRING_get0_data(der);
	PKCS7_SIGNER_INFO *signer =
		d2i_PKCS7_SIGNER_INFO(NULL, &p, ASN1_STRING_length(der));
	X509 *certificate = signer ? signer_certificate(signer, pool) : NULL;
	const ASN1_TYPE *time =
		signer ? attribute_value(signer->auth_attr, OID_SIGNING_TIME, 0) : NULL;
	bool sound = false;

	if (certificate && time &&
	    (time->type == V_ASN1_UTCTIME || time->type == V_ASN1_GENERALIZEDTIME))
		sound = !signer_verify(signer, certificate, signature, NULL) &&
			time_of(time->value.asn1_string, ret) &&
			authority_fits(certificate, pool, *ret);
	PKCS7_SIGNER_INFO_free(signer);
	ERR_clear_error();
	return sound;
}

/* Does the token speak of this signature? */
static bool imprint_fits(TS_TST_INFO *info, struct bytes signature)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
	const ASN1_OBJECT *algorithm;
	struct bytes wanted;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;
	const EVP_MD *md;

	X509_ALGOR_get0(&algorithm, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
	md = EVP_get_digestbyobj(algorithm);
	wanted = string_bytes(TS_MSG_IMPRINT_get_msg(imprint));
	return md && EVP_Digest(signature.data, signature.len, digest, &len, md, NULL) &&
	       bytes_equal(wanted, (struct bytes){digest, len});
}

/*
 * Tokens are CMS in its full form (Microsoft's carry certificates of a kind that PKCS #7
 * does not know), with an octet string as content: CMS_verify() is for them.
 */
static bool rfc3161_stamp(const ASN1_TYPE *value, struct bytes signature,
			  STACK_OF(X509) * pool, int64_t *ret)
{
	const unsigned char *p = ASN1_STRING_get0_data(value->value.sequence), *q;
	CMS_ContentInfo *token =
		d2i_CMS_ContentInfo(NULL, &p, ASN1_STRING_length(value->value.sequence));
	ASN1_OCTET_STRING **content = token ? CMS_get0_content(token) : NULL;
	STACK_OF(X509) *own = token ? CMS_get1_certs(token) : NULL;
	STACK_OF(X509) *signers = NULL;
	TS_TST_INFO *info = NULL;
	bool sound = false;

	if (content && *content && oid_is(CMS_get0_eContentType(token), OID_TST_INFO)) {
		q = ASN1_STRING_get0_data(*content);
		info = d2i_TS_TST_INFO(NULL, &q, ASN1_STRING_length(*content));
	}
	if (info && imprint_fits(info, signature) &&
	    time_of(TS_TST_INFO_get_time(info), ret) &&
	    CMS_verify(token, pool, NULL, NULL, NULL, CMS_NO_SIGNER_CERT_VERIFY) == 1)
		signers = CMS_get0_signers(token);
	if (sk_X509_num(signers) > 0)
		sound = authority_fits(sk_X509_value(signers, 0), own ? own : pool, *ret);
	sk_X509_free(signers);
	TS_TST_INFO_free(info);
	sk_X509_pop_free(own, X509_free);
	CMS_ContentInfo_free(token);
	ERR_clear_error();
	return sound;
}

bool signer_stamped(const PKCS7_SIGNER_INFO *signer, STACK_OF(X509) * pool, int64_t *ret)
{
	static const struct {
		const char *oid;
		bool (*verify)(const ASN1_TYPE *, struct bytes, STACK_OF(X509) *,
			       int64_t *);
	} kinds[] = {
		{OID_RFC3161_STAMP, rfc3161_stamp},
		{OID_COUNTERSIGNATURE, counter_signature},
	};
	struct bytes signature = string_bytes(signer->enc_digest);

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (int i = 0; i < MAX_SIGNERS; i++) {
			const ASN1_TYPE *value =
				attribute_value(signer->unauth_attr, kinds[k].oid, i);

			if (!value || value->type != V_ASN1_SEQUENCE)
				break;
			if (kinds[k].verify(value, signature, pool, ret))
				return true;
		}
	}
	return false;
}
