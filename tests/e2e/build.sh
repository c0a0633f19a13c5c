#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild build through the real binary, as an ordinary user: disks and WIMs from WIMs, disks
# and folders, judged by programs that are not gild's: sgdisk, fsck.fat, ntfsresize,
# wimlib-imagex, qemu-img, mtools, hivexget.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need qemu-img sgdisk sfdisk fsck.fat mdir mtype ntfsresize ntfscat wimlib-imagex hivexget hivexregedit jq python3 setpriv xmllint
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
[ -x "$mksample" ] || skip_all "mksample is not built"
cd "$scratch" || exit 1
export TMPDIR=$scratch/tmp HOME=$scratch MTOOLS_SKIP_CHECK=1
mkdir tmp drivers
"$mkdrivers" drivers exstor exnic >/dev/null
"$mksample" wim two.wim --images=2 --generalized --winre --compress=LZX >/dev/null
"$mksample" disk master.raw --generalized --volume-size=67108864 >/dev/null
"$mksample" tree folder --generalized >/dev/null
cp "$GILD" gild
user=()
if [ "$(id -u)" = 0 ]; then
	user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 755 "$scratch"
	chown -R 65534:65534 "$scratch"
fi
gild() { "${user[@]}" ./gild "$@"; }
MiB=1048576
# The one volume of Windows, and the ESP, out of a raw disk.
part() { # RAW ROLE OUT
	local offset size
	read -r offset size < <(jq -r --arg r "$2" '.disk.partitions[] | select(.role == $r) | "\(.offset) \(.size)"' out.json)
	rm -f "$3"
	dd if="$1" of="$3" bs=$MiB skip=$((offset / MiB)) count=$((size / MiB)) conv=sparse status=none
}
volume_is_sound() { python3 "$GILD_SOURCE/tests/ntfscheck.py" --strict "$1" && ntfsresize -i -f "$1"; }
# What the volume holds is what image INDEX of a WIM holds: names, metadata, contents.
same_as_image() { # VOLUME WIM INDEX
	rm -f got.wim want.wim
	wimlib-imagex capture "$1" got.wim image --compress=none >/dev/null 2>&1
	wimlib-imagex export "$2" "$3" want.wim image --compress=none >/dev/null 2>&1
	: >nothing
	python3 "$GILD_SOURCE/tests/wimcheck.py" want.wim got.wim 1 nothing anywhere
}
left_behind() { find . tmp -name '*gild-*' -o -name '*.new' | grep -v '^./gild$'; }

# ---- a disk for UEFI

ok "a raw disk" gild build two.wim --index=1 --output=plain.raw --size=512M --json
gild build two.wim --index=1 --output=again.raw --size=512M --json >out.json 2>err
is "and its report" "$(jq -r '[.schema, .windows.arch, .disk.firmware, .disk.virtual_size, (.disk.partitions | length)] | @tsv' out.json | tr '\t' ' ')" \
	"gild.build/1 amd64 uefi 536870912 3"
ok "the same bytes again" cmp plain.raw again.raw
"${user[@]}" taskset -c 0 ./gild build two.wim --index=1 --output=one.raw --size=512M --quiet
ok "the same bytes on one processor" cmp plain.raw one.raw
rm -f again.raw one.raw
ok "sgdisk finds the table sound" sh -c "sgdisk -v plain.raw | grep -q 'No problems found'"
is "three partitions of their types" "$(sfdisk -d plain.raw | sed -n 's/.*type=\([^,]*\).*/\1/p' | tr '\n' ' ')" \
	"C12A7328-F81F-11D2-BA4B-00A0C93EC93B E3C9E316-0B5C-4DB8-817D-F92DF00215AE EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 "
part plain.raw esp esp.img
ok "fsck.fat finds the ESP sound" fsck.fat -n esp.img
ok "the boot manager is under the name that firmware knows" \
	sh -c "mtype -i esp.img ::EFI/Boot/bootx64.efi >a && mtype -i esp.img ::EFI/Microsoft/Boot/bootmgfw.efi >b && cmp a b && test -s a"
