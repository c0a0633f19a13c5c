/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is of Windows XP and Server 2003 alone: boot.ini, TXTSETUP.OEM, version resources
 * and what they say of HALs and service packs.
 */
#include "test.h"

#include <dirent.h>
#include <stdio.h>

#include "base/file.h"
#include "base/text.h"
#include "injector/driver.h"
#include "injector/textmode.h"
#include "windows/boot_ini.h"
#include "windows/hal.h"
#include "windows/pe.h"

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- boot.ini ---------------------------------------------------------------------- */

static const char menu[] =
	"; kept: \x81\x84\r\n[Boot Loader]\r\ntimeout = 0\r\n"
	"default=multi(0)disk(0)rdisk(0)partition(2)\\WINDOWS\r\n\r\n"
	"[operating systems]\r\n"
	"multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS=\"Other\" /fastdetect\r\n"
	"multi(0)disk(0)rdisk(0)partition(2)\\WINDOWS=\"Zw\x94lf=12\" /noexecute=optin "
	"/kernel=old.exe /PAE /debugport=com1\r\n"
	"C:\\=\"DOS\"";

static char *written(const struct boot_ini *ini)
{
	struct buffer out = BUFFER_INIT;

	boot_ini_write(ini, &out);
	return buffer_steal_string(&out);
}

static void test_boot_ini_read(void **state _unused_)
{
	_cleanup_boot_ini_ struct boot_ini ini;
	_cleanup_free_ char *text = NULL, *kernel = NULL, *pae = NULL, *none = NULL;
	const struct boot_entry *entry;

	assert_int_equal(boot_ini_parse(bytes_of(menu), &ini, NULL), 0);
	text = written(&ini);
	assert_string_equal(text, menu);
	assert_int_equal(ini.entries.len, 3);
	assert_int_equal(ini.timeout, 0);
	entry = boot_ini_windows(&ini, "Windows", 0);
	assert_ptr_equal(entry, &ini.entries.items[1]); /* the default one */
	assert_string_equal(entry->title, "Zw\x94lf=12");
	kernel = boot_entry_option(entry, "KERNEL");
	assert_string_equal(kernel, "old.exe");
	pae = boot_entry_option(entry, "pae");
	assert_string_equal(pae, "");
	none = boot_entry_option(entry, "debug");
	assert_null(none);
	assert_ptr_equal(boot_ini_windows(&ini, "WINDOWS", 1), &ini.entries.items[0]);
	/* Partitions are numbered anew when a disk is copied. */
	assert_ptr_equal(boot_ini_windows(&ini, "WINDOWS", 4), &ini.entries.items[1]);
	assert_null(boot_ini_windows(&ini, "WINNT", 0));
}

static void test_boot_ini_add(void **state _unused_)
{
	static const char added[] =
		"C:\\=\"DOS\"\r\n"
		"multi(0)disk(0)rdisk(0)partition(2)\\WINDOWS=\"Zw\x94lf=12 (MP)\" "
		"/noexecute=optin /PAE /debugport=com1 /kernel=ntkrpamp.exe "
		"/hal=halmacpi.dll\r\n";
	_cleanup_boot_ini_ struct boot_ini ini;
	_cleanup_free_ char *text = NULL;
	size_t kept = strlen(menu) - strlen("C:\\=\"DOS\"");
	unsigned n = 4;

	assert_int_equal(boot_ini_parse(bytes_of(menu), &ini, NULL), 0);
	assert_true(boot_ini_add_pair(&ini, boot_ini_windows(&ini, "Windows", 0), "MP",
				      "ntkrpamp.exe", "halmacpi.dll"));
	text = written(&ini);
	assert_memory_equal(text, menu, kept);
	assert_string_equal(text + kept, added);
	assert_non_null(boot_ini_find_pair(&ini,
					   "MULTI(0)disk(0)rdisk(0)partition(2)\\windows",
					   "NTKRPAMP.EXE", "halmacpi.dll"));
	assert_null(boot_ini_find_pair(&ini, ini.entries.items[1].path, "ntkrpamp.exe",
				       "halacpi.dll"));
	assert_true(boot_ini_raise_timeout(&ini, 10));
	assert_false(boot_ini_raise_timeout(&ini, 20));
	free(text);
	text = written(&ini);
	assert_non_null(strstr(text, "timeout =10\r\n"));
	/* NTLDR's menu is full at ten. */
	while (boot_ini_add_pair(&ini, &ini.entries.items[0], "X", "k.exe", "h.dll"))
		n++;
	assert_int_equal(n, BOOT_INI_ENTRIES);
}

