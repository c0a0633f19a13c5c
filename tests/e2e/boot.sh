#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A disk for UEFI, put together by others' tools from what the builder's parts give, starts
# in OVMF: the sample's stand-in boot manager understands the store and finds the partition.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/boot.sh" || exit 1
tool=$GILD_BUILD/tests/boottool
[ -e "$GILD_BUILD/samples/boot/bootmgfw.efi" ] ||
	skip_all "the stand-in boot manager was not built (Debian: clang lld)"
need sgdisk mkfs.fat mcopy
need_boot uefi

disk=11111111-2222-4333-8444-555555555501 esp=11111111-2222-4333-8444-555555555502
windows=11111111-2222-4333-8444-555555555504 other=11111111-2222-4333-8444-555555555509
"$GILD_BUILD/samples/mksample" tree "$scratch/w10" || exit 1

make_disk() { # FILE WINDOWS-GUID-IN-THE-STORE
	rm -rf "$scratch/system" "$scratch/esp"
	mkdir "$scratch/system"
	"$tool" bcd --template="$scratch/w10/Windows/System32/config/BCD-Template" \
		--system="{$disk}/{$esp}" --windows="{$disk}/{$2}" "$scratch/bcd" &&
		"$tool" files --store="$scratch/bcd" "$scratch/w10" "$scratch/system" &&
		truncate -s 100M "$1" && truncate -s 40M "$scratch/esp" &&
		sgdisk -U $disk -n 1:2048:+40M -t 1:ef00 -u 1:$esp -n 2:0:0 -t 2:0700 \
			-u 2:$windows "$1" &&
		mkfs.fat -F 32 "$scratch/esp" &&
		mcopy -s -i "$scratch/esp" "$scratch/system/EFI" ::/ &&
		dd if="$scratch/esp" of="$1" bs=1M seek=1 conv=notrunc,sparse status=none
}
ok "a disk for UEFI is put together" make_disk "$scratch/good.raw" $windows
ok "and one whose store names another partition" make_disk "$scratch/bad.raw" $other
boot_serial "$scratch/bad.raw" uefi 90 >"$scratch/bad" &
boot_serial "$scratch/good.raw" uefi 90 "$scratch/screen.png" >"$scratch/good"
wait
is "OVMF starts the boot manager, which finds the Windows partition" \
	"$(grep -aom1 'gild stand-in: .*' "$scratch/good")" \
	"gild stand-in: BCD ok, partition {$windows} found, path \\Windows\\system32\\winload.efi"
is "and draws on the screen" "$(file -b "$scratch/screen.png" | cut -d, -f1)" "PNG image data"
is "the other store is told from it" "$(grep -aom1 'gild stand-in: .*' "$scratch/bad")" \
	"gild stand-in: {$other} is no partition of this disk"
done_testing
