/* Stored weights, widened: a run of values of one stored row becomes float32, whatever its type. The block formats are those of GGUF
 * (ggml-quants.c describes them); each value is computed as ggml does, so that widening is exact to the bit. */
#ifndef BODY
#include "blocks.h"

/* The values of four bits E2M1, doubled (OCP Microscaling Formats 1.0, section 5.3.3). */
static const float mxfp4_codes[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

#define BODY "weight.c"
#include "each_isa.h"
#else

TARGET static void NAME(q4_0)(const uint8_t *b, float *y) {
  float d = half(b);
  for (int j = 0; j < 16; j++) {
    y[j] = (float)((b[2 + j] & 0xF) - 8) * d;
    y[j + 16] = (float)((b[2 + j] >> 4) - 8) * d;
  }
}
TARGET static void NAME(q4_1)(const uint8_t *b, float *y) {
  float d = half(b), m = half(b + 2);
  for (int j = 0; j < 16; j++) {
    y[j] = (float)(b[4 + j] & 0xF) * d + m;
    y[j + 16] = (float)(b[4 + j] >> 4) * d + m;
  }
}
TARGET static void NAME(q5_0)(const uint8_t *b, float *y) {
  float d = half(b);
  uint32_t high;
  memcpy(&high, b + 2, 4);
  for (int j = 0; j < 16; j++) {
    y[j] = (float)((int)((b[6 + j] & 0xF) | ((high >> j) & 1) << 4) - 16) * d;
    y[j + 16] = (float)((int)((b[6 + j] >> 4) | ((high >> (j + 16)) & 1) << 4) - 16) * d;
  }
}
TARGET static void NAME(q5_1)(const uint8_t *b, float *y) {
  float d = half(b), m = half(b + 2);
  uint32_t high;
  memcpy(&high, b + 4, 4);
  for (int j = 0; j < 16; j++) {
    y[j] = (float)(int)((b[8 + j] & 0xF) | ((high >> j) & 1) << 4) * d + m;
    y[j + 16] = (float)(int)((b[8 + j] >> 4) | ((high >> (j + 16)) & 1) << 4) * d + m;
  }
}
TARGET static void NAME(q8_0)(const uint8_t *b, float *y) {
  float d = half(b);
  const int8_t *q = (const int8_t *)(b + 2);
  for (int j = 0; j < 32; j++) y[j] = (float)q[j] * d;
}
TARGET static void NAME(mxfp4)(const uint8_t *b, float *y) {
  uint32_t bits = b[0] < 2 ? 0x200000u << b[0] : (uint32_t)(b[0] - 1) << 23; /* half of 2^(b[0] - 127): codes are doubled */
  float d;
  memcpy(&d, &bits, 4);
  for (int j = 0; j < 16; j++) {
    y[j] = mxfp4_codes[b[1 + j] & 0xF] * d;
    y[j + 16] = mxfp4_codes[b[1 + j] >> 4] * d;
  }
}
TARGET static void NAME(q2_k)(const uint8_t *b, float *y) {
  const uint8_t *scales = b, *q = b + 16;
  float d = half(b + 80), dmin = half(b + 82);
  for (int n = 0; n < 2; n++, q += 32)
    for (int shift = 0; shift < 8; shift += 2, scales += 2)
      for (int part = 0; part < 2; part++, y += 16) {
        float s = d * (float)(scales[part] & 0xF), m = dmin * (float)(scales[part] >> 4);
        for (int l = 0; l < 16; l++) y[l] = s * (float)((q[16 * part + l] >> shift) & 3) - m;
      }
}
TARGET static void NAME(q3_k)(const uint8_t *b, float *y) {
  const uint8_t *mask = b, *q = b + 32, *packed = b + 96;
  float d = half(b + 108);
  int8_t scales[16];
  six_bit_scales(packed, scales);
  int at = 0, bit = 1;
  for (int n = 0; n < 2; n++, q += 32)
    for (int shift = 0; shift < 8; shift += 2, bit <<= 1)
      for (int part = 0; part < 2; part++, y += 16) {
        float s = d * (float)scales[at++];
        for (int l = 0; l < 16; l++)
          y[l] = s * (float)((int)((q[16 * part + l] >> shift) & 3) - (mask[16 * part + l] & bit ? 0 : 4));
      }
}
TARGET static void NAME(q4_k)(const uint8_t *b, float *y) {
  float d = half(b), dmin = half(b + 2);
  const uint8_t *q = b + 16;
  for (int j = 0; j < 8; j += 2, q += 32, y += 64) {
    uint8_t s, m;
    scale_min(j, b + 4, &s, &m);
    float d1 = d * s, m1 = dmin * m;
    scale_min(j + 1, b + 4, &s, &m);
    float d2 = d * s, m2 = dmin * m;
    for (int l = 0; l < 32; l++) y[l] = d1 * (float)(q[l] & 0xF) - m1;
    for (int l = 0; l < 32; l++) y[32 + l] = d2 * (float)(q[l] >> 4) - m2;
  }
}
TARGET static void NAME(q5_k)(const uint8_t *b, float *y) {
  float d = half(b), dmin = half(b + 2);
  const uint8_t *high = b + 16, *q = b + 48;
  for (int j = 0; j < 8; j += 2, q += 32, y += 64) {
    uint8_t s, m;
    scale_min(j, b + 4, &s, &m);
    float d1 = d * s, m1 = dmin * m;
    scale_min(j + 1, b + 4, &s, &m);
    float d2 = d * s, m2 = dmin * m;
    for (int l = 0; l < 32; l++) y[l] = d1 * (float)((q[l] & 0xF) + (((high[l] >> j) & 1) << 4)) - m1;
    for (int l = 0; l < 32; l++) y[32 + l] = d2 * (float)((q[l] >> 4) + (((high[l] >> (j + 1)) & 1) << 4)) - m2;
  }
}
TARGET static void NAME(q6_k)(const uint8_t *b, float *y) {
  const uint8_t *low = b, *high = b + 128;
  const int8_t *scales = (const int8_t *)(b + 192);
  float d = half(b + 208);
  for (int n = 0; n < 2; n++, y += 128, low += 64, high += 32, scales += 8)
    for (int l = 0; l < 32; l++) {
      int s = l / 16, h = high[l];
      y[l] = d * scales[s] * (float)(((low[l] & 0xF) | (h & 3) << 4) - 32);
      y[l + 32] = d * scales[s + 2] * (float)(((low[l + 32] & 0xF) | ((h >> 2) & 3) << 4) - 32);
      y[l + 64] = d * scales[s + 4] * (float)(((low[l] >> 4) | ((h >> 4) & 3) << 4) - 32);
      y[l + 96] = d * scales[s + 6] * (float)(((low[l + 32] >> 4) | (h >> 6) << 4) - 32);
    }
}

/* n values of one type that lie one after another, from byte p on. n and p fall on whole blocks. */
TARGET static void NAME(widen)(int32_t type, const uint8_t *p, int64_t n, float *out) {
  switch (type) {
  case AVSS_F32:
    memcpy(out, p, (size_t)n * 4);
    break;
  case AVSS_F16: {
    int64_t i = 0;
#if LANES == 16
    for (; i + 16 <= n; i += 16) _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p + 2 * i))));
