/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys: from the kernel's codes to the scan codes that the guest shall see, so that the
 * layout is the guest's own; and the hot key, by which the status panel opens: both Ctrl
 * keys pressed and let go with no other key between, or Ctrl+Alt+Esc where a keyboard has
 * but one. Windows gives neither a meaning, nor to both Ctrl keys with an arrow or a digit,
 * which show another guest.
 */
#ifndef CONSOLE_KEYS_H
#define CONSOLE_KEYS_H

#include "base/memory.h"

/*
 * Set 1, 0x80 added for codes after 0xe0, as RFB has them; 0: none. The keys that switch a PC
 * off or make it sleep are none: these are init's.
 */
unsigned keys_scan_code(unsigned code);

#define KEYS_MAX 0x300	/* KEY_CNT of linux/input-event-codes.h */
struct keys {
	uint8_t guest[KEYS_MAX / 8];	/* that are down, for the guest */
	bool swallowed;			/* Esc of the hot key is down */
	unsigned ctrls;			/* 1 left, 2 right is down */
	bool alone;			/* no other key since the first of them */
	bool both;			/* both have been down */
	bool several;			/* there are guests to switch between */
};
enum keys_action {
	KEYS_NOTHING,
	KEYS_PASS,	/* to the guest */
	KEYS_HOT,	/* to the guest not, but the hot key is complete */
	KEYS_PASS_HOT,	/* both */
	KEYS_SWITCH,	/* to the guest not: another one is to be shown */
};
/* What becomes of a key: value 0 released, 1 pressed, 2 repeated. */
enum keys_action keys_event(struct keys *k, unsigned code, int value);
/* The next key that is down for the guest, which then counts as released; -1: none is. */
int keys_release(struct keys *k);
/* The same bookkeeping for a key that is sent without being pressed. */
bool keys_is_down(const struct keys *k, unsigned code);

#endif
