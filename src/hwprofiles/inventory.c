/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hwprofiles/inventory.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "hwprofiles/identity.h"
#include "hwprofiles/inventory_private.h"

static const char *const format_names[] = {
	[INVENTORY_LSPCI] = "lspci -nn",
	[INVENTORY_LSPCI_MACHINE] = "lspci -vmmnn",
	[INVENTORY_PCICONF] = "pciconf -lv",
	[INVENTORY_MODALIAS] = "modaliases",
	[INVENTORY_DMIDECODE] = "dmidecode",
	[INVENTORY_SMBIOS] = "SMBIOS table",
	[INVENTORY_QUBES] = "Qubes HCL report",
	[INVENTORY_JSON] = "JSON, one PC a line",
	[INVENTORY_PNP_JSON] = "Get-PnpDevice JSON",
	[INVENTORY_PNP_CSV] = "Get-PnpDevice CSV",
	[INVENTORY_PNPUTIL] = "pnputil XML",
	[INVENTORY_MSINFO] = "msinfo32 .nfo",
	[INVENTORY_UNKNOWN] = "unknown",
};

const char *inventory_format_name(enum inventory_format format)
{
	return format_names[format];
}

/* ---- what the readers share
 * -----------------------------------------------------------------
 */

char *next_line(struct lines *lines)
{
	char *line = lines->at;
	size_t len;

	if (!line || !*line)
		return NULL;
	len = strcspn(line, "\n");
	lines->at = line[len] ? line + len + 1 : line + len;
	line[len] = 0;
	if (len && line[len - 1] == '\r')
		line[len - 1] = 0;
	lines->number++;
	return line;
}

char *strip(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = 0;
	return text;
}

char *after_name(char *line, const char *name)
{
	size_t len = strlen(name);

	while (*line == ' ' || *line == '\t')
		line++;
	if (strncmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	return strip(line + len + 1);
}

int inventory_error(struct error *err, const char *path, unsigned line, const char *fmt,
		    ...)
{
	_cleanup_free_ char *subject = xasprintf("%s:%u", path, line);
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_FAILED, subject, "%s", reason);
}

int inventory_add(struct pc *pc, struct pc_device device, const char *path, unsigned line,
		  struct error *err)
{
	if (pc->devices.len < INVENTORY_MAX_DEVICES) {
		vec_push(&pc->devices, device);
		return 0;
	}
	pc_device_free(&device);
	return inventory_error(err, path, line, "lists more than %u devices of one PC",
			       INVENTORY_MAX_DEVICES);
}

void set_field(char **field, const char *value)
{
	if (!*field && value)
		*field = xstrdup(value);
}

/* ---- recognition
 * ------------------------------------------------------------------------------
 */

static bool starts(struct bytes b, const char *text)
{
	size_t len = strlen(text);

	return b.len >= len && memcmp(b.data, text, len) == 0;
}

static bool holds(struct bytes b, const char *text)
{
	return b.len && memmem(b.data, b.len, text, strlen(text));
}

/* "00:1f.2 " or "0000:00:1f.2 ". */
static bool is_lspci(struct bytes b)
{
	size_t colon = 0;

	while (colon < b.len && colon < 7 && isxdigit(b.data[colon]))
		colon++;
	if (colon < 2 || colon >= b.len || b.data[colon] != ':')
		return false;
	for (size_t i = colon; i + 2 < b.len && i < colon + 8; i++)
		if (b.data[i] == '.' && isdigit(b.data[i + 1]) && b.data[i + 2] == ' ')
			return true;
	return false;
}

