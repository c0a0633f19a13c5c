#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Disks of every format through the real binary, as an ordinary user: inspected, edited in
# place and into new images, several Windows on one disk, and read back by programs that
# are not gild's. What must not be edited is refused.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need qemu-img qemu-nbd ntfsresize ntfscat hivexget python3 setpriv
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
[ -x "$mksample" ] || skip_all "mksample is not built"
cd "$scratch" || exit 1
export TMPDIR=$scratch/tmp HOME=$scratch
mkdir tmp drivers
"$mkdrivers" drivers exstor >/dev/null
"$mksample" disk base.raw --volume-size=33554432 >/dev/null
cp "$GILD" gild
# Root could do anything: then it is somebody else who runs gild.
user=()
if [ "$(id -u)" = 0 ]; then
	user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 755 "$scratch"
	chown -R 65534:65534 "$scratch"
fi
gild() { "${user[@]}" ./gild "$@"; }
as_user() { "${user[@]}" "$@"; }
inject() { gild inject "$@" --driver=drivers --any-controller --unsigned=allow --quiet; }
json() { # FILE PYTHON-EXPRESSION over j and its images i
	gild inspect "$1" --json >json.out 2>json.err || cat json.err
	python3 -c 'import json, sys
j = json.load(open("json.out"))
i = [x["image"] for x in j["installations"]]
print(eval(sys.argv[1]))' "$2"
}
raw_of() { # FILE QEMU-FORMAT: as raw disk in raw.out
	rm -f raw.out
	case $2 in
	fixed) head -c -512 "$1" >raw.out ;;
	vpc) qemu-img convert --image-opts "driver=vpc,force_size_calc=current_size,file.filename=$1" -O raw raw.out ;;
	*) qemu-img convert -f "$2" -O raw "$1" raw.out ;;
	esac
}
volume() { # RAW OFFSET-MIB SIZE-MIB: into volume.out
	dd if="$1" of=volume.out bs=1M skip="$2" count="$3" conv=sparse status=none
}
sound() {
	python3 "$GILD_SOURCE/tests/ntfscheck.py" volume.out && ntfsresize -i -f volume.out
}
has_driver() { # by ntfscat and hivexget, from volume.out
	ntfscat -f volume.out Windows/System32/drivers/exstor.sys >sys.out 2>/dev/null || return 1
	cmp sys.out "$(find drivers -path '*amd64*' -name exstor.sys | head -n 1)" || return 1
	ntfscat -f volume.out Windows/System32/config/SYSTEM >hive.out 2>/dev/null || return 1
	[ "$(hivexget hive.out 'ControlSet001\Services\exstor' Start)" = 0 ]
}

# ---- each format: the same disk, edited in place

is "inspect tells the disk" "$(json base.raw '[i[0][k] for k in ("format", "provider", "partition", "system_partition", "file_system", "label")] + [j["disk"]["table"], len(j["disk"]["partitions"])]')" \
	"['raw', 'ntfs', 2, 1, 'NTFS', 'Windows', 'gpt', 2]"
cp --sparse=always base.raw want.raw
chown --reference=base.raw want.raw
before=$(sha256sum <base.raw)
ok "a plan" inject base.raw --dry-run
is "changes nothing" "$(sha256sum <base.raw)" "$before"
ok "raw: injected in place" inject want.raw
volume want.raw 37 32
ok "raw: the volume is sound" sound
ok "raw: driver and service are there for others" has_driver
is "raw: nothing is left beside it" "$(find . -name '*gild-*')" ""

