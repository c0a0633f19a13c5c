#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes small UDF images of forms that no tool here writes, from ECMA-167 and OSTA UDF.

usage: mkudf.py [--small] FOLDER VARIANT...
       mkudf.py --media FILE OUT

For each VARIANT ("all": every one) VARIANT.iso is made, and VARIANT.dat, which is the content
of its file Data.bin. The root has Data.bin, a folder with a file in it, and names of
several kinds. VARIANT says how Data.bin and the volume are recorded, or what is wrong.
--media: FILE is sources/install.wim of an image, in three pieces.
"""
import struct
import sys

SOUND = ["short", "long", "extended", "embedded", "continued", "holes", "indirect",
         "metadata", "mirror", "names", "anchor", "reserve", "pointer", "b512", "b4096"]
BROKEN = ["loop-list", "loop-indirect", "loop-folder", "loop-pointer", "outside", "behind",
          "virtual", "sparable", "crc", "checksum", "size", "attributes", "folder-tag",
          "no-root", "huge-folder", "bad-map", "partition", "strategy", "link", "no-anchor"]

EMBEDDED, SHORT, LONG, EXTENDED = 3, 0, 1, 2
PART, META = 300, 16


def crc(data):
    c = 0
    for byte in data:
        c ^= byte << 8
        for _ in range(8):
            c = (c << 1 ^ 0x1021 if c & 0x8000 else c << 1) & 0xffff
    return c


def tag(number, body, location):
    head = bytearray(struct.pack("<HHBBHHHI", number, 2, 0, 0, 1, crc(body), len(body), location))
    head[4] = sum(head) & 0xff
    return bytes(head) + body


def regid(name):
    return b"\0" + name.ljust(23, b"\0") + b"\0" * 8


def long_ad(length, block, part, kind=0):
    return struct.pack("<IIH6x", length | kind << 30, block, part)


def short_ad(length, block, kind=0):
    return struct.pack("<II", length | kind << 30, block)


def ext_ad(length, block, part, kind=0):
    return struct.pack("<IIIIH2x", length | kind << 30, length, length, block, part)


def cs0(name):
    if all(ord(c) < 256 for c in name):
        return b"\x08" + name.encode("latin-1")
    return b"\x10" + name.encode("utf-16-be", "surrogatepass")


class Disc:
    def __init__(self, variant, data, small):
        self.variant, self.data = variant, data
        self.bs = {"b512": 512, "b4096": 4096}.get(variant, 512 if small else 2048)
        self.part_size = max(1200, 400 + len(data) // self.bs)
        self.sectors = PART + self.part_size + 100
        self.image = bytearray(self.sectors * self.bs)
        self.next = {0: 200, 1: 2}     # free blocks of the partitions
        self.meta = variant in ("metadata", "mirror")
        self.fs = 1 if self.meta else 0    # where entries lie
        self.efe = self.meta or variant == "embedded"

    def sector(self, number, data):
        self.image[number * self.bs:number * self.bs + len(data)] = data

    def place(self, part, block):
        if part == 0:
            return PART + block
        # Two pieces of the physical partition, the second before the first.
        return PART + (100 + block if block < META else 40 + block - META)

    def write(self, part, block, data):
        assert len(data) <= self.bs or part == 0
        self.sector(self.place(part, block), data)

    def alloc(self, part, count=1):
        self.next[part] += count
        return self.next[part] - count

    def blocks(self, length):
        return (length + self.bs - 1) // self.bs

    def entry(self, part, block, kind, size, form, ads, attributes=0, strategy=4):
        icb = struct.pack("<IHHHBBIHH", 0, strategy, 0, 1, 0, kind, 0, 0, form)
        stamp = bytes(12)
        used = struct.pack("<Q", self.blocks(size))
        if self.efe:
            body = (icb + bytes(12) + struct.pack("<HBBI", 1, 0, 0, 0) +
                    struct.pack("<QQ", size, size) + used + stamp * 4 + bytes(8) +
                    long_ad(0, 0, 0) * 2 + regid(b"*test") + bytes(8) +
                    struct.pack("<II", attributes, len(ads)) + ads)
            number = 266
        else:
            body = (icb + bytes(12) + struct.pack("<HBBI", 1, 0, 0, 0) +
                    struct.pack("<Q", size) + used + stamp * 3 + struct.pack("<I", 1) +
                    long_ad(0, 0, 0) + regid(b"*test") + bytes(8) +
                    struct.pack("<II", attributes, len(ads)) + ads)
            number = 261
        d = bytearray(tag(number, body, block))
        if self.variant == "crc" and kind == 5:
            d[60] ^= 1
        if self.variant == "checksum" and kind == 5:
            d[4] ^= 1
        self.write(part, block, d)

    # ---- contents

    def pieces(self, length):
        """Extents of the content: three, in the wrong order on the disc."""
        third = self.blocks(length) // 3
        sizes = [third * self.bs, third * self.bs]
        sizes.append(length - sum(sizes))
        places = [self.alloc(0, self.blocks(s)) for s in reversed(sizes)][::-1]
        at = 0
        for size, place in zip(sizes, places):
            self.write(0, place, self.data[at:at + size])
            at += size
        return list(zip(sizes, places))

    def file_data(self, block):
        """The allocation descriptors of Data.bin: (form, bytes, size)."""
        v, size = self.variant, len(self.data)
        if v == "embedded":
            self.data = self.data[:700]
            return EMBEDDED, self.data, len(self.data)
        pieces = self.pieces(size)
        if v == "extended":
            return EXTENDED, b"".join(ext_ad(s, p, 0) for s, p in pieces), size
        if v == "continued":
            more = self.alloc(0)
            rest = b"".join(short_ad(s, p) for s, p in pieces[1:])
            self.write(0, more, tag(258, struct.pack("<II", 0, len(rest)) + rest, more))
            return SHORT, short_ad(*pieces[0]) + short_ad(self.bs, more, 3), size
        if v == "loop-list":
            more = self.alloc(0)
            rest = short_ad(*pieces[0]) + short_ad(self.bs, more, 3)
            self.write(0, more, tag(258, struct.pack("<II", 0, len(rest)) + rest, more))
            return SHORT, short_ad(self.bs, more, 3), size
        if v == "holes":
            zero = pieces[1][0]
            first = pieces[0][0]
            self.data = self.data[:first] + bytes(zero) + self.data[first + zero:]
            return LONG, (long_ad(*pieces[0], 0) + long_ad(zero, 0, 0, 2) +
                          long_ad(*pieces[2], 0)), size
        if v == "outside":
            return SHORT, short_ad(size, self.part_size - 1), size
        if v == "behind":
            return SHORT, short_ad(size, 0x3fffff), size
        if v == "partition":
            return LONG, long_ad(size, 10, 7), size
        if v == "size":
            return SHORT, short_ad(*pieces[0]), size
        if v in ("long", "metadata", "mirror"):
            return LONG, b"".join(long_ad(s, p, 0) for s, p in pieces), size
        return SHORT, b"".join(short_ad(s, p) for s, p in pieces), size

    def add_data(self):
        block = self.alloc(self.fs)
        v = self.variant
        lead = self.alloc(0)
        form, ads, size = self.file_data(block)
        kind = 12 if v == "link" else 5
        if v in ("indirect", "loop-indirect"):
            # The entry that is not valid any more, what leads on, the valid one.
            real = block if v == "loop-indirect" else self.alloc(0, 2)
            self.entry(0, block, 5, 3, EMBEDDED, b"old", strategy=4096)
            icb = struct.pack("<IHHHBBIHH", 0, 4096, 0, 1, 0, 3, 0, 0, 0)
            self.write(0, lead, tag(248, icb + long_ad(2 * self.bs, real, 0), lead))
            if v == "indirect":
                self.entry(0, real, kind, size, form, ads, strategy=4096)
            return block
        self.entry(self.fs, block, kind, size, form, ads,
                   attributes=0xfffffff0 if v == "attributes" else 0,
                   strategy=77 if v == "strategy" else 4)
        return block

    def identifier(self, name, block, flags=0, where=0):
        raw = cs0(name) if name else b""
        body = (struct.pack("<HBB", 1, flags, len(raw)) + long_ad(self.bs, block, self.fs) +
                struct.pack("<H", 4) + b"use!" + raw)
        body += bytes(-(16 + len(body)) % 4)
        number = 99 if self.variant == "folder-tag" and name == "Data.bin" else 257
        return tag(number, body, where)

    def add_folder(self, block, entries):
        data = self.identifier("", block, 8 | 2)
        for name, child, flags in entries:
            data += self.identifier(name, child, flags)
        form = EMBEDDED if len(data) < 300 else SHORT
        ads, size = data, len(data)
        if form == SHORT:
            place = self.alloc(self.fs, self.blocks(size))
            for i in range(self.blocks(size)):
                self.write(self.fs, place + i, data[i * self.bs:(i + 1) * self.bs])
            ads = short_ad(size, place)
        if self.variant == "huge-folder" and block == self.root:
            form, ads, size = SHORT, short_ad(0x3ffff800, 0, 2) * 4, 4 * 0x3ffff800
        self.entry(self.fs, block, 4, size, form, ads)

    # ---- the volume

    def volume(self):
        bs, v = self.bs, self.variant
        revision = b"NSR03" if self.efe else b"NSR02"
        for i, name in enumerate((b"BEA01", revision, b"TEA01")):
            at = 32768 + i * max(2048, bs)
            self.image[at:at + 7] = b"\0" + name + b"\x01"
        domain = regid(b"*OSTA UDF Compliant")
        maps = struct.pack("<BBHH", 1, 6, 1, 0)
        count = 1
        if self.meta or v in ("virtual", "sparable"):
            kind = {"virtual": b"*UDF Virtual Partition",
                    "sparable": b"*UDF Sparable Partition"}.get(v, b"*UDF Metadata Partition")
            maps += (struct.pack("<BBH", 2, 64, 0) + regid(kind) + struct.pack("<HH", 1, 0) +
                     struct.pack("<IIIIHB5x", 10, 11, 0xffffffff, 32, 1, 0))
            count = 2
        if v == "bad-map":
            maps = struct.pack("<BBHH", 1, 3, 1, 0)
        body = (struct.pack("<I", 1) + bytes(64) + bytes(128) + struct.pack("<I", bs) + domain +
                long_ad(bs, 0, self.fs) + struct.pack("<II", len(maps), count) + regid(b"*test") +
                bytes(128) + bytes(8) + maps)
        partition = (struct.pack("<IHH", 1, 1, 0) + regid(b"+" + revision) + bytes(128) +
                     struct.pack("<III", 1, PART, self.part_size) + bytes(32 + 128 + 156))
        sequence = [tag(5, partition, 33), tag(6, body, 34), tag(8, bytes(496), 35)]
        at = 200
        for i, d in enumerate(sequence):
            self.sector(at + i, d)
        main = (16 * bs, at)
        if v == "pointer":
            self.sector(230, tag(3, struct.pack("<III", 1, 16 * bs, at) + bytes(484), 230))
            main = (16 * bs, 230)
        if v == "loop-pointer":
            self.sector(230, tag(3, struct.pack("<III", 1, 16 * bs, 230) + bytes(484), 230))
            main = (16 * bs, 230)
        spare = main
        if v == "reserve":
            main = (16 * bs, 240)
        anchor = struct.pack("<IIII", *main, *spare) + bytes(480)
        if v != "no-anchor":
            for where in ([self.sectors - 1] if v == "anchor" else [256, self.sectors - 1]):
                self.sector(where, tag(2, anchor, where))

    def metadata_files(self):
        size = 2 * META * self.bs
        ads = short_ad(META * self.bs, 100) + short_ad(META * self.bs, 40)
        for block, kind in ((10, 250), (11, 251)):
            if self.variant == "mirror" and block == 10:
                continue
            self.entry(0, block, kind, size, SHORT, ads)

    def make(self):
        self.volume()
        if self.meta:
            self.metadata_files()
        self.root = 1
        inner, inside = self.alloc(self.fs), self.alloc(self.fs)
        if self.variant == "media":
            self.add_folder(inner, [("INSTALL.WIM", self.add_data(), 0)])
            self.add_folder(self.root, [("Sources", inner, 2)])
            self.add_file_set()
            return
        self.entry(self.fs, inside, 5, 5, EMBEDDED, b"below")
        again = self.root if self.variant == "loop-folder" else inside
        self.add_folder(inner, [("Inside.txt", again, 2 if again == self.root else 0)])
        entries = [("gone", 0xffffff, 4), ("Data.bin", self.add_data(), 0), ("Folder", inner, 2)]
        if self.variant == "names":
            for name in ("DATA.BIN", "a/b", "\x00x", "..", "\u65e5\u672c\u8a9e \U0001f600.txt",
                         "caf\xe9", "x" * 126, "y" * 254):
                entries.append((name, inside, 0))
        self.add_folder(self.root, entries)
        self.add_file_set()

    def add_file_set(self):
        root = 777 if self.variant == "no-root" else self.root
        body = (bytes(12) + struct.pack("<HHIIII", 3, 3, 1, 1, 0, 0) + bytes(64 + 128 + 64) +
                bytes(32 * 3) + long_ad(self.bs, root, self.fs) +
                regid(b"*OSTA UDF Compliant") + long_ad(0, 0, 0) + bytes(48))
        self.write(self.fs, 0, tag(256, body, 0))


def main():
    if sys.argv[1:2] == ["--media"]:
        with open(sys.argv[2], "rb") as f:
            disc = Disc("media", f.read(), False)
        disc.make()
        with open(sys.argv[3], "wb") as f:
            f.write(disc.image)
        return
    small = sys.argv[1:2] == ["--small"]
    arguments = sys.argv[2 if small else 1:]
    variants = arguments[1:]
    if variants == ["all"]:
        variants = SOUND + BROKEN
    if not variants or set(variants) - set(SOUND + BROKEN):
        sys.exit(__doc__ + "\n" + " ".join(SOUND) + "\n" + " ".join(BROKEN))
    for variant in variants:
        lines = 300 if small else 15000 if variant == "b512" else 30000
        disc = Disc(variant, b"".join(b"line %d\n" % i for i in range(lines)), small)
        disc.make()
        for ending, content in ("iso", disc.image), ("dat", disc.data):
            with open(arguments[0] + "/" + variant + "." + ending, "wb") as f:
                f.write(content)


main()
