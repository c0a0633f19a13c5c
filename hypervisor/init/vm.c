/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/vm.h"

#include <stdarg.h>
#include <stdio.h>

#include "init/vm_private.h"

#define MIB ((uint64_t)1 << 20)
#define MAX_CPUS 255

const char *const vm_option_keys[] = {
	"accel",  "kernel_irqchip", "kvm",	     "smm",	"machine",
	"memory", "cpus",	    "nested",	     "display", "nonce",
	"hyperv", "uplink",	    "uplink_device", "mac",	"address",
	"usb",	  "sound",	    "lid",	     NULL};

void vm_add(struct vm *vm, const char *option, const char *fmt, ...)
{
	va_list ap;
	char *value;

	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		abort();
	va_end(ap);
	strings_push(vm->argv, option);
	vec_push(vm->argv, value);
}

char *vm_escape(const char *value)
{
	struct buffer b = BUFFER_INIT;

	for (; *value; value++)
		buffer_append(&b, *value == ',' ? ",," : value, *value == ',' ? 2 : 1);
	return buffer_steal_string(&b);
}

/* ---- overrides ---- */

/* One of the values, the first being the default. */
static int word(const struct options *o, const char *key, const char *const values[],
		const char **ret, struct error *err)
{
	const char *value = options_get(o, key);

	*ret = values[0];
	for (size_t i = 0; value && values[i]; i++) {
		if (strcmp(values[i], value) == 0) {
			*ret = values[i];
			return 0;
		}
	}
	if (!value)
		return 0;
	error_set(err, ERROR_FAILED, key, "\"%s\" is none of the values that it takes",
		  value);
	return error_remedy(err, "docs/hypervisor.md has them");
}

/* Letters, digits, '-', '.' and '_': what needs no escape on any side. */
static int plain(const char *key, const char *value, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	if (!value || (*value && strlen(value) <= 64 && !value[strspn(value, allowed)]))
		return 0;
	error_set(err, ERROR_FAILED, key, "\"%s\" has characters that it must not have",
		  value);
	return error_remedy(err, "use letters, digits, '-', '.' and '_'");
}

static int read_switches(struct vm *vm, const struct options *o, struct error *err)
{
	static const char *const accels[] = {"kvm", "tcg", NULL};
	static const char *const displays[] = {"vnc", "none", NULL};
	const char *accel;
	bool kvm;

	if (word(o, "accel", accels, &accel, err) < 0 ||
	    word(o, "display", displays, &vm->display, err) < 0 ||
	    options_switch(o, "kernel_irqchip", true, &vm->irqchip, err) < 0 ||
	    options_switch(o, "kvm", true, &kvm, err) < 0 ||
	    options_switch(o, "smm", vm_from(vm->image, 10, 0), &vm->smm, err) < 0 ||
	    options_switch(o, "nested", false, &vm->nested, err) < 0 ||
	    options_switch(o, "hyperv", true, &vm->hyperv, err) < 0)
		return -1;
	vm->hide_kvm = !kvm;
	vm->kvm_accel = strcmp(accel, "kvm") == 0;
	vm->machine = options_get(o, "machine");
	vm->nonce = options_get(o, "nonce");
	return plain("machine", vm->machine, err) < 0 ? -1
						      : plain("nonce", vm->nonce, err);
}

static int too_little(const struct vm *vm, struct error *err)
{
	error_set(err, ERROR_FAILED, vm_windows_name(vm->image),
		  "needs %llu MiB of memory, the PC has %llu MiB with the host's own",
		  (unsigned long long)(vm_least_memory(vm->image) / MIB),
		  (unsigned long long)(vm->host->memory / MIB));
	return error_remedy(err, "start the image on the PC itself, or add memory");
}

static int read_sizes(struct vm *vm, const struct options *o, struct error *err)
{
	uint64_t cpus = vm->host->cpus ? vm->host->cpus : 1;

	if (cpus > MAX_CPUS)
		cpus = MAX_CPUS;
	if (options_number(o, "cpus", false, 1, MAX_CPUS, &cpus, err) < 0)
		return -1;
	vm->cpus = (unsigned)cpus;
	vm->memory = vm->host->share ? vm->host->share
				     : vm_memory(vm->host->memory, vm->cpus, vm->image);
	if (options_get(o, "memory"))
		return options_number(o, "memory", true, 64 * MIB, (uint64_t)1 << 44,
				      &vm->memory, err);
	return vm->memory < vm_least_memory(vm->image) ? too_little(vm, err) : 0;
}

/* ---- what cannot be ---- */

static int check(const struct vm *vm, struct error *err)
{
	const char *name = vm_windows_name(vm->image);

	if (vm->image->uefi && !vm_from(vm->image, 6, 2)) {
		error_set(err, ERROR_FAILED, name, "does not start on OVMF by UEFI");
		return error_remedy(err, "start it on the PC itself, or make the image "
					 "anew for BIOS (--firmware=bios)");
	}
	if (vm->image->storage == VM_IDE && vm->q35) {
		error_set(err, ERROR_FAILED, name, "has no IDE controller on q35");
		return error_remedy(err, "give storage=ahci");
	}
	if (vm->image->storage == VM_AHCI && !vm->q35) {
		error_set(err, ERROR_FAILED, name, "has no AHCI controller on i440fx");
		return error_remedy(err, "give storage=ide or storage=virtio-blk");
	}
	if (vm->image->uefi &&
	    (!vm->host->vars || !(vm->secure ? vm->host->code_secure : vm->host->code)))
		return error_set(err, ERROR_FAILED, name,
				 "starts by UEFI, and there is no OVMF");
	return 0;
}

