#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild inspect on the sample Windows and on real hives, against what hivex reads.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need wimlib-imagex hivexregedit
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
for python in python3 /usr/bin/python3; do
	[ "$($python "$GILD_SOURCE/tests/inspectcheck.py" modules 2>/dev/null)" = hivex ] && break
done
[ "$($python "$GILD_SOURCE/tests/inspectcheck.py" modules 2>/dev/null)" = hivex ] ||
	skip_all "python3-hivex is not installed"
check() { $python "$GILD_SOURCE/tests/inspectcheck.py" compare "$@"; }
get() { $python "$GILD_SOURCE/tests/inspectcheck.py" get "$@"; }
config=Windows/System32/config
cd "$scratch" || exit 1

# Inspects a folder and compares it with its hives; the JSON stays in NAME.json.
agrees() { # WHAT NAME [OPTION...]
	local what=$1 name=$2
	shift 2
	if "$GILD" inspect "$name" --json "$@" >"$name.json" 2>"$name.err"; then
		ok "$what: hivex reads the same" check "$name/$config" "$name.json"
		check "$name/$config" "$name.json" | tail -1
	else
		tap 1 "$what: is inspected" "$name.err"
	fi
}

# ---- the sample, of every kind -------------------------------------------------------------
while read -r name options; do
	# shellcheck disable=SC2086
	"$mksample" tree "$name" $options || exit 1
	agrees "sample ($name: $options)" "$name"
done <<-'END'
	s81 --windows=8.1 --oem
	s10 --windows=10 --oem
	s11 --windows=11 --generalized
	s22 --windows=server2022 --arch=amd64
	arm --windows=11 --arch=arm64
	pe --pe
END
is "the schema" "$(get s10.json 'd["schema"]')" gild.inspect/1
is "the members of the object" "$(get s10.json '" ".join(sorted(d))')" \
	"boot_storage drivers image problems schema windows"
is "a folder has no index" "$(get s10.json 'd["image"]')" \
	'{"path": "s10", "format": "folder", "provider": "dir", "index": null}'
is "what is told of Windows" "$(get s10.json '" ".join(d["windows"])')" \
	"product edition version build arch installation_type control_set state"
is "Windows 11 is called so" "$(get s11.json 'd["windows"]["product"]')" "Windows 11 Pro"
is "a server is one" "$(get s22.json 'd["windows"]["installation_type"]')" Server
is "states" "$(for i in s10 s11 pe; do get $i.json 'd["windows"]["state"]'; done | xargs)" \
	"complete generalized winpe"
is "masked services are found on an installed Windows" \
	"$(get s10.json '[p["severity"] for p in d["problems"] if p["code"] == "start_override"]')" \
	'["warning"]'
is "and on no generalized one" \
	"$(get s11.json '[p for p in d["problems"] if p["code"] in ("start_override", "hardware_config")]')" "[]"
is "a staged storage package is found" \
	"$(get s10.json '[p["message"].split()[2] for p in d["problems"] if p["code"] == "staged_not_reflected"]')" \
	'["oem3.inf"]'
is "the sample has no error" \
	"$(for i in s81 s10 s11 s22 arm pe; do get $i.json '[p for p in d["problems"] if p["severity"] == "error"]'; done | xargs)" \
	"[] [] [] [] [] []"
"$GILD" inspect s10 >table.txt 2>&1
for text in "Windows 10 Pro (Professional)" "10.0.19045" "ControlSet001" "stornvme" \
	"examplescsi.inf" "start_override"; do
	ok "the table tells $text" grep -qF "$text" table.txt
done

