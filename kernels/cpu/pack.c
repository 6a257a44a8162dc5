/* Packing operands for the product's micro-kernels.
 * Activations: a panel of r rows becomes [k][r]. Weights: a panel of 32 outputs becomes [k][32], widened or dequantised on the way,
 * absent outputs zero. Both are transpositions of LANES × LANES blocks held in registers. Where `round` is set, values are rounded to
 * bfloat16 first: so an instruction set without bfloat16 products computes what one with them does. */
#ifndef BODY
#define BODY "pack.c"
#include "each_isa.h"
#else

/* Transposes LANES vectors. */
#if LANES == 16
TARGET INLINE void NAME(transpose)(vf *r) {
  vf t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
}
#elif LANES == 8
TARGET INLINE void NAME(transpose)(vf *r) {
  vf t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) r[i] = t[i];
}
#elif LANES == 4
INLINE void NAME(transpose)(vf *r) {
  float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
  r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
  r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
  r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
  r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
#else
INLINE void NAME(transpose)(vf *r) { (void)r; }
#endif

/* LANES values of a stored row, widened; n < LANES at its end. */
TARGET INLINE vf NAME(load_widened)(int type, const uint8_t *p, int64_t n) {
#if LANES == 16
  __mmask16 m = (__mmask16)((1u << n) - 1);
  if (type == AVSS_F32) return _mm512_maskz_loadu_ps(m, p);
  __m256i h = _mm256_maskz_loadu_epi16(m, p);
  if (type == AVSS_F16) return _mm512_cvtph_ps(h);
  return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
#elif LANES == 8
  if (type == AVSS_F32) return n == 8 ? _mm256_loadu_ps((const float *)p) : NAME(load_part)((const float *)p, n);
  uint16_t t[8] = {0};
  if (n < 8) memcpy(t, p, (size_t)n * 2);
  __m128i h = n == 8 ? _mm_loadu_si128((const __m128i *)p) : _mm_loadu_si128((const __m128i *)t);
  if (type == AVSS_F16) return _mm256_cvtph_ps(h);
  return (__m256)_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16);
#else
  float t[LANES] = {0};
  if (type == AVSS_F32) {
    memcpy(t, p, (size_t)n * 4);
  } else {
    uint16_t h[LANES] = {0};
    memcpy(h, p, (size_t)n * 2);
    if (type == AVSS_F16) {
#if LANES == 4
      return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(h)));
#else
      for (int i = 0; i < LANES; i++) t[i] = half_value(h[i]);
#endif
    } else {
      for (int i = 0; i < LANES; i++) {
        uint32_t u = (uint32_t)h[i] << 16;
        memcpy(t + i, &u, 4);
      }
    }
  }
  return v_load(t);
#endif
}

/* How transposed values are stored: whole vectors, of which the absent rows are zeros; n values, where the next place follows at once, so
 * that what a whole vector puts too much is overwritten by what comes next; exactly n values. */
enum { NAME(WHOLE), NAME(TIGHT), NAME(EXACT) };

/* Transposes up to LANES rows of kc values of one of the types F32, F16, BF16 into out[k·stride + row]. */
TARGET INLINE void NAME(transpose_rows)(int type, const uint8_t *const *rows, int n, int64_t kc, float *out, int64_t stride, int how) {
  const int size = type == AVSS_F32 ? 4 : 2;
  for (int64_t k = 0; k < kc; k += LANES) {
    vf r[LANES];
    int64_t left = least(LANES, kc - k);
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) r[i] = i < n ? NAME(load_widened)(type, rows[i] + k * size, left) : v_zero();
    NAME(transpose)(r);
    if (left == LANES && (how == NAME(WHOLE) || (how == NAME(TIGHT) && (kc - k - LANES + 1) * n >= LANES))) {
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++) v_store(out + (k + i) * stride, r[i]);
    } else {
      for (int i = 0; i < left; i++) {
        if (how == NAME(WHOLE)) v_store(out + (k + i) * stride, r[i]);
        else v_store_n(out + (k + i) * stride, r[i], n);
      }
    }
  }
}

TARGET static void NAME(round_run)(float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] = bf16_round(x[i]);
}

