/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/session_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "init/images.h"
#include "init/say.h"
#include "seal.h"

#define STEP 200 /* ms */
#define RESERVE_LEAST ((uint64_t)64 << 20)

static const char *const modules[] = {"nbd"};

bool session_is_streamed(const struct guest *guest)
{
	const char *value = options_get(&guest->options, "image");
	struct image_place place;

	return value && image_place_parse(value, &place, NULL) == 0 &&
	       place.where == IMAGE_URL;
}

/* One step of waiting; true: the PC is to be switched off. */
static bool pass_time(const struct session *s)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = STEP * 1000000L}, NULL);
	return s->idle && s->idle(s->idle_arg);
}

/* ---- the cache ---- */

/* Those of the image as it was before; each image has a folder of its own. */
static void forget_old(const char *folder, const char *own)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(folder, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, *name);

		if (**name != '.' && strcmp(*name, own) != 0)
			(void)unlink(path);
	}
}

/* -1: nothing is kept. A cache is no reason not to start. */
static int open_cache(const struct session *s, const struct session_disk *d,
		      const struct seal *seal, uint64_t *reserve)
{
	_cleanup_free_ char *folder = NULL, *path = NULL;
	char name[17];
	struct statvfs st;
	int fd;

	if (!d->state)
		return -1;
	(void)snprintf(name, sizeof(name), "%.16s", seal->hash);
	folder = xasprintf("%s/" SESSION_CACHE, d->state);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -1;
	forget_old(folder, name);
	path = xasprintf("%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && (fstatvfs(fd, &st) < 0 || file_lock(fd, path, true, NULL) < 0))
		closep(&fd);
	if (fd < 0) {
		say_to(s->say, "%s cannot be used: nothing of the image is kept", path);
		return -1;
	}
	/* What the guest writes goes there, too. */
	*reserve = (uint64_t)st.f_blocks * st.f_frsize / 4;
	if (*reserve < RESERVE_LEAST)
		*reserve = RESERVE_LEAST;
	return fd;
}

/* ---- open ---- */

static int start(struct session *s, struct session_disk *d, const char *url,
		 struct error *err)
{
	const char *text = options_get(&d->guest->options, "seal");
	struct stream_config c = {.program = STREAM_READER,
				  .url = url,
				  .seal = text,
				  .label = d->label,
				  .uid = STREAM_ID,
				  .say = s->say};
	_cleanup_close_ int cache = -1;
	struct seal seal;

	if (!text) {
		error_set(err, ERROR_FAILED, "seal", "an image from a server has none");
		return error_remedy(err, "pack the medium anew: gild pack %s", url);
	}
	if (seal_parse(text, "seal", &seal, err) < 0 ||
	    coldplug_load(&s->coldplug, modules, ARRAY_SIZE(modules), err) < 0)
		return -1;
	c.size = seal_whole_size(&seal);
	if (access(SESSION_CA, R_OK) == 0)
		c.ca = SESSION_CA;
	cache = open_cache(s, d, &seal, &c.reserve);
	c.cache = cache;
	return stream_start(&d->stream, &c, err);
}

int session_stream_open(struct session *s, struct session_disk *d, const char *url,
			char **device, struct error *err)
{
	d->label =
		xasprintf("image %s from %s", d->guest->name ? d->guest->name : "", url);
	if (start(s, d, url, err) < 0)
		return -1;
	while (!(*device = stream_device(&d->stream)))
		if (pass_time(s))
			return error_interrupted(err);
	say_to(s->say, "%s can be read", d->label);
	return 0;
}

bool session_stream_again(struct session *s, const struct session_disk *d,
			  struct error *err)
{
	if (!d->stream.keeper || stream_is_wrong(&d->stream))
		return false;
	do {
		if (!pass_time(s))
			continue;
		(void)error_interrupted(err);
		return false;
	} while (!stream_is_up(&d->stream));
	return true;
}
