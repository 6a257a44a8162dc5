// Happens-before for shared memory: vector clocks of warps and one stamp for the last write and two readers of every word.
//
// Agents are the 32 warps of a block and up to 32 asynchronous ones, each the copies that complete on one mbarrier. A warp's
// clock moves when it releases (barrier, arrive, __syncwarp); waiting joins what the releasers had seen. An access races
// with an earlier one of another agent whose clock it has not seen, or of another lane of its own warp since the last
// bar.warp.sync. The order in which the interpreter happened to run the warps plays no part, so a missing barrier is found
// even when the numbers come out right.
// Source: Flanagan and Freund, "FastTrack: efficient and precise dynamic race detection", PLDI 2009.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "number.h"

namespace ptx {

struct Warp;
struct Instruction;

constexpr u32 agentCount = 64, firstAsyncAgent = 32;
using Clocks = std::array<u32, agentCount>;

inline void join(Clocks& to, const Clocks& from) {
  for (u32 a = 0; a < agentCount; a++) to[a] = std::max(to[a], from[a]);
}

// clock 26 | agent 6 | lane 6 | pc 20 | bytes 4 | flags 2
using Stamp = u64;
constexpr u32 severalLanes = 32, mixedLanes = 33;
constexpr u32 stampAtomic = 1, stampAsync = 2;
constexpr u64 maxClock = 1ull << 26;
inline Stamp stamp(u32 clock, u32 agent, u32 lane, u32 pc, u32 bytes, u32 flags) {
  return u64(clock) << 38 | u64(agent) << 32 | u64(lane) << 26 | u64(pc & 0xfffff) << 6 | bytes << 2 | flags;
}
inline u32 clockOf(Stamp s) { return u32(s >> 38); }
inline u32 agentOf(Stamp s) { return u32(s >> 32) & 63; }
inline u32 laneOf(Stamp s) { return u32(s >> 26) & 63; }
inline u32 pcOfStamp(Stamp s) { return u32(s >> 6) & 0xfffff; }
inline u32 bytesOf(Stamp s) { return u32(s >> 2) & 15; }
inline u32 flagsOf(Stamp s) { return u32(s) & 3; }

enum class Use : u8 { Read, Write, Atomic };

class SharedRace {
 public:
  u32 clock = 1;  // of the block; every release takes the next value

  void resize(u64 sharedBytes);
  void startBlock() { base_ = ++clock; }
  u32 base() const { return base_; }
  bool nearlyFull() const { return clock > maxClock - (1u << 22); }
  void forget();

  // A generic access of `bytes` at `address` by one lane.
  void access(Warp& w, const Instruction& i, u32 lane, u32 address, u32 bytes, Use use);
  // cp.async: in flight from issue to wait; then a write of that lane.
  void beginCopy(Warp& w, const Instruction& i, u32 lane, u32 firstWord, u32 words);
  void endCopy(Warp& w, u32 pc, u32 lane, u32 firstWord, u32 words);
  // The asynchronous proxy: tensor and bulk copies write, bulk stores and wgmma read.
  void asyncWrite(Warp& w, const Instruction& i, u32 lane, u32 firstWord, u32 words, u32 agent, u32 clock);
  void beginAsyncRead(Warp& w, const Instruction& i, u32 firstWord, u32 words);
  void endAsyncRead(Warp& w, u32 pc, u32 firstWord, u32 words);

 private:
  std::vector<Stamp> write_, read0_, read1_, pending_;
  u32 base_ = 0;
  void one(Warp& w, const Instruction& i, u32 lane, u32 word, u32 bytes, Use use);
  void checkProxy(Warp& w, const Instruction& i, u32 lane, u32 word);
};

}  // namespace ptx
