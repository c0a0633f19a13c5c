/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bridge, tap and the host's own address: network.h. */
#include "init/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "init/say.h"

#define CABLE_WAIT 3000 /* ms: what a switch takes to see a cable */
#define CABLE_STEP 100
#define HIGH_FD 64  /* above what QEMU is handed */
#define WIFI_ID 988 /* user and group that wpa_supplicant runs as: nobody else's */
#define DHCPCD "/usr/sbin/dhcpcd"
#define WPA_SUPPLICANT "/usr/sbin/wpa_supplicant"
#define RUN "/run/gild"
#define LOG RUN "/network.log"
#define WIFI_COPY RUN "/wpa_supplicant.conf"
#define MAX_WIFI_CONFIG ((size_t)64 << 10)
#define LEASE_MARK "gild_lease" /* in the environment of dhcpcd's script */

const char *const network_modules[] = {"bridge", "tun", "vhost_net", NULL};

static void say_error(const struct network *n, const struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	n->say(text);
}

/* ---- interfaces: netdevice(7) ---- */

static int control(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void name_request(struct ifreq *r, const char *name)
{
	memset(r, 0, sizeof(*r));
	(void)snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
}

static int set_up(const char *name, bool up)
{
	_cleanup_close_ int fd = control();
	struct ifreq r;

	name_request(&r, name);
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return -1;
	r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, &r);
}

static int set_address(const char *name, const char *mac)
{
	_cleanup_close_ int fd = control();
	unsigned b[6];
	struct ifreq r;

	name_request(&r, name);
	if (sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4],
		   &b[5]) != 6)
		return -1;
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	for (unsigned i = 0; i < 6; i++)
		r.ifr_hwaddr.sa_data[i] = (char)b[i];
	return ioctl(fd, SIOCSIFHWADDR, &r);
}

static int set_port(const char *name, bool in)
{
	_cleanup_close_ int fd = control();
	struct ifreq r;

	name_request(&r, NETWORK_BRIDGE);
	r.ifr_ifindex = (int)if_nametoindex(name);
	return ioctl(fd, in ? SIOCBRADDIF : SIOCBRDELIF, &r);
}

