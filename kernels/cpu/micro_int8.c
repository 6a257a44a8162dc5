/* The micro-kernels of products by integers: a tile of c (rows × 32) becomes the product of packed activations and a packed weight panel
 * (pack_int8.c). The codes of a block of 32, or of each half of it where the weight's type scales these apart, are summed as 32-bit integers,
 * exactly; then Σ scale of w·scale of x·integer, and Σ offset·sum of x's codes, go on as one chain of fused products an output, block after
 * block, from zero, which is added to what `before` holds. It is the same chain in every row count, so edge tiles have the bits of full ones.
 *
 *               rows × outputs   registers
 *   avx512vnni  6 × 32           12 integer sums, 12 sums, 2 weights: 4 products of bytes a lane in one instruction
 *   avxvnni     4 × 16, twice    8 integer sums, 2 weights; sums from memory
 *   avx2        4 × 16, twice    the same; pairs of products are added in 16 bits as long as these hold them
 *   neon(dot)   4 × 16, twice    16 integer sums, 4 weights
 *   scalar      4 × 8, four times */
#ifndef BODY
#include "internal.h"

/* Sums that go round a loop as __m512i, eight lanes of 64 bits, GCC copies from register to register before every product. */
typedef int32_t words_256 __attribute__((vector_size(32)));
typedef int16_t pairs_256 __attribute__((vector_size(32)));
typedef int32_t words_512 __attribute__((vector_size(64)));

#define BODY "micro_int8.c"
#define WIDE_VNNI
#include "each_dot.h"
#else

/* The words: vi is LANES sums of 32 bits; codes come in fours, a word a lane.
 *   i_each(n)           a number in every lane
 *   i_less(v, by)       v·2^by, zero where by is 32
 *   i_load(p)           words of the weight, a lane each
 *   i_four(p)           one word of the activations in every lane
 *   i_dot(s, w, x)      s + Σ of four products
 *   i_float(s)          as float32 */
#undef vi
#if LANES == 16
#define vi words_512
TARGET INLINE vi NAME(i_each)(int32_t n) { return (vi)_mm512_set1_epi32(n); }
TARGET INLINE vi NAME(i_less)(vi v, int by) { return (vi)_mm512_sll_epi32((__m512i)v, _mm_cvtsi32_si128(by)); }
TARGET INLINE vi NAME(i_load)(const uint8_t *p) { return (vi)_mm512_loadu_si512(p); }
TARGET INLINE vi NAME(i_dot)(vi s, vi w, vi x) { return (vi)_mm512_dpbusd_epi32((__m512i)s, (__m512i)w, (__m512i)x); }
TARGET INLINE vf NAME(i_float)(vi s) { return _mm512_cvtepi32_ps((__m512i)s); }
#elif LANES == 8
#define vi words_256
TARGET INLINE vi NAME(i_each)(int32_t n) { return (vi)_mm256_set1_epi32(n); }
TARGET INLINE vi NAME(i_less)(vi v, int by) { return (vi)_mm256_sll_epi32((__m256i)v, _mm_cvtsi32_si128(by)); }
TARGET INLINE vi NAME(i_load)(const uint8_t *p) { return (vi)_mm256_loadu_si256((const __m256i *)p); }
TARGET INLINE vf NAME(i_float)(vi s) { return _mm256_cvtepi32_ps((__m256i)s); }
#if VNNI
TARGET INLINE vi NAME(i_dot)(vi s, vi w, vi x) { return (vi)_mm256_dpbusd_avx_epi32((__m256i)s, (__m256i)w, (__m256i)x); }
#else
/* Products of pairs, which fit 16 bits, as the sums of several do where codes are small; i_widened makes them 32 bits wide and adds them. */
TARGET INLINE pairs_256 NAME(i_pairs)(vi w, vi x) { return (pairs_256)_mm256_maddubs_epi16((__m256i)w, (__m256i)x); }
TARGET INLINE vi NAME(i_widened)(vi s, pairs_256 pairs) {
  return (vi)_mm256_add_epi32((__m256i)s, _mm256_madd_epi16((__m256i)pairs, _mm256_set1_epi16(1)));
}
TARGET INLINE vi NAME(i_dot)(vi s, vi w, vi x) { return NAME(i_widened)(s, NAME(i_pairs)(w, x)); }
TARGET INLINE vi NAME(i_dot_signed)(vi s, vi w, vi x) {
  return NAME(i_dot)(s, (vi)_mm256_abs_epi8((__m256i)w), (vi)_mm256_sign_epi8((__m256i)x, (__m256i)w));
}
#endif
#elif LANES == 4
#define vi int32x4_t
TARGET INLINE vi NAME(i_each)(int32_t n) { return vdupq_n_s32(n); }
TARGET INLINE vi NAME(i_less)(vi v, int by) { return by < 32 ? vshlq_s32(v, vdupq_n_s32(by)) : vdupq_n_s32(0); }
TARGET INLINE vi NAME(i_load)(const uint8_t *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
TARGET INLINE vf NAME(i_float)(vi s) { return vcvtq_f32_s32(s); }
TARGET INLINE vi NAME(i_dot)(vi s, vi w, vi x) {
  const int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);
#if SDOT
  return vdotq_s32(s, a, b);
#else
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b))), high = vpaddlq_s16(vmull_s8(vget_high_s8(a), vget_high_s8(b)));
  return vaddq_s32(s, vpaddq_s32(low, high));
