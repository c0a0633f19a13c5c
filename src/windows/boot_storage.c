/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A *claim* says that a service drives the devices with some IDs as a package of some
 * class has it. All claims of the image are collected first; then each service is judged
 * by its claims. The rules name classes (which Windows fixes), not drivers.
 */
#include "windows/boot_storage.h"

#include "base/text.h"

/* Setup classes by their fixed GUIDs. */
#define CLASS_SCSIADAPTER "{4d36e97b-e325-11ce-bfc1-08002be10318}"
#define CLASS_HDC "{4d36e96a-e325-11ce-bfc1-08002be10318}"
#define CLASS_SDHOST "{a0a588a4-c46f-4b37-b7ea-c82fe89870c6}"
#define CLASS_SBP2 "{d48179be-ec20-11d1-b6b8-00c04fa372a7}"
#define CLASS_DISKDRIVE "{4d36e967-e325-11ce-bfc1-08002be10318}"
#define CLASS_CDROM "{4d36e965-e325-11ce-bfc1-08002be10318}"
#define CLASS_VOLUME "{71a27cdd-812a-11d0-bec7-08002be2092f}"
#define CLASS_USB "{36fc9e60-c465-11cf-8056-444553540000}"
#define CLASS_SYSTEM "{4d36e97d-e325-11ce-bfc1-08002be10318}"

struct claim {
	char *service;
	struct guid class_guid;
	bool third_party, filter;
	struct strings ids;
};
DEFINE_VEC(claims, struct claim);

static void claims_free(struct claims *claims)
{
	vec_foreach (claim, claims) {
		free(claim->service);
		strings_free(&claim->ids);
	}
	vec_free(claims);
}

static bool class_is(const struct guid *guid, const char *const *texts, size_t n)
{
	struct guid other;

	for (size_t i = 0; i < n; i++)
		if (guid_parse(texts[i], &other) && guid_equal(guid, &other))
			return true;
	return false;
}

bool storage_host_class(const struct guid *class_guid)
{
	static const char *const classes[] = {CLASS_SCSIADAPTER, CLASS_HDC, CLASS_SDHOST,
					      CLASS_SBP2};

	return class_is(class_guid, classes, ARRAY_SIZE(classes));
}

bool storage_stack_class(const struct guid *class_guid)
{
	static const char *const classes[] = {CLASS_DISKDRIVE, CLASS_CDROM, CLASS_VOLUME,
					      CLASS_USB};

	return storage_host_class(class_guid) ||
	       class_is(class_guid, classes, ARRAY_SIZE(classes));
}

