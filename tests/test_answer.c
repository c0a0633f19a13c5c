/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answer files: what is read, refused and said, what is written, and where it goes. */
#include "windows_sample.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "windows/answer.h"

#define HEAD                                                      \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"            \
	"<unattend xmlns=\"urn:schemas-microsoft-com:unattend\" " \
	"xmlns:wcm=\"http://schemas.microsoft.com/WMIConfig/2002/State\">\n"
#define TAIL "</unattend>\n"
#define PASS(name, components) "<settings pass=\"" name "\">\n" components "</settings>\n"
#define COMPONENT_FOR(arch, name, settings)                            \
	"<component name=\"" name "\" processorArchitecture=\"" arch   \
	"\" publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" " \
	"versionScope=\"nonSxS\">\n" settings "</component>\n"
#define COMPONENT(name, settings) COMPONENT_FOR("amd64", name, settings)
#define SHELL "Microsoft-Windows-Shell-Setup"
#define PNP "Microsoft-Windows-PnpCustomizationsNonWinPE"
#define DRIVER_PATH(path)                                                         \
	"<DriverPaths><PathAndCredentials wcm:action=\"add\" wcm:keyValue=\"1\">" \
	"<Path>" path "</Path></PathAndCredentials></DriverPaths>"

static const struct target windows10 = {
	.arch = ARCH_AMD64, .major = 10, .build = 19045, .product = PRODUCT_CLIENT};

static struct answer *parsed(const char *text)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct answer *a = answer_parse(
		(struct bytes){(const uint8_t *)text, strlen(text)}, "a.xml", &err);

	if (!a)
		fail_msg("%s: %s", err.subject, err.reason);
	return a;
}

static char *text_of(const struct answer *answer)
{
	struct bytes text = answer_text(answer);

	return xstrndup((const char *)text.data, text.len);
}

/* The message names the place and contains `reason`, and no secret. */
static void assert_refused(const char *text, const char *place, const char *reason)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct answer *a = answer_parse(
		(struct bytes){(const uint8_t *)text, strlen(text)}, "a.xml", &err);
	_cleanup_free_ char *message = NULL;

	if (a)
		fail_msg("not refused: %s", text);
	message = error_message(&err);
	if (strcmp(err.subject, place) != 0 || !strstr(message, reason))
		fail_msg("want %s: %s, got %s", place, reason, message);
	assert_null(strstr(message, "s3cret"));
	assert_int_equal(err.code, ERROR_USAGE);
}

static void what_is_no_answer_file(void **state _unused_)
{
	assert_refused("", "a.xml:1", "is no XML");
	assert_refused("text", "a.xml:1", "is no XML");
	assert_refused("<a>\n<b>\n</a>", "a.xml:3", "not closed");
	assert_refused("<a/>", "a.xml:1", "is no answer file");
	assert_refused("<unattend/>", "a.xml:1", "is no answer file");
	assert_refused(HEAD PASS("firstboot", "") TAIL, "a.xml:3",
		       "no pass of this name");
	assert_refused(HEAD "<settings/>" TAIL, "a.xml:3", "attribute pass");
	assert_refused(HEAD PASS("specialize", "") PASS("specialize", "") TAIL, "a.xml:5",
		       "is there twice");
	assert_refused(HEAD "<component/>" TAIL, "a.xml:3", "settings and servicing");
	assert_refused(HEAD PASS("specialize", "<component name=\"x\"/>") TAIL, "a.xml:4",
		       "attribute processorArchitecture");
	assert_refused(HEAD PASS("specialize",
				 "<component xmlns=\"\" name=\"x\"><a/></component>")
			       TAIL,
		       "a.xml:4", "namespace");
	assert_refused(HEAD PASS("specialize",
				 COMPONENT(SHELL, "<ComputerName x:y=\"1\"/>")) TAIL,
		       "a.xml:5", "is no XML: Namespace prefix x");
}

