/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which Windows this is and in what state: from SOFTWARE where it says so, else from the
 * kernel's version resource, else from the driver database of the SYSTEM hive.
 */
#include <errno.h>

#include "base/text.h"
#include "windows/installation_private.h"
#include "windows/pe.h"

#define KERNEL "Windows/System32/ntoskrnl.exe"
#define KERNEL_LIMIT ((size_t)64 << 20)
#define STATE_INI "Windows/Setup/State/State.ini"
#define STATE_INI_LIMIT ((size_t)64 << 10)
#define WINDOWS_11_BUILD 22000

static hkey software_key(const struct inspection *in, const char *path)
{
	return in->software ? hive_find(in->software, hive_root(in->software), path) : 0;
}

/* A key below the current control set. */
static hkey control_key(const struct inspection *in, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s\\%s", in->out->control_set, path);

	return hive_find(in->system, hive_root(in->system), full);
}

static char *text_of(struct hive *hive, hkey key, const char *name)
{
	return key ? hive_get_string(hive, key, name) : NULL;
}

/* Decimal digits only, as Windows writes CurrentBuildNumber; 0 for anything else. */
static uint32_t number_of(const char *text)
{
	unsigned long v;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	v = strtoul(text, &end, 10);
	return errno || *end || v > UINT32_MAX ? 0 : (uint32_t)v;
}

/* ---- version ----------------------------------------------------------------------- */

static void version_from_software(struct inspection *in)
{
	struct target *t = &in->out->target;
	hkey key = software_key(in, "Microsoft\\Windows NT\\CurrentVersion");
	_cleanup_free_ char *build = NULL, *version = NULL;

	if (!key)
		return;
	/* "CurrentBuild" is a text without meaning on XP, so the number comes first. */
	build = hive_get_string(in->software, key, "CurrentBuildNumber");
	if (!number_of(build)) {
		free(build);
		build = hive_get_string(in->software, key, "CurrentBuild");
	}
	t->build = number_of(build);
	hive_get_dword(in->software, key, "UBR", &in->out->revision);
	/* Windows 10 on: CurrentVersion stays at "6.3" for old programs. */
	if (hive_get_dword(in->software, key, "CurrentMajorVersionNumber", &t->major)) {
		hive_get_dword(in->software, key, "CurrentMinorVersionNumber", &t->minor);
		return;
	}
	version = hive_get_string(in->software, key, "CurrentVersion");
	if (version) {
		char *dot = strchr(version, '.');

		if (dot)
			*dot++ = '\0';
		t->major = number_of(version);
		t->minor = number_of(dot);
	}
}

/* The kernel file is read at most once, and only when the registry does not tell. */
static bool read_kernel(struct inspection *in, struct buffer *ret)
{
	if (tree_stat(in->tree, KERNEL, NULL, NULL) <= 0)
		return false;
	return tree_read(in->tree, KERNEL, KERNEL_LIMIT, ret, NULL) == 0;
}

static void set_version(struct inspection *in, uint64_t version)
{
	struct target *t = &in->out->target;

	t->major = (uint32_t)(version >> 48) & 0xFFFF;
	t->minor = (uint32_t)(version >> 32) & 0xFFFF;
	t->build = (uint32_t)(version >> 16) & 0xFFFF;
	in->out->revision = (uint32_t)version & 0xFFFF;
}

/*
 * Microsoft's own inbox packages carry the version of the Windows they came with; updates
 * replace some, so the highest is the nearest.
 */
static void version_from_database(struct inspection *in)
{
	uint64_t best = 0;
	uint32_t v = in->node_count ? in->nodes[0].version : 0;
	uint64_t line = (uint64_t)(v >> 24) << 16 | (v >> 16 & 0xFF);

	/* The database names major and minor; a package of another line is not of ours.
	 */
	vec_foreach (package, &in->packages)
		if (package->has_version && package->version.inbox && package->provider &&
		    text_equal(package->provider, "Microsoft") &&
		    package->version.version >> 32 == line &&
		    package->version.version > best)
			best = package->version.version;
	if (best)
		set_version(in, best);
}

/* Setup notes the version it installed: the last resort, on 7 and later. */
static void version_from_setup(struct inspection *in)
{
	hkey key = hive_find(in->system, hive_root(in->system),
			     "Setup\\Service Reporting API\\Components\\CoreOS");
	_cleanup_free_ char *text = text_of(in->system, key, "Version");
	uint64_t version = 0;
	const char *p = text;

	for (int part = 0; part < 4; part++) {
		uint32_t v = 0;

		for (; p && *p >= '0' && *p <= '9' && v <= UINT16_MAX; p++)
			v = v * 10 + (uint32_t)(*p - '0');
		if (v > UINT16_MAX)
			return;
		version = version << 16 | v;
		p += p && *p == '.';
	}
	if (version >> 32)
		set_version(in, version);
}

