/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answer files: the bytes as one, judged for an image. What is accepted is written, and
 * the written form must be accepted too, with nothing left of the offlineServicing pass.
 */
#include <stdio.h>

#include "windows/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *why)
{
	fprintf(stderr, "fuzz_answer: %s\n", why);
	abort();
}

/* Driver paths would be looked up on this host: harmless, but not reproducible. */
static struct answer *parse(struct bytes text, struct error *err)
{
	return answer_parse(text, "/nowhere/x.xml", err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct target target = {
		.arch = ARCH_AMD64, .major = 10, .build = 19045};
	_cleanup_(strings_free) struct strings warnings = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_answer_ struct answer *answer = parse((struct bytes){data, size}, &err);
	_cleanup_answer_ struct answer *again = NULL;

	if (!answer) {
		if (!err.reason || err.code == ERROR_NONE)
			die("an error without a reason");
		return 0;
	}
	if (answer_drivers(answer)->len)
		return 0;
	(void)answer_check(answer, &target, &warnings, NULL);
	again = parse(answer_text(answer), &err);
	if (!again) {
		fprintf(stderr, "%s: %s\n", err.subject, err.reason);
		die("what was written is refused");
	}
	if (!bytes_equal(answer_text(answer), answer_text(again)))
		die("the second writing differs from the first");
	return 0;
}
