# SPDX-License-Identifier: GPL-3.0-or-later
# A PC without a disk, which QEMU emulates with AMD's virtualisation: SeaBIOS and iPXE start
# what gild pack wrote for a web server, and the golden image is read from there while the
# guest runs under KVM, also when the server was away in between. One whose image has a wrong
# byte, which starts at the same time, refuses it.
# With GILD_TEST_FULL=1 a stick, too, whose image comes over HTTPS and stays in its state.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/hypervisor.sh" || exit 1
need as ld qemu-img grub-mkimage dhcpcd
[ -e /usr/lib/ipxe/qemu/efi-virtio.rom ] || skip_all "ipxe-qemu is not installed"
[ -x "$GILD_BUILD/hypervisor/reader/gild-reader" ] || skip_all "gild-reader was not built"
cd "$scratch" || exit 1
export GILD_PROFILES=$GILD_SOURCE/profiles XDG_CONFIG_HOME=$scratch/config
pc_limit=300
trap 'kill $server $pid $other 2>/dev/null; chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
server='' pid='' other=''

# ---- what is on the server -----------------------------------------------------------------

make_reads() { # MIB: reads.raw, reads.qcow2
	as --32 -I "$GILD_SOURCE/tests" --defsym SECTORS=$(($1 * 2048)) -o reads.o "$GILD_SOURCE/tests/reads.S" &&
		ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o reads.raw reads.o &&
		head -c $(($1 * 1048576 - 512)) /dev/urandom >>reads.raw &&
		qemu-img convert -f raw -O qcow2 reads.raw reads.qcow2
}
mib=96
make_reads $mib || exit 1
serve() { # PORT OPTION...: in the background; $server, $port
	rm -f port
	python3 "$GILD_SOURCE/tests/rangeserver.py" net "$1" server.log "${@:2}" >port 2>server.err &
	server=$!
	while [ ! -s port ]; do
		kill -0 $server || return
		sleep 0.05
	done
	port=$(cat port)
}
serve 0
profile=$(find "$GILD_SOURCE/profiles" -name 'qemu*.xml' | sort | head -n 1)
# One guest is on the bridge, the other has no network card: the host has an address with both.
pack() { # FOLDER ADDRESS NETWORK
	"$GILD" pack reads.qcow2 --output="$1" --url="$2" --profile="$profile" --append="$pc_clock" \
		--image-option={windows=6.1.7601,arch=amd64,firmware=bios,format=raw,storage=virtio-blk,network="$3"} \
		--init-option=shutdown_seconds=5 --quiet 2>err
}
mkdir net
at=http://10.0.2.2:$port
pack net/good/ $at/good virtio-net && pack net/bad/ $at/wrong/bad none || skip_all "gild pack: $(cat err)"

