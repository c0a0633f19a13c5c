# SPDX-License-Identifier: GPL-3.0-or-later
# What of the PC the guest has by way of the host: its place on the wired network, seen from
# outside; a beep, heard on the PC's loudspeaker; USB devices that come and go, and never the
# stick with the image. On a PC without a cable: Wi-Fi, with an access point in the same PC.
# The lid of a notebook.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/hypervisor.sh" || exit 1
need as ld iasl busybox mkfs.ext4 wpa_supplicant dhcpcd hostapd iw
rom=/usr/lib/ipxe/qemu/efi-virtio.rom
[ -e "$rom" ] || skip_all "ipxe-qemu is not installed"
cd "$scratch" || exit 1

# ---- the images ----------------------------------------------------------------------------

make_root
with_modules virtio_net bridge tun vhost_net xhci-pci usb-storage sd_mod \
	snd-hda-intel snd-hda-codec-generic
with_files "$rom"
for file in audio-alsa hw-usb-host; do with_libraries "$qemu_modules/$file.so" "$qemu_modules/$file.so"; done
find -L /usr/share/alsa -name '*.conf' | while read -r file; do with_files "$file"; done
ln -s /run/resolv.conf "$root/etc/resolv.conf"
# Beside QEMU: says what the host listens to, and which disks it has.
with_libraries "$(command -v busybox)" bin/busybox
mv "$root/usr/bin/qemu-system-x86_64" "$root/usr/bin/qemu"
cat >"$root/usr/bin/qemu-system-x86_64" <<'END'
#!/bin/busybox sh
/bin/busybox sh /bin/probe &
exec /usr/bin/qemu "$@"
END
cat >"$root/bin/probe" <<'END'
while :; do
	for table in tcp tcp6 udp udp6; do busybox sed "1d; s/^/probe: $table /" /proc/net/$table; done
	echo "probe: disks" $(cd /sys/block && echo sd*)
	[ ! -e /sys/class/net/eth0 ] || echo "probe: port $(busybox cat /sys/class/net/eth0/address)"
	[ ! -r /etc/resolv.conf ] || busybox sed 's/^/probe: /' /etc/resolv.conf
	echo "probe: end"
	busybox sleep 2
done
END
chmod 755 "$root/usr/bin/qemu-system-x86_64"
make_golden media
truncate -s 8M media.img
mkfs.ext4 -q -d media media.img
truncate -s 4M stick.img
echo 'windows=6.1.7601 arch=x86 storage=virtio-blk network=virtio-net media=/dev/sda
	image=/media/golden.raw usb=all-but-boot shutdown_seconds=1' >"$root/etc/gild/init.conf"

# A radio for the PC, and one for an access point that has a network of its own.
with_radio() {
	local program
	with_modules mac80211_hwsim ccm ctr cmac aes_generic
	for program in wpa_supplicant dhcpcd hostapd iw; do
		with_libraries "$(command -v $program)" "usr/sbin/$program"
	done
	# The first time that it is started there is nothing to have an address on.
	mv "$root/usr/sbin/dhcpcd" "$root/usr/sbin/dhcpcd.real"
	cat >"$root/usr/sbin/dhcpcd" <<-'END'
		#!/bin/busybox sh
		[ -e /sys/class/net/wlan0 ] || [ -e /sys/class/net/eth0 ] || /bin/busybox sh /bin/radio &
		exec /usr/sbin/dhcpcd.real "$@"
	END
	chmod 755 "$root/usr/sbin/dhcpcd"
	mkdir -p "$root/var"
	ln -s /run/lib "$root/var/lib"
	echo 'dhcpcd:x:989:989::/run/dhcpcd:/usr/sbin/nologin' >"$root/etc/passwd"
	printf 'network={\nssid="golden"\npsk="correct horse"\n}\n' >"$root/etc/gild/wpa_supplicant.conf"
	cat >"$root/etc/hostapd.conf" <<-'END'
		interface=wlan1
		driver=nl80211
		ssid=golden
		hw_mode=g
		channel=1
		wpa=2
		wpa_key_mgmt=WPA-PSK
		rsn_pairwise=CCMP
		wpa_passphrase=correct horse
	END
	cat >"$root/etc/udhcpd.conf" <<-'END'
		start 10.77.0.20
		end 10.77.0.30
		interface wlan1
		lease_file /run/leases
		pidfile /run/udhcpd.pid
		option subnet 255.255.255.0
		option router 10.77.0.1
		option dns 10.77.0.1
	END
	cat >"$root/bin/radio" <<-'END'
		export PATH=/bin:/sbin:/usr/bin:/usr/sbin
		/init -q -- mac80211_hwsim
		busybox unshare -n /bin/busybox sh /bin/point &
		busybox sleep 1
		iw phy phy1 set netns $!
	END
	cat >"$root/bin/point" <<-'END'
		until busybox ip link show wlan1 >/dev/null 2>&1; do busybox usleep 100000; done
		busybox ip address add 10.77.0.1/24 dev wlan1
		busybox ip link set wlan1 up
		: >/run/leases
		hostapd -B /etc/hostapd.conf
		exec busybox udhcpd -f /etc/udhcpd.conf
	END
}
pack_initrd wired.cpio
with_radio
pack_initrd radio.cpio

