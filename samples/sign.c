/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "samples/sign.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/text.h"

#define KEY_BITS 1024 /* quick to make; nobody trusts it anyway */
#define EXPONENT 65537

#define SIGNED_DATA "1.2.840.113549.1.7.2"
#define PLAIN_DATA "1.2.840.113549.1.7.1"
#define INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"

static void must(bool held, const char *what)
{
	if (held)
		return;
	ERR_print_errors_fp(stderr);
	fprintf(stderr, "sample signatures: %s\n", what);
	abort();
}

/* ---- keys and certificates ----------------------------------------------------------
 */

/* The first prime from a number that only the name decides. */
static BIGNUM *prime(const char *name, unsigned which)
{
	uint8_t bytes[KEY_BITS / 16];
	BIGNUM *p, *rest = BN_new();
	BN_CTX *context = BN_CTX_new();

	for (size_t at = 0; at < sizeof(bytes); at += 32) {
		_cleanup_free_ char *seed = xasprintf("%s/%u/%zu", name, which, at);

		must(EVP_Digest(seed, strlen(seed), bytes + at, NULL, EVP_sha256(), NULL),
		     "no SHA-256");
	}
	bytes[0] |= 0xC0;
	bytes[sizeof(bytes) - 1] |= 1;
	p = BN_bin2bn(bytes, sizeof(bytes), NULL);
	must(p && rest && context, "no memory");
	for (;; BN_add_word(p, 2)) {
		/* The exponent must have an inverse modulo p - 1. */
		if (BN_mod_word(p, EXPONENT) == 1)
			continue;
		if (BN_check_prime(p, context, NULL) == 1)
			break;
	}
	BN_free(rest);
	BN_CTX_free(context);
	return p;
}

static EVP_PKEY *rsa_key(const char *name)
{
	BIGNUM *p = prime(name, 0), *q = prime(name, 1), *n = BN_new(), *d = BN_new(),
	       *e = BN_new(), *phi = BN_new(), *p1 = BN_dup(p), *q1 = BN_dup(q);
	BN_CTX *context = BN_CTX_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	must(BN_set_word(e, EXPONENT) && BN_sub_word(p1, 1) && BN_sub_word(q1, 1) &&
		     BN_mul(n, p, q, context) && BN_mul(phi, p1, q1, context) &&
		     BN_mod_inverse(d, e, phi, context),
	     "no key");
	must(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
		     OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) &&
		     OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d),
	     "no key");
	params = OSSL_PARAM_BLD_to_param(build);
	must(EVP_PKEY_fromdata_init(making) == 1 &&
		     EVP_PKEY_fromdata(making, &key, EVP_PKEY_KEYPAIR, params) == 1,
	     "no key");
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(making);
	BN_CTX_free(context);
	BIGNUM *all[] = {p, q, n, d, e, phi, p1, q1};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		BN_free(all[i]);
	return key;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension && X509_add_ext(certificate, extension, -1), "no extension");
	X509_EXTENSION_free(extension);
}

struct identity identity_make(const struct identity_options *o)
{
	struct identity id = {
		.key = o->elliptic ? EVP_EC_gen("P-256") : rsa_key(o->name),
		.certificate = X509_new(),
	};
	X509 *c = id.certificate, *issuer = o->issuer ? o->issuer->certificate : c;
	X509_NAME *name = X509_get_subject_name(c);
	uint8_t serial[32];
	BIGNUM *number;

	must(id.key && c && X509_set_version(c, X509_VERSION_3), "no certificate");
	must(EVP_Digest(o->name, strlen(o->name), serial, NULL, EVP_sha256(), NULL),
	     "no SHA-256");
	number = BN_bin2bn(serial, 8, NULL);
	must(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(c)) != NULL, "no number");
	BN_free(number);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					(const unsigned char *)o->name, -1, -1, 0) &&
		     X509_set_issuer_name(c, X509_get_subject_name(issuer)) &&
		     ASN1_TIME_set(X509_getm_notBefore(c), o->from) &&
		     ASN1_TIME_set(X509_getm_notAfter(c), o->to) &&
		     X509_set_pubkey(c, id.key),
	     "no certificate");
	add_extension(c, issuer, NID_basic_constraints,
		      o->authority ? "critical,CA:TRUE" : "CA:FALSE");
	add_extension(c, issuer, NID_subject_key_identifier, "hash");
	if (o->issuer)
		add_extension(c, issuer, NID_authority_key_identifier, "keyid");
	if (o->purposes)
		add_extension(c, issuer, NID_ext_key_usage, o->purposes);
	must(X509_sign(c, o->issuer ? o->issuer->key : id.key, EVP_sha256()) > 0,
	     "the certificate cannot be signed");
	return id;
}

