# SPDX-License-Identifier: GPL-3.0-or-later
# A disk that gild build made, judged by libguestfs: its kernel mounts the file systems, and
# it recognises the Windows by itself. One appliance, up to a minute where KVM does not work.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need guestfish wimlib-imagex
[ -x "$GILD_BUILD/samples/mksample" ] || skip_all "mksample is not built (libhivex-dev)"
missing=$(appliance_missing)
[ -z "$missing" ] || skip_all "$missing"
cd "$scratch" || exit 1

"$GILD_BUILD/samples/mksample" wim sample.wim --generalized >/dev/null || exit 1
# libguestfs knows a Windows by this program, which the sample does not have.
wimlib-imagex extract sample.wim 1 /Windows/System32/winload.exe --dest-dir=. --no-acls >/dev/null 2>&1
wimlib-imagex update sample.wim 1 --command="add winload.exe /Windows/System32/cmd.exe" >/dev/null 2>&1
wimlib-imagex extract sample.wim 1 /Windows/Boot/Fonts/wgl4_boot.ttf --dest-dir=. --no-acls >/dev/null 2>&1
ok "build" "$GILD" build sample.wim --output=disk.qcow2 --size=600M
export LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg
guestfish --ro -a disk.qcow2 -i >said 2>err <<-'END'
	echo systems
	inspect-get-roots
	echo windows
	inspect-get-type /dev/sda3
	inspect-get-arch /dev/sda3
	inspect-get-major-version /dev/sda3
	inspect-get-windows-systemroot /dev/sda3
	inspect-get-windows-current-control-set /dev/sda3
	echo filesystems
	list-filesystems
	echo table
	part-get-gpt-type /dev/sda 1
	echo contents
	checksum sha1 /Windows/Boot/Fonts/wgl4_boot.ttf
	umount /
	mount-ro /dev/sda1 /
	is-file /EFI/Boot/bootx64.efi
END
tap $? "guestfish -i opens it" err
between() { sed -n "/^$1\$/,/^$2\$/p" said | sed '1d;$d'; }
is "one system, on the third partition" "$(between systems windows)" /dev/sda3
is "which is this Windows" "$(between windows filesystems | tr '\n' ' ')" "windows x86_64 10 /Windows ControlSet001 "
is "the file systems" "$(between filesystems table | grep -v unknown | tr -d " " | tr "\n" " ")" "/dev/sda1:vfat /dev/sda3:ntfs "
is "the first is the ESP" "$(between table contents)" C12A7328-F81F-11D2-BA4B-00A0C93EC93B
is "a file is read" "$(sed -n '/^contents$/{n;p}' said)" "$(sha1sum <wgl4_boot.ttf | cut -d' ' -f1)"
is "the loader is on the ESP" "$(tail -n 1 said)" true
done_testing
