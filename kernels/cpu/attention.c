/* Softmax attention without the matrix of scores: keys in tiles of 256 counted from the start of the sequence (its prefix included), an
 * online softmax between them (Milakov & Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135), both products on the micro-kernels of
 * the product. A job is one key head and a block of query rows of one sequence: a key tile is packed once for all query heads that share it
 * and meets a micro-tile of query rows at a time, whose scores stay in the first cache and which skips the panels of keys none of them sees.
 * With bf16 the operands (queries · scale, keys, weights, values) are rounded to bfloat16; sums, softmax and the sum of the weights, which
 * are not yet rounded there, are float32.
 * Few query rows, each behind many keys, read keys and values where they lie instead (attend_few), with an order of sums of its own and the same
 * tiles; a job is then a head of a block, which is one row.
 * Keys and values that no query of a block sees are not read: a cache need not have them any more.
 * A row's result depends on the keys it sees alone: tiles are fixed by positions, masked scores weigh exactly nothing, and a value that is
 * no finite number is zero in the packed tile and is added to the rows that see it. */
#ifndef BODY
#include "internal.h"
enum { KEY_TILE = 256 }; /* keys a tile */
_Static_assert((int)KEY_TILE <= (int)KC_F32, "pack_x rounds rows of up to KC_F32 values");
_Static_assert(KC_F32 % 32 == 0 && KC_BF16 % 32 == 0, "K blocks of keys end where pack_w pads to");
_Static_assert(14 * KC_F32 <= PANEL * KEY_TILE && 14 * KC_BF16 <= PANEL * KEY_TILE && 32 * KC_AMX <= PANEL * KEY_TILE,
               "a micro-tile's queries are scaled where its scores will stand");

static inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* How a call multiplies, and what stands where in its scratch. */
typedef struct {
  const product_isa *isa;
  int round;                       /* as the packers take it: operands are rounded but stored as float32 */
  int64_t value_bytes, query_bytes; /* of a packed value, and of a packed row of queries */
  int64_t value_cols;              /* value_dim in whole panels */
  int64_t rows;                    /* of a head's queries: the most of a job in whole micro-tiles */
  char *keys, *values, *queries, *weights; /* packed */
  float *out;                      /* weighted sums of values, a query row each */
  float *scores;                   /* a micro-tile's, and PANEL × KEY_TILE in any case: a panel of values is gathered there */
  float *highest, *sum;            /* of each query row so far: the largest score, and Σ exp(score − highest) */
} attention_scratch;

/* Lays out the scratch from base on and returns its bytes; s may be NULL. */
static int64_t lay_out(attention_scratch *s, const avss_attention *a, char *base) {
  const product_isa *isa = product_for(a->bf16 ? AVSS_AS_BF16 : AVSS_AS_F32);
  const int64_t group = a->heads / a->kv_heads, rows = round_up(AVSS_QUERY_ROWS, isa->rows), cols = round_up(a->value_dim, PANEL);
  const int64_t bytes = isa->bf16 ? 2 : 4, query_bytes = round_up(a->head_dim, isa->pair) * bytes, size = sizeof(float);
  const int64_t sizes[8] = {KEY_TILE * round_up(a->head_dim, 32) * bytes, KEY_TILE * cols * bytes, group * rows * query_bytes,
                            PANEL * KEY_TILE * bytes, group * rows * cols * size, PANEL * KEY_TILE * size, group * rows * size,
                            group * rows * size};
  int64_t used = 0;
  char *part[8];
  for (int i = 0; i < 8; i++) {
    part[i] = base + used;
    used += round_up(sizes[i] + 64, 64);
  }
  if (s)
    *s = (attention_scratch){isa, a->bf16 && !isa->bf16, bytes, query_bytes, cols, rows, part[0], part[1], part[2], part[3],
                             (float *)part[4], (float *)part[5], (float *)part[6], (float *)part[7]};
  return used;
}
int64_t scratch_attend(const void *arguments) {
  static char nothing;
  return lay_out(0, arguments, &nothing);
}

/* A block of query rows, as avss_attention.jobs holds it: rows of the tensors, and the position of the first query in its sequence. */
typedef struct {
  int64_t query, queries, position, start, own, prefix, before; /* own: rows of the sequence from start on; before: rows of the prefix */
} query_block;
_Static_assert(sizeof(query_block) == 7 * sizeof(int64_t), "seven numbers a block");

