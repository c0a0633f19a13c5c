/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines are kept as bytes; only what is understood is looked at. */
#include "windows/boot_ini.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

#define MAX_LINES 1000u

enum section {
	SECTION_OTHER,
	SECTION_LOADER,
	SECTION_SYSTEMS,
};

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Without outer blanks and line end. */
static char *trimmed(const char *from, size_t len)
{
	while (len && (blank(*from) || *from == '\r' || *from == '\n'))
		from++, len--;
	while (len &&
	       (blank(from[len - 1]) || from[len - 1] == '\r' || from[len - 1] == '\n'))
		len--;
	return xstrndup(from, len);
}

/* ASCII letters only: bytes above are of a code page that is not known. */
static bool ascii_equal(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && text_equal_n(a, b, strlen(a));
}

static enum section section_of(const char *text)
{
	if (ascii_equal(text, "[boot loader]") || ascii_equal(text, "[flexboot]"))
		return SECTION_LOADER;
	if (ascii_equal(text, "[operating systems]"))
		return SECTION_SYSTEMS;
	return SECTION_OTHER;
}

static void read_loader(struct boot_ini *ini, const char *text, size_t line)
{
	const char *sign = strchr(text, '=');
	_cleanup_free_ char *key = sign ? trimmed(text, (size_t)(sign - text)) : NULL;
	_cleanup_free_ char *value = sign ? trimmed(sign + 1, strlen(sign + 1)) : NULL;
	char *end;

	if (!key)
		return;
	if (ascii_equal(key, "default") && !ini->default_path) {
		ini->default_path = steal_ptr(value);
	} else if (ascii_equal(key, "timeout") && !ini->has_timeout) {
		errno = 0;
		ini->timeout = strtol(value, &end, 10);
		ini->has_timeout = end != value && !errno;
		ini->timeout_line = line;
	}
}

/* PATH="TITLE" OPTIONS; the title may also stand without quotes. */
static void read_entry(struct boot_ini *ini, const char *text, size_t line)
{
	struct boot_entry entry = {.line = line};
	const char *sign = strchr(text, '='), *rest, *quote;

	if (!sign || sign == text)
		return;
	entry.path = trimmed(text, (size_t)(sign - text));
	for (rest = sign + 1; blank(*rest); rest++)
		;
	quote = *rest == '"' ? strchr(rest + 1, '"') : NULL;
	if (quote) {
		entry.title = xstrndup(rest + 1, (size_t)(quote - rest - 1));
		rest = quote + 1;
	} else {
		size_t n;

		rest += *rest == '"'; /* never closed */
		n = strcspn(rest, "/");
		entry.title = trimmed(rest, n);
		rest += n;
	}
	entry.options = trimmed(rest, strlen(rest));
	vec_push(&ini->entries, entry);
}

static int split_lines(struct bytes data, struct boot_ini *ini, struct error *err)
{
	for (size_t at = 0; at < data.len;) {
		const uint8_t *from = data.data + at;
		const uint8_t *nl = memchr(from, '\n', data.len - at);
		size_t len = nl ? (size_t)(nl - from) + 1 : data.len - at;

		/* Old editors end a text with Ctrl-Z, and some pad with NULs after it. */
		if (memchr(from, '\0', len))
			return error_set(err, ERROR_STATE, "boot.ini",
					 "is no text: it has NUL bytes");
		if (ini->lines.len >= MAX_LINES)
			return error_set(err, ERROR_STATE, "boot.ini",
					 "has more than %u lines", MAX_LINES);
		vec_push(&ini->lines, xstrndup((const char *)from, len));
		at += len;
	}
	return 0;
}

int boot_ini_parse(struct bytes data, struct boot_ini *ret, struct error *err)
{
	enum section section = SECTION_OTHER;
	bool systems = false;

	*ret = (struct boot_ini){0};
	if (split_lines(data, ret, err) < 0)
		return -1;
	for (size_t i = 0; i < ret->lines.len; i++) {
		const char *line = ret->lines.items[i];
		_cleanup_free_ char *text = trimmed(line, strlen(line));

		if (*text == '[') {
			section = section_of(text);
			systems |= section == SECTION_SYSTEMS;
		} else if (*text && *text != ';') {
			if (section == SECTION_LOADER)
				read_loader(ret, text, i);
			else if (section == SECTION_SYSTEMS)
				read_entry(ret, text, i);
		}
	}
	if (systems)
		return 0;
	error_set(err, ERROR_STATE, "boot.ini", "has no section [operating systems]");
	return error_remedy(err, "take the boot.ini of a Windows that starts");
}

void boot_ini_free(struct boot_ini *ini)
{
	strings_free(&ini->lines);
	vec_foreach (entry, &ini->entries) {
		free(entry->path);
		free(entry->title);
		free(entry->options);
	}
	vec_free(&ini->entries);
	free(ini->default_path);
	*ini = (struct boot_ini){0};
}

void boot_ini_write(const struct boot_ini *ini, struct buffer *ret)
{
	vec_foreach (line, &ini->lines)
		buffer_append_string(ret, *line);
}

/* ---- looking up -------------------------------------------------------------------- */

static bool starts_folder(const struct boot_entry *entry, const char *folder,
			  unsigned partition)
{
	const char *slash = strchr(entry->path, '\\');
	const char *number;

	if (!slash || !ascii_equal(slash + 1, folder))
		return false;
	for (number = entry->path; *number; number++)
		if (text_equal_n(number, "partition(", strlen("partition(")))
			break;
	if (!partition || !*number)
		return true;
	return strtoul(number + strlen("partition("), NULL, 10) == partition;
}

