/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Coldplug over a made-up sysfs and an index that depmod made; mounts in order. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/process.h"
#include "fake_sysfs.h"
#include "init/coldplug.h"
#include "init/mounts.h"

static int load(const char *module, void *arg)
{
	return strcmp(module, arg) == 0 ? -EIO : 0;
}

static char *joined(const struct strings *list)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (s, list)
		buffer_printf(&b, "%s ", *s);
	return buffer_steal_string(&b);
}

/* Modules with nothing in them but their aliases, and depmod's index of them. */
static bool make_modules(const char *root)
{
	static const struct {
		const char *name, *alias;
	} list[] = {{"e1000e", "pci:v00008086d000010D3sv*sd*bc*sc*i*"},
		    {"snd_hda_intel", "pci:v*d*sv*sd*bc04sc03i00*"},
		    {"nouveau", "pci:v000010DEd*sv*sd*bc03sc*i*"},
		    {"usbhid", "usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*"},
		    {"psmouse", "serio:ty01pr*id*ex*"},
		    {"kvm_amd", "x86cpu:vendor:0002:*"}};
	_cleanup_free_ char *folder = xasprintf("%s/lib/modules/1.0", root);
	char *argv[] = {(char *)"depmod", (char *)"-b", (char *)root, (char *)"1.0",
			NULL};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		_cleanup_free_ char *source = xasprintf("%s/%s.s", root, list[i].name);
		_cleanup_free_ char *object =
			xasprintf("%s/kernel/%s.ko", folder, list[i].name);
		_cleanup_free_ char *path =
			xasprintf("lib/modules/1.0/kernel/%s.ko", list[i].name);
		_cleanup_free_ char *text =
			xasprintf(".section .modinfo,\"a\"\n.asciz \"alias=%s\"\n"
				  ".asciz \"name=%s\"\n",
				  list[i].alias, list[i].name);
		_cleanup_free_ char *source_name = xasprintf("%s.s", list[i].name);
		char *assemble[] = {(char *)"as", (char *)"-o", object, source, NULL};

		fake_file(root, path, "");
		fake_file(root, source_name, text);
		if (process_run(assemble, NULL) < 0)
			return false;
	}
	fake_file(root, "lib/modules/1.0/modules.order", "");
	fake_file(root, "lib/modules/1.0/modules.builtin", "");
	return process_run(argv, NULL) == 0;
}

static void test_coldplug(void **state _unused_)
{
	char *root = fake_root();
	_cleanup_free_ char *modules = xasprintf("%s/lib/modules/1.0", root);
	_cleanup_(strings_free) struct strings spared = VEC_INIT;
	struct coldplug c = {.root = root,
			     .modules = modules,
			     .spared = &spared,
			     .load = load,
			     .load_arg = (void *)"snd_hda_intel",
			     .threads = 4};
	static const char *const names[] = {"kvm_amd", "nonsense"};
	_cleanup_free_ char *loaded = NULL, *failed = NULL;

	if (!make_modules(root)) {
		temp_folder_remove(root);
		print_message("# depmod or as is not installed\n");
		skip();
	}
	fake_file(root, "sys/devices/pci0000:00/0000:00:19.0/modalias",
		  "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n");
	fake_file(root, "sys/devices/pci0000:00/0000:00:1a.0/modalias",
		  "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n");
	fake_file(root, "sys/devices/pci0000:00/0000:00:1b.0/modalias",
		  "pci:v00008086d0000A170sv00001028sd000006B9bc04sc03i00\n");
	fake_file(root, "sys/devices/pci0000:00/0000:01:00.0/modalias",
		  "pci:v000010DEd00001C03sv00001028sd000006B9bc03sc00i00\n");
	fake_file(root, "sys/devices/platform/nothing/modalias", "platform:nothing\n");
	fake_link(root, "sys/devices/platform/loop", "..");
	strings_push(&spared, "0000:01:00.0");
	/* Two devices of one kind are one alias. */
	assert_int_equal(coldplug_sweep(&c, NULL), 3);
	assert_int_equal(coldplug_sweep(&c, NULL), 0);
	loaded = joined(&c.loaded);
	assert_string_equal(loaded, "e1000e snd_hda_intel ");
	failed = joined(&c.failed);
	assert_string_equal(failed, "snd_hda_intel: Input/output error ");
	/* A driver made a new device. */
	fake_file(root, "sys/devices/pci0000:00/0000:00:1a.0/usb1/1-1/modalias",
		  "usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00\n");
	assert_int_equal(coldplug_sweep(&c, NULL), 1);
	assert_int_equal(coldplug_load(&c, names, 2, NULL), 0);
	free(loaded);
	loaded = joined(&c.loaded);
	assert_string_equal(loaded, "e1000e kvm_amd snd_hda_intel usbhid ");
	assert_string_equal(c.failed.items[1], "nonsense: there is no such module");
	coldplug_free(&c);
	temp_folder_remove(root);
}

