/* Softmax attention without the matrix of scores: keys in tiles of 256 counted from the start of the sequence (its prefix included), an
 * online softmax between them (Milakov & Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135), both products on the micro-kernels of
 * the product. A job is one key head and a block of query rows of one sequence: a key tile is packed once for all query heads that share it
 * and meets a micro-tile of query rows at a time, whose scores stay in the first cache and which skips the panels of keys none of them sees.
 * With bf16 the operands (queries · scale, keys, weights, values) are rounded to bfloat16; sums, softmax and the sum of the weights, which
 * are not yet rounded there, are float32.
 * A row's result depends on the keys it sees alone: tiles are fixed by positions, masked scores weigh exactly nothing, and a value that is
 * no finite number is zero in the packed tile and is added to the rows that see it. */
#ifndef BODY
#include "internal.h"
enum { TILE = 256 }; /* keys a tile */
_Static_assert(AVSS_QUERY_ROWS % 84 == 0, "a job's rows are whole micro-tiles of 14, 6 and 4 rows");
_Static_assert((int)TILE <= (int)KC_F32, "pack_x rounds rows of up to KC_F32 values");
_Static_assert(KC_F32 % 32 == 0 && KC_BF16 % 32 == 0, "K blocks of keys end where pack_w pads to");
_Static_assert(14 * KC_F32 <= PANEL * TILE && 14 * KC_BF16 <= PANEL * TILE, "a micro-tile's queries are scaled in the room of the scores");

static inline int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* How a call multiplies, and what stands where in its scratch. */
typedef struct {
  const product_isa *isa;
  int round;           /* as the packers take it: operands are rounded but stored as float32 */
  int64_t bytes, deep; /* of a packed value, and of a packed row of queries */
  char *keys, *values, *queries, *weights; /* packed */
  float *out, *scores, *highest, *sum; /* scores: a micro-tile's, and PANEL × TILE in any case: a panel of values is gathered there */
} attention_room;
static int64_t lay_out(attention_room *r, const avss_attention *a, char *base) {
  const product_isa *isa = a->bf16 ? avss_products->attention_bf16 : avss_products->f32;
  const int64_t group = a->heads / a->kv_heads, rows = AVSS_QUERY_ROWS, wide = up(a->value_dim, PANEL);
  const int64_t bytes = isa->bf16 ? 2 : 4, deep = up(a->head_dim, isa->pair) * bytes, size = sizeof(float);
  const int64_t need[8] = {TILE * up(a->head_dim, 32) * bytes, TILE * wide * bytes, group * rows * deep, PANEL * TILE * bytes,
                           group * rows * wide * size, PANEL * TILE * size, group * rows * size, group * rows * size};
  int64_t at = 0;
  char *room[8];
  for (int i = 0; i < 8; i++) {
    room[i] = base + at;
    at += up(need[i] + 64, 64);
  }
  if (r)
    *r = (attention_room){isa, a->bf16 && !isa->bf16, bytes, deep, room[0], room[1], room[2], room[3],
                          (float *)room[4], (float *)room[5], (float *)room[6], (float *)room[7]};
  return at;
}
int64_t scratch_attend(const void *arguments) {
  static char nothing;
  return lay_out(0, arguments, &nothing);
}

/* Where the keys from p on of K block k0 stand: a panel's inner dimension is padded to 32, as far as pack_w writes. */
static inline char *key_panel(const attention_room *r, int64_t k0, int64_t kc, int64_t p) {
  return r->keys + (k0 * TILE + p * up(kc, 32)) * r->bytes;
}

/* The row of key j of a job's sequence: its prefix's, then its own. */
static inline int64_t key_row(const int64_t *job, int64_t j) { return j < job[6] ? job[5] + j : job[3] + j - job[6]; }

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
#include "each_isa.h"
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

/* Whether a packed panel of values of n keys is finite. */
TARGET static int NAME(finite)(const attention_room *r, const void *panel, int64_t n) {
  if (r->isa->bf16) {
    const uint32_t *pairs = panel;
    uint32_t over = 0; /* an exponent of ones and one more run over into the sign's place */
    for (int64_t i = 0; i < up(n, 2) / 2 * PANEL; i++) over |= (pairs[i] & 0x7f807f80) + 0x00800080;
    return !(over & 0x80008000);
  }
  const float *x = panel;
  vf s = v_zero();
  for (int64_t i = 0; i < n * PANEL; i += LANES) s = v_fma(v_load(x + i), v_zero(), s);
  float t = v_sum(s);
  return t == t;
}

