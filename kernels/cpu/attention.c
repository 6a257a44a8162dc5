/* Softmax attention without the matrix of scores: keys in tiles of 256 counted from the start of the sequence (its prefix included), an
 * online softmax between them (Milakov & Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135), both products on the float32
 * micro-kernel. A job is one key head and a block of query rows of one sequence: a key tile is packed once for all query heads that
 * share it. A row's result depends on the keys it sees alone: tiles are fixed by positions, masked scores weigh exactly nothing, and a
 * value that is no finite number is multiplied only with the weights of rows that see it. */
#ifndef BODY
#include "internal.h"
enum { TILE = 256, BLOCK = 84 }; /* keys a tile; query rows a block: whole micro-tiles of 14, 6 and 4 rows */

static inline int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
typedef struct {
  float *keys, *values, *queries, *out, *scores, *weights, *highest, *sum;
} attention_room;
static int64_t lay_out(attention_room *r, const avss_attention *a, float *base) {
  int64_t group = a->heads / a->kv_heads, rows = up(AVSS_QUERY_ROWS, BLOCK), wide = up(a->value_dim, PANEL);
  int64_t at = 0;
  float *room[8];
  const int64_t need[8] = {TILE * a->head_dim, TILE * wide, group * rows * a->head_dim, group * rows * wide, BLOCK * TILE, BLOCK * TILE,
                           group * rows, group * rows};
  for (int i = 0; i < 8; i++) {
    room[i] = base + at;
    at += up(need[i] + 16, 16);
  }
  if (r) *r = (attention_room){room[0], room[1], room[2], room[3], room[4], room[5], room[6], room[7]};
  return at * (int64_t)sizeof(float);
}
int64_t attention_scratch(const avss_attention *a) {
  static float nothing;
  return lay_out(0, a, &nothing);
}

/* First key seen from position p, and one past the last. */
static inline int64_t first_seen(const avss_attention *a, int64_t p) {
  int64_t first = 0;
  if (a->window > 0 && p - a->window + 1 > first) first = p - a->window + 1;
  if (a->chunk > 0 && p / a->chunk * a->chunk > first) first = p / a->chunk * a->chunk;
  return first;
}
static inline int64_t end_seen(const avss_attention *a, int64_t p, int64_t keys) {
  int64_t end = a->causal ? p + 1 : keys;
  if (a->chunk > 0) end = least(end, (p / a->chunk + 1) * a->chunk);
  return least(end, keys);
}

#define BODY "attention.c"
#include "every.h"
#else

/* Turns one row of scores (n of them, from position j0 on; [from, end) are seen) into weights exp(score − highest) in place, zero where
 * unseen; updates the row's running maximum and sum and returns the factor for what was summed before. */
TARGET static float NAME(soften)(const avss_attention *a, float *s, int64_t n, int64_t from, int64_t end, float slope, int64_t j0, int64_t i,
                                 float *highest, float *sum) {
  int64_t first = from / LANES * LANES, last = least((end + LANES - 1) / LANES * LANES, (n + LANES - 1) / LANES * LANES);
  vf top = v_set(*highest);
  if (end <= from) {
    memset(s, 0, (size_t)n * sizeof(float));
    return 1;
  }
  if (a->soft_cap > 0) {
    vf cap = v_set(a->soft_cap);
    for (int64_t j = first; j < last; j += LANES) v_store(s + j, v_mul(cap, v_tanh(v_div(v_load(s + j), cap))));
  }
  if (slope != 0)
    for (int64_t j = from; j < end; j++) s[j] += slope * (float)(j0 + j - i);
  for (int64_t j = first; j < from; j++) s[j] = -INFINITY;
  for (int64_t j = end; j < last; j++) s[j] = -INFINITY;
  for (int64_t j = first; j < last; j += LANES) top = v_max(v_load(s + j), top);
  float before = *highest, now = v_highest(top), base = now == -INFINITY ? 0 : now;
  vf total = v_zero(), shift = v_set(base);
  for (int64_t j = first; j < last; j += LANES) {
    vf e = v_exp(v_sub(v_load(s + j), shift));
    total = v_add(total, e);
    v_store(s + j, e);
  }
  if (first > 0) memset(s, 0, (size_t)first * sizeof(float));
  if (last < n) memset(s + last, 0, (size_t)(n - last) * sizeof(float));
  float factor = before == -INFINITY ? 0 : before == now ? 1 : expf(before - base);
  *highest = now;
  *sum = *sum * factor + v_sum(total);
  return factor;
}

