/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The boot path: what the boot loader and the kernel look at before any driver of the
 * system volume can be read. Start, StartOverride, load order group, file and its
 * architecture of a service; the filters on storage; what every PC needs whatever its
 * controller; the HAL of old Windows.
 */
#include "base/text.h"
#include "check/check_private.h"
#include "windows/pe.h"

#define MAX_DRIVER_FILE ((size_t)64 << 20)

/* Setup classes between a controller and the system volume, by their fixed GUIDs. */
static const char *const storage_classes[] = {
	"{4d36e97b-e325-11ce-bfc1-08002be10318}", /* SCSIAdapter */
	"{4d36e96a-e325-11ce-bfc1-08002be10318}", /* HDC */
	"{4d36e967-e325-11ce-bfc1-08002be10318}", /* DiskDrive */
	"{71a27cdd-812a-11d0-bec7-08002be2092f}", /* Volume */
};

/* ---- one service --------------------------------------------------------------------
 */

/* NULL if the file is there and for this Windows, else why not. -1: error. */
static int check_file(struct check_image *image, const struct service *service,
		      char **reason, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	enum windows_arch arch, wanted = image->installation->target.arch;
	int present = service_file_present(image->tree, service, err);

	*reason = NULL;
	if (present < 0)
		return -1;
	if (!present) {
		*reason =
			xasprintf("the file of its service %s is missing", service->name);
		return 0;
	}
	if (!service->file || !service_is_driver(service))
		return 0;
	if (tree_read(image->tree, service->file, MAX_DRIVER_FILE, &data, NULL) < 0)
		return 0;
	arch = pe_arch(buffer_view(&data));
	/* What is no executable says nothing. */
	if (arch != ARCH_UNKNOWN && wanted != ARCH_UNKNOWN && arch != wanted)
		*reason = xasprintf("the file of its service %s is for %s, Windows is %s",
				    service->name, arch_name(arch), arch_name(wanted));
	return 0;
}

static int find_fault(struct check_image *image, const struct service *service,
		      struct judged_service *ret, struct error *err)
{
	if (service->start != SERVICE_BOOT) {
		ret->any_controller = true;
		ret->reason = xasprintf("its service %s is not started at boot "
					"(Start %d)",
					service->name, (int)service->start);
		return 0;
	}
	if (service->overridden) {
		ret->any_controller = true;
		ret->reason = xasprintf("its service %s is switched off by StartOverride",
					service->name);
		return 0;
	}
	return check_file(image, service, &ret->reason, err);
}

static int judged_of(struct check_image *image, const struct service *service,
		     const struct judged_service **ret, struct error *err)
{
	struct judged_service judged = {.service = service};

	for (size_t i = 0; i < image->judged_services.len; i++) {
		*ret = &image->judged_services.items[i];
		if ((*ret)->service == service)
			return 0;
	}
	if (find_fault(image, service, &judged, err) < 0)
		return -1;
	vec_push(&image->judged_services, judged);
	*ret = &image->judged_services.items[image->judged_services.len - 1];
	return 0;
}

static int group_order(const struct check_image *image, const char *group)
{
	for (size_t i = 0; group && i < image->group_order.len; i++)
		if (text_equal(image->group_order.items[i], group))
			return (int)i;
	return -1;
}

/* A storage controller's service has to be started by the boot loader. */
int judge_service(struct check_image *image, struct check_device *d, struct error *err)
{
	const struct service *service = services_find(&image->services, d->service);
	const struct judged_service *judged;

	if (!service) {
		set_reason(d, CHECK_BLOCKED,
			   xasprintf("its service %s is not in the control set",
				     d->service));
		return 0;
	}
	if (judged_of(image, service, &judged, err) < 0)
		return -1;
	d->record = service;
	d->group_order = group_order(image, service->group);
	if (judged->reason) {
		d->any_controller = judged->any_controller;
		set_reason(d, CHECK_BLOCKED, xstrdup(judged->reason));
	}
	return 0;
}

/* ---- one device ---------------------------------------------------------------------
 */

/* The filters that the package puts on its device are part of the path. */
static int judge_filters(struct check_image *image, const struct db_configuration *c,
			 struct check_device *d, struct error *err)
{
	const struct strings *const lists[] = {&c->upper_filters, &c->lower_filters};

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		vec_foreach (name, lists[l]) {
			struct check_device filter = {.service = *name};

			if (d->verdict != CHECK_OK || !**name)
				continue;
			if (judge_service(image, &filter, err) < 0)
				return -1;
			if (filter.verdict != CHECK_OK)
				set_reason(
					d, CHECK_BLOCKED,
					xasprintf("filter %s: %s", *name, filter.reason));
			free(filter.reason);
		}
	}
	return 0;
}

/* The synthetic bus of Hyper-V is a device of its own, which has to be there before. */
static int judge_parent(struct check_image *image, struct check_device *d,
			struct error *err)
{
	static const char *const ids[] = {"ACPI\\VMBUS", "*VMBUS", "VMBUS"};

