#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Small WIMs of each kind for fuzz_wim, and an image's metadata. usage: seed_wim.sh DIR
set -u
cd "$1" || exit 1
command -v wimlib-imagex >/dev/null || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/in/Windows/INF/deep/deeper"
seq 1 3000 >"$work/in/Windows/INF/a.inf"
echo b >"$work/in/Windows/b"
ln "$work/in/Windows/b" "$work/in/Windows/c"
ln -s b "$work/in/Windows/link"
for compress in none XPRESS LZX LZMS; do
	wimlib-imagex capture "$work/in" "seed-$compress.wim" --compress=$compress --quiet >/dev/null
done
wimlib-imagex capture "$work/in" seed-check.wim --compress=none --check --quiet >/dev/null
wimlib-imagex append "$work/in" seed-check.wim two --quiet >/dev/null
wimlib-imagex export seed-none.wim 1 seed-solid.esd --solid --quiet >/dev/null
python3 - <<'END'
import struct
d = open("seed-none.wim", "rb").read()
table, = struct.unpack_from("<Q", d, 56)
size, = struct.unpack_from("<Q", d, 48)
for at in range(table, table + (size & 0xffffffffffffff), 50):
    if d[at + 7] & 2:
        size, offset = struct.unpack_from("<QQ", d, at)
        open("seed-metadata", "wb").write(d[offset:offset + (size & 0xffffffffffffff)])
END
