#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What depersonalizing changed in a hive, by readers that are not gild's.

  personcheck.py BEFORE AFTER HIVE REPORT

BEFORE and AFTER are hive files, HIVE their name (SYSTEM), REPORT what tests/persontool
printed. Every key and value that went or changed must lie below a place that the report
names for that hive, with counts that fit, and nothing may be new. Both files are read by
hivex, and the second by libregf as well, which must see the same.
"""
import sys

import hivex

try:
    import pyregf
except ImportError:
    pyregf = None


def read(path):
    h = hivex.Hivex(path)
    keys, values = {}, {}
    todo = [(h.root(), "")]
    while todo:
        node, where = todo.pop()
        keys[where.lower()] = where
        for v in h.node_values(node):
            kind, data = h.value_value(v)
            values[(where.lower(), h.value_key(v).lower())] = (kind, data)
        for child in h.node_children(node):
            todo.append((child, (where + "\\" if where else "") + h.node_name(child)))
    return keys, values


def read_regf(path):
    f = pyregf.file()
    f.open(path)
    keys, count = set(), 0
    todo = [(f.get_root_key(), "")]
    while todo:
        key, where = todo.pop()
        keys.add(where.lower())
        count += key.number_of_values
        for i in range(key.number_of_sub_keys):
            child = key.get_sub_key(i)
            todo.append((child, (where + "\\" if where else "") + child.name))
    f.close()
    return keys, count


def report(path, hive):
    places = {}
    for line in open(path, encoding="utf-8"):
        code, *rest = line.rstrip("\n").split("\t")
        if len(rest) == 3 and rest[0].upper().startswith(hive + "\\"):
            places.setdefault(rest[0][len(hive) + 1:].lower(), []).append((code, int(rest[1])))
    return places


def below(path, place):
    return path == place or path.startswith(place + "\\")


def main():
    before, after, hive, lines = sys.argv[1:5]
    keys, values = read(before)
    new_keys, new_values = read(after)
    places = report(lines, hive)
    # Class instances go with their device, which is what is counted.
    implied = ["\\control\\class"] if any(
        c == "devices" for p in places.values() for c, _ in p) else []
    bad = []

    def allowed(path):
        return any(below(path, p) for p in places) or any(
            i in "\\" + path for i in implied)
    for path in set(new_keys) - set(keys):
        bad.append("new key " + path)
    for path in set(keys) - set(new_keys):
        if not allowed(path):
            bad.append("key that no line names went: " + path)
    for (path, name) in set(new_values) - set(values):
        bad.append("new value %s!%s" % (path, name))
    for at in values:
        if new_values.get(at) != values[at] and not allowed(at[0]):
            bad.append("value that no line names changed: %s!%s" % at)
    gone = [p for p in keys if p not in new_keys]
    for place, items in places.items():
        for code, count in items:
            if code == "devices":
                n = sum(1 for p in gone if below(p, place) and
                        p[len(place):].count("\\") == 2)
            elif code == "mounted_devices":
                n = sum(1 for a in values if a[0] == place and a not in new_values)
            elif code == "start_override":
                n = sum(1 for p in gone if p.startswith(place) and p.endswith("\\startoverride"))
            elif code in ("computer_name", "fast_startup", "machine_guid", "dhcp_lease"):
                n = sum(1 for a in values if a[0] == place and new_values.get(a) != values[a] and
                        (code != "dhcp_lease" or a[1].startswith("dhcp")) and
                        (code != "computer_name" or not a[1].startswith("dhcp")))
            else:
                continue
            if n != count:
                bad.append("%s %s: %d reported, %d found" % (code, place, count, n))
    for path in places:
        if not any(below(p, path) for p in gone) and not any(
                below(a[0], path) and new_values.get(a) != values[a] for a in values):
            bad.append("nothing changed at " + path)
    if pyregf:
        regf_keys, regf_values = read_regf(after)
        if regf_keys != set(new_keys):
            bad.append("libregf sees other keys: %d, hivex %d" % (len(regf_keys), len(new_keys)))
        if regf_values != len(new_values):
            bad.append("libregf sees %d values, hivex %d" % (regf_values, len(new_values)))
    print("\n".join(bad[:20]))
    print("# %d keys went, %d values changed or went, %s" % (
        len(gone), sum(1 for a in values if new_values.get(a) != values[a]),
        "libregf agrees" if pyregf else "libregf is not installed"))
    return 1 if bad else 0


if sys.argv[1:] == ["modules"]:
    print("hivex" + (" regf" if pyregf else ""))
else:
    sys.exit(main())
