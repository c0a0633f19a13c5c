/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/session_plan.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "init/say.h"
#include "init/tpm.h"

#define ACPI_TABLES "/sys/firmware/acpi/tables/"
#define OVMF "/usr/share/OVMF/"
#define MAX_VARS ((size_t)4 << 20)
#define NAMELESS "image" /* the folder of a guest whose image has no name */

_Static_assert(SESSION_MAX_GUESTS <= SUPERVISE_MAX_GUESTS &&
		       SESSION_MAX_GUESTS <= NETWORK_MAX_GUESTS,
	       "all have room for as many");

static void free_plan(struct plan *p)
{
	char **const owned[] = {&p->folder, &p->vm,  &p->vnc,  &p->qmp, &p->echo,
				&p->vars,   &p->tpm, &p->msdm, &p->slic};

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		free(*owned[i]);
	session_disk_free(&p->disk);
	strings_free(&p->argv);
}

void plans_free(struct plans *p)
{
	for (size_t i = 0; i < p->count; i++)
		free_plan(&p->items[i]);
	session_state_free(&p->state);
	devices_end(&p->devices);
}

/* ---- which guests ---- */

static void number(struct plan *p, size_t n)
{
	p->number = n;
	p->uid = n ? SESSION_MORE_ID + (uid_t)n : SESSION_QEMU_ID;
	p->disk.uid = p->uid;
}

void plans_add(struct plans *all)
{
	struct session *s = all->session;

	for (size_t i = 0; i < s->guests.len; i++) {
		const struct guest *g = &s->guests.items[i];
		struct plan *p = &all->items[all->count];

		/* Where none of several fits, the first one says what is missing. */
		if (s->question.share_count ? s->shares[i].lack != 0 : i > 0)
			continue;
		*p = (struct plan){.all = all, .guest = g, .share = &s->shares[i]};
		p->folder = xasprintf(SESSION_GUESTS "/%s", g->name ? g->name : NAMELESS);
		p->vm = xasprintf("%s/vm", p->folder);
		p->vnc = xasprintf("%s/screen/vnc", p->folder);
		p->qmp = xasprintf("%s/qmp", p->vm);
		p->echo = xasprintf("%s/echo", p->vm);
		p->tpm = xasprintf("%s/tpm", p->folder);
		p->disk.guest = g;
		p->disk.folder = p->folder;
		number(p, all->count++);
	}
}

void plans_drop(struct plans *all)
{
	struct session *s = all->session;
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct plan p = all->items[i];

		if (s->question.share_count ? p.share->lack != 0 : kept > 0) {
			say_to(s->say,
			       "%s is left out: its memory is needed for what "
			       "guests write",
			       p.guest->name);
			free_plan(&p);
			continue;
		}
		number(&p, kept);
		all->items[kept++] = p;
	}
	all->count = kept;
}

/* ---- what QEMU needs, readable and writable for its user ---- */

/* A copy for firmware's tables and OVMF's variables. */
static int copy_for_qemu(const struct plan *p, const char *from, const char *to,
			 struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file_read(from, MAX_VARS, &data, err) < 0 ||
	    file_replace(to, buffer_view(&data), err) < 0)
		return -1;
	return session_hand_over(to, p->uid, 0600, err);
}

/*
 * The presenter's group may pass through the folder of the VNC socket, which becomes its.
 * A nonce's echo would be another start's.
 */
static int make_folders(const struct plan *p, struct error *err)
{
	_cleanup_free_ char *screen = xasprintf("%s/screen", p->folder);
	const char *const paths[] = {SESSION_GUESTS, p->folder, p->vm, screen};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (mkdir(paths[i], i < 2 ? 0755 : 0700) < 0 && errno != EEXIST)
			return error_errno(err, paths[i], "cannot make the folder");
	if (chown(screen, p->uid, SCREEN_ID) < 0 || chmod(screen, 02710) < 0)
		return error_errno(err, screen, "cannot be handed to QEMU");
	return session_hand_over(p->vm, p->uid, 0700, err);
}

/* Variables with Microsoft's keys for a guest that checks them; kept with the state. */
static int prepare_firmware(struct plan *p, struct error *err)
{
	bool secure = p->guest->image.major >= 10;
	bool kept = p->disk.state != NULL;

	if (!p->guest->image.uefi)
		return 0;
	p->host.code = OVMF "OVMF_CODE_4M.fd";
	p->host.code_secure = OVMF "OVMF_CODE_4M.ms.fd";
	p->vars = xasprintf("%s/vars.fd", kept ? p->disk.state : p->folder);
	p->host.vars = p->vars;
	if (kept && access(p->vars, F_OK) == 0)
		return session_hand_over(p->vars, p->uid, 0600, err);
	return copy_for_qemu(p,
			     secure ? OVMF "OVMF_VARS_4M.ms.fd" : OVMF "OVMF_VARS_4M.fd",
			     p->vars, err);
}

/*
 * A table without which Windows only asks for its key: no reason to stop. A PC's licence
 * is one, and so the first guest's.
 */
