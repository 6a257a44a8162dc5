/* Products of few rows: what a step of generation is made of, where reading the weights is the work. A stored row of the weight is read once,
 * where it lies, one value after another; 32 of its values at a time are widened in registers and meet up to eight rows of x. Nothing is
 * packed.
 * An output is two chains of fused products a lane, of the vectors with even and with odd numbers counted from the row's start, added at its
 * end: its bits depend on neither its neighbours nor on how many rows there are. They are not those of the packed product (product.c), which
 * sums in ascending order. Where operands are to be rounded to bfloat16, x is rounded before and weights, unless stored so, as they are widened.
 *
 *            rows at once   registers
 *   AVX-512  8              16 sums, 2 weights; x from memory
 *   AVX2     4               8 sums, 4 weights
 *   NEON     4               8 sums, 8 weights */
#ifndef BODY
#include "blocks.h"
#include <string.h>

enum { UNIT = 32, WIDENED = 256 }; /* values that are widened in registers together, and in memory where a type has no such code */

/* Rounded rows of x, each a whole number of cache lines. */
static inline int64_t rounded_stride(const avss_few *a) { return (a->x.cols + 15) / 16 * 16; }
int64_t scratch_multiply_few(const void *arguments) {
  const avss_few *a = arguments;
  return a->bf16 ? a->x.rows * rounded_stride(a) * (int64_t)sizeof(float) : 0;
}

#define BODY "product_few.c"
#include "each_isa.h"
#else
#include "block_codes.h"

/* What is unrolled: everything that stands in vector registers. */
#undef UNROLL
#if LANES > 1
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

/* The factors with which a block of 32 values begins. */
TARGET INLINE void NAME(own_factors)(const uint8_t *b, float *d, float *m) {
#if LANES == 16 || LANES == 8
  const __m128 f = _mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)b)); /* blocks are longer than these eight bytes */
  *d = _mm_cvtss_f32(f);
  *m = _mm_cvtss_f32(_mm_movehdup_ps(f));
#else
  *d = half(b);
  *m = half(b + 2);
#endif
}

#if LANES == 16
/* Sixteen bytes of two codes each as indices of a table of sixteen values, which look at their last four bits alone: the low codes, or the
 * high ones. */
