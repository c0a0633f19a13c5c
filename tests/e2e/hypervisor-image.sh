# SPDX-License-Identifier: GPL-3.0-or-later
# What the bootable image is made of, without a medium: initramfs and sealed root file system
# of a small system of the test's own (real modules, programs that stand in for QEMU and the
# like), read back by veritysetup, unsquashfs, cpio and modprobe; then the choice of modules
# on the whole kernel, by numbers.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin
need gensquashfs unsquashfs veritysetup cpio zstd depmod modprobe jq
tool=$GILD_BUILD/tests/imagetool
init=$GILD_BUILD/hypervisor/init/gild-init
console=$GILD_BUILD/hypervisor/console/gild-console
reader=$GILD_BUILD/hypervisor/reader/gild-reader
kernel=$(find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' | sort -V | tail -n 1)
version=${kernel#/boot/vmlinuz-}
modules=/lib/modules/$version
[ -n "$kernel" ] && [ -d "$modules" ] || skip_all "no linux-image-amd64 is installed"
cd "$scratch" || exit 1
export XDG_CACHE_HOME=$scratch/cache

says() { # TEXT DESCRIPTION: what the last command said
	grep -q -- "$1" "$scratch/.out"
	tap $? "$2" "$scratch/.out"
}

# ---- seals: sizes around the tree's levels ---------------------------------------------------

sealed() { # BYTES
	head -c "$1" /dev/zero | tr '\0' 'x' >data
	seal=$("$tool" seal data) || return 1
	hash=${seal%:*} blocks=${seal#*:}
	veritysetup verify --hash-offset=$((blocks * 4096)) data data "$hash"
}
for size in 1 4096 4097 $((128 * 4096)) $((129 * 4096)) $((16384 * 4096)) $((16384 * 4096 + 1)); do
	ok "veritysetup finds what seals $size bytes sound" sealed "$size"
done
ok "and so does gild" "$tool" check data "$seal"
printf y | dd of=data bs=1 seek=$((4096 * 77)) conv=notrunc status=none
fails 2 "veritysetup sees a changed byte" veritysetup verify --hash-offset=$((blocks * 4096)) data data "$hash"
fails 3 "and so does gild" "$tool" check data "$seal"
says 'block 77 ' "which names its block"
rm data

# ---- a small system --------------------------------------------------------------------------

root=$scratch/system
mkdir -p "$root"/{boot,usr/bin,usr/sbin,lib64,etc} "$root$modules"
head -c 4000 "$kernel" >"$root/boot/vmlinuz-$version"
cp "$root/boot/vmlinuz-$version" "$root/boot/vmlinuz-9.9.9-cloud-amd64"
cp "$modules"/modules.{order,builtin,builtin.modinfo} "$root$modules/"
for module in ahci libahci libata scsi_mod scsi_common sd_mod e1000e e100 mii ptp pps_core lpfc dm-verity dm-mod dm-bufio \
	squashfs loop; do
	file=$(find "$modules" -name "$module.ko*" | head -n 1)
	[ -z "$file" ] || install -D -m 644 "$file" "$root$file"
done
copy() { # FILE: and what it is linked to
	local library
	ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root/$library" ] || install -D -m 755 "$library" "$root/$library"
	done
}
copy "$init"
copy "$console"
copy "$reader"
for program in usr/bin/qemu-system-x86_64 usr/bin/swtpm usr/sbin/dhcpcd; do
	install -D -m 755 "$(type -P true)" "$root/$program"
done
copy "$(type -P true)"
[ -e "$root/lib/x86_64-linux-gnu/libgcc_s.so.1" ] ||
	install -D "$(find /lib/x86_64-linux-gnu/ -name libgcc_s.so.1)" "$root/lib/x86_64-linux-gnu/libgcc_s.so.1"
for file in usr/share/qemu/{kvmvapic.bin,keymaps/en-us} \
	usr/share/seabios/{bios-256k,vgabios-{stdvga,virtio,cirrus}}.bin \
	usr/share/OVMF/OVMF_{CODE,VARS}_4M{,.ms}.fd \
	usr/lib/ipxe/qemu/{efi-{virtio,e1000,e1000e,rtl8139},pxe-{virtio,e1000,rtl8139}}.rom; do
	mkdir -p "$root/${file%/*}"
	echo "$file" >"$root/$file"
done
# A link that leads to the root folder of its own system.
mv "$root/usr/share/OVMF/OVMF_CODE_4M.ms.fd" "$root/boot/code"
ln -s /boot/code "$root/usr/share/OVMF/OVMF_CODE_4M.ms.fd"
mkdir -p firmware/e100
echo one >firmware/e100/d101m_ucode.bin
echo two | zstd -q >firmware/e100/d101s_ucode.bin.zst

make() { # FOLDER WORD...
	local out=$1
	shift
	mkdir -p "$out"
	"$tool" make "$out" sysroot="$root" init="$init" console="$console" reader="$reader" firmware=firmware "$@" >"$out.txt"
}
ok "an image of it is made" make one
is "of its newest kernel for PCs" "$(awk '$1 == "kernel" {print $2}' one.txt)" "$version"
seal=$(awk '$1 == "seal" {print $2}' one.txt)
ok "veritysetup finds the root sound" veritysetup verify --hash-offset=$((${seal#*:} * 4096)) one/root.img one/root.img "${seal%:*}"

# ---- the root file system --------------------------------------------------------------------

unsquashfs -lln -UTC one/root.img >list 2>&1
has() { # TEXT DESCRIPTION
	grep -qE -- "$1" list
	tap $? "$2" list
}
has '^-rwxr-xr-x 0/0 .*squashfs-root/init$' "init is in it"
has 'squashfs-root/usr/bin/gild-console$' "and the console"
has 'squashfs-root/usr/bin/gild-reader$' "and what reads images from servers"
has '^drwxr-xr-x 0/0 .*squashfs-root/state$' "mount points are in it"
has 'squashfs-root/usr/lib64/ld-linux-x86-64.so.2$' "the loader of programs is in it"
has 'squashfs-root/usr/lib/x86_64-linux-gnu/libkmod.so.2$' "init's libraries are in it"
has "squashfs-root/usr/lib/modules/$version/kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko" "a network card's module is in it"
is "that of a server's is not" "$(grep -c lpfc list)" 0
has 'squashfs-root/lib -> usr/lib$' "the old folders lead to the new ones"
is "all is root's, and of one time" "$(grep -E '^[-dl]' list | awk '{print $2, $4, $5}' | sort -u)" "0/0 2023-11-14 22:13"
unsquashfs -q -n -d tree one/root.img >/dev/null 2>&1
is "a link inside the system was followed there" "$(cat tree/usr/share/OVMF/OVMF_CODE_4M.ms.fd)" usr/share/OVMF/OVMF_CODE_4M.ms.fd
is "a blob is in it" "$(cat tree/usr/lib/firmware/e100/d101m_ucode.bin)" one
is "one that was packed is unpacked" "$(cat tree/usr/lib/firmware/e100/d101s_ucode.bin)" two
is "one that is not there is said" "$(grep -c '^missing.e100: e100/d102e_ucode.bin$' one.txt)" 1
is "what is left out is said" "$(grep '^left-out' one.txt | cut -f2 | sort | head -n 1)" "alsa.conf: libasound2-data"
show() { modprobe -d "$1" -S "$version" --show-depends "$2" 2>&1 | sed 's/.*\///; s/\.ko.*//' | tr '\n' ' '; }
is "modprobe finds modules in the order of what they need" "$(show tree ahci)" "scsi_common scsi_mod libata libahci ahci "
is "and by alias" "$(show tree pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00)" \
	"$(show / pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00)"
is "none of what was left out" "$(modprobe -d tree -S "$version" --show-depends lpfc 2>&1 | grep -c insmod)" 0

# ---- the initramfs ---------------------------------------------------------------------------

mkdir early
zstd -qdc one/initrd 2>/dev/null | (cd early && cpio -i --quiet --no-absolute-filenames)
zstd -qdc one/initrd 2>/dev/null | cpio -tv --quiet 2>/dev/null >list
has '^-rwxr-xr-x .* root .* init$' "init is in the initramfs"
is "it is the program that was built, without what no loader reads" \
	"$(cmp -n 4096 <(tail -c +65 "$init") <(tail -c +65 early/init) && [ "$(stat -c %s early/init)" -le "$(stat -c %s "$init")" ] && echo same)" same
is "a disk's module is in it" "$(show early ahci)" "scsi_common scsi_mod libata libahci ahci "
is "the root's file system, too" "$(find early -name 'dm-verity.ko*' -o -name 'squashfs.ko*' | wc -l)" 2
is "a network card's is not" "$(find early -name 'e1000e*' | wc -l)" 0
is "init runs with the libraries that it has there" \
	"$(early/usr/lib64/ld-linux-x86-64.so.2 --library-path early/usr/lib/x86_64-linux-gnu early/init windows= 2>&1 | grep -c 'error while loading')" 0

# ---- small archives --------------------------------------------------------------------------

cpio -tv --quiet <one/config >list 2>/dev/null
is "the settings' archive has its folders, and names in order" "$(awk '{print $1, $NF}' list | tr '\n' ';')" \
	"drwxr-xr-x etc;drwxr-xr-x etc/gild;drwxr-xr-x etc/gild/images;-rw-r--r-- etc/gild/images/a.conf;-rw-r--r-- etc/gild/init.conf;-rw------- etc/gild/wpa.conf;"
is "it and the initramfs may be followed by another" "$(($(stat -c %s one/config) % 512 + $(stat -c %s one/initrd) % 512))" 0
mkdir net
(cd net && cpio -i --quiet) <one/net
ok "the archive for network boot holds the root" cmp net/root.img one/root.img

# ---- the same bytes, and what is kept --------------------------------------------------------

mkdir other
TMPDIR=$scratch/other make two no-cache=1
ok "the same again, without the cache and elsewhere" diff -r one two
ok "on one CPU" env -u X bash -c 'taskset -c 0 "$@" >/dev/null' - "$tool" make two sysroot="$root" init="$init" console="$console" reader="$reader" firmware=firmware no-cache=1
ok "it is the same, too" diff -r one two
make three
is "with the cache nothing is compressed" "$(grep ^cached three.txt)" "cached	1"
ok "and it is the same" diff -r one three
echo new >"$root/usr/share/qemu/keymaps/en-us"
make three
is "a change is noticed" "$(grep ^cached three.txt)" "cached	0"
is "and makes another seal" "$([ "$(grep ^seal three.txt)" = "$(grep ^seal one.txt)" ] || echo other)" other
find cache -type f ! -name '*.note' | while read -r file; do printf x | dd of="$file" bs=1 seek=5000 conv=notrunc status=none; done
make three
is "what was damaged in the cache is not used" "$(grep ^cached three.txt)" "cached	0"

# ---- what is missing -------------------------------------------------------------------------

mv "$root/usr/bin/swtpm" swtpm
fails 1 "a program that is missing" make four
says 'swtpm.*apt-get install swtpm$' "is named with its package"
mv swtpm "$root/usr/bin/swtpm"
library=$(find "$root" -name 'libkmod.so.2')
mv "$library" library
fails 1 "a library that is missing" make four
says '^/init: needs libkmod.so.2' "is named with who needs it"
mv library "$library"
fails 1 "a kernel that is missing" make four kernel=1.2.3
says 'apt-get install linux-image-1.2.3' "is named with its package"
fails 2 "a module that is not there" make four module=nonesuch

# ---- the whole kernel ------------------------------------------------------------------------

"$tool" modules "$modules" >list
is "of the whole kernel's modules less than half are chosen" \
	"$(($(wc -l <list) * 2 < $(find "$modules/kernel" -name '*.ko*' | wc -l)))" 1
bytes=$(cut -f3 list | (cd "$modules" && xargs stat -c %s) | awk '{n += $1} END {print n}')
is "and of their bytes ($((bytes >> 20)) MiB)" "$((bytes < 224 << 20))" 1
for module in ahci nvme vmd usb-storage uas sdhci-pci e1000e r8169 iwlwifi ath9k i915 amdgpu nouveau hid-multitouch i2c-hid-acpi \
	xhci-pci snd-hda-intel kvm-intel kvm-amd vfio-pci tun bridge dm-verity squashfs overlay isofs vfat tpm_tis i2c-i801; do
	grep -q "/$module\.ko" list || grep -q "/$module\.ko" "$modules/modules.builtin" ||
		grep -q "/${module//-/_}\.ko" "$modules/modules.builtin" || echo "$module"
done >wanting
is "what every PC may need is among them" "$(cat wanting)" ""
if [ -e "$GILD_TEST_DATA/pcs/pci-dmi.jsonl.xz" ]; then
	xz -dc "$GILD_TEST_DATA/pcs/pci-dmi.jsonl.xz" >pcs.jsonl
	"$tool" losses "$modules" pcs.jsonl >losses
	is "of real PCs one in 25 loses a device at most ($(head -n 1 losses))" \
		"$(head -n 1 losses | awk '{print ($3 * 25 <= $1)}')" 1
	is "no PC loses its Wi-Fi card or more than one its disk's controller" \
		"$(awk -F'\t' '$2 == "boot-storage" {n += $1} $2 == "wireless" && $4 != "iosm" {n += 2} END {print (n <= 1)}' losses)" 1
else
	skip "losses on real PCs" "real test data not here: set GILD_TEST_DATA"
fi
done_testing
