/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of `gild check` that need no image: cover, population, a kernel's names. */
#include "test.h"

#include <string.h>

#include "check/cover.h"
#include "check/kernel.h"
#include "check/population.h"

static void fail_with(struct check_causes *causes, const char *cause, const char *remedy,
		      const struct strings *remedies, unsigned pcs)
{
	struct check_result result = {.verdict = CHECK_FAILS,
				      .cause = (char *)cause,
				      .remedy = (char *)remedy,
				      .remedies = remedies};

	while (pcs--)
		check_causes_add(causes, &result);
}

/* "all.inf" helps 9 + 8 of the PCs; the second best by itself adds nothing to it. */
static void test_cover(void **state _unused_)
{
	struct check_causes causes = {0};
	struct check_steps steps = VEC_INIT;
	struct strings both = VEC_INIT, one = VEC_INIT;

	strings_push(&both, "small.inf");
	strings_push(&both, "all.inf");
	strings_push(&one, "all.inf");
	fail_with(&causes, "a", "inject small.inf", &both, 9);
	fail_with(&causes, "b", "inject all.inf", &one, 8);
	fail_with(&causes, "c", "inject the driver for 1:2", NULL, 10);
	fail_with(&causes, "d", "gild inject --any-controller", NULL, 2);
	fail_with(&causes, "e", "gild inject --any-controller", NULL, 1);
	fail_with(&causes, "f", NULL, NULL, 50);
	check_causes_sort(&causes);
	assert_string_equal(causes.list.items[0].reason, "f");
	assert_int_equal(causes.list.items[0].pcs, 50);
	check_cover(&causes, &steps);
	assert_int_equal(steps.len, 3);
	assert_string_equal(steps.items[0].remedy, "all.inf");
	assert_true(steps.items[0].package);
	assert_int_equal(steps.items[0].pcs, 17);
	assert_string_equal(steps.items[1].remedy, "inject the driver for 1:2");
	assert_string_equal(steps.items[1].reason, "c");
	assert_int_equal(steps.items[1].total, 27);
	assert_string_equal(steps.items[2].remedy, "gild inject --any-controller");
	assert_null(steps.items[2].reason);
	assert_int_equal(steps.items[2].pcs, 3);
	vec_free(&steps);
	check_causes_free(&causes);
	strings_free(&both);
	strings_free(&one);
}

/* Hundreds of reasons: the table grows and still finds each. */
static void test_causes(void **state _unused_)
{
	struct check_causes causes = {0};
	size_t pcs = 0;

	for (unsigned i = 0; i < 3000; i++) {
		_cleanup_free_ char *cause = xasprintf("reason %u", i % 700);

		fail_with(&causes, cause, "x", NULL, 1);
	}
	assert_int_equal(causes.list.len, 700);
	check_causes_sort(&causes);
	vec_foreach (cause, &causes.list)
		pcs += cause->pcs;
	assert_int_equal(pcs, 3000);
	check_causes_free(&causes);
}

static void add_pc(struct population *population, const char *date, bool usb)
{
	_cleanup_pc_ struct pc pc = PC_INIT;

	pc.identity.bios_date = date ? xstrdup(date) : NULL;
	pc.listed[PC_PCI] = true;
	pc.listed[PC_USB] = usb;
	if (usb)
		vec_push(&pc.devices, windows_device("ACPI\\PNP0303", NULL));
	population_add(population, &pc);
}

static void test_population(void **state _unused_)
{
	struct population population = {0};
	_cleanup_free_ char *text = NULL;
	unsigned first, median, last;

	assert_false(population_years(&population, &first, &median, &last));
	add_pc(&population, "01/02/2010", false);
	add_pc(&population, "01/02/2012", true);
	add_pc(&population, "01/02/2021", false);
	add_pc(&population, NULL, false);
	assert_true(population_years(&population, &first, &median, &last));
	assert_int_equal(first, 2010);
	assert_int_equal(median, 2012);
	assert_int_equal(last, 2021);
	assert_int_equal(population.without[PC_INPUT], 3);
	text = population_text(&population);
	assert_non_null(strstr(text, "4 PCs, firmware of 2010 to 2021, the median 2012"));
	assert_non_null(strstr(text, "for 4 of them, USB for 1, ACPI for 0"));
	assert_non_null(strstr(text, "keyboard and mouse of 3"));
}

static void expect_modalias(struct pc_device device, const char *want)
{
	_cleanup_free_ char *got = kernel_modalias(&device);

	assert_string_equal(got, want);
	pc_device_free(&device);
}

/* What the kernel says of a device comes back as the kernel says it. */
static void test_modalias(void **state _unused_)
{
	static const char *const same[] = {
		"pci:v00008086d00001C02sv00001043sd00008519bc01sc06i01",
		"usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00",
		"acpi:PNP0303:",
		"acpi:SYN1219:PNP0F13:",
		"vmbus:635161f83edfc546913ff2d2f965ed0e",
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		struct pc_device device;

		assert_true(modalias_device(same[i], &device));
		expect_modalias(device, same[i]);
	}
	expect_modalias(windows_device("PCI\\VEN_8086&DEV_9A0B&CC_010400", NULL),
			"pci:v00008086d00009A0Bsv00000000sd00000000bc01sc04i00");
	expect_modalias(windows_device("*PNP0C50", NULL), "acpi:PNP0C50:");
	expect_modalias(windows_device("HDAUDIO\\FUNC_01&VEN_10EC", NULL), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cover),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_population),
		cmocka_unit_test(test_modalias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
