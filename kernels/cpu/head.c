/* Log-probabilities without logits: a job is a tile of rows and a chunk of the vocabulary; a step computes 256 columns of logits for every
 * variant, folds them into a running maximum and a float64 sum of exponentials a row, keeps the most likely token, picks the wanted
 * targets, and sums what the divergence from variant 0 needs. What leaves is one small record a (variant, row, chunk). Chunks are
 * fixed, so the caller merges them in one order. */
#ifndef BODY
#include "internal.h"
int64_t scratch_head(const void *arguments) {
  const avss_head *h = arguments;
  const product_isa *isa = product_for(h->precision);
  return h->variants * h->rows_job * HEAD_TILE * 4 + product_scratch(isa, h->rows_job, HEAD_TILE / PANEL);
}

#define BODY "head.c"
#include "each_isa.h"
#else

/* Σ exp(l − shift) in float64. */
TARGET static double NAME(sum_exp)(const float *l, int64_t n, float shift) {
  const vf s = v_set(shift);
  double rest = 0;
  vd total = vd_zero();
  float e[LANES];
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    v_store(e, v_exp(v_sub(v_load(l + i), s)));
    for (int j = 0; j < LANES; j += DLANES) total = vd_add(total, vd_load(e + j));
  }
  if (i < n) {
    v_store(e, v_exp(v_sub(v_load_n(l + i, n - i), s)));
    for (int64_t j = 0; j < n - i; j++) rest += e[j];
  }
  return vd_sum(total) + rest;
}

/* Σ exp(l0 − shift)·(l0 − l) in float64; where l0 is −∞ the term is zero. */
TARGET static double NAME(sum_cross)(const float *l0, const float *l, int64_t n, float shift) {
  const vf s = v_set(shift);
  double total = 0;
  float e[LANES];
  for (int64_t i = 0; i < n; i += LANES) {
    int64_t left = least(LANES, n - i);
    v_store(e, v_exp(v_sub(left == LANES ? v_load(l0 + i) : v_load_n(l0 + i, left), s)));
    double part = 0;
    for (int64_t j = 0; j < left; j++)
      if (e[j] != 0) part += (double)e[j] * ((double)l0[i + j] - (double)l[i + j]);
    total += part;
  }
  return total;
}

TARGET static float NAME(top_of)(const float *l, int64_t n) {
  vf m = v_set(-INFINITY);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) m = v_max(v_load(l + i), m);
  float top = v_highest(m);
  for (; i < n; i++) top = l[i] > top ? l[i] : top;
  return top;
}

TARGET static void NAME(scale_logits)(const avss_head *h, float *l, int64_t n) {
  if (h->scale != 1)
    for (int64_t i = 0; i < n; i++) l[i] *= h->scale;
  if (h->soft_cap > 0) {
    const vf cap = v_set(h->soft_cap);
    for (int64_t i = 0; i < n; i += LANES) {
      int64_t left = least(LANES, n - i);
      vf x = left == LANES ? v_load(l + i) : v_load_n(l + i, left);
      x = v_mul(cap, v_tanh(v_div(x, cap)));
      if (left == LANES) v_store(l + i, x);
      else v_store_n(l + i, x, left);
    }
  }
}

/* Folds n logits of one row, from column n0 on, into its record. first is variant 0's record before this step and its logits. */
TARGET static void NAME(fold)(const avss_head *h, avss_head_part *part, const float *l, int64_t n0, int64_t n, const float *l0, float max0,
                              double factor0) {
  float top = NAME(top_of)(l, n), before = (float)part->max;
  if (top > part->top || part->top_at < 0) {
    for (int64_t i = 0; i < n; i++)
      if (l[i] == top) {
        part->top = top;
        part->top_at = (int32_t)(n0 + i);
        break;
      }
  }
  float now = top > before ? top : before, base = now == -INFINITY ? 0 : now;
  double factor = before == -INFINITY ? 0 : exp((double)before - base);
  part->sum = part->sum * factor + NAME(sum_exp)(l, n, base);
  part->max = now;
  if (l0 && h->diverge) part->cross = part->cross * factor0 + NAME(sum_cross)(l0, l, n, max0);
}

TARGET void NAME(op_head)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_head *h = arguments;
  const product_isa *isa = product_for(h->precision);
  const int64_t chunks = (h->w.out + h->chunk - 1) / h->chunk, tile = h->rows_job * HEAD_TILE;
  float *logits = scratch;
  void *product_memory = logits + h->variants * tile;
  if (isa->begin) isa->begin();
  for (int64_t job = from; job < to; job++) {
    const int64_t chunk = job % chunks, row0 = job / chunks * h->rows_job, row1 = least(row0 + h->rows_job, h->rows);
    const int64_t end = least((chunk + 1) * h->chunk, h->w.out);
    for (int64_t v = 0; v < h->variants; v++)
      for (int64_t row = row0; row < row1; row++)
        h->parts[(v * h->rows + row) * chunks + chunk] = (avss_head_part){-INFINITY, 0, 0, -INFINITY, -1};
    for (int64_t n0 = chunk * h->chunk; n0 < end; n0 += HEAD_TILE) {
      const int64_t n = least(HEAD_TILE, end - n0);
      for (int64_t v = 0; v < h->variants; v++)
        product_tile(isa, h->packed[v], h->rows, h->w.in, row0, row1, &h->w, n0, n0 + n, h->bias ? h->bias + n0 : 0, logits + v * tile,
                     HEAD_TILE, rounds(isa, h->precision), product_memory);
      for (int64_t row = row0; row < row1; row++) {
        float *l0 = logits + (row - row0) * HEAD_TILE, max0 = 0;
        double factor0 = 1;
        for (int64_t v = 0; v < h->variants; v++) {
          avss_head_part *part = &h->parts[(v * h->rows + row) * chunks + chunk];
          float *l = logits + v * tile + (row - row0) * HEAD_TILE;
          NAME(scale_logits)(h, l, n);
          if (v == 0) {
            float before = (float)part->max;
            NAME(fold)(h, part, l, n0, n, 0, 0, 0);
            max0 = part->max == -INFINITY ? 0 : (float)part->max;
            factor0 = before == -INFINITY ? 0 : exp((double)before - max0);
          } else {
            NAME(fold)(h, part, l, n0, n, l0, max0, factor0);
          }
          for (int64_t t = h->offsets[row]; t < h->offsets[row + 1]; t++)
            if (h->targets[t] >= n0 && h->targets[t] < n0 + n) h->target_logits[v * h->target_count + t] = l[h->targets[t] - n0];
        }
      }
    }
  }
  if (isa->end) isa->end();
}
#endif