	if (!d->matched || !text_starts_with(d->matched, "VMBUS\\"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		_cleanup_device_ids_ struct device_ids list = {0};
		struct check_device bus = {0};
		struct choice best;
		int result;

		strings_push(&list.hardware, ids[i]);
		best = choose(image, &list, NULL);
		if (!best.candidate)
			continue;
		bus.matched = best.id;
		result =
			judge_boot(image, &image->packages.items[best.candidate->package],
				   &bus, err);
		if (result == 0 && bus.verdict != CHECK_OK) {
			d->any_controller = bus.any_controller;
			set_reason(d, CHECK_BLOCKED,
				   xasprintf("its bus VMBus: %s", bus.reason));
		}
		free(bus.reason);
		return result;
	}
	return 0;
}

/* 0x80 and above: no signature that Windows accepts. */
static bool package_unsigned(const struct indexed_package *package)
{
	return !package->inbox && package->signer_score >= 0x80000000;
}

int judge_boot(struct check_image *image, struct indexed_package *package,
	       struct check_device *d, struct error *err)
{
	const struct db_configuration *configuration;

	if (!package->reflected) {
		d->any_controller = true;
		set_reason(d, CHECK_BLOCKED,
			   xasprintf("%s is only staged: Windows would install it after "
				     "it has started",
				     package->inf));
		return 0;
	}
	d->is_unsigned = package_unsigned(package);
	if (package_configuration(package, d->matched, &configuration, err) < 0)
		return -1;
	if (!configuration || !configuration->service || !*configuration->service)
		return 0;
	d->service = configuration->service;
	if (judge_service(image, d, err) < 0)
		return -1;
	if (d->verdict == CHECK_OK && judge_filters(image, configuration, d, err) < 0)
		return -1;
	return d->verdict == CHECK_OK ? judge_parent(image, d, err) : 0;
}

/* ---- what every PC needs --------------------------------------------------------------
 */

static void set_broken(struct check_image *image, char *reason, bool any_controller)
{
	if (image->broken) {
		free(reason);
		return;
	}
	image->broken = reason;
	image->broken_any_controller = any_controller;
}

/* A device that every PC has; an image that knows no driver of it is not judged by it. */
static int judge_common(struct check_image *image, const char *id, const char *name,
			struct error *err)
{
	_cleanup_device_ids_ struct device_ids ids = {0};
	struct check_device d = {.group_order = -1};
	struct claimed_id *claim;
	struct choice best;
	int result = 0;

	strings_push(&ids.hardware, id);
	claim = id_map_get(&image->ids, id);
	best = choose(image, &ids, NULL);
	if (image->legacy && claim && claim->critical && claim->service) {
		d.service = claim->service;
		result = judge_service(image, &d, err);
	} else if (!image->legacy && best.candidate) {
		d.matched = best.id;
		result = judge_boot(
			image, &image->packages.items[best.candidate->package], &d, err);
	}
	if (result == 0 && d.verdict != CHECK_OK)
		set_broken(image, xasprintf("%s: %s", name, d.reason), d.any_controller);
	free(d.reason);
	return result;
}

/* A class filter that does not start keeps every device of its class from starting. */
static int judge_class(struct check_image *image, const char *guid_text,
		       struct error *err)
{
	_cleanup_device_class_ struct device_class class = {0};
	const struct strings *const lists[] = {&class.upper_filters,
					       &class.lower_filters};
	struct guid guid;
	int found;

	if (!guid_parse(guid_text, &guid))
		return 0;
	found = device_class_read(image->system, image->installation->control_set, &guid,
				  &class, err);
	if (found <= 0)
		return found;
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		vec_foreach (name, lists[l]) {
			struct check_device d = {.service = *name};

			if (!**name)
				continue;
			if (judge_service(image, &d, err) < 0)
				return -1;
			if (d.verdict != CHECK_OK)
				set_broken(image,
					   xasprintf("filter %s of class %s: %s", *name,
						     class.name ? class.name : guid_text,
						     d.reason),
					   false);
			free(d.reason);
		}
	}
	return 0;
}

/* A multiprocessor HAL with a uniprocessor kernel, or the other way round: stop 0x79. */
static int judge_hal(struct check_image *image, struct error *err)
{
	const struct target *target = &image->installation->target;
	const struct hal *hal = &image->hal;

	if (target_compare_version(target, 6, 0, 0) >= 0 &&
	    (target->arch != ARCH_X86 || target_compare_version(target, 6, 2, 0) >= 0))
		return 0;
	if (hal_read(image->tree, image->system, image->installation->control_set,
		     &image->hal, err) < 0)
		return -1;
	if (!hal->kind || !hal->kernel ||
	    hal->kind->multiprocessor == hal->kernel_multiprocessor)
		return 0;
	set_broken(image,
		   xasprintf("the HAL is %s (%s), the kernel is %s: stop 0x79",
			     hal->kind->text, hal->kind->file, hal->kernel),
		   false);
	return 0;
}

int judge_image(struct check_image *image, struct error *err)
{
	static const struct {
		const char *id, *name;
	} common[] = {
		{"*PNP0A08", "PCI bus"}, {"*PNP0A03", "PCI bus"}, {"GenDisk", "disks"}};
	_cleanup_free_ char *path = xasprintf("%s\\Control\\ServiceGroupOrder",
					      image->installation->control_set);
	hkey key = hive_find(image->system, hive_root(image->system), path);

	if (key)
		hive_get_strings(image->system, key, "List", &image->group_order);
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		if (judge_common(image, common[i].id, common[i].name, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(storage_classes); i++)
		if (judge_class(image, storage_classes[i], err) < 0)
			return -1;
	return judge_hal(image, err);
}
