/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/pack.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/url.h"
#include "hwprofiles/inventory.h"
#include "image/pack_private.h"
#include "image/uki.h"

#define STUB "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
/* The last console is the one that /dev/console is. */
#define CMDLINE "quiet console=tty0 console=ttyS0,115200"
#define MAX_APPEND 1024
/* Which slot init says of that it came up. */
#define SLOT_OPTION "gild.slot"

bool pack_kind_of_name(const char *output, enum pack_kind *ret)
{
	size_t len = strlen(output);
	struct stat st;

	if (len && output[len - 1] == '/')
		*ret = PACK_FOLDER;
	else if (text_ends_with(output, ".iso"))
		*ret = PACK_ISO;
	else if (text_ends_with(output, ".img") || text_ends_with(output, ".raw"))
		*ret = PACK_DISK;
	else if (stat(output, &st) == 0 && S_ISDIR(st.st_mode))
		*ret = PACK_FOLDER;
	else
		return false;
	return true;
}

void pack_result_free(struct pack_result *r)
{
	boot_set_free(&r->set);
	goldens_free(&r->images);
	free(r->cmdline);
	vec_free(&r->partitions);
	module_losses_free(&r->losses);
	strings_free(&r->renewed);
	strings_free(&r->warnings);
}

/* ---- what goes in ---- */

static int open_images(const struct pack_options *o, struct pack_result *ret,
		       struct error *err)
{
	vec_foreach (path, o->images) {
		struct golden golden;
		int result = golden_open(*path, &o->golden, &golden, err);

		vec_push(&ret->images, golden);
		if (result < 0)
			return -1;
		for (size_t i = 0; i + 1 < ret->images.len; i++) {
			if (!text_equal(ret->images.items[i].name, golden.name))
				continue;
			error_set(err, ERROR_USAGE, *path,
				  "has the name of another image: %s", golden.name);
			return error_remedy(err, "rename one of the files");
		}
	}
	return 0;
}

static int make_cmdline(const struct pack_options *o, struct pack_result *ret,
			struct error *err)
{
	char seal[SEAL_TEXT_SIZE];

	const char slot[2] = {ret->slot, 0};

	seal_format(&ret->set.seal, seal);
	ret->cmdline =
		xasprintf("%s=%s %s%s%s%s%s%s", LAYOUT_ROOT_OPTION, seal,
			  ret->slot ? SLOT_OPTION "=" : "", slot, ret->slot ? " " : "",
			  CMDLINE, o->append ? " " : "", o->append ? o->append : "");
	if (!o->append || strlen(o->append) <= MAX_APPEND)
		return 0;
	return error_set(err, ERROR_USAGE, "--append", "has more than %d characters",
			 MAX_APPEND);
}

/* All that makes the medium what it is, but for the golden images' own bytes. */
static struct guid make_seed(const struct pack_options *o, const struct media *media,
			     const struct pack_result *r)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "%d %s %ju %ju ", o->kind, media->cmdline,
		      (uintmax_t)o->slot_size, (uintmax_t)o->state_size);
	buffer_append(&b, media->config.data, media->config.len);
	vec_foreach (golden, &r->images)
		buffer_append_string(&b, golden->seal.hash);
	return guid_from(buffer_view(&b));
}

/* The kernel looks for it at the very beginning of the initramfs. */
static int add_microcode(const struct pack_options *o, struct pack_result *ret,
			 struct buffer *initrd, struct error *err)
{
	const char *sysroot = o->boot.sysroot ? o->boot.sysroot : "";
	_cleanup_free_ char *own = xasprintf("%s/lib/firmware", sysroot);
	_cleanup_free_ char *merged = xasprintf("%s/usr/lib/firmware", sysroot);
	const char *const folders[] = {o->boot.firmware_dir, own, merged};

	if (microcode_archive(folders, ARRAY_SIZE(folders), initrd, ret->microcode, err) <
	    0)
		return -1;
	for (int i = 0; i < MICROCODE_VENDORS; i++)
		if (!ret->microcode[i].updates)
			vec_push(&ret->set.left_out, xasprintf("microcode of %s: %s",
							       microcode_vendor_name(i),
							       microcode_package(i)));
	return 0;
}

static int read_initrd(const struct boot_set *set, struct buffer *ret, struct error *err)
{
	void *to = buffer_reserve(ret, (size_t)set->initrd_size);

	if (file_read_at(set->initrd, to, (size_t)set->initrd_size, 0, "initramfs", err) <
	    0)
		return -1;
	ret->len += (size_t)set->initrd_size;
	return 0;
}

/* Archives begin at multiples of four bytes. */
static void pad_archive(struct buffer *initrd)
{
	buffer_append(initrd, "\0\0\0", (4 - initrd->len % 4) % 4);
}

