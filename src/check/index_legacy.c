/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows 7 and older have no index of their drivers that can be read from outside: what
 * Plug and Play will find is what the INFs in Windows\INF and in the folders of injected
 * packages say, by the models of their Windows.
 */
#include "base/text.h"
#include "check/check_private.h"
#include "windows/injected.h"

#define INF_LIMIT ((size_t)16 << 20)
#define MAX_INFS 20000u
#define SIGNED_SCORE 0x0D000000u
#define UNSIGNED_SCORE 0x80000000u

static int index_file(struct check_image *image, const char *path,
		      struct indexed_package *package, struct error *err)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;

	if (tree_read(image->tree, path, INF_LIMIT, &raw, err) < 0)
		return -1;
	index_selection(image, path_base(path), buffer_view(&raw), package, &image->ids);
	return 0;
}

static int index_inbox(struct check_image *image, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;
	_cleanup_(strings_free) struct strings paths = VEC_INIT;
	int found = tree_list(image->tree, "Windows/INF", &entries, err);

	if (found <= 0)
		return found;
	vec_foreach (entry, &entries)
		if (entry->stat.type == TREE_FILE &&
		    text_ends_with(entry->name, ".inf") && paths.len < MAX_INFS)
			vec_push(&paths, xasprintf("Windows/INF/%s", entry->name));
	if (tree_prefetch(image->tree, &paths, err) < 0)
		return -1;
	vec_foreach (path, &paths) {
		const char *name = path_base(*path);
		unsigned number;
		struct indexed_package package = {.inf = (char *)name,
						  .inbox = !oem_inf_number(name, &number),
						  .signer_score = SIGNED_SCORE};

		if (index_file(image, *path, &package, err) < 0)
			return -1;
	}
	image->has_infs = paths.len > 0;
	return 0;
}

/* What gild put in: Windows imports it from the folder when it first starts. */
static int index_injected(struct check_image *image, struct error *err)
{
	_cleanup_injected_packages_ struct injected_packages packages = VEC_INIT;
	struct hive *software = registry_hive(image->registry, REGISTRY_SOFTWARE, NULL);

	if (!software)
		return 0;
	if (injected_packages_read(software, &packages, err) < 0)
		return -1;
	vec_foreach (p, &packages) {
		_cleanup_free_ char *path = xasprintf("%s/%s", p->folder, p->inf_name);
		struct indexed_package package = {
			.inf = p->published,
			.signer_score = p->is_signed ? SIGNED_SCORE : UNSIGNED_SCORE};
		int found = tree_stat(image->tree, path, NULL, err);

		if (found < 0 || (found && index_file(image, path, &package, err) < 0))
			return -1;
		image->has_infs |= found > 0;
		vec_foreach (id, &p->ids) {
			struct claimed_id *claim = id_map_get(&image->ids, *id);

			if (!claim || claim->published)
				continue;
			claim->published = xstrdup(p->published);
			claim->is_unsigned = !p->is_signed;
		}
	}
	return 0;
}

int index_legacy_infs(struct check_image *image, struct error *err)
{
	if (index_inbox(image, err) < 0)
		return -1;
	return index_injected(image, err);
}
