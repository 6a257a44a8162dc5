/* Products by integers against loops in float64: every type of blocks, rows of whole groups and of parts of one, few rows and many, jobs of every
 * size. Activations and weights stand in memory of exactly their size, so that a sanitizer sees what is read behind them. */
#include "check.h"

/* Where a block's factors of half precision are; the rest may be any bytes. */
static int factors_of(int type, int *at) {
  at[0] = 0, at[1] = 2;
  switch (type) {
  case AVSS_Q4_0: case AVSS_Q5_0: case AVSS_Q8_0: return 1;
  case AVSS_Q2_K: at[0] = 80, at[1] = 82; return 2;
  case AVSS_Q3_K: at[0] = 108; return 1;
  case AVSS_Q6_K: at[0] = 208; return 1;
  default: return 2;
  }
}
static uint8_t *blocks_of(int type, int64_t values) {
  const int64_t count = values / block_values[type], bytes = count * block_bytes[type];
  uint8_t *p = malloc((size_t)bytes);
  int at[2];
  const int factors = factors_of(type, at);
  for (int64_t i = 0; i < bytes; i++) p[i] = (uint8_t)any();
  for (int64_t b = 0; b < count; b++)
    for (int f = 0; f < factors; f++) {
      const uint16_t h = (uint16_t)(any() & 0x83ff) | (uint16_t)((10 + any() % 5) << 10);
      memcpy(p + b * block_bytes[type] + at[f], &h, 2);
    }
  return p;
}

/* x as products by integers have it: blocks of 32 to 8 bits. */
static void rounded(float *x, int64_t n) {
  for (; n > 0; n -= 32, x += 32) {
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[i]));
    const float scale = largest / 127, inverse = 1 / scale;
    for (int i = 0; i < 32; i++) x[i] = scale > 0 ? scale * nearbyintf(x[i] * inverse) : 0;
  }
}

static void held(const char *what, int type, const float *y, const float *x, const float *w, const float *bias, int64_t m, int64_t n, int64_t k) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double want = bias[j], size = fabs(want);
      for (int64_t l = 0; l < k; l++) want += (double)x[i * k + l] * w[j * k + l], size += fabs((double)x[i * k + l] * w[j * k + l]);
      EXPECT(y[i * n + j], want, size * (double)(k / 16 + 8) * 6e-8, "%s m=%d n=%d k=%d type=%d [%d][%d]", what, (int)m, (int)n, (int)k, type, (int)i,
             (int)j);
    }
}

static void many(avss_product *p) {
  const int64_t bytes = avss_packed_bytes(p->x.rows, p->x.cols, p->precision), high = avss_geometry(p->precision);
  p->packed = avss_allocate(bytes);
  p->rows_job = 2 * high, p->rows_cut = high, p->panels_job = 2;
  for (int64_t i = (p->x.rows + high - 1) / high; i > 0; i--) run(AVSS_PACK, p, i - 1, i);
  run(AVSS_MULTIPLY, p, 0, (p->w.out + PANEL - 1) / PANEL * 2 * ((p->x.rows + p->rows_job - 1) / p->rows_job));
  avss_release(p->packed, bytes);
}

static void one(int type, int64_t m, int64_t n, int64_t k) {
  uint8_t *stored = blocks_of(type, n * k);
  float *x = values(m * k), *y = values(m * n), *bias = values(n), *w = values(n * k);
  const int64_t bytes = m * ((k + GROUP - 1) / GROUP) * AVSS_QUANTISED_BYTES;
  const avss_weight weight = {stored, 0, 0, n, k, k, type, 0};
  for (int64_t j = 0; j < n; j++) weight_run_scalar(&weight, j, 0, k, w + j * k);
  void *q = avss_allocate(bytes);
  avss_quantise quantise = {tensor(x, m, k, k), q};
  run(AVSS_QUANTISE, &quantise, 0, m);
  avss_few few = {.dst = tensor(y, m, n, n), .x = tensor(x, m, k, k), .w = weight, .bias = bias, .quantised = q};
  for (int64_t from = 0, step = 1; from < n; from += step, step = step % 7 + 1) run(AVSS_MULTIPLY_FEW_INT8, &few, from, least(from + step, n));
  avss_product product = {.dst = tensor(y, m, n, n), .x = few.x, .w = weight, .bias = bias, .precision = AVSS_AS_INT8};
  float *exact = values(m * k);
  memcpy(exact, x, (size_t)(m * k) * sizeof *x);
  rounded(exact, m * k);
  held("few rows", type, y, exact, w, bias, m, n, k);
  memset(y, 0xff, (size_t)(m * n) * sizeof *y);
  many(&product);
  held("many rows", type, y, exact, w, bias, m, n, k);
  avss_release(q, bytes);
  free(stored), free(x), free(y), free(bias), free(w), free(exact);
}

static void test(void) {
  const int64_t sizes[][3] = {{1, 1, 256}, {2, 5, 256}, {3, 33, 512}, {7, 40, 768}, {13, 70, 256}};
  for (int type = AVSS_Q4_0; type <= AVSS_Q6_K; type++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      one(type, sizes[s][0], sizes[s][1], sizes[s][2]);
      for (int64_t blocks = 1; blocks < 8 && block_values[type] == 32; blocks += 2) one(type, sizes[s][0], sizes[s][1], sizes[s][2] - 32 * blocks);
    }
}
int main(void) { return on_every_isa(test); }
