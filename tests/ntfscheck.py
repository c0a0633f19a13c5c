#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Checks an NTFS volume, from the format alone (no library, nothing of gild): every record,
# attribute and attribute list; every cluster against $Bitmap in both directions; every entry
# of every folder against the $FILE_NAME that it repeats, in both directions; $Secure, the
# indexes of reparse points and object IDs; $MFTMirr; the dirty flag.
#
#   ntfscheck.py [--strict] VOLUME [OFFSET [SIZE]]
#
# --strict: also what folders repeat of sizes, times and attributes (Windows lets these lag).
# A line on stdout for each fault, then what was seen and "sound" or the number of faults, which
# exit code 1 goes with.

import struct
import sys

FILE_ROOT = 5
SYSTEM = 24
SI, ALIST, FNAME, OBJID, SECDESC, VOLINFO, DATA, IROOT, IALLOC, BITMAP, REPARSE = (
    0x10, 0x20, 0x30, 0x40, 0x50, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0)
POSIX, WIN32, DOS, WIN32_DOS = range(4)
faults = []


def fault(text, *args):
    if len(faults) < 200:
        faults.append(text % args if args else text)


def u16(b, o):
    return struct.unpack_from('<H', b, o)[0]


def u32(b, o):
    return struct.unpack_from('<I', b, o)[0]


def u64(b, o):
    return struct.unpack_from('<Q', b, o)[0]


class Bad(Exception):
    pass


def fixup(raw, what):
    """Puts the bytes back that the update sequence stands for."""
    raw = bytearray(raw)
    offset, count = u16(raw, 4), u16(raw, 6)
    if count != len(raw) // 512 + 1 or offset + 2 * count > len(raw):
        raise Bad('%s: update sequence array is wrong' % what)
    for i in range(1, count):
        if raw[i * 512 - 2:i * 512] != raw[offset:offset + 2]:
            raise Bad('%s: torn at sector %d' % (what, i))
        raw[i * 512 - 2:i * 512] = raw[offset + 2 * i:offset + 2 * i + 2]
    return bytes(raw)


class Attribute:
    def __init__(self, raw, record):
        self.type, self.length = u32(raw, 0), u32(raw, 4)
        self.record = record
        self.resident = not raw[8]
        name_len, name_at = raw[9], u16(raw, 10)
        self.name = raw[name_at:name_at + 2 * name_len].decode('utf-16le', 'surrogatepass')
        self.flags, self.instance = u16(raw, 12), u16(raw, 14)
        self.lowest = 0
        if name_len and name_at + 2 * name_len > self.length:
            raise Bad('attribute name outside')
        if self.resident:
            size, at = u32(raw, 16), u16(raw, 20)
            if at + size > self.length:
                raise Bad('value of attribute %#x outside' % self.type)
            self.value = raw[at:at + size]
            self.size = self.initialized = size
            self.indexed = raw[22]
            return
        self.lowest, self.highest = u64(raw, 16), struct.unpack_from('<q', raw, 24)[0]
        self.runs = runs(raw[u16(raw, 32):], self.lowest)
        self.unit = raw[34]
        self.allocated, self.size, self.initialized = (u64(raw, o) for o in (40, 48, 56))
        self.compressed = u64(raw, 64) if self.flags & 0x8001 else None


def runs(b, vcn):
    i, lcn, out = 0, 0, []
    while True:
        if i >= len(b):
            raise Bad('runs do not end')
        head = b[i]
        if not head:
            return out
        n, m = head & 15, head >> 4
        length = int.from_bytes(b[i + 1:i + 1 + n], 'little')
        if not n or not length or i + 1 + n + m > len(b):
            raise Bad('run is wrong')
        if m:
            lcn += int.from_bytes(b[i + 1 + n:i + 1 + n + m], 'little', signed=True)
        out.append((vcn, lcn if m else None, length))
        vcn += length
        i += 1 + n + m


