#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# HIVES=REGEX limits the real ones.
# Hives edited by gild and read by libregf, hivex and a plain reader of the layout: all
# that was not touched is what it was, on generated hives and on every real one.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need xz
tool=$GILD_BUILD/tests/hivetool
[ -x "$tool" ] || skip_all "tests/hivetool is not built"
for python in python3 /usr/bin/python3; do
	readers=$($python "$GILD_SOURCE/tests/hivecheck.py" modules 2>/dev/null)
	case $readers in *libregf*hivex*) break ;; esac
done
case $readers in
*libregf*hivex*) ;;
*) skip_all "python3-libregf and python3-hivex are not installed" ;;
esac
check() { $python "$GILD_SOURCE/tests/hivecheck.py" "$@"; }
hives=$GILD_TEST_DATA/hives

# Unpacks or copies a hive of the test data to the scratch folder.
fetch() {
	local to=$scratch/${1##*/}
	to=${to%.xz}
	case $1 in
	*.xz) xz -dc "$hives/$1" >"$to" ;;
	*) cat "$hives/$1" >"$to" ;;
	esac
	echo "$to"
}

# Adds, deletes and changes in a hive and compares before, after, and after the additions
# are taken out again.
edit_and_compare() { # HIVE
	local victim host value edits=() spec=()
	eval "$(check pick "$1")"
	[ -z "$victim" ] || edits+=(delete "$victim") spec+=("-$victim")
	[ -z "$host" ] || edits+=(unset "$host" "$value" fill "$host" "$value" 3 900
		set "$host" Added 1 410042000000) spec+=("=$host")
	"$tool" "$1" "${edits[@]}" many "${victim%\\*}" 20 many "$host" 3 \
		create 'Gild Test\Sub\ключ' set 'Gild Test' '' 1 41000000 \
		set 'Gild Test' 'ünïcödé' 4 01000000 set 'Gild Test\Sub' 'имя' 7 0000 \
		fill 'Gild Test' empty 3 0 fill 'Gild Test' three 3 3 \
		fill 'Gild Test' five 3 5 fill 'Gild Test' one-cell 3 16344 \
		fill 'Gild Test' two-cells 3 16345 fill 'Gild Test' big 3 200000 \
		fill 'Gild Test' big 3 100000 many 'Gild Test\List' 1100 \
		write "$scratch/edited" || return 1
	"$tool" "$scratch/edited" delete 'Gild Test' write "$scratch/cleaned" || return 1
	"$tool" "$scratch/edited" dump >"$scratch/edited.txt" &&
		check read "$scratch/edited" "$scratch/edited.txt" || return 1
	check compare "$1" "$scratch/edited" '+\Gild Test' "${spec[@]}" -- \
		"$scratch/cleaned" '+\Gild Test' "${spec[@]}"
}

# ---- a hive of our own making --------------------------------------------------------

ok "a new hive is made" "$tool" new:ROOT many 'A\B' 3000 create 'ÄÖÜ\ß' \
	set 'A' '' 1 41000000 fill A big 3 70000 many 'A\C' 3 create 'A\C\Sub\Deep' \
	set 'A\C' Value 4 01000000 create 'D\E' write "$scratch/new"
ok "it is sound, nothing in it is lost" check sound "$scratch/new"
"$tool" "$scratch/new" dump >"$scratch/new.txt"
ok "all readers see the same in it" check read "$scratch/new" "$scratch/new.txt"
ok "it is edited, all else is untouched" edit_and_compare "$scratch/new"
"$tool" new:ROOT many 'A\B' 3000 write "$scratch/new1"
"$tool" new:ROOT many 'A\B' 3000 write "$scratch/new2"
ok "the same edits give the same bytes" cmp "$scratch/new1" "$scratch/new2"
"$tool" "$scratch/new1" write "$scratch/new2"
ok "a hive without changes is written as it was" cmp "$scratch/new1" "$scratch/new2"
"$tool" "$scratch/new1" delete A write "$scratch/new2"
ok "deleting everything loses no cell" check sound "$scratch/new2"
head -c 5000 "$scratch/new1" >"$scratch/short"
fails 4 "a truncated hive is refused" "$tool" "$scratch/short" dump

# ---- real hives ----------------------------------------------------------------------

if [ ! -e "$hives/INDEX.tsv" ]; then
	skip "real hives" "set GILD_TEST_DATA"
	done_testing
fi

# What Windows 10 made of a dirty hive and its two logs, and Windows 7 of one with an old
# log. The dirty files themselves are not in the data: they are made again from the
# recovered hive (all that the logs bring overwritten) and from its neighbour in the set.
log=$hives/yarp/NewDirtyHive1__NewDirtyHive.LOG
windows=$(fetch yarp/NewDirtyHive1__RecoveredHive_Windows10)
check dirty "$windows" "$scratch/dirty" 2 1 "${log}1" garble
ok "two new logs are replayed" "$tool" --log1="${log}1" --log2="${log}2" "$scratch/dirty" \
	write "$scratch/recovered"
