/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What init makes of network ports, USB devices, sound cards, lid and keys: over made-up
 * folders in sysfs' and procfs' form.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/input.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "fake_sysfs.h"
#include "init/devices.h"

static struct strings said;
static void say(const char *line)
{
	strings_push(&said, line);
}
static bool was_said(const char *part)
{
	vec_foreach (line, &said)
		if (strstr(*line, part))
			return true;
	return false;
}

static int forget(void **state _unused_)
{
	strings_free(&said);
	return 0;
}

static struct options words(const char *text)
{
	struct options o = OPTIONS_INIT;

	assert_int_equal(options_add(&o, text, "test", NULL), 0);
	return o;
}

/* ---- network ---- */

#define SLOT "devices/pci0000:00/0000:00:"

/* `place`: its folder in sysfs; `kind`: its DEVTYPE or NULL. */
static void fake_port(const char *root, const char *name, const char *place,
		      const char *mac, const char *kind, bool carrier)
{
	_cleanup_free_ char *at = xasprintf("sys/%s/net/%s", place, name);
	_cleanup_free_ char *type = xasprintf("%s/type", at);
	_cleanup_free_ char *address = xasprintf("%s/address", at);
	_cleanup_free_ char *cable = xasprintf("%s/carrier", at);
	_cleanup_free_ char *event = xasprintf("%s/uevent", at);
	_cleanup_free_ char *device = xasprintf("%s/device", at);
	_cleanup_free_ char *link = xasprintf("sys/class/net/%s", name);
	_cleanup_free_ char *target = xasprintf("../../%s/net/%s", place, name);
	_cleanup_free_ char *text =
		kind ? xasprintf("DEVTYPE=%s\nINTERFACE=%s\n", kind, name)
		     : xasprintf("INTERFACE=%s\n", name);

	fake_file(root, type, "1\n");
	fake_file(root, address, mac);
	fake_file(root, cable, carrier ? "1\n" : "0\n");
	fake_file(root, event, text);
	if (strstr(place, "virtual") == NULL)
		fake_link(root, device, "../..");
	fake_link(root, link, target);
}

/* A dock on USB, two ports on the mainboard, Wi-Fi, a mobile radio, a bridge. */
static char *fake_network(bool first_cable, bool second_cable, bool dock_cable)
{
	char *root = fake_root();

	fake_port(root, "eth0", SLOT "14.0/usb1/1-3/1-3:1.0", "02:00:00:00:00:10", NULL,
		  dock_cable);
	fake_port(root, "eth1", SLOT "1f.6", "8c:16:45:00:00:02", NULL, second_cable);
	fake_port(root, "eth2", SLOT "19.0", "8c:16:45:00:00:01", NULL, first_cable);
	fake_port(root, "wlan0", SLOT "14.3", "8c:16:45:00:00:03", "wlan", false);
	fake_port(root, "wwan0", SLOT "14.0/usb1/1-4/1-4:1.8", "8c:16:45:00:00:04",
		  "wwan", true);
	fake_port(root, "gild0", "devices/virtual", "8c:16:45:00:00:02", "bridge", true);
	return root;
}

static void test_ports(void **state _unused_)
{
	_cleanup_free_ char *root = fake_network(false, true, true);
	struct network_ports ports = VEC_INIT;
	const struct network_wish any = {0}, third = {.device = "0000:00:14.3"},
				  dock = {.device = "02:00:00:00:00:10"},
				  first = {.device = "0000:00:19.0"},
				  part = {.device = "0000:00"};

	network_ports_read(root, &ports);
	assert_int_equal(ports.len, 4);
	assert_string_equal(ports.items[0].name, "wlan0");
	assert_string_equal(ports.items[1].name, "eth2");
	assert_string_equal(ports.items[2].name, "eth1");
	assert_string_equal(ports.items[3].name, "eth0");
	assert_true(ports.items[3].usb && !ports.items[1].usb);
	assert_true(ports.items[0].wireless && !ports.items[1].wireless);

	/* The first with a cable; the one in use stays while it has one. */
	assert_string_equal(network_choose(&ports, &any, "")->name, "eth1");
	assert_string_equal(network_choose(&ports, &any, "eth0")->name, "eth0");
	assert_string_equal(network_choose(&ports, &any, "eth2")->name, "eth1");
	/* Named by address, by place; not by a piece of one. */
	assert_string_equal(network_choose(&ports, &dock, "")->name, "eth0");
	assert_string_equal(network_choose(&ports, &first, "eth1")->name, "eth2");
	assert_null(network_choose(&ports, &part, ""));
	assert_string_equal(network_wireless(&ports, &third)->name, "wlan0");
	assert_string_equal(network_wireless(&ports, &dock)->name, "wlan0");
	network_ports_free(&ports);
}

