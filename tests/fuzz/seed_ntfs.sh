#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Small NTFS volumes for fuzz_ntfs, as the pages that are not zero. usage: seed_ntfs.sh DIR
# The build folder is $BUILD, where seeds.sh was told so.
set -u
cd "$1" || exit 1
tool=${BUILD:-build}/tests/ntfstool
[ -x "$tool" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pages() { # VOLUME SEED
	python3 - "$@" <<-'END'
	import sys
	data = open(sys.argv[1], "rb").read()
	# The table of upper case is large: what is checked of it is its first page.
	upcase = data.find(bytes(sum(([i, 0] for i in range(97)), [])))
	with open(sys.argv[2], "wb") as out:
	    for at in range(0, len(data), 512):
	        page = data[at:at + 512]
	        if upcase + 512 <= at < upcase + 131072 or page in (b"\0" * 512, b"\xff" * 512):
	            continue
	        out.write((at // 512).to_bytes(2, "little") + page)
	END
}
for cluster in 512 1024 4096; do
	"$tool" "$work/volume" small 2097152 512 $cluster || exit 0
	pages "$work/volume" "seed-$cluster"
done
"$tool" "$work/volume" metadata 2097152 512 1024 && pages "$work/volume" seed-metadata
