/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The NTFS writer's parts (ntfs_build*.c). A volume is written in one pass: system files
 * whose size is known, contents in the order in which the source reads them best, indexes,
 * and last the file records, when all that they say is known. Clusters are given out in
 * ascending order, so that $Bitmap is a row of ones.
 *
 * The format's facts are those of libntfs-3g's layout.h, and of volumes made by Windows 10
 * (records, attributes and descriptors of the system files) where these differ.
 */
#ifndef TREE_NTFS_BUILD_H
#define TREE_NTFS_BUILD_H

#include "tree/files.h"

#define NTFS_CLUSTER 4096u
#define NTFS_INDEX_BLOCK 4096u
#define NTFS_SECTOR 512u /* that update sequences protect, whatever the disk's */
#define NTFS_HOLE UINT64_MAX
#define NTFS_MAX_RECORD 4096u

/* Records of the system's files; users' begin behind those that Windows adds itself. */
enum ntfs_system {
	NTFS_MFT,
	NTFS_MFT_MIRROR,
	NTFS_LOG_FILE,
	NTFS_VOLUME,
	NTFS_ATTR_DEF,
	NTFS_ROOT,
	NTFS_BITMAP,
	NTFS_BOOT,
	NTFS_BAD_CLUSTERS,
	NTFS_SECURE,
	NTFS_UPCASE,
	NTFS_EXTEND,
	NTFS_RESERVED = 12, /* to 15: in use, without names */
	NTFS_QUOTA = 24,
	NTFS_OBJECT_IDS,
	NTFS_REPARSE,
	NTFS_FIRST_FILE = 64,
};

enum ntfs_attribute {
	NTFS_AT_STANDARD = 0x10,
	NTFS_AT_LIST = 0x20,
	NTFS_AT_FILE_NAME = 0x30,
	NTFS_AT_OBJECT_ID = 0x40,
	NTFS_AT_VOLUME_NAME = 0x60,
	NTFS_AT_VOLUME_INFORMATION = 0x70,
	NTFS_AT_DATA = 0x80,
	NTFS_AT_INDEX_ROOT = 0x90,
	NTFS_AT_INDEX_ALLOCATION = 0xa0,
	NTFS_AT_BITMAP = 0xb0,
	NTFS_AT_REPARSE = 0xc0,
};
#define NTFS_AF_COMPRESSED 0x0001u
#define NTFS_AF_SPARSE 0x8000u

enum ntfs_record_flag {
	NTFS_RECORD_IN_USE = 1,
	NTFS_RECORD_FOLDER = 2,
	NTFS_RECORD_EXTEND = 4,
	NTFS_RECORD_VIEW = 8,
};

/* In FILE_NAME only. */
#define NTFS_ATTR_FOLDER 0x10000000u
#define NTFS_ATTR_VIEW 0x20000000u

enum ntfs_namespace { NTFS_POSIX, NTFS_WIN32, NTFS_DOS, NTFS_WIN32_DOS };

struct ntfs_run {
	uint64_t lcn; /* or NTFS_HOLE */
	uint64_t count;
};
DEFINE_VEC(ntfs_runs, struct ntfs_run);

/* ---- ntfs_build_output.c: writing in large pieces ------------------------------------- */

struct ntfs_output {
	struct block *volume;
	uint8_t *data;
	uint64_t at;
	size_t len;
};
/*
 * Writes to the volume, later: pieces that follow each other go together. Zeros are not
 * written. Where a piece does not follow the last one, that is written first.
 */
int ntfs_output_write(struct ntfs_output *out, uint64_t at, struct bytes data,
		      struct error *err);
int ntfs_output_flush(struct ntfs_output *out, struct error *err);
void ntfs_output_free(struct ntfs_output *out);

/* ---- ntfs_build_plan.c: what is known before the contents ------------------------------ */

enum ntfs_stream_kind {
	NTFS_STREAM_EMPTY,
	NTFS_STREAM_RESIDENT,
	NTFS_STREAM_PLAIN,  /* one run */
	NTFS_STREAM_SPARSE, /* runs */
	NTFS_STREAM_WOF,    /* one run of WofCompressedData */
};
/* A stream's content as it is on the volume. */
struct ntfs_stream {
	uint8_t kind;
	bool compact; /* may become WOF */
	uint32_t inode;
	uint32_t run_count;
	uint64_t size;
	uint64_t packed; /* WOF: bytes of WofCompressedData */
	union {
		uint8_t *value;		/* RESIDENT */
		uint64_t lcn;		/* PLAIN, WOF */
		struct ntfs_run *runs;	/* SPARSE */
	};
};

struct ntfs_inode {
	uint32_t record;
	uint32_t security;     /* NTFS's number */
	uint32_t first_stream; /* in build->streams */
	uint32_t first_name;   /* in build->names, of its entries */
	uint32_t first_child;  /* in build->children */
	uint32_t child_count;
	bool has_short;
	bool object_id;        /* is kept: no other file has it */
	bool wof;
};