TARGET void NAME(pack_x)(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round) {
  float *out = packed;
  float rounded[LANES][KC_F32];
  for (int r = 0; r < rows; r += LANES) {
    const uint8_t *at[LANES];
    int n = (int)least(LANES, rows - r);
    for (int i = 0; i < n; i++) {
      at[i] = (const uint8_t *)(x + (r + i) * stride);
      if (round) {
        memcpy(rounded[i], at[i], (size_t)kc * 4);
        NAME(round_run)(rounded[i], kc);
        at[i] = (const uint8_t *)rounded[i];
      }
    }
    NAME(transpose_rows)(AVSS_F32, at, n, kc, out + r, rows, n == LANES ? NAME(WHOLE) : r == 0 ? NAME(TIGHT) : NAME(EXACT));
  }
}

/* Weights stored [in × out]: a row of the panel is a run of the file. */
TARGET static void NAME(pack_transposed)(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, float *out) {
  int64_t at[PANEL], contiguous = 1;
  for (int64_t i = 0; i < n; i++) {
    at[i] = weight_row(w, n0 + i);
    if (at[i] != at[0] + i) contiguous = 0;
  }
  for (int64_t k = 0; k < kc; k++, out += PANEL) {
    if (contiguous) {
      NAME(weight_run)(w, k0 + k, at[0], n, out);
    } else {
      for (int64_t i = 0; i < n; i++) NAME(weight_run)(w, k0 + k, at[i], 1, out + i);
    }
    for (int64_t i = n; i < PANEL; i++) out[i] = 0;
  }
}

TARGET void NAME(pack_w)(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round) {
  float *out = packed;
  if (w->transposed) {
    NAME(pack_transposed)(w, n0, n, k0, kc, out);
  } else {
    float widened[LANES][KC_F32];
    for (int64_t p = 0; p < PANEL; p += LANES) {
      const uint8_t *rows[LANES];
      int present = (int)most(0, least(LANES, n - p)), type = w->type;
      for (int i = 0; i < present; i++) {
        int64_t row = weight_row(w, n0 + p + i);
        if (type <= AVSS_BF16) {
          rows[i] = w->data + weight_offset(w, row, k0);
        } else {
          NAME(weight_run)(w, row, k0, kc, widened[i]);
          rows[i] = (const uint8_t *)widened[i];
        }
      }
      if (type == AVSS_F16) NAME(transpose_rows)(AVSS_F16, rows, present, kc, out + p, PANEL, NAME(WHOLE));
      else if (type == AVSS_BF16) NAME(transpose_rows)(AVSS_BF16, rows, present, kc, out + p, PANEL, NAME(WHOLE));
      else NAME(transpose_rows)(AVSS_F32, rows, present, kc, out + p, PANEL, NAME(WHOLE));
    }
  }
  if (round) NAME(round_run)(out, kc * PANEL);
}

#if LANES == 16
/* bfloat16 operands, in pairs of the inner dimension. */
#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c")))

/* 32 values from p on, rounded to bfloat16; `left` of them are there, the rest are zeros. */
BF16 INLINE __m512i load_pairs(int type, const uint8_t *p, int64_t left) {
  if (type == AVSS_BF16) return _mm512_maskz_loadu_epi16(left >= 32 ? 0xffffffff : (1u << left) - 1, p);
  const int64_t low = least(16, left), high = most(0, left - 16);
  const int size = type == AVSS_F32 ? 4 : 2;
  __m512 a = load_widened_avx512(type, p, low), b = high > 0 ? load_widened_avx512(type, p + 16 * size, least(16, high)) : _mm512_setzero_ps();
  return (__m512i)_mm512_cvtne2ps_pbh(b, a);
}

