/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BCD stores: device elements to the byte, typed values, what is built by version. */
#include "test.h"

#include "base/text.h"
#include "windows/bcd_build.h"

static const struct guid os_partition = {{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x43,
					  0x84, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55,
					  0x04}},
			 disk = {{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x43, 0x84,
				  0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x01}};

static void check_bytes(const struct bcd_device *device, const char *hex)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	_cleanup_bcd_device_ struct bcd_device back = {0};
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;

	bcd_device_format(device, &b);
	for (size_t i = 0; i < b.len; i++)
		buffer_printf(&text, "%02x", b.data[i]);
	buffer_append(&text, "", 1);
	assert_string_equal((char *)text.data, hex);
	assert_true(bcd_device_parse(buffer_view(&b), &back));
	assert_int_equal(back.kind, device->kind);
	/* Cut anywhere, it is refused or of no known kind, and nothing is read behind it.
	 */
	for (size_t len = 0; len < b.len; len++) {
		_cleanup_free_ uint8_t *copy = xmemdup(b.data, len ? len : 1);
		_cleanup_bcd_device_ struct bcd_device part = {0};

		assert_false(bcd_device_parse((struct bytes){copy, len}, &part));
	}
}

#define ZEROS4 "00000000"
#define ZEROS16 ZEROS4 ZEROS4 ZEROS4 ZEROS4

static void partitions_are_88_bytes(void **state _unused_)
{
	struct bcd_device gpt = {
		.kind = BCD_DEVICE_GPT, .partition = os_partition, .disk = disk};
	struct bcd_device mbr = {
		.kind = BCD_DEVICE_MBR, .offset = 1 << 20, .signature = 0x36234da4};
	struct bcd_device boot = {.kind = BCD_DEVICE_BOOT};

	check_bytes(&gpt, ZEROS16 "06000000000000004800000000000000"
				  "11111111222233438444555555555504" ZEROS4 ZEROS4
				  "11111111222233438444555555555501" ZEROS16);
	check_bytes(&mbr, ZEROS16 "06000000000000004800000000000000"
				  "00001000000000000000000000000000" ZEROS4 "01000000"
				  "a44d2336" ZEROS4 ZEROS4 ZEROS4 ZEROS16);
	check_bytes(
		&boot, ZEROS16
		"05000000000000004800000000000000" ZEROS16 ZEROS16 ZEROS16 ZEROS4 ZEROS4);
}

static void locate_names_a_path_or_an_element(void **state _unused_)
{
	struct bcd_device path = {.kind = BCD_DEVICE_LOCATE, .path = (char *)"\\a"};
	struct bcd_device element = {.kind = BCD_DEVICE_LOCATE, .element = 0x12000002};

	check_bytes(&path, ZEROS16 "08000000000000002200000000000000"
				   "010000000000000000000000"
				   "5c0061000000");
	check_bytes(&element, ZEROS16 "08000000000000001e00000000000000"
				      "000000000200001200000000"
				      "0000");
}

static void files_lie_on_volumes(void **state _unused_)
{
	struct bcd_device volume = {.kind = BCD_DEVICE_BOOT};
	struct bcd_device ramdisk = {.kind = BCD_DEVICE_RAMDISK,
				     .options = disk,
				     .path = (char *)"\\x",
				     .parent = &volume};
	struct bcd_device file = {
		.kind = BCD_DEVICE_FILE, .path = (char *)"\\x", .parent = &volume};
	struct bcd_device vhd = {.kind = BCD_DEVICE_VHD, .parent = &file};
	struct bcd_device on_vhd = {
		.kind = BCD_DEVICE_LOCATE, .element = 0x22000002, .parent = &vhd};

	check_bytes(&ramdisk, "11111111222233438444555555555501"
			      "00000000010000008200000000000000"
			      "03000000" ZEROS16 ZEROS4 "010000005a00000005000000"
			      "05000000000000004800000000000000" ZEROS16 ZEROS16 ZEROS16
				      ZEROS4 ZEROS4 "5c0078000000");
	check_bytes(
		&on_vhd, ZEROS16
		"0800000000000000b400000000000000"
		"00000000020000221e0000000000"
		"00000000000000009600000000000000"
		"06000000" ZEROS16 ZEROS4 "00000000000000006e00000000000000"
		"05000000"
		"010000005a00000005000000"
		"05000000000000004800000000000000" ZEROS16 ZEROS16 ZEROS16 ZEROS4 ZEROS4
		"5c0078000000");
}

