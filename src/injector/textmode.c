/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TXTSETUP.OEM read, and turned into an INF. */
#include "injector/textmode.h"

#include <stdio.h>

#include "base/text.h"

#define FIELDS_MAX 64u

/* ---- the text ---------------------------------------------------------------------- */

struct line {
	char *section, *key;
	struct strings fields;
	unsigned number;
};
struct text {
	const char *name;
	struct vec_of(struct line) lines;
};

static void text_free(struct text *text)
{
	vec_foreach (line, &text->lines) {
		free(line->section);
		free(line->key);
		strings_free(&line->fields);
	}
	vec_free(&text->lines);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *trimmed(const char *from, size_t len)
{
	while (len && blank(*from))
		from++, len--;
	while (len && blank(from[len - 1]))
		len--;
	return xstrndup(from, len);
}

/* The length without a comment; quotes hold "#" and ";". */
static size_t without_comment(const char *s, size_t len)
{
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			quoted = !quoted;
		if (!quoted && (s[i] == ';' || s[i] == '#'))
			return i;
	}
	return len;
}

/* One field from *at on, without its quotes; *at is behind its comma then. */
static char *next_field(const char **at)
{
	struct buffer out = BUFFER_INIT;
	_cleanup_free_ char *raw = NULL;
	bool quoted = false;
	const char *end;

	for (end = *at; *end && (quoted || *end != ','); end++)
		quoted ^= *end == '"';
	raw = trimmed(*at, (size_t)(end - *at));
	for (const char *c = raw; *c; c++)
		if (*c != '"')
			buffer_append(&out, c, 1);
	*at = *end ? end + 1 : end;
	return buffer_steal_string(&out);
}

static void read_line(struct text *text, const char *section, const char *s,
		      unsigned number)
{
	struct line line = {.number = number};
	const char *sign = strchr(s, '='), *at;
	char *key;

	if (!sign)
		return;
	key = trimmed(s, (size_t)(sign - s));
	line.section = xstrdup(section);
	line.key = key;
	for (at = sign + 1; *at && line.fields.len < FIELDS_MAX;)
		vec_push(&line.fields, next_field(&at));
	vec_push(&text->lines, line);
}

static int read_text(struct text *text, struct bytes raw, struct error *err)
{
	_cleanup_free_ char *section = xstrdup("");
	const char *p = (const char *)raw.data, *end = raw.len ? p + raw.len : p;

	for (unsigned number = 1; p < end; number++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl : end) - p);
		_cleanup_free_ char *s = NULL;

		if (number > TEXTMODE_LINES_MAX)
			return error_set(err, ERROR_ANSWER_NO, text->name,
					 "has more than %u lines", TEXTMODE_LINES_MAX);
		/* Ctrl-Z ends a text of that time. */
		if (len && *p == 0x1A)
			break;
		if (len && p[len - 1] == '\r')
			len--;
		s = trimmed(p, without_comment(p, len));
		if (*s == '[') {
			free(section);
			section = trimmed(s + 1, strcspn(s + 1, "]"));
		} else if (*s) {
			read_line(text, section, s, number);
		}
		p = nl ? nl + 1 : end;
	}
	return 0;
}

/* Field `i` or "". */
static const char *field(const struct line *line, size_t i)
{
	return i < line->fields.len ? line->fields.items[i] : "";
}

/* ---- what it says ------------------------------------------------------------------ */

static void option_free(struct textmode_option *o)
{
	vec_foreach (file, &o->files) {
		free(file->kind);
		free(file->folder);
		free(file->name);
		free(file->key);
	}
	vec_free(&o->files);
	vec_foreach (id, &o->ids) {
		free(id->id);
		free(id->service);
	}
	vec_free(&o->ids);
	vec_foreach (value, &o->values) {
		free(value->key);
		free(value->name);
		free(value->type);
		strings_free(&value->data);
	}
	vec_free(&o->values);
	free(o->name);
	free(o->description);
	free(o->disk);
}

void textmode_free(struct textmode *textmode)
{
	vec_foreach (option, &textmode->options)
		option_free(option);
	vec_free(&textmode->options);
}

