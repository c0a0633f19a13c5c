#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Archives of settings, and an environment block, for fuzz_settings. usage: seed_settings.sh DIR
set -u
cd "$1" || exit 1
mkdir -p tree/etc/gild/images
printf 'persist=on\n' >tree/etc/gild/init.conf
printf 'windows=10.0.19045\ntitle=Windows_10\n' >tree/etc/gild/images/a.conf
(cd tree && find etc -type f | sort | cpio -o -H newc --quiet) >seed-settings
rm -r tree
printf '# GRUB Environment Block\nslot=b\ntries=2\ngood=a\n####' >seed-environment
