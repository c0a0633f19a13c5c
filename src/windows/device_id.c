/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "windows/device_id.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

/* HHH of the identifier score. */
#define MAX_POSITION 0xFFFu

/* Parts of a PCI ID; "" for what it does not have. */
struct pci_id {
	char ven[5], dev[5], subsys[9], rev[3], cc[7];
};

void device_ids_free(struct device_ids *ids)
{
	strings_free(&ids->hardware);
	strings_free(&ids->compatible);
}

/* Adds it unless it is the ID that all follows from; those that follow differ. */
static void add(struct device_ids *ids, struct strings *to, const char *id)
{
	if (!ids->hardware.len || !text_equal(ids->hardware.items[0], id))
		strings_push(to, id);
}

/* The parts up to NULL make one ID. Called for each device of each PC: no printf. */
static __attribute__((sentinel)) void add_id(struct device_ids *ids, struct strings *to,
					     ...)
{
	va_list ap;
	char id[80], *at = id;
	const char *part;

	va_start(ap, to);
	while ((part = va_arg(ap, const char *))) {
		size_t len = strlen(part), room = sizeof(id) - 1 - (size_t)(at - id);

		if (len > room)
			len = room;
		memcpy(at, part, len);
		at += len;
	}
	va_end(ap);
	*at = '\0';
	add(ids, to, id);
}

/* Copies "NAME_hex" at *p, of `min` to `max` digits, to `to` and steps over it. */
static bool take_part(const char **p, const char *name, size_t min, size_t max, char *to)
{
	size_t len = strlen(name), digits = 0;

	if (*to || !text_equal_n(*p, name, len))
		return false;
	while (isxdigit((unsigned char)(*p)[len + digits]))
		digits++;
	if (digits < min || digits > max || digits % 2 != 0)
		return false;
	memcpy(to, *p + len, digits);
	to[digits] = '\0';
	*p += len + digits;
	return true;
}

static bool parse_pci(const char *id, struct pci_id *ret)
{
	const char *p = id + 4;

	memset(ret, 0, sizeof(*ret));
	if (!text_equal_n(id, "PCI\\", 4) || !take_part(&p, "VEN_", 4, 4, ret->ven) ||
	    *p++ != '&' || !take_part(&p, "DEV_", 4, 4, ret->dev))
		return false;
	while (*p == '&') {
		p++;
		if (!take_part(&p, "SUBSYS_", 8, 8, ret->subsys) &&
		    !take_part(&p, "REV_", 2, 2, ret->rev) &&
		    !take_part(&p, "CC_", 4, 6, ret->cc))
			return false;
	}
	return *p == '\0';
}

/* The class code's forms: with and without the programming interface. */
static void add_classes(struct device_ids *ids, struct strings *to, const char *prefix,
			const char *cc)
{
	char class[5] = "";

	memcpy(class, cc, strnlen(cc, 4));
	if (strlen(cc) == 6)
		add_id(ids, to, "PCI\\", prefix, "CC_", cc, NULL);
	if (*cc)
		add_id(ids, to, "PCI\\", prefix, "CC_", class, NULL);
}

static void add_pci(struct device_ids *ids, const struct pci_id *p)
{
	struct strings *hardware = &ids->hardware, *compatible = &ids->compatible;
	/* A function without subsystem IDs has its plain IDs among the hardware IDs. */
	bool plain = strcmp(p->subsys, "00000000") == 0;
	struct strings *generic = plain ? hardware : compatible;
	char device[24], vendor[16];

	(void)snprintf(device, sizeof(device), "VEN_%s&DEV_%s&", p->ven, p->dev);
	(void)snprintf(vendor, sizeof(vendor), "VEN_%s&", p->ven);
	if (*p->subsys && *p->rev)
		add_id(ids, hardware, "PCI\\", device, "SUBSYS_", p->subsys, "&REV_",
		       p->rev, NULL);
	if (*p->subsys)
		add_id(ids, hardware, "PCI\\", device, "SUBSYS_", p->subsys, NULL);
	if (!plain)
		add_classes(ids, hardware, device, p->cc);
	if (*p->rev)
		add_id(ids, generic, "PCI\\", device, "REV_", p->rev, NULL);
	add_id(ids, generic, "PCI\\VEN_", p->ven, "&DEV_", p->dev, NULL);
	if (plain)
		add_classes(ids, hardware, device, p->cc);
	add_classes(ids, compatible, vendor, p->cc);
	add_id(ids, compatible, "PCI\\VEN_", p->ven, NULL);
	add_classes(ids, compatible, "", p->cc);
}

