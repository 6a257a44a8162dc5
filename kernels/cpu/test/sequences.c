/* Attention with every mask, and the convolution, against loops in float64; a value that is no number must reach the rows that see it and
 * no other. */
#include "check.h"

static double operand(float x, int bf16) { return bf16 ? bf16_round(x) : x; }

static void attend(int64_t own, int64_t before, int64_t heads, int64_t kv, int64_t dim, int64_t vdim, int causal, int64_t window, int64_t chunk,
                   float cap, int extras, int bad, int bf16) {
  const int64_t rows = before + own, jobs_n = (own + 83) / 84;
  float *q = values(rows * heads * dim), *k = values(rows * kv * dim), *v = values(rows * kv * vdim), *d = values(rows * heads * vdim);
  float *slopes = values(heads), *sinks = values(heads);
  int64_t *jobs = malloc((size_t)jobs_n * 7 * 8);
  for (int64_t j = 0; j < jobs_n; j++) {
    const int64_t job[7] = {before + 84 * j, least(84, own - 84 * j), before + 84 * j, before, own, 0, before};
    memcpy(jobs + 7 * j, job, sizeof job);
  }
  if (bad >= 0) v[bad * kv * vdim] = NAN;
  avss_attention a = {tensor(d, rows, heads * vdim, heads * vdim), tensor(q, rows, heads * dim, heads * dim), tensor(k, rows, kv * dim, kv * dim),
                      tensor(v, rows, kv * vdim, kv * vdim), jobs, extras ? slopes : 0, extras ? sinks : 0, heads, kv, dim, vdim, window, chunk,
                      0.3f, cap, causal, bf16};
  run(AVSS_ATTEND, &a, 0, jobs_n * kv);
  double *score = malloc((size_t)rows * 8), *sum = malloc((size_t)vdim * 8);
  for (int64_t i = before; i < rows; i++)
    for (int64_t h = 0; h < heads; h++) {
      const int64_t g = h / (heads / kv);
      double most_ = extras ? sinks[h] : -INFINITY, total, size = 0, far = 0;
      for (int64_t j = 0; j < rows; j++) {
        score[j] = -INFINITY;
        if ((causal && j > i) || (window && i - j >= window) || (chunk && i / chunk != j / chunk)) continue;
        double s = 0;
        for (int64_t e = 0; e < dim; e++) s += operand(q[(i * heads + h) * dim + e] * 0.3f, bf16) * operand(k[(j * kv + g) * dim + e], bf16);
        if (cap > 0) s = cap * tanh(s / cap);
        if (extras) s += (double)slopes[h] * (double)(j - i);
        score[j] = s;
        most_ = s > most_ ? s : most_;
      }
      total = extras ? exp(sinks[h] - most_) : 0;
      memset(sum, 0, (size_t)vdim * 8);
      for (int64_t j = 0; j < rows; j++) {
        if (score[j] == -INFINITY) continue;
        double w = exp(score[j] - most_);
        total += w;
        for (int64_t e = 0; e < vdim; e++) sum[e] += operand((float)w, bf16) * operand(v[(j * kv + g) * vdim + e], bf16);
        size = 1;
        if (w > 1e-6) far = fmax(far, fabs(score[j])); /* a score's rounding is that of its size */
      }
      /* a bfloat16 weight is rounded, by 2⁻⁸ of itself at most, against another maximum than here: that of the tiles so far */
      for (int64_t e = 0; e < vdim; e++)
        EXPECT(d[(i * heads + h) * vdim + e], sum[e] / total, size * (4e-6 + 4e-7 * far + (bf16 ? 2.0 / 256 : 0)),
               "attention own=%d before=%d dim=%d/%d causal=%d window=%d chunk=%d bad=%d bf16=%d row %d", (int)own, (int)before, (int)dim, (int)vdim,
               causal, (int)window, (int)chunk, bad, bf16, (int)i);
    }
  free(q), free(k), free(v), free(d), free(slopes), free(sinks), free(jobs), free(score), free(sum);
}

static void convolve(void) {
  enum { ROWS = 9, CHANNELS = 21, WIDTH = 4 };
  float *x = values(ROWS * CHANNELS), *d = values(ROWS * CHANNELS), *kernel = values(CHANNELS * WIDTH), *bias = values(CHANNELS);
  /* rows 0–3 are the prefix of 6–8; 4–5 stand alone */
  const int32_t position[ROWS] = {0, 1, 2, 3, 0, 1, 4, 5, 6}, start[ROWS] = {0, 0, 0, 0, 4, 4, 6, 6, 6}, before[ROWS] = {0, 0, 0, 0, 0, 0, 4, 4, 4};
  const int path[3][7] = {{0, 1, 2, 3}, {4, 5}, {0, 1, 2, 3, 6, 7, 8}}, length[3] = {4, 2, 7};
  avss_convolve a = {tensor(d, ROWS, CHANNELS, CHANNELS), tensor(x, ROWS, CHANNELS, CHANNELS), tensor(kernel, CHANNELS, WIDTH, WIDTH), bias, position, start, before};
  run(AVSS_CONVOLVE, &a, 0, ROWS);
  for (int s = 0; s < 3; s++)
    for (int t = s == 2 ? 4 : 0; t < length[s]; t++)
      for (int c = 0; c < CHANNELS; c++) {
        double want = bias[c];
        for (int w = 0; w < WIDTH; w++)
          if (t - WIDTH + 1 + w >= 0) want += (double)kernel[c * WIDTH + w] * x[path[s][t - WIDTH + 1 + w] * CHANNELS + c];
        EXPECT(d[path[s][t] * CHANNELS + c], want, 1e-6, "convolution");
      }
  free(x), free(d), free(kernel), free(bias);
}

static void test(void) {
  for (int bf16 = 0; bf16 < 2; bf16++) {
    attend(1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, -1, bf16);
    attend(90, 0, 4, 2, 8, 8, 1, 0, 0, 0, 0, -1, bf16);
    attend(300, 0, 1, 1, 5, 40, 1, 0, 0, 0, 1, -1, bf16);
    attend(100, 200, 2, 1, 16, 16, 1, 0, 0, 2, 0, -1, bf16);
    attend(60, 7, 2, 2, 33, 9, 0, 0, 0, 0, 0, -1, bf16);
    attend(70, 301, 2, 1, 80, 96, 1, 0, 0, 0, 0, -1, bf16);
    attend(280, 30, 1, 1, 8, 8, 1, 20, 0, 0, 1, -1, bf16);
    attend(280, 30, 1, 1, 8, 8, 1, 0, 50, 0, 0, -1, bf16);
    attend(40, 0, 1, 1, 300, 8, 1, 0, 0, 0, 0, -1, bf16);
    attend(30, 0, 1, 1, 700, 8, 1, 0, 0, 0, 0, -1, bf16);
    attend(100, 0, 2, 1, 8, 8, 1, 0, 0, 0, 0, 50, bf16);
    attend(300, 0, 2, 1, 8, 8, 1, 30, 0, 0, 0, 50, bf16);
  }
  convolve();
}
int main(void) { return on_every_isa(test); }
