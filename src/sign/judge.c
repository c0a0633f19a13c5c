/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From verified signatures to a verdict: who signed, whether Windows trusts that chain by
 * itself, whether the certificates were valid when the signature was made.
 */
#include <stdio.h>

#include "base/clock.h"
#include "sign/sign_private.h"

/* A signature may carry others with another digest algorithm; those carry none. */
#define NESTED_MAX 8

struct judging {
	const char *name; /* of the file, for reasons */
	content_check *content_fits;
	void *arg;
	struct signature *ret;
	bool first;
};

/* ---- one signer ---------------------------------------------------------------------
 */

static enum signer_kind kind_of(const struct chain *chain, const char *name,
				const struct purposes *purposes)
{
	bool microsoft = chain->end == CHAIN_KNOWN_ROOT && !chain->root.cross;

	if (microsoft && purposes->attested)
		return SIGNER_ATTESTATION;
	if (microsoft && purposes->whql)
		return SIGNER_WHQL;
	if (microsoft && purposes->windows)
		return SIGNER_INBOX;
	/* Visual Studio and the WDK make one of this name on every developer's machine.
	 */
	if (chain->end == CHAIN_SELF_SIGNED ||
	    (name && strncmp(name, "WDKTestCert", 11) == 0))
		return SIGNER_TEST;
	return SIGNER_VENDOR;
}

static void date_text(int64_t time, char text[CLOCK_TEXT_SIZE])
{
	clock_format(time, text);
	text[strcspn(text, "T")] = 0;
}

static void judge_chain(const struct chain *chain, const char *who, struct signature *s)
{
	if (chain->end == CHAIN_SELF_SIGNED && chain->len == 1)
		signature_decide(s, SIGNATURE_UNTRUSTED,
				 "%s: signed with a certificate that %s made for itself",
				 who, s->signer);
	else if (chain->end == CHAIN_SELF_SIGNED)
		signature_decide(
			s, SIGNATURE_UNTRUSTED,
			"%s: the certificate of %s comes from %s, a root of its own", who,
			s->signer, s->root);
	else if (chain->end == CHAIN_INCOMPLETE)
		signature_decide(
			s, SIGNATURE_UNTRUSTED,
			"%s: the certificates of %s lead to %s, not to a root of "
			"Microsoft",
			who, s->signer, s->root);
}

/* With a sound stamp the certificates count as of then, else as of now. */
static void judge_time(const struct chain *chain, const char *who, struct signature *s)
{
	X509 *certificate =
		chain_invalid_at(chain, s->stamped ? s->stamped : clock_now());
	_cleanup_free_ char *name =
		certificate ? name_common(X509_get_subject_name(certificate)) : NULL;
	char date[CLOCK_TEXT_SIZE];
	int64_t to = 0;

	if (!certificate || s->verdict != SIGNATURE_VALID)
		return;
	if (s->stamped) {
		date_text(s->stamped, date);
		signature_decide(s, SIGNATURE_UNTRUSTED,
				 "%s: signed on %s, when the certificate of %s was not "
				 "valid",
				 who, date, name ? name : "its signer");
		return;
	}
	/* A clock that is set to the past (SOURCE_DATE_EPOCH) makes nothing invalid. */
	if (!time_of(X509_get0_notAfter(certificate), &to) || to > clock_now())
		return;
	date_text(to, date);
	signature_decide(s, SIGNATURE_UNTRUSTED,
			 "%s: the certificate of %s expired on %s, and no time stamp "
			 "proves that it was used before",
			 who, name ? name : "its signer", date);
}

