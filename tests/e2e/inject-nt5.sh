#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gild inject on Windows XP and Server 2003: packages, TXTSETUP.OEM packs, mass storage, HALs
# and boot.ini, on the sample and on a real SYSTEM hive; read back by hivex and cabextract.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need hivexget hivexregedit cabextract python3
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
config=Windows/System32/config
cd "$scratch" || exit 1

get() { hivexget "$1/$config/SYSTEM" "$2" "$3" 2>/dev/null; }
soft() { hivexget "$1/$config/SOFTWARE" "$2" "$3" 2>/dev/null; }
cdd() { get "$1" "${3-ControlSet001}\\Control\\CriticalDeviceDatabase\\$2" Service; }
start() { get "$1" "${3-ControlSet001}\\Services\\$2" Start; }
json() { python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }
same_tree() { diff -r "$1" "$2" >/dev/null; }

"$mksample" tree xp --windows=xp || exit 1
sys=xp/Windows/System32/drivers/disk.sys # any driver for x86

# An INF of that time: undecorated Models, files beside it, a catalog.
pack() { # FOLDER NAME CLASS GUID START VERSION ID...
	local folder=$1 name=$2 class=$3 guid=$4 start=$5 version=$6 id
	shift 6
	mkdir -p "$folder"
	cp $sys "$folder/$name.sys"
	: >"$folder/$name.cat"
	{
		printf '%s\n' '[Version]' 'Signature="$Windows NT$"' "Class=$class" "ClassGUID=$guid" \
			'Provider=%V%' "CatalogFile=$name.cat" "DriverVer=$version" '[SourceDisksNames]' '1=%V%' '[SourceDisksFiles]' \
			"$name.sys=1" '[DestinationDirs]' 'DefaultDestDir=12' '[Manufacturer]' '%V%=Models' '[Models]'
		for id; do printf '%%D%%=%s_Inst,%s\n' "$name" "$id"; done
		printf '%s\n' "[${name}_Inst.NT]" "CopyFiles=@$name.sys" "[${name}_Inst.NT.HW]" \
			'AddReg=Hw' '[Hw]' 'HKR,,LowerFilters,0x00010000,exfilter' "[${name}_Inst.NT.Services]" \
			"AddService=$name,2,Svc" '[Svc]' 'DisplayName=%D%' 'ServiceType=1' "StartType=$start" \
			'ErrorControl=1' "ServiceBinary=%12%\\$name.sys" 'LoadOrderGroup=SCSI miniport' 'AddReg=Par' \
			'[Par]' 'HKR,Parameters\PnpInterface,5,0x00010001,1' '[Strings]' 'V="Example"' "D=\"Example $name\""
	} | sed 's/$/\r/' >"$folder/$name.inf"
}
scsi='SCSIAdapter {4D36E97B-E325-11CE-BFC1-08002BE10318}'
net='Net {4D36E972-E325-11CE-BFC1-08002BE10318}'
# shellcheck disable=SC2086 # class and GUID are two words
pack drv/exstor exstor $scsi 0 05/06/2008,1.0.0.0 'PCI\VEN_E010&DEV_0300' 'PCI\VEN_E010&CC_0106'
# shellcheck disable=SC2086
pack drv/exnet exnet $net 3 05/06/2008,1.0.0.0 'PCI\VEN_E010&DEV_0200'

# ---- inspect ---------------------------------------------------------------------------------
is "inspect tells version, service pack and HAL" \
	"$("$GILD" inspect xp --json | json 'd["windows"]["version"],d["windows"]["service_pack"],d["hal"]["file"],d["hal"]["kernel"],d["hal"]["computer_id"]')" \
	"5.1.2600 3 halacpi.dll ntoskrnl.exe acpipic_up"
"$mksample" tree mini --windows=2003 --hal=acpiapic_mp --generalized || exit 1
is "and that mini-setup is to come" \
	"$("$GILD" inspect mini --json | json 'd["windows"]["state"],d["windows"]["version"],d["windows"]["installation_type"],d["hal"]["multiprocessor"]')" \
	"generalized 5.2.3790 Server True"

