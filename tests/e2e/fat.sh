# SPDX-License-Identifier: GPL-3.0-or-later
# A FAT system volume, read and edited without libguestfs: judged by fsck.fat and mtools, and
# stopped before every change to the file.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need fsck.fat mcopy qemu-img python3
[ -x "$GILD_BUILD/samples/mksample" ] || skip_all "mksample is not built (libhivex-dev)"
treetool=$GILD_BUILD/tests/treetool killer=$GILD_BUILD/tests/killer.so
export MTOOLS_SKIP_CHECK=1 ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
cd "$scratch" || exit 1
"$GILD_BUILD/samples/mksample" disk base.raw --volume-size=33554432 >/dev/null || exit 1
esp() { dd if="$1" of=esp.raw bs=1M skip=1 count=36 conv=sparse status=none; }
sound() { esp "$1" && fsck.fat -n esp.raw; }
content() { mtype -i "$1@@1M" "::$2"; }

ok "the system volume is listed" "$treetool" base.raw system : ls EFI/Microsoft/Boot
grep -q 'bootmgfw.efi' .out
tap $? "with the boot manager" .out
"$treetool" base.raw system : cat efi/boot/BOOTX64.EFI >ours
content base.raw EFI/Boot/bootx64.efi >theirs
ok "a file is read without regard to case" cmp ours theirs

echo other >other
seq 1 30000 >large
cp --sparse=always base.raw x.raw
ok "both volumes in one edit" "$treetool" --write x.raw put Windows/both.txt other : system : \
	put EFI/Microsoft/Boot/BCD large : mkdir "EFI/New folder" : \
	put "EFI/New folder/a long name.text" other : rm EFI/Boot/bootx64.efi : \
	mv EFI/Microsoft/Boot/bootmgfw.efi EFI/Boot/Loader.efi : attr EFI/Microsoft/Boot/BCD 6 : commit
ok "fsck.fat finds nothing" sound x.raw
content x.raw EFI/Microsoft/Boot/BCD >got
ok "mtools read the new content" cmp got large
is "in a new folder as well" "$(content x.raw 'EFI/New folder/a long name.text')" other
content x.raw EFI/Boot/Loader.efi >got
ok "what was moved is there" cmp got theirs
fails 1 "what was removed is not" mtype -i x.raw@@1M ::EFI/Boot/bootx64.efi
is "attributes are set" "$(mattrib -i x.raw@@1M ::EFI/Microsoft/Boot/BCD | cut -c1-10 | tr -d ' ')" SH
is "and the Windows volume has its part" "$("$treetool" x.raw cat Windows/both.txt)" other
is "no journal is left" "$(ls -- *journal* 2>/dev/null)" ""
cp --sparse=always base.raw y.raw
"$treetool" --write y.raw put Windows/both.txt other : system : \
	put EFI/Microsoft/Boot/BCD large : mkdir "EFI/New folder" : \
	put "EFI/New folder/a long name.text" other : rm EFI/Boot/bootx64.efi : \
	mv EFI/Microsoft/Boot/bootmgfw.efi EFI/Boot/Loader.efi : attr EFI/Microsoft/Boot/BCD 6 : commit
ok "the same edit gives the same bytes" cmp x.raw y.raw

qemu-img convert -O vhdx base.raw disk.vhdx
ok "in a VHDX" "$treetool" --write disk.vhdx system : put EFI/a other : commit : cat EFI/a
is "it is read after the edit" "$(tail -n 1 .out)" other
ok "into a new qcow2" "$treetool" disk.vhdx system : put EFI/b large : output new.qcow2
qemu-img convert -O raw new.qcow2 new.raw
ok "which is sound" sound new.raw
content new.raw EFI/b >got
ok "and has it" cmp got large
rm -f new.* disk.vhdx y.raw

# More than there is room for changes nothing.
cp --sparse=always base.raw x.raw
head -c 40M /dev/zero >huge
fails 1 "a file larger than the volume" "$treetool" --write x.raw system : put EFI/huge huge : commit
grep -q 'is full: 4[0-9]* bytes are needed' .out
tap $? "is refused with both figures" .out
ok "and nothing is changed" cmp base.raw x.raw

# Not unmounted: read, but not edited.
printf '\1' | dd of=x.raw bs=1 seek=$(((1 << 20) + 65)) conv=notrunc status=none
ok "a volume that was not unmounted is read" "$treetool" x.raw system : ls EFI
fails 1 "and not edited" "$treetool" --write x.raw system : put EFI/a other : commit
grep -q 'cannot be edited.*chkdsk' .out
tap $? "with what to do" .out
dd if=/dev/zero of=x.raw bs=512 seek=2048 count=1 conv=notrunc status=none
fails 1 "a damaged one is not read" "$treetool" x.raw system : ls EFI

# ---- random changes, also on a folder --------------------------------------------------------
for seed in 1 2 3; do
	rm -rf folder && mkdir folder
	cp --sparse=always base.raw x.raw
	mcopy -s -i x.raw@@1M ::EFI folder
	python3 "$GILD_SOURCE/tests/fatrandom.py" $seed 300 >changes
	commands=()
	while IFS=$'\t' read -r -a words; do commands+=(: "${words[@]}"); done <changes
	"$treetool" --write folder "${commands[@]:1}" : commit || echo "folder: failed"
	ok "300 random changes ($seed)" "$treetool" --write x.raw system "${commands[@]}" : commit
	ok "leave a sound volume" sound x.raw
	rm -rf back && mkdir back && mcopy -s -i x.raw@@1M '::*' back
	ok "with what a folder has after the same" diff -r folder back
done

# ---- stopped at every step -------------------------------------------------------------------
[ -e "$killer" ] || { skip "stopped edits" "tests/killer.so is not built"; done_testing; }
edit() { "$treetool" --write "$1" system : put EFI/Microsoft/Boot/BCD large : \
	put "EFI/another long name" other : rm EFI/Boot/bootx64.efi : commit; }
digest() { "$treetool" "$1" system : digest; }
cp --sparse=always base.raw new.raw
edit new.raw
was=$(digest base.raw) is=$(digest new.raw)
mark() { dd if="$1" bs=1 skip=$(((1 << 20) + 32 * 512 + 7)) count=1 status=none | od -An -tx1; }
n=1 old=0 new=0 bad=0 marked=0
while :; do
	cp --sparse=always base.raw x.raw
	rm -f x.raw.gild-journal
	{ KILL_AT=$n KILL_TORN=$((n % 2)) LD_PRELOAD=$killer edit x.raw >/dev/null 2>&1; } 2>/dev/null
	[ $? = 137 ] || break
	# Windows would check it if it were started now.
	[ "$(mark x.raw)" = " 0f" ] || marked=$((marked + 1))
	case $(digest x.raw 2>message) in
	"$was") old=$((old + 1)) ;;
	"$is") new=$((new + 1)) ;;
	*) bad=$((bad + 1)); echo "step $n: $(cat message)" ;;
	esac
	[ ! -e x.raw.gild-journal ] || echo "step $n: the journal is still there"
	sound x.raw >fsck 2>&1 || { bad=$((bad + 1)); echo "step $n: $(cat fsck)"; }
	n=$((n + 1))
done >kill.log
[ $bad = 0 ] && [ $old -gt 3 ] && [ $new -gt 2 ] && [ $marked -gt 2 ] && [ ! -s kill.log ]
tap $? "stopped at each of $((n - 1)) steps: $old old, $new new, $bad else; $marked times marked as not unmounted" kill.log
ok "unstopped it is the new disk to the byte" cmp x.raw new.raw
done_testing
