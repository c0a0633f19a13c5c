/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "hwprofiles/probe.h"

#define MAX_FIRMWARE 64
#define MAX_PROC ((size_t)4 << 20)
#define KMSG_RECORD 8192

static void free_devices(struct machine *m)
{
	vec_foreach (d, &m->devices) {
		free(d->address);
		free(d->id);
		free(d->driver);
		free(d->reset_method);
	}
	vec_free(&m->devices);
}

void machine_free(struct machine *m)
{
	pc_free(&m->pc);
	free(m->kvm_why);
	free(m->iommu_error);
	free_devices(m);
	strings_free(&m->firmware);
	free(m->uuid);
	free(m->serial);
	*m = (struct machine)MACHINE_INIT;
}

/* ---- processor and memory */

/* "NAME<blanks>: value" at the start of a line; the value, or NULL. */
static const char *line_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = text; at && *at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, len) == 0) {
			const char *rest = at + len;

			while (*rest == ' ' || *rest == '\t')
				rest++;
			if (*rest == ':')
				return rest + 1;
		}
	}
	return NULL;
}

/* True if the line that starts at `value` has the word. */
static bool has_word(const char *value, const char *word)
{
	size_t len = strlen(word);

	while (value && *value && *value != '\n') {
		size_t n;

		value += strspn(value, " \t");
		n = strcspn(value, " \t\n");
		if (n == len && strncmp(value, word, n) == 0)
			return true;
		value += n;
	}
	return false;
}

void machine_read_cpuinfo(const char *cpuinfo, struct machine *m)
{
	const char *flags = line_value(cpuinfo, "flags");
	const char *vmx_flags = line_value(cpuinfo, "vmx flags");

	m->vmx = has_word(flags, "vmx");
	m->svm = has_word(flags, "svm");
	m->paging = has_word(flags, "ept") || has_word(vmx_flags, "ept") ||
		    has_word(flags, "npt");
	m->cpus = 0;
	for (const char *at = cpuinfo; at && *at; at = strchr(at, '\n')) {
		at += *at == '\n';
		m->cpus += strncmp(at, "processor", 9) == 0;
	}
	if (!m->cpus)
		m->cpus = 1;
}

/* 'Y' or '1' of a module's parameter. */
static bool parameter(const char *root, const char *path, bool otherwise)
{
	_cleanup_free_ char *text = sysfs_text(root, path);

	return text && *text ? *text == 'Y' || *text == '1' : otherwise;
}

static char *read_text(const char *root, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", root, path);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	return file_read(full, MAX_PROC, &data, NULL) < 0 ? NULL
							  : buffer_steal_string(&data);
}

static void read_processor(const char *root, struct machine *m)
{
	_cleanup_free_ char *cpuinfo = read_text(root, "proc/cpuinfo");
	_cleanup_free_ char *meminfo = read_text(root, "proc/meminfo");
	const char *total = meminfo ? line_value(meminfo, "MemTotal") : NULL;

	machine_read_cpuinfo(cpuinfo ? cpuinfo : "", m);
	/* What the module really uses has the last word. */
	m->paging = parameter(root, "module/kvm_intel/parameters/ept", m->paging);
	m->paging = parameter(root, "module/kvm_amd/parameters/npt", m->paging);
	m->avic = parameter(root, "module/kvm_intel/parameters/enable_apicv", false) ||
		  parameter(root, "module/kvm_amd/parameters/avic", false);
	m->memory = total ? strtoull(total, NULL, 10) << 10 : 0;
}

/* ---- the kernel's log */

/* Takes a blob's name up to its end; adds it once. */
static void add_firmware(struct machine *m, const char *name, size_t len)
{
	_cleanup_free_ char *copy = NULL;

	if (!len || len > 255 || m->firmware.len >= MAX_FIRMWARE)
		return;
	copy = xstrndup(name, len);
	for (char *c = copy; *c; c++)
		if (!isprint((unsigned char)*c))
			return;
	if (!strings_contain(&m->firmware, copy))
		strings_push(&m->firmware, copy);
}

/* The kernel's own words (drivers/base/firmware_loader), and Debian's. */
static void read_log_line(const char *line, struct machine *m)
{
	static const char *const missing[] = {"Direct firmware load for ",
					      "firmware: failed to load "};
	/* kvm.ko's words, and those of arch/x86/kernel/cpu/feat_ctl.c, which then hides
	 * vmx. */
	static const char *const off[] = {"kvm: disabled by bios", "VMX not enabled",
					  "SVM disabled", "TXT) disabled by BIOS"};

	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		const char *at = strstr(line, missing[i]);

		if (at) {
			at += strlen(missing[i]);
			add_firmware(m, at, strcspn(at, " "));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(off); i++)
		m->disabled |= strstr(line, off[i]) != NULL;
}

void machine_read_log(const char *log, struct machine *m)
{
	while (*log) {
		size_t len = strcspn(log, "\n");
		_cleanup_free_ char *line = xstrndup(log, len);

		read_log_line(line, m);
		log += len + (log[len] != 0);
	}
}

