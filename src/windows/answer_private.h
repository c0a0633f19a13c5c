/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of answer*.c share. */
#ifndef WINDOWS_ANSWER_PRIVATE_H
#define WINDOWS_ANSWER_PRIVATE_H

#include <libxml/tree.h>

#include "windows/answer.h"

#define ANSWER_NAMESPACE "urn:schemas-microsoft-com:unattend"
#define ANSWER_STATE_NAMESPACE "http://schemas.microsoft.com/WMIConfig/2002/State"

/* The passes, in the order in which Windows runs them; a set is a mask of them. */
enum answer_pass {
	PASS_WINDOWS_PE = 1,
	PASS_OFFLINE_SERVICING = 2,
	PASS_GENERALIZE = 4,
	PASS_SPECIALIZE = 8,
	PASS_AUDIT_SYSTEM = 16,
	PASS_AUDIT_USER = 32,
	PASS_OOBE_SYSTEM = 64,
};

struct answer {
	char *name;	/* the path, for messages */
	xmlDoc *doc;
	struct buffer text;	/* what is written */
	struct strings drivers;
	/* Of the offlineServicing pass: */
	struct strings actions; /* what was done to it at loading */
	bool lua_set, lua;	/* EnableLUA */
};

/*
 * The passes that a first-level setting of a component is valid in; 0 if it is not known.
 * `setting` NULL: those of any of the component.
 */
unsigned answer_setting_passes(const char *component, const char *setting);

/* 0 if there is no such pass. */
unsigned answer_pass_parse(const char *name);
/* An error or a warning at a node: "FILE:LINE". Owned by the caller. */
char *answer_place(const struct answer *answer, const xmlNode *node);
/* Always returns -1. */
int answer_refuse(const struct answer *answer, const xmlNode *node, struct error *err,
		  const char *fmt, ...) _printf_(4, 5);

/* Elements of unattend's namespace; name NULL: any. */
bool answer_is(const xmlNode *node, const char *name);
xmlNode *answer_first(const xmlNode *parent, const char *name);
xmlNode *answer_next(const xmlNode *node, const char *name);
/* NULL if there is none. Owned by the caller. */
char *answer_attribute(const xmlNode *node, const char *name);
/* The text without white space around it. Owned by the caller. */
char *answer_value(const xmlNode *node);
xmlNode *answer_settings(const struct answer *answer, unsigned pass);

/* Carries the offlineServicing pass out as far as no image is needed. */
int answer_service(struct answer *answer, struct error *err);

#endif
