/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver database of Windows 8 and later: the key `DriverDatabase` at the root of the
 * SYSTEM hive and of the DRIVERS hive (each is a *node*). Typed reading of its records,
 * and the binary values that the injector writes into it. Layouts as measured in real
 * hives; nothing in them is believed.
 */
#ifndef WINDOWS_DRIVERDB_H
#define WINDOWS_DRIVERDB_H

#include "base/guid.h"
#include "registry/registry.h"
#include "windows/target.h"

/* ---- binary values, both ways ------------------------------------------------------ */

/* A value below DeviceIds\<id>, named by the INF. */
enum device_match_type {
	DEVICE_MATCH_HARDWARE = 1,	/* the first ID of a Models line */
	DEVICE_MATCH_COMPATIBLE = 2,	/* one of the others */
	DEVICE_MATCH_EXTENSION = 3,	/* of an Extension INF */
};
#define DEVICE_SCORE_DEFAULT 0xFFu	/* no FeatureScore directive */
#define DEVICE_MATCH_SIZE 4
struct device_match {
	uint8_t type;		/* enum device_match_type */
	uint8_t score;		/* FeatureScore; lower is better */
	uint16_t index;		/* 0-based position among the compatible IDs */
};
void device_match_format(const struct device_match *match, uint8_t data[DEVICE_MATCH_SIZE]);
/* False if it is not four bytes (the class index has empty values). */
bool device_match_parse(struct bytes data, struct device_match *ret);

/* The value Version of DriverPackages\<folder>; the kernel wants just this size. */
#define PACKAGE_VERSION_SIZE 48
struct package_version {
	bool inbox;		/* first byte FF; 00 for third-party packages */
	enum windows_arch arch;
	struct guid class_guid;
	uint64_t date;		/* FILETIME, midnight UTC */
	uint64_t version;	/* major<<48 | minor<<32 | build<<16 | revision */
	uint32_t reasons;	/* why it cannot be configured offline; 0: it can */
};
void package_version_format(const struct package_version *version,
			    uint8_t data[PACKAGE_VERSION_SIZE]);
bool package_version_parse(struct bytes data, struct package_version *ret);

/* "10.0.1.2", and "2019-07-11" ("" for 0). */
#define PACKAGE_VERSION_TEXT_SIZE 24
void package_version_text(uint64_t version, char text[PACKAGE_VERSION_TEXT_SIZE]);
#define PACKAGE_DATE_TEXT_SIZE 16
void package_date_text(uint64_t filetime, char text[PACKAGE_DATE_TEXT_SIZE]);

/* "oem12.inf" -> 12 (any case, no leading zeros). False for every other name. */
#define OEM_INF_LIMIT 65536u
bool oem_inf_number(const char *published, unsigned *ret);
/* The value OemInfMap: a bitmap, most significant bit first, of the oemN in use. */
bool oem_map_get(struct bytes map, unsigned number);
/* Grows the map as needed; never shrinks it. */
void oem_map_set(struct buffer *map, unsigned number, bool used);

/*
 * The hash in FileRepository folder names of Windows 8 and later, over the INF's bytes as
 * they lie on disk: "02a46a7a223648d1" for virtio-win's vioscsi.inf.
 */
#define STORE_HASH_TEXT_SIZE 17
void store_hash(struct bytes raw, char text[STORE_HASH_TEXT_SIZE]);

/* The path below a node's root: "DeviceIds\PCI\VEN_1AF4&DEV_1001". Caller's. */
char *device_id_path(const char *id);
/*
 * True if the ID can be a key there: no empty component, no control character, less than
 * 200 units (Windows' MAX_DEVICE_ID_LEN) in all.
 */
bool device_id_valid(const char *id);

/* ---- device setup classes ---------------------------------------------------------- */

/* A class key of one control set, as far as drivers go. */
struct device_class {
	char *name;		/* "SCSIAdapter"; NULL if the key has none */
	char guid[GUID_TEXT_SIZE];
	bool boot_critical;	/* property 0003: its packages are in the SYSTEM node */
	bool configurable;	/* property 0006: its packages may be reflected */
	struct strings upper_filters, lower_filters;
	hkey key;
};
#define CLASS_PROPERTIES "{6a3433f4-5626-40e8-a9b9-dbd9ecd2884b}"
#define CLASS_EXTENSION "{e2f84ce7-8efa-411c-aa69-97454ca4cb57}"
/* 1: the control set has the class, 0: not, -1: error. */
int device_class_read(struct hive *system, const char *control_set, const struct guid *guid,
		      struct device_class *ret, struct error *err);
void device_class_free(struct device_class *class);
#define _cleanup_device_class_ _cleanup_(device_class_free)
/* The class property decides; Extension INFs are in the SYSTEM node as well. */
enum registry_hive device_class_node(const struct device_class *class);

/* ---- the database ------------------------------------------------------------------ */

