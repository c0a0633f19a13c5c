#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Compressed streams of each algorithm for fuzz_wof. usage: seed_wof.sh DIR
# The build folder is $BUILD, where seeds.sh was told so.
set -u
cd "$1" || exit 1
tool=${BUILD:-build}/tests/ntfstool
[ -x "$tool" ] || exit 0
text=$(mktemp)
trap 'rm -f "$text"' EXIT
seq 1 12000 >"$text"
for algorithm in 0 1 2 3; do
	"$tool" "$text" pack $algorithm >"seed-$algorithm"
done
