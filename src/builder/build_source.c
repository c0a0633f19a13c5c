/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the builder builds from. */
#include <sys/stat.h>

#include "base/hash.h"
#include "base/text.h"
#include "builder/build_private.h"
#include "builder/exclusion.h"
#include "media/find.h"

/* The install image of a folder of install media; NULL if the folder is none. */
static char *install_image(const char *folder, struct error *err)
{
	static const char *const names[] = {"sources/install.wim", "sources/install.esd",
					    "sources/install.swm"};
	struct stat st;

	if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = media_find_plain(folder, names[i], err);

		if (path || (err && err->code))
			return path;
	}
	return NULL;
}

/* Updates look like archives, or like WIMs (.msu since Windows 11 24H2). */
static int refuse_update(const char *path, struct error *err)
{
	if (!text_ends_with(path, ".msu") && !text_ends_with(path, ".cab"))
		return 0;
	error_set(err, ERROR_USAGE, path,
		  "is an update or a driver archive, not a Windows, and gild does not "
		  "install updates");
	return error_remedy(err,
			    "give the image to build from; install updates in Windows "
			    "before it is captured, and give drivers with --driver");
}

static int choose(struct build_source *source, const char *index, struct error *err)
{
	struct image_positions positions = VEC_INIT;
	int result = image_select(source->image, index, &positions, err);

	if (result < 0 && image_count(source->image))
		error_remedy(err, "give one: --index=N");
	if (result == 0 && positions.len != 1) {
		error_set(err, ERROR_USAGE, image_path(source->image),
			  "an image is built from one Windows, and %zu are chosen",
			  positions.len);
		result = error_remedy(err, "give its number: --index=N");
	}
	if (result == 0)
		source->position = positions.items[0];
	vec_free(&positions);
	return result;
}

static int refuse_old(const char *product, const struct build_options *options,
		      struct error *err)
{
	error_set(err, ERROR_USAGE, options->source,
		  "%s is not built by gild: it starts by NTLDR, not by a boot manager",
		  product);
	return error_remedy(err, "make the disk image ready where it is: gild inject "
				 "--any-controller, and gild edit");
}

static void tell_problems(const struct build_source *source, struct build_result *ret)
{
	const struct image_problems *problems =
		image_problems(source->image, source->position);

	vec_foreach (problem, problems) {
		_cleanup_free_ char *text =
			xasprintf("%s; %s", problem->message, problem->remedy);

		strings_push(&ret->warnings, text);
	}
}

/* What the firmware that is asked for does not start. */
static int check_firmware(const struct build_source *source,
			  const struct build_options *options,
			  const struct build_result *ret, struct error *err)
{
	bool x86 = ret->arch == ARCH_X86;

	if (options->firmware == BUILD_BIOS && !x86 && ret->arch != ARCH_AMD64) {
		error_set(err, ERROR_USAGE, options->source,
			  "an %s Windows does not start by BIOS", arch_name(ret->arch));
		return error_remedy(err, "leave --firmware=bios out");
	}
	if (options->firmware == BUILD_UEFI && x86 &&
	    target_compare_version(&source->target, 6, 2, 0) < 0) {
		error_set(err, ERROR_USAGE, options->source,
			  "a 32-bit %s does not start by UEFI", ret->product);
		return error_remedy(err, "give --firmware=bios");
	}
	return 0;
}

/* A boot manager that was asked for and is not there: better said before the disk is. */
static int check_boot_ca(const struct build_source *source,
			 const struct build_options *options, struct tree *tree,
			 struct error *err)
{
	const struct boot_files_options boot = {.uefi = options->firmware == BUILD_UEFI,
						.ca = options->boot_ca,
						.target = &source->target};
	_cleanup_boot_files_ struct boot_files files = VEC_INIT;

	return options->boot_ca == BOOT_CA_2023
		       ? boot_files_plan(tree, &boot, &files, NULL, err)
		       : 0;
}