/* One file that firmware starts and one signature covers. */
static int make_uki(const struct pack_options *o, struct media *media, struct error *err)
{
	static const char release[] =
		"ID=gild\nNAME=\"gild\"\nVERSION=\"" PACKAGE_VERSION "\"\n";
	_cleanup_buffer_ struct buffer stub = BUFFER_INIT, initrd = BUFFER_INIT;
	_cleanup_free_ char *cmdline = NULL;

	if (media_read(STUB, "systemd-boot-efi", &stub, err) < 0)
		return -1;
	buffer_append(&initrd, media->initrd.data, media->initrd.len);
	pad_archive(&initrd);
	buffer_append(&initrd, media->config.data, media->config.len);
	cmdline = media->goldens->len > 1
			  ? xasprintf("%s gild.image=%s", media->cmdline,
				      media->start ? media->start
						   : media->goldens->items[0].name)
			  : xstrdup(media->cmdline);

	const struct uki_section sections[] = {
		{".osrel", {(const uint8_t *)release, sizeof(release) - 1}},
		{".cmdline", {(const uint8_t *)cmdline, strlen(cmdline) + 1}},
		{".linux", buffer_view(&media->kernel)},
		{".initrd", buffer_view(&initrd)},
	};
	if (uki_add_sections(buffer_view(&stub), STUB, sections, ARRAY_SIZE(sections),
			     &media->uki, err) < 0)
		return -1;
	progress_report("signing", 0, 0);
	return uki_sign(&media->uki, o->sign_key, o->sign_cert, media->work, err);
}

/* ---- what the choice of modules costs ---- */

struct counting {
	const struct modules *modules;
	struct module_losses *losses;
};

static int count_pc(struct pc *pc, void *arg, struct error *err)
{
	const struct counting *counting = arg;

	(void)module_losses_add(counting->losses, counting->modules, pc);
	return interrupted() ? error_interrupted(err) : 0;
}

static int count_losses(const struct pack_options *o, struct pack_result *ret,
			struct error *err)
{
	_cleanup_free_ char *where =
		xasprintf("%s/lib/modules/%s", o->boot.sysroot ? o->boot.sysroot : "",
			  ret->set.kernel_version);
	struct modules modules = {0};
	struct counting counting = {&modules, &ret->losses};
	int result;

	if (!o->inventories->len)
		return 0;
	result = modules_choose(where, &o->boot.modules, &modules, err);
	vec_foreach (path, o->inventories)
		if (result == 0)
			result = inventory_read(*path, count_pc, &counting, err);
	module_losses_sort(&ret->losses);
	modules_free(&modules);
	return result;
}

/* ---- the medium ---- */

/* Whoever reads an image from a server needs more of the root than others. */
static int check_streams(const struct pack_options *o, const struct pack_result *ret,
			 struct error *err)
{
	bool streamed = o->url != NULL, secure = o->url && url_is_secure(o->url);

	vec_foreach (golden, &ret->images) {
		streamed |= golden->url != NULL;
		secure |= golden->url && url_is_secure(golden->url);
	}
	vec_foreach (what, &ret->set.left_out) {
		bool dhcp = text_ends_with(*what, ": dhcpcd-base");
		bool ca = text_ends_with(*what, ": ca-certificates");

		if (!(streamed && dhcp) && !(secure && ca && !o->golden.ca))
			continue;
		error_set(err, ERROR_FAILED, "an image on a server",
			  "cannot be read without %s", dhcp ? "dhcpcd" : "certificates");
		return error_remedy(err, "apt-get install %s",
				    dhcp ? "dhcpcd-base"
					 : "ca-certificates, or give --ca=FILE");
	}
	return 0;
}

int media_settle(const struct pack_options *o, struct media *media,
		 struct pack_result *ret, struct error *err)
{
	if (settings_make(o, ret, media->kept, &media->config, err) < 0 ||
	    make_cmdline(o, ret, err) < 0)
		return -1;
	media->cmdline = ret->cmdline;
	media->seed = make_seed(o, media, ret);
	ret->config_size = media->config.len;
	ret->uki = o->sign_key != NULL;
	return ret->uki ? make_uki(o, media, err) : 0;
}

static int write_medium(const struct pack_options *o, struct media *media,
			struct pack_result *ret, struct error *err)
{
	int result;

