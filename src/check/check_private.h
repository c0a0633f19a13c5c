/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of an image's drivers (index.c), as the judge (check.c) sees it. */
#ifndef CHECK_CHECK_PRIVATE_H
#define CHECK_CHECK_PRIVATE_H

#include "check/check.h"
#include "media/media.h"
#include "windows/critical_device.h"
#include "windows/driverdb.h"
#include "windows/service.h"

/* One driver package that may win a device. */
struct indexed_package {
	char *inf;		/* published name; or the repository's label */
	bool inbox, reflected, repository;
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
struct candidate {
	uint32_t package;
	uint8_t type;		/* enum device_match_type */
	uint8_t score;		/* FeatureScore */
	uint16_t index;
};
struct claimed_id {
	uint64_t hash;
	char *id;
	struct vec_of(struct candidate) candidates;
	char *service;		/* Windows 7 and older: CriticalDeviceDatabase */
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
	char *key;		/* role and IDs */
	struct check_device result;
};

struct check_image {
	struct tree *tree;
	struct registry *registry;
	const struct installation *installation;
	struct hive *system;
	bool legacy;		/* CriticalDeviceDatabase instead of a driver database */
	struct driverdb nodes[2];
	size_t node_count;
	struct vec_of(struct indexed_package) packages;
	struct id_map ids, repository_ids;
	struct services services;
	struct media media;	/* the repository's */
	struct {
		struct judged **slots;
		size_t size, used;
	} memo;
};

/*
 * The service that a device gets from a reflected package by this ID; NULL if it needs
 * none or the package does not say. 0 or -1.
 */
int package_service(struct indexed_package *package, const char *id, const char **ret,
		    struct error *err);

#endif
