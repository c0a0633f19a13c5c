/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Will this image start on that PC? Plug and Play simulated: the IDs that the bus driver
 * would report for each device, the candidates of the image's own driver database (inbox
 * and injected), Windows' rank, the winner; for the boot path also what the boot loader
 * and the kernel look at. The image is indexed once, then PCs are judged by the thousand.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "hwprofiles/pc.h"
#include "registry/registry.h"
#include "tree/tree.h"
#include "windows/installation.h"
#include "windows/service.h"

struct check_image;	/* the index of one installation's drivers */

/* Tree, registry and installation must outlive it. */
struct check_image *check_image_open(struct tree *tree, struct registry *registry,
				     const struct installation *installation,
				     struct error *err);
void check_image_close(struct check_image *image);
/*
 * Adds the packages of a repository (folders, archives, INFs): they are never winners, but
 * named as remedies ("inject iaStorVD.inf"). At most once, before the first PC.
 */
int check_image_add_repository(struct check_image *image, const struct strings *paths,
			       struct error *err);
/*
 * What the disk's layout says of the firmware that can start it: GPT: UEFI only; MBR with
 * an NTFS system volume: BIOS only. Without it only the Windows version decides.
 */
void check_image_set_disk(struct check_image *image, const struct image_disk *disk,
			  unsigned system_partition);

enum check_source {
	CHECK_NONE,		/* no driver */
	CHECK_INBOX,
	CHECK_INJECTED,		/* a third-party package of the image */
};
enum check_device_verdict {
	CHECK_OK,
	CHECK_GENERIC,		/* driven by a class driver with less than its own would give */
	CHECK_MISSING,		/* no driver */
	CHECK_BLOCKED,		/* there is one, but it will not start: reason */
	CHECK_UNKNOWN,		/* the inventory does not tell enough */
};
/* One package that is for the device; the first of them wins. */
struct check_candidate {
	const char *inf, *matched;	/* published name; the device's ID */
	enum check_source source;
	uint32_t rank;		/* 0xSSGGTHHH: lower wins, then date, then version */
	uint64_t date, version;	/* FILETIME; four times 16 bits */
};
DEFINE_VEC(check_candidates, struct check_candidate);
#define CHECK_MAX_CANDIDATES 16	/* kept of each device */

struct check_device {
	const struct pc_device *device;
	enum check_device_verdict verdict;
	enum check_source source;
	const char *inf;	/* published name of the winner; or NULL */
	const char *service;	/* or NULL */
	const char *matched;	/* the device's ID that matched */
	uint32_t rank;
	const struct check_candidates *candidates;	/* best first; the image's */
	const struct service *record;	/* of `service`, in the boot path; or NULL */
	int group_order;	/* of its group in ServiceGroupOrder; -1: not in it */
	bool is_unsigned;	/* the winner, of boot storage */
	char *reason;		/* why it is not OK; or NULL */
	bool any_controller;	/* gild inject --any-controller puts it right */
	const char *remedy_inf;	/* of the repository; or NULL */
	const struct strings *remedies;	/* all of the repository that would; or NULL */
};
DEFINE_VEC(check_devices, struct check_device);

enum check_verdict {
	CHECK_BOOTS,
	CHECK_DEGRADED,	/* starts, but something is lost: `losses` */
	CHECK_FAILS,
	CHECK_UNDECIDED,	/* the inventory lists no storage controller */
};
struct check_result {
	enum check_verdict verdict;
	char *reason;		/* of FAILS: "VMD controller 8086:9A0B: no driver" */
	char *cause;		/* the same for all PCs that one remedy helps */
	char *remedy;		/* "inject iaStorVD.inf or switch VMD off in the firmware" */
	/* Packages each of which would be enough; NULL: none is known. The image's. */
	const struct strings *remedies;
	struct strings losses;	/* "network", "display at basic resolution" */
	struct strings unknown;	/* roles that the inventory does not speak of */
	struct strings remarks;	/* what to know besides: "its driver is unsigned: ..." */
	struct check_devices devices;	/* empty unless asked for */
};
void check_result_free(struct check_result *result);
/* `details`: fill .devices for every device, not only count. */
int check_pc(struct check_image *image, const struct pc *pc, bool details,
	     struct check_result *ret, struct error *err);

const char *check_verdict_name(enum check_verdict verdict);	/* "boots", ... */
const char *check_device_verdict_name(enum check_device_verdict verdict);
const char *check_source_name(enum check_source source);	/* "inbox", "injected", "none" */

#endif
