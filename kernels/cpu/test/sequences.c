/* Attention with every mask, of many rows and of few, the convolution and the delta rule, against loops in float64; a value that is no number
 * must reach the rows that see it and no other, and keys that no row sees need not be there. */
#include "check.h"

static double operand(float x, int bf16) { return bf16 ? bf16_round(x) : x; }

/* One sequence of `own` rows behind a prefix of `before`, and how its heads attend. bad: the row of a value that is no number, or −1. */
typedef struct {
  int64_t own, before, heads, kv_heads, dim, value_dim;
  int causal;
  int64_t window, chunk;
  float cap;
  int extras, bad; /* extras: slopes and sinks */
} attention_case;

/* The scores of query i of head h, −∞ where it does not see the key; returns the largest, or the sink where that is larger. */
static double score_keys(const avss_attention *a, int64_t rows, int64_t i, int64_t h, double *score) {
  const int64_t g = h / (a->heads / a->kv_heads);
  double largest = a->sinks ? a->sinks[h] : -INFINITY;
  for (int64_t j = 0; j < rows; j++) {
    score[j] = -INFINITY;
    if ((a->causal && j > i) || (a->window && i - j >= a->window) || (a->chunk && i / a->chunk != j / a->chunk)) continue;
    const float *q = a->q.data + i * a->q.stride + h * a->head_dim, *k = a->k.data + j * a->k.stride + g * a->head_dim;
    double s = 0;
    for (int64_t e = 0; e < a->head_dim; e++) s += operand(q[e] * a->scale, a->bf16) * operand(k[e], a->bf16);
    if (a->soft_cap > 0) s = a->soft_cap * tanh(s / a->soft_cap);
    if (a->slopes) s += (double)a->slopes[h] * (double)(j - i);
    score[j] = s;
    largest = s > largest ? s : largest;
  }
  return largest;
}

/* Holds query i of head h against a softmax in float64; score and sum are memory for a score a row and a value's columns. */
static void expect_row(const avss_attention *a, const attention_case *c, int64_t rows, int64_t i, int64_t h, double *score, double *sum) {
  const int64_t g = h / (a->heads / a->kv_heads);
  const double largest = score_keys(a, rows, i, h, score);
  double total = a->sinks ? exp(a->sinks[h] - largest) : 0, size = 0, far = 0;
  memset(sum, 0, (size_t)a->value_dim * 8);
  for (int64_t j = 0; j < rows; j++) {
    if (score[j] == -INFINITY) continue;
    double w = exp(score[j] - largest);
    total += w;
    const float *v = a->v.data + j * a->v.stride + g * a->value_dim;
    for (int64_t e = 0; e < a->value_dim; e++) sum[e] += operand((float)w, a->bf16) * operand(v[e], a->bf16);
    size = 1;
    if (w > 1e-6) far = fmax(far, fabs(score[j])); /* a score's rounding is that of its size */
  }
  /* a bfloat16 weight is rounded, by 2⁻⁸ of itself at most, against another maximum than here: that of the tiles so far */
  for (int64_t e = 0; e < a->value_dim; e++)
    EXPECT(a->dst.data[i * a->dst.stride + h * a->value_dim + e], sum[e] / total, size * (4e-6 + 4e-7 * far + (a->bf16 ? 2.0 / 256 : 0)),
           "attention own=%d before=%d dim=%d/%d causal=%d window=%d chunk=%d bad=%d bf16=%d row %d", (int)c->own, (int)c->before, (int)c->dim,
           (int)c->value_dim, c->causal, (int)c->window, (int)c->chunk, c->bad, a->bf16, (int)i);
}

/* Keys that the first row does not see any more. */
static int64_t unseen(const attention_case *c) {
  int64_t first = c->window ? most(0, c->before - c->window + 1) : 0;
  return c->chunk ? most(first, c->before / c->chunk * c->chunk) : first;
}

