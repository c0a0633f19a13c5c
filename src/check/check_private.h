/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of an image's drivers (index.c), as the judge (check.c) sees it. */
#ifndef CHECK_CHECK_PRIVATE_H
#define CHECK_CHECK_PRIVATE_H

#include "check/check.h"
#include "media/media.h"
#include "windows/critical_device.h"
#include "windows/device_id.h"
#include "windows/driverdb.h"
#include "windows/service.h"

/* One driver package that may win a device. */
struct indexed_package {
	char *inf;		/* published name; or the repository's label */
	bool inbox, reflected, repository;
	struct guid class_guid;	/* of the repository's */
	uint32_t signer_score;	/* upper byte counts */
	uint64_t date, version;
	struct db_package record;	/* of the image's own; .store NULL otherwise */
	const struct driverdb *node;
	/* ID -> service of a reflected package, read when first asked for. */
	bool loaded;
	struct db_descriptors descriptors;
	struct db_configurations configurations;
};

/* What says that a package is for an ID. */
struct driver_candidate {
	uint32_t package;
	uint8_t type;		/* enum device_match_type */
	uint8_t score;		/* FeatureScore */
	uint16_t index;
};
/* Of a service in the boot path: would the boot loader start it? Found once. */
struct judged_service {
	const struct service *service;
	char *reason;		/* why not; NULL: it would */
	bool any_controller;
};

struct claimed_id {
	uint64_t hash;
	char *id;
	struct vec_of(struct driver_candidate) candidates;
	bool critical;		/* Windows 7 and older: in CriticalDeviceDatabase */
	bool is_unsigned;	/* of the package that put it there */
	char *published;	/* that package; NULL: Windows' own */
	char *service;		/* of it */
};
/* Open addressing, by text_hash(). */
struct id_map {
	struct claimed_id **slots;
	size_t size, used;
};
struct claimed_id *id_map_get(const struct id_map *map, const char *id);
struct claimed_id *id_map_put(struct id_map *map, const char *id);
void id_map_free(struct id_map *map);

/* A device's verdict without the device: the same for every PC that has it. */
struct judged {
	uint64_t hash;
	enum pc_role role;
	char *key;		/* the ID, or all that it reports */
	struct check_device result;
	struct check_candidates candidates;
	struct strings remedies;
};

struct check_image {
	struct tree *tree;
	struct registry *registry;
	const struct installation *installation;
	struct hive *system;
	bool legacy;		/* CriticalDeviceDatabase instead of a driver database */
	bool has_infs;		/* legacy: the drivers of other devices were indexed, too */
	struct hal hal;		/* of NT 5 and of x86 6.0, 6.1; else empty */
	bool starts_bios, starts_uefi;
	bool disk_bios, disk_uefi;	/* the layout of the disk rules the other one out */
	char *broken;		/* why it starts on no PC at all; or NULL */
	bool broken_any_controller;
	struct strings group_order;
	struct vec_of(struct judged_service) judged_services;
	struct driverdb nodes[2];
	size_t node_count;
	bool half;		/* the DRIVERS hive, with the other half of them, is missing */
	struct vec_of(struct indexed_package) packages;
	struct id_map ids, repository_ids;
	struct services services;
	struct source_media media;	/* the repository's */
	struct {
		struct judged **slots;
		size_t size, used;
	} memo;
};

/*
 * What a device gets from a reflected package by this ID: service and filters; NULL if the
 * package does not say. 0 or -1.
 */
int package_configuration(struct indexed_package *package, const char *id,
			  const struct db_configuration **ret, struct error *err);

/* ---- index_legacy.c */

/* Windows 7 and older: the INFs that Windows would search. */
int index_legacy_infs(struct check_image *image, struct error *err);
/* Adds a package and what its INF claims; what is no driver package adds nothing. */
void index_selection(struct check_image *image, const char *name, struct bytes raw,
		     struct indexed_package *package, struct id_map *ids);

/* ---- check.c */

struct choice {
	const struct driver_candidate *candidate;
	const char *id;		/* of the device, that matched */
	uint32_t rank;
};
/* The winner, .candidate NULL if there is none; `all` (may be NULL) gets every candidate. */
struct choice choose(const struct check_image *image, const struct device_ids *ids,
		     struct check_candidates *all);
/* The verdict on a device, found once for all that have its role and IDs. */
int check_device_once(struct check_image *image, const struct pc_device *device,
		      const struct check_device **ret, struct error *err);
/* Sets the verdict and takes the reason over. */
void set_reason(struct check_device *d, enum check_device_verdict verdict, char *reason);

/* ---- boot.c */

/* The boot path of a storage controller that has a driver. */
int judge_boot(struct check_image *image, struct indexed_package *package,
	       struct check_device *d, struct error *err);
int judge_service(struct check_image *image, struct check_device *d, struct error *err);
/* What every PC needs: PCI bus, disk class, class filters, HAL. Sets image->broken. */
int judge_image(struct check_image *image, struct error *err);

#endif
