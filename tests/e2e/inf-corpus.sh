# SPDX-License-Identifier: GPL-3.0-or-later
# The INF engine on hundreds of real INFs of all eras, against what is known about them:
# a table of facts, the list of what is refused and why, and Microsoft's own list of each
# INF's hardware IDs in the catalogs (HWID attributes), which no code of ours has made.
. "${GILD_SOURCE:-$(dirname "$0")/../..}/tests/lib.sh"
need xz awk sort comm join
need_data inf/INDEX.tsv
inftool=$GILD_BUILD/tests/inftool catids=$GILD_BUILD/tests/catids
data=$GILD_TEST_DATA/inf
mkdir "$scratch/corpus"
cd "$scratch/corpus" || exit 1

# Links to the INFs (build sources and templates as well) under their names in the table;
# what is compressed is unpacked.
(cd "$data" && find . -type f | sed 's|^\./||' |
	grep -iE '\.(inf|inx)(\.xz)?$|\.inf\.in$|\.inf_override') | sort >"$scratch/files"
while read -r f; do
	mkdir -p "$(dirname "$f")"
	case $f in
	*.xz) xz -dc "$data/$f" >"${f%.xz}" ;;
	*) ln -s "$data/$f" "$f" ;;
	esac
done <"$scratch/files"
sed 's/\.xz$//' "$scratch/files" | sort >"$scratch/names"

# ---- what is refused ----------------------------------------------------------------------

# FILE|the reason, which holds for SetupAPI as well: without [Version] and a Signature it
# opens no file. Those of ReactOS are lists for its own installer, included by name; the
# others belong to Windows NT 4, to the shell (autorun) or to a packaging tool.
cat >"$scratch/refused.want" <<END
not-windows-inf/edk2__ArmPkg__Drivers__ArmCrashDumpDxe__ArmCrashDumpDxe.inf|it has no [Version] section
not-windows-inf/edk2__FmpDevicePkg__Library__CapsuleUpdatePolicyLibOnProtocol__CapsuleUpdatePolicyLibOnProtocol.inf|it has no [Version] section
not-windows-inf/edk2__MdeModulePkg__Universal__EsrtFmpDxe__EsrtFmpDxe.inf|it has no [Version] section
not-windows-inf/edk2__MdePkg__Library__PeiResourcePublicationLib__PeiResourcePublicationLib.inf|it has no [Version] section
not-windows-inf/edk2__OvmfPkg__SmmAccess__SmmAccess2Dxe.inf|it has no [Version] section
not-windows-inf/edk2__UefiCpuPkg__Library__SmmCpuRendezvousLib__SmmCpuRendezvousLib.inf|it has no [Version] section
not-windows-inf/softgpu-autorun.inf|it has no [Version] section
oss/nvme2k__nt4__oemsetup.inf|it has no [Version] section
packages/VMware__pvscsi_1.3.28.0/pvscsi.inf_override.x86|it has no [Version] section
reactos/base__services__nfsd__nfsd_reg.inf|it has no [Version] section
reactos/boot__bootdata__autorun-bootcd.inf|it has no [Version] section
reactos/drivers__base__beep__beep_reg.inf|it has no [Version] section
reactos/drivers__crypto__ksecdd__ksecdd_reg.inf|it has no [Version] section
reactos/drivers__filesystems__msfs__msfs_reg.inf|it has no [Version] section
reactos/drivers__filesystems__npfs__npfs_reg.inf|it has no [Version] section
reactos/drivers__filesystems__udfs__udfs_reg.inf|it has no [Version] section
reactos/drivers__input__i8042prt__i8042prt_reg.inf|it has no [Version] section
reactos/drivers__input__mouclass__mouclass_reg.inf|it has no [Version] section
reactos/drivers__network__afd__afd_reg.inf|it has no [Version] section
reactos/drivers__storage__class__cdrom__cdrom_reg.inf|it has no [Version] section
reactos/drivers__storage__class__disk__disk_reg.inf|it has no [Version] section
reactos/drivers__storage__class__sfloppy__sfloppy_reg.inf|it has no [Version] section
reactos/drivers__storage__floppy__floppy__floppy_reg.inf|it has no [Version] section
reactos/drivers__storage__ide__uniata__uniata_reg.inf|it has no [Version] section
reactos/modules__rosapps__drivers__vcdrom__vcdrom_reg.inf|it has no [Version] section
reactos/modules__rosapps__drivers__vfd__vfd_reg.inf|it has no [Version] section
reactos/sdk__lib__drivers__wdf__wdf01000_reg.inf|it has no [Version] section
reactos/win32ss__drivers__miniport__bochs__bochsmp_reg.inf|it has no [Version] section
reactos/win32ss__drivers__miniport__vga__vga_reg.inf|it has no [Version] section
reactos/win32ss__drivers__miniport__xboxvmp__xboxvmp_reg.inf|it has no [Version] section
wds/general__toaster__toastpkg__inf__autorun.inf|it has no [Version] section
END
xargs -d '\n' "$inftool" facts <"$scratch/names" >"$scratch/facts"
tap $? "every file is read"
is "none is left out" "$(wc -l <"$scratch/facts")" "$(wc -l <"$scratch/names")"
awk -F'\t' '$2 == "refused" { sub(/^[^:]*(:[0-9]+)?: (is no Windows INF: )?/, "", $8); print $1 "|" $8 }' \
	"$scratch/facts" | sort | diff - <(sort "$scratch/refused.want") >"$scratch/.diff"
