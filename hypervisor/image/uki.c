/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/uki.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"

/* Microsoft's "PE Format": offsets into the file, the COFF and the optional header. */
#define PE_POINTER 0x3c
#define COFF_SIZE 24 /* with the signature */
#define COFF_SECTIONS 6
#define COFF_SYMBOLS 12 /* where they are, and how many */
#define COFF_OPTIONAL_SIZE 20
#define OPTIONAL_MAGIC 0x20b
#define OPTIONAL_LEAST 112
#define OPTIONAL_INITIALIZED 8
#define OPTIONAL_SECTION_ALIGNMENT 32
#define OPTIONAL_FILE_ALIGNMENT 36
#define OPTIONAL_IMAGE_SIZE 56
#define OPTIONAL_HEADERS_SIZE 60
#define OPTIONAL_CHECKSUM 64
#define OPTIONAL_DIRECTORIES 108
#define DIRECTORY_SECURITY 4
#define SECTION_SIZE 40
#define SECTION_READ_DATA 0x40000040
#define MAX_SECTIONS 96
#define PAGE 4096
#define MAX_STUB ((size_t)16 << 20)
#define MAX_IMAGE ((size_t)1 << 30)

struct pe {
	uint64_t optional, table; /* offsets */
	uint16_t sections;
	uint32_t file_alignment, headers_size;
	uint64_t memory_end; /* of the last section, in memory */
};

static int bad(const char *name, const char *what, struct error *err)
{
	error_set(err, ERROR_FAILED, name, "cannot be extended: %s", what);
	return error_remedy(err, "install the Debian package systemd-boot-efi anew");
}

/* Where the sections end in memory and whether they lie in the file. */
static int read_sections(struct bytes stub, struct pe *pe, const char *name,
			 struct error *err)
{
	for (unsigned i = 0; i < pe->sections; i++) {
		uint64_t at = pe->table + (uint64_t)i * SECTION_SIZE;
		uint32_t memory = 0, address = 0, size = 0, offset = 0;

		if (!bytes_le32(stub, at + 8, &memory) ||
		    !bytes_le32(stub, at + 12, &address) ||
		    !bytes_le32(stub, at + 16, &size) ||
		    !bytes_le32(stub, at + 20, &offset) || !bytes_has(stub, offset, size))
			return bad(name, "a section does not lie in it", err);
		if ((uint64_t)address + memory > pe->memory_end)
			pe->memory_end = (uint64_t)address + memory;
	}
	return 0;
}

static int read_headers(struct bytes stub, struct pe *pe, const char *name,
			struct error *err)
{
	uint32_t at = 0, security = 0, directories = 0, section_alignment = 0;
	uint16_t magic = 0, optional_size = 0;

	if (stub.len > MAX_STUB || !bytes_le32(stub, PE_POINTER, &at) ||
	    !bytes_has(stub, at, COFF_SIZE) || memcmp(stub.data + at, "PE\0\0", 4) != 0)
		return bad(name, "it is no PE image", err);
	pe->optional = (uint64_t)at + COFF_SIZE;
	if (!bytes_le16(stub, at + COFF_SECTIONS, &pe->sections) ||
	    !bytes_le16(stub, at + COFF_OPTIONAL_SIZE, &optional_size) ||
	    optional_size < OPTIONAL_LEAST ||
	    !bytes_has(stub, pe->optional, optional_size) ||
	    !bytes_le16(stub, pe->optional, &magic) || magic != OPTIONAL_MAGIC)
		return bad(name, "it is no PE32+ image", err);
	if (!bytes_le32(stub, pe->optional + OPTIONAL_SECTION_ALIGNMENT,
			&section_alignment) ||
	    !bytes_le32(stub, pe->optional + OPTIONAL_FILE_ALIGNMENT,
			&pe->file_alignment) ||
	    !bytes_le32(stub, pe->optional + OPTIONAL_HEADERS_SIZE, &pe->headers_size) ||
	    !bytes_le32(stub, pe->optional + OPTIONAL_DIRECTORIES, &directories))
		return bad(name, "its header is cut short", err);
	if (!pe->file_alignment || pe->file_alignment > PAGE ||
	    (pe->file_alignment & (pe->file_alignment - 1)) || section_alignment > PAGE)
		return bad(name, "its alignment is none that is known", err);
	if (directories > DIRECTORY_SECURITY &&
	    (!bytes_le32(stub, pe->optional + OPTIONAL_LEAST + DIRECTORY_SECURITY * 8,
			 &security) ||
	     security))
		return bad(name, "it is signed already", err);
	pe->table = pe->optional + optional_size;
	return read_sections(stub, pe, name, err);
}

static void pad(struct buffer *b, uint32_t alignment)
{
	size_t more = (alignment - b->len % alignment) % alignment;

	memset(buffer_reserve(b, more), 0, more);
	b->len += more;
}

static int by_offset(const void *a, const void *b)
{
	uint32_t x = get_le32(*(uint8_t *const *)a + 20),
		 y = get_le32(*(uint8_t *const *)b + 20);

	return x < y ? -1 : x > y;
}

/*
 * Headers and sections without gaps, and without the symbols behind them: firmware and
 * signing tools do not agree on how bytes between sections count for the signature.
 */
