/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict for programs: gild.verdict/1, described in docs/hypervisor.md. */
#include <json-c/json.h>

#include "init/verdict.h"

static void put(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

static void put_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static void put_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *put_object(struct json_object *o, const char *key)
{
	struct json_object *child = json_object_new_object();

	json_object_object_add(o, key, child);
	return child;
}

static struct json_object *put_array(struct json_object *o, const char *key)
{
	struct json_object *child = json_object_new_array();

	json_object_object_add(o, key, child);
	return child;
}

static void put_strings(struct json_object *o, const char *key,
			const struct strings *strings)
{
	struct json_object *array = put_array(o, key);

	vec_foreach (s, strings)
		json_object_array_add(array, json_object_new_string(*s));
}

static const char *answer(enum pc_answer a)
{
	return a == PC_YES ? "yes" : a == PC_NO ? "no" : NULL;
}

static void put_pc(struct json_object *o, const struct machine *m)
{
	struct json_object *pc = put_object(o, "pc");
	const struct pc_identity *i = &m->pc.identity;

	put(pc, "name", m->pc.label);
	put(pc, "manufacturer", i->manufacturer);
	put(pc, "product", i->product);
	put(pc, "version", i->version);
	put(pc, "sku", i->sku);
	put(pc, "bios", i->bios_version);
	put(pc, "uefi", answer(m->pc.uefi));
	put(pc, "secure_boot", answer(m->pc.secure_boot));
	put(pc, "tpm", m->pc.tpm);
	put_bool(pc, "msdm", m->msdm);
	put_bool(pc, "slic", m->slic);
}

static void put_hardware(struct json_object *o, const struct machine *m)
{
	struct json_object *cpu = put_object(o, "cpu"), *kvm, *iommu;

	put(cpu, "virtualisation", m->vmx ? "vmx" : m->svm ? "svm" : NULL);
	put_bool(cpu, "nested_paging", m->paging);
	put_bool(cpu, "avic", m->avic);
	put_number(cpu, "cpus", m->cpus);
	kvm = put_object(o, "kvm");
	put(kvm, "state", kvm_state_name(m->kvm));
	put(kvm, "reason", m->kvm_why);
	iommu = put_object(o, "iommu");
	put(iommu, "kind", acpi_iommu_name(m->iommu.kind));
	put_number(iommu, "units", m->iommu.units);
	put_bool(iommu, "interrupt_remapping", m->iommu.interrupt_remapping);
	put_number(iommu, "groups", m->iommu_groups);
	put(iommu, "error", m->iommu_error);
	put_number(o, "gpus", machine_gpus(m));
	put_number(o, "xhcis", machine_xhcis(m));
	put_bool(o, "i8042", m->i8042);
	put_strings(o, "missing_firmware", &m->firmware);
}

static void put_devices(struct json_object *o, const struct machine *m)
{
	struct json_object *array = put_array(o, "devices");

	vec_foreach (d, &m->devices) {
		struct json_object *device = json_object_new_object();

		json_object_array_add(array, device);
		put(device, "address", d->address);
		put(device, "id", d->id);
		put(device, "role", pc_role_name(d->role));
		json_object_object_add(device, "iommu_group",
				       d->group < 0 ? NULL
						    : json_object_new_int(d->group));
		put(device, "driver", d->driver);
		put(device, "reset", d->reset_method);
		put_bool(device, "boot_vga", d->boot_vga);
	}
}

static void put_sets(struct json_object *o, const struct verdict *v)
{
	struct json_object *array = put_array(o, "passthrough");

	vec_foreach (s, &v->sets) {
		struct json_object *set = json_object_new_object();

		json_object_array_add(array, set);
		put(set, "name", s->name);
		put_strings(set, "devices", &s->addresses);
		put(set, "refused", s->refused);
		put_strings(set, "warnings", &s->warnings);
	}
}

static void put_reasons(struct json_object *o, const struct verdict *v)
{
	static const char *const severities[] = {"note", "warning", "obstacle"};
	struct json_object *array = put_array(o, "reasons");

	vec_foreach (r, &v->reasons) {
		struct json_object *reason = json_object_new_object();

		json_object_array_add(array, reason);
		put(reason, "code", r->code);
		put(reason, "severity", severities[r->severity]);
		put(reason, "message", r->message);
		put(reason, "remedy", r->remedy);
	}
}

static void put_guests(struct json_object *o, const struct verdict_question *q)
{
	struct json_object *array = put_array(o, "guests");

	for (size_t i = 0; i < q->share_count; i++) {
		const struct vm_share *s = &q->shares[i];
		struct json_object *guest = json_object_new_object();

		json_object_array_add(array, guest);
		put(guest, "name", s->name);
		put(guest, "windows", vm_windows_name(s->image));
		put_number(guest, "memory", s->memory);
		put_number(guest, "missing", s->lack);
	}
}

char *verdict_json(const struct verdict *v, const struct verdict_question *q)
{
	struct json_object *o = json_object_new_object(), *profile, *memory;
	char *text;

	put(o, "schema", "gild.verdict/1");
	put(o, "mode", verdict_mode_name(v->mode));
	put_bool(o, "can_start", !v->stuck);
	put_pc(o, q->machine);
	if (q->profile) {
		profile = put_object(o, "profile");
		put(profile, "id", q->profile->id);
		put(profile, "reason", q->profile_reason);
	} else {
		put(o, "profile", NULL);
	}
	memory = put_object(o, "memory");
	put_number(memory, "total", q->machine->memory);
	put_number(memory, "guest", v->guest_memory);
	if (q->share_count)
		put_guests(o, q);
	put_hardware(o, q->machine);
	put_devices(o, q->machine);
	put_sets(o, v);
	put_reasons(o, v);
	text = xstrdup(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return text;
}
