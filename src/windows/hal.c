/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "windows/hal.h"

#include "base/text.h"
#include "windows/pe.h"

#define SYSTEM32 "Windows/System32/"
#define BINARY_LIMIT ((size_t)64 << 20)

/* The installable HALs of hal.inf in XP and Server 2003, x86. */
static const struct hal_kind kinds[] = {
	{"acpiapic_mp", "halmacpi.dll", "ACPI multiprocessor", true, true},
	{"acpiapic_up", "halaacpi.dll", "ACPI uniprocessor", true, false},
	{"acpipic_up", "halacpi.dll", "ACPI PC, PIC", true, false},
	{"mps_mp", "halmps.dll", "MPS multiprocessor", false, true},
	{"mps_up", "halapic.dll", "MPS uniprocessor", false, false},
	{"e_isa_up", "hal.dll", "Standard PC", false, false},
};

const struct hal_kind *hal_kinds(size_t *n)
{
	*n = ARRAY_SIZE(kinds);
	return kinds;
}

const struct hal_kind *hal_kind_by_file(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (text_equal(kinds[i].file, file))
			return &kinds[i];
	return NULL;
}

const struct hal_kind *hal_kind_by_id(const char *hardware_id)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (text_equal(kinds[i].id, hardware_id))
			return &kinds[i];
	return NULL;
}

void hal_free(struct hal *hal)
{
	free(hal->computer_id);
	free(hal->file);
	free(hal->kernel);
	free(hal->pae_kernel);
	*hal = (struct hal){0};
}

/* OriginalFilename and version of a file; nothing if it is not there or no PE. */
static int read_binary(struct tree *tree, const char *path, char **name,
		       uint64_t *version, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct tree_stat st;
	int found = tree_stat(tree, path, &st, err);

	if (found < 0)
		return -1;
	if (!found || st.type != TREE_FILE || st.size > BINARY_LIMIT)
		return 0;
	if (tree_read(tree, path, BINARY_LIMIT, &data, err) < 0)
		return -1;
	*name = pe_version_string(buffer_view(&data), "OriginalFilename");
	if (version && !pe_file_version(buffer_view(&data), version))
		*version = 0;
	return 0;
}

static void read_computer(struct hive *system, const char *control_set, struct hal *ret)
{
	static const char *const devices[] = {"ACPI_HAL", "PCI_HAL"};

	for (size_t i = 0; i < ARRAY_SIZE(devices) && !ret->computer_id; i++) {
		_cleanup_free_ char *path =
			xasprintf("%s\\Enum\\Root\\%s\\0000", control_set, devices[i]);
		_cleanup_(strings_free) struct strings ids = VEC_INIT;
		hkey key = hive_find(system, hive_root(system), path);

		if (!key || !hive_get_strings(system, key, "HardwareID", &ids) ||
		    !ids.len)
			continue;
		ret->computer_id = xstrdup(ids.items[0]);
		ret->registered = hal_kind_by_id(ids.items[0]);
	}
}

int hal_read(struct tree *tree, struct hive *system, const char *control_set,
	     struct hal *ret, struct error *err)
{
	*ret = (struct hal){0};
	if (read_binary(tree, SYSTEM32 "hal.dll", &ret->file, &ret->file_version, err) <
		    0 ||
	    read_binary(tree, SYSTEM32 "ntoskrnl.exe", &ret->kernel, &ret->kernel_version,
			err) < 0 ||
	    read_binary(tree, SYSTEM32 "ntkrnlpa.exe", &ret->pae_kernel, NULL, err) < 0) {
		hal_free(ret);
		return -1;
	}
	ret->kind = ret->file ? hal_kind_by_file(ret->file) : NULL;
	ret->kernel_multiprocessor =
		ret->kernel && (text_equal(ret->kernel, "ntkrnlmp.exe") ||
				text_equal(ret->kernel, "ntkrpamp.exe"));
	read_computer(system, control_set, ret);
	return 0;
}

bool hal_service_pack(uint64_t version, unsigned *ret)
{
	/* The revision that each service pack began with, 0 for the release. */
	static const struct {
		uint64_t base; /* major.minor.build */
		uint16_t revisions[4];
	} lines[] = {
		{0x0005000100000A28, {0, 1106, 2180, 5512}},	   /* 5.1.2600 */
		{0x0005000200000ECE, {0, 1830, 3959, UINT16_MAX}}, /* 5.2.3790 */
	};
	uint64_t base = (version >> 32) << 32 | (version >> 16 & 0xFFFF);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (lines[i].base != base)
			continue;
		*ret = 0;
		for (unsigned sp = 1; sp < ARRAY_SIZE(lines[i].revisions); sp++)
			if ((version & 0xFFFF) >= lines[i].revisions[sp])
				*ret = sp;
		return true;
	}
	return false;
}
