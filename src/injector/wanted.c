/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "injector/wanted.h"

#include "base/name_set.h"
#include "base/text.h"
#include "injector/selection.h"
#include "windows/device_id.h"
#include "windows/driverdb.h"

/* A device of a profile, or one that a <driver hardware-id> stands for. */
struct asked {
	const struct profile *profile;
	const struct pc_device *device;	     /* or */
	const struct profile_driver *driver; /* with .hardware_id or .inf */
	struct device_ids ids;
	bool found;
	char *outside; /* what was there, of a version that is not wanted */
};

struct wanted {
	struct vec_of(struct asked) asked;
	struct strings packs; /* "dell 08B8" */
	struct name_set ids;  /* of all that is asked for */
};

/* ---- what is asked for ----------------------------------------------------------------
 */

static void add_ids(struct wanted *wanted, const struct device_ids *ids)
{
	vec_foreach (id, &ids->hardware)
		(void)name_set_add(&wanted->ids, *id);
	vec_foreach (id, &ids->compatible)
		(void)name_set_add(&wanted->ids, *id);
}

static void ask_device(struct wanted *wanted, const struct profile *profile,
		       const struct pc_device *device)
{
	struct asked asked = {.profile = profile, .device = device};

	if (device->hardware_ids.len) {
		vec_foreach (id, &device->hardware_ids)
			strings_push(&asked.ids.hardware, *id);
		vec_foreach (id, &device->compatible_ids)
			strings_push(&asked.ids.compatible, *id);
	} else {
		device_ids_of(device->id, &asked.ids);
	}
	add_ids(wanted, &asked.ids);
	vec_push(&wanted->asked, asked);
}

static void ask_driver(struct wanted *wanted, const struct profile *profile,
		       const struct profile_driver *driver)
{
	struct asked asked = {.profile = profile, .driver = driver};

	if (driver->pack_vendor) {
		vec_push(&wanted->packs,
			 xasprintf("%s: the pack of %s for %s", profile->id,
				   driver->pack_vendor, driver->pack_system));
		return;
	}
	if (driver->hardware_id)
		device_ids_of(driver->hardware_id, &asked.ids);
	add_ids(wanted, &asked.ids);
	vec_push(&wanted->asked, asked);
}

struct wanted *wanted_open(const struct wanted_profiles *profiles)
{
	struct wanted *wanted = xcalloc(1, sizeof(*wanted));

	vec_foreach (profile, profiles) {
		vec_foreach (driver, &(*profile)->drivers)
			ask_driver(wanted, *profile, driver);
		vec_foreach (device, &(*profile)->devices)
			ask_device(wanted, *profile, device);
	}
	return wanted;
}

void wanted_close(struct wanted *wanted)
{
	if (!wanted)
		return;
	wanted_begin(wanted);
	vec_foreach (asked, &wanted->asked)
		device_ids_free(&asked->ids);
	vec_free(&wanted->asked);
	strings_free(&wanted->packs);
	name_set_free(&wanted->ids);
	free(wanted);
}

void wanted_closep(struct wanted **wanted)
{
	wanted_close(*wanted);
	*wanted = NULL;
}

void wanted_begin(struct wanted *wanted)
{
	vec_foreach (asked, &wanted->asked) {
		asked->found = false;
		free(asked->outside);
		asked->outside = NULL;
	}
}

/* ---- one package ----------------------------------------------------------------------
 */

static bool in_range(const struct profile_driver *driver, uint64_t version)
{
	return (!driver->min_version || version >= driver->min_version) &&
	       (!driver->max_version || version <= driver->max_version);
}

static bool ids_fit(const struct device_ids *ids, const struct strings *hits)
{
	vec_foreach (id, &ids->hardware)
		if (strings_contain(hits, *id))
			return true;
	vec_foreach (id, &ids->compatible)
		if (strings_contain(hits, *id))
			return true;
	return false;
}