make_container() { # NAME QEMU-FORMAT OPTIONS
	as_user qemu-img convert -f raw -O "$2" ${3:+-o "$3"} base.raw "$1"
}
same() { # NAME QEMU-FORMAT: injected, it holds what the raw disk does
	local format=${1##*.}
	is "$1: inspected" "$(json "$1" 'i[0]["format"]')" "$format"
	ok "$1: injected in place" inject "$1"
	raw_of "$1" "$2"
	ok "$1: the same disk as raw" cmp raw.out want.raw
	is "$1: nothing is left beside it" "$(find . -name "$1?*")" ""
}
make_container fixed.vhd vpc subformat=fixed,force_size=on
same fixed.vhd fixed
make_container dynamic.vhd vpc subformat=dynamic,force_size=on
same dynamic.vhd vpc
make_container disk.vhdx vhdx ''
same disk.vhdx vhdx
ok "disk.vhdx: qemu-img check" qemu-img check -q -f vhdx disk.vhdx
make_container disk.qcow2 qcow2 ''
same disk.qcow2 qcow2
ok "disk.qcow2: qemu-img check" qemu-img check -q -f qcow2 disk.qcow2
make_container disk.vmdk vmdk ''
same disk.vmdk vmdk
as_user qemu-img create -q -f qcow2 -b base.raw -F raw over.qcow2
same over.qcow2 qcow2
is "over.qcow2: its backing file is as it was" "$(sha256sum <base.raw)" "$before"

# ---- new images; the source is only read

output() { # NAME QEMU-FORMAT [OPTION...]
	local name=$1 format=$2
	shift 2
	ok "--output=$name" inject base.raw --output="$name" "$@"
	raw_of "$name" "$format"
	ok "$name: the same disk as the one edited in place" cmp raw.out want.raw
}
output new.qcow2 qcow2
is "new.qcow2 names its source" "$(qemu-img info new.qcow2 | sed -n 's/^backing file: //p' | sed 's/ (.*//')" "./base.raw"
small=$(stat -c %s new.qcow2)
ok "new.qcow2 holds the change only ($small bytes)" test "$small" -lt 4000000
is "new.qcow2: inspected" "$(json new.qcow2 'len(j["installations"][0]["drivers"])')" "1"
mkdir other
chown --reference=base.raw other
output other/new.qcow2 qcow2
fails 1 "its source lies elsewhere: that is not followed by itself" gild inspect other/new.qcow2
ok "but where it is allowed" gild inspect other/new.qcow2 --allow-backing="$scratch"
output alone.qcow2 qcow2 --standalone
is "alone.qcow2 needs no other file" "$(qemu-img info alone.qcow2 | grep -c '^backing')" "0"
output new.vhdx vhdx
output new.vhd fixed
output new.vmdk vmdk
output new.img raw
is "the source is as it was" "$(sha256sum <base.raw)" "$before"
qemu-img convert -O vmdk -o subformat=streamOptimized base.raw stream.vmdk
chown --reference=base.raw stream.vmdk
ok "streamOptimized VMDK: into a new one" inject stream.vmdk --output=stream2.vmdk
is "which is of that kind, too" "$(json stream2.vmdk 'j["disk"]["subtype"]')" "streamOptimized"
fails 2 "an ending that tells no format" inject base.raw --output=new.disk
fails 1 "an output that exists" inject base.raw --output=new.img
mkdir closed
chmod 555 closed
if [ "${#user[@]}" = 0 ] && [ "$(id -u)" = 0 ]; then
	skip "an output that cannot be made" "root may write anywhere"
else
	fails 1 "an output that cannot be made" inject base.raw --output=closed/x.vhdx
fi
chmod 755 closed
is "nothing is left of refused ones" "$(find . -name '*gild-*' -o -name 'new.disk*')" ""
rm -rf new.* alone.* other stream* disk.* over.* fixed.* dynamic.*

# ---- several Windows on an MBR disk, a disk without a table, sectors of 4096 bytes

"$mksample" disk two.raw --table=mbr --images=2 --system-volume --volume-size=33554432 >/dev/null
cp --sparse=always two.raw orig.raw
chown --reference=base.raw two.raw
is "two Windows by number" "$(json two.raw '[(x["index"], x["partition"], x["system_partition"]) for x in i]')" "[(1, 2, 1), (2, 3, 1)]"
fails 2 "which of them has to be said" inject two.raw
ok "the second one" inject two.raw --index=2
ok "leaves the first alone" cmp -n $((49 << 20)) two.raw orig.raw
volume two.raw 49 32
ok "the second volume is sound" sound
ok "and has the driver" has_driver
ok "both at once" inject two.raw --index=all
volume two.raw 17 32
ok "the first volume is sound" sound
ok "and has the driver, too" has_driver
treetool() { "$GILD_BUILD/tests/treetool" "$@"; }
ok "the system volume and a Windows in one edit" treetool --write two.raw use 2 : \
	write Windows/both.txt two : system : write Boot/both.txt one : commit : \
	cat Boot/both.txt : use 2 : cat Windows/both.txt
volume two.raw 1 16
is "the system volume has its part" "$(ntfscat -f volume.out Boot/both.txt 2>/dev/null)" "one"
ok "and is sound" sound
volume two.raw 49 32
is "the other has its own" "$(ntfscat -f volume.out Windows/both.txt 2>/dev/null)" "two"
ok "a change of the system volume alone" treetool --write two.raw system : rm Boot/both.txt : commit
volume two.raw 1 16
fails 1 "is made, too" ntfscat -f volume.out Boot/both.txt
ok "a FAT system volume is opened, too" treetool base.raw system : ls EFI
"$mksample" disk bare.raw --table=none --volume-size=33554432 >/dev/null
chown --reference=base.raw bare.raw
ok "a volume without a table" inject bare.raw
cp --sparse=always bare.raw volume.out
ok "is sound" sound
ok "and has the driver of a bare volume" has_driver
"$mksample" disk 4k.raw --sector-size=4096 --volume-size=33554432 >/dev/null
chown --reference=base.raw 4k.raw
is "sectors of 4096 bytes" "$(json 4k.raw 'j["disk"]["sector_size"]')" "4096"
ok "injected" inject 4k.raw
volume 4k.raw "$(($(json 4k.raw 'j["disk"]["partitions"][1]["offset"]') >> 20))" 32
ok "its volume is sound" sound
ok "and has the driver on sectors of 4096 bytes" has_driver

# ---- edit

cp --sparse=always base.raw x.raw
chown --reference=base.raw x.raw
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\Setup]\r\n"Edited"=dword:00000007\r\n' >x.reg
ok "gild edit" gild edit x.raw --reg=x.reg --copy=./json.out:Windows/json.out --quiet
volume x.raw 37 32
ntfscat -f volume.out Windows/System32/config/SYSTEM >hive.out 2>/dev/null
is "is seen by hivexget" "$(hivexget hive.out Setup Edited)" "7"
ok "and so is the file by ntfscat" sh -c 'ntfscat -f volume.out Windows/json.out 2>/dev/null | cmp - json.out'
ok "the edited volume is sound" sound

