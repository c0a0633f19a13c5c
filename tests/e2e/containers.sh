#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Disk images of every format: what gild tells of them against what qemu-img, sgdisk and
# sfdisk do, their content, and what is refused before QEMU sees it.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need qemu-img qemu-nbd qemu-io python3 sgdisk sfdisk mkntfs
tool=$GILD_BUILD/tests/blocktool
cd "$scratch" || exit 1
size=$((24 << 20))

property() { sed -n "s/^$1 //p"; }
same() { "$tool" "$1" dump 2>&1 | cmp - "$2"; }
refused() { # WHY COMMAND...: exit code 1 (4 with STATE=4), and the reason has WHY
	local why=$1 got
	shift
	"$@" >out 2>&1
	got=$?
	[ "$got" = "${STATE-1}" ] && grep -q -- "$why" out
	tap $? "refused: $why" out
}

# A GPT disk with an NTFS volume, and the same in every format.
truncate -s "$size" disk.raw
sgdisk -n1:2048:6143 -t1:ef00 -c1:EFI -n2:6144:0 -t2:0700 -c2:'Basic data' disk.raw >/dev/null
truncate -s 18000000 part.raw
mkntfs -q -F part.raw >/dev/null 2>&1
dd if=part.raw of=disk.raw bs=512 seek=6144 conv=notrunc status=none
make() { qemu-img convert -f raw -O "$1" ${3:+-o "$3"} disk.raw "$2"; }
make qcow2 v3.qcow2
make qcow2 v2.qcow2 compat=0.10
make vpc fixed.vhd subformat=fixed,force_size=on
make vpc dynamic.vhd subformat=dynamic,force_size=on
make vhdx dynamic.vhdx
make vhdx fixed.vhdx subformat=fixed
make vmdk sparse.vmdk
make vmdk stream.vmdk subformat=streamOptimized
make vmdk flat.vmdk subformat=monolithicFlat
make vmdk split.vmdk subformat=twoGbMaxExtentSparse
qemu-img create -q -f qcow2 -b v3.qcow2 -F qcow2 child.qcow2
for image in disk.raw v3.qcow2 v2.qcow2 child.qcow2 fixed.vhd dynamic.vhd dynamic.vhdx fixed.vhdx \
	sparse.vmdk stream.vmdk flat.vmdk split.vmdk; do
	"$tool" "$image" probe >probe 2>&1
	format=$(property format <probe)
	[ "$format" = vhd ] && format=vpc
	is "$image: format, size and chain are what qemu-img says" \
		"$format $(property size <probe) $(grep -c ^layer probe)" \
		"$(qemu-img info --backing-chain --output=json -f "${format:-raw}" "$image" | python3 -c '
import json, sys
chain = json.load(sys.stdin)
print(chain[0]["format"], chain[0]["virtual-size"], len(chain))')"
	ok "$image: its content" same "$image" disk.raw
	truncate -s 0 data.raw
	"$tool" "$image" data 2>read >data.raw
	truncate -s "$size" data.raw
	ok "$image: the same without its holes" cmp data.raw disk.raw
	case $image in
	*.qcow2 | sparse.vmdk | split.vmdk) # in small clusters; the disk holds little
		read -r bytes _ <read
		ok "$image: $bytes bytes are read for that" [ "${bytes:-$size}" -lt "$((size / 2))" ]
		;;
	esac
	case $image in
	stream.vmdk) want=0 ;;
	*) want=1 ;;
	esac
	is "$image: can be edited in place: $want" "$(property editable <probe)" "$want"
done
is "extents and data are files of the image" \
	"$("$tool" split.vmdk probe | grep -c '^file .*split-s001.vmdk$')" 1

# ---- partitions ----
"$tool" disk.raw table >table
is "GPT as sgdisk sees it" \
	"$(awk '$1 == "partition" {print $2, $4 / 512, $6 / 512}' table)" \
	"$(sgdisk -p disk.raw | awk '$1 ~ /^[0-9]+$/ {print $1, $2, $3 - $2 + 1}')"
