/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest that reads: a boot sector that looks opt/gild/nonce up in QEMU's fw_cfg (docs/specs/
 * fw_cfg.txt; big-endian) and writes it to port 0x402. Then it reads a sector of each MiB of
 * its disk, of SECTORS sectors, and stops at the first error.
 */
	.include "boot_sector.inc"
	boot_sector_begin
	read_nonce
	movw	%bp, %cx
	movw	$0x9000, %si
	movw	$0x402, %dx
	rep outsb
	/* A sector of each MiB, one each half second (9 ticks of the BIOS's clock). */
again:
	sti
	movw	$packet, %si
	movw	$0x4200, %ax		/* INT 13h: read by number */
	movw	$0x0080, %dx
	int	$0x13
	jc	wait			/* an error that reached the guest: the end of all reading */
	movw	0x46c, %bx
	addw	$9, %bx
pause:
	hlt
	movw	0x46c, %ax		/* ticks that came late come several at once */
	subw	%bx, %ax
	js	pause
	addl	$2048, packet + 8
	cmpl	$(SECTORS), packet + 8
	jb	again
wait:
	hlt
	jmp	wait
	.balign	4
packet:
	.byte	16, 0
	.word	1			/* sectors */
	.word	0xa000, 0		/* to offset, segment */
	.long	2048, 0			/* from */
	nonce_name
	boot_sector_end
