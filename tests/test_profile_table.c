/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled profiles: all that init uses survives, damage anywhere refuses the table. */
#include "test.h"

#include "hwprofiles/profile_table.h"
#include "hwprofiles/profile_xml.h"

static const char text[] =
	"<profile xmlns=\"" PROFILE_NAMESPACE "\" id=\"maker-1\" name=\"Maker 1\" "
	"type=\"notebook\" year=\"2019\" lists=\"PCI ACPI\">"
	"<identity><match manufacturer=\"Maker*\" product=\"Model 1\" sku=\"A1\"/>"
	"<match chid=\"{85d38fda-fc0e-5c6f-808f-076984ae7978}\"/></identity>"
	"<firmware uefi=\"yes\" secure-boot=\"no\" tpm=\"2.0\"/>"
	"<devices role=\"wireless\"><device id=\"PCI\\VEN_8086&amp;DEV_2526\" "
	"name=\"Wi-Fi\"/></devices>"
	"<devices role=\"input\"><device id=\"ACPI\\SYN1219\"/></devices>"
	"<hypervisor><passthrough role=\"wireless\" policy=\"wanted\" group=\"radio\" "
	"id=\"PCI\\VEN_8086\"/><passthrough role=\"display\" policy=\"never\"/>"
	"<kernel-argument>intel_iommu=on</kernel-argument><quirk>hv_time=off</quirk>"
	"</hypervisor></profile>";

static struct profiles sample(void)
{
	struct profiles profiles = VEC_INIT;
	struct profile *p = profile_parse(
		(struct bytes){(const uint8_t *)text, sizeof(text) - 1}, "x", NULL);

	assert_non_null(p);
	vec_push(&profiles, p);
	p = xcalloc(1, sizeof(*p));
	p->id = xstrdup("empty");
	p->name = xstrdup("Maker 1");
	vec_push(&profiles, p);
	return profiles;
}

static void test_round_trip(void **state _unused_)
{
	struct profiles profiles = sample(), read = VEC_INIT;
	_cleanup_buffer_ struct buffer table = BUFFER_INIT, again = BUFFER_INIT;
	const struct profile *p;

	profile_table_write(&profiles, &table);
	assert_int_equal(profile_table_read(buffer_view(&table), "t", &read, NULL), 0);
	assert_int_equal(read.len, 2);
	p = read.items[0];
	assert_string_equal(p->id, "maker-1");
	assert_string_equal(p->type, "notebook");
	assert_string_equal(p->tpm, "2.0");
	assert_int_equal(p->year, 2019);
	assert_int_equal(p->uefi, PC_YES);
	assert_int_equal(p->secure_boot, PC_NO);
	assert_true(p->listed[PC_PCI] && p->listed[PC_ACPI] && !p->listed[PC_USB]);
	assert_int_equal(p->matches.len, 2);
	assert_string_equal(p->matches.items[0].sku, "A1");
	assert_null(p->matches.items[0].version);
	assert_true(p->matches.items[1].has_chid);
	assert_true(guid_equal(&p->matches.items[1].chid,
			       &profiles.items[0]->matches.items[1].chid));
	assert_string_equal(p->devices.items[0].name, "Wi-Fi");
	assert_int_equal(p->devices.items[1].bus, PC_ACPI);
	assert_int_equal(p->devices.items[1].role, PC_INPUT);
	assert_int_equal(p->rules.items[0].passthrough, PASSTHROUGH_WANTED);
	assert_string_equal(p->rules.items[0].group, "radio");
	assert_null(p->rules.items[1].id);
	assert_string_equal(p->kernel_arguments.items[0], "intel_iommu=on");
	assert_string_equal(p->quirks.items[0], "hv_time=off");
	assert_int_equal(read.items[1]->devices.len, 0);
	profile_table_write(&read, &again);
	assert_true(bytes_equal(buffer_view(&table), buffer_view(&again)));
	profiles_free(&profiles);
	profiles_free(&read);
}

static void test_damage(void **state _unused_)
{
	struct profiles profiles = sample(), read = VEC_INIT;
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;

	profile_table_write(&profiles, &table);
	for (size_t i = 0; i < table.len; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		table.data[i] ^= 0x10;
		assert_int_equal(
			profile_table_read(buffer_view(&table), "t", &read, &err), -1);
		assert_string_equal(err.subject, "t");
		assert_non_null(err.remedy);
		table.data[i] ^= 0x10;
	}
	for (size_t len = 0; len < table.len; len++)
		assert_int_equal(profile_table_read((struct bytes){table.data, len}, "t",
						    &read, NULL),
				 -1);
	assert_int_equal(read.len, 0);
	profiles_free(&profiles);
}

static void test_empty(void **state _unused_)
{
	struct profiles none = VEC_INIT, read = VEC_INIT;
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;

	profile_table_write(&none, &table);
	assert_int_equal(table.len, 64);
	assert_int_equal(profile_table_read(buffer_view(&table), "t", &read, NULL), 0);
	assert_int_equal(read.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
