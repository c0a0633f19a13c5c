/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Boot code of an MBR disk, at most 440 bytes: finds the active partition and starts its
 * boot record, with the drive's number in DL and DS:SI at the partition's entry, as BIOSes
 * and boot records since PC DOS 2 expect it. Sectors are read with the extensions of
 * INT 13h, or where the BIOS has none by cylinder, head and sector.
 */
	.code16
	.text
	.globl start

	.set LOADED, 0x7c00	/* where the BIOS puts this sector, and boot records */
	.set TABLE, 0x600 + 446
	.set ENTRY, 16
	.set TRIES, 5

start:	/* linked for 0x600, where it moves to */
	cli
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$LOADED, %sp
	movw	%ax, %ds
	movw	%ax, %es
	sti
	cld
	movw	$LOADED, %si
	movw	$start, %di
	movw	$256, %cx
	rep movsw
	ljmp	$0, $moved

moved:
	testb	$0x80, %dl	/* some BIOSes leave something else in DL */
	jnz	1f
	movb	$0x80, %dl
1:	movb	%dl, drive
	movw	$TABLE, %si
	movw	$4, %cx
2:	cmpb	$0x80, (%si)
	je	found
	cmpb	$0, (%si)
	jne	invalid
	addw	$ENTRY, %si
	loop	2b
	movw	$no_active, %si
	jmp	fail
invalid:
	movw	$bad_table, %si
	jmp	fail

found:
	movw	$TRIES, %bp
again:
	movb	$0x41, %ah	/* are there extensions? */
	movw	$0x55aa, %bx
	movb	drive, %dl
	int	$0x13
	jc	chs
	cmpw	$0xaa55, %bx
	jne	chs
	testb	$1, %cl
	jz	chs
	pushl	$0		/* disk address packet, its end first */
	pushl	8(%si)
	pushl	$LOADED		/* 0000:7c00 */
	pushw	$1
	pushw	$16
	movw	%si, %di
	movw	%sp, %si
	movb	$0x42, %ah
	movb	drive, %dl
	int	$0x13
	leaw	16(%si), %sp	/* keeps the carry flag */
	movw	%di, %si
	jmp	read
chs:	/* by the BIOS' geometry: the table may have been written for another */
	pushw	%es
	movb	$0x08, %ah
	movb	drive, %dl
	int	$0x13
	popw	%es
	jc	read
	andl	$0x3f, %ecx
	jz	bad_disk
	movzbl	%dh, %ebx
	incw	%bx
	movl	8(%si), %eax
	xorl	%edx, %edx
	divl	%ecx
	movb	%dl, %cl
	incw	%cx		/* sectors count from 1 */
	xorl	%edx, %edx
	divl	%ebx
	cmpl	$1023, %eax
	ja	bad_disk
	movb	%dl, %dh
	movb	%al, %ch
	shlb	$6, %ah
	orb	%ah, %cl
	movb	drive, %dl
	movw	$0x0201, %ax
	movw	$LOADED, %bx
	int	$0x13
read:
	jnc	loaded
	xorw	%ax, %ax	/* reset the drive, once more */
	movb	drive, %dl
	int	$0x13
	decw	%bp
	jnz	again
bad_disk:
	movw	$unreadable, %si
	jmp	fail

loaded:
	cmpw	$0xaa55, LOADED + 510
	jne	no_record
	movb	drive, %dl
	ljmp	$0, $LOADED
no_record:
	movw	$no_code, %si

fail:	/* prints what SI points at, and lets the BIOS try the next device */
	lodsb
	testb	%al, %al
	jz	1f
	movb	$0x0e, %ah
	movw	$7, %bx
	int	$0x10
	jmp	fail
1:	int	$0x18
2:	hlt
	jmp	2b

no_active:
	.asciz	"Disk: no partition is active\r\n"
bad_table:
	.asciz	"Disk: the partition table is damaged\r\n"
unreadable:
	.asciz	"Disk: the active partition cannot be read\r\n"
no_code:
	.asciz	"Disk: the active partition has no boot record\r\n"
drive:
	.byte	0
