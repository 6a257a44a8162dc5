/* What every native test uses: exact-size memory (so that a sanitizer sees one value too many), random and hostile numbers, comparison,
 * and a loop over the instruction sets of this machine. */
#ifndef AVSS_CHECK_H
#define AVSS_CHECK_H
#include "internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;
static const char *isa_name = "";
static const char *const isa_names[AVSS_ISAS] = {
#define ISA(constant, name) #name,
#include "operations.def"
};

static uint64_t seed = 1;
static inline uint32_t any(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33);
}
static inline float uniform(void) { return (float)any() / 1073741824.0f - 1.0f; }

/* n values of exactly n·4 bytes. */
static inline float *values(int64_t n) {
  float *p = malloc(n > 0 ? (size_t)n * 4 : 1);
  for (int64_t i = 0; i < n; i++) p[i] = uniform();
  return p;
}
/* Kinds of numbers a kernel must live with. */
enum kind { ORDINARY, DENORMAL, LARGE_MEAN, WITH_INFINITY, WITH_NAN, KINDS };
static inline float *values_of(enum kind kind, int64_t n) {
  float *p = values(n);
  for (int64_t i = 0; i < n; i++) {
    if (kind == DENORMAL) p[i] *= 1e-40f;
    if (kind == LARGE_MEAN) p[i] += 3e4f;
    if (kind == WITH_INFINITY && any() % 97 == 0) p[i] = any() % 2 ? INFINITY : -INFINITY;
    if (kind == WITH_NAN && any() % 97 == 0) p[i] = NAN;
  }
  return p;
}
static inline avss_tensor tensor(float *p, int64_t rows, int64_t cols, int64_t stride) { return (avss_tensor){p, rows, cols, stride}; }

/* got must be want within `within`, or the same infinity, or both no number. */
static inline int agree(double got, double want, double within) {
  if (want != want) return got != got;
  if (isinf(want) || isinf(got)) return got == want || (isinf(got) && fabs(want) + within > 3.402823e38 && (got > 0) == (want > 0));
  return fabs(got - want) <= within;
}
#define EXPECT(got, want, within, ...)                                                                                                    \
  do {                                                                                                                                    \
    double g_ = (got), w_ = (want), t_ = (within);                                                                                        \
    if (!agree(g_, w_, t_) && failures++ < 20) {                                                                                          \
      printf("%s: ", isa_name);                                                                                                           \
      printf(__VA_ARGS__);                                                                                                                \
      printf(": %.9g, want %.9g within %.2g\n", g_, w_, t_);                                                                              \
    }                                                                                                                                     \
  } while (0)

/* scratch for one call. */
static inline void run(int32_t operation, const void *arguments, int64_t from, int64_t to) {
  int64_t bytes = avss_scratch_bytes(operation, arguments);
  void *scratch = bytes > 0 ? avss_allocate(bytes) : 0;
  avss_run(operation, arguments, from, to, scratch);
  avss_release(scratch, bytes);
}

static inline int on_every_isa(void (*test)(void)) {
  for (int32_t i = 0; i < AVSS_ISAS; i++)
    if (avss_supported(i)) {
      avss_choose(i);
      isa_name = isa_names[i];
      seed = 1;
      test();
    }
  if (failures) printf("%d differences\n", failures);
  return failures > 0;
}
#endif
