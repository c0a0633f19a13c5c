/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes files and links below a folder that stands for a PC's root. */
#ifndef TESTS_FAKE_SYSFS_H
#define TESTS_FAKE_SYSFS_H

#include "base/buffer.h"

/* A new root, with sys/ in it; goes at exit. */
char *fake_root(void);
void fake_file(const char *root, const char *path, const char *text);
void fake_bytes(const char *root, const char *path, struct bytes data);
void fake_link(const char *root, const char *path, const char *target);

/* A PCI function as sysfs has it. */
struct fake_pci {
	const char *address, *vendor, *device, *class_code;	/* "0x8086", ... */
	int group;		/* -1: none */
	const char *driver;	/* or NULL */
	const char *reset;	/* or NULL */
	bool boot_vga;
};
void fake_pci(const char *root, const struct fake_pci *device);
/* The last part of a link's target, or NULL. Caller's. */
char *fake_link_target(const char *root, const char *path);
/* A file's text, or NULL. Caller's. */
char *fake_text(const char *root, const char *path);

#endif
