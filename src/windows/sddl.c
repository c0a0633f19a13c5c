/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SDDL to self-relative security descriptors. */
#include "windows/sddl.h"

#include <ctype.h>

/* Control word of SECURITY_DESCRIPTOR (+0x02). */
#define SE_DACL_PRESENT 0x0004u
#define SE_SACL_PRESENT 0x0010u
#define SE_DACL_AUTO_INHERIT_REQ 0x0100u
#define SE_DACL_AUTO_INHERITED 0x0400u
#define SE_DACL_PROTECTED 0x1000u
#define SE_SELF_RELATIVE 0x8000u

#define MAX_ACES 512
#define MAX_SUB_AUTHORITIES 15

struct word {
	const char *text;
	uint32_t value;
};

static const struct word ace_types[] = {
	{"AU", 2},    /* audit */
	{"ML", 0x11}, /* mandatory label */
	{"A", 0},
	{"D", 1},
};
static const struct word ace_flags[] = {
	{"OI", 0x01}, {"CI", 0x02}, {"NP", 0x04}, {"IO", 0x08},
	{"ID", 0x10}, {"SA", 0x40}, {"FA", 0x80},
};
static const struct word rights[] = {
	{"GA", 0x10000000}, {"GR", 0x80000000}, {"GW", 0x40000000}, {"GX", 0x20000000},
	{"RC", 0x00020000}, {"SD", 0x00010000}, {"WD", 0x00040000}, {"WO", 0x00080000},
	{"FA", 0x001f01ff}, {"FR", 0x00120089}, {"FW", 0x00120116}, {"FX", 0x001200a0},
	{"KA", 0x000f003f}, {"KR", 0x00020019}, {"KW", 0x00020006}, {"KX", 0x00020019},
	{"CC", 0x001},	    {"DC", 0x002},	{"LC", 0x004},	    {"SW", 0x008},
	{"RP", 0x010},	    {"WP", 0x020},	{"DT", 0x040},	    {"LO", 0x080},
	{"CR", 0x100},	    {"NR", 0x2},	{"NW", 0x1},	    {"NX", 0x4},
};

/* What each alias stands for (MS-DTYP 2.5.1.1): S-1-AUTHORITY-SUB... */
struct sid_alias {
	char text[3];
	uint8_t authority, count;
	uint32_t sub[2];
};
static const struct sid_alias sid_aliases[] = {
	{"WD", 1, 1, {0}},	 {"CO", 3, 1, {0}},	  {"CG", 3, 1, {1}},
	{"OW", 3, 1, {4}},	 {"NU", 5, 1, {2}},	  {"IU", 5, 1, {4}},
	{"SU", 5, 1, {6}},	 {"AN", 5, 1, {7}},	  {"ED", 5, 1, {9}},
	{"PS", 5, 1, {10}},	 {"AU", 5, 1, {11}},	  {"RC", 5, 1, {12}},
	{"SY", 5, 1, {18}},	 {"LS", 5, 1, {19}},	  {"NS", 5, 1, {20}},
	{"WR", 5, 1, {33}},	 {"BA", 5, 2, {32, 544}}, {"BU", 5, 2, {32, 545}},
	{"BG", 5, 2, {32, 546}}, {"PU", 5, 2, {32, 547}}, {"AO", 5, 2, {32, 548}},
	{"SO", 5, 2, {32, 549}}, {"PO", 5, 2, {32, 550}}, {"BO", 5, 2, {32, 551}},
	{"RE", 5, 2, {32, 552}}, {"RU", 5, 2, {32, 554}}, {"RD", 5, 2, {32, 555}},
	{"NO", 5, 2, {32, 556}}, {"MU", 5, 2, {32, 558}}, {"LU", 5, 2, {32, 559}},
	{"IS", 5, 2, {32, 568}}, {"CY", 5, 2, {32, 569}}, {"ER", 5, 2, {32, 573}},
	{"HA", 5, 2, {32, 578}}, {"RM", 5, 2, {32, 580}}, {"UD", 5, 2, {84, 0}},
	{"AC", 15, 2, {2, 1}},	 {"LW", 16, 1, {4096}},	  {"ME", 16, 1, {8192}},
	{"HI", 16, 1, {12288}},	 {"SI", 16, 1, {16384}},
};

static void skip_blanks(const char **p)
{
	while (**p == ' ' || **p == '\t')
		(*p)++;
}

static bool take(const char **p, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*p, text, n) != 0)
		return false;
	*p += n;
	return true;
}

static bool take_number(const char **p, uint64_t limit, uint64_t *ret)
{
	char *end;
	bool hexadecimal = (*p)[0] == '0' && ((*p)[1] | 0x20) == 'x';

	if (!isdigit((unsigned char)**p))
		return false;
	*ret = strtoull(*p, &end, hexadecimal ? 16 : 10);
	*p = end;
	return *ret <= limit;
}

/* Two-letter words without separators, each once or more: "CIOI", "GRGX". */
static bool take_words(const char **p, const struct word *table, size_t count,
		       uint32_t *ret)
{
	*ret = 0;
	while (isupper((unsigned char)**p)) {
		size_t i = 0;

		while (i < count && !take(p, table[i].text))
			i++;
		if (i == count)
			return false;
		*ret |= table[i].value;
	}
	return true;
}