# ---- a block device; loop devices are root's

cp --sparse=always base.raw x.raw
if loop=$(losetup --show -f x.raw 2>/dev/null); then
	device() { ./gild inject "$loop" --driver=drivers --any-controller --unsigned=allow --quiet "$@"; }
	fails 2 "a device without a place for the journal" device
	fails 2 "a journal in memory" device --journal=/dev/shm/gild-journal
	ok "a journal on a disk" device --journal="$scratch/device.journal"
	losetup -d "$loop"
	ok "the same disk as the raw file" cmp x.raw want.raw
	is "the journal is gone" "$(find . -name '*journal*')" ""
else
	skip "a block device" "no loop device can be made here"
fi

# ---- what is refused, and how

fresh() {
	rm -f x.raw x.raw.gild-journal
	cp --sparse=always base.raw x.raw
	chown --reference=base.raw x.raw
}
refused() { # CODE WHAT TEXT: x.raw, which stays as it is
	local sum
	sum=$(sha256sum <x.raw)
	fails "$1" "$2" inject x.raw
	cp .out why
	ok "$2: it says why" grep -q "$3" why
	is "$2: untouched" "$(sha256sum <x.raw)" "$sum"
}
fresh
python3 - x.raw <<-'END'
	import sys
	f = open(sys.argv[1], 'r+b')
	base = 37 << 20
	f.seek(base + 3)
	f.write(b'-FVE-FS-')