static void test_boot_ini_refused(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct boot_ini ini;

	assert_int_equal(
		boot_ini_parse(bytes_of("[boot loader]\r\ntimeout=3\r\n"), &ini, &err),
		-1);
	assert_int_equal(err.code, ERROR_STATE);
	assert_non_null(err.remedy);
	boot_ini_free(&ini);
	assert_int_equal(
		boot_ini_parse((struct bytes){(const uint8_t *)"a\0b", 3}, &ini, NULL),
		-1);
	boot_ini_free(&ini);
}

/* ---- version resources ------------------------------------------------------------- */

/* One block of a version resource; ends it when `end` is called. */
static size_t begin(struct buffer *b, const char *key, uint16_t value, uint16_t type)
{
	size_t at;

	while (b->len & 3)
		buffer_append(b, "", 1);
	at = b->len;
	buffer_append_le16(b, 0);
	buffer_append_le16(b, value);
	buffer_append_le16(b, type);
	utf16_append_z(b, key);
	while (b->len & 3)
		buffer_append(b, "", 1);
	return at;
}

static void end(struct buffer *b, size_t at)
{
	put_le16(b->data + at, (uint16_t)(b->len - at));
}

static void add_text(struct buffer *b, const char *key, const char *text)
{
	size_t at = begin(b, key, (uint16_t)(utf16_units(text) + 1), 1);

	utf16_append_z(b, text);
	end(b, at);
}

/* A PE whose only section is a version resource. */
static void build(struct buffer *pe, uint64_t version, const char *original)
{
	struct buffer v = BUFFER_INIT;
	size_t root = begin(&v, "VS_VERSION_INFO", 52, 0), info, table, other;
	uint8_t fixed[52] = {0}, headers[0x200] = {0}, folders[0x58] = {0};

	put_le32(fixed, 0xFEEF04BD);
	put_le32(fixed + 8, (uint32_t)(version >> 32));
	put_le32(fixed + 12, (uint32_t)version);
	buffer_append(&v, fixed, sizeof(fixed));
	other = begin(&v, "VarFileInfo", 0, 1);
	end(&v, other);
	info = begin(&v, "StringFileInfo", 0, 1);
	table = begin(&v, "040904B0", 0, 1);
	add_text(&v, "CompanyName", "Example");
	add_text(&v, "OriginalFilename", original);
	end(&v, table);
	end(&v, info);
	end(&v, root);
	put_le16(headers, 0x5A4D);
	put_le32(headers + 0x3C, 0x80);
	put_le32(headers + 0x80, 0x4550);
	put_le16(headers + 0x84, 0x14C);
	put_le16(headers + 0x86, 1);
	put_le16(headers + 0x94, 0xE0);
	put_le16(headers + 0x98, 0x10B);
	put_le32(headers + 0x98 + 96 + 16, 0x1000);
	put_le32(headers + 0x98 + 0xE0 + 8, (uint32_t)(sizeof(folders) + v.len));
	put_le32(headers + 0x98 + 0xE0 + 12, 0x1000);
	put_le32(headers + 0x98 + 0xE0 + 16, (uint32_t)(sizeof(folders) + v.len));
	put_le32(headers + 0x98 + 0xE0 + 20, sizeof(headers));
	for (unsigned level = 0; level < 3; level++) {
		uint8_t *folder = folders + 0x18 * level;

		put_le16(folder + 14, 1);
		put_le32(folder + 16, level ? 1 : 16);
		put_le32(folder + 20,
			 level < 2 ? 0x80000000u | 0x18 * (level + 1) : 0x48);
	}
	put_le32(folders + 0x48, 0x1000 + sizeof(folders));
	put_le32(folders + 0x4C, (uint32_t)v.len);
	buffer_append(pe, headers, sizeof(headers));
	buffer_append(pe, folders, sizeof(folders));
	buffer_append(pe, v.data, v.len);
	buffer_free(&v);
}

static void test_version_string(void **state _unused_)
{
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT;
	_cleanup_free_ char *original = NULL, *company = NULL;
	uint64_t version;

	build(&pe, 0x000500010A281588, "halmacpi.dll");
	assert_true(pe_file_version(buffer_view(&pe), &version));
	assert_int_equal(version, 0x000500010A281588);
	original = pe_version_string(buffer_view(&pe), "originalfilename");
	assert_string_equal(original, "halmacpi.dll");
	company = pe_version_string(buffer_view(&pe), "CompanyName");
	assert_string_equal(company, "Example");
	assert_null(pe_version_string(buffer_view(&pe), "ProductName"));
	/* Cut anywhere, and with any byte of the resource changed: an answer or none. */
	for (size_t n = 0; n < pe.len; n++) {
		_cleanup_free_ uint8_t *copy = xmemdup(pe.data, n ? n : 1);

		free(pe_version_string((struct bytes){copy, n}, "OriginalFilename"));
	}
	for (size_t i = 0x200; i < pe.len; i++) {
		uint8_t old = pe.data[i];

		pe.data[i] = 0xFF;
		free(pe_version_string(buffer_view(&pe), "nothing"));
		pe.data[i] = 0;
		free(pe_version_string(buffer_view(&pe), "nothing"));
		pe.data[i] = old;
	}
}

