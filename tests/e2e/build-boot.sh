#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What gild build makes starts: OVMF and SeaBIOS find the disk's boot manager, the sample's
# stand-in for it understands the boot configuration by code of its own, and finds the
# Windows volume that it names.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/boot.sh" || exit 1
need qemu-img jq
need_boot uefi
[ -e "$GILD_BUILD/samples/boot/bootmgfw.efi" ] ||
	skip_all "the stand-in boot manager was not built (Debian: clang lld)"
cd "$scratch" || exit 1
"$GILD_BUILD/samples/mksample" wim sample.wim --generalized --compress=LZX >/dev/null || exit 1
"$GILD_BUILD/samples/mkdrivers" drivers exstor >/dev/null || exit 1
verdict() { grep -aom1 'gild stand-in: .*' serial; }

"$GILD" build sample.wim --output=x.vhdx --size=512M --driver=drivers --any-controller --unsigned=allow --json >out.json
guid=$(jq -r '.disk.partitions[] | select(.role == "windows") | .guid' out.json)
BOOT_FORMAT=vhdx boot_serial x.vhdx uefi 90 screen.png >serial
is "a VHDX starts by UEFI" "$(verdict)" \
	"gild stand-in: BCD ok, partition $guid found, path \\Windows\\system32\\winload.efi"
is "and is seen on the screen" "$(file -b screen.png | cut -d, -f1)" "PNG image data"

"$GILD" build sample.wim --output=x.qcow2 --size=512M --compact --boot-device=locate --quiet
BOOT_FORMAT=qcow2 boot_serial x.qcow2 uefi 90 >serial
ok "a compact qcow2 whose boot configuration looks for its files starts by UEFI" \
	grep -aq 'gild stand-in: BCD ok' serial

"$GILD" build sample.wim --output=x.vhd --size=256M --firmware=bios --quiet
BOOT_FORMAT=vpc boot_serial x.vhd bios 60 >serial
is "a VHD starts by BIOS, with gild's boot code" "$(verdict)" \
	"gild stand-in: BCD ok, volume at sector 2048 found, path \\Windows\\system32\\winload.exe"
done_testing