/* Where the keys from p on of K block k0 stand: a panel's inner dimension is padded to 32, as far as pack_w writes. */
static inline char *key_panel(const attention_scratch *s, int64_t k0, int64_t kc, int64_t p) {
  return s->keys + (k0 * KEY_TILE + p * round_up(kc, 32)) * s->value_bytes;
}

/* The row of key j of a block's sequence: its prefix's, then its own. */
static inline int64_t key_row(const query_block *b, int64_t j) { return j < b->before ? b->prefix + j : b->start + j - b->before; }

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

/* A row of few: its scaled query and its result, in whole vectors of any instruction set, and a tile of scores. */
static inline int64_t few_floats(int64_t cols) { return round_up(cols, 16); }
int64_t scratch_attend_few(const void *arguments) {
  const avss_attention *a = arguments;
  return (KEY_TILE + few_floats(a->head_dim) + few_floats(a->value_dim)) * (int64_t)sizeof(float);
}

#define BODY "attention.c"
#include "each_isa.h"
#else

/* The update of the online softmax by one row of scores (n of them, from position j0 on, for the query at position i; [from, end) are
 * seen): they become weights exp(score − highest) in place, zero where unseen. Updates the row's running maximum and sum and returns the
 * factor for what was summed before. */
TARGET static float NAME(update_softmax)(const avss_attention *a, float *scores, int64_t n, int64_t from, int64_t end, float slope, int64_t j0,
                                         int64_t i, float *highest, float *sum) {
  int64_t first = from / LANES * LANES, last = least(round_up(end, LANES), round_up(n, LANES));
  vf top = v_set(*highest);
  if (end <= from) {
    memset(scores, 0, (size_t)n * sizeof(float));
    return 1;
  }
  if (a->soft_cap > 0) {
    vf cap = v_set(a->soft_cap);
    for (int64_t j = first; j < last; j += LANES) v_store(scores + j, v_mul(cap, v_tanh(v_div(v_load(scores + j), cap))));
  }
  if (slope != 0)
    for (int64_t j = from; j < end; j++) scores[j] += slope * (float)(j0 + j - i);
  for (int64_t j = first; j < from; j++) scores[j] = -INFINITY;
  for (int64_t j = end; j < last; j++) scores[j] = -INFINITY;
  for (int64_t j = first; j < last; j += LANES) top = v_max(v_load(scores + j), top);
  float before = *highest, now = v_highest(top), base = now == -INFINITY ? 0 : now;
  vf total = v_zero(), shift = v_set(base);
  for (int64_t j = first; j < last; j += LANES) {
    vf e = v_exp(v_sub(v_load(scores + j), shift));
    total = v_add(total, e);
    v_store(scores + j, e);
  }
  if (first > 0) memset(scores, 0, (size_t)first * sizeof(float));
  if (last < n) memset(scores + last, 0, (size_t)(n - last) * sizeof(float));
  float factor = before == -INFINITY ? 0 : before == now ? 1 : expf(before - base);
  *highest = now;
  *sum = *sum * factor + v_sum(total);
  return factor;
}

/* Whether a packed panel of values of n keys is finite. */
TARGET static int NAME(all_finite)(const product_isa *isa, const void *panel, int64_t n) {
  if (isa->bf16) {
    const uint32_t *pairs = panel;
    uint32_t over = 0; /* an exponent of ones and one more run over into the sign's place */
    for (int64_t i = 0; i < round_up(n, 2) / 2 * PANEL; i++) over |= (pairs[i] & 0x7f807f80) + 0x00800080;
    return !(over & 0x80008000);
  }
  const float *x = panel;
  vf zeros = v_zero();
  for (int64_t i = 0; i < n * PANEL; i += LANES) zeros = v_fma(v_load(x + i), v_zero(), zeros);
  float total = v_sum(zeros);
  return total == total;
}

