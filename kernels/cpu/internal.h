/* What the kernel files share among themselves: the table of one instruction set, and the few helpers of weights. */
#ifndef AVSS_INTERNAL_H
#define AVSS_INTERNAL_H
#include "kernels.h"

#if defined(__x86_64__)
#define AVSS_X86 1
#else
#define AVSS_X86 0
#endif
#if defined(__aarch64__)
#define AVSS_ARM 1
#else
#define AVSS_ARM 0
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(f) JOIN(f, SUFFIX)
#define INLINE static inline __attribute__((always_inline, unused))

enum { PANEL = 32 };      /* columns of a packed weight panel */
enum { KC_F32 = 256 };    /* values of the inner dimension summed before the sum goes to memory; part of the result's bits */
enum { KC_BF16 = 512, KC_AMX = 256 };
_Static_assert(KC_AMX <= KC_BF16, "pack_w_bf16 has room for KC_BF16 values a row");
enum { HEAD_TILE = 256 }; /* vocabulary columns a step of the head */

/* Where a micro-kernel's tile of rows × 32 goes: c = before + a·b, or a·b where before is NULL. before may be c. Strides are in values. */
typedef struct {
  float *c;
  int64_t stride;
  const float *before;
  int64_t before_stride;
} tile_to;

/* A tile that stands where it grows: from what is there, or from nothing. */
static inline tile_to gained(float *c, int64_t stride, int from_there) { return (tile_to){c, stride, from_there ? c : 0, stride}; }

/* How one instruction set computes a product: see product.c. a and b are packed operands of kc values (pairs are counted twice). */
typedef struct {
  int rows; /* rows of a full micro-tile */
  int kc;
  int pair; /* values of the inner dimension that stand together: kc is padded to a multiple */
  int bf16; /* operands are stored as bfloat16: 2 bytes a value, else 4 */
  void (*pack_x)(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);
  void (*pack_w)(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round);
  void (*micro)(int rows, int64_t kc, const void *a, const void *b, tile_to to);
  void (*begin)(void), (*end)(void); /* around a job's tiles, or NULL */
} product_isa;

typedef void (*kernel)(const void *arguments, int64_t from, int64_t to, void *scratch);
typedef struct {
  const product_isa *f32, *bf16;
  const product_isa *attention_bf16; /* bf16, but never AMX, whose tiles are large for a tile of keys */
  kernel run[AVSS_OPERATIONS];
} kernel_table;
extern const kernel_table *avss_table;

/* Stored row (column, where transposed) of output i. */
static inline int64_t weight_row(const avss_weight *w, int64_t i) {
  for (int64_t s = 0; s < w->n_segments; s++) {
    if (i < w->segments[2 * s + 1]) return w->segments[2 * s] + i;
    i -= w->segments[2 * s + 1];
  }
  return i;
}

/* Values and bytes of a block of each type. */
static const int32_t block_values[AVSS_TYPES] = {1, 1, 1, 1, 32, 32, 32, 32, 32, 256, 256, 256, 256, 256, 32};
static const int32_t block_bytes[AVSS_TYPES] = {4, 2, 2, 8, 18, 20, 22, 24, 34, 84, 110, 144, 176, 210, 17};

/* Byte at which value k of a stored row begins; k falls on a whole block. */
static inline int64_t weight_offset(const avss_weight *w, int64_t row, int64_t k) {
  return (row * w->stride + k) / block_values[w->type] * block_bytes[w->type];
}

/* IEEE half precision, widened. */
static inline float half_value(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
  union { uint32_t u; float f; } v;
  if (rest >= 0x7c00) { /* infinities and NaN */
    v.u = sign | 0x7f800000 | (rest & 0x3ff) << 13;
  } else if (rest >= 0x400) {
    v.u = sign | ((rest << 13) + 0x38000000);
  } else { /* zero and denormals: rest · 2⁻²⁴ */
    v.f = (float)rest * 5.9604644775390625e-8f;
    v.u |= sign;
  }
  return v.f;
}

