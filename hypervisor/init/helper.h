/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program that runs beside QEMU for as long as init wants it (wpa_supplicant, dhcpcd):
 * a process of its own starts it again when it ends, after 1, 2, 4 ... 60 seconds. Both
 * end with init.
 */
#ifndef INIT_HELPER_H
#define INIT_HELPER_H

#include <sys/types.h>

#include "base/error.h"

#define HELPER_MAX_LOG ((size_t)1 << 20)

struct helper {
	pid_t pid;	/* of the keeper; 0: there is none */
};
struct helper_rights {
	uid_t uid;	/* also the group; 0: stays root */
	bool network;	/* keeps the right to configure the network (CAP_NET_ADMIN, _RAW) */
};
/*
 * argv ends with NULL; its first is a path. What it says goes to the end of the file `log`,
 * which does not grow past HELPER_MAX_LOG. ERROR_FAILED where the program is not there.
 */
int helper_start(struct helper *helper, char *const argv[],
		 const struct helper_rights *rights, const char *log, struct error *err);
void helper_stop(struct helper *helper);

/* Where this program is, or was before the initramfs was freed: caller's, NULL if unknown. */
char *helper_self(void);

#endif
