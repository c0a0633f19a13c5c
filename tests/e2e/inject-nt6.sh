#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Drivers into Windows Vista and 7: on the sample, with real packages, and on the SYSTEM hive
# of a real Windows 7 SP1, where packages are taken out and injected again and every value is
# compared with what Windows had written. hivex and libregf read the results.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need hivexget hivexregedit
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
export PYTHONDONTWRITEBYTECODE=1
config=Windows/System32/config
catalogs='Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}'
cd "$scratch" || exit 1
"$mkdrivers" drivers >/dev/null || exit 1
get() { hivexget "$1/$config/$2" "$3" "$4" 2>/dev/null; }
said() { # WHAT PATTERN: the last command's output has it
	grep -q -e "$2" "$scratch/.out"
	tap $? "$1" "$scratch/.out"
}
hives() { # every value of the hives
	local hive
	for hive in SYSTEM SOFTWARE BCD-Template; do
		hivexregedit --export "$1/$config/$hive" '\' 2>/dev/null | tr -d '\r' |
			awk -v hive=$hive '/^\[/ { key = $0; print hive key; next } /=/ { print hive key $0 }'
	done | sort
}
files() { (cd "$1" && find . -type f ! -path "*/config/*" -exec sha256sum {} + | sort); }
path() { get "$1" SOFTWARE 'Microsoft\Windows\CurrentVersion' DevicePath; }
cddb='Control\CriticalDeviceDatabase'

# ---- a boot-critical package -----------------------------------------------------------------
"$mksample" tree seven --windows=7 --plain || exit 1
cp -a seven image
"$GILD" inject image --driver=drivers/exstor --driver=drivers/exnic --dry-run >/dev/null 2>&1
ok "a dry run writes nothing" diff -r seven image
inject() { "$GILD" inject "$1" --unsigned=allow "${@:2}"; }
fails 3 "a boot driver that only SHA-256 vouches for" "$GILD" inject image --driver=drivers/exstor
said "is refused by a 64-bit 7 without the update" KB3033929
ok "and the image is as it was" diff -r seven image
cp -a seven patched
hivexregedit --merge patched/$config/SOFTWARE <<-'END'
	Windows Registry Editor Version 5.00

	[\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages\Package_for_KB3033929~31bf3856ad364e35~amd64~~6.1.1.1]
	"CurrentState"=dword:00000070
END
"$GILD" inject patched --driver=drivers/exstor >"$scratch/.out" 2>&1
is "but not for that reason by one with it" "$(grep -c KB3033929 "$scratch/.out")" 0
ok "a storage driver" inject image --driver=drivers/exstor
said "is boot-critical by the image's own database" "boot-critical"
for set in ControlSet001 ControlSet002; do
	is "$set: the service starts at boot" "$(get image SYSTEM "$set\\Services\\exstor" Start)" 0
	is "$set: from a path the boot loader understands" \
		"$(get image SYSTEM "$set\\Services\\exstor" ImagePath)" 'System32\drivers\exstor.sys'
	is "$set: hardware ID" "$(get image SYSTEM "$set\\$cddb\\PCI#VEN_E010&DEV_0300" Service)" exstor
	is "$set: compatible ID" "$(get image SYSTEM "$set\\$cddb\\PCI#VEN_E010&CC_0107" Service)" exstor
	is "$set: its class" "$(get image SYSTEM "$set\\$cddb\\PCI#VEN_E010&CC_0107" ClassGUID)" \
		'{4D36E97B-E325-11CE-BFC1-08002BE10318}'
done
ok "its file is in place" cmp drivers/exstor/amd64/exstor.sys image/Windows/System32/drivers/exstor.sys
ok "the package waits for Plug and Play" cmp drivers/exstor/exstor.inf image/Windows/Drivers/oem0_exstor/exstor.inf
is "where DevicePath leads" "$(path image)" '%SystemRoot%\inf;%SystemRoot%\Drivers\oem0_exstor'
is "nobody is asked about a package that Windows does not trust" \
	"$(get image SOFTWARE 'Microsoft\Windows\CurrentVersion\RunOnce' 'gild oem0.inf')" ""
