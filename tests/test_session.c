/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What init is told, from all sides, and what it makes of it on a made-up PC. */
#include "test.h"

#include "base/file.h"
#include "fake_sysfs.h"
#include "hwprofiles/profile_table.h"
#include "init/session.h"

static char *root;

static void say(const char *line _unused_)
{
}

static char *at(const char *path)
{
	return xasprintf("%s/%s", root, path);
}

/* A Dell with 8 GiB, without KVM, and two profiles: its own and another's. */
static int setup(void **state _unused_)
{
	struct profiles profiles = VEC_INIT;
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;
	static const char *const products[] = {"OptiPlex 7040", "Other"};

	root = fake_root();
	fake_file(root, "sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
	fake_file(root, "sys/class/dmi/id/product_name", "OptiPlex 7040\n");
	fake_file(root, "proc/cpuinfo", "processor\t: 0\nflags\t\t: vmx ept\n");
	fake_file(root, "proc/meminfo", "MemTotal: 8388608 kB\n");
	fake_file(root, "proc/cmdline",
		  "quiet gild.arch=amd64 gild.cpus=3 intel_iommu=on\n");
	fake_file(root, "init.conf",
		  "# a remark\nwindows=10.0.19045 arch=x86\nimage=/x smm=on\n");
	for (size_t i = 0; i < ARRAY_SIZE(products); i++) {
		struct profile *p = xcalloc(1, sizeof(*p));
		struct profile_match match = {.manufacturer = xstrdup("Dell*"),
					      .product = xstrdup(products[i])};

		p->id = profile_id_of(products[i]);
		p->name = xstrdup(products[i]);
		vec_push(&p->matches, match);
		strings_push(&p->quirks, "smm=off");
		strings_push(&p->quirks, "nested=on");
		/* For somebody else, or not for quirks to say. */
		strings_push(&p->quirks, "no-reset");
		strings_push(&p->quirks, "image=/etc/passwd");
		strings_push(&p->kernel_arguments, "intel_iommu=on");
		strings_push(&p->kernel_arguments, "pci=noaer");
		vec_push(&profiles, p);
	}
	profile_table_write(&profiles, &table);
	fake_bytes(root, "profiles", buffer_view(&table));
	profiles_free(&profiles);
	return 0;
}

static int teardown(void **state _unused_)
{
	temp_folder_remove(root);
	return 0;
}

static int configure(struct session *s, struct error *err)
{
	_cleanup_free_ char *config = at("init.conf"), *cmdline = at("proc/cmdline"),
			    *profiles = at("profiles");

	session_init(s, root, say);
	return session_configure(s, config, cmdline, profiles, err);
}

static void test_configuration(void **state _unused_)
{
	struct session s;
	_cleanup_error_ struct error err = ERROR_INIT;

	if (configure(&s, &err) < 0 || session_judge(&s, &err) < 0)
		fail_msg("%s: %s", err.subject, err.reason);
	assert_string_equal(s.question.profile->id, "optiplex-7040");
	/* Quirks are the weakest, the command line is stronger than the file. */
	assert_string_equal(options_get(&s.options, "nested"), "on");
	assert_string_equal(options_get(&s.options, "smm"), "on");
	assert_string_equal(options_get(&s.options, "arch"), "amd64");
	assert_string_equal(options_get(&s.options, "image"), "/x");
	assert_string_equal(options_get(&s.options, "cpus"), "3");
	assert_int_equal(s.verdict.mode, VERDICT_NATIVE);
	assert_true(s.verdict.stuck);
	for (size_t i = 0; i < s.verdict.reasons.len; i++)
		if (strcmp(s.verdict.reasons.items[i].code, "kernel-argument") == 0)
			assert_non_null(
				strstr(s.verdict.reasons.items[i].message, "pci=noaer"));
	session_free(&s);
}

/* One of several: its words are stronger than the file's, the kernel's stronger still. */
static void test_images(void **state _unused_)
{
	_cleanup_free_ char *facts = at("boot"), *images = at("images");
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *config = fake_text(root, "init.conf");
	_cleanup_free_ char *cmdline = fake_text(root, "proc/cmdline");
	struct session s;

	fake_file(root, "init.conf", "windows=5.1 cpus=7 smm=on\n");
	fake_file(root, "images/ten.conf",
		  "windows=10.0.19045 image=file:ten.img cpus=5\n");
	fake_file(root, "images/seven.conf",
		  "windows=6.1.7601 image=file:seven.img arch=x86 title=Seven\n");
	fake_file(root, "boot", "disk=sda\ndevice=/dev/sda2\n");
	if (configure(&s, &err) < 0 || session_read_facts(&s, facts, &err) < 0)
		fail_msg("%s: %s", err.subject, err.reason);
	assert_string_equal(s.image_name, "seven");
	assert_string_equal(options_get(&s.options, "image"), "file:seven.img");
	assert_string_equal(options_get(&s.options, "windows"), "6.1.7601");
	assert_string_equal(options_get(&s.options, "arch"), "amd64");
	assert_string_equal(options_get(&s.options, "cpus"), "3");
	assert_string_equal(options_get(&s.facts, "disk"), "sda");
	session_free(&s);
	fake_file(root, "proc/cmdline", "quiet gild.image=ten");
	assert_int_equal(configure(&s, &err), 0);
	assert_string_equal(s.image_name, "ten");
	assert_string_equal(options_get(&s.options, "image"), "file:ten.img");
	assert_string_equal(options_get(&s.options, "cpus"), "5");
	session_free(&s);
	fake_file(root, "proc/cmdline", "gild.image=eight");
	assert_int_equal(configure(&s, &err), -1);
	assert_non_null(strstr(err.remedy, "seven, ten"));
	session_free(&s);
	/* A place is none of them. */
	fake_file(root, "proc/cmdline", "gild.image=/dev/sdb");
	assert_int_equal(configure(&s, &err), 0);
	assert_null(s.image_name);
	session_free(&s);
	fake_file(root, "init.conf", config);
	fake_file(root, "proc/cmdline", cmdline);
	assert_int_equal(remove_tree(images, NULL), 0);
}

static void refuse(const char *file, const char *text, const char *subject)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *before = fake_text(root, file);
	struct session s;

	fake_file(root, file, text);
	if (configure(&s, &err) == 0)
		assert_int_equal(session_judge(&s, &err), -1);
	if (!err.subject || !strstr(err.subject, subject))
		fail_msg("\"%s\" is not about %s", err.subject, subject);
	session_free(&s);
	fake_file(root, file, before ? before : "");
}

