/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Windows XP and Server 2003: opening an image. */
#include "injector/nt5.h"

#include "base/text.h"
#include "injector/nt6.h"

#define SYSPREP "sysprep/sysprep.inf"
#define SYSPREP_LIMIT ((size_t)1 << 20)
/* Setup reads lists of folders into a buffer of this size. */
#define DEVICE_PATH_MAX 4096u

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

/* Mini-setup makes DevicePath anew from its answer file: a line "OemPnPDriversPath=...".
 */
static bool sysprep_names_folders(struct tree *tree)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (tree_stat(tree, SYSPREP, NULL, NULL) <= 0 ||
	    tree_read(tree, SYSPREP, SYSPREP_LIMIT, &raw, NULL) < 0)
		return false;
	text = raw.len >= 2 && raw.data[0] == 0xFF && raw.data[1] == 0xFE
		       ? utf16_to_utf8(raw.data + 2, raw.len - 2)
		       : xstrndup((const char *)raw.data, raw.len);
	for (char *line = strtok_r(text, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save))
		if (text_starts_with(line + strspn(line, " \t"), "OemPnPDriversPath"))
			return true;
	return false;
}

int nt5_add(struct store *store, struct package *package, bool force, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	size_t before, after;

	if (nt5_stale_instances(store, &before, err) < 0 ||
	    nt60_add(store, package, force, err) < 0)
		return -1;
	if (package->verdict != PACKAGE_ADDED)
		return 0;
	if (nt5_stale_instances(store, &after, err) < 0)
		return -1;
	if (after > before)
		package_remark(package,
			       "the image remembers %zu of its devices with another "
			       "driver, which keeps them: --any-controller drops these",
			       after - before);
	path = nt5_device_path(store);
	if (path && strlen(path) > DEVICE_PATH_MAX)
		package_remark(package,
			       "DevicePath has %zu characters now, setup of that time "
			       "reads %u: inject fewer packages",
			       strlen(path), DEVICE_PATH_MAX);
	if (sysprep_names_folders(store->tree))
		package_remark(package,
			       SYSPREP " has OemPnPDriversPath, from which mini-setup "
				       "makes DevicePath anew: add the package's folder "
				       "below Windows\\Drivers to it");
	return 0;
}