# ---- what is broken --------------------------------------------------------------------------
cp -r s10 broken
rm broken/Windows/System32/drivers/stornvme.sys broken/Windows/INF/oem0.inf
rm -r broken/Windows/System32/DriverStore/FileRepository/examplenet.inf_*
echo '; changed' >>"$(echo broken/Windows/System32/DriverStore/FileRepository/examplescsi.inf_*/examplescsi.inf)"
hivexregedit --merge broken/$config/SYSTEM <<-'END'
	Windows Registry Editor Version 5.00

	[\ControlSet001\Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}]
	"LowerFilters"=hex(7):67,00,6f,00,6e,00,65,00,00,00,00,00
END
"$GILD" inspect broken --json >broken.json
is "what is broken is found" \
	"$(get broken.json '" ".join(sorted({p["code"] for p in d["problems"] if p["severity"] == "error"}))')" \
	"driver_file_missing filter_missing published_inf_missing store_folder_missing"
is "a changed INF no longer has its folder's hash" \
	"$(get broken.json '[p["severity"] for p in d["problems"] if p["code"] == "store_hash"]')" '["warning"]'
is "each problem has code, severity, message, remedy" \
	"$(get broken.json 'all(list(p) == ["code", "severity", "message", "remedy"] for p in d["problems"])')" true
cp -r s10 nosoftware
rm nosoftware/$config/SOFTWARE*
"$GILD" inspect nosoftware --json >nosoftware.json
is "without SOFTWARE the kernel tells the version" \
	"$(get nosoftware.json 'd["windows"]["version"]')" "$(get s10.json 'd["windows"]["version"]')"
cp -r s10 damaged
printf 'nothing of a hive' >damaged/$config/SYSTEM
fails 4 "a damaged hive is refused" "$GILD" inspect damaged
mkdir empty
fails 1 "a folder without Windows" "$GILD" inspect empty
ok "says what is missing" sh -c "'$GILD' inspect empty 2>&1 | grep -q 'no folder Windows'"
fails 1 "what is not there" "$GILD" inspect not-there
fails 2 "no image named" "$GILD" inspect
fails 2 "a folder has no second index" "$GILD" inspect s10 --index=2

