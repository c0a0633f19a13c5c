# SPDX-License-Identifier: GPL-3.0-or-later
"""Drop and reinject for Windows 7: takes the entries of CriticalDeviceDatabase and the
services of every reflected package out of a real SYSTEM hive and, after gild has put
packages with the same content in, compares every value with what Windows had written.

  reinject_nt6.py drop SYSTEM IMAGE PACKAGES      thins out IMAGE's hive; INFs to PACKAGES
  reinject_nt6.py compare SYSTEM IMAGE PACKAGES   counts, and every difference not explained

SYSTEM is the hive as Windows left it, IMAGE the folder with the Windows whose hive is a
copy of it."""
import collections
import json
import os
import re
import struct
import sys

import hivex

import reinject_tree
from reinject_inf import Impossible, Writer, field, quoted, reg_line
from reinject_tree import REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, texts_of

DATABASE = "%s\\Control\\CriticalDeviceDatabase"
SETS = ("ControlSet001", "ControlSet002")
HIVE = "Windows/System32/config/SYSTEM"
PLAN = "plan.json"
# Values that a service-install section has a directive for.
DIRECTIVES = ("imagepath", "type", "start", "errorcontrol", "group", "displayname",
              "bootflags", "driverpackageid")
EXPLAINED = {
    "package": "DriverPackageId names a folder that the store's index would have to know",
    "path": "the same file: relative for the boot loader, \\SystemRoot for the others, or "
            "another case",
    "case": "a GUID: gild writes upper case, as all but a few INFs of Windows do",
    "sets": "the control sets differed, and an INF says one thing for both",
}


def placeholder():
    """A file that is a PE image for x86, and nothing more."""
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x14C, 0, 0, 0, 0, 224, 0x102)
    return (dos + coff + struct.pack("<H", 0x10B) + bytes(222)).ljust(512, b"\0")


def inf_of(package_id):
    return package_id.lower().split(".inf_")[0] + ".inf"


class Hive:
    def __init__(self, path):
        self.root = reinject_tree.load_all(path)
        self.entries = {s: self.root.find(DATABASE % s).keys for s in SETS}
        self.services = {s: self.root.find(s + "\\Services").keys for s in SETS}


def owners(hive):
    """Service -> INF: by its own DriverPackageId, else by the only INF that names it."""
    entries, services = hive.entries[SETS[0]], hive.services[SETS[0]]
    named = collections.defaultdict(set)
    for entry in entries.values():
        inf = inf_of(entry.text("DriverPackageId") or "")
        for name in [entry.text("Service")] + entry.texts("UpperFilters") \
                + entry.texts("LowerFilters"):
            if name:
                named[name.lower()].add(inf)
    found = {}
    for name, infs in named.items():
        service = services.get(name)
        if service is None:
            continue
        own = service.text("DriverPackageId")
        if own and inf_of(own) in infs:
            found[name] = inf_of(own)
        elif len(infs) == 1 and not own:
            found[name] = next(iter(infs))
    return {n: i for n, i in found.items() if i != ".inf"}


def service_section(out, service):
    """The service-install section; returns the binary's file name."""
    section = service.name + "_Service"
    path = service.text("ImagePath") or ""
    found = re.fullmatch(r"(?i)(?:\\SystemRoot\\)?system32\\drivers\\([^\\]+\.sys)", path)
    if not found:
        raise Impossible("ImagePath " + path)
    for directive, value in (("DisplayName", service.text("DisplayName")),
                             ("ServiceType", service.number("Type")),
                             ("StartType", service.number("Start")),
                             ("ErrorControl", service.number("ErrorControl")),
                             ("ServiceBinary", "%12%\\" + found.group(1)),
                             ("LoadOrderGroup", service.text("Group")),
                             ("BootFlags", service.number("BootFlags"))):
        if value is not None:
            out.add(section, "%s = %s" % (directive, quoted(value) if directive in (
                "DisplayName", "LoadOrderGroup") else value))
    lines = []
    for sub, key in service.walk():
        for low, (name, kind, data) in key.values.items():
            if sub or low not in DIRECTIVES:
                lines.append(reg_line(sub, name, kind, data)[1])
        if sub and not key.values and not key.keys:
            lines.append("HKR,%s,,0x10" % quoted(sub))
    if lines:
        out.add(section, "AddReg = %s_AddReg" % service.name)
        for line in lines:
            out.add(service.name + "_AddReg", line)
    return found.group(1)