/* few: a job is a row and a head, keys and values are read where they lie. gone: keys that are unseen have no memory. */
static void attend(const attention_case *c, int bf16, int few, int gone) {
  const int64_t block = few ? 1 : 84, rows = c->before + c->own, jobs_n = (c->own + block - 1) / block, absent = gone ? unseen(c) : 0;
  const int64_t q_cols = c->heads * c->dim, k_cols = c->kv_heads * c->dim;
  const int64_t v_cols = c->kv_heads * c->value_dim, d_cols = c->heads * c->value_dim;
  float *q = values(rows * q_cols), *k = values(rows * k_cols), *v = values(rows * v_cols), *d = values(rows * d_cols);
  float *slopes = values(c->heads), *sinks = values(c->heads);
  int64_t *jobs = malloc((size_t)jobs_n * 7 * 8);
  for (int64_t j = 0; j < jobs_n; j++) {
    const int64_t first = c->before + block * j;
    const int64_t job[7] = {first, least(block, rows - first), first, c->before - absent, c->own, -absent, c->before};
    memcpy(jobs + 7 * j, job, sizeof job);
  }
  if (c->bad >= 0) v[c->bad * v_cols] = NAN;
  avss_attention a = {tensor(d, rows, d_cols, d_cols), tensor(q, rows, q_cols, q_cols), tensor(k, rows, k_cols, k_cols),
                      tensor(v, rows, v_cols, v_cols), jobs, c->extras ? slopes : 0, c->extras ? sinks : 0, c->heads, c->kv_heads, c->dim,
                      c->value_dim, c->window, c->chunk, 0.3f, c->cap, c->causal, bf16};
  float *held_k = malloc((size_t)((rows - absent) * k_cols) * 4), *held_v = malloc((size_t)((rows - absent) * v_cols) * 4);
  memcpy(held_k, k + absent * k_cols, (size_t)((rows - absent) * k_cols) * 4);
  memcpy(held_v, v + absent * v_cols, (size_t)((rows - absent) * v_cols) * 4);
  a.k = tensor(held_k, rows - absent, k_cols, k_cols), a.v = tensor(held_v, rows - absent, v_cols, v_cols);
  run(few ? AVSS_ATTEND_FEW : AVSS_ATTEND, &a, 0, jobs_n * (few ? c->heads : c->kv_heads));
  a.k.data = k, a.v.data = v;
  double *score = malloc((size_t)rows * 8), *sum = malloc((size_t)c->value_dim * 8);
  for (int64_t i = c->before; i < rows; i++)
    for (int64_t h = 0; h < c->heads; h++) expect_row(&a, c, rows, i, h, score, sum);
  free(q), free(k), free(v), free(held_k), free(held_v), free(d), free(slopes), free(sinks), free(jobs), free(score), free(sum);
}

