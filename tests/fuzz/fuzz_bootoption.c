/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Boot options that firmware or anybody else wrote: EFI_LOAD_OPTION of arbitrary bytes.
 */
#include "init/native_option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct load_option o = {0};

	if (load_option_read((struct bytes){data, size}, "input", &o, NULL) == 0) {
		/* What was read is found again, whatever it is. */
		if (!o.description ||
		    (o.gpt && o.file && !load_option_starts(&o, &o.guid, o.file)))
			abort();
	} else if (o.description || o.file) {
		abort();
	}
	load_option_free(&o);
	return 0;
}
