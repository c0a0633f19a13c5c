/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processor with Hyper-V's enlightenments, and what the guest is told it is: vm.h. */
#include "base/guid.h"
#include "init/vm_private.h"

/*
 * Which enlightenment from which Windows on. QEMU's docs/system/i386/hyperv.rst has what
 * each needs of the others; hv-passthrough is for development. `apic`: needs the local
 * APIC in the kernel.
 */
static const struct enlightenment {
	const char *text;
	unsigned major, minor;
	bool apic, avic, nested, intel;
} enlightenments[] = {
	{"hv_relaxed=on", 6, 0, false, false, false, false},
	{"hv_vapic=on", 6, 0, true, false, false, false},
	{"hv_spinlocks=0x1fff", 6, 0, false, false, false, false},
	{"hv_time=on", 6, 0, false, false, false, false},
	{"hv_vpindex=on", 6, 1, false, false, false, false},
	{"hv_runtime=on", 6, 1, false, false, false, false},
	{"hv_reset=on", 6, 1, false, false, false, false},
	{"hv_synic=on", 6, 1, true, false, false, false},
	{"hv_stimer=on", 6, 1, true, false, false, false},
	{"hv_frequencies=on", 10, 0, false, false, false, false},
	{"hv_ipi=on", 10, 0, false, false, false, false},
	{"hv_tlbflush=on", 10, 0, false, false, false, false},
	{"hv_avic=on", 10, 0, true, true, false, false},
	{"hv_stimer_direct=on", 10, 0, true, false, true, false},
	{"hv_reenlightenment=on", 10, 0, false, false, true, false},
	{"hv_evmcs=on", 10, 0, false, false, true, true},
};

static bool wanted(const struct vm *vm, const struct enlightenment *e)
{
	return vm_from(vm->image, e->major, e->minor) && (!e->apic || vm->irqchip) &&
	       (!e->avic || vm->host->avic) && (!e->nested || vm->nested) &&
	       (!e->intel || vm->host->intel);
}

void vm_add_cpu(struct vm *vm)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	if (!vm->kvm_accel) {
		vm_add(vm, "-cpu", "max");
		return;
	}
	buffer_append_string(&b, "host,migratable=no");
	/* With it, Windows starts a hypervisor of its own, which costs time. */
	if (!vm->nested)
		buffer_append_string(&b, vm->host->intel ? ",vmx=off" : ",svm=off");
	if (vm->hide_kvm)
		buffer_append_string(&b, ",kvm=off");
	for (size_t i = 0; vm->hyperv && i < ARRAY_SIZE(enlightenments); i++)
		if (wanted(vm, &enlightenments[i]))
			buffer_printf(&b, ",%s", enlightenments[i].text);
	buffer_append(&b, "", 1);
	vm_add(vm, "-cpu", "%s", (const char *)b.data);
}

/* ---- identity ---- */

static void add_field(struct buffer *b, const char *name, const char *value)
{
	_cleanup_free_ char *escaped = value && *value ? vm_escape(value) : NULL;

	if (escaped)
		buffer_printf(b, ",%s=%s", name, escaped);
}

struct field {
	const char *name, *value;
};

/* A structure of which nothing is known is left to QEMU. */
static void add_structure(struct vm *vm, unsigned type, const struct field *fields,
			  size_t count)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	for (size_t i = 0; i < count; i++)
		add_field(&b, fields[i].name, fields[i].value);
	if (!b.len)
		return;
	buffer_append(&b, "", 1);
	vm_add(vm, "-smbios", "type=%u%s", type, (const char *)b.data);
}

/* The PC's own: OEM activation and vendors' programs look at it, and so does our image.
 */
void vm_add_identity(struct vm *vm)
{
	const struct pc_identity *i = vm->host->identity;
	const struct vm_host *h = vm->host;

	if (i) {
		struct guid uuid;
		const struct field bios[] = {{"vendor", i->bios_vendor},
					     {"version", i->bios_version},
					     {"date", i->bios_date}};
		const struct field system[] = {
			{"manufacturer", i->manufacturer},
			{"product", i->product},
			{"version", i->version},
			{"serial", h->serial},
			{"uuid", h->uuid && guid_parse(h->uuid, &uuid) ? h->uuid : NULL},
			{"sku", i->sku},
			{"family", i->family}};
		const struct field board[] = {{"manufacturer", i->board_manufacturer},
					      {"product", i->board_product},
					      {"version", i->board_version}};
		const struct field enclosure[] = {{"manufacturer", i->manufacturer}};

		add_structure(vm, 0, bios, ARRAY_SIZE(bios));
		add_structure(vm, 1, system, ARRAY_SIZE(system));
		add_structure(vm, 2, board, ARRAY_SIZE(board));
		add_structure(vm, 3, enclosure, ARRAY_SIZE(enclosure));
	}
	if (h->profile) {
		_cleanup_free_ char *profile = vm_escape(h->profile);

		vm_add(vm, "-smbios", "type=11,value=gild.profile:%s", profile);
	}
	if (h->msdm) {
		_cleanup_free_ char *path = vm_escape(h->msdm);

		vm_add(vm, "-acpitable", "file=%s", path);
	}
	if (h->slic) {
		_cleanup_free_ char *path = vm_escape(h->slic);

		vm_add(vm, "-acpitable", "file=%s", path);
	}
}
