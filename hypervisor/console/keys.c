/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/keys.h"

#include <linux/input-event-codes.h>

_Static_assert(KEYS_MAX == KEY_CNT, "as many keys as the kernel knows");

#define E0(code) (0x80 | (code))

/*
 * From KEY_ESC to KEY_KPDOT the kernel's codes are the scan codes; these are the others.
 * QEMU's keymaps/en-us names both for each key, and tests/test_console.c compares.
 */
static const uint8_t scan_codes[] = {
	[KEY_ZENKAKUHANKAKU] = 0x76,
	[KEY_102ND] = 0x56,
	[KEY_F11] = 0x57,
	[KEY_F12] = 0x58,
	[KEY_RO] = 0x73,
	[KEY_KATAKANA] = 0x78,
	[KEY_HIRAGANA] = 0x77,
	[KEY_HENKAN] = 0x79,
	[KEY_KATAKANAHIRAGANA] = 0x70,
	[KEY_MUHENKAN] = 0x7b,
	[KEY_KPJPCOMMA] = 0x5c,
	[KEY_KPENTER] = E0(0x1c),
	[KEY_RIGHTCTRL] = E0(0x1d),
	[KEY_KPSLASH] = E0(0x35),
	[KEY_SYSRQ] = 0x54,
	[KEY_RIGHTALT] = E0(0x38),
	[KEY_LINEFEED] = 0x5b,
	[KEY_HOME] = E0(0x47),
	[KEY_UP] = E0(0x48),
	[KEY_PAGEUP] = E0(0x49),
	[KEY_LEFT] = E0(0x4b),
	[KEY_RIGHT] = E0(0x4d),
	[KEY_END] = E0(0x4f),
	[KEY_DOWN] = E0(0x50),
	[KEY_PAGEDOWN] = E0(0x51),
	[KEY_INSERT] = E0(0x52),
	[KEY_DELETE] = E0(0x53),
	[KEY_MUTE] = E0(0x20),
	[KEY_VOLUMEDOWN] = E0(0x2e),
	[KEY_VOLUMEUP] = E0(0x30),
	[KEY_KPEQUAL] = 0x59,
	[KEY_PAUSE] = E0(0x46),
	[KEY_KPCOMMA] = 0x7e,
	[KEY_HANGEUL] = 0x72,
	[KEY_HANJA] = 0x71,
	[KEY_YEN] = 0x7d,
	[KEY_LEFTMETA] = E0(0x5b),
	[KEY_RIGHTMETA] = E0(0x5c),
	[KEY_COMPOSE] = E0(0x5d),
	[KEY_CALC] = E0(0x21),
	[KEY_MAIL] = E0(0x6c),
	[KEY_BOOKMARKS] = E0(0x66),
	[KEY_COMPUTER] = E0(0x6b),
	[KEY_BACK] = E0(0x6a),
	[KEY_FORWARD] = E0(0x69),
	[KEY_NEXTSONG] = E0(0x19),
	[KEY_PLAYPAUSE] = E0(0x22),
	[KEY_PREVIOUSSONG] = E0(0x10),
	[KEY_STOPCD] = E0(0x24),
	[KEY_HOMEPAGE] = E0(0x32),
	[KEY_REFRESH] = E0(0x67),
	[KEY_F13] = 0x5d,
	[KEY_F14] = 0x5e,
	[KEY_F15] = 0x5f,
	[KEY_SEARCH] = E0(0x65),
	[KEY_MEDIA] = E0(0x6d),
};

unsigned keys_scan_code(unsigned code)
{
	if (code >= KEY_ESC && code <= KEY_KPDOT)
		return code;
	return code < ARRAY_SIZE(scan_codes) ? scan_codes[code] : 0;
}

bool keys_is_down(const struct keys *k, unsigned code)
{
	return code < KEYS_MAX && (k->guest[code / 8] >> (code % 8) & 1);
}

static void set_down(struct keys *k, unsigned code, bool down)
{
	uint8_t bit = (uint8_t)(1u << (code % 8));

	if (down)
		k->guest[code / 8] |= bit;
	else
		k->guest[code / 8] &= (uint8_t)~bit;
}

/* Both Ctrl keys, alone: true when the first of them is let go again. */
static bool both_ctrls(struct keys *k, unsigned code, int value)
{
	unsigned bit = code == KEY_LEFTCTRL ? 1 : code == KEY_RIGHTCTRL ? 2 : 0;
	bool complete;

	if (!bit) {
		k->alone = false;
		return false;
	}
	if (value == 1) {
		if (!k->ctrls) {
			k->alone = true;
			k->both = false;
		}
		k->ctrls |= bit;
		k->both |= k->ctrls == 3;
		return false;
	}
	if (value != 0)
		return false;
	k->ctrls &= ~bit;
	complete = k->both && k->alone;
	k->both = false;
	return complete;
}

static bool ctrl_alt(const struct keys *k)
{
	return k->ctrls &&
	       (keys_is_down(k, KEY_LEFTALT) || keys_is_down(k, KEY_RIGHTALT));
}

static bool is_switch(const struct keys *k, unsigned code)
{
	return k->several && k->ctrls == 3 &&
	       (code == KEY_LEFT || code == KEY_RIGHT ||
		(code >= KEY_1 && code <= KEY_8));
}

enum keys_action keys_event(struct keys *k, unsigned code, int value)
{
	bool hot;

	if (code >= KEYS_MAX)
		return KEYS_NOTHING;
	hot = both_ctrls(k, code, value);
	if (value == 1 && is_switch(k, code))
		return KEYS_SWITCH;
	if (code == KEY_ESC && value == 1 && ctrl_alt(k)) {
		k->swallowed = true;
		return KEYS_HOT;
	}
	if (code == KEY_ESC && k->swallowed) {
		k->swallowed = value != 0;
		return KEYS_NOTHING;
	}
	if (!keys_scan_code(code))
		return KEYS_NOTHING;
	/* A key that went down elsewhere does not come up here. */
	if (value != 1 && !keys_is_down(k, code))
		return hot ? KEYS_HOT : KEYS_NOTHING;
	set_down(k, code, value != 0);
	return hot ? KEYS_PASS_HOT : KEYS_PASS;
}

int keys_release(struct keys *k)
{
	for (unsigned code = 0; code < KEYS_MAX; code++) {
		if (keys_is_down(k, code)) {
			set_down(k, code, false);
			return (int)code;
		}
	}
	return -1;
}
