/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an INF means for a target: decorations, models, install sections, files, registry,
 * services. Every rule has its case; the texts are our own.
 */
#include "test.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "injector/driver.h"
#include "injector/selection.h"

#define HEADER                                                             \
	"[Version]\nSignature=\"$WINDOWS NT$\"\nClass=SCSIAdapter\n"       \
	"ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}\nProvider=%V%\n" \
	"DriverVer=07/11/2019,9.8.16.0\nCatalogFile=x.cat\n"               \
	"[Strings]\nV=\"Vendor\"\nD=\"A device\"\n"
#define MODELS "[Manufacturer]\n%V%=M,NTamd64\n[M.NTamd64]\n%D%=Inst,PCI\\VEN_1&DEV_2\n"

/* ---- opening -------------------------------------------------------------------------
 */

struct library {
	const char *name, *text;
};

/* arg: an array of struct library, ended by a NULL name. */
static int find_include(const char *name, struct buffer *ret, void *arg,
			struct error *err _unused_)
{
	for (const struct library *l = arg; l->name; l++)
		if (text_equal(l->name, name)) {
			buffer_append_string(ret, l->text);
			return 1;
		}
	return 0;
}

static struct driver *open_with(const char *text, const char *target_text,
				const struct library *library, char **reason,
				struct error *err)
{
	struct target target;

	assert_int_equal(target_parse(target_text, &target, NULL), 0);
	return driver_open("t.inf", (struct bytes){(const uint8_t *)text, strlen(text)},
			   &target, library ? find_include : NULL, (void *)library,
			   reason, err);
}

static struct driver *open_for(const char *text, const char *target_text)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct driver *d = open_with(text, target_text, NULL, NULL, &err);

	if (!d)
		print_message("%s: %s\n", err.subject, err.reason);
	assert_non_null(d);
	return d;
}

static struct driver *open_body(const char *body)
{
	_cleanup_free_ char *text = xasprintf("%s%s", HEADER MODELS, body);

	return open_for(text, "10.0.19041/amd64");
}

static void assert_utf16(const struct buffer *data, const char *text)
{
	_cleanup_buffer_ struct buffer want = BUFFER_INIT;

	utf16_append_z(&want, text);
	assert_int_equal(data->len, want.len);
	assert_memory_equal(data->data, want.data, want.len);
}

static bool has_remark(const struct strings *s, const char *part)
{
	vec_foreach (item, s)
		if (strstr(*item, part))
			return true;
	return false;
}

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
		{"TODO", 0, 0, 0, 0},
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

/* ---- install sections ----------------------------------------------------------------
 */

static void install_sections_are_decorated(void **state _unused_)
{
	static const struct {
		const char *sections, *target, *name;
	} cases[] = {
		{"[Inst]\n[Inst.NT]\n[Inst.NTamd64]\n", "10.0.19041/amd64",
		 "Inst.NTamd64"},
		{"[Inst]\n[inst.nt]\n[Inst.NTx86]\n", "10.0.19041/amd64", "inst.nt"},
		{"[Inst]\n[Inst.NTx86]\n", "10.0.19041/amd64", "Inst"},
		{"[Inst.NTx86]\n", "10.0.19041/amd64", NULL},
		{"[Inst.NTamd64.10.0]\n", "10.0.19041/amd64", NULL}, /* models only */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text =
			xasprintf("%s%s", HEADER MODELS, cases[i].sections);
		_cleanup_driver_ struct driver *d = open_for(text, cases[i].target);
		const struct inf_configuration *c = &d->configurations.items[0];

		assert_int_equal(c->missing, cases[i].name == NULL);
		if (cases[i].name)
			assert_string_equal(c->name, cases[i].name);
		assert_string_equal(c->base, "Inst");
	}
}

