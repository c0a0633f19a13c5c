/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configuration, profile and verdict: session.h. */
#include "init/session.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "base/text.h"
#include "hwprofiles/profile_table.h"
#include "init/images.h"

#define FW_CFG "firmware/qemu_fw_cfg/by_name/opt/gild/vm/raw"

/* Besides vm_option_keys: docs/hypervisor.md describes each. */
static const char *const session_keys[] = {
	"windows", "arch",   "firmware",    "storage", "network", "title",
	"image",   "format", "seal",	    "verify",  "media",	  "state",
	"persist", "native", "passthrough", "roles",   "keep",	  "shutdown_seconds",
	"root",	   "slot",   "toram",	    "no_kvm",  NULL};

void session_init(struct session *s, const char *root, void (*say)(const char *))
{
	*s = (struct session){.root = root, .say = say, .machine = MACHINE_INIT};
	s->coldplug.root = root;
	s->coldplug.threads = 4;
}

void session_free(struct session *s)
{
	options_free(&s->options);
	options_free(&s->facts);
	free(s->image_name);
	coldplug_free(&s->coldplug);
	profile_scores_free(&s->scores);
	profiles_free(&s->profiles);
	strings_free(&s->kernel_arguments);
	machine_free(&s->machine);
	verdict_free(&s->verdict);
	strings_free(&s->kept);
	strings_free(&s->spared);
	native_free(&s->native);
}

/* ---- configuration ---- */

/* The file's text; "" where it is not there. */
static int read_optional(const char *path, char **ret, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	*ret = NULL;
	if (path && access(path, F_OK) == 0 &&
	    file_read(path, OPTIONS_MAX_TEXT, &data, err) < 0)
		return -1;
	*ret = buffer_steal_string(&data);
	return 0;
}

static void split_arguments(struct strings *ret, const char *cmdline)
{
	while (*cmdline) {
		size_t len;

		cmdline += strspn(cmdline, " \t\r\n");
		len = strcspn(cmdline, " \t\r\n");
		if (len)
			vec_push(ret, xstrndup(cmdline, len));
		cmdline += len;
	}
}

static int check_keys(const struct options *o, struct error *err)
{
	const char *known[64];
	size_t n = 0;

	for (size_t i = 0; vm_option_keys[i]; i++)
		known[n++] = vm_option_keys[i];
	for (size_t i = 0; session_keys[i]; i++)
		known[n++] = session_keys[i];
	known[n] = NULL;
	return options_check(o, known, err);
}

/*
 * Quirks and what QEMU's fw_cfg says may only change the virtual machine, or do without
 * one; a quirk that is meant for others, or for a later init, is passed over.
 */
static int add_restricted(struct session *s, const char *text, const char *source,
			  bool skip_unknown, struct error *err)
{
	const char *allowed[64] = {"native", "no_kvm"};
	_cleanup_options_ struct options o = OPTIONS_INIT;
	_cleanup_error_ struct error ignored = ERROR_INIT;

	for (size_t i = 0; vm_option_keys[i]; i++)
		allowed[i + 2] = vm_option_keys[i];
	if (options_add(&o, text, source, skip_unknown ? &ignored : err) < 0)
		return skip_unknown ? 0 : -1;
	if (options_check(&o, allowed, skip_unknown ? &ignored : err) < 0)
		return skip_unknown ? 0 : -1;
	return options_add(&s->options, text, source, err);
}

static int find_profile(struct session *s, const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;

	if (!path || access(path, F_OK) < 0)
		return 0;
	if (file_read(path, PROFILE_TABLE_MAX_SIZE, &table, err) < 0 ||
	    profile_table_read(buffer_view(&table), path, &s->profiles, err) < 0)
		return -1;
	profile_match_all(&s->profiles, &s->machine.pc, &s->scores);
	if (!s->scores.len)
		return 0;
	s->question.profile = s->scores.items[0].profile;
	s->question.profile_reason = s->scores.items[0].reason;
	return 0;
}

int session_read_facts(struct session *s, const char *path, struct error *err)
{
	_cleanup_free_ char *text = NULL;

	if (read_optional(path, &text, err) < 0)
		return -1;
	return options_add(&s->facts, text, path, err);
}

/* Says which of several is taken, and where nobody chose, how to choose. */
static void say_choice(const struct session *s, const struct strings *names, bool asked)
{
	_cleanup_free_ char *line =
		asked ? xasprintf("image %s", names->items[0])
		      : xasprintf("image %s, the first; choose another with "
				  "gild.image=NAME or in the boot loader's menu",
				  names->items[0]);

	s->say(line);
}

