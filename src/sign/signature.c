/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sign/signature.h"

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
		[SIGNER_NONE] = "none",
		[SIGNER_INBOX] = "inbox",
		[SIGNER_WHQL] = "whql",
		[SIGNER_ATTESTATION] = "attestation",
		[SIGNER_VENDOR] = "vendor",
		[SIGNER_TEST] = "test",
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
