/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Boot record of an NTFS volume: the 8 KiB of $Boot. Finds the file "bootmgr" in the root
 * folder, loads it to 2000:0000 and jumps there with the drive's number in DL and the boot
 * sector at 0000:7c00, which is how bootmgr (and NTLDR before it) is started.
 *
 * What is followed: $MFT by its runs, the root folder's index from $INDEX_ROOT down through
 * $INDEX_ALLOCATION, the file's unnamed $DATA, resident or by its runs. What is not (file
 * records spread by an attribute list, compressed or sparse content, sectors other than
 * 512 bytes, index blocks of more than 16 KiB) ends with a message. Layouts: the public
 * documentation of the linux-ntfs project.
 *
 * Memory, all with segment 0: the stack below 0x7c00, this record to 0x9bff, the record
 * of $MFT from 0xa000, the current one from 0xb000, an index block from 0xc000.
 */
	.code16
	.text
	.globl start

	/* Fields of the BPB, which stays as the volume has it. */
	.set BYTES_PER_SECTOR, 0x7c0b
	.set SECTORS_PER_CLUSTER, 0x7c0d
	.set HIDDEN_SECTORS, 0x7c1c
	.set DRIVE, 0x7c24
	.set MFT_CLUSTER, 0x7c30
	.set CLUSTERS_PER_RECORD, 0x7c40
	.set CODE, 0x54

	.set MFT_RECORD, 0xa000
	.set RECORD, 0xb000
	.set BLOCK, 0xc000
	.set RECORD_SECTORS_MAX, 8
	.set BLOCK_SECTORS_MAX, 32
	.set DEPTH_MAX, 16
	.set TRIES, 5
	.set CHUNK, 64		/* sectors in one call of the BIOS */
	.set TARGET_SEGMENT, 0x2000
	.set TARGET, 0x20000

	.set ATTR_LIST, 0x20
	.set ATTR_DATA, 0x80
	.set ATTR_INDEX_ROOT, 0x90
	.set ATTR_INDEX_ALLOCATION, 0xa0
	.set ATTR_REPARSE_POINT, 0xc0
	.set ROOT_FOLDER, 5

	/* Ends with a message, which follows the call. */
	.macro die text:vararg
	call	fail
	.asciz	\text
	.endm

start:
	jmp	begin
	nop
	.org	CODE
begin:
	cli
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movw	%ax, %ds
	movw	%ax, %es
	sti
	cld
	ljmp	$0, $1f
1:	movb	%dl, DRIVE
	movb	$0x41, %ah	/* are there extensions of INT 13h? */
	movw	$0x55aa, %bx
	int	$0x13
	jc	1f
	cmpw	$0xaa55, %bx
	jne	1f
	testb	$1, %cl
	jz	1f
	incb	extended
	jmp	2f
1:	movb	$0x08, %ah	/* no: the drive's geometry */
	movb	DRIVE, %dl
	xorw	%di, %di
	int	$0x13
	jc	disk_error
	andw	$0x3f, %cx
	jz	disk_error
	movw	%cx, sectors
	movzbw	%dh, %ax
	incw	%ax
	movw	%ax, heads
	xorw	%ax, %ax
	movw	%ax, %es
2:	movl	$1, %eax	/* the rest of this record */
	movl	$15, %ecx
	movl	$0x7e00, %edi
	call	read
	jmp	main

/*
 * Reads ECX sectors from sector EAX of the volume on to the linear address EDI (a
 * multiple of 512), which it moves on. Leaves BX, SI, BP alone.
 */
read:
	testl	%ecx, %ecx
	jz	3f
	movl	$0x10000, %edx	/* not across 64 KiB, which DMA may not pass */
	pushl	%edi
	movzwl	%di, %edi
	subl	%edi, %edx
	popl	%edi
	shrl	$9, %edx
	cmpl	$CHUNK, %edx
	jbe	1f
	movl	$CHUNK, %edx
1:	cmpl	%ecx, %edx
	jbe	2f
	movl	%ecx, %edx
2:	pushal
	addl	HIDDEN_SECTORS, %eax
	jc	disk_error
	call	transfer
	popal
	addl	%edx, %eax
	subl	%edx, %ecx
	shll	$9, %edx
	addl	%edx, %edi
	jmp	read
3:	ret

/* DX sectors from sector EAX of the disk to EDI. */
transfer:
	cmpb	$0, extended
	je	chs
	movw	$TRIES, %bp