static void convolve(void) {
  enum { ROWS = 9, CHANNELS = 21, WIDTH = 4 };
  float *x = values(ROWS * CHANNELS), *d = values(ROWS * CHANNELS), *kernel = values(CHANNELS * WIDTH), *bias = values(CHANNELS);
  /* rows 0–3 are the prefix of 6–8; 4–5 stand alone */
  const int32_t position[ROWS] = {0, 1, 2, 3, 0, 1, 4, 5, 6}, start[ROWS] = {0, 0, 0, 0, 4, 4, 6, 6, 6}, before[ROWS] = {0, 0, 0, 0, 0, 0, 4, 4, 4};
  const int path[3][7] = {{0, 1, 2, 3}, {4, 5}, {0, 1, 2, 3, 6, 7, 8}}, length[3] = {4, 2, 7};
  avss_convolve a = {tensor(d, ROWS, CHANNELS, CHANNELS), tensor(x, ROWS, CHANNELS, CHANNELS), tensor(kernel, CHANNELS, WIDTH, WIDTH), bias,
                     position, start, before};
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

/* Two sequences, the second behind a prefix, a head at a time; then row by row from states that are kept, as they are generated. */
static void delta(int64_t heads, int64_t key_heads, int64_t keys, int64_t width) {
  enum { ROWS = 11 };
  const int64_t whole[8] = {0, 4, 0, 0, 7, ROWS, 4, 7}, q_cols = key_heads * keys, v_cols = heads * width, state = heads * keys * width;
  float *q = values(ROWS * q_cols), *k = values(ROWS * q_cols), *v = values(ROWS * v_cols), *d = values(ROWS * v_cols);
  float *gate = values(ROWS * heads), *beta = values(ROWS * heads), *kept = calloc((size_t)state, 4);
  double *s = malloc((size_t)(keys * width) * 8);
  for (int64_t i = 0; i < ROWS * heads; i++) gate[i] = -fabsf(gate[i]), beta[i] = fabsf(beta[i]);
  for (int64_t i = 0; i < ROWS * q_cols; i++) q[i] /= sqrtf((float)keys), k[i] /= sqrtf((float)keys);
  avss_delta a = {tensor(d, ROWS, v_cols, v_cols), tensor(q, ROWS, q_cols, q_cols), tensor(k, ROWS, q_cols, q_cols), tensor(v, ROWS, v_cols, v_cols),
                  tensor(gate, ROWS, heads, heads), tensor(beta, ROWS, heads, heads), {0}, whole, heads, key_heads, keys, width};
  for (int generated = 0; generated < 2; generated++) {
    if (generated) {
      a.kept = tensor(kept, 1, state, state);
      for (int64_t row = 4; row < ROWS; row++) {
        const int64_t alone[4] = {row, row + 1, 0, 0};
        a.sequences = alone;
        run(AVSS_DELTA, &a, 0, heads);
      }
    } else {
      run(AVSS_DELTA, &a, 0, 2 * heads);
    }
    for (int64_t h = 0; h < heads; h++) {
      const int64_t g = h / (heads / key_heads);
      memset(s, 0, (size_t)(keys * width) * 8);
      for (int64_t row = generated ? 4 : 0; row < ROWS; row++) {
        if (row == 4) memset(s, 0, (size_t)(keys * width) * 8);
        for (int64_t j = 0; j < width; j++) {
          double held = 0, answer = 0;
          for (int64_t i = 0; i < keys; i++) held += (s[i * width + j] *= exp(gate[row * heads + h])) * k[row * q_cols + g * keys + i];
          held = beta[row * heads + h] * (v[row * v_cols + h * width + j] - held);
          for (int64_t i = 0; i < keys; i++)
            answer += (s[i * width + j] += k[row * q_cols + g * keys + i] * held) * q[row * q_cols + g * keys + i];
          if (generated || row < 4 || row >= 7) /* a prefix's own rows are not asked for */
            EXPECT(d[row * v_cols + h * width + j], answer, 4e-6, "delta rule %d×%d generated=%d row %d", (int)keys, (int)width, generated,
                   (int)row);
        }
      }
    }
  }
  free(q), free(k), free(v), free(gate), free(beta), free(d), free(kept), free(s);
}

static void test(void) {
  const attention_case cases[] = {
      {1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, -1},
      {90, 0, 4, 2, 8, 8, 1, 0, 0, 0, 0, -1},
      {300, 0, 1, 1, 5, 40, 1, 0, 0, 0, 1, -1},
      {100, 200, 2, 1, 16, 16, 1, 0, 0, 2, 0, -1},
      {60, 7, 2, 2, 33, 9, 0, 0, 0, 0, 0, -1},
      {70, 301, 2, 1, 80, 96, 1, 0, 0, 0, 0, -1},
      {280, 30, 1, 1, 8, 8, 1, 20, 0, 0, 1, -1},
      {280, 30, 1, 1, 8, 8, 1, 0, 50, 0, 0, -1},
      {1, 300, 4, 2, 24, 40, 1, 20, 0, 0, 1, -1},
      {17, 333, 2, 1, 64, 64, 1, 20, 0, 0, 0, 330},
      {3, 308, 2, 2, 9, 130, 1, 0, 50, 3, 0, -1},
      {40, 0, 1, 1, 300, 8, 1, 0, 0, 0, 0, -1},
      {30, 0, 1, 1, 700, 8, 1, 0, 0, 0, 0, -1},
      {100, 0, 2, 1, 8, 8, 1, 0, 0, 0, 0, 50},
      {300, 0, 2, 1, 8, 8, 1, 30, 0, 0, 0, 50},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int gone = 0; gone < (unseen(&cases[i]) > 0 ? 2 : 1); gone++) {
      for (int bf16 = 0; bf16 < 2; bf16++) attend(&cases[i], bf16, 0, gone);
      for (int bf16 = 0; bf16 < 2; bf16++) attend(&cases[i], bf16, 1, gone);
    }
  convolve();
  delta(2, 1, 4, 3);
  delta(4, 2, 16, 33);
  delta(3, 3, 8, 64);
}
int main(void) { return on_every_isa(test); }
