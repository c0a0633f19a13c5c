/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a source (an image of a WIM or of install media, a Windows on a disk, a folder) to a
 * golden image, in one pass: apply, depersonalize, inject, answer file, boot files, boot
 * configuration, partition table, container. The output gets its name when it is whole.
 */
#ifndef BUILDER_BUILD_H
#define BUILDER_BUILD_H

#include "base/guid.h"
#include "block/container.h"
#include "builder/bootfiles.h"
#include "builder/depersonalize.h"
#include "builder/verify.h"
#include "injector/inject.h"
#include "windows/answer.h"
#include "windows/installation.h"

enum build_format {
	BUILD_WIM,
	BUILD_RAW,
	BUILD_VHD,	/* fixed */
	BUILD_VHDX,
	BUILD_QCOW2,
};
/* False if it is no format's name. */
bool build_format_parse(const char *name, enum build_format *ret);
/* The format that the ending of a file name asks for; false if it asks for none. */
bool build_format_of_name(const char *path, enum build_format *ret);
const char *build_format_name(enum build_format format);

enum build_firmware {
	BUILD_UEFI,	/* GPT, ESP, MSR */
	BUILD_BIOS,	/* MBR, boot code */
};

struct build_options {
	const char *source, *output;
	enum build_format format;
	const char *index;		/* "N" or NULL: the only one */
	enum build_firmware firmware;
	uint64_t size;			/* bytes of the virtual disk; 0: chosen */
	uint32_t sector_size;		/* 512 or 4096 */
	bool compact;
	enum boot_ca boot_ca;
	bool locate;			/* BCD devices in the locate form */
	bool depersonalize;
	const char *answer;		/* an answer file, or NULL */
	const struct answer_options *generate;	/* or one that gild makes; or NULL */
	/* What inject_stage() reads: drivers, profiles, any_controller, winre, strict... */
	struct inject_options inject;
};

struct build_part {
	const char *role;	/* "esp", "msr", "windows" */
	unsigned number;
	uint64_t offset, size;	/* bytes */
	struct guid type, guid;	/* GPT */
};

struct build_result {
	struct inject_result inject;
	struct strings warnings;
	struct depersonalize_result depersonalized;
	struct answer_report answer;
	char *source_format;
	unsigned source_index;
	char *product, *version;
	enum windows_arch arch;
	uint64_t virtual_size;		/* of a disk; 0: a WIM */
	uint64_t file_size, allocated;	/* of the output, and what it takes on the host */
	uint64_t content;		/* bytes of all files, before compression */
	uint64_t compacted;		/* files stored compressed (CompactOS) */
	struct build_part parts[3];
	size_t part_count;
	struct verify_report verified;	/* of a disk, as it was written */
	struct strings boot_files;	/* on the ESP or the system volume */
	const char *boot_ca;		/* "2011", "2023"; or NULL: none applies */
};
void build_result_free(struct build_result *result);
#define _cleanup_build_result_ _cleanup_(build_result_free)

/* `ret` is filled as far as the work came, also on failure; free it in any case. */
int build_run(const struct build_options *options, struct build_result *ret,
	      struct error *err);

#endif
