/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's command line against tests/golden/vm/NAME.argv, one argument a line, so that
 * every change of it shows as a difference to review. GILD_GOLDEN_UPDATE=1 writes them
 * anew.
 */
#include "test.h"

#include "base/file.h"
#include "init/vm.h"

static const struct pc_identity dell = {
	.manufacturer = (char *)"Dell Inc.",
	.product = (char *)"OptiPlex 7040",
	.version = (char *)"",
	.family = (char *)"OptiPlex",
	.sku = (char *)"06B9",
	.board_manufacturer = (char *)"Dell Inc., Round Rock",
	.board_product = (char *)"0HD5W2",
	.bios_vendor = (char *)"Dell Inc.",
	.bios_version = (char *)"1.24.0",
	.bios_date = (char *)"08/05/2022",
	.bios_major = 1,
	.bios_minor = 24,
	.enclosure = 3,
};

static const struct vm_host plain_host = {
	.memory = (uint64_t)8 << 30,
	.cpus = 4,
	.intel = true,
	.identity = &dell,
	.uuid = "4c4c4544-0042-3510-8054-b9c04f4e3832",
	.serial = "9B5TN82",
	.profile = "dell-optiplex-7040",
	.disk = "/var/gild/overlay.qcow2",
	.disk_format = "qcow2",
	.golden = "/media/golden, the first.raw",
	.golden_format = "raw",
	.direct = true,
	.code = "/usr/share/OVMF/OVMF_CODE_4M.fd",
	.code_secure = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
	.vars = "/var/gild/vars.fd",
	.run = "/run/gild/vm",
	.vnc = "/run/gild/screen/vnc",
	.tpm = "/run/gild/tpm",
	.mac = "52:54:00:12:34:56",
};

static void add_sets(struct passthrough_sets *sets)
{
	static const struct {
		const char *name, *one, *two, *refused;
		bool display;
	} list[] = {{"display", "0000:01:00.0", "0000:01:00.1", NULL, true},
		    {"net", "0000:02:00.0", NULL, NULL, false},
		    {"wireless", "0000:03:00.0", NULL, "is busy", false}};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct passthrough_set set = {
			.name = xstrdup(list[i].name),
			.display = list[i].display,
			.refused = list[i].refused ? xstrdup(list[i].refused) : NULL};

		strings_push(&set.addresses, list[i].one);
		if (list[i].two)
			strings_push(&set.addresses, list[i].two);
		vec_push(sets, set);
	}
}

/* The words are the image's and the overrides, as init would read them. */
static const struct vm_case {
	const char *name, *words;
	bool sets, amd, oem, in_memory;
} cases[] = {
	{"xp", "windows=5.1.2600", false, false, false, false},
	{"xp-virtio", "windows=5.1.2600 storage=virtio-blk network=virtio-net", false,
	 false, true, false},
	{"server-2003-amd", "windows=5.2.3790 arch=amd64", false, true, false, false},
	{"vista", "windows=6.0.6002 storage=virtio-blk network=virtio-net", false, false,
	 true, false},
	{"7", "windows=6.1.7601", false, false, true, false},
	{"7-x86-virtio",
	 "windows=6.1.7601 arch=x86 storage=virtio-blk network=virtio-net", false, true,
	 false, false},
	{"7-hybrid", "windows=6.1.7601 storage=virtio-blk network=virtio-net", true,
	 false, true, false},
	{"8.1", "windows=6.3.9600 storage=virtio-blk network=virtio-net", false, false,
	 true, false},
	{"10", "windows=10.0.19045 storage=virtio-blk network=virtio-net", false, false,
	 true, false},
	{"10-inbox-amd", "windows=10.0.19045", false, true, false, false},
	{"10-bios-scsi",
	 "windows=10.0.19045 firmware=bios storage=virtio-scsi network=virtio-net", false,
	 false, false, true},
	{"10-hybrid", "windows=10.0.19045 storage=virtio-blk network=virtio-net", true,
	 false, true, false},
	{"10-nested",
	 "windows=10.0.19045 storage=virtio-blk network=virtio-net nested=on", false,
	 false, false, false},
	{"10-no-irqchip",
	 "windows=10.0.19045 storage=virtio-blk network=virtio-net kernel_irqchip=off "
	 "kvm=off "
	 "smm=off memory=512M cpus=1 nonce=a1",
	 false, true, false, true},
	{"11", "windows=10.0.22631 storage=virtio-blk network=virtio-net", false, false,
	 true, false},
	{"11-amd", "windows=10.0.26100 storage=virtio-blk network=virtio-net", false,
	 true, false, false},
	{"11-hybrid", "windows=10.0.22631 storage=virtio-blk network=none", true, true,
	 true, false},
	{"tcg", "windows=10.0.19045 firmware=bios accel=tcg cpus=2 display=none", false,
	 false, false, true},
	{"second", "windows=10.0.22631 storage=virtio-blk network=virtio-net cpus=2",
	 false, false, false, false},
};