/* Up to 16 rows of kc values become [kc/2][stride] words; a last part of 32 values is filled with zeros. lanes: words written a row. */
BF16 INLINE void transpose_pairs(int type, const uint8_t *const *rows, int n, int64_t kc, uint32_t *out, int64_t stride, int lanes) {
  const int size = type == AVSS_F32 ? 4 : 2;
  const __mmask16 all = (__mmask16)((1u << lanes) - 1);
  for (int64_t k = 0; k < kc; k += 32) {
    vf r[16];
    int64_t left = least(32, kc - k), words = lanes == 16 ? 16 : (left + 1) / 2;
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) r[i] = i < n ? (vf)load_pairs(type, rows[i] + k * size, left) : v_zero();
    transpose_avx512(r);
    if (words == 16 && (lanes == 16 || ((kc - k + 1) / 2 - 15) * stride >= 16)) { /* as TIGHT */
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++) _mm512_storeu_ps(out + (k / 2 + i) * stride, r[i]);
    } else {
      for (int i = 0; i < words; i++) _mm512_mask_storeu_ps(out + (k / 2 + i) * stride, all, r[i]);
    }
  }
}

BF16 void pack_x_bf16(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round) {
  const uint8_t *at[16];
  (void)round;
  for (int i = 0; i < rows; i++) at[i] = (const uint8_t *)(x + i * stride);
  transpose_pairs(AVSS_F32, at, rows, kc, packed, rows, rows);
}

/* Weights stored [in × out]: two runs of the file make a row of pairs. */
BF16 static void pack_transposed_pairs(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, uint32_t *out) {
  float widened[2 * PANEL];
  const int64_t first = weight_row(w, n0);
  int direct = w->type == AVSS_F32 || w->type == AVSS_BF16; /* the runs are read where they stand */
  for (int64_t i = 1; i < n; i++) direct &= weight_row(w, n0 + i) == first + i;
  for (int64_t k = 0; k < (kc + 31) / 32 * 32; k += 2, out += PANEL) {
    const int64_t rows = most(0, least(2, kc - k));
    const uint8_t *run = (const uint8_t *)widened;
    int64_t next = PANEL * 4, cols = PANEL;
    int type = AVSS_F32;
    if (direct && rows > 0) {
      run = w->data + weight_offset(w, k0 + k, first);
      next = weight_offset(w, 1, 0), cols = n, type = w->type;
    } else if (rows > 0) {
      pack_transposed_avx512(w, n0, n, k0 + k, rows, widened);
    }
    for (int64_t i = 0; i < PANEL; i += 16, run += type == AVSS_F32 ? 64 : 32) {
      const int64_t m = most(0, least(16, cols - i));
      __m512 a = rows > 0 ? load_widened_avx512(type, run, m) : _mm512_setzero_ps();
      __m512 b = rows > 1 ? load_widened_avx512(type, run + next, m) : _mm512_setzero_ps();
      __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a)), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
      _mm512_storeu_si512(out + i, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

BF16 void pack_w_bf16(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round) {
  uint32_t *out = packed;
  (void)round;
  if (w->transposed) {
    pack_transposed_pairs(w, n0, n, k0, kc, out);
    return;
  }
  float widened[16][KC_BF16]; /* the longer of the two K blocks that come here */
  for (int64_t p = 0; p < PANEL; p += 16) {
    const uint8_t *rows[16];
    int present = (int)most(0, least(16, n - p));
    for (int i = 0; i < present; i++) {
      int64_t row = weight_row(w, n0 + p + i);
      if (w->type <= AVSS_BF16) {
        rows[i] = w->data + weight_offset(w, row, k0);
      } else {
        weight_run_avx512(w, row, k0, kc, widened[i]);
        rows[i] = (const uint8_t *)widened[i];
      }
    }
    if (w->type == AVSS_BF16) transpose_pairs(AVSS_BF16, rows, present, kc, out + p, PANEL, 16);
    else if (w->type == AVSS_F16) transpose_pairs(AVSS_F16, rows, present, kc, out + p, PANEL, 16);
    else transpose_pairs(AVSS_F32, rows, present, kc, out + p, PANEL, 16);
  }
}

/* Activations for AMX: [k/32][32 rows][32 values], absent rows and values zero. */
BF16 void pack_x_amx(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round) {
  char *out = packed;
  (void)round;
  for (int64_t k = 0; k < kc; k += 32)
    for (int i = 0; i < 32; i++, out += 64)
      _mm512_storeu_si512(out, i < rows ? load_pairs(AVSS_F32, (const uint8_t *)(x + i * stride + k), least(32, kc - k)) : _mm512_setzero_si512());
}
#undef BF16
#endif
#endif
