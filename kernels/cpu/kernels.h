/* The C interface of the CPU kernels. One function runs every operation: avss_run(operation, arguments, from, to, scratch) does the
 * jobs from..to of one operation, whose meaning (rows, panels, tiles) stands beside its arguments. Kernels allocate nothing, start no
 * threads and keep no state but the instruction set chosen by avss_choose; two calls on disjoint jobs may run at the same time.
 * Sizes are int64_t. Matrices are row-major float32 with a row stride in values.
 * The list of all there is stands in operations.def. Go's copies of these structs are made from this file by `go generate ./kernels/cpu`,
 * comments included: fields of eight bytes first, and `pad` where the last four are not used. */
#ifndef AVSS_KERNELS_H
#define AVSS_KERNELS_H
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define AVSS_API __declspec(dllexport)
#else
#define AVSS_API __attribute__((visibility("default")))
#endif

enum {
#define CONSTANT(name, value) AVSS_##name = value,
#include "operations.def"
};

enum avss_operation {
#define OPERATION(constant, name, arguments, sets, scratch) AVSS_##constant,
#include "operations.def"
  AVSS_OPERATIONS
};

enum avss_isa {
#define ISA(constant, name) AVSS_##constant,
#include "operations.def"
  AVSS_ISAS
};

/* How a stored weight is encoded. */
enum avss_type {
#define TYPE(constant, values, bytes) AVSS_##constant,
#include "operations.def"
  AVSS_TYPES
};

/* A row-major matrix; the stride is in values. The zero value stands for none. */
typedef struct {
  float *data;
  int64_t rows, cols, stride;
} avss_tensor;

/* A stored weight [out × in]. */
typedef struct {
  const uint8_t *data;
  const int64_t *segments; /* pairs (first stored row, count) that make up the outputs in order; NULL: all */
  int64_t segment_count, out, in, stride; /* the stride is in values */
  int32_t type, transposed;
} avss_weight;

/* dst = x·Wᵀ + bias. A job of pack is a panel of x (avss_geometry rows). A job of multiply is a cut of rows_cut rows in a block of rows_job
 * rows and a panel of the weight (32 outputs): job (block·panels + panel)·cuts + cut, cuts = ⌈rows_job / rows_cut⌉. Jobs of one call that
 * make up whole panels pack each weight once, up to panels_job panels at a time. */
typedef struct {
  avss_tensor dst, x;
  avss_weight w;
  const float *bias; /* [out] or NULL */
  void *packed; /* avss_packed_bytes(x.rows, x.cols, precision), 64-byte aligned */
  int64_t rows_job, rows_cut, panels_job; /* rows: multiples of avss_geometry */
  int32_t precision, pad; /* AVSS_AS_INT8 takes weights of the types Q4_0 to Q6_K, not transposed */
} avss_product;

/* dst = x·Wᵀ + bias for few rows, whose weight is not transposed: see product_few.c, and product_few_int8.c, which takes x quantised. Jobs are
 * outputs. */
typedef struct {
  avss_tensor dst, x;
  avss_weight w;
  const float *bias; /* [out] or NULL */
  const void *quantised; /* by quantise; for multiply_few_int8 */
  int32_t bf16, pad; /* operands are rounded to bfloat16; for multiply_few */
} avss_few;

/* Part of what a team does (team.c): an operation's jobs, taken so many at a time at the least and at the most. Of those that belong together,
 * `cuts` each, several sets are taken whole, or some of one. */
typedef struct {
  const void *arguments;
  int64_t jobs, least, most, cuts;
  int32_t operation, pad;
} avss_item;

/* Threads that do work together: see team.c. Numbers that several of them write at a time stand on cache lines of their own. */
typedef struct {
  int64_t next; /* job of all that is taken next */
  int64_t apart[AVSS_APART];
  int64_t left; /* workers that may not have finished, and AVSS_ASLEEP where worker 0 sleeps */
  int64_t beside[AVSS_APART];
  int64_t *slots; /* a worker: what it is doing, AVSS_SLOT numbers apart */
  int64_t spin; /* nanoseconds for which somebody looks out */
  const avss_item *items; /* the work, */
  int64_t count;
  int64_t total; /* its jobs, */
  int64_t sharing; /* the workers it is for, worker 0 among them, */
  void *const *scratch; /* and the scratch of each */
} avss_team;

/* Rows of x, whose columns are a multiple of 32, as 8-bit integers: see quantise.c. Jobs are rows. */
typedef struct {
  avss_tensor x;
  void *quantised; /* rows × ⌈cols / 256⌉ × AVSS_QUANTISED_BYTES, 64-byte aligned */
} avss_quantise;

/* Softmax attention: job i is key head i % kv_heads of block i / kv_heads of query rows. A block is seven numbers: first query row, query
 * rows (≤ AVSS_QUERY_ROWS), position of the first, first row and rows of its sequence, first row and rows of the prefix. For attend_few a
 * block is one query row, and job i head i % heads of block i / heads. */
typedef struct {
  avss_tensor dst, q, k, v;
  const int64_t *jobs; /* blocks × 7 */
  const float *slopes, *sinks; /* [heads] or NULL */
  int64_t heads, kv_heads, head_dim, value_dim, window, chunk;
  float scale, soft_cap;
  int32_t causal, bf16; /* bf16: both products' operands are rounded to bfloat16 */
} avss_attention;

enum avss_norm_kind { AVSS_NORM_NONE, AVSS_NORM_RMS, AVSS_NORM_LAYER, AVSS_NORM_L2 };

