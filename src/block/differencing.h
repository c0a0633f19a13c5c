/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Differencing VHD and VHDX: QEMU opens the first as small disks without their parents and
 * refuses the second and any VHDX with sectors of 4096 bytes, so gild reads them itself.
 * Read-only; private to src/block.
 */
#ifndef BLOCK_DIFFERENCING_H
#define BLOCK_DIFFERENCING_H

#include "block/container.h"

/* The disk that the layers of the container are together. */
struct block *differencing_open(const struct container *container, struct error *err);

#endif