static void test_no_cable(void **state _unused_)
{
	_cleanup_free_ char *root = fake_network(false, false, false);
	struct network_ports ports = VEC_INIT, none = VEC_INIT;
	const struct network_wish any = {0}, bridge = {.uplink = UPLINK_BRIDGE},
				  nat = {.uplink = UPLINK_NAT},
				  no = {.uplink = UPLINK_NONE};

	network_ports_read(root, &ports);
	/* Without one it stays where it is: the cable comes back there. */
	assert_string_equal(network_choose(&ports, &any, "eth1")->name, "eth1");
	assert_string_equal(network_choose(&ports, &any, "")->name, "eth2");
	assert_null(network_choose(&none, &any, "eth1"));
	/* Wi-Fi only where it is configured and no cable is in. */
	assert_int_equal(network_link(&ports, &any, false), VM_LINK_TAP);
	assert_int_equal(network_link(&ports, &any, true), VM_LINK_USER);
	assert_int_equal(network_link(&none, &any, false), VM_LINK_TAP);
	assert_int_equal(network_link(&ports, &bridge, true), VM_LINK_TAP);
	assert_int_equal(network_link(&ports, &nat, false), VM_LINK_USER);
	assert_int_equal(network_link(&ports, &no, true), VM_LINK_NONE);
	network_ports_free(&ports);
}

static void test_mac(void **state _unused_)
{
	_cleanup_free_ char *root = fake_network(true, true, true);
	struct network_ports ports = VEC_INIT, none = VEC_INIT;
	char one[18], two[18], bare[18];

	network_ports_read(root, &ports);
	network_derive_mac(&ports, "uuid serial Dell", one);
	network_derive_mac(&ports, "uuid serial Dell", two);
	network_derive_mac(&none, "uuid serial Dell", bare);
	assert_true(network_mac_good(one));
	assert_memory_equal(one, "52:54:", 6);
	assert_string_equal(one, two);
	/* The same UUID on another PC, as firmware has it that was never set up. */
	assert_string_not_equal(one, bare);
	/* The dock does not count: with another one the PC stays the same. */
	for (size_t i = 0; i < ports.len; i++)
		if (ports.items[i].usb)
			ports.items[i].address[16] ^= 1;
	network_derive_mac(&ports, "uuid serial Dell", two);
	assert_string_equal(one, two);
	network_ports_free(&ports);
	assert_false(network_mac_good("01:00:5e:00:00:01"));
	assert_false(network_mac_good("00:00:00:00:00:00"));
	assert_false(network_mac_good("52:54:00:00:00:0g"));
	assert_false(network_mac_good("52:54:00:00:00:00:00"));
}

static void test_network_words(void **state _unused_)
{
	static const char *const bad[] = {"uplink=wifi", "mac=01:00:00:00:00:00",
					  "mac=", "address=10.0.0.1"};
	_cleanup_options_ struct options o =
		words("uplink=bridge uplink_device=eth1 mac=host address=dhcp");
	struct network_wish wish;

	assert_int_equal(network_read_wish(&o, &wish, NULL), 0);
	assert_int_equal(wish.uplink, UPLINK_BRIDGE);
	assert_true(wish.host_mac && wish.address && !wish.mac);
	assert_string_equal(wish.device, "eth1");
	assert_int_equal(options_add(&o, "mac=52:54:00:00:00:01", "test", NULL), 0);
	assert_int_equal(network_read_wish(&o, &wish, NULL), 0);
	assert_string_equal(wish.mac, "52:54:00:00:00:01");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_options_ struct options b = words(bad[i]);
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(network_read_wish(&b, &wish, &err), -1);
		assert_non_null(err.remedy);
	}
}

