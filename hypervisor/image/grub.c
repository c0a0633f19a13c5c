/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/grub.h"

#include <ctype.h>
#include <stdio.h>

#include "base/file.h"
#include "base/process.h"
#include "image/media.h"

#define PLATFORM "/usr/lib/grub/i386-pc"
#define GRUB_PACKAGE "grub-pc-bin"
#define SECTOR 512
/*
 * GRUB's include/grub/i386/pc/boot.h: the sector of the image, the jump that keeps the
 * BIOS' drive number (two bytes; NOPs for hard disks, as grub-bios-setup writes), and how
 * long boot code may be.
 */
#define BOOT_KERNEL_SECTOR 0x5c
#define BOOT_DRIVE_CHECK 0x66
#define BOOT_CODE_SIZE 440
#define NOP 0x90
/* The image's first sector loads the rest: start, length in sectors, segment. */
#define BLOCK_LIST (SECTOR - 12)

#define SECONDS_SEVERAL 10
#define SECONDS_ONE 1

/* ---- settings ---- */

static const char remark[] = "# Made by gild pack.\n";

/* The wait for somebody who wants the menu. With one image only Esc shows it. */
static void add_timeout(struct buffer *b, size_t images)
{
	if (images > 1)
		buffer_printf(b, "set timeout_style=menu\nset timeout=%d\n",
			      SECONDS_SEVERAL);
	else
		buffer_printf(b, "set timeout_style=hidden\nset timeout=%d\n",
			      SECONDS_ONE);
	/* A linear frame buffer, for PCs whose graphics has no driver in the image. */
	buffer_append_string(b, "if [ \"$grub_platform\" = pc ]; then\n"
				"\tset gfxpayload=1024x768x32,1024x768,800x600,text\n"
				"fi\n");
}

/*
 * The PC's own Windows, where it has one: by UEFI its boot manager, by BIOS its disk.
 * Patterns find it without a word where there is none; a pattern that nothing fits stays
 * as it is.
 */
static const char native[] =
	"if [ \"$grub_platform\" = efi ]; then\n"
	"\tfor file in (hd*,gpt*)/EFI/Microsoft/Boot/bootmgfw.efi; do\n"
	"\t\tif [ -e \"$file\" ]; then\n"
	"\t\t\tregexp --set=1:disk '^.([^)]+)' \"$file\"\n"
	"\t\t\tmenuentry \"Windows on this PC's own disk\" --id native \"$disk\" {\n"
	"\t\t\t\tset root=\"$2\"\n"
	"\t\t\t\tchainloader /EFI/Microsoft/Boot/bootmgfw.efi\n"
	"\t\t\t}\n"
	"\t\tfi\n"
	"\tdone\n"
	"else\n"
	"\tregexp --set=1:medium '^([a-z]+[0-9]+)' \"$root\"\n"
	"\tfor file in (hd*,*)/bootmgr (hd*,*)/ntldr; do\n"
	"\t\tif [ -e \"$file\" ]; then\n"
	"\t\t\tregexp --set=1:disk '^.([a-z]+[0-9]+)' \"$file\"\n"
	"\t\t\tif [ \"$disk\" != \"$medium\" ]; then\n"
	"\t\t\t\tmenuentry \"Windows on this PC's own disk\" --id native \"$disk\" {\n"
	"\t\t\t\t\tset root=\"$2\"\n"
	"\t\t\t\t\tdrivemap -s hd0 \"$2\"\n"
	"\t\t\t\t\tchainloader +1\n"
	"\t\t\t\t}\n"
	"\t\t\tfi\n"
	"\t\tfi\n"
	"\tdone\n"
	"fi\n";

char *grub_settings_slots(size_t images)
{
	struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, remark);
	add_timeout(&b, images);
	buffer_append_string(
		&b,
		"# Each start of a slot uses up one of its tries, until a guest has run\n"
		"# and init gives them back; then the other slot is started.\n"
		"load_env -f /" LAYOUT_GRUBENV " slot tries next\n"
		"# Init wants the PC's own Windows once, without using up a try.\n"
		"if [ \"$next\" = native ]; then\n"
		"\tset next=\n"
		"\tsave_env -f /" LAYOUT_GRUBENV " next\n"
		"\tset default=native\n"
		"\tset timeout=0\n"
		"\tset once=yes\n"
		"fi\n"
		"if [ \"$slot\" = b ]; then set other=a; else set slot=a; set other=b; "
		"fi\n"
		"if [ -z \"$once\" -a -e /" LAYOUT_FOLDER "/$other/menu.cfg ]; then\n"
		"\tif [ \"$tries\" = 0 ]; then\n"
		"\t\tset used=$slot\n"
		"\t\tset slot=$other\n"
		"\t\tset other=$used\n"
		"\t\tset tries=3\n"
		"\tfi\n"
		"\tif [ \"$tries\" = 1 ]; then set tries=0\n"
		"\telif [ \"$tries\" = 2 ]; then set tries=1\n"
		"\telse set tries=2; fi\n"
		"\tsave_env -f /" LAYOUT_GRUBENV " slot tries\n"
		"fi\n"
		"source /" LAYOUT_FOLDER "/$slot/menu.cfg\n"
		"if [ -e /" LAYOUT_FOLDER "/$other/menu.cfg ]; then\n"
		"\texport other\n"
		"\tsubmenu \"The other version\" --id other {\n"
		"\t\tsource /" LAYOUT_FOLDER "/$other/menu.cfg\n"
		"\t}\n"
		"fi\n");
	buffer_append_string(&b, native);
	return buffer_steal_string(&b);
}

