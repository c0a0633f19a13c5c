/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "injector/signing.h"

#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define CHUNK ((size_t)1 << 18)
/* Names of uncovered files that a reason lists before it says "and N more". */
#define UNCOVERED_SHOWN 4u
#define DER_SEQUENCE 0x30

/* What is known of one file on the host. */
struct known_file {
	char *path;
	struct file_digests digests;
	struct catalog *catalog; /* if it was asked for as one */
	struct signature as_catalog;
	bool has_embedded;
	struct signature embedded;
};

struct signing {
	enum unsigned_policy policy;
	void *known; /* tsearch() tree of known_file, by path */
};

bool unsigned_policy_parse(const char *text, enum unsigned_policy *ret)
{
	static const char *const names[] = {
		[UNSIGNED_WARN] = "warn",
		[UNSIGNED_REFUSE] = "refuse",
		[UNSIGNED_ALLOW] = "allow",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*ret = (enum unsigned_policy)i;
		return true;
	}
	return false;
}

uint32_t signature_score(const struct signature *signature)
{
	if (signature->verdict != SIGNATURE_VALID)
		return SIGNER_SCORE_UNSIGNED;
	switch (signature->kind) {
	case SIGNER_INBOX:
		return SIGNER_SCORE_INBOX;
	case SIGNER_WHQL:
	case SIGNER_ATTESTATION:
		return SIGNER_SCORE_WHQL;
	default:
		return SIGNER_SCORE_AUTHENTICODE;
	}
}

/* ---- what was read before -----------------------------------------------------------
 */

static int compare_known(const void *a, const void *b)
{
	const struct known_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static struct known_file *known(struct signing *signing, const char *path)
{
	struct known_file key = {.path = (char *)path}, *file;
	void **slot = tsearch(&key, &signing->known, compare_known);

	if (!slot)
		abort();
	if (*slot != &key)
		return *slot;
	file = xcalloc(1, sizeof(*file));
	file->path = xstrdup(path);
	*slot = file;
	return file;
}

static void known_free(void *item)
{
	struct known_file *file = item;

	free(file->path);
	catalog_close(file->catalog);
	signature_free(&file->as_catalog);
	signature_free(&file->embedded);
	free(file);
}

struct signing *signing_open(enum unsigned_policy policy)
{
	struct signing *signing = xcalloc(1, sizeof(*signing));

	signing->policy = policy;
	return signing;
}

enum unsigned_policy signing_policy(const struct signing *signing)
{
	return signing ? signing->policy : UNSIGNED_WARN;
}

void signing_close(struct signing *signing)
{
	if (!signing)
		return;
	tdestroy(signing->known, known_free);
	free(signing);
}

/* ---- digests ------------------------------------------------------------------------
 */

static int digest_host(const char *path, unsigned algorithms, struct file_digests *ret,
		       struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_buffer_ struct buffer chunk = BUFFER_INIT;
	struct digesting *digesting;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, path, "cannot be opened");
	buffer_reserve(&chunk, CHUNK);
	n = pread(fd, chunk.data, DIGEST_HEAD_SIZE, 0);
	if (n < 0)
		return error_errno(err, path, "cannot be read");
	digesting = digesting_begin((struct bytes){chunk.data, (size_t)n},
				    (uint64_t)st.st_size, algorithms);
	while ((n = read(fd, chunk.data, CHUNK)) > 0)
		digesting_add(digesting, chunk.data, (size_t)n);
	digesting_end(digesting, ret);
	return n < 0 ? error_errno(err, path, "cannot be read") : 0;
}

static void merge_digests(struct file_digests *all, const struct file_digests *more)
{
	if (more->present & DIGEST_SHA1)
		memcpy(all->sha1, more->sha1, sizeof(all->sha1));
	if (more->present & DIGEST_SHA256)
		memcpy(all->sha256, more->sha256, sizeof(all->sha256));
	all->present |= more->present;
	all->pe = more->pe;
}

