// The functions of ptxmachine.h.
#include "driver.h"
#include "report.h"

using namespace ptx;

namespace {
size_t copyOut(const std::string& s, char* text, size_t n) {
  if (text && n) {
    const size_t bytes = std::min(n - 1, s.size());
    std::memcpy(text, s.data(), bytes);
    text[bytes] = 0;
  }
  return s.size();
}
ptxmachineTraffic plain(const Traffic& t) { return {t.requests, t.bytes, t.units, t.least, t.fresh}; }

template <class F>
void eachKernel(const char* name, F f) {
  for (auto& m : driver().loaded)
    for (auto& k : m->kernels)
      if (!name || k.first == name) f(*k.second);
}
}  // namespace

PTX_API int ptxmachineVersion(void) { return 1; }

PTX_API int ptxmachineOption(const char* assignment) {
  PTX_LOCK;
  if (!assignment) return 1;
  const std::string wrong = options().set(assignment);
  if (!wrong.empty()) fprintf(stderr, "ptxmachine: %s\n", wrong.c_str());
  return !wrong.empty();
}

PTX_API uint64_t ptxmachineFindings(const char* kind) {
  PTX_LOCK;
  u64 n = 0;
  for (size_t c = 0; c < size_t(Check::Count); c++)
    if (!kind || std::string(kind) == checkNames[c]) n += results().total[c];
  return n;
}

PTX_API void ptxmachineClear(void) {
  PTX_LOCK;
  Driver& d = driver();
  results() = Results{};
  d.lost = 0;
  eachKernel(nullptr, clearCounters);
  // Modules that were unloaded were kept for their counters alone.
  for (auto it = d.loaded.begin(); it != d.loaded.end();) it = (*it)->unloaded ? d.loaded.erase(it) : it + 1;
}

PTX_API size_t ptxmachineReport(char* text, size_t n) {
  PTX_LOCK;
  return copyOut(reportText(), text, n);
}

PTX_API size_t ptxmachineFindingsText(char* text, size_t n) {
  PTX_LOCK;
  return copyOut(findingsText(), text, n);
}

PTX_API int ptxmachineCounters(const char* kernel, ptxmachineKernelCounters* counters) {
  PTX_LOCK;
  if (!kernel || !counters) return 1;
  *counters = {};
  int missing = 1;
  eachKernel(kernel, [&](Kernel& k) {
    missing = 0;
    addCounters(k, *counters);
  });
  return missing;
}

PTX_API size_t ptxmachineLines(const char* kernel, ptxmachineLine* lines, size_t n) {
  PTX_LOCK;
  if (!kernel) return 0;
  std::vector<ptxmachineLine> all;
  eachKernel(kernel, [&](Kernel& k) {
    for (size_t pc = 0; pc < k.code.size(); pc++) {
      const Instruction& i = k.code[pc];
      const InstructionCount& c = k.counts[pc];
      if (i.hidden || !c.executed) continue;
      all.push_back({i.line, u32(i.kind), c.executed, c.lanes, plain(c.global), plain(c.shared)});
    }
  });
  for (size_t k = 0; k < all.size() && k < n && lines; k++) lines[k] = all[k];
  return all.size();
}
