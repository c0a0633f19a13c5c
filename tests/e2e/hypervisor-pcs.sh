#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What gild pack makes, on four PCs that QEMU emulates with AMD's virtualisation, so that KVM
# really runs inside: each starts the stick by its own firmware and boot loader, finds its
# profile, shows its guest on its screen, and is switched off by its power button. Guests are
# a small Linux that looks at its virtual machine (tests/guest), and the sample Windows with
# its stand-in boot manager. A PC whose golden image is damaged refuses it.
#
# GILD_TEST_PCS names those that run, GILD_TEST_STICK is a stick that was packed before.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/boot.sh" || exit 1
. "$GILD_SOURCE/tests/hypervisor.sh" || exit 1
need qemu-img sfdisk jq mcopy mformat debugfs grub-mkimage busybox
need_boot uefi
[ -d /usr/lib/grub/i386-pc ] && [ -e /usr/lib/shim/shimx64.efi.signed ] ||
	skip_all "GRUB or shim is not installed (Debian: grub-pc-bin grub-efi-amd64-signed shim-signed)"
[ -e "$GILD_BUILD/samples/boot/bootmgfw.efi" ] ||
	skip_all "the stand-in boot manager was not built (Debian: clang lld)"
cd "$scratch" || exit 1
export GILD_PROFILES=$GILD_SOURCE/profiles XDG_CONFIG_HOME=$scratch/config
pc_limit=600
picture=$GILD_SOURCE/tests/guest/picture.py

# ---- the stick -----------------------------------------------------------------------------

pack() {
	local name
	"$GILD_SOURCE/tests/guest/mkguest" linux7.raw "$kernel" || return 1
	for name in linux11 secure11; do cp --sparse=always linux7.raw $name.raw; done
	"$GILD_BUILD/samples/mksample" wim sample.wim --generalized --compress=LZX >/dev/null &&
		"$GILD_BUILD/samples/mkdrivers" drivers exstor >/dev/null &&
		"$GILD" build sample.wim --output=windows.qcow2 --size=512M --compact \
			--driver=drivers --any-controller --unsigned=allow --quiet || return 1
	# From 10 on a machine with UEFI takes only what Microsoft has signed: Debian's shim.
	"$GILD" pack linux7.raw linux11.raw secure11.raw windows.qcow2 --output=stick.img \
		--slot-size=256M --state-size=64M --append="$pc_clock" \
		--image-option={linux7:windows=6.1.7601,{linux,secure}11:windows=10.0.22631} \
		--image-option={linux7,linux11,secure11}:{arch=amd64,storage=virtio-blk,network=virtio-net} \
		--image-option=linux{7,11}:firmware=bios --image-option=secure11:firmware=uefi \
		--image-option=windows:windows=6.3.9600 \
		--init-option=shutdown_seconds=20 --json >pack.json
}
if [ -n "${GILD_TEST_STICK-}" ]; then
	cp --sparse=always "$GILD_TEST_STICK" stick.img
else
	pack || skip_all "gild pack: $(cat .out pack.json 2>/dev/null)"
fi
sfdisk --json stick.img >parts.json
start_of() { # GPT-TYPE: the first sector of the first partition of that type
	jq -r --arg type "$1" '[.partitiontable.partitions[] | select((.type | ascii_downcase) == $type)][0] | .start' parts.json
}
esp=$(start_of c12a7328-f81f-11d2-ba4b-00a0c93ec93b)
state=$(start_of f521279a-189d-496f-9e41-2d9175c8c763)
export MTOOLSRC=/dev/null MTOOLS_SKIP_CHECK=1
# A copy whose menu has chosen already.
copy_stick() { # NAME IMAGE
	cp --sparse=always stick.img "$1.img"
	mcopy -n -i "$1.img@@$((esp * 512))" ::gild/a/menu.cfg "$1.menu"
	printf 'set default=%s\nset timeout=0\n' "$2" >>"$1.menu"
	mcopy -o -i "$1.img@@$((esp * 512))" "$1.menu" ::gild/a/menu.cfg
}

# ---- PCs -----------------------------------------------------------------------------------

