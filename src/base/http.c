/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/http.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/clock.h"

#define CONNECT_MS 5000L
#define STALL_SECONDS 8L /* in which nothing comes */
#define MAX_REDIRECTIONS 5L
#define PROTOCOLS "http,https"

struct http {
	CURL *curl;
	char *url;
	char *moved; /* where the last redirection led; NULL: nowhere */
	struct curl_slist *fresh;
	char error[CURL_ERROR_SIZE];
	/* Of the answer that is under way. */
	uint8_t *data;
	struct buffer *grows;
	size_t len, most;
	bool too_long, ranged;
	uint64_t first, total;
};

void http_begin(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- what comes ---- */

static size_t take(char *from, size_t size, size_t count, void *arg)
{
	struct http *h = arg;
	size_t len = size * count;

	if (len > h->most - h->len) {
		h->too_long = true;
		return 0;
	}
	if (h->grows)
		buffer_append(h->grows, from, len);
	else
		memcpy(h->data + h->len, from, len);
	h->len += len;
	return len;
}

/* "Content-Range: bytes FIRST-LAST/TOTAL" (RFC 9110, 14.4); each answer has its own. */
static size_t take_header(char *from, size_t size, size_t count, void *arg)
{
	static const char name[] = "content-range:";
	struct http *h = arg;
	size_t len = size * count;
	unsigned long long first, last, total;
	char line[128];

	if (len > 5 && memcmp(from, "HTTP/", 5) == 0)
		h->ranged = false;
	if (len >= sizeof(line) || len < strlen(name) ||
	    !curl_strnequal(from, name, strlen(name)))
		return len;
	memcpy(line, from, len);
	line[len] = '\0';
	if (sscanf(line + strlen(name), " bytes %19llu-%19llu/%19llu", &first, &last,
		   &total) == 3) {
		h->ranged = true;
		h->first = first;
		h->total = total;
	}
	return len;
}

/* ---- a connection ---- */

static bool set_up(struct http *h, const char *ca)
{
	CURL *c = h->curl;

	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, PROTOCOLS) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR,
				strncmp(h->url, "https:", 6) == 0
					? "https"
					: PROTOCOLS) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_MAXREDIRS, MAX_REDIRECTIONS) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_USERAGENT, "gild/" PACKAGE_VERSION) ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEDATA, h) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERDATA, h) == CURLE_OK &&
	       (!ca || (curl_easy_setopt(c, CURLOPT_CAINFO, ca) == CURLE_OK &&
			curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK));
}

struct http *http_open(const char *url, const char *ca, struct error *err)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->url = xstrdup(url);
	h->curl = curl_easy_init();
	h->fresh = curl_slist_append(NULL, "Cache-Control: no-cache");
	if (h->curl && h->fresh && set_up(h, ca))
		return h;
	http_close(h);
	error_set(err, ERROR_FAILED, "libcurl", "cannot be used for %s", url);
	(void)error_remedy(err, "is a libcurl with HTTP and TLS installed?");
	return NULL;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	if (h->curl)
		curl_easy_cleanup(h->curl);
	curl_slist_free_all(h->fresh);
	free(h->url);
	free(h->moved);
	free(h);
}

void http_closep(struct http **h)
{
	http_close(*h);
}

/* ---- requests ---- */

static int refused(const struct http *h, struct error *err)
{
	long status = 0;

	(void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	error_set(err, ERROR_FAILED, h->url, "the server answers %ld", status);
	if (status == 404 || status == 410)
		return error_remedy(err,
				    "is the address right, and the file still there?");
	if (status == 416)
		return error_remedy(err,
				    "the file has fewer bytes than it should: publish it "
				    "anew");
	return error_remedy(err, "the server's own log has the reason");
}

/* The time is what TLS held the certificate against: the machine's, whatever is built. */
static int doubt_certificate(const char *url, const char *why, struct error *err)
{
	char now[CLOCK_TEXT_SIZE];

	clock_format(time(NULL), now);
	error_set(err, ERROR_FAILED, url, "%s (the clock says %s)", why, now);
	return error_remedy(err, "is the clock right, and the certificate's issuer known "
				 "here? (--ca=FILE for one's own)");
}

static int explain(struct http *h, CURLcode code, struct error *err)
{
	const char *why;

	if (code == CURLE_HTTP_RETURNED_ERROR)
		return refused(h, err);
	if (code == CURLE_WRITE_ERROR && h->too_long) {
		error_set(err, ERROR_FAILED, h->url,
			  "the server sends more than was asked for");
		return error_remedy(err, "it must give parts of files (Accept-Ranges: "
					 "bytes), and NAME.conf be what gild pack wrote");
	}
	why = *h->error ? h->error : curl_easy_strerror(code);
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		return doubt_certificate(h->url, why, err);
	error_set(err, ERROR_FAILED, h->url, "%s", why);
	return error_remedy(err, "is the network there, and the server on?");
}

/* Next time the redirection need not be asked for again. */
static void remember(struct http *h)
{
	char *at = NULL;
	long count = 0;

	if (curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_COUNT, &count) != CURLE_OK ||
	    count <= 0 ||
	    curl_easy_getinfo(h->curl, CURLINFO_EFFECTIVE_URL, &at) != CURLE_OK || !at)
		return;
	free(h->moved);
	h->moved = xstrdup(at);
}

static int request(struct http *h, const char *range, bool fresh, struct error *err)
{
	CURLcode code;

	h->len = 0;
	h->too_long = h->ranged = false;
	h->error[0] = '\0';
	(void)curl_easy_setopt(h->curl, CURLOPT_URL, h->moved ? h->moved : h->url);
	(void)curl_easy_setopt(h->curl, CURLOPT_RANGE, range);
	(void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, fresh ? h->fresh : NULL);
	(void)curl_easy_setopt(h->curl, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
	code = curl_easy_perform(h->curl);
	if (code == CURLE_OK) {
		remember(h);
		return 0;
	}
	free(h->moved);
	h->moved = NULL;
	return explain(h, code, err);
}

int http_range(struct http *h, uint64_t offset, size_t len, bool fresh, uint8_t *data,
	       uint64_t *total, struct error *err)
{
	char range[48];

	(void)snprintf(range, sizeof(range), "%ju-%ju", (uintmax_t)offset,
		       (uintmax_t)(offset + len - 1));
	h->data = data;
	h->grows = NULL;
	h->most = len;
	if (request(h, range, fresh, err) < 0)
		return -1;
	if (!h->ranged) {
		error_set(err, ERROR_FAILED, h->url,
			  "the server gives no parts of files");
		return error_remedy(err, "let it answer ranges (Accept-Ranges: bytes)");
	}
	if (h->first != offset || h->len != len) {
		error_set(err, ERROR_FAILED, h->url,
			  "has %ju bytes, and not those at %ju", (uintmax_t)h->total,
			  (uintmax_t)offset);
		return error_remedy(err, "publish it anew");
	}
	if (total)
		*total = h->total;
	return 0;
}

int http_read(struct http *h, size_t most, struct buffer *ret, struct error *err)
{
	h->grows = ret;
	h->most = most;
	return request(h, NULL, false, err);
}
