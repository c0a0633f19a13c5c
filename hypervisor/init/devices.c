/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "init/supervise.h"
#include "init/uevent.h"

#define SETTLE 300	/* ms after the last news: drivers come between them */
#define SOUND_WAIT 1500 /* ms for a codec's driver */
#define SOUND_STEP 50
#define MAX_EVENTS 16

/* ---- words ---- */

static int read_sound(const struct options *o, bool *ret, struct error *err)
{
	const char *sound = options_get(o, "sound");

	*ret = !sound || strcmp(sound, "auto") == 0;
	if (*ret || strcmp(sound, "off") == 0)
		return 0;
	error_set(err, ERROR_FAILED, "sound", "\"%s\" is not auto or off", sound);
	return error_remedy(err, "docs/hypervisor.md has the keys");
}

int devices_configure(struct devices *d, const struct options *o, struct error *err)
{
	if (network_read_wish(o, &d->network.wish, err) < 0)
		return -1;
	return lid_read_wish(o, &d->lid.wish, err);
}

int devices_add_guest(struct devices *d, const struct devices_words *w, struct error *err)
{
	const struct options *words = d->count ? w->own : w->all;
	struct devices_guest *g = &d->guests[d->count];
	struct network_guest *n = &d->network.guests[d->count];
	struct network_wish wish;

	if (d->count == NETWORK_MAX_GUESTS)
		return error_set(err, ERROR_FAILED, "guests", "are more than %u",
				 NETWORK_MAX_GUESTS);
	d->network.count = ++d->count;
	*g = (struct devices_guest){.uid = w->uid};
	if (read_sound(w->all, &g->sound, err) < 0 ||
	    usb_read_wish(words, &g->usb, err) < 0 ||
	    network_read_wish(words, &wish, err) < 0)
		return -1;
	g->heard = g->sound && options_get(w->own, "sound");
	*n = (struct network_guest){
		.name = w->name, .uid = w->uid, .off = w->no_network, .wish = wish.mac};
	return 0;
}

/* ---- what is waited for ---- */

/* The kernel's news of links: carrier and names. */
static int open_links(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		closep(&fd);
	return fd;
}

static void watch(const struct devices *d, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= 0)
		(void)epoll_ctl(d->fd, EPOLL_CTL_ADD, fd, &event);
}

static int watch_all(struct devices *d, struct error *err)
{
	d->fd = epoll_create1(EPOLL_CLOEXEC);
	d->links = open_links();
	d->uevents = uevent_open(NULL);
	d->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->fd < 0 || d->links < 0 || d->uevents < 0 || d->timer < 0)
		return error_errno(err, "devices", "cannot be watched");
	watch(d, d->links);
	watch(d, d->uevents);
	watch(d, d->timer);
	vec_foreach (fd, &d->lid.devices)
		watch(d, *fd);
	return 0;
}

/* ---- sound ---- */

/* Takes the path. */
static void hand_over(const struct devices *d, uid_t uid, char *path)
{
	if (chown(path, uid, uid) < 0 || chmod(path, 0600) < 0) {
		_cleanup_free_ char *line = xasprintf(
			"sound: %s cannot be handed over: %s", path, strerror(errno));

		d->say(line);
	}
	free(path);
}

/*
 * The PC's card plays for one guest: for the first that has asked for it with a word of
 * its own, else for the first. The others' cards are silent.
 */
static struct devices_guest *choose_heard(struct devices *d)
{
	struct devices_guest *heard = NULL;

	for (size_t i = 0; i < d->count; i++) {
		struct devices_guest *g = &d->guests[i];

		if (g->heard && !heard)
			heard = g;
		g->heard = g == heard;
	}
	if (!heard && d->guests[0].sound)
		heard = &d->guests[0];
	if (heard)
		heard->heard = true;
	return heard;
}

