#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Tables of journals: two regions that are read from the start of the data, and a mark.
cd "$1" || exit 1
python3 - <<'END'
import struct

def region(offset, at, length):
    return struct.pack('<QQII32x', offset, at, length, 0) + bytes(8 * ((length + 511) // 512))

def mark(offset, old):
    return struct.pack('<QII', offset, len(old), 0) + old + bytes(len(old)) + b'\1' * len(old)

disk = lambda at, n: bytes((i >> 9) & 255 for i in range(at, at + n))
tables = {
    'empty': (0, 0, b''),
    'one': (1, 0, region(16384, 4096, 4096)),
    'two': (2, 1, region(16384, 4096, 8192) + region(65536, 12288, 4096) +
            mark(65536 + 512, disk(65536 + 512, 512))),
    'last': (1, 0, region(131072, 4096, 512)),
    'order': (2, 0, region(65536, 4096, 4096) + region(16384, 4096, 4096)),
    'mark': (0, 2, mark(20480, disk(20480, 1024)) + mark(40960, disk(40960, 512))),
}
for name, (regions, marks, table) in tables.items():
    with open('seed-' + name, 'wb') as f:
        f.write(bytes([regions, marks]) + table)
with open('seed-file', 'wb') as f:
    f.write(b'gild journal\r\n\x1a\0' + struct.pack('<IIQ', 1, 4096, 131584) +
            b'raw'.ljust(16, b'\0') + bytes(4096 - 48))
END
