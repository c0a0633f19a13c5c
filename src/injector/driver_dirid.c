/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Directory identifiers. Numbers from 16384 on are CSIDL folders ("Using Dirids" in
 * Microsoft's driver documentation), 66000 to 66003 the print spooler's.
 *
 * In registry data a dirid becomes a path of the running Windows. Real hives hold only
 * literal %SystemRoot% (written %%SystemRoot%% in the INF), so what an offline Windows
 * puts there is chosen: %SystemRoot%\... where the value is expanded when it is read, and
 * C:\Windows\..., the drive every image is made for, where it is not.
 */
#include "base/text.h"
#include "injector/driver_private.h"

#define WINDOWS "Windows"
#define SPOOL WINDOWS "/System32/spool"

static const struct {
	uint32_t dirid;
	const char *path;
} dirids[] = {
	{10, WINDOWS},
	{11, WINDOWS "/System32"},
	{12, WINDOWS "/System32/drivers"},
	{17, WINDOWS "/INF"},
	{18, WINDOWS "/Help"},
	{20, WINDOWS "/Fonts"},
	{21, WINDOWS "/System32/viewers"},
	{23, SPOOL "/drivers/color"},
	{24, ""},
	{25, WINDOWS},
	{30, ""},
	{50, WINDOWS "/System"},
	{51, SPOOL},
	{52, SPOOL "/drivers"},
	{54, ""},
	{16406, "ProgramData/Microsoft/Windows/Start Menu"},
	{16407, "ProgramData/Microsoft/Windows/Start Menu/Programs"},
	{16408, "ProgramData/Microsoft/Windows/Start Menu/Programs/Startup"},
	{16409, "Users/Public/Desktop"},
	{16419, "ProgramData"},
	{16420, WINDOWS},
	{16421, WINDOWS "/System32"},
	{16422, "Program Files"},
	{16425, WINDOWS "/SysWOW64"},
	{16426, "Program Files (x86)"},
	{16427, "Program Files/Common Files"},
	{16428, "Program Files (x86)/Common Files"},
	{16429, "ProgramData/Microsoft/Windows/Templates"},
	{16430, "Users/Public/Documents"},
	{66002, WINDOWS "/System32"},
	{66003, SPOOL "/drivers/color"},
};

/* The spooler's own names of the architectures. */
static const struct {
	enum windows_arch arch;
	const char *drivers, *processors;
} printing[] = {
	{ARCH_X86, SPOOL "/drivers/w32x86/3", SPOOL "/prtprocs/w32x86"},
	{ARCH_AMD64, SPOOL "/drivers/x64/3", SPOOL "/prtprocs/x64"},
	{ARCH_ARM, SPOOL "/drivers/ARM/3", SPOOL "/prtprocs/ARM"},
	{ARCH_ARM64, SPOOL "/drivers/ARM64/3", SPOOL "/prtprocs/ARM64"},
};

const char *driver_dirid_path(uint32_t dirid, enum windows_arch arch)
{
	if (arch == ARCH_X86) {
		/* One set of folders for all programs. */
		dirid = dirid == 16425	 ? 16421
			: dirid == 16426 ? 16422
			: dirid == 16428 ? 16427
					 : dirid;
	}
	for (size_t i = 0; i < ARRAY_SIZE(dirids); i++)
		if (dirids[i].dirid == dirid)
			return dirids[i].path;
	for (size_t i = 0; i < ARRAY_SIZE(printing); i++) {
		if (printing[i].arch != arch)
			continue;
		if (dirid == 66000)
			return printing[i].drivers;
		if (dirid == 66001 || dirid == 55)
			return printing[i].processors;
	}
	return NULL;
}

static const char *store_path(struct reading *r)
{
	if (!r->store_path) {
		_cleanup_free_ char *name =
			driver_store_name(r->driver->inf_name,
					  buffer_view(&r->driver->raw), r->target->arch);

		r->store_path = xasprintf(
			WINDOWS "/System32/DriverStore/FileRepository/%s", name);
	}
	return r->store_path;
}

/* Appends the path with backslashes; true if it ends with one. */
static bool append_path(struct buffer *out, const char *path, bool expand)
{
	size_t n = strlen(WINDOWS);

	if (expand && text_equal_n(path, WINDOWS, n) && (!path[n] || path[n] == '/')) {
		buffer_append_string(out, "%SystemRoot%");
		path += n;
	} else {
		buffer_append_string(out, expand ? "%SystemDrive%\\" : "C:\\");
	}
	for (; *path; path++)
		buffer_append(out, *path == '/' ? "\\" : path, 1);
	return out->data[out->len - 1] == '\\';
}

char *resolve_dirids(struct reading *r, const char *marked, bool expand)
{
	struct buffer out = BUFFER_INIT;
	const char *mark;

	while ((mark = strchr(marked, INF_DIRID_MARK))) {
		const char *close = strchr(mark + 1, INF_DIRID_MARK);
		_cleanup_free_ char *number = NULL;
		const char *path;
		uint32_t dirid;

		if (!close)
			break;
		buffer_append(&out, marked, (size_t)(mark - marked));
		number = xstrndup(mark + 1, (size_t)(close - mark) - 1);
		if (!inf_parse_number(number, &dirid))
			dirid = 0;
		path = dirid == 1 || dirid == 13
			       ? store_path(r)
			       : driver_dirid_path(dirid, r->target->arch);
		marked = close + 1;
		if (!path)
			buffer_printf(&out, "%%%s%%", number);
		else if (append_path(&out, path, expand) && *marked == '\\')
			marked++; /* SetupAPI joins "C:\" and "\x" to one */
	}
	buffer_append_string(&out, marked);
	return buffer_steal_string(&out);
}

bool split_dirid(const char *marked, uint32_t *dirid, const char **rest)
{
	_cleanup_free_ char *number = NULL;
	const char *close;

	if (*marked != INF_DIRID_MARK || !(close = strchr(marked + 1, INF_DIRID_MARK)))
		return false;
	number = xstrndup(marked + 1, (size_t)(close - marked) - 1);
	if (!inf_parse_number(number, dirid))
		return false;
	close++;
	while (*close == '\\' || *close == '/')
		close++;
	*rest = close;
	return true;
}
