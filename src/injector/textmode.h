/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TXTSETUP.OEM: how drivers for mass storage were given to the text-mode setup of Windows
 * NT 4 to Server 2003, on a floppy (F6). It names, for each choice of a menu, the files,
 * the device IDs and registry values of a driver ("Txtsetup.oem File Format" in the
 * Windows Driver Kit). Vendors' packs often have it beside their INF, sometimes alone.
 */
#ifndef INJECTOR_TEXTMODE_H
#define INJECTOR_TEXTMODE_H

#include "base/buffer.h"
#include "base/error.h"

#define TEXTMODE_NAME "txtsetup.oem"
#define TEXTMODE_SIZE_MAX ((size_t)1 << 20)
#define TEXTMODE_LINES_MAX 20000u
#define TEXTMODE_OPTIONS_MAX 256u
#define TEXTMODE_SERVICES_MAX 64u	/* of one pack; real ones have a handful */

struct textmode_file {
	char *kind;	/* "driver", "port", "class", "dll", "inf", "catalog", ... */
	char *folder;	/* below the pack's, '/'-separated, "" if none */
	char *name;
	char *key;	/* of a driver: the service it is started by, or "" */
};
struct textmode_id {
	char *id, *service;
};
struct textmode_value {
	char *key, *name;	/* below the service's key */
	char *type;		/* "REG_DWORD" */
	struct strings data;
};
/* One choice of the menu for mass storage. */
struct textmode_option {
	char *name, *description;
	char *disk;		/* what its first file's disk is called */
	bool preferred;		/* [Defaults] names it */
	struct vec_of(struct textmode_file) files;
	struct vec_of(struct textmode_id) ids;
	struct vec_of(struct textmode_value) values;
};
struct textmode {
	struct vec_of(struct textmode_option) options;
};

/*
 * ERROR_ANSWER_NO, subject "NAME:LINE", if it is no such file: no [Disks] or no [scsi], a
 * file in a folder that leads elsewhere. Choices for other hardware are left out.
 */
int textmode_parse(const char *name, struct bytes raw, struct textmode *ret,
		   struct error *err);
void textmode_free(struct textmode *textmode);
#define _cleanup_textmode_ _cleanup_(textmode_free)

/* The file that starts the service: the driver of that stem, else the first; or NULL. */
const struct textmode_file *textmode_driver(const struct textmode_option *option,
					    const char *service);
/*
 * An INF that does for Plug and Play what the choices do for text-mode setup. `used[i]`
 * says which of the options' choices go in. NULL if none has an ID and a driver.
 */
char *textmode_inf(const struct textmode *textmode, const bool *used);

#endif
