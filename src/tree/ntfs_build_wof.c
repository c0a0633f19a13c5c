/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Compact OS on a new volume: which files stay plain, and the compression. The form of
 * WofCompressedData is described in tree/ntfs_wof.h; it is that of an LZX resource of a
 * WIM with chunks of 32 KiB.
 */
#include "tree/ntfs_build.h"

#include <fnmatch.h>
#include <pthread.h>
#include <wimlib.h>

#define CHUNK 32768u
#define SLOTS 128u
/* As fast as it gets with nearly all of the gain: spec and bench/wim. */
#define LEVEL 20

/*
 * What the boot loader reads before the filter that decompresses is there, and registry
 * hives, which are written in place. As Microsoft's tools and wimlib's keep them.
 */
static const char *const plain_files[] = {
	"*winload.*",
	"*winresume.*",
	"bootmgr",
	"bootnxt",
	"boot/*",
	"efi/*",
	"windows/boot/*",
	"windows/bootstat.dat",
	"windows/apppatch/drvmain.sdb",
	"windows/fonts/vga*",
	"windows/inf/errata.inf",
	"windows/system32/config/*",
	"windows/system32/ntoskrnl.exe",
	"windows/system32/ntkrnlpa.exe",
	"windows/system32/hal*.dll",
	"windows/system32/bootvid.dll",
	"windows/system32/pshed.dll",
	"windows/system32/apisetschema.dll",
	"windows/system32/kernelbase.dll",
	"windows/system32/ci.dll",
	"windows/system32/clfs.sys",
	"windows/system32/mcupdate*",
	"windows/system32/kd*",
	"windows/system32/kbd*",
	"windows/system32/*.nls",
	"windows/system32/drivers/*.sys",
	"windows/system32/codeintegrity/driver.stl",
	"*/ntuser.dat*",
	"*/usrclass.dat*",
	"*/bcd",
	"*.hve",
};

bool ntfs_wof_allowed(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain_files); i++)
		if (fnmatch(plain_files[i], path, FNM_CASEFOLD | FNM_NOESCAPE) == 0)
			return false;
	return true;
}

struct bytes ntfs_wof_reparse(void)
{
	/* Version 1, provider "file", version 1, LZX. */
	static const uint8_t data[16] = {1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1};

	return (struct bytes){data, sizeof(data)};
}

/* ---- compressing
 * ----------------------------------------------------------------------- */

struct slot {
	uint32_t blob;
	uint64_t size; /* of the blob */
	bool last;     /* its last chunk */
	size_t len, packed;
	uint8_t *in, *out;
};

struct ntfs_packer {
	struct slot slots[SLOTS];
	size_t used;
	uint64_t at; /* of the blob that is being added */
	struct wimlib_compressor *compressors[FILES_MAX_THREADS];
	unsigned threads;
	/* What is compressed of the blob at the front: its table and chunks. */
	struct buffer out;
	size_t chunk;
};

struct worker {
	struct ntfs_packer *packer;
	unsigned number;
	pthread_t thread;
	bool started;
};

struct ntfs_packer *ntfs_packer_new(struct error *err)
{
	struct ntfs_packer *p = xcalloc(1, sizeof(*p));

	p->threads = files_threads();
	for (unsigned i = 0; i < p->threads; i++) {
		int code = wimlib_create_compressor(
			WIMLIB_COMPRESSION_TYPE_LZX, CHUNK,
			LEVEL | WIMLIB_COMPRESSOR_FLAG_DESTRUCTIVE, &p->compressors[i]);

		if (code == 0)
			continue;
		p->compressors[i] = NULL;
		ntfs_packer_free(p);
		error_set(err, ERROR_FAILED, NULL, "cannot compress: %s",
			  wimlib_get_error_string((enum wimlib_error_code)code));
		return NULL;
	}
	return p;
}

void ntfs_packer_free(struct ntfs_packer *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->threads; i++)
		wimlib_free_compressor(p->compressors[i]);
	for (size_t i = 0; i < SLOTS; i++) {
		free(p->slots[i].in);
		free(p->slots[i].out);
	}
	buffer_free(&p->out);
	free(p);
}

static void *compress_slots(void *arg)
{
	struct worker *w = arg;
	struct ntfs_packer *p = w->packer;

	for (size_t i = w->number; i < p->used; i += p->threads) {
		struct slot *s = &p->slots[i];

		/* A chunk that does not get smaller is kept as it is. */
		s->packed = s->len < 2
				    ? 0
				    : wimlib_compress(s->in, s->len, s->out, s->len - 1,
						      p->compressors[w->number]);
	}
	return NULL;
}

static void compress_all(struct ntfs_packer *p)
{
	struct worker workers[FILES_MAX_THREADS];

	for (unsigned i = 0; i < p->threads; i++) {
		workers[i] = (struct worker){.packer = p, .number = i};
		workers[i].started =
			i && pthread_create(&workers[i].thread, NULL, compress_slots,
					    &workers[i]) == 0;
	}
	for (unsigned i = 0; i < p->threads; i++)
		if (workers[i].started)
			pthread_join(workers[i].thread, NULL);
		else
			compress_slots(&workers[i]);
}

/* Appends a chunk to what is compressed of its blob. */
static void put_chunk(struct ntfs_packer *p, const struct slot *s)
{
	size_t chunks = (size_t)((s->size + CHUNK - 1) / CHUNK), table = (chunks - 1) * 4;

	if (p->chunk == 0) {
		p->out.len = 0;
		buffer_reserve(&p->out, table + 1);
		p->out.len = table;
	} else {
		put_le32(p->out.data + (p->chunk - 1) * 4,
			 (uint32_t)(p->out.len - table));
	}
	if (s->packed)
		buffer_append(&p->out, s->out, s->packed);
	else
		buffer_append(&p->out, s->in, s->len);
	p->chunk = s->last ? 0 : p->chunk + 1;
}

int ntfs_packer_flush(struct ntfs_packer *p, ntfs_packed_fn *done, void *arg,
		      struct error *err)
{
	if (interrupted())
		return error_interrupted(err);
	compress_all(p);
	for (size_t i = 0; i < p->used; i++) {
		const struct slot *s = &p->slots[i];

		put_chunk(p, s);
		if (s->last && done(arg, s->blob, buffer_view(&p->out), err) < 0)
			return -1;
	}
	p->used = 0;
	return 0;
}

/* The slot that is not full yet, or a new one. */
static struct slot *open_slot(struct ntfs_packer *p, uint32_t blob, uint64_t size)
{
	struct slot *s = &p->slots[p->used];

	if (!s->in) {
		s->in = xmalloc(CHUNK);
		s->out = xmalloc(CHUNK);
	}
	if (p->at % CHUNK == 0)
		s->len = 0;
	s->blob = blob;
	s->size = size;
	return s;
}

int ntfs_packer_add(struct ntfs_packer *p, uint32_t blob, uint64_t size,
		    struct bytes data, ntfs_packed_fn *done, void *arg, struct error *err)
{
	while (data.len) {
		struct slot *s = open_slot(p, blob, size);
		size_t n = CHUNK - s->len;

		if (n > data.len)
			n = data.len;
		memcpy(s->in + s->len, data.data, n);
		s->len += n;
		data.data += n;
		data.len -= n;
		p->at += n;
		s->last = p->at == size;
		if (s->len < CHUNK && !s->last)
			break;
		if (s->last)
			p->at = 0;
		if (++p->used == SLOTS && ntfs_packer_flush(p, done, arg, err) < 0)
			return -1;
	}
	return 0;
}
