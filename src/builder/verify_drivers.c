/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drivers: what the inspection of the installation found, whether a controller of the
 * target (or of the usual kinds) has a driver that starts at boot, and whether the files
 * of all boot-start drivers are of this Windows' architecture and signed as it demands.
 */
#include "base/text.h"
#include "builder/verify_private.h"
#include "check/check.h"
#include "sign/signature.h"
#include "windows/boot_storage.h"
#include "windows/pe.h"

#define CATALOGS "Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
#define MAX_DRIVER ((size_t)256 << 20)

/* ---- what the inspection found -------------------------------------------------------
 */

/*
 * An error of the inspection stops Windows only if it stands in the way of the boot: the
 * rest spoils a package. Whether a storage driver is missed is asked of the controllers.
 */
static enum verify_severity severity_of(const struct problem *problem)
{
	static const char *const fatal[] = {
		"driver_file_missing",
		"filter_missing",
		"driver_database_missing",
	};

	if (problem->severity == PROBLEM_INFO)
		return VERIFY_NOTE;
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		if (problem->severity == PROBLEM_ERROR &&
		    strcmp(problem->code, fatal[i]) == 0)
			return VERIFY_ERROR;
	return VERIFY_WARNING;
}

/* The hives and the volume have their own words here. */
static bool said_elsewhere(const char *code)
{
	return text_starts_with(code, "hive_") || strcmp(code, "software_missing") == 0;
}

static void take_problems(struct verify *v, const char *subject,
			  const struct installation *installation)
{
	vec_foreach (problem, &installation->problems)
		if (!said_elsewhere(problem->code))
			verify_add(v, problem->code, severity_of(problem), subject,
				   problem->remedy ? problem->remedy
						   : "nothing: it is to be known only",
				   "%s", problem->message);
}

/* ---- controllers ---------------------------------------------------------------------
 */

/* One of each kind that PCs and virtual machines have, by IDs that the bus reports. */
static const struct {
	const char *id, *name;
} usual[] = {
	{"PCI\\VEN_8086&DEV_A102&SUBSYS_00000000&REV_31&CC_010601", "AHCI (SATA)"},
	{"PCI\\VEN_144D&DEV_A808&SUBSYS_A801144D&REV_00&CC_010802", "NVMe"},
	{"PCI\\VEN_8086&DEV_7010&SUBSYS_11001AF4&REV_00&CC_010180", "IDE (PIIX)"},
	{"PCI\\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00&CC_010000", "virtio-blk"},
	{"PCI\\VEN_1AF4&DEV_1004&SUBSYS_00081AF4&REV_00&CC_010000", "virtio-scsi"},
};

/* Software that looks like a controller (storage pools) starts from no disk itself. */
static bool is_hardware(const struct boot_candidate *candidate)
{
	vec_foreach (id, &candidate->ids)
		if (!text_starts_with(*id, "Root\\"))
			return true;
	return false;
}

/* Any controller's driver that starts: that of the PC it was installed on, perhaps. */
static int starts_any(struct tree *tree, struct registry *registry,
		      const struct installation *installation, struct error *err)
{
	_cleanup_boot_candidates_ struct boot_candidates found = VEC_INIT;

	if (boot_storage_find(tree, registry, installation->control_set, &found, err) < 0)
		return -1;
	vec_foreach (c, &found)
		if (c->role == BOOT_CONTROLLER && c->present && !c->other_boot &&
		    c->service.start == SERVICE_BOOT && !c->service.overridden &&
		    is_hardware(c))
			return 1;
	return 0;
}

static int check_usual(struct verify *v, struct check_image *index, struct tree *tree,
		       struct registry *registry, const struct installation *installation,
		       struct error *err)
{
	const char *subject = tree_name(tree);
	int any;
	unsigned started = 0;

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		_cleanup_pc_ struct pc pc = PC_INIT;
		struct check_result result;

