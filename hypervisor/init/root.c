/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/root.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "init/coldplug.h"
#include "init/dm.h"
#include "init/machine.h"
#include "init/medium.h"
#include "init/power.h"
#include "init/root_move.h"
#include "init/say.h"
#include "init/uevent.h"
#include "layout.h"

#define NEW_ROOT "/sysroot"
#define RAM "/run/gild/ram"
#define FIRST_MESSAGE 5 /* seconds */
#define DEADLINE 60
#define SETTLE 20 /* ms: news of a disk come several at once */
#define MAX_INIT ((size_t)16 << 20)
#define RAM_SPARE \
	((uint64_t)768 << 20) /* what must stay free besides a copy of the root */
#define FIXED_FDS 2

struct stage {
	const struct options *options;
	void (*say)(const char *line);
	struct seal seal;
	struct coldplug coldplug;
	struct medium_search search;
	struct evdevs buttons;
	int uevents, stop_fd;
	struct timespec began;
	int last_message; /* second in which it was said what is looked for */
	bool toram, full;
	unsigned ahead; /* load_ahead() */
	/* The candidate that is tried. */
	char *device, *opened;
	bool loop;
};

static int seconds(const struct stage *s)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int)(now.tv_sec - s->began.tv_sec);
}

/* ---- one candidate ---- */

static int find_memory(const struct stage *s, struct error *err)
{
	struct sysinfo info;
	uint64_t need = seal_whole_size(&s->seal) + RAM_SPARE;

	if (sysinfo(&info) == 0 && (uint64_t)info.freeram * info.mem_unit >= need)
		return 0;
	return error_set(err, ERROR_FAILED, "gild.toram", "needs %llu MiB of free memory",
			 (unsigned long long)need >> 20);
}

/* The copy takes the device's place. What does not fit stays where it is. */
static int copy_to_memory(struct stage *s, const char *label, struct error *err)
{
	_cleanup_free_ char *copy = NULL, *size = NULL;

	if (find_memory(s, err) < 0)
		return -1;
	say_to(s->say, "the root is copied to memory from %s", label);
	size = xasprintf("mode=0700,size=%llu",
			 (unsigned long long)seal_whole_size(&s->seal) + (1u << 20));
	(void)mkdir(RAM, 0700);
	if (mount("tmpfs", RAM, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, size) < 0)
		return error_errno(err, RAM, "cannot mount tmpfs");
	if (medium_copy(s->device, seal_whole_size(&s->seal), RAM "/root.img", err) < 0 ||
	    loop_attach(RAM "/root.img", 0, 0, false, &copy, err) < 0) {
		(void)umount2(RAM, MNT_DETACH);
		return -1;
	}
	if (s->loop)
		loop_detach(s->device);
	free(s->device);
	s->device = steal_ptr(copy);
	s->loop = true;
	return 0;
}

static void give_up(struct stage *s)
{
	(void)umount2(NEW_ROOT, 0);
	if (s->opened)
		dm_remove(ROOT_DEVICE);
	if (s->loop && s->device)
		loop_detach(s->device);
	(void)umount2(RAM, MNT_DETACH);
	free(s->device);
	free(s->opened);
	s->device = s->opened = NULL;
	s->loop = false;
}

static void say_percent(void *arg, unsigned percent)
{
	say_to(((const struct stage *)arg)->say, "the root is verified: %u %%", percent);
}

static int mount_root(struct stage *s, const char *label, struct error *err)
{
	_cleanup_buffer_ struct buffer init = BUFFER_INIT;

	if (s->full && device_read_all(s->opened, label, say_percent, s, err) < 0)
		return -1;
	(void)mkdir(NEW_ROOT, 0755);
	if (mount(s->opened, NEW_ROOT, "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV,
		  NULL) < 0) {
		error_errno(err, label, "its root file system cannot be mounted");
		return error_remedy(err, "write the medium anew, and replace it if that "
					 "does not last");
	}
	/* What is executed next is read here: later there is no way back. */
	if (file_read(NEW_ROOT "/init", MAX_INIT, &init, err) < 0) {
		(void)error_wrap(err, label, "the root file system is damaged");
		return error_remedy(err, "write the medium anew");
	}
	return 0;
}

static int open_root(struct stage *s, const struct medium *m, struct error *err)
{
	_cleanup_error_ struct error memory = ERROR_INIT;

	if (medium_device(m, false, &s->device, &s->loop, err) < 0)
		return -1;
	if (s->toram && copy_to_memory(s, m->label, &memory) < 0) {
		_cleanup_free_ char *text = error_message(&memory);

		s->toram = false;
		say_to(s->say, "%s: the medium must stay in", text);
	}
	if (dm_open_sealed(ROOT_DEVICE, s->device, m->label, &s->seal, &s->opened, err) <
	    0)
		return -1;
	return mount_root(s, m->label, err);
}

