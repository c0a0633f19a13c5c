/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Profiles as XML files (gild-profile(5), profiles/gild-profile.rng): reading with
 * validation, including what they build upon; writing; the folders that they lie in.
 */
#ifndef HWPROFILES_PROFILE_XML_H
#define HWPROFILES_PROFILE_XML_H

#include "hwprofiles/profile.h"

#define PROFILE_NAMESPACE "urn:gild:profile:1"

/*
 * Reads one file as it stands, without what it includes. Checked against the schema; the
 * error names file and line. No network, no entities, no document type.
 */
struct profile *profile_read(const char *path, struct error *err);
/* The same from memory; `name` is for messages. */
struct profile *profile_parse(struct bytes text, const char *name, struct error *err);
/* The XML of a profile; the same profile gives the same bytes. */
void profile_write(const struct profile *profile, struct buffer *ret);

/* Where profiles are looked for, first found wins. */
struct profile_library {
	struct strings folders;
	struct profiles profiles;	/* read so far, flattened, by ID */
};
/*
 * $GILD_PROFILES (folders separated by ':'), ~/.config/gild/profiles, and the folder that
 * came with the program.
 */
void profile_library_init(struct profile_library *library);
void profile_library_free(struct profile_library *library);
/*
 * The profile of an ID, or of a file (a name with '/' or that ends in .xml), with all that
 * it includes put into it: what the model says itself comes first, lists are joined,
 * devices of one ID are taken from the nearest. Belongs to the library. ERROR_FAILED that
 * names the folders, or the circle of includes.
 */
const struct profile *profile_find(struct profile_library *library, const char *name,
				   struct error *err);
/* Reads every profile of every folder; a broken one ends it with its error. */
int profile_read_all(struct profile_library *library, struct error *err);

#endif
