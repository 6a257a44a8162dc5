/* The bfloat16 micro-kernel of AVX-512: VDPBF16PS adds two products a lane to a float32 sum. Operands lie in pairs of the inner
 * dimension: activations [k/2][rows] and weights [k/2][32] of 32-bit words; a panel of weights in bfloat16 is thus a transposition of
 * the file's own words. 14 × 32 tile, as for float32. */
#include "internal.h"
#if AVSS_X86
#include <immintrin.h>
#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,prfchw")))

BF16 INLINE void tile_bf16(const int rows, int64_t kc, const uint32_t *restrict a, const uint32_t *restrict b, const tile_output to) {
  __m512 s[14][2];
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++) {
    s[i][0] = s[i][1] = _mm512_setzero_ps();
    __builtin_prefetch(to.c + i * to.stride, 1, 3);
    __builtin_prefetch(to.c + i * to.stride + 16, 1, 3);
  }
  for (int64_t k = 0; k < kc; k += 2, a += rows, b += PANEL) {
    __m512bh b0 = (__m512bh)_mm512_loadu_si512(b), b1 = (__m512bh)_mm512_loadu_si512(b + 16);
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
      __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[i]);
      s[i][0] = _mm512_dpbf16_ps(s[i][0], x, b0);
      s[i][1] = _mm512_dpbf16_ps(s[i][1], x, b1);
    }
  }
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++) {
    float *d = to.c + i * to.stride;
    if (to.before) {
      const float *e = to.before + i * to.before_stride;
      s[i][0] = _mm512_add_ps(_mm512_loadu_ps(e), s[i][0]);
      s[i][1] = _mm512_add_ps(_mm512_loadu_ps(e + 16), s[i][1]);
    }
    _mm512_storeu_ps(d, s[i][0]);
    _mm512_storeu_ps(d + 16, s[i][1]);
  }
}
BF16 static void micro_bf16(int rows, int64_t kc, const void *a, const void *b, const tile_output *to) {
  switch (rows) {
#define ROWS(n)                                                                                                                           \
  case n: tile_bf16(n, kc, a, b, *to); break;
    ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#undef ROWS
  }
}

const product_isa product_avx512bf16 = {14, KC_BF16, 2, 1, 32 * 2, PANEL * KC_BF16 * 2, pack_x_bf16, pack_w_bf16, micro_bf16, 0, 0};

BF16 void op_peak_avx512bf16(const void *arguments, int64_t from, int64_t to, void *scratch) {
  avss_peak *p = (avss_peak *)arguments;
  enum { SUMS = 12 };
  if (!p->bf16) {
    op_peak_avx512(arguments, from, to, scratch);
    return;
  }
  __m512 s[SUMS];
  __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f7e3f7e), y = (__m512bh)_mm512_set1_epi32(0x3a833a83);
  for (int i = 0; i < SUMS; i++) s[i] = _mm512_set1_ps((float)i);
  for (int64_t job = from; job < to; job++)
    for (int64_t turn = 0; turn < 100000; turn++) {
#pragma GCC unroll 12
      for (int i = 0; i < SUMS; i++) s[i] = _mm512_dpbf16_ps(s[i], x, y);
      __asm__ volatile("" : "+x"(x), "+x"(y));
    }
  for (int i = 1; i < SUMS; i++) s[0] = _mm512_add_ps(s[0], s[i]);
  p->sink = _mm512_reduce_add_ps(s[0]);
  p->flops = (int64_t)100000 * SUMS * 16 * 4;
}
#endif
