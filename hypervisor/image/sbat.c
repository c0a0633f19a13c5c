/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/sbat.h"

#include "windows/pe.h"

/* A line: the component's name, of printable ASCII, and its generation. */
struct component {
	char name[SBAT_NAME_SIZE];
	uint32_t generation;
};

/* Up to the next comma or the line's end; what follows it. */
static struct bytes cut(struct bytes text, char end, struct bytes *rest)
{
	const uint8_t *at = text.len ? memchr(text.data, end, text.len) : NULL;
	size_t len = at ? (size_t)(at - text.data) : text.len;

	*rest = at ? bytes_at(text, len + 1, text.len - len - 1) : (struct bytes){0};
	return bytes_at(text, 0, len);
}

static bool read_line(struct bytes line, struct component *ret)
{
	struct bytes rest, name = cut(line, ',', &rest), number = cut(rest, ',', &rest);

	if (!name.len || name.len >= sizeof(ret->name) || !number.len || number.len > 9)
		return false;
	/* It is shown. */
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] > '~')
			return false;
	memcpy(ret->name, name.data, name.len);
	ret->name[name.len] = '\0';
	ret->generation = 0;
	for (size_t i = 0; i < number.len; i++) {
		if (number.data[i] < '0' || number.data[i] > '9')
			return false;
		ret->generation = ret->generation * 10 + number.data[i] - '0';
	}
	return true;
}

/* The component's line of that name. */
static bool find(struct bytes section, const char *name, struct component *ret)
{
	for (unsigned i = 0; section.len && i < SBAT_MAX_LINES; i++) {
		struct bytes line = cut(section, '\n', &section);

		if (read_line(line, ret) && strcmp(ret->name, name) == 0)
			return true;
	}
	return false;
}

static struct bytes section_of(struct bytes file)
{
	struct bytes section = pe_section(file, ".sbat");

	return bytes_at(section, 0,
			section.len < SBAT_MAX_SIZE ? section.len : SBAT_MAX_SIZE);
}

bool sbat_is_older(struct bytes file, struct bytes other, char component[SBAT_NAME_SIZE])
{
	struct bytes mine = section_of(file), theirs = section_of(other);

	for (unsigned i = 0; mine.len && i < SBAT_MAX_LINES; i++) {
		struct component one, two;

		if (!read_line(cut(mine, '\n', &mine), &one) ||
		    !find(theirs, one.name, &two) || one.generation >= two.generation)
			continue;
		memcpy(component, one.name, sizeof(one.name));
		return true;
	}
	return false;
}
