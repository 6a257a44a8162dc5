/* Which instruction sets this build and this processor have, and the table of the one in use. */
#include "internal.h"

#define TABLE(isa, f32, bf16, attention, peak)                                                                                            \
  {&f32, &bf16, &attention, {op_pack, op_product, op_attention_##isa, op_norm_##isa, op_add_##isa, op_scale_##isa, op_clamp_##isa,             \
                 op_activate_##isa, op_rope_##isa, op_embed_##isa, op_gather_##isa, op_scatter_##isa, op_columns_##isa, op_convolve_##isa,     \
                 op_delta_##isa, op_measure_##isa, op_head_##isa, peak, op_pool_##isa}}

static const kernel_table tables[AVSS_ISAS] = {
    [AVSS_SCALAR] = TABLE(scalar, product_scalar, product_scalar, product_scalar, op_peak_scalar),
#if AVSS_X86
    [AVSS_AVX2] = TABLE(avx2, product_avx2, product_avx2, product_avx2, op_peak_avx2),
    [AVSS_AVX512] = TABLE(avx512, product_avx512, product_avx512, product_avx512, op_peak_avx512),
    [AVSS_AVX512BF16] = TABLE(avx512, product_avx512, product_avx512bf16, product_avx512bf16, op_peak_avx512bf16),
    [AVSS_AMX] = TABLE(avx512, product_avx512, product_amx, product_avx512bf16, op_peak_amx),
#endif
#if AVSS_ARM
    [AVSS_NEON] = TABLE(neon, product_neon, product_neon, product_neon, op_peak_neon),
#endif
};

const kernel_table *avss_table = &tables[AVSS_SCALAR];

int32_t avss_supported(int32_t isa) {
  switch (isa) {
  case AVSS_SCALAR: return 1;
#if AVSS_X86
  case AVSS_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  case AVSS_AVX512:
    return avss_supported(AVSS_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  case AVSS_AVX512BF16: return avss_supported(AVSS_AVX512) && __builtin_cpu_supports("avx512bf16");
  case AVSS_AMX: return avss_supported(AVSS_AVX512BF16) && amx_permitted();
#endif
#if AVSS_ARM
  case AVSS_NEON: return 1;
#endif
  }
  return 0;
}

int32_t avss_select(int32_t isa) {
  if (isa < 0 || isa >= AVSS_ISAS || !avss_supported(isa)) return -1;
  avss_table = &tables[isa];
  return 0;
}

int32_t avss_abi(void) { return AVSS_ABI; }

int64_t avss_size(int32_t operation) {
  static const int64_t sizes[] = {sizeof(avss_product), sizeof(avss_product), sizeof(avss_attention), sizeof(avss_norm), sizeof(avss_add),
                                  sizeof(avss_scale), sizeof(avss_scale), sizeof(avss_activate), sizeof(avss_rope), sizeof(avss_embed),
                                  sizeof(avss_rows), sizeof(avss_rows), sizeof(avss_columns), sizeof(avss_convolve), sizeof(avss_delta),
                                  sizeof(avss_measure), sizeof(avss_head), sizeof(avss_peak), sizeof(avss_pool), sizeof(avss_row_sums),
                                  sizeof(avss_head_part)};
  return operation >= 0 && operation < (int32_t)(sizeof sizes / sizeof *sizes) ? sizes[operation] : -1;
}

void avss_run(int32_t operation, const void *arguments, int64_t from, int64_t to, void *scratch) {
  avss_table->run[operation](arguments, from, to, scratch);
}
