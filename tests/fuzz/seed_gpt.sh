#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Starts of disks with a GPT for fuzz_gpt. usage: seed_gpt.sh DIR
set -u
cd "$1" || exit 1
python3 - <<'END'
import struct
def table(sector, count, entries):
    head = b'EFI PART' + struct.pack('<IIIIQQQQ16sQIII', 0x10000, 92, 0, 0, 1, 2047, 34, 2014, bytes(16), 2, count, 128, 0)
    body = b''.join(struct.pack('<16s16sQQQ72s', b'\1' * 16, b'\2' * 16, *e, 0, b'') for e in entries)
    return bytes(sector) + head.ljust(sector, b'\0') + body.ljust(count * 128, b'\0')
open('seed-one', 'wb').write(table(512, 4, [(64, 127)]))
open('seed-two', 'wb').write(table(512, 128, [(64, 127), (128, 1000)]))
open('seed-4096', 'wb').write(table(4096, 32, [(64, 127)]))
END
