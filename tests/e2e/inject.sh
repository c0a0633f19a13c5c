# SPDX-License-Identifier: GPL-3.0-or-later
# gild inject through the real binary: what is in the image afterwards is judged by hivexget
# and wimlib-imagex. Sample Windows everywhere; real virtio packages where they are.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need hivexget hivexregedit wimlib-imagex python3
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
config=Windows/System32/config
store=Windows/System32/DriverStore/FileRepository
"$mkdrivers" drivers >/dev/null || exit 1

# json FILE EXPRESSION: evaluates with the object as d and its packages by INF as p
json() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
p = {x["inf"]: x for x in d.get("packages", [])}
print(eval(sys.argv[2]))' "$1" "$2" 2>&1
}
# tree WIM INDEX DIR: the image's files, as wimlib sees them
tree() {
	rm -rf "$3"
	wimlib-imagex apply "$1" "$2" "$3" --no-acls >/dev/null 2>&1
}
# said WHAT PATTERN: the last command's output has it
said() {
	grep -q -e "$2" "$scratch/.out"
	tap $? "$1" "$scratch/.out"
}
get() { hivexget "$1/$config/$2" "$3" "$4" 2>/dev/null; }

# ---- a WIM: what DISM would leave there --------------------------------------------------
"$mksample" wim pristine.wim --images=2 || exit 1
cp pristine.wim a.wim
ok "a boot-critical and a network package" "$GILD" inject a.wim --index=1 \
	--driver=drivers/exstor --driver=drivers/exnic --json
cp "$scratch/.out" a.json
is "both were added" "$(json a.json '[x["verdict"] for x in d["packages"]]')" "['added', 'added']"
is "schema" "$(json a.json 'd["schema"]')" gild.inject/1
is "the storage package is boot-critical" "$(json a.json 'p["exstor.inf"]["boot_critical"]')" True
is "the network package is not" "$(json a.json 'p["exnic.inf"]["boot_critical"]')" False
is "a test root signed it" "$(json a.json '[p["exstor.inf"][x] for x in ("signature", "signer", "signer_kind")]')" \
	"['untrusted', 'Sample Driver Test Signer', 'test']"
is "its services" "$(json a.json 'p["exstor.inf"]["services"]')" "['exstor']"
stor=$(json a.json 'p["exstor.inf"]["published"]') nic=$(json a.json 'p["exnic.inf"]["published"]')
storfolder=$(json a.json 'p["exstor.inf"]["store"]') nicfolder=$(json a.json 'p["exnic.inf"]["store"]')
grown=$(($(stat -c %s a.wim) - $(stat -c %s pristine.wim)))
is "bytes_written is what the WIM grew by" "$(json a.json 'd["bytes_written"]')" "$grown"
ok "wimlib verifies the result" wimlib-imagex verify a.wim
tree a.wim 1 t1 && tree a.wim 2 t2 && tree pristine.wim 2 p2 && tree pristine.wim 1 p1
ok "the other image is the same" diff -r p2 t2

for set in ControlSet001 ControlSet002; do
	key="$set\\Services\\exstor"
	is "$set: exstor starts at boot" "$(get t1 SYSTEM "$key" Start)" 0
	is "$set: its path is relative" "$(get t1 SYSTEM "$key" ImagePath)" 'System32\drivers\exstor.sys'
	is "$set: its owner" "$(get t1 SYSTEM "$key" Owners)" "$stor"
	is "$set: its parameters" "$(get t1 SYSTEM "$key\\Parameters" BusType)" 10
	is "$set: nothing masks it" "$(get t1 SYSTEM "$key\\StartOverride" 0)" ""
done
package="DriverDatabase\\DriverPackages\\$storfolder"
is "the package names its INF" "$(get t1 SYSTEM "$package" @)" "$stor"
is "and its origin" "$(get t1 SYSTEM "$package" InfName)" exstor.inf
is "its configuration is there" "$(get t1 SYSTEM "$package\\Configurations\\ExStor_Install" Service)" exstor
is "and flagged" "$(get t1 SYSTEM "$package\\Configurations\\ExStor_Install" ConfigFlags)" 0
is "the INF is active" "$(get t1 SYSTEM "DriverDatabase\\DriverInfFiles\\$stor" Active)" "$storfolder"
id() { hivexregedit --export "$1/$config/$2" "DriverDatabase\\DeviceIds\\$3" 2>/dev/null | tr -d '\r' | sed -n "s/^\"$4\"=//p"; }
is "its hardware ID" "$(id t1 SYSTEM 'PCI\VEN_E010&DEV_0300' "$stor" | sed 's/hex(3)/hex/')" "hex:01,ff,00,00"
is "the network package is in the DRIVERS hive" \
	"$(get t1 DRIVERS "DriverDatabase\\DriverPackages\\$nicfolder" @)" "$nic"
