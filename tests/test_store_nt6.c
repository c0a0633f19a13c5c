/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packages into Vista and 7 on a small Windows in memory: what is written, which package
 * serves a device, what is refused, and that removing gives back what was there.
 */
#include "store_fixture.h"

#include "base/text.h"
#include "injector/nt6.h"

#define CDDB "ControlSet001\\Control\\CriticalDeviceDatabase\\"
#define DEVICE "PCI#VEN_1234&DEV_0001"
#define VERSION_KEY "Microsoft\\Windows\\CurrentVersion"

#define HEAD(class, guid, version)                                                \
	"[Version]\r\nSignature=\"$Windows NT$\"\r\nClass=" class                 \
		"\r\nClassGuid=" guid "\r\nProvider=Vendor\r\nDriverVer=" version \
		"\r\nCatalogFile=x.cat\r\n[SourceDisksNames]\r\n1=disk\r\n"       \
		"[SourceDisksFiles]\r\nst.sys=1\r\n"                              \
		"[DestinationDirs]\r\nDefaultDestDir=12\r\n"                      \
		"[Manufacturer]\r\nVendor=M,NTamd64\r\n[Strings]\r\nS=\"A service\"\r\n"
#define SERVICE(name, start)                                                            \
	"[I.NT.Services]\r\nAddService=" name ",2,svc,log\r\n[svc]\r\n"                 \
	"DisplayName=%S%\r\nServiceType=1\r\nStartType=" start "\r\nErrorControl=1\r\n" \
	"ServiceBinary=%12%\\st.sys\r\nLoadOrderGroup=SCSI Miniport\r\n"                \
	"AddReg=svc_reg\r\n[svc_reg]\r\nHKR,Parameters,BusType,0x10001,8\r\n"           \
	"[log]\r\nAddReg=log_reg\r\n[log_reg]\r\nHKR,,TypesSupported,0x10001,7\r\n"
#define STORAGE(version)                                                      \
	HEAD("SCSIAdapter", SCSI, version)                                    \
	"[M.NTamd64]\r\nA=I,PCI\\VEN_1234&DEV_0001,PCI\\VEN_1234&CC_0107\r\n" \
	"B=None,PCI\\VEN_1234&DEV_0009\r\n[None]\r\n"                         \
	"[I.NT]\r\nCopyFiles=@st.sys\r\n"                                     \
	"[I.NT.HW]\r\nAddReg=hw\r\n[hw]\r\nHKR,,UpperFilters,0x10000,upper1," \
	"upper2\r\n" SERVICE("st", "0")
#define NETWORK                                                                 \
	HEAD("Net", NET, "01/02/2020,1.0.0.0")                                  \
	"[M.NTamd64]\r\nA=I,PCI\\VEN_1234&DEV_0002\r\n[I.NT]\r\nCopyFiles=@st." \
	"sys\r\n" SERVICE("sn", "3")

/* 64-bit Windows 7 with two control sets and one inbox miniport. */
static struct sample *seven(void)
{
	struct sample *s = sample_make_seven();
	struct hive *h = s->system;

	set_bytes(s->software, VERSION_KEY, "DevicePath", REG_EXPAND_SZ,
		  u"%SystemRoot%\\inf", sizeof(u"%SystemRoot%\\inf"));
	set_text(h, CDDB "PCI#CC_010601", "Service", "msahci");
	set_text(h, CDDB "PCI#CC_010601", "ClassGUID", HDC);
	return s;
}

#define AMD64 0x8664

static struct package *add(struct fixture *f, const char *name, const char *inf,
			   uint8_t mark)
{
	return fixture_add(f, name, inf, AMD64, mark, true);
}

static char *text_at(struct hive *hive, const char *path, const char *name)
{
	hkey key = hive_find(hive, hive_root(hive), path);

	return key ? hive_get_string(hive, key, name) : NULL;
}

static bool has_key(struct hive *hive, const char *path)
{
	return hive_find(hive, hive_root(hive), path) != 0;
}

static bool has_file(struct fixture *f, const char *path)
{
	return tree_stat(f->o.tree, path, NULL, NULL) > 0;
}

