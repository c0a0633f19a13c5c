/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's side of a network block device: requests and simple replies, all integers
 * big-endian (the NBD project's doc/proto.md, "Transmission phase"). What comes is the
 * kernel's and bounded all the same.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "reader/reader.h"

#define REQUEST_MAGIC 0x25609513u
#define REPLY_MAGIC 0x67446698u
#define REQUEST_SIZE 28
#define REPLY_SIZE 16
#define MAX_READ ((uint32_t)32 << 20) /* the protocol's own recommendation */
enum {
	COMMAND_READ = 0,
	COMMAND_DISCONNECT = 2,
	COMMAND_FLUSH = 3,
};
enum { /* the protocol's numbers */
       ANSWER_OK = 0,
       ANSWER_NOT_PERMITTED = 1,
       ANSWER_IO = 5,
       ANSWER_INVALID = 22,
};

struct server {
	struct reader *reader;
	int fd;
	pthread_mutex_t in, out; /* who reads a request, who writes an answer */
	bool ended;
};
struct request {
	uint16_t command;
	uint8_t handle[8];
	uint64_t offset;
	uint32_t len;
};

static uint64_t get_be(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static void put_be32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static bool receive(int fd, uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = recv(fd, data, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* One thread at a time waits for the next request; a false one ends all. */
static bool next_request(struct server *s, struct request *ret)
{
	uint8_t b[REQUEST_SIZE];
	bool good = false;

	(void)pthread_mutex_lock(&s->in);
	if (!s->ended)
		good = receive(s->fd, b, sizeof(b)) && get_be(b, 4) == REQUEST_MAGIC;
	if (good) {
		ret->command = (uint16_t)get_be(b + 6, 2);
		memcpy(ret->handle, b + 8, sizeof(ret->handle));
		ret->offset = get_be(b + 16, 8);
		ret->len = (uint32_t)get_be(b + 24, 4);
		/* A write has data behind it, which nobody here reads: the device is
		 * read-only. */
		good = ret->command == COMMAND_READ || ret->command == COMMAND_FLUSH;
	}
	if (!good)
		s->ended = true;
	(void)pthread_mutex_unlock(&s->in);
	return good;
}

static void send_all(struct server *s, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* whoever waits for the next request sees the end */
		data += n;
		len -= (size_t)n;
	}
}

static void answer(struct server *s, const struct request *q, uint32_t code,
		   const uint8_t *data, size_t len)
{
	uint8_t b[REPLY_SIZE];

	put_be32(b, REPLY_MAGIC);
	put_be32(b + 4, code);
	memcpy(b + 8, q->handle, sizeof(q->handle));
	(void)pthread_mutex_lock(&s->out);
	send_all(s, b, sizeof(b));
	send_all(s, data, len);
	(void)pthread_mutex_unlock(&s->out);
}

static void answer_read(struct server *s, struct http *http, const struct request *q)
{
	uint64_t size = s->reader->size;
	_cleanup_free_ uint8_t *data = NULL;

	if (!q->len || q->len > MAX_READ || q->offset > size ||
	    q->len > size - q->offset) {
		answer(s, q, ANSWER_INVALID, NULL, 0);
		return;
	}
	data = xmalloc(q->len);
	if (reader_read(s->reader, http, q->offset, q->len, data) < 0)
		answer(s, q, ANSWER_IO, NULL, 0);
	else
		answer(s, q, ANSWER_OK, data, q->len);
}

static void *work(void *arg)
{
	struct server *s = arg;
	_cleanup_http_ struct http *http = http_open(s->reader->url, s->reader->ca, NULL);
	struct request q;

	while (http && next_request(s, &q)) {
		if (q.command == COMMAND_READ)
			answer_read(s, http, &q);
		else
			answer(s, &q, ANSWER_OK, NULL, 0);
	}
	return NULL;
}

static int start(pthread_t *ret, void *(*life)(void *), void *arg, struct error *err)
{
	errno = pthread_create(ret, NULL, life, arg);
	return errno ? error_errno(err, "reader", "cannot start a thread") : 0;
}

int reader_serve(struct reader *r, int nbd, struct error *err)
{
	struct server s = {.reader = r,
			   .fd = nbd,
			   .in = PTHREAD_MUTEX_INITIALIZER,
			   .out = PTHREAD_MUTEX_INITIALIZER};
	pthread_t workers[READER_THREADS], other;

	if (start(&other, reader_watch, r, err) < 0)
		return -1;
	if (!r->cache.room && start(&other, reader_fill, r, err) < 0)
		return -1;
	for (unsigned i = 0; i < READER_THREADS; i++)
		if (start(&workers[i], work, &s, err) < 0)
			return -1;
	for (unsigned i = 0; i < READER_THREADS; i++)
		(void)pthread_join(workers[i], NULL);
	return 0;
}