TARGET INLINE __m512i NAME(indices)(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
TARGET INLINE __m512i NAME(high_indices)(__m512i codes) { return _mm512_srli_epi32(codes, 4); }
/* What codes of four bits stand for: (code − less)·d, plus m where shifted; rounded as the formats have it. */
TARGET INLINE vf NAME(table)(const float less, float d, const int shifted, float m) {
  const vf codes = _mm512_setr_ps(0 - less, 1 - less, 2 - less, 3 - less, 4 - less, 5 - less, 6 - less, 7 - less, 8 - less, 9 - less, 10 - less,
                                  11 - less, 12 - less, 13 - less, 14 - less, 15 - less);
  const vf scaled = v_mul(codes, v_set(d));
  return shifted ? v_add(scaled, v_set(m)) : scaled;
}
#endif

enum { NAME(VECTORS) = UNIT / LANES };

/* The rows that a weight meets, and their sums. */
typedef struct {
  const float *x[8];
  vf sum[8][2];
  int round; /* the weight's values to bfloat16 */
} NAME(meeting);

/* 32 values of the weight with those of the rows from k on. */
TARGET INLINE void NAME(meet)(const int rows, NAME(meeting) *t, vf *w, int64_t k) {
  if (__builtin_expect(t->round, 0))
UNROLL
    for (int v = 0; v < NAME(VECTORS); v++) w[v] = v_bf16(w[v]);
UNROLL
  for (int i = 0; i < rows; i++)
UNROLL
    for (int v = 0; v < NAME(VECTORS); v++) t->sum[i][v & 1] = v_fma(w[v], v_load(t->x[i] + k + v * LANES), t->sum[i][v & 1]);
}

/* Codes times a scale, plus an offset where there is one; the first and the last sixteen have their own. */
TARGET INLINE void NAME(scaled)(ct c, float s0, float s1, const int shifted, float o0, float o1, vf *w) {
  NAME(c_widen)(c, w);
UNROLL
  for (int v = 0; v < NAME(VECTORS); v++) {
    w[v] = v_mul(w[v], v_set(v * LANES < 16 ? s0 : s1));
    if (shifted) w[v] = v_add(w[v], v_set(v * LANES < 16 ? o0 : o1));
  }
}

/* Asks memory for what is read next. A processor's own looking ahead is not enough for so little reading an instruction: what it reaches alone is
 * a quarter of the memory's speed. */
enum { NAME(AHEAD) = 3072 };
TARGET INLINE void NAME(ahead)(const uint8_t *b, const int bytes) {
  for (int i = 0; i < bytes; i += 64) __builtin_prefetch(b + NAME(AHEAD) + i);
}

/* A stored row of n values from byte b on, a type a function. */
#define EACH_BLOCK(name, values, bytes)                                                                                                   \
  TARGET INLINE void NAME(few_##name)(const int rows, NAME(meeting) *t, const uint8_t *b, int64_t n) {                                    \
    vf w[NAME(VECTORS)];                                                                                                                  \
    for (int64_t k = 0; k < n; k += values, b += bytes, NAME(ahead)(b, bytes))

EACH_BLOCK(q4_0, 32, 18) {
  float d, m;
  NAME(own_factors)(b, &d, &m);
#if LANES == 16
  const __m512i codes = NAME(indices)(b + 2);
  const vf table = NAME(table)(8, d, 0, 0);
  w[0] = _mm512_permutexvar_ps(codes, table);
  w[1] = _mm512_permutexvar_ps(NAME(high_indices)(codes), table);
#else
  NAME(scaled)(NAME(c_less)(NAME(codes_q4_0)(b, 0, 0), 8), d, d, 0, 0, 0, w);
#endif
  NAME(meet)(rows, t, w, k);
}}
EACH_BLOCK(q4_1, 32, 20) {
  float d, m;
  NAME(own_factors)(b, &d, &m);
#if LANES == 16
  const __m512i codes = NAME(indices)(b + 4);
  const vf table = NAME(table)(0, d, 1, m);
  w[0] = _mm512_permutexvar_ps(codes, table);
  w[1] = _mm512_permutexvar_ps(NAME(high_indices)(codes), table);
#else
  NAME(scaled)(NAME(codes_q4_1)(b, 0, 0), d, d, 1, m, m, w);
#endif
  NAME(meet)(rows, t, w, k);
}}
EACH_BLOCK(q5_0, 32, 22) {
  float d, m;
  NAME(own_factors)(b, &d, &m);
#if LANES == 16
  const uint32_t high = word_at(b + 2);
  const __m512i codes = NAME(indices)(b + 6);
  const vf table = NAME(table)(16, d, 0, 0), fifth = v_set(16 * d); /* the products and their sums are exact */
  w[0] = _mm512_permutexvar_ps(codes, table);
  w[1] = _mm512_permutexvar_ps(NAME(high_indices)(codes), table);
  w[0] = _mm512_mask_add_ps(w[0], (__mmask16)high, w[0], fifth);
  w[1] = _mm512_mask_add_ps(w[1], (__mmask16)(high >> 16), w[1], fifth);
#else
  NAME(scaled)(NAME(c_less)(NAME(codes_q5_0)(b, 0, 0), 16), d, d, 0, 0, 0, w);
#endif
  NAME(meet)(rows, t, w, k);
}}
EACH_BLOCK(q5_1, 32, 24) {
  float d, m;
  NAME(own_factors)(b, &d, &m);
  NAME(scaled)(NAME(codes_q5_1)(b, 0, 0), d, d, 1, m, m, w);
  NAME(meet)(rows, t, w, k);
}}
EACH_BLOCK(q8_0, 32, 34) {
  float d, m;
  NAME(own_factors)(b, &d, &m);
  NAME(scaled)(NAME(codes_q8_0)(b, 0, 0), d, d, 0, 0, 0, w);
  NAME(meet)(rows, t, w, k);
}}
EACH_BLOCK(q2_k, 256, 84) {
  const float d = NAME(half_of)(b + 80), low = NAME(half_of)(b + 82);
UNROLL
  for (int j = 0; j < 8; j++) {
    const uint8_t s0 = b[2 * j], s1 = b[2 * j + 1];
    NAME(scaled)(NAME(codes_q2_k)(b, j / 4, j % 4), d * (float)(s0 & 15), d * (float)(s1 & 15), 1,
                 -(low * (float)(s0 >> 4)), -(low * (float)(s1 >> 4)), w);
    NAME(meet)(rows, t, w, k + UNIT * j);
  }
}}
EACH_BLOCK(q3_k, 256, 110) {
  const float d = NAME(half_of)(b + 108);
  int8_t scales[16];
  six_bit_scales(b + 96, scales);
UNROLL
  for (int j = 0; j < 8; j++) {
    NAME(scaled)(NAME(c_less)(NAME(codes_q3_k)(b, j / 4, j % 4), 4), d * (float)scales[2 * j], d * (float)scales[2 * j + 1], 0, 0, 0, w);
    NAME(meet)(rows, t, w, k + UNIT * j);
  }
}}
EACH_BLOCK(q4_k, 256, 144) {
  const float d = NAME(half_of)(b), low = NAME(half_of)(b + 2);
UNROLL
  for (int j = 0; j < 8; j++) {
    uint8_t scale, minimum;
    scale_min(j, b + 4, &scale, &minimum);
    const float s = d * (float)scale, m = -(low * (float)minimum);
#if LANES == 16
    const uint8_t *q = b + 16 + j / 2 * 32;
    const __m512i first = NAME(indices)(q), last = NAME(indices)(q + 16);
    const vf table = NAME(table)(0, s, 1, m);
    w[0] = _mm512_permutexvar_ps(j % 2 ? NAME(high_indices)(first) : first, table);
    w[1] = _mm512_permutexvar_ps(j % 2 ? NAME(high_indices)(last) : last, table);
#else
    NAME(scaled)(NAME(codes_q4_k)(b, j / 2, j % 2), s, s, 1, m, m, w);
#endif
    NAME(meet)(rows, t, w, k + UNIT * j);
  }
}}
EACH_BLOCK(q5_k, 256, 176) {
  const float d = NAME(half_of)(b), low = NAME(half_of)(b + 2);
UNROLL
  for (int j = 0; j < 8; j++) {
    uint8_t scale, minimum;
    scale_min(j, b + 4, &scale, &minimum);
    const float s = d * (float)scale, m = -(low * (float)minimum);
    NAME(scaled)(NAME(codes_q5_k)(b, j / 2, j % 2), s, s, 1, m, m, w);
    NAME(meet)(rows, t, w, k + UNIT * j);
  }
}}
EACH_BLOCK(q6_k, 256, 210) {
  const float d = NAME(half_of)(b + 208);
  const int8_t *scales = (const int8_t *)(b + 192);
UNROLL
  for (int j = 0; j < 8; j++) {
    NAME(scaled)(NAME(c_less)(NAME(codes_q6_k)(b, j / 4, j % 4), 32), d * (float)scales[2 * j], d * (float)scales[2 * j + 1], 0, 0, 0, w);
    NAME(meet)(rows, t, w, k + UNIT * j);
  }
}}
#undef EACH_BLOCK

