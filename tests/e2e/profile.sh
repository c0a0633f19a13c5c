# SPDX-License-Identifier: GPL-3.0-or-later
# gild profile: inventories in, profiles out, the right profile for a PC. Computer Hardware
# IDs against fwupd's and against what Windows wrote into real hives.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
cd "$scratch" || exit 1
export GILD_PROFILES=$scratch/profiles XDG_CONFIG_HOME=$scratch/config
tool=$GILD_BUILD/tests/pctool
mkdir profiles

cat >pci.txt <<-'END'
	00:00.0 Host bridge [0600]: Intel Corporation Host Bridge [8086:3e34] (rev 0c)
	00:17.0 SATA controller [0106]: Intel Corporation SATA Controller [8086:9dd3] (rev 30) (prog-if 01 [AHCI 1.0])
	00:1f.6 Ethernet controller [0200]: Intel Corporation Ethernet [8086:15be] (rev 30)
	02:00.0 Network controller [0280]: Intel Corporation Wireless [8086:2526] (rev 29)
END
printf 'Handle 0x0001, DMI type 1, 27 bytes\nSystem Information\n\tManufacturer: Example Inc.\n\tProduct Name: Book 5400\n\tSKU Number: 08B8\n' >dmi.txt

"$GILD" profile import pci.txt dmi.txt --output=profiles/example-book-5400.xml >out 2>err
is "two files make one profile" "$?$(cat err)" 0
ok "it is valid" "$GILD" profile validate profiles/example-book-5400.xml
if command -v xmllint >/dev/null; then
	ok "xmllint finds it valid, too" xmllint --noout --relaxng \
		"$GILD_SOURCE/profiles/gild-profile.rng" profiles/example-book-5400.xml
fi
is "the roles are those of the classes" "$("$GILD" profile show example-book-5400 --json |
	jq -r '[.devices[].role] | join(" ")')" "boot-storage network wireless system"
is "only PCI is listed" "$(grep -o 'lists="[^"]*"' profiles/example-book-5400.xml)" 'lists="PCI"'
fails 1 "an existing file is not overwritten" "$GILD" profile import pci.txt --output=profiles/example-book-5400.xml
ok "list knows it" sh -c "'$GILD' profile list | grep -q 'example-book-5400.*Book 5400'"
is "match names it, and by what" "$("$GILD" profile match pci.txt dmi.txt --json |
	jq -r '.matches[0] | [.id, .reason] | join(": ")')" \
	"example-book-5400: manufacturer, product; 4 of 4 devices"
printf 'Handle 0x0001, DMI type 1, 27 bytes\n\tManufacturer: Other\n\tProduct Name: Other\n' >other.txt
fails 3 "a PC that none fits is the answer no" "$GILD" profile match other.txt
fails 1 "an unknown profile is refused" "$GILD" profile show nonsense
ok "and the folders are named" sh -c "'$GILD' profile show nonsense 2>&1 | grep -q '$scratch/profiles'"
fails 2 "an unknown verb is wrong usage" "$GILD" profile nonsense
fails 2 "import without a file is wrong usage" "$GILD" profile import
fails 2 "--all needs --output" "$GILD" profile import --all pci.txt
sed 's/<devices/<nonsense/' profiles/example-book-5400.xml >broken.xml
fails 1 "a profile that is no profile is refused" "$GILD" profile validate broken.xml
ok "with its line" sh -c "'$GILD' profile validate broken.xml 2>&1 | grep -q 'broken.xml:[0-9]*:'"
head -c 2000000 /dev/zero >zeros
fails 1 "an inventory of zeros is refused" "$GILD" profile import zeros
fails 1 "a missing file is refused" "$GILD" profile import nowhere

cat >many.jsonl <<-'END'
	{"vendor":"A","model":"1","pci":[["0000:00:1f.2","010601","8086","1c02","0000","0000","05",""]]}
	{"vendor":"A","model":"1"}
	{"vendor":"B","model":"2","dmi":{"sys_vendor":"B","product_name":"2"}}
END
is "a population gives a profile for each model" "$("$GILD" profile import --all many.jsonl --output=all --json |
	jq -c '[.pcs, .profiles]')" '[3,["a-1","b-2"]]'
