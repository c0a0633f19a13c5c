# SPDX-License-Identifier: GPL-3.0-or-later
# gild check beyond drivers: firmware, Secure Boot, HAL, filters, files; what helps most; the
# report in a browser; a kernel's drivers against modprobe's answer.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need jq
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
export GILD_PROFILES=$GILD_SOURCE/profiles XDG_CONFIG_HOME=$scratch/config
check() { # IMAGE OPTION...: the JSON answer in `out`
	local image=$1
	shift
	"$GILD" check "$image" --json "$@" >out 2>err
	code=$?
}
why() { # IMAGE OPTION...
	check "$@"
	jq -r '.models[0] | [.verdict, .reason // empty] | join(": ")' out
}
pc() { # NAME FIRMWARE-ATTRIBUTES DEVICES
	printf '<profile xmlns="urn:gild:profile:1" id="%s" name="%s" lists="PCI"><firmware %s/>%s</profile>\n' \
		"$1" "$1" "$2" "${3//&/&amp;}" >"$1.xml"
}
ahci='<devices role="boot-storage"><device id="PCI\VEN_8086&DEV_2922&REV_02&CC_010601"/></devices>'

# ---- firmware ------------------------------------------------------------------------------------
"$mksample" tree ten && "$mksample" tree seven --windows=7 && "$mksample" tree xp --windows=xp || exit 1
"$mksample" tree ten32 --arch=x86 && "$mksample" disk gpt.raw && "$mksample" disk mbr.raw --table=mbr || exit 1
for image in ten seven xp ten32; do "$GILD" inject "$image" --any-controller >/dev/null 2>&1; done
pc uefi 'uefi="yes" bios="no"' "$ahci"
pc secure 'uefi="yes" secure-boot="yes"' "$ahci"
pc bios 'uefi="no"' "$ahci"
pc both 'uefi="yes"' "$ahci"
pc noacpi 'uefi="no" acpi="no"' '<devices role="boot-storage"><device id="PCI\VEN_8086&DEV_7010&CC_010180"/></devices>'
is "64-bit Windows 10 starts by UEFI alone" "$(why ten --profile=./uefi.xml)" boots
is "32-bit does not" "$(why ten32 --profile=./uefi.xml)" \
	"fails: the PC starts by 64-bit UEFI only, and this Windows is 32-bit (x86)"
is "nor Windows 7" "$(why seven --profile=./uefi.xml)" \
	"fails: the PC starts by UEFI only, and Windows 7 needs the video BIOS (int 10h) as well"
is "32-bit needs CSM where there may be one" "$(check ten32 --profile=./both.xml; jq -r '.models[0].remarks[0]' out)" \
	"needs the firmware's BIOS compatibility (CSM) switched on"
is "Secure Boot stops Windows 7" "$(why seven --profile=./secure.xml)" \
	"fails: Secure Boot is on, and the boot loader of Windows 7 and older is not signed for it"
is "and has a remedy" "$(jq -r '.models[0].remedy' out)" "switch Secure Boot off in the firmware"
is "a GPT disk does not start by BIOS" "$(why gpt.raw --profile=./bios.xml)" \
	"fails: the PC has BIOS firmware, and this disk is laid out for UEFI (GPT)"
is "an MBR disk does not start by UEFI" "$(why mbr.raw --profile=./uefi.xml)" \
	"fails: the PC starts by UEFI only, and this disk is laid out for BIOS (MBR)"

