/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All of a Windows volume at once: every name, every file's metadata, and where its
 * content comes from. A tree (tree/tree.h) is for looking at and changing some files; this
 * is for copying a whole volume, which loses nothing: hard links, short names, named
 * streams, security descriptors, reparse points, object IDs, sparse and compressed flags,
 * times.
 *
 * A source fills it (an image of a WIM, an NTFS volume, a folder), a sink writes it (a new
 * NTFS volume, a new image in a WIM). Sources and sinks do not know each other.
 */
#ifndef TREE_FILES_H
#define TREE_FILES_H

#include "block/block.h"
#include "tree/tree.h"

#define FILES_NONE UINT32_MAX
/* FILE_ATTRIBUTE_* beyond those of tree/tree.h. */
#define FILES_ATTR_DIRECTORY 0x10u
#define FILES_ATTR_SPARSE 0x200u
#define FILES_ATTR_REPARSE 0x400u
#define FILES_ATTR_COMPRESSED 0x800u
#define FILES_ATTR_ENCRYPTED 0x4000u

/* A content; streams with the same content share it where the source knows. */
struct files_blob {
	uint64_t size;
	uint8_t sha1[20];	/* valid if `hashed` */
	bool hashed;
	uint64_t place;		/* the source's: reading blobs in this order is fastest */
	uint32_t private;	/* the source's */
};

struct files_stream {
	char *name;		/* NULL: the unnamed data stream */
	uint32_t blob;		/* FILES_NONE: empty */
};

struct files_object_id {
	uint8_t id[16], birth_volume[16], birth_object[16], domain[16];
};

/* A file or folder, which has one or more names. */
struct files_inode {
	uint32_t attributes;
	uint64_t created, modified, accessed, changed;	/* FILETIME */
	uint32_t security;	/* in files.security, or FILES_NONE */
	uint32_t reparse_tag;	/* if FILES_ATTR_REPARSE */
	struct bytes reparse;	/* reparse data behind the 8-byte header; owned by files */
	struct files_object_id *object_id;	/* or NULL */
	struct files_stream *streams;	/* the unnamed one first, if there is one */
	uint32_t stream_count;
	uint32_t links;		/* names */
};

/* A name. The root is entry 0, whose name is "". */
struct files_entry {
	char *name;		/* WTF-8, see base/text.h */
	char *short_name;	/* 8.3 name, or NULL */
	uint32_t inode;
	uint32_t parent;	/* an entry that comes before this one */
};

struct files;
struct files_sink;
struct files_ops {
	/* See files_read(). */
	int (*read)(struct files *files, const uint32_t *blobs, size_t count,
		    const struct files_sink *sink, struct error *err);
	/* See files_check(). May be NULL. */
	int (*check)(struct files *files, struct error *err);
	/* See files_raw(). May be NULL. */
	int (*raw)(struct files *files, uint32_t blob, struct buffer *ret,
		   struct error *err);
	void (*close)(struct files *files);
};

/* Sources put this first in their own structure. */
struct files {
	const struct files_ops *ops;
	char *name;		/* for messages: "install.wim:2" */
	/*
	 * Parents come before children; the children of one folder follow each other in
	 * the order of text_compare(). No folder has two children that are text_equal(),
	 * unless the source had.
	 */
	struct vec_of(struct files_entry) entries;
	struct vec_of(struct files_inode) inodes;
	struct vec_of(struct files_blob) blobs;
	struct vec_of(struct bytes) security;	/* self-relative descriptors, no two equal */
	char *label;		/* of the volume, or NULL */
};

/* Takes contents. Blobs come one after the other, each begin, data..., end. */
struct files_sink {
	int (*begin)(void *arg, uint32_t blob, struct error *err);	/* may be NULL */
	int (*data)(void *arg, struct bytes data, struct error *err);
	int (*end)(void *arg, struct error *err);	/* may be NULL */
	void *arg;
};
/*
 * Gives the contents of `blobs` to the sink in the order of the list, from the calling
 * thread; decodes ahead on the other processors. A content whose SHA-1 is known and does
 * not match is an error, after its data and instead of its end. Reports no progress.
 */
int files_read(struct files *files, const uint32_t *blobs, size_t count,
	       const struct files_sink *sink, struct error *err);
/*
 * The stored bytes of a blob that is kept as Windows keeps it in a WofCompressedData
 * stream of LZX (a compressed, not solid resource of 32 KiB chunks): chunk table and
 * chunks. 1: given, 0: it is not stored so, -1: error. Not checked against the hash.
 */
