/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The WIM format as the provider's files share it. Microsoft's "Windows Imaging File
 * Format (WIM)" white paper is the source of the structures; what it leaves out (solid
 * resources, the meaning of stream entries) follows wimlib's documentation in its
 * sources (src/header.c, src/resource.c, src/dentry.c), checked on real files.
 *
 * gild edits the metadata resource itself, entry by entry, and uses wimlib for the
 * compression formats and for joining and recompressing: every entry that is not touched
 * stays byte for byte what Windows wrote.
 */
#ifndef TREE_WIM_H
#define TREE_WIM_H

#include "base/guid.h"
#include "block/iso.h"
#include "tree/provider.h"

#define WIM_HEADER_SIZE 208
#define WIM_HEADER_GUID 24
#define WIM_VERSION_DEFAULT 0x10d00u
#define WIM_VERSION_SOLID 0xe00u
#define WIM_MAX_IMAGES 65535
#define WIM_HASH_SIZE 20

enum wim_header_flag {
	WIM_COMPRESSED = 0x2,
	WIM_READ_ONLY = 0x4,
	WIM_SPANNED = 0x8,
	WIM_RESOURCE_ONLY = 0x10,
	WIM_METADATA_ONLY = 0x20,
	WIM_WRITE_IN_PROGRESS = 0x40,
	WIM_XPRESS = 0x20000,
	WIM_LZX = 0x40000,
	WIM_LZMS = 0x80000,
};

enum wim_resource_flag {
	WIM_RESOURCE_METADATA = 0x2,
	WIM_RESOURCE_COMPRESSED = 0x4,
	WIM_RESOURCE_SOLID = 0x10,
};

/* Where bytes lie in the file ("resource header", 24 bytes). */
struct wim_resource {
	uint64_t offset, size;	/* as stored */
	uint64_t full_size;	/* uncompressed */
	uint8_t flags;
};
#define WIM_RESOURCE_SIZE 24

struct wim_header {
	uint32_t version, flags, chunk_size;
	struct guid guid;
	uint16_t part, parts;
	uint32_t image_count, boot_index;
	struct wim_resource blobs, xml, boot_metadata, integrity;
	uint8_t unused[60]; /* kept */
};
/* Checks what can be checked without the file; `size` is the file's. */
int wim_header_read(struct bytes raw, uint64_t size, struct wim_header *header,
		    struct error *err);
void wim_header_write(const struct wim_header *header, uint8_t raw[WIM_HEADER_SIZE]);
void wim_resource_read(const uint8_t raw[WIM_RESOURCE_SIZE], struct wim_resource *r);
void wim_resource_write(const struct wim_resource *r, uint8_t raw[WIM_RESOURCE_SIZE]);
/* wimlib's number of the compression that the header names. */
int wim_compression(const struct wim_header *header);
/* Where the file ends by its header: the last of blob table, XML and integrity table. */
uint64_t wim_header_end(const struct wim_header *header);

/* An entry of the blob table ("lookup table", 50 bytes each). */
struct wim_blob {
	struct wim_resource resource; /* solid: offset in the run, size in `size` */
	uint16_t part;
	uint32_t references;
	uint8_t hash[WIM_HASH_SIZE];
	uint32_t run; /* solid: the first entry of its run, else UINT32_MAX */
	uint8_t file; /* index of the split part that holds it */
};
#define WIM_BLOB_SIZE 50
/* Marks the entry of a solid resource itself in a run. */
#define WIM_SOLID_SIZE 0x100000000u
DEFINE_VEC(wim_blobs, struct wim_blob);
/* Bytes of a blob's content. */
uint64_t wim_blob_size(const struct wim_blob *blob);
/* True for an entry that describes a solid resource, not a blob in it. */
bool wim_blob_is_run_resource(const struct wim_blob *blob);

struct wim_part {
	char *path;
	int fd;
	struct block *window; /* of a file inside an ISO (fd is the ISO), or NULL */
	uint64_t size;
	struct wim_header header;
};

struct wim_decompressor;
struct wim_solid_cache;

