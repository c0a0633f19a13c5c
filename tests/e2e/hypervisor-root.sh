# SPDX-License-Identifier: GPL-3.0-or-later
# The sealed root file system: found by its hash on a stick, opened through dm-verity and
# switched to; golden images under a seal, state that grows and fills up, slots, and a medium
# that is pulled out. The sticks are made by mksquashfs, veritysetup, sgdisk and mke2fs.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/hypervisor.sh" || exit 1
need qemu-img as ld mkfs.ext4 mkfs.vfat mmd mcopy debugfs mksquashfs veritysetup sgdisk mformat \
	e2fsck dumpe2fs xorriso
cd "$scratch" || exit 1

# ---- initramfs and root file system --------------------------------------------------------

medium=(virtio_blk virtio_pci xhci-pci usb-storage sd_mod loop dm-mod dm-verity squashfs
	vfat nls_ascii nls_cp437 nls_utf8 ahci sr_mod isofs button evdev sha256_generic)
root=$PWD/big
make_root
mkdir -p big/{media,state}
with_modules "${medium[@]}"
index_modules
root=$PWD/small
mkdir -p small/{dev,proc,run,sys,etc/gild}
with_libraries "$init" init
strip small/init 2>/dev/null
with_modules "${medium[@]}"
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
root_seal=$(seal root.sq)
root=$PWD/tree
settings() { # from stdin
	rm -rf tree && cp -al small tree && mkdir -p tree/etc/gild/images
	cat >tree/etc/gild/init.conf
}
config() { # IMAGE WORD...
	local name=$1
	shift
	echo "$@" >"tree/etc/gild/images/$name.conf"
}
# ---- sticks --------------------------------------------------------------------------------

start() { # NAME KERNEL-ARGUMENTS QEMU-ARGUMENT...
	start_pc "$1" "$2" -m 1024 -cpu max,+svm "${@:3}"
}
usb=(-device qemu-xhci)
stick() { # FILE ID: QEMU arguments of a USB stick
	echo "-drive file=$1,format=raw,if=none,id=$2-disk -device usb-storage,drive=$2-disk,id=$2,removable=on"
}

words="windows=6.1.7601 arch=x86 storage=virtio-blk network=none"
assemble nonce nonce.raw
truncate -s 4M nonce.raw
nonce_seal=$(seal nonce.raw)
assemble filler filler.raw
truncate -s 24M filler.raw
# (A block of zeros is not read at all: its hash tells.)
printf gild | dd of=filler.raw bs=1 seek=$((12 << 20)) conv=notrunc status=none
filler_seal=$(seal filler.raw)
# What a bad flash cell makes of it, where nothing reads at the start.
cp filler.raw damaged.raw
printf x | dd of=damaged.raw bs=1 seek=$((12 << 20)) conv=notrunc status=none
# And where something does.
cp nonce.raw torn.raw
printf x | dd of=torn.raw bs=1 seek=100 conv=notrunc status=none

settings <<-END
	shutdown_seconds=2
END
config nonce "$words image=partition:$(guid "$nonce_seal") seal=$nonce_seal"
config torn "$words image=file:gild/images/torn.img seal=$nonce_seal persist=off"
config filler "$words image=partition:$(guid "$filler_seal") seal=$filler_seal"
config damaged "$words image=partition:$(guid "$filler_seal") seal=$filler_seal persist=off"
pack_initrd "$pc_initrd"
root_size=$(($(stat -c %s root.sq) / 1048576 + 1))
start_of() { sgdisk -i "$2" "$1" | sed -n 's/^First sector: \([0-9]*\).*/\1/p'; }
put() { dd if="$3" of="$1" bs=512 seek="$(start_of "$1" "$2")" conv=notrunc status=none; }
take() { dd if="$1" of="$3" bs=512 skip="$(start_of "$1" "$2")" count="$4" status=none; }
truncate -s 16M state.img
mkfs.ext4 -q -J size=4 -m 0 state.img
cmp_ok() { tap "$(grep -q "$2" "$1"; echo $?)" "$3" "$1"; }

