/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The format is System V's generic ABI, chapters 4 and 5; where libraries are looked for
 * is said in ld.so(8). Tables of sections are not looked at: only what the loader itself
 * reads.
 */
#include "image/elf.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define HEADER_SIZE 64
#define SEGMENT_SIZE 56
#define MAX_SEGMENTS 1024
#define MAX_DYNAMIC 65536
#define MAX_NAME 4096
#define MAX_CONF ((size_t)1 << 20)
#define MULTIARCH "/usr/lib/x86_64-linux-gnu"

enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3 };
enum { DT_NULL = 0, DT_NEEDED = 1, DT_STRTAB = 5, DT_RPATH = 15, DT_RUNPATH = 29 };

/* ---- one file ---- */

struct segment {
	uint32_t type;
	uint64_t offset, address, size; /* in the file */
};
struct reader {
	struct bytes data;
	const char *path;
	struct vec_of(struct segment) segments;
	struct bytes strings; /* from DT_STRTAB on */
};

void elf_free(struct elf *elf)
{
	free(elf->interpreter);
	strings_free(&elf->needed);
	strings_free(&elf->folders);
	elf->interpreter = NULL;
}

static int invalid(const struct reader *r, const char *what, struct error *err)
{
	error_set(err, ERROR_FAILED, r->path, "is no sound program or library: %s", what);
	return error_remedy(err, "install its package again");
}

/* NUL-terminated text inside; NULL if it is not. */
static char *text_at(struct bytes b, uint64_t offset)
{
	const uint8_t *start, *end;
	size_t most;

	if (offset >= b.len)
		return NULL;
	start = b.data + offset;
	most = b.len - (size_t)offset < MAX_NAME ? b.len - (size_t)offset : MAX_NAME;
	end = memchr(start, 0, most);
	return end ? xstrndup((const char *)start, (size_t)(end - start)) : NULL;
}

static int read_segments(struct reader *r, struct error *err)
{
	uint64_t table;
	uint16_t size, count;

	if (!bytes_le64(r->data, 32, &table) || !bytes_le16(r->data, 54, &size) ||
	    !bytes_le16(r->data, 56, &count))
		return invalid(r, "its header is cut off", err);
	if (size != SEGMENT_SIZE || count > MAX_SEGMENTS ||
	    !bytes_has(r->data, table, (uint64_t)size * count))
		return invalid(r, "its program headers do not lie in it", err);
	for (uint16_t i = 0; i < count; i++) {
		const uint8_t *at = r->data.data + table + (uint64_t)i * SEGMENT_SIZE;
		struct segment s = {get_le32(at), get_le64(at + 8), get_le64(at + 16),
				    get_le64(at + 32)};

		vec_push(&r->segments, s);
	}
	return 0;
}

/* What lies in the file from a loaded address on. */
static struct bytes loaded_at(const struct reader *r, uint64_t address)
{
	vec_foreach (s, &r->segments) {
		uint64_t from = address - s->address;

		if (s->type != PT_LOAD || address < s->address || from >= s->size ||
		    !bytes_has(r->data, s->offset, s->size))
			continue;
		return bytes_at(r->data, s->offset + from, s->size - from);
	}
	return (struct bytes){0};
}

static void add_folders(struct strings *folders, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ":");
		_cleanup_free_ char *one = xstrndup(list, len);

		if (len)
			strings_push(folders, one);
		list += len + (list[len] == ':');
	}
}

/* One entry of the dynamic table; RUNPATH counts before RPATH. */
static int take_entry(const struct reader *r, uint64_t tag, uint64_t value,
		      bool *has_runpath, struct elf *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;

	if (tag != DT_NEEDED && tag != DT_RPATH && tag != DT_RUNPATH)
		return 0;
	text = text_at(r->strings, value);
	if (!text)
		return invalid(r, "a name in its dynamic table does not lie in it", err);
	if (tag == DT_NEEDED) {
		if (ret->needed.len == ELF_MAX_NEEDED)
			return invalid(r, "it asks for too many libraries", err);
		strings_push(&ret->needed, text);
	} else if (tag == DT_RUNPATH || !*has_runpath) {
		strings_free(&ret->folders);
		add_folders(&ret->folders, text);
		*has_runpath = tag == DT_RUNPATH;
	}
	return 0;
}

static int read_dynamic(struct reader *r, const struct segment *s, struct elf *ret,
			struct error *err)
{
	struct bytes table = bytes_at(r->data, s->offset, s->size);
	uint64_t tag, value;
	bool has_runpath = false, found = false;

	if (!table.data)
		return invalid(r, "its dynamic table does not lie in it", err);
	for (uint64_t at = 0; !found && at < (uint64_t)MAX_DYNAMIC * 16; at += 16) {
		if (!bytes_le64(table, at, &tag) || !bytes_le64(table, at + 8, &value) ||
		    tag == DT_NULL)
			break;
		found = tag == DT_STRTAB;
	}
	if (!found)
		return invalid(r, "its dynamic table has no names", err);
	r->strings = loaded_at(r, value);
	for (uint64_t at = 0; at < (uint64_t)MAX_DYNAMIC * 16; at += 16) {
		if (!bytes_le64(table, at, &tag) || !bytes_le64(table, at + 8, &value) ||
		    tag == DT_NULL)
			return 0;
		if (take_entry(r, tag, value, &has_runpath, ret, err) < 0)
			return -1;
	}
	return invalid(r, "its dynamic table does not end", err);
}

