/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which of several INFs Windows would take for a device, and why not the others: PnP's
 * ranking (Vista and later). Lower rank first (0xSSGGTHHH: signature, feature score,
 * identifier score), then the later DriverVer date, then the higher version. SS is 0 for
 * all signers that Windows trusts (its default policy since Windows 7) and 0x80 for all
 * else; where the signature was not checked it counts as trusted.
 *
 *	struct ranking r = {.device = &ids};
 *	ranking_add(&r, "a.inf", driver, selection, verdict);	// for each INF
 *	ranking_sort(&r);				// the winner, if any, is items[0]
 */
#ifndef INJECTOR_RANKING_H
#define INJECTOR_RANKING_H

#include "injector/driver.h"
#include "injector/selection.h"
#include "sign/signature.h"
#include "windows/device_id.h"

/* In the order of the result. */
enum ranked_verdict {
	RANKED_CHOSEN,
	RANKED_EXTENSION,	/* extension INF: applied in addition to the chosen one */
	RANKED_LOSES,
	RANKED_EXCLUDED,	/* ExcludeID of the INF names an ID of the device */
	RANKED_BROKEN,		/* its install section does not exist */
	RANKED_NOT_FOR_TARGET,	/* its Models section is not the one for this Windows */
};

struct ranked {
	char *inf;		/* the label given */
	char *section, *install, *description;
	char *id;		/* of the device, that matched */
	enum id_match match;
	uint32_t rank;		/* 0xSSGGTHHH */
	enum signature_verdict signature;
	uint32_t feature_score;
	uint64_t date, version;
	bool extension;
	struct guid extension_id;
	unsigned line;
	enum ranked_verdict verdict;
	char *reason;		/* why it is not chosen, and by what it loses; NULL if it is */
};

struct ranking {
	const struct device_ids *device;
	struct vec_of(struct ranked) list;
};
const char *ranked_verdict_name(enum ranked_verdict verdict); /* "chosen", "loses", ... */
const char *id_match_name(enum id_match match); /* "hardware ID", ... */

/* Adds the lines of the INF that match the device. */
void ranking_add(struct ranking *ranking, const char *label, const struct driver *driver,
		 const struct selection *selection, enum signature_verdict signature);
void ranking_sort(struct ranking *ranking);
void ranking_free(struct ranking *ranking);
#define _cleanup_ranking_ _cleanup_(ranking_free)

#endif
