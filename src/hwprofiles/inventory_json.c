/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON: populations with one PC in each line (docs/json.md describes the members), and
 * what PowerShell's Get-PnpDevice gives. CSV of the latter as well: the same columns.
 */
#include <json-c/json.h>

#include "base/text.h"
#include "hwprofiles/inventory_private.h"

#define JSON_MAX_DEPTH 16

/* NULL, with the error, for what is no JSON. The caller releases it. */
static struct json_object *parse(const char *text, size_t len, const char *path,
				 unsigned line, struct error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH);
	struct json_object *object;
	enum json_tokener_error code;
	size_t end;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)len);
	code = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	/* Where the text ends within a number or a name, one more byte decides. */
	if (code == json_tokener_continue) {
		object = json_tokener_parse_ex(tokener, "", 1);
		code = json_tokener_get_error(tokener);
	}
	while (end < len && strchr(" \t\r\n", text[end]))
		end++;
	json_tokener_free(tokener);
	if (code == json_tokener_success && object && end >= len)
		return object;
	json_object_put(object);
	for (size_t i = 0; i < end && i < len; i++)
		line += text[i] == '\n';
	inventory_error(err, path, line, "is no JSON: %s",
			code == json_tokener_success ? "something follows the value"
						     : json_tokener_error_desc(code));
	error_remedy(err, "give one JSON object for each PC");
	return NULL;
}

static const char *string_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    json_object_get_type(value) != json_type_string)
		return NULL;
	return json_object_get_string(value);
}

static struct json_object *array_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) &&
			       json_object_is_type(value, json_type_array)
		       ? value
		       : NULL;
}

static void take_strings(struct json_object *object, const char *key, struct strings *ret)
{
	struct json_object *array = array_of(object, key);
	size_t n = array ? json_object_array_length(array) : 0;

	if (n > 256)
		n = 256;
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (json_object_is_type(item, json_type_string))
			strings_push(ret, json_object_get_string(item));
	}
}

/* ---- populations
 * ------------------------------------------------------------------------------
 */

static void take_dmi(struct json_object *dmi, struct pc *pc)
{
	static const struct {
		const char *key;
		size_t offset;
	} fields[] = {
#define FIELD(key, member) {key, offsetof(struct pc_identity, member)}
		FIELD("sys_vendor", manufacturer),
		FIELD("product_name", product),
		FIELD("product_version", version),
		FIELD("sku", sku),
		FIELD("family", family),
		FIELD("board_vendor", board_manufacturer),
		FIELD("board_name", board_product),
		FIELD("board_version", board_version),
		FIELD("bios_vendor", bios_vendor),
		FIELD("bios_version", bios_version),
		FIELD("bios_date", bios_date),
#undef FIELD
	};
	struct json_object *uefi;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *value = string_of(dmi, fields[i].key);

		if (value && strcmp(value, "<BAD INDEX>") == 0)
			value = "";
		set_field((char **)(void *)((char *)&pc->identity + fields[i].offset),
			  value);
	}
	if (json_object_object_get_ex(dmi, "uefi", &uefi))
		pc->uefi = json_object_get_int(uefi) ? PC_YES : PC_NO;
	set_field(&pc->tpm, string_of(dmi, "tpm"));
	/* "2.0<TAB>Firmware Revision: 11.7" */
	if (pc->tpm)
		pc->tpm[strcspn(pc->tpm, "\t ")] = 0;
}

static uint32_t hex_item(struct json_object *array, size_t i, uint32_t missing)
{
	const char *text = json_object_get_string(json_object_array_get_idx(array, i));
	char *end;
	unsigned long value;

	if (!text || !*text)
		return missing;
	value = strtoul(text, &end, 16);
	return *end || value >= missing ? missing : (uint32_t)value;
}

/* [address, class + interface, vendor, device, subvendor, subdevice, revision, driver] */
static int take_pci(struct json_object *list, const char *path, unsigned line,
		    struct pc *pc, struct error *err)
{
	size_t n = json_object_array_length(list);

	pc->listed[PC_PCI] = true;
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		struct pci_function f;

		if (!json_object_is_type(item, json_type_array) ||
		    json_object_array_length(item) < 7)
			return inventory_error(err, path, line,
					       "has a \"pci\" item that is no list of "
					       "seven");
		f.class_code = hex_item(item, 1, PC_NO_CLASS);
		f.vendor = hex_item(item, 2, PC_NO_ID);
		f.device = hex_item(item, 3, PC_NO_ID);
		f.subvendor = hex_item(item, 4, PC_NO_ID);
		f.subdevice = hex_item(item, 5, PC_NO_ID);
		f.revision = hex_item(item, 6, PC_NO_ID);
		if (f.vendor == PC_NO_ID || f.device == PC_NO_ID)
			return inventory_error(err, path, line,
					       "has a \"pci\" item without vendor and "
					       "device");
		if (!f.subvendor || f.subvendor == PC_NO_ID)
			f.subvendor = f.subdevice = PC_NO_ID;
		if (inventory_add(pc, pci_device(&f, NULL), path, line, err) < 0)
			return -1;
	}
	return 0;
}