static int parse(struct reader *r, struct elf *ret, struct error *err)
{
	/* Magic, 64 bits, little-endian, version 1. */
	if (r->data.len < HEADER_SIZE || memcmp(r->data.data, "\177ELF\2\1\1", 7) != 0)
		return invalid(r, "it is no 64-bit ELF file", err);
	ret->machine = get_le16(r->data.data + 18);
	if (read_segments(r, err) < 0)
		return -1;
	vec_foreach (s, &r->segments) {
		if (s->type == PT_INTERP && !ret->interpreter) {
			ret->interpreter =
				text_at(bytes_at(r->data, s->offset, s->size), 0);
			if (!ret->interpreter)
				return invalid(r, "its interpreter has no name", err);
		}
		if (s->type == PT_DYNAMIC)
			return read_dynamic(r, s, ret, err);
	}
	return 0;
}

int elf_parse(struct bytes data, const char *path, struct elf *ret, struct error *err)
{
	struct reader r = {.data = data, .path = path};
	int result;

	*ret = (struct elf){0};
	result = parse(&r, ret, err);
	vec_free(&r.segments);
	if (result < 0)
		elf_free(ret);
	return result;
}

int elf_strip(struct buffer *data, const char *path, struct error *err)
{
	_cleanup_(elf_free) struct elf elf = {0};
	struct reader r = {.data = buffer_view(data), .path = path};
	uint64_t end = HEADER_SIZE;

	if (parse(&r, &elf, err) < 0) {
		vec_free(&r.segments);
		return -1;
	}
	vec_foreach (s, &r.segments)
		if (bytes_has(r.data, s->offset, s->size) && s->offset + s->size > end)
			end = s->offset + s->size;
	/* The table of segments is in one, but need not be. */
	if (get_le64(data->data + 32) + r.segments.len * SEGMENT_SIZE > end)
		end = get_le64(data->data + 32) + r.segments.len * SEGMENT_SIZE;
	vec_free(&r.segments);
	data->len = (size_t)end;
	put_le64(data->data + 40, 0); /* where the section headers are */
	put_le16(data->data + 60, 0); /* their number */
	put_le16(data->data + 62, 0); /* the one with their names */
	return 0;
}

/* ---- paths below another root ---- */

static bool is_system(const char *sysroot)
{
	return strspn(sysroot, "/") == strlen(sysroot);
}

/* Links are followed by the kernel, as if the sysroot were the root. */
static int open_below(const char *sysroot, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	_cleanup_close_ int root = open(sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

char *sysroot_file(const char *sysroot, const char *path)
{
	_cleanup_close_ int fd = is_system(sysroot) ? open(path, O_PATH | O_CLOEXEC)
						    : open_below(sysroot, path);
	_cleanup_free_ char *link = NULL;
	char target[PATH_MAX];
	struct stat st;
	ssize_t len;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	link = xasprintf("/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target));
	return len > 0 && (size_t)len < sizeof(target) ? xstrndup(target, (size_t)len)
						       : NULL;
}

/* "/usr/bin/../lib/./x": "/usr/lib/x". */
static char *clean_path(const char *path)
{
	struct buffer b = BUFFER_INIT;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0) {
			while (b.len && b.data[--b.len] != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			buffer_printf(&b, "/%.*s", (int)len, path);
		}
		path += len + (path[len] == '/');
	}
	return buffer_steal_string(&b);
}

char *usr_path(const char *path)
{
	static const char *const moved[] = {"/bin/", "/lib/", "/lib64/", "/sbin/"};
	_cleanup_free_ char *clean = clean_path(path);

	for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
		if (strncmp(clean, moved[i], strlen(moved[i])) == 0)
			return xasprintf("/usr%s", clean);
	return steal_ptr(clean);
}

/* ---- closure ---- */

/* Lines of ld.so.conf.d: a folder each; '#' begins a remark. */
static void add_conf(struct elf_closure *c, const char *path)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ char *file = sysroot_file(c->sysroot, path), *text = NULL;

	if (!file || file_read(file, MAX_CONF, &data, NULL) < 0)
		return;
	text = buffer_steal_string(&data);
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, "# \t\r")] = 0;
		if (*line == '/')
			strings_push(&c->folders, line);
	}
}

void elf_closure_init(struct elf_closure *c, const char *sysroot)
{
	static const char *const standard[] = {"/lib/x86_64-linux-gnu",
					       MULTIARCH,
					       "/lib64",
					       "/usr/lib64",
					       "/lib",
					       "/usr/lib"};
	_cleanup_free_ char *conf = xasprintf("%s/etc/ld.so.conf.d", sysroot);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	*c = (struct elf_closure){.sysroot = sysroot};
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		strings_push(&c->folders, standard[i]);
	(void)folder_list(conf, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path = xasprintf("/etc/ld.so.conf.d/%s", *name);

		if (text_ends_with(path, ".conf"))
			add_conf(c, path);
	}
}

