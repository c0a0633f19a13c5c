/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The XML data of a new WIM with one image: the elements that DISM and wimlib write, in
 * wimlib's order. The root counts as a folder, reparse points as files, as wimlib counts
 * them.
 */
#include <libxml/tree.h>

#include "base/clock.h"
#include "base/text.h"
#include "tree/wim_create.h"

/* What XML cannot say, from a damaged registry perhaps, becomes U+FFFD or a space. */
static char *xml_text(const char *text)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		/* Surrogates alone are three bytes that begin with ED A0 to ED BF. */
		if (c == 0xed && (unsigned char)text[1] >= 0xa0 && text[2]) {
			buffer_append_string(&out, "\xef\xbf\xbd");
			text += 2;
		} else if (c < 0x20) {
			buffer_append(&out, " ", 1);
		} else {
			buffer_append(&out, text, 1);
		}
	}
	if (!utf8_valid(out.data, out.len))
		out.len = 0;
	return buffer_steal_string(&out);
}

static void add(xmlNode *parent, const char *name, const char *text)
{
	_cleanup_free_ char *clean = text ? xml_text(text) : NULL;

	if (clean && *clean)
		xmlNewTextChild(parent, NULL, (const xmlChar *)name,
				(const xmlChar *)clean);
}

static void add_number(xmlNode *parent, const char *name, uint64_t number)
{
	_cleanup_free_ char *text = xasprintf("%ju", (uintmax_t)number);

	add(parent, name, text);
}

static xmlNode *add_node(xmlNode *parent, const char *name)
{
	return xmlNewChild(parent, NULL, (const xmlChar *)name, NULL);
}

static void add_time(xmlNode *image, const char *name)
{
	uint64_t now = clock_filetime();
	_cleanup_free_ char *high = xasprintf("0x%08X", (unsigned)(now >> 32));
	_cleanup_free_ char *low = xasprintf("0x%08X", (unsigned)now);
	xmlNode *node = add_node(image, name);

	add(node, "HIGHPART", high);
	add(node, "LOWPART", low);
}

static void add_counts(const struct files *files, xmlNode *image)
{
	uint64_t folders = 0, all_files = 0, bytes = 0, link_bytes = 0;
	_cleanup_free_ bool *seen = xcalloc(files->inodes.len, sizeof(*seen));

	for (size_t i = 0; i < files->entries.len; i++) {
		uint32_t number = files->entries.items[i].inode;
		const struct files_inode *inode = &files->inodes.items[number];
		uint64_t size = 0;

		if ((inode->attributes & (FILES_ATTR_DIRECTORY | FILES_ATTR_REPARSE)) ==
		    FILES_ATTR_DIRECTORY)
			folders++;
		else
			all_files++;
		if (inode->attributes & FILES_ATTR_REPARSE)
			size += inode->reparse.len;
		for (uint32_t s = 0; s < inode->stream_count; s++)
			if (inode->streams[s].blob != FILES_NONE)
				size += files->blobs.items[inode->streams[s].blob].size;
		bytes += size;
		if (seen[number])
			link_bytes += size;
		seen[number] = true;
	}
	add_number(image, "DIRCOUNT", folders);
	add_number(image, "FILECOUNT", all_files);
	add_number(image, "TOTALBYTES", bytes);
	add_number(image, "HARDLINKBYTES", link_bytes);
}

static void add_windows(xmlNode *image, const struct wim_windows *w)
{
	xmlNode *windows = add_node(image, "WINDOWS"), *node;

	add_number(windows, "ARCH", w->arch);
	add(windows, "PRODUCTNAME", w->product);
	add(windows, "EDITIONID", w->edition);
	add(windows, "INSTALLATIONTYPE", w->installation_type);
	add(windows, "PRODUCTTYPE", w->product_type);
	add(windows, "PRODUCTSUITE", w->product_suite);
	if (w->default_language || w->languages->len) {
		node = add_node(windows, "LANGUAGES");
		vec_foreach (language, w->languages)
			add(node, "LANGUAGE", *language);
		add(node, "DEFAULT", w->default_language);
	}
	if (w->build) {
		node = add_node(windows, "VERSION");
		add_number(node, "MAJOR", w->major);
		add_number(node, "MINOR", w->minor);
		add_number(node, "BUILD", w->build);
		add_number(node, "SPBUILD", w->spbuild);
		add_number(node, "SPLEVEL", w->splevel);
	}
	add(windows, "SYSTEMROOT", w->system_root);
}

void wim_create_xml(const struct files *files, const struct wim_create_options *options,
		    uint64_t total, struct buffer *ret)
{
	const char *name = options->image_name;
	xmlDoc *doc = xmlNewDoc((const xmlChar *)"1.0");
	xmlNode *root = xmlNewNode(NULL, (const xmlChar *)"WIM"), *image;
	xmlBuffer *dump = xmlBufferCreate();

	xmlDocSetRootElement(doc, root);
	image = add_node(root, "IMAGE");
	xmlNewProp(image, (const xmlChar *)"INDEX", (const xmlChar *)"1");
	add_counts(files, image);
	add_time(image, "CREATIONTIME");
	add_time(image, "LASTMODIFICATIONTIME");
	if (options->windows)
		add_windows(image, options->windows);
	if (!name)
		name = files->label ? files->label : path_base(files->name);
	add(image, "NAME", name);
	add(image, "DESCRIPTION", options->description);
	add(image, "FLAGS", options->flags);
	if (options->windows) {
		add(image, "DISPLAYNAME", options->windows->product);
		add(image, "DISPLAYDESCRIPTION", options->windows->product);
	}
	add_number(root, "TOTALBYTES", total);
	xmlNodeDump(dump, doc, root, 0, 0);
	buffer_append_le16(ret, 0xfeff);
	utf16_append(ret, (const char *)xmlBufferContent(dump));
	xmlBufferFree(dump);
	xmlFreeDoc(doc);
}
