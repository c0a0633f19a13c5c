/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "seal.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- seals ---- */

static int bad_seal(const char *text, const char *source, struct error *err)
{
	error_set(err, ERROR_FAILED, source, "\"%.80s\" is no seal", text);
	return error_remedy(err, "a seal is 64 hexadecimal digits, ':' and the number of "
				 "blocks");
}

int seal_parse(const char *text, const char *source, struct seal *ret, struct error *err)
{
	size_t digits = strspn(text, "0123456789abcdef");
	struct seal seal = {0};
	const char *at = text + digits + 1;

	if (digits != sizeof(seal.hash) - 1 || text[digits] != ':' || !*at)
		return bad_seal(text, source, err);
	memcpy(seal.hash, text, digits);
	for (; *at >= '0' && *at <= '9' && seal.blocks <= SEAL_MAX_BLOCKS; at++)
		seal.blocks = seal.blocks * 10 + (uint64_t)(*at - '0');
	if (*at || !seal.blocks || seal.blocks > SEAL_MAX_BLOCKS)
		return bad_seal(text, source, err);
	*ret = seal;
	return 0;
}

void seal_format(const struct seal *seal, char text[SEAL_TEXT_SIZE])
{
	(void)snprintf(text, SEAL_TEXT_SIZE, "%s:%" PRIu64, seal->hash, seal->blocks);
}

uint64_t seal_data_size(const struct seal *seal)
{
	return seal->blocks * LAYOUT_BLOCK;
}

/* Each level of the tree has the hashes of the one below, until one block is enough. */
uint64_t seal_whole_size(const struct seal *seal)
{
	uint64_t level = seal->blocks, all = level + 1;

	while (level > 1) {
		level = (level + SEAL_PER_BLOCK - 1) / SEAL_PER_BLOCK;
		all += level;
	}
	return all * LAYOUT_BLOCK;
}

struct guid seal_guid(const struct seal *seal)
{
	char text[GUID_TEXT_SIZE];
	struct guid guid = {0};

	(void)snprintf(text, sizeof(text), "{%.8s-%.4s-%.4s-%.4s-%.12s}", seal->hash,
		       seal->hash + 8, seal->hash + 12, seal->hash + 16, seal->hash + 20);
	(void)guid_parse(text, &guid);
	return guid;
}

char *seal_root_name(const struct seal *seal)
{
	return xasprintf(LAYOUT_ROOT_PREFIX "%.16s.img", seal->hash);
}

/* ---- the superblock ---- */

enum {
	S_VERSION = 8,
	S_TYPE = 12,
	S_UUID = 16,
	S_ALGORITHM = 32,
	S_DATA_BLOCK = 64,
	S_HASH_BLOCK = 68,
	S_BLOCKS = 72,
	S_SALT_SIZE = 80,
	S_SALT = 88,
};
#define ALGORITHM_SIZE 32
#define SUPER_VERSION 1
#define TYPE_NORMAL 1 /* the salt comes before the data; 0 is Chrome OS's */

int verity_super_read(struct bytes b, const char *name, const struct seal *seal,
		      struct verity_super *ret, struct error *err)
{
	static const char algorithm[ALGORITHM_SIZE] = "sha256";
	const uint8_t *s = b.data;

	*ret = (struct verity_super){0};
	if (!bytes_has(b, 0, VERITY_SUPER_SIZE) || memcmp(s, "verity\0", 8) != 0)
		return error_set(err, ERROR_STATE, name,
				 "has no dm-verity superblock behind its data");
	ret->salt_len = get_le16(s + S_SALT_SIZE);
	if (get_le32(s + S_VERSION) != SUPER_VERSION ||
	    get_le32(s + S_TYPE) != TYPE_NORMAL ||
	    memcmp(s + S_ALGORITHM, algorithm, ALGORITHM_SIZE) != 0 ||
	    get_le32(s + S_DATA_BLOCK) != LAYOUT_BLOCK ||
	    get_le32(s + S_HASH_BLOCK) != LAYOUT_BLOCK || ret->salt_len > VERITY_MAX_SALT)
		return error_set(
			err, ERROR_STATE, name,
			"has a dm-verity superblock of another kind than SHA-256 "
			"over blocks of %d",
			LAYOUT_BLOCK);
	if (get_le64(s + S_BLOCKS) != seal->blocks)
		return error_set(err, ERROR_STATE, name,
				 "has %llu blocks, its seal says %llu",
				 (unsigned long long)get_le64(s + S_BLOCKS),
				 (unsigned long long)seal->blocks);
	memcpy(ret->salt, s + S_SALT, ret->salt_len);
	return 0;
}

void verity_super_write(const struct seal *seal, const struct verity_super *super,
			uint8_t block[LAYOUT_BLOCK])
{
	struct guid root = seal_guid(seal);

	memset(block, 0, LAYOUT_BLOCK);
	memcpy(block, "verity", 6);
	put_le32(block + S_VERSION, SUPER_VERSION);
	put_le32(block + S_TYPE, TYPE_NORMAL);
	memcpy(block + S_UUID, root.bytes, sizeof(root.bytes));
	/* Shaped as a random one (RFC 9562). */
	block[S_UUID + 6] = (uint8_t)((block[S_UUID + 6] & 0x0F) | 0x40);
	block[S_UUID + 8] = (uint8_t)((block[S_UUID + 8] & 0x3F) | 0x80);
	memcpy(block + S_ALGORITHM, "sha256", 6);
	put_le32(block + S_DATA_BLOCK, LAYOUT_BLOCK);
	put_le32(block + S_HASH_BLOCK, LAYOUT_BLOCK);
	put_le64(block + S_BLOCKS, seal->blocks);
	put_le16(block + S_SALT_SIZE, (uint16_t)super->salt_len);
	memcpy(block + S_SALT, super->salt, super->salt_len);
}
