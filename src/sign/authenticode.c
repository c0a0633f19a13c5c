/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Authenticode: the digest of a PE file, and the signature in its certificate table
 * ("Windows Authenticode Portable Executable Signature Format", "PE Format").
 */
#include <openssl/evp.h>

#include "sign/sign_private.h"

#define DIRECTORY_SECURITY 4
#define PE32_PLUS 0x20Bu
#define CHECKSUM_OFFSET 64u /* in the optional header, of both kinds */

/* WIN_CERTIFICATE: u32 length with this header, u16 revision, u16 type. */
#define CERTIFICATE_HEADER 8u
#define CERTIFICATE_PKCS_SIGNED_DATA 2u

/* The bytes that do not count; len 0 where there is no such range. */
struct range {
	uint64_t offset, len;
};
enum {
	RANGE_CHECKSUM,
	RANGE_ENTRY,
	RANGE_TABLE,
	RANGES,
};
struct layout {
	bool pe, misplaced; /* misplaced: the table is named but not in the file */
	struct range ranges[RANGES]; /* by offset */
};

static void layout_read(struct bytes head, uint64_t size, struct layout *ret)
{
	uint32_t nt, signature, directories, offset = 0, len = 0;
	uint64_t optional, entry;
	uint16_t mz, magic;

	*ret = (struct layout){0};
	if (!bytes_le16(head, 0, &mz) || mz != 0x5A4D || !bytes_le32(head, 0x3C, &nt) ||
	    !bytes_le32(head, nt, &signature) || signature != 0x00004550)
		return;
	optional = (uint64_t)nt + 24;
	if (!bytes_le16(head, optional, &magic) ||
	    !bytes_has(head, optional + CHECKSUM_OFFSET, 4))
		return;
	entry = optional + (magic == PE32_PLUS ? 112 : 96);
	ret->pe = true;
	ret->ranges[RANGE_CHECKSUM] = (struct range){optional + CHECKSUM_OFFSET, 4};
	if (!bytes_le32(head, entry - 4, &directories) ||
	    directories <= DIRECTORY_SECURITY)
		return;
	entry += (uint64_t)8 * DIRECTORY_SECURITY;
	if (!bytes_le32(head, entry, &offset) || !bytes_le32(head, entry + 4, &len))
		return;
	ret->ranges[RANGE_ENTRY] = (struct range){entry, 8};
	/* Unlike all other entries this one is an offset in the file. */
	ret->misplaced = len != 0;
	if (len && offset >= entry + 8 && offset < size && len <= size - offset) {
		ret->ranges[RANGE_TABLE] = (struct range){offset, len};
		ret->misplaced = false;
	}
}

/* ---- digests ------------------------------------------------------------------------
 */

struct digesting {
	struct layout layout;
	uint64_t at;
	EVP_MD_CTX *sha1, *sha256, *other;
};

static EVP_MD_CTX *begin(const EVP_MD *md)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || !EVP_DigestInit_ex(context, md, NULL))
		abort(); /* only when OpenSSL has no such digest: no input reaches this */
	return context;
}

static void update(struct digesting *d, const uint8_t *data, size_t len)
{
	EVP_MD_CTX *contexts[] = {d->sha1, d->sha256, d->other};

	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		if (contexts[i] && len && !EVP_DigestUpdate(contexts[i], data, len))
			abort();
}

static void finish(EVP_MD_CTX *context, uint8_t *digest)
{
	if (context && !EVP_DigestFinal_ex(context, digest, NULL))
		abort();
	EVP_MD_CTX_free(context);
}

struct digesting *digesting_begin(struct bytes head, uint64_t size, unsigned algorithms)
{
	struct digesting *d = xcalloc(1, sizeof(*d));

	layout_read(head, size, &d->layout);
	d->sha1 = algorithms & DIGEST_SHA1 ? begin(EVP_sha1()) : NULL;
	d->sha256 = algorithms & DIGEST_SHA256 ? begin(EVP_sha256()) : NULL;
	return d;
}

