#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Packages as vendors ship them, through the real binary: archives of every kind, archives
# in archives, hostile ones, and nothing left behind.
# shellcheck disable=SC2016 # $Windows NT$ is text
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need jq zip tar
cd "$scratch" || exit 1
mkdir tmp
export TMPDIR=$scratch/tmp

mkdir -p pack/x64 pack/x86
for arch in x64 x86; do
	nt=amd64
	[ $arch = x64 ] || nt=x86
	printf '%s\r\n' '[Version]' 'Signature="$Windows NT$"' 'Class=System' 'Provider=P' \
		'ClassGuid={4D36E97D-E325-11CE-BFC1-08002BE10318}' 'DriverVer=01/01/2024,1.0' \
		'[Manufacturer]' "M=M,NT$nt" "[M.NT$nt]" 'D=I,ROOT\X' '[I]' >pack/$arch/Dev.inf
	seq 20000 >pack/$arch/dev.sys
done

# The paths of the INFs that gild finds, sorted as it sorts them.
paths() { "$GILD" inf "$@" --json 2>/dev/null | jq -r '[.files[].path] | join(" ")'; }
problems() { "$GILD" inf "$@" --json 2>/dev/null | jq -r '.problems[]'; }
clean() { is "$1: nothing is left behind" "$(ls tmp)" ""; }

# ---- every kind of archive ----------------------------------------------------------------
try() { # TOOL ARCHIVE COMMAND...: makes the archive and reads it
	local tool=$1 name=$2
	shift 2
	if ! command -v "$tool" >/dev/null; then
		skip "$name is read" "$tool is not installed"
		return
	fi
	"$@" >/dev/null 2>make.err || { tap 1 "$name is made" make.err; return; }
	is "$name is read" "$(paths "$name")" "$name/pack/x64/Dev.inf $name/pack/x86/Dev.inf"
}
is "a folder is read" "$(paths pack)" "pack/x64/Dev.inf pack/x86/Dev.inf"
is "an INF is read" "$(paths pack/x64/Dev.inf)" "pack/x64/Dev.inf"
try zip a.zip zip -qr a.zip pack
try zip stored.zip zip -qr0 stored.zip pack
try 7z a.7z 7z a a.7z pack
try 7z lzma.zip 7z a -mm=LZMA lzma.zip pack
try tar a.tar tar cf a.tar pack
try gzip a.tgz tar czf a.tgz pack
try xz a.tar.xz tar cJf a.tar.xz pack
try zstd a.tar.zst tar --zstd -cf a.tar.zst pack
try gcab a.cab gcab -cz a.cab pack/x64/Dev.inf pack/x64/dev.sys pack/x86/Dev.inf
mkdir -p iso && cp -r pack iso/
try xorriso a.iso xorriso -as mkisofs -quiet -J -R -o a.iso iso
try genisoimage b.iso genisoimage -quiet -J -o b.iso iso
clean "archives"

# ---- archives in archives, self-extractors ----------------------------------------------------
mkdir -p vendor/Drivers vendor/Docs
cp a.zip vendor/Drivers/first.zip
[ ! -e a.cab ] || cp a.cab vendor/Drivers/second.CAB
echo text >vendor/Docs/readme.txt
(cd vendor/Docs && zip -q docs.zip readme.txt && rm readme.txt)
zip -qr vendor.zip vendor
want="vendor.zip/vendor/Drivers/first.zip/pack/x64/Dev.inf \
vendor.zip/vendor/Drivers/first.zip/pack/x86/Dev.inf"
[ ! -e a.cab ] || want="$want vendor.zip/vendor/Drivers/second.CAB/pack/x64/Dev.inf \
vendor.zip/vendor/Drivers/second.CAB/pack/x86/Dev.inf"
is "archives in an archive are opened" "$(paths vendor.zip)" "$want"
{ printf MZ; head -c 70000 /dev/zero; } >stub
mkdir sp
cat stub a.zip >sp/zip.exe
is "a self-extracting ZIP is opened" "$(paths sp/zip.exe | cut -d' ' -f1)" \
	sp/zip.exe/pack/x64/Dev.inf
if [ -e a.cab ]; then
	cat stub a.cab >sp/cab.exe
	is "a self-extracting CAB is opened" "$(paths sp/cab.exe | cut -d' ' -f1)" \
		sp/cab.exe/pack/x64/Dev.inf
fi
mkdir beside
cp sp/zip.exe beside/Setup.exe
cp pack/x64/Dev.inf beside/
is "a Setup.exe beside its driver is left alone" "$(paths beside)" beside/Dev.inf
is "alone in its folder it is opened" "$(paths sp | tr ' ' '\n' | grep -c zip.exe)" 2
fails 1 "a program without an archive is refused" "$GILD" inf stub
clean "archives in archives"

