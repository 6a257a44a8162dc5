/* Packing operands for the products by integers of many rows (micro_int8.c). Activations are rounded to 8-bit whole numbers in blocks of 32
 * (quantise.c), weights stay the whole numbers of their blocks; both become [k/4][row][4], a transposition of words of four codes, and their
 * factors stand apart, block by block. */
#ifndef BODY
#include "blocks.h"
#include <string.h>

#define BODY "pack_int8.c"
#define WIDE_VNNI
#include "each_dot.h"
#else
#include "block_codes.h"

/* The same for a number of rows known at compile time. */
TARGET INLINE void NAME(pack_rows_int8)(const float *x, int64_t stride, const int rows, int64_t kc, void *packed) {
  quantised q[INT8_MOST_ROWS];
  int32_t less[INT8_MOST_ROWS][KC_INT8 / 16];
  for (int r = 0; r < rows; r++) JOIN(quantise_run, PLAIN)(x + r * stride, kc, q + r, less[r]);
  for (int64_t b = 0; b < kc / 32; b++) {
    const int8_x to = int8_x_at(packed, rows, b);
    for (int r = 0; r < rows; r++) {
      for (int k = 0; k < 8; k++) memcpy(to.code + (k * rows + r) * 4, q[r].code + 32 * b + 4 * k, 4);
      const int32_t *of = less[r] + 2 * b;
      to.scale[r] = q[r].scale[b];
      to.less[r] = of[0] + of[1];
      to.less[rows + r] = of[0];
      to.less[2 * rows + r] = of[1];
      to.sum[r] = q[r].sum[b];
      to.sum[rows + r] = q[r].half_sum[2 * b];
      to.sum[2 * rows + r] = q[r].half_sum[2 * b + 1];
    }
  }
}

TARGET void NAME(pack_x_int8)(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round) {
  (void)round;
  switch (rows) {
#define ROWS(n)                                                                                                                           \
  case n: NAME(pack_rows_int8)(x, stride, n, kc, packed); break;
    ROWS(1) ROWS(2) ROWS(3) ROWS(4)
#if LANES == 16
    ROWS(5) ROWS(6)
#endif
#undef ROWS
  }
}

/* Codes of 32 as the micro-kernel multiplies them: unsigned where it takes them so, else without what is too much. */
TARGET INLINE void NAME(put)(uint8_t *to, ct c, const int above) {
#if VNNI
  if (above == Q8_0_ABOVE) c = _mm256_xor_si256(c, _mm256_set1_epi8((char)0x80));
#elif LANES != 8
  if (above && above != Q8_0_ABOVE) c = NAME(c_less)(c, 1 << above);
#else
  (void)above;
#endif
  NAME(c_store)(to, c);
}

/* An output's codes of `blocks` ≤ 8 blocks of 32 from byte b on, their scales, and their offsets where there are any. */
TARGET INLINE void NAME(unpack)(int32_t type, const uint8_t *b, int blocks, uint8_t *codes, float *scale, float *offset) {
  switch (type) {
#define OF_32(type, name, bytes, two, above)                                                                                              \
  case type:                                                                                                                              \
    NAME(factors)(b, bytes, blocks, two, scale, offset);                                                                                  \
    for (int j = 0; j < blocks; j++) NAME(put)(codes + 32 * j, NAME(codes_##name)(b, j / 2, j & 1), above);             \
    break;
#define OF_256(type, name, scales, step, above)                                                                                           \
  case type:                                                                                                                              \
    NAME(scales_##scales)(b, scale, offset);                                                                                              \
    for (int part = 0; part < 8 / step; part++)                                                                                           \
      _Pragma("GCC unroll 4") for (int k = 0; k < step; k++)                                                                              \
        NAME(put)(codes + 32 * (step * part + k), NAME(codes_##name)(b, part, k), above);                                                 \
    break;
    OF_32(AVSS_Q4_0, q4_0, 18, 0, Q4_0_ABOVE)
    OF_32(AVSS_Q4_1, q4_1, 20, 1, 0)
    OF_32(AVSS_Q5_0, q5_0, 22, 0, Q5_0_ABOVE)
    OF_32(AVSS_Q5_1, q5_1, 24, 1, 0)
    OF_32(AVSS_Q8_0, q8_0, 34, 0, Q8_0_ABOVE)
    OF_256(AVSS_Q2_K, q2_k, q2_k, 4, 0)
    OF_256(AVSS_Q3_K, q3_k, q3_k, 4, Q3_K_ABOVE)
    OF_256(AVSS_Q4_K, q4_k, q4_k, 2, 0)
    OF_256(AVSS_Q5_K, q5_k, q4_k, 2, 0)
    OF_256(AVSS_Q6_K, q6_k, q6_k, 4, Q6_K_ABOVE)
#undef OF_32
#undef OF_256
  }
}

TARGET void NAME(pack_w_int8)(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round) {
  static const int8_t above[AVSS_TYPES] = {
      [AVSS_Q4_0] = Q4_0_ABOVE, [AVSS_Q5_0] = Q5_0_ABOVE, [AVSS_Q8_0] = Q8_0_ABOVE, [AVSS_Q3_K] = Q3_K_ABOVE, [AVSS_Q6_K] = Q6_K_ABOVE};
  int8_panel *p = packed;
  uint8_t codes[PANEL][KC_INT8];
  const int blocks = (int)(kc / 32), type = w->type;
  (void)round;
  p->halves = type == AVSS_Q2_K || type == AVSS_Q3_K || type == AVSS_Q6_K;
  p->offsets = type == AVSS_Q4_1 || type == AVSS_Q5_1 || type == AVSS_Q2_K || type == AVSS_Q4_K || type == AVSS_Q5_K;
  p->above = 32; /* takes everything away: codes are signed bytes, and right */
#if LANES == 8 || LANES == 16
  if (VNNI || type != AVSS_Q8_0) p->above = above[type] ? above[type] : 32;
#else
  (void)above;
#endif
  const int five_bits = type == AVSS_Q5_0 || type == AVSS_Q5_1 || type == AVSS_Q5_K; /* 8 products of 31·127 fit 16 bits, 16 of 15·127 */
  p->together = type == AVSS_Q8_0 ? 0 : type == AVSS_Q6_K ? 1 : p->halves || five_bits ? 4 : 8;
  for (int64_t i = 0; i < PANEL; i++) {
    float scale[16] = {0}, offset[16] = {0};
    if (i < n) NAME(unpack)(type, w->data + weight_offset(w, weight_row(w, n0 + i), k0), blocks, codes[i], scale, offset);
    else memset(codes[i], 0, (size_t)kc);
    for (int b = 0; b < blocks; b++)
      for (int part = 0; part < 1 + p->halves; part++) {
        p->scale[b][part][i] = scale[p->halves ? 2 * b + part : b];
        if (p->offsets) p->offset[b][part][i] = offset[p->halves ? 2 * b + part : b];
      }
  }
  JOIN(pack_x, PLAIN)((const float *)codes, KC_INT8 / 4, PANEL, kc / 4, p->code, 0);
}
#endif
