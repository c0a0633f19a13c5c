#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes an uncompressed WIM with one image of hard cases, from the format alone.

  mkwim.py hard OUT [WIDE [odd]]  named cases; WIDE names in one folder (default 3000); odd: with
                                  names that only POSIX knows
  mkwim.py random OUT SEED COUNT  a tree of COUNT random files
  mkwim.py plain OUT FOLDER...    the regular files of folders, with metadata made up

All that NTFS keeps of a file is used: descriptors, short names, hard links, named streams,
reparse points, object IDs, attributes, three times.
"""
import hashlib
import os
import random
import struct
import sys
import uuid

DIRECTORY, SPARSE, REPARSE, COMPRESSED, ARCHIVE = 0x10, 0x200, 0x400, 0x800, 0x20
SYMLINK, JUNCTION = 0xa000000c, 0xa0000003


def utf16(text):
    return text.encode('utf-16le', 'surrogatepass')


def pad8(b):
    return b + bytes(-len(b) % 8)


def sid(*parts):
    return struct.pack('<BB6s', 1, len(parts) - 1, parts[0].to_bytes(6, 'big')) + b''.join(
        struct.pack('<I', p) for p in parts[1:])


def descriptor(*access):
    """Owner and group SYSTEM; (mask, flags, SID) for each entry of the DACL."""
    aces = b''.join(struct.pack('<BBHI', 0, flags, 8 + len(s), mask) + s for mask, flags, s in access)
    acl = struct.pack('<BBHHH', 2, 0, 8 + len(aces), len(access), 0) + aces
    owner = sid(5, 18)
    return struct.pack('<BBHIIII', 1, 0, 0x8004, 20 + len(acl), 20 + len(acl), 0, 20) + acl + owner


class File:
    def __init__(self, attributes=ARCHIVE, data=b'', security=0, streams=(), reparse=None,
                 object_id=b'', group=0, when=0):
        self.attributes, self.data, self.security = attributes, data, security
        self.streams, self.reparse, self.object_id = list(streams), reparse, object_id
        self.group = group
        base = 130000000000000000 + when * 12345678
        self.times = (base, base + 31, base + 77)      # created, accessed, written
        self.children = []                             # (name, short, File)

    def add(self, name, child, short=''):
        self.children.append((name, short, child))
        return child


def folder(**k):
    return File(attributes=k.pop('attributes', 0) | DIRECTORY, **k)


class Wim:
    def __init__(self, path):
        self.file = open(path, 'wb')
        self.file.write(bytes(208))
        self.blobs = {}

    def blob(self, data):
        """SHA-1 of a content, which is written if it is new. Empty ones have none."""
        if not data:
            return bytes(20)
        digest = hashlib.sha1(data).digest()
        if digest not in self.blobs:
            self.blobs[digest] = [self.file.tell(), len(data), 0]
            self.file.write(data)
        self.blobs[digest][2] += 1
        return digest

    def dentry(self, name, short, f, subdir):
        digest, extra = self.blob(f.data), b''
        if f.reparse:
            first = self.blob(f.reparse[1])
            count = len(f.streams)
            link = struct.pack('<IHH', f.reparse[0], 0, 0)
            if f.data:
                extra, count = self.stream('', digest), count + 1
            digest = first
        else:
            link, count = struct.pack('<Q', f.group), len(f.streams)
        if f.streams and not f.reparse and not f.attributes & DIRECTORY:
            extra, digest, count = self.stream('', digest), bytes(20), count + 1
        for title, data in f.streams:
            extra += self.stream(title, self.blob(data))
        long_name, short_name = utf16(name), utf16(short)
        names = (long_name + b'\0\0' if name else b'') + (short_name + b'\0\0' if short else b'')
        body = struct.pack('<IIQQQQQQ20sI8sHHH', f.attributes, f.security & 0xffffffff, subdir, 0, 0,
                           f.times[0], f.times[1], f.times[2], digest, 0, link, count,
                           len(short_name), len(long_name)) + names
        body = pad8(bytes(8) + body)
        if f.object_id:
            body += pad8(struct.pack('<II', 1, len(f.object_id)) + f.object_id)
        return struct.pack('<Q', len(body)) + body[8:] + extra

    def stream(self, name, digest):
        body = bytes(16) + digest + struct.pack('<H', len(utf16(name)))
        body += utf16(name) + b'\0\0' if name else b''
        return pad8(struct.pack('<Q', len(body) + -len(body) % 8) + body[8:])

    def metadata(self, root, descriptors):
        out = bytearray(8 + 8 * len(descriptors) + sum(map(len, descriptors)))
        out += bytes(-len(out) % 8)
        struct.pack_into('<II', out, 0, len(out), len(descriptors))
        at = 8 + 8 * len(descriptors)
        for i, d in enumerate(descriptors):
            struct.pack_into('<Q', out, 8 + 8 * i, len(d))
            out[at:at + len(d)] = d
            at += len(d)
        todo = []

        def put(name, short, f):
            at = len(out)
            out.extend(self.dentry(name, short, f, 0))
            if f.attributes & DIRECTORY and not f.reparse:
                todo.append((at, f))

        put('', '', root)
        out.extend(bytes(8))
        while todo:
            at, f = todo.pop(0)
            struct.pack_into('<Q', out, at + 16, len(out))
            for child in f.children:
                put(*child)
            out.extend(bytes(8))
        return bytes(out)

    def finish(self, root, descriptors):
        data = self.metadata(root, descriptors)
        places = [(self.file.tell(), len(data), 1, hashlib.sha1(data).digest(), 2)]
        self.file.write(data)
        places += [(at, size, count, digest, 0) for digest, (at, size, count) in self.blobs.items()]
        table = b''.join(self.resource(at, size, flags) + struct.pack('<HI', 1, count) + digest
                         for at, size, count, digest, flags in places)
        xml = b'\xff\xfe' + utf16('<WIM><TOTALBYTES>0</TOTALBYTES><IMAGE INDEX="1"><NAME>hard</NAME>'
                                  '</IMAGE></WIM>')
        at = self.file.tell()
        self.file.write(table + xml)
        self.file.seek(0)
        self.file.write(b'MSWIM\0\0\0' + struct.pack('<IIII', 208, 0x10d00, 0, 0) +
                        uuid.UUID(int=4711).bytes + struct.pack('<HHI', 1, 1, 1) +
                        self.resource(at, len(table), 0) + self.resource(at + len(table), len(xml), 0) +
                        bytes(24) + bytes(4) + bytes(24) + bytes(60))
        self.file.close()

    @staticmethod
    def resource(at, size, flags):
        return struct.pack('<QQQ', size | flags << 56, at, size)


def symlink(target):
    name = utf16(target)
    return SYMLINK, struct.pack('<HHHHI', 0, len(name), len(name), len(name), 1) + name * 2


def junction(target):
    name, shown = utf16('\\??\\' + target), utf16(target)
    return JUNCTION, struct.pack('<HHHH', 0, len(name), len(name) + 2, len(shown)) + name + b'\0\0' + shown + b'\0\0'


USERS, ADMINS, SYSTEM = sid(5, 32, 545), sid(5, 32, 544), sid(5, 18)


def descriptors(n):
    out = [descriptor((0x1f01ff, 3, SYSTEM), (0x1f01ff, 3, ADMINS), (0x1200a9, 3, USERS)),
           descriptor((0x1f01ff, 0, SYSTEM), (0x1200a9, 0, USERS))]
    out += [descriptor((0x1f01ff, 0, SYSTEM), (0x1200a9, 0, sid(5, 21, 1, 2, 3, 1000 + i)))
            for i in range(n - 2)]
    return out


def text(rng, size):
    """Compresses as text does."""
    words = [bytes(rng.choices(b'abcdefghijklmnopqrstuvwxyz', k=rng.randint(2, 9))) for _ in range(200)]
    out = bytearray()
    while len(out) < size:
        out += b' '.join(rng.choices(words, k=500)) + b'\n'
    return bytes(out[:size])


def hard(wide, odd):
    rng = random.Random(1)
    root = folder()
    sizes = root.add('Sizes', folder(when=3, security=1))
    for n in (0, 1, 7, 8, 511, 512, 600, 650, 680, 700, 720, 740, 800, 1023, 1024, 4095, 4096, 4097,
              8191, 8192, 8193, 32767, 32768, 32769, 65536, 1048575, 1048576, 1048577, 5000000):
        sizes.add('text %d.txt' % n, File(data=text(rng, n), when=n, security=n % 40))
        sizes.add('noise%d' % n, File(data=rng.randbytes(n), when=n, security=-1))
    sizes.add('zeros.bin', File(data=bytes(3000000)))
    sizes.add('middle.bin', File(data=b'x' * 100000 + bytes(900000) + b'y' * 5000))
    same = root.add('Same', folder())
    for i in range(5):
        same.add('copy%d' % i, File(data=text(random.Random(2), 300000)))
        same.add('small%d' % i, File(data=b'the same few bytes', attributes=i))
    sparse = root.add('Sparse', folder(attributes=0x2000))
    sparse.add('all holes', File(attributes=SPARSE, data=bytes(1 << 20)))
    sparse.add('short hole', File(attributes=SPARSE, data=bytes(100)))
    sparse.add('empty', File(attributes=SPARSE))
    sparse.add('many', File(attributes=SPARSE | ARCHIVE, data=b''.join(
        bytes(65536) + bytes([i + 1]) * 65536 for i in range(120))))
    sparse.add('odd', File(attributes=SPARSE, data=bytes(70000) + b'data' * 5000 + bytes(200001)))
    links = root.add('Links', folder())
    many = File(data=b'many names', group=77, when=5)
    for i in range(300):
        links.add('link number %03d to the file' % i, many)
    two = File(data=text(rng, 20000), group=78)
    links.add('a long name.text', two, 'ALONGN~1.TEX')
    root.add('second name of it', two)
    streams = root.add('Streams', folder(streams=[('of a folder', b'hello'), ('two', rng.randbytes(9000))]))
    streams.add('fifty', File(data=b'main', streams=[('stream %d' % i, text(rng, i * i * 7)) for i in range(50)]))
    streams.add('only named', File(streams=[('Zone.Identifier', b'[ZoneTransfer]\r\nZoneId=3\r\n')]))
    streams.add('long', File(data=b'x', streams=[('n' * 255, b'v'), ('\u00e4\u4e2d', bytes(5000))]))
    streams.add('wide', File(data=b'x' * 900, streams=[('s%d' % i, b'') for i in range(200)]))
    names = root.add('Names', folder())
    for name in ('n' * 255, '\u4e2d' * 255, 'lone \ud800 high', 'lone \udc00 low', '\U0001f600 pair', '\ufffd',
                 ' leading', 'trailing ', 'trailing.', '~', '\u00df', '\u00ff\u0178', 'con', 'a:b'[0] + ';b',
                 '\ue000', '\uffff', *odd, 'x' * 8 + '.txt', 'short.txt', '.dot'):
        names.add(name, File(data=utf16(name)))
    names.add('Casing', File(data=b'1'))
    names.add('casing', File(data=b'2'))
    names.add('CASING', folder())
    names.add('\u00c4', File(data=b'3'))
    names.add('\u00e4', File(data=b'4'))
    short = root.add('Short Names', folder(), 'SHORTN~1')
    for i in range(30):
        short.add('a file with a long name %d.html' % i, File(data=b'%d' % i), ('AFILEW~%d.HTM' if i < 10 else 'AFILE~%d.HTM') % i)
    short.add('a directory name', folder(), 'ADIREC~1').add('SHORT.TXT', File(data=b's'))
    short.add('Same.Txt', File(), 'SAME.TXT')
    deep = root
    for i in range(80):
        deep = deep.add('level %d' % i, folder(when=i))
    deep.add('bottom', File(data=b'bottom'))
    wide_folder = root.add('Wide', folder())
    for i in range(wide):
        wide_folder.add('file %x' % (i * 2654435761 % (1 << 32)), File(data=b'%d' % i if i % 3 else b'', when=i))
    points = root.add('Points', folder())
    points.add('link', File(attributes=REPARSE, reparse=symlink('..\\Sizes\\noise1')))
    points.add('folder link', File(attributes=REPARSE | DIRECTORY, reparse=symlink('C:\\Windows')))
    points.add('junction', File(attributes=REPARSE | DIRECTORY | 0x2406, reparse=junction('C:\\Users')))
    points.add('long', File(attributes=REPARSE, reparse=symlink('d' * 2000)))
    points.add('with data', File(attributes=REPARSE | ARCHIVE, reparse=(0x80000013, b'some data'), data=b'beside'))
    ids = root.add('IDs', folder(object_id=bytes(range(16)) * 4))
    for i in range(200):
        ids.add('id %d' % i, File(object_id=rng.randbytes(16) + (rng.randbytes(48) if i % 2 else b'')))
    attributes = root.add('Attributes', folder(attributes=COMPRESSED))
    for bit in (1, 2, 4, 0x20, 0x80, 0x100, 0x1000, 0x2000, 7):
        attributes.add('a%x' % bit, File(attributes=bit, data=b'a'))
        attributes.add('d%x' % bit, folder(attributes=bit & ~0x180))
    attributes.add('compressed', File(attributes=COMPRESSED, data=text(rng, 100000)))
    many_rights = root.add('Rights', folder())
    for i in range(1200):
        many_rights.add('r%d' % i, File(security=i))
    return root, descriptors(1200)


def rnd(seed, count):
    rng = random.Random(seed)
    root, n = folder(), 60
    folders, files = [root], []
    used = {}

    def name_in(parent):
        while True:
            size = rng.choice((1, 5, 8, 12, 20, 60, 255))
            letters = rng.choice(('abcXYZ019', 'aA_~. \u00e4\u00c4', '\u4e2d\u6587\u30a2', 'ab\ud800\udfff\U0001f600'))
            name = ''.join(rng.choices(letters, k=size))
            if len(utf16(name)) // 2 <= 255 and name.strip('. ') and name.upper() not in used.setdefault(parent, set()):
                used[parent].add(name.upper())
                return name

    def data():
        kind = rng.random()
        size = int(2 ** (rng.uniform(0, 16) if kind < .95 else rng.uniform(16, 21)))
        if kind < .1:
            return b''
        return rng.randbytes(size) if kind < .3 else text(rng, size)

    for i in range(count):
        parent = rng.choice(folders)
        kind, when, security = rng.random(), rng.randrange(10 ** 6), rng.randrange(-1, n)
        if kind < .15:
            f = folder(when=when, security=security, attributes=rng.choice((0, 0, 2, 0x2000)))
            folders.append(f)
        elif kind < .25 and files:
            f = rng.choice(files)
            f.group = f.group or i + 1
        else:
            f = File(rng.choice((0x20, 0x21, 0x80, 0x26, SPARSE | 0x20)), data(), security, when=when)
            if rng.random() < .2:
                f.streams = [('s%d' % k, data()[:rng.choice((20, 3000, 1 << 20))]) for k in range(rng.randint(1, 12))]
            if rng.random() < .1:
                f.object_id = rng.randbytes(rng.choice((16, 64)))
            if rng.random() < .05:
                f.attributes, f.reparse = f.attributes | REPARSE, symlink('t' * rng.randint(1, 1000))
            else:
                files.append(f)
        parent.add(name_in(parent), f)
    return root, descriptors(n)


def plain(paths):
    root, n = folder(), 0
    for path in paths:
        known = {path: root.add(os.path.basename(path), folder())}
        for at, folders, files in os.walk(path):
            for name in sorted(folders):
                if not os.path.islink(os.path.join(at, name)):
                    known[os.path.join(at, name)] = known[at].add(name, folder(when=n))
            for name in sorted(files):
                full = os.path.join(at, name)
                if os.path.isfile(full) and not os.path.islink(full) and '\\' not in name:
                    n += 1
                    with open(full, 'rb') as f:
                        known[at].add(name, File(data=f.read(), when=n, security=n % 30))
    return root, descriptors(30)


def main(kind, out, *args):
    wim = Wim(out)
    if kind == 'hard':
        odd = ('quo"te', 'new\nline', 'tab\t', 'a:b', '\x01') if args[1:] else ()
        wim.finish(*hard(int(args[0]) if args else 3000, odd))
    elif kind == 'random':
        wim.finish(*rnd(int(args[0]), int(args[1])))
    else:
        wim.finish(*plain(args))


main(*sys.argv[1:])
