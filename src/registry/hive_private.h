/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the hive_*.c files share: the layout of a regf file (facts from the public
 * "Windows registry file format specification" of msuhanov/regf, checked against real
 * hives) and the state of an open hive.
 *
 * Offsets of cells count from the first bin, as in the file. The size field of a cell
 * lies before its payload; it is negative for a cell in use. hive_check() has verified
 * every structure before anything else looks at it; the accessors here still check what
 * they are given, so that a wrong handle reads nothing.
 */
#ifndef REGISTRY_HIVE_PRIVATE_H
#define REGISTRY_HIVE_PRIVATE_H

#include "base/text.h"
#include "registry/hive.h"

#define HIVE_BASE_SIZE 4096u	/* base block */
#define HIVE_PAGE 4096u		/* bins are multiples of this */
#define HIVE_BIN_HEADER 32u
#define HIVE_SIZE_MAX 0x7ffff000u /* the top bit of an offset means "volatile" */
#define HIVE_NIL 0xffffffffu
#define HIVE_DEPTH_MAX 512u	   /* levels of keys, the limit of Windows */
#define HIVE_KEY_NAME_MAX 255u	   /* 16-bit units */
#define HIVE_VALUE_NAME_MAX 16383u /* 16-bit units */
#define HIVE_SEGMENT 16344u	   /* data bytes in one cell; beyond: a `db` record */
#define HIVE_CELL_DATA_MAX (1u << 20) /* longest value of formats without `db` */
#define HIVE_VALUE_MAX (64u << 20)    /* longest value that gild writes */

/* Base block. */
enum {
	BASE_SEQUENCE1 = 4,
	BASE_SEQUENCE2 = 8,
	BASE_TIME = 12,
	BASE_MAJOR = 20,
	BASE_MINOR = 24,
	BASE_TYPE = 28, /* 0 primary, 1 or 2 old log, 6 new log */
	BASE_FORMAT = 32,
	BASE_ROOT = 36,
	BASE_BINS = 40,	 /* bytes of bins */
	BASE_CLUSTER = 44,
	BASE_NAME = 48,	 /* 64 bytes UTF-16 */
	BASE_FLAGS = 144,
	BASE_CHECKSUM = 508,
};
/* Bin header. */
enum { BIN_OFFSET = 4, BIN_SIZE = 8, BIN_TIME = 20 };
/* nk payload. */
enum {
	NK_FLAGS = 2,
	NK_TIME = 4,
	NK_PARENT = 16,
	NK_SUBKEYS = 20,
	NK_SUBKEYS_VOLATILE = 24,
	NK_LIST = 28,
	NK_LIST_VOLATILE = 32,
	NK_VALUES = 36,
	NK_VALUE_LIST = 40,
	NK_SECURITY = 44,
	NK_CLASS = 48,
	NK_MAX_NAME = 52, /* u16; then 4 bits user and 4 bits virtualization flags */
	NK_MAX_CLASS = 56,
	NK_MAX_VALUE_NAME = 60,
	NK_MAX_VALUE_DATA = 64,
	NK_NAME_LEN = 72,
	NK_CLASS_LEN = 74,
	NK_NAME = 76,
};
enum {
	NK_HIVE_ENTRY = 0x0004,
	NK_NO_DELETE = 0x0008,
	NK_COMP_NAME = 0x0020,
	NK_PREDEFINED = 0x0040, /* the value count is a handle */
};
/* vk payload. */
enum {
	VK_NAME_LEN = 2,
	VK_LEN = 4,
	VK_DATA = 8,
	VK_TYPE = 12,
	VK_FLAGS = 16,
	VK_NAME = 20,
};
enum { VK_COMP_NAME = 0x0001 };
#define VK_RESIDENT 0x80000000u /* in VK_LEN: the data is the VK_DATA field itself */
/* sk payload. */
enum { SK_NEXT = 4, SK_PREVIOUS = 8, SK_REFS = 12, SK_LEN = 16, SK_DATA = 20 };

/* Who uses a security cell, counted from the keys themselves. */
struct hive_security {
	uint32_t cell;
	uint32_t refs;
};

/* Offsets of free cells of one size; an entry may be out of date and is checked. */
DEFINE_VEC(cell_offsets, uint32_t);
#define FREE_CLASSES 512u /* sizes 8, 16, ... 4088; the last class: all larger ones */

struct hive {
	char *name; /* for messages */
	struct buffer file; /* base block and bins, no padding behind them */
	uint32_t size;	    /* bytes of bins */
	uint32_t minor;	    /* format 1.minor */
	uint32_t root;
	bool modified, recovered, was_dirty;
	uint8_t *starts; /* a bit for each 8 bytes: a cell begins here */
	size_t pages_allocated; /* what starts and bin_of_page have room for */
	uint32_t *bin_of_page;	/* offset of the bin that holds this page */
	struct cell_offsets free_cells[FREE_CLASSES];
	struct vec_of(struct hive_security) security; /* by cell */
	struct cell_offsets unsorted; /* keys whose list is out of order, by cell */
	struct hive_changes changes;
};

/* Upper-cased 16-bit units of a name: what is looked for. */
struct needle {
	struct buffer utf16;
	size_t units;
};

/* ---- bytes of cells (hive_read.c) ---- */

static inline uint8_t *hive_bins(const struct hive *h)
{
	return h->file.data + HIVE_BASE_SIZE;
}