# ---- packages --------------------------------------------------------------------------------
cp -r xp a
ok "packages go in" "$GILD" inject a --driver=drv --unsigned=allow
for set in ControlSet001 ControlSet002; do
	is "$set: the service starts at boot" "$(start a exstor $set)" 0
	is "$set: its path is relative" "$(get a "$set\\Services\\exstor" ImagePath)" 'System32\drivers\exstor.sys'
	is "$set: both IDs lead to it" \
		"$(cdd a 'pci#ven_e010&dev_0300' $set) $(cdd a 'pci#ven_e010&cc_0106' $set)" "exstor exstor"
	is "$set: a network card waits for Plug and Play" "$(start a exnet $set)$(cdd a 'pci#ven_e010&dev_0200' $set)" ""
done
is "as Windows writes the class" \
	"$(get a 'ControlSet001\Control\CriticalDeviceDatabase\pci#ven_e010&dev_0300' ClassGUID)" \
	"{4D36E97B-E325-11CE-BFC1-08002BE10318}"
is "filters of .HW are there" \
	"$(get a 'ControlSet001\Control\CriticalDeviceDatabase\pci#ven_e010&dev_0300' LowerFilters)" exfilter
is "parameters and group" \
	"$(get a 'ControlSet001\Services\exstor\Parameters\PnpInterface' 5) $(get a 'ControlSet001\Services\exstor' Group) $(get a 'ControlSet001\Services\exstor' Tag)" \
	"1 SCSI miniport "
is "no value that only later Windows has" "$(get a 'ControlSet001\Services\exstor' Owners)" ""
ok "the driver is in place" cmp drv/exstor/exstor.sys a/Windows/System32/drivers/exstor.sys
is "DevicePath lists each folder behind Windows' own" \
	"$(soft a 'Microsoft\Windows\CurrentVersion' DevicePath)" \
	'%SystemRoot%\inf;%SystemRoot%\Drivers\oem0_exnet;%SystemRoot%\Drivers\oem1_exstor'
ok "the folders are whole" sh -c "diff -r drv/exstor a/Windows/Drivers/oem1_exstor && diff -r drv/exnet a/Windows/Drivers/oem0_exnet"
ok "the catalogs are known" sh -c "ls 'a/Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}' | grep -q exstor"
ok "setup's own INF folder is as it was" diff -r xp/Windows/inf a/Windows/inf
cp -r a b
"$GILD" inject b --driver=drv --unsigned=allow --json >j 2>&1
is "a second time says so" "$(json '[p["verdict"] for p in d["packages"]]' <j)" "['already', 'already']"
ok "and changes nothing" same_tree a b
cp -r a c
rm c/Windows/System32/drivers/exstor.sys
"$GILD" inject c --driver=drv --unsigned=allow >/dev/null 2>&1
ok "what is missing is put back" same_tree a c
cp -r xp d
"$GILD" inject d --driver=drv --unsigned=allow --dry-run >/dev/null 2>&1
ok "--dry-run writes nothing" same_tree xp d
# shellcheck disable=SC2086
pack old/exstor exstor $scsi 0 01/02/2003,0.9.0.0 'PCI\VEN_E010&DEV_0300'
"$GILD" inject c --driver=old --unsigned=allow --json >j 2>&1
ok "an older driver does not displace it" sh -c "grep -q 'ranks better: it stays in force' j"
is "inspect lists what was put in" \
	"$("$GILD" inspect a --json | json '[(x["published"],x["original"],x["boot_critical"]) for x in d["drivers"]]')" \
	"[('oem0.inf', 'exnet.inf', False), ('oem1.inf', 'exstor.inf', True)]"
ok "removing both" "$GILD" remove a --driver=oem0.inf --driver=oem1.inf
hivexregedit --export xp/$config/SYSTEM '\' >s1
hivexregedit --export a/$config/SYSTEM '\' >s2
ok "leaves the SYSTEM hive as it was" cmp s1 s2
ok "and DevicePath" test "$(soft a 'Microsoft\Windows\CurrentVersion' DevicePath)" = '%SystemRoot%\inf'
ok "and no file" sh -c "[ \"\$(cd xp && find . | sort)\" = \"\$(cd a && find . | sort)\" ]"
fails 3 "what it does not have is refused" "$GILD" remove a --driver=oem7.inf