/* Rounds to bfloat16, to nearest, ties to even, as VCVTNEPS2BF16 does for normal numbers; NaN stays NaN. */
static inline uint32_t bf16_bits(float f) {
  union { float f; uint32_t u; } v = {f};
  uint32_t rounded = (v.u + 0x7fff + ((v.u >> 16) & 1)) >> 16, quiet = (v.u >> 16) | 0x40;
  return (v.u & 0x7fffffff) > 0x7f800000 ? quiet : rounded;
}
static inline float bf16_round(float f) {
  union { uint32_t u; float f; } v = {bf16_bits(f) << 16};
  return v.f;
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* Every kernel of every instruction set. */
#define DECLARE_KERNELS(isa)                                                                                                              \
  void op_attention_##isa(const void *, int64_t, int64_t, void *);                                                                        \
  void op_norm_##isa(const void *, int64_t, int64_t, void *);                                                                             \
  void op_add_##isa(const void *, int64_t, int64_t, void *);                                                                              \
  void op_scale_##isa(const void *, int64_t, int64_t, void *);                                                                            \
  void op_clamp_##isa(const void *, int64_t, int64_t, void *);                                                                            \
  void op_activate_##isa(const void *, int64_t, int64_t, void *);                                                                         \
  void op_rope_##isa(const void *, int64_t, int64_t, void *);                                                                             \
  void op_embed_##isa(const void *, int64_t, int64_t, void *);                                                                            \
  void op_gather_##isa(const void *, int64_t, int64_t, void *);                                                                           \
  void op_scatter_##isa(const void *, int64_t, int64_t, void *);                                                                          \
  void op_columns_##isa(const void *, int64_t, int64_t, void *);                                                                          \
  void op_convolve_##isa(const void *, int64_t, int64_t, void *);                                                                         \
  void op_delta_##isa(const void *, int64_t, int64_t, void *);                                                                            \
  void op_measure_##isa(const void *, int64_t, int64_t, void *);                                                                          \
  void op_pool_##isa(const void *, int64_t, int64_t, void *);                                                                             \
  void op_head_##isa(const void *, int64_t, int64_t, void *);                                                                             \
  void op_peak_##isa(const void *, int64_t, int64_t, void *);                                                                             \
  void weight_run_##isa(const avss_weight *w, int64_t row, int64_t k0, int64_t n, float *out);                                            \
  void pack_x_##isa(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);                                       \
  void pack_w_##isa(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round);                         \
  extern const product_isa product_##isa;
DECLARE_KERNELS(scalar)
#if AVSS_X86
DECLARE_KERNELS(avx2)
DECLARE_KERNELS(avx512)
extern const product_isa product_avx512bf16, product_amx;
void op_peak_avx512bf16(const void *, int64_t, int64_t, void *);
void op_peak_amx(const void *, int64_t, int64_t, void *);
void pack_x_bf16(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);
void pack_x_amx(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);
void pack_w_bf16(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round);
int amx_permitted(void);
#endif
#if AVSS_ARM
DECLARE_KERNELS(neon)
#endif
void op_pack(const void *, int64_t, int64_t, void *);
void op_product(const void *, int64_t, int64_t, void *);
int64_t attention_scratch(const avss_attention *a);
int64_t head_scratch(const avss_head *h);

/* Packed activations: the offset of row panel p in K block k0, in bytes, and the tiles of one job (product.c). */
int64_t packed_offset(const product_isa *isa, int64_t rows, int64_t cols, int64_t k0, int64_t row);
void product_tile(const product_isa *isa, const void *packed, int64_t rows, int64_t cols, int64_t row0, int64_t row1, const avss_weight *w,
                  int64_t n0, int64_t n1, const float *bias, float *c, int64_t stride, int round, void *scratch);
int64_t product_scratch(const product_isa *isa, int64_t rows, int64_t panels);
#endif