void identity_free(struct identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
	*identity = (struct identity){0};
}

/* ---- DER ----------------------------------------------------------------------------
 */

#define SEQUENCE 0x30
#define SET 0x31
#define OCTETS 0x04

/* Everything is put in front of nothing: begin remembers where, end writes the header. */
static size_t der_begin(const struct buffer *b)
{
	return b->len;
}

static void der_end(struct buffer *b, size_t start, uint8_t tag)
{
	size_t len = b->len - start, header = 2;
	uint8_t head[6] = {tag};

	if (len < 0x80) {
		head[1] = (uint8_t)len;
	} else {
		size_t bytes = len < 0x100 ? 1 : len < 0x10000 ? 2 : 3;

		head[1] = (uint8_t)(0x80 | bytes);
		for (size_t i = 0; i < bytes; i++)
			head[2 + i] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
		header += bytes;
	}
	buffer_reserve(b, header);
	memmove(b->data + start + header, b->data + start, len);
	memcpy(b->data + start, head, header);
	b->len += header;
}

static void der_put(struct buffer *b, uint8_t tag, const void *data, size_t len)
{
	size_t start = der_begin(b);

	buffer_append(b, data, len);
	der_end(b, start, tag);
}

static void der_oid(struct buffer *b, const char *oid)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

	must(object != NULL, oid);
	der_put(b, 0x06, OBJ_get0_data(object), OBJ_length(object));
	ASN1_OBJECT_free(object);
}

static void der_int(struct buffer *b, uint8_t value)
{
	der_put(b, 0x02, &value, 1);
}

/* AlgorithmIdentifier with NULL parameters. */
static void der_algorithm(struct buffer *b, const char *oid)
{
	size_t start = der_begin(b);

	der_oid(b, oid);
	der_put(b, 0x05, NULL, 0);
	der_end(b, start, SEQUENCE);
}

static void der_digest_algorithm(struct buffer *b, const EVP_MD *md)
{
	char oid[64];

	OBJ_obj2txt(oid, sizeof(oid), OBJ_nid2obj(EVP_MD_get_type(md)), 1);
	der_algorithm(b, oid);
}

#define UTC_TIME 0x17
#define GENERALIZED_TIME 0x18
static void der_time(struct buffer *b, uint8_t tag, int64_t time)
{
	time_t t = (time_t)time;
	size_t len, skip;
	struct tm tm;
	char text[32];

	gmtime_r(&t, &tm);
	len = strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	skip = tag == UTC_TIME ? 2 : 0; /* that one is without the century */
	der_put(b, tag, text + skip, len - skip);
}

static void der_certificate(struct buffer *b, const X509 *certificate)
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);

	must(len > 0, "no certificate");
	buffer_append(b, der, (size_t)len);
	OPENSSL_free(der);
}

/* Attribute with one value, whose DER is given. */
static void der_attribute(struct buffer *b, const char *oid, const struct buffer *value)
{
	size_t start = der_begin(b), set;

	der_oid(b, oid);
	set = der_begin(b);
	buffer_append(b, value->data, value->len);
	der_end(b, set, SET);
	der_end(b, start, SEQUENCE);
}

/* ---- signing ------------------------------------------------------------------------
 */

static void append_signature(struct buffer *b, EVP_PKEY *key, const EVP_MD *md,
			     struct bytes data)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[512];
	size_t len = sizeof(signature);

	must(EVP_DigestSignInit(context, NULL, md, NULL, key) == 1 &&
		     EVP_DigestSign(context, signature, &len, data.data, data.len) == 1,
	     "cannot sign");
	EVP_MD_CTX_free(context);
	buffer_append(b, signature, len);
}

/* PKCS #1 padding around the digest alone. */
static void append_bare_signature(struct buffer *b, EVP_PKEY *key, const EVP_MD *md,
				  struct bytes data)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	uint8_t digest[EVP_MAX_MD_SIZE], signature[512];
	size_t len = sizeof(signature);
	unsigned digest_len;

	must(EVP_Digest(data.data, data.len, digest, &digest_len, md, NULL) &&
		     EVP_PKEY_sign_init(context) == 1 &&
		     EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
		     EVP_PKEY_sign(context, signature, &len, digest, digest_len) == 1,
	     "cannot sign");
	EVP_PKEY_CTX_free(context);
	buffer_append(b, signature, len);
}

