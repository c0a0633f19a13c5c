/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ntfs_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wimlib.h>

#include <ntfs-3g/dir.h>
#include <ntfs-3g/object_id.h>
#include <ntfs-3g/reparse.h>

_Noreturn static void die(const char *path, const char *what)
{
	fprintf(stderr, "ntfs_sample: %s: %s: %s\n", path, what, strerror(errno));
	exit(1);
}

bool ntfs_sample_format(const char *path, uint64_t size, unsigned sector,
			unsigned cluster)
{
	/* mkntfs lies in sbin, which is not in every user's PATH. */
	_cleanup_free_ char *search =
		xasprintf("%s:/usr/sbin:/sbin", getenv("PATH") ?: "/usr/bin");
	_cleanup_free_ char *s = xasprintf("%u", sector), *c = xasprintf("%u", cluster);
	int status, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	pid_t pid;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || close(fd) < 0)
		die(path, "cannot make");
	pid = fork();
	if (pid == 0) {
		setenv("PATH", search, 1);
		(void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		execlp("mkntfs", "mkntfs", "-q", "-Q", "-F", "-s", s, "-c", c, "-p", "0",
		       "-H", "255", "-S", "63", "-L", "Größe", path, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

ntfs_volume *ntfs_sample_mount(const char *path)
{
	ntfs_volume *volume = ntfs_mount(path, NTFS_MNT_NONE);

	if (!volume)
		die(path, "cannot mount");
	return volume;
}

void ntfs_sample_unmount(ntfs_volume *volume)
{
	if (ntfs_umount(volume, FALSE) != 0)
		die("volume", "cannot unmount");
}

static ntfs_inode *open_path(ntfs_volume *volume, const char *path)
{
	ntfs_inode *ni = ntfs_pathname_to_inode(volume, NULL, *path ? path : "/");

	if (!ni)
		die(path, "cannot open");
	return ni;
}

static ntfs_inode *open_parent(ntfs_volume *volume, const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);
	const char *folder = dirname(copy);

	return open_path(volume, strcmp(folder, ".") == 0 ? "" : folder);
}

static const char *leaf(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Both inodes are the caller's to close. */
static ntfs_inode *create(ntfs_volume *volume, const char *path, mode_t type)
{
	ntfs_inode *parent = open_parent(volume, path), *ni;
	ntfschar *name = NULL;
	int len = ntfs_mbstoucs(leaf(path), &name);

	ni = len < 0 ? NULL
		     : ntfs_create(parent, const_cpu_to_le32(0), name, (u8)len, type);
	if (!ni)
		die(path, "cannot create");
	free(name);
	ntfs_inode_close(parent);
	return ni;
}

void ntfs_sample_folder(ntfs_volume *volume, const char *path)
{
	ntfs_inode_close(create(volume, path, S_IFDIR));
}

static void put(ntfs_inode *ni, ntfschar *name, u32 name_len, struct bytes data,
		uint64_t offset, size_t step, const char *path)
{
	ntfs_attr *na = ntfs_attr_open(ni, AT_DATA, name, name_len);

	if (!na)
		die(path, "cannot open its stream");
	for (size_t at = 0; at < data.len;) {
		size_t n = data.len - at < step ? data.len - at : step;

		if (ntfs_attr_pwrite(na, (s64)(offset + at), (s64)n, data.data + at) !=
		    (s64)n)
			die(path, "cannot write");
		at += n;
	}
	if (NAttrCompressed(na) && ntfs_attr_pclose(na) != 0)
		die(path, "cannot compress");
	ntfs_attr_close(na);
}

/* A cluster between each two of the file's is taken by another one. */
static void put_fragmented(ntfs_volume *volume, const char *path, struct bytes data)
{
	_cleanup_free_ char *other = xasprintf("%s.between", path);
	size_t step = volume->cluster_size;
	ntfs_inode *a = create(volume, path, S_IFREG);
	ntfs_inode *b = create(volume, other, S_IFREG);
	ntfs_attr *x = ntfs_attr_open(a, AT_DATA, AT_UNNAMED, 0);
	ntfs_attr *y = ntfs_attr_open(b, AT_DATA, AT_UNNAMED, 0);

	for (size_t at = 0; at < data.len; at += step) {
		s64 n = (s64)(data.len - at < step ? data.len - at : step);

		if (ntfs_attr_pwrite(x, (s64)at, n, data.data + at) != n ||
		    ntfs_attr_pwrite(y, (s64)at, n, data.data + at) != n)
			die(path, "cannot write");
	}
	ntfs_attr_close(x);
	ntfs_attr_close(y);
	ntfs_inode_close(a);
	ntfs_inode_close(b);
}

void ntfs_sample_file(ntfs_volume *volume, const char *path, struct bytes data,
		      enum ntfs_sample_kind kind)
{
	ntfs_inode *ni, *parent;

	if (kind == NTFS_SAMPLE_FRAGMENTED) {
		put_fragmented(volume, path, data);
		return;
	}
	if (kind == NTFS_SAMPLE_COMPRESSED) {
		/* Inherited by what is made in the folder. */
		parent = open_parent(volume, path);
		parent->flags |= FILE_ATTR_COMPRESSED;
		NInoSetDirty(parent);
		ntfs_inode_close(parent);
		NVolSetCompression(volume);
	}
	ni = create(volume, path, S_IFREG);
	put(ni, AT_UNNAMED, 0, data, 0, 1u << 20, path);
	ntfs_inode_close(ni);
	if (kind == NTFS_SAMPLE_COMPRESSED) {
		parent = open_parent(volume, path);
		parent->flags &= ~FILE_ATTR_COMPRESSED;
		NInoSetDirty(parent);
		ntfs_inode_close(parent);
	}
}

void ntfs_sample_sparse(ntfs_volume *volume, const char *path, uint64_t size,
			struct bytes data, uint64_t offset)
{
	ntfs_inode *ni = create(volume, path, S_IFREG);
	ntfs_attr *na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);

	/* A hole when it grows. */
	if (!na || ntfs_attr_truncate(na, (s64)size) != 0)
		die(path, "cannot grow");
	ntfs_attr_close(na);
	put(ni, AT_UNNAMED, 0, data, offset, 1u << 20, path);
	ntfs_inode_close(ni);
}

void ntfs_sample_wof_pack(struct bytes data, unsigned algorithm, struct buffer *out)
{
	static const size_t chunk_sizes[] = {4096, 32768, 8192, 16384};
	size_t chunk = chunk_sizes[algorithm], chunks = (data.len + chunk - 1) / chunk;
	_cleanup_free_ uint8_t *packed = xmalloc(chunk);
	struct wimlib_compressor *compressor;
	size_t table = out->len, begin;

	if (wimlib_create_compressor(algorithm == 1 ? WIMLIB_COMPRESSION_TYPE_LZX
						    : WIMLIB_COMPRESSION_TYPE_XPRESS,
				     chunk, 0, &compressor) != 0)
		die("wimlib", "has no compressor");
	for (size_t i = 1; i < chunks; i++)
		buffer_append_le32(out, 0);
	begin = out->len;
	for (size_t i = 0; i < chunks; i++) {
		const uint8_t *from = data.data + i * chunk;
		size_t len = data.len - i * chunk < chunk ? data.len - i * chunk : chunk;
		size_t n = wimlib_compress(from, len, packed, len - 1, compressor);

		if (i)
			put_le32(out->data + table + 4 * (i - 1),
				 (uint32_t)(out->len - begin));
		buffer_append(out, n ? packed : from, n ?: len);
	}
	wimlib_free_compressor(compressor);
}

void ntfs_sample_wof_stream(ntfs_volume *volume, const char *path, struct bytes stream)
{
	ntfs_inode *ni = open_path(volume, path);
	ntfschar *name = NULL;
	int len = ntfs_mbstoucs("WofCompressedData", &name);

	if (len < 0)
		die(path, "no name");
	(void)ntfs_attr_remove(ni, AT_DATA, name, (u32)len);
	if (ntfs_attr_add(ni, AT_DATA, name, (u8)len, NULL, 0) != 0)
		die(path, "cannot add a stream");
	put(ni, name, (u32)len, stream, 0, 1u << 20, path);
	free(name);
	ntfs_inode_close(ni);
}

void ntfs_sample_reparse(ntfs_volume *volume, const char *path, uint32_t tag,
			 struct bytes data)
{
	_cleanup_buffer_ struct buffer value = BUFFER_INIT;
	ntfs_inode *ni = open_path(volume, path);

	buffer_append_le32(&value, tag);
	buffer_append_le16(&value, (uint16_t)data.len);
	buffer_append_le16(&value, 0);
	buffer_append(&value, data.data, data.len);
	if (ntfs_set_ntfs_reparse_data(ni, (const char *)value.data, value.len, 0) != 0)
		die(path, "cannot set its reparse point");
	ntfs_inode_close(ni);
}

/* Compressed stream and reparse point of a file that is sparse already. */
static void put_wof(ntfs_volume *volume, const char *path, struct bytes data,
		    unsigned algorithm)
{
	_cleanup_buffer_ struct buffer stream = BUFFER_INIT;
	uint8_t reparse[16] = {1, 0, 0, 0, 2, 0, 0, 0, 1};

	ntfs_sample_wof_pack(data, algorithm, &stream);
	ntfs_sample_wof_stream(volume, path, buffer_view(&stream));
	reparse[12] = (uint8_t)algorithm;
	ntfs_sample_reparse(volume, path, 0x80000017u,
			    (struct bytes){reparse, sizeof(reparse)});
	ntfs_sample_attributes(volume, path, 0x200);
}

void ntfs_sample_wof(ntfs_volume *volume, const char *path, struct bytes data,
		     unsigned algorithm)
{
	ntfs_sample_sparse(volume, path, data.len, (struct bytes){0}, 0);
	put_wof(volume, path, data, algorithm);
}

void ntfs_sample_compact(ntfs_volume *volume, const char *path, unsigned algorithm)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	ntfs_inode *ni = open_path(volume, path);
	ntfs_attr *na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);

	if (!na)
		die(path, "cannot read");
	if (ni->flags & FILE_ATTR_REPARSE_POINT) { /* by another of its names */
		ntfs_attr_close(na);
		ntfs_inode_close(ni);
		return;
	}
	if (ntfs_attr_pread(na, 0, na->data_size,
			    buffer_reserve(&data, (size_t)na->data_size)) !=
	    na->data_size)
		die(path, "cannot read");
	data.len = (size_t)na->data_size;
	ntfs_attr_close(na);
	/* An unnamed stream that is nothing but a hole. */
	if (ntfs_attr_remove(ni, AT_DATA, AT_UNNAMED, 0) != 0 ||
	    ntfs_attr_add(ni, AT_DATA, AT_UNNAMED, 0, NULL, 0) != 0)
		die(path, "cannot empty");
	na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
	if (!na || ntfs_attr_truncate(na, (s64)data.len) != 0)
		die(path, "cannot grow");
	ntfs_attr_close(na);
	ntfs_inode_close(ni);
	put_wof(volume, path, buffer_view(&data), algorithm);
}

