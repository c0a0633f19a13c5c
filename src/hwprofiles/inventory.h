/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inventories of PCs in the forms that people have them in, read into struct pc. The form
 * is told by the content. All of it is untrusted: sizes, depths and counts are bounded, and
 * an error names file and line.
 */
#ifndef HWPROFILES_INVENTORY_H
#define HWPROFILES_INVENTORY_H

#include "base/buffer.h"
#include "base/error.h"
#include "hwprofiles/pc.h"

enum inventory_format {
	INVENTORY_LSPCI,	/* lspci -nn, also with -v and -k */
	INVENTORY_LSPCI_MACHINE,	/* lspci -vmmnn */
	INVENTORY_PCICONF,	/* FreeBSD's pciconf -l[v] */
	INVENTORY_MODALIAS,	/* one kernel modalias a line */
	INVENTORY_DMIDECODE,	/* its text */
	INVENTORY_SMBIOS,	/* the table itself */
	INVENTORY_QUBES,	/* Qubes OS' HCL report, YAML */
	INVENTORY_JSON,		/* a line or object for each PC: docs/json.md */
	INVENTORY_PNP_JSON,	/* Get-PnpDevice | ConvertTo-Json */
	INVENTORY_PNP_CSV,	/* Get-PnpDevice | Export-Csv */
	INVENTORY_PNPUTIL,	/* pnputil /enum-devices /format xml */
	INVENTORY_MSINFO,	/* msinfo32 /nfo */
	INVENTORY_UNKNOWN,
};
const char *inventory_format_name(enum inventory_format format);
/* By the first bytes of a file. */
enum inventory_format inventory_recognise(struct bytes start);

/* A device list of one PC is cut off with an error beyond this. */
#define INVENTORY_MAX_DEVICES 16384
/* One file that describes one PC; a population has lines of at most so many bytes. */
#define INVENTORY_MAX_FILE ((size_t)64 << 20)
#define INVENTORY_MAX_LINE ((size_t)4 << 20)

/* Gets each PC of an inventory; may take what it wants out of it. 0, or -1 to stop. */
typedef int inventory_fn(struct pc *pc, void *arg, struct error *err);
/*
 * Reads a file (any form), or a folder of hw-probe (logs/ with lspci_all, dmidecode, ...),
 * which is one PC. A population is read line by line, never as a whole.
 */
int inventory_read(const char *path, inventory_fn *fn, void *arg, struct error *err);
/* The same for the bytes of one file that describes one PC; they are changed. */
int inventory_parse(struct buffer *data, const char *name, struct pc *pc, struct error *err);
/* The parts of one PC that several files describe (lspci and dmidecode), put together. */
int inventory_read_one(const struct strings *paths, struct pc *ret, struct error *err);

#endif
