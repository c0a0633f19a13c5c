/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An answer file's way into an image. Windows takes the first it finds of: the file that
 * HKLM\SYSTEM\Setup!UnattendFile names; Unattend.xml or Autounattend.xml in
 * Windows\Panther\Unattend; Windows\Panther\Unattend.xml; removable media;
 * Windows\System32\Sysprep\Unattend.xml; the root of the system drive ("Windows Setup
 * Automation Overview", implicit search order).
 */
#include "base/text.h"
#include "windows/answer_private.h"

#define ZONES "Microsoft\\Windows NT\\CurrentVersion\\Time Zones"
#define STATE "Microsoft\\Windows\\CurrentVersion\\Setup\\State"
#define POLICIES "Microsoft\\Windows\\CurrentVersion\\Policies\\System"

struct stage {
	const struct answer *answer;
	struct tree *tree;
	struct registry *registry;
	struct answer_report *report;
};

static const char *const ranked_before[] = {
	"Windows/Panther/Unattend/Unattend.xml",
	"Windows/Panther/Unattend/Autounattend.xml",
};
static const char *const ranked_after[] = {
	"Windows/System32/Sysprep/Unattend.xml",
	"Unattend.xml",
	"Autounattend.xml",
};

/* ---- what ranks before -------------------------------------------------------------
 */

static int remove_pointer(struct stage *s, struct error *err)
{
	struct hive *system = registry_hive(s->registry, REGISTRY_SYSTEM, err);
	hkey setup = system ? hive_find(system, hive_root(system), "Setup") : 0;
	int status;

	if (!system)
		return -1;
	status = setup ? hive_unset(system, setup, "UnattendFile", err) : 0;
	if (status > 0)
		vec_push(&s->report->actions,
			 xstrdup("removed UnattendFile of SYSTEM\\Setup, which Windows "
				 "would follow first"));
	return status < 0 ? -1 : 0;
}

static int remove_files(struct stage *s, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranked_before); i++) {
		int found = tree_stat(s->tree, ranked_before[i], NULL, err);

		if (found < 0 ||
		    (found && tree_remove(s->tree, ranked_before[i], err) < 0))
			return -1;
		if (found)
			vec_push(&s->report->actions,
				 xasprintf("removed %s, which Windows would take first",
					   ranked_before[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(ranked_after); i++) {
		int found = tree_stat(s->tree, ranked_after[i], NULL, err);

		if (found < 0)
			return -1;
		if (found)
			vec_push(&s->report->warnings,
				 xasprintf("%s is left in the image; Windows takes %s "
					   "before it",
					   ranked_after[i], ANSWER_PATH));
	}
	return 0;
}

/* ---- the registry ------------------------------------------------------------------
 */

static int set_lua(struct stage *s, struct error *err)
{
	struct hive *software = registry_hive(s->registry, REGISTRY_SOFTWARE, err);
	hkey key;

	if (!software ||
	    hive_create(software, hive_root(software), POLICIES, &key, err) < 0 ||
	    hive_set_dword(software, key, "EnableLUA", s->answer->lua, err) < 0)
		return -1;
	vec_push(&s->report->actions, xasprintf("set EnableLUA of SOFTWARE\\%s to %d",
						POLICIES, s->answer->lua));
	return 0;
}

/* ---- time zones --------------------------------------------------------------------
 */

static int check_zone(struct stage *s, const struct hive *software, hkey zones,
		      const xmlNode *node, struct error *err)
{
	_cleanup_free_ char *zone = answer_value(node);
	_cleanup_free_ char *standard = NULL;

	/* "_dstoff" behind the name switches daylight saving time off (tzutil does so).
	 */
	standard = text_ends_with(zone, "_dstoff")
			   ? xstrndup(zone, strlen(zone) - strlen("_dstoff"))
			   : xstrdup(zone);
	if (!*standard || strchr(standard, '\\') ||
	    !hive_find(software, zones, standard)) {
		answer_refuse(s->answer, node, err, "the image knows no time zone \"%s\"",
			      zone);
		return error_remedy(err, "use a name that 'tzutil /l' of Windows lists, "
					 "for instance \"UTC\"");
	}
	return 0;
}

/* Images without the list (Windows PE, samples) are not judged. */
static int check_zones(struct stage *s, struct error *err)
{
	static const unsigned passes[] = {PASS_SPECIALIZE, PASS_AUDIT_SYSTEM,
					  PASS_OOBE_SYSTEM};
	struct hive *software = registry_hive(s->registry, REGISTRY_SOFTWARE, err);
	hkey zones = software ? hive_find(software, hive_root(software), ZONES) : 0;

	if (!software)
		return -1;
	for (size_t i = 0; zones && i < ARRAY_SIZE(passes); i++) {
		xmlNode *settings = answer_settings(s->answer, passes[i]);

		for (xmlNode *c = answer_first(settings, "component"); c;
		     c = answer_next(c, "component")) {
			xmlNode *zone = answer_first(c, "TimeZone");

			if (zone && check_zone(s, software, zones, zone, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* Specialize and oobeSystem run on a generalized image only. */
static int check_state(struct stage *s, struct error *err)
{
	struct hive *software = registry_hive(s->registry, REGISTRY_SOFTWARE, err);
	hkey key = software ? hive_find(software, hive_root(software), STATE) : 0;
	_cleanup_free_ char *state =
		key ? hive_get_string(software, key, "ImageState") : NULL;

	if (!software)
		return -1;
	if (state && text_equal(state, "IMAGE_STATE_COMPLETE"))
		vec_push(&s->report->warnings,
			 xstrdup("the image's setup is complete (IMAGE_STATE_COMPLETE): "
				 "Windows does not look for an answer file until it is "
				 "generalized with sysprep"));
	return 0;
}

/* ---- the file ----------------------------------------------------------------------
 */

static int write_file(struct stage *s, struct error *err)
{
	int found = tree_stat(s->tree, ANSWER_PATH, NULL, err);

	if (found < 0 ||
	    tree_write(s->tree, ANSWER_PATH, answer_text(s->answer), 0, err) < 0)
		return -1;
	vec_push(&s->report->actions,
		 xasprintf("%s %s", found ? "replaced" : "wrote", ANSWER_PATH));
	return 0;
}

int answer_stage(const struct answer *answer, struct tree *tree,
		 struct registry *registry, const struct target *target,
		 struct answer_report *ret, struct error *err)
{
	struct stage s = {answer, tree, registry, ret};

	if (answer_check(answer, target, &ret->warnings, err) < 0 ||
	    check_zones(&s, err) < 0 || check_state(&s, err) < 0)
		return -1;
	vec_foreach (action, &answer->actions)
		strings_push(&ret->actions, *action);
	if (answer->lua_set && set_lua(&s, err) < 0)
		return -1;
	if (remove_pointer(&s, err) < 0 || remove_files(&s, err) < 0)
		return -1;
	return write_file(&s, err);
}
