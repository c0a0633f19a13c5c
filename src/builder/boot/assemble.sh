#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Assembles the BIOS boot code into the table of bytes that gild is built with, so that
# building needs no assembler for x86. usage: assemble.sh >../boot_code_bytes.c
# (tests/e2e/boot-bios.sh compares.) Takes binutils of an x86 host, else clang.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

assemble() { # NAME ADDRESS
	as --32 -o "$work/$1.o" "$folder/$1.S" 2>/dev/null ||
		clang -target i386-unknown-none -c -o "$work/$1.o" "$folder/$1.S"
	ld -m elf_i386 -Ttext "$2" -e start --oformat binary -o "$work/$1" "$work/$1.o" \
		2>/dev/null ||
		ld.lld -m elf_i386 -Ttext "$2" -e start --oformat binary -o "$work/$1" "$work/$1.o"
}
# Zeros at the end are left to the array's size.
table() { # NAME ARRAY BYTES SIZE-NAME
	local size
	size=$(stat -c %s "$work/$1")
	[ "$size" -le "$3" ] || { echo "$1 has $size bytes, more than $3" >&2; exit 1; }
	printf '\nconst uint8_t %s[%s] = {\n' "$2" "$4"
	od -An -v -tx1 -w12 "$work/$1" | awk '
		{ line[NR] = $0; if ($0 ~ /[1-9a-f]/) last = NR }
		END {
			for (i = 1; i <= last; i++) {
				gsub(/ /, ", 0x", line[i])
				print "\t" substr(line[i], 3) ","
			}
		}'
	echo '};'
}
assemble mbr 0x600
assemble ntfs 0x7c00
cat <<END
/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Assembled from boot/mbr.S and boot/ntfs.S by boot/assemble.sh; not edited by hand. */
#include "builder/boot_code_private.h"

/* clang-format off */
END
table mbr boot_code_mbr_bytes 440 BOOT_CODE_MBR_SIZE
table ntfs boot_code_ntfs_bytes 8192 BOOT_CODE_NTFS_SIZE
