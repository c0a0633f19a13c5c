#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# BCD stores: those of real Windows against what is built for the same disk, element by
# element and read by hivex; what gild writes is sound for other readers of hives.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
tool=$GILD_BUILD/tests/boottool
check=$GILD_SOURCE/tests/bcdcheck.py
need hivexsh hivexregedit
for python in python3 /usr/bin/python3; do
	"$python" -c 'import hivex' 2>/dev/null && break
done
"$python" -c 'import hivex' 2>/dev/null || skip_all "python3-hivex is not installed"

system='{5541e87d-91a5-4f2b-ad43-a0345c199e9b}/{1c6ab89c-bcbf-4abe-8593-618e4d2f5811}'
windows='{5541e87d-91a5-4f2b-ad43-a0345c199e9b}/{9d4a7cb0-ab9d-4d71-961f-50f1d9c9252f}'
u=$scratch/uefi.bcd
ok "a UEFI store is built from scratch" \
	"$tool" bcd --system="$system" --windows="$windows" --recovery="$windows" "$u"
ok "twice, it is the same to the byte" bash -c \
	"'$tool' bcd --system='$system' --windows='$windows' --recovery='$windows' '$u.2' && cmp '$u' '$u.2'"

# ---- other readers --------------------------------------------------------------------------
boot_object='\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}'
is "hivexsh lists the boot manager's elements" \
	"$(printf 'cd %s\\Elements\nls\n' "$boot_object" | hivexsh "$u" | tr '\n' ' ')" \
	"11000001 12000002 12000004 12000005 14000006 23000003 23000006 24000001 24000010 25000004 "
hivexregedit --export --prefix HKEY_LOCAL_MACHINE\\BCD "$u" '\' >"$scratch/u.reg" 2>"$scratch/.out"
tap $? "hivexregedit exports all of it" "$scratch/.out"
is "with every object" "$(grep -c '\\Description\]' "$scratch/u.reg")" 14
cp "$u" "$scratch/merged"
printf 'Windows Registry Editor Version 5.00\n\n[%s]\n"Element"=hex:05,00,00,00,00,00,00,00\n' \
	"HKEY_LOCAL_MACHINE\\BCD$boot_object\\Elements\\25000004" >"$scratch/m.reg"
ok "and merges into it" \
	hivexregedit --merge --prefix 'HKEY_LOCAL_MACHINE\BCD' "$scratch/merged" "$scratch/m.reg"
is "the change alone is then other" "$("$python" "$check" compare "$u" "$scratch/merged")" \
	"bootmgr 25000004 30 | 5"
if "$python" -c 'import pyregf' 2>/dev/null; then
	ok "libregf reads it" "$python" - "$u" <<-'END'
	import sys, pyregf
	f = pyregf.file()
	f.open(sys.argv[1])
	def walk(key):
	    n = sum(1 for v in key.values if v.data is not None)
	    return n + sum(walk(k) for k in key.sub_keys)
	assert walk(f.get_root_key()) > 80 and not f.is_corrupted()
	END
else
	skip "libregf reads it" "python3-libregf is not installed"
fi

# ---- forms ----------------------------------------------------------------------------------
ok "the locate form is built" "$tool" bcd --form=locate "$scratch/locate"
is "and names no partition" "$("$tool" devices "$scratch/locate" | cut -d' ' -f2- | sort)" \
"11000001 same boot
11000001 same boot
11000001 same locate=\\Windows\\system32\\winload.efi
11000001 same locate=\\Windows\\system32\\winresume.efi
21000001 same locate=\\Windows
21000001 same locate=\\hiberfil.sys"
fails 2 "BIOS and ARM64 exclude each other" \
	"$tool" bcd --bios --target=10.0.22631/arm64/client "$scratch/arm"
ok "the recovery store has a boot manager alone" \
	"$tool" bcd --recovery-store --system="$system" "$scratch/recovery"
is "that starts nothing" \
	"$("$python" "$check" list "$scratch/recovery" | grep -E ' (type 102|23|24)')" ""

# ---- generalized ----------------------------------------------------------------------------
mkdir -p "$scratch/esp/EFI/Microsoft/Boot"
cp "$u" "$scratch/esp/EFI/Microsoft/Boot/BCD"
ok "a store is generalized" "$tool" generalize "$scratch/esp" EFI/Microsoft/Boot/BCD
cp "$scratch/.out" "$scratch/changes"
is "it then names no partition" \
	"$("$tool" devices "$scratch/esp/EFI/Microsoft/Boot/BCD" | grep -c partition)" 0
is "nor Windows RE" \
	"$("$python" "$check" list "$scratch/esp/EFI/Microsoft/Boot/BCD" | grep -c recovery)" 0
