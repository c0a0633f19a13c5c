/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AddReg and DelReg lines: carried out on the image's hives, or recorded in the driver
 * database for the kernel, which carries them out when it configures a device.
 */
#include "base/text.h"
#include "injector/store_private.h"
#include "windows/sddl.h"

/* The upper half of a recorded value's type: what is to be done, as seen in real hives.
 */
#define RECORD_NOCLOBBER 0x20000u
#define RECORD_APPEND 0x40000u
#define RECORD_DELETE_KEY 0x100000u
#define RECORD_DELETE_VALUE 0x200000u
/* Properties: 0xFFFF0000 and the DEVPROP type. */
#define PROPERTY 0xFFFF0000u
#define DEVPROP_UINT32 0x07u
#define DEVPROP_BOOLEAN 0x11u
#define DEVPROP_STRING 0x12u
#define DEVPROP_SECURITY 0x13u
#define DEVPROP_STRING_INDIRECT 0x19u

/* ---- REG_MULTI_SZ ------------------------------------------------------------------ */

/* The strings of REG_MULTI_SZ or REG_SZ data. */
static void multi_split(struct bytes data, struct strings *ret)
{
	size_t start = 0;

	for (size_t at = 0; at + 2 <= data.len; at += 2) {
		if (get_le16(data.data + at) != 0)
			continue;
		if (at > start)
			vec_push(ret, utf16_to_utf8(data.data + start, at - start));
		start = at + 2;
	}
	if (data.len - start >= 2)
		vec_push(ret, utf16_to_utf8(data.data + start, data.len - start));
}

static void strings_insert_front(struct strings *s, const char *item)
{
	strings_push(s, item);
	for (size_t i = s->len - 1; i > 0; i--) {
		char *t = s->items[i];

		s->items[i] = s->items[i - 1];
		s->items[i - 1] = t;
	}
}

static int multi_add(struct hive *hive, hkey key, const char *name, const char *item,
		     bool front, struct error *err)
{
	struct strings items = VEC_INIT;
	int result = 0;

	hive_get_strings(hive, key, name, &items);
	if (!strings_contain(&items, item)) {
		if (front)
			strings_insert_front(&items, item);
		else
			strings_push(&items, item);
		result = hive_set_strings(hive, key, name, &items, err) < 0 ? -1 : 0;
	}
	strings_free(&items);
	return result;
}

int multi_prepend(struct hive *hive, hkey key, const char *name, const char *item,
		  struct error *err)
{
	return multi_add(hive, key, name, item, true, err);
}

int multi_append(struct hive *hive, hkey key, const char *name, const char *item,
		 struct error *err)
{
	return multi_add(hive, key, name, item, false, err);
}

int multi_remove(struct hive *hive, hkey key, const char *name, const char *item,
		 size_t *left, struct error *err)
{
	struct strings items = VEC_INIT, kept = VEC_INIT;
	int result = 0;

	hive_get_strings(hive, key, name, &items);
	vec_foreach (s, &items)
		if (!text_equal(*s, item))
			strings_push(&kept, *s);
	if (left)
		*left = kept.len;
	if (kept.len == 0 && items.len > 0)
		result = hive_unset(hive, key, name, err);
	else if (kept.len < items.len)
		result = hive_set_strings(hive, key, name, &kept, err);
	strings_free(&items);
	strings_free(&kept);
	return result < 0 ? -1 : 0;
}

/* ---- carrying out ------------------------------------------------------------------ */

static int apply_strings(struct hive *hive, hkey key, const struct inf_reg *reg,
			 struct error *err)
{
	struct strings items = VEC_INIT;
	int result = 0;

	multi_split(buffer_view(&reg->data), &items);
	for (size_t i = 0; i < items.len && result == 0; i++)
		result = reg->kind == INF_REG_APPEND
				 ? multi_append(hive, key, reg->name, items.items[i], err)
				 : multi_remove(hive, key, reg->name, items.items[i],
						NULL, err);
	strings_free(&items);
	return result;
}

