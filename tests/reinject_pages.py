# SPDX-License-Identifier: GPL-3.0-or-later
"""The one package whose INF and whose record by Windows are both at hand: its record stands
in pages of a DRIVERS hive that a transaction log holds.

  reinject_pages.py LOG INF DRIVERS     LOG's record of the INF against that in DRIVERS

Prints what was compared; fails if a value differs that may not."""
import os
import struct
import sys

from reinject import EXPLAINED, Comparison, shown
from reinject_tree import Key, load

SECTOR = 512
ENTRY, PAGE = "<IIIII", "<II"


class Pages:
    """The newest state of every page in a log of the HvLE format, and the keys in it."""

    def __init__(self, path):
        with open(path, "rb") as log:
            raw = log.read()
        entries = [at for at in range(SECTOR, len(raw) - 40, SECTOR)
                   if raw[at:at + 4] == b"HvLE"]
        entries.sort(key=lambda at: struct.unpack_from(ENTRY, raw, at + 4)[2])
        self.data, self.have = bytearray(), set()
        for at in entries:
            size, _, _, hive_size, count = struct.unpack_from(ENTRY, raw, at + 4)
            if at + size > len(raw):
                continue
            self.data.extend(bytes(max(0, hive_size - len(self.data))))
            source = at + 40 + 8 * count
            for i in range(count):
                offset, length = struct.unpack_from(PAGE, raw, at + 40 + 8 * i)
                if offset + length > len(self.data):
                    continue
                self.data[offset:offset + length] = raw[source:source + length]
                self.have.update(range(offset // SECTOR, (offset + length) // SECTOR))
                source += length

    def cell(self, at, length):
        """Bytes of the cell at an offset, or None where the page is not in the log."""
        first, last = (at + 4) // SECTOR, (at + 4 + length - 1) // SECTOR
        if not all(s in self.have for s in range(first, last + 1)):
            return None
        return bytes(self.data[at + 4:at + 4 + length])

    def value(self, at):
        cell = self.cell(at, 20)
        if cell is None or cell[:2] != b"vk":
            return None
        length, size, offset, kind, flags = struct.unpack_from("<HIIIH", cell, 2)
        name = self.cell(at, 20 + length)[20:]
        if size & 0x80000000:
            data = struct.pack("<I", offset)[:size & 0x7FFFFFFF]
        else:
            data = self.cell(offset, size)
        return name.decode("latin-1" if flags & 1 else "utf-16-le"), kind, data

    def keys(self):
        """(name, name of the parent, {lower-case name: (name, type, data)}) of every key."""
        for at in range(0, len(self.data) - 80, 8):
            cell = self.cell(at, 76)
            if cell is None or cell[:2] != b"nk" or \
                    struct.unpack_from("<i", self.data, at)[0] >= 0:
                continue
            parent, = struct.unpack_from("<I", cell, 16)
            count, values, length = *struct.unpack_from("<II", cell, 36), \
                struct.unpack_from("<H", cell, 72)[0]
            name = self.cell(at, 76 + length)
            above = self.cell(parent, 76) if parent + 80 < len(self.data) else None
            above = self.cell(parent, 76 + struct.unpack_from("<H", above, 72)[0]) \
                if above and above[:2] == b"nk" else None
            found = {}
            pointers = self.cell(values, 4 * count) if 0 < count < 5000 else b""
            for (pointer,) in struct.iter_unpack("<I", pointers or b""):
                value = self.value(pointer)
                if value and value[2] is not None:
                    found[value[0].lower()] = value
            if name is not None:
                yield (name[76:].decode("latin-1"), above[76:].decode("latin-1") if above else "",
                       found)


def store_name(inf):
    hashed = 0
    with open(inf, "rb") as raw:
        for byte in raw.read():
            hashed = (hashed * 39 + byte) & (1 << 64) - 1
    return "%s_amd64_%s" % (os.path.basename(inf).lower(), struct.pack("<Q", hashed).hex())


def main(log, inf, drivers):
    name, published = store_name(inf), os.path.basename(inf).lower()
    record, classes = None, []
    for key, parent, values in Pages(log).keys():
        if key == name and parent == "DriverPackages":
            record = Key(key)
            record.values = values
        elif parent == "DeviceIds" and published in values:
            classes.append((key.lower(), values[published][1], values[published][2]))
    if record is None:
        raise SystemExit("the log has no record of " + name)
    database = load(drivers, ["DriverDatabase"])["DriverDatabase"]
    ours = database.find("DriverPackages\\" + name)
    if ours is None:
        raise SystemExit("gild named the package otherwise than Windows: no " + name)
    now = ours.text("")
    c = Comparison({now.lower(): published})
    c.check("name of the folder", name, ours.name)
    for value in {**record.values, **ours.values}:
        why = {"importdate": "ImportDate", "oempath": "OemPath", "infname": "InfName",
               "signername": "SignerName", "signerscore": "SignerScore"}.get(value)
        old, new = record.get(value), c.normal(ours.get(value))
        if value == "version":
            c.check("@Version[0]", old[1][0], new[1][0], "Version[0]")
            old, new = old[1][1:], new[1][1:]
        c.check("@" + value, old, new, why)
    for guid, kind, data in classes:
        key = database.find("DeviceIds\\" + guid)
        c.check("DeviceIds\\" + guid, (kind, data), key.get(now) if key else None)
    print("real INF %s: values compared %d, equal %d, explained %d, unexplained %d" % (
        published, c.compared, c.equal, sum(c.explained.values()), len(c.left)))
    for why, count in c.explained.most_common():
        print("  %6d %s: %s" % (count, why, EXPLAINED[why]))
    for path, before, after in c.left:
        print("differs: %s\n  Windows: %s\n  gild:    %s" % (path, shown(before), shown(after)))
    sys.exit(1 if c.left or not classes else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
