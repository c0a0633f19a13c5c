/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs the INF engine over files and prints one line of facts for each: what
 * tests/e2e/inf-corpus.sh compares with what is known about them.
 *
 *	inftool facts FILE...		tab-separated: file, verdict, class, provider,
 *date, number of IDs, decorations, reason inftool targets FILE...		every file
 *opened for a set of targets; what is refused
 *	inftool speed FILE...		bytes, seconds and MB/s of reading and selecting
 *	inftool chosen TARGET,... FILE...	the IDs of the models chosen for these
 *targets inftool show TARGET FILE	what is chosen, in full
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "injector/driver.h"
#include "injector/inf.h"
#include "injector/selection.h"

#define FILE_MAX (64u << 20)

static const char *const targets[] = {
	"6.2.9200/amd64",	   "6.3.9600/x86",
	"10.0.10240/amd64",	   "10.0.19041/x86",
	"10.0.19041/amd64",	   "10.0.22621/arm64",
	"10.0.26100/amd64/server", "10.0.14393/amd64/dc/0x80",
	"10.0.17763/arm",
};

static int read_inf(const char *path, struct buffer *raw)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (file_read(path, FILE_MAX, raw, &err) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", path, err.reason);
	return -1;
}

static void print_date(uint64_t filetime)
{
	char text[CLOCK_TEXT_SIZE] = "";

	if (filetime)
		clock_format(filetime_to_unix(filetime), text);
	printf("\t%.10s", text);
}

/* Distinct IDs of all models, as the table of the corpus counts them. */
static size_t count_ids(const struct selection *s)
{
	struct strings sorted = VEC_INIT;
	size_t n = 0;

	vec_foreach (m, &s->models)
		vec_foreach (id, &m->ids)
			if (**id)
				vec_push(&sorted, *id);
	if (sorted.len)
		qsort(sorted.items, sorted.len, sizeof(char *), text_compare_p);
	for (size_t i = 0; i < sorted.len; i++)
		n += !i || !text_equal(sorted.items[i], sorted.items[i - 1]);
	vec_free(&sorted);
	return n;
}

static int facts(const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_selection_ struct selection *s = NULL;
	struct strings decorations = VEC_INIT;

	if (read_inf(path, &raw) < 0)
		return 1;
	s = selection_read(path, buffer_view(&raw), NULL, &err);
	if (!s) {
		printf("%s\trefused\t\t\t\t\t\t%s: %s\n", path, err.subject, err.reason);
		return 0;
	}
	printf("%s\tok\t%s\t%s", path, s->class_name ? s->class_name : "",
	       s->provider ? s->provider : "");
	print_date(s->date);
	printf("\t%zu\t", count_ids(s));
	vec_foreach (m, &s->sections)
		if (*m->decoration && m->exists && m->verdict != DECORATION_NOT_LISTED &&
		    !strings_contain(&decorations, m->decoration))
			strings_push(&decorations, m->decoration);
	if (decorations.len)
		qsort(decorations.items, decorations.len, sizeof(char *), text_compare_p);
	vec_foreach (d, &decorations)
		printf("%s%s", d == decorations.items ? "" : ",", *d);
	printf("\t\n");
	strings_free(&decorations);
	return 0;
}

/* Every ID with the decoration of its section, and the catalogs: for the catalog oracle.
 */
static int ids(const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_selection_ struct selection *s = NULL;

	if (read_inf(path, &raw) < 0)
		return 1;
	s = selection_read(path, buffer_view(&raw), NULL, &err);
	if (!s)
		return 0;
	vec_foreach (c, &s->catalogs)
		printf("%s\tcatalog\t%s\n", path, *c);
	vec_foreach (m, &s->models) {
		const struct models_section *section = &s->sections.items[m->section];

		if (section->verdict == DECORATION_NOT_LISTED)
			continue;
		vec_foreach (id, &m->ids)
			if (**id)
				printf("%s\tid\t%s\t%s\n", path, section->decoration,
				       *id);
	}
	return 0;
}

static int open_for_targets(const char *path)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;

	if (read_inf(path, &raw) < 0)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_driver_ struct driver *d = NULL;
		_cleanup_free_ char *reason = NULL;
		size_t files = 0, regs = 0, services = 0, remarks = 0;
		struct target target;

		if (target_parse(targets[i], &target, &err) < 0)
			return 1;
		d = driver_open(path, buffer_view(&raw), &target, NULL, NULL, &reason,
				&err);
		if (!d) {
			printf("%s\t%s\trefused\t%s: %s\n", path, targets[i], err.subject,
			       err.reason);
			continue;
		}
		vec_foreach (c, &d->configurations) {
			files += c->files.len;
			regs += c->regs.len + c->hw_regs.len;
			services += c->services.len;
			remarks += c->unsupported.len;
		}
		printf("%s\t%s\t%zu models, %zu configurations, %zu files, %zu regs, "
		       "%zu services, %zu remarks\t%s\n",
		       path, targets[i], d->models.len, d->configurations.len, files,
		       regs, services, remarks, reason ? reason : "");
	}
	return 0;
}

