/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check/cover.h"

#include "base/text.h"

/* ---- causes --------------------------------------------------------------------------
 */

void check_causes_free(struct check_causes *causes)
{
	vec_foreach (cause, &causes->list) {
		free(cause->reason);
		free(cause->remedy);
	}
	vec_free(&causes->list);
	free(causes->slots);
	causes->slots = NULL;
	causes->size = 0;
}

/* The slot of the reason, or the free one that it belongs in. */
static size_t *slot_of(const struct check_causes *causes, const char *reason)
{
	size_t mask = causes->size - 1, at = text_hash(reason) & mask;

	while (causes->slots[at] &&
	       strcmp(causes->list.items[causes->slots[at] - 1].reason, reason) != 0)
		at = (at + 1) & mask;
	return &causes->slots[at];
}

static void grow(struct check_causes *causes)
{
	if ((causes->list.len + 1) * 2 <= causes->size)
		return;
	free(causes->slots);
	causes->size = causes->size ? causes->size * 2 : 256;
	causes->slots = xcalloc(causes->size, sizeof(*causes->slots));
	for (size_t i = 0; i < causes->list.len; i++)
		*slot_of(causes, causes->list.items[i].reason) = i + 1;
}

void check_causes_add(struct check_causes *causes, const struct check_result *result)
{
	size_t *slot;

	grow(causes);
	slot = slot_of(causes, result->cause);
	if (!*slot) {
		vec_push(&causes->list,
			 (struct check_cause){
				 xstrdup(result->cause),
				 xstrdup(result->remedy ? result->remedy : ""),
				 result->remedies, 0});
		*slot = causes->list.len;
	}
	causes->list.items[*slot - 1].pcs++;
}

static int by_pcs(const void *a, const void *b)
{
	const struct check_cause *x = a, *y = b;

	if (x->pcs != y->pcs)
		return x->pcs > y->pcs ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

void check_causes_sort(struct check_causes *causes)
{
	if (causes->list.len)
		qsort(causes->list.items, causes->list.len, sizeof(struct check_cause),
		      by_pcs);
	free(causes->slots);
	causes->slots = NULL;
	causes->size = 0;
}

/* ---- the cover -----------------------------------------------------------------------
 */

/* What would help: a package, or what a cause without one says. */
struct option {
	const char *name, *reason;
	bool package;
	struct vec_of(size_t) causes;
};
struct options {
	struct vec_of(struct option) list;
};

static struct option *option_of(struct options *options, const char *name, bool package)
{
	struct option option = {.name = name, .package = package};

	vec_foreach (known, &options->list)
		if (known->package == package && strcmp(known->name, name) == 0)
			return known;
	vec_push(&options->list, option);
	return &options->list.items[options->list.len - 1];
}

static void collect(const struct check_causes *causes, struct options *options)
{
	for (size_t i = 0; i < causes->list.len; i++) {
		const struct check_cause *cause = &causes->list.items[i];
		struct option *option;

		for (size_t r = 0; cause->remedies && r < cause->remedies->len; r++) {
			option = option_of(options, cause->remedies->items[r], true);
			vec_push(&option->causes, i);
		}
		if ((cause->remedies && cause->remedies->len) || !*cause->remedy)
			continue;
		option = option_of(options, cause->remedy, false);
		option->reason = cause->reason;
		vec_push(&option->causes, i);
	}
}

static size_t gain(const struct option *option, const size_t *left)
{
	size_t pcs = 0;

	vec_foreach (cause, &option->causes)
		pcs += left[*cause];
	return pcs;
}

void check_cover(const struct check_causes *causes, struct check_steps *ret)
{
	struct options options = {0};
	size_t *left = xcalloc(causes->list.len + 1, sizeof(*left));
	size_t total = 0;

	for (size_t i = 0; i < causes->list.len; i++)
		left[i] = causes->list.items[i].pcs;
	collect(causes, &options);
	while (ret->len < CHECK_MAX_STEPS) {
		const struct option *best = NULL;
		size_t most = 0;

		vec_foreach (option, &options.list) {
			size_t pcs = gain(option, left);

			if (pcs > most) {
				most = pcs;
				best = option;
			}
		}
		if (!best)
			break;
		vec_foreach (cause, &best->causes)
			left[*cause] = 0;
		total += most;
		vec_push(ret,
			 (struct check_step){best->name,
					     best->causes.len == 1 ? best->reason : NULL,
					     best->package, most, total});
	}
	vec_foreach (option, &options.list)
		vec_free(&option->causes);
	vec_free(&options.list);
	free(left);
}