static void nesting_has_an_end(void **state _unused_)
{
	struct bcd_device levels[BCD_DEVICE_DEPTH + 2] = {{.kind = BCD_DEVICE_BOOT}};
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	struct bcd_device back;

	for (size_t i = 1; i < ARRAY_SIZE(levels); i++)
		levels[i] = (struct bcd_device){.kind = BCD_DEVICE_VHD,
						.parent = &levels[i - 1]};
	bcd_device_format(&levels[BCD_DEVICE_DEPTH], &b);
	assert_true(bcd_device_parse(buffer_view(&b), &back));
	bcd_device_free(&back);
	b.len = 0;
	bcd_device_format(&levels[BCD_DEVICE_DEPTH + 1], &b);
	assert_false(bcd_device_parse(buffer_view(&b), &back));
}

/* ---- stores ---- */

static struct target target_of(const char *text)
{
	struct target target;

	assert_int_equal(target_parse(text, &target, NULL), 0);
	return target;
}

static struct bcd_options options_for(const struct target *target, bool uefi)
{
	return (struct bcd_options){
		.uefi = uefi,
		.target = target,
		.locale = "de-DE",
		.folder = "\\Windows",
		.system = {.gpt = true, .partition = disk, .disk = disk},
		.windows = {.gpt = true, .partition = os_partition, .disk = disk},
		.seed = {(const uint8_t *)"seed", 4}};
}

static struct bcd_object *known(const struct bcd_store *store, const char *guid)
{
	struct guid g = bcd_known_guid(guid);

	return bcd_object_find(store, &g);
}

static struct bcd_object *default_of(const struct bcd_store *store)
{
	struct guid guid;

	assert_true(bcd_get_guid(known(store, BCD_GUID_BOOTMGR), BCD_DEFAULT, &guid));
	return bcd_object_find(store, &guid);
}

static void assert_text(const struct bcd_object *object, uint32_t type, const char *text)
{
	_cleanup_free_ char *got = bcd_get_text(object, type);

	assert_non_null(got);
	assert_string_equal(got, text);
}

static void uefi_store_from_scratch(void **state _unused_)
{
	struct target target = target_of("10.0.22631/amd64/client");
	struct bcd_options o = options_for(&target, true);
	_cleanup_bcd_store_ struct bcd_store store = {0};
	_cleanup_bcd_device_ struct bcd_device device = {0};
	struct bcd_object *os;
	struct guid resume;
	bool isolated = false;

	assert_int_equal(bcd_build(&o, &store, NULL), 0);
	os = default_of(&store);
	assert_non_null(os);
	assert_text(os, BCD_PATH, "\\Windows\\system32\\winload.efi");
	assert_text(os, BCD_DESCRIPTION, "Windows 11");
	assert_text(os, BCD_LOCALE, "de-DE");
	assert_true(bcd_get_boolean(os, BCD_ISOLATED_CONTEXT, &isolated) && isolated);
	assert_true(bcd_device_parse(
		buffer_view(&bcd_element_find(os, BCD_OS_DEVICE)->data), &device));
	assert_true(guid_equal(&device.partition, &os_partition));
	assert_true(bcd_get_guid(os, BCD_RESUME, &resume));
	assert_non_null(bcd_object_find(&store, &resume));
	/* No Windows RE, no mention of it. */
	assert_null(bcd_element_find(os, BCD_RECOVERY_SEQUENCE));
	assert_null(bcd_element_find(os, BCD_RECOVERY_ENABLED));
	assert_int_equal(store.objects.len, 11);
}