static void hostile_xml_is_refused(void **state _unused_)
{
	_cleanup_buffer_ struct buffer deep = BUFFER_INIT, large = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	assert_refused("<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"c\">\n"
		       "<!ENTITY d \"&b;&b;&b;&b;\">]>\n<a>&d;</a>",
		       "a.xml:2", "document type");
	assert_refused("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>\n"
		       "<a>&b;</a>",
		       "a.xml:1", "document type");
	assert_refused("<!DOCTYPE a SYSTEM \"http://localhost:1/x.dtd\"><a/>", "a.xml:1",
		       "document type");
	assert_refused(HEAD PASS("oobeSystem", "<Value>s3cret</Valu>") TAIL, "a.xml:4",
		       "not closed");
	assert_refused(HEAD "<x a=\"&s3cret;\"/>" TAIL, "a.xml:3", "Entity");
	assert_refused(HEAD "<x a=\"s3cret<\"/>" TAIL, "a.xml:3", "is no XML");
	assert_refused(HEAD "<x>s3cret & more</x>" TAIL, "a.xml:3", "is no XML");

	buffer_append_string(&deep, HEAD "<settings pass=\"specialize\">");
	for (int i = 0; i < 40; i++)
		buffer_append_string(&deep, "\n<component>");
	for (int i = 0; i < 40; i++)
		buffer_append_string(&deep, "</component>");
	buffer_append_string(&deep, "</settings>" TAIL);
	text = buffer_steal_string(&deep);
	assert_refused(text, "a.xml:34", "nested more than 32 levels");

	(void)buffer_reserve(&large, 5 << 20);
	memset(large.data, ' ', 5 << 20);
	large.len = 5 << 20;
	assert_null(answer_parse(buffer_view(&large), "a.xml", &err));
	assert_non_null(strstr(err.reason, "larger than"));
}

static void large_files_are_not_read(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *path = xasprintf("%s/big.xml", folder);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), 100 << 20), 0);
	fclose(f);
	assert_null(answer_load(path, &err));
	assert_string_equal(err.subject, path);
}

static void an_untouched_file_keeps_its_bytes(void **state _unused_)
{
	static const char text[] = HEAD
		"<!-- a note -->"
		"<Extensions "
		"xmlns=\"https://example.com/x\"><File><a/></File></Extensions>" PASS(
			"specialize", COMPONENT(SHELL, "<ComputerName>*</ComputerName>"))
			TAIL;
	_cleanup_answer_ struct answer *a = parsed(text);
	_cleanup_free_ char *got = text_of(a);

	assert_string_equal(got, text);
}

/* ---- against the image -------------------------------------------------------------
 */

static void assert_warns(const char *text, const struct target *target, const char *want)
{
	_cleanup_(strings_free) struct strings warnings = VEC_INIT;
	_cleanup_answer_ struct answer *a = parsed(text);
	_cleanup_error_ struct error err = ERROR_INIT;
	struct buffer all = BUFFER_INIT;
	_cleanup_free_ char *joined = NULL;

	if (answer_check(a, target, &warnings, &err) < 0)
		fail_msg("%s", err.reason);
	vec_foreach (w, &warnings)
		buffer_printf(&all, "%s\n", *w);
	joined = buffer_steal_string(&all);
	if (*want ? !strstr(joined, want) : *joined)
		fail_msg("want \"%s\", got \"%s\"", want, joined);
}

static void what_is_unknown_is_a_warning(void **state _unused_)
{
	const struct target *t = &windows10;

	assert_warns(HEAD PASS("specialize",
			       COMPONENT(SHELL, "<ComputerName>x</ComputerName>")) TAIL,
		     t, "");
	assert_warns(HEAD PASS("specialize", COMPONENT("Contoso-Thing", "<A/>")) TAIL, t,
		     "a.xml:4: the component Contoso-Thing is none that gild knows");
	assert_warns(HEAD PASS("specialize", COMPONENT(SHELL, "<ComputrName/>")) TAIL, t,
		     "a.xml:5: the setting ComputrName of " SHELL);
	assert_warns(HEAD PASS("specialize", COMPONENT(SHELL, "<UserAccounts/>")) TAIL, t,
		     "UserAccounts of " SHELL " is not valid in the pass specialize");
	assert_warns(HEAD PASS("windowsPE", COMPONENT("Microsoft-Windows-Setup", ""))
			     TAIL,
		     t, "which does not run here");
	assert_warns(HEAD
		     "<settings pass=\"specialize\" wasPassProcessed=\"true\"/>" TAIL,
		     t, "marked as processed");
	assert_warns(HEAD PASS("specialize",
			       COMPONENT(SHELL, "") COMPONENT_FOR("x86", SHELL, "")) TAIL,
		     t, "a.xml:6: " SHELL " is for x86, and ignored on this amd64 image");
}