static void sub_sections_follow_the_chosen_one(void **state _unused_)
{
	_cleanup_driver_ struct driver *d =
		open_body("[Inst]\n[Inst.NT]\nFeatureScore=F8\nFeatureScore=01\nReboot\n"
			  "ExcludeID=PCI\\X,PCI\\Y\nCopyINF=other.inf\n"
			  "[Inst.Services]\nAddService=wrong,2,S\n"
			  "[Inst.NT.Services]\nAddService=right,2,S\n[S]\nStartType=0\n"
			  "[Inst.NT.HW]\nAddReg=R\n[R]\nHKR,,X,,1\n"
			  "[Inst.NT.Filters]\nAddFilter=flt,,F\nAddFilter=lvl,,L\n"
			  "[F]\nFilterPosition=Upper\n[L]\nFilterLevel=Encryption\n"
			  "[Inst.NT.Components]\nAddComponent=comp,,C\n"
			  "[Inst.NT.Software]\nAddSoftware=soft,,W\n"
			  "[Inst.NT.Events]\nAddEventProvider={1},E\n"
			  "[Inst.NT.CoInstallers]\nAddReg=CI\n"
			  "[CI]\nHKR,,CoInstallers32,0x10000,\"a.dll,B\"\n"
			  "[Inst.NT.Wdf]\nKmdfService=right,K\n"
			  "[Inst.NT.Interfaces]\n"
			  "AddInterface={6994ad04-93ef-11d0-a3cc-00a0c9223196},ref,I\n"
			  "AddInterface=nonsense\n[I]\nAddReg=IR\n[IR]\nHKR,,CLSID,,x\n");
	const struct inf_configuration *c = &d->configurations.items[0];

	assert_int_equal(c->services.len, 1);
	assert_string_equal(c->services.items[0].name, "right");
	assert_int_equal(c->hw_regs.len, 1);
	assert_int_equal(c->regs.len, 0);
	assert_true(c->has_feature_score);
	assert_int_equal(c->feature_score, 0xF8);
	assert_true(c->reboot);
	assert_int_equal(c->exclude_ids.len, 2);
	assert_string_equal(c->copy_infs.items[0], "other.inf");
	assert_int_equal(c->filters.len, 2);
	assert_true(c->filters.items[0].upper);
	assert_string_equal(c->filters.items[1].level, "Encryption");
	assert_string_equal(c->components.items[0], "comp");
	assert_string_equal(c->software.items[0], "soft");
	assert_true(has_remark(&c->unsupported, "AddSoftware=soft"));
	assert_true(has_remark(&c->unsupported, "AddEventProvider={1}"));
	assert_true(has_remark(&c->unsupported, "AddInterface of \"nonsense\""));
	assert_true(c->co_installers);
	assert_int_equal(c->interfaces.len, 1);
	assert_string_equal(c->interfaces.items[0].reference, "ref");
	assert_int_equal(c->interfaces.items[0].regs.len, 1);
}

static void what_is_not_carried_out_is_named(void **state _unused_)
{
	static const char *const directives[] = {
		"BitReg",	   "Ini2Reg",	     "UpdateInis",
		"UpdateIniFields", "LogConfig",	     "ProfileItems",
		"RegisterDlls",	   "UnregisterDlls", "DelProperty",
	};

	for (size_t i = 0; i < ARRAY_SIZE(directives); i++) {
		_cleanup_free_ char *body =
			xasprintf("[Inst]\n%s=x\n[x]\n", directives[i]);
		_cleanup_free_ char *want = xasprintf("%s (line 16)", directives[i]);
		_cleanup_driver_ struct driver *d = open_body(body);
		const struct strings *u = &d->configurations.items[0].unsupported;

		assert_int_equal(u->len, 1);
		assert_string_equal(u->items[0], want);
	}
}

static void include_and_needs(void **state _unused_)
{
	static const struct library library[] = {
		{"base.inf",
		 "[Version]\nSignature=$Chicago$\n[DestinationDirs]\nL=12\n"
		 "[Base.Inst]\nCopyFiles=L\nAddReg=R\nFeatureScore=1\nReboot\n"
		 "Include=deep.inf\nNeeds=Deep.Inst\n[L]\ninbox.sys\n"
		 "[R]\nHKR,,FromBase,,%where%\n[Base.Inst.Services]\n"
		 "AddService=basesvc,2,S\n[S]\nServiceBinary=%12%\\inbox.sys\n"
		 "[Strings]\nwhere=base\n"},
		{"deep.inf", "[Version]\nSignature=$Chicago$\n[Deep.Inst]\nAddReg=DR\n"
			     "Needs=Base.Inst\n[DR]\nHKR,,FromDeep,,x\n"},
		{"bad.inf", "no inf"},
		{NULL, NULL},
	};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_driver_ struct driver *d =
		open_with(HEADER MODELS
			  "where=own\n[Inst]\nNeeds=Base.Inst\nInclude=BASE.inf,none.inf,"
			  "bad.inf\nAddReg=Own\n[Own]\nHKR,,FromOwn,,x\n"
			  "[Inst.Services]\nNeeds=Base.Inst.Services\n",
			  "10.0.19041/amd64", library, NULL, &err);
	const struct inf_configuration *c;

	assert_non_null(d);
	c = &d->configurations.items[0];
	/* a section's own entries come first, though Needs stands above them */
	assert_int_equal(c->regs.len, 3);
	assert_string_equal(c->regs.items[0].name, "FromOwn");
	assert_string_equal(c->regs.items[1].name, "FromBase");
	assert_utf16(&c->regs.items[1].data, "base"); /* strings are each INF's own */
	assert_string_equal(c->regs.items[2].name, "FromDeep");
	assert_int_equal(c->services.len, 1);
	assert_string_equal(c->services.items[0].name, "basesvc");
	/* what Windows brings is no part of the package */
	assert_int_equal(c->files.len, 1);
	assert_int_equal(c->files.items[0].dirid, 12);
	assert_null(c->files.items[0].source_path);
	/* these two count in the section itself only */
	assert_false(c->has_feature_score);
	assert_false(c->reboot);
	assert_true(strings_contain(&c->included_infs, "deep.inf"));
	assert_true(strings_contain(&c->included_configs, "Base.Inst"));
	assert_true(has_remark(&c->unsupported, "Include=none.inf"));
	assert_true(has_remark(&c->unsupported, "Include=bad.inf, which is damaged"));
}

