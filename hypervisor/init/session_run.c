/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the verdict to the virtual machine: session.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/sysfs.h"
#include "init/mounts.h"
#include "init/overlay.h"
#include "init/session.h"
#include "init/supervise.h"

#define QEMU_ID 990 /* user and group that QEMU runs as: nobody else's in the image */
#define DEVICE_WAIT 15000 /* ms for the disk with the image */
#define DEVICE_STEP 100
#define SETTLE 50 /* ms in which USB and disks show up after their driver */
#define ACPI_TABLES "/sys/firmware/acpi/tables/"
#define OVMF "/usr/share/OVMF/"
#define MAX_VARS ((size_t)4 << 20)

static _printf_(2, 3) void say(const struct session *s, const char *fmt, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	if (line)
		s->say(line);
}

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
	/* Those of the other vendor's CPU fail: they are not named then. */
	static const char *const early[] = {"vfio-pci", "vhost_net", "tun"};
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
	say(s, "%zu drivers for %zu devices", s->coldplug.loaded.len,
	    s->coldplug.seen.len);
	return 0;
}

static int mount_waiting(struct session *s, const char *key, const char *target,
			 bool writable, struct error *err)
{
	const char *device = options_get(&s->options, key);
	int result = 1;

	if (!device)
		return 0;
	for (unsigned waited = 0; waited <= DEVICE_WAIT && result == 1;
	     waited += DEVICE_STEP) {
		result = mounts_device(device, target, writable, NULL, err);
		if (result == 1) {
			if (coldplug_sweep(&s->coldplug, err) < 0)
				return -1;
			sleep_ms(DEVICE_STEP);
		}
	}
	if (result != 1)
		return result;
	error_set(err, ERROR_FAILED, device, "did not show up within %u s",
		  DEVICE_WAIT / 1000);
	return error_remedy(err,
			    "is the stick in, and is its controller's driver packed?");
}

/* ---- what QEMU needs, readable and writable for its user ---- */

static int hand_over(const char *path, mode_t mode, struct error *err)
{
	if (chown(path, QEMU_ID, QEMU_ID) < 0 || chmod(path, mode) < 0)
		return error_errno(err, path, "cannot be handed to QEMU");
	return 0;
}

/* A copy in RUN, for firmware's tables and OVMF's variables. */
static int copy_for_qemu(const char *from, const char *to, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file_read(from, MAX_VARS, &data, err) < 0 ||
	    file_replace(to, buffer_view(&data), err) < 0)
		return -1;
	return hand_over(to, 0600, err);
}

struct plan {
	struct vm_host host;
	struct strings usb, argv;
	struct overlay_golden golden;
	char *disk, *vars;
};

static void free_plan(struct plan *p)
{
	strings_free(&p->usb);
	strings_free(&p->argv);
	overlay_golden_free(&p->golden);
	free(p->disk);
	free(p->vars);
}

/*
 * The overlay lies with the state if it is to be kept, else in memory. QEMU's user reads
 * the golden image: a block device is opened for it, a file must be readable.
 */
static int prepare_disk(struct session *s, struct plan *p, struct error *err)
{
	const char *image = options_get(&s->options, "image");
	bool persist;
	struct stat st;

	if (options_switch(&s->options, "persist", false, &persist, err) < 0)
		return -1;
	if (!image) {
		error_set(err, ERROR_FAILED, "image", "no image is named");
		return error_remedy(err, "give image=PATH");
	}
	if (persist && !options_get(&s->options, "state")) {
		error_set(err, ERROR_FAILED, "persist",
			  "there is nowhere to keep anything");
		return error_remedy(err, "give state=DEVICE, or persist=off");
	}
	if (overlay_open_golden(image, &p->golden, err) < 0)
		return -1;
	if (stat(image, &st) == 0 && S_ISBLK(st.st_mode) &&
	    hand_over(image, 0400, err) < 0)
		return -1;
	p->disk = xasprintf("%s/overlay.qcow2", persist ? "/state" : SESSION_RUN);
	if (overlay_prepare(p->disk, &p->golden, persist, err) < 0 ||
	    hand_over(p->disk, 0600, err) < 0)
		return -1;
	p->host.disk = p->disk;
	p->host.disk_format = "qcow2";
	p->host.golden = p->golden.path;
	p->host.golden_format = p->golden.format == OVERLAY_QCOW2 ? "qcow2" : "raw";
	p->host.direct = persist;
	say(s, "image %s, changes are %s", image,
	    persist ? "kept" : "dropped at the end");
	return 0;
}

