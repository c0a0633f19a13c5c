/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handing devices on: what the plan takes, joins and refuses; the deed against a folder
 * in which writes have the effect that the kernel would give them.
 */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "fake_sysfs.h"
#include "init/passthrough.h"

/* ---- the plan ---- */

static void add_device(struct machine *m, const char *address, const char *id,
		       enum pc_role role, int group)
{
	struct machine_device d = {.address = xstrdup(address),
				   .id = xstrdup(id),
				   .role = role,
				   .group = group,
				   .reset_method = xstrdup("flr"),
				   .bridge = role == PC_SYSTEM};

	vec_push(&m->devices, d);
}

/* A card of two functions, a network card whose group has a stranger, integrated
 * graphics. */
static void make_machine(struct machine *m)
{
	*m = (struct machine)MACHINE_INIT;
	add_device(m, "0000:00:02.0", "PCI\\VEN_8086&DEV_3E92&CC_030000", PC_DISPLAY, 1);
	add_device(m, "0000:00:1c.0", "PCI\\VEN_8086&DEV_A338&CC_060400", PC_SYSTEM, 2);
	add_device(m, "0000:01:00.0", "PCI\\VEN_10DE&DEV_1C03&CC_030000", PC_DISPLAY, 2);
	add_device(m, "0000:01:00.1", "PCI\\VEN_10DE&DEV_10F1&CC_040300", PC_AUDIO, 2);
	add_device(m, "0000:02:00.0", "PCI\\VEN_10EC&DEV_8168&CC_020000", PC_NETWORK, 3);
	add_device(m, "0000:02:00.1", "PCI\\VEN_10EC&DEV_816A&CC_070002", PC_OTHER_ROLE,
		   3);
	add_device(m, "0000:03:00.0", "PCI\\VEN_8086&DEV_2723&CC_028000", PC_WIRELESS, 4);
	add_device(m, "0000:04:00.0", "PCI\\VEN_1B21&DEV_1142&CC_0C0330",
		   PC_USB_CONTROLLER, -1);
}

static void add_rule(struct profile *p, enum pc_role role, const char *id,
		     enum profile_passthrough policy, const char *group)
{
	struct profile_rule rule = {.role = role,
				    .id = id ? xstrdup(id) : NULL,
				    .passthrough = policy,
				    .group = group ? xstrdup(group) : NULL};

	vec_push(&p->rules, rule);
}

static struct profile *new_profile(void)
{
	struct profile *p = xcalloc(1, sizeof(*p));

	p->id = xstrdup("p");
	p->name = xstrdup("P");
	return p;
}

/* "NAME: ADDRESS ADDRESS[; REFUSED]" of each set, one a line. */
static char *plan_text(const struct machine *m, const struct profile *p,
		       const struct passthrough_wish *wish)
{
	struct passthrough_sets sets = VEC_INIT;
	struct buffer b = BUFFER_INIT;

	passthrough_plan(m, p, wish, &sets);
	vec_foreach (set, &sets) {
		buffer_printf(&b, "%s:", set->name);
		vec_foreach (address, &set->addresses)
			buffer_printf(&b, " %s", *address + 5);
		buffer_printf(&b, "%s%s\n", set->refused ? "; " : "",
			      set->refused ? set->refused : "");
	}
	passthrough_sets_free(&sets);
	return buffer_steal_string(&b);
}

static void check_plan(const struct machine *m, const struct profile *p,
		       const struct passthrough_wish *wish, const char *expected)
{
	_cleanup_free_ char *text = plan_text(m, p, wish);

	assert_string_equal(text, expected);
}

