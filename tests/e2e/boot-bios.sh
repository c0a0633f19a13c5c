#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Boot code for BIOS in SeaBIOS: MBR and NTFS boot record load a bootmgr of many runs from a
# root folder of many entries, for every cluster size, with and without the extensions of
# INT 13h; the stand-in says whether it was loaded whole and what the BCD store would start.
# What cannot be started ends with a message.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/boot.sh" || exit 1
tool=$GILD_BUILD/tests/boottool
edit=$GILD_BUILD/tests/ntfsedit
need sfdisk mkntfs

# ---- the code itself ------------------------------------------------------------------------
if bash "$GILD_SOURCE/src/builder/boot/assemble.sh" >"$scratch/bytes.c" 2>"$scratch/.out"; then
	ok "the committed bytes are those of the source" \
		cmp "$scratch/bytes.c" "$GILD_SOURCE/src/builder/boot_code_bytes.c"
else
	skip "the committed bytes are those of the source" "no assembler for x86"
fi

start=2048 sectors=81920 signature=0x11223344
offset=$((start * 512))
put() { # PATH SIZE SEED: a line for ntfsedit
	printf 'noise\t%s\t%s\t%s\n' "$@"
}
# A disk with an empty volume; `volume` is edited before make_disk puts it in.
make_volume() { # CLUSTER-SIZE
	rm -f "$scratch/volume"
	truncate -s $((sectors * 512)) "$scratch/volume"
	mkntfs -Q -F -q -c "$1" -p $start -H 255 -S 63 "$scratch/volume" >/dev/null 2>&1
}
make_disk() { # SFDISK-OPTION
	rm -f "$disk"
	truncate -s 48M "$disk"
	printf 'label: dos\nlabel-id: %s\nstart=%s, size=%s, type=7%s\n' $signature $start \
		$((sectors + 8)) "${1-, bootable}" | sfdisk -q "$disk" &&
		dd if="$scratch/volume" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none &&
		"$tool" mbr "$disk" && "$tool" ntfs "$disk" $offset
}
disk=$scratch/disk.raw
make_volume 4096
ok "boot code is put on a disk" make_disk
# The volume has one sector less than its partition: the backup is behind it.
bytes() { od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'; }
is "the table stays" "$(sfdisk -d "$disk" | grep -c 'bootable')" 1
is "and the disk's signature" "$(bytes "$disk" 440 4)" 44332211
is "the BPB stays" "$(bytes "$disk" $((offset + 0x28)) 44)" "$(bytes "$scratch/volume" $((0x28)) 44)"
is "but for where the volume is" "$(bytes "$disk" $((offset + 0x18)) 8)" 3f00400000080000
backup=$(($(od -An -tu8 -j $((offset + 0x28)) -N 8 "$disk") * 512 + offset))
is "the backup is the same" "$(bytes "$disk" $backup 512)" "$(bytes "$disk" $offset 512)"
fails 1 "what is no NTFS volume is refused" "$tool" ntfs "$disk" 0
ntfs=$scratch/checked
dd if="$disk" of="$ntfs" bs=512 skip=$start count=$sectors status=none
ok "ntfsresize finds nothing wrong" ntfsresize -i -f "$ntfs"

[ -e "$GILD_BUILD/samples/boot/bootmgr" ] || {
	skip "starting it" "the stand-in boot manager was not built (Debian: clang lld)"
	done_testing
}
command -v qemu-system-x86_64 >/dev/null || {
	skip "starting it" "qemu-system-x86_64 is not installed"
	done_testing
}

# ---- started --------------------------------------------------------------------------------
"$GILD_BUILD/samples/mksample" tree "$scratch/w10" || exit 1
system() { # BOOTTOOL-OPTION...: the system volume's files in a script for ntfsedit
	rm -rf "$scratch/system"
	mkdir "$scratch/system"
	"$tool" bcd --bios --system=$signature/$offset --windows=$signature/$offset "$@" \
		"$scratch/bcd" &&
		"$tool" files --bios --store="$scratch/bcd" "$scratch/w10" "$scratch/system" \
			>"$scratch/list" || return 1
	find "$scratch/system" -type f -printf 'put\t%P\t%p\n' | LC_ALL=C sort
	printf 'put\tWindows/system32/winload.exe\t%s\n' \
		"$scratch/w10/Windows/System32/winload.exe"
}
starts() { # WHAT
	boot_serial "$disk" bios 20 >"$scratch/serial"
	is "$1" "$(grep -aom1 'gild stand-in: .*' "$scratch/serial")" \
"gild stand-in: BCD ok, volume at sector $start found, path \\Windows\\system32\\winload.exe"
}
for cluster in 512 4096 65536; do
	make_volume $cluster
	{
		system
		# Folder entries before and behind bootmgr, enough for levels of index blocks.
		for i in $(seq 300); do printf 'mkdir\tA long name of a folder %s\n' "$i"; done
		for i in $(seq 100); do printf 'mkdir\tbootmgr and more %s\n' "$i"; done
	} >"$scratch/script"
	"$edit" "$scratch/volume" <"$scratch/script" >"$scratch/.out" 2>&1 ||
		tap 1 "the volume is filled" "$scratch/.out"
	make_disk
	starts "clusters of $cluster bytes: SeaBIOS starts bootmgr, which finds Windows"
done

fill() { # BOOTTOOL-OPTION...: a volume of 4096-byte clusters with the system's files
	make_volume 4096
	system "$@" >"$scratch/script"
	"$edit" "$scratch/volume" <"$scratch/script" >"$scratch/.out" 2>&1 ||
		tap 1 "the volume is filled" "$scratch/.out"
	make_disk
}
for form in locate boot; do
	fill --form=$form
	starts "a store of the form \"$form\""
done

# Both parts of the code as on a BIOS without extensions: what they ask for is answered with
# another signature.
fill
is "MBR, boot record and its backup ask for extensions" "$(LC_ALL=C grep -aobUP '\x81\xfb\x55\xaa' "$disk" |
	cut -d: -f1 | while read -r at; do
		printf '\xab' | dd of="$disk" bs=1 seek=$((at + 3)) conv=notrunc status=none
		echo "$at"
	done | wc -l)" 3
