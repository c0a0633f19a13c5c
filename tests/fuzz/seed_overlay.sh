#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The first bytes of qcow2 images for fuzz_overlay. usage: seed_overlay.sh DIR
set -u
cd "$1" || exit 1
python3 - <<'END'
import struct
header = struct.pack('>4sIQIIQIIQQIIQQQQII', b'QFI\xfb', 3, 0, 0, 16, 1 << 30, 0, 2, 0x30000, 0x10000, 1, 0, 0, 0, 0, 0, 4, 104)
names = struct.pack('>II8s', 0x6803F857, 7, b'feature')
open('seed-plain', 'wb').write(header + bytes(8))
open('seed-extensions', 'wb').write(header + names + struct.pack('>II', 0x67696C64, 64) + b'a' * 64 + bytes(8))
END
