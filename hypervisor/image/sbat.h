/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SBAT: what shim and GRUB say of themselves in a section of their PE file, a line for each
 * component with its generation, which grows with each flaw that must not be started any
 * more (shim's SBAT.md).
 */
#ifndef IMAGE_SBAT_H
#define IMAGE_SBAT_H

#include "base/buffer.h"

#define SBAT_MAX_SIZE ((size_t)64 << 10) /* of a section; more is not looked at */
#define SBAT_MAX_LINES 64u

/*
 * True if a component that both files have is of a lower generation in `file` than in
 * `other`: firmware that has learnt of that flaw starts `other` alone. Then the component's
 * name is in `component`. Files without such a section are older than none.
 */
#define SBAT_NAME_SIZE 64
bool sbat_is_older(struct bytes file, struct bytes other, char component[SBAT_NAME_SIZE]);

#endif
