#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild inf: INFs made here in every encoding, then the real ones where they are.
# shellcheck disable=SC2016 # $Windows NT$ is text
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need jq iconv
cd "$scratch" || exit 1

# An INF with MODELS lines under [M.DECORATION]: inf NAME DATE,VERSION DECORATION LINE...
inf() {
	local name=$1 ver=$2 decoration=$3 line
	shift 3
	{
		printf '[Version]\nSignature="$Windows NT$"\nClass=SCSIAdapter\n'
		printf 'ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}\nProvider=%%P%%\n'
		printf 'DriverVer=%s\nCatalogFile=x.cat\n[Manufacturer]\n%%P%%=M' "$ver"
		for line in $decoration; do printf ',%s' "$line"; done
		printf '\n'
		for line in $decoration; do
			printf '[M.%s]\n' "$line"
			printf '%s\n' "$@"
		done
		printf '[I]\nCopyFiles=F\n[I.Services]\nAddService=x,2,S\n[S]\nServiceType=1\n'
		printf 'StartType=0\nErrorControl=1\nServiceBinary=%%12%%\\x.sys\n[F]\nx.sys\n'
		printf '[SourceDisksNames]\n1=d\n[SourceDisksFiles]\nx.sys=1\n'
		printf '[DestinationDirs]\nF=12\n[Strings]\nP="Prüf & Söhne"\n'
	} | sed 's/$/\r/' >"$name"
}
json() { # FILE FILTER
	jq -r "$2" "$1"
}
id='PCI\VEN_8086&DEV_2822&SUBSYS_00018086&REV_04'

# ---- encodings: all of them print as UTF-8 ---------------------------------------------
mkdir enc
inf enc/utf8.inf 01/02/2021,1.2.3.4 NTamd64 "\"Gerät\"=I,$id"
iconv -f utf-8 -t cp1252 enc/utf8.inf >enc/ansi.inf
{ printf '\377\376'; iconv -f utf-8 -t utf-16le enc/utf8.inf; } >enc/utf16le.inf
{ printf '\376\377'; iconv -f utf-8 -t utf-16be enc/utf8.inf; } >enc/utf16be.inf
{ printf '\357\273\277'; cat enc/utf8.inf; } >enc/bom.inf
ok "INFs in every encoding are read" "$GILD" inf enc --for=10.0.19041/amd64 --json
cp .out enc.json
is "they hold the same" \
	"$(json enc.json '.files[] | del(.inf, .path) | tojson' | sort -u | wc -l)" 1
is "their text is UTF-8" "$(json enc.json '[.files[] | .provider, .models[0].description] |
	unique | join(",")')" "Gerät,Prüf & Söhne"
"$GILD" inf enc >enc.txt
is "in the table too" "$(grep -c 'class SCSIAdapter, Prüf & Söhne, 2021-01-02' enc.txt)" 5

# ---- the JSON shape ----------------------------------------------------------------------
is "the schema" "$(json enc.json .schema)" gild.inf/1
is "the target" "$(json enc.json .target)" 10.0.19041/amd64/client
is "the members of a file" "$(json enc.json '.files[0] | keys | join(" ")')" \
	"applies arch catalog catalogs class class_guid date inf installs line models path \
provider reason remedy sections signature signature_reason signer signer_kind unsupported verdict version"
is "the facts of a file" "$(json enc.json '.files[0] | [.inf, .path, .class, .class_guid,
	.version, .date, .catalog, .arch[0], .verdict] | join(" ")')" \
	"ansi.inf enc/ansi.inf SCSIAdapter {4d36e97b-e325-11ce-bfc1-08002be10318} 1.2.3.4 \
2021-01-02 x.cat amd64 ok"
is "a model" "$(json enc.json '.files[0].models[0] |
	[.section, .install, .hardware_ids[0], .line] | join(" ")')" "M.NTamd64 I $id 11"
is "what it installs" "$(json enc.json '.files[0].installs[0] |
	[.section, .services[0], .files] | join(" ")')" "I x 1"

# ---- the choice of a section ---------------------------------------------------------------
inf many.inf 01/01/2022,1.0 \
	"NTx86 NTamd64 NTamd64.6.1 NTamd64.10.0...19041 NTamd64.10.0...22000 NTamd64...3 NTarm64" \
	"D=I,$id"