static inline bool bit_get(const uint8_t *bits, size_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

static inline void bit_set(uint8_t *bits, size_t i)
{
	bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

static inline void bit_clear(uint8_t *bits, size_t i)
{
	bits[i / 8] &= (uint8_t) ~(1u << (i % 8));
}

/* The payload of a cell in use; empty if there is none at that offset. */
struct bytes hive_cell(const struct hive *h, uint32_t cell);
/* The same if it begins with that signature and has that many bytes at least. */
struct bytes hive_record(const struct hive *h, uint32_t cell, const char *signature,
			 size_t min_len);
/* For writing; NULL if hive_cell() is empty. Not valid after the next allocation. */
uint8_t *hive_cell_data(struct hive *h, uint32_t cell);
/* nk payload; NULL if the handle names no key. */
const uint8_t *hive_nk(const struct hive *h, hkey key);

/* ---- names (hive_read.c) ---- */

char *hive_name_text(const uint8_t *name, size_t len, bool comp);
/* Upper-cases len bytes of UTF-8. */
void needle_set(struct needle *n, const char *text, size_t len);
#define _cleanup_needle_ _cleanup_(needle_free)
void needle_free(struct needle *n);
/* Compares a stored name as Windows orders names. */
int hive_name_compare(const uint8_t *name, size_t len, bool comp, const struct needle *n);
int hive_key_compare(const struct hive *h, hkey key, const struct needle *n);
/* Of two keys of the hive. */
int hive_keys_compare(const struct hive *h, hkey a, hkey b);
/* How a name is stored: one byte per unit if all fit. Returns true for that. */
bool hive_name_store(const char *text, struct buffer *ret, size_t *units);
char *hive_path(const struct hive *h, hkey key);
/* Index of the value in the key's list or -1; *vk is its cell. */
int64_t hive_value_index(const struct hive *h, hkey key, const char *name, uint32_t *vk);
uint32_t hive_value_cell(const struct hive *h, hkey key, uint32_t i);
/* The value's data; false if it is damaged. */
bool hive_value_data(const struct hive *h, uint32_t vk, struct buffer *ret);

/* ---- subkey lists (hive_list.c) ---- */

struct list_place {
	uint32_t leaf;	  /* cell of the leaf, HIVE_NIL if the key has no list */
	uint32_t in_root; /* index of the leaf in the index root, if there is one */
	uint32_t index;	  /* in the leaf */
	hkey key;	  /* found, or 0 */
};
/* Where the name is, or where it has to go. */
struct list_place list_find(const struct hive *h, hkey parent, const struct needle *n);
hkey list_nth(const struct hive *h, hkey parent, uint32_t i);
int list_insert(struct hive *h, hkey parent, const struct needle *n, hkey key,
		struct error *err);
void list_remove(struct hive *h, hkey parent, hkey key);
/* Frees the list cells of a key that goes away. */
void list_free(struct hive *h, hkey parent);
bool hive_is_unsorted(const struct hive *h, hkey key);
/* The leaf's entry size: 8 (lf, lh) or 4 (li); 0 if it is no leaf. */
size_t leaf_entry_size(struct bytes leaf);

/* ---- cell allocator (hive_alloc.c) ---- */

/* Builds the maps from verified bins; called once. */
void alloc_open(struct hive *h);
void alloc_close(struct hive *h);
/* A zeroed cell for `len` bytes of payload; 0 and *err if the hive would be too large. */
uint32_t alloc_cell(struct hive *h, size_t len, struct error *err);
void alloc_free(struct hive *h, uint32_t cell);
/* Makes room for len payload bytes, in place if possible; returns the cell, 0 on error. */
uint32_t alloc_grow(struct hive *h, uint32_t cell, size_t len, struct error *err);

/* ---- check, logs (hive_check.c, hive_check_tree.c, hive_log.c) ---- */

uint32_t hive_checksum(const uint8_t *base);
int hive_check_base(const struct hive *h, struct bytes file, struct error *err);
int hive_check_bins(struct hive *h, struct error *err);
int hive_check_tree(struct hive *h, struct error *err);
/* ERROR_STATE "damaged hive: ... at 0x...". Always -1. */
int hive_damaged(const struct hive *h, uint32_t offset, struct error *err, const char *fmt,
		 ...) _printf_(4, 5);
/*
 * Replays the logs over h->file, which is the whole primary file. 1: replayed, 0: no log
 * is usable (*why says why, the caller's to free).
 */
int hive_log_replay(struct hive *h, const struct hive_options *options, char **why);

/* ---- changes (hive_edit.c, hive_value.c) ---- */

/* Writes a new key's cell, which is zeroed. */
void nk_fill(uint8_t *nk, bool comp, hkey parent, uint32_t security, struct bytes name);
/* Sets the key's last-written time. */
void hive_touch(struct hive *h, hkey key);
/* Adds to hive_changes(); value is NULL for changes of keys. */
void hive_record_change(struct hive *h, enum hive_change_kind kind, hkey key,
			const char *value, uint32_t type, struct bytes data);
/* Frees a value's cell and data. */
void hive_value_free(struct hive *h, uint32_t vk);
void hive_changes_free(struct hive_changes *changes);
struct hive_security *hive_security_find(const struct hive *h, uint32_t cell);

#endif
