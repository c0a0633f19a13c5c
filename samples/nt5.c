/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sample Windows XP and Server 2003 (samples/nt5): a tree as these had it, with a
 * driver cache of cabinets, boot.ini, INFs of our own and no driver store.
 */
#include <stdio.h>

#include "samples/sample.h"

#define HIVE_SDDL "O:BAG:SYD:(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;BU)(A;CI;KA;;;CO)"
/* A block of a cabinet's data holds at most this. */
#define CAB_BLOCK 32768u

static const struct nt5_release {
	const char *name, *version, *build, *product, *type;
	const char *service_pack;
	unsigned csd;
	uint64_t files, rtm; /* of the service pack, and of the first release */
	bool server;
} releases[] = {
	{"xp", "5.1", "2600", "Microsoft Windows XP", "WinNT", "3", 0x300,
	 0x000500010A281588, 0x000500010A280000, false},
	{"2003", "5.2", "3790", "Microsoft Windows Server 2003", "ServerNT", "2", 0x200,
	 0x000500020ECE0F77, 0x000500020ECE0000, true},
};

/* HAL and kernels by the hardware ID of the Computer device. */
static const struct nt5_hal {
	const char *id, *file;
	bool multiprocessor;
} hals[] = {
	{"acpiapic_mp", "halmacpi.dll", true},
	{"acpiapic_up", "halaacpi.dll", false},
	{"acpipic_up", "halacpi.dll", false},
	{"e_isa_up", "hal.dll", false},
};

static const struct nt5_release *find_release(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(releases); i++)
		if (strcmp(releases[i].name, name) == 0)
			return &releases[i];
	return NULL;
}

bool sample_is_nt5(const char *windows)
{
	return find_release(windows) != NULL;
}

/* ---- files ---------------------------------------------------------------------------
 */

static void build_pe(const struct sample *s, const char *name, enum pe_kind kind,
		     uint64_t version, struct buffer *out)
{
	struct pe pe = {.machine = s->machine,
			.kind = kind,
			.name = name,
			.description = "Sample system file",
			.company = "gild sample",
			.version = version,
			.size = 4096};

	pe_build(&pe, out);
}

static void put_pe(const struct sample *s, const char *path, const char *original,
		   enum pe_kind kind, uint64_t version)
{
	_cleanup_buffer_ struct buffer image = BUFFER_INIT;

	build_pe(s, original, kind, version, &image);
	file_put(s->dir, path, buffer_view(&image));
}

static void put_text(const struct sample *s, const char *path, const char *text)
{
	file_put(s->dir, path, (struct bytes){(const uint8_t *)text, strlen(text)});
}

/* A description of this folder's, as CRLF. */
static void put_inf(const struct sample *s, const char *name)
{
	_cleanup_free_ char *from = xasprintf("%s/nt5/%s", samples_folder(), name);
	_cleanup_free_ char *to = xasprintf("Windows/inf/%s", name);
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;
	FILE *f = fopen(from, "re");
	int c;

	if (!f)
		die("%s cannot be read", from);
	while ((c = fgetc(f)) != EOF) {
		char byte = (char)c;

		if (c == '\n')
			buffer_append(&text, "\r", 1);
		buffer_append(&text, &byte, 1);
	}
	fclose(f);
	file_put(s->dir, to, buffer_view(&text));
}

/* ---- cabinets: stored, one folder ("Microsoft Cabinet Format") ------------------------
 */

struct cab_file {
	const char *name;
	struct buffer data;
};
DEFINE_VEC(cab_files, struct cab_file);

static void cab_add(const struct sample *s, struct cab_files *files, const char *name,
		    enum pe_kind kind, uint64_t version)
{
	struct cab_file file = {.name = name};

	build_pe(s, name, kind, version, &file.data);
	vec_push(files, file);
}

static void cab_header(struct buffer *out, const struct cab_files *files, size_t data_at,
		       size_t total, size_t blocks)
{
	buffer_append(out, "MSCF", 4);
	buffer_append_le32(out, 0);
	buffer_append_le32(out, (uint32_t)total);
	buffer_append_le32(out, 0);
	buffer_append_le32(out, 36 + 8); /* where the files' entries start */
	buffer_append_le32(out, 0);
	buffer_append_le16(out, 0x0103);
	buffer_append_le16(out, 1);
	buffer_append_le16(out, (uint16_t)files->len);
	buffer_append_le16(out, 0);
	buffer_append_le32(out, 0);
	buffer_append_le32(out, (uint32_t)data_at);
	buffer_append_le16(out, (uint16_t)blocks);
	buffer_append_le16(out, 0); /* stored */
}

