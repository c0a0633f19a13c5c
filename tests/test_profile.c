/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles: XML there and back, includes, which one a PC is. */
#include "folder.h"

#include <unistd.h>

#include "base/text.h"
#include "hwprofiles/profile_xml.h"

#define HEAD "<?xml version=\"1.0\"?>\n<profile xmlns=\"" PROFILE_NAMESPACE "\" "

static struct profile *parse(const char *text)
{
	struct error err = ERROR_INIT;
	struct profile *p = profile_parse(
		(struct bytes){(const uint8_t *)text, strlen(text)}, "x.xml", &err);

	if (!p)
		fail_msg("%s: %s", err.subject, err.reason);
	return p;
}

static void refuse(const char *text, const char *subject, const char *reason)
{
	struct error err = ERROR_INIT;

	assert_null(profile_parse((struct bytes){(const uint8_t *)text, strlen(text)},
				  "x.xml", &err));
	assert_string_equal(err.subject, subject);
	if (!strstr(err.reason, reason))
		fail_msg("\"%s\" does not speak of %s", err.reason, reason);
	error_clear(&err);
}

static const char whole[] = HEAD
	"id=\"maker-model-1\" name=\"Maker &amp; Model 1\" type=\"notebook\" "
	"year=\"2019\" "
	"lists=\"PCI USB\">\n"
	"  <source>a test</source>\n"
	"  <include profile=\"generic\"/>\n"
	"  <identity>\n"
	"    <match manufacturer=\"Maker*\" product=\"Model 1\" sku=\"A&quot;1\"/>\n"
	"    <match chid=\"{85d38fda-fc0e-5c6f-808f-076984ae7978}\"/>\n"
	"  </identity>\n"
	"  <firmware uefi=\"yes\" secure-boot=\"no\" tpm=\"2.0\"/>\n"
	"  <devices role=\"boot-storage\">\n"
	"    <device id=\"PCI\\VEN_8086&amp;DEV_A352&amp;CC_010601\" name=\"AHCI\"/>\n"
	"  </devices>\n"
	"  <devices role=\"input\">\n"
	"    <device id=\"ACPI\\SYN1219\">\n"
	"      <hardware-id>ACPI\\SYN1219</hardware-id>\n"
	"      <compatible-id>*PNP0F13</compatible-id>\n"
	"    </device>\n"
	"  </devices>\n"
	"  <drivers>\n"
	"    <driver inf=\"iaStorVD.inf\" min-version=\"17.0.0.0\"/>\n"
	"    <pack vendor=\"dell\" system=\"08B8\"/>\n"
	"  </drivers>\n"
	"  <hypervisor>\n"
	"    <passthrough role=\"wireless\" policy=\"wanted\" group=\"a\"/>\n"
	"    <kernel-argument>intel_iommu=on</kernel-argument>\n"
	"    <quirk>no-reset</quirk>\n"
	"  </hypervisor>\n"
	"</profile>\n";

static void test_round_trip(void **state _unused_)
{
	_cleanup_(profile_freep) struct profile *p = parse(whole), *again = NULL;
	_cleanup_buffer_ struct buffer first = BUFFER_INIT, second = BUFFER_INIT;

	assert_string_equal(p->name, "Maker & Model 1");
	assert_int_equal(p->year, 2019);
	assert_true(p->listed[PC_PCI] && p->listed[PC_USB] && !p->listed[PC_ACPI]);
	assert_int_equal(p->matches.len, 2);
	assert_string_equal(p->matches.items[0].sku, "A\"1");
	assert_true(p->matches.items[1].has_chid);
	assert_int_equal(p->devices.len, 2);
	assert_int_equal(p->devices.items[0].bus, PC_PCI);
	assert_int_equal(p->devices.items[1].role, PC_INPUT);
	assert_string_equal(p->devices.items[1].compatible_ids.items[0], "*PNP0F13");
	assert_int_equal(p->drivers.len, 2);
	assert_true(p->drivers.items[0].min_version == (uint64_t)17 << 48);
	assert_string_equal(p->drivers.items[1].pack_system, "08B8");
	assert_int_equal(p->rules.items[0].passthrough, PASSTHROUGH_WANTED);
	profile_write(p, &first);
	buffer_append(&first, "", 1);
	again = parse((const char *)first.data);
	profile_write(again, &second);
	buffer_append(&second, "", 1);
	assert_string_equal((char *)first.data, (char *)second.data);
}

static void test_refused(void **state _unused_)
{
	refuse("", "x.xml", "is no XML");
	refuse(HEAD "id=\"a\" name=\"A\">\n<nonsense/>\n</profile>", "x.xml:3",
	       "nonsense");
	refuse(HEAD "id=\"A B\" name=\"A\"/>", "x.xml:2", "id");
	refuse(HEAD "name=\"A\"/>", "x.xml:2", "id");
	refuse(HEAD "id=\"a\" name=\"A\">\n\n<firmware tpm=\"3\"/></profile>", "x.xml:4",
	       "tpm");
	refuse("<profile id=\"a\" name=\"A\"/>", "x.xml:1", "profile");
	refuse("<!DOCTYPE profile [<!ENTITY x \"y\">]>\n" HEAD "id=\"a\" name=\"A\"/>",
	       "x.xml:2", "XML declaration");
	refuse("<!DOCTYPE profile [<!ENTITY x SYSTEM \"/etc/passwd\">]><profile "
	       "xmlns=\"" PROFILE_NAMESPACE
	       "\" id=\"a\" name=\"A\"><source>&x;</source></profile>",
	       "x.xml", "document type");
}