static void another_architecture_is_refused(void **state _unused_)
{
	_cleanup_answer_ struct answer *a = parsed(
		HEAD PASS("oobeSystem", COMPONENT_FOR("arm64", SHELL, "<OOBE/>")) TAIL);
	_cleanup_(strings_free) struct strings warnings = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct target xp = {.arch = ARCH_X86, .major = 5, .minor = 1};

	assert_int_equal(answer_check(a, &windows10, &warnings, &err), -1);
	assert_non_null(strstr(err.reason, "no component for amd64"));
	assert_int_equal(answer_check(a, &xp, &warnings, &err), -1);
	assert_non_null(strstr(err.remedy, "sysprep.inf"));
}

/* ---- the offlineServicing pass -----------------------------------------------------
 */

#define OFFLINE(settings)                       \
	HEAD PASS("offlineServicing", settings) \
	TAIL

static void driver_paths_are_collected(void **state _unused_)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *file = xasprintf("%s/a.xml", folder);
	_cleanup_free_ char *net = xasprintf("%s/drivers/net", folder);
	_cleanup_free_ char *drivers = xasprintf("%s/drivers", folder);
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_answer_ struct answer *a = NULL;
	_cleanup_free_ char *text = NULL;
	static const char xml[] = HEAD PASS(
		"offlineServicing",
		COMPONENT(PNP, DRIVER_PATH(" drivers\\net ") DRIVER_PATH("drivers/net"))
			COMPONENT_FOR("x86", PNP, DRIVER_PATH("drivers")))
		PASS("specialize", COMPONENT(SHELL, "")) TAIL;

	assert_int_equal(mkdir(drivers, 0700), 0);
	assert_int_equal(mkdir(net, 0700), 0);
	assert_int_equal(file_replace(file,
				      (struct bytes){(const uint8_t *)xml, strlen(xml)},
				      NULL),
			 0);
	a = answer_load(file, &err);
	assert_non_null(a);
	assert_int_equal(answer_drivers(a)->len, 2);
	assert_string_equal(answer_drivers(a)->items[0], net);
	assert_string_equal(answer_drivers(a)->items[1], drivers);
	text = text_of(a);
	assert_null(strstr(text, "offlineServicing"));
	assert_null(strstr(text, "DriverPaths"));
	assert_non_null(strstr(text, "specialize"));
}

static void driver_paths_of_windows_are_refused(void **state _unused_)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{OFFLINE(COMPONENT(PNP, DRIVER_PATH("\\\\server\\share"))),
		 "on a network share"},
		{OFFLINE(COMPONENT(PNP, DRIVER_PATH("//server/share"))),
		 "on a network share"},
		{OFFLINE(COMPONENT(PNP, DRIVER_PATH("C:\\drivers"))), "a drive letter"},
		{OFFLINE(COMPONENT(PNP, DRIVER_PATH("%SystemDrive%\\drivers"))),
		 "a variable"},
		{OFFLINE(COMPONENT(PNP, DRIVER_PATH(""))), "is empty"},
		{OFFLINE(COMPONENT(PNP, DRIVER_PATH("nowhere"))),
		 "./nowhere is not there"},
		{OFFLINE(COMPONENT(
			 PNP, "<DriverPaths><PathAndCredentials><Path>.</Path>\n"
			      "<Credentials><Password>s3cret</Password></Credentials>"
			      "</PathAndCredentials></DriverPaths>")),
		 "has credentials"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i].text, i == 6 ? "a.xml:6" : "a.xml:5",
			       cases[i].reason);
}

static void what_only_dism_does_is_refused(void **state _unused_)
{
	assert_refused(HEAD "<servicing>\n<package action=\"install\"/></servicing>" TAIL,
		       "a.xml:4", "packages are serviced by Windows Setup or DISM only");
	assert_refused(OFFLINE(COMPONENT(SHELL, "<OfflineUserAccounts/>")), "a.xml:5",
		       "OfflineUserAccounts of " SHELL);
	assert_refused(OFFLINE(COMPONENT("Microsoft-Windows-PartitionManager",
					 "<SanPolicy>1</SanPolicy>")),
		       "a.xml:5", "SanPolicy");
	assert_refused(OFFLINE(COMPONENT("Contoso-Thing", "<A>s3cret</A>")), "a.xml:5",
		       "A of Contoso-Thing");
	assert_refused(OFFLINE(COMPONENT("Microsoft-Windows-LUA-Settings",
					 "<EnableLUA>maybe</EnableLUA>")),
		       "a.xml:5", "neither true nor false");
}

