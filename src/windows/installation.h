/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is known about the Windows in a tree: version, control set, drivers, boot path,
 * setup state, problems. Read-only; `gild inspect` prints it, injector and check use it.
 */
#ifndef WINDOWS_INSTALLATION_H
#define WINDOWS_INSTALLATION_H

#include "registry/registry.h"
#include "windows/hal.h"
#include "windows/target.h"

/* Third-party package as the driver database describes it. */
struct installed_driver {
	char *published;	/* "oem0.inf" */
	char *original;		/* "vioscsi.inf"; NULL if not recorded */
	char *store;		/* FileRepository folder: "vioscsi.inf_amd64_...", or "" */
	char *folder;		/* where it lies if not in FileRepository, else NULL */
	char *class_name;	/* "SCSIAdapter"; NULL if the class is not known */
	char class_guid[39];
	char *provider;
	uint64_t date;		/* FILETIME */
	uint64_t version;	/* major<<48 | minor<<32 | build<<16 | revision */
	enum windows_arch arch;
	bool boot_critical;	/* by class property, or BootCritical=1 */
	bool reflected;		/* has Configurations */
	enum registry_hive node;	/* REGISTRY_SYSTEM or REGISTRY_DRIVERS */
	struct strings services;
};
DEFINE_VEC(installed_drivers, struct installed_driver);

/* A boot-start (Start=0) service that drives a storage controller or boot bus. */
struct boot_service {
	char *name;
	uint32_t start;
	bool overridden;	/* a StartOverride masks it */
	bool file_present;
	struct strings ids;	/* hardware and compatible IDs it claims */
};
DEFINE_VEC(boot_services, struct boot_service);

enum problem_severity {
	PROBLEM_INFO,
	PROBLEM_WARNING,
	PROBLEM_ERROR,
};
struct problem {
	const char *code;	/* stable, for machines: "start_override" */
	enum problem_severity severity;
	char *message, *remedy;
};
DEFINE_VEC(problems, struct problem);

struct installation {
	char *product;		/* "Windows 10 Pro" */
	char *edition;		/* EditionID */
	char *installation_type;	/* "Client", "Server", "WindowsPE", ... */
	struct target target;	/* target.product and suite from the image's own keys */
	uint32_t revision;	/* UBR; 0 if not recorded */
	unsigned service_pack;	/* 0: none, or Windows 8 and later */
	struct hal *hal;	/* of NT 5, and of x86 6.0 and 6.1; else NULL */
	char *control_set;	/* current one */
	char *state;		/* setup state: "complete", "generalized", "oobe", "audit", ... */
	bool has_drivers_hive;
	struct installed_drivers drivers;
	struct boot_services boot_storage;
	struct problems problems;
};

/*
 * Reads what a tree holds. A tree without Windows is ERROR_FAILED and says what was
 * missing. What is damaged but readable becomes a problem, not an error.
 */
struct installation *installation_open(struct tree *tree, struct registry *registry,
				       struct error *err);
/*
 * The same for who only needs to know which Windows it is: without drivers, boot storage
 * and problems, which take a walk through the whole driver database.
 */
struct installation *installation_identify(struct tree *tree, struct registry *registry,
					   struct error *err);
void installation_close(struct installation *installation);
void installation_closep(struct installation **installation);
#define _cleanup_installation_ _cleanup_(installation_closep)

#endif
