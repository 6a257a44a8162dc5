/* Products of few rows by integers: x stands in blocks of 32 8-bit whole numbers with one scale each (quantise.c), a weight in the blocks of its
 * file, and the products of their codes are summed as integers, exactly, before the scales come to them. A stored row of the weight is read once,
 * where it lies; 32 of its codes at a time meet up to eight rows of x.
 *
 * An output is Σ scale·scale of x·Σ code·code over the blocks, in order, a chain of fused products a lane, plus Σ offset·sum of x's codes in a
 * chain of its own, where the type has offsets. A lane has four neighbours of a block. So an output's bits depend neither on its neighbours nor
 * on how many rows there are. The integers are alike on all instruction sets. Several outputs are taken together, whose chains overlap, and which
 * come from distant places of the weight (product_few_vnni.c says why). */
#ifndef BODY
#include "blocks.h"
#include <string.h>

enum { UNIT = 32 }; /* codes that are taken together */

#define BODY "product_few_int8.c"
#include "each_dot.h"
#else
#include "block_codes.h"

#undef UNROLL
#if LANES > 1
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

/* Parts of a block whose lanes are vectors of their own: eight lanes of four values are one vector on x86, each half of a block one on ARM; without
 * vectors a half is one number. */
enum { NAME(PARTS) = LANES == 8 ? 1 : 2 };

/* Σ code·code of 32 codes, of which x has `less` already, as floats. less: the weight's codes are unsigned and 2^less too large; 0: they are
 * right. */
TARGET INLINE void NAME(dot)(ct c, const quantised *x, int j, const int less, vf *sum) {
  const int8_t *q = x->code + UNIT * j;
#if LANES == 8
  const __m256i v = _mm256_loadu_si256((const __m256i *)q);
  __m256i s = less ? _mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)(x->less + 8 * j)), less) : _mm256_setzero_si256();
#if VNNI
  s = _mm256_dpbusd_avx_epi32(s, c, v);
#else
  s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(c, v), _mm256_set1_epi16(1)));
#endif
  sum[0] = _mm256_cvtepi32_ps(s);
#elif LANES == 4
  if (less) c = NAME(c_less)(c, 1 << less);
  for (int i = 0; i < 2; i++) {
    const int8x16_t w = vreinterpretq_s8_u8(c.val[i]), v = vld1q_s8(q + 16 * i);
#if SDOT
    sum[i] = vcvtq_f32_s32(vdotq_s32(vdupq_n_s32(0), w, v));
#else
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(v)), high = vmull_s8(vget_high_s8(w), vget_high_s8(v));
    sum[i] = vcvtq_f32_s32(vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
  }
#else
  for (int i = 0; i < 2; i++) {
    int32_t s = 0;
    for (int k = 0; k < 16; k++) s += ((int)c.at[16 * i + k] - (less ? 1 << less : 0)) * q[16 * i + k];
    sum[i] = (float)s;
  }
#endif
}

/* The same of codes that are signed bytes. */
TARGET INLINE void NAME(dot_signed)(ct c, const quantised *x, int j, vf *sum) {
#if LANES == 8 && VNNI
  NAME(dot)(_mm256_xor_si256(c, _mm256_set1_epi8((char)0x80)), x, j, 7, sum);
#elif LANES == 8
  const __m256i v = _mm256_loadu_si256((const __m256i *)(x->code + UNIT * j));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(c), _mm256_sign_epi8(v, c));
  sum[0] = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#elif LANES == 4
  NAME(dot)(c, x, j, 0, sum);
#else
  for (int i = 0; i < 2; i++) {
    int32_t s = 0;
    for (int k = 0; k < 16; k++) s += (int8_t)c.at[16 * i + k] * x->code[UNIT * j + 16 * i + k];
    sum[i] = (float)s;
  }
#endif
}

/* Outputs and the rows that their weights meet: places of them, place = output·rows + row. */
enum { NAME(PLACES) = 8 };
typedef struct {
  const uint8_t *b[4];                                  /* an output: its stored row, at the blocks in work */
  const quantised *x[8];                                /* a row: its group in work */
  vf sum[NAME(PLACES)][NAME(PARTS)], offsets[NAME(PLACES)];
  float (*scale)[16]; /* a place: of the weight times that of x, of the eight blocks in work or of their halves */
} NAME(meeting8);

/* The scales of an output's eight blocks, or of their halves, with those of the rows; and their offsets, where there are any. */
TARGET INLINE void NAME(scale8)(const int o, const int rows, NAME(meeting8) *t, const int n, const float *scale, const float *offset) {
UNROLL
  for (int r = 0; r < rows; r++)
UNROLL
    for (int i = 0; i < n; i += LANES) {
      const float *own = n == 16 ? t->x[r]->half_scale : t->x[r]->scale, *sum = n == 16 ? t->x[r]->half_sum : t->x[r]->sum;
      v_store(t->scale[o * rows + r] + i, v_mul(v_load(scale + i), v_load(own + i)));
      if (offset) t->offsets[o * rows + r] = v_fma(v_load(offset + i), v_load(sum + i), t->offsets[o * rows + r]);
    }
}

