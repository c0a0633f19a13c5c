/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the INF interpreter share (driver_*.c and selection.c). */
#ifndef INJECTOR_DRIVER_PRIVATE_H
#define INJECTOR_DRIVER_PRIVATE_H

#include "injector/driver.h"
#include "injector/inf.h"
#include "injector/selection.h"

/* INFs that one package may include, and how deep Needs may nest. */
#define INCLUDES_MAX 64
#define NEEDS_DEPTH_MAX 16
/*
 * Work done while interpreting one file, about the entries read (a list section counts
 * each time it is named). The largest real INFs need some 100,000; hostile ones multiply
 * without bound.
 */
#define WORK_MAX 1000000u

struct reading {
	struct driver *driver;
	const struct target *target;
	struct inf *inf;		/* the package's own */
	struct vec_of(struct inf *) infs;	/* own first, then by Include= */
	driver_include_fn *include;
	void *include_arg;
	struct strings missing;		/* includes that the image does not have */
	char *store_path;		/* of dirid 13, made when first needed */
	uint32_t work;
	struct error *err;
};

/* Counts work done; -1 with the error set once it is too much. */
int reading_cost(struct reading *r, const struct inf *inf, unsigned line, size_t cost);
/* Counts one entry by its size. */
int reading_work(struct reading *r, const struct inf *inf, const struct inf_line *line);
/* Adds a value that is not there yet, counting the search. */
int push_unique(struct reading *r, const struct inf *inf, const struct inf_line *line,
		struct strings *to, const char *value);
/* Adds "TEXT (line N)", or "TEXT (other.inf:N)", once. */
void reading_remark(struct reading *r, struct strings *to, const struct inf *inf,
		    unsigned line, const char *fmt, ...) _printf_(5, 6);

/* ---- driver_version.c: [Version] ---- */
struct version_facts {
	char *class_name, *provider, *provider_token;
	struct guid class_guid;
	uint64_t date, version;
};
void version_facts_read(struct inf *inf, struct version_facts *ret);
void version_facts_free(struct version_facts *facts);
/* "mm/dd/yyyy[,w.x.y.z]" */
void driver_ver_parse(const char *date, const char *version, uint64_t *ret_date,
		      uint64_t *ret_version);
void read_version(struct reading *r);

/* ---- driver_models.c: [Manufacturer] and Models ---- */
/* A section of models of one manufacturer, which the target may choose. */
struct models_candidate {
	char *manufacturer, *token;
	char *name, *text;	/* section name; decoration as written */
	struct decoration decoration;
	bool understood;
	size_t section;		/* in the INF, or INF_NONE */
	size_t group;		/* number of the manufacturer */
	unsigned line;
	enum decoration_verdict verdict;
};
DEFINE_VEC(models_candidates, struct models_candidate);
/* All of them; with a target the verdicts are set. -1: too many (ERROR_ANSWER_NO). */
int models_candidates_read(struct inf *inf, const struct target *target,
			   struct models_candidates *ret, struct error *err);
void models_candidates_free(struct models_candidates *candidates);
int read_models(struct reading *r);
/*
 * A device ID of a Models line without blanks, no-break spaces included: editors put these
 * in, and Microsoft's own list of such an INF's IDs (in its catalog) is without. Caller's.
 */
char *device_id_field(struct inf *inf, const struct inf_line *line, size_t index);
/* The file's dirty corner: why nothing fits. */
char *models_reason(struct inf *inf, const struct target *target);
char *decoration_text(const struct models_candidate *c, const struct target *target);

/* ---- driver_install.c: DDInstall sections ---- */
/* [base.NTarch], [base.NT] or [base] of the INF, or INF_NONE. */
size_t actual_section(const struct inf *inf, const char *base, enum windows_arch arch);
int read_configuration(struct reading *r, struct inf_configuration *c);
int read_class_install(struct reading *r);
void configuration_free(struct inf_configuration *c);
int load_includes(struct reading *r, struct inf *inf, const struct inf_line *line,
		  struct strings *names, struct strings *unsupported);
/* Calls `fn` for each entry of every section of this name in the own and included INFs. */
typedef int line_fn(struct reading *r, struct inf *inf, const struct inf_line *line,
		    void *arg);
int each_line(struct reading *r, const char *section, line_fn *fn, void *arg, bool *found);

/* ---- driver_files.c ---- */
int read_file_list(struct reading *r, struct inf *inf, const struct inf_line *line,
		   enum inf_file_kind kind, struct inf_files *to,
		   struct strings *unsupported);
int read_source_files(struct reading *r);
/* Refuses (-1) a path that is absolute, has a drive or leaves its folder. */
int check_path(const struct inf *inf, unsigned line, const char *what, const char *path,
	       struct error *err);

/* ---- driver_registry.c ---- */
int read_reg_lists(struct reading *r, struct inf *inf, const struct inf_line *line,
		   bool delete, struct inf_regs *to, struct strings *unsupported);
int read_property_lists(struct reading *r, struct inf *inf, const struct inf_line *line,
			struct inf_properties *to, struct strings *unsupported);
void reg_free(struct inf_reg *reg);
void regs_free(struct inf_regs *regs);
/* The token in its own case if the raw text is "%token%" and the INF has it; caller's. */
char *defined_token(struct inf *inf, const char *raw);

/* ---- driver_wdf.c ---- */
/* A directive of .Wdf: what Windows records of it goes to `c`. */
void read_framework(struct inf *inf, const struct inf_line *line,
		    struct inf_configuration *c);

/* ---- driver_services.c ---- */
int read_add_service(struct reading *r, struct inf *inf, const struct inf_line *line,
		     struct inf_configuration *c);
int read_del_service(struct reading *r, struct inf *inf, const struct inf_line *line,
		     struct inf_configuration *c);

/* ---- driver_dirid.c ---- */
/*
 * Replaces marked dirids by the paths they have in the installed Windows: below
 * %SystemRoot% when `expand` (REG_EXPAND_SZ), else below C:\Windows. Caller's.
 */
char *resolve_dirids(struct reading *r, const char *marked, bool expand);
/* "%12%\x.sys" marked: true, dirid 12 and what follows without separators. */
bool split_dirid(const char *marked, uint32_t *dirid, const char **rest);

#endif
