# SPDX-License-Identifier: GPL-3.0-or-later
# Images of a WIM applied to a new NTFS volume by gild's own writer: beside wimlib's apply to a
# volume of mkntfs, for the tools of ntfs-3g, for gild's other half. What comes back by a
# capture with wimlib must be what went in, in every entry.
. "${GILD_SOURCE:-$(dirname "$0")/../..}/tests/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need wimlib-imagex mkntfs ntfsresize ntfscat ntfsinfo python3
apply=$GILD_BUILD/tests/applytool
check=$GILD_SOURCE/tests/ntfscheck.py
same=$GILD_SOURCE/tests/wimsame.py
mkwim=$GILD_SOURCE/tests/mkwim.py
list=$GILD_BUILD/tests/ntfstool
cd "$scratch" || exit 1

sound() { # VOLUME
	python3 "$check" --strict "$1" && ntfsresize -i -f "$1"
}
# Captures a volume and compares with a WIM that has no compression.
back() { # WIM VOLUME
	rm -f back.wim
	wimlib-imagex capture "$2" back.wim --compress=none >/dev/null && python3 "$same" "$1" back.wim
}

# ---- hard cases ------------------------------------------------------------------------
python3 "$mkwim" hard wide.wim 20000 odd
"$apply" wide.wim 1 wide >/dev/null
ok "20,000 names in a folder: the volume is sound" sound wide
ok "... every entry comes back" back wide.wim wide
rm -f wide wide.wim

python3 "$mkwim" hard hard.wim 200 odd
for c in XPRESS LZX; do
	wimlib-imagex export hard.wim 1 hard-$c.wim --compress=$c:20 >/dev/null 2>&1
done
wimlib-imagex export hard.wim 1 hard-solid.wim --solid --solid-compress=LZX:20 \
	--solid-chunk-size=2M >/dev/null 2>&1
options=(--label="Größe" --hidden=2048)
"$apply" --threads=1 "${options[@]}" hard.wim 1 volume >figures || exit 1
ok "hard cases: every entry comes back" back hard.wim volume
"$apply" "${options[@]}" hard.wim 1 again >/dev/null
ok "the same bytes once more" cmp volume again
for wim in hard-XPRESS hard-LZX hard-solid; do
	"$apply" --threads=1 "${options[@]}" $wim.wim 1 one >/dev/null
	for threads in 2 4; do
		"$apply" --threads=$threads "${options[@]}" $wim.wim 1 again >/dev/null
		ok "$wim: the same bytes with $threads threads" cmp one again
	done
done
ok "solid: the volume is sound" sound one
ok "solid: every entry comes back" back hard.wim one

truncate -s 100M oracle
mkntfs -Q -F -q -s 512 -c 4096 -p 2048 -H 255 -S 63 oracle >/dev/null 2>&1
wimlib-imagex apply hard.wim 1 oracle >/dev/null 2>&1
back hard.wim oracle >differences
# wimlib drops the sparse flag of what it keeps resident.
is "wimlib's apply gives the same, but for the sparse flag of small files" \
	"$(sed "/^'.Sparse.*: attributes 512, 128$/d" differences)" \
	"2161 entries, 2 faults"
rm -f oracle again one back.wim

# ---- what other programs see -----------------------------------------------------------
is "the label, as ntfs-3g reads it" "$(ntfsinfo -m -f volume | sed -n 's/^\tVolume Name: //p')" "Größe"
is "the boot sector's copy is the last sector" \
	"$(tail -c 512 volume | sha256sum)" "$(head -c 512 volume | sha256sum)"
is "hidden sectors and heads" \
	"$(python3 -c 'import struct; print(*struct.unpack("<HHI", open("volume", "rb").read(512)[0x18:0x20]))')" \
	"63 64 2048"
is "a stream by its name" "$(ntfscat -f -n Zone.Identifier volume 'Streams/only named' | head -n 1)" \
	"[ZoneTransfer]$(printf '\r')"
is "the hundredth name of a file" "$(ntfscat -f volume 'Links/link number 100 to the file')" "many names"
is "holes take no clusters" "$(ntfsinfo -f -F 'Sparse/all holes' volume | grep -c 'Compressed size:.* 0 ')" 1
"$apply" --sector=4096 hard.wim 1 volume4k >/dev/null
ok "sectors of 4096 bytes" sound volume4k
rm -f volume4k

# ---- sizes -----------------------------------------------------------------------------
size=$("$apply" --need hard.wim 1) half=$((size / 8192 * 4096))
"$apply" --size="$size" hard.wim 1 tight >/dev/null
ok "the size that is said to be needed is enough" sound tight
refused() { # FILE COMMAND...: keeps what it says
	"${@:2}" >"$1" 2>&1
	test $? = 1
}
ok "too small a volume" refused message "$apply" --size=$half hard.wim 1 small
ok "... says both sizes" grep -qE "has $half bytes, the files need [0-9]+" message
ok "... before anything is written" cmp -n $half small /dev/zero
rm -f tight small

