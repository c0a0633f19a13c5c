/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One PC: what its devices' verdicts, its firmware and the image's generation come to.
 * What the inventory does not tell is no reason for anything.
 */
#include "base/text.h"
#include "check/check_private.h"

/* ---- devices -------------------------------------------------------------------------
 */

/* How the devices of a role came out. */
struct tally {
	unsigned ok, generic, missing;
	unsigned listed, unknown;
};

struct summary {
	struct tally roles[PC_ROLES];
	const struct pc_device *first; /* boot storage that Windows cannot use */
	const struct check_device *first_result;
	bool hides_disks;   /* it is in a mode that puts the disks behind itself */
	unsigned usb_input; /* keyboards and mice that need a USB controller */
	const struct pc_device *is_unsigned; /* works with an unsigned driver */
	const char *unsigned_inf;
};

/*
 * Intel's RST in RAID mode and VMD: with it on, AHCI and NVMe disks are seen through this
 * device only, whatever other controllers the PC lists.
 */
static bool hides_disks(const struct pc_device *device)
{
	return text_starts_with(device->id, "PCI\\VEN_8086&") &&
	       strstr(device->id, "&CC_0104");
}

static void count(struct summary *s, const struct pc_device *device,
		  const struct check_device *result)
{
	struct tally *tally = &s->roles[device->role];

	tally->listed++;
	if (device->role == PC_INPUT && device->bus == PC_USB &&
	    result->verdict == CHECK_OK)
		s->usb_input++;
	if (device->role == PC_BOOT_STORAGE && result->verdict == CHECK_OK &&
	    result->is_unsigned) {
		s->is_unsigned = device;
		s->unsigned_inf = result->inf;
	}
	if (result->verdict == CHECK_OK)
		tally->ok++;
	else if (result->verdict == CHECK_GENERIC)
		tally->generic++;
	else if (result->verdict != CHECK_UNKNOWN)
		tally->missing++;
	else
		tally->unknown++;
	if (device->role != PC_BOOT_STORAGE || result->verdict == CHECK_OK ||
	    result->verdict == CHECK_UNKNOWN)
		return;
	if (!s->first || (hides_disks(device) && !s->hides_disks)) {
		s->first = device;
		s->first_result = result;
	}
	s->hides_disks |= hides_disks(device);
}

/* "8086:9A0B" of a PCI ID, else the ID. Caller's. */
static char *short_id(const char *id)
{
	const char *vendor = strstr(id, "VEN_"), *device = strstr(id, "DEV_");

	if (!vendor || !device || strlen(device) < 8)
		return xstrdup(id);
	return xasprintf("%.4s:%.4s", vendor + 4, device + 4);
}

static void set_failure(const struct summary *s, struct check_result *ret)
{
	_cleanup_free_ char *id = short_id(s->first->id);
	const char *name = s->first->name   ? s->first->name
			   : s->hides_disks ? "Intel RST or VMD controller"
					    : "storage controller";

	ret->verdict = CHECK_FAILS;
	ret->remedies = s->first_result->remedies;
	ret->reason = xasprintf("%s %s: %s", name, id, s->first_result->reason);
	/* A service that is off concerns all its controllers. */
	ret->cause =
		s->first_result->verdict == CHECK_BLOCKED
			? xasprintf("storage controller: %s", s->first_result->reason)
			: xstrdup(ret->reason);
	if (s->first_result->remedy_inf)
		ret->remedy =
			xasprintf("inject %s%s", s->first_result->remedy_inf,
				  s->hides_disks ? ", or switch RAID/VMD mode off in the "
						   "firmware"
						 : "");
	else if (s->first_result->any_controller)
		ret->remedy = xstrdup("gild inject --any-controller");
	else if (s->hides_disks)
		ret->remedy = xstrdup("inject Intel's RST/VMD driver for it, or switch "
				      "RAID/VMD mode off in the firmware");
	else
		ret->remedy = xasprintf("inject the driver for %s", id);
}

