# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges an injection of real packages without gild: what hivex reads and wimlib lists.

  realcheck.py records SYSTEM DRIVERS JSON LIKE   the added packages, in the hives
  realcheck.py fill FROM TO                 copies packages, with placeholders for files that
                                            they lack
  realcheck.py listing BEFORE AFTER         two outputs of `wimlib-imagex dir --detailed`

LIKE is a package that Windows itself installed, in the same SYSTEM hive: the records of
third-party packages must have the same values, of the same types."""
import datetime
import json
import os
import re
import shutil
import struct
import sys
import uuid

from reinject import placeholder
from reinject_tree import load

CLASSES = "ControlSet001\\Control\\Class"
# A class that has this property keeps its packages in the SYSTEM hive.
BOOT_CRITICAL = "Properties\\{6a3433f4-5626-40e8-a9b9-dbd9ecd2884b}\\0003"
EXTENSION = "{e2f84ce7-8efa-411c-aa69-97454ca4cb57}"
# Not in every record: no flags, or a catalog that nobody signed.
OPTIONAL = {"statusflags", "signername"}
failures = []


def check(what, good, detail=""):
    if not good:
        failures.append("%s%s%s" % (what, ": " if detail else "", detail))


def store_name(name, raw):
    hashed = 0
    for byte in raw:
        hashed = (hashed * 39 + byte) & (1 << 64) - 1
    return "%s_amd64_%s" % (name.lower(), struct.pack("<Q", hashed).hex())


class Inf:
    """A plain reading of a plain INF: what these tests' packages need, and no more."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.raw = file.read()
        text = self.raw.decode("utf-16" if self.raw[:2] == b"\xff\xfe" else "latin-1")
        self.sections = {}
        name = None
        for line in text.splitlines():
            line = re.sub(r'("[^"]*")|;.*', lambda m: m.group(1) or "", line).strip()
            if line.startswith("["):
                name = line[1:-1].strip().lower()
                self.sections.setdefault(name, [])
            elif line and name:
                self.sections[name].append(line)
        self.strings = dict(self.pair(s) for s in self.sections.get("strings", ()))

    @staticmethod
    def pair(line):
        key, _, value = line.partition("=")
        return key.strip().strip('"').lower(), value.strip().strip('"')

    def value(self, section, key):
        for line in self.sections.get(section, ()):
            name, value = self.pair(line)
            if name == key:
                return self.text(value)
        return None

    def text(self, value):
        return re.sub(r"%([^%]+)%",
                      lambda m: self.strings.get(m.group(1).lower(), m.group(0)), value)

    def ids(self):
        """{ID: four bytes} of the sections for amd64; None where Windows has a choice."""
        found = {}
        kind = 3 if self.value("version", "class").lower() == "extension" else 1
        for manufacturer in self.sections.get("manufacturer", ()):
            base = manufacturer.partition("=")[2].split(",")[0].strip().lower()
            names = [n for n in self.sections if re.match(re.escape(base) + r"\.ntamd64(\.|$)", n)]
            if len(names) > 1:
                return None
            for line in self.sections[names[0]] if names else ():
                fields = [self.text(f.strip()) for f in line.partition("=")[2].split(",")]
                for i, identifier in enumerate(fields[1:]):
                    if identifier:
                        found[identifier] = struct.pack(
                            "<BBH", kind if i == 0 or kind == 3 else 2,
                            self.score(fields[0]), max(i - 1, 0) if kind == 1 else 0)
        return found

    def score(self, section):
        for suffix in (".ntamd64", ".nt", ""):
            value = self.value((section + suffix).lower(), "featurescore")
            if value:
                return int(value, 16)
        return 0xFF

    def version(self):
        date, _, number = self.value("version", "driverver").partition(",")
        month, day, year = (int(n) for n in date.split("/"))
        days = (datetime.date(year, month, day) - datetime.date(1601, 1, 1)).days
        parts = [int(n) for n in number.strip().split(".")]
        return days * 864000000000, sum(
            p << s for p, s in zip(parts, (48, 32, 16, 0)))


