/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "builder/exclusion.h"

#include "base/text.h"

const char *const exclusion_defaults[] = {
	/* DISM's and wimlib's. */
	"\\$ntfs.log",
	"\\hiberfil.sys",
	"\\pagefile.sys",
	"\\swapfile.sys",
	"\\System Volume Information",
	"\\RECYCLER",
	"\\$Recycle.Bin",
	"\\Windows\\CSC",
	/* Memory of the machine that was captured. */
	"\\DumpStack.log",
	"\\DumpStack.log.tmp",
	"\\Windows\\MEMORY.DMP",
	"\\Windows\\Minidump",
	"\\Windows\\LiveKernelReports",
	NULL,
};

char *exclusion_parse(const char *text)
{
	char *pattern = text_lower(text);

	for (char *p = pattern; *p; p++)
		if (*p == '\\')
			*p = '/';
	return pattern;
}

/* Bytes of the character at `s`. */
static size_t character(const char *s)
{
	size_t n = 1;

	while (((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* Both in lower case; neither wildcard stands for "/". */
static bool match(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '?' && *text != '/') {
			pattern++;
			text += character(text);
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star && *from != '/') {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool exclusion_matches(const char *pattern, const char *path)
{
	if (!strchr(pattern, '/'))
		return match(pattern, path_base(path));
	return match(pattern + (*pattern == '/'), path);
}

struct exclusions {
	struct strings patterns;
	struct strings *excluded;
};

static bool is_excluded(void *arg, const char *path)
{
	_cleanup_free_ char *lower = text_lower(path);
	struct exclusions *e = arg;

	vec_foreach (pattern, &e->patterns) {
		if (!exclusion_matches(*pattern, lower))
			continue;
		if (e->excluded)
			strings_push(e->excluded, path);
		return true;
	}
	return false;
}

void exclusion_apply(struct files *files, bool defaults, const struct strings *patterns,
		     struct strings *excluded)
{
	struct exclusions e = {.excluded = excluded};

	for (size_t i = 0; defaults && exclusion_defaults[i]; i++)
		vec_push(&e.patterns, exclusion_parse(exclusion_defaults[i]));
	for (size_t i = 0; patterns && i < patterns->len; i++)
		vec_push(&e.patterns, exclusion_parse(patterns->items[i]));
	if (e.patterns.len)
		files_exclude(files, is_excluded, &e);
	strings_free(&e.patterns);
}
