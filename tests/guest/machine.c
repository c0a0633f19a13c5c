/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the virtual machine is like, by the kernel's account and the processor's: guest.h.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <cpuid.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DMI "/sys/class/dmi/id/"
#define WAIT_MS 50

void wait_a_little(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000L}, NULL);
}

/* The name of the driver that a device has; "" where it has none. Of static storage. */
static const char *driver_of(const char *device)
{
	static char target[256];
	char path[128];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/driver", device);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return "";
	target[n] = 0;
	return strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
}

/* ---- disk ---- */

static const char *const disks[] = {"vda", "sda"};

int disk_open(void)
{
	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		char path[32];
		int fd;

		(void)snprintf(path, sizeof(path), "/dev/%s", disks[i]);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* What is written comes back from the disk, not from the page cache. */
static void check_writing(int fd)
{
	uint8_t written[SECTOR], seen[SECTOR] = {0};
	off_t at = (off_t)SCRATCH_SECTOR * SECTOR;

	for (size_t i = 0; i < SECTOR; i++)
		written[i] = (uint8_t)(i * 7 + (size_t)time(NULL));
	if (pwrite(fd, written, SECTOR, at) != SECTOR || fsync(fd) < 0)
		fail("disk", "cannot write: %m");
	else if (ioctl(fd, BLKFLSBUF) < 0 || pread(fd, seen, SECTOR, at) != SECTOR)
		fail("disk", "cannot read: %m");
	else if (memcmp(written, seen, SECTOR) != 0)
		fail("disk", "what was written is not what is read");
}

/* The report of the last start is still there, or mkguest's mark. */
static void check_report(int fd)
{
	char report[REPORT_SIZE + 1] = "";
	char *starts;

	if (pread(fd, report, REPORT_SIZE, (off_t)REPORT_SECTOR * SECTOR) !=
	    REPORT_SIZE) {
		fail("disk", "cannot read: %m");
		return;
	}
	starts = strstr(report, "starts=");
	if (starts)
		fact("starts=%lu", strtoul(starts + 7, NULL, 10) + 1);
	else if (strncmp(report, REPORT_EMPTY, strlen(REPORT_EMPTY)) == 0)
		fact("starts=1");
	else
		fail("disk", "this is not the test guest's disk");
}

void check_disk(void)
{
	int fd = -1;

	for (int i = 0; i < WAIT_STEPS && (fd = disk_open()) < 0; i++)
		wait_a_little();
	if (fd < 0) {
		fail("disk", "there is none");
		return;
	}
	check_report(fd);
	check_writing(fd);
	close(fd);
	if (access("/sys/block/vda", F_OK) == 0)
		fact("disk=%s", driver_of("/sys/block/vda/device"));
	else
		fact("disk=%s", line_of("/sys/block/sda/device/model"));
}

/* ---- network ---- */

static bool switch_on(const char *name)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_flags = IFF_UP;
	up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	if (fd >= 0)
		close(fd);
	return up;
}

/* A card of another kind has no driver in here; that the guest has one is seen outside.
 */
void check_network(void)
{
	const char *carrier = "";

	if (strcmp(driver_of("/sys/class/net/eth0/device"), "virtio_net") != 0) {
		fact("network=none");
		return;
	}
	fact("network=virtio_net");
	fact("mac=%s", line_of("/sys/class/net/eth0/address"));
	if (!switch_on("eth0")) {
		fail("network", "cannot be switched on: %m");
		return;
	}
	for (int i = 0; i < WAIT_STEPS; i++) {
		carrier = line_of("/sys/class/net/eth0/carrier");
		if (strcmp(carrier, "1") == 0)
			return;
		wait_a_little();
	}
	fail("network", "the cable is not in: carrier \"%s\"", carrier);
}

/* ---- identity ---- */

/* SMBIOS structure type 11: strings for whoever knows them. */
static void find_profile(void)
{
	static char tables[65536];
	int fd = open("/sys/firmware/dmi/tables/DMI", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, tables, sizeof(tables) - 1);
	const char *found = n < 0 ? NULL : memmem(tables, (size_t)n, "gild.profile:", 13);

	if (fd >= 0)
		close(fd);
	if (found)
		fact("profile=%s", found + 13);
}

void check_identity(void)
{
	fact("manufacturer=%s", line_of(DMI "sys_vendor"));
	fact("product=%s", line_of(DMI "product_name"));
	find_profile();
}

