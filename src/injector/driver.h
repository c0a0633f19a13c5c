/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An INF interpreted for one target as Windows' PnP manager would: which models apply and
 * what their install sections do. Reads the INF text only (injector/inf.h); finding the
 * files and writing them into an image is injector/package.h and injector/store.h.
 */
#ifndef INJECTOR_DRIVER_H
#define INJECTOR_DRIVER_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/guid.h"
#include "windows/target.h"

/* One AddReg, DelReg line. Strings are substituted; dirids of the data resolved. */
enum inf_root {
	INF_HKR,	/* relative: its meaning depends on the section */
	INF_HKLM,
	INF_HKCR,
	INF_HKCU,
	INF_HKU,
};
enum inf_reg_kind {
	INF_REG_SET,
	INF_REG_APPEND,		/* FLG_ADDREG_APPEND: add to a REG_MULTI_SZ once */
	INF_REG_KEY,		/* make the key only */
	INF_REG_DELETE_VALUE,
	INF_REG_DELETE_KEY,
	INF_REG_DELETE_STRING,	/* take one string out of a REG_MULTI_SZ */
};
struct inf_reg {
	enum inf_reg_kind kind;
	enum inf_root root;
	char *key;		/* "" for the root itself */
	char *name;		/* value; "" is the default value */
	uint32_t flags;		/* as written, for NOCLOBBER, OVERWRITEONLY, 32/64-bit view */
	uint32_t type;		/* REG_* */
	struct buffer data;	/* as it is stored in the hive (UTF-16LE for strings) */
	/* If the data is one %token%: the token in its own case, and the INF whose string it
	   is, NULL for the package's own. */
	char *token, *token_inf;
	unsigned line;
};
DEFINE_VEC(inf_regs, struct inf_reg);
#define INF_REG_NOCLOBBER 0x2u
#define INF_REG_OVERWRITEONLY 0x20u
#define INF_REG_64BIT 0x1000u
#define INF_REG_32BIT 0x4000u

enum inf_file_kind {
	INF_FILE_COPY,
	INF_FILE_DELETE,
	INF_FILE_RENAME,
};
struct inf_file {
	enum inf_file_kind kind;
	char *name;		/* destination file name (for DELETE/RENAME: the file) */
	char *source;		/* name in the package; for RENAME the old name */
	char *source_path;	/* sub-folder + source below the package, '/'-separated; NULL
				   if Windows brings the file itself (an included inbox INF's,
				   or one that LayoutFile covers) and for DELETE, RENAME */
	uint32_t dirid;		/* destination; 13 is the driver store package itself */
	char *subdir;		/* below the dirid, '\'-separated, "" if none */
	uint32_t flags;		/* COPYFLG_* as written */
	unsigned line;
};
DEFINE_VEC(inf_files, struct inf_file);

struct inf_service {
	char *name;
	uint32_t flags;		/* SPSVCINST_*; 2: the function driver */
	bool remove;		/* DelService */
	bool has_type, has_start, has_error_control, has_tag;
	uint32_t type, start, error_control, tag;
	uint32_t boot_flags;	/* BootFlags; 0 if not given */
	/* Text, and the %token% it came from (its own case, without %) or NULL. */
	char *display_name, *display_token;
	char *description, *description_token;
	char *text_inf;		/* whose tokens they are; NULL for the package's own INF */
	char *group;		/* LoadOrderGroup or NULL */
	/* ServiceBinary: dirid and the rest ("vioscsi.sys" or "sub\x.sys arg"); dirid 0: none */
	uint32_t binary_dirid;
	char *binary;
	struct strings dependencies;	/* groups keep their '+' */
	char *security;		/* SDDL or NULL */
	char *start_name;
	struct inf_regs regs;	/* AddReg/DelReg of its section: HKR is the service key */
	char *eventlog_type, *eventlog_name;	/* "System", the service name unless given */
	struct inf_regs eventlog;	/* HKR is the event log source's key */
	unsigned line;
};
DEFINE_VEC(inf_services, struct inf_service);

struct inf_filter {	/* AddFilter of a .Filters section */
	char *name;	/* filter service */
	bool upper;
	char *level;	/* FilterLevel or NULL */
	uint32_t position;
	unsigned line;
};
DEFINE_VEC(inf_filters, struct inf_filter);

struct inf_interface {	/* AddInterface of a .Interfaces section */
	struct guid class_guid;
	char *reference;	/* or NULL */
	uint32_t flags;
	struct inf_regs regs;
};
DEFINE_VEC(inf_interfaces, struct inf_interface);

struct inf_property {	/* AddProperty */
	struct guid category;
	uint32_t id;
	uint32_t type;		/* DEVPROP type number */
	uint32_t flags;
	struct buffer data;
};
DEFINE_VEC(inf_properties, struct inf_property);

/* The value ConfigScope of Windows 10's driver database, by the sections that exist. */
#define CONFIG_SCOPE_INSTALL 0x1u
#define CONFIG_SCOPE_HW 0x2u
#define CONFIG_SCOPE_SERVICES 0x4u
#define CONFIG_SCOPE_INTERFACES 0x8u
#define CONFIG_SCOPE_CO_INSTALLERS 0x100u

