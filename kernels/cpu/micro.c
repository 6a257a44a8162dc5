/* The float32 micro-kernels: a tile of c (rows × 32) becomes the product of a packed row panel a [k][rows] and a packed weight panel
 * b [k][32]. Each output is one chain of fused products from zero, in ascending k, then added to what `before` holds, which may be c itself
 * (or stored, where there is none): the same chain in every row count, so edge tiles have the bits of full ones, and AVX2, AVX-512 and
 * NEON have each other's.
 *
 *   AVX-512  14 × 32: 28 sums, 2 weights, broadcasts from memory: 31 of 32 registers
 *   AVX2      6 × 16, twice a panel: 12 sums, 2 weights, 1 broadcast: 15 of 16
 *   NEON      6 × 16, twice a panel: 24 sums, 4 weights, 2 × 4 activations by lane: 30 of 32
 *   scalar    4 × 8, four times a panel (unfused: the plain processor has no fused product) */
#include "internal.h"
#if AVSS_X86
#include <immintrin.h>
#endif
#if AVSS_ARM
#include <arm_neon.h>
#endif

#define F32_BYTES 32 * 4, PANEL * KC_F32 * 4

/* The same tile from column j on. */
INLINE tile_output shifted(tile_output to, int j) {
  to.c += j;
  if (to.before) to.before += j;
  return to;
}

/* Calls tile(rows, …) with rows known at compile time, so that every sum has its register. */
#define FEW(tile, ...)                                                                                                                    \
  case 1: tile(1, __VA_ARGS__); break;                                                                                                    \
  case 2: tile(2, __VA_ARGS__); break;                                                                                                    \
  case 3: tile(3, __VA_ARGS__); break;                                                                                                    \
  case 4: tile(4, __VA_ARGS__); break;
#define SIX(tile, ...)                                                                                                                    \
  FEW(tile, __VA_ARGS__)                                                                                                                  \
  case 5: tile(5, __VA_ARGS__); break;                                                                                                    \
  case 6: tile(6, __VA_ARGS__); break;
#define FOURTEEN(tile, ...)                                                                                                               \
  SIX(tile, __VA_ARGS__)                                                                                                                  \
  case 7: tile(7, __VA_ARGS__); break;                                                                                                    \
  case 8: tile(8, __VA_ARGS__); break;                                                                                                    \
  case 9: tile(9, __VA_ARGS__); break;                                                                                                    \
  case 10: tile(10, __VA_ARGS__); break;                                                                                                  \
  case 11: tile(11, __VA_ARGS__); break;                                                                                                  \
  case 12: tile(12, __VA_ARGS__); break;                                                                                                  \
  case 13: tile(13, __VA_ARGS__); break;                                                                                                  \
  case 14: tile(14, __VA_ARGS__); break;

INLINE void tile_scalar(const int rows, int64_t kc, const float *restrict a, const float *restrict b, const tile_output to) {
  float sum[4][8] = {{0}};
  for (int64_t k = 0; k < kc; k++, a += rows, b += PANEL)
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < 8; j++) sum[i][j] += a[i] * b[j];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 8; j++) to.c[i * to.stride + j] = to.before ? to.before[i * to.before_stride + j] + sum[i][j] : sum[i][j];
}
static void micro_scalar(int rows, int64_t kc, const void *a, const void *b, const tile_output *to) {
  for (int j = 0; j < PANEL; j += 8) switch (rows) { FEW(tile_scalar, kc, a, (const float *)b + j, shifted(*to, j)) }
}
const product_isa product_scalar = {4, KC_F32, 1, 0, F32_BYTES, pack_x_scalar, pack_w_scalar, micro_scalar, 0, 0};

#if AVSS_X86
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,prfchw")))