static uint8_t mark_of(struct fixture *f, const char *path)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	assert_int_equal(tree_read(f->o.tree, path, 4096, &data, NULL), 0);
	return data.data[data.len - 1];
}

static struct removal take_out(struct fixture *f, const char *name)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct removal removal = {0};

	if (store_remove(f->store, name, &removal, &err) < 0)
		fail_msg("%s", err.reason);
	return removal;
}

/* ---- adding ------------------------------------------------------------------------ */

static void test_boot_critical(void **state _unused_)
{
	static const char *const sets[] = {"ControlSet001", "ControlSet002"};
	struct fixture f = {0};
	struct package *package;
	struct hive *system, *software;

	fixture_open(&f, seven());
	system = f.store->system;
	software = f.store->software;
	package = add(&f, "Stor.inf", STORAGE("01/02/2020,1.0.0.0"), 1);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_true(package->boot_critical);
	/* oem0.inf and oem1.inf are Windows' own. */
	assert_string_equal(package->published, "oem2.inf");
	assert_non_null(strstr(package->store, "stor.inf_amd64_neutral_"));
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		_cleanup_free_ char *service = xasprintf("%s\\Services\\st", sets[i]);
		_cleanup_free_ char *entry = critical_device_path(sets[i], DEVICE);
		_cleanup_free_ char *compatible =
			critical_device_path(sets[i], "PCI\\VEN_1234&CC_0107");
		_cleanup_free_ char *none =
			critical_device_path(sets[i], "PCI\\VEN_1234&DEV_0009");
		hkey key = hive_find(system, hive_root(system), service);
		_cleanup_(strings_free) struct strings filters = VEC_INIT;
		uint32_t v;

		assert_text(system, service, "ImagePath", "System32\\drivers\\st.sys");
		/* As Windows 7 keeps it: the text, no owner, no tag that the INF does not
		 * give. */
		assert_text(system, service, "DisplayName", "A service");
		assert_false(hive_get_strings(system, key, "Owners", &filters));
		assert_false(hive_get_dword(system, key, "Tag", &v));
		assert_true(hive_get_dword(system, key, "Start", &v) && v == 0);
		assert_text(system, entry, "Service", "st");
		assert_text(system, entry, "ClassGUID",
			    "{4D36E97B-E325-11CE-BFC1-08002BE10318}");
		assert_null(text_at(system, entry, "DriverPackageId"));
		key = hive_find(system, hive_root(system), entry);
		assert_true(hive_get_strings(system, key, "UpperFilters", &filters));
		assert_int_equal(filters.len, 2);
		assert_text(system, compatible, "Service", "st");
		/* A section without a service has no entry. */
		assert_false(has_key(system, none));
	}
	assert_true(has_file(&f, "Windows/System32/drivers/st.sys"));
	assert_true(has_file(&f, "Windows/Drivers/oem2_Stor/Stor.inf"));
	assert_false(has_file(&f, "Windows/INF/oem2.inf"));
	assert_text(software, VERSION_KEY, "DevicePath",
		    "%SystemRoot%\\inf;%SystemRoot%\\Drivers\\oem2_Stor");
	assert_text(software, VERSION_KEY "\\RunOnce", "gild oem2.inf",
		    "%SystemRoot%\\System32\\pnputil.exe -i -a "
		    "\"%SystemRoot%\\Drivers\\oem2_Stor\\Stor.inf\"");
	fixture_close(&f);
}

static void test_others_wait(void **state _unused_)
{
	struct fixture f = {0};
	struct package *package;

	fixture_open(&f, seven());
	package = add(&f, "net.inf", NETWORK, 1);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_false(package->boot_critical);
	assert_true(has_file(&f, "Windows/Drivers/oem2_net/st.sys"));
	assert_false(has_file(&f, "Windows/System32/drivers/st.sys"));
	assert_false(has_key(f.store->system, "ControlSet001\\Services\\sn"));
	assert_false(has_key(f.store->system, CDDB "PCI#VEN_1234&DEV_0002"));
	fixture_close(&f);
}

