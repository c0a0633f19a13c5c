/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The signer that a catalog names. */
#include "injector/catalog.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "base/text.h"

static char *common_name(X509 *certificate)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	X509_NAME_ENTRY *entry = at >= 0 ? X509_NAME_get_entry(subject, at) : NULL;
	unsigned char *utf8 = NULL;
	char *name = NULL;
	int n;

	if (!entry)
		return NULL;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
	/* A name with a NUL in it is an old trick to look like another one. */
	if (n > 0 && n < 1024 && !memchr(utf8, 0, (size_t)n) &&
	    utf8_valid(utf8, (size_t)n))
		name = xstrndup((char *)utf8, (size_t)n);
	OPENSSL_free(utf8);
	return name;
}

char *catalog_signer(struct bytes catalog)
{
	const unsigned char *p = catalog.data;
	PKCS7 *pkcs7 = NULL;
	STACK_OF(X509) *signers = NULL;
	char *name = NULL;

	if (catalog.len > 0 && catalog.len <= LONG_MAX)
		pkcs7 = d2i_PKCS7(NULL, &p, (long)catalog.len);
	if (pkcs7 && PKCS7_type_is_signed(pkcs7))
		signers = PKCS7_get0_signers(pkcs7, NULL, 0);
	if (signers && sk_X509_num(signers) > 0)
		name = common_name(sk_X509_value(signers, 0));
	sk_X509_free(signers);
	PKCS7_free(pkcs7);
	ERR_clear_error();
	return name;
}

uint32_t catalog_signer_score(const char *signer)
{
	static const struct {
		const char *name;
		uint32_t score;
	} known[] = {
		{"Microsoft Windows", SIGNER_SCORE_INBOX},
		{"Microsoft Windows Hardware Compatibility Publisher", SIGNER_SCORE_WHQL},
		{"Microsoft Windows Hardware Compatibility", SIGNER_SCORE_WHQL},
	};

	if (!signer)
		return SIGNER_SCORE_UNSIGNED;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(signer, known[i].name) == 0)
			return known[i].score;
	return SIGNER_SCORE_AUTHENTICODE;
}