is "and not in SYSTEM" "$(get t1 SYSTEM "DriverDatabase\\DriverPackages\\$nicfolder" @)" ""
is "and not configured" "$(get t1 SYSTEM 'ControlSet001\Services\exnic' Start)" ""
ok "its INF is published byte for byte" cmp "t1/Windows/INF/$nic" "t1/$store/$nicfolder/exnic.inf"
ok "and the same as in the package" cmp "t1/Windows/INF/$nic" drivers/exnic/exnic.inf
ok "the catalog has its published name" cmp drivers/exstor/exstor.cat \
	"t1/Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/${stor%.inf}.cat"
ok "sub-folders are kept in the store" test -f "t1/$store/$storfolder/amd64/exstor.sys"
ok "the driver is where its service looks" cmp "t1/$store/$storfolder/amd64/exstor.sys" \
	t1/Windows/System32/drivers/exstor.sys
ok "the network driver stays in the store" test ! -e t1/Windows/System32/drivers/exnic.sys
lock='Microsoft\Windows\CurrentVersion\Setup\PnpLockdownFiles\%SystemRoot%/System32/drivers/exstor.sys'
is "the file is locked down" "$(get t1 SOFTWARE "$lock" Owners)" "$stor"
is "nothing else changed" "$(diff -rq p1 t1 | grep -v -e "$stor" -e "$nic" -e "${stor%.inf}.cat" \
	-e "${nic%.inf}.cat" -e "$storfolder" -e "$nicfolder" -e exstor.sys \
	-e "$config/SYSTEM" -e "$config/SOFTWARE" -e "$config/DRIVERS")" ""

# ---- twice is once; the same bytes; a dry run writes nothing -------------------------------
before=$(sha256sum <a.wim)
ok "a second time is a no-op" "$GILD" inject a.wim --index=1 --driver=drivers/exstor \
	--driver=drivers/exnic --json
is "already there" "$(json "$scratch/.out" '[x["verdict"] for x in d["packages"]]')" "['already', 'already']"
is "no byte was written" "$(json "$scratch/.out" 'd["bytes_written"]')" 0
is "the WIM is the same" "$(sha256sum <a.wim)" "$before"
cp pristine.wim b.wim
sleep 1
"$GILD" inject b.wim --index=1 --driver=drivers/exstor --driver=drivers/exnic >/dev/null
ok "two injections give the same bytes" cmp a.wim b.wim
cp pristine.wim c.wim
ok "a dry run" "$GILD" inject c.wim --index=2 --driver=drivers/exstor --dry-run
said "lists the files" "FileRepository/exstor.inf_amd64_.*/amd64/exstor.sys"
said "and the registry" 'Services.exstor.*Start.*REG_DWORD'
ok "and writes nothing" cmp c.wim pristine.wim
ok "its plan as JSON" "$GILD" inject c.wim --index=2 --driver=drivers/exstor --dry-run --json
is "has its own schema" "$(json "$scratch/.out" 'd["schema"]')" gild.plan/1

# ---- refusals ------------------------------------------------------------------------------
fails 3 "one bad package" "$GILD" inject c.wim --index=2 --json \
	--driver=drivers/exmissing --driver=drivers/exescape --driver=drivers/exbroken \
	--driver=drivers/exold --driver=drivers/exstor
cp "$scratch/.out" c.json
is "does not fail the others" "$(json c.json 'p["exstor.inf"]["verdict"]')" added
is "a missing file is named" "$(json c.json '"exmissing.sys" in p["exmissing.inf"]["reason"]')" True
is "a path that leads out is refused" "$(json c.json 'p["exescape.inf"]["verdict"]')" refused
is "a broken INF is refused" "$(json c.json 'p["exbroken.inf"]["verdict"]')" refused
is "one for another Windows is skipped" "$(json c.json 'p["exold.inf"]["verdict"]')" skipped
cp pristine.wim c.wim
fails 3 "with --strict" "$GILD" inject c.wim --index=2 --strict \
	--driver=drivers/exmissing --driver=drivers/exstor
ok "nothing is written" cmp c.wim pristine.wim
ok "a package for another Windows is no failure" "$GILD" inject c.wim --index=1 --driver=drivers/exold
ok "and writes nothing" cmp c.wim pristine.wim
fails 2 "a WIM of two images without --index" "$GILD" inject c.wim --driver=drivers/exstor
said "names its images" "Windows 10"
fails 2 "no image 7" "$GILD" inject c.wim --index=7 --driver=drivers/exstor
fails 3 "a path without packages" "$GILD" inject c.wim --index=1 --driver=t1/Windows/Fonts
fails 1 "a path that is not there" "$GILD" inject c.wim --index=1 --driver=nowhere
ok "all of it wrote nothing" cmp c.wim pristine.wim
mkdir -p wrong/exstor && cp -r drivers/exstor/. wrong/exstor
find wrong -path '*amd64*' -name '*.sys' | while read -r f; do cp "$(find drivers/exstor -path '*x86*' -name '*.sys')" "$f"; done
fails 3 "a boot driver for another machine" "$GILD" inject c.wim --index=1 --driver=wrong
said "is refused for that" "is for x86, the image is amd64"

