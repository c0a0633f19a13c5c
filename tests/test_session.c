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
	assert_string_equal(s.guests.items[0].name, "seven");
	assert_string_equal(options_get(&s.options, "image"), "file:seven.img");
	assert_string_equal(options_get(&s.options, "windows"), "6.1.7601");
	assert_string_equal(options_get(&s.options, "arch"), "amd64");
	assert_string_equal(options_get(&s.options, "cpus"), "3");
	assert_string_equal(options_get(&s.facts, "disk"), "sda");
	session_free(&s);
	fake_file(root, "proc/cmdline", "quiet gild.image=ten");
	assert_int_equal(configure(&s, &err), 0);
	assert_string_equal(s.guests.items[0].name, "ten");
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
	assert_null(s.guests.items[0].name);
	session_free(&s);
	fake_file(root, "init.conf", config);
	fake_file(root, "proc/cmdline", cmdline);
	assert_int_equal(remove_tree(images, NULL), 0);
}

static bool has_reason(const struct session *s, const char *code, const char *part)
{
	vec_foreach (reason, &s->verdict.reasons)
		if (strcmp(reason->code, code) == 0 && strstr(reason->message, part))
			return true;
	return false;
}

/* Several at once: each has its own words and what holds for all; memory is divided. */
static void test_several(void **state _unused_)
{
	static const char fw_cfg[] = "sys/firmware/qemu_fw_cfg/by_name/opt/gild/vm/raw";
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *config = fake_text(root, "init.conf");
	_cleanup_free_ char *cmdline = fake_text(root, "proc/cmdline");
	_cleanup_free_ char *images = at("images"), *json = NULL;
	_cleanup_buffer_ struct buffer many = BUFFER_INIT;
	struct session s;

	fake_file(root, "init.conf", "cpus=2 smm=off image=seven,ten\n");
	fake_file(root, "images/ten.conf",
		  "windows=10.0.19045 image=file:ten.img cpus=5 memory=3G\n");
	fake_file(root, "images/seven.conf", "windows=6.1.7601 image=file:seven.img\n");
	fake_file(root, "images/big.conf",
		  "windows=6.1.7601 image=file:big.img memory=6G\n");
	fake_file(root, "proc/cmdline", "quiet gild.nested=on");
	fake_file(root, fw_cfg, "accel=tcg hyperv=off");
	if (configure(&s, &err) < 0 || session_judge(&s, &err) < 0)
		fail_msg("%s: %s", err.subject, err.reason);
	assert_int_equal(s.guests.len, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct options *o = &s.guests.items[i].options;

		assert_string_equal(options_get(o, "nested"), "on");
		assert_string_equal(options_get(o, "smm"), "off");
		assert_string_equal(options_get(o, "hyperv"), "off");
		assert_string_equal(options_get(o, "cpus"), i ? "5" : "2");
		assert_string_equal(options_get(o, "image"),
				    i ? "file:ten.img" : "file:seven.img");
	}
	assert_null(options_get(&s.guests.items[0].own, "cpus"));
	assert_string_equal(options_get(&s.options, "image"), "file:seven.img");
	assert_true(s.shares[1].memory == (uint64_t)3 << 30);
	assert_true(s.verdict.guest_memory == s.shares[0].memory &&
		    s.shares[0].memory > (uint64_t)4 << 30);
	session_free(&s);
	/* The kernel's command line chooses, too; who does not fit is left out. */
	fake_file(root, "proc/cmdline", "gild.image=seven,big,ten");
	assert_int_equal(configure(&s, NULL), 0);
	assert_int_equal(session_judge(&s, NULL), 0);
	assert_int_equal(s.verdict.mode, VERDICT_PARAVIRTUAL);
	assert_true(has_reason(&s, "guest-left-out", "big (Windows 7)"));
	assert_false(has_reason(&s, "guest-left-out", "ten"));
	json = verdict_json(&s.verdict, &s.question);
	assert_non_null(strstr(json, "{\"name\":\"big\",\"windows\":\"Windows 7\","
				     "\"memory\":0,\"missing\":"));
	session_free(&s);
	/* More than there may be. */
	for (unsigned i = 0; i <= SESSION_MAX_GUESTS; i++) {
		_cleanup_free_ char *path = xasprintf("images/g%u.conf", i);

		fake_file(root, path, "windows=5.1\n");
		buffer_printf(&many, "%sg%u", i ? "," : "gild.image=", i);
	}
	buffer_append(&many, "", 1);
	fake_file(root, "proc/cmdline", (const char *)many.data);
	assert_int_equal(configure(&s, &err), -1);
	assert_string_equal(err.remedy, "start 8 at once at most");
	session_free(&s);
	fake_file(root, fw_cfg, "");
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
		cmocka_unit_test(test_several),	      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_fw_cfg),	      cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
