/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A driver package as the descriptions give it. */
#ifndef SAMPLES_PACKAGE_H
#define SAMPLES_PACKAGE_H

#include "samples/sample.h"

struct setting {
	char *path;	      /* KEY\VALUE */
	struct strings words; /* type and data */
};
DEFINE_VEC(settings, struct setting);

struct service {
	char *name, *file, *group, *display;
	uint32_t type, start, error, tag, boot_flags;
	bool masked; /* has a StartOverride */
	struct settings settings;
};
struct install {
	char *section, *decoration, *service;
	unsigned score;
	struct settings device, driver;
};
struct model {
	char *section, *description;
	struct strings ids; /* hardware ID, then compatible IDs */
};
struct device_class {
	char *name, *guid, *description;
	const char *upper, *lower;
	bool boot, extension, system_node;
};
struct package {
	char *name, *published, *title, *provider, *manufacturer, *date_text;
	char *id, *store_path;
	const struct device_class *class;
	int oem; /* number of oemN.inf, -1: inbox */
	uint64_t date, version;
	uint32_t reasons; /* why the kernel cannot configure it */
	bool reflected, ansi;
	struct strings files, raw;
	struct vec_of(struct service) services;
	struct vec_of(struct install) installs;
	struct vec_of(struct model) models;
	struct buffer inf;
};
struct packages {
	struct sample *sample;
	struct vec_of(struct device_class) classes;
	struct package *current;
	const char *where;
};

/* "pci\cc_010601.devicedesc". */
char *model_token(const struct model *model);
/* Writes the INF's text into pkg->inf: UTF-16LE with BOM, or ANSI; CRLF. */
void package_inf(struct package *pkg, const struct sample *s);
void package_free(struct package *pkg);
uint64_t parse_version(const char *text, const char *where);

#endif
