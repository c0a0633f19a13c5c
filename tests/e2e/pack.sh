# SPDX-License-Identifier: GPL-3.0-or-later
# gild pack: sticks, ISOs and folders for network boot, judged by the tools of others. Nothing
# is started here (pack-boot.sh does).
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin
need jq sgdisk fsck.fat mdir mcopy mtype dumpe2fs e2fsck xorriso veritysetup mke2fs grub-mkimage \
	qemu-img cpio mksquashfs openssl sbverify osslsigncode objdump zstd python3
for file in /usr/lib/shim/shimx64.efi.signed /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed \
	/usr/lib/grub/i386-pc/boot.img /usr/lib/systemd/boot/efi/linuxx64.efi.stub; do
	[ -e "$file" ] || skip_all "$file is not installed"
done
[ -x "$GILD_BUILD/samples/mksample" ] || skip_all "mksample is not built (libhivex-dev)"
init=$GILD_BUILD/hypervisor/init/gild-init
[ -x "$init" ] || skip_all "gild-init was not built: libkmod is missing"
find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' -readable | grep -q . ||
	skip_all "no linux-image-amd64 is installed"
cd "$scratch" || exit 1
export GILD_PROFILES=$GILD_SOURCE/profiles XDG_CONFIG_HOME=$scratch/config

"$GILD_BUILD/samples/mksample" wim x.wim --plain &&
	"$GILD" build x.wim --output=office.vhdx --any-controller --size=1G --quiet >/dev/null ||
	exit 1