# ---- signatures ----------------------------------------------------------------------------------
"$GILD_BUILD/samples/mkdrivers" drivers >/dev/null
id=$(grep -o 'PCI.VEN_[0-9A-F]*&DEV_[0-9A-F]*' drivers/exstor/exstor.inf | head -n 1)
"$mksample" tree loose
"$GILD" inject loose --driver=drivers/exstor-unsigned --unsigned=allow >/dev/null
pc exstor 'uefi="yes" secure-boot="yes"' "<devices role=\"boot-storage\"><device id=\"$id\"/></devices>"
pc exstor-off 'uefi="yes" secure-boot="no"' "<devices role=\"boot-storage\"><device id=\"$id\"/></devices>"
is "an unsigned boot driver fails with Secure Boot" "$(why loose --profile=./exstor.xml | sed 's/controller [^:]*:[^:]*:/controller:/; s/oem[0-9]*/oemN/')" \
	"fails: storage controller: its driver oemN.inf is unsigned, and Secure Boot is on"
is "without it needs test signing, which is said" "$(why loose --profile=./exstor-off.xml; jq -r '.models[0].remarks[0]' out |
	grep -c 'is unsigned: 64-bit Windows loads it with test signing on only')" "boots
1"

# ---- old Windows ---------------------------------------------------------------------------------
is "XP starts from IDE once it is made to" "$(why xp --profile=qemu-i440fx | sed 's/:.*//')" degraded
is "its ACPI HAL needs ACPI" "$(why xp --profile=./noacpi.xml | sed 's/: its HAL [^ ]* ([^)]*)/: its HAL/')" \
	"fails: its HAL needs ACPI, which the PC's firmware does not have"
"$mksample" tree standard --windows=xp --hal=e_isa_up
is "a HAL without ACPI is remarked" "$(check standard --profile=qemu-i440fx; jq -r '.models[0].remarks[]' out | grep -c 'uses no ACPI')" 1
is "devices of 7 are judged by its INFs" "$(check seven --profile=qemu-q35; jq -r '[.models[0].devices[] |
	select(.driver) | .driver] | unique | join(" ")' out | grep -c 'machine.inf')" 1
"$GILD" inject seven --driver=drivers/exstor --unsigned=allow >/dev/null
is "an injected boot driver of 7 is in its database, unsigned for it" "$(check seven --profile=./exstor-off.xml; jq -c '[.models[0] |
	.verdict, (.devices[0] | .source, .driver, .service), (.remarks[0] | contains("test signing"))]' out)" \
	'["boots","injected","oem0.inf","exstor",true]'
cat >usb.json <<-'END'
	{"vendor":"U","model":"S","pci":[["0","010601","8086","1c02","0000","0000","05"],["1","0c0330","8086","1e31","0000","0000","04"]],
	"devices":["acpi:PNP0C0C:","usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00"]}
END
is "a USB keyboard behind USB 3 is lost on 7" "$(check seven --inventory=usb.json; jq -c '.models[0].losses' out |
	grep -o 'keyboard and mouse (USB only)')" "keyboard and mouse (USB only)"

# ---- the boot path -------------------------------------------------------------------------------
cp -r ten filter
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\Class\\{4d36e967-e325-11ce-bfc1-08002be10318}]\r\n"UpperFilters"=hex(7):6e,00,6f,00,70,00,65,00,00,00,00,00\r\n' >filter.reg
"$GILD" edit filter --reg=filter.reg >/dev/null 2>err || cat err
is "a class filter that is not there stops every PC" "$(why filter --profile=qemu-q35)" \
	"fails: filter nope of class DiskDrive: its service nope is not in the control set"
cp -r ten wrong
python3 - wrong/Windows/System32/drivers/storahci.sys <<-'END'
	import struct, sys
	dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
	open(sys.argv[1], "wb").write(dos + b"PE\0\0" + struct.pack("<HHIIIHH", 0x14C, 0, 0, 0, 0, 96, 0x102) + struct.pack("<H", 0x10B) + bytes(94))
END
is "a driver of another architecture does not load" "$(why wrong --profile=qemu-q35)" \
	"fails: ICH9 AHCI 8086:2922: the file of its service storahci is for x86, Windows is amd64"
check ten --profile=qemu-q35
is "the winner's rank is taken apart" "$(jq -c '.models[0].devices[] | select(.role == "boot-storage") | .candidates[0] |
	[.driver, .rank, .signature_score, .feature_score, .match_type]' out)" '["mshdc.inf","0DFF2005",13,255,2]'
