/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's own ports: fw_cfg (docs/specs/fw_cfg.txt), the debug console, the Bochs display
 * (docs/specs/standard-vga.txt), which needs no driver and takes any mode.
 */
#include "guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

#define FW_CFG_SELECT 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_DIRECTORY 0x19
#define MAX_FILES 256
#define DEBUG_CONSOLE 0x402

#define DISPI_INDEX 0x1ce
#define DISPI_DATA 0x1cf
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

static void read_data(void *to, size_t len)
{
	uint8_t *p = to;

	/* Not insb(): the compiler is not told that it writes to memory. */
	while (len--)
		*p++ = inb(FW_CFG_DATA);
}

static uint32_t read_be(unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | inb(FW_CFG_DATA);
	return value;
}

bool read_nonce(char *ret, size_t size)
{
	uint32_t files;

	outw(FW_CFG_DIRECTORY, FW_CFG_SELECT);
	files = read_be(4);
	for (uint32_t i = 0; i < files && i < MAX_FILES; i++) {
		uint32_t len = read_be(4), select = read_be(2);
		char name[57] = "";

		(void)read_be(2);
		read_data(name, 56);
		if (strcmp(name, "opt/gild/nonce") != 0 || len >= size)
			continue;
		outw((uint16_t)select, FW_CFG_SELECT);
		read_data(ret, len);
		ret[len] = 0;
		return len != 0;
	}
	return false;
}

void echo(const char *text)
{
	for (; *text; text++)
		outb((uint8_t)*text, DEBUG_CONSOLE);
}

/* ---- the screen ---- */

static void dispi(enum dispi index, uint16_t value)
{
	outw(index, DISPI_INDEX);
	outw(value, DISPI_DATA);
}

/* The frame buffer is the first BAR of the display controller. */
static uint32_t *map_display(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	void *map = MAP_FAILED;
	struct dirent *e;

	while (dir && map == MAP_FAILED && (e = readdir(dir))) {
		char path[300];
		int fd;

		(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class",
			       e->d_name);
		if (strncmp(line_of(path), "0x0300", 6) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0",
			       e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		map = mmap(NULL, (size_t)WIDTH * HEIGHT * 4, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
		close(fd);
	}
	if (dir)
		closedir(dir);
	return map == MAP_FAILED ? NULL : map;
}

static uint32_t colour(unsigned column, unsigned row, bool good)
{
	if (row == HEIGHT / CELL - 1)
		return good ? 0x00c800 : 0xc80000;
	return (column * 16 + 8) << 16 | (row * 20 + 10) << 8 |
	       ((column ^ row) & 1 ? 200 : 60);
}

void draw(bool good)
{
	uint32_t *pixels = map_display();

	outw(DISPI_ID, DISPI_INDEX);
	if (!pixels || (inw(DISPI_DATA) & 0xfff0) != 0xb0c0) {
		fail("screen", pixels ? "no Bochs display" : "no display controller: %m");
		return;
	}
	dispi(DISPI_ENABLE, 0);
	dispi(DISPI_XRES, WIDTH);
	dispi(DISPI_YRES, HEIGHT);
	dispi(DISPI_BPP, 32);
	dispi(DISPI_ENABLE, DISPI_ENABLED);
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < WIDTH; x++)
			pixels[y * WIDTH + x] = colour(x / CELL, y / CELL, good);
	outb(0x20, 0x3c0); /* the attribute controller lets the picture through */
}
