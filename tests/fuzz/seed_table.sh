#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Compiled profiles for fuzz_table. usage: seed_table.sh DIR
set -u
source=$(cd "$(dirname "$0")/../.." && pwd)
cd "$1" || exit 1
gild=${GILD:-$BUILD/gild}
mkdir -p profiles
bash "$source/tests/fuzz/seed_profile.sh" profiles
sed -i 's/<include profile="b"\/>//' profiles/seed-all.xml
GILD_PROFILES=$source/profiles "$gild" profile compile --quiet --output=seed-one \
	profiles/seed-all.xml
GILD_PROFILES=$source/profiles "$gild" profile compile --quiet --output=seed-some \
	dell-latitude-3410 qemu-q35 azure-nvme
rm -rf profiles
