/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The image's contents: seals, ELF files, lists of files, the choice of modules, the
 * cache. */
#include "folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/elf.h"
#include "image/firmware.h"
#include "image/modules.h"
#include "image/rootfs.h"
#include "image/verity.h"

#define BLOCK LAYOUT_BLOCK

static void make_folders(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	for (char *at = copy + strlen(folder) + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		(void)mkdir(copy, 0700);
		*at = '/';
	}
}

static char *write_file(const char *name, const void *data, size_t len)
{
	char *path = xasprintf("%s/%s", folder, name);

	make_folders(path);
	assert_int_equal(file_replace(path, (struct bytes){data, len}, NULL), 0);
	return path;
}

/* ---- seals ---- */

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_seal_size(void **state _unused_)
{
	assert_int_equal(seal_size(0), 0);
	assert_int_equal(seal_size(UINT64_MAX), 0);
	assert_int_equal(seal_size(1), 2 * BLOCK);	   /* no tree at all */
	assert_int_equal(seal_size(2 * BLOCK), 4 * BLOCK); /* one block of hashes */
	assert_int_equal(seal_size(128 * BLOCK), 130 * BLOCK);
	assert_int_equal(seal_size(129 * BLOCK), 133 * BLOCK); /* two and their parent */
}

/* Data in the middle of a file; what is around it stays. */
static int sealed_file(size_t offset, size_t size, struct seal *seal)
{
	_cleanup_free_ char *path = xasprintf("%s/sealed", folder);
	_cleanup_free_ uint8_t *data = xmalloc(size);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / BLOCK);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(offset + seal_size(size) + BLOCK)), 0);
	assert_int_equal(file_write_at(fd, data, size, offset, path, NULL), 0);
	assert_int_equal(seal_make(fd, offset, size, path, seal, NULL), 0);
	return fd;
}

static void flip(int fd, uint64_t offset)
{
	uint8_t byte;

	assert_int_equal(file_read_at(fd, &byte, 1, offset, "x", NULL), 0);
	byte ^= 0x10;
	assert_int_equal(file_write_at(fd, &byte, 1, offset, "x", NULL), 0);
}

static void test_seal_check(void **state _unused_)
{
	static const size_t sizes[] = {1, BLOCK, BLOCK + 1, 128 * BLOCK, 129 * BLOCK - 5};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct seal seal;
		size_t offset = 3 * BLOCK;
		_cleanup_close_ int fd = sealed_file(offset, sizes[i], &seal);
		uint64_t end = offset + seal_size(sizes[i]);
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(seal.blocks, (sizes[i] + BLOCK - 1) / BLOCK);
		assert_int_equal(seal_check(fd, offset, &seal, 0, seal.blocks, "x", &err),
				 0);
		/* Every block counts, those of the tree too; what is outside does not. */
		for (uint64_t at = offset; at < end; at += BLOCK) {
			bool superblock = at == offset + seal.blocks * BLOCK;

			flip(fd, at + (superblock ? 8 : 17));
			assert_int_equal(
				seal_check(fd, offset, &seal, 0, seal.blocks, "x", &err),
				-1);
			assert_int_equal(err.code, ERROR_ANSWER_NO);
			flip(fd, at + (superblock ? 8 : 17));
		}
		flip(fd, offset - 1);
		flip(fd, end);
		assert_int_equal(seal_check(fd, offset, &seal, 0, seal.blocks, "x", &err),
				 0);
	}
}

