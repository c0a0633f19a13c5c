# SPDX-License-Identifier: GPL-3.0-or-later
# gild edit: a .reg file and copies in one atomic commit. What .reg files may hold is
# regfile.sh's subject.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need hivexget wimlib-imagex python3
mksample=$GILD_BUILD/samples/mksample
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
config=Windows/System32/config
get() { hivexget "$1/$config/$2" "$3" "$4" 2>/dev/null; }
apply() {
	rm -rf "$3"
	wimlib-imagex apply "$1" "$2" "$3" --no-acls >/dev/null 2>&1
}
sums() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); }

cat >a.reg <<-'REG'
	Windows Registry Editor Version 5.00

	[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Example]
	"Number"=dword:00000007
	@="text"

	[HKEY_LOCAL_MACHINE\SOFTWARE\Example\Sub]
	"Path"=hex(2):25,00,41,00,25,00,00,00

	[-HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\storahci\Parameters]
REG
printf 'answer\r\n' >unattend.xml
mkdir -p pack/deep/er && echo 1 >pack/one.txt && echo 2 >pack/deep/er/two.txt

# ---- a WIM ----------------------------------------------------------------------------------
"$mksample" wim before.wim --images=2 || exit 1
cp before.wim a.wim
ok "a .reg and copies" "$GILD" edit a.wim --index=1 --reg=a.reg \
	--copy=unattend.xml:Windows/Panther/ --copy=pack:Tools
ok "wimlib verifies it" wimlib-imagex verify a.wim
apply a.wim 1 one
for set in ControlSet001 ControlSet002; do
	is "$set has the value" "$(get one SYSTEM "$set\\Control\\Example" Number)" 7
done
is "the default value" "$(get one SYSTEM 'ControlSet001\Control\Example' @)" text
is "another hive's" "$(get one SOFTWARE 'Example\Sub' Path)" '%A%'
is "a key is deleted" "$(get one SYSTEM 'ControlSet001\Services\storahci\Parameters' BusType)" ""
is "in the set that was named" "$(get one SYSTEM 'ControlSet002\Services\storahci\Parameters' BusType)" 11
ok "a file keeps its name in a folder" cmp unattend.xml one/Windows/Panther/unattend.xml
ok "a folder comes whole" cmp pack/deep/er/two.txt one/Tools/deep/er/two.txt
apply a.wim 2 two
apply before.wim 2 two.before
ok "the other image is the same" diff -r two two.before
cp a.wim again.wim
ok "the same again" "$GILD" edit a.wim --index=1 --reg=a.reg
ok "changes nothing" cmp a.wim again.wim
ok "all images" "$GILD" edit a.wim --index=all --reg=a.reg --copy=pack/one.txt:one.txt
apply a.wim 2 two
is "the second as well" "$(get two SYSTEM 'ControlSet001\Control\Example' Number)" 7
ok "with its file" cmp pack/one.txt two/one.txt

# ---- a folder, replaced files, names without case ------------------------------------------------
"$mksample" tree folder || exit 1
ok "over a file that is there" "$GILD" edit folder --copy=pack/one.txt:windows/SYSTEM32/Drivers/beep.SYS
name=$(ls folder/Windows/System32/drivers | grep -i '^beep.sys$')
is "there is one file of that name" "$(echo "$name" | wc -l)" 1
ok "with the new content" cmp pack/one.txt "folder/Windows/System32/drivers/$name"
is "and one folder of its" "$(ls folder | grep -ci '^windows$')" 1

# ---- nothing is half done ---------------------------------------------------------------------------
sums folder >sums.before
cp before.wim c.wim
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\Example]\r\n"A"=dword:1\r\n"B"=nonsense\r\n' >bad.reg
for image in folder "c.wim --index=1"; do
	# shellcheck disable=SC2086 # image and its option
	fails 2 "$image: a damaged .reg" "$GILD" edit $image --copy=pack:Tools --reg=bad.reg
	# shellcheck disable=SC2086
	fails 1 "$image: a file that is not there" "$GILD" edit $image --reg=a.reg --copy=nowhere:x
	# shellcheck disable=SC2086
	fails 1 "$image: a path that leads out" "$GILD" edit $image --reg=a.reg --copy=pack/one.txt:../x
	# shellcheck disable=SC2086
	fails 1 "$image: a name that Windows forbids" "$GILD" edit $image --reg=a.reg --copy=pack/one.txt:Windows/con.txt
	# shellcheck disable=SC2086
	fails 2 "$image: no SRC:DST" "$GILD" edit $image --reg=a.reg --copy=pack
	# shellcheck disable=SC2086
	ok "$image: a dry run" "$GILD" edit $image --reg=a.reg --copy=pack:Tools --dry-run
done
sums folder >sums.after
ok "the folder is as before" diff sums.before sums.after
ok "the WIM is as before" cmp c.wim before.wim
is "nothing was put beside them" "$(find . -maxdepth 1 -name 'x' -o -maxdepth 1 -name '.gild*' | wc -l)" 0
fails 2 "nothing to do" "$GILD" edit folder
ok "into a new image" "$GILD" edit c.wim --index=1 --reg=a.reg --output=new.wim
ok "the old one is as before" cmp c.wim before.wim
apply new.wim 1 one
is "the new one has it" "$(get one SYSTEM 'ControlSet001\Control\Example' Number)" 7

# What a WIM holds already is not stored again: it has to be sound for that.
head -c 100000 /dev/urandom >content
cp before.wim d.wim
ok "content that does not compress" "$GILD" edit d.wim --index=1 --copy=content:Tools/a
ok "the same again shares it" "$GILD" edit d.wim --index=1 --copy=content:Tools/b
python3 - <<-'PY'
	content, wim = open('content', 'rb').read(), bytearray(open('d.wim', 'rb').read())
	at = wim.find(content[1000:1016])
	assert at > 0
	wim[at] ^= 1
	open('d.wim', 'wb').write(wim)
PY
cp d.wim damaged.wim
fails 1 "damaged content is not shared" "$GILD" edit d.wim --index=1 --copy=content:Tools/c
ok "and the WIM is as before" cmp d.wim damaged.wim
done_testing
