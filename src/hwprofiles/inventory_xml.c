/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XML of Windows' own tools: pnputil /enum-devices /format xml (Windows 11), and the .nfo
 * files of msinfo32. Read by libxml2 without network, external entities, and with its own
 * limits on size and depth in force.
 */
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "base/text.h"
#include "hwprofiles/inventory_private.h"

#define XML_OPTIONS                                                                      \
	(XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | \
	 XML_PARSE_BIG_LINES)

static xmlDoc *parse(const char *text, size_t len, const char *path, struct error *err)
{
	/* The text is UTF-8 by now, whatever its declaration says. */
	xmlDoc *doc = xmlReadMemory(text, (int)len, path, "UTF-8", XML_OPTIONS);
	const xmlError *last = doc ? NULL : xmlGetLastError();
	_cleanup_free_ char *reason = NULL;

	if (doc && doc->intSubset) {
		xmlFreeDoc(doc);
		(void)inventory_error(err, path, 1, "has a document type declaration");
		error_remedy(err, "give the file as Windows wrote it");
		return NULL;
	}
	if (doc)
		return doc;
	reason = xstrdup(last && last->message ? last->message : "not understood");
	(void)inventory_error(err, path,
			      last && last->line > 0 ? (unsigned)last->line : 1,
			      "is no well-formed XML: %s", strip(reason));
	error_remedy(err, "get the inventory again");
	return NULL;
}

static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	       strcmp((const char *)node->name, name) == 0;
}

/* The element's text, stripped; NULL if it is empty. Caller's. */
static char *content(xmlNode *node)
{
	xmlChar *raw = xmlNodeGetContent(node);
	char *text = raw ? xstrdup(strip((char *)raw)) : NULL;

	xmlFree(raw);
	if (text && !*text) {
		free(text);
		text = NULL;
	}
	return text;
}

/* <HardwareIds><HardwareId>PCI\...</HardwareId>...</HardwareIds> */
static void take_list(xmlNode *list, struct strings *ret)
{
	for (xmlNode *item = list->children; item; item = item->next) {
		char *text = item->type == XML_ELEMENT_NODE ? content(item) : NULL;

		if (text && ret->len < 256)
			vec_push(ret, text);
		else
			free(text);
	}
}

static int take_device(xmlNode *node, const char *path, struct pc *pc, struct error *err)
{
	_cleanup_free_ char *name = NULL;
	struct strings hardware = VEC_INIT, compatible = VEC_INIT;
	xmlChar *raw = xmlGetProp(node, (const xmlChar *)"InstanceId");
	char *instance = raw ? xstrdup((char *)raw) : NULL;
	struct pc_device device;

	xmlFree(raw);
	for (xmlNode *child = node->children; child; child = child->next) {
		if (is_element(child, "InstanceId") && !instance)
			instance = content(child);
		else if (is_element(child, "DeviceDescription") && !name)
			name = content(child);
		else if (is_element(child, "HardwareIds"))
			take_list(child, &hardware);
		else if (is_element(child, "CompatibleIds"))
			take_list(child, &compatible);
	}
	if (!instance && !hardware.len) {
		strings_free(&compatible);
		return inventory_error(err, path, (unsigned)xmlGetLineNo(node),
				       "is a device without InstanceId");
	}
	device = windows_device(hardware.len ? hardware.items[0] : instance, name);
	free(instance);
	device.hardware_ids = hardware;
	device.compatible_ids = compatible;
	if (device.bus == PC_OTHER && !text_starts_with(device.id, "VMBUS\\")) {
		pc_device_free(&device);
		return 0;
	}
	pc->listed[device.bus] = true;
	return inventory_add(pc, device, path, (unsigned)xmlGetLineNo(node), err);
}

int read_pnputil(const char *text, size_t len, const char *path, struct pc *pc,
		 struct error *err)
{
	xmlDoc *doc = parse(text, len, path, err);
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	int result = doc ? 0 : -1;

