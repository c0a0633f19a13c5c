/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tree of the sample Windows: system files, hives, boot files, driver packages. */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "samples/sample.h"

#define HIVE_SDDL                                                                       \
	"O:BAG:SYD:(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;BU)(A;CI;KA;;;CO)(A;CI;KR;;;" \
	"AC)"

/* ---- which Windows -------------------------------------------------------------------
 */

static const struct release {
	const char *name, *version, *build, *ubr, *display, *id, *lab, *edition, *product;
	bool server;
} releases[] = {
	{"vista", "6.0", "6002", "18005", "", "", "vistasp2_sample", "Business",
	 "Windows Vista (TM) Business", false},
	{"7", "6.1", "7601", "17514", "", "", "win7sp1_sample", "Professional",
	 "Windows 7 Professional", false},
	{"server2008r2", "6.1", "7601", "17514", "", "", "win7sp1_sample",
	 "ServerStandard", "Windows Server 2008 R2 Standard", true},
	{"8.1", "6.3", "9600", "17031", "", "", "winblue_sample", "Professional",
	 "Windows 8.1 Pro", false},
	{"10", "10.0", "19045", "3803", "22H2", "2009", "vb_sample", "Professional",
	 "Windows 10 Pro", false},
	/* ProductName really says 10: Windows 11 never changed it. */
	{"11", "10.0", "26100", "1742", "24H2", "2009", "ge_sample", "Professional",
	 "Windows 10 Pro", false},
	{"server2022", "10.0", "20348", "2113", "21H2", "2009", "fe_sample",
	 "ServerStandard", "Windows Server 2022 Standard", true},
};

static void set_edition(struct sample *s, const struct release *r)
{
	const char *edition = s->edition ? s->edition : r->edition;
	const char *product = r->product;

	variable_set(&s->vars, "installation_type", r->server ? "Server" : "Client");
	if (s->pe) {
		edition = "WindowsPE";
		product = "Microsoft Windows PE";
		variable_set(&s->vars, "installation_type", "WindowsPE");
	} else if (text_equal(edition, "Core")) {
		product =
			text_equal(s->windows, "8.1") ? "Windows 8.1" : "Windows 10 Home";
	} else if (text_equal(edition, "Enterprise")) {
		product = text_equal(s->windows, "8.1") ? "Windows 8.1 Enterprise"
							: "Windows 10 Enterprise";
	} else if (text_equal(edition, "ServerDatacenter")) {
		product = "Windows Server 2022 Datacenter";
	}
	variable_set(&s->vars, "edition", edition);
	variable_set(&s->vars, "product", product);
	variable_set(&s->vars, "boot_name",
		     r->server			     ? "Windows Server"
		     : text_equal(s->windows, "8.1") ? "Windows 8.1"
		     : text_equal(s->windows, "11")  ? "Windows 11"
						     : "Windows 10");
}

static void derive(struct sample *s)
{
	const struct release *r = NULL;
	unsigned major, minor;

	for (size_t i = 0; i < ARRAY_SIZE(releases); i++)
		if (strcmp(releases[i].name, s->windows) == 0)
			r = &releases[i];
	if (!r)
		die("--windows is one of vista, 7, server2008r2, 8.1, 10, 11, "
		    "server2022");
	s->machine = strcmp(s->arch, "amd64") == 0   ? MACHINE_AMD64
		     : strcmp(s->arch, "x86") == 0   ? MACHINE_X86
		     : strcmp(s->arch, "arm64") == 0 ? MACHINE_ARM64
						     : 0;
	if (!s->machine)
		die("--arch is one of amd64, x86, arm64");
	if (sscanf(r->version, "%u.%u", &major, &minor) != 2)
		die("no version");
	s->version = (uint64_t)major << 48 | (uint64_t)minor << 32 |
		     (uint64_t)atoi(r->build) << 16 | (uint64_t)atoi(r->ubr);
	variable_set(&s->vars, "windows", s->windows);
	variable_set(&s->vars, "arch", s->arch);
	variable_set(&s->vars, "state",
		     s->pe	      ? "pe"
		     : s->generalized ? "generalized"
				      : "installed");
	variable_set(&s->vars, "arch_number",
		     s->machine == MACHINE_AMD64   ? "9"
		     : s->machine == MACHINE_ARM64 ? "12"
						   : "0");
	variable_set(&s->vars, "processor",
		     s->machine == MACHINE_AMD64   ? "AMD64"
		     : s->machine == MACHINE_ARM64 ? "ARM64"
						   : "x86");
	s->database = s->version >> 32 >= (6u << 16 | 2);
	variable_set(&s->vars, "nt_version", major == 10 ? "6.3" : r->version);
	variable_set(&s->vars, "driver_database", s->database ? "yes" : "no");
	variable_set(&s->vars, "build", r->build);
	variable_set(&s->vars, "ubr", r->ubr);
	variable_set(&s->vars, "display_version", r->display);
	variable_set(&s->vars, "release_id", r->id);
	variable_set(&s->vars, "lab", r->lab);
	variable_set(&s->vars, "system_root", s->pe ? "X:\\windows" : "C:\\Windows");
	variable_set(&s->vars, "computer", s->pe ? "MINWINPC" : "SAMPLE-PC");
	variable_set(&s->vars, "product_type", r->server ? "ServerNT" : "WinNT");
	variable_set(&s->vars, "product_suite", r->server ? "\"Terminal Server\"" : "");
	variable_set(&s->vars, "last_known_good", s->control_sets > 1 ? "2" : "1");
	set_edition(s, r);
}

