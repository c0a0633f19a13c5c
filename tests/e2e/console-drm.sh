# SPDX-License-Identifier: GPL-3.0-or-later
# The presenter on a real kernel's DRM and frame buffer devices, without a guest: Debian's
# kernel on a PC that QEMU emulates. What the PC's monitor shows is looked at from outside,
# keys are pressed on its keyboard.
. "$GILD_SOURCE/tests/lib.sh"
need qemu-system-x86_64 busybox cpio modprobe python3
console=$GILD_BUILD/hypervisor/console/gild-console
[ -x "$console" ] || skip_all "gild-console is not built"
kernel=$(find /boot -name 'vmlinuz-*-amd64' -not -name '*cloud*' | sort -V | tail -n 1)
version=${kernel#/boot/vmlinuz-}
[ -n "$kernel" ] && [ -r "$kernel" ] && [ -d "/lib/modules/$version" ] ||
	skip_all "no linux-image-amd64 is installed"
cd "$scratch" || exit 1

root=$scratch/root
mkdir -p "$root"/{bin,dev,proc,run/gild,sys,lib64}
with_libraries() { # PROGRAM TARGET
	local library
	cp "$1" "$root/$2"
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root/$library" ] || install -D -m 755 "$library" "$root/$library"
	done
}
with_libraries "$console" bin/gild-console
with_libraries "$GILD_BUILD/tests/screentool" bin/screentool
with_libraries "$(command -v busybox)" bin/busybox
modprobe -S "$version" --show-depends -a bochs evdev psmouse usbhid xhci-pci 2>/dev/null |
	sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$root/modules"
while read -r file; do install -D -m 644 "$file" "$root/$file"; done <"$root/modules"
cat >"$root/bin/presenter" <<-'END'
	#!/bin/busybox sh
	# Between init's keeper and the presenter: init itself takes what output there is.
	exec /bin/gild-console "$@" output="$(/bin/busybox cat /run/output)"
END
chmod +x "$root/bin/presenter"
# P in the panel ends one output and starts the next.
cat >"$root/init" <<-'END'
	#!/bin/busybox sh
	export PATH=/bin
	busybox mount -t proc proc /proc
	busybox mount -t sysfs sysfs /sys
	busybox mount -t devtmpfs devtmpfs /dev
	say() { echo "$*" >/dev/ttyS0; }
	for output in drm fbdev; do
		echo "a line about $output" >/run/gild/log
		echo $output >/run/output
		: >/run/asked
		screentool /bin/presenter /run/gild >>/run/asked 2>/dev/ttyS0 &
		keeper=$!
		# Drivers of screens and keyboards come after the presenter.
		[ $output = fbdev ] || {
			[ ! -e /dev/dri ] && [ ! -e /dev/input/event0 ] && say "nothing is there"
			while read -r file; do busybox insmod "$file"; done </modules
		}
		say "started $output"
		while ! [ -s /run/asked ]; do busybox sleep 0.1; done
		say "asked $output $(busybox cat /run/asked)"
		busybox cat "/proc/$(busybox pidof gild-console)/status" | busybox grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|NoNewPrivs|Seccomp):' |
			while read -r line; do say "$output" $line; done
		: >/run/asked
		busybox kill -USR1 $keeper
		say "dark $output"
		while ! [ -s /run/asked ]; do busybox sleep 0.1; done
		busybox kill $keeper
		wait $keeper
		say "ended $?"
	done
	busybox poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | sort | cpio -o -H newc --quiet -R 0:0) | gzip -1 >initrd

cat >pc.py <<'END'
import json, socket, sys, time

s = socket.socket(socket.AF_UNIX)
s.connect('qmp')
f = s.makefile('rw')
f.readline()

def qmp(command, **arguments):
    f.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
    f.flush()
    while 'return' not in (answer := json.loads(f.readline())):
        if 'error' in answer:
            sys.exit(answer['error']['desc'])

def look():
    qmp('screendump', filename='screen.ppm')
    with open('screen.ppm', 'rb') as picture:
        head = picture.readline() + picture.readline() + picture.readline()
        width, height = map(int, head.split()[1:3])
        data = picture.read()
    pixels = [data[i:i + 3] for i in range(0, len(data), 3)]
    return width, height, pixels

qmp('qmp_capabilities')
if sys.argv[1] == 'press':
    qmp('send-key', keys=[{'type': 'qcode', 'data': key} for key in sys.argv[2:]])
    sys.exit(0)
for _ in range(60):
    width, height, pixels = look()
    panel = sum(pixel == b'\x1c\x27\x33' for pixel in pixels)
    titles = sum(pixel == b'\x8f\xd0\xff' for pixel in pixels)
    black = sum(pixel == b'\0\0\0' for pixel in pixels)
    if sys.argv[1] == 'dark' and not panel:
        # With its CRTC off, the emulated card shows its text mode, or nothing.
        print('dark')
        sys.exit(0)
    # Until the panel is there, with at least so many pixels of its titles' colour.
    if sys.argv[1] == 'panel' and panel * 100 > 10 * len(pixels) and titles >= int(sys.argv[2]):
        # Beside the panel there is nothing, above all no text of the kernel's.
        print(width, height, 'clean' if black + panel * 1.3 > len(pixels) else 'not clean')
        sys.exit(0)
    time.sleep(0.25)
sys.exit('no %s: %dx%d, %d, %d, %d' % (sys.argv[1], width, height, panel, titles, black))
END
timeout 100 qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -m 256 -nodefaults -no-user-config \
	-display none -no-reboot -device VGA,xres=1280,yres=800 -device qemu-xhci -device usb-tablet \
	-kernel "$kernel" -initrd initrd -append "console=tty0 panic=-1 rdinit=/init" \
	-chardev "file,id=serial,path=$PWD/serial" -serial chardev:serial \
	-qmp "unix:$PWD/qmp,server=on,wait=off" >errors 2>&1 &
pid=$!
trap 'kill -9 "$pid" 2>/dev/null; rm -rf "$scratch"' EXIT
await() { # TEXT
	while kill -0 "$pid" 2>/dev/null; do
		tr -d '\r' <serial 2>/dev/null | grep -qx -- "$1" && return 0
		sleep 0.1
	done
	tr -d '\r' <serial | grep -qx -- "$1"
}
for output in drm fbdev; do
	ok "$output: the kernel is up and the presenter started" await "started $output"
	# The title alone has about 1000 pixels, the line of the keys 5000.
	is "$output: the panel is on the monitor, and nothing else" "$(python3 pc.py panel 3000 2>&1)" "1280 800 clean"
	ok "$output: N is pressed" python3 pc.py press n
	ok "$output: and reaches init" await "asked $output n"
	ok "$output: the screen is to be dark" await "dark $output"
	is "$output: and is" "$(python3 pc.py dark 2>&1)" dark
	ok "$output: a key that says nothing is pressed" python3 pc.py press shift
	is "$output: and the panel is back" "$(python3 pc.py panel 3000 2>&1)" "1280 800 clean"
	ok "$output: P ends it" python3 pc.py press p
	is "$output: the presenter's user, groups, capabilities and filter" \
		"$(await "ended 0"; tr -d '\r' <serial | grep "^$output [A-Z]" | tr -s '\t ' ' ' | paste -sd ' ')" \
		"$output Uid: 991 991 991 991 $output Gid: 991 991 991 991 $output Groups: $output CapPrm: 0000000000000000 $output CapEff: 0000000000000000 $output NoNewPrivs: 1 $output Seccomp: 2"
done
ok "drm: the presenter was there before any driver" await "nothing is there"
wait "$pid"
is "the PC is off" $? 0
done_testing
