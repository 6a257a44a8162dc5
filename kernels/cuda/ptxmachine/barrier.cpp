// bar and barrier of the block: sync, arrive, red, with thread counts and 16 names; and the fences. Whoever arrives releases
// what it has seen into the barrier; when the last one has come, the waiting warps have seen it all.
// Source: PTX ISA, "bar, barrier", "membar, fence".
#include "barrier.h"

#include "decode.h"

namespace ptx {

void decodeWarpBarrier(Decoder&);

namespace {

enum Kind : u32 { Sync, Arrive, ReducePopc, ReduceAnd, ReduceOr };

void nothing(Warp&, const Instruction&, Lanes) {}

void open(Block& b, u32 id) {
  NamedBarrier& bar = b.barriers[id];
  for (u32 number : bar.warps) {
    Warp& w = b.warps[number];
    w.seen = bar.joined;
    w.fenced = bar.fenced;
    w.tick();
    w.state = Warp::Ready;
    w.barrier = none;
    if (const Instruction* i = w.reduction) {
      w.reduction = nullptr;
      const Lanes m = w.live;
      if (i->option == ReducePopc) {
        u32* d = w.at<u32>(i->operand[0]);
        eachLane(m, [&](u32 l) { d[l] = bar.trueCount; });
      } else {
        u32* d = w.at<u32>(i->operand[0]);
        const bool yes = i->option == ReduceAnd ? bar.trueCount == bar.threadCount : bar.trueCount != 0;
        *d = yes ? *d | m : *d & ~m;
      }
    }
  }
  bar = NamedBarrier{};
  b.barrierCount++;
}

// Operands: [result,] name [, threads] [, predicate]
void arrive(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  const u32 kind = i.option, first = i.results, lane = u32(__builtin_ctz(m));
  const u32 id = w.at<u32>(i.operand[first])[lane];
  const bool counted = i.flags & 1;
  const u32 threads = counted ? w.at<u32>(i.operand[first + 1])[lane] : 0;
  if (id > 15 || (counted && (!threads || threads % 32 || threads > 1024))) {
    b.report(Check::Sync, b.pcOf(i), none, 719, [&] {
      return id > 15 ? format("barrier %u, there are 16, ", id) + b.at(b.pcOf(i))
                     : format("a barrier for %u threads, which is no multiple of 32, ", threads) + b.at(b.pcOf(i));
    });
    throw Abort{719};
  }
  NamedBarrier& bar = b.barriers[id];
  const u32 want = counted ? threads : none;
  if (bar.firstPc == none) {
    bar.firstPc = b.pcOf(i);
    bar.expected = want;
    bar.joined = Clocks{};
    bar.fenced = Clocks{};
  } else if (bar.expected != want) {
    b.report(Check::Sync, bar.firstPc, b.pcOf(i), 719, [&] {
      return format("barrier %u is used with different numbers of threads: ", id) + b.at(bar.firstPc) + " and " + b.at(b.pcOf(i));
    });
    throw Abort{719};
  } else if (!counted && bar.firstPc != b.pcOf(i) && b.kernel->code[bar.firstPc].line != i.line && b.checkSync) {
    b.report(Check::Sync, bar.firstPc, b.pcOf(i), 0, [&] {
      return format("warps meet barrier %u at different places: ", id) + b.at(bar.firstPc) + " and " + b.at(b.pcOf(i));
    });
  }
  join(bar.joined, w.seen);
  join(bar.fenced, w.fenced);
  bar.arrived += 32;
  if (kind >= ReducePopc) {
    const u32 p = *w.at<u32>(i.operand[i.operands - 1]) & m;
    bar.trueCount += u32(__builtin_popcount(p));
    bar.threadCount += u32(__builtin_popcount(m));
    w.reduction = &i;
  }
  if (kind == Arrive) {
    w.tick();
  } else {
    w.state = Warp::AtBarrier;
    w.barrier = id;
    w.barrierPc = b.pcOf(i);
    bar.warps.push_back(w.id);
  }
  openIfComplete(b, id);
}

void decodeBarrier(Decoder& d) {
  if (d.has("warp")) return decodeWarpBarrier(d);
  if (d.has("cluster")) {  // one block a cluster: the arrival of its own threads
    const bool wait = d.has("wait");
    if (!wait) d.need(d.has("arrive"));
    d.skip({"aligned", "release", "acquire", "relaxed"});
    if (!wait) {
      d.emit(nothing, Class::Barrier, {}, {});
      return;
    }
    Instruction& i = d.emit(arrive, Class::Barrier, {}, {d.constant(15, 4)}, Flow::Gather);
    i.option = Sync;
    return;
  }
  d.skip({"cta", "aligned"});
  const int kind = d.oneOf({"sync", "arrive", "red"});
  d.need(kind >= 0);
  u32 option = kind == 0 ? Sync : Arrive;
  std::vector<u32> results, sources;
  size_t k = 0;
  bool counted = false;
  if (kind == 2) {
    const int op = d.oneOf({"popc", "and", "or"});
    const Type t = d.type();
    d.need(op >= 0 && (op == 0 ? t == Type::U32 : t == Type::Pred));
    option = ReducePopc + u32(op);
    const Operand& to = d.operand(k++);
    if (op == 0) {
      results.push_back(d.result(to, 4));
    } else {
      d.need(to.kind == Operand::Register && to.width == 0);
      results.push_back(to.reference);
    }
  }
  sources.push_back(d.source(d.operand(k++), 4));
  const size_t last = kind == 2 ? d.count() - 1 : d.count();
  if (k < last) {
    counted = true;
    sources.push_back(d.source(d.operand(k++), 4));
  }
  d.need(k == last && (counted || kind != 1));
  if (kind == 2) sources.push_back(d.predicate(d.operand(k)));
  Instruction& i = d.emit(arrive, Class::Barrier, results, sources, Flow::Gather);
  i.option = option;
  i.flags = counted;
}

void fenceProxy(Warp& w, const Instruction&, Lanes) {
  join(w.fenced, w.seen);
  w.tick();
}

}  // namespace

bool openIfComplete(Block& b, u32 id) {
  NamedBarrier& bar = b.barriers[id];
  if (bar.firstPc == none) return false;
  u32 alive = 0;
  for (const Warp& w : b.warps) alive += w.state != Warp::Done;
  const u32 want = bar.expected == none ? alive * 32 : bar.expected;
  if (bar.arrived > want && b.checkSync) {
    b.report(Check::Sync, bar.firstPc, none, 719,
             [&] { return format("barrier %u expects %u threads, %u came, ", id, want, bar.arrived) + b.at(bar.firstPc); });
    throw Abort{719};
  }
  if (bar.arrived < want) return false;
  open(b, id);
  return true;
}

void addBarrier(Opcodes& o) {
  o.add("bar", decodeBarrier);
  o.add("barrier", decodeBarrier);
  o.add("membar", [](Decoder& d) {
    d.skip({"cta", "gl", "sys"});
    d.expect(0, 0);
    d.emit(nothing, Class::Barrier, {}, {});
  });
  o.add("fence", [](Decoder& d) {
    d.expect(0, d.count());
    const bool proxy = d.has("proxy"), initialised = d.has("mbarrier_init");
    const bool async = d.has("async") || d.has("async::generic") || d.has("async.global") || d.has("async.shared::cta") || d.has("alias") ||
                       d.has("tensormap::generic");
    d.skip({"cta", "gpu", "sys", "cluster", "sc", "acq_rel", "acquire", "release", "relaxed", "global", "shared::cta", "shared::cluster",
            "sync_restrict"});
    d.need(d.count() == 0 || proxy);
    d.emit((proxy && async) || initialised ? fenceProxy : nothing, Class::Barrier, {}, {});
  });
}

}  // namespace ptx
