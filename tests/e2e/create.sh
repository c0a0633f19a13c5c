# SPDX-License-Identifier: GPL-3.0-or-later
# New disk images and partition tables, judged by the tools of others.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need qemu-img sgdisk sfdisk fdisk jq
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 # a preloaded library comes first
tool=$GILD_BUILD/tests/createtool killer=$GILD_BUILD/tests/killer.so
cd "$scratch" || exit 1
size() { stat -c %s "$1"; }

# ---- containers ----------------------------------------------------------------------------
"$tool" want.raw .raw 600 512 random=1 random=2 gpt || exit 1
"$tool" want4k.raw .raw 600 4096 random=3 gpt || exit 1
for format in vhd vhdx qcow2; do
	driver=$format
	[ "$format" != vhd ] || driver=vpc
	ok "a $format is made" "$tool" "x.$format" ".$format" 600 512 random=1 random=2 gpt
	ok "its disk is that of the raw image" \
		qemu-img compare -f raw -F $driver want.raw "x.$format"
	is "and has its size" "$(qemu-img info --output=json -f $driver "x.$format" |
		jq '."virtual-size"')" $((600 << 20))
	[ "$format" = vhd ] || # QEMU cannot check those
		ok "qemu-img check finds nothing" qemu-img check -q -f $driver "x.$format"
	"$tool" again."$format" ".$format" 600 512 random=1 random=2 gpt
	ok "the same writes make the same $format" cmp "x.$format" "again.$format"
	rm "again.$format"