qemu-img create -q -f qcow2 "linux guest.qcow2" 64M
profile=$(find "$GILD_SOURCE/profiles" -name '*.xml' | sort | head -n 1)
# Small partitions, one profile: what is looked at is the same.
pack() { "$GILD" pack --profile="$profile" "$@"; }
# The root file system is made once, and kept by gild for the next runs.
esp_of() { # DISK: its EFI system partition, as mtools name it
	local start
	start=$(sgdisk -i 2 "$1" 2>/dev/null | sed -n 's/^First sector: \([0-9]*\).*/\1/p')
	esp=$1@@$((start * 512))
}
check_esp() { # DISK
	local size
	esp_of "$1"
	size=$(sgdisk -i 2 "$1" 2>/dev/null | sed -n 's/^Partition size: \([0-9]*\).*/\1/p')
	dd if="$1" of=esp.img bs=512 skip=$((${esp#*@@} / 512)) count="$size" status=none conv=sparse
	fsck.fat -n esp.img
}
part() { # JSON ROLE FIELD
	jq -r ".partitions[] | select(.role == \"$2\") | .$3" "$1" | head -n 1
}
sealed() { # FILE OFFSET SEAL: what dm-verity's own tool says of it
	local blocks=${3#*:}
	dd if="$1" of=sealed.img bs=4096 skip=$(($2 / 4096)) status=none conv=sparse \
		${4:+count=$(($4 / 4096))}
	veritysetup verify sealed.img sealed.img "${3%:*}" --hash-offset=$((blocks * 4096))
}

# ---- a stick -------------------------------------------------------------------------------

small="--slot-size=256M --state-size=64M"
# shellcheck disable=SC2086
pack office.vhdx "linux guest.qcow2" --output=stick.img $small --json \
	--image-option='linux_guest:windows=6.1.7601' --image-option='linux_guest:firmware=bios' \
	--init-option=shutdown_seconds=60 --append="gild.test=1" >stick.json 2>err
tap $? "a stick is packed" err
is "its table is sound" "$(sgdisk -v stick.img | grep -c 'No problems found')" 1
is "its partitions are those of the report" \
	"$(sgdisk -p stick.img | awk '$1 ~ /^[0-9]+$/ {print $1, $2 * 512}')" \
	"$(jq -r '.partitions[] | "\(.number) \(.offset)"' stick.json)"
is "in this order" "$(jq -c '[.partitions[].role]' stick.json)" \
	'["bios","esp","root-a","root-b","image","image","state"]'
ok "the file is sparse" [ "$(du -k stick.img | cut -f 1)" -lt $(($(stat -c %s stick.img) / 2048)) ]
esp_of stick.img
ok "the EFI system partition is sound" check_esp stick.img
ok "and has Debian's shim, to the byte" sh -c \
	"mcopy -n -i '$esp' ::EFI/BOOT/BOOTX64.EFI shim && cmp shim /usr/lib/shim/shimx64.efi.signed"
ok "and its GRUB" sh -c "mcopy -n -i '$esp' ::EFI/BOOT/grubx64.efi grub &&
	cmp grub /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
seal=$(jq -r .seal stick.json)
is "the command line names the root's seal" \
	"$(mtype -i "$esp" ::gild/a/cmdline | grep -c "^gild.root=$seal gild.slot=a .* gild.test=1\$")" 1
is "the menu has an entry for each image" "$(mtype -i "$esp" ::gild/a/menu.cfg |
	sed -n "s/.*'gild.test=1' gild.image=//p" | tr '\n' ' ')" "office linux_guest office,linux_guest "
if command -v grub-script-check >/dev/null; then
	mtype -i "$esp" ::gild/a/menu.cfg >menu.cfg
	mtype -i "$esp" ::EFI/debian/grub.cfg >grub.cfg
	ok "GRUB understands the settings" grub-script-check grub.cfg
	ok "and the menu" grub-script-check menu.cfg
fi
mcopy -n -i "$esp" ::gild/grubenv grubenv
is "the environment block has 1024 bytes" "$(stat -c %s grubenv)" 1024
is "and begins with slot a" "$(grub-editenv grubenv list | tr '\n' ' ')" "slot=a tries=3 "
mcopy -n -i "$esp" ::gild/a/config config
mkdir -p settings && (cd settings && cpio -i --quiet -d <../config)
is "the settings are an archive" "$(cd settings && find . -type f | sort | tr '\n' ' ')" \
	"./etc/gild/images/linux_guest.conf ./etc/gild/images/office.conf ./etc/gild/init.conf ./etc/gild/profiles "
is "what the image is was found out" "$(grep -E '^(windows|arch|firmware)=' settings/etc/gild/images/office.conf |
	tr '\n' ' ')" "windows=10.0.19045 arch=amd64 firmware=uefi "
is "or said" "$(grep -E '^(windows|firmware)=' settings/etc/gild/images/linux_guest.conf | tr '\n' ' ')" \
	"windows=6.1.7601 firmware=bios "
is "what is written is kept, and options are there" "$(tr '\n' ' ' <settings/etc/gild/init.conf)" \
	"persist=on shutdown_seconds=60 "
[ -e /lib/firmware/intel-ucode ] || [ -e /lib/firmware/amd-ucode ] ||
	is "microcode that is not there is told of" "$(jq -c '[.left_out[] | select(test("microcode"))]' stick.json)" \
		'["microcode of Intel: intel-microcode","microcode of AMD: amd64-microcode"]'
hash=${seal%:*}
is "the root partition is found by its hash" \
	"$(sgdisk -i 3 stick.img | sed -n 's/^Partition unique GUID: //p' | tr -d - | tr A-F a-f)" \
	"$(printf %.32s "$hash")"
ok "dm-verity's own tool accepts it" sealed stick.img "$(part stick.json root-a offset)" "$seal" \
	"$(part stick.json root-a size)"
if command -v unsquashfs >/dev/null; then
	ok "it is a squashfs with init in it" sh -c "unsquashfs -l sealed.img 2>/dev/null | grep -q 'squashfs-root/init$'"
fi
image_seal=$(sed -n 's/^seal=//p' settings/etc/gild/images/office.conf)
ok "and the image" sealed stick.img "$(part stick.json image offset)" "$image_seal" \
	"$(part stick.json image size)"
cp --sparse=always sealed.img damaged.img
printf x | dd of=damaged.img bs=1 seek=70000 conv=notrunc status=none
fails 2 "a damaged byte is noticed" veritysetup verify damaged.img damaged.img "${image_seal%:*}" \
	--hash-offset=$((${image_seal#*:} * 4096))
is "the image is where its settings say" \
	"$(sed -n 's/^image=partition:\(.*\)/\1/p' settings/etc/gild/images/office.conf)" \
	"$(sgdisk -i 5 stick.img | sed -n 's/^Partition unique GUID: //p' | tr A-F a-f)"
if command -v qemu-img >/dev/null; then
	truncate -s $((${image_seal#*:} * 4096)) sealed.img
	ok "it is the same disk" qemu-img compare -f qcow2 -F vhdx sealed.img office.vhdx
fi
dd if=stick.img of=state.img bs=4096 skip=$(($(part stick.json state offset) / 4096)) \
	count=$(($(part stick.json state size) / 4096)) status=none
ok "the state's file system is sound" e2fsck -fn state.img
is "and called so" "$(dumpe2fs -h state.img 2>/dev/null | sed -n 's/^Filesystem volume name: *//p')" gild-state
is "the boot code leads to GRUB's image" "$(od -An -tu8 -j $((0x5c)) -N 8 stick.img | tr -d ' ')" \
	"$(($(part stick.json bios offset) / 512))"
is "and that to its rest" "$(od -An -tu8 -j $(($(part stick.json bios offset) + 500)) -N 8 stick.img | tr -d ' ')" \
	"$(($(part stick.json bios offset) / 512 + 1))"

is "the report has its members" "$(jq -c 'keys' stick.json)" "$(printf '%s' '["command_line","config_size",
	"contents","images","initrd_size","kernel","kernel_size","left_out","microcode","missing_firmware","modules","output",
	"partitions","profiles","root_size","schema","seal","signed","warnings"]' | tr -d '\n\t')"
is "and docs/json.md has all of them" "$(jq -r '[paths | map(select(type == "string")) | .[]] | unique[]' stick.json |
	while read -r m; do grep -qE "[\"\`]$m[\"\`*:]" "$GILD_SOURCE/docs/json.md" || echo "$m"; done)" ""

# shellcheck disable=SC2086
pack office.vhdx "linux guest.qcow2" --output=again.img $small --quiet \
	--image-option='linux_guest:windows=6.1.7601' --image-option='linux_guest:firmware=bios' \
	--init-option=shutdown_seconds=60 --append="gild.test=1"
ok "the same again gives the same bytes" cmp stick.img again.img
rm -f again.img damaged.img state.img

# ---- what it costs -------------------------------------------------------------------------

# 64 MiB somewhere in a disk of 2 GiB.
truncate -s 2G large.raw
echo '2048,,7' | /usr/sbin/sfdisk -q large.raw
openssl enc -aes-128-ctr -pass pass:x -nosalt -md sha256 2>/dev/null </dev/zero |
	dd of=large.raw bs=1M seek=700 count=64 iflag=fullblock conv=notrunc status=none
# shellcheck disable=SC2016
bash -c '"$0" "$@" && cat /proc/$$/io' "$GILD" pack --profile="$profile" large.raw --output=large.img $small --quiet \
	--image-option=windows=6.1.7601 --image-option=firmware=bios --image-option=format=raw >io 2>err
tap $? "a large raw disk is packed" err
counted() { sed -n "s/^$1: //p" io; }
# Besides there are the root file system, hash tree, kernel, initramfs and GRUB.
is "its data is written once" "$(($(counted wchar) < (64 + 64) * 1048576 + $(jq .root_size stick.json)))" 1
is "its holes are not read" "$(($(counted rchar) < 1000 * 1048576))" 1
rm -f large.raw large.img

# ---- a new version -------------------------------------------------------------------------

behind() { # all from the first image to the end of the state
	local from to
	from=$(part stick.json image offset)
	to=$(($(part stick.json state offset) + $(part stick.json state size)))
	dd if=stick.img bs=1M skip=$((from >> 20)) count=$(((to - from) >> 20)) status=none | sha256sum
}
before=$(behind)
cp --sparse=always stick.img power.img
pack --update=stick.img --append="gild.test=2" --json >update.json 2>err
tap $? "the slot that is not in use is written" err
is "which is b" "$(jq -r .output.slot update.json)" b
is "of the boot loader nothing is, since this machine has the same" "$(jq -c .renewed update.json)" '[]'
esp_of stick.img
ok "the EFI system partition is sound" check_esp stick.img
is "the table is sound" "$(sgdisk -v stick.img | grep -c 'No problems found')" 1
mcopy -n -o -i "$esp" ::gild/grubenv grubenv
is "b is tried next, a is the one that is good" "$(grub-editenv grubenv list | tr '\n' ' ')" \
	"slot=b tries=3 good=a "
is "a is as it was" "$(mtype -i "$esp" ::gild/a/cmdline | grep -c 'gild.test=1$')" 1
is "b is new" "$(mtype -i "$esp" ::gild/b/cmdline | grep -c 'gild.test=2$')" 1
ok "its root is whole" sealed stick.img "$(part update.json root-b offset)" "$(jq -r .seal update.json)" \
	"$(part update.json root-b size)"
is "the images are still in the menu" "$(mtype -i "$esp" ::gild/b/menu.cfg | grep -c '^menuentry')" 3
mcopy -n -o -i "$esp" ::gild/b/config config
is "and settings were kept" "$(cpio -i --quiet --to-stdout etc/gild/init.conf <config | tr '\n' ' ')" \
	"persist=on shutdown_seconds=60 "
is "images and state are left alone" "$(behind)" "$before"
# A slot that never came up is the one to write again.
pack --update=stick.img --append="gild.test=3" --quiet
esp_of stick.img
is "another update replaces b, which has not come up yet" \
	"$(mtype -i "$esp" ::gild/a/cmdline | grep -c 'test=1$') $(mtype -i "$esp" ::gild/b/cmdline | grep -c 'test=3$')" "1 1"
# Another boot loader than this machine's.
older() { # DISK
	local file
	esp_of "$1"
	for file in BOOTX64.EFI grubx64.efi; do
		mcopy -n -o -i "$esp" "::EFI/BOOT/$file" old && printf older >>old && mcopy -o -i "$esp" old "::EFI/BOOT/$file"
	done
	printf x | dd of="$1" bs=1 seek=$(($(part stick.json bios offset) + 3000)) conv=notrunc status=none
}
loader() { # DISK: shim, GRUB for UEFI, and for BIOS, where the boot code finds it
	local file
	esp_of "$1"
	for file in BOOTX64.EFI grubx64.efi; do
		mcopy -n -o -i "$esp" "::EFI/BOOT/$file" part && sha256sum <part | cut -c 1-16
	done
	dd if="$1" bs=512 skip="$(od -An -tu8 -j $((0x5c)) -N 8 "$1")" count=1024 status=none | sha256sum | cut -c 1-16
}
before=$(loader stick.img)
older power.img
mapfile -t old < <(loader power.img)
cp --sparse=always power.img stick.img
pack --update=stick.img --append="gild.test=3" --json >update.json
is "another boot loader than this machine's is renewed" "$(jq -c .renewed update.json)" \
	'["GRUB for BIOS","GRUB for UEFI","shim"]'
esp_of stick.img
ok "shim is this machine's" sh -c "mcopy -n -o -i '$esp' ::EFI/BOOT/BOOTX64.EFI shim && cmp shim /usr/lib/shim/shimx64.efi.signed"
mapfile -t new < <(loader stick.img)
is "and GRUB for UEFI" "${new[*]:0:2}" "$(head -n 2 <<<"$before" | xargs)"
at=$(part stick.json bios offset)
is "GRUB for BIOS lies in the other half of its partition" \
	"$(od -An -tu8 -j $((0x5c)) -N 8 stick.img | tr -d ' ')" $((at / 512 + 1024))
is "and leads to its rest" "$(od -An -tu8 -j $((at + 524288 + 500)) -N 8 stick.img | tr -d ' ')" $((at / 512 + 1025))
# But for where that rest lies it is what was there, which lacks the damage.
cmp -l -n 200000 <(tail -c +$((at + 1)) power.img) <(tail -c +$((at + 524289)) stick.img) >different
is "it is the same program" "$(awk '$1 < 501 || $1 > 508 { print $1 }' different)" 3001
ok "the EFI system partition is sound" check_esp stick.img
is "and the table" "$(sgdisk -v stick.img | grep -c 'No problems found')" 1
mcopy -n -o -i "$esp" ::EFI/BOOT/BOOTX64.EFI shim
sed 's/^shim,[0-9]*,/shim,9,/' shim >newer && ! cmp -s shim newer && mcopy -o -i "$esp" newer ::EFI/BOOT/BOOTX64.EFI
pack --update=stick.img --append="gild.test=3" --json >update.json
is "one of a higher generation stays" "$(jq -c '[.renewed, (.warnings[] | test("older generation .SBAT: shim"))]' update.json)" \
	'[[],true]'
mkdir -p bin && printf '#!/bin/sh\nexit 1\n' >bin/grub-mkimage && chmod +x bin/grub-mkimage
cp --sparse=always power.img left.img
PATH=$PWD/bin:$PATH pack --update=left.img --append="gild.test=3" --json >update.json
is "without grub-mkimage GRUB for BIOS stays, and the rest does not" "$(jq -c '[.renewed, .warnings[]]' update.json)" \
	'[["GRUB for UEFI","shim"],"GRUB for BIOS is left as it is: grub-mkimage: failed: it gave no reason"]'
rm -f left.img
killer=$GILD_BUILD/tests/killer.so
if [ -e "$killer" ] && ! grep -q __asan_init "$GILD"; then
	# Killed at any change to a file, the stick starts what it did, or all of the new one.
	update() { "$GILD" pack --profile="$profile" --update=killed.img --append="gild.test=2" --quiet; }
	cp --sparse=always power.img killed.img
	# Programs that it starts count for themselves; it alone syncs.
	TMPDIR=$PWD KILL_AT=0 KILL_LOG=$PWD/steps KILL_LOG_EACH=1 LD_PRELOAD=$killer update 2>/dev/null
	steps=$(grep -l '^sync' steps.* | xargs cat | wc -l) last=0
	# The last ones are the small ones that matter; of the others some.
	for at in $((steps / 2)) $(seq $((steps - 44)) 6 $((steps - 2))) $((steps - 1)) "$steps" $((steps + 1)); do
		cp --sparse=always power.img killed.img
		TMPDIR=$PWD KILL_AT=$at LD_PRELOAD=$killer update 2>/dev/null
		esp_of killed.img
		mcopy -n -o -i "$esp" ::gild/grubenv grubenv 2>/dev/null
		slot=$(grub-editenv grubenv list | sed -n 's/^slot=//p')
		[ "$slot" = a ] && want=1 || want=2
		mtype -i "$esp" "::gild/$slot/cmdline" | grep -q "test=$want\$" &&
			mtype -i "$esp" "::gild/$slot/menu.cfg" | grep -q "test=$want'" &&
			[ "$(sgdisk -v killed.img 2>&1 | grep -c 'No problems found')" = 1 ] ||
			sgdisk -v killed.img 2>&1 | grep -q 'main header.*good\|loaded.*backup\|Caution' ||
			echo "at $at of $steps: slot $slot"
		mapfile -t now < <(loader killed.img)
		case ${now[*]} in
		"${old[*]}" | "${old[*]:0:2} ${new[2]}" | "${old[0]} ${new[*]:1}" | "${new[*]}") ;;
		*) echo "at $at of $steps: ${now[*]}" ;;
		esac
		echo "${now[*]}" >>loaders
		last=$slot
	done >lost 2>/dev/null
	is "killed at any change, one version is whole" "$(cat lost)" ""
	is "and at the last it is the new one" "$last" b
	is "its boot loader went from the old one to the new one" "$(sed -n '1p;$p' loaders | xargs)" "${old[*]} ${new[*]}"
	ok "by states between" [ "$(sort -u loaders | wc -l)" -gt 2 ]
fi
fails 2 "an update takes no images" pack office.vhdx --update=stick.img
fails 1 "what gild did not make is not updated" pack --update=office.vhdx
rm -f power.img killed.img

# ---- an ISO, with microcode ----------------------------------------------------------------

python3 "$GILD_SOURCE/tests/mkmicrocode.py" firmware
cat firmware/intel-ucode/* >GenuineIntel.bin
zstd -q --rm firmware/intel-ucode/06-9e-0b
cp firmware/amd-ucode/* AuthenticAMD.bin
# The first archive of an initramfs is all that cpio reads of it.
has_microcode() { # INITRAMFS
	local name
	cpio -t --quiet <"$1" &&
		for name in GenuineIntel AuthenticAMD; do
			cpio -i --quiet --to-stdout "kernel/x86/microcode/$name.bin" <"$1" | cmp - $name.bin || return 1
		done
}
pack office.vhdx --output=x.iso --firmware-dir=firmware --json >iso.json 2>err
tap $? "an ISO is packed" err
xorriso -indev x.iso -report_el_torito plain -report_system_area plain >report 2>/dev/null
is "it starts by BIOS and UEFI" "$(awk '/^El Torito boot img :/ {print $7}' report | tr '\n' ' ')" "BIOS UEFI "
ok "also from a stick: MBR with GRUB's code, and a GPT" grep -q "grub2-mbr.*GPT" report
is "its table is sound" "$(sgdisk -v x.iso 2>/dev/null | grep -c 'No problems found')" 1
xorriso -osirrox on -indev x.iso -extract / tree >/dev/null 2>&1
seal=$(jq -r .seal iso.json)
ok "the root file system is a file, whole" sealed "tree/gild/root-$(printf %.16s "$seal").img" 0 "$seal"
ok "microcode lies in front of the initramfs" has_microcode tree/gild/initrd
is "and is told of" "$(jq -c '.microcode | map([.vendor, .updates, .bytes])' iso.json)" \
	'[["Intel",3,7168],["AMD",1,3280]]'
is "the next archive begins at a whole page" "$(grep -abo -m 1 "$(printf '\050\265\057\375')" tree/gild/initrd |
	head -n 1 | cut -d : -f 1)" 12288
ok "and the image" sealed tree/gild/images/office.img 0 "$(jq -r '.images[0].seal' iso.json)"
is "nothing is kept" "$(cpio -i --quiet --to-stdout etc/gild/init.conf <tree/gild/config)" persist=off
esp_of x.iso
ok "its EFI system partition is sound" check_esp x.iso
ok "and has the GRUB that looks at CDs" sh -c "mcopy -n -o -i '$esp' ::EFI/BOOT/grubx64.efi grub &&
	cmp grub /usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed"
pack office.vhdx --output=y.iso --firmware-dir=firmware --quiet
ok "the same again gives the same bytes" cmp x.iso y.iso
rm -f y.iso x.iso && chmod -R u+w tree && rm -rf tree
pack --output=empty.iso --quiet 2>/dev/null
ok "an ISO without image and firmware has no more than 100 MiB" [ "$(stat -c %s empty.iso)" -le 104857600 ]
echo "# ISO without image: $(stat -c %s empty.iso) bytes"
rm -f empty.iso

# ---- network boot --------------------------------------------------------------------------

pack office.vhdx --output=net/ --firmware-dir=firmware --quiet
tap $? "a folder for network boot is packed" err
is "with all that is needed" "$(cd net && find . -type f | sort | tr '\n' ' ')" \
	"./boot.ipxe ./bootx64.efi ./cmdline ./config ./gild/images/office.conf ./gild/images/office.img ./grub/grub.cfg ./grubx64.efi ./initrd ./mmx64.efi ./vmlinuz "
ok "GRUB understands its settings" grub-script-check net/grub/grub.cfg
ok "the initramfs has microcode" has_microcode net/initrd
ok "and the root file system" sh -c "grep -aq 'root.img' net/initrd"
fails 1 "a folder that is there is not replaced" pack office.vhdx --output=net/
is "gild run serves it by TFTP" "$("$GILD" run net/ --dry-run --json 2>/dev/null |
	jq -c '[.what, (.command[] | select(test("tftp")))]')" '["folder","user,id=boot,tftp=net/,bootfile=boot.ipxe"]'
is "under Secure Boot to shim, by the firmware's own driver" \
	"$("$GILD" run net --firmware=uefi-secure --dry-run --json 2>/dev/null |
		jq -c '[.command[] | select(test("=boot[,$]"))]')" \
	'["user,id=boot,tftp=net,bootfile=bootx64.efi","virtio-net-pci,netdev=boot,bootindex=1,romfile="]'
rm -rf net

# ---- signed --------------------------------------------------------------------------------

openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=gild test/" -keyout key.pem \
	-out cert.pem 2>/dev/null
# shellcheck disable=SC2086
pack office.vhdx --output=signed.img $small --firmware-dir=firmware \
	--sign-key=key.pem --sign-cert=cert.pem --json >signed.json 2>err
tap $? "a signed stick is packed" err
esp_of signed.img
mcopy -n -o -i "$esp" ::EFI/BOOT/BOOTX64.EFI uki.efi
ok "the signature is right" sbverify --cert cert.pem uki.efi
is "and is of the date that all files have" "$(osslsigncode verify -CAfile cert.pem uki.efi |
	sed -n 's/^[[:space:]]*Signing time: //p')" "$(date -u -d "@$SOURCE_DATE_EPOCH" '+%b %e %H:%M:%S %Y GMT')"
# shellcheck disable=SC2086
pack office.vhdx --output=again.img $small --firmware-dir=firmware --sign-key=key.pem --sign-cert=cert.pem --quiet
ok "the same again, signed with an RSA key, gives the same bytes" cmp signed.img again.img
rm -f again.img
objcopy -O binary -j .cmdline uki.efi cmdline 2>/dev/null ||
	objcopy -O binary --only-section=.cmdline uki.efi cmdline
is "it covers the command line" "$(tr -d '\0' <cmdline)" "$(jq -r .command_line signed.json)"
objcopy -O binary -j .linux --dump-section .linux=linux uki.efi /dev/null 2>/dev/null
mcopy -n -o -i "$esp" ::gild/a/vmlinuz vmlinuz
ok "and the kernel" cmp linux vmlinuz
objcopy -O binary --only-section=.initrd uki.efi initrd
ok "and the initramfs with microcode" has_microcode initrd
cp uki.efi bad.efi && printf x | dd of=bad.efi bs=1 seek=2000000 conv=notrunc status=none
fails 1 "a changed byte is noticed" sbverify --cert cert.pem bad.efi
pack office.vhdx --output=net/ --sign-key=key.pem --sign-cert=cert.pem --quiet
tap $? "a signed folder is packed" err
is "without GRUB" "$(cd net && find . -type f | sort | tr '\n' ' ')" \
	"./boot.ipxe ./bootx64.efi ./cmdline ./config ./gild/images/office.conf ./gild/images/office.img ./initrd ./vmlinuz "
objcopy -O binary --only-section=.initrd net/bootx64.efi initrd
ok "and has all that the PC needs in one file" cmp initrd <(cat net/initrd net/config)
rm -rf net
fails 2 "a signed stick is not updated without a key" pack --update=signed.img
fails 2 "key and certificate belong together" pack office.vhdx --output=a.img --sign-key=key.pem
fails 1 "a key that is none" pack office.vhdx --output=a.img --sign-key=cert.pem --sign-cert=cert.pem
rm -f signed.img

# ---- what is refused -----------------------------------------------------------------------

fails 2 "no output" pack office.vhdx
fails 2 "an output that does not tell what it is" pack office.vhdx --output=x.qcow2
fails 2 "an address that is not an image's" pack https://example.org/x.qcow2 --output=a.img
ok "in these words" sh -c "'$GILD' pack https://example.org/x --output=a.img 2>&1 | grep -q 'not the address of an image'"
fails 2 "a disk of which nothing is known" pack "linux guest.qcow2" --output=a.img
fails 2 "a word that gild sets" pack office.vhdx --output=a.img --image-option=seal=x
fails 2 "a format that there is not" pack office.vhdx --output=a.img --image-option=format=vmdk
fails 2 "sizes of an ISO" pack office.vhdx --output=a.iso --state-size=1G
fails 2 "two images of one name" pack office.vhdx office.vhdx --output=a.img
fails 1 "an image that is not there" pack none.vhdx --output=a.img
fails 1 "a kernel that is not there" pack office.vhdx --output=a.img --kernel=0.0.1
fails 2 "a quote that GRUB cannot have" pack office.vhdx --output=a.img --append="a='b'"
"$GILD_BUILD/samples/mksample" disk broken.raw --volume-size=67108864 || exit 1
fails 3 "an image that would not start" pack broken.raw --output=a.img
# shellcheck disable=SC2086
ok "unless it is wanted all the same" pack broken.raw --output=forced.img --force $small --quiet
rm -f forced.img
touch there.img
printf x | dd of=firmware/intel-ucode/06-9e-0a bs=1 seek=600 conv=notrunc status=none
fails 1 "microcode that is damaged" pack office.vhdx --output=a.img --firmware-dir=firmware
grep -q 'intel-ucode/06-9e-0a: .*checksum' "$scratch/.out"
tap $? "of which the file is named" "$scratch/.out"
fails 1 "an output that is there" pack office.vhdx --output=there.img
is "which stays" "$(stat -c %s there.img)" 0
names=$(ls)
fails 1 "a file that is too large for its file system" sh -c "ulimit -f 20000; exec '$GILD' pack --profile='$profile' office.vhdx --output=full.img"
is "leaves nothing" "$(ls)" "$names"
full() { # OUTPUT: in a file system of 60 MiB; what is left there: left
	unshare -rm sh -c 'mkdir -p full && mount -t tmpfs -o size=60M tmpfs full || exit 9
		"$@"; code=$?; ls -A full >left; exit $code' - \
		"$GILD" pack --profile="$profile" office.vhdx --output="full/$1"
}
if unshare -rm true 2>/dev/null; then
	for output in a.img a.iso a/; do
		fails 1 "a full file system for $output" full "$output"
		is "leaves nothing there" "$(cat left)" ""
		grep -q "^gild: full/$output: .*No space left on device; free some space" "$scratch/.out"
		tap $? "and says where" "$scratch/.out"
	done
	rm -rf full left
else
	skip "a full file system" "no file system can be mounted here"
fi
"$GILD" pack --profile="$profile" office.vhdx --output=stopped.img --quiet 2>/dev/null &
pid=$!
sleep 0.7
kill -INT "$pid"
wait "$pid"
is "Ctrl-C is exit code 130" $? 130
is "and leaves nothing" "$(ls)" "$names"

# ---- run -----------------------------------------------------------------------------------

"$GILD" run stick.img --firmware=uefi-secure --memory=3G --display=none --dry-run --json >run.json 2>err
is "a stick is recognised" "$(jq -r .what run.json)" stick
is "on USB, and dropping what is written" \
	"$(jq -r '.command | map(select(test("snapshot=on,file=stick|^usb-storage"))) | length' run.json)" 2
is "with Secure Boot" "$(jq -r '.command | map(select(test("CODE_4M.ms|VARS_4M.ms|smm=on"))) | length' run.json)" 3
is "the serial port goes where it is said" "$("$GILD" run stick.img --serial=file:x --dry-run --json 2>/dev/null |
	jq -r '.command | .[index("-serial") + 1]')" file:x
ok "written to if asked for" sh -c "'$GILD' run stick.img --write --dry-run | grep -q snapshot=off,file=stick.img"
is "a golden image is, too" "$("$GILD" run office.vhdx --dry-run --json 2>/dev/null | jq -r .what)" image
fails 2 "a folder that is no medium" "$GILD" run settings
fails 2 "a firmware that there is not" "$GILD" run stick.img --firmware=coreboot
fails 1 "a file that is not there" "$GILD" run none.img
done_testing