static bool fits(const struct asked *asked, const char *inf_name,
		 const struct strings *hits)
{
	if (asked->driver && asked->driver->inf)
		return text_equal(asked->driver->inf, inf_name);
	return ids_fit(&asked->ids, hits);
}

/* The IDs of the package, by the models for this Windows, that anyone asked for. */
static void collect_hits(const struct wanted *wanted, const struct selection *selection,
			 struct strings *hits)
{
	vec_foreach (model, &selection->models) {
		if (selection->sections.items[model->section].verdict !=
		    DECORATION_CHOSEN)
			continue;
		vec_foreach (id, &model->ids)
			if (**id && name_set_has(&wanted->ids, *id) &&
			    !strings_contain(hits, *id))
				strings_push(hits, *id);
	}
}

/* True if a <driver> of the profile names the package and rules its version out. */
static bool ruled_out(struct wanted *wanted, const struct profile *profile,
		      const struct selection *selection, const char *inf_name,
		      const struct strings *hits)
{
	bool out = false;

	vec_foreach (asked, &wanted->asked) {
		char version[PACKAGE_VERSION_TEXT_SIZE];

		if (asked->profile != profile || !asked->driver ||
		    !fits(asked, inf_name, hits) ||
		    in_range(asked->driver, selection->version))
			continue;
		out = true;
		if (asked->outside)
			continue;
		package_version_text(selection->version, version);
		asked->outside = xasprintf("%s %s", inf_name, version);
	}
	return out;
}

bool wanted_inf(struct wanted *wanted, const char *inf_name, struct bytes raw,
		const struct target *target)
{
	_cleanup_selection_ struct selection *selection =
		selection_read(inf_name, raw, target, NULL);
	_cleanup_(strings_free) struct strings hits = VEC_INIT;
	const struct profile *profile = NULL;
	bool out = false, found = false;

	if (!selection)
		return false;
	collect_hits(wanted, selection, &hits);
	vec_foreach (asked, &wanted->asked) {
		if (asked->profile != profile) {
			profile = asked->profile;
			out = ruled_out(wanted, profile, selection, inf_name, &hits);
		}
		if (!out && fits(asked, inf_name, &hits))
			found = asked->found = true;
	}
	return found;
}

/* ---- what is left ---------------------------------------------------------------------
 */

/* A driver of one's own hardly matters for the chipset's bridges. */
static bool role_counts(enum pc_role role)
{
	return role != PC_SYSTEM && role != PC_OTHER_ROLE && role != PC_SECURITY;
}

static void add_version(struct buffer *b, const char *text, uint64_t version)
{
	char number[PACKAGE_VERSION_TEXT_SIZE];

	if (!version)
		return;
	package_version_text(version, number);
	buffer_printf(b, "%s%s", text, number);
}

static char *describe(const struct asked *asked)
{
	struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "%s: ", asked->profile->id);
	if (asked->device) {
		buffer_printf(&b, "%s %s", pc_role_name(asked->device->role),
			      asked->device->id);
		if (asked->device->name)
			buffer_printf(&b, " (%s)", asked->device->name);
		return buffer_steal_string(&b);
	}
	buffer_append_string(&b, asked->driver->inf ? asked->driver->inf
						    : asked->driver->hardware_id);
	add_version(&b, " from ", asked->driver->min_version);
	add_version(&b, " up to ", asked->driver->max_version);
	if (asked->outside)
		buffer_printf(&b, " (there is %s)", asked->outside);
	return buffer_steal_string(&b);
}

void wanted_missing(const struct wanted *wanted, struct strings *ret)
{
	size_t before = ret->len;

	vec_foreach (asked, &wanted->asked)
		if (!asked->found && (asked->driver || role_counts(asked->device->role)))
			vec_push(ret, describe(asked));
	for (size_t i = 0; ret->len > before && i < wanted->packs.len; i++)
		strings_push(ret, wanted->packs.items[i]);
}
