/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Microcode: containers made here, sound and damaged, and the archive of them. */
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "image/microcode.h"

/* ---- containers ---- */

static void settle(struct buffer *b, size_t from, size_t len, size_t field)
{
	uint32_t sum = 0;

	put_le32(b->data + field, 0);
	for (size_t i = from; i < from + len; i += 4)
		sum += get_le32(b->data + i);
	put_le32(b->data + field, 0u - sum);
}

/* An update of Intel's: `data` bytes, and `signatures` more processors behind them. */
static void add_intel(struct buffer *b, uint32_t data, uint32_t signatures,
		      uint32_t total)
{
	const uint32_t header[12] = {1,	   7,	 0x11282026,	   0x906ea, 0, 1,
				     0x22, data, data ? total : 0, 0,	    0, 0};
	size_t start = b->len;
	size_t table = start + 48 + (data ? data : 2000);

	memset(buffer_reserve(b, total), 0x5a, total);
	b->len += total;
	for (size_t i = 0; i < ARRAY_SIZE(header); i++)
		put_le32(b->data + start + i * 4, header[i]);
	settle(b, start, table - start, start + 16);
	if (!signatures)
		return;
	memset(b->data + table, 0, 20 + signatures * 12);
	put_le32(b->data + table, signatures);
	put_le32(b->data + table + 20, 0x906eb);
	settle(b, table, 20 + signatures * 12, table + 4);
}

/* A container of AMD's with patches of that size. */
static void add_amd(struct buffer *b, uint32_t processors, size_t patches, uint32_t size)
{
	buffer_append_le32(b, 0x00414d44);
	buffer_append_le32(b, 0);
	buffer_append_le32(b, processors * 16);
	memset(buffer_reserve(b, (size_t)processors * 16), 1, (size_t)processors * 16);
	b->len += (size_t)processors * 16;
	for (size_t i = 0; i < patches; i++) {
		buffer_append_le32(b, 1);
		buffer_append_le32(b, size);
		memset(buffer_reserve(b, size), 2, size);
		b->len += size;
	}
}

/* The word there is another one: what is then wrong, of the whole. */
struct change {
	size_t at;
	uint32_t value;
	const char *wrong;
};

static void check_changes(enum microcode_vendor vendor, const struct buffer *sound,
			  const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_buffer_ struct buffer b = BUFFER_INIT;
		const char *wrong;
		size_t updates;

		buffer_append(&b, sound->data, sound->len);
		put_le32(b.data + changes[i].at, changes[i].value);
		wrong = microcode_check(vendor, buffer_view(&b), &updates);
		if (!wrong || !strstr(wrong, changes[i].wrong))
			fail_msg("change %zu: %s", i, wrong ? wrong : "nothing is wrong");
	}
}

/* Cut anywhere, but between updates, it is not sound. */
static void check_cuts(enum microcode_vendor vendor, const struct buffer *sound,
		       const size_t *ends, size_t count)
{
	for (size_t len = 0; len < sound->len; len++) {
		struct bytes cut = {sound->data, len};
		bool end = false;
		size_t updates;

		for (size_t i = 0; i < count; i++)
			end |= ends[i] == len;
		if ((microcode_check(vendor, cut, &updates) == NULL) != end)
			fail_msg("cut to %zu bytes", len);
	}
}

static void intel_updates_are_checked(void **state _unused_)
{
	static const struct change changes[] = {
		{0, 2, "another version"},
		{20, 0, "another version"},
		{28, 4017, "size"},
		{28, 0xfffffffc, "size"},
		{32, 5000, "size"},
		{32, 0xfffffc00, "size"},
		{32, 0, "size"},
		{1000, 0, "checksum is wrong"},
		{48 + 4016, 2, "another size"},
		{48 + 4016, 0x15555556, "another size"},
		{48 + 4016 + 20, 1, "checksum of its table"},
		{4096 + 100, 0, "checksum is wrong"},
	};
	static const size_t ends[] = {4096, 4096 + 2048};
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	size_t updates;

	add_intel(&b, 4016, 1, 4096);
	add_intel(&b, 0, 0, 2048);
	add_intel(&b, 976, 0, 1024);
	assert_null(microcode_check(MICROCODE_INTEL, buffer_view(&b), &updates));
	assert_int_equal(updates, 3);
	check_changes(MICROCODE_INTEL, &b, changes, ARRAY_SIZE(changes));
	check_cuts(MICROCODE_INTEL, &b, ends, ARRAY_SIZE(ends));
}

