# SPDX-License-Identifier: GPL-3.0-or-later
# The presenter shows what a real QEMU shows: its frame against QMP's screendump of the same
# moment, SeaBIOS' text screen and a picture in a graphics mode; the hot key's panel; keys as
# QEMU receives them; a QEMU that is killed and one that comes back.
. "$GILD_SOURCE/tests/lib.sh"
need qemu-system-x86_64 python3
console=$GILD_BUILD/hypervisor/console/gild-console
[ -x "$console" ] || skip_all "gild-console is not built"
cd "$scratch" || exit 1
mkdir run
mkfifo events

cat >tool.py <<'END'
import json, socket, struct, sys, time

# Numbers of linux/input-event-codes.h.
keys = {'esc': 1, 'a': 30, 'd': 32, 'lctrl': 29, 'rctrl': 97, 'right': 106}

def ppm(name):
    with open(name, 'rb') as f:
        data = f.read()
    head = data.split(b'\n', 3)
    width, height = map(int, head[1].split())
    return width, height, head[3]

if sys.argv[1] == 'screendump':
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[2])
    f = s.makefile('rw')
    f.readline()
    for command in ({'execute': 'qmp_capabilities'},
                    {'execute': 'screendump', 'arguments': {'filename': sys.argv[3]}}):
        f.write(json.dumps(command) + '\n')
        f.flush()
        while 'return' not in json.loads(f.readline()):
            pass
elif sys.argv[1] == 'type':    # KEY+ pressed, KEY- released
    with open('events', 'wb', buffering=0) as f:
        for stroke in sys.argv[2:]:
            for event in ((1, keys[stroke[:-1]], stroke[-1] == '+'), (0, 0, 0)):
                f.write(struct.pack('llHHi', 0, 0, *event))
elif sys.argv[1] == 'move':
    with open('events', 'wb', buffering=0) as f:
        for event in ((2, 0, int(sys.argv[2])), (2, 1, int(sys.argv[3])), (0, 0, 0)):
            f.write(struct.pack('llHHi', 0, 0, *event))