static void cab_put(const struct sample *s, const char *path, struct cab_files *files)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT, all = BUFFER_INIT;
	size_t entries = 0, blocks, data_at;

	vec_foreach (file, files) {
		entries += 16 + strlen(file->name) + 1;
		buffer_append(&all, file->data.data, file->data.len);
	}
	blocks = (all.len + CAB_BLOCK - 1) / CAB_BLOCK;
	data_at = 36 + 8 + entries;
	cab_header(&out, files, data_at, data_at + all.len + 8 * blocks, blocks);
	for (size_t i = 0, at = 0; i < files->len; i++) {
		const struct cab_file *file = &files->items[i];

		buffer_append_le32(&out, (uint32_t)file->data.len);
		buffer_append_le32(&out, (uint32_t)at);
		buffer_append_le16(&out, 0);
		buffer_append_le16(&out, 0x3c8e); /* 2010-04-14 */
		buffer_append_le16(&out, 0);
		buffer_append_le16(&out, 0x20);
		buffer_append(&out, file->name, strlen(file->name) + 1);
		at += file->data.len;
	}
	for (size_t at = 0; at < all.len; at += CAB_BLOCK) {
		size_t n = all.len - at < CAB_BLOCK ? all.len - at : CAB_BLOCK;

		buffer_append_le32(&out, 0); /* no checksum */
		buffer_append_le16(&out, (uint16_t)n);
		buffer_append_le16(&out, (uint16_t)n);
		buffer_append(&out, all.data + at, n);
	}
	file_put(s->dir, path, buffer_view(&out));
	vec_foreach (file, files)
		buffer_free(&file->data);
	vec_free(files);
}

/* What setup copies to the disk and service packs add to. */
static void put_driver_cache(const struct sample *s, const struct nt5_release *r)
{
	static const char *const system[] = {
		"hal.dll",	"halacpi.dll",	"halaacpi.dll", "halmacpi.dll",
		"ntoskrnl.exe", "ntkrnlpa.exe", "ntkrnlmp.exe", "ntkrpamp.exe"};
	static const char *const drivers[] = {
		"pciide.sys",	"pciidex.sys", "aic78xx.sys", "symc8xx.sys",
		"mraid35x.sys", "dpti2o.sys",  "isapnp.sys"};
	struct cab_files first = VEC_INIT, pack = VEC_INIT;
	const char *folder = s->machine == MACHINE_X86 ? "i386" : "amd64";
	_cleanup_free_ char *driver_cab =
		xasprintf("Windows/Driver Cache/%s/driver.cab", folder);
	_cleanup_free_ char *pack_cab =
		xasprintf("Windows/Driver Cache/%s/sp%s.cab", folder, r->service_pack);

	for (size_t i = 0; i < ARRAY_SIZE(system); i++) {
		enum pe_kind kind = strstr(system[i], ".dll") ? PE_DLL : PE_DRIVER;

		cab_add(s, &first, system[i], kind, r->rtm);
		cab_add(s, &pack, system[i], kind, r->files);
	}
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		cab_add(s, &first, drivers[i], PE_DRIVER, r->rtm);
	/* A service pack has only what it changed. */
	cab_add(s, &pack, "pciide.sys", PE_DRIVER, r->files);
	cab_put(s, driver_cab, &first);
	cab_put(s, pack_cab, &pack);
}

static void put_system_files(const struct sample *s, const struct nt5_release *r,
			     const struct nt5_hal *hal)
{
	static const char *const drivers[] = {
		"acpi.sys",	"pci.sys",	"isapnp.sys",	"disk.sys",
		"partmgr.sys",	"atapi.sys",	"intelide.sys", "pciidex.sys",
		"scsiport.sys", "i8042prt.sys", "intelppm.sys", "agp440.sys",
		"oldvendor.sys"};
	static const char *const folders[] = {
		"Windows/System32/CatRoot/{127D0A1D-4EF2-11D1-8608-00C04FC295EE}",
		"Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}",
		"Windows/Temp", "Program Files/Common Files",
		"Documents and Settings/All Users"};
	bool mp = hal->multiprocessor || s->machine != MACHINE_X86;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		folder_make(s->dir, folders[i]);
	put_pe(s, "Windows/explorer.exe", "EXPLORER.EXE", PE_PROGRAM, r->files);
	put_pe(s, "Windows/System32/hal.dll",
	       s->machine == MACHINE_X86 ? hal->file : "hal.dll", PE_DLL, r->files);
	put_pe(s, "Windows/System32/ntoskrnl.exe", mp ? "ntkrnlmp.exe" : "ntoskrnl.exe",
	       PE_DRIVER, r->files);
	if (s->machine == MACHINE_X86)
		put_pe(s, "Windows/System32/ntkrnlpa.exe",
		       mp ? "ntkrpamp.exe" : "ntkrnlpa.exe", PE_DRIVER, r->files);
	put_pe(s, "Windows/System32/ntdll.dll", "ntdll.dll", PE_DLL, r->files);
	put_pe(s, "Windows/System32/smss.exe", "smss.exe", PE_PROGRAM, r->files);
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		_cleanup_free_ char *path =
			xasprintf("Windows/System32/drivers/%s", drivers[i]);

		put_pe(s, path, drivers[i], PE_DRIVER, r->files);
	}
}

