/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Would this image start, and is it whole? Everything that stands between the firmware and
 * the running Windows is looked at, each in its own words: partition table, boot sectors
 * and their backups, the file systems' own structures, boot configuration, boot files,
 * hives, setup state, drivers; of a WIM its tables and metadata. Nothing is written.
 */
#ifndef BUILDER_VERIFY_H
#define BUILDER_VERIFY_H

#include "hwprofiles/pc.h"
#include "tree/tree.h"

enum verify_severity {
	VERIFY_NOTE,
	VERIFY_WARNING,	/* starts, but something is wrong */
	VERIFY_ERROR,	/* would not start, or content is lost */
};
const char *verify_severity_name(enum verify_severity severity);	/* "note", ... */

struct verify_finding {
	const char *code;	/* stable, for programs; docs/json.md lists them */
	enum verify_severity severity;
	unsigned index;		/* of the image or Windows, from 1; 0: of the whole */
	char *subject;		/* file, partition, key */
	char *message;
	char *remedy;		/* never NULL */
};
DEFINE_VEC(verify_findings, struct verify_finding);

/* What was looked at, for people who wonder what silence means. */
struct verify_report {
	char *format;		/* as image_format(); NULL if the image does not open */
	struct verify_findings findings;	/* worst first, else in order of discovery */
	struct strings checked;	/* "GPT and its backup", "7 hives", ... */
	uint64_t deep_bytes;	/* content read with .deep */
	size_t errors, warnings, notes;
};
void verify_report_free(struct verify_report *report);
#define _cleanup_verify_report_ _cleanup_(verify_report_free)

struct verify_options {
	bool deep;		/* read all content: hashes of a WIM, every file of a disk */
	const char *index;	/* "N", "all" or NULL: all */
	const struct pc *target;	/* the PC it is to start on; NULL: usual controllers */
};

/*
 * `image` may leave things out that its opening refuses; what is damaged is a finding, not
 * an error. -1: the image cannot be judged (it does not exist, is locked by another run, is
 * encrypted and there is no key, --index names none). `ret` is to be freed in any case.
 */
int verify_image(const char *path, const struct image_options *image,
		 const struct verify_options *options, struct verify_report *ret,
		 struct error *err);

#endif
