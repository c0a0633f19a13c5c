/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All files of a volume, whatever the source: see tree/files.h. */
#include <sched.h>

#include "tree/files_make.h"

static unsigned forced_threads;

unsigned files_threads(void)
{
	cpu_set_t set;
	int count;

	if (forced_threads)
		return forced_threads;
	count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return count > FILES_MAX_THREADS ? FILES_MAX_THREADS : (unsigned)count;
}

void files_set_threads(unsigned count)
{
	forced_threads = count > FILES_MAX_THREADS ? FILES_MAX_THREADS : count;
}

int files_read(struct files *files, const uint32_t *blobs, size_t count,
	       const struct files_sink *sink, struct error *err)
{
	return files->ops->read(files, blobs, count, sink, err);
}

int files_raw(struct files *files, uint32_t blob, struct buffer *ret, struct error *err)
{
	return files->ops->raw ? files->ops->raw(files, blob, ret, err) : 0;
}

void files_close(struct files *files)
{
	if (!files)
		return;
	files->ops->close(files);
	free(files);
}

void files_closep(struct files **files)
{
	files_close(*files);
}

void files_free_model(struct files *files)
{
	vec_foreach (entry, &files->entries) {
		free(entry->name);
		free(entry->short_name);
	}
	vec_free(&files->entries);
	vec_foreach (inode, &files->inodes) {
		for (uint32_t i = 0; i < inode->stream_count; i++)
			free(inode->streams[i].name);
		free(inode->streams);
		free(inode->object_id);
		free((void *)inode->reparse.data);
	}
	vec_free(&files->inodes);
	vec_free(&files->blobs);
	vec_foreach (descriptor, &files->security)
		free((void *)descriptor->data);
	vec_free(&files->security);
	free(files->label);
	free(files->name);
}

/* ---- descriptors --------------------------------------------------------------------
 */

static size_t hash_of(struct bytes b)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < b.len; i++)
		hash = (hash ^ b.data[i]) * UINT64_C(0x100000001b3);
	return (size_t)(hash ^ hash >> 32);
}

static uint32_t *slot_of(const struct files *files, const struct files_securities *known,
			 struct bytes descriptor)
{
	size_t i = hash_of(descriptor) & (known->room - 1);

	while (known->slots[i] &&
	       !bytes_equal(files->security.items[known->slots[i] - 1], descriptor))
		i = (i + 1) & (known->room - 1);
	return &known->slots[i];
}

uint32_t files_security(struct files *files, struct files_securities *known,
			struct bytes descriptor)
{
	uint32_t *slot;

	if (files->security.len * 2 >= known->room) {
		free(known->slots);
		known->room = known->room ? known->room * 2 : 64;
		while (files->security.len * 2 >= known->room)
			known->room *= 2;
		known->slots = xcalloc(known->room, sizeof(*known->slots));
		for (size_t i = 0; i < files->security.len; i++)
			*slot_of(files, known, files->security.items[i]) =
				(uint32_t)i + 1;
	}
	slot = slot_of(files, known, descriptor);
	if (!*slot) {
		struct bytes copy = {xmemdup(descriptor.data, descriptor.len),
				     descriptor.len};

		vec_push(&files->security, copy);
		*slot = (uint32_t)files->security.len;
	}
	return *slot - 1;
}

void files_securities_free(struct files_securities *known)
{
	free(known->slots);
}
