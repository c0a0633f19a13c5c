/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a hive: opened or made, and written back as a file. */
#include "base/clock.h"
#include "base/progress.h"
#include "registry/hive_private.h"

static const char *hive_dirty(const struct hive *h)
{
	const uint8_t *base = h->file.data;

	if (h->file.len < HIVE_BASE_SIZE || memcmp(base, "regf", 4) != 0)
		return "it has no base block";
	if (hive_checksum(base) != get_le32(base + BASE_CHECKSUM))
		return "the checksum of its base block is wrong";
	if (get_le32(base + BASE_SEQUENCE1) != get_le32(base + BASE_SEQUENCE2))
		return "Windows was writing to it (its sequence numbers differ)";
	return NULL;
}

/* Brings a dirty hive to the state that Windows would have made of it, or refuses. */
static int hive_recover(struct hive *h, const struct hive_options *options,
			const char *how, struct error *err)
{
	_cleanup_free_ char *why = NULL;
	bool numbers_only =
		h->file.len >= HIVE_BASE_SIZE && memcmp(h->file.data, "regf", 4) == 0 &&
		hive_checksum(h->file.data) == get_le32(h->file.data + BASE_CHECKSUM);

	if (hive_log_replay(h, options, &why)) {
		h->recovered = true;
		return 0;
	}
	/* Only the numbers can be waved through, a broken base block cannot. */
	if (options->accept_dirty && numbers_only) {
		h->was_dirty = true;
		notice("%s: the hive is dirty: %s, and %s; going on as asked, changes "
		       "that "
		       "Windows had not finished may be missing",
		       h->name, how, why);
		return 0;
	}
	error_set(err, ERROR_STATE, h->name, "the hive is dirty: %s, and %s", how, why);
	if (!numbers_only)
		return error_remedy(err,
				    "give the hive with its .LOG1 and .LOG2 files, or "
				    "restore it from a backup");
	return error_remedy(err,
			    "let Windows start and shut down once, put the hive's .LOG1 "
			    "and .LOG2 beside it, or use --accept-dirty");
}

static int hive_load(struct hive *h, const struct hive_options *options,
		     struct error *err)
{
	const char *how;

	if (h->file.len < 4 ||
	    (memcmp(h->file.data, "regf", 4) != 0 && !options->log.len &&
	     !options->log1.len && !options->log2.len))
		return error_set(err, ERROR_STATE, h->name,
				 "not a registry hive (no regf at offset 0)");
	how = hive_dirty(h);
	if (how && hive_recover(h, options, how, err) < 0)
		return -1;
	if (hive_check_base(h, buffer_view(&h->file), err) < 0)
		return -1;
	h->size = get_le32(h->file.data + BASE_BINS);
	h->minor = get_le32(h->file.data + BASE_MINOR);
	h->root = get_le32(h->file.data + BASE_ROOT);
	/* What lies behind the bins is room that Windows keeps for growth, no content. */
	h->file.len = HIVE_BASE_SIZE + (size_t)h->size;
	if (hive_check_bins(h, err) < 0)
		return -1;
	alloc_open(h);
	return hive_check_tree(h, err);
}

struct hive *hive_open(struct bytes data, const struct hive_options *options,
		       struct error *err)
{
	static const struct hive_options none;
	struct hive *h = xcalloc(1, sizeof(*h));

	if (!options)
		options = &none;
	h->name = xstrdup(options->name ? options->name : "hive");
	buffer_append(&h->file, data.data, data.len);
	if (hive_load(h, options, err) < 0) {
		hive_close(h);
		return NULL;
	}
	return h;
}

void hive_close(struct hive *hive)
{
	if (!hive)
		return;
	alloc_close(hive);
	vec_free(&hive->security);
	vec_free(&hive->unsorted);
	hive_changes_free(&hive->changes);
	buffer_free(&hive->file);
	free(hive->name);
	free(hive);
}

void hive_closep(struct hive **hive)
{
	hive_close(*hive);
	*hive = NULL;
}

bool hive_modified(const struct hive *hive)
{
	return hive->modified;
}

bool hive_recovered(const struct hive *hive)
{
	return hive->recovered;
}

bool hive_was_dirty(const struct hive *hive)
{
	return hive->was_dirty;
}

/* ---- a new hive ---- */

/*
 * Owner Administrators, group SYSTEM; SYSTEM and Administrators may do all, Users read;
 * inherited by subkeys, not by what may be mounted above. Self-relative form.
 */
