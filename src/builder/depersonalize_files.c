/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that Windows makes anew when it needs them: page and hibernation files, caches,
 * logs, what was thrown away. Answer files in Panther stay.
 */
#include "base/text.h"
#include "builder/depersonalize_private.h"

#define MAX_DEPTH 128
#define WER "ProgramData/Microsoft/Windows/WER"

static const struct place {
	const char *code, *what;
	const char *folder; /* a leading "~" stands for each user's folder */
	/* Names separated by '|', '*' at one end; NULL: all but `keep`. */
	const char *names;
	const char *keep;
} places[] = {
	{"page_files", "page and hibernation files", "",
	 "pagefile.sys|hiberfil.sys|swapfile.sys", NULL},
	{"event_logs", "event logs", "Windows/System32/winevt/Logs", "*.evtx", NULL},
	{"event_logs", "event logs", "Windows/System32/config", "*.evt", NULL}, /* NT 5 */
	{"update_cache", "downloads and database of Windows Update",
	 "Windows/SoftwareDistribution/Download", NULL, NULL},
	{"update_cache", "downloads and database of Windows Update",
	 "Windows/SoftwareDistribution/DataStore", NULL, NULL},
	{"update_cache", "downloads and database of Windows Update",
	 "Windows/SoftwareDistribution", "ReportingEvents.log", NULL},
	{"prefetch", "traces of the programs that were started", "Windows/Prefetch", NULL,
	 NULL},
	{"temporary", "temporary files", "Windows/Temp", NULL, NULL},
	{"temporary", "temporary files", "~/AppData/Local/Temp", NULL, NULL},
	{"temporary", "temporary files", "~/Local Settings/Temp", NULL, NULL}, /* NT 5 */
	{"setup_logs", "logs of setup and servicing", "Windows/Panther",
	 "*.log|*.etl|diagerr.xml|diagwrn.xml", NULL},
	{"setup_logs", "logs of setup and servicing", "Windows/Panther/UnattendGC",
	 "*.log|*.etl|diagerr.xml|diagwrn.xml", NULL},
	{"setup_logs", "logs of setup and servicing", "Windows/System32/Sysprep/Panther",
	 "*.log|*.etl|diagerr.xml|diagwrn.xml", NULL},
	{"setup_logs", "logs of setup and servicing",
	 "Windows/System32/Sysprep/Panther/IE", "*.log|*.etl|diagerr.xml|diagwrn.xml",
	 NULL},
	{"setup_logs", "logs of setup and servicing", "Windows/INF", "setupapi*.log",
	 NULL},
	{"setup_logs", "logs of setup and servicing", "Windows/Logs/CBS", "*.log|*.cab",
	 NULL},
	{"setup_logs", "logs of setup and servicing", "Windows/Logs/DISM", "*.log", NULL},
	{"setup_logs", "logs of setup and servicing", "Windows",
	 "setupapi.log|setupact.log|setuperr.log|setuplog.txt|WindowsUpdate.log", NULL},
	{"error_reports", "error reports", WER "/ReportArchive", NULL, NULL},
	{"error_reports", "error reports", WER "/ReportQueue", NULL, NULL},
	{"error_reports", "error reports", WER "/Temp", NULL, NULL},
	{"crash_dumps", "crash dumps", "Windows", "MEMORY.DMP", NULL},
	{"crash_dumps", "crash dumps", "Windows/Minidump", NULL, NULL},
	{"crash_dumps", "crash dumps", "Windows/LiveKernelReports", "*.dmp", NULL},
	{"recycle_bin", "what was thrown away", "$Recycle.Bin", NULL, NULL},
	{"recycle_bin", "what was thrown away", "RECYCLER", NULL, NULL}, /* NT 5 */
	/* Restore points, shadow copies, indexes. Dedup has contents of files. */
	{"volume_information", "restore points and the volume's own records",
	 "System Volume Information", NULL, "Dedup"},
};