char *grub_settings_single(size_t images)
{
	struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, remark);
	add_timeout(&b, images);
	buffer_append_string(&b, "source /" LAYOUT_FOLDER "/menu.cfg\n");
	buffer_append_string(&b, native);
	return buffer_steal_string(&b);
}

char *grub_settings_find(const char *root_name)
{
	return xasprintf("%s"
			 "search --no-floppy --set=root --file /" LAYOUT_FOLDER "/%s\n"
			 "set prefix=($root)/boot/grub\n"
			 "source /boot/grub/grub.cfg\n",
			 remark, root_name);
}

/* In single quotes nothing has a meaning, and no single quote can be said. */
static int add_words(struct buffer *b, const char *words, struct error *err)
{
	for (const char *p = words; *p; p++) {
		if (*p != '\'' && isprint((unsigned char)*p))
			continue;
		error_set(err, ERROR_USAGE, words,
			  "has a character that the boot loader's settings cannot have");
		return error_remedy(err, "leave out single quotes, and what is no "
					 "printable ASCII");
	}
	for (const char *p = words; *p;) {
		size_t len = strcspn(p, " ");

		if (len)
			buffer_printf(b, " '%.*s'", (int)len, p);
		p += len + strspn(p + len, " ");
	}
	return 0;
}

/* Letters that no quoting is needed for: the title is for people. */
static void add_title(struct buffer *b, const char *title)
{
	for (const char *p = title; *p; p++) {
		char c = isalnum((unsigned char)*p) || strchr(" .-+()/:", *p) ? *p : ' ';

		buffer_append(b, &c, 1);
	}
}

struct entry {
	const char *title, *id;
	const char *image; /* or images, by commas; NULL: nothing is to be chosen */
};

/* `folder`: "" or "/gild/a". */
static int add_entry(struct buffer *b, const char *folder, const char *cmdline,
		     const struct entry *entry, struct error *err)
{
	buffer_append_string(b, "menuentry '");
	add_title(b, entry->title);
	buffer_printf(b, "' --id '%s' {\n\tlinux %s/vmlinuz", entry->id, folder);
	if (add_words(b, cmdline, err) < 0)
		return -1;
	if (entry->image)
		buffer_printf(b, " gild.image=%s", entry->image);
	buffer_printf(b, "\n\tinitrd %s/initrd %s/config\n}\n", folder, folder);
	return 0;
}

static char *all_names(const struct goldens *goldens)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (golden, goldens)
		buffer_printf(&b, "%s%s", golden == goldens->items ? "" : ",",
			      golden->name);
	return buffer_steal_string(&b);
}

/* IDs of images have no blank. */
#define ALL_ID "all together"
#define START_ID "these together"

/* Several at once: all of them, and those that are to be started unless they are all. */
static int add_together(struct buffer *b, const char *folder, const char *cmdline,
			const struct goldens *goldens, const char *start,
			struct error *err)
{
	_cleanup_free_ char *all = all_names(goldens);
	_cleanup_free_ char *title = xasprintf("%s together", start ? start : "");
	const struct entry chosen = {title, START_ID, start},
			   every = {"All together", ALL_ID, all};
	bool several = start && strchr(start, ',');

	for (char *p = title; *p; p++)
		*p = *p == ',' ? '+' : *p;
	if (several && strcmp(start, all) != 0 &&
	    add_entry(b, folder, cmdline, &chosen, err) < 0)
		return -1;
	if (goldens->len <= GOLDENS_AT_ONCE &&
	    add_entry(b, folder, cmdline, &every, err) < 0)
		return -1;
	/* Init may have wanted the PC's own Windows once. */
	if (start)
		buffer_printf(b, "if [ -z \"$once\" ]; then set default='%s'; fi\n",
			      !several			? start
			      : strcmp(start, all) == 0 ? ALL_ID
							: START_ID);
	return 0;
}

static int add_entries(struct buffer *b, const char *folder, const char *cmdline,
		       const struct goldens *goldens, const char *start,
		       struct error *err)
{
	static const struct entry none = {"gild", "gild", NULL};

	vec_foreach (golden, goldens) {
		const struct entry entry = {golden->title, golden->name,
					    goldens->len > 1 ? golden->name : NULL};

		if (add_entry(b, folder, cmdline, &entry, err) < 0)
			return -1;
	}
	if (goldens->len > 1)
		return add_together(b, folder, cmdline, goldens, start, err);
	return goldens->len ? 0 : add_entry(b, folder, cmdline, &none, err);
}

