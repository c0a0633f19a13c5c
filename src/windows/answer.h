/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answer files (unattend.xml): read, judged against an image, written for the common case,
 * and placed where Windows finds them first.
 *
 * What Windows Setup or DISM would do in the offlineServicing pass is done by gild or
 * refused by name: nobody else runs that pass for an image that is built offline. Secrets
 * (the text of any setting) appear in no message.
 */
#ifndef WINDOWS_ANSWER_H
#define WINDOWS_ANSWER_H

#include "registry/registry.h"
#include "windows/target.h"

/* Where it is written: Windows looks at few places before (see answer_stage()). */
#define ANSWER_PATH "Windows/Panther/unattend.xml"

struct answer;

/*
 * Reads a file of at most 4 MiB. Not loaded are: what is no well-formed XML, has a document
 * type declaration (entities), is nested too deep, is no answer file, or has an
 * offlineServicing pass with something that gild cannot do. `err`: FILE:LINE and why.
 */
struct answer *answer_load(const char *path, struct error *err);
/*
 * The same for text in memory; `name` stands for its path in messages, and driver paths are
 * relative to its folder.
 */
struct answer *answer_parse(struct bytes text, const char *name, struct error *err);
void answer_close(struct answer *answer);
void answer_closep(struct answer **answer);
#define _cleanup_answer_ _cleanup_(answer_closep)

/* What will be written: the offlineServicing pass is not in it. */
struct bytes answer_text(const struct answer *answer);
/*
 * Host paths of the DriverPaths of its offlineServicing pass, for the caller to inject, in
 * order, each once. A path is relative to the answer file; UNC paths, drive letters and
 * credentials were refused at loading.
 */
const struct strings *answer_drivers(const struct answer *answer);

/* The common case. Each string may be NULL: then the setting is left to Windows. */
struct answer_options {
	const char *user;	/* a local administrator */
	const char *password;	/* of the user; NULL: none. Stored as unattend obscures it */
	const char *computer_name; /* "*": Windows makes one up */
	const char *locale;	/* "de-DE": formats, system locale, language, keyboard */
	const char *keyboard;	/* "0407:00000407", "de-DE", several with ';' */
	const char *time_zone;	/* "W. Europe Standard Time" */
	const char *product_key;
	bool extend;		/* the Windows partition to the end of the disk */
};
/*
 * The password that "@FILE" means: the file's first line ("@-": of standard input).
 * Anything else is ERROR_USAGE, since arguments are visible to all users of a machine.
 * Owned by the caller.
 */
char *answer_password(const char *argument, struct error *err);
/*
 * An answer file for this Windows (7 to 11, Server 2008 R2 to 2025) that passes OOBE
 * without questions as far as the options answer them: the same options give the same
 * bytes. On a Server, or for the user "Administrator", the password is (also) that of the
 * built-in account. ERROR_USAGE names the option that Windows would not accept.
 */
struct answer *answer_generate(const struct answer_options *options,
			       const struct target *target, struct error *err);

/*
 * Judges the file for an image: components of its architecture must be there. What is
 * suspicious (unknown components and settings, wrong passes, other architectures) becomes
 * lines "FILE:LINE: what" in `warnings`.
 */
int answer_check(const struct answer *answer, const struct target *target,
		 struct strings *warnings, struct error *err);

/* What was done, a sentence each: for people, in order. */
struct answer_report {
	struct strings actions;
	struct strings warnings; /* of answer_check(), too */
};
void answer_report_free(struct answer_report *report);
#define _cleanup_answer_report_ _cleanup_(answer_report_free)

/*
 * Checks, and stages the answer file as ANSWER_PATH. What Windows would rank before it is
 * removed: the value UnattendFile of SYSTEM\Setup, and the files of
 * Windows\Panther\Unattend. Registry settings of the offlineServicing pass are made. Files
 * that Windows ranks after it are named as warnings, and so is an image that is not
 * generalized. A time zone that the image's registry
 * does not know is ERROR_USAGE, since Windows' setup would stop at it.
 */
int answer_stage(const struct answer *answer, struct tree *tree,
		 struct registry *registry, const struct target *target,
		 struct answer_report *ret, struct error *err);

#endif
