#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Security descriptors after an injection into a WIM: replaced files keep theirs, new ones
# have what NT would let them inherit, and nobody but administrators may write to any.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
for python in python3 /usr/bin/python3; do
	"$python" -c 'import hivex' 2>/dev/null && break
	python=
done
[ -n "$python" ] || skip_all "Python's hivex module is not installed (python3-hivex)"
need wimlib-imagex
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
export PYTHONDONTWRITEBYTECODE=1
cd "$scratch" || exit 1
"$mkdrivers" drivers >/dev/null || exit 1
listing() { wimlib-imagex dir "$1" 1 --detailed; }
judge() { "$python" "$GILD_SOURCE/tests/realcheck.py" listing "$1" "$2"; }
for windows in 8.1 10 11; do
	"$mksample" wim a.wim --windows=$windows >/dev/null || exit 1
	listing a.wim >before
	fails 3 "$windows: packages are injected, the damaged ones refused" \
		"$GILD" inject a.wim --driver=drivers
	listing a.wim >after
	ok "$windows: all descriptors are as they must be" judge before after
	# The judge can say no: a copy of the listing where one new file's is another.
	awk '/^Full Path/ { new = /\/INF\/oem[0-9]*\.inf"/ }
		new && /^Security Descriptor/ { sub(/=.*/, "=") } { print }' after >none
	fails 1 "$windows: a file without a descriptor is found" judge before none
	world=010004800000000000000000000000001400000002001c000100000000001400ff011f00010100000000000100000000
	awk -v world=$world '/^Full Path/ { new = /\/drivers\/[^"]*"/ }
		new && /^Security Descriptor/ { sub(/=.*/, "= " world) } { print }' after >open
	fails 1 "$windows: one that everybody may write to as well" judge before open
done
done_testing
