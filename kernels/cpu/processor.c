/* What an x86 processor has, and what the system keeps of it between threads: a register file that is not saved cannot be used. Asked of the
 * processor itself (Intel's manual, volume 1, 13.2 and 14.3): __builtin_cpu_supports says the same, but not with every compiler's library. */
#include "internal.h"
#if AVSS_X86
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };

/* Leaf 1 says whether XGETBV may be called, and XCR0 then which registers the system saves. */
static uint32_t saved(void) {
  unsigned r[4];
  if (!__get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) || !(r[ECX] & 1u << 27)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* XCR0: SSE and AVX; with them opmask and both halves of ZMM; tile configuration and data. */
enum { VECTORS_256 = 3 << 1, VECTORS_512 = VECTORS_256 | 7 << 5, TILES = 3 << 17 };

/* Where each feature's bit is, and the registers that it needs. */
static const struct { uint32_t leaf, subleaf, word, bit, registers; } features[] = {
    [PROCESSOR_FMA] = {1, 0, ECX, 12, VECTORS_256},
    [PROCESSOR_F16C] = {1, 0, ECX, 29, VECTORS_256},
    [PROCESSOR_AVX2] = {7, 0, EBX, 5, VECTORS_256},
    [PROCESSOR_AVXVNNI] = {7, 1, EAX, 4, VECTORS_256},
    [PROCESSOR_AVX512F] = {7, 0, EBX, 16, VECTORS_512},
    [PROCESSOR_AVX512DQ] = {7, 0, EBX, 17, VECTORS_512},
    [PROCESSOR_AVX512BW] = {7, 0, EBX, 30, VECTORS_512},
    [PROCESSOR_AVX512VL] = {7, 0, EBX, 31, VECTORS_512},
    [PROCESSOR_AVX512VNNI] = {7, 0, ECX, 11, VECTORS_512},
    [PROCESSOR_AVX512BF16] = {7, 1, EAX, 5, VECTORS_512},
    [PROCESSOR_AMX_BF16] = {7, 0, EDX, 22, TILES},
    [PROCESSOR_AMX_TILE] = {7, 0, EDX, 24, TILES},
};

int processor_has(int feature) {
  unsigned r[4] = {0}, subleaves, unused;
  uint32_t registers = features[feature].registers, kept = saved();
#if defined(__APPLE__)
  /* macOS begins to save ZMM when a thread first uses it, and XCR0 says so only then. */
  if ((kept & VECTORS_256) == VECTORS_256) kept |= VECTORS_512;
#endif
  if ((kept & registers) != registers) return 0;
  if (features[feature].subleaf > 0 &&
      (!__get_cpuid_count(features[feature].leaf, 0, &subleaves, &unused, &unused, &unused) || subleaves < features[feature].subleaf))
    return 0;
  if (!__get_cpuid_count(features[feature].leaf, features[feature].subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) return 0;
  return (int)(r[features[feature].word] >> features[feature].bit & 1);
}
#endif
