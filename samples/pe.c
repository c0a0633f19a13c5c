/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small writer of valid PE images (Microsoft's "PE Format"): DOS header, PE header,
 * .text, .rsrc with a version resource, and the image checksum that Windows requires of
 * drivers. The code is a function that returns, then padding that compresses like code.
 */
#include "samples/sample.h"

#define FILE_ALIGN 0x200u
#define PAGE 0x1000u
#define DOS_SIZE 0x80u

static uint32_t align_up(size_t n, uint32_t to)
{
	return (uint32_t)((n + to - 1) / to * to);
}

/* ---- VS_VERSION_INFO -----------------------------------------------------------------
 */

static void pad4(struct buffer *b)
{
	while (b->len % 4)
		buffer_append(b, "", 1);
}

/* Every node: u16 length, u16 value length, u16 type (1 text), key, value, children. */
static size_t node_begin(struct buffer *b, const char *key, uint16_t value_len,
			 uint16_t type)
{
	size_t start;

	pad4(b);
	start = b->len;
	buffer_append_le16(b, 0);
	buffer_append_le16(b, value_len);
	buffer_append_le16(b, type);
	utf16_append_z(b, key);
	pad4(b);
	return start;
}

static void node_end(struct buffer *b, size_t start)
{
	put_le16(b->data + start, (uint16_t)(b->len - start));
}

static void version_string(struct buffer *b, const char *name, const char *value)
{
	size_t start = node_begin(b, name, (uint16_t)(utf16_units(value) + 1), 1);

	utf16_append_z(b, value);
	node_end(b, start);
}

static void version_info(struct buffer *b, const struct pe *pe)
{
	_cleanup_free_ char *version = xasprintf(
		"%u.%u.%u.%u", (unsigned)(pe->version >> 48),
		(unsigned)(pe->version >> 32) & 0xffff,
		(unsigned)(pe->version >> 16) & 0xffff, (unsigned)pe->version & 0xffff);
	size_t root = node_begin(b, "VS_VERSION_INFO", 52, 0), info, table, translation;

	buffer_append_le32(b, 0xfeef04bd); /* VS_FIXEDFILEINFO */
	buffer_append_le32(b, 0x00010000);
	for (int i = 0; i < 2; i++) { /* file version, product version */
		buffer_append_le32(b, (uint32_t)(pe->version >> 32));
		buffer_append_le32(b, (uint32_t)pe->version);
	}
	buffer_append_le32(b, 0x3f);
	buffer_append_le32(b, 0);
	buffer_append_le32(b, 0x00040004); /* NT, Win32 */
	buffer_append_le32(b, pe->kind == PE_DRIVER ? 3 : pe->kind == PE_DLL ? 2 : 1);
	buffer_append_le32(b, pe->kind == PE_DRIVER ? 7 : 0); /* system driver */
	buffer_append_le64(b, 0);
	info = node_begin(b, "StringFileInfo", 0, 1);
	table = node_begin(b, "040904b0", 0, 1);
	version_string(b, "CompanyName", pe->company);
	version_string(b, "FileDescription", pe->description);
	version_string(b, "FileVersion", version);
	version_string(b, "InternalName", pe->name);
	version_string(b, "OriginalFilename", pe->name);
	version_string(b, "ProductVersion", version);
	node_end(b, table);
	node_end(b, info);
	info = node_begin(b, "VarFileInfo", 0, 1);
	translation = node_begin(b, "Translation", 4, 0);
	buffer_append_le32(b, 0x04b00409);
	node_end(b, translation);
	node_end(b, info);
	node_end(b, root);
}

/* One resource: type 16 (version), name 1, language 0x409. */
static void resources(struct buffer *b, const struct pe *pe, uint32_t rva)
{
	static const uint32_t ids[] = {16, 1, 0x409};
	size_t data;

	for (uint32_t level = 0; level < 3; level++) {
		buffer_append(b, (const uint8_t[14]){0}, 14);
		buffer_append_le16(b, 1);
		buffer_append_le32(b, ids[level]);
		buffer_append_le32(b, (24 * (level + 1)) | (level < 2 ? 0x80000000 : 0));
	}
	data = b->len;
	buffer_append(b, (const uint8_t[16]){0}, 16);
	version_info(b, pe);
	put_le32(b->data + data, rva + (uint32_t)data + 16);
	put_le32(b->data + data + 4, (uint32_t)(b->len - data - 16));
}

/* ---- headers -------------------------------------------------------------------------
 */

static void section(struct buffer *b, const char *name, uint32_t rva, size_t size,
		    uint32_t offset, uint32_t flags)
{
	char padded[8] = {0};

	memcpy(padded, name, strlen(name));
	buffer_append(b, padded, 8);
	buffer_append_le32(b, (uint32_t)size);
	buffer_append_le32(b, rva);
	buffer_append_le32(b, align_up(size, FILE_ALIGN));
	buffer_append_le32(b, offset);
	buffer_append_le64(b, 0);
	buffer_append_le32(b, 0);
	buffer_append_le32(b, flags);
}

static uint16_t subsystem(enum pe_kind kind)
{
	switch (kind) {
	case PE_DRIVER:
		return 1;
	case PE_EFI:
		return 10;
	case PE_BOOT:
		return 16;
	default:
		return 3;
	}
}

static void optional_header(struct buffer *b, const struct pe *pe, size_t text,
			    size_t rsrc, uint32_t rsrc_rva)
{
	bool wide = pe->machine != MACHINE_X86;

	buffer_append_le16(b, wide ? 0x20b : 0x10b);
	buffer_append_le16(b, 0x0e); /* linker 14.0 */
	buffer_append_le32(b, align_up(text, FILE_ALIGN));
	buffer_append_le32(b, align_up(rsrc, FILE_ALIGN));
	buffer_append_le32(b, 0);
	buffer_append_le32(b, PAGE); /* entry point: first byte of .text */
	buffer_append_le32(b, PAGE);
	if (!wide)
		buffer_append_le32(b, rsrc_rva);
	if (wide)
		buffer_append_le64(b, 0x140000000);
	else
		buffer_append_le32(b, 0x10000);
	buffer_append_le32(b, PAGE);
	buffer_append_le32(b, FILE_ALIGN);
	buffer_append_le32(b, 0x0000000a); /* OS, image, subsystem 10.0 */
	buffer_append_le32(b, 0x0000000a);
	buffer_append_le32(b, 0x0000000a);
	buffer_append_le32(b, 0);
	buffer_append_le32(b, rsrc_rva + align_up(rsrc, PAGE));
	buffer_append_le32(b, 0x400); /* all headers */
	buffer_append_le32(b, 0);     /* checksum, set at the end */
	buffer_append_le16(b, subsystem(pe->kind));
	buffer_append_le16(b, wide ? 0x4160 : 0x4140); /* ASLR, NX, CFG */
	for (int i = 0; i < 4; i++) {		       /* stack and heap */
		uint64_t size = i % 2 ? 0x1000 : 0x100000;

		if (wide)
			buffer_append_le64(b, size);
		else
			buffer_append_le32(b, (uint32_t)size);
	}
	buffer_append_le32(b, 0);
	buffer_append_le32(b, 16);
	for (uint32_t i = 0; i < 16; i++) {
		buffer_append_le32(b, i == 2 ? rsrc_rva : 0);
		buffer_append_le32(b, i == 2 ? (uint32_t)rsrc : 0);
	}
}

/* The sum of 16-bit words with carry, plus the length (as CheckSumMappedFile does). */
static uint32_t checksum(const struct buffer *b)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < b->len; i += 2) {
		sum += get_le16(b->data + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum + (uint32_t)b->len;
}

static void pad_to(struct buffer *b, size_t len)
{
	static const uint8_t zeros[PAGE];

	while (b->len < len)
		buffer_append(b, zeros, len - b->len < PAGE ? len - b->len : PAGE);
}

static void code(struct buffer *b, const struct pe *pe)
{
	struct noise noise = noise_seed(pe->name);
	size_t len = pe->size < 64 ? 64 : pe->size;

	noise_fill(&noise, buffer_reserve(b, len), len);
	b->len += len;
	if (pe->machine == MACHINE_ARM64)
		memcpy(b->data, "\x00\x00\x80\x52\xc0\x03\x5f\xd6",
		       8); /* mov w0,0; ret */
	else
		memcpy(b->data, "\x31\xc0\xc3\xcc", 4); /* xor eax,eax; ret */
}

void pe_build(const struct pe *pe, struct buffer *out)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT, rsrc = BUFFER_INIT;
	bool wide = pe->machine != MACHINE_X86;
	uint32_t rsrc_rva, text_offset = 0x400;

	code(&text, pe);
	rsrc_rva = PAGE + align_up(text.len, PAGE);
	resources(&rsrc, pe, rsrc_rva);
	out->len = 0;
	buffer_append(out, "MZ", 2);
	pad_to(out, 0x3c);
	buffer_append_le32(out, DOS_SIZE);
	pad_to(out, DOS_SIZE);
	buffer_append(out, "PE\0", 4);
	buffer_append_le16(out, (uint16_t)pe->machine);
	buffer_append_le16(out, 2);
	buffer_append_le32(out, (uint32_t)sample_time);
	buffer_append_le64(out, 0);
	buffer_append_le16(out, wide ? 240 : 224);
	buffer_append_le16(out, (uint16_t)((wide ? 0x22 : 0x102) |
					   (pe->kind == PE_DLL ? 0x2000 : 0)));
	optional_header(out, pe, text.len, rsrc.len, rsrc_rva);
	section(out, ".text", PAGE, text.len, text_offset, 0x68000020);
	section(out, ".rsrc", rsrc_rva, rsrc.len,
		text_offset + align_up(text.len, FILE_ALIGN), 0x40000040);
	pad_to(out, text_offset);
	buffer_append(out, text.data, text.len);
	pad_to(out, align_up(out->len, FILE_ALIGN));
	buffer_append(out, rsrc.data, rsrc.len);
	pad_to(out, align_up(out->len, FILE_ALIGN));
	put_le32(out->data + DOS_SIZE + 24 + 64, checksum(out));
}
