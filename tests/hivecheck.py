#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks hives that gild wrote with readers that share no code with it.

  hivecheck.py modules                which readers are here
  hivecheck.py read HIVE DUMP         every reader agrees with `hivetool ... dump`
  hivecheck.py sound HIVE             what Windows relies on: order, hashes, counts, ...
  hivecheck.py compare BEFORE AFTER [+KEY] [-KEY] [=KEY]... [-- AFTER ...]
                                      all equal but for added, deleted, changed keys, and
                                      no structure worse than it was
  hivecheck.py pick HIVE              a key to delete and a value to change, for sh
  hivecheck.py same HIVE HIVE         the same keys and values
  hivecheck.py reg FILE NAME BEFORE AFTER CONTROL-SET...
                                      AFTER is the hive NAME with the .reg file merged
  hivecheck.py dirty HIVE OUT SEQUENCE1 SEQUENCE2 LOG [garble]
                                      a primary file that needs this log
  hivecheck.py samebins OURS WINDOWS  the same recovered data
  hivecheck.py growth BEFORE AFTER    bytes grown by / cells added by the difference

The readers: libregf (pyregf), hivex, and the plain one below, which also sees flags,
security descriptors and reference counts.
"""
import re
import struct
import sys

try:
    import pyregf
except ImportError:
    pyregf = None
try:
    import hivex
except ImportError:
    hivex = None

NIL = 0xFFFFFFFF


class Raw:
    """The layout of the file, read without regard to speed or damage."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.file = f.read()
        self.size, = struct.unpack_from("<I", self.file, 40)
        self.bins = self.file[4096:4096 + self.size]
        self.root, = struct.unpack_from("<I", self.file, 36)
        self.minor, = struct.unpack_from("<I", self.file, 24)

    def cell(self, at):
        size, = struct.unpack_from("<i", self.bins, at)
        assert size < 0, "0x%x is not in use" % at
        return self.bins[at + 4:at - size]

    @staticmethod
    def text(raw, comp):
        return raw.decode("latin-1") if comp else raw.decode("utf-16-le", "surrogatepass")

    def subkeys(self, nk):
        count, = struct.unpack_from("<I", nk, 20)
        if not count:
            return []
        top = self.cell(struct.unpack_from("<I", nk, 28)[0])
        leaves = [top]
        if top[:2] == b"ri":
            n, = struct.unpack_from("<H", top, 2)
            leaves = [self.cell(o) for o in struct.unpack_from("<%dI" % n, top, 4)]
        found = []
        for leaf in leaves:
            n, = struct.unpack_from("<H", leaf, 2)
            step = 4 if leaf[:2] == b"li" else 8
            assert leaf[:2] in (b"li", b"lf", b"lh")
            for i in range(n):
                o, = struct.unpack_from("<I", leaf, 4 + i * step)
                hint = leaf[8 + i * step:12 + i * step] if step == 8 else None
                found.append((o, leaf[:2], hint))
        assert len(found) == count, "subkey count"
        return found

    def data(self, length, offset, field):
        if length & 0x80000000:
            return field[:length & 0x7FFFFFFF]
        if not length:
            return b""
        cell = self.cell(offset)
        if len(cell) >= length:
            return cell[:length]
        assert cell[:2] == b"db" and self.minor >= 4
        n, o = struct.unpack_from("<HI", cell, 2)
        parts = struct.unpack_from("<%dI" % n, self.cell(o))
        return b"".join(self.cell(p)[:16344] for p in parts)[:length]

    def values(self, nk):
        count, = struct.unpack_from("<I", nk, 36)
        if not count:
            return []
        result = []
        cells = struct.unpack_from("<%dI" % count, self.cell(struct.unpack_from("<I", nk, 40)[0]))
        for o in cells:
            vk = self.cell(o)
            n, length, offset, kind, flags = struct.unpack_from("<HIIIH", vk, 2)
            name = self.text(vk[20:20 + n], flags & 1)
            result.append((name, kind, self.data(length, offset, vk[8:12])))
        return result

    def keys(self):
        """(path, offset, nk) of every key, in stored order."""
        stack = [("", self.root)]
        while stack:
            path, o = stack.pop()
            nk = self.cell(o)
            yield path, o, nk
            for child, _, _ in reversed(self.subkeys(nk)):
                stack.append((path + "\\" + self.name(child), child))

    def name(self, o):
        nk = self.cell(o)
        n, = struct.unpack_from("<H", nk, 72)
        return self.text(nk[76:76 + n], struct.unpack_from("<H", nk, 2)[0] & 0x20)

    def security(self, nk):
        sk = self.cell(struct.unpack_from("<I", nk, 44)[0])
        n, = struct.unpack_from("<I", sk, 16)
        return sk[20:20 + n]

    def klass(self, nk):
        n, = struct.unpack_from("<H", nk, 74)
        return self.cell(struct.unpack_from("<I", nk, 48)[0])[:n] if n else b""


