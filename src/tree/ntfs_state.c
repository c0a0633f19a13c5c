/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether a volume may be edited: its dirty flag, its log, and whether a Windows on it is
 * hibernated. The log is read here rather than by libntfs-3g: only its two restart pages
 * matter, and their fields are the volume's word.
 */
#include <errno.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_private.h"

#include <ntfs-3g/logfile.h>

/* ---- multi-sector protection ---------------------------------------------------------
 * The last two bytes of each 512 bytes of a record are replaced by one number; what they
 * were lies in an array in the record's head.
 */
#define STRIDE 512
#define RECORD_USA_OFFSET 4
#define RECORD_USA_COUNT 6

/* Where the array lies, and whether it fits the record. */
static bool protection(const uint8_t *record, size_t len, size_t *array)
{
	size_t count = get_le16(record + RECORD_USA_COUNT);

	*array = get_le16(record + RECORD_USA_OFFSET);
	return len % STRIDE == 0 && count == len / STRIDE + 1 && *array >= 8 &&
	       *array + 2 * count <= STRIDE - 2;
}

/* Puts back the protected bytes; false if the record was torn. */
static bool unprotect(uint8_t *record, size_t len)
{
	size_t array;

	if (!protection(record, len, &array))
		return false;
	for (size_t i = 1; i <= len / STRIDE; i++) {
		uint8_t *tail = record + i * STRIDE - 2;

		if (memcmp(tail, record + array, 2) != 0)
			return false;
		memcpy(tail, record + array + 2 * i, 2);
	}
	return true;
}

/* The same record as it lies on the disk, with the number that it had. */
static void protect(uint8_t *record, size_t len)
{
	size_t array = get_le16(record + RECORD_USA_OFFSET);

	for (size_t i = 1; i <= len / STRIDE; i++) {
		uint8_t *tail = record + i * STRIDE - 2;

		memcpy(record + array + 2 * i, tail, 2);
		memcpy(tail, record + array, 2);
	}
}

/* ---- $LogFile -----------------------------------------------------------------------
 * Facts: layout.h and logfile.h of libntfs-3g. Windows 8 and later write version 2.0
 * while they have the volume mounted and go back to 1.1 when they let go of it;
 * hibernation and fast startup do not let go.
 */
#define RESTART_MAGIC "RSTR"
#define RESTART_CHECKED "CHKD" /* chkdsk was here */
#define RESTART_SYSTEM_PAGE 0x10
#define RESTART_AREA 0x18
#define RESTART_MINOR 0x1a
#define RESTART_MAJOR 0x1c
#define AREA_LSN 0x00
#define AREA_CLIENTS_IN_USE 0x0c
#define AREA_FLAGS 0x0e
#define AREA_SIZE 0x30
#define AREA_NO_CLIENT 0xffff
#define AREA_IS_CLEAN 0x0002
#define DEFAULT_PAGE 4096
#define MAX_PAGE (64 * 1024)

struct restart {
	bool valid, clean;
	uint64_t lsn;
	unsigned major, minor;
};

static struct restart parse_restart(uint8_t *page, size_t len)
{
	struct restart r = {0};
	struct bytes view = {page, len}, area;
	bool checked = memcmp(page, RESTART_CHECKED, 4) == 0;

	if (!checked && memcmp(page, RESTART_MAGIC, 4) != 0)
		return r;
	/* chkdsk may leave the page without protection. */
	if (!(checked && get_le16(page + RECORD_USA_COUNT) == 0) && !unprotect(page, len))
		return r;
	area = bytes_at(view, get_le16(page + RESTART_AREA), AREA_SIZE);
	if (!area.data)
		return r;
	r.valid = true;
	r.lsn = get_le64(area.data + AREA_LSN);
	r.major = get_le16(page + RESTART_MAJOR);
	r.minor = get_le16(page + RESTART_MINOR);
	r.clean = get_le16(area.data + AREA_CLIENTS_IN_USE) == AREA_NO_CLIENT ||
		  get_le16(area.data + AREA_FLAGS) & AREA_IS_CLEAN;
	return r;
}

static bool all_ones(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0xff)
			return false;
	return true;
}

