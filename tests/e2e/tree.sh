#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Edits of WIMs through the tree layer, judged by wimlib-imagex: contents, every entry's
# metadata, other images, integrity table, split sets, ESDs, reproducible bytes, refusals.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need wimlib-imagex python3
tool=$GILD_BUILD/tests/treetool
mksample=$GILD_BUILD/samples/mksample
[ -x "$tool" ] && [ -x "$mksample" ] || skip_all "tests/treetool and samples/mksample are not built"
cd "$scratch" || exit 1

wim() { wimlib-imagex "$@" --quiet; }
content() { wimlib-imagex extract "$1" "$2" "$3" --to-stdout; }
same_content() { cmp <(content "$1" "$2" "$3") "$4"; }
check() { python3 "$GILD_SOURCE/tests/wimcheck.py" "$@"; }
put_flags() { # FILE FLAGS(decimal): header flags at offset 16, little-endian
	printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($2 & 255)) $(($2 >> 8 & 255)) \
		$(($2 >> 16 & 255)) $(($2 >> 24 & 255)))" |
		dd of="$1" bs=1 seek=16 conv=notrunc status=none
}
flags() { od -An -tu4 -j16 -N4 "$1" | tr -d ' '; }

seq 1 60000 >hive
head -c 200000 /dev/urandom >driver.sys
seq 1 700 >x.inf
: >empty

changes=(use 1
	: put windows/SYSTEM32/config/system hive
	: put Windows/System32/DriverStore/FileRepository/x.inf_amd64_1/x.sys driver.sys
	: put Windows/System32/DriverStore/FileRepository/x.inf_amd64_1/x.inf x.inf
	: put Windows/INF/oem77.inf x.inf
	: put Windows/System32/drivers/acpi.sys driver.sys
	: put Windows/empty.txt empty
	: mkdir Windows/New/Deep
	: rm Windows/System32/winload.exe
	: mv Windows/System32/ntoskrnl.exe Windows/System32/kernel.bin
	: attr Windows/System32/hal.dll 3)
cat >expected <<'END'
replace /Windows/System32/config/SYSTEM
mkdir /Windows/System32/DriverStore/FileRepository/x.inf_amd64_1
add /Windows/System32/DriverStore/FileRepository/x.inf_amd64_1/x.sys
add /Windows/System32/DriverStore/FileRepository/x.inf_amd64_1/x.inf
add /Windows/INF/oem77.inf
replace /Windows/System32/drivers/ACPI.sys
add /Windows/empty.txt
mkdir /Windows/New
mkdir /Windows/New/Deep
remove /Windows/System32/winload.exe
move /Windows/System32/ntoskrnl.exe /Windows/System32/kernel.bin
attr /Windows/System32/hal.dll 0x3
END

verify_edit() { # OLD NEW WHAT
	ok "$3: wimlib-imagex verify" wim verify "$2"
	ok "$3: every entry is what it must be" check "$1" "$2" 1 expected
	ok "$3: replaced content" same_content "$2" 1 /Windows/System32/config/SYSTEM hive
	ok "$3: new content" same_content "$2" 1 \
		/Windows/System32/DriverStore/FileRepository/x.inf_amd64_1/x.sys driver.sys
	ok "$3: gild reads it back" cmp hive <("$tool" "$2" cat windows/system32/CONFIG/System)
	local want
	want=$("$tool" "$1" tree | grep -c .)
	is "$3: as many entries as expected" "$("$tool" "$2" tree | grep -c .)" $((want + 6))
}

for compress in none XPRESS LZX; do
	ASAN_OPTIONS=detect_leaks=0 "$mksample" wim "$compress.wim" --images=2 --compress=$compress >/dev/null ||
		{ tap 1 "the sample WIM ($compress)"; continue; }
	cp "$compress.wim" in.wim
	ok "$compress: edit in place" "$tool" --write in.wim "${changes[@]}" : commit
	verify_edit "$compress.wim" in.wim "$compress in place"
	ok "$compress: old bytes stay where they were" \
		cmp -i 208 -n $(($(stat -c %s "$compress.wim") - 208)) "$compress.wim" in.wim
	cp "$compress.wim" again.wim
	"$tool" --write again.wim "${changes[@]}" : commit >/dev/null
	ok "$compress: the same edit gives the same bytes" cmp in.wim again.wim
	# A second edit of what was edited, and one that undoes nothing but adds nothing.
	ok "$compress: a second edit" "$tool" --write in.wim write Windows/INF/oem77.inf two : commit
	ok "$compress: which other tools accept" wim verify in.wim
	is "$compress: with its content" "$("$tool" in.wim cat windows/inf/OEM77.INF)" two
	rm -f in.wim again.wim
