/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Windows XP and Server 2003: opening an image. */
#include "injector/nt5.h"

#include "base/text.h"
#include "injector/nt6.h"

int nt5_open(struct store *store, struct error *err)
{
	/* What an image that never saw such a controller has no entries of. */
	static const char *const storage[] = {"{4d36e97b-e325-11ce-bfc1-08002be10318}",
					      "{4d36e96a-e325-11ce-bfc1-08002be10318}"};
	struct nt6 *nt6;

	if (target_compare_version(&store->installation->target, 5, 1, 0) < 0) {
		error_set(err, ERROR_USAGE, tree_name(store->tree),
			  "holds Windows 2000, which gild does not service");
		return error_remedy(err, "XP and Server 2003 are the oldest it does");
	}
	if (nt60_open(store, err) < 0)
		return -1;
	nt6 = store->generation;
	/* Nothing of this generation refuses to load a driver. */
	nt6->sha2 = true;
	vec_free(&nt6->critical);
	for (size_t i = 0; i < ARRAY_SIZE(storage); i++) {
		struct guid guid;

		if (guid_parse(storage[i], &guid))
			vec_push(&nt6->critical, guid);
	}
	return critical_device_classes(store->system, store->installation->control_set,
				       &nt6->critical, err);
}