static void test_plan(void **state _unused_)
{
	_cleanup_machine_ struct machine m;
	_cleanup_(profile_freep) struct profile *p = new_profile();
	struct passthrough_wish wish = {0};

	make_machine(&m);
	check_plan(&m, NULL, &wish, "");
	check_plan(&m, p, &wish, "");
	/* The card's sound is merely allowed, and goes along with its graphics. */
	add_rule(p, PC_DISPLAY, "PCI\\VEN_10DE", PASSTHROUGH_WANTED, "display");
	add_rule(p, PC_AUDIO, NULL, PASSTHROUGH_ALLOWED, NULL);
	check_plan(&m, p, &wish, "display: 01:00.0 01:00.1\n");
	/* Allowed is taken when it is asked for. */
	add_rule(p, PC_WIRELESS, NULL, PASSTHROUGH_ALLOWED, NULL);
	wish.roles[PC_WIRELESS] = true;
	check_plan(&m, p, &wish, "display: 01:00.0 01:00.1\n0000:03:00.0: 03:00.0\n");
	wish.off = true;
	check_plan(&m, p, &wish, "");
}

static void test_plan_refused(void **state _unused_)
{
	_cleanup_machine_ struct machine m;
	_cleanup_(profile_freep) struct profile *p = new_profile();
	_cleanup_(strings_free) struct strings kept = VEC_INIT;
	struct passthrough_wish wish = {0};

	make_machine(&m);
	add_rule(p, PC_NETWORK, NULL, PASSTHROUGH_WANTED, "net");
	check_plan(&m, p, &wish,
		   "net: 02:00.0; 0000:02:00.0 shares IOMMU group 3 with 0000:02:00.1, "
		   "which "
		   "the profile does not let go\n");
	add_rule(p, PC_OTHER_ROLE, NULL, PASSTHROUGH_NEVER, NULL);
	check_plan(&m, p, &wish,
		   "net: 02:00.0; 0000:02:00.0 shares IOMMU group 3 with 0000:02:00.1, "
		   "which "
		   "the profile does not let go\n");
	p->rules.items[1].passthrough = PASSTHROUGH_ALLOWED;
	check_plan(&m, p, &wish, "net: 02:00.0 02:00.1\n");
	strings_push(&kept, "0000:02:00.1");
	wish.kept = &kept;
	check_plan(&m, p, &wish, "net: 02:00.0 02:00.1; 0000:02:00.1 is to be kept\n");
	add_rule(p, PC_USB_CONTROLLER, NULL, PASSTHROUGH_WANTED, NULL);
	add_rule(p, PC_DISPLAY, "PCI\\VEN_8086", PASSTHROUGH_WANTED, NULL);
	wish.kept = NULL;
	check_plan(
		&m, p, &wish,
		"0000:00:02.0: 00:02.0; 0000:00:02.0: integrated graphics are not handed "
		"on\nnet: 02:00.0 02:00.1\n"
		"0000:04:00.0: 04:00.0; 0000:04:00.0 is in no IOMMU group\n");
}

/* Controllers that may hold the image go when they are asked for by name, and only then.
 */
static void test_plan_storage(void **state _unused_)
{
	_cleanup_machine_ struct machine m;
	_cleanup_(profile_freep) struct profile *p = new_profile();
	struct passthrough_wish wish = {0};

	make_machine(&m);
	m.devices.items[7].group = 9;
	add_rule(p, PC_USB_CONTROLLER, NULL, PASSTHROUGH_WANTED, "usb");
	check_plan(&m, p, &wish,
		   "usb: 04:00.0; 0000:04:00.0 may be what the image lies on: roles=usb "
		   "lets it go\n");
	wish.roles[PC_USB_CONTROLLER] = true;
	check_plan(&m, p, &wish, "usb: 04:00.0\n");
}

