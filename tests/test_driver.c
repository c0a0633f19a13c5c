/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an INF means for a target: store name, decorations, models, [Version]. Every rule
 * has its case; the texts are our own.
 */
#include "driver_text.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "injector/selection.h"

/* ---- the store name ------------------------------------------------------------------
 */

/* The INF of opsi's test vector is not ours to keep; its hash rule is, on our own bytes.
 */
static void the_store_name_hashes_the_raw_bytes(void **state _unused_)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *name;
	} cases[] = {
		/* h = h*39 + byte, printed as it lies in memory */
		{"", 0, "x.inf_amd64_0000000000000000"},
		{"\x01", 1, "x.inf_amd64_0100000000000000"},
		{"\xff\xfe", 2, "x.inf_amd64_d727000000000000"},
		{"a\r\n", 3, "x.inf_amd64_5642020000000000"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bytes raw = {(const uint8_t *)cases[i].bytes, cases[i].len};
		_cleanup_free_ char *name =
			driver_store_name("dir/X.INF", raw, ARCH_AMD64);

		assert_string_equal(name, cases[i].name);
	}
}

/* Names that Windows gave to INFs that $GILD_TEST_DATA has. */
static void the_store_name_is_windows_own(void **state _unused_)
{
	static const struct {
		const char *path, *inf, *name;
	} cases[] = {
		{"inf/osdeploy/Win11-Wireless__net819xp_2002.1.0106.2013__net819xp.inf",
		 "net819xp.inf", "net819xp.inf_amd64_ff7a5dd4f9b1ceba"},
	};
	const char *data = getenv("GILD_TEST_DATA");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
		_cleanup_free_ char *path =
			xasprintf("%s/%s", data ? data : "", cases[i].path);
		_cleanup_free_ char *name = NULL;

		if (access(path, R_OK) != 0) {
			print_message("%s is not here: set GILD_TEST_DATA\n", path);
			skip();
		}
		assert_int_equal(file_read(path, 1 << 20, &raw, NULL), 0);
		name = driver_store_name(cases[i].inf, buffer_view(&raw), ARCH_AMD64);
		assert_string_equal(name, cases[i].name);
	}
}

/* ---- decorations ---------------------------------------------------------------------
 */

