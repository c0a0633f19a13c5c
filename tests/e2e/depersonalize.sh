#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Depersonalizing: the sample and real hives, compared before and after by hivex and libregf.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
mksample=$GILD_BUILD/samples/mksample
tool=$GILD_BUILD/tests/persontool
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
for python in python3 /usr/bin/python3; do
	$python "$GILD_SOURCE/tests/personcheck.py" modules >/dev/null 2>/dev/null && break
done
$python "$GILD_SOURCE/tests/personcheck.py" modules >/dev/null 2>&1 ||
	skip_all "python3-hivex is not installed"
config=Windows/System32/config
cd "$scratch" || exit 1

# Depersonalizes a folder; the report stays in NAME.report, the old hives in NAME.before.
changes() { # NAME
	cp -r "$1/$config" "$1.before"
	ok "$1 is depersonalized" sh -c "'$tool' '$1' >'$1.report'"
	for hive in SYSTEM SOFTWARE DRIVERS; do
		[ -e "$1.before/$hive" ] || continue
		ok "$1: in $hive only what is reported changed" "$python" \
			"$GILD_SOURCE/tests/personcheck.py" "$1.before/$hive" "$1/$config/$hive" \
			$hive "$1.report"
		grep '^#' .out
	done
	cp -r "$1" "$1.once"
	"$tool" "$1" >"$1.again" 2>&1
	is "$1: the second time there is nothing to do" "$(grep -vE '^(verdict|left)' "$1.again")" ""
	ok "$1: and nothing is written" diff -r "$1" "$1.once"
	rm -rf "$1.once"
}
item() { # NAME CODE [WHERE]: its count
	where=${3-} awk -F '\t' -v code="$2" \
		'$1 == code && (ENVIRON["where"] == "" || $2 == ENVIRON["where"]) { n += $3 } END { print n + 0 }' \
		"$1.report"
}

# ---- the sample, with what a PC leaves behind ------------------------------------------------
litter() { # DIR
	local f
	for f in pagefile.sys swapfile.sys Windows/MEMORY.DMP Windows/Minidump/a.dmp \
		Windows/LiveKernelReports/x.dmp Windows/System32/winevt/Logs/System.evtx \
		Windows/SoftwareDistribution/Download/a/b.cab Windows/SoftwareDistribution/DataStore/DataStore.edb \
		Windows/Prefetch/A.pf Windows/Temp/x/y.tmp Users/Me/AppData/Local/Temp/z.tmp \
		Windows/Panther/setupact.log Windows/Panther/unattend.xml Windows/Panther/Unattend/unattend.xml \
		Windows/INF/setupapi.dev.log Windows/Logs/CBS/CBS.log \
		ProgramData/Microsoft/Windows/WER/ReportQueue/r/Report.wer \
		'$Recycle.Bin/S-1-5-21-1-2-3-1001/$R1.txt' 'System Volume Information/tracking.log' \
		'System Volume Information/Dedup/ChunkStore/c.ccc' Users/Me/Documents/letter.txt; do
		[ "${f%/*}" = "$f" ] || mkdir -p "$1/${f%/*}"
		printf '%s\n' "$f" >"$1/$f"
	done
}
"$mksample" tree s10 --windows=10 --oem || exit 1
litter s10
ln -s ../Users s10/Windows/Temp/link
changes s10
for code in page_files event_logs update_cache prefetch temporary setup_logs error_reports crash_dumps \
	recycle_bin volume_information mounted_devices hardware_config start_override computer_name; do
	[ "$(item s10 $code)" -gt 0 ]
	tap $? "the sample had $code" s10.report
done
is "files are counted with their bytes" "$(grep -P '^page_files\t' s10.report)" \
	"$(printf 'page_files\t/\t2\t%s' 26)"
is "answer files stay" "$(cd s10/Windows/Panther && find . -type f | sort | xargs)" \
	"./Unattend/unattend.xml ./unattend.xml"
ok "so do contents that deduplication keeps" test -e "s10/System Volume Information/Dedup/ChunkStore/c.ccc"
ok "and what is behind a link" test -e s10/Users/Me/Documents/letter.txt
is "caches and logs are gone" "$(cd s10 && find pagefile.sys swapfile.sys Windows/MEMORY.DMP Windows/Temp/* \
	Windows/Prefetch/* Windows/Panther/*.log '$Recycle.Bin'/* 2>/dev/null)" ""
is "the machine SID is told, and that it is not enough" "$(grep ^verdict s10.report)" \
	"$(printf 'verdict\twarn\tcomplete\tS-1-5-21-3031675569-3301163713-3570651857')"
"$mksample" tree s11 --windows=11 || exit 1
"$tool" s11 >s11.report
is "from 24H2 on it is refused" "$(grep ^verdict s11.report | cut -f 2)" refuse
"$mksample" tree g11 --windows=11 --generalized || exit 1
"$tool" g11 >g11.report
is "a generalized image is ready" "$(grep ^verdict g11.report | cut -f 2-3)" "$(printf 'ready\tgeneralized')"
for windows in xp vista 7 8.1; do
	"$mksample" tree "n$windows" --windows=$windows || exit 1
	changes "n$windows"
