# SPDX-License-Identifier: GPL-3.0-or-later
# gild-reader between a web server and what stands in for the kernel (tests/nbdread.py): right
# bytes and no more of them than need be, a cache that outlives it, servers that are away,
# redirect, or have other bytes than those that were sealed.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need python3 openssl
reader=$GILD_BUILD/hypervisor/reader/gild-reader
[ -x "$reader" ] || skip_all "gild-reader was not built"
# What looks for leaks at the end wants to trace the program, which its sandbox forbids.
export ASAN_OPTIONS=detect_leaks=0
cd "$scratch" || exit 1

mkdir www
head -c $((6 * 1048576 + 70000)) /dev/urandom >www/a.img
# Zeros in between are blocks like others.
dd if=/dev/zero of=www/a.img bs=1M seek=2 count=1 conv=notrunc status=none
seal=$("$GILD_BUILD/tests/imagetool" seal www/a.img) || skip_all "imagetool does not seal"
size=$(stat -c %s www/a.img)
serve() { # PORT OPTION...: in the background; $server, $port
	rm -f port
	python3 "$GILD_SOURCE/tests/rangeserver.py" www "$1" log "${@:2}" >port &
	server=$!
	while [ ! -s port ]; do
		kill -0 $server || return
		sleep 0.05
	done
	port=$(cat port)
	url=http://127.0.0.1:$port/a.img
	: >log
}
stop() {
	kill "$server"
	wait "$server" 2>/dev/null
}
trap 'kill $server 2>/dev/null; chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
reads() { # STEP...: at $url
	timeout 120 python3 "$GILD_SOURCE/tests/nbdread.py" ${cache:+-cache "$cache"} \
		${idle:+-idle "$idle"} ${patience:+-patience "$patience"} "$reader" "$url" "$seal" www/a.img "$@"
}
says() { # WORD OPTION...: what the reader says until that, with nobody who reads; said
	local i
	: >said
	timeout 60 "$reader" url="$url" seal="$seal" nbd=0 "${@:2}" </dev/null >said 2>&1 &
	client=$!
	for i in $(seq 600); do
		! grep -q "^$1" said && kill -0 $client 2>/dev/null || break
		sleep 0.1
	done
	kill $client 2>/dev/null
	wait $client 2>/dev/null
}
fetched() { awk '$1 == 206 {n += $4 - $3 + 1} END {print n + 0}' log; }
cache='' idle='' patience=''

serve 0
ok "what is read is right, at any place" reads 0:4096 5000:100 131000:200000 $((size - 4096)):4096 \
	$((6 * 1048576)):69632
ok "and all of it, eight reads at a time" reads all
: >log
ok "a little is read" reads 0:4096 1048576:4096 0:4096
ok "and a little fetched" [ "$(fetched)" -lt 700000 ]
cache=kept
: >log
ok "with a cache" reads 0:4096 4194304:300000
: >log
ok "what is there is not fetched again" reads 0:4096 4194304:300000
is "but for the superblock" "$(fetched)" 512
ok "the cache is a sparse file of the image's size" [ "$(stat -c %s kept)" = "$size" ]
ok "and has what was read" [ "$(du -k kept | cut -f 1)" -lt 2000 ]
printf 'damage' | dd of=kept bs=1 seek=4200000 conv=notrunc status=none
: >log
ok "what became damaged in it is fetched anew" reads 4194304:300000
ok "and nothing else" [ "$(fetched)" -le $((512 + 131072)) ]
ok "it is whole again" cmp -n 131072 -i 4194304 kept www/a.img
cache=kept2 idle=100
: >log
ok "while nobody reads it is filled" reads 0:4096 "run:for i in \$(seq 600); do
	[ \$(du -k kept2 | cut -f 1) -lt $((size / 1024)) ] || exit 0; sleep 0.1; done; exit 1"
