/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/medium.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "init/dm.h"
#include "init/gpt.h"

#define SECTOR 512 /* of sysfs, whatever the disk's */
#define ISO_AT 32768
#define COPY_CHUNK ((size_t)1 << 20)

void medium_free(struct medium *m)
{
	free(m->disk);
	free(m->label);
	free(m->source);
	*m = (struct medium){0};
}

void medium_search_free(struct medium_search *s)
{
	strings_free(&s->examined);
	strings_free(&s->disks);
}

/* ---- what sysfs says ---- */

static char *block_text(const struct medium_search *s, const char *name, const char *what)
{
	_cleanup_free_ char *path = xasprintf("class/block/%s/%s", name, what);

	return sysfs_text(s->root, path);
}

static uint64_t block_number(const struct medium_search *s, const char *name,
			     const char *what)
{
	_cleanup_free_ char *text = block_text(s, name, what);

	return text ? strtoull(text, NULL, 10) : 0;
}

/* Devices over others, and those that hold nothing by themselves. */
static bool is_virtual(const char *name)
{
	static const char *const prefixes[] = {"loop", "ram", "dm-", "zram",
					       "md",   "fd",  "nbd"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool is_partition(const struct medium_search *s, const char *name)
{
	_cleanup_free_ char *path = xasprintf("class/block/%s/partition", name);

	return sysfs_exists(s->root, path);
}

/* "sda" of "sda1", by the folder in which the partition's own lies. */
static char *disk_of(const struct medium_search *s, const char *name)
{
	_cleanup_free_ char *path = NULL, *real = NULL;
	char *slash;

	if (!is_partition(s, name))
		return xstrdup(name);
	path = xasprintf("%s/sys/class/block/%s", s->root, name);
	real = realpath(path, NULL);
	slash = real ? strrchr(real, '/') : NULL;
	if (!slash)
		return xstrdup(name);
	*slash = 0;
	slash = strrchr(real, '/');
	return xstrdup(slash ? slash + 1 : name);
}

static char *label_of(const struct medium_search *s, const char *name, const char *disk)
{
	_cleanup_free_ char *model = block_text(s, disk, "device/model");
	uint64_t size = block_number(s, disk, "size") * SECTOR / 100000000;

	return xasprintf("%s (%s%s%llu.%llu GB)", name, model ? model : "",
			 model ? ", " : "", (unsigned long long)size / 10,
			 (unsigned long long)size % 10);
}

bool medium_there(const char *root, const char *disk)
{
	_cleanup_free_ char *path = xasprintf("class/block/%s", disk);

	return sysfs_exists(root, path);
}

/* ---- partitions ---- */

/* The kernel's device of a partition; NULL where it has found none there. */
static char *partition_node(const struct medium_search *s, const char *disk,
			    const struct gpt_partition *p)
{
	_cleanup_free_ char *folder = xasprintf("class/block/%s", disk);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	sysfs_list(s->root, folder, &names);
	vec_foreach (name, &names) {
		if (strncmp(*name, disk, strlen(disk)) == 0 && is_partition(s, *name) &&
		    block_number(s, *name, "start") * SECTOR == p->offset &&
		    block_number(s, *name, "size") * SECTOR == p->size)
			return xstrdup(*name);
	}
	return NULL;
}

static bool find_partition(const struct medium_search *s, const char *disk,
			   struct medium *ret)
{
	_cleanup_free_ char *path = xasprintf("%s/dev/%s", s->root, disk), *node = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_gpt_ struct gpt gpt = GPT_INIT;
	const struct gpt_partition *p;
	uint64_t size;

	if (fd < 0 || device_size(fd, path, &size, NULL) < 0 || !gpt_load(fd, size, &gpt))
		return false;
	p = gpt_find(&gpt, s->type, s->guid);
	if (!p)
		return false;
	node = partition_node(s, disk, p);
	*ret = (struct medium){.disk = xstrdup(disk),
			       .is_device = node != NULL,
			       .offset = node ? 0 : p->offset,
			       .size = p->size,
			       .number = p->number};
	ret->label = label_of(s, node ? node : disk, disk);
	ret->source = xasprintf("%s/dev/%s", s->root, node ? node : disk);
	return true;
}

/* ---- files ---- */

static bool has(const uint8_t *start, size_t len, size_t at, const char *text)
{
	return at + strlen(text) <= len && memcmp(start + at, text, strlen(text)) == 0;
}

/* The file system's type, by its own mark; what is none of these is not mounted at all.
 */
static const char *type_of(const struct medium_search *s, const char *device)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t start[ISO_AT + 8];
	ssize_t n = fd < 0 ? -1 : pread(fd, start, sizeof(start), 0);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (has(start, len, ISO_AT + 1, "CD001"))
		return "iso9660";
	if (has(start, len, 510, "\x55\xAA") &&
	    (has(start, len, 54, "FAT") || has(start, len, 82, "FAT")))
		return "vfat";
	return s->ext4 && has(start, len, 1080, "\x53\xEF") ? "ext4" : NULL;
}

static bool find_file(const struct medium_search *s, const char *name, struct medium *ret)
{
	_cleanup_free_ char *device = xasprintf("%s/dev/%s", s->root, name);
	_cleanup_free_ char *path = xasprintf("%s/%s", s->target, s->file);
	const char *type = type_of(s, device);
	struct stat st;

	if (!type || (mkdir(s->target, 0755) < 0 && errno != EEXIST))
		return false;
	/* Nothing is written, not even by a journal that is played back. */
	if (mount(device, s->target, type,
		  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MEDIUM_NO_SYMLINKS,
		  strcmp(type, "ext4") == 0 ? "noload" : NULL) < 0)
		return false;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size) {
		(void)umount2(s->target, 0);
		return false;
	}
	*ret = (struct medium){
		.disk = disk_of(s, name), .source = steal_ptr(path), .mounted = true};
	ret->label = label_of(s, name, ret->disk);
	return true;
}

