#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild capture: what it makes of a volume is compared with what wimlib-imagex captures of it,
# entry by entry, verified and applied by it; the same bytes every time; nothing under the
# output's name when it is stopped.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need wimlib-imagex mkntfs python3 jq
tool=$GILD_BUILD/tests/ntfstool mksample=$GILD_BUILD/samples/mksample
[ -x "$tool" ] && [ -x "$mksample" ] || skip_all "mksample and tests/ntfstool are not built"
cd "$scratch" || exit 1
same() { python3 "$GILD_SOURCE/tests/capturecheck.py" "$@"; }
theirs() { # VOLUME WIM
	wimlib-imagex capture "$1" "$2" --compress=none --quiet >/dev/null 2>&1
}
verified() { wimlib-imagex verify "$1" --quiet; }
xml() { wimlib-imagex info "$1" --xml | iconv -f UTF-16 -t UTF-8; }
element() { xml "$1" | sed -n "s|.*<$2>\([^<]*\)</$2>.*|\1|p"; }

# ---- a Windows -----------------------------------------------------------------------------
"$mksample" disk disk.raw --oem --winre --generalized --volume-size=50331648 >/dev/null || exit 1
dd if=disk.raw of=volume bs=1M skip=37 count=48 conv=sparse status=none
theirs volume want.wim
"$GILD" capture disk.raw --output=x.wim --json >x.json
is "gild capture succeeds" $? 0
ok "every entry is as wimlib-imagex captures it" same want.wim x.wim
ok "and all is sound" verified x.wim
for name in DIRCOUNT FILECOUNT HARDLINKBYTES ARCH EDITIONID INSTALLATIONTYPE PRODUCTNAME \
	PRODUCTTYPE MAJOR MINOR BUILD SPLEVEL DEFAULT SYSTEMROOT FLAGS DISPLAYNAME; do
	is "the XML has $name as wimlib writes it" "$(element x.wim $name)" "$(element want.wim $name)"
done
total() { xml "$1" | grep -o '<TOTALBYTES>[0-9]*' | head -n 1; }
is "and the size of all contents" "$(total x.wim)" "$(total want.wim)"
is "the image is called as its Windows" "$(element x.wim NAME)" "Windows 10 Pro"
is "and the JSON says so" "$(jq -r .name x.json)" "Windows 10 Pro"
is "the state is known, and no warning" "$(jq -c '[.state, .warnings]' x.json)" '["generalized",[]]'
is "files and folders are counted" "$(jq -c '.files + .folders + 1' x.json)" \
	"$(wimlib-imagex dir x.wim | wc -l)"
is "bytes_written is the file's size" "$(jq .bytes_written x.json)" "$(stat -c %s x.wim)"

"$GILD" capture disk.raw --output=again.wim --quiet
ok "the same bytes again" cmp x.wim again.wim
taskset -c 0 "$GILD" capture disk.raw --output=one.wim --quiet
ok "and on one processor" cmp x.wim one.wim
rm -f again.wim one.wim
ok "gild inspects it" "$GILD" inspect x.wim
is "and finds the same Windows" "$("$GILD" inspect x.wim --index=1 --json | jq -cS 'del(.image,.problems)')" \
	"$("$GILD" inspect disk.raw --index=1 --json | jq -cS 'del(.image,.problems,.disk)')"
for format in none xpress; do
	"$GILD" capture disk.raw --output=$format.wim --compression=$format --quiet
	ok "$format: the same entries" same want.wim $format.wim
	ok "$format: all is sound" verified $format.wim
done
rm -f none.wim xpress.wim

# ---- applied by wimlib ---------------------------------------------------------------------
truncate -s 64M new.ntfs
mkntfs -Q -F -q -s 512 -p 0 -H 255 -S 63 new.ntfs >/dev/null 2>&1
ok "wimlib-imagex applies it to NTFS" wimlib-imagex apply x.wim 1 new.ntfs --quiet
theirs new.ntfs back.wim
ok "and finds it all there again" same x.wim back.wim --but "/=Link Count"
ok "wimlib-imagex applies it to a folder" wimlib-imagex apply x.wim 1 folder --no-acls --quiet
is "with the same files" "$(find folder -type f | wc -l)" "$(jq .files x.json)"
rm -rf folder new.ntfs back.wim
# gild's own writer of volumes, and its Compact OS.
if [ -x "$GILD_BUILD/tests/applytool" ]; then
	for how in "" --compact; do
		rm -f new.ntfs back.wim
		ok "gild's own volume${how:+ ($how)}" "$GILD_BUILD/tests/applytool" $how x.wim 1 new.ntfs
		"$tool" new.ntfs capture back.wim lzx
		ok "is captured with all that it had" same x.wim back.wim
	done
	rm -f new.ntfs back.wim
