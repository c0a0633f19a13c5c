/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sign/signature.h"

#include <stdarg.h>
#include <stdio.h>

const char *signature_verdict_name(enum signature_verdict verdict)
{
	static const char *const names[] = {
		[SIGNATURE_UNCHECKED] = "unchecked", [SIGNATURE_VALID] = "valid",
		[SIGNATURE_UNTRUSTED] = "untrusted", [SIGNATURE_UNSIGNED] = "unsigned",
		[SIGNATURE_MISMATCH] = "mismatch",
	};

	return names[verdict];
}

const char *signer_kind_name(enum signer_kind kind)
{
	static const char *const names[] = {
		[SIGNER_NONE] = NULL,	    [SIGNER_INBOX] = "inbox",
		[SIGNER_WHQL] = "whql",	    [SIGNER_ATTESTATION] = "attestation",
		[SIGNER_VENDOR] = "vendor", [SIGNER_TEST] = "test",
	};

	return names[kind];
}

void signature_free(struct signature *signature)
{
	free(signature->signer);
	free(signature->root);
	free(signature->reason);
	*signature = (struct signature){0};
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct signature signature_copy(const struct signature *signature)
{
	struct signature s = *signature;

	s.signer = copy(signature->signer);
	s.root = copy(signature->root);
	s.reason = copy(signature->reason);
	return s;
}

void signature_decide(struct signature *signature, enum signature_verdict verdict,
		      const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	free(signature->reason);
	signature->reason = text;
	signature->verdict = verdict;
}
