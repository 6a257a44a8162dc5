/* Where the block formats of GGUF keep their factors (ggml-quants.c describes them). */
#ifndef AVSS_BLOCKS_H
#define AVSS_BLOCKS_H
#include "internal.h"
#include <string.h>

/* A half at p, widened. */
static inline float half(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, 2);
  return half_value(h);
}

/* The 6-bit scale and minimum j of a Q4_K or Q5_K block, whose twelve bytes of them begin at q. */
static inline void scale_min(int j, const uint8_t *q, uint8_t *d, uint8_t *m) {
  if (j < 4) {
    *d = q[j] & 63;
    *m = q[j + 4] & 63;
  } else {
    *d = (uint8_t)((q[j + 4] & 0xF) | ((q[j - 4] >> 6) << 4));
    *m = (uint8_t)((q[j + 4] >> 4) | ((q[j] >> 6) << 4));
  }
}

static inline uint32_t word_at(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

/* All eight of them, a byte each: four bytes at a time. */
static inline void scales_and_minima(const uint8_t *q, uint64_t *scales, uint64_t *minima) {
  const uint32_t a = word_at(q), b = word_at(q + 4), c = word_at(q + 8);
  *scales = (a & 0x3f3f3f3f) | (uint64_t)((c & 0x0f0f0f0f) | (a & 0xc0c0c0c0) >> 2) << 32;
  *minima = (b & 0x3f3f3f3f) | (uint64_t)((c >> 4 & 0x0f0f0f0f) | (b & 0xc0c0c0c0) >> 2) << 32;
}

/* The types whose values are made of whole numbers, as the products by integers take them: X(type, name). */
#define EACH_CODED_TYPE(X)                                                                                                                \
  X(AVSS_Q4_0, q4_0)                                                                                                                      \
  X(AVSS_Q4_1, q4_1)                                                                                                                      \
  X(AVSS_Q5_0, q5_0)                                                                                                                      \
  X(AVSS_Q5_1, q5_1)                                                                                                                      \
  X(AVSS_Q8_0, q8_0)                                                                                                                      \
  X(AVSS_Q2_K, q2_k)                                                                                                                      \
  X(AVSS_Q3_K, q3_k)                                                                                                                      \
  X(AVSS_Q4_K, q4_k)                                                                                                                      \
  X(AVSS_Q5_K, q5_k)                                                                                                                      \
  X(AVSS_Q6_K, q6_k)

/* The sixteen 6-bit scales of a Q3_K block, whose twelve bytes of them begin at q. */
static inline void six_bit_scales(const uint8_t *q, int8_t scales[16]) {
  for (int i = 0; i < 16; i++) {
    int low = i < 8 ? q[i] & 0xF : q[i - 8] >> 4, high = (q[8 + i % 4] >> (2 * (i / 4))) & 3;
    scales[i] = (int8_t)((low | high << 4) - 32);
  }
}
#endif
