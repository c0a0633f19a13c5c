/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver store on a small Windows in memory: what staging and reflecting write, that
 * a second time changes nothing, what ranks, and that removing leaves nothing behind.
 */
#include "store_fixture.h"

#include <stdio.h>

#include "base/text.h"
#include "registry/regfile.h"

static char *hex(const struct buffer *b)
{
	struct buffer text = BUFFER_INIT;

	for (size_t i = 0; i < b->len; i++)
		buffer_printf(&text, "%02x", b->data[i]);
	return buffer_steal_string(&text);
}

/* ---- packages for the sample ------------------------------------------------------- */

#define INF_HEAD(class, guid, version)                                                   \
	"[Version]\r\nSignature=\"$WINDOWS NT$\"\r\nClass=" class                        \
		"\r\nClassGuid=" guid "\r\nProvider=%V%\r\nDriverVer=" version           \
		"\r\nCatalogFile=x.cat\r\n"                                              \
		"PnpLockdown=1\r\n"                                                      \
		"[SourceDisksNames]\r\n1=\"disk\"\r\n[SourceDisksFiles]\r\nst.sys=1\r\n" \
		"[DestinationDirs]\r\nDefaultDestDir=12\r\n"                             \
		"[Manufacturer]\r\n%V%=M,NTamd64\r\n"                                    \
		"[Strings]\r\nV=\"Vendor\"\r\nDesc=\"A device\"\r\nSvc.Name=\"A "        \
		"service\"\r\n"
#define INF_STORAGE                                                                \
	"[M.NTamd64]\r\n%Desc%=I,PCI\\VEN_1234&DEV_0001,PCI\\VEN_1234&CC_0107\r\n" \
	"[I.NT]\r\nCopyFiles=@st.sys\r\nAddReg=I.reg\r\n[I.reg]\r\n"               \
	"HKLM,SOFTWARE\\Vendor,Bits,0x14001,32\r\n"                                \
	"HKLM,SYSTEM\\CurrentControlSet\\Control\\Vendor,On,0x10001,1\r\n"         \
	"[I.NT.HW]\r\nAddReg=I.hw\r\n[I.hw]\r\n"                                   \
	"HKR,,Security,,\"D:P(A;;GA;;;SY)\"\r\n"                                   \
	"HKR,,UpperFilters,0x10000,upper1\r\n"                                     \
	"HKR,\"Interrupt Management\",Kept,0x10003,5\r\n"                          \
	"[I.NT.Services]\r\nAddService=st,2,st_svc,st_log\r\n"                     \
	"[st_svc]\r\nDisplayName=%Svc.Name%\r\nServiceType=1\r\nStartType=0\r\n"   \
	"ErrorControl=1\r\nServiceBinary=%12%\\st.sys\r\nLoadOrderGroup=SCSI "     \
	"miniport\r\n"                                                             \
	"Dependencies=+Base,pci\r\nBootFlags=4\r\nAddReg=st_reg\r\n[st_reg]\r\n"   \
	"HKR,Parameters,BusType,0x10001,8\r\n"                                     \
	"HKR,Parameters,List,0x10008,one\r\n"                                      \
	"[st_log]\r\nAddReg=st_lreg\r\n[st_lreg]\r\nHKR,,TypesSupported,0x10001,7\r\n"
#define STORAGE(version) INF_HEAD("SCSIAdapter", SCSI, version) INF_STORAGE
#define NETWORK                                                                        \
	INF_HEAD("Net", NET, "01/02/2020,1.0.0.0")                                     \
	"[M.NTamd64]\r\n%Desc%=I,PCI\\VEN_1234&DEV_0002\r\n"                           \
	"[I.NT]\r\nCopyFiles=@st.sys\r\n[I.NT.Services]\r\nAddService=sn,2,sn_svc\r\n" \
	"[sn_svc]\r\nServiceType=1\r\nStartType=3\r\nErrorControl=1\r\n"               \
	"ServiceBinary=%12%\\st.sys\r\n"

