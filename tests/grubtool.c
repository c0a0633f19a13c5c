/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prints the GRUB settings of a stick with one image, for tests/e2e/hypervisor-grub.sh.
 */
#include <stdio.h>

#include "image/grub.h"

int main(void)
{
	_cleanup_free_ char *settings = grub_settings_slots(1);

	fputs(settings, stdout);
	return 0;
}
