// What lanes of a warp do together: shfl, vote, match, redux, elect, activemask, bar.warp.sync. The instruction waits until
// all lanes of its member mask have arrived. Source: PTX ISA, "shfl.sync", "vote.sync", "match.sync", "redux.sync".
#include <algorithm>

#include "lanewise.h"

namespace ptx {

namespace {

enum Way : int { Up, Down, Butterfly, Index };

template <int way>
void shuffle(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  u32 value[32], lane[32], bounds[32];
  std::memcpy(value, w.at<u32>(i.operand[i.results]), sizeof value);
  std::memcpy(lane, w.at<u32>(i.operand[i.results + 1]), sizeof lane);
  std::memcpy(bounds, w.at<u32>(i.operand[i.results + 2]), sizeof bounds);
  u32* d = w.at<u32>(i.operand[0]);
  Lanes inRange = 0;
  eachLane(m, [&](u32 l) {
    const u32 by = lane[l] & 31, c = bounds[l] & 31, segment = bounds[l] >> 8 & 31;
    const int low = int(l & segment), high = int((l & segment) | (c & ~segment));
    int from = way == Up ? int(l) - int(by) : way == Down ? int(l + by) : way == Butterfly ? int(l ^ by) : (low | int(by & ~segment));
    const bool ok = way == Up ? from >= high : from <= high;
    if (!ok) from = int(l);
    if (!(m >> from & 1) && b.checkSync)
      b.report(Check::Sync, b.pcOf(i), none, 0, [&] {
        return b.thread(w.id * 32 + l) + format(" shuffles from lane %d, which does not take part, ", from) + b.at(b.pcOf(i));
      });
    d[l] = value[from & 31];
    inRange |= u32(ok) << l;
  });
  if (i.results > 1) {
    u32* p = w.at<u32>(i.operand[1]);
    *p = (*p & ~m) | (inRange & m);
  }
}

enum Vote : int { All, Any, Uniform, Ballot };
template <int mode>
void vote(Warp& w, const Instruction& i, Lanes m) {
  const u32 p = *w.at<u32>(i.operand[1]) & m;
  u32* d = w.at<u32>(i.operand[0]);
  if (mode == Ballot) {
    eachLane(m, [&](u32 l) { d[l] = p; });
  } else {
    const bool yes = mode == All ? p == m : mode == Any ? p != 0 : p == m || !p;
    *d = yes ? *d | m : *d & ~m;
  }
}

template <class T, bool all>
void match(Warp& w, const Instruction& i, Lanes m) {
  T v[32];
  std::memcpy(v, w.at<T>(i.operand[i.results]), sizeof v);
  u32* d = w.at<u32>(i.operand[0]);
  Lanes same[32] = {};
  eachLane(m, [&](u32 l) { eachLane(m, [&](u32 k) { same[l] |= u32(v[k] == v[l]) << k; }); });
  const bool uniform = same[__builtin_ctz(m)] == m;
  eachLane(m, [&](u32 l) { d[l] = all ? (uniform ? m : 0) : same[l]; });
  if (all && i.results > 1) {
    u32* p = w.at<u32>(i.operand[1]);
    *p = uniform ? *p | m : *p & ~m;
  }
}

enum Reduce : int { Add, Min, Max, And, Or, Xor };
template <class T>
void reduce(Warp& w, const Instruction& i, Lanes m) {
  const T* v = w.at<T>(i.operand[1]);
  T r = v[__builtin_ctz(m)];
  eachLane(m & (m - 1), [&](u32 l) {
    const T x = v[l];
    r = i.option == Add   ? T(u32(r) + u32(x))
        : i.option == Min ? std::min(r, x)
        : i.option == Max ? std::max(r, x)
        : i.option == And ? T(r & x)
        : i.option == Or  ? T(r | x)
                          : T(r ^ x);
  });
  T* d = w.at<T>(i.operand[0]);
  eachLane(m, [&](u32 l) { d[l] = r; });
}

void active(Warp& w, const Instruction& i, Lanes m) {
  u32* d = w.at<u32>(i.operand[0]);
  eachLane(m, [&](u32 l) { d[l] = m; });
}

void elect(Warp& w, const Instruction& i, Lanes m) {
  const u32 leader = u32(__builtin_ctz(m));
  u32 *d = w.at<u32>(i.operand[0]), *p = w.at<u32>(i.operand[1]);
  eachLane(m, [&](u32 l) { d[l] = leader; });
  *p = (*p & ~m) | 1u << leader;
}

void warpBarrier(Warp& w, const Instruction&, Lanes) { w.tick(); }

}  // namespace

// Named from barrier.cpp: bar.warp.sync shares its opcode with the block's barriers.
void decodeWarpBarrier(Decoder& d) {
  d.expect(1, 1);
  d.need(d.has("sync"));
  const u32 mask = d.source(d.operand(0), 4);
  d.emit(warpBarrier, Class::WarpWide, {}, {mask}, Flow::Gather).maskOperand = mask;
}

void addWarpWide(Opcodes& o) {
  o.add("shfl", [](Decoder& d) {
    d.need(d.has("sync") && d.type() == Type::B32);
    d.expect(5, 5);
    const int way = d.oneOf({"up", "down", "bfly", "idx"});
    d.need(way >= 0);
    static const Execute e[] = {shuffle<Up>, shuffle<Down>, shuffle<Butterfly>, shuffle<Index>};
    std::vector<u32> results = {d.result(d.operand(0), 4)};
    if (d.operand(0).second != none) results.push_back(d.operand(0).second);
    const u32 mask = d.source(d.operand(4), 4);
    d.emit(e[way], Class::WarpWide, results, {d.source(d.operand(1), 4), d.source(d.operand(2), 4), d.source(d.operand(3), 4), mask},
           Flow::Gather)
        .maskOperand = mask;
  });
  o.add("vote", [](Decoder& d) {
    d.need(d.has("sync"));
    d.expect(3, 3);
    const int mode = d.oneOf({"all", "any", "uni", "ballot"});
    d.need(mode >= 0 && d.type() == (mode == Ballot ? Type::B32 : Type::Pred));
    static const Execute e[] = {vote<All>, vote<Any>, vote<Uniform>, vote<Ballot>};
    d.need(mode == Ballot || (d.operand(0).kind == Operand::Register && d.operand(0).width == 0));
    const u32 to = mode == Ballot ? d.result(d.operand(0), 4) : d.operand(0).reference, mask = d.source(d.operand(2), 4);
    d.emit(e[mode], Class::WarpWide, {to}, {d.predicate(d.operand(1)), mask}, Flow::Gather).maskOperand = mask;
  });
  o.add("match", [](Decoder& d) {
    d.need(d.has("sync"));
    d.expect(3, 3);
    const bool all = d.has("all");
    d.need(all || d.has("any"));
    const Type t = d.type();
    d.need(t == Type::B32 || t == Type::B64);
    std::vector<u32> results = {d.result(d.operand(0), 4)};
    if (d.operand(0).second != none) results.push_back(d.operand(0).second);
    const u32 mask = d.source(d.operand(2), 4);
    Execute e = t == Type::B32 ? (all ? match<u32, true> : match<u32, false>) : (all ? match<u64, true> : match<u64, false>);
    d.emit(e, Class::WarpWide, results, {d.source(1, t), mask}, Flow::Gather).maskOperand = mask;
  });
  o.add("redux", [](Decoder& d) {
    d.need(d.has("sync"));
    d.expect(3, 3);
    const int op = d.oneOf({"add", "min", "max", "and", "or", "xor"});
    const Type t = d.type();
    d.need(op >= 0 && sizeOf(t) == 4 && !isFloat(t));
    const u32 mask = d.source(d.operand(2), 4);
    Instruction& i = d.emit(t == Type::S32 ? reduce<s32> : reduce<u32>, Class::WarpWide, {d.result(0, t)}, {d.source(1, t), mask}, Flow::Gather);
    i.maskOperand = mask;
    i.option = u32(op);
  });
  o.add("activemask", [](Decoder& d) {
    d.expect(1, 1);
    d.need(d.type() == Type::B32);
    d.emit(active, Class::WarpWide, {d.result(d.operand(0), 4)}, {});
  });
  o.add("elect", [](Decoder& d) {
    d.need(d.has("sync"));
    d.expect(2, 2);
    const Operand& to = d.operand(0);
    d.need(to.second != none);
    const u32 mask = d.source(d.operand(1), 4);
    d.emit(elect, Class::WarpWide, {to.kind == Operand::Sink ? d.fresh(4) : d.result(to, 4), to.second}, {mask}, Flow::Gather).maskOperand = mask;
  });
}

}  // namespace ptx