/* Roles that a user would miss. */
static void set_losses(const struct summary *s, struct check_result *ret)
{
	static const struct {
		enum pc_role role;
		bool all; /* lost only where no device of the role works */
		const char *name;
	} roles[] = {
		{PC_NETWORK, true, "network"},	{PC_WIRELESS, true, "wireless"},
		{PC_DISPLAY, false, "display"}, {PC_AUDIO, true, "audio"},
		{PC_INPUT, true, "input"},	{PC_USB_CONTROLLER, true, "USB"},
	};
	const struct tally *storage = &s->roles[PC_BOOT_STORAGE];

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		const struct tally *t = &s->roles[roles[i].role];

		if (t->missing && (!roles[i].all || !t->ok))
			strings_push(&ret->losses, roles[i].name);
		else if (t->generic && !t->ok)
			vec_push(&ret->losses,
				 xasprintf("%s at basic resolution", roles[i].name));
	}
	if (storage->missing && storage->ok)
		vec_push(&ret->losses, xstrdup("disks behind another controller"));
	/* They have a driver, but nothing that they hang on has. */
	if (s->usb_input && s->usb_input == s->roles[PC_INPUT].ok &&
	    s->roles[PC_USB_CONTROLLER].missing && !s->roles[PC_USB_CONTROLLER].ok)
		strings_push(&ret->losses, "keyboard and mouse (USB only)");
}

/* Roles of which inventory or image could not have told: no claim is made about them. */
static void set_unknown(const struct summary *s, const struct pc *pc,
			struct check_result *ret)
{
	static const struct {
		enum pc_role role;
		bool pci; /* found on PCI alone; else USB or ACPI may have it */
	} roles[] = {{PC_NETWORK, true},
		     {PC_DISPLAY, true},
		     {PC_AUDIO, true},
		     {PC_INPUT, false}};

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		bool listed = roles[i].pci ? pc->listed[PC_PCI]
					   : pc->listed[PC_USB] && pc->listed[PC_ACPI];

		const struct tally *t = &s->roles[roles[i].role];

		if ((!listed && !t->listed) || (t->unknown && t->unknown == t->listed))
			strings_push(&ret->unknown, pc_role_name(roles[i].role));
	}
}

/* ---- firmware ------------------------------------------------------------------------
 */

static bool fails(struct check_result *ret, const char *reason, const char *remedy)
{
	ret->verdict = CHECK_FAILS;
	ret->reason = xstrdup(reason);
	ret->cause = xstrdup(reason);
	ret->remedy = remedy ? xstrdup(remedy) : NULL;
	return true;
}

/* The PC starts by UEFI alone, and this image cannot be started so. */
static bool needs_bios(const struct check_image *image, struct check_result *ret)
{
	const struct target *target = &image->installation->target;

	if (!image->disk_uefi)
		return fails(ret,
			     "the PC starts by UEFI only, and this disk is laid out for "
			     "BIOS (MBR)",
			     "build the disk with --firmware=uefi");
	if (!image->starts_uefi)
		return fails(
			ret,
			target->arch == ARCH_X86
				? "the PC starts by 64-bit UEFI only, and this Windows "
				  "is 32-bit (x86)"
				: "the PC starts by UEFI only, and this Windows by "
				  "BIOS only",
			"take a 64-bit Windows 8 or later for this PC");
	if (target_compare_version(target, 6, 2, 0) < 0)
		return fails(ret,
			     "the PC starts by UEFI only, and Windows 7 needs the video "
			     "BIOS (int 10h) as well",
			     "take Windows 8 or later for this PC");
	return false;
}

/* True: the PC cannot start the image whatever its drivers. */
static bool firmware_fails(const struct check_image *image, const struct pc *pc,
			   struct check_result *ret)
{
	const struct target *target = &image->installation->target;

	if (pc->uefi == PC_NO && !image->starts_bios)
		return fails(ret, "the PC has BIOS firmware, and this Windows is for ARM",
			     NULL);
	if (pc->uefi == PC_NO && !image->disk_bios)
		return fails(ret,
			     "the PC has BIOS firmware, and this disk is laid out for "
			     "UEFI (GPT)",
			     "build the disk with --firmware=bios");
	if (pc->bios == PC_NO && needs_bios(image, ret))
		return true;
	if (pc->secure_boot == PC_YES && target_compare_version(target, 6, 2, 0) < 0)
		return fails(ret,
			     "Secure Boot is on, and the boot loader of Windows 7 and "
			     "older is not signed for it",
			     "switch Secure Boot off in the firmware");
	if (pc->uefi == PC_YES && pc->bios != PC_NO &&
	    (!image->starts_uefi || !image->disk_uefi))
		strings_push(&ret->remarks, "needs the firmware's BIOS compatibility "
					    "(CSM) switched on");
	return false;
}