1:	pushal
	pushl	$0		/* disk address packet, its end first */
	pushl	%eax
	shrl	$4, %edi
	pushw	%di
	pushw	$0
	pushw	%dx
	pushw	$16
	movw	%sp, %si
	movb	$0x42, %ah
	movb	DRIVE, %dl
	int	$0x13
	leaw	16(%si), %sp	/* keeps the carry flag */
	popal
	jnc	2f
	call	reset
	jmp	1b
2:	ret

/* The same sector by sector, by cylinder, head and sector. */
chs:
	movw	$TRIES, %bp
1:	pushal
	xorl	%edx, %edx
	movzwl	sectors, %ebx
	divl	%ebx
	movw	%dx, %cx
	incw	%cx		/* sectors count from 1 */
	xorl	%edx, %edx
	movzwl	heads, %ebx
	divl	%ebx
	cmpl	$1023, %eax
	ja	disk_error
	movb	%dl, %dh
	movb	%al, %ch
	shlb	$6, %ah
	orb	%ah, %cl
	shrl	$4, %edi
	movw	%di, %es
	xorw	%bx, %bx
	movb	DRIVE, %dl
	movw	$0x0201, %ax
	int	$0x13
	pushw	$0
	popw	%es
	popal
	jnc	2f
	call	reset
	jmp	1b
2:	incl	%eax
	addl	$512, %edi
	decw	%dx
	jnz	chs
	ret

reset:
	decw	%bp
	jz	disk_error
	pushal
	xorw	%ax, %ax
	movb	DRIVE, %dl
	int	$0x13
	popal
	ret

disk_error:
	die	"the disk cannot be read"

/* Prints what lies behind the call, and stops. */
fail:
	movw	$prefix, %si
	call	print
	popw	%si
	call	print
	movw	$suffix, %si
	call	print
1:	hlt
	jmp	1b

print:
	lodsb
	testb	%al, %al
	jz	1f
	movb	$0x0e, %ah
	movw	$7, %bx
	int	$0x10
	jmp	print
1:	ret

prefix:	.asciz	"Boot: "
suffix:	.asciz	"\r\n"
sectors:
	.word	0
heads:	.word	0
extended:
	.byte	0

	.org	510
	.word	0xaa55

/* ---- from here on in the sectors behind the first ---------------------------------- */

main:
	cmpw	$512, BYTES_PER_SECTOR
	jne	bad_volume
	movzbl	SECTORS_PER_CLUSTER, %eax
	cmpb	$0x80, %al	/* above, it is minus the logarithm */
	jbe	1f
	movb	%al, %cl
	negb	%cl
	movl	$1, %eax
	shll	%cl, %eax
1:	testl	%eax, %eax
	jz	bad_volume
	movl	%eax, cluster
	movsbl	CLUSTERS_PER_RECORD, %ecx
	testl	%ecx, %ecx
	js	2f
	mull	%ecx
	jmp	3f
2:	negl	%ecx
	movl	$1, %eax
	shll	%cl, %eax
	shrl	$9, %eax
3:	movl	%eax, record_sectors
	decl	%eax
	cmpl	$RECORD_SECTORS_MAX, %eax
	jae	bad_volume
	cmpl	$0, MFT_CLUSTER + 4
	jne	bad_volume

	/* $MFT itself */
	movl	MFT_CLUSTER, %eax
	mull	cluster
	movl	record_sectors, %ecx
	movl	$MFT_RECORD, %edi
	call	read
	movw	$MFT_RECORD, %si
	call	check_record
	movl	$ATTR_DATA, %eax
	call	find_attribute
	jc	bad_volume
	movw	%bx, mft_data

	/* the root folder */
	movl	$ROOT_FOLDER, %eax
	call	read_record
	movl	$ATTR_INDEX_ROOT, %eax
	call	find_attribute
	jc	spread_root
	testb	$1, 8(%bx)
	jnz	bad_volume
	addw	0x14(%bx), %bx	/* the value */
	movl	8(%bx), %eax
	shrl	$9, %eax
	movl	%eax, block_sectors
	decl	%eax
	cmpl	$BLOCK_SECTORS_MAX, %eax
	jae	bad_block
	/* Its blocks are counted in clusters, or in sectors if they are smaller. */
	movl	cluster, %eax
	cmpl	%eax, block_sectors
	jae	1f
	movl	$1, %eax
