/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PE as the specification "PE Format" describes it. Every offset comes from the file and
 * is checked by the bytes_*() readers; loops are bounded by 16-bit counts.
 */
#include "windows/pe.h"

#include "base/text.h"

#define PE_RESOURCES 2 /* index of the data directory */
#define RT_VERSION 16
#define RESOURCE_SUBFOLDER 0x80000000u
#define FIXED_INFO_SIGNATURE 0xFEEF04BDu

/* The view from the PE signature on; empty if the file is no PE. */
static struct bytes nt_headers(struct bytes file)
{
	uint32_t offset, signature;
	uint16_t mz;

	if (!bytes_le16(file, 0, &mz) || mz != 0x5A4D ||
	    !bytes_le32(file, 0x3C, &offset) || !bytes_le32(file, offset, &signature) ||
	    signature != 0x00004550)
		return (struct bytes){0};
	return bytes_at(file, offset, file.len - offset);
}

enum windows_arch pe_arch(struct bytes file)
{
	static const struct {
		uint16_t machine;
		enum windows_arch arch;
	} machines[] = {
		{0x014C, ARCH_X86},  {0x01C4, ARCH_ARM},   {0x01C0, ARCH_ARM},
		{0x0200, ARCH_IA64}, {0x8664, ARCH_AMD64}, {0xAA64, ARCH_ARM64},
	};
	uint16_t machine;

	if (bytes_le16(nt_headers(file), 4, &machine))
		for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
			if (machines[i].machine == machine)
				return machines[i].arch;
	return ARCH_UNKNOWN;
}

/* The bytes at a relative virtual address, up to the end of their section's data. */
static struct bytes at_rva(struct bytes file, struct bytes nt, uint32_t rva)
{
	uint16_t sections, optional;

	if (!bytes_le16(nt, 6, &sections) || !bytes_le16(nt, 20, &optional))
		return (struct bytes){0};
	for (uint32_t i = 0; i < sections; i++) {
		uint64_t header = 24 + (uint64_t)optional + 40 * (uint64_t)i;
		uint32_t address, size, offset;

		if (!bytes_le32(nt, header + 12, &address) ||
		    !bytes_le32(nt, header + 16, &size) ||
		    !bytes_le32(nt, header + 20, &offset))
			break;
		if (rva >= address && rva - address < size)
			return bytes_at(file, (uint64_t)offset + (rva - address),
					size - (rva - address));
	}
	return (struct bytes){0};
}

struct bytes pe_section(struct bytes file, const char *name)
{
	struct bytes nt = nt_headers(file);
	uint16_t sections, optional;
	char padded[9] = "";

	memcpy(padded, name, strlen(name) < 8 ? strlen(name) : 8);
	if (!bytes_le16(nt, 6, &sections) || !bytes_le16(nt, 20, &optional))
		return (struct bytes){0};
	for (uint32_t i = 0; i < sections; i++) {
		uint64_t header = 24 + (uint64_t)optional + 40 * (uint64_t)i;
		struct bytes stored = bytes_at(nt, header, 8);
		uint32_t used, size, offset;

		if (!bytes_le32(nt, header + 8, &used) ||
		    !bytes_le32(nt, header + 16, &size) ||
		    !bytes_le32(nt, header + 20, &offset))
			break;
		if (memcmp(stored.data, padded, 8) == 0)
			return bytes_at(file, offset, used < size ? used : size);
	}
	return (struct bytes){0};
}

/* The entry of a resource folder: the one with this ID, or the first if id is 0. */
static bool resource_entry(struct bytes resources, uint32_t folder, uint32_t id,
			   uint32_t *ret)
{
	uint16_t named, numbered;

	if (!bytes_le16(resources, (uint64_t)folder + 12, &named) ||
	    !bytes_le16(resources, (uint64_t)folder + 14, &numbered))
		return false;
	for (uint32_t i = 0; i < (uint32_t)named + numbered; i++) {
		uint64_t entry = (uint64_t)folder + 16 + 8 * (uint64_t)i;
		uint32_t name;

		if (!bytes_le32(resources, entry, &name))
			return false;
		if (!id || name == id)
			return bytes_le32(resources, entry + 4, ret);
	}
	return false;
}

/* The bytes of the version resource; empty if the file has none. */
static struct bytes version_resource(struct bytes file)
{
	struct bytes nt = nt_headers(file), resources, data;
	uint32_t rva, entry = 0, data_rva, size;
	uint16_t magic;
	uint64_t directories;

