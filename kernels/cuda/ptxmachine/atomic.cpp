// atom and red. Lanes go in order, one of the orders a GPU may take; a kernel with atomics on global memory runs its blocks
// one after another, so that its results are the same on every run. Source: PTX ISA, "atom", "red".
#include "access.h"
#include "decode.h"

namespace ptx {

namespace {

enum class Op : u8 { Add, Min, Max, And, Or, Xor, Exchange, CompareSwap, Increment, Decrement };

template <Op op, class T>
T combined(T old, T b, T c) {
  if constexpr (op == Op::Exchange) return b;
  else if constexpr (isNarrowFloat<T>) return op == Op::Add ? T(float(old) + float(b)) : op == Op::Min ? (b < old ? b : old) : (old < b ? b : old);
  else if constexpr (isFloating<T>) return old + b;
  else {
    switch (op) {
      case Op::Add: return T(std::make_unsigned_t<T>(old) + std::make_unsigned_t<T>(b));
      case Op::Min: return b < old ? b : old;
      case Op::Max: return old < b ? b : old;
      case Op::And: return T(old & b);
      case Op::Or: return T(old | b);
      case Op::Xor: return T(old ^ b);
      case Op::CompareSwap: return old == b ? c : old;
      case Op::Increment: return old >= b ? T(0) : T(old + 1);
      default: return old == 0 || old > b ? b : T(old - 1);
    }
  }
}

// n: elements of a lane at one address (2 for the packed halves), all results in operand 0
template <Op op, class T, int n>
void atomic(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  const u32 base = i.results;  // address first, then the values
  laneAddresses(w, i.operand[base], i.narrow, i.displacement, m, a);
  T* d = i.results ? w.at<T>(i.operand[0]) : nullptr;
  const T *b = w.at<T>(i.operand[base + 1]), *c = op == Op::CompareSwap ? w.at<T>(i.operand[base + 2]) : b;
  eachLane(m, [&](u32 l) {
    T old[n] = {}, value[n];
    u8* p = anyAccess(w, i, l, a[l], sizeof old, Use::Atomic, i.space);
    if (p) std::memcpy(old, p, sizeof old);
    for (int k = 0; k < n; k++) value[k] = combined<op, T>(old[k], b[l * n + k], c[l * n + k]);
    if (p) std::memcpy(p, value, sizeof value);
    if (d)
      for (int k = 0; k < n; k++) d[l * n + k] = old[k];
  });
  InstructionCount& count = w.block->counts[w.block->pcOf(i)];
  if (i.space == Space::Global) countGlobal(*w.block, count.global, a, m, sizeof(T) * n, true);
  else if (i.space == Space::Shared) countShared(count.shared, a, m, sizeof(T) * n);
}

template <class T>
Execute integerOp(Op op) {
  switch (op) {
    case Op::Add: return atomic<Op::Add, T, 1>;
    case Op::Min: return atomic<Op::Min, T, 1>;
    case Op::Max: return atomic<Op::Max, T, 1>;
    case Op::And: return atomic<Op::And, T, 1>;
    case Op::Or: return atomic<Op::Or, T, 1>;
    case Op::Xor: return atomic<Op::Xor, T, 1>;
    case Op::Exchange: return atomic<Op::Exchange, T, 1>;
    case Op::CompareSwap: return atomic<Op::CompareSwap, T, 1>;
    case Op::Increment: return atomic<Op::Increment, T, 1>;
    default: return atomic<Op::Decrement, T, 1>;
  }
}
template <class T, int n>
Execute narrowOp(Op op) {
  return op == Op::Add ? atomic<Op::Add, T, n> : op == Op::Min ? atomic<Op::Min, T, n> : op == Op::Max ? atomic<Op::Max, T, n> : nullptr;
}

Execute choose(Op op, Type t) {
  switch (t) {
    case Type::U32: case Type::B32: return integerOp<u32>(op);
    case Type::S32: return integerOp<s32>(op);
    case Type::U64: case Type::B64: return integerOp<u64>(op);
    case Type::S64: return integerOp<s64>(op);
    case Type::B16: return op == Op::CompareSwap || op == Op::Exchange ? integerOp<u16>(op) : nullptr;
    case Type::F32: return op == Op::Add ? atomic<Op::Add, float, 1> : nullptr;
    case Type::F64: return op == Op::Add ? atomic<Op::Add, double, 1> : nullptr;
    case Type::F16: return narrowOp<Half, 1>(op);
    case Type::BF16: return narrowOp<Bfloat, 1>(op);
    case Type::F16x2: return narrowOp<Half, 2>(op);
    case Type::BF16x2: return narrowOp<Bfloat, 2>(op);
    default: return nullptr;
  }
}

void decodeAtomic(Decoder& d, bool returns) {
  d.skip({"relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys", "cluster", "noftz"});
  const int named = d.oneOf({"global", "shared", "shared::cta"});
  const Space space = named < 0 ? Space::Generic : named == 0 ? Space::Global : Space::Shared;
  const int op = d.oneOf({"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"});
  const Type t = d.type();
  const bool swap = op == int(Op::CompareSwap);
  const size_t first = returns ? 1 : 0, want = first + 2 + (swap ? 1 : 0);
  d.need(op >= 0);
  d.expect(want, want);
  s64 displacement = 0;
  bool narrow = false;
  std::vector<u32> sources = {d.addressOf(d.operand(first), displacement, narrow), d.source(first + 1, t)};
  if (swap) sources.push_back(d.source(first + 2, t));
  std::vector<u32> results;
  if (returns) results.push_back(d.result(0, t));
  Instruction& i = d.emit(choose(Op(op), t), Class::Atomic, results, sources);
  i.displacement = displacement;
  i.narrow = narrow;
  i.space = space;
  if (space != Space::Shared) d.assembly().kernel->ordered = true;
}

}  // namespace

void addAtomic(Opcodes& o) {
  o.add("atom", [](Decoder& d) { decodeAtomic(d, true); });
  o.add("red", [](Decoder& d) { decodeAtomic(d, false); });
}

}  // namespace ptx
