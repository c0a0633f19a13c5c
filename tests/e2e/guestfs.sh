# SPDX-License-Identifier: GPL-3.0-or-later
# Disks that libguestfs opens: BitLocker with a key, FAT, Btrfs, and by --via=guestfs any.
# An appliance takes up to a minute where KVM does not work, so only two are started;
# GILD_TEST_FULL starts the others.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need python3 jq
[ -x "$GILD_BUILD/samples/mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
bitlocker() { python3 "$GILD_SOURCE/tests/bitlocker.py" "$@"; }
says() { # WHAT PATTERN: of the last command tested
	grep -qe "$2" "$scratch/.out"
	tap $? "$1" "$scratch/.out"
}
recovery=011000-022000-033000-440000-550000-660000-077000-088000

"$GILD_BUILD/samples/mksample" disk volume.raw --table=none || exit 1
bitlocker volume.raw locked.raw --passphrase="kein Geheimnis" --recovery=$recovery || exit 1
echo "kein Geheimnis" >key
if command -v cryptsetup >/dev/null; then
	dd if=locked.raw of=bare.raw bs=1M skip=1 status=none
	ok "cryptsetup takes the volume for one of BitLocker" cryptsetup bitlkDump bare.raw
	rm bare.raw
else
	skip "cryptsetup takes the volume for one of BitLocker" "cryptsetup is not installed"
fi

# ---- without an appliance ------------------------------------------------------------------
fails 4 "a BitLocker disk without a key" "$GILD" inspect locked.raw
says "names BitLocker and --key" 'BitLocker.*--key'
fails 4 "is not edited either" "$GILD" inject locked.raw --any-controller
fails 2 "the native path alone opens no BitLocker" \
	"$GILD" inspect locked.raw --via=native --key=@key
says "and names libguestfs" libguestfs
fails 2 "--via takes three words" "$GILD" inspect locked.raw --via=magic
fails 1 "a file of keys that is not there" "$GILD" inspect locked.raw --key=@nothing
: >empty
fails 2 "and one without keys" "$GILD" inspect locked.raw --key=@empty
fails 2 "GILD_KEY is read as --key is" env GILD_KEY=@empty "$GILD" inspect locked.raw
mkdir lib
: >lib/libguestfs.so.0
fails 2 "without libguestfs" env LD_LIBRARY_PATH="$PWD/lib" "$GILD" inspect locked.raw --key=@key
says "the remedy names its package" 'install libguestfs'
ok "all else works" env LD_LIBRARY_PATH="$PWD/lib" "$GILD" inspect volume.raw

# An MBR whose only partition has the type of a dynamic disk's.
python3 - <<'END'
table = bytearray(512)
table[440:444] = b"gild"
table[446:462] = bytes([0, 0, 2, 0, 0x42, 254, 255, 255]) + (63).to_bytes(4, "little") + (65536).to_bytes(4, "little")
table[510:512] = b"\x55\xaa"
with open("dynamic.raw", "wb") as f:
    f.write(table)
    f.truncate(40 << 20)
END
fails 2 "a dynamic disk is none of the native path" "$GILD" inspect dynamic.raw --via=native
says "which names it" LDM

# ---- with one --------------------------------------------------------------------------------
missing=$(appliance_missing)
if [ -n "$missing" ]; then
	skip "BitLocker and --via=guestfs" "$missing"
	done_testing
fi

"$GILD_BUILD/samples/mkdrivers" drivers exstor exnic || exit 1
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\r\n"b"="c"\r\n' >a.reg
work="--driver=drivers --any-controller"
cp volume.raw native.raw
# shellcheck disable=SC2086
ok "packages into the plain volume" "$GILD" inject native.raw $work
# shellcheck disable=SC2086
ok "the same into the BitLocker volume, in place" "$GILD" inject locked.raw $work --key=@key
says "libguestfs was chosen, and said so" 'BitLocker: libguestfs opens it'
bitlocker --decrypt=locked.raw unlocked.raw
ok "both are the same to the byte: registry, files, descriptors, times" cmp native.raw unlocked.raw
is "no journal is left" "$(ls -- *journal* 2>/dev/null)" ""
rm unlocked.raw

"$GILD_BUILD/samples/mksample" disk gpt.raw --oem || exit 1
"$GILD" inspect gpt.raw --json >native.json
"$GILD" inspect gpt.raw --json --via=guestfs >guestfs.json 2>guestfs.err
ok "--via=guestfs reads a plain disk" test -s guestfs.json
is "and reads the same as the native path" \
	"$(jq -S 'del(.installations[].image.provider)' guestfs.json)" \
	"$(jq -S 'del(.installations[].image.provider)' native.json)"
is "and tells who read it" "$(jq -r '.installations[].image.provider' guestfs.json)" guestfs
[ -n "${GILD_TEST_FULL-}" ] || done_testing

# ---- all the rest ----------------------------------------------------------------------------
"$GILD" capture native.raw --output=native.wim --quiet
ok "a capture from the BitLocker volume" "$GILD" capture locked.raw --output=locked.wim --key=@key
ok "is that of the plain volume to the byte" cmp native.wim locked.wim
rm -f native.wim locked.wim
fails 4 "a wrong key" "$GILD" inspect locked.raw --key=wrong
says "is told from none" 'the key does not open it'
ok "a recovery password among others" "$GILD" inspect locked.raw --key=wrong --key=$recovery
bitlocker volume.raw cbc.raw --passphrase="kein Geheimnis" --cipher=cbc
ok "an older cipher, edited into a new image" \
	"$GILD" edit cbc.raw --reg=a.reg --key=@key --output=cbc.qcow2
qemu-img convert -O raw cbc.qcow2 cbc2.raw
bitlocker --decrypt=cbc2.raw --cipher=cbc unlocked.raw
cp volume.raw native.raw
ok "is what the native path makes" sh -c "'$GILD' edit native.raw --reg=a.reg && cmp native.raw unlocked.raw"
rm -f cbc* unlocked.raw

cp gpt.raw gpt2.raw
ok "a GPT disk by the native path" "$GILD" inject gpt.raw --driver=drivers
ok "and by libguestfs" "$GILD" inject gpt2.raw --driver=drivers --via=guestfs
ok "are the same to the byte" cmp gpt.raw gpt2.raw
qemu-img convert -O vhdx gpt2.raw disk.vhdx
ok "into a new VHDX" "$GILD" edit disk.vhdx --reg=a.reg --via=guestfs --output=new.vhdx
ok "which the native path reads" "$GILD" inspect new.vhdx --json
ok "and hivexget too" sh -c "'$GILD' edit new.vhdx --reg=a.reg --dry-run --json | jq -e '.trees[0].registry == []'"

treetool=$GILD_BUILD/tests/treetool
"$treetool" gpt.raw system : tree | cut -d' ' -f1,3,5- >native.list
"$treetool" --guestfs gpt.raw system : tree 2>/dev/null | cut -d' ' -f1,3,5- >guestfs.list
ok "the native path reads a FAT system volume as libguestfs does" cmp native.list guestfs.list
echo other >other
ok "libguestfs edits it, and the Windows volume, in one step" "$treetool" --write --guestfs gpt.raw \
	put Windows/both.txt other : system : put EFI/Microsoft/Boot/BCD other : \
	mkdir "EFI/New folder" : commit
is "the system volume has it" "$(mtype -i gpt.raw@@1M ::EFI/Microsoft/Boot/BCD)" other
ok "and is sound" sh -c "mdir -i gpt.raw@@1M '::EFI/New folder' && tail -c +1048577 gpt.raw |
	head -c $((36 << 20)) >esp.raw && fsck.vfat -n esp.raw"
is "the Windows volume too" "$("$treetool" gpt.raw cat Windows/both.txt)" other

# A run that is killed while the appliance works has changed nothing.
before=$(sha256sum gpt2.raw)
mkdir temp
TMPDIR=$PWD/temp "$GILD" edit gpt2.raw --reg=a.reg --via=guestfs >/dev/null 2>&1 &
sleep 12
kill -9 $!
wait $! 2>/dev/null
is "killed in the appliance, the disk is the old one" "$(sha256sum gpt2.raw)" "$before"

# ---- Windows on file systems that gild does not know -----------------------------------------
"$GILD_BUILD/samples/mksample" tree windows || exit 1
mkdir more
echo new >more/file.txt
edit="--reg=a.reg --copy=more:Windows/More --copy=more/file.txt:Windows/win.ini"
outside() { # IMAGE INDEX...: inspected, edited, edited again with nothing left to do
	ok "$1: inspect" sh -c "'$GILD' inspect $1 --index=1 --json >$1.json"
	is "$1: the Windows of the folder" "$(jq -cS .windows "$1.json")" "$want"
	# shellcheck disable=SC2086
	ok "$1: edit" "$GILD" edit "$1" $edit
	is "$1: the registry has the change" \
		"$("$GILD" edit "$1" --reg=a.reg --dry-run --json | jq -c '.trees[0].registry')" "[]"
}
want=$("$GILD" inspect windows --json | jq -cS .windows)
if command -v mkfs.btrfs >/dev/null; then
	truncate -s 200M btrfs.raw
	mkfs.btrfs -q --rootdir windows btrfs.raw >/dev/null 2>&1 || exit 1
	outside btrfs.raw
else
	skip "Windows on Btrfs" "mkfs.btrfs is not installed"
fi
if command -v mkfs.vfat >/dev/null && command -v mcopy >/dev/null; then
	truncate -s 600M fat.raw
	mkfs.vfat -F 32 -n XP fat.raw >/dev/null && mcopy -s -i fat.raw windows/* :: || exit 1
	mattrib +h +s -i fat.raw ::Windows/win.ini 2>/dev/null
	outside fat.raw
	is "FAT: a new file in a new folder" "$(mtype -i fat.raw ::Windows/More/file.txt)" new
	is "FAT: its time is SOURCE_DATE_EPOCH" \
		"$(mdir -i fat.raw ::Windows/More/file.txt | grep -c '2023-11-14')" 1
	ok "FAT: the file system is sound" fsck.vfat -n fat.raw
else
	skip "Windows on FAT" "dosfstools or mtools is not installed"
fi
done_testing
