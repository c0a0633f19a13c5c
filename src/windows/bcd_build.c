/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A BCD store for a disk, as bcdboot makes it: objects and their defaults from the
 * image's own BCD-Template, devices and names of this disk added. An object that the
 * template does not have (or all, without a template) is made as the stores of that
 * Windows have it.
 *
 * Elements of a template whose first digit is 4 say how to set the object up: 42000002 is
 * the loader's path below the Windows folder, 45000001 on which volume it lies, 47000005
 * which text it is called by, 47000006 what is kept from an earlier store. bcdboot acts
 * on them and drops them; so is done here.
 */
#include "windows/bcd_build.h"

#include "base/text.h"

#define SETUP_PATH 0x42000002u
#define IS_SETUP(type) ((type) >> 28 == 4)
#define INHERITANCE 2u /* first digit of an object's type */

#define RECOVERY_MESSAGE 0x15000065u
#define RECOVERY_MARK 0x46000010u
#define NX_POLICY 0x25000020u
#define MENU_POLICY 0x250000c2u
#define MESSAGE_RECOVERY 3u

static const struct template_object {
	const char *uefi, *bios; /* in templates of Vista and later */
	uint32_t type;
} os_template = {"{b012b84d-c47c-4ed5-b722-c0c42163e569}",
		 "{a1943bbc-ea85-487c-97c7-c9ede908a38a}", BCD_OS_LOADER},
  resume_template = {"{0c334284-9a41-4de1-99b3-a7e87e8ff07e}",
		     "{98b02a23-0674-4ce7-bdad-e0a15a8ff97b}", BCD_RESUME_LOADER};

struct guid bcd_known_guid(const char *text)
{
	struct guid guid = {0};

	(void)guid_parse(text, &guid);
	return guid;
}

static struct guid derived_guid(const struct bcd_options *options, const char *what)
{
	_cleanup_buffer_ struct buffer seed = BUFFER_INIT;

	buffer_append_string(&seed, "gild BCD ");
	buffer_append_string(&seed, what);
	buffer_append(&seed, options->seed.data, options->seed.len);
	return guid_from(buffer_view(&seed));
}

/* ---- from the template ---- */

/* A loader for that firmware which starts an installed Windows: by its GUID, or its path.
 */
static const struct bcd_object *find_loader(const struct bcd_store *template,
					    const struct template_object *known,
					    bool uefi)
{
	struct guid guid = bcd_known_guid(uefi ? known->uefi : known->bios);
	const struct bcd_object *found = bcd_object_find(template, &guid);

	if (found)
		return found;
	vec_foreach (object, &template->objects) {
		_cleanup_free_ char *below = bcd_get_text(object, SETUP_PATH);
		_cleanup_free_ char *path = bcd_get_text(object, BCD_PATH);
		const char *loader = below ? below : path;
		bool winpe = false;

		(void)bcd_get_boolean(object, BCD_WINPE, &winpe);
		if (object->type == known->type && !winpe && loader &&
		    text_ends_with(loader, uefi ? ".efi" : ".exe"))
			return object;
	}
	return NULL;
}

static void copy_elements(struct bcd_object *to, const struct bcd_object *from)
{
	vec_foreach (element, &from->elements) {
		uint64_t v;

		if (IS_SETUP(element->type))
			continue;
		/* Templates have only as many bytes as the number needs. */
		if (bcd_element_format(element->type) == BCD_FORMAT_INTEGER &&
		    bcd_get_integer(from, element->type, &v))
			bcd_set_integer(to, element->type, v);
		else
			bcd_set_raw(to, element);
	}
}

/* Adds the object as `guid`, from the template or as it is made otherwise. */
static struct bcd_object *add(struct bcd_building *b, const struct guid *guid,
			      const struct bcd_object *from, uint32_t type)
{
	struct bcd_object *object =
		bcd_object_add(b->store, guid, from ? from->type : type);

	if (from)
		copy_elements(object, from);
	else
		bcd_scratch_elements(b, object);
	return object;
}

/* Settings that others inherit: the template's, and what is missing of the usual ones. */
static void add_inherited(struct bcd_building *b)
{
	vec_foreach (object, &b->template.objects)
		if (object->type >> 28 == INHERITANCE)
			add(b, &object->guid, object, 0);
	for (size_t i = 0; i < bcd_inherited_count; i++) {
		struct guid guid = bcd_known_guid(bcd_inherited[i].guid);

		if (!bcd_object_find(b->store, &guid))
			add(b, &guid, NULL, bcd_inherited[i].type);
	}
}

/* ---- devices ---- */

static struct bcd_device volume_device(const struct bcd_volume *volume)
{
	if (volume->gpt)
		return (struct bcd_device){.kind = BCD_DEVICE_GPT,
					   .partition = volume->partition,
					   .disk = volume->disk};
	return (struct bcd_device){.kind = BCD_DEVICE_MBR,
				   .offset = volume->offset,
				   .signature = volume->signature};
}

