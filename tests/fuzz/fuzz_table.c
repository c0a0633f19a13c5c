/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled profiles on arbitrary bytes whose digest is right: refused, or read as
 * written. */
#include "base/hash.h"
#include "hwprofiles/profile_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *table = xmemdup(data, size);
	_cleanup_buffer_ struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct profiles profiles = VEC_INIT, again = VEC_INIT;

	if (size >= 64) {
		memset(table + 24, 0, 32);
		hash_sha256((struct bytes){table, size}, table + 24);
	}
	if (profile_table_read((struct bytes){table, size}, "fuzz", &profiles, &err) <
	    0) {
		if (!err.reason || !err.remedy)
			abort();
		return 0;
	}
	profile_table_write(&profiles, &first);
	if (profile_table_read(buffer_view(&first), "again", &again, &err) < 0)
		abort();
	profile_table_write(&again, &second);
	if (!bytes_equal(buffer_view(&first), buffer_view(&second)))
		abort();
	profiles_free(&profiles);
	profiles_free(&again);
	return 0;
}