# ---- TXTSETUP.OEM ----------------------------------------------------------------------------
mkdir -p f6/x86 f6/x64
cp $sys f6/x86/extxt.sys
"$mksample" tree x64 --windows=2003 --arch=amd64 || exit 1
cp x64/Windows/System32/drivers/disk.sys f6/x64/extxt.sys
cat >f6/TXTSETUP.OEM <<-'END'
	; a floppy without its INF
	[Disks]
	d1 = "Example 32 bit disk", \extxt.tag, \x86
	d2 = "Example 64 bit disk", \extxt.tag, \x64
	[Defaults]
	scsi = EX32
	[scsi]
	EX32 = "Example controller (32 bit)", extxt
	EX64 = "Example controller (64 bit)", extxt
	[Files.scsi.EX32]
	driver = d1, extxt.sys, EXTXT # the service
	inf = d1, extxt.inf
	[Files.scsi.EX64]
	driver = d2, extxt.sys, EXTXT
	[HardwareIds.scsi.EX32]
	id = "PCI\VEN_E010&DEV_0500", "extxt"
	id = "PCI\VEN_E010&DEV_0501&CC_0106", "extxt"
	[HardwareIds.scsi.EX64]
	id = "PCI\VEN_E010&DEV_0500", "extxt"
	[Config.EXTXT]
	value = Parameters\PnpInterface, 5, REG_DWORD, 1
	value = Parameters\Device, DriverParameter, REG_SZ, "a=1;b=2"
	value = Parameters, Limit, REG_DWORD, ff
END
for tree in xp x64; do
	rm -rf t && cp -r $tree t
	ok "$tree: a pack without INF goes in" "$GILD" inject t --driver=f6 --unsigned=allow
	is "$tree: service and IDs" "$(start t extxt) $(cdd t 'pci#ven_e010&dev_0500')" "0 extxt"
	is "$tree: its values, numbers in hexadecimal" \
		"$(get t 'ControlSet001\Services\extxt\Parameters\PnpInterface' 5) $(get t 'ControlSet001\Services\extxt\Parameters\Device' DriverParameter) $(get t 'ControlSet001\Services\extxt\Parameters' Limit)" \
		"1 a=1;b=2 255"
	arch=x86 && [ $tree = x64 ] && arch=x64
	ok "$tree: the driver for its processor" cmp f6/$arch/extxt.sys t/Windows/System32/drivers/extxt.sys
	ok "$tree: Plug and Play finds an INF" test -s t/Windows/Drivers/oem0_extxt/extxt.inf
	cp -r t t2
	"$GILD" inject t2 --driver=f6 --unsigned=allow >/dev/null 2>&1
	ok "$tree: twice is once" same_tree t t2
	"$GILD" remove t --driver=oem0.inf >/dev/null 2>&1
	is "$tree: and it can be removed" "$(start t extxt)$(cdd t 'pci#ven_e010&dev_0500')$(find t -name 'oem*' | wc -l)" 0
	rm -rf t2
done
# shellcheck disable=SC2086
pack mine/exide exide $scsi 0 05/06/2008,1.0.0.0 'PCI\VEN_8086&DEV_7111'
cp -r xp m
"$GILD" inject m --driver=mine --unsigned=allow --json >j 2>&1
ok "an instance that keeps a device from its driver is told" grep -q 'remembers 1 of its devices' j
ok "and dropped by --any-controller" sh -c "'$GILD' inject m --any-controller --json | grep -q 'DEV_7111'"
is "the injected driver keeps its device" "$(cdd m 'pci#ven_8086&dev_7111')" exide
# With its INF, which lacks one of the IDs.
# shellcheck disable=SC2086
pack f6/x86 extxt $scsi 0 05/06/2008,1.0.0.0 'PCI\VEN_E010&DEV_0500'
cp -r xp t3
"$GILD" inject t3 --driver=f6 --unsigned=allow --json >j 2>&1
is "where the INF is there it is the package" "$(json '[(p["inf"],p["verdict"]) for p in d["packages"]]' <j)" "[('extxt.inf', 'added')]"
is "and the IDs that it lacks come from the text-mode file" "$(cdd t3 'pci#ven_e010&dev_0501&cc_0106')" extxt
"$mksample" tree w10 || exit 1
rm f6/x86/extxt.inf
fails 3 "later Windows has no use for it, and is told so" "$GILD" inject w10 --driver=f6

