# SPDX-License-Identifier: GPL-3.0-or-later
"""Hives as plain trees, read and thinned out through hivex: what the drop-and-reinject
test compares. Names keep their case; look-ups do not care about it, as in Windows."""
import hivex

REG_NONE, REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ = 0, 1, 2, 3, 4, 7


class Key:
    def __init__(self, name):
        self.name = name
        self.values = {}  # lower-case name -> (name, type, data)
        self.keys = {}  # lower-case name -> Key

    def find(self, path):
        key = self
        for part in path.split("\\") if path else []:
            key = key.keys.get(part.lower())
            if key is None:
                return None
        return key

    def get(self, name):
        """(type, data), or None."""
        found = self.values.get(name.lower())
        return found[1:] if found else None

    def text(self, name):
        found = self.get(name)
        return text_of(found[1]) if found else None

    def texts(self, name):
        found = self.get(name)
        return texts_of(found[1]) if found else []

    def number(self, name):
        found = self.get(name)
        return int.from_bytes(found[1], "little") if found else None

    def walk(self, path=""):
        """(path, key) of this key and of everything below it."""
        yield path, self
        for key in self.keys.values():
            yield from key.walk(path + "\\" + key.name if path else key.name)


def text_of(data):
    return data.decode("utf-16-le", "surrogatepass").split("\0")[0]


def texts_of(data):
    text = data.decode("utf-16-le", "surrogatepass")
    return [s for s in text.rstrip("\0").split("\0")] if text.rstrip("\0") else []


def load_node(hive, node):
    key = Key(hive.node_name(node))
    for value in hive.node_values(node):
        name = hive.value_key(value)
        kind, data = hive.value_value(value)
        key.values[name.lower()] = (name, kind & 0xFFFFFFFF, data)
    for child in hive.node_children(node):
        sub = load_node(hive, child)
        key.keys[sub.name.lower()] = sub
    return key


def load(path, branches):
    """The named branches of a hive, each below its own path."""
    hive = hivex.Hivex(path)
    return {branch: load_node(hive, find_node(hive, branch)) for branch in branches}


def load_all(path):
    """The whole hive."""
    hive = hivex.Hivex(path)
    return load_node(hive, hive.root())


def find_node(hive, path):
    node = hive.root()
    for part in path.split("\\") if path else []:
        node = hive.node_get_child(node, part)
        if node is None:
            raise SystemExit("no key " + path)
    return node


def keep_values(hive, node, keep):
    """Drops the values whose name `keep` refuses; True if none is left."""
    values = []
    for value in hive.node_values(node):
        kind, data = hive.value_value(value)
        values.append({"key": hive.value_key(value), "t": kind, "value": data})
    kept = [v for v in values if keep(v["key"])]
    if len(kept) != len(values):
        hive.node_set_values(node, kept)
    return not kept


def prune(hive, node, keep):
    """Drops refused values below the node, and the keys that are empty then."""
    empty = True
    for child in hive.node_children(node):
        if prune(hive, child, keep):
            hive.node_delete_child(child)
        else:
            empty = False
    return keep_values(hive, node, keep) and empty
