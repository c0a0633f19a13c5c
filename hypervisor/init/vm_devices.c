/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disk, network, display, TPM and devices handed on: vm.h. */
#include <stdio.h>

#include "init/vm_private.h"

/* ---- disk ---- */

#define ERRORS "rerror=stop,werror=stop,"

/* A file, and its format upon it. `below` is the node of what it overlays, or NULL. */
static void add_image(struct vm *vm, const char *node, const char *path,
		      const char *format, bool read_only, bool device, const char *below)
{
	_cleanup_free_ char *name = vm_escape(path);
	_cleanup_free_ char *backing =
		below ? xasprintf(",backing=%s", below) : xstrdup("");
	const char *access = read_only ? ",read-only=on,auto-read-only=off" : "";

	/*
	 * Where there is no O_DIRECT, as on tmpfs, there is no native AIO either.
	 * Squashfs has none, and the host's page cache is good for what all guests read.
	 */
	vm_add(vm, "-blockdev", "driver=%s,node-name=%s-file,filename=%s%s,%s%s",
	       device ? "host_device" : "file", node, name, access,
	       vm->host->direct && !read_only ? "cache.direct=on,aio=native"
					      : "cache.direct=off,aio=threads",
	       read_only ? "" : ",discard=unmap");
	/* What lies below is named here; an image whose header names more is refused by
	 * overlay.h. */
	vm_add(vm, "-blockdev", "driver=%s,node-name=%s,file=%s-file%s%s%s", format, node,
	       node, access, read_only ? "" : ",discard=unmap,detect-zeroes=unmap",
	       backing);
}

void vm_add_disk(struct vm *vm)
{
	const struct vm_host *h = vm->host;

	if (!h->disk)
		return;
	if (h->golden)
		add_image(vm, "golden", h->golden, h->golden_format, true,
			  h->golden_device, NULL);
	add_image(vm, "disk", h->disk, h->disk_format, false, false,
		  h->golden ? "golden" : NULL);
	if (vm->image->storage == VM_VIRTIO_BLK || vm->image->storage == VM_VIRTIO_SCSI)
		vm_add(vm, "-object", "iothread,id=io");
	/* An error stops the guest, and init says why: Windows would take it for its own.
	 */
	switch (vm->image->storage) {
	case VM_VIRTIO_BLK:
		vm_add(vm, "-device",
		       "virtio-blk-pci,drive=disk,iothread=io," ERRORS "bootindex=1");
		break;
	case VM_VIRTIO_SCSI:
		vm_add(vm, "-device", "virtio-scsi-pci,id=scsi,iothread=io");
		vm_add(vm, "-device",
		       "scsi-hd,bus=scsi.0,drive=disk,rotation_rate=1," ERRORS
		       "bootindex=1");
		break;
	case VM_AHCI: /* q35's own */
	case VM_IDE:  /* i440fx' own */
		vm_add(vm, "-device",
		       "ide-hd,bus=ide.0,drive=disk,rotation_rate=1," ERRORS
		       "bootindex=1");
		break;
	}
}

/* ---- network ---- */

/* The kernel moves packets for virtio alone. */
static void add_tap(struct vm *vm)
{
	if (vm->host->vhost && vm->kvm_accel && vm->image->network == VM_VIRTIO_NET)
		vm_add(vm, "-netdev", "tap,id=net,fd=%d,vhost=on,vhostfd=%d", VM_TAP_FD,
		       VM_VHOST_FD);
	else
		vm_add(vm, "-netdev", "tap,id=net,fd=%d", VM_TAP_FD);
}

void vm_add_network(struct vm *vm)
{
	static const char *const models[] = {"virtio-net-pci", "e1000e", "e1000",
					     "rtl8139"};
	const struct vm_host *h = vm->host;

	if (vm->image->network == VM_NO_NETWORK)
		return;
	switch (h->link) {
	case VM_LINK_USER:
		vm_add(vm, "-netdev", "user,id=net");
		break;
	case VM_LINK_TAP:
		add_tap(vm);
		break;
	case VM_LINK_NONE: /* a hub with nothing else on it */
		vm_add(vm, "-netdev", "hubport,id=net,hubid=0");
		break;
	}
	vm_add(vm, "-device", "%s,netdev=net%s%s", models[vm->image->network],
	       h->mac ? ",mac=" : "", h->mac ? h->mac : "");
}

/* ---- display and input ---- */

/*
 * USB 3 has in-box drivers from 8 on, USB 2 from XP with a service pack on. A tablet is
 * content with either; what the PC has needs ports, and full speed beside high speed.
 */
