/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands share: option tables, output, progress, exit codes. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <json-c/json.h>
#include <stdio.h>

#include "base/error.h"
#include "base/guid.h"
#include "tree/tree.h"

enum cli_kind {
	CLI_FLAG,	/* value: bool * */
	CLI_STRING,	/* value: const char ** */
	CLI_STRINGS,	/* value: struct strings *, may be repeated */
	CLI_TABLE,	/* value: another table, whose options belong here too */
	CLI_LATER,	/* in the contract, not in this build: exits 2 and says so */
};

/* One option; the tables are the single source of --help and of the completion test. */
struct cli_option {
	const char *name;	/* without -- */
	const char *argument;	/* "FILE", or NULL for a flag */
	enum cli_kind kind;
	void *value;
	const char *help;
};
#define CLI_END                                                                           \
	{                                                                                 \
		NULL, NULL, CLI_FLAG, NULL, NULL                                          \
	}

struct cli_command {
	const char *name;
	const char *operands;	/* "IMAGE --driver=PATH..." */
	const char *summary;	/* one line */
	/* argv[0] is the command's name; returns the exit code. NULL: not in this build. */
	int (*run)(const struct cli_command *command, int argc, char **argv);
};

extern bool cli_json, cli_quiet, cli_verbose;
extern enum image_via cli_via;

/*
 * Parses options (the command's and the global ones) and collects operands. Returns -1 to
 * go on, else the exit code: 2 after one line on stderr, 0 after --help.
 */
int cli_parse(const struct cli_command *command, const struct cli_option *options,
	      int argc, char **argv, struct strings *operands);
/* One line "gild: ..." on stderr (a JSON object with --json); returns the exit code. */
int cli_fail(const struct error *err);
/* The same for wrong usage: exit code 2. */
int cli_usage(const struct cli_command *command, const char *fmt, ...) _printf_(2, 3);
/* Prints the object to stdout and releases it. */
void cli_print_json(struct json_object *object);

/* JSON building that reads like the result. NULL strings become null. */
struct json_object *cli_object(const char *schema);	/* NULL: no "schema" member */
void cli_add(struct json_object *object, const char *key, const char *value);
void cli_add_int(struct json_object *object, const char *key, int64_t value);
void cli_add_bool(struct json_object *object, const char *key, bool value);
void cli_add_strings(struct json_object *object, const char *key,
		     const struct strings *items);
struct json_object *cli_add_array(struct json_object *object, const char *key);
struct json_object *cli_add_object(struct json_object *array_or_object, const char *key);
/* A partition that was made; offset and size in bytes. */
void cli_add_partition(struct json_object *array, const char *role, unsigned number,
		       uint64_t offset, uint64_t size, const struct guid *guid);

/*
 * A table for people: cells are UTF-8, columns as wide as they need to be. The last
 * column is not padded; the header is bold on a terminal.
 */
struct cli_table {
	size_t columns;
	bool plain;	/* there is no header */
	struct strings cells;
};
void cli_table_row(struct cli_table *table, ...) __attribute__((sentinel)); /* strings, NULL */
void cli_table_print(struct cli_table *table, FILE *out);	/* and empties it */

/* The commands. */
int cmd_inspect(const struct cli_command *command, int argc, char **argv);
int cmd_inject(const struct cli_command *command, int argc, char **argv);
int cmd_remove(const struct cli_command *command, int argc, char **argv);
int cmd_export(const struct cli_command *command, int argc, char **argv);
int cmd_edit(const struct cli_command *command, int argc, char **argv);
int cmd_inf(const struct cli_command *command, int argc, char **argv);
int cmd_capture(const struct cli_command *command, int argc, char **argv);
int cmd_build(const struct cli_command *command, int argc, char **argv);
int cmd_check(const struct cli_command *command, int argc, char **argv);
int cmd_verify(const struct cli_command *command, int argc, char **argv);
int cmd_profile(const struct cli_command *command, int argc, char **argv);
int cmd_pack(const struct cli_command *command, int argc, char **argv);
int cmd_run(const struct cli_command *command, int argc, char **argv);

#endif