def raw_tree(path):
    raw = Raw(path)
    tree = {}
    for p, _, nk in raw.keys():
        flags, time, access = struct.unpack_from("<HQI", nk, 2)
        tree.setdefault(p, []).append((time, tuple(raw.values(nk)), flags, access,
                                       raw.klass(nk), raw.security(nk),
                                       nk[54:56]))
    return tree


def regf_tree(path):
    tree = {}

    def walk(key, p):
        values = tuple((v.name or "", v.type, v.data or b"") for v in key.values)
        tree.setdefault(p, []).append((key.get_last_written_time_as_integer(), values,
                                       key.class_name))
        for i in range(key.number_of_sub_keys):
            child = key.get_sub_key(i)
            walk(child, p + "\\" + (child.name or ""))

    f = pyregf.file()
    f.open(path)
    walk(f.get_root_key(), "")
    f.close()
    return tree


def hivex_tree(path):
    h = hivex.Hivex(path)
    tree = {}

    def walk(node, p):
        values = []
        for v in h.node_values(node):
            kind, data = h.value_value(v)
            values.append((h.value_key(v), kind, data))
        tree.setdefault(p, []).append((h.node_timestamp(node), tuple(values)))
        for child in h.node_children(node):
            walk(child, p + "\\" + h.node_name(child))

    walk(h.root(), "")
    return tree


def readers():
    found = [("plain", raw_tree)]
    if pyregf:
        found.append(("libregf", regf_tree))
    if hivex:
        found.append(("hivex", hivex_tree))
    return found


def unescape(text):
    out, i = bytearray(), 0
    while i < len(text):
        if text[i] == "%":
            out.append(int(text[i + 1:i + 3], 16))
            i += 3
        else:
            out.append(ord(text[i]))
            i += 1
    return out.decode("utf-8", "surrogatepass")


def dump_tree(path):
    tree = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            part = line.rstrip("\n").split(" ")
            if part[0] == "K":
                values = []
                tree.setdefault(unescape(part[1]), []).append((int(part[2]), values))
            else:
                values.append((unescape(part[1]), int(part[2]), bytes.fromhex(part[3])))
    return {k: [(t, tuple(v)) for t, v in keys] for k, keys in tree.items()}


def differences(a, b, limit=5):
    count = 0
    for p in sorted(set(a) | set(b)):
        if a.get(p) != b.get(p):
            count += 1
            if count <= limit:
                print("differs: %r\n  %.300r\n  %.300r" % (p, a.get(p), b.get(p)))
    return count


def as_libregf(tree):
    """libregf misreads data of 1 to 3 bytes cuts what follows a string's or name's end, and
    takes names of one byte per unit for Windows-1252; the other readers see them right."""
    def seen(kind, data):
        if len(data) < 4:
            return len(data)
        if kind in (1, 2, 6):
            end = [i for i in range(0, len(data) - 1, 2) if not data[i] and not data[i + 1]]
            return data[:end[0]] if end else data
        return data

    def cut(text):
        text = "\\".join(part.split("\u2400")[0] for part in text.split("\\"))
        return "".join(bytes([ord(c)]).decode("cp1252", "replace") if 0x80 <= ord(c) < 0xA0 else c
                       for c in text)

    result = {}
    for p, keys in tree.items():
        result.setdefault(cut(p), []).extend(
            (t, tuple((cut(n), k, seen(k, d)) for n, k, d in v)) for t, v in keys)
    return {p: sorted(keys) for p, keys in result.items()}


