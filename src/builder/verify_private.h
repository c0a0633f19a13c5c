/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of `gild verify` share. */
#ifndef BUILDER_VERIFY_PRIVATE_H
#define BUILDER_VERIFY_PRIVATE_H

#include "block/partition.h"
#include "builder/verify.h"
#include "windows/installation.h"

/* Everything below is about one image; the parts of the work add to `report`. */
struct verify {
	const struct verify_options *options;
	const char *path;
	struct verify_report *report;
	unsigned index;		/* of the Windows that is looked at; 0: the whole image */
	/* Disks: */
	struct block *disk;	/* the virtual disk, or NULL */
	struct partition_table table;
	bool has_table;		/* `table` could be read */
};

/* Remedies that several findings have. */
#define VERIFY_COPY_AGAIN "copy the image again from where it came from"
#define VERIFY_BUILD_AGAIN "make the image again with gild build"
#define VERIFY_CHKDSK "run chkdsk /f on the volume in Windows"

/* `subject` is copied. */
void verify_add(struct verify *v, const char *code, enum verify_severity severity,
		const char *subject, const char *remedy, const char *fmt, ...)
	_printf_(6, 7);
/* The finding of an error that something gave; its remedy if it has one. Clears it. */
void verify_add_error(struct verify *v, const char *code, enum verify_severity severity,
		      const char *subject, const char *remedy, struct error *error);
/* Adds to report.checked. */
void verify_checked(struct verify *v, const char *fmt, ...) _printf_(2, 3);
/* "partition 2", or "the volume". Caller's. */
char *verify_partition_name(const struct partition *partition);

/* ---- verify_table.c: the disk's GPT and MBR ---- */
int verify_table(struct verify *v, struct error *err);

/* ---- verify_ntfs.c, verify_fat.c: boot sectors of a volume and what they point to ---- */
int verify_ntfs(struct verify *v, const struct partition *partition, struct block *volume,
		struct error *err);
int verify_fat(struct verify *v, const struct partition *partition, struct block *volume,
	       struct error *err);
/* True if the firmware starts what is on it by its boot sector (MBR, active). */
bool verify_starts_by_code(const struct verify *v, const struct partition *partition);

/* ---- verify_hives.c ---- */
int verify_hives(struct verify *v, struct tree *tree, struct registry *registry,
		 struct error *err);

/* ---- verify_state.c: setup's and sysprep's marks ---- */
int verify_state(struct verify *v, struct tree *tree, struct registry *registry,
		 const struct installation *installation, struct error *err);

/* ---- verify_drivers.c: what stands between loader and system volume ---- */
int verify_drivers(struct verify *v, struct tree *tree, struct registry *registry,
		   const struct installation *installation, struct error *err);

/* ---- verify_boot.c: boot manager, loaders, kernel, boot configuration ---- */
int verify_system_files(struct verify *v, struct tree *tree,
			const struct installation *installation, struct error *err);
int verify_boot(struct verify *v, struct image *image, size_t i, struct tree *tree,
		const struct installation *installation, struct error *err);

/*
 * A program that is started on the way: a finding if it is missing, damaged or for another
 * architecture; `why` it matters.
 */
int verify_program(struct verify *v, struct tree *tree, const char *path,
		   enum windows_arch arch, const char *why, struct error *err);
/* ---- verify_bcd.c: the boot configuration on the system volume ---- */
int verify_bcd(struct verify *v, struct tree *system, struct tree *windows,
	       const struct image_info *info, bool uefi,
	       const struct installation *installation, struct error *err);

/* ---- verify_wim.c ---- */
int verify_wim(struct verify *v, struct image *image,
	       const struct image_positions *positions, struct error *err);
/* Reads every content and compares its SHA-1, on all processors. */
int verify_wim_deep(struct verify *v, struct image *image, struct error *err);

/* ---- verify_deep.c: all content of an NTFS volume ---- */
int verify_ntfs_deep(struct verify *v, const struct partition *partition,
		     struct block *volume, struct error *err);

#endif