#endif
}
#else
#define vi int32_t
INLINE vi NAME(i_each)(int32_t n) { return n; }
INLINE vi NAME(i_less)(vi v, int by) { return by < 32 ? v * (1 << by) : 0; }
INLINE vi NAME(i_load)(const uint8_t *p) {
  vi v;
  memcpy(&v, p, 4);
  return v;
}
INLINE vf NAME(i_float)(vi s) { return (float)s; }
INLINE vi NAME(i_dot)(vi s, vi w, vi x) {
  int8_t a[4], b[4];
  memcpy(a, &w, 4);
  memcpy(b, &x, 4);
  return s + a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
}
#endif
TARGET INLINE vi NAME(i_four)(const int8_t *p) {
  int32_t n;
  memcpy(&n, p, 4);
  return NAME(i_each)(n);
}

/* Vectors of a tile, and how many tiles of that width make a panel. */
enum { NAME(COLS) = LANES == 16 || LANES == 8 ? 2 : LANES == 4 ? 4 : 8, NAME(ROWS) = LANES == 16 ? 6 : 4 };
#undef UNROLL
#define UNROLL _Pragma("GCC unroll 8")
#undef TURN_BY_TURN
#define TURN_BY_TURN _Pragma("GCC unroll 1") /* unrolled, GCC would add in another order, for which there are not registers enough */

/* n products of fours, from word `first` on, added to what the sums begin with: word by word, or so many words in 16 bits before their sums
 * become 32 bits wide. */
#define BEGIN(r) NAME(i_less)(NAME(i_each)(x.less[of_x + r]), p->above)
#define DOTS(dot)                                                                                                                         \
  UNROLL                                                                                                                                  \
  for (int r = 0; r < rows; r++) {                                                                                                        \
    s[r][0] = BEGIN(r);                                                                                                                   \
    UNROLL                                                                                                                                \
    for (int c = 1; c < NAME(COLS); c++) s[r][c] = s[r][0];                                                                               \
  }                                                                                                                                       \
  for (int k = first; k < first + n; k++) {                                                                                               \
    vi w[NAME(COLS)];                                                                                                                     \
    UNROLL                                                                                                                                \
    for (int c = 0; c < NAME(COLS); c++) w[c] = NAME(i_load)(code[k] + 4 * (col + c * LANES));                                            \
    UNROLL                                                                                                                                \
    for (int r = 0; r < rows; r++) {                                                                                                      \
      const vi v = NAME(i_four)(x.code + (k * rows + r) * 4);                                                                             \
      UNROLL                                                                                                                              \
      for (int c = 0; c < NAME(COLS); c++) s[r][c] = NAME(dot)(s[r][c], w[c], v);                                                         \
    }                                                                                                                                     \
  }
#define PAIRS_AT(k, count, begin)                                                                                                         \
  {                                                                                                                                       \
    pairs_256 pairs[NAME(ROWS)][NAME(COLS)];                                                                                              \
    UNROLL                                                                                                                                \
    for (int r = 0; r < rows; r++)                                                                                                        \
      UNROLL                                                                                                                              \
      for (int c = 0; c < NAME(COLS); c++) pairs[r][c] = (pairs_256){0};                                                                  \
    TURN_BY_TURN                                                                                                                          \
    for (int j = 0; j < count; j++) {                                                                                                     \
      vi w[NAME(COLS)];                                                                                                                   \
      UNROLL                                                                                                                              \
      for (int c = 0; c < NAME(COLS); c++) w[c] = NAME(i_load)(code[k + j] + 4 * (col + c * LANES));                                      \
      UNROLL                                                                                                                              \
      for (int r = 0; r < rows; r++) {                                                                                                    \
        const vi v = NAME(i_four)(x.code + ((k + j) * rows + r) * 4);                                                                     \
        UNROLL                                                                                                                            \
        for (int c = 0; c < NAME(COLS); c++) pairs[r][c] += NAME(i_pairs)(w[c], v);                                                       \
      }                                                                                                                                   \
    }                                                                                                                                     \
    UNROLL                                                                                                                                \
    for (int r = 0; r < rows; r++)                                                                                                        \
      UNROLL                                                                                                                              \
      for (int c = 0; c < NAME(COLS); c++) s[r][c] = NAME(i_widened)(begin, pairs[r][c]);                                                 \
  }
