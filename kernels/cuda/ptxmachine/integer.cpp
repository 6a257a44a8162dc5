// Integer arithmetic and bits. Source: PTX ISA, "Integer arithmetic", "Logic and shift".
#include <algorithm>

#include "lanewise.h"

namespace ptx {

namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
using Wide = std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, s32, u32>, std::conditional_t<std::is_signed_v<T>, s64, u64>>;

struct Add { template <class T> T operator()(T a, T b) const { return T(Unsigned<T>(a) + Unsigned<T>(b)); } };
struct Subtract { template <class T> T operator()(T a, T b) const { return T(Unsigned<T>(a) - Unsigned<T>(b)); } };
struct Multiply { template <class T> T operator()(T a, T b) const { return T(u64(a) * u64(b)); } };
struct MultiplyAdd { template <class T> T operator()(T a, T b, T c) const { return T(u64(a) * u64(b) + u64(c)); } };
template <class T>
T highProduct(T a, T b) {
  if constexpr (sizeof(T) == 8) {
    using W = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
    return T(W(a) * W(b) >> 64);
  } else {
    return T(Wide<T>(Wide<T>(a) * Wide<T>(b)) >> bitsOf<T>);
  }
}
struct MultiplyHigh { template <class T> T operator()(T a, T b) const { return highProduct(a, b); } };
struct MultiplyHighAdd { template <class T> T operator()(T a, T b, T c) const { return T(Unsigned<T>(highProduct(a, b)) + Unsigned<T>(c)); } };
struct MultiplyWide { template <class T> Wide<T> operator()(T a, T b) const { return Wide<T>(Wide<T>(a) * Wide<T>(b)); } };
struct MultiplyWideAdd {
  template <class T> Wide<T> operator()(T a, T b, Wide<T> c) const {
    return Wide<T>(Unsigned<Wide<T>>(Wide<T>(a) * Wide<T>(b)) + Unsigned<Wide<T>>(c));
  }
};
struct Divide {
  template <class T> T operator()(T a, T b) const {
    if (!b) return T(-1);  // a GPU does not trap
    if (std::is_signed_v<T> && b == T(-1)) return T(0 - Unsigned<T>(a));
    return T(a / b);
  }
};
struct Remainder {
  template <class T> T operator()(T a, T b) const {
    if (!b) return a;
    if (std::is_signed_v<T> && b == T(-1)) return 0;
    return T(a % b);
  }
};
struct Minimum { template <class T> T operator()(T a, T b) const { return b < a ? b : a; } };
struct Maximum { template <class T> T operator()(T a, T b) const { return a < b ? b : a; } };
struct MinimumRelu { s32 operator()(s32 a, s32 b) const { return std::max(std::min(a, b), 0); } };
struct MaximumRelu { s32 operator()(s32 a, s32 b) const { return std::max(std::max(a, b), 0); } };
struct Negate { template <class T> T operator()(T a) const { return T(0 - Unsigned<T>(a)); } };
struct Absolute { template <class T> T operator()(T a) const { return a < 0 ? T(0 - Unsigned<T>(a)) : a; } };
struct AbsoluteDifference {
  template <class T> T operator()(T a, T b, T c) const {
    return T(Unsigned<T>(c) + (a < b ? Unsigned<T>(b) - Unsigned<T>(a) : Unsigned<T>(a) - Unsigned<T>(b)));
  }
};
struct And { template <class T> T operator()(T a, T b) const { return T(a & b); } };
struct Or { template <class T> T operator()(T a, T b) const { return T(a | b); } };
struct Xor { template <class T> T operator()(T a, T b) const { return T(a ^ b); } };
struct Not { template <class T> T operator()(T a) const { return T(~a); } };
struct LogicalNot { template <class T> T operator()(T a) const { return T(a == 0); } };
struct ShiftLeft { template <class T> T operator()(T a, u32 b) const { return b >= bitsOf<T> ? T(0) : T(Unsigned<T>(a) << (b & (bitsOf<T> - 1))); } };
struct ShiftRight {
  template <class T> T operator()(T a, u32 b) const {
    return T(a >> (b >= bitsOf<T> ? (std::is_signed_v<T> ? bitsOf<T> - 1 : 0) : b)) & T(b >= bitsOf<T> && !std::is_signed_v<T> ? 0 : ~T(0));
  }
};
struct PopulationCount { template <class T> u32 operator()(T a) const { return u32(__builtin_popcountll(a)); } };
template <class T>
u32 leadingZeros(T a) { return a ? u32(__builtin_clzll(u64(a))) - (64 - bitsOf<T>) : bitsOf<T>; }
struct LeadingZeros { template <class T> u32 operator()(T a) const { return leadingZeros(a); } };
struct FindBit {
  template <class T> u32 operator()(T a) const {
    const Unsigned<T> x = Unsigned<T>(a < 0 ? ~a : a);
    return x ? bitsOf<T> - 1 - leadingZeros(x) : none;
  }
};
struct FindBitShift {
  template <class T> u32 operator()(T a) const {
    const Unsigned<T> x = Unsigned<T>(a < 0 ? ~a : a);
    return x ? leadingZeros(x) : none;
  }
};
struct ReverseBits {
  template <class T> T operator()(T a) const {
    T r = 0;
    for (u32 k = 0; k < bitsOf<T>; k++) r = T(r << 1 | (a >> k & 1));
    return r;
  }
};
struct ExtractField {
  template <class T> T operator()(T a, u32 position, u32 length) const {
    using U = Unsigned<T>;
    constexpr u32 n = bitsOf<T>;
    position &= 255;
    length &= 255;
    if (!length) return 0;
    const u32 last = std::min(position + length - 1, n - 1);
    const U sign = std::is_signed_v<T> ? U(a) >> last & 1 : 0;
    U field = position < n ? U(a) >> position : 0;
    const u32 valid = position < n ? std::min(length, n - position) : 0;
    if (valid < n) field = (field & ((U(1) << valid) - 1)) | (sign ? ~U(0) << valid : 0);
    return T(field);
  }
};
struct InsertField {
  template <class T> T operator()(T a, T b, u32 position, u32 length) const {
    constexpr u32 n = bitsOf<T>;
    position &= 255;
    length = std::min<u32>(length & 255, position < n ? n - position : 0);
    if (!length) return b;
    const T mask = T((length == n ? ~T(0) : (T(1) << length) - 1) << position);
    return T((b & ~mask) | ((a << position) & mask));
  }
};
struct FieldMask {
  u32 operator()(u32 a, u32 b) const {
    a = std::min(a & 255, 32u);
    b = std::min(b & 255, 32u - a);
    return b == 32 ? ~0u : b ? ((1u << b) - 1) << a : 0;
  }
};
struct FunnelLeft { u32 operator()(u32 a, u32 b, u32 c) const { return u32(((u64(b) << 32 | a) << (c & 31)) >> 32); } };
struct FunnelRight { u32 operator()(u32 a, u32 b, u32 c) const { return u32((u64(b) << 32 | a) >> (c & 31)); } };
struct FunnelLeftClamp { u32 operator()(u32 a, u32 b, u32 c) const { return u32(((u64(b) << 32 | a) << std::min(c, 32u)) >> 32); } };
struct FunnelRightClamp { u32 operator()(u32 a, u32 b, u32 c) const { return u32((u64(b) << 32 | a) >> std::min(c, 32u)); } };
struct Permute {
  u32 operator()(u32 a, u32 b, u32 selector) const {
    const u64 v = u64(b) << 32 | a;
    u32 r = 0;
    for (int k = 0; k < 4; k++) {
      const u32 s = selector >> 4 * k & 15, byte = u32(v >> 8 * (s & 7)) & 255;
      r |= (s & 8 ? (byte & 128 ? 255 : 0) : byte) << 8 * k;
    }
    return r;
  }
};
struct SaturatingAdd { s32 operator()(s32 a, s32 b) const { return s32(std::clamp<s64>(s64(a) + b, INT32_MIN, INT32_MAX)); } };
struct SaturatingSubtract { s32 operator()(s32 a, s32 b) const { return s32(std::clamp<s64>(s64(a) - b, INT32_MIN, INT32_MAX)); }};
struct Multiply24 {
  template <class T> T operator()(T a, T b) const { return T(s64(T(Unsigned<T>(a) << 8)) / 256 * (s64(T(Unsigned<T>(b) << 8)) / 256)); }
};
struct MultiplyAdd24 { template <class T> T operator()(T a, T b, T c) const { return T(Unsigned<T>(Multiply24{}(a, b)) + Unsigned<T>(c)); } };
template <bool signedA, bool signedB>
struct DotProduct4 {
  u32 operator()(u32 a, u32 b, u32 c) const {
    s64 sum = 0;
    for (int k = 0; k < 4; k++) {
      const s32 x = signedA ? s8(a >> 8 * k) : u8(a >> 8 * k), y = signedB ? s8(b >> 8 * k) : u8(b >> 8 * k);
      sum += s64(x) * y;
    }
    return u32(c + u64(sum));
  }
};

void logic3(Warp& w, const Instruction& i, Lanes m) {
  const u32 table = i.option, *a = w.at<u32>(i.operand[1]), *b = w.at<u32>(i.operand[2]), *c = w.at<u32>(i.operand[3]);
  u32* d = w.at<u32>(i.operand[0]);
  u32 on[8];
  for (int k = 0; k < 8; k++) on[k] = table >> k & 1 ? ~0u : 0;
  u32 r[32];
  for (int l = 0; l < 32; l++) {
    const u32 x = a[l], y = b[l], z = c[l];
    r[l] = (~x & ((~y & ((~z & on[0]) | (z & on[1]))) | (y & ((~z & on[2]) | (z & on[3]))))) |
           (x & ((~y & ((~z & on[4]) | (z & on[5]))) | (y & ((~z & on[6]) | (z & on[7])))));
  }
  eachLane(m, [&](u32 l) { d[l] = r[l]; });
}

// p = a op b op ... on predicates: masks of lanes
enum PredicateOp : u32 { AndP, OrP, XorP, NotP };
void predicateLogic(Warp& w, const Instruction& i, Lanes m) {
  const u32 a = *w.at<u32>(i.operand[1]), b = i.operands > 2 ? *w.at<u32>(i.operand[2]) : 0;
  u32* d = w.at<u32>(i.operand[0]);
  const u32 v = i.option == AndP ? a & b : i.option == OrP ? a | b : i.option == XorP ? a ^ b : ~a;
  *d = (*d & ~m) | (v & m);
}

template <class Op>
Execute onIntegers(Type t, int sources) {
  return byInteger(t, [&](auto tag) -> Execute {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_invocable_v<Op, T>) return lanewise<Op, T, T>;
    else if constexpr (std::is_invocable_v<Op, T, T>) return lanewise<Op, T, T, T>;
    else return lanewise<Op, T, T, T, T>;
    (void)sources;
  });
}