static int fail_include(const char *name, struct buffer *ret _unused_, void *arg _unused_,
			struct error *err)
{
	return error_set(err, ERROR_FAILED, name, "cannot be read");
}

static void an_include_that_fails_is_an_error(void **state _unused_)
{
	static const char text[] = HEADER MODELS "[Inst]\nInclude=x.inf\n";
	_cleanup_error_ struct error err = ERROR_INIT;
	struct target target;

	assert_int_equal(target_parse("10.0.19041/amd64", &target, NULL), 0);
	assert_null(driver_open("t.inf",
				(struct bytes){(const uint8_t *)text, strlen(text)},
				&target, fail_include, NULL, NULL, &err));
	assert_int_equal(err.code, ERROR_FAILED);
}

static void needs_is_bounded(void **state _unused_)
{
	struct buffer b = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	buffer_append_string(&b, HEADER MODELS "[Inst]\nNeeds=n0,Inst\n");
	for (int i = 0; i < 30; i++)
		buffer_printf(&b, "[n%d]\nNeeds=n%d,Inst\n", i, i + 1);
	_cleanup_free_ char *text = buffer_steal_string(&b);

	assert_null(open_with(text, "10.0.19041/amd64", NULL, NULL, &err));
	assert_int_equal(err.code, ERROR_ANSWER_NO);
	assert_non_null(strstr(err.reason, "deep"));
	/* a circle is no depth */
	driver_close(open_body("[Inst]\nNeeds=a\n[a]\nNeeds=b\n[b]\nNeeds=a,Inst\n"));
}

static void work_is_bounded(void **state _unused_)
{
	struct buffer b = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	buffer_append_string(&b, HEADER "[Manufacturer]\n%V%=M,NTamd64\n[M.NTamd64]\n");
	for (int i = 0; i < 2000; i++)
		buffer_printf(&b, "x=I%d,ID%d\n", i, i);
	for (int i = 0; i < 2000; i++)
		buffer_printf(&b, "[I%d]\nAddReg=R\n", i);
	buffer_append_string(&b, "[R]\n");
	for (int i = 0; i < 2000; i++)
		buffer_printf(&b, "HKR,,v%d,,x\n", i);
	_cleanup_free_ char *text = buffer_steal_string(&b);

	(void)alarm(120);
	assert_null(open_with(text, "10.0.19041/amd64", NULL, NULL, &err));
	(void)alarm(0);
	assert_int_equal(err.code, ERROR_ANSWER_NO);
	assert_non_null(strstr(err.reason, "too often"));
}

/* ---- files ---------------------------------------------------------------------------
 */

#define DISKS                                                                     \
	"[SourceDisksNames]\n1=disk,tag,,\\WinNT\n2=d,x.cab\n"                    \
	"[SourceDisksNames.amd64]\n3=d,,,\\only64\n"                              \
	"[SourceDisksFiles]\na.sys=1\nb.sys=1,sub\\deep\nboth.sys=1\ncab.sys=2\n" \
	"[SourceDisksFiles.amd64]\nboth.sys=3,x\n[SourceDisksFiles.x86]\n32.sys=1\n"