fi

# ---- a disk of other kinds, other Windows, names ---------------------------------------------
if command -v qemu-img >/dev/null; then
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	"$GILD" capture disk.qcow2 --output=q.wim --quiet
	ok "from qcow2: the same bytes" cmp x.wim q.wim
	rm -f disk.qcow2 q.wim
fi
"$mksample" disk old.raw --windows=xp --table=none --volume-size=33554432 >/dev/null
theirs old.raw want-xp.wim
"$GILD" capture old.raw --output=xp.wim --name='A "name" & <more>' --json >xp.json
ok "an XP" same want-xp.wim xp.wim
is "the image's name is kept" "$(xml xp.wim | sed 's|.*<NAME>\(.*\)</NAME>.*|\1|')" \
	'A "name" &amp; &lt;more&gt;'
is "a Windows that is set up warns" "$(jq -r '.warnings[].code' xp.json)" not_generalized
ok "in the text, too" sh -c "'$GILD' capture old.raw --output=t.wim | grep -q 'warning: .*generalised'"
"$GILD" capture old.raw --output=solid.wim --compression=solid --level=20 --quiet
ok "solid: the same entries" same want-xp.wim solid.wim
ok "solid: all is sound" verified solid.wim
"$GILD" capture old.raw --output=solid2.wim --compression=solid --level=20 --quiet
ok "solid: the same bytes again" cmp solid.wim solid2.wim
is "solid: no temporary file is left" "$(find . -name '.gild*')" ""
for what in none xpress; do
	"$GILD" capture old.raw --output=$what.wim --compression=$what --quiet
done
for level in 20 50; do "$GILD" capture old.raw --output=lzx$level.wim --level=$level --quiet; done
sizes() { stat -c %s none.wim xpress.wim lzx20.wim lzx50.wim solid.wim; }
is "each is smaller than the one before" "$(sizes)" "$(sizes | sort -nru)"
rm -f old.raw xp.wim t.wim want-xp.wim none.wim xpress.wim lzx*.wim solid*.wim

# ---- exclusions ------------------------------------------------------------------------------
cp disk.raw paged.raw
head -c 5000 /dev/urandom >page
"$GILD" edit paged.raw --quiet --copy=page:pagefile.sys --copy=page:swapfile.sys \
	--copy="page:System Volume Information/x" --copy="page:\$Recycle.Bin/S-1-5/y" \
	--copy=page:Windows/CSC/z --copy=page:Windows/MEMORY.DMP --copy=page:Users/pagefile.sys \
	--copy=page:Users/a.tmp --copy=page:Users/b.TMP --copy=page:Users/c.txt || exit 1
"$GILD" capture paged.raw --output=paged.wim --json >paged.json
is "paging files and the like are left out" \
	"$(jq -r '.excluded[]' paged.json | sort | tr '\n' :)" \
	"\$Recycle.Bin:System Volume Information:Windows/CSC:Windows/MEMORY.DMP:pagefile.sys:swapfile.sys:"
is "files of such names elsewhere are not" "$(wimlib-imagex dir paged.wim | grep -c pagefile)" 1
"$GILD" capture paged.raw --output=all.wim --no-default-exclusions --exclude='*.tmp' \
	--exclude='\Users\c.*' --quiet
is "what is excluded is chosen by patterns" \
	"$(wimlib-imagex dir all.wim | grep -cE 'pagefile|Recycle|a.tmp|b.TMP|c.txt')" 5
ok "nothing dangles" verified all.wim
rm -f paged.raw paged.wim all.wim