ok "they are valid" "$GILD" profile validate all/a-1.xml all/b-2.xml
echo '{"vendor":"B"' >>many.jsonl
fails 1 "a broken line ends it" "$GILD" profile import --all many.jsonl --output=all2
ok "and nothing is left" test ! -e all2
ok "the line is named" sh -c "'$GILD' profile import --all many.jsonl --output=all2 2>&1 | grep -q 'many.jsonl:4'"
"$GILD" profile compile --output=table --json >out 2>err
is "profiles are compiled" "$?$(cat err)$(jq .profiles out)" "0$("$GILD" profile list --json | jq '.profiles | length')"
is "the table has the size that is said" "$(jq .bytes out)" "$(stat -c %s table)"
"$GILD" profile compile --output=again --quiet
ok "the same profiles give the same bytes" cmp table again
is "its digest is that of the file with zeros in its place" "$(xxd -s 24 -l 32 -p -c 32 table)" \
	"$( (head -c 24 table; head -c 32 /dev/zero; tail -c +57 table) | sha256sum | cut -d' ' -f1)"
fails 1 "an existing table is not overwritten" "$GILD" profile compile --output=table
fails 2 "compile needs --output" "$GILD" profile compile
fails 1 "an unknown profile is not compiled" "$GILD" profile compile --output=none nonsense
"$GILD" profile probe >probe.xml 2>err
is "this machine has a profile" "$?$(cat err)" 0
ok "which is valid" "$GILD" profile validate probe.xml

