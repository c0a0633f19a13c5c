/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program: the command table, help, signals. Each command is in cmd_NAME.c. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"

#define NOT_YET NULL

/* The whole contract; a command without a function belongs to a later version. */
static const struct cli_command commands[] = {
	{"inspect", "IMAGE", "show what Windows an image holds", cmd_inspect},
	{"inject", "IMAGE --driver=PATH...", "put driver packages into an image",
	 cmd_inject},
	{"remove", "IMAGE --driver=oemN.inf...", "take third-party packages out",
	 cmd_remove},
	{"export", "IMAGE --output=DIR", "copy third-party packages out of an image",
	 cmd_export},
	{"edit", "IMAGE [--reg=FILE]... [--copy=SRC:DST]...",
	 "merge .reg files and add files to an image", cmd_edit},
	{"inf", "PATH...", "show what Windows would choose from INF files", cmd_inf},
	{"build", "SOURCE --output=OUT", "make a bootable image from install media",
	 cmd_build},
	{"capture", "DISK --output=OUT.wim", "capture a volume to a WIM", cmd_capture},
	{"verify", "IMAGE", "check that an image is whole and would start", cmd_verify},
	{"check", "IMAGE --profile=ID|--inventory=FILE...",
	 "will an image start on those PCs", cmd_check},
	{"profile", "VERB [FILE|ID]...", "hardware profiles of PC models", cmd_profile},
	{"variant", "GOLDEN --profile=...", "images per PC model", NOT_YET},
	{"pack", "IMAGE... --output=OUT|--update=STICK",
	 "hypervisor and image on one bootable medium", cmd_pack},
	{"run", "BUNDLE|IMAGE", "start a medium or an image in QEMU", cmd_run},
	{"publish", "IMAGE --store=DIR", "publish an image for streaming", NOT_YET},
	{"fetch", "URL --output=FILE", "fetch a published image", NOT_YET},
};

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_usage(FILE *out)
{
	fprintf(out,
		"Usage: gild COMMAND [OPTION]...\n\n"
		"Services Windows images on Linux: no Windows, no root, no mount.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].run)
			fprintf(out, "  %-9s %s\n", commands[i].name,
				commands[i].summary);
	fprintf(out,
		"\n"
		"  help CMD  open the manual page of a command\n\n"
		"Every command takes --help, --json, --quiet, --verbose and --progress.\n"
		"Exit codes: 0 done, 1 failed, 2 usage, 3 the answer is no, 4 refused "
		"state.\n");
}

/* The manual pages of a build that is not installed lie below its source folder. */
static int open_manual(const char *name)
{
	_cleanup_free_ char *page = xasprintf("gild-%s", name);
	const char *topic = strcmp(name, "gild") == 0 ? "gild" : page;
	const char *folder = getenv("GILD_MANPATH");

	if (folder) {
		_cleanup_free_ char *file = xasprintf("%s/%s.1", folder, topic);

		execlp("man", "man", "-l", file, (char *)NULL);
	} else {
		execlp("man", "man", "1", topic, (char *)NULL);
	}
	fprintf(stderr,
		"gild: man is not installed; install it (Debian: man-db) or use gild %s "
		"--help\n",
		name);
	return ERROR_FAILED;
}

static int help(int argc, char **argv)
{
	const struct cli_command *command = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc < 2) {
		print_usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "gild") != 0 && (!command || !command->run)) {
		fprintf(stderr,
			"gild: help: there is no page for %s; gild --help lists the "
			"commands\n",
			argv[1]);
		return ERROR_USAGE;
	}
	return open_manual(argv[1]);
}

static void on_signal(int number _unused_)
{
	interrupt_set();
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	int fd;

	/* No SA_RESTART: a blocked system call returns and the loop asks interrupted().
	 */
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	/* A closed standard stream must never become the descriptor of an image. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* Output that did not reach its file (a full disk) is a failure. */
static int close_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (code == 0) {
		perror("gild: cannot write the output");
		return ERROR_FAILED;
	}
	return code;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;

	catch_signals();
	if (argc < 2) {
		print_usage(stderr);
		return ERROR_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return close_output(0);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("gild %s\n", PACKAGE_VERSION);
		return close_output(0);
	}
	if (strcmp(argv[1], "help") == 0)
		return close_output(help(argc - 1, argv + 1));
	command = find_command(argv[1]);
	if (!command) {
		fprintf(stderr,
			"gild: there is no command %s; gild --help lists the commands\n",
			argv[1]);
		return ERROR_USAGE;
	}
	if (!command->run) {
		fprintf(stderr,
			"gild: %s: not in this build; gild --help lists what is\n",
			command->name);
		return ERROR_USAGE;
	}
	return close_output(command->run(command, argc - 1, argv + 1));
}
