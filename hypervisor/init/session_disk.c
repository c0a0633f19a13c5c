/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/session_disk.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "init/dm.h"
#include "init/images.h"
#include "init/mounts.h"
#include "init/root.h"
#include "init/say.h"
#include "init/session_stream.h"
#include "init/state.h"
#include "init/uevent.h"
#include "layout.h"

#define DEVICE_WAIT 15		  /* seconds for a disk */
#define DEVICE_STEP 1000	  /* ms, at most, until it is looked at again */
#define ROOM ((uint64_t)32 << 20) /* bytes that make it worth while to go on */
#define MAX_ASIDE 99

void session_disk_free(struct session_disk *d)
{
	stream_stop(&d->stream);
	overlay_golden_free(&d->golden);
	free(d->state);
	free(d->overlay);
	free(d->memory);
	free(d->label);
	free(d->sealed);
	free(d->disk);
	free(d->state_disk);
	*d = (struct session_disk){0};
}

void session_state_free(struct session_state *state)
{
	free(state->folder);
	free(state->disk);
	*state = (struct session_state){0};
}

int session_hand_over(const char *path, uid_t uid, unsigned mode, struct error *err)
{
	if (chown(path, uid, SESSION_QEMU_ID) < 0 || chmod(path, (mode_t)mode) < 0)
		return error_errno(err, path, "cannot be handed to QEMU");
	return 0;
}

/* ---- waiting for disks ---- */

/* Something that may not be there yet: 1 is no, as mounts_device() has it. */
typedef int attempt_fn(struct session *s, void *arg, struct error *err);

static time_t now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Tried at once, then with all news of devices. */
static int attempt(struct session *s, attempt_fn *fn, void *arg, const char *what,
		   struct error *err)
{
	time_t end = now() + DEVICE_WAIT;
	int news = uevent_open(NULL);
	struct uevent event;
	int result;

	while ((result = fn(s, arg, err)) == 1 && now() < end) {
		struct pollfd fd = {.fd = news, .events = POLLIN};

		if (coldplug_sweep(&s->coldplug, err) < 0) {
			result = -1;
			break;
		}
		(void)poll(&fd, 1, DEVICE_STEP);
		while (news >= 0 && uevent_read(news, &event) > 0)
			;
	}
	if (news >= 0)
		close(news);
	if (result != 1)
		return result;
	error_set(err, ERROR_FAILED, what, "did not show up within %u s", DEVICE_WAIT);
	return error_remedy(err,
			    "is the stick in, and is its controller's driver packed?");
}

struct mount_wish {
	const char *device, *target;
	bool writable;
};

static int try_mount(struct session *s _unused_, void *arg, struct error *err)
{
	const struct mount_wish *w = arg;

	return mounts_device(w->device, w->target, w->writable, NULL, err);
}

static int mount_named(struct session *s, const char *key, const char *target,
		       bool writable, struct error *err)
{
	struct mount_wish w = {.device = options_get(&s->options, key),
			       .target = target,
			       .writable = writable};

	return w.device ? attempt(s, try_mount, &w, w.device, err) : 0;
}

struct medium_wish {
	const char *boot_disk;
	struct medium_search search;
	struct medium *ret;
};

/* The boot disk's own first. */
static int try_medium(struct session *s _unused_, void *arg, struct error *err _unused_)
{
	struct medium_wish *w = arg;

	for (int any = w->boot_disk ? 0 : 1; any < 2; any++) {
		w->search.disk = any ? NULL : w->boot_disk;
		strings_free(&w->search.examined);
		if (medium_next(&w->search, w->ret) == 1)
			return 0;
	}
	return 1;
}

/* ---- the golden image ---- */

static int find_image(struct session *s, const struct session_disk *d,
		      const struct image_place *place, const char *value,
		      struct medium *ret, struct error *err)
{
	_cleanup_free_ char *target = xasprintf("%s/image", d->folder);
	struct guid type;
	struct medium_wish w = {
		.boot_disk = options_get(&s->facts, "disk"),
		.search = {.root = s->root, .target = target, .ext4 = true},
		.ret = ret};
	int result;