/* ---- files ---------------------------------------------------------------------------
 */

static const struct {
	const char *path;
	enum pe_kind kind;
	bool x86_boot; /* BIOS: not on arm64 */
	bool full;     /* not in Windows PE */
} system_files[] = {
	{"Windows/explorer.exe", PE_PROGRAM, false, true},
	{"Windows/System32/ntoskrnl.exe", PE_DRIVER, false, false},
	{"Windows/System32/hal.dll", PE_DLL, false, false},
	{"Windows/System32/ci.dll", PE_DLL, false, false},
	{"Windows/System32/kdcom.dll", PE_DLL, false, false},
	{"Windows/System32/bootvid.dll", PE_DLL, false, false},
	{"Windows/System32/PSHED.DLL", PE_DLL, false, false},
	{"Windows/System32/ntdll.dll", PE_DLL, false, false},
	{"Windows/System32/kernel32.dll", PE_DLL, false, false},
	{"Windows/System32/setupapi.dll", PE_DLL, false, false},
	{"Windows/System32/smss.exe", PE_PROGRAM, false, false},
	{"Windows/System32/csrss.exe", PE_PROGRAM, false, false},
	{"Windows/System32/winlogon.exe", PE_PROGRAM, false, false},
	{"Windows/System32/services.exe", PE_PROGRAM, false, false},
	{"Windows/System32/lsass.exe", PE_PROGRAM, false, true},
	{"Windows/System32/svchost.exe", PE_PROGRAM, false, false},
	{"Windows/System32/oobe/windeploy.exe", PE_PROGRAM, false, true},
	{"Windows/System32/Sysprep/sysprep.exe", PE_PROGRAM, false, true},
	{"Windows/System32/winload.exe", PE_BOOT, true, false},
	{"Windows/System32/winload.efi", PE_BOOT, false, false},
	{"Windows/System32/winresume.exe", PE_BOOT, true, true},
	{"Windows/System32/winresume.efi", PE_BOOT, false, true},
	{"Windows/System32/Boot/winload.efi", PE_BOOT, false, false},
	{"Windows/System32/drivers/afd.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/ataport.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/beep.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/Classpnp.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/CLFS.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/EhStorClass.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/fastfat.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/fltMgr.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/fs_rec.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/fvevol.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/hidclass.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/mountmgr.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/ndis.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/ntfs.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/null.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/partmgr.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/pciidex.sys", PE_DRIVER, true, false},
	{"Windows/System32/drivers/storport.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/tcpip.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/volsnap.sys", PE_DRIVER, false, false},
	{"Windows/System32/drivers/Wdf01000.sys", PE_DRIVER, false, false},
	{"Windows/Boot/EFI/bootmgr.efi", PE_EFI, false, false},
	{"Windows/Boot/EFI/memtest.efi", PE_BOOT, false, false},
	{"Windows/Boot/PCAT/memtest.exe", PE_BOOT, true, false},
	{"Windows/Boot/Resources/bootres.dll", PE_DLL, false, false},
};

static void put_pe(const struct sample *s, const char *path, enum pe_kind kind)
{
	_cleanup_buffer_ struct buffer image = BUFFER_INIT;
	struct noise noise = noise_seed(path);
	struct pe pe = {.machine = s->machine,
			.kind = kind,
			.name = path_base(path),
			.description = "Sample system file",
			.company = "gild sample",
			.version = s->version,
			.size = 16384 + noise_next(&noise) % 200000};

	pe_build(&pe, &image);
	file_put(s->dir, path, buffer_view(&image));
}

