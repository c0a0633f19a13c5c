/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Windows in the image: vm.h. */
#include <stdio.h>

#include "init/vm_private.h"

bool vm_needs_tpm(const struct vm_image *i)
{
	return i->major == 10 && i->build >= 22000;
}

const char *vm_windows_name(const struct vm_image *i)
{
	static const struct {
		unsigned major, minor;
		const char *name;
	} names[] = {
		{5, 0, "Windows 2000"},	       {5, 1, "Windows XP"},
		{5, 2, "Windows Server 2003"}, {6, 0, "Windows Vista"},
		{6, 1, "Windows 7"},	       {6, 2, "Windows 8"},
		{6, 3, "Windows 8.1"},
	};

	if (i->major >= 10)
		return vm_needs_tpm(i) ? "Windows 11" : "Windows 10";
	for (size_t n = 0; n < ARRAY_SIZE(names); n++)
		if (names[n].major == i->major && names[n].minor == i->minor)
			return names[n].name;
	return "Windows";
}

/* ---- words ---- */

static int bad_word(const char *key, const char *value, struct error *err)
{
	error_set(err, ERROR_FAILED, key, "\"%s\" is none of the values that it takes",
		  value);
	return error_remedy(err, "docs/hypervisor.md has them");
}

/* The index of the key's value in the names; `otherwise` where it is not said. */
static int choose(const struct options *o, const char *key, const char *const names[],
		  unsigned count, unsigned otherwise, unsigned *ret, struct error *err)
{
	const char *value = options_get(o, key);

	*ret = otherwise;
	for (unsigned i = 0; value && i < count; i++) {
		if (strcmp(names[i], value) == 0) {
			*ret = i;
			return 0;
		}
	}
	return value ? bad_word(key, value, err) : 0;
}

static int parse_version(const struct options *o, struct vm_image *ret, struct error *err)
{
	const char *value = options_get(o, "windows");
	char rest;
	int n;

	if (!value) {
		error_set(err, ERROR_FAILED, "windows",
			  "the image's version is not said");
		return error_remedy(err, "give windows=MAJOR.MINOR.BUILD");
	}
	n = sscanf(value, "%3u.%3u.%6u%c", &ret->major, &ret->minor, &ret->build, &rest);
	return n == 2 || n == 3 ? 0 : bad_word("windows", value, err);
}

static enum vm_network inbox_network(const struct vm_image *i)
{
	if (vm_from(i, 10, 0))
		return VM_E1000E;
	return vm_from(i, 6, 0) ? VM_E1000 : VM_RTL8139;
}

int vm_image_parse(const struct options *o, struct vm_image *ret, struct error *err)
{
	static const char *const archs[] = {"x86", "amd64"};
	static const char *const firmwares[] = {"bios", "uefi"};
	static const char *const storages[] = {"virtio-blk", "virtio-scsi", "ahci",
					       "ide"};
	static const char *const networks[] = {"virtio-net", "e1000e", "e1000", "rtl8139",
					       "none"};
	struct vm_image i = {0};
	unsigned n;

	if (parse_version(o, &i, err) < 0 ||
	    choose(o, "arch", archs, 2, vm_from(&i, 6, 0), &n, err) < 0)
		return -1;
	i.x64 = n == 1;
	if (choose(o, "firmware", firmwares, 2, vm_from(&i, 6, 2) && i.x64, &n, err) < 0)
		return -1;
	i.uefi = n == 1;
	if (choose(o, "storage", storages, ARRAY_SIZE(storages),
		   vm_from(&i, 6, 0) ? VM_AHCI : VM_IDE, &n, err) < 0)
		return -1;
	i.storage = (enum vm_storage)n;
	if (choose(o, "network", networks, ARRAY_SIZE(networks), inbox_network(&i), &n,
		   err) < 0)
		return -1;
	i.network = (enum vm_network)n;
	*ret = i;
	return 0;
}