static void copy_packed(struct bytes stub, const struct pe *pe, struct buffer *ret)
{
	uint8_t *headers[MAX_SECTIONS] = {NULL};

	buffer_append(ret, stub.data, pe->headers_size);
	pad(ret, pe->file_alignment);
	memset(ret->data + pe->optional - COFF_SIZE + COFF_SYMBOLS, 0, 8);
	/* The offsets are those of the stub until each is looked at. */
	for (unsigned i = 0; i < pe->sections; i++)
		headers[i] = xmemdup(stub.data + pe->table + (size_t)i * SECTION_SIZE,
				     SECTION_SIZE);
	qsort(headers, pe->sections, sizeof(*headers), by_offset);
	for (unsigned i = 0; i < pe->sections; i++) {
		uint32_t offset = get_le32(headers[i] + 20),
			 size = get_le32(headers[i] + 16);

		for (unsigned n = 0; size && n < pe->sections; n++) {
			uint8_t *to = ret->data + pe->table + (size_t)n * SECTION_SIZE;

			if (memcmp(to, headers[i], SECTION_SIZE) == 0) {
				put_le32(to + 20, (uint32_t)ret->len);
				break;
			}
		}
		buffer_append(ret, stub.data + offset, size);
		pad(ret, pe->file_alignment);
	}
	for (unsigned i = 0; i < pe->sections; i++)
		free(headers[i]);
}

/* One section: its bytes at the file's end, its header behind the last one. */
static void add_section(struct buffer *b, struct pe *pe, const struct uki_section *s)
{
	uint64_t at = pe->table + (uint64_t)pe->sections * SECTION_SIZE;
	uint64_t address = (pe->memory_end + PAGE - 1) / PAGE * PAGE;
	uint32_t offset;

	pad(b, pe->file_alignment);
	offset = (uint32_t)b->len;
	buffer_append(b, s->data.data, s->data.len);
	pad(b, pe->file_alignment);
	memset(b->data + at, 0, SECTION_SIZE);
	memcpy(b->data + at, s->name, strlen(s->name));
	put_le32(b->data + at + 8, (uint32_t)s->data.len);
	put_le32(b->data + at + 12, (uint32_t)address);
	put_le32(b->data + at + 16, (uint32_t)b->len - offset);
	put_le32(b->data + at + 20, offset);
	put_le32(b->data + at + 36, SECTION_READ_DATA);
	pe->sections++;
	pe->memory_end = address + s->data.len;
}

/*
 * The PE checksum: 16-bit words added with their carries, the field itself left out, and
 * the length.
 */
static uint32_t checksum(struct bytes image, uint64_t field)
{
	uint64_t sum = 0;

	for (uint64_t at = 0; at < image.len; at += 2) {
		if (at == field || at == field + 2)
			continue;
		sum += image.data[at];
		if (at + 1 < image.len)
			sum += (uint64_t)image.data[at + 1] << 8;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)(sum + image.len);
}

int uki_add_sections(struct bytes stub, const char *name,
		     const struct uki_section sections[], size_t count,
		     struct buffer *ret, struct error *err)
{
	struct pe pe = {0};
	size_t total = 0;

	if (read_headers(stub, &pe, name, err) < 0)
		return -1;
	if (pe.sections + count > MAX_SECTIONS ||
	    pe.table + (pe.sections + count) * SECTION_SIZE > pe.headers_size ||
	    pe.headers_size > stub.len)
		return bad(name, "its header has no room for more sections", err);
	for (size_t i = 0; i < count; i++) {
		if (strlen(sections[i].name) > 8)
			return bad(name, "a section's name is too long", err);
		if (sections[i].data.len > MAX_IMAGE - total)
			return bad(name, "it would become too large", err);
		total += sections[i].data.len;
	}
	copy_packed(stub, &pe, ret);
	for (size_t i = 0; i < count; i++)
		add_section(ret, &pe, &sections[i]);
	put_le16(ret->data + pe.optional - COFF_SIZE + COFF_SECTIONS, pe.sections);
	put_le32(ret->data + pe.optional + OPTIONAL_INITIALIZED,
		 get_le32(ret->data + pe.optional + OPTIONAL_INITIALIZED) +
			 (uint32_t)total);
	put_le32(ret->data + pe.optional + OPTIONAL_IMAGE_SIZE,
		 (uint32_t)((pe.memory_end + PAGE - 1) / PAGE * PAGE));
	put_le32(ret->data + pe.optional + OPTIONAL_CHECKSUM,
		 checksum(buffer_view(ret), pe.optional + OPTIONAL_CHECKSUM));
	return 0;
}

/* osslsigncode, since sbsign cannot be told the time. */
int uki_sign(struct buffer *image, const char *key, const char *cert, const char *work,
	     struct error *err)
{
	_cleanup_free_ char *plain = xasprintf("%s/uki.efi", work);
	_cleanup_free_ char *done = xasprintf("%s/uki.signed.efi", work);
	_cleanup_free_ char *time = xasprintf("%jd", (intmax_t)clock_now());
	char *argv[] = {(char *)"osslsigncode",
			(char *)"sign",
			(char *)"-h",
			(char *)"sha256",
			(char *)"-time",
			time,
			(char *)"-key",
			(char *)key,
			(char *)"-certs",
			(char *)cert,
			(char *)"-in",
			plain,
			(char *)"-out",
			done,
			NULL};
	_cleanup_buffer_ struct buffer result = BUFFER_INIT;

	if (file_replace(plain, buffer_view(image), err) < 0)
		return -1;
	if (process_run(argv, err) < 0) {
		error_wrap(err, key, "cannot sign with it");
		return error_remedy(err,
				    "install the Debian package osslsigncode; key and "
				    "certificate are PEM files that belong together");
	}
	if (file_read(done, MAX_IMAGE, &result, err) < 0)
		return -1;
	(void)unlink(plain);
	(void)unlink(done);
	buffer_free(image);
	*image = result;
	result = (struct buffer)BUFFER_INIT;
	return 0;
}