/* A folder or name of the medium: components only, none that leads up. */
static int check_path(const struct text *text, const struct line *line, const char *path,
		      struct error *err)
{
	_cleanup_free_ char *where = xasprintf("%s:%u", text->name, line->number);

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "\\/");

		if ((n == 2 && p[0] == '.' && p[1] == '.') || memchr(p, ':', n) ||
		    memchr(p, '%', n)) {
			error_set(err, ERROR_ANSWER_NO, where,
				  "\"%s\" leads out of the driver's folder", path);
			return error_remedy(err, "do not use this pack");
		}
		p += n + (p[n] != 0);
	}
	return 0;
}

/* "\\x86\\" and "\x86" are both "x86". */
static char *relative(const char *path)
{
	struct buffer out = BUFFER_INIT;

	while (*path) {
		size_t n = strcspn(path, "\\/");

		if (n && !(n == 1 && *path == '.')) {
			if (out.len)
				buffer_append(&out, "/", 1);
			buffer_append(&out, path, n);
		}
		path += n + (path[n] != 0);
	}
	return buffer_steal_string(&out);
}

static const struct line *find_line(const struct text *text, const char *section,
				    const char *key)
{
	vec_foreach (line, &text->lines)
		if (text_equal(line->section, section) && text_equal(line->key, key))
			return line;
	return NULL;
}

static int read_file(const struct text *text, const struct line *line,
		     struct textmode_option *o, struct error *err)
{
	const struct line *disk = find_line(text, "Disks", field(line, 0));
	struct textmode_file file = {0};

	if (!*field(line, 1))
		return 0;
	if (check_path(text, line, field(line, 1), err) < 0 ||
	    (disk && check_path(text, disk, field(disk, 2), err) < 0))
		return -1;
	file.kind = text_lower(line->key);
	file.folder = relative(disk ? field(disk, 2) : "");
	file.name = relative(field(line, 1));
	file.key = xstrdup(field(line, 2));
	vec_push(&o->files, file);
	if (disk && !o->disk)
		o->disk = xstrdup(field(disk, 0));
	return 0;
}

static void read_value(const struct line *line, struct textmode_option *o)
{
	struct textmode_value value = {
		.key = xstrdup(field(line, 0)),
		.name = xstrdup(field(line, 1)),
		.type = text_upper(field(line, 2)),
	};

	for (size_t i = 3; i < line->fields.len; i++)
		strings_push(&value.data, field(line, i));
	vec_push(&o->values, value);
}

/* [Config.X]: X is the driver's key, and in many packs the choice. */
static bool is_config(const struct textmode_option *o, const char *section)
{
	const char *name = section + strlen("Config.");

	if (!text_starts_with(section, "Config."))
		return false;
	if (text_equal(name, o->name))
		return true;
	vec_foreach (file, &o->files)
		if (*file->key && text_equal(name, file->key))
			return true;
	return false;
}

static int read_option(const struct text *text, const struct line *choice,
		       struct textmode *ret, struct error *err)
{
	const struct line *preferred = find_line(text, "Defaults", "scsi");
	_cleanup_free_ char *files = xasprintf("Files.scsi.%s", choice->key);
	_cleanup_free_ char *ids = xasprintf("HardwareIds.scsi.%s", choice->key);
	struct textmode_option o = {.name = xstrdup(choice->key),
				    .description = xstrdup(field(choice, 0))};

	o.preferred = preferred && text_equal(field(preferred, 0), choice->key);
	vec_foreach (line, &text->lines) {
		if (text_equal(line->section, files) &&
		    read_file(text, line, &o, err) < 0) {
			option_free(&o);
			return -1;
		}
		if (text_equal(line->section, ids) && *field(line, 0) && *field(line, 1))
			vec_push(&o.ids, (struct textmode_id){xstrdup(field(line, 0)),
							      xstrdup(field(line, 1))});
	}
	/* After the files, whose keys it goes by. */
	vec_foreach (line, &text->lines)
		if (is_config(&o, line->section) && text_equal(line->key, "value"))
			read_value(line, &o);
	vec_push(&ret->options, o);
	return 0;
}

int textmode_parse(const char *name, struct bytes raw, struct textmode *ret,
		   struct error *err)
{
	_cleanup_(text_free) struct text text = {.name = name};

	*ret = (struct textmode){0};
	if (raw.len > TEXTMODE_SIZE_MAX ||
	    memchr(raw.data ? raw.data : (const uint8_t *)"", '\0', raw.len))
		return error_set(err, ERROR_ANSWER_NO, name, "is no text of setup's");
	if (read_text(&text, raw, err) < 0)
		return -1;
	vec_foreach (line, &text.lines)
		if (text_equal(line->section, "scsi") &&
		    ret->options.len < TEXTMODE_OPTIONS_MAX &&
		    read_option(&text, line, ret, err) < 0)
			return -1;
	if (ret->options.len)
		return 0;
	error_set(err, ERROR_ANSWER_NO, name, "has no choice in a section [scsi]");
	return error_remedy(err, "expected the TXTSETUP.OEM of a mass storage driver");
}

