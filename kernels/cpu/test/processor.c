/* What the processor says of itself, against what the compiler's own library makes of it. */
#include "check.h"

int main(void) {
#if AVSS_X86
  __builtin_cpu_init();
#define HAS(feature, name) EXPECT(processor_has(PROCESSOR_##feature), __builtin_cpu_supports(name) != 0, 0, "%s", name)
  HAS(FMA, "fma");
  HAS(F16C, "f16c");
  HAS(AVX2, "avx2");
  HAS(AVXVNNI, "avxvnni");
  HAS(AVX512F, "avx512f");
  HAS(AVX512DQ, "avx512dq");
  HAS(AVX512BW, "avx512bw");
  HAS(AVX512VL, "avx512vl");
  HAS(AVX512VNNI, "avx512vnni");
  HAS(AVX512BF16, "avx512bf16");
  HAS(AMX_BF16, "amx-bf16");
  HAS(AMX_TILE, "amx-tile");
#endif
  return failures > 0;
}
