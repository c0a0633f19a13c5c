/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Catalogs and signed PE files of the suite's own making (samples/sign.c, which shares no
 * code with src/sign): what verifies, what does not, and why. The root that counts as
 * Microsoft's is a test root here: this file's root_find() takes the place of roots.c.
 */
#include "test.h"

#include <openssl/evp.h>

#include "base/clock.h"
#include "samples/sign.h"
#include "sign/sign_private.h"

#define DAY ((int64_t)86400)
#define Y2020 ((int64_t)1577836800)
#define Y2040 ((int64_t)2208988800)

static struct {
	struct identity root, cross, middle, leaf, expired, stamper, alone, other_root,
		other_leaf, elliptic;
} ids;

bool root_find(X509 *certificate, struct root *ret)
{
	if (ids.root.key && X509_verify(certificate, ids.root.key) == 1) {
		*ret = (struct root){"Test Root", false};
		return true;
	}
	if (ids.cross.key && X509_verify(certificate, ids.cross.key) == 1) {
		*ret = (struct root){"Test Cross Root", true};
		return true;
	}
	return false;
}

static struct identity make(const char *name, const struct identity *issuer,
			    bool authority, const char *purposes, int64_t to)
{
	return identity_make(&(struct identity_options){
		.name = name,
		.issuer = issuer,
		.authority = authority,
		.purposes = purposes,
		.from = Y2020,
		.to = to,
	});
}

static int setup(void **state _unused_)
{
	ids.root = make("Test Root", NULL, true, NULL, Y2040);
	ids.cross = make("Test Cross Root", NULL, true, NULL, Y2040);
	ids.middle = make("Test PCA", &ids.root, true, NULL, Y2040);
	ids.leaf = make("Test Publisher", &ids.middle, false, "codeSigning", Y2040);
	ids.expired = make("Old Publisher", &ids.middle, false, "codeSigning",
			   Y2020 + 365 * DAY);
	ids.other_root = make("Foreign Root", NULL, true, NULL, Y2040);
	ids.stamper = make("Test Stamps", &ids.other_root, false, "critical,timeStamping",
			   Y2040);
	ids.other_leaf =
		make("Foreign Publisher", &ids.other_root, false, "codeSigning", Y2040);
	ids.alone = make("Alone", NULL, false, NULL, Y2040);
	ids.elliptic = identity_make(&(struct identity_options){
		.name = "Curve Publisher",
		.issuer = &ids.middle,
		.purposes = "codeSigning",
		.from = Y2020,
		.to = Y2040,
		.elliptic = true,
	});
	return 0;
}

static int teardown(void **state _unused_)
{
	struct identity *all = (struct identity *)&ids;

	for (size_t i = 0; i < sizeof(ids) / sizeof(*all); i++)
		identity_free(&all[i]);
	return 0;
}

/* ---- what is signed -----------------------------------------------------------------
 */

static const char inf_text[] = "[Version]\r\nSignature=\"$WINDOWS NT$\"\r\n";
static const struct bytes inf_file = {(const uint8_t *)inf_text, sizeof(inf_text) - 1};

/* A PE of that size: headers that lead to the right places, then noise. */
static void make_pe(struct buffer *b, bool wide, size_t size)
{
	buffer_reserve(b, size);
	for (size_t i = 0; i < size; i++)
		b->data[i] = (uint8_t)(i * 7 + i / 251);
	memset(b->data, 0, 0x200);
	b->len = size;
	memcpy(b->data, "MZ", 2);
	put_le32(b->data + 0x3C, 0x80);
	memcpy(b->data + 0x80, "PE\0\0", 4);
	put_le16(b->data + 0x84, wide ? 0x8664 : 0x14C);
	put_le16(b->data + 0x98, wide ? 0x20B : 0x10B);
	put_le32(b->data + 0x98 + (wide ? 108 : 92), 16);
}

static struct sign_options by(const struct identity *signer)
{
	return (struct sign_options){
		.signer = signer,
		.certificates = {ids.middle.certificate},
	};
}

