/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Objects and elements of a BCD store: found, made, and their typed values. */
#include "base/text.h"
#include "windows/bcd_store.h"

#define INTEGER_SIZE 8u

/* ---- objects ---- */

static int compare_guid_text(const struct guid *a, const struct guid *b)
{
	char x[GUID_TEXT_SIZE], y[GUID_TEXT_SIZE];

	guid_format(a, x);
	guid_format(b, y);
	return strcmp(x, y);
}

struct bcd_object *bcd_object_find(const struct bcd_store *store, const struct guid *guid)
{
	vec_foreach (object, &store->objects)
		if (guid_equal(&object->guid, guid))
			return object;
	return NULL;
}

struct bcd_object *bcd_object_add(struct bcd_store *store, const struct guid *guid,
				  uint32_t type)
{
	struct bcd_object *found = bcd_object_find(store, guid);
	size_t at;

	if (found)
		return found;
	vec_push(&store->objects, (struct bcd_object){0});
	for (at = store->objects.len - 1;
	     at > 0 && compare_guid_text(&store->objects.items[at - 1].guid, guid) > 0;
	     at--)
		store->objects.items[at] = store->objects.items[at - 1];
	store->objects.items[at] = (struct bcd_object){.guid = *guid, .type = type};
	return &store->objects.items[at];
}

/* ---- elements ---- */

enum bcd_format bcd_element_format(uint32_t type)
{
	return (enum bcd_format)(type >> 24 & 0xf);
}

static struct bcd_element *find(const struct bcd_object *object, uint32_t type)
{
	vec_foreach (element, &object->elements)
		if (element->type == type)
			return element;
	return NULL;
}

const struct bcd_element *bcd_element_find(const struct bcd_object *object, uint32_t type)
{
	return find(object, type);
}

/* The element, emptied, with the registry type that its format has. */
static struct buffer *set(struct bcd_object *object, uint32_t type)
{
	static const uint8_t reg_types[] = {
		[BCD_FORMAT_DEVICE] = REG_BINARY,  [BCD_FORMAT_STRING] = REG_SZ,
		[BCD_FORMAT_OBJECT] = REG_SZ,	   [BCD_FORMAT_OBJECTS] = REG_MULTI_SZ,
		[BCD_FORMAT_INTEGER] = REG_BINARY, [BCD_FORMAT_BOOLEAN] = REG_BINARY,
		[BCD_FORMAT_INTEGERS] = REG_BINARY};
	size_t format = bcd_element_format(type), at;
	struct bcd_element *element = find(object, type);

	if (!element) {
		vec_push(&object->elements, (struct bcd_element){0});
		for (at = object->elements.len - 1;
		     at > 0 && object->elements.items[at - 1].type > type; at--)
			object->elements.items[at] = object->elements.items[at - 1];
		element = &object->elements.items[at];
		*element = (struct bcd_element){.type = type};
	}
	element->reg_type =
		format < ARRAY_SIZE(reg_types) ? reg_types[format] : REG_BINARY;
	element->data.len = 0;
	return &element->data;
}

void bcd_unset(struct bcd_object *object, uint32_t type)
{
	struct bcd_element *element = find(object, type);
	size_t at;

	if (!element)
		return;
	buffer_free(&element->data);
	at = (size_t)(element - object->elements.items);
	object->elements.len--;
	memmove(element, element + 1, (object->elements.len - at) * sizeof(*element));
}

void bcd_set_text(struct bcd_object *object, uint32_t type, const char *text)
{
	utf16_append_z(set(object, type), text);
}

void bcd_set_guid(struct bcd_object *object, uint32_t type, const struct guid *guid)
{
	char text[GUID_TEXT_SIZE];

	guid_format(guid, text);
	bcd_set_text(object, type, text);
}

void bcd_set_guids(struct bcd_object *object, uint32_t type, const struct guid *guids,
		   size_t count)
{
	struct buffer *data = set(object, type);

	for (size_t i = 0; i < count; i++) {
		char text[GUID_TEXT_SIZE];

		guid_format(&guids[i], text);
		utf16_append_z(data, text);
	}
	buffer_append_le16(data, 0);
}

void bcd_set_integer(struct bcd_object *object, uint32_t type, uint64_t v)
{
	buffer_append_le64(set(object, type), v);
}

void bcd_set_boolean(struct bcd_object *object, uint32_t type, bool v)
{
	uint8_t byte = v;

	buffer_append(set(object, type), &byte, 1);
}

void bcd_set_bytes(struct bcd_object *object, uint32_t type, struct bytes data)
{
	buffer_append(set(object, type), data.data, data.len);
}

void bcd_set_raw(struct bcd_object *object, const struct bcd_element *element)
{
	bcd_set_bytes(object, element->type, buffer_view(&element->data));
	find(object, element->type)->reg_type = element->reg_type;
}

void bcd_set_device(struct bcd_object *object, uint32_t type,
		    const struct bcd_device *device)
{
	bcd_device_format(device, set(object, type));
}

/* ---- values ---- */

char *bcd_get_text(const struct bcd_object *object, uint32_t type)
{
	const struct bcd_element *element = find(object, type);

	if (!element ||
	    (element->reg_type != REG_SZ && element->reg_type != REG_EXPAND_SZ))
		return NULL;
	return utf16_to_utf8(element->data.data, element->data.len);
}

bool bcd_get_guid(const struct bcd_object *object, uint32_t type, struct guid *ret)
{
	_cleanup_free_ char *text = bcd_get_text(object, type);

	return text && guid_parse(text, ret);
}

bool bcd_get_guids(const struct bcd_object *object, uint32_t type, struct bcd_guids *ret)
{
	const struct bcd_element *element = find(object, type);
	size_t begin = 0, len;

	if (!element || element->reg_type != REG_MULTI_SZ)
		return false;
	len = element->data.len / 2 * 2;
	for (size_t at = 0; at < len; at += 2) {
		_cleanup_free_ char *text = NULL;
		struct guid guid;

		if (get_le16(element->data.data + at) != 0)
			continue;
		if (at == begin)
			break; /* the empty string ends the list */
		text = utf16_to_utf8(element->data.data + begin, at - begin);
		if (!guid_parse(text, &guid))
			return false;
		vec_push(ret, guid);
		begin = at + 2;
	}
	return true;
}

bool bcd_get_integer(const struct bcd_object *object, uint32_t type, uint64_t *ret)
{
	const struct bcd_element *element = find(object, type);
	uint8_t le[INTEGER_SIZE] = {0};

	if (!element || element->data.len == 0 || element->data.len > INTEGER_SIZE)
		return false;
	memcpy(le, element->data.data, element->data.len);
	*ret = get_le64(le);
	return true;
}

bool bcd_get_boolean(const struct bcd_object *object, uint32_t type, bool *ret)
{
	const struct bcd_element *element = find(object, type);

	if (!element || element->data.len == 0)
		return false;
	*ret = element->data.data[0] != 0;
	return true;
}
