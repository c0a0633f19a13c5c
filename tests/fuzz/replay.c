/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replays a corpus through a fuzz target without libFuzzer: each argument is a file. */
#include <stdio.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_buffer_ struct buffer b = BUFFER_INIT;

		if (file_read(argv[i], 64 << 20, &b, &err) < 0) {
			_cleanup_free_ char *text = error_message(&err);

			fprintf(stderr, "%s\n", text);
			return 1;
		}
		(void)LLVMFuzzerTestOneInput(b.data, b.len);
	}
	return 0;
}