static void judge_signer(const struct signed_data *data, PKCS7_SIGNER_INFO *signer,
			 const char *who, struct signature *s)
{
	STACK_OF(X509) *pool = signed_data_certificates(data);
	X509 *leaf = signer_certificate(signer, pool);
	struct purposes purposes;
	struct chain chain;
	const char *why;

	if (!leaf) {
		signature_decide(s, SIGNATURE_MISMATCH,
				 "%s: the certificate of its signer is not in it", who);
		return;
	}
	s->signer = name_common(X509_get_subject_name(leaf));
	if (!s->signer)
		s->signer = xstrdup("(no name)");
	why = signer_verify(signer, leaf, data->content,
			    data->pkcs7->d.sign->contents->type);
	if (why) {
		signature_decide(s, SIGNATURE_MISMATCH, "%s: %s", who, why);
		return;
	}
	s->verdict = SIGNATURE_VALID;
	*(signer_algorithm(signer) == NID_sha1 ? &s->sha1 : &s->sha2) = true;
	chain_build(leaf, pool, &chain);
	purposes = certificate_purposes(leaf);
	s->root = chain_root_name(&chain);
	if (!s->root)
		s->root = xstrdup("(no name)");
	s->kind = kind_of(&chain, s->signer, &purposes);
	s->cross_signed = chain.end == CHAIN_KNOWN_ROOT && chain.root.cross;
	if (!signer_stamped(signer, pool, &s->stamped))
		s->stamped = 0;
	judge_chain(&chain, who, s);
	if (s->verdict == SIGNATURE_VALID && purposes.limited && !purposes.code_signing)
		signature_decide(s, SIGNATURE_UNTRUSTED,
				 "%s: the certificate of %s is not for signing code", who,
				 s->signer);
	judge_time(&chain, who, s);
}

/* ---- all of them --------------------------------------------------------------------
 */

/* Windows looks at the first one; further ones can only make it better. */
static void merge(struct judging *j, struct signature *s)
{
	bool better =
		s->verdict == SIGNATURE_VALID && j->ret->verdict == SIGNATURE_UNTRUSTED;
	bool sha1 = j->ret->sha1 | s->sha1, sha2 = j->ret->sha2 | s->sha2;

	if (j->first || better) {
		signature_free(j->ret);
		*j->ret = *s;
		*s = (struct signature){0};
	} else {
		signature_free(s);
	}
	j->first = false;
	j->ret->sha1 = sha1;
	j->ret->sha2 = sha2;
}

static void judge_one(struct judging *j, const struct signed_data *data,
		      PKCS7_SIGNER_INFO *signer)
{
	struct signature s = {0};
	const char *why = j->content_fits(data, j->arg);

	if (why)
		signature_decide(&s, SIGNATURE_MISMATCH, "%s: %s", j->name, why);
	else
		judge_signer(data, signer, j->name, &s);
	merge(j, &s);
}

static void judge_nested(struct judging *j, const PKCS7_SIGNER_INFO *signer)
{
	for (int i = 0; i < NESTED_MAX; i++) {
		const ASN1_TYPE *value =
			attribute_value(signer->unauth_attr, OID_NESTED_SIGNATURE, i);
		struct signed_data nested;
		PKCS7_SIGNER_INFO *own;

		if (!value || value->type != V_ASN1_SEQUENCE)
			break;
		if (!signed_data_parse(
			    (struct bytes){
				    ASN1_STRING_get0_data(value->value.sequence),
				    (size_t)ASN1_STRING_length(value->value.sequence)},
			    &nested))
			continue;
		own = signed_data_signer(&nested, 0);
		if (own)
			judge_one(j, &nested, own);
		signed_data_free(&nested);
	}
}

void signed_data_judge(const struct signed_data *data, const char *name,
		       content_check *content_fits, void *arg, struct signature *ret)
{
	struct judging j = {name, content_fits, arg, ret, true};
	PKCS7_SIGNER_INFO *signer;

	*ret = (struct signature){0};
	for (int i = 0; (signer = signed_data_signer(data, i)); i++)
		judge_one(&j, data, signer);
	if ((signer = signed_data_signer(data, 0)))
		judge_nested(&j, signer);
	else
		signature_decide(ret, SIGNATURE_UNSIGNED, "%s: nobody signed it", name);
}
