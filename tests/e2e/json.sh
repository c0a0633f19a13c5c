# SPDX-License-Identifier: GPL-3.0-or-later
# The shapes of --json, which programs of others build on: the members that each schema
# has are frozen here, and docs/json.md names every one of them.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need jq
[ -x "$GILD_BUILD/samples/mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
"$GILD_BUILD/samples/mksample" tree windows --oem || exit 1
"$GILD_BUILD/samples/mksample" wim x.wim --plain || exit 1
"$GILD_BUILD/samples/mkdrivers" drivers exstor exnic exold exmissing || exit 1
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\r\n"b"="c"\r\n' >a.reg

# Every member, arrays as [], one a line.
members() {
	jq -r '[paths | map(if type == "number" then "[]" else . end) | join(".")] |
		map(select(endswith("[]") | not)) | unique[]' "$1"
}
shape() { # SCHEMA FILE MEMBER...
	local schema=$1 file=$2
	shift 2
	is "$schema is named" "$(jq -r .schema "$file")" "$schema"
	printf '%s\n' "$@" | sort >want
	members "$file" | sort >got
	# A member may be added, none may go.
	is "$schema has its members" "$(comm -23 want got)" ""
	is "docs/json.md has all members of $schema" "$(sed 's/.*\.//' got | sort -u | while read -r m; do
		grep -qE "[\"\`]$m[\"\`*:]" "$GILD_SOURCE/docs/json.md" || echo "$m"
	done)" ""
	is "$schema is one object on one output" "$(jq -s length "$file")" 1
}
image="image image.path image.format image.provider image.index windows windows.product
	windows.edition windows.version windows.build windows.arch windows.installation_type
	windows.control_set windows.state boot_storage boot_storage.[].service
	boot_storage.[].start boot_storage.[].ids drivers drivers.[].published
	drivers.[].original drivers.[].class drivers.[].provider drivers.[].date
	drivers.[].version drivers.[].arch drivers.[].boot_critical drivers.[].services problems
	problems.[].code problems.[].severity problems.[].message problems.[].remedy"

"$GILD" inspect windows --json >inspect.json
# shellcheck disable=SC2086
shape gild.inspect/1 inspect.json schema $image
"$GILD" inspect x.wim --json >images.json
# shellcheck disable=SC2086
is "a WIM without --index gives images" \
	"$(jq -r '.images[0] | has("windows") and has("image") and (has("schema") | not)' images.json)" true
"$GILD" inspect x.wim --index=1 --json >one.json
is "an index is a number there" "$(jq .image.index one.json)" 1
is "build is a number, version its text" \
	"$(jq -c '[.windows.build, .windows.version]' one.json)" '[19045,"10.0.19045"]'

"$GILD_BUILD/samples/mksample" disk disk.raw --images=2 --oem || exit 1
"$GILD" inspect disk.raw --json >disk.json
layout="disk disk.table disk.subtype disk.sector_size disk.virtual_size disk.partitions
	disk.partitions.[].number disk.partitions.[].offset disk.partitions.[].size
	disk.partitions.[].type disk.partitions.[].name disk.partitions.[].file_system
	disk.partitions.[].label disk.partitions.[].holds disk.problems"
volume="image.partition image.system_partition image.file_system image.label"
# shellcheck disable=SC2046,SC2086
shape gild.inspect/1 disk.json schema $layout installations \
	$(printf 'installations.[].%s\n' $image $volume)
is "a disk without --index gives installations, without schema each" \
	"$(jq -c '[.installations[] | [.image.index, .image.partition, .image.system_partition, has("schema")]]' disk.json)" \
	"[[1,2,1,false],[2,3,1,false]]"
is "the partitions tell what they hold" "$(jq -c '[.disk.partitions[].holds]' disk.json)" \
	'["system","windows","windows"]'
"$GILD" inspect disk.raw --index=2 --json >disk2.json
# shellcheck disable=SC2086
shape gild.inspect/1 disk2.json schema $layout $image $volume
is "the second Windows alone" "$(jq -c '[.image.index, .image.partition]' disk2.json)" "[2,3]"
fails 2 "two installations want --index to be edited" "$GILD" edit disk.raw --reg=a.reg
"$GILD" inspect disk.raw >disk.txt
is "the table for people names each Windows" "$(grep -c 'Windows, --index=[12]$' disk.txt)" 2
is "and the boot manager's partition" "$(grep -c 'EFI system.*FAT32.*boot manager' disk.txt)" 1
"$GILD" capture disk.raw --index=1 --exclude=INF --output=disk.wim --compression=none --json >capture.json
shape gild.capture/1 capture.json schema image image.path image.format image.provider image.index \
	image.partition output name state folders files bytes bytes_written excluded warnings \
	warnings.[].code warnings.[].message warnings.[].remedy
