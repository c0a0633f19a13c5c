/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Security descriptors: the text that INFs write (SDDL, MS-DTYP 2.5.1) to the binary,
 * self-relative form that the registry keeps (MS-DTYP 2.4.6).
 */
#ifndef WINDOWS_SDDL_H
#define WINDOWS_SDDL_H

#include "base/buffer.h"

/*
 * False if the text is not understood: conditional and object entries, and resource
 * attributes, which no driver's INF has use for. `ret` is appended to only on success.
 * The parts lie in the order in which Windows writes them: SACL, DACL, owner, group.
 */
bool sddl_compile(const char *text, struct buffer *ret);

#endif