part plain.raw windows volume.img
ok "the Windows volume is sound" volume_is_sound volume.img
ok "and holds what the image holds" same_as_image volume.img two.wim 1
mtype -i esp.img ::EFI/Microsoft/Boot/BCD >bcd 2>/dev/null
default=$(hivexget bcd '\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003' Element)
ok "the boot configuration names the Windows partition" python3 - bcd "$default" \
	"$(jq -r '.disk.partitions[] | select(.role == "windows") | .guid' out.json)" <<-'END'
	import subprocess, sys, uuid
	bcd, default, guid = sys.argv[1:]
	text = subprocess.run(["hivexregedit", "--export", "--prefix", "HKEY", bcd,
	                       "\\Objects\\%s\\Elements\\11000001" % default], capture_output=True, text=True).stdout
	raw = bytes(int(x, 16) for x in text.split("hex(3):")[1].replace("\\\n", "").split()[0].strip().split(","))
	sys.exit(raw[0x20:0x30] != uuid.UUID(guid).bytes_le)
	END
ok "gild inspect finds Windows and system volume" sh -c \
	"./gild inspect plain.raw --json | jq -e '.installations[0].image.partition == 3 and .installations[0].image.system_partition == 1'"
ok "gild verify has nothing to say against it" gild verify plain.raw

# ---- containers hold the same disk

for format in vhd vhdx qcow2; do
	ok "$format" gild build two.wim --index=1 --output="disk.$format" --size=512M --quiet
	case $format in
	vhd) spec="driver=vpc,force_size_calc=current_size,file.filename=disk.vhd" ;;
	*) spec="driver=$format,file.filename=disk.$format" ;;
	esac
	ok "$format: the same disk as raw" qemu-img compare --image-opts "$spec" driver=raw,file.filename=plain.raw
	[ $format = vhd ] || ok "$format: qemu-img check" qemu-img check -q "disk.$format"
	cp "disk.$format" first
	rm "disk.$format"
	gild build two.wim --index=1 --output="disk.$format" --size=512M --quiet
	ok "$format: the same bytes again" cmp first "disk.$format"
done
is "a fixed VHD is whole MiB and a footer" $(($(stat -c %s disk.vhd) % MiB)) 512
rm -f first disk.vhd disk.qcow2

# ---- changes on the way

ok "drivers, any controller, recovery image, and what is one PC's out" \
	gild build two.wim --index=2 --output=full.raw --size=512M --driver=drivers --any-controller --winre \
	--unsigned=allow --depersonalize --boot-device=locate
rm full.raw
gild build two.wim --index=2 --output=full.raw --size=512M --driver=drivers --any-controller --winre \
	--unsigned=allow --depersonalize --boot-device=locate --json >out.json 2>err
is "both packages are in" "$(jq -c '[.packages[] | select(.image | endswith("wim") | not) | .verdict] | unique' out.json)" '["added"]'
part full.raw windows volume.img
ok "the volume is sound" volume_is_sound volume.img
ntfscat -f volume.img Windows/System32/config/SYSTEM >system 2>/dev/null
is "the storage driver starts at boot" "$(hivexget system 'ControlSet001\Services\exstor' Start)" 0
is "no drive letters of another disk" "$(hivexget system MountedDevices 2>/dev/null)" ""
part full.raw esp esp.img
mtype -i esp.img ::EFI/Microsoft/Boot/BCD >bcd 2>/dev/null
ok "devices in the locate form" python3 -c '
import sys
raw = open("bcd", "rb").read()
sys.exit(bytes.fromhex("0800000000000000") not in raw)'
ok "gild verify agrees" gild verify full.raw
rm -f full.raw

# ---- answer files

cat >answer.xml <<-'END'
	<?xml version="1.0" encoding="utf-8"?>
	<unattend xmlns="urn:schemas-microsoft-com:unattend" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
	  <settings pass="offlineServicing">
	    <component name="Microsoft-Windows-PnpCustomizationsNonWinPE" processorArchitecture="amd64"
	        publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
	      <DriverPaths>
	        <PathAndCredentials wcm:action="add" wcm:keyValue="1"><Path>drivers</Path></PathAndCredentials>
	      </DriverPaths>
	    </component>
	  </settings>
	  <settings pass="specialize">
	    <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64"
	        publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
	      <ComputerName>BUILT</ComputerName>
	    </component>
	  </settings>
	</unattend>
