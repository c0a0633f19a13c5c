#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild inject into disks, stopped right before every change that it makes to a file system,
# and qemu-nbd right before every one that it makes to a container: the next run of gild, a
# reading one, leaves the old or the new disk. Each time the volume is checked by ntfsresize,
# by an index walk that shares nothing with gild (tests/ntfscheck.py), by reading all of it,
# and the hives by hivexsh. Steps are sampled; with GILD_TEST_FULL=1 (quickstart test --full)
# each is tried.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need setpriv qemu-img qemu-nbd ntfsresize ntfscat hivexsh python3
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
killer=$GILD_BUILD/tests/killer.so tool=$GILD_BUILD/tests/treetool
[ -x "$mksample" ] && [ -e "$killer" ] || skip_all "mksample and tests/killer.so are not built"
# A preloaded library comes before the sanitizers' own.
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
cd "$scratch" || exit 1
export TMPDIR=$scratch/tmp
mkdir tmp bin
"$mkdrivers" drivers exstor >/dev/null
"$mksample" disk old.raw --volume-size=33554432 >/dev/null
start=$((37 << 20)) # of the Windows volume
full=${GILD_TEST_FULL-}

inject() { "$GILD" inject "$1" --driver=drivers --any-controller --unsigned=allow --quiet; }
digest() { "$tool" "$1" digest 2>&1; }
# The volume in FILE, by everyone else's means.
volume_is_sound() { # RAW-FILE
	dd if="$1" of=volume bs=1M skip=37 count=32 conv=sparse status=none || return 1
	python3 "$GILD_SOURCE/tests/ntfscheck.py" volume || return 1
	ntfsresize -i -f volume >resize 2>&1 || { tail -n 3 resize; return 1; }
	local hive
	for hive in SYSTEM SOFTWARE; do
		ntfscat -f volume "Windows/System32/config/$hive" >hive 2>/dev/null &&
			printf 'cd Select\nlsval\n' | hivexsh hive >/dev/null 2>hive.log ||
			[ $hive = SOFTWARE ] && printf 'ls\n' | hivexsh hive >/dev/null 2>hive.log ||
			{ echo "hive $hive: $(cat hive.log)"; return 1; }
	done
	rm -f volume hive
}
judge() { # STATE STEP: counts
	case $1 in
	"$old_digest") old=$((old + 1)) ;;
	"$new_digest") new=$((new + 1)) ;;
	*)
		bad=$((bad + 1))
		echo "stopped at step $2: $1 $(cat message)"
		;;
	esac
}

cp --sparse=always old.raw new.raw
ok "a raw disk takes the package" inject new.raw
old_digest=$(digest old.raw) new_digest=$(digest new.raw)
isnt() { [ "$1" != "$2" ]; }
ok "which changes it" isnt "$old_digest" "$new_digest"
ok "and leaves a sound volume" volume_is_sound new.raw

# ---- gild itself, on a raw disk: every step, some of them with half of a write done

killed() { # N TORN COMMAND...: true if it was killed at step N
	local n=$1 torn=$2
	shift 2
	{ KILL_AT=$n KILL_TORN=$torn LD_PRELOAD=$killer "$@" >/dev/null 2>message; } 2>/dev/null
	[ $? = 137 ]
}
n=1 old=0 new=0 bad=0 half=0 complete=() stride=$([ -n "$full" ] && echo 1 || echo 4)
while :; do
	cp --sparse=always old.raw x.raw
	rm -f x.raw.gild-journal
	killed $n $((n / stride % 2)) "$GILD" inject x.raw --driver=drivers --any-controller \
		--unsigned=allow --quiet || break
	[ ! -s x.raw.gild-journal ] || half=$((half + 1))
	! grep -qa 'gild complete' x.raw.gild-journal 2>/dev/null || complete+=("$n")
	"$GILD" inspect x.raw >/dev/null 2>message || echo "step $n: inspect: $(cat message)"
	[ ! -e x.raw.gild-journal ] || echo "step $n: the journal is still there"
	judge "$(digest x.raw)" $n
	volume_is_sound x.raw >sound || { bad=$((bad + 1)); echo "step $n: $(cat sound)"; }
	n=$((n + stride))
done >raw.log
[ $bad = 0 ] && [ $old -gt 2 ] && [ $new -gt 2 ] && [ $half -gt 4 ] && [ ! -s raw.log ]
tap $? "raw: stopped at $((old + new + bad)) of about $n steps, $half with a journal: $old old, $new new, $bad else" raw.log
ok "unstopped it is the new disk to the byte" cmp x.raw new.raw

# ---- the recovery itself: stopped at each of its steps, and taken up again

cp --sparse=always old.raw x.raw
killed "${complete[$((${#complete[@]} / 2))]}" 0 "$GILD" inject x.raw --driver=drivers --any-controller --unsigned=allow --quiet
cp x.raw half.raw
cp x.raw.gild-journal half.journal
n=1 old=0 new=0 bad=0 stride=$([ -n "$full" ] && echo 1 || echo 3)
while :; do
	cp --sparse=always half.raw x.raw
	cp half.journal x.raw.gild-journal
	killed $n 0 "$GILD" inspect x.raw || break
	"$GILD" inspect x.raw >/dev/null 2>message
	judge "$(digest x.raw)" $n
	n=$((n + stride))