tap $? "refused are those of the list, for the stated reasons" "$scratch/.diff"
while IFS='|' read -r f _; do
	# The reason, judged without the engine. grep -a: UTF-16 has its letters apart.
	! tr -d '\000' <"$f" | grep -aqi '^[[:space:]]*\[version\]' || echo "$f"
done <"$scratch/refused.want" >"$scratch/.lies"
[ ! -s "$scratch/.lies" ]
tap $? "the stated reasons are true" "$scratch/.lies"
grep -c '^not-windows-inf/' "$scratch/names" >"$scratch/.n"
is "all that is no Windows INF is refused" \
	"$(grep -c $'^not-windows-inf/[^\t]*\trefused' "$scratch/facts")" "$(cat "$scratch/.n")"

# Every one opened for every target: what is refused there must be of the same list.
xargs -d '\n' "$inftool" targets <"$scratch/names" >"$scratch/targets"
tap $? "every file is interpreted for nine targets"
awk -F'\t' '$3 == "refused" { print $1 }' "$scratch/targets" | sort -u |
	diff - <(cut -d'|' -f1 "$scratch/refused.want" | sort) >"$scratch/.diff"
tap $? "no INF is refused for what it installs" "$scratch/.diff"

# ---- the table ----------------------------------------------------------------------------

# Class and DriverVer are exact there. The provider is unresolved where it is a %token%; the
# decorations are those of any section, so ours are among them; the number of IDs counts
# what looks like one anywhere in the text, so it is only shown.
awk -F'\t' 'BEGIN { OFS = "\t" }
NR == FNR { if ($2 == "ok") { seen[$1] = 1; class[$1] = toupper($3); provider[$1] = $4; date[$1] = $5
		ids[$1] = $6; deco[$1] = toupper($7) } next }
