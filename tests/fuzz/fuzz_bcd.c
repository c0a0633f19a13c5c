/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Device elements of a BCD store, and a whole store made of what the input says: what is
 * understood is written and read again with the same result, and a store, also as a
 * template, comes through the hive.
 *
 * Input: elements, each a u32 type, a u16 length and so many bytes; bit 27 of the type
 * begins another object.
 */
#include <stdio.h>

#include "windows/bcd_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NEXT_OBJECT 0x08000000u
#define ELEMENTS_MAX 64u

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static void check_device(struct bytes value)
{
	_cleanup_bcd_device_ struct bcd_device device = {0}, again = {0};
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;
	_cleanup_free_ char *text = NULL, *same = NULL;

	if (!bcd_device_parse(value, &device))
		return;
	text = bcd_device_text(&device);
	if (device.kind == BCD_DEVICE_UNKNOWN || strstr(text, "unknown"))
		return;
	bcd_device_format(&device, &out);
	must(bcd_device_parse(buffer_view(&out), &again), "what is written is read");
	same = bcd_device_text(&again);
	must(strcmp(text, same) == 0, "with the same result");
}

static void fill(struct bcd_store *store, struct bytes input)
{
	struct guid guid = guid_from(input);
	struct bcd_object *object = bcd_object_add(store, &guid, BCD_OS_LOADER);
	uint32_t type;
	uint16_t len;

	for (size_t at = 0, n = 0; n < ELEMENTS_MAX; n++, at += 6 + (size_t)len) {
		struct bytes value;

		if (!bytes_le32(input, at, &type) || !bytes_le16(input, at + 4, &len))
			return;
		value = bytes_at(input, at + 6, len);
		if (len && !value.data)
			return;
		if (type & NEXT_OBJECT) {
			guid.bytes[0]++;
			object = bcd_object_add(store, &guid, type & 0x30ffffff);
		}
		bcd_set_bytes(object, type & ~NEXT_OBJECT, value);
		if (bcd_element_format(type & ~NEXT_OBJECT) == BCD_FORMAT_DEVICE)
			check_device(value);
	}
}

/* As the template of another store. */
static void build(struct bytes template)
{
	struct target target = {.arch = ARCH_AMD64, .major = 10, .build = 19041};
	struct bcd_options options = {.uefi = true,
				      .target = &target,
				      .locale = "en-US",
				      .folder = "\\Windows",
				      .template = template,
				      .form = BCD_FORM_LOCATE};
	_cleanup_bcd_store_ struct bcd_store store = {0};
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	must(bcd_build(&options, &store, NULL) == 0, "any template gives a store");
	must(bcd_store_write(&store, &out, NULL) == 0, "which can be written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_bcd_store_ struct bcd_store store = {0}, back = {0};
	_cleanup_buffer_ struct buffer one = BUFFER_INIT, two = BUFFER_INIT;
	struct bytes input = {data, size};

	if (size > 4 * BCD_VALUE_MAX)
		return 0;
	fill(&store, input);
	/* Hives take most of the time, and have a target of their own. */
	if (size % 8)
		return 0;
	must(bcd_store_write(&store, &one, NULL) == 0, "a store can be written");
	must(bcd_store_parse(buffer_view(&one), "BCD", &back, NULL) == 0, "and read");
	must(bcd_store_write(&back, &two, NULL) == 0 &&
		     bytes_equal(buffer_view(&one), buffer_view(&two)),
	     "with the same content");
	build(buffer_view(&one));
	return 0;
}
