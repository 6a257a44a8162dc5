// Modules: PTX text in, functions and variables out.
#include <cstdio>

#include "driver.h"

using namespace ptx;

namespace {

bool isPtx(const char* image) {
  u32 magic;
  std::memcpy(&magic, image, 4);
  return magic != 0xBA55ED50 && magic != 0x464c457f;  // a fat binary, a cubin
}

int loadText(Context* context, Module** out, const char* text, char* log, size_t logSize) {
  if (!out || !text) return InvalidValue;
  *out = nullptr;
  if (!isPtx(text)) return NoBinary;
  auto refuse = [&](const std::string& why) {
    if (log && logSize) snprintf(log, logSize, "%s", why.c_str());
    if (!options().quiet) fprintf(stderr, "ptxmachine: refused: %s\n", why.c_str());
    return InvalidPtx;
  };
  try {
    const std::string copy(text);
    const size_t at = copy.find(".target");
    if (copy.find(".version") == std::string::npos || at == std::string::npos) return refuse("no .version and .target: not PTX");
    std::unique_ptr<Module> m = load(copy, context->device);
    const size_t sm = copy.find("sm_", at);
    const bool exact = sm != std::string::npos && copy.find_first_not_of("0123456789", sm + 3) < copy.size() &&
                       copy[copy.find_first_not_of("0123456789", sm + 3)] == 'a';
    if (int(m->target) > options().sm || (exact && int(m->target) != options().sm)) {
      for (u64 a : m->owned) memory().release(a);
      return refuse(format("the text is for sm_%u%s, the device is sm_%d", m->target, exact ? "a" : "", options().sm));
    }
    *out = m.get();
    Driver& d = driver();
    d.modules.insert(m.get());
    for (auto& k : m->kernels) d.kernels.insert(k.second.get());
    d.loaded.push_back(std::move(m));
    return Success;
  } catch (const LoadError& e) {
    return refuse(e.what());
  } catch (const std::bad_alloc&) {
    return OutOfMemory;
  }
}

}  // namespace

PTX_API int cuModuleLoadDataEx(Module** out, const void* image, unsigned n, int* option, void** value) {
  PTX_ENTER
  char* log = nullptr;
  size_t size = 0;
  for (unsigned k = 0; k < n; k++) {
    if (option[k] == 5) log = static_cast<char*>(value[k]);  // CU_JIT_ERROR_LOG_BUFFER and its size
    if (option[k] == 6) size = reinterpret_cast<size_t>(value[k]);
  }
  return loadText(context, out, static_cast<const char*>(image), log, size);
}
PTX_API int cuModuleLoadData(Module** out, const void* image) { return cuModuleLoadDataEx(out, image, 0, nullptr, nullptr); }
PTX_API int cuModuleLoadFatBinary(Module** out, const void* image) { return cuModuleLoadDataEx(out, image, 0, nullptr, nullptr); }

PTX_API int cuModuleLoad(Module** out, const char* path) {
  PTX_ENTER
  if (!path) return InvalidValue;
  FILE* f = fopen(path, "rb");
  if (!f) return FileNotFound;
  std::string text;
  char buffer[65536];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) text.append(buffer, n);
  fclose(f);
  if (text.size() < 4) return InvalidImage;
  return loadText(context, out, text.c_str(), nullptr, 0);
}

PTX_API int cuModuleUnload(Module* m) {
  PTX_LOCK;
  if (!driver().modules.erase(m)) return InvalidHandle;
  for (auto& k : m->kernels) driver().kernels.erase(k.second.get());
  for (u64 a : m->owned) memory().release(a);
  m->owned.clear();
  m->unloaded = true;  // its counters stay until the next clear
  return Success;
}

PTX_API int cuModuleGetFunction(Kernel** f, Module* m, const char* name) {
  PTX_ENTER
  if (!f || !name) return InvalidValue;
  if (!driver().modules.count(m)) return InvalidHandle;
  auto it = m->kernels.find(name);
  if (it == m->kernels.end()) return NotFound;
  *f = it->second.get();
  return Success;
}

PTX_API int cuModuleGetGlobal_v2(u64* p, size_t* n, Module* m, const char* name) {
  PTX_ENTER
  if (!name) return InvalidValue;
  if (!driver().modules.count(m)) return InvalidHandle;
  auto it = m->symbols.find(name);
  if (it == m->symbols.end() || it->second->space != Space::Global || !it->second->address) return NotFound;
  if (p) *p = it->second->address;
  if (n) *n = it->second->size;
  return Success;
}

PTX_API int cuModuleGetFunctionCount(unsigned* n, Module* m) {
  PTX_ENTER
  if (!n) return InvalidValue;
  if (!driver().modules.count(m)) return InvalidHandle;
  *n = unsigned(m->kernels.size());
  return Success;
}

PTX_API int cuModuleGetLoadingMode(int* mode) {
  if (!mode) return InvalidValue;
  *mode = 1;  // eager
  return Success;
}