static void test_ranks(void **state _unused_)
{
	static const struct {
		const char *alias;
		enum coldplug_rank rank;
	} list[] = {
		{"pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00", COLDPLUG_FIRST},
		{"pci:v00008086d0000A102sv00001028sd000006B9bc01sc06i01", COLDPLUG_FIRST},
		{"pci:v00008086d0000A12Fsv00001028sd000006B9bc0Csc03i30", COLDPLUG_FIRST},
		{"pci:v000010ECd00005227sv00001028sd000006B9bc08sc05i01", COLDPLUG_FIRST},
		{"pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00",
		 COLDPLUG_SCREEN},
		{"pci:v00008086d0000A123sv00001028sd000006B9bc0Csc05i00", COLDPLUG_LATE},
		{"pci:v00008086d0000A121sv00001028sd000006B9bc05sc80i00", COLDPLUG_LATE},
		{"cpu:type:x86,ven0002fam000Fmod006B:feature:,0000", COLDPLUG_LATE},
		{"serio:ty01pr00id00ex00", COLDPLUG_LATE},
		{"usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00", COLDPLUG_FIRST},
		{"virtio:d00000002v00001AF4", COLDPLUG_FIRST},
		{"pci:nonsense", COLDPLUG_FIRST},
		{"", COLDPLUG_FIRST},
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		assert_int_equal(coldplug_rank(list[i].alias), list[i].rank);
}

/* ---- the process ---- */

/* In that process: the modules' names, one a line. */
static int write_name(const char *module, void *arg)
{
	FILE *f = fopen(arg, "a");

	if (!f)
		return -errno;
	fprintf(f, "%s\n", module);
	return fclose(f) == 0 ? 0 : -EIO;
}

static bool has_loaded(const char *path, const char *module)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	if (file_read(path, 1000, &data, NULL) < 0)
		return false;
	text = buffer_steal_string(&data);
	return strstr(text, module) != NULL;
}

static void test_process(void **state _unused_)
{
	static const char *const names[] = {"kvm_amd", NULL};
	char *root = fake_root();
	_cleanup_free_ char *modules = xasprintf("%s/lib/modules/1.0", root);
	_cleanup_free_ char *path = xasprintf("%s/loaded", root);
	_cleanup_(strings_free) struct strings spared = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct coldplug c = {.root = root,
			     .modules = modules,
			     .spared = &spared,
			     .load = write_name,
			     .load_arg = path,
			     .threads = 2};

	if (!make_modules(root)) {
		temp_folder_remove(root);
		print_message("# depmod or as is not installed\n");
		skip();
	}
	fake_file(root, "sys/devices/pci0000:00/0000:00:19.0/modalias",
		  "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n");
	fake_file(root, "sys/devices/pci0000:00/0000:01:00.0/modalias",
		  "pci:v000010DEd00001C03sv00001028sd000006B9bc03sc00i00\n");
	fake_file(root, "sys/devices/pci0000:00/0000:00:01.0/power/modalias",
		  "pci:v00008086d0000A170sv00001028sd000006B9bc04sc03i00\n");
	fake_file(root, "sys/devices/serio0/modalias", "serio:ty01pr00id00ex00\n");
	assert_int_equal(coldplug_start(&c, names, &err), 0);
	assert_int_equal(coldplug_wait(&c, COLDPLUG_URGENT, &err), 0);
	assert_true(has_loaded(path, "kvm_amd"));
	assert_true(has_loaded(path, "e1000e"));
	assert_true(c.drivers >= 2 && c.devices == 3);
	/* The process does it. */
	assert_int_equal(coldplug_sweep(&c, NULL), 0);
	assert_int_equal(c.seen.len, 0);
	assert_false(has_loaded(path, "psmouse"));
	coldplug_go(&c);
	assert_int_equal(coldplug_wait(&c, COLDPLUG_ALL, &err), 0);
	assert_int_equal(coldplug_progress(&c), COLDPLUG_ALL);
	assert_true(has_loaded(path, "nouveau"));
	assert_true(has_loaded(path, "psmouse"));
	/* No device is in such a folder. */
	assert_false(has_loaded(path, "snd_hda_intel"));
	coldplug_stop(&c);
	assert_int_equal(c.process, 0);

	c.modules = "/nonexistent";
	assert_int_equal(coldplug_start(&c, names, &err), 0);
	assert_int_equal(coldplug_wait(&c, COLDPLUG_URGENT, &err), -1);
	assert_string_equal(err.subject, "/nonexistent");
	assert_int_equal(coldplug_progress(&c), COLDPLUG_NO_INDEX);
	coldplug_stop(&c);
	coldplug_free(&c);
	temp_folder_remove(root);
}