/* /dev/kmsg gives one record for each read(), and EAGAIN after the last one. */
static void read_kernel_log(const char *root, struct machine *m)
{
	_cleanup_free_ char *path = xasprintf("%s/dev/kmsg", root);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_buffer_ struct buffer log = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	while (fd >= 0 && log.len < MACHINE_MAX_LOG) {
		ssize_t n = read(fd, buffer_reserve(&log, KMSG_RECORD), KMSG_RECORD);

		/* EPIPE: old records were overwritten meanwhile. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		log.len += (size_t)n;
	}
	text = buffer_steal_string(&log);
	machine_read_log(text, m);
}

/* ---- IOMMU */

static void read_iommu(const char *root, struct machine *m)
{
	static const char *const tables[] = {"DMAR", "IVRS"};
	_cleanup_(strings_free) struct strings groups = VEC_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		_cleanup_free_ char *path =
			xasprintf("%s/sys/firmware/acpi/tables/%s", root, tables[i]);
		_cleanup_buffer_ struct buffer table = BUFFER_INIT;
		_cleanup_error_ struct error err = ERROR_INIT;

		if (m->iommu.kind || access(path, F_OK) < 0)
			continue;
		if (file_read(path, ACPI_MAX_TABLE, &table, &err) == 0 &&
		    acpi_iommu_read(buffer_view(&table), path, &m->iommu, &err) == 0)
			continue;
		free(m->iommu_error);
		m->iommu_error = error_message(&err);
	}
	sysfs_list(root, "kernel/iommu_groups", &groups);
	m->iommu_groups = (unsigned)groups.len;
}

/* ---- PCI */

/* "0000:00:1f.2" as acpi.h has it; false if it is no address. */
static bool parse_address(const char *text, uint32_t *ret)
{
	unsigned segment, bus, device, function;
	char end;

	if (sscanf(text, "%4x:%2x:%2x.%1x%c", &segment, &bus, &device, &function, &end) !=
	    4)
		return false;
	*ret = segment << 16 | bus << 8 | (device & 0x1F) << 3 | (function & 7);
	return true;
}

static bool is_reserved(const struct machine *m, uint32_t address)
{
	for (unsigned i = 0; i < m->iommu.reserved_count; i++)
		if (m->iommu.reserved[i] == address)
			return true;
	return false;
}

static void read_function(const char *root, const char *name, struct machine *m)
{
	_cleanup_free_ char *folder = xasprintf("bus/pci/devices/%s", name);
	_cleanup_free_ char *group_path = xasprintf("%s/iommu_group", folder);
	_cleanup_free_ char *group = sysfs_link(root, group_path);
	_cleanup_free_ char *driver_path = xasprintf("%s/driver", folder);
	_cleanup_free_ char *reset_path = xasprintf("%s/reset_method", folder);
	_cleanup_free_ char *vga_path = xasprintf("%s/boot_vga", folder);
	struct pci_function f = probe_pci_function(root, folder);
	struct pc_device as_device = pci_device(&f, NULL);
	struct machine_device d = {.address = xstrdup(name), .group = -1};
	uint32_t address = 0;

	d.id = steal_ptr(as_device.id);
	d.role = as_device.role;
	d.class_code = f.class_code;
	pc_device_free(&as_device);
	d.bridge = f.class_code < PC_NO_CLASS && f.class_code >> 16 == 0x06;
	if (group && isdigit((unsigned char)*group))
		d.group = atoi(group);
	d.driver = sysfs_link(root, driver_path);
	d.reset_method = sysfs_text(root, reset_path);
	if (d.reset_method && !*d.reset_method) {
		free(d.reset_method);
		d.reset_method = NULL;
	}
	d.boot_vga = parameter(root, vga_path, false);
	d.reserved = parse_address(name, &address) && is_reserved(m, address);
	vec_push(&m->devices, d);
}

static void read_functions(const char *root, struct machine *m)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	uint32_t address;

	sysfs_list(root, "bus/pci/devices", &names);
	vec_foreach (name, &names)
		if (parse_address(*name, &address) &&
		    m->devices.len < MACHINE_MAX_DEVICES)
			read_function(root, *name, m);
}

unsigned machine_gpus(const struct machine *m)
{
	unsigned n = 0;

	vec_foreach (d, &m->devices)
		n += d->class_code < PC_NO_CLASS && d->class_code >> 16 == 0x03;
	return n;
}

unsigned machine_xhcis(const struct machine *m)
{
	unsigned n = 0;

	vec_foreach (d, &m->devices)
		n += d->class_code == 0x0C0330;
	return n;
}

/* ---- all */

static char *identity_text(const char *root, const char *name)
{
	_cleanup_free_ char *path = xasprintf("class/dmi/id/%s", name);
	_cleanup_free_ char *text = sysfs_text(root, path);

	return pc_placeholder(text) ? NULL : steal_ptr(text);
}

static void read_keyboard(const char *root, struct machine *m)
{
	m->i8042 = sysfs_exists(root, "bus/platform/drivers/i8042/i8042") ||
		   sysfs_exists(root, "bus/serio/devices/serio0");
}

void machine_refresh(const char *root, struct machine *m)
{
	free_devices(m);
	strings_free(&m->firmware);
	read_processor(root, m);
	read_kernel_log(root, m);
	read_functions(root, m);
	read_keyboard(root, m);
}

/* A PC of which sysfs tells nothing is still one that can start a guest. */
int machine_read(const char *root, struct machine *ret, struct error *err)
{
	*ret = (struct machine)MACHINE_INIT;
	if (!sysfs_exists(root, "")) {
		error_set(err, ERROR_FAILED, *root ? root : "/", "has no sysfs at sys");
		return error_remedy(err, "mount it first");
	}
	if (probe_pc(root, &ret->pc, NULL) < 0)
		pc_name(&ret->pc);
	read_processor(root, ret);
	read_kernel_log(root, ret);
	ret->kvm = kvm_probe(root, KVM_PROBE_MS, &ret->kvm_why);
	read_iommu(root, ret);
	read_functions(root, ret);
	read_keyboard(root, ret);
	ret->uuid = identity_text(root, "product_uuid");
	ret->serial = identity_text(root, "product_serial");
	ret->msdm = sysfs_exists(root, "firmware/acpi/tables/MSDM");
	ret->slic = sysfs_exists(root, "firmware/acpi/tables/SLIC");
	return 0;
}
