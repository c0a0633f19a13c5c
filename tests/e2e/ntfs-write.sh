# SPDX-License-Identifier: GPL-3.0-or-later
# Staged changes carried out on NTFS volumes, looked at by tools that are not gild's: a checker
# from the format alone (ntfscheck.py), ntfsresize, ntfsinfo, ntfscat, and wimlib's capture
# compared with the same edit of a WIM.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need mkntfs ntfsresize ntfsinfo ntfscat wimlib-imagex python3
edit="$GILD_BUILD/tests/ntfsedit"
look="$GILD_BUILD/tests/ntfstool"
mksample="$GILD_BUILD/samples/mksample"
cd "$scratch" || exit 1

sound() { # VOLUME
	python3 "$GILD_SOURCE/tests/ntfscheck.py" --strict "$1" && ntfsresize -i -f "$1"
}
copy() {
	cp --sparse=always "$1" "$2"
}
change() { # VOLUME LINE...: words of a line separated by |
	local volume=$1
	shift
	printf '%s\n' "$@" | tr '|' '\t' | "$edit" "$volume"
}
names() { # VOLUME PATH: "namespace name" for each
	ntfsinfo -f -F "$2" "$1" | awk -F:'\t+ ' '/Namespace/{n=$2} /Filename:/{print n, $2}' |
		sort | tr '\n' ';'
}

# ---- one of everything that Windows leaves on a volume

"$look" one.raw make 60000000 512 4096 300 >make.out 2>&1 || skip_all "$(cat make.out)"
ok "the sample volume is sound" sound one.raw
copy one.raw bad.raw
for fault in 18:links 60:attributes 1024:magic; do
	python3 - bad.raw "${fault%:*}" <<'EOF'
import struct, sys
with open(sys.argv[1], 'r+b') as f:
    boot = f.read(512)
    f.seek(struct.unpack_from('<Q', boot, 48)[0] * 4096 + 70 * 1024 + int(sys.argv[2]))
    f.write(b'\x07')
EOF
	fails 1 "the checker sees wrong ${fault#*:}" python3 \
		"$GILD_SOURCE/tests/ntfscheck.py" bad.raw
	copy one.raw bad.raw
done
cat >everything <<'EOF'
noise|Content/resident.txt|200|1
noise|Content/large.txt|2000000|2
noise|Content/fragments.txt|500000|3
noise|Content/sparse.bin|100000|4
noise|Content/lznt1.txt|300|5
noise|Content/lznt1.bin|70001|6
noise|Content/old.txt|0|7
noise|Content/first name|6000|8
noise|Content/A long name.txt|100000|9
noise|Content/encrypted|5|5
noise|Wof/0-1|20|10
noise|Wof/1-655360|655360|11
noise|Reparse/wim|9|12
noise|Reparse/dedup|9000|13
noise|Reparse/junction|9000|13
mv|Wof/2-8192|Many/moved wof file.dat
mv|Content/fragments.txt.between|Größe/x
mv|Größe|Grösse
write|Grösse/ÄÖÜ.txt|neu
mv|Many/File number 00001.txt|Many/t
mv|Many/File number 00002.txt|Many/File number 00001.txt
mv|Many/t|Many/File number 00002.txt
mv|Many/File number 00003.txt|Many/FILE NUMBER 00003.TXT
rm|Many/File number 00004.txt
mkdir|Many/File number 00004.txt
write|Many/File number 00004.txt/below|x
rm|Wof
attr|Content/second name|7
EOF
tr '|' '\t' <everything >script
copy one.raw a.raw
"$edit" a.raw <script >out
is "EFS files and junctions are not written to" \
	"$(grep refused out | tr '\n' ';')" \
	"refused: noise Content/encrypted;refused: noise Reparse/junction;"
ok "sound after changes of all kinds" sound a.raw
sleep 1
copy one.raw b.raw
MALLOC_PERTURB_=85 "$edit" b.raw <script >out
ok "the same changes give the same bytes" cmp a.raw b.raw
is "a hard link that is replaced leaves the other name its content" \
	"$(ntfscat -f a.raw 'Content/second name' | cksum)" \
	"$(ntfscat -f one.raw 'Content/second name' | cksum)"
