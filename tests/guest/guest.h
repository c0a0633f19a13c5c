/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Linux test guest: PID 1 of a small initramfs that looks at the virtual machine
 * around it, for tests/e2e/hypervisor-pcs.sh.
 *
 * Its disk (mkguest) has, before the first partition, eight sectors for its report: lines
 * KEY=VALUE, first "guest: ok" or "guest: failed", then "failed=NAME: why" for each check
 * that did, and what it saw. It overwrites the report with each start, so the report is
 * read from the overlay that the hypervisor keeps.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR 512
#define REPORT_SECTOR 2032 /* as mkguest */
#define REPORT_SIZE (8 * SECTOR)
#define SCRATCH_SECTOR 2040
#define REPORT_EMPTY "gild: no report\n" /* what mkguest puts there */

/* The report. `fail` notes a check that failed and goes on. */
__attribute__((format(printf, 1, 2))) void fact(const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void fail(const char *check, const char *fmt, ...);
bool failed(void);
void write_report(void); /* to the disk */

/* First line of a file without its end; "" where it is not there. Of static storage. */
const char *line_of(const char *path);
void wait_a_little(void); /* 50 ms: for what shows up after its driver */
#define WAIT_STEPS 100

/* What the machine has (machine.c). */
void check_disk(void);
void check_network(void);
void check_identity(void);
void check_clock(void);
void check_hyperv(void);
void check_tpm(void);
void check_secure_boot(void);
int disk_open(void); /* -1: there is none */

/* QEMU's own devices (ports.c). */
bool read_nonce(char *ret, size_t size);
void echo(const char *text);
void draw(bool good);

#endif
