#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares `gild inspect --json` with the hives as hivex reads them.

  inspectcheck.py modules              is hivex here
  inspectcheck.py compare CONFIG JSON  CONFIG: a folder with SYSTEM [SOFTWARE, DRIVERS]
  inspectcheck.py get JSON EXPRESSION  one value, as Python sees the object `d`
"""
import json
import os
import sys
import uuid

try:
    import hivex
except ImportError:
    hivex = None

HOST = {"4d36e97b-e325-11ce-bfc1-08002be10318", "4d36e96a-e325-11ce-bfc1-08002be10318",
        "a0a588a4-c46f-4b37-b7ea-c82fe89870c6", "d48179be-ec20-11d1-b6b8-00c04fa372a7"}
DISK = "4d36e967-e325-11ce-bfc1-08002be10318"
SYSTEM = "4d36e97d-e325-11ce-bfc1-08002be10318"


class Hive:
    def __init__(self, path):
        self.h = hivex.Hivex(path)

    def find(self, *names, key=None):
        key = key or self.h.root()
        for name in names:
            key = self.h.node_get_child(key, name)
            if not key:
                return None
        return key

    def name(self, key):
        return self.h.node_name(key)

    def children(self, *names, key=None):
        key = self.find(*names, key=key)
        return self.h.node_children(key) if key else []

    def values(self, key):
        found = {}
        for v in self.h.node_values(key):
            kind, data = self.h.value_value(v)
            if kind in (1, 2):
                data = data.decode("utf-16-le", "replace").split("\0")[0]
            elif kind == 7:
                data = [s for s in data.decode("utf-16-le").split("\0") if s]
            elif kind == 4:
                data = int.from_bytes(data[:4], "little")
            found[self.h.value_key(v).lower()] = data
        return found


def packages(hives):
    for hive in hives:
        for key in hive.children("DriverDatabase", "DriverPackages"):
            values = hive.values(key)
            version = values.get("version", b"")
            class_guid = str(uuid.UUID(bytes_le=version[8:24])) if len(version) == 48 else ""
            configurations, ids = {}, []
            for c in hive.children("Configurations", key=key):
                configurations[hive.name(c).lower()] = hive.values(c)
            for outer in hive.children("Descriptors", key=key):
                inner = hive.children(key=outer)
                for d in inner + [outer]:
                    name = hive.name(outer)
                    if d != outer:
                        name += "\\" + hive.name(d)
                    if hive.h.node_values(d):
                        ids.append((name, hive.values(d).get("configuration", "").lower()))
            yield hive.name(key), values, class_guid, configurations, ids


def windows_of(system, control_set, config):
    want = {"control_set": control_set}
    env = system.values(system.find(control_set, "Control", "Session Manager", "Environment"))
    want["arch"] = env["processor_architecture"].lower()
    if os.path.exists(config + "/SOFTWARE"):
        software = Hive(config + "/SOFTWARE")
        v = software.values(software.find("Microsoft", "Windows NT", "CurrentVersion"))
        if "currentmajorversionnumber" in v:
            start = "%d.%d" % (v["currentmajorversionnumber"], v["currentminorversionnumber"])
        else:
            start = v["currentversion"]
        want["build"] = int(v["currentbuildnumber"])
        want["version"] = "%s.%d" % (start, want["build"])
        want["edition"] = v["editionid"]
        want["product"] = v["productname"]
        if want["build"] >= 22000:
            want["product"] = want["product"].replace("Windows 10", "Windows 11")
    return want


def boot_storage_of(system, control_set, all_packages):
    claims, enumerators = {}, set()
    for _, _, guid, configurations, ids in all_packages:
        for name, configuration in configurations.items():
            service = configuration.get("service", "").lower()
            if not service:
                continue
            mine = {i for i, c in ids if c == name}
            claims.setdefault(service, []).append((guid, mine))
            if guid in HOST:
                enumerators |= {i.split("\\")[0].lower() for i in mine if "\\" in i}
    want = {}
    for key in system.children(control_set, "Services"):
        name, v = system.name(key), system.values(key)
        if v.get("start") != 0 or v.get("type") not in (1, 2, 8):
            continue
        mine = claims.get(name.lower(), [])
        if any(g in HOST or g == DISK or (g == SYSTEM and name.lower() in enumerators)
               for g, _ in mine):
            want[name.lower()] = {i.lower() for _, ids in mine for i in ids}
    return want


def drivers_of(system, control_set, all_packages):
    critical = {}
    for key in system.children(control_set, "Control", "Class"):
        property3 = system.find("Properties", "{6a3433f4-5626-40e8-a9b9-dbd9ecd2884b}", "0003",
                                key=key)
        critical[system.name(key).strip("{}").lower()] = (
            system.values(key).get("class"), bool(property3))
    want = {}
    for _, v, guid, configurations, _ in all_packages:
        published = v.get("", "").lower()
        if not (published.startswith("oem") and published[3:-4].isdigit()):
            continue
        n = int.from_bytes(v["version"][32:40], "little")
        name, boot = critical.get(guid, (None, False))
        want[published] = {
            "original": v.get("infname"), "provider": v.get("provider"),
            "version": ".".join(str(n >> s & 0xFFFF) for s in (48, 32, 16, 0)),
            "class": name, "boot_critical": boot or v.get("bootcritical", 0) == 1,
            "services": {c["service"].lower() for c in configurations.values()
                         if c.get("service")}}
    return want


def compare(config, text):
    got, bad = json.loads(text), []
    system = Hive(config + "/SYSTEM")
    hives = [system]
    if os.path.exists(config + "/DRIVERS"):
        hives.append(Hive(config + "/DRIVERS"))
    control_set = "ControlSet%03d" % system.values(system.find("Select"))["current"]
    all_packages = list(packages(hives))

    for name, value in windows_of(system, control_set, config).items():
        if got["windows"][name] != value:
            bad.append("windows.%s: %r, hivex: %r" % (name, got["windows"][name], value))
    want = boot_storage_of(system, control_set, all_packages)
    have = {s["service"].lower(): {i.lower() for i in s["ids"]} for s in got["boot_storage"]}
    for name in sorted(set(want) | set(have)):
        if want.get(name) != have.get(name):
            bad.append("boot_storage %s: %d IDs, hivex: %s" % (
                name, len(have.get(name, ())), want.get(name)))
    want = drivers_of(system, control_set, all_packages)
    have = {d["published"].lower(): d for d in got["drivers"]}
    for name in sorted(set(want) | set(have)):
        if name not in want or name not in have:
            bad.append("driver %s is in one list only" % name)
            continue
        for field, value in want[name].items():
            mine = have[name][field]
            if field == "services":  # those that own it by Owners may be more
                ok = value <= {s.lower() for s in mine}
            else:
                ok = mine == value
            if not ok:
                bad.append("driver %s %s: %r, hivex: %r" % (name, field, mine, value))
    for line in bad:
        print(line)
    print("# %d packages, %d third-party, %d boot storage services, %d device IDs" % (
        len(all_packages), len(have), len(got["boot_storage"]),
        sum(len(s["ids"]) for s in got["boot_storage"])))
    return not bad


def main():
    if sys.argv[1] == "modules":
        print("hivex" if hivex else "")
    elif sys.argv[1] == "get":
        d = json.load(open(sys.argv[2]))
        value = eval(sys.argv[3], {"d": d})  # the test's own expression
        print(value if isinstance(value, str) else json.dumps(value))
    else:
        sys.exit(0 if compare(sys.argv[2], open(sys.argv[3]).read()) else 1)


main()
