#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes small archives for fuzz_media in the folder DIR: one of each kind that a tool here
# can make, so that the fuzzer starts inside the formats.
set -eu
[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p p/x64
printf '[Version]\r\nSignature="$Windows NT$"\r\n' >p/x64/A.inf
seq 600 >p/x64/a.sys
ln -s ../a p/link
ln p/x64/a.sys p/hard.sys
have() { command -v "$1" >/dev/null; }
if have zip; then
	zip -qr "$out/a.zip" p
	zip -qr0y "$out/stored.zip" p
	zip -qr -P pw "$out/encrypted.zip" p
	{ printf MZ; head -c 3000 /dev/zero; cat "$out/a.zip"; } >"$out/zip.exe"
fi
if have 7z; then
	7z a -bd "$out/a.7z" p/x64 >/dev/null
	7z a -bd -m0=copy "$out/copy.7z" p/x64 >/dev/null
	{ printf MZ; head -c 3000 /dev/zero; cat "$out/a.7z"; } >"$out/7z.exe"
fi
tar cf "$out/a.tar" p
gzip -nc "$out/a.tar" >"$out/a.tar.gz"
have xz && xz -c "$out/a.tar" >"$out/a.tar.xz"
if have gcab; then
	gcab -c "$out/stored.cab" p/x64/A.inf p/x64/a.sys
	gcab -c -z "$out/mszip.cab" p/x64/A.inf p/x64/a.sys
	{ printf MZ; head -c 3000 /dev/zero; cat "$out/mszip.cab"; } >"$out/cab.exe"
fi
have genisoimage && genisoimage -quiet -J -R -o "$out/a.iso" p/x64 2>/dev/null
printf 'SZDD\210\360\0473A\0\10\0\0\0\377[Version' >"$out/a.sy_"
printf 'KWAJ\210\360\047\321\0\0\16\0\0\0kwaj' >"$out/k.sy_"
find "$out" -type f | wc -l