/* ---- the command line ---- */

static void add_machine(struct vm *vm)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	const char *machine = vm->machine ? vm->machine : vm->q35 ? "q35" : "pc";

	buffer_printf(&b, "%s,accel=%s,vmport=off,hpet=off,dump-guest-core=off", machine,
		      vm->kvm_accel ? "kvm" : "tcg");
	if (vm->kvm_accel)
		buffer_printf(&b, ",kernel-irqchip=%s", vm->irqchip ? "on" : "off");
	if (vm->q35)
		buffer_printf(&b, ",smm=%s", vm->smm ? "on" : "off");
	/* What beeps: firmware, XP. */
	if (vm->host->sound)
		buffer_append_string(&b, ",pcspk-audiodev=sound");
	if (vm->image->uefi)
		buffer_append_string(&b, ",pflash0=code,pflash1=vars");
	buffer_append(&b, "", 1);
	vm_add(vm, "-machine", "%s", (const char *)b.data);
}

static void add_firmware(struct vm *vm)
{
	_cleanup_free_ char *code = NULL, *vars = NULL;

	if (!vm->image->uefi)
		return;
	code = vm_escape(vm->secure ? vm->host->code_secure : vm->host->code);
	vars = vm_escape(vm->host->vars);
	vm_add(vm, "-blockdev",
	       "driver=file,node-name=code,filename=%s,read-only=on,auto-read-only=off",
	       code);
	vm_add(vm, "-blockdev", "driver=file,node-name=vars,filename=%s", vars);
	if (vm->secure)
		vm_add(vm, "-global", "driver=cfi.pflash01,property=secure,value=on");
}

static void add_clock(struct vm *vm)
{
	/* Windows keeps local time in the clock, whatever its version. */
	vm_add(vm, "-rtc", "base=localtime,driftfix=slew");
	if (vm->kvm_accel && vm->irqchip)
		vm_add(vm, "-global", "kvm-pit.lost_tick_policy=discard");
	/* The guest's own sleep would freeze it, with nobody to wake it. */
	vm_add(vm, "-global", "%s.disable_s3=1", vm->q35 ? "ICH9-LPC" : "PIIX4_PM");
	vm_add(vm, "-global", "%s.disable_s4=1", vm->q35 ? "ICH9-LPC" : "PIIX4_PM");
}

static void add_control(struct vm *vm)
{
	_cleanup_free_ char *run = vm_escape(vm->host->run);

	vm_add(vm, "-chardev", "socket,id=qmp,path=%s/qmp,server=on,wait=off", run);
	vm_add(vm, "-mon", "chardev=qmp,mode=control");
	if (!vm->nonce)
		return;
	/*
	 * For tests: the guest reads it from fw_cfg and writes it to port 0x402. What
	 * starts under Secure Boot lets no program use ports: it has a serial port of
	 * virtio's.
	 */
	vm_add(vm, "-fw_cfg", "name=opt/gild/nonce,string=%s", vm->nonce);
	vm_add(vm, "-chardev", "file,id=echo,path=%s/echo", run);
	if (!vm->image->uefi || !vm_from(vm->image, 10, 0)) {
		vm_add(vm, "-device", "isa-debugcon,iobase=0x402,chardev=echo");
		return;
	}
	vm_add(vm, "-device", "virtio-serial-pci,id=serial");
	vm_add(vm, "-device", "virtserialport,bus=serial.0,chardev=echo,name=gild.nonce");
}

static void add_all(struct vm *vm)
{
	strings_push(vm->argv, "qemu-system-x86_64");
	strings_push(vm->argv, "-nodefaults");
	strings_push(vm->argv, "-no-user-config");
	vm_add(vm, "-name", "guest=gild%s%s,debug-threads=on", vm->host->name ? "-" : "",
	       vm->host->name ? vm->host->name : "");
	vm_add(vm, "-sandbox",
	       "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
	       "resourcecontrol=deny");
	add_machine(vm);
	vm_add_cpu(vm);
	/* Client editions count sockets, and use one or two of them. */
	vm_add(vm, "-smp", "cpus=%u,sockets=1,cores=%u,threads=1", vm->cpus, vm->cpus);
	vm_add(vm, "-m", "size=%lluM", (unsigned long long)(vm->memory / MIB));
	add_firmware(vm);
	add_clock(vm);
	vm_add_identity(vm);
	vm_add_disk(vm);
	vm_add_network(vm);
	vm_add_display(vm);
	vm_add_sound(vm);
	vm_add_tpm(vm);
	vm_add_passthrough(vm);
	add_control(vm);
}

int vm_argv(const struct vm_image *image, const struct vm_host *host,
	    const struct options *options, struct strings *ret, struct error *err)
{
	struct vm vm = {.image = image, .host = host, .argv = ret};

	if (read_switches(&vm, options, err) < 0)
		return -1;
	/* XP and Vista are of i440fx' time; its AHCI came with Vista, its PCIe with 7. */
	vm.q35 = vm.machine ? strstr(vm.machine, "q35") != NULL : vm_from(image, 6, 1);
	/* Secure Boot began with 8; from 10 on its variables are guarded. */
	vm.smm &= vm.q35;
	vm.secure = vm.smm && image->uefi && vm_from(image, 10, 0);
	if (read_sizes(&vm, options, err) < 0 || check(&vm, err) < 0)
		return -1;
	add_all(&vm);
	return 0;
}
