/* Products of few rows by integers (product_few_int8.c) in vectors of 512 bits, by VPDPBUSD, which adds four products of an unsigned and a signed
 * byte to a 32-bit sum. 256 values of a stored row become four vectors of codes, in the order in which the type's bytes give them most cheaply;
 * the activations are brought into that order once a call.
 *
 * An output is a chain of fused products a lane over its vectors, in order, and one of its offsets; at the end lanes are added in one order
 * (total). So its bits depend neither on its neighbours nor on how many rows there are. Four outputs × 1 row, 2 × 2 or 1 × 4 are taken together:
 * their chains overlap. Outputs that are taken together come from distant places of the weight, as a processor looks ahead in each page by itself:
 * four streams read memory twice as fast as one. */
#include "blocks.h"
#if AVSS_X86
#include <immintrin.h>

#define VNNI __attribute__((target("avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi2")))
#define ALWAYS VNNI INLINE
#define UNROLL _Pragma("GCC unroll 8")

/* 256 activations in a type's order. */
typedef struct {
  int8_t code[4][64];
  int32_t begin[4][16];     /* what the sums of a vector begin with: what too large codes of weights make too much */
  float scale[16], sum[16]; /* times a vector of factors: of blocks below and of their offsets above, or of halves of blocks */
} arranged;

/* How a type's vectors of codes lie: vector v holds blocks[v][0] and then blocks[v][1]; or, where both are one, vectors 0 and 1 the first and the
 * last halves of blocks 0 to 3, vectors 2 and 3 those of blocks 4 to 7. */
typedef struct {
  int8_t halves;  /* of 32 values have scales of their own */
  uint8_t above; /* by how much codes are too large */
  int8_t blocks[4][2];
} code_order;

static const code_order orders[AVSS_TYPES] = {
    [AVSS_Q4_0] = {0, 8, {{0}}},
    [AVSS_Q4_1] = {0, 0, {{0}}},
    [AVSS_Q5_0] = {0, 16, {{0}}},
    [AVSS_Q5_1] = {0, 0, {{0}}},
    [AVSS_Q8_0] = {0, 128, {{0, 1}, {2, 3}, {4, 5}, {6, 7}}},
    [AVSS_Q2_K] = {1, 0, {{0, 4}, {1, 5}, {2, 6}, {3, 7}}},
    [AVSS_Q3_K] = {1, 4, {{0, 4}, {1, 5}, {2, 6}, {3, 7}}},
    [AVSS_Q4_K] = {0, 0, {{0, 2}, {1, 3}, {4, 6}, {5, 7}}},
    [AVSS_Q5_K] = {0, 0, {{0, 2}, {1, 3}, {4, 6}, {5, 7}}},
    [AVSS_Q6_K] = {1, 32, {{0, 1}, {2, 3}, {4, 5}, {6, 7}}},
};
enum { AHEAD = 2048 }; /* bytes that memory is asked for before they are read */
// /* bytes that memory is asked for before they are read */
#define SPLIT(type) (orders[type].blocks[0][0] == orders[type].blocks[0][1])

static void arrange(int32_t type, const quantised *x, arranged *to) {
  const code_order *order = &orders[type];
  memset(to->scale, 0, sizeof to->scale);
  memset(to->sum, 0, sizeof to->sum);
  if (order->halves) {
    memcpy(to->scale, x->half_scale, sizeof x->half_scale);
    memcpy(to->sum, x->half_sum, sizeof x->half_sum);
  } else {
    memcpy(to->scale, x->scale, sizeof x->scale);
    memcpy(to->sum + 8, x->sum, sizeof x->sum);
  }
  for (int v = 0; v < 4; v++)
    for (int part = 0; part < 4; part++) { /* sixteen values */
      const int from = SPLIT(type) ? 2 * (v / 2 * 4 + part) + v % 2 : 2 * order->blocks[v][part / 2] + part % 2;
      memcpy(to->code[v] + 16 * part, x->code + 16 * from, 16);
      for (int i = 0; i < 4; i++) {
        const int32_t less = order->above * x->less[4 * from + i];
        if (SPLIT(type) && v % 2) to->begin[v - 1][4 * part + i] += less; /* two vectors make one sum */
        else to->begin[v][4 * part + i] = less;
      }
    }
}