done
is "a fixed VHD is the disk and a footer" "$(size x.vhd)" $(((600 << 20) + 512))
cmp -n $((600 << 20)) x.vhd want.raw >cmp.out 2>&1
tap $? "as it is" cmp.out
ok "a VHDX of 4096-byte sectors is made" "$tool" x4k.vhdx .vhdx 600 4096 random=3 gpt
ok "and read as such by blocktool" "$GILD_BUILD/tests/blocktool" x4k.vhdx probe
is "with its sectors" "$(grep -c '^sector 4096' .out)" 1
# QEMU takes none of these, so its blocks are put together from its own table here.
python3 - x4k.vhdx want4k.raw <<'END' >.out 2>&1
import struct, sys
file, want = (open(name, "rb").read() for name in sys.argv[1:])
ratio = (1 << 23) * 4096 // (1 << 20)
for block in range(600):
    entry, = struct.unpack_from("<Q", file, (3 << 20) + 8 * (block + block // ratio))
    at = entry >> 20 << 20
    got = file[at:at + (1 << 20)] if entry & 7 == 6 else bytes(1 << 20)
    assert got == want[block << 20:block + 1 << 20], block
END
tap $? "its blocks are those of the raw image" .out

# Packed: what is written in order takes little more than itself.
head -c 100M /dev/urandom >data
for format in vhdx qcow2; do
	ok "100 MiB of data in a $format" "$tool" "p.$format" ".$format" 409600 512 copy=data
	[ "$(size "p.$format")" -le $((110 << 20)) ]
	tap $? "of 400 GiB take at most 110: $(size "p.$format")"
	ok "in which qemu-img check finds nothing" qemu-img check -q -f $format "p.$format"
	rm "p.$format"
done
rm data

# What is not finished is not whole; errors of the disk are told.
"$tool" left.qcow2 .qcow2 64 512 random=1 leave
fails 1 "a container that was not finished opens nowhere" qemu-img check -q -f qcow2 left.qcow2
fails 1 "a file that is there is not replaced" "$tool" left.qcow2 .qcow2 64 512
fails 2 "Azure's least size" "$tool" small.vhd .vhd 19 512
if [ -e "$killer" ]; then
	for format in raw vhd vhdx qcow2; do
		KILL_AT=20 KILL_ERROR=ENOSPC LD_PRELOAD=$killer fails 1 "a full disk under a $format" \
			"$tool" "full.$format" ".$format" 64 512 random=1
		grep -q 'free some space' .out
		tap $? "is told with the remedy" .out
	done
else
	skip "a full disk" "tests/killer.so is not built"
fi

# ---- partition tables ----------------------------------------------------------------------
sgdisk -v want.raw >.out 2>&1
grep -q 'No problems found' .out
tap $? "sgdisk -v finds no problem" .out
ok "nor does sfdisk --verify" sfdisk --verify want.raw
sgdisk -i 2 want.raw >.out
grep -q "Attribute flags: 8000000000000000" .out && grep -q "Basic data partition" .out
tap $? "attributes and names are there" .out
"$tool" table.raw .raw 600 512 gpt && "$tool" table4k.raw .raw 600 4096 gpt &&
	"$tool" mbr.raw .raw 600 512 mbr || exit 1
is "fdisk sees the ESP" "$(fdisk -l table.raw | grep -c 'EFI System')" 1
is "on 4096-byte sectors as well" "$(fdisk -b 4096 -l table4k.raw | grep -c 'EFI System')" 1
fdisk -b 4096 -l table4k.raw 2>&1 | grep -i -e corrupt -e mismatch -e 'not on the end' >.out
is "and has nothing to say against it" "$(cat .out)" ""
ok "sfdisk --verify takes the MBR" sfdisk --verify mbr.raw
is "with signature, type and active flag" "$(sfdisk --json mbr.raw | jq -r \
	'.partitiontable | .label, .id, .partitions[1].type, .partitions[1].bootable' | xargs)" \
	"dos 0x646c6967 7 true"

# ---- FAT -----------------------------------------------------------------------------------
if ! command -v fsck.fat >/dev/null || ! command -v mcopy >/dev/null; then
	skip "FAT" "dosfstools or mtools is not installed"
	done_testing
fi
mkdir -p host/EFI/Boot host/EFI/Microsoft/Boot/en-US "host/A folder with a long name" host/many
seq 1 200000 >host/EFI/Boot/bootx64.efi
seq 1 50000 >host/EFI/Microsoft/Boot/BCD
seq 1 777 >host/EFI/Microsoft/Boot/en-US/bootmgfw.efi.mui
: >host/EFI/Microsoft/Boot/empty.ini
echo text >"host/A folder with a long name/Größe und Länge.text"
for i in $(seq 150); do echo "$i" >"host/many/long name of file $i.txt"; done
(cd host && find . -mindepth 1 | sort | sed 's|^\./||') | while read -r f; do
	if [ -d "host/$f" ]; then echo "$f"; else printf '%s\thost/%s\n' "$f" "$f"; fi
done >list
export MTOOLS_SKIP_CHECK=1
for sector in 512 4096; do
	ok "an ESP of 260 MiB on $sector-byte sectors is made and filled" \
		"$tool" fat.raw .raw 600 $sector gpt fat=SYSTEM fill=list
	dd if=fat.raw of=esp.raw bs=1M skip=1 count=260 conv=sparse status=none
	fsck.fat -n -v esp.raw >fsck 2>&1
	tap $? "fsck.fat finds nothing" fsck
	is "and no difference of the boot sectors" "$(grep -ciE 'differ|dirty|wrong|invalid' fsck)" 0
	is "it has clusters of 4096 bytes" "$(grep -c '4096 bytes per cluster' fsck)" 1
	rm -rf back && mkdir back && mcopy -s -i esp.raw '::*' back
	ok "mtools read back what was put there" diff -r host back
	is "in its spelling" "$(mdir -b -i esp.raw ::many | grep -c 'long name of file')" 150
	is "each file in one piece" "$(mshowfat -i esp.raw ::EFI/Boot/bootx64.efi | grep -o '<' | wc -l)" 1
	rm -f fat.raw fsck
done
"$tool" fat.raw .raw 260 512 fat=SYSTEM fill=list
"$tool" again.raw .raw 260 512 fat=SYSTEM fill=list
ok "the same files make the same volume" cmp fat.raw again.raw
rm again.raw
if command -v 7z >/dev/null; then
	is "7z sees the files" "$(7z l -ba fat.raw | grep -c 'long name of file')" 150
else
	skip "7z sees the files" "7z is not installed"
fi
fails 1 "a volume too small for FAT32" "$tool" small.raw .raw 32 512 fat=SYSTEM
done_testing
