/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server may have as an image's settings, and as its address. */
#include "base/url.h"
#include "image/published.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT, refused = ERROR_INIT;
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	struct golden golden = {0};

	if (published_parse((struct bytes){data, size}, "fuzz", &golden, &err) == 0) {
		if (!golden_word(&golden, "windows") || golden_word(&golden, "seal") ||
		    golden_word(&golden, "image") || !golden.sealed_size)
			abort();
	} else if (!err.reason || !err.remedy) {
		abort();
	}
	golden_release(&golden);
	if (url_check_image(text, "fuzz", &refused) == 0) {
		_cleanup_free_ char *name = url_image_name(text);
		_cleanup_free_ char *beside = url_beside(text, ".conf");

		if (!*name || strpbrk(beside, "\"'$ \n#"))
			abort();
	} else if (!refused.remedy) {
		abort();
	}
	return 0;
}
