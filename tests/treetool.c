/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tree layer from a shell: opens an image, carries out the commands in order and
 * ends. Used by tests/e2e/tree*.sh and the fault injection tests.
 *
 *   treetool [--write] [--allow-esd] [--guestfs] IMAGE COMMAND [ARGUMENT...]
 *            [: COMMAND ...]...
 *
 *   use INDEX            the image that the following commands mean (1 at first)
 *   system               the tree that this image is started from
 *   info                 format, provider, images
 *   ls PATH | tree       one folder; everything
 *   digest               SHA-256 of all names, attributes, times and contents
 *   cat PATH | extract PATH HOST
 *   put PATH HOST [FILETIME] | write PATH TEXT
 *   mkdir PATH | rm PATH | mv FROM TO | attr PATH HEX
 *   staged
 *   commit | output FILE | output-esd FILE | output-one FILE (the image in use alone)
 *
 * Errors go to stderr, and the exit code is the error's.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/progress.h"
#include "tree/tree.h"

struct tool {
	struct image *image;
	size_t index;
	struct tree *system;
};

static struct tree *tree_of(struct tool *tool, struct error *err)
{
	return tool->system ? tool->system : image_tree(tool->image, tool->index, err);
}

static int cmd_system(struct tool *tool, char **arg _unused_, struct error *err)
{
	_cleanup_free_ char *why = NULL;
	int found = image_system_tree(tool->image, tool->index, &tool->system, &why, err);

	return found ? found : error_set(err, ERROR_FAILED, "system volume", "%s", why);
}

static int cmd_use(struct tool *tool, char **arg, struct error *err)
{
	tool->index = (size_t)strtoul(arg[0], NULL, 10) - 1;
	tool->system = NULL;
	return tree_of(tool, err) ? 0 : -1;
}

static int cmd_info(struct tool *tool, char **arg _unused_, struct error *err _unused_)
{
	printf("%s %s %zu\n", image_format(tool->image), image_provider(tool->image),
	       image_count(tool->image));
	for (size_t i = 0; i < image_count(tool->image); i++) {
		const struct image_info *info = image_info(tool->image, i);

		printf("%u\t%s\t%s%s\n", info->index, info->name ? info->name : "-",
		       info->description ? info->description : "-",
		       info->bootable ? "\tboot" : "");
	}
	return 0;
}

static int list(struct tree *tree, const char *path, bool all, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;
	int found = tree_list(tree, path, &entries, err);

	if (found < 0)
		return -1;
	if (!found)
		return error_set(err, ERROR_FAILED, path, "is no folder");
	vec_foreach (entry, &entries) {
		_cleanup_free_ char *below =
			xasprintf("%s%s%s", path, *path ? "/" : "", entry->name);

		printf("%c %08x %" PRIu64 " %" PRIu64 " %s\n", "fdl"[entry->stat.type],
		       entry -> stat.attributes, entry->stat.size, entry->stat.modified,
		       all ? below : entry->name);
		if (all && entry->stat.type == TREE_FOLDER &&
		    list(tree, below, true, err) < 0)
			return -1;
	}
	return 0;
}

static int cmd_ls(struct tool *tool, char **arg, struct error *err)
{
	struct tree *tree = tree_of(tool, err);

	return tree ? list(tree, arg[0], false, err) : -1;
}

static int cmd_tree(struct tool *tool, char **arg _unused_, struct error *err)
{
	struct tree *tree = tree_of(tool, err);

	return tree ? list(tree, "", true, err) : -1;
}

/* All of a folder into the hash; every file is read. */
static int digest(struct tree *tree, const char *path, struct hash_stream *hash,
		  struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;

	if (tree_list(tree, path, &entries, err) < 0)
		return -1;
	vec_foreach (entry, &entries) {
		const struct tree_stat *st = &entry->stat;
		_cleanup_free_ char *below =
			xasprintf("%s%s%s", path, *path ? "/" : "", entry->name);
		_cleanup_free_ char *line =
			xasprintf("%c %08x %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
				  "fdl"[st->type], st -> attributes, st -> size,
				  st -> created, st -> modified, below);
		_cleanup_buffer_ struct buffer content = BUFFER_INIT;

		hash_stream_add(hash, line, strlen(line));
		if (st->type == TREE_FOLDER && digest(tree, below, hash, err) < 0)
			return -1;
		if (st->type == TREE_FILE &&
		    tree_read(tree, below, SIZE_MAX / 2, &content, err) < 0)
			return -1;
		hash_stream_add(hash, content.data, content.len);
	}
	return 0;
}

static int cmd_digest(struct tool *tool, char **arg _unused_, struct error *err)
{
	struct tree *tree = tree_of(tool, err);
	struct hash_stream *hash = hash_sha256_begin();
	int result = tree ? digest(tree, "", hash, err) : -1;
	uint8_t sum[32];
	char text[65];

	hash_sha256_end(hash, sum);
	hash_hex(sum, sizeof(sum), text);
	if (result == 0)
		puts(text);
	return result;
}

static int cmd_cat(struct tool *tool, char **arg, struct error *err)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	struct tree *tree = tree_of(tool, err);

	if (!tree || tree_read(tree, arg[0], SIZE_MAX / 2, &b, err) < 0)
		return -1;
	fwrite(b.data, 1, b.len, stdout);
	return 0;
}

static int cmd_extract(struct tool *tool, char **arg, struct error *err)
{
	struct strings wanted = VEC_INIT;
	struct tree *tree = tree_of(tool, err);
	int result;

	if (!tree)
		return -1;
	strings_push(&wanted, arg[0]);
	result = tree_prefetch(tree, &wanted, err);
	strings_free(&wanted);
	return result < 0 ? -1 : tree_extract(tree, arg[0], arg[1], err);
}

