/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What setup and sysprep noted in the image: is it generalized, somebody's own, or did
 * one of them stop half-way? (Microsoft, "Windows Setup States"; values of sysprep as
 * Windows 7 to 11 leave them.)
 */
#include "base/text.h"
#include "builder/verify_private.h"

#define SYSPREP_STATUS "Setup\\Status\\SysprepStatus"
#define GENERALIZING 3 /* GeneralizationState: /generalize is under way */

static bool state_is(const struct installation *installation, const char *state)
{
	return strcmp(installation->state, state) == 0;
}

static uint32_t setup_value(struct hive *system, const char *path, const char *name)
{
	hkey key = hive_find(system, hive_root(system), path);
	uint32_t value = 0;

	if (key)
		(void)hive_get_dword(system, key, name, &value);
	return value;
}

static void check_sysprep(struct verify *v, struct hive *system,
			  const struct installation *installation, const char *subject)
{
	bool stuck = setup_value(system, SYSPREP_STATUS, "GeneralizationState") ==
			     GENERALIZING &&
		     (state_is(installation, "complete") ||
		      state_is(installation, "undeployable"));

	if (stuck)
		verify_add(v, "sysprep_stuck",
			   state_is(installation, "complete") ? VERIFY_WARNING
							      : VERIFY_ERROR,
			   subject,
			   "see Windows\\System32\\Sysprep\\Panther\\setuperr.log, undo "
			   "its cause in Windows and run sysprep /generalize again",
			   "sysprep /generalize stopped half-way "
			   "(GeneralizationState 3)");
	else if (state_is(installation, "undeployable"))
		verify_add(v, "state_undeployable", VERIFY_ERROR, subject,
			   "start again from the image as it was before setup or sysprep",
			   "setup or sysprep stopped half-way "
			   "(IMAGE_STATE_UNDEPLOYABLE): Windows says at its start that "
			   "its installation is incomplete");
}

static void check_kind(struct verify *v, const struct installation *installation,
		       const char *subject)
{
	if (state_is(installation, "complete"))
		verify_add(v, "state_personal", VERIFY_WARNING, subject,
			   "run sysprep /generalize /oobe /shutdown in it, or build from "
			   "install.wim",
			   "it is somebody's installation, not generalized: copies of "
			   "it share a machine SID, which Windows refuses in a network "
			   "since KB5064081");
	else if (state_is(installation, "audit") ||
		 state_is(installation, "generalized_audit"))
		verify_add(v, "state_audit", VERIFY_WARNING, subject,
			   "run sysprep /generalize /oobe /shutdown in it",
			   "it starts into audit mode, as Administrator without a "
			   "password");
	else if (state_is(installation, "setup"))
		verify_add(v, "state_setup", VERIFY_WARNING, subject,
			   "let setup end, then run sysprep /generalize /oobe /shutdown",
			   "Windows Setup has not ended in it");
}

/* The program of a command line, as a path in the tree; NULL if it cannot be told. */
static char *program_path(const char *command)
{
	bool quoted = *command == '"';
	size_t len = quoted ? strcspn(++command, "\"") : strcspn(command, " ");
	_cleanup_free_ char *name = xstrndup(command, len);
	bool full = len > 2 && name[1] == ':';
	char *path;

	for (char *c = name; *c; c++)
		if (*c == '\\')
			*c = '/';
	if (strchr(name, '%') || (!full && *name == '/'))
		return NULL;
	path = full ? xstrdup(name + 3) : xasprintf("Windows/System32/%s", name);
	if (strrchr(path_base(path), '.'))
		return path;
	free(name);
	name = path;
	return xasprintf("%s.exe", path);
}

/* With a SetupType, the first start runs CmdLine instead of the log-on. */
static int check_command(struct verify *v, struct tree *tree, struct hive *system,
			 const char *subject, struct error *err)
{
	hkey key = hive_find(system, hive_root(system), "Setup");
	_cleanup_free_ char *command =
		key ? hive_get_string(system, key, "CmdLine") : NULL;
	_cleanup_free_ char *path = NULL;
	int found = 1;

	if (!setup_value(system, "Setup", "SetupType"))
		return 0;
	if (command && *command)
		path = program_path(command);
	if (path && tree_path_check(path, NULL) == 0)
		found = tree_stat(tree, path, NULL, err);
	if (found < 0)
		return -1;
	if (!command || !*command)
		verify_add(v, "setup_command", VERIFY_ERROR, subject,
			   "set Setup\\CmdLine to oobe\\windeploy.exe (gild edit --reg)",
			   "SYSTEM\\Setup has a SetupType but no CmdLine: the first "
			   "start has nothing to run");
	else if (!found)
		verify_add(v, "setup_command", VERIFY_ERROR, path, "put the program back",
			   "is missing, which the first start is to run (Setup\\CmdLine: "
			   "%s)",
			   command);
	return 0;
}

int verify_state(struct verify *v, struct tree *tree, struct registry *registry,
		 const struct installation *installation, struct error *err)
{
	struct hive *system = registry_hive(registry, REGISTRY_SYSTEM, err);
	const char *subject = tree_name(tree);

	if (!system)
		return -1;
	check_kind(v, installation, subject);
	check_sysprep(v, system, installation, subject);
	verify_checked(v, "setup state: %s", installation->state);
	return check_command(v, tree, system, subject, err);
}