#define JOIN                                                                     \
	COMPONENT("Microsoft-Windows-UnattendedJoin",                            \
		  "<OfflineIdentification><Provisioning><AccountData>ARAIAMzM</" \
		  "AccountData>"                                                 \
		  "</Provisioning></OfflineIdentification>")

static void a_join_blob_moves_to_specialize(void **state _unused_)
{
	_cleanup_answer_ struct answer *a = parsed(
		HEAD PASS("offlineServicing",
			  JOIN COMPONENT(SHELL, "<ComputerName>x</ComputerName>"))
			PASS("specialize", COMPONENT(SHELL, "<TimeZone>UTC</TimeZone>"))
				TAIL);
	_cleanup_answer_ struct answer *again = NULL;
	_cleanup_free_ char *text = text_of(a);
	const char *specialize = strstr(text, "specialize");

	assert_null(strstr(text, "offlineServicing"));
	assert_null(strstr(text, "OfflineIdentification"));
	assert_non_null(specialize);
	assert_non_null(strstr(specialize, "<Identification><Provisioning>"
					   "<AccountData>ARAIAMzM</AccountData>"));
	assert_non_null(strstr(specialize, "<ComputerName>x</ComputerName>"));
	/* It went to the component that was there. */
	assert_null(strstr(strstr(specialize, SHELL) + 1, SHELL));
	again = parsed(text);
	assert_warns(text, &windows10, "");
	assert_refused(HEAD PASS("offlineServicing", JOIN) PASS(
			       "specialize", COMPONENT("Microsoft-Windows-UnattendedJoin",
						       "<Identification/>")) TAIL,
		       "a.xml:5", "in the passes offlineServicing and specialize");
}

static void a_specialize_pass_is_made(void **state _unused_)
{
	_cleanup_answer_ struct answer *a =
		parsed(HEAD PASS("offlineServicing", JOIN) TAIL);
	_cleanup_free_ char *text = text_of(a);

	assert_non_null(strstr(text, "<settings pass=\"specialize\"><component "
				     "name=\"Microsoft-Windows-UnattendedJoin\" "
				     "processorArchitecture=\"amd64\""));
	assert_warns(text, &windows10, "");
}

/* ---- staging -----------------------------------------------------------------------
 */

static char *read_tree(struct tree *tree, const char *path)
{
	struct buffer b = BUFFER_INIT;

	assert_int_equal(tree_read(tree, path, 1 << 20, &b, NULL), 0);
	return buffer_steal_string(&b);
}

static bool has_line(const struct strings *lines, const char *part)
{
	vec_foreach (line, lines)
		if (strstr(*line, part))
			return true;
	return false;
}