	if (!bytes_le16(nt, 24, &magic))
		return (struct bytes){0};
	directories = 24 + (magic == 0x20B ? 112 : 96); /* PE32+ : PE32 */
	if (!bytes_le32(nt, directories + 8 * PE_RESOURCES, &rva) || !rva)
		return (struct bytes){0};
	resources = at_rva(file, nt, rva);
	/* Type, name, language; the last leads to the data entry. */
	for (int level = 0; level < 3; level++) {
		if (!resource_entry(resources, entry & ~RESOURCE_SUBFOLDER,
				    level ? 0 : RT_VERSION, &entry))
			return (struct bytes){0};
		if (!(entry & RESOURCE_SUBFOLDER) != (level == 2))
			return (struct bytes){0};
	}
	if (!bytes_le32(resources, entry, &data_rva) ||
	    !bytes_le32(resources, (uint64_t)entry + 4, &size))
		return (struct bytes){0};
	data = at_rva(file, nt, data_rva);
	if (data.len > size)
		data.len = size;
	return data;
}

bool pe_file_version(struct bytes file, uint64_t *ret)
{
	struct bytes data = version_resource(file);
	uint32_t high, low, signature;

	/* The structure follows the key "VS_VERSION_INFO", aligned to four bytes. */
	for (uint64_t i = 0; i < 256; i += 4)
		if (bytes_le32(data, i, &signature) &&
		    signature == FIXED_INFO_SIGNATURE && bytes_le32(data, i + 8, &high) &&
		    bytes_le32(data, i + 12, &low)) {
			*ret = (uint64_t)high << 32 | low;
			return true;
		}
	return false;
}

/* ---- strings of the version resource ------------------------------------------------
 */

/*
 * A block of the resource: u16 length of all of it, u16 length of the value (in
 * characters if it is text), u16 1 for text, the key (UTF-16, NUL), padding to four
 * bytes, the value, padding, and blocks of the same kind ("VS_VERSIONINFO structure",
 * Windows SDK).
 */
struct version_block {
	struct bytes key, value, children;
	uint64_t size; /* with its padding: where the next one starts */
};

static uint64_t aligned(uint64_t offset)
{
	return (offset + 3) & ~(uint64_t)3;
}

static bool block_read(struct bytes at, struct version_block *ret)
{
	uint16_t length, value, type, unit;
	uint64_t key = 6, end, start;

	if (!bytes_le16(at, 0, &length) || length < 6 || length > at.len ||
	    !bytes_le16(at, 2, &value) || !bytes_le16(at, 4, &type))
		return false;
	at.len = length;
	for (end = key;; end += 2) {
		if (!bytes_le16(at, end, &unit))
			return false;
		if (unit == 0)
			break;
	}
	start = aligned(end + 2);
	ret->key = bytes_at(at, key, end - key);
	ret->size = aligned(length);
	ret->value = ret->children = (struct bytes){0};
	if (start >= at.len)
		return true;
	/* Compilers disagree whether a text's length counts bytes: never beyond the
	 * block. */
	end = start + (type ? 2 * (uint64_t)value : value);
	if (end > at.len)
		end = at.len;
	ret->value = bytes_at(at, start, end - start);
	if (aligned(end) < at.len)
		ret->children = bytes_at(at, aligned(end), at.len - aligned(end));
	return true;
}

static bool key_is(const struct version_block *block, const char *name)
{
	_cleanup_free_ char *key = utf16_to_utf8(block->key.data, block->key.len);

	return text_equal(key, name);
}

/* The next block of a list; the list shrinks with every call, so that it ends. */
static bool next_block(struct bytes *list, struct version_block *ret)
{
	if (!block_read(*list, ret))
		return false;
	*list = ret->size < list->len ? bytes_at(*list, ret->size, list->len - ret->size)
				      : (struct bytes){0};
	return true;
}

static char *block_text(const struct version_block *block)
{
	size_t len = 0;

	while (len + 2 <= block->value.len && get_le16(block->value.data + len))
		len += 2;
	return utf16_to_utf8(block->value.data, len);
}

char *pe_version_string(struct bytes file, const char *name)
{
	struct version_block root, info, table, text;
	struct bytes infos, tables, texts;

	if (!block_read(version_resource(file), &root))
		return NULL;
	for (infos = root.children; next_block(&infos, &info);) {
		if (!key_is(&info, "StringFileInfo"))
			continue;
		/* One table for each language; the first is the file's own. */
		for (tables = info.children; next_block(&tables, &table);)
			for (texts = table.children; next_block(&texts, &text);)
				if (key_is(&text, name))
					return block_text(&text);
	}
	return NULL;
}