/* Adds block j's products of codes, which have one scale, or one a half. */
TARGET INLINE void NAME(add8)(NAME(meeting8) *t, const int place, const int j, const int halves, const vf *sum) {
  const float *scales = t->scale[place];
  vf *to = t->sum[place];
#if LANES == 8
  vf scale;
  if (halves) scale = _mm256_set_m128(_mm_broadcast_ss(scales + 2 * j + 1), _mm_broadcast_ss(scales + 2 * j));
  else scale = _mm256_broadcast_ss(scales + j);
  to[0] = v_fma(sum[0], scale, to[0]);
#else
UNROLL
  for (int i = 0; i < 2; i++) to[i] = v_fma(sum[i], v_set(scales[halves ? 2 * j + i : j]), to[i]);
#endif
}

/* 32 codes of an output with those of the rows. */
TARGET INLINE void NAME(meet8)(const int o, const int rows, NAME(meeting8) *t, ct c, const int j, const int halves, const int less) {
UNROLL
  for (int r = 0; r < rows; r++) {
    vf sum[NAME(PARTS)];
    if (less < 0) NAME(dot_signed)(c, t->x[r], j, sum);
    else NAME(dot)(c, t->x[r], j, less, sum);
    NAME(add8)(t, o * rows + r, j, halves, sum);
  }
}

/* Asks memory for what is read next. */
TARGET INLINE void NAME(ahead8)(const uint8_t *b, const int bytes) {
  for (int i = 0; i < bytes; i += 64) __builtin_prefetch(b + 4096 + i);
}

