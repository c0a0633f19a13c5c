#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Seeds for fuzz_hive that say something: edits behind the hives, and hives with a log.
# usage: seed_hive.sh DIR (see seeds.sh)
cd "$1" || exit 1
data=${GILD_TEST_DATA-$(cd "$(dirname "$0")/../../.." && pwd)/shared/data}/hives
# Cuts the room behind the bins and puts choices there: FLAGS, then seven edits.
with() { # HIVE OUT OCTETS [LOG]
	local bins
	bins=$(od -An -tu4 -j40 -N4 "$1") || return
	{
		head -c $((bins + 4096)) "$1"
		printf '%b' "$3"
		[ -z "${4-}" ] || cat "$4"
	} >"$2"
}
many='\x04\x00\x0f\x01\x20\x06\x02\x02\x31\x0c\x12\x03\x00\x05\x03\x01'
some='\x00\x01\xff\x01\x33\x0a\x00\x07\x00\x02\x02\x03\x05\x05\x00\x00'
for hive in seed-*; do
	[ -e "$hive" ] && [ "$(head -c 4 "$hive")" = regf ] || continue
	with "$hive" "many-$hive" "$many"
	with "$hive" "some-$hive" "$some"
done
if [ -e "$data/yarp/NewDirtyHive2__NewDirtyHive" ]; then
	for log in 1 2; do
		with "$data/yarp/NewDirtyHive2__NewDirtyHive" "log-$log" \
			"\\x0$log$(printf '\\x%02x' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)" \
			"$data/yarp/NewDirtyHive1__NewDirtyHive.LOG$log"
	done
fi