/* The host speaks to nobody by itself: not even an address of its own making. */
static void silence_ipv6(void)
{
	static const char *const files[] = {"/proc/sys/net/ipv6/conf/all/disable_ipv6",
					    "/proc/sys/net/ipv6/conf/default/"
					    "disable_ipv6"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = open(files[i], O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			(void)!write(fd, "1", 1);
		closep(&fd);
	}
}

static int make_bridge(const struct network *n, struct error *err)
{
	_cleanup_close_ int fd = control();

	if (ioctl(fd, SIOCBRADDBR, NETWORK_BRIDGE) < 0 && errno != EEXIST)
		return error_errno(err, NETWORK_BRIDGE, "cannot be made");
	/* One port and taps: there is no loop to look for. */
	(void)sysfs_write(n->root, "class/net/" NETWORK_BRIDGE "/bridge/stp_state", "0",
			  NULL);
	(void)sysfs_write(n->root, "class/net/" NETWORK_BRIDGE "/bridge/forward_delay",
			  "0", NULL);
	/* Nobody in this network may be asking who wants which group. */
	(void)sysfs_write(n->root,
			  "class/net/" NETWORK_BRIDGE "/bridge/multicast_snooping", "0",
			  NULL);
	if (set_up(NETWORK_BRIDGE, true) < 0)
		return error_errno(err, NETWORK_BRIDGE, "cannot be switched on");
	return 0;
}

static void name_tap(size_t guest, char ret[NETWORK_NAME])
{
	(void)snprintf(ret, NETWORK_NAME, NETWORK_TAP "%u", (unsigned)guest & 0xff);
}

/* The descriptor of the tap; made if it is not there. */
static int open_tap(const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq r;

	if (fd < 0)
		return -1;
	name_request(&r, name);
	r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		closep(&fd);
	return fd;
}

/* It stays when QEMU goes, and belongs to QEMU's user. */
static int make_tap(size_t guest, uid_t uid, struct error *err)
{
	char name[NETWORK_NAME];
	_cleanup_close_ int fd = -1;

	name_tap(guest, name);
	fd = open_tap(name);

	if (fd < 0 || ioctl(fd, TUNSETOWNER, (unsigned long)uid) < 0 ||
	    ioctl(fd, TUNSETPERSIST, 1) < 0) {
		error_errno(err, name, "cannot be made");
		return error_remedy(err, "are the modules tun and bridge packed?");
	}
	if (set_port(name, true) < 0 || set_up(name, true) < 0)
		return error_errno(err, name, "cannot be put into the bridge");
	return 0;
}

void network_in_child(const struct network *n, size_t guest)
{
	char name[NETWORK_NAME];
	int tap, vhost;

	if (n->link != VM_LINK_TAP || n->guests[guest].off)
		return;
	name_tap(guest, name);
	tap = open_tap(name);
	vhost = n->vhost ? open("/dev/vhost-net", O_RDWR | O_CLOEXEC) : -1;
	if (tap < 0 || (n->vhost && vhost < 0))
		_exit(125);
	/* First out of the way of both numbers; duplicates stay open in QEMU. */
	tap = fcntl(tap, F_DUPFD_CLOEXEC, HIGH_FD);
	if (dup2(tap, VM_TAP_FD) < 0)
		_exit(125);
	if (vhost >= 0) {
		vhost = fcntl(vhost, F_DUPFD_CLOEXEC, HIGH_FD);
		if (dup2(vhost, VM_VHOST_FD) < 0)
			_exit(125);
	}
}

/* ---- following the cable ---- */

static void switch_on_ports(const struct network *n)
{
	/* A port that is off does not know whether it has a cable. */
	vec_foreach (port, &n->ports)
		if (!port->wireless)
			(void)set_up(port->name, true);
}

static void leave_port(struct network *n)
{
	if (*n->port)
		(void)set_port(n->port, false);
	n->port[0] = 0;
}

static void say_guests(const struct network *n)
{
	for (size_t i = 0; i < n->count; i++) {
		const struct network_guest *g = &n->guests[i];

		if (!g->off && *g->mac)
			say_to(n->say, "network: %s is %s on %s",
			       g->name ? g->name : "the guest", g->mac, n->port);
	}
}

static void take_port(struct network *n, const struct network_port *port)
{
	/* The bridge would keep frames for the port's own address from the guest. */
	if (*n->port_mac && strcasecmp(port->address, n->port_mac) != 0) {
		(void)set_up(port->name, false);
		(void)set_address(port->name, n->port_mac);
		(void)set_up(port->name, true);
	}
	if (set_port(port->name, true) < 0) {
		say_to(n->say, "network: %s cannot be bridged: %s", port->name,
		       strerror(errno));
		return;
	}
	(void)set_address(NETWORK_BRIDGE, *n->port_mac ? n->port_mac : port->address);
	memcpy(n->port, port->name, sizeof(n->port));
	say_guests(n);
}

/* One that was pulled and plugged in again has its old name, and is in no bridge. */
static bool is_bridged(const struct network *n, const struct network_port *port)
{
	_cleanup_free_ char *path = xasprintf("class/net/%s/brport", port->name);

	return sysfs_exists(n->root, path);
}

static void start_wifi(struct network *n);

bool network_follow(struct network *n)
{
	const struct network_port *port;
	bool was = n->carrier;

	if (n->link == VM_LINK_NONE && !n->wish.needed)
		return false;
	network_ports_read(n->root, &n->ports);
	switch_on_ports(n);
	if (n->link != VM_LINK_TAP) {
		if (!n->wifi.pid)
			start_wifi(n);
		return false;
	}
	port = network_choose(&n->ports, &n->wish, n->port);
	if (!port || strcmp(port->name, n->port) != 0 || !is_bridged(n, port)) {
		leave_port(n);
		if (port)
			take_port(n, port);
	}
	n->carrier = port && port->carrier;
	if (n->carrier != was)
		say_to(n->say, "network: the cable of %s is %s",
		       port ? n->port : "the PC", n->carrier ? "in" : "out");
	return n->carrier != was;
}

/* ---- the host's own address ---- */

static void start_helper(struct network *n, struct helper *helper, char *const argv[],
			 const struct helper_rights *rights)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	/* The guest starts without a network rather than not at all. */
	if (helper_start(helper, argv, rights, LOG, &err) < 0)
		say_error(n, &err);
}

