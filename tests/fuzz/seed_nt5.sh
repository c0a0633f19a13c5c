#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A boot.ini, text-mode driver files and small executables for fuzz_nt5. usage: seed_nt5.sh DIR
# The build folder is $BUILD, where seeds.sh was told so.
set -u
cd "$1" || exit 1
printf '[boot loader]\r\ntimeout=0\r\ndefault=multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS\r\n[operating systems]\r\nmulti(0)disk(0)rdisk(0)partition(1)\\WINDOWS="XP" /fastdetect /PAE /kernel=a.exe /hal=b.dll\r\n' >seed-menu
printf '[Disks]\nd=Disk,\\x,\\i386\n[Defaults]\nscsi=A\n[scsi]\nA="Adapter",ex\n[Files.scsi.A]\ndriver=d,ex.sys,EX\ndll=d,ex.dll\ninf=d,ex.inf\n[HardwareIds.scsi.A]\nid="PCI\\VEN_E010&DEV_1","ex"\n[Config.EX]\nvalue=Parameters\\PnpInterface,5,REG_DWORD,1\nvalue=,L,REG_MULTI_SZ,a,b\nvalue=,B,REG_BINARY,ff,0\n' >seed-floppy
find "${GILD_TEST_DATA:-/nonexistent}/inf" -name '*.oem' -size -16k 2>/dev/null | sort | head -n 20 |
	while read -r f; do cp -- "$f" "seed-${f##*/}"; done
tool=${BUILD:-build}/samples/mksample
[ -x "$tool" ] || exit 0
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
"$tool" tree "$tree/xp" --windows=xp && cp "$tree/xp/Windows/System32/hal.dll" seed-pe