is "the ESP is recognised, and NTFS" \
	"$(grep -c 'partition 1 .* esp 1 name EFI$' table) $(grep -c 'volume 2 NTFS' table)" "1 1"
cp disk.raw damaged.raw
dd if=/dev/zero of=damaged.raw bs=512 seek=1 count=1 conv=notrunc status=none
is "a damaged GPT: the backup is used" \
	"$("$tool" damaged.raw table | grep -v '^problem')" "$(cat table)"
ok "and it says so" grep -q 'backup is used' <("$tool" damaged.raw table)

truncate -s "$size" mbr.raw
printf 'label: dos\nstart=2048,size=2048,type=7,bootable\nstart=4096,size=30000,type=5\nstart=6144,size=2048,type=7\nstart=10240,size=4096,type=b\nstart=16384,size=2048,type=7\n' |
	sfdisk -q mbr.raw
is "MBR with logical partitions as sfdisk sees it" \
	"$("$tool" mbr.raw table | awk '$1 == "partition" {print $2, $4 / 512, $6 / 512, $10}')" \
	"$(sfdisk -J mbr.raw | python3 -c '
import json, re, sys
for p in json.load(sys.stdin)["partitiontable"]["partitions"]:
    if p["type"] != "5":
        print(re.search(r"\d+$", p["node"])[0], p["start"], p["size"], p["type"].rjust(2, "0"))')"
is "the active one" "$("$tool" mbr.raw table | grep -c 'partition 1 .*active 1')" 1
# A chain that leads back: the link in the second sector of the chain.
python3 - <<'END'
import struct
disk = bytearray(open("mbr.raw", "rb").read())
first = 4096
second = first + struct.unpack_from("<I", disk, first * 512 + 446 + 16 + 8)[0]
struct.pack_into("<B3sB3sII", disk, second * 512 + 446 + 16, 0, b"", 5, b"", 1, 4096)
open("loop.raw", "wb").write(disk)
END
is "a chain that leads back ends, with a remark" \
	"$("$tool" loop.raw table | grep -c 'problem .*leads back')" 1

truncate -s "$size" big.raw
python3 - big.raw <<'END'
import struct, sys, zlib, uuid
path, size = sys.argv[1], 24 << 20
def table(lba, other, entries_at, entries):
    h = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, lba, other, 6,
                    size // 4096 - 6, uuid.UUID(int=7).bytes_le, entries_at, 128, 128,
                    zlib.crc32(entries))
    return h[:16] + struct.pack("<I", zlib.crc32(h)) + h[20:]
e = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7").bytes_le + uuid.UUID(int=9).bytes_le
e += struct.pack("<QQQ", 256, 4095, 0) + "4Kn".encode("utf-16-le").ljust(72, b"\0")
e = e.ljust(128 * 128, b"\0")
last = size // 4096 - 1
with open(path, "r+b") as f:
    f.seek(446)
    f.write(struct.pack("<B3sB3sII", 0, b"", 0xee, b"", 1, last) + bytes(48) + b"\x55\xaa")
    f.seek(4096)
    f.write(table(1, last, 2, e))
    f.seek(8192)
    f.write(e)
    f.seek((last - 4) * 4096)
    f.write(e)
    f.seek(last * 4096)
    f.write(table(last, 1, last - 4, e))
END
is "a GPT that counts in 4096" "$("$tool" big.raw table | head -n 2 | cut -d' ' -f1-6)" \
	"$(printf 'scheme gpt sector 4096 id {00000000-0000-0000-0000-000000000007}\npartition 1 offset 1048576 size 15728640')"
is "such a raw image has such sectors" "$("$tool" big.raw probe | property sector)" 4096

# ---- what is no disk ----
head -c 100000 /dev/urandom >noise
mkdir folder
is "noise and folders are no disks" \
	"$("$tool" noise probe)$("$tool" folder probe)" "format noneformat none"
printf '\177\20\332\276' | dd of=noise bs=1 seek=64 conv=notrunc status=none
refused 'VirtualBox disk image (VDI)' "$tool" noise probe

