/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Up to Windows 7: packages that gild put in and that wait for Windows to import them,
 * and what would keep it from doing so.
 */
#include "base/text.h"
#include "windows/critical_device.h"
#include "windows/injected.h"
#include "windows/installation_private.h"

#define REINJECT "inject the package again"

static void add_driver(struct installation *out, struct injected_package *package)
{
	struct installed_driver driver = {
		.published = xstrdup(package->published),
		.original = xstrdup(package->inf_name),
		.store = xstrdup(package->id),
		.folder = xstrdup(package->folder),
		.date = package->date,
		.version = package->version,
		.arch = package->arch,
		.boot_critical = package->boot_critical,
		.reflected = package->ids.len > 0 || package->services.len > 0,
		.node = REGISTRY_SYSTEM,
	};

	guid_format(&package->class_guid, driver.class_guid);
	driver.class_name = steal_ptr(package->class_name);
	driver.provider = steal_ptr(package->provider);
	vec_foreach (service, &package->services)
		strings_push(&driver.services, *service);
	vec_push(&out->drivers, driver);
}

/* True if one of the folders in DevicePath is that of the package. */
static bool path_lists(struct inspection *in, const struct injected_package *package)
{
	hkey key = hive_find(in->software, hive_root(in->software),
			     "Microsoft\\Windows\\CurrentVersion");
	_cleanup_free_ char *list =
		key ? hive_get_string(in->software, key, "DevicePath") : NULL;
	_cleanup_free_ char *want =
		xasprintf("%%SystemRoot%%\\Drivers\\%s", path_base(package->folder));
	char *save = NULL;

	for (char *part = list ? strtok_r(list, ";", &save) : NULL; part;
	     part = strtok_r(NULL, ";", &save))
		if (text_equal(part, want))
			return true;
	return false;
}

static int check_folder(struct inspection *in, const struct injected_package *package,
			struct error *err)
{
	_cleanup_free_ char *inf = xasprintf("%s/%s", package->folder, package->inf_name);
	int there = tree_stat(in->tree, inf, NULL, err);

	if (there < 0)
		return -1;
	if (!there)
		problem_add(in->out, "injected_missing", PROBLEM_ERROR,
			    REINJECT ", or take its record out with gild remove",
			    "%s of injected package %s is missing: Windows cannot import "
			    "it",
			    inf, package->published);
	else if (!path_lists(in, package))
		problem_add(in->out, "device_path", PROBLEM_WARNING, REINJECT,
			    "DevicePath does not list %s: Windows does not find injected "
			    "package %s",
			    package->folder, package->published);
	return 0;
}

/* What has to be there before Plug and Play: services, and entries for its devices. */
static int check_boot(struct inspection *in, const struct injected_package *package,
		      struct error *err)
{
	_cleanup_(strings_free) struct strings gone = VEC_INIT;
	_cleanup_free_ char *list = NULL;

	vec_foreach (service, &package->services)
		if (!services_find(&in->services, *service))
			strings_push(&gone, *service);
	vec_foreach (id, &package->ids) {
		_cleanup_critical_device_ struct critical_device device = {0};
		int found = critical_device_read(in->system, in->out->control_set, *id,
						 &device, err);

		if (found < 0)
			return -1;
		if (!found)
			strings_push(&gone, *id);
	}
	if (!gone.len)
		return 0;
	list = names_list(&gone, 4);
	problem_add(in->out, "injected_incomplete", PROBLEM_ERROR, REINJECT,
		    "what injected package %s needs to be started from is incomplete: %s",
		    package->published, list);
	return 0;
}

int inspect_injected(struct inspection *in, struct error *err)
{
	_cleanup_injected_packages_ struct injected_packages packages = VEC_INIT;

	if (!in->software)
		return 0;
	if (injected_packages_read(in->software, &packages, err) < 0)
		return -1;
	vec_foreach (package, &packages) {
		if (check_folder(in, package, err) < 0 ||
		    check_boot(in, package, err) < 0)
			return -1;
		add_driver(in->out, package);
	}
	return 0;
}