/* ---- the search ---- */

const char *root_kvm_module(void)
{
	_cleanup_machine_ struct machine m = MACHINE_INIT;
	_cleanup_buffer_ struct buffer cpuinfo = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	if (file_read("/proc/cpuinfo", (size_t)4 << 20, &cpuinfo, NULL) < 0)
		return NULL;
	text = buffer_steal_string(&cpuinfo);
	machine_read_cpuinfo(text, &m);
	return m.vmx ? "kvm_intel" : m.svm ? "kvm_amd" : NULL;
}

static int wait_for_news(struct stage *s, int ms)
{
	size_t count = FIXED_FDS + s->buttons.len;
	_cleanup_free_ struct pollfd *fds = xcalloc(count, sizeof(*fds));

	for (size_t i = 0; i < count; i++)
		fds[i].events = POLLIN;
	fds[0].fd = s->uevents;
	fds[1].fd = s->stop_fd;
	for (size_t i = 0; i < s->buttons.len; i++)
		fds[FIXED_FDS + i].fd = s->buttons.items[i];
	if (poll(fds, count, ms) < 0)
		return 0;
	for (size_t i = FIXED_FDS; i < count; i++)
		if (fds[i].revents & POLLIN && power_pressed(fds[i].fd))
			return 1;
	return fds[1].revents & POLLIN ? 1 : 0;
}

/*
 * The other process may be waiting for a controller whose disks start up; what another
 * one has brought is not held up by that.
 */
static void load_for(struct stage *s, const struct uevent *event)
{
	const char *alias = event->modalias;

	if (strcmp(event->action, "add") == 0 && coldplug_rank(alias) == COLDPLUG_FIRST &&
	    coldplug_note(&s->coldplug, alias))
		(void)coldplug_load(&s->coldplug, &alias, 1, NULL);
}

/* True if there was news of disks, which are then looked at again. */
static bool take_news(struct stage *s)
{
	struct uevent event;
	bool any = false;
	int result;

	while ((result = uevent_read(s->uevents, &event)) != 0) {
		if (result > 0)
			load_for(s, &event);
		if (result < 0)
			strings_free(&s->search.examined);
		else if (strcmp(event.subsystem, "block") != 0)
			continue;
		else if (strcmp(event.action, "add") != 0)
			medium_forget(&s->search, event.name);
		any = true;
		if (result < 0 && errno != ENOBUFS)
			break;
	}
	return any;
}

static void say_state(struct stage *s)
{
	_cleanup_buffer_ struct buffer list = BUFFER_INIT;
	int now = seconds(s);

	if (now < FIRST_MESSAGE || (s->last_message && now < s->last_message + 10))
		return;
	vec_foreach (disk, &s->search.disks)
		buffer_printf(&list, "%s%s", list.len ? ", " : "", *disk);
	if (!list.len)
		buffer_append_string(&list, "none");
	buffer_append(&list, "", 1);
	if (s->last_message < DEADLINE && now >= DEADLINE)
		say_to(s->say,
		       "not found within %d s: put the medium in (another port, another "
		       "stick), or press the power button to switch the PC off",
		       DEADLINE);
	say_to(s->say, "looking for the root file system %.16s for %d s; disks: %s",
	       s->seal.hash, now, (const char *)list.data);
	s->last_message = now;
	evdev_close(&s->buttons);
	power_open("", &s->buttons);
}

/* Every candidate among the disks that are there: 1 when one is opened. */
static int try_all(struct stage *s, struct medium *ret)
{
	while (medium_next(&s->search, ret) == 1) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_free_ char *text = NULL;

		if (open_root(s, ret, &err) == 0)
			return 1;
		text = error_message(&err);
		say_to(s->say, "%s", text);
		give_up(s);
		medium_release(&s->search, ret);
	}
	return 0;
}

static int try_initramfs(struct stage *s, struct medium *ret)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	if (access(LAYOUT_ROOT_INITRAMFS, F_OK) < 0)
		return 0;
	*ret = (struct medium){.disk = xstrdup(""),
			       .label = xstrdup(LAYOUT_ROOT_INITRAMFS),
			       .source = xstrdup(LAYOUT_ROOT_INITRAMFS)};
	s->toram = false;
	if (open_root(s, ret, &err) == 0)
		return 1;
	text = error_message(&err);
	say_to(s->say, "%s", text);
	give_up(s);
	medium_free(ret);
	return 0;
}

/*
 * QEMU's emulation takes vector instructions to pieces: the hash that is quickest on
 * every processor is the slowest there, and the nested tests spend their time with it.
 */