int multi_apply(struct hive *hive, hkey key, const struct inf_regs *regs,
		struct error *err)
{
	vec_foreach (reg, regs) {
		struct inf_reg line = *reg;

		line.kind = INF_REG_APPEND;
		if (apply_strings(hive, key, &line, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_set(struct hive *hive, const char *path, const struct inf_reg *reg,
		     struct error *err)
{
	struct reg_value value = {0};
	hkey root = hive_root(hive), key = hive_find(hive, root, path);
	int found = 0;

	if (key) {
		found = hive_value(hive, key, reg->name, &value, err);
		reg_value_free(&value);
		if (found < 0)
			return -1;
	}
	if ((reg->flags & INF_REG_OVERWRITEONLY && !found) ||
	    (reg->flags & INF_REG_NOCLOBBER && found))
		return 0;
	if (!key && hive_create(hive, root, path, &key, err) < 0)
		return -1;
	return hive_set(hive, key, reg->name, reg->type, buffer_view(&reg->data), err) < 0
		       ? -1
		       : 0;
}

static int apply_line(struct hive *hive, const char *path, const struct inf_reg *reg,
		      struct error *err)
{
	hkey root = hive_root(hive), key;

	if (reg->kind == INF_REG_SET)
		return apply_set(hive, path, reg, err);
	if (reg->kind == INF_REG_KEY || reg->kind == INF_REG_APPEND) {
		if (hive_create(hive, root, path, &key, err) < 0)
			return -1;
		return reg->kind == INF_REG_APPEND ? apply_strings(hive, key, reg, err)
						   : 0;
	}
	key = hive_find(hive, root, path);
	if (!key || key == root)
		return 0;
	if (reg->kind == INF_REG_DELETE_KEY)
		return hive_delete(hive, key, err);
	if (reg->kind == INF_REG_DELETE_STRING)
		return apply_strings(hive, key, reg, err);
	return hive_unset(hive, key, reg->name, err) < 0 ? -1 : 0;
}

/* The rest of `path` after the component `first`; NULL if it does not start with it. */
static const char *after(const char *path, const char *first)
{
	size_t n = strlen(first);

	if (!text_starts_with(path, first) || (path[n] && path[n] != '\\'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

static char *join(const char *a, const char *b)
{
	return xasprintf("%s%s%s", a, *a && *b ? "\\" : "", b);
}

static int apply_system(const struct reg_target *t, const char *rest,
			const struct inf_reg *reg, struct error *err)
{
	const char *current = after(rest, "CurrentControlSet");

	if (!current)
		return apply_line(t->store->system, rest, reg, err);
	vec_foreach (set, &t->store->control_sets) {
		_cleanup_free_ char *path = join(*set, current);

		if (apply_line(t->store->system, path, reg, err) < 0)
			return -1;
	}
	return 0;
}

/* On 64-bit Windows 32-bit programs see SOFTWARE below WOW6432Node. */
static int apply_software(const struct reg_target *t, const char *rest,
			  const struct inf_reg *reg, struct error *err)
{
	enum windows_arch arch = t->store->installation->target.arch;
	const char *classes = after(rest, "Classes");
	_cleanup_free_ char *path = NULL;
	bool wow = reg->flags & INF_REG_32BIT && !(reg->flags & INF_REG_64BIT) &&
		   (arch == ARCH_AMD64 || arch == ARCH_ARM64);

	if (!t->store->software) {
		package_remark(t->package,
			       "the image has no SOFTWARE hive for HKLM\\SOFTWARE\\%s",
			       rest);
		return 0;
	}
	path = !wow	 ? xstrdup(rest)
	       : classes ? join("Classes\\WOW6432Node", classes)
			 : join("WOW6432Node", rest);
	return apply_line(t->store->software, path, reg, err);
}

static int apply_absolute(const struct reg_target *t, const struct inf_reg *reg,
			  struct error *err)
{
	_cleanup_free_ char *classes = NULL;
	const char *rest;

	if (reg->root == INF_HKCR) {
		classes = join("Classes", reg->key);
		return apply_software(t, classes, reg, err);
	}
	rest = reg->root == INF_HKLM ? after(reg->key, "SYSTEM") : NULL;
	if (rest)
		return apply_system(t, rest, reg, err);
	rest = reg->root == INF_HKLM ? after(reg->key, "SOFTWARE") : NULL;
	if (rest)
		return apply_software(t, rest, reg, err);
	package_remark(t->package, "not carried out: registry key %s\\%s (line %u)",
		       reg->root == INF_HKLM   ? "HKLM"
		       : reg->root == INF_HKCU ? "HKCU"
					       : "HKU",
		       reg->key, reg->line);
	return 0;
}

int registry_apply(const struct reg_target *target, const struct inf_regs *regs,
		   struct error *err)
{
	vec_foreach (reg, regs) {
		_cleanup_free_ char *path = NULL;

		if (reg->root != INF_HKR) {
			if (apply_absolute(target, reg, err) < 0)
				return -1;
			continue;
		}
		if (!target->hive)
			continue;
		path = join(target->key, reg->key);
		if (apply_line(target->hive, path, reg, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- recording --------------------------------------------------------------------- */

static const struct property_name {
	enum record_kind kind;
	const char *name, *key;
	uint32_t type;
} property_names[] = {
	{RECORD_DEVICE, "Security", "{a45c254e-df1c-4efd-8020-67d146a850e0}\\0019",
	 DEVPROP_SECURITY},
	{RECORD_DEVICE, "DeviceCharacteristics",
	 "{a45c254e-df1c-4efd-8020-67d146a850e0}\\001D", DEVPROP_UINT32},
	{RECORD_DEVICE, "UINumberDescFormat",
	 "{a45c254e-df1c-4efd-8020-67d146a850e0}\\001F", DEVPROP_STRING_INDIRECT},
	{RECORD_DEVICE, "FriendlyName", "{a45c254e-df1c-4efd-8020-67d146a850e0}\\000E",
	 DEVPROP_STRING_INDIRECT},
	{RECORD_DEVICE, "RemovalPolicy", "{a45c254e-df1c-4efd-8020-67d146a850e0}\\0023",
	 DEVPROP_UINT32},
	{RECORD_DRIVER, "EnumPropPages32", "{a8b865dd-2e3d-4094-ad97-e593a70c75d6}\\000A",
	 DEVPROP_STRING},
	{RECORD_DRIVER, "ResourcePickerTags",
	 "{a8b865dd-2e3d-4094-ad97-e593a70c75d6}\\000C", DEVPROP_STRING},
	{RECORD_DRIVER, "ResourcePickerExceptions",
	 "{a8b865dd-2e3d-4094-ad97-e593a70c75d6}\\000D", DEVPROP_STRING},
	{RECORD_DRIVER, "GenericDriverInstalled",
	 "{a8b865dd-2e3d-4094-ad97-e593a70c75d6}\\0012", DEVPROP_BOOLEAN},
};

/* "@oem3.inf,%Token%;text" where the text is a token's. */
static void indirect_string(const struct package *package, const struct inf_reg *reg,
			    const char *text, struct buffer *ret)
{
	const char *inf = reg->token_inf ? reg->token_inf : package->published;
	_cleanup_free_ char *indirect =
		reg->token ? xasprintf("@%s,%%%s%%;%s", inf, reg->token, text) : NULL;

	utf16_append_z(ret, indirect ? indirect : text);
}

static uint32_t first_dword(const struct inf_reg *reg)
{
	uint8_t v[4] = {0};

	memcpy(v, reg->data.data, reg->data.len < 4 ? reg->data.len : 4);
	return get_le32(v);
}

static int record_property(struct hive *hive, hkey configuration,
			   const struct property_name *p, const struct inf_reg *reg,
			   struct package *package, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("Properties\\%s", p->key);
	_cleanup_free_ char *text = utf16_to_utf8(reg->data.data, reg->data.len);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	hkey key;

	switch (p->type) {
	case DEVPROP_SECURITY:
		if (reg->type == REG_BINARY) {
			buffer_append(&data, reg->data.data, reg->data.len);
		} else if (!sddl_compile(text, &data)) {
			package_remark(package,
				       "security \"%s\" is not understood: the class's "
				       "holds (line %u)",
				       text, reg->line);
			return 0;
		}
		break;
	case DEVPROP_UINT32:
		buffer_append_le32(&data, first_dword(reg));
		break;
	case DEVPROP_BOOLEAN:
		/* DEVPROP_TRUE is -1, FALSE 0. */
		buffer_append(&data, first_dword(reg) ? "\xff" : "\0", 1);
		break;
	case DEVPROP_STRING_INDIRECT:
		indirect_string(package, reg, text, &data);
		break;
	default:
		utf16_append_z(&data, text);
		break;
	}
	if (hive_create(hive, configuration, path, &key, err) < 0)
		return -1;
	return hive_set(hive, key, "", PROPERTY | p->type, buffer_view(&data), err) < 0
		       ? -1
		       : 0;
}

static const struct property_name *find_property(const struct inf_reg *reg,
						 enum record_kind kind)
{
	if (reg->kind != INF_REG_SET || *reg->key)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(property_names); i++)
		if (property_names[i].kind == kind &&
		    text_equal(property_names[i].name, reg->name))
			return &property_names[i];
	return NULL;
}

static int record_line(struct hive *hive, hkey configuration, const char *subkey,
		       const struct inf_reg *reg, struct error *err)
{
	_cleanup_free_ char *path = join(subkey, reg->key);
	const char *name = reg->name;
	uint32_t type = reg->type;
	struct bytes data = buffer_view(&reg->data);
	char *last;
	hkey key;

	switch (reg->kind) {
	case INF_REG_KEY:
		return hive_create(hive, configuration, path, &key, err);
	case INF_REG_SET:
		if (reg->flags & INF_REG_NOCLOBBER)
			type |= RECORD_NOCLOBBER;
		break;
	case INF_REG_APPEND:
		type = RECORD_APPEND | REG_MULTI_SZ;
		break;
	case INF_REG_DELETE_VALUE:
		type = RECORD_DELETE_VALUE;
		data = (struct bytes){0};
		break;
	case INF_REG_DELETE_KEY:
		/* The key stands as a value's name in its parent. */
		last = strrchr(path, '\\');
		if (!last)
			return 0;
		*last = 0;
		name = last + 1;
		type = RECORD_DELETE_KEY;
		data = (struct bytes){0};
		break;
	default:
		return 0; /* taking one string out of a list has no record */
	}
	if (hive_create(hive, configuration, path, &key, err) < 0)
		return -1;
	return hive_set(hive, key, name, type, data, err) < 0 ? -1 : 0;
}

static bool is_filter_list(const struct inf_reg *reg)
{
	return !*reg->key && (text_equal(reg->name, "UpperFilters") ||
			      text_equal(reg->name, "LowerFilters"));
}

int registry_record(struct hive *hive, hkey configuration, const char *subkey,
		    const struct inf_regs *regs, enum record_kind kind,
		    struct package *package, struct error *err)
{
	vec_foreach (reg, regs) {
		const struct property_name *property = find_property(reg, kind);
		int result;

		if (reg->root != INF_HKR ||
		    (kind == RECORD_DEVICE && is_filter_list(reg)))
			continue;
		result = property ? record_property(hive, configuration, property, reg,
						    package, err)
				  : record_line(hive, configuration, subkey, reg, err);
		if (result < 0)
			return -1;
	}
	return 0;
}
