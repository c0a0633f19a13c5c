/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the XML of a WIM says of an installation. */
#ifndef BUILDER_WINDOWS_INFO_H
#define BUILDER_WINDOWS_INFO_H

#include "tree/files.h"
#include "windows/installation.h"

struct windows_info {
	struct wim_windows wim;	/* its strings belong to this structure and `in` */
	char *product_suite, *default_language;
	struct strings languages;
};
/* `in` must outlive it. What is not known is left out. */
void windows_info_read(const struct installation *in, struct registry *registry,
		       struct windows_info *ret);
void windows_info_free(struct windows_info *info);

#endif
