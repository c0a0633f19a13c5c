/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/inject_view.h"

#include "windows/driverdb.h"
#include "windows/service.h"

static const char *class_of(const struct package *package, char guid[GUID_TEXT_SIZE])
{
	const struct driver *driver = package->driver;

	if (!driver)
		return NULL;
	if (driver->class_name)
		return driver->class_name;
	guid_format(&driver->class_guid, guid);
	return guid;
}

/* ---- JSON ---------------------------------------------------------------------------
 */

static void add_package(struct json_object *array, const struct inject_tree *tree,
			const struct package *package, enum windows_arch arch)
{
	struct json_object *o = cli_add_object(array, NULL);
	char version[PACKAGE_VERSION_TEXT_SIZE] = "", guid[GUID_TEXT_SIZE];

	if (package->driver)
		package_version_text(package->driver->version, version);
	cli_add(o, "inf", package->inf_name);
	cli_add(o, "source", package->label);
	cli_add(o, "published", package->published);
	cli_add(o, "store", package->store);
	cli_add(o, "class", class_of(package, guid));
	cli_add(o, "version", package->driver ? version : NULL);
	cli_add(o, "arch", arch == ARCH_UNKNOWN ? NULL : arch_name(arch));
	cli_add_bool(o, "boot_critical", package->boot_critical);
	cli_add_strings(o, "services", &package->services);
	cli_add_strings(o, "hardware_ids", &package->hardware_ids);
	cli_add_int(o, "files", (int64_t)package->files.len);
	cli_add(o, "signature", signature_verdict_name(package->signature.verdict));
	cli_add(o, "signature_reason", package->signature.reason);
	cli_add(o, "signer", package->signature.signer);
	cli_add(o, "signer_kind", signer_kind_name(package->signature.kind));
	cli_add(o, "verdict", package_verdict_name(package->verdict));
	cli_add(o, "reason", package->reason);
	cli_add_strings(o, "remarks", &package->remarks);
	cli_add(o, "image", tree->path);
	if (tree->index)
		cli_add_int(o, "index", tree->index);
}

static void add_controllers(struct json_object *array, const struct inject_tree *tree)
{
	const struct any_controller_result *r = &tree->controllers;
	struct json_object *o = cli_add_object(array, NULL), *list;

	cli_add(o, "image", tree->path);
	list = cli_add_array(o, "services");
	vec_foreach (service, &r->services) {
		struct json_object *s = cli_add_object(list, NULL);

		cli_add(s, "control_set", service->control_set);
		cli_add(s, "service", service->service);
		/* A service that was not there has no Start. */
		cli_add_int(s, "from", (int32_t)service->from);
		cli_add_int(s, "to", service->to);
		cli_add_bool(s, "unmasked", service->unmasked);
		cli_add_strings(s, "ids", &service->ids);
	}
	list = cli_add_array(o, "left");
	vec_foreach (left, &r->left) {
		struct json_object *s = cli_add_object(list, NULL);

		cli_add(s, "control_set", left->control_set);
		cli_add(s, "name", left->name);
		cli_add_int(s, "start", left->start);
		cli_add(s, "reason", left->reason);
	}
	list = cli_add_array(o, "filters_removed");
	vec_foreach (filter, &r->filters) {
		struct json_object *s = cli_add_object(list, NULL);

		cli_add(s, "control_set", filter->control_set);
		cli_add(s, "class", filter->class_name);
		cli_add(s, "value", filter->value);
		cli_add(s, "filter", filter->filter);
		cli_add(s, "reason", filter->reason);
	}
	list = cli_add_array(o, "errors");
	vec_foreach (error, &r->errors) {
		struct json_object *s = cli_add_object(list, NULL);

		cli_add(s, "subject", error->subject);
		cli_add(s, "message", error->message);
		cli_add(s, "remedy", error->remedy);
	}
	cli_add_strings(o, "reflected", &r->reflected);
	cli_add_strings(o, "keys_removed", &r->removed);
	cli_add_strings(o, "ids_covered", &r->ids);
	cli_add_strings(o, "boot_settings", &r->boot_settings);
	cli_add_strings(o, "files_added", &r->files);
	cli_add_strings(o, "remarks", &r->remarks);
}

/* With --profile: how many packages it wanted, and what it found none for. */
static void add_profiles(struct json_object *object, const struct inject_result *result)
{
	struct json_object *array = NULL;

	vec_foreach (tree, &result->trees) {
		struct json_object *o;

		if (!tree->unwanted && !tree->missing.len)
			continue;
		if (!array)
			array = cli_add_array(object, "profiles");
		o = cli_add_object(array, NULL);
		cli_add(o, "image", tree->path);
		if (tree->index)
			cli_add_int(o, "index", tree->index);
		cli_add_int(o, "unwanted", (int64_t)tree->unwanted);
		cli_add_strings(o, "missing", &tree->missing);
	}
}

