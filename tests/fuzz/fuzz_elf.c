/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs of arbitrary bytes: a list of libraries within limits, or a reason. */
#include "image/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_(elf_free) struct elf elf = {0}, stripped = {0};
	_cleanup_buffer_ struct buffer copy = BUFFER_INIT;
	bool sound = elf_parse((struct bytes){data, size}, "fuzz", &elf, &err) == 0;

	if (!sound && (!err.reason || elf.needed.len || elf.interpreter))
		abort();
	if (elf.needed.len > ELF_MAX_NEEDED)
		abort();
	buffer_append(&copy, data, size);
	if ((elf_strip(&copy, "fuzz", &err) == 0) != sound || copy.len > size)
		abort();
	/* What is cut off is nothing that was read. */
	if (sound && (elf_parse(buffer_view(&copy), "fuzz", &stripped, &err) < 0 ||
		      stripped.needed.len != elf.needed.len))
		abort();
	return 0;
}
