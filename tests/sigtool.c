/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints what src/sign says of files, tab-separated, for the scripts that compare it with
 * other programs.
 *
 *	sigtool cat FILE...	verdict, kind, signer, root, time of the stamp, digest
 *				algorithms, members, Windows versions, reason
 *	sigtool pe FILE...	the same without members, and the digests of the file
 *	sigtool in CAT FILE...	"yes" or "no": is the file in the catalog?
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "sign/signature.h"

static const char *text(const char *s)
{
	return s && *s ? s : "-";
}

static void print_signature(const char *path, const struct signature *s)
{
	char stamped[CLOCK_TEXT_SIZE] = "-";

	if (s->stamped)
		clock_format(s->stamped, stamped);
	printf("%s\t%s\t%s\t%s\t%s\t%s\t%s%s%s", path, signature_verdict_name(s->verdict),
	       text(signer_kind_name(s->kind)), text(s->signer), text(s->root), stamped,
	       s->sha1 ? "sha1" : "", s->sha1 && s->sha2 ? "+" : "",
	       s->sha2 ? "sha2" : "");
}

static int read_file(const char *path, struct buffer *ret)
{
	struct error err = ERROR_INIT;

	if (file_read(path, CATALOG_SIZE_MAX, ret, &err) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", path, err.reason);
	error_clear(&err);
	return -1;
}

static void print_catalog(const char *path, struct bytes data)
{
	struct error err = ERROR_INIT;
	_cleanup_catalog_ struct catalog *catalog = catalog_open(data, path, &err);

	if (!catalog) {
		printf("%s\t%s\n", path, err.reason);
		error_clear(&err);
		return;
	}
	print_signature(path, catalog_signature(catalog));
	printf("\t%zu\t", catalog_members(catalog));
	vec_foreach (version, catalog_windows(catalog))
		printf("%s%s", version > catalog_windows(catalog)->items ? "," : "",
		       *version);
	printf("\t%s\n", text(catalog_signature(catalog)->reason));
}

static void print_pe(const char *path, struct bytes data)
{
	struct signature signature;
	struct file_digests digests;
	char sha1[41], sha256[65];

	signature_of_pe(data, path, &signature);
	digest_file(data, DIGEST_SHA1 | DIGEST_SHA256, &digests);
	hash_hex(digests.sha1, sizeof(digests.sha1), sha1);
	hash_hex(digests.sha256, sizeof(digests.sha256), sha256);
	print_signature(path, &signature);
	printf("\t%s\t%s\t%s\n", text(signature.reason), sha1, sha256);
	signature_free(&signature);
}

int main(int argc, char **argv)
{
	_cleanup_catalog_ struct catalog *catalog = NULL;
	_cleanup_buffer_ struct buffer list = BUFFER_INIT;
	int first = 2, result = 0;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "in") == 0) {
		first = 3;
		if (read_file(argv[2], &list) < 0)
			return 1;
		catalog = catalog_open(buffer_view(&list), argv[2], NULL);
		if (!catalog)
			return 1;
	}
	for (int i = first; i < argc; i++) {
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;
		struct file_digests digests;

		if (read_file(argv[i], &data) < 0) {
			result = 1;
			continue;
		}
		if (strcmp(argv[1], "cat") == 0) {
			print_catalog(argv[i], buffer_view(&data));
		} else if (strcmp(argv[1], "pe") == 0) {
			print_pe(argv[i], buffer_view(&data));
		} else {
			digest_file(buffer_view(&data), DIGEST_SHA1 | DIGEST_SHA256,
				    &digests);
			printf("%s\t%s\n", argv[i],
			       catalog_covers(catalog, &digests) ? "yes" : "no");
		}
	}
	return result;
}