static void signed_attributes(struct buffer *b, const char *type, struct bytes content,
			      const EVP_MD *md, int64_t time)
{
	_cleanup_buffer_ struct buffer value = BUFFER_INIT;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;

	der_oid(&value, type);
	der_attribute(b, "1.2.840.113549.1.9.3", &value);
	if (time) {
		value.len = 0;
		der_time(&value, UTC_TIME, time);
		der_attribute(b, "1.2.840.113549.1.9.5", &value);
	}
	must(EVP_Digest(content.data, content.len, digest, &len, md, NULL), "no digest");
	value.len = 0;
	der_put(&value, OCTETS, digest, len);
	der_attribute(b, "1.2.840.113549.1.9.4", &value);
}

struct signing {
	const struct identity *signer;
	const EVP_MD *md;
	const char *type;
	struct bytes content;
	int64_t time;
	bool bare, without_attributes;
	const struct buffer *unsigned_attributes;
	struct buffer *signature; /* a copy of the value, for stamps */
};

/* SignerInfo of PKCS #7, version 1. */
static void signer_info(struct buffer *b, const struct signing *s)
{
	_cleanup_buffer_ struct buffer attributes = BUFFER_INIT, set = BUFFER_INIT,
				       value = BUFFER_INIT;
	size_t start = der_begin(b), who;
	X509 *certificate = s->signer->certificate;
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	bool rsa = EVP_PKEY_get_base_id(s->signer->key) == EVP_PKEY_RSA;
	unsigned char *der = NULL;
	struct bytes over;
	int len;

	der_int(b, 1);
	who = der_begin(b);
	len = i2d_X509_NAME(X509_get_issuer_name(certificate), &der);
	buffer_append(b, der, (size_t)len);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_ASN1_INTEGER((ASN1_INTEGER *)serial, &der);
	buffer_append(b, der, (size_t)len);
	OPENSSL_free(der);
	der_end(b, who, SEQUENCE);
	der_digest_algorithm(b, s->md);
	if (!s->without_attributes) {
		signed_attributes(&attributes, s->type, s->content, s->md, s->time);
		der_put(b, 0xA0, attributes.data, attributes.len);
		der_put(&set, SET, attributes.data, attributes.len);
	}
	der_algorithm(b, rsa ? "1.2.840.113549.1.1.1" : "1.2.840.10045.4.3.2");
	over = s->without_attributes ? s->content : buffer_view(&set);
	if (s->bare)
		append_bare_signature(&value, s->signer->key, s->md, over);
	else
		append_signature(&value, s->signer->key, s->md, over);
	der_put(b, OCTETS, value.data, value.len);
	if (s->signature)
		buffer_append(s->signature, value.data, value.len);
	if (s->unsigned_attributes && s->unsigned_attributes->len)
		der_put(b, 0xA1, s->unsigned_attributes->data,
			s->unsigned_attributes->len);
	der_end(b, start, SEQUENCE);
}

/* ContentInfo around SignedData; `whole` is the content's DER, `info` the signers'. */
static void signed_data(struct buffer *b, uint8_t version, const char *type,
			struct bytes whole, const EVP_MD *md,
			const X509 *const *certificates, const struct buffer *infos)
{
	size_t start = der_begin(b), outer, data, part;

	der_oid(b, SIGNED_DATA);
	outer = der_begin(b);
	data = der_begin(b);
	der_int(b, version);
	part = der_begin(b);
	der_digest_algorithm(b, md);
	der_end(b, part, SET);
	part = der_begin(b);
	der_oid(b, type);
	der_put(b, 0xA0, whole.data, whole.len);
	der_end(b, part, SEQUENCE);
	part = der_begin(b);
	for (size_t i = 0; certificates[i]; i++)
		der_certificate(b, certificates[i]);
	if (b->len > part)
		der_end(b, part, 0xA0);
	der_put(b, SET, infos->data, infos->len);
	der_end(b, data, SEQUENCE);
	der_end(b, outer, 0xA0);
	der_end(b, start, SEQUENCE);
}

/* ---- time stamps --------------------------------------------------------------------
 */

static void stamp_token(struct buffer *b, const struct sign_options *o,
			struct bytes signature)
{
	_cleanup_buffer_ struct buffer info = BUFFER_INIT, whole = BUFFER_INIT,
				       signers = BUFFER_INIT;
	const X509 *certificates[] = {o->stamper->certificate, NULL};
	uint8_t digest[32];
	size_t start = der_begin(&info), imprint;

