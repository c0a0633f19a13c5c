/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of depersonalizing, its report, and whether it is enough. */
#include "builder/depersonalize_private.h"
#include "windows/bcd_store.h"
#include "windows/installation.h"

#define SAM "Windows/System32/config/SAM"
#define MAX_SAM ((size_t)256 << 20)
#define SAM_LOGS 3
/* Windows 11 24H2 and Server 2025: the first that check for shared SIDs (KB5064081). */
#define BUILD_REFUSES 26100
/* The value V of SAM\Domains\Account ends in the SID's last three numbers. */
#define SID_TAIL 12

void depersonalized(struct depersonalizing *d, const char *code, const char *what,
		    const char *where, uint64_t count, uint64_t bytes)
{
	if (!count)
		return;
	vec_foreach (item, &d->out->items) {
		if (strcmp(item->code, code) != 0 || strcmp(item->where, where) != 0)
			continue;
		item->count += count;
		item->bytes += bytes;
		return;
	}
	vec_push(&d->out->items,
		 (struct depersonalized){code, what, xstrdup(where), count, bytes});
}

void depersonalize_result_free(struct depersonalize_result *result)
{
	vec_foreach (item, &result->items)
		free(item->where);
	vec_free(&result->items);
	strings_free(&result->left);
}

/* ---- boot configuration
 * ---------------------------------------------------------------- */

static int generalize_boot(struct depersonalizing *d, struct tree *system,
			   struct error *err)
{
	static const char *const stores[] = {BCD_EFI, BCD_BIOS};

	for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
		_cleanup_(strings_free) struct strings changed = VEC_INIT;

		if (bcd_generalize(system, stores[i], true, &changed, err) < 0)
			return -1;
		depersonalized(d, "boot_configuration",
			       "devices of the old disk in the boot configuration",
			       stores[i], changed.len, 0);
	}
	return 0;
}

int depersonalize(struct tree *tree, struct registry *registry, struct tree *system,
		  struct depersonalize_result *ret, struct error *err)
{
	struct depersonalizing d = {.tree = tree, .registry = registry, .out = ret};
	_cleanup_(strings_free) struct strings sets = VEC_INIT;
	int has;

	*ret = (struct depersonalize_result){0};
	d.system = registry_hive(registry, REGISTRY_SYSTEM, err);
	if (!d.system || registry_control_sets(registry, &sets, err) < 0)
		return -1;
	has = registry_has(registry, REGISTRY_SOFTWARE, err);
	if (has < 0)
		return -1;
	d.software = has ? registry_hive(registry, REGISTRY_SOFTWARE, err) : NULL;
	if ((has && !d.software) || depersonalize_registry(&d, &sets, err) < 0)
		return -1;
	vec_foreach (set, &sets)
		if (depersonalize_devices(&d, *set, err) < 0)
			return -1;
	if (depersonalize_files(&d, err) < 0)
		return -1;
	return system ? generalize_boot(&d, system, err) : 0;
}

/* ---- is it enough?
 * ---------------------------------------------------------------------- */

/* NULL if there is no SAM, or none that can be read: then nothing is said of it. */
static char *machine_sid(struct tree *tree)
{
	static const char *const ends[SAM_LOGS] = {".LOG", ".LOG1", ".LOG2"};
	struct buffer data = BUFFER_INIT, logs[SAM_LOGS] = {BUFFER_INIT};
	_cleanup_reg_value_ struct reg_value v = {0};
	_cleanup_hive_ struct hive *hive = NULL;
	hkey key = 0;

	if (tree_stat(tree, SAM, NULL, NULL) > 0 &&
	    tree_read(tree, SAM, MAX_SAM, &data, NULL) == 0) {
		for (size_t i = 0; i < SAM_LOGS; i++) {
			_cleanup_free_ char *log = xasprintf(SAM "%s", ends[i]);

			if (tree_stat(tree, log, NULL, NULL) > 0)
				(void)tree_read(tree, log, MAX_SAM, &logs[i], NULL);
		}
		hive = hive_open(buffer_view(&data),
				 &(struct hive_options){.name = SAM,
							.accept_dirty = true,
							.log = buffer_view(&logs[0]),
							.log1 = buffer_view(&logs[1]),
							.log2 = buffer_view(&logs[2])},
				 NULL);
	}
	buffer_free(&data);
	for (size_t i = 0; i < SAM_LOGS; i++)
		buffer_free(&logs[i]);
	if (hive)
		key = hive_find(hive, hive_root(hive), "SAM\\Domains\\Account");
	if (!key || hive_value(hive, key, "V", &v, NULL) <= 0 || v.len < SID_TAIL)
		return NULL;
	return xasprintf("S-1-5-21-%u-%u-%u", get_le32(v.data + v.len - 12),
			 get_le32(v.data + v.len - 8), get_le32(v.data + v.len - 4));
}

/* sysprep was run with /generalize, or it is an image that setup applies. */
static bool is_generalized(const struct installation *in)
{
	return strcmp(in->state, "generalized") == 0 ||
	       strcmp(in->state, "generalized_audit") == 0 ||
	       strcmp(in->state, "winpe") == 0;
}

void depersonalize_state_free(struct depersonalize_state *state)
{
	free(state->state);
	free(state->machine_sid);
	free(state->message);
	free(state->remedy);
}

int depersonalize_check(struct tree *tree, struct registry *registry,
			struct depersonalize_state *ret, struct error *err)
{
	_cleanup_installation_ struct installation *in =
		installation_identify(tree, registry, err);
	bool refuses;

	*ret = (struct depersonalize_state){0};
	if (!in)
		return -1;
	ret->state = xstrdup(in->state);
	ret->machine_sid = machine_sid(tree);
	if (is_generalized(in))
		return 0;
	refuses = in->target.build >= BUILD_REFUSES;
	ret->verdict = refuses ? DEPERSONALIZE_REFUSE : DEPERSONALIZE_WARN;
	ret->message = xasprintf(
		"the image is not generalized (its state is %s): its copies would all "
		"have the machine SID %s%s",
		in->state, ret->machine_sid ? ret->machine_sid : "of this one",
		refuses ? ", and Windows 11 24H2, Server 2025 and later refuse each "
			  "other then (KB5064081)"
			: "");
	ret->remedy = xstrdup("run sysprep /generalize /oobe /shutdown in it, or build "
			      "from install.wim");
	return 0;
}
