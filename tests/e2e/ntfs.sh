# SPDX-License-Identifier: GPL-3.0-or-later
# NTFS volumes as gild reads them beside ntfs-3g's tools: names, sizes, attributes, times and
# contents of generated and of real volumes; what makes a volume unfit for edits.
. "${GILD_SOURCE:-$(dirname "$0")/../..}/tests/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need mkntfs ntfsls ntfsinfo ntfscat ntfscp python3
tool=$GILD_BUILD/tests/ntfstool
list=$GILD_SOURCE/tests/ntfslist.py
cd "$scratch" || exit 1

# Compares all that both list, but for the folders given.
same_listing() { # VOLUME FOLDER...
	local volume=$1 skip
	shift
	python3 "$list" "$volume" "$@" | LC_ALL=C sort -k7 >theirs || return 1
	"$tool" "$volume" list 2>errors | python3 "$list" --times >all || return 1
	for skip; do
		grep -vE "^([^ ]* ){6}$skip(/|\$)" all >less
		mv less all
	done
	LC_ALL=C sort -k7 all >ours
	[ -s theirs ] && diff theirs ours
}
written() { # VOLUME: when and how long
	stat -c '%y %s' "$1"
}

# ---- generated volumes -----------------------------------------------------------------
for geometry in "512 512" "512 4096" "512 65536" "512 131072" "4096 4096"; do
	# shellcheck disable=SC2086
	"$tool" volume make 33554432 $geometry 25 || skip_all "mkntfs does not make $geometry"
	before=$(written volume)
	ok "sectors and clusters of $geometry bytes: all names, sizes, attributes, times, contents" \
		same_listing volume Wof Reparse Content/encrypted
	is "$geometry: nothing was written" "$(written volume)" "$before"
	is "$geometry: serial number, cluster size, label" "$("$tool" volume info)" \
		"$(python3 -c 'import sys
boot = open("volume", "rb").read(512)
print("%016X %s Größe" % (int.from_bytes(boot[0x48:0x50], "little"), sys.argv[1]))' "${geometry#* }")"
	ntfscat -f -i 6 volume >bitmap
	"$tool" volume bitmap >bits
	ok "$geometry: \$Bitmap" cmp -n "$(wc -c <bits)" bitmap bits
	rm volume
done
"$tool" volume make 33554432 512 4096 0
"$tool" volume list 2>errors | grep -c ' Wof/' >count
is "Compact OS: all files are read" "$(cat count) $(grep -c Wof errors)" "24 0"
for refused in "encrypted (EFS)" "Data Deduplication" "in a WIM" "unknown algorithm"; do
	ok "refused by name: $refused" grep -qF "$refused" errors
done

# ---- a Windows under Compact OS --------------------------------------------------------
# Every file but the hives, by the four algorithms in turn: nothing changes for inspect.
if [ -x "$GILD_BUILD/samples/mksample" ]; then
	"$GILD_BUILD/samples/mksample" disk windows.raw --table=none --oem
	"$GILD" inspect windows.raw >before 2>&1
	"$tool" windows.raw list >plain
	awk '$1 == "f" && $2 > 600' plain | cut -d' ' -f7- | grep -iv '/config/' >files
	for algorithm in 0 1 2 3; do
		awk "NR % 4 == $algorithm" files | tr '\n' '\0' >some
		ok "files made those of Compact OS, algorithm $algorithm" \
			xargs -0 -a some "$tool" windows.raw compact $algorithm
	done
	"$tool" windows.raw list >compact
	"$GILD" inspect windows.raw >after 2>&1
	ok "Compact OS: $(wc -l <files) files of a Windows, all with their content" \
		diff <(awk '$1 == "f"' plain | cut -d' ' -f2,6-) <(awk '$1 == "f"' compact | cut -d' ' -f2,6-)
	ok "inspect sees the same Windows" diff before after
	rm -f windows.raw
else
	skip "a Windows under Compact OS" "mksample was not built (no hivex)"
fi

# ---- what ntfs-3g thinks of a state ----------------------------------------------------
# probe: 0 fit to be written, 14 hibernated, 15 unclean.
same_state() { # VOLUME WANTED-WORD WANTED-CODE
	local state code=0
	state=$("$tool" "$1" state) || return 1
	if command -v ntfs-3g.probe >/dev/null; then
		ntfs-3g.probe --readwrite "$1" 2>/dev/null || code=$?
		[ "$code" = "$3" ] || { echo "ntfs-3g.probe: $code"; return 1; }
	fi
	case $state in
	"$2" | "$2":*) ;;
	*) echo "$state"; return 1 ;;
	esac
}
hibernate() { # SIGNATURE LENGTH OFFSET VALUE
	python3 - "$@" <<-'END' >hiberfil.sys
	import sys
	signature, length, offset, value = sys.argv[1:]
	page = bytearray(8192)
	page[:4] = signature.encode().ljust(4, b"\0")
	page[12:16] = int(length, 0).to_bytes(4, "little")
	page[int(offset, 0)] = int(value)
	sys.stdout.buffer.write(page)
	END
	cp --sparse=always volume state && ntfscp -f state hiberfil.sys /hiberfil.sys >/dev/null 2>&1
}
ok "a fresh volume is fit" same_state volume sound 0
hibernate HIBR 0x3e0 0x364 0
ok "hibernated" same_state state hibernated 14
hibernate HIBR 0x3e0 0x364 1
ok "fast startup" same_state state fast_startup 14
hibernate hibr 0xa8 0x100 0
ok "hibernated by an old Windows" same_state state hibernated 14
hibernate WAKE 0x3e0 0x364 0
ok "resumed" same_state state sound 0
hibernate "" 0 0x364 0
ok "cleared" same_state state sound 0
rm -f state volume