struct ntfs_build {
	struct block *volume;
	struct files *files;
	const struct ntfs_build_options *options;
	struct ntfs_build_result *result;
	uint64_t clusters; /* of the volume */
	uint64_t next;	   /* the next free one */
	uint32_t record_size;
	struct ntfs_output out, records; /* contents and indexes; the MFT */
	struct ntfs_inode *inodes;
	struct ntfs_stream *streams;
	size_t stream_count;
	uint8_t *namespaces;  /* of the entries, enum ntfs_namespace */
	bool short_names;     /* the volume has them */
	size_t bad_descriptors;
	uint32_t *names;      /* entries, by inode */
	uint32_t *children;   /* entries, by folder */
	struct vec_of(struct bytes) descriptors; /* with numbers from 0x100 on; borrowed */
	struct vec_of(struct buffer *) own_descriptors;
	uint64_t now;
	uint8_t *arena; /* of resident values: blocks chained by their first pointer */
	size_t arena_used;
	/* The MFT. */
	struct ntfs_runs mft;
	uint64_t mft_clusters;
	uint32_t base_records; /* records of system and files, without extensions */
	struct vec_of(uint8_t *) extensions;
	uint64_t mirror; /* cluster of $MFTMirr */
	struct ntfs_system_file *system;
};

int ntfs_plan(struct ntfs_build *b, struct error *err);
void ntfs_plan_free(struct ntfs_build *b);
/* ntfs_build_secure.c: numbers of the descriptors, for b->inodes. */
void ntfs_plan_security(struct ntfs_build *b);
/* Writes $SDS; the indexes of $Secure are added to. */
struct ntfs_index;
int ntfs_write_descriptors(struct ntfs_build *b, struct ntfs_run *sds, uint64_t *size,
			   struct ntfs_index *by_hash, struct ntfs_index *by_number,
			   struct error *err);
/* Clusters that the files need at most, without those of fixed system files. */
uint64_t ntfs_plan_clusters(const struct ntfs_build *b);
/* A name in a folder: of an entry, its long or its short one. */
struct ntfs_child {
	uint32_t entry;
	enum ntfs_namespace space;
	struct bytes units; /* UTF-16LE */
};
struct ntfs_children {
	struct vec_of(struct ntfs_child) items;
	struct buffer units;
};
/* The names in a folder, in NTFS's order, short ones included. */
void ntfs_children_of(const struct ntfs_build *b, uint32_t inode,
		      struct ntfs_children *ret);
void ntfs_children_free(struct ntfs_children *children);
/* As an index orders names: <0, 0, >0; `exact` tells those apart that differ in case. */
int ntfs_order_names(struct bytes a, struct bytes b, bool exact);
/* Memory that lives as long as the build. */
uint8_t *ntfs_keep(struct ntfs_build *b, struct bytes value);
/* `count` free clusters in a row. */
int ntfs_allocate(struct ntfs_build *b, uint64_t count, uint64_t *lcn, struct error *err);
/* "files->name: path" for messages. */
char *ntfs_build_path(const struct ntfs_build *b, uint32_t entry);
static inline uint64_t ntfs_clusters_of(uint64_t bytes)
{
	return bytes / NTFS_CLUSTER + (bytes % NTFS_CLUSTER != 0);
}
static inline uint64_t ntfs_reference(uint32_t record)
{
	uint64_t sequence = record == 0 || record >= 16 ? 1 : record;

	return sequence << 48 | record;
}
static inline size_t ntfs_align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* ---- ntfs_build_wof.c: which files may be compressed ----------------------------------- */

#define NTFS_WOF_TAG 0x80000017u
/* False for what must stay plain to boot, by its path. */
bool ntfs_wof_allowed(const char *path);
/* The reparse data of such a file: LZX. */
struct bytes ntfs_wof_reparse(void);

/* Compresses chunks of 32 KiB of several contents on all processors. */
struct ntfs_packer;
struct ntfs_packer *ntfs_packer_new(struct error *err);
void ntfs_packer_free(struct ntfs_packer *packer);
/* Takes the compressed content (table and chunks), in the order of begin(). */
typedef int ntfs_packed_fn(void *arg, uint32_t blob, struct bytes packed,
			   struct error *err);
/* Content of the blob, which has `size` bytes, whole in one or several calls. */
int ntfs_packer_add(struct ntfs_packer *packer, uint32_t blob, uint64_t size,
		    struct bytes data, ntfs_packed_fn *done, void *arg,
		    struct error *err);
/* Compresses what is left and hands it over. */
int ntfs_packer_flush(struct ntfs_packer *packer, ntfs_packed_fn *done, void *arg,
		      struct error *err);
/* Contents that are larger are not compressed: they are held in memory. */
#define NTFS_WOF_MAX (128u * 1024 * 1024)

/* ---- ntfs_build_data.c: contents -------------------------------------------------------- */
int ntfs_write_contents(struct ntfs_build *b, struct error *err);