def without_unended(mine, other):
    """libregf ends a string that has no end with what follows in memory: leaves these out."""
    def unended(kind, data):
        return kind in (1, 2, 6) and not any(data[i:i + 2] == b"\0\0"
                                             for i in range(0, len(data) - 1, 2))

    for p, keys in mine.items():
        for k, (t, values) in enumerate(keys):
            out = [i for i, v in enumerate(values) if unended(v[1], v[2])]
            for tree in (mine, other) if out and p in other else ():
                if k < len(tree[p]):
                    tree[p][k] = (tree[p][k][0], tuple(
                        v[:2] + (b"",) if i in out else v
                        for i, v in enumerate(tree[p][k][1])))


def no_nul(text):
    """gild shows a zero unit inside a name as its symbol, C strings end there."""
    return text.replace("\0", "\u2400")


def cmd_read(hive, dump):
    bad = 0
    for name, read in readers():
        mine = dump_tree(dump)
        try:
            other = read(hive)
        except (IOError, RuntimeError, UnicodeError) as e:
            # A reader that cannot read the original either tells nothing about us.
            print("%s cannot read this hive: %s" % (name, e))
            bad += name == "plain"
            continue
        other = {no_nul(p): [(k[0], tuple((no_nul(n), t, d) for n, t, d in k[1]))
                             for k in keys] for p, keys in other.items()}
        if name == "libregf":
            without_unended(mine, other)
        cut = as_libregf if name == "libregf" else lambda tree: tree
        n = differences(cut(mine), cut(other))
        keys = sum(len(k) for k in mine.values())
        values = sum(len(k[1]) for ks in mine.values() for k in ks)
        print("%s: %d keys, %d values, %d keys differ" % (name, keys, values, n))
        bad += n
    return bad


def same_but(name, a, b, spec):
    """Counts what is wrong; prints the first few."""
    def below(p, sign):
        return any(p.lower() == s[1:].lower() or p.lower().startswith(s[1:].lower() + "\\")
                   for s in spec if s[0] == sign) or sign == "+" and p in many


    # A key whose list of subkeys changed has a new time, no more.
    many = {p for p in b if p.endswith("&gild") and p not in a}
    touched = {s[1:].rpartition("\\")[0].lower() for s in spec}
    touched |= {p.rpartition("\\")[0].lower() for p in many}
    changed = {s[1:].lower() for s in spec if s[0] == "="}
    count = values = wrong = 0
    for p in sorted(set(a) | set(b)):
        ka, kb = a.get(p), b.get(p)
        if ka == kb and not below(p, "+") and not below(p, "-"):
            count += len(ka)
            values += sum(len(k[1]) for k in ka)
            continue
        if ka is None and below(p, "+") or kb is None and below(p, "-"):
            continue
        if ka and kb and p.lower() in changed:
            continue
        if ka and kb and p.lower() in touched and [k[1:] for k in ka] == [k[1:] for k in kb]:
            continue
        wrong += 1
        if wrong <= 5:
            print("%s: %r\n  before %.300r\n  after  %.300r" % (name, p, ka, kb))
    print("%s: %d keys and %d values untouched, %d wrong" % (name, count, values, wrong))
    return wrong + (count == 0 and len(a) > 8)