static void test_seal_range(void **state _unused_)
{
	struct seal seal;
	_cleanup_close_ int fd = sealed_file(0, 300 * BLOCK, &seal);
	_cleanup_error_ struct error err = ERROR_INIT;

	flip(fd, 200 * BLOCK + 5);
	assert_int_equal(seal_check(fd, 0, &seal, 0, 200, "x", &err), 0);
	assert_int_equal(seal_check(fd, 0, &seal, 201, 99, "x", &err), 0);
	assert_int_equal(seal_check(fd, 0, &seal, 100, 150, "x", &err), -1);
	assert_non_null(strstr(err.reason, "block 200 "));
	assert_int_equal(seal_check(fd, 0, &seal, 201, 100, "x", &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	seal.hash[5] ^= 1;
	assert_int_equal(seal_check(fd, 0, &seal, 0, 1, "x", &err), -1);
}

/* As sealed_file(), on the way from another file. */
static void test_seal_copy(void **state _unused_)
{
	static const size_t sizes[] = {1, BLOCK, BLOCK + 512, 129 * BLOCK - 5,
				       1030 * BLOCK};
	static const uint8_t zeros[BLOCK];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i], offset = 3 * BLOCK, sealed = seal_size(size);
		_cleanup_free_ char *source = xasprintf("%s/source", folder);
		_cleanup_free_ char *target = xasprintf("%s/target", folder);
		_cleanup_free_ uint8_t *want = xmalloc(sealed), *got = xmalloc(sealed);
		_cleanup_close_ int from =
			open(source, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		_cleanup_close_ int to =
			open(target, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		_cleanup_block_ struct block *block = NULL;
		struct seal copied, made;

		/* Data, zeros that are data, and more than a whole chunk of hole. */
		assert_int_equal(ftruncate(from, (off_t)size), 0);
		assert_int_equal(pwrite(from, "x", 1, 0), 1);
		assert_int_equal(pwrite(from, "x", 1, (off_t)size - 1), 1);
		if (size > 200 * BLOCK)
			assert_int_equal(pwrite(from, zeros, BLOCK, 20 * BLOCK), BLOCK);
		block = block_file_open(source, false, 0, NULL);
		assert_non_null(block);
		assert_int_equal(seal_copy(block, to, offset, "x", &copied, NULL), 0);
		assert_int_equal(file_read_at(to, got, sealed, offset, "x", NULL), 0);
		assert_int_equal(lseek(to, offset + BLOCK, SEEK_DATA),
				 offset +
					 (size > BLOCK ? (size - 1) / BLOCK : 1) * BLOCK);
		assert_int_equal(ftruncate(from, (off_t)sealed), 0);
		assert_int_equal(seal_make(from, 0, size, "x", &made, NULL), 0);
		assert_int_equal(file_read_at(from, want, sealed, 0, "x", NULL), 0);
		assert_string_equal(copied.hash, made.hash);
		assert_int_equal(copied.blocks, made.blocks);
		assert_memory_equal(got, want, sealed);
	}
}

/* ---- ELF ---- */

static void append_segment(struct buffer *b, uint32_t type, uint64_t offset,
			   uint64_t size)
{
	buffer_append_le32(b, type);
	buffer_append_le32(b, 4);
	buffer_append_le64(b, offset);
	buffer_append_le64(b, 0x1000 + offset);
	buffer_append_le64(b, 0x1000 + offset);
	buffer_append_le64(b, size);
	buffer_append_le64(b, size);
	buffer_append_le64(b, 8);
}

/* A program that needs "libx.so.1", which is looked for in $ORIGIN/lib, and "libc.so.6".
 */
static void make_program(struct buffer *b)
{
	static const char names[] = "\0libx.so.1\0libc.so.6\0$ORIGIN/lib:/opt/lib",
			  interpreter[] = "/lib64/ld.so";
	static const uint64_t entries[][2] = {{5, 0x1000 + 232}, {1, 1},   {1, 11},
					      {15, 1},		 {29, 21}, {0, 0}};
	uint64_t at = 64 + 3 * 56;

	buffer_append(b, "\177ELF\2\1\1\0\0\0\0\0\0\0\0", 16);
	buffer_append_le16(b, 3);
	buffer_append_le16(b, 62);
	buffer_append_le32(b, 1);
	buffer_append_le64(b, 0);
	buffer_append_le64(b, 64);
	buffer_append_le64(b, 4096);
	buffer_append_le32(b, 0);
	for (size_t i = 0; i < 6; i++)
		buffer_append_le16(b, (uint16_t[]){64, 56, 3, 64, 7, 6}[i]);
	append_segment(b, 1, 0,
		       at + sizeof(names) + sizeof(interpreter) + sizeof(entries));
	append_segment(b, 3, at + sizeof(names), sizeof(interpreter));
	append_segment(b, 2, at + sizeof(names) + sizeof(interpreter), sizeof(entries));
	assert_int_equal(b->len, at);
	buffer_append(b, names, sizeof(names));
	buffer_append(b, interpreter, sizeof(interpreter));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		buffer_append_le64(b, i ? entries[i][0] : 5);
		buffer_append_le64(b, i ? entries[i][1] : 0x1000 + at);
	}
}

static void test_elf(void **state _unused_)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	struct elf elf;
	size_t whole;

	make_program(&b);
	whole = b.len;
	assert_int_equal(elf_parse(buffer_view(&b), "x", &elf, NULL), 0);
	assert_string_equal(elf.interpreter, "/lib64/ld.so");
	assert_int_equal(elf.needed.len, 2);
	assert_string_equal(elf.needed.items[0], "libx.so.1");
	assert_string_equal(elf.needed.items[1], "libc.so.6");
	assert_int_equal(elf.folders.len, 2);
	assert_string_equal(elf.folders.items[0], "$ORIGIN/lib");
	elf_free(&elf);
	buffer_append(&b, "debugging information", 21);
	assert_int_equal(elf_strip(&b, "x", NULL), 0);
	assert_int_equal(b.len, whole);
	assert_int_equal(get_le64(b.data + 40), 0);
	assert_int_equal(elf_parse(buffer_view(&b), "x", &elf, NULL), 0);
	elf_free(&elf);
}