/* A catalog of the INF and a PE. */
static void make_catalog(struct buffer *out, struct bytes pe,
			 const struct sign_options *sign)
{
	const struct catalog_member members[] = {{"a.inf", inf_file}, {"a.sys", pe}};

	catalog_make(&(struct catalog_options){.members = members,
					       .count = pe.len ? 2 : 1,
					       .windows = "2:6.3,2:10.0",
					       .sign = sign},
		     out);
}

/* The verdict on a catalog that these options sign; *ret is the test's to free. */
static enum signature_verdict verdict(const struct sign_options *sign,
				      struct signature *ret)
{
	_cleanup_buffer_ struct buffer der = BUFFER_INIT;
	_cleanup_catalog_ struct catalog *catalog = NULL;

	make_catalog(&der, (struct bytes){0}, sign);
	catalog = catalog_open(buffer_view(&der), "t.cat", NULL);
	assert_non_null(catalog);
	*ret = signature_copy(catalog_signature(catalog));
	return ret->verdict;
}

static void assert_reason(const struct signature *s, const char *part)
{
	if (!s->reason || !strstr(s->reason, part))
		fail_msg("\"%s\" is not in \"%s\"", part, s->reason ? s->reason : "");
}

/* That verdict, and a reason with that in it (NULL: none). */
static void assert_signature(struct signature *s, enum signature_verdict wanted,
			     const char *part)
{
	if (s->verdict != wanted)
		fail_msg("%s (%s), wanted %s", signature_verdict_name(s->verdict),
			 s->reason ? s->reason : "", signature_verdict_name(wanted));
	if (!part)
		assert_null(s->reason);
	else
		assert_reason(s, part);
	signature_free(s);
}

static void expect(const struct sign_options *sign, enum signature_verdict wanted,
		   const char *part)
{
	struct signature s;

	verdict(sign, &s);
	assert_signature(&s, wanted, part);
}

/* ---- digests ------------------------------------------------------------------------
 */

static void digests_are_authenticodes(void **state _unused_)
{
	/* 0x603 has no multiple of eight: the digest counts the padding to come. */
	static const size_t sizes[] = {0x600, 0x603, 0x1001};

	for (int wide = 0; wide < 2; wide++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			_cleanup_buffer_ struct buffer pe = BUFFER_INIT;
			struct file_digests before, after;
			struct sign_options sign = by(&ids.leaf);
			uint8_t wanted[32];

			make_pe(&pe, wide, sizes[i]);
			digest_file(buffer_view(&pe), DIGEST_SHA1 | DIGEST_SHA256,
				    &before);
			assert_true(before.pe);
			pe_sign(&pe, &sign);
			/* The table, its entry and the checksum are new, no more. */
			pe_digest(buffer_view(&pe), EVP_sha256(), wanted);
			assert_memory_equal(before.sha256, wanted, 32);
			pe_digest(buffer_view(&pe), EVP_sha1(), wanted);
			assert_memory_equal(before.sha1, wanted, 20);
			digest_file(buffer_view(&pe), DIGEST_SHA1 | DIGEST_SHA256,
				    &after);
			assert_memory_equal(before.sha256, after.sha256, 32);
			assert_memory_equal(before.sha1, after.sha1, 20);
			/* Data behind the table counts. */
			buffer_append(&pe, "12345678", 8);
			digest_file(buffer_view(&pe), DIGEST_SHA256, &after);
			assert_int_equal(after.present, DIGEST_SHA256);
			assert_memory_not_equal(before.sha256, after.sha256, 32);
		}
	}
}

