/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "archives.h"

static uint32_t crc32_of(const char *s)
{
	uint32_t crc = ~0u;

	for (; *s; s++) {
		crc ^= (uint8_t)*s;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return ~crc;
}

void make_zip(struct buffer *out, const char *const *names, size_t count)
{
	_cleanup_buffer_ struct buffer central = BUFFER_INIT;
	uint32_t central_at;

	for (size_t i = 0; i < count; i++) {
		uint16_t len = (uint16_t)strlen(names[i]);
		uint32_t at = (uint32_t)out->len;

		buffer_append(out, "PK\3\4\12\0\0\0\0\0\0\0\0\0", 14);
		buffer_append(&central, "PK\1\2\12\0\12\0\0\0\0\0\0\0\0\0", 16);
		for (int k = 0; k < 2; k++) {
			struct buffer *b = k ? &central : out;

			buffer_append_le32(b, crc32_of(names[i]));
			buffer_append_le32(b, len);
			buffer_append_le32(b, len);
			buffer_append_le16(b, len);
			buffer_append_le16(b, 0);
		}
		buffer_append(out, names[i], len);
		buffer_append(out, names[i], len);
		buffer_append(&central, "\0\0\0\0\0\0\0\0\0\0", 10);
		buffer_append_le32(&central, at);
		buffer_append(&central, names[i], len);
	}
	central_at = (uint32_t)out->len;
	buffer_append(out, central.data, central.len);
	buffer_append(out, "PK\5\6\0\0\0\0", 8);
	buffer_append_le16(out, (uint16_t)count);
	buffer_append_le16(out, (uint16_t)count);
	buffer_append_le32(out, (uint32_t)central.len);
	buffer_append_le32(out, central_at);
	buffer_append_le16(out, 0);
}

void make_cab(struct buffer *out, const struct cab *cab)
{
	uint16_t flags = (uint16_t)((cab->previous ? 1 : 0) | (cab->next ? 2 : 0));
	size_t start = out->len, header, files_at;

	buffer_append(out, "MSCF\0\0\0\0", 8);
	buffer_append_le32(out, 0); /* size: filled in below */
	buffer_append(out, "\0\0\0\0\0\0\0\0\0\0\0\0\3\1", 14);
	buffer_append_le16(out, 1);
	buffer_append_le16(out, (uint16_t)cab->n_files);
	buffer_append_le16(out, flags);
	buffer_append_le16(out, 77); /* set ID */
	buffer_append_le16(out, cab->index);
	for (int k = 0; k < 2; k++) {
		const char *name = k ? cab->next : cab->previous;

		if (name)
			buffer_append(out, name, strlen(name) + 1);
		if (name)
			buffer_append(out, "disk", 5);
	}
	header = out->len;
	buffer_append_le32(out, 0); /* data offset: filled in below */
	buffer_append_le16(out, (uint16_t)cab->n_blocks);
	buffer_append_le16(out, cab->compression);
	files_at = out->len;
	for (size_t i = 0; i < cab->n_files; i++) {
		const struct cab_file *f = &cab->files[i];

		buffer_append_le32(out, f->size);
		buffer_append_le32(out, f->offset);
		buffer_append_le16(out, f->folder);
		buffer_append(out, "\0\0\0\0\40\0", 6);
		buffer_append(out, f->name, strlen(f->name) + 1);
	}
	put_le32(out->data + header, (uint32_t)(out->len - start));
	for (size_t i = 0; i < cab->n_blocks; i++) {
		buffer_append_le32(out, 0);
		buffer_append_le16(out, cab->blocks[i].len);
		buffer_append_le16(out, cab->blocks[i].plain);
		buffer_append(out, cab->blocks[i].data, cab->blocks[i].len);
	}
	put_le32(out->data + start + 8, (uint32_t)(out->len - start));
	put_le32(out->data + start + 16, (uint32_t)(files_at - start));
}