done

sha256sum <LZX.wim >before
ok "--output: a new WIM" "$tool" LZX.wim "${changes[@]}" : output out.wim
verify_edit LZX.wim out.wim "--output"
ok "--output: the source is untouched" sha256sum -c --status before <LZX.wim
"$tool" LZX.wim "${changes[@]}" : output out2.wim >/dev/null
ok "--output: the same bytes again" cmp out.wim out2.wim
guid() { wimlib-imagex info "$1" | sed -n 's/^GUID: *//p'; }
ok "--output: a GUID of its own" [ "$(guid out.wim)" != "$(guid LZX.wim)" ]
fails 1 "--output: an existing file is not replaced" "$tool" LZX.wim "${changes[@]}" : output out2.wim
is "--output: nothing else is left in the folder" "$(find . -name '*gild*' -o -name '#*')" ""

# One image of several, with its changes and without.
for what in unchanged changed; do
	commands=(use 2)
	[ $what = unchanged ] || commands+=(: "${changes[@]}")
	ok "one image, $what" "$tool" XPRESS.wim "${commands[@]}" : output-one one-$what.wim
	ok "one image, $what: verify" wim verify one-$what.wim
	is "one image, $what: alone" "$(wimlib-imagex info one-$what.wim | sed -n 's/^Image Count: *//p')" 1
	sleep 1.1 # a clock that is read would show
	"$tool" XPRESS.wim "${commands[@]}" : output-one again.wim >/dev/null
	ok "one image, $what: the same bytes again" cmp one-$what.wim again.wim
	rm again.wim
done
is "one image: its entries" "$("$tool" one-unchanged.wim digest)" "$("$tool" XPRESS.wim use 2 : digest)"
is "one image: the changes" "$(content one-changed.wim 1 /Windows/System32/config/SYSTEM | sha256sum)" \
	"$(sha256sum <hive)"

# Both images in one commit.
cp LZX.wim both.wim
"$tool" --write both.wim "${changes[@]}" : use 2 : "${changes[@]:3}" : commit >/dev/null
ok "two images in one commit: verify" wim verify both.wim
ok "two images in one commit: shared content is stored once" [ \
	$(($(stat -c %s both.wim) - $(stat -c %s LZX.wim))) -lt $(($(stat -c %s out.wim) - $(stat -c %s LZX.wim) + 60000)) ]
ok "two images in one commit: image 2 has the content" same_content both.wim 2 /Windows/System32/config/SYSTEM hive

# Integrity tables are kept and right.
cp LZX.wim check.wim
wim optimize check.wim --check >/dev/null 2>&1
ok "integrity: edit" "$tool" --write check.wim "${changes[@]}" : commit
ok "integrity: there is still a table" grep -q 'Integrity info' <(wimlib-imagex info check.wim)
ok "integrity: wimlib finds it right" wim verify check.wim

# The XML data keeps what it says, in every script and with its entities.
cp LZX.wim xml.wim
wim info xml.wim 1 'Größe & <日本>' 'a "b" 𝄞' >/dev/null
ok "XML: edit" "$tool" --write xml.wim "${changes[@]}" : commit
is "XML: name and description" "$("$tool" xml.wim info | sed -n 2p)" "1	Größe & <日本>	a \"b\" 𝄞"
is "XML: for wimlib too" "$(wimlib-imagex info xml.wim 1 | sed -n 's/^Name: *//p')" 'Größe & <日本>'
counts() { wimlib-imagex info "$1" 1 | grep -E 'Directory Count|File Count|Total Bytes|Hard Link Bytes'; }
cp xml.wim counted.wim
wim update counted.wim 1 --command="delete --force /none" >/dev/null # wimlib counts anew
is "XML: the counts are right" "$(counts xml.wim)" "$(counts counted.wim)"

# The boot index' metadata is also in the header.
cp LZX.wim boot.wim
wim info boot.wim 1 --boot
ok "bootable: edit" "$tool" --write boot.wim "${changes[@]}" : commit
ok "bootable: header and table agree" python3 - boot.wim <<'END'
import struct, sys
d = open(sys.argv[1], "rb").read()
offset = struct.unpack_from("<Q", d, 56)[0]
size = struct.unpack_from("<Q", d, 48)[0] & 0xffffffffffffff
entries = [d[i:i + 50] for i in range(offset, offset + size, 50)]
sys.exit(d[96:120] != next(e for e in entries if e[7] & 2)[:24])
END
ok "bootable: verify" wim verify boot.wim

