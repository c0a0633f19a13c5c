# SPDX-License-Identifier: GPL-3.0-or-later
# Several guests at once under KVM, in one start of an emulated PC: each answers its own nonce,
# the PC's screen shows one of them and by a key the other, one that crashes or is reset does
# not touch the other, ones that do not fit or have no disk are left out, and the power button
# ends both.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/hypervisor.sh" || exit 1
need as ld busybox mkfs.ext4
console=$GILD_BUILD/hypervisor/console/gild-console
[ -x "$console" ] || skip_all "gild-console is not built"
rom=/usr/lib/ipxe/qemu/efi-virtio.rom
[ -e "$rom" ] || skip_all "ipxe-qemu is not installed"
cd "$scratch" || exit 1

# ---- the image -----------------------------------------------------------------------------

make_root
with_modules bochs virtio_net bridge tun
with_files "$rom"
with_libraries "$console" usr/bin/gild-console
with_libraries "$(command -v busybox)" bin/busybox
# The QEMU of b dies once, when its guest has answered.
mv "$root/usr/bin/qemu-system-x86_64" "$root/usr/bin/qemu"
cat >"$root/usr/bin/qemu-system-x86_64" <<'END'
#!/bin/busybox sh
folder=/run/gild/guests/b/vm
case "$*" in
*guest=gild-b,*)
	if [ ! -e $folder/crashed ]; then
		: >$folder/crashed
		/usr/bin/qemu "$@" &
		until /bin/busybox grep -q . $folder/echo 2>/dev/null; do /bin/busybox usleep 100000; done
		! /bin/busybox ls /run/gild/guests/a/vm 2>/dev/null || echo "probe: b reads what is a's"
		/bin/busybox kill -9 $! $$
	fi
	;;
esac
exec /usr/bin/qemu "$@"
END
chmod 755 "$root/usr/bin/qemu-system-x86_64"

nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
guest() { # NAME COLOUR MEMORY: the nonce is its name and the start's own
	as --32 -I "$GILD_SOURCE/tests" --defsym "COLOUR=$2" -o nonce.o "$GILD_SOURCE/tests/nonce.S" &&
		ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "media/$1.raw" nonce.o &&
		truncate -s 1M "media/$1.raw"
	echo "windows=6.1.7601 arch=x86 storage=virtio-blk network=virtio-net sound=off
		image=/media/$1.raw memory=$3 cpus=1 nonce=$1-$nonce" >"$root/etc/gild/images/$1.conf"
}
mkdir media "$root/etc/gild/images"
guest a 4 64M  # red
guest big 1 4G # blue
guest b 2 64M  # green
guest none 1 64M
rm media/none.raw
truncate -s 8M media.img
mkfs.ext4 -q -d media media.img
echo 'media=/dev/vda' >"$root/etc/gild/init.conf"
pack_initrd "$pc_initrd"

# Most of what the PC's screen shows is of this colour and not of the other one. Its memory is
# read: QEMU 7.2's screendump waits for the processor's thread, and now and then does so for
# ever while that one runs guests of its own.
looks() { # red|green
	qmp guests query-pci >pci.json
	python3 - pci.json "$PWD/vram" >vram.json <<-'ASK'
		import json, sys
		for bus in json.load(open(sys.argv[1])):
		    for device in bus['devices']:
		        if device['class_info']['class'] == 0x300:
		            region = device['regions'][0]
		            print(json.dumps({'val': region['address'], 'size': region['size'], 'filename': sys.argv[2]}))
	ASK
	qmp guests pmemsave "$(cat vram.json)" >/dev/null &&
		python3 - "$1" vram <<-'LOOK'
			import array, sys
			pixels = array.array('I', open(sys.argv[2], 'rb').read())
			red, green = pixels.count(0xa80000), pixels.count(0x00a800)
			if sys.argv[1] == 'green':
			    red, green = green, red
			sys.exit(red < 640 * 400 * 0.7 or green > red / 2)
		LOOK
}
shows() { # red|green: within some time
	local _
	for _ in $(seq 60); do
		looks "$1" && return 0
		sleep 0.5
	done
	return 1
}
hides() { # the same: not any more
	local _
	for _ in $(seq 60); do
		looks "$1" || return 0
		sleep 0.2
	done
	return 1
}
type_keys() { # KEY...: pressed together
	local keys
	keys=$(printf '{"type":"qcode","data":"%s"},' "$@")
	qmp guests send-key "{\"keys\":[${keys%,}],\"hold-time\":300}" >/dev/null
	sleep 0.6
}

# ---- the PC --------------------------------------------------------------------------------

start_pc guests "gild.image=none,a,big,b" -cpu max,+svm -m 1024 -device VGA,xres=640,yres=480 \
	-drive file=media.img,format=raw,if=virtio,readonly=on \
	-netdev user,id=net,restrict=on -device virtio-net-pci,netdev=net
await guests "a: guest running (kvm) a-$nonce"
said guests "a: guest running (kvm) a-$nonce" "the first guest runs under KVM and has answered"
await guests "b: QEMU is started again"
said guests "b: QEMU ended by signal 9" "the second one's QEMU crashes"
await guests "b: guest running (kvm) b-$nonce"
said guests "b: guest running (kvm) b-$nonce" "it is started again, and its guest has answered"
said guests "warning: big (Windows 7) is not started beside the others" "one that does not fit is left out, and why"
said guests "none is not started beside the others: /media/none.raw" "so is one without its disk"
fails 1 "and neither is started" grep -E "(big|none): QEMU" guests.log
fails 1 "a guest's QEMU cannot look at what is the other's" grep "probe:" guests.log
macs=$(tr -d '\r' <guests.log | sed -n 's/.*network: \([ab]\) is \([0-9a-f:]*\) on eth0.*/\1 \2/p' | sort -u)
is "each has its own hardware address on the one bridge" \
	"$(echo "$macs" | awk '{printf "%s ", $1; macs[$2]} END {print length(macs)}')" "a b 2"
ok "the screen shows the first" shows red
type_keys ctrl ctrl_r right
ok "both Ctrl keys and an arrow show the other" shows green
type_keys ctrl ctrl_r
type_keys r
type_keys r
await guests "b: the guest restarts" 60
said guests "b: the guest is reset, as was chosen on the screen" "the panel's reset is for the one that is shown"
# QEMU forgets a button that is pressed before its guest listens.
hides green
ok "which shows its screen again" shows green
type_keys ctrl ctrl_r 1
ok "both Ctrl keys and a digit show that guest" shows red
is "the first was never touched" "$(grep -c -E 'a: (QEMU started|the guest restarts|QEMU ended)' guests.log)" 1
press guests
await guests "gild: off"
said guests "a: the guest is off (guest-shutdown)" "the power button shuts the first down"
said guests "b: the guest is off (guest-shutdown)" "and the second"
is "both QEMUs ended well" "$(grep -c 'QEMU ended with status 0' guests.log)" 2
said guests "gild: off" "then the PC is off"
wait "$pid"
is "by itself" $? 0
done_testing
