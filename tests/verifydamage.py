#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damages images, each in one way: for tests/e2e/verify.sh.

  verifydamage.py FILE zero=OFFSET:LENGTH     zeros
  verifydamage.py FILE flip=OFFSET            one byte inverted
  verifydamage.py FILE put=OFFSET:HEX         these bytes
  verifydamage.py FILE gpt=WHAT...            the partition table, checksums right again:
      N.first+=S, N.last+=S, N.type=HEX, N.guid=HEX    in both copies (S sectors)
      backup:N.name=TEXT                               in the backup only
  verifydamage.py FILE wim=WHAT               xml, xml-counts, integrity, table-end, overlap,
                                              metadata, content
  verifydamage.py FILE dirty=yes              a hive that was not closed
  verifydamage.py bcd OPTION...               prints .reg text: see bcd()

OFFSET may be negative (from the end), have the units K and M, and a base before '@':
"1M@512" is 1 MiB + 512.
"""
import struct
import sys
import uuid
import zlib


def number(text):
    units = {"K": 1 << 10, "M": 1 << 20}
    total = 0
    for part in text.split("@"):
        unit = units.get(part[-1], 1)
        total += int(part[:-1] if unit > 1 else part, 0) * unit
    return total


def gpt_copy(f, lba):
    f.seek(lba * 512)
    header = bytearray(f.read(512))
    at, count, size = struct.unpack_from("<QII", header, 72)
    f.seek(at * 512)
    return header, at, bytearray(f.read(count * size)), size


def gpt_write(f, lba, header, at, entries):
    struct.pack_into("<I", header, 88, zlib.crc32(entries))
    struct.pack_into("<I", header, 16, 0)
    struct.pack_into("<I", header, 16, zlib.crc32(header[:92]))
    f.seek(at * 512)
    f.write(entries)
    f.seek(lba * 512)
    f.write(header)


def gpt_change(entries, size, what):
    place, value = what.split("=", 1)
    n, field = place.rstrip("+").split(".")
    at = (int(n) - 1) * size
    if field in ("first", "last"):
        offset = at + (32 if field == "first" else 40)
        old, = struct.unpack_from("<Q", entries, offset)
        struct.pack_into("<Q", entries, offset, old + int(value))
    elif field == "name":
        raw = value.encode("utf-16-le")
        entries[at + 56:at + 56 + len(raw)] = raw
    else:
        offset = at + (0 if field == "type" else 16)
        entries[offset:offset + 16] = uuid.UUID(value).bytes_le


def gpt(f, what):
    f.seek(0, 2)
    last = f.tell() // 512 - 1
    copies = (last,) if what.startswith("backup:") else (1, last)
    for lba in copies:
        header, at, entries, size = gpt_copy(f, lba)
        gpt_change(entries, size, what.replace("backup:", ""))
        gpt_write(f, lba, header, at, entries)


def resource(raw):
    size, offset, full = struct.unpack_from("<QQQ", raw)
    return size & (1 << 56) - 1, size >> 56, offset, full


def wim(f, what):
    header = bytearray(f.read(208))
    blobs, xml, integrity = (resource(header[i:i + 24]) for i in (48, 72, 124))
    f.seek(blobs[2])
    table = bytearray(f.read(blobs[0]))
    entries = [(i, resource(table[i:i + 24])) for i in range(0, len(table), 50)]
    content = max((e for e in entries if not e[1][1] & 2), key=lambda e: e[1][0])
    if what == "xml":
        f.seek(xml[2] + 40)
        f.write(b"<\0<\0<\0")
    elif what == "xml-counts":
        f.seek(xml[2])
        text = f.read(xml[0]).decode("utf-16")
        at = text.index("<FILECOUNT>") + len("<FILECOUNT>")
        f.seek(xml[2] + 2 * (at + 1))
        f.write(b"9\0" if text[at] != "9" else b"8\0")
    elif what == "integrity":
        f.seek(integrity[2] + 4)
        f.write(struct.pack("<I", 12345))
    elif what == "table-end":
        table[content[0] + 8:content[0] + 16] = struct.pack("<Q", 1 << 50)
        f.seek(blobs[2])
        f.write(table)
    elif what == "overlap":
        others = [e for e in entries if e[0] != content[0] and e[1][0]]
        table[others[0][0] + 8:others[0][0] + 16] = struct.pack("<Q", content[1][2] + 1)
        f.seek(blobs[2])
        f.write(table)
    elif what in ("metadata", "content"):
        e = content if what == "content" else [e for e in entries if e[1][1] & 2][0]
        f.seek(e[1][2] + e[1][0] // 2)
        byte = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([byte[0] ^ 0x55]))
    else:
        sys.exit("unknown: " + what)


def dirty(f, _):
    f.seek(0)
    base = bytearray(f.read(512))
    struct.pack_into("<I", base, 4, struct.unpack_from("<I", base, 8)[0] + 1)
    checksum = 0
    for i in range(0, 508, 4):
        checksum ^= struct.unpack_from("<I", base, i)[0]
    struct.pack_into("<I", base, 508, checksum)
    f.seek(0)
    f.write(base)


# ---- boot configurations as .reg text, by the bytes that bcdedit writes -----------------

BOOTMGR = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
LOADER = "{67696c64-1111-4222-8333-444444444444}"


def device(kind):
    def descriptor(kind, payload):
        return bytes(16) + struct.pack("<IIII", kind, 0, 16 + len(payload), 0) + payload
    if kind == "boot":
        return descriptor(5, bytes(56))
    if kind.startswith("gpt:"):
        disk, partition = kind[4:].split(",")
        return descriptor(6, uuid.UUID(partition).bytes_le + bytes(8) +
                          uuid.UUID(disk).bytes_le + bytes(16))
    if kind.startswith("mbr:"):
        signature, offset = kind[4:].split(",")
        return descriptor(6, struct.pack("<QQIII", number(offset), 0, 0, 1, int(signature, 0)) +
                          bytes(12 + 16))
    if kind.startswith("locate:"):
        path = kind[7:].encode("utf-16-le") + b"\0\0"
        return descriptor(8, struct.pack("<III", 1, 0, 0) + path)
    return bytes.fromhex(kind)


def reg_hex(kind, raw):
    return kind + ",".join("%02x" % b for b in raw)


def bcd(options):
    """device, path, osdevice, root of the entry; manager: device; default; type; order"""
    o = {"manager": "boot", "type": "10200003", "default": LOADER}
    o.update(option.split("=", 1) for option in options)
    out = ["Windows Registry Editor Version 5.00", ""]

    def begin(guid, type):
        base = "\\Objects\\" + guid
        out.extend(["[%s]" % base, "", "[%s\\Description]" % base, '"Type"=dword:' + type, "",
                    "[%s\\Elements]" % base, ""])

    def element(guid, number, value):
        out.extend(["[\\Objects\\%s\\Elements\\%s]" % (guid, number), '"Element"=' + value, ""])

    def text(value):
        return reg_hex("hex(1):", value.encode("utf-16-le") + b"\0\0")
    if o["manager"] == "none":
        out.extend(["[-\\Objects\\%s]" % BOOTMGR, ""])
    else:
        begin(BOOTMGR, "10100002")
        element(BOOTMGR, "11000001", reg_hex("hex:", device(o["manager"])))
        if o["default"] != "none":
            element(BOOTMGR, "23000003", text(o["default"]))
        order = o.get("order", LOADER)
        element(BOOTMGR, "24000001", reg_hex("hex(7):", order.encode("utf-16-le") + bytes(4)))
    begin(LOADER, o["type"])
    for number, key in (("11000001", "device"), ("21000001", "osdevice")):
        if key in o:
            element(LOADER, number, reg_hex("hex:", device(o[key])))
    for number, key in (("12000002", "path"), ("22000002", "root")):
        if key in o:
            element(LOADER, number, text(o[key]))
    print("\r\n".join(out))


def main():
    name, changes = sys.argv[1], sys.argv[2:]
    if name == "bcd":
        return bcd(changes)
    with open(name, "r+b") as f:
        for change in changes:
            kind, what = change.split("=", 1)
            if kind in ("gpt", "wim", "dirty"):
                {"gpt": gpt, "wim": wim, "dirty": dirty}[kind](f, what)
                continue
            at, _, rest = what.partition(":")
            at = number(at)
            f.seek(at, 2 if at < 0 else 0)
            if kind == "zero":
                f.write(bytes(number(rest)))
            elif kind == "put":
                f.write(bytes.fromhex(rest))
            elif kind == "flip":
                byte = f.read(1)
                f.seek(-1, 1)
                f.write(bytes([byte[0] ^ 0xff]))
            else:
                sys.exit("unknown: " + change)
    return None


main()
