#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Small discs of every form for fuzz_iso in the folder DIR, cut to what is used of them.
set -eu
[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
have() { command -v "$1" >/dev/null; }
if have python3; then
	python3 "$source/tests/mkudf.py" --small . short long extended embedded continued holes indirect \
		metadata names pointer b512 loop-list loop-folder loop-indirect
	for f in *.iso; do
		truncate -s 280K "$f"
		mv "$f" "$out"
	done
fi
mkdir -p d/folder
seq 30 >'d/folder/A long name.txt'
seq 20 >d/Data.bin
ln -s folder d/link
mkdir -p d/1/2/3/4/5/6/7/8/9
if have genisoimage; then
	genisoimage -quiet -no-pad -J -R -o "$out/j.iso" d 2>/dev/null
	genisoimage -quiet -no-pad -R -o "$out/r.iso" d 2>/dev/null
	genisoimage -quiet -no-pad -o "$out/p.iso" d 2>/dev/null
	genisoimage -quiet -no-pad -udf -o "$out/u.iso" d 2>/dev/null
fi
find "$out" -type f | wc -l