static void prepare_licence(struct plan *p)
{
	const struct machine *m = &p->all->session->machine;

	if (p->number)
		return;
	p->msdm = xasprintf("%s/MSDM", p->folder);
	p->slic = xasprintf("%s/SLIC", p->folder);
	if (m->msdm && copy_for_qemu(p, ACPI_TABLES "MSDM", p->msdm, NULL) == 0)
		p->host.msdm = p->msdm;
	if (m->slic && copy_for_qemu(p, ACPI_TABLES "SLIC", p->slic, NULL) == 0)
		p->host.slic = p->slic;
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

static void fill_host(struct plan *p)
{
	struct session *s = p->all->session;

	p->host.memory = s->machine.memory - s->reserved;
	if (s->question.share_count) {
		p->host.name = p->guest->name;
		p->host.share = p->share->memory;
	}
	p->host.cpus = s->machine.cpus;
	p->host.avic = s->machine.avic;
	p->host.intel = s->machine.vmx;
	p->host.identity = &s->machine.pc.identity;
	p->host.uuid = s->machine.uuid;
	p->host.serial = s->machine.serial;
	p->host.profile = s->question.profile ? s->question.profile->id : NULL;
	p->host.run = p->vm;
	p->host.vnc = p->vnc;
	p->host.tpm = p->tpm;
	/* Devices of the PC are the first one's. */
	p->host.sets = p->number ? NULL : &s->verdict.sets;
}

static int read_times(struct plan *p, struct error *err)
{
	uint64_t seconds = supervise_default_times.shutdown / 1000;

	if (options_number(&p->guest->options, "shutdown_seconds", false, 1, 3600,
			   &seconds, err) < 0)
		return -1;
	p->times = supervise_default_times;
	p->times.shutdown = (unsigned)seconds * 1000;
	return 0;
}

static int open_plan(struct plan *p, struct error *err)
{
	if (read_times(p, err) < 0)
		return -1;
	if (!p->disk.persist)
		p->disk.reserved = p->all->overlay;
	if (make_folders(p, err) < 0 ||
	    session_disk_open(p->all->session, &p->disk, err) < 0)
		return -1;
	fill_host(p);
	use_disk(p);
	prepare_licence(p);
	return prepare_firmware(p, err);
}

static int add_devices(struct plans *all, struct plan *p, struct error *err)
{
	const struct devices_words words = {
		.name = all->count > 1 ? p->guest->name : NULL,
		.uid = p->uid,
		.no_network = p->guest->image.network == VM_NO_NETWORK,
		.all = &p->guest->options,
		.own = &p->guest->own};
	struct stat st;

	if (p->disk.golden_device && stat(p->disk.golden.path, &st) == 0)
		all->devices.images[p->number] = st.st_rdev;
	return devices_add_guest(&all->devices, &words, err);
}

static void leave_out(struct plan *p, const struct error *err)
{
	struct session *s = p->all->session;

	verdict_guest_failed(&s->verdict, p->guest->name, err);
	say_to(s->say, "%s",
	       s->verdict.reasons.items[s->verdict.reasons.len - 1].message);
	free_plan(p);
	*p = (struct plan){0};
}

int plans_open(struct plans *all, struct error *err)
{
	size_t count = all->count, kept = 0;

	for (size_t i = 0; i < count; i++) {
		_cleanup_error_ struct error own = ERROR_INIT;
		struct plan p = all->items[i];

		all->items[i] = (struct plan){0};
		all->items[kept] = p;
		number(&all->items[kept], kept);
		if (open_plan(&all->items[kept], &own) == 0)
			kept++;
		else if (kept || i + 1 < count)
			leave_out(&all->items[kept], &own);
		else
			return error_move(err, &own);
	}
	all->count = kept;
	for (size_t i = 0; i < kept; i++)
		if (add_devices(all, &all->items[i], err) < 0)
			return -1;
	if (kept < count)
		session_write_verdict(all->session);
	return 0;
}

int plan_argv(struct plans *all, size_t n, struct error *err)
{
	struct plan *p = &all->items[n];

	devices_fill(&all->devices, n, &p->host);
	if (vm_argv(&p->guest->image, &p->host, &p->guest->options, &p->argv, err) < 0)
		return -1;
	vec_push(&p->argv, NULL);
	return 0;
}

/* ---- what the supervisor asks ---- */

static int start_tpm(void *arg, struct error *err)
{
	const struct plan *p = arg;
	_cleanup_free_ char *folder = NULL;

	if (!vm_needs_tpm(&p->guest->image))
		return 0;
	folder = p->disk.state ? xasprintf("%s/tpm", p->disk.state)
			       : xasprintf("%s/tpm-state", p->folder);
	return tpm_start(p->folder, folder, p->uid, err);
}

static void in_child(void *arg)
{
	const struct plan *p = arg;

	devices_in_child(&p->all->devices, p->number);
}

static char *explain_trouble(void *arg, bool no_space, const char *reason)
{
	const struct plan *p = arg;
	char *text;

	if (!no_space && session_disk_lost(p->all->session, &p->disk, &text))
		return text;
	return session_disk_trouble(&p->disk, no_space, reason);
}

static bool has_space(void *arg)
{
	const struct plan *p = arg;

	return session_disk_space(&p->disk);
}

static bool is_back(void *arg)
{
	const struct plan *p = arg;

	return session_disk_is_back(&p->disk);
}

static bool is_lost(void *arg, char **ret)
{
	const struct plan *p = arg;

	return session_disk_lost(p->all->session, &p->disk, ret);
}

/* The first that comes up will do: this version of gild starts guests. */
static void mark_slot(void *arg)
{
	const struct plan *p = arg;

	session_came_up(p->all->session);
}

struct supervise_guest plan_guest(struct plan *p)
{
	return (struct supervise_guest){
		.name = p->all->count > 1 ? p->guest->name : NULL,
		.argv = p->argv.items,
		.qmp = p->qmp,
		.times = &p->times,
		.uid = p->uid,
		.gid = SESSION_QEMU_ID,
		.nonce = options_get(&p->guest->options, "nonce"),
		.echo = p->echo,
		.prepare = start_tpm,
		.in_child = in_child,
		.arg = p,
		.disk = {.explain = explain_trouble,
			 .has_space = has_space,
			 .is_back = is_back,
			 .is_lost = is_lost,
			 .came_up = mark_slot,
			 .arg = p},
	};
}
