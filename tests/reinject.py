# SPDX-License-Identifier: GPL-3.0-or-later
"""Drop and reinject: takes driver packages out of a real SYSTEM hive and, after gild has
put them in again, compares every value with what Windows had written.

  reinject.py drop SYSTEM IMAGE PACKAGES      thins out IMAGE's hive; INFs to PACKAGES
  reinject.py compare SYSTEM IMAGE PACKAGES   counts, and every difference not explained

SYSTEM is the hive as Windows left it, IMAGE the folder with the Windows whose hive is a
copy of it. tests/e2e/reinject.sh runs both around `gild inject`."""
import collections
import json
import os
import re
import struct
import sys

import hivex

import reinject_tree
from reinject_inf import Impossible, Package, Stubs, guid_text
from reinject_tree import REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, texts_of

DATABASE, SERVICES = "DriverDatabase", "ControlSet001\\Services"
CLASSES = "ControlSet001\\Control\\Class"
# What the test itself writes through the INFs, and tags of load order groups.
ELSEWHERE = (r"DriverDatabase(\\|$)|ControlSet\d+\\(Services(\\|$)|Control\\(Test|"
             r"GroupOrderList)$)")
HIVE = "Windows/System32/config/SYSTEM"
PLAN = "plan.json"


def is_class(name):
    return re.fullmatch(r"\{[0-9a-fA-F-]{36}\}", name) is not None


def id_index(database):
    """INF name -> {device ID: four bytes}, and INF name -> class GUIDs."""
    ids, classes = collections.defaultdict(dict), collections.defaultdict(list)
    for path, key in database.find("DeviceIds").walk():
        for name, kind, data in key.values.values():
            if kind == 0 and is_class(path):
                classes[name.lower()].append(path)
            else:
                ids[name.lower()][path] = data
    return ids, classes


def placeholder(machine=0x8664):
    """A file that is a PE image of the architecture, and nothing more."""
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", machine, 0, 0, 0, 0, 240, 0x22)
    optional = struct.pack("<H", 0x20B) + bytes(238)
    return (dos + coff + optional).ljust(512, b"\0")


class Hive:
    """The branches of one SYSTEM hive that matter here."""

    def __init__(self, path):
        self.root = reinject_tree.load_all(path)
        self.database, self.services, self.classes = (
            self.root.find(branch) for branch in (DATABASE, SERVICES, CLASSES))
        self.packages = self.database.find("DriverPackages").keys
        self.infs = self.database.find("DriverInfFiles").keys
        self.ids, self.class_index = id_index(self.database)
        self.windows10 = self.database.number("Version") >= 0x0A000000


def inf_file_of(package):
    """The name of the INF file: the original one of an oemN.inf."""
    return package.text("InfName") or package.text("")


# ---- drop -------------------------------------------------------------------------------


def write_package(hive, package, stubs, folder):
    """Writes INF and placeholders of one record; returns the plan's entry."""
    published = package.text("")
    order = hive.infs[published.lower()].texts("Configurations")
    writer = Package(package, published, inf_file_of(package), hive.ids[published.lower()],
                     list(hive.services.keys.values()), class_name_of(hive, package),
                     hive.windows10, stubs, order if "configurations" in package.keys else [])
    raw = writer.write()
    where = os.path.join(folder, package.name)
    os.makedirs(where)
    with open(os.path.join(where, inf_file_of(package)), "wb") as out:
        out.write(raw)
    for name in writer.files:
        with open(os.path.join(where, name), "wb") as out:
            out.write(placeholder())
    return {"store": package.name, "published": published,
            "reflected": "configurations" in package.keys,
            "orphans": [o.lower() for o in writer.orphans]}


def class_name_of(hive, package):
    key = hive.classes.keys.get(guid_text(package.get("Version")[1][8:24]))
    if key is None or not key.text("Class"):
        raise Impossible("a class that the image does not have")
    return key.text("Class")