/* The file's digests with these algorithms at least. */
static int digests_of(struct signing *signing, const struct package *package,
		      const struct package_file *file, struct tree *tree,
		      unsigned algorithms, struct file_digests *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct known_file *before;
	struct file_digests now;
	unsigned missing;

	if (!file->host) {
		if (package_read(package, file, tree, SIZE_MAX, &data, err) < 0)
			return -1;
		digest_file(buffer_view(&data), algorithms, ret);
		return 0;
	}
	before = known(signing, file->host);
	missing = algorithms & ~before->digests.present;
	if (missing) {
		if (digest_host(file->host, missing, &now, err) < 0)
			return -1;
		merge_digests(&before->digests, &now);
	}
	*ret = before->digests;
	return 0;
}

/*
 * 1 if the catalog has the file, 0, -1. Catalogs of today have each file twice: the
 * second digest is only computed where the first is not found.
 */
static int covered(struct signing *signing, const struct package *package,
		   const struct package_file *file, struct tree *tree,
		   const struct catalog *catalog, struct error *err)
{
	static const unsigned order[] = {DIGEST_SHA256, DIGEST_SHA1};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct file_digests digests;

		if (!(catalog_algorithms(catalog) & order[i]))
			continue;
		if (digests_of(signing, package, file, tree, order[i], &digests, err) < 0)
			return -1;
		if (catalog_covers(catalog, &digests))
			return 1;
	}
	return 0;
}

/* ---- the catalog --------------------------------------------------------------------
 */

static void open_catalog(struct bytes data, const char *name, struct catalog **ret,
			 struct signature *signature)
{
	*ret = catalog_open(data, name, NULL);
	if (*ret)
		*signature = signature_copy(catalog_signature(*ret));
	else if (data.len && *data.data == DER_SEQUENCE)
		signature_decide(signature, SIGNATURE_MISMATCH,
				 "%s: the catalog is damaged", name);
	else
		signature_decide(signature, SIGNATURE_UNSIGNED, "%s: is no catalog",
				 name);
}

static const struct package_file *catalog_file(const struct package *package)
{
	vec_foreach (file, &package->files)
		if (text_equal(file->path, package->catalog))
			return file;
	return NULL;
}

/* The catalog belongs to the cache; NULL if the file is none. */
static int host_catalog(struct signing *signing, const char *path, const char *name,
			const struct catalog **ret, struct signature *signature,
			struct error *err)
{
	struct known_file *file = known(signing, path);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file->as_catalog.verdict == SIGNATURE_UNCHECKED) {
		if (file_read(path, CATALOG_SIZE_MAX, &data, err) < 0)
			return -1;
		open_catalog(buffer_view(&data), name, &file->catalog, &file->as_catalog);
	}
	*ret = file->catalog;
	*signature = signature_copy(&file->as_catalog);
	return 0;
}

/* `own` is the catalog if it is the caller's to close (it came out of the image). */
static int read_catalog(struct signing *signing, const struct package *package,
			struct tree *tree, const struct catalog **ret,
			struct catalog **own, struct signature *signature,
			struct error *err)
{
	const struct package_file *file = catalog_file(package);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file->host)
		return host_catalog(signing, file->host, package->catalog, ret, signature,
				    err);
	if (package_read(package, file, tree, CATALOG_SIZE_MAX, &data, err) < 0)
		return -1;
	open_catalog(buffer_view(&data), package->catalog, own, signature);
	*ret = *own;
	return 0;
}

/* Sound signatures count for the package only if each of its files is in the catalog. */
static int check_files(struct signing *signing, struct package *package,
		       struct tree *tree, const struct catalog *catalog,
		       struct error *err)
{
	_cleanup_buffer_ struct buffer names = BUFFER_INIT;
	size_t missing = 0;

	vec_foreach (file, &package->files) {
		int found;

		if (text_equal(file->path, package->catalog))
			continue;
		found = covered(signing, package, file, tree, catalog, err);
		if (found < 0)
			return -1;
		if (found || missing++ >= UNCOVERED_SHOWN)
			continue;
		buffer_printf(&names, "%s%s", names.len ? ", " : "", file->path);
	}
	if (!missing)
		return 0;
	if (missing > UNCOVERED_SHOWN)
		buffer_printf(&names, " and %zu more", missing - UNCOVERED_SHOWN);
	_cleanup_free_ char *list = buffer_steal_string(&names);

	signature_decide(&package->signature, SIGNATURE_MISMATCH,
			 "%s is not what %s has the digest of", list, package->catalog);
	return 0;
}

static unsigned version_number(const char *text)
{
	unsigned major = 0, minor = 0;

	return sscanf(text, "%u.%u", &major, &minor) > 0 ? major << 16 | minor : 0;
}

