#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Boot options for fuzz_bootoption: one of a file, as OVMF writes the others.
# usage: seed_bootoption.sh DIR
set -u
cd "$1" || exit 1
utf16() { printf %s "$1" | iconv -f ASCII -t UTF-16LE && printf '\0\0'; }
{
	printf '\1\0\0\0\162\0'
	utf16 'Windows Boot Manager'
	printf '\4\1\52\0\1\0\0\0\0\10\0\0\0\0\0\0\0\40\3\0\0\0\0\0ABCDEFGHIJKLMNOP\2\2'
	printf '\4\4\104\0'
	utf16 '\EFI\Microsoft\Boot\bootmgf.efi'
	printf '\177\377\4\0'
} >seed-windows
{
	printf '\1\0\0\0\54\0'
	utf16 'EFI Internal Shell'
	printf '\4\7\24\0\311\275\270\174\353\370\64\117\252\352\76\344\257\145\26\241'
	printf '\4\6\24\0\203\245\4\174\76\236\34\117\255\145\340\122\150\320\264\321\177\377\4\0'
} >seed-shell
{
	printf '\1\0\0\0\46\0'
	utf16 'UEFI QEMU NVMe Ctrl x 1'
	printf '\2\1\14\0\320\101\3\12\0\0\0\0\1\1\6\0\0\3\3\27\20\0\1\0\0\0\0\0\0\0\0\0\0\0'
	printf '\177\377\4\0N\254\10\201\21\237\131\115\205\16\342\32\122\54\131\262'
} >seed-nvme