static void files_have_source_and_destination(void **state _unused_)
{
	_cleanup_driver_ struct driver *d = open_body(
		DISKS
		"[DestinationDirs]\nDefaultDestDir=13\nL=12\nSub=11,\"\\x\\y\\\"\n"
		"Odd=%12%\nDel=10\n[Inst]\nCopyFiles=L,@a.sys,Sub\nCopyFiles=Odd,None\n"
		"DelFiles=Del\nRenFiles=Ren\n[L]\na.sys\nnew.sys,b.sys,,0x10\n"
		"[Sub]\nboth.sys\nin\\side.dll,cab.sys\n[Odd]\nfree.sys,,,4\n"
		"[Del]\nold.sys\n[Ren]\nnew.nam,old.nam\n");
	static const struct {
		enum inf_file_kind kind;
		const char *name, *source_path, *subdir;
		uint32_t dirid, flags;
	} want[] = {
		{INF_FILE_COPY, "a.sys", "WinNT/a.sys", "", 12, 0},
		{INF_FILE_COPY, "new.sys", "WinNT/sub/deep/b.sys", "", 12, 0x10},
		{INF_FILE_COPY, "a.sys", "WinNT/a.sys", "", 13, 0},
		{INF_FILE_COPY, "both.sys", "only64/x/both.sys", "x\\y", 11, 0},
		{INF_FILE_COPY, "side.dll", "cab.sys", "x\\y\\in", 11, 0},
		{INF_FILE_COPY, "free.sys", "free.sys", "", 12, 4},
		{INF_FILE_DELETE, "old.sys", NULL, "", 10, 0},
		{INF_FILE_RENAME, "new.nam", NULL, "", 13, 0},
	};
	const struct inf_configuration *c = &d->configurations.items[0];

	assert_int_equal(c->files.len, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const struct inf_file *f = &c->files.items[i];

		assert_int_equal(f->kind, want[i].kind);
		assert_string_equal(f->name, want[i].name);
		assert_int_equal(f->source_path != NULL, want[i].source_path != NULL);
		if (f->source_path)
			assert_string_equal(f->source_path, want[i].source_path);
		assert_string_equal(f->subdir, want[i].subdir);
		assert_int_equal(f->dirid, want[i].dirid);
		assert_int_equal(f->flags, want[i].flags);
	}
	assert_string_equal(c->files.items[7].source, "old.nam");
	assert_true(has_remark(&c->unsupported, "file list [None]"));
	/* all sources of the architecture, its own section first, none twice */
	assert_int_equal(d->source_files.len, 4);
	assert_string_equal(d->source_files.items[0].source_path, "only64/x/both.sys");
}

static void without_destination_it_is_system32(void **state _unused_)
{
	_cleanup_driver_ struct driver *d =
		open_body("[Inst]\nCopyFiles=@x.dll\n[SourceDisksFiles]\nx.dll=1\n");

	assert_int_equal(d->configurations.items[0].files.items[0].dirid, 11);
}

static void a_layout_file_means_windows_brings_them(void **state _unused_)
{
	_cleanup_driver_ struct driver *d = open_for(
		"[Version]\nSignature=$Chicago$\nLayoutFile=layout.inf\n[Manufacturer]\n"
		"x=M,NTamd64\n[M.NTamd64]\nd=I,ID\n[I]\nCopyFiles=@in.sys,@own.sys\n"
		"[SourceDisksFiles]\nown.sys=1\n",
		"10.0.19041/amd64");
	const struct inf_files *f = &d->configurations.items[0].files;

	assert_null(f->items[0].source_path);
	assert_string_equal(f->items[1].source_path, "own.sys");
}