static void what_ranks_before_is_removed(void **state _unused_)
{
	static const char xml[] =
		HEAD PASS("offlineServicing", COMPONENT("Microsoft-Windows-LUA-Settings",
							"<EnableLUA>false</EnableLUA>"))
			PASS("specialize", COMPONENT(SHELL, "<TimeZone>UTC</TimeZone>"))
				TAIL;
	struct sample *s = sample_make();
	_cleanup_answer_ struct answer *a = parsed(xml);
	_cleanup_answer_report_ struct answer_report report = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *got = NULL, *want = text_of(a), *left = NULL;
	struct opened o;
	struct hive *h;
	uint32_t lua = 9;

	set_text(s->system, "Setup", "UnattendFile", "C:\\other.xml");
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion\\Time Zones\\UTC",
		 "Display", "UTC");
	put_text(s, "Windows/Panther/unattend/Unattend.xml", "<old/>");
	put_text(s, "Windows/Panther/unattend/autounattend.xml", "<old/>");
	put_text(s, "Windows/Panther/Unattend.XML", "<old/>");
	put_text(s, "Windows/System32/Sysprep/unattend.xml", "<old/>");
	o = sample_open(s);
	if (answer_stage(a, o.tree, o.registry, &windows10, &report, &err) < 0)
		fail_msg("%s: %s", err.subject, err.reason);
	got = read_tree(o.tree, ANSWER_PATH);
	assert_string_equal(got, want);
	assert_int_equal(
		tree_stat(o.tree, "Windows/Panther/Unattend/Unattend.xml", NULL, NULL),
		0);
	assert_int_equal(tree_stat(o.tree, "Windows/Panther/Unattend/Autounattend.xml",
				   NULL, NULL),
			 0);
	h = registry_hive(o.registry, REGISTRY_SYSTEM, NULL);
	left = hive_get_string(h, hive_find(h, hive_root(h), "Setup"), "UnattendFile");
	assert_null(left);
	h = registry_hive(o.registry, REGISTRY_SOFTWARE, NULL);
	assert_true(hive_get_dword(
		h,
		hive_find(h, hive_root(h),
			  "Microsoft\\Windows\\CurrentVersion\\Policies\\System"),
		"EnableLUA", &lua));
	assert_int_equal(lua, 0);
	assert_true(has_line(&report.actions, "removed UnattendFile"));
	assert_true(has_line(&report.actions, "Unattend/Autounattend.xml"));
	assert_true(has_line(&report.actions, "replaced " ANSWER_PATH));
	assert_true(has_line(&report.actions, "offlineServicing is done"));
	assert_true(has_line(&report.warnings, "Sysprep/Unattend.xml is left"));
	assert_false(has_line(&report.warnings, "setup is complete"));
	sample_close(&o);
	sample_free(s);
}

static void time_zones_are_those_of_the_image(void **state _unused_)
{
	struct sample *s = sample_make();
	_cleanup_answer_ struct answer *bad = parsed(
		HEAD PASS("oobeSystem",
			  COMPONENT(SHELL, "<TimeZone>Europe/Berlin</TimeZone>")) TAIL);
	_cleanup_answer_ struct answer *good = parsed(HEAD PASS(
		"oobeSystem", COMPONENT(SHELL, "<TimeZone>UTC_dstoff</TimeZone>")) TAIL);
	_cleanup_answer_report_ struct answer_report report = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct opened o;

	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion\\Time Zones\\UTC",
		 "Display", "UTC");
	set_text(s->software, "Microsoft\\Windows\\CurrentVersion\\Setup\\State",
		 "ImageState", "IMAGE_STATE_COMPLETE");
	o = sample_open(s);
	assert_int_equal(answer_stage(bad, o.tree, o.registry, &windows10, &report, &err),
			 -1);
	assert_string_equal(err.subject, "a.xml:5");
	assert_int_equal(tree_stat(o.tree, ANSWER_PATH, NULL, NULL), 0);
	assert_int_equal(
		answer_stage(good, o.tree, o.registry, &windows10, &report, &err), 0);
	assert_true(has_line(&report.warnings, "setup is complete"));
	sample_close(&o);
	sample_free(s);
}

/* ---- generation --------------------------------------------------------------------
 */

static struct answer *generated(const struct answer_options *options,
				const struct target *target)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct answer *a = answer_generate(options, target, &err);

	if (!a)
		fail_msg("%s: %s", err.subject, err.reason);
	return a;
}

/* The independent judge: what xmllint finds at an XPath of local names. */
static char *xpath(const struct answer *answer, const char *path)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *file = xasprintf("%s/a.xml", folder);
	_cleanup_free_ char *command = NULL;
	struct buffer expression = BUFFER_INIT, out = BUFFER_INIT;
	FILE *pipe;

	assert_int_equal(file_replace(file, answer_text(answer), NULL), 0);
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		buffer_printf(&expression, "//*[local-name()=\"%.*s\" or @pass=\"%.*s\"]",
			      (int)len, p, (int)len, p);
		p += len + (p[len] == '/');
	}
	buffer_append(&expression, "", 1);
	command = xasprintf("xmllint --nonet --xpath 'string(%s)' %s",
			    (const char *)expression.data, file);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(file_read_all(fileno(pipe), "xmllint", 1 << 16, &out, NULL), 0);
	assert_int_equal(pclose(pipe), 0);
	buffer_free(&expression);
	while (out.len && out.data[out.len - 1] == '\n')
		out.len--;
	return buffer_steal_string(&out);
}