/* ---- hypervisor ---- */

struct leaf {
	uint32_t eax, ebx, ecx, edx;
};

static struct leaf leaf(uint32_t number)
{
	struct leaf l;

	__cpuid(number, l.eax, l.ebx, l.ecx, l.edx);
	return l;
}

static bool signature(uint32_t number, const char *want)
{
	struct leaf l = leaf(number);
	const uint32_t text[3] = {l.ebx, l.ecx, l.edx};

	return memcmp(text, want, sizeof(text)) == 0;
}

#define HYPERV 0x40000000
static bool is_hyperv(void)
{
	return signature(HYPERV, "Microsoft Hv");
}
static bool is_kvm(void)
{
	return signature(HYPERV, "KVMKVMKVM\0\0") ||
	       signature(HYPERV + 0x100, "KVMKVMKVM\0\0");
}

/* Of a KVM that shows itself the kernel takes the clock, also beside Hyper-V. */
void check_clock(void)
{
	const char *source = line_of(
		"/sys/devices/system/clocksource/clocksource0/current_clocksource");
	struct timespec before, after;

	fact("clocksource=%s", source);
	if (strcmp(source, "tsc") != 0 && is_kvm() && strcmp(source, "kvm-clock") != 0)
		fail("clock", "%s beside KVM", source);
	else if (strcmp(source, "tsc") != 0 && !is_kvm() && is_hyperv() &&
		 strncmp(source, "hyperv_clocksource", 18) != 0)
		fail("clock", "%s on Hyper-V", source);
	clock_gettime(CLOCK_MONOTONIC, &before);
	wait_a_little();
	clock_gettime(CLOCK_MONOTONIC, &after);
	if ((after.tv_sec - before.tv_sec) * 1000 +
		    (after.tv_nsec - before.tv_nsec) / 1000000 <
	    WAIT_MS)
		fail("clock", "it is too slow");
}

/* Hypervisor Top Level Functional Specification, 2.4: bits of leaf 0x40000003, EAX. */
static const struct {
	uint32_t bit;
	const char *name;
} features[] = {
	{1u << 0, "runtime"},	   {1u << 1, "time"},  {1u << 2, "synic"},
	{1u << 3, "stimer"},	   {1u << 4, "vapic"}, {1u << 5, "hypercall"},
	{1u << 6, "vpindex"},	   {1u << 7, "reset"}, {1u << 9, "tsc"},
	{1u << 11, "frequencies"},
};

/* Which of them a Windows is to have is known outside. */
void check_hyperv(void)
{
	char names[128] = "";
	struct leaf hints;
	uint32_t have;

	fact("kvm=%s", is_kvm() ? "seen" : "hidden");
	if (!is_hyperv()) {
		fact("hyperv=none");
		return;
	}
	if (leaf(HYPERV).eax < HYPERV + 5 ||
	    leaf(HYPERV + 1).eax != 0x31237648) /* "Hv#1" */
		fail("hyperv", "it has not the interface \"Hv#1\"");
	have = leaf(HYPERV + 3).eax;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (!(have & features[i].bit))
			continue;
		if (names[0])
			strcat(names, ",");
		strcat(names, features[i].name);
	}
	fact("hyperv=%s", names);
	hints = leaf(HYPERV + 4);
	fact("relaxed=%s", hints.eax & 1u << 5 ? "yes" : "no");
	fact("spinlocks=%#x", hints.ebx);
}

void check_tpm(void)
{
	const char *version = line_of("/sys/class/tpm/tpm0/tpm_version_major");

	fact("tpm=%s", *version ? version : "none");
}

/* ---- Secure Boot ---- */

#define SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* The variable's value follows its attributes, of four bytes. */
void check_secure_boot(void)
{
	uint8_t variable[5] = {0};
	int fd = open(SECURE_BOOT, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, variable, sizeof(variable));
	const char *lockdown = line_of("/sys/kernel/security/lockdown"),
		   *chosen = strchr(lockdown, '[');

	if (fd >= 0)
		close(fd);
	fact("secure_boot=%s", n != sizeof(variable) ? "none"
			       : variable[4]	     ? "on"
						     : "off");
	fact("lockdown=%.*s", chosen ? (int)strcspn(chosen + 1, "]") : 0,
	     chosen ? chosen + 1 : "");
}
