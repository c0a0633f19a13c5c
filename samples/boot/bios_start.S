/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stand-in for bootmgr: the way from the boot record (real mode, 2000:0000, the drive in
 * DL) into C in protected mode, calls of the BIOS from there, and, behind all else, a
 * pattern that makes the program larger than 64 KiB: it is right only if all of the file
 * was loaded, and in the right order.
 */
	.set SEGMENT, 0x2000
	.set CODE32, 0x08
	.set DATA32, 0x10
	.set CODE16, 0x18
	.set DATA16, 0x20
	.set STACK32, 0x9f000
	.set STACK16, 0x7c00
	.set PATTERN_WORDS, 50000

	.section .start, "ax"
	.globl start
	.code16
start:
	cli
	movw	%cs, %ax
	cmpw	$SEGMENT, %ax
	jne	wrong_place
	movw	%ax, %ds
	movb	%dl, drive - start
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$STACK16, %sp
	movw	$0x2401, %ax	/* gate A20 */
	int	$0x15
	inb	$0x92, %al
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	cli
	lgdtl	gdt_pointer - start
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$CODE32, $protected
wrong_place:
	hlt
	jmp	wrong_place

	.code32
protected:
	movw	$DATA32, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$STACK32, %esp
	movzbl	drive, %eax
	pushl	%eax
	call	bios_main
1:	hlt
	jmp	1b

/*
 * uint32_t bios_call(uint32_t interrupt_and_ax, uint32_t bx, uint32_t dx, uint32_t si):
 * INT 10h or 13h in real mode with DS 0; the carry flag afterwards.
 */
	.globl	bios_call
bios_call:
	pushl	%ebp
	movl	%esp, %ebp
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	movl	8(%ebp), %eax
	movl	%eax, call_ax
	movl	12(%ebp), %eax
	movl	%eax, call_bx
	movl	16(%ebp), %eax
	movl	%eax, call_dx
	movl	20(%ebp), %eax
	movl	%eax, call_si
	movl	%esp, saved_stack
	ljmpl	$CODE16, $1f - start
	.code16
1:	movw	$DATA16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmp	$SEGMENT, $2f - start
2:	movw	$SEGMENT, %ax
	movw	%ax, %ds
	xorw	%ax, %ax
	movw	%ax, %es
	movw	%ax, %ss
	movl	$STACK16, %esp
	lidtl	real_interrupts - start
	movw	call_bx - start, %bx
	movw	call_dx - start, %dx
	movw	call_si - start, %si
	movl	call_ax - start, %eax
	movl	%eax, %ecx
	shrl	$16, %ecx
	movw	%es, %di
	movw	%di, %ds
	sti
	cmpb	$0x10, %cl
	je	3f
	int	$0x13
	jmp	4f
3:	int	$0x10
	clc
4:	cli
	movw	$SEGMENT, %ax
	movw	%ax, %ds
	sbbl	%ecx, %ecx
	movl	%ecx, call_carry - start
	lgdtl	gdt_pointer - start
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$CODE32, $5f
	.code32
5:	movw	$DATA32, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	saved_stack, %esp
	movl	call_carry, %eax
	popl	%edi
	popl	%esi
	popl	%ebx
	popl	%ebp
	ret

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9a000000ffff	/* CODE32: all memory */
	.quad	0x00cf92000000ffff	/* DATA32 */
	.quad	0x00009a020000ffff	/* CODE16: 64 KiB from start */
	.quad	0x000092000000ffff	/* DATA16: 64 KiB at 0 */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
real_interrupts:
	.word	0x3ff
	.long	0
	.balign	4
call_ax:
	.long	0
call_bx:
	.long	0
call_dx:
	.long	0
call_si:
	.long	0
call_carry:
	.long	0
saved_stack:
	.long	0
drive:	.byte	0

	.section .pattern, "a"
	.globl	pattern, pattern_words
	.balign	4
pattern_words:
	.long	PATTERN_WORDS
pattern:
	.set	value, 1
	.rept	PATTERN_WORDS
	.long	value
	.set	value, (value * 1664525 + 1013904223) & 0xffffffff
	.endr
