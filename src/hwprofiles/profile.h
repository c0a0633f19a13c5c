/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hardware profile: how to recognise a PC model, its devices by role, which drivers it
 * wants, and what the hypervisor may do with it. gild-profile(5) describes the XML; this
 * part knows nothing of XML.
 */
#ifndef HWPROFILES_PROFILE_H
#define HWPROFILES_PROFILE_H

#include "base/error.h"
#include "hwprofiles/identity.h"

/*
 * One way to recognise the model: every pattern that is given must fit. Patterns are
 * compared without regard to case, '*' stands for any text. NULL: not asked for.
 */
struct profile_match {
	char *manufacturer, *product, *version, *family, *sku, *board_manufacturer,
		*board_product;
	struct guid chid;	/* or one of the PC's Computer Hardware IDs is this */
	bool has_chid;
};
DEFINE_VEC(profile_matches, struct profile_match);

/* A driver to inject: by the device it is for, by INF, or a maker's pack for the model. */
struct profile_driver {
	char *hardware_id;	/* or NULL */
	char *inf;		/* original name; or NULL */
	uint64_t min_version, max_version;	/* of the INF; 0: no limit */
	char *pack_vendor, *pack_system;	/* "dell" and a system ID; or NULL */
};
DEFINE_VEC(profile_drivers, struct profile_driver);

enum profile_passthrough {
	PASSTHROUGH_NEVER,
	PASSTHROUGH_ALLOWED,
	PASSTHROUGH_WANTED,
};
struct profile_rule {
	enum pc_role role;
	char *id;		/* only devices with this ID; NULL: all of the role */
	enum profile_passthrough passthrough;
	char *group;		/* devices of one name go together; or NULL */
};
DEFINE_VEC(profile_rules, struct profile_rule);

struct profile {
	char *id;		/* "dell-latitude-5400": the file's name */
	char *name;		/* "Dell Latitude 5400" */
	char *type;		/* "notebook", ...; or NULL */
	unsigned year;		/* of its first firmware known; 0: not known */
	struct strings includes;	/* profiles that it builds upon, in order */
	struct profile_matches matches;
	enum pc_answer uefi, bios, acpi, secure_boot;
	char *tpm;
	bool listed[PC_BUSES];	/* all devices of the bus are in it */
	struct pc_devices devices;
	struct profile_drivers drivers;
	struct profile_rules rules;
	struct strings kernel_arguments, quirks;
	char *source;		/* where its facts come from; or NULL */
};
void profile_free(struct profile *profile);
void profile_freep(struct profile **profile);
DEFINE_VEC(profiles, struct profile *);
void profiles_free(struct profiles *profiles);

/* A profile that describes this PC: what `gild profile import` writes. */
struct profile *profile_of_pc(const struct pc *pc);
/* "Dell Inc. Latitude 5400" -> "dell-latitude-5400". Caller's. */
char *profile_id_of(const char *name);
/* False for anything but lower-case letters, digits, '-' and '.', at most 100. */
bool profile_id_valid(const char *id);
/* The PC that a (flattened) profile stands for, for `gild check`. */
void profile_to_pc(const struct profile *profile, struct pc *ret);

/* ---- which profile is this PC? ------------------------------------------------------------- */

struct profile_score {
	const struct profile *profile;
	unsigned score;		/* 0 to 100 */
	char *reason;		/* "SMBIOS product and SKU; 14 of 15 devices" */
};
DEFINE_VEC(profile_scores, struct profile_score);
void profile_scores_free(struct profile_scores *scores);
/*
 * Every profile with a score above 0, best first. A profile that names the model by its
 * identity is above all that only share devices.
 */
void profile_match_all(const struct profiles *profiles, const struct pc *pc,
		       struct profile_scores *ret);
/* '*' stands for any text; no regard to case. */
bool pattern_fits(const char *pattern, const char *text);

#endif