/* Two wanted groups that share an IOMMU group become one; the screen needs a "wanted". */
static void test_plan_joined(void **state _unused_)
{
	_cleanup_machine_ struct machine m;
	_cleanup_(profile_freep) struct profile *p = new_profile();
	struct passthrough_wish wish = {.roles = {[PC_DISPLAY] = true}};

	make_machine(&m);
	m.devices.items[6].group = 3;
	add_rule(p, PC_NETWORK, NULL, PASSTHROUGH_WANTED, "net");
	add_rule(p, PC_OTHER_ROLE, NULL, PASSTHROUGH_WANTED, "other");
	add_rule(p, PC_WIRELESS, NULL, PASSTHROUGH_ALLOWED, NULL);
	check_plan(&m, p, &wish, "net: 02:00.0 02:00.1 03:00.0\n");
	m.devices.items[2].boot_vga = true;
	add_rule(p, PC_DISPLAY, "PCI\\VEN_10DE", PASSTHROUGH_ALLOWED, "gpu");
	add_rule(p, PC_AUDIO, NULL, PASSTHROUGH_ALLOWED, "gpu");
	check_plan(
		&m, p, &wish,
		"gpu: 01:00.0 01:00.1; 0000:01:00.0 has the PC's screen, and the profile "
		"merely allows it\nnet: 02:00.0 02:00.1 03:00.0\n");
	p->rules.items[3].passthrough = PASSTHROUGH_WANTED;
	check_plan(&m, p, &wish, "gpu: 01:00.0 01:00.1\nnet: 02:00.0 02:00.1 03:00.0\n");
}

/* ---- the deed ---- */

static char *root;
static const char *stubborn; /* a device that vfio-pci does not take */
static struct buffer writes; /* "PATH=TEXT\n" */

static char *driver_link(const char *address)
{
	return xasprintf("sys/bus/pci/devices/%s/driver", address);
}

/* What the kernel would do: unbind removes the link, a probe follows the override. */
static int kernel_write(const char *base, const char *path, const char *text,
			struct error *err)
{
	char address[32], kind[32];

	buffer_printf(&writes, "%s=%s\n", path, *text == '\n' ? "" : text);
	if (sysfs_write(base, path, text, err) < 0)
		return -1;
	if (sscanf(path, "bus/pci/devices/%31[^/]/driver/%31s", address, kind) == 2) {
		_cleanup_free_ char *full =
			xasprintf("%s/sys/bus/pci/devices/%s/driver", base, address);

		assert_int_equal(unlink(full), 0);
	} else if (strcmp(path, "bus/pci/drivers_probe") == 0) {
		_cleanup_free_ char *override =
			xasprintf("sys/bus/pci/devices/%s/driver_override", text);
		_cleanup_free_ char *wanted = fake_text(base, override);
		_cleanup_free_ char *link = driver_link(text);
		_cleanup_free_ char *target = NULL;

		if (!wanted)
			return error_set(err, ERROR_FAILED, text, "no such device");
		target = xasprintf("../../../../bus/pci/drivers/%s",
				   strcmp(wanted, "\n") == 0 ? "native" : wanted);
		if (stubborn && strcmp(stubborn, text) == 0 && *wanted == 'v')
			return error_set(err, ERROR_FAILED, text, "stubborn");
		fake_link(base, link, target);
	}
	return 0;
}

static void make_pc(void)
{
	static const struct fake_pci functions[] = {
		{"0000:00:1c.0", "0x8086", "0xa338", "0x060400", 2, "pcieport", NULL,
		 false},
		{"0000:01:00.0", "0x10de", "0x1c03", "0x030000", 2, "nouveau", "bus",
		 false},
		{"0000:01:00.1", "0x10de", "0x10f1", "0x040300", 2, NULL, NULL, false},
		{"0000:02:00.0", "0x10ec", "0x8168", "0x020000", 3, "r8169", "flr",
		 false},
		{"0000:02:00.1", "0x10ec", "0x816a", "0x070002", 3, "serial", "flr",
		 false},
	};

	root = fake_root();
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		fake_pci(root, &functions[i]);
	fake_file(root, "sys/bus/pci/drivers_probe", "");
	fake_file(root, "sys/bus/pci/drivers/vfio-pci/unbind", "");
	fake_file(root, "sys/bus/pci/drivers/native/unbind", "");
	buffer_free(&writes);
	stubborn = NULL;
}

