# SPDX-License-Identifier: GPL-3.0-or-later
# gild remove and export: after adding and removing, the image is what it was; inbox drivers
# stay; what was exported can be injected again.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need hivexget hivexregedit wimlib-imagex
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
config=Windows/System32/config
store=Windows/System32/DriverStore/FileRepository
"$mkdrivers" drivers >/dev/null || exit 1
get() { hivexget "$1/$config/$2" "$3" "$4" 2>/dev/null; }
said() { # WHAT PATTERN: the last command's output has it
	grep -q -e "$2" "$scratch/.out"
	tap $? "$1" "$scratch/.out"
}
hives() { # every value of the three hives, but for the map's length and empty keys
	local hive
	for hive in SYSTEM SOFTWARE DRIVERS; do
		hivexregedit --export "$1/$config/$hive" '\' | tr -d '\r' |
			awk -v hive=$hive '/^\[/ { key = $0; next } /=/ && !/OemInfMap/ { print hive key $0 }'
	done | sort
}
files() { (cd "$1" && find . -type f ! -path "*/config/*" -exec sha256sum {} + | sort); }

# ---- a folder -------------------------------------------------------------------------------
"$mksample" tree before || exit 1
cp -a before image
"$GILD" inject image --driver=drivers/exnic --driver=drivers/exstor >/dev/null || exit 1
hives before >hives.before
files before >files.before
ok "a dry run" "$GILD" remove image --driver=oem1.inf --dry-run
said "names what goes" 'oem1.inf'
is "but leaves it" "$(get image SYSTEM 'ControlSet001\Services\exstor' Start)" 0
ok "the storage package goes" "$GILD" remove image --driver=oem1.inf
said "with a warning" "boot-critical"
is "its service" "$(get image SYSTEM 'ControlSet001\Services\exstor' Start)" ""
is "in every control set" "$(get image SYSTEM 'ControlSet002\Services\exstor' Start)" ""
ok "its file" test ! -e image/Windows/System32/drivers/exstor.sys
is "its folder in the store" "$(find image/$store -maxdepth 1 -name 'exstor*')" ""
ok "the other package stays" test -e image/Windows/INF/oem0.inf
ok "and goes in its turn" "$GILD" remove image --driver=OEM0.INF --json
said "as JSON" '"gild.remove/1"'
hives image >hives.after
files image >files.after
ok "every value is as before" diff hives.before hives.after
ok "every file is as before" diff files.before files.after
ok "its number is free again" "$GILD" inject image --driver=drivers/exstor
said "and is used again" "oem0.inf"

# ---- what is not removed ----------------------------------------------------------------------
cp -a image kept
files kept >files.kept
hives kept >hives.kept
fails 3 "an inbox driver" "$GILD" remove kept --driver=mshdc.inf
said "is refused with the reason" "inbox"
fails 3 "a number that is not there" "$GILD" remove kept --driver=oem42.inf
fails 3 "a path" "$GILD" remove kept --driver=../oem0.inf
fails 2 "nothing named" "$GILD" remove kept
hives kept | diff hives.kept - >/dev/null && files kept | diff files.kept - >/dev/null
tap $? "nothing of this changed the image"

# ---- the newer one goes, the older one is back ---------------------------------------------------
"$GILD" inject image --driver=drivers/exstor-1.1 >/dev/null
newer=$(get image SYSTEM 'ControlSet001\Services\exstor' Owners | head -1)
is "the newer package had taken over" "$newer" oem1.inf
ok "it goes" "$GILD" remove image --driver=oem1.inf
said "and the older one takes over" "oem0.inf takes over"
is "the service is the older one's" "$(get image SYSTEM 'ControlSet001\Services\exstor' Owners)" oem0.inf
ok "with its file" cmp "$(echo image/$store/exstor.inf_*/amd64/exstor.sys)" image/Windows/System32/drivers/exstor.sys
hives image >hives.after
ok "all as before" diff hives.kept hives.after

# ---- a WIM ------------------------------------------------------------------------------------
"$mksample" wim a.wim --images=2 || exit 1
"$GILD" inject a.wim --index=all --driver=drivers/exstor >/dev/null
wimlib-imagex apply a.wim 2 two --no-acls >/dev/null 2>&1
ok "from one image of a WIM" "$GILD" remove a.wim --index=1 --driver=oem0.inf
ok "wimlib verifies it" wimlib-imagex verify a.wim
wimlib-imagex apply a.wim 1 one --no-acls >/dev/null 2>&1
ok "gone there" test ! -e one/Windows/INF/oem0.inf
wimlib-imagex apply a.wim 2 two.after --no-acls >/dev/null 2>&1
ok "the other image is untouched" diff -r two two.after

# ---- export, and back --------------------------------------------------------------------------
ok "third-party packages come out" "$GILD" export a.wim --index=2 --output=out
folder=$(find out -type f -name exstor.inf -printf '%h\n' | head -1)
ok "whole" cmp "$folder/exstor.inf" drivers/exstor/exstor.inf
fails 2 "not over what is there" "$GILD" export a.wim --index=2 --output=out
cp -a before back
ok "and can be injected again" "$GILD" inject back --driver=out
is "with the same folder name" "$(ls back/$store | grep ^exstor)" "$(ls two/$store | grep ^exstor)"

# ---- packages that came with the image ------------------------------------------------------------
"$mksample" tree oem --oem || exit 1
ok "one that Windows installed" "$GILD" remove oem --driver=oem0.inf
is "is gone from the database" "$(get oem SYSTEM 'DriverDatabase\DriverInfFiles\oem0.inf' Active)" ""
ok "and from the store" test ! -e oem/Windows/INF/oem0.inf
ok "one that was only staged" "$GILD" remove oem --driver=oem3.inf
ok "and one of the DRIVERS hive" "$GILD" remove oem --driver=oem1.inf
is "all three are gone" "$(find oem/Windows/INF -name 'oem[0-9]*.inf' | wc -l)" 0
done_testing
