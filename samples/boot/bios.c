/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stand-in for bootmgr on the sample Windows, started by the boot record of an NTFS
 * volume on an MBR disk. Says on the first serial port and the screen whether it was
 * loaded whole, whether the drive and the boot sector that it was handed are those of the
 * disk's active partition, and what \Boot\BCD would start: a partition of this disk, on
 * which the loader must be.
 *
 * Reads NTFS itself (public documentation of the linux-ntfs project): folders by going
 * through all of their index blocks, files by their runs. Shares no code with gild.
 */
#include "ntfs.h"
#include "store.h"

#define COM1 0x3f8u
#define BOOT_SECTOR ((const uint8_t *)0x7c00)
#define BOUNCE 0x10000u /* where the BIOS reads to: 32 KiB */
#define BOUNCE_SECTORS 64u
#define PACKET 0x500u
#define STORE ((uint8_t *)0x1000000)
#define STORE_MAX (8u << 20)

uint32_t bios_call(uint32_t interrupt_and_ax, uint32_t bx, uint32_t dx, uint32_t si);
_Noreturn void bios_main(uint32_t drive);
extern const uint32_t pattern[], pattern_words; /* bios_start.S */

static uint32_t boot_drive;
static char line[400];

/* clang calls these for copies and initialisations. */
void *memcpy(void *to, const void *from, size_t len)
{
	volatile uint8_t *d = to;
	const uint8_t *s = from;

	while (len--)
		*d++ = *s++;
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	volatile uint8_t *d = to;

	while (len--)
		*d++ = (uint8_t)byte;
	return to;
}

/* ---- output ---- */

static uint8_t port_in(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void put(char c)
{
	for (unsigned i = 0; i < 100000 && !(port_in(COM1 + 5) & 0x20); i++)
		;
	__asm__ volatile("outb %0, %1" : : "a"(c), "Nd"((uint16_t)COM1));
	bios_call(0x100e00u | (uint8_t)c, 7, 0, 0);
}

static void say(const char *text)
{
	put('\r');
	put('\n');
	for (; *text; text++)
		put(*text);
	put('\r');
	put('\n');
}

/* ---- the disk ---- */

/* A disk address packet of INT 13h, AH=42h. */
struct packet {
	uint8_t size, reserved;
	uint16_t count, offset, segment;
	uint64_t sector;
};

int disk_read(uint64_t sector, uint32_t count, void *data)
{
	struct packet *packet = (struct packet *)PACKET;
	uint8_t *to = data;

	while (count) {
		uint32_t n = count < BOUNCE_SECTORS ? count : BOUNCE_SECTORS;

		*packet = (struct packet){.size = 16,
					  .count = (uint16_t)n,
					  .segment = BOUNCE >> 4,
					  .sector = sector};
		if (bios_call(0x134200, 0, boot_drive, PACKET))
			return 0;
		memcpy(to, (const void *)BOUNCE, n * 512);
		to += n * 512;
		sector += n;
		count -= n;
	}
	return 1;
}

/* ---- the verdict ---- */

static int is_whole(void)
{
	uint32_t value = 1;

	for (uint32_t i = 0; i < pattern_words; i++) {
		if (pattern[i] != value)
			return 0;
		value = value * 1664525u + 1013904223u;
	}
	return 1;
}

/* The active partition's entry in the table. */
static const uint8_t *active(const uint8_t *mbr)
{
	for (unsigned i = 0; i < 4; i++)
		if (mbr[446 + 16 * i] == 0x80)
			return mbr + 446 + 16 * i;
	return NULL;
}

static int has_partition(const uint8_t *mbr, uint64_t start)
{
	for (unsigned i = 0; i < 4; i++)
		if (mbr[446 + 16 * i + 4] && le32(mbr + 446 + 16 * i + 8) == start)
			return 1;
	return 0;
}

/* Which volume the entry is on: its first sector, or what is wrong. */
static const char *find_volume(const uint8_t *mbr, uint32_t own,
			       const struct boot_entry *entry, uint64_t *start)
{
	struct boot_partition partition;
	char path[128];

	*start = own;
	if (store_is_boot(entry) || store_locate(entry, path, sizeof(path)))
		return NULL;
	if (!store_partition(entry, &partition) || partition.gpt)
		return "the default entry's device is no partition of an MBR disk";
	if (partition.signature != le32(mbr + 440))
		return "the default entry's device is on another disk";
	*start = partition.offset / 512;
	return has_partition(mbr, *start)
		       ? NULL
		       : "no partition begins where the default entry's does";
}

/* What is wrong names the file. */
static const char *read_file(uint32_t start, const char *path, uint8_t *data,
			     uint32_t *size)
{
	const char *wrong = ntfs_read_file(start, path, data, STORE_MAX, size);

	if (wrong)
		text_add(line, sizeof(line), path);
	return wrong;
}

static const char *judge_store(const uint8_t *mbr, uint32_t own)
{
	struct store store = {.data = STORE};
	struct boot_entry entry;
	const char *wrong;
	uint64_t start;
	uint32_t size;

	wrong = read_file(own, "\\Boot\\BCD", STORE, &store.size);
	if (!wrong)
		wrong = store_default(&store, &entry);
	if (!wrong)
		wrong = find_volume(mbr, own, &entry, &start);
	/* Behind the store: its entries are still pointed at. */
	if (!wrong)
		wrong = read_file((uint32_t)start, entry.path, STORE + STORE_MAX, &size);
	if (wrong)
		return wrong;
	text_add(line, sizeof(line), "BCD ok, volume at sector ");
	text_add_number(line, sizeof(line), (uint32_t)start);
	text_add(line, sizeof(line), " found, path ");
	text_add(line, sizeof(line), entry.path);
	return NULL;
}

static const char *judge(void)
{
	static uint8_t mbr[512], sector[512];
	const uint8_t *partition;

	if (!is_whole())
		return "it was not loaded whole";
	if (boot_drive < 0x80)
		return "DL is no hard disk";
	if (!disk_read(0, 1, mbr) || le16(mbr + 510) != 0xaa55)
		return "the disk has no MBR";
	partition = active(mbr);
	if (!partition)
		return "no partition is active";
	if (!disk_read(le32(partition + 8), 1, sector))
		return "the active partition cannot be read";
	/* All but the drive's number, which the boot record writes. */
	if (!same_bytes(sector, BOOT_SECTOR, 0x24) ||
	    !same_bytes(sector + 0x28, BOOT_SECTOR + 0x28, 12 * 16) ||
	    BOOT_SECTOR[0x24] != boot_drive)
		return "at 0000:7c00 is not the active partition's boot sector";
	if (le32(BOOT_SECTOR + 0x1c) != le32(partition + 8))
		return "the volume's hidden sectors are not where it begins";
	return judge_store(mbr, le32(partition + 8));
}

void bios_main(uint32_t drive)
{
	const char *wrong;

	boot_drive = drive;
	text_add(line, sizeof(line), "gild stand-in: ");
	wrong = judge();
	if (wrong)
		text_add(line, sizeof(line), wrong);
	say(line);
	for (;;)
		__asm__ volatile("hlt");
}
