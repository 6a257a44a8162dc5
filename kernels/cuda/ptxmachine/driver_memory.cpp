// Allocation, copies, fills, pinned memory.
#include <sys/mman.h>

#include <algorithm>

#include "driver.h"

using namespace ptx;

namespace {

using Pointer = u64;

// Bytes of an allocation a copy may touch, or null.
Allocation* whole(Pointer p, size_t n) { return memory().containing(p, n); }

int upload(Pointer to, const void* from, size_t n) {
  if (!n) return Success;
  Allocation* a = whole(to, n);
  if (!a || !from) return InvalidValue;
  std::memcpy(a->host + (to - a->base), from, n);
  std::memset(a->shadow + (to - a->base), 1, n);
  return Success;
}

int download(void* to, Pointer from, size_t n) {
  if (!n) return Success;
  Allocation* a = whole(from, n);
  if (!a || !to) return InvalidValue;
  const u8* shadow = a->shadow + (from - a->base);
  std::memcpy(to, a->host + (from - a->base), n);
  if (options().init) {
    const u64 bad = u64(std::count(shadow, shadow + n, u8(0)));
    if (bad) {
      const u64 first = u64(std::find(shadow, shadow + n, u8(0)) - shadow);
      Finding f{Check::Init, "copy to host",
                format("a copy to the host reads %llu never-written of %zu bytes, the first at 0x%llx, %llu bytes into an allocation of %llu",
                       ull(bad), n, ull(from + first), ull(from + first - a->base), ull(a->size)),
                0, 0, 1};
      results().add(f);
    }
  }
  return Success;
}

int within(Pointer to, Pointer from, size_t n) {
  if (!n) return Success;
  Allocation *a = whole(to, n), *b = whole(from, n);
  if (!a || !b) return InvalidValue;
  std::memmove(a->host + (to - a->base), b->host + (from - b->base), n);
  std::memmove(a->shadow + (to - a->base), b->shadow + (from - b->base), n);
  return Success;
}

template <class T>
int fill(Pointer to, T value, size_t n) {
  if (!n) return Success;
  if (n > ~0ull / sizeof(T)) return InvalidValue;
  Allocation* a = whole(to, n * sizeof(T));
  if (!a || to % sizeof(T)) return InvalidValue;
  u8* p = a->host + (to - a->base);
  if (sizeof(T) == 1) std::memset(p, int(value), n);
  else
    for (size_t k = 0; k < n; k++) std::memcpy(p + k * sizeof(T), &value, sizeof(T));
  std::memset(a->shadow + (to - a->base), 1, n * sizeof(T));
  return Success;
}

int allocate(Context* c, Pointer* p, size_t n) {
  if (!p || !n) return InvalidValue;
  *p = memory().allocate(n, c->device, options().memory);
  return *p ? Success : OutOfMemory;
}

int release(Pointer p) { return !p || memory().release(p) ? Success : InvalidValue; }

int pinned(void** p, size_t n) {
  if (!p || !n) return InvalidValue;
  void* host = mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (host == MAP_FAILED) return OutOfMemory;
  if (!memory().addHost(host, n, true)) {
    munmap(host, n);
    return OutOfMemory;
  }
  *p = host;
  return Success;
}

#define PTX_STREAM(s) \
  PTX_ENTER           \
  if (!isStream(s)) return InvalidHandle;

}  // namespace

PTX_API int cuMemAlloc_v2(Pointer* p, size_t n) {
  PTX_ENTER
  return allocate(context, p, n);
}
PTX_API int cuMemAllocAsync(Pointer* p, size_t n, void* s) {
  PTX_STREAM(s)
  return allocate(context, p, n);
}
PTX_API int cuMemAllocManaged(Pointer* p, size_t n, unsigned) {
  PTX_ENTER
  void* host = nullptr;
  const int e = pinned(&host, n);
  if (p) *p = reinterpret_cast<Pointer>(host);
  return p ? e : InvalidValue;
}
PTX_API int cuMemAllocPitch_v2(Pointer* p, size_t* pitch, size_t width, size_t height, unsigned) {
  PTX_ENTER
  if (!pitch) return InvalidValue;
  *pitch = (width + 511) / 512 * 512;
  return height && *pitch > ~0ull / height ? InvalidValue : allocate(context, p, *pitch * height);
}
PTX_API int cuMemFree_v2(Pointer p) {
  PTX_ENTER
  if (Allocation* a = memory().containing(p, 1); a && a->device < 0 && a->ownsHost)
    return memory().removeHost(reinterpret_cast<void*>(p)) ? Success : InvalidValue;
  return release(p);
}
PTX_API int cuMemFreeAsync(Pointer p, void* s) {
  PTX_STREAM(s)
  return release(p);
}
PTX_API int cuMemGetInfo_v2(size_t* available, size_t* total) {
  PTX_ENTER
  if (!available || !total) return InvalidValue;
  *total = options().memory;
  *available = *total - std::min<u64>(*total, memory().used(context->device));
  return Success;
}
PTX_API int cuMemGetAddressRange_v2(Pointer* base, size_t* size, Pointer p) {
  PTX_ENTER
  Allocation* a = memory().containing(p, 1);
  if (!a) return NotFound;
  if (base) *base = a->base;
  if (size) *size = a->size;
  return Success;
}

