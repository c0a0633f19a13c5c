/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * --any-controller on XP and Server 2003: one image for many PCs, as it was prepared for
 * sysprep: mass storage, HAL, and the services that stop a PC of another make.
 */
#include <sys/stat.h>

#include "base/text.h"
#include "injector/nt5.h"
#include "windows/boot_storage.h"
#include "windows/service.h"

/*
 * Drivers that Windows starts although the device they were installed for is not there,
 * and that then stop the machine: processor drivers (Microsoft's article 953356, STOP 7E
 * on a processor of another make) and AGP bridges.
 */
static const struct {
	const char *service, *reason;
} traps[] = {
	{"intelppm", "it stops PCs with another processor"},
	{"processor", "it stops PCs with another processor"},
	{"processr", "it stops PCs with another processor"},
	{"p3", "it stops PCs with another processor"},
	{"amdk6", "it stops PCs with another processor"},
	{"amdk7", "it stops PCs with another processor"},
	{"amdk8", "it stops PCs with another processor"},
	{"amdppm", "it stops PCs with another processor"},
	{"crusoe", "it stops PCs with another processor"},
	{"agp440", "it waits for its AGP bridge"},
	{"agpcpq", "it waits for its AGP bridge"},
	{"alim1541", "it waits for its AGP bridge"},
	{"amdagp", "it waits for its AGP bridge"},
	{"gagp30kx", "it waits for its AGP bridge"},
	{"nv_agp", "it waits for its AGP bridge"},
	{"sisagp", "it waits for its AGP bridge"},
	{"uagp35", "it waits for its AGP bridge"},
	{"viaagp", "it waits for its AGP bridge"},
};

void nt5_any_error(struct nt5_any *any, const char *subject, char *message,
		   const char *remedy)
{
	vec_push(&any->out->errors,
		 (struct any_controller_error){.subject = xstrdup(subject),
					       .message = message,
					       .remedy = xstrdup(remedy)});
}

static int disarm(struct nt5_any *any, const char *set, size_t trap, struct error *err)
{
	struct hive *hive = any->store->system;
	_cleanup_service_ struct service service = {0};
	_cleanup_free_ char *remark = NULL;
	int found = service_read(hive, set, traps[trap].service, &service, err);

	if (found <= 0 || service.start >= SERVICE_DISABLED)
		return found < 0 ? -1 : 0;
	if (hive_set_dword(hive, service.key, "Start", SERVICE_DISABLED, err) < 0)
		return -1;
	vec_push(&any->out->services,
		 (struct any_controller_service){.control_set = xstrdup(set),
						 .service = xstrdup(service.name),
						 .from = service.start,
						 .to = SERVICE_DISABLED});
	remark =
		xasprintf("service %s is disabled: %s", service.name, traps[trap].reason);
	if (!strings_contain(&any->out->remarks, remark))
		strings_push(&any->out->remarks, remark);
	return 0;
}

static int apply(struct nt5_any *any, struct error *err)
{
	struct store *store = any->store;

	if (nt5_any_storage(any, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(traps); i++)
		vec_foreach (set, &store->control_sets)
			if (disarm(any, *set, i, err) < 0)
				return -1;
	if (nt5_drop_stale_instances(store, any->out, err) < 0 ||
	    any_controller_filters(store->tree, store->registry, any->out, err) < 0 ||
	    nt5_any_hal(any, err) < 0)
		return -1;
	names_sort(&any->out->ids);
	return 0;
}

int nt5_any_controller(struct store *store, const struct any_controller_options *options,
		       struct any_controller_result *ret, struct error *err)
{
	struct nt5_any any = {store, options, ret};
	struct stat st;

	*ret = (struct any_controller_result){0};
	if (options->source && stat(options->source, &st) < 0)
		return error_errno(err, options->source, "cannot open");
	if (options->source && !S_ISDIR(st.st_mode)) {
		error_set(err, ERROR_USAGE, options->source, "is no folder");
		return error_remedy(err, "unpack the CD (7z x) and give its i386 folder");
	}
	return apply(&any, err);
}
