/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "injector/ranking.h"

#include <stdio.h>

#include "base/text.h"
#include "windows/driverdb.h"

/* Where no FeatureScore is given: no preference. */
#define DEFAULT_FEATURE_SCORE 0xFFu
/* SS of what no trusted signer signed. */
#define RANK_UNTRUSTED 0x80000000u

const char *ranked_verdict_name(enum ranked_verdict verdict)
{
	static const char *const names[] = {
		[RANKED_CHOSEN] = "chosen", [RANKED_EXTENSION] = "extension",
		[RANKED_LOSES] = "loses",   [RANKED_EXCLUDED] = "excluded",
		[RANKED_BROKEN] = "broken", [RANKED_NOT_FOR_TARGET] = "not_for_target",
	};

	return names[verdict];
}

const char *id_match_name(enum id_match match)
{
	static const char *const names[] = {
		[ID_NONE] = "none",
		[ID_HARDWARE] = "hardware ID",
		[ID_INF_COMPATIBLE] = "compatible ID of the INF",
		[ID_DEVICE_COMPATIBLE] = "compatible ID of the device",
		[ID_BOTH_COMPATIBLE] = "compatible ID of both",
	};

	return names[match];
}

static struct ranked *push(struct ranking *ranking, const char *label,
			   const struct strings *ids, enum signature_verdict signature)
{
	struct ranked r = {.feature_score = DEFAULT_FEATURE_SCORE,
			   .signature = signature};
	const char *id;

	r.match = device_ids_match(ranking->device, ids, &r.rank, &id);
	if (r.match == ID_NONE)
		return NULL;
	if (signature != SIGNATURE_VALID && signature != SIGNATURE_UNCHECKED)
		r.rank |= RANK_UNTRUSTED;
	r.inf = xstrdup(label);
	r.id = xstrdup(id);
	vec_push(&ranking->list, r);
	return &ranking->list.items[ranking->list.len - 1];
}

/* The first of the device's IDs that the list has, or NULL. */
static const char *excluded_id(const struct device_ids *device,
			       const struct strings *list)
{
	vec_foreach (id, &device->hardware)
		if (strings_contain(list, *id))
			return *id;
	vec_foreach (id, &device->compatible)
		if (strings_contain(list, *id))
			return *id;
	return NULL;
}

static void add_chosen(struct ranking *ranking, const char *label,
		       const struct driver *driver, const struct inf_model *model,
		       enum signature_verdict signature)
{
	const struct inf_configuration *c =
		&driver->configurations.items[model->configuration];
	const char *by_file = excluded_id(ranking->device, &driver->exclude_ids);
	const char *by_section = excluded_id(ranking->device, &c->exclude_ids);
	struct ranked *r = push(ranking, label, &model->ids, signature);

	if (!r)
		return;
	r->section = xstrdup(model->section);
	r->install = xstrdup(c->missing ? c->base : c->name);
	r->description = model->description ? xstrdup(model->description) : NULL;
	r->line = model->line;
	r->date = driver->date;
	r->version = driver->version;
	r->extension = driver->extension;
	r->extension_id = driver->extension_id;
	if (c->has_feature_score)
		r->feature_score = c->feature_score & 0xFF;
	r->rank |= r->feature_score << 16;
	r->verdict = r->extension ? RANKED_EXTENSION : RANKED_LOSES;
	if (c->missing) {
		r->verdict = RANKED_BROKEN;
		r->reason = xasprintf("the INF has no section [%s]", c->base);
	} else if (by_file || by_section) {
		r->verdict = RANKED_EXCLUDED;
		r->reason = by_file ? xasprintf("[ControlFlags] excludes %s", by_file)
				    : xasprintf("[%s] excludes %s", c->name, by_section);
	}
}