static void digests_in_pieces(void **state _unused_)
{
	static const size_t steps[] = {1, 3, 64, 217, 5000};
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT;
	struct sign_options sign = by(&ids.leaf);
	struct file_digests whole, pieces;

	make_pe(&pe, true, 0x700);
	pe_sign(&pe, &sign);
	digest_file(buffer_view(&pe), DIGEST_SHA256, &whole);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct digesting *d = digesting_begin(
			bytes_at(buffer_view(&pe), 0, 0x200), pe.len, DIGEST_SHA256);

		for (size_t at = 0; at < pe.len; at += steps[i])
			digesting_add(d, pe.data + at,
				      pe.len - at < steps[i] ? pe.len - at : steps[i]);
		digesting_end(d, &pieces);
		assert_memory_equal(whole.sha256, pieces.sha256, 32);
	}
}

static void digests_of_others_are_flat(void **state _unused_)
{
	static const char *const files[] = {"", "M", "MZ", "MZ and no PE behind it"};
	struct file_digests digests;
	uint8_t wanted[32];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		EVP_Digest(files[i], strlen(files[i]), wanted, NULL, EVP_sha256(), NULL);
		digest_file((struct bytes){(const uint8_t *)files[i], strlen(files[i])},
			    DIGEST_SHA256, &digests);
		assert_false(digests.pe);
		assert_memory_equal(digests.sha256, wanted, 32);
	}
}

/* ---- catalogs -----------------------------------------------------------------------
 */

static bool covers(const struct catalog *catalog, struct bytes file)
{
	struct file_digests digests;

	digest_file(file, catalog_algorithms(catalog), &digests);
	return catalog_covers(catalog, &digests);
}

static void catalogs_know_their_files(void **state _unused_)
{
	static const struct {
		bool sha1, tags;
		unsigned algorithms;
		size_t members;
	} cases[] = {
		{true, false, DIGEST_SHA1, 2},
		{false, false, DIGEST_SHA256, 2},
		{false, true, DIGEST_SHA1 | DIGEST_SHA256, 4},
	};
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT;
	struct sign_options sign = by(&ids.leaf);

	make_pe(&pe, true, 0x800);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct catalog_member members[] = {{"a.inf", inf_file},
							 {"a.sys", buffer_view(&pe)}};
		_cleanup_buffer_ struct buffer der = BUFFER_INIT, changed = BUFFER_INIT;
		_cleanup_catalog_ struct catalog *catalog = NULL;
		struct file_digests sha1_only;

		catalog_make(&(struct catalog_options){.members = members,
						       .count = 2,
						       .sha1 = cases[i].sha1,
						       .sha1_tags = cases[i].tags,
						       .windows = "2:5.1,2:6.0,1:4.0,2:x",
						       .sign = &sign},
			     &der);
		catalog = catalog_open(buffer_view(&der), "t.cat", NULL);
		assert_non_null(catalog);
		assert_int_equal(catalog_signature(catalog)->verdict, SIGNATURE_VALID);
		assert_int_equal(catalog_algorithms(catalog), cases[i].algorithms);
		assert_int_equal(catalog_members(catalog), cases[i].members);
		assert_int_equal(catalog_windows(catalog)->len, 2);
		assert_string_equal(catalog_windows(catalog)->items[0], "5.1");
		assert_string_equal(catalog_windows(catalog)->items[1], "6.0");
		assert_true(covers(catalog, inf_file));
		assert_true(covers(catalog, buffer_view(&pe)));
		assert_false(covers(catalog, (struct bytes){0}));
		digest_file(inf_file, DIGEST_SHA1, &sha1_only);
		assert_int_equal(catalog_covers(catalog, &sha1_only),
				 (cases[i].algorithms & DIGEST_SHA1) != 0);
		/* The same PE with a signature in it is the same file. */
		buffer_append(&changed, pe.data, pe.len);
		pe_sign(&changed, &sign);
		assert_true(covers(catalog, buffer_view(&changed)));
		changed.data[0x300] ^= 1;
		assert_false(covers(catalog, buffer_view(&changed)));
	}
}

