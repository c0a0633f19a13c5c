#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Which boot files a system volume gets: by firmware, machine, and the CA that signed them.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
tool=$GILD_BUILD/tests/boottool
sample=$GILD_BUILD/samples/mksample
echo store >"$scratch/store"

"$sample" tree "$scratch/w11" --windows=11 && "$sample" tree "$scratch/w10" &&
	"$sample" tree "$scratch/arm" --windows=11 --arch=arm64 || exit 1
mkdir -p "$scratch/w10/Windows/Boot/EFI/de-DE" "$scratch/w10/Windows/Boot/PCAT/de-DE"
echo text >"$scratch/w10/Windows/Boot/EFI/de-DE/bootmgfw.efi.mui"
echo text >"$scratch/w10/Windows/Boot/PCAT/de-DE/bootmgr.exe.mui"
boot=$scratch/w10/Windows/Boot

plan() { # NAME OPTION... TREE: the list is in NAME.list, the files in NAME
	local name=$1
	shift
	mkdir -p "$scratch/$name"
	"$tool" files --store="$scratch/store" "$@" "$scratch/$name" >"$scratch/$name.list" 2>&1
}
plan uefi --recovery-store "$scratch/w10"
is "UEFI: what bcdboot copies, and where to" "$(sort "$scratch/uefi.list")" \
"20 EFI/Boot/bootx64.efi
20 EFI/Microsoft/Boot/BCD
20 EFI/Microsoft/Boot/Fonts/segmono_boot.ttf
20 EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf
20 EFI/Microsoft/Boot/Resources/bootres.dll
20 EFI/Microsoft/Boot/bootmgfw.efi
20 EFI/Microsoft/Boot/bootmgr.efi
20 EFI/Microsoft/Boot/de-DE/bootmgfw.efi.mui
20 EFI/Microsoft/Boot/memtest.efi
20 EFI/Microsoft/Recovery/BCD
ca 2011"
ok "the fallback is the boot manager itself" \
	cmp "$scratch/uefi/EFI/Boot/bootx64.efi" "$boot/EFI/bootmgfw.efi"
ok "the store is where the boot manager looks for it" \
	cmp "$scratch/uefi/EFI/Microsoft/Boot/BCD" "$scratch/store"
plan bios --bios "$scratch/w10"
is "BIOS: bootmgr is a hidden system file, and so is Boot" "$(sort "$scratch/bios.list")" \
"06 Boot
20 Boot/BCD
20 Boot/Fonts/segmono_boot.ttf
20 Boot/Fonts/wgl4_boot.ttf
20 Boot/Resources/bootres.dll
20 Boot/de-DE/bootmgr.exe.mui
20 Boot/memtest.exe
26 BOOTNXT
27 bootmgr
ca 2011"
plan arm "$scratch/arm"
plan arm2 --target=10.0.26100/arm64/client "$scratch/arm"
is "ARM64: the fallback has its name" \
	"$(grep -c 'EFI/Boot/bootaa64.efi' "$scratch/arm2.list")" 1
grep -q 'the program is for arm64, the Windows for amd64' "$scratch/arm.list"
tap $? "and a loader of another machine is refused" "$scratch/arm.list"

# ---- CAs ------------------------------------------------------------------------------------
ex=$scratch/w11/Windows/Boot
plan old --target=10.0.26100/amd64/client "$scratch/w11"
plan new --target=10.0.26200/amd64/client "$scratch/w11"
plan asked --target=10.0.26100/amd64/client --ca=2023 "$scratch/w11"
plan kept --target=10.0.26200/amd64/client --ca=2011 "$scratch/w11"
is "the CA is that of the build's bcdboot, or the one asked for" \
	"$(grep -h '^ca' "$scratch"/{old,new,asked,kept}.list | tr '\n' ' ')" \
	"ca 2011 ca 2023 ca 2023 ca 2011 "
ok "2023: the boot manager of EFI_EX, without _EX" \
	cmp "$scratch/asked/EFI/Microsoft/Boot/bootmgfw.efi" "$ex/EFI_EX/bootmgfw_EX.efi"
ok "also as the fallback" cmp "$scratch/asked/EFI/Boot/bootx64.efi" "$ex/EFI_EX/bootmgfw_EX.efi"
ok "fonts are those of Fonts_EX" cmp "$scratch/asked/EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf" \
	"$ex/Fonts_EX/wgl4_boot_EX.ttf"
ok "what has no other form stays" \
	cmp "$scratch/asked/EFI/Microsoft/Boot/memtest.efi" "$ex/EFI/memtest.efi"
is "nothing is called _EX" "$(grep -c '_EX' "$scratch/asked.list")" 0
fails 1 "2023 is refused where the image has it not" "$tool" files --ca=2023 \
	--store="$scratch/store" "$scratch/w10" "$scratch/none"
grep -q 'boot-ca=2011' "$scratch/.out"
tap $? "with the remedy" "$scratch/.out"
fails 2 "and has no meaning for BIOS" "$tool" files --bios --ca=2023 "$scratch/w11" "$scratch/none"

# ---- what is missing ------------------------------------------------------------------------
mv "$boot/EFI/bootmgfw.efi" "$scratch/"
fails 1 "without its boot manager an image is refused" "$tool" files "$scratch/w10" "$scratch/none"
grep -q 'Windows/Boot/EFI/bootmgfw.efi.*gild edit --copy' "$scratch/.out"
tap $? "which names the file and the remedy" "$scratch/.out"
echo nothing >"$boot/EFI/bootmgfw.efi"
fails 1 "what is no program is no boot manager" "$tool" files "$scratch/w10" "$scratch/none"
mv "$scratch/bootmgfw.efi" "$boot/EFI/"
rm "$boot/PCAT/bootmgr"
fails 1 "BIOS: without bootmgr it is refused" "$tool" files --bios "$scratch/w10" "$scratch/none"
rm "$scratch/w10/Windows/System32/winload.efi"
fails 1 "nor does a Windows without its loader start" "$tool" files "$scratch/w10" "$scratch/none"
[ ! -e "$scratch/none/EFI" ]
tap $? "nothing was written by those"
done_testing