END
cat >set.reg <<-'END'
	Windows Registry Editor Version 5.00

	[HKEY_LOCAL_MACHINE\SYSTEM\Setup]
	"UnattendFile"="C:\\other.xml"
END
cp two.wim other.wim
gild edit other.wim --index=1 --reg=set.reg --copy=answer.xml:Windows/Panther/Unattend/unattend.xml --quiet
gild build other.wim --index=1 --output=answer.raw --size=512M --answer=answer.xml --unsigned=allow --json >out.json 2>err
is "an answer file: its driver paths are injected" "$(jq -c '[.packages[].verdict] | unique' out.json)" '["added"]'
part answer.raw windows volume.img
ntfscat -f volume.img Windows/Panther/unattend.xml >written.xml 2>/dev/null
ok "an answer file: it lies where Windows looks" grep -q BUILT written.xml
ok "an answer file: without the pass that is done" sh -c "! grep -q offlineServicing written.xml && xmllint --noout written.xml"
ok "an answer file: none that Windows would rank before it" sh -c "! ntfscat -f volume.img Windows/Panther/Unattend/unattend.xml"
ntfscat -f volume.img Windows/System32/config/SYSTEM >system 2>/dev/null
is "an answer file: and no value that does" "$(hivexget system Setup UnattendFile 2>/dev/null)" ""
rm -f answer.raw volume.img
echo geheim >secret
gild build two.wim --index=1 --output=auto.wim --answer=auto --user=Jo --password=@secret --locale=de-DE --extend --json >out.json 2>err
wimlib-imagex extract auto.wim 1 Windows/Panther/unattend.xml --to-stdout >written.xml 2>/dev/null
ok "--answer=auto: well-formed" xmllint --noout written.xml
is "--answer=auto: the user" "$(xmllint --xpath 'string(//*[local-name()="LocalAccount"]/*[local-name()="Name"])' written.xml)" Jo
ok "--answer=auto: the password is nowhere in clear" sh -c "! grep -q geheim written.xml out.json err"
fails 2 "an answer file that is none" gild build two.wim --index=1 --output=x.raw --size=512M --answer=set.reg
sed 's/amd64/arm64/' answer.xml >wrong.xml
fails 2 "an answer file for other processors" gild build two.wim --index=1 --output=x.raw --size=512M --answer=wrong.xml
fails 2 "a user without --answer=auto" gild build two.wim --index=1 --output=x.raw --user=Jo
rm -f auto.wim other.wim

# ---- CompactOS

gild build two.wim --index=1 --output=compact.raw --size=512M --compact --json >out.json 2>err
ok "--compact: files are stored compressed" jq -e '.disk.compacted > 0' out.json
part compact.raw windows volume.img
ok "--compact: the volume is sound" volume_is_sound volume.img
ok "--compact: gild reads it" sh -c "./gild inspect compact.raw --json | jq -e '.installations[0].windows.product'"
is "--compact: it takes less" "$(($(du -k compact.raw | cut -f1) < $(du -k plain.raw | cut -f1)))" 1
rm -f compact.raw

# ---- 4096-byte sectors

gild build two.wim --index=1 --output=4k.raw --size=640M --sector-size=4096 --json >out.json 2>err
is "4096-byte sectors" "$(./gild inspect 4k.raw --json | jq -r '.disk.sector_size')" 4096
part 4k.raw esp esp.img
ok "4096-byte sectors: fsck.fat" fsck.fat -n esp.img
part 4k.raw windows volume.img
ok "4096-byte sectors: ntfscheck" python3 "$GILD_SOURCE/tests/ntfscheck.py" --strict volume.img
rm -f 4k.raw volume.img esp.img

# ---- BIOS

