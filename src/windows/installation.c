/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening an installation: what must be there, and the order in which it is read. */
#include "windows/installation.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "windows/installation_private.h"

void problem_add(struct installation *installation, const char *code,
		 enum problem_severity severity, const char *remedy, const char *fmt, ...)
{
	struct problem problem = {.code = code, .severity = severity};
	char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	message = xvasprintf(fmt, ap);
	va_end(ap);
	problem.message = message;
	problem.remedy = remedy ? xstrdup(remedy) : NULL;
	vec_push(&installation->problems, problem);
}

char *names_list(const struct strings *names, size_t limit)
{
	struct buffer text = BUFFER_INIT;

	for (size_t i = 0; i < names->len && i < limit; i++)
		buffer_printf(&text, "%s%s", i ? ", " : "", names->items[i]);
	if (names->len > limit)
		buffer_printf(&text, " and %zu more", names->len - limit);
	return buffer_steal_string(&text);
}

static void inspection_free(struct inspection *in)
{
	services_free(&in->services);
	db_packages_free(&in->packages);
	boot_candidates_free(&in->storage);
}

/* Names what is missing: a reader who gave the wrong folder sees it at once. */
static int require_windows(struct tree *tree, struct registry *registry,
			   struct error *err)
{
	static const char *const media[] = {"sources/install.wim", "sources/install.esd",
					    "sources/install.swm", "sources/boot.wim"};
	int has = tree_stat(tree, "Windows", NULL, err);

	if (has < 0)
		return -1;
	if (!has) {
		error_set(err, ERROR_FAILED, tree_name(tree),
			  "holds no Windows: there is no folder Windows");
		for (size_t i = 0; i < ARRAY_SIZE(media); i++)
			if (tree_stat(tree, media[i], NULL, NULL) > 0)
				return error_remedy(err, "it is setup media: name %s/%s",
						    tree_name(tree), media[i]);
		return error_remedy(err,
				    "name the folder or image that is the root of the "
				    "Windows volume");
	}
	has = registry_has(registry, REGISTRY_SYSTEM, err);
	if (has < 0)
		return -1;
	if (!has)
		return error_set(err, ERROR_FAILED, tree_name(tree),
				 "holds no Windows: there is no "
				 "Windows/System32/config/SYSTEM");
	return 0;
}

static int open_hives(struct inspection *in, struct error *err)
{
	static const enum registry_hive nodes[] = {REGISTRY_SYSTEM, REGISTRY_DRIVERS};
	int has;

	in->system = registry_hive(in->registry, REGISTRY_SYSTEM, err);
	if (!in->system)
		return -1;
	has = registry_has(in->registry, REGISTRY_SOFTWARE, err);
	if (has < 0)
		return -1;
	if (has) {
		in->software = registry_hive(in->registry, REGISTRY_SOFTWARE, err);
		if (!in->software)
			return -1;
	}
	has = registry_has(in->registry, REGISTRY_DRIVERS, err);
	if (has < 0)
		return -1;
	in->out->has_drivers_hive = has > 0;
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		struct driverdb *db = &in->nodes[in->node_count];

		has = driverdb_open(in->registry, nodes[i], db, err);
		if (has < 0)
			return -1;
		if (has && driverdb_packages(db, &in->packages, err) < 0)
			return -1;
		in->node_count += (size_t)has;
	}
	return 0;
}

/* What a plain reader wants to know first: what starts at boot and drives a disk. */
static void take_boot_storage(struct inspection *in)
{
	vec_foreach (candidate, &in->storage) {
		struct boot_service service = {0};

		if (candidate->service.start != SERVICE_BOOT ||
		    candidate->role == BOOT_FILTER)
			continue;
		service.name = xstrdup(candidate->service.name);
		service.start = candidate->service.start;
		service.overridden = candidate->service.overridden;
		service.file_present = candidate->present;
		vec_foreach (id, &candidate->ids)
			strings_push(&service.ids, *id);
		vec_push(&in->out->boot_storage, service);
	}
}

/* Up to 7 it decides on which PCs an image starts; a 64-bit one has no choice. */
static int take_hal(struct inspection *in, struct error *err)
{
	const struct target *t = &in->out->target;

	if (!t->major || target_compare_version(t, 6, 2, 0) >= 0 ||
	    (t->major >= 6 && t->arch != ARCH_X86))
		return 0;
	in->out->hal = xcalloc(1, sizeof(*in->out->hal));
	return hal_read(in->tree, in->system, in->out->control_set, in->out->hal, err);
}

static int inspect(struct inspection *in, struct error *err)
{
	if (services_read(in->system, in->out->control_set, &in->services, err) < 0 ||
	    boot_storage_find(in->tree, in->registry, in->out->control_set, &in->storage,
			      err) < 0)
		return -1;
	take_boot_storage(in);
	if (take_hal(in, err) < 0)
		return -1;
	if (inspect_drivers(in, err) < 0)
		return -1;
	return inspect_problems(in, err);
}

static struct installation *
open_inspected(struct tree *tree, struct registry *registry,
	       int (*more)(struct inspection *in, struct error *err), struct error *err)
{
	_cleanup_installation_ struct installation *out = xcalloc(1, sizeof(*out));
	_cleanup_(inspection_free) struct inspection in = {
		.tree = tree, .registry = registry, .out = out};

	out->target.arch = ARCH_UNKNOWN;
	if (require_windows(tree, registry, err) < 0 || open_hives(&in, err) < 0)
		return NULL;
	out->control_set = registry_current_control_set(registry, err);
	if (!out->control_set || inspect_identity(&in, err) < 0)
		return NULL;
	if (more && more(&in, err) < 0)
		return NULL;
	return steal_ptr(out);
}

struct installation *installation_open(struct tree *tree, struct registry *registry,
				       struct error *err)
{
	return open_inspected(tree, registry, inspect, err);
}

struct installation *installation_identify(struct tree *tree, struct registry *registry,
					   struct error *err)
{
	return open_inspected(tree, registry, NULL, err);
}

void installation_close(struct installation *installation)
{
	if (!installation)
		return;
	free(installation->product);
	free(installation->edition);
	free(installation->installation_type);
	free(installation->control_set);
	free(installation->state);
	if (installation->hal)
		hal_free(installation->hal);
	free(installation->hal);
	vec_foreach (driver, &installation->drivers) {
		free(driver->published);
		free(driver->original);
		free(driver->store);
		free(driver->folder);
		free(driver->class_name);
		free(driver->provider);
		strings_free(&driver->services);
	}
	vec_free(&installation->drivers);
	vec_foreach (service, &installation->boot_storage) {
		free(service->name);
		strings_free(&service->ids);
	}
	vec_free(&installation->boot_storage);
	vec_foreach (problem, &installation->problems) {
		free(problem->message);
		free(problem->remedy);
	}
	vec_free(&installation->problems);
	free(installation);
}

void installation_closep(struct installation **installation)
{
	installation_close(*installation);
}
