/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Option parsing, errors, notices, progress and usage: what every command shares. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/progress.h"
#include "base/text.h"

bool cli_json, cli_quiet, cli_verbose;
enum image_via cli_via;

enum progress_mode {
	PROGRESS_AUTO,
	PROGRESS_PLAIN,
	PROGRESS_JSON,
	PROGRESS_NONE,
};
static const char *const progress_names[] = {"auto", "plain", "json", "none"};

static const char *const via_names[] = {
	[IMAGE_VIA_AUTO] = "auto",
	[IMAGE_VIA_NATIVE] = "native",
	[IMAGE_VIA_GUESTFS] = "guestfs",
};

static const char *progress_text, *via_text;
static const char *command_name = "";

static const struct cli_option global_options[] = {
	{"json", NULL, CLI_FLAG, &cli_json, "one JSON object on stdout"},
	{"quiet", NULL, CLI_FLAG, &cli_quiet, "no notices and no progress"},
	{"verbose", NULL, CLI_FLAG, &cli_verbose, "more detail in tables and reports"},
	{"progress", "auto|plain|json|none", CLI_STRING, &progress_text,
	 "how long work shows that it goes on"},
	{"via", "auto|native|guestfs", CLI_STRING, &via_text,
	 "how a disk image is opened: auto takes libguestfs for what only it can"},
	CLI_END,
};

/* ---- progress and notices -----------------------------------------------------------
 */

static bool bar_drawn;

static void clear_bar(void)
{
	if (bar_drawn)
		fputs("\r\033[K", stderr);
	bar_drawn = false;
}

static void draw_bar(const char *step, uint64_t done, uint64_t total, void *arg _unused_)
{
	static struct timespec last;
	static char last_step[64];
	struct timespec now;
	struct winsize size;
	unsigned percent = total ? (unsigned)(done * 100.0 / total) : 0;
	unsigned width = 20;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (strncmp(step, last_step, sizeof(last_step) - 1) == 0 && done != total &&
	    (now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 <
		    80)
		return;
	last = now;
	(void)snprintf(last_step, sizeof(last_step), "%s", step);
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 60)
		width = size.ws_col - 44u > 40 ? 40 : size.ws_col - 44u;
	/* A step that is done leaves nothing: what the command prints comes next. */
	if (total && done >= total) {
		clear_bar();
		return;
	}
	fprintf(stderr, "\r\033[K%-28.28s ", step);
	if (total) {
		fputc('[', stderr);
		for (unsigned i = 0; i < width; i++)
			fputc(i < width * percent / 100 ? '#' : '.', stderr);
		fprintf(stderr, "] %3u%%", percent);
	}
	fflush(stderr);
	bar_drawn = true;
}

