#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The disks of fuzz_disk, which fuzz_verify takes in the same form. usage: seed_verify.sh DIR
exec bash "$(dirname "$0")/seed_disk.sh" "$1"
