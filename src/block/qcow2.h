/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What reader and writer of qcow2 (QEMU, docs/interop/qcow2.txt) share. */
#ifndef BLOCK_QCOW2_H
#define BLOCK_QCOW2_H

#include "block/big_endian.h"

#define QCOW2_MAGIC 0x514649fb /* "QFI\xfb" */
#define QCOW2_HEADER_V3 104

#endif