gild build two.wim --index=1 --output=bios.raw --size=256M --firmware=bios --json >out.json 2>err
is "--firmware=bios: one active partition" "$(sfdisk -d bios.raw | grep -c 'type=7, bootable')" 1
part bios.raw windows volume.img
ok "--firmware=bios: the volume is sound" volume_is_sound volume.img
ok "--firmware=bios: its boot manager" sh -c "ntfscat -f volume.img bootmgr >bootmgr 2>/dev/null && test -s bootmgr"
ok "--firmware=bios: its boot configuration" sh -c "ntfscat -f volume.img Boot/BCD 2>/dev/null >bcd && hivexget bcd Objects"
ok "--firmware=bios: gild verify" gild verify bios.raw
rm -f bios.raw volume.img

# ---- from a disk, from a folder

ok "from a disk" gild build master.raw --output=copy.raw --size=512M --json
rm copy.raw
gild build master.raw --output=copy.raw --size=512M --json >out.json 2>err
part copy.raw windows volume.img
ok "from a disk: the volume is sound" volume_is_sound volume.img
ok "from a disk: gild verify" gild verify copy.raw
gild capture master.raw --output=master.wim --no-default-exclusions --quiet
ok "from a disk: what it held" same_as_image volume.img master.wim 1
ok "from a folder" gild build folder --output=folder.raw --size=512M
ok "from a folder: gild verify" gild verify folder.raw
rm -f copy.raw folder.raw

# ---- WIMs

ok "a WIM from a WIM" gild build two.wim --index=2 --output=one.wim --driver=drivers --unsigned=allow --quiet
ok "wimlib finds it sound" wimlib-imagex verify one.wim
is "with one image" "$(wimlib-imagex info one.wim | sed -n 's/^Image Count: *//p')" 1
ok "and the driver" sh -c "wimlib-imagex dir one.wim 1 | grep -q 'drivers/exstor.sys'"
gild build two.wim --index=2 --output=again.wim --driver=drivers --unsigned=allow --quiet
ok "the same bytes again" cmp one.wim again.wim
ok "a WIM from a disk" gild build master.raw --output=disk.wim --driver=drivers --unsigned=allow --quiet
ok "wimlib finds it sound" wimlib-imagex verify disk.wim
"${user[@]}" ./gild build master.raw --output=named.wim --driver=drivers --unsigned=allow --json >out.json 2>err
is "what is in it is named after it" "$(jq -r '[.packages[].image] | unique | .[]' out.json)" named.wim:1
ok "a WIM from a folder" gild build folder --output=folder.wim --quiet
ok "wimlib finds it sound" wimlib-imagex verify folder.wim
is "which says of itself which Windows it holds" \
	"$(wimlib-imagex info disk.wim | sed -n 's/^\(Product Name\|Build\|Flags\): *//p' | tr '\n' ' ')" "Windows 10 Pro 19045 Professional "
ok "an ESD from a folder" gild build folder --output=folder.esd --driver=drivers --unsigned=allow --quiet
ok "wimlib finds it sound" wimlib-imagex verify folder.esd
is "it is solid" "$(wimlib-imagex info folder.esd | sed -n 's/^Compression: *//p')" LZMS
rm -f again.wim folder.esd

# ---- what is refused, and what is left behind

