/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SDDL to a self-relative security descriptor: owner, group and a DACL of allow entries,
 * which is what the sample needs (MS-DTYP 2.4.6 and 2.5.1).
 */
#include "samples/sample.h"

#define SE_DACL_PRESENT 0x0004
#define SE_DACL_AUTO_INHERITED 0x0400
#define SE_DACL_PROTECTED 0x1000
#define SE_SELF_RELATIVE 0x8000

struct name_value {
	const char *name;
	uint32_t value;
};

static const struct name_value ace_flags[] = {
	{"OI", 0x01}, {"CI", 0x02}, {"NP", 0x04}, {"IO", 0x08}, {"ID", 0x10},
};
static const struct name_value rights[] = {
	{"GA", 0x10000000}, {"GR", 0x80000000}, {"GW", 0x40000000}, {"GX", 0x20000000},
	{"FA", 0x001f01ff}, {"FR", 0x00120089}, {"FW", 0x00120116}, {"FX", 0x001200a0},
	{"KA", 0x000f003f}, {"KR", 0x00020019}, {"SD", 0x00010000},
};

/* The part after S-1-: authority, then sub-authorities. */
static const struct {
	const char *alias;
	uint8_t authority, count;
	uint32_t sub[6];
} sids[] = {
	{"SY", 5, 1, {18}},
	{"BA", 5, 2, {32, 544}},
	{"BU", 5, 2, {32, 545}},
	{"AU", 5, 1, {11}},
	{"WD", 1, 1, {0}},
	{"CO", 3, 1, {0}},
	{"AC", 15, 2, {2, 1}},
	/* NT SERVICE\TrustedInstaller; SDDL has no alias for it. */
	{"TI", 5, 6, {80, 956008885, 3418522649, 1831038044, 1853292631, 2271478464}},
};

static void append_sid(struct buffer *b, const char **p)
{
	for (size_t i = 0; i < ARRAY_SIZE(sids); i++) {
		if (strncmp(*p, sids[i].alias, 2) != 0)
			continue;
		uint8_t head[8] = {1, sids[i].count, 0, 0, 0, 0, 0, sids[i].authority};

		buffer_append(b, head, sizeof(head));
		for (size_t k = 0; k < sids[i].count; k++)
			buffer_append_le32(b, sids[i].sub[k]);
		*p += 2;
		return;
	}
	die("unknown SID in the security description at %s", *p);
}

static uint32_t parse_flags(const char **p, const struct name_value *table, size_t count)
{
	uint32_t v = 0;

	if (strncmp(*p, "0x", 2) == 0) {
		char *end;

		v = (uint32_t)strtoul(*p, &end, 16);
		*p = end;
	}
	while (**p && **p != ';') {
		size_t i = 0;

		while (i < count && strncmp(*p, table[i].name, 2) != 0)
			i++;
		if (i == count)
			die("unknown flag in the security description at %s", *p);
		v |= table[i].value;
		*p += 2;
	}
	if (**p)
		(*p)++;
	return v;
}

/* (A;flags;rights;;;sid) */
static void append_ace(struct buffer *acl, const char **p)
{
	size_t start = acl->len;
	uint8_t flags;
	uint32_t mask;

	if (strncmp(*p, "(A;", 3) != 0)
		die("only (A;...) is understood in a security description: %s", *p);
	*p += 3;
	flags = (uint8_t)parse_flags(p, ace_flags, ARRAY_SIZE(ace_flags));
	mask = parse_flags(p, rights, ARRAY_SIZE(rights));
	if (strncmp(*p, ";;", 2) != 0)
		die("object entries are not understood in a security description: %s",
		    *p);
	*p += 2;
	buffer_append(acl, (const uint8_t[]){0, flags, 0, 0}, 4);
	buffer_append_le32(acl, mask);
	append_sid(acl, p);
	if (*(*p)++ != ')')
		die("a ) is missing in a security description");
	put_le16(acl->data + start + 2, (uint16_t)(acl->len - start));
}

/* O:TIG:TID:PAI(A;...)...: offsets below are those of SECURITY_DESCRIPTOR_RELATIVE. */
void sddl_compile(const char *sddl, struct buffer *out)
{
	_cleanup_buffer_ struct buffer acl = BUFFER_INIT;
	uint16_t control = SE_SELF_RELATIVE | SE_DACL_PRESENT, aces = 0;
	const char *p = sddl;
	size_t base = out->len;

	buffer_append(out, (const uint8_t[20]){1}, 20);
	if (strncmp(p, "O:", 2) != 0)
		die("a security description starts with O:");
	p += 2;
	put_le32(out->data + base + 4, (uint32_t)(out->len - base));
	append_sid(out, &p);
	if (strncmp(p, "G:", 2) != 0)
		die("G: is missing in a security description");
	p += 2;
	put_le32(out->data + base + 8, (uint32_t)(out->len - base));
	append_sid(out, &p);
	if (strncmp(p, "D:", 2) != 0)
		die("D: is missing in a security description");
	p += 2;
	if (*p == 'P') {
		control |= SE_DACL_PROTECTED;
		p++;
	}
	if (strncmp(p, "AI", 2) == 0) {
		control |= SE_DACL_AUTO_INHERITED;
		p += 2;
	}
	buffer_append(&acl, (const uint8_t[8]){2}, 8);
	while (*p == '(') {
		append_ace(&acl, &p);
		aces++;
	}
	put_le16(acl.data + 2, (uint16_t)acl.len);
	put_le16(acl.data + 4, aces);
	put_le32(out->data + base + 16, (uint32_t)(out->len - base));
	put_le16(out->data + base + 2, control);
	buffer_append(out, acl.data, acl.len);
}
