// cuInit, devices and contexts.
#include "driver.h"

namespace ptx {

Driver& driver() {
  static Driver* const d = new Driver;
  return *d;
}

std::vector<Context*>& contextStack() {
  thread_local std::vector<Context*> stack;
  return stack;
}

int enter(Context*& context) {
  if (!driver().initialized) return NotInitialized;
  auto& stack = contextStack();
  if (stack.empty() || !driver().contexts.count(stack.back())) return InvalidContext;
  context = stack.back();
  return driver().lost;
}

const Sm& device() {
  static const Sm known[] = {{80, 166912, 167936, 2048, 32, 108}, {86, 101376, 102400, 1536, 16, 84},  {89, 101376, 102400, 1536, 24, 128},
                             {90, 232448, 233472, 2048, 32, 132}, {100, 232448, 233472, 2048, 32, 148}, {120, 101376, 102400, 1536, 24, 170}};
  for (const Sm& s : known)
    if (s.number == options().sm) return s;
  return known[0];
}

namespace {
bool known(int d) { return d >= 0 && d < options().devices; }

Context* primaryOf(int d) {
  auto& all = driver().primary;
  while (int(all.size()) <= d) {
    all.push_back(std::make_unique<Context>());
    all.back()->device = int(all.size()) - 1;
    all.back()->primary = true;
  }
  return all[size_t(d)].get();
}

int attributeValue(int a) {
  const Sm& s = device();
  switch (a) {
    case 1: case 2: case 3: return 1024;
    case 4: return 64;
    case 5: return 2147483647;
    case 6: case 7: return 65535;
    case 8: return 49152;
    case 9: return 65536;
    case 10: return 32;
    case 11: return 2147483647;
    case 12: case 82: return 65536;
    case 13: return 1410000;
    case 14: return 512;
    case 15: case 19: case 31: case 41: case 78: case 115: return 1;
    case 16: return s.count;
    case 36: return 1593000;
    case 37: return 5120;
    case 38: return 40 << 20;
    case 39: return s.threadsPerSm;
    case 40: return 3;
    case 75: return s.number / 10;
    case 76: return s.number % 10;
    case 81: return s.sharedPerSm;
    case 97: return s.sharedPerBlock;
    case 106: return s.blocksPerSm;
    case 111: return 1024;
    case 127: return s.number >= 90;  // tensor maps
    default: return 0;
  }
}
}  // namespace
}  // namespace ptx

using namespace ptx;

PTX_API int cuInit(unsigned flags) {
  PTX_LOCK;
  if (flags) return InvalidValue;
  if (options().devices == 0) return NoDevice;
  driver().initialized = true;
  return Success;
}

PTX_API int cuDriverGetVersion(int* version) {
  if (!version) return InvalidValue;
  *version = options().driver;
  return Success;
}

#define PTX_INITIALIZED \
  PTX_LOCK;             \
  if (!driver().initialized) return NotInitialized;

PTX_API int cuDeviceGetCount(int* n) {
  PTX_INITIALIZED
  if (!n) return InvalidValue;
  *n = options().devices;
  return Success;
}

PTX_API int cuDeviceGet(int* d, int ordinal) {
  PTX_INITIALIZED
  if (!d) return InvalidValue;
  if (!known(ordinal)) return InvalidDevice;
  *d = ordinal;
  return Success;
}

PTX_API int cuDeviceGetName(char* name, int n, int d) {
  PTX_INITIALIZED
  if (!name || n <= 0) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  snprintf(name, size_t(n), "PTX machine %d (interpreted, sm_%d)", d, options().sm);
  return Success;
}

PTX_API int cuDeviceGetUuid_v2(unsigned char* uuid, int d) {
  PTX_INITIALIZED
  if (!uuid) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  memset(uuid, 0, 16);
  memcpy(uuid, "ptxmachine", 10);
  uuid[15] = static_cast<unsigned char>(d);
  return Success;
}
PTX_API int cuDeviceGetUuid(unsigned char* uuid, int d) { return cuDeviceGetUuid_v2(uuid, d); }

PTX_API int cuDeviceTotalMem_v2(size_t* bytes, int d) {
  PTX_INITIALIZED
  if (!bytes) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  *bytes = options().memory;
  return Success;
}

PTX_API int cuDeviceGetAttribute(int* value, int attribute, int d) {
  PTX_INITIALIZED
  if (!value || attribute <= 0) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  *value = attribute == 33 ? d + 1 : attributeValue(attribute);
  return Success;
}

PTX_API int cuDeviceComputeCapability(int* major, int* minor, int d) {
  PTX_INITIALIZED
  if (!major || !minor) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  *major = device().number / 10;
  *minor = device().number % 10;
  return Success;
}

PTX_API int cuDeviceGetPCIBusId(char* id, int n, int d) {
  PTX_INITIALIZED
  if (!id || n < 13) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  snprintf(id, size_t(n), "0000:%02x:00.0", d + 1);
  return Success;
}

PTX_API int cuDeviceCanAccessPeer(int* can, int a, int b) {
  PTX_INITIALIZED
  if (!can) return InvalidValue;
  if (!known(a) || !known(b)) return InvalidDevice;
  *can = 0;
  return Success;
}

PTX_API int cuDevicePrimaryCtxRetain(Context** c, int d) {
  PTX_INITIALIZED
  if (!c) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  if (driver().lost) return driver().lost;
  *c = primaryOf(d);
  (*c)->references++;
  driver().contexts.insert(*c);
  return Success;
}

