#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Real driver packages into WIMs that hold real SYSTEM hives: services, device IDs, records
# and files are read back by hivex and wimlib and judged without gild.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
for python in python3 /usr/bin/python3; do
	"$python" -c 'import hivex' 2>/dev/null && break
	python=
done
[ -n "$python" ] || skip_all "Python's hivex module is not installed (python3-hivex)"
need hivexget hivexregedit wimlib-imagex xz
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
need_data hives/win81-x64-SENSEI.SYSTEM.xz hives/win10-1709-x64-dell.SYSTEM.xz \
	inf/virtio-built/Win8.1/amd64 inf/packages/RedHat__vioscsi_100.94.104.24700
export PYTHONDONTWRITEBYTECODE=1
config=Windows/System32/config
cd "$scratch" || exit 1
inf=$GILD_TEST_DATA/inf

# json FILE EXPRESSION: evaluates with the object as d and its packages by INF as p
json() {
	"$python" -c 'import json, sys
d = json.load(open(sys.argv[1]))
p = {x["inf"]: x for x in d.get("packages", [])}
print(eval(sys.argv[2]))' "$1" "$2" 2>&1
}
get() { hivexget "$1" "$2" "$3" 2>/dev/null; }
extract() { # WIM INDEX PATH FILE
	WIMLIB_IMAGEX_IGNORE_CASE=1 wimlib-imagex extract "$1" "$2" "/$3" --to-stdout >"$4" 2>/dev/null </dev/null
}
detail() { wimlib-imagex dir "$1" "$2" --detailed 2>/dev/null; }

# wim FILE WINDOWS HIVE: image 1 has the real hive and its logs, image 2 the sample's
wim() {
	local log copies=(--copy="real.SYSTEM:$config/SYSTEM" --copy="plain.DRIVERS:$config/DRIVERS")
	"$mksample" wim "$1" --windows="$2" --images=2 >/dev/null || exit 1
	# The database of 8.1 and 10 1709 has none of the later values at its root.
	extract "$1" 1 $config/DRIVERS plain.DRIVERS
	printf 'Windows Registry Editor Version 5.00\n\n[\\DriverDatabase]\n"%s"=-\n"%s"=-\n"%s"=-\n' \
		SchemaVersion UpdateDate SetupStatus | hivexregedit --merge plain.DRIVERS
	xz -dc "$GILD_TEST_DATA/hives/$3.xz" >real.SYSTEM
	for log in LOG1 LOG2; do
		[ -e "$GILD_TEST_DATA/hives/$3.$log.xz" ] || continue
		xz -dc "$GILD_TEST_DATA/hives/$3.$log.xz" >"real.$log"
		copies+=(--copy="real.$log:$config/SYSTEM.$log")
	done
	ok "$1: a WIM with the real hive" "$GILD" edit "$1" --index=1 "${copies[@]}"
}

# service HIVE NAME VALUE... : what hivexget reads of a service
service() {
	local hive=$1 name=$2 value
	shift 2
	for value; do
		printf '%s=%s ' "$value" "$(get "$hive" "ControlSet001\\Services\\$name" "$value")"
	done
}

# judge NAME WIM FOLDER LIKE OPTION...: injects the packages and judges the result
judge() {
	local name=$1 wim=$2 folder=$3 like=$4
	shift 4
	cp "$wim" again.wim
	cp "$wim" before.wim
	detail "$wim" 1 >before.1
	detail "$wim" 2 >before.2
	"$GILD" inject "$wim" --index=1 --driver="$folder" --json "$@" >result.json 2>"$scratch/.out"
	is "$name: exit code" $? "${expect:-0}"
	ok "$name: wimlib verifies the result" wimlib-imagex verify "$wim"
	detail "$wim" 1 >after.1
	detail "$wim" 2 | sed 's/^Reference Count.*//; s/^Offset in WIM.*//' >after.2
	sed -i 's/^Reference Count.*//; s/^Offset in WIM.*//' before.2
	ok "$name: the other image is what it was" cmp before.2 after.2
	ok "$name: what was there before the appended part has not moved" \
		cmp -i 208 -n $(($(stat -c %s before.wim) - 208)) before.wim "$wim"
	ok "$name: touched files have descriptors that nobody can misuse" \
		"$python" "$GILD_SOURCE/tests/realcheck.py" listing before.1 after.1
	extract "$wim" 1 $config/SYSTEM SYSTEM
	extract "$wim" 1 $config/DRIVERS DRIVERS
	ok "$name: the records are those of Windows, for every package" \
		"$python" "$GILD_SOURCE/tests/realcheck.py" records SYSTEM DRIVERS result.json "$like"
	grep 'packages added' "$scratch/.out" | sed 's/^/# /'
	ok "$name: hivexregedit reads the database" \
		hivexregedit --export SYSTEM 'DriverDatabase\DriverInfFiles'
	cp "$wim" twice.wim
	"$GILD" inject twice.wim --index=1 --driver="$folder" --json "$@" >twice.json 2>"$scratch/.out"
	is "$name: a second time everything is there already" \
		"$(json twice.json 'sorted({x["verdict"] for x in d["packages"]} - {"skipped", "refused"})')" \
		"['already']"
	is "$name: and nothing is written" "$(json twice.json 'd["bytes_written"]')" 0
	ok "$name: not one byte" cmp "$wim" twice.wim
	"$GILD" inject again.wim --index=1 --driver="$folder" --json "$@" >again.json 2>"$scratch/.out"
	ok "$name: the same input gives the same bytes" cmp "$wim" again.wim
}