/* Norms of rows, or of groups of neighbouring columns. Jobs are rows. */
typedef struct {
  avss_tensor dst, x;
  const float *weight, *bias; /* [cols], or [cols / groups] where weight_cols and bias_cols say so; NULL: one and zero */
  int64_t groups, weight_cols, bias_cols;
  float eps, offset; /* the offset is added to the weight */
  int32_t kind, pad; /* as engine.NormKind */
} avss_norm;

/* dst = a + factor·b. Jobs are rows. */
typedef struct {
  avss_tensor dst, a, b;
  float factor;
  int32_t pad;
} avss_add;

/* Scale: x·factor·per_row[row]. Clamp: to ±factor. Jobs are rows. */
typedef struct {
  avss_tensor x;
  const float *per_row; /* [rows] or NULL */
  float factor;
  int32_t pad;
} avss_scale;

enum avss_activation_kind {
  AVSS_IDENTITY, AVSS_SILU, AVSS_GELU, AVSS_GELU_TANH, AVSS_GELU_QUICK, AVSS_RELU, AVSS_RELU_SQUARED, AVSS_SIGMOID, AVSS_TANH, AVSS_XIELU,
  AVSS_SWIGLU_CLAMPED, AVSS_ACTIVATIONS
};

/* An MLP's non-linearity, times up where there is one. Jobs are rows. */
typedef struct {
  avss_tensor dst, gate, up; /* interleaved: gate and up alternate in gate's columns */
  float alpha, limit, alpha_p, alpha_n, beta, eps;
  int32_t kind, interleaved; /* kind: as engine.ActivationKind */
} avss_activate;

/* Rotary positions. Jobs are rows. */
typedef struct {
  avss_tensor x;
  const float *turns; /* cosines, then sines, of each distinct position: [n][2·pairs] */
  const int32_t *at; /* row → index into turns */
  int64_t head_dim, offset, pairs;
  int32_t interleaved, pad;
} avss_rotate;

/* dst[i] = scale·table[ids[i]]. Jobs are rows of dst. */
typedef struct {
  avss_tensor dst;
  avss_weight table;
  const int32_t *ids;
  float scale;
  int32_t pad;
} avss_embed;

/* Gather: dst[i] = src[rows[i]], jobs are rows of dst. Scatter: dst[rows[i]] += weights[i]·src[i], jobs are columns. */
typedef struct {
  avss_tensor dst, src;
  const int32_t *rows;
  const float *weights; /* NULL: ones */
} avss_rows;

/* Runs of columns copied. Jobs are rows. */
typedef struct {
  avss_tensor dst, src;
  const int64_t *moves; /* count × (from, to, columns) */
  int64_t count;
} avss_columns;

/* A causal depthwise convolution along each sequence. Jobs are rows. */
typedef struct {
  avss_tensor dst, x, kernel;
  const float *bias;
  const int32_t *position; /* row → place in its sequence, prefix included */
  const int32_t *start; /* row → first row of its sequence */
  const int32_t *before; /* row → the row one past its prefix's last */
} avss_convolve;

/* The gated delta rule. Job sequence·heads + head is one head of one sequence. */
typedef struct {
  avss_tensor dst, q, k, v, gate, beta;
  avss_tensor kept;         /* [sequences × heads·key_dim·value_dim]: states to begin with and to leave; no data: zeros, and not kept */
  const int64_t *sequences; /* n × 4: first row, end, prefix first, prefix end */
  int64_t heads, key_heads, key_dim, value_dim;
} avss_delta;

/* Sums of one site over a block of rows. */
typedef struct {
  double sum, sum2, sum3, sum4, sum_abs;
  double relative_sum, relative_sum2; /* of values in units of the row's RMS */
  double min, max;
  int64_t near, below[AVSS_MAX_EPS], nan, inf;
} avss_moments;

/* What is measured in a block of rows. */
typedef struct {
  avss_moments site[AVSS_SITE_COUNT];
  double cosine, distance, relative;
} avss_row_sums;

/* The statistics of a block's activations. Job i covers rows blocks[2i]..blocks[2i+1] and fills out[i]. */
typedef struct {
  avss_tensor x, y, attn, mlp, act;
  const int64_t *blocks;
  avss_row_sums *out;
  float eps[AVSS_MAX_EPS]; /* ascending */
  int64_t eps_count;
  float near; /* a value below near·RMS of its row is near zero */
  int32_t pad;
} avss_measure;

/* out[i] = unbiased variance over columns of the mean over rows of x − minus. Jobs are sequences. */
typedef struct {
  avss_tensor x, minus; /* minus.data NULL: nothing is taken off */
  const int64_t *sequences; /* n × 2: first row, end */
  double *out;
} avss_pool;

/* What one chunk of the vocabulary comes to for one row of one variant. */
typedef struct {
  double max, sum, cross; /* largest logit; Σ exp(l − max); Σ exp(l0 − max0)·(l0 − l) for variants after the first */
  float top;
  int32_t top_at;
} avss_head_part;

/* Log-probabilities. Job tile·chunks + chunk is a tile of rows_job rows and a chunk of the vocabulary; it fills
 * parts[(variant·rows + row)·chunks + chunk] and the logits of the targets that lie in the chunk. */
typedef struct {
  avss_weight w;
  const float *bias;
  void *const *packed; /* a variant: rows packed by pack */
  const int32_t *offsets; /* [rows + 1] */
  const int32_t *targets;
  float *target_logits; /* [variants × targets] */
  avss_head_part *parts;
  int64_t variants, rows, target_count, rows_job, chunk;
  float scale, soft_cap;
  int32_t diverge, precision;
} avss_head;

/* A loop of products that never leaves the registers. A job is one turn, of `flops` operations, which the kernel says. */
typedef struct {
  int64_t flops;
  float sink;
  int32_t bf16;
} avss_peak;

#define FUNCTION(result, name, parameters) AVSS_API result avss_##name parameters;
#include "operations.def"
#endif