void ntfs_sample_attributes(ntfs_volume *volume, const char *path, uint32_t set)
{
	ntfs_inode *ni = open_path(volume, path);

	ni->flags |= cpu_to_le32(set);
	NInoFileNameSetDirty(ni);
	NInoSetDirty(ni);
	ntfs_inode_close(ni);
}

void ntfs_sample_link(ntfs_volume *volume, const char *from, const char *to)
{
	ntfs_inode *ni = open_path(volume, from), *parent = open_parent(volume, to);
	ntfschar *name = NULL;
	int len = ntfs_mbstoucs(leaf(to), &name);

	if (len < 0 || ntfs_link(ni, parent, name, (u8)len) != 0)
		die(to, "cannot link");
	free(name);
	ntfs_inode_close(ni);
	ntfs_inode_close(parent);
}

void ntfs_sample_short_name(ntfs_volume *volume, const char *path, const char *name)
{
	ntfs_inode *ni = open_path(volume, path), *parent = open_parent(volume, path);

	/* Closes both. */
	if (ntfs_set_ntfs_dos_name(ni, parent, name, strlen(name), 0) != 0)
		die(path, "cannot set its short name");
}

void ntfs_sample_stream(ntfs_volume *volume, const char *path, const char *name,
			struct bytes data)
{
	ntfs_inode *ni = open_path(volume, path);
	ntfschar *units = NULL;
	int len = ntfs_mbstoucs(name, &units);

