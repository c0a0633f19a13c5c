/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The reader of optical discs from a shell: isotool ISO kind | list | cat PATH |
 * extents PATH. `list` gives type, size and path of everything; a problem goes to stderr
 * and makes the exit code 1.
 */
#include <inttypes.h>
#include <stdio.h>

#include "block/iso.h"

#define MAX_DEPTH 64

static int list(struct iso *iso, const struct iso_node *folder, const char *path,
		unsigned depth, struct error *err)
{
	_cleanup_iso_entries_ struct iso_entries entries = VEC_INIT;

	if (depth > MAX_DEPTH)
		return error_set(err, ERROR_FAILED, path, "is nested too deep");
	if (iso_list(iso, folder, &entries, err) < 0)
		return -1;
	vec_foreach (e, &entries) {
		_cleanup_free_ char *below =
			xasprintf("%s%s%s", path, *path ? "/" : "", e->name);

		if (e->problem)
			return error_set(err, ERROR_FAILED, below, "%s", e->problem);
		printf("%c %" PRIu64 " %s\n", e->node.folder ? 'd' : 'f',
		       e->node.folder ? 0 : e->node.size, below);
		if (e->node.folder && list(iso, &e->node, below, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static int cat(struct iso *iso, const struct iso_node *node, struct error *err)
{
	static uint8_t chunk[1 << 20];

	for (uint64_t at = 0; at < node->size;) {
		size_t n = node->size - at < sizeof(chunk) ? (size_t)(node->size - at)
							   : sizeof(chunk);

		if (iso_read(iso, node, chunk, n, at, err) < 0)
			return -1;
		fwrite(chunk, 1, n, stdout);
		at += n;
	}
	return 0;
}

static int run(char **argv, struct error *err)
{
	_cleanup_iso_ struct iso *iso = iso_open(argv[0], err);
	_cleanup_iso_node_ struct iso_node node = {0};
	int found;

	if (!iso)
		return -1;
	if (strcmp(argv[1], "kind") == 0)
		return printf("%s\n", iso_kind(iso)) < 0;
	if (strcmp(argv[1], "list") == 0)
		return list(iso, iso_root(iso), "", 0, err);
	found = iso_find(iso, argv[2], &node, err);
	if (found <= 0)
		return found < 0 ? -1
				 : error_set(err, ERROR_FAILED, argv[2], "not there");
	if (strcmp(argv[1], "cat") == 0)
		return cat(iso, &node, err);
	vec_foreach (e, &node.extents)
		printf("%" PRIu64 " %" PRId64 " %" PRIu64 "\n", e->at, (int64_t)e->offset,
		       e->length);
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *message = NULL;

	if (argc < 3 ||
	    (argc < 4 && strcmp(argv[2], "kind") != 0 && strcmp(argv[2], "list") != 0)) {
		fprintf(stderr, "usage: isotool ISO kind|list|cat PATH|extents PATH\n");
		return 2;
	}
	if (run(argv + 1, &err) == 0)
		return fflush(stdout) == 0 ? 0 : 1;
	message = error_message(&err);
	fprintf(stderr, "%s\n", message);
	return (int)err.code;
}
