#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What container.editable promises: qemu-nbd is killed right before each change that it makes
# to the container (and in the midst of larger writes). Afterwards every sector is as before
# or as written, and once gild has mended the container qemu-img check finds no fault.
# Steps are sampled; with GILD_TEST_FULL=1 each is tried.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need qemu-img qemu-nbd python3
tool=$GILD_BUILD/tests/blocktool killer=$GILD_BUILD/tests/killer.so
[ -e "$killer" ] || skip_all "tests/killer.so is not built"
cd "$scratch" || exit 1
samples=${GILD_TEST_FULL:+1000}
samples=${samples:-3}

# Only qemu-nbd is killed: a wrapper of that name preloads the killer.
mkdir bin
real=$(command -v qemu-nbd)
cat >bin/qemu-nbd <<END
#!/bin/sh
[ -z "\$TORN" ] || export KILL_TORN=1
[ -z "\$LOG" ] || export KILL_LOG="\$LOG"
export KILL_AT="\$STEP" LD_PRELOAD=$killer
exec $real "\$@"
END
chmod +x bin/qemu-nbd
# Over data and over nothing, in part of a cluster and over several, with and without a sync.
python3 - <<'END'
import random
r = random.Random(1)
old = bytearray(16 << 20)
for at, size in ((0, 1 << 20), (4 << 20, 300032), (9 << 20, 65536)):
    old[at:at + size] = r.randbytes(size)
open("old", "wb").write(old)
edits = []
for i, (at, size) in enumerate(((4096, 8192), (3 << 20, 4096), ((4 << 20) + 65536, 409600),
                                ((9 << 20) + 512, 512), ((15 << 20) + 200704, 102400))):
    data = r.randbytes(size)
    open(f"edit{i}", "wb").write(data)
    old[at:at + size] = data
    edits.append(f"write {at} edit{i} :" + (" flush :" if i % 2 == 0 else ""))
open("new", "wb").write(old)
open("edits", "w").write(" ".join(edits) + " flush")
END
copy() { # IMAGE: to t.*, extents and all
	rm -f t*
	case $1 in
	flat.vmdk) sed 's/flat-flat/t-flat/' flat.vmdk >t.vmdk && cp --sparse=always flat-flat.vmdk t-flat.vmdk ;;
	split.vmdk) sed 's/split-s/t-s/' split.vmdk >t.vmdk && cp split-s001.vmdk t-s001.vmdk ;;
	*) cp "$1" "t.${1#*.}" ;;
	esac
}
# shellcheck disable=SC2046
edit() { # IMAGE: with STEP, TORN, LOG
	PATH=$scratch/bin:$PATH "$tool" --write "$1" $(cat edits)
}
attempt() { # IMAGE STEP TORN
	local t="t.${1#*.}"
	copy "$1"
	if STEP=$2 TORN=$3 LOG='' edit "$t" >out 2>&1; then
		echo "step $2 was not reached"
		return 1
	fi
	grep -q 'signal 9' out || { cat out; return 1; }
	"$tool" "$t" replay && "$tool" "$t" either old new || return 1
	# QEMU has no check for VHD and for VMDK in several files.
	case $1 in
	*.vhd | flat.vmdk | split.vmdk) ;;
	*) qemu-img check -q "$t" ;;
	esac
}
try() { # IMAGE
	local steps step failed=0 tried=0 torn
	copy "$1"
	rm -f log
	STEP=0 TORN='' LOG=$scratch/log edit "t.${1#*.}" >out 2>&1 || { tap 1 "$1 is edited" out; return; }
	"$tool" "t.${1#*.}" dump | cmp -s - new
	tap $? "$1: edited"
	steps=$(wc -l <log)
	: >failures
	# How many steps there are differs a little with the threads' order: the last may not come.
	for ((i = 1; i <= samples && i < steps; i++)); do
		step=$((samples < steps ? 1 + i * (steps - 2) / (samples + 1) : i))
		for torn in '' 1; do
			[ -z "$torn" ] || [ "$samples" -gt 100 ] || [ "$i" = 1 ] || continue
			tried=$((tried + 1))
			attempt "$1" "$step" "$torn" >attempt 2>&1 ||
				{ failed=$((failed + 1)); { echo "step $step $torn"; cat attempt; } >>failures; }
		done
	done
	echo "# $1: $tried of $steps steps"
	[ "$failed" = 0 ]
	tap $? "$1: qemu-nbd killed $tried times, each sector old or new" failures
}
for x in v3.qcow2:qcow2: v2.qcow2:qcow2:compat=0.10 dynamic.vhd:vpc:subformat=dynamic,force_size=on \
	dynamic.vhdx:vhdx:block_size=1M fixed.vhdx:vhdx:subformat=fixed,block_state_zero=off,block_size=1M \
	sparse.vmdk:vmdk: flat.vmdk:vmdk:subformat=monolithicFlat split.vmdk:vmdk:subformat=twoGbMaxExtentSparse; do
	IFS=: read -r image format options <<<"$x"
	qemu-img convert -f raw -O "$format" ${options:+-o "$options"} old "$image"
	try "$image"
done
done_testing