starts "by cylinder, head and sector"

# With no piece left that is long enough, libntfs-3g takes several.
make_volume 4096
for i in $(seq 60); do printf 'mkdir\tfolder %s\n' "$i"; done >"$scratch/script"
system | grep -v 'put.bootmgr' >>"$scratch/script"
"$edit" "$scratch/volume" <"$scratch/script" >/dev/null
free=$(ntfsinfo -m "$scratch/volume" 2>/dev/null | sed -n 's/.*Free Clusters: \([0-9]*\).*/\1/p')
truncate -s $(((free - 260) * 4096)) "$scratch/filler"
for file in filler system/bootmgr; do
	ntfscp -q "$scratch/volume" "$scratch/$file" "${file##*/}" >"$scratch/.out" 2>&1 ||
		tap 1 "$file is written" "$scratch/.out"
done
runs=$(ntfscluster -F bootmgr "$scratch/volume" 2>/dev/null | grep -cE '^ +[0-9]+ +[0-9]+ +[0-9]+$')
[ "$runs" -ge 2 ]
tap $? "a bootmgr of several runs ($runs)"
make_disk
starts "is loaded whole"

fill
head -c 200000 "$scratch/system/bootmgr" >"$scratch/short"
printf 'rm\tbootmgr\nput\tbootmgr\t%s\n' "$scratch/short" >"$scratch/replace"
"$edit" "$scratch/volume" <"$scratch/replace" >/dev/null && make_disk
boot_serial "$disk" bios 20 >"$scratch/serial"
is "one that was cut off says so" "$(grep -aom1 'gild stand-in: .*' "$scratch/serial")" \
	"gild stand-in: it was not loaded whole"

# ---- what cannot be started -----------------------------------------------------------------
if [ ! -e /usr/share/qemu/sgabios.bin ]; then
	skip "messages of the boot code" "QEMU has no sgabios to print them on the serial port"
	done_testing
fi
says() { # WHAT MESSAGE: text of the BIOS' screen goes to the serial port
	BOOT_OPTIONS='-machine graphics=off' boot_serial "$disk" bios 20 >"$scratch/serial"
	is "$1" "$(grep -aoE '(Disk|Boot|gild stand-in): [^;]*' "$scratch/serial" | head -n 1 |
		sed 's/\x1b.*//')" "$2"
}
make_volume 4096
make_disk
says "no bootmgr" "Boot: there is no bootmgr on this volume"
make_disk ,
says "no active partition" "Disk: no partition is active"
fill
head -c 512 /dev/zero | dd of="$disk" bs=512 seek=$start conv=notrunc status=none
says "an active partition without a boot record" "Disk: the active partition has no boot record"
fill
printf 'X' | dd of="$disk" bs=1 conv=notrunc status=none \
	seek=$((offset + 4096 * $(od -An -tu8 -j $((offset + 48)) -N 8 "$disk")))
says "a damaged \$MFT" "Boot: the NTFS volume is damaged"
fill
truncate -s 600000 "$scratch/short"
"$edit" "$scratch/volume" <"$scratch/replace" >/dev/null && make_disk
says "one that does not fit below 640 KiB" "Boot: bootmgr is too large"
done_testing
