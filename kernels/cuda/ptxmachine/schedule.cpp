// Runs the warps of a block.
//
// Divergence: every lane has its own pc and the group with the smallest runs. In code laid out in order a join lies behind
// both arms and a loop's exit behind its body, so whoever is ahead waits until the others arrive with the same pc. Where the
// layout breaks that, nothing depends on it: an instruction with a member mask parks its lanes until the mask is complete.
// A group that spins while others of its warp wait makes room for them now and then. If nobody can run, that is a finding.
#include "barrier.h"
#include "machine.h"

namespace ptx {

void trackRegisters(Warp& w, const Instruction& i, Lanes active);

namespace {

constexpr u64 spinLimit = 20000;

[[noreturn]] void stuckWarp(Warp& w) {
  Block& b = *w.block;
  const u32 first = u32(__builtin_ctz(w.live));
  u32 other = first;
  eachLane(w.live, [&](u32 l) {
    if (w.lanePc[l] != w.lanePc[first]) other = l;
  });
  b.report(Check::Sync, w.lanePc[first], w.lanePc[other], 719, [&] {
    std::string s = format("warp %u is stuck: lane %u waits at ", w.id, first) + b.at(w.lanePc[first]);
    if (other != first) s += format(", lane %u at ", other) + b.at(w.lanePc[other]);
    else s += ", for lanes that never come";
    return s;
  });
  throw Abort{719};
}

// Chooses the lanes that run next; false: none can now. `avoid` are passed over if others can run.
bool regroup(Warp& w, Lanes avoid = 0) {
  eachLane(w.mask, [&](u32 l) { w.lanePc[l] = w.pc; });
  w.mask = 0;
  w.next = none;
  w.diverged = 0;
  Lanes candidates = w.live & ~w.parked;
  if (!candidates) {
    if (!w.live) w.state = Warp::Done;
    else if (w.waiting & w.live) w.state = Warp::Waiting;
    else stuckWarp(w);
    return false;
  }
  if (candidates & ~avoid) candidates &= ~avoid;
  u32 least = none;
  eachLane(candidates, [&](u32 l) { least = std::min(least, w.lanePc[l]); });
  eachLane(w.live & ~w.parked, [&](u32 l) {
    if (w.lanePc[l] == least) w.mask |= 1u << l;
    else if (w.lanePc[l] > least) w.next = std::min(w.next, w.lanePc[l]);
  });
  w.pc = least;
  return true;
}

// Lanes whose guard is false go on; the others become the running group.
void separate(Warp& w, Lanes active) {
  if (active == w.mask) return;
  eachLane(w.mask & ~active, [&](u32 l) { w.lanePc[l] = w.pc + 1; });
  w.mask = active;
  w.next = std::min(w.next, w.pc + 1);
}

void gather(Warp& w, const Instruction& i, Lanes active) {
  separate(w, active);
  Lanes needed = w.live, have = active;
  if (i.maskOperand != none) {
    const u32* mask = w.at<u32>(i.maskOperand);
    needed = 0;
    eachLane(active, [&](u32 l) { needed |= mask[l]; });
    needed &= w.live;
  }
  eachLane(w.parked & ~w.waiting, [&](u32 l) {
    if (w.lanePc[l] == w.pc) have |= 1u << l;
  });
  if (needed & ~have) {
    eachLane(active, [&](u32 l) { w.lanePc[l] = w.pc; });
    w.parked |= active;
    w.mask = 0;
    regroup(w);
    return;
  }
  w.mask = have;
  w.parked &= ~have;
  w.pc++;
  i.run(w, i, have);
}

void branchTo(Warp& w, const Instruction& i, Lanes active) {
  if (active == w.mask) {
    if (i.target <= w.pc && (w.next != none || w.parked || w.mask != w.live) && ++w.diverged > spinLimit) {
      w.pc = i.target;
      const Lanes spinning = w.mask;
      regroup(w, spinning);
      return;
    }
    w.pc = i.target;
  } else if (!active) {
    w.pc++;
  } else {
    eachLane(w.mask, [&](u32 l) { w.lanePc[l] = active >> l & 1 ? i.target : w.pc + 1; });
    const u64 spun = w.diverged;
    const Lanes before = w.mask;
    w.mask = 0;
    const bool back = i.target <= w.pc;
    regroup(w, back && spun + 1 > spinLimit ? before & active : 0);
    if (back) w.diverged = spun + 1 > spinLimit ? 0 : spun + 1;
  }
}

void branchIndexed(Warp& w, const Instruction& i, Lanes active) {
  const std::vector<u32>& table = w.block->kernel->tables[i.option];
  const u32* index = w.at<u32>(i.operand[0]);
  eachLane(w.mask, [&](u32 l) { w.lanePc[l] = active >> l & 1 ? table[std::min<size_t>(index[l], table.size() - 1)] : w.pc + 1; });
  w.mask = 0;
  regroup(w);
}

void wait(Warp& w, const Instruction& i, Lanes active) {
  separate(w, active);
  w.mustWait = 0;
  i.run(w, i, active);
  const Lanes stay = w.mustWait;
  if (!stay) {
    w.pc++;
    return;
  }
  eachLane(active, [&](u32 l) { w.lanePc[l] = stay >> l & 1 ? w.pc : w.pc + 1; });
  w.parked |= stay;
  w.waiting |= stay;
  w.mask = 0;
  regroup(w);
}

// Until the warp must wait, ends, or has had its turn.
void runWarp(Warp& w, u64 turn) {
  Block& b = *w.block;
  const Instruction* code = b.kernel->code.data();
  InstructionCount* counts = b.counts.data();
  const bool tracked = b.kernel->wgmma;
  for (u64 left = turn; left && w.state == Warp::Ready; left--) {
    if ((w.pc >= w.next || !w.mask) && !regroup(w)) break;
    const Instruction& i = code[w.pc];
    Lanes active = w.mask;
    if (i.guard != none) {
      const u32 p = *w.at<u32>(i.guard);
      active &= i.guardNot ? ~p : p;
    }
    InstructionCount& c = counts[w.pc];
    if (!c.executed++) b.ran.push_back(w.pc);
    c.lanes += u32(__builtin_popcount(active));
    b.steps++;
    if (tracked && active) trackRegisters(w, i, active);
    switch (i.flow) {
      case Flow::Plain:
        if (active) i.run(w, i, active);
        w.pc++;
        break;
      case Flow::Branch: branchTo(w, i, active); break;
      case Flow::Indexed:
        if (active) branchIndexed(w, i, active);
        else w.pc++;
        break;
      case Flow::Exit:
        w.live &= ~active;
        w.mask &= ~active;
        w.parked &= w.waiting & w.live;  // gathered lanes look again: fewer are needed now
        w.waiting &= w.live;
        w.pc++;
        w.next = 0;
        break;
      case Flow::Gather:
        if (active) gather(w, i, active);
        else w.pc++;
        break;
      case Flow::Wait:
        if (active) wait(w, i, active);
        else w.pc++;
        break;
      case Flow::Trap:
        if (active) {
          b.report(Check::Trap, w.pc, none, 715, [&] { return b.thread(w.id * 32 + u32(__builtin_ctz(active))) + " reaches " + b.at(w.pc); });
          throw Abort{715};
        }
        w.pc++;
        break;
    }
  }
}

[[noreturn]] void stuckBlock(Block& b) {
  const Warp *first = nullptr, *other = nullptr;
  u32 done = 0;
  auto pcOf = [](const Warp& w) {
    return w.state == Warp::AtBarrier ? w.barrierPc : w.lanePc[__builtin_ctz(w.waiting & w.live ? w.waiting & w.live : w.live)];
  };
  for (const Warp& w : b.warps) {
    if (w.state == Warp::Done) done++;
    else if (!first) first = &w;
    else if (!other && pcOf(w) != pcOf(*first)) other = &w;
  }
  b.report(Check::Sync, pcOf(*first), other ? pcOf(*other) : none, 719, [&] {
    auto what = [&](const Warp& w) {
      std::string s = format("warp %u waits ", w.id);
      if (w.state == Warp::AtBarrier) {
        const NamedBarrier& bar = b.barriers[w.barrier];
        s += format("at barrier %u, where %u of ", w.barrier, bar.arrived) + (bar.expected == none ? "all" : std::to_string(bar.expected)) +
             " threads have come, ";
      } else {
        s += "for an mbarrier ";
      }
      return s + b.at(pcOf(w));
    };
    std::string s = "the block is stuck: " + what(*first);
    if (other) s += "; " + what(*other);
    if (done) s += format("; %u warps have ended", done);
    return s;
  });
  throw Abort{719};
}

void reportPending(Block& b) {
  for (Warp& w : b.warps) {
    if (!w.copies.empty())
      b.report(Check::Sync, w.copies[0].pc, none, 0,
               [&] { return b.thread(w.id * 32 + w.copies[0].lane) + " exits with a copy not waited for, " + b.at(w.copies[0].pc); });
    if (!w.bulkReads.empty())
      b.report(Check::Sync, w.bulkReads[0].pc, none, 0,
               [&] { return format("warp %u exits with a bulk copy not waited for, ", w.id) + b.at(w.bulkReads[0].pc); });
  }
}

}  // namespace

void reportPendingWgmma(Block& b);

void Block::run() {
  const Options& o = options();
  const u64 budget = o.budget;
  const u32 n = u32(warps.size());
  u32 turn = 0;
  for (;;) {
    u32 ready = 0, alive = 0;
    for (const Warp& w : warps) {
      ready += w.state == Warp::Ready;
      alive += w.state != Warp::Done;
    }
    if (!alive) break;
    if (!ready) {
      bool opened = false;
      for (u32 id = 0; id < barriers.size(); id++) opened |= openIfComplete(*this, id);
      if (!opened) stuckBlock(*this);
      continue;
    }
    u32 skip = o.randomSchedule ? u32(random() % ready) : 0;
    if (!o.randomSchedule) turn++;
    for (u32 k = 0; k < n; k++) {
      Warp& w = warps[(o.randomSchedule ? k : (turn + k) % n)];
      if (w.state != Warp::Ready || skip-- > 0) continue;
      if (!o.randomSchedule) turn = (turn + k) % n;
      runWarp(w, o.randomSchedule ? 1 + random() % o.quantum : o.quantum);
      break;
    }
    if (steps > budget) {
      const Warp* w = nullptr;
      for (const Warp& x : warps)
        if (x.state == Warp::Ready) w = &x;
      if (!w) continue;
      report(Check::Sync, w->pc, none, 702, [&] { return format("no end after %llu instructions, warp %u at ", ull(steps), w->id) + at(w->pc); });
      throw Abort{702};
    }
  }
  if (checkSync) {
    reportPending(*this);
    reportPendingWgmma(*this);
  }
}

}  // namespace ptx