undocumented=$(cat "$GILD_SOURCE"/src/windows/*.c | tr '\n' ' ' |
	grep -oE 'problem_add\([[:space:]]*in->out,[[:space:]]*"[a-z_]+"' | grep -oE '[a-z_]+"$' | tr -d '"' | sort -u |
	while read -r code; do grep -qF "\`$code\`" "$GILD_SOURCE/docs/json.md" || echo "$code"; done)
is "every code is documented" "$undocumented" ""

# ---- WIM -------------------------------------------------------------------------------------
"$mksample" wim x.wim --images=2 --oem || exit 1
mkdir media
echo autorun >media/autorun.inf
wimlib-imagex append media x.wim "Setup media" >/dev/null || exit 1
before=$(sha256sum x.wim)
"$GILD" inspect x.wim --json >wim.json 2>wim.err
is "one image without Windows does not fail the others" "$?" 0
is "all images are listed" "$(get wim.json '[i["image"]["index"] for i in d["images"]]')" "[1, 2, 3]"
is "the one without Windows says so" \
	"$(get wim.json '[d["images"][2]["windows"]] + [p["code"] for p in d["images"][2]["problems"]]')" \
	'[null, "no_windows"]'
is "each has the shape of a single one" "$(get wim.json '" ".join(sorted(d["images"][1]))')" \
	"boot_storage drivers image problems windows"
"$GILD" inspect x.wim --index=2 --json >wim2.json
is "one image alone" "$(get wim2.json 'd["image"]')" \
	'{"path": "x.wim", "format": "wim", "provider": "wim", "index": 2}'
wimlib-imagex extract x.wim 2 "/$config" --dest-dir=x2 >/dev/null 2>&1
ok "the image agrees with its hives" check x2/config wim2.json
fails 1 "an image without Windows, alone" "$GILD" inspect x.wim --index=3
fails 2 "an index that is not there" "$GILD" inspect x.wim --index=4
is "nothing was written" "$(sha256sum x.wim)" "$before"

# ---- real hives ------------------------------------------------------------------------------
hives=$GILD_TEST_DATA/hives
if [ -e "$hives/win81-x64-SENSEI.SYSTEM.xz" ] && command -v xz >/dev/null; then
	# SOFTWARE of the same generation comes from the sample: no real one may be kept.
	mkdir -p r81/$config r10/$config r10dirty/$config r7/$config
	xz -dc "$hives/win81-x64-SENSEI.SYSTEM.xz" >r81/$config/SYSTEM
	cp s81/$config/SOFTWARE r81/$config/
	fails 4 "the dirty 8.1 hive without its logs is refused" "$GILD" inspect r81
	ok "with the remedy" sh -c "'$GILD' inspect r81 2>&1 | grep -q -- --accept-dirty"
	agrees "real 8.1 (with --accept-dirty)" r81 --accept-dirty
	is "8.1: its state is a problem" \
		"$(get r81.json '[p["severity"] for p in d["problems"] if p["code"] == "hive_dirty"]')" '["warning"]'
	is "8.1: third-party drivers" "$(get r81.json '[x["published"] for x in d["drivers"]]')" '["oem1.inf"]'
	is "8.1: the package that only was staged" \
		"$(get r81.json 'd["drivers"][0]["original"] + " " + d["drivers"][0]["version"]')" "VBoxGuest.inf 5.0.10.0"
	for name in SYSTEM SYSTEM.LOG1 SYSTEM.LOG2; do
		xz -dc "$hives/win10-1709-x64-dell.$name.xz" >r10/$config/$name
	done
	cp s10/$config/SOFTWARE r10/$config/
	cp r10/$config/SYSTEM r10/$config/SOFTWARE r10dirty/$config/
	agrees "real 10 1709, primary file alone (with --accept-dirty)" r10dirty --accept-dirty
	ok "real 10 1709 with its logs" sh -c "'$GILD' inspect r10 --json >r10.json"
	is "its logs were replayed" \
		"$(get r10.json '[p["severity"] for p in d["problems"] if p["code"] == "hive_recovered"]')" '["info"]'
	is "10 1709: third-party drivers" "$(get r10.json '" ".join(x["published"] for x in d["drivers"])')" \
		"oem2.inf oem3.inf oem5.inf oem7.inf oem11.inf oem12.inf"
	for json in r81.json r10.json; do
		is "$json: boot storage by class, bus and disk, and nothing else" \
			"$(get $json '" ".join(sorted({s["service"].lower() for s in d["boot_storage"]} & {"storahci", "stornvme", "storvsc", "vmbus", "pci", "spaceport", "disk", "atapi", "intelide", "b06bdrv", "ebdrv", "volmgr", "amdxata", "kbdclass"}))')" \
			"atapi disk intelide pci spaceport storahci stornvme storvsc vmbus"
	done
	xz -dc "$hives/win7-sp1-x86-WKS-WIN732BITA.SYSTEM.xz" >r7/$config/SYSTEM
	"$GILD" inspect r7 --json >r7.json
	is "Windows 7: version and kind of store" \
		"$(get r7.json 'd["windows"]["version"] + " " + " ".join(p["code"] for p in d["problems"] if p["code"].startswith("legacy"))')" \
		"6.1.7601 legacy_driver_store"
	is "Windows 7: device IDs from CriticalDeviceDatabase" \
		"$(get r7.json '[len(s["ids"]) for s in d["boot_storage"] if s["service"] == "LSI_SAS"]')" "[14]"
else
	skip "real hives" "real test data not here: set GILD_TEST_DATA"
fi
# ---- setup media ---------------------------------------------------------------------------
"$GILD_BUILD/samples/mksample" media media --windows=11 >/dev/null
"$GILD" inspect media >/dev/null 2>media.error
is "setup media is named as such, with what to give instead" \
	"$(grep -c 'it is setup media: name media/sources/install.wim' media.error)" 1

done_testing
