#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Kill -9 at every change to the file system, whole and torn writes, during a commit to a
# WIM and to a folder and during the recovery itself: the next open finds the old or the
# new image, never a third thing. tests/killer.c says how to use the killer elsewhere.
# Hundreds of runs with many syncs each: in memory where that is possible.
[ -n "${TMPDIR-}" ] || { [ -w /dev/shm ] && export TMPDIR=/dev/shm; }
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need wimlib-imagex
tool=$GILD_BUILD/tests/treetool
killer=$GILD_BUILD/tests/killer.so
[ -x "$tool" ] && [ -e "$killer" ] || skip_all "tests/treetool and tests/killer.so are not built"
# A preloaded library comes before the sanitizers' own.
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
cd "$scratch" || exit 1
export TMPDIR=$scratch/tmp
mkdir tmp

killed() { # N TORN COMMAND...: true if it was killed at step N
	local n=$1 torn=$2
	shift 2
	{ KILL_AT=$n KILL_TORN=$torn LD_PRELOAD=$killer "$@" >/dev/null 2>message; } 2>/dev/null
	[ $? = 137 ]
}
digest() { # of a folder: names, types, modes, contents
	(cd "$1" && find . -printf '%y %m %l %p\n' | sort && find . -type f -print0 | sort -z |
		xargs -0 sha256sum) | sha256sum
}

mkdir -p in/Windows/System32/config in/Windows/INF in/Windows/old/sub in/Windows/keep
seq 1 9000 >in/Windows/System32/config/SYSTEM
echo sub >in/Windows/old/sub/file
echo sub >in/Windows/old/file
echo keep >in/Windows/keep/file
chmod 640 in/Windows/System32/config/SYSTEM
seq 1 40000 >hive
head -c 90000 /dev/urandom >driver
changes=(put windows/system32/config/system hive
	: put Windows/INF/oem0.inf hive
	: put Windows/Store/a/x.sys driver
	: write Windows/Store/a/x.inf text
	: mv Windows/old Windows/moved
	: mv Windows/moved/sub/file Windows/sub-file
	: rm Windows/moved/file
	: rm Windows/keep
	: write Windows/keep now-a-file
	: attr Windows/sub-file 1)

# ---- a WIM --------------------------------------------------------------------------------
wimlib-imagex capture in old.wim --compress=LZX --check --quiet >/dev/null
cp old.wim new.wim
"$tool" --write new.wim "${changes[@]}" : commit >/dev/null || tap 1 "the edit itself"
[ "$(stat -c %s old.wim)" -lt "$(stat -c %s new.wim)" ] || tap 1 "the edit itself"

wim_round() { # TORN
	local n=0 old=0 new=0 bad=0 foreign=0 said=0
	while :; do
		n=$((n + 1))
		cp old.wim x.wim
		killed $n "$1" "$tool" --write x.wim "${changes[@]}" : commit || break
		# Other tools open it as it is, without gild's help.
		wimlib-imagex verify x.wim --quiet >/dev/null 2>&1 || foreign=$((foreign + 1))
		cmp -s x.wim old.wim || cmp -s x.wim new.wim || {
			"$tool" x.wim info >/dev/null 2>message
			grep -q 'notice: .*undone' message && said=$((said + 1))
		}
		if cmp -s x.wim old.wim; then
			old=$((old + 1))
		elif cmp -s x.wim new.wim; then
			new=$((new + 1))
		else
			echo "killed at step $n: $(cat message)"
			bad=$((bad + 1))
		fi
	done >x.log
	[ $n -gt 12 ] && [ $bad = 0 ] && [ $old -gt 5 ] && [ $new -ge 1 ]
	tap $? "WIM (torn: $1): killed at each of $((n - 1)) steps: $old old, $new new, $bad else" x.log
	is "WIM (torn: $1): wimlib could read it each time" $foreign 0
	[ $said -gt 5 ]
	tap $? "WIM (torn: $1): what was undone was said $said times" message
	ok "WIM (torn: $1): and unkilled it is the new one" cmp x.wim new.wim
}
wim_round 0
wim_round 1