	if (len < 0 || ntfs_attr_add(ni, AT_DATA, units, (u8)len, NULL, 0) != 0)
		die(path, "cannot add a stream");
	put(ni, units, (u32)len, data, 0, 1u << 20, path);
	free(units);
	ntfs_inode_close(ni);
}

void ntfs_sample_object_id(ntfs_volume *volume, const char *path, struct bytes id)
{
	ntfs_inode *ni = open_path(volume, path);

	if (ntfs_set_ntfs_object_id(ni, (const char *)id.data, id.len, 0) != 0)
		die(path, "cannot set its object ID");
	ntfs_inode_close(ni);
}

void ntfs_sample_old_descriptor(ntfs_volume *volume, const char *path,
				struct bytes descriptor)
{
	ntfs_inode *ni = open_path(volume, path);

	ni->security_id = const_cpu_to_le32(0);
	NInoSetDirty(ni);
	if (ntfs_attr_add(ni, AT_SECURITY_DESCRIPTOR, AT_UNNAMED, 0, descriptor.data,
			  (s64)descriptor.len) != 0)
		die(path, "cannot add a descriptor");
	ntfs_inode_close(ni);
}

void ntfs_sample_times(ntfs_volume *volume, const char *path, uint64_t created,
		       uint64_t modified)
{
	ntfs_inode *ni = open_path(volume, path);

	ni->creation_time = cpu_to_sle64((s64)created);
	ni->last_data_change_time = cpu_to_sle64((s64)modified);
	NInoFileNameSetDirty(ni);
	NInoSetDirty(ni);
	ntfs_inode_close(ni);
}