static void test_again(void **state _unused_)
{
	struct fixture f = {0};
	struct package *package;
	size_t changes;

	fixture_open(&f, seven());
	add(&f, "stor.inf", STORAGE("01/02/2020,1.0.0.0"), 1);
	changes = hive_changes(f.store->system)->len;
	package = add(&f, "stor.inf", STORAGE("01/02/2020,1.0.0.0"), 1);
	assert_int_equal(package->verdict, PACKAGE_ALREADY);
	assert_string_equal(package->published, "oem2.inf");
	assert_int_equal(hive_changes(f.store->system)->len, changes);
	/* Something is taken away: it is repaired, under the same name. */
	assert_int_equal(critical_device_remove(f.store->system, "ControlSet002",
						"PCI\\VEN_1234&CC_0107", NULL),
			 1);
	package = add(&f, "stor.inf", STORAGE("01/02/2020,1.0.0.0"), 1);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_non_null(strstr(package->reason, "repaired"));
	assert_string_equal(package->published, "oem2.inf");
	fixture_close(&f);
}

static void test_published_by_windows(void **state _unused_)
{
	struct fixture f = {0};
	struct sample *s = seven();
	struct package *package;

	put_text(s, "Windows/INF/oem7.inf", NETWORK);
	fixture_open(&f, s);
	package = add(&f, "net.inf", NETWORK, 1);
	assert_int_equal(package->verdict, PACKAGE_ALREADY);
	assert_string_equal(package->published, "oem7.inf");
	assert_false(has_file(&f, "Windows/Drivers"));
	fixture_close(&f);
}

static void test_rank(void **state _unused_)
{
	struct fixture f = {0};
	struct sample *s = seven();
	struct package *package;

	/* An inbox driver of 2015 serves both IDs. */
	put_text(s, "Windows/INF/inbox.inf",
		 "[Version]\r\nSignature=\"$Windows NT$\"\r\n"
		 "DriverVer=06/01/2015,6.1.7601.1\r\n");
	set_text(s->system, CDDB DEVICE, "Service", "inbox");
	set_text(s->system, CDDB DEVICE, "DriverPackageId", "inbox.inf_amd64_neutral_0");
	set_text(s->system, CDDB "PCI#VEN_1234&CC_0107", "Service", "inbox");
	set_text(s->system, CDDB "PCI#VEN_1234&CC_0107", "DriverPackageId",
		 "inbox.inf_amd64_neutral_0");
	fixture_open(&f, s);
	package = add(&f, "old.inf", STORAGE("01/02/2012,1.0.0.0"), 1);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_text(f.store->system, CDDB DEVICE, "Service", "inbox");
	assert_false(has_key(f.store->system, "ControlSet001\\Services\\st"));
	add(&f, "new.inf", STORAGE("01/02/2020,1.0.0.0"), 2);
	assert_text(f.store->system, CDDB DEVICE, "Service", "st");
	assert_null(text_at(f.store->system, CDDB DEVICE, "DriverPackageId"));
	fixture_close(&f);
}

/* ---- signatures -------------------------------------------------------------------- */

static void check_sha2(const char *update, uint32_t state, enum package_verdict boot)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct fixture f = {0};
	struct sample *s = seven();
	struct package *package;

	if (update) {
		_cleanup_free_ char *key = xasprintf(
			VERSION_KEY "\\Component Based Servicing\\Packages\\%s", update);

		set_number(s->software, key, "CurrentState", state);
	}
	fixture_open(&f, s);
	package = fixture_package(&f, "stor.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64, 1,
				  true);
	package->signature.verdict = SIGNATURE_VALID;
	package->signature.sha2 = true;
	assert_int_equal(store_add(f.store, package, false, &err), 0);
	assert_int_equal(package->verdict, boot);
	if (boot == PACKAGE_REFUSED) {
		assert_non_null(strstr(package->reason, "KB3033929"));
		assert_false(has_file(&f, "Windows/Drivers"));
	}
	/* What is not started from is only remarked. */
	package = fixture_package(&f, "net.inf", NETWORK, AMD64, 1, true);
	package->signature.verdict = SIGNATURE_VALID;
	package->signature.sha2 = true;
	assert_int_equal(store_add(f.store, package, false, &err), 0);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	fixture_close(&f);
}

