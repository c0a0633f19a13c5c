# SPDX-License-Identifier: GPL-3.0-or-later
# What the program says of itself: help, wrong usage, manual pages, completion. All follow
# from the option tables, so all must say the same.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
cd "$scratch" || exit 1
man=$GILD_SOURCE/docs/man

"$GILD" --help >help 2>err
is "gild --help succeeds" $? 0
is "and writes nothing to standard error" "$(cat err)" ""
commands=$(sed -n 's/^  \([a-z]\+\) .*/\1/p' help | grep -vx help)
ok "it lists commands" test -n "$commands"
ok "gild --version names the version" sh -c "'$GILD' --version | grep -qE '^gild [0-9.]+$'"
fails 2 "no command is wrong usage" "$GILD"
fails 2 "an unknown command is wrong usage" "$GILD" nonsense
"$GILD" nonsense >out 2>err
is "and is said on standard error only" "$(wc -c <out)$(grep -c nonsense err)" 01
fails 2 "a command of a later version says so" "$GILD" publish x
ok "in these words" sh -c "'$GILD' publish x 2>&1 | grep -q 'not in this build'"

# The options of a command that its page describes: .It Fl -name
page_options() { sed -n 's/^\.It Fl -\([a-z-]*\).*/\1/p' "$1" | sort -u; }
help_options() { sed -n 's/^  --\([a-z-]*\).*/\1/p' "$1" | sort -u; }
"$GILD" inspect --help | sed -n '/^For every command/,$p' >global
is "gild.1 describes the options of every command" \
	"$(page_options "$man/gild.1")" "$(help_options global)"
for command in $commands; do
	"$GILD" "$command" --help >"$command.help" 2>err
	is "$command --help succeeds" $? 0
	is "$command --help keeps to 80 columns" \
		"$(awk 'length > 80' "$command.help" | head -3)" ""
	if [ ! -e "$man/gild-$command.1" ]; then
		tap 1 "gild-$command.1 exists"
		continue
	fi
	sed '/^For every command/,$d' "$command.help" >own
	is "gild-$command.1 describes just the options that $command has" \
		"$(page_options "$man/gild-$command.1")" "$(help_options own)"
	fails 2 "$command: an unknown option is wrong usage" "$GILD" "$command" --nonsense x
	fails 2 "$command: no image is wrong usage" "$GILD" "$command"
done
if command -v mandoc >/dev/null; then
	for page in "$man"/*.1; do
		ok "${page##*/} is well-formed" mandoc -T lint -W warning "$page"
	done
else
	skip "manual pages are well-formed" "mandoc is not installed"
fi
fails 2 "help on an unknown command" "$GILD" help nonsense
if command -v man >/dev/null; then
	ok "gild help inspect opens the page" sh -c \
		"GILD_MANPATH='$man' MANPAGER=cat '$GILD' help inspect | grep -q 'control set'"
fi

# A closed or full standard output is an error.
if [ -w /dev/full ]; then
	fails 1 "output that cannot be written is a failure" sh -c "'$GILD' --help >/dev/full"
fi

# ---- completion: what bash would offer -----------------------------------------------------
complete_words() { # WORD... : completions for the last one
	bash -c '. "$1"; shift
		COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		compopt() { :; }
		_gild; printf "%s\n" "${COMPREPLY[@]}"' - "$GILD_SOURCE/completion/gild.bash" "$@" | sort
}
is "completion offers the commands" "$(complete_words "$GILD" in | tr '\n' ' ')" \
	"$(printf '%s\n' $commands | grep ^in | sort | tr '\n' ' ')"
is "and a command's options" \
	"$(complete_words "$GILD" inspect -- | sed 's/^--//; s/=$//' | sort | tr '\n' ' ')" \
	"$(help_options inspect.help | tr '\n' ' ')"
is "and an option's values" \
	"$(complete_words "$GILD" inspect --progress = | tr '\n' ' ')" "auto json none plain "
touch some.wim
is "and files" "$(complete_words "$GILD" inspect so)" some.wim
done_testing