# ---- references ----
bad() { # FILE BACKING FORMAT
	qemu-img create -q -f qcow2 -u -b "$2" ${3:+-F "$3"} "$1" 1M
}
bad r1.qcow2 /etc/passwd raw
refused 'lies outside' "$tool" r1.qcow2 probe
bad r2.qcow2 'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/passwd"}}' raw
refused 'no plain file' "$tool" r2.qcow2 probe
bad r3.qcow2 nbd:localhost:10809 raw
refused 'no plain file' "$tool" r3.qcow2 probe
ln -s /etc/passwd innocent.raw
bad r4.qcow2 innocent.raw raw
refused 'lies outside' "$tool" r4.qcow2 probe
bad r5.qcow2 ../../etc/passwd raw
refused 'lies outside\|cannot be found' "$tool" r5.qcow2 probe
bad r6a.qcow2 r6.qcow2 qcow2
mv r6a.qcow2 r6.qcow2
refused 'leads back' "$tool" r6.qcow2 probe
bad r7.qcow2 disk.raw nbd
refused 'format "nbd"' "$tool" r7.qcow2 probe
mkfifo pipe
bad r8.qcow2 pipe raw
refused 'no regular file' "$tool" r8.qcow2 probe
# Not recorded: recognised here and told to QEMU, so a raw disk with a qcow2's header is one.
qemu-img create -q -f qcow2 -u -b v3.qcow2 -F qcow2 r9.qcow2 "$size"
python3 - <<'END'
image = bytearray(open("r9.qcow2", "rb").read())
at = image.index(bytes.fromhex("e2792aca"))
image[at:at + 4] = b"none"
open("r9.qcow2", "wb").write(image)
END
ok "a backing file without a recorded format" same r9.qcow2 disk.raw
mkdir -p elsewhere
cp disk.raw elsewhere/
bad ra.qcow2 "$scratch/elsewhere/disk.raw" raw
ok "a folder below that of the image" "$tool" ra.qcow2 probe
mkdir -p inner && mv ra.qcow2 inner/
refused 'lies outside' "$tool" inner/ra.qcow2 probe
ok "a folder that is allowed" "$tool" --allow=elsewhere inner/ra.qcow2 probe
qemu-img create -q -f qcow2 -o data_file=data.raw,data_file_raw=on ext.qcow2 1M
ok "a data file beside the image" "$tool" ext.qcow2 read 0 512
python3 - <<'END'
raw = open("ext.qcow2", "rb").read()
open("ext.qcow2", "wb").write(raw.replace(b"data.raw", b"/etc/hos"))
END
refused 'data file\|cannot be found' "$tool" ext.qcow2 probe
sed 's/split-s001.vmdk/\/etc\/passwd/' split.vmdk >x1.vmdk
refused 'lies outside' "$tool" x1.vmdk probe
sed 's/split-s001.vmdk/..\/..\/x.vmdk/' split.vmdk >x2.vmdk
refused 'cannot be found\|lies outside' "$tool" x2.vmdk probe
sed 's/SPARSE "split-s001.vmdk"/FLAT "\/dev\/zero" 0/' split.vmdk >x3.vmdk
refused 'outside' "$tool" x3.vmdk probe
sed 's/twoGbMaxExtentSparse/fullDevice/' split.vmdk >x4.vmdk
refused 'type fullDevice' "$tool" x4.vmdk probe
{ cat split.vmdk; head -c 70000 /dev/zero | tr '\0' '#'; echo; echo 'RW 1 FLAT "/etc/passwd" 0'; } >x5.vmdk
refused 'too long' "$tool" x5.vmdk probe
cp split-s001.vmdk nested.vmdk
dd if=/dev/zero of=nested.vmdk bs=1 seek=12 count=8 conv=notrunc status=none
sed 's/split-s001/nested/' split.vmdk >x6.vmdk
refused 'another descriptor' "$tool" x6.vmdk probe

