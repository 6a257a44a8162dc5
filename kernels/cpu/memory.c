/* Memory for tensors: outside Go's heap, on cache lines, zeroed. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

void *avss_allocate(int64_t bytes) {
  void *p = 0;
  size_t n = ((size_t)(bytes < 64 ? 64 : bytes) + 63) / 64 * 64;
#if defined(_WIN32)
  p = _aligned_malloc(n, 64);
#else
  p = aligned_alloc(64, n);
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
