/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All content of an NTFS volume: what tree/ntfs_verify.c finds, as findings. */
#include "builder/verify_private.h"
#include "tree/ntfs_verify.h"

#define MAX_DAMAGES 200 /* so many are named */

struct deep {
	struct verify *v;
	const char *volume;
	size_t count;
};

static const struct {
	const char *code;
	enum verify_severity severity;
} damages[] = {
	[NTFS_DAMAGED_RECORD] = {"ntfs_record", VERIFY_ERROR},
	[NTFS_DAMAGED_CONTENT] = {"content_damaged", VERIFY_ERROR},
	[NTFS_CROSS_LINKED] = {"ntfs_cross_linked", VERIFY_ERROR},
	[NTFS_NOT_IN_BITMAP] = {"ntfs_bitmap", VERIFY_ERROR},
	[NTFS_LOST_CLUSTERS] = {"ntfs_lost_clusters", VERIFY_WARNING},
};

static void take(void *arg, enum ntfs_damage kind, const char *name, const char *why)
{
	struct deep *deep = arg;
	_cleanup_free_ char *subject = xasprintf("%s: %s", deep->volume, name);

	if (deep->count++ < MAX_DAMAGES)
		verify_add(deep->v, damages[kind].code, damages[kind].severity, subject,
			   VERIFY_CHKDSK, "%s", why ? why : "cannot be read");
}

int verify_ntfs_deep(struct verify *v, const struct partition *partition,
		     struct block *volume, struct error *err)
{
	_cleanup_free_ char *name = verify_partition_name(partition);
	struct deep deep = {.v = v, .volume = name};
	const struct ntfs_verify_sink sink = {take, &deep};
	_cleanup_error_ struct error why = ERROR_INIT;
	struct ntfs *ntfs = ntfs_open(volume, false, &why);
	int result = ntfs ? ntfs_verify(ntfs, &sink, &v->report->deep_bytes, &why) : -1;

	(void)ntfs_close(ntfs, NULL);
	if (result < 0 && why.code == ERROR_INTERRUPTED)
		return error_move(err, &why);
	if (result < 0)
		verify_add_error(v, "ntfs_unreadable", VERIFY_ERROR, name, VERIFY_CHKDSK,
				 &why);
	if (deep.count > MAX_DAMAGES)
		verify_add(v, "content_damaged", VERIFY_ERROR, name, VERIFY_CHKDSK,
			   "%zu more records or contents are damaged",
			   deep.count - MAX_DAMAGES);
	verify_checked(v, "all contents of %s", name);
	return 0;
}