static void assert_xpath(const struct answer *answer, const char *path, const char *want)
{
	_cleanup_free_ char *got = xpath(answer, path);

	if (strcmp(got, want) != 0)
		fail_msg("%s is \"%s\", not \"%s\"", path, got, want);
}

static void need_xmllint(void)
{
	if (system("command -v xmllint >/dev/null") != 0) {
		print_message("# xmllint is not installed\n");
		skip();
	}
}

static const struct answer_options all_options = {
	.user = "J\xc3\xb6rg & 'Co'",
	.password = "p<\"&>\xe2\x82\xac",
	.computer_name = "PC-01",
	.locale = "de-DE",
	.keyboard = "0407:00000407",
	.time_zone = "W. Europe Standard Time",
	.product_key = "VK7JG-NPHTM-C97JM-9MPGT-3V66T",
	.extend = true,
};

static void the_common_case_is_written(void **state _unused_)
{
	_cleanup_answer_ struct answer *a = generated(&all_options, &windows10);
	_cleanup_answer_ struct answer *b = generated(&all_options, &windows10);
	_cleanup_free_ char *text = text_of(a);

	need_xmllint();
	assert_xpath(a, "specialize/ComputerName", "PC-01");
	assert_xpath(a, "specialize/Extend", "true");
	assert_xpath(a, "specialize/TimeZone", "W. Europe Standard Time");
	assert_xpath(a, "specialize/ProductKey", "VK7JG-NPHTM-C97JM-9MPGT-3V66T");
	assert_xpath(a, "oobeSystem/InputLocale", "0407:00000407");
	assert_xpath(a, "oobeSystem/UILanguage", "de-DE");
	assert_xpath(a, "oobeSystem/HideEULAPage", "true");
	assert_xpath(a, "oobeSystem/HideOnlineAccountScreens", "true");
	assert_xpath(a, "oobeSystem/NetworkLocation", "");
	assert_xpath(a, "oobeSystem/ProtectYourPC", "3");
	assert_xpath(a, "LocalAccount/Name", "J\xc3\xb6rg & 'Co'");
	assert_xpath(a, "LocalAccount/Group", "Administrators");
	/* base64 of "p<\"&>€Password" in UTF-16LE, from another program. */
	assert_xpath(a, "LocalAccount/Value", "cAA8ACIAJgA+AKwgUABhAHMAcwB3AG8AcgBkAA==");
	assert_xpath(a, "LocalAccount/PlainText", "false");
	assert_null(strstr(text, "SkipMachineOOBE"));
	assert_true(bytes_equal(answer_text(a), answer_text(b)));
	assert_warns(text, &windows10, "");
}

static void each_windows_gets_what_it_knows(void **state _unused_)
{
	struct target seven = {.arch = ARCH_X86,
			       .major = 6,
			       .minor = 1,
			       .build = 7601,
			       .product = PRODUCT_CLIENT};
	struct target server = {.arch = ARCH_ARM64,
				.major = 10,
				.build = 26100,
				.product = PRODUCT_SERVER};
	struct answer_options none = {0},
			      admin = {.user = "administrator", .password = "x"};
	_cleanup_answer_ struct answer *a = generated(&all_options, &seven);
	_cleanup_answer_ struct answer *b = generated(&all_options, &server);
	_cleanup_answer_ struct answer *c = generated(&admin, &windows10);
	_cleanup_answer_ struct answer *d = generated(&none, &windows10);
	_cleanup_free_ char *text = text_of(a);

	need_xmllint();
	assert_xpath(a, "oobeSystem/NetworkLocation", "Work");
	assert_xpath(a, "oobeSystem/HideOnlineAccountScreens", "");
	assert_non_null(strstr(text, "processorArchitecture=\"x86\""));
	assert_null(strstr(text, "amd64"));
	assert_xpath(a, "AdministratorPassword/Value", "");
	assert_xpath(b, "LocalAccount/Name", "J\xc3\xb6rg & 'Co'");
	assert_xpath(b, "AdministratorPassword/Value",
		     "cAA8ACIAJgA+AKwgQQBkAG0AaQBuAGkAcwB0AHIAYQB0AG8AcgBQAGEAcwBzAHcA"
		     "bwByAGQA");
	assert_xpath(c, "oobeSystem/LocalAccount", "");
	assert_xpath(c, "AdministratorPassword/PlainText", "false");
	assert_xpath(d, "specialize", "");
	assert_xpath(d, "oobeSystem/HideOnlineAccountScreens", "");
	assert_xpath(d, "oobeSystem/HideEULAPage", "true");
}