/* No byte changed and no cut leads outside: the sanitizers watch. */
static void test_elf_hostile(void **state _unused_)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	static const uint8_t values[] = {0, 1, 0x7F, 0x80, 0xFF};

	make_program(&b);
	for (size_t len = 0; len < b.len; len++) {
		_cleanup_free_ uint8_t *copy = xmemdup(b.data, len);
		_cleanup_error_ struct error err = ERROR_INIT;
		struct elf elf;

		if (elf_parse((struct bytes){copy, len}, "x", &elf, &err) == 0)
			elf_free(&elf);
		else
			assert_non_null(err.remedy);
	}
	for (size_t i = 0; i < b.len * ARRAY_SIZE(values); i++) {
		size_t at = i / ARRAY_SIZE(values);
		uint8_t was = b.data[at];
		struct elf elf;

		b.data[at] = values[i % ARRAY_SIZE(values)];
		if (elf_parse(buffer_view(&b), "x", &elf, NULL) == 0)
			elf_free(&elf);
		b.data[at] = was;
	}
}

static void test_elf_closure(void **state _unused_)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT, library = BUFFER_INIT;
	_cleanup_free_ char *program = NULL, *x = NULL, *c = NULL, *loader = NULL,
			    *link = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct elf_closure closure;

	make_program(&b);
	buffer_append(&library, b.data, b.len);
	library.data[56] = 1; /* one segment: nothing needed */
	program = write_file("usr/bin/x", b.data, b.len);
	loader = write_file("lib64/ld.so", library.data, library.len);
	c = write_file("lib/x86_64-linux-gnu/libc.so.6", library.data, library.len);
	elf_closure_init(&closure, folder);
	assert_int_equal(elf_closure_add(&closure, "/usr/bin/x", program, &err), -1);
	assert_string_equal(err.subject, "/usr/bin/x");
	assert_non_null(strstr(err.reason, "libx.so.1"));
	assert_non_null(err.remedy);
	elf_closure_free(&closure);

	/* An absolute link stays below the root folder. */
	x = write_file("srv/real", library.data, library.len);
	link = xasprintf("%s/usr/bin/lib", folder);
	assert_int_equal(mkdir(link, 0700), 0);
	free(link);
	link = xasprintf("%s/usr/bin/lib/libx.so.1", folder);
	assert_int_equal(symlink("/srv/real", link), 0);
	elf_closure_init(&closure, folder);
	assert_int_equal(elf_closure_add(&closure, "/usr/bin/x", program, NULL), 0);
	assert_int_equal(elf_closure_add(&closure, "/usr/bin/x", program, NULL), 0);
	assert_int_equal(closure.files.len, 3);
	assert_string_equal(closure.files.items[0].path, "/usr/lib64/ld.so");
	assert_string_equal(closure.files.items[1].path, "/usr/bin/lib/libx.so.1");
	assert_string_equal(closure.files.items[1].source, x);
	assert_string_equal(closure.files.items[2].path,
			    "/usr/lib/x86_64-linux-gnu/libc.so.6");
	elf_closure_free(&closure);
}

