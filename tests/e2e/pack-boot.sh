# SPDX-License-Identifier: GPL-3.0-or-later
# Media of gild pack on PCs that QEMU emulates: SeaBIOS, and OVMF with Secure Boot and
# Microsoft's keys, which verifies shim, GRUB and the kernel. That init speaks is enough here.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin
need qemu-system-x86_64 qemu-img xorriso mke2fs grub-mkimage cpio mksquashfs
ovmf=/usr/share/OVMF
for file in /usr/lib/shim/shimx64.efi.signed /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed \
	/usr/lib/grub/i386-pc/boot.img $ovmf/OVMF_CODE_4M.ms.fd $ovmf/OVMF_VARS_4M.ms.fd; do
	[ -e "$file" ] || skip_all "$file is not installed"
done
init=$GILD_BUILD/hypervisor/init/gild-init
[ -x "$init" ] || skip_all "gild-init was not built: libkmod is missing"
! ldd "$init" | grep -q libasan || skip_all "gild-init has sanitizers, which need more than an initramfs"
find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' -readable | grep -q . ||
	skip_all "no linux-image-amd64 is installed"
cd "$scratch" || exit 1
export GILD_PROFILES=$GILD_SOURCE/profiles XDG_CONFIG_HOME=$scratch/config
take_turn

profile=$(find "$GILD_SOURCE/profiles" -name 'qemu*.xml' | sort | head -n 1)
qemu-img create -q -f qcow2 guest.qcow2 16M
pack() {
	"$GILD" pack guest.qcow2 --image-option=windows=6.1.7601 --image-option=firmware=bios \
		--profile="$profile" --append=loglevel=7 --quiet "$@"
}
ok "a stick is packed" pack --output=stick.img --slot-size=256M --state-size=64M
ok "an ISO is packed" pack --output=x.iso

start() { # NAME bios|secure QEMU-ARGUMENT...: until init speaks
	local name=$1 firmware=()
	[ "$2" = bios ] || {
		cp $ovmf/OVMF_VARS_4M.ms.fd "$name.vars"
		firmware=(-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on
			-drive if=pflash,unit=0,format=raw,readonly=on,file=$ovmf/OVMF_CODE_4M.ms.fd
			-drive "if=pflash,unit=1,format=raw,file=$name.vars")
	}
	shift 2
	: >"$name.log"
	timeout 300 qemu-system-x86_64 -machine q35 "${firmware[@]}" -accel tcg,thread=multi -cpu max \
		-m 1024 -nodefaults -no-user-config -display none -vga std -no-reboot \
		-serial "file:$name.log" "$@" >"$name.err" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null && ! grep -aq 'gild: ' "$name.log"; do sleep 0.2; done
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	tr -d '\r' <"$name.log" | grep -a '^\[\|^gild' | tail -n 20 >"$name.tail"
	grep -aq 'gild: ' "$name.log"
}
usb() { echo -device qemu-xhci -drive "if=none,id=d,format=raw,snapshot=on,file=$1" -device usb-storage,drive=d; }
cd_drive() { echo -drive "if=none,id=d,format=raw,readonly=on,file=$1" -device ide-cd,drive=d; }

# shellcheck disable=SC2046
{
	start stick-bios bios $(usb stick.img)
	tap $? "the stick reaches init by BIOS" stick-bios.tail
	start stick-secure secure $(usb stick.img)
	tap $? "and by UEFI with Secure Boot" stick-secure.tail
	ok "of which the kernel knows" grep -aq 'Secure boot enabled' stick-secure.log
	start iso-bios bios $(cd_drive x.iso)
	tap $? "the ISO reaches init from CD by BIOS" iso-bios.tail
	start iso-usb bios $(usb x.iso)
	tap $? "from USB as well" iso-usb.tail
	start iso-secure secure $(cd_drive x.iso)
	tap $? "and from CD by UEFI with Secure Boot" iso-secure.tail
	ok "of which the kernel knows" grep -aq 'Secure boot enabled' iso-secure.log
}
done_testing