/* Sets the values of such a panel that are not finite to zero. */
TARGET static void NAME(zero_non_finite)(const product_isa *isa, void *panel, int64_t n) {
  if (isa->bf16) {
    uint32_t *pairs = panel;
    for (int64_t i = 0; i < round_up(n, 2) / 2 * PANEL; i++)
      pairs[i] &= ~((((pairs[i] & 0x7f807f80) + 0x00800080) >> 15 & 0x00010001) * 0xffff);
    return;
  }
  float *x = panel;
  for (int64_t i = 0; i < n * PANEL; i += LANES) {
    vf v = v_load(x + i);
    v_store(x + i, v_pick(v_lt(v_abs(v), v_set(INFINITY)), v, v_zero()));
  }
}

/* Adds to a row of out what zero_non_finite took from the keys [from, end) of the tile at j0, which the row sees. Twice what is not finite is
 * the same, and twice what bfloat16 rounds to an infinity is one. */
TARGET static void NAME(add_non_finite)(const avss_attention *a, const query_block *b, int64_t kv_head, const float *weights, int64_t j0,
                                        int64_t from, int64_t end, float *out) {
  const vf limit = v_set(a->bf16 ? 0x1.ffp127f : INFINITY);
  for (int64_t j = from; j < end; j++) {
    const float *v = a->v.data + key_row(b, j0 + j) * a->v.stride + kv_head * a->value_dim;
    for (int64_t c = 0; c < a->value_dim; c += LANES) {
      vf x = v_load_n(v + c, least(LANES, a->value_dim - c));
      vf taken = v_pick(v_lt(v_abs(x), limit), v_zero(), v_add(x, x));
      v_store(out + c, v_fma(v_set(weights[j]), taken, v_load(out + c)));
    }
  }
}

/* Packs keys and values j0+from .. j0+n of the sequence, in panels from the one on in which the first of them is; what stands there before it
 * is not read. Returns whether all the values are finite. */
TARGET static int NAME(pack_tile)(const avss_attention *a, const attention_scratch *s, int64_t kv_head, const query_block *b, int64_t j0,
                                  int64_t from, int64_t n) {
  const product_isa *isa = s->isa;
  const int64_t panel = from / PANEL * PANEL, gap = from - panel;
  const int64_t segments[4] = {b->prefix, b->before, b->start, b->own};
  int64_t rows[2 * PANEL]; /* of the first panel; the first that is read stands for those before it */
  for (int64_t j = 0; gap > 0 && j < PANEL; j++) {
    rows[2 * j] = key_row(b, j0 + least(n - 1, most(from, panel + j)));
    rows[2 * j + 1] = 1;
  }
  const uint8_t *head = (const uint8_t *)(a->k.data + kv_head * a->head_dim);
  const avss_weight keys = {head, segments, 2, b->before + b->own, a->head_dim, a->k.stride, AVSS_F32, 0};
  const avss_weight begun = {head, rows, PANEL, PANEL, a->head_dim, a->k.stride, AVSS_F32, 0};
  for (int64_t k0 = 0; k0 < a->head_dim; k0 += isa->kc) {
    int64_t kc = least(isa->kc, a->head_dim - k0);
    for (int64_t p = panel; p < n; p += PANEL) {
      const int whole = p > panel || gap == 0;
      isa->pack_w(whole ? &keys : &begun, whole ? j0 + p : 0, least(PANEL, n - p), k0, kc, key_panel(s, k0, kc, p), s->round);
    }
  }
  /* pack_w wants one run of values: rows on both sides of the prefix's end are gathered first, and a panel that is not read from its start on */
  const int64_t gathered = j0 + from < b->before && b->before < j0 + n ? n : gap > 0 ? least(n, panel + PANEL) : panel;
  int finite = 1;
  for (int64_t p = 0; p < a->value_dim; p += PANEL) {
    char *to = s->values + (p * KEY_TILE + panel * PANEL) * s->value_bytes;
    int64_t cols = least(PANEL, a->value_dim - p);
    const float *v = a->v.data + kv_head * a->value_dim + p;
    if (gathered > panel) {
      memset(s->scores, 0, (size_t)(gap * PANEL) * sizeof(float));
      for (int64_t j = from; j < gathered; j++)
        memcpy(s->scores + (j - panel) * PANEL, v + key_row(b, j0 + j) * a->v.stride, (size_t)cols * sizeof(float));
      const avss_weight run = {(const uint8_t *)s->scores, 0, 0, cols, gathered - panel, PANEL, AVSS_F32, 1};
      isa->pack_w(&run, 0, cols, 0, gathered - panel, to, s->round);
    }
    if (gathered < n) {
      const float *first = v + key_row(b, j0 + gathered) * a->v.stride;
      const avss_weight run = {(const uint8_t *)first, 0, 0, cols, n - gathered, a->v.stride, AVSS_F32, 1};
      isa->pack_w(&run, 0, cols, 0, n - gathered, to + (gathered - panel) * PANEL * s->value_bytes, s->round);
    }
    if (!NAME(all_finite)(isa, to, n - panel)) {
      NAME(zero_non_finite)(isa, to, n - panel);
      finite = 0;
    }
  }
  return finite;
}

