/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an image of Windows XP has that no other reader sees: boot.ini, TXTSETUP.OEM and
 * the strings of version resources. The same bytes go to each.
 */
#include "injector/driver.h"
#include "injector/textmode.h"
#include "windows/boot_ini.h"
#include "windows/pe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written as it was, and an entry that is added is found again. */
static void menu(struct bytes raw)
{
	_cleanup_boot_ini_ struct boot_ini ini;
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	if (boot_ini_parse(raw, &ini, NULL) < 0)
		return;
	boot_ini_write(&ini, &out);
	if (!bytes_equal(raw, buffer_view(&out)))
		abort();
	for (size_t i = 0; i < 2 && ini.entries.len; i++) {
		size_t last = ini.entries.len - 1;

		if (boot_ini_add_pair(&ini, &ini.entries.items[last], "note", "k.exe",
				      "h.dll") &&
		    !boot_ini_find_pair(&ini, ini.entries.items[last].path, "k.exe",
					"h.dll"))
			abort();
	}
	boot_ini_raise_timeout(&ini, 10);
	(void)boot_ini_windows(&ini, "Windows", 1);
}

/* An INF that is made is one that can be read. */
static void floppy(struct bytes raw)
{
	static const struct target xp = {ARCH_X86, 5, 1, 2600, PRODUCT_CLIENT, 0, 0};
	_cleanup_textmode_ struct textmode t;
	_cleanup_free_ char *inf = NULL;
	_cleanup_free_ bool *used = NULL;

	if (textmode_parse("fuzz", raw, &t, NULL) < 0)
		return;
	used = xcalloc(t.options.len + 1, sizeof(*used));
	for (size_t i = 0; i < t.options.len; i++)
		used[i] = true;
	inf = textmode_inf(&t, used);
	if (!inf)
		return;
	driver_close(driver_open("fuzz.inf",
				 (struct bytes){(const uint8_t *)inf, strlen(inf)}, &xp,
				 NULL, NULL, NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes raw = {data, size};

	menu(raw);
	floppy(raw);
	free(pe_version_string(raw, "OriginalFilename"));
	return 0;
}
