#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild edit --reg with what regedit exported on real machines: the hives get what
# hivexregedit, an independent reader of .reg files, puts into the same hives.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need iconv python3
tool=$GILD_BUILD/tests/hivetool
[ -x "$tool" ] || skip_all "tests/hivetool is not built"
[ -x "$GILD_BUILD/samples/mksample" ] || skip_all "samples/mksample is not built"
check() { python3 "$GILD_SOURCE/tests/hivecheck.py" "$@"; }
config=Windows/System32/config
"$GILD_BUILD/samples/mksample" tree "$scratch/sample" --pe >/dev/null || exit 1

# Every control set of the sample, and what a key is called for hivexregedit.
sets=$("$tool" "$scratch/sample/$config/SYSTEM" dump | sed -n 's/^K \\\(ControlSet[0-9]*\) .*/\1/p')

# A .reg as UTF-8 without byte order mark and carriage returns.
text() {
	if [ "$(od -An -tx1 -N2 "$1" | tr -d ' ')" = fffe ]; then
		iconv -f UTF-16 -t UTF-8 "$1"
	else
		cat "$1"
	fi | tr -d '\r'
}

# Merges a UTF-8 .reg with hivexregedit into the hives of a folder.
merge_independently() { # REG FOLDER
	local hive set key
	for hive in SYSTEM SOFTWARE; do
		grep -q "^\[HKEY_LOCAL_MACHINE\\\\$hive\\\\" "$1" || continue
		for set in $sets; do
			sed "s/^\(\[HKEY_LOCAL_MACHINE\\\\SYSTEM\\\\\)CurrentControlSet/\1$set/I" \
				"$1" | awk -v hive="[HKEY_LOCAL_MACHINE\\\\$hive\\\\" \
				'/^\[/ {out = index($0, hive) == 1} NR == 1 || out' >"$scratch/one.reg"
			# It makes no missing ancestors.
			key=$(sed -n "s/^\[HKEY_LOCAL_MACHINE\\\\$hive\\\\\(.*\)\\\\[^\\\\]*\]$/\1/p" \
				"$scratch/one.reg" | head -n 1)
			"$tool" "$2/$hive" create "$key" write "$2/$hive.new" &&
				mv "$2/$hive.new" "$2/$hive" &&
				hivexregedit --merge --prefix "HKEY_LOCAL_MACHINE\\$hive" \
					"$2/$hive" "$scratch/one.reg" || return 1
			[ $hive = SYSTEM ] || break
		done
	done
}

compare() { # NAME REG-FILE
	local hive
	rm -rf "$scratch/tree" "$scratch/theirs"
	cp -a "$scratch/sample" "$scratch/tree"
	cp -a "$scratch/sample/$config" "$scratch/theirs"
	"$GILD" edit "$scratch/tree" --reg="$2" >"$scratch/.out" 2>&1
	tap $? "$1 is merged" "$scratch/.out"
	for hive in SYSTEM SOFTWARE; do
		# shellcheck disable=SC2086
		ok "$1: $hive has just what the file says" check reg "$2" $hive \
			"$scratch/theirs/$hive" "$scratch/tree/$config/$hive" $sets
	done
	text "$2" >"$scratch/plain.reg"
	# It knows neither strings over several lines nor, without fail, other than ASCII.
	if ! command -v hivexregedit >/dev/null || LC_ALL=C grep -qP '[^\x00-\x7f]' "$scratch/plain.reg" ||
		grep -qE '^"[^"]*"="[^"]*$' "$scratch/plain.reg"; then
		skip "$1 by hivexregedit" "it cannot read this file"
		return
	fi
	merge_independently "$scratch/plain.reg" "$scratch/theirs" >"$scratch/.out" 2>&1
	tap $? "$1 is merged by hivexregedit too" "$scratch/.out"
	for hive in SYSTEM SOFTWARE; do
		ok "$1: $hive is the same" check same "$scratch/tree/$config/$hive" \
			"$scratch/theirs/$hive"
	done
}

