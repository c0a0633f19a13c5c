/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vista and 7: opening an image, and what adding a package means for it as it is. */
#include "injector/nt6.h"
#include "injector/signing.h"

#include "base/text.h"
#include "windows/pe.h"

#define CBS_PACKAGES \
	"Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages"
#define CODE_INTEGRITY "Windows/System32/ci.dll"
#define CODE_INTEGRITY_LIMIT ((size_t)16 << 20)
#define CBS_INSTALLED 0x70u
#define WOULD_BE_UNSIGNED                                                            \
	"its catalog is signed with SHA-256 only, which this Windows cannot verify " \
	"without KB3033929 or KB4474419"
#define UNSIGNED_FOR_XP                                                                  \
	"its catalog is signed with SHA-256 only, which this Windows cannot verify: it " \
	"takes the package for unsigned"

/* ---- opening ----------------------------------------------------------------------- */

/*
 * Classes that Windows needs drivers of before it can read INFs, where the image has no
 * database to tell: those that the one of a Windows 7 SP1 has entries of.
 */
static const char *const critical_classes[] = {
	"{4d36e97b-e325-11ce-bfc1-08002be10318}", /* SCSIAdapter */
	"{4d36e96a-e325-11ce-bfc1-08002be10318}", /* HDC */
	"{4d36e97d-e325-11ce-bfc1-08002be10318}", /* System */
	"{36fc9e60-c465-11cf-8056-444553540000}", /* USB */
	"{4d36e967-e325-11ce-bfc1-08002be10318}", /* DiskDrive */
	"{4d36e965-e325-11ce-bfc1-08002be10318}", /* CDROM */
	"{71a27cdd-812a-11d0-bec7-08002be2092f}", /* Volume */
	"{4d36e96b-e325-11ce-bfc1-08002be10318}", /* Keyboard */
	"{4d36e96f-e325-11ce-bfc1-08002be10318}", /* Mouse */
	"{745a17a0-74d3-11d0-b6fe-00a0c90f57da}", /* HIDClass */
	"{6bdd1fc1-810f-11d0-bec7-08002be2092f}", /* 1394 */
	"{d48179be-ec20-11d1-b6b8-00c04fa372a7}", /* SBP2 */
	"{a0a588a4-c46f-4b37-b7ea-c82fe89870c6}", /* SDHost: not there, but of its kind */
};

static int read_classes(struct store *store, struct nt6 *nt6, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(critical_classes); i++) {
		struct guid guid;

		if (guid_parse(critical_classes[i], &guid))
			vec_push(&nt6->critical, guid);
	}
	return critical_device_classes(store->system, store->installation->control_set,
				       &nt6->critical, err);
}

/*
 * Updates that taught code integrity and the boot loader SHA-256; every monthly rollup
 * (from 2016 on) has them.
 */
