/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much memory a guest gets, alone or beside others: vm.h. */
#include "init/vm_private.h"

#define MIB ((uint64_t)1 << 20)

/*
 * What the host keeps: kernel, init, presenter and page cache; then QEMU's own, by its
 * share of the guest (page tables, dirty logs) and by virtual CPU.
 */
#define HOST_RESERVE (256 * MIB)
#define QEMU_RESERVE (96 * MIB)
#define QEMU_SHARE 40 /* one fortieth: 2.5 % */
#define QEMU_PER_CPU (3 * MIB)
#define GUEST_STEP (16 * MIB)
/* 32-bit client editions use no more than 4 GiB, devices included. */
#define GUEST_MOST_X86 (3584 * MIB)
#define GUEST_LEAST (256 * MIB)

#define OVERLAY_LEAST (64 * MIB)

uint64_t vm_least_memory(const struct vm_image *i)
{
	if (vm_needs_tpm(i))
		return 4096 * MIB;
	if (vm_from(i, 6, 0))
		return i->x64 ? 2048 * MIB : 1024 * MIB;
	return GUEST_LEAST;
}

uint64_t vm_memory(uint64_t total, unsigned cpus, const struct vm_image *image)
{
	uint64_t fixed = HOST_RESERVE + QEMU_RESERVE + cpus * QEMU_PER_CPU, guest;

	if (total <= fixed)
		return 0;
	guest = (total - fixed) / (QEMU_SHARE + 1) * QEMU_SHARE;
	if (!image->x64 && guest > GUEST_MOST_X86)
		guest = GUEST_MOST_X86;
	guest -= guest % GUEST_STEP;
	return guest < GUEST_LEAST ? 0 : guest;
}

/* ---- several guests ---- */

static uint64_t least_of(const struct vm_share *s)
{
	return s->wish ? s->wish : vm_least_memory(s->image);
}

/* What a guest of this size takes of the PC, QEMU included. */
static uint64_t cost(const struct vm_share *s, uint64_t guest)
{
	return QEMU_RESERVE + s->cpus * QEMU_PER_CPU +
	       (guest + QEMU_SHARE - 1) / QEMU_SHARE * (QEMU_SHARE + 1);
}

/* The size of a guest where all that want their part have the same, as far as they can.
 */
static uint64_t at_level(const struct vm_share *s, uint64_t level)
{
	uint64_t least = least_of(s);

	if (s->wish || level < least)
		return least;
	if (!s->image->x64 && level > GUEST_MOST_X86)
		return GUEST_MOST_X86 > least ? GUEST_MOST_X86 : least;
	return level;
}

static uint64_t cost_of_all(const struct vm_share *shares, size_t count, uint64_t level)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		if (!shares[i].lack)
			sum += cost(&shares[i], at_level(&shares[i], level));
	return sum;
}

/* The highest level that there is memory for. */
static uint64_t find_level(const struct vm_share *shares, size_t count, uint64_t there)
{
	uint64_t low = 0, high = there;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (cost_of_all(shares, count, middle) <= there)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

size_t vm_divide(uint64_t total, struct vm_share *shares, size_t count)
{
	uint64_t there = total > HOST_RESERVE ? total - HOST_RESERVE : 0, left = there;
	uint64_t level;
	size_t fit = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t need = cost(&shares[i], least_of(&shares[i]));

		shares[i].lack = need > left ? need - left : 0;
		left -= shares[i].lack ? 0 : need;
		fit += !shares[i].lack;
	}
	level = find_level(shares, count, there);
	for (size_t i = 0; i < count; i++) {
		uint64_t least = least_of(&shares[i]);
		uint64_t memory = at_level(&shares[i], level);

		memory -= memory % GUEST_STEP;
		if (memory < least)
			memory = least;
		shares[i].memory = shares[i].lack ? 0 : memory;
	}
	return fit;
}

uint64_t vm_overlay_size(uint64_t total, const struct vm_share *shares, size_t count,
			 size_t overlays)
{
	struct vm_share tried[VM_MAX_GUESTS];
	uint64_t size = overlays ? total / 4 / overlays : 0;
	size_t fit;

	memcpy(tried, shares, count * sizeof(*tried));
	fit = vm_divide(total, tried, count);
	while (size > OVERLAY_LEAST &&
	       vm_divide(total - size * overlays, tried, count) < fit)
		size /= 2;
	return size;
}
