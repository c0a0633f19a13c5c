/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A kernel's lists of built-in modules on arbitrary bytes: modules.builtin, a NUL,
 * modules.builtin.modinfo; then devices are looked up in what came of it.
 */
#include <stdlib.h>

#include "base/buffer.h"
#include "check/kernel_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(struct kernel_module *module, void *arg)
{
	if (!module->name)
		abort();
	++*(unsigned *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {
		"pci:v00008086d00001C02sv00001043sd00008519bc01sc06i01",
		"usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00", "acpi:PNP0303:", "x",
		""};
	struct kernel *kernel;
	_cleanup_buffer_ struct buffer copy = BUFFER_INIT;
	size_t list;
	unsigned found = 0;

	if (size > 1 << 16)
		return 0;
	buffer_append(&copy, data, size);
	buffer_append(&copy, "\0", 2);
	list = strlen((char *)copy.data);
	kernel = xcalloc(1, sizeof(*kernel));
	kernel_add_builtin(kernel, (char *)copy.data);
	kernel_add_modinfo(kernel, (char *)copy.data + list + 1, copy.len - list - 2);
	kernel_finish(kernel);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		kernel_lookup(kernel, names[i], count, &found);
	kernel_close(kernel);
	return 0;
}