static void put(const char *id, const char *body)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.xml", folder, id);
	_cleanup_free_ char *text =
		xasprintf(HEAD "id=\"%s\" name=\"%s\">%s</profile>", id, id, body);

	assert_int_equal(
		file_replace(path, (struct bytes){(uint8_t *)text, strlen(text)}, NULL),
		0);
}

static void test_includes(void **state _unused_)
{
	struct profile_library library = {0};
	struct error err = ERROR_INIT;
	const struct profile *p;

	put("base",
	    "<identity><match product=\"Base\"/></identity>"
	    "<firmware uefi=\"yes\" tpm=\"2.0\"/>"
	    "<devices role=\"other\"><device id=\"PCI\\VEN_1&amp;DEV_1\" name=\"base\"/>"
	    "<device id=\"PCI\\VEN_1&amp;DEV_2\"/></devices>");
	put("model", "<include profile=\"base\"/><firmware tpm=\"1.2\"/>"
		     "<devices role=\"other\"><device id=\"PCI\\VEN_1&amp;DEV_1\" "
		     "name=\"model\"/></devices>");
	put("circle-a", "<include profile=\"circle-b\"/>");
	put("circle-b", "<include profile=\"circle-a\"/>");
	put("lost", "<include profile=\"nowhere\"/>");
	strings_push(&library.folders, folder);
	p = profile_find(&library, "model", &err);
	assert_non_null(p);
	assert_int_equal(p->uefi, PC_YES);
	assert_string_equal(p->tpm, "1.2");
	assert_int_equal(p->devices.len, 2);
	assert_string_equal(p->devices.items[0].name, "model");
	assert_int_equal(p->matches.len, 1);
	assert_ptr_equal(profile_find(&library, "model", &err), p);
	assert_null(profile_find(&library, "circle-a", &err));
	assert_non_null(strstr(err.reason, "circle"));
	error_clear(&err);
	assert_null(profile_find(&library, "lost", &err));
	assert_non_null(strstr(err.reason, "nowhere"));
	error_clear(&err);
	assert_null(profile_find(&library, "../model", &err));
	error_clear(&err);
	profile_library_free(&library);
}

static void test_patterns(void **state _unused_)
{
	assert_true(pattern_fits("Latitude*", "LATITUDE 5400"));
	assert_true(pattern_fits("*5400", "Latitude 5400"));
	assert_true(pattern_fits("L*e 5*0", "Latitude 5400"));
	assert_true(pattern_fits("*", ""));
	assert_false(pattern_fits("Latitude", "Latitude 5400"));
	assert_false(pattern_fits("*5401", "Latitude 5400"));
	assert_false(pattern_fits("", "x"));
}

static void test_ids(void **state _unused_)
{
	static const struct {
		const char *name, *id;
	} cases[] = {
		{"Dell Inc. Latitude 5400", "dell-latitude-5400"},
		{"ASUSTeK COMPUTER INC. K53SV", "asustek-k53sv"},
		{"Hewlett-Packard HP EliteBook 840 G1",
		 "hewlett-packard-hp-elitebook-840-g1"},
		{"../../etc/passwd", "etc-passwd"},
		{"\xc3\xbc", "pc"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *id = profile_id_of(cases[i].name);

		assert_string_equal(id, cases[i].id);
		assert_true(profile_id_valid(id));
	}
	assert_false(profile_id_valid(""));
	assert_false(profile_id_valid("../x"));
	assert_false(profile_id_valid("A"));
}

static void add_device(struct pc *pc, uint32_t device)
{
	struct pci_function f = {0x8086, device, 0x1028, 0x1, 0x010601, 4};

	vec_push(&pc->devices, pci_device(&f, NULL));
}

/* The namesake is above the relative that has the same chips. */
static void test_match(void **state _unused_)
{
	struct profiles profiles = VEC_INIT;
	struct profile_scores scores = VEC_INIT;
	_cleanup_pc_ struct pc pc = PC_INIT, relative = PC_INIT;

	pc.identity.manufacturer = xstrdup("Maker Inc.");
	pc.identity.product = xstrdup("Model 1");
	relative.identity.manufacturer = xstrdup("Maker Inc.");
	relative.identity.product = xstrdup("Model 2");
	pc_name(&pc);
	pc_name(&relative);
	for (uint32_t i = 1; i <= 5; i++) {
		add_device(&relative, i);
		add_device(&pc, i);
	}
	vec_push(&profiles, profile_of_pc(&relative));
	vec_push(&profiles, parse(whole));
	profile_match_all(&profiles, &pc, &scores);
	/* The SKU that the profile asks for is not known of the PC. */
	assert_int_equal(scores.len, 1);
	assert_string_equal(scores.items[0].profile->id, "maker-model-2");
	assert_true(scores.items[0].score < 50);
	profile_scores_free(&scores);
	pc.identity.sku = xstrdup("a\"1");
	profile_match_all(&profiles, &pc, &scores);
	assert_int_equal(scores.len, 2);
	assert_string_equal(scores.items[0].profile->id, "maker-model-1");
	assert_true(scores.items[0].score > 50);
	assert_non_null(strstr(scores.items[0].reason, "SKU"));
	profile_scores_free(&scores);
	profiles_free(&profiles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_includes),   cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_ids),	   cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
