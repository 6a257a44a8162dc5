// mbarrier: phases counted by arrivals and by bytes. The object's eight bytes hold phase, expected and pending arrivals and
// the bytes still to come; what its arrivers had seen is kept beside it. A wait that fails parks its lanes until a phase ends
// somewhere in the block, so a wait without a partner is found as a stuck block. Source: PTX ISA, "mbarrier".
#include "mbarrier.h"

#include "access.h"
#include "decode.h"

namespace ptx {

void finishCopies(Warp& w, Lanes m);

namespace {

struct State {  // 1 + 20 + 20 + 22 bits
  u32 phase, expected, pending;
  s32 bytes;
  static State unpack(u64 v) {
    return {u32(v >> 62 & 1), u32(v >> 42) & 0xfffff, u32(v >> 22) & 0xfffff, s32(u32(v & 0x3fffff) << 10) >> 10};
  }
  u64 pack() const { return u64(phase & 1) << 62 | u64(expected) << 42 | u64(pending) << 22 | (u32(bytes) & 0x3fffff); }
};

u8* object(Warp& w, const Instruction& i, u32 lane, u64 address, Use use) { return sharedAccess(w, i, lane, address & ~windowMask, 8, use); }

State read(const u8* p) {
  u64 v;
  std::memcpy(&v, p, 8);
  return State::unpack(v);
}
void write(u8* p, const State& s) {
  const u64 v = s.pack();
  std::memcpy(p, &v, 8);
}

PhaseClock& clockOf(Block& b, u32 address) {
  auto [it, isNew] = b.phases.try_emplace(address);
  if (isNew) {
    it->second.agent = firstAsyncAgent + b.agents++ % (agentCount - firstAsyncAgent);
    for (Clocks* c : {&it->second.arriving, &it->second.arrivingFenced, &it->second.complete, &it->second.completeFenced}) c->fill(b.race.base());
  }
  return it->second;
}

void endPhaseIfComplete(Block& b, u32 address, State& s) {
  if (s.pending || s.bytes) return;
  s.phase ^= 1;
  s.pending = s.expected;
  PhaseClock& c = clockOf(b, address);
  c.complete = c.arriving;
  c.completeFenced = c.arrivingFenced;
  for (Warp& w : b.warps) {
    if (!w.waiting) continue;
    w.parked &= ~w.waiting;
    w.waiting = 0;
    if (w.state == Warp::Waiting) w.state = Warp::Ready;
  }
}

void arriveOne(Warp& w, const Instruction& i, u32 lane, u32 address, State& s, u32 count) {
  Block& b = *w.block;
  PhaseClock& c = clockOf(b, address);
  join(c.arriving, w.seen);
  join(c.arrivingFenced, w.fenced);
  if (count > s.pending) {
    b.report(Check::Sync, b.pcOf(i), none, 719, [&] {
      return b.thread(w.id * 32 + lane) + format(" arrives at the mbarrier 0x%x for %u, which expects %u more, ", address, count, s.pending) +
             b.at(b.pcOf(i));
    });
    throw Abort{719};
  }
  s.pending -= count;
  endPhaseIfComplete(b, address, s);
}

void addresses(Warp& w, const Instruction& i, Lanes m, u64* a) {
  laneAddresses(w, i.operand[i.results], i.narrow, i.displacement, m, a);
  for (u32 l = 0; l < 32; l++) a[l] &= ~windowMask;
}

void init(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  addresses(w, i, m, a);
  const u32* count = w.at<u32>(i.operand[1]);
  Block& b = *w.block;
  eachLane(m, [&](u32 l) {
    u8* p = object(w, i, l, a[l], Use::Write);
    if (!count[l] || count[l] > 0xfffff) {
      b.report(Check::Sync, b.pcOf(i), none, 719, [&] { return format("an mbarrier for %u arrivals, ", count[l]) + b.at(b.pcOf(i)); });
      return;
    }
    if (p) write(p, {0, count[l], count[l], 0});
    b.phases.erase(u32(a[l]));
  });
}

void invalidate(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  addresses(w, i, m, a);
  Block& b = *w.block;
  eachLane(m, [&](u32 l) {
    if (!object(w, i, l, a[l], Use::Write)) return;
    std::memset(&b.sharedInit[a[l]], 0, 8);  // whoever uses it again reads unwritten memory
    b.phases.erase(u32(a[l]));
  });
}

enum Transfer : u32 { Expect = 1, Complete = 2, Arrive = 4, Drop = 8, Counted = 16, Returns = 32 };

void change(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  addresses(w, i, m, a);
  Block& b = *w.block;
  const u32* value = i.operands > i.results + 1 ? w.at<u32>(i.operand[i.results + 1]) : nullptr;
  u64* token = i.results ? w.at<u64>(i.operand[0]) : nullptr;
  eachLane(m, [&](u32 l) {
    u8* p = object(w, i, l, a[l], Use::Atomic);
    if (!p) return;
    State s = read(p);
    if (token) token[l] = s.pack();
    if (i.option & Expect) s.bytes += s32(value[l]);
    if (i.option & Complete) s.bytes -= s32(value[l]);
    if (i.option & Drop) s.expected -= s.expected ? 1 : 0;
    if (i.option & Arrive) arriveOne(w, i, l, u32(a[l]), s, i.option & Counted ? value[l] : 1);
    else if (i.option & Complete) endPhaseIfComplete(b, u32(a[l]), s);
    write(p, s);
  });
  if (i.option & Arrive) w.tick();
}

enum Wait : u32 { Parity = 1, Try = 2 };

void wait(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  addresses(w, i, m, a);
  Block& b = *w.block;
  const bool parity = i.option & Parity;
  u32* p = w.at<u32>(i.operand[0]);
  const u32* wanted = parity ? w.at<u32>(i.operand[2]) : nullptr;
  const u64* token = parity ? nullptr : w.at<u64>(i.operand[2]);
  Lanes passed = 0, checked = 0;
  eachLane(m, [&](u32 l) {
    const u8* o = object(w, i, l, a[l], Use::Atomic);
    checked |= 1u << l;
    if (!o) {
      passed |= 1u << l;
      return;
    }
    const u32 phase = read(o).phase, waitsFor = parity ? wanted[l] & 1 : State::unpack(token[l]).phase;
    if (phase == waitsFor) return;
    passed |= 1u << l;
    const PhaseClock& c = clockOf(b, u32(a[l]));
    w.acquire(c.complete, c.completeFenced);
  });
  if (i.option & Try) {
    *p |= passed;
    w.mustWait = checked & ~passed;
  } else {
    *p = (*p & ~m) | passed;
  }
}

void pendingCount(Warp& w, const Instruction& i, Lanes m) {
  u32* d = w.at<u32>(i.operand[0]);
  const u64* token = w.at<u64>(i.operand[1]);
  eachLane(m, [&](u32 l) { d[l] = State::unpack(token[l]).pending; });
}

// The thread's cp.async so far count as done; their arrival follows.
void copyArrive(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  addresses(w, i, m, a);
  finishCopies(w, m);
  eachLane(m, [&](u32 l) {
    u8* p = object(w, i, l, a[l], Use::Atomic);
    if (!p) return;
    State s = read(p);
    if (!i.option) s.pending++;
    arriveOne(w, i, l, u32(a[l]), s, 1);
    write(p, s);
  });
  w.tick();
}

void decode(Decoder& d) {
  d.skip({"shared", "shared::cta", "shared::cluster", "release", "acquire", "relaxed", "cta", "cluster"});
  s64 displacement = 0;
  bool narrow = false;
  auto finish = [&](Instruction& i) {
    i.displacement = displacement;
    i.narrow = narrow;
  };
  if (d.has("init")) {
    d.need(d.type() == Type::B64);
    d.expect(2, 2);
    const u32 a = d.addressOf(d.operand(0), displacement, narrow);
    return finish(d.emit(init, Class::Barrier, {}, {a, d.source(d.operand(1), 4)}));
  }
  if (d.has("inval")) {
    d.need(d.type() == Type::B64);
    d.expect(1, 1);
    const u32 a = d.addressOf(d.operand(0), displacement, narrow);
    return finish(d.emit(invalidate, Class::Barrier, {}, {a}));
  }
  if (d.has("pending_count")) {
    d.need(d.type() == Type::B64);
    d.expect(2, 2);
    d.emit(pendingCount, Class::Barrier, {d.result(d.operand(0), 4)}, {d.source(d.operand(1), 8)});
    return;
  }
  const int waits = d.oneOf({"test_wait", "try_wait"});
  if (waits >= 0) {
    const bool parity = d.has("parity");
    d.need(d.type() == Type::B64);
    d.expect(3, waits == 1 ? 4 : 3);
    d.need(d.operand(0).kind == Operand::Register && d.operand(0).width == 0);
    const u32 a = d.addressOf(d.operand(1), displacement, narrow);
    Instruction& i = d.emit(wait, Class::Barrier, {d.operand(0).reference}, {a, d.source(d.operand(2), parity ? 4 : 8)},
                            waits == 1 ? Flow::Wait : Flow::Plain);
    i.option = (parity ? u32(Parity) : 0u) | (waits == 1 ? u32(Try) : 0u);
    return finish(i);
  }
  const bool arrives = d.has("arrive"), drops = d.has("arrive_drop");
  const bool expects = d.has("expect_tx"), completes = d.has("complete_tx");
  d.skip({"noComplete"});
  d.need(d.type() == Type::B64 && (arrives || drops || expects || completes));
  size_t k = 0;
  std::vector<u32> results;
  if (arrives || drops) {
    if (d.operand(0).kind != Operand::Address) {
      const Operand& to = d.operand(k++);
      if (to.kind != Operand::Sink) results.push_back(d.result(to, 8));
    }
  }
  std::vector<u32> sources = {d.addressOf(d.operand(k++), displacement, narrow)};
  u32 option = (arrives || drops ? u32(Arrive) : 0u) | (drops ? u32(Drop) : 0u) | (expects ? u32(Expect) : 0u) | (completes ? u32(Complete) : 0u);
  if (expects || completes) {
    sources.push_back(d.source(d.operand(k++), 4));
  } else if (k < d.count()) {
    sources.push_back(d.source(d.operand(k++), 4));
    option |= Counted;
  }
  d.need(k == d.count());
  Instruction& i = d.emit(change, Class::Barrier, results, sources);
  i.option = option;
  finish(i);
}

}  // namespace

AsyncClock beginAsync(Block& b, u32 address) {
  PhaseClock& c = clockOf(b, address);
  const u32 time = ++b.race.clock;
  c.arriving[c.agent] = time;
  return {c.agent, time};
}

void completeTransfer(Warp& w, const Instruction& i, u32 lane, u32 address, u32 bytes) {
  u8* p = object(w, i, lane, address, Use::Atomic);
  if (!p) return;
  State s = read(p);
  s.bytes -= s32(bytes);
  endPhaseIfComplete(*w.block, address, s);
  write(p, s);
}

void decodeCopyArrive(Decoder& d) {
  d.skip({"shared", "shared::cta"});
  d.need(d.has("arrive"));
  const bool noIncrement = d.has("noinc");
  d.need(d.type() == Type::B64);
  d.expect(1, 1);
  s64 displacement = 0;
  bool narrow = false;
  const u32 a = d.addressOf(d.operand(0), displacement, narrow);
  Instruction& i = d.emit(copyArrive, Class::Barrier, {}, {a});
  i.option = noIncrement;
  i.displacement = displacement;
  i.narrow = narrow;
}

void addMbarrier(Opcodes& o) { o.add("mbarrier", decode); }

}  // namespace ptx