/* ---- ntfs_build_index.c: B-trees, bulk-built --------------------------------------------- */

struct ntfs_index {
	const char *name;    /* "$I30" */
	uint32_t type;	     /* of the indexed attribute, or 0 */
	uint32_t collation;
	struct buffer bytes; /* the entries, one behind the other, in order */
	struct vec_of(uint32_t) offsets;
	/* What ntfs_index_build() makes: */
	struct buffer root;  /* value of $INDEX_ROOT */
	struct buffer blocks;
	struct ntfs_run run; /* of $INDEX_ALLOCATION */
	struct buffer bitmap;
};
#define NTFS_COLLATION_FILE_NAME 1u
#define NTFS_COLLATION_ULONG 0x10u
#define NTFS_COLLATION_SID 0x11u
#define NTFS_COLLATION_SECURITY_HASH 0x12u
#define NTFS_COLLATION_ULONGS 0x13u
/* Appends an entry of a folder or of a view; `key` and `data` are copied. */
void ntfs_index_add_file(struct ntfs_index *index, uint64_t reference, struct bytes key);
void ntfs_index_add_view(struct ntfs_index *index, struct bytes key, struct bytes data,
			 uint32_t tail);
/* Builds the tree with a root of at most `room` bytes (at least 56) and writes the blocks. */
int ntfs_index_build(struct ntfs_build *b, struct ntfs_index *index, size_t room,
		     struct error *err);
void ntfs_index_free(struct ntfs_index *index);
/* Puts the update sequence into a record or block. */
void ntfs_protect(uint8_t *raw, size_t size, unsigned offset);

/* ---- ntfs_build_record.c: file records ------------------------------------------------- */

struct ntfs_attr {
	uint32_t type;
	const char *name; /* WTF-8, or NULL */
	uint16_t flags;
	bool indexed;
	bool non_resident;
	struct bytes value;	    /* resident; must live until the record is made */
	uint64_t size, initialized; /* non-resident */
	const struct ntfs_run *runs;
	size_t run_count;
	uint64_t allocated; /* 0: what the runs have */
};

struct ntfs_record {
	uint32_t number;
	uint16_t sequence, flags, links;
	struct vec_of(struct ntfs_attr) attrs;
};
/* Bytes that the attribute takes in a record. */
size_t ntfs_build_attr_size(const struct ntfs_attr *attr);
/* What a record can hold. */
size_t ntfs_record_room(const struct ntfs_build *b);
/*
 * Makes the record, with extension records and an attribute list if it is too long for
 * one, and writes it. The attributes are put in order.
 */
int ntfs_record_write(struct ntfs_build *b, struct ntfs_record *record,
		      struct error *err);
int ntfs_mft_begin(struct ntfs_build *b, struct error *err);
/* One whole record, already protected. */
int ntfs_mft_write(struct ntfs_build *b, uint32_t number, const uint8_t *raw,
		   struct error *err);

/* ---- ntfs_build_file.c: the records of files ------------------------------------------- */
struct ntfs_standard {
	uint32_t attributes, security;
	uint64_t created, modified, changed, accessed;
};
void ntfs_standard_value(const struct ntfs_standard *s, uint8_t value[72]);
/* $FILE_NAME as it is written; what is read is ntfs_private.h's ntfs_name. */
struct ntfs_file_name {
	uint32_t parent; /* record */
	uint64_t allocated, size;
	uint32_t attributes, tag; /* as FILE_NAME has them */
	uint64_t created, modified, changed, accessed;
	enum ntfs_namespace space;
	struct bytes units;
};
#define NTFS_FILE_NAME_MAX (66 + 2 * 255)
size_t ntfs_file_name_value(const struct ntfs_file_name *name,
			    uint8_t value[NTFS_FILE_NAME_MAX]);
/* Their records, in the order of their numbers, and the folders' B-trees. */
int ntfs_write_files(struct ntfs_build *b, struct error *err);
/* The root's index, with the entries of the system's files. */
int ntfs_write_root(struct ntfs_build *b, struct error *err);

/* ---- ntfs_build_system.c ----------------------------------------------------------------- */
/* Places and writes what lies before the contents. */
int ntfs_write_fixed(struct ntfs_build *b, struct error *err);
/* Clusters of these, and of $Bitmap, for a volume of so many. */
uint64_t ntfs_fixed_clusters(uint64_t clusters, uint32_t record_size);
/* $Secure and the indexes of $Extend; settles which object IDs are kept. */
int ntfs_write_views(struct ntfs_build *b, struct error *err);
/* Everything else of the system's, at the end; the root too. */
int ntfs_write_system(struct ntfs_build *b, struct error *err);
/* Adds the names of the system's files in the root, and puts it in order. */
void ntfs_system_names(struct ntfs_build *b, struct ntfs_index *index);
void ntfs_system_free(struct ntfs_build *b);
/* The boot sector, 512 bytes. */
void ntfs_boot_sector(const struct ntfs_build *b, uint8_t raw[512]);

#endif
