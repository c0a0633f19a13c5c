/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a package's signature means for the image: every file is compared with the
 * package's catalog, and what is not signed as Windows wants it is remarked or refused.
 *
 * Files and catalogs are read once, however many images and indexes a run serves.
 */
#ifndef INJECTOR_SIGNING_H
#define INJECTOR_SIGNING_H

#include "injector/package.h"
#include "media/media.h"

enum unsigned_policy {
	UNSIGNED_WARN,		/* remark; refuse what would keep Windows from starting */
	UNSIGNED_REFUSE,	/* refuse what is not SIGNATURE_VALID */
	UNSIGNED_ALLOW,		/* remark only */
};
/* "refuse", "warn", "allow"; false for anything else. */
bool unsigned_policy_parse(const char *text, enum unsigned_policy *ret);

/* SignerScore of DriverPackages: lower is better; the upper byte counts in the rank. */
#define SIGNER_SCORE_INBOX 0x0D000003u
#define SIGNER_SCORE_WHQL 0x0D000005u
#define SIGNER_SCORE_AUTHENTICODE 0x0F000000u
#define SIGNER_SCORE_UNSIGNED 0x80000000u
/* Windows counts what it does not trust as not signed. */
uint32_t signature_score(const struct signature *signature);

struct signing;
struct signing *signing_open(enum unsigned_policy policy);
void signing_close(struct signing *signing);
/* UNSIGNED_WARN for NULL. */
enum unsigned_policy signing_policy(const struct signing *signing);

/*
 * Verifies the package: fills its signature, signer_score and remarks, and refuses it
 * where the policy says so. -1 only if a file cannot be read.
 */
int signing_check(struct signing *signing, struct package *package, struct tree *tree,
		  const struct target *target, struct error *err);
/*
 * The same for an INF by itself: its catalog is sound and has the INF's digest. What else
 * the package has is not looked at. SIGNATURE_UNCHECKED if the catalog that it names is
 * not on the medium, SIGNATURE_UNSIGNED if it names none (`catalog` is NULL).
 */
int signing_check_inf(struct signing *signing, struct source_media *media,
		      const struct media_inf *inf, const char *catalog,
		      struct signature *ret, struct error *err);
/*
 * For a package that Windows shall start from, after signing_check(): refuses it if a
 * driver in it is not signed and Windows enforces that. Without signing_check() nothing
 * is done.
 */
int signing_check_boot(struct package *package, struct tree *tree,
		       const struct target *target, struct error *err);

#endif