static void what_is_no_catalog(void **state _unused_)
{
	static const char *const texts[] = {"", "0", "\x30\x80", "no catalog\r\n",
					    "\x30\x84\xff\xff\xff\xff\x06"};
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT, signature = BUFFER_INIT;
	struct sign_options sign = by(&ids.leaf);
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_null(catalog_open(
			(struct bytes){(const uint8_t *)texts[i], strlen(texts[i])},
			"t.cat", &err));
		assert_int_equal(err.code, ERROR_FAILED);
		error_clear(&err);
	}
	/* A sound signature over something else. */
	make_pe(&pe, true, 0x600);
	pe_signature_make(buffer_view(&pe), &sign, &signature);
	assert_null(catalog_open(buffer_view(&signature), "t.cat", NULL));
}

/*
 * Whatever byte is changed: the catalog is none any more, or its signature is broken, or
 * the byte is none that is signed (certificates of others, headers), and then the list
 * still is what it was.
 */
static void no_byte_can_be_changed(void **state _unused_)
{
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT, der = BUFFER_INIT;
	struct sign_options sign = by(&ids.leaf);
	size_t valid = 0, broken = 0, none = 0;

	make_pe(&pe, true, 0x600);
	make_catalog(&der, buffer_view(&pe), &sign);
	for (size_t i = 0; i < der.len; i++) {
		_cleanup_catalog_ struct catalog *catalog = NULL;

		der.data[i] ^= (uint8_t)(1u << (i % 8));
		catalog = catalog_open(buffer_view(&der), "t.cat", NULL);
		der.data[i] ^= (uint8_t)(1u << (i % 8));
		if (!catalog) {
			none++;
		} else if (catalog_signature(catalog)->verdict == SIGNATURE_VALID) {
			valid++;
			assert_true(covers(catalog, inf_file));
			assert_true(covers(catalog, buffer_view(&pe)));
			assert_int_equal(catalog_members(catalog), 2);
		} else {
			broken++;
		}
	}
	assert_true(none > 0 && broken > der.len / 2);
	assert_in_range(valid, 1, 100); /* versions, the set of algorithms, a NULL */
}

static void a_cut_catalog_is_none(void **state _unused_)
{
	_cleanup_buffer_ struct buffer der = BUFFER_INIT;
	struct sign_options sign = by(&ids.leaf);

	make_catalog(&der, (struct bytes){0}, &sign);
	for (size_t len = 0; len < der.len; len++)
		assert_null(catalog_open((struct bytes){der.data, len}, "t.cat", NULL));
}

/* ---- signers ------------------------------------------------------------------------
 */

static void signers_and_their_chains(void **state _unused_)
{
	struct sign_options o = by(&ids.leaf);
	struct signature s;

	assert_int_equal(verdict(&o, &s), SIGNATURE_VALID);
	assert_string_equal(s.signer, "Test Publisher");
	assert_string_equal(s.root, "Test Root");
	assert_int_equal(s.kind, SIGNER_VENDOR);
	assert_true(s.sha2 && !s.sha1 && !s.cross_signed && !s.stamped && !s.reason);
	signature_free(&s);

	o.certificates[0] = NULL; /* the issuer is not in it */
	assert_int_equal(verdict(&o, &s), SIGNATURE_UNTRUSTED);
	assert_string_equal(s.root, "Test PCA");
	assert_reason(&s, "lead to Test PCA, not to a root of Microsoft");
	signature_free(&s);

	o = by(&ids.other_leaf);
	o.certificates[1] = ids.other_root.certificate;
	assert_int_equal(verdict(&o, &s), SIGNATURE_UNTRUSTED);
	assert_int_equal(s.kind, SIGNER_TEST);
	assert_reason(&s, "comes from Foreign Root, a root of its own");
	signature_free(&s);

	o = by(&ids.alone);
	assert_int_equal(verdict(&o, &s), SIGNATURE_UNTRUSTED);
	assert_int_equal(s.kind, SIGNER_TEST);
	assert_reason(&s, "a certificate that Alone made for itself");
	signature_free(&s);

	expect(NULL, SIGNATURE_UNSIGNED, "nobody signed it");
}