static void add_usb_controller(struct vm *vm)
{
	if (vm_from(vm->image, 6, 2)) {
		vm_add(vm, "-device", "qemu-xhci,id=usb%s",
		       vm->host->usb ? ",p2=15,p3=15" : "");
		return;
	}
	if (!vm_from(vm->image, 6, 0)) {
		vm_add(vm, "-device", "piix3-usb-uhci,id=usb");
		return;
	}
	if (!vm->host->usb) {
		vm_add(vm, "-device", "usb-ehci,id=usb");
		return;
	}
	vm_add(vm, "-device", "ich9-usb-ehci1,id=usb,addr=0xe.0x7,multifunction=on");
	for (unsigned i = 0; i < 3; i++)
		vm_add(vm, "-device",
		       "ich9-usb-uhci%u,masterbus=usb.0,firstport=%u,addr=0xe.0x%x,"
		       "multifunction=on",
		       i + 1, 2 * i, i);
}

static void add_usb(struct vm *vm)
{
	add_usb_controller(vm);
	vm_add(vm, "-device", "usb-tablet,bus=usb.0");
}

void vm_add_display(struct vm *vm)
{
	_cleanup_free_ char *vnc = vm_escape(vm->host->vnc);
	bool passed = false;

	if (vm->host->sets)
		vec_foreach (set, vm->host->sets)
			passed |= set->display && !set->refused;
	if (!passed)
		vm_add(vm, "-device", "VGA,vgamem_mb=32");
	vm_add(vm, "-display", "none");
	if (strcmp(vm->display, "vnc") == 0 && !passed)
		vm_add(vm, "-vnc", "unix:%s", vnc);
	add_usb(vm);
}

/* ---- sound ---- */

static void add_audiodev(struct vm *vm)
{
	const struct vm_host *h = vm->host;
	_cleanup_free_ char *out = h->sound_out ? vm_escape(h->sound_out) : NULL;
	_cleanup_free_ char *in = h->sound_in ? vm_escape(h->sound_in) : NULL;

	if (!out) {
		vm_add(vm, "-audiodev", "none,id=sound");
		return;
	}
	vm_add(vm, "-audiodev", "alsa,id=sound,out.dev=%s%s%s", out,
	       in ? ",in.dev=" : ",in.voices=0", in ? in : "");
}

/* The guest's card is always the same: a PC without one has a silent guest. */
void vm_add_sound(struct vm *vm)
{
	if (!vm->host->sound)
		return;
	add_audiodev(vm);
	/* In-box: AC'97 up to 2003, High Definition Audio from Vista on. */
	if (!vm_from(vm->image, 6, 0)) {
		vm_add(vm, "-device", "AC97,audiodev=sound");
		return;
	}
	vm_add(vm, "-device", "%s", vm->q35 ? "ich9-intel-hda" : "intel-hda");
	vm_add(vm, "-device", "hda-duplex,audiodev=sound");
}

void vm_add_tpm(struct vm *vm)
{
	_cleanup_free_ char *path = NULL;

	if (!vm_needs_tpm(vm->image))
		return;
	path = vm_escape(vm->host->tpm);
	vm_add(vm, "-chardev", "socket,id=tpm,path=%s", path);
	vm_add(vm, "-tpmdev", "emulator,id=tpm,chardev=tpm");
	vm_add(vm, "-device", "tpm-tis,tpmdev=tpm");
}

/* ---- devices of the PC ---- */

/* "0000:01:00.1": all but the function. */
static bool same_slot(const char *a, const char *b)
{
	const char *dot = strrchr(a, '.');

	return dot && strncmp(a, b, (size_t)(dot - a) + 1) == 0;
}

/*
 * Functions of one card stay together, behind a root port of their own. Windows 7 wants
 * them on the root bus, and i440fx has no ports.
 */
static void add_set(struct vm *vm, const struct passthrough_set *set, unsigned *slot)
{
	bool ports = vm->q35 && vm_from(vm->image, 6, 2);
	unsigned function = 0;

	for (size_t i = 0; i < set->addresses.len; i++) {
		const char *address = set->addresses.items[i];
		bool first = i == 0 || !same_slot(set->addresses.items[i - 1], address);
		bool more = i + 1 < set->addresses.len &&
			    same_slot(address, set->addresses.items[i + 1]);

		function = first ? 0 : function + 1;
		*slot += first;
		if (first && ports)
			vm_add(vm, "-device",
			       "pcie-root-port,id=port%u,chassis=%u,slot=%u", *slot,
			       *slot, *slot);
		if (ports)
			vm_add(vm, "-device",
			       "vfio-pci,host=%s,bus=port%u,addr=0x0.0x%x%s", address,
			       *slot, function, first && more ? ",multifunction=on" : "");
		else
			vm_add(vm, "-device", "vfio-pci,host=%s,bus=%s,addr=0x%x.0x%x%s",
			       address, vm->q35 ? "pcie.0" : "pci.0", 0x0F + *slot,
			       function, first && more ? ",multifunction=on" : "");
	}
}

void vm_add_passthrough(struct vm *vm)
{
	unsigned slot = 0;

	if (!vm->host->sets)
		return;
	vec_foreach (set, vm->host->sets)
		if (!set->refused)
			add_set(vm, set, &slot);
}