# ---- everything that NTFS has --------------------------------------------------------------
"$tool" all make 67108864 512 4096 20 && "$tool" all metadata || exit 1
wof_but=(--but /Wof --but /Reparse/wim --but /Reparse/unknown --but /Reparse/dedup)
unreadable=(Content/encrypted Reparse/wim Reparse/unknown Reparse/dedup)
theirs all want.wim
ok "a volume of everything" "$tool" all capture all.wim lzx "${unreadable[@]}"
ok "is as wimlib-imagex captures it" same want.wim all.wim "${wof_but[@]}"
ok "and sound" verified all.wim
echo x >file
ok "gild edits it" "$GILD" edit all.wim --copy=file:file
is "and finds its folders in the form that DISM takes" "$(grep -c DISM .out)" 0
ok "and all is sound after an edit" verified all.wim
# Compact OS: the content of one chunk size's files is that of all others with the size.
is "Compact OS: the files are plain" "$(wimlib-imagex dir all.wim --path=/Wof --detailed |
	grep -cE 'SPARSE|REPARSE|WofCompressed')" 0
is "and as gild's tree reads them" "$(wimlib-imagex extract all.wim 1 /Wof --dest-dir=out --quiet 2>/dev/null &&
	cd out/Wof && sha256sum -- * | awk '{print $1, $2}' | sort)" \
	"$("$tool" all list 2>/dev/null | sed -n 's|^f .* \([0-9a-f]\{64\}\) Wof/\(.*\)|\1 \2|p' | sort)"
for file in "${unreadable[@]}"; do
	others=()
	for other in "${unreadable[@]}"; do [ "$other" = "$file" ] || others+=("$other"); done
	fails 1 "$file is refused" "$tool" all capture no.wim lzx "${others[@]}"
	cp .out message
	ok "by name, with a remedy" grep -E "$file: (is|its).*; (decrypt|run)" message
done
rm -rf out all all.wim

# The same Windows with Compact OS: only how it was stored differs.
theirs volume want.wim
wimlib-imagex dir want.wim --path=/Windows/System32/drivers | sed 's|^/||' | grep '\.sys$' |
	head -n 40 >drivers
xargs -d '\n' "$tool" volume compact 1 <drivers
"$GILD" capture volume --output=compact.wim --quiet
ok "a Windows with compacted drivers" same want.wim compact.wim --but "/Windows/=Last Write Time,Last Access Time"
rm -f compact.wim

# ---- volumes that Windows wrote ----------------------------------------------------------------
real() { # FILE OFFSET SIZE WHAT
	local file=$GILD_TEST_DATA/images/disk/$1
	if [ ! -e "$file" ]; then
		skip "$4" "real test data not here ($1)"
		return
	fi
	case $1 in *.xz) xz -dc "$file" ;; *) gzip -dc "$file" ;; esac | cp --sparse=always /dev/stdin real
	dd if=real of=part bs=65536 skip=$(($2 / 65536)) count=$((($3 + 65535) / 65536)) conv=sparse status=none
	truncate -s "$3" part
	theirs part want.wim
	rm -f got.wim
	ok "$4" "$tool" part capture got.wim lzx "System Volume Information" "\$RECYCLE.BIN"
	ok "$4: as wimlib-imagex captures it" same want.wim got.wim
	ok "$4: sound" verified got.wim
	rm -f real part
}
real ntfs-lastaccess.raw.gz 65536 265289728 "Windows 10 1903"
real win10-fixed-ntfs.vhd.xz 0 41877504 "a volume with streams"
real testfs1.ntfs.xz 0 2097152 "mkntfs"

# ---- what is refused ---------------------------------------------------------------------------
fails 1 "an output that exists" "$GILD" capture disk.raw --output=x.wim
fails 2 "a WIM is no disk" "$GILD" capture x.wim --output=y.wim
mkdir folder
fails 2 "nor is a folder" "$GILD" capture folder --output=y.wim
fails 2 "an output that is named as a disk" "$GILD" capture disk.raw --output=y.vhdx
fails 1 "a file that grows too large" sh -c "ulimit -f 100; exec '$GILD' capture disk.raw --output=y.wim"
cp .out message
ok "which is named, with the remedy" grep -q '^gild: y.wim: .*ulimit' message
"$GILD" capture disk.raw --output=y.esd --quiet
is "an .esd is solid" "$(wimlib-imagex info y.esd | sed -n 's/^Compression: *//p')" LZMS
fails 2 "an unknown compression" "$GILD" capture disk.raw --output=y.wim --compression=zip
fails 2 "a level that is none" "$GILD" capture disk.raw --output=y.wim --level=x
fails 1 "a folder that is not there" "$GILD" capture disk.raw --output=none/y.wim
# $LogFile, the third record of the MFT: its first restart page is damaged.
python3 - volume <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    boot = f.read(512)
    cluster = int.from_bytes(boot[11:13], "little") * boot[13]
    f.seek(int.from_bytes(boot[48:56], "little") * cluster + 2 * 1024)
    record = f.read(1024)
    at = int.from_bytes(record[20:22], "little")
    while record[at:at + 4] != b"\x80\0\0\0":
        at += int.from_bytes(record[at + 4:at + 8], "little")
    run = at + int.from_bytes(record[at + 32:at + 34], "little")
    first = run + 1 + (record[run] & 15)
    f.seek(int.from_bytes(record[first:first + (record[run] >> 4)], "little") * cluster)
    f.write(b"BAAD" + bytes(60))