/* The names say that Microsoft's root issued it, the key says otherwise. */
static void a_forged_issuer(void **state _unused_)
{
	struct identity fake_root = make("Test Root", NULL, true, NULL, Y2040),
			fake_middle, fake_leaf;
	struct sign_options o;

	/* Another key under the same names. */
	EVP_PKEY_free(fake_root.key);
	fake_root.key = EVP_PKEY_dup(ids.other_root.key);
	fake_middle = make("Test PCA", &fake_root, true, NULL, Y2040);
	fake_leaf = make("Fake Publisher", &fake_middle, false, "codeSigning", Y2040);
	o = (struct sign_options){
		.signer = &fake_leaf,
		.certificates = {fake_middle.certificate, ids.root.certificate}};
	expect(&o, SIGNATURE_UNTRUSTED, "lead to Test Root");
	identity_free(&fake_leaf);
	identity_free(&fake_middle);
	identity_free(&fake_root);
}

/* A CA under its own root and cross-signed: the way that leads further is taken. */
static void cross_signed_makers(void **state _unused_)
{
	struct identity own = make("Maker CA", NULL, true, NULL, Y2040);
	struct identity crossed = make("Maker CA", &ids.cross, true, NULL, Y2040);
	struct identity leaf = make("Maker", &own, false, "codeSigning", Y2040);
	struct sign_options o = {.signer = &leaf,
				 .certificates = {own.certificate, crossed.certificate}};
	struct signature s;

	for (int swapped = 0; swapped < 2; swapped++) {
		assert_int_equal(verdict(&o, &s), SIGNATURE_VALID);
		assert_true(s.cross_signed);
		assert_int_equal(s.kind, SIGNER_VENDOR);
		assert_string_equal(s.root, "Test Cross Root");
		signature_free(&s);
		o.certificates[0] = crossed.certificate;
		o.certificates[1] = own.certificate;
	}
	o.certificates[0] = own.certificate;
	o.certificates[1] = NULL;
	expect(&o, SIGNATURE_UNTRUSTED, "Maker CA");
	identity_free(&leaf);
	identity_free(&crossed);
	identity_free(&own);
}

#define WHQL "1.3.6.1.4.1.311.10.3.5"

static void kinds_are_by_purpose(void **state _unused_)
{
	static const struct {
		const char *purposes;
		enum signer_kind kind;
		enum signature_verdict verdict;
	} cases[] = {
		{"codeSigning," WHQL, SIGNER_WHQL, SIGNATURE_VALID},
		{"codeSigning,1.3.6.1.4.1.311.10.3.39", SIGNER_WHQL, SIGNATURE_VALID},
		{"codeSigning," WHQL "," WHQL ".1", SIGNER_ATTESTATION, SIGNATURE_VALID},
		{"codeSigning,1.3.6.1.4.1.311.10.3.6", SIGNER_INBOX, SIGNATURE_VALID},
		{"codeSigning", SIGNER_VENDOR, SIGNATURE_VALID},
		{NULL, SIGNER_VENDOR, SIGNATURE_VALID},
		{"serverAuth", SIGNER_VENDOR, SIGNATURE_UNTRUSTED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int foreign = 0; foreign < 2; foreign++) {
			struct identity leaf = make(
				"Some Publisher", foreign ? &ids.other_root : &ids.middle,
				false, cases[i].purposes, Y2040);
			struct sign_options o = by(&leaf);
			struct signature s;

			o.certificates[1] = ids.other_root.certificate;
			assert_int_equal(verdict(&o, &s), foreign ? SIGNATURE_UNTRUSTED
								  : cases[i].verdict);
			assert_int_equal(s.kind, foreign ? SIGNER_TEST : cases[i].kind);
			signature_free(&s);
			identity_free(&leaf);
		}
	}
}

