/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the verdict to the virtual machine: session.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/sysfs.h"
#include "init/devices.h"
#include "init/say.h"
#include "init/screen.h"
#include "init/session_disk.h"
#include "init/session_stream.h"
#include "init/slot.h"
#include "init/supervise.h"
#include "init/tpm.h"
#include "init/uevent.h"

#define SETTLE 50 /* ms in which USB and disks show up after their driver */
#define ACPI_TABLES "/sys/firmware/acpi/tables/"
#define OVMF "/usr/share/OVMF/"
#define MAX_VARS ((size_t)4 << 20)

static void sleep_ms(unsigned ms)
{
	(void)nanosleep(&(struct timespec){.tv_sec = ms / 1000,
					   .tv_nsec = (long)(ms % 1000) * 1000000},
			NULL);
}

/* ---- drivers ---- */

/* Before any driver is loaded: what goes to the guest is kept from the host's drivers. */
static void reserve_devices(struct session *s)
{
	vec_foreach (set, &s->verdict.sets) {
		if (set->refused)
			continue;
		vec_foreach (address, &set->addresses) {
			_cleanup_free_ char *path =
				xasprintf("bus/pci/devices/%s/driver_override", *address);

			if (sysfs_write(s->root, path, "vfio-pci", NULL) == 0)
				strings_push(&s->spared, *address);
		}
	}
}

int session_drivers(struct session *s, struct error *err)
{
	static const char *const early[] = {"vfio-pci"};
	int found;

	reserve_devices(s);
	s->coldplug.spared = &s->spared;
	if (coldplug_load(&s->coldplug, early, ARRAY_SIZE(early), err) < 0)
		return -1;
	for (unsigned i = 0; i < 8 && (found = coldplug_sweep(&s->coldplug, err)) != 0;
	     i++) {
		if (found < 0)
			return -1;
		sleep_ms(SETTLE);
	}
	say_to(s->say, "%zu drivers for %zu devices", s->coldplug.loaded.len,
	       s->coldplug.seen.len);
	return 0;
}

/* ---- what QEMU needs, readable and writable for its user ---- */

/* A copy in RUN, for firmware's tables and OVMF's variables. */
static int copy_for_qemu(const char *from, const char *to, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file_read(from, MAX_VARS, &data, err) < 0 ||
	    file_replace(to, buffer_view(&data), err) < 0)
		return -1;
	return session_hand_over(to, 0600, err);
}

/* The presenter's group may pass through the folder of the VNC socket, which becomes its.
 */
static int make_vm_folders(struct error *err)
{
	if ((mkdir(SESSION_VM, 0700) < 0 && errno != EEXIST) ||
	    (mkdir(SESSION_SCREEN, 0700) < 0 && errno != EEXIST))
		return error_errno(err, SESSION_VM, "cannot make the folders");
	if (chown(SESSION_SCREEN, SESSION_QEMU_ID, SCREEN_ID) < 0 ||
	    chmod(SESSION_SCREEN, 02710) < 0)
		return error_errno(err, SESSION_SCREEN, "cannot be handed to QEMU");
	return session_hand_over(SESSION_VM, 0700, err);
}

struct plan {
	struct vm_host host;
	struct strings argv;
	struct session_disk disk;
	char *vars;
	struct devices devices;
};

static void free_plan(struct plan *p)
{
	devices_end(&p->devices);
	strings_free(&p->argv);
	session_disk_free(&p->disk);
	free(p->vars);
}

static void use_disk(struct plan *p)
{
	const struct session_disk *d = &p->disk;

	p->host.disk = d->overlay;
	p->host.disk_format = "qcow2";
	p->host.golden = d->golden.path;
	p->host.golden_format = d->golden.format == OVERLAY_QCOW2 ? "qcow2" : "raw";
	p->host.golden_device = d->golden_device;
	p->host.direct = d->persist;
}

/* Variables with Microsoft's keys for a guest that checks them; kept with the state. */
static int prepare_firmware(struct session *s, struct plan *p, struct error *err)
{
	bool secure = s->image.major >= 10;
	bool kept = p->disk.state != NULL;

	if (!s->image.uefi)
		return 0;
	p->host.code = OVMF "OVMF_CODE_4M.fd";
	p->host.code_secure = OVMF "OVMF_CODE_4M.ms.fd";
	p->vars = xasprintf("%s/vars.fd", kept ? p->disk.state : SESSION_RUN);
	p->host.vars = p->vars;
	if (kept && access(p->vars, F_OK) == 0)
		return session_hand_over(p->vars, 0600, err);
	return copy_for_qemu(secure ? OVMF "OVMF_VARS_4M.ms.fd" : OVMF "OVMF_VARS_4M.fd",
			     p->vars, err);
}

struct start {
	struct session *session;
	const struct plan *plan;
};

static int start_tpm(void *arg, struct error *err)
{
	const struct start *start = arg;
	const char *state = start->plan->disk.state;
	_cleanup_free_ char *folder = NULL;

	if (!vm_needs_tpm(&start->session->image))
		return 0;
	folder = state ? xasprintf("%s/tpm", state) : xstrdup(SESSION_RUN "/tpm-state");
	return tpm_start(SESSION_RUN, folder, SESSION_QEMU_ID, err);
}

