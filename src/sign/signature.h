/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a driver package what its maker and Microsoft signed? Catalogs (PKCS #7 with a
 * certificate trust list) and signatures embedded in PE files are verified with OpenSSL,
 * as far as the certificates in them go: of the roots only Microsoft's are known here,
 * with their public keys, since those are what Windows trusts drivers by.
 *
 * Nothing here fails on what a file holds: whatever is wrong with a signature is its
 * verdict, with the reason in words.
 */
#ifndef SIGN_SIGNATURE_H
#define SIGN_SIGNATURE_H

#include "base/buffer.h"
#include "base/error.h"

enum signature_verdict {
	SIGNATURE_UNCHECKED,	/* nothing was looked at */
	SIGNATURE_VALID,
	SIGNATURE_UNTRUSTED,	/* sound, but not by a chain that Windows trusts by itself */
	SIGNATURE_UNSIGNED,	/* there is no signature */
	SIGNATURE_MISMATCH,	/* broken, or a file is not what was signed */
};
/* "valid", "untrusted", "unsigned", "mismatch", "unchecked" */
const char *signature_verdict_name(enum signature_verdict verdict);

/* What kind of signer the leaf certificate names, by its extended key usages and chain. */
enum signer_kind {
	SIGNER_NONE,
	SIGNER_INBOX,		/* Microsoft Windows: part of Windows itself */
	SIGNER_WHQL,		/* Microsoft Windows Hardware Compatibility, tested */
	SIGNER_ATTESTATION,	/* the same, attested by the maker */
	SIGNER_VENDOR,		/* a maker's own certificate (cross-signed or not) */
	SIGNER_TEST,		/* a test certificate: self-signed, or WDK's */
};
/* "inbox", "whql", "attestation", "vendor", "test"; NULL for SIGNER_NONE */
const char *signer_kind_name(enum signer_kind kind);

struct signature {
	enum signature_verdict verdict;
	enum signer_kind kind;
	char *signer;		/* common name of the leaf, or NULL */
	char *root;		/* where the chain in the file ends: an issuer's name, or NULL */
	bool sha1, sha2;	/* digest algorithms among its sound signatures */
	bool cross_signed;	/* its chain leads to Microsoft Code Verification Root */
	int64_t stamped;	/* when, by a sound time stamp (seconds since 1970); 0: none */
	char *reason;		/* why it is not VALID: file and what; or NULL */
};
void signature_free(struct signature *signature);
/* A copy that owns its strings. */
struct signature signature_copy(const struct signature *signature);
/* Sets the verdict and why. */
void signature_decide(struct signature *signature, enum signature_verdict verdict,
		      const char *fmt, ...) _printf_(3, 4);

/* ---- what is signed of a file -------------------------------------------------------- */

#define DIGEST_SHA1 1u
#define DIGEST_SHA256 2u
/*
 * A file's digests as catalogs and embedded signatures have them: of a PE without its
 * checksum, without the certificate table and the entry that points to it ("Windows
 * Authenticode Portable Executable Signature Format"); flat for any other file.
 */
struct file_digests {
	unsigned present;	/* DIGEST_* */
	bool pe;
	uint8_t sha1[20], sha256[32];
};
/* PE headers are looked for in so much of a file's start. */
#define DIGEST_HEAD_SIZE 65536u
/*
 * For files too large to hold: begin with the first DIGEST_HEAD_SIZE bytes (or all) and
 * the size, then add every byte from the first on. The end releases the state.
 */
struct digesting;
struct digesting *digesting_begin(struct bytes head, uint64_t size, unsigned algorithms);
void digesting_add(struct digesting *digesting, const void *data, size_t len);
void digesting_end(struct digesting *digesting, struct file_digests *ret);
void digest_file(struct bytes file, unsigned algorithms, struct file_digests *ret);

/* ---- catalogs ------------------------------------------------------------------------ */

/* Larger ones are not read: those of whole Windows releases have 20 MiB. */
#define CATALOG_SIZE_MAX ((size_t)64 << 20)

/* A catalog: what it signs, and by whom. */
struct catalog;
/* NULL (ERROR_FAILED) only if it is no catalog at all; a broken signature is a verdict. */
struct catalog *catalog_open(struct bytes der, const char *name, struct error *err);
void catalog_close(struct catalog *catalog);
void catalog_closep(struct catalog **catalog);
#define _cleanup_catalog_ _cleanup_(catalog_closep)
/* The signature of the catalog itself; belongs to it. */
const struct signature *catalog_signature(const struct catalog *catalog);
/* DIGEST_* that its members have. */
unsigned catalog_algorithms(const struct catalog *catalog);
size_t catalog_members(const struct catalog *catalog);
/* True if one of the digests is that of a member. */
bool catalog_covers(const struct catalog *catalog, const struct file_digests *digests);
/*
 * The versions of Windows that its members are marked for (attribute OSAttr, "2:6.1"), as
 * "6.1"; empty if there is no such mark. Belongs to it.
 */
const struct strings *catalog_windows(const struct catalog *catalog);

/* ---- signatures embedded in PE files ------------------------------------------------- */

/* The signature in a PE file; SIGNATURE_UNSIGNED if there is none. `ret` is filled. */
void signature_of_pe(struct bytes file, const char *name, struct signature *ret);

#endif