def write_package(hive, inf, entries, owned, folder):
    """One INF for all entries that one of Windows' INFs made."""
    services = hive.services[SETS[0]]
    kinds = collections.OrderedDict()
    for entry in entries:
        key = (entry.text("Service"), tuple(entry.texts("UpperFilters")),
               tuple(entry.texts("LowerFilters")))
        kinds.setdefault(key, []).append(entry)
    out, files = Writer(), set()
    out.add("Version", 'Signature = "$Windows NT$"')
    out.add("Version", "ClassGUID = " + entries[0].text("ClassGUID"))
    out.add("Version", 'Provider = "reinject"')
    out.add("Version", "DriverVer = 01/02/2012,9.9.9.9")
    out.add("Manufacturer", '"reinject" = Models,NTx86')
    for i, ((service, upper, lower), same) in enumerate(kinds.items()):
        section = "Install%d" % i
        out.add(section)
        for entry in same:
            out.add("Models.NTx86", '"device" = %s,%s' % (
                section, field(entry.name.replace("#", "\\"))))
        for name, filters in (("UpperFilters", upper), ("LowerFilters", lower)):
            if filters:
                out.add(section + ".HW", "AddReg = %s_%s" % (section, name))
                out.add("%s_%s" % (section, name), "HKR,,%s,0x00010000,%s" % (
                    name, ",".join(quoted(f) for f in filters)))
        out.add(section + ".Services")
        for name in (service,) + upper + lower:
            flags = "0x00000002" if name == service else ""
            key = services.get(name.lower())
            if key is None or owned.get(name.lower()) != inf:
                # Another package's: only named.
                out.add(section + ".Services", "AddService = %s,%s,Other" % (
                    quoted(name), flags))
                continue
            out.add(section + ".Services", "AddService = %s,%s,%s_Service" % (
                quoted(name), flags, name))
            if name + "_Service" not in out.sections:
                files.add(service_section(out, key))
            out.add(section, "CopyFiles = Files")
    out.sections["Other"] = ["ServiceType = 1", "StartType = 3", "ErrorControl = 1",
                             "ServiceBinary = %12%\\other.sys"]
    for section in out.sections:
        if section.startswith("Install") and "." not in section:
            out.sections[section] = sorted(set(out.sections[section]))
    if files:
        out.sections["Files"] = sorted(files)
        out.add("DestinationDirs", "DefaultDestDir = 12")
        out.add("SourceDisksNames", '1 = "disk"')
        for name in sorted(files):
            out.add("SourceDisksFiles", "%s = 1" % name)
    target = os.path.join(folder, inf[:-4])
    os.makedirs(target)
    with open(os.path.join(target, inf), "wb") as text:
        text.write(out.bytes())
    for name in files:
        with open(os.path.join(target, name), "wb") as binary:
            binary.write(placeholder())


def drop(system, image, folder):
    hive = Hive(system)
    owned = owners(hive)
    packages = collections.defaultdict(lambda: collections.defaultdict(list))
    witnesses = set()
    for entry in hive.entries[SETS[0]].values():
        package, class_guid = entry.text("DriverPackageId"), entry.text("ClassGUID").upper()
        # One entry of each class stays: by these gild knows what has to be bootable.
        if class_guid not in witnesses:
            witnesses.add(class_guid)
        elif package and entry.text("Service"):
            packages[inf_of(package)][entry.text("ClassGUID").upper()].append(entry)
    plan = {"entries": [], "services": [], "impossible": {}}
    for inf, classes in sorted(packages.items()):
        # An INF has one class; a second one's entries stay where they are.
        entries = max(classes.values(), key=len)
        try:
            write_package(hive, inf, entries, owned, folder)
        except Impossible as reason:
            plan["impossible"][inf] = str(reason)
            continue
        plan["entries"] += [e.name for e in entries]
        plan["services"] += [n for n, i in owned.items() if i == inf and any(
            n in [x.lower() for x in [e.text("Service")] + e.texts("UpperFilters")
                  + e.texts("LowerFilters")] for e in entries)]
    path = os.path.join(image, HIVE)
    hive = hivex.Hivex(path, write=True)
    for one in SETS:
        for list_path, names in ((DATABASE % one, plan["entries"]),
                                 (one + "\\Services", plan["services"])):
            parent = reinject_tree.find_node(hive, list_path)
            wanted = {n.lower() for n in names}
            for child in hive.node_children(parent):
                if hive.node_name(child).lower() in wanted:
                    hive.node_delete_child(child)
    hive.commit(None)
    with open(os.path.join(folder, PLAN), "w", encoding="utf-8") as text:
        json.dump(plan, text)
    print("dropped %d entries, %d services of %d packages; %d packages not possible" % (
        len(plan["entries"]), len(plan["services"]),
        len(packages) - len(plan["impossible"]), len(plan["impossible"])))


