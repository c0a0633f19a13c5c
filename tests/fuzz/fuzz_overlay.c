/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of a qcow2 image on arbitrary bytes. */
#include "init/overlay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct qcow2_header header;

	if (qcow2_read((struct bytes){data, size}, "fuzz", &header, &err) < 0) {
		if (!err.reason)
			abort();
	} else if (!header.size || header.size > QCOW2_MAX_DISK ||
		   strnlen(header.identity, sizeof(header.identity)) ==
			   sizeof(header.identity)) {
		abort();
	}
	return 0;
}