static void paths_that_lead_out_are_refused(void **state _unused_)
{
	static const struct {
		const char *body;
		unsigned line;
	} cases[] = {
		{"[Inst]\nCopyFiles=@..\\x.sys\n", 16},
		{"[Inst]\nCopyFiles=@C:\\x.sys\n", 16},
		{"[Inst]\nCopyFiles=L\n[L]\nx\\..\\..\\y.sys\n", 18},
		{"[Inst]\nCopyFiles=L\n[L]\nx.sys,../y.sys\n", 18},
		{"[Inst]\nCopyFiles=L\n[L]\n\\\\server\\share\\x.sys\n", 18},
		{"[Inst]\nCopyFiles=L\n[L]\nx.sys:stream\n", 18},
		{"[Inst]\nCopyFiles=L\n[L]\nx?.sys\n", 18},
		{"[Inst]\nDelFiles=L\n[L]\n..\\..\\ntoskrnl.exe\n", 18},
		{"[Inst]\nRenFiles=L\n[L]\na,..\\b\n", 18},
		{"[Inst]\nCopyFiles=L\n[L]\nx\n[DestinationDirs]\nL=12,..\\..\n", 20},
		{"[Inst]\nCopyFiles=L\n[L]\nx\n[DestinationDirs]\nL=-1,C:\\\n", 20},
		{"[Inst]\nCopyFiles=L\n[L]\nx\n[DestinationDirs]\nL=65535,C:\\\n", 20},
		{"[Inst]\nCopyFiles=L\n[L]\nx\n[DestinationDirs]\nL=Windows\n", 20},
		{"[Inst]\n[SourceDisksFiles]\nx=1,..\\y\n", 17},
		{"[Inst]\n[SourceDisksFiles]\n..\\x=1\n", 17},
		{"[Inst]\n[SourceDisksFiles]\nx=1\n[SourceDisksNames]\n1=d,,,\\..\\y\n",
		 19},
		{"[Inst]\nInclude=..\\x.inf\n", 16},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_free_ char *text =
			xasprintf("%s%s", HEADER MODELS, cases[i].body);
		_cleanup_free_ char *subject = xasprintf("t.inf:%u", cases[i].line);

		if (open_with(text, "10.0.19041/amd64", NULL, NULL, &err))
			fail_msg("accepted: %s", cases[i].body);
		assert_int_equal(err.code, ERROR_ANSWER_NO);
		assert_string_equal(err.subject, subject);
		assert_non_null(err.remedy);
	}
}

static void dirids_have_their_folders(void **state _unused_)
{
	assert_string_equal(driver_dirid_path(12, ARCH_AMD64),
			    "Windows/System32/drivers");
	assert_string_equal(driver_dirid_path(24, ARCH_AMD64), "");
	assert_string_equal(driver_dirid_path(16425, ARCH_AMD64), "Windows/SysWOW64");
	assert_string_equal(driver_dirid_path(16425, ARCH_X86), "Windows/System32");
	assert_string_equal(driver_dirid_path(16426, ARCH_X86), "Program Files");
	assert_string_equal(driver_dirid_path(66000, ARCH_AMD64),
			    "Windows/System32/spool/drivers/x64/3");
	assert_null(driver_dirid_path(13, ARCH_AMD64));
	assert_null(driver_dirid_path(1, ARCH_AMD64));
	assert_null(driver_dirid_path(4711, ARCH_AMD64));
}

/* ---- registry ------------------------------------------------------------------------
 */

