#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild inject --any-controller, on the sample and on real hives: what hivex reads before and
# after differs in what the option promises, and in nothing else.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need hivexregedit hivexget
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
config=Windows/System32/config
cd "$scratch" || exit 1

export_all() { hivexregedit --export "$1/$config/SYSTEM" '\' 2>/dev/null; }
start() { hivexget "$1/$config/SYSTEM" "$2\\Services\\$3" Start 2>/dev/null; }
# "[key] value" lines of an export, so that a difference names its key.
flat() { awk '/^\[/ { k = $0; print k; next } NF { print k " " $0 }' | tr -d '\r' | sort; }
# Keys and values that differ, without the numbers, each kind once.
kinds() {
	diff <(export_all "$1" | flat) <(export_all "$2" | flat) | grep '^[<>]' |
		sed -E 's/ControlSet00[0-9]/CS/; s/Services\\[^]\\]*/Services\\*/; s/=.*//;
			s/HardwareConfig\\[^]]*\]/HardwareConfig\\*]/; s/\\Device\]/]/;
			s/(StartOverride\]).*/\1/; s/(HardwareConfig\\\*\]).*/\1/' | sort -u
}
# An empty file for every driver that a hive names, where its ImagePath says.
add_files() {
	export_all "$1" | iconv -c -t UTF-8 | tr -d '\r' | awk '
		/^\[.*Services\\[^\\]*\]$/ { n = $0; sub(/.*\\/, "", n); sub(/\]/, "", n); print "System32/drivers/" n ".sys" }' |
		while read -r f; do mkdir -p "$1/Windows/${f%/*}" && : >"$1/Windows/$f"; done
	# Paths whose file name is not the service's.
	hivexregedit --export --unsafe-printable-strings "$1/$config/SYSTEM" '\ControlSet001\Services' 2>/dev/null |
		tr -d '\r' | grep -aoE '^"ImagePath"=str\([0-9]+\):"[^"]*' | sed 's/.*:"//; s/\\\\/\\/g' | tr '\\' / |
		sed -E 's#^/SystemRoot/##I; s#^%SystemRoot%/##I' | grep -aiE '^system32/[^ ]*\.sys$' |
		while read -r f; do mkdir -p "$1/Windows/${f%/*}" && : >"$1/Windows/$f"; done
}

# ---- the sample ------------------------------------------------------------------------------
"$mksample" tree s10 --oem || exit 1
# A driver on a class filter that is gone, beside Windows' own ones.
hivexregedit --merge s10/$config/SYSTEM <<-'END'
	Windows Registry Editor Version 5.00

	[\ControlSet001\Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}]
	"LowerFilters"=hex(7):69,00,61,00,53,00,74,00,6f,00,72,00,46,00,00,00,00,00
END
cp -r s10 any
ok "--any-controller alone needs no driver" "$GILD" inject any --any-controller
for set in ControlSet001 ControlSet002; do
	is "$set: everything that boots a disk is boot-start" \
		"$(for s in storahci stornvme pciide intelide atapi vmbus storvsc sdbus sdstor USBXHCI USBHUB3 USBSTOR UASPStor spaceport iaStorAV; do start any $set $s; done | sort -u)" 0
	is "$set: what is disabled stays so" "$(start any $set megasas)" 4
	is "$set: what does not boot a disk keeps its start" "$(start any $set cdrom)" "$(start s10 $set cdrom)"
done
is "no StartOverride and no machine is left" "$(export_all any | grep -ciE 'StartOverride|HardwareConfig..')" 0
is "the vendor's filter is gone" \
	"$(export_all any | grep -c '69,00,61,00,53,00,74,00,6f,00,72,00,46,00')" 0
is "Windows' own filter is not" \
	"$(hivexget any/$config/SYSTEM 'ControlSet001\Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}' UpperFilters)" partmgr
"$GILD" inspect any --json >any.json
ok "inspect finds nothing that masks or waits" sh -c \
	"! grep -qE 'start_override|hardware_config|storage_not_boot_start|staged_not_reflected' any.json"
cp any/$config/SYSTEM once
"$GILD" inject any --any-controller >/dev/null 2>&1
ok "a second time changes nothing" cmp any/$config/SYSTEM once
cp -r s10 dry
"$GILD" inject dry --any-controller --dry-run >/dev/null 2>&1
ok "--dry-run writes nothing" diff -r s10 dry
cp -r s10 gap
rm gap/Windows/System32/drivers/storahci.sys
fails 3 "a boot driver that has no file is an error" "$GILD" inject gap --any-controller
ok "which names it" sh -c "'$GILD' inject gap --any-controller --json 2>&1 | grep -q storahci.sys"

# ---- real hives --------------------------------------------------------------------------------
hives=$GILD_TEST_DATA/hives
if [ -e "$hives/win10-1709-x64-dell.SYSTEM.xz" ] && command -v xz >/dev/null; then
	for name in win81-x64-SENSEI win10-1709-x64-dell; do
		dir=${name%%-*}
		mkdir -p "$dir/$config"
		# The primary file alone: what is compared is then what hivex reads, too.
		xz -dc "$hives/$name.SYSTEM.xz" >"$dir/$config/SYSTEM"
		cp -r s10/$config/DRIVERS s10/$config/SOFTWARE "$dir/$config/"
		add_files "$dir"
		cp -r "$dir" "$dir.before"
		ok "$name (with --accept-dirty)" "$GILD" inject "$dir" --any-controller --accept-dirty
		is "$name: only what was promised differs" "$(kinds "$dir.before" "$dir" |
			grep -vE '\[.CS.Services.\*\] "(Start|ImagePath)"$|StartOverride\]$|HardwareConfig(\\\*)?\]|\[.CS.Control\] "BootDriverFlags"$')" ""
		is "$name: every StartOverride is gone" "$(export_all "$dir" | grep -c StartOverride)" 0
		is "$name: USB and SD start at boot" \
			"$(for s in USBXHCI USBHUB3 Ucx01000 USBSTOR UASPStor usbehci usbhub sdbus sdstor; do start "$dir" ControlSet001 $s; done | sort -u)" 0
		is "$name: network, VHD and others keep their start" \
			"$(for s in iScsiPrt vhdmp usbohci cdrom Tcpip HDAudBus; do start "$dir" ControlSet001 $s; done | xargs)" \
			"$(for s in iScsiPrt vhdmp usbohci cdrom Tcpip HDAudBus; do start "$dir.before" ControlSet001 $s; done | xargs)"
		echo "# $name: $(export_all "$dir.before" | grep -c StartOverride) StartOverride keys removed," \
			"$(diff <(export_all "$dir.before" | flat) <(export_all "$dir" | flat) | grep -c '^> .*"Start"') services made boot-start"
	done
else
	skip "real hives" "real test data not here: set GILD_TEST_DATA"
fi
done_testing