void ranking_add(struct ranking *ranking, const char *label, const struct driver *driver,
		 const struct selection *selection, enum signature_verdict signature)
{
	vec_foreach (model, &driver->models)
		add_chosen(ranking, label, driver, model, signature);
	vec_foreach (line, &selection->models) {
		const struct models_section *section =
			&selection->sections.items[line->section];
		struct ranked *r;

		if (section->verdict == DECORATION_CHOSEN)
			continue;
		r = push(ranking, label, &line->ids, signature);
		if (!r)
			continue;
		r->section = xstrdup(section->name);
		r->install = line->install ? xstrdup(line->install) : NULL;
		r->description = line->description ? xstrdup(line->description) : NULL;
		r->line = line->line;
		r->date = selection->date;
		r->version = selection->version;
		r->rank |= r->feature_score << 16;
		r->verdict = RANKED_NOT_FOR_TARGET;
		r->reason = xasprintf("[%s]: %s", section->name, section->reason);
	}
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* PnP's order; 0 if Windows has no preference. */
static int compare_rank(const struct ranked *a, const struct ranked *b)
{
	int c = order(a->rank, b->rank);

	if (!c)
		c = order(b->date, a->date);
	if (!c)
		c = order(b->version, a->version);
	return c;
}

static int compare_ranked(const void *x, const void *y)
{
	const struct ranked *a = x, *b = y;
	int c = order(a->verdict, b->verdict);

	if (!c)
		c = compare_rank(a, b);
	if (!c)
		c = text_compare(a->inf, b->inf);
	if (!c)
		c = strcmp(a->inf, b->inf);
	return c ? c : order(a->line, b->line);
}

/* Why `r` is behind `best`. */
static char *why_behind(const struct ranked *r, const struct ranked *best)
{
	char mine[PACKAGE_VERSION_TEXT_SIZE], its[PACKAGE_VERSION_TEXT_SIZE];

	if ((r->rank & RANK_UNTRUSTED) > (best->rank & RANK_UNTRUSTED))
		return xasprintf("%s, %s is signed as Windows wants it",
				 r->signature == SIGNATURE_UNSIGNED ? "it is not signed"
				 : r->signature == SIGNATURE_UNTRUSTED
					 ? "Windows does not trust its signature"
					 : "its signature is not for these files",
				 best->inf);
	if (r->feature_score != best->feature_score)
		return xasprintf("its feature score 0x%02X is worse than 0x%02X of %s",
				 r->feature_score, best->feature_score, best->inf);
	if (r->match != best->match)
		return xasprintf("it matches by a %s, %s by a %s",
				 id_match_name(r->match), best->inf,
				 id_match_name(best->match));
	if (r->rank != best->rank)
		return xasprintf("it matches the less specific %s, %s matches %s", r->id,
				 best->inf, best->id);
	if (r->date != best->date) {
		package_date_text(r->date, mine);
		package_date_text(best->date, its);
		return xasprintf("its date %s is before %s of %s",
				 *mine ? mine : "(none)", its, best->inf);
	}
	if (r->version != best->version) {
		package_version_text(r->version, mine);
		package_version_text(best->version, its);
		return xasprintf("its version %s is below %s of %s", mine, its,
				 best->inf);
	}
	return xasprintf("equal to %s in rank, date and version: Windows may take either",
			 best->inf);
}

/* Of several extension INFs with one ExtensionId only the best is applied. */
static void settle_extension(struct ranking *ranking, struct ranked *r)
{
	vec_foreach (other, &ranking->list) {
		if (other == r)
			break;
		if (other->verdict != RANKED_EXTENSION ||
		    memcmp(&other->extension_id, &r->extension_id, sizeof(struct guid)) !=
			    0)
			continue;
		r->verdict = RANKED_LOSES;
		r->reason = why_behind(r, other);
		return;
	}
	r->reason = xstrdup("extension INF: applied in addition to the driver");
}

void ranking_sort(struct ranking *ranking)
{
	struct ranked *items = ranking->list.items, *best = NULL;
	size_t n = ranking->list.len;

	if (!n)
		return;
	qsort(items, n, sizeof(*items), compare_ranked);
	for (size_t i = 0; i < n; i++) {
		if (items[i].verdict == RANKED_EXTENSION)
			settle_extension(ranking, &items[i]);
		if (items[i].reason)
			continue;
		if (!best) {
			best = &items[i];
			continue;
		}
		items[i].reason = why_behind(&items[i], best);
	}
	if (best)
		best->verdict = RANKED_CHOSEN;
	qsort(items, n, sizeof(*items), compare_ranked);
}

void ranking_free(struct ranking *ranking)
{
	vec_foreach (r, &ranking->list) {
		free(r->inf);
		free(r->section);
		free(r->install);
		free(r->description);
		free(r->id);
		free(r->reason);
	}
	vec_free(&ranking->list);
}
