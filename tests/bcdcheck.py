#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""BCD stores read by hivex, independently of gild.

    bcdcheck.py list STORE                  objects and elements, GUIDs by what they are
    bcdcheck.py compare OURS THEIRS         what differs of the objects that OURS starts from
    bcdcheck.py template OURS TEMPLATE      what OURS lacks of the template's settings

Objects that a store numbers as it likes are named by how the boot manager comes to them.
"""
import struct
import sys

import hivex

KNOWN = {
    "{9dea862c-5cdd-4e70-acc1-f32b344d4795}": "bootmgr",
    "{b2721d73-1db4-4c62-bf78-c548a880142d}": "memdiag",
    "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}": "globalsettings",
    "{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}": "bootloadersettings",
    "{1afa9c49-16ab-4a5c-901b-212802da9460}": "resumeloadersettings",
    "{4636856e-540f-4170-a130-a84776f4c654}": "dbgsettings",
    "{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}": "emssettings",
    "{5189b25c-5558-4bf2-bca4-289b11bd29e2}": "badmemory",
    "{7ff607e0-4395-11db-b0de-0800200c9a66}": "hypervisorsettings",
}


def text(data):
    return data.decode("utf-16-le", "replace")


def guid(data):
    a, b, c = struct.unpack("<IHH", data[:8])
    return "{%08x-%04x-%04x-%s-%s}" % (a, b, c, data[8:10].hex(), data[10:16].hex())


class Store:
    def __init__(self, path):
        self.hive = h = hivex.Hivex(path)
        self.types, self.elements = {}, {}
        objects = h.node_get_child(h.root(), "Objects")
        for node in h.node_children(objects):
            name = h.node_name(node).lower()
            description = h.node_get_child(node, "Description")
            self.types[name] = h.value_dword(h.node_get_value(description, "Type"))
            elements = self.elements[name] = {}
            parent = h.node_get_child(node, "Elements")
            for child in h.node_children(parent) if parent else []:
                value = h.node_get_value(child, "Element")
                elements[h.node_name(child).lower()] = h.value_value(value)
        self.alias = dict(KNOWN)
        self.follow("{9dea862c-5cdd-4e70-acc1-f32b344d4795}",
                    {"23000003": "default", "23000006": "resume"})
        default = [g for g, a in self.alias.items() if a == "default"]
        if default:
            self.follow(default[0], {"14000008": "recovery"})
        for g, a in list(self.alias.items()):
            if a == "recovery" and "11000001" in self.elements.get(g, {}):
                self.alias[guid(self.elements[g]["11000001"][1])] = "recoveryimage"

    def follow(self, name, links):
        for element, alias in links.items():
            if element in self.elements.get(name, {}):
                target = text(self.elements[name][element][1]).split("\0")[0].lower()
                self.alias.setdefault(target, alias)

    def named(self, data):
        """Text of a value with the GUIDs of objects by their aliases."""
        out = text(data).rstrip("\0").replace("\0", " ")
        for g, a in self.alias.items():
            out = out.replace(g, a)
        return out

    def value(self, element, value):
        kind, data = value
        if kind in (1, 7):
            return self.named(data)
        if element[1] == "1" and len(data) == 88 and data[16] == 5:
            return "BOOT" if not any(data[32:]) else data.hex()
        if element[1] == "1" and len(data) == 88 and data[16] == 6 and data[52] == 1:
            offset, signature = struct.unpack("<Q16xI", data[32:60])
            return "0x%08x/%d" % (signature, offset)
        if element[1] == "5":  # templates have short ones
            return str(int.from_bytes(data, "little"))
        for g, a in self.alias.items():  # options of a device
            if element[1] == "1" and len(data) >= 16 and guid(data) == g:
                return a + " " + data[16:].hex()
        return data.hex()

    def lines(self):
        for name in sorted(self.elements):
            alias = self.alias.get(name, name)
            yield (alias, "type"), "%08x" % self.types[name]
            for element in sorted(self.elements[name]):
                yield (alias, element), self.value(element, self.elements[name][element])


def main():
    command, path = sys.argv[1:3]
    ours = Store(path)
    if command == "list":
        for (alias, element), value in ours.lines():
            print(alias, element, value)
    elif command == "compare":
        a, b = dict(ours.lines()), dict(Store(sys.argv[3]).lines())
        objects = {key[0] for key in a}
        for key in sorted(a.keys() | {k for k in b if k[0] in objects}):
            if a.get(key) != b.get(key):
                print(*key, a.get(key, "-"), "|", b.get(key, "-"))
    else:
        a, b = dict(ours.lines()), dict(Store(sys.argv[3]).lines())
        for key in sorted(b):
            if key[0] in KNOWN.values() and key[1][0] != "4" and a.get(key) != b[key]:
                print(*key, a.get(key, "-"), "|", b[key])


main()
