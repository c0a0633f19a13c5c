/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which devices go to the guest together: passthrough.h. */
#include "base/text.h"
#include "init/passthrough.h"

#define INTEL_GRAPHICS                                                  \
	"0000:00:02.0" /* where integrated graphics of Intel always are \
			*/

void passthrough_sets_free(struct passthrough_sets *sets)
{
	vec_foreach (set, sets) {
		free(set->name);
		strings_free(&set->addresses);
		free(set->refused);
		strings_free(&set->warnings);
	}
	vec_free(sets);
}

/* A plan in the making: which set each device of the machine is in. */
struct plan {
	const struct machine *machine;
	const struct profile *profile;
	const struct passthrough_wish *wish;
	const struct profile_rule **rules; /* for each device; NULL: none */
	size_t *set;			   /* for each device, its set; NO_SET */
	struct vec_of(char *) names;	   /* of the sets; NULL: joined another */
};
#define NO_SET SIZE_MAX

/* The first rule that fits counts. An ID fits all that it is the beginning of. */
static const struct profile_rule *rule_for(const struct profile *profile,
					   const struct machine_device *d)
{
	vec_foreach (rule, &profile->rules)
		if (rule->role == d->role &&
		    (!rule->id || text_starts_with(d->id, rule->id)))
			return rule;
	return NULL;
}

static bool goes(const struct plan *p, size_t device)
{
	const struct profile_rule *rule = p->rules[device];

	if (!rule)
		return false;
	return rule->passthrough == PASSTHROUGH_WANTED ||
	       (rule->passthrough == PASSTHROUGH_ALLOWED && p->wish->roles[rule->role]);
}

static size_t set_of(struct plan *p, const char *group, const char *address)
{
	for (size_t i = 0; group && i < p->names.len; i++)
		if (p->names.items[i] && strcmp(p->names.items[i], group) == 0)
			return i;
	vec_push(&p->names, xstrdup(group ? group : address));
	return p->names.len - 1;
}

static void join(struct plan *p, size_t to, size_t from)
{
	for (size_t i = 0; i < p->machine->devices.len; i++)
		if (p->set[i] == from)
			p->set[i] = to;
	free(p->names.items[from]);
	p->names.items[from] = NULL;
}

/* Whatever shares a group with a member of a set, and may go, goes along. */
static bool take_neighbours(struct plan *p)
{
	const struct machine_devices *all = &p->machine->devices;
	bool changed = false;

	for (size_t i = 0; i < all->len; i++) {
		for (size_t j = 0; j < all->len; j++) {
			if (p->set[i] == NO_SET || p->set[i] == p->set[j] ||
			    all->items[i].group < 0 ||
			    all->items[i].group != all->items[j].group ||
			    all->items[j].bridge)
				continue;
			if (p->set[j] != NO_SET)
				join(p, p->set[i], p->set[j]);
			else if (p->rules[j] &&
				 p->rules[j]->passthrough != PASSTHROUGH_NEVER)
				p->set[j] = p->set[i];
			else
				continue;
			changed = true;
		}
	}
	return changed;
}

/* Why this device cannot go; NULL: it can. Caller's. */
static char *obstacle(const struct plan *p, size_t device)
{
	const struct machine_device *d = &p->machine->devices.items[device];

	if (p->wish->kept && strings_contain(p->wish->kept, d->address))
		return xasprintf("%s is to be kept", d->address);
	if (d->group < 0)
		return xasprintf("%s is in no IOMMU group", d->address);
	if ((d->role == PC_BOOT_STORAGE || d->role == PC_USB_CONTROLLER) &&
	    !p->wish->roles[d->role])
		return xasprintf("%s may be what the image lies on: roles=%s lets it go",
				 d->address, pc_role_name(d->role));
	if (d->reserved && d->role != PC_DISPLAY && d->role != PC_USB_CONTROLLER)
		return xasprintf("%s: firmware keeps memory of its own in it (RMRR)",
				 d->address);
	if (d->role == PC_DISPLAY && strcmp(d->address, INTEL_GRAPHICS) == 0)
		return xasprintf("%s: integrated graphics are not handed on", d->address);
	if (d->role == PC_DISPLAY && d->boot_vga &&
	    p->rules[device]->passthrough != PASSTHROUGH_WANTED)
		return xasprintf(
			"%s has the PC's screen, and the profile merely allows it",
			d->address);
	return NULL;
}

/* Another function of the group that stays with the host, or NULL. */
static const struct machine_device *stranger(const struct plan *p, size_t device)
{
	const struct machine_devices *all = &p->machine->devices;

	for (size_t j = 0; j < all->len; j++)
		if (all->items[j].group == all->items[device].group &&
		    all->items[device].group >= 0 && !all->items[j].bridge &&
		    p->set[j] != p->set[device])
			return &all->items[j];
	return NULL;
}

static void finish_set(const struct plan *p, size_t n, struct passthrough_set *set)
{
	const struct machine_devices *all = &p->machine->devices;

	for (size_t i = 0; i < all->len; i++) {
		const struct machine_device *d = &all->items[i], *other;

		if (p->set[i] != n)
			continue;
		strings_push(&set->addresses, d->address);
		set->display |= d->role == PC_DISPLAY;
		if (!d->reset_method)
			vec_push(
				&set->warnings,
				xasprintf("%s cannot be reset: the guest may need the PC "
					  "to be restarted before it works again",
					  d->address));
		if (!set->refused)
			set->refused = obstacle(p, i);
		other = stranger(p, i);
		if (!set->refused && other)
			set->refused =
				xasprintf("%s shares IOMMU group %d with %s, which "
					  "the profile does not let go",
					  d->address, d->group, other->address);
	}
}

void passthrough_plan(const struct machine *machine, const struct profile *profile,
		      const struct passthrough_wish *wish, struct passthrough_sets *ret)
{
	size_t count = machine->devices.len;
	struct plan p = {.machine = machine, .profile = profile, .wish = wish};

	if (!profile || wish->off || !count)
		return;
	p.rules = xcalloc(count, sizeof(*p.rules));
	p.set = xcalloc(count, sizeof(*p.set));
	for (size_t i = 0; i < count; i++) {
		const struct machine_device *d = &machine->devices.items[i];

		p.set[i] = NO_SET;
		p.rules[i] = d->bridge ? NULL : rule_for(profile, d);
		if (goes(&p, i))
			p.set[i] = set_of(&p, p.rules[i]->group, d->address);
	}
	while (take_neighbours(&p))
		continue;
	for (size_t n = 0; n < p.names.len; n++) {
		struct passthrough_set set = {.name = p.names.items[n]};

		if (!set.name)
			continue;
		finish_set(&p, n, &set);
		vec_push(ret, set);
	}
	vec_free(&p.names);
	free(p.rules);
	free(p.set);
}
