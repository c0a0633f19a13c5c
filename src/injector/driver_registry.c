/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AddReg, DelReg and AddProperty lists to typed operations. Flags and their meaning are
 * those of "INF AddReg directive", "INF DelReg directive" and "INF AddProperty
 * directive"; data are turned into what the hive stores.
 */
#include "base/text.h"
#include "injector/driver_private.h"

#define FLAG_BINARY 0x1u /* the low bit tells binary data from strings */
#define FLAG_DELETE_VALUE 0x4u
#define FLAG_APPEND 0x8u
#define FLAG_KEY_ONLY 0x10u
#define FLAG_KEY_ONLY_COMMON 0x2000u
#define FLAG_DELETE_STRING 0x18002u
#define TYPE_MASK 0xFFFF0001u

enum {
	TYPE_NONE = 0,
	TYPE_SZ = 1,
	TYPE_EXPAND_SZ = 2,
	TYPE_BINARY = 3,
	TYPE_DWORD = 4,
	TYPE_MULTI_SZ = 7,
	TYPE_QWORD = 11,
};

static const struct {
	const char *name;
	enum inf_root root;
} roots[] = {
	{"HKR", INF_HKR},   {"HKLM", INF_HKLM},	     {"HKEY_LOCAL_MACHINE", INF_HKLM},
	{"HKCR", INF_HKCR}, {"HKCU", INF_HKCU},	     {"HKEY_CLASSES_ROOT", INF_HKCR},
	{"HKU", INF_HKU},   {"HKEY_USERS", INF_HKU}, {"HKEY_CURRENT_USER", INF_HKCU},
};

void reg_free(struct inf_reg *reg)
{
	free(reg->key);
	free(reg->name);
	free(reg->token);
	free(reg->token_inf);
	buffer_free(&reg->data);
}

void regs_free(struct inf_regs *regs)
{
	vec_foreach (reg, regs)
		reg_free(reg);
	vec_free(regs);
}

char *defined_token(struct inf *inf, const char *raw)
{
	_cleanup_free_ char *token = inf_token(raw);
	const char *start = token && inf_string(inf, token) ? strchr(raw, '%') : NULL;

	return start ? xstrndup(start + 1, strcspn(start + 1, "%")) : NULL;
}

static bool parse_root(const char *name, enum inf_root *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		if (text_equal(roots[i].name, name)) {
			*ret = roots[i].root;
			return true;
		}
	return false;
}

/* A registry path without outer, doubled or forward separators at its ends. */
static char *clean_key(const char *path)
{
	struct buffer b = BUFFER_INIT;

	while (*path) {
		size_t n = strcspn(path, "\\");

		if (n) {
			if (b.len)
				buffer_append(&b, "\\", 1);
			buffer_append(&b, path, n);
		}
		path += n + (path[n] != 0);
	}
	return buffer_steal_string(&b);
}

