/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check/check.h"

#include "base/text.h"
#include "check/check_private.h"
#include "windows/boot_storage.h"
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

/* ---- ranking ------------------------------------------------------------------------
 */

/* SignerScore's upper byte, FeatureScore, identifier score (windows/device_id.h). */
static uint32_t rank_of(const struct check_image *image, const struct driver_candidate *c,
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

static void keep_candidate(const struct check_image *image, const struct choice *choice,
			   struct check_candidates *all)
{
	const struct indexed_package *p =
		&image->packages.items[choice->candidate->package];

	/* A package counts with its best match, which its first one is. */
	vec_foreach (known, all)
		if (known->inf == p->inf && known->rank <= choice->rank)
			return;
	vec_push(all, (struct check_candidate){.inf = p->inf,
					       .matched = choice->id,
					       .source = p->inbox ? CHECK_INBOX
								  : CHECK_INJECTED,
					       .rank = choice->rank,
					       .date = p->date,
					       .version = p->version});
}

static void choose_from(const struct check_image *image, const struct strings *ids,
			bool compatible, struct choice *best,
			struct check_candidates *all)
{
	for (size_t i = 0; i < ids->len; i++) {
		const struct claimed_id *claim = id_map_get(&image->ids, ids->items[i]);

		if (!claim)
			continue;
		vec_foreach (c, &claim->candidates) {
			struct choice choice = {c, claim->id,
						rank_of(image, c, compatible, i)};

			if (all)
				keep_candidate(image, &choice, all);
			if (better(image, &choice, best))
				*best = choice;
		}
	}
}

static int by_rank(const void *a, const void *b)
{
	const struct check_candidate *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->date != y->date)
		return x->date > y->date ? -1 : 1;
	if (x->version != y->version)
		return x->version > y->version ? -1 : 1;
	return strcmp(x->inf, y->inf);
}

struct choice choose(const struct check_image *image, const struct device_ids *ids,
		     struct check_candidates *all)
{
	struct choice best = {0};

	choose_from(image, &ids->hardware, false, &best, all);
	choose_from(image, &ids->compatible, true, &best, all);
	if (all && all->len > 1)
		qsort(all->items, all->len, sizeof(*all->items), by_rank);
	while (all && all->len > CHECK_MAX_CANDIDATES)
		all->len--;
	return best;
}

/* ---- one device ---------------------------------------------------------------------
 */

void set_reason(struct check_device *d, enum check_device_verdict verdict, char *reason)
{
	d->verdict = verdict;
	free(d->reason);
	d->reason = reason;
}

/* A class driver by the bare class code gives less than a driver of the device's own. */
static bool is_class_code(const char *id)
{
	return text_starts_with(id, "PCI\\CC_");
}

/* Every package of the repository that is for the device; the best match first. */
static void repository_infs(const struct check_image *image, const struct device_ids *ids,
			    enum pc_role role, struct strings *ret)
{
	const struct strings *const lists[] = {&ids->hardware, &ids->compatible};

	for (size_t l = 0; l < 2; l++) {
		vec_foreach (id, lists[l]) {
			const struct claimed_id *claim =
				id_map_get(&image->repository_ids, *id);

			if (!claim)
				continue;
			vec_foreach (c, &claim->candidates) {
				const struct indexed_package *p =
					&image->packages.items[c->package];

				/* Null drivers of chipsets claim controllers, too. */
				if (role == PC_BOOT_STORAGE &&
				    !storage_host_class(&p->class_guid))
					continue;
				if (!strings_contain(ret, p->inf))
					strings_push(ret, p->inf);
			}
		}
	}
}

/* Windows 7 and older: the kernel's database, before any INF can be read. */
static int judge_critical(struct check_image *image, const struct device_ids *ids,
			  struct check_device *d, struct error *err)
{
	const struct strings *const lists[] = {&ids->hardware, &ids->compatible};
	struct choice late;