template <class Op, int sources>
void plain(Decoder& d) {
  d.expect(sources + 1, sources + 1);
  const Type t = d.type();
  std::vector<u32> from;
  for (int k = 1; k <= sources; k++) from.push_back(d.source(size_t(k), t));
  d.emit(onIntegers<Op>(t, sources), Class::Integer, {d.result(0, t)}, from);
}

template <class Op, PredicateOp predicateOp>
void logic(Decoder& d) {
  const Type t = d.type();
  if (t == Type::Pred) {
    d.need(d.operand(0).kind == Operand::Register && d.operand(0).width == 0);
    std::vector<u32> from;
    for (size_t k = 1; k < d.count(); k++) from.push_back(d.predicate(d.operand(k)));
    d.emit(predicateLogic, Class::Integer, {d.operand(0).reference}, from).option = predicateOp;
    return;
  }
  constexpr int sources = predicateOp == NotP ? 1 : 2;
  d.expect(sources + 1, sources + 1);
  std::vector<u32> from;
  for (int k = 1; k <= sources; k++) from.push_back(d.source(size_t(k), t));
  d.emit(onIntegers<Op>(t, sources), Class::Integer, {d.result(0, t)}, from);
}

template <class Op>
void shift(Decoder& d) {
  d.expect(3, 3);
  const Type t = d.type();
  d.emit(byInteger(t, [](auto tag) -> Execute { using T = typename decltype(tag)::type; return lanewise<Op, T, T, u32>; }), Class::Integer,
         {d.result(0, t)}, {d.source(1, t), d.source(2, Type::U32)});
}

