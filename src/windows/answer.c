/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answer files: reading with limits, and what they look like at all. libxml2 is stopped
 * at a document type declaration, before it sees an entity, and loads nothing from
 * outside.
 */
#include "windows/answer.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/SAX2.h>

#include "base/file.h"
#include "windows/answer_private.h"

#define MAX_SIZE ((size_t)4 << 20)
/* The deepest setting in Microsoft's reference has ten levels. */
#define MAX_DEPTH 32
#define MAX_ELEMENTS 100000
#define XML_OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

char *answer_place(const struct answer *answer, const xmlNode *node)
{
	return xasprintf("%s:%ld", answer->name, node ? xmlGetLineNo(node) : 1);
}

int answer_refuse(const struct answer *answer, const xmlNode *node, struct error *err,
		  const char *fmt, ...)
{
	_cleanup_free_ char *place = answer_place(answer, node);
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	error_set(err, ERROR_USAGE, place, "%s", text);
	free(text);
	return -1;
}

/* ---- nodes -------------------------------------------------------------------------
 */

bool answer_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
	       strcmp((const char *)node->ns->href, ANSWER_NAMESPACE) == 0 &&
	       (!name || strcmp((const char *)node->name, name) == 0);
}

static xmlNode *find_from(xmlNode *node, const char *name)
{
	while (node && !answer_is(node, name))
		node = node->next;
	return node;
}

xmlNode *answer_first(const xmlNode *parent, const char *name)
{
	return parent ? find_from(parent->children, name) : NULL;
}

xmlNode *answer_next(const xmlNode *node, const char *name)
{
	return find_from(node->next, name);
}

char *answer_attribute(const xmlNode *node, const char *name)
{
	xmlChar *raw = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *text = raw ? xstrdup((const char *)raw) : NULL;

	xmlFree(raw);
	return text;
}

char *answer_value(const xmlNode *node)
{
	xmlChar *raw = xmlNodeGetContent(node);
	const char *text = raw ? (const char *)raw : "";
	char *value;
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	value = xstrndup(text, len);
	xmlFree(raw);
	return value;
}

xmlNode *answer_settings(const struct answer *answer, unsigned pass)
{
	xmlNode *root = xmlDocGetRootElement(answer->doc);

	for (xmlNode *s = answer_first(root, "settings"); s;
	     s = answer_next(s, "settings")) {
		_cleanup_free_ char *name = answer_attribute(s, "pass");

		if (name && answer_pass_parse(name) == pass)
			return s;
	}
	return NULL;
}

/* ---- parsing -----------------------------------------------------------------------
 */

/* What the parser met, in its order; the first is what counts. */
struct parse {
	int line;
	char *reason;
	bool doctype;
};

/* A message may quote the text, which may be a password: what it quotes is left out. */
static char *without_quotes(const char *message)
{
	struct buffer out = BUFFER_INIT;
	bool quoted = false;

	if (strncmp(message, "xml", 3) == 0 && strstr(message, ": "))
		message = strstr(message, ": ") + 2;
	for (const char *c = message; *c && *c != '\n' && *c != ':'; c++) {
		if (*c == '\'' || *c == '"')
			quoted = !quoted;
		else if (!quoted)
			buffer_append(&out, c, 1);
	}
	return buffer_steal_string(&out);
}

static void on_error(void *arg, xmlErrorPtr error)
{
	struct parse *p = arg;
	const char *text = error->message ? error->message : "";
	bool mismatch = error->code == XML_ERR_TAG_NAME_MISMATCH ||
			error->code == XML_ERR_TAG_NOT_FINISHED;

	if (p->reason || error->level < XML_ERR_ERROR)
		return;
	p->line = error->line;
	p->reason = mismatch ? xstrdup("an element is not closed where it has to be")
			     : without_quotes(text);
}

static void on_doctype(void *arg, const xmlChar *name _unused_,
		       const xmlChar *external _unused_, const xmlChar *system _unused_)
{
	xmlParserCtxt *context = arg;
	struct parse *p = context->_private;

	p->doctype = true;
	p->line = xmlSAX2GetLineNumber(context);
	xmlStopParser(context);
}