PTX_API int cuMemcpyHtoD_v2(Pointer d, const void* h, size_t n) {
  PTX_ENTER
  return upload(d, h, n);
}
PTX_API int cuMemcpyDtoH_v2(void* h, Pointer d, size_t n) {
  PTX_ENTER
  return download(h, d, n);
}
PTX_API int cuMemcpyDtoD_v2(Pointer to, Pointer from, size_t n) {
  PTX_ENTER
  return within(to, from, n);
}
PTX_API int cuMemcpyHtoDAsync_v2(Pointer d, const void* h, size_t n, void* s) {
  PTX_STREAM(s)
  return upload(d, h, n);
}
PTX_API int cuMemcpyDtoHAsync_v2(void* h, Pointer d, size_t n, void* s) {
  PTX_STREAM(s)
  return download(h, d, n);
}
PTX_API int cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t n, void* s) {
  PTX_STREAM(s)
  return within(to, from, n);
}
// Unified addressing: either side may be the host's.
static int anyCopy(Pointer to, Pointer from, size_t n) {
  const bool toDevice = whole(to, n), fromDevice = whole(from, n);
  if (toDevice && fromDevice) return within(to, from, n);
  if (toDevice) return upload(to, reinterpret_cast<void*>(from), n);
  if (fromDevice) return download(reinterpret_cast<void*>(to), from, n);
  return InvalidValue;
}
PTX_API int cuMemcpy(Pointer to, Pointer from, size_t n) {
  PTX_ENTER
  return anyCopy(to, from, n);
}
PTX_API int cuMemcpyAsync(Pointer to, Pointer from, size_t n, void* s) {
  PTX_STREAM(s)
  return anyCopy(to, from, n);
}
PTX_API int cuMemcpyPeer(Pointer to, Context*, Pointer from, Context*, size_t n) {
  PTX_ENTER
  return within(to, from, n);
}
PTX_API int cuMemcpyPeerAsync(Pointer to, Context*, Pointer from, Context*, size_t n, void* s) {
  PTX_STREAM(s)
  return within(to, from, n);
}

PTX_API int cuMemsetD8_v2(Pointer d, u8 v, size_t n) {
  PTX_ENTER
  return fill(d, v, n);
}
PTX_API int cuMemsetD16_v2(Pointer d, u16 v, size_t n) {
  PTX_ENTER
  return fill(d, v, n);
}
PTX_API int cuMemsetD32_v2(Pointer d, unsigned v, size_t n) {
  PTX_ENTER
  return fill(d, v, n);
}
PTX_API int cuMemsetD8Async(Pointer d, u8 v, size_t n, void* s) {
  PTX_STREAM(s)
  return fill(d, v, n);
}
PTX_API int cuMemsetD16Async(Pointer d, u16 v, size_t n, void* s) {
  PTX_STREAM(s)
  return fill(d, v, n);
}
PTX_API int cuMemsetD32Async(Pointer d, unsigned v, size_t n, void* s) {
  PTX_STREAM(s)
  return fill(d, v, n);
}

PTX_API int cuMemAllocHost_v2(void** p, size_t n) {
  PTX_ENTER
  return pinned(p, n);
}
PTX_API int cuMemHostAlloc(void** p, size_t n, unsigned) {
  PTX_ENTER
  return pinned(p, n);
}
PTX_API int cuMemFreeHost(void* p) {
  PTX_ENTER
  return memory().removeHost(p) ? Success : InvalidValue;
}
PTX_API int cuMemHostRegister_v2(void* p, size_t n, unsigned) {
  PTX_ENTER
  if (!p || !n) return InvalidValue;
  if (memory().containing(reinterpret_cast<u64>(p), 1)) return AlreadyRegistered;
  return memory().addHost(p, n, false) ? Success : OutOfMemory;
}
PTX_API int cuMemHostUnregister(void* p) {
  PTX_ENTER
  return memory().removeHost(p) ? Success : NotRegistered;
}
PTX_API int cuMemHostGetDevicePointer_v2(Pointer* d, void* h, unsigned) {
  PTX_ENTER
  if (!d || !memory().containing(reinterpret_cast<u64>(h), 1)) return InvalidValue;
  *d = reinterpret_cast<Pointer>(h);
  return Success;
}

PTX_API int cuPointerGetAttribute(void* value, int attribute, Pointer p) {
  PTX_ENTER
  Allocation* a = memory().containing(p, 1);
  if (!value || !a) return InvalidValue;
  switch (attribute) {
    case 2: *static_cast<unsigned*>(value) = a->device < 0 ? 1 : 2; return Success;  // host, device
    case 3: *static_cast<Pointer*>(value) = p; return Success;
    case 9: *static_cast<int*>(value) = std::max(a->device, 0); return Success;
    case 11: *static_cast<Pointer*>(value) = a->base; return Success;
    case 12: *static_cast<size_t*>(value) = a->size; return Success;
    default: return NotSupported;
  }
}

// One pool a device, without knobs: what it holds is freed at once.
PTX_API int cuDeviceGetDefaultMemPool(void** pool, int d) {
  PTX_LOCK;
  if (!pool) return InvalidValue;
  if (d < 0 || d >= options().devices) return InvalidDevice;
  *pool = reinterpret_cast<void*>(u64(d) + 1);
  return Success;
}
PTX_API int cuDeviceGetMemPool(void** pool, int d) { return cuDeviceGetDefaultMemPool(pool, d); }
PTX_API int cuMemPoolSetAttribute(void* pool, int, void* value) { return pool && value ? Success : InvalidValue; }
PTX_API int cuMemPoolTrimTo(void* pool, size_t) { return pool ? Success : InvalidValue; }
