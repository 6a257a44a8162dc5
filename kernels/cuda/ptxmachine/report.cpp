#include "report.h"

#include <algorithm>
#include <map>

#include "driver.h"

namespace ptx {

const char* const classNames[] = {"tensor", "fma",        "float",        "special", "integer",   "move",    "global",
                                  "shared", "async copy", "other memory", "atomic",  "warp-wide", "barrier", "control"};

namespace {
void add(ptxmachineTraffic& to, const Traffic& t) {
  to.requests += t.requests;
  to.bytes += t.bytes;
  to.units += t.units;
  to.fresh += t.fresh;
  to.least += t.least;
}

std::string traffic(const char* name, const ptxmachineTraffic& t, bool global) {
  if (!t.requests) return "";
  std::string s = format("  %-14s %10llu requests %12llu bytes %10llu ", name, ull(t.requests), ull(t.bytes), ull(t.units));
  if (global) s += format("sectors, least %llu, %.2f a request\n", ull(t.least), double(t.units) / double(t.requests));
  else s += format("wavefronts, least %llu, %.2f conflicts a request\n", ull(t.least), double(t.units - t.least) / double(t.requests));
  return s;
}
}  // namespace

void addCounters(const Kernel& k, ptxmachineKernelCounters& c) {
  c.launches += k.launches;
  c.blocks += k.blocks;
  c.tensorMultiplyAdds += k.tensorOperations;
  c.barriers += k.barriers;
  c.registers = std::max(c.registers, k.registers);
  c.staticShared = k.staticShared;
  c.localBytes = k.localBytes;
  c.seconds += k.seconds;
  for (size_t pc = 0; pc < k.code.size(); pc++) {
    const Instruction& i = k.code[pc];
    const InstructionCount& n = k.counts[pc];
    if (i.hidden) continue;
    c.instructions++;
    c.executedInstructions += n.executed > 0;
    c.warpInstructions += n.executed;
    c.threadInstructions += n.lanes;
    c.byClass[size_t(i.kind)] += n.executed;
    const bool async = i.kind == Class::AsyncCopy;
    add(async ? c.globalAsync : i.flags == 1 ? c.globalLoad : c.globalStore, n.global);
    add(async ? c.sharedAsync : i.flags == 1 || i.kind == Class::Tensor ? c.sharedLoad : c.sharedStore, n.shared);
  }
}

std::string findingsText() {
  std::string s;
  for (const Finding& f : results().findings) s += format("%s: %llu: ", checkNames[size_t(f.check)], ull(f.count)) + f.text + "\n";
  return s;
}

std::string reportText() {
  std::string s = findingsText();
  if (s.empty()) s = "no findings\n";
  std::map<std::string, ptxmachineKernelCounters> kernels;
  for (auto& m : driver().loaded)
    for (auto& k : m->kernels)
      if (k.second->launches) addCounters(*k.second, kernels[k.first]);
  for (auto& [name, c] : kernels) {
    s += format("kernel %s: %llu launches, %llu blocks, %llu warp instructions, %.1f lanes active, %u of %u instructions ran, %u registers live "
                "at most, %.4f s\n  mix:",
                name.c_str(), ull(c.launches), ull(c.blocks), ull(c.warpInstructions),
                double(c.threadInstructions) / double(std::max<u64>(1, c.warpInstructions)), c.executedInstructions, c.instructions, c.registers,
                c.seconds);
    for (size_t k = 0; k < size_t(Class::Count); k++)
      if (c.byClass[k]) s += format(" %s %.1f%%", classNames[k], 100.0 * double(c.byClass[k]) / double(c.warpInstructions));
    s += "\n";
    s += traffic("global load", c.globalLoad, true) + traffic("global store", c.globalStore, true) + traffic("global async", c.globalAsync, true);
    s += traffic("shared load", c.sharedLoad, false) + traffic("shared store", c.sharedStore, false) + traffic("shared async", c.sharedAsync, false);
  }
  return s;
}

void clearCounters(Kernel& k) {
  k.counts.assign(k.code.size(), {});
  k.launches = k.blocks = k.tensorOperations = k.barriers = 0;
  k.seconds = 0;
}

namespace {
// A summary when the program ends, where it was asked for.
struct AtExit {
  ~AtExit() {
    if (options().summary) fprintf(stderr, "ptxmachine summary\n%s", reportText().c_str());
  }
} atExit;
}  // namespace

}  // namespace ptx
