/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a boot loader says of itself: PE sections, and SBAT in one of them. */
#include "image/sbat.h"
#include "windows/pe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes file = {data, size}, half = {data, size / 2};
	struct bytes section = pe_section(file, ".sbat");
	char component[SBAT_NAME_SIZE];

	if (section.len &&
	    (section.data < data || section.data + section.len > data + size))
		abort();
	/* Of two that name a component twice each may be the older one. */
	if (sbat_is_older(file, half, component) && !*component)
		abort();
	(void)sbat_is_older(half, file, component);
	return 0;
}
