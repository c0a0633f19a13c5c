/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PC's network ports, and which of them is for what: network.h. */
#include "init/network.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/sysfs.h"

#define MAX_PATH 512
#define ARPHRD_ETHER_TEXT "1" /* linux/if_arp.h; Wi-Fi says so, too */

void network_ports_free(struct network_ports *ports)
{
	vec_foreach (port, ports)
		free(port->path);
	vec_free(ports);
}

/* ---- wishes ---- */

static int bad_word(const char *key, const char *value, const char *expected,
		    struct error *err)
{
	error_set(err, ERROR_FAILED, key, "\"%s\" is not %s", value, expected);
	return error_remedy(err, "docs/hypervisor.md has the keys");
}

bool network_mac_good(const char *mac)
{
	unsigned first;

	if (strlen(mac) != 17)
		return false;
	for (unsigned i = 0; i < 17; i++)
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i]))
			return false;
	/* The lowest bit of the first byte: a group of stations. */
	return sscanf(mac, "%2x", &first) == 1 && !(first & 1) &&
	       strcmp(mac, "00:00:00:00:00:00") != 0;
}

int network_read_wish(const struct options *o, struct network_wish *ret,
		      struct error *err)
{
	static const char *const uplinks[] = {"auto", "bridge", "nat", "none"};
	const char *uplink = options_get(o, "uplink"), *mac = options_get(o, "mac"),
		   *address = options_get(o, "address");
	unsigned i = 0;

	*ret = (struct network_wish){.device = options_get(o, "uplink_device")};
	while (uplink && i < ARRAY_SIZE(uplinks) && strcmp(uplink, uplinks[i]) != 0)
		i++;
	if (i == ARRAY_SIZE(uplinks))
		return bad_word("uplink", uplink, "auto, bridge, nat or none", err);
	ret->uplink = (enum network_uplink)i;
	ret->address = address && strcmp(address, "dhcp") == 0;
	if (address && !ret->address && strcmp(address, "none") != 0)
		return bad_word("address", address, "none or dhcp", err);
	ret->host_mac = mac && strcmp(mac, "host") == 0;
	if (!mac || ret->host_mac || strcmp(mac, "derived") == 0)
		return 0;
	if (!network_mac_good(mac))
		return bad_word("mac", mac, "derived, host or the address of a station",
				err);
	ret->mac = mac;
	return 0;
}

/* ---- what is there ---- */

/* Wired ports say no DEVTYPE; bridges, mobile radios and others say what they are. */
static bool read_kind(const char *root, const char *folder, bool *wireless)
{
	_cleanup_free_ char *path = xasprintf("%s/uevent", folder);
	_cleanup_free_ char *text = sysfs_text(root, path);
	const char *kind = text ? strstr(text, "DEVTYPE=") : NULL;

	*wireless = kind && strncmp(kind, "DEVTYPE=wlan", 12) == 0;
	return !kind || *wireless;
}

static bool read_port(const char *root, const char *name, struct network_port *ret)
{
	_cleanup_free_ char *folder = xasprintf("class/net/%s", name);
	_cleanup_free_ char *device = xasprintf("%s/device", folder);
	_cleanup_free_ char *full = xasprintf("%s/sys/%s", root, folder);
	_cleanup_free_ char *type_path = xasprintf("%s/type", folder);
	_cleanup_free_ char *type = sysfs_text(root, type_path);
	_cleanup_free_ char *address_path = xasprintf("%s/address", folder);
	_cleanup_free_ char *address = sysfs_text(root, address_path);
	_cleanup_free_ char *carrier_path = xasprintf("%s/carrier", folder);
	_cleanup_free_ char *carrier = sysfs_text(root, carrier_path);
	char link[MAX_PATH];
	ssize_t len;

	*ret = (struct network_port){0};
	if (strlen(name) >= NETWORK_NAME || !sysfs_exists(root, device) || !type ||
	    strcmp(type, ARPHRD_ETHER_TEXT) != 0 || !address ||
	    !network_mac_good(address) || !read_kind(root, folder, &ret->wireless))
		return false;
	len = readlink(full, link, sizeof(link) - 1);
	ret->path = xstrndup(len > 0 ? link : name, len > 0 ? (size_t)len : strlen(name));
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	memcpy(ret->address, address, sizeof(ret->address));
	ret->usb = strstr(ret->path, "/usb") != NULL;
	ret->carrier = carrier && strcmp(carrier, "1") == 0;
	return true;
}

