#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Some of the shipped profiles for fuzz_profile. usage: seed_profile.sh DIR
set -u
source=$(cd "$(dirname "$0")/../.." && pwd)
cd "$1" || exit 1
for id in generic-uefi azure-nvme hyperv-gen1 qemu-q35 dell-latitude-3410; do
	cp "$source/profiles/$id.xml" "seed-$id.xml"
done
cat >seed-all.xml <<-'END'
	<profile xmlns="urn:gild:profile:1" id="a" name="A" type="t" year="2019" lists="PCI USB"><source>s</source>
	<include profile="b"/><identity><match manufacturer="M*" chid="{85d38fda-fc0e-5c6f-808f-076984ae7978}"/></identity>
	<firmware uefi="yes" secure-boot="no" tpm="2.0"/><devices role="input"><device id="ACPI\SYN1219">
	<hardware-id>ACPI\SYN1219</hardware-id><compatible-id>*PNP0F13</compatible-id></device></devices>
	<drivers><driver inf="x.inf" min-version="1.2.3.4"/><pack vendor="dell" system="08B8"/></drivers>
	<hypervisor><passthrough role="wireless" policy="wanted" group="g" id="PCI\VEN_1"/>
	<kernel-argument>x=y</kernel-argument><quirk>q</quirk></hypervisor></profile>
END