/* Where the boot manager and the memory tester are. */
static void set_system_device(const struct bcd_options *o, struct bcd_object *object)
{
	struct bcd_device device = {.kind = BCD_DEVICE_BOOT};

	if (o->form == BCD_FORM_PARTITION)
		device = volume_device(&o->system);
	bcd_set_device(object, BCD_DEVICE, &device);
}

/* Where Windows is; `path` is what is looked for in the locate form. */
static void set_windows_device(const struct bcd_options *o, struct bcd_object *object,
			       uint32_t type, const char *path)
{
	struct bcd_device device = {.kind = BCD_DEVICE_BOOT};

	if (o->form == BCD_FORM_PARTITION)
		device = volume_device(&o->windows);
	else if (o->form == BCD_FORM_LOCATE)
		device = (struct bcd_device){.kind = BCD_DEVICE_LOCATE,
					     .path = (char *)path};
	bcd_set_device(object, type, &device);
}

/* ---- objects ---- */

static void add_boot_manager(struct bcd_building *b)
{
	struct guid guid = bcd_known_guid(BCD_GUID_BOOTMGR);
	struct bcd_object *object =
		add(b, &guid, bcd_object_find(&b->template, &guid), BCD_BOOT_MANAGER);

	set_system_device(b->options, object);
	bcd_set_text(object, BCD_LOCALE, b->options->locale);
	if (b->options->uefi)
		bcd_set_text(object, BCD_PATH, "\\EFI\\Microsoft\\Boot\\bootmgfw.efi");
	else
		bcd_unset(object, BCD_PATH); /* the firmware starts it, nobody by name */
	/* The template's name the entries of Windows Setup. */
	bcd_unset(object, BCD_DEFAULT);
	bcd_unset(object, BCD_DISPLAY_ORDER);
	bcd_unset(object, BCD_TOOLS_ORDER);
}

static void add_memory_tester(struct bcd_building *b)
{
	struct guid guid = bcd_known_guid(BCD_GUID_MEMDIAG);
	struct bcd_object *object =
		add(b, &guid, bcd_object_find(&b->template, &guid), BCD_MEMORY_TESTER);

	set_system_device(b->options, object);
	bcd_set_text(object, BCD_LOCALE, b->options->locale);
	bcd_set_text(object, BCD_PATH,
		     b->options->uefi ? "\\EFI\\Microsoft\\Boot\\memtest.efi"
				      : "\\boot\\memtest.exe");
	bcd_set_text(object, BCD_DESCRIPTION, "Windows Memory Diagnostic");
}

/* Settings of loaders that only one of the firmwares has. */
static void fit_firmware(const struct bcd_building *b, struct bcd_object *object)
{
	if (!b->options->uefi || !bcd_version_from(b, 6, 2))
		bcd_unset(object, BCD_ISOLATED_CONTEXT);
}

static void add_resume(struct bcd_building *b)
{
	const struct bcd_options *o = b->options;
	const struct bcd_object *from =
		find_loader(&b->template, &resume_template, o->uefi);
	struct bcd_object *object = add(b, &b->resume, from, BCD_RESUME_LOADER);
	_cleanup_free_ char *path = xasprintf("%s\\system32\\winresume.%s", o->folder,
					      o->uefi ? "efi" : "exe");

	set_windows_device(o, object, BCD_DEVICE, path);
	set_windows_device(o, object, BCD_OS_DEVICE, "\\hiberfil.sys");
	bcd_set_text(object, BCD_PATH, path);
	bcd_set_text(object, BCD_LOCALE, o->locale);
	bcd_set_text(object, BCD_SYSTEM_ROOT, "\\hiberfil.sys");
	fit_firmware(b, object);
}

static void add_os(struct bcd_building *b)
{
	const struct bcd_options *o = b->options;
	const struct bcd_object *from = find_loader(&b->template, &os_template, o->uefi);
	struct bcd_object *object = add(b, &b->os, from, BCD_OS_LOADER);
	_cleanup_free_ char *path =
		xasprintf("%s\\system32\\winload.%s", o->folder, o->uefi ? "efi" : "exe");
	_cleanup_free_ char *name = bcd_description(o->target, o->product);

	set_windows_device(o, object, BCD_DEVICE, path);
	set_windows_device(o, object, BCD_OS_DEVICE, o->folder);
	bcd_set_text(object, BCD_PATH, path);
	bcd_set_text(object, BCD_DESCRIPTION, name);
	bcd_set_text(object, BCD_LOCALE, o->locale);
	bcd_set_text(object, BCD_SYSTEM_ROOT, o->folder);
	bcd_set_guid(object, BCD_RESUME, &b->resume);
	fit_firmware(b, object);
}

static void link_entries(struct bcd_building *b)
{
	struct guid guid = bcd_known_guid(BCD_GUID_BOOTMGR),
		    tester = bcd_known_guid(BCD_GUID_MEMDIAG);
	struct bcd_object *object = bcd_object_find(b->store, &guid);

	bcd_set_guid(object, BCD_DEFAULT, &b->os);
	bcd_set_guid(object, BCD_RESUME_OBJECT, &b->resume);
	bcd_set_guids(object, BCD_DISPLAY_ORDER, &b->os, 1);
	if (!b->options->no_memory_tester)
		bcd_set_guids(object, BCD_TOOLS_ORDER, &tester, 1);
}

