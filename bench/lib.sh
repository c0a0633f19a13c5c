# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034
# What the benchmarks share: options, material, measuring, the lines that judge. Sourced
# from the project's folder, after `needs` names the tools.
source=$PWD
build=${GILD_BUILD:-$source/build}
gild=$build/gild
data=${GILD_TEST_DATA-$source/../shared/data}
work=${BENCH_DIR:-$build/bench}
files=20000 size=2000000000
# The packages at hand are not signed by Microsoft: what is measured is the injection.
inject=("$gild" inject --unsigned=allow)
for option; do
	case $option in
	--files=*) files=${option#*=} ;;
	--size=*) size=${option#*=} ;;
	*)
		sed -n '3,/^set/s/^# //p' "$0"
		exit 2
		;;
	esac
done
mkdir -p "$work"
export TMPDIR=$work

needs() { # TOOL...
	local tool
	for tool; do
		command -v "$tool" >/dev/null || { echo "bench: $tool is missing" >&2; exit 1; }
	done
}

# Runs a command; leaves seconds, peak memory in KiB and seconds of processors in $seconds,
# $memory and $cpu.
measure() {
	sync
	/usr/bin/time -o "$work/time" -f '%e %M %U %S' "$@" >"$work/out" 2>"$work/err" || {
		echo "bench: failed: $*" >&2
		tail -n 5 "$work/err" >&2
		exit 1
	}
	read -r seconds memory cpu kernel <"$work/time"
	cpu=$(awk -v u="$cpu" -v s="$kernel" 'BEGIN {print u + s}')
}
# The best of three on a fresh copy of $base each: COPY COMMAND...
measure_best() {
	local best='' i copy=$1
	shift
	for i in 1 2 3; do
		cp --sparse=always "$base" "$copy"
		measure "$@"
		best=$(awk -v a="${best:-$seconds}" -v b="$seconds" 'BEGIN {print a < b ? a : b}')
	done
	seconds=$best
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b ? a / b : 0) }'; }
mib() { awk -v k="$1" 'BEGIN { printf "%.0f", k / 1024 }'; }
row() { printf '%-46s %10s %9s %14s\n' "$@"; }
verdict() { # WHAT VALUE TARGET: VALUE must not exceed TARGET
	printf '%-62s %8s  (target <= %s) %s\n' "$1" "$2" "$3" \
		"$(awk -v v="$2" -v t="$3" 'BEGIN { print v <= t ? "met" : "MISSED" }')"
}

# A real hive is 12 MB, and has to be taken from its logs first: sets the array `system`.
real_system() {
	local end hive=$data/hives/win10-1709-x64-dell.SYSTEM
	system=()
	if [ -e "$hive.xz" ]; then
		for end in '' .LOG1 .LOG2; do xz -dc "$hive$end.xz" >"$work/SYSTEM$end"; done
		system=(--system="$work/SYSTEM")
	fi
}

# Puts up to twelve packages that IMAGE takes below $work/drivers: sets `n` and `what`.
make_drivers() { # IMAGE
	local inf name f verdict
	rm -rf "$work/drivers"
	mkdir -p "$work/drivers"
	n=0
	if [ -d "$data/inf/virtio-built/Win8.1/amd64" ]; then
		what="virtio packages"
		for inf in "$data"/inf/virtio-built/Win8.1/amd64/*.inf; do
			[ "$n" -lt 12 ] || break
			# One folder each, with all that lies beside: as vendors ship them.
			name=$(basename "$inf" .inf)
			mkdir "$work/drivers/$name"
			cp "$inf" "$work/drivers/$name/"
			for f in "$data"/inf/virtio-built/Win8.1/amd64/*; do
				case $f in *.inf) ;; *) ln "$f" "$work/drivers/$name/" 2>/dev/null ||
					cp "$f" "$work/drivers/$name/" ;; esac
			done
			verdict=$("${inject[@]}" "$1" --index=1 --driver="$work/drivers/$name" --dry-run --json 2>/dev/null |
				jq '.trees[0].files | length' || true)
			if [ "${verdict:-0}" != 0 ]; then n=$((n + 1)); else rm -r "$work/drivers/$name"; fi
		done
	else
		what="sample packages (no real ones: GILD_TEST_DATA)"
		"$build/samples/mkdrivers" "$work/drivers" exstor exnic
		n=2
	fi
}