# ---- what cannot be read says why ----------------------------------------------------------------
says() { # EXIT TEXT FILE
	"$GILD" inf "$3" >out 2>err
	is "$3: exit code" $? "$1"
	if grep -qF -- "$2" out err; then
		tap 0 "$3: says '$2'"
	else
		cat out err >both
		tap 1 "$3: says '$2'" both
	fi
}
head -c 2000 a.zip >cut.zip
says 1 "is damaged" cut.zip
head -c 5000 a.tgz >cut.tgz
says 1 "is damaged" cut.tgz
: >zero.zip
says 1 "is empty" zero.zip
printf '\320\317\021\340\241\261\032\341msi' >setup.msi
says 1 "msiextract" setup.msi
printf 'MSWIM\0\0\0wim' >x.wim
says 1 "is a WIM image" x.wim
zip -qr -P secret secret.zip pack
says 1 "is encrypted; unpack it with its password" secret.zip
(cd pack && zip -q "$scratch/noinf.zip" x64/dev.sys)
says 3 "holds no INF" noinf.zip
mkdir half
cp a.zip cut.zip half/
fails 3 "a damaged archive beside a good one" "$GILD" inf half
is "the good one is read" "$(paths half | wc -w)" 2
is "the damaged one is named" "$(problems half | grep -c '^half/cut.zip: is damaged')" 1
clean "refusals"

# ---- hostile archives -------------------------------------------------------------------------------
mkdir -p evil/in
echo evil >evil/evil.inf
(cd evil/in && zip -q ../up.zip ../evil.inf) 2>/dev/null
ln -s /etc evil/in/link
tar cf evil/link.tar -C evil/in link
tar rf evil/link.tar -C evil --transform 's|^|link/|' evil.inf
tar cPf evil/abs.tar --transform "s|^evil/evil.inf|$scratch/out.inf|" evil/evil.inf
tar cf evil/up.tar -P --transform 's|^|../../|' evil/evil.inf
for a in up.zip link.tar abs.tar up.tar; do
	"$GILD" inf "evil/$a" --json >out 2>err
done
is "no entry leaves the temporary folder" \
	"$(find "$scratch" /etc/evil.inf /tmp/evil.inf -newer evil/up.tar -name '*.inf' 2>/dev/null)" ""
ok "an entry that leads outside is a problem" sh -c \
	"'$GILD' inf evil/up.tar | grep -q 'its name leads out'"
ok "an absolute one too" sh -c "'$GILD' inf evil/abs.tar | grep -q 'its name is absolute'"
ok "a link too" sh -c "'$GILD' inf evil/link.tar | grep -q 'it is a symbolic link'"
truncate -s 300G hole
tar cSf hole.tar hole && rm hole
start=$(date +%s)
says 1 "unpacks to more than" hole.tar
truncate -s 400M zeros
gzip -c zeros >zeros.gz
cp zeros.gz bomb.tgz # to tar, zeros are an archive without entries
says 3 "holds no INF" bomb.tgz
tar cf - zeros | gzip >bomb.tar.gz && rm zeros
says 1 "it may be made to fill the disk" bomb.tar.gz
is "bombs end soon" "$(($(date +%s) - start < 60))" 1
clean "hostile archives"

# ---- a large pack: memory does not grow with it --------------------------------------------------------
mkdir big
head -c 150M /dev/urandom >big/big.sys
cp pack/x64/Dev.inf big/
zip -q0r big.zip big && rm -r big
if command -v python3 >/dev/null; then
	peak=$(python3 - "$GILD" <<-'END'
		import resource, subprocess, sys
		subprocess.run([sys.argv[1], 'inf', 'big.zip'], stdout=subprocess.DEVNULL, check=True)
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
	END
	)
	echo "# a pack of 150 MiB: peak memory $peak MiB"
	# A sanitizer's shadow is not the program's memory.
	if grep -qa __asan_init "$GILD"; then
		skip "memory stays below 64 MiB" "built with sanitizers"
	else
		is "memory stays below 64 MiB" "$((peak < 64))" 1
	fi
fi
"$GILD" inf big.zip >/dev/null 2>&1 &
pid=$!
# Not before it listens to signals, which takes a sanitizer's program a while.
for _ in $(seq 500); do
	caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null)
	[ -n "$caught" ] && [ $((0x$caught >> 14 & 1)) = 0 ] || break
	sleep 0.01
done
kill -TERM $pid 2>/dev/null
wait $pid
code=$?
is "ended by a signal it says so, or was faster" "$([ $code = 130 ] || [ $code = 0 ] && echo yes)" yes
clean "an interrupted run"
done_testing
