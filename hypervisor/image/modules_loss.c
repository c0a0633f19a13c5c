/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What PCs lose by the choice: the judge of kernels (check/kernel.h) says who drives
 * what. */
#include <stdio.h>

#include "base/text.h"
#include "image/modules.h"

static bool is_chosen(const struct modules *modules, const char *name)
{
	for (size_t i = 0; i < kernel_modules(modules->kernel); i++) {
		struct kernel_module_view m;

		kernel_module_get(modules->kernel, i, &m);
		if (strcmp(m.name, name) == 0 && modules->chosen[i])
			return true;
	}
	return false;
}

/* "8086:9A0B" of a PCI ID, else the ID. */
static char *device_text(const char *id)
{
	const char *vendor = strstr(id, "VEN_"), *device = strstr(id, "DEV_");

	if (!text_starts_with(id, "PCI\\") || !vendor || !device || strlen(device) < 8)
		return xstrdup(id);
	return xasprintf("%.4s:%.4s", vendor + 4, device + 4);
}

static char *join(const struct strings *names)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (name, names)
		buffer_printf(&b, "%s%s", b.len ? ", " : "", *name);
	return buffer_steal_string(&b);
}

static void count(struct module_losses *losses, const struct kernel_device *d)
{
	_cleanup_free_ char *device = device_text(d->device->id);
	struct module_loss loss = {
		.role = d->device->role, .pcs = 1, .last = losses->pcs};

	vec_foreach (known, &losses->list) {
		if (strcmp(known->device, device) != 0)
			continue;
		known->pcs += known->last != losses->pcs;
		known->last = losses->pcs;
		return;
	}
	loss.device = steal_ptr(device);
	loss.name = d->device->name ? xstrdup(d->device->name) : NULL;
	loss.modules = join(d->modules);
	vec_push(&losses->list, loss);
}

bool module_losses_add(struct module_losses *losses, const struct modules *modules,
		       const struct pc *pc)
{
	struct kernel_result result;
	bool loses = false;

	losses->pcs++;
	kernel_check_pc(modules->kernel, pc, &result);
	vec_foreach (d, &result.devices) {
		bool driven = !d->modules->len;

		vec_foreach (name, d->modules)
			driven = driven || is_chosen(modules, *name);
		if (driven)
			continue;
		count(losses, d);
		loses = true;
	}
	kernel_result_free(&result);
	losses->losing += loses;
	return loses;
}

static int by_pcs(const void *a, const void *b)
{
	const struct module_loss *x = a, *y = b;

	if (x->pcs != y->pcs)
		return x->pcs > y->pcs ? -1 : 1;
	return strcmp(x->device, y->device);
}

void module_losses_sort(struct module_losses *losses)
{
	if (losses->list.len)
		qsort(losses->list.items, losses->list.len, sizeof(*losses->list.items),
		      by_pcs);
}

void module_losses_free(struct module_losses *losses)
{
	vec_foreach (loss, &losses->list) {
		free(loss->device);
		free(loss->name);
		free(loss->modules);
	}
	vec_free(&losses->list);
}