/* ---- as an INF --------------------------------------------------------------------- */

static bool has_stem(const char *file, const char *stem)
{
	const char *base = path_base(file), *dot = strrchr(base, '.');
	_cleanup_free_ char *own =
		xstrndup(base, dot ? (size_t)(dot - base) : strlen(base));

	return text_equal(own, stem);
}

const struct textmode_file *textmode_driver(const struct textmode_option *option,
					    const char *service)
{
	const struct textmode_file *first = NULL;

	vec_foreach (file, &option->files) {
		if (!text_equal(file->kind, "driver"))
			continue;
		if (has_stem(file->name, service) || text_equal(file->key, service))
			return file;
		if (!first)
			first = file;
	}
	return first;
}

/* Text in quotes for an INF. */
static void quote(struct buffer *out, const char *text)
{
	buffer_append(out, "\"", 1);
	for (; *text; text++) {
		if (*text == '"' || *text == '%')
			buffer_append(out, text, 1);
		if ((uint8_t)*text >= 0x20 && *text != 0x7F)
			buffer_append(out, text, 1);
	}
	buffer_append(out, "\"", 1);
}

/* What can stand in the name of a section or service as it is. */
static bool plain(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || *c == '-' || *c == '_' || *c == '.'))
			return false;
	return *name != 0;
}

/* A service with all that the chosen options say of it. */
struct service {
	const char *name;
	const struct textmode_option *option; /* whose files and values it gets */
	const struct textmode_file *driver;
};
DEFINE_VEC(services, struct service);

static void collect(const struct textmode *t, const bool *used, struct services *ret)
{
	for (size_t i = 0; i < t->options.len; i++) {
		const struct textmode_option *o = &t->options.items[i];

		vec_foreach (id, &o->ids) {
			struct service s = {id->service, o, NULL};
			bool known = false;

			vec_foreach (other, ret)
				known |= text_equal(other->name, id->service);
			if (!used[i] || known || !plain(id->service) ||
			    ret->len >= TEXTMODE_SERVICES_MAX)
				continue;
			s.driver = textmode_driver(o, id->service);
			if (s.driver && plain(path_base(s.driver->name)))
				vec_push(ret, s);
		}
	}
}

static bool copied(const struct textmode_file *file, bool system32)
{
	return text_equal(file->kind, "dll") == system32 &&
	       plain(path_base(file->name)) &&
	       (system32 || text_equal(file->kind, "driver") ||
		text_equal(file->kind, "port") || text_equal(file->kind, "class"));
}

static void write_files(struct buffer *out, const struct service *s)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	for (int system32 = 0; system32 < 2; system32++) {
		buffer_printf(out, "[%s_%s]\r\n", s->name, system32 ? "Dlls" : "Drivers");
		vec_foreach (file, &s->option->files) {
			if (!copied(file, system32) ||
			    strings_contain(&names, file->name))
				continue;
			strings_push(&names, file->name);
			buffer_printf(out, "%s\r\n", path_base(file->name));
		}
	}
}

/* One value of [Config.X] as a line of AddReg. */
static void write_value(struct buffer *out, const struct textmode_value *v)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} types[] = {
		{"REG_SZ", 0},
		{"REG_BINARY", 1},
		{"REG_MULTI_SZ", 0x10000},
		{"REG_DWORD", 0x10001},
		{"REG_EXPAND_SZ", 0x20000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!text_equal(types[i].name, v->type))
			continue;
		buffer_printf(out, "HKR,");
		quote(out, v->key);
		buffer_printf(out, ",");
		quote(out, v->name);
		buffer_printf(out, ",0x%08X", types[i].flags);
		vec_foreach (item, &v->data) {
			buffer_printf(out, ",");
			/* Setup reads numbers as hexadecimal digits, without a sign of
			 * it. */
			if (text_equal(v->type, "REG_DWORD"))
				buffer_printf(out, "0x%lX",
					      strtoul(*item, NULL, 16) & 0xFFFFFFFFul);
			else
				quote(out, *item);
		}
		buffer_printf(out, "\r\n");
	}
}