static bool await_card(struct devices *d)
{
	bool expected = sound_expected(d->root), found = sound_find(d->root, &d->sound);

	for (unsigned waited = 0; !found && expected && waited < SOUND_WAIT;
	     waited += SOUND_STEP) {
		(void)nanosleep(&(struct timespec){.tv_nsec = SOUND_STEP * 1000000L},
				NULL);
		found = sound_find(d->root, &d->sound);
	}
	return found;
}

static void start_sound(struct devices *d)
{
	const struct devices_guest *g = choose_heard(d);
	_cleanup_free_ char *line = NULL, *node = NULL;

	if (!g)
		return;
	if (!await_card(d)) {
		d->say("sound: the PC has no card that plays, the guest's is silent");
		return;
	}
	node = xasprintf("/dev/snd/controlC%u", d->sound.card);
	if (sound_unmute(node, NULL) < 0)
		d->say("sound: the levels stay as they are");
	hand_over(d, g->uid, xstrdup(node));
	hand_over(d, g->uid,
		  xasprintf("/dev/snd/pcmC%uD%dp", d->sound.card, d->sound.playback));
	if (d->sound.in)
		hand_over(d, g->uid,
			  xasprintf("/dev/snd/pcmC%uD%dc", d->sound.card,
				    d->sound.capture));
	line = xasprintf("sound: %s", d->sound.out);
	d->say(line);
}

/* ---- USB ---- */

