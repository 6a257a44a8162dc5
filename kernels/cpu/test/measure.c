/* The statistics against loops in float64, to 12 digits, over widths that divide and not and numbers of all kinds; counts exactly. */
#include "check.h"

static void one(int64_t n, enum kind kind, float eps_scale) {
  const int64_t rows = 3, blocks[2] = {0, rows};
  float *x = values(rows * n), *y = values_of(kind, rows * n);
  avss_row_sums out;
  avss_measure a = {tensor(x, rows, n, n), tensor(y, rows, n, n), {0}, {0}, tensor(y, rows, n, n), blocks, &out, {0}, 5, 0.5f, 0};
  for (int e = 0; e < 5; e++) a.eps[e] = eps_scale * powf(10, (float)e - 5);
  run(AVSS_MEASURE, &a, 0, 1);
  for (int site = 0; site < 2; site++) {
    double s[5] = {0}, sizes[5] = {0}, relative[2] = {0}, reach = 0, low = INFINITY, high = -INFINITY;
    int64_t below[5] = {0}, near = 0, nan = 0, inf = 0;
    for (int64_t r = 0; r < rows; r++) {
      double squares = 0;
      for (int64_t j = 0; j < n; j++) squares += (double)y[r * n + j] * y[r * n + j];
      const double rms = sqrt(squares / (double)n);
      for (int64_t j = 0; j < n; j++) {
        const float f = site ? y[r * n + j] - x[r * n + j] : y[r * n + j];
        const double v = f, power[5] = {v, v * v, v * v * v, v * v * v * v, fabs(v)};
        for (int i = 0; i < 5; i++) s[i] += power[i], sizes[i] += fabs(power[i]);
        low = v < low ? v : low;
        high = v > high ? v : high;
        for (int e = 0; e < 5; e++) below[e] += fabs(v) < a.eps[e];
        nan += v != v;
        inf += isinf(v) != 0;
        relative[0] += rms == 0 ? 0 : v / rms;
        reach += rms == 0 ? 0 : fabs(v / rms);
        relative[1] += rms == 0 ? 0 : v / rms * (v / rms);
        near += rms == 0 || fabs(v / rms) < 0.5;
      }
    }
    const avss_moments *m = &out.site[site];
    const double got[5] = {m->sum, m->sum2, m->sum3, m->sum4, m->sum_abs};
    for (int i = 0; i < 5; i++) EXPECT(got[i], s[i], sizes[i] * 1e-12, "site %d n=%d kind=%d: sum %d", site, (int)n, kind, i);
    EXPECT(m->relative_sum, relative[0], reach * 1e-12, "site %d n=%d kind=%d: relative sum", site, (int)n, kind);
    EXPECT(m->relative_sum2, relative[1], relative[1] * 1e-11, "site %d n=%d kind=%d: relative sum of squares", site, (int)n, kind);
    EXPECT(m->min, low, 0, "site %d n=%d kind=%d: least", site, (int)n, kind);
    EXPECT(m->max, high, 0, "site %d n=%d kind=%d: most", site, (int)n, kind);
    for (int e = 0; e < 5; e++) EXPECT((double)m->below[e], (double)below[e], 0, "site %d n=%d kind=%d: below %g", site, (int)n, kind, a.eps[e]);
    EXPECT((double)m->near, (double)near, 0, "site %d n=%d kind=%d: near", site, (int)n, kind);
    EXPECT((double)m->nan, (double)nan, 0, "site %d n=%d kind=%d: NaN", site, (int)n, kind);
    EXPECT((double)m->inf, (double)inf, 0, "site %d n=%d kind=%d: infinities", site, (int)n, kind);
  }
  free(x), free(y);
}

static void test(void) {
  const int64_t widths[] = {1, 5, 16, 63, 64, 65, 200, 768};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
    for (int kind = 0; kind < KINDS; kind++) {
      one(widths[i], (enum kind)kind, 1);
      one(widths[i], (enum kind)kind, 10);
    }
}
int main(void) { return on_every_isa(test); }