static void make_argv(const struct vm_case *c, struct strings *argv)
{
	_cleanup_options_ struct options options = OPTIONS_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct passthrough_sets sets = VEC_INIT;
	struct vm_host host = plain_host;
	struct vm_image image;

	add_sets(&sets);
	host.sets = c->sets ? &sets : NULL;
	host.usb = c->sets;
	host.sound = true;
	if (!c->in_memory) {
		host.link = VM_LINK_TAP;
		host.vhost = true;
		host.sound_out = "plughw:CARD=PCH,DEV=0";
		host.sound_in = c->amd ? NULL : "plughw:CARD=PCH,DEV=0";
	}
	if (c->sets && c->amd)
		host.link = VM_LINK_NONE;
	/* Of several guests. */
	if (strcmp(c->name, "second") == 0) {
		host.name = "work";
		host.share = (uint64_t)5 << 30;
		host.run = "/run/gild/guests/work/vm";
		host.vnc = "/run/gild/guests/work/screen/vnc";
		host.tpm = "/run/gild/guests/work/tpm";
		host.sound_out = host.sound_in = NULL;
	}
	host.intel = !c->amd;
	host.avic = c->amd;
	host.msdm = c->oem ? "/run/gild/MSDM" : NULL;
	host.slic = c->oem ? "/run/gild/SLIC" : NULL;
	if (c->in_memory) {
		host.direct = false;
		host.identity = NULL;
	}
	if (options_add(&options, c->words, "test", &err) < 0 ||
	    vm_image_parse(&options, &image, &err) < 0 ||
	    vm_argv(&image, &host, &options, argv, &err) < 0)
		fail_msg("%s: %s: %s", c->name, err.subject, err.reason);
	passthrough_sets_free(&sets);
}

/* An option and its value share a line. */
static void write_lines(const struct strings *argv, struct buffer *ret)
{
	for (size_t i = 0; i < argv->len; i++)
		buffer_printf(ret, "%s%s", argv->items[i],
			      argv->items[i][0] == '-' && i + 1 < argv->len &&
					      argv->items[i + 1][0] != '-'
				      ? " "
				      : "\n");
}

static void test_golden(void **state _unused_)
{
	const char *source = getenv("GILD_SOURCE");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path =
			xasprintf("%s/tests/golden/vm/%s.argv", source ? source : "..",
				  cases[i].name);
		_cleanup_(strings_free) struct strings argv = VEC_INIT;
		_cleanup_buffer_ struct buffer got = BUFFER_INIT, want = BUFFER_INIT;

		make_argv(&cases[i], &argv);
		write_lines(&argv, &got);
		if (getenv("GILD_GOLDEN_UPDATE"))
			assert_int_equal(file_replace(path, buffer_view(&got), NULL), 0);
		assert_int_equal(file_read(path, 1 << 20, &want, NULL), 0);
		buffer_append(&got, "", 1);
		buffer_append(&want, "", 1);
		assert_string_equal((char *)got.data, (char *)want.data);
	}
}

/* ---- what is refused, and why ---- */