done >recovery.log
[ $bad = 0 ] && [ $old = 0 ] && [ $new -gt 2 ] && [ ! -s recovery.log ]
tap $? "the recovery, stopped at $new steps, ends in the new disk ($bad else)" recovery.log

# ---- an interrupted edit is seen by others, and is not forced upon another disk

cp --sparse=always half.raw x.raw
dd if=x.raw of=volume bs=1M skip=37 count=32 conv=sparse status=none
python3 "$GILD_SOURCE/tests/ntfscheck.py" volume >sound
ok "half of an edit has the dirty flag set" grep -q 'the volume is dirty' sound
cp --sparse=always old.raw restored.raw
printf 'x' | dd of=restored.raw bs=1 seek=$((start + 3 * 4096 + 100)) conv=notrunc status=none
dd if=/dev/urandom of=restored.raw bs=4096 seek=$((start / 4096 + 4)) count=4 conv=notrunc status=none
cp half.journal restored.raw.gild-journal
before=$(sha256sum <restored.raw)
fails 4 "a disk that was changed since is left alone" "$GILD" inspect restored.raw
is "to the byte" "$(sha256sum <restored.raw)" "$before"
ok "and its journal is kept" cmp half.journal restored.raw.gild-journal
cp --sparse=always half.raw x.raw
cp half.journal x.raw.gild-journal
chmod 444 x.raw
other=()
if [ "$(id -u)" = 0 ]; then # who may write to anything
	other=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 755 "$scratch"
fi
cp "$GILD" gild
fails 4 "a disk that cannot be finished now says so" "${other[@]}" ./gild inspect x.raw
cp .out why
ok "and by whom it can" grep -q 'run gild' why
ok "nothing is lost by that" cmp half.journal x.raw.gild-journal
chmod 644 x.raw
if [ "$(id -u)" = 0 ]; then
	chown 12345 x.raw.gild-journal
	fails 4 "a journal that somebody else put there is not carried out" "$GILD" inspect x.raw
	ok "the disk is as it was" cmp x.raw half.raw
else
	skip "a journal that somebody else put there is not carried out" "only root can give files away"
fi
rm -f x.raw x.raw.gild-journal restored.raw*

# ---- qemu-nbd, before every write to the container; every other time with gild

printf '#!/bin/sh\nLD_PRELOAD=%s KILL_AT=$NBD_KILL_AT exec %s "$@"\n' "$killer" \
	"$(command -v qemu-nbd)" >bin/qemu-nbd
chmod +x bin/qemu-nbd
container() { # NAME FORMAT OPTIONS
	local n=1 old=0 new=0 bad=0 first=1 code stride
	stride=$([ -n "$full" ] && echo 1 || echo "${4-17}")
	qemu-img convert -f raw -O "$2" ${3:+-o "$3"} old.raw "fresh.$1" || return 1
	while :; do
		cp --sparse=always "fresh.$1" "x.$1"
		rm -f "x.$1.gild-journal"
		{ NBD_KILL_AT=$n KILL_PARENT=$((n / stride % 2)) PATH=$scratch/bin:$PATH \
			inject "x.$1" >/dev/null 2>message; } 2>/dev/null
		code=$?
		[ $code != 0 ] || break
		[ $code = 137 ] || [ $code = 1 ] || [ $code = 4 ] || echo "step $n: exit code $code: $(cat message)"
		"$GILD" inspect "x.$1" >/dev/null 2>message || echo "step $n: inspect: $(cat message)"
		[ ! -e "x.$1.gild-journal" ] || echo "step $n: the journal is still there"
		case $2 in
		qcow2 | vhdx | vmdk)
			# Leaked clusters (3) waste room and harm nothing.
			qemu-img check -f "$2" "x.$1" >check 2>&1 || [ $? = 3 ] || {
				bad=$((bad + 1))
				echo "step $n: $(cat check)"
			}
			;;
		esac
		judge "$(digest "x.$1")" $n
		if [ -n "$full" ] || [ $first = 1 ]; then
			first=0
			qemu-img convert -f "$2" -O raw "x.$1" x.raw
			volume_is_sound x.raw >sound || { bad=$((bad + 1)); echo "step $n: $(cat sound)"; }
		fi
		n=$((n + stride))
	done >log
	[ $bad = 0 ] && [ $((old + new)) -gt 2 ] && [ ! -s log ]
	tap $? "$1: qemu-nbd killed at $((old + new + bad)) of about $n steps: $old old, $new new, $bad else" log
	is "$1: unkilled it is the new one" "$(digest "x.$1")" "$new_digest"
	rm -f "x.$1" "fresh.$1"
}
container vhdx vhdx ''
container qcow2 qcow2 ''
container vmdk vmdk ''
container vhd vpc subformat=dynamic,force_size=on
done_testing
