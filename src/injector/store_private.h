/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the driver store share (store*.c). */
#ifndef INJECTOR_STORE_PRIVATE_H
#define INJECTOR_STORE_PRIVATE_H

#include "injector/store.h"
#include "injector/strategy.h"
#include "windows/driverdb.h"
#include "windows/injected.h"

#define REPOSITORY "Windows/System32/DriverStore/FileRepository"
#define CATALOGS "Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
#define INF_FOLDER "Windows/INF"
/* The same folder as the registry names it. */
#define REPOSITORY_NT "System32\\DriverStore\\FileRepository"
#define LOCKDOWN "Microsoft\\Windows\\CurrentVersion\\Setup\\PnpLockdownFiles"

struct store {
	struct tree *tree;
	struct registry *registry;
	const struct installation *installation;
	const struct strategy *strategy;
	struct signing *signing;	/* NULL: signatures are not looked at */
	struct hive *system;
	struct hive *software;		/* NULL if the image has none (some WinPE) */
	struct strings control_sets;
	struct driverdb nodes[2];	/* SYSTEM, DRIVERS; .hive NULL where it is not there */
	bool windows10;			/* the database is that of Windows 10 and later */
	bool schema;			/* it has SchemaVersion: the later Windows 10 */
	bool legacy;			/* Vista, 7: no database, services have no Owners */
	void *generation;		/* what the generation's part keeps */
	void (*generation_free)(void *generation);
};
#define NODE_SYSTEM 0
#define NODE_DRIVERS 1

/* ---- store.c ---- */

/* A key of a node: "DriverPackages\x". 0 if there is none. */
hkey node_find(const struct driverdb *db, const char *path);
int node_create(struct driverdb *db, const char *path, hkey *ret, struct error *err);
/* 1: the class is in the image, 0: not, -1. */
int class_of(struct store *store, const struct driver *driver, struct device_class *ret,
	     struct error *err);
/* The package as one of the nodes has it: 1 (and the node), 0, -1. */
int store_find(struct store *store, const char *name, struct db_package *ret,
	       struct driverdb **node, struct error *err);
/* The same for "oemN.inf", through DriverInfFiles\Active. */
int store_find_published(struct store *store, const char *published,
			 struct db_package *ret, struct driverdb **node,
			 struct error *err);
char *store_folder(const char *store);	/* "Windows/.../FileRepository/x" */

/* ---- store_stage.c: the package is in the store and known to Plug and Play ---- */

int stage_files(struct store *store, struct package *package, struct error *err);
int stage_records(struct store *store, struct driverdb *db, struct package *package,
		  struct error *err);
/* DeviceIds of the package, and the class index. */
int stage_device_ids(struct driverdb *db, struct package *package, struct error *err);
/* True if a section writes below other keys than HKR and HKLM\SYSTEM. */
bool configuration_foreign_keys(const struct inf_configuration *c);
int oem_number_mark(struct store *store, unsigned number, bool used, struct error *err);
/*
 * The lowest N that neither Windows nor gild has given away. `records`: what was injected
 * where there is no database, or NULL.
 */
int oem_number_free(struct store *store, const struct injected_packages *records,
		    unsigned *ret, struct error *err);

/* ---- store_record.c: Configurations, Descriptors, Strings ---- */

/* The name of the function driver's service: NULL if there is no AddService for it. */
const char *function_service(const struct inf_configuration *c);

int record_configurations(struct store *store, struct driverdb *db,
			  struct package *package, struct error *err);

/* ---- store_registry.c: what AddReg and DelReg do ---- */

/* Where the lines of a section go. */
struct reg_target {
	struct store *store;
	const char *published;
	struct hive *hive;	/* of HKR; NULL: HKR lines are not carried out here */
	const char *key;	/* path of HKR in it */
	struct package *package;	/* gets remarks */
};
/* Carries the lines out, in order. HKLM lines go to every control set. */
int registry_apply(const struct reg_target *target, const struct inf_regs *regs,
		   struct error *err);
/*
 * Records lines below `key` of a node, to be carried out by the kernel when it configures
 * a device: the operation is in the upper half of the value's type. Lines with another
 * root than HKR are not part of the record. Values that stand for device properties
 * ("Security" in .HW, "EnumPropPages32" in DDInstall) go below Properties instead, filter
 * lists of .HW are left to the caller.
 */
enum record_kind {
	RECORD_SERVICE,
	RECORD_DEVICE,		/* .HW */
	RECORD_DRIVER,		/* DDInstall */
};
int registry_record(struct hive *hive, hkey configuration, const char *subkey,
		    const struct inf_regs *regs, enum record_kind kind,
		    struct package *package, struct error *err);
/* Adds an item to a REG_MULTI_SZ once, or takes it out (an empty value is deleted). */
int multi_prepend(struct hive *hive, hkey key, const char *name, const char *item,
		  struct error *err);
int multi_append(struct hive *hive, hkey key, const char *name, const char *item,
		 struct error *err);
/* Carries out SET and APPEND lines of one REG_MULTI_SZ of the key itself. */
int multi_apply(struct hive *hive, hkey key, const struct inf_regs *regs,
		struct error *err);
int multi_remove(struct hive *hive, hkey key, const char *name, const char *item,
		 size_t *left, struct error *err);

/* ---- store_service.c ---- */

/* The ImagePath of a service of the package; NULL if it has no binary. Caller's. */
char *service_path(const struct package *package, const struct inf_service *service,
		   enum windows_arch arch);
int service_install(struct store *store, struct package *package,
		    const struct inf_service *service, struct error *err);
/* A service has no backslash in its name: it would be a path in Services. */
bool service_name_sound(const char *name);
/* True if the INF names the service, but it is another package's in this control set. */
bool service_foreign(struct store *store, const char *set, const struct package *package,
		     const struct inf_service *service);
/* 1 if every control set has the service and nothing masks a boot-start one. */
int service_intact(struct store *store, const struct package *package,
		   const struct inf_service *service);

/* ---- store_reflect.c: and Windows can boot from it ---- */

int reflect(struct store *store, struct driverdb *db, struct package *package,
	    struct error *err);
/* Only these services and files (paths in the tree), and no record. */
int reflect_shared(struct store *store, struct package *package,
		   const struct strings *services, const struct strings *files,
		   struct error *err);
/* All services, files and absolute registry keys, and no record. */
int install_package(struct store *store, struct package *package, struct error *err);
/* The key of PnpLockdownFiles for a file of the tree, below SOFTWARE's root. Caller's. */
char *lockdown_path(const char *destination);
/* 1: all that reflect() makes is in the image, 0: something is missing or masked, -1. */
int reflection_intact(struct store *store, const struct package *package,
		      struct error *err);
/*
 * Which reflected package of the image keeps this one from being in force: the same
 * service, and a better rank. 1 with its data, 0, -1.
 */
int outranked(struct store *store, const struct package *package, struct db_package *by,
	      struct error *err);

#endif
