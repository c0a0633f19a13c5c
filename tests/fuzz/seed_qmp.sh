#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# QMP messages for fuzz_qmp. usage: seed_qmp.sh DIR
set -u
cd "$1" || exit 1
echo '{"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7},"package":""},"capabilities":["oob"]}}' >seed-greeting
echo '{"return":{"status":"running","singlestep":false,"running":true},"id":"status"}' >seed-return
echo '{"id":"a","error":{"class":"CommandNotFound","desc":"The command a has not been found"}}' >seed-error
echo '{"timestamp":{"seconds":1,"microseconds":2},"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}' >seed-event