/* Later Windows takes what was marked for an earlier one, not the other way round. */
static void check_windows(struct package *package, const struct catalog *catalog,
			  const struct target *target)
{
	unsigned image = (unsigned)target->major << 16 | (unsigned)target->minor;
	const char *first = NULL;

	vec_foreach (version, catalog_windows(catalog))
		if (!first || version_number(*version) < version_number(first))
			first = *version;
	if (first && version_number(first) > image)
		package_remark(package,
			       "its catalog %s is marked for Windows %s and later, the "
			       "image is %u.%u",
			       package->catalog, first, (unsigned)target->major,
			       (unsigned)target->minor);
}

static int check_catalog(struct signing *signing, struct package *package,
			 struct tree *tree, const struct target *target,
			 struct error *err)
{
	_cleanup_catalog_ struct catalog *own = NULL;
	const struct catalog *catalog = NULL;
	struct signature *s = &package->signature;

	if (!package->catalog) {
		if (package->driver->catalog)
			signature_decide(s, SIGNATURE_UNSIGNED,
					 "its catalog %s is not on the medium",
					 package->driver->catalog);
		else
			signature_decide(s, SIGNATURE_UNSIGNED,
					 "the INF names no catalog");
		return 0; /* the package has that remark already */
	}
	if (read_catalog(signing, package, tree, &catalog, &own, s, err) < 0)
		return -1;
	if (s->verdict == SIGNATURE_VALID || s->verdict == SIGNATURE_UNTRUSTED) {
		check_windows(package, catalog, target);
		if (check_files(signing, package, tree, catalog, err) < 0)
			return -1;
	}
	if (s->verdict != SIGNATURE_VALID)
		package_remark(package, "signature %s: %s",
			       signature_verdict_name(s->verdict), s->reason);
	return 0;
}

int signing_check(struct signing *signing, struct package *package, struct tree *tree,
		  const struct target *target, struct error *err)
{
	package->signing = signing;
	signature_free(&package->signature);
	if (check_catalog(signing, package, tree, target, err) < 0)
		return -1;
	package->signer_score = signature_score(&package->signature);
	if (signing->policy == UNSIGNED_REFUSE &&
	    package->signature.verdict != SIGNATURE_VALID)
		package_decide(package, PACKAGE_REFUSED, "signature %s: %s",
			       signature_verdict_name(package->signature.verdict),
			       package->signature.reason);
	return 0;
}

int signing_check_inf(struct signing *signing, struct source_media *media,
		      const struct media_inf *inf, const char *catalog,
		      struct signature *ret, struct error *err)
{
	const struct package_file file = {.host = inf->path};
	_cleanup_free_ char *path = NULL;
	const struct catalog *found = NULL;
	int in;

	*ret = (struct signature){0};
	if (!catalog) {
		signature_decide(ret, SIGNATURE_UNSIGNED, "the INF names no catalog");
		return 0;
	}
	path = media_find(media, inf->folder, catalog, err);
	if (!path)
		return err && err->code ? -1 : 0;
	if (host_catalog(signing, path, catalog, &found, ret, err) < 0)
		return -1;
	if (ret->verdict != SIGNATURE_VALID && ret->verdict != SIGNATURE_UNTRUSTED)
		return 0;
	in = covered(signing, NULL, &file, NULL, found, err);
	if (in == 0)
		signature_decide(ret, SIGNATURE_MISMATCH,
				 "the INF is not what %s has the digest of", catalog);
	return in < 0 ? -1 : 0;
}

/* ---- what Windows starts from -------------------------------------------------------
 *
 * Windows Vista and later for 64 bits start no kernel driver without a signature that
 * leads to one of Microsoft's roots (0xC0000428 names the file), and Microsoft's rule for
 * drivers of the boot phase is that the signature is in the file ("Driver Signing
 * Requirements", "embedded signature for boot-start drivers"): catalogs may not be
 * readable yet. In test mode (bcdedit /set testsigning on) any sound signature will do.
 */

static bool enforced(const struct target *target)
{
	return target->major >= 6 && target->arch != ARCH_X86;
}

