# SPDX-License-Identifier: GPL-3.0-or-later
# gild check: the verdict on PCs, on the sample and on a real Windows 10's driver database.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need jq
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
export GILD_PROFILES=$GILD_SOURCE/profiles XDG_CONFIG_HOME=$scratch/config
verdict() { # IMAGE ID-OR-FILE OPTION...: the verdict, and why
	local image=$1 profile=$2
	shift 2
	"$GILD" check "$image" --profile="$profile" --json "$@" 2>/dev/null |
		jq -r '.models[0] | [.verdict, .reason // empty] | join(": ")'
}

# ---- the sample -------------------------------------------------------------------------------
"$mksample" tree windows || exit 1
fails 3 "masked services are the answer no" "$GILD" check windows --profile=qemu-q35
is "for this reason" "$(verdict windows qemu-q35)" \
	"fails: ICH9 AHCI 8086:2922: its service storahci is switched off by StartOverride"
"$GILD" inject windows --any-controller >/dev/null
ok "after --any-controller it is yes" "$GILD" check windows --profile=qemu-q35
is "NVMe as well" "$(verdict windows aws-nitro | cut -d: -f1)" degraded
is "the winner, its service and why" "$("$GILD" check windows --profile=qemu-q35 --json | jq -c '.models[0].devices[] |
	select(.role == "boot-storage") | [.driver, .service, .matched, .source, .verdict]')" \
	'["mshdc.inf","storahci","PCI\\CC_010601","inbox","ok"]'
is "no driver is the reason" "$(verdict windows gcp)" "fails: virtio SCSI 1AF4:1004: no driver"

cat >vmd.xml <<-'END'
	<profile xmlns="urn:gild:profile:1" id="vmd" name="VMD laptop" lists="PCI">
	<devices role="boot-storage"><device id="PCI\VEN_8086&amp;DEV_9A0B&amp;REV_00&amp;CC_010400"/>
	<device id="PCI\VEN_8086&amp;DEV_A0D3&amp;CC_010601"/></devices></profile>
END
is "VMD fails even beside AHCI" "$(verdict windows ./vmd.xml)" \
	"fails: Intel RST or VMD controller 8086:9A0B: no driver"
mkdir repo
cat >repo/vmd.inf <<-'END'
	[Version]
	Signature="$WINDOWS NT$"
	Class=SCSIAdapter
	ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}
	Provider=Example
	DriverVer=01/01/2020,1.0.0.0
	[Manufacturer]
	Example=Models,NTamd64
	[Models.NTamd64]
	VMD=Install,PCI\VEN_8086&DEV_9A0B
	[Install.NTamd64]
END
is "a repository's INF is the remedy" "$("$GILD" check windows --profile=./vmd.xml --driver-repo=repo --json |
	jq -r '.models[0].remedy')" "inject repo/vmd.inf, or switch RAID/VMD mode off in the firmware"
is "an injected driver wins" "$("$GILD_BUILD/samples/mkdrivers" drivers exstor >/dev/null
	"$GILD" inject windows --driver=drivers >/dev/null
	id=$(grep -o 'PCI.VEN_[0-9A-F]*&DEV_[0-9A-F]*' drivers/exstor/exstor.inf | head -n 1)
	echo "{\"vendor\":\"A\",\"model\":\"B\",\"pci\":[[\"0\",\"010700\",\"$(sed 's/.*VEN_\(....\).*/\1/' <<<"$id")\",\"$(sed 's/.*DEV_\(....\).*/\1/' <<<"$id")\",\"0000\",\"0000\",\"00\"]]}" >x.jsonl
	"$GILD" check windows --inventory=x.jsonl --json | jq -c '[.models[0].devices[0].source, .models[0].verdict]')" \
	'["injected","boots"]'
is "one staged only does not start" "$("$mksample" tree staged --oem
	"$GILD" check staged --all-profiles --json >/dev/null; echo $?)" 3
echo '{"vendor":"A","model":"B"}' >none.jsonl
is "no storage controller is undecided" "$("$GILD" check windows --inventory=none.jsonl --json |
	jq -r '.models[0].verdict')" undecided
fails 2 "no PC is wrong usage" "$GILD" check windows
fails 1 "an unknown profile is refused" "$GILD" check windows --profile=nonsense
fails 1 "a broken inventory is refused" "$GILD" check windows --inventory=windows/Windows/explorer.exe
# ---- the report ---------------------------------------------------------------------------------
echo '{"vendor":"<script>alert(1)</script>","model":"\"&<b>","pci":[["0","010601","8086","1c02","0000","0000","05"]]}' >hostile.jsonl
"$GILD" check windows --all-profiles --inventory=hostile.jsonl --html=report.html >/dev/null
ok "the report is there" test -s report.html
is "what a PC calls itself is text in it" "$(grep -c '<script>alert' report.html)" 0
is "it asks no one for anything" "$(grep -cE '(src|href)=|@import|url\(' report.html)" 0
if command -v chromium >/dev/null; then
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync \
		--user-data-dir="$scratch/chromium" \
		--dump-dom "file://$scratch/report.html" >dom 2>/dev/null
	is "a browser shows every PC" "$(grep -o '[0-9]* of [0-9]* PCs' dom | head -n 1)" \
		"$(n=$(grep -c '<tr class="pc"' report.html); echo "$n of $n PCs")"