#define PAIRS(count)                                                                                                                      \
  {                                                                                                                                       \
    PAIRS_AT(first, count, BEGIN(r))                                                                                                      \
    for (int k = first + count; k < first + n; k += count) PAIRS_AT(k, count, s[r][c])                                                    \
  }

TARGET INLINE void NAME(tile_int8)(const int rows, const int together, int64_t kc, const void *a, const int8_panel *p, const int col,
                                   const tile_output to) {
  (void)together;
  const int n = p->halves ? 4 : 8;
  vf f[NAME(ROWS)][NAME(COLS)];
UNROLL
  for (int r = 0; r < rows; r++)
UNROLL
    for (int c = 0; c < NAME(COLS); c++) f[r][c] = v_zero();
  for (int64_t b = 0; b < kc / 32; b++) {
    const int8_x x = int8_x_at(a, rows, b);
    const uint8_t(*code)[PANEL * 4] = p->code + 8 * b;
    for (int part = 0; part < 1 + p->halves; part++) {
      const int first = n * part, of_x = (part + p->halves) * rows; /* the whole block, or one of its halves */
      vi s[NAME(ROWS)][NAME(COLS)];
#if LANES == 8 && !VNNI
      if (together == 0) {
        DOTS(i_dot_signed)
      } else if (together == 1) {
        DOTS(i_dot)
      } else {
        PAIRS(together)
      }
#else
      DOTS(i_dot)
#endif
UNROLL
      for (int c = 0; c < NAME(COLS); c++) {
        const vf scale = v_load(p->scale[b][part] + col + c * LANES);
UNROLL
        for (int r = 0; r < rows; r++) f[r][c] = v_fma(NAME(i_float)(s[r][c]), v_mul(scale, v_set(x.scale[r])), f[r][c]);
      }
      if (p->offsets) {
UNROLL
        for (int c = 0; c < NAME(COLS); c++) {
          const vf offset = v_load(p->offset[b][part] + col + c * LANES);
UNROLL
          for (int r = 0; r < rows; r++) f[r][c] = v_fma(offset, v_set(x.sum[of_x + r]), f[r][c]);
        }
      }
    }
  }
UNROLL
  for (int r = 0; r < rows; r++)
UNROLL
    for (int c = 0; c < NAME(COLS); c++) {
      float *out = to.c + r * to.stride + col + c * LANES;
      v_store(out, to.before ? v_add(v_load(to.before + r * to.before_stride + col + c * LANES), f[r][c]) : f[r][c]);
    }
}
#undef BEGIN
#undef DOTS
#undef PAIRS_AT
#undef PAIRS

/* The tiles of a panel, where the number of words that pairs are summed over is known at compile time too. */
TARGET INLINE void NAME(tiles_int8)(const int together, int rows, int64_t kc, const void *a, const int8_panel *p, const tile_output *to) {
  for (int col = 0; col < PANEL; col += NAME(COLS) * LANES) switch (rows) {
#define TILE(n)                                                                                                                           \
  case n: NAME(tile_int8)(n, together, kc, a, p, col, *to); break;
      TILE(1) TILE(2) TILE(3) TILE(4)
#if LANES == 16
      TILE(5) TILE(6)
#endif
#undef TILE
    }
}

TARGET static void NAME(micro_int8)(int rows, int64_t kc, const void *a, const void *b, const tile_output *to) {
  const int8_panel *p = b;
#if LANES == 8 && !VNNI
  switch (p->together) {
  case 0: NAME(tiles_int8)(0, rows, kc, a, p, to); break;
  case 1: NAME(tiles_int8)(1, rows, kc, a, p, to); break;
  case 4: NAME(tiles_int8)(4, rows, kc, a, p, to); break;
  case 8: NAME(tiles_int8)(8, rows, kc, a, p, to); break;
  }
#else
  NAME(tiles_int8)(0, rows, kc, a, p, to);
#endif
}

const product_isa NAME(product_int8) = {NAME(ROWS),          KC_INT8, 32, 0, INT8_X_BYTES, sizeof(int8_panel), NAME(pack_x_int8),
                                        NAME(pack_w_int8), NAME(micro_int8), 0, 0};
#endif
