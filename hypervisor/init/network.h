/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guests' network. On Ethernet a guest is a machine of the wired network: a bridge
 * of one port of the PC and a tap for each, on which the host itself has no address. Where that
 * cannot be, as on Wi-Fi, QEMU's own address translation is used, and the host takes an
 * address by DHCP for it.
 *
 * Of several Ethernet ports one is in the bridge at a time, never two: two cables into one
 * switch would be a loop.
 */
#ifndef INIT_NETWORK_H
#define INIT_NETWORK_H

#include "init/helper.h"
#include "init/options.h"
#include "init/vm.h"

#define NETWORK_BRIDGE "gild0"
#define NETWORK_TAP "gild-tap" /* and the guest's number */
#define NETWORK_MAX_GUESTS 8
#define NETWORK_WIFI_CONFIG "/etc/gild/wpa_supplicant.conf"
#define NETWORK_RESOLV_CONF "/run/resolv.conf"
#define NETWORK_MAX_PORTS 64
#define NETWORK_NAME 16	/* IFNAMSIZ */

enum network_uplink {
	UPLINK_AUTO,
	UPLINK_BRIDGE,
	UPLINK_NAT,
	UPLINK_NONE,
};
struct network_wish {
	enum network_uplink uplink;
	const char *device;	/* name, hardware or PCI address of the only port; or NULL */
	bool host_mac;		/* the guest has the port's hardware address */
	const char *mac;	/* or this one; NULL */
	bool address;		/* the host has an address on the bridge, by DHCP */
	bool needed;		/* and needs one in any case, also where the guest has none */
};
/* uplink=auto|bridge|nat|none uplink_device=X mac=derived|host|ADDRESS address=none|dhcp */
int network_read_wish(const struct options *options, struct network_wish *ret,
		      struct error *err);

/* ---- what is there (network_ports.c) ---- */

/* A port of the PC, Ethernet or Wi-Fi; no bridge, no tap, no mobile radio. */
struct network_port {
	char name[NETWORK_NAME];
	char address[18];	/* "aa:bb:cc:dd:ee:ff" */
	char *path;		/* in sysfs */
	bool wireless, usb, carrier;
};
DEFINE_VEC(network_ports, struct network_port);
void network_ports_free(struct network_ports *ports);
/* Those of mainboard and slots before those on USB, each in the order of their places. */
void network_ports_read(const char *root, struct network_ports *ret);
/* The Ethernet port for the bridge: `current` ("": none) while nothing is better. NULL: none. */
const struct network_port *network_choose(const struct network_ports *ports,
					  const struct network_wish *wish,
					  const char *current);
/* The wireless port, or NULL. */
const struct network_port *network_wireless(const struct network_ports *ports,
					    const struct network_wish *wish);
/* How the guest is connected, with what is known now. */
enum vm_link network_link(const struct network_ports *ports,
			  const struct network_wish *wish, bool wifi);
/*
 * A locally administered hardware address that is always the same for the same PC: from
 * `seed` (what SMBIOS says) and its first Ethernet port that is not on USB.
 */
void network_derive_mac(const struct network_ports *ports, const char *seed, char ret[18]);
/* True if it is six pairs of hexadecimal digits that one station may have. */
bool network_mac_good(const char *mac);

/* ---- what is done (network.c) ---- */

/* One of the guests; the first has what the wish says. */
struct network_guest {
	const char *name;	/* of several; NULL: there is no other */
	uid_t uid;		/* its QEMU's user */
	bool off;		/* it has no network card */
	const char *wish;	/* hardware address of one that is not the first; or NULL */
	char mac[18];		/* that it has */
};
struct network {
	const char *root;
	void (*say)(const char *line);
	struct network_wish wish;
	struct network_guest guests[NETWORK_MAX_GUESTS];
	size_t count;
	enum vm_link link;
	struct network_ports ports;
	char port[NETWORK_NAME];	/* in the bridge; "": none */
	char mac[18];		/* the first guest's */
	char port_mac[18];	/* what the port has instead, where a guest has its own; or "" */
	bool carrier, vhost;
	struct helper dhcp, wifi;
};
/* Modules that the network needs, ended by NULL. */
extern const char *const network_modules[];
/*
 * Makes the bridge, or starts what the host needs for itself. Waits for a cable only where
 * there is Wi-Fi to choose instead, and then not for long.
 */
int network_start(struct network *network, const char *seed, struct error *err);
/* After that: hardware addresses of all guests, and their taps, for QEMU's users. */
int network_add_guests(struct network *network, const char *seed, struct error *err);
/* Something changed: the cable is followed. True if the guests' link goes up or down. */
bool network_follow(struct network *network);
/*
 * In the QEMU process of that guest before it drops its rights: VM_TAP_FD, VM_VHOST_FD. Does
 * not return where that fails.
 */
void network_in_child(const struct network *network, size_t guest);
void network_end(struct network *network);

/* True if the program was started by dhcpcd as its script: network_lease() is all it does. */
bool network_is_lease(int argc);
/* Writes resolv.conf from what dhcpcd has in the environment. 0, or 1. */
int network_lease(const char *resolv_conf);

#endif