static void registry_values_have_types(void **state _unused_)
{
	static const struct {
		const char *line;
		enum inf_reg_kind kind;
		uint32_t type;
		const char *data; /* bytes, or text when it starts with '=' */
		size_t len;
	} cases[] = {
		{"HKR,,n,,text", INF_REG_SET, 1, "=text", 0},
		{"HKR,,n,0,\"a, \"\"b\"\"\"", INF_REG_SET, 1, "=a, \"b\"", 0},
		{"HKR,,n", INF_REG_SET, 1, "=", 0},
		{"HKR,,n,0x10", INF_REG_KEY, 0, "", 0},
		{"HKR,k,,0x2000", INF_REG_KEY, 0, "", 0},
		{"HKR,,n,0x20000,%%SystemRoot%%\\x", INF_REG_SET, 2, "=%SystemRoot%\\x",
		 0},
		{"HKR,,n,1,0a,FF,0x3", INF_REG_SET, 3, "\x0a\xff\x03", 3},
		{"HKR,,n,1", INF_REG_SET, 3, "", 0},
		{"HKR,,n,0x00000003,1", INF_REG_SET, 3, "\x01", 1}, /* NOCLOBBER */
		{"HKR,,n,0x10001,5", INF_REG_SET, 4, "\x05\0\0\0", 4},
		{"HKR,,n,0x10001,0x12345678", INF_REG_SET, 4, "\x78\x56\x34\x12", 4},
		{"HKR,,n,0x10001,-1", INF_REG_SET, 4, "\xff\xff\xff\xff", 4},
		{"HKR,,n,65537,0xFFFFFFFF", INF_REG_SET, 4, "\xff\xff\xff\xff", 4},
		{"HKR,,n,0x10001,01,02,03,FF", INF_REG_SET, 4, "\x01\x02\x03\xff", 4},
		{"HKR,,n,0x10001", INF_REG_SET, 4, "\0\0\0\0", 4},
		{"HKR,,n,%REG_DWORD%,010", INF_REG_SET, 4, "\x0a\0\0\0", 4},
		{"HKR,,n,0xb0001,0x123456789", INF_REG_SET, 11,
		 "\x89\x67\x45\x23\x01\0\0\0", 8},
		{"HKR,,n,0xb0001,1,2,3,4,5,6,7,8", INF_REG_SET, 11,
		 "\x01\x02\x03\x04\x05\x06\x07\x08", 8},
		{"HKR,,n,0x10000,a,b", INF_REG_SET, 7, "a\0\0\0b\0\0\0\0\0", 10},
		{"HKR,,n,0x10000", INF_REG_SET, 7, "\0\0", 2},
		{"HKR,,n,0x10000,\"\"", INF_REG_SET, 7, "\0\0", 2},
		{"HKR,,n,0x10008,a", INF_REG_APPEND, 7, "a\0\0\0\0\0", 6},
		{"HKR,,n,0x20001,1,2", INF_REG_SET, 0, "\x01\x02", 2},
		{"HKR,,n,0x380001,1,A", INF_REG_SET, 0x38, "\x01\x0a", 2},
		{"HKR,,n,4", INF_REG_DELETE_VALUE, 0, "", 0},
		{"HKR,k,,4", INF_REG_DELETE_KEY, 0, "", 0},
		/* a slip of real files, which Windows keeps literally */
		{"HKR,k,0x00000010", INF_REG_SET, 1, "=", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *body = xasprintf(
			"[Inst]\nAddReg=R\n[R]\n%s\n[Strings]\nREG_DWORD=0x10001\n",
			cases[i].line);
		_cleanup_driver_ struct driver *d = open_body(body);
		const struct inf_regs *regs = &d->configurations.items[0].regs;
		const struct inf_reg *g = regs->items;

		if (regs->len != 1 || g->kind != cases[i].kind ||
		    g->type != cases[i].type)
			print_message("%s\n", cases[i].line);
		assert_int_equal(regs->len, 1);
		assert_int_equal(g->kind, cases[i].kind);
		assert_int_equal(g->type, cases[i].type);
		if (*cases[i].data == '=') {
			assert_utf16(&g->data, cases[i].data + 1);
		} else {
			assert_int_equal(g->data.len, cases[i].len);
			if (g->data.len)
				assert_memory_equal(g->data.data, cases[i].data,
						    cases[i].len);
		}
	}
}

static void registry_lines_have_roots_keys_and_flags(void **state _unused_)
{
	_cleanup_driver_ struct driver *d =
		open_body("[Inst]\nAddReg=R,None\nDelReg=D\n"
			  "[R]\nHKLM,\\Soft\\\\ware\\,n,0x4002,x\nhkcr,.x,,,x\nHKCU,,n,,"
			  "x\nHKU,,n,,x\n"
			  "HKXX,,n,,x\nHKR,,bad,1,1FF\nHKR,,bad,0x10001,zz\n"
			  "[R.security]\n\"D:P\"\n"
			  "[D]\nHKR,k\nHKR,k,n\nHKR,k,n,0x2000\nHKR,k,n,0x18002,"
			  "gone\nHKR,k,,0x4000\n");
	const struct inf_configuration *c = &d->configurations.items[0];
	static const enum inf_root roots[] = {INF_HKLM, INF_HKCR, INF_HKCU, INF_HKU};
	static const enum inf_reg_kind kinds[] = {
		INF_REG_DELETE_KEY, INF_REG_DELETE_VALUE, INF_REG_DELETE_KEY,
		INF_REG_DELETE_STRING, INF_REG_DELETE_KEY};

	assert_int_equal(c->regs.len, ARRAY_SIZE(roots) + ARRAY_SIZE(kinds));
	assert_string_equal(c->regs.items[0].key, "Soft\\ware");
	assert_int_equal(c->regs.items[0].flags, INF_REG_32BIT | INF_REG_NOCLOBBER);
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		assert_int_equal(c->regs.items[i].root, roots[i]);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_int_equal(c->regs.items[ARRAY_SIZE(roots) + i].kind, kinds[i]);
	assert_utf16(&c->regs.items[7].data, "gone");
	assert_int_equal(c->regs.items[8].flags, INF_REG_32BIT);
	assert_true(has_remark(&c->unsupported, "registry list [None]"));
	assert_true(has_remark(&c->unsupported, "registry root \"HKXX\""));
	assert_true(has_remark(&c->unsupported, "value \"bad\""));
	assert_true(has_remark(&c->unsupported, "security descriptor [R.Security]"));
}

static void dirids_in_registry_data_become_paths(void **state _unused_)
{
	_cleanup_driver_ struct driver *d = open_body(
		"[Inst]\nAddReg=R\n[R]\nHKR,,a,,%11%\\x.dll\nHKR,,b,0x20000,%11%\\x.dll\n"
		"HKR,,c,,%24%\\x\nHKR,,d,0x20000,%16422%\\x\nHKR,,e,,%13%\\x.dll\n"
		"HKR,,f,0x10000,%12%,%4711%\nHKR,%10%,g,,x\nHKR,,h,,%%11%%\n");
	const struct inf_regs *regs = &d->configurations.items[0].regs;
	_cleanup_free_ char *store =
		driver_store_name("t.inf", buffer_view(&d->raw), ARCH_AMD64);
	_cleanup_free_ char *in_store = xasprintf(
		"C:\\Windows\\System32\\DriverStore\\FileRepository\\%s\\x.dll", store);

	assert_utf16(&regs->items[0].data, "C:\\Windows\\System32\\x.dll");
	assert_utf16(&regs->items[1].data, "%SystemRoot%\\System32\\x.dll");
	assert_utf16(&regs->items[2].data, "C:\\x");
	assert_utf16(&regs->items[3].data, "%SystemDrive%\\Program Files\\x");
	assert_utf16(&regs->items[4].data, in_store);
	_cleanup_free_ char *list =
		utf16_to_utf8(regs->items[5].data.data, regs->items[5].data.len);

	assert_string_equal(list, "C:\\Windows\\System32\\drivers");
	assert_string_equal(regs->items[6].key, "C:\\Windows");
	assert_utf16(&regs->items[7].data, "%11%");
}

static void properties_are_read(void **state _unused_)
{
	_cleanup_driver_ struct driver *d =
		open_body("[Inst]\nAddProperty=P\n[P]\n"
			  "{c22189e4-8bf3-4e6d-8467-8dc6d95e2a7e},2,18,,\"text\"\n"
			  "{c22189e4-8bf3-4e6d-8467-8dc6d95e2a7e},3,0x7,1,5\n"
			  "{c22189e4-8bf3-4e6d-8467-8dc6d95e2a7e},4,17,,1\n"
			  "{c22189e4-8bf3-4e6d-8467-8dc6d95e2a7e},5,8210,,a,b\n"
			  "DeviceModel,,,,\"Model\"\n"
			  "{c22189e4-8bf3-4e6d-8467-8dc6d95e2a7e},1,18,,"
			  "reserved\nnonsense,2,18,,x\n");
	const struct inf_properties *p = &d->configurations.items[0].properties;

	assert_int_equal(p->len, 5);
	assert_utf16(&p->items[0].data, "text");
	assert_int_equal(p->items[1].id, 3);
	assert_int_equal(p->items[1].flags, 1);
	assert_memory_equal(p->items[1].data.data, "\x05\0\0\0", 4);
	assert_int_equal(p->items[2].data.len, 1);
	assert_int_equal(p->items[2].data.data[0], 0xFF);
	assert_int_equal(p->items[3].data.len, 10);
	assert_utf16(&p->items[4].data, "Model");
	assert_true(has_remark(&d->configurations.items[0].unsupported, "nonsense"));
}

/* ---- services ------------------------------------------------------------------------
 */

static void services_have_every_entry(void **state _unused_)
{
	_cleanup_driver_ struct driver *d = open_body(
		"[Inst]\n[Inst.Services]\nAddService=svc,0x2,S,E,Application,Name\n"
		"AddService=plain,,P,E\nAddService=,2\nAddService=odd,2,None\n"
		"AddService=exe,,X\nDelService=old,0x200\n"
		"[S]\nDisplayName=%D%\nDescription=\"literal\"\nServiceType=1\nStartType="
		"0x0\n"
		"ErrorControl=3\nServiceBinary=%12%\\svc.sys\nLoadOrderGroup=SCSI "
		"Miniport\n"
		"Tag=0x20\nDependencies=+Grp,other\nSecurity=\"D:P(A;;GA;;;SY)\"\n"
		"StartName=\\Driver\\svc\nBootFlags=0x14\nAddTrigger=T\nAddReg=R\nDelReg="
		"Q\n"
		"[R]\nHKR,Parameters,BusType,0x10001,10\n[Q]\nHKR,,Gone\n"
		"[E]\nAddReg=ER\n[ER]\nHKR,,TypesSupported,0x10001,7\n"
		"[P]\nServiceType=%T%\nStartType=3\nServiceBinary=%13%\\sub\\p.sys\n"
		"[X]\nServiceBinary=\"\"\"%13%\\x.exe\"\" "
		"-k\"\nStartType=2\nServiceType=0x10\n"
		"[Strings]\nT=1\n");
	const struct inf_services *all = &d->configurations.items[0].services;
	const struct inf_service *s = all->items;

	assert_int_equal(all->len, 6);
	assert_string_equal(s->name, "svc");
	assert_int_equal(s->flags, 2);
	assert_true(s->has_type && s->has_start && s->has_error_control && s->has_tag);
	assert_int_equal(s->type, 1);
	assert_int_equal(s->start, 0);
	assert_int_equal(s->error_control, 3);
	assert_int_equal(s->tag, 0x20);
	assert_int_equal(s->boot_flags, 0x14);
	assert_string_equal(s->display_name, "A device");
	assert_true(text_equal(s->display_token, "D"));
	assert_string_equal(s->description, "literal");
	assert_null(s->description_token);
	assert_string_equal(s->group, "SCSI Miniport");
	assert_int_equal(s->binary_dirid, 12);
	assert_string_equal(s->binary, "svc.sys");
	assert_int_equal(s->dependencies.len, 2);
	assert_string_equal(s->dependencies.items[0], "+Grp");
	assert_string_equal(s->security, "D:P(A;;GA;;;SY)");
	assert_string_equal(s->start_name, "\\Driver\\svc");
	assert_int_equal(s->regs.len, 2);
	assert_string_equal(s->regs.items[0].key, "Parameters");
	assert_string_equal(s->eventlog_type, "Application");
	assert_string_equal(s->eventlog_name, "Name");
	assert_int_equal(s->eventlog.len, 1);
	assert_true(has_remark(&d->configurations.items[0].unsupported,
			       "AddTrigger of service svc"));
	s++;
	assert_int_equal(s->type, 1);
	assert_int_equal(s->binary_dirid, 13);
	assert_string_equal(s->binary, "sub\\p.sys");
	assert_string_equal(s->eventlog_type, "System");
	assert_string_equal(s->eventlog_name, "plain");
	s++;
	assert_string_equal(s->name, ""); /* the NULL driver */
	assert_false(s->has_type);
	s++;
	assert_true(has_remark(&d->configurations.items[0].unsupported,
			       "service section [None]"));
	s++;
	assert_int_equal(s->binary_dirid, 13);
	assert_string_equal(s->binary, "x.exe -k");
	s++;
	assert_true(s->remove);
	assert_string_equal(s->name, "old");
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
		"BitReg=B\n[Wrong]\nHKR,,W,,x\n[Right]\nHKR,,,,Name\nHKR,,Icon,,-5\n");

	assert_true(d->class_install);
	assert_int_equal(d->class_regs.len, 2);
	assert_string_equal(d->class_regs.items[1].name, "Icon");
	assert_true(has_remark(&d->unsupported, "BitReg"));
}

