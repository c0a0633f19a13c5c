/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The start on the PC itself: boot options, the firmware's variables, disks. */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "fake_sysfs.h"
#include "init/native_efi.h"

#define GLOBAL "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* As OVMF (2022.11) had them in its variables after a start of its own. */
#define OVMF_SHELL                                                                       \
	"010000002c00450046004900200049006e007400650072006e0061006c0020005300680065006c" \
	"00"                                                                             \
	"6c00000004071400c9bdb87cebf8344faaea3ee4af6516a10406140083a5047c3e9e1c4fad65e0" \
	"52"                                                                             \
	"68d0b4d17fff0400"
#define OVMF_NVME                                                                        \
	"01000000260055004500460049002000510045004d00550020004e0056004d0065002000430074" \
	"00"                                                                             \
	"72006c002000780020003100000002010c00d041030a0000000001010600000303171000010000" \
	"00"                                                                             \
	"00000000000000007fff04004eac0881119f594d850ee21a522c59b2"

static void from_hex(const char *hex, struct buffer *ret)
{
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		buffer_append(ret, &(uint8_t){(uint8_t)byte}, 1);
}

static const struct load_option_partition esp = {
	.number = 1,
	.start = 2048,
	.size = 204800,
	.guid = {{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,
		  0x0d, 0x0e, 0x0f, 0x10}},
};
#define WINDOWS "\\EFI\\Microsoft\\Boot\\bootmgfw.efi"

/* ---- options ---- */

static void test_options_of_firmware(void **state _unused_)
{
	static const struct {
		const char *hex, *description;
	} list[] = {{OVMF_SHELL, "EFI Internal Shell"},
		    {OVMF_NVME, "UEFI QEMU NVMe Ctrl x 1"}};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;
		_cleanup_load_option_ struct load_option o = {0};

		from_hex(list[i].hex, &data);
		assert_int_equal(load_option_read(buffer_view(&data), "x", &o, NULL), 0);
		assert_string_equal(o.description, list[i].description);
		assert_int_equal(o.attributes, 1);
		assert_false(o.gpt);
		assert_null(o.file);
		assert_false(load_option_starts(&o, &esp.guid, WINDOWS));
	}
}

static void test_option_of_ours(void **state _unused_)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_load_option_ struct load_option o = {0};
	struct guid other = esp.guid;

	load_option_write("Windows", &esp, WINDOWS, &data);
	/* The node as the specification's table 10-45 has it. */
	assert_int_equal(get_le16(data.data + 4), 42 + 4 + 2 * (strlen(WINDOWS) + 1) + 4);
	assert_memory_equal(data.data + 22, "\4\1\52\0\1\0\0\0\0\10\0\0\0\0\0\0", 16);
	assert_memory_equal(data.data + 46, esp.guid.bytes, 16);
	assert_memory_equal(data.data + 62, "\2\2\4\4", 4);
	assert_int_equal(load_option_read(buffer_view(&data), "x", &o, NULL), 0);
	assert_string_equal(o.file, WINDOWS);
	assert_true(load_option_starts(&o, &esp.guid,
				       "\\efi\\MICROSOFT\\boot\\BOOTMGFW.EFI"));
	assert_false(load_option_starts(&o, &esp.guid, "\\EFI\\BOOT\\BOOTX64.EFI"));
	other.bytes[15] ^= 1;
	assert_false(load_option_starts(&o, &other, WINDOWS));
}

/* Cut off anywhere, it is an error; with other lengths inside, it is one or is short. */
static void test_damaged_options(void **state _unused_)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ uint8_t *exact = NULL;

	load_option_write("Windows", &esp, WINDOWS, &data);
	for (size_t len = 0; len < data.len; len++) {
		_cleanup_load_option_ struct load_option o = {0};
		_cleanup_error_ struct error err = ERROR_INIT;
		uint8_t *part = xmemdup(data.data, len);
		int result = load_option_read((struct bytes){part, len}, "x", &o, &err);

		free(part);
		assert_int_equal(result, -1);
		assert_null(o.file);
		assert_non_null(err.remedy);
	}
	exact = xmemdup(data.data, data.len);
	/* A node's length: of the header only, and shorter than that. */
	for (uint8_t len = 0; len < 5; len++) {
		_cleanup_load_option_ struct load_option o = {0};

		exact[24] = len;
		(void)load_option_read((struct bytes){exact, data.len}, "x", &o, NULL);
		assert_false(load_option_starts(&o, &esp.guid, WINDOWS));
	}
}

