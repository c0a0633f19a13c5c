/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The order in which an image is looked at: what lies under its trees first, by bytes,
 * then each Windows in it. What cannot be opened ends its own part of the work only.
 */
#include "builder/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/progress.h"
#include "block/container.h"
#include "builder/verify_private.h"

/* ---- findings ------------------------------------------------------------------------
 */

const char *verify_severity_name(enum verify_severity severity)
{
	static const char *const names[] = {
		[VERIFY_NOTE] = "note",
		[VERIFY_WARNING] = "warning",
		[VERIFY_ERROR] = "error",
	};

	return names[severity];
}

void verify_report_free(struct verify_report *report)
{
	vec_foreach (finding, &report->findings) {
		free(finding->subject);
		free(finding->message);
		free(finding->remedy);
	}
	vec_free(&report->findings);
	strings_free(&report->checked);
	free(report->format);
}

void verify_add(struct verify *v, const char *code, enum verify_severity severity,
		const char *subject, const char *remedy, const char *fmt, ...)
{
	struct verify_finding finding = {.code = code,
					 .severity = severity,
					 .index = v->index,
					 .subject = xstrdup(subject),
					 .remedy = xstrdup(remedy)};
	va_list ap;

	va_start(ap, fmt);
	finding.message = xvasprintf(fmt, ap);
	va_end(ap);
	vec_push(&v->report->findings, finding);
}

void verify_add_error(struct verify *v, const char *code, enum verify_severity severity,
		      const char *subject, const char *remedy, struct error *error)
{
	verify_add(v, code, severity, subject, error->remedy ? error->remedy : remedy,
		   "%s", error->reason ? error->reason : "cannot be read");
	error_clear(error);
}

void verify_checked(struct verify *v, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	strings_push(&v->report->checked, text);
}

char *verify_partition_name(const struct partition *partition)
{
	return partition->number ? xasprintf("partition %u", partition->number)
				 : xstrdup("the volume");
}

/* The worst first; within a severity the order of discovery stays. */
static void sort_findings(struct verify_report *report)
{
	struct verify_findings sorted = VEC_INIT;

	for (int severity = VERIFY_ERROR; severity >= VERIFY_NOTE; severity--)
		vec_foreach (finding, &report->findings)
			if ((int)finding->severity == severity)
				vec_push(&sorted, *finding);
	vec_free(&report->findings);
	report->findings = sorted;
	vec_foreach (finding, &report->findings) {
		report->errors += finding->severity == VERIFY_ERROR;
		report->warnings += finding->severity == VERIFY_WARNING;
		report->notes += finding->severity == VERIFY_NOTE;
	}
}

/* ---- disks: what lies under the trees ------------------------------------------------
 */

static int check_volume(struct verify *v, const struct partition *partition,
			struct error *err)
{
	_cleanup_free_ char *name = verify_partition_name(partition);
	_cleanup_block_ struct block *volume = NULL;
	struct volume_info info;

	volume = block_window_open(v->disk, partition->offset, partition->size,
				   xasprintf("%s, %s", v->path, name), err);
	if (!volume || volume_recognise(volume, partition, &info, err) < 0)
		return -1;
	if (info.kind == VOLUME_FAT)
		return verify_fat(v, partition, volume, err);
	if (info.kind == VOLUME_NTFS) {
		if (verify_ntfs(v, partition, volume, err) < 0)
			return -1;
		return v->options->deep ? verify_ntfs_deep(v, partition, volume, err) : 0;
	}
	if (partition_is_esp(partition)) {
		verify_add(v, "esp_damaged", VERIFY_ERROR, name, VERIFY_BUILD_AGAIN,
			   "the EFI system partition holds no FAT volume (%s): the "
			   "firmware finds nothing to start",
			   info.name);
		return 0;
	}
	/* A backup of the boot sector in the last sector says what it was. */
	return info.kind == VOLUME_UNKNOWN || info.kind == VOLUME_EMPTY
		       ? verify_ntfs(v, partition, volume, err)
		       : 0;
}

static int check_disk(struct verify *v, const struct image_options *image,
		      struct error *err)
{
	_cleanup_container_ struct container container = {0};
	_cleanup_error_ struct error why = ERROR_INIT;
	int result;

	if (container_probe(v->path, image->allow_backing, &container, &why) < 0) {
		verify_add_error(v, "container_damaged", VERIFY_ERROR, v->path,
				 VERIFY_COPY_AGAIN, &why);
		return 0;
	}
	if (container.format == CONTAINER_NONE)
		return 0;
	v->disk = container_open(&container, false, err);
	if (!v->disk)
		return -1;
	result = verify_table(v, err);
	if (result == 0 && v->has_table)
		vec_foreach (partition, &v->table.partitions) {
			result = interrupted() ? error_interrupted(err)
					       : check_volume(v, partition, err);
			if (result < 0)
				break;
		}
	block_close(v->disk);
	v->disk = NULL;
	return result;
}

/* ---- a Windows -----------------------------------------------------------------------
 */

/* What the volume says of its own state: it is read, but a start may change it. */
static void check_volume_state(struct verify *v, struct image *image, size_t i)
{
	_cleanup_free_ char *name = NULL;
	const struct image_info *info = image_info(image, i);

	name = info->partition ? xasprintf("partition %u", info->partition)
			       : xstrdup("the volume");
	vec_foreach (problem, image_problems(image, i))
		verify_add(v, problem->code, VERIFY_WARNING, name, problem->remedy, "%s",
			   problem->message);
}

static size_t count_errors(const struct verify_report *report)
{
	size_t count = 0;

	vec_foreach (finding, &report->findings)
		count += finding->severity == VERIFY_ERROR;
	return count;
}