# files NAME WIM FOLDER: store, published INF and catalog are copies of the package's files
files() {
	local name=$1 wim=$2 folder=$3 original published store file stem
	json result.json '"\n".join(x["inf"] + " " + x["published"] + " " + x["store"]
		for x in d["packages"] if x["verdict"] == "added")' |
		while read -r original published store; do
			stem=${original%.*}
			for file in "$original" "$stem.sys" "$stem.cat"; do
				[ -e "$folder/$file" ] || continue
				extract "$wim" 1 "Windows/System32/DriverStore/FileRepository/$store/$file" got &&
					cmp -s "$folder/$file" got || echo "$store/$file"
			done
			extract "$wim" 1 "Windows/INF/$published" got && cmp -s "$folder/$original" got ||
				echo "$published"
			[ ! -e "$folder/$stem.cat" ] || {
				extract "$wim" 1 "Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/${published%.inf}.cat" got &&
					cmp -s "$folder/$stem.cat" got
			} || echo "${published%.inf}.cat"
		done >wrong
	is "$name: files in the store, INFs and catalogs are where Windows has them" "$(cat wrong)" ""
}

# ---- 8.1 with the virtio drivers of its time -----------------------------------------------
wim w81.wim 8.1 win81-x64-SENSEI.SYSTEM
fails 4 "8.1: the dirty hive came without logs" \
	"$GILD" inject w81.wim --index=1 --driver="$inf/virtio-built/Win8.1/amd64"
# A package of the folder lacks a file: it is refused, the others are added.
expect=3 judge 8.1 w81.wim "$inf/virtio-built/Win8.1/amd64" vboxguest --accept-dirty
files 8.1 w81.wim "$inf/virtio-built/Win8.1/amd64"
is "8.1: vioscsi starts at boot" \
	"$(service SYSTEM vioscsi Start Type ErrorControl Group ImagePath Owners)" \
	"Start=0 Type=1 ErrorControl=1 Group=SCSI miniport ImagePath=System32\\drivers\\vioscsi.sys Owners=$(json result.json 'p["vioscsi.inf"]["published"]') "
is "8.1: its settings" "$(get SYSTEM 'ControlSet001\Services\vioscsi\Parameters' BusType) $(get SYSTEM 'ControlSet001\Services\vioscsi\Parameters\PnpInterface' 5)" "10 1"
is "8.1: its messages" "$(get SYSTEM 'ControlSet001\Services\EventLog\System\vioscsi' TypesSupported)" 7
is "8.1: viostor as well" "$(service SYSTEM viostor Start ImagePath)" \
	'Start=0 ImagePath=System32\drivers\viostor.sys '
is "8.1: the network card waits for Plug and Play" "$(service SYSTEM netkvm Start)" 'Start= '
# Windows' own: the same value names, and those that an INF need not give
is "8.1: a service key like that of Windows' own miniports" \
	"$(comm -23 <(hivexregedit --export SYSTEM 'ControlSet001\Services\vioscsi' | grep -o '^"[A-Z][A-Za-z]*"' | sort -u) \
		<(hivexregedit --export SYSTEM 'ControlSet001\Services\storahci' | grep -o '^"[A-Z][A-Za-z]*"' | sort -u))" ""

# ---- 10 1709, whose logs are replayed ------------------------------------------------------
wim w10.wim 10 win10-1709-x64-dell.SYSTEM
judge 10 w10.wim "$inf/packages/RedHat__vioscsi_100.94.104.24700" heci
files 10 w10.wim "$inf/packages/RedHat__vioscsi_100.94.104.24700"
is "10: vioscsi starts at boot" "$(service SYSTEM vioscsi Start Type ErrorControl Group ImagePath)" \
	'Start=0 Type=1 ErrorControl=1 Group=SCSI miniport ImagePath=System32\drivers\vioscsi.sys '
is "10: it is matched by its device ID" \
	"$(hivexregedit --export SYSTEM 'DriverDatabase\DeviceIds\PCI\VEN_1AF4&DEV_1004&SUBSYS_00081AF4&REV_00' | tr -d '\r' | grep oem)" \
	"\"$(json result.json 'p["vioscsi.inf"]["published"]')\"=hex(3):01,ff,00,00"
is "10: the numbers that the replayed hive had are not taken" \
	"$(json result.json 'p["vioscsi.inf"]["published"] in ("oem2.inf", "oem3.inf", "oem5.inf", "oem7.inf", "oem11.inf", "oem12.inf")')" False

# ---- and the vendors' packages of all kinds, closed binaries replaced -----------------------
wim all.wim 10 win10-1709-x64-dell.SYSTEM
mkdir all
ok "all: packages made complete" "$python" "$GILD_SOURCE/tests/realcheck.py" fill "$inf/packages" all
# Placeholders are not what was signed.
# One lacks files that its INF copies from folders of their own; others are for newer builds.
expect=3 judge all all.wim all heci --unsigned=allow
ok "all: at least 20 packages" test "$(json result.json 'len([x for x in d["packages"] if x["verdict"] == "added"])')" -ge 20
json result.json '"\n".join("# " + x["inf"] + ": " + x["verdict"] + ": " + str(x["reason"]) for x in d["packages"] if x["verdict"] != "added")'
done_testing