static bool is_modalias(struct bytes b)
{
	static const char *const kinds[] = {
		"pci:v",  "usb:v",  "acpi:", "vmbus:", "platform:", "hid:",
		"serio:", "input:", "dmi:",  "cpu:",   "hdaudio:"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (starts(b, kinds[i]))
			return true;
	return false;
}

static enum inventory_format recognise_markup(struct bytes b)
{
	if (starts(b, "<")) {
		if (holds(b, "<PnpUtil"))
			return INVENTORY_PNPUTIL;
		return holds(b, "<MsInfo") ? INVENTORY_MSINFO : INVENTORY_UNKNOWN;
	}
	if (starts(b, "[") || starts(b, "{"))
		return holds(b, "\"InstanceId\"") || holds(b, "\"PNPDeviceID\"")
			       ? INVENTORY_PNP_JSON
		       : starts(b, "{") ? INVENTORY_JSON
					: INVENTORY_UNKNOWN;
	if (holds(b, "\"InstanceId\"") || holds(b, "\"PNPDeviceID\""))
		return INVENTORY_PNP_CSV;
	return INVENTORY_UNKNOWN;
}

enum inventory_format inventory_recognise(struct bytes b)
{
	enum inventory_format markup;

	if (starts(b, "_SM_") || starts(b, "_SM3_") || starts(b, "_DMI_"))
		return INVENTORY_SMBIOS;
	/* A bare table begins with the BIOS structure: type 0, a length, handle 0. */
	if (b.len > 8 && b.data[0] <= 3 && b.data[1] >= 8 && b.data[1] < 0x60 &&
	    holds((struct bytes){b.data, b.len < 4096 ? b.len : 4096},
		  (const char[]){1, 0}))
		return INVENTORY_SMBIOS;
	while (b.len && isspace(*b.data)) {
		b.data++;
		b.len--;
	}
	markup = recognise_markup(b);
	if (markup != INVENTORY_UNKNOWN)
		return markup;
	if (is_modalias(b))
		return INVENTORY_MODALIAS;
	if (starts(b, "Slot:") || starts(b, "Device:\t"))
		return INVENTORY_LSPCI_MACHINE;
	if (is_lspci(b))
		return INVENTORY_LSPCI;
	if (starts(b, "# dmidecode") || holds(b, "\nHandle 0x") || starts(b, "Handle 0x"))
		return INVENTORY_DMIDECODE;
	if (holds(b, "@pci0:") || holds(b, "@pci1:"))
		return INVENTORY_PCICONF;
	if (holds(b, "layout:") && holds(b, "hcl"))
		return INVENTORY_QUBES;
	return INVENTORY_UNKNOWN;
}

/* ---- one file
 * ---------------------------------------------------------------------------------
 */

/* PowerShell and msinfo32 write UTF-16 with a byte order mark; others a UTF-8 one. */
static void to_utf8(struct buffer *data)
{
	char *text = NULL;

	if (data->len >= 2 && data->data[0] == 0xFF && data->data[1] == 0xFE) {
		text = utf16_to_utf8(data->data + 2, data->len - 2);
		buffer_free(data);
		buffer_append(data, text, strlen(text));
		free(text);
	} else if (starts(buffer_view(data), "\xEF\xBB\xBF")) {
		memmove(data->data, data->data + 3, data->len - 3);
		data->len -= 3;
	}
}

static int refuse(const char *path, struct error *err)
{
	error_set(err, ERROR_FAILED, path, "is no inventory that gild knows");
	return error_remedy(
		err, "give the output of lspci -nn, lspci -vmmnn, dmidecode, "
		     "pciconf -lv, pnputil /enum-devices /format xml, Get-PnpDevice "
		     "(JSON or CSV), msinfo32 /nfo, modaliases, or JSON lines");
}

int inventory_parse(struct buffer *data, const char *path, struct pc *pc,
		    struct error *err)
{
	enum inventory_format format = inventory_recognise(buffer_view(data));
	char *text;

	if (format == INVENTORY_SMBIOS) {
		struct pc_identity identity;

		if (smbios_read(buffer_view(data), path, &identity, err) < 0)
			return -1;
		pc_identity_free(&pc->identity);
		pc->identity = identity;
		return 0;
	}
	to_utf8(data);
	format = inventory_recognise(buffer_view(data));
	buffer_append(data, "", 1);
	text = (char *)data->data;
	if (strlen(text) + 1 != data->len) {
		error_set(err, ERROR_FAILED, path, "has zero bytes in its text");
		return error_remedy(err, "get the inventory again as text");
	}
	switch (format) {
	case INVENTORY_LSPCI:
		return read_lspci(text, path, pc, err);
	case INVENTORY_LSPCI_MACHINE:
		return read_lspci_machine(text, path, pc, err);
	case INVENTORY_PCICONF:
		return read_pciconf(text, path, pc, err);
	case INVENTORY_MODALIAS:
		return read_modaliases(text, path, pc, err);
	case INVENTORY_DMIDECODE:
		return read_dmidecode(text, path, pc, err);
	case INVENTORY_QUBES:
		return read_qubes(text, path, pc, err);
	case INVENTORY_PNP_CSV:
		return read_pnp_csv(text, path, pc, err);
	case INVENTORY_PNP_JSON:
		return read_pnp_json(text, data->len - 1, path, pc, err);
	case INVENTORY_JSON:
		return read_json_pc(text, data->len - 1, path, 1, pc, err);
	case INVENTORY_PNPUTIL:
		return read_pnputil(text, data->len - 1, path, pc, err);
	case INVENTORY_MSINFO:
		return read_msinfo(text, data->len - 1, path, pc, err);
	default:
		return refuse(path, err);
	}
}

/* hw-probe's folder: what of logs/ speaks of devices and identity. */
static int read_probe(const char *folder, struct pc *pc, struct error *err)
{
	static const char *const names[] = {"lspci_all", "lspci",    "dmidecode",
					    "pciconf",	 "modalias", "dmi_id"};
	bool found = false, pci = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = xasprintf("%s/logs/%s", folder, names[i]);
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;
		struct stat st;

		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		/* lspci says again what lspci_all says. */
		if (pci && strcmp(names[i], "lspci") == 0)
			continue;
		if (file_read(path, INVENTORY_MAX_FILE, &data, err) < 0)
			return -1;
		if (inventory_recognise(buffer_view(&data)) == INVENTORY_UNKNOWN)
			continue;
		if (inventory_parse(&data, path, pc, err) < 0)
			return -1;
		found = true;
		pci |= strstr(names[i], "pci") != NULL;
	}
	if (found)
		return 0;
	error_set(err, ERROR_FAILED, folder,
		  "is a folder without logs/lspci_all, logs/dmidecode, ...");
	return error_remedy(err, "name the folder that hw-probe -save made, or the "
				 "inventory's files");
}

