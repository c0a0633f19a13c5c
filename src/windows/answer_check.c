/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an answer file says against what the image and Microsoft's reference know. */
#include <stdio.h>

#include "base/text.h"
#include "windows/answer_private.h"

#define MICROSOFT_TOKEN "31bf3856ad364e35"
#define MAX_WARNINGS 200

struct check {
	const struct answer *answer;
	const struct target *target;
	struct strings *warnings;
	unsigned matching, others; /* components by architecture */
};

static void warn(struct check *c, const xmlNode *node, const char *fmt, ...)
	_printf_(3, 4);

static void warn(struct check *c, const xmlNode *node, const char *fmt, ...)
{
	_cleanup_free_ char *place = answer_place(c->answer, node), *text = NULL;
	va_list ap;

	if (c->warnings->len >= MAX_WARNINGS)
		return;
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	vec_push(c->warnings, xasprintf("%s: %s", place, text));
}

/* False: it is not for this image. */
static bool check_architecture(struct check *c, const xmlNode *component,
			       const char *name)
{
	_cleanup_free_ char *arch = answer_attribute(component, "processorArchitecture");

	if (arch_parse(arch) == c->target->arch) {
		c->matching++;
		return true;
	}
	c->others++;
	warn(c, component, "%s is for %s, and ignored on this %s image", name, arch,
	     arch_name(c->target->arch));
	return false;
}

static void check_component(struct check *c, const xmlNode *component, const char *pass)
{
	_cleanup_free_ char *name = answer_attribute(component, "name");
	_cleanup_free_ char *token = answer_attribute(component, "publicKeyToken");
	_cleanup_free_ char *language = answer_attribute(component, "language");

	if (!check_architecture(c, component, name))
		return;
	if (!answer_setting_passes(name, NULL)) {
		warn(c, component, "the component %s is none that gild knows", name);
		return;
	}
	if (!text_equal(token, MICROSOFT_TOKEN))
		warn(c, component, "publicKeyToken of %s is not Windows' own (%s)", name,
		     MICROSOFT_TOKEN);
	if (!text_equal(language, "neutral"))
		warn(c, component, "language of %s is not neutral", name);
	for (xmlNode *s = answer_first(component, NULL); s; s = answer_next(s, NULL)) {
		const char *what = (const char *)s->name;
		unsigned passes = answer_setting_passes(name, what);

		if (!passes)
			warn(c, s, "the setting %s of %s is none that gild knows", what,
			     name);
		else if (!(passes & answer_pass_parse(pass)))
			warn(c, s, "%s of %s is not valid in the pass %s", what, name,
			     pass);
	}
}

static void check_pass(struct check *c, const xmlNode *settings)
{
	_cleanup_free_ char *pass = answer_attribute(settings, "pass");
	_cleanup_free_ char *done = answer_attribute(settings, "wasPassProcessed");

	if (done && text_equal(done, "true"))
		warn(c, settings,
		     "the pass %s is marked as processed (wasPassProcessed): Windows "
		     "skips it",
		     pass);
	if (answer_pass_parse(pass) == PASS_WINDOWS_PE) {
		if (answer_first(settings, "component"))
			warn(c, settings,
			     "the pass windowsPE is for Windows Setup, which does not "
			     "run "
			     "here: nothing of it is done");
		return;
	}
	for (xmlNode *x = answer_first(settings, "component"); x;
	     x = answer_next(x, "component"))
		check_component(c, x, pass);
}

int answer_check(const struct answer *answer, const struct target *target,
		 struct strings *warnings, struct error *err)
{
	struct check c = {.answer = answer, .target = target, .warnings = warnings};
	xmlNode *root = xmlDocGetRootElement(answer->doc);

	if (target->major < 6) {
		answer_refuse(answer, root, err,
			      "is for Windows Vista and later, and the image has %u.%u",
			      target->major, target->minor);
		return error_remedy(err, "Windows XP and 2003 read sysprep.inf");
	}
	for (xmlNode *s = answer_first(root, "settings"); s;
	     s = answer_next(s, "settings"))
		check_pass(&c, s);
	if (c.matching || !c.others)
		return 0;
	answer_refuse(answer, root, err, "has no component for %s, which the image is",
		      arch_name(target->arch));
	return error_remedy(err, "set processorArchitecture=\"%s\"",
			    arch_name(target->arch));
}
