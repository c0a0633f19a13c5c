#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# GRUB acts on what init wrote into its environment block: next=native starts the Windows of
# another disk, once and without using up a try; the start after that is the slot's.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need qemu-system-x86_64 grub-mkimage grub-script-check sgdisk mformat mcopy
modules=/usr/lib/grub/i386-pc
[ -e "$modules/lnxboot.img" ] || skip_all "GRUB for BIOS is not installed (Debian: grub-pc-bin)"
[ -e "$GILD_BUILD/samples/boot/bootmgr" ] ||
	skip_all "the stand-in boot manager was not built (Debian: clang lld)"
! ldd "$GILD" 2>/dev/null | grep -q libasan || skip_all "disks of the build without sanitizers are started"
cd "$scratch" || exit 1
take_turn

"$GILD_BUILD/samples/mksample" wim sample.wim --generalized >/dev/null || exit 1
"$GILD" build sample.wim --output=windows.raw --size=256M --firmware=bios --quiet || exit 1
"$GILD_BUILD/tests/grubtool" >grub.cfg
ok "the settings are in GRUB's language" grub-script-check grub.cfg
truncate -s 34M stick.img
sgdisk -n 1:2048:+32M -t 1:ef00 stick.img >/dev/null
mformat -i stick.img@@1M -h 16 -s 63 -T 65536 ::
mmd -i stick.img@@1M ::/gild ::/gild/a ::/gild/b ::/boot ::/boot/grub
{ printf '# GRUB Environment Block\ntries=3\nnext=native\n' && head -c 979 /dev/zero | tr '\0' '#'; } >grubenv
echo 'menuentry "gild" { echo the slot was started; }' >menu.cfg
mcopy -i stick.img@@1M grubenv ::/gild/grubenv
mcopy -i stick.img@@1M grub.cfg ::/boot/grub/
mcopy -i stick.img@@1M menu.cfg ::/gild/a/
mcopy -i stick.img@@1M menu.cfg ::/gild/b/
cat >early.cfg <<-'END'
	serial --unit=0 --speed=115200
	terminal_output serial
	search --no-floppy --set=root --file /gild/grubenv
	set prefix=($root)/boot/grub
END
# GRUB in the form of a kernel, which QEMU starts by itself.
grub-mkimage -O i386-pc -c early.cfg -p /boot/grub -o core.img biosdisk part_gpt part_msdos fat ntfs \
	search search_fs_file test regexp loadenv chain drivemap configfile normal minicmd echo serial \
	terminal boot true && cat "$modules/lnxboot.img" core.img >grub.img

start() { # prints what came of it
	timeout -k 5 150 qemu-system-x86_64 -accel tcg -machine pc -m 128 -nodefaults -display none \
		-serial "file:$PWD/serial" -kernel grub.img -drive file=stick.img,format=raw,if=ide \
		-drive file=windows.raw,format=raw,if=ide >errors 2>&1 19>&- &
	pid=$!
	for _ in $(seq 1000); do
		grep -aqE 'gild stand-in: .*\.exe|the slot was started' serial 2>/dev/null && break
		sleep 0.1
	done
	kill "$pid"
	wait "$pid" 2>/dev/null
	grep -aoE 'gild stand-in: [A-Za-z ]*|the slot was started' serial | head -n 1
	rm -f serial
}
block() { mcopy -n -o -i stick.img@@1M ::/gild/grubenv - | tr -d '#\n'; }
is "next=native starts the other disk's Windows" "$(start)" "gild stand-in: BCD ok"
is "it is unset, and no try is used up" "$(block)" " GRUB Environment Blocktries=3next="
is "the next start is the slot's" "$(start)" "the slot was started"
is "and uses up a try" "$(block)" " GRUB Environment Blocktries=2next=slot=a"
done_testing