1:	movl	%eax, vcn_sectors
	leaw	0x10(%bx), %si
	movw	$DEPTH_MAX, depth

/* SI: the header of a node. */
node:
	movw	%si, %bp
	addw	4(%si), %bp	/* where its entries end */
	addw	(%si), %si
entry:
	leaw	16(%si), %ax
	cmpw	%bp, %ax
	ja	bad_folder
	testb	$2, 12(%si)	/* the last one has no name */
	jnz	descend
	call	compare
	je	found
	jb	descend
	movw	8(%si), %ax
	cmpw	$16, %ax
	jb	bad_folder
	addw	%ax, %si
	jc	bad_folder
	jmp	entry

/* Names before that of the entry at SI are in the node below it. */
descend:
	testb	$1, 12(%si)
	jz	not_found
	decw	depth
	jz	bad_folder
	movw	8(%si), %bx
	cmpl	$0, -4(%bx, %si)
	jne	bad_folder
	movl	-8(%bx, %si), %eax
	mull	vcn_sectors
	pushl	%eax
	movw	$RECORD, %si
	movl	$ATTR_INDEX_ALLOCATION, %eax
	call	find_attribute
	jc	spread_root
	popl	%eax
	movl	block_sectors, %ecx
	movl	$BLOCK, %edi
	call	read_attribute
	movw	$BLOCK, %si
	cmpl	$0x58444e49, (%si)	/* INDX */
	jne	bad_folder
	movw	block_sectors, %cx
	call	fix
	addw	$0x18, %si
	jmp	node

found:
	cmpw	$0, 4(%si)
	jne	bad_volume
	movl	(%si), %eax
	call	read_record
	movl	$ATTR_REPARSE_POINT, %eax
	call	find_attribute
	jnc	compressed
	movl	$ATTR_DATA, %eax
	call	find_attribute
	jc	spread_file
	testb	$1, 8(%bx)
	jnz	1f
	movl	0x10(%bx), %ecx	/* resident: in the record */
	call	check_size
	movw	%bx, %si
	addw	0x14(%bx), %si
	pushw	$TARGET_SEGMENT
	popw	%es
	xorw	%di, %di
	rep movsb
	jmp	2f
1:	cmpw	$0, 0x0c(%bx)	/* compressed, encrypted or sparse */
	jne	compressed
	cmpl	$0, 0x34(%bx)
	jne	too_large
	movl	0x30(%bx), %ecx
	call	check_size
	addl	$511, %ecx
	shrl	$9, %ecx
	xorl	%eax, %eax
	movl	$TARGET, %edi
	call	read_attribute
2:	movb	DRIVE, %dl
	ljmp	$TARGET_SEGMENT, $0

/* ECX bytes must fit below what the BIOS keeps at the end of memory. */
check_size:
	int	$0x12
	movzwl	%ax, %eax
	shll	$10, %eax
	subl	$TARGET, %eax
	jb	too_large
	cmpl	%eax, %ecx
	ja	too_large
	ret

/*
 * The name looked for against that of the entry at SI: equal, below, above. Upper-cased
 * units are compared, and of letters only ASCII has any that become those of the name.
 */
compare:
	movzbw	0x50(%si), %cx
	leaw	0x52(%si), %bx
	movw	$name, %di
1:	movw	(%di), %dx
	testw	%dx, %dx
	jz	3f
	jcxz	4f
	movw	(%bx), %ax
	cmpw	$'a', %ax
	jb	2f
	cmpw	$'z', %ax
	ja	2f
	subw	$0x20, %ax
2:	cmpw	%ax, %dx
	jne	5f
	incw	%bx
	incw	%bx
	incw	%di
	incw	%di
	decw	%cx
	jmp	1b
3:	cmpw	%cx, %dx	/* 0 against what is left of the entry's name */
	ret
4:	cmpw	%cx, %dx	/* the entry's name ended first: above */
5:	ret

/* File record EAX to RECORD, checked; SI is RECORD then. */
read_record:
	mull	record_sectors
	testl	%edx, %edx
	jnz	bad_volume
	movl	record_sectors, %ecx
	movl	$RECORD, %edi
	movw	mft_data, %bx
	call	read_attribute
	movw	$RECORD, %si

check_record:
	cmpl	$0x454c4946, (%si)	/* FILE */
	jne	bad_volume
	testb	$1, 0x16(%si)	/* in use */
	jz	bad_volume
	movw	record_sectors, %cx