rm disk.raw disk.wim

"$GILD" inject windows --driver=drivers --any-controller --dry-run --json >plan.json
is "a plan with a refused package is the answer no" $? 3
shape gild.plan/1 plan.json schema trees trees.[].tree trees.[].files trees.[].files.[].action \
	trees.[].files.[].path trees.[].files.[].bytes trees.[].registry \
	trees.[].registry.[].action trees.[].registry.[].hive trees.[].registry.[].key \
	trees.[].registry.[].name trees.[].registry.[].type trees.[].registry.[].data
is "the plan changed nothing" "$("$GILD" inspect windows --json | cmp - inspect.json && echo same)" same

"$GILD" inject windows --driver=drivers --any-controller --json >inject.json
shape gild.inject/1 inject.json schema packages packages.[].inf packages.[].source \
	packages.[].published packages.[].store packages.[].class packages.[].version \
	packages.[].arch packages.[].boot_critical packages.[].services \
	packages.[].hardware_ids packages.[].files packages.[].signature packages.[].signature_reason \
	packages.[].signer packages.[].signer_kind packages.[].verdict \
	packages.[].reason packages.[].remarks packages.[].image any_controller \
	any_controller.[].image any_controller.[].services any_controller.[].services.[].service \
	any_controller.[].services.[].from any_controller.[].services.[].to \
	any_controller.[].services.[].unmasked any_controller.[].services.[].ids \
	any_controller.[].left any_controller.[].filters_removed any_controller.[].errors \
	any_controller.[].reflected any_controller.[].keys_removed any_controller.[].ids_covered any_controller.[].boot_settings \
	problems written bytes_written
is "verdicts are of the four words" \
	"$(jq -r '[.packages[].verdict] | unique | join(" ")' inject.json)" "added refused skipped"
is "signatures are of the five words" \
	"$(jq -r '[.packages[].signature] | unique | join(" ")' inject.json)" "unchecked untrusted"

"$GILD" export windows --output=exported --json >export.json
shape gild.export/1 export.json schema output packages packages.[].published packages.[].inf \
	packages.[].store packages.[].class packages.[].version packages.[].arch \
	packages.[].files packages.[].bytes packages.[].verdict packages.[].reason
"$GILD" remove windows --driver=oem0.inf --json >remove.json
shape gild.remove/1 remove.json schema packages packages.[].published packages.[].inf \
	packages.[].store packages.[].boot_critical packages.[].services packages.[].verdict \
	packages.[].reason packages.[].remarks packages.[].image written bytes_written
"$GILD" edit windows --reg=a.reg --json >edit.json
shape gild.edit/1 edit.json schema files registry_changes bytes_written
"$GILD" inf drivers --for=10.0.19041/amd64 --device='PCI\VEN_E010&DEV_0400' --json >inf.json
shape gild.inf/1 inf.json schema files files.[].inf files.[].class files.[].class_guid \
	files.[].provider files.[].version files.[].date files.[].catalog files.[].arch \
	files.[].models files.[].models.[].section files.[].models.[].description \
	files.[].models.[].hardware_ids files.[].models.[].compatible_ids files.[].verdict \
	files.[].reason files.[].line

"$GILD" build x.wim --output=built.raw --size=400M --driver=drivers --depersonalize --answer=auto \
	--user=Jo --json >build.json
shape gild.build/1 build.json schema source source.path source.format source.index \
	windows windows.product windows.version windows.arch output output.path output.format \
	output.file_size output.allocated disk disk.virtual_size disk.sector_size disk.firmware \
	disk.boot_device disk.boot_ca disk.content disk.compacted disk.partitions \
	disk.partitions.[].role disk.partitions.[].number disk.partitions.[].offset \
	disk.partitions.[].size disk.partitions.[].guid disk.boot_files packages \
	packages.[].inf packages.[].verdict problems depersonalized depersonalized.removed \
	depersonalized.removed.[].code depersonalized.removed.[].what \
	depersonalized.removed.[].where depersonalized.removed.[].count \
	depersonalized.removed.[].bytes depersonalized.left answer answer.actions \
	answer.warnings warnings findings findings.[].code findings.[].severity

# Errors: on standard error, as an object too.
"$GILD" inspect nothing --json >out 2>err
is "a missing image is exit code 1" $? 1
is "and leaves standard output empty" "$(cat out)" ""
shape gild.error/1 err schema command code subject reason remedy
done_testing