static char *text_field(struct reading *r, struct inf *inf, const struct inf_line *line,
			size_t i, bool expand)
{
	return resolve_dirids(r, inf_field_marked(inf, line, i), expand);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes as SetupGetBinaryField() reads them: hexadecimal, each a field of its own. */
static bool parse_bytes(struct inf *inf, const struct inf_line *line, size_t first,
			struct buffer *to)
{
	for (size_t i = first; i < line->fields; i++) {
		const char *text = inf_field(inf, line, i);
		unsigned v = 0;
		uint8_t byte;

		if (text[0] == '0' && (text[1] | 0x20) == 'x')
			text += 2;
		for (; *text; text++) {
			int digit = hex_digit(*text);

			if (digit < 0)
				return false;
			v = v * 16 + (unsigned)digit;
			if (v > 0xFF)
				return false;
		}
		byte = (uint8_t)v;
		buffer_append(to, &byte, 1);
	}
	return true;
}

/* One number, or its bytes one by one. */
static bool parse_integer(struct inf *inf, const struct inf_line *line, size_t first,
			  size_t size, struct buffer *to)
{
	uint8_t bytes[8] = {0};

	if (line->fields == first + size)
		return parse_bytes(inf, line, first, to);
	if (line->fields > first) {
		const char *text = inf_field(inf, line, first);
		bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
		bool negative = *text == '-';
		uint64_t v;
		char *end;

		text += negative || *text == '+';
		if (*text && (*text < '0' || *text > '9'))
			return false;
		v = strtoull(text, &end, hex ? 16 : 10);
		if (*end)
			return false;
		put_le64(bytes, negative ? 0 - v : v);
	}
	buffer_append(to, bytes, size);
	return true;
}

static void parse_strings(struct reading *r, struct inf *inf, const struct inf_line *line,
			  size_t first, struct buffer *to)
{
	for (size_t i = first; i < line->fields; i++) {
		_cleanup_free_ char *text = text_field(r, inf, line, i, false);

		if (*text) /* an empty one would end the list */
			utf16_append_z(to, text);
	}
	buffer_append_le16(to, 0);
}

/* Type and data of a value from field `first` on. False: not what the type asks for. */
static bool parse_data(struct reading *r, struct inf *inf, const struct inf_line *line,
		       uint32_t flags, size_t first, struct inf_reg *reg)
{
	_cleanup_free_ char *text = NULL;

	switch (flags & TYPE_MASK) {
	case 0x00000:
		reg->type = TYPE_SZ;
		break;
	case 0x20000:
		reg->type = TYPE_EXPAND_SZ;
		break;
	case 0x10000:
		reg->type = TYPE_MULTI_SZ;
		parse_strings(r, inf, line, first, &reg->data);
		return true;
	case 0x10001:
		reg->type = TYPE_DWORD;
		return parse_integer(inf, line, first, 4, &reg->data);
	case 0xB0001:
		reg->type = TYPE_QWORD;
		return parse_integer(inf, line, first, 8, &reg->data);
	case 0x20001:
		reg->type = TYPE_NONE;
		return parse_bytes(inf, line, first, &reg->data);
	case 0x00001:
		reg->type = TYPE_BINARY;
		return parse_bytes(inf, line, first, &reg->data);
	default:
		reg->type = flags >> 16;
		if (flags & FLAG_BINARY)
			return parse_bytes(inf, line, first, &reg->data);
		reg->type = TYPE_SZ; /* string types of no known number */
		break;
	}
	text = text_field(r, inf, line, first, reg->type == TYPE_EXPAND_SZ);
	utf16_append_z(&reg->data, text);
	return true;
}

static enum inf_reg_kind kind_of(bool delete, uint32_t flags, const char *name)
{
	if (delete) {
		if ((flags & FLAG_DELETE_STRING) == FLAG_DELETE_STRING)
			return INF_REG_DELETE_STRING;
		return !*name || (flags & FLAG_KEY_ONLY_COMMON) ? INF_REG_DELETE_KEY
								: INF_REG_DELETE_VALUE;
	}
	if (flags & FLAG_DELETE_VALUE)
		return *name ? INF_REG_DELETE_VALUE : INF_REG_DELETE_KEY;
	if (flags & (FLAG_KEY_ONLY | FLAG_KEY_ONLY_COMMON))
		return INF_REG_KEY;
	if ((flags & FLAG_APPEND) && (flags & TYPE_MASK) == 0x10000)
		return INF_REG_APPEND;
	return INF_REG_SET;
}

struct reg_list {
	bool delete;
	struct inf_regs *to;
	struct strings *unsupported;
};

static int reg_line(struct reading *r, struct inf *inf, const struct inf_line *line,
		    void *arg)
{
	struct reg_list *list = arg;
	_cleanup_free_ char *key = NULL;
	struct inf_reg reg = {.line = line->number};
	const char *root = inf_field(inf, line, 0);
	bool good = true;

	if (!parse_root(root, &reg.root)) {
		reading_remark(r, list->unsupported, inf, line->number,
			       "registry root \"%s\", which is none", root);
		return 0;
	}
	key = text_field(r, inf, line, 1, false);
	reg.key = clean_key(key);
	reg.name = text_field(r, inf, line, 2, false);
	reg.flags = inf_number(inf, line, 3, 0);
	reg.kind = kind_of(list->delete, reg.flags, reg.name);
	if (reg.kind == INF_REG_SET || reg.kind == INF_REG_APPEND)
		good = parse_data(r, inf, line, reg.flags, 4, &reg);
	else if (reg.kind == INF_REG_DELETE_STRING)
		good = parse_data(r, inf, line, 0, 4, &reg);
	if (good && reg.kind == INF_REG_SET && reg.type == TYPE_SZ && line->fields == 5)
		reg.token = defined_token(inf, inf_field_raw(inf, line, 4));
	if (reg.token && inf != r->inf)
		reg.token_inf = xstrdup(inf_name(inf));
	if (!good) {
		reading_remark(r, list->unsupported, inf, line->number,
			       "data of the value \"%s\", which are not of its type",
			       reg.name);
		reg_free(&reg);
		return 0;
	}
	vec_push(list->to, reg);
	return 0;
}

int read_reg_lists(struct reading *r, struct inf *inf, const struct inf_line *line,
		   bool delete, struct inf_regs *to, struct strings *unsupported)
{
	struct reg_list list = {delete, to, unsupported};

	for (size_t i = 0; i < line->fields; i++) {
		const char *name = inf_field(inf, line, i);
		_cleanup_free_ char *security = NULL;
		bool found;

		if (!*name)
			continue;
		if (each_line(r, name, reg_line, &list, &found) < 0)
			return -1;
		if (!found)
			reading_remark(r, unsupported, inf, line->number,
				       "registry list [%s], which is missing", name);
		security = xasprintf("%s.Security", name);
		if (inf_find_section(inf, security) != INF_NONE)
			reading_remark(r, unsupported, inf, line->number,
				       "security descriptor [%s]", security);
	}
	return 0;
}

/* ---- AddProperty ------------------------------------------------------------------- */

/* Properties that have a name in INFs: DEVPKEY_DrvPkg_* and container metadata. */
static const struct {
	const char *name;
	uint32_t id;
	uint32_t type;
} named_properties[] = {
	{"DeviceModel", 2, 0x12},
	{"DeviceVendorWebsite", 3, 0x12},
	{"DeviceDetailedDescription", 4, 0x12},
	{"DeviceDocumentationLink", 5, 0x12},
	{"DeviceIcon", 6, 0x2012},
	{"DeviceBrandingIcon", 7, 0x2012},
};
#define DRIVER_PACKAGE_CATEGORY "cf73bb51-3abf-44a2-85e0-9a3dc7a12132"

#define PROPERTY_BOOLEAN 0x11u
#define PROPERTY_STRING 0x12u
#define PROPERTY_STRING_LIST 0x2012u
#define PROPERTY_UINT32 0x07u
#define PROPERTY_BINARY 0x1003u

struct property_list {
	struct inf_properties *to;
	struct strings *unsupported;
};

static bool property_data(struct reading *r, struct inf *inf, const struct inf_line *line,
			  struct inf_property *p)
{
	_cleanup_free_ char *text = NULL;
	uint32_t v;
	uint8_t byte;

	switch (p->type) {
	case PROPERTY_STRING:
		text = text_field(r, inf, line, 4, false);
		utf16_append_z(&p->data, text);
		return true;
	case PROPERTY_STRING_LIST:
		parse_strings(r, inf, line, 4, &p->data);
		return true;
	case PROPERTY_UINT32:
		return parse_integer(inf, line, 4, 4, &p->data);
	case PROPERTY_BOOLEAN:
		/* DEVPROP_TRUE is -1 in one byte */
		if (!inf_parse_number(inf_field(inf, line, 4), &v))
			return false;
		byte = v ? 0xFF : 0;
		buffer_append(&p->data, &byte, 1);
		return true;
	case PROPERTY_BINARY:
		return parse_bytes(inf, line, 4, &p->data);
	default:
		return false;
	}
}

static bool property_key(struct inf *inf, const struct inf_line *line,
			 struct inf_property *p)
{
	const char *name = inf_field(inf, line, 0);

	for (size_t i = 0; i < ARRAY_SIZE(named_properties); i++)
		if (text_equal(named_properties[i].name, name)) {
			p->id = named_properties[i].id;
			p->type = named_properties[i].type;
			return guid_parse(DRIVER_PACKAGE_CATEGORY, &p->category);
		}
	p->id = inf_number(inf, line, 1, 0);
	p->type = inf_number(inf, line, 2, 0);
	return guid_parse(name, &p->category) && p->id >= 2;
}

static int property_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			 void *arg)
{
	struct property_list *list = arg;
	struct inf_property p = {.flags = inf_number(inf, line, 3, 0)};

	if (!property_key(inf, line, &p) || !property_data(r, inf, line, &p)) {
		reading_remark(r, list->unsupported, inf, line->number,
			       "device property \"%s\"", inf_field(inf, line, 0));
		buffer_free(&p.data);
		return 0;
	}
	vec_push(list->to, p);
	return 0;
}

int read_property_lists(struct reading *r, struct inf *inf, const struct inf_line *line,
			struct inf_properties *to, struct strings *unsupported)
{
	struct property_list list = {to, unsupported};

	for (size_t i = 0; i < line->fields; i++) {
		const char *name = inf_field(inf, line, i);
		bool found;

		if (!*name)
			continue;
		if (each_line(r, name, property_line, &list, &found) < 0)
			return -1;
		if (!found)
			reading_remark(r, unsupported, inf, line->number,
				       "property list [%s], which is missing", name);
	}
	return 0;
}