chosen() { # TARGET
	"$GILD" inf many.inf --for="$1" --json |
		jq -r '[.files[0].sections[] | select(.verdict == "chosen") | .section] | join(" ")'
}
is "Windows 7" "$(chosen 6.1.7601/amd64)" M.NTamd64.6.1
is "Vista" "$(chosen 6.0.6002/amd64)" M.NTamd64
is "10 before the build" "$(chosen 10.0.18363/amd64)" M.NTamd64.6.1
is "10 of the build" "$(chosen 10.0.19041/amd64)" M.NTamd64.10.0...19041
is "11" "$(chosen 10.0.22631/amd64)" M.NTamd64.10.0...22000
is "32 bits" "$(chosen 10.0.19041/x86)" M.NTx86
is "arm64" "$(chosen 10.0.22631/arm64)" M.NTarm64
"$GILD" inf many.inf --for=10.0.19041/amd64 --json >many.json
is "why not the others" "$(json many.json '.files[0].sections[] | .verdict' | sort | uniq -c |
	sed 's/^ *//' | tr '\n' ' ')" "1 chosen 1 later_version 2 less_specific 2 other_arch \
1 other_product "
"$GILD" inf many.inf --for=10.0.19041/amd64 >many.txt
ok "the table says why" grep -q 'M.NTamd64.10.0...22000 .*for Windows 10.0.22000 or later' many.txt
"$GILD" inf many.inf --json >all.json
is "without a target every architecture is listed" \
	"$(json all.json '.files[0].arch | join(" ")')" "x86 amd64 arm64"
is "and every model" "$(json all.json '.files[0].models | length')" 7
inf old.inf 01/01/2022,1.0 "NTamd64.10.0...22000" "D=I,$id"
ok "an INF for another Windows is no failure" "$GILD" inf old.inf --for=10.0.19041/amd64 --json
cp .out old.json
is "it does not apply" "$(json old.json '.files[0] | [.verdict, .applies] | map(tostring) | join(" ")')" \
	"ok false"
is "and says why" "$(json old.json '.files[0].reason' | grep -c 'M.NTamd64.10.0...22000')" 1

# ---- files that Windows refuses ---------------------------------------------------------------
mkdir bad
cp many.inf bad/good.inf
printf '[Defines]\n INF_VERSION = 1\n BASE_NAME = X\n' >bad/edk2.inf
printf '[Version]\nSignature="$Windows NT$"\n[Manufacturer\nx=y\n' >bad/open.inf
head -c 3000 /dev/urandom >bad/noise.inf
: >bad/empty.inf
fails 3 "a refused file gives 3" "$GILD" inf bad
fails 3 "also as JSON" "$GILD" inf bad --json
"$GILD" inf bad --json >bad.json
is "the others are read" "$(json bad.json '[.files[] | .inf + "=" + .verdict] | join(" ")')" \
	"edk2.inf=refused empty.inf=refused good.inf=ok noise.inf=refused open.inf=refused"
is "each with a reason" "$(json bad.json '[.files[] | select(.verdict == "refused" and
	(.reason | length) > 5)] | length')" 4
is "and its line, where there is one" \
	"$(json bad.json '.files[] | select(.inf == "open.inf") | .line')" 3
ok "the table names file, line and reason" \
	sh -c "'$GILD' inf bad | grep -q '^bad/open.inf: refused: line 3: .'"
printf '[Version]\nSignature="$Windows NT$"\nClass=Net\nProvider="a\033[31mred\007"\n' >esc.inf
ok "text from an INF does not drive the terminal" \
	sh -c "! '$GILD' inf esc.inf | grep -q \$'[\\033\\007]'"

# ---- ranking -----------------------------------------------------------------------------------
mkdir rank
inf rank/exact.inf 01/01/2021,1.0.0.0 NTamd64 "D=I,$id"
inf rank/newer.inf 01/01/2022,1.0.0.0 NTamd64 "D=I,$id"
inf rank/subsys.inf 01/01/2023,9.0.0.0 NTamd64 'D=I,PCI\VEN_8086&DEV_2822&SUBSYS_00018086'
inf rank/class.inf 01/01/2024,9.0.0.0 NTamd64 'D=I,PCI\CC_0104'
inf rank/win11.inf 01/01/2025,9.0.0.0 NTamd64.10.0...22000 "D=I,$id"
inf rank/other.inf 01/01/2025,9.0.0.0 NTamd64 'D=I,PCI\VEN_8086&DEV_0001'
ok "a device finds its driver" "$GILD" inf rank --for=10.0.19041/amd64 --json \
	--device="$id&CC_010400"
cp .out rank.json
is "in PnP's order, with PnP's ranks" "$(json rank.json '.rankings[0].candidates[] |
	[.path, .rank, .verdict] | join(" ")')" "rank/newer.inf 0x00ff0000 chosen
rank/exact.inf 0x00ff0000 loses
rank/subsys.inf 0x00ff0001 loses
rank/class.inf 0x00ff2006 loses
rank/win11.inf 0x00ff0000 not_for_target"
is "each loser with its reason" "$(json rank.json '.rankings[0].candidates[1:][] | .reason')" \
	"its date 2021-01-01 is before 2022-01-01 of rank/newer.inf