static void broken_signers(void **state _unused_)
{
	struct sign_options o = by(&ids.leaf);

	o.without_certificate = true;
	expect(&o, SIGNATURE_MISMATCH, "the certificate of its signer is not in it");
	o = by(&ids.leaf);
	o.without_attributes = true;
	expect(&o, SIGNATURE_MISMATCH, "no signed attributes");
	o = by(&ids.leaf);
	o.digest = EVP_md5();
	expect(&o, SIGNATURE_MISMATCH, "digest algorithm");
}

static void algorithms(void **state _unused_)
{
	const struct {
		const EVP_MD *md;
		bool sha1;
	} cases[] = {{EVP_sha1(), true},
		     {EVP_sha256(), false},
		     {EVP_sha384(), false},
		     {EVP_sha512(), false}};
	struct sign_options o = by(&ids.elliptic);
	struct signature s;

	expect(&o, SIGNATURE_VALID, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		o = by(&ids.leaf);
		o.digest = cases[i].md;
		assert_int_equal(verdict(&o, &s), SIGNATURE_VALID);
		assert_int_equal(s.sha1, cases[i].sha1);
		assert_int_equal(s.sha2, !cases[i].sha1);
		signature_free(&s);
	}
}

/* ---- time ---------------------------------------------------------------------------
 */

static void stamps_outlive_certificates(void **state _unused_)
{
	static const enum stamp kinds[] = {STAMP_COUNTERSIGNATURE, STAMP_BARE,
					   STAMP_RFC3161};
	struct sign_options o = by(&ids.expired);
	struct signature s;

	expect(&o, SIGNATURE_UNTRUSTED,
	       "Old Publisher expired on 2020-12-31, and no time");
	o.stamper = &ids.stamper;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		o.stamp = kinds[i];
		o.stamped = Y2020 + 100 * DAY;
		assert_int_equal(verdict(&o, &s), SIGNATURE_VALID);
		assert_int_equal(s.stamped, o.stamped);
		signature_free(&s);
		o.stamped = Y2020 + 500 * DAY;
		expect(&o, SIGNATURE_UNTRUSTED,
		       "signed on 2021-05-15, when the certificate of Old Publisher was "
		       "not valid");
	}
}

static void stamps_that_do_not_count(void **state _unused_)
{
	static const enum stamp kinds[] = {STAMP_COUNTERSIGNATURE, STAMP_RFC3161};
	struct identity alone = make("My own stamps", NULL, false, "timeStamping", Y2040);
	struct identity late =
		make("Late stamps", &ids.other_root, false, "timeStamping", Y2020 + DAY);
	const struct identity *bad[] = {&ids.other_leaf, /* not for stamps */
					&alone,		 /* everybody can make that */
					&late};		 /* not valid then */
	struct sign_options o = by(&ids.expired);

	o.stamped = Y2020 + 100 * DAY;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			o.stamper = bad[i];
			o.stamp = kinds[k];
			expect(&o, SIGNATURE_UNTRUSTED, "no time stamp proves");
		}
	}
	identity_free(&late);
	identity_free(&alone);
}

/* No changed byte of a stamp gives another time; it is just not believed any more. */
static void stamps_cannot_be_changed(void **state _unused_)
{
	static const enum stamp kinds[] = {STAMP_COUNTERSIGNATURE, STAMP_RFC3161};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		_cleanup_buffer_ struct buffer der = BUFFER_INIT;
		struct sign_options o = by(&ids.expired);
		size_t ignored = 0;

		o.stamp = kinds[k];
		o.stamper = &ids.stamper;
		o.stamped = Y2020 + 100 * DAY;
		make_catalog(&der, (struct bytes){0}, &o);
		/* The unsigned attributes are the end of the file. */
		for (size_t i = der.len - 300; i < der.len; i++) {
			_cleanup_catalog_ struct catalog *catalog = NULL;
			const struct signature *s;

			der.data[i] ^= 1;
			catalog = catalog_open(buffer_view(&der), "t.cat", NULL);
			der.data[i] ^= 1;
			if (!catalog)
				continue;
			s = catalog_signature(catalog);
			if (s->verdict == SIGNATURE_VALID)
				assert_int_equal(s->stamped, o.stamped);
			else
				ignored++;
		}
		assert_true(ignored > 100);
	}
}

