/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Catalogs and signed PE files: the same bytes are taken for each of them. Nothing that
 * is not what Microsoft signed may come out as valid with another content; that is the
 * unit test's matter, here it is memory and time.
 */
#include "sign/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct signature *s)
{
	/* Whatever is not valid says why; whoever signed has a name. */
	if (s->verdict == SIGNATURE_UNCHECKED ||
	    (s->verdict == SIGNATURE_VALID) != !s->reason ||
	    (s->verdict == SIGNATURE_VALID && (!s->signer || !s->root)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes file = {data, size};
	_cleanup_catalog_ struct catalog *catalog = catalog_open(file, "fuzz.cat", NULL);
	struct file_digests digests;
	struct signature signature;

	digest_file(file, DIGEST_SHA1 | DIGEST_SHA256, &digests);
	if (catalog) {
		check(catalog_signature(catalog));
		(void)catalog_covers(catalog, &digests);
	}
	signature_of_pe(file, "fuzz.sys", &signature);
	check(&signature);
	signature_free(&signature);
	return 0;
}