static int cmd_put(struct tool *tool, char **arg, struct error *err)
{
	struct tree *tree = tree_of(tool, err);

	return tree ? tree_write_host(tree, arg[0], arg[1], 0, err) : -1;
}

static int cmd_write(struct tool *tool, char **arg, struct error *err)
{
	struct tree *tree = tree_of(tool, err);
	struct bytes data = {(const uint8_t *)arg[1], strlen(arg[1])};

	return tree ? tree_write(tree, arg[0], data, 0, err) : -1;
}

static int cmd_mkdir(struct tool *tool, char **arg, struct error *err)
{
	struct tree *tree = tree_of(tool, err);

	return tree ? tree_mkdir(tree, arg[0], err) : -1;
}

static int cmd_rm(struct tool *tool, char **arg, struct error *err)
{
	struct tree *tree = tree_of(tool, err);

	return tree ? tree_remove(tree, arg[0], err) : -1;
}

static int cmd_mv(struct tool *tool, char **arg, struct error *err)
{
	struct tree *tree = tree_of(tool, err);

	return tree ? tree_rename(tree, arg[0], arg[1], err) : -1;
}

static int cmd_attr(struct tool *tool, char **arg, struct error *err)
{
	struct tree *tree = tree_of(tool, err);

	return tree ? tree_set_attributes(tree, arg[0],
					  (uint32_t)strtoul(arg[1], NULL, 16), err)
		    : -1;
}

static int cmd_staged(struct tool *tool, char **arg _unused_, struct error *err)
{
	static const char *const kinds[] = {"add", "replace", "mkdir", "remove",
					    "attributes"};
	struct tree *tree = tree_of(tool, err);
	struct tree_changes changes = VEC_INIT;

	if (!tree)
		return -1;
	tree_staged(tree, &changes);
	vec_foreach (change, &changes)
		printf("%s %" PRIu64 " %s\n", kinds[change->kind], change->size,
		       change->path);
	vec_free(&changes);
	return 0;
}

static int commit(struct tool *tool, const char *output, bool esd, unsigned only,
		  struct error *err)
{
	struct image_commit_options options = {
		.output = output, .esd = esd, .only = only};
	uint64_t written;

	if (image_commit(tool->image, &options, &written, err) < 0)
		return -1;
	printf("written %" PRIu64 "\n", written);
	return 0;
}

static int cmd_commit(struct tool *tool, char **arg _unused_, struct error *err)
{
	return commit(tool, NULL, false, 0, err);
}

static int cmd_output(struct tool *tool, char **arg, struct error *err)
{
	return commit(tool, arg[0], false, 0, err);
}

static int cmd_output_esd(struct tool *tool, char **arg, struct error *err)
{
	return commit(tool, arg[0], true, 0, err);
}

static int cmd_output_one(struct tool *tool, char **arg, struct error *err)
{
	return commit(tool, arg[0], false, (unsigned)tool->index + 1, err);
}

static const struct command {
	const char *name;
	int arguments;
	int (*run)(struct tool *tool, char **arg, struct error *err);
} commands[] = {
	{"system", 0, cmd_system},
	{"use", 1, cmd_use},
	{"info", 0, cmd_info},
	{"ls", 1, cmd_ls},
	{"tree", 0, cmd_tree},
	{"cat", 1, cmd_cat},
	{"extract", 2, cmd_extract},
	{"put", 2, cmd_put},
	{"write", 2, cmd_write},
	{"mkdir", 1, cmd_mkdir},
	{"rm", 1, cmd_rm},
	{"mv", 2, cmd_mv},
	{"attr", 2, cmd_attr},
	{"staged", 0, cmd_staged},
	{"commit", 0, cmd_commit},
	{"output", 1, cmd_output},
	{"output-esd", 1, cmd_output_esd},
	{"output-one", 1, cmd_output_one},
	{"digest", 0, cmd_digest},
};

static void show_notice(const char *text, void *arg _unused_)
{
	fprintf(stderr, "notice: %s\n", text);
}

/* Runs one command; returns the number of words it took, or -1. */
static int run(struct tool *tool, char **words, int count, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, words[0]) != 0)
			continue;
		if (count <= c->arguments)
			return error_set(err, ERROR_USAGE, words[0],
					 "needs %d argument(s)", c->arguments);
		return c->run(tool, words + 1, err) < 0 ? -1 : 1 + c->arguments;
	}
	return error_set(err, ERROR_USAGE, words[0], "is no command");
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct image_options options = {0};
	struct tool tool = {0};
	int at = 1, result = 0;

	for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
		options.write |= strcmp(argv[at], "--write") == 0;
		options.allow_esd |= strcmp(argv[at], "--allow-esd") == 0;
		if (strcmp(argv[at], "--guestfs") == 0)
			options.via = IMAGE_VIA_GUESTFS;
	}
	notice_set(show_notice, NULL);
	if (at >= argc)
		return ERROR_USAGE;
	tool.image = image_open(argv[at++], &options, &err);
	result = tool.image ? 0 : -1;
	while (result >= 0 && at < argc) {
		if (strcmp(argv[at], ":") == 0) {
			at++;
			continue;
		}
		result = run(&tool, argv + at, argc - at, &err);
		at += result;
	}
	image_close(tool.image);
	if (result >= 0)
		return 0;
	_cleanup_free_ char *message = error_message(&err);

	fprintf(stderr, "treetool: %s\n", message);
	return (int)err.code;
}