/* A log that was reset: nothing to replay. */
static int is_reset(struct ntfs *ntfs, ntfs_attr *log, struct error *err)
{
	uint8_t page[DEFAULT_PAGE];

	/* Windows reads it so as well: at doubling distances. */
	for (uint64_t at = 0; at + sizeof(page) <= (uint64_t)log->data_size;
	     at = at ? 2 * at : sizeof(page)) {
		if (ntfs_read_attribute(ntfs, log, page, sizeof(page), at, "$LogFile",
					err) < 0)
			return -1;
		if (!all_ones(page, sizeof(page)))
			return 0;
	}
	return 1;
}

/* Reads the restart page at `at`, of the page size that its head claims. */
static int read_restart(struct ntfs *ntfs, ntfs_attr *log, uint64_t at,
			struct restart *ret, struct error *err)
{
	_cleanup_free_ uint8_t *page = NULL;
	uint64_t size = (uint64_t)log->data_size;
	uint8_t head[32];
	uint32_t len;

	*ret = (struct restart){0};
	if (size < sizeof(head) || at > size - sizeof(head))
		return 0;
	if (ntfs_read_attribute(ntfs, log, head, sizeof(head), at, "$LogFile", err) < 0)
		return -1;
	len = get_le32(head + RESTART_SYSTEM_PAGE);
	if (len < STRIDE || len > MAX_PAGE || len & (len - 1) || len > size - at)
		return 0;
	page = xmalloc(len);
	if (ntfs_read_attribute(ntfs, log, page, len, at, "$LogFile", err) < 0)
		return -1;
	*ret = parse_restart(page, len);
	return 0;
}

/* NULL: clean. A sentence otherwise. -1 with *err. */
static int judge_log(struct ntfs *ntfs, ntfs_attr *log, char **ret, struct error *err)
{
	struct restart first, second;
	int reset = is_reset(ntfs, log, err);

	if (reset)
		return reset < 0 ? -1 : 0;
	if (read_restart(ntfs, log, 0, &first, err) < 0 ||
	    read_restart(ntfs, log, DEFAULT_PAGE, &second, err) < 0)
		return -1;
	if (second.valid && (!first.valid || second.lsn > first.lsn))
		first = second;
	if (!first.valid)
		*ret = xstrdup("its log ($LogFile) has no valid restart page");
	else if (first.major == 2 && first.minor == 0)
		*ret = xstrdup("its log ($LogFile) is of version 2.0: a Windows 8 or "
			       "later has not let go of the volume (hibernation, fast "
			       "startup, or it was switched off)");
	else if (first.major != 1 || first.minor != 1)
		*ret = xasprintf("its log ($LogFile) is of the unknown version %u.%u",
				 first.major, first.minor);
	else if (!first.clean)
		*ret = xstrdup("its log ($LogFile) has transactions that Windows has to "
			       "replay");
	return 0;
}

static int examine_log(struct ntfs *ntfs, char **ret, struct error *err)
{
	_cleanup_inode_ ntfs_inode *inode =
		ntfs_open_inode(ntfs, FILE_LogFile, "$LogFile", err);
	_cleanup_attribute_ ntfs_attr *log = NULL;

	if (!inode)
		return -1;
	ntfs_begin(ntfs);
	log = ntfs_attr_open(inode, AT_DATA, AT_UNNAMED, 0);
	if (!log)
		return ntfs_failed(ntfs, err, "$LogFile", "cannot be opened");
	return judge_log(ntfs, log, ret, err);
}

/* ---- hiberfil.sys -------------------------------------------------------------------
 * Facts: the public symbols of ntoskrnl (PO_MEMORY_IMAGE): the header begins with a
 * signature and has its own length; since Windows 8 it says whether the session in it is
 * that of a fast startup, at a place that its length tells.
 */

#define HIBERNATION_FILE "hiberfil.sys"
#define HIBERNATION_HEADER 4096
#define HEADER_LENGTH 0x0c
#define MAX_HEADER_OF_7 0x128

static const struct {
	uint32_t length, hiberboot;
} hibernation_headers[] = {
	/* x64: 8, 8.1, three of 10, 11 */
	{0x360, 0x2fc},
	{0x3b0, 0x34c},
	{0x3c8, 0x354},
	{0x3d8, 0x364},
	{0x3e0, 0x364},
	{0x448, 0x3cc},
	/* x86: 8, 8.1, two of 10 */
	{0x2c8, 0x27c},
	{0x310, 0x2c4},
	{0x328, 0x2cc},
	{0x340, 0x2dc},
};

