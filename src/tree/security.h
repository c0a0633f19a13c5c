/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Security descriptors (self-relative, [MS-DTYP] 2.4.6): what NT gives a new file or
 * folder by inheritance from its parent ([MS-DTYP] 2.5.3.4).
 */
#ifndef TREE_SECURITY_H
#define TREE_SECURITY_H

#include "base/buffer.h"

/*
 * True if the bytes are a self-relative descriptor whose parts all lie inside and whose
 * ACLs are well formed.
 */
bool security_valid(struct bytes descriptor);
/*
 * Appends the descriptor of a new file (or folder) in a folder that has `parent`. Owner and
 * group are SYSTEM, as for what Windows' own servicing creates. A parent without a DACL, or
 * one that is not valid (an empty one included), gives full access to SYSTEM and
 * Administrators and read access to Users.
 */
void security_inherit(struct bytes parent, bool folder, struct buffer *ret);

#endif