# The undo itself, killed at each of its steps.
cp old.wim half.wim
killed 8 1 "$tool" --write half.wim "${changes[@]}" : commit
n=0 bad=0
while :; do
	n=$((n + 1))
	cp half.wim x.wim
	killed $n 0 "$tool" x.wim info || break
	"$tool" x.wim info >/dev/null 2>&1
	cmp -s x.wim old.wim || bad=$((bad + 1))
done
[ $n -gt 2 ] && [ $bad = 0 ]
tap $? "WIM: the undo killed at each of its $((n - 1)) steps"

# A write that fails (a full disk) at any step leaves the old WIM at once.
n=0 bad=0 failed=0
while :; do
	n=$((n + 1))
	cp old.wim x.wim
	rm -f steps
	KILL_AT=$n KILL_ERROR=ENOSPC KILL_LOG=steps LD_PRELOAD=$killer \
		"$tool" --write x.wim "${changes[@]}" : commit >/dev/null 2>message && break
	failed=$((failed + 1))
	# Once the header is written (the only write at 0), only the last sync can fail.
	grep -q '^pwrite [0-9]* 0 208$' steps && [ "$(tail -1 steps | cut -d' ' -f1)" = sync ] &&
		cmp -s x.wim new.wim && continue
	cmp -s x.wim old.wim || { bad=$((bad + 1)); echo "step $n: $(cat message)"; }
done >x.log
[ $failed -gt 10 ] && [ $bad = 0 ]
tap $? "WIM: a failing write at each of $failed steps leaves the old WIM" x.log

# The order on disk: all is synced before the header's one write, and that after it.
cp old.wim x.wim
rm -f steps
KILL_AT=0 KILL_LOG=steps LD_PRELOAD=$killer "$tool" --write x.wim "${changes[@]}" : commit >/dev/null
header=$(grep -n '^pwrite [0-9]* 0 208$' steps | cut -d: -f1)
is "WIM: the header is written once" "$(grep -c '^pwrite [0-9]* 0 ' steps)" 1
is "WIM: synced right before it" "$(sed -n "$((header - 1))p" steps | cut -d' ' -f1)" sync
is "WIM: synced right after it" "$(sed -n "$((header + 1))p" steps | cut -d' ' -f1)" sync
is "WIM: nothing is written after it" "$(tail -n +$((header + 1)) steps | grep -c -v '^sync')" 0
is "WIM: nothing is written before the old end" "$(awk -v end="$(stat -c %s old.wim)" \
	'$1 == "pwrite" && $3 != 0 && $3 < end' steps | wc -l)" 0

# --output: the file is there whole or not at all.
n=0 bad=0 kills=0
"$tool" old.wim "${changes[@]}" : output want.wim >/dev/null
while :; do
	n=$((n + 1))
	rm -rf out.wim out.folder
	killed $n 0 "$tool" old.wim "${changes[@]}" : output out.wim || break
	kills=$((kills + 1))
	[ ! -e out.wim ] || cmp -s out.wim want.wim || bad=$((bad + 1))
done
[ $kills -gt 8 ] && [ $bad = 0 ]
tap $? "WIM --output: killed at each of $kills steps"
is "WIM --output: nothing is left in the folder" "$(find . -maxdepth 1 -name '*gild*')" ""

# Without O_TMPFILE (the first file that is made) it takes the way over a temporary name.
rm -rf out.wim steps
ok "WIM --output: on file systems without O_TMPFILE" env KILL_AT=1 KILL_ERROR=EOPNOTSUPP KILL_LOG=steps \
	LD_PRELOAD="$killer" "$tool" old.wim "${changes[@]}" : output out.wim