static void versions_differ(void **state _unused_)
{
	struct target seven = target_of("6.1.7601/amd64/client"),
		      server = target_of("10.0.20348/amd64/server");
	struct bcd_options o = options_for(&seven, false);
	_cleanup_bcd_store_ struct bcd_store store = {0}, other = {0}, uefi = {0};
	uint64_t nx = 9;

	assert_int_equal(bcd_build(&o, &store, NULL), 0);
	assert_text(default_of(&store), BCD_DESCRIPTION, "Windows 7");
	assert_text(default_of(&store), BCD_PATH, "\\Windows\\system32\\winload.exe");
	assert_null(bcd_element_find(default_of(&store), BCD_ISOLATED_CONTEXT));
	assert_null(bcd_element_find(default_of(&store), 0x250000c2));
	assert_null(bcd_element_find(known(&store, BCD_GUID_BOOTMGR), BCD_PATH));
	assert_text(known(&store, BCD_GUID_MEMDIAG), BCD_PATH, "\\boot\\memtest.exe");
	o.uefi = true;
	assert_int_equal(bcd_build(&o, &uefi, NULL), 0);
	assert_null(bcd_element_find(default_of(&uefi), BCD_ISOLATED_CONTEXT));
	o = options_for(&server, false);
	assert_int_equal(bcd_build(&o, &other, NULL), 0);
	assert_text(default_of(&other), BCD_DESCRIPTION, "Windows Server");
	assert_true(bcd_get_integer(default_of(&other), 0x25000020, &nx) && nx == 1);
	assert_null(bcd_element_find(default_of(&other), BCD_ISOLATED_CONTEXT));
}

static void locate_form_names_no_partition(void **state _unused_)
{
	struct target target = target_of("10.0.19041/amd64/client");
	struct bcd_options o = options_for(&target, true);
	_cleanup_bcd_store_ struct bcd_store store = {0};
	size_t locate = 0, boot = 0;

	o.form = BCD_FORM_LOCATE;
	assert_int_equal(bcd_build(&o, &store, NULL), 0);
	vec_foreach (object, &store.objects)
		vec_foreach (element, &object->elements) {
			_cleanup_bcd_device_ struct bcd_device device = {0};

			if (bcd_element_format(element->type) != BCD_FORMAT_DEVICE)
				continue;
			assert_true(
				bcd_device_parse(buffer_view(&element->data), &device));
			locate += device.kind == BCD_DEVICE_LOCATE;
			boot += device.kind == BCD_DEVICE_BOOT;
			assert_true(device.kind == BCD_DEVICE_LOCATE ||
				    device.kind == BCD_DEVICE_BOOT);
		}
	assert_int_equal(locate, 4);
	assert_int_equal(boot, 2);
}

/* What a template has goes before what gild would write; its setup elements go. */
static void template_is_kept(void **state _unused_)
{
	struct target target = target_of("10.0.19041/amd64/client");
	struct bcd_options o = options_for(&target, false);
	_cleanup_bcd_store_ struct bcd_store template = {0}, store = {0};
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	struct guid os = bcd_known_guid("{a1943bbc-ea85-487c-97c7-c9ede908a38a}"),
		    debugger = bcd_known_guid(BCD_GUID_DEBUGGER),
		    hypervisor = bcd_known_guid(BCD_GUID_HYPERVISOR);
	struct bcd_object *object = bcd_object_add(&template, &os, BCD_OS_LOADER);
	uint64_t v = 0;
	bool found;

	bcd_set_text(object, 0x42000002, "\\system32\\winload.exe");
	bcd_set_bytes(object, 0x25000020, (struct bytes){(const uint8_t *)"\3", 1});
	bcd_set_boolean(object, BCD_ISOLATED_CONTEXT, true);
	bcd_set_integer(bcd_object_add(&template, &debugger, BCD_INHERIT), 0x15000011, 2);
	assert_int_equal(bcd_store_write(&template, &file, NULL), 0);
	o.template = buffer_view(&file);
	assert_int_equal(bcd_build(&o, &store, NULL), 0);
	object = default_of(&store);
	found = bcd_get_integer(object, 0x25000020, &v);
	assert_true(found && v == 3);
	assert_int_equal(bcd_element_find(object, 0x25000020)->data.len, 8);
	assert_null(bcd_element_find(object, 0x42000002));
	assert_null(bcd_element_find(object, BCD_ISOLATED_CONTEXT));
	assert_null(bcd_element_find(object, 0x250000c2)); /* not in the template */
	found = bcd_get_integer(known(&store, BCD_GUID_DEBUGGER), 0x15000011, &v);
	assert_true(found && v == 2);
	assert_non_null(bcd_object_find(&store, &hypervisor));
}

