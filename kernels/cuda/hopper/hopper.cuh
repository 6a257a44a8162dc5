// What Hopper (compute capability 9.0) adds to the dialect of prims.cuh: barriers in shared memory that count bytes, tensor copies (TMA),
// products of a whole warpgroup (wgmma) and registers that move between warpgroups. PTX ISA 8.0: "cp.async.bulk.tensor", "mbarrier",
// "Asynchronous Warpgroup Level Matrix Instructions", "setmaxnreg".
#pragma once
#include "../prims.cuh"

// TensorMap is what cuTensorMapEncodeTiled writes: opaque, passed by value.
struct __align__(64) TensorMap {
  u8 bytes[128];
};

// PARAMETER_ADDRESS is the address of a kernel's parameter where the launch put it. A tensor copy wants it there; C++ would hand over the
// address of a copy (clang knows no __grid_constant__). The names of parameters in PTX are the same by clang and nvcc.
#define PARAMETER_ADDRESS(address, kernel, index) \
  asm("{ .reg .b64 at; mov.b64 at, " #kernel "_param_" #index "; cvta.param.u64 %0, at; }" : "=l"(address))

DEVICE void tensor_map_prefetch(u64 map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }

// An mbarrier is eight bytes of shared memory. It goes on to its next phase when so many have arrived and all expected bytes are there.
DEVICE void mbarrier_make(u32 barrier, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
// Makes new mbarriers known to the copy engine. The other threads learn of them by a barrier.
DEVICE void mbarrier_made() {
  asm volatile("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory");
}
DEVICE void mbarrier_arrive(u32 barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory"); }
DEVICE void mbarrier_arrive_expect(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
// Waits for the end of the phase of this parity; the one before the first counts as ended. A wait of more than ten seconds never ends (a copy
// takes microseconds, what other programs are given of the device milliseconds): the kernel fails instead of hanging the device. How long a try
// lasts is the hardware's own affair, so that tries say nothing; the clock is read once a try has failed.
DEVICE void mbarrier_wait(u32 barrier, u32 parity) {
  asm volatile("{\n\t.reg .pred done; .reg .b64 began, now;\n\tmov.b64 began, 0;\n\t"
               "WAIT:\n\tmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n\t@done bra DONE;\n\t"
               "mov.u64 now, %%globaltimer;\n\tsetp.eq.u64 done, began, 0;\n\t@done mov.b64 began, now;\n\t"
               "sub.u64 now, now, began;\n\tsetp.lt.u64 done, now, 10000000000;\n\t@done bra WAIT;\n\ttrap;\n\tDONE:\n\t}" ::"r"(barrier),
               "r"(parity)
               : "memory");
}

// tensor_copy brings the box of a matrix that begins at (column, row) to shared memory, what lies outside the matrix as zeros, and counts
// the box's bytes at the mbarrier.
DEVICE void tensor_copy(u32 to, u64 map, int column, int row, u32 barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(to), "l"(map),
               "r"(column), "r"(row), "r"(barrier)
               : "memory");
}

// The warpgroup's registers a thread, from here on; every thread of it executes the same one.
template <int n> DEVICE void registers_more() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(n)); }
template <int n> DEVICE void registers_less() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(n)); }

// tile_descriptor describes rows of 64 values of k (128 bytes, as the tensor copy wrote them: 16-byte pieces exchanged within eight rows)
// to wgmma: eight rows take 1024 bytes, and the tile begins at a multiple of that. 32 bytes further are the next 16 of k.
DEVICE u64 tile_descriptor(u32 address) { return (u64)1 << 62 | (u64)(1024 >> 4) << 32 | (u64)1 << 16 | (address >> 4 & 0x3fff); }

// The operands of the asm statements below: 4, 16 and 64 sums.
#define SUMS_4(c, j) "+f"(c[j][0]), "+f"(c[j][1]), "+f"(c[j][2]), "+f"(c[j][3])
#define SUMS_16(c, j) SUMS_4(c, j), SUMS_4(c, j + 1), SUMS_4(c, j + 2), SUMS_4(c, j + 3)
#define SUMS_64(c, j) SUMS_16(c, j), SUMS_16(c, j + 4), SUMS_16(c, j + 8), SUMS_16(c, j + 12)
#define NAMES_64                                                                                                                            \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"                  \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define NAMES_128                                                                                                                           \
  NAMES_64 ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95," \
  "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,"     \
  "%123,%124,%125,%126,%127"

// One statement holds the four products of a piece, the commit and the wait for the piece before, so that no compiler puts anything between
// that would touch the sums while the tensor cores own them.
#define MULTIPLY_16(columns, names) "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32.bf16.bf16 {" names "}, a, b, yes, 1, 1, 0, 0;\n\t"
#define NEXT_16 "add.s64 a, a, 2; add.s64 b, b, 2;\n\t"
#define MULTIPLY_64(columns, names, a, b)                                                                                                   \
  "{\n\t.reg .b64 a, b; .reg .pred yes;\n\tmov.b64 a, " a "; mov.b64 b, " b "; setp.eq.u32 yes, 0, 0;\n\t"                                   \
  "wgmma.fence.sync.aligned;\n\t" MULTIPLY_16(columns, names) NEXT_16 MULTIPLY_16(columns, names) NEXT_16 MULTIPLY_16(columns, names)        \
  NEXT_16 MULTIPLY_16(columns, names) "wgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 1;\n\t}"

// warpgroup_multiply is c += a·bᵀ over 64 of k, a [64 × 64] and b [8·J × 64] in shared memory, c [64 × 8·J]: warp w of the warpgroup holds
// rows 16·w to 16·w+15, its lanes what multiply_add's hold. The products of the call before have ended; those of this call may go on.
DEVICE void warpgroup_multiply(float (&c)[16][4], u64 a, u64 b) {
  asm volatile(MULTIPLY_64("128", NAMES_64, "%64", "%65") : SUMS_64(c, 0) : "l"(a), "l"(b) : "memory");
}
DEVICE void warpgroup_multiply(float (&c)[32][4], u64 a, u64 b) {
  asm volatile(MULTIPLY_64("256", NAMES_128, "%128", "%129") : SUMS_64(c, 0), SUMS_64(c, 16) : "l"(a), "l"(b) : "memory");
}
// warpgroup_wait waits for all products; only then may the sums be read.
DEVICE void warpgroup_wait(float (&c)[16][4]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : SUMS_64(c, 0)::"memory"); }
DEVICE void warpgroup_wait(float (&c)[32][4]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : SUMS_64(c, 0), SUMS_64(c, 16)::"memory"); }
