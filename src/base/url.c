/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/url.h"

#include "base/text.h"

#define HTTP "http://"
#define HTTPS "https://"
#define IMAGE ".img"

bool url_is(const char *text)
{
	return strstr(text, "://") != NULL;
}

bool url_is_secure(const char *url)
{
	return text_starts_with(url, HTTPS);
}

/* The length of host and port; 0: there is none, or more than that. */
static size_t authority(const char *at)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
	size_t len = strcspn(at, "/");

	return len && strspn(at, allowed) >= len && *at != ':' ? len : 0;
}

int url_check(const char *url, const char *what, struct error *err)
{
	static const char path[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/%+,=:@";
	const char *at = url;
	size_t host;

	if (text_starts_with(url, HTTP))
		at += strlen(HTTP);
	else if (text_starts_with(url, HTTPS))
		at += strlen(HTTPS);
	else
		at = NULL;
	if (!at) {
		error_set(err, ERROR_USAGE, what, "\"%.80s\" is no address by HTTP", url);
		return error_remedy(err, "give http://... or https://...");
	}
	if (memchr(at, '@', strcspn(at, "/"))) {
		/* Its text is not repeated: it has a password in it. */
		error_set(err, ERROR_USAGE, what, "the address has a user's name in it");
		return error_remedy(err,
				    "everybody who has the medium could read it: let "
				    "the server know its clients by their network");
	}
	host = authority(at);
	if (strlen(url) <= URL_MAX && host &&
	    strspn(at + host, path) == strlen(at + host))
		return 0;
	error_set(err, ERROR_USAGE, what, "\"%.80s\" is no address", url);
	return error_remedy(err,
			    "it has a host and a path of at most %d letters, digits and "
			    "-._~/%%+,=:@; others are written as %%20",
			    URL_MAX);
}

int url_check_image(const char *url, const char *what, struct error *err)
{
	const char *name;

	if (url_check(url, what, err) < 0)
		return -1;
	name = strrchr(url, '/') + 1;
	if (text_ends_with(name, IMAGE) && strlen(name) > strlen(IMAGE) &&
	    name - url > (ptrdiff_t)strlen(HTTPS))
		return 0;
	error_set(err, ERROR_USAGE, what, "\"%.80s\" is not the address of an image",
		  url);
	return error_remedy(err,
			    "give that of NAME.img, beside which NAME.conf lies: gild "
			    "pack IMAGE --output=FOLDER/ makes both");
}

char *url_image_name(const char *url)
{
	const char *name = strrchr(url, '/') + 1;

	return xstrndup(name, strlen(name) - strlen(IMAGE));
}

char *url_beside(const char *url, const char *ending)
{
	return xasprintf("%.*s%s", (int)(strlen(url) - strlen(IMAGE)), url, ending);
}
