#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Superblocks, a seal and a uevent for fuzz_seal. usage: seed_seal.sh DIR
set -u
cd "$1" || exit 1
python3 - <<'END'
import struct
open('seed-verity', 'wb').write(struct.pack('<8sII16s32sIIQH6s', b'verity', 1, 1, bytes(16), b'sha256', 4096, 4096, 16, 2, b'').ljust(512, b'\xab'))
ext4 = bytearray(1024)
struct.pack_into('<II', ext4, 0, 4096, 16384)
struct.pack_into('<I', ext4, 0x18, 2)
struct.pack_into('<H', ext4, 0x38, 0xef53)
open('seed-ext4', 'wb').write(ext4)
open('seed-seal', 'w').write('0123456789abcdef' * 4 + ':123')
open('seed-uevent', 'wb').write(b'add@/devices/x/block/sda\0ACTION=add\0DEVPATH=/devices/x/block/sda\0SUBSYSTEM=block\0')
END
