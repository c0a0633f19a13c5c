# SPDX-License-Identifier: GPL-3.0-or-later
# Media of gild pack on PCs that QEMU emulates: SeaBIOS, and OVMF with Secure Boot, which with
# Microsoft's keys verifies shim, GRUB and the kernel, and with the owner's a signed kernel with
# all that it starts. That init speaks is enough here. Some of them gild run starts. With
# GILD_TEST_FULL=1 PCs start from folders, too: by PXE, and by HTTP Boot what the owner signed.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin
need qemu-system-x86_64 qemu-img xorriso mke2fs grub-mkimage cpio mksquashfs openssl osslsigncode \
	python3 mcopy sgdisk
ovmf=/usr/share/OVMF
for file in /usr/lib/shim/shimx64.efi.signed /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed \
	/usr/lib/grub/i386-pc/boot.img $ovmf/OVMF_CODE_4M.ms.fd $ovmf/OVMF_VARS_4M.ms.fd \
	$ovmf/OVMF_CODE_4M.secboot.fd /usr/lib/systemd/boot/efi/linuxx64.efi.stub; do
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
python3 "$GILD_SOURCE/tests/mkmicrocode.py" firmware
openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=gild owner/" -keyout key.pem \
	-out cert.pem 2>openssl.log && openssl x509 -in cert.pem -outform DER -out cert.der
python3 "$GILD_SOURCE/tests/ovmfvars.py" $ovmf/OVMF_VARS_4M.fd owner.vars owner=cert.der
pack() {
	"$GILD" pack guest.qcow2 --image-option=windows=6.1.7601 --image-option=firmware=bios \
		--profile="$profile" --firmware-dir=firmware --append=loglevel=7 --quiet "$@"
}
small="--slot-size=256M --state-size=64M"
# shellcheck disable=SC2086
{
	ok "a stick is packed, with microcode in front of its initramfs" pack --output=stick.img $small
	ok "another one with the owner's signature" pack --output=signed.img $small \
		--sign-key=key.pem --sign-cert=cert.pem --init-option=shutdown_seconds=61
}
ok "an ISO is packed" pack --output=x.iso

watch() { # NAME TEXT COMMAND...: until its serial port has the text
	local name=$1 text=$2
	shift 2
	: >"$name.log"
	timeout -k 5 300 "$@" >"$name.err" 2>&1 19>&- &
	pid=$!
	while kill -0 "$pid" 2>/dev/null && ! grep -aq "$text" "$name.log"; do sleep 0.2; done
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	tr -d '\r' <"$name.log" | grep -a '^\[\|^gild\|Bds' | tail -n 20 >"$name.tail"
	cat "$name.err" >>"$name.tail"
}
reaches() { # NAME DESCRIPTION: init
	grep -aq 'gild: ' "$1.log"
	tap $? "$2" "$1.tail"
}
mac=52:54:00:67:69:6c
start() { # NAME bios|secure|owner|URL TEXT QEMU-ARGUMENT...
	local name=$1 text=$3 firmware=() code=ms
	[ "$2" = bios ] || {
		[ "$2" = secure ] && cp $ovmf/OVMF_VARS_4M.ms.fd "$name.vars"
		[ "$2" = owner ] && cp owner.vars "$name.vars" && code=secboot
		[ "${2#http:}" = "$2" ] || {
			python3 "$GILD_SOURCE/tests/ovmfvars.py" owner.vars "$name.vars" "http=5,$mac,$2"
			code=secboot
			set -- "$@" -netdev user,id=net -device "virtio-net-pci,netdev=net,addr=5,mac=$mac,romfile="
		}
		firmware=(-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on
			-drive if=pflash,unit=0,format=raw,readonly=on,file=$ovmf/OVMF_CODE_4M.$code.fd
			-drive "if=pflash,unit=1,format=raw,file=$name.vars")
	}
	shift 3
	watch "$name" "$text" qemu-system-x86_64 -machine q35 "${firmware[@]}" -accel tcg,thread=multi -cpu max \
		-m 1024 -nodefaults -no-user-config -display none -vga std -no-reboot \
		-serial "file:$name.log" "$@"
}
run() { # NAME TEXT BUNDLE OPTION...
	local name=$1 text=$2
	shift 2
	watch "$name" "$text" "$GILD" run "$@" --memory=1G --display=none --serial="file:$name.log"
}
usb() { echo -device qemu-xhci -drive "if=none,id=d,format=raw,snapshot=on,file=$1" -device usb-storage,drive=d; }
cd_drive() { echo -drive "if=none,id=d,format=raw,readonly=on,file=$1" -device ide-cd,drive=d; }

# ---- the owner's key -----------------------------------------------------------------------

