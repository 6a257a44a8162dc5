// cp.async: 4, 8 or 16 bytes from global to shared memory, waited for by groups. The data move at issue; for the race
// detector the words are in flight until the thread's wait, so whoever touches them before, or without a barrier after
// another thread's wait, is reported. Source: PTX ISA, "cp.async" and its groups.
#include <algorithm>

#include "access.h"
#include "decode.h"

namespace ptx {

namespace {

void copy(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  u64 to[32], from[32];
  laneAddresses(w, i.operand[0], i.narrow, i.displacement, m, to);
  laneAddresses(w, i.operand[1], i.narrow2, i.displacement2, m, from);
  const u32 bytes = i.bytes;
  const u32* sizes = i.operands > 2 ? w.at<u32>(i.operand[2]) : nullptr;
  Lanes reading = 0;
  eachLane(m, [&](u32 l) {
    const u64 target = to[l] & ~windowMask;
    const u32 wanted = sizes ? std::min(sizes[l], bytes) : bytes;
    u8* d = sharedAccess(w, i, l, target, bytes, Use::Write, false);
    const u8* s = wanted ? globalAccess(w, i, l, from[l], wanted, Use::Read, bytes) : nullptr;
    if (wanted) reading |= 1u << l;
    if (!d || (wanted && !s)) return;
    if (wanted == 16) {
      std::memcpy(d, s, 16);
    } else {
      if (wanted) std::memcpy(d, s, wanted);
      std::memset(d + wanted, 0, bytes - wanted);
    }
    const u32 first = u32(target / 4), words = bytes / 4;
    if (b.checkRace) b.race.beginCopy(w, i, l, first, words);
    w.copies.push_back({l, w.copyGroup[l], first, words, b.pcOf(i)});
  });
  InstructionCount& c = b.counts[b.pcOf(i)];
  countGlobal(b, c.global, from, reading, bytes, false);
  for (u64& a : to) a &= ~windowMask;
  countShared(c.shared, to, m, bytes);
}

void commit(Warp& w, const Instruction&, Lanes m) {
  eachLane(m, [&](u32 l) { w.copyGroup[l]++; });
}

// A group is complete when at most N later ones were committed; wait_all does not need a commit.
template <bool all>
void wait(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  size_t kept = 0;
  for (const PendingCopy& c : w.copies) {
    const bool done = (m >> c.lane & 1) && (all || c.group + u64(i.displacement) < w.copyGroup[c.lane]);
    if (!done) w.copies[kept++] = c;
    else if (b.checkRace) b.race.endCopy(w, c.pc, c.lane, c.firstWord, c.words);
  }
  w.copies.resize(kept);
}

}  // namespace

// For cp.async.mbarrier.arrive: the copies of these lanes are complete; their clock goes into the mbarrier.
void finishCopies(Warp& w, Lanes m) {
  Instruction i;
  wait<true>(w, i, m);
}

void decodeCopyAsync(Decoder& d) {
  if (d.has("commit_group")) {
    d.expect(0, 0);
    d.emit(commit, Class::AsyncCopy, {}, {});
    return;
  }
  if (d.has("wait_all")) {
    d.expect(0, 0);
    d.emit(wait<true>, Class::Barrier, {}, {});
    return;
  }
  if (d.has("wait_group")) {
    d.expect(1, 1);
    d.emit(wait<false>, Class::Barrier, {}, {}).displacement = d.immediate(0);
    return;
  }
  const bool whole = d.has("cg");
  d.skip({"ca", "L2::64B", "L2::128B", "L2::256B"});
  const bool hint = d.has("L2::cache_hint");
  d.need((d.has("shared") || d.has("shared::cta")) && d.has("global"));
  const size_t operands = d.count() - (hint ? 1 : 0);
  d.need(operands == 3 || operands == 4);
  const s64 bytes = d.immediate(2);
  d.need(bytes == 16 || (!whole && (bytes == 4 || bytes == 8)));
  s64 to = 0, from = 0;
  bool narrow = false, narrow2 = false;
  std::vector<u32> sources = {d.addressOf(d.operand(0), to, narrow), d.addressOf(d.operand(1), from, narrow2)};
  if (operands == 4) {
    d.need(d.operand(3).kind != Operand::Register || d.operand(3).width == 4);
    sources.push_back(d.source(3, Type::U32));
  }
  Instruction& i = d.emit(copy, Class::AsyncCopy, {}, sources);
  i.displacement = to;
  i.displacement2 = from;
  i.narrow = narrow;
  i.narrow2 = narrow2;
  i.bytes = u8(bytes);
}

}  // namespace ptx