static int compare_ports(const void *a, const void *b)
{
	const struct network_port *one = a, *two = b;

	if (one->usb != two->usb)
		return one->usb ? 1 : -1;
	return strcmp(one->path, two->path);
}

void network_ports_read(const char *root, struct network_ports *ret)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	network_ports_free(ret);
	sysfs_list(root, "class/net", &names);
	vec_foreach (name, &names) {
		struct network_port port;

		if (ret->len < NETWORK_MAX_PORTS && read_port(root, *name, &port))
			vec_push(ret, port);
	}
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), compare_ports);
}

/* ---- choices ---- */

/* The device's folder, which ends its path's last but two parts:
 * ".../0000:00:1f.6/net/eth0". */
static bool is_at(const struct network_port *port, const char *address)
{
	size_t len = strlen(address);
	const char *at = port->path;

	while ((at = strstr(at, address))) {
		if (at > port->path && at[-1] == '/' && at[len] == '/')
			return true;
		at += len;
	}
	return false;
}

static bool is_allowed(const struct network_port *port, const struct network_wish *wish)
{
	return !wish->device || strcmp(wish->device, port->name) == 0 ||
	       strcasecmp(wish->device, port->address) == 0 || is_at(port, wish->device);
}

const struct network_port *network_choose(const struct network_ports *ports,
					  const struct network_wish *wish,
					  const char *current)
{
	const struct network_port *first = NULL, *live = NULL, *same = NULL;

	vec_foreach (port, ports) {
		if (port->wireless || !is_allowed(port, wish))
			continue;
		if (!first)
			first = port;
		if (!live && port->carrier)
			live = port;
		if (strcmp(port->name, current) == 0)
			same = port;
	}
	/* A cable that was pulled is mostly plugged in again at the same place. */
	if (same && (same->carrier || !live))
		return same;
	return live ? live : first;
}

const struct network_port *network_wireless(const struct network_ports *ports,
					    const struct network_wish *wish)
{
	const struct network_port *first = NULL;

	vec_foreach (port, ports) {
		if (!port->wireless)
			continue;
		if (wish->device && is_allowed(port, wish))
			return port;
		if (!first)
			first = port;
	}
	return first;
}

enum vm_link network_link(const struct network_ports *ports,
			  const struct network_wish *wish, bool wifi)
{
	const struct network_port *port = network_choose(ports, wish, "");

	switch (wish->uplink) {
	case UPLINK_BRIDGE:
		return VM_LINK_TAP;
	case UPLINK_NAT:
		return VM_LINK_USER;
	case UPLINK_NONE:
		return VM_LINK_NONE;
	case UPLINK_AUTO:
		break;
	}
	/* A cable may be plugged in later, and is then followed. */
	return !wifi || (port && port->carrier) ? VM_LINK_TAP : VM_LINK_USER;
}

/*
 * 52:54 has the bit of locally administered addresses. Firmware of some PCs has the same
 * UUID on all of them: hence the port.
 */
void network_derive_mac(const struct network_ports *ports, const char *seed, char ret[18])
{
	const struct network_port *own = NULL;
	_cleanup_free_ char *text = NULL;
	uint8_t digest[32];

	vec_foreach (port, ports)
		if (!own && !port->wireless && !port->usb)
			own = port;
	text = xasprintf("%s %s", seed, own ? own->address : "");
	hash_sha256((struct bytes){(const uint8_t *)text, strlen(text)}, digest);
	(void)snprintf(ret, 18, "52:54:%02x:%02x:%02x:%02x", digest[0], digest[1],
		       digest[2], digest[3]);
}