static void test_lease(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();
	_cleanup_free_ char *path = xasprintf("%s/resolv.conf", root);
	_cleanup_free_ char *text = NULL, *again = NULL;

	assert_false(network_is_lease(1));
	assert_int_equal(setenv("gild_lease", "1", 1), 0);
	assert_int_equal(setenv("reason", "BOUND", 1), 0);
	assert_int_equal(setenv("interface", "wlan0", 1), 0);
	assert_true(network_is_lease(1));
	assert_false(network_is_lease(4));
	assert_int_equal(setenv("new_domain_name_servers", "10.0.0.1  10.0.0.2", 1), 0);
	assert_int_equal(network_lease(path), 0);
	text = fake_text(root, "resolv.conf");
	assert_string_equal(text, "nameserver 10.0.0.1\nnameserver 10.0.0.2\n");
	/* What is no address ends it; a lease that is gone changes nothing. */
	assert_int_equal(setenv("new_domain_name_servers", "10.0.0.9;rm 10.0.0.2", 1), 0);
	assert_int_equal(network_lease(path), 1);
	assert_int_equal(unsetenv("new_domain_name_servers"), 0);
	assert_int_equal(network_lease(path), 0);
	again = fake_text(root, "resolv.conf");
	assert_string_equal(again, text);
	(void)unsetenv("gild_lease");
}

/* ---- helpers ---- */

static void test_helper(void **state _unused_)
{
	static const struct helper_rights root_rights = {0};
	_cleanup_free_ char *root = fake_root();
	_cleanup_free_ char *log = xasprintf("%s/log", root);
	_cleanup_free_ char *text = NULL;
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo started; exit 1",
			NULL};
	char *missing[] = {(char *)"/nonexistent", NULL};
	struct helper h;

	assert_int_equal(helper_start(&h, missing, &root_rights, log, NULL), -1);
	assert_int_equal(h.pid, 0);
	assert_int_equal(helper_start(&h, argv, &root_rights, log, NULL), 0);
	/* It ends at once, and is started again after a second. */
	for (unsigned i = 0; i < 100; i++) {
		free(text);
		text = fake_text(root, "log");
		if (text && strcmp(text, "started\nstarted\n") == 0)
			break;
		(void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	assert_string_equal(text, "started\nstarted\n");
	helper_stop(&h);
	assert_int_equal(h.pid, 0);
}

/* ---- USB ---- */

#define HUB SLOT "14.0"

static void fake_usb(const char *root, const char *name, const char *place,
		     const char *class_code, const char *product, unsigned number)
{
	static const char *const keys[] = {"busnum", "devnum", "bDeviceClass", "product"};
	_cleanup_free_ char *bus = xasprintf("%d\n", atoi(name));
	_cleanup_free_ char *devnum = xasprintf("%u\n", number);
	const char *const values[] = {bus, devnum, class_code, product};
	_cleanup_free_ char *link = xasprintf("sys/bus/usb/devices/%s", name);
	_cleanup_free_ char *target = xasprintf("../../../%s", place);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_cleanup_free_ char *path = xasprintf("sys/%s/%s", place, keys[i]);

		fake_file(root, path, values[i]);
	}
	fake_link(root, link, target);
}

static void fake_interface(const char *root, const char *place, const char *class_code,
			   const char *subclass)
{
	_cleanup_free_ char *one = xasprintf("sys/%s/bInterfaceClass", place);
	_cleanup_free_ char *two = xasprintf("sys/%s/bInterfaceSubClass", place);

	fake_file(root, one, class_code);
	fake_file(root, two, subclass);
}

/*
 * 1-1 keyboard; 1-2 a hub with a reader and a stick on it; 2-3 the stick with the image,
 * whose socket is 1-3, too; 1-4 a network adapter.
 */