static void decorations_parse(void **state _unused_)
{
	static const struct {
		const char *text;
		bool good;
		enum windows_arch arch;
		uint32_t major, minor, product, suite, build;
	} cases[] = {
		{"", true, ARCH_UNKNOWN, 0, 0, 0, 0, 0},
		{"NT", true, ARCH_UNKNOWN, 0, 0, 0, 0, 0},
		{"ntamd64", true, ARCH_AMD64, 0, 0, 0, 0, 0},
		{"NTx86.5.1", true, ARCH_X86, 5, 1, 0, 0, 0},
		{"NTarm64.10.0...16299", true, ARCH_ARM64, 10, 0, 0, 0, 16299},
		{"NTamd64.10.0.1..18362", true, ARCH_AMD64, 10, 0, 1, 0, 18362},
		{"NTx86....0x80", true, ARCH_X86, 0, 0, 0, 0x80, 0},
		{"NT.6", true, ARCH_UNKNOWN, 6, 0, 0, 0, 0},
		{"NTamd64.6.0.0x0000003.0x2.9", true, ARCH_AMD64, 6, 0, 3, 2, 9},
		{"NTamd64.6.1.", true, ARCH_AMD64, 6, 1, 0, 0, 0},
		{"NTia64", true, ARCH_IA64, 0, 0, 0, 0, 0},
		{"NTarm.6.2", true, ARCH_ARM, 6, 2, 0, 0, 0},
		{"x", false, 0, 0, 0, 0, 0, 0},
		{"NTx64", false, 0, 0, 0, 0, 0, 0},
		{"NT$ARCH$", false, 0, 0, 0, 0, 0, 0},
		{"NTamd64.a", false, 0, 0, 0, 0, 0, 0},
		{"NTamd64.10.0.1.2.3.4", false, 0, 0, 0, 0, 0, 0},
		{"NTamd64.-1", false, 0, 0, 0, 0, 0, 0},
		{"NTamd64.99999999999", false, 0, 0, 0, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct decoration d;
		bool good = decoration_parse(cases[i].text, &d);

		if (good != cases[i].good)
			print_message("%s\n", cases[i].text);
		assert_int_equal(good, cases[i].good);
		if (!good)
			continue;
		assert_int_equal(d.none, !*cases[i].text);
		assert_int_equal(d.arch, cases[i].arch);
		assert_int_equal(d.major, cases[i].major);
		assert_int_equal(d.minor, cases[i].minor);
		assert_int_equal(d.product, cases[i].product);
		assert_int_equal(d.suite, cases[i].suite);
		assert_int_equal(d.build, cases[i].build);
	}
}

/* Which section of M, decorated so, is taken: "" is [M], NULL none. */
static void the_closest_section_is_chosen(void **state _unused_)
{
	static const struct {
		const char *list, *target, *chosen;
	} cases[] = {
		/* architecture: x86 alone takes what names none */
		{"", "10.0.19041/x86", ""},
		{"", "10.0.19041/amd64", NULL},
		{"", "10.0.19041/arm64", NULL},
		{"NT", "10.0.19041/x86", "NT"},
		{"NT", "10.0.19041/amd64", NULL},
		{"NT.6.0", "10.0.19041/amd64", NULL},
		{"NTx86", "10.0.19041/amd64", NULL},
		{"NTamd64", "10.0.19041/amd64", "NTamd64"},
		{"NTamd64", "10.0.19041/arm64", NULL},
		{"NTarm64", "10.0.22000/arm64", "NTarm64"},
		{"NTarm", "10.0.17763/arm", "NTarm"},
		{"NTamd64", "10.0.19041/x86", ""}, /* x86 falls back to [M] */
		{"NTx86,NTamd64", "6.2.9200/x86", "NTx86"},
		{"NT,NTx86", "6.2.9200/x86", "NTx86"},
		/* version: the highest that is not higher than the target's */
		{"NTamd64.6.0,NTamd64.6.2,NTamd64.10.0", "6.1.7601/amd64", "NTamd64.6.0"},
		{"NTamd64.6.0,NTamd64.6.2,NTamd64.10.0", "6.3.9600/amd64", "NTamd64.6.2"},
		{"NTamd64.10.0,NTamd64.6.2,NTamd64", "10.0.10240/amd64", "NTamd64.10.0"},
		{"NTamd64.10.0", "6.3.9600/amd64", NULL},
		{"NTamd64,NTamd64.10.0", "6.3.9600/amd64", "NTamd64"},
		{"NTamd64,NTamd64.6", "6.1.7601/amd64", "NTamd64.6"},
		{"NTx86,NT.6.0", "6.1.7601/x86", "NT.6.0"}, /* version before arch */
		/* Microsoft's example: a version goes before product and suite */
		{"NT,NT.5,NT.5.5,NT....0x80", "5.1.2600/x86/server/0x80", "NT.5"},
		/* build numbers */
		{"NTamd64.10.0,NTamd64.10.0...16299", "10.0.15063/amd64", "NTamd64.10.0"},
		{"NTamd64.10.0,NTamd64.10.0...16299", "10.0.16299/amd64",
		 "NTamd64.10.0...16299"},
		{"NTamd64.10.0...16299,NTamd64.10.0...22000", "10.0.26100/amd64",
		 "NTamd64.10.0...22000"},
		{"NTamd64.10.0...22000", "10.0.19045/amd64", NULL},
		/* one relative to an older version counts for every later one ... */
		{"NTamd64.6.3...99999", "10.0.19041/amd64", "NTamd64.6.3...99999"},
		/* ... but Windows before 10.0.14310 does not read it at all */
		{"NTamd64.6.1...7601", "6.1.7601/amd64", NULL},
		{"NTamd64.10.0...10240", "10.0.10240/amd64", NULL},
		{"NTamd64.10.0...10240", "10.0.14393/amd64", "NTamd64.10.0...10240"},
		/* product type and suite */
		{"NTamd64.6.0.1", "10.0.19041/amd64/client", "NTamd64.6.0.1"},
		{"NTamd64.6.0.1", "10.0.20348/amd64/server", NULL},
		{"NTamd64.6.0.1,NTamd64.6.0.3", "10.0.20348/amd64/server",
		 "NTamd64.6.0.3"},
		{"NTamd64.6.0.2", "10.0.20348/amd64/dc", "NTamd64.6.0.2"},
		{"NTamd64.6.0,NTamd64.6.0.1", "10.0.19041/amd64/client", "NTamd64.6.0.1"},
		{"NTamd64.10.0,NTamd64.10.0.1,NTamd64.10.0...18362,NTamd64.10.0.1..18362",
		 "10.0.19041/amd64/client", "NTamd64.10.0.1..18362"},
		{"NTamd64.10.0,NTamd64.10.0.1,NTamd64.10.0...18362,NTamd64.10.0.1..18362",
		 "10.0.20348/amd64/server", "NTamd64.10.0...18362"},
		{"NTx86....0x80", "6.1.7601/x86/server", ""},
		{"NTx86....0x80", "6.1.7601/x86/server/0x80", "NTx86....0x80"},
		{"NTx86....0x82", "6.1.7601/x86/server/0x80", ""},
		{"NTx86,NTx86....0x80", "6.1.7601/x86/server/0x90", "NTx86....0x80"},
		/* what is no decoration is passed over */
		{"NT$ARCH$,NTamd64", "10.0.19041/amd64", "NTamd64"},
		{"NTx64", "10.0.19041/amd64", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer b = BUFFER_INIT;
		char *save = NULL;
		_cleanup_free_ char *list = xstrdup(cases[i].list);

		buffer_append_string(&b, HEADER "[Manufacturer]\n%V%=M");
		buffer_printf(&b, "%s%s\n[M]\nundecorated=I,ID\n",
			      *cases[i].list ? "," : "", cases[i].list);
		for (char *d = strtok_r(list, ",", &save); d;
		     d = strtok_r(NULL, ",", &save))
			buffer_printf(&b, "[M.%s]\n%s=I,ID\n", d, d);
		_cleanup_free_ char *text = buffer_steal_string(&b);
		_cleanup_driver_ struct driver *d = open_for(text, cases[i].target);
		const char *got = d->models.len ? d->models.items[0].section : "none";
		_cleanup_free_ char *want = !cases[i].chosen ? xstrdup("none")
					    : *cases[i].chosen
						    ? xasprintf("M.%s", cases[i].chosen)
						    : xstrdup("M");

		if (strcmp(got, want) != 0)
			print_message("case %zu: %s for %s\n", i, cases[i].list,
				      cases[i].target);
		assert_string_equal(got, want);
		assert_true(d->models.len <= 1);
	}
}

static void an_empty_or_missing_closest_section_excludes(void **state _unused_)
{
	static const char *const texts[] = {
		HEADER "[Manufacturer]\n%V%=M,NTamd64,NTamd64.10.0\n"
		       "[M.NTamd64]\nx=I,ID\n[M.NTamd64.10.0]\n",
		HEADER "[Manufacturer]\n%V%=M,NTamd64,NTamd64.10.0\n"
		       "[M.NTamd64]\nx=I,ID\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *reason = NULL;
		_cleanup_driver_ struct driver *d =
			open_with(texts[i], "10.0.19041/amd64", NULL, &reason, NULL);
		_cleanup_driver_ struct driver *old =
			open_for(texts[i], "6.3.9600/amd64");

		assert_int_equal(d->models.len, 0);
		assert_non_null(strstr(reason, "[M.NTamd64.10.0] is chosen"));
		assert_int_equal(old->models.len, 1);
	}
}

static void every_manufacturer_chooses_for_itself(void **state _unused_)
{
	_cleanup_driver_ struct driver *d = open_for(
		HEADER "[Manufacturer]\n%V%=A,NTamd64,NTamd64.10.0\nOther=B,NTamd64\nC\n"
		       "Odd\n[A.NTamd64]\na=I,A1\n[A.NTamd64.10.0]\na=I,A2\n"
		       "[B.NTamd64]\nb=I,B1\n[C]\nc=I,C1\n",
		"10.0.19041/amd64");
	_cleanup_driver_ struct driver *x86 =
		open_for(HEADER "[Manufacturer]\nC\n[C]\nc=I,C1\n", "10.0.19041/x86");

	assert_int_equal(d->models.len, 2);
	assert_string_equal(d->models.items[0].ids.items[0], "A2");
	assert_string_equal(d->models.items[0].manufacturer, "Vendor");
	assert_true(text_equal(d->models.items[0].manufacturer_token, "v"));
	assert_string_equal(d->models.items[1].ids.items[0], "B1");
	assert_string_equal(d->models.items[1].manufacturer, "Other");
	assert_null(d->models.items[1].manufacturer_token);
	/* a name alone is manufacturer and section in one */
	assert_int_equal(x86->models.len, 1);
	assert_string_equal(x86->models.items[0].manufacturer, "C");
}

static void sections_say_why_not(void **state _unused_)
{
	static const char text[] = HEADER
		"[Manufacturer]\n%V%=M,NTx86,NTamd64,NTamd64.10.0,NTamd64.10.0...22000,"
		"NTarm64,NTamd64.10.0.3,NT$ARCH$,NTamd64....0x80\n"
		"[M]\n[M.NTx86]\n[M.NTamd64]\nx=I,ID\n[M.NTamd64.10.0]\n%D%=I,ID,CID\n"
		"y=I,ID2\n[M.NTamd64.6.1]\nz=I,Z\n";
	static const struct {
		const char *name, *reason;
		enum decoration_verdict verdict;
		size_t models;
		bool exists;
	} want[] = {
		{"M.NTx86", "for x86 only", DECORATION_OTHER_ARCH, 0, true},
		{"M.NTamd64", "less specific than [M.NTamd64.10.0]",
		 DECORATION_LESS_SPECIFIC, 1, true},
		{"M.NTamd64.10.0", "chosen", DECORATION_CHOSEN, 2, true},
		{"M.NTamd64.10.0...22000", "for Windows 10.0.22000 or later",
		 DECORATION_LATER_VERSION, 0, false},
		{"M.NTarm64", "for arm64 only", DECORATION_OTHER_ARCH, 0, false},
		{"M.NTamd64.10.0.3", "for servers only", DECORATION_OTHER_PRODUCT, 0,
		 false},
		{"M.NT$ARCH$", "$ARCH$ is filled in when the driver is built",
		 DECORATION_NOT_UNDERSTOOD, 0, false},
		{"M.NTamd64....0x80", "for product suite 0x80 only",
		 DECORATION_OTHER_SUITE, 0, false},
		{"M", "for x86 only", DECORATION_NEEDS_ARCH, 0, true},
		{"M.NTamd64.6.1", "not listed in [Manufacturer]", DECORATION_NOT_LISTED,
		 1, true},
	};
	struct bytes raw = {(const uint8_t *)text, strlen(text)};
	struct target target;

	assert_int_equal(target_parse("10.0.19041/amd64", &target, NULL), 0);
	_cleanup_selection_ struct selection *s =
		selection_read("t.inf", raw, &target, NULL);
	_cleanup_selection_ struct selection *any =
		selection_read("t.inf", raw, NULL, NULL);

	assert_int_equal(s->sections.len, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const struct models_section *m = &s->sections.items[i];

		assert_string_equal(m->name, want[i].name);
		assert_int_equal(m->verdict, want[i].verdict);
		if (!text_starts_with(m->reason, want[i].reason))
			print_message("[%s] %s\n", m->name, m->reason);
		assert_true(text_starts_with(m->reason, want[i].reason));
		assert_int_equal(m->models, want[i].models);
		assert_int_equal(m->exists, want[i].exists);
	}
	assert_int_equal(s->models.len, 4);
	assert_string_equal(s->models.items[1].ids.items[1], "CID");
	assert_string_equal(s->models.items[1].description, "A device");
	assert_string_equal(s->class_name, "SCSIAdapter");
	assert_int_equal(any->sections.items[3].verdict, DECORATION_NO_TARGET);
	assert_string_equal(any->sections.items[3].reason,
			    "for Windows 10.0.22000 or later on amd64");
}

/* ---- models --------------------------------------------------------------------------
 */

static void model_lines_have_ids(void **state _unused_)
{
	_cleanup_driver_ struct driver *d =
		open_for(HEADER "[Manufacturer]\n%V%=M,NTamd64\n[M.NTamd64]\n"
				"%D%=Inst,PCI\\VEN_1,PCI\\VEN_2,,PCI\\VEN_3\n"
				"\"Odd, name\"=Inst,,USB\\COMP\n"
				"by hand=Inst\n=\n"
				"nbsp=Other,\"\xc2\xa0PCI\\VEN_9\xc2\xa0\"\n[Inst]\n",
			 "10.0.19041/amd64");

	assert_int_equal(d->models.len, 3);
	assert_string_equal(d->models.items[0].description, "A device");
	assert_true(text_equal(d->models.items[0].description_token, "d"));
	assert_int_equal(d->models.items[0].ids.len, 3);
	assert_string_equal(d->models.items[0].ids.items[2], "PCI\\VEN_3");
	assert_string_equal(d->models.items[1].description, "Odd, name");
	assert_string_equal(d->models.items[1].ids.items[0], "");
	assert_string_equal(d->models.items[1].ids.items[1], "USB\\COMP");
	assert_string_equal(d->models.items[2].ids.items[0], "PCI\\VEN_9");
	/* one configuration per install section, and one that is not there */
	assert_int_equal(d->configurations.len, 2);
	assert_int_equal(d->models.items[1].configuration, 0);
	assert_false(d->configurations.items[0].missing);
	assert_true(d->configurations.items[1].missing);
}

/* ---- [Version] -----------------------------------------------------------------------
 */

static void version_section_is_read(void **state _unused_)
{
	_cleanup_driver_ struct driver *d = open_for(
		"[Version]\nSignature=$Chicago$\nClass=extension\n"
		"ClassGuid={e2f84ce7-8efa-411c-aa69-97454ca4cb57}\nProvider=\"Me\"\n"
		"ExtensionId={00000000-0000-0000-0000-000000000001}\nPnpLockdown=1\n"
		"BootCritical=1\nCatalogFile=all.cat\nCatalogFile.NT=nt.cat\n"
		"CatalogFile.NTamd64=amd64.cat\nDriverVer= 02/29/2020 , 1.2\n",
		"10.0.19041/amd64");
	_cleanup_driver_ struct driver *arm = open_for(
		"[Version]\nSignature=$Chicago$\nClass=Net\nCatalogFile=all.cat\n"
		"CatalogFile.NTamd64=amd64.cat\n[DefaultInstall]\n[ClassInstall32]\n",
		"10.0.22000/arm64");
	struct guid net;

	assert_true(d->extension && d->has_extension_id && d->boot_critical);
	assert_int_equal(d->pnp_lockdown, 1);
	assert_string_equal(d->catalog, "amd64.cat");
	assert_string_equal(d->provider, "Me");
	assert_null(d->provider_token);
	assert_int_equal(d->date, filetime_from_date(2020, 2, 29));
	assert_int_equal(d->version, (uint64_t)1 << 48 | (uint64_t)2 << 32);
	assert_int_equal(d->extension_id.bytes[15], 1);
	assert_false(d->default_install);
	/* a class by its name alone */
	assert_true(guid_parse("{4d36e972-e325-11ce-bfc1-08002be10318}", &net));
	assert_true(guid_equal(&arm->class_guid, &net));
	assert_string_equal(arm->catalog, "all.cat");
	assert_true(arm->default_install && arm->class_install);
	assert_null(arm->provider);
	assert_int_equal(arm->date, 0);
}

static void driver_ver_has_quirks(void **state _unused_)
{
	static const struct {
		const char *text;
		int year, month, day; /* year 0: no date */
		uint64_t version;
	} cases[] = {
		{"07/11/2019,9.8.16.0", 2019, 7, 11, 0x0009000800100000},
		{"07-11-2019,9.8.16.0", 2019, 7, 11, 0x0009000800100000},
		{"7/1/2019 , 9.8", 2019, 7, 1, 0x0009000800000000},
		{"12/31/1968", 1968, 12, 31, 0},
		{"06/21/2006,10.0.65535.65535", 2006, 6, 21, 0x000A0000FFFFFFFF},
		{"02/30/2019,1.2.3.4", 0, 0, 0, 0x0001000200030004},
		{"2019/07/11,1.2.3.4", 0, 0, 0, 0x0001000200030004},
		{",1.2.3.4", 0, 0, 0, 0x0001000200030004},
		{"07/11/2019, 1 . 2 . 3 . 4", 2019, 7, 11, 0x0001000200030004},
		{"07/11/2019x,1", 0, 0, 0, 0x0001000000000000},
		{"unknown", 0, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf(
			"[Version]\nSignature=$Chicago$\nDriverVer=%s\n", cases[i].text);
		_cleanup_driver_ struct driver *d = open_for(text, "10.0.19041/x86");

		assert_int_equal(d->date, cases[i].year
						  ? filetime_from_date(cases[i].year,
								       cases[i].month,
								       cases[i].day)
						  : 0);
		assert_int_equal(d->version, cases[i].version);
	}
}

/* ---- the rest ------------------------------------------------------------------------
 */

static void strings_are_those_of_the_language(void **state _unused_)
{
	static const char text[] = HEADER MODELS "[Strings.0407]\nD=Ein Ger\xc3\xa4t\n";
	struct target target;

	assert_int_equal(target_parse("10.0.19041/amd64", &target, NULL), 0);
	target.language = 0x407;
	_cleanup_driver_ struct driver *d =
		driver_open("t.inf", (struct bytes){(const uint8_t *)text, strlen(text)},
			    &target, NULL, NULL, NULL, NULL);

	assert_string_equal(d->models.items[0].description, "Ein Ger\xc3\xa4t");
	assert_int_equal(d->strings.len, 2);
	vec_foreach (s, &d->strings)
		assert_true(strcmp(s->token, "v") == 0 ||
			    (strcmp(s->token, "d") == 0 &&
			     strcmp(s->text, "Ein Ger\xc3\xa4t") == 0));
}

static void class_install_is_decorated(void **state _unused_)
{
	_cleanup_driver_ struct driver *d = open_body(
		"[ClassInstall32]\nAddReg=Wrong\n[ClassInstall32.NTamd64]\nAddReg=Right\n"
		"BitReg=B\n[ClassInstall32.NTamd64.Services]\nAddService=s,,S\n"
		"[InterfaceInstall32]\n{1}=I\n[Wrong]\nHKR,,W,,x\n[Right]\nHKR,,,,"
		"Name\nHKR,,Icon,,-5\n");

	assert_true(d->class_install);
	assert_int_equal(d->class_regs.len, 2);
	assert_string_equal(d->class_regs.items[1].name, "Icon");
	assert_true(has_remark(&d->unsupported, "BitReg"));
	assert_true(has_remark(&d->unsupported, "[ClassInstall32.NTamd64.Services]"));
	assert_true(has_remark(&d->unsupported, "[InterfaceInstall32]"));
}

static void no_model_says_why(void **state _unused_)
{
	_cleanup_free_ char *reason = NULL, *none = NULL;
	_cleanup_driver_ struct driver *d =
		open_with(HEADER MODELS, "10.0.22000/arm64", NULL, &reason, NULL);
	_cleanup_driver_ struct driver *empty =
		open_with(HEADER, "10.0.22000/arm64", NULL, &none, NULL);
	/* Neither a decoration nor an undecorated section: found by the fuzzer. */
	_cleanup_driver_ struct driver *nameless = open_with(
		HEADER "[Manufacturer]\n%V%=M,,\n", "10.0.22000/arm64", NULL, NULL, NULL);

	assert_int_equal(d->models.len, 0);
	assert_int_equal(empty->models.len, 0);
	assert_int_equal(nameless->models.len, 0);
	assert_string_equal(reason, "it has no model for 10.0.22000/arm64/client: "
				    "[M.NTamd64] for amd64 only");
	assert_string_equal(none, "it has no [Manufacturer] section with models");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_name_hashes_the_raw_bytes),
		cmocka_unit_test(the_store_name_is_windows_own),
		cmocka_unit_test(decorations_parse),
		cmocka_unit_test(the_closest_section_is_chosen),
		cmocka_unit_test(an_empty_or_missing_closest_section_excludes),
		cmocka_unit_test(every_manufacturer_chooses_for_itself),
		cmocka_unit_test(sections_say_why_not),
		cmocka_unit_test(model_lines_have_ids),
		cmocka_unit_test(version_section_is_read),
		cmocka_unit_test(driver_ver_has_quirks),
		cmocka_unit_test(strings_are_those_of_the_language),
		cmocka_unit_test(class_install_is_decorated),
		cmocka_unit_test(no_model_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
