/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PE as the specification "PE Format" describes it. Every offset comes from the file and
 * is checked by the bytes_*() readers; loops are bounded by 16-bit counts.
 */
#include "windows/pe.h"

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

bool pe_file_version(struct bytes file, uint64_t *ret)
{
	struct bytes nt = nt_headers(file), resources, data;
	uint32_t rva, entry = 0, data_rva, size, high, low, signature;
	uint16_t magic;
	uint64_t directories;

	if (!bytes_le16(nt, 24, &magic))
		return false;
	directories = 24 + (magic == 0x20B ? 112 : 96); /* PE32+ : PE32 */
	if (!bytes_le32(nt, directories + 8 * PE_RESOURCES, &rva) || !rva)
		return false;
	resources = at_rva(file, nt, rva);
	/* Type, name, language; the last leads to the data entry. */
	for (int level = 0; level < 3; level++) {
		if (!resource_entry(resources, entry & ~RESOURCE_SUBFOLDER,
				    level ? 0 : RT_VERSION, &entry))
			return false;
		if (!(entry & RESOURCE_SUBFOLDER) != (level == 2))
			return false;
	}
	if (!bytes_le32(resources, entry, &data_rva) ||
	    !bytes_le32(resources, (uint64_t)entry + 4, &size))
		return false;
	data = at_rva(file, nt, data_rva);
	if (data.len > size)
		data.len = size;
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
