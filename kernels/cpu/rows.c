/* Moving rows and columns: embedding, gather, scatter-add, runs of columns. */
#ifndef BODY
#define BODY "rows.c"
#include "each_isa.h"
#else

TARGET void NAME(op_embed)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_embed *a = arguments;
  (void)scratch;
  for (int64_t row = from; row < to; row++) {
    float *d = a->dst.data + row * a->dst.stride;
    int64_t at = weight_row(&a->table, a->ids[row]);
    if (a->table.transposed)
      for (int64_t c = 0; c < a->table.in; c++) NAME(weight_run)(&a->table, c, at, 1, d + c);
    else
      NAME(weight_run)(&a->table, at, 0, a->table.in, d);
    if (a->scale != 1)
      for (int64_t c = 0; c < a->table.in; c++) d[c] *= a->scale;
  }
}

TARGET void NAME(op_gather)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_rows *a = arguments;
  (void)scratch;
  for (int64_t row = from; row < to; row++)
    memcpy(a->dst.data + row * a->dst.stride, a->src.data + a->rows[row] * a->src.stride, (size_t)a->dst.cols * sizeof(float));
}

TARGET void NAME(op_scatter)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_rows *a = arguments;
  (void)scratch;
  for (int64_t row = 0; row < a->src.rows; row++) {
    float *d = a->dst.data + a->rows[row] * a->dst.stride;
    const float *s = a->src.data + row * a->src.stride;
    const vf weight = v_set(a->weights ? a->weights[row] : 1);
    int64_t i = from;
    for (; i + LANES <= to; i += LANES) v_store(d + i, v_fma(weight, v_load(s + i), v_load(d + i)));
    if (i < to) v_store_n(d + i, v_fma(weight, v_load_n(s + i, to - i), v_load_n(d + i, to - i)), to - i);
  }
}

TARGET void NAME(op_columns)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_columns *a = arguments;
  (void)scratch;
  for (int64_t row = from; row < to; row++)
    for (int64_t m = 0; m < a->count; m++)
      memcpy(a->dst.data + row * a->dst.stride + a->moves[3 * m + 1], a->src.data + row * a->src.stride + a->moves[3 * m],
             (size_t)a->moves[3 * m + 2] * sizeof(float));
}
#endif
