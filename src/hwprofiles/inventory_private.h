/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the readers of inventories share (inventory*.c). */
#ifndef HWPROFILES_INVENTORY_PRIVATE_H
#define HWPROFILES_INVENTORY_PRIVATE_H

#include "hwprofiles/inventory.h"

/* A text line by line, in place. */
struct lines {
	char *at;		/* NUL-terminated, the caller's */
	unsigned number;	/* of the line last returned */
};
/* The next line without its end, or NULL. Changes the text. */
char *next_line(struct lines *lines);
/* Skips blanks at both ends, in place. */
char *strip(char *text);
/* "NAME:" and blanks at the start of the line: what follows, else NULL. */
char *after_name(char *line, const char *name);

/* ERROR_FAILED at "path:line". */
int inventory_error(struct error *err, const char *path, unsigned line, const char *fmt, ...)
	_printf_(4, 5);
/* Adds the device unless there are too many; takes it over in any case. */
int inventory_add(struct pc *pc, struct pc_device device, const char *path, unsigned line,
		  struct error *err);
/* Sets a field once: a first value is not replaced. `value` is copied. */
void set_field(char **field, const char *value);

/* Each reads the text of one file into the PC, which it adds to. `text` is changed. */
int read_lspci(char *text, const char *path, struct pc *pc, struct error *err);
int read_lspci_machine(char *text, const char *path, struct pc *pc, struct error *err);
int read_pciconf(char *text, const char *path, struct pc *pc, struct error *err);
int read_modaliases(char *text, const char *path, struct pc *pc, struct error *err);
int read_dmidecode(char *text, const char *path, struct pc *pc, struct error *err);
/* Every "[8086:1c02]" of the text is a PCI function of the given class (0xCCSSPP). */
int read_functions(const char *text, uint32_t class_code, const char *path, unsigned line,
		   struct pc *pc, struct error *err);
int read_qubes(char *text, const char *path, struct pc *pc, struct error *err);
int read_pnp_csv(char *text, const char *path, struct pc *pc, struct error *err);
int read_pnp_json(const char *text, size_t len, const char *path, struct pc *pc,
		  struct error *err);
int read_pnputil(const char *text, size_t len, const char *path, struct pc *pc,
		 struct error *err);
int read_msinfo(const char *text, size_t len, const char *path, struct pc *pc,
		struct error *err);
/* One line (or object) of a population. */
int read_json_pc(const char *text, size_t len, const char *path, unsigned line,
		 struct pc *pc, struct error *err);

#endif
