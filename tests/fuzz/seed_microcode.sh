#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Files of microcode for fuzz_microcode (tests/mkmicrocode.py). usage: seed_microcode.sh DIR
set -u
python3 "$(dirname "$0")/../mkmicrocode.py" "$1/made" || exit 0
for file in "$1"/made/*/*; do mv "$file" "$1/seed-${file##*/}"; done
rm -r "$1/made"