/* Whether the header holds a session that would be resumed. */
static bool holds_session(const uint8_t *header)
{
	/* Saved; being resumed (again, if that was cut off); to be resumed each time. */
	static const char *const signatures[] = {"hibr", "HIBR", "rstr", "RSTR", "HORM"};

	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++)
		if (memcmp(header, signatures[i], 4) == 0)
			return true;
	return false; /* "wake": resumed; zeros: so as well, since Windows 8 */
}

static void judge_session(const uint8_t *header, enum ntfs_condition *ret, char **detail)
{
	uint32_t length = get_le32(header + HEADER_LENGTH);

	*ret = NTFS_HIBERNATED;
	for (size_t i = 0; i < ARRAY_SIZE(hibernation_headers); i++) {
		uint8_t hiberboot = header[hibernation_headers[i].hiberboot];

		if (hibernation_headers[i].length != length || hiberboot > 1)
			continue;
		if (hiberboot)
			*ret = NTFS_FAST_STARTED;
		*detail = xstrdup(hiberboot ? "hiberfil.sys holds the kernel's session"
					    : "hiberfil.sys holds its session");
		return;
	}
	*detail = xstrdup(length <= MAX_HEADER_OF_7
				  ? "hiberfil.sys holds its session"
				  : "hiberfil.sys holds a session, if not of hibernation "
				    "then of fast startup");
}

static int examine_hibernation(struct ntfs *ntfs, enum ntfs_condition *ret, char **detail,
			       struct error *err)
{
	_cleanup_inode_ ntfs_inode *inode = NULL;
	_cleanup_attribute_ ntfs_attr *data = NULL;
	uint8_t header[HIBERNATION_HEADER];
	int found = ntfs_find(ntfs, HIBERNATION_FILE, &inode, NULL, err);

	if (found <= 0)
		return found;
	ntfs_begin(ntfs);
	data = ntfs_attr_open(inode, AT_DATA, AT_UNNAMED, 0);
	if (!data && errno != ENOENT)
		return ntfs_failed(ntfs, err, HIBERNATION_FILE, "cannot be opened");
	if (!data || data->data_size < HIBERNATION_HEADER) {
		/* So libntfs-3g judges it, and does not write then. */
		*ret = NTFS_HIBERNATED;
		*detail = xstrdup("hiberfil.sys is too small for a session: it is "
				  "another Windows' than that on the volume");
		return 0;
	}
	if (ntfs_read_attribute(ntfs, data, header, sizeof(header), 0, HIBERNATION_FILE,
				err) < 0)
		return -1;
	if (holds_session(header))
		judge_session(header, ret, detail);
	return 0;
}

int ntfs_examine(struct ntfs *ntfs, enum ntfs_condition *ret, char **detail,
		 struct error *err)
{
	_cleanup_free_ char *why = NULL;

	*ret = NTFS_SOUND;
	if (examine_hibernation(ntfs, ret, &why, err) < 0)
		return -1;
	if (*ret == NTFS_SOUND) {
		if (examine_log(ntfs, &why, err) < 0)
			return -1;
		if (why)
			*ret = NTFS_LOG_UNCLEAN;
	}
	if (*ret == NTFS_SOUND && ntfs->volume->flags & VOLUME_IS_DIRTY) {
		*ret = NTFS_DIRTY;
		why = xstrdup("its dirty flag is set: Windows wants to check it");
	}
	if (detail)
		*detail = steal_ptr(why);
	return 0;
}

/* ---- $Bitmap ------------------------------------------------------------------------
 */

int ntfs_bitmap(struct ntfs *ntfs, struct buffer *ret, struct error *err)
{
	size_t len = (size_t)((uint64_t)ntfs->volume->nr_clusters + 7) / 8;

	if ((uint64_t)ntfs->volume->lcnbmp_na->data_size < len) {
		error_set(err, ERROR_FAILED, ntfs->block->name,
			  "$Bitmap is too short for its clusters");
		return error_remedy(err, "run chkdsk on the volume in Windows");
	}
	if (ntfs_read_attribute(ntfs, ntfs->volume->lcnbmp_na, buffer_reserve(ret, len),
				len, 0, "$Bitmap", err) < 0)
		return -1;
	ret->len += len;
	return 0;
}