static void test_sha2(void **state _unused_)
{
	check_sha2(NULL, 0, PACKAGE_REFUSED);
	check_sha2("Package_for_KB3033929~31bf3856ad364e35~amd64~~6.1.1.1", 0x70,
		   PACKAGE_ADDED);
	check_sha2("Package_for_KB3033929~31bf3856ad364e35~amd64~~6.1.1.1", 0x40,
		   PACKAGE_REFUSED);
	check_sha2("Package_for_KB30339290~31bf3856ad364e35~amd64~~6.1.1.1", 0x70,
		   PACKAGE_REFUSED);
	check_sha2("Package_for_RollupFix~31bf3856ad364e35~amd64~~7601.24384.1.5", 0x70,
		   PACKAGE_ADDED);
}

/* ---- removing ---------------------------------------------------------------------- */

static void test_remove_gives_back(void **state _unused_)
{
	struct fixture f = {0};
	struct sample *s = seven();
	struct removal removal;

	/* The package takes over an inbox service, its file and its entry. */
	set_text(s->system, "ControlSet001\\Services\\st", "ImagePath",
		 "system32\\drivers\\st.sys");
	set_number(s->system, "ControlSet001\\Services\\st", "Start", 3);
	set_number(s->system, "ControlSet001\\Services\\st\\Parameters", "Old", 1);
	set_text(s->system, CDDB DEVICE, "Service", "inbox");
	put_text(s, "Windows/System32/drivers/st.sys", "inbox");
	fixture_open(&f, s);
	add(&f, "stor.inf", STORAGE("01/02/2020,1.0.0.0"), 1);
	assert_int_equal(mark_of(&f, "Windows/System32/drivers/st.sys"), 1);
	assert_true(has_file(
		&f, "Windows/Drivers/oem2_stor.before/Windows/System32/drivers/st.sys"));
	removal = take_out(&f, "oem2.inf");
	assert_int_equal(removal.verdict, PACKAGE_ADDED);
	assert_true(removal.boot_critical);
	/* In the second set there had been none. */
	assert_int_equal(removal.services.len, 1);
	removal_free(&removal);
	assert_int_equal(mark_of(&f, "Windows/System32/drivers/st.sys"), 'x');
	assert_text(f.store->system, "ControlSet001\\Services\\st", "ImagePath",
		    "system32\\drivers\\st.sys");
	assert_true(has_key(f.store->system, "ControlSet001\\Services\\st\\Parameters"));
	assert_text(f.store->system, CDDB DEVICE, "Service", "inbox");
	assert_false(has_key(f.store->system, "ControlSet002\\Services\\st"));
	assert_false(has_key(f.store->system, CDDB "PCI#VEN_1234&CC_0107"));
	assert_false(has_key(f.store->system,
			     "ControlSet001\\Services\\EventLog\\System\\st"));
	assert_false(has_file(&f, "Windows/Drivers"));
	assert_false(has_key(f.store->software, "gild"));
	assert_text(f.store->software, VERSION_KEY, "DevicePath", "%SystemRoot%\\inf");
	assert_null(text_at(f.store->software, VERSION_KEY "\\RunOnce", "gild oem2.inf"));
	fixture_close(&f);
}

/* Two versions one over the other, the lower one removed first. */
static void test_remove_below(void **state _unused_)
{
	struct fixture f = {0};
	struct removal removal;

	fixture_open(&f, seven());
	add(&f, "stor.inf", STORAGE("01/02/2020,1.0.0.0"), 1);
	add(&f, "stor.inf", STORAGE("01/02/2021,1.1.0.0"), 2);
	removal = take_out(&f, "oem2.inf");
	assert_int_equal(removal.verdict, PACKAGE_ADDED);
	assert_int_equal(removal.services.len, 0);
	removal_free(&removal);
	assert_int_equal(mark_of(&f, "Windows/System32/drivers/st.sys"), 2);
	assert_text(f.store->system, CDDB DEVICE, "Service", "st");
	removal = take_out(&f, "oem3.inf");
	assert_int_equal(removal.verdict, PACKAGE_ADDED);
	removal_free(&removal);
	assert_false(has_file(&f, "Windows/System32/drivers/st.sys"));
	assert_false(has_key(f.store->system, CDDB DEVICE));
	assert_false(has_key(f.store->system, "ControlSet001\\Services\\st"));
	fixture_close(&f);
}