AVX2 INLINE void tile_avx2(const int rows, int64_t kc, const float *restrict a, const float *restrict b, const tile_output to) {
  __m256 s[6][2];
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) s[i][0] = s[i][1] = _mm256_setzero_ps();
  for (int64_t k = 0; k < kc; k++, a += rows, b += PANEL) {
    __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
      __m256 x = _mm256_broadcast_ss(a + i);
      s[i][0] = _mm256_fmadd_ps(x, b0, s[i][0]);
      s[i][1] = _mm256_fmadd_ps(x, b1, s[i][1]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) {
    float *d = to.c + i * to.stride;
    if (to.before) {
      const float *e = to.before + i * to.before_stride;
      s[i][0] = _mm256_add_ps(_mm256_loadu_ps(e), s[i][0]);
      s[i][1] = _mm256_add_ps(_mm256_loadu_ps(e + 8), s[i][1]);
    }
    _mm256_storeu_ps(d, s[i][0]);
    _mm256_storeu_ps(d + 8, s[i][1]);
  }
}
AVX2 static void micro_avx2(int rows, int64_t kc, const void *a, const void *b, const tile_output *to) {
  for (int j = 0; j < PANEL; j += 16) switch (rows) { SIX(tile_avx2, kc, a, (const float *)b + j, shifted(*to, j)) }
}
const product_isa product_avx2 = {6, KC_F32, 1, 0, F32_BYTES, pack_x_avx2, pack_w_avx2, micro_avx2, 0, 0};

AVX512 INLINE void tile_avx512(const int rows, int64_t kc, const float *restrict a, const float *restrict b, const tile_output to) {
  __m512 s[14][2];
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++) {
    s[i][0] = s[i][1] = _mm512_setzero_ps();
    __builtin_prefetch(to.c + i * to.stride, 1, 3);
    __builtin_prefetch(to.c + i * to.stride + 16, 1, 3);
  }
  for (int64_t k = 0; k < kc; k++, a += rows, b += PANEL) {
    __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
    _mm_prefetch((const char *)(a + 256), _MM_HINT_T0);
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
      __m512 x = _mm512_set1_ps(a[i]);
      s[i][0] = _mm512_fmadd_ps(x, b0, s[i][0]);
      s[i][1] = _mm512_fmadd_ps(x, b1, s[i][1]);
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
AVX512 static void micro_avx512(int rows, int64_t kc, const void *a, const void *b, const tile_output *to) {
  switch (rows) { FOURTEEN(tile_avx512, kc, a, b, *to) }
}
const product_isa product_avx512 = {14, KC_F32, 1, 0, F32_BYTES, pack_x_avx512, pack_w_avx512, micro_avx512, 0, 0};
#endif

#if AVSS_ARM
INLINE void tile_neon(const int rows, int64_t kc, const float *restrict a, const float *restrict b, const tile_output to) {
  float32x4_t s[6][4];
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) s[i][0] = s[i][1] = s[i][2] = s[i][3] = vdupq_n_f32(0);
  for (int64_t k = 0; k < kc; k++, a += rows, b += PANEL) {
    float32x4_t w[4] = {vld1q_f32(b), vld1q_f32(b + 4), vld1q_f32(b + 8), vld1q_f32(b + 12)};
    if (rows == 6) {
      float32x4_t x = vld1q_f32(a);
      float32x2_t y = vld1_f32(a + 4);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        s[0][j] = vfmaq_laneq_f32(s[0][j], w[j], x, 0);
        s[1][j] = vfmaq_laneq_f32(s[1][j], w[j], x, 1);
        s[2][j] = vfmaq_laneq_f32(s[2][j], w[j], x, 2);
        s[3][j] = vfmaq_laneq_f32(s[3][j], w[j], x, 3);
        s[4][j] = vfmaq_lane_f32(s[4][j], w[j], y, 0);
        s[5][j] = vfmaq_lane_f32(s[5][j], w[j], y, 1);
      }
    } else {
#pragma GCC unroll 6
      for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) s[i][j] = vfmaq_n_f32(s[i][j], w[j], a[i]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      float *d = to.c + i * to.stride + 4 * j;
      vst1q_f32(d, to.before ? vaddq_f32(vld1q_f32(to.before + i * to.before_stride + 4 * j), s[i][j]) : s[i][j]);
    }
}
static void micro_neon(int rows, int64_t kc, const void *a, const void *b, const tile_output *to) {
  for (int j = 0; j < PANEL; j += 16) switch (rows) { SIX(tile_neon, kc, a, (const float *)b + j, shifted(*to, j)) }
}
const product_isa product_neon = {6, KC_F32, 1, 0, F32_BYTES, pack_x_neon, pack_w_neon, micro_neon, 0, 0};
#endif
