/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The test guest's init: guest.h. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/input.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_BUTTONS 16

/* ---- the report ---- */

static char facts[REPORT_SIZE], failures[REPORT_SIZE / 2];
static size_t facts_len, failures_len;

static void append(char *to, size_t size, size_t *len, const char *fmt, va_list ap)
{
	int n = vsnprintf(to + *len, size - *len, fmt, ap);

	if (n > 0 && (size_t)n < size - *len)
		*len += (size_t)n;
	to[*len] = 0;
}

void fact(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(facts, sizeof(facts) / 2, &facts_len, fmt, ap);
	va_end(ap);
	if (facts_len < sizeof(facts) / 2 - 1)
		facts[facts_len++] = '\n';
}

static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(failures, sizeof(failures) - 1, &failures_len, fmt, ap);
	va_end(ap);
}

void fail(const char *check, const char *fmt, ...)
{
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	note("failed=%s: %s\n", check, why);
}

bool failed(void)
{
	return failures_len != 0;
}

void write_report(void)
{
	static char report[REPORT_SIZE] __attribute__((aligned(4096)));
	int n = snprintf(report, sizeof(report), "guest: %s\n%s%s",
			 failed() ? "failed" : "ok", failures, facts);
	int fd = disk_open();

	memset(report + n, 0, sizeof(report) - (size_t)n);
	printf("%s", report);
	if (fd < 0)
		return;
	if (pwrite(fd, report, sizeof(report), (off_t)REPORT_SECTOR * SECTOR) < 0 ||
	    fsync(fd) < 0)
		perror("report");
	close(fd);
}

const char *line_of(const char *path)
{
	static char line[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0)
		close(fd);
	line[n < 0 ? 0 : n] = 0;
	line[strcspn(line, "\n")] = 0;
	return line;
}

/* ---- modules ---- */

static bool have_device(const char *pattern)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir))) {
		char path[300];

		(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/modalias",
			       e->d_name);
		found = fnmatch(pattern, line_of(path), 0) == 0;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* /modules has lines "PATTERN FILE": the modalias that wants the file, or "*". */
static void load_modules(void)
{
	char pattern[64], file[192];
	FILE *list = fopen("/modules", "re");

	while (list && fscanf(list, "%63s %191s", pattern, file) == 2) {
		int fd;

		if (strcmp(pattern, "*") != 0 && !have_device(pattern))
			continue;
		fd = open(file, O_RDONLY | O_CLOEXEC);
		/* A driver of instructions that this processor has not says ENODEV. */
		if (fd < 0 ||
		    (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != ENODEV))
			fail("modules", "%s: %m", file);
		close(fd);
	}
	if (list)
		fclose(list);
}

/* ---- power button ---- */

/* ACPI's button shows up with its driver, which is a module. */
static int open_buttons(struct pollfd *ret)
{
	int n = 0;

	for (int i = 0; i < MAX_BUTTONS; i++) {
		uint8_t keys[KEY_MAX / 8 + 1] = {0};
		char path[32];
		int fd;

		(void)snprintf(path, sizeof(path), "/dev/input/event%d", i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) >= 0 &&
		    keys[KEY_POWER / 8] & 1 << KEY_POWER % 8)
			ret[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
		else
			close(fd);
	}
	return n;
}

static bool pressed(int fd)
{
	struct input_event events[16];
	ssize_t n = read(fd, events, sizeof(events));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(events[0]); i++)
		if (events[i].type == EV_KEY && events[i].code == KEY_POWER &&
		    events[i].value == 1)
			return true;
	return false;
}

static void wait_for_button(struct pollfd *buttons, int n)
{
	for (;;) {
		(void)poll(buttons, (nfds_t)n, -1);
		for (int i = 0; i < n; i++)
			if (buttons[i].revents & POLLIN && pressed(buttons[i].fd))
				return;
	}
}

int main(void)
{
	struct pollfd buttons[MAX_BUTTONS];
	char nonce[65] = "";
	int n;

	(void)mount("proc", "/proc", "proc", 0, NULL);
	(void)mount("sysfs", "/sys", "sysfs", 0, NULL);
	(void)mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	(void)mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs", MS_RDONLY, NULL);
	(void)mount("securityfs", "/sys/kernel/security", "securityfs", MS_RDONLY, NULL);
	check_disk();
	check_network();
	check_identity();
	check_clock();
	check_hyperv();
	check_tpm();
	check_secure_boot();
	fact("firmware=%s", access("/sys/firmware/efi", F_OK) == 0 ? "uefi" : "bios");
	if (read_nonce(nonce, sizeof(nonce)))
		fact("nonce=%s", nonce);
	else
		fail("nonce", "fw_cfg has no opt/gild/nonce");
	n = open_buttons(buttons);
	if (n == 0)
		fail("button", "no input device has a power button");
	draw(!failed());
	write_report();
	echo(nonce);

	wait_for_button(buttons, n);
	fact("off=button");
	write_report();
	sync();
	(void)reboot(RB_POWER_OFF);
	return 1;
}