/* The better one goes: the other, which had stood back, serves the device. */
static void test_remove_promotes(void **state _unused_)
{
	struct fixture f = {0};
	struct package *older;
	struct removal removal;

	fixture_open(&f, seven());
	add(&f, "stor.inf", STORAGE("01/02/2021,1.1.0.0"), 2);
	older = add(&f, "stor.inf", STORAGE("01/02/2020,1.0.0.0"), 1);
	assert_string_equal(older->published, "oem3.inf");
	assert_int_equal(mark_of(&f, "Windows/System32/drivers/st.sys"), 2);
	removal = take_out(&f, "oem2.inf");
	assert_int_equal(removal.verdict, PACKAGE_ADDED);
	assert_true(removal.remarks.len >= 2);
	removal_free(&removal);
	assert_int_equal(mark_of(&f, "Windows/System32/drivers/st.sys"), 1);
	assert_text(f.store->system, CDDB DEVICE, "Service", "st");
	fixture_close(&f);
}

static void assert_refused(struct fixture *f, const char *name, const char *why)
{
	struct removal removal = take_out(f, name);

	assert_int_equal(removal.verdict, PACKAGE_REFUSED);
	if (!strstr(removal.reason, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", name, removal.reason, why);
	removal_free(&removal);
}

static void test_remove_refuses(void **state _unused_)
{
	struct fixture f = {0};
	struct sample *s = seven();
	struct removal removal;
	struct package *package;

	put_text(s, "Windows/INF/disk.inf", "inbox");
	fixture_open(&f, s);
	assert_refused(&f, "oem0.inf", "pnputil -d oem0.inf");
	assert_refused(&f, "disk.inf", "inbox");
	assert_refused(&f, "oem9.inf", "no such package");
	assert_refused(&f, "../x.inf", "no such package");
	/* Windows has imported something as oem2.inf since. */
	package = add(&f, "net.inf", NETWORK, 1);
	assert_int_equal(tree_write(f.o.tree, "Windows/INF/oem2.inf",
				    (struct bytes){(const uint8_t *)"other", 5}, 0, NULL),
			 0);
	assert_refused(&f, "oem2.inf", package->store);
	removal = take_out(&f, package->store);
	assert_int_equal(removal.verdict, PACKAGE_ADDED);
	removal_free(&removal);
	assert_true(has_file(&f, "Windows/INF/oem2.inf"));
	fixture_close(&f);
}

/* A record that leads elsewhere is none: nothing outside is touched. */
static void test_hostile_record(void **state _unused_)
{
	static const char *const folders[] = {"Windows/System32", "Windows/Drivers/../x",
					      "Windows/Drivers/a/b", ""};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		struct fixture f = {0};
		struct sample *s = seven();

		set_text(s->software, "gild\\Drivers\\oem5.inf", "", "x.inf_amd64_0");
		set_text(s->software, "gild\\Drivers\\oem5.inf", "InfName", "x.inf");
		set_text(s->software, "gild\\Drivers\\oem5.inf", "Folder", folders[i]);
		fixture_open(&f, s);
		assert_refused(&f, "oem5.inf", "no such package");
		fixture_close(&f);
	}
}

static void test_itanium(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct sample *s = seven();
	struct opened o;
	struct installation *in;

	set_text(s->system, "ControlSet001\\Control\\Session Manager\\Environment",
		 "PROCESSOR_ARCHITECTURE", "IA64");
	o = sample_open(s);
	in = installation_identify(o.tree, o.registry, &err);
	assert_non_null(in);
	assert_null(store_open(o.tree, o.registry, in, &err));
	assert_int_equal(err.code, ERROR_USAGE);
	installation_close(in);
	sample_close(&o);
	sample_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot_critical),
		cmocka_unit_test(test_others_wait),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_published_by_windows),
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_sha2),
		cmocka_unit_test(test_remove_gives_back),
		cmocka_unit_test(test_remove_below),
		cmocka_unit_test(test_remove_promotes),
		cmocka_unit_test(test_remove_refuses),
		cmocka_unit_test(test_hostile_record),
		cmocka_unit_test(test_itanium),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
