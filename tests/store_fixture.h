/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store of a Windows in memory (windows_sample.h), and packages that go into it. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "windows_sample.h"

#include "injector/store_private.h"

struct fixture {
	struct sample *sample;
	struct opened o;
	struct installation *installation;
	struct store *store;
	struct source_media media;
	char *folder;	/* packages on the host */
	unsigned packages;
	struct vec_of(struct package *) list;
};

/* Takes the sample. */
void fixture_open(struct fixture *f, struct sample *sample);
void fixture_close(struct fixture *f);
/*
 * A package NAME that lies there with st.sys, a program for that machine (0: without it)
 * whose last byte is `mark`, and maybe x.cat; not yet added, or added. The fixture's.
 */
struct package *fixture_package(struct fixture *f, const char *name, const char *inf,
				uint16_t machine, uint8_t mark, bool catalog);
struct package *fixture_add(struct fixture *f, const char *name, const char *inf,
			    uint16_t machine, uint8_t mark, bool catalog);
/* The value is this text. */
void assert_text(struct hive *hive, const char *path, const char *name, const char *want);

#endif