class Comparison:
    def __init__(self):
        self.compared = self.equal = 0
        self.explained, self.left = collections.Counter(), []

    def explain(self, path, name, before, after, other):
        if name == "driverpackageid" and after is None:
            return "package"
        if name == "imagepath" and before and after and before[0] == after[0]:
            plain = [re.sub(r"(?i)^\\systemroot\\", "", x[1].decode("utf-16-le")).lower()
                     for x in (before, after)]
            if plain[0] == plain[1]:
                return "path"
        if name == "classguid" and before and after and \
                before[1].decode("utf-16-le").upper() == after[1].decode("utf-16-le"):
            return "case"
        if other is not None and other != before and after == other:
            return "sets"
        return None

    def key(self, path, before, after, other):
        """`other` is the key as the first control set has it."""
        if before is None or after is None:
            self.compared += 1
            self.left.append((path, before and before.name, after and after.name))
            return
        for name in {**before.values, **after.values}:
            a, b = before.get(name), after.get(name)
            self.compared += 1
            if a == b:
                self.equal += 1
                continue
            why = self.explain(path, name, a, b, other.get(name) if other else None)
            if why is None and other is not None and other.get(name) is None and b is None:
                why = "sets"
            if why:
                self.explained[why] += 1
            else:
                self.left.append((path + "\\@" + name, a, b))
        for name in {**before.keys, **after.keys}:
            sub = other.keys.get(name) if other else None
            self.key(path + "\\" + name, before.keys.get(name), after.keys.get(name), sub)


def shown(value):
    if isinstance(value, tuple):
        kind, data = value
        if kind in (REG_SZ, REG_EXPAND_SZ):
            return "%x %r" % (kind, data.decode("utf-16-le", "replace"))
        return "%x %s" % (kind, texts_of(data) if kind == REG_MULTI_SZ else data.hex())
    return repr(value)


def compare(system, image, folder):
    with open(os.path.join(folder, PLAN), encoding="utf-8") as text:
        plan = json.load(text)
    old, new = Hive(system), Hive(os.path.join(image, HIVE))
    c = Comparison()
    for one in SETS:
        for what, names, trees in (("CriticalDeviceDatabase", plan["entries"], "entries"),
                                   ("Services", plan["services"], "services")):
            first, second = getattr(old, trees), getattr(new, trees)
            for name in names:
                before = first[one].get(name.lower())
                other = first[SETS[0]].get(name.lower()) if one != SETS[0] else None
                if before is None and other is not None:
                    c.compared += 1
                    c.explained["sets"] += 1
                    continue
                c.key("%s\\%s\\%s" % (one, what, name), before,
                      second[one].get(name.lower()), other)
    gone = {"%s\\%s" % (DATABASE % s, n) for s in SETS for n in plan["entries"]} \
        | {"%s\\Services\\%s" % (s, n) for s in SETS for n in plan["services"]}
    gone = {g.lower() for g in gone}
    elsewhere = changed = 0
    trees = [{p: k for p, k in h.root.walk()
              if not any("\\".join(p.lower().split("\\")[:n]) in gone for n in (3, 4))}
             for h in (old, new)]
    for path in {**trees[0], **trees[1]}:
        first, second = (t[path].values if path in t else None for t in trees)
        elsewhere += len(first or ())
        if first != second:
            changed += 1
            c.left.append(("elsewhere: " + path, "as it was", "changed"))
    print("elsewhere in the hive: %d values, %d keys changed" % (elsewhere, changed))
    print("entries %d, services %d, values compared %d, equal %d, explained %d, "
          "unexplained %d" % (len(plan["entries"]), len(plan["services"]), c.compared,
                              c.equal, sum(c.explained.values()), len(c.left)))
    for why, count in c.explained.most_common():
        print("  %6d %s: %s" % (count, why, EXPLAINED[why]))
    for name, reason in sorted(plan["impossible"].items()):
        print("not possible: %s: %s" % (name, reason))
    for path, before, after in c.left[:60]:
        print("differs: %s\n  Windows: %s\n  gild:    %s" % (path, shown(before), shown(after)))
    sys.exit(1 if c.left or c.equal == 0 else 0)


if __name__ == "__main__":
    {"drop": drop, "compare": compare}[sys.argv[1]](*sys.argv[2:])