	for (size_t l = 0; l < 2; l++) {
		vec_foreach (id, lists[l]) {
			const struct claimed_id *claim = id_map_get(&image->ids, *id);

			if (!claim || !claim->critical)
				continue;
			d->verdict = CHECK_OK;
			d->source = claim->published ? CHECK_INJECTED : CHECK_INBOX;
			d->inf = claim->published;
			d->is_unsigned = claim->is_unsigned;
			d->matched = claim->id;
			d->service = claim->service;
			return d->service ? judge_service(image, d, err) : 0;
		}
	}
	late = choose(image, ids, NULL);
	d->any_controller =
		late.candidate && image->packages.items[late.candidate->package].inbox;
	set_reason(d, CHECK_MISSING,
		   late.candidate
			   ? xasprintf("no driver in CriticalDeviceDatabase; that of %s "
				       "comes too late",
				       image->packages.items[late.candidate->package].inf)
			   : xstrdup("no driver in CriticalDeviceDatabase"));
	return 0;
}

/* Roles whose classes (Net, Display, Media, ...) are not in the SYSTEM hive's half. */
static bool in_drivers_hive(enum pc_role role)
{
	return role != PC_BOOT_STORAGE && role != PC_USB_CONTROLLER && role != PC_INPUT &&
	       role != PC_SYSTEM && role != PC_OTHER_ROLE;
}

static int judge(struct check_image *image, const struct device_ids *ids,
		 enum pc_role role, struct judged *judged, struct error *err)
{
	struct check_device *d = &judged->result;
	struct indexed_package *package;
	struct choice best;

	if (image->legacy && role == PC_BOOT_STORAGE)
		return judge_critical(image, ids, d, err);
	if (image->legacy && !image->has_infs) {
		set_reason(d, CHECK_UNKNOWN,
			   xstrdup("the image has no INFs to find its driver in"));
		return 0;
	}
	best = choose(image, ids, &judged->candidates);
	d->candidates = &judged->candidates;
	if (image->half && in_drivers_hive(role) &&
	    (!best.candidate || is_class_code(best.id))) {
		set_reason(d, CHECK_UNKNOWN,
			   xstrdup("the image has no DRIVERS hive, where its driver "
				   "would be"));
		return 0;
	}
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

/* ---- what was judged already ---------------------------------------------------------
 */

/* What it has beside its ID; NULL: nothing. */
static char *memo_key(const struct pc_device *device)
{
	struct buffer b = BUFFER_INIT;

	if (!device->hardware_ids.len && !device->compatible_ids.len)
		return NULL;
	buffer_append_string(&b, device->id);
	vec_foreach (id, &device->hardware_ids)
		buffer_printf(&b, "\n%s", *id);
	vec_foreach (id, &device->compatible_ids)
		buffer_printf(&b, "\n-%s", *id);
	return buffer_steal_string(&b);
}

static struct judged **memo_slot(struct check_image *image, uint64_t hash,
				 enum pc_role role, const char *key)
{
	size_t mask = image->memo.size - 1, at = hash & mask;
	struct judged **slot;

	for (;; at = (at + 1) & mask) {
		slot = &image->memo.slots[at];
		if (!*slot || ((*slot)->hash == hash && (*slot)->role == role &&
			       strcmp((*slot)->key, key) == 0))
			return slot;
	}
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
			*memo_slot(image, old[i]->hash, old[i]->role, old[i]->key) =
				old[i];
	free(old);
}

int check_device_once(struct check_image *image, const struct pc_device *device,
		      const struct check_device **ret, struct error *err)
{
	_cleanup_free_ char *long_key = memo_key(device);
	const char *key = long_key ? long_key : device->id;
	uint64_t hash = text_hash(key) + (uint64_t)device->role;
	_cleanup_device_ids_ struct device_ids ids = {0};
	struct judged **slot, *judged;

	memo_grow(image);
	slot = memo_slot(image, hash, device->role, key);
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
	judged->role = device->role;
	judged->key = long_key ? steal_ptr(long_key) : xstrdup(key);
	judged->result.group_order = -1;
	*slot = judged;
	image->memo.used++;
	*ret = &judged->result;
	if (judge(image, &ids, device->role, judged, err) < 0)
		return -1;
	if (judged->result.verdict == CHECK_OK || judged->result.any_controller)
		return 0;
	repository_infs(image, &ids, device->role, &judged->remedies);
	if (judged->remedies.len) {
		judged->result.remedy_inf = judged->remedies.items[0];
		judged->result.remedies = &judged->remedies;
	}
	return 0;
}
