/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Before a disk image is read or edited: gild's lock on it, what an interrupted edit
 * left, and whether it can be edited in place at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "block/journal.h"
#include "tree/disk.h"

#define JOURNAL_ENDING ".gild-journal"
/* Far behind every byte of an image, and behind those that QEMU locks. */
#define LOCK_BYTE ((off_t)0x676c696c64000000)

/* ---- the lock
 * --------------------------------------------------------------------------------- */

static int in_use(const char *path, struct error *err)
{
	error_set(err, ERROR_STATE, path, "is in use by another run of gild");
	return error_remedy(err, "wait for that run to end and try again");
}

/* A file system without locks is as good as an image that nobody else uses. */
static int lock_byte(int fd, const char *path, bool exclusive, struct error *err)
{
	struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK,
			     .l_whence = SEEK_SET,
			     .l_start = LOCK_BYTE,
			     .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return in_use(path, err);
	return errno == EINVAL || errno == ENOLCK || errno == ENOTSUP
		       ? 0
		       : error_errno(err, path, "cannot lock");
}

static int set_lock(struct disk_image *disk, bool exclusive, struct error *err)
{
	const char *path = disk->image.path;

	if (disk->container.format != CONTAINER_DEVICE)
		return lock_byte(disk->lock, path, exclusive, err);
	if (flock(disk->lock, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? in_use(path, err)
				    : error_errno(err, path, "cannot lock");
}

/* An exclusive lock on a file needs a descriptor for writing; one on a device does not.
 */
static int open_for_lock(struct disk_image *disk, bool exclusive, struct error *err)
{
	bool write = exclusive && disk->container.format != CONTAINER_DEVICE;
	int fd = open(disk->image.path,
		      (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, disk->image.path, "cannot open%s",
				   exclusive ? " for writing" : "");
	closep(&disk->lock);
	disk->lock = fd;
	return set_lock(disk, exclusive, err);
}

/* The kernel's own claim tells at once what would only be found at the commit. */
static int check_unclaimed(const struct disk_image *disk, struct error *err)
{
	_cleanup_close_ int fd =
		open(disk->image.path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0 || errno != EBUSY)
		return 0;
	error_set(
		err, ERROR_STATE, disk->image.path,
		"is in use: it or a part of it is mounted, or belongs to a volume group "
		"or an array");
	return error_remedy(err, "unmount it first");
}

int disk_lock(struct disk_image *disk, struct error *err)
{
	if (disk->container.format == CONTAINER_DEVICE && disk->image.options.write &&
	    check_unclaimed(disk, err) < 0)
		return -1;
	return open_for_lock(disk, disk->image.options.write, err);
}

/* ---- an interrupted edit
 * --------------------------------------------------------------------- */

/* A journal says what is written to the image: only its owner's or one's own is heard. */
static int check_owner(const struct disk_image *disk, const char *journal,
		       struct error *err)
{
	struct stat image, found;

	if (lstat(journal, &found) < 0 || stat(disk->image.path, &image) < 0)
		return error_errno(err, journal, "cannot stat");
	if (found.st_uid == geteuid() || found.st_uid == image.st_uid)
		return 0;
	error_set(err, ERROR_STATE, journal,
		  "is the journal of an interrupted edit, and belongs to another user");
	return error_remedy(err, "run gild inspect on the image as that user, or remove "
				 "the journal if it is not to be trusted");
}

/*
 * A VHDX that QEMU was writing to when it was stopped is readable only after this, and a
 * qcow2 has lost clusters.
 */
static int replay(struct disk_image *disk, struct error *err)
{
	_cleanup_container_ struct container again = {0};

	if (container_replay(&disk->container, err) < 0 ||
	    container_probe(disk->image.path, disk->image.options.allow_backing, &again,
			    err) < 0)
		return -1;
	container_free(&disk->container);
	disk->container = again;
	again = (struct container){0};
	return 0;
}

static int recover_locked(struct disk_image *disk, const char *journal,
			  enum journal_state state, struct error *err)
{
	struct journal_identity identity = {
		.format = container_format_name(disk->container.format)};
	_cleanup_block_ struct block *block = NULL;
	bool finished;

	if (check_owner(disk, journal, err) < 0 || replay(disk, err) < 0)
		return -1;
	block = container_open(&disk->container, state == JOURNAL_COMPLETE, err);
	if (!block)
		return -1;
	identity.size = block->size;
	if (journal_recover(block, journal, &identity, &finished, err) < 0)
		return -1;
	notice(finished ? "%s: an interrupted edit was finished; the image has the new "
			  "state"
			: "%s: an interrupted edit was dropped; the image is as it was "
			  "before it",
	       disk->image.path);
	return 0;
}

static int recover(struct disk_image *disk, const char *journal, struct error *err)
{
	enum journal_state state;

	if (journal_look(journal, &state, err) < 0)
		return -1;
	if (state == JOURNAL_NONE)
		return 0;
	if (access(disk->image.path, W_OK) < 0) {
		error_set(err, ERROR_STATE, disk->image.path,
			  "an edit of it was interrupted and it cannot be written now");
		return error_remedy(err,
				    "run gild once with the right to write to the image: "
				    "%s holds what is to be finished",
				    journal);
	}
	if (!disk->image.options.write && open_for_lock(disk, true, err) < 0)
		return -1;
	if (recover_locked(disk, journal, state, err) < 0)
		return -1;
	return disk->image.options.write ? 0 : set_lock(disk, false, err);
}

/* Beside the image itself, whatever link it was reached by. */
static char *journal_beside(const struct disk_image *disk)
{
	return xasprintf("%s" JOURNAL_ENDING, disk->container.layers.items[0].path);
}

int disk_recover(struct disk_image *disk, struct error *err)
{
	_cleanup_free_ char *beside = journal_beside(disk);
	const char *given = disk->image.options.journal;

	disk->journal = xstrdup(given ? given : beside);
	if (given && recover(disk, given, err) < 0)
		return -1;
	return recover(disk, beside, err);
}

/* ---- in place
 * -------------------------------------------------------------------------------- */

/* A journal in memory is gone after the power failure that it is for. */
static int check_journal_place(const char *journal, struct error *err)
{
	_cleanup_free_ char *folder = xstrdup(journal);
	char *slash = strrchr(folder, '/');
	struct statfs fs;

	if (slash)
		slash[slash == folder] = '\0';
	if (statfs(slash ? folder : ".", &fs) < 0)
		return error_errno(err, journal, "cannot examine its folder");
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		return 0;
	error_set(err, ERROR_USAGE, journal,
		  "would be a journal in memory, lost when the power goes");
	return error_remedy(err, "give a file on a disk (another one than the image) "
				 "with --journal=FILE");
}

int disk_check_in_place(const struct disk_image *disk, struct error *err)
{
	const struct container *c = &disk->container;

	if (!c->editable) {
		error_set(err, ERROR_USAGE, disk->image.path,
			  "cannot be edited in place: %s", c->why_not);
		return error_remedy(err, "write the result to a new image with --output");
	}
	if (c->format != CONTAINER_DEVICE)
		return 0;
	if (disk->image.options.journal)
		return check_journal_place(disk->image.options.journal, err);
	error_set(err, ERROR_USAGE, disk->image.path,
		  "is a block device, and an edit of one needs a place for its journal");
	return error_remedy(err, "give a file on another disk with --journal=FILE");
}
