#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the first images of two WIMs without compression, from the format alone.

  wimsame.py A B

Every entry must have the same names, attributes, descriptor, three times to 100 ns, hard
links, streams by SHA-1, reparse tag and data, object ID. What NTFS says in another way is
the same: no attributes and "normal", a short name that equals the long one and none. The
compressed flag of files is not compared, nor the descriptor where A has none.
"""
import hashlib
import struct
import sys


def read(path):
    with open(path, 'rb') as f:
        raw = f.read()

    def resource(at):
        size, offset, full = struct.unpack_from('<QQQ', raw, at)
        assert not size >> 56 & 4, 'compressed'
        return raw[offset:offset + (size & (1 << 56) - 1)]

    table = resource(48)
    blobs, meta = {}, None
    for at in range(0, len(table), 50):
        size, offset = struct.unpack_from('<QQ', table, at)
        data = raw[offset:offset + (size & (1 << 56) - 1)]
        digest = table[at + 30:at + 50]
        assert hashlib.sha1(data).digest() == digest, 'a wrong SHA-1'
        if size >> 56 & 2:
            meta = meta or data
        else:
            blobs[digest] = data
    return tree(meta, blobs)


def tree(meta, blobs):
    total, count = struct.unpack_from('<II', meta)
    descriptors, at = [], 8 + 8 * count
    for size in struct.unpack_from('<%dQ' % count, meta, 8):
        descriptors.append(meta[at:at + size])
        at += size
    found, groups, todo = {}, {}, [('', (total + 7 & ~7) if total else 8)]
    while todo:
        parent, at = todo.pop()
        while True:
            length, = struct.unpack_from('<Q', meta, at)
            if length <= 8:
                break
            entry, name, subdir, group, at = one(meta, at, blobs, descriptors)
            full = parent + '/' + name if parent or name else ''
            assert full not in found, full
            found[full] = entry
            if group:
                groups.setdefault(group, []).append(full)
            if subdir:
                todo.append((full if full else '', subdir))
            if not name:
                break
    for names in groups.values():
        for name in names:
            found[name]['links'] = sorted(names) if len(names) > 1 else None
    return found


def one(meta, at, blobs, descriptors):
    length, attributes, security, subdir = struct.unpack_from('<QIiQ', meta, at)
    times, digest = struct.unpack_from('<QQQ', meta, at + 40), meta[at + 64:at + 84]
    tag, = struct.unpack_from('<I', meta, at + 88)
    group, count, short_len, name_len = struct.unpack_from('<QHHH', meta, at + 88)
    names = at + 102
    name = meta[names:names + name_len].decode('utf-16le', 'surrogatepass')
    names += name_len + 2 if name_len else 0
    short = meta[names:names + short_len].decode('utf-16le', 'surrogatepass')
    names += short_len + 2 if short_len else 0
    object_id, tagged, end = None, names + 7 & ~7, at + length
    while tagged + 8 <= end:
        kind, size = struct.unpack_from('<II', meta, tagged)
        if kind == 1:
            object_id = meta[tagged + 8:tagged + 8 + size].ljust(64, b'\0')
        tagged += 8 + (size + 7 & ~7)
    at += length + 7 & ~7
    streams, unnamed = {}, [] if digest == bytes(20) else [digest]
    for _ in range(count):
        length, = struct.unpack_from('<Q', meta, at)
        size, = struct.unpack_from('<H', meta, at + 36)
        title = meta[at + 38:at + 38 + size].decode('utf-16le', 'surrogatepass')
        if title:
            streams[title] = meta[at + 16:at + 36]
        elif meta[at + 16:at + 36] != bytes(20):
            unnamed.append(meta[at + 16:at + 36])
        at += length + 7 & ~7
    link = attributes & 0x400
    for d in unnamed + list(streams.values()):
        assert d == bytes(20) or d in blobs, 'a missing content'
    reparse = (tag, blobs[unnamed.pop(0)] if unnamed else b'') if link else None
    entry = {'attributes': (attributes & ~(0 if attributes & 0x10 else 0x800)) or 0x80, 'times': times,
             'descriptor': descriptors[security] if security >= 0 else None,
             'short': short if short.upper() != name.upper() else '', 'streams': streams,
             'data': unnamed[0] if unnamed else None, 'reparse': reparse, 'object ID': object_id,
             'links': None}
    return entry, name, subdir, 0 if link else group, at


def main():
    a, b = read(sys.argv[1]), read(sys.argv[2])
    faults = ['%r is gone' % p for p in a if p not in b] + ['%r is new' % p for p in b if p not in a]
    for path in a:
        for key in a[path] if path in b else ():
            x, y = a[path][key], b[path][key]
            if key == 'descriptor' and x is None:
                continue
            if x != y:
                faults.append('%r: %s %.200r, %.200r' % (path, key, x, y))
    for fault in faults[:40]:
        print(fault)
    print('%d entries, %d faults' % (len(a), len(faults)))
    sys.exit(bool(faults))


main()
