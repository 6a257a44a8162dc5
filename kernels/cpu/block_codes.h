/* The whole numbers of which stored blocks are made, 32 at a time (ct), and their factors, a type a function, for one instruction set at a time.
 * Included behind vec.h. A value is scale·(code − ABOVE) + offset, where the type has offsets; Q8_0's codes are signed bytes. */
#ifndef AVSS_BLOCK_CODES_H
#define AVSS_BLOCK_CODES_H

/* By how much codes are too large, as a power of two; 0: they are right. */
enum { Q4_0_ABOVE = 3, Q5_0_ABOVE = 4, Q8_0_ABOVE = 7, Q3_K_ABOVE = 2, Q6_K_ABOVE = 5 };
#endif

#include "codes.h"

/* Half precision, widened by the processor where it can. */
TARGET INLINE float NAME(half_of)(const uint8_t *p) {
#if LANES == 8 || LANES == 16
  uint16_t h;
  memcpy(&h, p, 2);
  return _cvtsh_ss(h);
#else
  return half(p);
#endif
}

/* The factors with which n ≤ 8 blocks of `bytes` bytes begin, one half or two, widened; absent ones are zero. */
TARGET INLINE void NAME(factors)(const uint8_t *b, const int bytes, int n, const int two, float *d, float *m) {
#if LANES == 8 || LANES == 16
  const __m256i at = _mm256_setr_epi32(0, bytes, 2 * bytes, 3 * bytes, 4 * bytes, 5 * bytes, 6 * bytes, 7 * bytes);
  __m256i both;
  if (n == 8) {
    both = _mm256_i32gather_epi32((const int *)b, at, 1);
  } else {
    const __m256i present = _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    both = _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), (const int *)b, at, present, 1);
  }
  /* the first halves of a lane's words, then the second */
  const __m128i apart = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  both = _mm256_shuffle_epi8(both, _mm256_broadcastsi128_si256(apart));
  const __m128i low = _mm256_castsi256_si128(both), high = _mm256_extracti128_si256(both, 1);
  _mm256_storeu_ps(d, _mm256_cvtph_ps(_mm_unpacklo_epi64(low, high)));
  if (two) _mm256_storeu_ps(m, _mm256_cvtph_ps(_mm_unpackhi_epi64(low, high)));
#else
  for (int j = 0; j < 8; j++) {
    d[j] = j < n ? half(b + j * bytes) : 0;
    if (two) m[j] = j < n ? half(b + j * bytes + 2) : 0;
  }
#endif
}

/* The codes of one of the blocks of 32 that begin at byte b, or of the parts of a block of 256: number 2·part + k, or 4·part + k where four of them
 * share bytes (Q2_K, Q3_K, Q6_K). */
#define CODES(name) TARGET INLINE ct NAME(codes_##name)(const uint8_t *b, int part, const int k)
CODES(q4_0) { return NAME(c_nibbles)(b + 18 * (2 * part + k) + 2); }
CODES(q4_1) { return NAME(c_nibbles)(b + 20 * (2 * part + k) + 4); }
CODES(q5_0) {
  b += 22 * (2 * part + k) + 2;
  return NAME(c_or)(NAME(c_nibbles)(b + 4), NAME(c_bits)(word_at(b), 16));
}
CODES(q5_1) {
  b += 24 * (2 * part + k) + 4;
  return NAME(c_or)(NAME(c_nibbles)(b + 4), NAME(c_bits)(word_at(b), 16));
}
CODES(q8_0) { return NAME(c_load)(b + 34 * (2 * part + k) + 2); }
CODES(q2_k) { return NAME(c_field)(NAME(c_load)(b + 16 + 32 * part), 2 * k, 3); }
CODES(q3_k) {
  const ct low = NAME(c_field)(NAME(c_load)(b + 32 + 32 * part), 2 * k, 3);
  return NAME(c_or)(low, NAME(c_raise)(NAME(c_field)(NAME(c_load)(b), 4 * part + k, 1), 2));
}
CODES(q4_k) { return NAME(c_field)(NAME(c_load)(b + 16 + 32 * part), 4 * k, 15); }
CODES(q5_k) {
  const ct low = NAME(c_field)(NAME(c_load)(b + 48 + 32 * part), 4 * k, 15);
  return NAME(c_or)(low, NAME(c_raise)(NAME(c_field)(NAME(c_load)(b + 16), 2 * part + k, 1), 4));
}
CODES(q6_k) { /* 128 values have 64 bytes of low halves and 32 of high bits */
  const ct low = NAME(c_field)(NAME(c_load)(b + 64 * part + k % 2 * 32), k / 2 * 4, 15);
  return NAME(c_or)(low, NAME(c_raise)(NAME(c_field)(NAME(c_load)(b + 128 + 32 * part), 2 * k, 3), 4));
}
#undef CODES

/* The scales, and offsets, of a block of 256 that begins at byte b: of its eighths, or of its sixteenths (Q2_K, Q3_K, Q6_K). */
#define SCALES(name) TARGET INLINE void NAME(scales_##name)(const uint8_t *b, float *scale, float *offset)
SCALES(q2_k) {
  const float d = NAME(half_of)(b + 80), low = NAME(half_of)(b + 82);
  for (int i = 0; i < 16; i++) scale[i] = d * (float)(b[i] & 15), offset[i] = -(low * (float)(b[i] >> 4));
}
SCALES(q3_k) {
  const float d = NAME(half_of)(b + 108);
  int8_t codes[16];
  six_bit_scales(b + 96, codes);
  for (int i = 0; i < 16; i++) scale[i] = d * (float)codes[i];
  (void)offset;
}
SCALES(q4_k) {
  const float d = NAME(half_of)(b), low = NAME(half_of)(b + 2);
  uint64_t codes, minima;
  scales_and_minima(b + 4, &codes, &minima);
  for (int j = 0; j < 8; j++) scale[j] = d * (float)(uint8_t)(codes >> 8 * j), offset[j] = -(low * (float)(uint8_t)(minima >> 8 * j));
}
SCALES(q6_k) {
  const float d = NAME(half_of)(b + 208);
  for (int i = 0; i < 16; i++) scale[i] = d * (float)(int8_t)b[192 + i];
  (void)offset;
}
#undef SCALES