/* ---- architecture, product type, language ------------------------------------------ */

static void read_arch(struct inspection *in, struct bytes kernel)
{
	struct target *t = &in->out->target;
	hkey key = control_key(in, "Control\\Session Manager\\Environment");
	_cleanup_free_ char *text = text_of(in->system, key, "PROCESSOR_ARCHITECTURE");

	if (text)
		t->arch = arch_parse(text);
	for (size_t i = 0; i < in->node_count && t->arch == ARCH_UNKNOWN; i++)
		t->arch = in->nodes[i].arch;
	if (t->arch == ARCH_UNKNOWN)
		t->arch = pe_arch(kernel);
}

/* VER_SUITE_* by the words of ProductSuite. */
static uint32_t suite_mask(const struct strings *suites)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} names[] = {
		{"Small Business", 0x1},
		{"Enterprise", 0x2},
		{"BackOffice", 0x4},
		{"CommunicationServer", 0x8},
		{"Terminal Server", 0x10},
		{"Small Business(Restricted)", 0x20},
		{"EmbeddedNT", 0x40},
		{"DataCenter", 0x80},
		{"Single User TS", 0x100},
		{"Personal", 0x200},
		{"Blade", 0x400},
		{"Embedded(Restricted)", 0x800},
		{"Security Appliance", 0x1000},
		{"Storage Server", 0x2000},
		{"Compute Server", 0x4000},
		{"WH Server", 0x8000},
	};
	uint32_t mask = 0;

	vec_foreach (suite, suites)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (text_equal(*suite, names[i].name))
				mask |= names[i].bit;
	return mask;
}

static void read_product_type(struct inspection *in)
{
	struct target *t = &in->out->target;
	hkey key = control_key(in, "Control\\ProductOptions");
	_cleanup_free_ char *type = text_of(in->system, key, "ProductType");
	_cleanup_(strings_free) struct strings suites = VEC_INIT;

	if (type && text_equal(type, "WinNT"))
		t->product = PRODUCT_CLIENT;
	else if (type && text_equal(type, "LanmanNT"))
		t->product = PRODUCT_DC;
	else if (type && text_equal(type, "ServerNT"))
		t->product = PRODUCT_SERVER;
	if (key && hive_get_strings(in->system, key, "ProductSuite", &suites))
		t->suite = suite_mask(&suites);
}

static void read_language(struct inspection *in)
{
	hkey key = control_key(in, "Control\\Nls\\Language");
	_cleanup_free_ char *text = text_of(in->system, key, "InstallLanguage");
	unsigned long v;
	char *end;

	if (!text)
		text = text_of(in->system, key, "Default");
	if (!text || !*text)
		return;
	v = strtoul(text, &end, 16);
	if (!*end && v <= UINT16_MAX)
		in->out->target.language = (uint16_t)v;
}

/* ---- names ------------------------------------------------------------------------- */

/* Windows 11 still calls itself "Windows 10" in this value. */
static char *product_name(const struct inspection *in, char *name)
{
	static const char old[] = "Windows 10";

	if (!name || in->out->target.build < WINDOWS_11_BUILD ||
	    in->out->target.product != PRODUCT_CLIENT || !text_starts_with(name, old))
		return name;
	_cleanup_free_ char *was = name;

	return xasprintf("Windows 11%s", was + strlen(old));
}

static bool is_winpe(const struct inspection *in)
{
	hkey setup = hive_find(in->system, hive_root(in->system), "Setup");
	_cleanup_free_ char *command = text_of(in->system, setup, "CmdLine");
	const struct installation *out = in->out;

	if (out->installation_type && text_equal(out->installation_type, "WindowsPE"))
		return true;
	if (out->edition && text_equal(out->edition, "WindowsPE"))
		return true;
	return (command && text_starts_with(path_base(command), "winpeshl")) ||
	       control_key(in, "Control\\MiniNT");
}

static void read_names(struct inspection *in)
{
	hkey key = software_key(in, "Microsoft\\Windows NT\\CurrentVersion");
	struct installation *out = in->out;

	out->product = product_name(in, text_of(in->software, key, "ProductName"));
	out->edition = text_of(in->software, key, "EditionID");
	out->installation_type = text_of(in->software, key, "InstallationType");
	if (is_winpe(in)) {
		free(out->installation_type);
		out->installation_type = xstrdup("WindowsPE");
	} else if (!out->installation_type && out->target.product != PRODUCT_ANY) {
		out->installation_type = xstrdup(
			out->target.product == PRODUCT_CLIENT ? "Client" : "Server");
	}
}

/* ---- setup state ------------------------------------------------------------------- */

