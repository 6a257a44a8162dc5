/* Products, embeddings and heads against loops in float64: every weight type that needs no table, sizes that divide and not, strides,
 * one row, no row, hostile numbers; and the bits of a row alone against those of a row among others. */
#include "check.h"

static float weight_at(const uint8_t *data, int type, int64_t i) {
  float f;
  double d;
  uint16_t h;
  uint32_t u;
  switch (type) {
  case AVSS_F32: memcpy(&f, data + 4 * i, 4); return f;
  case AVSS_F64: memcpy(&d, data + 8 * i, 8); return (float)d;
  case AVSS_BF16:
    memcpy(&h, data + 2 * i, 2);
    u = (uint32_t)h << 16;
    memcpy(&f, &u, 4);
    return f;
  default: /* F16 */
    memcpy(&h, data + 2 * i, 2);
    f = ldexpf((float)((h & 0x3ff) | (h & 0x7c00 ? 0x400 : 0)), (h & 0x7c00 ? (h >> 10 & 31) : 1) - 25);
    return h & 0x8000 ? -f : f;
  }
}
static uint8_t *weights(int type, int64_t n) {
  const int size = block_bytes[type];
  uint8_t *p = malloc((size_t)(n * size + 1));
  for (int64_t i = 0; i < n; i++) {
    float f = uniform();
    double d = f;
    uint16_t h = (uint16_t)(any() & 0x83ff) | (uint16_t)((10 + any() % 5) << 10);
    uint16_t b = (uint16_t)bf16_bits(f);
    memcpy(p + i * size, type == AVSS_F32 ? (void *)&f : type == AVSS_F64 ? (void *)&d : type == AVSS_F16 ? (void *)&h : (void *)&b, (size_t)size);
  }
  return p;
}

static void compute(avss_product *p) {
  int64_t bytes = avss_packed_bytes(p->x.rows, p->x.cols, p->precision), high = avss_geometry(p->precision);
  p->packed = avss_allocate(bytes);
  p->rows_job = (p->x.rows / 2 + high) / high * high;
  p->rows_cut = (p->rows_job / high + 2) / 3 * high;
  p->panels_job = 2;
  for (int64_t i = (p->x.rows + high - 1) / high; i > 0; i--) run(AVSS_PACK, p, i - 1, i); /* backwards: no panel may reach into the next */
  int64_t panels = (p->w.out + PANEL - 1) / PANEL, cuts = (p->rows_job + p->rows_cut - 1) / p->rows_cut;
  const int64_t jobs = panels * cuts * ((p->x.rows + p->rows_job - 1) / p->rows_job);
  for (int64_t end = jobs; end > 0; end -= least(end, 7)) run(AVSS_MULTIPLY, p, end - least(end, 7), end);
  avss_release(p->packed, bytes);
}

static void one(int64_t m, int64_t n, int64_t k, int type, int transposed, int cut, enum kind kind, int bf16) {
  const int64_t pad = (m + n) % 3, wide = (transposed ? n + cut : k) + pad, tall = transposed ? k : n + cut;
  uint8_t *w = weights(type, tall > 0 ? (tall - 1) * wide + (transposed ? n + cut : k) : 0);
  float *x = values_of(kind, m > 0 ? (m - 1) * (k + pad) + k : 0), *y = values(m > 0 ? (m - 1) * (n + pad) + n : 0), *bias = values(n);
  const int64_t segments[4] = {cut, n / 2, cut + n / 2, n - n / 2};
  avss_product p = {.dst = tensor(y, m, n, n + pad), .x = tensor(x, m, k, k + pad), .bias = bias, .precision = bf16,
                    .w = {w, segments, cut ? 2 : 0, n, k, wide, type, transposed}};
  compute(&p);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double want = bias[j], size = fabs(want);
      for (int64_t l = 0; l < k; l++) {
        float a = x[i * (k + pad) + l], b = weight_at(w, type, transposed ? l * wide + cut + j : (cut + j) * wide + l);
        if (bf16) a = bf16_round(a), b = bf16_round(b);
        want += (double)a * b;
        size += fabs((double)a * b);
      }
      /* 2⁻²⁴ a rounding, at most (k + 3) of them; bfloat16 products flush denormals */
      EXPECT(y[i * (n + pad) + j], want, size * (double)(k + 3) * 6e-8 + (bf16 ? 1e-36 * (double)k : 1e-44 * (double)k),
             "product m=%d n=%d k=%d type=%d transposed=%d cut=%d kind=%d bf16=%d [%d][%d]", (int)m, (int)n, (int)k, type, transposed, cut,
             kind, bf16, (int)i, (int)j);
    }
  if (m > 0) { /* the last row alone has the same bits */
    float *alone = values(n);
    avss_product q = p;
    q.x = tensor(x + (m - 1) * (k + pad), 1, k, k);
    q.dst = tensor(alone, 1, n, n);
    compute(&q);
    if (memcmp(alone, y + (m - 1) * (n + pad), (size_t)n * 4) && failures++ < 20)
      printf("%s: product m=%d n=%d k=%d bf16=%d: the last row alone differs\n", isa_name, (int)m, (int)n, (int)k, bf16);
    free(alone);
  }
  free(w);
  free(x);
  free(y);
  free(bias);
}

static void test(void) {
  const int64_t sizes[][3] = {{0, 5, 3}, {1, 1, 1}, {1, 33, 17}, {3, 32, 16}, {5, 31, 257}, {14, 64, 256}, {15, 65, 513}, {33, 96, 300},
                              {29, 40, 0}, {85, 7, 31}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int bf16 = 0; bf16 < 2; bf16++)
      for (int type = AVSS_F32; type <= AVSS_F64; type++)
        for (int transposed = 0; transposed < 2; transposed++)
          one(sizes[s][0], sizes[s][1], sizes[s][2], type, transposed, (int)(s % 2) * 3, ORDINARY, bf16);
  for (enum kind kind = DENORMAL; kind < WITH_INFINITY; kind++) one(17, 35, 70, AVSS_F32, 0, 0, kind, 0);
  one(17, 35, 70, AVSS_F32, 0, 0, WITH_NAN, 0);
  one(17, 35, 70, AVSS_BF16, 0, 0, WITH_NAN, 1);
}
int main(void) { return on_every_isa(test); }