	(void)guid_parse(LAYOUT_TYPE_IMAGE, &type);
	if (place->where == IMAGE_PARTITION) {
		w.search.type = &type;
		w.search.guid = &place->guid;
	} else {
		w.search.file = place->path;
	}
	result = attempt(s, try_medium, &w, value, err);
	medium_search_free(&w.search);
	return result;
}

static void say_percent(void *arg, unsigned percent)
{
	say_to(((const struct session *)arg)->say, "the image is verified: %u %%",
	       percent);
}

/* The device by which QEMU reads it: through dm-verity where there is a seal. */
static int open_sealed(struct session *s, struct session_disk *d, char **device,
		       struct error *err)
{
	const char *text = options_get(&d->guest->options, "seal");
	const char *verify = options_get(&d->guest->options, "verify");
	_cleanup_free_ char *below = NULL;
	struct seal seal;

	if (!text)
		return 0;
	if (seal_parse(text, "seal", &seal, err) < 0)
		return -1;
	/* Two guests may have the same image, each by a device of its own. */
	d->sealed = xasprintf("gild-%s%s%.16s", d->guest->name ? d->guest->name : "",
			      d->guest->name ? "-" : "", seal.hash);
	below = steal_ptr(*device);
	if (dm_open_sealed(d->sealed, below, d->label, &seal, device, err) < 0)
		return -1;
	return verify && strcmp(verify, "full") == 0
		       ? device_read_all(*device, d->label, say_percent, s, err)
		       : 0;
}

/* A path stays what it is unless it has a seal: then it must be a block device. */
static int open_path(struct session_disk *d, const char *path, char **device,
		     struct error *err)
{
	struct stat st;

	d->label = xstrdup(path);
	*device = xstrdup(path);
	if (!options_get(&d->guest->options, "seal") || stat(path, &st) < 0 ||
	    S_ISBLK(st.st_mode))
		return 0;
	free(*device);
	*device = NULL;
	return loop_attach(path, 0, 0, false, device, err);
}

static int open_place(struct session *s, struct session_disk *d, const char *value,
		      char **device, struct error *err)
{
	struct medium m = {0};
	struct image_place place;
	bool loop;
	int result;

	if (image_place_parse(value, &place, err) < 0)
		return -1;
	if (place.where == IMAGE_PATH)
		return open_path(d, value, device, err);
	if (place.where == IMAGE_URL)
		return session_stream_open(s, d, place.path, device, err);
	if (find_image(s, d, &place, value, &m, err) < 0)
		return -1;
	d->label = xasprintf("image %s on %s", d->guest->name ? d->guest->name : value,
			     m.label);
	d->disk = xstrdup(m.disk);
	result = medium_device(&m, false, device, &loop, err);
	medium_free(&m);
	return result;
}

static int open_golden(struct session_disk *d, const char *device, struct error *err)
{
	const struct options *o = &d->guest->options;
	struct overlay_hints hints = {.format = options_get(o, "format"),
				      .seal = options_get(o, "seal"),
				      .label = d->label};
	struct stat st;

	if (overlay_open_golden_as(device, &hints, &d->golden, err) < 0)
		return -1;
	d->golden_device = stat(device, &st) == 0 && S_ISBLK(st.st_mode);
	return d->golden_device ? session_hand_over(device, d->uid, 0400, err) : 0;
}

/* What comes from a server is tried as long as it is only away. */
static int open_found(struct session *s, struct session_disk *d, const char *found,
		      struct error *err)
{
	do {
		_cleanup_free_ char *device = xstrdup(found);

		free(d->sealed);
		d->sealed = NULL;
		if (open_sealed(s, d, &device, err) == 0 &&
		    open_golden(d, device, err) == 0)
			return 0;
		if (d->sealed)
			dm_remove(d->sealed);
	} while (session_stream_again(s, d, err));
	if (d->stream.keeper && err->code == ERROR_STATE)
		(void)error_remedy(err, "publish it anew, and look at the server's disk");
	return -1;
}

