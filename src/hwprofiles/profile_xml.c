/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hwprofiles/profile_xml.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/tree.h>
#include <stdio.h>

#include "base/file.h"
#include "base/text.h"
#include "hwprofiles/profile_schema.h"

#define PROFILE_MAX_SIZE ((size_t)4 << 20)
#define XML_OPTIONS \
	(XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA)

/* ---- validation
 * ---------------------------------------------------------------------------
 */

struct findings {
	const char *path;
	struct error *err;
	bool found;
};

/* The first finding is the one that the others follow from. */
static void on_finding(void *arg, const xmlError *error)
{
	struct findings *f = arg;
	_cleanup_free_ char *subject = NULL, *reason = NULL;
	size_t len;

	if (f->found || !error->message)
		return;
	f->found = true;
	subject = xasprintf("%s:%d", f->path, error->line > 0 ? error->line : 1);
	reason = xstrdup(error->message);
	len = strlen(reason);
	while (len && (reason[len - 1] == '\n' || reason[len - 1] == ' '))
		reason[--len] = 0;
	error_set(f->err, ERROR_FAILED, subject, "%s", reason);
	error_remedy(f->err, "correct it: gild-profile(5) describes the format");
}

static void on_structured(void *arg, xmlErrorPtr error)
{
	on_finding(arg, error);
}

/* Compiled once; it is our own, so it compiles. */
static xmlRelaxNG *schema(void)
{
	static xmlRelaxNG *compiled;
	xmlRelaxNGParserCtxt *parser;

	if (compiled)
		return compiled;
	parser = xmlRelaxNGNewMemParserCtxt(profile_schema, sizeof(profile_schema) - 1);
	compiled = xmlRelaxNGParse(parser);
	xmlRelaxNGFreeParserCtxt(parser);
	return compiled;
}

static int validate(xmlDoc *doc, const char *path, struct error *err)
{
	struct findings findings = {path, err, false};
	xmlRelaxNGValidCtxt *context = xmlRelaxNGNewValidCtxt(schema());
	int result;

	xmlRelaxNGSetValidStructuredErrors(context, on_structured, &findings);
	result = xmlRelaxNGValidateDoc(context, doc);
	xmlRelaxNGFreeValidCtxt(context);
	if (result == 0)
		return 0;
	if (!findings.found)
		error_set(err, ERROR_FAILED, path, "does not follow the schema");
	return -1;
}

static xmlDoc *parse(struct bytes text, const char *path, struct error *err)
{
	struct findings findings = {path, err, false};
	xmlDoc *doc;

	xmlSetStructuredErrorFunc(&findings, on_structured);
	doc = xmlReadMemory((const char *)text.data, (int)text.len, path, NULL,
			    XML_OPTIONS);
	xmlSetStructuredErrorFunc(NULL, NULL);
	if (!doc && !findings.found)
		error_set(err, ERROR_FAILED, path, "is no XML");
	if (doc && doc->intSubset) {
		error_set(err, ERROR_FAILED, path, "has a document type declaration");
		error_remedy(err, "remove it: profiles have a schema of their own");
		xmlFreeDoc(doc);
		return NULL;
	}
	return doc;
}

/* ---- reading: the document is valid
 * --------------------------------------------------------
 */

static char *attribute(const xmlNode *node, const char *name)
{
	xmlChar *raw = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *text = raw ? xstrdup((const char *)raw) : NULL;

	xmlFree(raw);
	return text;
}

static char *content(const xmlNode *node)
{
	xmlChar *raw = xmlNodeGetContent(node);
	char *text = xstrdup(raw ? (const char *)raw : "");

	xmlFree(raw);
	return text;
}

static bool is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	       strcmp((const char *)node->name, name) == 0;
}

static enum pc_answer yes_no(const xmlNode *node, const char *name)
{
	_cleanup_free_ char *text = attribute(node, name);

	return !text ? PC_UNKNOWN : strcmp(text, "yes") == 0 ? PC_YES : PC_NO;
}