# ---- damage ----
damage() { # FROM TO OFFSET
	cp "$1" "$2"
	printf '\377' | dd of="$2" bs=1 seek="$3" conv=notrunc status=none
}
damage dynamic.vhd d1.vhd $((512 + 700))
refused 'checksum of its header' "$tool" d1.vhd probe
head -c $((size / 2)) fixed.vhd >d2.vhd
tail -c 512 fixed.vhd >>d2.vhd
refused 'cut short' "$tool" d2.vhd probe
damage dynamic.vhdx d3.vhdx $((192 * 1024 + 40))
ok "one region table is enough" "$tool" d3.vhdx probe
damage d3.vhdx d4.vhdx $((256 * 1024 + 40))
refused 'both region tables' "$tool" d4.vhdx probe
cp v3.qcow2 d5.qcow2
printf '\2' | dd of=d5.qcow2 bs=1 seek=79 conv=notrunc status=none
refused 'corrupt' "$tool" d5.qcow2 probe
printf '\20' | dd of=d5.qcow2 bs=1 seek=78 conv=notrunc status=none
refused 'corrupt\|features' "$tool" d5.qcow2 probe
cp v3.qcow2 d6.qcow2
printf '\0\0\0\1' | dd of=d6.qcow2 bs=1 seek=32 conv=notrunc status=none
refused 'encrypted' "$tool" d6.qcow2 probe

for image in v3.qcow2 dynamic.vhdx dynamic.vhd sparse.vmdk; do
	head -c $(($(stat -c %s "$image") * 3 / 4)) "$image" >cut
	# A VHD has a copy of its footer at the start.
	refused 'cut short' "$tool" cut probe
done

# ---- locks: QEMU and gild keep out of each other's way ----
busy() { # IMAGE FORMAT: a QEMU that writes to it, until `quiet`
	mkfifo hold
	qemu-io -f "$2" "$1" <hold >/dev/null 2>&1 &
	exec 9>hold
	sleep 0.5
}
quiet() {
	exec 9>&-
	wait
	rm hold
}
for image in disk.raw v3.qcow2; do
	format=${image##*.}
	busy "$image" "$format"
	STATE=4 refused 'in use by another program' "$tool" "$image" table
	STATE=4 refused 'in use by another program' "$tool" --write "$image" table
	quiet
	mkfifo hold
	"$tool" --write "$image" sleep <hold >/dev/null 2>&1 &
	exec 9>hold
	sleep 0.5
	fails 1 "$image: QEMU does not open what gild writes to" \
		qemu-io -f "$format" -c 'write 0 512' "$image"
	STATE=4 refused 'in use by another program' "$tool" "$image" table
	quiet
done
# Nothing is left when gild is killed, or its server.
mkfifo hold
"$tool" --write v3.qcow2 sleep <hold >/dev/null 2>&1 &
gild=$!
exec 9>hold
sleep 0.5
server=$(cat /proc/"$gild"/task/"$gild"/children)
kill -9 "$gild"
{ wait "$gild"; } 2>/dev/null
sleep 0.5
state=$(sed -n 's/^State:[^A-Z]*\([A-Z]\).*/\1/p' "/proc/${server% }/status" 2>/dev/null)
quiet 2>/dev/null
is "no qemu-nbd outlives gild" "${state:-Z}" Z
mkdir empty
PATH=$scratch/empty "$tool" v3.qcow2 table >out 2>&1
ok "without qemu-nbd it says what to install" grep -q 'qemu-nbd, which is not installed; install' out

# ---- differencing VHD and VHDX: QEMU reads the first wrongly and the second not at all ----
head -c $((6 << 20)) disk.raw >base.raw
for kind in vhd vhdx; do
	case $kind in
	vhd) qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on base.raw base.vhd ;;
	vhdx) qemu-img convert -f raw -O vhdx -o block_size=1M base.raw base.vhdx ;;
	esac
	derive() { python3 "$GILD_SOURCE/tests/mkdifferencing.py" "$kind" "$@"; }
	derive "base.$kind" base.raw "one.$kind" one.raw
	derive "one.$kind" one.raw "two.$kind" two.raw $((8 << 20))
	ok "$kind: a child" same "one.$kind" one.raw
	ok "$kind: its child, which is larger" same "two.$kind" two.raw
	is "$kind: is told, and cannot be edited in place" \
		"$("$tool" "two.$kind" probe | grep -c 'subtype differencing\|editable 0\|layer')" 5
	refused 'cannot be written to: gild only reads' "$tool" --write "two.$kind" read 0 512
	refused 'no overlay' "$tool" "two.$kind" overlay no.qcow2
	rm -f two.qcow2
	ok "$kind: convert" "$tool" "two.$kind" convert two.qcow2 qcow2
	ok "$kind: the same content" qemu-img compare -q -f raw -F qcow2 two.raw two.qcow2
	qemu-img create -q -f qcow2 -u -b "one.$kind" -F "${kind/%vhd/vpc}" on.qcow2 6M
	refused 'differencing disk' "$tool" on.qcow2 probe
	mkdir -p "far-$kind"
	mv "base.$kind" "far-$kind"
	refused 'parent .* cannot be found' "$tool" "two.$kind" probe
	ok "$kind: a parent in a folder that is allowed" \
		"$tool" "--allow=far-$kind" "two.$kind" read 0 512
	ln -s /etc/passwd "base.$kind"
	refused 'lies outside' "$tool" "two.$kind" probe
	rm "base.$kind"
	cp "one.$kind" "base.$kind"
	refused 'not what it was' "$tool" "one.$kind" probe
	mv -f "far-$kind/base.$kind" .
	derive "base.$kind" base.raw "up.$kind" up.raw '' "..\\..\\..\\etc\\passwd"
	refused 'cannot be found\|outside' "$tool" "up.$kind" probe