struct buffer ntfs_sample_text(size_t len, unsigned seed)
{
	struct buffer b = BUFFER_INIT;

	for (unsigned i = 0; b.len < len; i++)
		buffer_printf(&b, "line %u of sample %u\r\n", i * (i + seed), seed);
	b.len = len;
	return b;
}

struct buffer ntfs_sample_noise(size_t len, unsigned seed)
{
	uint64_t state = 0x9e3779b97f4a7c15ull * (seed + 1);
	struct buffer b = BUFFER_INIT;

	while (b.len < len) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		buffer_append_le64(&b, state * 0x2545f4914f6cdd1dull);
	}
	b.len = len;
	return b;
}

static void text_file(ntfs_volume *volume, const char *path, size_t len,
		      enum ntfs_sample_kind kind)
{
	_cleanup_buffer_ struct buffer data = ntfs_sample_text(len, (unsigned)len);

	ntfs_sample_file(volume, path, buffer_view(&data), kind);
}

static void fill_content(ntfs_volume *volume)
{
	_cleanup_buffer_ struct buffer noise = ntfs_sample_noise(70000, 1);

	ntfs_sample_folder(volume, "Content");
	text_file(volume, "Content/empty", 0, NTFS_SAMPLE_PLAIN);
	text_file(volume, "Content/resident.txt", 300, NTFS_SAMPLE_PLAIN);
	text_file(volume, "Content/large.txt", 3000001, NTFS_SAMPLE_PLAIN);
	text_file(volume, "Content/fragments.txt", 400001, NTFS_SAMPLE_FRAGMENTED);
	ntfs_sample_sparse(volume, "Content/sparse.bin", 5000000, buffer_view(&noise),
			   2000000);
	if (volume->cluster_size <= 4096) {
		text_file(volume, "Content/lznt1.txt", 250001, NTFS_SAMPLE_COMPRESSED);
		ntfs_sample_file(volume, "Content/lznt1.bin", buffer_view(&noise),
				 NTFS_SAMPLE_COMPRESSED);
	}
	text_file(volume, "Content/old.txt", 1234, NTFS_SAMPLE_PLAIN);
	ntfs_sample_times(volume, "Content/old.txt", 119600064000000001,
			  125911584000000002);
	ntfs_sample_attributes(volume, "Content/old.txt", 0x7);
	text_file(volume, "Content/first name", 5000, NTFS_SAMPLE_PLAIN);
	ntfs_sample_link(volume, "Content/first name", "Content/second name");
	text_file(volume, "Content/A long name.txt", 10, NTFS_SAMPLE_PLAIN);
	ntfs_sample_short_name(volume, "Content/A long name.txt", "ALONGN~1.TXT");
	text_file(volume, "Content/encrypted", 100, NTFS_SAMPLE_PLAIN);
	ntfs_sample_attributes(volume, "Content/encrypted", 0x4000);
}

static void fill_wof(ntfs_volume *volume)
{
	static const size_t chunk_sizes[] = {4096, 32768, 8192, 16384};

	ntfs_sample_folder(volume, "Wof");
	for (unsigned algorithm = 0; algorithm < 4; algorithm++) {
		size_t chunk = chunk_sizes[algorithm];
		const size_t sizes[] = {1,	   chunk - 1,	  chunk,
					chunk + 1, 3 * chunk + 7, 20 * chunk};

		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			_cleanup_free_ char *path =
				xasprintf("Wof/%u-%zu", algorithm, sizes[i]);
			_cleanup_buffer_ struct buffer data =
				ntfs_sample_text(sizes[i], algorithm);
			/* In the last one a chunk that does not compress. */
			_cleanup_buffer_ struct buffer noise =
				ntfs_sample_noise(chunk, algorithm);

			if (sizes[i] == 20 * chunk)
				memcpy(data.data + 5 * chunk, noise.data, chunk);
			ntfs_sample_wof(volume, path, buffer_view(&data), algorithm);
		}
	}
}