struct wim {
	struct image image;
	struct vec_of(struct wim_part) parts; /* [0] is the file that was opened */
	struct wim_blobs blobs;		      /* in table order, of all parts */
	uint32_t *by_hash;		      /* indexes of `blobs`, ordered by hash */
	size_t hashed;
	struct vec_of(uint32_t) metadata;     /* the images' metadata blobs */
	struct buffer xml;		      /* UTF-16LE as stored */
	struct wim_decompressor *decompressor;
	struct wim_solid_cache *solid;
	bool fresh_copy; /* a copy made for --output, not yet what it will be */
	struct iso *iso; /* the install media that holds the parts, or NULL */
	char *cache; /* folder with prefetched content of solid resources, or NULL */
};

struct wim_tree {
	struct tree tree;
	struct wim_metadata *metadata;
};

/* ---- wim_format.c ------------------------------------------------------------------- */
/* Reads and checks one part's blob table and appends it to wim->blobs. */
int wim_blobs_read(struct wim *wim, size_t part, struct error *err);
/* After the last part: the index by hash and the images' metadata. */
int wim_blobs_index(struct wim *wim, struct error *err);
void wim_blob_write(const struct wim_blob *blob, uint8_t raw[WIM_BLOB_SIZE]);
/* NULL if there is none. The zero hash has none. */
struct wim_blob *wim_blob_find(const struct wim *wim, const uint8_t *hash);
bool wim_hash_is_zero(const uint8_t *hash);

/* ---- wim_resource.c ----------------------------------------------------------------- */
/* Takes the next bytes of a resource. */
typedef int wim_sink(struct bytes data, void *arg, struct error *err);
/* Streams a blob to the sink, in order, and checks its SHA-1 at the end. */
int wim_blob_stream(struct wim *wim, const struct wim_blob *blob, wim_sink *sink,
		    void *arg, const char *what, struct error *err);
/* A whole blob in memory. */
int wim_blob_load(struct wim *wim, const struct wim_blob *blob, struct buffer *out,
		  const char *what, struct error *err);
/* A whole resource that is no blob (blob table, XML, integrity table). */
int wim_resource_load(struct wim *wim, size_t part, const struct wim_resource *resource,
		      uint64_t limit, struct buffer *out, const char *what,
		      struct error *err);
/* pread() of exactly `len` bytes. */
int wim_pread(const struct wim_part *part, uint64_t offset, void *to, size_t len,
	      struct error *err);
void wim_resource_close(struct wim *wim);

/* ---- wim.c, wim_recover.c ------------------------------------------------------------ */
/* The tree's metadata, loaded at need. */
struct wim_metadata *wim_tree_metadata(struct wim_tree *tree, struct error *err);
/* Reads (again) the blob tables of all parts. */
int wim_load(struct wim *wim, struct error *err);
/* Opens a copy that is being made for --output: its commit gives it a new identity. */
struct wim *wim_open_copy(const char *path, const struct image_options *options,
			  struct error *err);
/* True if content lies in solid resources. */
bool wim_is_solid(const struct wim *wim);
/* wimlib's lock, flock(), beside gild's own; ERROR_STATE if it is taken. */
int wim_lock_others_out(int fd, const char *path, struct error *err);
/* Refuses a WIM whose very first write was interrupted. */
int wim_check_complete(const struct wim *wim, struct error *err);
/* Undoes an interrupted append, with a notice. */
int wim_settle(struct wim *wim, struct error *err);
/* Where the file's used bytes end. */
uint64_t wim_end(const struct wim *wim);
/*
 * Bytes behind the end that nothing points to and that an edit may overwrite: padding, or
 * the rest of a longer XML that wimlib replaced in place.
 */
#define WIM_MAX_TAIL (1024 * 1024)
/* The first bytes behind the end while gild appends. */
#define WIM_MARK_SIZE 64
void wim_append_mark(const struct wim_header *header, uint64_t end,
		     uint8_t mark[WIM_MARK_SIZE]);

