/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The offlineServicing pass, which Setup and DISM run and Windows itself never does:
 *
 *	DriverPaths	become paths for the caller to inject
 *	EnableLUA	is written to the registry when the file is staged
 *	what is valid in the specialize pass as well (ComputerName, OEMInformation, ...; a
 *	blob for an offline domain join is called OfflineIdentification here and
 *	Identification there) moves into that pass, which Windows runs at the first start
 *
 * and everything else is refused by name. Then the pass is taken out of the file: what
 *was done shall not be done again, should someone apply the file with DISM.
 */
#include <libgen.h>
#include <unistd.h>

#include "base/text.h"
#include "windows/answer_private.h"

#define MAX_DRIVER_PATHS 1000

/* ---- DriverPaths -------------------------------------------------------------------
 */

static int refuse_path(const struct answer *answer, const xmlNode *node, const char *why,
		       struct error *err)
{
	answer_refuse(answer, node, err, "the driver path %s", why);
	return error_remedy(err, "copy the drivers beside the answer file and give their "
				 "folder relative to it, or use --driver");
}

/* A path on this host, relative to the answer file. */
static int add_path(struct answer *answer, const xmlNode *node, struct error *err)
{
	_cleanup_free_ char *path = answer_value(node), *copy = xstrdup(answer->name);
	_cleanup_free_ char *host = NULL;

	for (char *c = path; *c; c++)
		if (*c == '\\')
			*c = '/';
	if (!*path)
		return refuse_path(answer, node, "is empty", err);
	if (path[0] == '/' && path[1] == '/')
		return refuse_path(answer, node,
				   "is on a network share, which gild does not reach",
				   err);
	if (path[1] == ':')
		return refuse_path(answer, node,
				   "has a drive letter, which means nothing here", err);
	if (strchr(path, '%'))
		return refuse_path(answer, node,
				   "has a variable, which means nothing here", err);
	host = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", dirname(copy), path);
	if (access(host, R_OK) < 0) {
		answer_refuse(answer, node, err, "the driver path %s is not there", host);
		return error_remedy(err, "paths are relative to the answer file");
	}
	if (answer->drivers.len >= MAX_DRIVER_PATHS)
		return refuse_path(answer, node, "is one of too many", err);
	vec_foreach (known, &answer->drivers)
		if (strcmp(*known, host) == 0)
			return 0;
	strings_push(&answer->drivers, host);
	return 0;
}

