/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden images on a boot medium: what init must know of them (the words of their .conf),
 * and their packed and sealed copy, which is written straight to its place.
 */
#ifndef IMAGE_GOLDEN_H
#define IMAGE_GOLDEN_H

#include "builder/verify.h"
#include "image/verity.h"

#define GOLDENS_AT_ONCE 8	/* as many guests init starts */

struct golden {
	char *name;		/* from the file's: letters, digits, '.', '_', '-' */
	char *source;		/* the file, or the address */
	char *url;		/* where it is published, and is not on the medium; or NULL */
	char *title;		/* "Windows 10 Pro (office)" */
	struct strings words;	/* "windows=10.0.19045", ...: without image= and seal= */
	struct strings notes;	/* what a person should know: "storage: ..." */
	struct verify_report verified;	/* of a Windows */
	bool windows;		/* it holds one that gild knows */
	const char *format;	/* "raw" or "qcow2": of the copy */
	uint64_t virtual_size;	/* bytes */
	uint64_t size, sealed_size;	/* of the copy, without and with its seal */
	struct seal seal;
};
DEFINE_VEC(goldens, struct golden);
void golden_release(struct golden *golden);
void goldens_free(struct goldens *goldens);

struct golden_options {
	const struct image_options *image;
	const char *ca;			/* certificates for servers, or NULL */
	const char *index;		/* of a disk with several Windows */
	const struct strings *words;	/* "[NAME:]KEY=VALUE": instead of what was found */
	bool force;			/* also what gild verify says would not start */
};
/*
 * Learns what the image is; of an address by what is published beside it. ERROR_ANSWER_NO if it would not start. What is no Windows is
 * accepted where windows= is given, ERROR_USAGE otherwise.
 */
int golden_open(const char *path, const struct golden_options *options,
		struct golden *ret, struct error *err);
/*
 * Writes its sealed copy to `fd` (open for reading and writing) from `offset` on, where the
 * file ends or reads as zeros; it ends with the copy then. What is a hole or zeros is not
 * written. Sets sizes, format and seal. `path` is the file's, for messages.
 */
int golden_write(struct golden *golden, const struct golden_options *options, int fd,
		 uint64_t offset, const char *path, struct error *err);
/*
 * The text of its .conf. `place`: "partition:GUID", "file:PATH" or "url:ADDRESS"; NULL for
 * the one that is published.
 */
char *golden_settings(const struct golden *golden, const char *place);
/* The value of one of its words, or NULL. */
const char *golden_word(const struct golden *golden, const char *key);

#endif