/* The words of the chosen one, and the kernel's again, which are stronger. */
static int add_image(struct session *s, const char *config, const char *kernel,
		     struct error *err)
{
	_cleanup_free_ char *folder = xstrdup(config ? config : "");
	_cleanup_(strings_free) struct strings names = VEC_INIT, all = VEC_INIT;
	_cleanup_options_ struct options o = OPTIONS_INIT;
	const char *wish = options_get(&s->options, "image");
	char *slash = strrchr(folder, '/');
	_cleanup_free_ char *images = NULL;
	bool asked;

	if (!slash || (wish && images_is_place(wish)))
		return 0;
	*slash = 0;
	images = xasprintf("%s/images", folder);
	images_list(images, &all);
	if (images_choose(images, wish, &names, &asked, err) < 0)
		return -1;
	if (!names.len)
		return 0;
	if (all.len > 1)
		say_choice(s, &names, asked);
	s->image_name = xstrdup(names.items[0]);
	if (images_read(images, s->image_name, &s->options, err) < 0 ||
	    options_add_cmdline(&o, kernel, err) < 0)
		return -1;
	vec_foreach (word, &o.words)
		if (strncmp(*word, "image=", 6) != 0)
			strings_push(&s->options.words, *word);
	return 0;
}

/* Weakest first: the profile's quirks, file, image, kernel command line, fw_cfg. */
int session_configure(struct session *s, const char *config, const char *cmdline,
		      const char *profiles, struct error *err)
{
	_cleanup_free_ char *text = NULL, *kernel = NULL, *fw_cfg = NULL;

	if (machine_read(s->root, &s->machine, err) < 0 ||
	    find_profile(s, profiles, err) < 0)
		return -1;
	if (s->question.profile)
		vec_foreach (quirk, &s->question.profile->quirks)
			if (add_restricted(s, *quirk, s->question.profile->id, true,
					   err) < 0)
				return -1;
	if (read_optional(config, &text, err) < 0 ||
	    options_add(&s->options, text, config ? config : "configuration", err) < 0 ||
	    read_optional(cmdline, &kernel, err) < 0 ||
	    options_add_cmdline(&s->options, kernel, err) < 0 ||
	    add_image(s, config, kernel, err) < 0)
		return -1;
	split_arguments(&s->kernel_arguments, kernel);
	s->question.kernel_arguments = &s->kernel_arguments;
	fw_cfg = sysfs_text(s->root, FW_CFG);
	if (fw_cfg && add_restricted(s, fw_cfg, FW_CFG, false, err) < 0)
		return -1;
	return check_keys(&s->options, err);
}

/* ---- verdict ---- */

static void split_list(const struct options *o, const char *key, struct strings *ret)
{
	const char *value = options_get(o, key);

	strings_free(ret);
	while (value && *value) {
		size_t len = strcspn(value, ",");

		if (len)
			vec_push(ret, xstrndup(value, len));
		value += len + (value[len] == ',');
	}
}

static int read_policy(struct session *s, struct error *err)
{
	static const char *const names[] = {"ask", "native", "stop"};
	const char *value = options_get(&s->options, "no_kvm");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (value && strcmp(value, names[i]) != 0)
			continue;
		s->no_kvm = (enum session_policy)i;
		return 0;
	}
	error_set(err, ERROR_FAILED, "no_kvm", "\"%s\" is not ask, native or stop",
		  value);
	return error_remedy(err, "docs/hypervisor.md has the keys");
}

static int read_wish(struct session *s, struct error *err)
{
	bool on;

	if (read_policy(s, err) < 0)
		return -1;
	if (options_switch(&s->options, "passthrough", true, &on, err) < 0 ||
	    options_switch(&s->options, "native", false, &s->question.native_wanted,
			   err) < 0)
		return -1;
	s->question.wish.off = !on;
	for (unsigned role = 0; role < PC_ROLES; role++)
		s->question.wish.roles[role] = options_has(
			&s->options, "roles", pc_role_name((enum pc_role)role));
	split_list(&s->options, "keep", &s->kept);
	s->question.wish.kept = &s->kept;
	return 0;
}

int session_judge(struct session *s, struct error *err)
{
	const char *accel = options_get(&s->options, "accel");

	if (vm_image_parse(&s->options, &s->image, err) < 0 || read_wish(s, err) < 0 ||
	    options_number(&s->options, "memory", true, 0, UINT64_MAX,
			   &s->question.memory, err) < 0)
		return -1;
	s->question.machine = &s->machine;
	s->question.image = &s->image;
	s->question.without_kvm = accel && strcmp(accel, "tcg") == 0;
	verdict_free(&s->verdict);
	verdict_reach(&s->question, &s->verdict);
	return 0;
}

void session_write_verdict(const struct session *s)
{
	_cleanup_free_ char *json = verdict_json(&s->verdict, &s->question);

	(void)file_replace(SESSION_RUN "/verdict.json",
			   (struct bytes){(const uint8_t *)json, strlen(json)}, NULL);
}
