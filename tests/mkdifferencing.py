#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Makes a differencing VHD or VHDX over an image, and the raw disk that both together are.

    mkdifferencing.py vhd|vhdx PARENT PARENT-RAW CHILD CHILD-RAW [SIZE [NAME]]

PARENT is an image of that format with the content PARENT-RAW. The child has a block that
is all its own, one of which only some sectors are, and none of the rest; for VHDX also one
that is recorded as zeros. SIZE (bytes) makes it larger than its parent. NAME is what the
parent is called in it (its file name otherwise). Always the same for the same arguments.
"""
import os
import random
import struct
import sys
import uuid

SECTOR = 512


def changes(random_bytes, block, size):
    """Block -> {sector: bytes} of one that is whole, and two that are in part."""
    sectors = block // SECTOR
    first, middle, last = 0, size // block // 2, (size - 1) // block
    result = {first: {i: random_bytes(SECTOR) for i in (0, 1, 7, 8, 9, 200, sectors - 1)},
              middle: {i: random_bytes(SECTOR) for i in range(sectors)}}
    inside = (size - last * block) // SECTOR
    result[last] = {i: random_bytes(SECTOR) for i in range(3, inside, 5)}
    return result


def apply(parent_raw, block, size, changed, zeros=()):
    raw = bytearray(parent_raw[:size].ljust(size, b"\0"))
    for number, sectors in changed.items():
        for sector, data in sectors.items():
            at = number * block + sector * SECTOR
            raw[at:at + SECTOR] = data
    for number in zeros:
        raw[number * block:(number + 1) * block] = bytes(block)
    return raw


# ---- VHD ----

def vhd_sum(data):
    return ~sum(data) & 0xffffffff


def vhd_footer(size, identity):
    f = struct.pack(">8sIIQI4sI4sQQHBBI", b"conectix", 2, 0x10000, 512, 0, b"win ",
                    0xa0000, b"Wi2k", size, size, 0, 0, 0, 4)
    f += struct.pack(">I", 0) + identity + bytes(1)
    f = f.ljust(512, b"\0")
    return f[:64] + struct.pack(">I", vhd_sum(f)) + f[68:]


def vhd_child(parent, name, size, block, changed, identity):
    with open(parent, "rb") as f:
        f.seek(-512, 2)
        parent_footer = f.read(512)
    parent_id = parent_footer[68:84]
    entries = (size + block - 1) // block
    table_at, table_len = 1536, (entries * 4 + 511) // 512 * 512
    relative = (".\\" + name).encode("utf-16-le")
    absolute = ("C:\\machines\\" + name).encode("utf-16-le")
    locators_at = table_at + table_len
    out = bytearray(locators_at + 1024)
    footer = vhd_footer(size, identity)
    out[0:512] = footer
    header = struct.pack(">8sQQIIII", b"cxsparse", 0xffffffffffffffff, table_at, 0x10000,
                         entries, block, 0) + parent_id + struct.pack(">II", 0, 0)
    header += name.encode("utf-16-be").ljust(512, b"\0")
    header += struct.pack(">4sIIIQ", b"W2ku", 512, len(absolute), 0, locators_at)
    header += struct.pack(">4sIIIQ", b"W2ru", 512, len(relative), 0, locators_at + 512)
    header = header.ljust(1024, b"\0")
    header = header[:36] + struct.pack(">I", vhd_sum(header)) + header[40:]
    out[512:1536] = header
    out[table_at:table_at + table_len] = b"\xff" * table_len
    out[locators_at:locators_at + len(absolute)] = absolute
    out[locators_at + 512:locators_at + 512 + len(relative)] = relative
    for number, sectors in sorted(changed.items()):
        at = len(out)
        out[table_at + number * 4:table_at + number * 4 + 4] = struct.pack(">I", at // 512)
        bitmap = bytearray((block // SECTOR // 8 + 511) // 512 * 512)
        # What is not marked must come from the parent, whatever stands here.
        data = bytearray(b"\xee" * block)
        for sector, content in sectors.items():
            bitmap[sector // 8] |= 0x80 >> sector % 8
            data[sector * SECTOR:(sector + 1) * SECTOR] = content
        out += bitmap + data
    return bytes(out) + footer


# ---- VHDX ----

MIB = 1 << 20
CRC_TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    CRC_TABLE.append(n)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def guid(text):
    return uuid.UUID(text).bytes_le


def vhdx_summed(data):
    return data[:4] + struct.pack("<I", crc32c(data)) + data[8:]


def vhdx_data_id(path):
    """DataWriteGuid of the newer header."""
    with open(path, "rb") as f:
        start = f.read(MIB)
    headers = [start[at:at + 4096] for at in (0x10000, 0x20000)]
    newest = max((h for h in headers if h[:4] == b"head"),
                 key=lambda h: struct.unpack_from("<Q", h, 8)[0])
    return newest[32:48]


def vhdx_locator(name, parent_id):
    pairs = [("parent_linkage", "{%s}" % uuid.UUID(bytes_le=parent_id)),
             ("relative_path", ".\\" + name),
             ("absolute_win32_path", "C:\\machines\\" + name)]
    at, table, text = 20 + 12 * len(pairs), b"", b""
    for key, value in pairs:
        key, value = key.encode("utf-16-le"), value.encode("utf-16-le")
        table += struct.pack("<IIHH", at, at + len(key), len(key), len(value))
        text += key + value
        at += len(key) + len(value)
    return guid("b04aefb7-d19e-4a81-b789-25b8e9445913") + \
        struct.pack("<HH", 0, len(pairs)) + table + text


def vhdx_metadata(size, block, locator, disk_id):
    items = [("caa16737-fa36-4d43-b3b6-33f0aa44e76b", struct.pack("<II", block, 2), 4),
             ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", struct.pack("<Q", size), 6),
             ("beca12ab-b2e6-4523-93ef-c309e000c746", disk_id, 6),
             ("8141bf1d-a96f-4709-ba47-f233a8faab5f", struct.pack("<I", SECTOR), 6),
             ("cda348c7-445d-4471-9cc9-e9885251c556", struct.pack("<I", 4096), 6),
             ("a8d35f2d-b30b-454d-abf7-d3d84834ab0c", locator, 4)]
    table = struct.pack("<8sHH20x", b"metadata", 0, len(items))
    content, at = b"", 65536
    for item, data, flags in items:
        table += guid(item) + struct.pack("<IIII", at, len(data), flags, 0)
        content += data
        at += len(data)
    return (table.ljust(65536, b"\0") + content).ljust(MIB, b"\0")


def vhdx_child(parent, name, size, block, changed, zeros, identity):
    ratio = (1 << 23) * SECTOR // block
    blocks = (size + block - 1) // block
    table = [0] * ((blocks + ratio - 1) // ratio * (ratio + 1))
    out = bytearray(4 * MIB)  # headers, log, metadata, block table
    bitmap = bytearray(MIB)
    for number, sectors in sorted(changed.items()):
        whole = len(sectors) == block // SECTOR
        data = bytearray(b"\xee" * block)
        for sector, content in sectors.items():
            bit = number % ratio * (block // SECTOR) + sector
            if not whole:
                bitmap[bit // 8] |= 1 << bit % 8
            data[sector * SECTOR:(sector + 1) * SECTOR] = content
        table[number + number // ratio] = len(out) | (6 if whole else 7)
        out += data
    for number in zeros:
        table[number + number // ratio] = 2
    assert blocks <= ratio
    table[ratio] = len(out) | 6
    out += bitmap
    out[0:8] = b"vhdxfile"
    out[8:8 + 26] = "gild's tests".encode("utf-16-le")[:26].ljust(26, b"\0")
    for i, at in enumerate((0x10000, 0x20000)):
        header = struct.pack("<4sIQ", b"head", 0, i + 1) + identity + identity + \
            bytes(16) + struct.pack("<HHIQ", 0, 1, MIB, MIB)
        out[at:at + 4096] = vhdx_summed(header.ljust(4096, b"\0"))
    regions = struct.pack("<4sIII", b"regi", 0, 2, 0)
    regions += guid("2dc27766-f623-4200-9d64-115e9bfd4a08") + \
        struct.pack("<QII", 3 * MIB, MIB, 1)
    regions += guid("8b7ca206-4790-4b9a-b8fe-575f050f886e") + \
        struct.pack("<QII", 2 * MIB, MIB, 1)
    regions = vhdx_summed(regions.ljust(65536, b"\0"))
    out[0x30000:0x40000] = out[0x40000:0x50000] = regions
    out[2 * MIB:3 * MIB] = vhdx_metadata(size, block,
                                         vhdx_locator(name, vhdx_data_id(parent)), identity)
    for i, entry in enumerate(table):
        struct.pack_into("<Q", out, 3 * MIB + i * 8, entry)
    return bytes(out)


def main():
    kind, parent, parent_raw, child, child_raw = sys.argv[1:6]
    with open(parent_raw, "rb") as f:
        raw = f.read()
    size = int(sys.argv[6]) if len(sys.argv) > 6 and sys.argv[6] else len(raw)
    name = sys.argv[7] if len(sys.argv) > 7 else os.path.basename(parent)
    source = random.Random(os.path.basename(child))
    block = 1 << 19 if kind == "vhd" else MIB
    changed = changes(source.randbytes, block, size)
    identity = source.randbytes(16)
    if kind == "vhd":
        zeros = ()
        image = vhd_child(parent, name, size, block, changed, identity)
    else:
        zeros = (1,)
        image = vhdx_child(parent, name, size, block, changed, zeros, identity)
    with open(child, "wb") as f:
        f.write(image)
    with open(child_raw, "wb") as f:
        f.write(apply(raw, block, size, changed, zeros))


if __name__ == "__main__":
    main()