char *grub_menu(const char *folder, const char *cmdline, const struct goldens *goldens,
		const char *start, struct error *err)
{
	_cleanup_free_ char *absolute = xasprintf("/%s", folder);
	struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, remark);
	if (add_entries(&b, absolute, cmdline, goldens, start, err) == 0)
		return buffer_steal_string(&b);
	buffer_free(&b);
	return NULL;
}

char *grub_settings_network(const char *cmdline, const struct goldens *goldens,
			    const char *start, struct error *err)
{
	struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, remark);
	add_timeout(&b, goldens->len);
	if (add_entries(&b, "", cmdline, goldens, start, err) == 0)
		return buffer_steal_string(&b);
	buffer_free(&b);
	return NULL;
}

/* ---- environment ---- */

static const char signature[] = "# GRUB Environment Block\n";

void grub_environment_write(const struct grub_environment *environment,
			    struct buffer *ret)
{
	buffer_append_string(ret, signature);
	buffer_printf(ret, "slot=%c\ntries=%u\n", environment->slot, environment->tries);
	if (environment->good)
		buffer_printf(ret, "good=%c\n", environment->good);
	memset(buffer_reserve(ret, GRUB_ENVIRONMENT_SIZE - ret->len), '#',
	       GRUB_ENVIRONMENT_SIZE - ret->len);
	ret->len = GRUB_ENVIRONMENT_SIZE;
}

/* The character after "NAME=" at the start of a line; 0: there is none. */
static char value_of(struct bytes block, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i + len + 2 <= block.len; i++)
		if ((i == 0 || block.data[i - 1] == '\n') &&
		    memcmp(block.data + i, name, len) == 0 && block.data[i + len] == '=')
			return (char)block.data[i + len + 1];
	return 0;
}

void grub_environment_read(struct bytes block, struct grub_environment *ret)
{
	char slot = value_of(block, "slot"), tries = value_of(block, "tries"),
	     good = value_of(block, "good");

	ret->slot = slot == 'b' ? 'b' : 'a';
	ret->tries = tries >= '0' && tries <= '9' ? (unsigned)(tries - '0') : 3;
	ret->good = good == 'a' || good == 'b' ? good : 0;
}

/* ---- BIOS ---- */

/* All that the settings use: nothing is loaded later. */
#define MODULES                                                                         \
	(char *)"biosdisk", (char *)"part_gpt", (char *)"part_msdos", (char *)"fat",    \
		(char *)"iso9660", (char *)"ntfs", (char *)"normal", (char *)"linux",   \
		(char *)"configfile", (char *)"loadenv", (char *)"search",              \
		(char *)"search_fs_file", (char *)"test", (char *)"echo", (char *)"ls", \
		(char *)"cat", (char *)"regexp", (char *)"chain", (char *)"drivemap",   \
		(char *)"sleep", (char *)"halt", (char *)"reboot", (char *)"minicmd",   \
		(char *)"video", (char *)"vbe", (char *)"vga", (char *)"all_video"

int grub_core(bool optical, const char *prefix, const char *work, struct buffer *ret,
	      struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/core.img", work);
	char *argv[] = {(char *)"grub-mkimage",
			(char *)"-d",
			(char *)PLATFORM,
			(char *)"-O",
			(char *)(optical ? "i386-pc-eltorito" : "i386-pc"),
			(char *)"-p",
			(char *)prefix,
			(char *)"-o",
			path,
			MODULES,
			NULL};

	if (process_run(argv, err) < 0) {
		return error_remedy(err,
				    "install the Debian packages grub-common and "
				    "%s",
				    GRUB_PACKAGE);
	}
	return file_read(path, MEDIA_MAX_FILE, ret, err);
}

int grub_install(struct buffer *core, uint64_t offset, struct buffer *boot_code,
		 struct error *err)
{
	uint64_t sector = offset / SECTOR, sectors = (core->len + SECTOR - 1) / SECTOR;
	_cleanup_buffer_ struct buffer boot = BUFFER_INIT;

	if (media_read(PLATFORM "/boot.img", GRUB_PACKAGE, &boot, err) < 0)
		return -1;
	if (boot.len != SECTOR || core->len <= SECTOR || sectors > UINT16_MAX)
		return error_set(err, ERROR_FAILED, PLATFORM,
				 "GRUB's images are of sizes that are not known");
	put_le64(core->data + BLOCK_LIST, sector + 1);
	put_le16(core->data + BLOCK_LIST + 8, (uint16_t)(sectors - 1));
	put_le64(boot.data + BOOT_KERNEL_SECTOR, sector);
	boot.data[BOOT_DRIVE_CHECK] = boot.data[BOOT_DRIVE_CHECK + 1] = NOP;
	buffer_append(boot_code, boot.data, BOOT_CODE_SIZE);
	return 0;
}

uint64_t grub_boot_sector(const uint8_t boot_code[BOOT_CODE_SIZE])
{
	return get_le64(boot_code + BOOT_KERNEL_SECTOR);
}