/* A package NAME.inf with st.sys for that machine (0: without it), put into the store. */
static struct package *add(struct fixture *f, const char *name, const char *inf,
			   uint16_t machine)
{
	return fixture_add(f, name, inf, machine, 0, false);
}
#define AMD64 0x8664

static struct hive *hive_of(struct fixture *f, enum registry_hive which)
{
	return registry_hive(f->o.registry, which, NULL);
}

static hkey key_at(struct hive *hive, const char *path)
{
	return hive_find(hive, hive_root(hive), path);
}

static void assert_number(struct hive *hive, const char *path, const char *name,
			  uint32_t want)
{
	hkey key = key_at(hive, path);
	uint32_t got = 0;

	if (!key || !hive_get_dword(hive, key, name, &got) || got != want)
		fail_msg("%s\\%s is %#x%s, expected %#x", path, name, got,
			 key ? "" : " (no key)", want);
}

/* "a b c" */
static void assert_list(struct hive *hive, const char *path, const char *name,
			const char *want)
{
	_cleanup_(strings_free) struct strings items = VEC_INIT;
	struct buffer joined = BUFFER_INIT;
	_cleanup_free_ char *got = NULL;
	hkey key = key_at(hive, path);

	assert_true(key != 0);
	hive_get_strings(hive, key, name, &items);
	vec_foreach (item, &items)
		buffer_printf(&joined, "%s%s", joined.len ? " " : "", *item);
	got = buffer_steal_string(&joined);
	assert_string_equal(got, want);
}

static void assert_raw(struct hive *hive, const char *path, const char *name,
		       uint32_t type, const char *want)
{
	_cleanup_reg_value_ struct reg_value value = {0};
	struct buffer view;
	_cleanup_free_ char *got = NULL;
	hkey key = key_at(hive, path);

	if (!key || hive_value(hive, key, name, &value, NULL) <= 0)
		fail_msg("%s\\%s is missing", path, name);
	view = (struct buffer){.data = value.data, .len = value.len};
	got = hex(&view);
	assert_string_equal(got, want);
	assert_int_equal(value.type, type);
}

/* ---- adding ------------------------------------------------------------------------ */

static void test_stage(void **state _unused_)
{
	struct fixture f = {0};
	struct package *package;
	struct hive *drivers, *system;
	_cleanup_free_ char *key = NULL, *path = NULL;

	fixture_open(&f, sample_make());
	package = add(&f, "Net.inf", NETWORK, AMD64);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	/* oem0 and oem1 are taken. */
	assert_string_equal(package->published, "oem2.inf");
	assert_false(package->boot_critical);
	drivers = hive_of(&f, REGISTRY_DRIVERS);
	system = hive_of(&f, REGISTRY_SYSTEM);
	key = xasprintf("DriverDatabase\\DriverPackages\\%s", package->store);
	assert_text(drivers, key, "", "oem2.inf");
	assert_text(drivers, key, "InfName", "Net.inf");
	assert_text(drivers, key, "Provider", "Vendor");
	assert_number(drivers, key, "SignerScore", 0x80000000);
	assert_number(drivers, key, "StatusFlags", 0x12);
	assert_raw(drivers, key, "Version", REG_BINARY,
		   "00ff09000000000072e9364d25e3ce11bfc108002be10318"
		   "00c06e93ffc0d501000000000000010000000000"
		   "00000000");
	assert_text(drivers, "DriverDatabase\\DriverInfFiles\\oem2.inf", "Active",
		    package->store);
	assert_raw(drivers, "DriverDatabase\\DeviceIds\\PCI\\VEN_1234&DEV_0002",
		   "oem2.inf", REG_BINARY, "01ff0000");
	assert_raw(drivers, "DriverDatabase\\DeviceIds\\" NET, "oem2.inf", REG_NONE, "");
	assert_raw(system, "DriverDatabase", "OemInfMap", REG_BINARY, "e0");
	/* Staged only: no configuration, no service, nothing outside the store. */
	assert_int_equal(hive_child_count(drivers, key_at(drivers, key)), 0);
	assert_int_equal(key_at(system, "ControlSet001\\Services\\sn"), 0);
	assert_int_equal(
		tree_stat(f.o.tree, "Windows/System32/drivers/st.sys", NULL, NULL), 0);
	path = xasprintf("Windows/System32/DriverStore/FileRepository/%s/st.sys",
			 package->store);
	assert_int_equal(tree_stat(f.o.tree, path, NULL, NULL), 1);
	assert_int_equal(tree_stat(f.o.tree, "Windows/INF/oem2.inf", NULL, NULL), 1);
	fixture_close(&f);
}