static char *fake_usb_tree(void)
{
	char *root = fake_root();

	fake_usb(root, "usb1", HUB "/usb1", "09", "xHCI", 1);
	fake_usb(root, "1-1", HUB "/usb1/1-1", "00", "Keyboard", 2);
	fake_interface(root, HUB "/usb1/1-1/1-1:1.0", "03", "01");
	fake_usb(root, "1-2", HUB "/usb1/1-2", "09", "Hub", 3);
	fake_usb(root, "1-2.1", HUB "/usb1/1-2/1-2.1", "00", "Card\x01reader", 4);
	fake_interface(root, HUB "/usb1/1-2/1-2.1/1-2.1:1.0", "0b", "00");
	fake_usb(root, "1-2.4", HUB "/usb1/1-2/1-2.4", "00", "Stick", 5);
	fake_interface(root, HUB "/usb1/1-2/1-2.4/1-2.4:1.0", "08", "06");
	fake_usb(root, "2-3", HUB "/usb2/2-3", "00", "Boot stick", 2);
	fake_interface(root, HUB "/usb2/2-3/2-3:1.0", "08", "06");
	fake_link(root, "sys/" HUB "/usb2/2-3/port", "../2-0:1.0/usb2-port3");
	fake_link(root, "sys/" HUB "/usb2/2-0:1.0/usb2-port3/peer",
		  "../../../usb1/1-0:1.0/usb1-port3");
	fake_link(root, "sys/class/block/sdb1",
		  "../../" HUB
		  "/usb2/2-3/2-3:1.0/host6/target6:0:0/6:0:0:0/block/sdb/sdb1");
	fake_link(root, "sys/class/block/sdc",
		  "../../" HUB "/usb1/1-2/1-2.4/1-2.4:1.0/host7/target7:0:0/block/sdc");
	fake_usb(root, "1-4", HUB "/usb1/1-4", "00", "LAN", 6);
	fake_interface(root, HUB "/usb1/1-4/1-4:1.0", "ff", "ff");
	fake_file(root, "sys/" HUB "/usb1/1-4/1-4:1.0/net/eth0/address", "x");
	return root;
}

static bool only_sdb1(const char *node, void *arg _unused_)
{
	return strcmp(node, "/dev/sdb1") == 0;
}

/* Names of those that the guest may have, with a blank behind each. */
static char *granted(const char *root, const char *text, bool console, bool networked)
{
	_cleanup_options_ struct options o = words(text);
	struct buffer names = BUFFER_INIT;
	struct usb_devices devices = VEC_INIT;
	struct usb_wish wish;
	const struct usb_question q = {.root = root,
				       .wish = &wish,
				       .console = console,
				       .networked = networked,
				       .busy = only_sdb1};

	assert_int_equal(usb_read_wish(&o, &wish, NULL), 0);
	usb_devices_read(root, &devices);
	vec_foreach (d, &devices)
		if (usb_is_meant(&wish, d) && !usb_refusal(&q, d))
			buffer_printf(&names, "%s ", d->name);
	usb_devices_free(&devices);
	usb_wish_free(&wish);
	return buffer_steal_string(&names);
}

static void test_usb(void **state _unused_)
{
	static const struct {
		const char *words;
		bool console, networked;
		const char *granted;
	} cases[] = {
		{"usb=off", true, true, ""},
		{"usb=all-but-boot", true, true, "1-2.1 1-2.4 "},
		{"usb=all-but-boot", false, true, "1-1 1-2.1 1-2.4 "},
		{"usb=all-but-boot", true, false, "1-2.1 1-2.4 1-4 "},
		{"usb=1-2", true, true, "1-2.1 1-2.4 "},
		{"usb=1-2.4,1-1", true, true, "1-1 1-2.4 "},
		/* The stick with the image, by either name of its socket. */
		{"usb=1-3,2-3,1-4", true, true, "1-4 "},
		{"usb=1-20", true, true, ""},
	};
	_cleanup_free_ char *root = fake_usb_tree();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = granted(root, cases[i].words, cases[i].console,
						   cases[i].networked);

		assert_string_equal(got, cases[i].granted);
	}
}

static void test_usb_words(void **state _unused_)
{
	static const char *const bad[] = {"usb=on",	  "usb=1",     "usb=1-",
					  "usb=1-2.",	  "usb=1-2-3", "usb=1.2",
					  "usb=1-2,,1-3", "usb=-1",    "usb=1-2\"}"};
	struct usb_wish wish;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_options_ struct options o = words(bad[i]);
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(usb_read_wish(&o, &wish, &err), -1);
		assert_non_null(strstr(err.remedy, "all-but-boot"));
		usb_wish_free(&wish);
	}
}

