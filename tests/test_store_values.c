/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The driver store's values by themselves: security, paths, signers, generations. */
#include "test.h"

#include "base/text.h"
#include "injector/signing.h"
#include "injector/store_private.h"
#include "windows/sddl.h"

/* ---- security descriptors ---------------------------------------------------------- */

static char *hex(const struct buffer *b)
{
	struct buffer text = BUFFER_INIT;

	for (size_t i = 0; i < b->len; i++)
		buffer_printf(&text, "%02x", b->data[i]);
	return buffer_steal_string(&text);
}

static void test_sddl(void **state _unused_)
{
	/* As Windows keeps the device security of SCSI adapters. */
	static const char scsi[] =
		"010004900000000000000000000000001400000002003400020000000000140"
		"0ff011f1001010000000000051200000000001800ff011f1001020000000000"
		"052000000020020000";
	static const char *const bad[] = {
		"D:(A;;GA;;;XX)",     "D:(A;;GA;;;SY",
		"D:(A;;QQ;;;SY)",     "D:(X;;GA;;;SY)",
		"D:(A;;GA;guid;;SY)", "nonsense",
		"D:(A;;GA;;;S-1-5)",  "D:D:",
	};
	_cleanup_buffer_ struct buffer b = BUFFER_INIT, owner = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	assert_true(sddl_compile("D:P(A;;0x101f01ff;;;SY)(A;;0x101f01ff;;;BA)", &b));
	text = hex(&b);
	assert_string_equal(text, scsi);
	assert_true(sddl_compile("O:BAG:SYD:AI(A;OICIID;FA;;;S-1-5-32-544)", &owner));
	assert_int_equal(get_le16(owner.data + 2), 0x8404);
	assert_int_equal(get_le32(owner.data + 16), 20); /* the DACL comes first */
	assert_int_equal(get_le32(owner.data + 4), 20 + 8 + 24);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		size_t before = b.len;

		assert_false(sddl_compile(bad[i], &b));
		assert_int_equal(b.len, before);
	}
}

/* ---- ImagePath, destinations ------------------------------------------------------- */

static void test_service_path(void **state _unused_)
{
	static const struct {
		uint32_t type, start, dirid;
		const char *binary, *want;
	} cases[] = {
		{1, 0, 12, "a.sys", "System32\\drivers\\a.sys"},
		{1, 3, 12, "a.sys", "\\SystemRoot\\System32\\drivers\\a.sys"},
		{1, 0, 13, "x64\\a.sys",
		 "System32\\DriverStore\\FileRepository\\a.inf_amd64_1\\x64\\a.sys"},
		{1, 3, 13, "a.sys",
		 "\\SystemRoot\\System32\\DriverStore\\FileRepository\\a.inf_amd64_1\\a."
		 "sys"},
		{0x10, 2, 11, "a.exe -k", "%SystemRoot%\\System32\\a.exe -k"},
		{0x10, 2, 16422, "V\\a.exe", "%SystemDrive%\\Program Files\\V\\a.exe"},
		{0x20, 2, 0, "%SystemRoot%\\system32\\svchost.exe -k x",
		 "%SystemRoot%\\system32\\svchost.exe -k x"},
		{1, 0, 65000, "a.sys", NULL},
	};
	struct package package = {.store = (char *)"a.inf_amd64_1"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct inf_service service = {
			.type = cases[i].type,
			.start = cases[i].start,
			.binary_dirid = cases[i].dirid,
			.binary = (char *)cases[i].binary,
		};
		_cleanup_free_ char *got = service_path(&package, &service, ARCH_AMD64);

		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_null(got);
	}
}

static void test_destinations(void **state _unused_)
{
	struct inf_file file = {
		.name = (char *)"b.dll", .dirid = 11, .subdir = (char *)"spool\\x"};
	_cleanup_free_ char *path = file_destination(&file, ARCH_AMD64);
	_cleanup_free_ char *locked = lockdown_path("Windows/System32/drivers/x.sys");
	_cleanup_free_ char *outside = lockdown_path("Program Files/V/x.dll");

	assert_string_equal(path, "Windows/System32/spool/x/b.dll");
	file.dirid = 13;
	assert_null(file_destination(&file, ARCH_AMD64));
	assert_string_equal(locked, LOCKDOWN "\\%SystemRoot%/System32/drivers/x.sys");
	assert_string_equal(outside, LOCKDOWN "\\%SystemDrive%/Program Files/V/x.dll");
}

static void test_signers(void **state _unused_)
{
	static const struct {
		struct signature signature;
		uint32_t score;
	} cases[] = {
		{{.verdict = SIGNATURE_UNSIGNED}, 0x80000000},
		{{.verdict = SIGNATURE_MISMATCH, .kind = SIGNER_WHQL}, 0x80000000},
		{{.verdict = SIGNATURE_UNTRUSTED, .kind = SIGNER_TEST}, 0x80000000},
		{{.verdict = SIGNATURE_UNCHECKED}, 0x80000000},
		{{.verdict = SIGNATURE_VALID, .kind = SIGNER_INBOX}, 0x0d000003},
		{{.verdict = SIGNATURE_VALID, .kind = SIGNER_WHQL}, 0x0d000005},
		{{.verdict = SIGNATURE_VALID, .kind = SIGNER_ATTESTATION}, 0x0d000005},
		{{.verdict = SIGNATURE_VALID, .kind = SIGNER_VENDOR}, 0x0f000000},
	};
	enum unsigned_policy policy;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(signature_score(&cases[i].signature), cases[i].score);
	assert_true(unsigned_policy_parse("refuse", &policy));
	assert_int_equal(policy, UNSIGNED_REFUSE);
	assert_true(unsigned_policy_parse("warn", &policy));
	assert_int_equal(policy, UNSIGNED_WARN);
	assert_true(unsigned_policy_parse("allow", &policy));
	assert_int_equal(policy, UNSIGNED_ALLOW);
	assert_false(unsigned_policy_parse("", &policy));
	assert_false(unsigned_policy_parse("Warn", &policy));
}

static void test_generations(void **state _unused_)
{
	static const struct {
		uint32_t major, minor;
		bool served;
	} cases[] = {{10, 0, true}, {6, 3, true}, {6, 2, true}, {6, 1, true},
		     {6, 0, true},  {5, 1, true}, {4, 0, false}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		struct target target = {.arch = ARCH_AMD64,
					.major = cases[i].major,
					.minor = cases[i].minor,
					.build = 1};

		assert_int_equal(strategy_for(&target, &err) != NULL, cases[i].served);
		if (!cases[i].served) {
			assert_int_equal(err.code, ERROR_USAGE);
			assert_non_null(strstr(err.reason, "not in this build"));
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sddl),	     cmocka_unit_test(test_service_path),
		cmocka_unit_test(test_destinations), cmocka_unit_test(test_signers),
		cmocka_unit_test(test_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
