/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/usb.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sysfs.h"

#define DEVICES "bus/usb/devices"
#define CLASS_HID 0x03
#define CLASS_HUB 0x09
#define BOOT_SUBCLASS 0x01 /* HID 1.11, 4.2: what firmware can use */
#define MAX_LINK 512

/* ---- wishes ---- */

/* "1-2.4": bus, then the ports on the way. */
static bool is_port(const char *text, size_t len)
{
	bool digit = false, dash = false;

	if (!len || len >= USB_NAME)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (isdigit((unsigned char)text[i])) {
			digit = true;
			continue;
		}
		if (!digit || (text[i] == '-' ? dash : text[i] != '.' || !dash))
			return false;
		dash = true;
		digit = false;
	}
	return digit && dash;
}

int usb_read_wish(const struct options *o, struct usb_wish *ret, struct error *err)
{
	const char *value = options_get(o, "usb");

	*ret = (struct usb_wish){0};
	if (!value || strcmp(value, "off") == 0)
		return 0;
	ret->all = strcmp(value, "all-but-boot") == 0;
	for (const char *at = value; !ret->all && *at;) {
		size_t len = strcspn(at, ",");

		if (!is_port(at, len)) {
			error_set(err, ERROR_FAILED, "usb",
				  "\"%.*s\" is no port of the form BUS-PORT[.PORT...]",
				  (int)len, at);
			return error_remedy(err, "give off, all-but-boot or ports as in "
						 "/sys/bus/usb/devices: usb=1-2,2-1.4");
		}
		vec_push(&ret->ports, xstrndup(at, len));
		at += len + (at[len] == ',');
	}
	return 0;
}

void usb_wish_free(struct usb_wish *wish)
{
	strings_free(&wish->ports);
}

void usb_devices_free(struct usb_devices *devices)
{
	vec_foreach (device, devices)
		free(device->label);
	vec_free(devices);
}

/* ---- what is there ---- */

static char *attribute(const char *root, const char *name, const char *key)
{
	_cleanup_free_ char *path = xasprintf(DEVICES "/%s/%s", name, key);

	return sysfs_text(root, path);
}

static unsigned long number(const char *root, const char *name, const char *key, int base)
{
	_cleanup_free_ char *text = attribute(root, name, key);

	return text ? strtoul(text, NULL, base) : 0;
}

static char *read_label(const char *root, const char *name)
{
	_cleanup_free_ char *maker = attribute(root, name, "manufacturer");
	_cleanup_free_ char *product = attribute(root, name, "product");
	char *label;

	if (product)
		label = xasprintf("%s%s%s", maker ? maker : "", maker ? " " : "",
				  product);
	else
		label = xasprintf("%04lx:%04lx", number(root, name, "idVendor", 16),
				  number(root, name, "idProduct", 16));
	/* A device says of itself what it likes. */
	for (char *c = label; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7E)
			*c = '?';
	if (strlen(label) > 80)
		label[80] = 0;
	return label;
}

/*
 * The port's folder names its device: "usb2-port3" is where "2-3" would be, "1-2-port4"
 * where "1-2.4" would.
 */
static void read_peer(const char *root, const char *name, char ret[USB_NAME])
{
	_cleanup_free_ char *path = xasprintf(DEVICES "/%s/port/peer", name);
	_cleanup_free_ char *port = sysfs_link(root, path);
	char *end = port ? strstr(port, "-port") : NULL;
	unsigned at;

	*ret = 0;
	if (!end)
		return;
	at = (unsigned)strtoul(end + 5, NULL, 10);
	*end = 0;
	if (strncmp(port, "usb", 3) == 0)
		(void)snprintf(ret, USB_NAME, "%.10s-%u", port + 3, at);
	else
		(void)snprintf(ret, USB_NAME, "%.20s.%u", port, at);
}

/* Interfaces are the folders beside the attributes: "1-2:1.0". */
static void read_interfaces(const char *root, struct usb_device *d)
{
	_cleanup_free_ char *folder = xasprintf(DEVICES "/%s", d->name);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	sysfs_list(root, folder, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *at = NULL, *net = NULL, *sound = NULL;

		if (!strchr(*name, ':'))
			continue;
		at = xasprintf("%s/%s", d->name, *name);
		net = xasprintf(DEVICES "/%s/net", at);
		sound = xasprintf(DEVICES "/%s/sound", at);
		d->network |= sysfs_exists(root, net);
		d->sound |= sysfs_exists(root, sound);
		d->input |= number(root, at, "bInterfaceClass", 16) == CLASS_HID &&
			    number(root, at, "bInterfaceSubClass", 16) == BOOT_SUBCLASS;
	}
}

void usb_devices_read(const char *root, struct usb_devices *ret)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	usb_devices_free(ret);
	sysfs_list(root, DEVICES, &names);
	vec_foreach (name, &names) {
		struct usb_device d = {0};

		if (!is_port(*name, strlen(*name)) || ret->len >= USB_MAX_DEVICES)
			continue;
		(void)snprintf(d.name, sizeof(d.name), "%s", *name);
		d.bus = (unsigned)number(root, *name, "busnum", 10);
		d.number = (unsigned)number(root, *name, "devnum", 10);
		if (!d.bus || !d.number)
			continue;
		d.hub = number(root, *name, "bDeviceClass", 16) == CLASS_HUB;
		d.label = read_label(root, *name);
		read_peer(root, *name, d.peer);
		read_interfaces(root, &d);
		vec_push(ret, d);
	}
}