else
	skip "a browser shows every PC" "chromium is not installed"
fi

is "totals are those of the PCs" "$("$GILD" check windows --all-profiles --json |
	jq -c '[(.models | length), (.summary | .boots + .degraded + .fails + .undecided)] | .[0] == .[1]')" true

# ---- Windows 7 and XP: the boot path by CriticalDeviceDatabase ----------------------------------
"$mksample" tree seven --windows=7 || exit 1
"$GILD" inject seven --any-controller >/dev/null
is "7 starts from AHCI once msahci does" "$(verdict seven qemu-q35)" degraded
"$mksample" tree xp --windows=xp || exit 1
is "XP has no AHCI driver" "$(verdict xp qemu-q35)" \
	"fails: ICH9 AHCI 8086:2922: no driver in CriticalDeviceDatabase"

# ---- a real Windows 10, hand-checked -----------------------------------------------------------------
data=${GILD_TEST_DATA-}
hive=$data/hives/win10-1709-x64-dell.SYSTEM
if [ ! -e "$hive.xz" ]; then
	skip "a real driver database" "GILD_TEST_DATA has no hives/win10-1709-x64-dell.SYSTEM.xz"
else
	for end in '' .LOG1 .LOG2; do xz -dc "$hive$end.xz" >"SYSTEM$end"; done
	"$mksample" tree real --system=SYSTEM
	# The sample has the files of storage drivers; the filters of the storage classes have theirs, too.
	is "a class filter without its file stops every PC" "$("$GILD" check real --profile=qemu-q35 --json |
		jq -r '.models[0].reason' | grep -c '^filter .* of class .* is missing$')" 1
	for filter in EhStorClass fvevol iorate partmgr rdyboost volsnap stdcfltn; do
		[ -e "real/Windows/System32/drivers/$filter.sys" ] || : >"real/Windows/System32/drivers/$filter.sys"
	done
	"$GILD" inject real --any-controller >/dev/null
	"$GILD" check real --all-profiles --json --verbose >real.json
	# PROFILE VERDICT CONTROLLER SERVICE: by the class code, and what Windows 10 has for it.
	while read -r profile want controller service; do
		is "$profile: $controller $service" "$(jq -r --arg p "$profile" --arg c "$controller" '.models[] |
			select(.id == $p) | .verdict as $v | .devices[] | select(.id | contains($c)) |
			[$v, .service // .verdict] | join(" ")' real.json | head -n 1)" "$want $service"
	done <<-'END'
		acer-v5-131 degraded DEV_1E03 storahci
		acer-aspire-a315-58 fails DEV_9A0B missing
		apple-macbookpro8-1 degraded DEV_1C01 pciide
		asustek-h110m-k degraded DEV_A102 storahci
		asustek-prime-z690-p-d4 fails DEV_467F missing
		asustek-tuf-gaming-x570-plus degraded DEV_A80A stornvme
		aws-nitro degraded DEV_8061 stornvme
		azure-nvme degraded DEV_B111 stornvme
		dell-latitude-3410 fails DEV_02D7 missing
		dell-optiplex-7020 degraded DEV_8C00 pciide
		framework-laptop degraded DEV_5011 stornvme
		gcp fails DEV_1004 missing
		hewlett-packard-prodesk-400-g7-small-form-factor-pc degraded DEV_0001 stornvme
		hpe-proliant-ml110-gen10 fails DEV_A1D6 missing
		hyperv-gen1 degraded DEV_7111 intelide
		hyperv-gen2 degraded ba6163d9 storvsc
		lenovo-3000-n200-0769ap2 degraded DEV_2850 intelide
		msi-gf76-12ue fails DEV_467F missing
		qemu-i440fx degraded DEV_7010 intelide
		qemu-q35 degraded DEV_2922 storahci
		qemu-q35-virtio degraded DEV_1042 missing
		samsung-electronics-950xcj-951xcj-950xcr degraded DEV_A808 stornvme
		tuxedo-aura-15-gen1 degraded DEV_A808 stornvme
		virtualbox degraded DEV_2829 storahci
		vmware degraded DEV_0054 LSI_SAS
		vmware-paravirtual degraded DEV_07C0 missing
		xen-hvm degraded DEV_7010 intelide
	END
	if [ -e "$data/pcs/pci-dmi.jsonl.xz" ]; then
		xz -dc "$data/pcs/pci-dmi.jsonl.xz" >pcs.jsonl
		"$GILD" check real --inventory=pcs.jsonl --json >all.json
		echo "# 4,971 real PCs: $(jq -c '.summary | {boots, degraded, fails, undecided}' all.json)"
		# By another reader: AHCI, NVMe and IDE that are all a PC has never fail.
		is "no PC with plain controllers only fails" "$(jq -s -r '.[0].models as $m | .[1:] | to_entries[] |
			select([.value.pci[] | select(.[1] | startswith("01")) | .[1]] |
				length > 0 and all(. == "010601" or . == "010802" or . == "01018a" or . == "010180")) |
			select($m[.key].verdict == "fails") | "\(.value.vendor) \(.value.model): \($m[.key].reason)"' \
			all.json pcs.jsonl | grep -vc 'is missing')" 0
	fi
fi
done_testing