const struct boot_entry *boot_ini_windows(const struct boot_ini *ini, const char *folder,
					  unsigned partition)
{
	const struct boot_entry *found = NULL;

	vec_foreach (entry, &ini->entries) {
		if (!starts_folder(entry, folder, partition))
			continue;
		if (ini->default_path && ascii_equal(entry->path, ini->default_path))
			return entry;
		if (!found)
			found = entry;
	}
	/* Disks are numbered anew when they are copied: any entry of the folder will do.
	 */
	return found || !partition ? found : boot_ini_windows(ini, folder, 0);
}

/* The next word of the options at *at; false at the end. Quotes hold blanks. */
static bool next_word(const char **at, const char **word, size_t *len)
{
	bool quoted = false;

	while (blank(**at))
		(*at)++;
	*word = *at;
	for (; **at && (quoted || !blank(**at)); (*at)++)
		quoted ^= **at == '"';
	*len = (size_t)(*at - *word);
	return *len > 0;
}

/* Without quotes, which would end what the text stands in. */
static char *without_quotes(const char *text)
{
	char *copy = xstrdup(text), *to = copy;

	for (const char *from = text; *from; from++)
		if (*from != '"')
			*to++ = *from;
	*to = 0;
	return copy;
}

static bool closes(const char *word, size_t len)
{
	bool quoted = false;

	for (size_t i = 0; i < len; i++)
		quoted ^= word[i] == '"';
	return !quoted;
}

/* True if the word is /NAME or /NAME=...; *value is what follows the sign. */
static bool word_is(const char *word, size_t len, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (len < n + 1 || (*word != '/' && *word != '-') ||
	    !text_equal_n(word + 1, name, n))
		return false;
	if (len > n + 1 && word[n + 1] != '=')
		return false;
	*value = word + n + 1 + (len > n + 1);
	return true;
}

char *boot_entry_option(const struct boot_entry *entry, const char *name)
{
	const char *at = entry->options, *word, *value;
	size_t len;

	while (next_word(&at, &word, &len))
		if (word_is(word, len, name, &value))
			return xstrndup(value, (size_t)(word + len - value));
	return NULL;
}

const struct boot_entry *boot_ini_find_pair(const struct boot_ini *ini, const char *path,
					    const char *kernel, const char *hal)
{
	vec_foreach (entry, &ini->entries) {
		_cleanup_free_ char *k = boot_entry_option(entry, "kernel");
		_cleanup_free_ char *h = boot_entry_option(entry, "hal");

		if (k && h && ascii_equal(entry->path, path) && ascii_equal(k, kernel) &&
		    ascii_equal(h, hal))
			return entry;
	}
	return NULL;
}

/* ---- changing ---------------------------------------------------------------------- */

static const char *line_end(const char *line)
{
	return text_ends_with(line, "\r\n") ? "\r\n"
	       : text_ends_with(line, "\n") ? "\n"
					    : "";
}

bool boot_ini_add_pair(struct boot_ini *ini, const struct boot_entry *model,
		       const char *note, const char *kernel, const char *hal)
{
	_cleanup_buffer_ struct buffer options = BUFFER_INIT;
	_cleanup_free_ char *text = NULL, *all = NULL;
	_cleanup_free_ char *title = without_quotes(model->title);
	const char *at = model->options, *word, *value, *end;
	size_t len, last;

	if (ini->entries.len == 0 || ini->entries.len >= BOOT_INI_ENTRIES)
		return false;
	while (next_word(&at, &word, &len))
		if (!word_is(word, len, "kernel", &value) &&
		    !word_is(word, len, "hal", &value))
			buffer_printf(&options, " %.*s%s", (int)len, word,
				      closes(word, len) ? "" : "\"");
	all = buffer_steal_string(&options);
	last = ini->entries.items[ini->entries.len - 1].line;
	end = line_end(ini->lines.items[last]);
	if (!*end) {
		/* The file ends without a line end: it gets one, like its other lines. */
		char *old = ini->lines.items[last];

		end = last ? line_end(ini->lines.items[last - 1]) : "\r\n";
		ini->lines.items[last] = xasprintf("%s%s", old, end);
		free(old);
	}
	text = xasprintf("%s=\"%s (%s)\"%s /kernel=%s /hal=%s%s", model->path, title,
			 note, all ? all : "", kernel, hal, end);
	vec_push(&ini->lines, NULL);
	for (size_t i = ini->lines.len - 1; i > last + 1; i--)
		ini->lines.items[i] = ini->lines.items[i - 1];
	ini->lines.items[last + 1] = xstrdup(text);
	if (ini->has_timeout && ini->timeout_line > last)
		ini->timeout_line++;
	all = (free(all), trimmed(text, strlen(text)));
	read_entry(ini, all, last + 1);
	ini->modified = true;
	return true;
}

bool boot_ini_raise_timeout(struct boot_ini *ini, long seconds)
{
	char **line = ini->has_timeout ? &ini->lines.items[ini->timeout_line] : NULL;
	_cleanup_free_ char *old = NULL;

	if (!line || ini->timeout != 0)
		return false;
	old = *line;
	*line = xasprintf("%.*s=%ld%s", (int)strcspn(old, "="), old, seconds,
			  line_end(old));
	ini->timeout = seconds;
	ini->modified = true;
	return true;
}
