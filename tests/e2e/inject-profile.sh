# SPDX-License-Identifier: GPL-3.0-or-later
# gild inject --profile: of a repository only what a PC model wants; by device, by INF, by
# version; and what it found nothing for.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need jq
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
export GILD_PROFILES=$scratch/profiles XDG_CONFIG_HOME=$scratch/config
mkdir profiles
"$mksample" tree windows || exit 1
"$GILD_BUILD/samples/mkdrivers" all >/dev/null || exit 1
# The others are damaged variants of these.
mkdir drivers
for package in exstor exnic exfilter; do
	cp -r "all/$package" drivers
done
storage=$(grep -o 'PCI.VEN_[0-9A-F]*&DEV_[0-9A-F]*' drivers/exstor/exstor.inf | head -n 1)
version=$("$GILD" inf drivers/exnic/exnic.inf --json | jq -r '.files[0].version' | head -n 1)
profile() { # ID BODY
	printf '<profile xmlns="urn:gild:profile:1" id="%s" name="%s">%s</profile>\n' "$1" "$1" "${2//&/&amp;}" >"profiles/$1.xml"
}
inject() { # PROFILE OPTION...: the packages that go in
	local name=$1
	shift
	"$GILD" inject windows --driver=drivers --profile="$name" --dry-run --json "$@" >out 2>err
	echo "$? $(jq -r '[.packages[].inf] | sort | join(" ")' out)"
}
missing() { jq -r '.profiles[0].missing | join("; ")' out; }

profile device "<devices role=\"boot-storage\"><device id=\"$storage&SUBSYS_00011AF4&REV_01&CC_010000\"/></devices>"
is "a device chooses its package" "$(inject device)" "0 exstor.inf"
is "it found something for all of it" "$(jq -c '.profiles[0].missing' out)" '[]'
total=$(find drivers -name '*.inf' | wc -l)
is "the others are counted" "$(jq '.profiles[0].unwanted' out)" $((total - 1))
profile both '<include profile="device"/><drivers><driver inf="EXNIC.INF"/></drivers>'
is "an INF is chosen by its name, a family's devices count" "$(inject both)" "0 exnic.inf exstor.inf"
profile byid "<drivers><driver hardware-id=\"$storage\"/></drivers>"
is "and by hardware ID" "$(inject byid)" "0 exstor.inf"
profile newer "<include profile=\"device\"/><drivers><driver inf=\"exnic.inf\" min-version=\"99.0.0.0\"/></drivers>"
is "a version that is too old is left out" "$(inject newer)" "0 exstor.inf"
is "and said" "$(missing)" "newer: exnic.inf from 99.0.0.0 (there is exnic.inf $version)"
profile older '<drivers><driver inf="exnic.inf" max-version="0.0.0.1"/></drivers>'
is "a profile that nothing is for is the answer no" "$(inject older)" "3 "
is "for this reason" "$(jq -r '.problems[0]' out | grep -c "none of the $total packages is for the profiles")" 1
profile range "<drivers><driver inf=\"exnic.inf\" min-version=\"$version\" max-version=\"$version\"/></drivers>"
is "the limits belong to the range" "$(inject range)" "0 exnic.inf"
profile ruled "<devices role=\"boot-storage\"><device id=\"$storage\"/></devices><drivers><driver hardware-id=\"$storage\" min-version=\"99.0\"/><pack vendor=\"dell\" system=\"08B8\"/></drivers>"
is "a version range holds against the devices" "$(inject ruled)" "3 "
is "the maker's pack is named" "$(missing | grep -c 'ruled: the pack of dell for 08B8')" 1
profile strange '<devices role="network"><device id="PCI\VEN_FFF0&DEV_0001&CC_020000" name="a NIC"/></devices><include/>'
fails 1 "a broken profile is refused" "$GILD" inject windows --driver=drivers --profile=strange
profile strange '<include profile="device"/><devices role="network"><device id="PCI\VEN_FFF0&DEV_0001&CC_020000" name="a NIC"/></devices>'
is "two profiles are joined" "$(inject strange --profile=both)" "0 exnic.inf exstor.inf"
is "a device without a package is named" "$(missing)" 'strange: network PCI\VEN_FFF0&DEV_0001&CC_020000 (a NIC)'
fails 1 "an unknown profile is refused" "$GILD" inject windows --driver=drivers --profile=nonsense
fails 2 "--profile needs packages" "$GILD" inject windows --profile=device
"$GILD" inject windows --driver=drivers --profile=device --json >out
is "it is really injected" "$("$GILD" inspect windows --json | jq -r '[.windows.drivers // .drivers | .[]? | .original] | join(" ")')" exstor.inf
done_testing