static int fail_parse(const char *name, struct parse *p, struct error *err)
{
	_cleanup_free_ char *place = xasprintf("%s:%d", name, p->line > 0 ? p->line : 1);

	if (p->doctype) {
		error_set(err, ERROR_USAGE, place,
			  "has a document type declaration, which no answer file needs");
		error_remedy(err, "remove it, and write out what its entities stand for");
	} else {
		error_set(err, ERROR_USAGE, place, "is no XML: %s",
			  p->reason && *p->reason ? p->reason
						  : "the parser gives no reason");
	}
	free(p->reason);
	return -1;
}

static xmlDoc *parse(struct bytes text, const char *name, struct error *err)
{
	xmlParserCtxt *context = xmlNewParserCtxt();
	struct parse p = {0};
	xmlDoc *doc = NULL;

	if (!context)
		return NULL;
	context->_private = &p;
	context->sax->internalSubset = on_doctype;
	xmlSetStructuredErrorFunc(&p, on_error);
	doc = xmlCtxtReadMemory(context, (const char *)text.data, (int)text.len, NULL,
				NULL, XML_OPTIONS);
	xmlSetStructuredErrorFunc(NULL, NULL);
	xmlFreeParserCtxt(context);
	if (doc && !p.doctype && !p.reason)
		return doc;
	xmlFreeDoc(doc);
	fail_parse(name, &p, err);
	return NULL;
}

/* ---- form --------------------------------------------------------------------------
 */

/*
 * Windows ignores elements of other namespaces below the root (generators leave notes
 * there) and rejects them elsewhere.
 */
static int check_node(const struct answer *answer, const xmlNode *node, unsigned depth,
		      struct error *err)
{
	if (depth > MAX_DEPTH)
		return answer_refuse(answer, node, err,
				     "is nested more than %d levels deep", MAX_DEPTH);
	if (node->type != XML_ELEMENT_NODE || depth < 3 || answer_is(node, NULL))
		return 0;
	answer_refuse(answer, node, err, "the element %s is not of the namespace %s",
		      (const char *)node->name, ANSWER_NAMESPACE);
	return error_remedy(err, "declare it: <unattend xmlns=\"%s\">", ANSWER_NAMESPACE);
}

/* The children that are walked into. */
static xmlNode *inside(const xmlNode *node, unsigned depth)
{
	bool foreign = depth == 2 && !answer_is(node, NULL);

	return node->type == XML_ELEMENT_NODE && !foreign ? node->children : NULL;
}

static int check_nodes(const struct answer *answer, struct error *err)
{
	xmlNode *node = xmlDocGetRootElement(answer->doc);
	unsigned depth = 1, elements = 0;

	while (node) {
		if (++elements > MAX_ELEMENTS)
			return answer_refuse(answer, node, err, "has more than %d nodes",
					     MAX_ELEMENTS);
		if (check_node(answer, node, depth, err) < 0)
			return -1;
		if (inside(node, depth)) {
			node = inside(node, depth);
			depth++;
			continue;
		}
		while (!node->next) {
			node = node->parent;
			depth--;
			if (!node || node->type != XML_ELEMENT_NODE)
				return 0;
		}
		node = node->next;
	}
	return 0;
}

/* The attributes without which Windows rejects the whole file. */
static int check_component(const struct answer *answer, const xmlNode *component,
			   struct error *err)
{
	static const char *const needed[] = {"name", "processorArchitecture",
					     "publicKeyToken", "language",
					     "versionScope"};
	_cleanup_free_ char *scope = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		_cleanup_free_ char *value = answer_attribute(component, needed[i]);

		if (!value || !*value)
			return answer_refuse(answer, component, err,
					     "the component lacks the attribute %s",
					     needed[i]);
	}
	scope = answer_attribute(component, "versionScope");
	if (strcmp(scope, "nonSxS") != 0 && strcmp(scope, "SxS") != 0)
		return answer_refuse(answer, component, err,
				     "versionScope is neither nonSxS nor SxS");
	return 0;
}

