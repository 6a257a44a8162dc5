/* What works row by row, against loops in float64: norms, sums, scaling, activations over their whole range, rotary positions, moving
 * rows. Tensors have exactly the memory their shape needs. */
#include "check.h"

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double activation(const avss_activate *a, double x) {
  switch (a->kind) {
  case AVSS_SILU: return x * sigmoid(x);
  case AVSS_GELU: return x / 2 * erfc(-x / sqrt(2));
  case AVSS_GELU_TANH: return x * sigmoid(2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
  case AVSS_GELU_QUICK: return x * sigmoid(1.702 * x);
  case AVSS_RELU: return x > 0 || x != x ? x : 0;
  case AVSS_RELU_SQUARED: return x > 0 || x != x ? x * x : 0;
  case AVSS_SIGMOID: return sigmoid(x);
  case AVSS_TANH: return tanh(x);
  case AVSS_XIELU:
    if (x > 0) return (double)a->alpha_p * x * x + (double)a->beta * x;
    return (expm1(x < a->eps ? x : (double)a->eps) - x) * (double)a->alpha_n + (double)a->beta * x;
  default: return x;
  }
}

static void activations(void) {
  enum { N = 4099 };
  float *x = values(N), *y = values(N), *up = values(N);
  for (int i = 0; i < N; i++) x[i] = ((float)i - N / 2) * 0.02f * (any() % 7 == 0 ? 0.001f : 1);
  for (int kind = 0; kind < AVSS_SWIGLU_CLAMPED; kind++)
    for (int gated = 0; gated < 2; gated++) {
      avss_activate a = {tensor(y, 1, N, N), tensor(x, 1, N, N), {0}, 0, 0, 0.8f, 0.7f, 0.5f, -1e-6f, kind, 0};
      if (gated) a.up = tensor(up, 1, N, N);
      run(AVSS_ACTIVATE, &a, 0, 1);
      for (int i = 0; i < N; i++) {
        double want = activation(&a, x[i]) * (gated ? up[i] : 1.0);
        /* the tails of exp are x times as sensitive as x: 1e-6 + 3e-8·|x|³ bounds GELU's cubic argument */
        double loose = 1e-6 + 6e-8 * fabs(x[i]) * (kind == AVSS_GELU_TANH || kind == AVSS_GELU ? 4 + x[i] * x[i] : 2);
        double differences = kind == AVSS_XIELU ? 2e-7 * (1 + fabs(x[i])) * (gated ? fabs(up[i]) : 1.0) : 0;
        EXPECT(y[i], want, fabs(want) * loose + 1e-37 + differences, "activation %d of %g", kind, x[i]);
      }
    }
  free(x);
  free(y);
  free(up);
}

/* v_exp through the sigmoid: σ(x) = 1/(1 + exp(−x)) is exp(x)·(1 − …) far to the left, so there its error is the exponential's. */
static void exponential(void) {
  enum { N = 5000 };
  float *x = values(N), *y = values(N);
  for (int i = 0; i < N; i++) x[i] = -18 - (float)i * 0.0137f;
  avss_activate a = {tensor(y, 1, N, N), tensor(x, 1, N, N), {0}, 0, 0, 0, 0, 0, 0, AVSS_SIGMOID, 0};
  run(AVSS_ACTIVATE, &a, 0, 1);
  for (int i = 0; i < N; i++) {
    double want = sigmoid(x[i]);
    EXPECT(y[i], want, want * 3 * 1.2e-7 + 1.5e-45, "exp of %g by the sigmoid", x[i]); /* 2 units of exp, 1 of the division */
  }
  free(x);
  free(y);
}

static void norms(void) {
  const int64_t widths[][2] = {{1, 1}, {7, 1}, {16, 1}, {33, 3}, {128, 4}, {770, 1}};
  for (size_t s = 0; s < sizeof widths / sizeof *widths; s++)
    for (int kind = AVSS_NORM_RMS; kind <= AVSS_NORM_L2; kind++)
      for (int numbers = 0; numbers < KINDS; numbers++) {
        const int64_t n = widths[s][0], groups = widths[s][1], size = n / groups, rows = 3, stride = n + 2;
        float *x = values_of((enum kind)numbers, (rows - 1) * stride + n), *y = values((rows - 1) * stride + n), *w = values(n), *b = values(size);
        avss_norm a = {tensor(y, rows, n, stride), tensor(x, rows, n, stride), w, b, groups, n, size, 1e-6f, 1, kind, 0};
        run(AVSS_NORMALISE, &a, 0, rows);
        for (int64_t r = 0; r < rows; r++)
          for (int64_t g = 0; g < groups; g++) {
            double mean = 0, squares = 0;
            const float *v = x + r * stride + g * size;
            for (int64_t j = 0; j < size; j++) mean += v[j];
            mean = kind == AVSS_NORM_LAYER ? mean / (double)size : 0;
            for (int64_t j = 0; j < size; j++) squares += (v[j] - mean) * (v[j] - mean);
            double spread = sqrt(squares / (kind == AVSS_NORM_L2 ? 1 : (double)size) + (double)1e-6f);
            for (int64_t j = 0; j < size; j++) {
              double unit = (v[j] - mean) / spread, want = unit * ((double)w[g * size + j] + 1) + b[j];
              EXPECT(y[r * stride + g * size + j], want, 4e-7 * (fabs(unit) * 2 + 1) + 1e-7 * fabs(mean) * 1e-6 / spread,
                     "norm %d n=%d numbers=%d", kind, (int)n, numbers);
            }
          }
        free(x);
        free(y);
        free(w);
        free(b);
      }
}

static void arithmetic(void) {
  for (int64_t n = 1; n < 40; n += 3) {
    float *a = values(2 * n), *b = values(2 * n), *d = values(2 * n), per_row[2] = {2, -3};
    avss_add add = {tensor(d, 2, n, n), tensor(a, 2, n, n), tensor(b, 2, n, n), 0.3f, 0};
    run(AVSS_ADD, &add, 0, 2);
    for (int64_t i = 0; i < 2 * n; i++) EXPECT(d[i], a[i] + (double)0.3f * b[i], 3e-7, "add");
    avss_scale scale = {tensor(d, 2, n, n), per_row, 0.5f, 0};
    memcpy(d, a, (size_t)n * 8);
    run(AVSS_SCALE, &scale, 0, 2);
    for (int64_t i = 0; i < 2 * n; i++) EXPECT(d[i], a[i] * 0.5 * per_row[i / n], 3e-7, "scale");
    d[0] = NAN;
    d[2 * n - 1] = -INFINITY;
    run(AVSS_CLAMP, &scale, 0, 2);
    EXPECT(d[0], NAN, 0, "clamp of no number");
    EXPECT(d[2 * n - 1], n > 0 ? -0.5 : 0, 0, "clamp of −∞");
    free(a);
    free(b);
    free(d);
  }
}

static void rotations(void) {
  for (int interleaved = 0; interleaved < 2; interleaved++)
    for (int64_t pairs = 1; pairs < 35; pairs += 4) {
      const int64_t dim = 2 * pairs + 3, heads = 2, rows = 3;
      float *x = values(rows * heads * dim), *before = malloc((size_t)(rows * heads * dim) * 4), *turns = values(4 * 2 * pairs);
      const int32_t at[3] = {2, 0, 3};
      memcpy(before, x, (size_t)(rows * heads * dim) * 4);
      avss_rotate a = {tensor(x, rows, heads * dim, heads * dim), turns, at, dim, 1, pairs, interleaved, 0};
      run(AVSS_ROTATE, &a, 0, rows);
      for (int64_t r = 0; r < rows; r++)
        for (int64_t h = 0; h < heads; h++)
          for (int64_t i = 0; i < pairs; i++) {
            const int64_t base = (r * heads + h) * dim + 1, p = base + (interleaved ? 2 * i : i), q = base + (interleaved ? 2 * i + 1 : i + pairs);
            const double c = turns[at[r] * 2 * pairs + i], s = turns[at[r] * 2 * pairs + pairs + i];
            EXPECT(x[p], before[p] * c - before[q] * s, 3e-7, "rope");
            EXPECT(x[q], before[q] * c + before[p] * s, 3e-7, "rope");
          }
      free(x);
      free(before);
      free(turns);
    }
}

static void moves(void) {
  const int64_t n = 37;
  float *src = values(4 * n), *dst = values(3 * n), *was = malloc(3 * (size_t)n * 4), weights[4] = {1, 2, -1, 0.5f};
  const int32_t rows[4] = {2, 0, 2, 1}, pick[3] = {3, 3, 0};
  memcpy(was, dst, 3 * (size_t)n * 4);
  avss_rows scatter = {tensor(dst, 3, n, n), tensor(src, 4, n, n), rows, weights};
  run(AVSS_SCATTER, &scatter, 0, 20);
  run(AVSS_SCATTER, &scatter, 20, n);
  for (int64_t c = 0; c < n; c++) EXPECT(dst[2 * n + c], (double)was[2 * n + c] + src[c] - src[2 * n + c], 5e-7, "scatter");
  avss_rows gather = {tensor(dst, 3, n, n), tensor(src, 4, n, n), pick, 0};
  run(AVSS_GATHER, &gather, 0, 3);
  for (int64_t c = 0; c < n; c++) EXPECT(dst[n + c], src[3 * n + c], 0, "gather");
  const int64_t list[6] = {5, 0, 7, 0, 30, 7};
  avss_columns columns = {tensor(dst, 3, n, n), tensor(src, 3, n, n), list, 2};
  run(AVSS_COLUMNS, &columns, 0, 3);
  for (int64_t c = 0; c < 7; c++) {
    EXPECT(dst[n + c], src[n + 5 + c], 0, "columns");
    EXPECT(dst[n + 30 + c], src[n + c], 0, "columns");
  }
  free(src);
  free(dst);
  free(was);
}

static void test(void) {
  activations();
  exponential();
  norms();
  arithmetic();
  rotations();
  moves();
}
int main(void) { return on_every_isa(test); }