uefi() { # plain|secure NAME: arguments for QEMU
	local end='' machine=q35
	[ "$1" = plain ] || end=.ms machine=q35,smm=on
	cp "/usr/share/OVMF/OVMF_VARS_4M$end.fd" "$2.vars" && chmod u+w "$2.vars"
	pc=(-machine "$machine"
		-drive "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M$end.fd"
		-drive "if=pflash,unit=1,format=raw,file=$PWD/$2.vars")
	[ "$1" = plain ] || pc+=(-global driver=cfi.pflash01,property=secure,value=on)
}
start_medium() { # NAME SMBIOS WORDS QEMU-ARGUMENT...: in the background; $pid
	local name=$1 smbios=$2 words=$3
	shift 3
	nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
	timeout -k 5 "$pc_limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,+svm -m 1280 \
		-nodefaults -no-user-config -display none -device VGA -nic user,model=e1000 "${pc[@]}" \
		-drive "file=$name.img,format=raw,if=none,id=disk" "$@" \
		-smbios "type=1,$smbios" -fw_cfg "name=opt/gild/vm,string=cpus=1 nonce=$nonce $words" \
		-chardev "file,id=serial,path=$PWD/$name.log" -serial chardev:serial \
		-qmp "unix:$PWD/$name.qmp,server=on,wait=off" >"$name.err" 2>&1 19>&- &
	pid=$!
	started=$SECONDS
}
shows() { # NAME [--stand-in]: within some seconds the screen has the guest's picture
	local i
	for i in $(seq 40); do
		qmp "$1" screendump "{\"filename\":\"$PWD/$1.ppm\"}" >/dev/null &&
			seen=$(python3 "$picture" ${2-} "$1.ppm") && return
		kill -0 "$pid" 2>/dev/null || return
		sleep 0.25
	done
	echo "$seen"
	return 1
}
# From the start to the guest, and its picture on the screen.
comes_up() { # NAME PC PICTURE-OPTION
	await "$1" "guest running (kvm) $nonce\|press the power button\|gild: off"
	said "$1" "gild: guest running (kvm) $nonce" "$1: the guest runs under KVM and has answered"
	said "$1" "on $2: paravirtual" "$1: the PC is known"
	ok "$1: its screen shows the guest" shows "$1" ${3-}
	echo "# $1: $((SECONDS - started)) s"
}
goes_off() { # NAME
	press "$1"
	await "$1" "gild: off"
	said "$1" "gild: off" "$1: the power button switches it off"
	wait "$pid"
	is "$1: and that is the end" $? 0
	! grep -qi 'verity.*corrupt\|Kernel panic\|BUG:' "$1.log"
	tap $? "$1: the kernel complains of nothing" "$1.log"
}
# What the guest wrote, from the overlay on the state's partition.
report() { # NAME IMAGE: in NAME.report
	dd if="$1.img" of="$1.state" bs=512 skip="$state" conv=sparse status=none
	debugfs -R "dump $2/overlay.qcow2 $PWD/$1.overlay" "$1.state" 2>/dev/null
	qemu-img convert -f qcow2 -O raw "$1.overlay" "$1.raw" &&
		dd if="$1.raw" bs=512 skip=2032 count=8 status=none | tr -d '\0' >"$1.report"
	rm -f "$1.state" "$1.raw"
}
told() { # NAME TEXT DESCRIPTION
	grep -qxs -- "$2" "$1.report"
	tap $? "$1: $3" "$1.report"
}
checks_linux() { # NAME IMAGE PRODUCT PROFILE
	report "$1" "$2"
	is "$1: the guest finds all that it looks for" "$(head -n 1 "$1.report")" "guest: ok"
	told "$1" "product=$3" "the guest knows on which PC it is"
	told "$1" "profile=$4" "and by which profile"
	told "$1" "disk=virtio_blk" "its disk is virtio"
	told "$1" "network=virtio_net" "its network card is virtio"
	told "$1" "relaxed=yes" "Hyper-V's leaf recommends relaxed timing"
	told "$1" "off=button" "it shut down when the button was pressed"
}