it matches the less specific PCI\\VEN_8086&DEV_2822&SUBSYS_00018086, rank/newer.inf matches $id
it matches by a compatible ID of the device, rank/newer.inf by a hardware ID
[M.NTamd64.10.0...22000]: for Windows 10.0.22000 or later"
is "signatures are not looked at, and it says so" \
	"$(json rank.json '.rankings[0].signature')" unchecked
is "on Windows 11 another one wins" "$("$GILD" inf rank --for=10.0.22631/amd64 --json \
	--device="$id" | jq -r '.rankings[0].candidates[0] | .path + " " + .verdict')" \
	"rank/win11.inf chosen"
"$GILD" inf rank --for=10.0.19041/amd64 --device="$id" >rank.txt
is "the table starts with the winner" "$(awk 'NR == 3 { print $1, $2 }' rank.txt)" \
	"chosen rank/newer.inf"
fails 3 "no driver for the device is 3" "$GILD" inf rank --for=10.0.19041/amd64 --device='PCI\VEN_1'
fails 3 "none for this Windows is 3" "$GILD" inf rank/win11.inf --for=6.3/amd64 --device="$id"
is "several IDs are the list itself" "$("$GILD" inf rank --for=10.0.19041/amd64 --json \
	--device='A\1' --device='PCI\VEN_8086&DEV_0001' |
	jq -r '.rankings[0].candidates[] | .path + " " + .rank')" "rank/other.inf 0x00ff0001"
inf both.inf 01/01/2025,9.0 "NTamd64 NTarm64" "D=I,$id"
is "without a target: one ranking for each architecture" \
	"$("$GILD" inf both.inf --device="$id" --json | jq -r '[.rankings[].target] | join(" ")')" \
	"10.0.26100/amd64/client 10.0.26100/arm64/client"

# ---- wrong usage ---------------------------------------------------------------------------------
fails 2 "no path is wrong usage" "$GILD" inf
fails 2 "a target that is none is wrong usage" "$GILD" inf many.inf --for=windows
fails 2 "an architecture that is none is wrong usage" "$GILD" inf many.inf --for=10.0/z80
fails 1 "a path that is not there fails" "$GILD" inf nowhere
fails 3 "beside others it is a problem" "$GILD" inf many.inf nowhere
mkdir none
fails 3 "a folder without INFs is no answer" "$GILD" inf none

# ---- real ones ---------------------------------------------------------------------------------------
data=$GILD_TEST_DATA/inf
if [ ! -d "$data" ]; then
	skip "real INFs" "real test data not here: set GILD_TEST_DATA"
	done_testing
fi
mkdir real
find "$data" -iname '*.inf' -o -iname '*.inf.xz' | LC_ALL=C sort | while read -r f; do
	to=real/${f#"$data"/}
	mkdir -p "${to%/*}"
	case $f in
	*.xz) xz -dc "$f" >"${to%.xz}" ;;
	*) cp "$f" "$to" ;;
	esac
done
start=$(date +%s%N)
"$GILD" inf real --json >real.json
end=$(date +%s%N)
echo "# $(find real -type f | wc -l) real INFs, $(du -sb real | cut -f1) bytes, read and printed in \
$(((end - start) / 1000000)) ms"
is "every real INF has its verdict" "$(json real.json '.files | length')" \
	"$(find real -type f | wc -l)"
is "what is no Windows INF is refused" "$(json real.json '[.files[] | select(.verdict == "ok" and
	(.path | startswith("real/not-windows-inf")))] | length')" 0
is "refused for a true reason: no [Version] section" "$(json real.json '.files[] |
	select(.verdict == "refused") | .path' | while read -r f; do
	tr -d '\0' <"$f" | LC_ALL=C grep -aqi '^[[:space:]]*\[version\]' && echo "$f"
done)" ""
is "drivers are not refused" "$(json real.json '[.files[] | select(.verdict == "refused" and
	(.path | test("/(packages|virtio-built|osdeploy|nvidia-mod|soc)/")))] | length')" 0
if [ -d real/virtio-built ]; then
	"$GILD" inf real/virtio-built --for=10.0.19041/amd64 --json \
		--device='PCI\VEN_1AF4&DEV_1004&SUBSYS_00081AF4&REV_00' >virtio.json
	is "virtio-scsi: the newest that fits wins" "$(json virtio.json '.rankings[0].candidates[0] |
		[.path, .version, .verdict] | join(" ")')" \
		"real/virtio-built/Win8.1/amd64/vioscsi.inf 63.93.104.24000 chosen"
	is "32-bit drivers are not for it" "$(json virtio.json '[.rankings[0].candidates[] |
		select(.path | test("/x86/")) | .verdict] | unique | join(" ")')" not_for_target
fi
done_testing