template <class Op>
void count32(Decoder& d) {  // popc, clz, bfind: a 32-bit result
  d.expect(2, 2);
  const Type t = d.type();
  Execute e = byInteger(t, [](auto tag) -> Execute {
    using T = typename decltype(tag)::type;
    return sizeof(T) == 2 ? nullptr : lanewise<Op, u32, T>;
  });
  d.emit(e, Class::Integer, {d.result(0, Type::U32)}, {d.source(1, t)});
}

}  // namespace

// add, sub, mul, mad, min, max, div, neg, abs of floating types are decoded in floating.cpp, which calls these for integers.
void integerBinary(Decoder& d, const char* name, Type t) {
  d.expect(3, 3);
  const std::string_view op = name;
  if (d.has("sat")) {
    d.need(t == Type::S32 && (op == "add" || op == "sub"));
    d.emit(op == "add" ? lanewise<SaturatingAdd, s32, s32, s32> : lanewise<SaturatingSubtract, s32, s32, s32>, Class::Integer, {d.result(0, t)},
           {d.source(1, t), d.source(2, t)});
    return;
  }
  if (d.has("relu")) {
    d.need(t == Type::S32 && (op == "min" || op == "max"));
    d.emit(op == "min" ? lanewise<MinimumRelu, s32, s32, s32> : lanewise<MaximumRelu, s32, s32, s32>, Class::Integer, {d.result(0, t)},
           {d.source(1, t), d.source(2, t)});
    return;
  }
  Execute e = op == "add"   ? onIntegers<Add>(t, 2)
              : op == "sub" ? onIntegers<Subtract>(t, 2)
              : op == "div" ? onIntegers<Divide>(t, 2)
              : op == "min" ? onIntegers<Minimum>(t, 2)
                            : onIntegers<Maximum>(t, 2);
  d.emit(e, Class::Integer, {d.result(0, t)}, {d.source(1, t), d.source(2, t)});
}

