/* Activations as 8-bit integers, for products with weights stored in blocks (product_few_int8.c, micro_int8.c). A block of 32 neighbours has
 * one scale: the largest magnitude over 127; a value becomes the nearest whole multiple of it, ties to even. A scale below the smallest normal
 * float32 makes the block zero; a value that is no finite number makes its scale no number, and so whatever the row takes part in.
 * engine/device/int8.go says the same in Go. */
#ifndef BODY
#include "internal.h"

#define BODY "quantise.c"
#include "each_isa.h"
#else

#if LANES == 16 || LANES == 8
/* Eight vectors of eight become one: lane i has the greatest, or the sum, of vector i; with `sum` these stand apart for lanes 0–3 and 4–7. */
#define FOLD_FOUR(op, t, v, i)                                                                                                            \
  do {                                                                                                                                    \
    const __m256i a = op(_mm256_unpacklo_epi32(v[i], v[i + 1]), _mm256_unpackhi_epi32(v[i], v[i + 1]));                                   \
    const __m256i b = op(_mm256_unpacklo_epi32(v[i + 2], v[i + 3]), _mm256_unpackhi_epi32(v[i + 2], v[i + 3]));                           \
    t = op(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));                                                                     \
  } while (0)
#define FOLD(op, v, low, high)                                                                                                            \
  do {                                                                                                                                    \
    __m256i first, last;                                                                                                                  \
    FOLD_FOUR(op, first, v, 0);                                                                                                           \
    FOLD_FOUR(op, last, v, 4);                                                                                                            \
    low = _mm256_permute2x128_si256(first, last, 0x20);                                                                                   \
    high = _mm256_permute2x128_si256(first, last, 0x31);                                                                                  \
  } while (0)

/* 32 values as whole multiples of 1/inverse, and minus the sums of four neighbours each, which are returned too. */
TARGET INLINE __m256i NAME(codes_of)(const float *x, float inverse, int8_t *codes, int32_t *less) {
  const __m256 by = _mm256_set1_ps(inverse);
  __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), by)), b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), by));
  __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), by)), d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), by));
  a = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d)); /* fours of a, b, c, d, first the lower halves' */
  a = _mm256_permutevar8x32_epi32(a, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256((__m256i *)codes, a);
  a = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), a), _mm256_set1_epi16(-1));
  _mm256_storeu_si256((__m256i *)less, a);
  return a;
}

/* Up to eight blocks. Magnitudes are compared as bits, in whose order numbers that are not finite come last. */
TARGET static void NAME(quantise_group)(const float *x, int blocks, quantised *to, int32_t *half_less) {
  const __m256i positive = _mm256_set1_epi32(0x7fffffff);
  __m256i v[8], low, high;
  for (int b = 0; b < 8; b++) {
    v[b] = _mm256_setzero_si256();
    for (int i = 0; b < blocks && i < 32; i += 8)
      v[b] = _mm256_max_epi32(v[b], _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + 32 * b + i)), positive));
  }
  FOLD(_mm256_max_epi32, v, low, high);
  const __m256i largest = _mm256_max_epi32(low, high);
  __m256 scale = _mm256_div_ps(_mm256_castsi256_ps(largest), _mm256_set1_ps(127));
  scale = _mm256_andnot_ps(_mm256_cmp_ps(scale, _mm256_set1_ps(1.17549435e-38f), _CMP_LT_OQ), scale);
  scale = _mm256_blendv_ps(scale, _mm256_set1_ps(NAN), _mm256_castsi256_ps(_mm256_cmpgt_epi32(largest, _mm256_set1_epi32(0x7f7fffff))));
  const int there = _mm256_movemask_ps(_mm256_cmp_ps(scale, _mm256_setzero_ps(), _CMP_GT_OQ));
  float inverse[8];
  _mm256_storeu_ps(inverse, _mm256_div_ps(_mm256_set1_ps(1), scale));
  for (int b = 0; b < 8; b++) {
    if (there >> b & 1) {
      v[b] = NAME(codes_of)(x + 32 * b, inverse[b], to->code + 32 * b, to->less + 8 * b);
    } else {
      v[b] = _mm256_setzero_si256();
      _mm256_storeu_si256((__m256i *)(to->code + 32 * b), v[b]);
      _mm256_storeu_si256((__m256i *)(to->less + 8 * b), v[b]);
    }
  }
  FOLD(_mm256_add_epi32, v, low, high);
  /* scales and sums of blocks, then of halves, which stand first and last in turn */
  const __m256i none = _mm256_setzero_si256();
  _mm256_storeu_ps(to->scale, scale);
  _mm256_storeu_ps(to->sum, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_sub_epi32(none, _mm256_add_epi32(low, high)))));
  for (int half = 0; half < 2; half++) {
    const __m256i turn = half ? _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7) : _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    const __m256i a = _mm256_permutevar8x32_epi32(low, turn), b = _mm256_permutevar8x32_epi32(high, turn);
    const __m256i less = _mm256_blend_epi32(a, b, 0xaa);
    const __m256 scales = _mm256_permutevar8x32_ps(scale, turn);
    _mm256_storeu_ps(to->half_scale + 8 * half, scales);
    _mm256_storeu_ps(to->half_sum + 8 * half, _mm256_mul_ps(scales, _mm256_cvtepi32_ps(_mm256_sub_epi32(none, less))));
    if (half_less) _mm256_storeu_si256((__m256i *)(half_less + 8 * half), less);
  }
}
#else
/* The scale of 32 values. */
INLINE float NAME(scale_of)(const float *x) {
  vf largest = v_zero(), spoiled = v_zero();
  for (int i = 0; i < 32; i += LANES) {
    const vf v = v_load(x + i);
    largest = v_max(largest, v_abs(v));
    spoiled = v_fma(v, v_zero(), spoiled);
  }
  if (v_sum(spoiled) != 0) return NAN;
  const float scale = v_highest(largest) / 127;
  return scale < 1.17549435e-38f ? 0 : scale;
}

