#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Fills DIR with inputs for one fuzz target: generated ones always, real ones where the
# test data is there ($GILD_TEST_DATA). usage: seeds.sh fuzz_NAME DIR BUILD-FOLDER
set -u
# The same seeds at each run, as far as other programs make them so: what a short search
# finds shall depend on the change.
export SOURCE_DATE_EPOCH=1700000000
[ $# = 3 ] || { echo "usage: $0 TARGET DIR BUILD" >&2; exit 2; }
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$3
data=${GILD_TEST_DATA-$source/../shared/data}
mkdir -p "$2" && cd "$2" || exit 1

add() { # files on standard input, one a line, under names that do not clash
	local n=0 file
	while read -r file; do
		n=$((n + 1))
		cp -- "$file" "$(printf 'seed-%04d-%s' "$n" "${file##*/}")"
	done
}
infs() {
	find "$build" "$source/samples/drivers" "$data/inf" -iname '*.in[fx]' -size -64k 2>/dev/null |
		sort -u
}
hives() {
	find "$data/hives" -type f -size -256k -not -name '*.xz' -not -name '*.reg' \
		-not -name '*.md' -not -name '*.tsv' 2>/dev/null | sort
}
sample=$(mktemp -d)
trap 'rm -rf "$sample"' EXIT
[ ! -x "$build/samples/mksample" ] || "$build/samples/mksample" tree "$sample/tree" --pe
[ ! -x "$build/samples/mkdrivers" ] || "$build/samples/mkdrivers" "$sample/drivers"

case $1 in
fuzz_inf* | fuzz_driver* | fuzz_package*)
	{ infs; find "$sample" -name '*.inf' | sort; } | add
	;;
fuzz_hive* | fuzz_registry* | fuzz_log*)
	{ hives; find "$sample" -path '*/config/*' -type f -size +0 -size -128k | sort; } | add
	;;
fuzz_reg*)
	find "$data/hives/reg-exports" -name '*.reg' -size -128k 2>/dev/null | sort | add
	printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\A]\r\n"b"=dword:00000001\r\n"c"=hex(7):61,00,\\\r\n  00,00,00,00\r\n@="text"\r\n"d"=-\r\n[-HKEY_LOCAL_MACHINE\\SYSTEM\\B]\r\n' >seed-reg
	;;
fuzz_sign*)
	find "$sample" "$data/inf" \( -iname '*.cat' -o -iname '*.sys' \) -size -64k 2>/dev/null |
		sort | head -n 200 | add
	;;
fuzz_wim*)
	find "$data/images/wim" -type f -size -128k 2>/dev/null | sort | add
	;;
esac
# A target that knows better brings its own: seed_NAME.sh DIR.
own=$source/tests/fuzz/seed_${1#fuzz_}.sh
[ ! -e "$own" ] || BUILD=$build bash "$own" "$PWD"
# Real archives are large; small ones of each kind do more for the fuzzer.
ls | wc -l
