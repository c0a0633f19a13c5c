# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of the hypervisor on emulated PCs share: an initramfs of gild-init, Debian's
# kernel and QEMU, and PCs that QEMU emulates with AMD's virtualisation, so that KVM really
# runs inside. Sourced after tests/lib.sh; skips the whole script where something is missing.
#
#   make_root                          # $root: init, QEMU, SeaBIOS; then files of your own
#   with_libraries PROGRAM TARGET      # a program, and the libraries that it needs
#   with_files FILE...                 # files at the place where they are here
#   with_modules NAME...               # modules, and what they need by their own account
#   assemble NAME FILE                 # a guest that is a boot sector: nonce, filler
#   make_golden FOLDER                 # FOLDER/golden.raw: the one that echoes the nonce
#   index_modules                      # once all are there
#   pack_initrd FILE                   # does so, too
#   start_pc NAME KERNEL-ARGUMENTS QEMU-ARGUMENT...   # in the background; $pid, NAME.log
#   await NAME TEXT [SECONDS]          # until the log has it, or the PC is off
#   said NAME TEXT DESCRIPTION         # a test: the log has it
#   press NAME                         # the power button
#   send SOCKET TEXT                   # to a serial port of it, as NAME.tty
#   kill_largest NAME                  # what has most memory there; with sysrq_always_enabled
#   qmp NAME COMMAND [JSON-ARGUMENTS]  # what QEMU answers, as JSON
#
# pc_initrd is the initramfs that start_pc starts; pc_limit its limit in seconds.
PATH=$PATH:/usr/sbin:/sbin
need qemu-system-x86_64 cpio depmod modprobe python3 zstd
init=$GILD_BUILD/hypervisor/init/gild-init
[ -x "$init" ] || skip_all "gild-init was not built: libkmod is missing"
! ldd "$init" | grep -q libasan || skip_all "gild-init has sanitizers, which need more than an initramfs"
kernel=$(find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' | sort -V | tail -n 1)
version=${kernel#/boot/vmlinuz-}
modules=/lib/modules/$version
[ -n "$kernel" ] && [ -r "$kernel" ] && [ -d "$modules" ] || skip_all "no linux-image-amd64 is installed"
take_turn
root=$scratch/root
pc_initrd=$scratch/initrd pc_limit=300
# QEMU's emulation of SVM can lose an interrupt (it clears another bit of the same word without
# a lock). A timer that is set anew by each tick then stands still for good; one that
# ticks by itself goes on.
pc_clock="nohz=off highres=off"
qemu_modules=/usr/lib/x86_64-linux-gnu/qemu

with_libraries() { # PROGRAM TARGET
	local library
	install -D -m 755 "$1" "$root/$2"
	ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root/$library" ] || install -D -m 755 "$library" "$root/$library"
	done
}
with_files() { # FILE...
	local file
	for file; do
		[ ! -e "$file" ] || install -D -m 644 "$file" "$root/$file"
	done
}
with_modules() { # NAME...
	modprobe -S "$version" --show-depends -a "$@" 2>/dev/null |
		sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
		[ -e "$root/$file" ] || install -D -m 644 "$file" "$root/$file"
	done
}
make_root() {
	mkdir -p "$root"/{bin,dev,proc,run,sys,tmp,lib64,etc/gild,usr/bin}
	with_libraries "$init" init
	strip "$root/init" 2>/dev/null
	with_libraries "$(command -v qemu-system-x86_64)" usr/bin/qemu-system-x86_64
	with_files /usr/share/seabios/{bios-256k,vgabios-stdvga}.bin /usr/share/qemu/{kvmvapic.bin,keymaps/en-us}
	with_modules kvm-amd vfio-pci virtio_blk virtio_pci ext4 crc32c_generic button evdev qemu_fw_cfg
}
assemble() { # NAME FILE
	as --32 -I "$GILD_SOURCE/tests" -o "$scratch/$1.o" "$GILD_SOURCE/tests/$1.S" &&
		ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$2" "$scratch/$1.o"
}
make_golden() { # FOLDER
	mkdir -p "$1"
	assemble nonce "$1/golden.raw" && truncate -s 1M "$1/golden.raw"
}
index_modules() {
	cp "$modules"/modules.{order,builtin,builtin.modinfo} "$root$modules/"
	depmod -b "$root" "$version"
}
pack_initrd() { # FILE
	index_modules
	(cd "$root" && find . | sort | cpio -o -H newc --quiet -R 0:0) | zstd -q -3 >"$1"
}

start_pc() { # NAME KERNEL-ARGUMENTS QEMU-ARGUMENT...: in the background; $pid
	local name=$1 arguments=$2
	shift 2
	timeout -k 5 "$pc_limit" qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -m 768 \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$kernel" -initrd "$pc_initrd" \
		-append "console=ttyS0 quiet panic=-1 rdinit=/init $pc_clock $arguments" \
		-chardev "socket,id=serial,path=$PWD/$name.tty,server=on,wait=off,logfile=$PWD/$name.log" \
		-serial chardev:serial \
		-qmp "unix:$PWD/$name.qmp,server=on,wait=off" "$@" >"$name.err" 2>&1 19>&- &
	pid=$!
}
await() { # NAME TEXT [SECONDS]: until the log has it, or the PC is off
	local end=$((SECONDS + ${3-1000}))
	while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $end ]; do
		grep -q -- "$2" "$1.log" 2>/dev/null && return 0
		sleep 0.2
	done
	grep -q -- "$2" "$1.log"
}
qmp() { # NAME COMMAND [JSON-ARGUMENTS]
	python3 - "$PWD/$1.qmp" "$2" "${3-}" <<-'END'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		f = s.makefile('rw')
		f.readline()
		def command(name, arguments):
		    f.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
		    f.flush()
		    while True:
		        answer = json.loads(f.readline())
		        if 'event' not in answer:
		            return answer
		command('qmp_capabilities', {})
		answer = command(sys.argv[2], json.loads(sys.argv[3] or '{}'))
		print(json.dumps(answer.get('return', answer)))
		sys.exit('error' in answer)
	END
}
press() { # NAME
	qmp "$1" system_powerdown >/dev/null
}
send() { # SOCKET TEXT
	python3 - "$PWD/$1" "$2" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.send(sys.argv[2].encode())
	END
}
# The kernel's OOM killer by its own key: a break on the console, then f.
kill_largest() { # NAME
	qmp "$1" chardev-send-break '{"id":"serial"}' >/dev/null && send "$1.tty" f
}
said() { # NAME TEXT DESCRIPTION
	grep -q -- "$2" "$1.log"
	tap $? "$3" "$1.log"
}