done

# A VHDX with sectors of 4096 bytes: QEMU makes and reads none. Its metadata has no checksum.
qemu-img convert -f raw -O vhdx -o block_size=1M base.raw large.vhdx
python3 - <<'END'
import struct, uuid
image = bytearray(open("large.vhdx", "rb").read())
item = image.index(uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le)
at = image.rindex(b"metadata", 0, item) + struct.unpack_from("<I", image, item + 16)[0]
struct.pack_into("<I", image, at, 4096)
open("large.vhdx", "wb").write(image)
END
ok "a VHDX with large sectors is read" same large.vhdx base.raw
is "and not edited in place" "$("$tool" large.vhdx probe | grep -c 'sector 4096\|editable 0')" 2
refused 'sectors of 4096' "$tool" large.vhdx convert no.vhd vhd
rm -f two.qcow2
ok "but copied" "$tool" large.vhdx convert two.qcow2 qcow2
ok "with its content" cmp <("$tool" two.qcow2 dump) base.raw

# ---- images that Windows and others made ----
if [ -e "$GILD_TEST_DATA/images/disk" ]; then
	data=$GILD_TEST_DATA/images/disk
	xz -dc "$data/win-server2022-dynamic.vhdx.xz" >w.vhdx
	is "a VHDX of Windows Server 2022" "$("$tool" w.vhdx table | grep -c 'volume 1 NTFS cluster 4096')" 1
	qemu-img convert -f vhdx -O raw w.vhdx w.raw
	ok "its content" same w.vhdx w.raw
	xz -dc "$data/win10-fixed-ntfs.vhd.xz" >w.vhd
	is "a volume with the footer of a fixed VHD of Windows 10" \
		"$("$tool" w.vhd probe : table | grep -c 'subtype fixed\|scheme bare\|volume 0 NTFS')" 3
	for image in dfvfs-image dfvfs-image-differential; do
		xz -dc "$data/$image.vhd.xz" >d.vhd
		refused 'checksum of its footer' "$tool" d.vhd probe
	done
	for x in "mbr-4096-p1e1.bin scheme mbr sector 4096" "mbr-4096-p1e1.bin partition 5 offset 36864 size 8192" \
		"gpt-512-3p.raw partition 3 .*esp 1" "win_exfat_7.raw volume 0 exFAT" \
		"fat32_small.raw volume 0 FAT32" "ntfs3.raw volume 0 NTFS"; do
		name=${x%% *}
		gzip -dc "$data/$name.gz" | cp --sparse=always /dev/stdin real
		ok "$x" grep -q "^${x#* }" <("$tool" real table)
	done
	tar xSf "$data/mbr-win-512.raw.tgz"
	is "primary and logical partitions that Windows made" \
		"$("$tool" mbr-win-512.raw table | awk '$1 == "partition" {print $2, $4 / 512, $6 / 512}')" \
		"$(sfdisk -J mbr-win-512.raw | python3 -c '