/* ---- whose it is ---- */

/* A port means what is plugged into it, a hub with everything on it included. */
static bool is_below(const char *name, const char *port)
{
	size_t len = strlen(port);

	return strncmp(name, port, len) == 0 && (!name[len] || name[len] == '.');
}

bool usb_is_meant(const struct usb_wish *wish, const struct usb_device *d)
{
	bool meant = wish->all;

	if (d->hub)
		return false;
	vec_foreach (port, &wish->ports)
		meant |= is_below(d->name, *port) || is_below(d->peer, *port);
	return meant;
}

/* A disk of the device that the host uses: mounted, below dm-verity, or the guest's
 * image. */
static bool has_busy_disk(const struct usb_question *q, const struct usb_device *d)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	_cleanup_free_ char *part = xasprintf("/%s/", d->name);
	bool found = false;

	sysfs_list(q->root, "class/block", &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *full =
			xasprintf("%s/sys/class/block/%s", q->root, *name);
		_cleanup_free_ char *node = xasprintf("/dev/%s", *name);
		char link[MAX_LINK];
		ssize_t len = readlink(full, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = 0;
		if (!found && strstr(link, part) && q->busy)
			found = q->busy(node, q->busy_arg);
	}
	return found;
}

const char *usb_refusal(const struct usb_question *q, const struct usb_device *d)
{
	if (has_busy_disk(q, d))
		return "it holds a disk that the host runs from";
	/* Who names a port knows why. */
	if (!q->wish->all)
		return NULL;
	if (d->input && q->console)
		return "the host's screen needs it";
	if (d->network && q->networked)
		return "it is a network port of the host";
	if (d->sound && q->sounding)
		return "it is the host's sound card";
	return NULL;
}

/* ---- QEMU ---- */

static const char *name_of(const struct usb_question *q)
{
	return q->guest ? q->guest : "the guest";
}

static void unplug(const struct usb_question *q, const struct usb_plugged *p,
		   struct qmp *qmp, void (*say)(const char *))
{
	_cleanup_free_ char *line =
		xasprintf("USB: port %s is taken from %s again", p->name, name_of(q));
	_cleanup_free_ char *id = xasprintf("usb-%s-%u", p->name, p->number);
	_cleanup_free_ char *arguments = xasprintf("{\"id\":\"%s\"}", id);

	(void)qmp_send(qmp, "device_del", arguments, id, NULL);
	say(line);
}

static bool plug(const struct usb_question *q, const struct usb_device *d, uid_t uid,
		 struct qmp *qmp, void (*say)(const char *))
{
	_cleanup_free_ char *node =
		xasprintf("/dev/bus/usb/%03u/%03u", d->bus, d->number);
	_cleanup_free_ char *id = xasprintf("usb-%s-%u", d->name, d->number);
	_cleanup_free_ char *arguments =
		xasprintf("{\"driver\":\"usb-host\",\"bus\":\"usb.0\","
			  "\"id\":\"%s\",\"hostdevice\":\"%s\"}",
			  id, node);
	_cleanup_free_ char *line =
		xasprintf("USB: %s in port %s goes to %s", d->label, d->name, name_of(q));

	if (chown(node, uid, uid) < 0 || chmod(node, 0600) < 0 ||
	    qmp_send(qmp, "device_add", arguments, id, NULL) < 0)
		return false;
	say(line);
	return true;
}

static const struct usb_device *find(const struct usb_devices *devices,
				     const struct usb_plugged *p)
{
	vec_foreach (d, devices)
		if (strcmp(d->name, p->name) == 0 && d->number == p->number)
			return d;
	return NULL;
}

static bool is_known(const struct usb_plugs *plugs, const struct usb_device *d)
{
	vec_foreach (p, plugs)
		if (strcmp(d->name, p->name) == 0 && d->number == p->number)
			return true;
	return false;
}

static void take(const struct usb_question *q, const struct usb_device *d,
		 struct usb_plugs *plugs, uid_t uid, struct qmp *qmp,
		 void (*say)(const char *))
{
	const char *why = usb_refusal(q, d);
	struct usb_plugged p = {.number = d->number, .refused = why != NULL};

	(void)snprintf(p.name, sizeof(p.name), "%s", d->name);
	if (why) {
		_cleanup_free_ char *line =
			xasprintf("USB: %s in port %s stays: %s", d->label, d->name, why);

		say(line);
	} else if (!plug(q, d, uid, qmp, say)) {
		return;
	}
	vec_push(plugs, p);
}

void usb_update(const struct usb_question *q, struct usb_plugs *plugs, uid_t uid,
		struct qmp *qmp, void (*say)(const char *))
{
	struct usb_devices devices = VEC_INIT;
	size_t kept = 0;

	usb_devices_read(q->root, &devices);
	for (size_t i = 0; i < plugs->len; i++) {
		const struct usb_plugged *p = &plugs->items[i];

		if (find(&devices, p))
			plugs->items[kept++] = *p;
		else if (!p->refused)
			unplug(q, p, qmp, say);
	}
	plugs->len = kept;
	vec_foreach (d, &devices)
		if (usb_is_meant(q->wish, d) && !is_known(plugs, d) &&
		    !(q->taken && q->taken(d, q->taken_arg)))
			take(q, d, plugs, uid, qmp, say);
	usb_devices_free(&devices);
}