/* Which Windows it is, and whether it can be built from. */
static int identify(struct build_source *source, const struct build_options *options,
		    struct build_result *ret, struct error *err)
{
	struct tree *tree = image_tree(source->image, source->position, err);
	_cleanup_registry_ struct registry *registry = NULL;
	_cleanup_installation_ struct installation *in = NULL;

	if (!tree)
		return -1;
	registry = registry_open(tree, options->inject.accept_dirty);
	in = installation_identify(tree, registry, err);
	if (!in)
		return -1;
	source->target = in->target;
	ret->product = xstrdup(in->product ? in->product : "Windows");
	ret->version = xasprintf("%u.%u.%u", in->target.major, in->target.minor,
				 in->target.build);
	ret->arch = in->target.arch;
	if (target_compare_version(&in->target, 6, 0, 0) < 0)
		return refuse_old(ret->product, options, err);
	if (options->format == BUILD_WIM)
		return 0;
	if (check_firmware(source, options, ret, err) < 0)
		return -1;
	return check_boot_ca(source, options, tree, err);
}

/* Whatever is wrong with it is said before anything is written. */
static int read_answer(struct build_source *source, const struct build_options *options,
		       struct error *err)
{
	struct strings warnings = VEC_INIT;
	int result;

	if (options->generate)
		source->answer = answer_generate(options->generate, &source->target, err);
	else if (options->answer)
		source->answer = answer_load(options->answer, err);
	else
		return 0;
	if (!source->answer)
		return -1;
	/* Placing it says the warnings. */
	result = answer_check(source->answer, &source->target, &warnings, err);
	strings_free(&warnings);
	return result;
}

int build_source_open(const struct build_options *options, struct build_source *source,
		      struct build_result *ret, struct error *err)
{
	struct image_options reading = options->inject.image;
	_cleanup_free_ char *install = install_image(options->source, err);
	const char *path = install ? install : options->source;

	if ((err && err->code) || refuse_update(options->source, err) < 0)
		return -1;
	reading.write = false;
	source->image = image_open(path, &reading, err);
	if (!source->image || choose(source, options->index, err) < 0 ||
	    identify(source, options, ret, err) < 0 ||
	    read_answer(source, options, err) < 0)
		return -1;
	ret->source_format = xstrdup(image_format(source->image));
	ret->source_index = image_info(source->image, source->position)->index;
	tell_problems(source, ret);
	return 0;
}

int build_source_files(struct build_source *source, struct error *err)
{
	source->files = files_of_image(source->image, source->position, err);
	if (!source->files)
		return -1;
	/* Of a WIM, who captured it chose what is in it. */
	if (image_is_disk(source->image))
		exclusion_apply(source->files, true, NULL, NULL);
	return files_check(source->files, err);
}

void build_source_close(struct build_source *source)
{
	answer_close(source->answer);
	files_close(source->files);
	image_close(source->image);
}

static void add_number(struct hash_stream *hash, uint64_t number)
{
	uint8_t raw[8];

	put_le64(raw, number);
	hash_stream_add(hash, raw, sizeof(raw));
}

void build_source_digest(const struct files *files, uint8_t digest[32])
{
	struct hash_stream *hash = hash_sha256_begin();

	vec_foreach (entry, &files->entries) {
		hash_stream_add(hash, entry->name, strlen(entry->name) + 1);
		add_number(hash, entry->inode);
		add_number(hash, entry->parent);
	}
	vec_foreach (inode, &files->inodes) {
		add_number(hash, inode->attributes);
		add_number(hash, inode->created);
		add_number(hash, inode->modified);
	}
	vec_foreach (blob, &files->blobs) {
		add_number(hash, blob->size);
		if (blob->hashed)
			hash_stream_add(hash, blob->sha1, sizeof(blob->sha1));
	}
	vec_foreach (descriptor, &files->security)
		hash_stream_add(hash, descriptor->data, descriptor->len);
	hash_sha256_end(hash, digest);
}
