# SPDX-License-Identifier: GPL-3.0-or-later
# gild pack and web servers: a folder whose images are read from where it will be, media that
# only know an image's address, and what is said where that cannot be. Nothing is started here
# (hypervisor-network.sh does).
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin
need jq python3 openssl xorriso mcopy sgdisk veritysetup mke2fs grub-mkimage qemu-img cpio
[ -x "$GILD_BUILD/hypervisor/init/gild-init" ] || skip_all "gild-init was not built: libkmod is missing"
find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' -readable | grep -q . ||
	skip_all "no linux-image-amd64 is installed"
[ -e /usr/lib/shim/shimx64.efi.signed ] || skip_all "shim-signed is not installed"
cd "$scratch" || exit 1
export GILD_PROFILES=$GILD_SOURCE/profiles XDG_CONFIG_HOME=$scratch/config
profile=$(find "$GILD_SOURCE/profiles" -name 'qemu*.xml' | sort | head -n 1)
pack() { "$GILD" pack --profile="$profile" "$@"; }
server=
trap 'kill $server 2>/dev/null; chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
serve() { # OPTION...: the folder "net"; $server, $port
	[ -z "$server" ] || { kill "$server"; wait "$server" 2>/dev/null; }
	rm -f port
	python3 "$GILD_SOURCE/tests/rangeserver.py" net 0 log "$@" >port &
	server=$!
	while [ ! -s port ]; do
		kill -0 $server || return
		sleep 0.05
	done
	port=$(cat port)
	at=http://127.0.0.1:$port/gild/images
	: >log
}
unpack() { # ARCHIVE: into settings/
	rm -rf settings && mkdir settings && (cd settings && cpio -i --quiet -d) <"$1"
}

# ---- published -----------------------------------------------------------------------------

qemu-img create -q -f qcow2 guest.qcow2 200M
qemu-io -c 'write -P 7 1M 20M' guest.qcow2 >/dev/null
words="--image-option=windows=6.1.7601 --image-option=firmware=bios --image-option=title=A_guest"
# shellcheck disable=SC2086
ok "a folder is packed with its address" pack guest.qcow2 $words --output=net/ \
	--url=http://boot.example/gild --quiet
unpack net/config
is "its image is read from there" "$(sed -n 's/^image=//p' settings/etc/gild/images/guest.conf)" \
	"url:http://boot.example/gild/gild/images/guest.img"
is "beside it lie its settings, without a place" \
	"$(sed 's/=.*//' net/gild/images/guest.conf | tr '\n' ' ')" "windows firmware title format seal "
seal=$(sed -n 's/^seal=//p' net/gild/images/guest.conf)
ok "their seal is that of the image" veritysetup verify net/gild/images/guest.img \
	net/gild/images/guest.img "${seal%:*}" --hash-offset=$((${seal#*:} * 4096))
# shellcheck disable=SC2086
ok "without an address it is as it was" pack guest.qcow2 $words --output=other/ --json
cp .out other.json
ok "which is said" sh -c "jq -r '.warnings[]' other.json | grep -q -- --url"
unpack other/config
is "and looked for on disks" "$(sed -n 's/^image=//p' settings/etc/gild/images/guest.conf)" \
	"file:gild/images/guest.img"

# ---- packed by its address -----------------------------------------------------------------

serve
pack "$at/guest.img" --output=stick.img --slot-size=256M --state-size=64M --json >stick.json 2>err
tap $? "a stick is packed by the image's address" err
is "for which little was fetched" "$(awk '{print $1, $2, $4 - $3 + 1}' log | tr '\n' ';')" \
	"200 /gild/images/guest.conf $(stat -c %s net/gild/images/guest.conf);206 /gild/images/guest.img 512;"
is "it has no partition for the image" "$(jq -c '[.partitions[].role]' stick.json)" \
	'["bios","esp","root-a","root-b","state"]'
is "the report has address, title and seal" "$(jq -r '.images[0] | .url, .title, .seal' stick.json | tr '\n' ' ')" \
	"$at/guest.img A guest $seal "
ok "and warns of http" sh -c "jq -r '.warnings[]' stick.json | grep -q 'compare it with'"
start=$(sgdisk -i 2 stick.img | sed -n 's/^First sector: \([0-9]*\).*/\1/p')
MTOOLSRC=/dev/null MTOOLS_SKIP_CHECK=1 mcopy -n -i "stick.img@@$((start * 512))" ::gild/a/config config
unpack config
is "and the settings address and seal" "$(sort settings/etc/gild/images/guest.conf | tr '\n' ' ')" \
	"firmware=bios format=qcow2 image=url:$at/guest.img seal=$seal title=A_guest windows=6.1.7601 "
ok "an ISO as well, with words of its own" pack "$at/guest.img" --output=x.iso --quiet \
	--image-option=memory=2G
xorriso -osirrox on -indev x.iso -extract /gild/config config.iso >/dev/null 2>&1
unpack config.iso
is "which are in its settings" "$(grep -c '^memory=2G$' settings/etc/gild/images/guest.conf)" 1
ok "and nothing of the image" sh -c "! xorriso -indev x.iso -find / 2>/dev/null | grep -q images"
ok "a medium has what proves servers" sh -c "jq -r '.contents[].name' stick.json | grep -q certificates"

openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out ca.pem -days 30000 -subj /CN=localhost \
	-addext subjectAltName=IP:127.0.0.1 2>/dev/null && cat key ca.pem >both
serve cert=both
at=https://127.0.0.1:$port/gild/images
fails 1 "a server that nobody vouches for is not believed" pack "$at/guest.img" --output=tls/
ok "one that is vouched for is" pack "$at/guest.img" --ca=ca.pem --output=tls/ --quiet
unpack tls/config
ok "and the PC knows by whom" cmp settings/etc/gild/ca.pem ca.pem

# ---- what cannot be ------------------------------------------------------------------------

serve
refuses() { # CODE TEXT DESCRIPTION IMAGE
	pack "$4" --output=no.img >said 2>&1
	is "$3: exit status" $? "$1"
	ok "$3: said" grep -q -- "$2" said
}
refuses 1 "is the address right" "no such image" "$at/none.img"
refuses 2 "is not the address of an image" "no image" "$at/guest.iso"
refuses 2 "user's name" "a password in the address" "http://me:secret@127.0.0.1:$port/guest.img"
refuses 2 "no address by HTTP" "another protocol" "ftp://127.0.0.1/guest.img"
cp net/gild/images/guest.img cut.img && truncate -s -4096 cut.img && mv cut.img net/gild/images/cut.img
cp net/gild/images/guest.conf net/gild/images/cut.conf
refuses 1 "is not what its .conf says" "an image that was cut off" "$at/cut.img"
(cat net/gild/images/guest.conf && echo "media=/dev/sda") >net/gild/images/odd.conf
refuses 1 "no setting of an image" "settings that an image may not have" "$at/odd.img"
head -c 100000 /dev/zero >net/gild/images/long.conf
refuses 1 "more than was asked for" "settings without an end" "$at/long.img"
serve no-ranges
refuses 1 "parts of files" "a server without ranges" "$at/guest.img"
kill "$server" && wait "$server" 2>/dev/null
refuses 1 "is the network there" "a server that is away" "$at/guest.img"
fails 2 "--url is for folders" pack guest.qcow2 --output=no.img --url=http://boot.example/
fails 2 "and is an address" pack guest.qcow2 --output=no/ --url=boot.example
ok "nothing is left" sh -c "! ls no.img no 2>/dev/null"
done_testing
