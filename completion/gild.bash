# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of gild for bash. It knows nothing itself: commands come from `gild --help`,
# options and their values from `gild COMMAND --help`, which print the option tables.
_gild()
{
	local gild=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} option='' argument command i
	# "=" splits words: --index=2 arrives as three.
	if [ "$cur" = = ]; then
		option=${COMP_WORDS[COMP_CWORD - 1]} cur=
	elif [ "$COMP_CWORD" -ge 3 ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" = = ]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-* | =) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	COMPREPLY=()
	if [ -z "$command" ] || [ "$command" = help ]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$gild" --help 2>/dev/null |
			sed -n 's/^  \([a-z]\+\) .*/\1/p') --help --version" -- "$cur")
		return
	fi
	if [ -n "$option" ]; then
		argument=$("$gild" "$command" --help 2>/dev/null |
			sed -n "s/^  $option=\([^ ]*\).*/\1/p")
		# Words with | are values to choose from; capitals name what to give.
		mapfile -t COMPREPLY < <(compgen -W "$(tr '|' '\n' <<<"$argument" |
			grep -v '[A-Z]')" -- "$cur")
		[[ $argument != *[A-Z]* ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY \
			< <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		return
	fi
	if [[ $cur = -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$gild" "$command" --help 2>/dev/null |
			sed -n 's/^  \(--[a-z-]\+=\{0,1\}\).*/\1/p')" -- "$cur")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
		return
	fi
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	compopt -o filenames 2>/dev/null
}
complete -F _gild gild
