/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The atomic commit of a folder. Everything new is first staged in FOLDER/.gild-journal
 * with a manifest of the steps; the commit mark (the manifest's digest, renamed into
 * place after everything is synced) is the point of no return. The steps that follow only
 * rename and remove, and each may be repeated: whoever opens the folder next finishes
 * them, or drops a journal without the mark.
 *
 * The steps have three phases, and the journal says which are done: (1) what moves is
 * taken into the journal, (2) what goes is removed, (3) what is new is put in place.
 * Within a phase every step can tell whether it is done already.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/text.h"
#include "tree/dir.h"

#define MAX_MANIFEST (64 * 1024 * 1024)
#define CHUNK (256 * 1024)
/* For the journal itself, folder entries and block rounding. */
#define SPACE_SLACK (1024 * 1024)

enum step_kind {
	STEP_TAKE = 'T',   /* phase 1: path `a` becomes the journal's entry `b` */
	STEP_REMOVE = 'R', /* phase 2: path `a` */
	STEP_FOLDER = 'F', /* phase 3: make folder `a` */
	STEP_PUT = 'P',	   /* phase 3: the journal's entry `b` becomes path `a` */
	STEP_MODE = 'M', /* phase 3: file `a` becomes read-only (`b` "1") or not ("0") */
};

struct step {
	enum step_kind kind;
	char *a, *b;
};
DEFINE_VEC(steps, struct step);

static void steps_free(struct steps *steps)
{
	vec_foreach (step, steps) {
		free(step->a);
		free(step->b);
	}
	vec_free(steps);
}
#define _cleanup_steps_ _cleanup_(steps_free)

static void add_step(struct steps *steps, enum step_kind kind, const char *a,
		     const char *b)
{
	vec_push(steps, (struct step){kind, xstrdup(a), xstrdup(b)});
}

static int step_phase(const struct step *step)
{
	return step->kind == STEP_TAKE ? 1 : step->kind == STEP_REMOVE ? 2 : 3;
}

/* ---- carrying the steps out ----------------------------------------------------------
 */

/* A new folder is its parent's: owner, group and mode. */
static int make_folder(int parent, const char *leaf, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdirat(parent, leaf, 0700) < 0 && errno != EEXIST)
		return error_errno(err, leaf, "cannot make the folder");
	fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(parent, &st) < 0)
		return error_errno(err, leaf, "cannot open the new folder");
	(void)!fchown(fd, st.st_uid, st.st_gid);
	if (fchmod(fd, st.st_mode & 07777) < 0)
		return error_errno(err, leaf, "cannot set the mode");
	return 0;
}

static int set_read_only(int parent, const char *leaf, bool read_only, struct error *err)
{
	struct stat st;
	mode_t mode;

	if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, leaf, "cannot stat");
	if (!S_ISREG(st.st_mode)) /* on a folder the attribute says nothing */
		return 0;
	mode = read_only ? st.st_mode & ~0222u : st.st_mode | S_IWUSR;
	if (fchmodat(parent, leaf, mode & 07777, 0) < 0)
		return error_errno(err, leaf, "cannot set the mode");
	return 0;
}

static int run_step(int root, int journal, const struct step *step, struct error *err)
{
	_cleanup_close_ int parent = -1;
	const char *leaf;
	int found = dir_parent(root, step->a, &parent, &leaf, err);

	if (found < 0)
		return -1;
	if (!found && step_phase(step) < 3) /* went with what held it */
		return 0;
	if (!found)
		return error_set(err, ERROR_STATE, step->a, "has lost its folder");
	switch (step->kind) {
	case STEP_TAKE:
		if (renameat(parent, leaf, journal, step->b) < 0 && errno != ENOENT)
			return error_errno(err, step->a, "cannot move");
		return 0;
	case STEP_REMOVE:
		return dir_remove_at(parent, leaf, 0, err);
	case STEP_FOLDER:
		return make_folder(parent, leaf, err);
	case STEP_PUT:
		if (renameat(journal, step->b, parent, leaf) < 0 && errno != ENOENT)
			return error_errno(err, step->a, "cannot put in place");
		return 0;
	case STEP_MODE:
		return set_read_only(parent, leaf, *step->b == '1', err);
	}
	return error_set(err, ERROR_STATE, step->a, "has an unknown step");
}

