/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/published.h"

#include "base/http.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/url.h"

#define MAX_WORDS 256
#define MAX_WORD 512

/* What an image's settings may have (docs/hypervisor.md), but for its place. */
static const char *const keys[] = {
	"windows", "arch",    "firmware", "storage", "network",		"title",
	"format",  "seal",    "verify",	  "persist", "memory",		"cpus",
	"machine", "display", "nested",	  "hyperv",  "sound",		"lid",
	"usb",	   "uplink",  "mac",	  "address", "shutdown_seconds"};

/* ---- the .conf ---- */

static bool is_key(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i]) == len && memcmp(keys[i], word, len) == 0)
			return true;
	return false;
}

static int take_word(struct golden *g, const char *word, const char *source,
		     struct error *err)
{
	size_t key = strcspn(word, "=");

	if (!word[key] || !word[key + 1] || strlen(word) > MAX_WORD ||
	    g->words.len >= MAX_WORDS || !is_key(word, key)) {
		error_set(err, ERROR_FAILED, source,
			  "\"%.60s\" is no setting of an image", word);
		return error_remedy(err,
				    "publish what gild pack wrote beside the image, with "
				    "a gild no newer than this one");
	}
	strings_push(&g->words, word);
	return 0;
}

/* Words between white space; '#' begins a remark. */
static int take_words(struct golden *g, const char *at, const char *source,
		      struct error *err)
{
	while (*at) {
		size_t len = strcspn(at, " \t\r\n#");
		_cleanup_free_ char *word = xstrndup(at, len);

		if (len && take_word(g, word, source, err) < 0)
			return -1;
		at += len;
		if (*at == '#')
			at += strcspn(at, "\n");
		at += strspn(at, " \t\r\n");
	}
	return 0;
}

static bool is_text(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if ((b.data[i] < ' ' && !strchr("\t\r\n", b.data[i])) || !b.data[i] ||
		    b.data[i] == 0x7f)
			return false;
	return true;
}

static int take_seal(struct golden *g, const char *source, struct error *err)
{
	const char *format = golden_word(g, "format"), *seal = golden_word(g, "seal");

	if (golden_word(g, "windows") && format && seal &&
	    seal_parse(seal, source, &g->seal, NULL) == 0 &&
	    (strcmp(format, "raw") == 0 || strcmp(format, "qcow2") == 0)) {
		g->format = strcmp(format, "raw") == 0 ? "raw" : "qcow2";
		g->size = seal_data_size(&g->seal);
		g->sealed_size = seal_whole_size(&g->seal);
		return 0;
	}
	error_set(err, ERROR_FAILED, source,
		  "has no windows=, format= and seal= that make sense");
	return error_remedy(err, "publish what gild pack wrote beside the image");
}

static void drop_word(struct strings *words, const char *key)
{
	size_t kept = 0, len = strlen(key);

	vec_foreach (word, words) {
		if (strncmp(*word, key, len) == 0 && (*word)[len] == '=')
			free(*word);
		else
			words->items[kept++] = *word;
	}
	words->len = kept;
}

int published_parse(struct bytes conf, const char *source, struct golden *ret,
		    struct error *err)
{
	_cleanup_free_ char *text = NULL;

	if (conf.len > PUBLISHED_MAX_CONF || !is_text(conf)) {
		error_set(err, ERROR_FAILED, source, "is no text of settings");
		return error_remedy(err, "publish what gild pack wrote beside the image");
	}
	text = xstrndup((const char *)conf.data, conf.len);
	if (take_words(ret, text, source, err) < 0 || take_seal(ret, source, err) < 0)
		return -1;
	/* They are written by whoever writes the others. */
	drop_word(&ret->words, "seal");
	drop_word(&ret->words, "format");
	return 0;
}

/* ---- the server ---- */

static int check_super(struct golden *g, const char *url, const char *ca,
		       struct error *err)
{
	_cleanup_http_ struct http *http = http_open(url, ca, err);
	uint8_t super[VERITY_SUPER_SIZE];
	struct verity_super unused;
	uint64_t total;

	if (!http ||
	    http_range(http, g->size, sizeof(super), false, super, &total, err) < 0)
		return -1;
	if (total == g->sealed_size)
		return verity_super_read((struct bytes){super, sizeof(super)}, url,
					 &g->seal, &unused, err);
	error_set(err, ERROR_FAILED, url,
		  "is not what its .conf says: it has %ju bytes, and the seal is for %ju",
		  (uintmax_t)total, (uintmax_t)g->sealed_size);
	return error_remedy(err, "publish image and .conf of one run of gild pack");
}

int published_open(const char *url, const char *ca, struct golden *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer conf = BUFFER_INIT;
	_cleanup_http_ struct http *http = NULL;
	_cleanup_free_ char *beside = NULL;

	if (url_check_image(url, url, err) < 0)
		return -1;
	beside = url_beside(url, ".conf");
	ret->url = xstrdup(url);
	progress_report("asking the server", 0, 0);
	http_begin();
	http = http_open(beside, ca, err);
	if (!http || http_read(http, PUBLISHED_MAX_CONF, &conf, err) < 0 ||
	    published_parse(buffer_view(&conf), beside, ret, err) < 0 ||
	    check_super(ret, url, ca, err) < 0)
		return -1;
	if (!url_is_secure(url))
		strings_push(&ret->notes,
			     "its seal came over http:// and could have been changed on "
			     "the way: compare it with the publisher's");
	return 0;
}