boot() { # NAME QEMU-ARGUMENT...: in the background; $pid
	local name=$1
	shift
	nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
	timeout -k 5 "$pc_limit" qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -cpu max,+svm \
		-m 1280 -nodefaults -no-user-config -display none -no-reboot \
		-device "virtio-net-pci,netdev=net" "$@" \
		-fw_cfg "name=opt/gild/vm,string=cpus=1 memory=128M display=none sound=off nonce=$nonce" \
		-chardev "file,id=serial,path=$PWD/$name.log" -serial chardev:serial \
		-qmp "unix:$PWD/$name.qmp,server=on,wait=off" >"$name.err" 2>&1 19>&- &
	pid=$!
}
by_network() { # NAME FOLDER
	boot "$1" -boot n -netdev "user,id=net,bootfile=$at/$2/boot.ipxe"
}
# How far into the image was asked for; its last MiB is read before the start.
reached() { awk '$2 == "/good/gild/images/reads.img" && $3 < '$(((mib - 1) * 1048576))' && $3 > n {n = $3}
	END {print int(n / 1048576)}' server.log; }
reaches() { # MIB: within some time
	local i
	for i in $(seq 200); do
		[ "$(reached)" -lt "$1" ] || return 0
		kill -0 "$pid" 2>/dev/null || return
		sleep 0.3
	done
	return 1
}

# ---- the PCs -------------------------------------------------------------------------------

by_network damaged bad
other=$pid
by_network pc good
good=$pid
await pc "guest running (kvm) $nonce\|press the power button\|gild: off" 200
said pc "image reads from http://10.0.2.2:$port/good/gild/images/reads.img can be read" \
	"the image comes from the server"
said pc "gild: guest running (kvm) $nonce" "the guest runs under KVM and has answered"
echo "# after $SECONDS s"
ok "it reads" reaches 4
pid=$other
await damaged "press the power button\|gild: off\|guest running\|is damaged" 100
said damaged "image reads from .* is damaged" "another PC refuses an image that is not what was packed"
press damaged
await damaged "gild: off" 60
wait "$pid"
is "and starts no guest" "$(grep -c 'QEMU started' damaged.log)" 0
pid=$good
kill "$server"
wait "$server" 2>/dev/null
await pc "does not answer; the guest goes on" 60
said pc "image reads from .* is waited for" "a server that is away is named"
said pc "the guest is stopped, nothing is lost" "and the guest stopped"
before=$(reached)
serve "$port"
await pc "the guest goes on: its disk is there again" 30
said pc "the guest goes on: its disk is there again" "it goes on when the server is back"
ok "and reads on" reaches $((before + 3))
fetched=$(awk '$2 == "/good/gild/images/reads.img" {n += $4 - $3 + 1} END {print int(n / 1048576)}' server.log)
ok "the server gave no more than a part of the image" [ "$fetched" -lt $((mib / 2)) ]
echo "# $fetched of $mib MiB"
press pc
await pc "gild: off" 60
said pc "gild: off" "the power button switches the PC off"
wait "$pid"
! grep -qi 'verity.*corrupt\|Kernel panic\|BUG:' pc.log
tap $? "the kernel complains of nothing else" pc.log
echo "# after $SECONDS s"
[ -n "${GILD_TEST_FULL-}" ] || {
	skip "a stick keeps what came over HTTPS" "GILD_TEST_FULL is not set: four PCs more"
	done_testing
}

# ---- a stick, HTTPS, a cache ---------------------------------------------------------------

# The server has the name by which the PCs know it: here that is an address of a network of
# its own, in which the stick is packed.
alone() {
	unshare -rn sh -c 'ip link set lo up && ip address add 10.0.2.2/32 dev lo && exec "$@"' - "$@"
}
need openssl debugfs dumpe2fs sgdisk
alone true 2>/dev/null || {
	skip "a stick keeps what came over HTTPS" "no network namespace can be made here"
	done_testing
}
kill "$server"
wait "$server" 2>/dev/null
mib=24
make_reads $mib && openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out ca.pem -days 30 \
	-subj /CN=server -addext subjectAltName=IP:10.0.2.2 2>/dev/null && cat key ca.pem >both || exit 1
: >server.log
serve 0 cert=both
at=https://10.0.2.2:$port
pack net/kept/ $at/kept none
tap $? "an image for an HTTPS server is published" err
cat >packs <<'END'
python3 "$GILD_SOURCE/tests/rangeserver.py" net "$1" pack.log cert=both bind=10.0.2.2 >ready &
server=$!
while [ ! -s ready ] && kill -0 $server; do sleep 0.05; done
"$GILD" pack "https://10.0.2.2:$1/kept/gild/images/reads.img" --ca=ca.pem --output=stick.img \
	--slot-size=256M --state-size=192M --profile="$2" --append="$3" --init-option=shutdown_seconds=5 --quiet
status=$?
kill $server
exit $status
END
export GILD GILD_SOURCE
ok "and a stick packed by its address" alone bash packs "$port" "$profile" "$pc_clock"
start=$(($(sgdisk -i 5 stick.img | sed -n 's/^First sector: \([0-9]*\).*/\1/p') * 512))
image=net/kept/gild/images/reads.img
cp --sparse=always stick.img clock.img
from_stick() { # NAME FILE QEMU-ARGUMENT...
	boot "$1" -boot c -netdev user,id=net -drive "file=$2,format=raw,if=virtio" "${@:3}"
}
kept() { # the cache as it is on the stick: state.img, cache.img, $cache
	dd if=stick.img of=state.img iflag=skip_bytes skip=$start bs=1M count=192 conv=sparse status=none
	cache=/reads/cache/$(debugfs -R 'ls -p /reads/cache' state.img 2>/dev/null | awk -F/ '$6 !~ /^\.*$/ {print $6}')
	debugfs -R "dump $cache cache.img" state.img 2>/dev/null
}
bytes() { awk '$1 == 206 {n += $4 - $3 + 1} END {print n + 0}' server.log; }
fetches() { # BYTES: within some time
	local i
	for i in $(seq 400); do
		[ "$(bytes)" -lt "$1" ] || return 0
		kill -0 "$pid" 2>/dev/null || return
		sleep 0.3
	done
	return 1
}
off() { # NAME
	press "$1"
	await "$1" "gild: off" 60
	wait "$pid"
}

from_stick clock clock.img -rtc base=2001-02-03T04:05:06
other=$pid
from_stick first stick.img
good=$pid
await first "guest running (kvm) $nonce\|press the power button\|gild: off" 200
said first "guest running (kvm) $nonce" "the stick's guest runs, its image comes over HTTPS"
pid=$other
await clock "not yet valid" 100
said clock "is waited for: .*not yet valid (the clock says 2001-02-03T04:.*clock right" \
	"a PC whose clock is wrong says that it is"
off clock
said clock "gild: off" "and can be switched off"
pid=$good
ok "the rest of the image is fetched when nobody reads" fetches $((mib * 1048576 * 2 / 3))
off first
echo "# after $SECONDS s, $(($(bytes) / 1048576)) of $mib MiB"
kept
ok "what came is in the image's folder of the state" [ -s cache.img ]
cp cache.img before.img
# A byte of what the guest reads at 5 MiB becomes another one.
size=$(dumpe2fs -h state.img 2>/dev/null | sed -n 's/^Block size: *//p')
block=$(debugfs -R "bmap $cache $((5 * 1048576 / size))" state.img 2>/dev/null)
is "what the guest read is on the stick" "$(cmp -n 131072 -i $((5 * 1048576)) cache.img $image 2>&1)" ""
printf 'damage' | dd of=stick.img bs=1 seek=$((start + block * size + 200)) conv=notrunc status=none

: >server.log
from_stick second stick.img
await second "guest running (kvm) $nonce\|press the power button\|gild: off" 200
said second "guest running (kvm) $nonce" "the guest runs again"
missing() { # pieces that were not there, or are damaged: $1 "wanted", those that were "asked" for
	python3 - before.img $image server.log "$1" $((5 * 1048576)) $((mib * 1048576)) <<-'END'
		import os, sys
		piece = 131072
		cache, image = (open(name, 'rb').read() for name in sys.argv[1:3])
		wanted = {at for at in range(0, len(image), piece)
		          if cache[at:at + piece] != image[at:at + piece]} | {int(sys.argv[5])}
		asked = []
		for line in open(sys.argv[3]):
		    status, path, first, last = line.split()
		    # The superblock's sector comes first.
		    if (int(first), int(last)) != (int(sys.argv[6]), int(sys.argv[6]) + 511):
		        asked.append(int(first))
		print(*sorted(asked if sys.argv[4] == 'asked' else wanted))
	END
}
all_asked() {
	local i
	for i in $(seq 400); do
		[ "$(missing asked)" != "$(missing wanted)" ] || return 0
		kill -0 "$pid" 2>/dev/null || return
		sleep 0.3
	done
	missing asked
	missing wanted
	return 1
}
ok "what was not there is fetched, and what was damaged" all_asked
off second
is "each once, and of the rest nothing" "$(missing asked)" "$(missing wanted)"
ok "but for the superblock's sector, if something was missing" \
	[ "$(grep -c " $((mib * 1048576)) $((mib * 1048576 + 511))\$" server.log)" -le 1 ]
kept
ok "then all of the image is on the stick" cmp cache.img $image
kill "$server"
wait "$server" 2>/dev/null
from_stick third stick.img
await third "guest running (kvm) $nonce\|press the power button\|gild: off" 200
said third "guest running (kvm) $nonce" "and the guest runs without a server"
off third
cat first.log second.log third.log clock.log >all.log
! grep -qi 'verity.*corrupt\|Kernel panic\|BUG:' all.log
tap $? "the kernels complain of nothing" all.log
echo "# after $SECONDS s, $(missing wanted | wc -w) pieces"
done_testing
