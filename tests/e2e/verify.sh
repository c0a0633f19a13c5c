#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild verify: sound images, and each finding on an image that was damaged in just that way.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need wimlib-imagex hivexregedit qemu-img jq python3 sfdisk mkfs.fat mcopy
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
damage() { python3 "$GILD_SOURCE/tests/verifydamage.py" "$@"; }
config=Windows/System32/config
export GILD_PROFILES=$GILD_SOURCE/profiles
: >tested

verify() { # FILE [OPTION...]: exit code in $code, findings in found.json
	"$GILD" verify --json "$@" >found.json 2>verify.err
	code=$?
}
# CODE SEVERITY EXIT FILE [OPTION...]
finds() {
	local want=$1 severity=$2 exit=$3
	shift 3
	verify "$@"
	echo "$want" >>tested
	[ "$code" = "$exit" ] && jq -e --arg c "$want" --arg s "$severity" \
		'any(.findings[]; .code == $c and .severity == $s and (.remedy | length) > 0)' \
		found.json >/dev/null
	judged "$want ($severity) in ${1##*/}" $? "exit code $code (expected $exit)"
}
judged() { # WHAT RESULT NOTE: with the findings, if it failed
	[ "$2" = 0 ] || {
		echo "$3"
		jq -c '.findings[]' found.json
		cat verify.err
	} >why 2>&1
	tap "$2" "$1" why
}
# WHAT FILE [OPTION...]: no error and no warning but those of --except.
sound() {
	local what=$1
	shift
	verify "$@"
	[ "$code" = 0 ] && [ -z "$(jq -r --arg e "${except-}" \
		'.findings[] | select(.severity != "note" and (.code | IN($e | split(" ")[]) | not)) | .code' \
		found.json)" ]
	judged "sound: $what" $? "exit code $code"
}
# A copy of a file to damage, and what was done to it: NAME SOURCE CHANGE...
copy() {
	local to=$1 from=$2
	shift 2
	rm -f "$to"
	cp --sparse=always --reflink=auto "$from" "$to"
	[ $# = 0 ] || damage "$to" "$@"
}

# ---- sound images --------------------------------------------------------------------------
"$mksample" tree s10 --windows=10 --generalized || exit 1
"$mksample" tree oem --windows=10 --generalized --oem || exit 1
"$mksample" tree i10 --windows=10 || exit 1
"$mksample" tree s11 --windows=11 --arch=arm64 --generalized || exit 1
"$mksample" tree pe --pe || exit 1
"$mksample" wim x.wim --windows=10 --generalized --images=2 --compress=LZX || exit 1
sound "folder" s10
sound "folder of Windows 11 on arm64" s11
sound "Windows PE" pe
sound "WIM with two images" x.wim --deep
is "the schema" "$(jq -r .schema found.json)" gild.verify/1
is "its members" "$(jq -r 'keys_unsorted | join(" ")' found.json)" \
	"schema image format deep verdict checked bytes_read summary findings"
is "those of a finding" "$(jq -r '.findings[0] | keys_unsorted | join(" ")' found.json)" \
	"code severity index subject message remedy"
except="driver_untrusted staged_not_reflected" sound "with third-party drivers" oem
finds driver_untrusted warning 0 oem

# A disk that a BIOS would start: the sample's, with boot code and a boot configuration.
"$mksample" disk plain.raw --windows=10 --generalized --table=mbr || exit 1
finds mbr_code_missing error 3 plain.raw
finds volume_code_missing error 3 plain.raw
store() { # FILE OPTION...: a store on the sample's template
	local file=$1
	shift
	cp s10/$config/BCD-Template "$file"
	damage bcd "$@" >bcd.reg && hivexregedit --merge "$file" bcd.reg
}
put_store() { # DISK OPTION...
	local disk=$1
	shift
	store BCD.new "$@" && "$GILD" edit "$disk" --quiet --copy=BCD.new:Boot/BCD >/dev/null
}
windows='device=mbr:0x67696c64,1M osdevice=mbr:0x67696c64,1M root=\Windows'
bios="$windows path=\\Windows\\system32\\winload.exe"
copy b.raw plain.raw put=0:33c08ed0bc007c8ec0 "zero=1M@84:425" put=1M@84:33c08ed0bc007c \
	zero=-1M@-512:512
# The backup of the boot sector follows the first.
dd if=b.raw of=b.raw bs=512 skip=2048 seek=$((2048 + 64 * 2048 - 1)) count=1 conv=notrunc 2>/dev/null
# shellcheck disable=SC2086
put_store b.raw manager=mbr:0x67696c64,1M $bios || exit 1
sound "MBR disk" b.raw --deep
is "all of it was looked at" "$(jq -r '.checked | map(select(test("^(MBR|NTFS|boot configuration|all contents)"))) | length' found.json)" 4
qemu-img convert -O vhdx b.raw b.vhdx || exit 1
sound "the same as VHDX" b.vhdx
verify b.raw && is "the verdict" "$(jq -r .verdict found.json)" starts

# ---- MBR -------------------------------------------------------------------------------------
copy d.raw b.raw zero=446:1
finds mbr_no_active error 3 d.raw
copy d.raw b.raw put=462:8000000007000000 put=470:0018020000080000
finds mbr_several_active error 3 d.raw
copy d.raw b.raw zero=440:4
finds mbr_signature_missing warning 3 d.raw
copy d.raw b.raw put=458:00000040
finds partition_bounds error 3 d.raw
copy d.raw b.raw put=462:0000000007000000 put=470:0010000000080000
finds partition_overlap error 3 d.raw

# ---- NTFS boot sectors, $MFT ------------------------------------------------------------------
end=$((1048576 + 64 * 1048576))
copy d.raw b.raw zero=1M:512
finds ntfs_boot_sector error 3 d.raw
copy d.raw b.raw zero=$((end - 512)):512
finds ntfs_backup_boot warning 0 d.raw
copy d.raw b.raw put=1M@28:3f000000 put=$((end - 512 + 28)):3f000000
finds ntfs_hidden_sectors error 3 d.raw
copy d.raw b.raw put=458:00080200
finds ntfs_size warning 0 d.raw
copy d.raw b.raw put=458:00f80100
finds ntfs_size error 3 d.raw
copy d.raw b.raw flip=$((1048576 + 4 * 4096 + 3 * 1024 + 510))
finds ntfs_mft error 3 d.raw
copy d.raw b.raw flip=$((1048576 + 8191 * 4096 + 200))
finds ntfs_mft_mirror warning 3 d.raw
is "and libntfs-3g does not mount it" "$(jq -r '.findings[0].code' found.json)" image_damaged
copy d.raw b.raw put=1M@11:0010 put=1M@13:01
finds sector_size error 3 d.raw
copy d.raw b.raw zero=1M:512 zero=$((end - 512)):512
finds no_windows error 3 d.raw
dd if=/dev/zero of=hiberfil bs=4096 count=1 2>/dev/null
damage hiberfil put=0:68696272
copy d.raw b.raw
"$GILD" edit d.raw --quiet --copy=hiberfil:hiberfil.sys >/dev/null
finds hibernated warning 0 d.raw
dd if=b.raw of=bare.raw bs=1M skip=1 count=64 2>/dev/null
finds no_partition_table warning 0 bare.raw

# ---- the boot configuration ------------------------------------------------------------------------
broken_store() { # CODE SEVERITY EXIT OPTION...
	local expected=("$1" "$2" "$3")
	shift 3
	copy d.raw b.raw
	put_store d.raw "$@"
	finds "${expected[@]}" d.raw
}
l='path=\Windows\system32\winload.exe'
# shellcheck disable=SC2086
{
	broken_store bcd_manager error 3 manager=none $bios
	broken_store bcd_device error 3 manager=0000 $bios
	broken_store bcd_default error 3 default=none $bios
	broken_store bcd_default error 3 default={67696c64-0000-4000-8000-00000000dead} $bios
	broken_store bcd_order warning 0 order={67696c64-0000-4000-8000-00000000dead} $bios
	broken_store bcd_partition error 3 $l device=mbr:0x67696c64,2M osdevice=mbr:0x67696c64,1M 'root=\Windows'
	broken_store bcd_partition error 3 $l device=mbr:0x12345678,1M osdevice=boot 'root=\Windows'
	broken_store bcd_loader error 3 $windows
	broken_store bcd_firmware error 3 $windows 'path=\Windows\system32\winload.efi'
	broken_store boot_file_missing error 3 $windows 'path=\Windows\system32\nothing.exe'
	broken_store bcd_root error 3 $l device=boot osdevice=boot 'root=\Winnt'
}
copy locate.raw b.raw
put_store locate.raw 'device=locate:\Windows\system32\winload.exe' 'osdevice=locate:\Windows' \
	'root=\Windows' "$l"
sound "a store of the locate form" locate.raw
head -c 9000 /dev/urandom >noise
copy d.raw b.raw
"$GILD" edit d.raw --quiet --copy=noise:Boot/BCD >/dev/null
finds bcd_damaged error 3 d.raw
copy d.raw b.raw
: >empty
"$GILD" edit d.raw --quiet --copy=empty:bootmgr >/dev/null
finds boot_manager_missing error 3 d.raw

# ---- GPT, the EFI system partition -------------------------------------------------------------------
"$mksample" disk g.raw --windows=10 --generalized || exit 1
store esp.bcd manager=gpt:67696C64-0000-4000-8000-000000000000,67696C64-0000-4000-8000-000000000001 \
	device=gpt:67696C64-0000-4000-8000-000000000000,67696C64-0000-4000-8000-000000000100 \
	osdevice=gpt:67696C64-0000-4000-8000-000000000000,67696C64-0000-4000-8000-000000000100 \
	'path=\Windows\system32\winload.efi' 'root=\Windows'
export MTOOLS_SKIP_CHECK=1
mcopy -o -i g.raw@@1M esp.bcd ::/EFI/Microsoft/Boot/BCD || exit 1
except="boot_manager_unsigned" sound "GPT disk" g.raw --deep
copy d.raw g.raw
finds boot_manager_unsigned warning 0 d.raw
mdel -i d.raw@@1M ::/EFI/Boot/bootx64.efi
finds fallback_missing error 3 d.raw
copy d.raw g.raw
mdel -i d.raw@@1M ::/EFI/Microsoft/Boot/BCD
finds bcd_missing error 3 d.raw
copy d.raw g.raw
mcopy -o -i d.raw@@1M s11/Windows/Boot/EFI/bootmgfw.efi ::/EFI/Microsoft/Boot/bootmgfw.efi
finds boot_file_arch error 3 d.raw
copy d.raw g.raw gpt=2.guid=11111111-2222-4333-8444-555555555504
finds bcd_partition error 3 d.raw

copy d.raw g.raw flip=540
finds gpt_damaged warning 0 d.raw
copy d.raw g.raw flip=1100
finds gpt_damaged warning 0 d.raw
copy d.raw g.raw zero=-512:512
finds gpt_backup_damaged warning 0 d.raw
copy d.raw g.raw "gpt=backup:1.name=another"
finds gpt_copies_differ warning 0 d.raw
copy d.raw g.raw
truncate -s +1M d.raw
finds gpt_backup_misplaced warning 0 d.raw
copy d.raw g.raw zero=446:64
finds mbr_protective error 3 d.raw
copy d.raw g.raw put=462:0000000007000000 put=470:0008000000100000
finds mbr_hybrid error 3 d.raw
copy d.raw g.raw gpt=1.type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7
finds esp_missing error 3 d.raw
finds system_volume_unread warning 3 d.raw
copy d.raw g.raw gpt=2.type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
finds esp_several warning 0 d.raw
copy d.raw g.raw zero=1M:512
finds esp_damaged error 3 d.raw
copy d.raw g.raw "gpt=2.last+=4096"
finds partition_bounds error 3 d.raw
copy d.raw g.raw "gpt=1.last+=100"
finds partition_overlap error 3 d.raw
copy d.raw g.raw gpt=2.guid=67696C64-0000-4000-8000-000000000001
finds partition_guid_twice error 3 d.raw
copy d.raw g.raw "gpt=1.first+=1"
finds partition_alignment note 3 d.raw
copy d.raw g.raw zero=512:1024 zero=-512:512
finds table_unreadable error 3 d.raw

# ---- FAT ---------------------------------------------------------------------------------------------------
copy d.raw g.raw flip=$((1048576 + 6 * 512 + 3))
finds fat_backup_boot warning 0 d.raw
copy d.raw g.raw zero=$((1048576 + 512)):512
finds fat_fsinfo warning 0 d.raw
copy d.raw g.raw flip=$((1048576 + 32 * 512 + 400))
finds fat_tables_differ warning 0 d.raw
copy d.raw g.raw put=$((1048576 + 32 * 512 + 4)):fffffff7
finds fat_dirty warning 0 d.raw
truncate -s 40M f.raw
printf 'label: dos\nlabel-id: 0x1\nstart=2048, size=73728, type=c, bootable\n' |
	sfdisk -q f.raw >/dev/null 2>&1
mkfs.fat -F 32 --offset 2048 -h 63 f.raw 36864 >/dev/null 2>&1
damage f.raw put=1M@28:3f000000
finds fat_hidden_sectors error 3 f.raw

# ---- a Windows ------------------------------------------------------------------------------------------------
tree() { # a copy of a folder
	rm -rf t
	cp -r "$1" t
}
tree s10
rm t/$config/SAM
finds hive_missing error 3 t
tree s10
truncate -s 8192 t/$config/SOFTWARE
finds hive_damaged error 3 t
tree s10
damage t/$config/SYSTEM flip=4104
finds hive_damaged error 3 t
tree s10
damage t/$config/SECURITY dirty=yes
finds hive_dirty warning 0 t
if [ -e "$GILD_TEST_DATA/hives/win10-1709-x64-dell.SYSTEM.xz" ]; then
	for end in SYSTEM SYSTEM.LOG1 SYSTEM.LOG2; do
		xz -dc "$GILD_TEST_DATA/hives/win10-1709-x64-dell.$end.xz" >"real.$end"
	done
	"$mksample" tree dell --windows=10 --system=real.SYSTEM || exit 1
	# Its services' files are not in the sample.
	finds hive_recovered note 3 dell
else
	echo hive_recovered >>tested
	skip hive_recovered "GILD_TEST_DATA has no hive with logs"
fi
tree s10
rm t/Windows/System32/ntoskrnl.exe
finds boot_file_missing error 3 t
tree s10
cp s11/Windows/System32/hal.dll t/Windows/System32/hal.dll
finds boot_file_arch error 3 t
tree s10
rm t/Windows/Boot/EFI/bootmgfw.efi
finds boot_source_missing warning 0 t
tree s10
rm t/Windows/System32/drivers/stornvme.sys
finds driver_file_missing error 3 t
tree s10
cp s11/Windows/System32/drivers/disk.sys t/Windows/System32/drivers/disk.sys
finds driver_arch error 3 t
tree oem
damage t/Windows/System32/drivers/exscsi.sys flip=3000
finds driver_unsigned error 3 t
profile() { # NAME DEVICES
	printf '<profile xmlns="urn:gild:profile:1" id="%s" name="%s" type="virtual" lists="PCI">%s</profile>\n' \
		"$1" "$1" "$2" >"$1.xml"
}
profile bare ''
profile pvscsi '<devices role="boot-storage"><device
	id="PCI\VEN_15AD&amp;DEV_07C0&amp;SUBSYS_07C015AD&amp;REV_02&amp;CC_010700" name="PVSCSI"/></devices>'
finds controller_blocked warning 3 i10
finds no_storage_driver error 3 i10
finds state_personal warning 3 i10
finds controller_unsupported note 0 s10
finds target_fails error 3 s10 --for=./pvscsi.xml
verify s10 --for=qemu-q35
is "and a profile whose controller is known" "$code$(jq -r '.findings[].code' found.json | grep target_fails)" 0
finds target_loss note 0 s10 --for=qemu-q35
finds target_undecided warning 0 s10 --for=./bare.xml
merge() { # HIVE LINES
	printf 'Windows Registry Editor Version 5.00\n\n%s\n' "$2" |
		hivexregedit --merge "t/$config/$1"
}
state() { # CODE SEVERITY EXIT IMAGE_STATE
	tree s10
	merge SOFTWARE "[\\Microsoft\\Windows\\CurrentVersion\\Setup\\State]
\"ImageState\"=\"$4\"
"
	finds "$1" "$2" "$3" t
}
state state_audit warning 0 IMAGE_STATE_SPECIALIZE_RESEAL_TO_AUDIT
state state_undeployable error 3 IMAGE_STATE_UNDEPLOYABLE
merge SYSTEM '[\Setup\Status\SysprepStatus]
"GeneralizationState"=dword:00000003
'
finds sysprep_stuck error 3 t
tree i10
merge SYSTEM '[\Setup]
"SystemSetupInProgress"=dword:00000001
'
finds state_setup warning 3 t
tree s10
rm t/Windows/System32/oobe/windeploy.exe
finds setup_command error 3 t
tree s10
merge SYSTEM '[\Setup]
"CmdLine"=""
'
finds setup_command error 3 t
tree oem
rm -r t/Windows/System32/DriverStore/FileRepository/examplescsi.inf_*
finds store_folder_missing warning 0 t
tree s10
merge SYSTEM '[\Select]
"Current"=dword:00000001

[-\ControlSet001]

[-\ControlSet002]
'
finds windows_unreadable error 3 t
mkdir none
finds no_windows error 3 none

# ---- WIM ----------------------------------------------------------------------------------------------------------
copy d.wim x.wim wim=content
verify d.wim
is "a damaged content is not looked for without --deep" "$code" 0
finds content_damaged error 3 d.wim --deep
copy d.wim x.wim wim=metadata
finds tree_damaged error 3 d.wim
copy d.wim x.wim wim=table-end
finds image_damaged error 3 d.wim
copy d.wim x.wim wim=overlap
finds wim_overlap error 3 d.wim
copy d.wim x.wim wim=xml
finds wim_xml warning 0 d.wim
copy d.wim x.wim wim=xml-counts
finds wim_xml_counts note 0 d.wim
"$mksample" wim none.wim --windows=10 --generalized --plain --compress=none || exit 1
python3 "$GILD_SOURCE/tests/wimpatch.py" none.wim missing=Windows/explorer.exe
finds wim_content_missing error 3 none.wim
cp x.wim c.wim
wimlib-imagex optimize c.wim --check >/dev/null 2>&1 || exit 1
sound "WIM with an integrity table" c.wim --deep
copy d.wim c.wim wim=integrity
finds wim_integrity_table warning 0 d.wim
copy d.wim c.wim wim=content
finds wim_integrity error 3 d.wim --deep
head -c 100000 x.wim >short.wim
finds image_damaged error 3 short.wim

# ---- --deep of a disk -----------------------------------------------------------------------------------------------
# $MFT begins in cluster 4; records of 1 KiB. Record 6 is $Bitmap.
python3 - b.raw <<-'END'
	import struct, sys
	def runs(raw):
	    out, lcn, p = [], 0, 0
	    while raw[p]:
	        n, m = raw[p] & 15, raw[p] >> 4
	        count = int.from_bytes(raw[p + 1:p + 1 + n], "little")
	        lcn += int.from_bytes(raw[p + 1 + n:p + 1 + n + m], "little", signed=True)
	        out.append((lcn, count))
	        p += 1 + n + m
	    return out
	f = open(sys.argv[1], "rb")
	base = 1 << 20
	def data_runs(number):
	    f.seek(base + 4 * 4096 + number * 1024)
	    r = f.read(1024)
	    at = struct.unpack_from("<H", r, 20)[0]
	    while struct.unpack_from("<I", r, at)[0] != 0xffffffff:
	        kind, size = struct.unpack_from("<II", r, at)
	        if kind == 0x80 and r[at + 8]:
	            return runs(r[at + struct.unpack_from("<H", r, at + 32)[0]:])
	        at += size
	    return []
	bitmap = base + data_runs(6)[0][0] * 4096
	f.seek(bitmap)
	bits = f.read(64 * 256 // 8)
	def pairs(number): # where the mapping pairs of $DATA lie, and their first byte
	    f.seek(base + 4 * 4096 + number * 1024)
	    r = f.read(1024)
	    at = struct.unpack_from("<H", r, 20)[0]
	    while r[:4] == b"FILE" and at < 1000 and struct.unpack_from("<I", r, at)[0] != 0xffffffff:
	        kind, size = struct.unpack_from("<II", r, at)
	        if kind == 0x80 and r[at + 8]:
	            at += struct.unpack_from("<H", r, at + 32)[0]
	            return base + 4 * 4096 + number * 1024 + at, r[at:at + 8]
	        at += size
	    return 0, b""
	def named(name):
	    f.seek(base + 4 * 4096)
	    mft = f.read(2 << 20)
	    return base + 4 * 4096 + mft.index(name.encode("utf-16-le")) // 1024 * 1024
	used = next(n for n in range(64, 200) for lcn, c in data_runs(n)[:1] if bits[lcn // 8] >> (lcn % 8) & 1)
	lcn = data_runs(used)[0][0]
	free = next(i for i in range(len(bits) * 8 - 1, 0, -1) if not bits[i // 8] >> (i % 8) & 1)
	with open("places", "w") as out:
	    print(bitmap + lcn // 8, "%02x" % (bits[lcn // 8] & ~(1 << lcn % 8)),
	          bitmap + free // 8, "%02x" % (bits[free // 8] | 1 << free % 8),
	          base + 4 * 4096 + used * 1024, file=out)
	    plain = [(n, *pairs(n)) for n in range(64, 300)]
	    one, two = next((a, b) for a in plain for b in plain
	                    if a[0] < b[0] and a[1] and b[1] and a[2][0] == b[2][0] == 0x21)
	    print(two[1] + 2, one[2][2:4].hex(), named("ntoskrnl.exe"), file=out)
END
{
	read -r used used_byte free free_byte record
	read -r place other kernel
} <places
copy d.raw b.raw put="$place:$other"
finds ntfs_cross_linked error 3 d.raw --deep
copy d.raw b.raw flip=$((kernel + 510))
finds file_damaged error 3 d.raw
copy d.raw b.raw flip=$((1048576 + 8191 * 4096 + 200))
finds ntfs_unreadable error 3 d.raw --deep
copy d.raw b.raw put="$used:$used_byte"
finds ntfs_bitmap error 3 d.raw --deep
copy d.raw b.raw put="$free:$free_byte"
finds ntfs_lost_clusters warning 0 d.raw --deep
copy d.raw b.raw flip=$((record + 510))
finds ntfs_record error 3 d.raw --deep

# ---- volumes that Windows made: none holds a Windows, but all are whole ---------------------------
for name in win-server2022-dynamic.vhdx.xz win10-fixed-ntfs.vhd.xz ntfs3.raw.gz ntfs-lastaccess.raw.gz \
	ntfs-ptrn.raw.gz; do
	file=$GILD_TEST_DATA/images/disk/$name
	if [ ! -e "$file" ]; then
		skip "$name" "GILD_TEST_DATA has no such image"
		continue
	fi
	case $name in
	*.xz) xz -dc "$file" >"real.${name%.xz}" ;;
	*) gzip -dc "$file" >"real.${name%.gz}" ;;
	esac
	verify "real.${name%.*}" --deep
	is "${name%.*}, made by Windows" "$(jq -r '.findings[].code |
		select(test("^(gpt|ntfs|content|container|image|tree|partition_(b|o|g))"))' found.json)" ""
done

# ---- every code that is documented was made -----------------------------------------------------
cp b.vhdx d.vhdx
damage d.vhdx zero=64K:8K zero=128K:8K zero=192K:64K
finds container_damaged error 3 d.vhdx
sed -n '/^## gild.verify/,/^## Inv/s/^| \(`.*`\) | .*/\1/p' "$GILD_SOURCE/docs/json.md" |
	grep -o '`[a-z_]*`' | tr -d '`' | sort -u >documented
is "each finding that is documented has a test" "$(sort -u tested | comm -13 - documented | xargs)" ""
grep -ohE '"[a-z]+_[a-z_]+"' "$GILD_SOURCE"/src/builder/verify*.c | tr -d '"' | sort -u >coded
is "and each is one of the program's" "$(comm -13 coded documented | xargs)" ""

# ---- what cannot be judged ---------------------------------------------------------------------------------------------
fails 1 "a file that is not there" "$GILD" verify nothing.wim
fails 2 "no image" "$GILD" verify noise
is "an image that another run changes" "$(python3 - "$GILD" x.wim <<-'END'
	import fcntl, os, struct, subprocess, sys
	f = open(sys.argv[2], "r+b")
	fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))  # F_OFD_SETLK
	print(subprocess.call([sys.argv[1], "verify", sys.argv[2]], stderr=subprocess.DEVNULL))
END
)" 4
fails 2 "an index that there is not" "$GILD" verify x.wim --index=9
done_testing
