/* A causal depthwise convolution along each sequence: every channel has `width` taps, the last on the row itself. Rows before the
 * sequence's own are its prefix's; before those there are zeros. */
#ifndef BODY
#define BODY "convolve.c"
#include "each_isa.h"
#else

TARGET void NAME(op_convolve)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_convolve *a = arguments;
  const int64_t width = a->kernel.cols;
  (void)scratch;
  for (int64_t row = from; row < to; row++) {
    float *d = a->dst.data + row * a->dst.stride;
    const int64_t own = row - a->start[row];
    for (int64_t c = 0; c < a->dst.cols; c++) d[c] = a->bias ? a->bias[c] : 0;
    for (int64_t tap = 0; tap < width; tap++) {
      int64_t back = width - 1 - tap;
      if (back > a->position[row]) continue;
      const float *x = a->x.data + (back <= own ? row - back : a->before[row] - (back - own)) * a->x.stride, *k = a->kernel.data + tap;
      for (int64_t c = 0; c < a->dst.cols; c++) d[c] += k[c * a->kernel.stride] * x[c];
    }
  }
}
#endif
