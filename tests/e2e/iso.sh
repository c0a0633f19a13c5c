#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Install media and driver media on ISOs, through the real binary: read in place, the same
# as the files on them, never written.
# shellcheck disable=SC2016 # $Windows NT$ is text
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
mksample=$GILD_BUILD/samples/mksample treetool=$GILD_BUILD/tests/treetool
isotool=$GILD_BUILD/tests/isotool
[ -x "$mksample" ] || skip_all "the sample generator was not built (hivex is missing)"
need genisoimage xorriso 7z jq wimlib-imagex
cd "$scratch" || exit 1
mkdir tmp
export TMPDIR=$scratch/tmp

"$mksample" media m --images=2 --plain || exit 1
wim=m/sources/install.wim
says() { # WHAT PATTERN: of the command before
	grep -q -- "$2" .out
	tap $? "$1" .out
}
udf() { genisoimage -quiet -udf -o "$1" "$2"; }

# ---- the image on the media is the image -------------------------------------------------
udf u.iso m
genisoimage -quiet -J -o j.iso m
xorriso -as mkisofs -quiet -R -o r.iso m 2>/dev/null
inspected() { "$GILD" inspect "$1" --json | jq -S 'del(.. | .path?, .format?)'; }
inspected $wim >want.json
is "the WIM has two images" "$(jq '.images | length' want.json)" 2
for iso in u j r; do
	inspected $iso.iso >$iso.json
	ok "$($isotool $iso.iso kind): inspect says of the ISO what it says of the WIM" \
		cmp $iso.json want.json
done
is "the format is named" "$("$GILD" inspect u.iso --json | jq -r '.images[0].image.format')" iso
is "every file is the same" "$("$treetool" u.iso use 2 : digest)" \
	"$("$treetool" $wim use 2 : digest)"

if command -v python3 >/dev/null; then
	python3 "$GILD_SOURCE/tests/mkudf.py" --media $wim p.iso
	is "a WIM in three pieces" "$("$isotool" p.iso extents sources/install.wim | wc -l)" 3
	is "is read in place as well" "$("$treetool" p.iso use 2 : digest)" \
		"$("$treetool" $wim use 2 : digest)"
	ok "and written from" "$GILD" edit p.iso --index=1 --copy=want.json:new.json --output=p.wim
	ok "to a sound WIM" wimlib-imagex verify p.wim
else
	skip "a WIM in three pieces" "python3 is not installed"
fi

# ---- never edited, but a source of new images ---------------------------------------------
sum=$(sha256sum <u.iso)
fails 4 "editing an ISO is refused" "$GILD" edit u.iso --index=1 --copy=want.json:new.json
says "with the remedy" 'gild build'
ok "a WIM is written from it" "$GILD" edit u.iso --index=2 --copy=want.json:new.json --output=o.wim
ok "it is sound" wimlib-imagex verify o.wim
is "with the change" "$("$treetool" o.wim use 2 : cat new.json | sha256sum)" \
	"$(sha256sum <want.json)"
is "image 1 is untouched" "$("$treetool" o.wim digest)" "$("$treetool" $wim digest)"

mkdir -p esd/sources swm/sources
wimlib-imagex export $wim all esd/sources/install.esd --solid >/dev/null
wimlib-imagex split $wim swm/sources/install.swm 1 >/dev/null
for form in esd swm; do
	udf $form.iso $form
	is "$form: every file is the same" "$("$treetool" $form.iso use 1 : digest)" \
		"$("$treetool" $wim use 1 : digest)"
	ok "$form: a WIM is written from it" "$GILD" edit $form.iso --index=1 \
		--copy=want.json:new.json --output=$form.wim
	says "$form: the copy that wimlib needs is announced" 'are copied beside'
	ok "$form: it is sound" wimlib-imagex verify $form.wim
done
rm swm/sources/install3.swm
udf part.iso swm
fails 1 "a part that is missing is named" "$GILD" inspect part.iso
says "by its name" 'install3.swm: is not in the ISO'
is "the ISOs are as they were" "$(sha256sum <u.iso)" "$sum"

# ---- media that are none -------------------------------------------------------------------
mkdir -p none two/x64/sources
seq 10 >none/readme.txt
cp esd/sources/install.esd two/x64/sources
udf none.iso none
udf two.iso two
fails 2 "media without an image are refused" "$GILD" inspect none.iso
says "by name" 'without sources/install.wim'
fails 2 "media of two architectures are refused" "$GILD" inspect two.iso
says "naming what is there" 'has x64/sources/install.esd'
head -c 2000000 u.iso >cut.iso
fails 1 "a disc that was cut short is refused" "$GILD" inspect cut.iso
says "saying so" 'it has 2000000 bytes'

