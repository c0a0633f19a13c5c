/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the hive checks run on real hives: opens one (with its logs), edits it, writes it,
 * and prints all keys and values in a canonical text that independent readers can give
 * too.
 *
 *   hivetool [--accept-dirty] [--log=F] [--log1=F] [--log2=F] HIVE [STEP...]
 *   STEP: dump | create PATH | delete PATH | set PATH NAME TYPE HEX | unset PATH NAME |
 *         many PATH COUNT (keys with two small values) | fill PATH NAME TYPE SIZE |
 *         write FILE | size (bytes that the file would have)
 *   HIVE "new:NAME" makes an empty one. The exit code is gild's for the error.
 */
#include <stdio.h>

#include "base/file.h"
#include "registry/hive.h"

#define FILE_MAX ((size_t)1 << 30)

static void print_escaped(const char *s)
{
	for (; *s; s++)
		if (*s > 0x20 && *s < 0x7f && *s != '%')
			putchar(*s);
		else
			printf("%%%02x", (unsigned char)*s);
}

static int dump_values(const struct hive *hive, hkey key, struct error *err)
{
	uint32_t count = hive_value_count(hive, key);

	for (uint32_t i = 0; i < count; i++) {
		_cleanup_reg_value_ struct reg_value v = {0};

		if (hive_value_at(hive, key, i, &v, err) != 1)
			return -1;
		printf("V ");
		print_escaped(v.name);
		printf(" %u ", v.type);
		for (uint32_t k = 0; k < v.len; k++)
			printf("%02x", v.data[k]);
		putchar('\n');
	}
	return 0;
}

static int dump(const struct hive *hive, hkey key, const char *path, struct error *err)
{
	uint32_t count = hive_child_count(hive, key);

	printf("K ");
	print_escaped(path);
	printf(" %llu\n", (unsigned long long)hive_key_time(hive, key));
	if (dump_values(hive, key, err) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		hkey child = hive_child(hive, key, i);
		_cleanup_free_ char *name = hive_key_name(hive, child);
		_cleanup_free_ char *below = xasprintf("%s\\%s", path, name);

		if (!child)
			return error_set(err, ERROR_STATE, path, "subkey %u is missing",
					 i);
		if (dump(hive, child, below, err) < 0)
			return -1;
	}
	return 0;
}

static int step_many(struct hive *hive, const char *path, unsigned long count,
		     struct error *err)
{
	hkey parent, key;

	if (hive_create(hive, hive_root(hive), path, &parent, err) < 0)
		return -1;
	for (unsigned long i = 0; i < count; i++) {
		/* Spread over the list, as device IDs are. */
		unsigned n = (unsigned)(i * 2654435761u) & 0xffff;
		_cleanup_free_ char *name =
			xasprintf("VEN_%04X&DEV_%04X&gild", n, (unsigned)i & 0xffff);

		if (hive_create(hive, parent, name, &key, err) < 0 ||
		    hive_set(hive, key, "oem42.inf", REG_BINARY,
			     (struct bytes){(const uint8_t *)"\1\377\0\0", 4}, err) < 0 ||
		    hive_set_string(hive, key, "Configuration", REG_SZ, "gild_Inst.NT",
				    err) < 0)
			return -1;
	}
	return 0;
}

static int step_fill(struct hive *hive, char **arg, struct error *err)
{
	size_t size = strtoul(arg[3], NULL, 0);
	_cleanup_free_ uint8_t *data = xmalloc(size + 1);
	hkey key;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	if (hive_create(hive, hive_root(hive), arg[0], &key, err) < 0)
		return -1;
	return hive_set(hive, key, arg[1], (uint32_t)strtoul(arg[2], NULL, 0),
			(struct bytes){data, size}, err);
}