done

# ---- a controller that Windows would not know again stays -------------------------------------------
"$mksample" tree stays --windows=7 || exit 1
merge() { printf 'Windows Registry Editor Version 5.00\n\n%s\n' "$2" | hivexregedit --merge "$1"; }
if command -v hivexregedit >/dev/null; then
	ids() { printf 'hex(7):'; printf '%s\0\0' "$1" | iconv -t UTF-16LE | od -An -v -tx1 | xargs | tr ' ' ','; }
	merge stays/$config/SYSTEM "[\\ControlSet001\\Enum\\PCI]

[\\ControlSet001\\Enum\\PCI\\VEN_FFFF&DEV_0001]

[\\ControlSet001\\Enum\\PCI\\VEN_FFFF&DEV_0001\\1]
\"Service\"=\"disk\"
\"HardwareID\"=$(ids 'PCI\VEN_FFFF&DEV_0001')

[\\ControlSet001\\Enum\\PCI\\VEN_FFFF&DEV_0002]

[\\ControlSet001\\Enum\\PCI\\VEN_FFFF&DEV_0002\\1]
\"HardwareID\"=$(ids 'PCI\VEN_FFFF&DEV_0002')

[\\ControlSet001\\Enum\\PCI\\VEN_FFFF&DEV_0003]

[\\ControlSet001\\Enum\\PCI\\VEN_FFFF&DEV_0003\\1]
\"Service\"=\"disk\"
\"HardwareID\"=$(ids GenDisk)
" || exit 1
	changes stays
	is "what goes and what stays" "$(item stays devices 'SYSTEM\ControlSet001\Enum\PCI') $(grep -c '^left' stays.report)" \
		"2 1"
	is "with its reason" "$(grep '^left' stays.report | cut -f 2)" \
		'ControlSet001\Enum\PCI\VEN_FFFF&DEV_0001\1: boot-start service disk is not known for any of its IDs'
else
	skip "a controller that stays" "hivexregedit is not installed"
fi

# ---- in a WIM and on a disk --------------------------------------------------------------------
"$mksample" wim x.wim --windows=10 || exit 1
ok "a WIM" sh -c "'$tool' x.wim >wim.report"
is "is clean the second time" "$("$tool" x.wim | grep -cvE '^(verdict|left)')" 0
if command -v mkfs.fat mcopy >/dev/null; then
	"$mksample" disk d.raw --windows=10 --table=mbr || exit 1
	store=$GILD_TEST_DATA/hives/BCD/windeploy-bios.BCD
	if [ -e "$store" ]; then
		"$GILD" edit d.raw --quiet --copy="$store":Boot/BCD >/dev/null || exit 1
	fi
	ok "a disk" sh -c "'$tool' d.raw >disk.report"
	if [ -e "$store" ]; then
		[ "$(item disk boot_configuration)" -gt 0 ]
		tap $? "and its boot configuration" disk.report
	else
		skip "and its boot configuration" "GILD_TEST_DATA has no such store"
	fi
	is "is clean the second time" "$("$tool" d.raw | grep -cvE '^(verdict|left)')" 0
else
	skip "a disk" "dosfstools or mtools are not installed"
fi

# ---- real hives ---------------------------------------------------------------------------------
while read -r name windows want; do
	file=$GILD_TEST_DATA/hives/$name.SYSTEM
	if [ ! -e "$file.xz" ]; then
		skip "$name" "GILD_TEST_DATA has no such hive"
		continue
	fi
	for end in "" .LOG1 .LOG2; do
		[ ! -e "$file$end.xz" ] || xz -dc "$file$end.xz" >"h.SYSTEM$end"
	done
	"$mksample" tree "$name" --windows="$windows" --system=h.SYSTEM || exit 1
	rm -f h.SYSTEM*
	if [ -s "$name/$config/SYSTEM.LOG1" ]; then
		# hivex replays no logs: what it compares with is the hive as gild brings it up to date.
		printf 'Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SYSTEM\\Setup]\n"gild"=dword:1\n' >a.reg
		"$GILD" edit "$name" --quiet --reg=a.reg >/dev/null || exit 1
	fi
	changes "$name"
	is "$name: devices of the machine that it is from" "$(item "$name" devices)" "$want"
	is "$name: root and software devices stay" "$(grep -iE 'Enum\\(ROOT|SW|SWD|HTREE|ACPI_HAL)' "$name.report")" ""
done <<-'END'
	xp-sp3-x86-IECOMPATVHD xp 70
	win7-sp1-x86-WKS-WIN732BITA 7 352
	win81-x64-SENSEI 8.1 28
	win10-1709-x64-dell 10 101
END
done_testing
