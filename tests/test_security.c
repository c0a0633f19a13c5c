/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What new files and folders inherit, in the cases that Windows' own folders have. */
#include "test.h"

#include "tree/security.h"

struct ace {
	uint8_t flags;
	uint32_t mask;
	const uint8_t *sid;
	size_t sid_len;
};
static const uint8_t system_sid[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
static const uint8_t users_sid[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0};
static const uint8_t creator_sid[] = {1, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0};
#define SYSTEM system_sid, sizeof(system_sid)
#define USERS users_sid, sizeof(users_sid)
#define CREATOR creator_sid, sizeof(creator_sid)

/* A descriptor with owner SYSTEM and these access-allowed ACEs. */
static void make(struct buffer *sd, const struct ace *aces, size_t n)
{
	uint8_t header[20] = {1, 0, 0x04, 0x84};
	size_t acl = 20 + sizeof(system_sid);

	put_le32(header + 4, 20);
	put_le32(header + 16, (uint32_t)acl);
	buffer_append(sd, header, sizeof(header));
	buffer_append(sd, SYSTEM);
	buffer_append(sd, (const uint8_t[]){2, 0, 0, 0, (uint8_t)n, 0, 0, 0}, 8);
	for (size_t i = 0; i < n; i++) {
		buffer_append(sd, (const uint8_t[]){0, aces[i].flags}, 2);
		buffer_append_le16(sd, (uint16_t)(8 + aces[i].sid_len));
		buffer_append_le32(sd, aces[i].mask);
		buffer_append(sd, aces[i].sid, aces[i].sid_len);
	}
	put_le16(sd->data + acl + 2, (uint16_t)(sd->len - acl));
}

static void expect(struct bytes parent, bool folder, const struct ace *aces, size_t n)
{
	_cleanup_buffer_ struct buffer child = BUFFER_INIT;
	const uint8_t *acl, *ace;

	buffer_append(&child, "x", 1); /* the result starts where the buffer stood */
	security_inherit(parent, folder, &child);
	assert_true(security_valid((struct bytes){child.data + 1, child.len - 1}));
	acl = child.data + 1 + get_le32(child.data + 1 + 16);
	assert_int_equal(get_le16(acl + 4), n);
	ace = acl + 8;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ace[0], 0);
		assert_int_equal(ace[1], aces[i].flags);
		assert_int_equal(get_le32(ace + 4), aces[i].mask);
		assert_int_equal(get_le16(ace + 2), 8 + aces[i].sid_len);
		assert_memory_equal(ace + 8, aces[i].sid, aces[i].sid_len);
		ace += get_le16(ace + 2);
	}
	assert_memory_equal(child.data + 1 + get_le32(child.data + 1 + 4), system_sid,
			    sizeof(system_sid));
}

static void inheritance_follows_the_flags(void **state _unused_)
{
	static const struct ace parent[] = {
		{0x00, 0x1F01FF, SYSTEM},    /* this folder only */
		{0x0B, 0x10000000, SYSTEM},  /* OI CI IO, generic all */
		{0x03, 0x1200A9, USERS},     /* OI CI */
		{0x0B, 0x10000000, CREATOR}, /* OI CI IO creator */
		{0x05, 0x120089, USERS},     /* OI NP: files right here */
		{0x02, 0x100020, USERS},     /* CI */
		{0x01, 0x000001, USERS},     /* OI */
	};
	static const struct ace file[] = {
		{0x10, 0x1F01FF, SYSTEM}, {0x10, 0x1200A9, USERS},
		{0x10, 0x1F01FF, SYSTEM}, {0x10, 0x120089, USERS},
		{0x10, 0x000001, USERS},
	};
	static const struct ace folder[] = {
		{0x10, 0x1F01FF, SYSTEM},    {0x1B, 0x10000000, SYSTEM},
		{0x13, 0x1200A9, USERS},     {0x10, 0x1F01FF, SYSTEM},
		{0x1B, 0x10000000, CREATOR}, {0x12, 0x100020, USERS},
		{0x19, 0x000001, USERS},
	};
	_cleanup_buffer_ struct buffer sd = BUFFER_INIT;

	make(&sd, parent, ARRAY_SIZE(parent));
	assert_true(security_valid(buffer_view(&sd)));
	expect(buffer_view(&sd), false, file, ARRAY_SIZE(file));
	expect(buffer_view(&sd), true, folder, ARRAY_SIZE(folder));
}

static void no_parent_never_means_everyone(void **state _unused_)
{
	static const uint8_t admins[] = {1,  2, 0, 0, 0,    0, 0, 5,
					 32, 0, 0, 0, 0x20, 2, 0, 0};
	static const struct ace fallback[] = {
		{0, 0x1F01FF, SYSTEM},
		{0, 0x1F01FF, admins, sizeof(admins)},
		{0, 0x1200A9, USERS},
	};
	static const struct ace nothing_handed_on[] = {{0x00, 0x1F01FF, SYSTEM}};
	static const uint8_t null_dacl[20] = {1, 0, 0x04, 0x80};
	_cleanup_buffer_ struct buffer sd = BUFFER_INIT;

	expect((struct bytes){NULL, 0}, false, fallback, ARRAY_SIZE(fallback));
	expect((struct bytes){null_dacl, 20}, false, fallback, ARRAY_SIZE(fallback));
	make(&sd, nothing_handed_on, 1);
	expect(buffer_view(&sd), false, fallback, ARRAY_SIZE(fallback));
	/* Cut anywhere, or with sizes that lie, it is no descriptor and gives the
	 * fallback. */
	for (size_t len = 0; len < sd.len; len++) {
		assert_false(security_valid((struct bytes){sd.data, len}));
		expect((struct bytes){sd.data, len}, false, fallback,
		       ARRAY_SIZE(fallback));
	}
	for (size_t i = 20; i < sd.len; i++) {
		_cleanup_buffer_ struct buffer bad = BUFFER_INIT, child = BUFFER_INIT;

		buffer_append(&bad, sd.data, sd.len);
		bad.data[i] ^= 0xFF;
		security_inherit(buffer_view(&bad), true, &child);
		assert_true(security_valid(buffer_view(&child)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inheritance_follows_the_flags),
		cmocka_unit_test(no_parent_never_means_everyone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