# ---- contents against other readers --------------------------------------------------------
mkdir -p "c/Sub folder/empty" 'c/Ünïcödé'
seq 100000 >'c/Sub folder/a name of more than thirty-two characters, with spaces.text'
seq 300 | while read -r i; do echo "$i" >"c/Ünïcödé/file $i.inf"; done
: >c/zero
truncate -s 1025M c/big
echo end >>c/big
udf c.iso c
listed() { "$isotool" "$1" list | sort; }
(cd c && find . -mindepth 1 -printf '%y %s %P\n' | sed -E 's/^d [0-9]+/d 0/' | sort) >c.list
is "UDF: names and sizes" "$(listed c.iso)" "$(cat c.list)"
is "a file of more than 1 GiB in several descriptors is one extent" \
	"$("$isotool" c.iso extents BIG | wc -l)" 1
ok "its content" cmp <("$isotool" c.iso cat big) c/big
7z x -bd -oz c.iso '-x!big' >/dev/null
is "7z reads the same" "$(cd z && find . -type f -exec sha256sum {} + | sort)" \
	"$(cd c && find . -type f -not -name big -exec sha256sum {} + | sort)"
same=0
while read -r _ size path; do
	[ "$size" != 0 ] && [ "$path" != big ] || continue
	"$isotool" c.iso cat "${path^^}" | cmp -s - "z/$path" || { same="$path"; break; }
done < <(grep -v '^d' c.list | awk 'NR % 20 == 0 || /spaces/')
is "and so does gild, whatever the case" "$same" 0
rm -rf c/big c.iso z
xorriso -as mkisofs -quiet -J -joliet-long -o c.iso c 2>/dev/null
is "Joliet: names and sizes" "$(listed c.iso)" "$(grep -v ' big$' c.list)"
xorriso -osirrox on -indev c.iso -extract / x 2>/dev/null
is "xorriso extracts the same" \
	"$("$isotool" c.iso cat 'sub folder/A name of more than thirty-two characters, with spaces.TEXT' | sha256sum)" \
	"$(cat x/*/a\ name* | sha256sum)"

# ---- volumes of mkudffs --------------------------------------------------------------------
if command -v mkudffs >/dev/null || [ -x /usr/sbin/mkudffs ]; then
	PATH=$PATH:/usr/sbin
	bad=
	for revision in 1.02 1.50 2.00 2.01; do
		for block in 512 2048 4096; do
			for form in inicb short long; do
				rm -f v.udf
				mkudffs --new-file -m hd -r $revision -b $block --ad=$form v.udf \
					3000 >/dev/null 2>&1
				[ "$("$isotool" v.udf kind; "$isotool" v.udf list)" = UDF ] ||
					bad="$bad $revision/$block/$form"
			done
		done
	done
	is "empty volumes of every revision, block size and form" "$bad" ""
	rm -f v.udf
	mkudffs --new-file -m dvdrw -r 1.50 v.udf 5000 >/dev/null 2>&1
	fails 1 "rewritable media are refused" "$isotool" v.udf list
	says "by name" 'sparable partition'
else
	skip "volumes of mkudffs" "mkudffs is not installed"
fi

# ---- drivers on ISOs -----------------------------------------------------------------------
mkdir -p d/x64
printf '%s\r\n' '[Version]' 'Signature="$Windows NT$"' 'Class=System' 'Provider=P' \
	'ClassGuid={4D36E97D-E325-11CE-BFC1-08002BE10318}' 'DriverVer=01/01/2024,1.0' \
	'[Manufacturer]' "M=M,NTamd64" "[M.NTamd64]" 'D=I,ROOT\X' '[I]' >d/x64/Dev.inf
seq 2000 >d/x64/dev.sys
paths() { "$GILD" inf "$@" --json 2>/dev/null | jq -r '[.files[].path] | join(" ")'; }
genisoimage -quiet -udf -hide '*.inf' -hide '*.sys' -o d.iso d
is "an INF that only UDF has is found" "$(paths d.iso)" "d.iso/x64/Dev.inf"
fails 4 "drivers are not injected into an ISO" "$GILD" inject u.iso --index=1 --driver=d.iso
mkdir n && cp d.iso n/drivers.iso
udf n.iso n
is "on an ISO on an ISO, too" "$(paths n.iso)" "n.iso/drivers.iso/x64/Dev.inf"
genisoimage -quiet -R -o d.iso d
is "Rock Ridge's names are used" "$(paths d.iso)" "d.iso/x64/Dev.inf"

is "nothing is left behind" "$(ls tmp)" ""
done_testing