esp_of() { # DISK
	esp=$1@@$(($(sgdisk -i 2 "$1" 2>/dev/null | sed -n 's/^First sector: \([0-9]*\).*/\1/p') * 512))
}
export MTOOLSRC=/dev/null MTOOLS_SKIP_CHECK=1
# One byte of the settings, which lie in the signed file as they are.
cp --sparse=always signed.img changed.img
esp_of changed.img
mcopy -n -i "$esp" ::EFI/BOOT/BOOTX64.EFI uki.efi
sed 's/shutdown_seconds=61/shutdown_seconds=62/' uki.efi >changed.efi
is "a byte of the settings is another one" "$(cmp -l uki.efi changed.efi | wc -l)" 1
mcopy -o -i "$esp" changed.efi ::EFI/BOOT/BOOTX64.EFI

# ---- starts --------------------------------------------------------------------------------

# A PC keeps one CPU busy: two at a time.
# shellcheck disable=SC2046
{
	start stick-bios bios 'gild: ' $(usb stick.img) &
	run stick-secure 'gild: ' stick.img --firmware=uefi-secure &
	wait
	run iso-bios 'gild: ' x.iso --firmware=bios &
	start iso-secure secure 'gild: ' $(cd_drive x.iso) &
	wait
	start iso-usb bios 'gild: ' $(usb x.iso) &
	start signed owner 'gild: ' $(usb signed.img) &
	wait
	start changed owner 'Access Denied\|gild: ' $(usb changed.img) &
	start foreign owner 'Access Denied\|gild: ' $(usb stick.img) &
	wait
}
reaches stick-bios "the stick reaches init by BIOS"
reaches stick-secure "and by UEFI with Secure Boot, by gild run"
ok "of which the kernel knows" grep -aq 'Secure boot enabled' stick-secure.log
reaches iso-bios "the ISO reaches init from CD by BIOS, by gild run"
reaches iso-usb "from USB as well"
reaches iso-secure "and from CD by UEFI with Secure Boot"
ok "of which the kernel knows" grep -aq 'Secure boot enabled' iso-secure.log
reaches signed "where the owner's key alone is enrolled, the signed kernel reaches init"
ok "it, too, knows of Secure Boot" grep -aq 'Secure boot enabled' signed.log
ok "with a changed byte the firmware refuses it" grep -aq 'failed to load.*Access Denied' changed.log
ok "and Debian's shim, which it does not know" grep -aq 'failed to load.*Access Denied' foreign.log
echo "# after $SECONDS s"
[ -n "${GILD_TEST_FULL-}" ] || {
	skip "PCs start over the network with Secure Boot" "GILD_TEST_FULL is not set: four PCs more"
	done_testing
}

# ---- folders -------------------------------------------------------------------------------

change() { # FILE: one byte of it
	python3 - "$1" <<-'END'
		import os, sys
		with open(sys.argv[1], 'r+b') as f:
		    f.seek(os.path.getsize(sys.argv[1]) // 2)
		    byte = f.read(1)[0]
		    f.seek(-1, os.SEEK_CUR)
		    f.write(bytes([byte ^ 1]))
	END
}
from_folder() { # NAME DESCRIPTION
	grep -aq 'gild: root file system .* from /root.img' "$1.log"
	tap $? "$2" "$1.tail"
	ok "with Secure Boot on" grep -aq 'Secure boot enabled' "$1.log"
}
# The root file system comes with all the rest.
rooted='gild: .*from /root.img\|gild: .*disks: '

ok "a folder for network boot is packed" pack --output=net/
cp -r net wrong && change wrong/vmlinuz
is "a byte of another one's kernel is another one" "$(cmp -l net/vmlinuz wrong/vmlinuz | wc -l)" 1
run network "$rooted" net/ --firmware=uefi-secure &
run wrong 'bad shim signature\|Linux version\|gild: ' wrong/ --firmware=uefi-secure &
wait
from_folder network "the folder reaches init by PXE through shim, GRUB and kernel, by gild run"
ok "of which GRUB found the settings" grep -aqF "Command line: BOOT_IMAGE=/vmlinuz $(cat net/cmdline)" network.log
ok "the changed kernel GRUB refuses" grep -aq 'bad shim signature' wrong.log
is "and does not start" "$(grep -ac 'Linux version' wrong.log)" 0
echo "# after $SECONDS s"

# ---- HTTP Boot -----------------------------------------------------------------------------

ok "a folder is packed with the owner's signature" pack --output=own/ --sign-key=key.pem --sign-cert=cert.pem
cp -r own other && change other/bootx64.efi
python3 "$GILD_SOURCE/tests/rangeserver.py" . 0 server.log >port 2>server.err 19>&- &
server=$!
trap 'kill $server 2>/dev/null; chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
while [ ! -s port ] && kill -0 $server; do sleep 0.05; done
at=http://10.0.2.2:$(cat port)
start own "$at/own/bootx64.efi" "$rooted" &
own=$!
start other "$at/other/bootx64.efi" 'Access Denied\|gild: ' &
wait "$own" $!
from_folder own "the signed folder reaches init by HTTP Boot where the owner's key alone is enrolled"
is "by one file" "$(sed -n 's/^200 \(\/own[^ ]*\) .*/\1/p' server.log | sort -u)" /own/bootx64.efi
ok "with a changed byte the firmware refuses it" grep -aq 'failed to load.*Access Denied' other.log
echo "# after $SECONDS s"
done_testing