def check_package(nodes, package, inf, like):
    name = package["inf"]
    folder, published = package["store"], package["published"]
    check(name + ": folder", folder == store_name(name, inf.raw), folder)
    guid = inf.value("version", "classguid").lower()
    where = "SYSTEM" if guid == EXTENSION or nodes["classes"].find(
        guid + "\\" + BOOT_CRITICAL) else "DRIVERS"
    other = nodes["SYSTEM" if where == "DRIVERS" else "DRIVERS"]
    node = nodes[where]
    check(name + ": only in one node", other.find("DriverPackages\\" + folder) is None)
    key = node.find("DriverPackages\\" + folder)
    if key is None:
        check(name + ": record", False, "not in " + where)
        return
    shape = {v: like.values[v][1] for v in like.values}
    ours = {v: key.values[v][1] for v in key.values}
    if guid == EXTENSION:
        shape["extensionid"] = 3
    differ = {v for v in {**shape, **ours} if shape.get(v) != ours.get(v)}
    check(name + ": values as in Windows' own record", differ <= OPTIONAL, str(differ))
    date, version = inf.version()
    blob = struct.pack("<BBHI16sQQII", 0, 0xFF, 9, 0, uuid.UUID(
        inf.value("version", "classguid").strip("{}")).bytes_le, date, version, 0, 0)
    kind, data = key.get("Version")
    # Bytes 40 to 43 tell why the kernel cannot configure it: not for this test to say.
    check(name + ": Version", kind == 3 and data[:40] + data[44:] == blob[:40] + blob[44:],
          data.hex())
    check(name + ": Provider", key.text("Provider") == inf.value("version", "provider"))
    check(name + ": published", key.text("") == published and re.fullmatch(
        r"oem\d+\.inf", published))
    check(name + ": InfName", key.text("InfName") == name)
    check_index(node, name, published, folder, inf)
    reflected = "configurations" in key.keys
    check(name + ": reflected if it is boot-critical", reflected == package["boot_critical"])
    check(name + ": boot-critical packages are in the SYSTEM node", where == "SYSTEM" or
          not reflected)
    if reflected:
        check_record(node, key, name, published, inf)


def check_index(node, name, published, folder, inf):
    ids = inf.ids()
    for identifier, data in (ids or {}).items():
        key = node.find("DeviceIds\\" + identifier)
        value = key.get(published) if key else None
        check("%s: %s" % (name, identifier), value == (3, data), str(value))
    found = {path for path, key in node.find("DeviceIds").walk()
             if published in key.values and key.values[published][1] == 3}
    check(name + ": device IDs", bool(found))
    check(name + ": no other device IDs",
          ids is None or {f.lower() for f in found} == {i.lower() for i in ids}, str(found))
    guid = inf.value("version", "classguid").lower()
    key = node.find("DeviceIds\\" + guid)
    check(name + ": class index", key is not None and key.get(published) == (0, b""))
    key = node.find("DriverInfFiles\\" + published)
    check(name + ": DriverInfFiles", key is not None and key.texts("") == [folder]
          and key.text("Active") == folder)


def check_record(node, key, name, published, inf):
    listed = node.find("DriverInfFiles\\" + published).texts("Configurations")
    check(name + ": sections", {n.lower() for n in listed} == set(
        key.find("Configurations").keys), str(listed))
    for section in key.find("Configurations").keys.values():
        check("%s: %s has ConfigFlags" % (name, section.name),
              section.number("ConfigFlags") is not None)
    for identifier in inf.ids() or ():
        descriptor = key.find("Descriptors\\" + identifier)
        check("%s: descriptor of %s" % (name, identifier), descriptor is not None and
              descriptor.text("Configuration").lower() in key.find("Configurations").keys)


