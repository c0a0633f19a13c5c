/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of microcode, as Intel's and as AMD's. */
#include "image/microcode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int i = 0; i < MICROCODE_VENDORS; i++) {
		size_t updates = 0;
		const char *wrong =
			microcode_check(i, (struct bytes){data, size}, &updates);

		/* The least one has 72 bytes. */
		if (updates > size / 72 + 1 || (wrong && !*wrong))
			abort();
	}
	return 0;
}
