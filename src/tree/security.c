/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tree/security.h"

#define SD_HEADER 20
#define ACL_HEADER 8
#define ACE_HEADER 8 /* type, flags, size, access mask; the SID follows */

/* SECURITY_DESCRIPTOR control. */
#define SE_DACL_PRESENT 0x0004u
#define SE_SACL_PRESENT 0x0010u
#define SE_DACL_AUTO_INHERITED 0x0400u
#define SE_SACL_AUTO_INHERITED 0x0800u
#define SE_SELF_RELATIVE 0x8000u

/* ACE flags. */
#define ACE_OBJECT_INHERIT 0x01u
#define ACE_CONTAINER_INHERIT 0x02u
#define ACE_NO_PROPAGATE 0x04u
#define ACE_INHERIT_ONLY 0x08u
#define ACE_INHERITED 0x10u
#define ACE_INHERITANCE                                                  \
	(ACE_OBJECT_INHERIT | ACE_CONTAINER_INHERIT | ACE_NO_PROPAGATE | \
	 ACE_INHERIT_ONLY | ACE_INHERITED)

#define GENERIC_BITS 0xF0000000u

/* S-1-5-18, S-1-5-32-544, S-1-5-32-545, S-1-3-0, S-1-3-1 */
static const uint8_t sid_system[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
static const uint8_t sid_admins[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
static const uint8_t sid_users[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0};
static const uint8_t sid_creator[] = {1, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0};
static const uint8_t sid_creator_group[] = {1, 1, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0};

/* The SID at that place, by its own count of sub-authorities; empty if it is cut off. */
static struct bytes sid_at(struct bytes b, uint64_t offset)
{
	struct bytes head = bytes_at(b, offset, 8);

	if (!head.data || head.data[0] != 1 || head.data[1] > 15)
		return (struct bytes){NULL, 0};
	return bytes_at(b, offset, 8u + 4u * head.data[1]);
}

/* The ACL at that place with exactly its own size; empty if it is not well formed. */
static struct bytes acl_at(struct bytes b, uint64_t offset)
{
	struct bytes head = bytes_at(b, offset, ACL_HEADER), acl;
	uint64_t at = ACL_HEADER;
	uint16_t count;

	if (!head.data || get_le16(head.data + 2) < ACL_HEADER)
		return (struct bytes){NULL, 0};
	acl = bytes_at(b, offset, get_le16(head.data + 2));
	if (!acl.data)
		return acl;
	count = get_le16(acl.data + 4);
	for (uint16_t i = 0; i < count; i++) {
		uint16_t size;

		if (!bytes_le16(acl, at + 2, &size) || size < ACE_HEADER ||
		    !bytes_has(acl, at, size))
			return (struct bytes){NULL, 0};
		at += size;
	}
	return acl;
}

static bool get_acl(struct bytes sd, unsigned present, unsigned field, struct bytes *acl)
{
	uint32_t offset = get_le32(sd.data + field);

	*acl = (struct bytes){NULL, 0};
	if (!(get_le16(sd.data + 2) & present) || offset == 0)
		return true;
	*acl = acl_at(sd, offset);
	return acl->data != NULL;
}

bool security_valid(struct bytes sd)
{
	struct bytes acl;

	if (sd.len < SD_HEADER || sd.data[0] != 1 ||
	    !(get_le16(sd.data + 2) & SE_SELF_RELATIVE))
		return false;
	for (unsigned field = 4; field <= 8; field += 4)
		if (get_le32(sd.data + field) &&
		    !sid_at(sd, get_le32(sd.data + field)).data)
			return false;
	return get_acl(sd, SE_SACL_PRESENT, 12, &acl) &&
	       get_acl(sd, SE_DACL_PRESENT, 16, &acl);
}

static uint32_t map_generic(uint32_t mask)
{
	/* FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, _WRITE, _READ */
	static const uint32_t file_rights[] = {0x1F01FF, 0x1200A0, 0x120116, 0x120089};

	for (unsigned i = 0; i < 4; i++)
		if (mask & 0x10000000u << i)
			mask |= file_rights[i];
	return mask & ~GENERIC_BITS;
}

static void append_ace(struct buffer *acl, uint8_t type, uint8_t flags, uint32_t mask,
		       struct bytes sid)
{
	buffer_append(acl, (const uint8_t[]){type, flags}, 2);
	buffer_append_le16(acl, (uint16_t)(ACE_HEADER + sid.len));
	buffer_append_le32(acl, mask);
	buffer_append(acl, sid.data, sid.len);
	put_le16(acl->data + 4, (uint16_t)(get_le16(acl->data + 4) + 1));
}

static bool sid_is(struct bytes sid, const uint8_t *other, size_t len)
{
	return bytes_equal(sid, (struct bytes){other, len});
}

/*
 * One ACE of the parent, for the child: up to two, when what takes effect on a folder is
 * not what it hands on (a creator's SID, generic rights).
 */
static void inherit_ace(struct bytes ace, bool folder, struct buffer *acl)
{
	/* Object ACEs and anything newer than the callback types have other layouts. */
	static const uint16_t plain_types =
		1u << 0 | 1u << 1 | 1u << 2 | 1u << 9 | 1u << 10 | 1u << 13;
	uint8_t type = ace.data[0], flags = ace.data[1], kept, handed_on = 0;
	uint32_t mask = get_le32(ace.data + 4);
	struct bytes sid = sid_at(ace, ACE_HEADER), owner, rest;
	bool effective = flags & (folder ? ACE_CONTAINER_INHERIT : ACE_OBJECT_INHERIT);
	bool label = type == 0x11; /* SYSTEM_MANDATORY_LABEL_ACE */

	if ((!label && (type >= 16 || !(plain_types & 1u << type))) || !sid.data)
		return;
	rest = bytes_at(ace, ACE_HEADER + sid.len, ace.len - ACE_HEADER - sid.len);
	kept = (uint8_t)((flags & ~ACE_INHERITANCE) | ACE_INHERITED);
	if (folder && !(flags & ACE_NO_PROPAGATE))
		handed_on = flags & (ACE_OBJECT_INHERIT | ACE_CONTAINER_INHERIT);
	/* Owner and group of the child are both SYSTEM. */
	owner = sid_is(sid, sid_creator, sizeof(sid_creator)) ||
				sid_is(sid, sid_creator_group, sizeof(sid_creator_group))
			? (struct bytes){sid_system, sizeof(sid_system)}
			: sid;
	_cleanup_buffer_ struct buffer to = BUFFER_INIT, from = BUFFER_INIT;

	buffer_append(&to, owner.data, owner.len);
	buffer_append(&to, rest.data, rest.len);
	buffer_append(&from, sid.data, sid.len);
	buffer_append(&from, rest.data, rest.len);
	if (effective && handed_on && map_generic(mask) == mask &&
	    owner.data == sid.data) {
		append_ace(acl, type, kept | handed_on, mask, buffer_view(&from));
		return;
	}
	if (effective)
		append_ace(acl, type, kept, label ? mask : map_generic(mask),
			   buffer_view(&to));
	if (handed_on)
		append_ace(acl, type, (uint8_t)(kept | handed_on | ACE_INHERIT_ONLY),
			   mask, buffer_view(&from));
}

static void acl_begin(struct buffer *acl, uint8_t revision)
{
	buffer_append(acl, (const uint8_t[]){revision, 0, 0, 0, 0, 0, 0, 0}, ACL_HEADER);
}

static void inherit_acl(struct bytes parent, bool folder, struct buffer *acl)
{
	uint64_t at = ACL_HEADER;

	acl_begin(acl, parent.data[0]);
	for (uint16_t i = get_le16(parent.data + 4); i; i--) {
		struct bytes ace = bytes_at(parent, at, get_le16(parent.data + at + 2));

		inherit_ace(ace, folder, acl);
		at += ace.len;
	}
}

static void default_acl(bool folder, struct buffer *acl)
{
	uint8_t flags = folder ? ACE_OBJECT_INHERIT | ACE_CONTAINER_INHERIT : 0;

	acl_begin(acl, 2);
	append_ace(acl, 0, flags, map_generic(0x10000000),
		   (struct bytes){sid_system, sizeof(sid_system)});
	append_ace(acl, 0, flags, map_generic(0x10000000),
		   (struct bytes){sid_admins, sizeof(sid_admins)});
	append_ace(acl, 0, flags, map_generic(0xA0000000),
		   (struct bytes){sid_users, sizeof(sid_users)});
}

/* Appends the part and enters its place into the header; the ACL's size is filled in. */
static void append_part(struct buffer *sd, size_t start, unsigned field,
			struct buffer *acl)
{
	put_le16(acl->data + 2, (uint16_t)acl->len);
	put_le32(sd->data + start + field, (uint32_t)(sd->len - start));
	buffer_append(sd, acl->data, acl->len);
}

void security_inherit(struct bytes parent, bool folder, struct buffer *ret)
{
	_cleanup_buffer_ struct buffer dacl = BUFFER_INIT, sacl = BUFFER_INIT;
	struct bytes from = {NULL, 0}, audit = {NULL, 0};
	uint16_t control = SE_SELF_RELATIVE | SE_DACL_PRESENT;
	size_t start = ret->len;

	if (security_valid(parent)) {
		(void)get_acl(parent, SE_DACL_PRESENT, 16, &from);
		(void)get_acl(parent, SE_SACL_PRESENT, 12, &audit);
	}
	if (from.data) {
		inherit_acl(from, folder, &dacl);
		control |= SE_DACL_AUTO_INHERITED;
	}
	/* NT falls back to the creator's default when nothing is inherited. */
	if (dacl.len <= ACL_HEADER) {
		dacl.len = 0;
		default_acl(folder, &dacl);
	}
	if (audit.data)
		inherit_acl(audit, folder, &sacl);
	if (sacl.len > ACL_HEADER)
		control |= SE_SACL_PRESENT | SE_SACL_AUTO_INHERITED;
	memset(buffer_reserve(ret, SD_HEADER), 0, SD_HEADER);
	ret->len += SD_HEADER;
	ret->data[start] = 1;
	put_le16(ret->data + start + 2, control);
	if (control & SE_SACL_PRESENT)
		append_part(ret, start, 12, &sacl);
	append_part(ret, start, 16, &dacl);
	for (unsigned field = 4; field <= 8; field += 4) {
		put_le32(ret->data + start + field, (uint32_t)(ret->len - start));
		buffer_append(ret, sid_system, sizeof(sid_system));
	}
}