static void amd_containers_are_checked(void **state _unused_)
{
	static const struct change changes[] = {
		{0, 0, "no container"},
		{4, 1, "table of processors"},
		{8, 0, "table of processors"},
		{8, 40, "table of processors"},
		{8, 0xfffffff0, "table of processors"},
		{44, 2, "no patch"},
		{48, 63, "size"},
		{48, 65537, "size"},
		{48, 0xffffffff, "size"},
	};
	/* 12 + 2 * 16, then patches of 8 + 100, then the next container's head. */
	static const size_t ends[] = {44, 152, 260, 288};
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	size_t updates;

	add_amd(&b, 2, 2, 100);
	add_amd(&b, 1, 1, 64);
	assert_null(microcode_check(MICROCODE_AMD, buffer_view(&b), &updates));
	assert_int_equal(updates, 3);
	check_changes(MICROCODE_AMD, &b, changes, ARRAY_SIZE(changes));
	check_cuts(MICROCODE_AMD, &b, ends, ARRAY_SIZE(ends));
}

/* ---- folders and archives ---- */

static void put(const char *folder, const char *name, const struct buffer *data)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_replace(path, buffer_view(data), NULL), 0);
}

static char *make_folder(const char *above, const char *name)
{
	char *path = xasprintf("%s/%s", above, name);

	assert_int_equal(mkdir(path, 0755), 0);
	return path;
}

/* As the kernel's find_cpio_data(): where a file's content begins. */
static struct bytes find(const struct buffer *archive, const char *name)
{
	size_t at = 0;

	while (at + 110 < archive->len) {
		char digits[9] = "";
		size_t name_size, size, content;

		assert_memory_equal(archive->data + at, "070701", 6);
		memcpy(digits, archive->data + at + 6 + 6 * 8, 8);
		size = strtoul(digits, NULL, 16);
		memcpy(digits, archive->data + at + 6 + 11 * 8, 8);
		name_size = strtoul(digits, NULL, 16);
		content = (at + 110 + name_size + 3) / 4 * 4;
		if (strcmp((char *)archive->data + at + 110, name) == 0) {
			assert_true(name_size - strlen(name) < 18);
			return bytes_at(buffer_view(archive), content, size);
		}
		at = (content + size + 3) / 4 * 4;
	}
	return (struct bytes){0};
}

static void archives_have_what_is_there(void **state _unused_)
{
	_cleanup_(temp_folder_removep) char *work = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *first = make_folder(work, "first"),
			    *second = make_folder(work, "second"),
			    *amd = make_folder(first, "amd-ucode"),
			    *more = make_folder(second, "amd-ucode"),
			    *intel = make_folder(second, "intel-ucode");
	const char *folders[] = {NULL, first, second};
	_cleanup_buffer_ struct buffer a = BUFFER_INIT, b = BUFFER_INIT, c = BUFFER_INIT,
				       archive = BUFFER_INIT;
	struct microcode found[MICROCODE_VENDORS];
	_cleanup_error_ struct error err = ERROR_INIT;
	struct bytes data;

	assert_int_equal(microcode_archive(folders, 3, &archive, found, &err), 0);
	assert_int_equal(archive.len, 0);
	add_amd(&a, 2, 2, 100);
	add_intel(&b, 976, 0, 1024);
	add_intel(&c, 4016, 1, 4096);
	put(amd, "microcode_amd_fam17h.bin", &a);
	put(amd, "README", &b);
	put(more, "microcode_amd.bin", &a); /* of the second folder nothing is taken */
	put(intel, "06-9e-0a", &b);
	put(intel, "06-9e-0b", &c);
	put(intel, "06-9e-0b.bak", &a);
	buffer_append(&archive, "front", 5);
	assert_int_equal(microcode_archive(folders, 3, &archive, found, &err), 0);
	assert_memory_equal(archive.data, "front", 5);
	memmove(archive.data, archive.data + 5, archive.len -= 5);
	assert_int_equal(archive.len % 4096, 0);
	assert_int_equal(found[MICROCODE_INTEL].updates, 2);
	assert_int_equal(found[MICROCODE_INTEL].bytes, 1024 + 4096);
	assert_int_equal(found[MICROCODE_AMD].updates, 2);
	data = find(&archive, "kernel/x86/microcode/GenuineIntel.bin");
	assert_int_equal(data.len, b.len + c.len);
	assert_memory_equal(data.data, b.data, b.len);
	assert_memory_equal(data.data + b.len, c.data, c.len);
	assert_int_equal((size_t)(data.data - archive.data) % 16, 0);
	data = find(&archive, "kernel/x86/microcode/AuthenticAMD.bin");
	assert_true(bytes_equal(data, buffer_view(&a)));
	assert_int_equal((size_t)(data.data - archive.data) % 16, 0);

	b.data[500] ^= 1;
	put(intel, "06-9e-0a", &b);
	archive.len = 0;
	assert_int_equal(microcode_archive(folders, 3, &archive, found, &err), -1);
	assert_non_null(strstr(err.subject, "06-9e-0a"));
	assert_non_null(err.remedy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intel_updates_are_checked),
		cmocka_unit_test(amd_containers_are_checked),
		cmocka_unit_test(archives_have_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