/* Values without blocks. The last of a row that do not fill a unit are filled up with zeros. */
TARGET INLINE void NAME(few_values)(const int rows, NAME(meeting) *t, const int type, const uint8_t *b, int64_t n) {
  vf w[NAME(VECTORS)];
  int64_t k = 0;
  for (; k + UNIT <= n; k += UNIT) {
UNROLL
    for (int v = 0; v < NAME(VECTORS); v++) {
      const uint8_t *p = b + (k + v * LANES) * (type == AVSS_F32 ? 4 : 2);
#if LANES == 16
      if (type == AVSS_F32) w[v] = _mm512_loadu_ps(p);
      else if (type == AVSS_F16) w[v] = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
      else w[v] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
#elif LANES == 8
      if (type == AVSS_F32) w[v] = _mm256_loadu_ps((const float *)p);
      else if (type == AVSS_F16) w[v] = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
      else w[v] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
#elif LANES == 4
      if (type == AVSS_F32) w[v] = vreinterpretq_f32_u8(vld1q_u8(p));
      else if (type == AVSS_F16) w[v] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
      else w[v] = vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
#else
      uint32_t u = 0;
      memcpy(type == AVSS_BF16 ? (char *)&u + 2 : (char *)&u, p, type == AVSS_F32 ? 4 : 2); /* the processor is little-endian */
      if (type == AVSS_F16) w[v] = half(p);
      else memcpy(w + v, &u, 4);
#endif
    }
    NAME(meet)(rows, t, w, k);
    NAME(ahead)(b + k * (type == AVSS_F32 ? 4 : 2), type == AVSS_F32 ? 128 : 64);
  }
  if (k < n) {
    float rest[UNIT] = {0}, last[8][UNIT] = {{0}};
    const float *x[8];
    const avss_weight tail = {b, 0, 0, 1, n, n, type, 0};
    NAME(weight_run)(&tail, 0, k, n - k, rest);
    for (int v = 0; v < NAME(VECTORS); v++) w[v] = v_load(rest + v * LANES);
    for (int i = 0; i < rows; i++) {
      x[i] = t->x[i];
      memcpy(last[i], x[i] + k, (size_t)(n - k) * sizeof(float));
      t->x[i] = last[i];
    }
    NAME(meet)(rows, t, w, 0);
    for (int i = 0; i < rows; i++) t->x[i] = x[i];
  }
}

