/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packages that gild put into Windows Vista and 7. Their driver store keeps its index in
 * files of unknown layout (infpub.dat, infstor.dat, INFCACHE.1): a folder in FileRepository
 * that the index does not name is invisible to Windows, so gild puts none there. A package
 * lies in a folder of its own that DevicePath names, from which Plug and Play imports it,
 * and gild keeps a record of it in the SOFTWARE hive:
 *
 *	gild\Drivers\oem3.inf
 *		(default)	package ID: "vioscsi.inf_amd64_neutral_02a46a7a223648d1"
 *		Folder		"Windows/Drivers/oem3_vioscsi"
 *		InfName, Class, ClassGUID, Provider, Date (FILETIME), Version ("1.2.3.4"),
 *		Architecture (PROCESSOR_ARCHITECTURE_*), BootCritical, Signed, Sequence
 *		Services, EventSources, Files, DeviceIds: what it made or took over
 *		Before\<control set>\Services\<name>, ...\EventLog\<source>, ...\Devices\<id>:
 *		what had been there; the file that one of Files replaced lies in
 *		<Folder>.before
 */
#ifndef WINDOWS_INJECTED_H
#define WINDOWS_INJECTED_H

#include "base/guid.h"
#include "registry/registry.h"
#include "windows/target.h"

#define INJECTED_RECORDS "gild\\Drivers"
#define INJECTED_FOLDER "Windows/Drivers"

struct injected_package {
	char *published;	/* "oem3.inf" */
	char *id;		/* package ID */
	char *folder;		/* in the tree */
	char *inf_name;		/* in the folder */
	char *class_name, *provider;	/* or NULL */
	struct guid class_guid;
	uint64_t date, version;
	enum windows_arch arch;
	bool boot_critical;
	bool is_signed;		/* its catalog was trusted, or not looked at */
	uint32_t sequence;	/* later packages have higher ones */
	struct strings services, events, files, ids;
	hkey key;
};
DEFINE_VEC(injected_packages, struct injected_package);
void injected_package_free(struct injected_package *package);
void injected_packages_free(struct injected_packages *packages);
#define _cleanup_injected_packages_ _cleanup_(injected_packages_free)

/*
 * All records that make sense, in the order in which the packages came. A record whose
 * folder is not below INJECTED_FOLDER, or that names paths which no tree can have, is left
 * out: the hive may be hostile.
 */
int injected_packages_read(struct hive *software, struct injected_packages *ret,
			   struct error *err);
/* The path of a record below SOFTWARE's root. Caller's. */
char *injected_record_path(const char *published);
/* The package with this published name or package ID, or NULL. */
const struct injected_package *injected_find(const struct injected_packages *packages,
					     const char *name);

#endif