/*
 * IPv4 alone; no address of its own making, no daemon, no files in the root, which is
 * read-only. Its script is this program: see network_lease().
 */
static void start_dhcp(struct network *n, const char *interface)
{
	static const struct helper_rights root = {0};
	/* Where it keeps leases, /var/lib being a link to /run/lib; where it locks itself
	 * in. */
	static const char *const folders[] = {"/run/lib", "/run/lib/dhcpcd",
					      "/run/dhcpcd"};
	_cleanup_free_ char *self = helper_self();
	char *argv[] = {(char *)DHCPCD,
			(char *)"--nobackground",
			(char *)"--ipv4only",
			(char *)"--noipv4ll",
			(char *)"--nodev",
			(char *)"--config",
			(char *)"/dev/null",
			(char *)"--env",
			(char *)LEASE_MARK "=1",
			(char *)"--option",
			(char *)"domain_name_servers,domain_name,domain_search",
			(char *)"--script",
			self ? self : (char *)"",
			(char *)(interface ? "--allowinterfaces" : "--denyinterfaces"),
			(char *)(interface ? interface : "gild*"),
			NULL};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		(void)mkdir(folders[i], 0755);
	start_helper(n, &n->dhcp, argv, &root);
}

/* Its user cannot read the configuration, which has passwords in it. */
static int copy_wifi_config(struct error *err)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;

	if (file_read(NETWORK_WIFI_CONFIG, MAX_WIFI_CONFIG, &text, err) < 0 ||
	    file_replace(WIFI_COPY, buffer_view(&text), err) < 0)
		return -1;
	if (chown(WIFI_COPY, WIFI_ID, WIFI_ID) < 0 || chmod(WIFI_COPY, 0400) < 0)
		return error_errno(err, WIFI_COPY, "cannot be handed over");
	return 0;
}

static void unblock_radios(const struct network *n)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	sysfs_list(n->root, "class/rfkill", &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path = xasprintf("class/rfkill/%s/soft", *name);

		(void)sysfs_write(n->root, path, "0", NULL);
	}
}

static void start_wifi(struct network *n)
{
	static const struct helper_rights rights = {.uid = WIFI_ID, .network = true};
	const struct network_port *port = network_wireless(&n->ports, &n->wish);
	_cleanup_error_ struct error err = ERROR_INIT;
	char *argv[] = {(char *)WPA_SUPPLICANT,
			(char *)"-i",
			NULL,
			(char *)"-D",
			(char *)"nl80211",
			(char *)"-c",
			(char *)WIFI_COPY,
			NULL};

	if (!port || access(NETWORK_WIFI_CONFIG, F_OK) < 0)
		return;
	argv[2] = (char *)port->name;
	unblock_radios(n);
	if (copy_wifi_config(&err) < 0) {
		say_error(n, &err);
		return;
	}
	(void)set_up(port->name, true);
	start_helper(n, &n->wifi, argv, &rights);
	say_to(n->say, "network: Wi-Fi by %s", port->name);
}

/* ---- start and end ---- */

static bool has_cable(const struct network *n)
{
	const struct network_port *port = network_choose(&n->ports, &n->wish, "");

	return port && port->carrier;
}

static void wait_for_cable(struct network *n)
{
	for (unsigned waited = 0; waited < CABLE_WAIT && !has_cable(n);
	     waited += CABLE_STEP) {
		(void)nanosleep(&(struct timespec){.tv_nsec = CABLE_STEP * 1000000L},
				NULL);
		network_ports_read(n->root, &n->ports);
		switch_on_ports(n);
	}
}

static int start_bridge(struct network *n, struct error *err)
{
	n->vhost = access("/dev/vhost-net", R_OK | W_OK) == 0;
	if (make_bridge(n, err) < 0)
		return -1;
	(void)network_follow(n);
	if (!*n->port)
		n->say("network: the PC has no Ethernet port that is free");
	if (n->wish.address || n->wish.needed)
		start_dhcp(n, NETWORK_BRIDGE);
	return 0;
}