static void recovery_is_linked(void **state _unused_)
{
	struct target target = target_of("10.0.19041/amd64/client");
	struct bcd_options o = options_for(&target, true);
	_cleanup_bcd_store_ struct bcd_store store = {0};
	struct bcd_guids sequence = VEC_INIT;
	_cleanup_bcd_device_ struct bcd_device device = {0};
	struct bcd_object *loader, *image;

	o.recovery = &o.system;
	o.recovery_folder = "\\Recovery\\WindowsRE";
	assert_int_equal(bcd_build(&o, &store, NULL), 0);
	assert_true(bcd_get_guids(default_of(&store), BCD_RECOVERY_SEQUENCE, &sequence));
	assert_int_equal(sequence.len, 1);
	loader = bcd_object_find(&store, &sequence.items[0]);
	vec_free(&sequence);
	assert_non_null(loader);
	assert_true(bcd_device_parse(
		buffer_view(&bcd_element_find(loader, BCD_DEVICE)->data), &device));
	assert_int_equal(device.kind, BCD_DEVICE_RAMDISK);
	assert_string_equal(device.path, "\\Recovery\\WindowsRE\\Winre.wim");
	image = bcd_object_find(&store, &device.options);
	assert_non_null(image);
	assert_text(image, BCD_RAMDISK_PATH, "\\Recovery\\WindowsRE\\boot.sdi");
}

static void what_is_not_there_has_no_entry(void **state _unused_)
{
	struct target target = target_of("10.0.26100/arm64/client");
	struct bcd_options o = options_for(&target, true);
	_cleanup_bcd_store_ struct bcd_store store = {0};

	o.no_memory_tester = true;
	assert_int_equal(bcd_build(&o, &store, NULL), 0);
	assert_null(known(&store, BCD_GUID_MEMDIAG));
	assert_null(bcd_element_find(known(&store, BCD_GUID_BOOTMGR), BCD_TOOLS_ORDER));
}

static void stores_survive_the_hive(void **state _unused_)
{
	struct target target = target_of("10.0.19041/amd64/client");
	struct bcd_options o = options_for(&target, true);
	_cleanup_bcd_store_ struct bcd_store store = {0}, back = {0};
	_cleanup_buffer_ struct buffer one = BUFFER_INIT, two = BUFFER_INIT;

	assert_int_equal(bcd_build(&o, &store, NULL), 0);
	assert_int_equal(bcd_store_write(&store, &one, NULL), 0);
	assert_int_equal(bcd_store_parse(buffer_view(&one), "BCD", &back, NULL), 0);
	assert_true(back.system && back.treat_as_system && back.firmware_modified);
	assert_int_equal(bcd_store_write(&back, &two, NULL), 0);
	assert_true(bytes_equal(buffer_view(&one), buffer_view(&two)));
}

static void bios_is_for_pcs(void **state _unused_)
{
	struct target target = target_of("10.0.22631/arm64/client");
	struct bcd_options o = options_for(&target, false);
	_cleanup_bcd_store_ struct bcd_store store = {0};
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(bcd_build(&o, &store, &err), -1);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_non_null(err.remedy);
}

static void not_every_hive_is_a_store(void **state _unused_)
{
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", NULL);
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	_cleanup_bcd_store_ struct bcd_store store = {0};
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(hive_serialize(hive, &file, NULL), 0);
	assert_int_equal(bcd_store_parse(buffer_view(&file), "x", &store, &err), -1);
	assert_int_equal(err.code, ERROR_STATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partitions_are_88_bytes),
		cmocka_unit_test(locate_names_a_path_or_an_element),
		cmocka_unit_test(files_lie_on_volumes),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(uefi_store_from_scratch),
		cmocka_unit_test(versions_differ),
		cmocka_unit_test(locate_form_names_no_partition),
		cmocka_unit_test(template_is_kept),
		cmocka_unit_test(recovery_is_linked),
		cmocka_unit_test(what_is_not_there_has_no_entry),
		cmocka_unit_test(stores_survive_the_hive),
		cmocka_unit_test(bios_is_for_pcs),
		cmocka_unit_test(not_every_hive_is_a_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
