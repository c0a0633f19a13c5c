/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small Windows that a test makes in memory, changes key by key, and then opens as gild
 * does: for what the generated sample cannot have, damage above all.
 */
#ifndef TESTS_WINDOWS_SAMPLE_H
#define TESTS_WINDOWS_SAMPLE_H

#include "test.h"

#include "windows/installation.h"

#define SCSI "{4d36e97b-e325-11ce-bfc1-08002be10318}"
#define HDC "{4d36e96a-e325-11ce-bfc1-08002be10318}"
#define SYSTEM_CLASS "{4d36e97d-e325-11ce-bfc1-08002be10318}"
#define DISK "{4d36e967-e325-11ce-bfc1-08002be10318}"
#define NET "{4d36e972-e325-11ce-bfc1-08002be10318}"

struct sample {
	char *folder;
	struct hive *system, *software, *drivers;
};

/* The saved sample, opened as gild would. */
struct opened {
	struct image *image;
	struct tree *tree;
	struct registry *registry;
};

/* Values; the key and its ancestors are made. Lists end with NULL. */
void set_text(struct hive *hive, const char *path, const char *name, const char *text);
void set_number(struct hive *hive, const char *path, const char *name, uint32_t v);
void set_list(struct hive *hive, const char *path, const char *name, ...)
	__attribute__((sentinel));
void set_bytes(struct hive *hive, const char *path, const char *name, uint32_t type,
	       const void *data, size_t len);
/* Files, by their path in the tree. */
void put_file(const struct sample *s, const char *path, struct bytes data);
void put_text(const struct sample *s, const char *path, const char *text);
void remove_file(const struct sample *s, const char *path);
/* A class, and a driver service with its file, in both control sets. */
void add_class(struct sample *s, const char *guid, const char *name, bool boot);
void add_service(struct sample *s, const char *name, uint32_t start,
		 uint32_t error_control, bool with_file);
/* StartOverride, as a machine that did not need the service leaves it. */
void mask(struct sample *s, const char *name);
/* A package with one configuration and one ID; service NULL: only staged. */
void add_package(struct hive *node, const char *store, const char *published,
		 const char *guid, const char *service, const char *id);
/*
 * A third-party package with its files, under the folder name that its hash gives, which
 * is returned.
 */
char *add_oem(struct sample *s, struct hive *node, unsigned number, const char *base,
	      const char *guid, const char *service, const char *id);
/* Windows 10 with two control sets, one storage and one network package of others. */
struct sample *sample_make(void);
/* The same as Windows 7, which has no driver database. */
struct sample *sample_make_seven(void);
void sample_save(struct sample *s);
void sample_free(struct sample *s);
struct opened sample_open(struct sample *s);
void sample_close(struct opened *o);
/* Saves and inspects it; a failure fails the test. */
struct installation *inspect(struct sample *s);
size_t count_problems(const struct installation *in, const char *code,
		      enum problem_severity severity);
const char *problem_text(const struct installation *in, const char *code);

#endif
