#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks an NTFS volume from its bytes alone, as chkdsk's first three stages do.

    ntfscheck.py IMAGE [OFFSET [SIZE]]     # of the volume, in bytes

Every MFT record and its fixups, $MFT's own bitmap, $MFTMirr, every run against $Bitmap (both
ways, and no cluster twice), every folder's index against the records' names (both ways, order
and index bitmap too), link counts, security IDs against $Secure. Written from the layout that
the NTFS documentation projects describe; shares nothing with libntfs-3g. Prints what is wrong,
and exits with 1 then.
"""
import struct
import sys
from collections import defaultdict

ROOT, VOLUME, BITMAP, SECURE, UPCASE = 5, 3, 6, 9, 10
STANDARD, LIST, NAME, VOLUME_INFO, DATA = 0x10, 0x20, 0x30, 0x70, 0x80
INDEX_ROOT, INDEX_ALLOCATION, BITMAP_ATTR, REPARSE = 0x90, 0xA0, 0xB0, 0xC0
SECURITY = 0x50


def u16(b, o):
    return struct.unpack_from('<H', b, o)[0]


def u32(b, o):
    return struct.unpack_from('<I', b, o)[0]


def u64(b, o):
    return struct.unpack_from('<Q', b, o)[0]


class Attribute:
    """An attribute record, or all of them that make one attribute."""

    def __init__(self, raw, number):
        self.type, self.id = u32(raw, 0), u16(raw, 14)
        self.flags = u16(raw, 12)
        self.record = number
        length = raw[9]
        at = u16(raw, 10)
        self.name = raw[at:at + 2 * length].decode('utf-16-le', 'replace') if length else ''
        self.resident = raw[8] == 0
        self.runs = []
        if self.resident:
            start = u16(raw, 20)
            self.value = raw[start:start + u32(raw, 16)]
            self.size = len(self.value)
            self.lowest = 0
            return
        self.lowest, self.highest = u64(raw, 16), u64(raw, 24)
        if self.lowest == 0:
            self.allocated, self.size, self.initialised = struct.unpack_from('<QQQ', raw, 40)
            self.compressed = u64(raw, 64) if self.flags & 0x8001 else None
        self.runs = list(decode_runs(raw[u16(raw, 32):], self.lowest))


def decode_runs(raw, vcn):
    at, lcn = 0, 0
    while at < len(raw) and raw[at]:
        n, m = raw[at] & 15, raw[at] >> 4
        count = int.from_bytes(raw[at + 1:at + 1 + n], 'little', signed=True)
        if count <= 0 or n == 0:
            raise ValueError('a run of %d clusters' % count)
        if m:
            lcn += int.from_bytes(raw[at + 1 + n:at + 1 + n + m], 'little', signed=True)
            yield vcn, lcn, count
        else:
            yield vcn, None, count
        vcn += count
        at += 1 + n + m


class Volume:
    def __init__(self, path, offset, size):
        self.file = open(path, 'rb')
        self.offset = offset
        self.problems = []
        boot = self.read(0, 512)
        if boot[3:11] != b'NTFS    ':
            sys.exit('no NTFS boot sector at %d' % offset)
        self.sector = u16(boot, 11)
        per = boot[13]
        self.cluster = self.sector * (per if per <= 128 else 1 << (256 - per))
        self.sectors = u64(boot, 40)
        self.clusters = self.sectors * self.sector // self.cluster
        self.mft_at, self.mirror_at = u64(boot, 48), u64(boot, 56)
        self.record = self.unit(boot[64])
        self.index = self.unit(boot[68])
        if size and (self.sectors + 1) * self.sector > size:
            self.bad('the volume is larger than its partition')
        self.files = {}

    def unit(self, byte):
        return 1 << (256 - byte) if byte > 127 else byte * self.cluster

    def bad(self, text):
        self.problems.append(text)

    def read(self, at, length):
        self.file.seek(self.offset + at)
        return self.file.read(length)

    def fixed(self, raw, magic, what):
        """The record without its fixups, or None."""
        raw = bytearray(raw)
        if raw[:4] != magic:
            return None
        at, count = u16(raw, 4), u16(raw, 6)
        if count != len(raw) // 512 + 1 or at + 2 * count > 510:
            self.bad('%s: impossible fixups' % what)
            return None
        for i in range(1, count):
            if raw[512 * i - 2:512 * i] != raw[at:at + 2]:
                self.bad('%s: torn (fixup %d)' % (what, i))
                return None
            raw[512 * i - 2:512 * i] = raw[at + 2 * i:at + 2 * i + 2]
        return bytes(raw)

    def content(self, attribute):
        if attribute.resident:
            return attribute.value
        out = bytearray()
        for _, lcn, count in attribute.runs:
            if lcn is None:
                out += bytes(count * self.cluster)
            else:
                out += self.read(lcn * self.cluster, count * self.cluster)
        out = out[:attribute.size]
        if attribute.initialised < attribute.size:
            out[attribute.initialised:] = bytes(attribute.size - attribute.initialised)
        return bytes(out)

    # ---- records

    def attributes(self, number, raw):
        at, last, ids = u16(raw, 20), 0, set()
        used, out = u32(raw, 24), []
        if used > len(raw) or used % 8:
            self.bad('record %d: %d bytes in use' % (number, used))
            return out
        while at + 4 <= used and u32(raw, at) != 0xFFFFFFFF:
            kind, length = u32(raw, at), u32(raw, at + 4)
            if length < 24 or length % 8 or at + length > used:
                self.bad('record %d: an attribute of %d bytes' % (number, length))
                return out
            try:
                attribute = Attribute(raw[at:at + length], number)
            except (ValueError, struct.error) as e:
                self.bad('record %d: attribute %#x: %s' % (number, kind, e))
                return out
            if kind < last:
                self.bad('record %d: attributes are not in order' % number)
            if attribute.id in ids or attribute.id >= u16(raw, 40):
                self.bad('record %d: attribute id %d' % (number, attribute.id))
            ids.add(attribute.id)
            last = kind
            out.append(attribute)
            at += length
        if at + 8 != used:
            self.bad('record %d: ends at %d, %d bytes in use' % (number, at + 8, used))
        return out

    def merge(self, number, parts):
        """Attribute records of one file by (type, name), extents joined."""
        merged, whole = {}, []
        for part in sorted(parts, key=lambda a: (a.type, a.name, a.lowest)):
            key = (part.type, part.name)
            first = merged.get(key)
            if first is None or part.resident or first.resident:
                if not part.resident and part.lowest:
                    self.bad('record %d: %#x begins at VCN %d' % (number, part.type, part.lowest))
                merged[key] = part
                whole.append(part)
                continue
            end = first.runs[-1][0] + first.runs[-1][2] if first.runs else 0
            if part.lowest != end:
                self.bad('record %d: %#x: extents do not join' % (number, part.type))
            first.runs += part.runs
            first.highest = part.highest
        for a in whole:
            if not a.resident and a.lowest == 0:
                self.check_sizes(number, a)
        return whole

    def check_sizes(self, number, a):
        what = 'record %d: attribute %#x "%s"' % (number, a.type, a.name)
        clusters = sum(r[2] for r in a.runs)
        if (a.highest + 1) % (1 << 64) != clusters:
            self.bad('%s: highest VCN %d, %d clusters' % (what, a.highest, clusters))
        if a.allocated != clusters * self.cluster:
            self.bad('%s: %d bytes allocated, runs of %d' % (
                what, a.allocated, clusters * self.cluster))
        if not a.initialised <= a.size <= a.allocated:
            self.bad('%s: sizes %d, %d, %d' % (what, a.initialised, a.size, a.allocated))
        if a.compressed is not None:
            real = sum(r[2] for r in a.runs if r[1] is not None) * self.cluster
            if real != a.compressed:
                self.bad('%s: %d bytes really allocated, said %d' % (what, real, a.compressed))

    def load(self):
        first = self.fixed(self.read(self.mft_at * self.cluster, self.record), b'FILE', 'record 0')
        if not first:
            sys.exit('$MFT cannot be read')
        mft = self.merge_mft(first)
        raw = self.content(mft)
        parts, heads = defaultdict(list), {}
        for n in range(len(raw) // self.record):
            piece = raw[n * self.record:(n + 1) * self.record]
            if (n + 1) * self.record > mft.initialised or not any(piece[:4]):
                continue
            record = self.fixed(piece, b'FILE', 'record %d' % n)
            if record is None:
                if piece[:4] != b'FILE':
                    self.bad('record %d: magic %r' % (n, piece[:4]))
                continue
            heads[n] = record
            if u16(record, 22) & 1:
                base = u64(record, 32) & 0xFFFFFFFFFFFF
                parts[base or n] += self.attributes(n, record)
        self.heads, self.count = heads, len(raw) // self.record
        for n, record in heads.items():
            if u16(record, 22) & 1 and u64(record, 32):
                base = u64(record, 32)
                owner = heads.get(base & 0xFFFFFFFFFFFF)
                if not owner or not u16(owner, 22) & 1 or u16(owner, 16) != base >> 48:
                    self.bad('record %d: extends record %d, which is not there' % (
                        n, base & 0xFFFFFFFFFFFF))
            elif u16(record, 22) & 1:
                self.files[n] = self.merge(n, parts[n])
        mirror = self.read(self.mirror_at * self.cluster, 4 * self.record)
        if mirror != raw[:len(mirror)]:
            self.bad('$MFTMirr differs from $MFT')

    def merge_mft(self, first):
        """$MFT's own data, whose further runs lie in records that it holds itself."""
        own = self.attributes(0, first)
        data = [a for a in own if a.type == DATA and not a.name][0]
        listed = [a for a in own if a.type == LIST]
        if listed:
            entries, at = self.content(listed[0]), 0
            while at + 26 <= len(entries) and u16(entries, at + 4):
                kind, n = u32(entries, at), u64(entries, at + 16) & 0xFFFFFFFFFFFF
                if kind == DATA and n:
                    got = self.content(data)
                    raw = got[n * self.record:(n + 1) * self.record]
                    more = self.fixed(raw, b'FILE', 'record %d' % n)
                    for a in self.attributes(n, more) if more else []:
                        if a.type == DATA:
                            data.runs += a.runs
                at += u16(entries, at + 4)
        return data

    def attribute(self, number, kind, name=''):
        for a in self.files.get(number, []):
            if a.type == kind and a.name == name:
                return a
        return None

    # ---- clusters

    def check_clusters(self):
        bits = self.content(self.attribute(BITMAP, DATA))
        owner = {}
        for n, attributes in self.files.items():
            for a in attributes:
                for _, lcn, count in a.runs:
                    if lcn is None:
                        continue
                    if lcn < 0 or lcn + count > self.clusters:
                        self.bad('record %d: clusters %d+%d' % (n, lcn, count))
                        continue
                    for c in range(lcn, lcn + count):
                        if c in owner:
                            self.bad('cluster %d: records %d and %d' % (c, owner[c], n))
                        owner[c] = n
        lost = missing = 0
        for c in range(self.clusters):
            used = bits[c >> 3] >> (c & 7) & 1
            if used and c not in owner:
                lost += 1
            if not used and c in owner:
                missing += 1
                if missing < 5:
                    self.bad('cluster %d of record %d is free in $Bitmap' % (c, owner[c]))
        if lost or missing:
            self.bad('$Bitmap: %d clusters belong to nobody, %d are not marked' % (lost, missing))
        bits = self.content(self.attribute(0, BITMAP_ATTR))
        for n in range(self.count):
            used = n in self.heads and u16(self.heads[n], 22) & 1
            bit = bits[n >> 3] >> (n & 7) & 1 if n >> 3 < len(bits) else 0
            if n >= 24 and bool(bit) != bool(used):
                self.bad('record %d: %s, and %s in $MFT\'s bitmap' % (
                    n, 'in use' if used else 'free', 'in use' if bit else 'free'))
        self.used = len(owner)

    # ---- folders

    def key(self, name):
        return [self.upcase[c] for c in struct.unpack('<%dH' % (len(name) // 2), name)]

    def entries(self, raw, what):
        """Entries of one node: (reference, key, sub-node VCN or None)."""
        at, size, used = u32(raw, 0), u32(raw, 4), 0
        if size > len(raw) or at < 16:
            self.bad('%s: impossible node' % what)
            return
        while at + 16 <= size:
            length, keylen, flags = u16(raw, at + 8), u16(raw, at + 10), u16(raw, at + 12)
            if length < 16 or at + length > size:
                self.bad('%s: an entry of %d bytes' % (what, length))
                return
            sub = u64(raw, at + length - 8) if flags & 1 else None
            yield (u64(raw, at), None if flags & 2 else raw[at + 16:at + 16 + keylen], sub)
            used += 1
            if flags & 2:
                if at + length != size:
                    self.bad('%s: bytes behind the last entry' % what)
                return
            at += length
        self.bad('%s: no last entry' % what)

    def walk(self, number, name):
        """All entries of an index in order, with the index bitmap checked."""
        root = self.attribute(number, INDEX_ROOT, name)
        what = 'index %s of record %d' % (name, number)
        if not root:
            self.bad('%s: no root' % what)
            return []
        allocation = self.attribute(number, INDEX_ALLOCATION, name)
        blocks = self.content(allocation) if allocation else b''
        size = u32(root.value, 8)
        step = self.cluster if size >= self.cluster else 512
        seen, out = set(), []

        def descend(raw, depth):
            for reference, key, sub in self.entries(raw, what):
                if sub is not None:
                    at = sub * step
                    if sub in seen or depth > 30 or at + size > len(blocks):
                        self.bad('%s: block %d' % (what, sub))
                        continue
                    seen.add(sub)
                    block = self.fixed(blocks[at:at + size], b'INDX', '%s block %d' % (what, sub))
                    if block is None or u64(block, 16) != sub:
                        self.bad('%s: block %d is none' % (what, sub))
                        continue
                    descend(block[24:], depth + 1)
                if key is not None:
                    out.append((reference, key))

        descend(root.value[16:], 0)
        bitmap = self.attribute(number, BITMAP_ATTR, name)
        bits = self.content(bitmap) if bitmap else b''
        for i in range(len(blocks) // size if size else 0):
            used = i * size // step in seen
            bit = bits[i >> 3] >> (i & 7) & 1 if i >> 3 < len(bits) else 0
            if used != bool(bit):
                self.bad('%s: block %d is %s' % (what, i, 'not marked' if used else 'lost'))
        return out

    def check_names(self):
        table = self.content(self.attribute(UPCASE, DATA))
        self.upcase = struct.unpack('<65536H', table[:131072])
        names, stale = defaultdict(list), 0
        for n, attributes in self.files.items():
            for a in attributes:
                if a.type == NAME:
                    v = a.value
                    names[n].append((u64(v, 0), v[65], bytes(v[66:66 + 2 * v[64]])))
        found, folders = defaultdict(list), 0
        for n in self.files:
            if not u16(self.heads[n], 22) & 2:
                continue
            folders += 1
            last = None
            for reference, key in self.walk(n, '$I30'):
                child, name = reference & 0xFFFFFFFFFFFF, bytes(key[66:66 + 2 * key[64]])
                text = name.decode('utf-16-le', 'replace')
                order = self.key(name)
                if last is not None and (order, name) < last:
                    self.bad('folder %d: "%s" is out of order' % (n, text))
                last = (order, name)
                if child not in self.files:
                    self.bad('folder %d: "%s" leads to record %d, which is free' % (n, text, child))
                elif u16(self.heads[child], 16) != reference >> 48:
                    self.bad('folder %d: "%s": sequence number' % (n, text))
                elif u64(key, 0) & 0xFFFFFFFFFFFF != n or u64(key, 0) >> 48 != u16(self.heads[n], 16):
                    self.bad('folder %d: "%s" has another parent' % (n, text))
                else:
                    found[child].append((u64(key, 0), key[65], name))
                    data = self.attribute(child, DATA)
                    if data and child >= 24 and data.size != u64(key, 48):
                        stale += 1
        for n in self.files:
            if sorted(names[n]) != sorted(found[n]):
                self.bad('record %d: names %s, in folders %s' % (n, names[n], found[n]))
            if len(names[n]) != u16(self.heads[n], 18):
                self.bad('record %d: %d names, %d links' % (n, len(names[n]), u16(self.heads[n], 18)))
            if n >= 24 and not names[n]:
                self.bad('record %d: a file without a name' % n)
        self.named, self.folders, self.stale = sum(map(len, found.values())), folders, stale

    # ---- security and state

    def check_security(self):
        if not self.attribute(SECURE, INDEX_ROOT, '$SII'):
            return
        stream = self.content(self.attribute(SECURE, DATA, '$SDS'))
        ids = set()
        for _, key in self.walk(SECURE, '$SII'):
            ids.add(u32(key, 0))
        self.walk(SECURE, '$SDH')
        at, listed = 0, set()
        while at + 20 <= len(stream):
            number, length = u32(stream, at + 4), u32(stream, at + 16)
            if length < 20 or u64(stream, at + 8) != at:
                at = (at // 0x40000 + 1) * 0x40000 # copies lie in every other block
                continue
            copy = stream[at + 0x40000:at + 0x40000 + length]
            if copy != stream[at:at + length]:
                self.bad('$SDS: the copy of descriptor %d differs' % number)
            listed.add(number)
            at += (length + 15) & ~15
        if ids != listed:
            self.bad('$Secure: descriptors %s' % sorted(ids ^ listed))
        for n in self.files:
            standard = self.attribute(n, STANDARD)
            if not standard:
                self.bad('record %d: no $STANDARD_INFORMATION' % n)
            elif len(standard.value) >= 72 and n >= 24:
                number = u32(standard.value, 52)
                if number not in ids and not self.attribute(n, SECURITY):
                    self.bad('record %d: security ID %d' % (n, number))

    def check(self):
        self.load()
        self.check_clusters()
        self.check_names()
        self.check_security()
        info = self.attribute(VOLUME, VOLUME_INFO)
        if u16(info.value, 10) & 1:
            self.bad('the volume is dirty')


def main():
    offset = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    size = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    volume = Volume(sys.argv[1], offset, size)
    volume.check()
    for text in volume.problems[:40]:
        print(text)
    print('%d records, %d folders, %d names, %d clusters, %d stale sizes: %s' % (
        len(volume.files), volume.folders, volume.named, volume.used, volume.stale,
        '%d problems' % len(volume.problems) if volume.problems else 'sound'))
    sys.exit(1 if volume.problems else 0)


if __name__ == '__main__':
    main()
