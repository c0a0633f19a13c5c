/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The index of an image: which packages claim which device ID, from the driver database
 * (Windows 8 and later) or CriticalDeviceDatabase (up to 7), and which packages of a
 * repository would.
 */
#include "base/file.h"
#include "base/text.h"
#include "check/check_private.h"
#include "injector/selection.h"

/* What a repository's INF may hold at most; those of display drivers have some 4 MB. */
#define INF_LIMIT ((size_t)16 << 20)
#define CLASS_COMPONENT "{5c4c3332-344d-483c-8739-259e934c9cc8}" /* SoftwareComponent */

/* ---- IDs
 * ------------------------------------------------------------------------------------
 */

static size_t slot_of(const struct id_map *map, uint64_t hash, const char *id)
{
	size_t at = hash & (map->size - 1);

	while (map->slots[at] &&
	       (map->slots[at]->hash != hash || !text_equal(map->slots[at]->id, id)))
		at = (at + 1) & (map->size - 1);
	return at;
}

struct claimed_id *id_map_get(const struct id_map *map, const char *id)
{
	return map->size ? map->slots[slot_of(map, text_hash(id), id)] : NULL;
}

static void grow(struct id_map *map)
{
	struct id_map larger = {.size = map->size ? map->size * 2 : 4096,
				.used = map->used};

	larger.slots = xcalloc(larger.size, sizeof(struct claimed_id *));
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i])
			larger.slots[slot_of(&larger, map->slots[i]->hash,
					     map->slots[i]->id)] = map->slots[i];
	free(map->slots);
	*map = larger;
}

struct claimed_id *id_map_put(struct id_map *map, const char *id)
{
	uint64_t hash = text_hash(id);
	size_t at;

	if ((map->used + 1) * 2 > map->size)
		grow(map);
	at = slot_of(map, hash, id);
	if (!map->slots[at]) {
		map->slots[at] = xcalloc(1, sizeof(struct claimed_id));
		map->slots[at]->hash = hash;
		map->slots[at]->id = xstrdup(id);
		map->used++;
	}
	return map->slots[at];
}

void id_map_free(struct id_map *map)
{
	for (size_t i = 0; i < map->size; i++) {
		if (!map->slots[i])
			continue;
		vec_free(&map->slots[i]->candidates);
		free(map->slots[i]->id);
		free(map->slots[i]->service);
		free(map->slots[i]->published);
		free(map->slots[i]);
	}
	free(map->slots);
}

/* ---- the driver database
 * -----------------------------------------------------------------------
 */

/* Every package that is in force: DriverInfFiles\...\Active, or the only one. */
static int index_packages(struct check_image *image, const struct driverdb *node,
			  struct error *err)
{
	struct db_packages packages = VEC_INIT;

	if (driverdb_packages(node, &packages, err) < 0) {
		db_packages_free(&packages);
		return -1;
	}
	vec_foreach (p, &packages) {
		_cleanup_db_inf_ struct db_inf inf = {0};
		struct indexed_package package = {.node = node};

		if (!p->published)
			continue;
		if (driverdb_inf(node, p->published, &inf, NULL) == 1 && inf.active &&
		    !text_equal(inf.active, p->store))
			continue;
		package.inf = xstrdup(p->published);
		package.inbox = !db_package_third_party(p);
		package.reflected = p->reflected;
		package.signer_score = p->signer_score;
		if (p->has_version) {
			package.date = p->version.date;
			package.version = p->version.version;
		}
		package.record = *p;
		*p = (struct db_package){0};
		vec_push(&image->packages, package);
	}
	db_packages_free(&packages);
	return 0;
}

/* The package that is published under the name, in either node; packages.len if none. */
static uint32_t package_of(const struct check_image *image, const char *published)
{
	for (uint32_t i = 0; i < image->packages.len; i++)
		if (text_equal(image->packages.items[i].inf, published))
			return i;
	return (uint32_t)image->packages.len;
}

struct indexing {
	struct check_image *image;
	/* Names come in runs: the last one found. */
	char *name;
	uint32_t package;
};

