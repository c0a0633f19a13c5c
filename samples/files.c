/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of the sample's tree, their times, and content that is noise but reproducible. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "samples/sample.h"

static void set_times(const char *path)
{
	struct timespec times[2] = {{.tv_sec = sample_time}, {.tv_sec = sample_time}};

	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		die("%s: %s", path, strerror(errno));
}

void folder_make(const char *dir, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", dir, path);

	for (char *p = full + strlen(dir) + 1; p; p = strchr(p + 1, '/')) {
		char save = *p;

		if (*p != '/' && p != full + strlen(dir) + 1)
			break;
		if (p != full + strlen(dir) + 1)
			*p = 0;
		else
			continue;
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			die("%s: %s", full, strerror(errno));
		*p = save;
	}
	if (mkdir(full, 0755) < 0 && errno != EEXIST)
		die("%s: %s", full, strerror(errno));
}

static void make_parents(const char *dir, const char *path)
{
	_cleanup_free_ char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');

	if (slash) {
		*slash = 0;
		folder_make(dir, parent);
	}
}

void file_put(const char *dir, const char *path, struct bytes data)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", dir, path);
	struct error err = ERROR_INIT;
	int fd;

	make_parents(dir, path);
	/* Never through an older name of the same file. */
	(void)unlink(full);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		die("%s: %s", full, strerror(errno));
	(void)file_write_all(fd, data, full, &err);
	die_on(&err);
	if (close(fd) < 0)
		die("%s: %s", full, strerror(errno));
	set_times(full);
}

void file_link(const char *dir, const char *from, const char *to)
{
	_cleanup_free_ char *a = xasprintf("%s/%s", dir, from),
			    *b = xasprintf("%s/%s", dir, to);

	make_parents(dir, to);
	(void)unlink(b);
	if (link(a, b) < 0)
		die("%s: %s", b, strerror(errno));
}

static int set_entry_times(const char *path, const struct stat *st _unused_,
			   int type _unused_, struct FTW *ftw _unused_)
{
	set_times(path);
	return 0;
}

void folder_times(const char *dir)
{
	if (nftw(dir, set_entry_times, 64, FTW_DEPTH | FTW_PHYS) != 0)
		die("%s: %s", dir, strerror(errno));
}

/* ---- noise ---------------------------------------------------------------------------
 */

struct noise noise_seed(const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3;
	return (struct noise){h | 1};
}

/* xorshift64* (Vigna). */
uint64_t noise_next(struct noise *n)
{
	n->state ^= n->state >> 12;
	n->state ^= n->state << 25;
	n->state ^= n->state >> 27;
	return n->state * 0x2545f4914f6cdd1d;
}

/* Pieces of 64 bytes: a quarter is random, the rest repeats one of eight with a change.
 */
void noise_fill(struct noise *n, uint8_t *data, size_t len)
{
	uint64_t pool[8][8];

	for (size_t i = 0; i < 64; i++)
		pool[i / 8][i % 8] = noise_next(n);
	for (size_t at = 0; at < len; at += 64) {
		uint64_t piece[8], r = noise_next(n);

		if ((r & 3) == 0) {
			for (size_t i = 0; i < 8; i++)
				piece[i] = noise_next(n);
		} else {
			memcpy(piece, pool[r >> 2 & 7], sizeof(piece));
			piece[r >> 5 & 7] = r;
		}
		memcpy(data + at, piece, len - at < 64 ? len - at : 64);
	}
}

/* ---- padding -------------------------------------------------------------------------
 */

static char *padding_path(struct noise *n, uint64_t i)
{
	static const char *const ends[] = {"dll", "mui", "exe", "manifest",
					   "dat", "sys", "ttf"};
	uint64_t folder = i / 3;
	struct noise name = noise_seed("padding folder");

	name.state += folder * 0x9e3779b97f4a7c15;
	(void)noise_next(&name);
	if (i % 20 == 19)
		return xasprintf("Program Files/Common Files/Sample %02u/file%05u.%s",
				 (unsigned)(folder % 50), (unsigned)i,
				 ends[noise_next(n) % ARRAY_SIZE(ends)]);
	return xasprintf(
		"Windows/WinSxS/amd64_sample-component-%05u_31bf3856ad364e35_10.0.0.1_"
		"none_%016llx/file%05u.%s",
		(unsigned)folder, (unsigned long long)noise_next(&name), (unsigned)i,
		ends[noise_next(n) % ARRAY_SIZE(ends)]);
}

void padding_make(const char *dir, uint64_t count, uint64_t bytes)
{
	struct noise n = noise_seed("padding");
	_cleanup_free_ uint32_t *weights = xcalloc(count + 1, sizeof(*weights));
	_cleanup_free_ uint8_t *data = NULL;
	uint64_t total = 0, largest = 0, left = bytes;

	/* Sizes as in a real image: most small, few large (a product of two noises). */
	for (uint64_t i = 0; i < count; i++) {
		weights[i] =
			(uint32_t)((1 + noise_next(&n) % 1000) << (noise_next(&n) % 12));
		total += weights[i];
		if (weights[i] > largest)
			largest = weights[i];
	}
	if (count == 0)
		return;
	data = xmalloc((size_t)((double)bytes / (double)total * (double)largest) +
		       bytes % 4096 + 4096 + (size_t)count);
	for (uint64_t i = 0; i < count; i++) {
		_cleanup_free_ char *path = padding_path(&n, i);
		uint64_t size =
			(uint64_t)((double)bytes / (double)total * (double)weights[i]);

		if (i == count - 1 || size > left)
			size = left;
		left -= size;
		noise_fill(&n, data, (size_t)size);
		file_put(dir, path, (struct bytes){data, (size_t)size});
	}
}