static void test_usr_path(void **state _unused_)
{
	static const char *const cases[][2] = {{"/lib/x", "/usr/lib/x"},
					       {"/lib64/ld.so", "/usr/lib64/ld.so"},
					       {"/usr/bin/../lib/./x", "/usr/lib/x"},
					       {"/../../sbin//y", "/usr/sbin/y"},
					       {"/library/x", "/library/x"}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = usr_path(cases[i][0]);

		assert_string_equal(path, cases[i][1]);
	}
}

/* ---- lists of files ---- */

static void test_files(void **state _unused_)
{
	static const char *const wanted[] = {"/a", "/a/b", "/a/b/c", "/a-b", "/z"};
	struct bytes text = {(const uint8_t *)"1", 1};
	struct image_files files = {0};
	_cleanup_error_ struct error err = ERROR_INIT;

	image_files_bytes(&files, "/z", text, 0644, NULL);
	image_files_bytes(&files, "/a/b/c", text, 0644, NULL);
	image_files_bytes(&files, "/a-b", text, 0644, NULL);
	image_files_bytes(&files, "/z", (struct bytes){0}, 0600, NULL);
	image_files_folder(&files, "/a", 0700);
	assert_int_equal(image_files_finish(&files, NULL), 0);
	assert_int_equal(files.list.len, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_string_equal(files.list.items[i].path, wanted[i]);
	assert_int_equal(files.list.items[0].mode, 0700);
	assert_int_equal(files.list.items[4].mode, 0644); /* the first of two */
	image_files_source(&files, "/gone", "/nowhere/at/all", 0644, NULL);
	assert_int_equal(image_files_finish(&files, &err), -1);
	assert_string_equal(err.subject, "/nowhere/at/all");
	image_files_free(&files);
}

/* ---- modules ---- */

/* A module as the kernel's build makes it, of which only .modinfo is there. */
static void make_module(const char *file, const char *info, size_t len)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	_cleanup_free_ char *path = xasprintf("lib/modules/1.0/%s", file), *at = NULL;
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	const uint64_t sections[][4] = {/* name, type, offset, size */
					{0, 0, 0, 0},
					{1, 1, 64, len},
					{10, 3, 64 + len, sizeof(names)}};

	buffer_append(&b, "\177ELF\2\1\1\0\0\0\0\0\0\0\0", 16);
	buffer_append_le16(&b, 1);
	buffer_append_le16(&b, 62);
	buffer_append_le32(&b, 1);
	buffer_append_le64(&b, 0);
	buffer_append_le64(&b, 0);
	buffer_append_le64(&b, 64 + len + sizeof(names));
	buffer_append_le32(&b, 0);
	for (size_t i = 0; i < 6; i++)
		buffer_append_le16(&b, (uint16_t[]){64, 0, 0, 64, 3, 2}[i]);
	buffer_append(&b, info, len);
	buffer_append(&b, names, sizeof(names));
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		buffer_append_le32(&b, (uint32_t)sections[i][0]);
		buffer_append_le32(&b, (uint32_t)sections[i][1]);
		buffer_append_le64(&b, 0);
		buffer_append_le64(&b, 0);
		buffer_append_le64(&b, sections[i][2]);
		buffer_append_le64(&b, sections[i][3]);
		buffer_append_le64(&b, 0);
		buffer_append_le64(&b, 1);
		buffer_append_le64(&b, 0);
	}
	at = write_file(path, b.data, b.len);
}
#define MODULE(file, info) make_module("kernel/" file, info, sizeof(info))

