#include "globalrace.h"

#include <mutex>

#include "access.h"

namespace ptx {

namespace {

// launch 6 | atomic 1 | block 20 | warp 5 | clock 13 | pc 15 | bytes 4
constexpr u64 launchTags = 63;
struct GlobalStamp {
  u64 v;
  u32 launch() const { return u32(v >> 58); }
  bool atomic() const { return v >> 57 & 1; }
  u32 block() const { return u32(v >> 37) & 0xfffff; }
  u32 warp() const { return u32(v >> 32) & 31; }
  u32 clock() const { return u32(v >> 19) & 0x1fff; }
  u32 pc() const { return u32(v >> 4) & 0x7fff; }
  u32 bytes() const { return u32(v) & 15; }
};
constexpr u32 noClock = 0x1fff, manyBlocks = 0xfffff;

u64 make(u32 launch, bool atomic, u32 block, u32 warp, u32 clock, u32 pc, u32 bytes) {
  return u64(launch) << 58 | u64(atomic) << 57 | u64(block & 0xfffff) << 37 | u64(warp) << 32 | u64(std::min(clock, noClock)) << 19 |
         u64(pc & 0x7fff) << 4 | bytes;
}

struct BetweenBlocks {
  u64 address;
  u32 pc, pc2;
  bool bothWrite;
};
std::mutex mutex;
std::map<u64, BetweenBlocks> found;  // by allocation: the lowest address

u32 tagOf(const Launch& l) { return u32(l.number % launchTags) + 1; }
u64 epochOf(const Launch& l) { return l.number / launchTags + 1; }

void betweenBlocks(const Allocation& a, u64 address, u32 pc, u32 pc2, bool bothWrite) {
  std::lock_guard<std::mutex> lock(mutex);
  const BetweenBlocks now{address, std::min(pc, pc2), std::max(pc, pc2), bothWrite};
  auto [it, isNew] = found.try_emplace(a.base, now);
  if (isNew) return;
  BetweenBlocks& old = it->second;
  if (std::make_tuple(now.address, now.pc, now.pc2) < std::make_tuple(old.address, old.pc, old.pc2)) old = now;
}

void compare(Warp& w, const Instruction& i, u32 lane, Allocation& a, u64 address, GlobalStamp other, u32 bytes, Use use, bool otherWrites) {
  Block& b = *w.block;
  if (other.launch() != tagOf(*b.launch) || !(other.bytes() & bytes) || (use == Use::Atomic && other.atomic())) return;
  const u32 pc = b.pcOf(i);
  if (other.block() != (b.index & 0xfffff) || (!otherWrites && other.block() == manyBlocks)) {
    if (!b.kernel->ordered) betweenBlocks(a, address, pc & 0x7fff, other.pc(), use != Use::Read && otherWrites);
    return;
  }
  if (other.warp() == w.id || other.clock() == noClock || b.race.base() + other.clock() <= w.limit[other.warp()]) return;
  b.report(Check::Race, pc, other.pc(), 0, [&] {
    return b.thread(w.id * 32 + lane) + (use == Use::Read ? " reads" : " writes") + format(" global 0x%llx at ", ull(address)) + b.at(pc) + "; " +
           (otherWrites ? "written" : "read") + format(" by warp %u at ", other.warp()) + b.at(other.pc()) + ", no barrier between";
  });
}

}  // namespace

void noteGlobal(Warp& w, const Instruction& i, u32 lane, Allocation& a, u64 offset, u32 bytes, Use use) {
  Block& b = *w.block;
  const u64 epoch = epochOf(*b.launch);
  if (!a.accesses || a.accessEpoch != epoch) {
    if (use == Use::Read) return;
    std::lock_guard<std::mutex> lock(mutex);
    a.trackAccesses(epoch);
    if (!a.accesses) return;
  }
  const u32 clock = w.seen[w.id] - b.race.base(), pc = b.pcOf(i), tag = tagOf(*b.launch);
  for (u64 word = offset / 4; word <= (offset + bytes - 1) / 4; word++) {
    const u64 begin = std::max(offset, word * 4) - word * 4, end = std::min(offset + bytes, word * 4 + 4) - word * 4;
    const u32 mask = ((1u << end) - 1) & ~((1u << begin) - 1);
    u64 *write = a.accesses + 2 * word, *read = write + 1;
    const u64 me = make(tag, use == Use::Atomic, u32(b.index), w.id, clock, pc, mask);
    const u64 address = a.base + word * 4;
    if (use == Use::Read) {
      const GlobalStamp old{__atomic_load_n(read, __ATOMIC_RELAXED)};
      if (old.v == me) continue;  // this very read was compared before
      const bool foreign = old.launch() == tag && old.block() != (b.index & 0xfffff);
      __atomic_exchange_n(read, foreign ? make(tag, false, manyBlocks, w.id, clock, pc, mask | old.bytes()) : me, __ATOMIC_SEQ_CST);
      compare(w, i, lane, a, address, {__atomic_load_n(write, __ATOMIC_SEQ_CST)}, mask, use, true);
    } else {
      const GlobalStamp old{__atomic_exchange_n(write, me, __ATOMIC_SEQ_CST)};
      compare(w, i, lane, a, address, old, mask, use, true);
      compare(w, i, lane, a, address, {__atomic_load_n(read, __ATOMIC_SEQ_CST)}, mask, use, false);
    }
  }
}

void beginGlobalRaces(const Launch& l) {
  found.clear();
  for (u32 p : l.kernel->writtenParameters) {
    u64 pointer = 0;
    if (l.kernel->parameters[p].size != 8) continue;
    std::memcpy(&pointer, l.parameters.data() + l.kernel->parameters[p].offset, 8);
    if (Allocation* a = memory().containing(pointer, 1)) a->trackAccesses(epochOf(l));
  }
}

bool endGlobalRaces(const Launch& l) {
  Block b;  // for its texts alone
  b.launch = &l;
  b.kernel = l.kernel;
  for (const auto& [base, f] : found) {
    const Allocation* a = memory().nearest(base);
    Finding finding{Check::Race, l.kernel->name, "", b.kernel->code[f.pc].line, b.kernel->code[f.pc2].line, 1};
    finding.text = l.kernel->name +
                   format(": blocks race on global 0x%llx, %llu bytes into an allocation of %llu, ", ull(f.address), ull(f.address - base),
                          ull(a ? a->size : 0)) +
                   (f.bothWrite ? "written by both at " : "written by one and read by the other at ") + b.at(f.pc) + " and " + b.at(f.pc2);
    results().add(finding);
  }
  const bool any = !found.empty();
  found.clear();
  return any;
}

}  // namespace ptx