static const uint8_t default_security[] = {
	1,
	0,
	0x04,
	0x90,
	20,
	0,
	0,
	0,
	36,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	48,
	0,
	0,
	0,
	/* +20: S-1-5-32-544, +36: S-1-5-18 */
	1,
	2,
	0,
	0,
	0,
	0,
	0,
	5,
	32,
	0,
	0,
	0,
	32,
	2,
	0,
	0,
	1,
	1,
	0,
	0,
	0,
	0,
	0,
	5,
	18,
	0,
	0,
	0,
	/* +48: the list of three entries */
	2,
	0,
	76,
	0,
	3,
	0,
	0,
	0,
	0,
	2,
	20,
	0,
	0x3f,
	0,
	0x0f,
	0,
	1,
	1,
	0,
	0,
	0,
	0,
	0,
	5,
	18,
	0,
	0,
	0,
	0,
	2,
	24,
	0,
	0x3f,
	0,
	0x0f,
	0,
	1,
	2,
	0,
	0,
	0,
	0,
	0,
	5,
	32,
	0,
	0,
	0,
	32,
	2,
	0,
	0,
	0,
	2,
	24,
	0,
	0x19,
	0,
	0x02,
	0,
	1,
	2,
	0,
	0,
	0,
	0,
	0,
	5,
	32,
	0,
	0,
	0,
	33,
	2,
	0,
	0,
};

static void base_make(struct hive *h, const char *name)
{
	_cleanup_buffer_ struct buffer wide = BUFFER_INIT;
	uint8_t *base;

	base = buffer_reserve(&h->file, HIVE_BASE_SIZE + HIVE_PAGE);
	memset(base, 0, HIVE_BASE_SIZE + HIVE_PAGE);
	h->file.len = HIVE_BASE_SIZE + HIVE_PAGE;
	h->size = HIVE_PAGE;
	h->minor = 5;
	memcpy(base, "regf", 4);
	put_le32(base + BASE_MAJOR, 1);
	put_le32(base + BASE_MINOR, h->minor);
	put_le32(base + BASE_FORMAT, 1);
	put_le32(base + BASE_CLUSTER, 1);
	utf16_append(&wide, name);
	memcpy(base + BASE_NAME, wide.data, wide.len < 62 ? wide.len : 62);
	memcpy(base + HIVE_BASE_SIZE, "hbin", 4);
	put_le32(base + HIVE_BASE_SIZE + BIN_SIZE, HIVE_PAGE);
	put_le32(base + HIVE_BASE_SIZE + HIVE_BIN_HEADER, HIVE_PAGE - HIVE_BIN_HEADER);
	alloc_open(h);
}

struct hive *hive_new(const char *root_name, struct error *err)
{
	_cleanup_buffer_ struct buffer stored = BUFFER_INIT;
	size_t units;
	bool comp = hive_name_store(root_name, &stored, &units);
	struct hive *h;
	uint32_t security;
	uint8_t *p;

	if (units == 0 || units > HIVE_KEY_NAME_MAX) {
		error_set(err, ERROR_FAILED, root_name,
			  "a root key has a name of 1 to 255 characters");
		return NULL;
	}
	h = xcalloc(1, sizeof(*h));
	h->name = xstrdup(root_name);
	base_make(h, root_name);
	/* Both fit in the first bin. */
	h->root = alloc_cell(h, NK_NAME + stored.len, err);
	security = alloc_cell(h, SK_DATA + sizeof(default_security), err);
	nk_fill(hive_cell_data(h, h->root), comp, security, security,
		buffer_view(&stored));
	p = hive_cell_data(h, h->root);
	put_le16(p + NK_FLAGS,
		 (uint16_t)(get_le16(p + NK_FLAGS) | NK_HIVE_ENTRY | NK_NO_DELETE));
	p = hive_cell_data(h, security);
	memcpy(p, "sk", 2);
	put_le32(p + SK_NEXT, security);
	put_le32(p + SK_PREVIOUS, security);
	put_le32(p + SK_REFS, 1);
	put_le32(p + SK_LEN, sizeof(default_security));
	memcpy(p + SK_DATA, default_security, sizeof(default_security));
	vec_push(&h->security, (struct hive_security){security, 1});
	put_le32(h->file.data + BASE_ROOT, h->root);
	h->modified = true;
	return h;
}

/* ---- the file ---- */

int hive_serialize(struct hive *hive, struct buffer *ret, struct error *err)
{
	uint32_t first, second, sequence;
	uint8_t *base;

	(void)err;
	base = buffer_reserve(ret, hive->file.len);
	memcpy(base, hive->file.data, hive->file.len);
	ret->len += hive->file.len;
	if (!hive->modified && !hive->recovered)
		return 0;
	/* A finished write: both numbers equal and higher than any that a log may carry.
	 */
	first = get_le32(base + BASE_SEQUENCE1);
	second = get_le32(base + BASE_SEQUENCE2);
	sequence = ((int32_t)(first - second) > 0 ? first : second) + 1;
	put_le32(base + BASE_SEQUENCE1, sequence);
	put_le32(base + BASE_SEQUENCE2, sequence);
	put_le64(base + BASE_TIME, clock_filetime());
	put_le64(base + HIVE_BASE_SIZE + BIN_TIME, clock_filetime());
	put_le32(base + BASE_TYPE, 0);
	put_le32(base + BASE_ROOT, hive->root);
	put_le32(base + BASE_BINS, hive->size);
	put_le32(base + BASE_CHECKSUM, hive_checksum(base));
	return 0;
}