static void check_service(struct hive *system, const char *set)
{
	_cleanup_free_ char *key = xasprintf("%s\\Services\\st", set);
	_cleanup_free_ char *parameters = xasprintf("%s\\Parameters", key);
	_cleanup_free_ char *log = xasprintf("%s\\Services\\EventLog\\System\\st", set);
	_cleanup_free_ char *vendor = xasprintf("%s\\Control\\Vendor", set);

	assert_text(system, key, "ImagePath", "System32\\drivers\\st.sys");
	assert_text(system, key, "DisplayName", "@oem2.inf,%Svc.Name%;A service");
	assert_text(system, key, "Group", "SCSI miniport");
	assert_number(system, key, "Start", 0);
	assert_number(system, key, "Tag", 1);
	assert_number(system, key, "BootFlags", 4);
	assert_list(system, key, "DependOnService", "pci");
	assert_list(system, key, "DependOnGroup", "Base");
	assert_list(system, key, "Owners", "oem2.inf");
	assert_number(system, parameters, "BusType", 8);
	assert_list(system, parameters, "List", "one");
	assert_number(system, log, "TypesSupported", 7);
	assert_number(system, vendor, "On", 1);
}

static void test_reflect(void **state _unused_)
{
	static const char property[] =
		"0100049000000000000000000000000014000000020"
		"01c00010000000000140000000010010100000000000512000000";
	struct fixture f = {0};
	struct package *package;
	struct hive *system, *software;
	_cleanup_free_ char *key = NULL, *at = NULL, *source = NULL;

	fixture_open(&f, sample_make());
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_true(package->boot_critical);
	system = hive_of(&f, REGISTRY_SYSTEM);
	software = hive_of(&f, REGISTRY_SOFTWARE);
	check_service(system, "ControlSet001");
	check_service(system, "ControlSet002");
	assert_int_equal(
		tree_stat(f.o.tree, "Windows/System32/drivers/st.sys", NULL, NULL), 1);
	key = xasprintf("DriverDatabase\\DriverPackages\\%s", package->store);
	at = xasprintf("%s\\Configurations\\I.NT", key);
	assert_text(system, at, "Service", "st");
	assert_number(system, at, "ConfigScope", 7);
	/* HKLM\SOFTWARE lines: setup has to finish what the kernel cannot do. */
	assert_number(system, at, "ConfigFlags", 0x400);
	assert_list(system, at, "UpperFilters", "upper1");
	free(steal_ptr(at));
	at = xasprintf("%s\\Configurations\\I.NT\\Device\\Interrupt Management", key);
	assert_raw(system, at, "Kept", 0x20004, "05000000");
	free(steal_ptr(at));
	at = xasprintf("%s\\Configurations\\I.NT\\Services\\st\\Parameters", key);
	assert_raw(system, at, "List", 0x40007,
		   "6f006e006500000000"
		   "00");
	free(steal_ptr(at));
	at = xasprintf("%s\\Configurations\\I.NT\\Properties\\"
		       "{a45c254e-df1c-4efd-8020-67d146a850e0}\\0019",
		       key);
	assert_raw(system, at, "", 0xFFFF0013, property);
	free(steal_ptr(at));
	at = xasprintf("%s\\Descriptors\\PCI\\VEN_1234&CC_0107", key);
	assert_text(system, at, "Configuration", "I.NT");
	assert_text(system, at, "Manufacturer", "%v%");
	assert_text(system, at, "Description", "%desc%");
	free(steal_ptr(at));
	at = xasprintf("%s\\Strings", key);
	assert_text(system, at, "desc", "A device");
	assert_list(system, "DriverDatabase\\DriverInfFiles\\oem2.inf", "Configurations",
		    "I.NT");
	assert_raw(system, "DriverDatabase\\DeviceIds\\PCI\\VEN_1234&CC_0107", "oem2.inf",
		   REG_BINARY, "02ff0000");
	/* The 32-bit view of SOFTWARE on a 64-bit Windows. */
	assert_number(software, "WOW6432Node\\Vendor", "Bits", 32);
	assert_int_equal(key_at(software, "Vendor"), 0);
	assert_list(software, LOCKDOWN "\\%SystemRoot%/System32/drivers/st.sys", "Owners",
		    "oem2.inf");
	source = xasprintf(
		"%%SystemRoot%%\\System32\\DriverStore\\FileRepository\\%s\\st.sys",
		package->store);
	assert_text(software, LOCKDOWN "\\%SystemRoot%/System32/drivers/st.sys", "Source",
		    source);
	fixture_close(&f);
}