# ---- what comes with gild ----------------------------------------------------------------------
GILD_PROFILES=$GILD_SOURCE/profiles "$GILD" profile list --json >shipped.json
is "the shipped profiles are read" $? 0
is "each is valid as it stands, and named as its file" "$(for f in "$GILD_SOURCE"/profiles/*.xml; do
	[ "$(basename "$f" .xml)" = "$(sed -n 's/.*<profile [^>]* id="\([^"]*\)".*/\1/p' "$f")" ] || echo "$f"
done; "$GILD" profile validate "$GILD_SOURCE"/profiles/*.xml --quiet)" ""
ok "there are 150 models of 12 makers from 2008 on" jq -e '[.profiles[] | select(.year >= 2008)] |
	length >= 150 and ([.[].name | split(" ")[0]] | unique | length) >= 12' shipped.json
ok "and the virtual machines" jq -e '[.profiles[].id] | contains(["generic-uefi", "generic-bios", "qemu-q35",
	"qemu-i440fx", "hyperv-gen1", "hyperv-gen2", "vmware", "virtualbox", "xen-hvm", "aws-nitro",
	"azure-gen2", "gcp"])' shipped.json

export GILD_PROFILES=$GILD_SOURCE/profiles
is "a model names its maker's driver pack" "$("$GILD" profile show dell-latitude-3410 --json |
	jq -c '.drivers')" '[{"pack_vendor":"dell","pack_system":"09EC"}]'
is "a family's rules count for it" "$("$GILD" profile show dell-latitude-3410 --json |
	jq -c '[.passthrough[] | select(.policy == "never") | .role] == ["boot-storage", "management-engine"]')" true
is "a graphics card and its sound go together" "$(echo '{"vendor":"HP","model":"Z","dmi":{"sys_vendor":"HP","product_name":"Z","board_name":"81C5"},
	"pci":[["0","030000","10de","1c82","103c","0001","a1"],["1","040300","10de","0fb9","103c","0001","a1"],["2","040300","8086","a170","103c","0001","31"]]}' >card.json
	"$GILD" profile import card.json --json | jq -c '[(.passthrough | map(.group)), (.passthrough | map(.role)), .drivers[0].pack_system]')" \
	'[["graphics-card","graphics-card"],["display","audio"],"81C5"]'
export GILD_PROFILES=$scratch/profiles
# The keys of the shipped packs are in the makers' own lists.
if [ -e "${GILD_TEST_DATA-}/pcs/catalogs/hp-build-platform.xml.xz" ]; then
	listed() { # VENDOR FILE: how many of the shipped keys are in it
		xz -dc "$GILD_TEST_DATA/pcs/catalogs/$2" | iconv -f utf-16 -t utf-8 | grep -oiE '>[0-9A-F]{4}<|[ ;,>][0-9A-F]{4}[;,<]' | tr -d '<>;, ' | tr a-f A-F | sort -u >listed
		grep -h "pack vendor=\"$1\"" "$GILD_SOURCE"/profiles/*.xml | sed 's/.*system="\(....\)".*/\1/' | sort -u >keys
		comm -12 listed keys | wc -l
	}
	ok "at least half of Dell's keys are in Dell's list" test "$(($(listed dell dell-build-driverpack.xml.xz) * 2))" -ge "$(wc -l <keys)"
	ok "and of HP's in HP's" test "$(($(listed hp hp-build-platform.xml.xz) * 2))" -ge "$(wc -l <keys)"
else
	skip "the makers' lists" "GILD_TEST_DATA has no pcs/catalogs"
fi

# ---- real PCs ---------------------------------------------------------------------------------
data=${GILD_TEST_DATA-}
if [ ! -d "$data/pcs/raw" ]; then
	skip "real inventories" "GILD_TEST_DATA has no pcs/raw"
else
	read_ok=0 read_all=0
	for f in "$data"/pcs/raw/*.pciconf.txt "$data"/pcs/raw/*.dmidecode.txt "$data"/pcs/raw-new/*; do
		read_all=$((read_all + 1))
		"$tool" --count "$f" >/dev/null 2>>errors && read_ok=$((read_ok + 1))
	done
	is "every real inventory is read" "$read_ok" "$read_all"
	# The same functions, counted by another reader.
	is "and every PCI function of them" \
		"$("$tool" --count "$data"/pcs/raw/*.pciconf.txt | sed -n '1s/.*, \([0-9]*\) devices/\1/p')" \
		"$(cat "$data"/pcs/raw/*.pciconf.txt | grep -c '^[a-z].*@pci')"
	xz -dc "$data/pcs/pci-dmi.jsonl.xz" >pci-dmi.jsonl
	# A PC of a shipped model is recognised as it.
	jq -c 'select(.model == "Latitude 3410" or .model == "Aspire A315-58")' pci-dmi.jsonl | head -n 1 >one.jsonl
	id=$(jq -r 'if .model == "Latitude 3410" then "dell-latitude-3410" else "acer-aspire-a315-58" end' one.jsonl)
	is "a PC is recognised as its model" "$(GILD_PROFILES=$GILD_SOURCE/profiles "$GILD" profile match one.jsonl \
		--json | jq -r '.matches[0].id')" "$id"
	is "the population is whole" "$("$tool" --count pci-dmi.jsonl | head -n 1)" \
		"$(jq -s -r '"\(length) PCs, \(map(.pci | length) | add) devices"' pci-dmi.jsonl)"
fi

# Our IDs are a subset of fwupd's by rule: it hashes empty fields, Windows does not.
if ! command -v fwupdtool >/dev/null; then
	skip "Computer Hardware IDs are fwupd's" "fwupdtool is not installed (Debian: fwupd)"
elif [ ! -d "$data/pcs/raw-new" ]; then
	skip "Computer Hardware IDs are fwupd's" "GILD_TEST_DATA has no pcs/raw-new"
else
	compared=0
	for f in $(printf '%s\n' "$data"/pcs/raw-new/* | awk 'NR % 4 == 1'); do
		"$tool" --chids "$f" >ours 2>/dev/null || continue
		"$tool" "$f" | awk -F'\t' '/^pc/ {
			split($10, release, ".")
			print "[HwIds]"
			if ($3 != "-") print "Manufacturer=" $3
			if ($4 != "-") print "ProductName=" $4
			if ($5 != "-") print "ProductSku=" $5
			if ($6 != "-") print "Family=" $6
			if ($8 != "-") print "BiosVendor=" $8
			if ($9 != "-") print "BiosVersion=" $9
			if (release[1] >= 0) printf "BiosMajorRelease=%02x\n", release[1]
			if (release[2] >= 0) printf "BiosMinorRelease=%02x\n", release[2]
			if ($11 >= 0) printf "EnclosureKind=%x\n", $11
		}' >hwids.ini
		fwupdtool hwids hwids.ini 2>/dev/null | sed -n 's/^\({[0-9a-f-]*}\).*/\1/p' | sort -u >theirs
		# Without the board, which the keyfile does not have.
		awk -F'\t' '$1 != 3 && $1 != 6 && $1 != 8 && $1 != 10 && $1 != 13 {print $2}' ours | sort -u >mine
		[ -z "$(comm -23 mine theirs)" ] || { echo "# $f: $(comm -23 mine theirs | tr '\n' ' ')"; echo "$f" >>differ; }
		compared=$((compared + $(wc -l <mine)))
	done
	echo "# $compared IDs compared with fwupd's"
	ok "Computer Hardware IDs are fwupd's" test ! -e differ -a "$compared" -gt 20
fi
done_testing