/* The second product where the tile holds values that are not finite: as the micro-kernel does it, but seen keys alone. */
TARGET static void NAME(weigh_seen)(const float *weights, const float *values, int64_t from, int64_t end, float *out) {
  for (int c = 0; c < PANEL; c += LANES) {
    vf s = v_zero();
    for (int64_t j = from; j < end; j++) s = v_fma(v_set(weights[j]), v_load(values + j * PANEL + c), s);
    v_store(out + c, v_add(v_load(out + c), s));
  }
}

TARGET static int NAME(finite)(const float *x, int64_t n) {
  vf s = v_zero();
  for (int64_t i = 0; i < n; i += LANES) s = v_fma(v_load(x + i), v_zero(), s);
  float t = v_sum(s);
  return t == t;
}

/* Packs keys and values j0..j0+n of the sequence; returns whether all the values are finite. */
TARGET static int NAME(pack_tile)(const avss_attention *a, const attention_room *r, int64_t head, const int64_t *job, int64_t j0, int64_t n) {
  const product_isa *isa = &NAME(product);
  const int64_t start = job[3], own = job[4], prefix = job[5], before = job[6];
  const int64_t segments[4] = {prefix, before, start, own};
  avss_weight keys = {(const uint8_t *)(a->k.data + head * a->head_dim), segments, 2, before + own, a->head_dim, a->k.stride, AVSS_F32, 0};
  for (int64_t k0 = 0; k0 < a->head_dim; k0 += KC_F32) {
    int64_t kc = least(KC_F32, a->head_dim - k0);
    for (int64_t p = 0; p < n; p += PANEL) isa->pack_w(&keys, j0 + p, least(PANEL, n - p), k0, kc, r->keys + k0 * TILE + p * kc, 0);
  }
  int64_t from_prefix = most(0, least(n, before - j0)), panels = up(a->value_dim, PANEL) / PANEL;
  const float *v = a->v.data + head * a->value_dim;
  int all = 1;
  for (int64_t p = 0; p < panels; p++) {
    float *to = r->values + p * PANEL * TILE;
    int64_t cols = least(PANEL, a->value_dim - p * PANEL);
    avss_weight run = {(const uint8_t *)(v + (prefix + j0) * a->v.stride), 0, 0, a->value_dim, n, a->v.stride, AVSS_F32, 1};
    if (from_prefix > 0) isa->pack_w(&run, p * PANEL, cols, 0, from_prefix, to, 0);
    run.data = (const uint8_t *)(v + (start + j0 + from_prefix - before) * a->v.stride);
    if (from_prefix < n) isa->pack_w(&run, p * PANEL, cols, 0, n - from_prefix, to + from_prefix * PANEL, 0);
    all &= NAME(finite)(to, n * PANEL);
  }
  return all;
}

/* One key tile (j0, n keys) meets one block of query rows (from row `row` of the job on) of one head. */
TARGET static void NAME(meet)(const avss_attention *a, const attention_room *r, const int64_t *job, int64_t head, int64_t g, int64_t row, int64_t j0,
                              int64_t n, int finite) {
  const product_isa *isa = &NAME(product);
  const int64_t all = up(AVSS_QUERY_ROWS, BLOCK), wide = up(a->value_dim, PANEL);
  const int64_t rows = least(BLOCK, job[1] - row), keys = job[4] + job[6], p0 = job[2] + row;
  int64_t seen = 0, least_seen = n;
  for (int64_t i = 0; i < rows; i++) {
    seen = most(seen, least(n, end_seen(a, p0 + i, keys) - j0));
    least_seen = least(least_seen, most(0, first_seen(a, p0 + i) - j0));
  }
  if (seen <= least_seen) return;
  float *queries = r->queries + g * all * a->head_dim + row * a->head_dim;
  float *out = r->out + (g * all + row) * wide, *highest = r->highest + g * all + row, *sum = r->sum + g * all + row;
  for (int64_t k0 = 0; k0 < a->head_dim; k0 += KC_F32) {
    int64_t kc = least(KC_F32, a->head_dim - k0);
    for (int64_t p = 0; p < seen; p += PANEL)
      for (int64_t i = 0; i < rows; i += isa->rows)
        isa->micro((int)least(isa->rows, rows - i), kc, (char *)queries + packed_offset(isa, rows, a->head_dim, k0, i),
                   r->keys + k0 * TILE + p * kc, gained(r->scores + i * TILE + p, TILE, k0 > 0));
  }
  for (int64_t i = 0; i < rows; i++) {
    int64_t p = p0 + i, from = most(0, first_seen(a, p) - j0), end = least(n, end_seen(a, p, keys) - j0);
    float factor = NAME(soften)(a, r->scores + i * TILE, up(seen, LANES), from, end, a->slopes ? a->slopes[head] : 0, j0, p, highest + i, sum + i);
    if (factor != 1)
      for (int64_t c = 0; c < wide; c += LANES) v_store(out + i * wide + c, v_mul(v_load(out + i * wide + c), v_set(factor)));
    if (!finite)
      for (int64_t c = 0; c < wide; c += PANEL)
        if (from < end) NAME(weigh_seen)(r->scores + i * TILE, r->values + c * TILE, from, end, out + i * wide + c);
  }
  if (!finite) return;
  for (int64_t i = 0; i < rows; i += isa->rows)
    isa->pack_x(r->scores + i * TILE, TILE, (int)least(isa->rows, rows - i), seen, r->weights + i * seen, 0);
  for (int64_t c = 0; c < wide; c += PANEL)
    for (int64_t i = 0; i < rows; i += isa->rows)
      isa->micro((int)least(isa->rows, rows - i), seen, r->weights + i * seen, r->values + c * TILE, gained(out + i * wide + c, wide, 1));
}

