/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host's drivers, and what they tell of the PC: session.h. */
#include "base/sysfs.h"
#include "init/say.h"
#include "init/session.h"

/* Before any driver is loaded: what goes to the guest is kept from the host's drivers. */
static void reserve_devices(struct session *s)
{
	vec_foreach (set, &s->verdict.sets) {
		if (set->refused)
			continue;
		vec_foreach (address, &set->addresses) {
			_cleanup_free_ char *path =
				xasprintf("bus/pci/devices/%s/driver_override", *address);

			if (sysfs_write(s->root, path, "vfio-pci", NULL) == 0)
				strings_push(&s->spared, *address);
		}
	}
}

int session_drivers(struct session *s, struct error *err)
{
	/* Power button and lid work from the start; vfio-pci where something is for it.
	 */
	const char *names[] = {"button", "evdev", NULL, NULL};

	reserve_devices(s);
	if (s->spared.len)
		names[2] = "vfio-pci";
	s->coldplug.spared = &s->spared;
	if (coldplug_start(&s->coldplug, names, err) < 0 ||
	    coldplug_wait(&s->coldplug, COLDPLUG_URGENT, err) < 0)
		return -1;
	say_to(s->say, "%u drivers for %u devices", s->coldplug.drivers,
	       s->coldplug.devices);
	return 0;
}

void session_new_drivers(void *arg)
{
	struct session *s = arg;
	size_t first;

	if (s->all_drivers || coldplug_progress(&s->coldplug) != COLDPLUG_ALL)
		return;
	s->all_drivers = true;
	machine_refresh(s->root, &s->machine);
	first = verdict_more_firmware(&s->verdict, &s->question);
	for (size_t i = first; i < s->verdict.reasons.len; i++)
		say_to(s->say, "warning: %s", s->verdict.reasons.items[i].message);
	session_write_verdict(s);
}