# ---- a stick with slots, and another one that is damaged -----------------------------------

# ESP, slot A, an image, and the state last: the stick is larger than what was written to it.
truncate -s $((root_size + 60))M stick.img
sgdisk -o -n 1:1M:+8M -t 1:ef00 \
	-n "2:0:+${root_size}M" -t 2:4038b2bd-ef50-4c09-a2df-082587a312bb -u "2:$(guid "$root_seal")" \
	-n 3:0:+5M -t 3:e605fc08-d29d-46ee-90c1-b43dd03ef665 -u "3:$(guid "$nonce_seal")" \
	-n 4:0:+16M -t 4:f521279a-189d-496f-9e41-2d9175c8c763 stick.img >sgdisk.log || cat sgdisk.log
truncate -s 8M esp.img
mkfs.vfat -n ESP esp.img >/dev/null
mmd -i esp.img ::gild
{ printf '# GRUB Environment Block\nslot=a\ntries=2\n'; head -c 1024 /dev/zero | tr '\0' '#'; } | head -c 1024 >grubenv
mcopy -i esp.img grubenv ::gild/grubenv
put stick.img 1 esp.img
put stick.img 2 root.sq
put stick.img 3 nonce.raw
put stick.img 4 state.img
# The disk that comes first has the hash and a wrong byte in its first block.
truncate -s $((root_size + 4))M bad.img
sgdisk -o -n "1:1M:+${root_size}M" -t 1:4038b2bd-ef50-4c09-a2df-082587a312bb -u "1:$(guid "$root_seal")" bad.img >/dev/null
put bad.img 1 root.sq
printf x | dd of=bad.img bs=1 seek=$(($(start_of bad.img 1) * 512 + 100)) conv=notrunc status=none

nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
# shellcheck disable=SC2046
start slots "gild.root=$root_seal gild.slot=a gild.image=nonce" "${usb[@]}" $(stick stick.img stick) \
	-drive file=bad.img,format=raw,if=virtio,readonly=on \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1 nonce=$nonce"
await slots "marked as good\|press the power"
said slots "gild: vda1 .* is damaged" "a disk with the right hash and wrong data is named and passed over"
said slots "gild: root file system .* from sda2" "the root is found on the stick, by its hash"
said slots "gild: the state was grown" "the state gets the rest of the stick"
said slots "gild: image nonce on sda3 .* under its seal, changes are kept" "the image is found by its GUID and opened through dm-verity"
said slots "gild: guest running (kvm) $nonce" "the guest runs from it"
said slots "gild: slot a: marked as good" "the slot is marked"
qmp slots device_del '{"id":"stick"}' >/dev/null
await slots "was pulled out"
said slots "gild: the disk sda with the golden image was pulled out" "a stick that is pulled out is said on the screen"
press slots
await slots "gild: off"
said slots "gild: off" "and the PC can be switched off without it"
wait "$pid"
sgdisk -v stick.img >verify.log 2>&1
cmp_ok verify.log "No problems found" "sgdisk finds no fault in the grown table"
sectors=$(sgdisk -i 4 stick.img | sed -n 's/^Partition size: \([0-9]*\).*/\1/p')
is "the partition has the rest" "$((sectors > 30 * 2048))" 1
take stick.img 4 grown.img "$sectors"
# The stick was pulled while it was mounted: the journal is there for that.
e2fsck -f -y grown.img >fsck.log 2>&1
is "the grown file system is sound once its journal is played back" "$(($? & ~1))" 0
is "and has the partition's size" "$(dumpe2fs -h grown.img 2>/dev/null | awk '/^Block count:/ {b = $3} /^Block size:/ {print b * $3}')" $((sectors * 512))
take stick.img 1 esp.out 16384
mcopy -n -i esp.out ::gild/grubenv grubenv.out
is "GRUB's block has its size" "$(stat -c %s grubenv.out)" 1024
is "and says that the slot came up" "$(grep -aoE '^(tries|good|slot)=.' grubenv.out | sort | paste -sd' ')" "good=a slot=a tries=3"

