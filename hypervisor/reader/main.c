/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gild-reader url=URL seal=SEAL nbd=FD [cache=FD] [room=BYTES] [reserve=BYTES] [ca=FILE]:
 * serves a published image on a socket until the other end closes it. Lines on the
 * standard output tell how it goes (reader.h). gild-init starts it.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/url.h"
#include "reader/reader.h"
#include "reader/sandbox.h"

#define MAX_TIME 86400000 /* ms */
#define DEFAULT_ROOM ((uint64_t)32 << 20)

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *line)
{
	(void)pthread_mutex_lock(&output);
	printf("%s\n", line);
	(void)fflush(stdout);
	(void)pthread_mutex_unlock(&output);
}

static const char *value_of(int argc, char **argv, const char *key)
{
	size_t len = strlen(key);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], key, len) == 0 && argv[i][len] == '=')
			return argv[i] + len + 1;
	return NULL;
}

static int number(int argc, char **argv, const char *key, uint64_t otherwise,
		  uint64_t *ret, struct error *err)
{
	const char *text = value_of(argc, argv, key);
	char *end;

	*ret = otherwise;
	if (!text)
		return 0;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno)
		return 0;
	return error_set(err, ERROR_USAGE, key, "\"%s\" is no number", text);
}

static int read_times(int argc, char **argv, struct reader_times *ret, struct error *err)
{
	struct {
		const char *key;
		unsigned *value;
	} const words[] = {{"patience", &ret->patience},
			   {"silence", &ret->silence},
			   {"idle", &ret->idle}};

	*ret = reader_default_times;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		uint64_t value;

		if (number(argc, argv, words[i].key, *words[i].value, &value, err) < 0)
			return -1;
		if (value > MAX_TIME)
			return error_set(err, ERROR_USAGE, words[i].key, "is too long");
		*words[i].value = (unsigned)value;
	}
	return 0;
}

static int run(int argc, char **argv, struct error *err)
{
	struct reader_times times;
	const char *seal = value_of(argc, argv, "seal");
	struct reader_config config = {.url = value_of(argc, argv, "url"),
				       .ca = value_of(argc, argv, "ca"),
				       .times = &times,
				       .say = say};
	uint64_t nbd, cache;
	struct reader *reader;
	int result;

	if (!config.url || !seal || !value_of(argc, argv, "nbd")) {
		error_set(err, ERROR_USAGE, NULL, "url=, seal= or nbd= is missing");
		return error_remedy(err, "gild-init starts this program");
	}
	if (url_check(config.url, "url", err) < 0 ||
	    seal_parse(seal, "seal", &config.seal, err) < 0 ||
	    number(argc, argv, "nbd", 0, &nbd, err) < 0 ||
	    number(argc, argv, "cache", UINT64_MAX, &cache, err) < 0 ||
	    number(argc, argv, "room", DEFAULT_ROOM, &config.room, err) < 0 ||
	    number(argc, argv, "reserve", 0, &config.reserve, err) < 0 ||
	    read_times(argc, argv, &times, err) < 0 || reader_sandbox(err) < 0)
		return -1;
	config.cache = cache > INT32_MAX ? -1 : (int)cache;
	http_begin();
	reader = reader_open(&config, err);
	if (!reader)
		return -1;
	result = reader_serve(reader, (int)nbd, err);
	/* Its other threads still use what exit() would take down. */
	if (result == 0)
		_exit(0);
	return result;
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	if (run(argc, argv, &err) == 0)
		return 0;
	text = error_message(&err);
	fprintf(stderr, "gild-reader: %s\n", text);
	return 1;
}