static uint64_t version(const xmlNode *node, const char *name)
{
	_cleanup_free_ char *text = attribute(node, name);
	unsigned parts[4] = {0};

	if (text)
		(void)sscanf(text, "%5u.%5u.%5u.%5u", &parts[0], &parts[1], &parts[2],
			     &parts[3]);
	return (uint64_t)(parts[0] & 0xFFFF) << 48 | (uint64_t)(parts[1] & 0xFFFF) << 32 |
	       (uint64_t)(parts[2] & 0xFFFF) << 16 | (parts[3] & 0xFFFF);
}

static void read_match(const xmlNode *node, struct profile *p)
{
	struct profile_match match = {
		.manufacturer = attribute(node, "manufacturer"),
		.product = attribute(node, "product"),
		.version = attribute(node, "version"),
		.family = attribute(node, "family"),
		.sku = attribute(node, "sku"),
		.board_manufacturer = attribute(node, "board-manufacturer"),
		.board_product = attribute(node, "board-product"),
	};
	_cleanup_free_ char *chid = attribute(node, "chid");

	match.has_chid = chid && guid_parse(chid, &match.chid);
	vec_push(&p->matches, match);
}

static void read_device(const xmlNode *node, enum pc_role role, struct profile *p)
{
	_cleanup_free_ char *id = attribute(node, "id"), *name = attribute(node, "name");
	struct pc_device device = windows_device(id, name);

	/* As written: windows_device() drops what looks like an instance. */
	free(device.id);
	device.id = steal_ptr(id);
	device.role = role;
	for (const xmlNode *child = node->children; child; child = child->next) {
		if (is(child, "hardware-id"))
			vec_push(&device.hardware_ids, content(child));
		else if (is(child, "compatible-id"))
			vec_push(&device.compatible_ids, content(child));
	}
	vec_push(&p->devices, device);
}

static void read_devices(const xmlNode *node, struct profile *p)
{
	_cleanup_free_ char *name = attribute(node, "role");
	enum pc_role role = PC_OTHER_ROLE;

	(void)pc_role_parse(name, &role);
	for (const xmlNode *child = node->children; child; child = child->next)
		if (is(child, "device"))
			read_device(child, role, p);
}

static void read_driver(const xmlNode *node, struct profile *p)
{
	struct profile_driver driver = {
		.hardware_id = attribute(node, "hardware-id"),
		.inf = attribute(node, "inf"),
		.min_version = version(node, "min-version"),
		.max_version = version(node, "max-version"),
		.pack_vendor = attribute(node, "vendor"),
		.pack_system = attribute(node, "system"),
	};

	vec_push(&p->drivers, driver);
}

static void read_rule(const xmlNode *node, struct profile *p)
{
	_cleanup_free_ char *role = attribute(node, "role");
	_cleanup_free_ char *policy = attribute(node, "policy");
	struct profile_rule rule = {
		.role = PC_OTHER_ROLE,
		.id = attribute(node, "id"),
		.group = attribute(node, "group"),
		.passthrough = strcmp(policy, "never") == 0	? PASSTHROUGH_NEVER
			       : strcmp(policy, "allowed") == 0 ? PASSTHROUGH_ALLOWED
								: PASSTHROUGH_WANTED,
	};

	(void)pc_role_parse(role, &rule.role);
	vec_push(&p->rules, rule);
}

static void read_hypervisor(const xmlNode *node, struct profile *p)
{
	for (const xmlNode *child = node->children; child; child = child->next) {
		if (is(child, "passthrough"))
			read_rule(child, p);
		else if (is(child, "kernel-argument"))
			vec_push(&p->kernel_arguments, content(child));
		else if (is(child, "quirk"))
			vec_push(&p->quirks, content(child));
	}
}

static void read_head(const xmlNode *root, struct profile *p)
{
	_cleanup_free_ char *year = attribute(root, "year");
	_cleanup_free_ char *lists = attribute(root, "lists");

	p->id = attribute(root, "id");
	p->name = attribute(root, "name");
	p->type = attribute(root, "type");
	p->year = year ? (unsigned)strtoul(year, NULL, 10) : 0;
	for (unsigned bus = 0; lists && bus < PC_OTHER; bus++)
		p->listed[bus] = strstr(lists, pc_bus_name((enum pc_bus)bus)) != NULL;
}

