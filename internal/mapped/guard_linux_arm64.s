#include "textflag.h"

// onFault is what the kernel calls for a SIGBUS: R0 the signal, R1 its siginfo, R2 the context; see guard_linux.go. Every register may be
// used: those of the code that faulted lie in the context and come back with it.
TEXT onFault<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVWU	8(R1), R9		// si_code
	CMPW	$2, R9			// BUS_ADRERR
	BNE	pass
	MOVD	16(R1), R10		// si_addr
	MOVD	$·guarded(SB), R11
	MOVD	·guardedCount(SB), R12

search:
	CBZ	R12, pass
	MOVD	0(R11), R13		// start
	CMP	R13, R10
	BLO	next
	MOVD	8(R11), R14		// end
	CMP	R14, R10
	BLO	found

next:
	ADD	$24, R11
	SUB	$1, R12
	B	search

found:
	MOVD	$1, R15
	MOVD	R15, 16(R11)		// damaged
	MOVD	R0, R9
	MOVD	R1, R12
	MOVD	R2, R13
	MOVD	·pageMask(SB), R15
	AND	R15, R10, R0		// the faulting page
	SUB	R0, R14, R1		// up to the mapping's end
	MOVD	$1, R2			// PROT_READ
	MOVD	$0x4032, R3		// MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS|MAP_NORESERVE
	MOVD	$-1, R4
	MOVD	$0, R5
	MOVD	$222, R8		// mmap
	SVC
	CMN	$4095, R0
	BCS	failed
	RET

failed:
	MOVD	R9, R0
	MOVD	R12, R1
	MOVD	R13, R2

pass:
	MOVD	·chained(SB), R9
	B	(R9)

// func faultHandler() uintptr
TEXT ·faultHandler(SB), NOSPLIT, $0-8
	MOVD	$onFault<>(SB), R0
	MOVD	R0, ret+0(FP)
	RET