void integerUnary(Decoder& d, const char* name, Type t) {
  d.expect(2, 2);
  d.emit(std::string_view(name) == "neg" ? onIntegers<Negate>(t, 1) : onIntegers<Absolute>(t, 1), Class::Integer, {d.result(0, t)}, {d.source(1, t)});
}

void integerMultiply(Decoder& d, Type t, bool add) {
  const int form = d.oneOf({"lo", "hi", "wide"});
  d.need(form >= 0);
  d.expect(add ? 4 : 3, add ? 4 : 3);
  std::vector<u32> from = {d.source(1, t), d.source(2, t)};
  if (form == 2) {
    const u32 wide = sizeOf(t) * 2;
    if (add) from.push_back(d.source(d.operand(3), wide));
    Execute e = byInteger(t, [&](auto tag) -> Execute {
      using T = typename decltype(tag)::type;
      if constexpr (sizeof(T) == 8) return nullptr;
      else return add ? lanewise<MultiplyWideAdd, Wide<T>, T, T, Wide<T>> : lanewise<MultiplyWide, Wide<T>, T, T>;
    });
    d.emit(e, Class::Integer, {d.result(d.operand(0), wide)}, from);
    return;
  }
  if (add) from.push_back(d.source(3, t));
  Execute e = add ? (form ? onIntegers<MultiplyHighAdd>(t, 3) : onIntegers<MultiplyAdd>(t, 3))
                  : (form ? onIntegers<MultiplyHigh>(t, 2) : onIntegers<Multiply>(t, 2));
  d.emit(e, Class::Integer, {d.result(0, t)}, from);
}

