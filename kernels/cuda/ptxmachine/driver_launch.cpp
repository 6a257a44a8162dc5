// Launches, function attributes, occupancy.
#include <algorithm>

#include "driver.h"

using namespace ptx;

namespace {

u64 sharedLimit() { return u64(device().sharedPerBlock); }

int launchChecked(Context* context, Kernel* f, const u32 (&grid)[3], const u32 (&block)[3], u32 shared, void** parameters, void** extra) {
  if (!driver().kernels.count(f)) return InvalidHandle;
  if (f->module->device != context->device) return InvalidHandle;
  const u64 threads = u64(block[0]) * block[1] * block[2];
  if (!grid[0] || !grid[1] || !grid[2] || grid[0] > 2147483647u || grid[1] > 65535 || grid[2] > 65535) return InvalidValue;
  if (!threads || threads > 1024 || block[2] > 64) return InvalidValue;
  if (threads > f->maxThreads) return OutOfResources;
  if (f->requiredThreads[0] && !std::equal(block, block + 3, f->requiredThreads)) return InvalidValue;
  if (u64(f->staticShared) + shared > f->dynamicLimit) return InvalidValue;  // more needs cuFuncSetAttribute first
  Launch l;
  l.kernel = f;
  std::copy(grid, grid + 3, l.grid);
  std::copy(block, block + 3, l.block);
  l.dynamicShared = shared;
  l.device = context->device;
  l.number = ++driver().launches;
  l.parameters.assign(f->parameterBytes + 16, 0);
  if (extra) {
    const void* buffer = nullptr;
    size_t size = 0;
    for (void** e = extra; *e; e += 2) {
      if (*e == reinterpret_cast<void*>(1)) buffer = e[1];
      else if (*e == reinterpret_cast<void*>(2)) size = *static_cast<size_t*>(e[1]);
      else return InvalidValue;
    }
    if (!buffer || size < f->parameterBytes) return InvalidValue;
    std::memcpy(l.parameters.data(), buffer, f->parameterBytes);
  } else {
    if (!parameters && !f->parameters.empty()) return InvalidValue;
    for (size_t k = 0; k < f->parameters.size(); k++) {
      if (!parameters[k]) return InvalidValue;
      std::memcpy(l.parameters.data() + f->parameters[k].offset, parameters[k], f->parameters[k].size);
    }
  }
  driver().lost = runLaunch(l);  // none runs behind one that failed
  return Success;
}

int blocksPerSm(const Kernel& f, int threads, size_t shared) {
  const Sm& s = device();
  if (threads <= 0 || threads > 1024) return 0;
  const u64 warps = u64(threads + 31) / 32, needed = f.staticShared + shared + 1024;
  const u64 registers = std::max(32u, std::min(255u, f.registers) + 7) / 8 * 8 * warps * 32;
  const u64 n = std::min({u64(s.blocksPerSm), u64(s.threadsPerSm) / (warps * 32), u64(s.sharedPerSm) / needed, 65536 / registers});
  return int(n);
}

}  // namespace

PTX_API int cuLaunchKernel(Kernel* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* stream,
                           void** parameters, void** extra) {
  PTX_ENTER
  if (!isStream(stream)) return InvalidHandle;
  return launchChecked(context, f, {gx, gy, gz}, {bx, by, bz}, shared, parameters, extra);
}

namespace {
struct LaunchAttribute {
  int id;
  char padding[4];
  union {
    char bytes[64];
    struct {
      unsigned x, y, z;
    } cluster;
    int value;
  };
};
struct LaunchConfig {
  unsigned gx, gy, gz, bx, by, bz, shared;
  void* stream;
  LaunchAttribute* attributes;
  unsigned count;
};
}  // namespace

