#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# DMAR and IVRS tables for fuzz_acpi. usage: seed_acpi.sh DIR
set -u
cd "$1" || exit 1
python3 - <<'END'
import struct
def table(signature, body):
    return struct.pack('<4sIBB6s8sI4sI', signature, 36 + len(body), 1, 0, b'GILD  ', b'GILDTEST', 1, b'GILD', 1) + body
def dmar(*structures):
    return table(b'DMAR', struct.pack('<BB10x', 38, 1) + b''.join(structures))
def ivrs(*structures):
    return table(b'IVRS', bytes(12) + b''.join(structures))
scope = struct.pack('<BBHBBBB', 1, 8, 0, 0, 0, 0x1D, 0)
open('seed-dmar', 'wb').write(dmar(
    struct.pack('<HHBBHQ', 0, 16, 1, 0, 0, 0xFED90000),
    struct.pack('<HHHHQQ', 1, 24 + len(scope), 0, 0, 0x1000, 0x1FFF) + scope))
entries = struct.pack('<BHB', 2, 0, 0) + struct.pack('<BHBBHB', 0x48, 0, 0, 0, 0xA0, 1)
open('seed-ivrs', 'wb').write(ivrs(
    struct.pack('<BBHHHQHHI', 0x10, 0, 24 + len(entries), 2, 0x40, 0xFEB80000, 0, 0, 0) + entries,
    struct.pack('<BBHHHQHHI16x', 0x11, 0, 40 + len(entries), 2, 0x40, 0xFEB80000, 0, 0, 0) + entries))
END
