/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check/check.h"

#include "base/text.h"
#include "check/check_private.h"
#include "windows/device_id.h"

static const char *const verdict_names[] = {"boots", "degraded", "fails", "undecided"};
static const char *const device_names[] = {"ok", "generic", "missing", "blocked",
					   "unknown"};
static const char *const source_names[] = {"none", "inbox", "injected"};

const char *check_verdict_name(enum check_verdict verdict)
{
	return verdict_names[verdict];
}

const char *check_device_verdict_name(enum check_device_verdict verdict)
{
	return device_names[verdict];
}

const char *check_source_name(enum check_source source)
{
	return source_names[source];
}

/* ---- ranking
 * ---------------------------------------------------------------------------------
 */

struct choice {
	const struct candidate *candidate;
	const char *id; /* of the device, that matched */
	uint32_t rank;
};

/* SignerScore's upper byte, FeatureScore, identifier score (windows/device_id.h). */
static uint32_t rank_of(const struct check_image *image, const struct candidate *c,
			bool compatible, size_t position)
{
	const struct indexed_package *p = &image->packages.items[c->package];
	uint32_t score = (compatible ? 0x2000u : 0) +
			 (c->type == DEVICE_MATCH_COMPATIBLE ? 0x1000u : 0) +
			 (position < 0xFF ? (uint32_t)position : 0xFF);

	if (compatible && c->type == DEVICE_MATCH_COMPATIBLE)
		score += (c->index < 0xF ? c->index : 0xFu) * 0x100;
	return (p->signer_score & 0xFF000000) | (uint32_t)c->score << 16 | score;
}

static bool better(const struct check_image *image, const struct choice *a,
		   const struct choice *b)
{
	const struct indexed_package *x, *y;

	if (!b->candidate)
		return true;
	if (a->rank != b->rank)
		return a->rank < b->rank;
	x = &image->packages.items[a->candidate->package];
	y = &image->packages.items[b->candidate->package];
	return x->date != y->date ? x->date > y->date : x->version > y->version;
}

static void choose_from(const struct check_image *image, const struct strings *ids,
			bool compatible, struct choice *best)
{
	for (size_t i = 0; i < ids->len; i++) {
		const struct claimed_id *claim = id_map_get(&image->ids, ids->items[i]);

		if (!claim)
			continue;
		vec_foreach (c, &claim->candidates) {
			struct choice choice = {c, claim->id,
						rank_of(image, c, compatible, i)};

			if (better(image, &choice, best))
				*best = choice;
		}
	}
}

/* ---- the boot path
 * ------------------------------------------------------------------------------
 */

static void set_reason(struct check_device *d, enum check_device_verdict verdict,
		       char *reason)
{
	d->verdict = verdict;
	free(d->reason);
	d->reason = reason;
}

/* A storage controller's service has to be started by the boot loader. */
static int judge_service(struct check_image *image, struct check_device *d,
			 struct error *err)
{
	const struct service *service = services_find(&image->services, d->service);
	int present;

	if (!service) {
		set_reason(d, CHECK_BLOCKED,
			   xasprintf("its service %s is not in the control set",
				     d->service));
		return 0;
	}
	if (service->start != SERVICE_BOOT) {
		d->any_controller = true;
		set_reason(d, CHECK_BLOCKED,
			   xasprintf("its service %s is not started at boot (Start %d)",
				     d->service, (int)service->start));
		return 0;
	}
	if (service->overridden) {
		d->any_controller = true;
		set_reason(d, CHECK_BLOCKED,
			   xasprintf("its service %s is switched off by StartOverride",
				     d->service));
		return 0;
	}
	present = service_file_present(image->tree, service, err);
	if (present == 0)
		set_reason(
			d, CHECK_BLOCKED,
			xasprintf("the file of its service %s is missing", d->service));
	return present < 0 ? -1 : 0;
}

