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

/* All eight of them: four bytes at a time. */
static inline void scales_and_minima(const uint8_t *q, uint8_t scales[8], uint8_t minima[8]) {
  uint32_t a, b, c;
  memcpy(&a, q, 4);
  memcpy(&b, q + 4, 4);
  memcpy(&c, q + 8, 4);
  const uint32_t d[2] = {a & 0x3f3f3f3f, (c & 0x0f0f0f0f) | (a & 0xc0c0c0c0) >> 2};
  const uint32_t m[2] = {b & 0x3f3f3f3f, (c >> 4 & 0x0f0f0f0f) | (b & 0xc0c0c0c0) >> 2};
  memcpy(scales, d, 8);
  memcpy(minima, m, 8);
}

/* The sixteen 6-bit scales of a Q3_K block, whose twelve bytes of them begin at q. */
static inline void six_bit_scales(const uint8_t *q, int8_t scales[16]) {
  for (int i = 0; i < 16; i++) {
    int low = i < 8 ? q[i] & 0xF : q[i - 8] >> 4, high = (q[8 + i % 4] >> (2 * (i / 4))) & 3;
    scales[i] = (int8_t)((low | high << 4) - 32);
  }
}
#endif