int files_raw(struct files *files, uint32_t blob, struct buffer *ret, struct error *err);
/*
 * Refuses by name, with the remedy, if there is content that cannot be read: encrypted
 * (EFS), deduplicated, in another file. To be asked before anything is written;
 * files_read() refuses such a blob as well.
 */
int files_check(struct files *files, struct error *err);
/* The path of an entry, '/'-separated; "" is the root. The caller's. */
char *files_path(const struct files *files, size_t entry);
/*
 * Takes entries out, each with all below it: those for which `drop` says so. Inodes and
 * blobs keep their numbers; those that no entry leads to any more have no links.
 */
void files_exclude(struct files *files, bool (*drop)(void *arg, const char *path),
		   void *arg);
void files_close(struct files *files);	/* NULL is fine */
void files_closep(struct files **files);
#define _cleanup_files_ _cleanup_(files_closep)
/*
 * Threads that decode and compress: as many as there are processors for this process, at
 * most FILES_MAX_THREADS. What is written never depends on it.
 */
#define FILES_MAX_THREADS 16
unsigned files_threads(void);
/* For tests; 0: by the processors again. */
void files_set_threads(unsigned count);

/* ---- sources ---- */

/* The i-th image (from 0) of a WIM; staged changes of its tree are not looked at. */
struct files *files_of_wim(struct image *wim, size_t i, struct error *err);
struct ntfs;
/* What a mounted NTFS volume holds; see files_ntfs.c for what is left out. */
struct files *files_of_ntfs(struct ntfs *ntfs, struct error *err);
/*
 * What the NTFS volume of the i-th Windows on a disk holds, by whatever provider the image
 * was opened. The image must outlive it. Other images are refused by name.
 */
struct files *files_of_disk(struct image *image, size_t i, struct error *err);

/* ---- sinks ---- */

/* ntfs_build.c: a new NTFS volume on all of a block. */
struct ntfs_build_options {
	uint64_t hidden_sectors;	/* of the boot sector: where the volume begins on the disk */
	const char *label;		/* NULL: files->label */
	/* CompactOS: files are stored as WOF (LZX), but for those that must stay plain. */
	bool compact;
};
struct ntfs_build_result {
	uint64_t allocated;	/* bytes of clusters in use */
	uint64_t content;	/* bytes of content, before compression */
	uint64_t compacted;	/* files stored as WOF */
};
/*
 * Bytes of a volume that is certainly large enough for the files (with `compact` as large
 * as without, since nobody knows before how well contents compress), a multiple of 1 MiB.
 * What it leaves free beside them is not much: add what the system needs to run.
 */
uint64_t ntfs_build_size(const struct files *files, uint32_t sector_size,
			 const struct ntfs_build_options *options);
/*
 * Formats the block and writes all of `files` to it, in one pass, mostly ascending. The
 * same files, size and options give the same bytes, at any number of processors. What is
 * not written reads as zero on a new container and must do so: `volume` is new. A volume
 * that is too small is refused before anything is written (`compact`: or when it is full).
 */
int ntfs_build(struct block *volume, struct files *files,
	       const struct ntfs_build_options *options, struct ntfs_build_result *ret,
	       struct error *err);

/* What the XML of a WIM says of the Windows in an image. */
struct wim_windows {
	unsigned arch;		/* PROCESSOR_ARCHITECTURE_* */
	const char *product;	/* "Windows 10 Pro" */
	const char *edition;	/* "Professional" */
	const char *installation_type;	/* "Client" */
	const char *product_type;	/* "WinNT" */
	const char *product_suite;	/* "Terminal Server" */
	const struct strings *languages;	/* "en-US", ...; may be empty */
	const char *default_language;
	const char *system_root;	/* "WINDOWS" */
	/* spbuild is the revision, splevel the service pack. */
	unsigned major, minor, build, spbuild, splevel;
};
/* wim_create.c: a new WIM. */
struct wim_create_options {
	const char *compression;	/* "none", "xpress", "lzx" (default), "solid" */
	unsigned level;		/* 0: the default, LZX:20 */
	const char *image_name;	/* NULL: the label or the file's name */
	const char *description, *flags;	/* may be NULL */
	const struct wim_windows *windows;	/* may be NULL; its strings, too */
	const char *near;	/* temporary files go beside it; NULL: beside the WIM */
};
/*
 * Writes a WIM with one image to the new file `path` (the caller renames or removes it).
 * Compresses on all processors; the bytes do not depend on how many there are.
 */
int wim_create(const char *path, struct files *files,
	       const struct wim_create_options *options, uint64_t *bytes_written,
	       struct error *err);

#endif