static void print_step(const char *step, uint64_t done, uint64_t total, void *json)
{
	static char last[80];
	char now[80];
	unsigned tenth = total ? (unsigned)(done * 10.0 / total) : 0;

	(void)snprintf(now, sizeof(now), "%.60s/%u", step, tenth);
	if (strcmp(now, last) == 0)
		return;
	memcpy(last, now, sizeof(last));
	if (!json) {
		fprintf(stderr, "%s: %u%%\n", step, tenth * 10);
		return;
	}
	struct json_object *object = cli_object("gild.progress/1");

	cli_add(object, "step", step);
	cli_add_int(object, "done", (int64_t)done);
	cli_add_int(object, "total", (int64_t)total);
	fprintf(stderr, "%s\n",
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static void print_notice(const char *text, void *arg _unused_)
{
	clear_bar();
	fprintf(stderr, "gild: %s\n", text);
}

/* The word's place among the names; -1 after a message that lists them. */
static int choose(const char *option, const char *word, const char *const names[], int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	fprintf(stderr, "gild: %s: --%s=%s: expected ", command_name, option, word);
	for (int i = 0; i < n; i++)
		fprintf(stderr, "%s%s",
			i == 0	     ? ""
			: i == n - 1 ? " or "
				     : ", ",
			names[i]);
	fputc('\n', stderr);
	return -1;
}

static int start_reports(void)
{
	static bool json = true;
	int mode = PROGRESS_AUTO, via = IMAGE_VIA_AUTO;

	if (progress_text)
		mode = choose("progress", progress_text, progress_names,
			      ARRAY_SIZE(progress_names));
	if (mode >= 0 && via_text)
		via = choose("via", via_text, via_names, ARRAY_SIZE(via_names));
	if (mode < 0 || via < 0)
		return ERROR_USAGE;
	cli_via = (enum image_via)via;
	if (!cli_quiet)
		notice_set(print_notice, NULL);
	if (mode == PROGRESS_PLAIN)
		progress_set(print_step, NULL);
	else if (mode == PROGRESS_JSON)
		progress_set(print_step, &json);
	else if (mode == PROGRESS_AUTO && !cli_quiet && isatty(STDERR_FILENO))
		progress_set(draw_bar, NULL);
	return -1;
}

/* ---- errors -------------------------------------------------------------------------
 */

int cli_fail(const struct error *err)
{
	int code = err->code ? (int)err->code : ERROR_FAILED;

	clear_bar();
	if (cli_json) {
		struct json_object *object = cli_object("gild.error/1");

		cli_add(object, "command", command_name);
		cli_add_int(object, "code", code);
		cli_add(object, "subject", err->subject);
		cli_add(object, "reason", err->reason);
		cli_add(object, "remedy", err->remedy);
		fprintf(stderr, "%s\n",
			json_object_to_json_string_ext(object,
						       JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(object);
		return code;
	}
	_cleanup_free_ char *message = error_message(err);

	for (char *p = message; *p; p++)
		if ((unsigned char)*p < 0x20 ||
		    *p == 0x7f) /* one line, whatever a file holds */
			*p = ' ';
	fprintf(stderr, "gild: %s\n", message);
	return code;
}

int cli_usage(const struct cli_command *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "gild: %s: ", command->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; usage: gild %s %s (gild %s --help)\n", command->name,
		command->operands, command->name);
	return ERROR_USAGE;
}

/* ---- options ------------------------------------------------------------------------
 */

#define HELP_COLUMN 29
#define HELP_WIDTH 80

/* Words from HELP_COLUMN on, on as many lines as they need. */
static void print_wrapped(const char *text)
{
	int column = HELP_COLUMN;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + word > HELP_WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		}
		if (column > HELP_COLUMN)
			column += printf(" ");
		column += printf("%.*s", word, text);
		text += word + (text[word] == ' ');
	}
	putchar('\n');
}

DEFINE_VEC(option_list, struct cli_option);

/* A table with those that it takes in. */
static void flatten(const struct cli_option *options, struct option_list *list)
{
	for (; options->name; options++) {
		if (options->kind != CLI_TABLE) {
			vec_push(list, *options);
			continue;
		}
		for (const struct cli_option *o = options->value; o->name; o++)
			vec_push(list, *o);
	}
}

static void print_options(const struct option_list *options)
{
	vec_foreach (o, options) {
		char left[64];

		if (o->kind == CLI_LATER)
			continue;
		(void)snprintf(left, sizeof(left), "--%s%s%s", o->name,
			       o->argument ? "=" : "", o->argument ? o->argument : "");
		if (strlen(left) > 26)
			printf("  %s\n%*s", left, HELP_COLUMN, "");
		else
			printf("  %-26s ", left);
		print_wrapped(o->help);
	}
}

static int print_help(const struct cli_command *command,
		      const struct option_list *options)
{
	struct option_list globals = VEC_INIT;

	flatten(global_options, &globals);
	printf("Usage: gild %s %s\n\n%c%s.\n\nOptions:\n", command->name,
	       command->operands, upcase_unit((unsigned char)command->summary[0]),
	       command->summary + 1);
	print_options(options);
	printf("\nFor every command:\n");
	print_options(&globals);
	vec_free(&globals);
	printf("  %-26s %s\n", "--help",
	       "this text; gild help CMD opens the manual page");
	return 0;
}

/* Stores an option's argument; -1 to go on, else the exit code. */
static int take(const struct cli_command *command, const struct cli_option *option,
		const char *argument)
{
	switch (option->kind) {
	case CLI_FLAG:
		*(bool *)option->value = true;
		return -1;
	case CLI_STRING:
		if (*(const char **)option->value)
			return cli_usage(command, "--%s is given twice", option->name);
		*(const char **)option->value = argument;
		return -1;
	case CLI_STRINGS:
		if (!*argument)
			return cli_usage(command, "--%s is empty", option->name);
		strings_push(option->value, argument);
		return -1;
	case CLI_TABLE: /* not after flatten() */
	case CLI_LATER:
		break;
	}
	fprintf(stderr,
		"gild: %s: --%s: not in this build; gild %s --help lists what is\n",
		command->name, option->name, command->name);
	return ERROR_USAGE;
}

static int parse(const struct cli_command *command, const struct option_list *own,
		 int argc, char **argv, struct strings *operands)
{
	struct option_list all = VEC_INIT;
	_cleanup_free_ struct option *table = NULL;
	int c, index = 0, code = -1;

	vec_foreach (o, own)
		vec_push(&all, *o);
	flatten(global_options, &all);
	table = xcalloc(all.len + 2, sizeof(*table));
	for (size_t i = 0; i < all.len; i++) {
		const struct cli_option *o = &all.items[i];

		table[i].name = o->name;
		table[i].has_arg = o->argument ? required_argument : no_argument;
		table[i].val = 1;
	}
	table[all.len] = (struct option){"help", no_argument, NULL, 'h'};
	opterr = 0;
	optind = 1;
	while (code < 0 && (c = getopt_long(argc, argv, ":h", table, &index)) != -1) {
		if (c == 'h')
			code = print_help(command, own);
		else if (c == ':')
			code = cli_usage(command, "%s needs a value", argv[optind - 1]);
		else if (c != 1)
			code = cli_usage(command, "unknown option %s", argv[optind - 1]);
		else
			code = take(command, &all.items[index], optarg);
	}
	for (int i = optind; code < 0 && i < argc; i++)
		strings_push(operands, argv[i]);
	vec_free(&all);
	return code;
}

int cli_parse(const struct cli_command *command, const struct cli_option *options,
	      int argc, char **argv, struct strings *operands)
{
	struct option_list own = VEC_INIT;
	int code;

	command_name = command->name;
	flatten(options, &own);
	code = parse(command, &own, argc, argv, operands);
	vec_free(&own);
	return code >= 0 ? code : start_reports();
}