#elif LANES == 8
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 2 * i))));
#elif LANES == 4
    for (; i + 4 <= n; i += 4) vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p + 2 * i))));
#endif
    for (; i < n; i++) out[i] = half(p + 2 * i);
    break;
  }
  case AVSS_BF16:
    for (int64_t i = 0; i < n; i++) {
      uint16_t h;
      memcpy(&h, p + 2 * i, 2);
      uint32_t u = (uint32_t)h << 16;
      memcpy(out + i, &u, 4);
    }
    break;
  case AVSS_F64:
    for (int64_t i = 0; i < n; i++) {
      double v;
      memcpy(&v, p + 8 * i, 8);
      out[i] = (float)v;
    }
    break;
#define BLOCKS(type, function)                                                                                                            \
  case type:                                                                                                                              \
    for (int64_t i = 0; i < n / block_values[type]; i++) NAME(function)(p + block_bytes[type] * i, out + block_values[type] * i);         \
    break;
    BLOCKS(AVSS_Q4_0, q4_0)
    BLOCKS(AVSS_Q4_1, q4_1)
    BLOCKS(AVSS_Q5_0, q5_0)
    BLOCKS(AVSS_Q5_1, q5_1)
    BLOCKS(AVSS_Q8_0, q8_0)
    BLOCKS(AVSS_Q2_K, q2_k)
    BLOCKS(AVSS_Q3_K, q3_k)
    BLOCKS(AVSS_Q4_K, q4_k)
    BLOCKS(AVSS_Q5_K, q5_k)
    BLOCKS(AVSS_Q6_K, q6_k)
    BLOCKS(AVSS_MXFP4, mxfp4)
#undef BLOCKS
  }
}

/* Values k0..k0+n of stored row `row`, as float32. */
TARGET void NAME(weight_run)(const avss_weight *w, int64_t row, int64_t k0, int64_t n, float *out) {
  NAME(widen)(w->type, w->data + weight_offset(w, row, k0), n, out);
}
#endif
