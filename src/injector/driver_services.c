/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AddService and DelService: the service-install and event-log sections. */
#include "base/text.h"
#include "injector/driver_private.h"

struct service_arg {
	struct inf_service *s;
	struct inf_configuration *c;
};

/* Entries of a service-install section that only a running service manager applies. */
static const char *const for_service_manager[] = {
	"AddTrigger",	  "FailureActions",   "RequiredPrivileges",
	"ServiceSidType", "DelayedAutoStart", "BitReg",
};

static void set_text(struct inf *inf, const struct inf_line *line, char **text,
		     char **token)
{
	const char *value = inf_field(inf, line, 0);

	if (*text || !*value)
		return;
	*text = xstrdup(value);
	if (token)
		*token = defined_token(inf, inf_field_raw(inf, line, 0));
}

static void set_number(struct inf *inf, const struct inf_line *line, uint32_t *value,
		       bool *given)
{
	uint32_t v;

	if (*given || !inf_parse_number(inf_field(inf, line, 0), &v) || !line->fields)
		return;
	*value = v;
	*given = true;
}

static void set_binary(struct inf *inf, const struct inf_line *line,
		       struct inf_service *s)
{
	const char *marked = inf_field_marked(inf, line, 0), *rest;
	bool quoted = *marked == '"';

	if (s->binary || !*marked)
		return;
	if (!split_dirid(marked + quoted, &s->binary_dirid, &rest)) {
		s->binary = xstrdup(inf_field(inf, line, 0));
		return;
	}
	s->binary = xstrdup(rest);
	/* "%13%\x.exe" -arg: the paths of dirids that hold programs have no blanks */
	if (quoted) {
		char *close = strchr(s->binary, '"');

		if (close)
			memmove(close, close + 1, strlen(close));
	}
}

static int set_dependencies(struct reading *r, struct inf *inf,
			    const struct inf_line *line, struct inf_service *s)
{
	for (size_t i = 0; i < line->fields; i++) {
		const char *item = inf_field(inf, line, i);

		if (*item && push_unique(r, inf, line, &s->dependencies, item) < 0)
			return -1;
	}
	return 0;
}

static int service_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			void *arg)
{
	struct service_arg *a = arg;
	struct inf_service *s = a->s;
	const char *key = inf_key(inf, line);
	bool given = s->boot_flags != 0;

	if (!s->text_inf && inf != r->inf)
		s->text_inf = xstrdup(inf_name(inf));
	if (text_equal(key, "AddReg"))
		return read_reg_lists(r, inf, line, false, &s->regs, &a->c->unsupported);
	if (text_equal(key, "DelReg"))
		return read_reg_lists(r, inf, line, true, &s->regs, &a->c->unsupported);
	if (text_equal(key, "DisplayName"))
		set_text(inf, line, &s->display_name, &s->display_token);
	else if (text_equal(key, "Description"))
		set_text(inf, line, &s->description, &s->description_token);
	else if (text_equal(key, "ServiceType"))
		set_number(inf, line, &s->type, &s->has_type);
	else if (text_equal(key, "StartType"))
		set_number(inf, line, &s->start, &s->has_start);
	else if (text_equal(key, "ErrorControl"))
		set_number(inf, line, &s->error_control, &s->has_error_control);
	else if (text_equal(key, "Tag"))
		set_number(inf, line, &s->tag, &s->has_tag);
	else if (text_equal(key, "BootFlags"))
		set_number(inf, line, &s->boot_flags, &given);
	else if (text_equal(key, "ServiceBinary"))
		set_binary(inf, line, s);
	else if (text_equal(key, "LoadOrderGroup"))
		set_text(inf, line, &s->group, NULL);
	else if (text_equal(key, "Dependencies"))
		return set_dependencies(r, inf, line, s);
	else if (text_equal(key, "Security"))
		set_text(inf, line, &s->security, NULL);
	else if (text_equal(key, "StartName"))
		set_text(inf, line, &s->start_name, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(for_service_manager); i++)
		if (text_equal(key, for_service_manager[i]))
			reading_remark(r, &a->c->unsupported, inf, line->number,
				       "%s of service %s", for_service_manager[i],
				       s->name);
	return 0;
}

static int eventlog_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			 void *arg)
{
	struct service_arg *a = arg;
	const char *key = inf_key(inf, line);

	if (text_equal(key, "AddReg"))
		return read_reg_lists(r, inf, line, false, &a->s->eventlog,
				      &a->c->unsupported);
	if (text_equal(key, "DelReg"))
		return read_reg_lists(r, inf, line, true, &a->s->eventlog,
				      &a->c->unsupported);
	return 0;
}

int read_add_service(struct reading *r, struct inf *inf, const struct inf_line *line,
		     struct inf_configuration *c)
{
	struct inf_service s = {.line = line->number};
	struct service_arg a = {&s, c};
	const char *section = inf_field(inf, line, 2),
		   *eventlog = inf_field(inf, line, 3);
	bool found = true;
	int result = 0;

	s.name = xstrdup(inf_field(inf, line, 0));
	s.flags = inf_number(inf, line, 1, 0);
	if (*section)
		result = each_line(r, section, service_line, &a, &found);
	if (result == 0 && !found)
		reading_remark(r, &c->unsupported, inf, line->number,
			       "service section [%s], which is missing", section);
	if (result == 0 && *eventlog) {
		const char *type = inf_field(inf, line, 4),
			   *name = inf_field(inf, line, 5);

		s.eventlog_type = xstrdup(*type ? type : "System");
		s.eventlog_name = xstrdup(*name ? name : s.name);
		result = each_line(r, eventlog, eventlog_line, &a, NULL);
	}
	vec_push(&c->services, s);
	return result;
}

int read_del_service(struct reading *r _unused_, struct inf *inf,
		     const struct inf_line *line, struct inf_configuration *c)
{
	struct inf_service s = {.line = line->number, .remove = true};

	s.name = xstrdup(inf_field(inf, line, 0));
	s.flags = inf_number(inf, line, 1, 0);
	vec_push(&c->services, s);
	return 0;
}