static void write_service(struct buffer *out, const struct service *s)
{
	buffer_printf(out, "[%s_Install]\r\nCopyFiles=%s_Drivers,%s_Dlls\r\n", s->name,
		      s->name, s->name);
	buffer_printf(out, "[%s_Install.Services]\r\nAddService=%s,2,%s_Service\r\n",
		      s->name, s->name, s->name);
	buffer_printf(out,
		      "[%s_Service]\r\nServiceType=1\r\nStartType=0\r\nErrorControl=1\r\n"
		      "ServiceBinary=%%12%%\\%s\r\nLoadOrderGroup=SCSI miniport\r\n"
		      "AddReg=%s_Values\r\n",
		      s->name, path_base(s->driver->name), s->name);
	write_files(out, s);
	buffer_printf(out, "[%s_Values]\r\n", s->name);
	vec_foreach (value, &s->option->values)
		write_value(out, value);
}

/* Where the files are on the medium: one "disk" for each folder. */
static void write_sources(struct buffer *out, const struct services *services)
{
	_cleanup_(strings_free) struct strings folders = VEC_INIT, names = VEC_INIT;

	vec_foreach (s, services)
		vec_foreach (file, &s->option->files)
			if (!strings_contain(&folders, file->folder))
				strings_push(&folders, file->folder);
	buffer_printf(out, "[SourceDisksNames]\r\n");
	for (size_t i = 0; i < folders.len; i++) {
		buffer_printf(out, "%zu=\"driver disk\",,,", i + 1);
		quote(out, folders.items[i]);
		buffer_printf(out, "\r\n");
	}
	buffer_printf(out, "[SourceDisksFiles]\r\n");
	vec_foreach (s, services)
		vec_foreach (file, &s->option->files) {
			if ((!copied(file, false) && !copied(file, true)) ||
			    strings_contain(&names, path_base(file->name)))
				continue;
			strings_push(&names, path_base(file->name));
			for (size_t i = 0; i < folders.len; i++)
				if (text_equal(folders.items[i], file->folder))
					buffer_printf(out, "%s=%zu\r\n",
						      path_base(file->name), i + 1);
		}
}

char *textmode_inf(const struct textmode *textmode, const bool *used)
{
	struct services services = VEC_INIT;
	struct buffer out = BUFFER_INIT;
	_cleanup_(strings_free) struct strings ids = VEC_INIT;
	const char *vendor;

	collect(textmode, used, &services);
	if (!services.len)
		return NULL;
	vendor = services.items[0].option->disk;
	buffer_printf(&out, "; Made from a TXTSETUP.OEM.\r\n[Version]\r\n"
			    "Signature=\"$WINDOWS NT$\"\r\nClass=SCSIAdapter\r\n"
			    "ClassGUID={4D36E97B-E325-11CE-BFC1-08002BE10318}\r\n"
			    "Provider=%%Vendor%%\r\n[DestinationDirs]\r\n"
			    "DefaultDestDir=12\r\n");
	vec_foreach (s, &services)
		buffer_printf(&out, "%s_Dlls=11\r\n", s->name);
	write_sources(&out, &services);
	/* Undecorated for x86; other architectures want their name. */
	buffer_printf(&out, "[Manufacturer]\r\n%%Vendor%%=Models,NTamd64\r\n");
	for (int amd64 = 0; amd64 < 2; amd64++) {
		buffer_printf(&out, "[Models%s]\r\n", amd64 ? ".NTamd64" : "");
		strings_free(&ids);
		for (size_t i = 0; i < textmode->options.len; i++) {
			const struct textmode_option *o = &textmode->options.items[i];

			vec_foreach (id, &o->ids) {
				bool served = false;

				vec_foreach (s, &services)
					served |= text_equal(s->name, id->service);
				if (!used[i] || !served ||
				    strings_contain(&ids, id->id) ||
				    strpbrk(id->id, ",;\"%= "))
					continue;
				strings_push(&ids, id->id);
				quote(&out, *o->description ? o->description : o->name);
				buffer_printf(&out, "=%s_Install,%s\r\n", id->service,
					      id->id);
			}
		}
	}
	vec_foreach (s, &services)
		write_service(&out, s);
	buffer_printf(&out, "[Strings]\r\nVendor=");
	quote(&out, vendor && *vendor ? vendor : "driver disk");
	buffer_printf(&out, "\r\n");
	vec_free(&services);
	return buffer_steal_string(&out);
}