/* One DDInstall section with everything that belongs to it, Include/Needs resolved. */
struct inf_configuration {
	char *name;		/* as decorated in the file: "vioscsi_inst.NTamd64" */
	char *base;		/* as the Models line names it */
	struct inf_files files;
	struct inf_regs regs;		/* AddReg/DelReg: HKR is the driver (class) key */
	struct inf_regs hw_regs;	/* .HW: HKR is the device's hardware key */
	struct inf_services services;
	struct inf_filters filters;
	struct inf_interfaces interfaces;
	struct inf_properties properties;
	struct strings included_infs;	/* Include= */
	struct strings included_configs;	/* Needs= */
	struct strings components, software, copy_infs;	/* names, for the report */
	struct strings exclude_ids;	/* ExcludeID: IDs that this section does not serve */
	bool has_feature_score;
	uint32_t feature_score;
	bool reboot;
	bool umdf;		/* has a UmdfService: writes outside HKR */
	bool log_config, register_dlls;	/* directives that only setup carries out */
	bool co_installers;	/* has a .CoInstallers section with entries */
	bool own_co_installers;	/* ... that names others than the driver frameworks' own */
	uint32_t scope;		/* CONFIG_SCOPE_*: which of its sections exist */
	bool missing;		/* the Models line names a section that does not exist */
	struct strings unsupported;	/* "BitReg (line 40)", ... named in the verdict */
	unsigned line;
};
DEFINE_VEC(inf_configurations, struct inf_configuration);

/* One line of the Models section that applies to the target. */
struct inf_model {
	char *manufacturer, *manufacturer_token;	/* token without %, or NULL */
	char *description, *description_token;
	size_t configuration;	/* index into driver.configurations */
	struct strings ids;	/* in order; [0] is the hardware ID ("" if the field is empty),
				   the others are compatible IDs */
	char *section;		/* Models section it stands in, as decorated */
	unsigned line;
};
DEFINE_VEC(inf_models, struct inf_model);

struct inf_string {
	char *token, *text;	/* token in lower case */
};
DEFINE_VEC(inf_strings, struct inf_string);

struct driver {
	char *inf_name;		/* "vioscsi.inf", as on disk */
	struct buffer raw;	/* the INF's bytes (the store hash is over these) */
	char *class_name;	/* as written; may be NULL when only ClassGuid is there */
	struct guid class_guid;
	char *provider, *provider_token;
	uint64_t date;		/* DriverVer: FILETIME of midnight UTC; 0 if none */
	uint64_t version;	/* major<<48 | minor<<32 | build<<16 | revision */
	char *catalog;		/* the CatalogFile decoration that fits, or NULL */
	uint32_t pnp_lockdown;	/* PnpLockdown */
	bool boot_critical;	/* [Version] BootCritical=1 */
	bool extension;		/* class Extension */
	bool has_extension_id;
	struct guid extension_id;
	struct inf_models models;	/* for the target, in file order */
	struct inf_configurations configurations;	/* those that models name, in order */
	struct strings exclude_ids;	/* ControlFlags ExcludeID */
	struct inf_strings strings;	/* merged for the target's language */
	struct inf_files source_files;	/* every SourceDisksFiles entry for the architecture:
					   source, source_path; kind COPY, dirid 0 */
	bool default_install;	/* [DefaultInstall*]: no PnP package (primitive driver) */
	bool class_install;	/* has ClassInstall32 */
	struct inf_regs class_regs;	/* its AddReg: HKR is the class key */
	struct strings unsupported;	/* what of the INF gild does not carry out */
};

/*
 * Where Include= finds the image's own INFs: fills the bytes of NAME ("msports.inf"). 1:
 * found, 0: not there, -1: error.
 */
typedef int driver_include_fn(const char *name, struct buffer *ret, void *arg,
			      struct error *err);

/*
 * Interprets an INF for the target. NULL if Windows would refuse the file (ERROR_ANSWER_NO,
 * subject "NAME:LINE", what was expected) or it could not be read (ERROR_FAILED). An INF
 * that is fine but has no model for this target gives a driver without models; `reason`
 * (if not NULL) then says why, naming the sections it has.
 */
struct driver *driver_open(const char *inf_name, struct bytes raw, const struct target *target,
			   driver_include_fn *include, void *include_arg, char **reason,
			   struct error *err);
void driver_close(struct driver *driver);
void driver_closep(struct driver **driver);
#define _cleanup_driver_ _cleanup_(driver_closep)

/*
 * Where a directory identifier points, relative to the Windows volume and '/'-separated
 * ("Windows/System32/drivers" for 12, "" for its root). NULL for 1 and 13 (the package's own
 * folder in the driver store) and for those that have no fixed place. Static.
 */
const char *driver_dirid_path(uint32_t dirid, enum windows_arch arch);

/* The GUID of a setup class that Windows knows by name ("SCSIAdapter"). False if none. */
bool driver_class_guid(const char *name, struct guid *ret);

/* "vioscsi.inf_amd64_02a46a7a223648d1": the FileRepository folder name (Windows 8 on). */
char *driver_store_name(const char *inf_name, struct bytes raw, enum windows_arch arch);

#endif