static int take_driver_paths(struct answer *answer, const xmlNode *paths,
			     struct error *err)
{
	for (xmlNode *p = answer_first(paths, "PathAndCredentials"); p;
	     p = answer_next(p, "PathAndCredentials")) {
		xmlNode *path = answer_first(p, "Path");
		xmlNode *credentials = answer_first(p, "Credentials");

		if (credentials)
			return refuse_path(
				answer, credentials,
				"has credentials, which are for network shares", err);
		if (!path)
			return answer_refuse(answer, p, err,
					     "PathAndCredentials without a Path");
		if (add_path(answer, path, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- moving to specialize ----------------------------------------------------------
 */

static xmlNode *specialize_settings(struct answer *answer)
{
	xmlNode *root = xmlDocGetRootElement(answer->doc);
	xmlNode *settings = answer_settings(answer, PASS_SPECIALIZE);

	if (settings)
		return settings;
	settings = xmlNewChild(root, root->ns, (const xmlChar *)"settings", NULL);
	xmlNewProp(settings, (const xmlChar *)"pass", (const xmlChar *)"specialize");
	return settings;
}

/* The component of the same name and architecture there; it is made. */
static xmlNode *specialize_component(struct answer *answer, const xmlNode *from)
{
	xmlNode *settings = specialize_settings(answer), *made;
	_cleanup_free_ char *name = answer_attribute(from, "name");
	_cleanup_free_ char *arch = answer_attribute(from, "processorArchitecture");

	for (xmlNode *c = answer_first(settings, "component"); c;
	     c = answer_next(c, "component")) {
		_cleanup_free_ char *n = answer_attribute(c, "name");
		_cleanup_free_ char *a = answer_attribute(c, "processorArchitecture");

		if (strcmp(n, name) == 0 && text_equal(a, arch))
			return c;
	}
	made = xmlNewChild(settings, settings->ns, (const xmlChar *)"component", NULL);
	for (xmlAttr *p = from->properties; p; p = p->next) {
		xmlChar *value = xmlNodeGetContent((xmlNode *)p);

		if (!p->ns)
			xmlNewProp(made, p->name, value);
		xmlFree(value);
	}
	return made;
}

static int move_setting(struct answer *answer, const xmlNode *component, xmlNode *setting,
			const char *new_name, struct error *err)
{
	xmlNode *to = specialize_component(answer, component);

	if (answer_first(to, new_name)) {
		answer_refuse(answer, setting, err,
			      "%s is set in the passes offlineServicing and specialize",
			      (const char *)setting->name);
		return error_remedy(err, "leave it in the specialize pass only");
	}
	vec_push(&answer->actions,
		 xasprintf("%s: %s moved from the pass offlineServicing to specialize, "
			   "which Windows runs at its first start",
			   answer->name, (const char *)setting->name));
	xmlUnlinkNode(setting);
	xmlNodeSetName(setting, (const xmlChar *)new_name);
	xmlAddChild(to, setting);
	(void)xmlReconciliateNs(answer->doc, setting);
	return 0;
}

/* ---- the pass ----------------------------------------------------------------------
 */

static int take_lua(struct answer *answer, const xmlNode *setting, struct error *err)
{
	_cleanup_free_ char *value = answer_value(setting);

	if (!text_equal(value, "true") && !text_equal(value, "false"))
		return answer_refuse(answer, setting, err,
				     "EnableLUA is neither true nor false");
	answer->lua_set = true;
	answer->lua = text_equal(value, "true");
	return 0;
}

static int take_setting(struct answer *answer, const xmlNode *component, xmlNode *setting,
			struct error *err)
{
	_cleanup_free_ char *name = answer_attribute(component, "name");
	const char *what = (const char *)setting->name;

	if (text_equal(name, "Microsoft-Windows-PnpCustomizationsNonWinPE") &&
	    text_equal(what, "DriverPaths"))
		return take_driver_paths(answer, setting, err);
	if (text_equal(name, "Microsoft-Windows-LUA-Settings") &&
	    text_equal(what, "EnableLUA"))
		return take_lua(answer, setting, err);
	if (text_equal(name, "Microsoft-Windows-UnattendedJoin") &&
	    text_equal(what, "OfflineIdentification"))
		return move_setting(answer, component, setting, "Identification", err);
	if (answer_setting_passes(name, what) & PASS_SPECIALIZE)
		return move_setting(answer, component, setting, what, err);
	answer_refuse(answer, setting, err,
		      "%s of %s in the pass offlineServicing is done by Windows Setup or "
		      "DISM only",
		      what, name);
	return error_remedy(err, "take it out, or apply it with DISM on Windows");
}

static int take_component(struct answer *answer, const xmlNode *component,
			  struct error *err)
{
	xmlNode *setting = answer_first(component, NULL);

	while (setting) {
		xmlNode *next = answer_next(setting, NULL); /* it may move away */

		if (take_setting(answer, component, setting, err) < 0)
			return -1;
		setting = next;
	}
	return 0;
}

/* Packages (<servicing>): updates, language packs, features. */
static int refuse_packages(const struct answer *answer, struct error *err)
{
	xmlNode *root = xmlDocGetRootElement(answer->doc);

	for (xmlNode *s = answer_first(root, "servicing"); s;
	     s = answer_next(s, "servicing")) {
		xmlNode *package = answer_first(s, NULL);

		if (!package)
			continue;
		answer_refuse(answer, package, err,
			      "packages are serviced by Windows Setup or DISM only");
		return error_remedy(err, "add them to the image with DISM on Windows and "
					 "take <servicing> out");
	}
	return 0;
}

int answer_service(struct answer *answer, struct error *err)
{
	xmlNode *settings = answer_settings(answer, PASS_OFFLINE_SERVICING);

	if (refuse_packages(answer, err) < 0)
		return -1;
	for (xmlNode *c = answer_first(settings, "component"); c;
	     c = answer_next(c, "component"))
		if (take_component(answer, c, err) < 0)
			return -1;
	if (!settings)
		return 0;
	xmlUnlinkNode(settings);
	xmlFreeNode(settings);
	vec_push(&answer->actions,
		 xasprintf(
			 "%s: the pass offlineServicing is done and not in the file that "
			 "the image gets",
			 answer->name));
	return 0;
}
