/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an INF asks for is checked before anything is changed: names and sizes that the
 * registry or the file system cannot hold, and driver binaries for another machine. A
 * package that fails is refused alone.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "injector/package.h"
#include "injector/signing.h"
#include "windows/pe.h"

/* Windows' limits: 255 characters a key name, 512 levels, of which ours start deeper. */
#define KEY_NAME_MAX 255u
#define KEY_DEPTH_MAX 400u
#define VALUE_DATA_MAX (1u << 20)
/* PE headers lie at the start of a file; a DOS stub of more is not seen in the field. */
#define PE_HEAD_SIZE 65536u

/* ---- names and sizes --------------------------------------------------------------- */

static bool key_fits(const char *key)
{
	unsigned depth = 0;

	for (const char *p = key; *p; p += *p == '\\') {
		size_t n = strcspn(p, "\\");
		_cleanup_free_ char *name = xstrndup(p, n);

		if (utf16_units(name) > KEY_NAME_MAX || ++depth > KEY_DEPTH_MAX)
			return false;
		p += n;
	}
	return true;
}

static bool regs_fit(struct package *package, const struct inf_regs *regs)
{
	vec_foreach (reg, regs) {
		if (key_fits(reg->key) && reg->data.len <= VALUE_DATA_MAX)
			continue;
		package_decide(package, PACKAGE_REFUSED,
			       "%s:%u: the registry cannot hold %s", package->inf_name,
			       reg->line,
			       key_fits(reg->key) ? "a value of that size"
						  : "a key of that name");
		return false;
	}
	return true;
}

static bool services_fit(struct package *package, const struct inf_configuration *c)
{
	vec_foreach (service, &c->services) {
		/* Real files name what cannot be for DelService: there is none then. */
		if (service->remove)
			continue;
		if (!regs_fit(package, &service->regs) ||
		    !regs_fit(package, &service->eventlog))
			return false;
		if (!strpbrk(service->name, "\\/") && key_fits(service->name) &&
		    (!service->eventlog_name || key_fits(service->eventlog_name)))
			continue;
		package_decide(package, PACKAGE_REFUSED,
			       "%s:%u: that is no name for a service", package->inf_name,
			       service->line);
		return false;
	}
	return true;
}

static bool path_fits(struct package *package, const char *path, unsigned line)
{
	_cleanup_error_ struct error why = ERROR_INIT;

	if (tree_path_check(path, &why) == 0)
		return true;
	package_decide(package, PACKAGE_REFUSED, "%s:%u: \"%s\" %s", package->inf_name,
		       line, path, why.reason);
	return false;
}

static bool files_fit(struct package *package, const struct inf_files *files,
		      enum windows_arch arch)
{
	vec_foreach (file, files) {
		_cleanup_free_ char *to = NULL, *stored = NULL;

		if (file->source_path) {
			stored = xasprintf("%s/%s", package->store, file->source_path);
			if (!path_fits(package, stored, file->line))
				return false;
		}
		to = file_destination(file, arch);
		if (to && !path_fits(package, to, file->line))
			return false;
	}
	return true;
}

void package_check_limits(struct package *package, enum windows_arch arch)
{
	const struct driver *driver = package->driver;
	bool fits = files_fit(package, &driver->source_files, arch) &&
		    regs_fit(package, &driver->class_regs) &&
		    path_fits(package, package->inf_name, 1) &&
		    (!driver->catalog || path_fits(package, driver->catalog, 1));

	vec_foreach (c, &driver->configurations) {
		fits = fits && files_fit(package, &c->files, arch) &&
		       regs_fit(package, &c->regs) && regs_fit(package, &c->hw_regs) &&
		       services_fit(package, c);
		vec_foreach (interface, &c->interfaces)
			fits = fits && regs_fit(package, &interface->regs);
		if (fits && !key_fits(c->name)) {
			package_decide(
				package, PACKAGE_REFUSED,
				"%s:%u: the registry cannot hold a section of that "
				"name",
				package->inf_name, c->line);
			fits = false;
		}
	}
}

char *file_destination(const struct inf_file *file, enum windows_arch arch)
{
	const char *folder = driver_dirid_path(file->dirid, arch);
	char *path;

	if (!folder || !file->name || !*file->name)
		return NULL;
	path = xasprintf("%s%s%s%s%s", folder, *folder ? "/" : "", file->subdir,
			 *file->subdir ? "/" : "", file->name);
	for (char *c = path; *c; c++)
		if (*c == '\\')
			*c = '/';
	return path;
}

/* ---- driver binaries --------------------------------------------------------------- */

/* The machine that an executable is for; ARCH_UNKNOWN if it is none. */
static int binary_arch(const struct package *package, const struct package_file *file,
		       struct tree *tree, enum windows_arch *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (!file->host) {
		if (package_read(package, file, tree, SIZE_MAX, &data, err) < 0)
			return -1;
	} else {
		fd = open(file->host, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, file->host, "cannot be opened");
		n = pread(fd, buffer_reserve(&data, PE_HEAD_SIZE), PE_HEAD_SIZE, 0);
		if (n < 0)
			return error_errno(err, file->host, "cannot be read");
		data.len = (size_t)n;
	}
	*ret = pe_arch(buffer_view(&data));
	return 0;
}

const struct package_file *package_driver_file(const struct package *package,
					       const struct inf_service *service)
{
	/* Only kernel and file system drivers: types 1, 2, 8. */
	if (service->remove || !service->binary || (service->type & ~0xBu) ||
	    service->type == 0)
		return NULL;
	return package_file(package, path_base(service->binary));
}

int package_check_binaries(struct package *package, struct tree *tree,
			   const struct target *target, bool critical, struct error *err)
{
	vec_foreach (configuration, &package->driver->configurations) {
		vec_foreach (service, &configuration->services) {
			const struct package_file *file =
				package_driver_file(package, service);
			enum windows_arch arch = ARCH_UNKNOWN;

			if (!file)
				continue;
			if (binary_arch(package, file, tree, &arch, err) < 0)
				return -1;
			if (arch == target->arch)
				continue;
			if (!critical)
				package_remark(
					package, "%s is %s%s", file->path,
					arch == ARCH_UNKNOWN ? "no executable" : "for ",
					arch == ARCH_UNKNOWN ? "" : arch_name(arch));
			else if (arch == ARCH_UNKNOWN)
				package_decide(package, PACKAGE_REFUSED,
					       "%s is no executable, and Windows would "
					       "have to start from it",
					       file->path);
			else
				package_decide(package, PACKAGE_REFUSED,
					       "%s is for %s, the image is %s",
					       file->path, arch_name(arch),
					       arch_name(target->arch));
		}
	}
	return critical && package->verdict == PACKAGE_ADDED
		       ? signing_check_boot(package, tree, target, err)
		       : 0;
}