END
refused 4 "BitLocker without a key" 'BitLocker.*--key'
fresh
"$GILD_BUILD/tests/treetool" --write x.raw write hiberfil.sys "$(printf 'hibr%04092d' 0)" : commit >/dev/null
refused 4 "hibernated" 'hiberfil.sys.*shutdown /s'
ok "hibernated: inspect reads it" gild inspect x.raw
is "hibernated: inspect tells" "$(json x.raw '[p["code"] for p in j["installations"][0]["problems"]].count("hibernated") + [p["code"] for p in j["installations"][0]["problems"]].count("fast_startup")')" "1"
fails 4 "hibernated: no output either" inject x.raw --output=y.qcow2
is "hibernated: nothing is made" "$(find . -name 'y.qcow2*')" ""
fresh
python3 - x.raw "$GILD_SOURCE/tests" <<-'END'
	import sys
	sys.path.insert(0, sys.argv[2])
	f = open(sys.argv[1], 'r+b')
	base = 37 << 20
	f.seek(base)
	boot = f.read(512)
	cluster = int.from_bytes(boot[11:13], 'little') * boot[13]
	for start in (48, 56): # $MFT and its mirror
	    at = base + int.from_bytes(boot[start:start + 8], 'little') * cluster + 3 * 1024
	    f.seek(at)
	    record = bytearray(f.read(1024))
	    i = int.from_bytes(record[20:22], 'little')
	    while int.from_bytes(record[i:i + 4], 'little') != 0x70:
	        i += int.from_bytes(record[i + 4:i + 8], 'little')
	    record[i + int.from_bytes(record[i + 20:i + 22], 'little') + 10] |= 1
	    f.seek(at)
	    f.write(record)
END
refused 4 "a dirty volume" 'chkdsk'
fresh
python3 - x.raw >lock.out <<-'END' &
	# As a virtual machine has it: QEMU's lock on writing (byte 101 of the file).
	import fcntl, struct, sys, time
	f = open(sys.argv[1], 'r+b')
	fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 101, 1, 0))
	print('locked', flush=True)
	time.sleep(60)
END
holder=$!
for _ in $(seq 100); do
	[ ! -s lock.out ] || break
	sleep 0.1
done
refused 4 "in use by a virtual machine" 'in use'
kill $holder
wait $holder 2>/dev/null
fresh
echo 'my notes' >x.raw.gild-journal
chown --reference=base.raw x.raw.gild-journal
refused 4 "a file where the journal would be" 'no journal of gild'
is "a file where the journal would be: untouched, too" "$(cat x.raw.gild-journal)" "my notes"
rm -f x.raw.gild-journal
ok "a journal at another place" inject x.raw --journal=other.journal
is "leaves nothing there" "$(find . -name '*journal*')" ""
head -c 1048576 /dev/zero >zero.raw
fails 2 "zeros are no disk" gild inspect zero.raw
: >empty.raw
fails 2 "an empty file" gild inspect empty.raw
fails 2 "a program" gild inspect gild
fresh
python3 - x.raw <<-'END'
	import sys
	f = open(sys.argv[1], 'r+b')
	f.seek((37 << 20) + 3)
	f.write(b'EXFAT   ')
END
fails 1 "no Windows" gild inspect x.raw
cp .out why
ok "no Windows: exFAT by its name" grep -q 'partition 2: exFAT' why
head -c $((50 << 20)) base.raw >x.raw
chown --reference=base.raw x.raw
fails 1 "a disk that is cut short" gild inspect x.raw
cp .out why
ok "and where" grep -q 'partition 2' why
done_testing