import json, re, sys
for p in json.load(sys.stdin)["partitiontable"]["partitions"]:
    if p["type"] not in ("5", "f"):
        print(re.search(r"\d+$", p["node"])[0], p["start"], p["size"])')"
	for boot in "$GILD_TEST_DATA"/images/bootsector/*; do
		{ cat "$boot"; head -c 70000 /dev/zero; } >real
		ok "boot sector ${boot##*/}" grep -q 'volume 0 NTFS' <("$tool" real table)
	done
else
	skip "images that Windows made" "real test data not here: set GILD_TEST_DATA"
fi

# ---- block devices: only root can make one ----
device=
[ "$(id -u)" != 0 ] || { cp --sparse=always disk.raw loop.raw; device=$(losetup -f --show loop.raw 2>/dev/null); }
if [ -b "$device" ]; then
	trap 'losetup -d "$device"; rm -rf "$scratch"' EXIT
	is "a block device" "$("$tool" "$device" probe | head -n 3 | tr '\n' ' ')" \
		"format device subtype - size $size "
	is "its partitions" "$("$tool" "$device" table)" "$("$tool" disk.raw table)"
	ok "is written to" "$tool" --write "$device" fill 1048576 4096 65 : flush
	is "what was written is on it" "$("$tool" "$device" read 1048576 3)" AAA
	refused 'no overlay' "$tool" "$device" overlay no.qcow2
	rm -f two.qcow2
	ok "is copied" "$tool" "$device" convert two.qcow2 qcow2
	ok "with its content" cmp <("$tool" two.qcow2 dump) <("$tool" "$device" dump)
	python3 -c '
import os, sys
os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)
print(flush=True)
sys.stdin.read()' "$device" < <(sleep 3) >held &
	while [ ! -s held ]; do sleep 0.1; done
	STATE=4 refused 'in use on this machine' "$tool" --write "$device" fill 0 1 1
	wait
	trap 'rm -rf "$scratch"' EXIT
	losetup -d "$device"
else
	skip "block devices" "only root can make one here"
fi

# ---- new images ----
for x in raw: vhd: vhd:dynamic vhdx: vhdx:fixed qcow2: vmdk: vmdk:streamOptimized; do
	format=${x%:*} type=${x#*:}
	rm -f "new.$format"
	ok "convert to $format $type" "$tool" disk.raw convert "new.$format" "$format" $type
	ok "the same content" same "new.$format" disk.raw
	mv "new.$format" first
	"$tool" disk.raw convert "new.$format" "$format" $type
	ok "and the same bytes every time" cmp first "new.$format"
	[ "$format" != vhdx ] || ok "without a fault" qemu-img check -q "new.$format"
done
is "a raw copy is sparse" "$([ "$(stat -c %b new.raw)" -lt 20000 ] && echo yes)" yes
for base in disk.raw fixed.vhd dynamic.vhd dynamic.vhdx v3.qcow2 sparse.vmdk; do
	rm -f inner/over.qcow2
	ok "an overlay over $base" "$tool" "$base" overlay inner/over.qcow2 relative
	head -c 70000 /dev/urandom >data
	ok "is written to" "$tool" --write --allow=. inner/over.qcow2 write 1048576 data : flush
	cp disk.raw want.raw
	dd if=data of=want.raw bs=64k seek=16 conv=notrunc status=none
	ok "qemu-img reads the same" qemu-img compare -q -f raw -F qcow2 want.raw inner/over.qcow2
	is "its own ranges" "$("$tool" --allow=. inner/over.qcow2 extents)" "1048576 131072"
done
ok "reading, writing and reading again through one block" \
	"$tool" v3.qcow2 read 0 512 : reopen write : fill 4096 512 7 : flush : reopen read : read 4096 512
done_testing