idle=
ok "with the right bytes" cmp kept2 www/a.img
super=$((${seal#*:} * 4096))
printf 'other' | dd of=kept2 bs=1 seek=$((super + 88)) conv=notrunc status=none
: >log
ok "a superblock that became damaged in it" reads 0:4096
ok "is fetched anew" [ "$(fetched)" -gt 0 ]
reads $super:4096 >/dev/null 2>&1
ok "and whole again" cmp kept2 www/a.img
stop
ok "a cache that has all needs no server" reads all
cp .out said
is "and says nothing of one" "$(sed 's/ .*//' said | tr '\n' ' ')" "ready "
cp kept2 kept4
fallocate -p -o 1048576 -l 131072 kept4
exec 4<>kept4
says away silence=300 cache=4
ok "one that lacks a piece waits for it" grep -q '^away' said
ok "before it is ready" [ "$(grep -c '^ready' said)" = 0 ]
exec 4<&-

# ---- servers that fail ---------------------------------------------------------------------

cache=
serve "$port"
old=$server
# The read begins with the server away, which is back before its patience is over.
patience=60000
reads 0:4096 "run:kill $old; touch away; sleep 0.5" 1048576:4096 >said 2>&1 &
client=$!
while [ ! -e away ] && kill -0 $client 2>/dev/null; do sleep 0.1; done
wait $old 2>/dev/null
while ! grep -q ^away said && kill -0 $client 2>/dev/null; do sleep 0.1; done
serve "$port"
wait $client
tap $? "a read waits for a server that is away" said
patience=
ok "and both are said" [ "$(sed 's/ .*//' said | tr '\n' ' ')" = "ready away back " ]
stop
serve "$port"
ok "one that stays away is an error at last" reads 0:4096 "run:kill $server; sleep 0.5" \
	error:3145728
cp .out said
ok "which is said" grep -q '^away .*127.0.0.1' said
serve "$port"
url=http://127.0.0.1:$port/moved/a.img
ok "a redirection is followed" reads all
ok "and asked for once by each connection" [ "$(grep -c ^302 log)" -le 20 ]
url=http://127.0.0.1:$port/wrong/a.img
ok "wrong bytes are given as they are, others are right" reads wrong:0 1048576:4096
cp .out said
ok "and named" grep -q '^wrong .*/wrong/a.img: what it has at byte 0 ' said
cache=kept3
ok "they are not kept" reads wrong:0
url=http://127.0.0.1:$port/a.img
ok "so that a server that was repaired is good again" reads 0:131072
cache=
truncate -s -4096 www/a.img
says away silence=300
ok "a file that was cut off is waited for, and said" grep -q 'its seal is for' said
stop
serve "$port" no-ranges
says away silence=300
ok "so is a server without ranges" grep -q 'more than was asked\|no parts' said
stop

# ---- TLS -----------------------------------------------------------------------------------

openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out ca.pem -days 30000 -subj /CN=localhost \
	-addext subjectAltName=IP:127.0.0.1 2>/dev/null && cat key ca.pem >both
head -c 1000000 /dev/urandom >www/b.img
seal=$("$GILD_BUILD/tests/imagetool" seal www/b.img)
serve 0 cert=both
url=https://127.0.0.1:$port/b.img
says away silence=300
ok "a server that nobody vouches for is not believed" grep -qi 'away.*certificate' said
says ready ca=ca.pem
is "one that is vouched for is" "$(head -n 1 said)" ready
stop
timeout 60 "$reader" url="https://127.0.0.1:$port/b.img" seal="$seal" nbd=0 silence=300 </dev/null >said 2>&1 &
client=$!
while ! grep -q ^away said && kill -0 $client; do sleep 0.1; done
serve "$port" cert=both
while ! grep -q certificate said && kill -0 $client; do sleep 0.1; done
kill $client
wait $client 2>/dev/null
ok "when there is a network, what else is wrong is said" grep -q 'away .*certificate.*clock says' said
stop
fails 1 "an address with a password is none" "$reader" url=http://me:secret@x/a.img seal="$seal" nbd=0
cp .out said
fails 1 "and is not repeated" grep -q secret said
done_testing
