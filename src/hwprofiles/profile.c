/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hwprofiles/profile.h"

#include <ctype.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/name_set.h"
#include "base/text.h"

#define PROFILE_MAX_ID 100

static void match_free(struct profile_match *m)
{
	free(m->manufacturer);
	free(m->product);
	free(m->version);
	free(m->family);
	free(m->sku);
	free(m->board_manufacturer);
	free(m->board_product);
}

static void driver_free(struct profile_driver *d)
{
	free(d->hardware_id);
	free(d->inf);
	free(d->pack_vendor);
	free(d->pack_system);
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	free(profile->id);
	free(profile->name);
	free(profile->type);
	free(profile->tpm);
	free(profile->source);
	strings_free(&profile->includes);
	vec_foreach (match, &profile->matches)
		match_free(match);
	vec_free(&profile->matches);
	vec_foreach (device, &profile->devices)
		pc_device_free(device);
	vec_free(&profile->devices);
	vec_foreach (driver, &profile->drivers)
		driver_free(driver);
	vec_free(&profile->drivers);
	vec_foreach (rule, &profile->rules) {
		free(rule->id);
		free(rule->group);
	}
	vec_free(&profile->rules);
	strings_free(&profile->kernel_arguments);
	strings_free(&profile->quirks);
	free(profile);
}

void profile_freep(struct profile **profile)
{
	profile_free(*profile);
	*profile = NULL;
}

void profiles_free(struct profiles *profiles)
{
	vec_foreach (profile, profiles)
		profile_free(*profile);
	vec_free(profiles);
}

/* ---- from a PC and back
 * -------------------------------------------------------------------
 */

bool profile_id_valid(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len <= PROFILE_MAX_ID && isalnum((unsigned char)*id) &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len;
}

/* What companies add to their names says nothing. */
static bool is_company_word(const char *word, size_t len)
{
	static const char *const words[] = {
		"inc",	    "inc.",	   "co.",  "ltd.",	   "ltd",
		"corp.",    "corporation", "gmbh", "technologies", "computer",
		"co.,ltd.", "co.,",	   "ltd.,"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && strncasecmp(word, words[i], len) == 0)
			return true;
	return false;
}

char *profile_id_of(const char *name)
{
	struct buffer b = BUFFER_INIT;

	for (const char *at = name; *at;) {
		size_t len = strcspn(at, " \t/_(),;:+&'\"");

		if (len && !is_company_word(at, len) && b.len < PROFILE_MAX_ID - 1) {
			if (b.len)
				buffer_append(&b, "-", 1);
			for (size_t i = 0; i < len && b.len < PROFILE_MAX_ID; i++) {
				char c = (char)tolower((unsigned char)at[i]);

				if (isalnum((unsigned char)c) || c == '-' ||
				    (c == '.' && b.len))
					buffer_append(&b, &c, 1);
			}
		}
		at += len + (at[len] != 0);
	}
	while (b.len && (b.data[b.len - 1] == '-' || b.data[b.len - 1] == '.'))
		b.len--;
	if (!b.len)
		buffer_append_string(&b, "pc");
	return buffer_steal_string(&b);
}

static void take(char **to, const char *from)
{
	if (!pc_placeholder(from))
		*to = xstrdup(from);
}

static void copy_strings(struct strings *to, const struct strings *from)
{
	vec_foreach (item, from)
		strings_push(to, *item);
}

static void copy_device(struct pc_devices *to, const struct pc_device *from)
{
	struct pc_device device = {.bus = from->bus,
				   .role = from->role,
				   .id = xstrdup(from->id),
				   .name = from->name ? xstrdup(from->name) : NULL};

	copy_strings(&device.hardware_ids, &from->hardware_ids);
	copy_strings(&device.compatible_ids, &from->compatible_ids);
	vec_push(to, device);
}

/* ---- what a model wants --------------------------------------------------------------
 */

static bool all_of(const char *text, const char *set, size_t len)
{
	return text && strlen(text) >= len && strspn(text, set) >= len;
}

/*
 * The key of the maker's driver pack: Dell's system ID is the SMBIOS SKU, HP's the
 * baseboard's product, Lenovo's machine type the first four letters of the product.
 */
static void add_pack(struct profile *p, const struct pc_identity *i)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct profile_driver pack = {0};
	const char *maker = i->manufacturer ? i->manufacturer : "", *system = NULL;
	size_t len = 4;

	if (text_starts_with(maker, "Dell")) {
		pack.pack_vendor = xstrdup("dell");
		system = i->sku;
	} else if (text_equal(maker, "HP") || text_equal(maker, "Hewlett-Packard")) {
		pack.pack_vendor = xstrdup("hp");
		system = i->board_product;
	} else if (text_equal(maker, "LENOVO")) {
		pack.pack_vendor = xstrdup("lenovo");
		system = i->product;
		len = system ? strlen(system) : 0;
	}
	if (pack.pack_vendor && system &&
	    (len == 4 ? strlen(system) == 4 && all_of(system, hex, 4)
		      : (len == 7 || len == 10) && all_of(system, letters, len))) {
		pack.pack_system = xstrndup(system, 4);
		vec_push(&p->drivers, pack);
		return;
	}
	free(pack.pack_vendor);
}