ok "its catalog is where signatures are looked up" sh -c "ls '$scratch/image/$catalogs'/exstor.inf_amd64_neutral_*.cat"
ok "the index of the driver store and what it names are untouched" \
	diff -r seven/Windows/System32/DriverStore image/Windows/System32/DriverStore
ok "and so is Windows/INF" diff -r seven/Windows/INF image/Windows/INF
ok "inspect lists it" "$GILD" inspect image --json
said "by its name" '"original": *"exstor.inf"'
said "and as a boot driver" '"boot_critical": *true'
said "with the devices it serves" 'VEN_E010&DEV_0300'
cp -a image damaged
rm -r damaged/Windows/Drivers/oem0_exstor
hivexregedit --merge damaged/$config/SYSTEM <<-'END'
	Windows Registry Editor Version 5.00

	[-\ControlSet001\Services\exstor]
END
"$GILD" inspect damaged --json >"$scratch/.out"
said "inspect tells when the package is gone" injected_missing
said "and when it could not be started from" injected_incomplete
ok "injecting it again mends both" inject damaged --driver=drivers/exstor
said "and says so" repaired
is "nothing is wrong then" "$("$GILD" inspect damaged --json | grep -c '"injected_')" 0
cp -a image again
ok "a second time" inject image --driver=drivers/exstor
said "is told" already
ok "and changes nothing" diff -r again image
"$GILD" export image --output=exported >/dev/null 2>&1
ok "export gives the package back" diff -r drivers/exstor/exstor.inf exported/exstor.inf_amd64_neutral_*/exstor.inf
ok "a newer version" inject image --driver=drivers/exstor-1.1
ok "takes over" cmp drivers/exstor-1.1/amd64/exstor.sys image/Windows/System32/drivers/exstor.sys
ok "and goes again" "$GILD" remove image --driver=oem1.inf
ok "the first one is back" cmp drivers/exstor/amd64/exstor.sys image/Windows/System32/drivers/exstor.sys
ok "and goes, too" "$GILD" remove image --driver=oem0.inf
diff <(hives seven) <(hives image) >diff.hives
tap $? "every value is as before" diff.hives
diff <(files seven) <(files image) >diff.files
tap $? "every file is as before" diff.files
fails 3 "what came with Windows stays" "$GILD" remove image --driver=mshdc.inf

# ---- the same in a WIM ------------------------------------------------------------------------
if command -v wimlib-imagex >/dev/null; then
	"$mksample" wim seven.wim --windows=7 --plain || exit 1
	ok "a WIM" inject seven.wim --driver=drivers/exstor
	wimlib-imagex extract seven.wim 1 /$config/SYSTEM --dest-dir=. >/dev/null 2>&1
	is "has the entries" "$(hivexget SYSTEM "ControlSet001\\$cddb\\PCI#VEN_E010&DEV_0300" Service)" exstor
else
	skip "a WIM" "wimlib-imagex is not installed"
fi