void elf_closure_free(struct elf_closure *c)
{
	vec_foreach (file, &c->files) {
		free(file->path);
		free(file->source);
	}
	vec_free(&c->files);
	strings_free(&c->folders);
}

/* Takes both strings. False if it was known. */
static bool add_file(struct elf_closure *c, char *path, char *source)
{
	vec_foreach (known, &c->files) {
		if (strcmp(known->path, path) != 0)
			continue;
		free(path);
		free(source);
		return false;
	}
	vec_push(&c->files, (struct elf_file){path, source});
	return true;
}

static int load(const char *source, struct elf *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file_read(source, ELF_MAX_SIZE, &data, err) < 0)
		return -1;
	return elf_parse(buffer_view(&data), source, ret, err);
}

/* A library for another processor has the right name, too: it is passed over. */
static bool fits(const char *source, uint16_t machine)
{
	uint8_t header[20];
	_cleanup_close_ int fd = open(source, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && pread(fd, header, sizeof(header), 0) == sizeof(header) &&
	       memcmp(header, "\177ELF\2\1", 6) == 0 && get_le16(header + 18) == machine;
}

/* "$ORIGIN/../lib" of the file "/usr/bin/x": "/usr/bin/../lib". */
static char *expand(const char *folder, const char *path)
{
	static const char *const words[] = {"$ORIGIN", "${ORIGIN}"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strncmp(folder, words[i], strlen(words[i])) == 0)
			return xasprintf("%.*s%s", (int)(path_base(path) - path), path,
					 folder + strlen(words[i]));
	return xstrdup(folder);
}

/*
 * Finds a library as ld.so does. One of a standard folder is called by its name in the
 * folder that ld.so looks in without a cache; one of RUNPATH stays where it is.
 */
static int find_library(struct elf_closure *c, const struct elf *elf, const char *path,
			const char *name, struct elf_file *ret)
{
	if (strchr(name, '/')) {
		ret->source = sysroot_file(c->sysroot, name);
		ret->path = usr_path(name);
		return ret->source ? 0 : -1;
	}
	for (size_t i = 0; i < elf->folders.len + c->folders.len; i++) {
		bool own = i < elf->folders.len;
		_cleanup_free_ char *folder =
			own ? expand(elf->folders.items[i], path)
			    : xstrdup(c->folders.items[i - elf->folders.len]);
		_cleanup_free_ char *at = xasprintf("%s/%s", folder, name);

		ret->source = sysroot_file(c->sysroot, at);
		if (ret->source && fits(ret->source, elf->machine)) {
			ret->path = own ? usr_path(at) : xasprintf(MULTIARCH "/%s", name);
			return 0;
		}
		free(ret->source);
		ret->source = NULL;
	}
	return -1;
}

static int missing(const char *path, const char *name, struct error *err)
{
	error_set(err, ERROR_FAILED, path, "needs %s, which is not there", name);
	return error_remedy(err,
			    "install its package again: apt-get install --reinstall, "
			    "by the name that 'dpkg -S %s' says",
			    path);
}

/* The files that one loads directly. */
static int add_needs(struct elf_closure *c, const char *path, const struct elf *elf,
		     struct error *err)
{
	if (elf->interpreter) {
		char *loader = sysroot_file(c->sysroot, elf->interpreter);

		if (!loader)
			return missing(path, elf->interpreter, err);
		(void)add_file(c, usr_path(elf->interpreter), loader);
	}
	vec_foreach (name, &elf->needed) {
		struct elf_file library = {0};

		if (find_library(c, elf, path, *name, &library) < 0) {
			free(library.path);
			return missing(path, *name, err);
		}
		if (add_file(c, library.path, library.source) &&
		    c->files.len > ELF_MAX_FILES)
			return error_set(err, ERROR_FAILED, path,
					 "needs more than %u libraries", ELF_MAX_FILES);
	}
	return 0;
}

int elf_closure_add_parsed(struct elf_closure *c, const char *path, const struct elf *elf,
			   struct error *err)
{
	size_t next = c->files.len;
	int result = add_needs(c, path, elf, err);

	for (; result == 0 && next < c->files.len; next++) {
		_cleanup_(elf_free) struct elf library = {0};
		/* The list moves when it grows. */
		_cleanup_free_ char *at = xstrdup(c->files.items[next].path);

		result = load(c->files.items[next].source, &library, err);
		if (result == 0)
			result = add_needs(c, at, &library, err);
	}
	return result;
}

int elf_closure_add(struct elf_closure *c, const char *path, const char *source,
		    struct error *err)
{
	_cleanup_(elf_free) struct elf elf = {0};

	return load(source, &elf, err) < 0 ? -1
					   : elf_closure_add_parsed(c, path, &elf, err);
}
