#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Small answer files for fuzz_answer in the folder DIR.
set -eu
[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
component() { # NAME SETTINGS
	printf '<component name="%s" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">%s</component>' "$1" "$2"
}
answer() { # FILE PASS COMPONENTS...
	local file=$1 pass=$2
	shift 2
	printf '<?xml version="1.0" encoding="utf-8"?>\n<unattend xmlns="urn:schemas-microsoft-com:unattend" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State"><settings pass="%s">%s</settings></unattend>\n' "$pass" "$*" >"$file"
}
answer specialize.xml specialize "$(component Microsoft-Windows-Shell-Setup '<ComputerName>*</ComputerName><TimeZone>UTC</TimeZone>')"
answer oobe.xml oobeSystem "$(component Microsoft-Windows-Shell-Setup '<OOBE><HideEULAPage>true</HideEULAPage></OOBE><UserAccounts><LocalAccounts><LocalAccount wcm:action="add"><Name>a</Name></LocalAccount></LocalAccounts></UserAccounts>')"
answer offline.xml offlineServicing "$(component Microsoft-Windows-UnattendedJoin '<OfflineIdentification><Provisioning><AccountData>QQ==</AccountData></Provisioning></OfflineIdentification>')" "$(component Microsoft-Windows-LUA-Settings '<EnableLUA>true</EnableLUA>')"
answer drivers.xml offlineServicing "$(component Microsoft-Windows-PnpCustomizationsNonWinPE '<DriverPaths><PathAndCredentials wcm:action="add" wcm:keyValue="1"><Path>.</Path></PathAndCredentials></DriverPaths>')"
answer name.xml offlineServicing "$(component Microsoft-Windows-Shell-Setup '<ComputerName>a</ComputerName>')"
printf '\377\376' >utf16.xml
iconv -f utf-8 -t utf-16le <(sed 's/utf-8/utf-16/' specialize.xml) >>utf16.xml
printf '<!DOCTYPE a [<!ENTITY b "c">]>\n<a>&b;</a>' >doctype.xml
ls | wc -l