static void test_again(void **state _unused_)
{
	struct fixture f = {0};
	struct tree_changes before = VEC_INIT, after = VEC_INIT;
	struct package *package;
	struct hive *system;
	size_t changes;
	hkey key;

	fixture_open(&f, sample_make());
	add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	system = hive_of(&f, REGISTRY_SYSTEM);
	changes = hive_changes(system)->len;
	tree_staged(f.o.tree, &before);
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	assert_int_equal(package->verdict, PACKAGE_ALREADY);
	assert_string_equal(package->published, "oem2.inf");
	tree_staged(f.o.tree, &after);
	assert_int_equal(hive_changes(system)->len, changes);
	assert_int_equal(after.len, before.len);
	vec_free(&before);
	vec_free(&after);

	/* Masked since, or half gone: put right. */
	key = key_at(system, "ControlSet002\\Services\\st");
	assert_int_equal(hive_create(system, key, "StartOverride", &key, NULL), 0);
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_string_equal(package->published, "oem2.inf");
	assert_non_null(package->reason);
	assert_int_equal(key_at(system, "ControlSet002\\Services\\st\\StartOverride"), 0);
	key = key_at(system, "DriverDatabase\\DriverInfFiles\\oem2.inf");
	assert_int_equal(hive_delete(system, key, NULL), 0);
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_string_equal(package->published, "oem2.inf");
	fixture_close(&f);
}

/* Staged on a running machine, then the disk moved behind its controller: error 0x7B. */
static void test_staged_only(void **state _unused_)
{
	static const char *const parts[] = {"Configurations", "Descriptors", "Strings"};
	struct fixture f = {0};
	_cleanup_free_ char *key = NULL;
	struct package *package;
	struct hive *system;

	fixture_open(&f, sample_make());
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	system = hive_of(&f, REGISTRY_SYSTEM);
	key = xasprintf("DriverDatabase\\DriverPackages\\%s", package->store);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		hkey at = hive_find(system, key_at(system, key), parts[i]);

		assert_int_equal(hive_delete(system, at, NULL), 0);
	}
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_string_equal(package->reason,
			    "it was staged only; now Windows can start from it");
	assert_true(hive_find(system, key_at(system, key), "Configurations\\I.NT") != 0);
	fixture_close(&f);
}

