/* Products of one row and of few, of every weight type, against sums in float64 of what the embedding reads of the same rows; sizes that divide
 * and not, strides, segments, hostile numbers; and the bits of a row alone against those of a row among others. What the embedding reads is the
 * same on every instruction set. */
#include "check.h"

/* Blocks of any codes with scales that are ordinary numbers. */
static uint8_t *stored(int type, int64_t blocks) {
  const int64_t size = block_bytes[type];
  uint8_t *p = malloc((size_t)(blocks * size));
  for (int64_t i = 0; i < blocks * size; i++) p[i] = (uint8_t)any();
  for (int64_t i = 0; i < blocks; i++) {
    uint8_t *b = p + i * size;
    const double d = uniform();
    const float f = (float)d;
    const uint16_t bf16 = (uint16_t)bf16_bits(f);
    uint16_t half[2];
    for (int j = 0; j < 2; j++) half[j] = (uint16_t)((any() & 0x83ff) | (uint32_t)(10 + any() % 5) << 10);
    switch (type) {
    case AVSS_F32: memcpy(b, &f, 4); break;
    case AVSS_F64: memcpy(b, &d, 8); break;
    case AVSS_BF16: memcpy(b, &bf16, 2); break;
    case AVSS_F16: case AVSS_Q4_0: case AVSS_Q5_0: case AVSS_Q8_0: memcpy(b, half, 2); break;
    case AVSS_Q4_1: case AVSS_Q5_1: case AVSS_Q4_K: case AVSS_Q5_K: memcpy(b, half, 4); break;
    case AVSS_Q2_K: memcpy(b + 80, half, 4); break;
    case AVSS_Q3_K: memcpy(b + 108, half, 2); break;
    case AVSS_Q6_K: memcpy(b + 208, half, 2); break;
    case AVSS_MXFP4: b[0] = (uint8_t)(120 + any() % 10); break;
    default: failures++, printf("type %d has no blocks here\n", type);
    }
  }
  return p;
}

/* The weight's stored rows as float32, by the plain instruction set; the one in work reads the same. */
static float *decoded(const avss_weight *w, int64_t rows) {
  float *plain = values(rows * w->in), *own = values(rows * w->in);
  int32_t *ids = malloc((size_t)rows * 4);
  for (int64_t i = 0; i < rows; i++) ids[i] = (int32_t)i;
  avss_embed a = {.dst = tensor(own, rows, w->in, w->in), .table = *w, .ids = ids, .scale = 1};
  a.table.segments = 0, a.table.segment_count = 0, a.table.out = rows;
  run(AVSS_EMBED, &a, 0, rows);
  const char *name = isa_name;
  int32_t isa = 0;
  while (strcmp(isa_names[isa], name)) isa++;
  avss_choose(AVSS_SCALAR);
  a.dst.data = plain;
  run(AVSS_EMBED, &a, 0, rows);
  avss_choose(isa);
  if (memcmp(plain, own, (size_t)(rows * w->in) * 4) && failures++ < 20) printf("%s: embedding of type %d is not the plain one\n", name, w->type);
  free(own), free(ids);
  return plain;
}

static double operand(float x, int bf16) { return bf16 ? bf16_round(x) : x; }

static void one(int64_t m, int64_t n, int64_t k, int type, int cut, enum kind kind, int bf16) {
  const int64_t pad = (m + n) % 3, rows = n + cut, in = (k + block_values[type] - 1) / block_values[type] * block_values[type];
  uint8_t *w = stored(type, rows * in / block_values[type]);
  float *x = values_of(kind, (m - 1) * (in + pad) + in), *y = values((m - 1) * (n + pad) + n), *bias = values(n), *alone = values(n);
  const int64_t segments[4] = {cut, n / 2, cut + n / 2, n - n / 2};
  avss_few a = {.dst = tensor(y, m, n, n + pad), .x = tensor(x, m, in, in + pad), .bias = cut ? bias : 0,
                .w = {w, segments, cut ? 2 : 0, n, in, in, type, 0}, .bf16 = bf16};
  float *plain = decoded(&a.w, rows);
  for (int64_t end = n; end > 0; end -= least(end, 5)) run(AVSS_MULTIPLY_FEW, &a, end - least(end, 5), end); /* backwards, in parts */
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double want = a.bias ? bias[j] : 0, size = fabs(want);
      for (int64_t l = 0; l < in; l++) {
        const double product = operand(x[i * (in + pad) + l], bf16) * operand(plain[(cut + j) * in + l], bf16);
        want += product;
        size += fabs(product);
      }
      EXPECT(y[i * (n + pad) + j], want, size * (double)(in + 3) * 6e-8 + 1e-44 * (double)in,
             "product of few m=%d n=%d k=%d type=%d cut=%d kind=%d bf16=%d [%d][%d]", (int)m, (int)n, (int)in, type, cut, kind, bf16, (int)i,
             (int)j);
    }
  for (int64_t i = 0; i < m; i++) {
    avss_few b = a;
    b.x = tensor(x + i * (in + pad), 1, in, in), b.dst = tensor(alone, 1, n, n);
    run(AVSS_MULTIPLY_FEW, &b, 0, n);
    if (memcmp(alone, y + i * (n + pad), (size_t)n * 4) && failures++ < 20)
      printf("%s: product of few m=%d n=%d k=%d type=%d: row %d alone differs\n", isa_name, (int)m, (int)n, (int)in, type, (int)i);
  }
  free(w), free(x), free(y), free(bias), free(alone), free(plain);
}

static void test(void) {
  for (int both = 0; both < 2 * AVSS_TYPES; both++) {
    const int type = both / 2, bf16 = both % 2;
    for (int64_t m = 1; m <= 9; m++) one(m, 7, 256, type, (int)(m % 2) * 3, ORDINARY, bf16);
    one(17, 40, 512, type, 0, ORDINARY, bf16);
    one(2, 3, 1, type, 0, ORDINARY, bf16);
    one(3, 5, 70, type, 2, ORDINARY, bf16);
    one(1, 33, 300, type, 0, ORDINARY, bf16);
    for (enum kind kind = DENORMAL; kind < WITH_INFINITY; kind++) one(5, 9, 256, type, 0, kind, bf16);
    one(1, 4, 256, type, 0, WITH_NAN, bf16);
  }
}
int main(void) { return on_every_isa(test); }