/* {"hardware_ids":[...],"compatible_ids":[...],"name":...} or a plain modalias. */
static int take_device(struct json_object *item, const char *path, unsigned line,
		       struct pc *pc, struct error *err)
{
	struct strings hardware = VEC_INIT;
	struct pc_device device;

	if (json_object_is_type(item, json_type_string)) {
		if (!modalias_device(json_object_get_string(item), &device))
			return 0;
		pc->listed[device.bus] = true;
		return inventory_add(pc, device, path, line, err);
	}
	take_strings(item, "hardware_ids", &hardware);
	if (!hardware.len) {
		strings_free(&hardware);
		return inventory_error(err, path, line,
				       "has a device without \"hardware_ids\"");
	}
	device = windows_device(hardware.items[0], string_of(item, "name"));
	strings_free(&device.hardware_ids);
	device.hardware_ids = hardware;
	take_strings(item, "compatible_ids", &device.compatible_ids);
	pc->listed[device.bus] = true;
	return inventory_add(pc, device, path, line, err);
}

static int take_devices(struct json_object *list, const char *path, unsigned line,
			struct pc *pc, struct error *err)
{
	size_t n = json_object_array_length(list);

	for (size_t i = 0; i < n; i++)
		if (take_device(json_object_array_get_idx(list, i), path, line, pc, err) <
		    0)
			return -1;
	return 0;
}

/* The list of ACPI tables: DMAR or IVRS is there where an IOMMU is. */
static void take_tables(struct json_object *list, struct pc *pc)
{
	size_t n = json_object_array_length(list);

	pc->iommu = PC_NO;
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *signature = json_object_is_type(item, json_type_object)
						? string_of(item, "sig")
						: NULL;

		if (!signature)
			continue;
		pc->acpi = PC_YES;
		if (strcmp(signature, "DMAR") == 0 || strcmp(signature, "IVRS") == 0)
			pc->iommu = PC_YES;
		else if (strcmp(signature, "TPM2") == 0)
			set_field(&pc->tpm, "2.0");
		else if (strcmp(signature, "UEFI") == 0)
			pc->uefi = PC_YES;
	}
}

/* Texts of lspci, as Qubes' reports have them. */
static int take_texts(struct json_object *object, const char *path, unsigned line,
		      struct pc *pc, struct error *err)
{
	static const struct {
		const char *key;
		uint32_t class_code;
	} texts[] = {{"chipset", 0x060000}, {"gpu", 0x030000}, {"network", 0x020000}};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = string_of(object, texts[i].key);

		if (text &&
		    read_functions(text, texts[i].class_code, path, line, pc, err) < 0)
			return -1;
	}
	return 0;
}

int read_json_pc(const char *text, size_t len, const char *path, unsigned line,
		 struct pc *pc, struct error *err)
{
	struct json_object *object = parse(text, len, path, line, err), *part;
	const char *vendor, *model;
	int result = 0;

	if (!object)
		return -1;
	vendor = string_of(object, "vendor") ?: string_of(object, "brand");
	model = string_of(object, "model");
	if (vendor && model)
		pc->label = xasprintf("%s %s", vendor, model);
	set_field(&pc->id, string_of(object, "id"));
	set_field(&pc->type, string_of(object, "type"));
	set_field(&pc->tpm, string_of(object, "tpm"));
	if (string_of(object, "iommu"))
		pc->iommu = strcmp(string_of(object, "iommu"), "yes") == 0  ? PC_YES
			    : strcmp(string_of(object, "iommu"), "no") == 0 ? PC_NO
									    : PC_UNKNOWN;
	if (json_object_object_get_ex(object, "dmi", &part) &&
	    json_object_is_type(part, json_type_object))
		take_dmi(part, pc);
	if ((part = array_of(object, "pci")))
		result = take_pci(part, path, line, pc, err);
	if (result == 0 && (part = array_of(object, "devices")))
		result = take_devices(part, path, line, pc, err);
	if (result == 0)
		result = take_texts(object, path, line, pc, err);
	if ((part = array_of(object, "tables")))
		take_tables(part, pc);
	if (result == 0 && !pc->label && !pc->identity.product && !pc->devices.len) {
		inventory_error(err, path, line, "says nothing of a PC");
		result = error_remedy(err, "each object needs \"vendor\" and \"model\", "
					   "\"dmi\", \"pci\" or \"devices\"");
	}
	json_object_put(object);
	return result;
}

/* ---- Get-PnpDevice
 * ------------------------------------------------------------------------------
 */

/* The first of the instance paths is no hardware ID list, but its head is one. */
static int take_pnp(const char *instance, const char *name, struct strings *hardware,
		    struct strings *compatible, const char *path, unsigned line,
		    struct pc *pc, struct error *err)
{
	struct pc_device device =
		windows_device(hardware->len ? hardware->items[0] : instance, name);

