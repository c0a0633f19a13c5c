/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An INF file as text: encoding, lines, sections, keys, fields and %strings%. What the
 * sections mean is injector/driver.h.
 *
 * The rules are SetupAPI's: names are compared without regard to case, sections of one
 * name merge, `;` starts a comment outside quotes, `\` at the end of a line continues it,
 * `""` inside quotes is one quote, Ctrl-Z ends the file, NUL counts as a blank, an open
 * quote ends with its line, and a line of one field has that field for its key as well.
 */
#ifndef INJECTOR_INF_H
#define INJECTOR_INF_H

#include "base/buffer.h"
#include "base/error.h"

/* What a file may hold; more is refused (each far above the largest real ones). */
#define INF_SIZE_MAX (64u << 20)	/* bytes of the file */
#define INF_LINES_MAX 2000000u		/* entries (continuation lines count once) */
#define INF_FIELDS_MAX 8000000u
#define INF_SECTIONS_MAX 500000u
#define INF_FIELD_MAX 4095u		/* characters; SetupAPI's limit, also after %..% */
#define INF_SECTION_NAME_MAX 255u	/* characters; SetupAPI's limit */

enum inf_encoding {
	INF_ANSI,	/* Windows-1252 */
	INF_UTF8,
	INF_UTF16LE,
	INF_UTF16BE,
};

struct inf;

/* One entry of a section. Views into the inf, valid as long as it is. */
struct inf_line {
	uint32_t key;		/* private */
	uint32_t first;		/* private */
	uint32_t fields;	/* number of fields, after '=' if there is one */
	uint32_t number;	/* line in the file, from 1 */
	bool has_key;		/* "key = ..." or a line of one field */
};

#define INF_NONE SIZE_MAX

/*
 * Reads the text. `name` is for messages ("x.inf"). NULL with ERROR_ANSWER_NO and subject
 * "NAME:LINE" if SetupAPI would refuse the file: a section name that is not closed or too
 * long, entries before the first section, no [Version] with a Signature of Windows.
 */
struct inf *inf_open(const char *name, struct bytes raw, struct error *err);
void inf_close(struct inf *inf);
void inf_closep(struct inf **inf);
#define _cleanup_inf_ _cleanup_(inf_closep)

const char *inf_name(const struct inf *inf);
enum inf_encoding inf_encoding(const struct inf *inf);
/* Prefers [Strings.LLLL] of this LCID (Windows' order of fallbacks) before [Strings]. */
void inf_set_language(struct inf *inf, uint16_t language);
/* Refuses: sets ERROR_ANSWER_NO with subject "NAME:LINE" (no line if 0). Returns -1. */
int inf_refuse(const struct inf *inf, unsigned line, struct error *err, const char *fmt,
	       ...) _printf_(4, 5);

/* Sections, in the order of their first header. */
size_t inf_sections(const struct inf *inf);
size_t inf_find_section(const struct inf *inf, const char *name); /* or INF_NONE */
const char *inf_section_name(const struct inf *inf, size_t section);
unsigned inf_section_line(const struct inf *inf, size_t section); /* of its first header */
size_t inf_section_lines(const struct inf *inf, size_t section);  /* number of entries */
struct inf_line inf_line(const struct inf *inf, size_t section, size_t index);
/*
 * The first entry of the section with this key, by an index that is made at the first
 * call. Keys are compared after substitution.
 */
bool inf_find_key(struct inf *inf, size_t section, const char *key, struct inf_line *ret);

/*
 * Text with %strkey% substituted ("" if there is no such field; the key of a line without
 * one is ""). A %token% that [Strings] does not have stays as written, and so do dirids.
 * The string belongs to the inf and stays until it is closed.
 */
const char *inf_key(struct inf *inf, const struct inf_line *line);
const char *inf_field(struct inf *inf, const struct inf_line *line, size_t index);
/*
 * The same with dirids marked: %12% is INF_DIRID_MARK "12" INF_DIRID_MARK, so that it
 * differs from a literal %%12%%. The mark occurs in no other text of an inf.
 */
#define INF_DIRID_MARK '\x01'
const char *inf_field_marked(struct inf *inf, const struct inf_line *line, size_t index);
/* The field as written, nothing substituted. */
const char *inf_field_raw(const struct inf *inf, const struct inf_line *line, size_t index);
const char *inf_key_raw(const struct inf *inf, const struct inf_line *line);
/* "token" (lower case, owned by the caller) if the text is exactly "%token%", else NULL. */
char *inf_token(const char *raw);
/* The value of a token in [Strings], or NULL. */
const char *inf_string(struct inf *inf, const char *token);

/*
 * A number as SetupGetIntField() reads it: decimal, "0x" hexadecimal, a leading '-'.
 * False if the text is none; empty text is 0.
 */
bool inf_parse_number(const char *text, uint32_t *ret);
/* The field as a number; `otherwise` if it is absent, empty or no number. */
uint32_t inf_number(struct inf *inf, const struct inf_line *line, size_t index,
		    uint32_t otherwise);

/*
 * False once the substituted strings together exceed what any real file needs: text that
 * multiplies itself is refused by who interprets it.
 */
bool inf_within_limits(const struct inf *inf);

#endif
