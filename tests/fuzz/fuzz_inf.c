/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The INF engine on arbitrary bytes, for amd64 and for a target that the last byte picks
 * (the first ones decide the encoding). An Include= may find the bytes themselves.
 */
#include "injector/driver.h"
#include "injector/selection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct target targets[] = {
	{ARCH_AMD64, 10, 0, 22621, PRODUCT_CLIENT, 0, 0},
	{ARCH_X86, 6, 2, 9200, PRODUCT_CLIENT, 0, 0x407},
	{ARCH_ARM64, 10, 0, 26100, PRODUCT_CLIENT, 0x100, 0x409},
	{ARCH_AMD64, 10, 0, 10240, PRODUCT_SERVER, 0x80, 0},
};

static int include_itself(const char *name, struct buffer *ret, void *arg,
			  struct error *err _unused_)
{
	const struct bytes *self = arg;

	if (strlen(name) > 40)
		return 0;
	buffer_append(ret, self->data, self->len);
	return 1;
}

static void interpret(struct bytes raw, const struct target *target, bool include)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *reason = NULL;
	_cleanup_driver_ struct driver *d =
		driver_open("fuzz.inf", raw, target, include ? include_itself : NULL,
			    &raw, &reason, &err);

	/* What is refused says why; what is taken has its configurations. */
	if (!d && (!err.reason || !err.subject))
		abort();
	if (!d)
		return;
	vec_foreach (m, &d->models)
		if (m->configuration >= d->configurations.len || !m->ids.len)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes raw = {data, size};
	uint8_t pick = size ? data[size - 1] : 0;

	interpret(raw, &targets[0], true);
	interpret(raw, &targets[1 + pick % (ARRAY_SIZE(targets) - 1)], pick & 0x10);
	selection_close(
		selection_read("fuzz.inf", raw, pick & 0x20 ? &targets[0] : NULL, NULL));
	return 0;
}
