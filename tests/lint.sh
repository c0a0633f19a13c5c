# SPDX-License-Identifier: GPL-3.0-or-later
# House rules that a script can judge: sizes, layers, licence lines, what must not be in
# the tree. docs/hacking.md explains them.
GILD_SOURCE=${GILD_SOURCE:-$(cd "$(dirname "$0")/.." && pwd)}
. "$GILD_SOURCE/tests/lib.sh"
cd "$GILD_SOURCE" || exit 1

# All files that are ours: what git knows, or in an unpacked tarball what is there.
if [ -e .git ] && command -v git >/dev/null; then
	git ls-files >"$scratch/all"
else
	find . -type f -not -path './build*' -not -path './m4/*' -not -name configure \
		-not -name Makefile.in -not -name aclocal.m4 -not -name 'config.*' -printf '%P\n' \
		>"$scratch/all"
fi
files() { grep -E "$1" "$scratch/all" | sort | while read -r f; do [ ! -e "$f" ] || echo "$f"; done; }
none() { # WHAT-MUST-HOLD: passes if the list of offenders is empty
	[ ! -s "$scratch/offenders" ]
	tap $? "$1" "$scratch/offenders"
}
code=$(files '^(src|hypervisor|samples|tests)/.*\.[ch]$')
scripts=$(files '(\.sh|\.py)$|^quickstart$|^\.ci/run$|^bench/(build|capture|check|console|disk|population|wim)$')

# Name and length of each function: kernel style has its braces in column one.
# shellcheck disable=SC2086
awk '
	/^[a-zA-Z_].*\(/ && !/;[[:space:]]*$/ { name = $0; begin = FNR }
	/^\{/ { open = FNR }
	/^\}/ && open {
		if (name != "") {
			sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
			print FNR - open - 1, FILENAME, name
		}
		open = 0; name = ""
	}' $code >"$scratch/functions"
# Longer ones need a reason here: FILE NAME.
cat >"$scratch/allowed" <<-END
END
awk '$1 > 100 {print $2, $3, $1 " lines"}' "$scratch/functions" |
	grep -vFf "$scratch/allowed" 2>/dev/null >"$scratch/offenders"
none "no function is over 100 lines"
grep -E ' (src|hypervisor)/' "$scratch/functions" | sort -n | awk '
	{ len[NR] = $1 }
	END {
		median = len[int((NR + 1) / 2)]; p90 = len[int(NR * 0.9)]
		print "# " NR " functions in src and hypervisor: median " median ", 90 % within " p90 " lines" > "/dev/stderr"
		if (median > 15) print "median is " median
		if (p90 > 60) print "90th percentile is " p90
	}' 2>&1 | tee "$scratch/shape" | grep '^#'
grep -v '^#' "$scratch/shape" >"$scratch/offenders"
none "half of the functions have at most 15 lines, 90 % at most 60"

# shellcheck disable=SC2086
wc -l $code $scripts | awk '$2 != "total" && $1 > 800 {print $2, $1 " lines"}' >"$scratch/offenders"
none "no file is over 800 lines"

for f in $code $scripts $(files '^(Makefile.am|configure.ac)$'); do
	head -n 2 "$f" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || echo "$f"
done >"$scratch/offenders"
none "every source starts with its licence"
for f in $code; do
	# What a header says holds for its .c too.
	[ "${f%.h}" = "$f" ] && [ -e "${f%.c}.h" ] && continue
	head -n 2 "$f" | tail -n 1 | grep -q '^/\*' || echo "$f"
done >"$scratch/offenders"
none "every C file says what it is"

# A folder includes from itself and from those below it.
layers="base block tree registry windows media sign stream hwprofiles injector check builder image cli"
siblings="media sign stream hwprofiles"
rank() {
	local l n=0
	for l in $layers; do
		n=$((n + 1))
		# Those four do not know each other: one rank.
		case " $siblings " in *" $l "*) n=6 ;; esac
		[ "$l" != "$1" ] || { echo "$n"; return; }
	done
	echo 99
}
# shellcheck disable=SC2086
grep -nE '^#include "[a-z]+/' $(files '^src/.*\.[ch]$') |
	sed -E 's|^src/([a-z]+)/([^:]*):([0-9]+):#include "([a-z]+)/([^"]*)".*|\1 \4 src/\1/\2:\3 \5|' |
	while read -r from to place header; do
		[ "$from" = "$to" ] && continue
		[ "$(rank "$to")" -lt "$(rank "$from")" ] || echo "$place includes $to/$header"
	done >"$scratch/offenders"