static int open_image(struct session *s, struct session_disk *d, struct error *err)
{
	const char *value = options_get(&d->guest->options, "image");
	_cleanup_free_ char *device = NULL;
	_cleanup_error_ struct error own = ERROR_INIT;

	if (!value) {
		error_set(err, ERROR_FAILED, "image", "no image is named");
		return error_remedy(err, "give image=PATH");
	}
	if (open_place(s, d, value, &device, &own) == 0 &&
	    open_found(s, d, device, &own) == 0)
		return 0;
	/* One of several does without (verdict_guest_failed). */
	if (own.code == ERROR_STATE && s->guests.len == 1)
		verdict_image_damaged(&s->verdict, &own);
	return error_move(err, &own);
}

/* ---- state and overlay ---- */

static bool keeps_nothing(const struct session *s)
{
	vec_foreach (guest, &s->guests) {
		const char *persist = options_get(&guest->options, "persist");

		if (!persist || strcmp(persist, "off") != 0)
			return false;
	}
	return true;
}

int session_state_open(struct session *s, struct session_state *ret, struct error *err)
{
	struct medium m = {0};
	int result;

	*ret = (struct session_state){0};
	if (mount_named(s, "media", "/media", false, err) < 0)
		return -1;
	if (options_get(&s->options, "state")) {
		ret->folder = xstrdup(SESSION_STATE);
		return mount_named(s, "state", SESSION_STATE, true, err);
	}
	/* Without a first stage nothing of the medium's partitions is looked for. */
	if (!s->facts.words.len || keeps_nothing(s))
		return 0;
	if (!state_find(s->root, options_get(&s->facts, "disk"), &m))
		return 0;
	result = state_mount(&m, s->root, SESSION_STATE, s->say, err);
	if (result == 0) {
		say_to(s->say, "state on %s", m.label);
		ret->folder = xstrdup(SESSION_STATE);
		ret->disk = xstrdup(m.disk);
	}
	medium_free(&m);
	return result;
}

/* Each image of several has its own. */
static int name_folder(struct session_disk *d, struct error *err)
{
	const char *name = d->guest->name;
	char *folder;

	if (!d->state || !name)
		return 0;
	folder = xasprintf("%s/%s", d->state, name);
	free(d->state);
	d->state = folder;
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return error_errno(err, folder, "cannot make the folder");
	return 0;
}

/* on, off, or reset: on, with an overlay made anew and the old one aside. */
static int read_persist(struct session_disk *d, struct error *err)
{
	const struct options *o = &d->guest->options;
	const char *value = options_get(o, "persist");

	/* A state that was found is there to be used; one that was named waits for the
	 * word. */
	d->persist = d->state_disk != NULL;
	d->reset = value && strcmp(value, "reset") == 0;
	if (d->reset)
		d->persist = true;
	else if (options_switch(o, "persist", d->persist, &d->persist, err) < 0)
		return -1;
	if (!d->persist || d->state)
		return 0;
	error_set(err, ERROR_FAILED, "persist", "there is nowhere to keep anything");
	return error_remedy(err, "give state=DEVICE, or persist=off");
}

int session_disk_begin(struct session_disk *d, const struct session_state *state,
		       struct error *err)
{
	if (state->folder)
		d->state = xstrdup(state->folder);
	if (state->disk)
		d->state_disk = xstrdup(state->disk);
	if (read_persist(d, err) < 0)
		return -1;
	/* What is found on the medium is left alone where nothing is to be kept. */
	if (!d->persist && d->state_disk) {
		free(steal_ptr(d->state));
		free(steal_ptr(d->state_disk));
	}
	return name_folder(d, err);
}

static int put_aside(const struct session *s, const struct session_disk *d,
		     struct error *err)
{
	for (unsigned i = 1; i <= MAX_ASIDE; i++) {
		_cleanup_free_ char *aside =
			xasprintf("%s/overlay-%u.qcow2", d->state, i);

		if (access(aside, F_OK) == 0)
			continue;
		if (rename(d->overlay, aside) < 0)
			return errno == ENOENT ? 0
					       : error_errno(err, d->overlay,
							     "cannot be renamed");
		say_to(s->say, "what the guest wrote is kept aside as %s", aside);
		return 0;
	}
	return error_set(err, ERROR_STATE, d->state, "has %u overlays aside already",
			 MAX_ASIDE);
}

