/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What names a PC, its disks and its network in the registry. Each entry follows what
 * sysprep /generalize removes itself (MountedDevices, HardwareConfig, computer name,
 * MachineGuid by capisp.dll), or Microsoft's articles for who clones images (IDs of
 * Windows Update: KB903262).
 */
#include "builder/depersonalize_private.h"

#include "base/text.h"

#define NETWORK_LIST "Microsoft\\Windows NT\\CurrentVersion\\NetworkList\\"
#define UPDATE "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate"

int depersonalize_subkeys(struct hive *hive, hkey key, uint64_t *count, struct error *err)
{
	for (uint32_t i = key ? hive_child_count(hive, key) : 0; i-- > 0;) {
		hkey child = hive_child(hive, key, i);

		if (!child)
			continue;
		if (hive_delete(hive, child, err) < 0)
			return -1;
		++*count;
	}
	return 0;
}

static int drop_values(struct hive *hive, hkey key, uint64_t *count, struct error *err)
{
	for (uint32_t i = key ? hive_value_count(hive, key) : 0; i-- > 0;) {
		_cleanup_reg_value_ struct reg_value value = {0};
		int found = hive_value_at(hive, key, i, &value, err);

		if (found < 0 || (found && hive_unset(hive, key, value.name, err) < 0))
			return -1;
		*count += (uint64_t)found;
	}
	return 0;
}

/* The key's default value is Windows' own. */
static int drop_mounted(struct depersonalizing *d, struct error *err)
{
	uint64_t count = 0;
	hkey key = hive_find(d->system, hive_root(d->system), "MountedDevices");

	if (drop_values(d->system, key, &count, err) < 0)
		return -1;
	depersonalized(d, "mounted_devices", "drive letters and volumes of the old disks",
		       "SYSTEM\\MountedDevices", count, 0);
	return 0;
}

/* The kernel makes a new entry for the machine that it finds itself on. */
static int drop_machines(struct depersonalizing *d, struct error *err)
{
	static const char *const values[] = {"LastConfig", "LastId"};
	hkey key = hive_find(d->system, hive_root(d->system), "HardwareConfig");
	uint64_t count = 0;

	if (depersonalize_subkeys(d->system, key, &count, err) < 0)
		return -1;
	for (size_t i = 0; key && i < ARRAY_SIZE(values); i++) {
		int done = hive_unset(d->system, key, values[i], err);

		if (done < 0)
			return -1;
		count += (uint64_t)done;
	}
	depersonalized(d, "hardware_config", "machines that it ran on",
		       "SYSTEM\\HardwareConfig", count, 0);
	return 0;
}

static int drop_overrides(struct depersonalizing *d, const char *set, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Services", set);
	_cleanup_free_ char *where = xasprintf("SYSTEM\\%s", path);
	hkey list = hive_find(d->system, hive_root(d->system), path);
	uint32_t total = list ? hive_child_count(d->system, list) : 0;
	uint64_t count = 0;

	for (uint32_t i = 0; i < total; i++) {
		hkey service = hive_child(d->system, list, i);
		hkey key = service ? hive_find(d->system, service, "StartOverride") : 0;

		if (!key)
			continue;
		if (hive_delete(d->system, key, err) < 0)
			return -1;
		count++;
	}
	depersonalized(d, "start_override", "drivers that the old machine did not need",
		       where, count, 0);
	return 0;
}

/* ---- names of the PC
 * --------------------------------------------------------------------- */

static int set_name(struct depersonalizing *d, const char *set, const char *path,
		    const char *value, struct error *err)
{
	_cleanup_free_ char *full = xasprintf("%s\\%s", set, path);
	_cleanup_free_ char *where = xasprintf("SYSTEM\\%s", full);
	hkey key = hive_find(d->system, hive_root(d->system), full);
	_cleanup_free_ char *name = key ? hive_get_string(d->system, key, value) : NULL;

	if (!name || text_equal(name, DEPERSONALIZED_NAME))
		return 0;
	if (hive_set_string(d->system, key, value, REG_SZ, DEPERSONALIZED_NAME, err) < 0)
		return -1;
	depersonalized(d, "computer_name", "the PC's name, now " DEPERSONALIZED_NAME,
		       where, 1, 0);
	return 0;
}

