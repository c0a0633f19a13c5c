/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild pack`: hypervisor and golden images on one bootable medium. */
#include "base/url.h"
#include "cli/disk_view.h"
#include "cli/images.h"
#include "image/pack.h"

#define SHOWN_LOSSES 12

struct given {
	struct strings images, image_options, init_options, profiles, inventories;
	const char *slot_size, *state_size;
};

/* ---- what was asked for ---- */

static int choose_sizes(const struct cli_command *command, const struct given *given,
			struct pack_options *o)
{
	o->slot_size = PACK_DEFAULT_SLOT;
	o->state_size = PACK_DEFAULT_STATE;
	if (given->slot_size && !size_parse(given->slot_size, &o->slot_size))
		return cli_usage(command, "--slot-size is whole MiB, as in 2G, not %s",
				 given->slot_size);
	if (given->state_size && strcmp(given->state_size, "0") == 0)
		o->state_size = 0;
	else if (given->state_size && (!size_parse(given->state_size, &o->state_size) ||
				       o->state_size < 16 * MEDIA_MIB))
		return cli_usage(command,
				 "--state-size is whole MiB, as in 1G, 16M at least, or "
				 "0 for none, not %s",
				 given->state_size);
	return -1;
}

static int choose_output(const struct cli_command *command, const struct given *given,
			 struct pack_options *o)
{
	if (o->update && o->output)
		return cli_usage(command, "--output and --update exclude each other");
	if (o->update && given->images.len)
		return cli_usage(command, "--update leaves the images as they are");
	if (o->update && (given->slot_size || given->state_size))
		return cli_usage(command, "--update leaves the partitions as they are");
	if (o->update)
		return -1;
	if (!o->output || !*o->output)
		return cli_usage(command, "--output=OUT or --update=STICK is missing");
	if (!pack_kind_of_name(o->output, &o->kind))
		return cli_usage(command,
				 "%s does not tell what it is to be by its ending: .img "
				 "for a stick or disk, .iso, or / for a folder",
				 o->output);
	if (o->kind != PACK_FOLDER && o->url)
		return cli_usage(command, "--url is for folders: where one will be");
	if (o->kind != PACK_DISK && (given->slot_size || given->state_size))
		return cli_usage(command, "--slot-size and --state-size are for disks");
	return -1;
}

static int choose(const struct cli_command *command, const struct given *given,
		  struct pack_options *o)
{
	int code = choose_output(command, given, o);

	if (code < 0)
		code = choose_sizes(command, given, o);
	if (code < 0 && !o->sign_key != !o->sign_cert)
		code = cli_usage(command, "--sign-key and --sign-cert belong together");
	if (code < 0 && o->persist && strcmp(o->persist, "on") != 0 &&
	    strcmp(o->persist, "off") != 0)
		code = cli_usage(command, "--persist is on or off, not %s", o->persist);
	return code;
}

/* ---- what was made ---- */

static const char *kind_name(const struct pack_options *o)
{
	return o->kind == PACK_ISO ? "iso" : o->kind == PACK_FOLDER ? "folder" : "disk";
}

static void add_images(struct json_object *object, const struct pack_result *r)
{
	struct json_object *array = cli_add_array(object, "images");

	vec_foreach (golden, &r->images) {
		struct json_object *o = cli_add_object(array, NULL);
		char seal[SEAL_TEXT_SIZE];

		seal_format(&golden->seal, seal);
		cli_add(o, "name", golden->name);
		cli_add(o, "source", golden->source);
		cli_add(o, "url", golden->url);
		cli_add(o, "title", golden->title);
		cli_add_strings(o, "words", &golden->words);
		cli_add(o, "format", golden->format);
		cli_add_int(o, "size", (int64_t)golden->sealed_size);
		cli_add(o, "seal", seal);
	}
}

static void add_partitions(struct json_object *object, const struct pack_result *r)
{
	struct json_object *array = cli_add_array(object, "partitions");

	vec_foreach (part, &r->partitions)
		cli_add_partition(array, part->role, part->number, part->offset,
				  part->size, &part->guid);
}

static void add_contents(struct json_object *object, const struct boot_set *set)
{
	struct json_object *array = cli_add_array(object, "contents");

	vec_foreach (part, &set->parts) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, "name", part->name);
		cli_add_int(o, "files", (int64_t)part->files);
		cli_add_int(o, "bytes", (int64_t)part->bytes);
	}
	array = cli_add_array(object, "modules");
	vec_foreach (class, &set->classes) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, "class", class->name);
		cli_add_int(o, "bytes", (int64_t) class->bytes);
		cli_add_strings(o, "names", &class->modules);
	}
	cli_add_strings(object, "missing_firmware", &set->missing_firmware);
	cli_add_strings(object, "left_out", &set->left_out);
}

static void add_losses(struct json_object *object, const struct module_losses *losses)
{
	struct json_object *o = cli_add_object(object, "losses"), *array;

	cli_add_int(o, "pcs", (int64_t)losses->pcs);
	cli_add_int(o, "losing", (int64_t)losses->losing);
	array = cli_add_array(o, "devices");
	vec_foreach (loss, &losses->list) {
		struct json_object *one = cli_add_object(array, NULL);

		cli_add(one, "id", loss->device);
		cli_add(one, "name", loss->name);
		cli_add(one, "role", pc_role_name(loss->role));
		cli_add(one, "modules", loss->modules);
		cli_add_int(one, "pcs", (int64_t)loss->pcs);
	}
}

static void add_microcode(struct json_object *object, const struct pack_result *r)
{
	struct json_object *array = cli_add_array(object, "microcode");

	for (int i = 0; i < MICROCODE_VENDORS; i++) {
		struct json_object *o;

		if (!r->microcode[i].updates)
			continue;
		o = cli_add_object(array, NULL);
		cli_add(o, "vendor", microcode_vendor_name(i));
		cli_add_int(o, "updates", (int64_t)r->microcode[i].updates);
		cli_add_int(o, "bytes", (int64_t)r->microcode[i].bytes);
	}
}

static void print_json(const struct pack_options *o, const struct pack_result *r)
{
	struct json_object *object = cli_object("gild.pack/1"), *part;
	const char slot[2] = {r->slot, 0};
	char seal[SEAL_TEXT_SIZE];

	seal_format(&r->set.seal, seal);
	part = cli_add_object(object, "output");
	cli_add(part, "path", o->update ? o->update : o->output);
	cli_add(part, "kind", kind_name(o));
	cli_add_int(part, "size", (int64_t)r->size);
	cli_add_int(part, "allocated", (int64_t)r->allocated);
	cli_add(part, "slot", r->slot ? slot : NULL);
	cli_add(object, "kernel", r->set.kernel_version);
	cli_add_int(object, "kernel_size", (int64_t)r->kernel_size);
	cli_add_int(object, "initrd_size", (int64_t)r->initrd_size);
	cli_add_int(object, "config_size", (int64_t)r->config_size);
	cli_add_int(object, "root_size", (int64_t)r->set.root_size);
	cli_add(object, "seal", seal);
	cli_add(object, "command_line", r->cmdline);
	cli_add_bool(object, "signed", r->uki);
	cli_add_int(object, "profiles", (int64_t)r->profiles);
	add_images(object, r);
	add_partitions(object, r);
	add_contents(object, &r->set);
	add_microcode(object, r);
	if (o->inventories->len)
		add_losses(object, &r->losses);
	if (o->update)
		cli_add_strings(object, "renewed", &r->renewed);
	cli_add_strings(object, "warnings", &r->warnings);
	cli_print_json(object);
}

static void print_modules(const struct boot_set *set)
{
	struct cli_table table = {.columns = 3, .plain = true};
	char size[SIZE_TEXT_SIZE];

	vec_foreach (class, &set->classes) {
		_cleanup_free_ char *name = xasprintf("    %s", class->name);
		_cleanup_free_ char *count = xasprintf("%zu", class->modules.len);

		size_text(class->bytes, size);
		cli_table_row(&table, name, count, size, NULL);
	}
	printf("  modules by class:\n");
	cli_table_print(&table, stdout);
	if (cli_verbose)
		vec_foreach (class, &set->classes)
			vec_foreach (module, &class->modules)
				printf("    %s: %s\n", class->name, *module);
}

static void print_contents(const struct pack_result *r)
{
	struct cli_table table = {.columns = 2, .plain = true};
	char size[SIZE_TEXT_SIZE];

	size_text(r->kernel_size, size);
	cli_table_row(&table, "  kernel", size, NULL);
	size_text(r->initrd_size, size);
	cli_table_row(&table, "  initramfs", size, NULL);
	size_text(r->config_size, size);
	cli_table_row(&table, "  settings", size, NULL);
	size_text(r->set.root_size, size);
	cli_table_row(&table, "  root file system", size, NULL);
	cli_table_print(&table, stdout);
	if (cli_verbose) {
		vec_foreach (part, &r->set.parts) {
			_cleanup_free_ char *name = xasprintf("    %s", part->name);

			size_text(part->bytes, size);
			cli_table_row(&table, name, size, NULL);
		}
		cli_table_print(&table, stdout);
	}
	print_modules(&r->set);
}

static void print_losses(const struct module_losses *losses)
{
	struct cli_table table = {.columns = 4};

	printf("  %zu of %zu PCs have a device that the kernel could drive, and this "
	       "medium does not%s\n",
	       losses->losing, losses->pcs, losses->list.len ? ":" : "");
	if (!losses->list.len)
		return;
	cli_table_row(&table, "    PCS", "ROLE", "MODULES", "DEVICE", NULL);
	for (size_t i = 0; i < losses->list.len; i++) {
		const struct module_loss *loss = &losses->list.items[i];
		_cleanup_free_ char *pcs = xasprintf("    %zu", loss->pcs);

		if (i == SHOWN_LOSSES && !cli_verbose)
			break;
		cli_table_row(&table, pcs, pc_role_name(loss->role), loss->modules,
			      loss->name ? loss->name : loss->device, NULL);
	}
	cli_table_print(&table, stdout);
}

static void print_text(const struct pack_options *o, const struct pack_result *r)
{
	char size[SIZE_TEXT_SIZE];

	size_text(r->size, size);
	printf("%s: %s of %s, Linux %s, %zu profiles\n",
	       o->update ? o->update : o->output, kind_name(o), size,
	       r->set.kernel_version, r->profiles);
	if (o->update)
		printf("  slot %c is started next\n", r->slot);
	vec_foreach (what, &r->renewed)
		printf("  renewed: %s\n", *what);
	vec_foreach (golden, &r->images) {
		size_text(golden->sealed_size, size);
		printf("  image %s: %s, %s, %s\n", golden->name, golden->title,
		       golden->format, size);
		if (cli_verbose)
			vec_foreach (word, &golden->words)
				printf("    %s\n", *word);
	}
	print_contents(r);
	for (int i = 0; i < MICROCODE_VENDORS; i++)
		if (r->microcode[i].updates)
			printf("  microcode of %s: %zu updates\n",
			       microcode_vendor_name(i), r->microcode[i].updates);
	if (r->set.missing_firmware.len)
		printf("  %zu firmware files that modules ask for are missing%s\n",
		       r->set.missing_firmware.len,
		       cli_verbose ? ":" : " (--verbose lists them)");
	if (cli_verbose)
		vec_foreach (file, &r->set.missing_firmware)
			printf("    %s\n", *file);
	if (o->inventories->len)
		print_losses(&r->losses);
	vec_foreach (what, &r->set.left_out)
		printf("  left out, since it is not installed: %s\n", *what);
	vec_foreach (warning, &r->warnings)
		printf("  warning: %s\n", *warning);
	if (r->uki)
		printf("  signed: kernel, initramfs, settings and command line\n");
}

static int run(struct pack_options *o)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_pack_result_ struct pack_result result = {.set = {.initrd = -1}};
	struct image_options image = {0};

	o->golden.image = &image;
	if (o->url && url_check(o->url, "--url", &err) < 0)
		return cli_fail(&err);
	if (images_options(&image, &err) < 0 || pack_run(o, &result, &err) < 0)
		return cli_fail(&err);
	if (cli_json)
		print_json(o, &result);
	else if (!cli_quiet)
		print_text(o, &result);
	return 0;
}

static void release(struct given *given)
{
	strings_free(&given->images);
	strings_free(&given->image_options);
	strings_free(&given->init_options);
	strings_free(&given->profiles);
	strings_free(&given->inventories);
}

int cmd_pack(const struct cli_command *command, int argc, char **argv)
{
	struct pack_options o = {0};
	struct given given = {0};
	const struct cli_option options[] = {
		{"output", "OUT", CLI_STRING, &o.output,
		 "the new stick or disk (.img), ISO (.iso) or folder (/)"},
		{"update", "STICK", CLI_STRING, &o.update,
		 "write the slot of a stick that is not in use"},
		{"index", "N", CLI_STRING, &o.golden.index, "which Windows of an image"},
		{"image-option", "[NAME:]KEY=VALUE", CLI_STRINGS, &given.image_options,
		 "instead of what was found out of an image"},
		{"url", "ADDRESS", CLI_STRING, &o.url,
		 "where the folder will be: images are read from there"},
		{"ca", "FILE", CLI_STRING, &o.golden.ca,
		 "certificates for https:// instead of the usual ones"},
		{"start", "NAME[,NAME...]", CLI_STRING, &o.start,
		 "which images start if nobody chooses: several, at once (the first)"},
		{"force", NULL, CLI_FLAG, &o.golden.force,
		 "also images that gild verify says would not start"},
		{"profile", "ID|FILE", CLI_STRINGS, &given.profiles,
		 "only this PC model (all that are known); may be repeated"},
		{"wifi", "FILE", CLI_STRING, &o.wifi, "a wpa_supplicant.conf"},
		{"firmware-dir", "DIR", CLI_STRING, &o.boot.firmware_dir,
		 "firmware for drivers, as in /lib/firmware"},
		{"kernel", "VERSION", CLI_STRING, &o.boot.kernel,
		 "another kernel than the newest that is installed"},
		{"append", "TEXT", CLI_STRING, &o.append, "to the kernel's command line"},
		{"persist", "on|off", CLI_STRING, &o.persist,
		 "keep what the guest writes (on where there is a state)"},
		{"init-option", "KEY=VALUE", CLI_STRINGS, &given.init_options,
		 "a word of init.conf; may be repeated"},
		{"slot-size", "SIZE", CLI_STRING, &given.slot_size,
		 "of each of a disk's two root partitions (2G)"},
		{"state-size", "SIZE", CLI_STRING, &given.state_size,
		 "of a disk's state, which grows at first start (1G); 0: none"},
		{"inventory", "FILE", CLI_STRINGS, &given.inventories,
		 "PCs: which devices the choice of modules costs them"},
		{"sign-key", "KEY", CLI_STRING, &o.sign_key,
		 "sign kernel, initramfs and command line as one file"},
		{"sign-cert", "CERT", CLI_STRING, &o.sign_cert, "that belongs to it"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &given.images);

	o.images = &given.images;
	o.golden.words = &given.image_options;
	o.init = &given.init_options;
	o.profiles = &given.profiles;
	o.inventories = &given.inventories;
	if (code < 0)
		code = choose(command, &given, &o);
	if (code < 0)
		code = run(&o);
	release(&given);
	return code;
}