static void put_noise(const struct sample *s, const char *path, size_t len)
{
	_cleanup_free_ uint8_t *data = xmalloc(len);
	struct noise noise = noise_seed(path);

	noise_fill(&noise, data, len);
	file_put(s->dir, path, (struct bytes){data, len});
}

static void put_text(const struct sample *s, const char *path, const char *text)
{
	file_put(s->dir, path, (struct bytes){(const uint8_t *)text, strlen(text)});
}

/*
 * A boot manager that runs, where there is one: else what only looks like it. `mark`
 * follows it, so that two of them differ.
 */
static bool put_standin(const struct sample *s, const char *name, const char *path,
			const char *mark)
{
	_cleanup_buffer_ struct buffer program = BUFFER_INIT;

	if (s->machine == MACHINE_ARM64 || !standin_read(name, &program))
		return false;
	buffer_append_string(&program, mark);
	file_put(s->dir, path, buffer_view(&program));
	return true;
}

static void put_managers(const struct sample *s)
{
	static const char manager[] = "Windows/Boot/EFI/bootmgfw.efi",
			  ex[] = "Windows/Boot/EFI_EX/bootmgfw_EX.efi",
			  bios[] = "Windows/Boot/PCAT/bootmgr";
	bool uefi = s->machine == MACHINE_AMD64;

	if (!uefi || !put_standin(s, "bootmgfw.efi", manager, ""))
		put_pe(s, manager, PE_EFI);
	if (strcmp(s->windows, "11") == 0 &&
	    (!uefi || !put_standin(s, "bootmgfw.efi", ex, "2023")))
		put_pe(s, ex, PE_EFI);
	if (s->machine != MACHINE_ARM64 && !put_standin(s, "bootmgr", bios, ""))
		put_noise(s, bios, 400000);
}

/* 24H2 brought boot files signed with the UEFI CA of 2023. */
static void put_boot_files(const struct sample *s)
{
	put_noise(s, "Windows/Boot/Fonts/segmono_boot.ttf", 44000);
	put_noise(s, "Windows/Boot/Fonts/wgl4_boot.ttf", 47000);
	put_managers(s);
	if (s->machine != MACHINE_ARM64)
		put_noise(s, "Windows/Boot/PCAT/bootnxt", 1);
	if (strcmp(s->windows, "11") != 0)
		return;
	put_pe(s, "Windows/Boot/EFI_EX/bootmgr_EX.efi", PE_EFI);
	put_noise(s, "Windows/Boot/Fonts_EX/segmono_boot_EX.ttf", 44000);
	put_noise(s, "Windows/Boot/Fonts_EX/wgl4_boot_EX.ttf", 47000);
}

/* 32-bit Vista and 7 have the HAL and the kernel of every kind of PC beside each other.
 */
static void put_hals(const struct sample *s)
{
	static const char *const files[] = {"halacpi.dll", "halmacpi.dll",
					    "ntkrnlpa.exe"};

	for (size_t i = 0; i < ARRAY_SIZE(files) && !s->database; i++) {
		_cleanup_free_ char *path = xasprintf("Windows/System32/%s", files[i]);

		if (s->machine == MACHINE_X86)
			put_pe(s, path,
			       text_ends_with(path, ".dll") ? PE_DLL : PE_DRIVER);
	}
}

static void put_system_files(const struct sample *s)
{
	static const char *const folders[] = {
		"Windows/System32/config/RegBack",
		"Windows/System32/config/systemprofile",
		"Windows/System32/DriverStore/Temp",
		"Windows/System32/CatRoot/{127D0A1D-4EF2-11D1-8608-00C04FC295EE}",
		"Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}",
		"Windows/System32/catroot2",
		"Windows/Temp",
	};
	static const char *const full_folders[] = {
		"Program Files/Common Files",
		"ProgramData",
		"Users/Public",
		"Windows/Panther",
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		folder_make(s->dir, folders[i]);
	for (size_t i = 0; i < ARRAY_SIZE(full_folders) && !s->pe; i++)
		folder_make(s->dir, full_folders[i]);
	for (size_t i = 0; i < ARRAY_SIZE(system_files); i++)
		if (!(system_files[i].x86_boot && s->machine == MACHINE_ARM64) &&
		    !(system_files[i].full && s->pe))
			put_pe(s, system_files[i].path, system_files[i].kind);
	put_boot_files(s);
	put_hals(s);
	put_noise(s, "Windows/System32/C_1252.NLS", 66082);
	put_noise(s, "Windows/System32/l_intl.nls", 9046);
	put_noise(s, "Windows/Fonts/segoeui.ttf", 300000);
	put_text(s, "Windows/system.ini", "; for 16-bit app support\r\n[386Enh]\r\n");
	if (s->pe) {
		put_pe(s, "Windows/System32/winpeshl.exe", PE_PROGRAM);
		put_text(s, "Windows/System32/startnet.cmd", "wpeinit\r\n");
	}
	if (s->pe && s->setup)
		put_pe(s, "setup.exe", PE_PROGRAM);
}

/* ---- hives ---------------------------------------------------------------------------
 */

static void put_hive(const struct sample *s, const struct key *root, const char *path,
		     const char *inner_name)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", s->dir, path);
	static const char *const logs[] = {"LOG1", "LOG2"};

	file_put(s->dir, path, (struct bytes){0});
	hive_write(root, full, inner_name, HIVE_SDDL, sample_filetime);
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		_cleanup_free_ char *log = xasprintf("%s.%s", path, logs[i]);

		file_put(s->dir, log, (struct bytes){0});
	}
}