/* The HAL that NT 5 was installed with, against the PC. */
static bool hal_fails(const struct check_image *image, const struct pc *pc,
		      struct check_result *ret)
{
	const struct hal *hal = &image->hal;
	_cleanup_free_ char *reason = NULL;

	if (!hal->kind ||
	    target_compare_version(&image->installation->target, 6, 0, 0) >= 0)
		return false;
	if (hal->kind->acpi && pc->acpi == PC_NO) {
		reason = xasprintf("its HAL %s (%s) needs ACPI, which the PC's firmware "
				   "does not have",
				   hal->kind->file, hal->kind->text);
		return fails(ret, reason,
			     "gild inject --any-controller (adds a menu entry with the "
			     "right HAL)");
	}
	if (!hal->kind->acpi && pc->acpi != PC_NO)
		vec_push(&ret->remarks,
			 xasprintf(
				 "its HAL %s (%s) uses no ACPI: no power management, and "
				 "interrupts as the firmware set them",
				 hal->kind->file, hal->kind->text));
	if (!hal->kind->multiprocessor)
		vec_push(&ret->remarks, xasprintf("its HAL %s (%s) uses one processor",
						  hal->kind->file, hal->kind->text));
	return false;
}

static bool signature_fails(const struct check_image *image, const struct pc *pc,
			    const struct summary *s, struct check_result *ret)
{
	const struct target *target = &image->installation->target;
	_cleanup_free_ char *id = NULL, *reason = NULL;

	if (!s->is_unsigned)
		return false;
	id = short_id(s->is_unsigned->id);
	if (pc->secure_boot == PC_YES) {
		reason =
			xasprintf("storage controller %s: its driver %s is unsigned, and "
				  "Secure Boot is on",
				  id, s->unsigned_inf);
		return fails(ret, reason,
			     "inject a signed driver, or switch Secure Boot off");
	}
	if (target->arch != ARCH_X86 && target_compare_version(target, 6, 0, 0) >= 0)
		vec_push(&ret->remarks,
			 xasprintf("%s, the driver of %s, is unsigned: 64-bit Windows "
				   "loads it with test signing on only",
				   s->unsigned_inf, id));
	return false;
}

void check_result_free(struct check_result *result)
{
	free(result->reason);
	free(result->cause);
	free(result->remedy);
	strings_free(&result->losses);
	strings_free(&result->unknown);
	strings_free(&result->remarks);
	vec_foreach (device, &result->devices)
		free(device->reason);
	vec_free(&result->devices);
}

static void add_details(struct check_result *ret, const struct pc_device *device,
			const struct check_device *judged)
{
	struct check_device copy = *judged;

	copy.device = device;
	copy.reason = judged->reason ? xstrdup(judged->reason) : NULL;
	vec_push(&ret->devices, copy);
}

static void set_verdict(const struct check_image *image, const struct pc *pc,
			const struct summary *s, struct check_result *ret)
{
	const struct tally *storage = &s->roles[PC_BOOT_STORAGE];

	set_unknown(s, pc, ret);
	if (firmware_fails(image, pc, ret) || hal_fails(image, pc, ret))
		return;
	if (image->broken) {
		(void)fails(ret, image->broken,
			    image->broken_any_controller ? "gild inject --any-controller"
							 : NULL);
		return;
	}
	if (s->first && (!storage->ok || s->hides_disks)) {
		set_failure(s, ret);
		return;
	}
	if (!storage->ok) {
		ret->verdict = CHECK_UNDECIDED;
		ret->reason = xstrdup("the inventory lists no storage controller");
		return;
	}
	if (signature_fails(image, pc, s, ret))
		return;
	set_losses(s, ret);
	ret->verdict = ret->losses.len ? CHECK_DEGRADED : CHECK_BOOTS;
}

int check_pc(struct check_image *image, const struct pc *pc, bool details,
	     struct check_result *ret, struct error *err)
{
	struct summary s = {0};

	*ret = (struct check_result){0};
	vec_foreach (device, &pc->devices) {
		const struct check_device *judged;

		if (check_device_once(image, device, &judged, err) < 0) {
			check_result_free(ret);
			return -1;
		}
		count(&s, device, judged);
		if (details)
			add_details(ret, device, judged);
	}
	set_verdict(image, pc, &s, ret);
	return 0;
}