static void make_modules(void)
{
	MODULE("drivers/ata/ahci.ko",
	       "depends=libata,pata-helper\0alias=pci:v00008086d*");
	MODULE("drivers/ata/libata.ko", "depends=");
	MODULE("drivers/misc/odd/pata_helper.ko", "softdep=pre: soft_one post: gone");
	MODULE("net/odd/soft-one.ko", "depends=");
	MODULE("drivers/scsi/lpfc/lpfc.ko", "alias=pci:v000010DFd*sv*sd*bc*sc*i*");
	MODULE("drivers/net/ethernet/intel/igb/igb.ko",
	       "firmware=igb/a.bin\0firmware=igb/b.bin\0firmware=igb/c*.bin\0firmware=../"
	       "x");
	MODULE("net/netfilter/xt_mark.ko", "depends=");
	MODULE("net/netfilter/xt_MARK.ko", "depends=");
}

static const struct module *chosen(const struct modules *m, const char *name)
{
	vec_foreach (module, &m->list)
		if (strcmp(module->name, name) == 0)
			return module;
	return NULL;
}

static void test_modules(void **state _unused_)
{
	_cleanup_free_ char *where = xasprintf("%s/lib/modules/1.0", folder);
	_cleanup_(strings_free) struct strings extra = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct modules m;

	make_modules();
	assert_int_equal(modules_choose(where, &extra, &m, &err), 0);
	assert_int_equal(m.list.len, 5);
	assert_int_equal(chosen(&m, "ahci")->class, MODULE_STORAGE);
	assert_true(chosen(&m, "ahci")->early);
	/* What it depends on, and that wants: wherever they lie, as early, of its class.
	 */
	assert_true(chosen(&m, "pata_helper")->early);
	assert_int_equal(chosen(&m, "soft_one")->class, MODULE_STORAGE);
	assert_true(chosen(&m, "soft_one")->early);
	assert_int_equal(chosen(&m, "igb")->class, MODULE_NET);
	assert_false(chosen(&m, "igb")->early);
	assert_null(chosen(&m, "lpfc"));
	modules_free(&m);

	strings_push(&extra, "xt_MARK");
	assert_int_equal(modules_choose(where, &extra, &m, NULL), 0);
	assert_int_equal(chosen(&m, "xt_MARK")->class, MODULE_EXTRA);
	assert_null(chosen(&m, "xt_mark"));
	modules_free(&m);
	strings_push(&extra, "nothing");
	assert_int_equal(modules_choose(where, &extra, &m, &err), -1);
	assert_string_equal(err.subject, "nothing");
}

static void test_losses(void **state _unused_)
{
	_cleanup_free_ char *where = xasprintf("%s/lib/modules/1.0", folder);
	const struct strings none = VEC_INIT;
	struct pc_device devices[] = {{.id = (char *)"PCI\\VEN_10DF&DEV_F100",
				       .bus = PC_PCI,
				       .role = PC_NETWORK},
				      {.id = (char *)"PCI\\VEN_8086&DEV_2922",
				       .bus = PC_PCI,
				       .role = PC_BOOT_STORAGE},
				      {.id = (char *)"PCI\\VEN_FFFF&DEV_0001",
				       .bus = PC_PCI,
				       .role = PC_NETWORK}};
	struct pc pc = {.devices = {devices, ARRAY_SIZE(devices), 0}}, harmless = pc;
	struct module_losses losses = {0};
	struct modules m;

	make_modules();
	assert_int_equal(modules_choose(where, &none, &m, NULL), 0);
	harmless.devices = (__typeof__(harmless.devices)){devices + 1, 2, 0};
	assert_true(module_losses_add(&losses, &m, &pc));
	assert_true(module_losses_add(&losses, &m, &pc));
	/* What nothing drives is not lost. */
	assert_false(module_losses_add(&losses, &m, &harmless));
	module_losses_sort(&losses);
	assert_int_equal(losses.pcs, 3);
	assert_int_equal(losses.losing, 2);
	assert_int_equal(losses.list.len, 1);
	assert_string_equal(losses.list.items[0].device, "10DF:F100");
	assert_string_equal(losses.list.items[0].modules, "lpfc");
	assert_int_equal(losses.list.items[0].pcs, 2);
	module_losses_free(&losses);
	modules_free(&m);
}

