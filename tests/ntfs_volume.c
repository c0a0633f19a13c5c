/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ntfs_volume.h"

#include "base/file.h"

char *scratch;
char *pristine;

static int counting_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			  struct error *err)
{
	struct counting *c = (struct counting *)block;

	c->reads++;
	if (pread(c->fd, buf, len, (off_t)offset) != (ssize_t)len)
		return error_set(err, ERROR_FAILED, block->name, "read error");
	return 0;
}

static int counting_pwrite(struct block *block, const void *buf, size_t len,
			   uint64_t offset, struct error *err)
{
	struct counting *c = (struct counting *)block;

	c->writes++;
	if (c->refuse_writes)
		return error_set(err, ERROR_FAILED, block->name, "medium is full");
	return pwrite(c->fd, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -1;
}

static int counting_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static const struct block_ops counting_ops = {
	.pread = counting_pread,
	.pwrite = counting_pwrite,
	.flush = counting_flush,
};

void volume_open(struct volume *v, const char *path, bool write)
{
	struct error err = ERROR_INIT;
	struct stat st;

	*v = (struct volume){.path = xstrdup(path)};
	v->block.fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(v->block.fd >= 0 && fstat(v->block.fd, &st) == 0);
	v->block.block = (struct block){&counting_ops, xstrdup("volume"),
					(uint64_t)st.st_size, 512, true};
	v->block.refuse_writes = !write;
	v->ntfs = ntfs_open(&v->block.block, write, &err);
	if (!v->ntfs)
		fail_msg("%s", err.reason);
	v->tree = ntfs_tree(NULL, 0, xstrdup("volume"), v->ntfs);
}

void volume_close(struct volume *v)
{
	tree_free(v->tree);
	assert_int_equal(ntfs_close(v->ntfs, NULL), 0);
	close(v->block.fd);
	free(v->block.block.name);
	free(v->path);
}

char *volume_copy(const char *name)
{
	char *path = xasprintf("%s/%s", scratch, name);

	(void)unlink(path);
	assert_int_equal(file_copy(pristine, path, NULL), 0);
	return path;
}

int volumes_setup(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	ntfs_volume *volume;

	scratch = temp_folder_make(NULL, NULL);
	path = xasprintf("%s/pristine", scratch);
	if (!ntfs_sample_format(path, VOLUME_SIZE, 512, 4096))
		return 0;
	volume = ntfs_sample_mount(path);
	ntfs_sample_fill(volume, VOLUME_FILES);
	ntfs_sample_unmount(volume);
	pristine = steal_ptr(path);
	return 0;
}

int volumes_teardown(void **state _unused_)
{
	free(pristine);
	temp_folder_remove(scratch);
	return 0;
}

void volume_patch(const char *path, uint64_t offset, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, data, len, (off_t)offset), len);
	close(fd);
}

/* Where a byte of a system file lies. */
uint64_t volume_locate(const char *path, uint64_t record, uint64_t at)
{
	ntfs_volume *volume = ntfs_sample_mount(path);
	ntfs_inode *ni = ntfs_inode_open(volume, record);
	ntfs_attr *na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
	LCN cluster = ntfs_attr_vcn_to_lcn(na, (VCN)(at / volume->cluster_size));
	uint64_t offset =
		(uint64_t)cluster * volume->cluster_size + at % volume->cluster_size;

	assert_true(cluster > 0);
	ntfs_attr_close(na);
	ntfs_inode_close(ni);
	ntfs_sample_unmount(volume);
	return offset;
}