	if (media_read(ret->set.kernel_path, "linux-image-amd64", &media->kernel, err) <
		    0 ||
	    add_microcode(o, ret, &media->initrd, err) < 0 ||
	    read_initrd(&ret->set, &media->initrd, err) < 0)
		return -1;
	ret->kernel_size = media->kernel.len;
	ret->initrd_size = media->initrd.len;
	/* Over a network nothing but the initramfs is sure to come. */
	if (o->kind == PACK_FOLDER) {
		pad_archive(&media->initrd);
		if (root_archive(&ret->set, &media->initrd, err) < 0)
			return -1;
	}
	if (o->update)
		return media_settle(o, media, ret, err) < 0
			       ? -1
			       : update_write(o, media, ret, err);
	result = o->kind == PACK_ISO	  ? iso_write(o, media, ret, err)
		 : o->kind == PACK_FOLDER ? network_write(o, media, ret, err)
					  : stick_write(o, media, ret, err);
	/* What failed is a part of it: "there" is where it is written. */
	if (result < 0 && err && err->code == ERROR_FAILED &&
	    (!err->subject || strcmp(err->subject, o->output) != 0))
		error_wrap(err, o->output, "cannot be made");
	return result;
}

static int check_output(const struct pack_options *o, struct error *err)
{
	struct stat st;

	/* A file that is called a folder is there, too. */
	if (o->update || (lstat(o->output, &st) < 0 && errno != ENOTDIR))
		return 0;
	error_set(err, ERROR_FAILED, o->output, "exists already");
	return error_remedy(err, "remove it or give another name");
}

static bool is_golden(const struct goldens *goldens, const char *name)
{
	vec_foreach (golden, goldens)
		if (strcmp(golden->name, name) == 0)
			return true;
	return false;
}

/* A list of names by commas, of images that there are. */
static int check_start(const char *list, const struct goldens *goldens, struct error *err)
{
	size_t count = 0;

	do {
		size_t len = strcspn(list, ",");
		_cleanup_free_ char *name = xstrndup(list, len);

		if (!is_golden(goldens, name) || ++count > GOLDENS_AT_ONCE) {
			error_set(err, ERROR_USAGE, "--start",
				  "no image of this medium is called \"%s\", or they are "
				  "too many",
				  name);
			return error_remedy(err,
					    "give names of images by commas, %u at "
					    "most",
					    GOLDENS_AT_ONCE);
		}
		list += len;
	} while (*list++ == ',');
	return 0;
}

/* What is started unless others are chosen: as is said, or as the medium has it.
 * Caller's. */
static int choose_start(const struct pack_options *o, const struct media_files *kept,
			const struct goldens *goldens, char **ret, struct error *err)
{
	bool anew = o->init->len || o->persist;

	*ret = NULL;
	if (o->start && check_start(o->start, goldens, err) < 0)
		return -1;
	if (o->start)
		*ret = xstrdup(o->start);
	else if (o->update && !anew)
		*ret = settings_start(kept);
	if (*ret && !o->start && check_start(*ret, goldens, NULL) < 0)
		free(steal_ptr(*ret));
	return 0;
}

static void add_warnings(const struct pack_options *o, struct pack_result *ret)
{
	vec_foreach (golden, &ret->images)
		vec_foreach (note, &golden->notes) {
			char *text = xasprintf("%s: %s", golden->name, *note);

			vec_push(&ret->warnings, text);
		}
	if (ret->uki && ret->images.len > 1 && !o->start)
		strings_push(&ret->warnings,
			     "a signed kernel starts the first image: firmware offers no "
			     "choice (--start has another, or several)");
	if (!ret->profiles)
		strings_push(&ret->warnings, "no profile is in it: GILD_PROFILES names "
					     "folders that have some");
	if (!ret->images.len && !o->update)
		strings_push(&ret->warnings, "there is no golden image on it");
}

int pack_run(const struct pack_options *o, struct pack_result *ret, struct error *err)
{
	_cleanup_(media_files_free) struct media_files kept = VEC_INIT;
	_cleanup_(temp_folder_removep) char *work = NULL;
	_cleanup_(goldens_free) struct goldens old = VEC_INIT;
	_cleanup_free_ char *start = NULL;
	struct media media = {.set = &ret->set, .goldens = &ret->images};
	int result;

	ret->set.initrd = ret->set.root = -1;
	ret->slot = !o->update && o->kind == PACK_DISK ? 'a' : 0;
	if (check_output(o, err) < 0 ||
	    (o->update && update_open(o, &kept, &ret->slot, err) < 0) ||
	    open_images(o, ret, err) < 0)
		return -1;
	if (o->update) {
		settings_images(&kept, &old);
		media.goldens = &old;
	}
	if (choose_start(o, &kept, media.goldens, &start, err) < 0)
		return -1;
	media.start = start;
	if (boot_set_make(&o->boot, &ret->set, err) < 0 ||
	    check_streams(o, ret, err) < 0 || count_losses(o, ret, err) < 0)
		return -1;
	work = temp_folder_make(o->update ? NULL : o->output, err);
	if (!work)
		return -1;
	media.work = work;
	media.kept = o->update ? &kept : NULL;
	result = write_medium(o, &media, ret, err);
	if (result == 0)
		add_warnings(o, ret);
	buffer_free(&media.kernel);
	buffer_free(&media.initrd);
	buffer_free(&media.config);
	buffer_free(&media.uki);
	return result;
}