def drop(system, image, folder):
    hive = Hive(system)
    stubs = Stubs()
    plan, impossible = [], {}
    for package in hive.packages.values():
        try:
            plan.append(write_package(hive, package, stubs, folder))
        except Impossible as reason:
            impossible[package.name] = str(reason)
    for name, writer in stubs.infs.items():
        with open(os.path.join(image, "Windows/INF", name), "wb") as out:
            out.write(writer.bytes())
    thin_out(os.path.join(image, HIVE), hive, plan)
    with open(os.path.join(folder, PLAN), "w", encoding="utf-8") as out:
        json.dump({"packages": plan, "impossible": impossible}, out)
    print("%d packages dropped, %d cannot be written as an INF" % (len(plan), len(impossible)))


def thin_out(path, old, plan):
    """Takes all traces of the planned packages out of the hive at `path`."""
    gone = {p["published"].lower() for p in plan}
    stores = {p["store"].lower() for p in plan}
    hive = hivex.Hivex(path, write=True)
    database = reinject_tree.find_node(hive, DATABASE)
    for name, names in (("DriverPackages", stores), ("DriverInfFiles", gone)):
        for node in hive.node_children(hive.node_get_child(database, name)):
            if hive.node_name(node).lower() in names:
                hive.node_delete_child(node)
    reinject_tree.prune(hive, hive.node_get_child(database, "DeviceIds"),
                        lambda name: name.lower() not in gone)
    thin_map(hive, database, gone)
    services = reinject_tree.find_node(hive, SERVICES)
    for node in hive.node_children(services):
        service = old.services.keys[hive.node_name(node).lower()]
        owners = service.texts("Owners")
        left = [o for o in owners if o.lower() not in gone]
        if owners and not left:
            hive.node_delete_child(node)
        elif len(left) != len(owners):
            value = "".join(o + "\0" for o in left + [""]).encode("utf-16-le")
            hive.node_set_value(node, {"key": "Owners", "t": REG_MULTI_SZ, "value": value})
    hive.commit(None)


