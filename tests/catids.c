/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints the attributes of security catalogs: what Microsoft's signing tools recorded of
 * the INF they read, "HWID1\tPCI\VEN_..." among them. An oracle for the INF engine, made
 * by another program than ours.
 *
 *	catids FILE.cat...	FILE, attribute and value, tab-separated; for each member
 *				that is an INF "member" and its digest in hexadecimal
 *
 * A catalog is PKCS #7 signed data around a certificate trust list; the catalog-wide
 * attributes are extensions of the list, each a CatalogNameValue: SEQUENCE { name
 * BMPString, flags INTEGER, value OCTET STRING (UTF-16LE) }, OID 1.3.6.1.4.1.311.12.2.1.
 * The members are the list's trusted subjects; the digest of one stands in its
 * SpcIndirectDataContent attribute, its name in a CatalogNameValue "File".
 */
#include <stdio.h>

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>

#include "base/file.h"
#include "base/text.h"

struct der {
	const uint8_t *p;
	long len;
};

/* Takes one element off the front; its content in *in. */
static bool next(struct der *from, int *tag, struct der *in)
{
	const uint8_t *p = from->p;
	long len;
	int class, kind;

	if (from->len <= 0)
		return false;
	kind = ASN1_get_object(&p, &len, tag, &class, from->len);
	if (kind & 0x80)
		return false;
	in->p = p;
	in->len = len;
	from->len -= (p - from->p) + len;
	from->p = p + len;
	*tag |= class << 8;
	return true;
}

static bool is_name_value(struct der oid)
{
	static const uint8_t wanted[] = {0x2B, 0x06, 0x01, 0x04, 0x01,
					 0x82, 0x37, 0x0C, 0x02, 0x01};

	return oid.len == sizeof(wanted) && memcmp(oid.p, wanted, sizeof(wanted)) == 0;
}

static bool is_indirect_data(struct der oid)
{
	static const uint8_t wanted[] = {0x2B, 0x06, 0x01, 0x04, 0x01,
					 0x82, 0x37, 0x02, 0x01, 0x04};

	return oid.len == sizeof(wanted) && memcmp(oid.p, wanted, sizeof(wanted)) == 0;
}

/* BMPString is big-endian. */
static char *bmp_text(struct der d)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	for (long i = 0; i + 1 < d.len; i += 2)
		buffer_append_le16(&b, (uint16_t)(d.p[i] << 8 | d.p[i + 1]));
	return utf16_to_utf8(b.data, b.len);
}

static void print_name_value(const char *path, struct der octets)
{
	struct der seq, name, flags, value;
	int tag;

	if (!next(&octets, &tag, &seq) || !next(&seq, &tag, &name) ||
	    !next(&seq, &tag, &flags) || !next(&seq, &tag, &value))
		return;
	_cleanup_free_ char *key = bmp_text(name);
	_cleanup_free_ char *text = utf16_to_utf8(value.p, (size_t)value.len);

	printf("%s\t%s\t%s\n", path, key, text);
}

/* Extensions: SEQUENCE OF SEQUENCE { OID, [critical BOOLEAN,] OCTET STRING }. */
static void print_extensions(const char *path, struct der list)
{
	struct der item, oid, value;
	int tag;

	if (!next(&list, &tag, &item))
		return;
	list = item;
	while (next(&list, &tag, &item)) {
		if (!next(&item, &tag, &oid) || !is_name_value(oid))
			continue;
		while (next(&item, &tag, &value))
			if (tag == V_ASN1_OCTET_STRING)
				print_name_value(path, value);
	}
}

/* SET OF attributes: SEQUENCE { OID, SET { value } }. */
static void print_member(const char *path, struct der set)
{
	struct der item, oid, values, digest = {0};
	bool is_inf = false;
	int tag;

	while (next(&set, &tag, &item)) {
		struct der seq, name, flags, value;

		if (!next(&item, &tag, &oid) || !next(&item, &tag, &values) ||
		    !next(&values, &tag, &seq))
			continue;
		if (is_name_value(oid)) {
			if (!next(&seq, &tag, &name) || !next(&seq, &tag, &flags) ||
			    !next(&seq, &tag, &value))
				continue;
			_cleanup_free_ char *key = bmp_text(name);
			_cleanup_free_ char *text =
				utf16_to_utf8(value.p, (size_t)value.len);

			is_inf |= text_equal(key, "File") && text_ends_with(text, ".inf");
		} else if (is_indirect_data(oid)) {
			/* SEQUENCE { data, DigestInfo { algorithm, OCTET STRING } } */
			struct der data, info, algorithm;

			if (next(&seq, &tag, &data) && next(&seq, &tag, &info) &&
			    next(&info, &tag, &algorithm) && next(&info, &tag, &value))
				digest = value;
		}
	}
	if (!is_inf || !digest.len)
		return;
	printf("%s\tmember\t", path);
	for (long i = 0; i < digest.len; i++)
		printf("%02x", digest.p[i]);
	printf("\n");
}

/* SEQUENCE OF SEQUENCE { OCTET STRING, SET OF attributes }, of which the list has one. */
static void print_members(const char *path, struct der list)
{
	struct der item, id, set;
	int tag;

	while (next(&list, &tag, &item))
		if (next(&item, &tag, &id) && tag == V_ASN1_OCTET_STRING &&
		    next(&item, &tag, &set) && tag == V_ASN1_SET)
			print_member(path, set);
}

static int print_catalog(const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	const uint8_t *p;
	struct der list, body, item;
	PKCS7 *p7;
	int tag;

	if (file_read(path, 64 << 20, &raw, &err) < 0) {
		fprintf(stderr, "%s: %s\n", path, err.reason);
		return 1;
	}
	p = raw.data;
	p7 = d2i_PKCS7(NULL, &p, (long)raw.len);
	if (!p7 || !PKCS7_type_is_signed(p7) || !p7->d.sign->contents->d.other ||
	    p7->d.sign->contents->d.other->type != V_ASN1_SEQUENCE) {
		fprintf(stderr, "%s: is no catalog\n", path);
		PKCS7_free(p7);
		return 1;
	}
	list.p = p7->d.sign->contents->d.other->value.sequence->data;
	list.len = p7->d.sign->contents->d.other->value.sequence->length;
	if (!next(&list, &tag, &body))
		body.len = 0;
	while (next(&body, &tag, &item)) {
		if (tag == (V_ASN1_CONTEXT_SPECIFIC << 8))
			print_extensions(path, item);
		else if (tag == V_ASN1_SEQUENCE)
			print_members(path, item);
	}
	PKCS7_free(p7);
	return 0;
}

int main(int argc, char **argv)
{
	int worst = 0;

	for (int i = 1; i < argc; i++)
		worst |= print_catalog(argv[i]);
	return worst;
}