static bool is_sha2_update(const char *name)
{
	static const char *const updates[] = {"KB3033929", "KB2949927", "KB3125574",
					      "KB4474419"};

	if (text_starts_with(name, "Package_for_RollupFix~"))
		return true;
	if (!text_starts_with(name, "Package_"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(updates); i++) {
		const char *at = strstr(name, updates[i]);

		if (at && at[strlen(updates[i])] == '~')
			return true;
	}
	return false;
}

static bool sha2_by_update(struct store *store)
{
	struct hive *hive = store->software;
	hkey list = hive_find(hive, hive_root(hive), CBS_PACKAGES);
	uint32_t count = list ? hive_child_count(hive, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(hive, list, i);
		_cleanup_free_ char *name = key ? hive_key_name(hive, key) : NULL;
		uint32_t state;

		if (name && is_sha2_update(name) &&
		    (!hive_get_dword(hive, key, "CurrentState", &state) ||
		     state == CBS_INSTALLED))
			return true;
	}
	return false;
}

/* The convenience rollup of 2016 (7601.23403) and all later builds have the updates. */
static bool sha2_by_version(struct store *store)
{
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	uint64_t version;

	return tree_stat(store->tree, CODE_INTEGRITY, NULL, NULL) > 0 &&
	       tree_read(store->tree, CODE_INTEGRITY, CODE_INTEGRITY_LIMIT, &file,
			 NULL) == 0 &&
	       pe_file_version(buffer_view(&file), &version) &&
	       version >= ((uint64_t)6 << 48 | (uint64_t)1 << 32 | 7601u << 16 | 23403u);
}

static void nt6_free(void *generation)
{
	struct nt6 *nt6 = generation;

	vec_foreach (rank, &nt6->ranks)
		free(rank->package);
	vec_free(&nt6->ranks);
	vec_free(&nt6->critical);
	free(nt6);
}

int nt60_open(struct store *store, struct error *err)
{
	const struct target *target = &store->installation->target;
	struct nt6 *nt6;

	if (target->arch != ARCH_X86 && target->arch != ARCH_AMD64)
		return error_set(err, ERROR_USAGE, tree_name(store->tree),
				 "is a Windows for %s: of this generation gild services "
				 "those for x86 and amd64",
				 arch_name(target->arch));
	store->legacy = true;
	if (store_open_hives(store, err) < 0)
		return -1;
	if (!store->software) {
		error_set(err, ERROR_STATE, tree_name(store->tree),
			  "has no SOFTWARE hive, where DevicePath tells Windows of new "
			  "drivers");
		return error_remedy(err, "the image is incomplete: take a whole one");
	}
	nt6 = xcalloc(1, sizeof(*nt6));
	store->generation = nt6;
	store->generation_free = nt6_free;
	nt6->sha2 = sha2_by_update(store) || sha2_by_version(store);
	return read_classes(store, nt6, err);
}

/* ---- adding ------------------------------------------------------------------------ */

/* "vioscsi.inf_amd64_02a4..." -> "vioscsi.inf_amd64_neutral_02a4...": the form of 6.x. */
static void name_neutral(struct package *package)
{
	char *last = strrchr(package->store, '_'), *name;

	if (!last || strstr(package->store, "_neutral_"))
		return;
	name = xasprintf("%.*s_neutral%s", (int)(last - package->store), package->store,
			 last);
	free(package->store);
	package->store = name;
}

/*
 * From Vista on 64-bit Windows stops at a boot driver that is not signed; a 32-bit one
 * and XP load it.
 */
static void check_digest(struct store *store, struct package *package)
{
	const struct nt6 *nt6 = store->generation;
	const struct target *target = &store->installation->target;
	enum unsigned_policy policy = signing_policy(store->signing);
	bool fatal = package->boot_critical && target->arch == ARCH_AMD64 &&
		     target->major >= 6;
	const char *why = target->major >= 6 ? WOULD_BE_UNSIGNED : UNSIGNED_FOR_XP;

	if (nt6->sha2 || package->signature.sha1 || !package->signature.sha2)
		return;
	if (policy == UNSIGNED_REFUSE)
		package_decide(package, PACKAGE_REFUSED, "%s", why);
	else if (fatal && policy != UNSIGNED_ALLOW)
		package_decide(package, PACKAGE_REFUSED,
			       "%s: it would not start from the device; update the "
			       "image, or take a package that is signed with SHA-1 as "
			       "well (--unsigned=allow injects it nevertheless)",
			       why);
	else
		package_remark(package, "%s", why);
}

static int decide(struct store *store, struct package *package, bool force,
		  struct error *err)
{
	const struct nt6 *nt6 = store->generation;
	const struct driver *driver = package->driver;

	if (driver->extension) {
		package_decide(package, PACKAGE_SKIPPED,
			       "extension INFs are for Windows 10 and later");
		return 0;
	}
	package->boot_critical = force || driver->boot_critical ||
				 guids_contain(&nt6->critical, &driver->class_guid);
	if (package_check_binaries(package, store->tree, &store->installation->target,
				   package->boot_critical, err) < 0)
		return -1;
	if (package->verdict == PACKAGE_ADDED)
		check_digest(store, package);
	return 0;
}

/* An oemN.inf that Windows itself published with these very bytes. 1 and *ret, 0, -1. */
static int published_by_windows(struct store *store, const struct package *package,
				char **ret, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;
	struct bytes raw = buffer_view(&package->driver->raw);

	if (tree_list(store->tree, INF_FOLDER, &entries, err) < 0)
		return -1;
	vec_foreach (entry, &entries) {
		_cleanup_buffer_ struct buffer other = BUFFER_INIT;
		_cleanup_free_ char *path = xasprintf(INF_FOLDER "/%s", entry->name);
		unsigned number;

		if (entry->stat.type != TREE_FILE || entry->stat.size != raw.len ||
		    !oem_inf_number(entry->name, &number))
			continue;
		if (tree_read(store->tree, path, raw.len, &other, err) < 0)
			return -1;
		if (bytes_equal(raw, buffer_view(&other))) {
			*ret = text_lower(entry->name);
			return 1;
		}
	}
	return 0;
}

struct state {
	struct injected_packages records;
	const struct injected_package *own;
	bool outranked;
	char *better; /* by which package */
};

static void state_free(struct state *state)
{
	injected_packages_free(&state->records);
	free(state->better);
}

/* 1: nothing to do (the verdict says so), 0, -1. */
static int already(struct store *store, struct package *package, struct state *state,
		   struct error *err)
{
	bool boot = package->boot_critical && !state->outranked;
	int there;

	if (state->own) {
		there = nt6_staged(store, package, state->own, err);
		if (there > 0 && boot)
			there = nt6_bootable(store, package, &state->records, state->own,
					     err);
		package->published = xstrdup(state->own->published);
	} else {
		there = published_by_windows(store, package, &package->published, err);
		if (there > 0 && boot)
			there = nt6_bootable(store, package, &state->records, NULL, err);
	}
	if (there > 0)
		package_decide(package, PACKAGE_ALREADY, "the image has it as %s",
			       package->published);
	else if (there == 0 && state->own)
		package_decide(package, PACKAGE_ADDED,
			       "what the image had of it was incomplete and is repaired");
	return there;
}

static int add(struct store *store, struct package *package, struct state *state,
	       struct error *err)
{
	_cleanup_free_ char *folder = NULL;
	unsigned number = 0;
	hkey record;

	if (state->own) {
		folder = xstrdup(state->own->folder);
	} else {
		free(package->published);
		package->published = NULL;
		if (oem_number_free(store, &state->records, &number, err) < 0)
			return -1;
		package->published = xasprintf("oem%u.inf", number);
		folder = nt6_folder(number, package->inf_name);
	}
	if (nt6_stage(store, package, folder, &state->records, &record, err) < 0)
		return -1;
	if (!package->boot_critical)
		return 0;
	vec_foreach (c, &package->driver->configurations)
		if (c->co_installers)
			package_remark(package, "its co-installers run when Windows has "
						"imported it");
	if (state->outranked) {
		package_remark(package,
			       "%s is in the image and ranks better: it stays in force",
			       state->better);
		return 0;
	}
	return nt6_make_bootable(store, package, record, &state->records, state->own,
				 err);
}

int nt60_add(struct store *store, struct package *package, bool force, struct error *err)
{
	_cleanup_(state_free) struct state state = {0};
	int r;

	name_neutral(package);
	if (decide(store, package, force, err) < 0)
		return -1;
	if (package->verdict != PACKAGE_ADDED)
		return 0;
	if (injected_packages_read(store->software, &state.records, err) < 0)
		return -1;
	state.own = injected_find(&state.records, package->store);
	if (package->boot_critical) {
		r = nt6_outranked(store, package, &state.records, state.own,
				  &state.better, err);
		if (r < 0)
			return -1;
		state.outranked = r > 0;
	}
	r = already(store, package, &state, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return add(store, package, &state, err);
}
