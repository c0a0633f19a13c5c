/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an update reads of a stick: an archive of settings, and GRUB's environment block.
 */
#include "image/grub.h"
#include "image/pack_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = {data, size};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;
	struct grub_environment environment;
	struct goldens goldens = VEC_INIT;

	if (settings_read(bytes, "fuzz", &files, &err) < 0 &&
	    (!err.reason || !err.remedy))
		abort();
	settings_images(&files, &goldens);
	if (goldens.len > files.len)
		abort();
	goldens_free(&goldens);
	grub_environment_read(bytes, &environment);
	if ((environment.slot != 'a' && environment.slot != 'b') || environment.tries > 9)
		abort();
	return 0;
}