/* Folder and name in nodes of their own, which the specification allows. */
static void test_split_file(void **state _unused_)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT, whole = BUFFER_INIT;
	_cleanup_load_option_ struct load_option o = {0};
	size_t at = 22 + 42, folder = 4 + 2 * strlen("\\EFI\\BOOT") + 2;

	load_option_write("Windows", &esp, "\\EFI\\BOOT", &data);
	buffer_append(&whole, data.data, at + folder);
	buffer_append(&whole, "\4\4\16\0a\0.\0e\0\0\0\0\0\177\377\4\0", 18);
	put_le16(whole.data + 4, (uint16_t)(whole.len - 22));
	assert_int_equal(load_option_read(buffer_view(&whole), "x", &o, NULL), 0);
	assert_string_equal(o.file, "\\EFI\\BOOT\\a.e");
}

/* ---- variables ---- */

static void put_variable(const char *folder, const char *name, struct bytes value)
{
	_cleanup_free_ char *path = xasprintf("%s" GLOBAL, name);
	_cleanup_buffer_ struct buffer content = BUFFER_INIT;

	buffer_append_le32(&content, 7);
	buffer_append(&content, value.data, value.len);
	fake_bytes(folder, path, buffer_view(&content));
}

static void assert_variable(const char *folder, const char *name, struct bytes value)
{
	_cleanup_free_ char *path = xasprintf("%s/%s" GLOBAL, folder, name);
	_cleanup_buffer_ struct buffer content = BUFFER_INIT;

	assert_int_equal(file_read(path, 4096, &content, NULL), 0);
	assert_int_equal(content.len, value.len + 4);
	assert_int_equal(get_le32(content.data), 7);
	assert_memory_equal(content.data + 4, value.data, value.len);
}

static void test_option_is_made(void **state _unused_)
{
	_cleanup_free_ char *folder = fake_root();
	_cleanup_buffer_ struct buffer shell = BUFFER_INIT, expected = BUFFER_INIT;
	_cleanup_free_ char *order = xasprintf("%s/BootOrder" GLOBAL, folder);
	struct native_efi_choice choice;

	from_hex(OVMF_SHELL, &shell);
	put_variable(folder, "Boot0000", buffer_view(&shell));
	put_variable(folder, "Boot0002", buffer_view(&shell));
	put_variable(folder, "BootNext", (struct bytes){(const uint8_t *)"\5", 1});
	/* No options: a name too short, one of another vendor, a damaged one. */
	fake_file(folder, "Boot", "");
	fake_file(folder, "Boot0003-00000000-93ca-11d2-aa0d-00e098032b8c", "");
	put_variable(folder, "Boot000A", (struct bytes){(const uint8_t *)"\1\0", 2});
	assert_int_equal(native_efi_next(folder, &esp, WINDOWS, &choice, NULL), 0);
	assert_int_equal(choice.number, 1);
	assert_true(choice.made);
	load_option_write("Windows (gild)", &esp, WINDOWS, &expected);
	assert_variable(folder, "Boot0001", buffer_view(&expected));
	assert_variable(folder, "BootNext", (struct bytes){(const uint8_t *)"\1\0", 2});
	assert_int_equal(access(order, F_OK), -1);
	/* The next time it is found. */
	assert_int_equal(native_efi_next(folder, &esp, WINDOWS, &choice, NULL), 0);
	assert_int_equal(choice.number, 1);
	assert_false(choice.made);
}

static void test_option_is_found(void **state _unused_)
{
	_cleanup_free_ char *folder = fake_root();
	_cleanup_buffer_ struct buffer windows = BUFFER_INIT;
	struct native_efi_choice choice;

	load_option_write("Windows Boot Manager", &esp, WINDOWS, &windows);
	/* The loader's own data follows the path. */
	buffer_append(&windows, "WINDOWS", 8);
	put_variable(folder, "Boot00fF", buffer_view(&windows));
	put_variable(folder, "BootFFFF", buffer_view(&windows));
	assert_int_equal(native_efi_next(folder, &esp, WINDOWS, &choice, NULL), 0);
	assert_int_equal(choice.number, 0xFF);
	assert_false(choice.made);
	assert_variable(folder, "BootNext", (struct bytes){(const uint8_t *)"\377\0", 2});
}

static void test_no_variables(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct native_efi_choice choice;

	assert_int_equal(native_efi_next("/nonexistent", &esp, WINDOWS, &choice, &err),
			 -1);
	assert_non_null(err.remedy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_of_firmware),
		cmocka_unit_test(test_option_of_ours),
		cmocka_unit_test(test_damaged_options),
		cmocka_unit_test(test_split_file),
		cmocka_unit_test(test_option_is_made),
		cmocka_unit_test(test_option_is_found),
		cmocka_unit_test(test_no_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
