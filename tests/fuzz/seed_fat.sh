#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Volumes of FAT12, FAT16 and FAT32 for fuzz_fat. usage: seed_fat.sh DIR
set -u
cd "$1" || exit 1
command -v mkfs.fat >/dev/null && command -v mmd >/dev/null || exit 0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
seq 1 3000 >"$scratch/text"
for kind in 12:1440 16:16384 32:34816; do
	image=$scratch/${kind%:*}
	mkfs.fat -C -F "${kind%:*}" -s 1 -i 67696c64 -n GILD "$image" "${kind#*:}" >/dev/null || exit 1
	mmd -i "$image" ::EFI ::EFI/Microsoft ::EFI/Microsoft/Boot
	mcopy -i "$image" "$scratch/text" ::EFI/Microsoft/Boot/BCD
	mcopy -i "$image" "$scratch/text" "::EFI/A file with a long name.text"
	# All that is not zeros, sector by sector.
	python3 - "$image" >"seed-${kind%:*}" <<'END'
import struct, sys
image = open(sys.argv[1], "rb").read()
for at in range(0, len(image), 512):
    piece = image[at:at + 512].rstrip(b"\0")
    if piece:
        sys.stdout.buffer.write(struct.pack("<IH", at, len(piece)) + piece)
END
done