		vec_push(&pc.devices, windows_device(usual[i].id, usual[i].name));
		pc.devices.items[0].role = PC_BOOT_STORAGE;
		if (check_pc(index, &pc, true, &result, err) < 0)
			return -1;
		if (result.verdict == CHECK_BOOTS || result.verdict == CHECK_DEGRADED)
			started++;
		else if (result.devices.len &&
			 result.devices.items[0].verdict == CHECK_BLOCKED)
			verify_add(v, "controller_blocked", VERIFY_WARNING, subject,
				   result.remedy ? result.remedy
						 : "gild inject --any-controller",
				   "does not start from %s: %s", usual[i].name,
				   result.devices.items[0].reason);
		else
			verify_add(v, "controller_unsupported", VERIFY_NOTE, subject,
				   "inject its driver if such machines are to start",
				   "has no driver for %s", usual[i].name);
		check_result_free(&result);
	}
	any = started ? 1 : starts_any(tree, registry, installation, err);
	if (any < 0)
		return -1;
	if (!started)
		verify_add(v, "no_storage_driver", any ? VERIFY_WARNING : VERIFY_ERROR,
			   subject,
			   "gild inject --any-controller, or inject the controller's "
			   "driver",
			   "starts from no usual disk controller (AHCI, NVMe, IDE, "
			   "virtio)");
	return 0;
}

static int check_target(struct verify *v, struct check_image *index, const char *subject,
			struct error *err)
{
	const struct pc *pc = v->options->target;
	const char *label = pc->label ? pc->label : "the target";
	struct check_result result;

	if (check_pc(index, pc, false, &result, err) < 0)
		return -1;
	if (result.verdict == CHECK_FAILS)
		verify_add(v, "target_fails", VERIFY_ERROR, subject,
			   result.remedy ? result.remedy : "inject the driver for it",
			   "does not start on %s: %s", label, result.reason);
	else if (result.verdict == CHECK_UNDECIDED)
		verify_add(v, "target_undecided", VERIFY_WARNING, subject,
			   "give a profile that lists its storage controller",
			   "whether it starts on %s cannot be told: %s", label,
			   result.reason);
	vec_foreach (loss, &result.losses)
		verify_add(v, "target_loss", VERIFY_NOTE, subject,
			   "inject the device's driver", "on %s: no %s", label, *loss);
	check_result_free(&result);
	return 0;
}

static int check_controllers(struct verify *v, struct tree *tree,
			     struct registry *registry,
			     const struct installation *installation, struct error *err)
{
	struct check_image *index = check_image_open(tree, registry, installation, err);
	int result;

	if (!index)
		return -1;
	result = v->options->target
			 ? check_target(v, index, tree_name(tree), err)
			 : check_usual(v, index, tree, registry, installation, err);
	check_image_close(index);
	verify_checked(v, v->options->target ? "drivers of the target"
					     : "drivers of the usual controllers");
	return result;
}

/* ---- files of boot-start drivers -----------------------------------------------------
 */

static void judge_signature(struct verify *v, const char *path, bool fatal,
			    const struct signature *signature)
{
	if (signature->verdict == SIGNATURE_VALID)
		return;
	if (signature->verdict == SIGNATURE_UNTRUSTED)
		verify_add(v, "driver_untrusted", VERIFY_WARNING, path,
			   "inject a driver that Microsoft signed, or have the PCs trust "
			   "the signer",
			   "its signature leads to no root that Windows trusts by itself "
			   "(%s)",
			   signature->signer ? signature->signer : "signer not known");
	else
		verify_add(v, "driver_unsigned", fatal ? VERIFY_ERROR : VERIFY_WARNING,
			   path, "inject a signed version of the driver", "%s%s",
			   signature->verdict == SIGNATURE_UNSIGNED
				   ? "is not signed"
				   : "is not what was signed",
			   fatal ? ": Windows of 64 bits does not start with it" : "");
}

/* By its own signature, or else by the catalogs of the packages that own the service. */
static int check_signature(struct verify *v, struct tree *tree,
			   const struct service *service, struct bytes file, bool fatal,
			   struct error *err)
{
	struct signature own = {0}, decided = {.verdict = SIGNATURE_UNSIGNED};
	struct file_digests digests;

