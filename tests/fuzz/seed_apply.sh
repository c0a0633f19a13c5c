#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Small WIMs and metadata of every kind for fuzz_apply. usage: seed_apply.sh DIR
set -u
source=$(cd "$(dirname "$0")/../.." && pwd)
cd "$1" || exit 1
bash "$source/tests/fuzz/seed_wim.sh" "$PWD"
# Random trees have links, streams, reparse points, object IDs, sparse files.
for seed in 1 2 3 4 5 6; do
	python3 "$source/tests/mkwim.py" random one.wim $seed 25
	python3 - $seed <<'END'
import struct
import sys
d = open("one.wim", "rb").read()
size, at = struct.unpack_from("<QQ", d, 48)
size, offset = struct.unpack_from("<QQ", d, at)
open("seed-random-" + sys.argv[1], "wb").write(d[offset:offset + (size & 0xffffffffffffff)])
END
done
rm -f one.wim