is "WIM --output: which was the first step" "$(head -1 steps | cut -d' ' -f1)" create
ok "WIM --output: the same bytes" cmp out.wim want.wim
is "WIM --output: nothing is left in the folder" "$(find . -maxdepth 1 -name '*gild*')" ""

# ---- a folder -------------------------------------------------------------------------------
cp -a in new
"$tool" --write new "${changes[@]}" : commit >/dev/null || tap 1 "the edit itself"
old_digest=$(digest in) new_digest=$(digest new)
[ "$old_digest" != "$new_digest" ] || tap 1 "the edit itself"
is "folder: mode of a replaced file" "$(stat -c %a new/Windows/System32/config/SYSTEM)" 640
is "folder: nothing is left in it" "$(find new -name '.gild*')" ""

folder_round() { # TORN
	local n=0 old=0 new=0 bad=0 d
	while :; do
		n=$((n + 1))
		rm -rf x
		cp -a in x
		killed $n "$1" "$tool" --write x "${changes[@]}" : commit || break
		"$tool" x info >/dev/null 2>message || echo "cannot open: $(cat message)"
		d=$(digest x)
		case $d in
		"$old_digest") old=$((old + 1)) ;;
		"$new_digest") new=$((new + 1)) ;;
		*)
			bad=$((bad + 1))
			echo "killed at step $n: $(cat message)"
			;;
		esac
	done >x.log
	[ $n -gt 60 ] && [ $bad = 0 ] && [ $old -gt 10 ] && [ $new -gt 10 ]
	tap $? "folder (torn: $1): killed at each of $((n - 1)) steps: $old old, $new new, $bad else" x.log
	is "folder (torn: $1): and unkilled it is the new one" "$(digest x)" "$new_digest"
}
folder_round 0
folder_round 1

# The recovery killed too: at every step of it, from some states of the commit.
total=0 bad=0 n=0
while :; do
	n=$((n + 29))
	rm -rf half
	cp -a in half
	killed $n 0 "$tool" --write half "${changes[@]}" : commit || break
	m=0
	while :; do
		m=$((m + 1))
		rm -rf x
		cp -a half x
		killed $m 0 "$tool" x info || break
		total=$((total + 1))
		"$tool" x info >/dev/null 2>message
		d=$(digest x)
		[ "$d" = "$old_digest" ] || [ "$d" = "$new_digest" ] || {
			bad=$((bad + 1))
			echo "killed at $n, then at $m: $(cat message)"
		}
	done
done >x.log
[ $total -gt 25 ] && [ $bad = 0 ]
tap $? "folder: the recovery killed at $total steps" x.log

# A journal is input like any other: it cannot reach out of the folder.
rm -rf x outside
cp -a in x
mkdir x/.gild-journal outside
echo mine >outside/file
printf 'R../outside/file\0\0' >x/.gild-journal/manifest
sha256sum <x/.gild-journal/manifest | cut -c1-64 | tr -d '\n' >x/.gild-journal/commit
fails 4 "folder: a journal that leaves it is refused" "$tool" x info
printf 'Rlink/file\0\0' >x/.gild-journal/manifest
ln -s ../outside x/link
sha256sum <x/.gild-journal/manifest | cut -c1-64 | tr -d '\n' >x/.gild-journal/commit
"$tool" x info >/dev/null 2>&1
is "folder: a journal does not follow links" "$(cat outside/file)" mine

# --output of a folder.
n=0 bad=0 kills=0
while :; do
	n=$((n + 1))
	rm -rf out
	killed $n 0 "$tool" in "${changes[@]}" : output out || break
	kills=$((kills + 1))
	[ ! -e out ] || [ "$(digest out)" = "$new_digest" ] || bad=$((bad + 1))
done
[ $kills -gt 60 ] && [ $bad = 0 ]
tap $? "folder --output: killed at each of $kills steps"
is "folder --output: the source is untouched" "$(digest in)" "$old_digest"

done_testing
