/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PnP's ranking. The ID lists are those of real devices (Enum keys of Windows 7, 8.1 and
 * 10 hives); the scores are the table of Microsoft's "Driver Rank Example".
 */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "injector/ranking.h"
#include "windows/device_id.h"

static char *joined(const struct strings *s)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (item, s)
		buffer_printf(&b, "%s%s", b.len ? "|" : "", *item);
	return buffer_steal_string(&b);
}

static void ids_are_those_of_the_bus(void **state _unused_)
{
	static const struct {
		const char *id, *hardware, *compatible;
	} cases[] = {
		/* Windows 10 1709 and 8.1 */
		{"PCI\\VEN_8086&DEV_100E&SUBSYS_001E8086&REV_02&CC_020000",
		 "PCI\\VEN_8086&DEV_100E&SUBSYS_001E8086&REV_02|"
		 "PCI\\VEN_8086&DEV_100E&SUBSYS_001E8086|"
		 "PCI\\VEN_8086&DEV_100E&CC_020000|PCI\\VEN_8086&DEV_100E&CC_0200",
		 "PCI\\VEN_8086&DEV_100E&REV_02|PCI\\VEN_8086&DEV_100E|"
		 "PCI\\VEN_8086&CC_020000|PCI\\VEN_8086&CC_0200|PCI\\VEN_8086|"
		 "PCI\\CC_020000|PCI\\CC_0200"},
		/* 8.1: a function without subsystem IDs */
		{"PCI\\VEN_106B&DEV_003F&SUBSYS_00000000&REV_00&CC_0C0310",
		 "PCI\\VEN_106B&DEV_003F&SUBSYS_00000000&REV_00|"
		 "PCI\\VEN_106B&DEV_003F&SUBSYS_00000000|"
		 "PCI\\VEN_106B&DEV_003F&REV_00|PCI\\VEN_106B&DEV_003F|"
		 "PCI\\VEN_106B&DEV_003F&CC_0C0310|PCI\\VEN_106B&DEV_003F&CC_0C03",
		 "PCI\\VEN_106B&CC_0C0310|PCI\\VEN_106B&CC_0C03|PCI\\VEN_106B|"
		 "PCI\\CC_0C0310|PCI\\CC_0C03"},
		{"pci\\ven_1af4&dev_1001", "pci\\ven_1af4&dev_1001", "PCI\\VEN_1af4"},
		{"PCI\\VEN_1AF4&DEV_1001&SUBSYS_00021AF4",
		 "PCI\\VEN_1AF4&DEV_1001&SUBSYS_00021AF4",
		 "PCI\\VEN_1AF4&DEV_1001|PCI\\VEN_1AF4"},
		{"USB\\VID_0781&PID_5580&REV_0010",
		 "USB\\VID_0781&PID_5580&REV_0010|USB\\VID_0781&PID_5580", ""},
		{"USB\\VID_0781&PID_5580&REV_0010&MI_01",
		 "USB\\VID_0781&PID_5580&REV_0010&MI_01|USB\\VID_0781&PID_5580&MI_01",
		 ""},
		{"USB\\VID_0781&PID_5580", "USB\\VID_0781&PID_5580", ""},
		{"ACPI\\PNP0A08", "ACPI\\PNP0A08", ""},
		{"PCI\\CC_0106", "PCI\\CC_0106", ""},
		{"PCI\\VEN_8086&DEV_100E&JUNK_1", "PCI\\VEN_8086&DEV_100E&JUNK_1", ""},
		{"PCI\\VEN_8086&DEV_100EFFFFFFFFFFFFFF",
		 "PCI\\VEN_8086&DEV_100EFFFFFFFFFFFFFF", ""},
		{"PCI\\", "PCI\\", ""},
		{"", "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_device_ids_ struct device_ids ids = {0};

		device_ids_of(cases[i].id, &ids);
		_cleanup_free_ char *hardware = joined(&ids.hardware);
		_cleanup_free_ char *compatible = joined(&ids.compatible);

		assert_string_equal(hardware, cases[i].hardware);
		assert_string_equal(compatible, cases[i].compatible);
	}
}

static void scores_are_microsofts(void **state _unused_)
{
	char *device[] = {(char *)"HW_1", (char *)"HW_2", (char *)"C_1", (char *)"C_2"};
	static const uint32_t want[4][3] = {{0x0000, 0x1000, 0x1000},
					    {0x0001, 0x1001, 0x1001},
					    {0x2000, 0x3000, 0x3100},
					    {0x2001, 0x3001, 0x3101}};
	struct device_ids ids = {.hardware = {device, 2, 2},
				 .compatible = {device + 2, 2, 2}};

	for (size_t d = 0; d < 4; d++)
		for (size_t i = 0; i < 3; i++) {
			char *line[] = {(char *)"x", (char *)"y", (char *)"z"};
			struct strings model = {line, 3, 3};
			const char *id = NULL;
			uint32_t score = 99;

			line[i] = device[d];
			assert_int_not_equal(device_ids_match(&ids, &model, &score, &id),
					     ID_NONE);
			assert_int_equal(score, want[d][i]);
			assert_string_equal(id, device[d]);
		}
	char *none[] = {(char *)"", (char *)"nothing"};
	struct strings model = {none, 2, 2}, empty = {0};
	uint32_t score;

	assert_int_equal(device_ids_match(&ids, &model, &score, NULL), ID_NONE);
	assert_int_equal(device_ids_match(&ids, &empty, &score, NULL), ID_NONE);
}

/* ---- INFs -------------------------------------------------------------------------- */

struct sample {
	const char *label;
	const char *date_version;
	const char *models;	 /* lines of the Models section */
	const char *install;	 /* lines of [I.NTamd64] */
	const char *class_lines; /* of [Version], instead of the System class */
	const char *decoration;
	enum signature_verdict signature;
};

#define SAMPLE(l, d, m, ...)                                            \
	{                                                               \
		.label = l, .date_version = d, .models = m, __VA_ARGS__ \
	}

static char *write_inf(const struct sample *s)
{
	return xasprintf("[Version]\r\nSignature=\"$Windows "
			 "NT$\"\r\n%s\r\nProvider=P\r\nDriverVer=%s\r\n"
			 "CatalogFile=x.cat\r\n[Manufacturer]\r\nM=M,%s\r\n[M.%s]\r\n%"
			 "s\r\n[I.NTamd64]\r\n"
			 "%s\r\nCopyFiles=F\r\n[I.NTamd64.Services]\r\nAddService=,2\r\n["
			 "F]\r\nx.sys\r\n"
			 "[SourceDisksNames]\r\n1=d\r\n[SourceDisksFiles]\r\nx.sys=1\r\n"
			 "[DestinationDirs]\r\nF=12\r\n",
			 s->class_lines
				 ? s->class_lines
				 : "Class=System\r\nClassGuid={4d36e97d-e325-11ce-bfc1-"
				   "08002be10318}",
			 s->date_version, s->decoration ? s->decoration : "NTamd64",
			 s->decoration ? s->decoration : "NTamd64", s->models,
			 s->install ? s->install : "");
}

static void rank_samples(const struct sample *samples, size_t n, const char *device,
			 char **ret)
{
	_cleanup_device_ids_ struct device_ids ids = {0};
	_cleanup_ranking_ struct ranking ranking = {.device = &ids};
	struct target target = {.arch = ARCH_AMD64,
				.major = 10,
				.build = 19041,
				.product = PRODUCT_CLIENT};
	struct buffer out = BUFFER_INIT;

	device_ids_of(device, &ids);
	for (size_t i = 0; i < n; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_free_ char *text = write_inf(&samples[i]);
		struct bytes raw = {(const uint8_t *)text, strlen(text)};
		_cleanup_selection_ struct selection *s =
			selection_read("x.inf", raw, &target, &err);
		_cleanup_driver_ struct driver *d =
			driver_open("x.inf", raw, &target, NULL, NULL, NULL, &err);

		if (!s || !d)
			fail_msg("%s: %s", samples[i].label, err.reason);
		ranking_add(&ranking, samples[i].label, d, s, samples[i].signature);
	}
	ranking_sort(&ranking);
	vec_foreach (r, &ranking.list)
		buffer_printf(&out, "%s %08x %s: %s\n", r->inf, r->rank,
			      ranked_verdict_name(r->verdict),
			      r->reason ? r->reason : "-");
	*ret = buffer_steal_string(&out);
}

#define PCI_ID "PCI\\VEN_8086&DEV_2822&SUBSYS_00018086&REV_04"

static void the_best_driver_wins(void **state _unused_)
{
	static const struct sample samples[] = {
		SAMPLE("compatible", "01/01/2024,9.0.0.0",
		       "D=I,PCI\\VEN_8086&DEV_2822", ),
		SAMPLE("old", "01/01/2020,9.0.0.0", "D=I," PCI_ID, ),
		SAMPLE("exact", "01/01/2021,1.0.0.2", "D=I," PCI_ID, ),
		SAMPLE("version", "01/01/2021,1.0.0.1", "D=I," PCI_ID, ),
		SAMPLE("twin", "01/01/2021,1.0.0.2", "D=I," PCI_ID, ),
		SAMPLE("subsystem", "01/01/2024,9.0.0.0",
		       "D=I,PCI\\VEN_8086&DEV_2822&SUBSYS_00018086", ),
		SAMPLE("second", "01/01/2024,9.0.0.0", "D=I,X,PCI\\VEN_8086&DEV_2822", ),
		SAMPLE("other", "01/01/2024,9.0.0.0", "D=I,PCI\\VEN_8086&DEV_0000", ),
	};
	_cleanup_free_ char *got = NULL;

	rank_samples(samples, ARRAY_SIZE(samples), PCI_ID, &got);
	assert_string_equal(
		got,
		"exact 00ff0000 chosen: -\n"
		"twin 00ff0000 loses: equal to exact in rank, date and version: Windows "
		"may "
		"take either\n"
		"version 00ff0000 loses: its version 1.0.0.1 is below 1.0.0.2 of exact\n"
		"old 00ff0000 loses: its date 2020-01-01 is before 2021-01-01 of exact\n"
		"subsystem 00ff0001 loses: it matches the less specific "
		"PCI\\VEN_8086&DEV_2822&SUBSYS_00018086, exact matches " PCI_ID "\n"
		"compatible 00ff2001 loses: it matches by a compatible ID of the device, "
		"exact by a hardware ID\n"
		"second 00ff3001 loses: it matches by a compatible ID of both, exact by "
		"a "
		"hardware ID\n");
}

/* All whom Windows trusts are equal, and before all others, however well those match. */
static void signatures_come_first(void **state _unused_)
{
	static const struct sample samples[] = {
		SAMPLE("unsigned", "01/01/2024,9.0.0.0", "D=I," PCI_ID,
		       .signature = SIGNATURE_UNSIGNED),
		SAMPLE("untrusted", "01/01/2023,9.0.0.0", "D=I," PCI_ID,
		       .signature = SIGNATURE_UNTRUSTED),
		SAMPLE("mismatch", "01/01/2022,9.0.0.0", "D=I," PCI_ID,
		       .signature = SIGNATURE_MISMATCH),
		SAMPLE("valid", "01/01/2010,1.0.0.0", "D=I,PCI\\VEN_8086&DEV_2822",
		       .signature = SIGNATURE_VALID),
		SAMPLE("unknown", "01/01/2009,1.0.0.0", "D=I,PCI\\VEN_8086&DEV_2822", ),
	};
	_cleanup_free_ char *got = NULL;

	rank_samples(samples, ARRAY_SIZE(samples), PCI_ID, &got);
	assert_string_equal(
		got,
		"valid 00ff2001 chosen: -\n"
		"unknown 00ff2001 loses: its date 2009-01-01 is before 2010-01-01 of "
		"valid\n"
		"unsigned 80ff0000 loses: it is not signed, valid is signed as "
		"Windows wants it\n"
		"untrusted 80ff0000 loses: Windows does not trust its signature, valid "
		"is "
		"signed as Windows wants it\n"
		"mismatch 80ff0000 loses: its signature is not for these files, valid is "
		"signed as Windows wants it\n");
}

static void feature_score_comes_first(void **state _unused_)
{
	static const struct sample samples[] = {
		SAMPLE("exact", "01/01/2024,9.0.0.0", "D=I," PCI_ID, ),
		SAMPLE("featured", "01/01/2010,1.0.0.0", "D=I,PCI\\VEN_8086&DEV_2822",
		       .install = "FeatureScore=F0"),
	};
	_cleanup_free_ char *got = NULL;

	rank_samples(samples, ARRAY_SIZE(samples), PCI_ID, &got);
	assert_string_equal(
		got, "featured 00f02001 chosen: -\n"
		     "exact 00ff0000 loses: its feature score 0xFF is worse than 0xF0 "
		     "of featured\n");
}

static void what_cannot_be_taken_says_why(void **state _unused_)
{
#define EXTENSION(id)                                                             \
	"Class=Extension\r\nClassGuid={e2f84ce7-8efa-411c-aa69-97454ca4cb57}\r\n" \
	"ExtensionId={" id "-0000-0000-0000-000000000000}"
	static const struct sample samples[] = {
		SAMPLE("later", "01/01/2024,9.0.0.0", "D=I," PCI_ID,
		       .decoration = "NTamd64.10.0...22000"),
		SAMPLE("broken", "01/01/2024,9.0.0.0", "D=Missing," PCI_ID, ),
		SAMPLE("ext-a", "01/01/2024,9.0.0.0", "D=I," PCI_ID,
		       .class_lines = EXTENSION("00000001")),
		SAMPLE("ext-a-old", "01/01/2023,9.0.0.0", "D=I," PCI_ID,
		       .class_lines = EXTENSION("00000001")),
		SAMPLE("ext-b", "01/01/2023,9.0.0.0", "D=I," PCI_ID,
		       .class_lines = EXTENSION("00000002")),
		SAMPLE("fits", "01/01/2020,1.0.0.0", "D=I," PCI_ID, ),
		SAMPLE("arm", "01/01/2024,9.0.0.0", "D=I," PCI_ID,
		       .decoration = "NTarm64"),
	};
	_cleanup_free_ char *got = NULL;

	rank_samples(samples, ARRAY_SIZE(samples), PCI_ID, &got);
	assert_string_equal(
		got,
		"fits 00ff0000 chosen: -\n"
		"ext-a 00ff0000 extension: extension INF: applied in addition to the "
		"driver\n"
		"ext-b 00ff0000 extension: extension INF: applied in addition to the "
		"driver\n"
		"ext-a-old 00ff0000 loses: its date 2023-01-01 is before 2024-01-01 of "
		"ext-a\n"
		"broken 00ff0000 broken: the INF has no section [Missing]\n"
		"arm 00ff0000 not_for_target: [M.NTarm64]: for arm64 only\n"
		"later 00ff0000 not_for_target: [M.NTamd64.10.0...22000]: for Windows "
		"10.0.22000 or later\n");
}

/* ---- what Windows itself wrote in its setup logs ------------------------------------
 */

struct log_reader {
	struct device_ids ids;
	struct strings *list; /* that the next lines belong to, or NULL */
	char id[256];	      /* of the node being read */
	uint32_t rank;
	bool in_node;
	size_t nodes, lists;
};

/* A node of the log as a Models line: hardware or compatible ID, as its rank says. */
static void check_node(struct log_reader *log)
{
	char *none = (char *)"-", *line[] = {log->id, none};
	struct strings model = {line, 2, 2};
	const char *id;
	uint32_t score;

	if (log->rank >> 12 & 1) {
		line[0] = none;
		line[1] = log->id;
	}
	if (device_ids_match(&log->ids, &model, &score, &id) == ID_NONE)
		fail_msg("%s does not match", log->id);
	if (score != (log->rank & 0xFFFF))
		fail_msg("%s: rank %x, Windows says %x", log->id, score, log->rank);
	log->nodes++;
}

/* Our lists for a PCI device are those that Windows searched for. */
static void check_lists(struct log_reader *log)
{
	_cleanup_device_ids_ struct device_ids ours = {0};
	const struct strings *hardware = &log->ids.hardware;
	const char *cc = NULL;

	vec_foreach (id, hardware)
		if (!cc && text_starts_with(*id, "pci\\") && strstr(*id, "&cc_"))
			cc = strstr(*id, "&cc_");
	if (!cc)
		return;
	_cleanup_free_ char *full = xasprintf("%s%s", hardware->items[0], cc);

	device_ids_of(full, &ours);
	for (int k = 0; k < 2; k++) {
		_cleanup_free_ char *a = joined(k ? &ours.compatible : &ours.hardware);
		_cleanup_free_ char *b =
			joined(k ? &log->ids.compatible : &log->ids.hardware);

		if (!text_equal(a, b))
			fail_msg("%s: %s, Windows has %s", full, a, b);
	}
	log->lists++;
}

static void read_log_line(struct log_reader *log, const char *line)
{
	bool hardware = text_equal(line, "Searching for hardware ID(s):");
	bool compatible = text_equal(line, "Searching for compatible ID(s):");

	if (text_starts_with(line, "{Build Driver List}")) {
		device_ids_free(&log->ids);
		log->list = NULL;
		log->in_node = false;
	} else if (hardware || compatible) {
		log->list = hardware ? &log->ids.hardware : &log->ids.compatible;
	} else if (text_equal(line, "Created Driver Node:")) {
		if (log->list)
			check_lists(log);
		log->list = NULL;
		log->in_node = true;
	} else if (*line == '{') {
		log->list = NULL;
		log->in_node = false;
	} else if (log->list) {
		strings_push(log->list, line);
	} else if (log->in_node && sscanf(line, "HardwareID - %255s", log->id) == 1) {
		return;
	} else if (log->in_node && sscanf(line, "Rank - %x", &log->rank) == 1) {
		check_node(log);
	}
}

static void ranks_are_those_of_real_windows(void **state _unused_)
{
	const char *data = getenv("GILD_TEST_DATA");
	_cleanup_free_ char *folder = xasprintf("%s/inf/setupapi-logs", data ? data : "");
	_cleanup_free_ char *command =
		xasprintf("xz -dc '%s'/*.log.xz | tr -d '\\r'", folder);
	struct log_reader log = {0};
	char line[1024];
	FILE *f;

	if (!data || access(folder, R_OK) < 0) {
		print_message("# real test data not here: set GILD_TEST_DATA\n");
		skip();
	}
	f = popen(command, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *text = strstr(line, "dvi:");

		line[strcspn(line, "\n")] = '\0';
		if (!text)
			continue;
		for (text += 4; *text == ' '; text++)
			;
		read_log_line(&log, text);
	}
	assert_int_equal(pclose(f), 0);
	device_ids_free(&log.ids);
	print_message("# %zu driver nodes and %zu lists of PCI IDs as in Windows' logs\n",
		      log.nodes, log.lists);
	assert_true(log.nodes >= 10);
	assert_true(log.lists >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_those_of_the_bus),
		cmocka_unit_test(scores_are_microsofts),
		cmocka_unit_test(the_best_driver_wins),
		cmocka_unit_test(signatures_come_first),
		cmocka_unit_test(feature_score_comes_first),
		cmocka_unit_test(what_cannot_be_taken_says_why),
		cmocka_unit_test(ranks_are_those_of_real_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
