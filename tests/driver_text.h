/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the INF interpreter share: a head for their texts, and opening them. */
#ifndef TESTS_DRIVER_TEXT_H
#define TESTS_DRIVER_TEXT_H

#include "test.h"

#include "injector/driver.h"

#define HEADER                                                             \
	"[Version]\nSignature=\"$WINDOWS NT$\"\nClass=SCSIAdapter\n"       \
	"ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}\nProvider=%V%\n" \
	"DriverVer=07/11/2019,9.8.16.0\nCatalogFile=x.cat\n"               \
	"[Strings]\nV=\"Vendor\"\nD=\"A device\"\n"
#define MODELS "[Manufacturer]\n%V%=M,NTamd64\n[M.NTamd64]\n%D%=Inst,PCI\\VEN_1&DEV_2\n"


/* INFs that Include= finds: ended by a NULL name. */
struct library {
	const char *name, *text;
};
struct driver *open_with(const char *text, const char *target_text,
			 const struct library *library, char **reason, struct error *err);
struct driver *open_for(const char *text, const char *target_text);
/* HEADER MODELS and this, for Windows 10 on amd64. */
struct driver *open_body(const char *body);
void assert_utf16(const struct buffer *data, const char *text);
bool has_remark(const struct strings *s, const char *part);

#endif