/* ---- recovery ---- */

static void add_recovery_image(struct bcd_building *b, const struct guid *guid)
{
	struct bcd_object *object = bcd_object_add(b->store, guid, BCD_DEVICE_OPTIONS);
	struct bcd_device volume = volume_device(b->options->recovery);
	_cleanup_free_ char *path =
		xasprintf("%s\\boot.sdi", b->options->recovery_folder);

	bcd_set_text(object, BCD_DESCRIPTION, "Windows Recovery");
	bcd_set_device(object, BCD_RAMDISK_DEVICE, &volume);
	bcd_set_text(object, BCD_RAMDISK_PATH, path);
}

static void add_recovery_loader(struct bcd_building *b, const struct guid *guid,
				const struct guid *image)
{
	struct bcd_object *object = bcd_object_add(b->store, guid, BCD_OS_LOADER);
	struct bcd_device volume = volume_device(b->options->recovery);
	struct guid settings = bcd_known_guid(BCD_GUID_LOADERSETTINGS);
	_cleanup_free_ char *path =
		xasprintf("%s\\Winre.wim", b->options->recovery_folder);
	struct bcd_device device = {.kind = BCD_DEVICE_RAMDISK,
				    .options = *image,
				    .path = path,
				    .parent = &volume};

	bcd_set_device(object, BCD_DEVICE, &device);
	bcd_set_device(object, BCD_OS_DEVICE, &device);
	bcd_set_text(object, BCD_PATH,
		     b->options->uefi ? "\\windows\\system32\\winload.efi"
				      : "\\windows\\system32\\winload.exe");
	bcd_set_text(object, BCD_DESCRIPTION, "Windows Recovery Environment");
	bcd_set_text(object, BCD_LOCALE, b->options->locale);
	bcd_set_guids(object, BCD_INHERITED, &settings, 1);
	bcd_set_integer(object, RECOVERY_MESSAGE, MESSAGE_RECOVERY);
	bcd_set_text(object, BCD_SYSTEM_ROOT, "\\windows");
	bcd_set_integer(object, NX_POLICY, 0);
	if (bcd_version_from(b, 6, 2))
		bcd_set_integer(object, MENU_POLICY, 1);
	bcd_set_boolean(object, BCD_WINPE, true);
	bcd_set_boolean(object, RECOVERY_MARK, true);
}

static void add_recovery(struct bcd_building *b)
{
	struct guid loader = derived_guid(b->options, "recovery loader"),
		    image = derived_guid(b->options, "recovery image");
	const struct guid *starters[] = {&b->os, &b->resume};

	add_recovery_image(b, &image);
	add_recovery_loader(b, &loader, &image);
	for (size_t i = 0; i < ARRAY_SIZE(starters); i++) {
		struct bcd_object *object = bcd_object_find(b->store, starters[i]);

		bcd_set_guids(object, BCD_RECOVERY_SEQUENCE, &loader, 1);
		bcd_set_boolean(object, BCD_RECOVERY_ENABLED, true);
	}
}

/* ---- stores ---- */

static int check_options(const struct bcd_options *o, struct error *err)
{
	if (!o->uefi && o->target->arch != ARCH_X86 && o->target->arch != ARCH_AMD64) {
		error_set(err, ERROR_USAGE, NULL,
			  "a Windows for %s has no boot files for BIOS",
			  arch_name(o->target->arch));
		return error_remedy(err, "build it for UEFI (--firmware=uefi)");
	}
	return 0;
}

static int begin(struct bcd_building *b, struct error *err)
{
	const struct bcd_options *o = b->options;

	if (check_options(o, err) < 0)
		return -1;
	if (o->template.len &&
	    bcd_store_parse(o->template, "BCD-Template", &b->template, err) < 0)
		return -1;
	b->os = derived_guid(o, "loader");
	b->resume = derived_guid(o, "resume");
	/* Nothing wrote the firmware's variables for this store. */
	b->store->firmware_modified = o->uefi;
	add_inherited(b);
	add_boot_manager(b);
	return 0;
}

int bcd_build(const struct bcd_options *options, struct bcd_store *ret, struct error *err)
{
	struct bcd_building b = {.options = options, .store = ret};

	if (begin(&b, err) < 0)
		return -1;
	ret->key_name = xstrdup("BCD00000000");
	ret->system = true;
	ret->treat_as_system = true;
	if (!options->no_memory_tester)
		add_memory_tester(&b);
	add_resume(&b);
	add_os(&b);
	link_entries(&b);
	if (options->recovery)
		add_recovery(&b);
	bcd_store_free(&b.template);
	return 0;
}

int bcd_build_recovery(const struct bcd_options *options, struct bcd_store *ret,
		       struct error *err)
{
	struct bcd_building b = {.options = options, .store = ret};

	if (begin(&b, err) < 0)
		return -1;
	ret->key_name = xstrdup("BCD00000001");
	bcd_store_free(&b.template);
	return 0;
}