/* Whoever has it open for good has it alone: mounts, dm-verity, loop. */
static bool is_busy(const char *node, void *arg)
{
	const struct devices *d = arg;
	struct stat st;
	int fd;

	if (stat(node, &st) < 0 || !S_ISBLK(st.st_mode))
		return false;
	for (size_t i = 0; i < d->count; i++)
		if (d->images[i] && st.st_rdev == d->images[i])
			return true;
	fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

struct turn {
	const struct devices *devices;
	size_t guest;
};

/* Who names a port comes before who has all; then who comes first. */
static bool is_taken(const struct usb_device *device, void *arg)
{
	const struct turn *turn = arg;
	size_t owner = turn->guest;
	bool named = !turn->devices->guests[owner].usb.all;

	for (size_t i = 0; i < turn->devices->count; i++) {
		const struct usb_wish *wish = &turn->devices->guests[i].usb;

		if (i == turn->guest || !usb_is_meant(wish, device))
			continue;
		if (!wish->all ? !named || i < owner : !named && i < owner)
			return true;
	}
	return false;
}

static void update_usb(struct devices *d, size_t guest, struct qmp *qmp)
{
	struct devices_guest *g = &d->guests[guest];
	struct turn turn = {d, guest};
	const struct usb_question question = {
		.root = d->root,
		.guest = d->network.guests[guest].name,
		.wish = &g->usb,
		.console = d->console,
		.networked = d->network.link != VM_LINK_NONE || d->network.wish.needed,
		.sounding = d->sound.usb,
		.busy = is_busy,
		.busy_arg = d,
		.taken = is_taken,
		.taken_arg = &turn,
	};

	if (usb_wanted(&g->usb))
		usb_update(&question, &g->plugs, g->uid, qmp, d->say);
}

/* ---- start ---- */

int devices_start_network(struct devices *d, const char *seed, struct error *err)
{
	if (d->network_started)
		return 0;
	d->network.root = d->root;
	d->network.say = d->say;
	d->network_started = true;
	return network_start(&d->network, seed, err);
}

int devices_start(struct devices *d, const char *seed, bool console, struct error *err)
{
	d->console = console;
	d->lid.root = d->root;
	d->lid.say = d->say;
	lid_open(&d->lid);
	if (watch_all(d, err) < 0 || devices_start_network(d, seed, err) < 0 ||
	    network_add_guests(&d->network, seed, err) < 0)
		return -1;
	start_sound(d);
	return 0;
}

void devices_fill(const struct devices *d, size_t guest, struct vm_host *host)
{
	const struct devices_guest *g = &d->guests[guest];

	host->link = d->network.link;
	host->vhost = d->network.vhost;
	host->mac = d->network.guests[guest].mac;
	host->usb = usb_wanted(&g->usb);
	host->sound = g->sound;
	host->sound_out = g->heard ? d->sound.out : NULL;
	host->sound_in = g->heard ? d->sound.in : NULL;
}

void devices_in_child(const struct devices *d, size_t guest)
{
	network_in_child(&d->network, guest);
}

/* ---- the loop ---- */

/* The guest sees whether the cable is in. */
static void tell_link(struct devices *d, size_t guest, struct qmp *qmp)
{
	enum devices_link up = d->network.link == VM_LINK_USER || d->network.carrier
				       ? LINK_UP
				       : LINK_DOWN;
	struct devices_guest *g = &d->guests[guest];

	if (d->network.guests[guest].off || g->link == up)
		return;
	g->link = up;
	(void)qmp_send(qmp, "set_link",
		       up == LINK_UP ? "{\"name\":\"net\",\"up\":true}"
				     : "{\"name\":\"net\",\"up\":false}",
		       "link", NULL);
}

static void drain(int fd)
{
	char news[8192];
	ssize_t n;

	/* Too much news at once (ENOBUFS) is news, too. */
	do
		n = recv(fd, news, sizeof(news), 0);
	while (n > 0 || (n < 0 && errno == ENOBUFS));
}

static void settle_later(const struct devices *d)
{
	const struct itimerspec when = {.it_value.tv_nsec = SETTLE * 1000000L};

	(void)timerfd_settime(d->timer, 0, &when, NULL);
}

/* What was lost (too much at once) may have been anything. */
static unsigned on_uevents(const struct devices *d)
{
	struct uevent event;
	unsigned news = 0;
	bool changed = false;
	int n;

	while ((n = uevent_read(d->uevents, &event)) > 0) {
		bool removed = strcmp(event.action, "remove") == 0;

		changed |= removed || strcmp(event.action, "add") == 0;
		if (removed && strcmp(event.subsystem, "block") == 0)
			news |= NEWS_DISKS;
	}
	if (changed || n < 0)
		settle_later(d);
	return n < 0 ? NEWS_DISKS : news;
}

static unsigned on_settled(struct devices *d)
{
	uint64_t count;

	(void)!read(d->timer, &count, sizeof(count));
	if (d->load)
		d->load(d->load_arg);
	(void)network_follow(&d->network);
	return NEWS_GUESTS;
}

static unsigned on_lid(struct devices *d, const struct epoll_event *event)
{
	if (event->events & EPOLLIN)
		return lid_read(&d->lid, event->data.fd) ? NEWS_BUTTON : 0;
	/* Pulled out: it would be ready for ever. */
	(void)epoll_ctl(d->fd, EPOLL_CTL_DEL, event->data.fd, NULL);
	return 0;
}

unsigned devices_turn(void *arg)
{
	struct devices *d = arg;
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(d->fd, events, MAX_EVENTS, 0);
	bool changed = false;
	unsigned news = 0;

	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == d->links) {
			drain(fd);
			changed = true;
		} else if (fd == d->uevents) {
			news |= on_uevents(d);
		} else if (fd == d->timer) {
			news |= on_settled(d);
		} else {
			news |= on_lid(d, &events[i]);
		}
	}
	if (changed && network_follow(&d->network))
		news |= NEWS_GUESTS;
	return news;
}

void devices_tell(void *arg, size_t guest, struct qmp *qmp, bool anew)
{
	struct devices *d = arg;

	if (anew) {
		d->guests[guest].plugs.len = 0;
		d->guests[guest].link = LINK_UNTOLD;
	}
	tell_link(d, guest, qmp);
	update_usb(d, guest, qmp);
}

void devices_end(struct devices *d)
{
	network_end(&d->network);
	lid_close(&d->lid);
	sound_card_free(&d->sound);
	for (size_t i = 0; i < d->count; i++) {
		usb_wish_free(&d->guests[i].usb);
		vec_free(&d->guests[i].plugs);
	}
	closep(&d->links);
	closep(&d->uevents);
	closep(&d->timer);
	closep(&d->fd);
}
