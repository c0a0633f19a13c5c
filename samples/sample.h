/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The generator of the embedded sample Windows.
 *
 * It is deliberately independent of the layers it helps to test: hives are written
 * through hivex, NTFS through libntfs-3g, WIMs through wimlib, and the driver database is
 * made from a description (inbox.txt), not by gild's own INF code. Only src/base is used.
 * It is a developer's tool: an error ends it with one line.
 */
#ifndef SAMPLES_SAMPLE_H
#define SAMPLES_SAMPLE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

_Noreturn void die(const char *fmt, ...) _printf_(1, 2);
/* Ends the program with the error's message if it is set. */
void die_on(const struct error *err);

/* ---- lines of a description: comments, @if, ${variables} -----------------------------
 */

struct variable {
	const char *name;
	char *value;
};
DEFINE_VEC(variables, struct variable);
void variable_set(struct variables *vars, const char *name, const char *value);
const char *variable_get(const struct variables *vars, const char *name); /* or NULL */

/* Where the descriptions lie: beside the sources, or where $GILD_SAMPLES says. */
const char *samples_folder(void);
/*
 * Reads samples/NAME and calls `line` for each line that is left: those starting with ;
 * and empty ones are dropped, "@if VARIABLE VALUE..." (or "@if not ..."), "@else" and
 * "@end" choose, ${NAME} is replaced. The line may be changed in place.
 */
void description_read(const char *file, const struct variables *vars,
		      void (*line)(void *arg, char *line, const char *where), void *arg);
/* Splits into words in place; "..." holds a word together. Returns their number. */
size_t split_words(char *line, char **words, size_t max, const char *where);
/* The value of KEY=VALUE among the words from `first` on, or NULL. */
const char *word_option(char *const *words, size_t count, const char *key);
/* 0x-, 0- or decimal number. */
uint64_t parse_number(const char *text, const char *where);

/* ---- registry ------------------------------------------------------------------------
 */

/* The value types of Windows' registry (winnt.h). */
enum {
	TYPE_NONE = 0,
	TYPE_SZ = 1,
	TYPE_EXPAND = 2,
	TYPE_BINARY = 3,
	TYPE_DWORD = 4,
	TYPE_MULTI = 7,
	TYPE_QWORD = 11,
	/* Device properties are kept in the registry as 0xffff0000 | DEVPROP_TYPE. */
	TYPE_PROPERTY_BOOLEAN = (int)0xffff0011,
};

struct value {
	char *name; /* "" is the default value */
	uint32_t type;
	struct buffer data;
};
struct key {
	char *name;
	struct vec_of(struct key *) children;
	struct vec_of(struct value) values;
};
/* The key at a \-separated path below `k`, made where it is missing. */
struct key *key_open(struct key *k, const char *path);
struct key *key_new(const char *name);
void key_free(struct key *k);
/* Sets (replaces) values. */
void key_set(struct key *k, const char *name, uint32_t type, struct bytes data);
void key_set_string(struct key *k, const char *name, uint32_t type, const char *text);
void key_set_dword(struct key *k, const char *name, uint32_t v);
void key_set_qword(struct key *k, const char *name, uint64_t v);
/* Appends to a MULTI_SZ, unless the item is in it. */
void key_append_multi(struct key *k, const char *name, const char *item);
/* One value as the descriptions write it: dword 5, sz "text", multi "a" "b", hex 00,ff.
 */
void key_set_words(struct key *k, const char *name, char *const *words, size_t count,
		   const char *where);
/* Merges a .reg-like description (samples/README.md has the syntax) into the tree. */
void key_load(struct key *root, const char *file, const struct variables *vars);
/* Writes the tree as a hive through hivex; `sddl` protects every key of it. */
void hive_write(const struct key *root, const char *path, const char *inner_name,
		const char *sddl, uint64_t filetime);

/* Binary self-relative security descriptor of an SDDL text (the part of it used here). */
void sddl_compile(const char *sddl, struct buffer *out);

/* ---- files ---------------------------------------------------------------------------
 */

enum machine {
	MACHINE_X86 = 0x014c,
	MACHINE_AMD64 = 0x8664,
	MACHINE_ARM64 = 0xaa64,
};
enum pe_kind {
	PE_DRIVER, /* native subsystem */
	PE_DLL,
	PE_PROGRAM,
	PE_EFI,	 /* EFI application */
	PE_BOOT, /* Windows boot application */
};
struct pe {
	enum machine machine;
	enum pe_kind kind;
	const char *name; /* OriginalFilename */
	const char *description;
	const char *company;
	uint64_t version; /* major << 48 | minor << 32 | build << 16 | revision */
	size_t size;	  /* about so many bytes of code */
};
/* A valid PE image with a version resource; its code does nothing. */
void pe_build(const struct pe *pe, struct buffer *out);
/*
 * The program that stands in for "bootmgfw.efi" or "bootmgr" and says, when it is started,
 * what it would start (samples/boot). False where it was not built (no clang or lld).
 */
