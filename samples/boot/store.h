/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What both stand-ins for the boot manager share: freestanding, and knowing nothing of
 * gild's code. Reads the BCD store as a boot manager does, far enough to say what would be
 * started.
 */
#ifndef SAMPLES_BOOT_STORE_H
#define SAMPLES_BOOT_STORE_H

#include <stddef.h>
#include <stdint.h>

struct store {
	const uint8_t *data;	/* the hive */
	uint32_t size;
};
struct boot_entry {
	const uint8_t *device;	/* the device element */
	uint32_t device_len;
	char path[128];		/* of the loader */
};

/* What the boot manager starts by default. NULL, or what is wrong with the store. */
const char *store_default(const struct store *store, struct boot_entry *ret);

/* Of a device element: a partition of a hard disk. */
struct boot_partition {
	int gpt;
	const uint8_t *partition, *disk;	/* GPT: GUIDs, 16 bytes */
	uint64_t offset;			/* MBR */
	uint32_t signature;
};
/* 0 if the element is something else. */
int store_partition(const struct boot_entry *entry, struct boot_partition *ret);
/* "boot": the device that the boot manager came from. */
int store_is_boot(const struct boot_entry *entry);
/* A path that is to be found somewhere: NULL, or it. */
int store_locate(const struct boot_entry *entry, char *path, size_t size);

/* "{...}" and its terminator: 39 bytes. */
void guid_text(const uint8_t *guid, char *text);
/* Appends, always terminated. */
void text_add(char *text, size_t size, const char *more);
void text_add_number(char *text, size_t size, uint32_t v);

int same_bytes(const void *a, const void *b, size_t len);
uint16_t le16(const uint8_t *p);
uint32_t le32(const uint8_t *p);
uint64_t le64(const uint8_t *p);

#endif