static int judge_boot(struct check_image *image, struct indexed_package *package,
		      struct check_device *d, struct error *err)
{
	if (!package->reflected) {
		d->any_controller = true;
		set_reason(d, CHECK_BLOCKED,
			   xasprintf("%s is only staged: Windows would install it after "
				     "it has started",
				     package->inf));
		return 0;
	}
	if (package_service(package, d->matched, &d->service, err) < 0)
		return -1;
	return d->service ? judge_service(image, d, err) : 0;
}

/* ---- one device
 * ------------------------------------------------------------------------------------
 */

/* A class driver by the bare class code gives less than a driver of the device's own. */
static bool is_class_code(const char *id)
{
	return text_starts_with(id, "PCI\\CC_");
}

static const char *repository_inf(const struct check_image *image,
				  const struct device_ids *ids)
{
	const struct strings *const lists[] = {&ids->hardware, &ids->compatible};

	for (size_t l = 0; l < 2; l++) {
		vec_foreach (id, lists[l]) {
			const struct claimed_id *claim =
				id_map_get(&image->repository_ids, *id);

			if (claim && claim->candidates.len)
				return image->packages
					.items[claim->candidates.items[0].package]
					.inf;
		}
	}
	return NULL;
}

/* Windows 7 and older: only what the kernel looks up before any INF can be told. */
static int judge_legacy(struct check_image *image, const struct device_ids *ids,
			enum pc_role role, struct check_device *d, struct error *err)
{
	const struct strings *const lists[] = {&ids->hardware, &ids->compatible};

	for (size_t l = 0; l < 2; l++) {
		vec_foreach (id, lists[l]) {
			const struct claimed_id *claim = id_map_get(&image->ids, *id);

			if (!claim)
				continue;
			d->verdict = CHECK_OK;
			d->source = CHECK_INBOX;
			d->matched = claim->id;
			d->service = claim->service;
			return role == PC_BOOT_STORAGE && d->service
				       ? judge_service(image, d, err)
				       : 0;
		}
	}
	if (role == PC_BOOT_STORAGE)
		set_reason(d, CHECK_MISSING,
			   xstrdup("no driver in CriticalDeviceDatabase"));
	else
		set_reason(d, CHECK_UNKNOWN,
			   xstrdup("this Windows finds its driver by the INFs"));
	return 0;
}

static int judge(struct check_image *image, const struct device_ids *ids,
		 enum pc_role role, struct check_device *d, struct error *err)
{
	struct choice best = {0};
	struct indexed_package *package;

	if (image->legacy)
		return judge_legacy(image, ids, role, d, err);
	choose_from(image, &ids->hardware, false, &best);
	choose_from(image, &ids->compatible, true, &best);
	if (!best.candidate) {
		set_reason(d, CHECK_MISSING, xstrdup("no driver"));
		return 0;
	}
	package = &image->packages.items[best.candidate->package];
	d->verdict = CHECK_OK;
	d->source = package->inbox ? CHECK_INBOX : CHECK_INJECTED;
	d->inf = package->inf;
	d->matched = best.id;
	d->rank = best.rank;
	if (role == PC_DISPLAY && is_class_code(best.id))
		set_reason(d, CHECK_GENERIC, xstrdup("driven as a basic display only"));
	return role == PC_BOOT_STORAGE ? judge_boot(image, package, d, err) : 0;
}

/* ---- what was judged already
 * -------------------------------------------------------------------------
 */

static char *memo_key(const struct pc_device *device)
{
	struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "%d %s", (int)device->role, device->id);
	vec_foreach (id, &device->hardware_ids)
		buffer_printf(&b, "\n%s", *id);
	vec_foreach (id, &device->compatible_ids)
		buffer_printf(&b, "\n-%s", *id);
	return buffer_steal_string(&b);
}