/* ---- wim_iso.c -------------------------------------------------------------------------- */
/*
 * Opens the ISO that image.path names and tells the path of the install image in it. Refuses
 * to write, and media without one.
 */
int wim_iso_open(struct wim *wim, char **inner, struct error *err);
/* The window and size of the part that is this file of the ISO. */
int wim_iso_part(struct wim *wim, const char *inner, struct wim_part *part,
		 struct error *err);
/*
 * Copies all parts into a temporary folder beside `near`, which is returned, with a notice;
 * `ret` gets their paths. For what only wimlib does.
 */
char *wim_iso_extract(const struct wim *wim, const char *near, struct strings *ret,
		      struct error *err);

/* ---- wim_pack.c ------------------------------------------------------------------------ */
/* Content that becomes a resource. It is read more than once. */
struct wim_source {
	const struct overlay *node; /* staged content, or */
	struct bytes bytes;	    /* memory, if node is NULL */
	uint64_t size;
};
struct wim_packing {
	struct wim_source source;
	uint8_t flags;		      /* besides COMPRESSED */
	struct wim_resource resource; /* where it went */
};
/*
 * Writes the sources as resources from `*at` on, compressed as `header` says, and moves
 * *at behind them. Chunks are compressed on several processors; the result does not
 * depend on how many.
 */
int wim_pack(int fd, const char *path, const struct wim_header *header, uint64_t *at,
	     struct wim_packing *items, size_t count, struct error *err);
/* SHA-1 of the content. */
int wim_source_hash(const struct wim_source *source, uint8_t hash[WIM_HASH_SIZE],
		    struct error *err);

/* ---- wim_edit.c ------------------------------------------------------------------------ */
/* What the XML counts. */
struct wim_counts {
	int64_t folders, files, bytes, link_bytes;
};
/* A content that is new in the WIM. */
struct wim_content {
	uint8_t hash[WIM_HASH_SIZE];
	const struct overlay *node;
	uint64_t size;
	uint32_t references;
};
DEFINE_VEC(wim_contents, struct wim_content);
/* What a commit collects from all images. */
struct wim_edit {
	struct wim *wim;
	struct wim_contents contents; /* ordered as staged, no hash twice */
	size_t rejected;	      /* folders in a form that DISM rejects */
	int64_t *before, *after;      /* references per blob in the edited images */
};
/* Applies the tree's overlay to its metadata (which is then no longer the base). */
int wim_edit_tree(struct wim_edit *edit, struct wim_tree *tree, struct wim_counts *change,
		  struct error *err);
/* The metadata as a resource's content. */
void wim_metadata_emit(const struct wim_metadata *metadata, struct buffer *out);

/* ---- wim_output.c ---------------------------------------------------------------------- */
int wim_commit_output(struct wim *wim, const struct image_commit_options *options,
		      uint64_t *bytes_written, struct error *err);

/*
 * Packs the WIM `path` into a solid one (LZMS), which goes to the empty file `fd`. Takes some
 * 500 MiB of memory. `level` 0: wimlib's own.
 */
int wim_write_solid(const char *path, unsigned level, int fd, struct error *err);

/* ---- wim_commit.c -------------------------------------------------------------------- */
int wim_commit(struct image *image, const struct image_commit_options *options,
	       uint64_t *bytes_written, struct error *err);

/* ---- wim_xml.c ---------------------------------------------------------------------- */
/* Fills image.infos from the XML; images that it does not describe get no name. */
int wim_xml_infos(struct wim *wim, struct error *err);
/*
 * The XML with the counts of the edited images changed and their time set to the clock's.
 * `changes` has an item per image, NULL where it is not edited. `total` is the size up to
 * the XML data.
 */
int wim_xml_update(const struct wim *wim, struct wim_counts *const *changes,
		   uint64_t total, struct buffer *out, struct error *err);
/* What the XML counts of an image (from 1); false if it does not. */
bool wim_xml_counts(const struct wim *wim, unsigned index, struct wim_counts *ret);
/* -1 if the XML is not well-formed or lacks an image. */
int wim_xml_is_sound(const struct wim *wim, struct error *err);

