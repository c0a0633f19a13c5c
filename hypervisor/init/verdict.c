/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/verdict.h"

#include <stdarg.h>
#include <stdio.h>

#define MIB ((uint64_t)1 << 20)

const char *verdict_mode_name(enum verdict_mode mode)
{
	static const char *const names[] = {"paravirtual", "hybrid", "native"};

	return names[mode];
}

void verdict_free(struct verdict *v)
{
	passthrough_sets_free(&v->sets);
	vec_foreach (r, &v->reasons) {
		free(r->message);
		free(r->remedy);
	}
	vec_free(&v->reasons);
}

static _printf_(5, 6) void add(struct verdict *v, enum verdict_severity severity,
			       const char *code, const char *remedy, const char *fmt, ...)
{
	struct verdict_reason r = {.severity = severity, .code = code};
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&r.message, fmt, ap) < 0)
		abort();
	va_end(ap);
	r.remedy = remedy ? xstrdup(remedy) : NULL;
	vec_push(&v->reasons, r);
}

/* ---- processor ---- */

static const char *how_to_enable(const struct machine *m)
{
	return m->svm ? "switch SVM Mode (AMD-V) on in the firmware's CPU settings"
		      : "switch Intel Virtualization Technology (VT-x) or SVM Mode on in "
			"the "
			"firmware's CPU settings";
}

static void judge_cpu(const struct verdict_question *q, struct verdict *v)
{
	const struct machine *m = q->machine;
	enum verdict_severity bad = q->without_kvm ? VERDICT_WARNING : VERDICT_OBSTACLE;

	if (m->kvm == KVM_RUNS) {
		if (!m->paging)
			add(v, VERDICT_WARNING, "no-nested-paging", NULL,
			    "the CPU has no EPT or NPT: the guest will be slow");
		return;
	}
	if (m->disabled)
		add(v, bad, "kvm-disabled", how_to_enable(m),
		    "virtualisation is switched off in the firmware");
	else if (m->kvm == KVM_MISSING && !m->vmx && !m->svm)
		/* Firmware that switched VT-x off hides the flag on newer kernels. */
		add(v, bad, "no-virtualisation", how_to_enable(m),
		    "the CPU shows neither VT-x nor AMD-V");
	else if (m->kvm == KVM_MISSING)
		add(v, bad, "no-kvm", how_to_enable(m), "KVM did not start: %s",
		    m->kvm_why ? m->kvm_why : "there is no /dev/kvm");
	else
		add(v, bad, "kvm-unusable",
		    "under another hypervisor, switch nested virtualisation on there; "
		    "else update the firmware",
		    "KVM runs no guest: %s",
		    m->kvm_why ? m->kvm_why : "no reason is known");
}

static void judge_memory(const struct verdict_question *q, struct verdict *v)
{
	uint64_t memory = vm_memory(q->machine->memory, q->machine->cpus, q->image);
	uint64_t least = vm_least_memory(q->image);

	v->guest_memory = q->memory ? q->memory : memory;
	if (q->memory || memory >= least)
		return;
	add(v, VERDICT_OBSTACLE, "little-memory", "add memory to the PC",
	    "%s needs %llu MiB, and of %llu MiB %llu MiB are left for it",
	    vm_windows_name(q->image), (unsigned long long)(least / MIB),
	    (unsigned long long)(q->machine->memory / MIB),
	    (unsigned long long)(memory / MIB));
}

/* The verdict is that of the first one that fits; for the others there are reasons. */
static void judge_shares(const struct verdict_question *q, struct verdict *v)
{
	for (size_t i = 0; i < q->share_count; i++) {
		const struct vm_share *s = &q->shares[i];

		if (!s->lack)
			continue;
		add(v, VERDICT_WARNING, "guest-left-out",
		    "start fewer at once, give less to others (memory=), or add memory",
		    "%s (%s) is not started beside the others: %llu MiB are missing for "
		    "it",
		    s->name, vm_windows_name(s->image),
		    (unsigned long long)((s->lack + MIB - 1) / MIB));
	}
}

/* ---- devices ---- */

static void judge_iommu(const struct verdict_question *q, struct verdict *v)
{
	const struct machine *m = q->machine;

	if (m->iommu_error)
		add(v, VERDICT_WARNING, "iommu-table", "update the firmware", "%s",
		    m->iommu_error);
	if (!m->iommu_groups)
		add(v, v->sets.len ? VERDICT_WARNING : VERDICT_NOTE, "no-iommu",
		    m->iommu.kind ? "start the kernel with intel_iommu=on"
				  : "switch VT-d or the IOMMU on in the firmware",
		    m->iommu.kind ? "the PC has an IOMMU, the kernel does not use it"
				  : "the PC shows no IOMMU");
	else if (m->iommu.kind && !m->iommu.interrupt_remapping)
		add(v, v->sets.len ? VERDICT_WARNING : VERDICT_NOTE,
		    "no-interrupt-remapping", "update the firmware",
		    "the IOMMU does not remap interrupts");
}

/*
 * Without interrupt remapping a device could send any interrupt: the kernel's vfio
 * refuses it, and we do not lift that.
 */
static void judge_sets(const struct verdict_question *q, struct verdict *v)
{
	const struct machine *m = q->machine;

	vec_foreach (set, &v->sets) {
		if (!set->refused && !m->iommu.interrupt_remapping)
			set->refused = xstrdup("the IOMMU does not remap interrupts");
		if (set->refused) {
			add(v, VERDICT_WARNING, "passthrough-refused", NULL,
			    "%s stays with the host: %s", set->name, set->refused);
			continue;
		}
		add(v, VERDICT_NOTE, "passthrough", NULL, "%s goes to the guest",
		    set->name);
		vec_foreach (warning, &set->warnings)
			add(v, VERDICT_WARNING, "no-reset", NULL, "%s", *warning);
	}
}

