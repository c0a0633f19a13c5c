/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses of published images: what is taken for one, and what follows from it. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include "base/error.h"

#define URL_MAX 1000

/* True if it is meant as an address ("SCHEME://..."), good or not. */
bool url_is(const char *text);
/*
 * http:// or https://, a host, and characters that need no quoting in settings and boot
 * menus. No user, password, query or fragment: an address is written to media that others
 * read. ERROR_USAGE; `what` is its subject.
 */
int url_check(const char *url, const char *what, struct error *err);
/* The address of NAME.img: besides, it must end so. */
int url_check_image(const char *url, const char *what, struct error *err);
/* "NAME" of ".../NAME.img", caller's; the address was checked. */
char *url_image_name(const char *url);
/* The address with another ending instead of ".img", caller's. */
char *url_beside(const char *url, const char *ending);
/* True if what is sent over it is encrypted and its server proven. */
bool url_is_secure(const char *url);

#endif