struct driverdb {
	struct hive *hive;
	enum registry_hive node;
	hkey root;		/* the key DriverDatabase */
	uint32_t version;	/* 0x06030000 or 0x0A000000; 0 if not recorded */
	enum windows_arch arch;	/* ARCH_UNKNOWN if not recorded */
};

/* 1: the node exists, 0: the hive or its DriverDatabase does not, -1: error. */
int driverdb_open(struct registry *registry, enum registry_hive node, struct driverdb *ret,
		  struct error *err);

/* Where the packages lie in a tree; each in a folder named as its key. */
#define DRIVER_STORE_FOLDER "Windows/System32/DriverStore/FileRepository"

struct db_package {
	char *store;		/* the key's name: folder in FileRepository */
	char *published;	/* default value: "oem0.inf"; NULL if missing */
	char *original;		/* InfName; NULL for inbox packages */
	char *provider, *signer, *catalog;	/* NULL if not recorded */
	bool has_version;	/* Version is there and has the right size */
	struct package_version version;
	uint32_t status_flags, signer_score;	/* 0 if not recorded */
	bool boot_critical;	/* the INF's own BootCritical=1 */
	bool reflected;		/* has Configurations */
	enum registry_hive node;
	hkey key;
};
DEFINE_VEC(db_packages, struct db_package);
void db_package_free(struct db_package *package);
#define _cleanup_db_package_ _cleanup_(db_package_free)
void db_packages_free(struct db_packages *packages);
#define _cleanup_db_packages_ _cleanup_(db_packages_free)
/* All packages of the node, in key order; `ret` is added to. */
int driverdb_packages(const struct driverdb *db, struct db_packages *ret,
		      struct error *err);
/* 1: found, 0: there is no such package, -1: error. */
int driverdb_package(const struct driverdb *db, const char *store, struct db_package *ret,
		     struct error *err);
/* True for packages that did not come with Windows: published as oemN.inf. */
bool db_package_third_party(const struct db_package *package);

/* Configurations\<install section> of a reflected package. */
struct db_configuration {
	char *name;
	char *service;		/* NULL if the device needs none */
	bool has_flags;		/* ConfigFlags is there; without it Windows ranks it last */
	uint32_t flags;
	struct strings upper_filters, lower_filters;
	hkey key;
};
DEFINE_VEC(db_configurations, struct db_configuration);
void db_configurations_free(struct db_configurations *configurations);
#define _cleanup_db_configurations_ _cleanup_(db_configurations_free)
int driverdb_configurations(const struct driverdb *db, const struct db_package *package,
			    struct db_configurations *ret, struct error *err);

/* Descriptors\<id>: what a device with this ID gets from the package. */
struct db_descriptor {
	char *id;		/* "PCI\VEN_1AF4&DEV_1001" */
	char *configuration;	/* NULL if missing */
};
DEFINE_VEC(db_descriptors, struct db_descriptor);
void db_descriptors_free(struct db_descriptors *descriptors);
#define _cleanup_db_descriptors_ _cleanup_(db_descriptors_free)
int driverdb_descriptors(const struct driverdb *db, const struct db_package *package,
			 struct db_descriptors *ret, struct error *err);

/* DriverInfFiles\<published>. */
struct db_inf {
	char *published;
	struct strings packages;	/* default value: every folder of that name */
	char *active;			/* the one that counts; NULL if missing */
	struct strings configurations;	/* sections, when reflected */
	hkey key;
};
DEFINE_VEC(db_infs, struct db_inf);
void db_inf_free(struct db_inf *inf);
#define _cleanup_db_inf_ _cleanup_(db_inf_free)
void db_infs_free(struct db_infs *infs);
#define _cleanup_db_infs_ _cleanup_(db_infs_free)
int driverdb_infs(const struct driverdb *db, struct db_infs *ret, struct error *err);
/* 1: found, 0: not, -1: error. */
int driverdb_inf(const struct driverdb *db, const char *published, struct db_inf *ret,
		 struct error *err);

/* What DeviceIds says of one ID: the INFs that claim it, in stored order. */
struct db_match {
	char *published;
	struct device_match match;
};
DEFINE_VEC(db_matches, struct db_match);
void db_matches_free(struct db_matches *matches);
#define _cleanup_db_matches_ _cleanup_(db_matches_free)
int driverdb_device(const struct driverdb *db, const char *id, struct db_matches *ret,
		    struct error *err);
/* Calls `fn` for every ID and INF of DeviceIds; its non-zero result ends the walk. */
typedef int driverdb_device_fn(const char *id, const struct db_match *match, void *arg,
			       struct error *err);
int driverdb_each_device(const struct driverdb *db, driverdb_device_fn *fn, void *arg,
			 struct error *err);
/* The INFs of a class, by the class index DeviceIds\{guid}. */
int driverdb_class_infs(const struct driverdb *db, const struct guid *class_guid,
			struct strings *ret, struct error *err);
/* A copy of OemInfMap; empty if there is none. */
int driverdb_oem_map(const struct driverdb *db, struct buffer *ret, struct error *err);

#endif