	signature_of_pe(file, service->file, &own);
	digest_file(file, DIGEST_SHA1 | DIGEST_SHA256, &digests);
	vec_foreach (owner, &service->owners) {
		_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
		_cleanup_catalog_ struct catalog *catalog = NULL;
		_cleanup_free_ char *path = NULL;
		unsigned number;
		int found;

		if (!oem_inf_number(*owner, &number))
			continue;
		path = xasprintf(CATALOGS "/oem%u.cat", number);
		found = tree_stat(tree, path, NULL, err);
		if (found < 0 ||
		    (found && tree_read(tree, path, CATALOG_SIZE_MAX, &raw, err) < 0)) {
			signature_free(&own);
			return -1;
		}
		catalog = found ? catalog_open(buffer_view(&raw), path, NULL) : NULL;
		if (!catalog || decided.verdict == SIGNATURE_VALID)
			continue;
		signature_free(&decided);
		decided = catalog_covers(catalog, &digests)
				  ? signature_copy(catalog_signature(catalog))
				  : (struct signature){.verdict = SIGNATURE_MISMATCH};
	}
	judge_signature(v, service->file, fatal,
			own.verdict == SIGNATURE_VALID ||
					decided.verdict == SIGNATURE_UNSIGNED
				? &own
				: &decided);
	signature_free(&own);
	signature_free(&decided);
	return 0;
}

static int check_driver(struct verify *v, struct tree *tree,
			const struct service *service, const struct target *target,
			struct error *err)
{
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	_cleanup_error_ struct error why = ERROR_INIT;
	bool fatal = target->arch == ARCH_AMD64 || target->arch == ARCH_ARM64;
	struct tree_stat st;
	int found = tree_stat(tree, service->file, &st, &why);
	enum windows_arch arch;

	/* A missing one was found by the inspection. */
	if (found == 0 || (found > 0 && st.type != TREE_FILE))
		return 0;
	if (found < 0 || tree_read(tree, service->file, MAX_DRIVER, &file, &why) < 0) {
		if (why.code == ERROR_INTERRUPTED)
			return error_move(err, &why);
		verify_add_error(v, "file_damaged", VERIFY_ERROR, service->file,
				 VERIFY_COPY_AGAIN, &why);
		return 0;
	}
	arch = pe_arch(buffer_view(&file));
	if (arch != target->arch && target->arch != ARCH_UNKNOWN)
		verify_add(v, "driver_arch", VERIFY_ERROR, service->file,
			   "inject the driver for this architecture",
			   "boot-start service %s has a driver that is %s, in a Windows "
			   "for %s",
			   service->name,
			   arch == ARCH_UNKNOWN ? "no executable" : arch_name(arch),
			   arch_name(target->arch));
	else if (service_is_third_party(service))
		return check_signature(v, tree, service, buffer_view(&file), fatal, err);
	return 0;
}

static int check_files(struct verify *v, struct tree *tree, struct registry *registry,
		       const struct installation *installation, struct error *err)
{
	_cleanup_services_ struct services services = VEC_INIT;
	_cleanup_(strings_free) struct strings paths = VEC_INIT;
	struct hive *system = registry_hive(registry, REGISTRY_SYSTEM, err);
	int result = 0;

	if (!system ||
	    services_read(system, installation->control_set, &services, err) < 0)
		return -1;
	vec_foreach (service, &services)
		if (service->start == SERVICE_BOOT && service_is_driver(service) &&
		    service->file && tree_path_check(service->file, NULL) == 0)
			strings_push(&paths, service->file);
	if (tree_prefetch(tree, &paths, err) < 0)
		return -1;
	vec_foreach (service, &services) {
		if (interrupted())
			return error_interrupted(err);
		if (service->start == SERVICE_BOOT && service_is_driver(service) &&
		    service->file && tree_path_check(service->file, NULL) == 0)
			result = check_driver(v, tree, service, &installation->target,
					      err);
		if (result < 0)
			return -1;
	}
	verify_checked(v, "%zu boot-start drivers", paths.len);
	return 0;
}

int verify_drivers(struct verify *v, struct tree *tree, struct registry *registry,
		   const struct installation *installation, struct error *err)
{
	take_problems(v, tree_name(tree), installation);
	if (check_files(v, tree, registry, installation, err) < 0)
		return -1;
	return check_controllers(v, tree, registry, installation, err);
}
