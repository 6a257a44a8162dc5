// What libcuda.so.1 of the PTX machine exports beyond the driver's functions. Plain C; look them up with dlsym, so that a
// program runs unchanged where the real driver is.
#ifndef PTXMACHINE_H
#define PTXMACHINE_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// 1: the interface described here.
int ptxmachineVersion(void);

// Sets one switch, "name=value" (README.md lists them). 0, or 1 where the switch or its value is unknown.
int ptxmachineOption(const char* assignment);

// How many findings since the last clear, counting repetitions. kind: "memcheck", "initcheck", "racecheck", "synccheck",
// "trap", or NULL for all.
uint64_t ptxmachineFindings(const char* kind);

// Forgets findings and counters, and that a launch has failed.
void ptxmachineClear(void);

// The findings, one a line, each "kind: count: text", then for every kernel that ran its counters. Writes at most n bytes
// with the closing zero and returns the length of the whole text; call with n = 0 to ask for it.
size_t ptxmachineReport(char* text, size_t n);

// The findings alone.
size_t ptxmachineFindingsText(char* text, size_t n);

typedef struct {
  uint64_t requests;  // by warps
  uint64_t bytes;     // asked for by lanes
  uint64_t units;     // 32-byte sectors of global memory, or wavefronts of shared memory
  uint64_t least;     // units that the same bytes need at least
  uint64_t fresh;     // sectors of global memory that the block had not read, or not written, before; counted with the switch fresh
} ptxmachineTraffic;

typedef struct {
  uint64_t launches, blocks;
  uint64_t warpInstructions, threadInstructions;
  // tensor, fma, float, special, integer, move, global, shared, async copy, other memory, atomic, warp-wide, barrier, control
  uint64_t byClass[14];
  uint64_t tensorMultiplyAdds;
  uint64_t barriers;
  ptxmachineTraffic globalLoad, globalStore, globalAsync, sharedLoad, sharedStore, sharedAsync;
  uint32_t instructions, executedInstructions;  // of the program; how many of them ran at all
  uint32_t registers;                           // 32-bit values live at once: a lower bound for an assembler
  uint32_t staticShared, localBytes;
  double seconds;
} ptxmachineKernelCounters;

// Sums over all kernels of that name since the last clear. 0, or 1 where no kernel of that name is loaded.
int ptxmachineCounters(const char* kernel, ptxmachineKernelCounters* counters);

typedef struct {
  uint32_t line;  // of the PTX text
  uint32_t kind;  // index into byClass
  uint64_t executed, lanes;
  ptxmachineTraffic global, shared;
} ptxmachineLine;

// The instructions of a kernel that ran, in the order of the program; several may share a line. Writes at most n entries
// and returns how many there are. For a test that plants faults: only lines listed here ran.
size_t ptxmachineLines(const char* kernel, ptxmachineLine* lines, size_t n);

#ifdef __cplusplus
}
#endif
#endif
