/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild build`: from install media, a captured disk or a folder to a golden image. */
#include "builder/build.h"
#include "cli/disk_view.h"
#include "cli/images.h"
#include "cli/inject_view.h"
#include "cli/injection.h"
#include "cli/verify_view.h"

struct given {
	const char *format, *firmware, *size, *sector_size, *boot_ca, *boot_device;
	const char *unsigned_policy;
	struct strings drivers, profiles;
	const char *answer, *password;
	struct answer_options generate;
};

/* ---- what was asked for ---- */

static int choose_format(const struct cli_command *command, const struct given *given,
			 struct build_options *o)
{
	if (given->format && !build_format_parse(given->format, &o->format))
		return cli_usage(command,
				 "--format is wim, raw, vhd, vhdx or qcow2, not %s",
				 given->format);
	if (!given->format && !build_format_of_name(o->output, &o->format))
		return cli_usage(command,
				 "%s does not tell a format by its ending: give "
				 "--format, or an ending of .wim .esd .raw .img .vhd "
				 ".vhdx .qcow2",
				 o->output);
	return -1;
}

static int choose_disk(const struct cli_command *command, const struct given *given,
		       struct build_options *o)
{
	const char *ca = given->boot_ca ? given->boot_ca : "auto";
	const char *firmware = given->firmware ? given->firmware : "uefi";

	o->sector_size = 512;
	if (strcmp(firmware, "bios") == 0)
		o->firmware = BUILD_BIOS;
	else if (strcmp(firmware, "uefi") != 0)
		return cli_usage(command, "--firmware is uefi or bios, not %s", firmware);
	if (given->size && !size_parse(given->size, &o->size))
		return cli_usage(command, "--size is whole MiB, as in 40G, not %s",
				 given->size);
	if (given->sector_size && strcmp(given->sector_size, "4096") == 0)
		o->sector_size = 4096;
	else if (given->sector_size && strcmp(given->sector_size, "512") != 0)
		return cli_usage(command, "--sector-size is 512 or 4096, not %s",
				 given->sector_size);
	if (o->sector_size == 4096 && o->firmware == BUILD_BIOS)
		return cli_usage(command, "a BIOS does not start from 4096-byte sectors");
	if (strcmp(ca, "2011") == 0)
		o->boot_ca = BOOT_CA_2011;
	else if (strcmp(ca, "2023") == 0)
		o->boot_ca = BOOT_CA_2023;
	else if (strcmp(ca, "auto") != 0)
		return cli_usage(command, "--boot-ca is auto, 2011 or 2023, not %s", ca);
	if (given->boot_device && strcmp(given->boot_device, "locate") == 0)
		o->locate = true;
	else if (given->boot_device && strcmp(given->boot_device, "partition") != 0)
		return cli_usage(command, "--boot-device is partition or locate, not %s",
				 given->boot_device);
	return -1;
}

/* Options that say how a disk is made, without one. */
static int refuse_for_wim(const struct cli_command *command, const struct given *given,
			  const struct build_options *o)
{
	const char *option = given->firmware	  ? "firmware"
			     : given->size	  ? "size"
			     : given->sector_size ? "sector-size"
			     : given->boot_ca	  ? "boot-ca"
			     : given->boot_device ? "boot-device"
			     : o->compact	  ? "compact"
						  : NULL;

	if (o->format != BUILD_WIM || !option)
		return -1;
	return cli_usage(command, "--%s is for disks, and a WIM is written", option);
}

/* The options of an answer file that gild makes. */
static int choose_answer(const struct cli_command *command, const struct given *given,
			 struct build_options *o)
{
	const struct answer_options *g = &given->generate;
	bool own = given->answer && strcmp(given->answer, "auto") == 0;
	const char *option = g->user		? "user"
			     : given->password	? "password"
			     : g->computer_name ? "computer-name"
			     : g->locale	? "locale"
			     : g->keyboard	? "keyboard"
			     : g->time_zone	? "time-zone"
			     : g->product_key	? "product-key"
			     : g->extend	? "extend"
						: NULL;

	if (option && !own)
		return cli_usage(command, "--%s is for --answer=auto", option);
	if (own)
		o->generate = g;
	else
		o->answer = given->answer;
	return -1;
}

static int choose(const struct cli_command *command, const struct given *given,
		  const struct strings *operands, struct build_options *o)
{
	int code;

	if (operands->len != 1)
		return cli_usage(command, "expected one SOURCE");
	if (!o->output || !*o->output)
		return cli_usage(command, "--output=OUT is missing");
	o->source = operands->items[0];
	code = choose_format(command, given, o);
	if (code < 0)
		code = choose_disk(command, given, o);
	if (code < 0)
		code = refuse_for_wim(command, given, o);
	if (code < 0)
		code = choose_answer(command, given, o);
	if (code < 0 && given->profiles.len && !given->drivers.len)
		code = cli_usage(command,
				 "--profile chooses from packages: give --driver");
	if (code < 0 && given->unsigned_policy &&
	    !unsigned_policy_parse(given->unsigned_policy, &o->inject.unsigned_policy))
		code = cli_usage(command, "--unsigned is refuse, warn or allow, not %s",
				 given->unsigned_policy);
	return code;
}

/* ---- what was made ---- */

static void add_parts(struct json_object *object, const struct build_result *r)
{
	struct json_object *array = cli_add_array(object, "partitions");

	for (size_t i = 0; i < r->part_count; i++) {
		const struct build_part *part = &r->parts[i];

		cli_add_partition(array, part->role, part->number, part->offset,
				  part->size, &part->guid);
	}
}

static void add_depersonalized(struct json_object *object,
			       const struct depersonalize_result *r)
{
	struct json_object *o = cli_add_object(object, "depersonalized"), *array;

	array = cli_add_array(o, "removed");
	vec_foreach (item, &r->items) {
		struct json_object *one = cli_add_object(array, NULL);

		cli_add(one, "code", item->code);
		cli_add(one, "what", item->what);
		cli_add(one, "where", item->where);
		cli_add_int(one, "count", (int64_t)item->count);
		cli_add_int(one, "bytes", (int64_t)item->bytes);
	}
	cli_add_strings(o, "left", &r->left);
}

static void print_json(const struct build_options *o, const struct build_result *r)
{
	struct json_object *object = cli_object("gild.build/1"), *part;

	part = cli_add_object(object, "source");
	cli_add(part, "path", o->source);
	cli_add(part, "format", r->source_format);
	cli_add_int(part, "index", r->source_index);
	part = cli_add_object(object, "windows");
	cli_add(part, "product", r->product);
	cli_add(part, "version", r->version);
	cli_add(part, "arch", arch_name(r->arch));
	part = cli_add_object(object, "output");
	cli_add(part, "path", o->output);
	cli_add(part, "format", build_format_name(o->format));
	cli_add_int(part, "file_size", (int64_t)r->file_size);
	cli_add_int(part, "allocated", (int64_t)r->allocated);
	if (o->format != BUILD_WIM) {
		part = cli_add_object(object, "disk");
		cli_add_int(part, "virtual_size", (int64_t)r->virtual_size);
		cli_add_int(part, "sector_size", o->sector_size);
		cli_add(part, "firmware", o->firmware == BUILD_UEFI ? "uefi" : "bios");
		cli_add(part, "boot_device", o->locate ? "locate" : "partition");
		cli_add(part, "boot_ca", r->boot_ca);
		cli_add_int(part, "content", (int64_t)r->content);
		cli_add_int(part, "compacted", (int64_t)r->compacted);
		add_parts(part, r);
		cli_add_strings(part, "boot_files", &r->boot_files);
	}
	inject_view_add(object, &r->inject);
	if (o->depersonalize)
		add_depersonalized(object, &r->depersonalized);
	if (o->answer || o->generate) {
		part = cli_add_object(object, "answer");
		cli_add_strings(part, "actions", &r->answer.actions);
		cli_add_strings(part, "warnings", &r->answer.warnings);
	}
	cli_add_strings(object, "warnings", &r->warnings);
	if (o->format != BUILD_WIM)
		verify_view_add(object, &r->verified);
	cli_print_json(object);
}

static void print_parts(const struct build_options *o, const struct build_result *r)
{
	struct cli_table table = {.columns = 3, .plain = true};
	char size[SIZE_TEXT_SIZE];

	for (size_t i = 0; i < r->part_count; i++) {
		_cleanup_free_ char *number = xasprintf("  %u", r->parts[i].number);

		size_text(r->parts[i].size, size);
		cli_table_row(&table, number, size, r->parts[i].role, NULL);
	}
	cli_table_print(&table, stdout);
	printf("  %zu boot files", r->boot_files.len);
	if (r->boot_ca)
		printf(", boot manager signed by the %s CA", r->boot_ca);
	printf(", devices by %s\n", o->locate ? "their files (locate)" : "partition");
	if (o->compact)
		printf("  %ju files stored compressed (CompactOS)\n",
		       (uintmax_t)r->compacted);
}

static void print_depersonalized(const struct depersonalize_result *r)
{
	uint64_t count = 0, bytes = 0;
	char size[SIZE_TEXT_SIZE];

	vec_foreach (item, &r->items) {
		count += item->count;
		bytes += item->bytes;
		if (cli_verbose)
			printf("  taken out: %s: %ju in %s\n", item->what,
			       (uintmax_t)item->count, item->where);
	}
	size_text(bytes, size);
	printf("  depersonalized: %ju traces of one PC taken out, %s of files\n",
	       (uintmax_t)count, size);
	vec_foreach (left, &r->left)
		printf("  left: %s\n", *left);
}

static void print_text(const struct build_options *o, const struct build_result *r)
{
	char size[SIZE_TEXT_SIZE], content[SIZE_TEXT_SIZE];

	size_text(r->file_size, size);
	printf("%s: %s %s, %s\n", o->output, r->product, r->version, arch_name(r->arch));
	if (o->format == BUILD_WIM) {
		printf("  WIM, %s\n", size);
	} else {
		size_text(r->virtual_size, content);
		printf("  %s disk of %s, %s, file of %s\n", build_format_name(o->format),
		       content, o->firmware == BUILD_UEFI ? "UEFI" : "BIOS", size);
		print_parts(o, r);
	}
	if (o->depersonalize)
		print_depersonalized(&r->depersonalized);
	vec_foreach (action, &r->answer.actions)
		printf("  answer file: %s\n", *action);
	vec_foreach (warning, &r->answer.warnings)
		printf("  answer file: warning: %s\n", *warning);
	inject_view_print(&r->inject);
	vec_foreach (warning, &r->warnings)
		printf("  warning: %s\n", *warning);
	if (o->format == BUILD_WIM)
		return;
	printf("  %s\n", r->verified.errors ? "would not start" : "checked: starts");
	if (r->verified.errors || r->verified.warnings)
		verify_view_print(&r->verified);
}

static int build(const struct build_options *o)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_build_result_ struct build_result result = {0};

	if (build_run(o, &result, &err) < 0)
		return cli_fail(&err);
	if (cli_json)
		print_json(o, &result);
	else if (!cli_quiet)
		print_text(o, &result);
	return result.inject.refused || result.verified.errors ? ERROR_ANSWER_NO : 0;
}

static int run(struct build_options *o, struct given *given)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct injection_profiles profiles = {.wanted = VEC_INIT};
	_cleanup_free_ char *password = NULL;
	int code;

	o->inject.drivers = &given->drivers;
	if (given->password) {
		password = answer_password(given->password, &err);
		if (!password)
			return cli_fail(&err);
		given->generate.password = password;
	}
	if (images_options(&o->inject.image, &err) < 0 ||
	    injection_profiles_open(&profiles, &given->profiles, &err) < 0) {
		code = cli_fail(&err);
	} else {
		o->inject.profiles = given->profiles.len ? &profiles.wanted : NULL;
		code = build(o);
	}
	injection_profiles_close(&profiles);
	return code;
}

int cmd_build(const struct cli_command *command, int argc, char **argv)
{
	struct build_options o = {0};
	struct given given = {0};
	struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"output", "OUT", CLI_STRING, &o.output, "the new image"},
		{"format", "wim|raw|vhd|vhdx|qcow2", CLI_STRING, &given.format,
		 "if the ending of OUT does not tell; vhd is fixed"},
		{"index", "N", CLI_STRING, &o.index, "which image or Windows"},
		{"driver", "PATH", CLI_STRINGS, &given.drivers,
		 "INF, folder or archive with driver packages; may be repeated"},
		{"profile", "ID|FILE", CLI_STRINGS, &given.profiles,
		 "only packages that this PC model wants; may be repeated"},
		{"any-controller", NULL, CLI_FLAG, &o.inject.any_controller,
		 "make the image start on every storage controller it has a driver for"},
		{"winre", NULL, CLI_FLAG, &o.inject.winre,
		 "drivers also into the recovery image inside"},
		{"unsigned", "refuse|warn|allow", CLI_STRING, &given.unsigned_policy,
		 "packages without a valid signature (warn)"},
		{"strict", NULL, CLI_FLAG, &o.inject.strict,
		 "make nothing if a package is refused"},
		{"depersonalize", NULL, CLI_FLAG, &o.depersonalize,
		 "take out what belongs to one PC"},
		{"answer", "FILE|auto", CLI_STRING, &given.answer,
		 "unattend.xml for the first start; auto: made from these:"},
		{"user", "NAME", CLI_STRING, &given.generate.user, "local administrator"},
		{"password", "@FILE", CLI_STRING, &given.password,
		 "of the user: the first line of a file"},
		{"computer-name", "NAME", CLI_STRING, &given.generate.computer_name,
		 "* lets Windows make one up"},
		{"locale", "LOCALE", CLI_STRING, &given.generate.locale,
		 "language and formats, as in de-DE"},
		{"keyboard", "LAYOUT", CLI_STRING, &given.generate.keyboard,
		 "if not that of the locale"},
		{"time-zone", "ZONE", CLI_STRING, &given.generate.time_zone,
		 "as Windows names it: \"W. Europe Standard Time\""},
		{"product-key", "KEY", CLI_STRING, &given.generate.product_key,
		 "of five groups"},
		{"extend", NULL, CLI_FLAG, &given.generate.extend,
		 "Windows grows to the end of its disk"},
		{"firmware", "uefi|bios", CLI_STRING, &given.firmware,
		 "what the disk starts by (uefi)"},
		{"size", "SIZE", CLI_STRING, &given.size,
		 "of the disk, as in 40G; half as much again as needed, and 4 GiB"},
		{"sector-size", "512|4096", CLI_STRING, &given.sector_size,
		 "of the disk that it will be on (512)"},
		{"compact", NULL, CLI_FLAG, &o.compact,
		 "store system files compressed (CompactOS)"},
		{"boot-ca", "auto|2011|2023", CLI_STRING, &given.boot_ca,
		 "which of Microsoft's CAs signed the boot manager to take"},
		{"boot-device", "partition|locate", CLI_STRING, &given.boot_device,
		 "how the boot configuration names volumes (partition)"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0)
		code = choose(command, &given, &operands, &o);
	if (code < 0)
		code = run(&o, &given);
	strings_free(&given.profiles);
	strings_free(&given.drivers);
	strings_free(&operands);
	return code;
}