/* One tile of keys (n from position j0 on) with one micro-tile of queries (from row `row` of the block on) of head g of the key head's
 * group: scores, softmax update, and the weighted sum of values. */
TARGET static void NAME(attend_tile)(const avss_attention *a, const attention_scratch *s, const query_block *b, int64_t kv_head, int64_t g,
                                     int64_t row, int64_t j0, int64_t n, int finite) {
  const product_isa *isa = s->isa;
  const int64_t cols = s->value_cols, rows = least(isa->rows, b->queries - row), keys = b->own + b->before, p0 = b->position + row;
  int64_t first = n, seen = 0; /* what any of the rows sees lies in the panels from first to seen */
  for (int64_t i = 0; i < rows; i++) {
    first = least(first, most(0, first_seen(a, p0 + i) - j0));
    seen = most(seen, least(n, end_seen(a, p0 + i, keys) - j0));
  }
  if (seen <= first) return;
  first = first / PANEL * PANEL;
  const int64_t at = g * s->rows + row, padded_keys = round_up(seen - first, isa->pair);
  float *out = s->out + at * cols, *scores = s->scores;
  for (int64_t k0 = 0; k0 < a->head_dim; k0 += isa->kc) {
    const int64_t kc = least(isa->kc, a->head_dim - k0);
    const char *queries = s->queries + at * s->query_bytes + packed_offset(isa, rows, a->head_dim, k0, 0);
    for (int64_t p = first; p < seen; p += PANEL) {
      const tile_output to = accumulate(scores + p - first, KEY_TILE, k0 > 0);
      isa->micro((int)rows, round_up(kc, isa->pair), queries, key_panel(s, k0, kc, p), &to);
    }
  }
  const float slope = a->slopes ? a->slopes[kv_head * (a->heads / a->kv_heads) + g] : 0;
  for (int64_t i = 0; i < rows; i++) {
    const int64_t p = p0 + i, from = most(0, first_seen(a, p) - j0), end = least(n, end_seen(a, p, keys) - j0);
    float *weights = scores + i * KEY_TILE, *to = out + i * cols;
    /* zeros stand behind what is seen, as far as the weights' pairs go */
    const float factor = NAME(update_softmax)(a, weights, round_up(seen - first, most(LANES, isa->pair)), from - first, end - first, slope, j0 + first, p,
                                              s->highest + at + i, s->sum + at + i);
    if (factor != 1)
      for (int64_t c = 0; c < cols; c += LANES) v_store(to + c, v_mul(v_load(to + c), v_set(factor)));
    if (!finite) NAME(add_non_finite)(a, b, kv_head, weights, j0 + first, from - first, end - first, to);
  }
  isa->pack_x(scores, KEY_TILE, (int)rows, padded_keys, s->weights, s->round);
  for (int64_t c = 0; c < cols; c += PANEL) {
    const tile_output to = accumulate(out + c, cols, 1);
    isa->micro((int)rows, padded_keys, s->weights, s->values + (c * KEY_TILE + first * PANEL) * s->value_bytes, &to);
  }
}