bool standin_read(const char *name, struct buffer *ret);

/* Writes DIR/PATH (making the folders) and gives it the sample's time. */
void file_put(const char *dir, const char *path, struct bytes data);
/* A second name for a file of the tree, as Windows has for the files of its store. */
void file_link(const char *dir, const char *from, const char *to);
void folder_make(const char *dir, const char *path);
/* Gives every folder below `dir` the sample's time. */
void folder_times(const char *dir);

/* A small generator of reproducible noise (xorshift64*), seeded by a name. */
struct noise {
	uint64_t state;
};
struct noise noise_seed(const char *name);
uint64_t noise_next(struct noise *n);
/* Fills memory with bytes that compress about as real system files do (to a third). */
void noise_fill(struct noise *n, uint8_t *data, size_t len);

/* Adds `count` files of `bytes` in all below Windows/WinSxS and Program Files. */
void padding_make(const char *dir, uint64_t count, uint64_t bytes);

/* ---- the sample ----------------------------------------------------------------------
 */

struct sample {
	const char *windows; /* vista, 7, server2008r2, 8.1, 10, 11, server2022 */
	const char *arch;    /* amd64, x86, arm64 */
	const char *edition; /* NULL: the usual one */
	bool pe;	     /* Windows PE, as in boot.wim */
	bool setup;	     /* with Windows Setup, as in its second image */
	bool generalized;    /* as after sysprep: nothing of a machine */
	bool oem;	     /* with third-party packages already in its store */
	bool winre;	     /* with a WinRE inside */
	unsigned control_sets;
	const char *hal;     /* XP, 2003: hardware ID of the Computer device, or NULL */
	const char *system_file; /* a real SYSTEM hive in place of the made one */
	uint64_t files, bytes; /* padding */
	/* Derived: */
	enum machine machine;
	uint64_t version;
	bool database;	     /* Windows 8 and later: the driver database */
	const char *dir;
	struct variables vars;
	struct key *system, *drivers, *software;
};

extern uint64_t sample_filetime; /* every time in the sample */
extern int64_t sample_time;	 /* the same as Unix time */

/* Reads inbox.txt (and oem.txt): driver files, INFs, driver store and database. */
void packages_add(struct sample *s, const char *file);
/* Makes the whole tree in s->dir. */
void sample_tree(struct sample *s);
/* The same for Windows XP and Server 2003 ("xp", "2003"). */
bool sample_is_nt5(const char *windows);
void sample_nt5_tree(struct sample *s);
/* Puts s->system_file, a real hive with its logs, into the tree. */
void sample_given_system(const struct sample *s);

/* ---- driver packages for injection tests ---------------------------------------------
 */

/* Makes samples/drivers/NAME for every pack, or the one named. */
void drivers_make(const char *dir, const char *only);

/* ---- WIM -----------------------------------------------------------------------------
 */

struct wim_image {
	const char *dir;  /* the tree */
	const char *name; /* "Windows 10 Pro" */
	bool descriptors; /* through an NTFS volume, with descriptors and short names */
	const char *padding; /* a folder merged into the image without descriptors */
};
/* compression: none, XPRESS, LZX, LZMS (solid, as an .esd has). */
void wim_write(const char *path, const struct wim_image *images, size_t count,
	       const char *compression, unsigned boot_index);
/* Where a volume is to lie on its disk. */
struct geometry {
	uint64_t start, size;	/* bytes */
	unsigned sector_size;
	const char *label;	/* or NULL */
};
/*
 * Fills an NTFS volume in the file `volume` from the tree, with the descriptors of
 * security.txt and short names. Without a geometry it is 1 GiB (sparse) and lies nowhere.
 */
void volume_make(const char *volume, const char *dir, const struct geometry *geometry);

/* ---- disks ---------------------------------------------------------------------------
 */

struct disk {
	const char *table;	/* gpt, mbr, none (one bare volume) */
	uint64_t volume_size;	/* of each Windows volume, bytes; whole MiB */
	unsigned sector_size;
	bool system_volume;	/* MBR: a volume of its own for the boot manager */
	const char *const *dirs;	/* the Windows trees, one volume each */
	unsigned count;
};
/* A raw disk: system volume (GPT: an ESP) and the Windows volumes. */
void disk_make(const char *path, const struct disk *disk);

#endif
