#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Disk images as fuzz_disk takes them: their pieces that are not zeros. usage: seed_disk.sh DIR
set -u
tests=$(cd "$(dirname "$0")/.." && pwd)
data=${GILD_TEST_DATA-$tests/../../shared/data}/images
mkdir -p "$1" && cd "$1" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$work" <<'END'
import random, struct, sys
disk = bytearray(4 << 20)
disk[440:444] = b"gild"
for i, e in enumerate(((0x80, 7, 64, 2000), (0, 5, 2100, 4000))):
    struct.pack_into("<B3sB3sII", disk, 446 + i * 16, e[0], b"", e[1], b"", e[2], e[3])
struct.pack_into("<B3sB3sII", disk, 2100 * 512 + 446, 0, b"", 11, b"", 10, 500)
struct.pack_into("<B3sB3sII", disk, 2100 * 512 + 462, 0, b"", 5, b"", 600, 500)
for sector in (0, 64, 2100, 2700):
    disk[sector * 512 + 510:sector * 512 + 512] = b"\x55\xaa"
volume = 64 * 512
disk[volume:volume + 14] = b"\xebR\x90NTFS    \x00\x02\x08"
open(sys.argv[1] + "/mbr.raw", "wb").write(disk)
END
if command -v qemu-img >/dev/null; then
	for x in qcow2:qcow2 vpc:vhd vhdx:vhdx vmdk:vmdk; do
		qemu-img convert -f raw -O "${x%:*}" "$work/mbr.raw" "$work/disk.${x#*:}"
	done
	qemu-img convert -f raw -O vhdx -o block_size=1M "$work/mbr.raw" "$work/base.vhdx"
	qemu-img create -q -f qcow2 -b "$work/mbr.raw" -F raw "$work/child.qcow2"
	qemu-img create -q -f vmdk -o subformat=monolithicFlat "$work/flat.vmdk" 1M
	rm -f "$work/flat-flat.vmdk"
	for kind in vhd vhdx; do
		parent=$work/disk.vhd
		[ $kind = vhd ] || parent=$work/base.vhdx
		python3 "$tests/mkdifferencing.py" $kind "$parent" "$work/mbr.raw" \
			"$work/child.$kind" "$work/child.raw" && rm -f "$work/child.raw"
	done
fi
if command -v sgdisk >/dev/null; then
	truncate -s 4M "$work/gpt.raw"
	sgdisk -n1:2048:4095 -t1:ef00 -n2:4096:0 "$work/gpt.raw" >/dev/null
fi
if [ -e "$data/disk" ]; then
	xz -dc "$data/disk/win-server2022-dynamic.vhdx.xz" >"$work/w.vhdx"
	for f in mbr-4096-p1e1.bin gpt-512-3p.raw; do
		gzip -dc "$data/disk/$f.gz" >"$work/$f"
	done
	cp "$data"/bootsector/* "$work"
fi
python3 - "$work" <<'END'
import os, struct, sys
folder = sys.argv[1]
for name in sorted(os.listdir(folder)):
    image = open(os.path.join(folder, name), "rb").read()
    size = min(len(image), (8 << 20) - 1)
    out, left = struct.pack("<I", size), 24 << 10
    # The end first: it may be a footer; then from the start.
    for at in [max(len(image) - 512, 0)] + list(range(0, size, 512)):
        piece = image[at:at + 512].rstrip(b"\0")
        if piece and left > 0 and at < size:
            out += struct.pack("<IH", at if at + 512 <= size else max(size - 512, 0), len(piece)) + piece
            left -= len(piece)
    open("disk-" + name.replace(".", "-"), "wb").write(out)
END
