/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's own devices: fw_cfg by the kernel's driver, the debug console by /dev/port, and
 * the Bochs display (docs/specs/standard-vga.txt), which needs no driver and takes any
 * mode. No port is used from here: TCG does not let a program in a nested guest, whatever
 * iopl() says.
 *
 * A kernel that was started under Secure Boot gives neither /dev/port nor devices' memory
 * away: then the answer goes out by a serial port of virtio's, and the picture is drawn
 * on the frame buffer that firmware has left.
 */
#include "guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define NONCE "/sys/firmware/qemu_fw_cfg/by_name/opt/gild/nonce/raw"
#define DEBUG_CONSOLE 0x402

/* In the display's third BAR: VGA's ports from 0x3c0 on, and its own registers. */
#define VGA_PORTS 0x400
#define DISPI 0x500
enum dispi {
	DISPI_ID = 0,
	DISPI_XRES = 1,
	DISPI_YRES = 2,
	DISPI_BPP = 3,
	DISPI_ENABLE = 4,
};
#define DISPI_ENABLED 0x41 /* and linear */

/* The picture: 16 x 12 cells. tests/guest/picture.py knows their colours, too. */
#define WIDTH 800
#define HEIGHT 600
#define CELL 50

bool read_nonce(char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s", line_of(NONCE));
	return *ret;
}

#define PORTS "/sys/class/virtio-ports"
#define PORT_NAME "gild.nonce" /* hypervisor/init/vm.c */

/* The node of the serial port of that name. */
static bool find_port(char *ret, size_t size)
{
	DIR *dir = opendir(PORTS);
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir))) {
		char path[300];

		(void)snprintf(path, sizeof(path), PORTS "/%s/name", e->d_name);
		found = strcmp(line_of(path), PORT_NAME) == 0;
		(void)snprintf(ret, size, "/dev/%s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void echo_by_serial_port(const char *text)
{
	char path[300];
	int fd;

	for (int i = 0; i < WAIT_STEPS && !find_port(path, sizeof(path)); i++)
		wait_a_little();
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	if (fd >= 0)
		close(fd);
}

void echo(const char *text)
{
	int fd = open("/dev/port", O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		echo_by_serial_port(text);
		return;
	}
	for (; *text; text++)
		if (pwrite(fd, text, 1, DEBUG_CONSOLE) != 1)
			perror("/dev/port");
	close(fd);
}

/* ---- the screen ---- */

static void *map(const char *device, unsigned bar, size_t size)
{
	char path[300];
	void *result;
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%u", device,
		       bar);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return result == MAP_FAILED ? NULL : result;
}

/* Of the display controller: its frame buffer, and the page with its registers. */
static bool map_display(uint32_t **pixels, volatile uint8_t **registers)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *e;

	*pixels = NULL;
	*registers = NULL;
	while (dir && !*pixels && (e = readdir(dir))) {
		char path[300];

		(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class",
			       e->d_name);
		if (strncmp(line_of(path), "0x0300", 6) != 0)
			continue;
		*pixels = map(e->d_name, 0, (size_t)WIDTH * HEIGHT * 4);
		*registers = map(e->d_name, 2, 4096);
	}
	if (dir)
		closedir(dir);
	return *pixels && *registers;
}

static uint32_t colour(unsigned column, unsigned row, bool good)
{
	if (row == HEIGHT / CELL - 1)
		return good ? 0x00c800 : 0xc80000;
	return (column * 16 + 8) << 16 | (row * 20 + 10) << 8 |
	       ((column ^ row) & 1 ? 200 : 60);
}

static void paint(uint8_t *to, size_t line, bool good)
{
	for (unsigned y = 0; y < HEIGHT; y++, to += line)
		for (unsigned x = 0; x < WIDTH; x++)
			((uint32_t *)to)[x] = colour(x / CELL, y / CELL, good);
}

/* What firmware set up, in the mode that mkguest has the kernel ask for. */
static void draw_frame_buffer(bool good)
{
	struct fb_var_screeninfo mode = {0};
	struct fb_fix_screeninfo memory = {0};
	int fd = open("/dev/fb0", O_RDWR | O_CLOEXEC);
	void *pixels = MAP_FAILED;

	if (fd >= 0 && ioctl(fd, FBIOGET_VSCREENINFO, &mode) == 0 &&
	    ioctl(fd, FBIOGET_FSCREENINFO, &memory) == 0 && mode.xres == WIDTH &&
	    mode.yres == HEIGHT && mode.bits_per_pixel == 32)
		pixels = mmap(NULL, (size_t)memory.line_length * HEIGHT,
			      PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixels == MAP_FAILED)
		fail("screen", "no frame buffer: %ux%u of %u bits", mode.xres, mode.yres,
		     mode.bits_per_pixel);
	else
		paint(pixels, memory.line_length, good);
	close(fd);
}

void draw(bool good)
{
	volatile uint8_t *registers;
	volatile uint16_t *dispi;
	uint32_t *pixels;

	if (!map_display(&pixels, &registers)) {
		draw_frame_buffer(good);
		return;
	}
	dispi = (volatile uint16_t *)(registers + DISPI);
	if ((dispi[DISPI_ID] & 0xfff0) != 0xb0c0) {
		fail("screen", "no Bochs display");
		return;
	}
	dispi[DISPI_ENABLE] = 0;
	dispi[DISPI_XRES] = WIDTH;
	dispi[DISPI_YRES] = HEIGHT;
	dispi[DISPI_BPP] = 32;
	dispi[DISPI_ENABLE] = DISPI_ENABLED;
	paint((uint8_t *)pixels, WIDTH * sizeof(*pixels), good);
	/* The attribute controller lets the picture through; 0x3da makes 0x3c0 an index.
	 */
	(void)registers[VGA_PORTS + 0x1a];
	registers[VGA_PORTS] = 0x20;
}