/* n ≤ 8 blocks of 32 of every output, `step` of them a turn, whose code is written out. */
#undef MEET
#define MEET(name, step, halves, less)                                                                                                    \
  for (int part = 0; step * part < n; part++) {                                                                                           \
    UNROLL                                                                                                                                \
    for (int k = 0; k < step; k++)                                                                                                        \
      if (step != 2 || k == 0 || step * part + k < n) {                                                                                   \
        UNROLL                                                                                                                            \
        for (int o = 0; o < outputs; o++) NAME(meet8)(o, rows, t, NAME(codes_##name)(t->b[o], part, k), step * part + k, halves, less);   \
      }                                                                                                                                   \
  }

/* n ≤ 8 blocks of 32, a type a function; or a block of 256. two: each has an offset; halves: it has scales for halves of 32. */
#define OF_32(name, bytes, two, less)                                                                                                     \
  TARGET INLINE void NAME(eight_##name)(const int outputs, const int rows, NAME(meeting8) *t, const int n) {                              \
    UNROLL                                                                                                                                \
    for (int o = 0; o < outputs; o++) {                                                                                                   \
      float d[8], m[8];                                                                                                                   \
      NAME(ahead8)(t->b[o], 8 * bytes);                                                                                                   \
      NAME(factors)(t->b[o], bytes, n, two, d, m);                                                                                        \
      NAME(scale8)(o, rows, t, 8, d, two ? m : 0);                                                                                        \
    }                                                                                                                                     \
    MEET(name, 2, 0, less)                                                                                                                \
  }
#define OF_256(name, bytes, scales, two, halves, step, less)                                                                              \
  TARGET INLINE void NAME(eight_##name)(const int outputs, const int rows, NAME(meeting8) *t, const int n) {                              \
    UNROLL                                                                                                                                \
    for (int o = 0; o < outputs; o++) {                                                                                                   \
      float d[16], m[16];                                                                                                                 \
      NAME(ahead8)(t->b[o], bytes);                                                                                                       \
      NAME(scales_##scales)(t->b[o], d, m);                                                                                               \
      NAME(scale8)(o, rows, t, halves ? 16 : 8, d, two ? m : 0);                                                                          \
    }                                                                                                                                     \
    MEET(name, step, halves, less)                                                                                                        \
  }
OF_32(q4_0, 18, 0, Q4_0_ABOVE)
OF_32(q4_1, 20, 1, 0)
OF_32(q5_0, 22, 0, Q5_0_ABOVE)
OF_32(q5_1, 24, 1, 0)
OF_32(q8_0, 34, 0, -1)
OF_256(q2_k, 84, q2_k, 1, 1, 4, 0)
OF_256(q3_k, 110, q3_k, 0, 1, 4, Q3_K_ABOVE)
OF_256(q4_k, 144, q4_k, 1, 0, 2, 0)
OF_256(q5_k, 176, q4_k, 1, 0, 2, 0)
OF_256(q6_k, 210, q6_k, 0, 1, 4, Q6_K_ABOVE)
#undef OF_32
#undef OF_256

/* Outputs n0..n1 of `rows` rows, of which `present` are different: the others are the last one again. So it is with outputs, of which some are
 * taken together. */
TARGET INLINE void NAME(few8_rows)(const int outputs, const int rows, const avss_few *a, int64_t row, int64_t present, int64_t n0, int64_t n1) {
  const avss_weight *w = &a->w;
  const int64_t groups = (w->in + GROUP - 1) / GROUP, blocks = w->in / UNIT, bytes = GROUP / block_values[w->type] * block_bytes[w->type];
  const int64_t apart = (n1 - n0 + outputs - 1) / outputs;
  const quantised *x[8];
  float scale[NAME(PLACES)][16];
  NAME(meeting8) t;
  t.scale = scale;
  for (int i = 0; i < rows; i++) x[i] = (const quantised *)a->quantised + (row + least(i, present - 1)) * groups;
  float *out = a->dst.data + row * a->dst.stride;
  switch (w->type) {
#define OUTPUTS(type, name)                                                                                                               \
  case type:                                                                                                                              \
    for (int64_t n = n0; n < n0 + apart; n++) {                                                                                           \
      UNROLL                                                                                                                              \
      for (int o = 0; o < outputs; o++) t.b[o] = w->data + weight_offset(w, weight_row(w, least(n + o * apart, n1 - 1)), 0);              \
      UNROLL                                                                                                                              \
      for (int i = 0; i < rows; i++) t.x[i] = x[i];                                                                                       \
      UNROLL                                                                                                                              \
      for (int i = 0; i < outputs * rows; i++) {                                                                                          \
        t.offsets[i] = v_zero();                                                                                                          \
        UNROLL                                                                                                                            \
        for (int p = 0; p < NAME(PARTS); p++) t.sum[i][p] = v_zero();                                                                     \
      }                                                                                                                                   \
      int64_t left = blocks;                                                                                                              \
      for (; left > 0; left -= 8) {                                                                                                       \
        NAME(eight_##name)(outputs, rows, &t, (int)least(8, left));                                                                       \
        UNROLL                                                                                                                            \
        for (int i = 0; i < rows; i++) t.x[i]++;                                                                                          \
        UNROLL                                                                                                                            \
        for (int o = 0; o < outputs; o++) t.b[o] += bytes;                                                                                \
      }                                                                                                                                   \
      UNROLL                                                                                                                              \
      for (int o = 0; o < outputs; o++)                                                                                                   \
        UNROLL                                                                                                                            \
        for (int i = 0; i < rows; i++) {                                                                                                  \
          vf sum = t.offsets[o * rows + i];                                                                                               \
          UNROLL                                                                                                                          \
          for (int p = 0; p < NAME(PARTS); p++) sum = v_add(sum, t.sum[o * rows + i][p]);                                                 \
          if (i < present && n + o * apart < n1) out[i * a->dst.stride + n + o * apart] = v_sum(sum) + (a->bias ? a->bias[n + o * apart] : 0);\
        }                                                                                                                                 \
    }                                                                                                                                     \
    break;
    EACH_CODED_TYPE(OUTPUTS)
#undef OUTPUTS
  }
}

/* Each number of rows has code of its own, whose sums stand in registers. */
TARGET static void NAME(few8_one)(const avss_few *a, int64_t row, int64_t n0, int64_t n1) { NAME(few8_rows)(4, 1, a, row, 1, n0, n1); }
TARGET static void NAME(few8_two)(const avss_few *a, int64_t row, int64_t n0, int64_t n1) { NAME(few8_rows)(2, 2, a, row, 2, n0, n1); }
TARGET static void NAME(few8_four)(const avss_few *a, int64_t row, int64_t rows, int64_t n0, int64_t n1) {
  NAME(few8_rows)(1, 4, a, row, rows, n0, n1);
}

TARGET void NAME(op_multiply_few_int8)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_few *a = arguments;
  const int64_t rows = a->x.rows, together = rows > 4 ? 8 : to - from; /* as in product_few.c */
  (void)scratch;
  for (int64_t n0 = from; n0 < to; n0 += together) {
    const int64_t n1 = least(n0 + together, to);
    for (int64_t row = 0; row < rows;) {
      const int64_t left = rows - row;
      if (left > 2) NAME(few8_four)(a, row, least(left, 4), n0, n1);
      else if (left == 2) NAME(few8_two)(a, row, n0, n1);
      else NAME(few8_one)(a, row, n0, n1);
      row += left > 2 ? 4 : left;
    }
  }
}
#endif
