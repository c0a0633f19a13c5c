#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Drop and reinject: takes every driver package that an INF can be written for out of real
# hives, injects it, and compares every value with what Windows had written. The INFs are
# written from the records, so this proves the rules of the driver database (names, nodes,
# IDs, scores, flags, services), not the reading of vendors' files; the one package whose
# real INF and real record are both at hand is counted apart.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
for python in python3 /usr/bin/python3; do
	"$python" -c 'import hivex' 2>/dev/null && break
	python=
done
[ -n "$python" ] || skip_all "Python's hivex module is not installed (python3-hivex)"
need hivexregedit hivexget xz
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
need_data hives/win81-x64-SENSEI.SYSTEM.xz hives/win10-1709-x64-dell.SYSTEM.xz \
	hives/win10-1709-x64-dell.SYSTEM.LOG1.xz hives/win10.DRIVERS.LOG1.xz
export PYTHONDONTWRITEBYTECODE=1
reinject=$GILD_SOURCE/tests/reinject.py
config=Windows/System32/config
cd "$scratch" || exit 1

# image DIR WINDOWS HIVE: a Windows whose SYSTEM hive is the real one, with its logs
image() {
	local log
	"$mksample" tree "$1" --windows="$2" --plain >/dev/null || exit 1
	rm -f "$1/$config"/SYSTEM*
	xz -dc "$GILD_TEST_DATA/hives/$3.xz" >"$1/$config/SYSTEM"
	for log in LOG1 LOG2; do
		[ ! -e "$GILD_TEST_DATA/hives/$3.$log.xz" ] ||
			xz -dc "$GILD_TEST_DATA/hives/$3.$log.xz" >"$1/$config/SYSTEM.$log"
	done
}
# Shows a report's lines in the log of the test, and passes them on.
show() { sed 's/^/# /' "$1"; }
# number NAME FILE: the count behind NAME in the report
number() { sed -nE "s/.*$1 ([0-9]+).*/\1/p" "$2" | head -n 1; }

# drop_and_reinject NAME DIR LEAST-PACKAGES LEAST-VALUES
drop_and_reinject() {
	local name=$1 dir=$2
	cp "$dir/$config/SYSTEM" "$dir.SYSTEM"
	mkdir "$dir.packages"
	ok "$name: packages taken out, INFs written from their records" \
		"$python" "$reinject" drop "$dir.SYSTEM" "$dir" "$dir.packages"
	cp "$dir/$config/SYSTEM" "$dir.dropped"
	# They are made of the records: there is no catalog for them.
	ok "$name: gild injects them" "$GILD" inject "$dir" --driver="$dir.packages" \
		--unsigned=allow --json
	"$python" "$reinject" compare "$dir.SYSTEM" "$dir" "$dir.packages" >"$dir.report" 2>&1
	tap $? "$name: every value is what Windows had written, or is explained" "$dir.report"
	show "$dir.report"
	ok "$name: at least $3 packages and $4 values were compared" \
		test "$(number packages "$dir.report")" -ge "$3" -a \
		"$(number 'values compared' "$dir.report")" -ge "$4"
}

# ---- 8.1: the hive is dirty and came without logs ------------------------------------------
image w81 8.1 win81-x64-SENSEI.SYSTEM
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\Setup]\r\n"Test"=-\r\n' >noop.reg
fails 4 "8.1: a dirty hive without its logs is refused" "$GILD" edit w81 --reg=noop.reg
# Accepted once, here: what the primary file has is what is compared with.
ok "8.1: --accept-dirty takes the primary file as it is" \
	"$GILD" edit w81 --accept-dirty --reg=noop.reg
drop_and_reinject 8.1 w81 130 27000

# ---- 10 1709: dirty, with logs, which gild replays -----------------------------------------
image w10 10 win10-1709-x64-dell.SYSTEM
ok "10: the logs are replayed" "$GILD" edit w10 --reg=noop.reg
drop_and_reinject 10 w10 180 31000

# ---- the comparison can fail -----------------------------------------------------------------
broken() { # WHAT KEY VALUE: one value of the result is changed
	cp w10.result "w10/$config/SYSTEM"
	printf 'Windows Registry Editor Version 5.00\n\n[\\%s]\n%s\n' "$2" "$3" |
		hivexregedit --merge "w10/$config/SYSTEM" 2>/dev/null
	fails 1 "a difference is found: $1" "$python" "$reinject" compare w10.SYSTEM w10 w10.packages
}
cp "w10/$config/SYSTEM" w10.result
broken "a service's start" 'ControlSet001\Services\storahci' '"Start"=dword:00000003'
broken "a service's parameter" 'ControlSet001\Services\stornvme\Parameters' '"BusType"=dword:00000001'
broken "a value that Windows has not" 'ControlSet001\Services\storahci\Parameters' '"Extra"=dword:00000001'
ahci=$(hivexregedit --export w10.result 'DriverDatabase\DeviceIds\PCI\CC_010601' 2>/dev/null |
	grep -o '"oem[0-9]*\.inf"')
broken "a device ID's score" 'DriverDatabase\DeviceIds\PCI\CC_010601' "$ahci=hex:01,fe,00,00"
broken "a key elsewhere" 'ControlSet001\Control\Class' '"Extra"=dword:00000001'

# ---- a real INF with Windows' own record ---------------------------------------------------
real=$GILD_TEST_DATA/inf/osdeploy/Win11-Wireless__net819xp_2002.1.0106.2013__net819xp.inf
if [ -e "$real" ]; then
	"$mksample" tree new --windows=10 --plain >/dev/null || exit 1
	mkdir real
	cp "$real" real/net819xp.inf
	cp "$(find w10.packages -name '*.sys' | head -n 1)" real/rtl819xp.sys
	xz -dc "$GILD_TEST_DATA/hives/win10.DRIVERS.LOG1.xz" >DRIVERS.LOG1
	ok "real INF: gild injects it" "$GILD" inject new --driver=real --json
	"$python" "$GILD_SOURCE/tests/reinject_pages.py" DRIVERS.LOG1 real/net819xp.inf \
		"new/$config/DRIVERS" >real.report 2>&1
	tap $? "real INF: its record is Windows' own, in name and value" real.report
	show real.report
else
	skip "real INF" "the data has no net819xp.inf"
fi
done_testing