static void test_service_pack(void **state _unused_)
{
	static const struct {
		uint64_t version;
		int pack;
	} cases[] = {
		{0x000500010A280000, 0},  {0x000500010A28001C, 0},
		{0x000500010A280452, 1},  {0x000500010A280884, 2},
		{0x000500010A280ACD, 2},  {0x000500010A281588, 3},
		{0x000500010A2819FF, 3},  {0x000500020ECE0000, 0},
		{0x000500020ECE0726, 1},  {0x000500020ECE0F77, 2},
		{0x000600011DB14001, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned pack;
		bool known = hal_service_pack(cases[i].version, &pack);

		assert_int_equal(known ? (int)pack : -1, cases[i].pack);
	}
	assert_ptr_equal(hal_kind_by_file("HALMACPI.DLL"), hal_kind_by_id("acpiapic_mp"));
	assert_null(hal_kind_by_id("acpipic_mp"));
}

/* ---- TXTSETUP.OEM ------------------------------------------------------------------ */

static const char floppy[] =
	"# text mode\r\n[Disks]\r\nd1 = \"Disk; with #\", \\x.tag, \\\\i386\\\\XP\\\r\n"
	"[Defaults]\r\nSCSI = B\r\n[SCSI]\r\nA = \"Adapter \"\"A\"\"\"\r\n"
	"B = \"Adapter 100%\",exb ; which\r\n"
	"[Files.scsi.B]\r\ndriver = "
	"d1,exb.sys,EXB\r\ndll=d1,exb.dll\r\ninf=d1,exb.inf\r\n"
	"[Files.SCSI.A]\r\ndriver = d1, exa.sys, exa\r\n"
	"[HardwareIds.scsi.B]\r\nid = \"PCI\\VEN_E010&DEV_0001\",\"exb\"\r\n"
	"id=\"PCI\\VEN_E010&DEV_0002\" , exb\r\n"
	"[Config.EXB]\r\nvalue = Parameters\\PnpInterface,5,REG_DWORD,1\r\n"
	"value = Parameters,List,REG_MULTI_SZ,\"a,b\",c\r\n"
	"value = ,Mask,REG_BINARY,ff,01\r\nvalue=,Size,REG_DWORD,10\r\n\x1a garbage = "
	"[\r\n";

static void test_textmode_read(void **state _unused_)
{
	_cleanup_textmode_ struct textmode t;
	const struct textmode_option *b;

	assert_int_equal(textmode_parse("x", bytes_of(floppy), &t, NULL), 0);
	assert_int_equal(t.options.len, 2);
	b = &t.options.items[1];
	assert_string_equal(b->description, "Adapter 100%");
	assert_string_equal(b->disk, "Disk; with #");
	assert_true(b->preferred);
	assert_false(t.options.items[0].preferred);
	assert_int_equal(b->files.len, 3);
	assert_string_equal(b->files.items[0].folder, "i386/XP");
	assert_string_equal(b->files.items[0].key, "EXB");
	assert_int_equal(b->ids.len, 2);
	assert_string_equal(b->ids.items[1].service, "exb");
	assert_int_equal(b->values.len, 4);
	assert_string_equal(b->values.items[1].data.items[0], "a,b");
	assert_int_equal(t.options.items[0].ids.len, 0);
}

static struct driver *as_driver(const struct textmode *t, const struct target *target)
{
	_cleanup_free_ bool *used = xcalloc(t->options.len + 1, sizeof(*used));
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < t->options.len; i++)
		used[i] = true;
	text = textmode_inf(t, used);
	return text ? driver_open("made.inf", bytes_of(text), target, NULL, NULL, NULL,
				  NULL)
		    : NULL;
}

static const struct target xp = {ARCH_X86, 5, 1, 2600, PRODUCT_CLIENT, 0, 0};
static const struct target server = {ARCH_AMD64, 5, 2, 3790, PRODUCT_SERVER, 0, 0};