	der_int(&info, 1);
	der_oid(&info, "1.2.3.4.1");
	imprint = der_begin(&info);
	der_digest_algorithm(&info, EVP_sha256());
	must(EVP_Digest(signature.data, signature.len, digest, NULL, EVP_sha256(), NULL),
	     "no digest");
	der_put(&info, OCTETS, digest, sizeof(digest));
	der_end(&info, imprint, SEQUENCE);
	der_int(&info, 1);
	der_time(&info, GENERALIZED_TIME, o->stamped);
	der_end(&info, start, SEQUENCE);
	der_put(&whole, OCTETS, info.data, info.len);
	signer_info(&signers, &(struct signing){
				      .signer = o->stamper,
				      .md = EVP_sha256(),
				      .type = "1.2.840.113549.1.9.16.1.4",
				      .content = buffer_view(&info),
			      });
	signed_data(b, 3, "1.2.840.113549.1.9.16.1.4", buffer_view(&whole), EVP_sha256(),
		    certificates, &signers);
}

/* The unsigned attribute that proves the time, if one is wanted. */
static void stamp_attribute(struct buffer *b, const struct sign_options *o,
			    struct bytes signature)
{
	_cleanup_buffer_ struct buffer value = BUFFER_INIT;

	if (o->stamp == STAMP_RFC3161) {
		stamp_token(&value, o, signature);
		der_attribute(b, "1.3.6.1.4.1.311.3.3.1", &value);
	} else if (o->stamp != STAMP_NONE) {
		signer_info(&value, &(struct signing){
					    .signer = o->stamper,
					    .md = EVP_sha1(),
					    .type = PLAIN_DATA,
					    .content = signature,
					    .time = o->stamped,
					    .bare = o->stamp == STAMP_BARE,
				    });
		der_attribute(b, "1.2.840.113549.1.9.6", &value);
	}
}

/* ---- signed data --------------------------------------------------------------------
 */

/* What a structure's digest is taken of: its content, without tag and length. */
static struct bytes without_header(struct bytes der)
{
	const uint8_t *p = der.data;
	int tag, class;
	long len;

	must(!(ASN1_get_object(&p, &len, &tag, &class, (long)der.len) & 0x80), "no DER");
	return (struct bytes){p, (size_t)len};
}

void sign_make(const char *content_type, struct bytes content,
	       const struct sign_options *o, struct buffer *out)
{
	_cleanup_buffer_ struct buffer infos = BUFFER_INIT, others = BUFFER_INIT,
				       value = BUFFER_INIT;
	const EVP_MD *md = o && o->digest ? o->digest : EVP_sha256();
	const X509 *certificates[SIGN_CERTIFICATES + 3] = {NULL};
	size_t count = 0;

	if (o) {
		struct signing s = {
			.signer = o->signer,
			.md = md,
			.type = content_type,
			.content = without_header(content),
			.without_attributes = o->without_attributes,
			.signature = &value,
		};

		/* Twice: stamps are over the signature, which RSA makes the same. */
		signer_info(&infos, &s);
		stamp_attribute(&others, o, buffer_view(&value));
		if (o->nested.len) {
			struct buffer nested = {(uint8_t *)o->nested.data, o->nested.len,
						0};

			der_attribute(&others, "1.3.6.1.4.1.311.2.4.1", &nested);
		}
		if (others.len) {
			infos.len = 0;
			s.signature = NULL;
			s.unsigned_attributes = &others;
			signer_info(&infos, &s);
		}
		if (!o->without_certificate)
			certificates[count++] = o->signer->certificate;
		for (size_t i = 0; i < SIGN_CERTIFICATES && o->certificates[i]; i++)
			certificates[count++] = o->certificates[i];
		if (o->stamp != STAMP_NONE)
			certificates[count++] = o->stamper->certificate;
	}
	signed_data(out, 1, content_type, content, md, certificates, &infos);
}

/* ---- catalogs -----------------------------------------------------------------------
 */