"$look" one.raw list 2>/dev/null >before
"$look" a.raw list 2>/dev/null >after
is "times and attributes that a replaced file keeps" \
	"$(awk '/old.txt/{print $2, $3, $4}' after)" "0 27 119600064000000001"
is "a moved file keeps its content" "$(awk '/moved wof/{print $6}' after)" \
	"$(awk '/Wof\/2-8192/{print $6}' before)"
is "names swapped" "$(awk '/number 0000[12]/{print $2, $9}' after | tr '\n' ';')" \
	"2 00001.txt;1 00002.txt;"
is "what was compressed is plain now" \
	"$(awk '/lznt1|Wof|sparse|Reparse\/(wim|dedup)/{print $3}' after | sort -u)" 20
is "the short name of a replaced file stays" "$(names a.raw '/Content/A long name.txt')" \
	"DOS 'ALONGN~1.TXT';Win32 'A long name.txt';"
change a.raw "rm|Content" "rm|Many" "rm|Reparse" "rm|Grösse" >out
ok "sound when nearly all is removed" sound a.raw

# ---- names as Windows gives them

ok "a sample Windows" "$mksample" disk win.raw --table=none
{
	for i in $(seq 1 6); do echo "write|New/some driver file $i.sys|$i"; done
	echo "write|New/plain.sys|x"
	echo "write|New/two dots.tar.gz|x"
	echo "write|New/.config|x"
	echo "write|New/a+b.inf|x"
	echo "write|New/Ünïcode.txt|x"
	printf 'write|New/%s|x\n' "$(printf 'n%.0s' $(seq 255))"
	echo "mkdir|$(seq -s/ 1 150)"
	for i in $(seq 2000); do echo "write|Many/number $i of many files.txt|$i"; done
	for i in 0 1 600 690 700 730 744 745 4095 4096 4097 70000; do
		echo "noise|Sizes/$i|$i|$i"
	done
} | tr '|' '\t' >script
copy win.raw a.raw
"$edit" a.raw <script >out
ok "sound with 2000 files in a folder, deep paths and odd names" sound a.raw
is "short names of four alike" \
	"$(for i in 1 2 3 4; do names a.raw "/New/some driver file $i.sys"; done)" \
	"$(for i in 1 2 3 4; do
		echo -n "DOS 'SOMEDR~$i.SYS';Win32 'some driver file $i.sys';"
	done)"
is "the fifth has the hash in it" "$(names a.raw "/New/some driver file 5.sys")" \
	"DOS 'SO$(python3 - <<'EOF'
h = 0
for c in 'some driver file 5.sys':
    h = (h * 37 + ord(c)) % 65536
h = h * 314159269 % 2 ** 32
h = min(h, 2 ** 32 - h) % 1000000007 % 65536
print(('%04X' % h)[::-1], end='')
EOF
	)~1.SYS';Win32 'some driver file 5.sys';"
is "an 8.3 name needs no other" "$(names a.raw /New/plain.sys)" "Win32 & DOS 'plain.sys';"
is "other rules of short names" \
	"$(names a.raw '/New/two dots.tar.gz'; names a.raw /New/.config
		names a.raw /New/a+b.inf; names a.raw /New/Ünïcode.txt)" \
	"$(printf '%s' "DOS 'TWODOT~1.GZ';Win32 'two dots.tar.gz';" \
		"DOS 'CONFIG~1';Win32 '.config';" "DOS 'A_B~1.INF';Win32 'a+b.inf';" \
		"DOS '_N_COD~1.TXT';Win32 'Ünïcode.txt';")"
"$look" a.raw list | grep ' Sizes/' >after
is "sizes around what a record holds" "$(awk '{print $2}' after | sort -n | tr '\n' ' ')" \
	"0 1 600 690 700 730 744 745 4095 4096 4097 70000 "
is "their content" "$(ntfscat -f a.raw Sizes/70000 | sha256sum | cut -d' ' -f1)" \
	"$(awk '/Sizes\/70000/{print $6}' after)"