# ---- any controller, x86 ------------------------------------------------------------------------
"$mksample" tree x86 --windows=vista --arch=x86 --plain || exit 1
cp -a x86 any
hivexregedit --merge any/$config/SYSTEM <<-'END'
	Windows Registry Editor Version 5.00

	[-\ControlSet001\Control\CriticalDeviceDatabase\PCI#CC_0101]
END
mkdir -p any/Boot
cp any/$config/BCD-Template any/Boot/BCD
ok "any controller" "$GILD" inject any --any-controller
for set in ControlSet001 ControlSet002; do
	is "$set: miniports and their buses start at boot" \
		"$(for s in msahci pciide intelide viaide amdide atapi iaStorV LSI_SAS amdsata amdxata storvsc vmbus usbehci usbhub USBSTOR; do get any SYSTEM "$set\\Services\\$s" Start; done | sort -u)" 0
	is "$set: from paths that the boot loader understands" \
		"$(for s in msahci pciide iaStorV LSI_SAS; do get any SYSTEM "$set\\Services\\$s" ImagePath; done | grep -c '^System32.drivers.')" 4
	is "$set: disabled ones stay so" "$(get any SYSTEM "$set\\Services\\megasas" Start)" 4
done
is "a generic ID that was taken out is back" "$(get any SYSTEM "ControlSet001\\$cddb\\PCI#CC_0101" Service)" pciide
for store in $config/BCD-Template Boot/BCD; do
	is "$store: the loader picks the HAL" \
		"$(hivexget any/$store 'Objects\{b012b84d-c47c-4ed5-b722-c0c42163e569}\Elements\26000010' Element | od -An -tx1 | tr -d ' \n')" 01
	is "$store: Windows PE's loaders are left" \
		"$(hivexget any/$store 'Objects\{7254a080-1510-4e85-ac0f-e7fb3d444736}\Elements\26000010' Element 2>/dev/null)" ""
done
cp -a any once
"$GILD" inject any --any-controller >/dev/null 2>&1
ok "a second time changes nothing" diff -r once any
cp -a x86 bare
rm bare/Windows/System32/halmacpi.dll
"$GILD" inject bare --any-controller >"$scratch/.out" 2>&1
said "without the HALs it is said that one PC's HAL decides" "halmacpi.dll is missing"

# ---- the boot manager on a volume of its own ------------------------------------------------------
if command -v ntfscat >/dev/null; then
	"$mksample" disk disk.raw --windows=7 --arch=x86 --table=mbr --system-volume || exit 1
	ok "a disk" "$GILD" inject disk.raw --any-controller
	said "with its boot configuration" 'set in Boot/BCD'
	ok "a second time" "$GILD" inject disk.raw --any-controller
	said "nothing is left to do" '^0 bytes written'
	dd if=disk.raw of=system.ntfs bs=1M skip=1 count=16 2>/dev/null
	ntfscat system.ntfs Boot/BCD >BCD 2>/dev/null
	is "ntfscat reads it there" \
		"$(hivexget BCD 'Objects\{b012b84d-c47c-4ed5-b722-c0c42163e569}\Elements\26000010' Element | od -An -tx1 | tr -d ' \n')" 01
else
	skip "a disk" "ntfscat is not installed"
fi

# ---- a real Windows 7 ---------------------------------------------------------------------------
for python in python3 /usr/bin/python3; do
	"$python" -c 'import hivex' 2>/dev/null && break
	python=
done
real=$GILD_TEST_DATA/hives/win7-sp1-x86-WKS-WIN732BITA.SYSTEM.xz
if [ -e "$real" ] && [ -n "$python" ] && command -v xz >/dev/null; then
	xz -dc "$real" >real.SYSTEM
	"$mksample" tree w7 --windows=7 --arch=x86 --plain --system=real.SYSTEM || exit 1
	mkdir packages
	ok "real hive: packages taken out, INFs written from their entries" \
		"$python" "$GILD_SOURCE/tests/reinject_nt6.py" drop real.SYSTEM w7 packages
	sed 's/^/# /' "$scratch/.out"
	cp -a w7 dropped
	ok "real hive: gild injects them" inject w7 --driver=packages
	is "real hive: all of them" "$(grep -c 'added *boot-critical' "$scratch/.out")" \
		"$(find packages -name '*.inf' | wc -l)"
	reinject() { "$python" "$GILD_SOURCE/tests/reinject_nt6.py" compare real.SYSTEM "$1" packages; }
	reinject w7 >report 2>&1
	tap $? "real hive: every value is what Windows had written, or is explained" report
	sed 's/^/# /' report
	number() { sed -nE "s/.*$1 ([0-9]+).*/\1/p" report | head -n 1; }
	ok "real hive: enough was compared" test "$(number entries)" -ge 2400 -a "$(number services)" -ge 110 \
		-a "$(number equal)" -ge 12000
	cp w7/$config/SYSTEM result
	hivexregedit --merge w7/$config/SYSTEM <<-END
		Windows Registry Editor Version 5.00

		[\\ControlSet001\\$cddb\\PCI#CC_010601]
		"Service"=str(1):"pciide"

		[\\ControlSet002\\Services\\msahci]
		"Start"=dword:00000000

		[\\ControlSet001\\Control\\Class]
		"Extra"=dword:00000001
	END
	fails 1 "a changed result is found out" reinject w7
	is "and each of three changes in it" "$(grep -c '^differs: ' "$scratch/.out")" 3
	cp result w7/$config/SYSTEM
	if command -v regfexport >/dev/null; then
		ok "real hive: libregf reads the result" sh -c "regfexport w7/$config/SYSTEM | grep -q msahci"
	fi
	removals=()
	for ((i = 0; i < $(find packages -name '*.inf' | wc -l); i++)); do removals+=("--driver=oem$i.inf"); done
	ok "real hive: all are removed again" "$GILD" remove w7 "${removals[@]}"
	export_system() { hivexregedit --export "$1/$config/SYSTEM" '\' 2>/dev/null; }
	diff <(export_system dropped) <(export_system w7) >diff.hives
	tap $? "real hive: and nothing of them is left" diff.hives
	# Every storage driver of Windows 7, with empty files where the hive says they are.
	rm -rf w7/Windows/Drivers
	cp real.SYSTEM w7/$config/SYSTEM
	flat() {
		hivexregedit --export --unsafe-printable-strings "$1/$config/SYSTEM" '\' 2>/dev/null | tr -d '\r' |
			awk '/^\[/ { k = $0; print k; next } NF { print k " " $0 }' | sort
	}
	flat w7 >flat.before
	grep -aioE '"ImagePath"=str\(2\):"[^"]*\.sys' flat.before | sed 's/.*:"//; s/\\\\/\\/g' | tr '\\' / |
		sed -E 's#^/SystemRoot/##I; s#^system32/drivers/#System32/drivers/#I' | grep '^System32/' | sort -u |
		while read -r f; do mkdir -p "w7/Windows/${f%/*}" && : >"w7/Windows/$f"; done
	ok "real hive: any controller" "$GILD" inject w7 --any-controller
	flat w7 >flat.after
	is "real hive: nothing but starts and paths of services differs" \
		"$(diff flat.before flat.after | grep '^[<>]' | grep -vicE '^. .*Services.[^]\\]*\] "(Start|ImagePath)"=')" 0
	is "real hive: each storage service of Windows 7 starts at boot" \
		"$(for s in msahci pciide intelide atapi amdide viaide cmdide aliide amdsata amdxata amdsbs iaStorV nvstor nvraid LSI_SAS LSI_SAS2 LSI_FC megasas MegaSR HpSAMD adp94xx adpahci arcsas elxstor ql2300 SiSRaid2 SiSRaid4 stexstor storvsc vmbus vsmraid; do get w7 SYSTEM "ControlSet002\\Services\\$s" Start; done | sort | uniq -c | xargs)" "31 0"
	echo "# $(diff flat.before flat.after | grep -c '^> .*"Start"') services made boot-start in two control sets"
else
	skip "real hive" "real test data not here: set GILD_TEST_DATA (and Python's hivex module)"
fi

# ---- real packages ----------------------------------------------------------------------------
virtio=$GILD_TEST_DATA/inf/virtio-built/Win7/amd64
if [ -e "$virtio/vioscsi.inf" ]; then
	cp -a seven virtio
	fails 3 "virtio for 7: what lacks its co-installer is refused" inject virtio --driver="$virtio"
	is "vioscsi: entry" "$(get virtio SYSTEM "ControlSet001\\$cddb\\PCI#VEN_1AF4&DEV_1004&SUBSYS_00081AF4&REV_00" Service)" vioscsi
	is "viostor: entry" "$(get virtio SYSTEM "ControlSet002\\$cddb\\PCI#VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00" Service)" viostor
	is "viostor: bus type" "$(get virtio SYSTEM 'ControlSet001\Services\viostor\Parameters' BusType)" 1
	ok "viostor: file" cmp "$virtio/viostor.sys" virtio/Windows/System32/drivers/viostor.sys
	is "netkvm waits" "$(get virtio SYSTEM 'ControlSet001\Services\netkvm' Start)" ""
	is "in its folder" "$(path virtio | tr ';' '\n' | grep -c netkvm)" 1
else
	skip "real packages" "real test data not here: set GILD_TEST_DATA"
fi
done_testing