static void no_model_says_why(void **state _unused_)
{
	_cleanup_free_ char *reason = NULL, *none = NULL;
	_cleanup_driver_ struct driver *d =
		open_with(HEADER MODELS, "10.0.22000/arm64", NULL, &reason, NULL);
	_cleanup_driver_ struct driver *empty =
		open_with(HEADER, "10.0.22000/arm64", NULL, &none, NULL);

	assert_int_equal(d->models.len, 0);
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
		cmocka_unit_test(install_sections_are_decorated),
		cmocka_unit_test(sub_sections_follow_the_chosen_one),
		cmocka_unit_test(what_is_not_carried_out_is_named),
		cmocka_unit_test(include_and_needs),
		cmocka_unit_test(an_include_that_fails_is_an_error),
		cmocka_unit_test(needs_is_bounded),
		cmocka_unit_test(work_is_bounded),
		cmocka_unit_test(files_have_source_and_destination),
		cmocka_unit_test(without_destination_it_is_system32),
		cmocka_unit_test(a_layout_file_means_windows_brings_them),
		cmocka_unit_test(paths_that_lead_out_are_refused),
		cmocka_unit_test(dirids_have_their_folders),
		cmocka_unit_test(registry_values_have_types),
		cmocka_unit_test(registry_lines_have_roots_keys_and_flags),
		cmocka_unit_test(dirids_in_registry_data_become_paths),
		cmocka_unit_test(properties_are_read),
		cmocka_unit_test(services_have_every_entry),
		cmocka_unit_test(strings_are_those_of_the_language),
		cmocka_unit_test(class_install_is_decorated),
		cmocka_unit_test(no_model_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