/* SpcIndirectDataContent of a PE: which digest, of the image without page hashes. */
static void indirect_data(struct buffer *b, bool pe, const EVP_MD *md,
			  const uint8_t *digest)
{
	static const uint8_t flags[] = {0x03, 0x01, 0x00, 0xA0, 0x04,
					0xA2, 0x02, 0x80, 0x00};
	static const uint8_t link[] = {0xA2, 0x02, 0x80, 0x00};
	size_t start = der_begin(b), part = der_begin(b);

	der_oid(b, pe ? "1.3.6.1.4.1.311.2.1.15" : "1.3.6.1.4.1.311.2.1.25");
	if (pe)
		der_put(b, SEQUENCE, flags, sizeof(flags));
	else
		buffer_append(b, link, sizeof(link));
	der_end(b, part, SEQUENCE);
	part = der_begin(b);
	der_digest_algorithm(b, md);
	der_put(b, OCTETS, digest, (size_t)EVP_MD_get_size(md));
	der_end(b, part, SEQUENCE);
	der_end(b, start, SEQUENCE);
}

/* CatalogNameValue: SEQUENCE { BMPString, INTEGER, OCTET STRING of UTF-16LE }. */
static void name_value(struct buffer *b, const char *name, const char *text)
{
	static const uint8_t kind[] = {0x02, 0x04, 0x10, 0x01, 0x00, 0x01};
	_cleanup_buffer_ struct buffer pair = BUFFER_INIT, wide = BUFFER_INIT;
	size_t start = der_begin(&pair);

	for (const char *p = name; *p; p++)
		buffer_append(&wide, (const char[]){0, *p}, 2);
	der_put(&pair, 0x1E, wide.data, wide.len);
	buffer_append(&pair, kind, sizeof(kind));
	wide.len = 0;
	for (const char *p = text;; p++) {
		buffer_append_le16(&wide, (uint8_t)*p);
		if (!*p)
			break;
	}
	der_put(&pair, OCTETS, wide.data, wide.len);
	der_end(&pair, start, SEQUENCE);
	der_attribute(b, "1.3.6.1.4.1.311.12.2.1", &pair);
}

static bool is_pe(struct bytes file)
{
	return file.len > 0x80 && file.data[0] == 'M' && file.data[1] == 'Z';
}

static void member_digest(struct bytes file, const EVP_MD *md, uint8_t *digest)
{
	if (is_pe(file))
		pe_digest(file, md, digest);
	else
		must(EVP_Digest(file.data ? file.data : (const uint8_t *)"", file.len,
				digest, NULL, md, NULL),
		     "no digest");
}

static void member(struct buffer *b, const struct catalog_options *o,
		   const struct catalog_member *m, const EVP_MD *md, bool bare)
{
	_cleanup_buffer_ struct buffer attributes = BUFFER_INIT, value = BUFFER_INIT;
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t start = der_begin(b), len = (size_t)EVP_MD_get_size(md);

	member_digest(m->file, md, digest);
	if (o->sha1) {
		_cleanup_buffer_ struct buffer tag = BUFFER_INIT;

		for (size_t i = 0; i < 2 * len; i++) {
			uint8_t nibble = (digest[i / 2] >> (i % 2 ? 0 : 4)) & 15;

			buffer_append_le16(&tag, (uint8_t) "0123456789ABCDEF"[nibble]);
		}
		buffer_append_le16(&tag, 0);
		der_put(b, OCTETS, tag.data, tag.len);
	} else {
		der_put(b, OCTETS, digest, len);
	}
	name_value(&attributes, "File", m->name);
	if (o->windows)
		name_value(&attributes, "OSAttr", o->windows);
	if (!bare) {
		indirect_data(&value, is_pe(m->file), md, digest);
		der_attribute(&attributes, INDIRECT_DATA, &value);
	}
	der_put(b, SET, attributes.data, attributes.len);
	der_end(b, start, SEQUENCE);
}

void catalog_list_make(const struct catalog_options *o, struct buffer *out)
{
	static const uint8_t identifier[16] = "sample catalog.";
	size_t start = der_begin(out), part = der_begin(out);

	der_oid(out, "1.3.6.1.4.1.311.12.1.1");
	der_end(out, part, SEQUENCE);
	der_put(out, OCTETS, identifier, sizeof(identifier));
	der_time(out, UTC_TIME, 1600000000);
	der_algorithm(out, o->sha1 ? "1.3.6.1.4.1.311.12.1.2" : "1.3.6.1.4.1.311.12.1.3");
	part = der_begin(out);
	for (size_t i = 0; i < o->count; i++)
		member(out, o, &o->members[i], o->sha1 ? EVP_sha1() : EVP_sha256(),
		       false);
	for (size_t i = 0; i < o->count && o->sha1_tags; i++)
		member(out, o, &o->members[i], EVP_sha1(), true);
	der_end(out, part, SEQUENCE);
	der_end(out, start, SEQUENCE);
}

