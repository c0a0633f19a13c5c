/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store_fixture.h"

#include <sys/stat.h>

#include "base/file.h"

void fixture_open(struct fixture *f, struct sample *sample)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	f->sample = sample;
	f->o = sample_open(sample);
	f->folder = temp_folder_make(NULL, NULL);
	f->installation = installation_open(f->o.tree, f->o.registry, &err);
	assert_non_null(f->installation);
	f->store = store_open(f->o.tree, f->o.registry, f->installation, &err);
	if (!f->store)
		fail_msg("%s", err.reason);
}

void fixture_close(struct fixture *f)
{
	vec_foreach (package, &f->list)
		package_close(*package);
	vec_free(&f->list);
	store_close(f->store);
	installation_close(f->installation);
	sample_close(&f->o);
	sample_free(f->sample);
	media_close(&f->media);
	temp_folder_remove(f->folder);
}

static void put(const char *folder, const char *name, const void *data, size_t len)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_replace(path, (struct bytes){data, len}, NULL), 0);
}

/* The smallest PE that names its machine. */
static void put_program(const char *folder, uint16_t machine, uint8_t mark)
{
	uint8_t pe[512] = {'M', 'Z', [511] = mark};

	put_le32(pe + 0x3c, 0x80);
	memcpy(pe + 0x80, "PE\0\0", 4);
	put_le16(pe + 0x84, machine);
	put_le16(pe + 0x94, 0xf0); /* optional header's size */
	put_le16(pe + 0x98, 0x20b);
	put(folder, "st.sys", pe, sizeof(pe));
}

struct package *fixture_package(struct fixture *f, const char *name, const char *inf,
				uint16_t machine, uint8_t mark, bool catalog)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *folder = xasprintf("%s/%u", f->folder, f->packages++);
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	struct media_inf where = {.path = path, .folder = folder, .label = path};
	struct package *package;

	assert_int_equal(mkdir(folder, 0777), 0);
	put(folder, name, inf, strlen(inf));
	if (catalog)
		put(folder, "x.cat", "catalog", strlen("catalog"));
	if (machine)
		put_program(folder, machine, mark);
	package = package_open(&f->media, &where, f->o.tree, &f->installation->target,
			       &err);
	if (!package)
		fail_msg("%s: %s", err.subject ? err.subject : "", err.reason);
	vec_push(&f->list, package);
	return package;
}

struct package *fixture_add(struct fixture *f, const char *name, const char *inf,
			    uint16_t machine, uint8_t mark, bool catalog)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct package *package = fixture_package(f, name, inf, machine, mark, catalog);

	if (store_add(f->store, package, false, &err) < 0)
		fail_msg("%s: %s", err.subject ? err.subject : "", err.reason);
	return package;
}

void assert_text(struct hive *hive, const char *path, const char *name, const char *want)
{
	hkey key = hive_find(hive, hive_root(hive), path);
	_cleanup_free_ char *got = key ? hive_get_string(hive, key, name) : NULL;

	if (!got || strcmp(got, want) != 0)
		fail_msg("%s\\%s is %s, expected %s", path, name, got ? got : "missing",
			 want);
}
