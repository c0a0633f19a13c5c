#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild inject, killed right before every change that it makes to a file system: after the
# next run of gild the image is the old or the new one. (tests/e2e/tree-kill.sh does the
# same with torn and failing writes, one layer below.) The folder's many steps are sampled;
# with GILD_TEST_FULL=1 (quickstart test --full) each of them is tried.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need wimlib-imagex
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
killer=$GILD_BUILD/tests/killer.so
[ -x "$mksample" ] && [ -e "$killer" ] || skip_all "mksample and tests/killer.so are not built"
# A preloaded library comes before the sanitizers' own.
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
cd "$scratch" || exit 1
export TMPDIR=$scratch/tmp
mkdir tmp
"$mkdrivers" drivers exstor >/dev/null

inject() { "$GILD" inject "$1" --driver=drivers --any-controller --quiet; }
killed() { # N IMAGE: true if it was killed at step N
	{ KILL_AT=$1 LD_PRELOAD=$killer "$GILD" inject "$2" --driver=drivers --any-controller \
		--quiet >/dev/null 2>message; } 2>/dev/null
	[ $? = 137 ]
}
digest() { # of a folder: names, types, modes, contents
	(cd "$1" && find . -printf '%y %m %l %p\n' | sort && find . -type f -print0 | sort -z |
		xargs -0 sha256sum) | sha256sum
}

# round NAME OLD NEW FRESH STATE STRIDE: kills at every STRIDE-th step; FRESH makes x anew,
# STATE says what is in it
round() {
	local n=1 old=0 new=0 bad=0 runs=0 state
	while :; do
		"$4"
		killed $n x || break
		"$GILD" inspect x >/dev/null 2>message
		state=$("$5" x)
		case $state in
		"$2") old=$((old + 1)) ;;
		"$3") new=$((new + 1)) ;;
		*)
			bad=$((bad + 1))
			echo "killed at step $n: $(cat message)"
			;;
		esac
		runs=$((runs + 1))
		n=$((n + $6))
	done >x.log
	[ $runs -gt 10 ] && [ $bad = 0 ] && [ $old -gt 5 ] && [ $new -ge 1 ]
	tap $? "$1: killed at $runs of about $n steps: $old old, $new new, $bad else" x.log
	is "$1: unkilled it is the new one" "$("$5" x)" "$3"
}

"$mksample" wim old.wim --plain >/dev/null
cp old.wim new.wim
ok "the WIM takes the package" inject new.wim
file_state() { sha256sum <"$1"; }
fresh_wim() { cp old.wim x; }
round "WIM" "$(file_state old.wim)" "$(file_state new.wim)" fresh_wim file_state 1
ok "and it verifies" wimlib-imagex verify x --quiet
rm -f x

"$mksample" tree old --plain >/dev/null
cp -a old new
ok "the folder takes the package" inject new
fresh_folder() {
	rm -rf x
	cp -a old x
}
round "folder" "$(digest old)" "$(digest new)" fresh_folder digest "$([ -n "${GILD_TEST_FULL-}" ] && echo 1 || echo 5)"
done_testing