static void test_usb_facts(void **state _unused_)
{
	_cleanup_free_ char *root = fake_usb_tree();
	struct usb_devices devices = VEC_INIT;

	usb_devices_read(root, &devices);
	assert_int_equal(devices.len, 6);
	assert_string_equal(devices.items[2].name, "1-2.1");
	assert_string_equal(devices.items[2].label, "Card?reader");
	assert_int_equal(devices.items[2].number, 4);
	assert_true(devices.items[1].hub && devices.items[0].input);
	assert_string_equal(devices.items[5].name, "2-3");
	assert_string_equal(devices.items[5].peer, "1-3");
	usb_devices_free(&devices);
}

/* What is sent to QEMU: nothing can be handed over here, so all that is seen are
 * refusals. */
static void test_usb_update(void **state _unused_)
{
	_cleanup_free_ char *root = fake_usb_tree();
	_cleanup_options_ struct options o = words("usb=2-3");
	struct usb_plugs plugs = VEC_INIT;
	struct qmp qmp = QMP_INIT;
	char text[512];
	ssize_t n;
	int fds[2];
	struct usb_wish wish;
	const struct usb_question q = {.root = root, .wish = &wish, .busy = only_sdb1};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	qmp.fd = fds[0];
	assert_int_equal(usb_read_wish(&o, &wish, NULL), 0);
	usb_update(&q, &plugs, getuid(), &qmp, say);
	usb_update(&q, &plugs, getuid(), &qmp, say);
	assert_int_equal(said.len, 1);
	assert_true(was_said("Boot stick in port 2-3 stays: it holds a disk"));
	/* One that the guest had, and that is gone. */
	vec_push(&plugs, (struct usb_plugged){.name = "1-9", .number = 8});
	usb_update(&q, &plugs, getuid(), &qmp, say);
	n = read(fds[1], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = 0;
	assert_string_equal(text, "{\"execute\":\"device_del\",\"arguments\":"
				  "{\"id\":\"usb-1-9-8\"},\"id\":\"usb-1-9-8\"}\n");
	assert_int_equal(plugs.len, 1);
	vec_free(&plugs);
	usb_wish_free(&wish);
	qmp_close(&qmp);
	close(fds[1]);
}

/* ---- sound ---- */

static void fake_card(const char *root, unsigned card, const char *id, bool usb)
{
	_cleanup_free_ char *path = xasprintf("proc/asound/card%u/id", card);
	_cleanup_free_ char *usbid = xasprintf("proc/asound/card%u/usbid", card);

	fake_file(root, path, id);
	if (usb)
		fake_file(root, usbid, "0d8c:0014\n");
}

static void fake_pcm(const char *root, unsigned card, const char *pcm, const char *name)
{
	_cleanup_free_ char *path = xasprintf("proc/asound/card%u/%s/info", card, pcm);
	_cleanup_free_ char *text =
		xasprintf("card: %u\nid: %s\nname: %s\n", card, name, name);

	fake_file(root, path, text);
}

static void test_sound_card(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();
	struct sound_card card;

	assert_false(sound_find(root, &card));
	/* The screen's card comes first on many PCs, and is silent without loudspeakers.
	 */
	fake_card(root, 0, "HDMI\n", false);
	fake_pcm(root, 0, "pcm3p", "HDMI 0");
	assert_true(sound_find(root, &card));
	assert_string_equal(card.out, "plughw:CARD=HDMI,DEV=3");
	assert_null(card.in);
	sound_card_free(&card);
	fake_card(root, 1, "Headset\n", true);
	fake_pcm(root, 1, "pcm0p", "USB Audio");
	assert_true(sound_find(root, &card));
	assert_true(card.usb);
	sound_card_free(&card);
	fake_card(root, 2, "PCH\n", false);
	fake_pcm(root, 2, "pcm3p", "HDMI 0");
	fake_pcm(root, 2, "pcm0c", "ALC3232 Analog");
	fake_pcm(root, 2, "pcm7p", "ALC3232 Analog");
	assert_true(sound_find(root, &card));
	assert_string_equal(card.out, "plughw:CARD=PCH,DEV=7");
	assert_string_equal(card.in, "plughw:CARD=PCH,DEV=0");
	assert_int_equal(card.card, 2);
	sound_card_free(&card);
}

static void test_sound_expected(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();

	fake_pci(root, &(struct fake_pci){"0000:00:1f.3", "0x8086", "0xa170", "0x040300",
					  -1, NULL, NULL, false});
	assert_false(sound_expected(root));
	fake_pci(root, &(struct fake_pci){"0000:00:1f.3", "0x8086", "0xa170", "0x040300",
					  -1, "snd_hda_intel", NULL, false});
	assert_true(sound_expected(root));
}

static void test_sound_level(void **state _unused_)
{
	assert_int_equal(sound_level("Master Playback Switch"), SOUND_SWITCH);
	assert_int_equal(sound_level("Speaker Playback Volume"), SOUND_VOLUME);
	assert_int_equal(sound_level("Capture Switch"), SOUND_SWITCH);
	assert_int_equal(sound_level("Auto-Mute Mode"), SOUND_LEAVE);
	/* What the microphone would play back into the loudspeaker stays off. */
	assert_int_equal(sound_level("Mic Playback Switch"), SOUND_LEAVE);
	assert_int_equal(sound_level("Master"), SOUND_LEAVE);
}

/* ---- lid ---- */

static bool press(struct lid *lid, unsigned type, unsigned code, int value)
{
	const struct input_event event = {
		.type = (uint16_t)type, .code = (uint16_t)code, .value = value};

	return lid_event(lid, &event);
}

static void fake_backlight(const char *root, const char *name, const char *type,
			   const char *now)
{
	static const char *const keys[] = {"type", "max_brightness", "brightness",
					   "bl_power"};
	const char *const values[] = {type, "100\n", now, "0"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_cleanup_free_ char *path =
			xasprintf("sys/class/backlight/%s/%s", name, keys[i]);

		fake_file(root, path, values[i]);
	}
}

static void is_text(const char *root, const char *path, const char *expected)
{
	_cleanup_free_ char *text = fake_text(root, path);

	assert_string_equal(text, expected);
}

#define INTEL "sys/class/backlight/intel_backlight/"

static void test_lid(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();
	struct lid lid = {.root = root, .say = say};

	fake_backlight(root, "intel_backlight", "raw\n", "50");
	assert_false(press(&lid, EV_SW, SW_LID, 1));
	is_text(root, INTEL "bl_power", "4");
	assert_false(press(&lid, EV_SW, SW_LID, 0));
	is_text(root, INTEL "bl_power", "0");
	lid.wish = LID_IGNORE;
	assert_false(press(&lid, EV_SW, SW_LID, 1));
	is_text(root, INTEL "bl_power", "0");
	lid.wish = LID_OFF;
	assert_true(press(&lid, EV_SW, SW_LID, 1));
	assert_false(press(&lid, EV_SW, SW_LID, 0));
	assert_false(press(&lid, EV_KEY, KEY_SLEEP, 1));
	assert_true(was_said("the PC does not sleep"));
}

/* The presenter is told where there is no backlight. */
static void test_lid_and_presenter(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();
	struct screen screen = {.pid = getpid()};
	struct lid lid = {.root = root, .say = say, .screen = &screen};
	char words[4];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	screen.words = fds[1];
	assert_false(press(&lid, EV_SW, SW_LID, 1));
	assert_true(was_said("the lid is closed: its screen is dark"));
	assert_false(press(&lid, EV_SW, SW_LID, 0));
	lid.wish = LID_IGNORE;
	assert_false(press(&lid, EV_SW, SW_LID, 1));
	assert_int_equal(read(fds[0], words, sizeof(words)), 2);
	assert_memory_equal(words, "bu", 2);
	closep(&fds[0]);
	closep(&fds[1]);
}

static void test_brightness(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();
	struct lid lid = {.root = root, .say = say};

	/* Nothing to set: no harm. */
	assert_false(press(&lid, EV_KEY, KEY_BRIGHTNESSUP, 1));
	fake_backlight(root, "intel_backlight", "raw\n", "50");
	press(&lid, EV_KEY, KEY_BRIGHTNESSUP, 1);
	is_text(root, INTEL "brightness", "60");
	press(&lid, EV_KEY, KEY_BRIGHTNESSUP, 0);
	is_text(root, INTEL "brightness", "60");
	for (unsigned i = 0; i < 12; i++)
		press(&lid, EV_KEY, KEY_BRIGHTNESSUP, 2);
	is_text(root, INTEL "brightness", "100");
	for (unsigned i = 0; i < 12; i++)
		press(&lid, EV_KEY, KEY_BRIGHTNESSDOWN, 2);
	is_text(root, INTEL "brightness", "5");
	/* Where firmware has one, it is the one that works. */
	fake_backlight(root, "acpi_video0", "firmware\n", "50");
	press(&lid, EV_KEY, KEY_BRIGHTNESSDOWN, 1);
	is_text(root, "sys/class/backlight/acpi_video0/brightness", "40");
	is_text(root, INTEL "brightness", "5");
}

static void test_lid_device(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();
	struct lid lid = {.root = root, .say = say, .wish = LID_OFF};
	const struct input_event event = {.type = EV_SW, .code = SW_LID, .value = 1};
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_false(lid_read(&lid, fds[0]));
	assert_int_equal(write(fds[1], &event, sizeof(event)), sizeof(event));
	assert_true(lid_read(&lid, fds[0]));
	close(fds[0]);
	close(fds[1]);
	/* No folder of devices at all. */
	lid_open(&lid);
	assert_int_equal(lid.devices.len, 0);
	lid_close(&lid);
}

/* ---- all ---- */

static void test_words(void **state _unused_)
{
	static const char *const bad[] = {"sound=on", "lid=sleep", "usb=x", "uplink=x"};
	_cleanup_options_ struct options none = words("");
	struct devices d = DEVICES_INIT;

	struct devices_words one = {.all = &none, .own = &none};

	assert_int_equal(devices_configure(&d, &none, NULL), 0);
	assert_int_equal(devices_add_guest(&d, &one, NULL), 0);
	assert_true(d.guests[0].sound && !usb_wanted(&d.guests[0].usb));
	assert_int_equal(d.lid.wish, LID_BLANK);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_options_ struct options o = words(bad[i]);
		_cleanup_error_ struct error err = ERROR_INIT;

		one.all = one.own = &o;
		if (devices_configure(&d, &o, &err) == 0)
			assert_int_equal(devices_add_guest(&d, &one, &err), -1);
		assert_non_null(err.remedy);
	}
	devices_end(&d);
}