PTX_API int cuLaunchKernelEx(const LaunchConfig* c, Kernel* f, void** parameters, void** extra) {
  PTX_ENTER
  if (!c || (c->count && !c->attributes)) return InvalidValue;
  if (!isStream(c->stream)) return InvalidHandle;
  for (unsigned k = 0; k < c->count; k++) {
    const LaunchAttribute& a = c->attributes[k];
    if (a.id == 2 && a.value) return NotSupported;  // cooperative: blocks do not run side by side here
    if (a.id == 4 && u64(a.cluster.x) * a.cluster.y * a.cluster.z > 1) return NotSupported;
  }
  return launchChecked(context, f, {c->gx, c->gy, c->gz}, {c->bx, c->by, c->bz}, c->shared, parameters, extra);
}

PTX_API int cuFuncSetAttribute(Kernel* f, int attribute, int value) {
  PTX_ENTER
  if (!driver().kernels.count(f)) return InvalidHandle;
  if (attribute == 9) return value >= -1 && value <= 100 ? Success : InvalidValue;  // carve-out: a wish
  if (attribute != 8 || value < 0 || f->staticShared + u64(value) > sharedLimit()) return InvalidValue;
  f->dynamicLimit = std::max(49152u, f->staticShared + u32(value));
  return Success;
}

PTX_API int cuFuncGetAttribute(int* value, int attribute, Kernel* f) {
  PTX_ENTER
  if (!value) return InvalidValue;
  if (!driver().kernels.count(f)) return InvalidHandle;
  switch (attribute) {
    case 0: *value = int(f->maxThreads); return Success;
    case 1: *value = int(f->staticShared); return Success;
    case 2: *value = 0; return Success;
    case 3: *value = int(f->localBytes); return Success;
    case 4: *value = int(std::min(255u, f->registers)); return Success;
    case 5: case 6: *value = int(f->module->target); return Success;
    case 7: *value = 0; return Success;
    case 8: *value = int(f->dynamicLimit - std::min(f->dynamicLimit, f->staticShared)); return Success;
    case 9: *value = -1; return Success;
    default: return InvalidValue;
  }
}

PTX_API int cuFuncSetCacheConfig(Kernel* f, int) {
  PTX_ENTER
  return driver().kernels.count(f) ? Success : InvalidHandle;
}
PTX_API int cuFuncSetSharedMemConfig(Kernel* f, int) {
  PTX_ENTER
  return driver().kernels.count(f) ? Success : InvalidHandle;
}
PTX_API int cuFuncGetName(const char** name, Kernel* f) {
  PTX_ENTER
  if (!name) return InvalidValue;
  if (!driver().kernels.count(f)) return InvalidHandle;
  *name = f->name.c_str();
  return Success;
}
PTX_API int cuFuncGetModule(Module** m, Kernel* f) {
  PTX_ENTER
  if (!m) return InvalidValue;
  if (!driver().kernels.count(f)) return InvalidHandle;
  *m = f->module;
  return Success;
}

PTX_API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* n, Kernel* f, int threads, size_t shared) {
  PTX_ENTER
  if (!n) return InvalidValue;
  if (!driver().kernels.count(f)) return InvalidHandle;
  *n = blocksPerSm(*f, threads, shared);
  return Success;
}
PTX_API int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* n, Kernel* f, int threads, size_t shared, unsigned) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessor(n, f, threads, shared);
}
PTX_API int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, Kernel* f, size_t (*sharedOf)(int), size_t shared, int limit) {
  PTX_ENTER
  if (!grid || !block) return InvalidValue;
  if (!driver().kernels.count(f)) return InvalidHandle;
  int most = 0;
  const int top = limit > 0 ? std::min(limit, int(f->maxThreads)) : int(f->maxThreads);
  for (int threads = top / 32 * 32; threads >= 32; threads -= 32) {
    const int n = blocksPerSm(*f, threads, sharedOf ? sharedOf(threads) : shared);
    if (n * threads <= most) continue;
    most = n * threads;
    *block = threads;
    *grid = n * device().count;
  }
  return most ? Success : InvalidValue;
}
