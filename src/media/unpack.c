/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "media/unpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/confine.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

#define RESULT_TEXT ((size_t)256 << 10)

/* What the child hands back, in shared memory: the parent trusts no length in it. */
struct result {
	uint64_t bytes, entries, files;
	uint32_t ignored;
	uint32_t text_len;
	char text[RESULT_TEXT]; /* problems, each with its NUL */
};

struct job {
	struct unpack *u;
	struct result *result;
};

void unpack_done(struct unpack *u)
{
	strings_free(&u->problems);
}

static int read_archive(struct sink *sink, struct unpack *u, struct error *err)
{
	int found;

	switch (u->kind) {
	case MEDIA_CAB:
		return cab_unpack(sink, u, &u->ignored, err);
	case MEDIA_ISO:
		return iso_unpack(sink, u, &u->ignored, err);
	case MEDIA_PACKED:
		return packed_unpack(sink, u, err);
	case MEDIA_EXE:
		/* IExpress and the like carry a CAB, the others what libarchive finds. */
		found = archive_unpack(sink, u, &u->ignored, err);
		if (found == 0)
			found = cab_unpack(sink, u, &u->ignored, err);
		if (found == 0)
			return media_refuse(u->path, u->label, MEDIA_EXE, err);
		return found;
	default:
		return archive_unpack(sink, u, &u->ignored, err);
	}
}

static void take_results(struct unpack *u, struct sink *sink)
{
	u->bytes = sink->bytes;
	u->entries = sink->entries;
	u->files = sink->written;
	vec_foreach (line, &sink->problems)
		strings_push(&u->problems, *line);
	if (sink->more_problems) {
		_cleanup_free_ char *more =
			xasprintf("%s: %" PRIu64 " more entries were not unpacked",
				  u->label, sink->more_problems);

		strings_push(&u->problems, more);
	}
}

int unpack_here(struct unpack *u, struct error *err)
{
	_cleanup_sink_ struct sink sink = {.root = -1};

	if (sink_open(&sink, u->dest, u->label, &u->limits, err) < 0 ||
	    read_archive(&sink, u, err) < 0)
		return -1;
	if (sink.damaged && !sink.written) {
		const char *why = sink.problems.items[0] + strlen(u->label) + 1;

		error_set(err, ERROR_FAILED, u->label,
			  "is damaged, no file of it can be unpacked: %s", why);
		return error_remedy(err, "fetch it (all its parts) again");
	}
	take_results(u, &sink);
	return 0;
}

static int child_work(void *arg, struct error *err)
{
	struct job *job = arg;
	struct result *r = job->result;
	size_t len = 0;

	confine_to(job->u->path, job->u->dest);
	if (unpack_here(job->u, err) < 0)
		return -1;
	vec_foreach (line, &job->u->problems) {
		size_t n = strlen(*line) + 1;

		if (n > RESULT_TEXT - len)
			break;
		memcpy(r->text + len, *line, n);
		len += n;
	}
	r->text_len = (uint32_t)len;
	r->ignored = job->u->ignored;
	r->bytes = job->u->bytes;
	r->entries = job->u->entries;
	r->files = job->u->files;
	return 0;
}

/* Bytes of address space in use now, which the child starts with. */
static uint64_t address_space(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	uint64_t pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64, &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void child_limits(const struct unpack *u, struct process_limits *limits)
{
	*limits = (struct process_limits){
		.memory = address_space() + UNPACK_MEMORY,
		.file_size = u->limits.bytes + 1,
		.cpu_seconds = UNPACK_CPU_SECONDS +
			       (unsigned)(u->limits.bytes / UNPACK_BYTES_PER_SECOND),
	};
#ifdef ADDRESS_SANITIZER
	limits->memory = 0; /* its shadow alone is terabytes of address space */
#endif
}

int unpack_isolated(struct unpack *u, struct error *err)
{
	struct process_limits limits;
	struct job job = {.u = u};
	int status;

	child_limits(u, &limits);
	job.result = mmap(NULL, sizeof(*job.result), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job.result == MAP_FAILED)
		return error_errno(err, u->label, "cannot start its reader");
	status = process_isolate(child_work, &job, &limits, u->label, err);
	if (status == 0) {
		struct result *r = job.result;
		size_t len = r->text_len < RESULT_TEXT ? r->text_len : RESULT_TEXT;

		u->ignored = r->ignored != 0;
		u->bytes = r->bytes;
		u->entries = r->entries;
		u->files = r->files;
		for (size_t at = 0; at < len;) {
			size_t n = strnlen(r->text + at, len - at);
			_cleanup_free_ char *line = xstrndup(r->text + at, n);

			strings_push(&u->problems, line);
			at += n + 1;
		}
	}
	(void)munmap(job.result, sizeof(*job.result));
	return status;
}