END
if "$GILD" inspect volume --json | grep -q '"log_unclean"'; then
	fails 4 "a volume that was not unmounted" "$GILD" capture volume --output=y.wim
	ok "unless that is accepted" "$GILD" capture volume --output=y.wim --accept-dirty --quiet
	rm -f y.wim
else
	skip "a volume that was not unmounted" "the log still counts as clean"
fi

"$mksample" disk two.raw --images=2 --volume-size=33554432 >/dev/null
fails 2 "one of two Windows has to be chosen" "$GILD" capture two.raw --output=y.wim
{ printf HIBR; head -c 8188 /dev/zero; } >hiberfil.sys
"$GILD" edit two.raw --index=2 --copy=hiberfil.sys:hiberfil.sys --quiet
fails 4 "a hibernated Windows" "$GILD" capture two.raw --index=2 --output=y.wim
ok "is captured if that is accepted" "$GILD" capture two.raw --index=2 --output=y.wim --accept-dirty --json
is "with a warning" "$(jq -r '[.warnings[].code] | sort | .[0]' .out)" hibernated
ok "and the other as it is" "$GILD" capture two.raw --index=1 --output=z.wim
rm -f two.raw y.wim z.wim

# ---- stopped ------------------------------------------------------------------------------------
left() { find . -name 'y.wim' -o -name '.gild*'; }
fails 1 "a file size limit is an error" sh -c "ulimit -f 2000; '$GILD' capture disk.raw --output=y.wim"
is "and leaves nothing" "$(left)" ""
killer=$GILD_BUILD/tests/killer.so
if [ -e "$killer" ]; then
	export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
	KILL_AT=0 KILL_LOG=steps LD_PRELOAD=$killer "$GILD" capture disk.raw --output=y.wim --quiet
	steps=$(wc -l <steps)
	ok "it takes steps that can be stopped" [ "$steps" -gt 50 ]
	rm -f y.wim
	KILL_AT=1 KILL_ERROR=EOPNOTSUPP LD_PRELOAD=$killer "$GILD" capture disk.raw --output=y.wim --quiet
	ok "a file system without nameless files" cmp x.wim y.wim
	rm -f y.wim
	is "has no other one left" "$(left)" ""
	whole=0 none=0 bad=0
	for n in 1 2 3 $((steps / 3)) $((steps / 2)) $((steps - 3)) $((steps - 2)) $((steps - 1)) "$steps"; do
		{ KILL_AT=$n LD_PRELOAD=$killer "$GILD" capture disk.raw --output=y.wim --quiet; } 2>/dev/null
		if [ ! -e y.wim ]; then none=$((none + 1)); elif cmp -s x.wim y.wim; then whole=$((whole + 1)); else bad=$((bad + 1)); fi
		rm -f y.wim
	done
	is "killed at any step it leaves no output, or the whole" "$bad $((whole + none))" "0 9"
	is "and before its end no output" "$none" 8
	for n in 2 $((steps / 2)) $((steps - 1)) "$steps"; do
		{ KILL_AT=$n KILL_ERROR=ENOSPC LD_PRELOAD=$killer "$GILD" capture disk.raw --output=y.wim --quiet; } 2>message
		is "a full disk at step $n: exit code, nothing left" "$?$(left)" 1
	done
fi
"$GILD" capture disk.raw --output=y.wim --level=1000 --quiet 2>message &
pid=$!
sleep 0.3
kill -INT $pid 2>/dev/null
wait $pid
is "Ctrl-C: interrupted, or done before" "$(case $? in 130) left ;; 0) rm y.wim; left ;; *) echo "$?" ;; esac)" ""
done_testing
