/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Takes from a child that reads hostile input what it does not need. */
#ifndef MEDIA_CONFINE_H
#define MEDIA_CONFINE_H

/*
 * From here on the process gains no privileges, and where the kernel has Landlock (5.13 and
 * later) it may only read files, execute none, and write below `dest`. Without it the
 * other limits stand alone: nothing is reported.
 */
void confine_to(const char *archive, const char *dest);

#endif