static void assert_option(struct answer_options o, const char *option)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (answer_generate(&o, &windows10, &err))
		fail_msg("%s was not refused", option);
	assert_string_equal(err.subject, option);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_non_null(err.remedy);
	assert_null(strstr(err.reason, "s3cret"));
}

#define OPTION(...) ((struct answer_options){__VA_ARGS__})

static void options_that_windows_rejects(void **state _unused_)
{
	struct target vista = {.arch = ARCH_X86, .major = 6};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct answer_options none = {0};

	assert_option(OPTION(.user = ""), "--user");
	assert_option(OPTION(.user = "a<b"), "--user");
	assert_option(OPTION(.user = "a\"b"), "--user");
	assert_option(OPTION(.user = "a\nb"), "--user");
	assert_option(OPTION(.user = "..."), "--user");
	assert_option(OPTION(.user = "\xff"), "--user");
	assert_option(OPTION(.user = "a name of more than twenty"), "--user");
	assert_option(OPTION(.password = "s3cret"), "--password");
	assert_option(OPTION(.user = "a", .password = "s3cret\n"), "--password");
	assert_option(OPTION(.computer_name = "a b"), "--computer-name");
	assert_option(OPTION(.computer_name = "1234"), "--computer-name");
	assert_option(OPTION(.computer_name = "sixteen-letters-"), "--computer-name");
	assert_option(OPTION(.locale = "german"), "--locale");
	assert_option(OPTION(.locale = "de_DE"), "--locale");
	assert_option(OPTION(.locale = "de-"), "--locale");
	assert_option(OPTION(.keyboard = "<x/>"), "--keyboard");
	assert_option(OPTION(.time_zone = ""), "--time-zone");
	assert_option(OPTION(.product_key = "VK7JG-NPHTM-C97JM-9MPGT-3V66"),
		      "--product-key");
	assert_option(OPTION(.product_key = "VK7JG-NPHTM-C97JM-9MPGT-3V66TT"),
		      "--product-key");
	assert_null(answer_generate(&none, &vista, &err));
	assert_string_equal(err.subject, "--answer=auto");
}

static void passwords_come_from_files(void **state _unused_)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *file = xasprintf("%s/p", folder), *got = NULL, *empty = NULL;
	_cleanup_free_ char *argument = xasprintf("@%s", file);
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(
		file_replace(file, (struct bytes){(const uint8_t *)"a b\r\nc", 6}, NULL),
		0);
	got = answer_password(argument, &err);
	assert_string_equal(got, "a b");
	assert_int_equal(file_replace(file, (struct bytes){NULL, 0}, NULL), 0);
	empty = answer_password(argument, &err);
	assert_string_equal(empty, "");
	assert_null(answer_password("s3cret", &err));
	assert_int_equal(err.code, ERROR_USAGE);
	assert_null(strstr(err.reason, "s3cret"));
	assert_null(answer_password("@/nowhere/p", &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_answer_file),
		cmocka_unit_test(hostile_xml_is_refused),
		cmocka_unit_test(large_files_are_not_read),
		cmocka_unit_test(an_untouched_file_keeps_its_bytes),
		cmocka_unit_test(what_is_unknown_is_a_warning),
		cmocka_unit_test(another_architecture_is_refused),
		cmocka_unit_test(driver_paths_are_collected),
		cmocka_unit_test(driver_paths_of_windows_are_refused),
		cmocka_unit_test(what_only_dism_does_is_refused),
		cmocka_unit_test(a_join_blob_moves_to_specialize),
		cmocka_unit_test(a_specialize_pass_is_made),
		cmocka_unit_test(what_ranks_before_is_removed),
		cmocka_unit_test(time_zones_are_those_of_the_image),
		cmocka_unit_test(the_common_case_is_written),
		cmocka_unit_test(each_windows_gets_what_it_knows),
		cmocka_unit_test(options_that_windows_rejects),
		cmocka_unit_test(passwords_come_from_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