static struct judged **memo_slot(struct check_image *image, uint64_t hash,
				 const char *key)
{
	size_t mask = image->memo.size - 1, at = hash & mask;

	while (image->memo.slots[at] && (image->memo.slots[at]->hash != hash ||
					 strcmp(image->memo.slots[at]->key, key) != 0))
		at = (at + 1) & mask;
	return &image->memo.slots[at];
}

static void memo_grow(struct check_image *image)
{
	struct judged **old = image->memo.slots;
	size_t old_size = image->memo.size;

	if ((image->memo.used + 1) * 2 <= old_size)
		return;
	image->memo.size = old_size ? old_size * 2 : 4096;
	image->memo.slots = xcalloc(image->memo.size, sizeof(*image->memo.slots));
	for (size_t i = 0; i < old_size; i++)
		if (old[i])
			*memo_slot(image, old[i]->hash, old[i]->key) = old[i];
	free(old);
}

static int judge_once(struct check_image *image, const struct pc_device *device,
		      const struct check_device **ret, struct error *err)
{
	_cleanup_free_ char *key = memo_key(device);
	uint64_t hash = text_hash(key);
	_cleanup_device_ids_ struct device_ids ids = {0};
	struct judged **slot, *judged;

	memo_grow(image);
	slot = memo_slot(image, hash, key);
	*ret = *slot ? &(*slot)->result : NULL;
	if (*slot)
		return 0;
	if (device->hardware_ids.len) {
		vec_foreach (id, &device->hardware_ids)
			strings_push(&ids.hardware, *id);
		vec_foreach (id, &device->compatible_ids)
			strings_push(&ids.compatible, *id);
	} else {
		device_ids_of(device->id, &ids);
	}
	judged = xcalloc(1, sizeof(*judged));
	judged->hash = hash;
	judged->key = steal_ptr(key);
	judged->result.device = NULL;
	*slot = judged;
	image->memo.used++;
	*ret = &judged->result;
	if (judge(image, &ids, device->role, &judged->result, err) < 0)
		return -1;
	if (judged->result.verdict != CHECK_OK && !judged->result.any_controller)
		judged->result.remedy_inf = repository_inf(image, &ids);
	return 0;
}

/* ---- one PC
 * ----------------------------------------------------------------------------------------------
 */

/* How the devices of a role came out. */
struct tally {
	unsigned ok, generic, missing;
};

struct summary {
	struct tally roles[PC_ROLES];
	const struct pc_device *first; /* boot storage that Windows cannot use */
	const struct check_device *first_result;
	bool hides_disks; /* it is in a mode that puts the disks behind itself */
};

/*
 * Intel's RST in RAID mode and VMD: with it on, AHCI and NVMe disks are seen through this
 * device only, whatever other controllers the PC lists.
 */
static bool hides_disks(const struct pc_device *device)
{
	return text_starts_with(device->id, "PCI\\VEN_8086&") &&
	       strstr(device->id, "&CC_0104");
}

static void count(struct summary *s, const struct pc_device *device,
		  const struct check_device *result)
{
	struct tally *tally = &s->roles[device->role];

	if (result->verdict == CHECK_OK)
		tally->ok++;
	else if (result->verdict == CHECK_GENERIC)
		tally->generic++;
	else if (result->verdict != CHECK_UNKNOWN)
		tally->missing++;
	if (device->role != PC_BOOT_STORAGE || result->verdict == CHECK_OK ||
	    result->verdict == CHECK_UNKNOWN)
		return;
	if (!s->first || (hides_disks(device) && !s->hides_disks)) {
		s->first = device;
		s->first_result = result;
	}
	s->hides_disks |= hides_disks(device);
}

/* "8086:9A0B" of a PCI ID, else the ID. Caller's. */
static char *short_id(const char *id)
{
	const char *vendor = strstr(id, "VEN_"), *device = strstr(id, "DEV_");

	if (!vendor || !device || strlen(device) < 8)
		return xstrdup(id);
	return xasprintf("%.4s:%.4s", vendor + 4, device + 4);
}