class Record:
    def __init__(self, volume, number, raw):
        self.number = number
        raw = fixup(raw, 'record %d' % number)
        self.sequence, self.links = u16(raw, 16), u16(raw, 18)
        at, self.flags = u16(raw, 20), u16(raw, 22)
        used, allocated = u32(raw, 24), u32(raw, 28)
        self.base = u64(raw, 32)
        self.attributes = []
        if not self.flags & 1:
            return
        if allocated != len(raw) or used > allocated:
            raise Bad('record %d: sizes are wrong' % number)
        if volume.minor and u32(raw, 44) != number:
            raise Bad('record %d: says it is %d' % (number, u32(raw, 44)))
        last, instances = None, set()
        while True:
            if at + 4 > used:
                raise Bad('record %d: attributes do not end' % number)
            if u32(raw, at) == 0xffffffff:
                break
            length = u32(raw, at + 4)
            if length < 24 or length % 8 or at + length > used:
                raise Bad('record %d: attribute of length %d' % (number, length))
            a = Attribute(raw[at:at + length], number)
            key = (a.type, a.name.upper())
            if last and key < last and a.type != FNAME:
                fault('record %d: attributes are not in order', number)
            last = key
            if a.instance in instances:
                fault('record %d: two attributes with instance %d', number, a.instance)
            instances.add(a.instance)
            if a.instance >= u16(raw, 40):
                fault('record %d: next instance %d is not free', number, u16(raw, 40))
            self.attributes.append(a)
            at += length
        if at + 8 != used:
            fault('record %d: %d bytes used, says %d', number, at + 8, used)