static int index_device(const char *id, const struct db_match *match, void *arg,
			struct error *err _unused_)
{
	struct indexing *x = arg;
	struct driver_candidate candidate = {.type = match->match.type,
					     .score = match->match.score,
					     .index = match->match.index};

	/* Extension INFs are applied in addition, they win nothing. */
	if (candidate.type != DEVICE_MATCH_HARDWARE &&
	    candidate.type != DEVICE_MATCH_COMPATIBLE)
		return 0;
	if (!x->name || !text_equal(x->name, match->published)) {
		free(x->name);
		x->name = xstrdup(match->published);
		x->package = package_of(x->image, match->published);
	}
	if (x->package == x->image->packages.len)
		return 0;
	candidate.package = x->package;
	vec_push(&id_map_put(&x->image->ids, id)->candidates, candidate);
	return 0;
}

static int index_database(struct check_image *image, struct error *err)
{
	static const enum registry_hive nodes[] = {REGISTRY_SYSTEM, REGISTRY_DRIVERS};

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		struct driverdb *node = &image->nodes[image->node_count];
		int found = driverdb_open(image->registry, nodes[i], node, err);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		image->node_count++;
		if (index_packages(image, node, err) < 0)
			return -1;
	}
	image->half = image->node_count == 1 && image->nodes[0].node == REGISTRY_SYSTEM;
	for (size_t i = 0; i < image->node_count; i++) {
		struct indexing x = {.image = image};
		int result =
			driverdb_each_device(&image->nodes[i], index_device, &x, err);

		free(x.name);
		if (result < 0)
			return -1;
	}
	return 0;
}

/* ---- Windows 7 and older
 * ------------------------------------------------------------------------
 */

static int index_critical(struct check_image *image, struct error *err)
{
	struct critical_devices devices = VEC_INIT;
	int result = critical_devices_read(
		image->system, image->installation->control_set, &devices, err);

	vec_foreach (device, &devices) {
		struct claimed_id *claim = id_map_put(&image->ids, device->id);

		claim->critical = true;
		if (!claim->service && device->service)
			claim->service = xstrdup(device->service);
	}
	critical_devices_free(&devices);
	return result;
}

/* ---- the image
 * ------------------------------------------------------------------------------------
 */

/*
 * Which firmware a generation can be started by: 64-bit UEFI takes no 32-bit Windows;
 * Windows before Vista knows BIOS only, that for ARM UEFI only.
 */
static void set_firmware(struct check_image *image, const struct target *target)
{
	bool arm = target->arch == ARCH_ARM || target->arch == ARCH_ARM64;

	image->disk_bios = image->disk_uefi = true;
	image->starts_bios = !arm;
	image->starts_uefi = arm || (target->arch != ARCH_X86 &&
				     target_compare_version(target, 6, 0, 0) >= 0);
}

void check_image_set_disk(struct check_image *image, const struct image_disk *disk,
			  unsigned system_partition)
{
	if (!disk || !disk->table)
		return;
	if (strcmp(disk->table, "gpt") == 0)
		image->disk_bios = false;
	/* A FAT system volume of an MBR disk may hold the loaders of both. */
	vec_foreach (p, &disk->partitions)
		if (strcmp(disk->table, "mbr") == 0 && p->number == system_partition &&
		    p->file_system && strcmp(p->file_system, "NTFS") == 0)
			image->disk_uefi = false;
}

struct check_image *check_image_open(struct tree *tree, struct registry *registry,
				     const struct installation *installation,
				     struct error *err)
{
	struct check_image *image = xcalloc(1, sizeof(*image));
	int result = -1;

	image->tree = tree;
	image->registry = registry;
	image->installation = installation;
	image->legacy = target_compare_version(&installation->target, 6, 2, 0) < 0;
	set_firmware(image, &installation->target);
	image->system = registry_hive(registry, REGISTRY_SYSTEM, err);
	if (image->system)
		result = services_read(image->system, installation->control_set,
				       &image->services, err);
	if (result == 0)
		result = image->legacy ? index_critical(image, err)
				       : index_database(image, err);
	if (result == 0 && image->legacy)
		result = index_legacy_infs(image, err);
	if (result == 0)
		result = judge_image(image, err);
	if (result == 0)
		return image;
	check_image_close(image);
	return NULL;
}