static void set_failure(const struct summary *s, struct check_result *ret)
{
	_cleanup_free_ char *id = short_id(s->first->id);
	const char *name = s->first->name   ? s->first->name
			   : s->hides_disks ? "Intel RST or VMD controller"
					    : "storage controller";

	ret->verdict = CHECK_FAILS;
	ret->reason = xasprintf("%s %s: %s", name, id, s->first_result->reason);
	/* A service that is off concerns all its controllers. */
	ret->cause =
		s->first_result->verdict == CHECK_BLOCKED
			? xasprintf("storage controller: %s", s->first_result->reason)
			: xstrdup(ret->reason);
	if (s->first_result->remedy_inf)
		ret->remedy =
			xasprintf("inject %s%s", s->first_result->remedy_inf,
				  s->hides_disks ? ", or switch RAID/VMD mode off in the "
						   "firmware"
						 : "");
	else if (s->first_result->any_controller)
		ret->remedy = xstrdup("gild inject --any-controller");
	else if (s->hides_disks)
		ret->remedy = xstrdup("inject Intel's RST/VMD driver for it, or switch "
				      "RAID/VMD mode off in the firmware");
	else
		ret->remedy = xasprintf("inject the driver for %s", id);
}

/* Roles that a user would miss. */
static void set_losses(const struct summary *s, struct check_result *ret)
{
	static const struct {
		enum pc_role role;
		bool all; /* lost only where no device of the role works */
		const char *name;
	} roles[] = {
		{PC_NETWORK, true, "network"},	{PC_WIRELESS, true, "wireless"},
		{PC_DISPLAY, false, "display"}, {PC_AUDIO, true, "audio"},
		{PC_INPUT, true, "input"},	{PC_USB_CONTROLLER, true, "USB"},
	};
	const struct tally *storage = &s->roles[PC_BOOT_STORAGE];

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		const struct tally *t = &s->roles[roles[i].role];

		if (t->missing && (!roles[i].all || !t->ok))
			strings_push(&ret->losses, roles[i].name);
		else if (t->generic && !t->ok)
			vec_push(&ret->losses,
				 xasprintf("%s at basic resolution", roles[i].name));
	}
	if (storage->missing && storage->ok)
		vec_push(&ret->losses, xstrdup("disks behind another controller"));
}

void check_result_free(struct check_result *result)
{
	free(result->reason);
	free(result->cause);
	free(result->remedy);
	strings_free(&result->losses);
	vec_foreach (device, &result->devices)
		free(device->reason);
	vec_free(&result->devices);
}

static void add_details(struct check_result *ret, const struct pc_device *device,
			const struct check_device *judged)
{
	struct check_device copy = *judged;

	copy.device = device;
	copy.reason = judged->reason ? xstrdup(judged->reason) : NULL;
	vec_push(&ret->devices, copy);
}

int check_pc(struct check_image *image, const struct pc *pc, bool details,
	     struct check_result *ret, struct error *err)
{
	struct summary s = {0};
	const struct tally *storage = &s.roles[PC_BOOT_STORAGE];

	*ret = (struct check_result){0};
	vec_foreach (device, &pc->devices) {
		const struct check_device *judged;

		if (judge_once(image, device, &judged, err) < 0) {
			check_result_free(ret);
			return -1;
		}
		count(&s, device, judged);
		if (details)
			add_details(ret, device, judged);
	}
	if (s.first && (!storage->ok || s.hides_disks)) {
		set_failure(&s, ret);
		return 0;
	}
	if (!storage->ok) {
		ret->verdict = CHECK_UNDECIDED;
		ret->reason = xstrdup("the inventory lists no storage controller");
		return 0;
	}
	set_losses(&s, ret);
	ret->verdict = ret->losses.len ? CHECK_DEGRADED : CHECK_BOOTS;
	return 0;
}