# ---- newer and older -----------------------------------------------------------------------
cp a.wim d.wim
ok "a newer version" "$GILD" inject d.wim --index=1 --driver=drivers/exstor-1.1 --json
newer=$(json "$scratch/.out" 'p["exstor.inf"]["published"]')
is "gets a number of its own" "$([ "$newer" != "$stor" ] && echo yes)" yes
tree d.wim 1 t
ok "stands beside the older" test -d "t/$store/$storfolder"
is "and has the service" "$(get t SYSTEM 'ControlSet001\Services\exstor' Owners | head -1)" "$newer"
cp pristine.wim d.wim
"$GILD" inject d.wim --index=1 --driver=drivers/exstor-1.1 >/dev/null
ok "an older version after a newer" "$GILD" inject d.wim --index=1 --driver=drivers/exstor --verbose
said "says which stays in force" "ranks better"
tree d.wim 1 t
is "the newer one keeps the service" "$(get t SYSTEM 'ControlSet001\Services\exstor' Owners)" oem0.inf

# ---- where the image and the packages come from ----------------------------------------------
cp pristine.wim e.wim
ok "into a new image" "$GILD" inject e.wim --index=1 --driver=drivers/exstor --output=new.wim
ok "leaves the old one alone" cmp e.wim pristine.wim
ok "the new one verifies" wimlib-imagex verify new.wim
is "and has both images" "$(wimlib-imagex info new.wim | sed -n 's/^Image Count: *//p')" 2
tree new.wim 1 t
is "with the driver" "$(get t SYSTEM 'ControlSet001\Services\exstor' Start)" 0
ok "all images of a WIM" "$GILD" inject e.wim --index=all --driver=drivers/exstor --json
is "a verdict for each" "$(json "$scratch/.out" '[x["index"] for x in d["packages"]]')" "[1, 2]"
tree e.wim 2 t
is "the last one has it too" "$(get t SYSTEM 'ControlSet001\Services\exstor' Start)" 0

"$mksample" tree folder || exit 1
cp -a folder folder.before
ok "a folder" "$GILD" inject folder --driver=drivers/exstor --driver=drivers/exnic
is "has the service" "$(get folder SYSTEM 'ControlSet001\Services\exstor' Start)" 0
is "and the package in DRIVERS" "$(get folder DRIVERS "DriverDatabase\\DriverPackages\\$nicfolder" @)" oem0.inf
(cd folder && find . -type f -exec sha256sum {} + | sort) >sums
ok "a folder, again" "$GILD" inject folder --driver=drivers/exstor --driver=drivers/exnic
is "is not touched" "$( (cd folder && find . -type f -exec sha256sum {} + | sort) | diff sums - | wc -l)" 0
if command -v zip >/dev/null; then
	(cd drivers && zip -qr ../pack.zip exstor exnic)
	rm -rf folder && cp -a folder.before folder
	ok "from an archive" "$GILD" inject folder --driver=pack.zip --json
	is "both packages" "$(json "$scratch/.out" 'sorted(p)')" "['exnic.inf', 'exstor.inf']"
else
	skip "from an archive" "zip is not installed"
fi

# ---- setup media and the recovery image ---------------------------------------------------------
"$mksample" media media --windows=11 || exit 1
ok "a setup medium in one run" "$GILD" inject media --driver=drivers/exstor --json
is "Windows PE, Setup and Windows" \
	"$(json "$scratch/.out" '[x["verdict"] for x in d["packages"]].count("added") >= 3')" True
tree media/sources/boot.wim 1 t
is "boot.wim 1 has it" "$(get t SYSTEM 'ControlSet001\Services\exstor' Start)" 0
tree media/sources/boot.wim 2 t
is "boot.wim 2 has it" "$(get t SYSTEM 'ControlSet001\Services\exstor' Start)" 0
tree media/sources/install.wim 1 t
is "install.wim has it" "$(get t SYSTEM 'ControlSet001\Services\exstor' Start)" 0
"$mksample" wim re.wim --winre || exit 1
ok "the recovery image inside" "$GILD" inject re.wim --driver=drivers/exstor --winre --json
is "is serviced as well" "$(json "$scratch/.out" '[x["verdict"] for x in d["packages"]]')" "['added', 'added']"
tree re.wim 1 t
ok "and is a WIM still" wimlib-imagex verify t/Windows/System32/Recovery/Winre.wim
tree t/Windows/System32/Recovery/Winre.wim 1 t2
is "with the driver" "$(get t2 SYSTEM 'ControlSet001\Services\exstor' Start)" 0

