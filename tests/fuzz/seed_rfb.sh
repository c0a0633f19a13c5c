#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a VNC server says, for fuzz_rfb. usage: seed_rfb.sh DIR
set -u
cd "$1" || exit 1
printf '\0\7RFB 003.008\n\1\1\0\0\0\0\0\4\0\3\40\30\0\1\0\377\0\377\0\377\20\10\0\0\0\0\0\0\0\4QEMU' >seed-greeting
printf '\1\5\0\0\0\1\0\1\0\1\0\2\0\1\0\0\0\0\1\2\3\0\4\5\6\0' >seed-raw
printf '\1\5\0\0\0\1\0\0\0\0\0\40\0\20\377\377\377\41' >seed-size
printf '\1\5\0\0\0\1\0\1\0\0\0\2\0\1\377\377\377\21\1\1\1\0\2\2\2\0\100' >seed-cursor
printf '\1\5\0\0\0\2\0\0\0\0\0\0\0\0\377\377\376\376\0\1\0\0\0\4\0\3\377\377\376\377' >seed-keys
printf '\1\5\0\0\0\1\0\0\0\0\0\1\0\1\377\377\376\373\5' >seed-lights
printf '\1\5\1\0\0\0\0\1\1\2\3\4\5\6\2\3\0\0\0\0\0\0\2ab' >seed-others
