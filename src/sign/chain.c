/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Chains of certificates out of the unordered heap that a signature carries. A CA may be
 * in it several times, once under its own root and once cross-signed by another: all ways
 * are tried and the one that ends best is taken.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "sign/sign_private.h"

/* Certificates with one name could make many ways; this many signatures are verified. */
#define VERIFY_MAX 64

#define NAME_LEN_MAX 1024

struct search {
	const STACK_OF(X509) * pool;
	struct chain current, *best;
	bool found;
	unsigned verified;
};

bool oid_is(const ASN1_OBJECT *object, const char *oid)
{
	char text[128];

	return object && OBJ_obj2txt(text, sizeof(text), object, 1) > 0 &&
	       strcmp(text, oid) == 0;
}

bool time_of(const ASN1_TIME *time, int64_t *ret)
{
	struct tm tm;

	if (!time || !ASN1_TIME_to_tm(time, &tm))
		return false;
	*ret = timegm(&tm);
	return true;
}

static char *name_entry(const X509_NAME *name, int nid)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1), last = at;
	unsigned char *utf8 = NULL;
	X509_NAME_ENTRY *entry;
	char *text = NULL;
	int n;

	while (last >= 0) {
		at = last;
		last = X509_NAME_get_index_by_NID(name, nid, last);
	}
	entry = at >= 0 ? X509_NAME_get_entry(name, at) : NULL;
	if (!entry)
		return NULL;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
	/* A name with a NUL in it is an old trick to look like another one. */
	if (n > 0 && n < NAME_LEN_MAX && !memchr(utf8, 0, (size_t)n) &&
	    utf8_valid(utf8, (size_t)n))
		text = xstrndup((char *)utf8, (size_t)n);
	OPENSSL_free(utf8);
	return text;
}

char *name_common(const X509_NAME *name)
{
	static const int kinds[] = {NID_commonName, NID_organizationalUnitName,
				    NID_organizationName};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *text = name_entry(name, kinds[i]);

		if (text)
			return text;
	}
	return NULL;
}

struct purposes certificate_purposes(X509 *certificate)
{
	struct purposes p = {0};
	EXTENDED_KEY_USAGE *usages =
		X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	const struct {
		const char *oid;
		bool *flag;
	} known[] = {
		{"1.3.6.1.5.5.7.3.3", &p.code_signing},
		{"1.3.6.1.5.5.7.3.8", &p.time_stamping},
		/* Windows Hardware Driver Verification and its extended form */
		{"1.3.6.1.4.1.311.10.3.5", &p.whql},
		{"1.3.6.1.4.1.311.10.3.39", &p.whql},
		/* Windows Hardware Driver Attested Verification */
		{"1.3.6.1.4.1.311.10.3.5.1", &p.attested},
		/* Windows System Component Verification */
		{"1.3.6.1.4.1.311.10.3.6", &p.windows},
	};

	p.limited = usages != NULL;
	for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			if (oid_is(sk_ASN1_OBJECT_value(usages, i), known[k].oid))
				*known[k].flag = true;
	EXTENDED_KEY_USAGE_free(usages);
	return p;
}

/* Could it have issued the certificate: by names, key identifiers and its own purpose? */
static bool may_be_issuer(X509 *certificate, X509 *issuer)
{
	/* X509_V_OK, or what of the extensions contradicts. */
	return X509_NAME_cmp(X509_get_issuer_name(certificate),
			     X509_get_subject_name(issuer)) == 0 &&
	       X509_check_issued(issuer, certificate) == X509_V_OK &&
	       X509_check_ca(issuer) > 0;
}

static bool issued_by(struct search *s, X509 *certificate, X509 *issuer)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	if (!key || s->verified >= VERIFY_MAX)
		return false;
	s->verified++;
	return X509_verify(certificate, key) == 1;
}

static void take(struct search *s, enum chain_end end, struct root root)
{
	if (s->found && s->best->end >= end)
		return;
	s->found = true;
	*s->best = s->current;
	s->best->end = end;
	s->best->root = root;
}

static bool in_chain(const struct chain *chain, const X509 *certificate)
{
	for (size_t i = 0; i < chain->len; i++)
		if (X509_cmp(chain->certificates[i], certificate) == 0)
			return true;
	return false;
}

/* Depth is bounded by CHAIN_MAX, breadth by VERIFY_MAX. */
static void extend(struct search *s, X509 *certificate)
{
	struct root root = {0};
	bool extended = false;

	s->current.certificates[s->current.len++] = certificate;
	if (root_find(certificate, &root)) {
		take(s, CHAIN_KNOWN_ROOT, root);
		s->current.len--;
		return;
	}
	if (may_be_issuer(certificate, certificate) ||
	    X509_NAME_cmp(X509_get_issuer_name(certificate),
			  X509_get_subject_name(certificate)) == 0) {
		if (issued_by(s, certificate, certificate))
			take(s, CHAIN_SELF_SIGNED, root);
	} else {
		for (int i = 0; i < sk_X509_num(s->pool) && i < MAX_CERTIFICATES; i++) {
			X509 *issuer = sk_X509_value(s->pool, i);

			if (s->current.len < CHAIN_MAX &&
			    !in_chain(&s->current, issuer) &&
			    may_be_issuer(certificate, issuer) &&
			    issued_by(s, certificate, issuer)) {
				extended = true;
				extend(s, issuer);
			}
		}
		if (!extended)
			take(s, CHAIN_INCOMPLETE, root);
	}
	s->current.len--;
}

void chain_build(X509 *leaf, const STACK_OF(X509) * pool, struct chain *ret)
{
	struct search s = {.pool = pool, .best = ret};

	*ret = (struct chain){.certificates = {leaf}, .len = 1};
	extend(&s, leaf);
	ERR_clear_error();
}

char *chain_root_name(const struct chain *chain)
{
	if (chain->end == CHAIN_KNOWN_ROOT)
		return xstrdup(chain->root.name);
	return name_common(X509_get_issuer_name(chain->certificates[chain->len - 1]));
}

X509 *chain_invalid_at(const struct chain *chain, int64_t time)
{
	for (size_t i = 0; i < chain->len; i++) {
		X509 *certificate = chain->certificates[i];
		int64_t from, to;

		if (!time_of(X509_get0_notBefore(certificate), &from) ||
		    !time_of(X509_get0_notAfter(certificate), &to) || time < from ||
		    time > to)
			return certificate;
	}
	return NULL;
}
