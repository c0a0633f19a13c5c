/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stand-in for bootmgfw.efi on the sample Windows: reads \EFI\Microsoft\Boot\BCD on the
 * volume that it was started from, takes the default entry's device and path, and looks
 * for that partition in the GPT of the same disk. One line on the first serial port and
 * on the console says what it found; a picture shows that it ran. Then it waits.
 *
 * Built by clang and lld-link without any library; shares no code with gild.
 */
#include "efi.h"
#include "store.h"

#define STORE_MAX ((size_t)8 << 20)
#define BLOCK_MAX 4096u
#define HANDLES_MAX 256u
#define COM1 0x3f8u

struct program {
	struct efi_system_table *system;
	struct efi_boot_services *boot;
	efi_handle device; /* the volume */
	uint8_t own[16];   /* its partition's GUID */
	char line[400];
};

/* clang calls these for copies and initialisations. */
void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);

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

#if defined(__x86_64__) || defined(__i386__)
static uint8_t port_in(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* Directly: the firmware's console wraps lines and adds escape sequences. */
static void serial(const char *text)
{
	for (; *text; text++) {
		for (unsigned i = 0; i < 100000 && !(port_in(COM1 + 5) & 0x20); i++)
			;
		__asm__ volatile("outb %0, %1" : : "a"(*text), "Nd"((uint16_t)COM1));
	}
}

/*
 * For the tests of the hypervisor: a guest that came up writes the text that QEMU's
 * fw_cfg (docs/specs/fw_cfg.txt; big-endian) has as opt/gild/nonce to port 0x402.
 */
#define FW_CFG 0x510u
#define FW_CFG_DIRECTORY 0x19u
#define FW_CFG_FILES 256u
#define DEBUG_CONSOLE 0x402u

static void select_item(uint32_t item)
{
	__asm__ volatile("outw %0, %1" : : "a"((uint16_t)item), "Nd"((uint16_t)FW_CFG));
}
static uint32_t number(unsigned bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | port_in(FW_CFG + 1);
	return v;
}

/* Its length; the item is selected then. 0: there is none. */
static uint32_t find_nonce(void)
{
	static const char want[] = "opt/gild/nonce";
	uint32_t files;

	select_item(0);
	if (number(4) != 0x51454d55) /* "QEMU" */
		return 0;
	select_item(FW_CFG_DIRECTORY);
	files = number(4);
	for (uint32_t i = 0; i < files && i < FW_CFG_FILES; i++) {
		uint32_t size = number(4), item = number(4) >> 16, wrong = 0;

		for (unsigned j = 0; j < 56; j++) {
			uint8_t c = port_in(FW_CFG + 1);

			wrong |= j < sizeof(want) && c != (uint8_t)want[j];
		}
		if (wrong)
			continue;
		select_item(item);
		return size;
	}
	return 0;
}

static void answer(void)
{
	for (uint32_t left = find_nonce(); left; left--)
		__asm__ volatile("outb %0, %1"
				 :
				 : "a"(port_in(FW_CFG + 1)),
				   "Nd"((uint16_t)DEBUG_CONSOLE));
}
#else
static void serial(const char *text)
{
	(void)text;
}
static void answer(void)
{
}
#endif

static void console(struct program *p, const char *text)
{
	uint16_t wide[2] = {0};

	for (; *text; text++) {
		wide[0] = (uint8_t)*text;
		p->system->console_out->output_string(p->system->console_out, wide);
	}
}

static void say(struct program *p, const char *text)
{
	serial("\r\n");
	serial(text);
	serial("\r\n");
	console(p, text);
	console(p, "\r\n");
}

/* ---- the picture ---- */

/* Seven rows of five dots: the letters of "gild". */
static const uint8_t letters[4][7] = {
	{0x0e, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0f},
	{0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e},
	{0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f},
	{0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e},
};

static void fill(struct efi_graphics *g, uint32_t colour, uint32_t x, uint32_t y,
		 uint32_t width, uint32_t height)
{
	g->blt(g, &colour, 0, 0, 0, x, y, width, height, 0);
}

/* A banner over the lower third; the text of the console is above it. */
static void draw(struct program *p, int good)
{
	static const struct efi_guid guid = EFI_GRAPHICS;
	struct efi_graphics *g;
	uint32_t width, height, dot, top;

	if (p->boot->locate_protocol(&guid, NULL, (void **)&g) != 0)
		return;
	width = g->mode->info->width;
	height = g->mode->info->height / 3;
	top = 2 * height;
	dot = height / 14;
	fill(g, 0, 0, 0, width, 3 * height);
	for (uint32_t y = 0; y < height; y++)
		fill(g, 0x102040 + (y * 96 / height), 0, top + y, width, 1);
	fill(g, good ? 0x30b060 : 0xd04040, 0, top, width, dot);
	for (uint32_t i = 0; i < 4 * 7 * 5; i++) {
		uint32_t letter = i / 35, row = i / 5 % 7, column = i % 5;

		if (letters[letter][row] >> (4 - column) & 1)
			fill(g, 0xf0f0f0, dot * (3 + letter * 6 + column),
			     top + dot * (4 + row), dot, dot);
	}
}

/* ---- the volume and its disk ---- */

/* The partition's GUID is in the last node of the volume's device path. */
static int own_partition(struct program *p)
{
	static const struct efi_guid guid = EFI_DEVICE_PATH;
	const uint8_t *node;

	if (p->boot->handle_protocol(p->device, &guid, (void **)&node) != 0)
		return 0;
	for (; node[0] != 0x7f && le16(node + 2) >= 4; node += le16(node + 2)) {
		/* media, hard disk, signature is a GUID */
		if (node[0] != 4 || node[1] != 1 || node[41] != 2)
			continue;
		memcpy(p->own, node + 24, sizeof(p->own));
		return 1;
	}
	return 0;
}

static const char *read_store(struct program *p, struct store *store)
{
	static const struct efi_guid guid = EFI_FILE_SYSTEM;
	struct efi_file_system *volume;
	struct efi_file *root, *file;
	size_t size = STORE_MAX;
	void *data;

	if (p->boot->handle_protocol(p->device, &guid, (void **)&volume) != 0 ||
	    volume->open_volume(volume, &root) != 0)
		return "the volume cannot be opened";
	if (root->open(root, &file, (const uint16_t *)u"\\EFI\\Microsoft\\Boot\\BCD", 1,
		       0) != 0)
		return "there is no \\EFI\\Microsoft\\Boot\\BCD";
	if (p->boot->allocate_pool(2, size, &data) != 0 ||
	    file->read(file, &size, data) != 0)
		return "the BCD store cannot be read";
	store->data = data;
	store->size = (uint32_t)size;
	return NULL;
}

/* Calls for the entries of one disk's GPT: 1 both partitions are in it, 0 not. */
static int search_disk(struct efi_block_io *io, const uint8_t *own,
		       const struct boot_partition *wanted)
{
	static uint8_t header[BLOCK_MAX], block[BLOCK_MAX];
	uint32_t size = io->media->block_size, entry, count;
	int has_own = 0, has_wanted = 0;

	if (!io->media->present || io->media->logical_partition || size > BLOCK_MAX ||
	    io->read(io, io->media->id, 1, size, header) != 0 ||
	    !same_bytes(header, "EFI PART", 8) ||
	    !same_bytes(header + 56, wanted->disk, 16))
		return 0;
	entry = le32(header + 84);
	count = le32(header + 80);
	if (entry < 128 || entry > size || size % entry)
		return 0;
	for (uint32_t i = 0; i < count && i < 1024; i++) {
		const uint8_t *e = block + i * entry % size;

		if (i * entry % size == 0 &&
		    io->read(io, io->media->id, le64(header + 72) + i * entry / size,
			     size, block) != 0)
			return 0;
		has_own |= same_bytes(e + 16, own, 16);
		has_wanted |= same_bytes(e + 16, wanted->partition, 16);
	}
	return has_own && has_wanted;
}

static int search(struct program *p, const struct boot_partition *wanted)
{
	static const struct efi_guid guid = EFI_BLOCK_IO;
	efi_handle *handles;
	size_t count;

	if (p->boot->locate_handle_buffer(2, &guid, NULL, &count, &handles) != 0)
		return 0;
	for (size_t i = 0; i < count && i < HANDLES_MAX; i++) {
		struct efi_block_io *io;

		if (p->boot->handle_protocol(handles[i], &guid, (void **)&io) == 0 &&
		    search_disk(io, p->own, wanted))
			return 1;
	}
	return 0;
}

/* ---- the verdict ---- */

/* What is wrong, or NULL and the verdict's end in p->line. */
static const char *judge(struct program *p)
{
	struct boot_partition partition;
	struct boot_entry entry;
	struct store store;
	const char *wrong = read_store(p, &store);
	char text[128];

	if (!wrong)
		wrong = store_default(&store, &entry);
	if (wrong)
		return wrong;
	if (store_locate(&entry, text, sizeof(text))) {
		text_add(p->line, sizeof(p->line), "BCD ok, any volume with ");
		text_add(p->line, sizeof(p->line), text);
	} else if (store_partition(&entry, &partition) && partition.gpt) {
		if (!own_partition(p))
			return "the volume is no GPT partition";
		guid_text(partition.partition, text);
		if (!search(p, &partition)) {
			text_add(p->line, sizeof(p->line), text);
			return " is no partition of this disk";
		}
		text_add(p->line, sizeof(p->line), "BCD ok, partition ");
		text_add(p->line, sizeof(p->line), text);
		text_add(p->line, sizeof(p->line), " found");
	} else {
		return "the default entry's device is no GPT partition";
	}
	text_add(p->line, sizeof(p->line), ", path ");
	text_add(p->line, sizeof(p->line), entry.path);
	return NULL;
}

efi_status efi_main(efi_handle image, struct efi_system_table *system);
efi_status efi_main(efi_handle image, struct efi_system_table *system)
{
	static const struct efi_guid guid = EFI_LOADED_IMAGE;
	struct program p = {.system = system, .boot = system->boot_services};
	struct efi_loaded_image *loaded;
	const char *wrong;

	p.boot->set_watchdog_timer(0, 0, 0, NULL);
	text_add(p.line, sizeof(p.line), "gild stand-in: ");
	if (p.boot->handle_protocol(image, &guid, (void **)&loaded) != 0) {
		wrong = "it was not started as a program";
	} else {
		p.device = loaded->device;
		wrong = judge(&p);
	}
	if (wrong)
		text_add(p.line, sizeof(p.line), wrong);
	system->console_out->clear_screen(system->console_out);
	draw(&p, !wrong);
	say(&p, p.line);
	if (!wrong)
		answer();
	for (;;)
		p.boot->stall(1000000);
}
