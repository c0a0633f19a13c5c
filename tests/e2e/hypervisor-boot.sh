# SPDX-License-Identifier: GPL-3.0-or-later
# The way from the kernel to a guest under KVM: an initramfs of gild-init, Debian's kernel and
# QEMU, started on a PC that QEMU emulates with AMD's virtualisation, so that KVM really runs
# inside. One "PC" hands a network card to its guest and loses QEMU, one has no KVM.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
. "$GILD_SOURCE/tests/hypervisor.sh" || exit 1
need qemu-img as ld mkfs.ext4 debugfs
cd "$scratch" || exit 1

# ---- the image -----------------------------------------------------------------------------

make_root
with_modules e1000e
# The golden image lies on a disk, what the guest writes is kept on another one.
make_golden media
truncate -s 8M media.img state.img
mkfs.ext4 -q -d media media.img && mkfs.ext4 -q state.img
golden=$(sha256sum <media.img)

cat >card.xml <<-'END'
	<profile xmlns="urn:gild:profile:1" id="test-card" name="PC with a card" type="desktop">
	<identity><match manufacturer="Dell Inc." product="OptiPlex 7040"/></identity>
	<hypervisor><passthrough role="network" policy="wanted" group="network"/>
	<passthrough role="system" policy="never"/>
	<kernel-argument>intel_iommu=on</kernel-argument><quirk>nested=off</quirk></hypervisor></profile>
END
"$GILD" profile compile --quiet --output="$root/etc/gild/profiles" "$PWD/card.xml"
echo 'windows=6.1.7601 arch=x86 storage=virtio-blk network=none
	media=/dev/vda state=/dev/vdb image=/media/golden.raw persist=on' \
	>"$root/etc/gild/init.conf"
pack_initrd "$pc_initrd"
is "init is smaller than 1 MiB" "$(($(stat -c %s "$root/init") < 1048576))" 1

# ---- PCs -----------------------------------------------------------------------------------

nonce=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
start_pc card "intel_iommu=on sysrq_always_enabled=1 gild.shutdown_seconds=2" -cpu max,+svm \
	-drive file=media.img,format=raw,if=virtio,readonly=on -drive file=state.img,format=raw,if=virtio \
	-device intel-iommu,intremap=on,caching-mode=on -device e1000e,addr=3 \
	-smbios type=1,manufacturer="Dell Inc.",product="OptiPlex 7040" \
	-fw_cfg "name=opt/gild/vm,string=memory=64M cpus=1 nonce=$nonce"
await card "guest running (kvm) $nonce"
said card "gild: guest running (kvm) $nonce" "the guest runs under KVM and has answered"
said card "on Dell Inc. OptiPlex 7040: hybrid" "the PC and its profile are recognised, and a device goes to the guest"
kill_largest card
again() { # both starts have been answered
	[ "$(grep -c "guest running (kvm) $nonce" card.log)" = 2 ]
}
await card "started again"
until again || ! kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
said card "QEMU ended by signal 9" "QEMU that is killed while its guest runs is said to have ended"
said card "QEMU is started again in [0-9]* ms (1 of 10)" "it is started again, after a pause"
ok "and the guest answers again" again
press card
await card "gild: off"
said card "asked to shut down" "the power button reaches the guest"
said card "QEMU is asked to end" "a guest that does not listen is ended by QEMU itself"
said card "QEMU ended with status 0" "which had the time for it"
said card "gild: off" "then the PC is off"
wait "$pid"
is "by itself" $? 0
debugfs -R "dump overlay.qcow2 $PWD/overlay.qcow2" state.img 2>/dev/null
ok "the overlay is sound" qemu-img check -q -f qcow2 overlay.qcow2
qemu-img convert -f qcow2 -O raw overlay.qcow2 written.raw
is "what the guest wrote before QEMU was killed and after is there" \
	"$(dd if=written.raw bs=512 skip=1 count=3 status=none | tr -s '\0' ' ')" "$nonce $nonce "
is "and only there" "$(sha256sum <media.img)" "$golden"
ok "the state's file system was unmounted" sh -c "dumpe2fs -h state.img 2>/dev/null | grep -q 'state: *clean$'"

start_pc nokvm "" -cpu qemu64,svm=off -fw_cfg "name=opt/gild/vm,string=memory=64M"
await nokvm "press the power button"
said nokvm "obstacle: the CPU shows neither VT-x nor AMD-V; switch" "without KVM it says so, and what to do"
press nokvm
await nokvm "gild: off"
said nokvm "gild: off" "the power button switches that PC off, too"
wait "$pid"
done_testing
