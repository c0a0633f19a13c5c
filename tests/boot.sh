# SPDX-License-Identifier: GPL-3.0-or-later
# Starting disks in QEMU (emulated, no KVM), for the scripts that source it after lib.sh.
#
#   need_boot uefi|bios                    # or the script is skipped, saying why
#   boot_serial DISK uefi|bios SECONDS [PICTURE.png]
#
# prints what came over the first serial port until a line of the stand-in boot manager
# ("gild stand-in: ...") or of boot code that gave up was complete, or the time is over;
# QEMU is then ended. Writes to the disk are kept nowhere. $BOOT_FORMAT is the disk's format
# (raw); $BOOT_OPTIONS go to QEMU as they are; $BOOT_UNTIL is another pattern to wait for.
boot_firmware() { # CODE|VARS: the file
	local folder
	for folder in /usr/share/OVMF /usr/share/edk2/ovmf /usr/share/edk2/x64; do
		[ -e "$folder/OVMF_$1_4M.fd" ] && echo "$folder/OVMF_$1_4M.fd" && return
		[ -e "$folder/OVMF_$1.4m.fd" ] && echo "$folder/OVMF_$1.4m.fd" && return
	done
	return 1
}

need_boot() {
	need qemu-system-x86_64
	! ldd "$GILD" 2>/dev/null | grep -q libasan ||
		skip_all "disks of the build without sanitizers are started"
	[ "$1" != uefi ] || boot_firmware CODE >/dev/null || skip_all "OVMF is not installed (Debian: ovmf)"
}

# Speaks QMP with the socket: a picture of the screen, as PNG where this QEMU can.
boot_screenshot() { # SOCKET FILE
	local python
	for python in python3 /usr/bin/python3; do
		"$python" - "$1" "$2" <<-'END' 2>/dev/null && return
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(10)
		s.connect(sys.argv[1])
		f = s.makefile("rw")
		def answer():
		    for line in f:
		        reply = json.loads(line)
		        if "return" in reply or "error" in reply:
		            return reply
		def call(command, **arguments):
		    f.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
		    f.flush()
		    return answer()
		f.readline()
		call("qmp_capabilities")
		sys.exit("error" in call("screendump", filename=sys.argv[2], format="png"))
		END
	done
	return 1
}

boot_serial() {
	local disk=$1 firmware=$2 limit=$3 picture=${4-} run pid end
	local -a options
	run=$(mktemp -d "$scratch/boot-XXXXXX")
	options=(-accel tcg -machine q35 -m 256 -display none -no-reboot -nic none
		-serial "file:$run/serial" -qmp "unix:$run/qmp,server=on,wait=off"
		-drive "file=$disk,format=${BOOT_FORMAT:-raw},if=none,id=disk,snapshot=on"
		-device ahci,id=ahci -device ide-hd,drive=disk,bus=ahci.0,bootindex=0)
	if [ "$firmware" = uefi ]; then
		cp "$(boot_firmware VARS)" "$run/vars" || return 1
		chmod u+w "$run/vars"
		options+=(-drive "if=pflash,format=raw,unit=0,readonly=on,file=$(boot_firmware CODE)"
			-drive "if=pflash,format=raw,unit=1,file=$run/vars")
	fi
	: >"$run/serial"
	# shellcheck disable=SC2086
	TMPDIR=$run qemu-system-x86_64 "${options[@]}" ${BOOT_OPTIONS-} \
		</dev/null >"$run/log" 2>&1 &
	pid=$!
	end=$((SECONDS + limit))
	while [ "$SECONDS" -lt "$end" ] && kill -0 "$pid" 2>/dev/null; do
		grep -aqE "${BOOT_UNTIL:-(gild stand-in|Boot|Disk): .+}"$'\r' "$run/serial" && break
		sleep 0.2
	done
	[ -z "$picture" ] || boot_screenshot "$run/qmp" "$picture"
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	tr -d '\r' <"$run/serial"
	echo
	cat "$run/log"
	rm -rf "$run"
}
