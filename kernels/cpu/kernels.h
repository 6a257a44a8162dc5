/* The C interface of the CPU kernels. One function runs every operation: avss_run(operation, arguments, from, to, scratch) does the
 * jobs from..to of one operation, whose meaning (rows, panels, tiles) stands beside its arguments. Kernels allocate nothing, start no
 * threads and keep no state but the table chosen by avss_select; two calls on disjoint jobs may run at the same time.
 * Sizes are int64_t. Matrices are row-major float32 with a row stride in values.
 * kernels/cpu/arguments.go mirrors these structs; avss_size lets it check that both sides agree. */
#ifndef AVSS_KERNELS_H
#define AVSS_KERNELS_H
#include <stddef.h>
#include <stdint.h>

#define AVSS_ABI 5

#if defined(_WIN32)
#define AVSS_API __declspec(dllexport)
#else
#define AVSS_API __attribute__((visibility("default")))
#endif

enum avss_operation {
  AVSS_PACK, AVSS_PRODUCT, AVSS_ATTENTION, AVSS_NORM, AVSS_ADD, AVSS_SCALE, AVSS_CLAMP, AVSS_ACTIVATE, AVSS_ROPE, AVSS_EMBED,
  AVSS_GATHER, AVSS_SCATTER, AVSS_COLUMNS, AVSS_CONVOLVE, AVSS_DELTA, AVSS_MEASURE, AVSS_HEAD, AVSS_PEAK, AVSS_POOL, AVSS_OPERATIONS
};

/* Instruction sets, weakest first on each processor family. */
enum avss_isa { AVSS_SCALAR, AVSS_AVX2, AVSS_AVX512, AVSS_AVX512BF16, AVSS_AMX, AVSS_NEON, AVSS_ISAS };

/* Data types of stored weights. */
enum avss_type {
  AVSS_F32, AVSS_F16, AVSS_BF16, AVSS_F64, AVSS_Q4_0, AVSS_Q4_1, AVSS_Q5_0, AVSS_Q5_1, AVSS_Q8_0, AVSS_Q2_K, AVSS_Q3_K, AVSS_Q4_K,
  AVSS_Q5_K, AVSS_Q6_K, AVSS_MXFP4, AVSS_TYPES
};

typedef struct {
  float *data;
  int64_t rows, cols, stride;
} avss_tensor;

/* A stored weight [out × in]: stride is in values; segments are pairs (first stored row, count) that make up the outputs in order. */
typedef struct {
  const uint8_t *data;
  const int64_t *segments;
  int64_t n_segments, out, in, stride;
  int32_t type, transposed;
} avss_weight;

/* dst = x·Wᵀ + bias. AVSS_PACK: jobs are row panels of x (avss_geometry rows each). AVSS_PRODUCT: a job is a cut of rows_cut rows in a block
 * of rows_job rows and a panel of the weight (32 outputs): job (block·panels + panel)·cuts + cut, cuts = ⌈rows_job / rows_cut⌉. Jobs of one
 * call that make up whole panels pack each weight once, up to panels_job panels at a time. */
typedef struct {
  avss_tensor dst, x;
  avss_weight w;
  const float *bias; /* [out] or NULL */
  void *packed;      /* avss_packed_bytes(x.rows, x.cols, bf16), 64-byte aligned */
  int64_t rows_job, rows_cut, panels_job; /* rows: multiples of avss_geometry */
  int32_t bf16, pad;
} avss_product;

enum { AVSS_QUERY_ROWS = 336 };
/* Job i is key head i % kv_heads of block i / kv_heads of query rows: see attention.c. */
typedef struct {
  avss_tensor dst, q, k, v;
  const int64_t *jobs; /* n × 7: first query row, query rows (≤ AVSS_QUERY_ROWS), position of the first, first row and rows of its sequence,
                          first row and rows of the prefix */
  const float *slopes, *sinks; /* [heads] or NULL */
  int64_t heads, kv_heads, head_dim, value_dim, window, chunk;
  float scale, soft_cap;
  int32_t causal, bf16; /* bf16: both products' operands are rounded to bfloat16 */
} avss_attention;

enum avss_norm_kind { AVSS_NORM_NONE, AVSS_NORM_RMS, AVSS_NORM_LAYER, AVSS_NORM_L2 };
typedef struct { /* jobs: rows */
  avss_tensor dst, x;
  const float *weight, *bias; /* [cols], or [cols / groups] where weight_cols and bias_cols say so; NULL: one and zero */
  int64_t groups, weight_cols, bias_cols;
  float eps, offset;
  int32_t kind, pad;
} avss_norm;

typedef struct { /* jobs: rows; dst = a + factor·b */
  avss_tensor dst, a, b;
  float factor;
  int32_t pad;
} avss_add;

typedef struct { /* jobs: rows; AVSS_SCALE: x·factor·per_row[row]; AVSS_CLAMP: to ±factor */
  avss_tensor x;
  const float *per_row;
  float factor;
  int32_t pad;
} avss_scale;

