# SPDX-License-Identifier: GPL-3.0-or-later
# What every end-to-end script sources: TAP output, a scratch folder, skips with a reason.
#
#   . "$GILD_SOURCE/tests/lib.sh"
#   need wimlib-imagex hivexget        # or the whole script is skipped, saying why
#   need_data hives/x.xz               # the same for files below $GILD_TEST_DATA
#   ok "what must hold" COMMAND...     # passes if COMMAND succeeds
#   is "what must be equal" "$got" "$want"
#   fails 4 "exit code and why" COMMAND...
#   done_testing                       # last line
set -u
: "${GILD_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${GILD_BUILD:=$GILD_SOURCE/build}"
: "${GILD:=$GILD_BUILD/gild}"
: "${GILD_TEST_DATA:=$GILD_SOURCE/../shared/data}"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-1700000000} LC_ALL=C.UTF-8
tap_count=0 tap_failed=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/gild-test-XXXXXX")
trap 'chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}
need() {
	local c
	for c; do command -v "$c" >/dev/null || skip_all "$c is not installed"; done
}
need_data() {
	local f
	for f; do
		[ -e "$GILD_TEST_DATA/$f" ] ||
			skip_all "real test data not here: set GILD_TEST_DATA (no $f)"
	done
}
tap() { # RESULT(0 ok) DESCRIPTION [DETAIL-FILE]
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		[ -z "${3-}" ] || sed 's/^/# /' "$3" | head -60
	fi
}
skip() { # DESCRIPTION REASON
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}
ok() {
	local what=$1
	shift
	"$@" >"$scratch/.out" 2>&1
	tap $? "$what" "$scratch/.out"
}
is() {
	if [ "$2" = "$3" ]; then
		tap 0 "$1"
	else
		printf 'got:  %s\nwant: %s\n' "$2" "$3" >"$scratch/.out"
		tap 1 "$1" "$scratch/.out"
	fi
}
fails() { # EXIT-CODE WHAT COMMAND...
	local want=$1 what=$2 got
	shift 2
	"$@" >"$scratch/.out" 2>&1
	got=$?
	[ "$got" = "$want" ] || echo "exit code $got, expected $want" >>"$scratch/.out"
	[ "$got" = "$want" ]
	tap $? "$what" "$scratch/.out"
}
# Why no appliance of libguestfs starts here; nothing if one does.
appliance_missing() {
	local kernel
	if grep -q __asan_init "$GILD"; then
		echo "libguestfs does not run under the sanitizers, which take its XDR calls over"
		return
	fi
	for c in supermin qemu-system-x86_64; do
		command -v $c >/dev/null || { echo "$c is not installed"; return; }
	done
	LD_LIBRARY_PATH='' python3 -c 'import ctypes; ctypes.CDLL("libguestfs.so.0")' 2>/dev/null ||
		{ echo "libguestfs is not installed"; return; }
	for kernel in /boot/vmlinuz-*; do
		[ -r "$kernel" ] && [ -d "/lib/modules/${kernel#*vmlinuz-}" ] && return
	done
	echo "no kernel in /boot that this user can read"
}
# Scripts that start PCs take turns: their time limits are those of a machine that has
# nothing else of that weight to do.
take_turn() {
	mkdir -p "$GILD_BUILD/tests" && exec 19>"$GILD_BUILD/tests/machines.lock" && flock 19
}
done_testing() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
	exit
}