static void test_firmware(void **state _unused_)
{
	_cleanup_free_ char *where = xasprintf("%s/lib/modules/1.0", folder);
	_cleanup_free_ char *blobs = xasprintf("%s/fw", folder), *a = NULL, *b = NULL,
			    *c = NULL;
	_cleanup_(strings_free) struct strings missing = VEC_INIT;
	const struct strings none = VEC_INIT;
	struct image_files files = {0};
	struct modules m;

	make_modules();
	a = write_file("fw/igb/a.bin", "a", 1);
	b = write_file("fw/igb/c1.bin", "c1", 2);
	c = write_file("fw/igb/other", "o", 1);
	assert_int_equal(modules_choose(where, &none, &m, NULL), 0);
	assert_int_equal(firmware_add(&files, &m, blobs, &missing, NULL), 0);
	assert_int_equal(files.list.len, 2);
	assert_string_equal(files.list.items[0].path, "/usr/lib/firmware/igb/a.bin");
	assert_string_equal(files.list.items[1].path, "/usr/lib/firmware/igb/c1.bin");
	assert_int_equal(missing.len, 2);
	assert_string_equal(missing.items[0], "igb: igb/b.bin");
	assert_string_equal(missing.items[1], "igb: ../x");
	image_files_free(&files);
	modules_free(&m);
}

/* ---- the cache ---- */

static void test_cache(void **state _unused_)
{
	struct bytes text = {(const uint8_t *)"1", 1};
	char key[CACHE_KEY], other[CACHE_KEY], note[CACHE_NOTE], name[CACHE_KEY + 8];
	_cleanup_free_ char *image = write_file("image", "content", 7), *kept = NULL;
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct image_files files = {0};
	uint64_t size;
	int got;

	assert_int_equal(setenv("XDG_CACHE_HOME", folder, 1), 0);
	image_files_bytes(&files, "/a", text, 0644, NULL);
	assert_int_equal(cache_key(&files, "root", key, NULL), 0);
	assert_int_equal(cache_key(&files, "initrd", other, NULL), 0);
	assert_string_not_equal(key, other);
	files.list.items[0].mode = 0600;
	assert_int_equal(cache_key(&files, "root", other, NULL), 0);
	assert_string_not_equal(key, other);
	image_files_free(&files);

	assert_int_equal(cache_get(key, &size, note), -1);
	cache_put(key, fd, 7, "the note");
	got = cache_get(key, &size, note);
	assert_true(got >= 0);
	assert_int_equal(size, 7);
	assert_string_equal(note, "the note");
	close(got);
	/* One that was changed is none, and is replaced. */
	(void)snprintf(name, sizeof(name), "gild/%s", key);
	kept = write_file(name, "contenT", 7);
	assert_int_equal(cache_get(key, &size, note), -1);
	cache_put(key, fd, 7, "again");
	got = cache_get(key, &size, note);
	assert_true(got >= 0);
	assert_string_equal(note, "again");
	close(got);
	/* The clock of files may not have moved since. */
	assert_int_equal(utimensat(AT_FDCWD, kept, long_ago, 0), 0);
	for (unsigned i = 0; i <= CACHE_KEPT; i++) {
		(void)snprintf(other, sizeof(other), "%064x", i);
		cache_put(other, fd, 7, "more");
	}
	assert_int_equal(cache_get(key, &size, note), -1);
	got = cache_get(other, &size, note);
	assert_true(got >= 0);
	close(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal_size),
		cmocka_unit_test_setup_teardown(test_seal_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_seal_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_seal_range, setup, teardown),
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_elf_hostile),
		cmocka_unit_test_setup_teardown(test_elf_closure, setup, teardown),
		cmocka_unit_test(test_usr_path),
		cmocka_unit_test(test_files),
		cmocka_unit_test_setup_teardown(test_modules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_firmware, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
