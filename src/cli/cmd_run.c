/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild run`: a boot medium or a golden image in QEMU, for a look. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/disk_view.h"
#include "cli/images.h"
#include "image/run.h"

static void print_json(const struct run_plan *plan)
{
	struct json_object *object = cli_object("gild.run/1");

	cli_add(object, "what", run_what_name(plan->what));
	cli_add(object, "accelerator", plan->kvm == KVM_RUNS ? "kvm" : "tcg");
	cli_add(object, "reason", plan->why);
	cli_add_strings(object, "command", &plan->argv);
	cli_print_json(object);
}

/* For a shell: words with anything special in single quotes. */
static void print_command(const struct strings *argv)
{
	vec_foreach (word, argv) {
		bool plain = **word && !(*word)[strspn(*word, "abcdefghijklmnopqrstuvwxyz"
							      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							      "0123456789-_=.,/:+")];

		printf("%s", word == argv->items ? "" : " ");
		if (plain) {
			printf("%s", *word);
			continue;
		}
		putchar('\'');
		for (const char *p = *word; *p; p++)
			if (*p == '\'')
				printf("'\\''");
			else
				putchar(*p);
		putchar('\'');
	}
	putchar('\n');
}

/* QEMU takes gild's place: terminal, signals and exit code are its own. */
static int start(struct run_plan *plan)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (plan->kvm != KVM_RUNS && !cli_quiet)
		fprintf(stderr,
			"gild: KVM does not run guests here (%s): it will be slow\n",
			plan->why ? plan->why : kvm_state_name(plan->kvm));
	vec_push(&plan->argv, NULL);
	(void)fflush(NULL);
	execvp(plan->argv.items[0], plan->argv.items);
	plan->argv.len--;
	error_errno(&err, plan->argv.items[0], "cannot be started");
	error_remedy(&err, "install the Debian package qemu-system-x86");
	return cli_fail(&err);
}

static int choose(const struct cli_command *command, const char *firmware,
		  const char *memory, struct run_options *o)
{
	if (firmware && strcmp(firmware, "uefi") == 0)
		o->firmware = RUN_UEFI;
	else if (firmware && strcmp(firmware, "uefi-secure") == 0)
		o->firmware = RUN_UEFI_SECURE;
	else if (firmware && strcmp(firmware, "bios") == 0)
		o->firmware = RUN_BIOS;
	else if (firmware)
		return cli_usage(command,
				 "--firmware is uefi, uefi-secure or bios, not %s",
				 firmware);
	if (memory && !size_parse(memory, &o->memory))
		return cli_usage(command, "--memory is whole MiB, as in 4G, not %s",
				 memory);
	return -1;
}

static int run(struct run_options *o, struct image_options *image, bool dry_run)
{
	_cleanup_(run_plan_free) struct run_plan plan = {.argv = VEC_INIT};
	_cleanup_error_ struct error err = ERROR_INIT;

	if (images_options(image, &err) < 0 || run_plan_make(o, &plan, &err) < 0)
		return cli_fail(&err);
	if (!dry_run)
		return start(&plan);
	if (cli_json)
		print_json(&plan);
	else
		print_command(&plan.argv);
	return 0;
}

int cmd_run(const struct cli_command *command, int argc, char **argv)
{
	struct image_options image = {0};
	struct run_options o = {.image = &image};
	const char *firmware = NULL, *memory = NULL;
	bool dry_run = false;
	_cleanup_(strings_free) struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"firmware", "uefi|uefi-secure|bios", CLI_STRING, &firmware,
		 "of the PC (uefi, or what a golden image starts by)"},
		{"memory", "SIZE", CLI_STRING, &memory, "of the PC, as in 4G (2G)"},
		{"display", "TYPE", CLI_STRING, &o.display,
		 "QEMU's: gtk, none, vnc=unix:PATH, ..."},
		{"serial", "TYPE", CLI_STRING, &o.serial,
		 "QEMU's: stdio, file:PATH, ...; what kernel and init say"},
		{"write", NULL, CLI_FLAG, &o.write,
		 "keep what is written; else it is dropped at the end"},
		{"dry-run", NULL, CLI_FLAG, &dry_run, "print the command, start nothing"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code >= 0)
		return code;
	if (operands.len != 1)
		return cli_usage(command, "expected one BUNDLE or IMAGE");
	o.path = operands.items[0];
	code = choose(command, firmware, memory, &o);
	return code < 0 ? run(&o, &image, dry_run) : code;
}
