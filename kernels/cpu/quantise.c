/* Activations as 8-bit integers, for products with weights stored in blocks (product_few_int8.c, micro_int8.c). A block of 32 neighbours has
 * one scale: the largest magnitude over 127; a value becomes the nearest whole multiple of it, ties to even. A scale below the smallest normal
 * float32 makes the block zero; a value that is no finite number makes its scale no number, and so whatever the row takes part in.
 * engine/device/int8.go says the same in Go. */
#ifndef BODY
#include "internal.h"

#define BODY "quantise.c"
#include "each_isa.h"
#else

/* The scale of 32 values. */
TARGET INLINE float NAME(scale_of)(const float *x) {
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
TARGET INLINE void NAME(codes_of)(const float *x, float inverse, int8_t *codes, int32_t *less) {
#if LANES == 16 || LANES == 8
  const __m256 by = _mm256_set1_ps(inverse);
  __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), by)), b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), by));
  __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), by)), d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), by));
  a = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d)); /* fours of a, b, c, d, first the lower halves' */
  a = _mm256_permutevar8x32_epi32(a, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256((__m256i *)codes, a);
  a = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), a), _mm256_set1_epi16(-1));
  _mm256_storeu_si256((__m256i *)less, a);
#elif LANES == 4
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

/* n values, whole blocks, into as many groups as they fill. */
TARGET void NAME(quantise_run)(const float *x, int64_t n, quantised *to) {
  memset(to, 0, (size_t)((n + GROUP - 1) / GROUP) * sizeof *to);
  for (int64_t b = 0; b < n / 32; b++, x += 32) {
    quantised *of = to + b / 8;
    const int at = (int)(b % 8);
    const float scale = NAME(scale_of)(x);
    if (scale > 0) NAME(codes_of)(x, 1 / scale, of->code + 32 * at, of->less + 8 * at);
    int32_t sum[2] = {0, 0};
    for (int i = 0; i < 8; i++) sum[i / 4] -= of->less[8 * at + i];
    of->scale[at] = scale;
    of->sum[at] = scale * (float)(sum[0] + sum[1]);
    for (int i = 0; i < 2; i++) {
      of->half_scale[2 * at + i] = scale;
      of->half_sum[2 * at + i] = scale * (float)sum[i];
    }
  }
}

TARGET void NAME(op_quantise)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_quantise *a = arguments;
  (void)scratch;
  for (int64_t row = from; row < to; row++)
    NAME(quantise_run)(a->x.data + row * a->x.stride, a->x.cols, (quantised *)a->quantised + row * ((a->x.cols + GROUP - 1) / GROUP));
}
#endif