def records(system, drivers, result, like):
    tree = load(system, ["DriverDatabase", CLASSES])
    nodes = {"SYSTEM": tree["DriverDatabase"], "classes": tree[CLASSES],
             "DRIVERS": load(drivers, ["DriverDatabase"])["DriverDatabase"]}
    like = next(k for k in nodes["SYSTEM"].find("DriverPackages").keys.values()
                if k.name.startswith(like + ".inf_"))
    with open(result, encoding="utf-8") as text:
        packages = json.load(text)["packages"]
    added = [p for p in packages if p["verdict"] == "added"]
    for package in added:
        check_package(nodes, package, Inf(package["source"]), like)
    data = nodes["SYSTEM"].get("OemInfMap")[1]
    for package in added:
        number = int(package["published"][3:-4])
        check("OemInfMap has " + package["published"],
              number // 8 < len(data) and data[number // 8] & 0x80 >> number % 8)
    print("%d packages added, %d others" % (len(added), len(packages) - len(added)))
    check("a package was added", bool(added))


def fill(source, target):
    """Closed binaries are not among the data: a PE header stands in for them."""
    made = 0
    for folder, _, files in os.walk(source):
        to = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(to, exist_ok=True)
        for name in files:
            shutil.copy(os.path.join(folder, name), os.path.join(to, name))
        for name in files:
            if not name.lower().endswith(".inf"):
                continue
            for section, lines in Inf(os.path.join(folder, name)).sections.items():
                if not section.startswith("sourcedisksfiles"):
                    continue
                for line in lines:
                    file, _, rest = line.partition("=")
                    below = (rest.split(",") + ["", ""])[1].strip().strip('"')
                    path = os.path.join(to, *[p for p in below.split("\\")
                                              if p not in ("", ".", "..")],
                                        file.strip().strip('"'))
                    if not os.path.exists(path):
                        os.makedirs(os.path.dirname(path), exist_ok=True)
                        with open(path, "wb") as out:
                            out.write(placeholder())
                        made += 1
    print("%d placeholders" % made)


def parse_listing(path):
    files, now = {}, None
    with open(path, encoding="utf-8", errors="replace") as text:
        for line in text:
            name, _, value = line.partition("=")
            name, value = name.strip(), value.strip()
            if name == "Full Path":
                now = files.setdefault(value.strip('"').lower(), {})
            elif now is not None and name not in now:
                now[name] = value
    return files


def aces(descriptor):
    """(SID, mask) of the DACL's allowing entries."""
    data = bytes.fromhex(descriptor)
    dacl = struct.unpack_from("<I", data, 16)[0]
    if not dacl:
        return
    at = dacl + 8
    for _ in range(struct.unpack_from("<H", data, dacl + 4)[0]):
        kind, _, size, mask = struct.unpack_from("<BBHI", data, at)
        if kind == 0:
            yield data[at + 8:at + size], mask
        at += size


EVERYONE, USERS = bytes.fromhex("010100000000000100000000"), \
    bytes.fromhex("01020000000000052000000021020000")
AUTHENTICATED = bytes.fromhex("01010000000000050b000000")
WRITE = 0x40000000 | 0x10000000 | 0x2 | 0x4 | 0x10000 | 0x40000 | 0x80000


def listing(before, after):
    old, new = parse_listing(before), parse_listing(after)
    touched = 0
    for path, now in new.items():
        was = old.get(path)
        if was and was.get("Hash") == now.get("Hash"):
            check(path + ": untouched", was == now or was.get("Hash") == "0" * 40 or
                  "0x" + "0" * 40 == was.get("Hash") or all(
                      was.get(k) == now.get(k) for k in
                      ("Attributes", "Short Name", "Security Descriptor", "Creation Time")))
            continue
        touched += 1
        descriptor = now.get("Security Descriptor", "")
        if not descriptor:
            check(path, False, "no security descriptor")
            continue
        for sid, mask in aces(descriptor):
            check(path, not (sid in (EVERYONE, USERS, AUTHENTICATED) and mask & WRITE),
                  "everybody may write to it")
        if was:
            for kept in ("Attributes", "Short Name", "Security Descriptor", "Creation Time"):
                check("%s: %s kept" % (path, kept), was.get(kept) == now.get(kept))
    for path in old:
        check(path, path in new, "is gone")
    print("%d files touched" % touched)
    check("files were touched", touched > 0)


if __name__ == "__main__":
    {"records": records, "fill": fill, "listing": listing}[sys.argv[1]](*sys.argv[2:])
    for failure in failures[:100]:
        print(failure)
    sys.exit(1 if failures else 0)
