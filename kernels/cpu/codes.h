/* Words for the whole numbers in which block formats store their values: 32 of them, a byte each (ct), for one instruction set at a time.
 * Included behind vec.h.
 *   c_load(p)       32 bytes; c_store(p, c)
 *   c_nibbles(p)    16 bytes: their low halves, then their high halves
 *   c_field(c, at, mask)  bits of each byte, from bit `at` on
 *   c_bits(bits, value)   value where a bit is set, from the lowest on, else 0
 *   c_widen(c, w)   signed bytes as 32/LANES vectors of float32 */
#ifndef AVSS_CODES_H
#define AVSS_CODES_H
typedef struct {
  uint8_t at[32];
} codes_of_32; /* ct without vectors */
#endif
#undef ct
#if LANES == 16 || LANES == 8
#define ct __m256i
TARGET INLINE ct NAME(c_load)(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
TARGET INLINE void NAME(c_store)(uint8_t *p, ct c) { _mm256_storeu_si256((__m256i *)p, c); }
TARGET INLINE ct NAME(c_nibbles)(const uint8_t *p) {
  __m128i q = _mm_loadu_si128((const __m128i *)p);
  return _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(q), _mm_srli_epi16(q, 4), 1), _mm256_set1_epi8(15));
}
TARGET INLINE ct NAME(c_field)(ct c, const int at, const int mask) {
  return _mm256_and_si256(at ? _mm256_srli_epi16(c, at) : c, _mm256_set1_epi8((char)mask));
}
TARGET INLINE ct NAME(c_raise)(ct c, const int by) { return _mm256_slli_epi16(c, by); }
TARGET INLINE ct NAME(c_or)(ct a, ct b) { return _mm256_or_si256(a, b); }
TARGET INLINE ct NAME(c_less)(ct a, const int n) { return _mm256_sub_epi8(a, _mm256_set1_epi8((char)n)); }
TARGET INLINE ct NAME(c_bits)(uint32_t bits, const int value) {
  const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i each = _mm256_set1_epi64x((long long)0x8040201008040201);
  __m256i own = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread), each);
  return _mm256_and_si256(_mm256_cmpeq_epi8(own, each), _mm256_set1_epi8((char)value));
}
TARGET INLINE void NAME(c_widen)(ct c, vf *w) {
  const __m128i low = _mm256_castsi256_si128(c), high = _mm256_extracti128_si256(c, 1);
#if LANES == 16
  w[0] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(low));
  w[1] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(high));
#else
  w[0] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(low));
  w[1] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(low, low)));
  w[2] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(high));
  w[3] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(high, high)));
#endif
}

#elif LANES == 4
#define ct uint8x16x2_t
INLINE ct NAME(c_load)(const uint8_t *p) { return (ct){{vld1q_u8(p), vld1q_u8(p + 16)}}; }
INLINE void NAME(c_store)(uint8_t *p, ct c) {
  vst1q_u8(p, c.val[0]);
  vst1q_u8(p + 16, c.val[1]);
}
INLINE ct NAME(c_nibbles)(const uint8_t *p) {
  uint8x16_t q = vld1q_u8(p);
  return (ct){{vandq_u8(q, vdupq_n_u8(15)), vshrq_n_u8(q, 4)}};
}
INLINE ct NAME(c_field)(ct c, const int at, const int mask) {
  const int8x16_t by = vdupq_n_s8((int8_t)-at);
  const uint8x16_t m = vdupq_n_u8((uint8_t)mask);
  return (ct){{vandq_u8(vshlq_u8(c.val[0], by), m), vandq_u8(vshlq_u8(c.val[1], by), m)}};
}
INLINE ct NAME(c_raise)(ct c, const int by) {
  const int8x16_t n = vdupq_n_s8((int8_t)by);
  return (ct){{vshlq_u8(c.val[0], n), vshlq_u8(c.val[1], n)}};
}
INLINE ct NAME(c_or)(ct a, ct b) { return (ct){{vorrq_u8(a.val[0], b.val[0]), vorrq_u8(a.val[1], b.val[1])}}; }
INLINE ct NAME(c_less)(ct a, const int n) {
  const uint8x16_t by = vdupq_n_u8((uint8_t)n);
  return (ct){{vsubq_u8(a.val[0], by), vsubq_u8(a.val[1], by)}};
}
INLINE ct NAME(c_bits)(uint32_t bits, const int value) {
  const uint8x8_t each = vcreate_u8(0x8040201008040201), v = vdup_n_u8((uint8_t)value);
  uint8x8_t part[4];
  for (int i = 0; i < 4; i++) part[i] = vand_u8(vtst_u8(vdup_n_u8((uint8_t)(bits >> 8 * i)), each), v);
  return (ct){{vcombine_u8(part[0], part[1]), vcombine_u8(part[2], part[3])}};
}
INLINE void NAME(c_widen)(ct c, vf *w) {
  for (int i = 0; i < 2; i++) {
    const int8x16_t s = vreinterpretq_s8_u8(c.val[i]);
    const int16x8_t low = vmovl_s8(vget_low_s8(s)), high = vmovl_s8(vget_high_s8(s));
    w[4 * i] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    w[4 * i + 1] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(low)));
    w[4 * i + 2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    w[4 * i + 3] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)));
  }
}

#else
#define ct codes_of_32
INLINE ct NAME(c_load)(const uint8_t *p) {
  ct c;
  memcpy(c.at, p, 32);
  return c;
}
INLINE void NAME(c_store)(uint8_t *p, ct c) { memcpy(p, c.at, 32); }
INLINE ct NAME(c_nibbles)(const uint8_t *p) {
  ct c;
  for (int i = 0; i < 16; i++) c.at[i] = p[i] & 15, c.at[i + 16] = p[i] >> 4;
  return c;
}
INLINE ct NAME(c_field)(ct c, const int at, const int mask) {
  for (int i = 0; i < 32; i++) c.at[i] = (uint8_t)(c.at[i] >> at & mask);
  return c;
}
INLINE ct NAME(c_raise)(ct c, const int by) {
  for (int i = 0; i < 32; i++) c.at[i] = (uint8_t)(c.at[i] << by);
  return c;
}
INLINE ct NAME(c_or)(ct a, ct b) {
  for (int i = 0; i < 32; i++) a.at[i] |= b.at[i];
  return a;
}
INLINE ct NAME(c_less)(ct a, const int n) {
  for (int i = 0; i < 32; i++) a.at[i] = (uint8_t)(a.at[i] - n);
  return a;
}
INLINE ct NAME(c_bits)(uint32_t bits, const int value) {
  ct c;
  for (int i = 0; i < 32; i++) c.at[i] = (uint8_t)((bits >> i & 1) * (uint32_t)value);
  return c;
}
INLINE void NAME(c_widen)(ct c, vf *w) {
  for (int i = 0; i < 32; i++) w[i] = (float)(int8_t)c.at[i];
}
#endif