# ---- generations and architectures --------------------------------------------------------------
for windows in 8.1 11 server2022; do
	rm -rf g && "$mksample" tree g --windows=$windows || exit 1
	ok "$windows" "$GILD" inject g --driver=drivers/exstor
	is "$windows: the service" "$(get g SYSTEM 'ControlSet001\Services\exstor' Start)" 0
	date=$(get g SYSTEM "$package" ImportDate | wc -c)
	[ $windows = 8.1 ] && is "8.1 records no import date" "$date" 0
	[ $windows != 8.1 ] && is "$windows records the import date" "$([ "$date" -gt 1 ] && echo yes)" yes
done
for arch in x86 arm64; do
	rm -rf g && "$mksample" tree g --arch=$arch || exit 1
	ok "$arch" "$GILD" inject g --driver=drivers/exstor
	is "$arch: its own folder name" "$(ls g/$store | grep -c "^exstor.inf_${arch}_")" 1
	ok "$arch: its own driver" cmp "drivers/exstor/$arch/exstor.sys" g/Windows/System32/drivers/exstor.sys
done

# ---- real packages ---------------------------------------------------------------------------------
virtio=$GILD_TEST_DATA/inf/virtio-built/Win8.1/amd64
if [ -d "$virtio" ]; then
	cp pristine.wim v.wim
	fails 3 "the virtio packages (one of them incomplete)" "$GILD" inject v.wim --index=1 --driver="$virtio" --json
	cp "$scratch/.out" v.json
	is "12 added" "$(json v.json '[x["verdict"] for x in d["packages"]].count("added")')" 12
	is "vioprot lacks its notify object" "$(json v.json '"netkvmno.dll" in p["vioprot.inf"]["reason"]')" True
	tree v.wim 1 t
	for service in viostor vioscsi; do
		is "$service starts at boot" "$(get t SYSTEM "ControlSet001\\Services\\$service" Start)" 0
		ok "$service.sys is its own" cmp "$virtio/$service.sys" "t/Windows/System32/drivers/$service.sys"
	done
	is "vioscsi is a SAS bus" "$(get t SYSTEM 'ControlSet001\Services\vioscsi\Parameters' BusType)" 10
	is "viostor's" "$(get t SYSTEM 'ControlSet001\Services\viostor\Parameters' BusType)" 1
	ok "wimlib verifies it" wimlib-imagex verify v.wim
	virtio=$GILD_TEST_DATA/inf/virtio-built/Win8/x86
	rm -rf g && "$mksample" tree g --windows=8.1 --arch=x86 || exit 1
	"$GILD" inject g --driver="$virtio" --json >v.json
	is "on x86 vioscsi is added" "$(json v.json 'p["vioscsi.inf"]["verdict"]')" added
	redhat=$(echo "$GILD_TEST_DATA"/inf/packages/RedHat__vioscsi*)
	cp pristine.wim v.wim
	ok "Red Hat's signed vioscsi" "$GILD" inject v.wim --index=1 --driver="$redhat" --json
	is "is signed by Microsoft" "$(json "$scratch/.out" '[p["vioscsi.inf"][x] for x in ("signature", "signer_kind")]')" \
		"['valid', 'whql']"
	is "and has a signer's name" "$(tree v.wim 1 t; get t SYSTEM "DriverDatabase\\DriverPackages\\$(
		json "$scratch/.out" 'p["vioscsi.inf"]["store"]')" SignerName | grep -c .)" 1
else
	skip "the virtio packages" "set GILD_TEST_DATA"
fi

# What cannot be read is not taken for what is not there.
user=()
[ "$EUID" != 0 ] || user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
mkdir unreadable
"$GILD_BUILD/samples/mkdrivers" unreadable exstor >/dev/null
"$GILD_BUILD/samples/mksample" tree unreadable/windows
[ ${#user[@]} = 0 ] || { chown -R 65534:65534 unreadable; chmod 755 "$scratch"; }
chmod 000 unreadable/exstor/amd64
"${user[@]}" "$GILD" inject unreadable/windows --driver=unreadable/exstor/exstor.inf >out 2>err
is "a folder of a package that cannot be read ends the run" $? 1
ok "with its name and why" grep -q 'amd64.*Permission denied' err
is "and nothing is injected" "$("$GILD" inspect unreadable/windows --json | jq '.drivers | length')" 0
chmod 755 unreadable/exstor/amd64
done_testing