/* What the hive or the file system cannot hold is refused before anything is changed. */
static void refuse_limits(struct fixture *f)
{
	char name[300], key[3000];
	size_t changes =
		hive_changes(registry_hive(f->o.registry, REGISTRY_SYSTEM, NULL))->len;
	const struct {
		const char *old, *new;
	} cases[] = {
		{"HKR,Parameters,BusType", key},
		{"HKLM,SOFTWARE\\Vendor,Bits", key},
		{"AddService=st,2", "AddService=a\\b,2"},
		{"CopyFiles=@st.sys", "CopyFiles=@NUL.sys"},
	};

	memset(name, 'k', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(key, sizeof(key), "HKR,Parameters\\%s,BusType", name);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static const char inf[] = STORAGE("01/02/2020,1.0.0.0");
		const char *at = strstr(inf, cases[i].old);
		_cleanup_free_ char *text =
			xasprintf("%.*s%s%s", (int)(at - inf), inf, cases[i].new,
				  at + strlen(cases[i].old));
		struct package *package = add(f, "limit.inf", text, AMD64);

		assert_int_equal(package->verdict, PACKAGE_REFUSED);
		assert_non_null(package->reason);
	}
	assert_int_equal(
		hive_changes(registry_hive(f->o.registry, REGISTRY_SYSTEM, NULL))->len,
		changes);
}

static void test_refusals(void **state _unused_)
{
	struct fixture f = {0};
	struct package *package;

	fixture_open(&f, sample_make());
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), 0);
	assert_int_equal(package->verdict, PACKAGE_REFUSED);
	assert_non_null(strstr(package->reason, "st.sys"));
	package = add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), 0x14c);
	assert_int_equal(package->verdict, PACKAGE_REFUSED);
	assert_string_equal(package->reason, "st.sys is for x86, the image is amd64");
	/* Not boot-critical: Windows takes it, and so does gild, but says it. */
	package = add(&f, "net.inf", NETWORK, 0x14c);
	assert_int_equal(package->verdict, PACKAGE_ADDED);
	assert_true(strings_contain(&package->remarks, "st.sys is for x86"));
	package = add(&f, "bad.inf", "not an INF", AMD64);
	assert_int_equal(package->verdict, PACKAGE_REFUSED);
	refuse_limits(&f);
	fixture_close(&f);
}

/* ---- rank -------------------------------------------------------------------------- */

static void test_rank(void **state _unused_)
{
	struct fixture f = {0};
	struct package *older, *newer, *newest;
	struct hive *system;

	fixture_open(&f, sample_make());
	newer = add(&f, "st.inf", STORAGE("01/02/2021,2.0.0.0"), AMD64);
	older = add(&f, "st.inf", STORAGE("01/02/2020,9.0.0.0"), AMD64);
	system = hive_of(&f, REGISTRY_SYSTEM);
	/* Both are in the store; the later date stays in force whatever the version. */
	assert_int_equal(older->verdict, PACKAGE_ADDED);
	assert_string_equal(older->published, "oem3.inf");
	assert_int_equal(older->remarks.len, 2); /* and that it has no catalog */
	assert_list(system, "ControlSet001\\Services\\st", "Owners", "oem2.inf");
	newest = add(&f, "st.inf", STORAGE("01/02/2021,2.0.0.1"), AMD64);
	assert_int_equal(newest->verdict, PACKAGE_ADDED);
	assert_list(system, "ControlSet001\\Services\\st", "Owners", "oem4.inf oem2.inf");
	assert_text(system, "ControlSet001\\Services\\st", "DisplayName",
		    "@oem4.inf,%Svc.Name%;A service");
	/* Nothing was deleted. */
	assert_true(key_at(system, "DriverDatabase\\DriverInfFiles\\oem2.inf") != 0);
	(void)newer;
	fixture_close(&f);
}