/* Reparse points whose files are not to be read, and those that are links. */
static void fill_reparse(ntfs_volume *volume)
{
	static const uint8_t wim[] = {1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
	static const uint8_t unknown[] = {1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0};
	_cleanup_buffer_ struct buffer target = BUFFER_INIT;

	ntfs_sample_folder(volume, "Reparse");
	ntfs_sample_sparse(volume, "Reparse/wim", 5000, (struct bytes){0}, 0);
	ntfs_sample_reparse(volume, "Reparse/wim", 0x80000017u,
			    (struct bytes){wim, sizeof(wim)});
	ntfs_sample_sparse(volume, "Reparse/unknown", 5000, (struct bytes){0}, 0);
	ntfs_sample_reparse(volume, "Reparse/unknown", 0x80000017u,
			    (struct bytes){unknown, sizeof(unknown)});
	ntfs_sample_sparse(volume, "Reparse/dedup", 5000, (struct bytes){0}, 0);
	ntfs_sample_reparse(volume, "Reparse/dedup", 0x80000013u,
			    (struct bytes){unknown, sizeof(unknown)});
	/* A junction: offsets and lengths of two names, here of "\??\C:\Content". */
	ntfs_sample_folder(volume, "Reparse/junction");
	buffer_append_le16(&target, 0);
	buffer_append_le16(&target, 28);
	buffer_append_le16(&target, 30);
	buffer_append_le16(&target, 0);
	for (const char *p = "\\??\\C:\\Content"; *p; p++)
		buffer_append_le16(&target, (uint16_t)*p);
	buffer_append_le32(&target, 0);
	ntfs_sample_reparse(volume, "Reparse/junction", 0xa0000003u,
			    buffer_view(&target));
}

void ntfs_sample_fill(ntfs_volume *volume, unsigned files)
{
	fill_content(volume);
	fill_wof(volume);
	fill_reparse(volume);
	ntfs_sample_folder(volume, "Größe");
	text_file(volume, "Größe/ÄÖÜ.txt", 20, NTFS_SAMPLE_PLAIN);
	ntfs_sample_folder(volume, "Many");
	for (unsigned i = 0; i < files; i++) {
		_cleanup_free_ char *path = xasprintf("Many/File number %05u.txt", i);

		text_file(volume, path, i % 50, NTFS_SAMPLE_PLAIN);
	}
}

/* Owner, group and a DACL with one entry: SYSTEM, full access. */
static const uint8_t system_only[] = {
	1,  0, 4,  0x80, 20, 0, 0, 0, 32, 0, 0,	 0, 0,	  0, 0,	   0,
	44, 0, 0,  0,						      /* header */
	1,  1, 0,  0,	 0,  0, 0, 5, 18, 0, 0,	 0,		      /* S-1-5-18 */
	1,  1, 0,  0,	 0,  0, 0, 5, 18, 0, 0,	 0,		      /* again */
	2,  0, 28, 0,	 1,  0, 0, 0, 0,  0, 20, 0, 0xff, 1, 0x1f, 0, /* ACL, ACE */
	1,  1, 0,  0,	 0,  0, 0, 5, 18, 0, 0,	 0,		      /* S-1-5-18 */
};

static void fill_links(ntfs_volume *volume)
{
	_cleanup_buffer_ struct buffer target = BUFFER_INIT;

	/* Three names in two folders, one of them with a short name. */
	text_file(volume, "Metadata/Folder/a link of three.txt", 20000,
		  NTFS_SAMPLE_PLAIN);
	ntfs_sample_short_name(volume, "Metadata/Folder/a link of three.txt",
			       "ALINKO~1.TXT");
	ntfs_sample_link(volume, "Metadata/Folder/a link of three.txt",
			 "Metadata/second");
	ntfs_sample_link(volume, "Metadata/second", "Metadata/Folder/third");
	/* A symbolic link to "..\\x": offsets, lengths, flags, two names. */
	text_file(volume, "Metadata/symlink", 0, NTFS_SAMPLE_PLAIN);
	for (unsigned i = 0; i < 2; i++) {
		buffer_append_le16(&target, 0);
		buffer_append_le16(&target, 8);
	}
	buffer_append_le32(&target, 1);
	for (const char *p = "..\\x"; *p; p++)
		buffer_append_le16(&target, (uint16_t)*p);
	ntfs_sample_reparse(volume, "Metadata/symlink", 0xa000000cu,
			    buffer_view(&target));
	/* A junction with a stream of its own. */
	ntfs_sample_folder(volume, "Metadata/junction");
	ntfs_sample_reparse(volume, "Metadata/junction", 0xa0000003u,
			    buffer_view(&target));
}

void ntfs_sample_fill_metadata(ntfs_volume *volume)
{
	_cleanup_buffer_ struct buffer text = ntfs_sample_text(12000, 3);
	_cleanup_buffer_ struct buffer id = ntfs_sample_noise(64, 7);
	struct bytes small = {text.data, 30}, large = buffer_view(&text);

	ntfs_sample_folder(volume, "Metadata");
	ntfs_sample_folder(volume, "Metadata/Folder");
	fill_links(volume);
	text_file(volume, "Metadata/streams", 2000, NTFS_SAMPLE_PLAIN);
	ntfs_sample_stream(volume, "Metadata/streams", "small", small);
	ntfs_sample_stream(volume, "Metadata/streams", "large \xc3\x84", large);
	ntfs_sample_stream(volume, "Metadata/streams", "empty", (struct bytes){0});
	text_file(volume, "Metadata/stream alone", 0, NTFS_SAMPLE_PLAIN);
	ntfs_sample_stream(volume, "Metadata/stream alone", "copy", large);
	ntfs_sample_stream(volume, "Metadata/Folder", "of a folder", small);
	ntfs_sample_stream(volume, "Metadata/junction", "of a junction", small);
	ntfs_sample_object_id(volume, "Metadata/Folder", buffer_view(&id));
	id.data[0] ^= 1;
	ntfs_sample_object_id(volume, "Metadata/streams", (struct bytes){id.data, 16});
	text_file(volume, "Metadata/hidden", 10, NTFS_SAMPLE_PLAIN);
	ntfs_sample_attributes(volume, "Metadata/hidden", 0x2007);
	text_file(volume, "Metadata/old descriptor", 10, NTFS_SAMPLE_PLAIN);
	ntfs_sample_old_descriptor(volume, "Metadata/old descriptor",
				   (struct bytes){system_only, sizeof(system_only)});
	/* So many streams that an attribute list is needed. */
	text_file(volume, "Metadata/many streams", 10, NTFS_SAMPLE_PLAIN);
	for (unsigned i = 0; i < 40; i++) {
		_cleanup_free_ char *name = xasprintf("stream number %u", i);

		ntfs_sample_stream(volume, "Metadata/many streams", name,
				   (struct bytes){text.data, 100 + i});
	}
}

void ntfs_sample_fill_small(ntfs_volume *volume)
{
	_cleanup_buffer_ struct buffer text = ntfs_sample_text(9000, 1);
	_cleanup_buffer_ struct buffer page = BUFFER_INIT;

	ntfs_sample_folder(volume, "Folder");
	ntfs_sample_folder(volume, "Folder/Sub");
	for (unsigned i = 0; i < 60; i++) {
		_cleanup_free_ char *path = xasprintf("Folder/Sub/File number %u.txt", i);

		text_file(volume, path, i % 3, NTFS_SAMPLE_PLAIN);
	}
	text_file(volume, "Folder/resident", 100, NTFS_SAMPLE_PLAIN);
	text_file(volume, "Folder/runs", 9000, NTFS_SAMPLE_FRAGMENTED);
	ntfs_sample_sparse(volume, "Folder/sparse", 300000, buffer_view(&text), 100000);
	if (volume->cluster_size <= 4096)
		text_file(volume, "Folder/lznt1", 30000, NTFS_SAMPLE_COMPRESSED);
	ntfs_sample_wof(volume, "Folder/wof", buffer_view(&text), 0);
	fill_reparse(volume);
	memset(buffer_reserve(&page, 4096), 0, 4096);
	page.len = 4096;
	memcpy(page.data, "HIBR", 4);
	put_le32(page.data + 12, 0x3e0);
	page.data[0x364] = 1;
	ntfs_sample_file(volume, "hiberfil.sys", buffer_view(&page), NTFS_SAMPLE_PLAIN);
}