# ---- any controller --------------------------------------------------------------------------
cp -r xp any
cat any/boot.ini >before.ini
ok "--any-controller" "$GILD" inject any --any-controller --json
cp .out j
for set in ControlSet001 ControlSet002; do
	is "$set: every driver that Windows brings starts at boot" \
		"$(for s in PCIIde IntelIde atapi aic78xx symc8xx dpti2o mraid35x; do start any $s $set; done | sort -u)" 0
	is "$set: each device leads to its driver" \
		"$(for i in 'pci#cc_0101' 'pci#ven_8086&dev_7010' '*pnp0600' 'pci#ven_9004&dev_7078' 'pci#cc_0e00' 'pci#ven_8086&dev_1960&subsys_04381028'; do cdd any "$i" $set; done | xargs)" \
		"pciide intelide atapi aic78xx dpti2o mraid35x"
	is "$set: buses too, but no bridge that could stop a PC" \
		"$(cdd any 'pci#cc_0601' $set) $(cdd any 'pci#ven_8086&dev_7191' $set)" "isapnp "
	is "$set: processor and AGP drivers are off" "$(start any intelppm $set) $(start any agp440 $set)" "4 4"
	is "$set: the stale instance is gone, others are not" \
		"$(get any "$set\\Enum\\PCI\\VEN_8086&DEV_24DB&SUBSYS_00000000&REV_02\\3&13c0b0c5&0&f9" Service)$(get any "$set\\Enum\\PCI\\VEN_8086&DEV_7111&SUBSYS_00000000&REV_01\\3&13c0b0c5&0&39" Service) $(get any "$set\\Enum\\PCI\\VEN_1011&DEV_0009&SUBSYS_21140A00&REV_20\\3&13c0b0c5&0&50" Service)" \
		"intelide DC21x4"
done
ok "what a service had of its own stays" sh -c \
	"[ \"\$(hivexget any/$config/SYSTEM 'ControlSet001\\Services\\atapi' Tag)\" = 25 ]"
mkdir cab
cabextract -q -d cab 'xp/Windows/Driver Cache/i386/sp3.cab'
mkdir rtm
cabextract -q -d rtm 'xp/Windows/Driver Cache/i386/driver.cab'
ok "drivers come from the service pack first" cmp cab/pciide.sys any/Windows/System32/drivers/pciide.sys
ok "then from driver.cab" cmp rtm/dpti2o.sys any/Windows/System32/drivers/dpti2o.sys
for f in halmacpi.dll halaacpi.dll ntkrnlmp.exe; do
	ok "$f is that of the service pack" cmp cab/$f any/Windows/System32/$f
done
ok "the installed pair is as it was" sh -c "cmp xp/Windows/System32/hal.dll any/Windows/System32/hal.dll && cmp xp/Windows/System32/ntoskrnl.exe any/Windows/System32/ntoskrnl.exe"
is "boot.ini keeps every byte and gets two entries" \
	"$(head -c "$(stat -c %s before.ini)" any/boot.ini | cmp - before.ini && tail -n 2 any/boot.ini | tr -d '\r' | sed 's/.*"//' | xargs)" \
	"/noexecute=optin /fastdetect /kernel=ntkrnlmp.exe /hal=halmacpi.dll /noexecute=optin /fastdetect /kernel=ntoskrnl.exe /hal=halaacpi.dll"
is "AHCI is said to want a driver" "$(json '"AHCI" in str(d["any_controller"][0]["remarks"])' <j)" True
cp -r any any2
"$GILD" inject any2 --any-controller >/dev/null 2>&1
ok "a second time changes nothing" same_tree any any2
cp -r xp dry
"$GILD" inject dry --any-controller --dry-run >/dev/null 2>&1
ok "--dry-run writes nothing" same_tree xp dry
ok "inspect finds no disabled storage" sh -c "! '$GILD' inspect any --json | grep -q storage_disabled"

# A multiprocessor Windows started with /PAE: uniprocessor pairs under names of their own.
"$mksample" tree mp --windows=2003 --hal=acpiapic_mp || exit 1
sed -i 's/fastdetect/fastdetect \/PAE/; s/timeout=30/timeout=0/' mp/boot.ini
"$GILD" inject mp --any-controller >/dev/null 2>&1
is "a multiprocessor image gets uniprocessor pairs" \
	"$(tr -d '\r' <mp/boot.ini | grep -oE '/PAE /kernel=.*' | xargs)" \
	"/PAE /kernel=ntkrpaup.exe /hal=halaacpi.dll /PAE /kernel=ntkrpaup.exe /hal=halacpi.dll"
ok "and a menu that is shown" grep -q 'timeout=10' mp/boot.ini
"$GILD" inject x64 --any-controller >out 2>&1
ok "64-bit Windows has one HAL" sh -c "grep -q 'has one HAL' out && ! grep -q kernel= x64/boot.ini"

