/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Profiles compiled into one file that is read without an XML parser: what the hypervisor's
 * init has in place of profiles/. docs/profile-table.md describes the format.
 */
#ifndef HWPROFILES_PROFILE_TABLE_H
#define HWPROFILES_PROFILE_TABLE_H

#include "base/buffer.h"
#include "hwprofiles/profile.h"

#define PROFILE_TABLE_VERSION 1
#define PROFILE_TABLE_MAX_SIZE ((size_t)64 << 20)
#define PROFILE_TABLE_MAX_PROFILES 100000
#define PROFILE_TABLE_MAX_ITEMS 16384	/* of one list of one profile */

/*
 * The (flattened) profiles as a table; what init does not use (drivers, includes, sources,
 * device ID lists) is left out. The same profiles give the same bytes.
 */
void profile_table_write(const struct profiles *profiles, struct buffer *ret);
/*
 * Reads a table: `name` is for messages. A table that is damaged or of another version is
 * refused whole.
 */
int profile_table_read(struct bytes table, const char *name, struct profiles *ret,
		       struct error *err);

#endif
