# SPDX-License-Identifier: GPL-3.0-or-later
# A PC without a disk, which QEMU emulates with AMD's virtualisation: SeaBIOS and iPXE start
# what gild pack wrote for a web server, and the golden image is read from there while the
# guest runs under KVM, also when the server was away in between. One whose image has a wrong
# byte, which starts at the same time, refuses it.
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

mib=96
as --32 --defsym SECTORS=$((mib * 2048)) -o reads.o "$GILD_SOURCE/tests/reads.S" &&
	ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o reads.raw reads.o &&
	head -c $((mib * 1048576 - 512)) /dev/urandom >>reads.raw &&
	qemu-img convert -f raw -O qcow2 reads.raw reads.qcow2 || exit 1
serve() { # PORT: in the background; $server, $port
	rm -f port
	python3 "$GILD_SOURCE/tests/rangeserver.py" net "$1" server.log >port 2>server.err &
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
	"$GILD" pack reads.qcow2 --output="$1" --url="http://10.0.2.2:$port/$2" --profile="$profile" \
		--append="$pc_clock" \
		--image-option={windows=6.1.7601,arch=amd64,firmware=bios,format=raw,storage=virtio-blk,network="$3"} \
		--init-option=shutdown_seconds=5 --quiet 2>err
}
mkdir net
pack net/good/ good virtio-net && pack net/bad/ wrong/bad none || skip_all "gild pack: $(cat err)"

boot() { # NAME FOLDER: in the background; $pid
	nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
	timeout -k 5 "$pc_limit" qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -cpu max,+svm \
		-m 1280 -nodefaults -no-user-config -display none -no-reboot -boot n \
		-netdev "user,id=net,bootfile=http://10.0.2.2:$port/$2/boot.ipxe" \
		-device "virtio-net-pci,netdev=net" \
		-fw_cfg "name=opt/gild/vm,string=cpus=1 memory=128M display=none sound=off nonce=$nonce" \
		-chardev "file,id=serial,path=$PWD/$1.log" -serial chardev:serial \
		-qmp "unix:$PWD/$1.qmp,server=on,wait=off" >"$1.err" 2>&1 19>&- &
	pid=$!
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

boot damaged bad
other=$pid
boot pc good
good=$pid
await pc "guest running (kvm) $nonce\|press the power button\|gild: off" 200
said pc "image reads from http://10.0.2.2:$port/good/gild/images/reads.img: the server answers" \
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
done_testing