/* The value of ImageState in State.ini, which setup keeps beside the registry's. */
static char *state_ini(struct inspection *in)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (tree_stat(in->tree, STATE_INI, NULL, NULL) <= 0 ||
	    tree_read(in->tree, STATE_INI, STATE_INI_LIMIT, &raw, NULL) < 0)
		return NULL;
	if (raw.len >= 2 && raw.data[0] == 0xFF && raw.data[1] == 0xFE)
		text = utf16_to_utf8(raw.data + 2, raw.len - 2);
	else
		text = xstrndup((const char *)raw.data, raw.len);
	for (char *line = strtok_r(text, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save)) {
		line += strspn(line, " \t");
		if (text_starts_with(line, "ImageState=")) {
			line += strlen("ImageState=");
			return xstrndup(line, strcspn(line, " \t;"));
		}
	}
	return NULL;
}

static const char *image_state(const char *text)
{
	static const struct {
		const char *text, *state;
	} states[] = {
		{"IMAGE_STATE_COMPLETE", "complete"},
		{"IMAGE_STATE_UNDEPLOYABLE", "undeployable"},
		{"IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE", "generalized"},
		{"IMAGE_STATE_GENERALIZE_RESEAL_TO_AUDIT", "generalized_audit"},
		{"IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE", "oobe"},
		{"IMAGE_STATE_SPECIALIZE_RESEAL_TO_AUDIT", "audit"},
	};

	for (size_t i = 0; text && i < ARRAY_SIZE(states); i++)
		if (text_equal(text, states[i].text))
			return states[i].state;
	return NULL;
}

static bool setup_flag(const struct inspection *in, const char *path, const char *name,
		       uint32_t *ret)
{
	hkey key = hive_find(in->system, hive_root(in->system), path);

	*ret = 0;
	return key && hive_get_dword(in->system, key, name, ret) && *ret;
}

/* The command that the next start runs in place of the log-on. */
static bool is_mini_setup(const struct inspection *in)
{
	hkey key = hive_find(in->system, hive_root(in->system), "Setup");
	_cleanup_free_ char *command = text_of(in->system, key, "CmdLine");
	_cleanup_free_ char *lower = command ? text_lower(command) : NULL;
	uint32_t v;

	return lower && strstr(lower, "-newsetup") && strstr(lower, "-mini") &&
	       setup_flag(in, "Setup", "SystemSetupInProgress", &v);
}

static const char *setup_state(struct inspection *in)
{
	hkey key = software_key(in, "Microsoft\\Windows\\CurrentVersion\\Setup\\State");
	_cleanup_free_ char *recorded = text_of(in->software, key, "ImageState");
	const char *state;
	uint32_t v;

	if (is_winpe(in))
		return "winpe";
	if (!image_state(recorded)) {
		free(recorded);
		recorded = state_ini(in);
	}
	state = image_state(recorded);
	/* An image that is still being set up says "complete" only at the end. */
	if (state && !text_equal(state, "complete"))
		return state;
	if (setup_flag(in, "Setup", "AuditInProgress", &v))
		return "audit";
	/* XP and Server 2003, as sysprep leaves them: mini-setup, or the factory mode. */
	if (setup_flag(in, "Setup", "FactoryPreInstallInProgress", &v))
		return "audit";
	if (setup_flag(in, "Setup", "MiniSetupInProgress", &v) || is_mini_setup(in))
		return "generalized";
	if (setup_flag(in, "Setup", "OOBEInProgress", &v))
		return "oobe";
	if (setup_flag(in, "Setup", "SystemSetupInProgress", &v))
		return "setup";
	/* 7 is the state of every finished installation; 3 and 4 follow /generalize. */
	if (!state &&
	    setup_flag(in, "Setup\\Status\\SysprepStatus", "GeneralizationState", &v) &&
	    (v == 3 || v == 4))
		return "generalized";
	return "complete";
}

/* CSDVersion of the control set: the pack in the upper byte of a word. */
static void read_service_pack(struct inspection *in)
{
	hkey key = control_key(in, "Control\\Windows");
	uint32_t v;

	if (key && target_compare_version(&in->out->target, 6, 2, 0) < 0 &&
	    hive_get_dword(in->system, key, "CSDVersion", &v))
		in->out->service_pack = v >> 8 & 0xFF;
}

int inspect_identity(struct inspection *in, struct error *err _unused_)
{
	_cleanup_buffer_ struct buffer kernel = BUFFER_INIT;
	struct target *t = &in->out->target;
	uint64_t version;

	version_from_software(in);
	if (!t->build && read_kernel(in, &kernel) &&
	    pe_file_version(buffer_view(&kernel), &version))
		set_version(in, version);
	if (!t->build)
		version_from_database(in);
	if (!t->build)
		version_from_setup(in);
	read_arch(in, buffer_view(&kernel));
	if (t->arch == ARCH_UNKNOWN && !kernel.len && read_kernel(in, &kernel))
		t->arch = pe_arch(buffer_view(&kernel));
	read_product_type(in);
	read_language(in);
	read_service_pack(in);
	read_names(in);
	in->out->state = xstrdup(setup_state(in));
	return 0;
}
