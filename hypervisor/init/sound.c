/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/sound.h"

#include <fcntl.h>
#include <sound/asound.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"

#define MAX_DEVICES 32 /* of a card */
#define MAX_CONTROLS 1024
#define MAX_CHANNELS 8
#define LEVEL 4 /* of five */
#define CLASS_MULTIMEDIA 0x0401
#define CLASS_HDA 0x0403

void sound_card_free(struct sound_card *c)
{
	free(c->out);
	free(c->in);
	*c = (struct sound_card){0};
}

/* ---- which card ---- */

static char *proc_text(const char *root, unsigned card, const char *file)
{
	_cleanup_free_ char *path =
		xasprintf("%s/proc/asound/card%u/%s", root, card, file);
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;

	if (file_read(path, SYSFS_MAX_FILE, &text, NULL) < 0)
		return NULL;
	return buffer_steal_string(&text);
}

/* The card's name for ALSA: the kernel lets it have letters, digits, '_' and '-'. */
static bool read_id(const char *root, unsigned card, char ret[32])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	_cleanup_free_ char *text = proc_text(root, card, "id");
	size_t len = text ? strspn(text, allowed) : 0;

	if (!len || len >= 32)
		return false;
	memcpy(ret, text, len);
	ret[len] = 0;
	return true;
}

/* A device of the card; digital ones go to screens, which may have no loudspeaker. */
static bool read_device(const char *root, unsigned card, unsigned device, char way,
			bool *digital)
{
	_cleanup_free_ char *file = xasprintf("pcm%u%c/info", device, way);
	_cleanup_free_ char *text = proc_text(root, card, file);

	*digital = text && (strcasestr(text, "HDMI") || strcasestr(text, "DisplayPort") ||
			    strcasestr(text, "S/PDIF") || strcasestr(text, "IEC958"));
	return text != NULL;
}

/* The first that is not digital, else the first; -1. */
static int find_device(const char *root, unsigned card, char way, bool *digital)
{
	int found = -1;

	for (unsigned i = 0; i < MAX_DEVICES; i++) {
		bool this_digital;

		if (!read_device(root, card, i, way, &this_digital))
			continue;
		if (found < 0 || !this_digital) {
			found = (int)i;
			*digital = this_digital;
		}
		if (!this_digital)
			break;
	}
	return found;
}

static bool is_usb(const char *root, unsigned card)
{
	_cleanup_free_ char *text = proc_text(root, card, "usbid");

	return text != NULL;
}

static char *alsa_name(const char *id, int device)
{
	return device < 0 ? NULL : xasprintf("plughw:CARD=%s,DEV=%d", id, device);
}

bool sound_find(const char *root, struct sound_card *ret)
{
	unsigned best = 0;

	*ret = (struct sound_card){.playback = -1, .capture = -1};
	for (unsigned i = 0; i < SOUND_MAX_CARDS; i++) {
		bool digital = false, ignored;
		int playback = find_device(root, i, 'p', &digital);
		bool usb = is_usb(root, i);
		unsigned rank = 1 + (usb ? 0 : 1) + (digital ? 0 : 2);
		char id[32];

		if (playback < 0 || rank <= best || !read_id(root, i, id))
			continue;
		best = rank;
		sound_card_free(ret);
		*ret = (struct sound_card){.card = i, .playback = playback, .usb = usb};
		ret->capture = find_device(root, i, 'c', &ignored);
		ret->out = alsa_name(id, playback);
		ret->in = alsa_name(id, ret->capture);
	}
	return best > 0;
}

bool sound_expected(const char *root)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	bool found = false;

	sysfs_list(root, "bus/pci/devices", &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *folder = xasprintf("bus/pci/devices/%s", *name);
		_cleanup_free_ char *path = xasprintf("%s/driver", folder);
		_cleanup_free_ char *driver = sysfs_link(root, path);
		uint32_t class = sysfs_number(root, folder, "class", UINT32_MAX) >> 8;

		found |= (class == CLASS_HDA || class == CLASS_MULTIMEDIA) && driver;
	}
	return found;
}

/* ---- the mixer ---- */

enum sound_level sound_level(const char *control)
{
	/* What a codec calls what leads to loudspeakers, headphones and from microphones.
	 */
	static const char *const names[] = {
		"Master Playback", "PCM Playback",     "Speaker Playback",
		"Bass Speaker",	   "Headphone",	       "Front Playback",
		"Line Out",	   "Digital Playback", "Capture ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(control);

		if (strncmp(control, names[i], strlen(names[i])) != 0)
			continue;
		if (len > 7 && strcmp(control + len - 7, " Switch") == 0)
			return SOUND_SWITCH;
		if (len > 7 && strcmp(control + len - 7, " Volume") == 0)
			return SOUND_VOLUME;
	}
	return SOUND_LEAVE;
}

static bool set_control(int fd, const struct snd_ctl_elem_id *id, enum sound_level level)
{
	struct snd_ctl_elem_info info = {.id = *id};
	struct snd_ctl_elem_value value = {.id = *id};
	long setting = 1;

	if (ioctl(fd, SNDRV_CTL_IOCTL_ELEM_INFO, &info) < 0 ||
	    !(info.access & SNDRV_CTL_ELEM_ACCESS_WRITE) ||
	    info.type != (level == SOUND_SWITCH ? SNDRV_CTL_ELEM_TYPE_BOOLEAN
						: SNDRV_CTL_ELEM_TYPE_INTEGER))
		return false;
	if (level == SOUND_VOLUME)
		setting =
			info.value.integer.min +
			(info.value.integer.max - info.value.integer.min) / 5 * LEVEL +
			(info.value.integer.max - info.value.integer.min) % 5 * LEVEL / 5;
	for (unsigned i = 0; i < info.count && i < MAX_CHANNELS; i++)
		value.value.integer.value[i] = setting;
	return ioctl(fd, SNDRV_CTL_IOCTL_ELEM_WRITE, &value) >= 0;
}

int sound_unmute(const char *node, struct error *err)
{
	_cleanup_close_ int fd = open(node, O_RDWR | O_CLOEXEC);
	struct snd_ctl_elem_list list = {0};
	_cleanup_free_ struct snd_ctl_elem_id *ids = NULL;
	int set = 0;

	if (fd < 0 || ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list) < 0)
		return error_errno(err, node, "cannot be asked for its controls");
	list.space = list.count < MAX_CONTROLS ? list.count : MAX_CONTROLS;
	ids = xcalloc(list.space + 1, sizeof(*ids));
	list.pids = ids;
	if (ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list) < 0)
		return error_errno(err, node, "cannot list its controls");
	for (unsigned i = 0; i < list.used && i < list.space; i++) {
		char name[sizeof(ids[i].name) + 1] = {0};
		enum sound_level level;

		memcpy(name, ids[i].name, sizeof(ids[i].name));
		level = sound_level(name);
		if (level != SOUND_LEAVE)
			set += set_control(fd, &ids[i], level);
	}
	return set;
}
