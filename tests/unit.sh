#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a cmocka program. What cmocka 1.1 calls "not ok N # SKIP name" would count as a
# failure, and its reason is the line before: both become what TAP asks for.
"$@" 2>&1 | awk '
	/^not ok [0-9]+ # SKIP/ {
		name = $0
		sub(/^not ok [0-9]+ # SKIP */, "", name)
		sub(/^# */, "", last)
		print "ok " $3 " - " name " # SKIP " last
		next
	}
	{ print; fflush(); last = $0 }'
exit "${PIPESTATUS[0]}"