static int embedded_of(struct signing *signing, const struct package *package,
		       const struct package_file *file, struct tree *tree,
		       struct signature *ret, struct error *err)
{
	struct known_file *before = file->host ? known(signing, file->host) : NULL;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (before && before->has_embedded) {
		*ret = signature_copy(&before->embedded);
		return 0;
	}
	if (package_read(package, file, tree, SIZE_MAX, &data, err) < 0)
		return -1;
	signature_of_pe(buffer_view(&data), file->path, ret);
	if (before) {
		before->embedded = signature_copy(ret);
		before->has_embedded = true;
	}
	return 0;
}

/* Is the file in a catalog whose signature is sound? 1, 0, -1. */
static int in_catalog(struct signing *signing, const struct package *package,
		      const struct package_file *file, struct tree *tree,
		      enum signature_verdict *verdict, struct error *err)
{
	_cleanup_catalog_ struct catalog *own = NULL;
	const struct catalog *catalog = NULL;
	struct signature s = {0};
	int result;

	if (!package->catalog)
		return 0;
	result = read_catalog(signing, package, tree, &catalog, &own, &s, err);
	*verdict = s.verdict;
	signature_free(&s);
	if (result < 0 ||
	    (*verdict != SIGNATURE_VALID && *verdict != SIGNATURE_UNTRUSTED))
		return result;
	return covered(signing, package, file, tree, catalog, err);
}

static void refuse_driver(struct package *package, const char *reason,
			  enum unsigned_policy policy)
{
	if (policy == UNSIGNED_ALLOW)
		package_remark(package,
			       "%s, and its catalog does not cover it either: Windows "
			       "starts only with signature enforcement off",
			       reason);
	else
		package_decide(
			package, PACKAGE_REFUSED,
			"%s, and its catalog does not cover it either: Windows "
			"would not start (--unsigned=allow injects it nevertheless)",
			reason);
}

/* Remarks on a driver that is signed somehow. */
static void remark_driver(struct package *package, const char *path,
			  const struct signature *embedded, bool covered_by,
			  enum signature_verdict by, const struct target *target)
{
	bool sound = embedded->verdict == SIGNATURE_VALID ||
		     embedded->verdict == SIGNATURE_UNTRUSTED;
	bool trusted = embedded->verdict == SIGNATURE_VALID ||
		       (covered_by && by == SIGNATURE_VALID);

	if (!trusted)
		package_remark(package,
			       "%s: Windows starts with it in test mode only (bcdedit "
			       "/set testsigning on), else it stops with 0xC0000428",
			       path);
	else if (!sound)
		package_remark(package,
			       "%s is signed by the catalog alone: Microsoft wants a "
			       "signature in the file of what Windows starts from",
			       path);
	else if (embedded->kind == SIGNER_VENDOR && embedded->cross_signed &&
		 (target->major > 10 || (target->major == 10 && target->build >= 14393)))
		package_remark(package,
			       "%s is signed by its maker, not by Microsoft: with Secure "
			       "Boot on, Windows 10 1607 and later do not start from it",
			       path);
}

static int check_driver(struct signing *signing, struct package *package,
			const struct package_file *file, struct tree *tree,
			const struct target *target, struct error *err)
{
	enum signature_verdict by = SIGNATURE_UNCHECKED;
	struct signature embedded = {0};
	int found = in_catalog(signing, package, file, tree, &by, err);

	if (found < 0 || embedded_of(signing, package, file, tree, &embedded, err) < 0)
		return -1;
	if (!found && (embedded.verdict == SIGNATURE_UNSIGNED ||
		       embedded.verdict == SIGNATURE_MISMATCH))
		refuse_driver(package, embedded.reason, signing->policy);
	else
		remark_driver(package, file->path, &embedded, found, by, target);
	signature_free(&embedded);
	return 0;
}

int signing_check_boot(struct package *package, struct tree *tree,
		       const struct target *target, struct error *err)
{
	if (!package->signing || package->signature.verdict == SIGNATURE_UNCHECKED ||
	    !enforced(target))
		return 0;
	vec_foreach (configuration, &package->driver->configurations) {
		vec_foreach (service, &configuration->services) {
			const struct package_file *file =
				package_driver_file(package, service);

			if (package->verdict != PACKAGE_ADDED)
				return 0;
			if (file && check_driver(package->signing, package, file, tree,
						 target, err) < 0)
				return -1;
		}
	}
	return 0;
}
