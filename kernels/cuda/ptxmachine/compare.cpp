// Comparison and selection: setp, set, selp, slct, testp. Source: PTX ISA, "Comparison and selection".
#include "lanewise.h"

namespace ptx {

namespace {

enum Relation : int {
  Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, EqualU, NotEqualU, LessU, LessEqualU, GreaterU, GreaterEqualU, Ordered,
  Unordered
};

template <int r, class T>
inline bool holds(T a, T b) {
  switch (r) {
    case Equal: return a == b;
    case NotEqual: return a < b || a > b;
    case Less: return a < b;
    case LessEqual: return a <= b;
    case Greater: return a > b;
    case GreaterEqual: return a >= b;
    case EqualU: return !(a < b || a > b);
    case NotEqualU: return !(a == b);
    case LessU: return !(a >= b);
    case LessEqualU: return !(a > b);
    case GreaterU: return !(a <= b);
    case GreaterEqualU: return !(a < b);
    case Ordered: return a == a && b == b;
    default: return a != a || b != b;
  }
}

template <class T>
struct Value { using type = T; };
template <>
struct Value<Half> { using type = float; };
template <>
struct Value<Bfloat> { using type = float; };

enum Combine : u32 { Alone, And, Or, Xor };

template <int r, class T, bool ftz>
Lanes compareLanes(const T* a, const T* b) {
  using V = typename Value<T>::type;
  Lanes result = 0;
  for (u32 l = 0; l < 32; l++) {
    V x = V(a[l]), y = V(b[l]);
    if constexpr (ftz) x = flush(float(x)), y = flush(float(y));
    result |= u32(holds<r>(x, y)) << l;
  }
  return result;
}

inline void setMasked(u32* p, u32 v, Lanes m) { *p = (*p & ~m) | (v & m); }

// p|q = (a r b) combined with c, and the negation of the comparison combined with c
template <int r, class T, bool ftz>
void setPredicate(Warp& w, const Instruction& i, Lanes m) {
  const Lanes yes = compareLanes<r, T, ftz>(w.at<T>(i.operand[2]), w.at<T>(i.operand[3]));
  const u32 c = i.option ? *w.at<u32>(i.operand[4]) : 0;
  auto combined = [&](u32 v) { return i.option == And ? v & c : i.option == Or ? v | c : i.option == Xor ? v ^ c : v; };
  setMasked(w.at<u32>(i.operand[0]), combined(yes), m);
  setMasked(w.at<u32>(i.operand[1]), combined(~yes), m);
}

template <class T, bool ftz, int r = 0>
Execute byRelation(int relation) {
  if constexpr (r > Unordered || (!isFloating<T> && r > GreaterEqual)) {
    return nullptr;
  } else {
    if (relation == r) return setPredicate<r, T, ftz>;
    return byRelation<T, ftz, r + 1>(relation);
  }
}

Execute comparison(Type t, int relation, bool ftz) {
  switch (t) {
    case Type::F32: return ftz ? byRelation<float, true>(relation) : byRelation<float, false>(relation);
    case Type::F64: return byRelation<double, false>(relation);
    case Type::F16: return byRelation<Half, false>(relation);
    case Type::BF16: return byRelation<Bfloat, false>(relation);
    default: return byInteger(t, [&](auto tag) -> Execute { return byRelation<typename decltype(tag)::type, false>(relation); });
  }
}

int relationOf(Decoder& d, Type t) {
  int r = d.oneOf({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"});
  if (r < 0 && !isFloat(t)) {
    const int u = d.oneOf({"lo", "ls", "hi", "hs"});
    if (u >= 0) r = u == 0 ? Less : u == 1 ? LessEqual : u == 2 ? Greater : GreaterEqual;
  }
  d.need(r >= 0);
  return r;
}

void setp(Decoder& d) {
  const Type t = d.type();
  const bool ftz = d.has("ftz");
  const int combine = d.oneOf({"and", "or", "xor"});
  d.expect(combine < 0 ? 3 : 4, combine < 0 ? 3 : 4);
  const int relation = relationOf(d, t);
  const Operand& to = d.operand(0);
  const u32 p = to.kind == Operand::Sink ? d.fresh(0) : to.reference;
  d.need(to.kind == Operand::Sink || (to.kind == Operand::Register && to.width == 0));
  const u32 q = to.second != none ? to.second : d.fresh(0);
  std::vector<u32> from;
  if (t == Type::F16x2 || t == Type::BF16x2) {
    // One predicate a half: p of the lower, q of the upper.
    d.need(combine < 0 && to.second != none);
    from = {d.source(1, Type::B32), d.source(2, Type::B32)};
    const u32 low = d.fresh(2), low2 = d.fresh(2), high = d.fresh(2), high2 = d.fresh(2), unused = d.fresh(0), unused2 = d.fresh(0);
    struct Lower { u16 operator()(u32 a) const { return u16(a); } };
    struct Upper { u16 operator()(u32 a) const { return u16(a >> 16); } };
    d.emitHidden(lanewise<Lower, u16, u32>, {low}, {from[0]});
    d.emitHidden(lanewise<Lower, u16, u32>, {low2}, {from[1]});
    d.emitHidden(lanewise<Upper, u16, u32>, {high}, {from[0]});
    d.emitHidden(lanewise<Upper, u16, u32>, {high2}, {from[1]});
    const Type half = t == Type::F16x2 ? Type::F16 : Type::BF16;
    d.emit(comparison(half, relation, false), Class::Float, {p, unused}, {low, low2});
    d.emit(comparison(half, relation, false), Class::Float, {q, unused2}, {high, high2}).hidden = true;
    return;
  }
  from = {d.source(1, t), d.source(2, t)};
  if (combine >= 0) from.push_back(d.predicate(d.operand(3)));
  d.emit(comparison(t, relation, ftz), isFloat(t) ? Class::Float : Class::Integer, {p, q}, from).option = u32(combine + 1);
}

// set: the comparison's result as a number, all ones or 1.0
template <class T>
void fromPredicate(Warp& w, const Instruction& i, Lanes m) {
  T* d = w.at<T>(i.operand[0]);
  const u32 p = *w.at<u32>(i.operand[1]);
  const T yes = T(bitsAs<u64>(i.displacement));
  eachLane(m, [&](u32 l) { d[l] = p >> l & 1 ? yes : T(0); });
}

void set(Decoder& d) {
  const Type t = d.type(), to = d.type();
  const bool ftz = d.has("ftz");
  const int combine = d.oneOf({"and", "or", "xor"});
  d.expect(combine < 0 ? 3 : 4, combine < 0 ? 3 : 4);
  const int relation = relationOf(d, t);
  const u32 p = d.fresh(0), q = d.fresh(0);
  if (t == Type::F16x2 || t == Type::BF16x2) {
    d.fail("set of packed halves is not interpreted");
  }
  std::vector<u32> from = {d.source(1, t), d.source(2, t)};
  if (combine >= 0) from.push_back(d.predicate(d.operand(3)));
  d.emit(comparison(t, relation, ftz), isFloat(t) ? Class::Float : Class::Integer, {p, q}, from).option = u32(combine + 1);
  const u32 bytes = sizeOf(to);
  Instruction& i = d.emit(bytes == 2 ? fromPredicate<u16> : fromPredicate<u32>, Class::Integer, {d.result(0, to)}, {p});
  i.hidden = true;
  i.displacement = to == Type::F32 ? 0x3f800000 : to == Type::F16 ? 0x3c00 : to == Type::BF16 ? 0x3f80 : 0xffffffff;
}

template <class T>
void select(Warp& w, const Instruction& i, Lanes m) {
  T* d = w.at<T>(i.operand[0]);
  const T *a = w.at<T>(i.operand[1]), *b = w.at<T>(i.operand[2]);
  const u32 p = *w.at<u32>(i.operand[3]);
  if (m == allLanes) {
    PTX_INDEPENDENT
    for (u32 l = 0; l < 32; l++) d[l] = p >> l & 1 ? a[l] : b[l];
  } else {
    eachLane(m, [&](u32 l) { d[l] = p >> l & 1 ? a[l] : b[l]; });
  }
}

template <class S>
struct SelectBySign {
  template <class T> T operator()(T a, T b, S c) const { return c >= 0 ? a : b; }
};

enum Property : int { Finite, Infinite, Number, NotANumber, Normal, Subnormal };
template <class T>
void testProperty(Warp& w, const Instruction& i, Lanes m) {
  const T* a = w.at<T>(i.operand[1]);
  Lanes r = 0;
  for (u32 l = 0; l < 32; l++) {
    const int c = std::fpclassify(a[l]);
    const bool yes[] = {c != FP_INFINITE && c != FP_NAN, c == FP_INFINITE, c != FP_NAN, c == FP_NAN, c == FP_NORMAL, c == FP_SUBNORMAL};
    r |= u32(yes[i.option]) << l;
  }
  setMasked(w.at<u32>(i.operand[0]), r, m);
}

}  // namespace

void addCompare(Opcodes& o) {
  o.add("setp", setp);
  o.add("set", set);
  o.add("selp", [](Decoder& d) {
    d.expect(4, 4);
    const Type t = d.type();
    Execute e = bySize(sizeOf(t), [](auto tag) -> Execute { return select<typename decltype(tag)::type>; });
    d.emit(e, Class::Move, {d.result(0, t)}, {d.source(1, t), d.source(2, t), d.predicate(d.operand(3))});
  });
  o.add("slct", [](Decoder& d) {
    d.expect(4, 4);
    d.skip({"ftz"});
    const Type by = d.type(), t = d.type();
    d.need(by == Type::S32 || by == Type::F32);
    Execute e = bySize(sizeOf(t), [&](auto tag) -> Execute {
      using T = typename decltype(tag)::type;
      return by == Type::S32 ? lanewise<SelectBySign<s32>, T, T, T, s32> : lanewise<SelectBySign<float>, T, T, T, float>;
    });
    d.emit(e, Class::Move, {d.result(0, t)}, {d.source(1, t), d.source(2, t), d.source(3, by)});
  });
  o.add("testp", [](Decoder& d) {
    d.expect(2, 2);
    const int p = d.oneOf({"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
    const Type t = d.type();
    d.need(p >= 0 && (t == Type::F32 || t == Type::F64) && d.operand(0).kind == Operand::Register && d.operand(0).width == 0);
    d.emit(t == Type::F32 ? testProperty<float> : testProperty<double>, Class::Float, {d.operand(0).reference}, {d.source(1, t)}).option = u32(p);
  });
}

}  // namespace ptx