static void put_boot_files(const struct sample *s, const struct nt5_release *r)
{
	_cleanup_free_ char *menu = xasprintf(
		"[boot loader]\r\ntimeout=30\r\n"
		"default=multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS\r\n"
		"[operating systems]\r\n"
		"multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS=\"%s\" /noexecute=opt%s "
		"/fastdetect\r\n",
		r->product, r->server ? "out" : "in");
	struct noise noise = noise_seed("ntldr");
	uint8_t data[20000];

	put_text(s, "boot.ini", menu);
	noise_fill(&noise, data, sizeof(data));
	file_put(s->dir, "ntldr", (struct bytes){data, sizeof(data)});
	file_put(s->dir, "NTDETECT.COM", (struct bytes){data, 4096});
}

/* ---- hives ---------------------------------------------------------------------------
 */

static void put_hive(const struct sample *s, struct key *root, const char *name)
{
	_cleanup_free_ char *path = xasprintf("Windows/System32/config/%s", name);
	_cleanup_free_ char *full = xasprintf("%s/%s", s->dir, path);
	_cleanup_free_ char *log = xasprintf("%s.LOG", path);
	_cleanup_free_ char *inner = xasprintf("\\System32\\Config\\%s", name);

	file_put(s->dir, path, (struct bytes){0});
	hive_write(root, full, inner, HIVE_SDDL, sample_filetime);
	file_put(s->dir, log, (struct bytes){0});
	key_free(root);
}

static void put_described(struct sample *s, const char *description, const char *name)
{
	struct key *root = key_new("ROOT");

	key_load(root, description, &s->vars);
	put_hive(s, root, name);
}

static void put_hives(struct sample *s)
{
	struct key *system = key_new("ROOT"), *software = key_new("ROOT");

	key_load(system, "nt5/system.txt", &s->vars);
	for (unsigned set = 1; set <= s->control_sets; set++) {
		char number[8];

		snprintf(number, sizeof(number), "%03u", set);
		variable_set(&s->vars, "set", number);
		key_load(system, "nt5/controlset.txt", &s->vars);
	}
	key_load(software, "nt5/software.txt", &s->vars);
	put_hive(s, system, "SYSTEM");
	if (s->system_file)
		sample_given_system(s);
	put_hive(s, software, "SOFTWARE");
	put_described(s, "user.txt", "DEFAULT");
	put_described(s, "sam.txt", "SAM");
	put_described(s, "lsa.txt", "SECURITY");
}

void sample_nt5_tree(struct sample *s)
{
	static const char *const infs[] = {"mshdc.inf", "scsi.inf", "pnpscsi.inf",
					   "machine.inf", "layout.inf"};
	const struct nt5_release *r = find_release(s->windows);
	const struct nt5_hal *hal = NULL;
	char csd[16];

	for (size_t i = 0; i < ARRAY_SIZE(hals); i++)
		if (strcmp(hals[i].id, s->hal ? s->hal : "acpipic_up") == 0)
			hal = &hals[i];
	if (!hal)
		die("--hal is one of acpiapic_mp, acpiapic_up, acpipic_up, e_isa_up");
	s->machine = strcmp(s->arch, "x86") == 0     ? MACHINE_X86
		     : strcmp(s->arch, "amd64") == 0 ? MACHINE_AMD64
						     : 0;
	if (!s->machine || s->pe)
		die("--windows=xp and 2003 are for x86 and amd64, and have no Windows "
		    "PE");
	snprintf(csd, sizeof(csd), "0x%x", r->csd);
	variable_set(&s->vars, "csd", csd);
	variable_set(&s->vars, "hal", hal->id);
	variable_set(&s->vars, "product", r->product);
	variable_set(&s->vars, "version", r->version);
	variable_set(&s->vars, "build", r->build);
	variable_set(&s->vars, "service_pack", r->service_pack);
	variable_set(&s->vars, "product_type", r->type);
	variable_set(&s->vars, "product_suite", r->server ? "\"Terminal Server\"" : "");
	variable_set(&s->vars, "current_type",
		     hal->multiprocessor ? "Multiprocessor Free" : "Uniprocessor Free");
	variable_set(&s->vars, "processor", s->machine == MACHINE_X86 ? "x86" : "AMD64");
	variable_set(&s->vars, "state", s->generalized ? "generalized" : "installed");
	variable_set(&s->vars, "last_known_good", s->control_sets > 1 ? "2" : "1");
	put_system_files(s, r, hal);
	put_driver_cache(s, r);
	put_boot_files(s, r);
	for (size_t i = 0; i < ARRAY_SIZE(infs); i++)
		put_inf(s, infs[i]);
	put_hives(s);
	padding_make(s->dir, s->files, s->bytes);
	folder_times(s->dir);
	vec_foreach (v, &s->vars)
		free(v->value);
	vec_free(&s->vars);
}