fails 2 "several images and no --index" gild build two.wim --output=x.raw
cp .out said
ok "without --index=all as the remedy" sh -c "grep -q -- --index=N said && ! grep -q index=all said"
fails 2 "no such image" gild build two.wim --index=7 --output=x.raw
fails 1 "an output that exists" gild build two.wim --index=1 --output=plain.raw
fails 2 "an ending that says nothing" gild build two.wim --index=1 --output=x.disk
fails 2 "a size that is none" gild build two.wim --index=1 --output=x.raw --size=many
fails 2 "a disk that is too small" gild build two.wim --index=1 --output=x.raw --size=279M
cp .out said
ok "which says how much it takes" grep -q 'the files need' said
cp -r drivers large && rm large/exnic/*.cat && head -c 100M /dev/urandom >>large/exnic/exnic.sys
fails 1 "drivers that it has no room for" gild build two.wim --index=1 --output=x.raw --size=300M \
	--driver=large --unsigned=allow
cp .out said
ok "and --size is the remedy" grep -q 'larger --size' said
fails 2 "disk options for a WIM" gild build two.wim --index=1 --output=x.wim --size=1G
fails 2 "BIOS and 4096-byte sectors" gild build two.wim --index=1 --output=x.raw --firmware=bios --sector-size=4096
fails 1 "a boot manager that the image does not have" gild build two.wim --index=1 --output=x.raw --size=512M --boot-ca=2023
fails 1 "a source that is not there" gild build none.wim --output=x.raw
fails 1 "a folder that cannot be written" gild build two.wim --index=1 --output=/proc/x.raw
fails 2 "no output" gild build two.wim --index=1 --output= --format=raw
fails 1 "an output in a folder that is not there" gild build two.wim --index=1 --output=nowhere/x.raw
grep -q 'folder first' .out || tap 1 "with the remedy" .out
for update in update.msu update.cab; do
	cp two.wim $update
	fails 2 "$update" gild build $update --index=1 --output=x.raw
	cp .out said
	ok "$update: with the reason" grep -q 'does not install updates' said
	rm $update
done
"$mksample" wim seven.wim --windows=7 --arch=x86 --generalized --plain >/dev/null
fails 2 "a 32-bit Windows 7 by UEFI" gild build seven.wim --output=x.raw
cp .out said
ok "with the remedy" grep -q 'firmware=bios' said
# Of a WIM that is not compressed, every byte of a content counts.
wimlib-imagex export two.wim 1 plain.wim --compress=none >/dev/null 2>&1
at=$(wimlib-imagex info plain.wim --blobs | sed -n 's/^Offset in WIM *= \([0-9]*\).*/\1/p' | sed -n 2p)
cp plain.wim damaged.wim
printf '\245' | dd of=damaged.wim bs=1 seek=$((at + 7)) conv=notrunc status=none
fails 1 "a damaged content" gild build damaged.wim --output=x.raw --size=512M
cp .out said
ok "which names the file" grep -q 'damaged.wim: [A-Z][a-zA-Z]*/.*SHA-1 does not match' said
rm -f plain.wim damaged.wim seven.wim
head -c 100000 two.wim >cut.wim
fails 1 "a cut WIM" gild build cut.wim --index=1 --output=x.raw --size=512M
"$mksample" disk xp.raw --windows=xp --table=mbr >/dev/null
fails 2 "Windows XP, by name" gild build xp.raw --output=x.raw
cp .out said
ok "with what to do" grep -q 'any-controller' said
fails 3 "--strict and a package that is refused" \
	gild build two.wim --index=1 --output=x.raw --size=512M --driver=drivers --unsigned=refuse --strict
cp .out said
ok "which says which package and why" grep -q 'inf was refused: signature' said
fails 1 "a full disk" sh -c "ulimit -f 8192; exec ${user[*]} ./gild build two.wim --index=1 --output=x.raw --size=512M"
mkdir small
if unshare -rm mount -t tmpfs -o size=4m tmpfs small 2>/dev/null; then
	fails 1 "a file system without room" unshare -rm sh -c \
		"mount -t tmpfs -o size=4m tmpfs small && ./gild build two.wim --index=1 --output=small/x.raw --size=512M"
	cp .out said
	ok "which is seen before anything is written" grep -q 'bytes are needed' said
else
	skip "a file system without room" "no file system can be mounted here"
fi
is "no output of any of these" "$(ls x.raw x.wim x.disk 2>/dev/null)" ""
for signal in INT TERM KILL; do
	(exec "${user[@]}" ./gild build two.wim --index=1 --output=x.vhdx --size=512M --quiet) &
	pid=$!
	sleep 0.15
	kill -s $signal $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ ! -e x.vhdx ] || rm x.vhdx # it was quicker
	is "$signal leaves nothing" "$(left_behind)" ""
done
done_testing
