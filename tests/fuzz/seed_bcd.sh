#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Seeds for fuzz_bcd: one device element of each kind, and a loader's usual elements.
# usage: seed_bcd.sh DIR (see seeds.sh)
cd "$1" || exit 1
hex() { printf '%b' "$(sed 's/[^0-9a-f]//g; s/../\\x&/g')"; }
le16() { printf '%02x%02x' $(($1 & 255)) $(($1 >> 8)); }
z4=00000000 z16=00000000000000000000000000000000
element() { # TYPE-LE HEX
	printf '%s%s%s' "$1" "$(le16 $((${#2} / 2)))" "$2"
}
boot=$z16$(printf '05000000%s48000000%s' $z4 $z4)$z16$z16$z16$z4$z4
gpt=$z16$(printf '06000000%s48000000%s' $z4 $z4)11111111222233438444555555555504$z4${z4}11111111222233438444555555555501$z16
mbr=$z16$(printf '06000000%s48000000%s' $z4 $z4)00001000$z4$z4$z4${z4}01000000a44d2336$z4$z4$z4$z16
path=$z16$(printf '08000000%s22000000%s' $z4 $z4)01000000$z4${z4}5c0061000000
named=$z16$(printf '08000000%s1e000000%s' $z4 $z4)0000000002000012${z4}0000
file=$(printf '010000005a00000005000000%s' "${boot:32}")5c0078000000
ramdisk=11111111222233438444555555555501$(printf '%s0100000082000000%s03000000%s%s' $z4 $z4 $z16 $z4)$file
vhd=$z16$(printf '08000000%sb4000000%s' $z4 $z4)00000000020000221e0000000000$(printf '%s%s96000000%s06000000%s%s' $z4 $z4 $z4 $z16 $z4)$(printf '%s%s6e000000%s05000000' $z4 $z4 $z4)$file
n=0
for device in "$boot" "$gpt" "$mbr" "$path" "$named" "$ramdisk" "$vhd"; do
	n=$((n + 1))
	{
		element 01000011 "$device"
		element 02000012 5c0061002e006500660069000000
		element 02000042 5c0061002e006500660069000000
		element 20000025 01
		element 60000016 01
		element 02001018 5c0061000000
		element 01000021 "$device"
	} | hex >"device-$n"
done