# ---- damage ----------------------------------------------------------------------------
at=$(wimlib-imagex info hard-LZX.wim --blobs 2>/dev/null |
	awk -F' *= *' '/^Uncompressed size/ {u = $2 + 0} /^Offset in WIM/ && u == 5000000 {print $2 + 0; exit}')
cp hard-LZX.wim bad.wim
printf '\xaa\x55\xaa' | dd of=bad.wim bs=1 seek=$((at + 30000)) conv=notrunc status=none
ok "a damaged content is refused" refused message "$apply" bad.wim 1 bad
ok "... and said to be damaged" grep -q "damaged" message
rm -f bad bad.wim

# ---- Compact OS ------------------------------------------------------------------------
python3 "$mkwim" hard hard.wim 100
wimlib-imagex export hard.wim 1 lzx.wim --compress=LZX:20 >/dev/null 2>&1
wimlib-imagex export hard.wim 1 xpress.wim --compress=XPRESS:20 >/dev/null 2>&1
"$apply" hard.wim 1 plain >plain.figures
"$list" plain list 2>/dev/null | cut -d' ' -f1-2,4- >plain.list
for wim in lzx xpress; do
	"$apply" --compact --threads=1 $wim.wim 1 compact >figures
	ok "Compact OS from $wim: the volume is sound" sound compact
	"$list" compact list 2>/dev/null | cut -d' ' -f1-2,4- >compact.list
	ok "... gild reads every file as it was" cmp plain.list compact.list
	ok "... some files are compressed" test "$(awk '{print $3}' figures)" -gt 10
	ok "... and space is saved" test "$(awk '{print $1}' figures)" -lt "$(awk '{print $1}' plain.figures)"
	"$apply" --compact --threads=4 $wim.wim 1 again >/dev/null
	ok "... the same bytes with 4 threads" cmp compact again
	[ $wim = xpress ] || mv compact compact.lzx
done
# The stream is the WIM's resource, byte for byte.
ntfscat -f -n WofCompressedData compact.lzx 'Sizes/text 5000000.txt' >stream
is "an LZX resource is copied as it is" "$(python3 -c 'import sys
wim, stream = (open(p, "rb").read() for p in sys.argv[1:])
print(stream in wim and len(stream) < 5000000)' lzx.wim stream)" True
rm -f plain compact compact.lzx again

# ---- a Windows -------------------------------------------------------------------------
if [ -x "$GILD_BUILD/samples/mksample" ]; then
	"$GILD_BUILD/samples/mksample" wim windows.wim --oem
	"$GILD_BUILD/samples/mkdrivers" drivers exstor >/dev/null
	"$GILD" inspect windows.wim 2>&1 | grep -E '^  (Windows|Version|State)' >before
	for compact in "" --compact; do
		# shellcheck disable=SC2086
		"$apply" $compact windows.wim 1 windows.raw >figures
		"$GILD" inspect windows.raw 2>&1 | grep -E '^  (Windows|Version|State)' >after
		ok "gild inspects the applied Windows $compact" cmp before after
		ok "gild injects a driver into it $compact" "$GILD" inject windows.raw \
			--unsigned=allow --driver=drivers
		ok "the volume is sound afterwards $compact" sound windows.raw
	done
	is "what is said to be needed is at most a quarter too much" \
		$(($("$apply" --need windows.wim 1) * 4 / 5 > $("$apply" windows.wim 1 again | cut -d' ' -f1))) 0
	ntfsinfo -f -F Windows/System32/ntoskrnl.exe windows.raw >kernel
	ok "the kernel stays plain" sh -c '! grep -q WofCompressedData kernel'
fi

# ---- random trees ----------------------------------------------------------------------
for seed in 1 2 3; do
	python3 "$mkwim" random random.wim $seed 300
	"$apply" random.wim 1 random.vol >/dev/null
	ok "random tree $seed: the volume is sound" sound random.vol
	ok "random tree $seed: every entry comes back" back random.wim random.vol
	[ $seed = 1 ] || continue
	wimlib-imagex export random.wim 1 lzms.esd --solid --solid-compress=LZMS:10 \
		--solid-chunk-size=1M >/dev/null 2>&1
	"$apply" --threads=1 lzms.esd 1 one >/dev/null
	"$apply" --threads=4 lzms.esd 1 random.vol >/dev/null
	ok "... and from LZMS chunks" back random.wim random.vol
	ok "... the same bytes with 4 threads" cmp one random.vol
done
done_testing