static void test_textmode_inf(void **state _unused_)
{
	_cleanup_textmode_ struct textmode t;
	_cleanup_driver_ struct driver *d = NULL, *x64 = NULL;
	const struct inf_configuration *c;
	const struct inf_service *s;
	bool none[2] = {true, false};

	assert_int_equal(textmode_parse("x", bytes_of(floppy), &t, NULL), 0);
	d = as_driver(&t, &xp);
	x64 = as_driver(&t, &server);
	assert_non_null(d);
	assert_non_null(x64);
	assert_int_equal(d->models.len, 2);
	assert_int_equal(x64->models.len, 2);
	assert_string_equal(d->models.items[0].description, "Adapter 100%");
	assert_string_equal(d->models.items[1].ids.items[0], "PCI\\VEN_E010&DEV_0002");
	assert_int_equal(d->configurations.len, 1);
	c = &d->configurations.items[0];
	assert_int_equal(c->files.len, 2);
	assert_string_equal(c->files.items[0].source_path, "i386/XP/exb.sys");
	assert_int_equal(c->files.items[0].dirid, 12);
	assert_int_equal(c->files.items[1].dirid, 11);
	assert_int_equal(c->services.len, 1);
	s = &c->services.items[0];
	assert_string_equal(s->name, "exb");
	assert_int_equal(s->flags, 2);
	assert_int_equal(s->start, 0);
	assert_string_equal(s->binary, "exb.sys");
	assert_int_equal(s->regs.len, 4);
	assert_int_equal(get_le32(s->regs.items[3].data.data), 0x10);
	assert_int_equal(s->regs.items[2].data.len, 2);
	/* A choice without IDs gives nothing that Plug and Play could use. */
	assert_null(textmode_inf(&t, none));
}

static void test_textmode_refused(void **state _unused_)
{
	/* Folders and names that lead elsewhere. */
	static const char up[] = "[Disks]\nd=x,y,\\..\\..\n[scsi]\nA=x\n"
				 "[Files.scsi.A]\ndriver=d,a.sys,a\n";
	static const char drive[] = "[Disks]\nd=x,y,C:\\\n[scsi]\nA=x\n"
				    "[Files.scsi.A]\ndriver=d,a.sys,a\n";
	static const char name[] = "[scsi]\nA=x\n[Files.scsi.A]\n"
				   "driver=d,..\\..\\a.sys,a\n";
	static const char *const bad[] = {
		"", "[Disks]\r\nd1=x,y,z\r\n", "[scsi]\r\n", up, drive, name,
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_textmode_ struct textmode t;

		assert_int_equal(textmode_parse("x", bytes_of(bad[i]), &t, &err), -1);
		assert_int_equal(err.code, ERROR_ANSWER_NO);
		assert_non_null(err.reason);
	}
}

/* The distinct IDs that a pack names for services with a driver. */
static size_t distinct_ids(const struct textmode *t)
{
	_cleanup_(strings_free) struct strings ids = VEC_INIT;

	vec_foreach (o, &t->options)
		vec_foreach (id, &o->ids)
			if (textmode_driver(o, id->service) &&
			    !strings_contain(&ids, id->id))
				strings_push(&ids, id->id);
	return ids.len;
}

static bool check_real(const char *path)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_textmode_ struct textmode t;
	_cleanup_driver_ struct driver *d = NULL;
	bool driver = false;

	assert_int_equal(file_read(path, TEXTMODE_SIZE_MAX, &raw, NULL), 0);
	assert_int_equal(textmode_parse(path, buffer_view(&raw), &t, NULL), 0);
	assert_true(t.options.len > 0);
	vec_foreach (o, &t.options)
		vec_foreach (id, &o->ids)
			driver |= textmode_driver(o, id->service) != NULL;
	assert_true(driver);
	d = as_driver(&t, &xp);
	assert_non_null(d);
	assert_int_equal(d->models.len, distinct_ids(&t));
	vec_foreach (c, &d->configurations) {
		assert_true(c->services.len == 1 && c->files.len > 0);
		assert_string_equal(c->services.items[0].group, "SCSI miniport");
	}
	return true;
}

/* Real packs: of NVIDIA, LSI, AMD, Intel, Red Hat and others. */
static void test_textmode_real(void **state _unused_)
{
	static const char *const folders[] = {"opsi-testdata", "virtio-src",
					      "virtio-src/history", "oss"};
	const char *data = getenv("GILD_TEST_DATA");
	size_t found = 0;

	for (size_t i = 0; data && i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *folder = xasprintf("%s/inf/%s", data, folders[i]);
		DIR *dir = opendir(folder);
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			_cleanup_free_ char *path =
				xasprintf("%s/%s", folder, entry->d_name);

			if (text_ends_with(entry->d_name, ".oem"))
				found += check_real(path);
		}
		if (dir)
			closedir(dir);
	}
	if (!found)
		skip();
	assert_true(found >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot_ini_read),
		cmocka_unit_test(test_boot_ini_add),
		cmocka_unit_test(test_boot_ini_refused),
		cmocka_unit_test(test_version_string),
		cmocka_unit_test(test_service_pack),
		cmocka_unit_test(test_textmode_read),
		cmocka_unit_test(test_textmode_inf),
		cmocka_unit_test(test_textmode_refused),
		cmocka_unit_test(test_textmode_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
