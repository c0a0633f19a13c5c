/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which Models sections of an INF Windows takes for a target, and why not the others; and
 * every model of the file whatever the target. This is what `gild inf` shows; what the
 * chosen models do is injector/driver.h.
 *
 *	_cleanup_selection_ struct selection *s =
 *		selection_read("x.inf", bytes, &target, &err);	// target may be NULL
 *	vec_foreach (m, &s->sections)
 *		printf("[%s] %s\n", m->name, m->reason);
 *
 * The rules are those of "INF Manufacturer section" and "Combining Platform Extensions
 * with Operating System Versions" in Microsoft's driver documentation: per manufacturer
 * the section with the highest version not above the target's, build number included,
 * then the one that names the architecture, then product type, then suite; on other
 * architectures than x86 only sections that name it; an empty chosen section excludes.
 */
#ifndef INJECTOR_SELECTION_H
#define INJECTOR_SELECTION_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/guid.h"
#include "windows/target.h"

/* NT[arch][.[major][.[minor][.[product][.[suite][.[build]]]]]] */
struct decoration {
	bool none;		/* undecorated */
	enum windows_arch arch;	/* ARCH_UNKNOWN: not given */
	bool has_version, has_product, has_suite, has_build;
	uint32_t major, minor, product, suite, build;
};
/* "" is undecorated. False if Windows does not understand it. */
bool decoration_parse(const char *text, struct decoration *ret);

enum decoration_verdict {
	DECORATION_CHOSEN,
	DECORATION_LESS_SPECIFIC,	/* fits, but another one is closer */
	DECORATION_OTHER_ARCH,
	DECORATION_NEEDS_ARCH,		/* names none, and the target is not x86 */
	DECORATION_LATER_VERSION,	/* for a later Windows (or build) than the target */
	DECORATION_OTHER_PRODUCT,
	DECORATION_OTHER_SUITE,
	DECORATION_NOT_UNDERSTOOD,	/* no TargetOSVersion, or one with a build number that
					   Windows before 10.0.14310 does not read */
	DECORATION_NOT_LISTED,		/* the section is there, [Manufacturer] omits it */
	DECORATION_NO_TARGET,		/* no target was given */
};
/* How a decoration relates to the target, alone: CHOSEN means that it fits. */
enum decoration_verdict decoration_fit(const struct decoration *decoration,
				       const struct target *target);
/* True if `a` is closer to a target that both fit. */
bool decoration_closer(const struct decoration *a, const struct decoration *b);

struct models_section {
	char *manufacturer;	/* text */
	char *name;		/* "Standard.NTamd64.10.0": as [Manufacturer] makes it */
	char *decoration;	/* "NTamd64.10.0", "" */
	bool exists;		/* the file has a section of that name */
	size_t models;		/* lines in it */
	enum decoration_verdict verdict;
	char *reason;		/* "chosen", "for Windows 10.0.22000 or later", "for arm64 only",
				   "less specific than [X.NTamd64.10.0]", ... */
	unsigned line;		/* of the section, or of its [Manufacturer] entry */
};
DEFINE_VEC(models_sections, struct models_section);

struct model_line {
	size_t section;		/* index into selection.sections */
	char *description;
	char *install;		/* DDInstall section as the line names it */
	struct strings ids;	/* [0] the hardware ID ("" if that field is empty), then the
				   compatible IDs; may have no item at all */
	unsigned line;
};
DEFINE_VEC(model_lines, struct model_line);

struct selection {
	char *inf_name;
	char *class_name;	/* or NULL */
	struct guid class_guid;
	char *provider;		/* or NULL */
	uint64_t date;		/* FILETIME; 0: none */
	uint64_t version;	/* major<<48 | minor<<32 | build<<16 | revision */
	struct strings catalogs;	/* every CatalogFile entry's value */
	struct models_sections sections;	/* by manufacturer, in file order */
	struct model_lines models;	/* of every section that exists, in file order */
};

/*
 * Reads the INF. NULL if Windows would refuse the file (as driver_open()). Without a
 * target the verdicts are DECORATION_NO_TARGET and the reasons say what a section is for.
 */
struct selection *selection_read(const char *inf_name, struct bytes raw,
				 const struct target *target, struct error *err);
void selection_close(struct selection *selection);
void selection_closep(struct selection **selection);
#define _cleanup_selection_ _cleanup_(selection_closep)

#endif