class Volume:
    def __init__(self, path, offset=0, size=0):
        self.file, self.offset = open(path, 'rb'), offset
        boot = self.bytes(0, 512)
        if boot[3:11] != b'NTFS    ':
            raise Bad('no NTFS')
        sector, per = u16(boot, 11), boot[13]
        self.cluster = sector * (per if per <= 128 else 1 << (256 - per))
        self.clusters = u64(boot, 40) * sector // self.cluster
        self.record_size = self.record_bytes(boot[64])
        self.index_size = self.record_bytes(boot[68])
        if size and (u64(boot, 40) + 1) * sector > size:
            fault('the volume is larger than its partition')
        self.minor = 1
        self.files = {}
        self.named = self.folders = self.clusters_used = self.stale = 0
        self.load_mft(u64(boot, 48), u64(boot, 56))

    def record_bytes(self, v):
        return v * self.cluster if v < 128 else 1 << (256 - v)

    def bytes(self, at, n):
        self.file.seek(self.offset + at)
        b = self.file.read(n)
        if len(b) != n:
            raise Bad('end of volume at %d' % at)
        return b

    # -- attributes ------------------------------------------------------------------

    def content(self, parts):
        """The bytes of an attribute, by its parts in order of VCN."""
        first = parts[0]
        if first.resident:
            return first.value
        out = bytearray()
        for part in parts:
            for vcn, lcn, n in part.runs:
                if vcn * self.cluster != len(out):
                    raise Bad('record %d: hole between runs' % part.record)
                out += bytes(n * self.cluster) if lcn is None else self.bytes(
                    lcn * self.cluster, n * self.cluster)
                if len(out) > first.size + (16 << 20):
                    raise Bad('record %d: more runs than size' % part.record)
        out[first.initialized:] = bytes(max(0, len(out) - first.initialized))
        return bytes(out[:first.size])

    def attribute(self, number, kind, name=''):
        parts = [a for a in self.files[number].all if a.type == kind and a.name == name]
        parts.sort(key=lambda a: a.lowest)
        return parts

    # -- records ---------------------------------------------------------------------

    def load_mft(self, mft, mirror):
        first = Record(self, 0, self.bytes(mft * self.cluster, self.record_size))
        data = [a for a in first.attributes if a.type == DATA]
        lists = [a for a in first.attributes if a.type == ALIST]
        got = {0}
        self.raw = self.content(data)[:data[0].initialized] if not lists else b''
        while lists:            # $MFT itself in several records
            self.raw = b''.join(self.content([p]) if p.resident else b''.join(
                self.bytes(lcn * self.cluster, n * self.cluster) for _, lcn, n in p.runs)
                for p in sorted(data, key=lambda a: a.lowest))
            more = [u64(e, 16) & 0xffffffffffff for e in self.list_entries(
                self.content(lists)) if u32(e, 0) == DATA]
            more = [m for m in more if m not in got and (m + 1) * self.record_size
                    <= len(self.raw)]
            if not more:
                break
            for m in more:
                got.add(m)
                data += [a for a in Record(self, m, self.record(m)).attributes
                         if a.type == DATA]
        self.raw = self.raw[:data[0].initialized]
        self.count = len(self.raw) // self.record_size
        self.records = {}
        for number in range(self.count):
            raw = self.record(number)
            if raw[:4] != b'FILE':
                if raw[:4] not in (b'\0\0\0\0',):
                    fault('record %d: %r', number, raw[:4])
                continue
            try:
                r = Record(self, number, raw)
            except Bad as e:
                fault(str(e))
                continue
            if r.flags & 1:
                self.records[number] = r
        copy = self.bytes(mirror * self.cluster, 4 * self.record_size)
        if copy != self.raw[:len(copy)]:
            fault('$MFTMirr differs from $MFT')

    def record(self, number):
        return self.raw[number * self.record_size:(number + 1) * self.record_size]

    @staticmethod
    def list_entries(b):
        at = 0
        while at + 26 <= len(b):
            n = u16(b, at + 4)
            if n < 26 or at + n > len(b):
                raise Bad('attribute list is wrong')
            yield b[at:at + n]
            at += n

    def gather(self):
        """All attributes of each base record, by its attribute list."""
        claimed = {}
        for number, r in self.records.items():
            if r.base & 0xffffffffffff:
                continue
            self.files[number] = r
            r.all = list(r.attributes)
            lists = [a for a in r.attributes if a.type == ALIST]
            if not lists:
                continue
            left = [(a.type, a.name, a.lowest, number, a.instance) for a in r.attributes
                    if a.type != ALIST]
            extents = set()
            for e in self.list_entries(self.content(lists)):
                ref = u64(e, 16)
                name = e[e[7]:e[7] + 2 * e[6]].decode('utf-16le', 'surrogatepass')
                key = (u32(e, 0), name, u64(e, 8), ref & 0xffffffffffff, u16(e, 24))
                other = self.records.get(key[3])
                if not other or other.sequence != ref >> 48:
                    fault('record %d: its list names record %d', number, key[3])
                    continue
                if key[3] != number and key[3] not in extents:
                    extents.add(key[3])
                    claimed[key[3]] = number
                    if other.base != number | r.sequence << 48:
                        fault('record %d: is no extent of %d', key[3], number)
                    r.all += other.attributes
                    left += [(a.type, a.name, a.lowest, key[3], a.instance)
                             for a in other.attributes]
                if key in left:
                    left.remove(key)
                else:
                    fault('record %d: its list has %r, which is not there', number, key)
            for key in left:
                fault('record %d: %r is not in its list', number, key)
        for number, r in self.records.items():
            if r.base & 0xffffffffffff and number not in claimed:
                fault('record %d: an extent of %d, which does not know it', number,
                      r.base & 0xffffffffffff)

    def check_mft_bitmap(self):
        bits = self.content(self.attribute(0, BITMAP))
        for n in range(SYSTEM, len(bits) * 8):
            used = bits[n // 8] >> n % 8 & 1
            if used != (n in self.records):
                fault('record %d: in use %d, $MFT bitmap %d', n, n in self.records, used)

    # -- clusters --------------------------------------------------------------------

    def check_clusters(self):
        bits = self.content(self.attribute(6, DATA))
        mine = bytearray(len(bits))
        for number, r in self.files.items():
            groups = {}
            for a in r.all:
                if a.type == FNAME:
                    continue
                groups.setdefault((a.type, a.name), []).append(a)
            for (kind, name), parts in groups.items():
                parts.sort(key=lambda a: a.lowest)
                if parts[0].resident:
                    if len(parts) > 1:
                        fault('record %d: attribute %#x %r twice', number, kind, name)
                    continue
                if number == 8 and name == '$Bad':
                    continue
                self.check_runs(number, kind, name, parts, mine)
        self.clusters_used = sum(bin(b).count('1') for b in mine)
        for n in range(self.clusters):
            if not n % 8 and bits[n // 8] == mine[n // 8]:
                continue
            a, b = bits[n // 8] >> n % 8 & 1, mine[n // 8] >> n % 8 & 1
            if a != b:
                fault('cluster %d: $Bitmap %d, in use by a file %d', n, a, b)
        if self.clusters // 8 < len(bits):
            for n in range(self.clusters, len(bits) * 8):
                if not bits[n // 8] >> n % 8 & 1:
                    fault('cluster %d is behind the end and free', n)
                    break

    def check_runs(self, number, kind, name, parts, mine):
        what = 'record %d: attribute %#x %r' % (number, kind, name)
        vcn, real, first = 0, 0, parts[0]
        for part in parts:
            if part.lowest != vcn:
                fault('%s: part begins at %d, not %d', what, part.lowest, vcn)
            for _, lcn, n in part.runs:
                vcn += n
                if lcn is None:
                    continue
                real += n
                if lcn < 0 or lcn + n > self.clusters:
                    fault('%s: cluster %d outside', what, lcn)
                    continue
                for c in range(lcn, lcn + n):
                    if mine[c // 8] >> c % 8 & 1:
                        fault('%s: cluster %d belongs to two', what, c)
                    mine[c // 8] |= 1 << c % 8
            if part.highest != vcn - 1 and not (part.highest <= 0 and vcn == 0):
                fault('%s: ends at %d, says %d', what, vcn - 1, part.highest)
        if first.allocated != vcn * self.cluster:
            fault('%s: allocated %d, runs %d', what, first.allocated, vcn * self.cluster)
        if first.size > first.allocated or first.initialized > first.size:
            fault('%s: sizes %d %d %d', what, first.allocated, first.size,
                  first.initialized)
        if first.compressed is None and real != vcn:
            fault('%s: holes in what is not sparse', what)
        if first.compressed is not None and first.compressed != real * self.cluster:
            fault('%s: compressed size %d, runs %d', what, first.compressed,
                  real * self.cluster)

    # -- indexes ---------------------------------------------------------------------

    def entries(self, number, name, order=None):
        """All (reference, key, data) of an index in order; checks the B-tree."""
        root = self.content(self.attribute(number, IROOT, name))
        size = u32(root, 8)
        alloc = self.attribute(number, IALLOC, name)
        blocks = self.content(alloc) if alloc else b''
        bits = self.attribute(number, BITMAP, name)
        bits = self.content(bits) if bits else b''
        seen, out, what = set(), [], 'record %d: index %s' % (number, name)
        unit = self.cluster if self.cluster <= size else 512

        def node(b, depth):
            at, used = u32(b, 0), u32(b, 4)
            if depth > 20 or used > len(b) or u32(b, 8) < used:
                raise Bad('%s: node is wrong' % what)
            while True:
                if at + 16 > used:
                    raise Bad('%s: node does not end' % what)
                n, key, flags = u16(b, at + 8), u16(b, at + 10), u16(b, at + 12)
                if n < 16 or at + n > used:
                    raise Bad('%s: entry is wrong' % what)
                if flags & 1:
                    block(u64(b, at + n - 8), depth + 1)
                if flags & 2:
                    if at + n != used:
                        fault('%s: bytes behind the last entry', what)
                    return
                e = b[at:at + n]
                out.append((u64(e, 0), e[16:16 + key], e))
                at += n

        def block(vcn, depth):
            at = vcn * unit
            if vcn in seen or at % size or at + size > len(blocks):
                raise Bad('%s: block %d' % (what, vcn))
            seen.add(vcn)
            raw = blocks[at:at + size]
            if raw[:4] != b'INDX' or u64(raw, 16) != vcn:
                raise Bad('%s: block %d is none' % (what, vcn))
            if not bits[at // size // 8] >> at // size % 8 & 1:
                fault('%s: block %d is free in its bitmap', what, vcn)
            node(fixup(raw, what)[24:], depth)

        node(root[16:], 0)
        used = sum(bin(b).count('1') for b in bits)
        if used != len(seen):
            fault('%s: %d blocks used, %d in its bitmap', what, len(seen), used)
        if order:
            for a, b in zip(out, out[1:]):
                if not order(a[1]) < order(b[1]):
                    fault('%s: not in order', what)
                    break
        return out

    def check_folders(self, strict):
        upcase = self.content(self.attribute(10, DATA))
        table = struct.unpack('<%dH' % (len(upcase) // 2), upcase)

        def order(key):
            units = struct.unpack_from('<%dH' % key[64], key, 66)
            return [table[u] if u < len(table) else u for u in units], units

        names = {}
        self.folders = sum(1 for r in self.files.values() if r.flags & 2)
        for number, r in self.files.items():
            count = 0
            for a in r.all:
                if a.type != FNAME:
                    continue
                count += 1
                names[(number, a.value[:8], a.value[64:66 + 2 * a.value[64]])] = a.value
                if not a.indexed:
                    fault('record %d: name is not marked as indexed', number)
            self.named += count
            if not count and number >= SYSTEM:
                fault('record %d: a file without a name', number)
            if count != r.links:
                fault('record %d: %d names, link count %d', number, count, r.links)
            self.check_pairs(r)
        for number, r in self.files.items():
            if not r.flags & 2:
                continue
            if number == 11 and not self.attribute(number, IROOT, '$I30'):
                continue
            try:
                entries = self.entries(number, '$I30', order)
            except Bad as e:
                fault(str(e))
                continue
            for ref, key, _ in entries:
                child = self.files.get(ref & 0xffffffffffff)
                text = key[66:66 + 2 * key[64]].decode('utf-16le', 'replace')
                if not child or child.sequence != ref >> 48:
                    fault('record %d: entry %r leads to nothing', number, text)
                    continue
                if key[:8] != struct.pack('<Q', number | r.sequence << 48):
                    fault('record %d: entry %r has another folder', number, text)
                have = names.pop((child.number, key[:8], key[64:66 + 2 * key[64]]), None)
                if have is None:
                    fault('record %d: entry %r is not a name of record %d', number, text,
                          child.number)
                elif child.number >= SYSTEM:
                    self.check_copy(child, key, text, strict)
        for (number, parent, name) in names:
            fault('record %d: name %r is in no folder', number,
                  name[2:].decode('utf-16le', 'replace'))

    @staticmethod
    def check_pairs(r):
        kinds = [a.value[65] for a in r.all if a.type == FNAME]
        if r.number < SYSTEM:
            return
        if kinds.count(DOS) > 1 or kinds.count(WIN32_DOS) + kinds.count(DOS) > 1:
            fault('record %d: several short names', r.number)
        if kinds.count(DOS) != min(1, kinds.count(WIN32)) and DOS in kinds:
            fault('record %d: a short name without its long one', r.number)

    def check_copy(self, child, key, text, strict):
        """What an entry repeats of its file: Windows brings it up to date at times."""
        info = [a for a in child.all if a.type == SI][0].value
        data = self.attribute(child.number, DATA)
        size = allocated = 0
        if data and not child.flags & 2:
            size = data[0].size
            allocated = ((size + 7) & ~7 if data[0].resident else
                         data[0].allocated if data[0].compressed is None
                         else data[0].compressed)
        self.stale += u64(key, 48) != size
        if not strict:
            return
        if key[8:40] != info[:32]:
            fault('record %d: times of entry %r', child.number, text)
        flags = u32(info, 32) & 0x47fb7
        if (u32(key, 56) & 0x47fb7) != flags:
            fault('record %d: attributes of entry %r: %#x %#x', child.number, text,
                  u32(key, 56), flags)
        if bool(u32(key, 56) & 0x10000000) != bool(child.flags & 2):
            fault('record %d: folder flag of entry %r', child.number, text)
        if u64(key, 48) != size or u64(key, 40) != allocated:
            fault('record %d: sizes of entry %r are %d, %d, not %d, %d', child.number,
                  text, u64(key, 40), u64(key, 48), allocated, size)

    def check_secure(self):
        if 9 not in self.files or not self.attribute(9, DATA, '$SDS'):
            return
        sds = self.content(self.attribute(9, DATA, '$SDS'))
        ids = {}
        for _, key, e in self.entries(9, '$SII', lambda k: u32(k, 0)):
            at = u16(e, 0)
            head = e[at:at + 20]
            if u32(head, 4) != u32(key, 0):
                fault('$SII: entry %d says %d', u32(key, 0), u32(head, 4))
            ids[u32(key, 0)] = head
        hashes = {}
        for _, key, e in self.entries(9, '$SDH', lambda k: (u32(k, 0), u32(k, 4))):
            hashes[u32(key, 4)] = e[u16(e, 0):u16(e, 0) + 20]
        if ids != hashes:
            fault('$SII and $SDH differ')
        for number, head in ids.items():
            at, size = u64(head, 8), u32(head, 16)
            body = sds[at:at + size]
            if body[:20] != head or len(body) != size:
                fault('$SDS: descriptor %d', number)
                continue
            if body != sds[at + 0x40000:at + 0x40000 + size]:
                fault('$SDS: the copy of descriptor %d differs', number)
            h = 0
            body = body[20:]
            for i in range(0, len(body) & ~3, 4):
                h = (u32(body, i) + (h << 3 | h >> 29)) & 0xffffffff
            if h != u32(head, 0):
                fault('$SDS: hash of descriptor %d', number)
        if set(ids) != set(self.stored_descriptors(sds)):
            fault('$SDS and $SII differ')
        for number, r in self.files.items():
            info = [a for a in r.all if a.type == SI]
            if not info:
                if number >= SYSTEM or number < 12:
                    fault('record %d: no $STANDARD_INFORMATION', number)
                continue
            if len(info[0].value) >= 72 and u32(info[0].value, 52):
                if u32(info[0].value, 52) not in ids:
                    fault('record %d: security ID %d', number, u32(info[0].value, 52))
            elif number >= SYSTEM and not any(a.type == SECDESC for a in r.all):
                fault('record %d: no security descriptor', number)

    @staticmethod
    def stored_descriptors(sds):
        """The numbers in the stream; copies lie in every other 256 KiB."""
        at = 0
        while at + 20 <= len(sds):
            size = u32(sds, at + 16)
            if size < 20 or u64(sds, at + 8) != at:
                at = (at // 0x40000 + 1) * 0x40000
                continue
            yield u32(sds, at + 4)
            at += size + 15 & ~15

    def check_by_name(self, name, index, kind, key_of, ref_of):
        """$Reparse and $ObjId: what each file has against the volume's list."""
        found = [n for n, r in self.files.items() if any(
            a.type == IROOT and a.name == index for a in r.all) and any(
            a.type == FNAME and a.value[66:] == name.encode('utf-16le') for a in r.all)]
        if not found:
            return
        listed = {ref_of(key, e) for _, key, e in self.entries(found[0], index)}
        have = set()
        for n, r in self.files.items():
            for a in r.all:
                if a.type == kind:
                    have.add((key_of(a.value if a.resident else self.content([a])),
                              n | r.sequence << 48))
        for _, ref in have - listed:
            fault('%s: lacks record %d', name, ref & 0xffffffffffff)
        for _, ref in listed - have:
            fault('%s: has record %d, which has none', name, ref & 0xffffffffffff)

    def check(self, strict):
        self.gather()
        info = self.attribute(3, VOLINFO)
        if not info or u16(info[0].value, 10) & 1:
            fault('the volume is dirty')
        self.check_mft_bitmap()
        self.check_clusters()
        self.check_folders(strict)
        self.check_secure()
        self.check_by_name('$Reparse', '$R', REPARSE, lambda v: u32(v, 0),
                           lambda key, e: (u32(key, 0), u64(key, 4)))
        self.check_by_name('$ObjId', '$O', OBJID, lambda v: v[:16],
                           lambda key, e: (key, u64(e, u16(e, 0))))


def main(args):
    strict = '--strict' in args
    args = [a for a in args if a != '--strict']
    seen = 'nothing seen'
    try:
        v = Volume(args[0], *(int(a, 0) for a in args[1:]))
        v.check(strict)
        seen = '%d records, %d folders, %d names, %d clusters, %d stale sizes' % (
            len(v.files), v.folders, v.named, v.clusters_used, v.stale)
    except (Bad, struct.error, IndexError) as e:
        fault('%s: %s', type(e).__name__, e)
    for text in faults:
        print(text)
    print('%s: %s' % (seen, '%d problems' % len(faults) if faults else 'sound'))
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