	for (xmlNode *node = root ? root->children : NULL; node && result == 0;
	     node = node->next)
		if (is_element(node, "Device"))
			result = take_device(node, path, pc, err);
	xmlFreeDoc(doc);
	return result;
}

/* ---- msinfo32
 * -------------------------------------------------------------------------------------
 */

/*
 * <Category name="System Summary"><Data><Item>..</Item><Value>..</Value></Data>. Names of
 * categories and items are in the language of that Windows; what is read here does not
 * depend on it: every value that is an instance path, and the identity by the English
 * names.
 */
static void take_summary(const char *item, const char *value, struct pc *pc)
{
	struct pc_identity *i = &pc->identity;

	if (strcmp(item, "System Manufacturer") == 0)
		set_field(&i->manufacturer, value);
	else if (strcmp(item, "System Model") == 0)
		set_field(&i->product, value);
	else if (strcmp(item, "System SKU") == 0)
		set_field(&i->sku, value);
	else if (strcmp(item, "BaseBoard Manufacturer") == 0)
		set_field(&i->board_manufacturer, value);
	else if (strcmp(item, "BaseBoard Product") == 0)
		set_field(&i->board_product, value);
	else if (strcmp(item, "BIOS Mode") == 0)
		pc->uefi = strcmp(value, "UEFI") == 0 ? PC_YES : PC_NO;
	else if (strcmp(item, "Secure Boot State") == 0)
		pc->secure_boot = strcmp(value, "On") == 0 ? PC_YES : PC_NO;
}

static bool instance_path(const char *text)
{
	return text_starts_with(text, "PCI\\VEN_") ||
	       text_starts_with(text, "USB\\VID_") || text_starts_with(text, "ACPI\\");
}

/* The children of <Data>: the second to last one is what follows an <Item>. */
static int take_data(xmlNode *data, const char *path, struct pc *pc, struct error *err)
{
	_cleanup_free_ char *item = NULL;
	int result = 0;

	for (xmlNode *child = data->children; child && result == 0; child = child->next) {
		_cleanup_free_ char *text =
			child->type == XML_ELEMENT_NODE ? content(child) : NULL;

		if (!text)
			continue;
		if (instance_path(text)) {
			struct pc_device device = windows_device(text, item);

			pc->listed[device.bus] = true;
			result = inventory_add(pc, device, path,
					       (unsigned)xmlGetLineNo(child), err);
		} else if (!item) {
			item = steal_ptr(text);
		} else {
			take_summary(item, text, pc);
		}
	}
	return result;
}

/* Categories lie in each other a few levels deep. */
static int take_category(xmlNode *category, unsigned depth, const char *path,
			 struct pc *pc, struct error *err)
{
	int result = 0;

	if (depth > 16)
		return 0;
	for (xmlNode *node = category->children; node && result == 0; node = node->next) {
		if (is_element(node, "Category"))
			result = take_category(node, depth + 1, path, pc, err);
		else if (is_element(node, "Data"))
			result = take_data(node, path, pc, err);
	}
	return result;
}

/* A device is named by several categories. */
static void drop_duplicates(struct pc *pc)
{
	size_t kept = 0;

	for (size_t i = 0; i < pc->devices.len; i++) {
		bool seen = false;

		for (size_t j = 0; j < kept && !seen; j++)
			seen = text_equal(pc->devices.items[j].id,
					  pc->devices.items[i].id);
		if (seen)
			pc_device_free(&pc->devices.items[i]);
		else
			pc->devices.items[kept++] = pc->devices.items[i];
	}
	pc->devices.len = kept;
}

int read_msinfo(const char *text, size_t len, const char *path, struct pc *pc,
		struct error *err)
{
	xmlDoc *doc = parse(text, len, path, err);
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	int result = doc ? 0 : -1;

	if (root)
		result = take_category(root, 0, path, pc, err);
	xmlFreeDoc(doc);
	if (result == 0)
		drop_duplicates(pc);
	return result;
}