static void test_refused(void **state _unused_)
{
	refuse("init.conf", "windows=10.0.19045 nonsense=1", "nonsense=1");
	refuse("init.conf", "windows=10.0.19045 native=maybe", "native");
	refuse("init.conf", "windows=10.0.19045 no_kvm=perhaps", "no_kvm");
	refuse("init.conf", "windows=10.0.19045 memory=lots", "memory");
	refuse("init.conf", "", "windows");
	refuse("init.conf", "windows", "init.conf");
	refuse("proc/cmdline", "gild.x", "command line");
}

/* fw_cfg changes the virtual machine, and nothing else. */
static void test_fw_cfg(void **state _unused_)
{
	static const char path[] = "sys/firmware/qemu_fw_cfg/by_name/opt/gild/vm/raw";
	struct session s;

	fake_file(root, path, "accel=tcg memory=64M");
	assert_int_equal(configure(&s, NULL), 0);
	assert_int_equal(session_judge(&s, NULL), 0);
	assert_int_equal(s.verdict.mode, VERDICT_PARAVIRTUAL);
	assert_true(s.verdict.guest_memory == 64 << 20);
	session_free(&s);
	refuse(path, "image=/etc/shadow", "image=");
	fake_file(root, path, "");
}

static void test_profiles(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *profiles = at("profiles");
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;
	struct session s;

	assert_int_equal(file_read(profiles, 1 << 20, &table, NULL), 0);
	fake_file(root, "profiles", "damaged");
	assert_int_equal(configure(&s, &err), -1);
	assert_string_equal(err.subject, profiles);
	session_free(&s);
	fake_bytes(root, "profiles", buffer_view(&table));
	/* Another PC has no profile, and starts all the same. */
	fake_file(root, "sys/class/dmi/id/sys_vendor", "Other\n");
	assert_int_equal(configure(&s, NULL), 0);
	assert_null(s.question.profile);
	session_free(&s);
	fake_file(root, "sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration), cmocka_unit_test(test_images),
		cmocka_unit_test(test_refused),	      cmocka_unit_test(test_fw_cfg),
		cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