ok "the result is Windows 10's to the byte" check samebins "$scratch/recovered" "$windows"
ok "in either order" "$tool" --log1="${log}2" --log2="${log}1" "$scratch/dirty" \
	write "$scratch/recovered"
ok "the result is the same" check samebins "$scratch/recovered" "$windows"
windows=$(fetch yarp/OldDirtyHive__RecoveredHive_Windows7.xz)
log=$(fetch yarp/BadLogHive2__BadLogHive.LOG1)
check dirty "$(fetch yarp/InvalidParentHive.xz)" "$scratch/dirty" 5 4 "$log"
fails 4 "a log with a damaged dirty vector is not replayed" "$tool" --log1="$log" \
	"$scratch/dirty" dump
printf DIRT | dd of="$log" bs=1 seek=512 conv=notrunc 2>/dev/null
ok "an old log is replayed" "$tool" --log1="$log" "$scratch/dirty" write "$scratch/recovered"
# Windows 7 set one key's longest value name right when it loaded the hive.
ok "the result is Windows 7's" check samebins "$scratch/recovered" "$windows" 1
check dirty "$scratch/recovered" "$scratch/dirty2" 5 4 "$windows"
fails 4 "an old log of another time is not replayed" "$tool" --log1="$log" \
	"$scratch/dirty2" dump

# The real dirty hives: 10 1709 has its logs, 8.1 came without (opened with accept_dirty).
dell=$(fetch win10-1709-x64-dell.SYSTEM.xz)
log1=$(fetch win10-1709-x64-dell.SYSTEM.LOG1.xz) log2=$(fetch win10-1709-x64-dell.SYSTEM.LOG2.xz)
ok "10 1709 is recovered from its logs" "$tool" --log1="$log1" --log2="$log2" "$dell" \
	write "$scratch/dell"
ok "10 1709 recovered is sound, nothing in it is lost" check sound "$scratch/dell"
"$tool" "$scratch/dell" dump >"$scratch/dell.txt"
ok "10 1709 recovered: all readers see the same" check read "$scratch/dell" "$scratch/dell.txt"
is "the log's last change is there" "$(grep -c '^K ' "$scratch/dell.txt")" 35595
ok "10 1709 recovered: edited, all else is untouched" edit_and_compare "$scratch/dell"
"$tool" --accept-dirty "$(fetch win81-x64-SENSEI.SYSTEM.xz)" create X delete X \
	write "$scratch/81" 2>/dev/null
for each in dell 81; do
	"$tool" "$scratch/$each" many 'DriverDatabase\DeviceIds\PCI' 300 write "$scratch/grown"
	ok "300 device IDs grow $each by at most 1.3 times their cells" \
		check growth "$scratch/$each" "$scratch/grown"
	"$tool" "$scratch/$each" many 'DriverDatabase\DeviceIds\PCI' 3000 write "$scratch/grown"
	ok "3,000 device IDs too ($each)" check growth "$scratch/$each" "$scratch/grown"
done
rm -f "$scratch"/win* "$scratch"/grown "$scratch"/dell*

refused=0 edited=0
for each in $(cd "$hives" && find small yarp BCD win* xp* -type f ! -name '*LOG*' | sort); do
	[[ $each =~ ${HIVES-.} ]] || continue
	hive=$(fetch "$each")
	"$tool" "$hive" write "$scratch/base" >"$scratch/why" 2>&1
	code=$?
	if [ $code = 4 ]; then
		# The reason must say more than that.
		refused=$((refused + 1))
		ok "$each is refused: $(sed 's/^[^:]*: //; s/;.*//' "$scratch/why")" grep -qE \
			'damaged hive: .*offset|is dirty: .*, and |truncated|format 1' "$scratch/why"
		grep -q 'sequence numbers differ' "$scratch/why" || continue
		# Done above, with its logs.
		[[ $each != win10-1709-* ]] || continue
		"$tool" --accept-dirty "$hive" create 'Gild Dirty' delete 'Gild Dirty' \
			write "$scratch/base" >"$scratch/why" 2>&1
		tap $? "$each is opened as it is with accept_dirty" "$scratch/why"
	else
		tap $code "$each is opened" "$scratch/why"
		[ $code = 0 ] || continue
	fi
	edited=$((edited + 1))
	"$tool" "$scratch/base" dump >"$scratch/base.txt"
	ok "$each: all readers see the same" check read "$scratch/base" "$scratch/base.txt"
	ok "$each: edited, all else is untouched" edit_and_compare "$scratch/base"
	rm -f "$hive"
done
echo "# $edited hives edited, $refused refused"
done_testing