bool storage_filter_inbox(const char *filter)
{
	static const char *const names[] = {
		"partmgr",     "volsnap",      "fvevol",    "rdyboost", "iorate",
		"EhStorClass", "EhStorTcgDrv", "storflt",   "bttflt",	"mpio",
		"msdsm",       "ClusDisk",     "uwfvol",    "fbwf",	"ewf",
		"redbook",     "imapi",	       "spaceport", "volmgrx",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (text_equal(names[i], filter))
			return true;
	return false;
}

/* ---- claims ------------------------------------------------------------------------ */

static void push_filters(struct claims *claims, const struct strings *filters,
			 const struct guid *class_guid, bool third_party)
{
	vec_foreach (filter, filters) {
		struct claim claim = {.service = xstrdup(*filter),
				      .class_guid = *class_guid,
				      .third_party = third_party,
				      .filter = true};

		vec_push(claims, claim);
	}
}

/* One claim per configuration with a service, with the IDs that lead to it. */
static int package_claims(const struct driverdb *db, const struct db_package *package,
			  struct claims *claims, struct error *err)
{
	_cleanup_db_configurations_ struct db_configurations configurations = VEC_INIT;
	_cleanup_db_descriptors_ struct db_descriptors descriptors = VEC_INIT;
	const struct guid *class_guid = &package->version.class_guid;
	bool third_party = db_package_third_party(package);

	if (driverdb_configurations(db, package, &configurations, err) < 0 ||
	    driverdb_descriptors(db, package, &descriptors, err) < 0)
		return -1;
	vec_foreach (configuration, &configurations) {
		struct claim claim = {.class_guid = *class_guid,
				      .third_party = third_party};

		push_filters(claims, &configuration->upper_filters, class_guid,
			     third_party);
		push_filters(claims, &configuration->lower_filters, class_guid,
			     third_party);
		if (!configuration->service)
			continue;
		claim.service = xstrdup(configuration->service);
		vec_foreach (descriptor, &descriptors)
			if (descriptor->configuration &&
			    text_equal(descriptor->configuration, configuration->name))
				strings_push(&claim.ids, descriptor->id);
		vec_push(claims, claim);
	}
	return 0;
}

static int database_claims(const struct driverdb *db, struct claims *claims,
			   struct error *err)
{
	_cleanup_db_packages_ struct db_packages packages = VEC_INIT;

	if (driverdb_packages(db, &packages, err) < 0)
		return -1;
	vec_foreach (package, &packages) {
		if (interrupted())
			return error_interrupted(err);
		if (package->has_version && package->reflected &&
		    package_claims(db, package, claims, err) < 0)
			return -1;
	}
	return 0;
}

/* Up to Windows 7: one key per ID, with '#' for '\'. */
static int critical_device_claims(struct hive *system, const char *control_set,
				  struct claims *claims, struct error *err)
{
	_cleanup_free_ char *path =
		xasprintf("%s\\Control\\CriticalDeviceDatabase", control_set);
	hkey list = hive_find(system, hive_root(system), path);
	uint32_t count = list ? hive_child_count(system, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(system, list, i);
		_cleanup_free_ char *id = key ? hive_key_name(system, key) : NULL;
		_cleanup_free_ char *class = NULL, *service = NULL;
		struct strings filters = VEC_INIT;
		struct claim claim = {0};

		if (interrupted())
			return error_interrupted(err);
		if (!id)
			continue;
		class = hive_get_string(system, key, "ClassGUID");
		service = hive_get_string(system, key, "Service");
		if (!class || !guid_parse(class, &claim.class_guid))
			continue;
		hive_get_strings(system, key, "UpperFilters", &filters);
		hive_get_strings(system, key, "LowerFilters", &filters);
		push_filters(claims, &filters, &claim.class_guid, false);
		strings_free(&filters);
		if (!service || !*service)
			continue;
		for (char *c = id; *c; c++)
			if (*c == '#')
				*c = '\\';
		claim.service = steal_ptr(service);
		strings_push(&claim.ids, id);
		vec_push(claims, claim);
	}
	return 0;
}

static int collect_claims(struct registry *registry, struct hive *system,
			  const char *control_set, struct claims *claims,
			  struct error *err)
{
	static const enum registry_hive nodes[] = {REGISTRY_SYSTEM, REGISTRY_DRIVERS};
	bool database = false;

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		struct driverdb db;
		int has = driverdb_open(registry, nodes[i], &db, err);

		if (has < 0 || (has && database_claims(&db, claims, err) < 0))
			return -1;
		database |= has;
	}
	return database ? 0 : critical_device_claims(system, control_set, claims, err);
}

/* ---- judgement --------------------------------------------------------------------- */

/* The enumerators of the IDs that storage drivers claim: the buses they hang on. */
static void storage_enumerators(const struct claims *claims, struct strings *ret)
{
	vec_foreach (claim, claims) {
		if (!storage_host_class(&claim->class_guid))
			continue;
		vec_foreach (id, &claim->ids) {
			const char *end = strchr(*id, '\\');
			_cleanup_free_ char *name = NULL;

			if (!end)
				continue;
			name = xstrndup(*id, (size_t)(end - *id));
			if (!strings_contain(ret, name))
				strings_push(ret, name);
		}
	}
}

/* What one claim makes of its service; false if nothing. */
static bool judge_claim(const struct claim *claim, const struct strings *enumerators,
			enum boot_role *role)
{
	static const char *const disk[] = {CLASS_DISKDRIVE}, *const bus[] = {
								     CLASS_SYSTEM};

	if (storage_host_class(&claim->class_guid))
		*role = claim->filter ? BOOT_FILTER : BOOT_CONTROLLER;
	else if (claim->filter)
		return false;
	else if (class_is(&claim->class_guid, disk, ARRAY_SIZE(disk)))
		*role = BOOT_DISK;
	else if (class_is(&claim->class_guid, bus, ARRAY_SIZE(bus)) &&
		 strings_contain(enumerators, claim->service))
		/* A bus driver has the name of its enumerator: pci, vmbus, xenbus. */
		*role = BOOT_BUS;
	else
		return false;
	return true;
}

