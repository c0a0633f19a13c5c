/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "windows/target.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

static const struct {
	enum windows_arch arch;
	const char *name; /* the first of an architecture is its canonical one */
} arch_names[] = {
	{ARCH_X86, "x86"},	{ARCH_X86, "i386"},    {ARCH_ARM, "arm"},
	{ARCH_IA64, "ia64"},	{ARCH_AMD64, "amd64"}, {ARCH_AMD64, "x64"},
	{ARCH_AMD64, "x86_64"}, {ARCH_ARM64, "arm64"}, {ARCH_ARM64, "aarch64"},
};

static const char *const product_names[] = {
	[PRODUCT_ANY] = "any",
	[PRODUCT_CLIENT] = "client",
	[PRODUCT_DC] = "dc",
	[PRODUCT_SERVER] = "server",
};

const char *arch_name(enum windows_arch arch)
{
	for (size_t i = 0; i < ARRAY_SIZE(arch_names); i++)
		if (arch_names[i].arch == arch)
			return arch_names[i].name;
	return "unknown";
}

enum windows_arch arch_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(arch_names); i++)
		if (text_equal(arch_names[i].name, name))
			return arch_names[i].arch;
	return ARCH_UNKNOWN;
}

int target_compare_version(const struct target *target, uint32_t major, uint32_t minor,
			   uint32_t build)
{
	const uint32_t a[] = {target->major, target->minor, target->build};
	const uint32_t b[] = {major, minor, build};

	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static bool parse_version(const char *text, struct target *target)
{
	uint32_t *const parts[] = {&target->major, &target->minor, &target->build};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned long v;
		char *end;

		if (*text < '0' || *text > '9')
			return false;
		errno = 0;
		v = strtoul(text, &end, 10);
		if (errno || v > UINT32_MAX)
			return false;
		*parts[i] = (uint32_t)v;
		if (!*end)
			return i >= 1;
		if (*end != '.')
			return false;
		text = end + 1;
	}
	return false;
}

/* Product type or suite: the parts after the architecture. */
static bool parse_detail(const char *part, struct target *target)
{
	char *end;
	unsigned long v;

	for (size_t i = 0; i < ARRAY_SIZE(product_names); i++) {
		if (text_equal(part, product_names[i])) {
			target->product = (enum product_type)i;
			return true;
		}
	}
	if (*part < '0' || *part > '9')
		return false;
	errno = 0;
	v = strtoul(part, &end, 0);
	if (errno || *end || v > UINT32_MAX)
		return false;
	target->suite = (uint32_t)v;
	return true;
}

int target_parse(const char *text, struct target *ret, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct target target = {.product = PRODUCT_CLIENT, .arch = ARCH_UNKNOWN};
	char *save = NULL, *part = strtok_r(copy, "/", &save);
	bool good = part && parse_version(part, &target);

	part = strtok_r(NULL, "/", &save);
	if (good && part)
		target.arch = arch_parse(part);
	good = good && target.arch != ARCH_UNKNOWN;
	for (int n = 0; good && (part = strtok_r(NULL, "/", &save)); n++)
		good = n < 2 && parse_detail(part, &target);
	if (!good) {
		error_set(err, ERROR_USAGE, text,
			  "is no Windows version and architecture");
		return error_remedy(
			err, "write VERSION/ARCH[/client|server|dc][/SUITE], for "
			     "instance 10.0.19041/amd64 or 10.0.20348/amd64/server");
	}
	*ret = target;
	return 0;
}

char *target_format(const struct target *target)
{
	return xasprintf("%u.%u.%u/%s%s%s", target->major, target->minor, target->build,
			 arch_name(target->arch), target->product ? "/" : "",
			 target->product ? product_names[target->product] : "");
}
