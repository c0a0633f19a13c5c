/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parts of a file on an HTTP server, by libcurl. Nothing else in gild uses the network.
 * Not in libbase: who uses it also links libhttp and libcurl.
 *
 * Servers are proven by the system's certificates (or `ca`), redirections followed to http
 * and https only and never from https to http; no proxy, no cookies, no passwords.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/buffer.h"
#include "base/error.h"

/* One connection, kept between requests; for one thread at a time. */
struct http;
/* Before the first thread is made. */
void http_begin(void);
/* `ca`: a file of certificates (PEM) instead of the system's, or NULL. */
struct http *http_open(const char *url, const char *ca, struct error *err);
void http_close(struct http *http);
#define _cleanup_http_ _cleanup_(http_closep)
void http_closep(struct http **http);

/*
 * Bytes [offset, offset + len) of the file, all of them, or an error. `*total`: how many it
 * has; may be NULL. `fresh`: past what caches on the way may have.
 * ERROR_FAILED: it is not there, there is no such file, or it has fewer bytes, or the server
 * gives no parts of files.
 */
int http_range(struct http *http, uint64_t offset, size_t len, bool fresh, uint8_t *data,
	       uint64_t *total, struct error *err);
/* The whole of a file of at most `most` bytes; the same errors. */
int http_read(struct http *http, size_t most, struct buffer *ret, struct error *err);

#endif
