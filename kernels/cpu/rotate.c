/* Rotary positions (arXiv 2104.09864): pair i of every head turns by the angle whose cosine and sine the caller has tabulated. */
#ifndef BODY
#define BODY "rotate.c"
#include "each_isa.h"
#else

TARGET void NAME(op_rotate)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_rotate *a = arguments;
  const int64_t pairs = a->pairs, heads = a->x.cols / a->head_dim;
  (void)scratch;
  for (int64_t row = from; row < to; row++) {
    const float *restrict c = a->turns + (int64_t)a->at[row] * 2 * pairs, *restrict s = c + pairs;
    for (int64_t h = 0; h < heads; h++) {
      float *x = a->x.data + row * a->x.stride + h * a->head_dim + a->offset;
      if (a->interleaved) {
        for (int64_t i = 0; i < pairs; i++) {
          float p = x[2 * i], q = x[2 * i + 1];
          x[2 * i] = p * c[i] - q * s[i];
          x[2 * i + 1] = q * c[i] + p * s[i];
        }
        continue;
      }
      float *y = x + pairs;
      for (int64_t i = 0; i < pairs; i += LANES) {
        int64_t left = least(LANES, pairs - i);
        if (left == LANES) {
          vf p = v_load(x + i), q = v_load(y + i), vc = v_load(c + i), vs = v_load(s + i);
          v_store(x + i, v_fnma(q, vs, v_mul(p, vc)));
          v_store(y + i, v_fma(p, vs, v_mul(q, vc)));
        } else {
          vf p = v_load_n(x + i, left), q = v_load_n(y + i, left), vc = v_load_n(c + i, left), vs = v_load_n(s + i, left);
          v_store_n(x + i, v_fnma(q, vs, v_mul(p, vc)), left);
          v_store_n(y + i, v_fma(p, vs, v_mul(q, vc)), left);
        }
      }
    }
  }
}
#endif