FNR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
{ f = $1; sub(/\.xz$/, "", f); if (!(f in seen)) next; n++ }
toupper($col["cls"]) != class[f] { print f, "class", $col["cls"], class[f] }
{ p = $col["provider"]; gsub(/"/, "", p) }
p != "" && p !~ /^%/ { providers++; if (p != provider[f]) print f, "provider", p, provider[f] }
{ d = ""
  if (match($col["driverver"], /[0-9]+[\/-][0-9]+[\/-][0-9][0-9][0-9][0-9]/)) {
	split(substr($col["driverver"], RSTART, RLENGTH), q, /[\/-]/)
	d = sprintf("%s-%02d-%02d", q[3], q[1], q[2])
  } }
d != date[f] { print f, "date", d, date[f] }
{ delete have; m = split(toupper($col["deco"]), q, / +/); for (i = 1; i <= m; i++) have[q[i]] = 1
  m = split(deco[f], q, ","); decos += m
  for (i = 1; i <= m; i++) {
	if (q[i] ~ /^NT[A-Z0-9]*\.[0-9]+$/) sub(/\..*/, "", q[i]) # a major version alone is not read there
	if (q[i] != "NT" && q[i] !~ /\$ARCH\$/ && !(q[i] in have)) print f, "decoration", $col["deco"], q[i]
  }
  same += $col["nhwid"] == ids[f] }
END { print n " files compared: class and date of all, " providers " providers, " decos \
	" decorations; number of IDs as counted roughly: " same " equal" > "/dev/stderr" }' \
	"$scratch/facts" "$data/INDEX.tsv" >"$scratch/.differ" 2>"$scratch/.summary"
sed 's/^/# /' "$scratch/.summary"
[ ! -s "$scratch/.differ" ]
tap $? "class, provider, date and decorations agree with the table" "$scratch/.differ"

# ---- Microsoft's lists of hardware IDs ------------------------------------------------------

# CATALOG|INFs whose IDs it lists besides those of the INF that names it|what is true of it.
# Inf2Cat puts the IDs of all INFs of a driver set into each of its catalogs.
cat >"$scratch/explained" <<'END'
virtio-built/Win8/x86/pvpanic.cat|virtio-built/Win8/x86/pvpanic-pci.inf|two INFs signed as one driver set
virtio-built/Win8/x86/pvpanic-pci.cat|virtio-built/Win8/x86/pvpanic.inf|two INFs signed as one driver set
virtio-built/Win8.1/amd64/pvpanic.cat|virtio-built/Win8.1/amd64/pvpanic-pci.inf|two INFs signed as one driver set
virtio-built/Win8.1/amd64/pvpanic-pci.cat|virtio-built/Win8.1/amd64/pvpanic.inf|two INFs signed as one driver set
packages/adafruit__FTDI_VCP_BUS/ftdibus.cat|packages/adafruit__FTDI_VCP_PORT/ftdiport.inf|two INFs signed as one driver set
packages/adafruit__FTDI_VCP_PORT/ftdiport.cat|packages/adafruit__FTDI_VCP_BUS/ftdibus.inf|two INFs signed as one driver set
packages/HP__iaLPSS2_I2C_TGL_30.100.2129.8/iaLPSS2_I2C_TGL.cat|osdeploy/HP__iaLPSS2_UART2_TGL_30.100.2129.8__iaLPSS2_UART2_TGL.inf|one of four INFs of a driver set; GPIO2 and SPI are not in the data
virtio-built/Win8/x86/vioprot.cat||its INF is not in the data
END
(cd "$data" && find . -name '*.cat' | sed 's|^\./||' | sort) >"$scratch/cats"
(cd "$data" && xargs -d '\n' "$catids") <"$scratch/cats" >"$scratch/attributes"
tap $? "every catalog is read"
{
	grep -iE '^(packages|virtio-built)/.*\.inf$' "$scratch/names"
	awk -F'|' '$2 != "" { print $2 }' "$scratch/explained"
} | sort -u | xargs -d '\n' "$inftool" ids >"$scratch/ids"
ids_of() { # INF...: its IDs, lower case
	local f
	for f; do awk -F'\t' -v f="$f" '$1 == f && $2 == "id" { print tolower($4) }' "$scratch/ids"; done |
		sort -u
}
# The OS attribute's names, as the targets that they mean.
targets_of() {
	local os list=
	for os in ${1//,/ }; do
		case $os in
		2000) os=5.0.2195/x86 ;;
		XPX86) os=5.1.2600/x86 ;;
		XPX64) os=5.2.3790/amd64 ;;
		Server2003X86) os=5.2.3790/x86/server ;;
		VistaX86) os=6.0.6002/x86 ;;
		VistaX64) os=6.0.6002/amd64 ;;
		Server2008X64) os=6.0.6002/amd64/server ;;
		7X86) os=6.1.7601/x86 ;;
		7X64) os=6.1.7601/amd64 ;;
		Server2008R2X64) os=6.1.7601/amd64/server ;;
		8X86) os=6.2.9200/x86 ;;
		8X64) os=6.2.9200/amd64 ;;
		Server2012X64) os=6.2.9200/amd64/server ;;
		_v63) os=6.3.9600/x86 ;;
		_v63_X64) os=6.3.9600/amd64 ;;
		_v63_Server_X64) os=6.3.9600/amd64/server ;;
		_v100) os=10.0.10240/x86 ;;
		_v100_X64) os=10.0.10240/amd64 ;;
		Server_v100_X64_21H2) os=10.0.20348/amd64/server ;;
		*_v100_*)
			local build product=
			case $os in
			*_RS1) build=14393 ;;
			*_RS2) build=15063 ;;
			*_RS3) build=16299 ;;
			*_RS4) build=17134 ;;
			*_RS5) build=17763 ;;
			*_19H1) build=18362 ;;
			*_Vb) build=19041 ;;
			*_21H2) build=22000 ;;
			*_22H2) build=22621 ;;
			*_24H2) build=26100 ;;
			*) echo "unknown:$os" && return ;;
			esac
			[ "${os#Server}" = "$os" ] || product=/server
			case $os in
			*_ARM64_*) os=10.0.$build/arm64$product ;;
			*) os=10.0.$build/amd64$product ;;
			esac
			;;
		*) echo "unknown:$os" && return ;;
		esac
		list=$list,$os
	done
	echo "${list#,}"
}
pairs=0 equal=0 explained=0 selected=0
: >"$scratch/.unequal"
: >"$scratch/.unselected"
while read -r cat; do
	awk -F'\t' -v c="$cat" '$1 == c && $2 ~ /^HWID[0-9]+$/ { print tolower($3) }' \
		"$scratch/attributes" | sort -u >"$scratch/theirs"
	mapfile -t infs < <(awk -F'\t' -v dir="$(dirname "$cat")/" -v c="$(basename "$cat")" '
		index($1, dir) == 1 && substr($1, length(dir) + 1) !~ /\// && $2 == "catalog" &&
		tolower($3) == tolower(c) && !seen[$1]++ { print $1 }' "$scratch/ids")
	targets=$(targets_of "$(awk -F'\t' -v c="$cat" '$1 == c && $2 == "OS" { print $3 }' "$scratch/attributes")")
	pairs=$((pairs + 1))
	ids_of "${infs[@]}" >"$scratch/ours"
	: >"$scratch/chosen"
	[ ${#infs[@]} = 0 ] || "$inftool" chosen "$targets" "${infs[@]}" 2>&1 | tr A-Z a-z | sort -u >"$scratch/chosen"
	if [ -s "$scratch/theirs" ] && cmp -s "$scratch/theirs" "$scratch/ours"; then
		equal=$((equal + 1))
		# The same through the choice of a section for each Windows the catalog is for.
		if cmp -s "$scratch/theirs" "$scratch/chosen"; then
			selected=$((selected + 1))
		else
			{
				echo "$cat (${infs[*]}) for $targets"
				diff "$scratch/theirs" "$scratch/chosen"
			} >>"$scratch/.unselected"
		fi
		continue
	fi
	IFS='|' read -r _ other why < <(grep -F "$cat|" "$scratch/explained")
	if [ -n "$other" ]; then
		ids_of "${infs[@]}" "$other" >"$scratch/both"
	else
		cp "$scratch/ours" "$scratch/both"
	fi
	case $why in
	"two INFs "*) cmp -s "$scratch/theirs" "$scratch/both" ;;
	# Nothing of ours is missing there, and the sibling brings us nearer.
	"one of four "*) [ -z "$(comm -13 "$scratch/theirs" "$scratch/both")" ] &&
		[ "$(wc -l <"$scratch/both")" -gt "$(wc -l <"$scratch/ours")" ] ;;
	"its INF is "*) [ ${#infs[@]} = 0 ] ;;
	*) false ;;
	esac && explained=$((explained + 1)) && echo "# $cat: $why" && continue
	{
		echo "$cat (${infs[*]})"
		diff "$scratch/theirs" "$scratch/ours"
	} >>"$scratch/.unequal"
done <"$scratch/cats"
echo "# catalogs: $pairs compared, $equal equal, $explained explained; $selected equal for their Windows versions alone"
[ ! -s "$scratch/.unequal" ]
tap $? "the IDs of every INF are those that Microsoft's catalog lists" "$scratch/.unequal"
[ ! -s "$scratch/.unselected" ]
tap $? "so are those that are chosen for the Windows versions of the catalog" "$scratch/.unselected"
[ "$equal" -ge 73 ]
tap $? "at least 73 catalogs agree without a word ($equal)"

# ---- files --------------------------------------------------------------------------------

# What the packages of open drivers are to be copied from is there: under the names and in
# the folders that the engine says. WDF co-installers were left out of the data on purpose.
complete=0
: >"$scratch/.lacking"
for f in virtio-built/Win8*/*/*.inf virtio-built/Win7/*/*.inf packages/RedHat__*/*.inf \
	packages/zerotier-tap/*/*.inf; do
	case $f in
	*x86*) target=6.2.9200/x86 ;;
	*arm64*) target=10.0.22621/arm64 ;;
	*Win7*) target=6.1.7601/amd64 ;;
	*8.1*) target=6.3.9600/amd64 ;;
	*) target=10.0.22621/amd64 ;;
	esac
	"$inftool" show "$target" "$f" >"$scratch/shown"
	grep -q '^  \[' "$scratch/shown" || echo "$f has nothing for $target" >>"$scratch/.lacking"
	sed -n 's/^    file kind 0 .* from \(.*\) to [0-9]* .*/\1/p' "$scratch/shown" | sort -u |
		while read -r s; do
			[ -n "$(find "$data/$(dirname "$f")" -ipath "$data/$(dirname "$f")/$s")" ] && continue
			case $s in
			*[Cc]o[Ii]nstaller*) ;;
			*) echo "$f: $s" ;;
			esac
		done >>"$scratch/.lacking"
	complete=$((complete + 1))
done
echo "# $complete packages looked at"
# Two files that vioprot shares with netkvm are in neither folder of the data.
grep -vxE 'virtio-built/Win8.1/amd64/vioprot.inf: netkvm(no.dll|p.exe)' "$scratch/.lacking" \
	>"$scratch/.missing"
[ ! -s "$scratch/.missing" ]
tap $? "the files of complete packages are where the engine looks for them" "$scratch/.missing"

done_testing