static void read_element(const xmlNode *node, struct profile *p)
{
	if (is(node, "source")) {
		p->source = content(node);
	} else if (is(node, "include")) {
		vec_push(&p->includes, attribute(node, "profile"));
	} else if (is(node, "firmware")) {
		p->uefi = yes_no(node, "uefi");
		p->bios = yes_no(node, "bios");
		p->acpi = yes_no(node, "acpi");
		p->secure_boot = yes_no(node, "secure-boot");
		p->tpm = attribute(node, "tpm");
	} else if (is(node, "devices")) {
		read_devices(node, p);
	} else if (is(node, "hypervisor")) {
		read_hypervisor(node, p);
	} else if (is(node, "identity") || is(node, "drivers")) {
		for (const xmlNode *child = node->children; child; child = child->next) {
			if (is(child, "match"))
				read_match(child, p);
			else if (child->type == XML_ELEMENT_NODE)
				read_driver(child, p);
		}
	}
}

struct profile *profile_parse(struct bytes text, const char *name, struct error *err)
{
	xmlDoc *doc = parse(text, name, err);
	const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	struct profile *p;

	if (!doc || validate(doc, name, err) < 0) {
		xmlFreeDoc(doc);
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	read_head(root, p);
	for (const xmlNode *node = root->children; node; node = node->next)
		read_element(node, p);
	xmlFreeDoc(doc);
	return p;
}

struct profile *profile_read(const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;

	if (file_read(path, PROFILE_MAX_SIZE, &text, err) < 0)
		return NULL;
	return profile_parse(buffer_view(&text), path, err);
}

/* ---- writing
 * ----------------------------------------------------------------------------------
 */

static void put_attribute(struct buffer *b, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buffer_printf(b, " %s=\"", name);
	if (utf8_valid(value, strlen(value)))
		buffer_append_markup(b, value);
	buffer_append_string(b, "\"");
}

static void put_element(struct buffer *b, const char *indent, const char *name,
			const char *text)
{
	buffer_printf(b, "%s<%s>", indent, name);
	buffer_append_markup(b, text);
	buffer_printf(b, "</%s>\n", name);
}

static void put_answer(struct buffer *b, const char *name, enum pc_answer answer)
{
	if (answer != PC_UNKNOWN)
		put_attribute(b, name, answer == PC_YES ? "yes" : "no");
}

static void put_version(struct buffer *b, const char *name, uint64_t v)
{
	if (v)
		buffer_printf(b, " %s=\"%u.%u.%u.%u\"", name, (unsigned)(v >> 48),
			      (unsigned)(v >> 32 & 0xFFFF), (unsigned)(v >> 16 & 0xFFFF),
			      (unsigned)(v & 0xFFFF));
}

static void put_matches(struct buffer *b, const struct profile *p)
{
	if (!p->matches.len)
		return;
	buffer_append_string(b, "  <identity>\n");
	vec_foreach (m, &p->matches) {
		char chid[GUID_TEXT_SIZE];

		buffer_append_string(b, "    <match");
		put_attribute(b, "manufacturer", m->manufacturer);
		put_attribute(b, "product", m->product);
		put_attribute(b, "version", m->version);
		put_attribute(b, "family", m->family);
		put_attribute(b, "sku", m->sku);
		put_attribute(b, "board-manufacturer", m->board_manufacturer);
		put_attribute(b, "board-product", m->board_product);
		if (m->has_chid) {
			guid_format(&m->chid, chid);
			put_attribute(b, "chid", chid);
		}
		buffer_append_string(b, "/>\n");
	}
	buffer_append_string(b, "  </identity>\n");
}

static void put_device(struct buffer *b, const struct pc_device *device)
{
	bool lists = device->hardware_ids.len || device->compatible_ids.len;

	buffer_append_string(b, "    <device");
	put_attribute(b, "id", device->id);
	put_attribute(b, "name", device->name);
	buffer_append_string(b, lists ? ">\n" : "/>\n");
	vec_foreach (id, &device->hardware_ids)
		put_element(b, "      ", "hardware-id", *id);
	vec_foreach (id, &device->compatible_ids)
		put_element(b, "      ", "compatible-id", *id);
	if (lists)
		buffer_append_string(b, "    </device>\n");
}

static void put_devices(struct buffer *b, const struct profile *p)
{
	for (unsigned role = 0; role < PC_ROLES; role++) {
		bool open = false;

		vec_foreach (device, &p->devices) {
			if (device->role != (enum pc_role)role)
				continue;
			if (!open)
				buffer_printf(b, "  <devices role=\"%s\">\n",
					      pc_role_name((enum pc_role)role));
			open = true;
			put_device(b, device);
		}
		if (open)
			buffer_append_string(b, "  </devices>\n");
	}
}

static void put_drivers(struct buffer *b, const struct profile *p)
{
	if (!p->drivers.len)
		return;
	buffer_append_string(b, "  <drivers>\n");
	vec_foreach (driver, &p->drivers) {
		buffer_append_string(b,
				     driver->pack_vendor ? "    <pack" : "    <driver");
		put_attribute(b, "hardware-id", driver->hardware_id);
		put_attribute(b, "inf", driver->inf);
		put_version(b, "min-version", driver->min_version);
		put_version(b, "max-version", driver->max_version);
		put_attribute(b, "vendor", driver->pack_vendor);
		put_attribute(b, "system", driver->pack_system);
		buffer_append_string(b, "/>\n");
	}
	buffer_append_string(b, "  </drivers>\n");
}

static void put_hypervisor(struct buffer *b, const struct profile *p)
{
	static const char *const policies[] = {"never", "allowed", "wanted"};

	if (!p->rules.len && !p->kernel_arguments.len && !p->quirks.len)
		return;
	buffer_append_string(b, "  <hypervisor>\n");
	vec_foreach (rule, &p->rules) {
		buffer_append_string(b, "    <passthrough");
		put_attribute(b, "role", pc_role_name(rule->role));
		put_attribute(b, "policy", policies[rule->passthrough]);
		put_attribute(b, "id", rule->id);
		put_attribute(b, "group", rule->group);
		buffer_append_string(b, "/>\n");
	}
	vec_foreach (argument, &p->kernel_arguments)
		put_element(b, "    ", "kernel-argument", *argument);
	vec_foreach (quirk, &p->quirks)
		put_element(b, "    ", "quirk", *quirk);
	buffer_append_string(b, "  </hypervisor>\n");
}

static void put_lists(struct buffer *b, const struct profile *p)
{
	const char *separator = " lists=\"";

	for (unsigned bus = 0; bus < PC_OTHER; bus++) {
		if (!p->listed[bus])
			continue;
		buffer_printf(b, "%s%s", separator, pc_bus_name((enum pc_bus)bus));
		separator = " ";
	}
	if (*separator == ' ' && !separator[1])
		buffer_append_string(b, "\"");
}

void profile_write(const struct profile *p, struct buffer *b)
{
	buffer_append_string(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<profile "
				"xmlns=\"" PROFILE_NAMESPACE "\"");
	put_attribute(b, "id", p->id);
	put_attribute(b, "name", p->name);
	put_attribute(b, "type", p->type);
	if (p->year)
		buffer_printf(b, " year=\"%u\"", p->year);
	put_lists(b, p);
	buffer_append_string(b, ">\n");
	if (p->source)
		put_element(b, "  ", "source", p->source);
	vec_foreach (include, &p->includes)
		buffer_printf(b, "  <include profile=\"%s\"/>\n", *include);
	put_matches(b, p);
	if (p->uefi != PC_UNKNOWN || p->bios != PC_UNKNOWN || p->acpi != PC_UNKNOWN ||
	    p->secure_boot != PC_UNKNOWN || p->tpm) {
		buffer_append_string(b, "  <firmware");
		put_answer(b, "uefi", p->uefi);
		put_answer(b, "bios", p->bios);
		put_answer(b, "acpi", p->acpi);
		put_answer(b, "secure-boot", p->secure_boot);
		put_attribute(b, "tpm", p->tpm);
		buffer_append_string(b, "/>\n");
	}
	put_devices(b, p);
	put_drivers(b, p);
	put_hypervisor(b, p);
	buffer_append_string(b, "</profile>\n");
}