change a.raw "rm|Many" "rm|1" "rm|New" "rm|Windows/System32" >out
ok "sound when large folders are removed" sound a.raw

# ---- against the same edit of a WIM, by wimlib's capture of the volume

cat >lines <<'EOF'
noise|Windows/System32/drivers/disk.sys|50000|3
noise|Windows/System32/drivers/new driver.sys|70000|4
noise|Windows/System32/config/SYSTEM|300000|5
write|Windows/System32/DriverStore/FileRepository/foo.inf_amd64_0123456789abcdef/foo.inf|x
noise|Windows/System32/DriverStore/FileRepository/foo.inf_amd64_0123456789abcdef/f.sys|8000|6
write|Windows/INF/oem7.inf|x
mkdir|Windows/System32/config/newfolder
write|New/Top/file.txt|hello
rm|Windows/INF/disk.inf
mv|Windows/INF/cdrom.inf|Windows/INF/cdrom2.inf
attr|Windows/explorer.exe|7
rm|Boot
rm|bootmgr
EOF
tr '|' '\t' <lines >script
listing() {
	wimlib-imagex dir "$1" 1 --detailed | awk -F' *= ' '/^Full Path/{p = $2}
		/^(Attributes|Security Desc|Creation|Last Write|Hash|Uncomp|Link Count)/{
			print p ": " $1 "=" $2}' | sort
}
copy win.raw a.raw
"$edit" a.raw <script >out
ok "the same edit of a WIM" sh -c "'$mksample' wim x.wim && '$edit' --image x.wim <script"
ok "wimlib captures the volume" wimlib-imagex capture a.raw y.wim --compress=none
listing x.wim >x.txt
listing y.wim >y.txt
ok "names, content, attributes, descriptors, times and links as in the WIM" \
	diff x.txt y.txt
is "so many entries compared" "$(($(wc -l <x.txt) > 1500))" 1

# ---- a volume that Windows formatted and wrote to

real="$GILD_TEST_DATA/images/disk/win10-fixed-ntfs.vhd.xz"
if [ -e "$real" ]; then
	xz -dc "$real" | head -c 41877504 | cp --sparse=always /dev/stdin real.raw
	change real.raw "noise|Gild Test Folder/A long name.sys|50000|1" "write|Nine.txt|new" \
		"write|x.txt|y" "mkdir|Windows/System32/drivers" >out
	ok "Windows' own volume is sound after an edit" \
		python3 "$GILD_SOURCE/tests/ntfscheck.py" real.raw
	is "names there are as Windows gives them without short names" \
		"$(names real.raw '/Gild Test Folder/A long name.sys'; names real.raw /x.txt
			names real.raw /Nine.txt)" \
		"POSIX 'A long name.sys';POSIX 'x.txt';POSIX 'Nine.txt';"
	is "and content" "$(ntfscat -f real.raw Nine.txt)" new
else
	skip "Windows' own volume after an edit" "set GILD_TEST_DATA"
fi

# ---- a full volume

truncate -s 8M small.raw
mkntfs -q -Q -F -s 512 -p 0 -H 255 -S 63 -c 4096 small.raw 2>/dev/null
copy small.raw a.raw
fails 1 "no room: refused before the first write" change a.raw "noise|big|20000000|1"
is "with both figures" "$(sed -n 's/.*\(bytes free and up to\) [0-9]* \(are needed\).*/\1 \2/p' .out)" \
	"bytes free and up to are needed"
ok "and the volume is as before" cmp small.raw a.raw

# ---- random edits

bash -c "'$mksample' tree folder" >/dev/null
change win.raw "rm|Boot" "rm|bootmgr" >/dev/null
seeds=1 rounds=4
[ -z "${GILD_TEST_FULL-}" ] || seeds=40 rounds=12
for seed in $(seq $seeds); do
	rm -rf f
	cp -a folder f
	copy win.raw r.raw
	ok "random edits $seed: as on a folder, and sound" \
		python3 "$GILD_SOURCE/tests/ntfsrandom.py" "$GILD_BUILD/tests" r.raw f \
		"$seed" $rounds
done
done_testing