static void refuse(const char *words, const struct vm_host *host, const char *reason)
{
	_cleanup_options_ struct options options = OPTIONS_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_(strings_free) struct strings argv = VEC_INIT;
	struct vm_image image;

	if (options_add(&options, words, "test", &err) == 0 &&
	    vm_image_parse(&options, &image, &err) == 0)
		assert_int_equal(vm_argv(&image, host, &options, &argv, &err), -1);
	assert_non_null(err.reason);
	if (!strstr(err.reason, reason))
		fail_msg("\"%s\" does not speak of \"%s\"", err.reason, reason);
	assert_int_equal(argv.len, 0);
}

static void test_refused(void **state _unused_)
{
	struct vm_host host = plain_host;

	refuse("", &host, "version is not said");
	refuse("windows=ten", &host, "none of the values");
	refuse("windows=10.0.1x", &host, "none of the values");
	refuse("windows=10.0.19045 storage=nvme", &host, "none of the values");
	refuse("windows", &host, "not KEY=VALUE");
	refuse("windows=6.1.7601 firmware=uefi", &host, "does not start on OVMF");
	refuse("windows=10.0.19045 storage=ide", &host, "no IDE controller");
	refuse("windows=5.1.2600 storage=ahci", &host, "no AHCI controller");
	refuse("windows=10.0.19045 accel=xen", &host, "none of the values");
	refuse("windows=10.0.19045 smm=maybe", &host, "not on or off");
	refuse("windows=10.0.19045 cpus=0", &host, "not a number");
	refuse("windows=10.0.19045 memory=9999999999G", &host, "not a size");
	refuse("windows=10.0.19045 nonce=a,b", &host, "must not have");
	refuse("windows=10.0.19045 machine=q35,accel=tcg", &host, "must not have");
	host.memory = (uint64_t)1 << 30;
	refuse("windows=10.0.19045", &host, "needs 2048 MiB");
	host = plain_host;
	host.code = host.code_secure = NULL;
	refuse("windows=10.0.19045", &host, "there is no OVMF");
}

static void test_memory(void **state _unused_)
{
	struct vm_image image = {.major = 10, .x64 = true};
	uint64_t gib = (uint64_t)1 << 30, guest;

	assert_true(vm_memory(0, 4, &image) == 0);
	assert_true(vm_memory(gib / 4, 4, &image) == 0);
	for (uint64_t total = gib; total < 64 * gib; total += gib / 3) {
		guest = vm_memory(total, 4, &image);
		assert_true(guest < total && total - guest > 350 << 20);
		/* QEMU's own share and the host's stay, and no more than an eighth
		 * beyond. */
		assert_true(total - guest < (uint64_t)(400 << 20) + total / 8);
		assert_true(guest % (16 << 20) == 0);
	}
	image.x64 = false;
	assert_true(vm_memory(64 * gib, 4, &image) == (uint64_t)3584 << 20);
}

/* What the guests get in MiB, 0 for one that does not fit; and how many do. */
static size_t divide(unsigned mib, const char *const words[], unsigned ret[])
{
	struct vm_image images[VM_MAX_GUESTS];
	struct vm_share shares[VM_MAX_GUESTS];
	size_t count = 0, fit;
	uint64_t used = 0;

	for (; words[count]; count++) {
		_cleanup_options_ struct options o = OPTIONS_INIT;

		assert_int_equal(options_add(&o, words[count], "test", NULL), 0);
		assert_int_equal(vm_image_parse(&o, &images[count], NULL), 0);
		shares[count] = (struct vm_share){.image = &images[count], .cpus = 4};
		assert_int_equal(options_number(&o, "memory", true, 0, UINT64_MAX,
						&shares[count].wish, NULL),
				 0);
	}
	fit = vm_divide((uint64_t)mib << 20, shares, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(shares[i].memory == 0, shares[i].lack > 0);
		ret[i] = (unsigned)(shares[i].memory >> 20);
		used += shares[i].memory ? shares[i].memory + (96 << 20) : 0;
	}
	assert_true(used + (256 << 20) <= (uint64_t)mib << 20 || !fit);
	return fit;
}

#define TEN "windows=10.0.19045"
#define ELEVEN "windows=10.0.22631"
#define XP "windows=5.1.2600"