def cmd_compare(before, *rest):
    """AFTER SPEC...: keys below +KEY are new, below -KEY are gone, values of =KEY differ.

    Further groups of AFTER SPEC... may follow after "--".
    """
    groups, group = [], []
    for word in rest + ("--",):
        if word == "--":
            groups.append(group)
            group = []
        else:
            group.append(word)
    bad = 0
    for name, read in readers():
        try:
            first = read(before)
        except (IOError, RuntimeError, UnicodeError) as e:
            print("%s cannot read this hive: %s" % (name, e))
            bad += name == "plain"
            continue
        for after, *spec in groups:
            try:
                bad += same_but(name, first, read(after), spec)
            except (IOError, RuntimeError, UnicodeError) as e:
                print("%s cannot read what was written: %s" % (name, e))
                bad += 1
    problems, lost = soundness(before)
    for after, *_ in groups:
        now, now_lost = soundness(after)
        fresh = [p for p in now if p not in problems]
        for p in fresh[:10]:
            print("new problem: %s" % p)
        print("%d problems (%d before), %d cells without owner (%d before)" %
              (len(now), len(problems), now_lost, lost))
        bad += len(fresh) + (now_lost > lost)
    return bad


def cmd_pick(path):
    """Names a subtree to delete and a value to change, for the shell."""
    raw = Raw(path)
    plain = {ord(c) for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_{}-\\ .&"}
    paths = [(p, raw.subkeys(nk), raw.values(nk)) for p, _, nk in raw.keys()]
    count = {}
    for p, _, _ in paths:
        count[p] = count.get(p, 0) + 1

    def usable(p):
        return p and count[p] == 1 and all(ord(c) in plain for c in p)

    victims = [p for p, k, v in paths if usable(p) and k] or [p for p, k, v in paths if usable(p)]
    victim = victims[len(victims) // 2] if victims else ""
    hosts = [(p, v) for p, k, v in paths if usable(p) and v and
             not (p + "\\").startswith(victim + "\\") and
             all(ord(c) in plain for c in v[0][0])]
    host, values = hosts[len(hosts) // 3] if hosts else ("", [("", 0, b"")])
    print("victim='%s' host='%s' value='%s'" % (victim, host, values[0][0]))
    return 0


def upper(text):
    """Upper case of the units that the tests use (one unit to one unit)."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def check(bad, condition, what):
    if not condition:
        bad.append(what)


def sound_lists(raw, bad):
    for p, o, nk in raw.keys():
        children = raw.subkeys(nk)
        names = [upper(raw.name(c)) for c, _, _ in children]
        codes = [[ord(c) for c in n] for n in names]
        check(bad, codes == sorted(codes), "order of subkeys: %r" % p)
        for (c, kind, hint), name in zip(children, names):
            check(bad, struct.unpack_from("<I", raw.cell(c), 16)[0] == o, "parent in %r" % p)
            if kind == b"lh":
                h = 0
                for ch in name:
                    h = (h * 37 + ord(ch)) & NIL
                check(bad, struct.unpack("<I", hint)[0] == h, "hash: %r\\%r" % (p, name))
        vals = raw.values(nk)
        maxima = struct.unpack_from("<HHIII", nk, 52)
        check(bad, maxima[0] >= max([2 * len(n) for n in names] or [0]), "longest name: %r" % p)
        check(bad, maxima[3] >= max([2 * len(v[0]) for v in vals] or [0]),
              "longest value name: %r" % p)
        check(bad, maxima[4] >= max([len(v[2]) for v in vals] or [0]), "longest value: %r" % p)


def sound_security(raw, bad):
    refs = {}
    for _, _, nk in raw.keys():
        sk, = struct.unpack_from("<I", nk, 44)
        refs[sk] = refs.get(sk, 0) + 1
    for sk, n in refs.items():
        cell = raw.cell(sk)
        following, previous, count = struct.unpack_from("<III", cell, 4)
        check(bad, cell[:2] == b"sk", "sk 0x%x" % sk)
        check(bad, count == n, "sk 0x%x is used by %d keys, says %d" % (sk, n, count))
        check(bad, struct.unpack_from("<I", raw.cell(following), 8)[0] == sk, "sk ring")
        check(bad, struct.unpack_from("<I", raw.cell(previous), 4)[0] == sk, "sk ring")


def sound_cells(raw, bad):
    """All cells in use belong to something: nothing leaks."""
    owned = set()
    for _, o, nk in raw.keys():
        owned.add(o)
        subkeys, = struct.unpack_from("<I", nk, 20)
        values, vlist, sk, klass = struct.unpack_from("<IIII", nk, 36)
        owned.add(sk)
        if subkeys:
            top, = struct.unpack_from("<I", nk, 28)
            owned.add(top)
            cell = raw.cell(top)
            if cell[:2] == b"ri":
                owned.update(struct.unpack_from("<%dI" % struct.unpack_from("<H", cell, 2), cell, 4))
        if struct.unpack_from("<H", nk, 74)[0]:
            owned.add(klass)
        if values:
            owned.add(vlist)
            for v in struct.unpack_from("<%dI" % values, raw.cell(vlist)):
                owned.add(v)
                length, data = struct.unpack_from("<II", raw.cell(v), 4)
                if length & 0x80000000 or not length:
                    continue
                owned.add(data)
                cell = raw.cell(data)
                if len(cell) < length:
                    n, lst = struct.unpack_from("<HI", cell, 2)
                    owned.add(lst)
                    owned.update(struct.unpack_from("<%dI" % n, raw.cell(lst)))
    used, at = set(), 0
    while at < raw.size:
        assert raw.bins[at:at + 4] == b"hbin"
        offset, size = struct.unpack_from("<II", raw.bins, at + 4)
        check(bad, offset == at and size % 4096 == 0, "bin at 0x%x" % at)
        c, free = at + 32, False
        while c < at + size:
            n, = struct.unpack_from("<i", raw.bins, c)
            if n < 0:
                used.add(c)
            c += abs(n)
        check(bad, c == at + size, "cells of bin 0x%x" % at)
        at += size
    return used, owned


def soundness(path):
    raw = Raw(path)
    bad = []
    one, two = struct.unpack_from("<II", raw.file, 4)
    check(bad, one == two, "sequence numbers")
    x = 0
    for v in struct.unpack_from("<127I", raw.file):
        x ^= v
    check(bad, struct.unpack_from("<I", raw.file, 508)[0] == (x or 1), "checksum")
    check(bad, len(raw.file) == 4096 + raw.size, "size of the file")
    sound_lists(raw, bad)
    sound_security(raw, bad)
    used, owned = sound_cells(raw, bad)
    check(bad, owned <= used, "cells that are not in use are referenced")
    return bad, len(used - owned)


def cmd_sound(path):
    bad, lost = soundness(path)
    for b in bad[:10]:
        print(b)
    print("%d problems, %d cells without owner" % (len(bad), lost))
    return len(bad) + lost


def cmd_growth(before, after):
    """Grown bytes against the size of the cells that are reachable now and were not."""
    def cells(path):
        raw = Raw(path)
        _, owned = sound_cells(raw, [])
        return sum(-struct.unpack_from("<i", raw.bins, o)[0] for o in owned), raw.size

    (cells_a, size_a), (cells_b, size_b) = cells(before), cells(after)
    ratio = (size_b - size_a) / max(1, cells_b - cells_a)
    print("grown by %d bytes for %d bytes of cells: %.2f" %
          (size_b - size_a, cells_b - cells_a, ratio))
    return ratio > 1.3


def cmd_dirty(hive, out, one, two, log, *garble):
    """Makes a primary file that needs LOG: sequence numbers ONE and TWO, the log's time."""
    with open(hive, "rb") as f:
        data = bytearray(f.read())
    with open(log, "rb") as f:
        head = f.read(512)
    data = data[:4096 + struct.unpack_from("<I", data, 40)[0]]
    struct.pack_into("<II", data, 4, int(one), int(two))
    data[12:20] = head[12:20]
    if garble:
        data[4096:] = b"\x55" * (len(data) - 4096)
    x = 0
    for v in struct.unpack_from("<127I", data):
        x ^= v
    struct.pack_into("<I", data, 508, x or 1)
    with open(out, "wb") as f:
        f.write(data)


def reg_lines(path):
    """Logical lines of a .reg file; strings may hold line ends, hex goes on after a \\."""
    with open(path, "rb") as f:
        raw = f.read()
    text = raw.decode("utf-16") if raw[:2] == b"\xff\xfe" else raw.decode("utf-8-sig")
    lines, at = [], 0
    while at < len(text):
        quoted, start = False, at
        while at < len(text) and (quoted or text[at] != "\n"):
            if quoted and text[at] == "\\":
                at += 1
            elif text[at] == '"' and text[start:start + 1] in '"@':
                quoted = not quoted
            elif not quoted and re.match(r"\\\r?\n", text[at:at + 3]):
                at = text.index("\n", at)
            at += 1
        lines.append(text[start:at].rstrip("\r"))
        at += 1
    return lines


def reg_value(text):
    if text.startswith('"'):
        string = re.sub(r"\\(.)", r"\1", text[1:text.rindex('"')], flags=re.S)
        return 1, (string + "\0").encode("utf-16-le")
    if text.startswith("dword:"):
        return 4, struct.pack("<I", int(text[6:], 16))
    kind, _, octets = text.partition(":")
    number = int(kind[4:-1], 16) if kind.startswith("hex(") else 3
    return number, bytes(int(o, 16) for o in re.findall(r"[0-9a-fA-F]{2}", octets))


def cmd_reg(regfile, hive, before, after, *sets):
    """AFTER is BEFORE with the .reg merged, by a reader of .reg files of ten lines."""
    prefix = "hkey_local_machine\\" + hive.lower()
    keys, key = {}, []
    for p, entries in raw_tree(before).items():
        keys[p.lower()] = {n.lower(): (t, d) for n, t, d in entries[0][1]}
    merged = 0
    for line in reg_lines(regfile):
        if line.startswith("["):
            path = line[1:line.rindex("]")].lower()
            if not path.startswith(prefix):
                key = []
                continue
            path = path[len(prefix):]
            current = "\\currentcontrolset"
            key = [path]
            if (path + "\\").startswith(current + "\\"):
                key = ["\\" + s.lower() + path[len(current):] for s in sets]
            for k in key:
                for i in range(1, k.count("\\") + 1):
                    keys.setdefault("\\".join(k.split("\\")[:i + 1]), {})
        elif line[:1] in ('"', "@"):
            name, rest = "", line[2:]
            if line[0] == '"':
                m = re.match(r'"((?:[^"\\]|\\.)*)"=', line, re.S)
                name, rest = re.sub(r"\\(.)", r"\1", m.group(1)), line[m.end():]
            for k in key:
                keys[k][name.lower()] = reg_value(rest)
                merged += 1
    got = {p.lower(): {n.lower(): (t, d) for n, t, d in e[0][1]}
           for p, e in raw_tree(after).items()}
    n = differences(got, keys)
    print("%d values merged, %d keys differ" % (merged, n))
    return n


def cmd_samebins(ours, windows, allowed="0"):
    """All bins equal but for the time that a finished write leaves in the first one."""
    a, b = Raw(ours).bins, Raw(windows).bins
    wrong = [i for i in range(max(len(a), len(b))) if a[i:i + 1] != b[i:i + 1] and
             not 20 <= i < 28]
    print("%d bytes of bins, %d differ: %s" %
          (len(a), len(wrong), " ".join("0x%x" % (i + 4096) for i in wrong[:10])))
    return len(wrong) > int(allowed)


def cmd_same(ours, theirs):
    """The same keys and values, whatever the times, order and security."""
    def content(path):
        return {p: [sorted(k[1]) for k in keys] for p, keys in raw_tree(path).items()}

    a, b = content(ours), content(theirs)
    n = differences(a, b)
    print("%d keys, %d values, %d keys differ" %
          (len(a), sum(len(v) for keys in a.values() for v in keys), n))
    return n


def main():
    commands = {"read": cmd_read, "sound": cmd_sound, "compare": cmd_compare,
                "growth": cmd_growth, "pick": cmd_pick,
                "dirty": cmd_dirty, "same": cmd_same, "reg": cmd_reg, "samebins": cmd_samebins}
    if sys.argv[1:] == ["modules"]:
        print(" ".join(name for name, _ in readers()))
        return 0
    return 1 if commands[sys.argv[1]](*sys.argv[2:]) else 0


sys.setrecursionlimit(5000)
sys.exit(main())
