/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/disk_view.h"

#include <ctype.h>
#include <errno.h>

#include "base/text.h"

#define MIB ((uint64_t)1 << 20)

void size_text(uint64_t bytes, char text[SIZE_TEXT_SIZE])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(text, SIZE_TEXT_SIZE, value < 10 && unit ? "%.1f %s" : "%.0f %s",
		       value, units[unit]);
}

bool size_parse(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	unsigned shift = 0;
	const char *unit;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || !isdigit((unsigned char)*text))
		return false;
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
		if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0)
			end += strlen(end);
	}
	if (*end || !value || value > (UINT64_MAX >> shift) ||
	    (value << shift) % MIB != 0)
		return false;
	*ret = value << shift;
	return true;
}

/* The number by which --index means the Windows of a partition; 0: there is none. */
static unsigned index_of(const struct image *image, unsigned partition)
{
	for (size_t i = 0; i < image_count(image); i++)
		if (image_info(image, i)->partition == partition)
			return image_info(image, i)->index;
	return 0;
}

void disk_view_json(struct json_object *object, const struct image *image)
{
	const struct image_disk *disk = image_disk(image);
	struct json_object *o = cli_add_object(object, "disk"), *array;

	cli_add(o, "table", disk->table);
	cli_add(o, "subtype", disk->subtype);
	cli_add_int(o, "sector_size", disk->sector_size);
	cli_add_int(o, "virtual_size", (int64_t)disk->virtual_size);
	array = cli_add_array(o, "partitions");
	vec_foreach (part, &disk->partitions) {
		struct json_object *p = cli_add_object(array, NULL);

		cli_add_int(p, "number", part->number);
		cli_add_int(p, "offset", (int64_t)part->offset);
		cli_add_int(p, "size", (int64_t)part->size);
		cli_add(p, "type", part->type);
		cli_add(p, "name", part->name);
		cli_add(p, "file_system", part->file_system);
		cli_add(p, "label", part->label);
		cli_add(p, "holds", part->holds);
	}
	cli_add_strings(o, "problems", &disk->problems);
}

static char *what_it_holds(const struct image *image, const struct image_partition *part)
{
	if (!part->holds)
		return xstrdup("");
	if (strcmp(part->holds, "windows") == 0)
		return xasprintf("Windows, --index=%u", index_of(image, part->number));
	if (strcmp(part->holds, "system") == 0)
		return xstrdup("boot manager");
	return xstrdup(part->holds);
}

void disk_view_print(const struct image *image)
{
	const struct image_disk *disk = image_disk(image);
	struct cli_table table = {.columns = 7};
	_cleanup_free_ char *scheme = text_upper(disk->table);
	char size[SIZE_TEXT_SIZE], start[SIZE_TEXT_SIZE];

	size_text(disk->virtual_size, size);
	printf("%s  (%s%s%s, %s, ", image_path(image), image_format(image),
	       disk->subtype ? ", " : "", disk->subtype ? disk->subtype : "", size);
	if (strcmp(disk->table, "none") == 0)
		printf("no partition table");
	else
		printf("%s, sectors of %u bytes", scheme, disk->sector_size);
	printf(")\n");
	cli_table_row(&table, "  #", "START", "SIZE", "TYPE", "FILE SYSTEM", "LABEL",
		      "HOLDS", NULL);
	vec_foreach (part, &disk->partitions) {
		_cleanup_free_ char *number = xasprintf("  %u", part->number);
		_cleanup_free_ char *holds = what_it_holds(image, part);

		size_text(part->offset, start);
		size_text(part->size, size);
		cli_table_row(&table, number, start, size, part->type,
			      part->file_system ? part->file_system : "-",
			      part->label  ? part->label
			      : part->name ? part->name
					   : "",
			      holds, NULL);
	}
	cli_table_print(&table, stdout);
	vec_foreach (problem, &disk->problems)
		printf("  warning: %s\n", *problem);
}
