/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "media/sniff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "block/iso.h"

#define HEAD_SIZE 512
/* The volume descriptors of a disc start at 16 * 2048 bytes. */
#define ISO_MIN_SIZE ((off_t)17 * 2048)
/* Installers name themselves near their start; none looked at needed more. */
#define INSTALLER_SCAN ((size_t)4 << 20)

struct magic {
	size_t offset;
	const char *bytes;
	size_t len;
	enum media_kind kind;
};

static const struct magic magics[] = {
	{0, "MSCF\0\0\0\0", 8, MEDIA_CAB},
	{0, "PK\003\004", 4, MEDIA_ZIP},
	{0, "PK\005\006", 4, MEDIA_ZIP},	   /* without entries */
	{0, "PK\007\010PK\003\004", 8, MEDIA_ZIP}, /* one that was once split */
	{0, "7z\274\257\047\034", 6, MEDIA_7Z},
	{0, "Rar!\032\007", 6, MEDIA_RAR},
	{257, "ustar", 5, MEDIA_TAR},
	{0, "MZ", 2, MEDIA_EXE},
	{0, "SZDD\210\360\047\063", 8, MEDIA_PACKED},
	{0, "SZ \210\360\047\063\321", 8, MEDIA_PACKED}, /* QBasic's variant */
	{0, "KWAJ\210\360\047\321", 8, MEDIA_PACKED},
	{0, "\320\317\021\340\241\261\032\341", 8, MEDIA_MSI}, /* OLE compound file */
	{0, "MSWIM\0\0\0", 8, MEDIA_WIM},
};

/* A compressed stream says nothing of what is inside: these need their name as well. */
static const char *const tar_names[] = {".tar",	    ".tgz",	".txz",	    ".tbz2",
					".tbz",	    ".tzst",	".tar.gz",  ".tar.xz",
					".tar.bz2", ".tar.zst", ".tar.lzma"};

static const char *const archive_names[] = {".cab", ".zip", ".7z",
					    ".rar", ".iso", ".exe"};

static bool has_ending(const char *name, const char *const *endings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text_ends_with(name, endings[i]))
			return true;
	return false;
}

bool media_is_inf_name(const char *name)
{
	return text_ends_with(name, ".inf");
}

bool media_is_packed_inf_name(const char *name)
{
	return text_ends_with(name, ".in_");
}

bool media_is_interesting(const char *name)
{
	return media_is_inf_name(name) || media_is_packed_inf_name(name) ||
	       has_ending(name, archive_names, ARRAY_SIZE(archive_names)) ||
	       has_ending(name, tar_names, ARRAY_SIZE(tar_names));
}

bool media_is_archive(enum media_kind kind)
{
	return kind >= MEDIA_CAB && kind <= MEDIA_TAR;
}

static enum media_kind kind_of_head(const char *head, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		const struct magic *m = &magics[i];

		if (len >= m->offset + m->len &&
		    memcmp(head + m->offset, m->bytes, m->len) == 0)
			return m->kind;
	}
	return MEDIA_OTHER;
}

int media_sniff(const char *path, enum media_kind *ret, struct error *err)
{
	_cleanup_close_ int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char head[HEAD_SIZE];
	_cleanup_block_ struct block *block = NULL;
	ssize_t n;

	if (fd < 0)
		return error_errno(err, path, "cannot open");
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return error_errno(err, path, "cannot read");
	if (media_is_inf_name(path)) {
		*ret = MEDIA_INF;
		return 0;
	}
	if (n == 0) {
		*ret = MEDIA_EMPTY;
		return 0;
	}
	*ret = kind_of_head(head, (size_t)n);
	if (*ret == MEDIA_OTHER && has_ending(path, tar_names, ARRAY_SIZE(tar_names)))
		*ret = MEDIA_TAR;
	if (*ret != MEDIA_OTHER)
		return 0;
	if (lseek(fd, 0, SEEK_END) < ISO_MIN_SIZE)
		return 0;
	block = block_file_open(path, false, 0, NULL);
	if (block && iso_recognise(block))
		*ret = MEDIA_ISO;
	return 0;
}

/* Installers whose payload only they themselves (or a tool of its own) can take out. */
static const struct {
	const char *mark, *name, *remedy;
} installers[] = {
	{"Inno Setup Setup Data", "an Inno Setup installer",
	 "unpack it with innoextract and give the folder"},
	{"Nullsoft", "an NSIS installer", "unpack it with '7z x' and give the folder"},
	{".wixburn", "a WiX bundle",
	 "unpack it with its own /layout option, then the MSI with msiextract, and give "
	 "the folder"},
	{"InstallShield", "an InstallShield installer",
	 "unpack it with its own option (often /a or /extract_all) and give the folder"},
};

static int refuse_exe(const char *path, const char *label, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *data = xmalloc(INSTALLER_SCAN);
	ssize_t n = fd < 0 ? 0 : pread(fd, data, INSTALLER_SCAN, 0);

	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(installers); i++) {
		if (!memmem(data, (size_t)n, installers[i].mark,
			    strlen(installers[i].mark)))
			continue;
		error_set(err, ERROR_FAILED, label,
			  "is %s: it holds no archive that gild reads",
			  installers[i].name);
		return error_remedy(err, "%s", installers[i].remedy);
	}
	error_set(err, ERROR_FAILED, label, "is a program without an archive in it");
	return error_remedy(err, "if it is an installer, unpack it with its own option "
				 "and give the folder");
}

int media_refuse(const char *path, const char *label, enum media_kind kind,
		 struct error *err)
{
	switch (kind) {
	case MEDIA_EXE:
		return refuse_exe(path, label, err);
	case MEDIA_EMPTY:
		return error_set(err, ERROR_FAILED, label, "is empty");
	case MEDIA_MSI:
		error_set(
			err, ERROR_FAILED, label,
			"is a Windows Installer package (MSI), which gild does not read");
		return error_remedy(
			err, "unpack it with msiextract (package msitools) or on Windows "
			     "with 'msiexec /a FILE TARGETDIR=DIR' and give the folder");
	case MEDIA_WIM:
		error_set(err, ERROR_FAILED, label,
			  "is a WIM image, not a driver package");
		return error_remedy(
			err, "unpack it with 'wimlib-imagex apply' and give the folder");
	default:
		error_set(err, ERROR_FAILED, label,
			  "is neither an INF, a folder nor an archive that gild reads "
			  "(CAB, ZIP, 7z, RAR, ISO, tar, self-extracting .exe)");
		return error_remedy(err, "give the driver's folder or its INF");
	}
}