/* Makes zeros of the values of such a panel that are not finite. */
TARGET static void NAME(blank)(const attention_room *r, void *panel, int64_t n) {
  if (r->isa->bf16) {
    uint32_t *pairs = panel;
    for (int64_t i = 0; i < up(n, 2) / 2 * PANEL; i++) pairs[i] &= ~((((pairs[i] & 0x7f807f80) + 0x00800080) >> 15 & 0x00010001) * 0xffff);
    return;
  }
  float *x = panel;
  for (int64_t i = 0; i < n * PANEL; i += LANES) {
    vf v = v_load(x + i);
    v_store(x + i, v_pick(v_lt(v_abs(v), v_set(INFINITY)), v, v_zero()));
  }
}

/* Adds to a row of out what `blank` took from the keys [from, end) of the tile at j0, which the row sees. Twice what is not finite is the
 * same, and twice what bfloat16 rounds to an infinity is one. */
TARGET static void NAME(spoil)(const avss_attention *a, const int64_t *job, int64_t head, const float *weights, int64_t j0, int64_t from, int64_t end,
                               float *out) {
  const vf limit = v_set(a->bf16 ? 0x1.ffp127f : INFINITY);
  for (int64_t j = from; j < end; j++) {
    const float *v = a->v.data + key_row(job, j0 + j) * a->v.stride + head * a->value_dim;
    for (int64_t c = 0; c < a->value_dim; c += LANES) {
      vf x = v_load_n(v + c, least(LANES, a->value_dim - c));
      vf taken = v_pick(v_lt(v_abs(x), limit), v_zero(), v_add(x, x));
      v_store(out + c, v_fma(v_set(weights[j]), taken, v_load(out + c)));
    }
  }
}

/* Packs keys and values j0..j0+n of the sequence; returns whether all the values are finite. */
TARGET static int NAME(pack_tile)(const avss_attention *a, const attention_room *r, int64_t head, const int64_t *job, int64_t j0, int64_t n) {
  const product_isa *isa = r->isa;
  const int64_t start = job[3], own = job[4], prefix = job[5], before = job[6];
  const int64_t segments[4] = {prefix, before, start, own};
  avss_weight keys = {(const uint8_t *)(a->k.data + head * a->head_dim), segments, 2, before + own, a->head_dim, a->k.stride, AVSS_F32, 0};
  for (int64_t k0 = 0; k0 < a->head_dim; k0 += isa->kc) {
    int64_t kc = least(isa->kc, a->head_dim - k0);
    for (int64_t p = 0; p < n; p += PANEL) isa->pack_w(&keys, j0 + p, least(PANEL, n - p), k0, kc, key_panel(r, k0, kc, p), r->round);
  }
  const int apart = j0 < before && before < j0 + n; /* the prefix ends inside: its rows and the others come together first */
  int all = 1;
  for (int64_t p = 0; p < a->value_dim; p += PANEL) {
    char *to = r->values + p * TILE * r->bytes;
    int64_t cols = least(PANEL, a->value_dim - p);
    const float *v = a->v.data + head * a->value_dim + p;
    avss_weight run = {(const uint8_t *)(v + key_row(job, j0) * a->v.stride), 0, 0, cols, n, a->v.stride, AVSS_F32, 1};
    if (apart) {
      for (int64_t j = 0; j < n; j++) memcpy(r->scores + j * PANEL, v + key_row(job, j0 + j) * a->v.stride, (size_t)cols * sizeof(float));
      run.data = (const uint8_t *)r->scores;
      run.stride = PANEL;
    }
    isa->pack_w(&run, 0, cols, 0, n, to, r->round);
    if (!NAME(finite)(r, to, n)) {
      NAME(blank)(r, to, n);
      all = 0;
    }
  }
  return all;
}