TARGET static void NAME(attend)(const avss_attention *a, const int64_t *job, int64_t kv_head, const attention_room *r) {
  const product_isa *isa = &NAME(product);
  const int64_t group = a->heads / a->kv_heads, all = up(AVSS_QUERY_ROWS, BLOCK), wide = up(a->value_dim, PANEL);
  const int64_t keys = job[4] + job[6], rows = job[1], p0 = job[2];
  int64_t first = keys, end = 0;
  for (int64_t i = 0; i < rows; i++) {
    first = least(first, first_seen(a, p0 + i));
    end = most(end, end_seen(a, p0 + i, keys));
  }
  for (int64_t g = 0; g < group; g++) {
    int64_t head = kv_head * group + g;
    for (int64_t row = 0; row < rows; row += BLOCK) {
      int64_t n = least(BLOCK, rows - row);
      float *scaled = r->scores; /* [n][kc]: free until the first product */
      for (int64_t k0 = 0; k0 < a->head_dim; k0 += KC_F32) {
        int64_t kc = least(KC_F32, a->head_dim - k0);
        for (int64_t i = 0; i < n; i++) {
          const float *q = a->q.data + (job[0] + row + i) * a->q.stride + head * a->head_dim + k0;
          for (int64_t d = 0; d < kc; d++) scaled[i * kc + d] = q[d] * a->scale;
        }
        for (int64_t i = 0; i < n; i += isa->rows)
          isa->pack_x(scaled + i * kc, kc, (int)least(isa->rows, n - i), kc,
                      (char *)(r->queries + (g * all + row) * a->head_dim) + packed_offset(isa, n, a->head_dim, k0, i), 0);
      }
    }
    for (int64_t i = 0; i < rows; i++) {
      r->highest[g * all + i] = a->sinks ? a->sinks[head] : -INFINITY;
      r->sum[g * all + i] = a->sinks ? 1 : 0;
    }
    memset(r->out + g * all * wide, 0, (size_t)(rows * wide) * sizeof(float));
  }
  for (int64_t j0 = first / TILE * TILE; j0 < end; j0 += TILE) {
    int64_t n = least(TILE, end - j0);
    int finite = NAME(pack_tile)(a, r, kv_head, job, j0, n);
    for (int64_t g = 0; g < group; g++)
      for (int64_t row = 0; row < rows; row += BLOCK) NAME(meet)(a, r, job, kv_head * group + g, g, row, j0, n, finite);
  }
  for (int64_t g = 0; g < group; g++)
    for (int64_t i = 0; i < rows; i++) {
      float *to = a->dst.data + (job[0] + i) * a->dst.stride + (kv_head * group + g) * a->value_dim;
      float total = r->sum[g * all + i];
      for (int64_t c = 0; c < a->value_dim; c++) to[c] = r->out[(g * all + i) * wide + c] / total;
    }
}

TARGET void NAME(op_attention)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_attention *a = arguments;
  attention_room r;
  lay_out(&r, a, scratch);
  for (int64_t i = from; i < to; i++) NAME(attend)(a, a->jobs + 7 * (i / a->kv_heads), i % a->kv_heads, &r);
}
#endif