# ---- a root that is a file, on a stick that comes late; an image that is torn --------------

mformat -C -i late.img -T $(((root_size + 16) * 2048)) -h 64 -s 32 ::
mmd -i late.img ::gild ::gild/images
mcopy -i late.img root.sq "::gild/root-${root_seal:0:16}.img"
mcopy -i late.img torn.raw ::gild/images/torn.img
start late "gild.root=$root_seal gild.image=torn gild.toram=on" "${usb[@]}" -drive file=late.img,format=raw,if=none,id=late-disk \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1"
await late "looking for"
said late "gild: looking for the root file system ${root_seal:0:16} for .* disks: none" "without a medium the screen says what is looked for"
qmp late device_add '{"driver":"usb-storage","drive":"late-disk","id":"late"}' >/dev/null
await late "press the power"
said late "gild: the root is copied to memory from sda" "a stick that is put in is taken"
said late "gild: root file system .* from sda" "a root in a file on FAT is found by its hash"
said late "gild: image torn on sda .*: is damaged" "a damaged image is refused by its name"
said late "write the medium anew" "with what to do"
press late
await late "gild: off"
said late "gild: off" "then the button switches the PC off"

# ---- a root on a CD, an image with a bad block in its middle; state that is full -----------

disk() { # FILE IMAGE
	truncate -s 48M "$1"
	sgdisk -o -n 1:1M:+25M -t 1:e605fc08-d29d-46ee-90c1-b43dd03ef665 -u "1:$(guid "$filler_seal")" \
		-n 2:0:+16M -t 2:f521279a-189d-496f-9e41-2d9175c8c763 -n 3:0:0 "$1" >/dev/null
	put "$1" 1 "$2"
	put "$1" 2 state.img
}
disk full.img filler.raw
disk spot.img damaged.raw
mkdir -p cd/gild
ln root.sq "cd/gild/root-${root_seal:0:16}.img"
xorriso -as mkisofs -quiet -iso-level 3 -R -o root.iso cd 2>xorriso.log || cat xorriso.log
start spot "gild.root=$root_seal gild.image=damaged" -drive file=spot.img,format=raw,if=virtio \
	-drive file=root.iso,format=raw,media=cdrom,if=none,id=cd -device ide-cd,drive=cd \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1"
await spot "the guest is stopped\|press the power"
said spot "gild: root file system .* from sr0" "a root in a file on a CD is found by its hash"
said spot "gild: QEMU started" "an image with a bad block in its middle starts"
said spot "gild: the guest is stopped: image damaged on vda1 .* is damaged" "the guest that reads it is stopped, with the image's name"
press spot
await spot "gild: off"
said spot "gild: off" "and the PC can be switched off"
wait "$pid"

cp root.sq tree/root.img
pack_initrd "$pc_initrd"
start full "gild.root=$root_seal gild.image=filler" -drive file=full.img,format=raw,if=virtio \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1"
await full "the guest is stopped\|press the power"
said full "gild: root file system .* from /root.img" "a root in the initramfs needs no disk"
said full "gild: the guest is stopped, nothing is lost: the state is full" "a full state stops the guest and says so"
is "nothing grows over a partition that follows" "$(grep -c 'was grown' full.log)" 0
press full
await full "gild: off"
said full "the guest goes on to shut down" "the button lets it try again, to shut down"
said full "gild: off" "then the PC is off"
wait "$pid"
take full.img 2 full.ext4 32768
ok "the state's file system was unmounted" sh -c "dumpe2fs -h full.ext4 2>/dev/null | grep -q 'state: *clean$'"
debugfs -R "dump filler/overlay.qcow2 $PWD/full.qcow2" full.ext4 2>/dev/null
qemu-img check -f qcow2 full.qcow2 >check.log 2>&1
is "the overlay has no errors" "$(($? == 0 || $? == 3))" 1
done_testing
