/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An NTFS volume in a file, filled from a folder in this process (libntfs-3g): the only
 * way without root to give files security descriptors, short names and attributes that
 * wimlib then captures as on Windows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The others need it first. */
#include <ntfs-3g/volume.h>

#include <ntfs-3g/dir.h>
#include <ntfs-3g/security.h>

#include "base/file.h"
#include "samples/sample.h"

/* What security.txt says of all below one folder. */
struct rule {
	char *prefix;
	struct buffer self, dir, file;
};
struct link {
	ino_t inode;
	uint64_t reference;
};
struct filling {
	ntfs_volume *volume;
	struct SECURITY_CONTEXT security;
	struct vec_of(struct rule) rules;
	struct vec_of(struct link) links;
};

static void rule_line(void *arg, char *line, const char *where)
{
	struct filling *f = arg;
	char *words[2], *close = strrchr(line, ']');
	struct rule *rule;

	if (*line == '[' && close) {
		*close = 0;
		vec_push(&f->rules, (struct rule){.prefix = xstrdup(line + 1)});
		return;
	}
	if (split_words(line, words, 2, where) != 2 || !f->rules.len)
		die("%s: self, dir or file and a descriptor expected", where);
	rule = &f->rules.items[f->rules.len - 1];
	sddl_compile(words[1], strcmp(words[0], "self") == 0  ? &rule->self
			       : strcmp(words[0], "dir") == 0 ? &rule->dir
							      : &rule->file);
}

static const struct buffer *descriptor_for(const struct filling *f, const char *path,
					   bool is_folder)
{
	const struct rule *best = NULL;

	vec_foreach (rule, &f->rules) {
		size_t len = strlen(rule->prefix);

		if (text_equal(path, rule->prefix) && is_folder)
			return &rule->self;
		if ((len == 0 ||
		     (text_equal_n(path, rule->prefix, len) && path[len] == '/')) &&
		    (!best || len > strlen(best->prefix)))
			best = rule;
	}
	if (!best)
		die("security.txt has no rule for %s", path);
	return is_folder ? &best->dir : &best->file;
}

static void set_metadata(struct filling *f, ntfs_inode *ni, const char *path,
			 bool is_folder)
{
	const struct buffer *sd = descriptor_for(f, path, is_folder);

	if (ntfs_set_ntfs_acl(&f->security, ni, (const char *)sd->data, sd->len, 0) != 0)
		die("%s: descriptor: %s", path, strerror(errno));
	if (is_folder)
		ni->flags &= ~FILE_ATTR_ARCHIVE;
	else
		ni->flags |= FILE_ATTR_ARCHIVE;
	ni->creation_time = ni->last_data_change_time = ni->last_mft_change_time =
		ni->last_access_time = cpu_to_sle64((s64)sample_filetime);
	NInoFileNameSetDirty(ni);
	NInoSetDirty(ni);
}

static void put_data(ntfs_inode *ni, const char *full)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct error err = ERROR_INIT;
	ntfs_attr *na;

	(void)file_read(full, 1 << 30, &data, &err);
	die_on(&err);
	if (data.len == 0)
		return;
	na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
	if (!na || ntfs_attr_pwrite(na, 0, (s64)data.len, data.data) != (s64)data.len)
		die("%s: cannot write to the volume: %s", full, strerror(errno));
	ntfs_attr_close(na);
}

static bool needs_short_name(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t base = dot ? (size_t)(dot - name) : strlen(name);

	return base > 8 || base == 0 || (dot && strlen(dot + 1) > 3) ||
	       strcspn(name, " +,;=[]{}") < strlen(name) ||
	       (dot && memchr(name, '.', base) != NULL);
}

/* Not ntfs_inode_lookup_by_mbsname(): its cache keeps names that were once free. */
static bool name_taken(ntfs_inode *dir, const char *name)
{
	ntfschar *wide = NULL;
	int len = ntfs_mbstoucs(name, &wide);
	bool taken = len < 0 || ntfs_inode_lookup_by_name(dir, wide, len) != (u64)-1;

	free(wide);
	return taken;
}

/*
 * ABCDEF~1.EXT to ~4, then as Windows AB1A2B~1.EXT with a checksum of the name. Closes
 * both inodes.
 */