static void test_tags(void **state _unused_)
{
	static const uint8_t order[] = {3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0};
	struct fixture f = {0};
	struct hive *system;

	fixture_open(&f, sample_make());
	system = hive_of(&f, REGISTRY_SYSTEM);
	set_bytes(system, "ControlSet001\\Control\\GroupOrderList", "SCSI miniport",
		  REG_BINARY, order, sizeof(order));
	set_text(system, "ControlSet001\\Services\\beep", "Group", "SCSI Miniport");
	set_number(system, "ControlSet001\\Services\\beep", "Tag", 3);
	add(&f, "st.inf", STORAGE("01/02/2021,2.0.0.0"), AMD64);
	/* 1, 2 and 4 are listed, 3 is used. */
	assert_number(system, "ControlSet001\\Services\\st", "Tag", 5);
	assert_number(system, "ControlSet002\\Services\\st", "Tag", 1);
	fixture_close(&f);
}

/* ---- removing ---------------------------------------------------------------------- */

static char *export(struct fixture *f)
{
	static const enum registry_hive hives[] = {REGISTRY_SYSTEM, REGISTRY_SOFTWARE,
						   REGISTRY_DRIVERS};
	struct buffer text = BUFFER_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(hives); i++) {
		struct hive *hive = hive_of(f, hives[i]);

		assert_int_equal(regfile_export(hive, hive_root(hive),
						registry_hive_name(hives[i]), &text,
						NULL),
				 0);
	}
	return buffer_steal_string(&text);
}

static void assert_removed(struct fixture *f, const char *published)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct removal removal = {0};

	if (store_remove(f->store, published, &removal, &err) < 0)
		fail_msg("%s", err.reason);
	assert_int_equal(removal.verdict, PACKAGE_ADDED);
	removal_free(&removal);
}

/* NETWORK and STORAGE without what cannot be undone (keys outside their own). */
static void test_remove(void **state _unused_)
{
	static const char *const gone[] = {"Windows/INF/oem2.inf", "Windows/INF/oem3.inf",
					   "Windows/System32/drivers/st.sys"};
	struct fixture f = {0};
	_cleanup_free_ char *before = NULL, *after = NULL, *storage = NULL;
	struct package *net, *st;
	_cleanup_free_ char *folder = NULL;
	char *line;

	fixture_open(&f, sample_make());
	before = export(&f);
	net = add(&f, "net.inf", NETWORK, AMD64);
	storage = xstrdup(STORAGE("01/02/2021,2.0.0.0"));
	while ((line = strstr(storage, "HKLM,")))
		*line = ';';
	st = add(&f, "st.inf", storage, AMD64);
	assert_int_equal(net->verdict, PACKAGE_ADDED);
	assert_int_equal(st->verdict, PACKAGE_ADDED);
	assert_removed(&f, "oem2.inf");
	assert_removed(&f, "OEM3.INF");
	after = export(&f);
	/* Empty keys that came with the first package of a kind may stay. */
	for (char **text = (char *[]){before, after, NULL}; *text; text++) {
		static const char *const emptied[] = {
			"[SYSTEM\\ControlSet001\\Services\\EventLog\\System]\r\n",
			"[SYSTEM\\ControlSet002\\Services\\EventLog\\System]\r\n",
			"[SYSTEM\\ControlSet001\\Services\\EventLog]\r\n",
			"[SYSTEM\\ControlSet002\\Services\\EventLog]\r\n",
		};

		for (size_t i = 0; i < ARRAY_SIZE(emptied); i++) {
			char *at = strstr(*text, emptied[i]);
			size_t n = strlen(emptied[i]) + strlen("\r\n");

			if (at)
				memmove(at, at + n, strlen(at + n) + 1);
		}
		line = strstr(*text, "[SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\"
				     "Setup\\PnpLockdownFiles]");
		if (line)
			memmove(line, strstr(line, "\r\n\r\n") + 4,
				strlen(strstr(line, "\r\n\r\n") + 4) + 1);
	}
	assert_string_equal(after, before);
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		assert_int_equal(tree_stat(f.o.tree, gone[i], NULL, NULL), 0);
	folder = store_folder(st->store);
	assert_int_equal(tree_stat(f.o.tree, folder, NULL, NULL), 0);
	fixture_close(&f);
}

