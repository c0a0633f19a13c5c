/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest that writes one sector into each 64 KiB of its first disk, from 64 KiB to 16 MiB
 * (INT 13h, function 43h). Each write makes an overlay of qcow2 take a cluster, which it
 * first reads from what lies below. Then it waits for ever.
 */
	.include "boot_sector.inc"
	boot_sector_begin
	sti
	movw	$255, %cx
next:
	addl	$128, sector
	pushw	%cx
	movw	$0x4300, %ax
	movb	$0x80, %dl
	movw	$packet, %si
	int	$0x13
	popw	%cx
	loop	next
wait:
	hlt
	jmp	wait
	.align 4
packet:
	.byte	16, 0
	.word	1		/* sectors */
	.word	0x7c00, 0	/* from this sector itself */
sector:
	.long	0, 0
	boot_sector_end
