/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BCD stores as objects with elements: read from a hive, written as a new one. */
#include "windows/bcd_store.h"

#include <stdio.h>

#include "base/text.h"

/* What bcdedit and bcdboot call the root key of a store that they make. */
#define ROOT_NAME "NewStoreRoot"
#define ELEMENT_DIGITS 8

/* ---- reading ---- */

static bool element_type(const char *name, uint32_t *ret)
{
	char *end;

	if (strlen(name) != ELEMENT_DIGITS ||
	    strspn(name, "0123456789abcdefABCDEF") != ELEMENT_DIGITS)
		return false;
	*ret = (uint32_t)strtoul(name, &end, 16);
	return true;
}

static int too_many(const char *name, struct error *err, const char *what, uint32_t limit)
{
	error_set(err, ERROR_STATE, name, "the BCD store has more than %u %s", limit,
		  what);
	return error_remedy(err, "restore the store, or make it anew with bcdboot");
}

static int read_element(const struct hive *hive, hkey key, const char *name,
			struct bcd_object *object, struct error *err)
{
	_cleanup_free_ char *digits = hive_key_name(hive, key);
	_cleanup_reg_value_ struct reg_value value = {0};
	struct bcd_element element = {0};
	int found;

	if (!digits || !element_type(digits, &element.type))
		return 0;
	found = hive_value(hive, key, "Element", &value, err);
	if (found <= 0)
		return found;
	if (value.len > BCD_VALUE_MAX)
		return too_many(name, err, "bytes in an element", BCD_VALUE_MAX);
	element.reg_type = value.type;
	buffer_append(&element.data, value.data, value.len);
	vec_push(&object->elements, element);
	return 0;
}

static int compare_elements(const void *a, const void *b)
{
	uint32_t x = ((const struct bcd_element *)a)->type,
		 y = ((const struct bcd_element *)b)->type;

	return x < y ? -1 : x > y;
}

static int read_elements(const struct hive *hive, hkey key, const char *name,
			 struct bcd_object *object, struct error *err)
{
	hkey list = hive_find(hive, key, "Elements");
	uint32_t count = list ? hive_child_count(hive, list) : 0;

	if (count > BCD_ELEMENTS_MAX)
		return too_many(name, err, "elements in an object", BCD_ELEMENTS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		hkey child = hive_child(hive, list, i);

		if (child && read_element(hive, child, name, object, err) < 0)
			return -1;
	}
	/* Keys are in the order of their names, where 250000F3 and 250000c2 mix. */
	if (object->elements.len > 1)
		qsort(object->elements.items, object->elements.len,
		      sizeof(*object->elements.items), compare_elements);
	return 0;
}

static int read_object(const struct hive *hive, hkey key, const char *name,
		       struct bcd_store *ret, struct error *err)
{
	_cleanup_free_ char *text = hive_key_name(hive, key);
	hkey description = hive_find(hive, key, "Description");
	struct bcd_object object = {0};

	if (!text || !guid_parse(text, &object.guid))
		return 0;
	if (description)
		(void)hive_get_dword(hive, description, "Type", &object.type);
	/* Before it is filled: then it is freed with the store. */
	vec_push(&ret->objects, object);
	return read_elements(hive, key, name, &ret->objects.items[ret->objects.len - 1],
			     err);
}

static bool flag(const struct hive *hive, hkey key, const char *name)
{
	uint32_t v = 0;

	return key && hive_get_dword(hive, key, name, &v) && v != 0;
}

int bcd_store_read(const struct hive *hive, const char *name, struct bcd_store *ret,
		   struct error *err)
{
	hkey description = hive_find(hive, hive_root(hive), "Description");
	hkey list = hive_find(hive, hive_root(hive), "Objects");
	uint32_t count = list ? hive_child_count(hive, list) : 0;

	if (!list) {
		error_set(err, ERROR_STATE, name,
			  "no BCD store: the hive has no key \"Objects\"");
		return error_remedy(err,
				    "restore the store, or make it anew with bcdboot");
	}
	if (count > BCD_OBJECTS_MAX)
		return too_many(name, err, "objects", BCD_OBJECTS_MAX);
	ret->key_name =
		description ? hive_get_string(hive, description, "KeyName") : NULL;
	ret->system = flag(hive, description, "System");
	ret->treat_as_system = flag(hive, description, "TreatAsSystem");
	ret->firmware_modified = flag(hive, description, "FirmwareModified");
	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(hive, list, i);

		if (key && read_object(hive, key, name, ret, err) < 0) {
			bcd_store_free(ret);
			return -1;
		}
	}
	return 0;
}

int bcd_store_parse(struct bytes file, const char *name, struct bcd_store *ret,
		    struct error *err)
{
	struct hive_options options = {.name = name};
	_cleanup_hive_ struct hive *hive = hive_open(file, &options, err);

	return hive ? bcd_store_read(hive, name, ret, err) : -1;
}

void bcd_store_free(struct bcd_store *store)
{
	vec_foreach (object, &store->objects) {
		vec_foreach (element, &object->elements)
			buffer_free(&element->data);
		vec_free(&object->elements);
	}
	vec_free(&store->objects);
	free(store->key_name);
	*store = (struct bcd_store){0};
}

/* ---- writing ---- */

static int write_object(struct hive *hive, hkey list, const struct bcd_object *object,
			struct error *err)
{
	char name[GUID_TEXT_SIZE];
	hkey key, child, elements;

	guid_format(&object->guid, name);
	if (hive_create(hive, list, name, &key, err) < 0 ||
	    hive_create(hive, key, "Description", &child, err) < 0 ||
	    hive_set_dword(hive, child, "Type", object->type, err) < 0 ||
	    hive_create(hive, key, "Elements", &elements, err) < 0)
		return -1;
	vec_foreach (element, &object->elements) {
		char digits[ELEMENT_DIGITS + 1];

		snprintf(digits, sizeof(digits), "%08x", element->type);
		if (hive_create(hive, elements, digits, &child, err) < 0 ||
		    hive_set(hive, child, "Element", element->reg_type,
			     buffer_view(&element->data), err) < 0)
			return -1;
	}
	return 0;
}

int bcd_store_write(const struct bcd_store *store, struct buffer *ret, struct error *err)
{
	_cleanup_hive_ struct hive *hive = hive_new(ROOT_NAME, err);
	hkey description, objects;

	if (!hive ||
	    hive_create(hive, hive_root(hive), "Description", &description, err) < 0 ||
	    hive_set_string(hive, description, "KeyName", REG_SZ,
			    store->key_name ? store->key_name : "BCD00000000", err) < 0 ||
	    (store->system && hive_set_dword(hive, description, "System", 1, err) < 0) ||
	    (store->treat_as_system &&
	     hive_set_dword(hive, description, "TreatAsSystem", 1, err) < 0) ||
	    (store->firmware_modified &&
	     hive_set_dword(hive, description, "FirmwareModified", 1, err) < 0) ||
	    hive_create(hive, hive_root(hive), "Objects", &objects, err) < 0)
		return -1;
	vec_foreach (object, &store->objects)
		if (write_object(hive, objects, object, err) < 0)
			return -1;
	return hive_serialize(hive, ret, err);
}