# Split sets are read, and written as one WIM.
wim split LZX.wim part.swm 1 >/dev/null
ok "split: several parts" [ -e part2.swm ]
ok "split: all contents" cmp <("$tool" part.swm cat Windows/System32/config/SYSTEM) \
	<(content LZX.wim 1 /Windows/System32/config/SYSTEM)
fails 4 "split: not edited in place" "$tool" --write part.swm info
fails 2 "split: the second part alone is refused" "$tool" part2.swm info
ok "split: --output" "$tool" part.swm "${changes[@]}" : output joined.wim
verify_edit LZX.wim joined.wim "split --output"
mv part2.swm away.swm
fails 1 "split: a missing part is an error" "$tool" part.swm info
"$tool" part.swm info 2>message
ok "split: which names it" grep -q 'part2.swm' message

# ESD: solid resources.
ok "esd: --output" "$tool" LZX.wim "${changes[@]}" : output-esd out.esd
ok "esd: verify" wim verify out.esd
ok "esd: is solid" grep -q '3584' <(wimlib-imagex info out.esd)
ok "esd: every entry is what it must be" check LZX.wim out.esd 1 expected anywhere
is "esd: recognised" "$("$tool" out.esd info | head -1)" "esd wim 2"
"$tool" out.esd extract Windows/System32/config/SYSTEM got.hive : extract Windows/INF/oem77.inf got.inf
ok "esd: contents" cmp hive got.hive
ok "esd: prefetched contents" cmp x.inf got.inf
fails 4 "esd: not written unless asked" "$tool" --write out.esd info
ok "esd: appended when asked" "$tool" --write --allow-esd out.esd write Windows/a.txt hello : commit
ok "esd: verify after that" wim verify out.esd
is "esd: content" "$("$tool" out.esd cat windows/A.TXT)" hello
ok "esd: --output as WIM" "$tool" out.esd output fromesd.wim
is "esd: is no ESD any more" "$("$tool" fromesd.wim info | head -1)" "wim wim 2"
ok "esd: verify the WIM" wim verify fromesd.wim

# Interrupted appends.
cp LZX.wim wip.wim
head -c 2000000 /dev/urandom >>wip.wim
fails 4 "foreign bytes behind the end: no edit in place" "$tool" --write wip.wim info
put_flags wip.wim $(($(flags LZX.wim) | 64))
ok "another program's interrupted append is undone" "$tool" wip.wim info : output copy.wim
cp LZX.wim wip.wim
echo more >>wip.wim
put_flags wip.wim $(($(flags LZX.wim) | 64))
"$tool" wip.wim info 2>message >/dev/null
ok "with a notice" grep -q 'notice: .*restored' message
ok "to the byte" cmp LZX.wim wip.wim
head -c 208 LZX.wim >stub.wim
dd if=/dev/zero of=stub.wim bs=1 seek=48 count=100 conv=notrunc status=none
put_flags stub.wim $(($(flags LZX.wim) | 64))
fails 4 "an interrupted first write has no old state" "$tool" stub.wim info
cp LZX.wim bad.wim
"$tool" bad.wim info >/dev/null
python3 - bad.wim <<'END'
import struct, sys
d = bytearray(open(sys.argv[1], "rb").read())
offset = struct.unpack_from("<Q", d, 56)[0]
where = struct.unpack_from("<Q", d, offset + 8)[0] # the first image's metadata
d[where + 2000] ^= 0xff
open(sys.argv[1], "wb").write(d)
END
put_flags bad.wim $(($(flags LZX.wim) | 64))
sha256sum <bad.wim >before
fails 4 "an old state that is not whole is not cut back to" "$tool" bad.wim info
ok "and the file is left alone" sha256sum -c --status before <bad.wim

# What real images have and wimlib does not make: each checked before and after by wimlib.
patch() { python3 "$GILD_SOURCE/tests/wimpatch.py" "$@"; }
sys=/Windows/System32
cp none.wim odd.wim
ok "odd entries: a WIM with them" patch odd.wim tagged=$sys/config/SYSTEM short=$sys/config/SYSTEM:SYST~1 \
	stream=$sys/hal.dll:Zone.Identifier:$sys/config/SYSTEM stream=/Windows/INF:info:$sys/hal.dll \
	named-only=/Windows/System32/ntoskrnl.exe:only:$sys/config/SYSTEM tagged=$sys/winload.efi
ok "odd entries: wimlib accepts it" wim verify odd.wim
cp odd.wim new.wim
printf 'replace %s\n' $sys/config/SYSTEM $sys/hal.dll $sys/ntoskrnl.exe >odd-expected
printf 'move %s %s\n' $sys/winload.efi $sys/loader.bin >>odd-expected
"$tool" --write new.wim put windows/system32/config/system hive : put windows/system32/HAL.dll x.inf \
	: put windows/system32/ntoskrnl.exe driver.sys : mv Windows/System32/winload.efi Windows/System32/loader.bin \
	: commit >/dev/null 2>message