# DHCP's answers on the wire, and who sent anything: true if each station has an address, and
# nobody else said anything but the server.
stations() { # PCAP MAC...
	python3 - "$@" <<-'END'
		import struct, sys
		data = open(sys.argv[1], 'rb').read()
		macs = [bytes.fromhex(mac.replace(':', '')) for mac in sys.argv[2:]]
		at, senders, leases = 24, set(), set()
		while at + 16 <= len(data):
		    size = struct.unpack('<I', data[at + 8:at + 12])[0]
		    frame = data[at + 16:at + 16 + size]
		    at += 16 + size
		    senders.add(frame[6:12])
		    # From port 67 to 68, option 53: acknowledged.
		    if frame[34:38] == bytes.fromhex('00430044') and b'\x35\x01\x05' in frame:
		        leases |= {mac for mac in macs if mac in frame[42:]}
		# The server's addresses here: 52:55:..., 52:56:...
		others = {s for s in senders if s not in macs and s[:2] not in (b'\x52\x55', b'\x52\x56')}
		print([m.hex() for m in leases], [o.hex() for o in others])
		sys.exit(len(leases) != len(macs) or bool(others))
	END
}

have_addresses() { # PCAP MAC...: waits until they do
	for _ in $(seq 400); do
		! stations "$@" >/dev/null || return 0
		sleep 0.2
	done
}

# ---- a PC with a cable ---------------------------------------------------------------------

nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
pc_initrd=wired.cpio
start_pc wired "" -cpu max,+svm \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1 nonce=$nonce" \
	-netdev user,id=net,restrict=on -device virtio-net-pci,netdev=net,mac=52:54:00:00:00:01,id=nic \
	-object filter-dump,id=dump,netdev=net,file="$PWD/wire.pcap" \
	-audiodev "wav,id=wav,path=$PWD/sound.wav" -device ich9-intel-hda -device hda-output,audiodev=wav \
	-drive file=media.img,format=raw,if=none,id=media,readonly=on \
	-drive file=stick.img,format=raw,if=none,id=stick \
	-device qemu-xhci,id=usb -device usb-storage,bus=usb.0,port=1,drive=media
