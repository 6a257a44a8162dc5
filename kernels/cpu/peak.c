/* What the processor could do at most: products that never leave the registers, against which a run's figures are held. */
#ifndef BODY
#define BODY "peak.c"
#include "each_isa.h"
#else

TARGET void NAME(op_peak)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  avss_peak *p = (avss_peak *)arguments;
  enum { SUMS = LANES > 1 ? 12 : 48 }; /* enough that none waits; for the plain processor, enough vectors of the compiler's own */
  vf s[SUMS], x = v_set(0.999f), y = v_set(1e-9f), total = v_zero();
  (void)scratch;
  for (int i = 0; i < SUMS; i++) s[i] = v_set((float)i);
  for (int64_t job = from; job < to; job++)
    for (int64_t turn = 0; turn < 100000; turn++) {
#pragma GCC unroll 48
      for (int i = 0; i < SUMS; i++) s[i] = v_fma(s[i], x, y);
#if LANES > 4
      __asm__ volatile("" : "+x"(x), "+x"(y));
#endif
    }
  for (int i = 0; i < SUMS; i++) total = v_add(total, s[i]);
  p->sink = v_sum(total);
  p->flops = (int64_t)100000 * SUMS * LANES * 2;
}
#endif