static int check_settings(const struct answer *answer, const xmlNode *settings,
			  unsigned *seen, struct error *err)
{
	_cleanup_free_ char *pass = answer_attribute(settings, "pass");
	unsigned which = pass ? answer_pass_parse(pass) : 0;

	if (!pass)
		return answer_refuse(answer, settings, err,
				     "the settings lack the attribute pass");
	if (!which) {
		answer_refuse(answer, settings, err, "there is no pass of this name");
		return error_remedy(err, "passes are windowsPE, offlineServicing, "
					 "generalize, specialize, auditSystem, auditUser "
					 "and oobeSystem");
	}
	if (*seen & which) {
		answer_refuse(answer, settings, err, "the pass %s is there twice", pass);
		return error_remedy(err, "put its components into one settings element");
	}
	*seen |= which;
	for (xmlNode *c = answer_first(settings, NULL); c; c = answer_next(c, NULL)) {
		if (!answer_is(c, "component"))
			return answer_refuse(answer, c, err,
					     "settings hold components only");
		if (check_component(answer, c, err) < 0)
			return -1;
	}
	return 0;
}

static int check_form(const struct answer *answer, struct error *err)
{
	xmlNode *root = xmlDocGetRootElement(answer->doc);
	unsigned seen = 0;

	if (!root || !answer_is(root, "unattend")) {
		answer_refuse(answer, root, err, "is no answer file");
		return error_remedy(err, "its root is to be <unattend xmlns=\"%s\">",
				    ANSWER_NAMESPACE);
	}
	for (xmlNode *s = answer_first(root, NULL); s; s = answer_next(s, NULL)) {
		if (answer_is(s, "settings")) {
			if (check_settings(answer, s, &seen, err) < 0)
				return -1;
		} else if (!answer_is(s, "servicing")) {
			return answer_refuse(answer, s, err,
					     "an answer file holds settings and "
					     "servicing only");
		}
	}
	return 0;
}

/* ---- loading -----------------------------------------------------------------------
 */

/* The bytes as they came, unless the offlineServicing pass was taken out. */
static void render(struct answer *answer, struct bytes original)
{
	xmlChar *text = NULL;
	int len = 0;

	if (!answer->actions.len && !answer->drivers.len && !answer->lua_set) {
		buffer_append(&answer->text, original.data, original.len);
		return;
	}
	xmlDocDumpMemoryEnc(answer->doc, &text, &len, "utf-8");
	if (text)
		buffer_append(&answer->text, text, (size_t)len);
	xmlFree(text);
}

struct answer *answer_parse(struct bytes text, const char *name, struct error *err)
{
	struct answer *answer = xcalloc(1, sizeof(*answer));

	answer->name = xstrdup(name);
	if (text.len > MAX_SIZE || text.len > INT_MAX)
		error_set(err, ERROR_USAGE, name, "is larger than %zu bytes", MAX_SIZE);
	else
		answer->doc = parse(text, name, err);
	if (answer->doc && check_nodes(answer, err) == 0 &&
	    check_form(answer, err) == 0 && answer_service(answer, err) == 0) {
		render(answer, text);
		return answer;
	}
	answer_close(answer);
	return NULL;
}

struct answer *answer_load(const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;

	if (file_read(path, MAX_SIZE, &text, err) < 0)
		return NULL;
	return answer_parse(buffer_view(&text), path, err);
}

void answer_close(struct answer *answer)
{
	if (!answer)
		return;
	xmlFreeDoc(answer->doc);
	/* It may hold passwords. */
	if (answer->text.data)
		explicit_bzero(answer->text.data, answer->text.len);
	buffer_free(&answer->text);
	strings_free(&answer->drivers);
	strings_free(&answer->actions);
	free(answer->name);
	free(answer);
}

void answer_closep(struct answer **answer)
{
	answer_close(*answer);
	*answer = NULL;
}

struct bytes answer_text(const struct answer *answer)
{
	return buffer_view(&answer->text);
}

const struct strings *answer_drivers(const struct answer *answer)
{
	return &answer->drivers;
}

void answer_report_free(struct answer_report *report)
{
	strings_free(&report->actions);
	strings_free(&report->warnings);
}