/* ---- the dirty flag -----------------------------------------------------------------
 */

#define RECORD_ATTRIBUTES 0x14
#define ATTRIBUTE_TYPE 0x00
#define ATTRIBUTE_LENGTH 0x04
#define ATTRIBUTE_NON_RESIDENT 0x08
#define ATTRIBUTE_VALUE_LENGTH 0x10
#define ATTRIBUTE_VALUE 0x14
#define VOLUME_INFORMATION_FLAGS 0x0a

/* Sets the flag in an unprotected record of $Volume; false if it has none. */
static bool set_dirty(uint8_t *record, size_t len)
{
	struct bytes view = {record, len};
	size_t at = get_le16(record + RECORD_ATTRIBUTES);

	for (;;) {
		struct bytes head = bytes_at(view, at, 0x18);
		uint32_t step;
		size_t flags;

		if (!head.data)
			return false;
		step = get_le32(head.data + ATTRIBUTE_LENGTH);
		if (get_le32(head.data + ATTRIBUTE_TYPE) ==
		    le32_to_cpu(AT_VOLUME_INFORMATION)) {
			flags = at + get_le16(head.data + ATTRIBUTE_VALUE) +
				VOLUME_INFORMATION_FLAGS;
			if (head.data[ATTRIBUTE_NON_RESIDENT] || flags + 2 > len)
				return false;
			record[flags] |= 1;
			return true;
		}
		if (step < 0x18 || step > len - at)
			return false;
		at += step;
	}
}

/* Where byte `at` of a system file lies on the block. */
static int locate(struct ntfs *ntfs, ntfs_attr *file, uint64_t at, uint64_t *ret,
		  struct error *err)
{
	unsigned bits = ntfs->volume->cluster_size_bits;
	LCN cluster;

	ntfs_begin(ntfs);
	cluster = ntfs_attr_vcn_to_lcn(file, (VCN)(at >> bits));
	if (cluster < 0)
		return ntfs_failed(ntfs, err, ntfs->block->name, "cannot find $Volume");
	*ret = ((uint64_t)cluster << bits) + (at & (ntfs->volume->cluster_size - 1));
	return 0;
}

/* The aligned unit of `unit` bytes in which two buffers of `len` bytes differ. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len,
			       size_t unit)
{
	size_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	return i < len ? i - i % unit : 0;
}

int ntfs_dirty_mark(struct ntfs *ntfs, unsigned copy, uint64_t *offset,
		    struct buffer *ret, struct error *err)
{
	ntfs_attr *file = copy ? ntfs->volume->mftmirr_na : ntfs->volume->mft_na;
	size_t len = ntfs->volume->mft_record_size;
	size_t sector =
		ntfs->block->sector_size > STRIDE ? ntfs->block->sector_size : STRIDE;
	/* Whole sectors, which may hold more than the record. */
	size_t span = len > sector ? len : sector;
	uint64_t at = FILE_Volume * (uint64_t)len, begin = at - at % span;
	_cleanup_free_ uint8_t *old = NULL, *new = NULL;
	uint8_t *record;
	size_t changed;

	if (copy > 1 || (uint64_t)file->data_size < begin + span)
		return 0;
	old = xmalloc(span);
	if (ntfs_read_attribute(ntfs, file, old, span, begin, "$Volume", err) < 0)
		return -1;
	new = xmemdup(old, span);
	record = new + (at - begin);
	if (memcmp(record, "FILE", 4) != 0 || !unprotect(record, len) ||
	    !set_dirty(record, len)) {
		error_set(err, ERROR_FAILED, ntfs->block->name,
			  "the record of $Volume is damaged");
		return error_remedy(err, "run chkdsk on the volume in Windows");
	}
	protect(record, len);
	changed = first_difference(old, new, span, sector);
	if (locate(ntfs, file, begin + changed, offset, err) < 0)
		return -1;
	buffer_append(ret, new + changed, sector);
	return 1;
}