is "and its place in the boot" "$(jq -c '.models[0].devices[] | select(.role == "boot-storage") | .boot |
	[.start, .start_override, .unsigned]' out)" '[0,false,false]'
is "what is not listed is unknown" "$(check ten --profile=./bios.xml; jq -c '.models[0].unknown' out)" '["input"]'
is "every report says how large the population is" "$(jq -r '[.population.pcs, .population.listed.PCI, .population.listed.USB] | join(" ")' out)" "1 1 0"

cp -r ten half && rm half/Windows/System32/config/DRIVERS
is "without the DRIVERS hive nothing is said of the network" "$(check half --profile=qemu-q35; jq -c '[.models[0] |
	(.unknown | contains(["network", "display"])), (.losses | contains(["network"]))]' out)" '[true,false]'

# ---- what helps most -----------------------------------------------------------------------------
mkdir repo
inf() { # NAME CLASS GUID ID...
	local name=$1 class=$2 guid=$3
	shift 3
	{
		printf '[Version]\nSignature="$WINDOWS NT$"\nClass=%s\nClassGuid=%s\nProvider=E\nDriverVer=01/01/2020,1.0.0.0\n' "$class" "$guid"
		printf '[Manufacturer]\nE=M,NTamd64\n[M.NTamd64]\n'
		printf 'X=I,%s\n' "$@"
		printf '[I]\n'
	} >"repo/$name.inf"
}
scsi='{4D36E97B-E325-11CE-BFC1-08002BE10318}'
inf wide SCSIAdapter $scsi 'PCI\VEN_8086&DEV_9A0B' 'PCI\VEN_8086&DEV_467F'
inf narrow SCSIAdapter $scsi 'PCI\VEN_8086&DEV_9A0B'
inf extra Extension '{e2f84ce7-8efa-411c-aa69-97454ca4cb57}' 'PCI\VEN_8086&DEV_02D7'
for device in 9a0b 9a0b 467f 02d7; do
	echo "{\"vendor\":\"V\",\"model\":\"$device\",\"pci\":[[\"0\",\"010400\",\"8086\",\"$device\",\"0000\",\"0000\",\"00\"]]}"
done >vmd.jsonl
check ten --inventory=vmd.jsonl --driver-repo=repo
is "the cover takes what helps most, and no Extension INF" "$(jq -c '[.summary.cover[] | [.inject // "-", .pcs, .total]]' out)" \
	'[["repo/wide.inf",3,3],["-",1,4]]'

# ---- the report in a browser ---------------------------------------------------------------------
"$GILD" check ten --all-profiles --html=report.html >/dev/null
if command -v chromium >/dev/null; then
	dom() { # FRAGMENT: the page's elements after its script ran
		timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync \
			--user-data-dir="$scratch/chromium" --dump-dom "file://$scratch/report.html#$1" 2>/dev/null
	}
	total=$(grep -c '<tr class="pc"' report.html)
	is "the filter leaves what fits" "$(dom 'q=virtualbox&open' >page; grep -o "1 of $total PCs" page)" "1 of $total PCs"
	is "a PC shows its devices, drivers and ranks" "$(grep -o '<tr class="detail">.*' page | grep -o 'mshdc.inf (storahci, Start 0)' | head -n 1)" \
		"mshdc.inf (storahci, Start 0)"
	is "makers can be chosen" "$(dom 'm=Dell' | grep -o "[0-9]* of $total PCs")" \
		"$(grep -c '<tr class="pc".* data-m="Dell"' report.html) of $total PCs"
else
	skip "the filter" "chromium is not installed"
fi

