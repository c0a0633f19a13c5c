# SPDX-License-Identifier: GPL-3.0-or-later
# The sealed root file system: found by its hash on a stick, opened through dm-verity and
# switched to; golden images under a seal, state that grows and fills up, slots, and a medium
# that is pulled out. The sticks are made by mksquashfs, veritysetup, sgdisk and mke2fs.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin
need qemu-system-x86_64 qemu-img as ld cpio depmod modprobe mkfs.ext4 mkfs.vfat mcopy debugfs python3 \
	mksquashfs veritysetup sgdisk
init=$GILD_BUILD/hypervisor/init/gild-init
[ -x "$init" ] || skip_all "gild-init was not built: libkmod is missing"
! ldd "$init" | grep -q libasan || skip_all "gild-init has sanitizers, which need more than an initramfs"
kernel=$(find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' | sort -V | tail -n 1)
version=${kernel#/boot/vmlinuz-}
modules=/lib/modules/$version
[ -n "$kernel" ] && [ -r "$kernel" ] && [ -d "$modules" ] || skip_all "no linux-image-amd64 is installed"
cd "$scratch" || exit 1

# ---- initramfs and root file system --------------------------------------------------------

with_libraries() { # TREE PROGRAM TARGET
	local library
	install -D -m 755 "$2" "$1/$3"
	ldd "$2" | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$1/$library" ] || install -D -m 755 "$library" "$1/$library"
	done
}
with_modules() { # TREE MODULE...: and what they need, by their own account
	local tree=$1 file
	shift
	modprobe -S "$version" --show-depends -a "$@" 2>/dev/null |
		sed -n 's/^insmod \([^ ]*\).*/\1/p' | while read -r file; do
		[ -e "$tree/$file" ] || install -D -m 644 "$file" "$tree/$file"
	done
	cp "$modules"/modules.{order,builtin,builtin.modinfo} "$tree$modules/"
	depmod -b "$tree" "$version"
}
medium=(virtio_blk virtio_pci xhci-pci usb-storage sd_mod loop dm-mod dm-verity squashfs
	vfat nls_ascii nls_cp437 nls_utf8 isofs button evdev sha256_generic)
mkdir -p small/{dev,proc,run,sys,etc/gild} big/{dev,proc,run,sys,tmp,media,state,lib64,etc/gild}
with_libraries small "$init" init
with_libraries big "$init" init
strip small/init big/init 2>/dev/null
with_libraries big "$(command -v qemu-system-x86_64)" usr/bin/qemu-system-x86_64
for file in /usr/share/seabios/{bios-256k,vgabios-stdvga}.bin /usr/share/qemu/{kvmvapic.bin,keymaps/en-us}; do
	[ ! -e "$file" ] || install -D -m 644 "$file" "big/$file"
done
with_modules small "${medium[@]}"
with_modules big "${medium[@]}" kvm-amd irqbypass ccp qemu_fw_cfg ext4 crc32c_generic
mksquashfs big root.sq -quiet -no-progress -comp zstd -Xcompression-level 1 -all-root >/dev/null
seal() { # FILE: the seal of the file, which gets its tree behind it
	local blocks hash
	truncate -s %4096 "$1"
	blocks=$(($(stat -c %s "$1") / 4096))
	hash=$(veritysetup format --salt=- --uuid=00000000-0000-0000-0000-000000000000 \
		--data-block-size=4096 --hash-block-size=4096 --data-blocks=$blocks \
		--hash-offset=$((blocks * 4096)) "$1" "$1" | sed -n 's/^Root hash:[[:space:]]*//p')
	echo "$hash:$blocks"
}
guid() { echo "${1:0:8}-${1:8:4}-${1:12:4}-${1:16:4}-${1:20:12}"; } # SEAL
root=$(seal root.sq)
settings() { # WORD...: initrd-N with them
	rm -rf tree && cp -al small tree
	printf '%s\n' "$@" >tree/etc/gild/init.conf
	(cd tree && find . | sort | cpio -o -H newc --quiet -R 0:0) | gzip -1 >initrd
}
settings "windows=6.1.7601 arch=x86 storage=virtio-blk network=none image=/x"

# ---- sticks --------------------------------------------------------------------------------

start() { # NAME KERNEL-ARGUMENTS QEMU-ARGUMENT...: in the background; $pid
	local name=$1 arguments=$2
	shift 2
	timeout 170 qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -m 1024 -cpu max,+svm \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$kernel" -initrd initrd \
		-append "console=ttyS0 quiet panic=-1 rdinit=/init $arguments" \
		-chardev "file,id=serial,path=$PWD/$name.log" -serial chardev:serial \
		-qmp "unix:$PWD/$name.qmp,server=on,wait=off" "$@" >"$name.err" 2>&1 &
	pid=$!
}
await() { # NAME TEXT: until the log has it, or the PC is off
	while kill -0 "$pid" 2>/dev/null; do
		grep -q -- "$2" "$1.log" 2>/dev/null && return 0
		sleep 0.2
	done
	grep -q -- "$2" "$1.log"
}
ask() { # NAME QMP-COMMAND [JSON-ARGUMENTS]
	python3 - "$PWD/$1.qmp" "$2" "${3-}" <<-'END'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		f = s.makefile('rw')
		f.readline()
		command = {'execute': sys.argv[2]}
		if sys.argv[3]:
		    command['arguments'] = json.loads(sys.argv[3])
		for c in ({'execute': 'qmp_capabilities'}, command):
		    f.write(json.dumps(c) + '\n')
		    f.flush()
		    f.readline()
	END
}
said() { # NAME TEXT DESCRIPTION
	grep -q -- "$2" "$1.log"
	tap $? "$3" "$1.log"
}
usb=(-device qemu-xhci)
stick() { # FILE ID: QEMU arguments of a USB stick
	echo "-drive file=$1,format=raw,if=none,id=$2-disk -device usb-storage,drive=$2-disk,id=$2,removable=on"
}

truncate -s 200M stick.img
root_size=$(($(stat -c %s root.sq) / 1048576 + 1))
sgdisk -o -n "1:1M:+${root_size}M" -t 1:4038b2bd-ef50-4c09-a2df-082587a312bb -u "1:$(guid "$root")" stick.img >/dev/null
dd if=root.sq of=stick.img bs=1M seek=1 conv=notrunc status=none
# shellcheck disable=SC2046
start one "gild.root=$root gild.slot=a" "${usb[@]}" $(stick stick.img stick)
await one "press the power button\|gild: off"
cat one.log
ask one quit
