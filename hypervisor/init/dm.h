/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Block devices over others: device mapper's targets and loop devices, by their ioctls. */
#ifndef INIT_DM_H
#define INIT_DM_H

#include "seal.h"

/*
 * Opens a sealed block device through dm-verity under the name: the superblock must be what
 * the seal says, and the first and last block of the data are read. `*ret` is the device
 * ("/dev/dm-0"), caller's; nothing is left where it fails. `subject` is for messages.
 */
int dm_open_sealed(const char *name, const char *device, const char *subject,
		   const struct seal *seal, char **ret, struct error *err);
/* Arguments of the kernel's target for a device that holds all. Caller's. */
char *dm_verity_table(const char *device, const struct seal *seal,
		      const struct verity_super *super);
void dm_remove(const char *name);
/* True if dm-verity has met a damaged block since it was opened. */
bool dm_is_corrupted(const char *name);

/* A read-only (or writable) loop device over a part of a file; size 0: all of it. */
int loop_attach(const char *path, uint64_t offset, uint64_t size, bool writable, char **ret,
		struct error *err);
void loop_detach(const char *device);

/* Bytes that a block device or file has. */
int device_size(int fd, const char *path, uint64_t *ret, struct error *err);
/* Reads the device from its start to its end, so that damage shows now. `progress` is told
 * per cent, or NULL. */
int device_read_all(const char *device, const char *subject,
		    void (*progress)(void *arg, unsigned percent), void *arg,
		    struct error *err);

#endif