static int drop_value(struct depersonalizing *d, struct hive *hive, const char *hive_name,
		      const char *path, const char *value, const char *code,
		      const char *what, struct error *err)
{
	_cleanup_free_ char *where = xasprintf("%s\\%s", hive_name, path);
	hkey key = hive_find(hive, hive_root(hive), path);
	int done = key ? hive_unset(hive, key, value, err) : 0;

	if (done > 0)
		depersonalized(d, code, what, where, 1, 0);
	return done < 0 ? -1 : 0;
}

static int drop_names(struct depersonalizing *d, const char *set, struct error *err)
{
	static const char parameters[] = "Services\\Tcpip\\Parameters";
	static const char *const leases[] = {"DhcpNameServer", "DhcpDomain"};
	_cleanup_free_ char *path = xasprintf("%s\\%s", set, parameters);

	if (set_name(d, set, "Control\\ComputerName\\ComputerName", "ComputerName", err) <
		    0 ||
	    set_name(d, set, parameters, "Hostname", err) < 0 ||
	    set_name(d, set, parameters, "NV Hostname", err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(leases); i++)
		if (drop_value(d, d->system, "SYSTEM", path, leases[i], "dhcp_lease",
			       "what the old network's DHCP server said", err) < 0)
			return -1;
	return 0;
}

/* With it, the first shut down of the image would leave a session of that PC's. */
static int drop_fast_start(struct depersonalizing *d, const char *set, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Control\\Session Manager\\Power", set);
	_cleanup_free_ char *where = xasprintf("SYSTEM\\%s", path);
	hkey key = hive_find(d->system, hive_root(d->system), path);
	uint32_t on = 0;

	if (!key || !hive_get_dword(d->system, key, "HiberbootEnabled", &on) || !on)
		return 0;
	if (hive_set_dword(d->system, key, "HiberbootEnabled", 0, err) < 0)
		return -1;
	depersonalized(d, "fast_startup", "fast startup, now off", where, 1, 0);
	return 0;
}

/* ---- SOFTWARE
 * ----------------------------------------------------------------------------- */

static int drop_software_subkeys(struct depersonalizing *d, const char *path,
				 struct error *err)
{
	_cleanup_free_ char *where = xasprintf("SOFTWARE\\%s", path);
	hkey key = hive_find(d->software, hive_root(d->software), path);
	uint64_t count = 0;

	if (depersonalize_subkeys(d->software, key, &count, err) < 0)
		return -1;
	depersonalized(d, "network_list", "networks that it was in", where, count, 0);
	return 0;
}

static int drop_software(struct depersonalizing *d, struct error *err)
{
	static const char *const lists[] = {
		NETWORK_LIST "Profiles",
		NETWORK_LIST "Signatures\\Managed",
		NETWORK_LIST "Signatures\\Unmanaged",
		NETWORK_LIST "Nla\\Cache\\Intranet",
	};
	static const char *const update_ids[] = {"SusClientId", "SusClientIdValidation",
						 "PingID", "AccountDomainSid"};

	if (!d->software)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (drop_software_subkeys(d, lists[i], err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(update_ids); i++)
		if (drop_value(d, d->software, "SOFTWARE", UPDATE, update_ids[i],
			       "update_id", "what Windows Update knows the PC by",
			       err) < 0)
			return -1;
	/* Windows makes a new one when it is missing. */
	return drop_value(d, d->software, "SOFTWARE", "Microsoft\\Cryptography",
			  "MachineGuid", "machine_guid", "the machine's GUID", err);
}

int depersonalize_registry(struct depersonalizing *d, const struct strings *sets,
			   struct error *err)
{
	if (drop_mounted(d, err) < 0 || drop_machines(d, err) < 0)
		return -1;
	vec_foreach (set, sets) {
		if (interrupted())
			return error_interrupted(err);
		if (drop_overrides(d, *set, err) < 0 || drop_names(d, *set, err) < 0 ||
		    drop_fast_start(d, *set, err) < 0)
			return -1;
	}
	return drop_software(d, err);
}
