/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a driver package what its maker and Microsoft signed? Catalogs (PKCS #7 with a
 * certificate trust list) and signatures embedded in PE files are verified with OpenSSL,
 * as far as the certificates in them go: there is no store of Windows' roots here, so a
 * chain is judged by where it ends (Microsoft's known roots by their key identifiers).
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

/* What kind of signer the leaf certificate names, by its extended key usages and issuer. */
enum signer_kind {
	SIGNER_NONE,
	SIGNER_INBOX,		/* Microsoft Windows: part of Windows itself */
	SIGNER_WHQL,		/* Microsoft Windows Hardware Compatibility, tested */
	SIGNER_ATTESTATION,	/* the same, attested by the maker */
	SIGNER_VENDOR,		/* a maker's own certificate (cross-signed or not) */
	SIGNER_TEST,		/* a test certificate: self-signed, or WDK's */
};
const char *signer_kind_name(enum signer_kind kind);

struct signature {
	enum signature_verdict verdict;
	enum signer_kind kind;
	char *signer;		/* common name of the leaf, or NULL */
	char *root;		/* where the chain in the file ends: an issuer's name, or NULL */
	bool sha1, sha2;	/* digest algorithms among its valid signatures */
	bool cross_signed;	/* its chain leads to Microsoft Code Verification Root */
	char *reason;		/* why it is not VALID: file and what; or NULL */
};
void signature_free(struct signature *signature);

/* A catalog: what it signs, and by whom. */
struct catalog;
/* NULL (ERROR_FAILED) only if it is no catalog at all; a broken signature is a verdict. */
struct catalog *catalog_open(struct bytes der, const char *name, struct error *err);
void catalog_close(struct catalog *catalog);
/* The signature of the catalog itself; belongs to it. */
const struct signature *catalog_signature(const struct catalog *catalog);
/*
 * True if the file's hash is in the catalog: Authenticode hash for a PE (also of PE files
 * that are signed themselves), flat hash otherwise; SHA-1 or SHA-256.
 */
bool catalog_covers(const struct catalog *catalog, struct bytes file);

/* The signature embedded in a PE file; SIGNATURE_UNSIGNED if there is none. */
int signature_of_pe(struct bytes file, const char *name, struct signature *ret,
		    struct error *err);

#endif