/* A graphics card beside the processor's own: by its maker, or one of two. */
static bool is_card(const struct pc *pc, const struct pc_device *device)
{
	bool beside = false;

	if (device->role != PC_DISPLAY)
		return false;
	vec_foreach (other, &pc->devices)
		beside |= other->role == PC_DISPLAY &&
			  text_starts_with(other->id, "PCI\\VEN_8086&");
	return text_starts_with(device->id, "PCI\\VEN_10DE&") ||
	       (beside && text_starts_with(device->id, "PCI\\VEN_1002&"));
}

/* A graphics card may be handed over, with its sound function or not at all. */
static void add_cards(struct profile *p, const struct pc *pc)
{
	_cleanup_name_set_ struct name_set seen = {0};

	vec_foreach (card, &pc->devices) {
		if (!is_card(pc, card))
			continue;
		vec_foreach (device, &pc->devices) {
			struct profile_rule rule = {.role = device->role,
						    .passthrough = PASSTHROUGH_ALLOWED};

			/* The vendor is what follows PCI\VEN_. */
			if ((device->role != PC_DISPLAY && device->role != PC_AUDIO) ||
			    strncmp(device->id, card->id, 12) != 0 ||
			    !name_set_add(&seen, device->id))
				continue;
			rule.id = xstrndup(device->id, strlen("PCI\\VEN_10DE&DEV_1C82"));
			rule.group = xstrdup("graphics-card");
			vec_push(&p->rules, rule);
		}
	}
}

struct profile *profile_of_pc(const struct pc *pc)
{
	struct profile *p = xcalloc(1, sizeof(*p));
	const struct pc_identity *i = &pc->identity;
	struct profile_match match = {0};
	_cleanup_name_set_ struct name_set seen = {0};

	p->name = xstrdup(pc->label ? pc->label : "unknown PC");
	p->id = profile_id_of(p->name);
	p->type = pc->type ? text_lower(pc->type) : NULL;
	p->year = pc_bios_year(i);
	p->uefi = pc->uefi;
	p->bios = pc->bios;
	p->acpi = pc->acpi;
	p->secure_boot = pc->secure_boot;
	/* "0.0", "2", "unknown", ...: only what is sure. */
	if (pc->tpm && (strcmp(pc->tpm, "1.2") == 0 || strcmp(pc->tpm, "2.0") == 0 ||
			strcmp(pc->tpm, "none") == 0))
		p->tpm = xstrdup(pc->tpm);
	memcpy(p->listed, pc->listed, sizeof(p->listed));
	take(&match.manufacturer, i->manufacturer);
	take(&match.product, i->product);
	/* Without a product of its own the board tells the model. */
	if (!match.product) {
		take(&match.board_manufacturer, i->board_manufacturer);
		take(&match.board_product, i->board_product);
	}
	if (match.product || match.board_product)
		vec_push(&p->matches, match);
	else
		match_free(&match);
	vec_foreach (device, &pc->devices)
		if (name_set_add(&seen, device->id))
			copy_device(&p->devices, device);
	add_pack(p, i);
	add_cards(p, pc);
	return p;
}

void profile_to_pc(const struct profile *profile, struct pc *ret)
{
	*ret = (struct pc)PC_INIT;
	ret->label = xstrdup(profile->name);
	ret->id = xstrdup(profile->id);
	ret->type = profile->type ? xstrdup(profile->type) : NULL;
	ret->uefi = profile->uefi;
	ret->year = profile->year;
	ret->bios = profile->bios;
	ret->acpi = profile->acpi;
	ret->secure_boot = profile->secure_boot;
	ret->tpm = profile->tpm ? xstrdup(profile->tpm) : NULL;
	memcpy(ret->listed, profile->listed, sizeof(ret->listed));
	vec_foreach (device, &profile->devices)
		copy_device(&ret->devices, device);
}

/* ---- matching
 * -------------------------------------------------------------------------------
 */

/* The usual two-finger walk: linear but for the last '*'. */
bool pattern_fits(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (*pattern && tolower((unsigned char)*pattern) ==
					       tolower((unsigned char)*text)) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == 0;
}