is "each change is reported" "$(cut -d' ' -f3- "$scratch/changes" | sort | uniq -c | sed 's/^ *//')" \
"4 device
1 filedevice
1 osdevice
1 recovery entry
1 recovery image
2 recoveryenabled
2 recoverysequence"
"$tool" generalize "$scratch/esp" EFI/Microsoft/Boot/BCD >"$scratch/again" 2>&1
is "a second time nothing is left to do" "$(cat "$scratch/again")" ""

# ---- stores of real Windows -----------------------------------------------------------------
real=$GILD_TEST_DATA/hives
if [ ! -e "$real/BCD/asus-tp300ld-00-2020-04-20.BCD" ]; then
	skip "stores of real Windows" "no hives in GILD_TEST_DATA"
	done_testing
fi
# ntloader's are patterns that it fills in itself: a path in a field of fixed size.
for store in "$real"/BCD/* "$real"/*.BCD-Template; do
	"$tool" devices "$store" >"$scratch/devices" 2>"$scratch/.out" ||
		tap 1 "${store##*/} is read" "$scratch/.out"
	case $store in *ntloader-bcd[vw][hi][dm]*) same=other ;; *) same=same ;; esac
	grep -v " $same " "$scratch/devices" | sed "s|^|${store##*/}: |"
done >"$scratch/.out"
[ ! -s "$scratch/.out" ]
tap $? "every device element is understood, and written again as it was" "$scratch/.out"

like() { # WHAT STORE EXPLAINED BOOTTOOL-OPTION...: differences are those that are explained
	local what=$1 store=$2 explained=$3
	shift 3
	"$tool" bcd "$@" "$scratch/ours" >"$scratch/.out" 2>&1 || tap 1 "$what" "$scratch/.out"
	is "$what" "$("$python" "$check" compare "$scratch/ours" "$real/$store")" "$explained"
}
# The user chose a shorter timeout; reagentc wrote the message override and its own
# spelling of the locale; hibernation wrote 26000006.
asus='bootmgr 25000004 30 | 3
default 15000066 - | 3
recovery 12000005 en-US | en-us
resume 26000006 - | 00'
like "a laptop's Windows 10 has what is built from the template" \
	BCD/asus-tp300ld-00-2020-04-20.BCD "$asus" \
	--template="$real/win10-RathbunVM.BCD-Template" \
	--system="$system" --windows="$windows" --recovery="$windows"
like "and what is built from scratch" BCD/asus-tp300ld-00-2020-04-20.BCD "$asus" \
	--system="$system" --windows="$windows" --recovery="$windows"
# Its owner set the devices to "boot" and started nothing from hibernation.
v=0xddba6bbb/1048576
like "a BIOS store of Windows 10 has it, too" BCD/windeploy-bios.BCD \
'memdiag 11000001 BOOT | 0xddba6bbb/1048576
memdiag 12000005 cs-cz | en-us
resume 11000001 BOOT | 0xddba6bbb/1048576
resume 12000005 cs-cz | en-us
resume 21000001 BOOT | -' \
	--bios --form=boot --template="$real/win10-RathbunVM.BCD-Template" --locale=cs-cz \
	'--folder=\windows' --system=$v --windows=$v
# 1500004b says that Windows' setup had been interrupted; the entry was renamed.
v=0x3ee7c/78644248576
like "a BIOS store of Windows 8.1, from scratch" BCD/pybcd-BCDlaptop \
'bootmgr 1500004b - | 1
default 12000004 Windows 8.1 | Windows 8.1 Preview
default 1500004b - | 1
recovery 15000066 - | 3
resume 26000006 - | 00' \
	--bios --target=6.3.9600/amd64/client '--folder=\WINDOWS' --system=$v --windows=$v \
	--recovery=$v
"$tool" bcd --template="$real/win10-RathbunVM.BCD-Template" --system="$system" \
	--windows="$windows" "$u"
is "all that the template sets is in the store" \
	"$("$python" "$check" template "$u" "$real/win10-RathbunVM.BCD-Template")" \
	'memdiag 12000002 \EFI\Microsoft\Boot\memtest.efi | \boot\memtest.exe'

cp "$real/BCD/asus-tp300ld-09-2020-07-06.BCD" "$scratch/esp/EFI/Microsoft/Boot/BCD"
chmod u+w "$scratch/esp/EFI/Microsoft/Boot/BCD"
ok "the laptop's store is generalized" "$tool" generalize "$scratch/esp" EFI/Microsoft/Boot/BCD
is "and keeps no partition and no firmware entry" \
	"$("$python" "$check" list "$scratch/esp/EFI/Microsoft/Boot/BCD" |
		grep -cE 'type 101(fffff|00001)|0600000000000000480000')" 0
done_testing
