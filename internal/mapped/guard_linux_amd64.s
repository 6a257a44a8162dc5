#include "textflag.h"

// onFault is what the kernel calls for a SIGBUS: DI the signal, SI its siginfo, DX the context; see guard_linux.go. Every register may be
// used: those of the code that faulted lie in the context and come back with it.
TEXT onFault<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	CMPL	8(SI), $2		// si_code: BUS_ADRERR
	JNE	pass
	MOVQ	16(SI), R8		// si_addr
	LEAQ	·guarded(SB), R14
	MOVQ	·guardedCount(SB), R10

search:
	TESTQ	R10, R10
	JZ	pass
	CMPQ	R8, 0(R14)		// start
	JCS	next
	CMPQ	R8, 8(R14)		// end
	JCS	found

next:
	ADDQ	$24, R14
	DECQ	R10
	JMP	search

found:
	MOVQ	$1, 16(R14)		// damaged
	MOVQ	DI, BX
	MOVQ	SI, R12
	MOVQ	DX, R13
	MOVQ	R8, DI
	ANDQ	·pageMask(SB), DI	// the faulting page
	MOVQ	8(R14), SI
	SUBQ	DI, SI			// up to the mapping's end
	MOVL	$1, DX			// PROT_READ
	MOVL	$0x4032, R10		// MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS|MAP_NORESERVE
	MOVQ	$-1, R8
	XORL	R9, R9
	MOVL	$9, AX			// mmap
	SYSCALL
	CMPQ	AX, $-4095
	JCC	failed
	RET

failed:
	MOVQ	BX, DI
	MOVQ	R12, SI
	MOVQ	R13, DX

pass:
	MOVQ	·chained(SB), AX
	JMP	AX

// func faultHandler() uintptr
TEXT ·faultHandler(SB), NOSPLIT, $0-8
	LEAQ	onFault<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
