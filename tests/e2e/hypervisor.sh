# SPDX-License-Identifier: GPL-3.0-or-later
# QEMU itself takes the command lines of tests/golden/vm: each is started by TCG with files
# of its own in place of those of a PC, and asked over QMP what it has become.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need qemu-system-x86_64 qemu-img jq
cd "$scratch" || exit 1
golden=$GILD_SOURCE/tests/golden/vm

mkdir -p run/vm run/screen
truncate -s 64M golden.raw
qemu-img create -q -f qcow2 -b golden.raw -F raw overlay.qcow2
cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd 2>/dev/null || vars=missing
# An ACPI table: header with its length, and one byte.
printf 'SLIC\045\0\0\0\001\0GILD  GILDTEST\001\0\0\0GILD\001\0\0\0x' >table

# One argument a line. Devices of a PC, its network and sound, the TPM's emulator and KVM
# are not here.
arguments() { # NAME
	local here='vfio-pci|usb-host|pcie-root-port|kvm-pit'
	[ -n "${tpm-}" ] || here="$here|tpm-tis|emulator,id=tpm|socket,id=tpm"
	sed -e 's/^\(-[a-z_]*\) /\1\n/' "$golden/$1.argv" | awk -v run="$PWD/run" -v here="$PWD" \
		-v others="^($here)" '
		function put(s) { printf "%s%c", s, 0 }
		$0 ~ others { held = ""; next }
		held != "" { put(held); held = "" }
		/^-(device|chardev|tpmdev|global)$/ { held = $0; next }
		{
			sub(/accel=kvm/, "accel=tcg"); sub(/,kernel-irqchip=[a-z]*/, "")
			sub(/^host,migratable=no/, "max")
			sub(/,hv_vpindex=.*/, "")
			sub(/^size=.*/, "size=128M")
			sub(/^tap,id=net,.*/, "user,id=net")
			sub(/^alsa,id=sound.*/, "none,id=sound")
			sub(/filename=\/var\/gild\/overlay.qcow2/, "filename=" here "/overlay.qcow2")
			sub(/filename=\/media\/golden,, the first.raw/, "filename=" here "/golden.raw")
			sub(/filename=\/var\/gild\/vars.fd/, "filename=" here "/vars.fd")
			sub(/file=\/run\/gild\/(MSDM|SLIC)/, "file=" here "/table")
			sub(/cache.direct=on,aio=native/, "cache.direct=off,aio=threads")
			sub(/^socket,id=qmp,.*/, "stdio,id=qmp")
			sub(/^tap,id=net,.*/, "user,id=net"); sub(/^alsa,id=sound,.*/, "none,id=sound")
			sub(/\/run\/gild/, run)
			put($0)
		}'
}
ask() { # NAME: starts it without running the guest; the answers are in NAME.out
	arguments "$1" >args
	printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"query-status"}' \
		'{"execute":"query-named-block-nodes","arguments":{"flat":true}}' \
		'{"execute":"query-pci"}' '{"execute":"quit"}' |
		timeout 30 xargs -0 -a args sh -c 'exec "$0" "$@" -S <&3' 3<&0 >"$1.out" 2>"$1.err"
}
for name in xp vista 7-hybrid 8.1 10 10-inbox-amd 10-bios-scsi 10-no-irqchip; do
	if [ -n "${vars-}" ] && grep -q OVMF "$golden/$name.argv"; then
		skip "QEMU takes $name" "OVMF is not installed"
		continue
	fi
	ask "$name"
	status=$?
	grep -v 'does not support requested feature\|TCG doesn.t support' "$name.err" >err
	is "QEMU takes $name, and says nothing of it" "$status$(cat err)" 0
	is "$name: the machine waits to be started" \
		"$(jq -r 'select(.return.status?) | .return.status' "$name.out")" prelaunch
	is "$name: the golden image is read-only, the overlay is not" \
		"$(jq -r 'select(.return | type == "array") | .return[] |
			select(."node-name"?) | select(."node-name" == "golden" or ."node-name" == "disk") |
			"\(."node-name") \(.ro)"' "$name.out" | sort | tr '\n' ' ')" "disk false golden true "
done
is "8.1 has a virtio disk and network on q35" "$(jq -r '.return? | arrays | .[] | .devices? // empty |
	.[].id | "\(.vendor):\(.device)"' 8.1.out | sort -u | grep -c '^6900:\(4096\|4097\|4161\|4162\)$')" 2
if [ -z "${vars-}" ] && command -v swtpm >/dev/null; then
	# As init starts it.
	mkdir state
	swtpm socket --tpm2 --tpmstate "dir=$PWD/state" --ctrl "type=unixio,path=$PWD/run/tpm,mode=0600" \
		--daemon
	tpm=yes
	ask 11
	status=$?
	grep -v 'does not support requested feature\|TCG doesn.t support' 11.err >err
	is "QEMU takes 11 with its TPM" "$status$(cat err)" 0
	is "11: the machine waits to be started" \
		"$(jq -r 'select(.return.status?) | .return.status' 11.out)" prelaunch
else
	skip "QEMU takes 11 with its TPM" "swtpm or OVMF is not installed"
fi
# By TCG it cannot have all of Hyper-V's enlightenments; that it knows them can be seen.
qemu-system-x86_64 -device max-x86_64-cpu,help 2>/dev/null | sed -n 's/^  \(hv-[a-z-]*\)=.*/\1/p' |
	sort -u >known
grep -oh ',hv_[a-z_]*' "$golden"/*.argv | tr -d , | tr _ - | sort -u >used
ok "QEMU knows every enlightenment" test -s used -a -s known -a -z "$(comm -13 known used)"
is "nothing was written to the golden image" "$(sha256sum <golden.raw)" \
	"$(truncate -s 64M zeros && sha256sum <zeros)"
done_testing