	device.hardware_ids = *hardware;
	device.compatible_ids = *compatible;
	*hardware = *compatible = (struct strings)VEC_INIT;
	/* Software devices, volumes and the like stand for no hardware. */
	if (device.bus == PC_OTHER && !text_starts_with(device.id, "VMBUS\\") &&
	    !text_starts_with(device.id, "HDAUDIO\\")) {
		pc_device_free(&device);
		return 0;
	}
	pc->listed[device.bus] = true;
	return inventory_add(pc, device, path, line, err);
}

static int take_pnp_object(struct json_object *item, const char *path, struct pc *pc,
			   struct error *err)
{
	struct strings hardware = VEC_INIT, compatible = VEC_INIT;
	const char *instance =
		string_of(item, "InstanceId") ?: string_of(item, "PNPDeviceID");
	int result;

	if (!instance)
		return inventory_error(err, path, 1, "has an object without InstanceId");
	take_strings(item, "HardwareID", &hardware);
	take_strings(item, "CompatibleID", &compatible);
	result = take_pnp(instance,
			  string_of(item, "FriendlyName") ?: string_of(item, "Name"),
			  &hardware, &compatible, path, 1, pc, err);
	strings_free(&hardware);
	strings_free(&compatible);
	return result;
}

int read_pnp_json(const char *text, size_t len, const char *path, struct pc *pc,
		  struct error *err)
{
	struct json_object *value = parse(text, len, path, 1, err);
	bool list = json_object_is_type(value, json_type_array);
	size_t n = list ? json_object_array_length(value) : 1;
	int result = 0;

	if (!value)
		return -1;
	for (size_t i = 0; i < n && result == 0; i++)
		result = take_pnp_object(list ? json_object_array_get_idx(value, i)
					      : value,
					 path, pc, err);
	json_object_put(value);
	return result;
}

/*
 * One field of a CSV line: "text with ""quotes""" or plain, up to `separator`. Returns
 * what follows, NULL at the end of the line. In place.
 */
static char *csv_field(char *at, char separator, char **field)
{
	char *to = at;

	*field = at;
	if (*at != '"') {
		char *end = strchr(at, separator);

		if (end)
			*end = 0;
		return end ? end + 1 : NULL;
	}
	for (at++; *at; at++) {
		if (*at == '"' && at[1] != '"')
			break;
		if (*at == '"')
			at++;
		*to++ = *at;
	}
	if (*at == '"')
		at++;
	separator = *at;
	*to = 0;
	return separator ? at + 1 : NULL;
}

#define CSV_MAX_COLUMNS 64

static size_t csv_line(char *line, char separator, char *fields[CSV_MAX_COLUMNS])
{
	size_t n = 0;

	while (line && n < CSV_MAX_COLUMNS)
		line = csv_field(line, separator, &fields[n++]);
	return n;
}

static size_t column(char *const fields[], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (text_equal(fields[i], name))
			return i;
	return CSV_MAX_COLUMNS;
}

/* Lists are ToString()ed by Export-Csv ("System.String[]"): then the instance tells. */
static void split_ids(const char *text, struct strings *ret)
{
	while (*text && strncmp(text, "System.", 7) != 0) {
		size_t len = strcspn(text, ",;| ");

		if (len)
			vec_push(ret, xstrndup(text, len));
		text += len + (text[len] != 0);
	}
}

int read_pnp_csv(char *text, const char *path, struct pc *pc, struct error *err)
{
	struct lines lines = {text, 0};
	char *line = next_line(&lines), *fields[CSV_MAX_COLUMNS];
	size_t n, instance, name, hardware_column, compatible_column;
	char separator;

	/* Export-Csv of Windows PowerShell writes the type first. */
	if (line && strncmp(line, "#TYPE", 5) == 0)
		line = next_line(&lines);
	separator = line && strchr(line, ';') && !strchr(line, ',') ? ';' : ',';
	n = line ? csv_line(line, separator, fields) : 0;
	instance = column(fields, n, "InstanceId");
	if (instance == CSV_MAX_COLUMNS)
		instance = column(fields, n, "PNPDeviceID");
	name = column(fields, n, "FriendlyName");
	hardware_column = column(fields, n, "HardwareID");
	compatible_column = column(fields, n, "CompatibleID");
	if (instance == CSV_MAX_COLUMNS)
		return inventory_error(err, path, lines.number,
				       "has no column InstanceId");
	while ((line = next_line(&lines))) {
		struct strings hardware = VEC_INIT, compatible = VEC_INIT;
		int result = 0;

		n = csv_line(line, separator, fields);
		if (instance < n && hardware_column < n)
			split_ids(fields[hardware_column], &hardware);
		if (instance < n && compatible_column < n)
			split_ids(fields[compatible_column], &compatible);
		if (instance < n && *fields[instance])
			result = take_pnp(fields[instance],
					  name < n ? fields[name] : NULL, &hardware,
					  &compatible, path, lines.number, pc, err);
		strings_free(&hardware);
		strings_free(&compatible);
		if (result < 0)
			return -1;
	}
	return 0;
}