/* Puts the true ends of CX sectors at SI back in place. */
fix:
	movw	4(%si), %bx
	cmpw	$0x1fe, %bx
	ja	bad_volume
	addw	%si, %bx
	movw	6(%si), %ax
	decw	%ax
	cmpw	%cx, %ax
	jne	bad_volume
	movw	(%bx), %ax
	leaw	510(%si), %di
1:	cmpw	%ax, (%di)
	jne	bad_volume
	incw	%bx
	incw	%bx
	movw	(%bx), %dx
	movw	%dx, (%di)
	addw	$512, %di
	loop	1b
	ret

/* BX: the attribute EAX of the record at SI, without a name if it is $DATA; carry: none. */
find_attribute:
	movw	0x14(%si), %bx
	movw	0x18(%si), %cx	/* bytes in use */
	cmpw	$RECORD_SECTORS_MAX * 512, %cx
	ja	bad_volume
	addw	%si, %bx
	addw	%si, %cx
	subw	$16, %cx
1:	cmpw	%cx, %bx
	ja	3f
	cmpl	%eax, (%bx)
	jne	2f
	cmpb	$ATTR_DATA, %al
	jne	4f
	cmpb	$0, 9(%bx)
	je	4f
2:	cmpl	$-1, (%bx)
	je	3f
	movw	4(%bx), %dx
	cmpw	$16, %dx
	jb	3f
	addw	%dx, %bx
	jnc	1b
3:	stc
	ret
4:	clc
	ret

/* ECX sectors of the attribute at BX, from its sector EAX on, to EDI. */
read_attribute:
	movl	%eax, want
	movl	%ecx, left
	testb	$1, 8(%bx)
	jz	bad_volume
	cmpl	$0, 0x10(%bx)	/* it begins with its first cluster */
	jne	bad_volume
	movl	$0, lcn
	movw	0x20(%bx), %si
	addw	%bx, %si
next_run:
	cmpl	$0, left
	je	3f
	movw	4(%bx), %ax	/* the runs end with the attribute */
	addw	%bx, %ax
	cmpw	%ax, %si
	jae	spread_file
	lodsb
	testb	%al, %al
	jz	spread_file
	movb	%al, %ch
	movb	%al, %cl
	andb	$15, %cl
	jz	bad_volume
	call	field
	mull	cluster
	testl	%edx, %edx
	jnz	bad_volume
	movl	%eax, run
	movb	%ch, %cl
	shrb	$4, %cl
	jz	compressed	/* no place on the volume: a hole */
	call	field
	addl	%eax, lcn
	movl	run, %eax
	cmpl	%eax, want
	jb	1f
	subl	%eax, want
	jmp	next_run
1:	subl	want, %eax	/* what this run has from there on */
	cmpl	left, %eax
	jbe	2f
	movl	left, %eax
2:	subl	%eax, left
	movl	%eax, %ecx
	movl	lcn, %eax
	mull	cluster
	testl	%edx, %edx
	jnz	bad_volume
	addl	want, %eax
	movl	$0, want
	call	read
	jmp	next_run
3:	ret

/* A signed number of CL bytes at SI, which it moves on, in EAX. */
field:
	cmpb	$4, %cl
	ja	bad_volume
	lodsl
	addb	$252, %cl	/* -(4 - bytes) */
	movsbw	%cl, %dx
	addw	%dx, %si
	negb	%cl
	shlb	$3, %cl
	shll	%cl, %eax
	sarl	%cl, %eax
	ret

bad_volume:
	die	"the NTFS volume is damaged"
bad_folder:
	die	"the root folder of the NTFS volume is damaged"
bad_block:
	die	"index blocks over 16 KiB are not supported"
spread_root:
	die	"the root folder is spread over several file records; defragment it"
spread_file:
	die	"bootmgr is spread over several file records; copy it anew"
compressed:
	die	"bootmgr is compressed, encrypted or a link; copy it as a plain file"
too_large:
	die	"bootmgr is too large"
not_found:
	die	"there is no bootmgr on this volume"

name:	.word	'B', 'O', 'O', 'T', 'M', 'G', 'R', 0
	.balign	4
cluster:
	.long	0		/* sectors in a cluster */
record_sectors:
	.long	0
block_sectors:
	.long	0		/* of an index block */
vcn_sectors:
	.long	0
want:	.long	0
left:	.long	0
run:	.long	0
lcn:	.long	0
mft_data:
	.word	0
depth:	.word	0

	.org	8192