void addInteger(Opcodes& o) {
  o.add("rem", plain<Remainder, 2>);
  o.add("sad", plain<AbsoluteDifference, 3>);
  o.add("and", logic<And, AndP>);
  o.add("or", logic<Or, OrP>);
  o.add("xor", logic<Xor, XorP>);
  o.add("not", logic<Not, NotP>);
  o.add("cnot", plain<LogicalNot, 1>);
  o.add("shl", shift<ShiftLeft>);
  o.add("shr", shift<ShiftRight>);
  o.add("popc", count32<PopulationCount>);
  o.add("clz", count32<LeadingZeros>);
  o.add("brev", plain<ReverseBits, 1>);
  o.add("bfind", [](Decoder& d) { d.has("shiftamt") ? count32<FindBitShift>(d) : count32<FindBit>(d); });
  o.add("mul24", [](Decoder& d) {
    d.need(d.has("lo"));
    plain<Multiply24, 2>(d);
  });
  o.add("mad24", [](Decoder& d) {
    d.need(d.has("lo"));
    plain<MultiplyAdd24, 3>(d);
  });
  o.add("bfe", [](Decoder& d) {
    d.expect(4, 4);
    const Type t = d.type();
    d.emit(byInteger(t, [](auto tag) -> Execute { using T = typename decltype(tag)::type; return lanewise<ExtractField, T, T, u32, u32>; }),
           Class::Integer, {d.result(0, t)}, {d.source(1, t), d.source(2, Type::U32), d.source(3, Type::U32)});
  });
  o.add("bfi", [](Decoder& d) {
    d.expect(5, 5);
    const Type t = d.type();
    d.need(t == Type::B32 || t == Type::B64);
    d.emit(t == Type::B32 ? lanewise<InsertField, u32, u32, u32, u32, u32> : lanewise<InsertField, u64, u64, u64, u32, u32>, Class::Integer,
           {d.result(0, t)}, {d.source(1, t), d.source(2, t), d.source(3, Type::U32), d.source(4, Type::U32)});
  });
  o.add("bmsk", [](Decoder& d) {
    d.skip({"clamp"});
    d.need(d.type() == Type::B32);
    d.emit(lanewise<FieldMask, u32, u32, u32>, Class::Integer, {d.result(0, Type::B32)}, {d.source(1, Type::B32), d.source(2, Type::B32)});
  });
  o.add("shf", [](Decoder& d) {
    d.expect(4, 4);
    const int way = d.oneOf({"l", "r"}), mode = d.oneOf({"wrap", "clamp"});
    d.need(way >= 0 && mode >= 0 && d.type() == Type::B32);
    const Execute e[] = {lanewise<FunnelLeft, u32, u32, u32, u32>, lanewise<FunnelLeftClamp, u32, u32, u32, u32>,
                         lanewise<FunnelRight, u32, u32, u32, u32>, lanewise<FunnelRightClamp, u32, u32, u32, u32>};
    d.emit(e[way * 2 + mode], Class::Integer, {d.result(0, Type::B32)}, {d.source(1, Type::B32), d.source(2, Type::B32), d.source(3, Type::B32)});
  });
  o.add("prmt", [](Decoder& d) {
    d.expect(4, 4);
    d.need(d.type() == Type::B32);
    d.emit(lanewise<Permute, u32, u32, u32, u32>, Class::Integer, {d.result(0, Type::B32)},
           {d.source(1, Type::B32), d.source(2, Type::B32), d.source(3, Type::B32)});
  });
  o.add("lop3", [](Decoder& d) {
    d.expect(5, 5);
    d.need(d.type() == Type::B32);
    d.emit(logic3, Class::Integer, {d.result(0, Type::B32)}, {d.source(1, Type::B32), d.source(2, Type::B32), d.source(3, Type::B32)}).option =
        u32(d.immediate(4)) & 255;
  });
  auto dot = [](Decoder& d) {
    d.expect(4, 4);
    const bool b = isSigned(d.type()), a = isSigned(d.type());
    const Execute e[] = {lanewise<DotProduct4<false, false>, u32, u32, u32, u32>, lanewise<DotProduct4<false, true>, u32, u32, u32, u32>,
                         lanewise<DotProduct4<true, false>, u32, u32, u32, u32>, lanewise<DotProduct4<true, true>, u32, u32, u32, u32>};
    d.emit(e[a * 2 + b], Class::Integer, {d.result(0, Type::B32)}, {d.source(1, Type::B32), d.source(2, Type::B32), d.source(3, Type::B32)});
  };
  o.add("dp4a", dot);
}

}  // namespace ptx
