/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the driver store records of a package's catalog: who signed it, and the score that
 * Windows gives to that kind of signer. The signature itself is not verified here.
 */
#ifndef INJECTOR_CATALOG_H
#define INJECTOR_CATALOG_H

#include "base/buffer.h"

/* SignerScore of DriverPackages: lower is better; the upper byte counts in the rank. */
#define SIGNER_SCORE_INBOX 0x0D000003u
#define SIGNER_SCORE_WHQL 0x0D000005u
#define SIGNER_SCORE_AUTHENTICODE 0x0F000000u
#define SIGNER_SCORE_UNSIGNED 0x80000000u

/*
 * The common name in the certificate that the catalog (PKCS #7, DER) names as its
 * signer's. NULL if there is none or the file is no catalog. Caller's.
 */
char *catalog_signer(struct bytes catalog);
/* The score for a signer's name; NULL is an unsigned package. */
uint32_t catalog_signer_score(const char *signer);

#endif