static bool name_fits(const char *pattern, size_t len, const char *name)
{
	const char *star = memchr(pattern, '*', len);
	size_t before = star ? (size_t)(star - pattern) : len;
	size_t after = star ? len - before - 1 : 0, have = strlen(name);

	if (!star)
		return have == len && text_equal_n(name, pattern, len);
	return have >= before + after && text_equal_n(name, pattern, before) &&
	       text_equal_n(name + have - after, star + 1, after);
}

static bool is_chosen(const struct place *place, const char *name)
{
	const char *p = place->names;

	if (!p)
		return !place->keep || !text_equal(name, place->keep);
	for (;;) {
		size_t len = strcspn(p, "|");

		if (name_fits(p, len, name))
			return true;
		if (!p[len])
			return false;
		p += len + 1;
	}
}

/* Files and their bytes in all that goes with an entry. */
static int measure(struct tree *tree, const char *path, const struct tree_stat *st,
		   unsigned depth, uint64_t *count, uint64_t *bytes, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;

	++*count;
	*bytes += st->size;
	if (st->type != TREE_FOLDER)
		return 0;
	if (depth > MAX_DEPTH) {
		error_set(err, ERROR_FAILED, path, "lies too deep");
		return error_remedy(err, "run chkdsk on the volume in Windows");
	}
	if (interrupted())
		return error_interrupted(err);
	if (tree_list(tree, path, &list, err) < 0)
		return -1;
	vec_foreach (entry, &list) {
		_cleanup_free_ char *below = xasprintf("%s/%s", path, entry->name);

		if (measure(tree, below, &entry->stat, depth + 1, count, bytes, err) < 0)
			return -1;
	}
	return 0;
}

static int clean_folder(struct depersonalizing *d, const struct place *place,
			const char *folder, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
	uint64_t count = 0, bytes = 0;
	struct tree_stat st;
	int found = *folder ? tree_stat(d->tree, folder, &st, err) : 1;

	/* A link may lead anywhere: what is behind it is not this folder's. */
	if (found <= 0 || (*folder && st.type != TREE_FOLDER))
		return found < 0 ? -1 : 0;
	if (tree_list(d->tree, folder, &list, err) < 0)
		return -1;
	vec_foreach (entry, &list) {
		_cleanup_free_ char *path =
			xasprintf("%s%s%s", folder, *folder ? "/" : "", entry->name);

		if (!is_chosen(place, entry->name) ||
		    (place->names && entry->stat.type != TREE_FILE))
			continue;
		if (measure(d->tree, path, &entry->stat, 0, &count, &bytes, err) < 0 ||
		    tree_remove(d->tree, path, err) < 0)
			return -1;
	}
	depersonalized(d, place->code, place->what, *folder ? folder : "/", count, bytes);
	return 0;
}

static int clean_users(struct depersonalizing *d, const struct place *place,
		       struct error *err)
{
	static const char *const roots[] = {"Users", "Documents and Settings"};

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
		struct tree_stat st;
		int found = tree_stat(d->tree, roots[i], &st, err);

		if (found < 0)
			return -1;
		if (!found || st.type != TREE_FOLDER)
			continue; /* since Vista the second is a junction */
		if (tree_list(d->tree, roots[i], &list, err) < 0)
			return -1;
		vec_foreach (user, &list) {
			_cleanup_free_ char *folder = xasprintf(
				"%s/%s%s", roots[i], user->name, place->folder + 1);

			if (user->stat.type == TREE_FOLDER &&
			    clean_folder(d, place, folder, err) < 0)
				return -1;
		}
	}
	return 0;
}

int depersonalize_files(struct depersonalizing *d, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct place *place = &places[i];

		if (interrupted())
			return error_interrupted(err);
		if ((*place->folder == '~'
			     ? clean_users(d, place, err)
			     : clean_folder(d, place, place->folder, err)) < 0)
			return -1;
	}
	return 0;
}
