/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The XML data of a WIM: UTF-16LE with a byte order mark, one IMAGE element per image.
 * Read for names; changed only where the counts and times of an edited image stand.
 */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>

#include "base/clock.h"
#include "base/text.h"
#include "tree/wim.h"

#define MAX_XML (16 * 1024 * 1024)

/* NULL if it is no well-formed XML. Nothing outside is ever loaded. */
static xmlDoc *parse_xml(const struct buffer *xml)
{
	_cleanup_free_ char *text = NULL;
	size_t skip;

	if (!xml->len)
		return NULL;
	skip = xml->len >= 2 && get_le16(xml->data) == 0xfeff ? 2 : 0;
	text = utf16_to_utf8(xml->data + skip, xml->len - skip);
	if (strlen(text) > INT_MAX)
		return NULL;
	return xmlReadMemory(text, (int)strlen(text), NULL, "UTF-8",
			     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

static xmlNode *child_of(xmlNode *parent, const char *name)
{
	for (xmlNode *n = parent ? parent->children : NULL; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE &&
		    strcmp((const char *)n->name, name) == 0)
			return n;
	return NULL;
}

static char *text_of(xmlNode *parent, const char *name)
{
	xmlNode *node = child_of(parent, name);
	xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
	char *copy = text ? xstrdup((const char *)text) : NULL;

	xmlFree(text);
	return copy;
}

/* The IMAGE element of a 1-based index. */
static xmlNode *image_element(xmlDoc *doc, unsigned index)
{
	xmlNode *root = xmlDocGetRootElement(doc);

	for (xmlNode *n = root ? root->children : NULL; n; n = n->next) {
		xmlChar *value;
		bool match;

		if (n->type != XML_ELEMENT_NODE ||
		    strcmp((const char *)n->name, "IMAGE") != 0)
			continue;
		value = xmlGetProp(n, (const xmlChar *)"INDEX");
		match = value && strtoul((const char *)value, NULL, 10) == index;
		xmlFree(value);
		if (match)
			return n;
	}
	return NULL;
}

int wim_xml_infos(struct wim *wim, struct error *err)
{
	const struct wim_header *header = &wim->parts.items[0].header;
	xmlDoc *doc;

	wim->xml.len = 0;
	if (wim_resource_load(wim, 0, &header->xml, MAX_XML, &wim->xml, "the XML data",
			      err) < 0)
		return -1;
	doc = parse_xml(&wim->xml);
	if (doc && child_of(child_of(xmlDocGetRootElement(doc), "ESD"), "ENCRYPTED")) {
		xmlFreeDoc(doc);
		error_set(err, ERROR_STATE, wim->image.path, "is an encrypted ESD");
		return error_remedy(err, "decrypt it first; media from Microsoft's "
					 "download pages are not encrypted");
	}
	for (unsigned i = 1; i <= header->image_count; i++) {
		xmlNode *element = doc ? image_element(doc, i) : NULL;

		vec_push(&wim->image.infos,
			 (struct image_info){.index = i,
					     .name = text_of(element, "NAME"),
					     .description =
						     text_of(element, "DESCRIPTION"),
					     .bootable = header->boot_index == i});
	}
	xmlFreeDoc(doc);
	return 0;
}

static bool count_of(xmlNode *image, const char *name, int64_t *ret)
{
	_cleanup_free_ char *text = text_of(image, name);

	if (text)
		*ret = strtoll(text, NULL, 10);
	return text != NULL;
}

bool wim_xml_counts(const struct wim *wim, unsigned index, struct wim_counts *ret)
{
	xmlDoc *doc = parse_xml(&wim->xml);
	xmlNode *image = doc ? image_element(doc, index) : NULL;
	bool found;

	*ret = (struct wim_counts){0};
	found = count_of(image, "DIRCOUNT", &ret->folders) &&
		count_of(image, "FILECOUNT", &ret->files);
	(void)count_of(image, "TOTALBYTES", &ret->bytes);
	(void)count_of(image, "HARDLINKBYTES", &ret->link_bytes);
	xmlFreeDoc(doc);
	return found;
}

int wim_xml_is_sound(const struct wim *wim, struct error *err)
{
	xmlDoc *doc = parse_xml(&wim->xml);
	unsigned i = 1;

	while (doc && i <= wim->parts.items[0].header.image_count &&
	       image_element(doc, i))
		i++;
	if (doc && i > wim->parts.items[0].header.image_count) {
		xmlFreeDoc(doc);
		return 0;
	}
	xmlFreeDoc(doc);
	return error_set(err, ERROR_FAILED, wim->image.path, "its XML data is damaged");
}

/* ---- changing -----------------------------------------------------------------------
 */

static void set_text(xmlNode *parent, const char *name, const char *text)
{
	xmlNode *node = child_of(parent, name);

	if (node)
		xmlNodeSetContent(node, (const xmlChar *)text);
	else
		xmlNewTextChild(parent, NULL, (const xmlChar *)name,
				(const xmlChar *)text);
}

/* Adds to a count, which keeps what its first writer counted (the root, or not). */
static void add_to(xmlNode *parent, const char *name, int64_t change)
{
	_cleanup_free_ char *old = text_of(parent, name);
	int64_t value = old ? strtoll(old, NULL, 10) : 0, sum;
	_cleanup_free_ char *text = NULL;

	if (!old || add_overflow(value, change, &sum) || sum < 0)
		return;
	text = xasprintf("%jd", (intmax_t)sum);
	set_text(parent, name, text);
}

static void set_time(xmlNode *image, uint64_t filetime)
{
	xmlNode *node = child_of(image, "LASTMODIFICATIONTIME");
	_cleanup_free_ char *high = xasprintf("0x%08X", (unsigned)(filetime >> 32));
	_cleanup_free_ char *low = xasprintf("0x%08X", (unsigned)filetime);

	if (!node)
		node = xmlNewChild(image, NULL, (const xmlChar *)"LASTMODIFICATIONTIME",
				   NULL);
	set_text(node, "HIGHPART", high);
	set_text(node, "LOWPART", low);
}

int wim_xml_update(const struct wim *wim, struct wim_counts *const *changes,
		   uint64_t total, struct buffer *out, struct error *err)
{
	xmlDoc *doc = parse_xml(&wim->xml);
	_cleanup_free_ char *text = xasprintf("%ju", (uintmax_t)total);
	xmlBuffer *dump;
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

	if (!root) {
		xmlFreeDoc(doc);
		error_set(err, ERROR_STATE, wim->image.path, "its XML data is damaged");
		return error_remedy(err, "write a new WIM with wimlib-imagex export");
	}
	for (unsigned i = 0; i < wim->image.infos.len; i++) {
		xmlNode *image = changes[i] ? image_element(doc, i + 1) : NULL;

		if (!image)
			continue;
		add_to(image, "DIRCOUNT", changes[i]->folders);
		add_to(image, "FILECOUNT", changes[i]->files);
		add_to(image, "TOTALBYTES", changes[i]->bytes);
		add_to(image, "HARDLINKBYTES", changes[i]->link_bytes);
		set_time(image, clock_filetime());
	}
	set_text(root, "TOTALBYTES", text);
	dump = xmlBufferCreate();
	xmlNodeDump(dump, doc, root, 0, 0);
	buffer_append_le16(out, 0xfeff);
	utf16_append(out, (const char *)xmlBufferContent(dump));
	xmlBufferFree(dump);
	xmlFreeDoc(doc);
	return 0;
}
