/* Memory for tensors: outside Go's heap, on cache lines, zeroed. */
#if defined(__linux__)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#endif
#include "internal.h"
#include <stdlib.h>
#include <string.h>

void *avss_allocate(int64_t bytes) {
  void *p = 0;
  size_t n = ((size_t)(bytes < 64 ? 64 : bytes) + 63) / 64 * 64;
#if defined(_WIN32)
  p = _aligned_malloc(n, 64);
#else
  const size_t page = n >= (4u << 20) ? 2u << 20 : 64; /* large blocks on large pages, where the system has them */
  p = aligned_alloc(page, (n + page - 1) / page * page);
#if defined(MADV_HUGEPAGE)
  if (p && page > 64) (void)madvise(p, n, MADV_HUGEPAGE);
#endif
#endif
  if (p) memset(p, 0, n);
  return p;
}

void avss_release(void *memory, int64_t bytes) {
  (void)bytes;
#if defined(_WIN32)
  _aligned_free(memory);
#else
  free(memory);
#endif
}
