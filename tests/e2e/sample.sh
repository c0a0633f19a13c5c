# SPDX-License-Identifier: GPL-3.0-or-later
# The sample Windows itself: every other test stands on it, so it is judged by programs
# that have nothing to do with gild (hivexsh, regfexport, wimlib-imagex, file formats).
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need hivexsh hivexregedit hivexget wimlib-imagex mkntfs
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
config=Windows/System32/config
cd "$scratch" || exit 1

# ---- the same bytes every time -----------------------------------------------------------
"$mksample" tree a --oem || exit 1
sleep 1
"$mksample" tree b --oem
ok "two runs give the same tree" diff -r a b
"$mksample" wim a.wim --images=2 --oem
sleep 1
"$mksample" wim b.wim --images=2 --oem
ok "two runs give the same WIM" cmp a.wim b.wim
is "no file is younger than the sample" \
	"$(find a -newermt '2023-11-15' | wc -l)" 0

# ---- hives ------------------------------------------------------------------------------
for hive in SYSTEM SOFTWARE DRIVERS DEFAULT BCD-Template; do
	ok "hivexsh opens $hive" sh -c "echo ls | hivexsh a/$config/$hive"
	ok "hivexregedit exports $hive" hivexregedit --export "a/$config/$hive" '\'
	if command -v regfexport >/dev/null; then
		ok "regfexport reads $hive to its end" sh -c \
			"regfexport a/$config/$hive >$hive.regf 2>&1 && grep -q '^Key path' $hive.regf"
	else
		skip "regfexport reads $hive" "libregf-utils is not installed"
	fi
done
get() { hivexget "a/$config/$1" "$2" "$3" 2>/dev/null; }
is "the current control set" "$(get SYSTEM Select Current)" 1
is "the last known good one is another" "$(get SYSTEM Select LastKnownGood)" 2
is "storahci starts at boot" "$(get SYSTEM 'ControlSet001\Services\storahci' Start)" 0
is "and is masked" "$(get SYSTEM 'ControlSet001\Services\storahci\StartOverride' 0)" 3
is "megasas is disabled" "$(get SYSTEM 'ControlSet001\Services\megasas' Start)" 4
is "the product" "$(get SOFTWARE 'Microsoft\Windows NT\CurrentVersion' ProductName)" "Windows 10 Pro"

# ---- driver store and database agree -----------------------------------------------------
# h = h * 39 + byte over the INF, printed as its little-endian bytes: computed by the shell,
# not by the generator's own code.
store_hash() {
	od -An -v -tu1 "$1" | {
		local h=0 byte
		while read -r line; do
			for byte in $line; do h=$((h * 39 + byte)); done
		done
		printf '%016x' "$h" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\8\7\6\5\4\3\2\1/'
	}
}
store=a/Windows/System32/DriverStore/FileRepository
wrong=0 packages=0
for folder in "$store"/*; do
	name=${folder##*/}
	inf=${name%_*_*}
	packages=$((packages + 1))
	[ "$name" = "${name%_*}_$(store_hash "$folder/$inf")" ] || wrong=$((wrong + 1))
done
is "all of $packages store folders carry the hash of their INF" "$wrong" 0
for hive in SYSTEM DRIVERS; do
	echo 'cd \DriverDatabase\DriverPackages
ls' | hivexsh "a/$config/$hive"
done | sort >database
ls "$store" | sort >folders
ok "the database has just these packages" cmp database folders
is "oem numbers 0, 1 and 3 are taken" \
	"$(hivexregedit --export "a/$config/SYSTEM" '\DriverDatabase' | grep -m1 OemInfMap)" \
	'"OemInfMap"=hex(3):d0'
ok "a driver and its store copy are one file" \
	test a/Windows/System32/drivers/stornvme.sys -ef "$store"/stornvme.inf_*/stornvme.sys

# ---- Windows 7 -----------------------------------------------------------------------------
"$mksample" tree seven --windows=7 --arch=x86 --oem --plain
ok "Windows 7 has no driver database" test ! -e seven/$config/DRIVERS
is "nowhere" "$(hivexregedit --export seven/$config/SYSTEM '\' | grep -c DriverDatabase)" 0
hivexregedit --export --unsafe-printable-strings seven/$config/SYSTEM \
	'\ControlSet001\Control\CriticalDeviceDatabase' 2>/dev/null | tr -d '\r' >critical
ok "but entries of critical devices" test "$(grep -c '^"Service"' critical)" -ge 40
wrong=$(sed -n 's/^"DriverPackageId"=str(1):"\(.*\)"$/\1/p' critical | sort -u | while read -r p; do
	[ -d "seven/Windows/System32/DriverStore/FileRepository/$p" ] || echo "$p"
done)
is "which name packages of its store" "$wrong" ""
wrong=$(sed -n 's/^"Service"=str(1):"\(.*\)"$/\1/p' critical | sort -u | while read -r s; do
	hivexget seven/$config/SYSTEM "ControlSet002\\Services\\$s" Start >/dev/null 2>&1 || echo "$s"
done)
is "and services of both control sets" "$wrong" ""

# ---- executables ---------------------------------------------------------------------------
machine() { # PE machine type, as the four hexadecimal digits in the file
	local at
	at=$(od -An -tu4 -j60 -N4 "$1")
	od -An -tx1 -j$((at + 4)) -N2 "$1" | tr -d ' \n'
}
for arch in amd64:6486 x86:4c01 arm64:64aa; do
	"$mksample" tree "t-${arch%:*}" --arch="${arch%:*}" --windows=11
	wrong=$(find "t-${arch%:*}" -iname '*.sys' -o -iname '*.exe' -o -iname '*.efi' -o -iname '*.dll' |
		while read -r f; do [ "$(machine "$f")" = "${arch#*:}" ] || echo "$f"; done)
	is "every executable of ${arch%:*} is for it" "$wrong" ""
done

# ---- WIMs ------------------------------------------------------------------------------------
ok "wimlib verifies the WIM" wimlib-imagex verify a.wim
is "it has two images" "$(wimlib-imagex info a.wim | sed -n 's/^Image Count: *//p')" 2
wimlib-imagex dir a.wim 1 --detailed >listing
is "every file and folder has a security descriptor" \
	"$(grep -c '^Security Descriptor = 0100' listing)" "$(grep -c '^Full Path' listing)"
ok "long names have short ones" grep -q 'Short Name *= "PROGRA~1"' listing
wimlib-imagex apply a.wim 1 applied >/dev/null 2>&1
ok "what comes out is what went in" diff -r a applied
"$mksample" media medium --windows=server2022
ok "a medium has boot.wim with two images" \
	sh -c 'wimlib-imagex info medium/sources/boot.wim | grep -q "^Image Count: *2"'
ok "of which Setup is started" \
	sh -c 'wimlib-imagex info medium/sources/boot.wim | grep -q "^Boot Index: *2"'
"$mksample" wim solid.esd --plain --compress=LZMS
ok "a solid one verifies" wimlib-imagex verify solid.esd
"$mksample" tree padded --files=200 --size=3000000
is "padding has the size asked for" \
	"$(find padded -name 'file[0-9]*' -printf '%s\n' | awk '{s+=$1; n++} END {print n, s}')" \
	"200 3000000"
fails 2 "an unknown option is wrong usage" "$mksample" tree x --nonsense
fails 1 "an unknown Windows is refused" "$mksample" tree x --windows=95
done_testing
