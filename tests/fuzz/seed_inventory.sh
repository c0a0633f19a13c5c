#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Inventories of every form for fuzz_inventory. usage: seed_inventory.sh DIR
set -u
cd "$1" || exit 1
printf '00:1f.2 SATA controller [0106]: Intel [8086:1c02] (rev 05) (prog-if 01 [AHCI 1.0])\n\tSubsystem: Dell Device [1028:0534]\n' >seed-lspci
printf 'Slot:\t00:1f.2\nClass:\tSATA controller [0106]\nVendor:\tIntel [8086]\nDevice:\tAHCI [1e02]\nRev:\t04\nProgIf:\t01\n\n' >seed-machine
printf "ahci0@pci0:0:23:0:\tclass=0x010601 card=0x80791043 chip=0x9d038086 rev=0x21 hdr=0x00\n    device     = 'SATA'\n" >seed-pciconf
printf 'pci:v00008086d00001C02sv00001043sd00008519bc01sc06i01\nusb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00\nacpi:SYN1219:PNP0F13:\n' >seed-modalias
printf '# dmidecode 3.3\nHandle 0x0000, DMI type 0, 26 bytes\n\tVendor: A\n\tBIOS Revision: 4.6\n\nHandle 0x0001, DMI type 1, 27 bytes\n\tManufacturer: B\n\tProduct Name: C\n\nHandle 0x0002, DMI type 3, 27 bytes\n\tType: Laptop\n' >seed-dmidecode
printf '\000\024\000\000\001\002\000\000\003\000\000\000\000\000\000\000\000\000\000\000V\0001.2\00001/02/2020\000\000\001\033\001\000\001\002\003\004\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000M\000P\000V\000S\000\000\177\004\377\376\000\000' >seed-smbios
printf "layout:\n  'hcl'\nbrand: |\n  A\nmodel: |\n  B\ngpu: |\n  Intel [8086:0a16] (rev 0b)\n" >seed-qubes
printf '{"vendor":"A","model":"B","dmi":{"sys_vendor":"C"},"pci":[["0","010601","8086","1c02","1043","8519","05"]],"devices":["acpi:PNP0303:",{"hardware_ids":["USB\\\\VID_1"]}],"tables":[{"sig":"DMAR"}]}' >seed-json
printf '[{"InstanceId":"PCI\\\\VEN_8086&DEV_A0D3\\\\3&1","HardwareID":["PCI\\\\VEN_8086&DEV_A0D3"],"CompatibleID":null}]' >seed-pnp
printf '"Class","FriendlyName","InstanceId","HardwareID"\r\n"A","B ""C""","ACPI\\PNP0303\\4","System.String[]"\r\n' >seed-csv
printf '<PnpUtil><Device InstanceId="PCI\\VEN_8086&amp;DEV_9A0B\\3"><HardwareIds><HardwareId>PCI\\VEN_8086</HardwareId></HardwareIds></Device></PnpUtil>' >seed-pnputil
printf '<MsInfo><Category name="S"><Data><Item>System Model</Item><Value>A</Value></Data><Data><Item>I</Item><Value>PCI\\VEN_8086&amp;DEV_0A16\\3</Value></Data></Category></MsInfo>' >seed-msinfo