/* Packs the scaled queries of head g of the key head's group, and begins their sums. */
TARGET static void NAME(begin_queries)(const avss_attention *a, const attention_scratch *s, const query_block *b, int64_t head, int64_t g) {
  const product_isa *isa = s->isa;
  const int64_t at = g * s->rows;
  float *scaled = s->scores; /* [rows][kc]: free until the first product */
  for (int64_t row = 0; row < b->queries; row += isa->rows)
    for (int64_t k0 = 0; k0 < a->head_dim; k0 += isa->kc) {
      const int64_t kc = least(isa->kc, a->head_dim - k0), rows = least(isa->rows, b->queries - row);
      for (int64_t i = 0; i < rows; i++) {
        const float *q = a->q.data + (b->query + row + i) * a->q.stride + head * a->head_dim + k0;
        for (int64_t d = 0; d < kc; d++) scaled[i * kc + d] = q[d] * a->scale;
      }
      isa->pack_x(scaled, kc, (int)rows, kc, s->queries + (at + row) * s->query_bytes + packed_offset(isa, rows, a->head_dim, k0, 0),
                  s->round);
    }
  for (int64_t i = 0; i < b->queries; i++) {
    s->highest[at + i] = a->sinks ? a->sinks[head] : -INFINITY;
    s->sum[at + i] = a->sinks ? 1 : 0;
  }
  memset(s->out + at * s->value_cols, 0, (size_t)(b->queries * s->value_cols) * sizeof(float));
}

/* One job: a block of queries of all heads that share a key head. */
TARGET static void NAME(attend_block)(const avss_attention *a, const attention_scratch *s, const query_block *b, int64_t kv_head) {
  const int64_t group = a->heads / a->kv_heads, keys = b->own + b->before;
  int64_t first = keys, end = 0;
  for (int64_t i = 0; i < b->queries; i++) {
    first = least(first, first_seen(a, b->position + i));
    end = most(end, end_seen(a, b->position + i, keys));
  }
  for (int64_t g = 0; g < group; g++) NAME(begin_queries)(a, s, b, kv_head * group + g, g);
  for (int64_t j0 = first / KEY_TILE * KEY_TILE; j0 < end; j0 += KEY_TILE) {
    int64_t n = least(KEY_TILE, end - j0);
    int finite = NAME(pack_tile)(a, s, kv_head, b, j0, most(0, first - j0), n);
    for (int64_t g = 0; g < group; g++)
      for (int64_t row = 0; row < b->queries; row += s->isa->rows) NAME(attend_tile)(a, s, b, kv_head, g, row, j0, n, finite);
  }
  for (int64_t g = 0; g < group; g++)
    for (int64_t i = 0; i < b->queries; i++) {
      const int64_t at = g * s->rows + i;
      float *to = a->dst.data + (b->query + i) * a->dst.stride + (kv_head * group + g) * a->value_dim, total = s->sum[at];
      for (int64_t c = 0; c < a->value_dim; c++) to[c] = s->out[at * s->value_cols + c] / total;
    }
}

TARGET void NAME(op_attend)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_attention *a = arguments;
  const query_block *blocks = (const query_block *)a->jobs;
  attention_scratch s;
  lay_out(&s, a, scratch);
  if (s.isa->begin) s.isa->begin();
  for (int64_t i = from; i < to; i++) NAME(attend_block)(a, &s, blocks + i / a->kv_heads, i % a->kv_heads);
  if (s.isa->end) s.isa->end();
}

/* An operand as the products take it. */
TARGET INLINE vf NAME(operand)(vf x, const int bf16) { return bf16 ? v_bf16(x) : x; }

/* Scores of keys j0+from .. j0+n: the scaled query with each key, two sums a lane. */
TARGET INLINE void NAME(score_keys)(const avss_attention *a, const query_block *b, const float *query, int64_t kv_head, int64_t j0, int64_t from,
                                    int64_t n, const int bf16, float *scores) {
  const int64_t dim = a->head_dim;
  for (int64_t j = from; j < n; j++) {
    const float *key = a->k.data + key_row(b, j0 + j) * a->k.stride + kv_head * dim;
    vf s0 = v_zero(), s1 = v_zero();
    int64_t d = 0;
    for (; d + 2 * LANES <= dim; d += 2 * LANES) {
      s0 = v_fma(v_load(query + d), NAME(operand)(v_load(key + d), bf16), s0);
      s1 = v_fma(v_load(query + d + LANES), NAME(operand)(v_load(key + d + LANES), bf16), s1);
    }
    for (; d < dim; d += LANES) s0 = v_fma(v_load(query + d), NAME(operand)(v_load_n(key + d, least(LANES, dim - d)), bf16), s0);
    scores[j] = v_sum(v_add(s0, s1));
  }
}

