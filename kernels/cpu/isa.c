/* Which instruction sets this build and this processor have, and which one serves: its products, and its kernel of each operation. */
#include "internal.h"
#if AVSS_ARM && defined(__linux__)
#include <sys/auxv.h>
#endif

#if AVSS_ARM
static int has_dot_products(void) {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) >> 20 & 1) != 0; /* HWCAP_ASIMDDP */
#elif defined(__APPLE__) || defined(__ARM_FEATURE_DOTPROD)
  return 1; /* every processor of Apple's that has 64 bits and runs programs of today */
#else
  return 0;
#endif
}
#endif

static const isa_products products[AVSS_ISAS] = {
    [AVSS_SCALAR] = {&product_scalar, &product_scalar, &product_int8_scalar},
#if AVSS_X86
    [AVSS_AVX2] = {&product_avx2, &product_avx2, &product_int8_avx2},
    [AVSS_AVXVNNI] = {&product_avx2, &product_avx2, &product_int8_avxvnni},
    [AVSS_AVX512] = {&product_avx512, &product_avx512, &product_int8_avx2},
    [AVSS_AVX512VNNI] = {&product_avx512, &product_avx512, &product_int8_avx512vnni},
    [AVSS_AVX512BF16] = {&product_avx512, &product_avx512bf16, &product_int8_avx512vnni},
    [AVSS_AMX] = {&product_avx512, &product_amx, &product_int8_avx512vnni},
#endif
#if AVSS_ARM
    [AVSS_NEON] = {&product_neon, &product_neon, &product_int8_neon},
    [AVSS_NEONDOT] = {&product_neon, &product_neon, &product_int8_neondot},
#endif
};

/* A row of kernels, one an instruction set. */
#define ROW(scalar, avx2, avxvnni, avx512, avx512vnni, avx512bf16, amx, neon, neondot)                                                    \
  {[AVSS_SCALAR] = scalar,                                                                                                                \
   X86([AVSS_AVX2] = avx2, [AVSS_AVXVNNI] = avxvnni, [AVSS_AVX512] = avx512, [AVSS_AVX512VNNI] = avx512vnni,                              \
       [AVSS_AVX512BF16] = avx512bf16, [AVSS_AMX] = amx, ) ARM([AVSS_NEON] = neon, [AVSS_NEONDOT] = neondot, )}
#define PORTABLE(name) ROW(op_##name, op_##name, op_##name, op_##name, op_##name, op_##name, op_##name, op_##name, op_##name)
#define VECTOR(name)                                                                                                                      \
  ROW(op_##name##_scalar, op_##name##_avx2, op_##name##_avx2, op_##name##_avx512, op_##name##_avx512, op_##name##_avx512,                 \
      op_##name##_avx512, op_##name##_neon, op_##name##_neon)
#define VECTOR_BF16(name)                                                                                                                 \
  ROW(op_##name##_scalar, op_##name##_avx2, op_##name##_avx2, op_##name##_avx512, op_##name##_avx512, op_##name##_avx512bf16,             \
      op_##name##_amx, op_##name##_neon, op_##name##_neon)
#define VECTOR_INT8(name)                                                                                                                 \
  ROW(op_##name##_scalar, op_##name##_avx2, op_##name##_avxvnni, op_##name##_avx2, op_##name##_avx512vnni, op_##name##_avx512vnni,        \
      op_##name##_avx512vnni, op_##name##_neon, op_##name##_neondot)

static kernel_function *const kernels[AVSS_OPERATIONS][AVSS_ISAS] = {
#define OPERATION(constant, name, arguments, sets, scratch) [AVSS_##constant] = sets(name),
#include "operations.def"
};

static int32_t chosen = AVSS_SCALAR;
const isa_products *avss_products = &products[AVSS_SCALAR];

int32_t avss_supported(int32_t isa) {
  switch (isa) {
  case AVSS_SCALAR: return 1;
#if AVSS_X86
  case AVSS_AVX2: return processor_has(PROCESSOR_AVX2) && processor_has(PROCESSOR_FMA) && processor_has(PROCESSOR_F16C);
  case AVSS_AVXVNNI: return avss_supported(AVSS_AVX2) && processor_has(PROCESSOR_AVXVNNI);
  case AVSS_AVX512:
    return avss_supported(AVSS_AVX2) && processor_has(PROCESSOR_AVX512F) && processor_has(PROCESSOR_AVX512BW) &&
           processor_has(PROCESSOR_AVX512VL) && processor_has(PROCESSOR_AVX512DQ);
  case AVSS_AVX512VNNI: return avss_supported(AVSS_AVX512) && processor_has(PROCESSOR_AVX512VNNI);
  case AVSS_AVX512BF16: return avss_supported(AVSS_AVX512VNNI) && processor_has(PROCESSOR_AVX512BF16);
  case AVSS_AMX: return avss_supported(AVSS_AVX512BF16) && amx_permitted();
#endif
#if AVSS_ARM
  case AVSS_NEON: return 1;
  case AVSS_NEONDOT: return has_dot_products();
#endif
  }
  return 0;
}

int32_t avss_choose(int32_t isa) {
  if (isa < 0 || isa >= AVSS_ISAS || !avss_supported(isa)) return -1;
  chosen = isa;
  avss_products = &products[isa];
  return 0;
}

int32_t avss_abi(void) { return AVSS_ABI; }

int64_t avss_size(int32_t operation) {
  static const int64_t sizes[] = {
#define OPERATION(constant, name, arguments, sets, scratch) sizeof(avss_##arguments),
#define RESULT(name) sizeof(avss_##name),
#include "operations.def"
  };
  return operation >= 0 && operation < (int32_t)(sizeof sizes / sizeof *sizes) ? sizes[operation] : -1;
}

void avss_run(int32_t operation, const void *arguments, int64_t from, int64_t to, void *scratch) {
  kernels[operation][chosen](arguments, from, to, scratch);
}

int64_t avss_scratch_bytes(int32_t operation, const void *arguments) {
  switch (operation) {
#define SCRATCH(constant, name) case AVSS_##constant: return scratch_##name(arguments);
#define NO_SCRATCH(constant, name)
#define OPERATION(constant, name, arguments, sets, scratch) scratch(constant, name)
#include "operations.def"
  default: return 0;
  }
}
