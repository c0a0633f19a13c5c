#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Lists of built-in modules for fuzz_kernel. usage: seed_kernel.sh DIR
set -u
cd "$1" || exit 1
printf 'kernel/drivers/input/serio/i8042.ko\nkernel/drivers/ata/ahci.ko\n\0i8042.license=GPL\0ahci.alias=pci:v00008086d00001C02sv*sd*bc*sc*i*\0ahci.firmware=a/b.bin\0' >seed-lists
printf 'kernel/a-b.ko\n\0a_b.alias=usb:v046D*\0a-b.alias=acpi*:PNP03[01]?:*\0x.alias\0.=\0=.\0' >seed-odd