static void test_no_index(void **state _unused_)
{
	char *root = fake_root();
	_cleanup_error_ struct error err = ERROR_INIT;
	struct coldplug c = {.root = root, .modules = "/nonexistent", .load = load};

	fake_file(root, "sys/devices/x/modalias", "platform:x\n");
	assert_int_equal(coldplug_sweep(&c, &err), -1);
	assert_string_equal(err.subject, "/nonexistent");
	coldplug_free(&c);
	temp_folder_remove(root);
}

/* ---- mounts ---- */

static struct buffer mounted;
static const char *good_type;
static int other_errno;

static int fake_mount(const char *source, const char *target, const char *type,
		      unsigned long flags, const void *data _unused_)
{
	const char *name = strrchr(target, '/');

	buffer_printf(&mounted, "%s %s %s%s%s%s\n", source, name, type,
		      flags & MS_RDONLY ? " ro" : "", flags & MS_NOSUID ? " nosuid" : "",
		      flags & MS_NODEV ? " nodev" : "");
	if (!good_type || strcmp(type, good_type) == 0)
		return 0;
	errno = other_errno;
	return -1;
}

static void assert_mounted(const char *expected)
{
	buffer_append(&mounted, "", 1);
	assert_string_equal((char *)mounted.data, expected);
	buffer_free(&mounted);
}

static void test_mounts(void **state _unused_)
{
	char *root = fake_root();
	_cleanup_free_ char *device = xasprintf("%s/dev/sda1", root);
	_cleanup_free_ char *target = xasprintf("%s/media", root);
	_cleanup_error_ struct error err = ERROR_INIT;

	good_type = NULL;
	assert_int_equal(mounts_kernel(root, fake_mount, NULL), 0);
	assert_mounted("proc /proc proc nosuid nodev\nsysfs /sys sysfs nosuid nodev\n"
		       "devtmpfs /dev devtmpfs nosuid\ntmpfs /run tmpfs nosuid nodev\n");
	fake_file(root, "sys/firmware/efi/efivars/x", "");
	assert_int_equal(mounts_kernel(root, fake_mount, NULL), 0);
	assert_non_null(memmem(mounted.data, mounted.len, "efivarfs", 8));
	buffer_free(&mounted);
	/* What is mounted already is left. */
	good_type = "none";
	other_errno = EBUSY;
	assert_int_equal(mounts_kernel(root, fake_mount, NULL), 0);
	other_errno = EPERM;
	assert_int_equal(mounts_kernel(root, fake_mount, &err), -1);
	assert_non_null(strstr(err.subject, "/proc"));
	buffer_free(&mounted);

	assert_int_equal(mounts_device(device, target, false, fake_mount, &err), 1);
	fake_file(root, "dev/sda1", "");
	good_type = "squashfs";
	other_errno = EINVAL;
	assert_int_equal(mounts_device(device, target, false, fake_mount, &err), 0);
	assert_non_null(
		memmem(mounted.data, mounted.len, "/media squashfs ro nosuid nodev", 31));
	buffer_free(&mounted);
	good_type = "none";
	other_errno = EIO;
	assert_int_equal(mounts_device(device, target, true, fake_mount, &err), -1);
	assert_non_null(strstr(err.reason, "Input/output error"));
	assert_null(memmem(mounted.data, mounted.len, " ro", 3));
	buffer_free(&mounted);
	temp_folder_remove(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coldplug), cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_process),	 cmocka_unit_test(test_no_index),
		cmocka_unit_test(test_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