static bool take_sid(const char **p, struct buffer *b)
{
	uint8_t head[8] = {1};
	uint32_t sub[MAX_SUB_AUTHORITIES];
	uint64_t authority, v;

	for (size_t i = 0; i < ARRAY_SIZE(sid_aliases); i++) {
		const struct sid_alias *alias = &sid_aliases[i];

		if (!take(p, alias->text))
			continue;
		head[1] = alias->count;
		head[7] = alias->authority;
		buffer_append(b, head, sizeof(head));
		for (size_t k = 0; k < alias->count; k++)
			buffer_append_le32(b, alias->sub[k]);
		return true;
	}
	if (!take(p, "S-1-") || !take_number(p, 0xFFFFFFFFFFFFull, &authority))
		return false;
	for (size_t i = 0; i < 6; i++)
		head[7 - i] = (uint8_t)(authority >> (8 * i));
	while (head[1] < MAX_SUB_AUTHORITIES && take(p, "-")) {
		if (!take_number(p, UINT32_MAX, &v))
			return false;
		sub[head[1]++] = (uint32_t)v;
	}
	if (head[1] == 0)
		return false;
	buffer_append(b, head, sizeof(head));
	for (size_t i = 0; i < head[1]; i++)
		buffer_append_le32(b, sub[i]);
	return true;
}

/* "(TYPE;FLAGS;RIGHTS;;;SID)": ACE header (type, flags, size), access mask, SID. */
static bool take_ace(const char **p, struct buffer *b)
{
	size_t start = b->len;
	uint32_t type = 0, flags, mask;
	uint64_t number;
	size_t i = 0;

	while (i < ARRAY_SIZE(ace_types) && !take(p, ace_types[i].text))
		i++;
	if (i == ARRAY_SIZE(ace_types) || !take(p, ";"))
		return false;
	type = ace_types[i].value;
	if (!take_words(p, ace_flags, ARRAY_SIZE(ace_flags), &flags) || !take(p, ";"))
		return false;
	if (take_number(p, UINT32_MAX, &number))
		mask = (uint32_t)number;
	else if (!take_words(p, rights, ARRAY_SIZE(rights), &mask))
		return false;
	if (!take(p, ";;;"))
		return false;
	buffer_append_le32(b, type | flags << 8);
	buffer_append_le32(b, mask);
	if (!take_sid(p, b))
		return false;
	skip_blanks(p);
	if (!take(p, ")"))
		return false;
	put_le16(b->data + start + 2, (uint16_t)(b->len - start));
	return true;
}

/* Flags, then entries; ACL header: revision 2, size, count. */
static bool take_acl(const char **p, struct buffer *b, uint32_t *control)
{
	static const struct word acl_flags[] = {
		{"P", SE_DACL_PROTECTED},
		{"AR", SE_DACL_AUTO_INHERIT_REQ},
		{"AI", SE_DACL_AUTO_INHERITED},
	};
	size_t count = 0, i;

	*control = 0;
	do {
		for (i = 0; i < ARRAY_SIZE(acl_flags); i++)
			if (take(p, acl_flags[i].text)) {
				*control |= acl_flags[i].value;
				break;
			}
	} while (i < ARRAY_SIZE(acl_flags));
	buffer_append_le32(b, 2);
	buffer_append_le32(b, 0);
	for (skip_blanks(p); take(p, "("); skip_blanks(p)) {
		if (++count > MAX_ACES || !take_ace(p, b) || b->len > 0xFFFF)
			return false;
	}
	put_le16(b->data + 2, (uint16_t)b->len);
	put_le16(b->data + 4, (uint16_t)count);
	return true;
}

bool sddl_compile(const char *text, struct buffer *ret)
{
	_cleanup_buffer_ struct buffer owner = BUFFER_INIT, group = BUFFER_INIT;
	_cleanup_buffer_ struct buffer dacl = BUFFER_INIT, sacl = BUFFER_INIT;
	struct buffer *parts[] = {&owner, &group, &sacl, &dacl};
	uint32_t control = SE_SELF_RELATIVE, flags;
	size_t order[] = {2, 3, 0, 1}, start = ret->len;
	uint32_t offset = 20;
	const char *p = text;

	for (skip_blanks(&p); *p; skip_blanks(&p)) {
		bool ok = false;

		if (owner.len == 0 && take(&p, "O:")) {
			ok = take_sid(&p, &owner);
		} else if (group.len == 0 && take(&p, "G:")) {
			ok = take_sid(&p, &group);
		} else if (dacl.len == 0 && take(&p, "D:")) {
			ok = take_acl(&p, &dacl, &flags);
			control |= SE_DACL_PRESENT | flags;
		} else if (sacl.len == 0 && take(&p, "S:")) {
			ok = take_acl(&p, &sacl, &flags);
			/* The same flags of the SACL are one bit further up. */
			control |= SE_SACL_PRESENT | flags << 1;
		}
		if (!ok)
			return false;
	}
	buffer_append_le32(ret, 1 | control << 16);
	/* +0x04 owner, +0x08 group, +0x0c SACL, +0x10 DACL: offsets, 0 if absent */
	memset(buffer_reserve(ret, 16), 0, 16);
	ret->len += 16;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct buffer *part = parts[order[i]];

		if (part->len == 0)
			continue;
		put_le32(ret->data + start + 4 + 4 * order[i], offset);
		buffer_append(ret, part->data, part->len);
		offset += (uint32_t)part->len;
	}
	return true;
}