/* Outputs and the rows that their weights meet; place = output·rows + row. */
typedef struct {
  const uint8_t *b[4];  /* an output: the 256 values in work */
  const arranged *x[4]; /* a row: likewise */
  int64_t blocks;       /* of 32 that are there */
  __mmask16 present;    /* their scales, and their offsets above */
  __m512 sum[4], offsets[4];
} places;

/* The scales of vector v in its lanes. */
ALWAYS __m512 spread(const int type, const int v, __m512 scales) {
  const int p = orders[type].blocks[v][0], q = orders[type].blocks[v][1], f = v / 2 * 4;
  __m512i at;
  if (SPLIT(type)) at = _mm512_setr_epi32(f, f, f, f, f + 1, f + 1, f + 1, f + 1, f + 2, f + 2, f + 2, f + 2, f + 3, f + 3, f + 3, f + 3);
  else if (!orders[type].halves) at = _mm512_setr_epi32(p, p, p, p, p, p, p, p, q, q, q, q, q, q, q, q);
  else at = _mm512_add_epi32(_mm512_slli_epi32(_mm512_setr_epi32(p, p, p, p, p, p, p, p, q, q, q, q, q, q, q, q), 1),
                             _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1));
  return _mm512_permutexvar_ps(at, scales);
}

/* Vectors `from` to `to` of an output's codes with the rows, whose scales are there already. */
ALWAYS void meet(const int type, const int o, const int rows, places *p, const __m512i *code, const __m512 *scale, const int from, const int to) {
UNROLL
  for (int r = 0; r < rows; r++) {
    const arranged *x = p->x[r];
UNROLL
    for (int v = from; v < to; v += SPLIT(type) ? 2 : 1) {
      __m512i s = orders[type].above ? _mm512_loadu_si512(x->begin[v]) : _mm512_setzero_si512();
      s = _mm512_dpbusd_epi32(s, code[v], _mm512_loadu_si512(x->code[v]));
      if (SPLIT(type)) s = _mm512_dpbusd_epi32(s, code[v + 1], _mm512_loadu_si512(x->code[v + 1]));
      p->sum[o * rows + r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s), spread(type, v, scale[r]), p->sum[o * rows + r]);
    }
  }
}

/* An output's factors with the rows: scales; and offsets, which stand above the scales or in a vector of their own. */
ALWAYS void factor(const int o, const int rows, places *p, __m512 factors, const int offsets, __m512 apart, __m512 *scale) {
UNROLL
  for (int r = 0; r < rows; r++) {
    scale[r] = _mm512_mul_ps(factors, _mm512_loadu_ps(p->x[r]->scale));
    if (offsets) p->offsets[o * rows + r] = _mm512_fmadd_ps(offsets > 1 ? apart : factors, _mm512_loadu_ps(p->x[r]->sum), p->offsets[o * rows + r]);
  }
}