static int step_set(struct hive *hive, char **arg, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	unsigned byte;
	hkey key;

	for (const char *p = arg[3]; sscanf(p, "%2x", &byte) == 1; p += 2) {
		uint8_t b = (uint8_t)byte;

		buffer_append(&data, &b, 1);
	}
	if (hive_create(hive, hive_root(hive), arg[0], &key, err) < 0)
		return -1;
	return hive_set(hive, key, arg[1], (uint32_t)strtoul(arg[2], NULL, 0),
			buffer_view(&data), err);
}

static int step_write(struct hive *hive, const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	if (hive_serialize(hive, &out, err) < 0)
		return -1;
	return file_replace(path, buffer_view(&out), err);
}

static int step_delete(struct hive *hive, const char *path, struct error *err)
{
	hkey key = hive_find(hive, hive_root(hive), path);

	return key ? hive_delete(hive, key, err)
		   : error_set(err, ERROR_FAILED, path, "no such key");
}

static int step_unset(struct hive *hive, char **arg, struct error *err)
{
	hkey key = hive_find(hive, hive_root(hive), arg[0]);

	if (key && hive_unset(hive, key, arg[1], err) == 1)
		return 0;
	return error_set(err, ERROR_FAILED, arg[0], "no such value: %s", arg[1]);
}

static int step(struct hive *hive, const char *what, char **arg, struct error *err)
{
	if (!strcmp(what, "dump"))
		return dump(hive, hive_root(hive), "", err);
	if (!strcmp(what, "create"))
		return hive_create(hive, hive_root(hive), arg[0], NULL, err);
	if (!strcmp(what, "delete"))
		return step_delete(hive, arg[0], err);
	if (!strcmp(what, "set"))
		return step_set(hive, arg, err);
	if (!strcmp(what, "unset"))
		return step_unset(hive, arg, err);
	if (!strcmp(what, "many"))
		return step_many(hive, arg[0], strtoul(arg[1], NULL, 0), err);
	if (!strcmp(what, "fill"))
		return step_fill(hive, arg, err);
	if (!strcmp(what, "write"))
		return step_write(hive, arg[0], err);
	return -1;
}

static int arguments_of(const char *what)
{
	static const struct {
		const char *name;
		int count;
	} steps[] = {{"dump", 0},  {"create", 1}, {"delete", 1}, {"set", 4},
		     {"unset", 2}, {"many", 2},	  {"fill", 4},	 {"write", 1}};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (!strcmp(steps[i].name, what))
			return steps[i].count;
	return -1;
}

static int fail(const struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	fprintf(stderr, "%s\n", text);
	return err->code ? (int)err->code : 1;
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = NULL;
	struct buffer files[4] = {BUFFER_INIT};
	static const char *const options[] = {"--log=", "--log1=", "--log2="};
	struct hive_options o = {0};
	int i, r = 0;

	for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i++) {
		o.accept_dirty |= !strcmp(argv[i], "--accept-dirty");
		for (size_t k = 0; k < 3; k++)
			if (!strncmp(argv[i], options[k], strlen(options[k])) &&
			    file_read(argv[i] + strlen(options[k]), FILE_MAX, &files[k],
				      &err) < 0)
				return fail(&err);
	}
	if (i >= argc)
		return 2;
	o.name = argv[i];
	o.log = buffer_view(&files[0]);
	o.log1 = buffer_view(&files[1]);
	o.log2 = buffer_view(&files[2]);
	if (!strncmp(argv[i], "new:", 4))
		hive = hive_new(argv[i] + 4, &err);
	else if (file_read(argv[i], FILE_MAX, &files[3], &err) == 0)
		hive = hive_open(buffer_view(&files[3]), &o, &err);
	for (size_t k = 0; k < 4; k++)
		buffer_free(&files[k]);
	if (!hive)
		return fail(&err);
	if (hive_recovered(hive))
		fprintf(stderr, "recovered from logs\n");
	for (i++; i < argc && r >= 0; i++) {
		int need = arguments_of(argv[i]);

		if (need < 0 || need >= argc - i)
			return 2;
		r = step(hive, argv[i], argv + i + 1, &err);
		i += need;
	}
	return r < 0 ? fail(&err) : 0;
}