/* Adds the values of those keys, times their weights, to out: a chain of fused products a column, in ascending order. */
TARGET INLINE void NAME(mix_values)(const avss_attention *a, const query_block *b, int64_t kv_head, const float *weights, int64_t j0, int64_t from,
                                    int64_t n, const int bf16, float *out) {
  const int64_t dim = a->value_dim;
  const float *values = a->v.data + kv_head * dim;
  int64_t c = 0;
  for (; c + 4 * LANES <= dim; c += 4 * LANES) {
    vf s0 = v_load(out + c), s1 = v_load(out + c + LANES), s2 = v_load(out + c + 2 * LANES), s3 = v_load(out + c + 3 * LANES);
    for (int64_t j = from; j < n; j++) {
      const float *v = values + key_row(b, j0 + j) * a->v.stride + c;
      const vf w = v_set(weights[j]);
      s0 = v_fma(w, NAME(operand)(v_load(v), bf16), s0);
      s1 = v_fma(w, NAME(operand)(v_load(v + LANES), bf16), s1);
      s2 = v_fma(w, NAME(operand)(v_load(v + 2 * LANES), bf16), s2);
      s3 = v_fma(w, NAME(operand)(v_load(v + 3 * LANES), bf16), s3);
    }
    v_store(out + c, s0);
    v_store(out + c + LANES, s1);
    v_store(out + c + 2 * LANES, s2);
    v_store(out + c + 3 * LANES, s3);
  }
  for (; c < dim; c += LANES) {
    vf s = v_load(out + c);
    for (int64_t j = from; j < n; j++)
      s = v_fma(v_set(weights[j]), NAME(operand)(v_load_n(values + key_row(b, j0 + j) * a->v.stride + c, least(LANES, dim - c)), bf16), s);
    v_store(out + c, s);
  }
}

/* One head of one query row, its keys and values read where they lie. */
TARGET INLINE void NAME(attend_row)(const avss_attention *a, const query_block *b, int64_t head, const int bf16, float *scratch) {
  const int64_t group = a->heads / a->kv_heads, kv_head = head / group, p = b->position, first = first_seen(a, p);
  const int64_t end = end_seen(a, p, b->own + b->before);
  float *scores = scratch, *query = scores + KEY_TILE, *out = query + few_floats(a->head_dim);
  const float *q = a->q.data + b->query * a->q.stride + head * a->head_dim, slope = a->slopes ? a->slopes[head] : 0;
  float highest = a->sinks ? a->sinks[head] : -INFINITY, sum = a->sinks ? 1 : 0;
  memset(scratch, 0, (size_t)scratch_attend_few(a));
  for (int64_t d = 0; d < a->head_dim; d++) query[d] = q[d] * a->scale;
  for (int64_t d = 0; bf16 && d < a->head_dim; d += LANES) v_store(query + d, v_bf16(v_load(query + d)));
  for (int64_t j0 = first / KEY_TILE * KEY_TILE; j0 < end; j0 += KEY_TILE) {
    const int64_t from = most(0, first - j0), n = least(KEY_TILE, end - j0);
    NAME(score_keys)(a, b, query, kv_head, j0, from, n, bf16, scores);
    const float factor = NAME(update_softmax)(a, scores, n, from, n, slope, j0, p, &highest, &sum);
    if (factor != 1)
      for (int64_t c = 0; c < a->value_dim; c += LANES) v_store(out + c, v_mul(v_load(out + c), v_set(factor)));
    for (int64_t j = 0; bf16 && j < round_up(n, LANES); j += LANES) v_store(scores + j, v_bf16(v_load(scores + j))); /* their sum was not rounded */
    NAME(mix_values)(a, b, kv_head, scores, j0, from, n, bf16, out);
  }
  float *to = a->dst.data + b->query * a->dst.stride + head * a->value_dim;
  for (int64_t c = 0; c < a->value_dim; c++) to[c] = out[c] / sum;
}

TARGET void NAME(op_attend_few)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_attention *a = arguments;
  const query_block *blocks = (const query_block *)a->jobs;
  for (int64_t i = from; i < to; i++) {
    if (a->bf16) NAME(attend_row)(a, blocks + i / a->heads, i % a->heads, 1, scratch);
    else NAME(attend_row)(a, blocks + i / a->heads, i % a->heads, 0, scratch);
  }
}
#endif