# ---- what is missing -------------------------------------------------------------------------
cp -r xp gap
mv gap/Windows/'Driver Cache' cache
fails 3 "without a driver cache it says what is missing" "$GILD" inject gap --any-controller --json
cp .out j
ok "by name, for HAL and drivers" sh -c "grep -q halmacpi.dll j && grep -q symc8xx.sys j && grep -q -- --source j"
is "and does the rest" "$(start gap intelppm) $(start gap symc8xx) $(cdd gap 'pci#ven_8086&dev_7010')" "4 4 intelide"
# The folder of a CD: loose files, compressed as on the medium, and cabinets.
mkdir -p cd/i386
cp cab/* cd/i386/
for f in aic78xx symc8xx mraid35x dpti2o; do cp rtm/$f.sys cd/i386/; done
ok "--source serves it" "$GILD" inject gap --any-controller --source=cd
ok "with the same result" sh -c "cp -r any any3; rm -rf any3/Windows/'Driver Cache'; for t in gap any3; do hivexregedit --export \$t/$config/SYSTEM '\\' | sed '/^\"Tag\"/d' >\$t.reg; rm \$t/$config/SYSTEM; done; cmp gap.reg any3.reg && diff -r gap any3"
fails 1 "a source that is not there" "$GILD" inject xp --any-controller --source=nowhere
fails 2 "a source that is no folder" "$GILD" inject xp --any-controller --source=cd/i386/hal.dll
# As on a real CD: a file packed by compress.exe, one as a cabinet; the rest in MSZIP cabinets.
if command -v gcab >/dev/null; then
	cp -r xp packed
	rm -rf packed/Windows/'Driver Cache'
	mkdir -p cd2/I386 packed/Windows/'Driver Cache'/i386
	python3 - cab/halmacpi.dll cd2/I386/HALMACPI.DL_ <<-'END'
		import struct, sys
		data = open(sys.argv[1], "rb").read()
		out = b"SZDD\x88\xf0\x27\x33A" + b"l" + struct.pack("<I", len(data))
		for i in range(0, len(data), 8):
		    out += b"\xff" + data[i:i + 8]
		open(sys.argv[2], "wb").write(out)
	END
	(cd cab && gcab -cz ../cd2/I386/NTKRNLMP.EX_ ntkrnlmp.exe && gcab -cz ../cd2/I386/SP3.CAB halaacpi.dll pciide.sys)
	(cd rtm && gcab -cz ../packed/Windows/'Driver Cache'/i386/driver.cab aic78xx.sys symc8xx.sys mraid35x.sys dpti2o.sys halmacpi.dll)
	ok "compressed files of a CD and compressed cabinets" "$GILD" inject packed --any-controller --source=cd2
	for f in halmacpi.dll halaacpi.dll ntkrnlmp.exe drivers/pciide.sys; do
		ok "$f out of them" cmp cab/"${f##*/}" packed/Windows/System32/$f
	done
	ok "dpti2o.sys out of them" cmp rtm/dpti2o.sys packed/Windows/System32/drivers/dpti2o.sys
else
	skip "compressed cabinets" "gcab is not installed"
fi
cp -r xp sp
mkdir -p 'sp2cd'
cp rtm/hal*.dll rtm/nt*.exe sp2cd/
rm -rf sp/Windows/'Driver Cache'
fails 3 "files of another service pack are refused" "$GILD" inject sp --any-controller --source=sp2cd
cp .out j
ok "with both versions" sh -c "grep -q '5.1.2600.0' j && grep -q 'service pack 3' j"
ok "and none is put in" sh -c "! test -e sp/Windows/System32/halmacpi.dll"
cp -r xp noini
rm noini/boot.ini
fails 3 "no boot.ini: the pairs are there, the entries are not" "$GILD" inject noini --any-controller
cp .out j
ok "which it says" sh -c "grep -q boot.ini j && test -e noini/Windows/System32/halmacpi.dll"
cp -r xp std
cp rtm/hal.dll std/Windows/System32/hal.dll
fails 3 "an image for PCs without ACPI cannot be made neutral" "$GILD" inject std --any-controller

cp -r xp w2k
hivexregedit --merge w2k/$config/SOFTWARE <<-'END'
	Windows Registry Editor Version 5.00

	[\Microsoft\Windows NT\CurrentVersion]
	"CurrentVersion"="5.0"
	"CurrentBuildNumber"="2195"