/* The first has USB and sound, but for what the second's own words say. */
static void test_two_guests(void **state _unused_)
{
	_cleanup_free_ char *root = fake_usb_tree();
	_cleanup_options_ struct options none = words(""),
					 all = words("usb=all-but-boot"),
					 own = words("usb=1-4 sound=auto "
						     "mac=52:54:00:00:00:09");
	const struct devices_words first = {.name = "a", .all = &all, .own = &none},
				   second = {.name = "b", .all = &own, .own = &own};
	struct devices d = DEVICES_INIT;
	struct qmp qmp = QMP_INIT;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	qmp.fd = fds[0];
	d.root = root;
	d.say = say;
	d.console = true;
	assert_int_equal(devices_add_guest(&d, &first, NULL), 0);
	assert_int_equal(devices_add_guest(&d, &second, NULL), 0);
	assert_string_equal(d.network.guests[1].wish, "52:54:00:00:00:09");
	assert_true(d.guests[0].sound && d.guests[1].sound);
	assert_true(!d.guests[0].heard && d.guests[1].heard);
	d.network.link = VM_LINK_TAP;
	devices_tell(&d, 0, &qmp, true);
	assert_true(was_said("port 1-1 stays"));
	assert_false(was_said("port 1-4"));
	usb_wish_free(&d.guests[1].usb);
	devices_tell(&d, 0, &qmp, false);
	assert_true(was_said("port 1-4 stays"));
	close(fds[1]);
	qmp_close(&qmp);
	devices_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_no_cable),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_network_words),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_helper),
		cmocka_unit_test(test_usb),
		cmocka_unit_test(test_usb_words),
		cmocka_unit_test(test_usb_facts),
		cmocka_unit_test_teardown(test_usb_update, forget),
		cmocka_unit_test(test_sound_card),
		cmocka_unit_test(test_sound_expected),
		cmocka_unit_test(test_sound_level),
		cmocka_unit_test_teardown(test_lid_and_presenter, forget),
		cmocka_unit_test_teardown(test_lid, forget),
		cmocka_unit_test_teardown(test_brightness, forget),
		cmocka_unit_test(test_lid_device),
		cmocka_unit_test_teardown(test_words, forget),
		cmocka_unit_test_teardown(test_two_guests, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