await wired "guest running (kvm) $nonce"
said wired "guest running (kvm) $nonce" "the guest runs, its network card served by the kernel"
said wired "port 2-1 stays: it holds a disk" "the stick with the image stays with the host"
qmp wired device_add '{"driver":"usb-storage","bus":"usb.0","port":"2","drive":"stick","id":"later"}' >/dev/null
await wired "port 2-2 goes to the guest" 90
said wired "port 2-2 goes to the guest" "another one that is plugged in goes to the guest"
sleep 3
is "whose QEMU has taken it from the host's driver" "$(tr -d '\r' <wired.log | grep 'probe: disks' | tail -n 1)" "probe: disks sda"
qmp wired device_del '{"id":"later"}' >/dev/null
await wired "port 2-2 is taken from the guest" 90
said wired "port 2-2 is taken from the guest" "until it is pulled out"
fails 1 "QEMU refused none of it" grep "QEMU refuses" wired.log
mac=$(sed -n 's/.*the guest is \([0-9a-f:]*\) on eth0.*/\1/p' wired.log)
have_addresses wire.pcap "$mac"
qmp wired set_link '{"name":"nic","up":false}' >/dev/null
await wired "cable of eth0 is out" 90
said wired "cable of eth0 is out" "a cable that is pulled is seen"
press wired
await wired "gild: off"
wait "$pid"
fails 1 "nobody listens on the host" grep -E "probe: (tcp|udp)" wired.log
ok "the guest has an address of the wired network, and only the guest" stations wire.pcap "$mac"
ok "its beep is heard on the PC's loudspeaker" python3 - sound.wav <<-'END'
	import array, sys
	left = array.array('h', open(sys.argv[1], 'rb').read()[44:][:44100 * 4 * 200 // 4 * 4])[::2]
	start = next(i for i, v in enumerate(left) if abs(v) > 500)
	crossings = []
	for i in range(start, len(left) - 4410, 4410):
	    part = left[i:i + 4410]
	    crossings.append(sum((a < 0) != (b < 0) for a, b in zip(part, part[1:])))
	# A tenth of a second of 1 kHz crosses zero 200 times; a slow machine has gaps.
	print(crossings[:50])
	sys.exit(not any(190 <= n <= 210 for n in crossings))
END

# ---- a PC without a cable, with Wi-Fi ------------------------------------------------------

pc_initrd=radio.cpio
start_pc radio "" -cpu max,+svm \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1 nonce=$nonce sound=off" \
	-drive file=media.img,format=raw,if=none,id=media,readonly=on \
	-device qemu-xhci,id=usb -device usb-storage,bus=usb.0,port=1,drive=media
await radio "guest running (kvm) $nonce"
said radio "guest running (kvm) $nonce" "a guest behind the PC's address runs"
await radio "probe: nameserver 10.77.0.1" 120
said radio "Wi-Fi by wlan0" "a radio that comes later is used"
said radio "probe: nameserver 10.77.0.1" "the PC has an address over it, and the guest its name server"
await radio "probe: end" 60
press radio
await radio "gild: off"
wait "$pid"
fails 1 "nobody listens on the host, but DHCP for its own answers" sh -c \
	"grep -E 'probe: (tcp|udp)' radio.log | grep -v 'probe: udp .*:0044 0'"

# ---- a network that knows its PCs, and a host with an address; a notebook ------------------

iasl -p lid "$GILD_SOURCE/tests/notebook.asl" >iasl.log || cat iasl.log

start_pc known "" -cpu max,+svm \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1 nonce=$nonce sound=off mac=host address=dhcp lid=off" \
	-acpitable file=lid.aml -chardev "socket,id=lid,path=$PWD/lid.tty,server=on,wait=off" -serial chardev:lid \
	-netdev user,id=net,restrict=on -device virtio-net-pci,netdev=net,mac=52:54:00:00:00:01 \
	-object filter-dump,id=dump,netdev=net,file="$PWD/known.pcap" \
	-drive file=media.img,format=raw,if=none,id=media,readonly=on \
	-device qemu-xhci,id=usb -device usb-storage,bus=usb.0,port=1,drive=media
await known "guest running (kvm) $nonce"
said known "the guest is 52:54:00:00:00:01 on eth0" "the guest has the port's hardware address"
own=$(tr -d '\r' <known.log | sed -n 's/^probe: port //p' | tail -n 1)
have_addresses known.pcap 52:54:00:00:00:01 "$own"
ok "guest and host both have an address of the wired network" stations known.pcap 52:54:00:00:00:01 "$own"
send lid.tty 0
await known "gild: off" 90
said known "the lid is closed: the PC is switched off" "a lid that is closed is seen"
said known "gild: off" "and switches the PC off, if it shall"
kill "$pid" 2>/dev/null
wait "$pid"
done_testing