static void set_short_name(ntfs_inode *ni, ntfs_inode *dir, const char *name)
{
	const char *dot = strrchr(name, '.');
	char stem[7] = "", ext[4] = "", text[24];
	unsigned checksum = 0;
	size_t n = 0;

	for (const char *p = name; *p; p++)
		checksum = checksum * 37 + (unsigned char)*p;
	for (const char *p = name; *p && p != dot && n < 6; p++)
		if (!strchr(" .+,;=[]{}", *p))
			stem[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
	n = 0;
	for (const char *p = dot ? dot + 1 : ""; *p && n < 3; p++)
		ext[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
	for (unsigned number = 1; number < 1000; number++) {
		unsigned rest = number - 5;
		int len;

		if (number > 4)
			(void)snprintf(stem + (stem[1] ? 2 : 1), 5, "%04X",
				       (checksum + rest / 9) & 0xffff);
		len = snprintf(text, sizeof(text), "%.6s~%u%s%s", stem,
			       number > 4 ? rest % 9 + 1 : number, *ext ? "." : "", ext);
		if (name_taken(dir, text))
			continue;
		/* The call closes both inodes, whatever happens. */
		if (ntfs_set_ntfs_dos_name(ni, dir, text, (size_t)len, 0) != 0)
			die("%s: short name %s: %s", name, text, strerror(errno));
		return;
	}
	die("%s: no short name is free", name);
}

static ntfs_inode *open_inode(struct filling *f, uint64_t reference, const char *path)
{
	ntfs_inode *ni = ntfs_inode_open(f->volume, reference);

	if (!ni)
		die("%s: cannot open on the volume: %s", path, strerror(errno));
	return ni;
}

/* A second name of a file that is there already. */
static bool put_link(struct filling *f, uint64_t parent, const struct stat *st,
		     const ntfschar *name, int len, const char *path)
{
	ntfs_inode *dir, *ni;

	if (!S_ISREG(st->st_mode) || st->st_nlink < 2)
		return false;
	vec_foreach (link, &f->links) {
		if (link->inode != st->st_ino)
			continue;
		dir = open_inode(f, parent, path);
		ni = open_inode(f, link->reference, path);
		if (ntfs_link(ni, dir, name, (u8)len) != 0)
			die("%s: cannot link: %s", path, strerror(errno));
		ntfs_inode_close(ni);
		ntfs_inode_close(dir);
		return true;
	}
	return false;
}

static void fill_folder(struct filling *f, uint64_t folder, const char *root,
			const char *path);

static void put_entry(struct filling *f, uint64_t parent, const char *root,
		      const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", root, path);
	const char *name = path_base(path);
	ntfschar *wide = NULL;
	ntfs_inode *dir, *ni;
	uint64_t reference;
	struct stat st;
	int len = ntfs_mbstoucs(name, &wide);

	if (len < 0 || lstat(full, &st) < 0)
		die("%s: %s", full, strerror(errno));
	if (put_link(f, parent, &st, wide, len, path)) {
		free(wide);
		return;
	}
	dir = open_inode(f, parent, path);
	ni = ntfs_create(dir, const_cpu_to_le32(0), wide, (u8)len,
			 S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG);
	if (!ni)
		die("%s: cannot create on the volume: %s", path, strerror(errno));
	reference = ni->mft_no;
	if (st.st_nlink > 1 && S_ISREG(st.st_mode)) {
		vec_push(&f->links, (struct link){st.st_ino, reference});
	} else if (needs_short_name(name)) {
		/* Before it has data: libntfs-3g fails on some files that do. */
		set_short_name(ni, dir, name);
		ni = dir = NULL;
	}
	if (ni) {
		ntfs_inode_close(ni);
		ntfs_inode_close(dir);
	}
	if (S_ISREG(st.st_mode)) {
		ni = open_inode(f, reference, path);
		put_data(ni, full);
		ntfs_inode_close(ni);
	}
	free(wide);
	if (S_ISDIR(st.st_mode))
		fill_folder(f, reference, root, path);
	/* Last: what was put into a folder changed its times. */
	ni = open_inode(f, reference, path);
	set_metadata(f, ni, path, S_ISDIR(st.st_mode));
	ntfs_inode_close(ni);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void fill_folder(struct filling *f, uint64_t folder, const char *root,
			const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", root, path);
	struct dirent **entries;
	int count = scandir(full, &entries, not_dots, by_name);

	if (count < 0)
		die("%s: %s", full, strerror(errno));
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *below =
			*path ? xasprintf("%s/%s", path, entries[i]->d_name)
			      : xstrdup(entries[i]->d_name);

		put_entry(f, folder, root, below);
		free(entries[i]);
	}
	free(entries);
}

static void format(const char *volume, const struct geometry *geometry)
{
	/* mkntfs lies in sbin, which is not in every user's PATH. */
	_cleanup_free_ char *path =
		xasprintf("%s:/usr/sbin:/sbin", getenv("PATH") ?: "/usr/bin");
	_cleanup_free_ char *start =
		xasprintf("%ju", (uintmax_t)(geometry->start / geometry->sector_size));
	_cleanup_free_ char *sector = xasprintf("%u", geometry->sector_size);
	int status, fd = open(volume, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	pid_t pid;

	if (fd < 0 || ftruncate(fd, (off_t)geometry->size) < 0 || close(fd) < 0)
		die("%s: %s", volume, strerror(errno));
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		setenv("PATH", path, 1);
		/* It warns that the file is no block device. */
		(void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		execlp("mkntfs", "mkntfs", "-q", "-Q", "-F", "-s", sector, "-c", "4096",
		       "-p", start, "-H", "255", "-S", "63", "-L", geometry->label ?: "",
		       volume, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		die("mkntfs failed (Debian: apt-get install ntfs-3g)");
}

void volume_make(const char *volume, const char *dir, const struct geometry *geometry)
{
	static const struct geometry plain = {.size = 1 << 30, .sector_size = 512};
	struct filling f = {0};
	struct variables vars = VEC_INIT;
	ntfs_inode *root;

	description_read("security.txt", &vars, rule_line, &f);
	format(volume, geometry ? geometry : &plain);
	f.volume = ntfs_mount(volume, NTFS_MNT_NONE);
	if (!f.volume)
		die("%s: cannot open the volume: %s", volume, strerror(errno));
	f.security.vol = f.volume;
	fill_folder(&f, FILE_root, dir, "");
	root = open_inode(&f, FILE_root, "/");
	set_metadata(&f, root, "", true);
	ntfs_inode_close(root);
	if (ntfs_umount(f.volume, FALSE) != 0)
		die("%s: %s", volume, strerror(errno));
	vec_foreach (rule, &f.rules) {
		free(rule->prefix);
		buffer_free(&rule->self);
		buffer_free(&rule->dir);
		buffer_free(&rule->file);
	}
	vec_free(&f.rules);
	vec_free(&f.links);
}