/* Where no package tells: by load order group, and by the service's own BootFlags. */
static bool judge_service(const struct service *service, enum boot_role *role)
{
	if (service->group && text_equal(service->group, "SCSI Miniport"))
		*role = BOOT_CONTROLLER;
	else if (service->boot_flags & BOOT_FLAGS_DISK)
		*role = BOOT_BUS;
	else
		return false;
	return true;
}

void names_sort(struct strings *s)
{
	size_t n = 0;

	if (s->len)
		qsort(s->items, s->len, sizeof(*s->items), text_compare_p);
	for (size_t i = 0; i < s->len; i++) {
		if (n && text_equal(s->items[n - 1], s->items[i]))
			free(s->items[i]);
		else
			s->items[n++] = s->items[i];
	}
	s->len = n;
}

static int compare_claims(const void *a, const void *b)
{
	return text_compare(((const struct claim *)a)->service,
			    ((const struct claim *)b)->service);
}

/* The claims of one service: claims are sorted by service, since hives may be hostile. */
static void claims_of(const struct claims *claims, const char *service, size_t *from,
		      size_t *to)
{
	size_t low = 0, high = claims->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (text_compare(claims->items[middle].service, service) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (*from = low; low < claims->len; low++)
		if (!text_equal(claims->items[low].service, service))
			break;
	*to = low;
}

/* True if the service matters; its role is the strongest (lowest) of all claims. */
static bool judge(const struct claims *claims, const struct strings *enumerators,
		  const struct service *service, struct boot_candidate *ret)
{
	bool found = false;
	enum boot_role role;
	size_t from, to;

	*ret = (struct boot_candidate){0};
	claims_of(claims, service->name, &from, &to);
	for (size_t i = from; i < to; i++) {
		const struct claim *claim = &claims->items[i];

		ret->third_party |= claim->third_party;
		if (judge_claim(claim, enumerators, &role) &&
		    (!found || role < ret->role)) {
			ret->role = role;
			found = true;
		}
	}
	if (!found && judge_service(service, &role)) {
		ret->role = role;
		found = true;
	}
	if (!found || !service_is_driver(service))
		return false;
	ret->third_party |= service_is_third_party(service);
	ret->other_boot = service->boot_flags && !(service->boot_flags & BOOT_FLAGS_DISK);
	for (size_t i = from; i < to; i++)
		vec_foreach (id, &claims->items[i].ids)
			strings_push(&ret->ids, *id);
	names_sort(&ret->ids);
	return true;
}

void boot_candidates_free(struct boot_candidates *candidates)
{
	vec_foreach (candidate, candidates) {
		service_free(&candidate->service);
		strings_free(&candidate->ids);
	}
	vec_free(candidates);
}

int boot_storage_find(struct tree *tree, struct registry *registry,
		      const char *control_set, struct boot_candidates *ret,
		      struct error *err)
{
	_cleanup_(claims_free) struct claims claims = VEC_INIT;
	_cleanup_(strings_free) struct strings enumerators = VEC_INIT;
	_cleanup_services_ struct services services = VEC_INIT;
	struct hive *system = registry_hive(registry, REGISTRY_SYSTEM, err);

	if (!system || services_read(system, control_set, &services, err) < 0 ||
	    collect_claims(registry, system, control_set, &claims, err) < 0)
		return -1;
	if (claims.len)
		qsort(claims.items, claims.len, sizeof(*claims.items), compare_claims);
	storage_enumerators(&claims, &enumerators);
	vec_foreach (service, &services) {
		struct boot_candidate candidate;
		int present;

		if (interrupted())
			return error_interrupted(err);
		if (!judge(&claims, &enumerators, service, &candidate))
			continue;
		present = service_file_present(tree, service, err);
		if (present < 0) {
			strings_free(&candidate.ids);
			return -1;
		}
		candidate.present = present > 0;
		candidate.service = *service;
		*service = (struct service){0};
		vec_push(ret, candidate);
	}
	return 0;
}