END
fails 2 "Windows 2000 is refused" "$GILD" inject w2k --driver=drv
cp .out j
ok "by name" grep -q 'Windows 2000' j
is "inspect tells a HAL of another kind than registered" \
	"$("$GILD" inspect std --json | json '[p["code"] for p in d["problems"] if "hal" in p["code"]]')" "['hal_mismatch']"
mkdir mini/sysprep
printf '[Unattended]\r\nOemPnPDriversPath=drv\\net\r\n' >mini/sysprep/sysprep.inf
"$GILD" inject mini --driver=drv --unsigned=allow --json >j 2>&1
ok "mini-setup's own list of folders is pointed at" grep -q OemPnPDriversPath j

# ---- in place on a disk --------------------------------------------------------------------------
if [ -x "$GILD_BUILD/tests/ntfsedit" ] && command -v ntfscat ntfsinfo >/dev/null; then
	"$mksample" disk xp.raw --windows=xp --table=mbr || exit 1
	# Hidden, system and read-only, as setup leaves it.
	printf 'attr\tboot.ini\t27\n' | "$GILD_BUILD/tests/ntfsedit" --image xp.raw >/dev/null || exit 1
	ok "a disk, in place" "$GILD" inject xp.raw --any-controller --driver=drv --unsigned=allow
	dd if=xp.raw of=vol bs=1M skip=1 status=none
	ok "boot.ini has the entries" sh -c "ntfscat vol boot.ini | cmp - any/boot.ini"
	ok "and its attributes" sh -c "ntfsinfo -F boot.ini vol | grep -q 'READONLY HIDDEN SYSTEM'"
	ok "the volume is sound" python3 "$GILD_SOURCE/tests/ntfscheck.py" vol
	ntfscat vol $config/SYSTEM >disk.hive
	is "and its hive says so" \
		"$(hivexget disk.hive 'ControlSet002\Services\exstor' Start) $(hivexget disk.hive 'ControlSet001\Services\symc8xx' Start)" "0 0"
else
	skip "in place on a disk" "no ntfs-3g tools, or tests/ntfsedit is not built"
fi

