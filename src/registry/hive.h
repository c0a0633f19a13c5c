/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One registry hive (regf), read, edited and written in memory.
 *
 * The bytes of the hive are edited in place as Windows does it: cells are allocated from
 * the free cells and appended bins, whatever is not touched keeps its bytes (class names,
 * security cells, flags, timestamps, odd value types and `db` records included).
 *
 * A key is named by the offset of its cell (hkey, 0: none), valid until the key is
 * deleted. Names and paths are UTF-8, '\'-separated, compared by Windows' case rules. All
 * offsets and sizes in the file are checked before use.
 */
#ifndef REGISTRY_HIVE_H
#define REGISTRY_HIVE_H

#include "base/buffer.h"
#include "base/error.h"

struct hive;
typedef uint32_t hkey;

enum reg_type {
	REG_NONE = 0,
	REG_SZ = 1,
	REG_EXPAND_SZ = 2,
	REG_BINARY = 3,
	REG_DWORD = 4,
	REG_DWORD_BIG_ENDIAN = 5,
	REG_LINK = 6,
	REG_MULTI_SZ = 7,
	REG_RESOURCE_LIST = 8,
	REG_FULL_RESOURCE_DESCRIPTOR = 9,
	REG_RESOURCE_REQUIREMENTS_LIST = 10,
	REG_QWORD = 11,
};

struct hive_options {
	const char *name;	/* for messages: "SYSTEM" or a path */
	bool accept_dirty;	/* go on without usable logs, with a notice() */
	struct bytes log, log1, log2;	/* transaction logs; empty if there are none */
};

/*
 * Checks and copies the hive. A dirty primary (sequence numbers differ) has its logs
 * replayed as Windows does (DIRT and HvLE formats); dirty without usable logs is
 * ERROR_STATE unless accept_dirty. A damaged hive is ERROR_STATE with what and where.
 */
struct hive *hive_open(struct bytes data, const struct hive_options *options,
		       struct error *err);
/* A new, empty hive with a root key of that name (format 1.5, default security). */
struct hive *hive_new(const char *root_name, struct error *err);
void hive_close(struct hive *hive);
void hive_closep(struct hive **hive);
#define _cleanup_hive_ _cleanup_(hive_closep)
bool hive_modified(const struct hive *hive);
bool hive_recovered(const struct hive *hive);	/* logs were replayed */
bool hive_was_dirty(const struct hive *hive);	/* opened dirty under accept_dirty */
/* The finished file: header, sequence numbers, checksum, times by base/clock. */
int hive_serialize(struct hive *hive, struct buffer *ret, struct error *err);

hkey hive_root(const struct hive *hive);
/* 0 if there is no such key. path may be "" (the key itself). */
hkey hive_find(const struct hive *hive, hkey key, const char *path);
uint32_t hive_child_count(const struct hive *hive, hkey key);
/* The i-th subkey in stored (sorted) order; 0 if i is too large or the list is bad. */
hkey hive_child(const struct hive *hive, hkey key, uint32_t i);
char *hive_key_name(const struct hive *hive, hkey key);	/* owned by the caller */
uint64_t hive_key_time(const struct hive *hive, hkey key);	/* FILETIME */
/* Finds or makes the key and its missing ancestors; each inherits its parent's security. */
int hive_create(struct hive *hive, hkey key, const char *path, hkey *ret,
		struct error *err);
/* Deletes the key with everything below. The root cannot be deleted. */
int hive_delete(struct hive *hive, hkey key, struct error *err);

struct reg_value {
	char *name;	/* "" is the default value */
	uint32_t type;	/* enum reg_type or anything that Windows stores (0xffff0012) */
	uint8_t *data;
	uint32_t len;
};
void reg_value_free(struct reg_value *value);
#define _cleanup_reg_value_ _cleanup_(reg_value_free)
uint32_t hive_value_count(const struct hive *hive, hkey key);
/* 1: found, 0: no such value, -1: damaged. `ret` is owned by the caller. */
int hive_value_at(const struct hive *hive, hkey key, uint32_t i, struct reg_value *ret,
		  struct error *err);
int hive_value(const struct hive *hive, hkey key, const char *name, struct reg_value *ret,
	       struct error *err);
/* 1: changed, 0: it had just this type and data already, -1: error. */
int hive_set(struct hive *hive, hkey key, const char *name, uint32_t type,
	     struct bytes data, struct error *err);
/* 1: deleted, 0: there was none, -1: error. */
int hive_unset(struct hive *hive, hkey key, const char *name, struct error *err);

/* Typed access. Getters: false if the value is missing or of another type. */
char *hive_get_string(const struct hive *hive, hkey key, const char *name); /* or NULL */
bool hive_get_dword(const struct hive *hive, hkey key, const char *name, uint32_t *ret);
/* REG_MULTI_SZ (a REG_SZ counts as one item). */
bool hive_get_strings(const struct hive *hive, hkey key, const char *name,
		      struct strings *ret);
int hive_set_string(struct hive *hive, hkey key, const char *name, uint32_t type,
		    const char *text, struct error *err); /* REG_SZ or REG_EXPAND_SZ */
int hive_set_dword(struct hive *hive, hkey key, const char *name, uint32_t v,
		   struct error *err);
int hive_set_qword(struct hive *hive, hkey key, const char *name, uint64_t v,
		   struct error *err);
int hive_set_strings(struct hive *hive, hkey key, const char *name,
		     const struct strings *items, struct error *err);

/* What was changed since the hive was opened, in order, for --dry-run and reports. */
enum hive_change_kind {
	HIVE_KEY_CREATED,
	HIVE_KEY_DELETED,
	HIVE_VALUE_SET,
	HIVE_VALUE_DELETED,
};
struct hive_change {
	enum hive_change_kind kind;
	char *path;	/* of the key, from the root, without the root's name */
	struct reg_value value;	/* of HIVE_VALUE_*: name; type and data for SET */
};
DEFINE_VEC(hive_changes, struct hive_change);
const struct hive_changes *hive_changes(const struct hive *hive);

#endif