# ---- a boot sector without its volume --------------------------------------------------
for boot in "$GILD_TEST_DATA"/images/bootsector/*; do
	[ -e "$boot" ] || break
	{ cat "$boot"; head -c 1048576 /dev/zero; } >volume
	fails 1 "a boot sector alone is refused: ${boot##*/}" "$tool" volume info
	cp .out said
	ok "and says so: ${boot##*/}" grep -qE "cannot be mounted|cut short" said
done

# ---- real volumes ----------------------------------------------------------------------
data=$GILD_TEST_DATA/images/disk
if [ ! -e "$data/ntfs3.raw.gz" ]; then
	skip "real volumes" "real test data not here: set GILD_TEST_DATA"
	done_testing
fi
unpack() { # NAME -> a sparse file of that name
	case $1 in
	*.tar.gz) tar -xSzf "$data/$1" && mv "${1%.tar.gz}.raw" "$1" ;;
	*.gz) gzip -dc "$data/$1" | cp --sparse=always /dev/stdin "$1" ;;
	*.xz) xz -dc "$data/$1" | cp --sparse=always /dev/stdin "$1" ;;
	esac
}
part() { # DISK OFFSET SIZE VOLUME: what lies there, sparse
	python3 - "$@" <<-'END'
	import os, sys
	disk, offset, size, volume = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
	source, target = os.open(disk, os.O_RDONLY), os.open(volume, os.O_RDWR | os.O_CREAT)
	os.ftruncate(target, size)
	at, end = offset, offset + size
	while at < end:
	    try:
	        at = os.lseek(source, at, os.SEEK_DATA)
	        stop = min(os.lseek(source, at, os.SEEK_HOLE), end)
	    except OSError:
	        break
	    while at < stop:
	        data = os.pread(source, min(stop - at, 1 << 20), at)
	        if data.strip(b"\0"):
	            os.pwrite(target, data, at - offset)
	        at += len(data)
	END
}
# The restart pages of a real log, changed: found by their bytes, as they are on the volume.
unclean() { # VOLUME OUT CHANGE
	cp --sparse=always "$1" "$2"
	ntfscat -f -i 2 "$1" 2>/dev/null | head -c 8192 >log
	python3 - "$2" "$3" <<-'END'
	import mmap, sys
	pages = open("log", "rb").read()
	file = open(sys.argv[1], "r+b")
	view = mmap.mmap(file.fileno(), 0)
	at = view.find(pages[:4096])
	assert pages[:4] == b"RSTR" and at > 0
	for page in (at, at + 4096):
	    area = page + int.from_bytes(view[page + 24:page + 26], "little")
	    if sys.argv[2] == "open":
	        view[area + 14] &= ~2
	    elif sys.argv[2] == "version":
	        view[page + 26:page + 30] = bytes([0, 0, 2, 0])
	    elif sys.argv[2] == "reset":
	        view[page:page + 4096] = b"\xff" * 4096
	END
}
real() { # WHAT VOLUME
	local before
	before=$(written "$2")
	ok "$1: the same as ntfs-3g's tools read" same_listing "$2"
	ok "$1: $(wc -l <ours) entries, all readable" test ! -s errors
	is "$1: nothing was written" "$(written "$2")" "$before"
	ok "$1: fit, as Windows left it" same_state "$2" sound 0
}
disk() { # NAME OFFSET SIZE WHAT
	ok "$4: its volume is there" part "$1" "$2" "$3" volume
	real "$4" volume
}
unpack ntfs3.raw.gz && real "made by Linux' ntfs3" ntfs3.raw.gz
rm -f ntfs3.raw.gz
unpack testfs1.ntfs.xz
if [ -n "${GILD_TEST_FULL-}" ]; then
	real "made by mkntfs, 512 folders" testfs1.ntfs.xz
else
	is "made by mkntfs, 512 folders" \
		"$("$tool" testfs1.ntfs.xz list | grep -c '^d .*many_subdirs/')" 512
fi
unpack win10-fixed-ntfs.vhd.xz && real "alternate data streams" win10-fixed-ntfs.vhd.xz
if command -v qemu-img >/dev/null; then
	unpack win-server2022-dynamic.vhdx.xz
	qemu-img convert -O raw win-server2022-dynamic.vhdx.xz vhdx.raw &&
		disk vhdx.raw 65536 3145728 "Server 2022's VHDX"
	for change in open version reset; do
		unclean volume state $change
		case $change in
		open) ok "a real log left open" same_state state log_unclean 15 ;;
		version) ok "a real log of version 2.0" same_state state log_unclean 14 ;;
		# Only its restart pages are gone: what is in the log is not known.
		reset) ok "a real log without its restart pages" same_state state log_unclean 15 ;;
		esac
	done
	rm -f volume state
fi
unpack ntfs-lastaccess.raw.gz && disk ntfs-lastaccess.raw.gz 65536 265289728 "Windows 10 1903"
rm -f volume ntfs-lastaccess.raw.gz
if [ -n "${GILD_TEST_FULL-}" ]; then
	unpack ntfs-ptrn.raw.gz && disk ntfs-ptrn.raw.gz 65536 1070596096 "1 GiB of patterns"
	rm -f volume ntfs-ptrn.raw.gz
fi
unpack vss_3_volstor.tar.gz
disk vss_3_volstor.tar.gz 1048576 2148532224 "with shadow copies, first volume"
rm -f volume
disk vss_3_volstor.tar.gz 2148532224 3218079744 "with shadow copies, second volume"
rm -f volume
done_testing