static bool is_emulated(void)
{
#ifdef __x86_64__
	char name[13] = "";
	unsigned a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & 1u << 31)) /* of all virtual machines */
		return false;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	return strcmp(name, "TCGTCGTCGTCG") == 0;
#else
	return false;
#endif
}

/* The last is an alias of all that the processor has for it: dm-verity takes the best. */
static int load_modules(struct stage *s, struct error *err)
{
	static const char *const modules[] = {"loop", "dm_mod", "dm_verity", "squashfs",
					      "crypto-sha256"};

	return coldplug_load(&s->coldplug, modules,
			     ARRAY_SIZE(modules) - (is_emulated() ? 1 : 0), err);
}

/* Needed later anyway, and a disk takes longer to show up. False: all is there. */
static bool load_ahead(struct stage *s)
{
	const char *const names[] = {"ext4", root_kvm_module()};

	if (s->ahead == ARRAY_SIZE(names) || !names[s->ahead])
		return false;
	(void)coldplug_load(&s->coldplug, &names[s->ahead++], 1, NULL);
	return true;
}

/* 0: found; 1: stopped. */
static int find_root(struct stage *s, struct medium *ret, struct error *err)
{
	static const char *const none[] = {NULL};

	if (coldplug_start(&s->coldplug, none, err) < 0 || load_modules(s, err) < 0)
		return -1;
	if (try_initramfs(s, ret))
		return 0;
	for (;;) {
		if (try_all(s, ret))
			return 0;
		say_state(s);
		do {
			if (coldplug_progress(&s->coldplug) == COLDPLUG_NO_INDEX)
				return coldplug_wait(&s->coldplug, COLDPLUG_ALL, err);
			if (wait_for_news(s, load_ahead(s) ? 0 : 1000))
				return 1;
			say_state(s);
		} while (!take_news(s));
		(void)nanosleep(&(struct timespec){.tv_nsec = SETTLE * 1000000L}, NULL);
		(void)take_news(s);
	}
}

/* ---- the other side ---- */

static int write_facts(const struct stage *s, const struct medium *m, struct error *err)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	const char *slot = options_get(s->options, "slot");

	if (*m->disk)
		buffer_printf(&b, "disk=%s\n", m->disk);
	buffer_printf(&b, "device=%s\n", m->source);
	if (slot)
		buffer_printf(&b, "slot=%s\n", slot);
	buffer_printf(&b, "toram=%s\n", s->toram ? "on" : "off");
	return file_replace(ROOT_FACTS, buffer_view(&b), err);
}

static int configure(struct stage *s, struct error *err)
{
	const char *verify = options_get(s->options, "verify");

	s->full = verify && strcmp(verify, "full") == 0;
	if (options_switch(s->options, "toram", false, &s->toram, err) < 0)
		return -1;
	return seal_parse(options_get(s->options, "root"), LAYOUT_ROOT_OPTION, &s->seal,
			  err);
}

static int switch_to(struct stage *s, struct error *err)
{
	struct medium m = {0};
	int result = find_root(s, &m, err);

	coldplug_stop(&s->coldplug);
	if (result != 0)
		return result;
	say_to(s->say, "root file system %.16s from %s", s->seal.hash, m.label);
	/* A copy needs its file system no more. */
	if (s->toram && m.mounted)
		(void)umount2(ROOT_MEDIUM, 0);
	result = write_facts(s, &m, err);
	medium_free(&m);
	if (result < 0)
		return -1;
	return root_move(NEW_ROOT, err);
}

int root_switch(const struct options *options, void (*say_line)(const char *line),
		int stop_fd, struct error *err)
{
	struct stage s = {.options = options,
			  .say = say_line,
			  .coldplug = {.root = "", .threads = 4},
			  .search = {.root = "", .target = ROOT_MEDIUM},
			  .stop_fd = stop_fd};
	_cleanup_free_ char *file = NULL;
	struct guid guid, type;
	int result;

	(void)clock_gettime(CLOCK_MONOTONIC, &s.began);
	if (configure(&s, err) < 0)
		return -1;
	s.uevents = uevent_open(err);
	if (s.uevents < 0)
		return -1;
	guid = seal_guid(&s.seal);
	(void)guid_parse(LAYOUT_TYPE_ROOT, &type);
	file = xasprintf(LAYOUT_FOLDER "/" LAYOUT_ROOT_PREFIX "%.16s.img", s.seal.hash);
	s.search.type = &type;
	s.search.guid = &guid;
	s.search.file = file;
	result = switch_to(&s, err);
	close(s.uevents);
	evdev_close(&s.buttons);
	medium_search_free(&s.search);
	coldplug_free(&s.coldplug);
	return result;
}