void catalog_make(const struct catalog_options *o, struct buffer *out)
{
	_cleanup_buffer_ struct buffer list = BUFFER_INIT;

	catalog_list_make(o, &list);
	sign_make(CATALOG_TYPE, buffer_view(&list), o->sign, out);
}

/* ---- PE files -----------------------------------------------------------------------
 */

#define PE_OFFSET 0x3C
#define CHECKSUM 88	/* from the PE signature on */
#define DIRECTORIES 120 /* of PE32; 16 more in PE32+ */
#define SECURITY_ENTRY (4 * 8)

static size_t pe_header(struct bytes pe)
{
	must(pe.len > 0x200 && get_le32(pe.data + PE_OFFSET) < 0x100, "no PE");
	return get_le32(pe.data + PE_OFFSET);
}

static size_t security_entry(struct bytes pe)
{
	size_t header = pe_header(pe);
	bool wide = get_le16(pe.data + header + 24) == 0x20B;

	return header + DIRECTORIES + (wide ? 16 : 0) + SECURITY_ENTRY;
}

void pe_digest(struct bytes pe, const EVP_MD *md, uint8_t *digest)
{
	size_t checksum = pe_header(pe) + CHECKSUM, entry = security_entry(pe);
	size_t end = get_le32(pe.data + entry) ? get_le32(pe.data + entry) : pe.len;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	must(EVP_DigestInit_ex(context, md, NULL) &&
		     EVP_DigestUpdate(context, pe.data, checksum) &&
		     EVP_DigestUpdate(context, pe.data + checksum + 4,
				      entry - checksum - 4) &&
		     EVP_DigestUpdate(context, pe.data + entry + 8, end - entry - 8) &&
		     EVP_DigestFinal_ex(context, digest, NULL),
	     "no digest");
	EVP_MD_CTX_free(context);
}

static void set_checksum(struct buffer *pe)
{
	uint8_t *at = pe->data + pe_header(buffer_view(pe)) + CHECKSUM;
	uint32_t sum = 0;

	put_le32(at, 0);
	for (size_t i = 0; i + 1 < pe->len; i += 2) {
		sum += get_le16(pe->data + i);
		sum = (sum & 0xFFFF) + (sum >> 16);
	}
	put_le32(at, sum + (uint32_t)pe->len);
}

void pe_signature_make(struct bytes pe, const struct sign_options *o, struct buffer *out)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	const EVP_MD *md = o->digest ? o->digest : EVP_sha256();
	uint8_t digest[EVP_MAX_MD_SIZE];

	pe_digest(pe, md, digest);
	indirect_data(&data, true, md, digest);
	sign_make(INDIRECT_DATA, buffer_view(&data), o, out);
}

void pe_sign(struct buffer *pe, const struct sign_options *o)
{
	_cleanup_buffer_ struct buffer signature = BUFFER_INIT;
	size_t entry = security_entry(buffer_view(pe)), start, len;

	while (pe->len % 8)
		buffer_append(pe, "", 1);
	pe_signature_make(buffer_view(pe), o, &signature);
	start = pe->len;
	len = (signature.len + 8 + 7) / 8 * 8;
	buffer_append_le32(pe, (uint32_t)len);
	buffer_append_le16(pe, 0x0200);
	buffer_append_le16(pe, 2);
	buffer_append(pe, signature.data, signature.len);
	while (pe->len < start + len)
		buffer_append(pe, "", 1);
	put_le32(pe->data + entry, (uint32_t)start);
	put_le32(pe->data + entry + 4, (uint32_t)len);
	set_checksum(pe);
}

/* ---- the sample's own signer --------------------------------------------------------
 */

static struct identity root, leaf;
static struct sign_options own;

const struct sign_options *sample_signer(void)
{
	if (own.signer)
		return &own;
	root = identity_make(&(struct identity_options){
		.name = "Sample Driver Test Root",
		.authority = true,
		.from = 1577836800, /* 2020 */
		.to = 2208988800,   /* 2040 */
	});
	leaf = identity_make(&(struct identity_options){
		.name = "Sample Driver Test Signer",
		.issuer = &root,
		.purposes = "codeSigning",
		.from = 1577836800,
		.to = 2208988800,
	});
	own.signer = &leaf;
	own.certificates[0] = root.certificate;
	return &own;
}

void sample_signer_free(void)
{
	identity_free(&leaf);
	identity_free(&root);
	own = (struct sign_options){0};
}