PTX_API int cuDevicePrimaryCtxReset_v2(int d) {
  PTX_INITIALIZED
  if (!known(d)) return InvalidDevice;
  for (Module* m : driver().modules)
    if (m->device == d) m->owned.clear();
  memory().forgetDevice(d);
  return Success;
}
PTX_API int cuDevicePrimaryCtxReset(int d) { return cuDevicePrimaryCtxReset_v2(d); }

PTX_API int cuDevicePrimaryCtxRelease_v2(int d) {
  PTX_INITIALIZED
  if (!known(d)) return InvalidDevice;
  Context* c = primaryOf(d);
  if (!c->references) return InvalidContext;
  if (--c->references == 0) {
    cuDevicePrimaryCtxReset_v2(d);
    driver().contexts.erase(c);
  }
  return Success;
}
PTX_API int cuDevicePrimaryCtxRelease(int d) { return cuDevicePrimaryCtxRelease_v2(d); }

PTX_API int cuDevicePrimaryCtxGetState(int d, unsigned* flags, int* active) {
  PTX_INITIALIZED
  if (!known(d)) return InvalidDevice;
  if (flags) *flags = primaryOf(d)->flags;
  if (active) *active = primaryOf(d)->references > 0;
  return Success;
}

PTX_API int cuDevicePrimaryCtxSetFlags_v2(int d, unsigned flags) {
  PTX_INITIALIZED
  if (!known(d)) return InvalidDevice;
  primaryOf(d)->flags = flags;
  return Success;
}
PTX_API int cuDevicePrimaryCtxSetFlags(int d, unsigned flags) { return cuDevicePrimaryCtxSetFlags_v2(d, flags); }

PTX_API int cuCtxCreate_v2(Context** c, unsigned flags, int d) {
  PTX_INITIALIZED
  if (!c) return InvalidValue;
  if (!known(d)) return InvalidDevice;
  if (driver().lost) return driver().lost;
  *c = new Context{d, false, 1, flags};
  driver().contexts.insert(*c);
  contextStack().push_back(*c);
  return Success;
}
PTX_API int cuCtxCreate_v3(Context** c, void*, int, unsigned flags, int d) { return cuCtxCreate_v2(c, flags, d); }
PTX_API int cuCtxCreate_v4(Context** c, void*, unsigned flags, int d) { return cuCtxCreate_v2(c, flags, d); }

PTX_API int cuCtxDestroy_v2(Context* c) {
  PTX_INITIALIZED
  if (!driver().contexts.count(c) || c->primary) return InvalidContext;
  driver().contexts.erase(c);
  auto& stack = contextStack();
  if (!stack.empty() && stack.back() == c) stack.pop_back();
  delete c;
  return Success;
}

PTX_API int cuCtxSetCurrent(Context* c) {
  PTX_INITIALIZED
  if (c && !driver().contexts.count(c)) return InvalidContext;
  auto& stack = contextStack();
  if (!stack.empty()) stack.pop_back();
  if (c) stack.push_back(c);
  return Success;
}

PTX_API int cuCtxGetCurrent(Context** c) {
  PTX_INITIALIZED
  if (!c) return InvalidValue;
  *c = contextStack().empty() ? nullptr : contextStack().back();
  return Success;
}

PTX_API int cuCtxPushCurrent_v2(Context* c) {
  PTX_INITIALIZED
  if (!driver().contexts.count(c)) return InvalidContext;
  contextStack().push_back(c);
  return Success;
}

PTX_API int cuCtxPopCurrent_v2(Context** c) {
  PTX_INITIALIZED
  if (contextStack().empty()) return InvalidContext;
  if (c) *c = contextStack().back();
  contextStack().pop_back();
  return Success;
}

PTX_API int cuCtxGetDevice(int* d) {
  PTX_INITIALIZED
  if (!d) return InvalidValue;
  if (contextStack().empty()) return InvalidContext;
  *d = contextStack().back()->device;
  return Success;
}

PTX_API int cuCtxSynchronize(void) {
  PTX_ENTER
  return Success;
}

PTX_API int cuCtxGetFlags(unsigned* flags) {
  PTX_ENTER
  if (!flags) return InvalidValue;
  *flags = context->flags;
  return Success;
}

PTX_API int cuCtxGetApiVersion(Context*, unsigned* version) {
  if (!version) return InvalidValue;
  *version = 3020;
  return Success;
}

PTX_API int cuCtxGetLimit(size_t* value, int limit) {
  PTX_ENTER
  if (!value || limit < 0) return InvalidValue;
  *value = limit == 0 ? 1024 : 1 << 20;
  return Success;
}
PTX_API int cuCtxSetLimit(int limit, size_t) {
  PTX_ENTER
  return limit < 0 ? InvalidValue : Success;
}
PTX_API int cuCtxGetCacheConfig(int* c) {
  PTX_ENTER
  if (!c) return InvalidValue;
  *c = 0;
  return Success;
}
PTX_API int cuCtxSetCacheConfig(int) {
  PTX_ENTER
  return Success;
}
PTX_API int cuCtxGetSharedMemConfig(int* c) {
  PTX_ENTER
  if (!c) return InvalidValue;
  *c = 1;
  return Success;
}
PTX_API int cuCtxSetSharedMemConfig(int) {
  PTX_ENTER
  return Success;
}
PTX_API int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  PTX_ENTER
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return Success;
}
PTX_API int cuCtxResetPersistingL2Cache(void) {
  PTX_ENTER
  return Success;
}
