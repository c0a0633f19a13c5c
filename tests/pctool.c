/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pctool FILE...: what the readers of inventories make of files, for the tests: one line
 * for each PC, fields separated by tabs, then one for each device.
 *	pctool --count FILE...		PCs and devices only
 *	pctool --chids FILE		the Computer Hardware IDs
 */
#include <stdio.h>

#include "hwprofiles/identity.h"
#include "hwprofiles/inventory.h"

struct totals {
	bool count_only;
	size_t pcs, devices, roles[PC_ROLES];
};

static const char *text(const char *value)
{
	return value ? value : "-";
}

static int print_pc(struct pc *pc, void *arg, struct error *err _unused_)
{
	struct totals *totals = arg;
	const struct pc_identity *i = &pc->identity;

	totals->pcs++;
	totals->devices += pc->devices.len;
	vec_foreach (device, &pc->devices)
		totals->roles[device->role]++;
	if (totals->count_only)
		return 0;
	printf("pc\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d.%d\t%d\n", pc->label,
	       text(i->manufacturer), text(i->product), text(i->sku), text(i->family),
	       text(i->board_product), text(i->bios_vendor), text(i->bios_version),
	       i->bios_major, i->bios_minor, i->enclosure);
	vec_foreach (device, &pc->devices)
		printf("device\t%s\t%s\t%s\n", pc_role_name(device->role), device->id,
		       text(device->name));
	return 0;
}

static int print_chids(struct pc *pc, void *arg _unused_, struct error *err _unused_)
{
	struct chids chids;

	chids_of(&pc->identity, &chids);
	for (unsigned n = 0; n < CHID_COUNT; n++) {
		_cleanup_free_ char *of = chid_text(&pc->identity, n);
		char guid[GUID_TEXT_SIZE];

		if (!chids.present[n])
			continue;
		guid_format(&chids.ids[n], guid);
		printf("%u\t%s\t%s\n", n, guid, of);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct totals totals = {0};
	bool chids = argc > 1 && strcmp(argv[1], "--chids") == 0;
	int failed = 0;

	totals.count_only = argc > 1 && strcmp(argv[1], "--count") == 0;
	for (int i = 1 + (totals.count_only || chids); i < argc; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		if (inventory_read(argv[i], chids ? print_chids : print_pc, &totals,
				   &err) < 0) {
			_cleanup_free_ char *message = error_message(&err);

			fprintf(stderr, "%s\n", message);
			failed = err.code;
		}
	}
	if (totals.count_only) {
		printf("%zu PCs, %zu devices\n", totals.pcs, totals.devices);
		for (unsigned r = 0; r < PC_ROLES; r++)
			printf("%s %zu\n", pc_role_name((enum pc_role)r),
			       totals.roles[r]);
	}
	return failed;
}
