// The state of a running launch: warps, the block they belong to, and what is found while they run.
//
// A worker thread owns one Block and runs the blocks of a grid through it, one after another. Everything a block does is
// decided by its own instructions and a seeded schedule, so findings and counters, merged in the order of blocks, are the
// same for any number of workers.
#pragma once
#include <array>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "memory.h"
#include "options.h"
#include "program.h"
#include "race.h"
#include "text.h"

namespace ptx {

struct Block;

enum class Check : u8 { Memory, Init, Race, Sync, Trap, Count };
extern const char* const checkNames[];

// One finding for every check, kernel and pair of lines; the text is of the first.
struct Finding {
  Check check;
  std::string kernel, text;
  u32 line = 0, line2 = 0;
  u64 count = 0;
};

// The launch cannot go on: a driver error code.
struct Abort {
  int code;
};

struct PendingCopy {  // a cp.async that was not waited for yet
  u32 lane, group, firstWord, words, pc;
};

struct PendingRead {  // shared memory that wgmma or a bulk store still reads
  u32 firstWord, words, pc, group;
};

struct WgmmaState {  // accumulators in flight, and what was written since the last wgmma.fence
  u32 group = 0;     // groups committed so far
  u64 now = 0, fence = 0;
  std::vector<u32> inFlight;  // by place in the bank (64 bytes each): 1 + group
  std::vector<u64> written;
  std::vector<PendingRead> reads;
  u32 lastPc = 0;
  bool any = false;
};

struct Warp {
  u8* bank[2];  // registers; constants of the block
  Lanes live = 0, mask = 0, parked = 0;
  u32 pc = 0, next = 0;
  u32 lanePc[32];
  u32 id = 0;
  enum State : u8 { Ready, AtBarrier, Waiting, Done } state = Ready;
  u32 barrier = none, barrierPc = 0;
  const Instruction* reduction = nullptr;  // a bar.red whose result is still to come
  Lanes waiting = 0;       // lanes parked until an mbarrier changes its phase
  Lanes mustWait = 0;      // set by an instruction of Flow::Wait
  Block* block = nullptr;
  Clocks seen{}, fenced{}, limit{};
  u32 copyGroup[32];
  std::vector<PendingCopy> copies;
  WgmmaState wgmma;
  std::vector<PendingRead> bulkReads;
  u32 bulkGroup = 0;
  u64 diverged = 0;  // instructions since some lane was left behind

  template <class T>
  T* at(u32 offset) {
    return reinterpret_cast<T*>(bank[offset >> 31] + (offset & ~constantBank));
  }
  void tick();  // own clock forward: what came before is over
  void acquire(const Clocks& clocks, const Clocks& fencedClocks);
};

struct NamedBarrier {
  u32 expected = 0, arrived = 0;  // threads
  u32 firstPc = none;
  std::vector<u32> warps;
  Clocks joined{}, fenced{};
  u32 trueCount = 0, threadCount = 0;  // of bar.red
};

struct Launch {
  Kernel* kernel;
  u32 grid[3], block[3];
  u32 dynamicShared = 0;
  int device = 0;
  u64 number = 0;
  std::vector<u8> parameters;
};

struct PhaseClock {  // what whoever waits for an mbarrier's phase will have seen
  Clocks arriving{}, arrivingFenced{}, complete{}, completeFenced{};
  u32 agent = 0;
};

struct Block {
  const Launch* launch = nullptr;
  Kernel* kernel = nullptr;
  u32 index3[3] = {0, 0, 0};
  u64 index = 0;
  std::vector<u8> file, shared, sharedInit, local, localInit;
  std::vector<Warp> warps;
  std::array<NamedBarrier, 16> barriers;
  std::map<u32, PhaseClock> phases;
  u32 agents = 0;
  SharedRace race;
  std::vector<InstructionCount> counts;  // zero between launches
  std::vector<u32> ran;                  // instructions that have counts
  std::vector<Allocation*> hints;  // by instruction: the allocation it touched last
  u64 steps = 0, tensorOperations = 0, barrierCount = 0;
  std::mt19937_64 random;
  std::map<std::array<u64, 3>, u32> foundAt;
  std::vector<Finding> findings;
  int error = 0;  // what the driver would report for the launch
  u32 sharedBytes = 0;  // where the block's shared memory ends
  bool countsFresh = false;
  std::unordered_set<u64> touched;  // sectors, twice, plus one where written
  bool checkInit = true, checkRace = true, checkGlobalRace = false, checkSync = true;

  void prepare(const Launch& launch);   // sizes, constants: once a launch
  void start(u64 index);
  void renewClocks();                   // when they run out: history is forgotten
  void run();                           // to its end; throws Abort
  u32 threads() const { return launch->block[0] * launch->block[1] * launch->block[2]; }

  template <class Text>
  void report(Check check, u32 pc, u32 pc2, int code, Text text) {
    if (Finding* f = newFinding(check, pc, pc2, code)) f->text = place() + text();
  }
  Finding* newFinding(Check check, u32 pc, u32 pc2, int code);
  std::string place() const;             // "kernel block (0,0,0): "
  std::string thread(u32 number) const;  // "thread (0,0,0)"
  std::string at(u32 pc) const;          // "line 12 `bar.sync 0;`"
  u32 pcOf(const Instruction& i) const { return u32(&i - kernel->code.data()); }
};

// A read that this lane, or several of its warp, already made since the warp's last release needs no second look: whoever
// wrote in between has met the first one.
inline bool alreadyRead(const Warp& w, Stamp r, u32 lane, u32 bytes) {
  return clockOf(r) == w.seen[w.id] && agentOf(r) == w.id && !(bytes & ~bytesOf(r)) && (laneOf(r) == lane || laneOf(r) == severalLanes);
}

inline void SharedRace::access(Warp& w, const Instruction& i, u32 lane, u32 address, u32 bytes, Use use) {
  const u32 first = address / 4, last = (address + bytes - 1) / 4;
  const u32 covered = bytes >= 4 ? 15 : ((1u << bytes) - 1) << (address & 3);
  for (u32 word = first; word <= last; word++) {
    if (use == Use::Read && (alreadyRead(w, read0_[word], lane, covered) || alreadyRead(w, read1_[word], lane, covered))) continue;
    one(w, i, lane, word, covered, use);
  }
}

template <class F>
inline void eachLane(Lanes m, F f) {
  for (; m; m &= m - 1) f(u32(__builtin_ctz(m)));
}

// Runs the grid; returns a driver error code. The caller holds the driver's lock.
int runLaunch(const Launch& launch);

struct Results {  // of all launches since the last clear
  std::vector<Finding> findings;
  std::map<std::array<std::string, 2>, u32> index;
  u64 total[size_t(Check::Count)] = {};
  void add(const Finding& f);
};
Results& results();

}  // namespace ptx