ok "odd entries: without a warning" [ ! -s message ]
ok "odd entries: verify" wim verify new.wim
ok "odd entries: every entry is what it must be" check odd.wim new.wim 1 odd-expected
is "odd entries: the short name stays" "$(wimlib-imagex dir new.wim 1 --detailed \
	--path=$sys/config/SYSTEM | grep -c 'SYST~1')" 1
streams() { wimlib-imagex dir "$1" 1 --detailed --path="$2" | grep -A1 'stream:\|Data stream' | grep -v '^--'; }
is "odd entries: a named stream stays beside new content" \
	"$(streams new.wim $sys/hal.dll | grep -A1 Zone)" "$(streams odd.wim $sys/hal.dll | grep -A1 Zone)"
ok "odd entries: with the new content" same_content new.wim 1 $sys/hal.dll x.inf
ok "odd entries: an unnamed stream is added to a named one" same_content new.wim 1 $sys/ntoskrnl.exe driver.sys
is "odd entries: which stays" "$(streams new.wim $sys/ntoskrnl.exe | grep -A1 only)" \
	"$(streams odd.wim $sys/ntoskrnl.exe | grep -A1 only)"

cp odd.wim new.wim
patch new.wim extra=/Windows/INF
"$tool" --write new.wim write Windows/x.txt x : commit >/dev/null 2>message
ok "a folder in the form that DISM rejects is warned of" grep -q '^notice: .*1 folder' message

cp none.wim new.wim
patch new.wim encrypt=$sys/hal.dll missing=$sys/winload.efi
fails 1 "an encrypted file is not read" "$tool" new.wim cat Windows/System32/hal.dll
fails 1 "nor replaced" "$tool" --write new.wim write Windows/System32/hal.dll x
fails 1 "missing content is an error" "$tool" new.wim cat Windows/System32/winload.efi
ok "all else can be edited" "$tool" --write new.wim write Windows/x.txt x : commit

cp none.wim new.wim
patch new.wim twin=$sys/hal.dll:HAL.DLL
ok "names that differ in case: the exact one" "$tool" --write new.wim put Windows/System32/HAL.DLL x.inf : commit
ok "names that differ in case: is replaced" cmp x.inf <("$tool" new.wim cat Windows/System32/HAL.DLL)
ok "names that differ in case: the other one is not" cmp \
	<("$tool" none.wim cat Windows/System32/hal.dll) <("$tool" new.wim cat Windows/System32/hal.dll)

# Reference counts that lie: nothing that another image needs is dropped.
cp none.wim new.wim
patch new.wim refs=$sys/config/SYSTEM:1
ok "wrong reference count: edit" "$tool" --write new.wim put Windows/System32/config/SYSTEM hive : commit
ok "wrong reference count: image 2 still has its file" cmp \
	<(content none.wim 2 $sys/config/SYSTEM) <("$tool" new.wim use 2 : cat Windows/System32/config/SYSTEM)

# Refusals name what is wrong.
cp LZX.wim ro.wim
put_flags ro.wim $(($(flags LZX.wim) | 4))
fails 4 "a WIM marked as read-only" "$tool" --write ro.wim info
ok "may be the source of --output" "$tool" ro.wim "${changes[@]}" : output fromro.wim
ok "which can be edited" "$tool" --write fromro.wim write Windows/b.txt b : commit
cp LZX.wim mode.wim
chmod a-w mode.wim
fails 4 "a read-only file" "$tool" --write mode.wim info
head -c 1000000 LZX.wim >cut.wim
fails 1 "a file that is cut off" "$tool" cut.wim info
fails 2 "a folder of a wrong index" "$tool" LZX.wim use 3
exec 8<LZX.wim
flock 8
fails 4 "a WIM that wimlib has locked" "$tool" --write LZX.wim info
exec 8<&-
truncate -s 1M disk.raw
printf '\125\252' | dd of=disk.raw bs=1 seek=510 conv=notrunc status=none
fails 2 "a disk of zeros" "$tool" disk.raw info
"$tool" disk.raw info 2>message
ok "is no image" grep -q 'no image that gild knows' message
printf 'QFI\373' >disk.qcow2
fails 1 "a qcow2 without its header" "$tool" disk.qcow2 info
printf vhdxfile >disk.vhdx
fails 1 "a VHDX without its headers" "$tool" disk.vhdx info
fails 1 "a path that leaves the volume" "$tool" LZX.wim cat ../etc/passwd
fails 1 "a device name" "$tool" LZX.wim write Windows/aux.txt x

done_testing
