/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles on arbitrary bytes: refused with a reason, or written as it was read. */
#include "hwprofiles/profile_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buffer_ struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct profile *p, *again;

	if (size > 1 << 16)
		return 0;
	p = profile_parse((struct bytes){data, size}, "fuzz", &err);
	if (!p) {
		if (!err.reason || !err.subject)
			abort();
		return 0;
	}
	profile_write(p, &first);
	again = profile_parse(buffer_view(&first), "again", &err);
	if (!again)
		abort();
	profile_write(again, &second);
	if (!bytes_equal(buffer_view(&first), buffer_view(&second)))
		abort();
	profile_free(again);
	profile_free(p);
	return 0;
}