/* One key tile (j0, n keys) meets one micro-tile of query rows (from row `row` of the job on) of one head. */
TARGET static void NAME(meet)(const avss_attention *a, const attention_room *r, const int64_t *job, int64_t head, int64_t g, int64_t row, int64_t j0,
                              int64_t n, int finite) {
  const product_isa *isa = r->isa;
  const int64_t wide = up(a->value_dim, PANEL), rows = least(isa->rows, job[1] - row), keys = job[4] + job[6], p0 = job[2] + row;
  int64_t first = n, seen = 0; /* what any of the rows sees lies in the panels from first to seen */
  for (int64_t i = 0; i < rows; i++) {
    first = least(first, most(0, first_seen(a, p0 + i) - j0));
    seen = most(seen, least(n, end_seen(a, p0 + i, keys) - j0));
  }
  if (seen <= first) return;
  first = first / PANEL * PANEL;
  const int64_t at = g * AVSS_QUERY_ROWS + row, deep = up(seen - first, isa->pair);
  float *out = r->out + at * wide, *scores = r->scores;
  for (int64_t k0 = 0; k0 < a->head_dim; k0 += isa->kc) {
    const int64_t kc = least(isa->kc, a->head_dim - k0);
    const char *queries = r->queries + at * r->deep + packed_offset(isa, rows, a->head_dim, k0, 0);
    for (int64_t p = first; p < seen; p += PANEL)
      isa->micro((int)rows, up(kc, isa->pair), queries, key_panel(r, k0, kc, p), gained(scores + p - first, TILE, k0 > 0));
  }
  for (int64_t i = 0; i < rows; i++) {
    const int64_t p = p0 + i, from = most(0, first_seen(a, p) - j0), end = least(n, end_seen(a, p, keys) - j0);
    float *s = scores + i * TILE;
    const float slope = a->slopes ? a->slopes[head] : 0;
    /* zeros stand behind what is seen, as far as the weights' pairs go */
    const float factor = NAME(soften)(a, s, up(seen - first, LANES), from - first, end - first, slope, j0 + first, p, r->highest + at + i, r->sum + at + i);
    if (factor != 1)
      for (int64_t c = 0; c < wide; c += LANES) v_store(out + i * wide + c, v_mul(v_load(out + i * wide + c), v_set(factor)));
    if (!finite) NAME(spoil)(a, job, head / (a->heads / a->kv_heads), s, j0 + first, from - first, end - first, out + i * wide);
  }
  isa->pack_x(scores, TILE, (int)rows, deep, r->weights, r->round);
  for (int64_t c = 0; c < wide; c += PANEL)
    isa->micro((int)rows, deep, r->weights, r->values + (c * TILE + first * PANEL) * r->bytes, gained(out + c, wide, 1));
}

TARGET static void NAME(attend)(const avss_attention *a, const int64_t *job, int64_t kv_head, const attention_room *r) {
  const product_isa *isa = r->isa;
  const int64_t group = a->heads / a->kv_heads, all = AVSS_QUERY_ROWS, wide = up(a->value_dim, PANEL);
  const int64_t keys = job[4] + job[6], rows = job[1], p0 = job[2];
  int64_t first = keys, end = 0;
  for (int64_t i = 0; i < rows; i++) {
    first = least(first, first_seen(a, p0 + i));
    end = most(end, end_seen(a, p0 + i, keys));
  }
  for (int64_t g = 0; g < group; g++) {
    int64_t head = kv_head * group + g;
    for (int64_t row = 0; row < rows; row += isa->rows)
      for (int64_t k0 = 0; k0 < a->head_dim; k0 += isa->kc) {
        const int64_t kc = least(isa->kc, a->head_dim - k0), high = least(isa->rows, rows - row);
        float *scaled = r->scores; /* [high][kc]: free until the first product */
        for (int64_t i = 0; i < high; i++) {
          const float *q = a->q.data + (job[0] + row + i) * a->q.stride + head * a->head_dim + k0;
          for (int64_t d = 0; d < kc; d++) scaled[i * kc + d] = q[d] * a->scale;
        }
        isa->pack_x(scaled, kc, (int)high, kc, r->queries + (g * all + row) * r->deep + packed_offset(isa, high, a->head_dim, k0, 0), r->round);
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
      for (int64_t row = 0; row < rows; row += isa->rows) NAME(meet)(a, r, job, kv_head * group + g, g, row, j0, n, finite);
  }
  for (int64_t g = 0; g < group; g++)
    for (int64_t i = 0; i < rows; i++) {
      float *to = a->dst.data + (job[0] + i) * a->dst.stride + (kv_head * group + g) * a->value_dim;
      float total = r->sum[g * all + i];
      for (int64_t c = 0; c < a->value_dim; c++) to[c] = r->out[(g * all + i) * wide + c] / total;
    }
}

TARGET void NAME(op_attend)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_attention *a = arguments;
  attention_room r;
  lay_out(&r, a, scratch);
  for (int64_t i = from; i < to; i++) NAME(attend)(a, a->jobs + 7 * (i / a->kv_heads), i % a->kv_heads, &r);
}
#endif