# ---- a kernel ------------------------------------------------------------------------------------
fails 2 "--kernel takes no image" "$GILD" check ten --kernel=1.0 --profile=qemu-q35
fails 2 "--firmware-dir needs --kernel" "$GILD" check ten --firmware-dir=. --profile=qemu-q35
fails 1 "a kernel that is not there is refused" "$GILD" check --kernel=0.0.0-none --profile=qemu-q35
fails 1 "a folder without modules is refused" "$GILD" check --kernel=./repo --profile=qemu-q35
release=$(for d in /lib/modules/*; do [ ! -e "$d/modules.alias.bin" ] || basename "$d"; done | grep -v cloud | head -n 1)
if [ -z "$release" ] || ! command -v modprobe >/dev/null; then
	skip "a kernel's drivers" "no kernel with modules is installed, or no modprobe"
	done_testing
	exit
fi
check --kernel="$release" --all-profiles --verbose
is "it is that kernel" "$(jq -r .kernel.release out)" "$release"
# The same answer as modprobe's, device by device (it knows aliases of built-in drivers of 6.14 on only).
jq -r '.models[].devices[] | select(.builtin | not) | select(.id | startswith("PCI")) | [.id, (.modules | map(select(startswith("virtio") | not)) | sort | join(" "))] | @tsv' out |
	sort -u | awk 'NR % 20 == 1' >ours
while IFS=$'\t' read -r id modules; do
	field() { sed -n "s/.*$1\\([0-9A-F]\\{$2\\}\\).*/\\1/p" <<<"$id"; }
	sub=$(field '&SUBSYS_' 8) class=$(field '&CC_' 6)
	alias="pci:v0000$(field VEN_ 4)d0000$(field DEV_ 4)sv0000${sub:4:4}sd0000${sub:0:4}bc${class:0:2}sc${class:2:2}i${class:4:2}"
	[ -n "$sub" ] || alias=${alias/sv0000sd0000/sv00000000sd00000000}
	theirs=$(modprobe -S "$release" -R "$alias" 2>/dev/null | tr - _ | grep -v '^virtio' | sort -u | xargs)
	[ "$modules" = "$theirs" ] || echo "$alias: ours '$modules', modprobe's '$theirs'"
done <ours >differences
is "modprobe finds the same modules ($(wc -l <ours) devices)" "$(head -n 3 differences)" ""
# An unpacked package: no depmod has run, firmware lies beside.
modules=root/usr/lib/modules/$release
mkdir -p "$modules/kernel" root/usr/lib/firmware
for module in ahci libahci libata scsi_mod scsi_common iwlwifi cfg80211 rfkill; do
	find "/lib/modules/$release/kernel" \( -name "$module.ko*" -o -name "${module//_/-}.ko*" \) -exec cp {} "$modules/kernel" \;
done
cp "/lib/modules/$release/modules.builtin" "$modules"
echo '{"vendor":"W","model":"L","pci":[["0","010601","8086","1c02","0000","0000","05"],["1","028000","8086","2723","8086","0084","1a"],["2","0200ff","fff0","0001","0000","0000","00"]]}' >wlan.json
check --kernel=root --inventory=wlan.json
is "AHCI is driven, wireless lacks its firmware, the other has nothing" "$code $(jq -c '[.models[0].devices[].verdict]' out)" \
	'3 ["driven","firmware","undriven"]'
is "the files are named" "$(jq -r '.summary.firmware_needed[0] | [.module, (.files | map(select(startswith("iwlwifi-cc-a0"))) | length > 0)] | join(" ")' out)" "iwlwifi true"
file=$(jq -r '.summary.firmware_needed[0].files | map(select(startswith("iwlwifi-cc-a0")))[0]' out)
mkdir firmware && : >"firmware/$file.xz"
check --kernel=root --firmware-dir=firmware --inventory=wlan.json
is "with the file it is driven" "$(jq -r '.models[0].devices[1].verdict' out)" driven
rm "$modules"/kernel/libahci.ko*
check --kernel="$modules" --inventory=wlan.json
is "a module whose dependency is missing drives nothing" "$(jq -r '.models[0].devices[0].verdict' out)" undriven
done_testing
