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
#include "init/uevent.h"

#define SETTLE 300	/* ms after the last news: drivers come between them */
#define SOUND_WAIT 1500 /* ms for a codec's driver */
#define SOUND_STEP 50
#define MAX_EVENTS 16

/* ---- words ---- */

int devices_configure(struct devices *d, const struct options *o, struct error *err)
{
	const char *sound = options_get(o, "sound");

	d->sound_wanted = !sound || strcmp(sound, "auto") == 0;
	if (sound && !d->sound_wanted && strcmp(sound, "off") != 0) {
		error_set(err, ERROR_FAILED, "sound", "\"%s\" is not auto or off", sound);
		return error_remedy(err, "docs/hypervisor.md has the keys");
	}
	if (network_read_wish(o, &d->network.wish, err) < 0 ||
	    usb_read_wish(o, &d->usb, err) < 0)
		return -1;
	return lid_read_wish(o, &d->lid.wish, err);
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
static void hand_over(const struct devices *d, char *path)
{
	if (chown(path, d->uid, d->uid) < 0 || chmod(path, 0600) < 0) {
		_cleanup_free_ char *line = xasprintf(
			"sound: %s cannot be handed over: %s", path, strerror(errno));

		d->say(line);
	}
	free(path);
}

static void start_sound(struct devices *d, struct vm_host *host)
{
	bool expected = sound_expected(d->root);
	_cleanup_free_ char *line = NULL, *node = NULL;
	bool found;

	host->sound = d->sound_wanted;
	if (!d->sound_wanted)
		return;
	found = sound_find(d->root, &d->sound);
	for (unsigned waited = 0; !found && expected && waited < SOUND_WAIT;
	     waited += SOUND_STEP) {
		(void)nanosleep(&(struct timespec){.tv_nsec = SOUND_STEP * 1000000L},
				NULL);
		found = sound_find(d->root, &d->sound);
	}
	if (!found) {
		d->say("sound: the PC has no card that plays, the guest's is silent");
		return;
	}
	node = xasprintf("/dev/snd/controlC%u", d->sound.card);
	if (sound_unmute(node, NULL) < 0)
		d->say("sound: the levels stay as they are");
	hand_over(d, xstrdup(node));
	hand_over(d, xasprintf("/dev/snd/pcmC%uD%dp", d->sound.card, d->sound.playback));
	if (d->sound.in)
		hand_over(d, xasprintf("/dev/snd/pcmC%uD%dc", d->sound.card,
				       d->sound.capture));
	host->sound_out = d->sound.out;
	host->sound_in = d->sound.in;
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
	if (d->image && st.st_rdev == d->image)
		return true;
	fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

static void update_usb(struct devices *d, struct qmp *qmp)
{
	const struct usb_question question = {
		.root = d->root,
		.wish = &d->usb,
		.console = d->console,
		.networked = d->network.link != VM_LINK_NONE || d->network.wish.needed,
		.sounding = d->sound.usb,
		.busy = is_busy,
		.busy_arg = d,
	};

	if (usb_wanted(&d->usb) && qmp->fd >= 0)
		usb_update(&question, &d->plugs, d->uid, qmp, d->say);
}

/* ---- start ---- */

int devices_start_network(struct devices *d, const char *seed, struct error *err)
{
	if (d->network_started)
		return 0;
	d->network.root = d->root;
	d->network.say = d->say;
	if (d->no_network)
		d->network.wish.uplink = UPLINK_NONE;
	d->network_started = true;
	return network_start(&d->network, seed, d->uid, err);
}

int devices_start(struct devices *d, const char *seed, bool console, struct vm_host *host,
		  struct error *err)
{
	d->console = console;
	d->lid.root = d->root;
	d->lid.say = d->say;
	lid_open(&d->lid);
	if (watch_all(d, err) < 0 || devices_start_network(d, seed, err) < 0)
		return -1;
	host->link = d->network.link;
	host->vhost = d->network.vhost;
	host->mac = d->network.mac;
	host->usb = usb_wanted(&d->usb);
	start_sound(d, host);
	return 0;
}

void devices_in_child(void *arg)
{
	const struct devices *d = arg;

	network_in_child(&d->network);
}

/* ---- the loop ---- */

/* The guest sees whether the cable is in. */
static void tell_link(const struct devices *d, struct qmp *qmp)
{
	bool up = d->network.link == VM_LINK_USER || d->network.carrier;

	if (qmp->fd >= 0 && !d->no_network)
		(void)qmp_send(qmp, "set_link",
			       up ? "{\"name\":\"net\",\"up\":true}"
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

static void on_uevents(const struct devices *d)
{
	struct uevent event;
	bool news = false;
	int n;

	while ((n = uevent_read(d->uevents, &event)) > 0)
		news |= strcmp(event.action, "add") == 0 ||
			strcmp(event.action, "remove") == 0;
	if (news || n < 0)
		settle_later(d);
}

static void on_settled(struct devices *d, struct qmp *qmp)
{
	uint64_t count;

	(void)!read(d->timer, &count, sizeof(count));
	if (d->load)
		d->load(d->load_arg);
	if (network_follow(&d->network))
		tell_link(d, qmp);
	update_usb(d, qmp);
}

static bool on_lid(struct devices *d, const struct epoll_event *event)
{
	if (event->events & EPOLLIN)
		return lid_read(&d->lid, event->data.fd);
	/* Pulled out: it would be ready for ever. */
	(void)epoll_ctl(d->fd, EPOLL_CTL_DEL, event->data.fd, NULL);
	return false;
}

bool devices_turn(void *arg, struct qmp *qmp, bool connected)
{
	struct devices *d = arg;
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(d->fd, events, MAX_EVENTS, 0);
	bool off = false, changed = false;

	if (connected) {
		d->plugs.len = 0;
		tell_link(d, qmp);
		update_usb(d, qmp);
	}
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == d->links) {
			drain(fd);
			changed = true;
		} else if (fd == d->uevents) {
			on_uevents(d);
		} else if (fd == d->timer) {
			on_settled(d, qmp);
		} else {
			off |= on_lid(d, &events[i]);
		}
	}
	if (changed && network_follow(&d->network))
		tell_link(d, qmp);
	return off;
}

void devices_end(struct devices *d)
{
	network_end(&d->network);
	lid_close(&d->lid);
	sound_card_free(&d->sound);
	usb_wish_free(&d->usb);
	vec_free(&d->plugs);
	closep(&d->links);
	closep(&d->uevents);
	closep(&d->timer);
	closep(&d->fd);
}