none "includes point downwards only"
# init is small and root: nothing in it may bring an XML parser or a reader of inventories.
# shellcheck disable=SC2046
grep -nE '^#include ["<](base|block|tree|registry|windows|media|sign|stream|hwprofiles|injector|check|builder|cli|libxml|glib[-0-9.]*)/' \
	$(files '^hypervisor/((init|console|reader)/.*|[a-z]+)\.[ch]$') |
	grep -vE '"(base|init|console|reader)/|"block/crc\.h"|"hwprofiles/(identity|pc|probe|profile|profile_table)\.h"' >"$scratch/offenders"
none "init, console and reader include base, checksums and the XML-free part of hwprofiles only"
# What packs the image is a layer between builder and cli, beside init and console.
# shellcheck disable=SC2046
{
	grep -nE '^#include "(cli|init|console|reader)/' $(files '^hypervisor/image/.*\.[ch]$')
	grep -nE '^#include "image/' $(files '^(src/.*|hypervisor/(init|console|reader)/.*)\.[ch]$') | grep -v '^src/cli/'
} >"$scratch/offenders"
none "the image's makers include src but cli, and only cli includes them"
# shellcheck disable=SC2086
grep -nE '\b(f?printf|puts|fputs|perror|exit) ?\(' $(files '^(src|hypervisor)/.*\.c$') |
	grep -vE '^(hypervisor/(init|console|reader)/main\.c|src/(cli/|base/(memory|process|progress)\.c))|[sv]n?printf|^[^:]*:[0-9]+: *(/?\*|//)|_exit' >"$scratch/offenders"
none "nothing but src/cli and the mains of init, console and reader prints or exits"

# shellcheck disable=SC2046
grep -nIE '(^|[^A-Za-z0-9_.$}])/(work|root|home/[a-z]+)/' \
	$(files . | grep -vE '^(tests/lint\.sh|COPYING)$') >"$scratch/offenders"
none "no path of one machine"
# shellcheck disable=SC2046
# (In quotes it may be what a test feeds.)
grep -nIwE 'TODO|FIXME|XXX' $(files . | grep -vE '^(tests/lint\.sh|COPYING)$') |
	grep -v '"TODO"' >"$scratch/offenders"
none "nothing is left to do"
# shellcheck disable=SC2086
grep -nE '[[:space:]]+$' $code $scripts >"$scratch/offenders"
none "no white space at the end of a line"
for f in $scripts; do
	case $f in *.py) continue ;; esac
	bash -n "$f" 2>&1
done >"$scratch/offenders"
none "every script parses"

# A function of gild that is named like one of a library would be called by that library.
if [ -x "$GILD" ] && command -v nm >/dev/null; then
	ldd "$GILD" | awk '$3 ~ "^/" {print $3}' | grep -v -e libasan -e libubsan -e libc.so -e libm.so |
		while read -r library; do nm -D --defined-only "$library" 2>/dev/null; done |
		awk '{sub(/@.*/, "", $3); print $3}' | sort -u >"$scratch/theirs"
	nm --defined-only "$GILD" | awk '$2 == "T" {print $3}' | sort -u |
		comm -12 - "$scratch/theirs" | grep -v '^_' >"$scratch/offenders"
	none "no function is named like one of a library"
fi
done_testing
