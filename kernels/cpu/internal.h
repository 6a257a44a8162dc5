/* What the kernel files share among themselves: the products of one instruction set, what operations.def declares, and where values of
 * stored weights lie. */
#ifndef AVSS_INTERNAL_H
#define AVSS_INTERNAL_H
#include "kernels.h"

/* Products are rounded before they are added to, as ISO C has it and gcc with -std=c11 does: the same bits by either compiler. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#if defined(__x86_64__)
#define AVSS_X86 1
#define X86(...) __VA_ARGS__
#else
#define AVSS_X86 0
#define X86(...)
#endif
#if defined(__aarch64__)
#define AVSS_ARM 1
#define ARM(...) __VA_ARGS__
#else
#define AVSS_ARM 0
#define ARM(...)
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(f) JOIN(f, SUFFIX)
#define INLINE static inline __attribute__((always_inline, unused))

enum { PANEL = AVSS_PANEL, HEAD_TILE = AVSS_HEAD_TILE };
enum { KC_F32 = 256 };    /* values of the inner dimension summed before the sum goes to memory; part of the result's bits */
enum { KC_BF16 = 512, KC_AMX = 256, KC_INT8 = 256 };
_Static_assert(KC_AMX <= KC_BF16, "pack_w_bf16 holds KC_BF16 values a row");

/* Where the tile of rows × 32 of a micro-kernel goes: c = before + a·b, or a·b where before is NULL. before may be c. Strides are in values. */
typedef struct {
  float *c;
  int64_t stride;
  const float *before;
  int64_t before_stride;
} tile_output;

/* A tile in one place: added to what is there, or, unless add, instead of it. */
static inline tile_output accumulate(float *c, int64_t stride, int add) { return (tile_output){c, stride, add ? c : 0, stride}; }

/* How one instruction set computes a product: see product.c. a and b are packed operands of kc values (pairs are counted twice). Where a tile goes
 * is told by a pointer: by value it would be copied in 16-byte pieces of what was just written in 8-byte ones, which waits until the tile before
 * has been written to the cache. */
typedef struct {
  int rows; /* rows of a full micro-tile */
  int kc;
  int pair; /* neighbours in the inner dimension that make one operand: kc is padded to a multiple */
  int bf16; /* operands are stored as bfloat16 */
  int64_t x_bytes;     /* of 32 packed values of a row */
  int64_t panel_bytes; /* of a packed panel of the weight, kc values long */
  void (*pack_x)(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);
  void (*pack_w)(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round);
  void (*micro)(int rows, int64_t kc, const void *a, const void *b, const tile_output *to);
  void (*begin)(void), (*end)(void); /* around a job's tiles, or NULL */
} product_isa;

/* The products of the chosen instruction set. */
typedef struct {
  const product_isa *f32, *bf16, *int8;
} isa_products;
extern const isa_products *avss_products;

/* Stored row (column, where transposed) of output i. */
static inline int64_t weight_row(const avss_weight *w, int64_t i) {
  for (int64_t s = 0; s < w->segment_count; s++) {
    if (i < w->segments[2 * s + 1]) return w->segments[2 * s] + i;
    i -= w->segments[2 * s + 1];
  }
  return i;
}

/* Values and bytes of a block of each type. */
static const int32_t block_values[AVSS_TYPES] = {
#define TYPE(constant, values, bytes) values,
#include "operations.def"
};
static const int32_t block_bytes[AVSS_TYPES] = {
#define TYPE(constant, values, bytes) bytes,
#include "operations.def"
};

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

/* 256 quantised activations (quantise.c), absent ones zero. */
enum { GROUP = 256 };
typedef struct {
  int8_t code[GROUP];
  int32_t less[GROUP / 4];   /* minus the sum of four neighbouring codes */
  float scale[GROUP / 32];   /* of a block of 32 */
  float sum[GROUP / 32];     /* of a block: its scale times the sum of its codes */
  float half_scale[GROUP / 16], half_sum[GROUP / 16]; /* the same for halves of blocks */
} quantised;
_Static_assert(sizeof(quantised) == AVSS_QUANTISED_BYTES, "what callers allocate");

/* Packed operands of products by integers: activations and a panel of weights. Codes are [k/4][row][4]. Activations stand block by block of 32
 * values, each of INT8_X_BYTES a row: the codes, then what is said of them; `part` is the block, its first or its last half. */