/* 32 values as whole multiples of 1/inverse, and minus the sums of four neighbours each. */
INLINE void NAME(codes_of)(const float *x, float inverse, int8_t *codes, int32_t *less) {
#if LANES == 4
  for (int i = 0; i < 32; i += 16) {
    int16x8_t half[2];
    for (int j = 0; j < 2; j++) {
      const float32x4_t low = vmulq_n_f32(vld1q_f32(x + i + 8 * j), inverse), high = vmulq_n_f32(vld1q_f32(x + i + 8 * j + 4), inverse);
      half[j] = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(low)), vqmovn_s32(vcvtnq_s32_f32(high)));
    }
    const int8x16_t c = vcombine_s8(vqmovn_s16(half[0]), vqmovn_s16(half[1]));
    vst1q_s8(codes + i, c);
    vst1q_s32(less + i / 4, vnegq_s32(vpaddlq_s16(vpaddlq_s8(c))));
  }
#else
  for (int i = 0; i < 32; i++) codes[i] = (int8_t)v_round(x[i] * inverse);
  for (int i = 0; i < 8; i++) less[i] = -(codes[4 * i] + codes[4 * i + 1] + codes[4 * i + 2] + codes[4 * i + 3]);
#endif
}

/* Up to eight blocks. */
static void NAME(quantise_group)(const float *x, int blocks, quantised *to, int32_t *half_less) {
  memset(to, 0, sizeof *to);
  for (int b = 0; b < blocks; b++, x += 32) {
    const float scale = NAME(scale_of)(x);
    if (scale > 0) NAME(codes_of)(x, 1 / scale, to->code + 32 * b, to->less + 8 * b);
    int32_t sum[2] = {0, 0};
    for (int i = 0; i < 8; i++) sum[i / 4] -= to->less[8 * b + i];
    to->scale[b] = scale;
    to->sum[b] = scale * (float)(sum[0] + sum[1]);
    for (int i = 0; i < 2; i++) {
      to->half_scale[2 * b + i] = scale;
      to->half_sum[2 * b + i] = scale * (float)sum[i];
      if (half_less) half_less[2 * b + i] = -sum[i];
    }
  }
}
#endif

/* n values, whole blocks, into as many groups as they fill; and minus the sums of the codes of every half block, unless NULL. */
TARGET void NAME(quantise_run)(const float *x, int64_t n, quantised *to, int32_t *half_less) {
  for (int64_t i = 0; i < n; i += GROUP, to++) {
    NAME(quantise_group)(x + i, (int)least(8, (n - i) / 32), to, half_less);
    if (half_less) half_less += GROUP / 16;
  }
}

TARGET void NAME(op_quantise)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_quantise *a = arguments;
  (void)scratch;
  for (int64_t row = from; row < to; row++)
    NAME(quantise_run)(a->x.data + row * a->x.stride, a->x.cols, (quantised *)a->quantised + row * ((a->x.cols + GROUP - 1) / GROUP), 0);
}
#undef FOLD
#undef FOLD_FOUR
#endif
