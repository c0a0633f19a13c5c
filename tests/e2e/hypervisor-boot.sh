# SPDX-License-Identifier: GPL-3.0-or-later
# The way from the kernel to a guest under KVM: an initramfs of gild-init, Debian's kernel and
# QEMU, started on a PC that QEMU emulates with AMD's virtualisation, so that KVM really runs
# inside. One "PC" hands a network card to its guest, one has no KVM.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin
need qemu-system-x86_64 qemu-img as ld cpio depmod modprobe mkfs.ext4 debugfs python3
init=$GILD_BUILD/hypervisor/init/gild-init
[ -x "$init" ] || skip_all "gild-init was not built: libkmod is missing"
! ldd "$init" | grep -q libasan || skip_all "gild-init has sanitizers, which need more than an initramfs"
kernel=$(find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' | sort -V | tail -n 1)
version=${kernel#/boot/vmlinuz-}
modules=/lib/modules/$version
[ -n "$kernel" ] && [ -r "$kernel" ] && [ -d "$modules" ] || skip_all "no linux-image-amd64 is installed"
cd "$scratch" || exit 1

# ---- the image -----------------------------------------------------------------------------

root=$scratch/root
mkdir -p "$root"/{bin,dev,proc,run,sys,tmp,lib64,etc/gild,usr/bin}
with_libraries() { # PROGRAM TARGET
	local library
	cp "$1" "$root/$2"
	ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root/$library" ] || install -D -m 755 "$library" "$root/$library"
	done
}
with_libraries "$init" init
strip "$root/init" 2>/dev/null
with_libraries "$(command -v qemu-system-x86_64)" usr/bin/qemu-system-x86_64
for file in /usr/share/seabios/{bios-256k,vgabios-stdvga}.bin /usr/share/qemu/{kvmvapic.bin,keymaps/en-us}; do
	[ ! -e "$file" ] || install -D -m 644 "$file" "$root/$file"
done
for module in kvm kvm-amd irqbypass ccp qemu_fw_cfg evdev button vfio vfio_virqfd vfio_iommu_type1 \
	vfio-pci-core vfio-pci e1000e; do
	find "$modules" -name "$module.ko" | while read -r file; do
		install -D -m 644 "$file" "$root/$file"
	done
done
# What these need, by their own account.
modprobe -S "$version" --show-depends -a kvm-amd vfio-pci e1000e virtio_blk virtio_pci ext4 crc32c_generic button evdev qemu_fw_cfg 2>/dev/null |
	sed -n 's/^insmod \([^ ]*\).*/\1/p' | while read -r file; do
	[ -e "$root/$file" ] || install -D -m 644 "$file" "$root/$file"
done
cp "$modules"/modules.{order,builtin,builtin.modinfo} "$root$modules/"
depmod -b "$root" "$version"
# The golden image lies on a disk, what the guest writes is kept on another one.
mkdir media
as --32 -o nonce.o "$GILD_SOURCE/tests/nonce.S" &&
	ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o media/golden.raw nonce.o
truncate -s 1M media/golden.raw
truncate -s 8M media.img state.img
mkfs.ext4 -q -d media media.img && mkfs.ext4 -q state.img
golden=$(sha256sum <media.img)

cat >card.xml <<-'END'
	<profile xmlns="urn:gild:profile:1" id="test-card" name="PC with a card" type="desktop">
	<identity><match manufacturer="Dell Inc." product="OptiPlex 7040"/></identity>
	<hypervisor><passthrough role="network" policy="wanted" group="network"/>
	<passthrough role="system" policy="never"/>
	<kernel-argument>intel_iommu=on</kernel-argument><quirk>nested=off</quirk></hypervisor></profile>
END
"$GILD" profile compile --quiet --output="$root/etc/gild/profiles" "$PWD/card.xml"
echo 'windows=6.1.7601 arch=x86 storage=virtio-blk network=none
	media=/dev/vda state=/dev/vdb image=/media/golden.raw persist=on' \
	>"$root/etc/gild/init.conf"
(cd "$root" && find . | sort | cpio -o -H newc --quiet -R 0:0) | gzip -1 >initrd
is "init is smaller than 1 MiB" "$(($(stat -c %s "$root/init") < 1048576))" 1

# ---- PCs -----------------------------------------------------------------------------------

start() { # NAME KERNEL-ARGUMENTS QEMU-ARGUMENT...: in the background; $pid
	local name=$1 arguments=$2
	shift 2
	timeout 170 qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -m 768 \
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
press() { # NAME
	python3 - "$PWD/$1.qmp" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		f = s.makefile('rw')
		f.readline()
		for command in ('qmp_capabilities', 'system_powerdown'):
		    f.write('{"execute":"%s"}\n' % command)
		    f.flush()
		    f.readline()
	END
}
said() { # NAME TEXT DESCRIPTION
	grep -q -- "$2" "$1.log"
	tap $? "$3" "$1.log"
}

nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
start card "intel_iommu=on gild.shutdown_seconds=2" -cpu max,+svm \
	-drive file=media.img,format=raw,if=virtio,readonly=on -drive file=state.img,format=raw,if=virtio \
	-device intel-iommu,intremap=on,caching-mode=on -device e1000e,addr=3 \
	-smbios type=1,manufacturer="Dell Inc.",product="OptiPlex 7040" \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1 nonce=$nonce"
await card "guest running (kvm) $nonce"
said card "gild: guest running (kvm) $nonce" "the guest runs under KVM and has answered"
said card "on Dell Inc. OptiPlex 7040: hybrid" "the PC and its profile are recognised, and a device goes to the guest"
press card
await card "gild: off"
said card "asked to shut down" "the power button reaches the guest"
said card "QEMU is asked to end" "a guest that does not listen is ended by QEMU itself"
said card "QEMU ended with status 0" "which had the time for it"
said card "gild: off" "then the PC is off"
wait "$pid"
is "by itself" $? 0
debugfs -R "dump overlay.qcow2 $PWD/overlay.qcow2" state.img 2>/dev/null
ok "the overlay is sound" qemu-img check -q -f qcow2 overlay.qcow2
qemu-img convert -f qcow2 -O raw overlay.qcow2 written.raw
is "what the guest wrote is there" "$(dd if=written.raw bs=512 skip=1 count=1 status=none | tr -d '\0')" "$nonce"
is "and only there" "$(sha256sum <media.img)" "$golden"
ok "the state's file system was unmounted" sh -c "dumpe2fs -h state.img 2>/dev/null | grep -q 'state: *clean$'"

start nokvm "" -cpu qemu64,svm=off -fw_cfg "name=opt/gild/vm,string=memory=64M"
await nokvm "press the power button"
said nokvm "obstacle: the CPU shows neither VT-x nor AMD-V; switch" "without KVM it says so, and what to do"
press nokvm
await nokvm "gild: off"
said nokvm "gild: off" "the power button switches that PC off, too"
wait "$pid"
done_testing