/* Any other type is widened piece by piece. */
TARGET INLINE void NAME(few_widened)(const int rows, NAME(meeting) *t, const avss_weight *w, int64_t row) {
  float widened[WIDENED];
  const float *x[8];
  for (int i = 0; i < rows; i++) x[i] = t->x[i];
  for (int64_t k = 0; k < w->in; k += WIDENED) {
    const int64_t n = least(WIDENED, w->in - k);
    NAME(weight_run)(w, row, k, n, widened);
    for (int i = 0; i < rows; i++) t->x[i] = x[i] + k;
    NAME(few_values)(rows, t, AVSS_F32, (const uint8_t *)widened, n);
  }
  for (int i = 0; i < rows; i++) t->x[i] = x[i];
}

/* Outputs n0..n1 of `rows` rows, of which `present` are different: the others are the last one again. Where reading is slower than what is done with
 * what was read, outputs are taken from `streams` distant places in turn: a processor looks ahead in each page by itself, and only so far. */
TARGET INLINE void NAME(few_rows)(const int rows, const avss_few *a, int64_t row, int64_t present, int64_t n0, int64_t n1) {
  const avss_weight *w = &a->w;
  NAME(meeting) t;
  t.round = a->bf16 && w->type != AVSS_BF16;
  for (int i = 0; i < rows; i++) t.x[i] = a->x.data + (row + least(i, present - 1)) * a->x.stride;
  float *out = a->dst.data + row * a->dst.stride;
  switch (w->type) {
#define OUTPUTS(type, streams, call)                                                                                                      \
  case type:                                                                                                                              \
    for (int64_t i = 0, apart = (n1 - n0 + streams - 1) / streams; i < streams * apart; i++) {                                            \
      const int64_t n = n0 + i % streams * apart + i / streams;                                                                           \
      if (n >= n1) continue;                                                                                                              \
      const int64_t stored = weight_row(w, n);                                                                                            \
      const uint8_t *b = w->data + weight_offset(w, stored, 0);                                                                           \
      for (int r = 0; r < rows; r++) t.sum[r][0] = t.sum[r][1] = v_zero();                                                                \
      call;                                                                                                                               \
      for (int r = 0; r < present; r++) out[r * a->dst.stride + n] = v_sum(v_add(t.sum[r][0], t.sum[r][1])) + (a->bias ? a->bias[n] : 0); \
      (void)b;                                                                                                                            \
    }                                                                                                                                     \
    break;
    OUTPUTS(AVSS_F32, 4, NAME(few_values)(rows, &t, AVSS_F32, b, w->in))
    OUTPUTS(AVSS_F16, 4, NAME(few_values)(rows, &t, AVSS_F16, b, w->in))
    OUTPUTS(AVSS_BF16, 4, NAME(few_values)(rows, &t, AVSS_BF16, b, w->in))
    OUTPUTS(AVSS_Q4_0, 1, NAME(few_q4_0)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q4_1, 1, NAME(few_q4_1)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q5_0, 1, NAME(few_q5_0)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q5_1, 1, NAME(few_q5_1)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q8_0, 4, NAME(few_q8_0)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q2_K, 1, NAME(few_q2_k)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q3_K, 1, NAME(few_q3_k)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q4_K, 1, NAME(few_q4_k)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q5_K, 1, NAME(few_q5_k)(rows, &t, b, w->in))
    OUTPUTS(AVSS_Q6_K, 1, NAME(few_q6_k)(rows, &t, b, w->in))
    OUTPUTS(AVSS_F64, 1, NAME(few_widened)(rows, &t, w, stored))
    OUTPUTS(AVSS_MXFP4, 1, NAME(few_widened)(rows, &t, w, stored))
#undef OUTPUTS
  }
}