static int chosen_for(const char *target_text, const char *path, const struct buffer *raw)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_driver_ struct driver *d = NULL;
	struct target target;

	if (target_parse(target_text, &target, &err) == 0)
		d = driver_open(path, buffer_view(raw), &target, NULL, NULL, NULL, &err);
	if (!d) {
		fprintf(stderr, "%s: %s\n", err.subject, err.reason);
		return 1;
	}
	vec_foreach (m, &d->models)
		vec_foreach (id, &m->ids)
			if (**id)
				printf("%s\n", *id);
	return 0;
}

static int chosen(const char *list, char **paths, int count)
{
	int worst = 0;

	for (int i = 0; i < count; i++) {
		_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
		_cleanup_free_ char *copy = xstrdup(list);
		char *save = NULL;

		if (read_inf(paths[i], &raw) < 0)
			return 1;
		for (char *t = strtok_r(copy, ",", &save); t;
		     t = strtok_r(NULL, ",", &save))
			worst |= chosen_for(t, paths[i], &raw);
	}
	return worst;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int speed(char **paths, int count)
{
	double parse = 0, select = 0;
	size_t bytes = 0;

	for (int i = 0; i < count; i++) {
		_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
		struct inf *inf;
		double start;

		if (read_inf(paths[i], &raw) < 0)
			return 1;
		bytes += raw.len;
		start = now();
		inf = inf_open(paths[i], buffer_view(&raw), NULL);
		inf_close(inf);
		parse += now() - start;
		start = now();
		selection_close(selection_read(paths[i], buffer_view(&raw), NULL, NULL));
		select += now() - start;
	}
	printf("%d files, %zu bytes: read %.3f s (%.0f MB/s), with all models %.3f s "
	       "(%.0f MB/s)\n",
	       count, bytes, parse, (double)bytes / 1e6 / parse, select,
	       (double)bytes / 1e6 / select);
	return 0;
}

static void show_regs(const char *what, const struct inf_regs *regs)
{
	vec_foreach (g, regs) {
		printf("    %s kind %d root %d [%s] \"%s\" flags %x type %u:", what,
		       g->kind, g->root, g->key, g->name, g->flags, g->type);
		for (size_t i = 0; i < g->data.len && i < 64; i++)
			printf("%02x", g->data.data[i]);
		printf("\n");
	}
}

static void show_configuration(const struct inf_configuration *c)
{
	printf("  [%s]%s\n", c->name, c->missing ? " missing" : "");
	vec_foreach (f, &c->files)
		printf("    file kind %d %s from %s to %u \"%s\" flags %x\n", f->kind,
		       f->name, f->source_path ? f->source_path : "(Windows)", f->dirid,
		       f->subdir, f->flags);
	show_regs("reg", &c->regs);
	show_regs("hw", &c->hw_regs);
	vec_foreach (s, &c->services) {
		printf("    service %s%s flags %x type %x start %u error %u group %s "
		       "dirid %u "
		       "binary %s\n",
		       s->remove ? "-" : "", s->name, s->flags, s->type, s->start,
		       s->error_control, s->group ? s->group : "-", s->binary_dirid,
		       s->binary ? s->binary : "-");
		show_regs("  service", &s->regs);
		show_regs("  eventlog", &s->eventlog);
	}
	vec_foreach (u, &c->unsupported)
		printf("    not supported: %s\n", *u);
}

static int show(const char *target_text, const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_driver_ struct driver *d = NULL;
	_cleanup_free_ char *reason = NULL;
	struct target target;

	if (target_parse(target_text, &target, &err) < 0 || read_inf(path, &raw) < 0)
		return 2;
	d = driver_open(path, buffer_view(&raw), &target, NULL, NULL, &reason, &err);
	if (!d) {
		printf("refused: %s: %s\n", err.subject, err.reason);
		return 3;
	}
	printf("%s class %s provider %s catalog %s\n%s\n", d->inf_name,
	       d->class_name ? d->class_name : "-", d->provider ? d->provider : "-",
	       d->catalog ? d->catalog : "-", reason ? reason : "");
	vec_foreach (m, &d->models) {
		printf("  %s|%s:", m->section, m->description);
		vec_foreach (id, &m->ids)
			printf(" %s", *id);
		printf(" -> [%s]\n", d->configurations.items[m->configuration].name);
	}
	vec_foreach (c, &d->configurations)
		show_configuration(c);
	vec_foreach (f, &d->source_files)
		printf("  source %s\n", f->source_path);
	return 0;
}

int main(int argc, char **argv)
{
	int worst = 0;

	if (argc == 4 && strcmp(argv[1], "show") == 0)
		return show(argv[2], argv[3]);
	if (argc >= 4 && strcmp(argv[1], "chosen") == 0)
		return chosen(argv[2], argv + 3, argc - 3);
	if (argc < 3) {
		fprintf(stderr, "usage: inftool facts|targets|speed FILE...\n");
		return 2;
	}
	if (strcmp(argv[1], "speed") == 0)
		return speed(argv + 2, argc - 2);
	for (int i = 2; i < argc; i++) {
		int result = strcmp(argv[1], "facts") == 0 ? facts(argv[i])
			     : strcmp(argv[1], "ids") == 0 ? ids(argv[i])
							   : open_for_targets(argv[i]);

		worst = result > worst ? result : worst;
	}
	return worst;
}