/* ---- the search ---- */

static void note_disk(struct medium_search *s, const char *name)
{
	_cleanup_free_ char *label = label_of(s, name, name);

	if (!strings_contain(&s->disks, label) && s->disks.len < MEDIUM_MAX_SEEN)
		strings_push(&s->disks, label);
}

/* A partition is "sda1" here, the table of its disk and a file system on it two things.
 */
static bool seen(struct medium_search *s, const char *what, const char *name)
{
	_cleanup_free_ char *key = xasprintf("%s %s", name, what);

	if (strings_contain(&s->examined, key))
		return true;
	strings_push(&s->examined, key);
	return false;
}

static bool examine(struct medium_search *s, const char *name, struct medium *ret)
{
	bool part = is_partition(s, name);
	_cleanup_free_ char *disk = disk_of(s, name);

	if (is_virtual(name) || !block_number(s, name, "size") ||
	    (s->disk && strcmp(s->disk, disk) != 0))
		return false;
	if (!part)
		note_disk(s, name);
	if (!part && (s->type || s->guid) && !seen(s, "table", name) &&
	    find_partition(s, name, ret))
		return true;
	return s->file && !seen(s, "files", name) && find_file(s, name, ret);
}

int medium_next(struct medium_search *s, struct medium *ret)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	sysfs_list(s->root, "class/block", &names);
	vec_foreach (name, &names)
		if (examine(s, *name, ret))
			return 1;
	return 0;
}

void medium_release(const struct medium_search *s, struct medium *m)
{
	if (m->mounted)
		(void)umount2(s->target, 0);
	medium_free(m);
}

void medium_forget(struct medium_search *s, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < s->examined.len;) {
		char *item = s->examined.items[i];

		if (strncmp(item, name, len) != 0 || item[len] != ' ') {
			i++;
			continue;
		}
		free(item);
		s->examined.items[i] = s->examined.items[--s->examined.len];
	}
}

/* ---- what was found ---- */

int medium_device(const struct medium *m, bool writable, char **ret, bool *loop,
		  struct error *err)
{
	*loop = !m->is_device;
	if (*loop)
		return loop_attach(m->source, m->offset, m->size, writable, ret, err);
	*ret = xstrdup(m->source);
	return 0;
}

static int copy_chunks(int from, int to, uint64_t size, const char *device,
		       const char *path, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(COPY_CHUNK);

	while (size) {
		size_t wanted = size < COPY_CHUNK ? (size_t)size : COPY_CHUNK;
		ssize_t n = read(from, chunk, wanted);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, device, "cannot read");
		if (n == 0)
			return error_set(err, ERROR_FAILED, device, "is too short");
		if (file_write_all(to, (struct bytes){chunk, (size_t)n}, path, err) < 0)
			return -1;
		size -= (uint64_t)n;
	}
	return 0;
}

int medium_copy(const char *device, uint64_t size, const char *to, struct error *err)
{
	_cleanup_close_ int from = open(device, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = -1;

	if (from < 0)
		return error_errno(err, device, "cannot open");
	(void)posix_fadvise(from, 0, 0, POSIX_FADV_SEQUENTIAL);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		return error_errno(err, to, "cannot make");
	if (copy_chunks(from, out, size, device, to, err) == 0)
		return 0;
	(void)unlink(to);
	return -1;
}