/* Variables with Microsoft's keys for a guest that checks them; kept with the state. */
static int prepare_firmware(struct session *s, struct plan *p, struct error *err)
{
	bool secure = s->image.major >= 10;
	bool kept = options_get(&s->options, "state") != NULL;

	if (!s->image.uefi)
		return 0;
	p->host.code = OVMF "OVMF_CODE_4M.fd";
	p->host.code_secure = OVMF "OVMF_CODE_4M.ms.fd";
	p->vars = xasprintf("%s/vars.fd", kept ? "/state" : SESSION_RUN);
	p->host.vars = p->vars;
	if (kept && access(p->vars, F_OK) == 0)
		return hand_over(p->vars, 0600, err);
	return copy_for_qemu(secure ? OVMF "OVMF_VARS_4M.ms.fd" : OVMF "OVMF_VARS_4M.fd",
			     p->vars, err);
}

static int prepare_tpm(struct session *s, struct error *err)
{
	_cleanup_free_ char *folder = NULL, *state = NULL;
	char *argv[] = {(char *)"swtpm",
			(char *)"socket",
			(char *)"--tpm2",
			(char *)"--tpmstate",
			NULL,
			(char *)"--ctrl",
			(char *)"type=unixio,path=" SESSION_RUN
				"/tpm,uid=990,gid=990,mode=0600",
			(char *)"--daemon",
			NULL};

	if (!vm_needs_tpm(&s->image))
		return 0;
	folder = xasprintf("%s/tpm-state",
			   options_get(&s->options, "state") ? "/state" : SESSION_RUN);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return error_errno(err, folder, "cannot make the folder");
	state = xasprintf("dir=%s", folder);
	argv[4] = state;
	return process_run(argv, err);
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
		    hand_over(node, 0600, err) < 0)
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
		say(s, "%s",
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
	p->host.run = SESSION_RUN;
	p->host.sets = &s->verdict.sets;
	p->host.usb_ports = &p->usb;
}

static void split_usb(const struct session *s, struct strings *ret)
{
	const char *ports = options_get(&s->options, "usb");

	while (ports && *ports) {
		size_t len = strcspn(ports, ",");

		/* "1-2.3": bus and port; nothing else reaches QEMU. */
		if (len && strspn(ports, "0123456789-.") >= len &&
		    memchr(ports, '-', len))
			vec_push(ret, xstrndup(ports, len));
		ports += len + (ports[len] == ',');
	}
}

static int prepare(struct session *s, struct plan *p, struct error *err)
{
	fill_host(s, p);
	split_usb(s, &p->usb);
	if (mount_waiting(s, "media", "/media", false, err) < 0 ||
	    mount_waiting(s, "state", "/state", true, err) < 0 ||
	    hand_over(SESSION_RUN, 0700, err) < 0 || prepare_disk(s, p, err) < 0 ||
	    prepare_firmware(s, p, err) < 0 || prepare_tpm(s, err) < 0)
		return -1;
	prepare_licence(s, p);
	bind_devices(s);
	if (s->machine.kvm == KVM_RUNS && hand_over("/dev/kvm", 0600, err) < 0)
		return -1;
	return vm_argv(&s->image, &p->host, &s->options, &p->argv, err);
}

static void say_line(void *arg, const char *line)
{
	const struct session *s = arg;

	s->say(line);
}

int session_run(struct session *s, const struct power_buttons *buttons, int stop_fd,
		bool *failed, struct error *err)
{
	_cleanup_(free_plan) struct plan p = {0};
	struct supervise_result result;
	struct supervise_times times = supervise_default_times;
	uint64_t seconds = times.shutdown / 1000;
	struct supervise_config config = {
		.qmp = SESSION_RUN "/qmp",
		.times = &times,
		.uid = QEMU_ID,
		.gid = QEMU_ID,
		.buttons = buttons,
		.stop_fd = stop_fd,
		.nonce = options_get(&s->options, "nonce"),
		.echo = SESSION_RUN "/echo",
		.say = say_line,
		.say_arg = s,
	};

	*failed = true;
	if (options_number(&s->options, "shutdown_seconds", false, 1, 3600, &seconds,
			   err) < 0 ||
	    prepare(s, &p, err) < 0)
		return -1;
	times.shutdown = (unsigned)seconds * 1000;
	vec_push(&p.argv, NULL);
	config.argv = p.argv.items;
	if (supervise_run(&config, &result, err) < 0)
		return -1;
	*failed = result.failed;
	return 0;
}