# An older PC: SeaBIOS, IDE. The guest is on SeaBIOS, too, with all that KVM has for Windows 7.
pc_hp() {
	copy_stick hp linux7
	pc=(-machine pc)
	start_medium hp 'manufacturer=Hewlett-Packard,product=HP Compaq dc7900 Small Form Factor' \
		memory=256M -device ide-hd,drive=disk,bus=ide.0
	comes_up hp "Hewlett-Packard HP Compaq dc7900 Small Form Factor"
	goes_off hp
	checks_linux hp linux7 "HP Compaq dc7900 Small Form Factor" hewlett-packard-compaq-dc7900-small-form-factor
	told hp "firmware=bios" "it was started by BIOS"
	told hp "hyperv=runtime,time,synic,stimer,vapic,hypercall,vpindex,reset,tsc" "it has what Windows 7 is to have of Hyper-V"
	told hp "spinlocks=0x1fff" "and of its locks"
	told hp "clocksource=\(kvm-clock\|tsc\)" "its clock is KVM's"
	told hp "tpm=none" "there is no TPM"
}
# OVMF as the guest's firmware, on which TCG needs the three overrides (docs/hypervisor.md).
ovmf="kernel_irqchip=off kvm=off smm=off"
pc_dell() {
	copy_stick dell secure11
	uefi plain dell
	start_medium dell 'manufacturer=Dell Inc.,product=OptiPlex 7040' "memory=512M $ovmf" \
		-device nvme,drive=disk,serial=1
	comes_up dell "Dell Inc. OptiPlex 7040"
	goes_off dell
	checks_linux dell secure11 "OptiPlex 7040" dell-optiplex-7040
	told dell "firmware=uefi" "it was started by UEFI"
	told dell "secure_boot=on" "its firmware has Secure Boot switched on"
	told dell "lockdown=integrity" "which its kernel goes by"
	told dell "tpm=2" "it has a TPM 2.0"
	told dell "hyperv=runtime,time,hypercall,vpindex,reset,tsc,frequencies" \
		"it has what Windows 11 is to have of Hyper-V without an APIC"
	told dell 'clocksource=hyperv_clocksource_\(tsc_page\|msr\)' "its clock is Hyper-V's, where KVM is hidden"
}
pc_lenovo() {
	copy_stick lenovo windows
	uefi secure lenovo
	start_medium lenovo 'manufacturer=LENOVO,product=10T7004BMB' "memory=512M $ovmf" \
		-device ahci,id=ahci -device ide-hd,drive=disk,bus=ahci.0
	comes_up lenovo "LENOVO 10T7004BMB" --stand-in
	# A boot manager does not listen to buttons: init ends it after its time.
	goes_off lenovo
}
pc_stick() {
	copy_stick stick11 linux11
	pc=(-machine q35)
	start_medium stick11 'manufacturer=Acer,product=Aspire R3700' memory=512M \
		-device qemu-xhci -device usb-storage,drive=disk
	comes_up stick11 "Acer Aspire R3700"
	goes_off stick11
	checks_linux stick11 linux11 "Aspire R3700" acer-aspire-r3700
	told stick11 "tpm=2" "Windows 11's machine has a TPM 2.0"
	told stick11 "hyperv=runtime,time,synic,stimer,vapic,hypercall,vpindex,reset,tsc,frequencies" \
		"it has what Windows 11 is to have of Hyper-V"
}
pc_damaged() {
	local at
	copy_stick damaged linux7
	at=$(jq -r '[.partitiontable.partitions[] | select((.type | ascii_downcase) == "e605fc08-d29d-46ee-90c1-b43dd03ef665")][0].start' parts.json)
	printf 'x' | dd of=damaged.img bs=1 seek=$((at * 512 + 100)) conv=notrunc status=none
	pc=(-machine pc)
	start_medium damaged 'manufacturer=Hewlett-Packard,product=HP Compaq dc7900 Small Form Factor' \
		memory=256M -device ide-hd,drive=disk,bus=ide.0
	await damaged "press the power button\|gild: off\|guest running"
	said damaged "is damaged" "damaged: an image that is not what was packed is refused"
	press damaged
	await damaged "gild: off"
	said damaged "gild: off" "damaged: the power button switches it off"
	wait "$pid"
	is "damaged: no guest was started" "$(grep -c 'QEMU started' damaged.log)" 0
}
# An emulated PC has one CPU, which is one thread here: two at a time.
one() { # PC: its TAP in PC.tap
	mkdir "$1.d" && scratch=$PWD/$1.d
	tap_count=0 tap_failed=0
	"pc_$1" >"$1.tap" 2>&1
}
read -r -a pcs <<<"${GILD_TEST_PCS:-hp lenovo damaged stick dell}"
for each in "${pcs[@]}"; do
	[ "$(jobs -r | wc -l)" -lt 2 ] || wait -n
	(one "$each") &
done
wait
for each in "${pcs[@]}"; do
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*)
			tap_count=$((tap_count + 1))
			[ "${line%% *}" = ok ] || tap_failed=$((tap_failed + 1))
			echo "${line%% [0-9]*} $tap_count ${line#*[0-9] }"
			;;
		*) echo "# ${line#\# }" ;;
		esac
	done <"$each.tap"
done
done_testing
