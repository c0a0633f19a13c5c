/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Superblocks of dm-verity and of ext4, seals and news of devices on arbitrary bytes. */
#include "init/dm.h"
#include "init/state.h"
#include "init/uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_super(struct bytes view)
{
	static const char text[] =
		"00112233445566778899aabbccddeeff0123456789abcdef0123456789ab"
		"cdef:16";
	_cleanup_error_ struct error err = ERROR_INIT;
	struct verity_super super;
	struct seal seal;

	if (seal_parse(text, "seal", &seal, NULL) < 0)
		abort();
	if (verity_super_read(view, "fuzz", &seal, &super, &err) == 0)
		free(dm_verity_table("x", &seal, &super));
	else if (!err.reason)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes view = {data, size};
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	struct uevent event;
	struct seal seal;
	uint32_t block;
	uint64_t bytes;

	fuzz_super(view);
	(void)state_file_system_size(view, &block, &bytes);
	if (uevent_parse(view, &event) && !*event.action)
		abort();
	if (seal_parse(text, "seal", &seal, NULL) == 0 &&
	    (!seal.blocks || seal_whole_size(&seal) <= seal_data_size(&seal)))
		abort();
	return 0;
}