ALWAYS __m512i load(const uint8_t *b) { return _mm512_loadu_si512(b); }
ALWAYS __m512i twice(const uint8_t *b) { return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)b)); }
ALWAYS __m512i low_halves(__m512i c) { return _mm512_and_si512(c, _mm512_set1_epi8(15)); }
ALWAYS __m512i high_halves(__m512i c) { return low_halves(_mm512_srli_epi16(c, 4)); }
/* c, and the bits of `bits` under a mask. */
ALWAYS __m512i with(__m512i c, __m512i bits, const int mask) { return _mm512_ternarylogic_epi64(c, bits, _mm512_set1_epi8((char)mask), 0xf8); }
/* The words of a that `at` names, in the first places; the others stay. */
ALWAYS __m512i words(__m512i others, const __mmask32 places, const int16_t *at, __m512i a) {
  return _mm512_mask_permutexvar_epi16(others, places, _mm512_loadu_si512(at), a);
}
/* Factors of the blocks that are there, of which nothing is known beyond them. */
ALWAYS __m512 widened(const places *p, __m512i halves) { return _mm512_maskz_cvtph_ps(p->present, _mm512_castsi512_si256(halves)); }
/* The fifth bits of four blocks, whose words stand `apart` bytes from another, put to codes of first halves and of last ones. */
ALWAYS void fifth(const uint8_t *b, const int apart, __m512i *first, __m512i *last) {
  const uint64_t a = word_at(b) | (uint64_t)word_at(b + apart) << 32, c = word_at(b + 2 * apart) | (uint64_t)word_at(b + 3 * apart) << 32;
  const uint64_t low = 0x0000ffff0000ffff;
  const __mmask64 of_first = _pext_u64(a, low) | _pext_u64(c, low) << 32, of_last = _pext_u64(a, ~low) | _pext_u64(c, ~low) << 32;
  *first = _mm512_mask_add_epi8(*first, of_first, *first, _mm512_set1_epi8(16));
  *last = _mm512_mask_add_epi8(*last, of_last, *last, _mm512_set1_epi8(16));
}
/* Lower and upper 256 bits turned left by so many bits in words of 64. */
ALWAYS __m512i turned(__m512i v, const int lower, const int upper) {
  const int64_t l = lower & 63, u = upper & 63;
  return _mm512_rolv_epi64(v, _mm512_setr_epi64(l, l, l, l, u, u, u, u));
}

/* What an output does with 256 of its values: a type a function. */
#define OF(name) ALWAYS void of_##name(const int o, const int rows, places *p)
#define NONE _mm512_setzero_ps()