static void package_free(struct indexed_package *package)
{
	free(package->inf);
	db_package_free(&package->record);
	db_descriptors_free(&package->descriptors);
	db_configurations_free(&package->configurations);
}

void check_image_close(struct check_image *image)
{
	if (!image)
		return;
	vec_foreach (package, &image->packages)
		package_free(package);
	vec_free(&image->packages);
	id_map_free(&image->ids);
	id_map_free(&image->repository_ids);
	services_free(&image->services);
	media_close(&image->media);
	for (size_t i = 0; i < image->memo.size; i++) {
		struct judged *judged = image->memo.slots[i];

		if (!judged)
			continue;
		free(judged->key);
		free(judged->result.reason);
		vec_free(&judged->candidates);
		strings_free(&judged->remedies);
		free(judged);
	}
	free(image->memo.slots);
	vec_foreach (judged, &image->judged_services)
		free(judged->reason);
	vec_free(&image->judged_services);
	strings_free(&image->group_order);
	free(image->broken);
	hal_free(&image->hal);
	free(image);
}

int package_configuration(struct indexed_package *package, const char *id,
			  const struct db_configuration **ret, struct error *err)
{
	const char *configuration = NULL;

	*ret = NULL;
	if (!package->loaded) {
		package->loaded = true;
		if (driverdb_descriptors(package->node, &package->record,
					 &package->descriptors, err) < 0 ||
		    driverdb_configurations(package->node, &package->record,
					    &package->configurations, err) < 0)
			return -1;
	}
	vec_foreach (descriptor, &package->descriptors)
		if (text_equal(descriptor->id, id))
			configuration = descriptor->configuration;
	vec_foreach (c, &package->configurations)
		if (configuration && text_equal(c->name, configuration))
			*ret = c;
	return 0;
}

/* ---- a repository
 * -------------------------------------------------------------------------------------
 */

void index_selection(struct check_image *image, const char *name, struct bytes raw,
		     struct indexed_package *package, struct id_map *ids)
{
	_cleanup_selection_ struct selection *selection =
		selection_read(name, raw, &image->installation->target, NULL);
	uint32_t number = (uint32_t)image->packages.len;
	char class_text[GUID_TEXT_SIZE];

	if (!selection)
		return;
	guid_format(&selection->class_guid, class_text);
	/* What is applied in addition to a driver is none. */
	if (package->repository && (text_equal(class_text, CLASS_EXTENSION) ||
				    text_equal(class_text, CLASS_COMPONENT)))
		return;
	package->class_guid = selection->class_guid;
	package->date = selection->date;
	package->version = selection->version;
	package->inf = xstrdup(package->inf);
	vec_push(&image->packages, *package);
	vec_foreach (model, &selection->models) {
		if (selection->sections.items[model->section].verdict !=
		    DECORATION_CHOSEN)
			continue;
		for (size_t i = 0; i < model->ids.len; i++) {
			const char *id = model->ids.items[i];
			struct driver_candidate candidate = {
				.package = number,
				.type = i ? DEVICE_MATCH_COMPATIBLE
					  : DEVICE_MATCH_HARDWARE,
				.score = DEVICE_SCORE_DEFAULT,
				.index = (uint16_t)(i > 0xFFFF ? 0xFFFF
						    : i	       ? i - 1
							       : 0)};

			if (*id)
				vec_push(&id_map_put(ids, id)->candidates, candidate);
		}
	}
}

static int index_inf(struct check_image *image, const struct media_inf *inf,
		     struct error *err)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	struct indexed_package package = {.inf = inf->label, .repository = true};

	if (file_read(inf->path, INF_LIMIT, &raw, err) < 0)
		return -1;
	index_selection(image, path_base(inf->path), buffer_view(&raw), &package,
			&image->repository_ids);
	return 0;
}

int check_image_add_repository(struct check_image *image, const struct strings *paths,
			       struct error *err)
{
	vec_foreach (path, paths)
		if (media_add(&image->media, *path, err) < 0)
			return -1;
	vec_foreach (inf, &image->media.infs)
		if (index_inf(image, inf, err) < 0)
			return -1;
	return 0;
}
