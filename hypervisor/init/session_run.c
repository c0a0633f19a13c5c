/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the verdict to the virtual machine: session.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "init/say.h"
#include "init/session_plan.h"
#include "init/session_stream.h"
#include "init/slot.h"
#include "init/supervise.h"

/* ---- devices of the PC ---- */

static int own_groups(const struct session *s, const struct passthrough_set *set,
		      uid_t uid, struct error *err)
{
	vec_foreach (d, &s->machine.devices) {
		_cleanup_free_ char *node = xasprintf("/dev/vfio/%d", d->group);

		if (strings_contain(&set->addresses, d->address) &&
		    session_hand_over(node, uid, 0600, err) < 0)
			return -1;
	}
	return 0;
}

/* A set that fails stays with the host, and the guest starts without it. */
static void bind_devices(struct session *s, uid_t uid)
{
	vec_foreach (set, &s->verdict.sets) {
		_cleanup_error_ struct error err = ERROR_INIT;

		if (set->refused) {
			(void)passthrough_release(s->root, set, sysfs_write, NULL);
			continue;
		}
		if (passthrough_bind(s->root, set, sysfs_write, &err) == 0 &&
		    own_groups(s, set, uid, &err) == 0)
			continue;
		(void)passthrough_release(s->root, set, sysfs_write, NULL);
		verdict_refuse(&s->verdict, set, &err);
		say_to(s->say, "%s",
		       s->verdict.reasons.items[s->verdict.reasons.len - 1].message);
	}
}

/* The host shows the guests: not if one has the graphics card, or no screen is wanted. */
static bool has_screen(const struct session *s)
{
	bool wanted = false;

	vec_foreach (set, &s->verdict.sets)
		if (set->display && !set->refused)
			return false;
	vec_foreach (guest, &s->guests) {
		const char *display = options_get(&guest->options, "display");

		wanted |= !display || strcmp(display, "vnc") == 0;
	}
	return wanted;
}

static char *network_seed(const struct session *s)
{
	return xasprintf("%s %s %s", s->machine.uuid ? s->machine.uuid : "",
			 s->machine.serial ? s->machine.serial : "",
			 s->machine.pc.label ? s->machine.pc.label : "");
}

static int start_network(struct plans *p, struct error *err)
{
	struct session *s = p->session;
	_cleanup_free_ char *seed = network_seed(s);
	size_t count = 0;

	while (network_modules[count])
		count++;
	if (coldplug_load(&s->coldplug, network_modules, count, err) < 0)
		return -1;
	p->devices.root = s->root;
	p->devices.say = s->say;
	return devices_start_network(&p->devices, seed, err);
}

static int start_devices(struct plans *p, struct error *err)
{
	struct session *s = p->session;
	_cleanup_free_ char *seed = network_seed(s);

	if (start_network(p, err) < 0)
		return -1;
	p->devices.load = session_new_drivers;
	p->devices.load_arg = s;
	return devices_start(&p->devices, seed, has_screen(s), err);
}

/* ---- all ---- */

/* Who fits into the PC's memory, with the overlays that are in it. */
static int choose_guests(struct plans *p, struct error *err)
{
	struct session *s = p->session;
	size_t overlays = 0;

	plans_add(p);
	for (size_t i = 0; i < p->count; i++) {
		if (session_disk_begin(&p->items[i].disk, &p->state, err) < 0)
			return -1;
		overlays += !p->items[i].disk.persist;
	}
	p->overlay =
		vm_overlay_size(s->machine.memory, s->shares, s->guests.len, overlays);
	s->reserved = overlays * p->overlay;
	if (s->guests.len < 2) {
		verdict_reserve(&s->verdict, &s->question, s->reserved);
	} else {
		if (session_judge(s, err) < 0)
			return -1;
		plans_drop(p);
	}
	session_write_verdict(s);
	return 0;
}