elif sys.argv[1] == 'colour':    # share of the pixels, in parts of 100
    width, height, data = ppm(sys.argv[2])
    want = bytes.fromhex(sys.argv[3])
    n = sum(data[i:i + 3] == want for i in range(0, len(data), 3))
    print(n * 100 // (width * height))
elif sys.argv[1] == 'bmp':
    width, height = 640, 480
    with open(sys.argv[2], 'wb') as f:
        f.write(struct.pack('<2sIHHIIiiHHIIiiII', b'BM', 54 + width * height * 3, 0, 0, 54, 40,
                            width, height, 1, 24, 0, width * height * 3, 2835, 2835, 0, 0))
        for y in range(height):
            f.write(b''.join(bytes((x * 2 & 255, y & 255, x ^ y & 255 & 255)) if x < 256 else
                             bytes((y & 255, x & 255, 90)) for x in range(width)))
elif sys.argv[1] == 'boxed':    # a picture of 720x400 in the middle of 640x480
    width, height, data = ppm(sys.argv[2])
    row = width * 3
    top, middle = data[:62 * row], data[62 * row:418 * row]
    print(width, height, any(top), any(middle), any(data[418 * row:]))
END
tool() { python3 tool.py "$@"; }
# SeaBIOS shows a picture in a graphics mode of its size, then its text.
tool bmp splash.bmp
start_qemu() { # ARGUMENT...
	qemu-system-x86_64 -accel tcg -m 32 -nodefaults -device VGA,vgamem_mb=32 -display none \
		-vnc unix:run/vnc -device piix3-usb-uhci -device usb-tablet -D trace.log \
		-trace 'input_event_key_qcode' -trace 'input_event_rel' \
		-qmp unix:run/qmp,server=on,wait=off "$@" &
	qemu=$!
	started="$started $qemu"
}
start_console() { # SIZE [WORD...]
	local size=$1
	shift
	"$console" run=run output=memory size="$size" input="$PWD/none" events=events control=9 "$@" 9>asked &
	presenter=$!
	started="$started $presenter"
	# Until SIGUSR1 is the program's, it would end it.
	for _ in $(seq 100); do
		grep -q '^SigBlk:.*[2367abef]..$' "/proc/$presenter/status" && break
		sleep 0.02
	done
}
started=
# Only what was started here.
end() {
	{ for pid in $started; do kill -9 "$pid"; wait "$pid"; done; } 2>/dev/null
	rm -rf "$scratch"
}
trap end EXIT
frame() {
	rm -f run/screen.ppm
	kill -USR1 "$presenter" || return 1
	for _ in $(seq 40); do
		[ -e run/screen.ppm ] && return 0
		sleep 0.05
	done
	return 1
}
# Both at the same moment: the text's cursor blinks, and is drawn a little later.
same() { # [QMP]
	for _ in $(seq 40); do
		tool screendump "${1-run/qmp}" qemu.ppm && frame && cmp run/screen.ppm qemu.ppm && return 0
		sleep 0.1
	done
	return 1
}
size_is() { # WIDTHxHEIGHT, of what QEMU shows
	for _ in $(seq 100); do
		tool screendump run/qmp qemu.ppm 2>/dev/null &&
			[ "$(sed -n 2p qemu.ppm | tr -d '\0' | head -c 20)" = "${1/x/ }" ] && return 0
		sleep 0.05
	done
	return 1
}
shows_panel() { # PERCENT of the screen at least
	for _ in $(seq 40); do
		frame && [ "$(tool colour run/screen.ppm 1c2733)" -ge "$1" ] && return 0
		sleep 0.05
	done
	return 1
}

start_console 640x480
ok "without a guest there is a panel that says so" shows_panel 10
start_qemu -boot menu=on,splash="$PWD/splash.bmp",splash-time=2000
ok "QEMU is in the graphics mode" size_is 640x480
ok "the frame is QEMU's own picture, pixel for pixel" same
cp qemu.ppm picture.ppm
is "and not a dark one" "$([ "$(tool colour picture.ppm 000000)" -lt 50 ] && echo bright)" bright
ok "QEMU goes on to its text mode" size_is 720x400
sleep 0.5
frame
is "which is scaled into the middle" "$(tool boxed run/screen.ppm)" "640 480 False True False"
kill "$presenter"
wait "$presenter"
is "SIGTERM ends the presenter" $? 0

start_console 720x400
ok "another presenter: the text is QEMU's own, pixel for pixel" same

tool type a+ a- right+ right-
tool move 300 -200
ok "keys and movements arrive" timeout 5 sh -c 'until [ "$(grep -c input_event_rel trace.log)" -ge 2 ]; do sleep 0.1; done'
is "by their codes" "$(grep -o 'key qcode [a-z_]*, down [01]' trace.log | tr '\n' ';')" \
	"key qcode a, down 1;key qcode a, down 0;key qcode right, down 1;key qcode right, down 0;"
# SeaBIOS starts no tablet: QEMU says that it wants ways, and no positions.
is "and as ways" "$(grep -o 'axis [xy], value -*[0-9]*' trace.log | tail -n 2 | tr '\n' ';')" \
	"axis x, value 300;axis y, value -200;"

tool type lctrl+ rctrl+ lctrl- rctrl-
ok "the hot key opens the panel" shows_panel 15
: >trace.log
tool type a+ a-
sleep 0.2
is "the guest does not hear keys then" "$(grep -c 'qcode a,' trace.log)" 0
tool type esc+ esc-
ok "Esc closes it" same

kill -9 "$qemu"
{ wait "$qemu"; } 2>/dev/null
ok "when QEMU is gone, a panel says so" shows_panel 10
ticks() { awk '{print $14 + $15}' "/proc/$presenter/stat"; }
before=$(ticks)
sleep 2
is "waiting costs no time of the processor" "$([ $(($(ticks) - before)) -le 4 ] && echo cheap)" cheap
rm -f run/vnc run/qmp
start_qemu
ok "QEMU is there again" size_is 720x400
ok "and so is its picture" same

# Another guest beside it: the screen shows one at a time.
kill "$presenter"
wait "$presenter"
(cd run && mkdir -p two)
qemu-system-x86_64 -accel tcg -m 32 -nodefaults -device VGA,vgamem_mb=32 -display none \
	-vnc unix:run/two/vnc -boot menu=on,splash-time=60000 \
	-D two.log -trace 'input_event_key_qcode' -qmp unix:run/two/qmp,server=on,wait=off &
started="$started $!"
printf 'one running\ntwo running\n' >run/states
start_console 720x400 guests=one,two vnc="$PWD/run/vnc,$PWD/run/two/vnc"
ok "of two guests the first is shown" same
cp qemu.ppm first.ppm
tool type lctrl+ rctrl+ right+ right- rctrl- lctrl-
ok "both Ctrl keys and an arrow show the second" same run/two/qmp
fails 1 "which has another picture" cmp -s qemu.ppm first.ppm
: >trace.log
tool type a+ a-
ok "and the keyboard then" timeout 5 sh -c 'until grep -q "qcode a," two.log; do sleep 0.1; done'
is "alone" "$(grep -c 'qcode a,' trace.log)" 0
tool type lctrl+ rctrl+ right+ right- rctrl- lctrl-
ok "and again the first" same
memory=$(awk '/VmHWM/ {print $2}' "/proc/$presenter/status")
if grep -q 'fsanitize=address' "$GILD_BUILD/Makefile"; then
	skip "it takes at most 16 MiB" "built with sanitizers"
else
	is "it takes at most 16 MiB" "$([ "$memory" -le 16384 ] && echo little || echo "$memory KiB")" little
fi
if grep -q 'fsanitize=address' "$GILD_BUILD/Makefile"; then
	skip "the program is at most 1 MiB" "built with sanitizers"
else
	is "the program is at most 1 MiB" "$([ "$(stat -c %s "$console")" -le 1048576 ] && echo small)" small
fi
fails 1 "a word that nobody knows is an error" "$console" run=run colour=red
fails 2 "so is an output that is none" "$console" run=run output=paper
done_testing