OF(q4_0) { /* blocks of 9 words: a factor, eight of codes */
  static const int16_t codes[32] = {1,  2,  3,  4,  5,  6,  7,  8,  10, 11, 12, 13, 14, 15, 16, 17,
                                    19, 20, 21, 22, 23, 24, 25, 26, 24, 25, 26, 27, 28, 29, 30, 31}; /* the last eight of what is loaded 4 words on */
  static const int16_t factors[32] = {0, 9, 18, 27, 0, 9, 18, 27};
  const uint8_t *b = p->b[o];
  const __m512i a0 = load(b), a1 = load(b + 72);
  const __m512i c0 = words(words(a0, ~0u, codes, a0), 0xff000000, codes, load(b + 8));
  __m512i code[4] = {low_halves(c0), high_halves(c0)};
  __m512 scale[4];
  factor(o, rows, p, widened(p, words(words(_mm512_setzero_si512(), 0xf, factors, a0), 0xf0, factors, a1)), 0, NONE, scale);
  meet(AVSS_Q4_0, o, rows, p, code, scale, 0, 2);
  if (p->blocks <= 4) return;
  const __m512i c1 = words(words(a1, ~0u, codes, a1), 0xff000000, codes, load(b + 80));
  code[2] = low_halves(c1);
  code[3] = high_halves(c1);
  meet(AVSS_Q4_0, o, rows, p, code, scale, 2, 4);
}
OF(q4_1) { /* blocks of 5 double words: two factors, four of codes */
  const __m512i codes = _mm512_setr_epi32(1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 28, 29, 30, 31);
  static const int16_t factors[32] = {0, 10, 20, 30, 0, 10, 20, 30, 1, 11, 21, 31, 1, 11, 21, 31};
  const uint8_t *b = p->b[o];
  const __m512i a0 = load(b), a1 = load(b + 80);
  const __m512i c0 = _mm512_permutex2var_epi32(a0, codes, load(b + 16));
  __m512i code[4] = {low_halves(c0), high_halves(c0)};
  __m512 scale[4];
  factor(o, rows, p, widened(p, words(words(a0, 0x0f0f, factors, a0), 0xf0f0, factors, a1)), 1, NONE, scale);
  meet(AVSS_Q4_1, o, rows, p, code, scale, 0, 2);
  if (p->blocks <= 4) return;
  const __m512i c1 = _mm512_permutex2var_epi32(a1, codes, load(b + 96));
  code[2] = low_halves(c1);
  code[3] = high_halves(c1);
  meet(AVSS_Q4_1, o, rows, p, code, scale, 2, 4);
}
OF(q5_0) { /* blocks of 11 words: a factor, two of fifth bits, eight of codes */
  static const int16_t codes[32] = {3,  4,  5,  6,  7,  8,  9,  10, 14, 15, 16, 17, 18, 19, 20, 21,
                                    13, 14, 15, 16, 17, 18, 19, 20, 24, 25, 26, 27, 28, 29, 30, 31}; /* the last sixteen: loaded 12 words on */
  static const int16_t factors[32] = {0, 11, 22, 21, 0, 11, 22, 21};
  const uint8_t *b = p->b[o];
  const __m512i a0 = load(b), b0 = load(b + 24), a1 = load(b + 88), b1 = load(b + 112);
  const __m512i c0 = words(words(a0, 0xffff, codes, a0), 0xffff0000, codes, b0);
  __m512i code[4] = {low_halves(c0), high_halves(c0)};
  __m512 scale[4];
  fifth(b + 2, 22, code, code + 1);
  const __m512i d = words(words(words(words(_mm512_setzero_si512(), 0x7, factors, a0), 0x8, factors, b0), 0x70, factors, a1), 0x80, factors, b1);
  factor(o, rows, p, widened(p, d), 0, NONE, scale);
  meet(AVSS_Q5_0, o, rows, p, code, scale, 0, 2);
  if (p->blocks <= 4) return;
  const __m512i c1 = words(words(a1, 0xffff, codes, a1), 0xffff0000, codes, b1);
  code[2] = low_halves(c1);
  code[3] = high_halves(c1);
  fifth(b + 90, 22, code + 2, code + 3);
  meet(AVSS_Q5_0, o, rows, p, code, scale, 2, 4);
}
OF(q5_1) { /* blocks of 6 double words: two factors, fifth bits, four of codes */
  const __m512i codes = _mm512_setr_epi32(2, 3, 4, 5, 8, 9, 10, 11, 22, 23, 24, 25, 28, 29, 30, 31);
  static const int16_t factors[32] = {0, 12, 24, 20, 0, 12, 24, 20, 1, 13, 25, 21, 1, 13, 25, 21};
  const uint8_t *b = p->b[o];
  const __m512i a0 = load(b), b0 = load(b + 32), a1 = load(b + 96), b1 = load(b + 128);
  const __m512i c0 = _mm512_permutex2var_epi32(a0, codes, b0);
  __m512i code[4] = {low_halves(c0), high_halves(c0)};
  __m512 scale[4];
  fifth(b + 4, 24, code, code + 1);
  const __m512i d = words(words(words(words(a0, 0x0707, factors, a0), 0x0808, factors, b0), 0x7070, factors, a1), 0x8080, factors, b1);
  factor(o, rows, p, widened(p, d), 1, NONE, scale);
  meet(AVSS_Q5_1, o, rows, p, code, scale, 0, 2);
  if (p->blocks <= 4) return;
  const __m512i c1 = _mm512_permutex2var_epi32(a1, codes, b1);
  code[2] = low_halves(c1);
  code[3] = high_halves(c1);
  fifth(b + 100, 24, code + 2, code + 3);
  meet(AVSS_Q5_1, o, rows, p, code, scale, 2, 4);
}
OF(q8_0) { /* blocks of 17 words: a factor, sixteen of codes */
  static const int16_t factors[32] = {0, 17, 0, 17, 0, 17, 0, 17};
  const uint8_t *b = p->b[o];
  __m512i code[4], d = _mm512_setzero_si512();
  __m512 scale[4];
UNROLL
  for (int v = 0; v < 4; v++) d = words(d, 3u << 2 * v, factors, load(b + 68 * v));
  factor(o, rows, p, widened(p, d), 0, NONE, scale);
UNROLL
  for (int v = 0; v < 4; v++) {
    if (v == 2 && p->blocks <= 4) return;
    const __m256i first = _mm256_loadu_si256((const __m256i *)(b + 68 * v + 2)), last = _mm256_loadu_si256((const __m256i *)(b + 68 * v + 36));
    code[v] = _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(first), last, 1), _mm512_set1_epi8((char)0x80));
    meet(AVSS_Q8_0, o, rows, p, code, scale, v, v + 1);
  }
}
/* d, or minus d, of a block of 256 in every lane. */
ALWAYS __m512 lone(const uint8_t *b) { return _mm512_set1_ps(_cvtsh_ss((unsigned short)(b[0] | b[1] << 8))); }
OF(q2_k) {
  const uint8_t *b = p->b[o];
  const __m512i q = load(b + 16), three = _mm512_set1_epi8(3);
  const __m128i both = _mm_loadu_si128((const __m128i *)b), fifteen = _mm_set1_epi8(15);
  const __m512i code[4] = {_mm512_and_si512(q, three), _mm512_and_si512(_mm512_srli_epi16(q, 2), three),
                           _mm512_and_si512(_mm512_srli_epi16(q, 4), three), _mm512_and_si512(_mm512_srli_epi16(q, 6), three)};
  const __m512 s = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_and_si128(both, fifteen)));
  const __m512 m = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_and_si128(_mm_srli_epi16(both, 4), fifteen)));
  __m512 scale[4];
  factor(o, rows, p, _mm512_mul_ps(s, lone(b + 80)), 2, _mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(m, lone(b + 82))), scale);
  meet(AVSS_Q2_K, o, rows, p, code, scale, 0, 4);
}
OF(q3_k) {
  const uint8_t *b = p->b[o];
  const __m512i q = load(b + 32), mask = twice(b), three = _mm512_set1_epi8(3);
  const __m512i code[4] = {with(_mm512_and_si512(q, three), turned(mask, 2, -2), 4),
                           with(_mm512_and_si512(_mm512_srli_epi16(q, 2), three), turned(mask, 1, -3), 4),
                           with(_mm512_and_si512(_mm512_srli_epi16(q, 4), three), turned(mask, 0, -4), 4),
                           with(_mm512_and_si512(_mm512_srli_epi16(q, 6), three), turned(mask, -1, -5), 4)};
  int8_t scales[16];
  __m512 scale[4];
  six_bit_scales(b + 96, scales);
  const __m512 s = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)scales)));
  factor(o, rows, p, _mm512_mul_ps(s, lone(b + 108)), 0, NONE, scale);
  meet(AVSS_Q3_K, o, rows, p, code, scale, 0, 4);
}
/* The eight scales of a Q4_K or Q5_K block, and its eight offsets. */
ALWAYS __m512 scales_of_k(const uint8_t *b) {
  uint64_t s, m;
  scales_and_minima(b + 4, &s, &m);
  const __m512 both = _mm512_castps128_ps512(_mm_xor_ps(_mm_cvtph_ps(_mm_cvtsi32_si128((int)word_at(b))), _mm_setr_ps(0, -0.0f, 0, 0)));
  const __m512i at = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_set_epi64x((long long)m, (long long)s))), _mm512_permutexvar_ps(at, both));
}
OF(q4_k) {
  const uint8_t *b = p->b[o];
  const __m512i c0 = load(b + 16), c1 = load(b + 80);
  const __m512i code[4] = {low_halves(c0), high_halves(c0), low_halves(c1), high_halves(c1)};
  __m512 scale[4];
  factor(o, rows, p, scales_of_k(b), 1, NONE, scale);
  meet(AVSS_Q4_K, o, rows, p, code, scale, 0, 4);
}
OF(q5_k) {
  const uint8_t *b = p->b[o];
  const __m512i c0 = load(b + 48), c1 = load(b + 112), bits = twice(b + 16);
  const __m512i code[4] = {with(low_halves(c0), turned(bits, 4, 2), 16), with(high_halves(c0), turned(bits, 3, 1), 16),
                           with(low_halves(c1), turned(bits, 0, -2), 16), with(high_halves(c1), turned(bits, -1, -3), 16)};
  __m512 scale[4];
  factor(o, rows, p, scales_of_k(b), 1, NONE, scale);
  meet(AVSS_Q5_K, o, rows, p, code, scale, 0, 4);
}
OF(q6_k) { /* 128 values have 64 bytes of low halves and 32 of high bits */
  const uint8_t *b = p->b[o];
  const __m512i c0 = load(b), c1 = load(b + 64), h0 = twice(b + 128), h1 = twice(b + 160);
  const __m512i code[4] = {with(low_halves(c0), turned(h0, 4, 2), 48), with(high_halves(c0), turned(h0, 0, -2), 48),
                           with(low_halves(c1), turned(h1, 4, 2), 48), with(high_halves(c1), turned(h1, 0, -2), 48)};
  __m512 scale[4];
  const __m512 s = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(b + 192))));
  factor(o, rows, p, _mm512_mul_ps(s, lone(b + 208)), 0, NONE, scale);
  meet(AVSS_Q6_K, o, rows, p, code, scale, 0, 4);
}