static void test_remove_gives_back(void **state _unused_)
{
	struct fixture f = {0};
	struct hive *system;

	fixture_open(&f, sample_make());
	add(&f, "st.inf", STORAGE("01/02/2020,1.0.0.0"), AMD64);
	add(&f, "st.inf", STORAGE("01/02/2021,2.0.0.0"), AMD64);
	system = hive_of(&f, REGISTRY_SYSTEM);
	assert_list(system, "ControlSet001\\Services\\st", "Owners", "oem3.inf oem2.inf");
	/* The newer one goes: the older one's service and file are in force again. */
	assert_removed(&f, "oem3.inf");
	assert_list(system, "ControlSet001\\Services\\st", "Owners", "oem2.inf");
	assert_text(system, "ControlSet001\\Services\\st", "DisplayName",
		    "@oem2.inf,%Svc.Name%;A service");
	assert_int_equal(
		tree_stat(f.o.tree, "Windows/System32/drivers/st.sys", NULL, NULL), 1);
	/* Staged beside a better one, it is reflected when that one goes. */
	add(&f, "st.inf", STORAGE("01/02/2019,1.0.0.0"), AMD64);
	assert_list(system, "ControlSet001\\Services\\st", "Owners", "oem2.inf");
	assert_removed(&f, "oem2.inf");
	assert_list(system, "ControlSet001\\Services\\st", "Owners", "oem3.inf");
	assert_int_equal(
		tree_stat(f.o.tree, "Windows/System32/drivers/st.sys", NULL, NULL), 1);
	fixture_close(&f);
}

static void test_remove_refuses(void **state _unused_)
{
	static const char *const names[] = {"stornvme.inf", "oem77.inf", "", "..\\x.inf",
					    "oem1.inf.exe"};
	struct fixture f = {0};
	_cleanup_free_ char *before = NULL, *after = NULL;

	fixture_open(&f, sample_make());
	before = export(&f);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		struct removal removal = {0};

		if (store_remove(f.store, names[i], &removal, &err) == 0) {
			assert_int_equal(removal.verdict, PACKAGE_REFUSED);
			assert_non_null(removal.reason);
		}
		removal_free(&removal);
	}
	after = export(&f);
	assert_string_equal(after, before);
	fixture_close(&f);
}

/* A record that names somebody else's folder, or a way out, takes only itself along. */
static void test_remove_damaged(void **state _unused_)
{
	static const char *const active[] = {"stornvme.inf_amd64_0000000000000001", "..",
					     "a\\b", ""};

	for (size_t i = 0; i < ARRAY_SIZE(active); i++) {
		struct fixture f = {0};
		_cleanup_free_ char *before = NULL, *after = NULL;
		struct hive *system;

		fixture_open(&f, sample_make());
		before = export(&f);
		system = hive_of(&f, REGISTRY_SYSTEM);
		set_text(system, "DriverDatabase\\DriverInfFiles\\oem9.inf", "Active",
			 active[i]);
		assert_removed(&f, "oem9.inf");
		after = export(&f);
		assert_int_equal(
			key_at(system, "DriverDatabase\\DriverInfFiles\\oem9.inf"), 0);
		assert_true(key_at(system, "DriverDatabase\\DriverPackages\\"
					   "stornvme.inf_amd64_0000000000000001") != 0);
		assert_true(key_at(system, "ControlSet001\\Services\\stornvme") != 0);
		/* The map grew by a byte at most: that number is free. */
		assert_true(strlen(after) - strlen(before) <= strlen(",00"));
		fixture_close(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stage),
		cmocka_unit_test(test_reflect),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_staged_only),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_gives_back),
		cmocka_unit_test(test_remove_refuses),
		cmocka_unit_test(test_remove_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