/* Each number of rows has code of its own, whose sums stand in registers. */
TARGET static void NAME(few_one)(const avss_few *a, int64_t row, int64_t n0, int64_t n1) { NAME(few_rows)(1, a, row, 1, n0, n1); }
TARGET static void NAME(few_two)(const avss_few *a, int64_t row, int64_t n0, int64_t n1) { NAME(few_rows)(2, a, row, 2, n0, n1); }
TARGET static void NAME(few_four)(const avss_few *a, int64_t row, int64_t rows, int64_t n0, int64_t n1) {
  NAME(few_rows)(4, a, row, rows, n0, n1);
}
#if LANES == 16
TARGET static void NAME(few_eight)(const avss_few *a, int64_t row, int64_t rows, int64_t n0, int64_t n1) {
  NAME(few_rows)(8, a, row, rows, n0, n1);
}
#endif

/* n values rounded to bfloat16. */
TARGET static void NAME(round_values)(const float *x, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i += LANES) {
    const int64_t left = least(LANES, n - i);
    if (left == LANES) v_store(out + i, v_bf16(v_load(x + i)));
    else v_store_n(out + i, v_bf16(v_load_n(x + i, left)), left);
  }
}

TARGET void NAME(op_multiply_few)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  avss_few own = *(const avss_few *)arguments;
  const avss_few *a = &own;
  /* outputs whose weights stay in the first cache until all rows have met them */
  const int64_t rows = a->x.rows, together = rows > 8 ? 8 : to - from;
  if (a->bf16) {
    const int64_t stride = rounded_stride(a);
    for (int64_t i = 0; i < rows; i++) NAME(round_values)(a->x.data + i * a->x.stride, a->x.cols, (float *)scratch + i * stride);
    own.x.data = scratch, own.x.stride = stride;
  }
  for (int64_t n0 = from; n0 < to; n0 += together) {
    const int64_t n1 = least(n0 + together, to);
    for (int64_t row = 0; row < rows;) {
      const int64_t left = rows - row;
#if LANES == 16
      if (left > 4) {
        NAME(few_eight)(a, row, least(left, 8), n0, n1);
        row += 8;
        continue;
      }
#endif
      if (left > 2) NAME(few_four)(a, row, least(left, 4), n0, n1);
      else if (left == 2) NAME(few_two)(a, row, n0, n1);
      else NAME(few_one)(a, row, n0, n1);
      row += left > 2 ? 4 : left;
    }
  }
}
#endif
