/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The PC's sound card for the guest's: which one, its levels, and what ALSA calls it. No
 * library: /proc/asound says what there is, the mixer is a handful of ioctls.
 */
#ifndef INIT_SOUND_H
#define INIT_SOUND_H

#include <sys/types.h>

#include "base/error.h"

#define SOUND_MAX_CARDS 32	/* the kernel's limit */

struct sound_card {
	unsigned card;
	int playback, capture;	/* numbers of its devices; -1: none */
	char *out, *in;		/* "plughw:CARD=PCH,DEV=0"; NULL: none */
	bool usb;
};
void sound_card_free(struct sound_card *card);
/*
 * The first with an analogue output, else the first that plays at all (HDMI, DisplayPort);
 * cards on USB, which may be pulled, come last of each. False: none plays.
 */
bool sound_find(const char *root, struct sound_card *ret);
/* True if there is hardware for sound whose driver may still be at work. */
bool sound_expected(const char *root);

enum sound_level {
	SOUND_LEAVE,
	SOUND_SWITCH,	/* is switched on */
	SOUND_VOLUME,	/* is set to four fifths of its range */
};
/* What becomes of a control of this name ("Master Playback Volume"). */
enum sound_level sound_level(const char *control);
/* Unmutes the card through its control node. The number of controls set; -1 on error. */
int sound_unmute(const char *node, struct error *err);

#endif