/* "USB\VID_v&PID_p&REV_r[&MI_i]" is also "USB\VID_v&PID_p[&MI_i]". */
static void add_usb(struct device_ids *ids, const char *id)
{
	char vid[5] = "", pid[5] = "", rev[5] = "", mi[3] = "";
	const char *p = id + 4;

	if (!text_equal_n(id, "USB\\", 4) || !take_part(&p, "VID_", 4, 4, vid) ||
	    *p++ != '&' || !take_part(&p, "PID_", 4, 4, pid) || *p++ != '&' ||
	    !take_part(&p, "REV_", 4, 4, rev))
		return;
	if (*p == '&' && (p++, !take_part(&p, "MI_", 2, 2, mi)))
		return;
	if (*p == '\0')
		add_id(ids, &ids->hardware, "USB\\VID_", vid, "&PID_", pid,
		       *mi ? "&MI_" : "", mi, NULL);
}

void device_ids_of(const char *id, struct device_ids *ret)
{
	struct pci_id pci;

	if (parse_pci(id, &pci)) {
		/* With everything given, the class code is in none of the IDs of that
		 * form. */
		if (!*pci.cc || !*pci.subsys || !*pci.rev)
			add(ret, &ret->hardware, id);
		add_pci(ret, &pci);
		return;
	}
	add(ret, &ret->hardware, id);
	add_usb(ret, id);
}

static uint32_t position(size_t at)
{
	return at < MAX_POSITION ? (uint32_t)at : MAX_POSITION;
}

/* The first of the device's IDs that the line has from `from` on; its place in `*at`. */
static bool find_match(const struct strings *device, const struct strings *ids,
		       size_t from, size_t to, size_t *at, size_t *in_line)
{
	for (size_t d = 0; d < device->len; d++)
		for (size_t i = from; i < to && i < ids->len; i++)
			if (*ids->items[i] &&
			    text_equal(device->items[d], ids->items[i])) {
				*at = d;
				*in_line = i;
				return true;
			}
	return false;
}

enum id_match device_ids_match(const struct device_ids *device, const struct strings *ids,
			       uint32_t *score, const char **id)
{
	static const struct {
		bool compatible;
		size_t from, to; /* of the line's IDs */
	} kinds[] = {[ID_HARDWARE] = {false, 0, 1},
		     [ID_INF_COMPATIBLE] = {false, 1, SIZE_MAX},
		     [ID_DEVICE_COMPATIBLE] = {true, 0, 1},
		     [ID_BOTH_COMPATIBLE] = {true, 1, SIZE_MAX}};

	for (unsigned kind = ID_HARDWARE; kind <= ID_BOTH_COMPATIBLE; kind++) {
		const struct strings *list =
			kinds[kind].compatible ? &device->compatible : &device->hardware;
		size_t at, in_line;

		if (!find_match(list, ids, kinds[kind].from, kinds[kind].to, &at,
				&in_line))
			continue;
		*score = (kind - ID_HARDWARE) << 12;
		if (kind == ID_BOTH_COMPATIBLE)
			*score |= position(at + (in_line - 1) * 0x100);
		else
			*score |= position(at);
		if (id)
			*id = list->items[at];
		return (enum id_match)kind;
	}
	return ID_NONE;
}
