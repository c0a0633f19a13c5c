#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Programs and libraries for fuzz_elf: heads of real ones would be large, so these are made.
# usage: seed_elf.sh DIR
set -u
cd "$1" || exit 1
python3 - <<'END'
import struct
def elf(segments, rest, machine=62):
    head = b'\x7fELF\x02\x01\x01' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 3, machine, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    return head + b''.join(struct.pack('<IIQQQQQQ', t, 4, o, a, a, n, n, 8) for t, o, a, n in segments) + rest
names = b'\0libc.so.6\0$ORIGIN/../lib:/opt\0'
interpreter = b'/lib64/ld-linux-x86-64.so.2\0'
base = 64 + 3 * 56
dynamic = b''.join(struct.pack('<QQ', *e) for e in ((5, 0x1000 + base), (1, 1), (29, 11), (0, 0)))
at = base + len(names)
whole = names + interpreter + dynamic
open('seed-program', 'wb').write(elf([
    (1, 0, 0x1000, base + len(whole)), (3, at, 0x1000 + at, len(interpreter)),
    (2, at + len(interpreter), 0x1000 + at + len(interpreter), len(dynamic))], whole))
open('seed-static', 'wb').write(elf([(1, 0, 0x1000, 120)], b''))
END
