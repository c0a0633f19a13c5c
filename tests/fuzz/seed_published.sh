#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Settings and addresses for fuzz_published. usage: seed_published.sh DIR
set -u
cd "$1" || exit 1
hash=00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef
printf 'windows=10.0.19045\nfirmware=uefi # as built\ntitle=Windows_10\nformat=qcow2\nseal=%s:5200\n' \
	$hash >seed-conf
printf 'https://[2001:db8::1]:8443/a/b%%20c.img' >seed-url