enum { INT8_MOST_ROWS = 6, INT8_X_BYTES = 32 + 7 * 4 };
typedef struct {
  int8_t *code;
  float *scale;  /* [rows] */
  int32_t *less; /* [part][rows]: minus the sum of the codes */
  float *sum;    /* [part][rows]: scale times the sum of the codes */
} int8_x;
INLINE int8_x int8_x_at(const void *packed, int64_t rows, int64_t block) {
  int8_t *code = (int8_t *)packed + block * rows * INT8_X_BYTES;
  float *scale = (float *)(code + 32 * rows);
  return (int8_x){code, scale, (int32_t *)(scale + rows), scale + 4 * rows};
}
typedef struct {
  int32_t halves, offsets; /* of 32 values have scales of their own; codes have offsets */
  int32_t above;           /* unsigned ones are 2^above too large; 32: they are right */
  int32_t together;        /* words of codes whose products of pairs are summed in 16 bits, for AVX2: 1, 4 or 8; 0: codes are signed */
  int32_t pad[12];
  uint8_t code[KC_INT8 / 4][PANEL * 4];
  float scale[KC_INT8 / 32][2][PANEL], offset[KC_INT8 / 32][2][PANEL];
} int8_panel;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* Every operation, as operations.def says what implements it. */
typedef void kernel_function(const void *arguments, int64_t from, int64_t to, void *scratch);
#define PORTABLE(name) kernel_function op_##name;
#define VECTOR(name)                                                                                                                      \
  kernel_function op_##name##_scalar X86(, op_##name##_avx2, op_##name##_avx512) ARM(, op_##name##_neon);
#define VECTOR_BF16(name) VECTOR(name) X86(kernel_function op_##name##_avx512bf16, op_##name##_amx;)
#define VECTOR_INT8(name)                                                                                                                 \
  kernel_function op_##name##_scalar X86(, op_##name##_avx2, op_##name##_avxvnni, op_##name##_avx512vnni)                                 \
      ARM(, op_##name##_neon, op_##name##_neondot);
#define SCRATCH(name) int64_t scratch_##name(const void *arguments);
#define NO_SCRATCH(name)
#define OPERATION(constant, name, arguments, sets, scratch) sets(name) scratch(name)
#include "operations.def"
#undef PORTABLE
#undef VECTOR
#undef VECTOR_BF16
#undef VECTOR_INT8
#undef SCRATCH
#undef NO_SCRATCH

/* What the products of every vector width are made of, and those of every way to multiply bytes. */
#define DECLARE_PRODUCT(isa)                                                                                                              \
  void weight_run_##isa(const avss_weight *w, int64_t row, int64_t k0, int64_t n, float *out);                                            \
  void quantise_run_##isa(const float *x, int64_t n, quantised *to, int32_t *half_less);                                                  \
  void pack_x_##isa(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);                                       \
  void pack_w_##isa(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round);                        \
  extern const product_isa product_##isa;
#define DECLARE_PRODUCT_INT8(isa)                                                                                                         \
  void pack_x_int8_##isa(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);                                  \
  void pack_w_int8_##isa(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round);                   \
  extern const product_isa product_int8_##isa;
DECLARE_PRODUCT(scalar)
DECLARE_PRODUCT_INT8(scalar)
#if AVSS_X86
DECLARE_PRODUCT(avx2)
DECLARE_PRODUCT(avx512)
DECLARE_PRODUCT_INT8(avx2)
DECLARE_PRODUCT_INT8(avxvnni)
DECLARE_PRODUCT_INT8(avx512vnni)
extern const product_isa product_avx512bf16, product_amx;
void pack_x_bf16(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);
void pack_x_amx(const float *x, int64_t stride, int rows, int64_t kc, void *packed, int round);
void pack_w_bf16(const avss_weight *w, int64_t n0, int64_t n, int64_t k0, int64_t kc, void *packed, int round);
/* What processor.c answers: whether the processor has it, and the system keeps its registers. */
enum {
  PROCESSOR_FMA, PROCESSOR_F16C, PROCESSOR_AVX2, PROCESSOR_AVXVNNI, PROCESSOR_AVX512F, PROCESSOR_AVX512DQ, PROCESSOR_AVX512BW,
  PROCESSOR_AVX512VL, PROCESSOR_AVX512VNNI, PROCESSOR_AVX512BF16, PROCESSOR_AMX_BF16, PROCESSOR_AMX_TILE, PROCESSOR_FEATURES
};
int processor_has(int feature);
int amx_permitted(void);
#endif
#if AVSS_ARM
DECLARE_PRODUCT(neon)
DECLARE_PRODUCT_INT8(neon)
DECLARE_PRODUCT_INT8(neondot)
#endif

/* The products of a precision, and whether they round operands that they store as float32. Packed activations: the offset of row panel p in K
 * block k0, in bytes, and the tiles of one job (product.c). */
const product_isa *product_for(int32_t precision);
int rounds(const product_isa *isa, int32_t precision);
int64_t packed_offset(const product_isa *isa, int64_t rows, int64_t cols, int64_t k0, int64_t row);
void product_tile(const product_isa *isa, const void *packed, int64_t rows, int64_t cols, int64_t row0, int64_t row1, const avss_weight *w,
                  int64_t n0, int64_t n1, const float *bias, float *c, int64_t stride, int round, void *scratch);
int64_t product_scratch(const product_isa *isa, int64_t rows, int64_t panels);
#endif