cat >"$scratch/own.reg" <<-'END'
	Windows Registry Editor Version 5.00

	; all types that both know
	[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\gildtest]
	@="default \"quoted\" C:\\path"
	"Start"=dword:00000003
	"ImagePath"=hex(2):53,00,79,00,73,00,74,00,65,00,6d,00,33,00,32,00,5c,00,64,00,\
	  72,00,69,00,76,00,65,00,72,00,73,00,00,00
	"Empty"=""
	"None"=hex(0):
	"Odd"=hex(ffff0012):61,00,00,00
	"Long"=hex(b):01,02,03,04,05,06,07,08

	[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\gildtest\Parameters]

	[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\gildtest\Parameters\Deep]
	"a=b"="value with = and [brackets]"
	"back\\slash"=hex:00,ff

	[HKEY_LOCAL_MACHINE\SOFTWARE\Gild\Test]
	"text"="plain"
END
sed -i 's/$/\r/' "$scratch/own.reg"
compare "a file of every type" "$scratch/own.reg"
printf 'Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Gild]\n' >"$scratch/own.reg"
printf '"лист"="äöü €\nsecond line"\n@="\\\\"\n' >>"$scratch/own.reg"
compare "text of any language, over two lines" "$scratch/own.reg"
exports=$GILD_TEST_DATA/hives/reg-exports
if [ ! -d "$exports" ]; then
	skip "real exports" "set GILD_TEST_DATA"
	done_testing
fi
for each in "$exports"/*; do
	name=${each##*/}
	case $name in
	*.xz)
		xz -dc "$each" >"$scratch/${name%.xz}"
		each=$scratch/${name%.xz}
		;;
	esac
	if [ "$(od -An -tx1 -N4 "$each" | tr -d ' ')" = fffefffe ]; then
		# Regedit does not know these either: nothing may stand before the first line.
		fails 2 "$name has two byte order marks, is refused" "$GILD" edit "$scratch/sample" --reg="$each"
	elif text "$each" | grep -q '^\[HKEY_LOCAL_MACHINE\\HARDWARE'; then
		fails 2 "$name is of a hive that is on no disk, is refused" \
			"$GILD" edit "$scratch/sample" --reg="$each"
	else
		compare "$name" "$each"
	fi
done

# ---- a dirty hive with its logs, through the whole program ---------------------------

dell=$GILD_TEST_DATA/hives/win10-1709-x64-dell.SYSTEM
if [ ! -e "$dell.xz" ]; then
	skip "a dirty hive is recovered by an edit" "set GILD_TEST_DATA"
	done_testing
fi
rm -rf "$scratch/tree"
cp -a "$scratch/sample" "$scratch/tree"
xz -dc "$dell.xz" >"$scratch/tree/$config/SYSTEM"
printf 'REGEDIT4\n\n[HKLM\\SYSTEM\\CurrentControlSet\\Gild]\n"a"=dword:00000001\n' >"$scratch/own.reg"
fails 4 "a dirty hive without its logs is not edited" "$GILD" edit "$scratch/tree" \
	--reg="$scratch/own.reg"
ok "nothing was changed" cmp "$scratch/tree/$config/SYSTEM" <(xz -dc "$dell.xz")
ok "unless asked for" "$GILD" edit "$scratch/tree" --accept-dirty --reg="$scratch/own.reg"
ok "then it is clean" "$tool" "$scratch/tree/$config/SYSTEM" dump
for each in "" .LOG1 .LOG2; do
	xz -dc "$dell$each.xz" >"$scratch/tree/$config/SYSTEM$each"
	cp "$scratch/tree/$config/SYSTEM$each" "$scratch/dirty$each"
done
ok "with its logs it is recovered and edited" "$GILD" edit "$scratch/tree" \
	--reg="$scratch/own.reg"
is "its logs are empty, so that Windows cannot replay them" \
	"$(stat -c %s "$scratch/tree/$config"/SYSTEM.LOG[12] | tr '\n' ' ')" "0 0 "
"$tool" --log1="$scratch/dirty.LOG1" --log2="$scratch/dirty.LOG2" "$scratch/dirty" \
	write "$scratch/recovered" 2>/dev/null
ok "all that the logs brought is there, and the change" check compare "$scratch/recovered" \
	"$scratch/tree/$config/SYSTEM" '+\ControlSet001\Gild'
done_testing