static void test_divide(void **state _unused_)
{
	unsigned got[VM_MAX_GUESTS];

	/* One alone has what vm_memory() says. */
	for (unsigned mib = 2560; mib < 64000; mib += 777) {
		struct vm_image ten = {.major = 10, .x64 = true};

		assert_int_equal(divide(mib, (const char *const[]){TEN, NULL}, got), 1);
		assert_int_equal(got[0], vm_memory((uint64_t)mib << 20, 4, &ten) >> 20);
	}
	/* Evenly. */
	assert_int_equal(divide(16384, (const char *const[]){TEN, TEN, NULL}, got), 2);
	assert_true(got[0] == got[1] && got[0] > 7600 && got[0] < 7900);
	/* What is asked for, and the rest for who does not ask. */
	assert_int_equal(
		divide(16384, (const char *const[]){TEN " memory=3G", TEN, NULL}, got),
		2);
	assert_true(got[0] == 3072 && got[1] > 12300 && got[1] < 12700);
	/* No less than a Windows needs, no more than it can use. */
	assert_int_equal(divide(8192, (const char *const[]){XP, ELEVEN, NULL}, got), 2);
	assert_true(got[0] > 3400 && got[0] < 3584 && got[1] >= 4096);
	assert_int_equal(divide(16384, (const char *const[]){XP, ELEVEN, NULL}, got), 2);
	assert_true(got[0] == 3584 && got[1] > 11700);
	/* Who comes first is served first; a smaller one may fit behind. */
	assert_int_equal(divide(4096, (const char *const[]){TEN, TEN, XP, NULL}, got), 2);
	assert_true(got[0] >= 2048 && got[1] == 0 && got[2] >= 256);
	assert_int_equal(
		divide(8192, (const char *const[]){TEN " memory=9G", TEN, NULL}, got), 1);
	assert_true(got[0] == 0 && got[1] > 7000);
	assert_int_equal(divide(200, (const char *const[]){XP, XP, NULL}, got), 0);
}

static void test_overlays(void **state _unused_)
{
	static const struct vm_image ten = {.major = 10, .x64 = true};
	const struct vm_share shares[] = {{.image = &ten, .cpus = 2},
					  {.image = &ten, .cpus = 2}};
	uint64_t mib = 1 << 20;

	assert_int_equal(vm_overlay_size(16384 * mib, shares, 2, 0), 0);
	assert_int_equal(vm_overlay_size(16384 * mib, shares, 1, 1), 4096 * mib);
	assert_int_equal(vm_overlay_size(16384 * mib, shares, 2, 2), 2048 * mib);
	/* Both still fit, with less for what they write. */
	assert_int_equal(vm_overlay_size(5120 * mib, shares, 2, 2), 160 * mib);
}

static void test_options(void **state _unused_)
{
	_cleanup_options_ struct options o = OPTIONS_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	static const char *const known[] = {"a", "b", "image", NULL};
	static const char *const fewer[] = {"a", "b", NULL};
	bool on;

	assert_int_equal(options_add(&o, "a=1 # a=2\n b=x,y\n\ta=3", "t", &err), 0);
	assert_int_equal(options_add_cmdline(
				 &o, "quiet gild.image=/x root=a gild.a=4 gild.", &err),
			 0);
	assert_string_equal(options_get(&o, "a"), "4");
	assert_string_equal(options_get(&o, "image"), "/x");
	assert_null(options_get(&o, "root"));
	assert_true(options_has(&o, "b", "x") && options_has(&o, "b", "y"));
	assert_false(options_has(&o, "b", "xy") || options_has(&o, "c", "x"));
	assert_int_equal(options_check(&o, known, &err), 0);
	assert_int_equal(options_check(&o, fewer, &err), -1);
	assert_string_equal(err.subject, "image=/x");
	assert_int_equal(options_switch(&o, "none", true, &on, &err), 0);
	assert_true(on);
	assert_int_equal(options_add(&o, "=1", "t", &err), -1);
	assert_string_equal(err.subject, "t");
	assert_int_equal(options_add_cmdline(&o, "gild.nonsense", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	 cmocka_unit_test(test_refused),
		cmocka_unit_test(test_memory),	 cmocka_unit_test(test_divide),
		cmocka_unit_test(test_overlays), cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
