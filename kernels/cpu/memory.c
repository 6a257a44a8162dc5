/* Memory for tensors: outside Go's heap, on cache lines, zeroed. On Linux large blocks are mapped one by one, so that what is released goes back
   to the system at once: in the heap, blocks of many sizes that come and go leave holes, which stay resident. */
#if defined(__linux__)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#endif
#include "internal.h"
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)

/* From how many bytes on a block is mapped, and what its size is a multiple of: whole pages of any machine. */
enum { MAPPED_FROM = 128 << 10, MAPPED_UNIT = 64 << 10, LARGE_PAGE = 2 << 20 };

static size_t mapped_size(int64_t bytes) { return ((size_t)bytes + MAPPED_UNIT - 1) / MAPPED_UNIT * MAPPED_UNIT; }

/* Large blocks lie on large pages, where the system has them. */
static void *map_block(size_t n) {
  const size_t spare = n >= 2 * (size_t)LARGE_PAGE ? LARGE_PAGE : 0;
  char *p = mmap(0, n + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return 0;
  if (!spare) return p;
  const size_t before = (spare - (uintptr_t)p % spare) % spare;
  if (before) (void)munmap(p, before);
  if (spare > before) (void)munmap(p + before + n, spare - before);
  p += before;
#if defined(MADV_HUGEPAGE)
  (void)madvise(p, n, MADV_HUGEPAGE);
#endif
  return p;
}

#endif

void *avss_allocate(int64_t bytes) {
  void *p = 0;
  size_t n = ((size_t)(bytes < 64 ? 64 : bytes) + 63) / 64 * 64;
#if defined(_WIN32)
  p = _aligned_malloc(n, 64);
#else
#if defined(__linux__)
  if (bytes >= MAPPED_FROM) return map_block(mapped_size(bytes));
#endif
  const size_t page = n >= (4u << 20) ? 2u << 20 : 64;
  p = aligned_alloc(page, (n + page - 1) / page * page);
#endif
  if (p) memset(p, 0, n);
  return p;
}

void avss_release(void *memory, int64_t bytes) {
#if defined(_WIN32)
  (void)bytes;
  _aligned_free(memory);
#else
#if defined(__linux__)
  if (bytes >= MAPPED_FROM) {
    (void)munmap(memory, mapped_size(bytes));
    return;
  }
#endif
  (void)bytes;
  free(memory);
#endif
}
