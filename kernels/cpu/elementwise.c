/* What works value by value on whole rows: dst = a + factor·b, scaling, clamping. */
#ifndef BODY
#define BODY "elementwise.c"
#include "each_isa.h"
#else

TARGET void NAME(op_add)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_add *p = arguments;
  (void)scratch;
  const vf factor = v_set(p->factor);
  for (int64_t row = from; row < to; row++) {
    const float *a = p->a.data + row * p->a.stride, *b = p->b.data + row * p->b.stride;
    float *d = p->dst.data + row * p->dst.stride;
    int64_t i = 0, n = p->dst.cols;
    for (; i + LANES <= n; i += LANES) v_store(d + i, v_fma(factor, v_load(b + i), v_load(a + i)));
    if (i < n) v_store_n(d + i, v_fma(factor, v_load_n(b + i, n - i), v_load_n(a + i, n - i)), n - i);
  }
}

TARGET void NAME(op_scale)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_scale *p = arguments;
  (void)scratch;
  for (int64_t row = from; row < to; row++) {
    float *x = p->x.data + row * p->x.stride;
    const vf factor = v_set(p->per_row ? p->factor * p->per_row[row] : p->factor);
    int64_t i = 0, n = p->x.cols;
    for (; i + LANES <= n; i += LANES) v_store(x + i, v_mul(v_load(x + i), factor));
    if (i < n) v_store_n(x + i, v_mul(v_load_n(x + i, n - i), factor), n - i);
  }
}

TARGET void NAME(op_clamp)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_scale *p = arguments;
  (void)scratch;
  const vf high = v_set(p->factor), low = v_set(-p->factor);
  for (int64_t row = from; row < to; row++) {
    float *x = p->x.data + row * p->x.stride;
    int64_t i = 0, n = p->x.cols;
    for (; i + LANES <= n; i += LANES) v_store(x + i, v_min(high, v_max(low, v_load(x + i))));
    if (i < n) v_store_n(x + i, v_min(high, v_max(low, v_load_n(x + i, n - i))), n - i);
  }
}
#endif