/* Adds what a field that is asked for is worth; false if it does not fit. */
static bool field_fits(const char *pattern, const char *text, unsigned worth,
		       const char *name, unsigned *points, struct buffer *reason)
{
	if (!pattern)
		return true;
	if (!text || !pattern_fits(pattern, text))
		return false;
	*points += strcmp(pattern, "*") == 0 ? 0
		   : strchr(pattern, '*')    ? worth / 2
					     : worth;
	if (reason->len)
		buffer_append_string(reason, ", ");
	buffer_append_string(reason, name);
	return true;
}

static bool chid_fits(const struct profile_match *m, const struct chids *chids,
		      unsigned *points, struct buffer *reason)
{
	if (!m->has_chid)
		return true;
	for (unsigned n = 0; n < CHID_COUNT; n++) {
		if (!chids->present[n] || !guid_equal(&chids->ids[n], &m->chid))
			continue;
		/* The lower its number, the more fields it stands for. */
		*points += 60 - 3 * n;
		buffer_printf(reason, "%sHardwareID-%u", reason->len ? ", " : "", n);
		return true;
	}
	return false;
}

/* 0: does not fit; 1 to 100 points, and why. */
static unsigned identity_points(const struct profile_match *m,
				const struct pc_identity *i, const struct chids *chids,
				struct buffer *reason)
{
	unsigned points = 0;

	if (!field_fits(m->manufacturer, i->manufacturer, 10, "manufacturer", &points,
			reason) ||
	    !field_fits(m->product, i->product, 40, "product", &points, reason) ||
	    !field_fits(m->version, i->version, 20, "version", &points, reason) ||
	    !field_fits(m->family, i->family, 15, "family", &points, reason) ||
	    !field_fits(m->sku, i->sku, 45, "SKU", &points, reason) ||
	    !field_fits(m->board_manufacturer, i->board_manufacturer, 10,
			"board manufacturer", &points, reason) ||
	    !field_fits(m->board_product, i->board_product, 35, "board", &points,
			reason) ||
	    !chid_fits(m, chids, &points, reason))
		return 0;
	return points > 100 ? 100 : points;
}

/* "PCI\VEN_8086&DEV_1C02" of any PCI ID: what a model has, whatever its stepping. */
static char *device_key(const char *id)
{
	const char *at = strstr(id, "&SUBSYS_");

	if (!at)
		at = strstr(id, "&REV_");
	if (!at)
		at = strstr(id, "&CC_");
	return at ? xstrndup(id, (size_t)(at - id)) : xstrdup(id);
}

static unsigned shared_devices(const struct profile *profile, const struct name_set *have)
{
	unsigned shared = 0;

	vec_foreach (device, &profile->devices) {
		_cleanup_free_ char *key = device_key(device->id);

		shared += name_set_has(have, key);
	}
	return shared;
}

/*
 * Identity gives 50 to 100; devices alone at most 49, so that a namesake never loses
 * against a relative with the same chipset.
 */
static unsigned score(const struct profile *profile, const struct pc *pc,
		      const struct chids *chids, const struct name_set *have,
		      struct buffer *reason)
{
	unsigned best = 0, total = (unsigned)profile->devices.len;
	unsigned shared = total ? shared_devices(profile, have) : 0;

	vec_foreach (match, &profile->matches) {
		struct buffer why = BUFFER_INIT;
		unsigned points = identity_points(match, &pc->identity, chids, &why);

		if (points > best) {
			best = points;
			buffer_free(reason);
			*reason = why;
		} else {
			buffer_free(&why);
		}
	}
	if (total && pc->devices.len)
		buffer_printf(reason, "%s%u of %u devices", reason->len ? "; " : "",
			      shared, total);
	if (best)
		return 50 + best * 45 / 100 + (total ? shared * 5 / total : 0);
	return total >= 4 && shared * 2 > total ? shared * 49 / total : 0;
}

static int by_score(const void *a, const void *b)
{
	const struct profile_score *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return strcmp(x->profile->id, y->profile->id);
}

void profile_match_all(const struct profiles *profiles, const struct pc *pc,
		       struct profile_scores *ret)
{
	_cleanup_name_set_ struct name_set have = {0};
	struct strings keys = VEC_INIT;
	struct chids chids;

	chids_of(&pc->identity, &chids);
	vec_foreach (device, &pc->devices)
		vec_push(&keys, device_key(device->id));
	vec_foreach (key, &keys)
		(void)name_set_add(&have, *key);
	vec_foreach (profile, profiles) {
		struct buffer reason = BUFFER_INIT;
		unsigned points = score(*profile, pc, &chids, &have, &reason);

		if (points)
			vec_push(ret,
				 (struct profile_score){*profile, points,
							buffer_steal_string(&reason)});
		else
			buffer_free(&reason);
	}
	strings_free(&keys);
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), by_score);
}

void profile_scores_free(struct profile_scores *scores)
{
	vec_foreach (item, scores)
		free(item->reason);
	vec_free(scores);
}