static int read_one(const char *path, struct pc *pc, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct stat st;

	if (stat(path, &st) < 0)
		return error_errno(err, path, "cannot open");
	if (S_ISDIR(st.st_mode))
		return read_probe(path, pc, err);
	if (file_read(path, INVENTORY_MAX_FILE, &data, err) < 0)
		return -1;
	return inventory_parse(&data, path, pc, err);
}

int inventory_read_one(const struct strings *paths, struct pc *ret, struct error *err)
{
	*ret = (struct pc)PC_INIT;
	vec_foreach (path, paths) {
		if (read_one(*path, ret, err) < 0) {
			pc_free(ret);
			return -1;
		}
	}
	pc_name(ret);
	return 0;
}

/* ---- populations
 * --------------------------------------------------------------------------------
 */

/* getline() with a limit: 1, 0 at the end, -1 for a line that is too long. */
static int bounded_line(FILE *file, struct buffer *line)
{
	int c;

	line->len = 0;
	while ((c = getc_unlocked(file)) != EOF && c != '\n') {
		if (line->len == INVENTORY_MAX_LINE)
			return -1;
		if (line->len == line->allocated)
			(void)buffer_reserve(line, line->len ? line->len : 4096);
		line->data[line->len++] = (uint8_t)c;
	}
	return c != EOF || line->len ? 1 : 0;
}

static bool blank(const struct buffer *line)
{
	for (size_t i = 0; i < line->len; i++)
		if (!isspace(line->data[i]))
			return false;
	return true;
}

static int read_population(FILE *file, const char *path, inventory_fn *fn, void *arg,
			   struct error *err)
{
	_cleanup_buffer_ struct buffer line = BUFFER_INIT;
	unsigned number = 0;
	int more;

	while ((more = bounded_line(file, &line)) > 0) {
		_cleanup_pc_ struct pc pc = PC_INIT;

		number++;
		if (interrupted())
			return error_interrupted(err);
		if (blank(&line))
			continue;
		if (read_json_pc((const char *)line.data, line.len, path, number, &pc,
				 err) < 0)
			return -1;
		pc_name(&pc);
		if (fn(&pc, arg, err) < 0)
			return -1;
	}
	if (more < 0)
		return inventory_error(err, path, number + 1,
				       "is longer than %zu bytes: no record of one PC",
				       INVENTORY_MAX_LINE);
	if (ferror(file))
		return error_errno(err, path, "cannot read");
	return 0;
}

/* A population: the first line is a whole JSON object, and there are more of them. */
static bool is_population(FILE *file)
{
	_cleanup_buffer_ struct buffer line = BUFFER_INIT;
	bool yes = bounded_line(file, &line) > 0 && line.len > 2 && line.data[0] == '{' &&
		   (line.data[line.len - 1] == '}' ||
		    (line.data[line.len - 1] == '\r' && line.data[line.len - 2] == '}'));

	rewind(file);
	return yes;
}

int inventory_read(const char *path, inventory_fn *fn, void *arg, struct error *err)
{
	_cleanup_pc_ struct pc pc = PC_INIT;
	struct stat st;
	FILE *file;
	int result;

	if (stat(path, &st) < 0)
		return error_errno(err, path, "cannot open");
	if (S_ISREG(st.st_mode)) {
		file = fopen(path, "re");
		if (!file)
			return error_errno(err, path, "cannot open");
		if (is_population(file)) {
			result = read_population(file, path, fn, arg, err);
			(void)fclose(file);
			return result;
		}
		(void)fclose(file);
	}
	if (read_one(path, &pc, err) < 0)
		return -1;
	pc_name(&pc);
	return fn(&pc, arg, err);
}