/* The four places' sums. */
ALWAYS __m128 totals(const places *p) {
  __m256 y[4];
UNROLL
  for (int i = 0; i < 4; i++) {
    const __m512 s = _mm512_add_ps(p->sum[i], p->offsets[i]);
    y[i] = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
  }
  const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(y[0], y[1]), _mm256_hadd_ps(y[2], y[3]));
  return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}

/* The last stored row that a weight has. */
static int64_t last_row(const avss_weight *w) {
  int64_t row = w->segment_count ? 0 : w->out - 1;
  for (int64_t s = 0; s < w->segment_count; s++)
    if (w->segments[2 * s + 1] > 0) row = most(row, w->segments[2 * s] + w->segments[2 * s + 1] - 1);
  return row;
}

/* Outputs n0..n1 of `rows` rows from `row` on, of which `present` are different: the others are the last one again. So it is with the outputs that
 * are taken together. */
ALWAYS void of_rows(const int outputs, const int rows, const avss_few *a, const arranged *x, int64_t row, int64_t present, int64_t n0, int64_t n1) {
  const avss_weight *w = &a->w;
  const int64_t groups = (w->in + GROUP - 1) / GROUP, bytes = GROUP / block_values[w->type] * block_bytes[w->type];
  const int64_t left = w->in % GROUP / 32; /* blocks behind whole groups */
  const int64_t apart = (n1 - n0 + outputs - 1) / outputs;
  /* Whole groups are read; the weight's last rows, behind which nothing may be, from a copy. */
  const uint8_t *end = w->data + weight_offset(w, last_row(w), 0) + weight_offset(w, 0, w->in);
  uint8_t copy[4][320] __attribute__((aligned(64)));
  memset(copy, 0, sizeof copy);
  places p;
  switch (w->type) {
#define OUTPUTS(type, name)                                                                                                               \
  case type:                                                                                                                              \
    for (int64_t n = n0; n < n0 + apart; n++) {                                                                                           \
      UNROLL                                                                                                                              \
      for (int o = 0; o < outputs; o++) p.b[o] = w->data + weight_offset(w, weight_row(w, least(n + o * apart, n1 - 1)), 0);              \
      UNROLL                                                                                                                              \
      for (int r = 0; r < rows; r++) p.x[r] = x + (row + least(r, present - 1)) * groups;                                                 \
      p.blocks = 8;                                                                                                                       \
      p.present = 0xffff;                                                                                                                 \
      UNROLL                                                                                                                              \
      for (int i = 0; i < 4; i++) p.sum[i] = p.offsets[i] = _mm512_setzero_ps();                                                          \
      for (int64_t g = 0; g < groups; g++) {                                                                                              \
        if (left && g == groups - 1) {                                                                                                    \
          p.blocks = left;                                                                                                                \
          p.present = (__mmask16)(0x101 * ((1 << left) - 1));                                                                             \
          UNROLL                                                                                                                          \
          for (int o = 0; o < outputs; o++)                                                                                               \
            if (end - p.b[o] < (int64_t)sizeof copy[o]) {                                                                                 \
              memcpy(copy[o], p.b[o], (size_t)(left * block_bytes[type]));                                                                \
              p.b[o] = copy[o];                                                                                                           \
            }                                                                                                                             \
        }                                                                                                                                 \
        UNROLL                                                                                                                            \
        for (int o = 0; o < outputs; o++) {                                                                                               \
          for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(p.b[o] + AHEAD + i);                                                 \
          of_##name(o, rows, &p);                                                                                                         \
          p.b[o] += bytes;                                                                                                                \
        }                                                                                                                                 \
        UNROLL                                                                                                                            \
        for (int r = 0; r < rows; r++) p.x[r]++;                                                                                          \
      }                                                                                                                                   \
      float total[4];                                                                                                                     \
      _mm_storeu_ps(total, totals(&p));                                                                                                   \
      for (int i = 0; i < 4; i++)                                                                                                         \
        if (n + i / rows * apart < n1 && i % rows < present)                                                                              \
          a->dst.data[(row + i % rows) * a->dst.stride + n + i / rows * apart] = total[i] + (a->bias ? a->bias[n + i / rows * apart] : 0);\
    }                                                                                                                                     \
    break;
    EACH_CODED_TYPE(OUTPUTS)
#undef OUTPUTS
  }
}
VNNI static void of_one(const avss_few *a, const arranged *x, int64_t row, int64_t n0, int64_t n1) { of_rows(4, 1, a, x, row, 1, n0, n1); }
VNNI static void of_two(const avss_few *a, const arranged *x, int64_t row, int64_t n0, int64_t n1) { of_rows(2, 2, a, x, row, 2, n0, n1); }
VNNI static void of_four(const avss_few *a, const arranged *x, int64_t row, int64_t rows, int64_t n0, int64_t n1) {
  of_rows(1, 4, a, x, row, rows, n0, n1);
}

VNNI void op_multiply_few_int8_avx512vnni(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_few *a = arguments;
  const int64_t rows = a->x.rows, groups = (a->w.in + GROUP - 1) / GROUP;
  const int64_t together = rows > 4 ? 8 : to - from; /* outputs whose weights stay in the first cache until all rows have met them */
  arranged *x = scratch;
  for (int64_t i = 0; i < rows * groups; i++) arrange(a->w.type, (const quantised *)a->quantised + i, x + i);
  for (int64_t n0 = from; n0 < to; n0 += together) {
    const int64_t n1 = least(n0 + together, to);
    for (int64_t row = 0; row < rows;) {
      const int64_t left = rows - row;
      if (left > 2) of_four(a, x, row, least(left, 4), n0, n1);
      else if (left == 2) of_two(a, x, row, n0, n1);
      else of_one(a, x, row, n0, n1);
      row += left > 2 ? 4 : left;
    }
  }
}
#endif

int64_t scratch_multiply_few_int8(const void *arguments) {
#if AVSS_X86
  const avss_few *a = arguments;
  return a->x.rows * ((a->w.in + GROUP - 1) / GROUP) * (int64_t)sizeof(arranged);
#else
  (void)arguments;
  return 0;
#endif
}