def thin_map(hive, database, gone):
    """Clears the dropped oemN.inf in OemInfMap."""
    value = hive.node_get_value(database, "OemInfMap")
    data = bytearray(hive.value_value(value)[1])
    for name in gone:
        found = re.fullmatch(r"oem(\d+)\.inf", name)
        if found and int(found.group(1)) // 8 < len(data):
            data[int(found.group(1)) // 8] &= ~(0x80 >> int(found.group(1)) % 8)
    hive.node_set_value(database, {"key": "OemInfMap", "t": 3, "value": bytes(data)})


# ---- compare ----------------------------------------------------------------------------

# Why a value may differ, by the last part of its path. Everything else must be equal.
EXPLAINED = {
    "ImportDate": "the time of the import",
    "OemPath": "the folder that the package came from",
    "InfName": "only third-party packages have it, and it was one of Windows' own",
    "SignerName": "the INF written here has no catalog",
    "SignerScore": "the INF written here has no catalog",
    "Version[0]": "ff: came with Windows, 00: third-party; it came in as third-party",
    "Product": "not in any INF: Windows' own component of that name",
    "LockLevel": "not in any INF: set by the servicing of Windows' own packages",
    "NeedsReconfig": "the state of the running machine",
    "Properties": "submission data of Windows Update, not in any INF",
    "Tag": "unique in its group: depends on what was installed before",
    "Owners": "the same set, in the order of the installation",
    "runtime": "written by the running system or the driver, not by an INF",
    "other owner": "the service has other owners, one of which wrote this",
    "live": "installed on a running machine: only the device that was there is configured",
    "stays": "the service is not dropped: other packages own it as well",
    "orphan": "a section that no ID leads to: other INFs reach it by Needs",
}
# Reasons for which a value may be missing, but not be there or have another content.
ABSENT = {"runtime", "Product", "LockLevel", "NeedsReconfig", "Properties"}
OEM_ONLY = {"importdate", "oempath", "infname", "signername"}
NOT_IN_INF = {"product", "locklevel", "needsreconfig"}
STATUS_INCLUDES = 0x100
SERVICE_BASICS = {"imagepath", "type", "start", "errorcontrol", "group", "tag", "displayname",
                  "description", "owners", "bootflags", "dependonservice", "objectname"}


class Comparison:
    def __init__(self, names):
        self.names = names  # new name -> old name, both of INFs and store folders
        longest = sorted(names, key=len, reverse=True)
        self.pattern = re.compile("|".join(
            r"(?<![\w.])" + re.escape(n) + r"(?!\w)" for n in longest), re.I) if names else None
        self.compared = self.equal = 0
        self.explained = collections.Counter()
        self.left = []

    def plain(self, text):
        """Text with the names that the packages had in the original hive."""
        if self.pattern is None:
            return text
        return self.pattern.sub(lambda m: self.names[m.group(0).lower()], text)

    def normal(self, value):
        if value is None:
            return None
        kind, data = value
        if kind in (REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ, 0xFFFF0012, 0xFFFF0019):
            text = data.decode("utf-16-le", "surrogatepass")
            return kind, self.plain(text).encode("utf-16-le", "surrogatepass")
        return value

    def check(self, path, old, new, why=None):
        """One value (or key, as a truth value); `why`, if it differs and may."""
        if old is None and new is None:
            return
        self.compared += 1
        if old == new:
            self.equal += 1
        elif why and not (why in ABSENT and new is not None):
            self.explained[why] += 1
        else:
            self.left.append((path, old, new))

    def trees(self, path, old, new, explain=lambda path, name: None):
        """Two keys and everything below them. New names are translated back."""
        if old is None or new is None:
            self.check(path, old is not None or None, new is not None or None, explain(path, ""))
            if old is None:
                return
        for name in list(old.values) + [n for n in (new.values if new else ())
                                        if n not in old.values]:
            self.check(path + "\\@" + name, old.get(name),
                       self.normal(new.get(name)) if new else None, explain(path, name))
        for name in list(old.keys) + [n for n in (new.keys if new else ())
                                      if n not in old.keys]:
            self.trees(path + "\\" + name, old.keys.get(name),
                       new.keys.get(name) if new else None, explain)


def number_of(value):
    return int.from_bytes(value[1], "little") if value else 0


def includes_only_in(package, sections):
    """True if no other section of the record includes an INF."""
    configurations = package.keys.get("configurations")
    return configurations is not None and not any(
        key.texts("IncludedInfs") for name, key in configurations.keys.items()
        if name not in sections)


def compare_package(c, old, new, entry):
    """The record below DriverPackages."""
    live = old.get("InfName") is not None
    for name in list(old.values) + [n for n in new.values if n not in old.values]:
        path = "DriverPackages\\%s\\@%s" % (entry["store"], name)
        first, second = old.get(name), c.normal(new.get(name))
        why = None
        if name in OEM_ONLY and not (name == "infname" and first):
            why = {"importdate": "ImportDate", "oempath": "OemPath", "infname": "InfName",
                   "signername": "SignerName"}[name]
        elif name == "signerscore":
            why = "SignerScore"
        elif name in NOT_IN_INF and second is None:
            why = old.values[name][0]
        elif name == "statusflags" and includes_only_in(old, entry["orphans"]) and second and \
                number_of(first) & ~STATUS_INCLUDES == number_of(second):
            why = "orphan"
        if name == "version" and first and second:
            c.check(path + "[0]", first[1][0], second[1][0], "Version[0]")
            first, second = first[1][1:], second[1][1:]
        c.check(path, first, second, why)

    def explain(path, _):
        part = path.split("\\")[0]
        if part == "properties":
            return "Properties"
        if part == "configurations" and path.lower().split("\\")[1:2] and \
                path.lower().split("\\")[1] in entry["orphans"]:
            return "orphan"
        if live and part == "descriptors" and old.find(path) is None:
            return "live"
        return None
    for name in ("configurations", "descriptors", "strings", "properties"):
        if live and not entry["reflected"]:
            c.check(name, name in old.keys or None, name in new.keys or None,
                    "Properties" if name == "properties" else "live")
        else:
            c.trees(name, old.keys.get(name), new.keys.get(name), lambda p, n: explain(p, n))


def compare_ids(c, old, new, entry):
    name = entry["published"].lower()
    before = {i.lower(): d for i, d in old.ids[name].items()}
    after = {i.lower(): d for i, d in new.ids[entry["now"]].items()}
    for i in {**before, **after}:
        c.check("DeviceIds\\%s\\@%s" % (i, name), before.get(i), after.get(i))
    c.check("DeviceIds class of " + name, [g.lower() for g in old.class_index[name]],
            [g.lower() for g in new.class_index[entry["now"]]])


def compare_inf(c, old, new, entry):
    before = old.infs[entry["published"].lower()]
    after = new.infs[entry["now"]]
    why = None
    if before.texts("Configurations") and not entry["reflected"]:
        why = "live"
    elif entry["orphans"]:
        left = [n for n in before.texts("Configurations") if n.lower() not in entry["orphans"]]
        why = "orphan" if left == after.texts("Configurations") else None
    c.trees("DriverInfFiles\\" + entry["published"], before, after,
            lambda path, name: why if name == "configurations" else None)


def settings_of(hive, owners):
    """What the records give each service: {service: {(path, name): set of data}}. Of one
    INF's sections the first that adds the service installs it."""
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for package in hive.packages.values():
        published = package.text("").lower()
        configurations = package.keys.get("configurations")
        if published not in owners or configurations is None:
            continue
        done = set()
        for name in hive.infs[published].texts("Configurations"):
            key = configurations.keys.get(name.lower())
            services = key.keys.get("services") if key else None
            for service in services.keys.values() if services else ():
                if service.name.lower() in done:
                    continue
                for path, sub in service.walk():
                    for value in sub.values:
                        found[service.name.lower()][(path.lower(), value)].add(
                            sub.get(value)[1])
            done.update(n.lower() for n in services_in(key))
    return found


def services_in(key):
    """Services that a recorded section adds or names."""
    if key is None:
        return []
    services = key.keys.get("services")
    return [key.text("Service") or ""] + [k.name for k in services.keys.values()] \
        if services else [key.text("Service") or ""]


def compare_service(c, name, old, new, given, dropped, orphaned):
    owners = old.texts("Owners")
    kept = [o for o in owners if o.lower() not in dropped]

    def explain(path, value):
        below = "\\".join(path.split("\\")[1:])
        if kept:
            return "stays"
        if not below and value == "tag":
            return "Tag"
        if not below and value in ("displayname", "description", "start", "group") \
                and len(owners) > 1:
            return "other owner"
        if not below and value in SERVICE_BASICS:
            return None
        if (below, value) in given:
            return "other owner" if len(given[(below, value)]) > 1 else None
        return "runtime"
    before, after = set(o.lower() for o in owners), set(
        c.plain(o).lower() for o in new.texts("Owners"))
    c.check("%s\\@Owners" % name, before, after,
            "orphan" if after < before and before - after <= orphaned else None)
    for values in (old.values, new.values):
        values.pop("owners", None)
    c.trees(name, old, new, explain)


def oem_numbers(hive):
    """The numbers that OemInfMap has."""
    data = hive.database.get("OemInfMap")[1]
    return {n for n in range(8 * len(data)) if data[n // 8] & 0x80 >> n % 8}


def compare_root(c, old, new, present):
    """The values of the database's root, and the numbers in use."""
    for name in {**old.database.values, **new.database.values}:
        if name != "oeminfmap":
            c.check("DriverDatabase\\@" + name, old.database.get(name), new.database.get(name))

    def numbers(names):
        return {int(n[3:-4]) for n in names if re.fullmatch(r"oem\d+\.inf", n)}
    expected = oem_numbers(old) - numbers(e["published"].lower() for e in present)
    c.check("OemInfMap", expected | numbers(e["now"] for e in present), oem_numbers(new))


def compare_elsewhere(old, new):
    """Paths outside database and services where the hives differ; values looked at."""
    changed, count = [], 0
    trees = [{path: key for path, key in hive.root.walk()
              if not re.match(ELSEWHERE, path, re.I)} for hive in (old, new)]
    for path in {**trees[0], **trees[1]}:
        first, second = (tree[path].values if path in tree else None for tree in trees)
        count += len(first or ())
        if first != second:
            changed.append(path)
    return changed, count


def compare(system, image, folder):
    with open(os.path.join(folder, PLAN), encoding="utf-8") as text:
        plan = json.load(text)
    old, new = Hive(system), Hive(os.path.join(image, HIVE))
    now = {}
    for package in new.packages.values():
        now.setdefault(inf_file_of(package).lower(), package)
    names, missing = {}, []
    for entry in plan["packages"]:
        before = old.packages[entry["store"].lower()]
        after = now.get(inf_file_of(before).lower())
        if after is None or not after.text("InfName"):
            missing.append(entry["store"])
            continue
        entry["now"] = after.text("").lower()
        names[entry["now"]] = entry["published"]
        names[after.name.lower()] = before.name
    c = Comparison(names)
    present = [e for e in plan["packages"] if "now" in e]
    for entry in present:
        before = old.packages[entry["store"].lower()]
        compare_package(c, before, now[inf_file_of(before).lower()], entry)
        compare_inf(c, old, new, entry)
        compare_ids(c, old, new, entry)
    compare_root(c, old, new, present)
    changed, count = compare_elsewhere(old, new)
    print("elsewhere in the hive: %d values, %d keys changed" % (count, len(changed)))
    c.left += [("elsewhere: " + path, "as it was", "changed") for path in changed]
    dropped = {e["published"].lower() for e in present}
    given = settings_of(old, dropped)
    orphaned = {e["published"].lower() for e in present if e["orphans"]}
    services = 0
    for name, service in old.services.keys.items():
        if not any(o.lower() in dropped for o in service.texts("Owners")):
            continue
        services += 1
        after = new.services.keys.get(name)
        if after is None:
            c.check("Services\\" + name, True, None)
        else:
            compare_service(c, name, service, after, given[name], dropped, orphaned)
    report(c, plan, present, missing, services)


def report(c, plan, present, missing, services):
    print("packages %d, services %d, values compared %d, equal %d, explained %d, "
          "unexplained %d" % (len(present), services, c.compared, c.equal,
                              sum(c.explained.values()), len(c.left)))
    for why, count in c.explained.most_common():
        print("  %6d %s: %s" % (count, why, EXPLAINED[why]))
    by_reason = collections.defaultdict(list)
    for name, reason in sorted(plan["impossible"].items()):
        by_reason[reason].append(name.split(".inf_")[0])
    for reason, those in by_reason.items():
        print("not possible (%s): %d: %s" % (reason, len(those), " ".join(those)))
    for name in missing:
        print("not injected: " + name)
    for path, before, after in c.left[:400]:
        print("differs: %s\n  Windows: %s\n  gild:    %s" % (path, shown(before), shown(after)))
    sys.exit(1 if c.left or missing or c.equal == 0 else 0)


def shown(value):
    if isinstance(value, tuple):
        kind, data = value
        if kind in (REG_SZ, REG_EXPAND_SZ):
            return "%x %r" % (kind, data.decode("utf-16-le", "replace"))
        if kind & 0xFFFF == REG_MULTI_SZ:
            return "%x %r" % (kind, texts_of(data))
        return "%x %s" % (kind, data.hex())
    return value.hex() if isinstance(value, bytes) else repr(value)


if __name__ == "__main__":
    {"drop": drop, "compare": compare}[sys.argv[1]](*sys.argv[2:])