enum avss_activation_kind {
  AVSS_IDENTITY, AVSS_SILU, AVSS_GELU, AVSS_GELU_TANH, AVSS_GELU_QUICK, AVSS_RELU, AVSS_RELU_SQUARED, AVSS_SIGMOID, AVSS_TANH, AVSS_XIELU,
  AVSS_SWIGLU_CLAMPED, AVSS_ACTIVATIONS
};
typedef struct { /* jobs: rows */
  avss_tensor dst, gate, up; /* up.data NULL: none */
  float alpha, limit, alpha_p, alpha_n, beta, eps;
  int32_t kind, interleaved;
} avss_activate;

typedef struct { /* jobs: rows; turns holds cos and sin of each distinct position: [n][2·pairs] */
  avss_tensor x;
  const float *turns;
  const int32_t *at; /* row → index into turns */
  int64_t head_dim, offset, pairs;
  int32_t interleaved, pad;
} avss_rope;

typedef struct { /* jobs: rows of dst */
  avss_tensor dst;
  avss_weight table;
  const int32_t *ids;
  float scale;
  int32_t pad;
} avss_embed;

typedef struct { /* AVSS_GATHER: jobs are rows of dst; AVSS_SCATTER: jobs are columns */
  avss_tensor dst, src;
  const int32_t *rows;
  const float *weights;
} avss_rows;

typedef struct { /* jobs: rows; moves: n × (from, to, count) */
  avss_tensor dst, src;
  const int64_t *moves;
  int64_t n;
} avss_columns;

typedef struct { /* jobs: rows */
  avss_tensor dst, x, kernel;
  const float *bias;
  const int32_t *position; /* row → place in its sequence, prefix included */
  const int32_t *start;    /* row → first row of its sequence */
  const int32_t *before;   /* row → the row one past its prefix's last */
} avss_convolve;

typedef struct { /* jobs: (sequence, head) = sequence·heads + head */
  avss_tensor dst, q, k, v, gate, beta;
  const int64_t *sequences; /* n × 4: first row, end, prefix first, prefix end */
  int64_t heads, key_heads, key_dim, value_dim;
} avss_delta;

enum { AVSS_MAX_EPS = 8, AVSS_SITES = 5 };
/* Sums of one site over a block of rows. */
typedef struct {
  double sum, sum2, sum3, sum4, sum_abs;
  double relative_sum, relative_sum2;
  double min, max;
  int64_t near, below[AVSS_MAX_EPS], nan, inf;
} avss_moments;
typedef struct {
  avss_moments site[AVSS_SITES];
  double cosine, distance, relative;
} avss_row_sums; /* of a block of rows */
typedef struct { /* jobs: blocks of rows; block i covers rows blocks[2i]..blocks[2i+1] and fills out[i] */
  avss_tensor x, y, attn, mlp, act;
  const int64_t *blocks;
  avss_row_sums *out;
  float eps[AVSS_MAX_EPS];
  int64_t n_eps;
  float near;
  int32_t pad;
} avss_measure;

typedef struct { /* jobs: sequences; out[i] = unbiased variance over columns of the mean over rows of x − minus */
  avss_tensor x, minus;     /* minus.data NULL: nothing is taken off */
  const int64_t *sequences; /* n × 2: first row, end */
  double *out;
} avss_pool;

/* One job a (row tile, vocabulary chunk): job = tile·chunks + chunk. Fills partial[(variant·rows + row)·chunks + chunk] and logits of targets. */
typedef struct {
  double max, sum, cross; /* running max of logits; Σ exp(l − max); Σ exp(l0 − max0)·(l0 − l) for variants after the first */
  float top;
  int32_t top_at;
} avss_head_part;
typedef struct {
  avss_weight w;
  const float *bias;
  void *const *packed;    /* a variant: rows packed by AVSS_PACK */
  const int32_t *offsets; /* [rows + 1] */
  const int32_t *targets;
  float *target_logits;   /* [variants × targets] */
  avss_head_part *parts;
  int64_t variants, rows, n_targets, rows_job, chunk;
  float scale, soft_cap;
  int32_t diverge, bf16;
} avss_head;

typedef struct { /* jobs: repetitions of a loop of products that never leaves the registers; flops is what it does a job */
  int64_t flops;
  float sink;
  int32_t bf16;
} avss_peak;

/* What a foreign caller may ask. */
AVSS_API int32_t avss_abi(void);
AVSS_API int64_t avss_size(int32_t operation);        /* bytes of the operation's arguments; of other structs from AVSS_OPERATIONS on */
AVSS_API int32_t avss_supported(int32_t isa);         /* 1 where this build and this processor have it */
AVSS_API int32_t avss_select(int32_t isa);            /* chooses the table; 0, or −1 where it is not supported */
AVSS_API void avss_run(int32_t operation, const void *arguments, int64_t from, int64_t to, void *scratch);
AVSS_API int64_t avss_geometry(int32_t bf16);         /* rows of a packed panel; panels are 32 columns wide */
AVSS_API int64_t avss_packed_bytes(int64_t rows, int64_t cols, int32_t bf16);
AVSS_API int64_t avss_scratch_bytes(int32_t operation, const void *arguments);
AVSS_API void *avss_allocate(int64_t bytes);          /* 64-byte aligned, zeroed; NULL where there is no memory */
AVSS_API void avss_release(void *memory, int64_t bytes);
#endif
