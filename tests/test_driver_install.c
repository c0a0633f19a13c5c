/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an INF's install sections do: files, registry, services and what belongs to them,
 * Include and Needs, and their bounds. Every rule has its case; the texts are our own.
 */
#include "driver_text.h"

#include <unistd.h>

#include "base/text.h"

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

/* As real hives of 8.1 and 10 record it: the key WUDF is cleared, then its settings. */
static void user_mode_framework_settings_go_to_the_device(void **state _unused_)
{
	_cleanup_driver_ struct driver *d =
		open_body("[Inst]\n[Inst.Wdf]\nKmdfService=k,K\nUmdfService=u,U\n"
			  "UmdfServiceOrder=u,v\nUmdfImpersonationLevel=Impersonation\n"
			  "UmdfMethodNeitherAction=nonsense\n");
	const struct inf_configuration *c = &d->configurations.items[0];

	assert_true(c->umdf);
	assert_int_equal(c->hw_regs.len, 3);
	assert_int_equal(c->hw_regs.items[0].kind, INF_REG_DELETE_KEY);
	assert_string_equal(c->hw_regs.items[0].key, "WUDF");
	assert_string_equal(c->hw_regs.items[1].name, "DriverList");
	assert_int_equal(c->hw_regs.items[1].data.len, 10);
	assert_string_equal(c->hw_regs.items[2].name, "ImpersonationLevel");
	assert_memory_equal(c->hw_regs.items[2].data.data, "\x02\0\0\0", 4);
}

/* Windows keeps "@inf,%Token%;text": the token as the line has it, of the INF it is in.
 */
static void texts_know_their_token(void **state _unused_)
{
	static const struct library library[] = {
		{"base.inf", "[Version]\nSignature=$Chicago$\n[Base.HW]\nAddReg=R\n"
			     "[R]\nHKR,,UINumberDescFormat,,%Slot%\n[Base.Services]\n"
			     "AddService=s,2,S\n[S]\nDisplayName=%Slot%\n"
			     "[Strings]\nslot=\"Slot %1!u!\"\n"},
		{NULL, NULL},
	};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_driver_ struct driver *d =
		open_with(HEADER MODELS "[Inst]\n[Inst.HW]\nInclude=base.inf\n"
					"Needs=Base.HW\nAddReg=Own\n[Own]\n"
					"HKR,,FriendlyName,,%d%\nHKR,,Other,,%None%\n"
					"[Inst.Services]\nNeeds=Base.Services\n",
			  "10.0.19041/amd64", library, NULL, &err);
	const struct inf_configuration *c = &d->configurations.items[0];
	const struct inf_reg *r = c->hw_regs.items;

	assert_int_equal(c->hw_regs.len, 3);
	assert_string_equal(r[0].token, "d");
	assert_null(r[0].token_inf);
	assert_null(r[1].token); /* no INF has it: the text stays as it is */
	assert_utf16(&r[1].data, "%None%");
	assert_string_equal(r[2].token, "Slot");
	assert_string_equal(r[2].token_inf, "base.inf");
	assert_string_equal(c->services.items[0].display_token, "Slot");
	assert_string_equal(c->services.items[0].text_inf, "base.inf");
}

/* What keeps the kernel from configuring the device by itself is noted, not recorded. */
static void legacy_directives_are_noted(void **state _unused_)
{
	_cleanup_driver_ struct driver *d =
		open_body("[Inst]\nLogConfig=L\nRegisterDlls=R\nAddReg=A\n[L]\n[R]\n[A]\n"
			  "HKR,,CoInstallers32,0x10000,\"x.dll,Entry\"\nHKR,,Kept,,x\n");
	const struct inf_configuration *c = &d->configurations.items[0];

	assert_true(c->log_config);
	assert_true(c->register_dlls);
	assert_true(c->own_co_installers);
	assert_int_equal(c->regs.len, 1);
	assert_string_equal(c->regs.items[0].name, "Kept");
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
	assert_non_null(strstr(err.reason, "far more"));
}

/* Each of these lists was searched or carried out without bound in some reader. */
static void long_lists_are_bounded(void **state _unused_)
{
	static const struct {
		const char *before, *item, *after;
	} cases[] = {
		{"[Inst]\nNeeds=x", ",n#", "\n"},
		{"[Inst]\nInclude=x", ",n#", "\n"},
		{"[Inst]\nExcludeID=x", ",n#", "\n"},
		{"[Inst]\nAddReg=x", ",n#", "\n"},
		{"[Inst]\nCopyFiles=x", ",@n#", "\n"},
		{"[Inst]\n[Inst.Services]\nAddService=s,2,S\n[S]\nDependencies=x", ",n#",
		 "\n"},
		{"[Inst]\nAddReg=R\n[R]\nHKR,,x,0x10000", ",%12%\\#", "\n"},
		{"[Inst]\nAddReg=R\n[R]\n", "HKR,,x#\n", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer b = BUFFER_INIT;

		buffer_append_string(&b, HEADER MODELS);
		buffer_append_string(&b, cases[i].before);
		for (size_t n = 0; n < 150000; n++) {
			const char *number = strchr(cases[i].item, '#');

			buffer_append(&b, cases[i].item,
				      (size_t)(number - cases[i].item));
			buffer_printf(&b, "%zu%s", n, number + 1);
		}
		buffer_append_string(&b, cases[i].after);
		_cleanup_free_ char *text = buffer_steal_string(&b);

		(void)alarm(60); /* minutes, where it is quadratic */
		driver_close(open_with(text, "10.0.19041/amd64", NULL, NULL, NULL));
		(void)alarm(0);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(install_sections_are_decorated),
		cmocka_unit_test(sub_sections_follow_the_chosen_one),
		cmocka_unit_test(user_mode_framework_settings_go_to_the_device),
		cmocka_unit_test(texts_know_their_token),
		cmocka_unit_test(legacy_directives_are_noted),
		cmocka_unit_test(what_is_not_carried_out_is_named),
		cmocka_unit_test(include_and_needs),
		cmocka_unit_test(an_include_that_fails_is_an_error),
		cmocka_unit_test(needs_is_bounded),
		cmocka_unit_test(work_is_bounded),
		cmocka_unit_test(long_lists_are_bounded),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