static struct passthrough_set make_set(const char *one, const char *two)
{
	struct passthrough_set set = {.name = xstrdup("display")};

	strings_push(&set.addresses, one);
	if (two)
		strings_push(&set.addresses, two);
	return set;
}

static void free_set(struct passthrough_set *set)
{
	free(set->name);
	strings_free(&set->addresses);
}

static void assert_driver(const char *address, const char *driver)
{
	_cleanup_free_ char *link = driver_link(address);
	_cleanup_free_ char *bound = fake_link_target(root, link);

	if (driver)
		assert_string_equal(bound, driver);
	else
		assert_null(bound);
}

static void test_bind(void **state _unused_)
{
	struct passthrough_set set = make_set("0000:01:00.0", "0000:01:00.1");

	make_pc();
	assert_false(passthrough_viable(root, 2));
	assert_int_equal(passthrough_bind(root, &set, kernel_write, NULL), 0);
	assert_driver("0000:01:00.0", "vfio-pci");
	assert_driver("0000:01:00.1", "vfio-pci");
	assert_driver("0000:00:1c.0", "pcieport");
	assert_true(passthrough_viable(root, 2));
	buffer_append(&writes, "", 1);
	assert_string_equal((char *)writes.data,
			    "bus/pci/devices/0000:01:00.0/driver_override=vfio-pci\n"
			    "bus/pci/devices/0000:01:00.0/driver/unbind=0000:01:00.0\n"
			    "bus/pci/drivers_probe=0000:01:00.0\n"
			    "bus/pci/devices/0000:01:00.1/driver_override=vfio-pci\n"
			    "bus/pci/drivers_probe=0000:01:00.1\n");
	/* Again: all is as it should be, nothing is written. */
	buffer_free(&writes);
	assert_int_equal(passthrough_bind(root, &set, kernel_write, NULL), 0);
	assert_int_equal(writes.len, 0);
	assert_int_equal(passthrough_release(root, &set, kernel_write, NULL), 0);
	assert_driver("0000:01:00.0", "native");
	assert_driver("0000:01:00.1", "native");
	free_set(&set);
	temp_folder_remove(root);
}

static void test_roll_back(void **state _unused_)
{
	struct passthrough_set set = make_set("0000:01:00.0", "0000:01:00.1");
	_cleanup_error_ struct error err = ERROR_INIT;

	make_pc();
	stubborn = "0000:01:00.1";
	assert_int_equal(passthrough_bind(root, &set, kernel_write, &err), -1);
	assert_string_equal(err.subject, "display");
	assert_non_null(strstr(err.reason, "stubborn"));
	assert_driver("0000:01:00.0", "native");
	assert_driver("0000:01:00.1", "native");
	free_set(&set);
	temp_folder_remove(root);
}

/* The second function of the group has a driver: what was bound goes back. */
static void test_not_viable(void **state _unused_)
{
	struct passthrough_set set = make_set("0000:02:00.0", NULL);
	_cleanup_error_ struct error err = ERROR_INIT;

	make_pc();
	assert_int_equal(passthrough_bind(root, &set, kernel_write, &err), -1);
	assert_non_null(strstr(err.reason, "IOMMU group 3"));
	assert_driver("0000:02:00.0", "native");
	assert_driver("0000:02:00.1", "serial");
	free_set(&set);
	/* A device that is not there. */
	set = make_set("0000:09:00.0", NULL);
	assert_int_equal(passthrough_bind(root, &set, kernel_write, &err), -1);
	free_set(&set);
	temp_folder_remove(root);
	buffer_free(&writes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),	     cmocka_unit_test(test_plan_refused),
		cmocka_unit_test(test_plan_storage), cmocka_unit_test(test_plan_joined),
		cmocka_unit_test(test_bind),	     cmocka_unit_test(test_roll_back),
		cmocka_unit_test(test_not_viable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