/* ---- wim_metadata.c ----------------------------------------------------------------- */
struct wim_node {
	const uint8_t *raw;	/* entry, padding and its stream entries */
	uint32_t entry_len;	/* of the entry with names and tagged items */
	uint32_t raw_len;	/* with the stream entries */
	struct wim_node *parent;
	struct wim_node **children; /* ordered as Windows orders names */
	uint32_t child_count;
	uint32_t child_room;
	uint8_t *own;		/* `raw` if it was allocated for this node */
	uint64_t subdir;	/* offset of the children; when writing */
	uint32_t place;		/* among the parent's children; when writing */
};

struct wim_metadata {
	struct buffer raw;
	struct wim_node *root;
	struct vec_of(struct wim_node *) blocks; /* allocation blocks */
	size_t block_used;
	size_t nodes;
	struct vec_of(struct bytes) security; /* descriptors, in `raw` or `owned` */
	struct vec_of(uint8_t *) owned;
};

struct wim_node *wim_node_new(struct wim_metadata *metadata);
/* Puts the child in its place among the folder's children, or takes it out. */
void wim_node_attach(struct wim_node *folder, struct wim_node *child);
void wim_node_detach(struct wim_node *child);
/* `raw` is taken over (also on failure). */
int wim_metadata_parse(struct buffer *raw, const char *what, struct wim_metadata **ret,
		       struct error *err);
void wim_metadata_free(struct wim_metadata *metadata);
/* Without regard to case; an exact match goes first. NULL if there is none. */
struct wim_node *wim_node_child(const struct wim_node *folder, const char *name,
				size_t len);
/* Looks a path up from the root; never through a reparse point. */
struct wim_node *wim_node_find(const struct wim_metadata *metadata, const char *path);
/* False for names that no path can say ("..", empty, NUL inside): hidden from lists. */
bool wim_node_is_nameable(const struct wim_node *node);
char *wim_node_name(const struct wim_node *node);
char *wim_node_path(const struct wim_node *node);
uint32_t wim_node_attributes(const struct wim_node *node);
enum tree_type wim_node_type(const struct wim_node *node);
/* True if a list of children belongs to it (kept even where a junction has one). */
bool wim_node_has_list(const struct wim_node *node);
/* The hash of the unnamed data stream (zero: empty). */
const uint8_t *wim_node_hash(const struct wim_node *node);
/* Offset in `raw` of that hash; 0 if there is no place for one yet. */
size_t wim_node_hash_offset(const struct wim_node *node);
/* Calls `visit` with each hash of the node that is not zero. */
void wim_node_hashes(const struct wim_node *node,
		     void (*visit)(const uint8_t *hash, void *arg), void *arg);

/* Offsets of the fields of an entry. */
enum wim_entry_field {
	WIM_ENTRY_LENGTH = 0,
	WIM_ENTRY_ATTRIBUTES = 8,
	WIM_ENTRY_SECURITY = 12,
	WIM_ENTRY_SUBDIR = 16,
	WIM_ENTRY_CREATED = 40,
	WIM_ENTRY_ACCESSED = 48,
	WIM_ENTRY_WRITTEN = 56,
	WIM_ENTRY_HASH = 64,
	WIM_ENTRY_UNKNOWN = 84,
	WIM_ENTRY_LINK_GROUP = 88, /* of reparse points: tag, reserved, flags */
	WIM_ENTRY_STREAMS = 96,
	WIM_ENTRY_SHORT_NAME = 98,
	WIM_ENTRY_NAME = 100,
	WIM_ENTRY_SIZE = 102,
};
/* Of a stream entry, which follows an entry. */
enum wim_stream_field {
	WIM_STREAM_LENGTH = 0,
	WIM_STREAM_HASH = 16,
	WIM_STREAM_NAME = 36,
	WIM_STREAM_SIZE = 38,
};

/* The error for a code of wimlib's. Always returns -1. */
int wimlib_failed(const char *path, int code, struct error *err);

#endif