static int prepare(struct plans *p, struct error *err)
{
	struct session *s = p->session;
	struct network_wish *wish = &p->devices.network.wish;
	bool wired = false;

	if (devices_configure(&p->devices, &s->options, err) < 0 ||
	    session_state_open(s, &p->state, err) < 0 || choose_guests(p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->count; i++) {
		wired |= p->items[i].guest->image.network != VM_NO_NETWORK;
		wish->needed |= session_is_streamed(p->items[i].guest);
	}
	if (!wired)
		wish->uplink = UPLINK_NONE;
	if ((wish->needed && start_network(p, err) < 0) || plans_open(p, err) < 0)
		return -1;
	bind_devices(s, p->items[0].uid);
	/* Each QEMU has a user of its own, and all the same group. */
	if (s->machine.kvm == KVM_RUNS && session_hand_over("/dev/kvm", 0, 0660, err) < 0)
		return -1;
	if (start_devices(p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->count; i++)
		if (plan_argv(p, i, err) < 0)
			return -1;
	return 0;
}

/* ---- the screen ---- */

static char *join(const struct strings *list)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (item, list)
		buffer_printf(&b, "%s%s", item == list->items ? "" : ",", *item);
	return buffer_steal_string(&b);
}

static void start_screen(const struct plans *p, struct screen *screen)
{
	_cleanup_(strings_free) struct strings sockets = VEC_INIT, names = VEC_INIT;
	_cleanup_free_ char *vnc = NULL, *guests = NULL, *text = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct screen_config config = {
		.program = SCREEN_PRESENTER, .run = SESSION_RUN, .uid = SCREEN_ID};

	if (!has_screen(p->session))
		return;
	for (size_t i = 0; i < p->count; i++) {
		strings_push(&sockets, p->items[i].vnc);
		if (p->count > 1)
			strings_push(&names, p->items[i].guest->name);
	}
	config.vnc = vnc = join(&sockets);
	if (p->count > 1)
		config.guests = guests = join(&names);
	if (screen_start(screen, &config, &err) == 0)
		return;
	/* The guest runs without, and the log tells why nobody sees it. */
	text = error_message(&err);
	say_to(p->session->say, "%s", text);
}

/* For the panel, which lists several guests. */
static void write_states(void *arg, size_t guest, const char *state)
{
	struct plans *p = arg;
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	p->items[guest].state = state;
	if (p->session->guests.len < 2)
		return;
	for (size_t i = 0; i < p->count; i++)
		buffer_printf(&b, "%s %s\n", p->items[i].guest->name,
			      p->items[i].state ? p->items[i].state : "waiting");
	for (size_t i = 0; i < p->session->question.share_count; i++)
		if (p->session->shares[i].lack)
			buffer_printf(&b, "%s not started, for want of memory\n",
				      p->session->shares[i].name);
	(void)file_replace(SESSION_STATES, buffer_view(&b), NULL);
}

/* ---- what the supervisor asks ---- */

static void say_line(void *arg, const char *line)
{
	const struct plans *p = arg;

	p->session->say(line);
}

static unsigned on_watch(void *arg)
{
	struct plans *p = arg;

	return devices_turn(&p->devices);
}

static void tell(void *arg, size_t guest, struct qmp *qmp, bool anew)
{
	struct plans *p = arg;

	devices_tell(&p->devices, guest, qmp, anew);
}

void session_came_up(struct session *s)
{
	const struct options *facts = &s->facts;
	const char *slot = options_get(facts, "slot"), *disk = options_get(facts, "disk");
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	coldplug_go(&s->coldplug);
	if (!slot || !disk || s->marked)
		return;
	s->marked = true;
	if (slot_came_up(disk, slot, SESSION_RUN "/esp", &err) == 0)
		return;
	text = err.reason ? error_message(&err) : NULL;
	say_to(s->say, "slot %s: %s", slot, text ? text : "marked as good");
}

/*
 * The medium may be pulled out: what runs here must not be read from it then. Threads are
 * gone by now, and what is mapped later is no file's.
 */
static void stay_in_memory(const struct session *s)
{
	if (s->facts.words.len && mlockall(MCL_CURRENT) < 0)
		say_to(s->say, "init cannot be kept in memory: %s", strerror(errno));
}

/* ---- while a server is waited for ---- */

struct idle {
	struct plans *plans;
	const struct evdevs *buttons;
	int stop_fd;
	time_t looked; /* for new devices */
};

static bool is_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

/* The power button, and a network card or cable that comes late. */
static bool on_idle(void *arg)
{
	struct idle *i = arg;
	time_t now = time(NULL);

	if (is_ready(i->stop_fd))
		return true;
	if (i->buttons)
		vec_foreach (fd, i->buttons)
			if (is_ready(*fd) && power_pressed(*fd))
				return true;
	if (now == i->looked)
		return false;
	i->looked = now;
	session_new_drivers(i->plans->session);
	(void)network_follow(&i->plans->devices.network);
	return false;
}

static int prepare_patiently(struct plans *p, const struct evdevs *buttons, int stop_fd,
			     struct error *err)
{
	struct session *s = p->session;
	struct idle idle = {p, buttons, stop_fd, 0};
	int result;

	s->idle = on_idle;
	s->idle_arg = &idle;
	result = prepare(p, err);
	s->idle = NULL;
	s->idle_arg = NULL;
	return result;
}

int session_run(struct session *s, const struct evdevs *buttons, int stop_fd,
		bool *failed, struct error *err)
{
	_cleanup_(plans_free) struct plans p = {.session = s, .devices = DEVICES_INIT};
	struct supervise_guest guests[SESSION_MAX_GUESTS];
	struct supervise_result result;
	struct screen screen = {0};
	struct supervise_config config = {.guests = guests,
					  .buttons = buttons,
					  .stop_fd = stop_fd,
					  .on_watch = on_watch,
					  .tell = tell,
					  .watch_arg = &p,
					  .say = say_line,
					  .on_state = write_states,
					  .say_arg = &p};
	int ended;

	*failed = true;
	if (prepare_patiently(&p, buttons, stop_fd, err) < 0) {
		*failed = !err || err->code != ERROR_INTERRUPTED;
		return -1;
	}
	config.count = p.count;
	for (size_t i = 0; i < p.count; i++)
		guests[i] = plan_guest(&p.items[i]);
	start_screen(&p, &screen);
	p.devices.lid.screen = &screen;
	config.requests = screen.requests;
	config.watch = p.devices.fd;
	stay_in_memory(s);
	ended = supervise_run(&config, &result, err);
	screen_stop(&screen);
	*failed = ended < 0 || result.failed;
	return ended;
}