/* A table without which Windows only asks for its key: no reason to stop. */
static void prepare_licence(const struct session *s, struct plan *p)
{
	if (s->machine.msdm &&
	    copy_for_qemu(ACPI_TABLES "MSDM", SESSION_RUN "/MSDM", NULL) == 0)
		p->host.msdm = SESSION_RUN "/MSDM";
	if (s->machine.slic &&
	    copy_for_qemu(ACPI_TABLES "SLIC", SESSION_RUN "/SLIC", NULL) == 0)
		p->host.slic = SESSION_RUN "/SLIC";
}

/* ---- devices of the PC ---- */

static int own_groups(const struct session *s, const struct passthrough_set *set,
		      struct error *err)
{
	vec_foreach (d, &s->machine.devices) {
		_cleanup_free_ char *node = xasprintf("/dev/vfio/%d", d->group);

		if (strings_contain(&set->addresses, d->address) &&
		    session_hand_over(node, 0600, err) < 0)
			return -1;
	}
	return 0;
}

/* A set that fails stays with the host, and the guest starts without it. */
static void bind_devices(struct session *s)
{
	vec_foreach (set, &s->verdict.sets) {
		_cleanup_error_ struct error err = ERROR_INIT;

		if (set->refused) {
			(void)passthrough_release(s->root, set, sysfs_write, NULL);
			continue;
		}
		if (passthrough_bind(s->root, set, sysfs_write, &err) == 0 &&
		    own_groups(s, set, &err) == 0)
			continue;
		(void)passthrough_release(s->root, set, sysfs_write, NULL);
		verdict_refuse(&s->verdict, set, &err);
		say_to(s->say, "%s",
		       s->verdict.reasons.items[s->verdict.reasons.len - 1].message);
	}
}

/* ---- all ---- */

static void fill_host(struct session *s, struct plan *p)
{
	p->host.memory = s->machine.memory;
	p->host.cpus = s->machine.cpus;
	p->host.avic = s->machine.avic;
	p->host.intel = s->machine.vmx;
	p->host.identity = &s->machine.pc.identity;
	p->host.uuid = s->machine.uuid;
	p->host.serial = s->machine.serial;
	p->host.profile = s->question.profile ? s->question.profile->id : NULL;
	p->host.run = SESSION_VM;
	p->host.vnc = SESSION_VNC;
	p->host.tpm = SESSION_RUN "/tpm";
	p->host.sets = &s->verdict.sets;
}

/* ---- network, sound, USB, lid ---- */

/* The host shows the guest: not if that has the graphics card, or no screen is wanted. */
static bool has_screen(const struct session *s)
{
	const char *display = options_get(&s->options, "display");
	bool passed = false;

	vec_foreach (set, &s->verdict.sets)
		passed |= set->display && !set->refused;
	return !passed && (!display || strcmp(display, "vnc") == 0);
}

static void load_new_drivers(void *arg)
{
	struct session *s = arg;

	(void)coldplug_sweep(&s->coldplug, NULL);
}

static char *network_seed(const struct session *s)
{
	return xasprintf("%s %s %s", s->machine.uuid ? s->machine.uuid : "",
			 s->machine.serial ? s->machine.serial : "",
			 s->machine.pc.label ? s->machine.pc.label : "");
}

static int start_network(struct session *s, struct plan *p, struct error *err)
{
	_cleanup_free_ char *seed = network_seed(s);
	size_t count = 0;

	while (network_modules[count])
		count++;
	if (coldplug_load(&s->coldplug, network_modules, count, err) < 0)
		return -1;
	p->devices.root = s->root;
	p->devices.say = s->say;
	p->devices.uid = SESSION_QEMU_ID;
	p->devices.no_network = s->image.network == VM_NO_NETWORK;
	return devices_start_network(&p->devices, seed, err);
}

static int start_devices(struct session *s, struct plan *p, struct error *err)
{
	_cleanup_free_ char *seed = network_seed(s);
	struct stat st;

	if (start_network(s, p, err) < 0)
		return -1;
	p->devices.load = load_new_drivers;
	p->devices.load_arg = s;
	if (p->disk.golden_device && stat(p->disk.golden.path, &st) == 0)
		p->devices.image = st.st_rdev;
	return devices_start(&p->devices, seed, has_screen(s), &p->host, err);
}

static int prepare(struct session *s, struct plan *p, struct error *err)
{
	fill_host(s, p);
	if (devices_configure(&p->devices, &s->options, err) < 0)
		return -1;
	if (make_vm_folders(err) < 0)
		return -1;
	p->devices.network.wish.needed = session_is_streamed(s);
	if (p->devices.network.wish.needed && start_network(s, p, err) < 0)
		return -1;
	if (session_disk_open(s, &p->disk, err) < 0)
		return -1;
	use_disk(p);
	p->host.memory -= p->disk.reserved;
	if (prepare_firmware(s, p, err) < 0)
		return -1;
	prepare_licence(s, p);
	bind_devices(s);
	if (s->machine.kvm == KVM_RUNS && session_hand_over("/dev/kvm", 0600, err) < 0)
		return -1;
	if (start_devices(s, p, err) < 0)
		return -1;
	return vm_argv(&s->image, &p->host, &s->options, &p->argv, err);
}

