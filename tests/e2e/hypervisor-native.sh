#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Windows on the PC's own disk is started where no virtual machine can be: by UEFI through
# the firmware's variables, on a PC that then really starts it (the stand-in for its boot
# manager), and by BIOS through GRUB's environment block, after N was pressed on the screen.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/hypervisor.sh" || exit 1
. "$GILD_SOURCE/tests/boot.sh" || exit 1
need sgdisk mformat mcopy
need_boot uefi
console=$GILD_BUILD/hypervisor/console/gild-console
[ -x "$console" ] || skip_all "gild-console is not built"
[ -e "$GILD_BUILD/samples/boot/bootmgfw.efi" ] ||
	skip_all "the stand-in boot manager was not built (Debian: clang lld)"
cd "$scratch" || exit 1
python=$(command -v /usr/bin/python3 || command -v python3)

mkdir -p "$root"/{bin,dev,proc,run,sys,tmp,lib64,etc/gild,usr/bin}
with_libraries "$init" init
strip "$root/init" 2>/dev/null
with_libraries "$console" usr/bin/gild-console
with_modules nvme ahci sd_mod usb-storage xhci-pci vfat nls_cp437 nls_ascii efivarfs button evdev bochs psmouse qemu_fw_cfg
echo 'windows=10.0.19045' >"$root/etc/gild/init.conf"
pack_initrd initrd

# ---- UEFI ----------------------------------------------------------------------------------

# The removable path is left out: by itself, the firmware starts nothing from this disk.
truncate -s 96M windows.img
sgdisk -n 1:2048:+8M -t 1:0c01 -n 2:20480:+64M -t 2:ef00 windows.img >/dev/null
guid=$(sgdisk -i 2 windows.img | sed -n 's/Partition unique GUID: //p')
mformat -i windows.img@@10M -h 16 -s 63 -T 131072 ::
mmd -i windows.img@@10M ::/EFI ::/EFI/Microsoft ::/EFI/Microsoft/Boot
mcopy -i windows.img@@10M "$GILD_BUILD/samples/boot/bootmgfw.efi" ::/EFI/Microsoft/Boot/
echo 'no store' | mcopy -i windows.img@@10M - ::/EFI/Microsoft/Boot/BCD
code=$(boot_firmware CODE)
cp "$(boot_firmware VARS)" vars.fd
flash=(-drive "if=pflash,format=raw,unit=0,readonly=on,file=$code"
	-drive "if=pflash,format=raw,unit=1,file=vars.fd"
	-drive file=windows.img,format=raw,if=none,id=windows -device nvme,drive=windows,serial=1)
variable() { "$python" "$GILD_SOURCE/tests/efivars.py" vars.fd "$1"; }

start_pc uefi "gild.native=on" -cpu qemu64,svm=off "${flash[@]}"
await uefi "the PC restarts"
wait "$pid"
is "a PC that is to start natively restarts" $? 0
said uefi "on .*: native" "the verdict says so"
next=$(variable BootNext)
name=Boot00${next:0:2}
said uefi "the next start is $name, a new one" "an option of its own is next"
# HD(2,GPT,GUID,20480,131072)/File(...)/End, in the bytes of the specification.
little() { printf '%s' "$1" | tr -d - | tr A-F a-f | sed -E 's/^(..)(..)(..)(..)(..)(..)(..)(..)/\4\3\2\1\6\5\8\7/'; }
path=04012a0002000000$(printf '00500000000000000000020000000000')$(little "$guid")0202
file=$(printf '%s' '\EFI\Microsoft\Boot\bootmgfw.efi' | iconv -t UTF-16LE | od -An -v -tx1 | tr -d ' \n')0000
path+=0404$(printf '%02x' $((${#file} / 2 + 4)))00${file}7fff0400
is "it names the partition and the file" "$(variable "$name" | grep -o "04012a00.*")" "$path"
ok "and is in no order" sh -c '! printf %s "$1" | grep -q "$2"' - "$(variable BootOrder | fold -w 4)" "^$next\$"

options=(-accel tcg -machine q35 -m 256 -display none -nodefaults -no-user-config)
timeout -k 5 150 qemu-system-x86_64 "${options[@]}" "${flash[@]}" -serial "file:$PWD/second.log" >second.err 2>&1 19>&- &
pid=$!
for _ in $(seq 1200); do
	grep -aq 'gild stand-in: .*' second.log 2>/dev/null && break
	sleep 0.1
done
kill "$pid"
wait "$pid" 2>/dev/null
ok "the firmware starts Windows' boot manager" grep -aq 'gild stand-in: ' second.log
is "once" "$(variable BootNext)" ""

# ---- BIOS ----------------------------------------------------------------------------------

"$GILD_BUILD/samples/mksample" wim sample.wim --generalized >/dev/null || exit 1
"$GILD" build sample.wim --output=bios.raw --size=256M --firmware=bios --quiet
truncate -s 34M stick.img
sgdisk -n 1:2048:+32M -t 1:ef00 stick.img >/dev/null
mformat -i stick.img@@1M -h 16 -s 63 -T 65536 ::
{ printf '# GRUB Environment Block\ntries=3\n' && head -c 991 /dev/zero | tr '\0' '#'; } >grubenv
mmd -i stick.img@@1M ::/gild
mcopy -i stick.img@@1M grubenv ::/gild/grubenv
start_pc bios "" -cpu qemu64,svm=off -device VGA -device ahci,id=ahci \
	-drive file=bios.raw,format=raw,if=none,id=windows -device ide-hd,drive=windows,bus=ahci.0 \
	-device qemu-xhci -drive file=stick.img,format=raw,if=none,id=stick -device usb-storage,drive=stick
await bios "press N on the screen"
said bios "obstacle: the CPU shows neither VT-x nor AMD-V; switch" "a PC without KVM says so"
said bios "press N on the screen" "and offers the Windows on its disk"
for _ in $(seq 240); do
	qmp bios send-key '{"keys":[{"type":"qcode","data":"n"}]}' >/dev/null
	await_end=$(grep -c 'the PC restarts' bios.log)
	[ "$await_end" = 0 ] || break
	sleep 0.25
done
wait "$pid"
is "N restarts the PC" "$?,$await_end" 0,1
mcopy -n -o -i stick.img@@1M ::/gild/grubenv grubenv.after
{ printf '# GRUB Environment Block\ntries=3\nnext=native\n' && head -c 979 /dev/zero | tr '\0' '#'; } >expected
is "a kilobyte" "$(stat -c %s expected)" 1024
ok "and GRUB is told, with all else as it was" cmp grubenv.after expected
done_testing
