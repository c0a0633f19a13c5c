#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A PE file of one section, with SBAT, for fuzz_sbat. usage: seed_sbat.sh DIR
set -u
python3 - "$1/seed-sbat" <<'END'
import struct, sys

text = b'sbat,1,SBAT Version,sbat,1,https://example.org/\nshim,4,x,shim,16.1,y\nshim.debian,1,z\n'
pe = b'PE\0\0' + struct.pack('<HHIIIHH', 0x8664, 1, 0, 0, 0, 0, 0)
section = struct.pack('<8sIIIIIIHHI', b'.sbat', len(text), 4096, 512, 256, 0, 0, 0, 0, 0x40000040)
image = (b'MZ' + bytes(58) + struct.pack('<I', 64) + pe + section).ljust(256, b'\0')
with open(sys.argv[1], 'wb') as f:
    f.write(image + text.ljust(512, b'\0'))
END