/* A part that could not go on: what it fell over is damaged. The next part goes on. */
static int still(struct verify *v, struct tree *tree, int result, struct error *why,
		 struct error *err)
{
	if (result < 0 && why->code == ERROR_INTERRUPTED)
		return error_move(err, why);
	if (result < 0) {
		_cleanup_free_ char *subject = steal_ptr(why->subject);

		verify_add_error(v, "tree_damaged", VERIFY_ERROR,
				 subject ? subject : tree_name(tree), VERIFY_COPY_AGAIN,
				 why);
	}
	return 0;
}

static int check_windows(struct verify *v, struct image *image, size_t i,
			 struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT, hives = ERROR_INIT;
	_cleanup_registry_ struct registry *registry = NULL;
	_cleanup_installation_ struct installation *installation = NULL;
	struct tree *tree = image_tree(image, i, &why);
	size_t errors;

	if (!tree) {
		verify_add_error(v, "tree_damaged", VERIFY_ERROR, v->path,
				 VERIFY_COPY_AGAIN, &why);
		return 0;
	}
	registry = registry_open(tree, true);
	installation = installation_open(tree, registry, &why);
	if (!installation && why.code == ERROR_INTERRUPTED)
		return error_move(err, &why);
	errors = count_errors(v->report);
	if (tree_stat(tree, "Windows/System32/config", NULL, NULL) > 0 &&
	    still(v, tree, verify_hives(v, tree, registry, &hives), &hives, err) < 0)
		return -1;
	/* A hive that cannot be read was named there. */
	if (!installation && count_errors(v->report) > errors)
		return 0;
	if (!installation) {
		verify_add_error(v,
				 tree_stat(tree, "Windows", NULL, NULL) > 0
					 ? "windows_unreadable"
					 : "no_windows",
				 VERIFY_ERROR, tree_name(tree),
				 "name an image that holds a Windows", &why);
		return 0;
	}
	if (still(v, tree, verify_system_files(v, tree, installation, &why), &why, err) <
		    0 ||
	    still(v, tree, verify_state(v, tree, registry, installation, &why), &why,
		  err) < 0 ||
	    still(v, tree, verify_drivers(v, tree, registry, installation, &why), &why,
		  err) < 0)
		return -1;
	if (!image_is_disk(image))
		return 0;
	return still(v, tree, verify_boot(v, image, i, tree, installation, &why), &why,
		     err);
}

static int check_all(struct verify *v, struct image *image,
		     const struct image_positions *positions, struct error *err)
{
	size_t done = 0;

	vec_foreach (position, positions) {
		if (interrupted())
			return error_interrupted(err);
		progress_report("verifying", done++, positions->len);
		v->index = image_info(image, *position)->index;
		if (image_is_disk(image))
			check_volume_state(v, image, *position);
		if (check_windows(v, image, *position, err) < 0)
			return -1;
	}
	progress_report("verifying", positions->len, positions->len);
	v->index = 0;
	return 0;
}

static int check_image(struct verify *v, struct image *image, struct error *err)
{
	struct image_positions positions = VEC_INIT;
	const char *index = v->options->index;
	bool wim = strcmp(image_provider(image), "wim") == 0;
	int result = 0;

	/* A disk without any Windows has nothing to choose from: that is a finding. */
	if (!image_count(image))
		verify_add(v, "no_windows", VERIFY_ERROR, v->path,
			   "name an image that holds a Windows",
			   "no volume of the disk holds a Windows");
	else if (image_select(image, index ? index : "all", &positions, err) < 0)
		result = -1;
	if (result == 0 && wim)
		result = verify_wim(v, image, &positions, err);
	if (result == 0)
		result = check_all(v, image, &positions, err);
	if (result == 0 && wim && v->options->deep)
		result = verify_wim_deep(v, image, err);
	vec_free(&positions);
	return result;
}

/*
 * What does not open is damaged, and that is the answer, unless nobody can say: it is not
 * there, in use, locked by a key, or no image at all.
 */
static bool is_damage(const struct error *why)
{
	return why->code == ERROR_FAILED;
}

static int verify_opened(struct verify *v, const struct image_options *options,
			 struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	_cleanup_image_ struct image *image = NULL;
	struct stat st;
	bool folder;

	if (stat(v->path, &st) < 0 || access(v->path, R_OK) < 0)
		return error_errno(err, v->path, "cannot open");
	folder = S_ISDIR(st.st_mode);
	/* First of all: it finishes what an interrupted edit left. */
	image = image_open(v->path, options, &why);
	if (!image && !is_damage(&why))
		return error_move(err, &why);
	if (image)
		v->report->format = xstrdup(image_format(image));
	if (!folder && (!image || image_is_disk(image)) &&
	    check_disk(v, options, err) < 0)
		return -1;
	if (image)
		return check_image(v, image, err);
	/* A damaged container was found above, too. */
	vec_foreach (finding, &v->report->findings)
		if (why.reason && strcmp(finding->message, why.reason) == 0)
			return 0;
	verify_add_error(v, "image_damaged", VERIFY_ERROR, v->path, VERIFY_COPY_AGAIN,
			 &why);
	return 0;
}

int verify_image(const char *path, const struct image_options *image,
		 const struct verify_options *options, struct verify_report *ret,
		 struct error *err)
{
	struct verify v = {.options = options, .path = path, .report = ret};
	int result;

	*ret = (struct verify_report){0};
	result = verify_opened(&v, image, err);
	partition_table_free(&v.table);
	sort_findings(ret);
	return result;
}