/* ---- several signatures -------------------------------------------------------------
 */

static void nested_signatures(void **state _unused_)
{
	_cleanup_buffer_ struct buffer list = BUFFER_INIT, nested = BUFFER_INIT,
				       other = BUFFER_INIT;
	const struct catalog_member members[] = {{"a.inf", inf_file}};
	struct catalog_options c = {
		.members = members, .count = 1, .windows = "2:6.3,2:10.0"};
	struct sign_options inner = by(&ids.leaf), o = by(&ids.leaf);
	struct signature s;

	catalog_list_make(&c, &list);
	sign_make(CATALOG_TYPE, buffer_view(&list), &inner, &nested);
	o.digest = EVP_sha1();
	o.nested = buffer_view(&nested);
	assert_int_equal(verdict(&o, &s), SIGNATURE_VALID);
	assert_true(s.sha1 && s.sha2);
	signature_free(&s);

	/* An untrusted first one is made good by a trusted second one. */
	o.signer = &ids.alone;
	assert_int_equal(verdict(&o, &s), SIGNATURE_VALID);
	assert_string_equal(s.signer, "Test Publisher");
	signature_free(&s);

	/* A broken first one is not. */
	o = by(&ids.leaf);
	o.without_attributes = true;
	o.nested = buffer_view(&nested);
	expect(&o, SIGNATURE_MISMATCH, "no signed attributes");

	/* And one over another list adds nothing. */
	c.windows = NULL;
	list.len = 0;
	catalog_list_make(&c, &list);
	sign_make(CATALOG_TYPE, buffer_view(&list), &inner, &other);
	o = by(&ids.leaf);
	o.digest = EVP_sha1();
	o.nested = buffer_view(&other);
	assert_int_equal(verdict(&o, &s), SIGNATURE_VALID);
	assert_true(s.sha1 && !s.sha2);
	signature_free(&s);
}

/* ---- PE files -----------------------------------------------------------------------
 */

static void expect_pe(struct bytes file, enum signature_verdict wanted, const char *part)
{
	struct signature s;

	signature_of_pe(file, "t.sys", &s);
	assert_signature(&s, wanted, part);
}

static void embedded_signatures(void **state _unused_)
{
	for (int wide = 0; wide < 2; wide++) {
		_cleanup_buffer_ struct buffer pe = BUFFER_INIT;
		struct sign_options o = by(&ids.leaf);
		uint32_t table;
		size_t entry = 0x98 + (wide ? 112 : 96) + 32;

		make_pe(&pe, wide, 0x900);
		expect_pe(buffer_view(&pe), SIGNATURE_UNSIGNED, "no signature is in it");
		pe_sign(&pe, &o);
		expect_pe(buffer_view(&pe), SIGNATURE_VALID, NULL);
		table = get_le32(pe.data + entry);

		pe.data[0x800] ^= 1;
		expect_pe(buffer_view(&pe), SIGNATURE_MISMATCH, "changed after it was");
		pe.data[0x800] ^= 1;
		pe.data[0x98 + 64] ^= 1; /* the checksum may change */
		expect_pe(buffer_view(&pe), SIGNATURE_VALID, NULL);
		/* The end of the entry is the signature's value. */
		pe.data[pe.len - 40] ^= 1;
		expect_pe(buffer_view(&pe), SIGNATURE_MISMATCH, "does not verify");
		pe.data[pe.len - 40] ^= 1;
		/* An entry longer than the table, and one that is nothing. */
		put_le32(pe.data + table, 0x7FFFFFFF);
		expect_pe(buffer_view(&pe), SIGNATURE_MISMATCH, "cannot be read");
		put_le32(pe.data + table, 4);
		expect_pe(buffer_view(&pe), SIGNATURE_MISMATCH, "cannot be read");
		/* Behind the end, and in the headers. */
		put_le32(pe.data + entry, (uint32_t)pe.len);
		expect_pe(buffer_view(&pe), SIGNATURE_MISMATCH, "outside of the file");
		put_le32(pe.data + entry, 0x10);
		expect_pe(buffer_view(&pe), SIGNATURE_MISMATCH, "outside of the file");
	}
	expect_pe(inf_file, SIGNATURE_UNSIGNED, "no executable");
}