/* Of a size that leaves memory: it is full before the PC is, and the guest is stopped
 * instead of killed. */
static int mount_memory(struct session_disk *d, struct error *err)
{
	_cleanup_free_ char *size =
		xasprintf("mode=0755,size=%llu", (unsigned long long)d->reserved);

	d->memory = xasprintf("%s/overlay", d->folder);
	if (mkdir(d->memory, 0755) < 0 && errno != EEXIST)
		return error_errno(err, d->memory, "cannot make the folder");
	if (mount("tmpfs", d->memory, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, size) <
	    0)
		return error_errno(err, d->memory, "cannot mount tmpfs");
	return 0;
}

static void say_disk(const struct session *s, const struct session_disk *d)
{
	const char *sealed = d->sealed ? " under its seal" : "";

	if (d->persist)
		say_to(s->say, "%s%s, changes are kept", d->label, sealed);
	else
		say_to(s->say,
		       "%s%s, changes are dropped at the end (%llu MiB of memory for "
		       "them)",
		       d->label, sealed, (unsigned long long)d->reserved >> 20);
}

static int prepare_overlay(struct session *s, struct session_disk *d, struct error *err)
{
	if (!d->persist && mount_memory(d, err) < 0)
		return -1;
	d->overlay = xasprintf("%s/overlay.qcow2", d->persist ? d->state : d->memory);
	if (d->reset && put_aside(s, d, err) < 0)
		return -1;
	if (overlay_prepare(d->overlay, &d->golden, d->persist, err) < 0 ||
	    session_hand_over(d->overlay, d->uid, 0600, err) < 0)
		return -1;
	say_disk(s, d);
	return 0;
}

int session_disk_open(struct session *s, struct session_disk *d, struct error *err)
{
	if (open_image(s, d, err) < 0)
		return -1;
	return prepare_overlay(s, d, err);
}

/* ---- trouble ---- */

bool session_disk_space(const struct session_disk *d)
{
	_cleanup_free_ char *folder = xstrdup(d->overlay);
	char *slash = strrchr(folder, '/');
	struct statvfs st;

	if (slash)
		*slash = 0;
	return statvfs(folder, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize >= ROOM;
}

bool session_disk_is_back(const struct session_disk *d)
{
	return d->stream.keeper && stream_is_up(&d->stream) && d->sealed &&
	       !dm_is_corrupted(d->sealed);
}

char *session_disk_trouble(const struct session_disk *d, bool no_space,
			   const char *reason)
{
	if (no_space)
		return xasprintf(
			"the guest is stopped, nothing is lost: %s is full; make "
			"room there, or press the power button to switch off and "
			"write the image to a larger stick",
			d->persist ? "the state" : "the memory for changes");
	if (d->sealed && dm_is_corrupted(d->sealed))
		return xasprintf("the guest is stopped: %s is damaged; %s", d->label,
				 d->stream.keeper ? "publish it anew, and look at the "
						    "server's disk"
						  : "write the medium anew, and replace "
						    "it if that does not last");
	if (d->stream.keeper)
		return xasprintf("the guest is stopped, nothing is lost: the server of "
				 "%s does not answer; the guest goes on as soon as it "
				 "does, or press the power button to switch off",
				 d->label);
	return xasprintf("the guest is stopped: its disk cannot be read or written (%s), "
			 "%s; press the power button to switch off",
			 reason, d->label);
}

bool session_disk_lost(const struct session *s, const struct session_disk *d, char **ret)
{
	const char *toram = options_get(&s->facts, "toram");
	const char *boot =
		toram && strcmp(toram, "on") == 0 ? NULL : options_get(&s->facts, "disk");
	const struct {
		const char *disk, *what;
	} needed[] = {
		{d->disk, "the golden image"},
		{d->persist ? d->state_disk : NULL, "the state"},
		{boot, "the boot medium"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (!needed[i].disk || medium_there(s->root, needed[i].disk))
			continue;
		*ret = xasprintf(
			"the disk %s with %s was pulled out: the guest cannot go "
			"on; press the power button to switch off, put it back in "
			"and start again",
			needed[i].disk, needed[i].what);
		return true;
	}
	return false;
}
