/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device's IDs as its bus driver reports them, and how well a line of a Models section
 * matches them: the identifier score of PnP's ranking.
 */
#ifndef WINDOWS_DEVICE_ID_H
#define WINDOWS_DEVICE_ID_H

#include "base/memory.h"

struct device_ids {
	struct strings hardware;	/* most specific first */
	struct strings compatible;
};
void device_ids_free(struct device_ids *ids);
#define _cleanup_device_ids_ _cleanup_(device_ids_free)

/*
 * The lists that follow from one ID. For PCI and USB these are what the bus driver of
 * Windows 7 to 10 reports (seen in the Enum keys of their SYSTEM hives), as far as the ID
 * tells: "PCI\VEN_8086&DEV_2822&SUBSYS_...&REV_04&CC_010400" (in any order after DEV) gives
 * all of them. An ID of fewer parts is the first hardware ID, what follows from it comes
 * after it; any other ID stands for itself.
 */
void device_ids_of(const char *id, struct device_ids *ret);

enum id_match {
	ID_NONE,
	ID_HARDWARE,		/* the device's hardware ID is the line's hardware ID */
	ID_INF_COMPATIBLE,	/* ... is a compatible ID of the line */
	ID_DEVICE_COMPATIBLE,	/* its compatible ID is the line's hardware ID */
	ID_BOTH_COMPATIBLE,	/* ... is a compatible ID of the line */
};
/*
 * The best match of a Models line (ids[0]: its hardware ID, "" if none; then compatible
 * IDs). `*score` becomes the identifier score 0xTHHH: type of match, position in the
 * device's list; between two compatible IDs also the position in the line, times 0x100.
 * `*id` (if not NULL) becomes the device's ID that matched.
 */
enum id_match device_ids_match(const struct device_ids *device, const struct strings *ids,
			       uint32_t *score, const char **id);

#endif