static bool has_mac(const struct network *n, size_t count, const char *mac)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(n->guests[i].mac, mac) == 0)
			return true;
	return false;
}

/* The first guest's: the PC's own, whichever guest that will be. */
static void choose_mac(struct network *n, const char *seed)
{
	const struct network_port *port = network_choose(&n->ports, &n->wish, "");

	network_derive_mac(&n->ports, seed, n->mac);
	if (n->wish.mac)
		(void)snprintf(n->mac, sizeof(n->mac), "%s", n->wish.mac);
	if (n->wish.host_mac && port && n->link == VM_LINK_TAP) {
		memcpy(n->port_mac, n->mac, sizeof(n->port_mac));
		memcpy(n->mac, port->address, sizeof(n->mac));
	}
}

int network_start(struct network *n, const char *seed, struct error *err)
{
	bool wifi = access(NETWORK_WIFI_CONFIG, F_OK) == 0;

	silence_ipv6();
	network_ports_read(n->root, &n->ports);
	if (n->wish.uplink != UPLINK_NONE || n->wish.needed)
		switch_on_ports(n);
	if (n->wish.uplink == UPLINK_AUTO && wifi)
		wait_for_cable(n);
	n->link = network_link(&n->ports, &n->wish, wifi);
	choose_mac(n, seed);
	if (n->link == VM_LINK_TAP)
		return start_bridge(n, err);
	if (n->link == VM_LINK_USER || n->wish.needed) {
		start_wifi(n);
		start_dhcp(n, NULL);
		n->say(n->link == VM_LINK_USER
			       ? "network: the guest is behind the PC's own address"
			       : "network: the PC's own, for the image");
	}
	return 0;
}

/*
 * The others have one of their own by their names. Never do two have the same, whatever
 * was wished for.
 */
static void choose_macs(struct network *n, const char *seed)
{
	for (size_t i = 0; i < n->count; i++) {
		struct network_guest *g = &n->guests[i];
		_cleanup_free_ char *own =
			xasprintf("%s %s", seed, g->name ? g->name : "");

		if (!i)
			memcpy(g->mac, n->mac, sizeof(g->mac));
		else if (g->wish && !has_mac(n, i, g->wish))
			(void)snprintf(g->mac, sizeof(g->mac), "%s", g->wish);
		else
			network_derive_mac(&n->ports, own, g->mac);
	}
}

int network_add_guests(struct network *n, const char *seed, struct error *err)
{
	choose_macs(n, seed);
	for (size_t i = 0; n->link == VM_LINK_TAP && i < n->count; i++)
		if (!n->guests[i].off && make_tap(i, n->guests[i].uid, err) < 0)
			return -1;
	if (*n->port)
		say_guests(n);
	return 0;
}

void network_end(struct network *n)
{
	helper_stop(&n->dhcp);
	helper_stop(&n->wifi);
	network_ports_free(&n->ports);
}

/* ---- dhcpcd's script ---- */

bool network_is_lease(int argc)
{
	return argc == 1 && getenv(LEASE_MARK) && getenv("reason") && getenv("interface");
}

/* What a server sends is not trusted: addresses are digits, dots and blanks. */
static void add_servers(struct buffer *text, const char *servers)
{
	while (servers && *servers) {
		size_t len;

		servers += strspn(servers, " ");
		len = strspn(servers, "0123456789.");
		if (!len || (servers[len] && servers[len] != ' '))
			return;
		buffer_printf(text, "nameserver %.*s\n", (int)len, servers);
		servers += len;
	}
}

int network_lease(const char *resolv_conf)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;
	const char *servers = getenv("new_domain_name_servers");

	/* A lease that went away leaves the old servers: another one may be good. */
	if (!servers)
		return 0;
	add_servers(&text, servers);
	if (!text.len || file_replace(resolv_conf, buffer_view(&text), NULL) < 0)
		return 1;
	return chmod(resolv_conf, 0644) < 0;
}