/* Syncs every folder that a phase's steps changed. */
static int sync_phase(int root, const struct steps *steps, int phase, struct error *err)
{
	_cleanup_free_ char *last = NULL;

	vec_foreach (step, steps) {
		_cleanup_close_ int parent = -1;
		const char *leaf;
		char *folder;

		if (step_phase(step) != phase)
			continue;
		if (dir_parent(root, step->a, &parent, &leaf, err) < 0)
			return -1;
		folder = xstrndup(step->a,
				  (size_t)(strrchr(step->a, '/')
						   ? strrchr(step->a, '/') - step->a
						   : 0));
		if (parent >= 0 && (!last || strcmp(folder, last) != 0) &&
		    fsync(parent) < 0) {
			free(folder);
			return error_errno(err, step->a, "cannot sync its folder");
		}
		free(last);
		last = folder;
	}
	return 0;
}

/* A file of the journal whose presence is the message, made durable. */
static int put_mark(int journal, const char *name, const char *text, struct error *err)
{
	_cleanup_close_ int fd =
		openat(journal, "mark",
		       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct bytes data = {(const uint8_t *)text, strlen(text)};

	if (fd < 0)
		return error_errno(err, DIR_JOURNAL, "cannot write");
	if (file_write_all(fd, data, DIR_JOURNAL, err) < 0)
		return -1;
	if (fsync(fd) < 0 || renameat(journal, "mark", journal, name) < 0 ||
	    fsync(journal) < 0)
		return error_errno(err, DIR_JOURNAL, "cannot sync");
	return 0;
}

static bool has_mark(int journal, const char *name)
{
	struct stat st;

	return fstatat(journal, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The journal's last step: from the renaming on there is nothing left to do or undo. */
static int discard(int root, struct error *err)
{
	if (renameat(root, DIR_JOURNAL, root, DIR_TRASH) < 0 || fsync(root) < 0)
		return error_errno(err, DIR_JOURNAL, "cannot remove");
	return dir_remove_at(root, DIR_TRASH, 0, err);
}

/* From the commit mark on: carries out what is left and removes the journal. */
static int roll_forward(int root, int journal, const struct steps *steps,
			struct error *err)
{
	static const char *const marks[] = {"phase2", "phase3"};
	int phase = 1;

	while (phase < 3 && has_mark(journal, marks[phase - 1]))
		phase++;
	for (; phase <= 3; phase++) {
		bool any = false;

		vec_foreach (step, steps) {
			if (step_phase(step) != phase)
				continue;
			any = true;
			if (run_step(root, journal, step, err) < 0)
				return -1;
		}
		if (any && sync_phase(root, steps, phase, err) < 0)
			return -1;
		if (any && phase < 3 && put_mark(journal, marks[phase - 1], "", err) < 0)
			return -1;
	}
	return discard(root, err);
}

/* ---- the manifest ---------------------------------------------------------------------
 */

static void manifest_write(const struct steps *steps, struct buffer *out)
{
	vec_foreach (step, steps) {
		char kind = (char)step->kind;

		buffer_append(out, &kind, 1);
		buffer_append(out, step->a, strlen(step->a) + 1);
		buffer_append(out, step->b, strlen(step->b) + 1);
	}
}

/* The journal lies in the image, so it is input like any other. */
static int manifest_read(const struct buffer *in, struct steps *steps, struct error *err)
{
	size_t at = 0;

	while (at < in->len) {
		enum step_kind kind = (enum step_kind)in->data[at++];
		const uint8_t *a = in->data + at, *b, *end;

		b = memchr(a, 0, in->len - at);
		b = b ? b + 1 : NULL;
		end = b ? memchr(b, 0, in->len - (size_t)(b - in->data)) : NULL;
		if (!end || !strchr("TRFPM", (int)kind) || strchr((const char *)b, '/') ||
		    ((kind == STEP_TAKE || kind == STEP_PUT) && (!*b || *b == '.')))
			return error_set(err, ERROR_STATE, DIR_JOURNAL,
					 "its manifest is damaged");
		add_step(steps, kind, (const char *)a, (const char *)b);
		at = (size_t)(end - in->data) + 1;
	}
	return 0;
}

static void manifest_digest(const struct buffer *manifest, char text[65])
{
	uint8_t digest[32];

	hash_sha256(buffer_view(manifest), digest);
	hash_hex(digest, sizeof(digest), text);
}

static int read_entry(int journal, const char *name, struct buffer *out,
		      struct error *err)
{
	_cleanup_close_ int fd =
		openat(journal, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return error_errno(err, DIR_JOURNAL, "cannot read %s", name);
	while ((n = read(fd, buffer_reserve(out, CHUNK), CHUNK)) > 0) {
		out->len += (size_t)n;
		if (out->len > MAX_MANIFEST)
			return error_set(err, ERROR_STATE, DIR_JOURNAL, "is too large");
	}
	return n < 0 ? error_errno(err, DIR_JOURNAL, "cannot read %s", name) : 0;
}

/* ---- recovery -------------------------------------------------------------------------
 */

bool dir_has_journal(int root)
{
	return has_mark(root, DIR_JOURNAL) || has_mark(root, DIR_TRASH);
}

static int recover_committed(int root, int journal, struct error *err)
{
	_cleanup_buffer_ struct buffer manifest = BUFFER_INIT, mark = BUFFER_INIT;
	_cleanup_steps_ struct steps steps = VEC_INIT;
	char digest[65];

	if (read_entry(journal, "commit", &mark, err) < 0 ||
	    read_entry(journal, "manifest", &manifest, err) < 0)
		return -1;
	manifest_digest(&manifest, digest);
	if (mark.len != 64 || memcmp(mark.data, digest, 64) != 0)
		return error_set(err, ERROR_STATE, DIR_JOURNAL,
				 "its manifest does not match its commit mark");
	if (manifest_read(&manifest, &steps, err) < 0)
		return -1;
	return roll_forward(root, journal, &steps, err);
}

int dir_recover(int root, const char *path, struct error *err)
{
	_cleanup_close_ int journal = -1;

	if (dir_remove_at(root, DIR_TRASH, 0, err) < 0)
		return -1;
	if (!has_mark(root, DIR_JOURNAL))
		return 0;
	journal = openat(root, DIR_JOURNAL,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (journal < 0)
		return error_errno(err, path, "cannot open its " DIR_JOURNAL);
	if (!has_mark(journal, "commit")) {
		if (discard(root, err) < 0)
			return -1;
		notice("%s: an interrupted edit was dropped; the folder is as it was "
		       "before it",
		       path);
		return 0;
	}
	if (recover_committed(root, journal, err) < 0) {
		error_wrap(err, path, "cannot finish an interrupted edit");
		return error_remedy(err, "remove the cause and run gild again; as a last "
					 "resort remove the folder's " DIR_JOURNAL);
	}
	notice("%s: an interrupted edit was finished", path);
	return 0;
}

/* ---- the commit -----------------------------------------------------------------------
 */

struct commit {
	int root, journal;
	struct tree *tree;
	struct steps steps;
	/* The journal entry of each MOVED node. */
	struct vec_of(const struct overlay *) moved;
	unsigned staged;
	uint64_t bytes;
};

static size_t moved_number(const struct commit *c, const struct overlay *node)
{
	size_t i = 0;

	while (c->moved.items[i] != node)
		i++;
	return i;
}

/* Where the base of a PASS or MOVED node lies between phases 1 and 3. */
static char *interim_path(const struct commit *c, const struct overlay *node)
{
	_cleanup_free_ char *parent = NULL;

	if (!node->parent)
		return xstrdup("");
	if (node->kind == OVERLAY_MOVED)
		return xasprintf("%s/m%zu", DIR_JOURNAL, moved_number(c, node));
	parent = interim_path(c, node->parent);
	return path_join(parent, path_base(node->base));
}

static unsigned depth_of(const char *path)
{
	unsigned depth = 0;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* Deeper origins first: a moved folder must not take them along. */
static void plan_takes(struct commit *c)
{
	unsigned deepest = 0;

	vec_foreach (node, &c->moved)
		if (depth_of((*node)->origin) > deepest)
			deepest = depth_of((*node)->origin);
	for (unsigned depth = deepest + 1; depth-- > 0;) {
		for (size_t i = 0; i < c->moved.len; i++) {
			_cleanup_free_ char *entry = xasprintf("m%zu", i);

			if (depth_of(c->moved.items[i]->origin) == depth)
				add_step(&c->steps, STEP_TAKE, c->moved.items[i]->origin,
					 entry);
		}
	}
}

static void plan_removal(struct commit *c, const struct overlay *node)
{
	_cleanup_free_ char *parent = NULL, *path = NULL;

	if (node->kind == OVERLAY_PASS || !node->base)
		return;
	if (node->kind == OVERLAY_FILE && node->origin &&
	    strcmp(node->origin, node->base) == 0)
		return; /* replaced by the rename */
	parent = interim_path(c, node->parent);
	path = path_join(parent, path_base(node->base));
	add_step(&c->steps, STEP_REMOVE, path, "");
}

/* An open descriptor of what a new file takes its owner and mode from. */
static int open_model(const struct commit *c, const struct overlay *node, bool *is_parent,
		      struct error *err)
{
	_cleanup_free_ char *leaf = NULL;
	_cleanup_close_ int parent = -1;
	const char *path = node->origin;
	int fd, found;

	*is_parent = !path;
	while (!path) {
		node = node->parent;
		if (!node->parent)
			path = "";
		else if (node->kind == OVERLAY_PASS)
			path = node->base;
		else if (node->kind == OVERLAY_MOVED)
			path = node->origin;
	}
	found = dir_find(c->root, path, &parent, &leaf, NULL, err);
	if (found < 0)
		return -1;
	if (!found)
		return error_set(err, ERROR_FAILED, path, "vanished while gild ran");
	fd = openat(parent, leaf, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? error_errno(err, path, "cannot open") : fd;
}

static int stage_metadata(const struct commit *c, const struct overlay *node, int fd,
			  struct error *err)
{
	_cleanup_close_ int model = -1;
	struct timespec times[2];
	int64_t seconds = filetime_to_unix(node->modified);
	bool is_parent;
	struct stat st;

	model = open_model(c, node, &is_parent, err);
	if (model < 0)
		return -1;
	if (fstat(model, &st) < 0)
		return error_errno(err, node->name, "cannot stat");
	if (is_parent) {
		(void)!fchown(fd, st.st_uid, st.st_gid);
		st.st_mode &= 0666;
		(void)fchmod(fd, st.st_mode);
	} else {
		dir_copy_metadata(model, fd, &st);
	}
	if (node->attributes_set)
		(void)fchmod(fd, node->attributes & TREE_ATTR_READONLY
					 ? st.st_mode & 07555
					 : (st.st_mode | S_IWUSR) & 07777);
	times[0].tv_sec = times[1].tv_sec = seconds;
	times[0].tv_nsec = times[1].tv_nsec =
		(long)(node->modified - filetime_from_unix(seconds)) * 100;
	(void)futimens(fd, times);
	return 0;
}

static int stage_file(struct commit *c, const struct overlay *node, const char *entry,
		      struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);
	_cleanup_close_ int fd =
		openat(c->journal, entry,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct overlay_reader reader;
	ssize_t n;

	if (fd < 0)
		return error_errno(err, node->name, "cannot stage");
	if (overlay_open(node, &reader, err) < 0)
		return -1;
	while ((n = overlay_read(&reader, chunk, CHUNK, err)) > 0) {
		if (interrupted()) {
			n = error_interrupted(err);
			break;
		}
		n = file_write_all(fd, (struct bytes){chunk, (size_t)n}, node->name, err);
		if (n < 0)
			break;
	}
	overlay_close(&reader);
	if (n < 0 || stage_metadata(c, node, fd, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_errno(err, node->name, "cannot sync");
	c->bytes += node->size;
	return 0;
}

static int plan_node(struct commit *c, const struct overlay *node, struct error *err)
{
	_cleanup_free_ char *path = overlay_path(node);
	_cleanup_free_ char *entry = NULL;

	switch (node->kind) {
	case OVERLAY_FILE:
		entry = xasprintf("n%u", c->staged++);
		add_step(&c->steps, STEP_PUT, path, entry);
		progress_report("writing files", c->bytes,
				overlay_bytes(c->tree->overlay));
		return stage_file(c, node, entry, err);
	case OVERLAY_FOLDER:
		add_step(&c->steps, STEP_FOLDER, path, "");
		return 0;
	case OVERLAY_MOVED:
		entry = xasprintf("m%zu", moved_number(c, node));
		add_step(&c->steps, STEP_PUT, path, entry);
		break;
	case OVERLAY_PASS:
	case OVERLAY_REMOVED:
		break;
	}
	if (node->attributes_set)
		add_step(&c->steps, STEP_MODE, path,
			 node->attributes & TREE_ATTR_READONLY ? "1" : "0");
	return 0;
}

/* Fills the journal up to and including the commit mark. */
static int prepare(struct commit *c, struct error *err)
{
	_cleanup_buffer_ struct buffer manifest = BUFFER_INIT;
	_cleanup_close_ int fd = -1;
	struct overlay *top = c->tree->overlay;
	char digest[65];

	for (const struct overlay *n = top; n; n = overlay_next(n, top))
		if (n->kind == OVERLAY_MOVED)
			vec_push(&c->moved, n);
	if (c->moved.len)
		plan_takes(c);
	for (const struct overlay *n = top; n; n = overlay_next(n, top))
		plan_removal(c, n);
	for (const struct overlay *n = top; n; n = overlay_next(n, top))
		if (plan_node(c, n, err) < 0)
			return -1;
	manifest_write(&c->steps, &manifest);
	manifest_digest(&manifest, digest);
	fd = openat(c->journal, "manifest",
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, DIR_JOURNAL, "cannot write");
	if (file_write_all(fd, buffer_view(&manifest), DIR_JOURNAL, err) < 0)
		return -1;
	if (fsync(fd) < 0 || fsync(c->root) < 0)
		return error_errno(err, DIR_JOURNAL, "cannot sync");
	return put_mark(c->journal, "commit", digest, err);
}

/* Commits the overlay to the folder `root`, which holds what the tree's base holds. */
static int commit_to(int root, struct tree *tree, uint64_t *bytes, struct error *err)
{
	struct commit c = {.root = root, .journal = -1, .tree = tree};
	int result = -1;

	if (dir_has_journal(root)) {
		error_set(err, ERROR_STATE, tree->name, "has a journal of another edit");
		return error_remedy(err, "run gild again to settle it");
	}
	if (mkdirat(root, DIR_JOURNAL, 0700) < 0)
		return error_errno(err, tree->name, "cannot make its " DIR_JOURNAL);
	c.journal = openat(root, DIR_JOURNAL,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c.journal < 0) {
		error_errno(err, tree->name, "cannot open its " DIR_JOURNAL);
	} else if (prepare(&c, err) < 0) {
		(void)discard(root, NULL);
	} else if (roll_forward(root, c.journal, &c.steps, err) < 0) {
		error_wrap(err, tree->name, "the edit is recorded but not finished");
		error_remedy(err, "run gild again to finish it");
	} else {
		result = 0;
		*bytes = c.bytes;
	}
	closep(&c.journal);
	steps_free(&c.steps);
	vec_free(&c.moved);
	return result;
}

/* ---- --output
 * --------------------------------------------------------------------------- */

/* Bytes of all files below, for the space check and the report. */
static int measure(struct tree *tree, const char *path, unsigned depth, uint64_t *bytes,
		   struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;

	if (depth > DIR_MAX_DEPTH)
		return error_set(err, ERROR_FAILED, path, "lies too deep to be copied");
	if (tree->ops->list(tree, path, &list, err) < 0)
		return -1;
	vec_foreach (entry, &list) {
		_cleanup_free_ char *below = path_join(path, entry->name);

		*bytes += entry->stat.size;
		if (entry->stat.type == TREE_FOLDER &&
		    measure(tree, below, depth + 1, bytes, err) < 0)
			return -1;
	}
	return 0;
}

static int build_output(struct dir_image *dir, struct tree *tree, const char *work,
			const char *output, uint64_t *bytes, struct error *err)
{
	_cleanup_free_ char *copy = xasprintf("%s/copy", work);
	_cleanup_close_ int from = -1, to = -1;
	struct stat st;

	if (mkdir(copy, 0700) < 0)
		return error_errno(err, copy, "cannot create");
	to = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	from = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0 || from < 0 || fstat(from, &st) < 0)
		return error_errno(err, copy, "cannot open");
	if (dir_copy_at(from, to, ".", 0, err) < 0)
		return -1;
	if (!overlay_empty(tree->overlay) && commit_to(to, tree, bytes, err) < 0)
		return -1;
	if (rename(copy, output) < 0)
		return error_errno(err, output,
				   "cannot rename the new folder into place");
	return file_sync_folder(output, err);
}

static int commit_output(struct dir_image *dir, struct tree *tree, const char *output,
			 uint64_t *bytes, struct error *err)
{
	_cleanup_(temp_folder_removep) char *work = NULL;
	_cleanup_free_ char *source = realpath(dir->image.path, NULL);
	_cleanup_free_ char *copy = xstrdup(output);
	_cleanup_free_ char *target = realpath(dirname(copy), NULL);
	uint64_t need = 0, staged;

	if (!source || !target)
		return error_errno(err, output, "cannot find its folder");
	if (strncmp(target, source, strlen(source)) == 0 &&
	    (target[strlen(source)] == '/' || !target[strlen(source)])) {
		error_set(err, ERROR_USAGE, output, "lies in the image itself");
		return error_remedy(err, "give a place outside of %s", dir->image.path);
	}
	if (measure(tree, "", 0, &need, err) < 0)
		return -1;
	staged = overlay_bytes(tree->overlay);
	if (file_check_space(target, need + staged + SPACE_SLACK, err) < 0)
		return -1;
	work = temp_folder_make(output, err);
	if (!work || build_output(dir, tree, work, output, bytes, err) < 0)
		return -1;
	*bytes = need + staged;
	return 0;
}

int dir_commit(struct image *image, const struct image_commit_options *options,
	       uint64_t *bytes_written, struct error *err)
{
	struct dir_image *dir = (struct dir_image *)image;
	struct tree *tree = image_tree(image, 0, err);

	if (!tree)
		return -1;
	if (options->esd) {
		error_set(err, ERROR_USAGE, image->path, "is a folder, not a WIM");
		return error_remedy(err, "leave the ESD format to WIM images");
	}
	if (options->output)
		return commit_output(dir, tree, options->output, bytes_written, err);
	if (file_check_space(image->path, overlay_bytes(tree->overlay) + SPACE_SLACK,
			     err) < 0)
		return -1;
	return commit_to(dir->fd, tree, bytes_written, err);
}
