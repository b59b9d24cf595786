# The handler of SIGBUS that MissingPages installs; it holds these bytes, which MissingPagesTests has `as` make again.
#
# A page of a mapped file that the file cannot give (it has become shorter, or its file system is full) raises SIGBUS where it is
# touched. .NET ends the process then, and no managed code can be a handler: the thread that is interrupted runs managed code itself.
# So this puts memory without a file in place of the whole mapping, if it is one of those that are guarded, says so, and returns to
# the instruction, which then finds zeros. Everything else goes to the handler that was there before.
#
# r8   the data: 0 how many places there are, 8 the previous handler, 16 an eventfd, 24 the number 1, 32 a struct kernel_sigaction of
#      zeros, from 64 on the places, 16 bytes each: 0 first page << 29 | pages, in one word that is written at once; 8 not 0 when lost
# r9   the page that was touched
# r10  the place that is looked at

	.text
handler:			# (int signal, siginfo_t *info, void *context)
	endbr64
	movabs	$0, %r8		# its address is written here
	push	%rdi
	push	%rsi
	push	%rdx
	cmpl	$0, 8(%rsi)	# si_code: not from the kernel, and si_addr is something else
	jle	pass_on
	mov	16(%rsi), %r9	# si_addr
	shr	$12, %r9
	mov	(%r8), %rcx
	lea	64(%r8), %r10
search:
	sub	$1, %rcx
	jc	pass_on
	mov	(%r10), %rdi
	mov	%rdi, %rdx
	and	$0x1fffffff, %edx
	shr	$29, %rdi
	mov	%r9, %rax
	sub	%rdi, %rax
	cmp	%rdx, %rax
	jb	found
	add	$16, %r10
	jmp	search
found:
	push	%r8
	push	%r9
	push	%r10
	shl	$12, %rdi
	mov	%rdx, %rsi
	shl	$12, %rsi
	call	replace
	test	%rax, %rax
	jns	replaced
	mov	8(%rsp), %rdi	# not so much memory may be promised: the one page
	shl	$12, %rdi
	mov	$4096, %esi
	call	replace
	test	%rax, %rax
	jns	replaced
	pop	%r10
	pop	%r9
	pop	%r8
pass_on:
	pop	%rdx
	pop	%rsi
	pop	%rdi
	mov	8(%r8), %rax
	test	%rax, %rax
	jz	default
	jmp	*%rax
default:			# rt_sigaction(SIGBUS, &zeros, NULL, 8): the instruction raises it again
	mov	$13, %eax
	mov	$7, %edi
	lea	32(%r8), %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	syscall
	ret
replaced:
	pop	%r10
	pop	%r9
	pop	%r8
	movq	$1, 8(%r10)
	mov	$1, %eax	# write(eventfd, &one, 8)
	mov	16(%r8), %edi
	lea	24(%r8), %rsi
	mov	$8, %edx
	syscall
	add	$24, %rsp
	ret
replace:			# mmap(rdi, rsi, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
	mov	$9, %eax
	mov	$3, %edx
	mov	$0x4032, %r10d
	mov	$-1, %r8
	xor	%r9d, %r9d
	syscall
	ret