void digesting_add(struct digesting *d, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < RANGES; i++) {
		const struct range *r = &d->layout.ranges[i];
		uint64_t before, inside;

		if (!r->len || r->offset + r->len <= d->at)
			continue;
		before = r->offset > d->at ? r->offset - d->at : 0;
		if (before >= len)
			break;
		update(d, p, (size_t)before);
		p += before;
		len -= (size_t)before;
		d->at += before;
		inside = r->offset + r->len - d->at;
		if (inside > len)
			inside = len;
		p += inside;
		len -= (size_t)inside;
		d->at += inside;
	}
	update(d, p, len);
	d->at += len;
}

/* What is not signed yet will be padded when it is, and its digest counts the padding. */
static void pad(struct digesting *d)
{
	static const uint8_t zeros[8];

	if (d->layout.pe && !d->layout.ranges[RANGE_TABLE].len && d->at % 8)
		update(d, zeros, 8 - d->at % 8);
}

void digesting_end(struct digesting *d, struct file_digests *ret)
{
	pad(d);
	*ret = (struct file_digests){
		.present = (d->sha1 ? DIGEST_SHA1 : 0) | (d->sha256 ? DIGEST_SHA256 : 0),
		.pe = d->layout.pe,
	};
	finish(d->sha1, ret->sha1);
	finish(d->sha256, ret->sha256);
	free(d);
}

void digest_file(struct bytes file, unsigned algorithms, struct file_digests *ret)
{
	struct digesting *d = digesting_begin(file, file.len, algorithms);

	digesting_add(d, file.data, file.len);
	digesting_end(d, ret);
}

/* ---- embedded signatures ------------------------------------------------------------
 */

/* The digest of the PE is what the signature says? */
static const char *file_fits(const struct signed_data *data, void *arg)
{
	const struct bytes *file = arg;
	struct indirect_data wanted;
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct digesting *d;
	const EVP_MD *md;

	if (!signed_data_is(data, OID_INDIRECT_DATA) ||
	    !indirect_data_parse(data->structure, &wanted))
		return "its signature is over something else";
	md = EVP_get_digestbynid(wanted.algorithm);
	if (!md || (size_t)EVP_MD_get_size(md) != wanted.len)
		return "its signature has no digest that Windows takes";
	d = xcalloc(1, sizeof(*d));
	layout_read(*file, file->len, &d->layout);
	d->other = begin(md);
	digesting_add(d, file->data, file->len);
	pad(d);
	finish(d->other, digest);
	free(d);
	return memcmp(digest, wanted.digest, wanted.len) == 0
		       ? NULL
		       : "the file was changed after it was signed";
}

/* The first PKCS #7 entry of the table; what else is in it Windows ignores too. */
static struct bytes signed_entry(struct bytes table)
{
	while (table.len >= CERTIFICATE_HEADER) {
		uint32_t len;
		uint16_t type;

		if (!bytes_le32(table, 0, &len) || !bytes_le16(table, 6, &type) ||
		    len < CERTIFICATE_HEADER || len > table.len)
			break;
		if (type == CERTIFICATE_PKCS_SIGNED_DATA)
			return bytes_at(table, CERTIFICATE_HEADER,
					len - CERTIFICATE_HEADER);
		len = (len + 7) & ~7u;
		if (!len || len > table.len)
			break;
		table = bytes_at(table, len, table.len - len);
	}
	return (struct bytes){0};
}

void signature_of_pe(struct bytes file, const char *name, struct signature *ret)
{
	struct layout layout;
	struct signed_data data;
	struct range table;

	*ret = (struct signature){0};
	layout_read(file, file.len, &layout);
	table = layout.ranges[RANGE_TABLE];
	if (layout.misplaced) {
		signature_decide(ret, SIGNATURE_MISMATCH,
				 "%s: its certificate table lies outside of the file",
				 name);
		return;
	}
	if (!table.len) {
		signature_decide(ret, SIGNATURE_UNSIGNED, "%s: %s", name,
				 layout.pe ? "no signature is in it"
					   : "it is no executable");
		return;
	}
	if (!signed_data_parse(signed_entry(bytes_at(file, table.offset, table.len)),
			       &data)) {
		signature_decide(ret, SIGNATURE_MISMATCH,
				 "%s: the signature in it cannot be read", name);
		return;
	}
	signed_data_judge(&data, name, file_fits, &file, ret);
	signed_data_free(&data);
}
