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
