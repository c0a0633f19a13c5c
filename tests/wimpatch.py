#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes WIMs that wimlib does not: changes entries of an uncompressed WIM's first image.

  wimpatch.py WIM CHANGE...

  encrypt=PATH          the attribute of EFS
  missing=PATH          a hash that the WIM does not hold
  stream=PATH:NAME:HASHOF   a named stream with the content of another file; all streams
                        of the entry are then stream entries, as Windows writes them
  extra=PATH            an unnamed stream entry too many (wimlib before 1.14.2, folders)
  named-only=PATH:NAME:HASHOF   a named stream and no unnamed one
  tagged=PATH           a tagged item (an object ID) at the end of the entry
  short=PATH:NAME       a short name
  twin=PATH:NAME        a second entry beside it, of a name that may differ in case only
  refs=PATH:COUNT       the reference count in the blob table
"""
import hashlib
import struct
import sys


class Entry:
    def __init__(self, data, at):
        length = (struct.unpack_from("<Q", data, at)[0] + 7) & ~7
        self.fixed = bytearray(data[at:at + 102])
        short, name = struct.unpack_from("<HH", data, at + 98)
        p = at + 102
        self.name = data[p:p + name].decode("utf-16-le")
        p += name + 2 if name else 0
        self.short = data[p:p + short].decode("utf-16-le")
        p += short + 2 if short else 0
        p = at + ((p - at + 7) & ~7)
        self.extra = data[p:at + length] if p < at + length else b""
        self.streams, p = [], at + length
        for _ in range(struct.unpack_from("<H", data, at + 96)[0]):
            size, = struct.unpack_from("<Q", data, p)
            n, = struct.unpack_from("<H", data, p + 36)
            self.streams.append((data[p + 38:p + 38 + n].decode("utf-16-le"), data[p + 16:p + 36]))
            p += (size + 7) & ~7
        self.end, self.children = p, []
        self.is_folder = self.fixed[8] & 0x10 and not self.fixed[9] & 4
        at, = struct.unpack_from("<Q", data, at + 16)
        while self.is_folder and at and struct.unpack_from("<Q", data, at)[0] > 8:
            self.children.append(Entry(data, at))
            at = self.children[-1].end

    def emit(self, subdir):
        def z(text):
            return text.encode("utf-16-le") + b"\0\0" if text else b""
        name, short = z(self.name), z(self.short)
        struct.pack_into("<Q", self.fixed, 16, subdir)
        struct.pack_into("<HHH", self.fixed, 96, len(self.streams), max(0, len(short) - 2), max(0, len(name) - 2))
        out = bytes(self.fixed) + name + short
        out += bytes(-len(out) % 8) + self.extra
        out += bytes(-len(out) % 8)
        out = struct.pack("<Q", len(out)) + out[8:]
        for stream, hash in self.streams:
            s = struct.pack("<QQ20sH", 0, 0, hash, len(stream) * 2) + z(stream)
            s += bytes(-len(s) % 8)
            out += struct.pack("<Q", len(s)) + s[8:]
        return out


def find(root, path):
    for part in filter(None, path.split("/")):
        root = next(c for c in root.children if c.name == part)
    return root


def tree(root, at):
    """The entries as bytes, lists following their folders."""
    def size(e):
        return len(e.emit(0))
    where = {}
    at += size(root) + 8
    queue = [root]
    while queue:
        folder = queue.pop(0)
        where[id(folder)] = at
        at += sum(map(size, folder.children)) + 8
        queue += [c for c in folder.children if c.is_folder]
    out = root.emit(where[id(root)]) + bytes(8)
    queue = [root]
    while queue:
        folder = queue.pop(0)
        for c in folder.children:
            out += c.emit(where.get(id(c), 0))
        out += bytes(8)
        queue += [c for c in folder.children if c.is_folder]
    return out


def main():
    wim = bytearray(open(sys.argv[1], "rb").read())
    table = struct.unpack_from("<Q", wim, 56)[0]
    count = (struct.unpack_from("<Q", wim, 48)[0] & 0xffffffffffffff) // 50
    slots = [table + 50 * i for i in range(count)]
    slot = next(s for s in slots if wim[s + 7] & 2)
    size, offset, full = struct.unpack_from("<QQQ", wim, slot)
    size &= 0xffffffffffffff
    assert size == full, "the metadata is compressed"
    data = bytes(wim[offset:offset + size])
    security = (struct.unpack_from("<I", data, 0)[0] + 7) & ~7 or 8
    root = Entry(data, security)
    for change in sys.argv[2:]:
        what, value = change.split("=", 1)
        path, *rest = value.split(":")
        e = find(root, path)
        unnamed = bytes(e.fixed[64:84])
        if what == "encrypt":
            e.fixed[9] |= 0x40
        elif what == "missing":
            e.fixed[64:84] = b"missing" + bytes(13)
        elif what in ("stream", "named-only"):
            named = (rest[0], bytes(find(root, rest[1]).fixed[64:84]))
            e.streams = ([("", unnamed)] if what == "stream" and not e.is_folder else []) + [named]
            e.fixed[64:84] = bytes(20)
        elif what == "extra":
            e.streams.insert(0, ("", bytes(20)))
        elif what == "tagged":
            e.extra += struct.pack("<II", 1, 64) + bytes(range(64))
        elif what == "short":
            e.short = rest[0]
        elif what == "twin":
            folder = find(root, path.rsplit("/", 1)[0])
            twin = Entry(e.emit(0) + bytes(8), 0)
            twin.name = rest[0]
            folder.children.append(twin)
        elif what == "refs":
            s = next(s for s in slots if wim[s + 30:s + 50] == unnamed)
            struct.pack_into("<I", wim, s + 26, int(rest[0]))
        else:
            sys.exit(f"{what} is no change")
    new = data[:security] + tree(root, security)
    # Everything behind the old metadata that matters is moved to the end.
    xml_size, xml_at = struct.unpack_from("<QQ", wim, 72)
    xml = bytes(wim[xml_at:xml_at + (xml_size & 0xffffffffffffff)])
    blobs = bytearray(wim[table:table + 50 * count])
    at = len(wim)
    i = slot - table
    struct.pack_into("<QQQ", blobs, i, len(new) | blobs[i + 7] << 56, at, len(new))
    struct.pack_into("<HI", blobs, i + 24, 1, 1)
    blobs[i + 30:i + 50] = hashlib.sha1(new).digest()
    wim += new + blobs + xml
    struct.pack_into("<Q", wim, 56, at + len(new))
    struct.pack_into("<Q", wim, 80, at + len(new) + len(blobs))
    if struct.unpack_from("<I", wim, 120)[0] == 1:
        struct.pack_into("<QQQ", wim, 96, len(new) | 2 << 56, at, len(new))
    open(sys.argv[1], "wb").write(wim)


main()