static bool has_message(const struct verdict *v, const char *message)
{
	vec_foreach (r, &v->reasons)
		if (strcmp(r->message, message) == 0)
			return true;
	return false;
}

size_t verdict_more_firmware(struct verdict *v, const struct verdict_question *q)
{
	size_t first = v->reasons.len;

	vec_foreach (blob, &q->machine->firmware) {
		_cleanup_free_ char *message =
			xasprintf("a driver did not find %s", *blob);

		if (!has_message(v, message))
			add(v, VERDICT_WARNING, "missing-firmware",
			    "put the blob into the image (gild pack --firmware-dir)",
			    "%s", message);
	}
	return first;
}

static void judge_rest(const struct verdict_question *q, struct verdict *v)
{
	const struct machine *m = q->machine;

	if (!q->profile)
		add(v, VERDICT_NOTE, "no-profile",
		    "gild profile import makes one of the PC's inventory",
		    "no profile fits %s", m->pc.label ? m->pc.label : "this PC");
	else
		add(v, VERDICT_NOTE, "profile", NULL, "%s (%s)", q->profile->name,
		    q->profile_reason ? q->profile_reason : q->profile->id);
	(void)verdict_more_firmware(v, q);
	if (!q->profile || !q->kernel_arguments)
		return;
	vec_foreach (argument, &q->profile->kernel_arguments)
		if (!strings_contain(q->kernel_arguments, *argument))
			add(v, VERDICT_WARNING, "kernel-argument",
			    "add it to the kernel's command line",
			    "the profile asks for %s", *argument);
}

/* ---- the verdict ---- */

static bool has_obstacle(const struct verdict *v)
{
	vec_foreach (r, &v->reasons)
		if (r->severity == VERDICT_OBSTACLE)
			return true;
	return false;
}

static bool any_goes(const struct verdict *v)
{
	vec_foreach (set, &v->sets)
		if (!set->refused)
			return true;
	return false;
}

static void choose_mode(const struct verdict_question *q, struct verdict *v)
{
	if (!has_obstacle(v) && !q->native_wanted) {
		v->mode = any_goes(v) ? VERDICT_HYBRID : VERDICT_PARAVIRTUAL;
		return;
	}
	v->mode = VERDICT_NATIVE;
	v->guest_memory = 0;
	v->stuck = !q->native_possible;
	if (q->native_wanted)
		add(v, VERDICT_NOTE, "native-wanted", NULL,
		    "the start on the PC itself was "
		    "asked for");
	if (v->stuck)
		add(v, VERDICT_OBSTACLE, "not-native",
		    "write a golden image of gild build to the PC's disk to start it "
		    "there",
		    "no disk of the PC holds a Windows that this firmware starts");
	else if (q->native_label)
		add(v, VERDICT_NOTE, "native", NULL, "Windows on %s can be started",
		    q->native_label);
}

void verdict_reach(const struct verdict_question *q, struct verdict *v)
{
	*v = (struct verdict){0};
	judge_cpu(q, v);
	judge_memory(q, v);
	judge_shares(q, v);
	passthrough_plan(q->machine, q->profile, &q->wish, &v->sets);
	judge_iommu(q, v);
	judge_sets(q, v);
	judge_rest(q, v);
	choose_mode(q, v);
}

void verdict_reserve(struct verdict *v, const struct verdict_question *q,
		     uint64_t reserved)
{
	if (v->guest_memory && !q->memory)
		v->guest_memory = vm_memory(q->machine->memory - reserved,
					    q->machine->cpus, q->image);
}

void verdict_refuse(struct verdict *v, struct passthrough_set *set,
		    const struct error *err)
{
	free(set->refused);
	set->refused = error_message(err);
	add(v, VERDICT_WARNING, "passthrough-failed", NULL, "%s stays with the host: %s",
	    set->name, set->refused);
	if (v->mode == VERDICT_HYBRID && !any_goes(v))
		v->mode = VERDICT_PARAVIRTUAL;
}

void verdict_image_damaged(struct verdict *v, const struct error *err)
{
	add(v, VERDICT_OBSTACLE, "image-damaged", err->remedy, "%s: %s",
	    err->subject ? err->subject : "image", err->reason);
	v->stuck = true;
}

void verdict_guest_failed(struct verdict *v, const char *name, const struct error *err)
{
	add(v, VERDICT_WARNING, "guest-failed", err->remedy,
	    "%s is not started beside the others: %s%s%s", name,
	    err->subject ? err->subject : "", err->subject ? ": " : "", err->reason);
}

char *verdict_text(const struct verdict *v, const struct verdict_question *q)
{
	static const char *const signs[] = {"note", "warning", "obstacle"};
	struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "gild: %s on %s: %s\n", vm_windows_name(q->image),
		      q->machine->pc.label ? q->machine->pc.label : "unknown PC",
		      verdict_mode_name(v->mode));
	vec_foreach (r, &v->reasons)
		if (r->severity != VERDICT_NOTE)
			buffer_printf(&b, "gild: %s: %s%s%s\n", signs[r->severity],
				      r->message, r->remedy ? "; " : "",
				      r->remedy ? r->remedy : "");
	return buffer_steal_string(&b);
}
