/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The smallest guest: a boot sector that looks opt/gild/nonce up in QEMU's fw_cfg (docs/specs/
 * fw_cfg.txt; big-endian), writes its content to the first empty sector of the disk after its
 * own, so that each start leaves a trace, and then to port 0x402. Then it beeps at 1 kHz and
 * lets the firmware try the network.
 *
 * With COLOUR defined, one of mode 13h, it has a screen of that colour instead, and switches
 * itself off by the power button: ACPI 6.5, 4.8.3, at the ports where SeaBIOS has them on q35.
 */
	.include "boot_sector.inc"
	boot_sector_begin
	read_nonce
	sti
	movw	$0x0001, %cx		/* cylinder 0, sector 1 */
	movw	$0x0080, %dx		/* head 0, first disk */
used:
	incw	%cx
	movw	$0x0201, %ax		/* INT 13h: read one sector */
	movw	$0xa000, %bx
	int	$0x13
	jc	wait
	cmpb	$0, 0xa000
	jne	used
	movw	$0x0301, %ax		/* write one */
	movw	$0x9000, %bx
	int	$0x13
	cli
	jc	wait
	movw	%bp, %cx
	movw	$0x9000, %si
	movw	$0x402, %dx
	rep outsb
	.ifdef	COLOUR
	movw	$0x13, %ax		/* INT 10h: 320x200, a byte a pixel */
	int	$0x10
	movw	$0xa000, %ax
	movw	%ax, %es
	xorw	%di, %di
	movw	$32000, %cx
	movw	$(COLOUR * 0x101), %ax
	rep stosw
	movw	$0x602, %dx		/* PM1 enable: the power button sets its status */
	movw	$0x100, %ax
	outw	%ax, %dx
	sti
listen:
	hlt
	movw	$0x600, %dx		/* PM1 status */
	inw	%dx, %ax
	testb	$1, %ah
	jz	listen
	movw	$0x604, %dx		/* PM1 control: SLP_EN, S5 */
	movw	$0x2000, %ax
	outw	%ax, %dx
	jmp	listen
	.endif
	movb	$0xb6, %al		/* timer 2: both bytes, square wave */
	outb	%al, $0x43
	movw	$1193, %ax		/* of 1193182 Hz */
	outb	%al, $0x42
	xchgb	%al, %ah
	outb	%al, $0x42
	inb	$0x61, %al		/* the timer's gate, the loudspeaker */
	orb	$3, %al
	outb	%al, $0x61
	int	$0x18			/* the firmware may try its next device: the network */
wait:
	hlt
	jmp	wait
	nonce_name
	boot_sector_end