static void dual_signed_files(void **state _unused_)
{
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT, second = BUFFER_INIT,
				       foreign = BUFFER_INIT, wrong = BUFFER_INIT;
	struct sign_options o = by(&ids.leaf);
	struct signature s;

	make_pe(&pe, true, 0x900);
	make_pe(&foreign, true, 0x900);
	foreign.data[0x500] ^= 1;
	pe_signature_make(buffer_view(&pe), &o, &second);
	pe_signature_make(buffer_view(&foreign), &o, &wrong);
	o.digest = EVP_sha1();
	o.nested = buffer_view(&second);
	pe_sign(&pe, &o);
	signature_of_pe(buffer_view(&pe), "t.sys", &s);
	assert_int_equal(s.verdict, SIGNATURE_VALID);
	assert_true(s.sha1 && s.sha2);
	signature_free(&s);
	/* A second one that belongs to another file counts for nothing. */
	pe.len = 0;
	make_pe(&pe, true, 0x900);
	o.nested = buffer_view(&wrong);
	pe_sign(&pe, &o);
	signature_of_pe(buffer_view(&pe), "t.sys", &s);
	assert_int_equal(s.verdict, SIGNATURE_VALID);
	assert_true(s.sha1 && !s.sha2);
	signature_free(&s);
}

static void cut_files(void **state _unused_)
{
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT;
	struct sign_options o = by(&ids.leaf);

	make_pe(&pe, true, 0x600);
	pe_sign(&pe, &o);
	for (size_t len = 0; len < pe.len; len += 5) {
		struct signature s;
		signature_of_pe((struct bytes){pe.data, len}, "t.sys", &s);
		assert_int_not_equal(s.verdict, SIGNATURE_VALID);
		signature_free(&s);
	}
}

/* A hundred CAs of one name, each issued by the others' name: no end of ways. */
static void endless_chains_end(void **state _unused_)
{
	struct identity a = make("Loop A", NULL, true, NULL, Y2040), b, again, leaf;
	struct sign_options o;

	b = make("Loop B", &a, true, NULL, Y2040);
	again = make("Loop A", &b, true, NULL, Y2040);
	leaf = make("Loop Leaf", &b, false, "codeSigning", Y2040);
	o = (struct sign_options){.signer = &leaf,
				  .certificates = {b.certificate, again.certificate,
						   b.certificate, again.certificate}};
	expect(&o, SIGNATURE_UNTRUSTED, "Loop");
	identity_free(&leaf);
	identity_free(&again);
	identity_free(&b);
	identity_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_authenticodes),
		cmocka_unit_test(digests_in_pieces),
		cmocka_unit_test(digests_of_others_are_flat),
		cmocka_unit_test(catalogs_know_their_files),
		cmocka_unit_test(what_is_no_catalog),
		cmocka_unit_test(no_byte_can_be_changed),
		cmocka_unit_test(a_cut_catalog_is_none),
		cmocka_unit_test(signers_and_their_chains),
		cmocka_unit_test(a_forged_issuer),
		cmocka_unit_test(cross_signed_makers),
		cmocka_unit_test(kinds_are_by_purpose),
		cmocka_unit_test(broken_signers),
		cmocka_unit_test(algorithms),
		cmocka_unit_test(stamps_outlive_certificates),
		cmocka_unit_test(stamps_that_do_not_count),
		cmocka_unit_test(stamps_cannot_be_changed),
		cmocka_unit_test(nested_signatures),
		cmocka_unit_test(embedded_signatures),
		cmocka_unit_test(dual_signed_files),
		cmocka_unit_test(cut_files),
		cmocka_unit_test(endless_chains_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