void inject_view_add(struct json_object *object, const struct inject_result *result)
{
	struct json_object *packages = cli_add_array(object, "packages");
	struct json_object *controllers = NULL;

	vec_foreach (tree, &result->trees)
		vec_foreach (package, &tree->packages)
			add_package(packages, tree, *package, tree->arch);
	vec_foreach (tree, &result->trees) {
		if (!tree->any_controller)
			continue;
		if (!controllers)
			controllers = cli_add_array(object, "any_controller");
		add_controllers(controllers, tree);
	}
	add_profiles(object, result);
	cli_add_strings(object, "problems", &result->problems);
}

/* ---- text ---------------------------------------------------------------------------
 */

/* The last column: why, or what to know of a package that went in. */
static char *package_note(const struct package *p)
{
	const char *critical = p->boot_critical ? "boot-critical" : "";
	bool odd = p->signature.verdict != SIGNATURE_VALID &&
		   p->signature.verdict != SIGNATURE_UNCHECKED;

	if (p->reason)
		return xstrdup(p->reason);
	if (!odd)
		return xstrdup(critical);
	return xasprintf("%s%ssignature %s", critical, *critical ? ", " : "",
			 signature_verdict_name(p->signature.verdict));
}

static void print_packages(const struct inject_tree *tree)
{
	struct cli_table table = {.columns = 6};

	cli_table_row(&table, "PACKAGE", "VERSION", "CLASS", "PUBLISHED", "VERDICT", "",
		      NULL);
	vec_foreach (item, &tree->packages) {
		const struct package *p = *item;
		char version[PACKAGE_VERSION_TEXT_SIZE] = "", guid[GUID_TEXT_SIZE];
		const char *class_text = class_of(p, guid);
		_cleanup_free_ char *note = package_note(p);

		if (p->driver)
			package_version_text(p->driver->version, version);
		cli_table_row(&table, cli_verbose ? p->label : p->inf_name, version,
			      class_text ? class_text : "",
			      p->published ? p->published : "",
			      package_verdict_name(p->verdict), note, NULL);
		if (!cli_verbose)
			continue;
		vec_foreach (remark, &p->remarks)
			cli_table_row(&table, "", "", "", "", "", *remark, NULL);
	}
	cli_table_print(&table, stdout);
}

static void print_controllers(const struct any_controller_result *r)
{
	vec_foreach (service, &r->services) {
		printf("  %s: %s: ", service->control_set, service->service);
		if (service->from == SERVICE_START_UNKNOWN)
			printf("new, Start %u, ", service->to);
		else if (service->from != service->to)
			printf("Start %u -> %u, ", service->from, service->to);
		printf("%s%zu device IDs\n",
		       service->unmasked ? "StartOverride removed, " : "",
		       service->ids.len);
	}
	vec_foreach (left, &r->left)
		printf("  %s%s%s left: %s\n", left->control_set,
		       *left->control_set ? ": " : "", left->name, left->reason);
	vec_foreach (filter, &r->filters)
		printf("  %s: filter %s of class %s removed: %s\n", filter->control_set,
		       filter->filter, filter->class_name, filter->reason);
	vec_foreach (name, &r->reflected)
		printf("  %s made ready to boot from\n", *name);
	vec_foreach (setting, &r->boot_settings)
		printf("  set in %s\n", *setting);
	vec_foreach (file, &r->files)
		printf("  added %s\n", *file);
	vec_foreach (remark, &r->remarks)
		printf("  note: %s\n", *remark);
	vec_foreach (error, &r->errors)
		printf("  error: %s: %s%s%s\n", error->subject, error->message,
		       error->remedy ? "; " : "", error->remedy ? error->remedy : "");
	printf("  %zu device IDs are newly covered, %zu registry keys removed\n",
	       r->ids.len, r->removed.len);
	if (!cli_verbose)
		return;
	vec_foreach (id, &r->ids)
		printf("    %s\n", *id);
}

void inject_view_print(const struct inject_result *result)
{
	vec_foreach (tree, &result->trees) {
		if (result->trees.len > 1)
			printf("%s\n", tree->path);
		if (tree->packages.len)
			print_packages(tree);
		if (tree->unwanted)
			printf("%zu packages are for none of the profiles\n",
			       tree->unwanted);
		vec_foreach (missing, &tree->missing)
			printf("no package for %s\n", *missing);
		if (tree->any_controller) {
			printf("any controller:\n");
			print_controllers(&tree->controllers);
		}
	}
	vec_foreach (problem, &result->problems)
		printf("not read: %s\n", *problem);
}