static void put_described_hive(const struct sample *s, const char *description,
			       const char *path, const char *inner_name)
{
	struct key *root = key_new("ROOT");

	key_load(root, description, &s->vars);
	put_hive(s, root, path, inner_name);
	key_free(root);
}

/* Somebody's SYSTEM hive with its logs, for tests on real ones. */
void sample_given_system(const struct sample *s)
{
	static const char *const ends[] = {"", ".LOG1", ".LOG2"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		_cleanup_free_ char *from = xasprintf("%s%s", s->system_file, ends[i]);
		_cleanup_free_ char *to =
			xasprintf("Windows/System32/config/SYSTEM%s", ends[i]);
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;
		struct error err = ERROR_INIT;

		if (i > 0 && access(from, F_OK) < 0)
			continue;
		(void)file_read(from, 1 << 30, &data, &err);
		die_on(&err);
		file_put(s->dir, to, buffer_view(&data));
	}
}

static void put_hives(struct sample *s)
{
	for (unsigned set = 1; set <= s->control_sets; set++) {
		char number[8];

		snprintf(number, sizeof(number), "%03u", set);
		variable_set(&s->vars, "set", number);
		key_load(s->system, "controlset.txt", &s->vars);
	}
	put_hive(s, s->system, "Windows/System32/config/SYSTEM", "SYSTEM");
	if (s->system_file)
		sample_given_system(s);
	put_hive(s, s->software, "Windows/System32/config/SOFTWARE",
		 "emRoot\\System32\\Config\\SOFTWARE");
	if (s->database)
		put_hive(s, s->drivers, "Windows/System32/config/DRIVERS",
			 "\\SystemRoot\\System32\\Config\\DRIVERS");
	put_described_hive(s, "user.txt", "Windows/System32/config/DEFAULT",
			   "temRoot\\System32\\Config\\DEFAULT");
	put_described_hive(s, "sam.txt", "Windows/System32/config/SAM",
			   "\\SystemRoot\\System32\\Config\\SAM");
	put_described_hive(s, "lsa.txt", "Windows/System32/config/SECURITY",
			   "emRoot\\System32\\Config\\SECURITY");
	put_described_hive(s, "bcd-template.txt", "Windows/System32/config/BCD-Template",
			   "\\System32\\config\\BCD-Template");
	if (!s->pe)
		put_described_hive(s, "user.txt", "Users/Default/NTUSER.DAT",
				   "C:\\Users\\Default\\NTUSER.DAT");
}

void sample_tree(struct sample *s)
{
	if (sample_is_nt5(s->windows)) {
		sample_nt5_tree(s);
		return;
	}
	derive(s);
	s->system = key_new("ROOT");
	s->software = key_new("ROOT");
	s->drivers = key_new("ROOT");
	folder_make(s->dir, "Windows");
	put_system_files(s);
	key_load(s->system, "system.txt", &s->vars);
	key_load(s->software, "software.txt", &s->vars);
	key_load(s->drivers, "drivers.txt", &s->vars);
	packages_add(s, s->database ? "inbox.txt" : "inbox7.txt");
	if (s->oem)
		packages_add(s, "oem.txt");
	put_hives(s);
	padding_make(s->dir, s->files, s->bytes);
	folder_times(s->dir);
	key_free(s->system);
	key_free(s->software);
	key_free(s->drivers);
	vec_foreach (v, &s->vars)
		free(v->value);
	vec_free(&s->vars);
}