# ---- the real hive of an XP SP3 ----------------------------------------------------------------
hives=$GILD_TEST_DATA/hives
if [ -e "$hives/xp-sp3-x86-IECOMPATVHD.SYSTEM.xz" ] && command -v xz >/dev/null; then
	xz -dc "$hives/xp-sp3-x86-IECOMPATVHD.SYSTEM.xz" >real.hive
	"$mksample" tree real --windows=xp --system=real.hive || exit 1
	cp -r real r
	ok "real hive: packages and any controller" "$GILD" inject r --driver=drv/exstor --any-controller --unsigned=allow
	# What Windows itself has for a device of the same kind: value names and types.
	shape() { hivexregedit --export "$1" "$2" 2>/dev/null | grep -a '^"' | sed -E 's/=(hex\([0-9]+\)|dword|hex).*/ \1/' | tr -d '\r' | sort; }
	# (the parameters of both are their own; symc8xx is a driver that setup had switched off)
	is "a driver of Windows' own has the values that atapi has in a running one" \
		"$(shape r/$config/SYSTEM 'ControlSet001\Services\mraid35x' | grep -vE "DisplayName|\"5\"" | xargs)" \
		"$(shape r/$config/SYSTEM 'ControlSet001\Services\atapi' | grep -vE 'DisplayName|Device|Ghost|Legacy|Media|Check|Auto' | xargs)"
	is "and an injected one, but for the tag" \
		"$(shape r/$config/SYSTEM 'ControlSet001\Services\exstor' | grep -v '"5"' | xargs)" \
		"$(shape r/$config/SYSTEM 'ControlSet001\Services\atapi' | grep -vE 'Tag|Device|Ghost|Legacy|Media|Check|Auto' | xargs)"
	hivexregedit --export r/$config/SYSTEM 'ControlSet001\Control\CriticalDeviceDatabase\pci#ven_9004&dev_7078' 2>/dev/null | tr -d '\r' | cut -d= -f1 | grep '^"' | sort >e1
	hivexregedit --export r/$config/SYSTEM 'ControlSet001\Control\CriticalDeviceDatabase\pci#ven_8086&dev_7111' 2>/dev/null | tr -d '\r' | cut -d= -f1 | grep '^"' | sort >e2
	ok "an entry of the device database has the values that Windows' own has" cmp e1 e2
	# Windows' own records taken out, and made again from the INF: what comes is what was.
	cp real.hive off.hive
	for set in ControlSet001 ControlSet003; do
		printf '[-\\%s\\Control\\CriticalDeviceDatabase\\%s]\n' $set 'pci#ven_8086&dev_7111' $set primary_ide_channel \
			$set secondary_ide_channel
		printf '[-\\%s\\Services\\IntelIde]\n[\\%s\\Services\\IntelIde]\n' $set $set
		printf '"ErrorControl"=dword:00000001\n"Group"=hex(1):%s00,00\n"Start"=dword:00000004\n"Tag"=dword:00000004\n"Type"=dword:00000001\n\n' \
			"$(printf 'System Bus Extender' | od -An -v -tx1 | tr -d '\n' | sed 's/ \(..\)/\1,00,/g')"
	done | { printf 'Windows Registry Editor Version 5.00\n\n' && cat; } >off.reg
	ok "its records are out" hivexregedit --merge off.hive off.reg
	"$mksample" tree off --windows=xp --system=off.hive || exit 1
	"$GILD" inject off --any-controller >/dev/null 2>&1
	for set in ControlSet001 ControlSet003; do
		for key in "Services\\IntelIde" 'Control\CriticalDeviceDatabase\pci#ven_8086&dev_7111' \
			'Control\CriticalDeviceDatabase\primary_ide_channel' 'Control\CriticalDeviceDatabase\secondary_ide_channel'; do
			hivexregedit --export real.hive "$set\\$key" >w1
			hivexregedit --export off/$config/SYSTEM "$set\\$key" >w2
			ok "$set\\$key is made as Windows made it" cmp w1 w2
		done
	done
	is "both control sets are served" "$(start r symc8xx ControlSet001) $(start r symc8xx ControlSet003)" "0 0"
	is "Windows' entries stay" "$(cdd r 'pci#ven_8086&dev_7111') $(cdd r gendisk) $(cdd r '*pnp0303')" "intelide disk i8042prt"
	hivexregedit --export real/$config/SYSTEM '\' >s1
	hivexregedit --export r/$config/SYSTEM '\' >s2
	# Values of Windows that differ: only Start.
	is "of Windows' own values only Start changed" \
		"$(diff <(grep -a '' s1) <(grep -a '' s2) | grep -a '^<' | sed -E 's/=.*//' | sort -u | xargs)" "< Start"
	is "inspect reads it" "$("$GILD" inspect r --json | json 'd["windows"]["service_pack"],d["hal"]["computer_id"]')" "3 acpipic_up"
else
	skip "real XP SP3 hive" "not in GILD_TEST_DATA"
fi
virtio=$GILD_TEST_DATA/inf/virtio-built/Wxp
if [ -d "$virtio" ]; then
	cp -r xp v
	"$GILD" inject v --driver="$virtio" --json >j 2>/dev/null
	is "real packages for XP: disk and network go in, those without their co-installer do not" \
		"$(json '[(p["inf"],p["verdict"],p["boot_critical"]) for p in d["packages"] if p["verdict"] == "added"],[p["inf"] for p in d["packages"] if p["verdict"] == "refused"]' <j)" \
		"[('netkvm.inf', 'added', False), ('viostor.inf', 'added', True)] ['balloon.inf', 'vioser.inf']"
	is "the disk's IDs lead to the driver" "$(cdd v 'pci#ven_1af4&dev_1001&subsys_00020000') $(start v viostor)" "viostor 0"
else
	skip "real packages for XP" "not in GILD_TEST_DATA"
fi
if [ -e "$hives/xp-x86-corrupted.SYSTEM.xz" ] && command -v xz >/dev/null; then
	xz -dc "$hives/xp-x86-corrupted.SYSTEM.xz" >bad.hive
	"$mksample" tree bad --windows=xp --system=bad.hive || exit 1
	cp -r bad bad2
	fails 4 "a corrupted hive is refused" "$GILD" inject bad --driver=drv
	cp .out j
	ok "with what is wrong in it, and nothing is written" sh -c "grep -q SYSTEM j && diff -r bad bad2"
else
	skip "corrupted XP hive" "not in GILD_TEST_DATA"
fi
done_testing
