/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden images on a boot medium: what init must know of them (the words of their .conf),
 * and their packed and sealed copy.
 */
#ifndef IMAGE_GOLDEN_H
#define IMAGE_GOLDEN_H

#include "builder/verify.h"
#include "image/verity.h"

#define GOLDENS_AT_ONCE 8	/* as many guests init starts */

struct golden {
	char *name;		/* from the file's: letters, digits, '.', '_', '-' */
	char *source;		/* the file */
	char *title;		/* "Windows 10 Pro (office)" */
	struct strings words;	/* "windows=10.0.19045", ...: without image= and seal= */
	struct strings notes;	/* what a person should know: "storage: ..." */
	struct verify_report verified;	/* of a Windows */
	bool windows;		/* it holds one that gild knows */
	const char *format;	/* "raw" or "qcow2": of the copy */
	int fd;			/* the copy; -1 before golden_pack() */
	char *path;		/* of the copy */
	uint64_t virtual_size, size;	/* bytes; of the copy without and with its seal */
	uint64_t sealed_size;
	struct seal seal;
};
DEFINE_VEC(goldens, struct golden);
void golden_release(struct golden *golden);
void goldens_free(struct goldens *goldens);

struct golden_options {
	const struct image_options *image;
	const char *index;		/* of a disk with several Windows */
	const struct strings *words;	/* "[NAME:]KEY=VALUE": instead of what was found */
	bool force;			/* also what gild verify says would not start */
};
/*
 * Learns what the image is. ERROR_ANSWER_NO if it would not start. What is no Windows is
 * accepted where windows= is given, ERROR_USAGE otherwise.
 */
int golden_open(const char *path, const struct golden_options *options,
		struct golden *ret, struct error *err);
/* Writes its sealed copy to a new file in the folder `work`. */
int golden_pack(struct golden *golden, const struct golden_options *options,
		const char *work, struct error *err);
/*
 * The text of its .conf. `place`: "partition:GUID" or "file:PATH".
 */
char *golden_settings(const struct golden *golden, const char *place);
/* The value of one of its words, or NULL. */
const char *golden_word(const struct golden *golden, const char *key);

#endif
