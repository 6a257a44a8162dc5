/* Normalisation of rows or of groups of neighbouring columns: RMS (arXiv 1910.07467), LayerNorm (arXiv 1607.06450), L2; then
 * ·(weight + offset) + bias. Means are taken in float64, so that a large mean costs no digits; LayerNorm squares what is left after it. */
#ifndef BODY
#define BODY "norm.c"
#include "each_isa.h"
#else

TARGET static double NAME(mean_of)(const float *x, int64_t n) {
  vd s0 = vd_zero(), s1 = vd_zero();
  double rest = 0;
  int64_t i = 0;
  for (; i + 2 * DLANES <= n; i += 2 * DLANES) {
    s0 = vd_add(s0, vd_load(x + i));
    s1 = vd_add(s1, vd_load(x + i + DLANES));
  }
  for (; i < n; i++) rest += x[i];
  return (vd_sum(vd_add(s0, s1)) + rest) / (double)n;
}
TARGET static double NAME(squares_of)(const float *x, int64_t n, double mean) {
  vd s0 = vd_zero(), s1 = vd_zero(), m = vd_set(mean);
  double rest = 0;
  int64_t i = 0;
  for (; i + 2 * DLANES <= n; i += 2 * DLANES) {
    vd a = vd_sub(vd_load(x + i), m), b = vd_sub(vd_load(x + i + DLANES), m);
    s0 = vd_fma(a, a, s0);
    s1 = vd_fma(b, b, s1);
  }
  for (; i < n; i++) rest += (x[i] - mean) * (x[i] - mean);
  return vd_sum(vd_add(s0, s1)) + rest;
}

TARGET void NAME(op_normalise)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_norm *a = arguments;
  const int64_t n = a->x.cols / a->groups;
  (void)scratch;
  for (int64_t row = from; row < to; row++)
    for (int64_t g = 0; g < a->groups; g++) {
      const float *x = a->x.data + row * a->x.stride + g * n;
      float *d = a->dst.data + row * a->dst.stride + g * n;
      const float *weight = a->weight ? a->weight + (a->weight_cols == n ? 0 : g * n) : 0;
      const float *bias = a->bias ? a->bias + (a->bias_cols == n ? 0 : g * n) : 0;
      double mean = a->kind == AVSS_NORM_LAYER ? NAME(mean_of)(x, n) : 0, squares = NAME(squares_of)(x, n, mean);
      double spread = (a->kind == AVSS_NORM_L2 ? squares : squares / (double)n) + (double)a->eps;
      float m = (float)mean, low = (float)(mean - m), inverse = (float)(1 / sqrt(spread));
      int64_t i = 0;
      vf vm_ = v_set(m), vl = v_set(low), vi = v_set(inverse), vo = v_set(a->offset);
      for (; i < n; i += LANES) {
        int64_t left = least(LANES, n - i);
        int full = left == LANES;
        vf v = full ? v_load(x + i) : v_load_n(x + i, left);
        v = v_mul(v_sub(v_sub(v, vm_), vl), vi);
        if (weight) v = v_mul(v, v_add(full ? v_load(weight + i) : v_load_n(weight + i, left), vo));
        else if (a->offset != 0) v = v_mul(v, v_set(1 + a->offset));
        if (bias) v = v_add(v, full ? v_load(bias + i) : v_load_n(bias + i, left));
        if (full) v_store(d + i, v);
        else v_store_n(d + i, v, left);
      }
    }
}
#endif