static void start_screen(const struct session *s, struct screen *screen)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;
	const struct screen_config config = {.program = SCREEN_PRESENTER,
					     .run = SESSION_RUN,
					     .vnc = SESSION_VNC,
					     .uid = SCREEN_ID};

	if (!has_screen(s) || screen_start(screen, &config, &err) == 0)
		return;
	/* The guest runs without, and the log tells why nobody sees it. */
	text = error_message(&err);
	say_to(s->say, "%s", text);
}

/* ---- what the supervisor asks ---- */

static void say_line(void *arg, const char *line)
{
	const struct start *start = arg;

	start->session->say(line);
}

static char *explain_trouble(void *arg, bool no_space, const char *reason)
{
	const struct start *start = arg;
	char *text;

	if (!no_space && session_disk_lost(start->session, &start->plan->disk, &text))
		return text;
	return session_disk_trouble(&start->plan->disk, no_space, reason);
}

static bool has_space(void *arg)
{
	const struct start *start = arg;

	return session_disk_space(&start->plan->disk);
}

static bool is_back(void *arg)
{
	const struct start *start = arg;

	return session_disk_is_back(&start->plan->disk);
}

static bool is_lost(void *arg, char **ret)
{
	const struct start *start = arg;

	return session_disk_lost(start->session, &start->plan->disk, ret);
}

void session_came_up(struct session *s)
{
	const struct options *facts = &s->facts;
	const char *slot = options_get(facts, "slot"), *disk = options_get(facts, "disk");
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	if (!slot || !disk || s->marked)
		return;
	s->marked = true;
	if (slot_came_up(disk, slot, SESSION_RUN "/esp", &err) == 0)
		return;
	text = err.reason ? error_message(&err) : NULL;
	say_to(s->say, "slot %s: %s", slot, text ? text : "marked as good");
}

static void mark_slot(void *arg)
{
	session_came_up(((struct start *)arg)->session);
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
	struct session *session;
	struct plan *plan;
	const struct power_buttons *buttons;
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
	(void)coldplug_sweep(&i->session->coldplug, NULL);
	(void)network_follow(&i->plan->devices.network);
	return false;
}

static int prepare_patiently(struct session *s, struct plan *p,
			     const struct power_buttons *buttons, int stop_fd,
			     struct error *err)
{
	_cleanup_free_ struct idle *idle = xcalloc(1, sizeof(*idle));
	int result;

	*idle = (struct idle){s, p, buttons, stop_fd, 0};
	s->idle = on_idle;
	s->idle_arg = idle;
	result = prepare(s, p, err);
	s->idle = NULL;
	s->idle_arg = NULL;
	return result;
}

int session_run(struct session *s, const struct power_buttons *buttons, int stop_fd,
		bool *failed, struct error *err)
{
	_cleanup_(free_plan) struct plan p = {.devices = DEVICES_INIT};
	struct start start = {.session = s, .plan = &p};
	struct supervise_result result;
	struct screen screen = {0};
	struct supervise_times times = supervise_default_times;
	uint64_t seconds = times.shutdown / 1000;
	int ended;
	struct supervise_config config = {
		.qmp = SESSION_VM "/qmp",
		.times = &times,
		.prepare = start_tpm,
		.prepare_arg = &start,
		.uid = SESSION_QEMU_ID,
		.gid = SESSION_QEMU_ID,
		.buttons = buttons,
		.stop_fd = stop_fd,
		.nonce = options_get(&s->options, "nonce"),
		.echo = SESSION_VM "/echo",
		.on_watch = devices_turn,
		.in_child = devices_in_child,
		.watch_arg = &p.devices,
		.say = say_line,
		.say_arg = &start,
		.disk = {.explain = explain_trouble,
			 .has_space = has_space,
			 .is_back = is_back,
			 .is_lost = is_lost,
			 .came_up = mark_slot,
			 .arg = &start},
	};

	*failed = true;
	if (options_number(&s->options, "shutdown_seconds", false, 1, 3600, &seconds,
			   err) < 0 ||
	    prepare_patiently(s, &p, buttons, stop_fd, err) < 0) {
		*failed = !err || err->code != ERROR_INTERRUPTED;
		return -1;
	}
	times.shutdown = (unsigned)seconds * 1000;
	vec_push(&p.argv, NULL);
	config.argv = p.argv.items;
	start_screen(s, &screen);
	p.devices.lid.screen = &screen;
	config.requests = screen.requests;
	config.watch = p.devices.fd;
	stay_in_memory(s);
	config.disk.news = uevent_open(NULL);
	ended = supervise_run(&config, &result, err);
	closep(&config.disk.news);
	screen_stop(&screen);
	*failed = ended < 0 || result.failed;
	return ended;
}
