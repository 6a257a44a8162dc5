/* Runs one kernel once on one instruction set, for valgrind to count: count_kernels ISA OPERATION. See instructions.cmake. */
#include "check.h"

static void product(void) {
  enum { M = 84, N = 96, K = 512 };
  avss_product p = {.dst = tensor(values(M * N), M, N, N), .x = tensor(values(M * K), M, K, K), .rows_job = M, .rows_cut = M, .panels_job = 3,
                    .w = {(uint8_t *)values(N * K), 0, 0, N, K, K, AVSS_F32, 0}};
  p.packed = avss_allocate(avss_packed_bytes(M, K, 0));
  run(AVSS_PACK, &p, 0, (M + avss_geometry(0) - 1) / avss_geometry(0));
  run(AVSS_MULTIPLY, &p, 0, 3);
}
static void attention(void) {
  enum { T = 168, D = 64 };
  static const int64_t jobs[7] = {0, T, 0, 0, T, 0, 0};
  float *x = values(T * D);
  avss_attention a = {.dst = tensor(values(T * D), T, D, D), .q = tensor(x, T, D, D), .k = tensor(x, T, D, D), .v = tensor(x, T, D, D),
                      .jobs = jobs, .heads = 1, .kv_heads = 1, .head_dim = D, .value_dim = D, .scale = 0.125f, .causal = 1};
  run(AVSS_ATTEND, &a, 0, 1);
}
static void measure(void) {
  enum { T = 16, N = 768 };
  static const int64_t blocks[2] = {0, T};
  avss_row_sums out;
  avss_measure a = {.x = tensor(values(T * N), T, N, N), .y = tensor(values(T * N), T, N, N), .blocks = blocks, .out = &out,
                    .eps = {1e-4f, 1e-3f, 1e-2f, 1e-1f}, .eps_count = 4, .near = 0.01f};
  run(AVSS_MEASURE, &a, 0, 1);
}
static void activation(void) {
  enum { N = 8192 };
  avss_activate a = {tensor(values(N), 1, N, N), tensor(values(N), 1, N, N), {0}, 0, 0, 0, 0, 0, 0, AVSS_SILU, 0};
  run(AVSS_ACTIVATE, &a, 0, 1);
}

int main(int count, char **arguments) {
  static const struct {
    const char *name;
    void (*run)(void);
  } kernels[] = {{"product", product}, {"attention", attention}, {"measure", measure}, {"silu", activation}};
  if (count != 3) return 2;
  for (int32_t i = 0; i < AVSS_ISAS; i++)
    if (!strcmp(isa_names[i], arguments[1]) && avss_choose(i) == 0)
      for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
        if (!strcmp(kernels[k].name, arguments[2])) {
          kernels[k].run();
          return 0;
        }
  return 2;
}
